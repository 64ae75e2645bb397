//! What access control lists forbid and permit: a request that a znode's list does not allow is refused,
//! and one that it allows is not refused for that. Lists are known again by the mark in them and come in
//! the order of their versions; which of them was in force is known from the answers that show a version.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;

use super::marks::{Mark, Place, USERS, parse_mark, place, user_name};
use super::{Answered, Verdict, broken};
use crate::id::Index;
use crate::map::{Item, Key, Map};
use crate::request::{Acl, Error, Op, Read, ReadKind, Request, Response};
use crate::sim::{ClientId, Invariant};

/// Facts kept of each znode: more than one gets in a seed.
const FACTS: usize = 4_096;

/// Who may do what, by a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Rights {
    users: [u32; USERS as usize],
    world: u32,
}

impl Rights {
    /// What a list says, and the mark in it.
    fn of(list: &[Acl]) -> (Self, Option<Mark>) {
        let mut rights = Self {
            users: [0; USERS as usize],
            world: 0,
        };
        let mut mark = None;
        for entry in list {
            match &*entry.scheme {
                "world" => rights.world |= entry.perms,
                "sasl" => mark = parse_mark(&entry.id),
                _ => {
                    let named = entry.id.split(':').next();
                    for (user, perms) in (0..).zip(&mut rights.users) {
                        if named == Some(&*user_name(user)) {
                            *perms |= entry.perms;
                        }
                    }
                }
            }
        }
        (rights, mark)
    }

    fn permit(&self, who: Option<u64>, wanted: u32) -> bool {
        let own = who.and_then(|user| self.users.get(user as usize));
        (self.world | own.copied().unwrap_or_default()) & wanted != 0
    }
}

/// A list that a client has sent.
#[derive(Clone, Debug)]
struct Sent {
    mark: Mark,
    rights: Rights,
    /// Which version of the znode's list it is, if that is known.
    version: Option<i32>,
    refused: bool,
    /// Cannot happen after this: a later connection of its client was attached here.
    until: Option<Index>,
}

/// At a state, a version of the list.
#[derive(Clone, Copy, Debug)]
struct Fact {
    at: Index,
    version: i32,
}

impl Item for Sent {
    fn key(&self) -> Key<'_> {
        of_mark(self.mark)
    }
}

impl Item for Fact {
    fn key(&self) -> Key<'_> {
        at(self.at)
    }
}

const fn of_mark((client, tag): Mark) -> Key<'static> {
    Key {
        first: (client.0 as u64) << 32 | tag,
        rest: &[],
    }
}

/// The newest comes first.
const fn at(zxid: Index) -> Key<'static> {
    Key {
        first: u64::MAX - zxid.0,
        rest: &[],
    }
}

/// The lists of one znode.
#[derive(Clone)]
struct Lists {
    sent: Map<Sent>,
    /// By each state at least this version was reached.
    reached: Map<Fact>,
    /// In each state it was exactly this version.
    exact: Map<Fact>,
    /// Nothing is known any more.
    wild: bool,
}

impl Lists {
    fn new() -> Self {
        Self {
            sent: Map::new(),
            reached: Map::new(),
            exact: Map::new(),
            wild: false,
        }
    }

    /// A list is this version.
    fn name(&mut self, place: Place, mark: Mark, version: i32) -> Verdict {
        let same = |sent: &&Sent| sent.version == Some(version) && sent.mark != mark;
        if let Some(other) = self.sent.iter().find(same) {
            let text = format!(
                "version {version} of the list of {place:?} is by {:?} and by {mark:?}",
                other.mark
            );
            return broken(Invariant::Permissions, text);
        }
        let Some(sent) = self.sent.get_mut(of_mark(mark)) else {
            let text = format!("the list of {place:?} is by {mark:?}, who sent none");
            return broken(Invariant::Permissions, text);
        };
        if sent.refused || sent.version.is_some_and(|known| known != version) {
            let text = format!(
                "the list of {place:?} by {mark:?} is version {version}; it was {:?}, refused: {}",
                sent.version, sent.refused
            );
            return broken(Invariant::Permissions, text);
        }
        sent.version = Some(version);
        Ok(())
    }

    fn reach(&mut self, zxid: Index, version: i32) {
        let version = version.max(self.low(zxid));
        self.reached.insert(Fact { at: zxid, version });
    }

    fn show(&mut self, place: Place, zxid: Index, version: i32) -> Verdict {
        let (low, high) = (self.low(zxid), self.high(zxid));
        if version < low || high.is_some_and(|high| high < version) {
            let text = format!(
                "{place:?} has version {version} of its list at {zxid}; it was {low} before and {high:?} later"
            );
            return broken(Invariant::NoLostWrite, text);
        }
        self.reach(zxid, version);
        self.exact.insert(Fact { at: zxid, version });
        Ok(())
    }

    /// In this state it was this version or a later one.
    fn low(&self, zxid: Index) -> i32 {
        let mut facts = self.reached.range(at(zxid));
        facts.next().map_or(0, |fact| fact.version)
    }

    /// In this state it was this version or an earlier one.
    fn high(&self, zxid: Index) -> Option<i32> {
        let from_newest = self.exact.iter().take_while(|fact| zxid <= fact.at);
        from_newest.last().map(|fact| fact.version)
    }

    /// The lists that can have been in force at some state from `low` up to `high`; `None` if one of them is not
    /// known for certain.
    fn between(&self, low: Index, high: Index) -> Option<Vec<&Sent>> {
        let from = self.low(low);
        let known = self.sent.iter().filter_map(|sent| sent.version).max()?;
        // A list of which nobody has heard yet may be in force, unless it came too late for the state before.
        let settled = self.exact.range(at(low)).next().map(|fact| fact.at);
        let is_open = |sent: &Sent| {
            let late = sent.until.is_some() && sent.until <= settled;
            sent.version.is_none() && !sent.refused && !late
        };
        let to = match self.high(high) {
            Some(to) => to,
            None if self.sent.iter().any(is_open) => return None,
            None => known.max(from),
        };
        let of = |version| self.sent.iter().find(|sent| sent.version == Some(version));
        (from..=to).map(of).collect()
    }
}

#[derive(Clone, Default)]
pub(super) struct Permits {
    lists: BTreeMap<u64, Lists>,
    /// Znodes whose lists had too many facts.
    pub(super) forgotten: u64,
}

impl Permits {
    fn of(&mut self, path: &str) -> Option<(Place, &mut Lists)> {
        let place = place(path)?;
        let Place::Guarded(number) = place else {
            return None;
        };
        let lists = self.lists.entry(number).or_insert_with(Lists::new);
        if !lists.wild && FACTS < lists.sent.len().max(lists.reached.len()) {
            lists.wild = true;
            self.forgotten += 1;
        }
        (!lists.wild).then_some((place, lists))
    }

    /// Somebody else changes it: nothing is known any more.
    pub(super) fn wild(&mut self, path: &str) {
        if let Some((_, lists)) = self.of(path) {
            lists.wild = true;
        }
    }

    /// A client has another connection: what it sent on the old one cannot happen any more.
    pub(super) fn attached(&mut self, client: ClientId, zxid: Index) {
        for lists in self.lists.values_mut() {
            let own = lists.sent.range(of_mark((client, 0)));
            let own = own.take_while(|sent| sent.mark.0 == client);
            let open: Vec<Mark> = own
                .filter(|sent| sent.until.is_none())
                .map(|sent| sent.mark)
                .collect();
            for mark in open {
                if let Some(sent) = lists.sent.get_mut(of_mark(mark)) {
                    sent.until = Some(zxid);
                }
            }
        }
    }

    /// A client of the workload sends a list.
    pub(super) fn send(&mut self, op: &Op) {
        let (Op::Create { path, acl, .. } | Op::SetAcl { path, acl, .. }) = op else {
            return;
        };
        if let Some((_, lists)) = self.of(path)
            && let (rights, Some(mark)) = Rights::of(acl)
        {
            lists.sent.insert(Sent {
                mark,
                rights,
                version: None,
                refused: false,
                until: None,
            });
        }
    }

    /// A client of the workload sends a list again: it can happen after all.
    pub(super) fn send_again(&mut self, op: &Op) {
        let (Op::Create { path, acl, .. } | Op::SetAcl { path, acl, .. }) = op else {
            return;
        };
        if let Some((_, lists)) = self.of(path)
            && let (_, Some(mark)) = Rights::of(acl)
            && let Some(sent) = lists.sent.get_mut(of_mark(mark))
        {
            sent.until = None;
        }
    }

    /// An answer to a client of the workload.
    pub(super) fn answer(&mut self, answered: &Answered<'_>) -> Verdict {
        let reply = answered.reply;
        match (answered.request, &reply.result) {
            (Request::Write(op), result) => self.written(answered, op, result),
            (Request::Read(read) | Request::Latest(read), result) => {
                self.read(answered.who, read, result, reply.zxid)
            }
            (Request::MultiRead(reads), Ok(Response::Multi(results))) => reads
                .iter()
                .zip(results)
                .try_for_each(|(one, result)| self.read(answered.who, one, result, reply.zxid)),
            (Request::WhoAmI, Ok(Response::Identities(ids))) => {
                let shown: Vec<&str> = ids.iter().map(|id| &*id.id).collect();
                let name = answered.who.map(user_name);
                let expected: Vec<&str> = name.as_deref().into_iter().collect();
                if shown == expected {
                    return Ok(());
                }
                let text = format!("whoAmI says {shown:?} to somebody who proved {expected:?}");
                broken(Invariant::Permissions, text)
            }
            _ => Ok(()),
        }
    }

    fn written(
        &mut self,
        answered: &Answered<'_>,
        op: &Op,
        result: &Result<Response, Error>,
    ) -> Verdict {
        let (mark, zxid) = ((answered.client, answered.tag), answered.reply.zxid);
        let (path, wanted) = match op {
            Op::Create { path, .. } => (path, 0),
            Op::SetData { path, .. } => (path, Acl::WRITE),
            Op::SetAcl { path, .. } => (path, Acl::ADMIN),
            Op::Delete { .. } | Op::Check { .. } => return Ok(()),
        };
        let Some((place, lists)) = self.of(path) else {
            return Ok(());
        };
        match (op, result) {
            (
                Op::Create { .. },
                Ok(Response::Created {
                    stat: Some(stat), ..
                }),
            ) => {
                lists.name(place, mark, 0)?;
                lists.show(place, stat.czxid, 0)
            }
            (Op::SetAcl { .. }, Ok(Response::Stat(stat))) => {
                lists.name(place, mark, stat.aversion)?;
                lists.reach(zxid, stat.aversion);
                lists.permitted(place, answered.who, wanted, stat.aversion - 1)
            }
            (Op::SetData { .. }, Ok(Response::Stat(stat))) => {
                lists.show(place, stat.mzxid, stat.aversion)?;
                lists.permitted(place, answered.who, wanted, stat.aversion)
            }
            (_, Err(Error::SystemError | Error::OutcomeUnknown)) => Ok(()),
            (_, Err(error)) => {
                if let Some(sent) = lists.sent.get_mut(of_mark(mark)) {
                    sent.refused = true;
                }
                if *error != Error::NoAuth {
                    return Ok(());
                }
                lists.refused(place, answered.who, wanted, (answered.after, zxid))
            }
            _ => Ok(()),
        }
    }

    /// A read, answered from the state at `zxid`.
    fn read(
        &mut self,
        who: Option<u64>,
        read: &Read,
        result: &Result<Response, Error>,
        zxid: Index,
    ) -> Verdict {
        let wanted = match read.kind {
            ReadKind::Acl => Acl::READ | Acl::ADMIN,
            _ => Acl::READ,
        };
        if *result == Err(Error::NoAuth) {
            return match self.of(&read.path) {
                Some((place, lists)) => lists.refused(place, who, wanted, (zxid, zxid)),
                None => Ok(()),
            };
        }
        let version = self.audit(read, result, zxid)?;
        match (self.of(&read.path), version) {
            (Some((place, lists)), Some(version)) => lists.permitted(place, who, wanted, version),
            _ => Ok(()),
        }
    }

    /// The same, whoever asked. Gives the version of the list that it shows.
    pub(super) fn audit(
        &mut self,
        read: &Read,
        result: &Result<Response, Error>,
        zxid: Index,
    ) -> Verdict<Option<i32>> {
        let Some((place, lists)) = self.of(&read.path) else {
            return Ok(None);
        };
        let stat = match result {
            Ok(Response::Acl { acl, stat }) => {
                let (rights, mark) = Rights::of(acl);
                let Some(mark) = mark else {
                    let text = format!("{place:?} has a list that nobody sent");
                    return broken(Invariant::Permissions, text);
                };
                lists.name(place, mark, stat.aversion)?;
                let sent = lists.sent.get(of_mark(mark));
                if sent.is_some_and(|sent| sent.rights != rights) {
                    let text = format!("the list of {place:?} by {mark:?} is not as it was sent");
                    return broken(Invariant::Permissions, text);
                }
                stat
            }
            Ok(Response::Data { stat, .. } | Response::Stat(stat)) => stat,
            _ => return Ok(None),
        };
        lists.show(place, zxid, stat.aversion)?;
        Ok(Some(stat.aversion))
    }
}

impl Lists {
    /// Somebody was let in by this version of the list.
    fn permitted(&self, place: Place, who: Option<u64>, wanted: u32, version: i32) -> Verdict {
        let sent = self.sent.iter().find(|sent| sent.version == Some(version));
        match sent.filter(|sent| !sent.rights.permit(who, wanted)) {
            None => Ok(()),
            Some(sent) => broken(
                Invariant::Permissions,
                format!(
                    "{place:?} let user {who:?} do {wanted}; version {version} of its list has {:?}",
                    sent.rights
                ),
            ),
        }
    }

    /// Somebody was refused in a state from `low` up to `high`.
    fn refused(
        &self,
        place: Place,
        who: Option<u64>,
        wanted: u32,
        (low, high): (Index, Index),
    ) -> Verdict {
        match self.between(low, high) {
            Some(lists) if lists.iter().all(|sent| sent.rights.permit(who, wanted)) => broken(
                Invariant::Permissions,
                format!(
                    "{place:?} refused user {who:?} {wanted} from {low} to {high}; all lists then allow it: {lists:?}"
                ),
            ),
            _ => Ok(()),
        }
    }
}

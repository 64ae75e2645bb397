//! What clients may believe: ZooKeeper's promises, checked from their calls and answers alone. It knows
//! that a zxid names a state and that states come in one order; it knows nothing of Raft, of logs or
//! of which member answered.
//!
//! Of each znode it keeps the changes it has learned, by zxid, and how long each is known to have
//! stood. An answer that rests on zxid Z must show the newest change at or below Z, so a lost write, a
//! write done twice, a stale answer and a split multi all show as a contradiction.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::ClientId;
use crate::id::{Index, SessionId};
use crate::request::{Error, Op, Read, ReadKind, Reply, Request, Response, Stat};

/// Changes kept of each znode.
const FACTS: usize = 48;
/// Writes kept of each client.
const WRITES: usize = 96;
/// Items of the queue and ended sessions kept.
const RECENT: usize = 160;
/// The workload's znodes: changed but never deleted.
pub(super) const REGISTERS: u64 = 8;
/// The workload's znodes that come and go.
pub(super) const TOGGLES: u64 = 4;
/// Parent of the workload's sequential znodes.
pub(super) const QUEUE: &str = "/q";

/// Why a client may complain.
pub(super) type Verdict = Result<(), String>;

/// A write's mark: who wrote, and the number of the call. It is in the data and in the names.
type Mark = (ClientId, u64);

/// A place in the tree that the workload uses.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Place {
    Register(u64),
    Toggle(u64),
}

/// A write of the workload.
#[derive(Clone, Debug)]
struct Sent {
    tag: u64,
    session: SessionId,
    places: Vec<Place>,
    /// Some change up to here was acknowledged to somebody before this was sent.
    after: Index,
    /// Cannot happen after this: a later connection of the session was attached here.
    until: Option<Index>,
    /// Happened here.
    seen: Option<Index>,
    refused: bool,
}

#[derive(Clone, Debug, Default)]
struct Author {
    /// Ascending tags.
    sent: VecDeque<Sent>,
    /// No kept write is older than this.
    oldest: u64,
}

/// What one change made of a znode.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    There {
        version: Option<i32>,
        czxid: Option<Index>,
        mark: Option<Mark>,
    },
    Gone,
}

#[derive(Clone, Copy, Debug)]
struct Fact {
    state: State,
    /// Nothing changed up to here.
    until: Index,
}

#[derive(Clone, Debug, Default)]
struct History {
    facts: BTreeMap<Index, Fact>,
    /// An acknowledged delete: at or above `.1` only a znode made after `.0` can be there.
    deleted: Option<(Index, Index)>,
    /// Writes that were sent, in all.
    writes: u64,
    /// Somebody else changed it: nothing is known any more.
    wild: bool,
}

/// A sequential znode of the workload.
#[derive(Clone, Debug)]
struct Item {
    mark: Mark,
    /// Was surely there from here, and at least until `seen`.
    born: Index,
    exact: bool,
    seen: Index,
    gone: Option<Index>,
    deleting: bool,
    owner: SessionId,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Oracle {
    authors: BTreeMap<ClientId, Arc<Author>>,
    histories: BTreeMap<Place, Arc<History>>,
    items: Arc<BTreeMap<u64, Item>>,
    /// Sessions that are over, and the zxid at which that was known.
    ended: VecDeque<(SessionId, Index)>,
    /// Sessions of which an ephemeral znode was seen to be gone, and when.
    doomed: VecDeque<(SessionId, Index)>,
    /// The newest change that was acknowledged to anybody.
    newest: Index,
    wild_queue: bool,
}

impl Oracle {
    /// Everything acknowledged so far; what is sent now must come after it.
    pub(super) const fn newest(&self) -> Index {
        self.newest
    }

    /// A client of the workload sends a write.
    pub(super) fn send(
        &mut self,
        client: ClientId,
        tag: u64,
        session: SessionId,
        request: &Request,
    ) {
        let ops: &[Op] = match request {
            Request::Write(op) => core::slice::from_ref(op),
            Request::Multi(ops) => ops,
            _ => return,
        };
        let mut places = Vec::new();
        for op in ops {
            match op {
                Op::Check { .. } | Op::SetAcl { .. } => {}
                Op::Delete { path, .. } if path.starts_with("/q/") => {
                    if let Some((_, number)) = parse_item(&path[3..])
                        && let Some(item) = Arc::make_mut(&mut self.items).get_mut(&number)
                    {
                        item.deleting = true;
                    }
                }
                Op::Create { path, .. } | Op::Delete { path, .. } | Op::SetData { path, .. } => {
                    if let Some(place) = place(path) {
                        Arc::make_mut(self.histories.entry(place).or_default()).writes += 1;
                        if !matches!(op, Op::Delete { .. }) {
                            places.push(place);
                        }
                    }
                }
            }
        }
        let author = Arc::make_mut(self.authors.entry(client).or_default());
        let after = self.newest;
        author.sent.push_back(Sent {
            tag,
            session,
            places,
            after,
            until: None,
            seen: None,
            refused: false,
        });
        if WRITES < author.sent.len() {
            author.sent.pop_front();
            author.oldest = author.sent.front().map_or(0, |sent| sent.tag);
        }
    }

    /// A client that is not of the workload writes: what it touches is no longer judged.
    pub(super) fn stranger(&mut self, request: &Request) {
        let ops: &[Op] = match request {
            Request::Write(op) => core::slice::from_ref(op),
            Request::Multi(ops) => ops,
            _ => return,
        };
        for op in ops {
            let (Op::Create { path, .. }
            | Op::Delete { path, .. }
            | Op::SetData { path, .. }
            | Op::SetAcl { path, .. }
            | Op::Check { path, .. }) = op;
            if let Some(place) = place(path) {
                Arc::make_mut(self.histories.entry(place).or_default()).wild = true;
            }
            self.wild_queue |= path.starts_with(QUEUE);
        }
    }

    /// A session was attached to a new connection: what the old one sent cannot happen any more.
    pub(super) fn attached(
        &mut self,
        client: ClientId,
        session: SessionId,
        zxid: Index,
    ) -> Verdict {
        if let Some(author) = self.authors.get_mut(&client) {
            for sent in Arc::make_mut(author).sent.iter_mut().rev() {
                if sent.until.is_some() {
                    break;
                }
                sent.until = Some(zxid);
            }
        }
        self.alive(session, zxid)
    }

    /// A session is over, as known at this zxid; its ephemeral znodes are gone with it.
    pub(super) fn ended(&mut self, session: SessionId, zxid: Index) {
        self.ended.push_back((session, zxid));
        if RECENT < self.ended.len() {
            self.ended.pop_front();
        }
    }

    /// An answer to a client of the workload. `after` is what `newest` was when it asked.
    pub(super) fn answer(
        &mut self,
        client: ClientId,
        tag: u64,
        session: SessionId,
        after: Index,
        request: &Request,
        reply: &Reply,
    ) -> Verdict {
        match (request, &reply.result) {
            (Request::Write(op), Ok(response)) => {
                self.done(client, tag, after, op, response, reply.zxid)?;
                self.alive(session, reply.zxid)
            }
            (Request::Multi(ops), Ok(Response::Multi(results))) => {
                if results.len() != ops.len() {
                    return Err(format!(
                        "a multi of {} gave {} results",
                        ops.len(),
                        results.len()
                    ));
                }
                if results.iter().any(Result::is_err) {
                    if results.iter().any(Result::is_ok) {
                        return Err("a multi was done in part".into());
                    }
                    self.refuse(client, tag);
                    return Ok(());
                }
                for (op, result) in ops.iter().zip(results) {
                    let Ok(response) = result else { continue };
                    self.done(client, tag, after, op, response, reply.zxid)?;
                }
                self.alive(session, reply.zxid)
            }
            (Request::Write(_) | Request::Multi(_), Err(error)) => {
                if *error == Error::SystemError {
                    return Ok(());
                }
                self.refuse(client, tag);
                self.refusal(request, *error, after)
            }
            (Request::Read(read), result) => self.read(read, result, reply.zxid),
            (Request::Latest(read), _) if reply.zxid < after => Err(format!(
                "a linearizable read of {} shows {} although {after} was acknowledged before it was asked",
                read.path, reply.zxid
            )),
            (Request::Latest(read), result) => self.read(read, result, reply.zxid),
            (Request::Sync { .. }, Ok(_)) if reply.zxid < after => Err(format!(
                "sync was answered at {} although {after} was acknowledged before it was asked",
                reply.zxid
            )),
            _ => Ok(()),
        }
    }

    fn done(
        &mut self,
        client: ClientId,
        tag: u64,
        after: Index,
        op: &Op,
        response: &Response,
        zxid: Index,
    ) -> Verdict {
        match (op, response) {
            (Op::SetData { path, version, .. }, Response::Stat(stat)) => {
                if *version != -1 && stat.version != *version + 1 {
                    return Err(format!(
                        "{path}: a set of version {version} gave version {}",
                        stat.version
                    ));
                }
                self.wrote(client, tag, path, stat, zxid)
            }
            (
                Op::Create { path, mode, .. },
                Response::Created {
                    path: made,
                    stat: Some(stat),
                },
            ) => {
                if mode.is_sequential() {
                    self.newest = self.newest.max(stat.czxid);
                    return self.enqueued(client, tag, path, made, stat);
                }
                if path != made {
                    return Err(format!("a create of {path} made {made}"));
                }
                self.wrote(client, tag, path, stat, zxid)
            }
            (Op::Delete { path, .. }, Response::Deleted) => {
                if let Some(place) = place(path) {
                    let history = Arc::make_mut(self.histories.entry(place).or_default());
                    history.deleted = Some((after, zxid));
                } else if let Some((_, number)) = path.strip_prefix("/q/").and_then(parse_item)
                    && let Some(item) = Arc::make_mut(&mut self.items).get_mut(&number)
                {
                    if item.gone.is_some_and(|gone| gone <= after) {
                        return Err(format!("{path} was deleted twice"));
                    }
                    item.gone = Some(item.gone.map_or(zxid, |gone| gone.min(zxid)));
                }
                Ok(())
            }
            (Op::Check { .. }, Response::Checked) => Ok(()),
            _ => Err(format!("{op:?} was answered by {response:?}")),
        }
    }

    fn wrote(
        &mut self,
        client: ClientId,
        tag: u64,
        path: &str,
        stat: &Stat,
        zxid: Index,
    ) -> Verdict {
        if zxid < stat.mzxid {
            return Err(format!(
                "{path}: changed at {} and answered at {zxid}",
                stat.mzxid
            ));
        }
        self.newest = self.newest.max(stat.mzxid);
        let Some(place) = place(path) else {
            return Ok(());
        };
        let state = State::There {
            version: Some(stat.version),
            czxid: Some(stat.czxid),
            mark: Some((client, tag)),
        };
        self.observe(place, stat.mzxid, stat.mzxid, state)
    }

    fn refuse(&mut self, client: ClientId, tag: u64) {
        if let Some(author) = self.authors.get_mut(&client)
            && let Some(sent) = Arc::make_mut(author)
                .sent
                .iter_mut()
                .rfind(|s| s.tag == tag)
        {
            sent.refused = true;
        }
    }

    /// A refusal must have a reason that can be true.
    fn refusal(&self, request: &Request, error: Error, after: Index) -> Verdict {
        let Request::Write(Op::SetData { path, .. }) = request else {
            return Ok(());
        };
        let Some(place @ Place::Register(_)) = place(path) else {
            return Ok(());
        };
        let known = self.histories.get(&place).is_some_and(|history| {
            let mut facts = history.facts.range(..=after);
            !history.wild && facts.any(|(_, fact)| fact.state != State::Gone)
        });
        if error == Error::NoNode && known {
            return Err(format!(
                "{path} is said not to exist; it was made before, and nobody deletes it"
            ));
        }
        Ok(())
    }

    /// A read, answered by somebody who has applied up to `zxid`.
    pub(super) fn read(
        &mut self,
        read: &Read,
        result: &Result<Response, Error>,
        zxid: Index,
    ) -> Verdict {
        if read.kind == ReadKind::Children {
            return match result {
                Ok(Response::Children { names, .. }) if read.path == QUEUE => {
                    self.listed(names, zxid)
                }
                _ => Ok(()),
            };
        }
        let Some(place) = place(&read.path) else {
            return Ok(());
        };
        let (stat, mark) = match result {
            Ok(Response::Data { data, stat }) => {
                let text = data
                    .as_ref()
                    .and_then(|data| core::str::from_utf8(data).ok());
                let Some(mark) = text.and_then(parse_mark) else {
                    return self.phantom(place, &format!("{data:?}"));
                };
                (stat, Some(mark))
            }
            Ok(Response::Stat(stat)) => (stat, None),
            Err(Error::NoNode) => return self.absent(place, zxid),
            _ => return Ok(()),
        };
        if zxid < stat.mzxid {
            return Err(format!(
                "{}: a state of {} shown at {zxid}",
                read.path, stat.mzxid
            ));
        }
        self.over(stat.ephemeral_owner, zxid, &read.path)?;
        let state = State::There {
            version: Some(stat.version),
            czxid: Some(stat.czxid),
            mark,
        };
        self.observe(place, stat.mzxid, zxid, state)
    }

    fn phantom(&self, place: Place, what: &str) -> Verdict {
        if self
            .histories
            .get(&place)
            .is_some_and(|history| history.wild)
        {
            return Ok(());
        }
        Err(format!("{place:?} holds {what}, which nobody wrote"))
    }

    /// A change at `changed` was still the newest one at `zxid`.
    fn observe(&mut self, place: Place, changed: Index, zxid: Index, state: State) -> Verdict {
        let history = Arc::make_mut(self.histories.entry(place).or_default());
        if history.wild {
            return Ok(());
        }
        let State::There {
            version,
            czxid,
            mark,
        } = state
        else {
            return Ok(());
        };
        if let (Some(czxid), Some((low, high))) = (czxid, history.deleted)
            && high <= zxid
            && czxid <= low
        {
            return Err(format!(
                "{place:?} made at {czxid} is there at {zxid}; it was deleted by {high}"
            ));
        }
        if version.is_some_and(|version| history.writes < version as u64) {
            return Err(format!(
                "{place:?} has version {version:?} after {} writes",
                history.writes
            ));
        }
        let later = history.facts.range(changed.next()..).next();
        if let Some((later, _)) = later.filter(|(later, _)| **later <= zxid) {
            return Err(format!(
                "{place:?} is shown at {zxid} as it was at {changed}; it was changed at {later}"
            ));
        }
        let before = history
            .facts
            .range(..changed)
            .next_back()
            .map(|(at, fact)| (*at, *fact));
        if let Some((at, fact)) = before {
            if changed <= fact.until {
                return Err(format!(
                    "{place:?} was changed at {changed}; at {} it stood as made at {at}",
                    fact.until
                ));
            }
            if let (
                State::There {
                    version: old,
                    czxid: made,
                    ..
                },
                Some(new),
            ) = (fact.state, version)
                && made == czxid
                && old.is_some_and(|old| new <= old)
            {
                return Err(format!(
                    "{place:?} has version {new} at {changed} and {old:?} at {at}"
                ));
            }
        }
        let oldest = history.facts.first_key_value().map(|(at, _)| *at);
        let full = FACTS <= history.facts.len();
        match history.facts.get_mut(&changed) {
            Some(fact) => {
                fact.until = fact.until.max(zxid);
                merge(place, changed, &mut fact.state, state)?;
            }
            None if full && oldest.is_some_and(|oldest| changed < oldest) => {}
            None => {
                history.facts.insert(changed, Fact { state, until: zxid });
                if full {
                    history.facts.pop_first();
                }
            }
        }
        match mark {
            Some(mark) => self.happened(mark, changed, Some(place)),
            None => Ok(()),
        }
    }

    fn absent(&mut self, place: Place, zxid: Index) -> Verdict {
        let history = Arc::make_mut(self.histories.entry(place).or_default());
        if history.wild {
            return Ok(());
        }
        // Gone now and gone before does not mean gone in between.
        if let Some((at, fact)) = history.facts.range(..=zxid).next_back()
            && fact.state != State::Gone
        {
            if matches!(place, Place::Register(_)) {
                return Err(format!(
                    "{place:?} made by {at} is gone at {zxid}; nobody deletes it"
                ));
            }
            if zxid <= fact.until {
                return Err(format!(
                    "{place:?} is gone at {zxid}; it stood from {at} to {}",
                    fact.until
                ));
            }
        }
        history.facts.entry(zxid).or_insert(Fact {
            state: State::Gone,
            until: zxid,
        });
        if FACTS < history.facts.len() {
            history.facts.pop_first();
        }
        Ok(())
    }

    /// A marked write has happened here. Everything else it wrote happened here too.
    fn happened(&mut self, mark: Mark, zxid: Index, place: Option<Place>) -> Verdict {
        let (client, tag) = mark;
        let Some(author) = self.authors.get_mut(&client) else {
            return Err(format!("{mark:?} is there, which nobody wrote"));
        };
        let author = Arc::make_mut(author);
        let Ok(at) = author.sent.binary_search_by_key(&tag, |sent| sent.tag) else {
            if tag < author.oldest {
                return Ok(());
            }
            return Err(format!("{mark:?} is there, which nobody wrote"));
        };
        let sent = &mut author.sent[at];
        if sent.refused {
            return Err(format!(
                "{mark:?} happened at {zxid} although it was refused"
            ));
        }
        if zxid <= sent.after {
            return Err(format!(
                "{mark:?} happened at {zxid}, before {}, which was acknowledged before it was sent",
                sent.after
            ));
        }
        if sent.until.is_some_and(|until| until < zxid) {
            return Err(format!(
                "{mark:?} happened at {zxid} although its connection had been replaced"
            ));
        }
        match sent.seen {
            Some(seen) if seen != zxid => {
                return Err(format!("{mark:?} happened at {seen} and again at {zxid}"));
            }
            Some(_) => return Ok(()),
            None => sent.seen = Some(zxid),
        }
        let others: Vec<Place> = sent
            .places
            .iter()
            .copied()
            .filter(|p| Some(*p) != place)
            .collect();
        for other in others {
            let state = State::There {
                version: None,
                czxid: None,
                mark: Some(mark),
            };
            self.observe(other, zxid, zxid, state)?;
        }
        Ok(())
    }

    fn enqueued(
        &mut self,
        client: ClientId,
        tag: u64,
        path: &str,
        made: &str,
        stat: &Stat,
    ) -> Verdict {
        let name = made.strip_prefix("/q/").unwrap_or(made);
        let Some((mark, number)) = parse_item(name).filter(|_| made.starts_with(path)) else {
            return Err(format!("a sequential create of {path} made {made}"));
        };
        if mark != (client, tag) {
            return Err(format!("a sequential create of {path} made {made}"));
        }
        self.happened(mark, stat.czxid, None)?;
        let owner = stat.ephemeral_owner;
        let born = stat.czxid;
        let item = Item {
            mark,
            born,
            exact: true,
            seen: born,
            gone: None,
            deleting: false,
            owner,
        };
        self.item(number, item)
    }

    fn item(&mut self, number: u64, new: Item) -> Verdict {
        if self.wild_queue {
            return Ok(());
        }
        let items = Arc::make_mut(&mut self.items);
        if new.exact {
            let before = items.range(..number).rev().find(|(_, item)| item.exact);
            let after = items.range(number + 1..).find(|(_, item)| item.exact);
            if before.is_some_and(|(_, item)| new.born <= item.born)
                || after.is_some_and(|(_, item)| item.born <= new.born)
            {
                return Err(format!(
                    "item {number} made at {} is out of order",
                    new.born
                ));
            }
        }
        if let Some(item) = items.get_mut(&number) {
            if item.mark != new.mark {
                return Err(format!(
                    "item {number} was given to {:?} and to {:?}",
                    item.mark, new.mark
                ));
            }
            if new.exact {
                item.born = new.born;
                item.exact = true;
                item.owner = new.owner;
                item.deleting = false;
            }
            item.seen = item.seen.max(new.seen);
            return Ok(());
        }
        if items.values().any(|item| item.mark == new.mark) {
            return Err(format!("{:?} made a second item, {number}", new.mark));
        }
        items.insert(number, new);
        if RECENT < items.len() {
            let oldest = items
                .iter()
                .find(|(_, item)| item.gone.is_some())
                .map(|(number, _)| *number);
            items.remove(&oldest.unwrap_or_default());
        }
        Ok(())
    }

    fn listed(&mut self, names: &[String], zxid: Index) -> Verdict {
        if self.wild_queue {
            return Ok(());
        }
        let mut shown = Vec::new();
        for name in names {
            let Some((mark, number)) = parse_item(name) else {
                return Err(format!("{QUEUE} has a child {name}, which nobody made"));
            };
            let known = self.authors.get(&mark.0).is_some_and(|author| {
                mark.1 < author.oldest || author.sent.iter().any(|s| s.tag == mark.1 && !s.refused)
            });
            if !known {
                return Err(format!("{QUEUE} has a child {name}, which nobody made"));
            }
            let session = self.authors.get(&mark.0).and_then(|author| {
                author
                    .sent
                    .iter()
                    .find(|sent| sent.tag == mark.1)
                    .map(|sent| sent.session)
            });
            shown.push(number);
            // Whether it goes with its session is not known before its create is acknowledged.
            let owner = SessionId(0);
            if let Some(item) = self.items.get(&number) {
                if item.exact && zxid < item.born {
                    return Err(format!("{name} made at {} is listed at {zxid}", item.born));
                }
                if item.gone.is_some_and(|gone| gone <= zxid) {
                    return Err(format!(
                        "{name} is listed at {zxid}; it was gone at {:?}",
                        item.gone
                    ));
                }
                let owner = item.owner;
                self.over(owner, zxid, name)?;
            } else if session.is_none() {
                // Older than what is kept of its maker.
                continue;
            }
            let item = Item {
                mark,
                born: zxid,
                exact: false,
                seen: zxid,
                gone: None,
                deleting: true,
                owner,
            };
            self.item(number, item)?;
        }
        shown.sort_unstable();
        let mut doomed = Vec::new();
        for (number, item) in Arc::make_mut(&mut self.items).iter_mut() {
            if zxid < item.born || shown.binary_search(number).is_ok() {
                continue;
            }
            if zxid <= item.seen && item.exact {
                return Err(format!(
                    "item {number} is gone at {zxid}; it was there at {}",
                    item.seen
                ));
            }
            if !item.deleting {
                if item.owner == SessionId(0) {
                    return Err(format!(
                        "item {number} made at {} is gone at {zxid}",
                        item.born
                    ));
                }
                doomed.push((item.owner, zxid));
            }
            item.gone = Some(item.gone.map_or(zxid, |gone| gone.min(zxid)));
        }
        for (session, zxid) in doomed {
            if !self.doomed.iter().any(|(known, _)| *known == session) {
                self.doomed.push_back((session, zxid));
            }
        }
        while RECENT < self.doomed.len() {
            self.doomed.pop_front();
        }
        Ok(())
    }

    /// A session did something at this zxid, so none of its ephemeral znodes can have vanished before.
    fn alive(&self, session: SessionId, zxid: Index) -> Verdict {
        match self
            .doomed
            .iter()
            .find(|(doomed, at)| *doomed == session && *at < zxid)
        {
            Some((_, at)) => Err(format!(
                "an ephemeral znode of session {session} vanished by {at}; the session lives at {zxid}"
            )),
            None => Ok(()),
        }
    }

    fn over(&self, session: SessionId, zxid: Index, what: &str) -> Verdict {
        match self
            .ended
            .iter()
            .find(|(ended, at)| *ended == session && *at <= zxid)
        {
            Some((_, at)) if session != SessionId(0) => Err(format!(
                "{what} is there at {zxid}; its session {session} ended by {at}"
            )),
            _ => Ok(()),
        }
    }
}

/// Two reports of one change must agree.
fn merge(place: Place, at: Index, old: &mut State, new: State) -> Verdict {
    let (
        State::There {
            version,
            czxid,
            mark,
        },
        State::There {
            version: new_version,
            czxid: new_czxid,
            mark: new_mark,
        },
    ) = (old, new)
    else {
        return Err(format!("{place:?} is there and not there at {at}"));
    };
    let agree = agree(version, new_version) & agree(czxid, new_czxid) & agree(mark, new_mark);
    if agree {
        Ok(())
    } else {
        Err(format!("{place:?} has two different states at {at}"))
    }
}

fn agree<T: PartialEq + Copy>(old: &mut Option<T>, new: Option<T>) -> bool {
    match (*old, new) {
        (Some(old), Some(new)) => old == new,
        (None, Some(_)) => {
            *old = new;
            true
        }
        _ => true,
    }
}

fn place(path: &str) -> Option<Place> {
    let number = |text: &str| text.parse::<u64>().ok();
    if let Some(rest) = path.strip_prefix("/k") {
        return number(rest).filter(|n| *n < REGISTERS).map(Place::Register);
    }
    path.strip_prefix("/t")
        .and_then(number)
        .filter(|n| *n < TOGGLES)
        .map(Place::Toggle)
}

/// Reads that show everything the workload made.
pub(super) fn audit_reads() -> Vec<Read> {
    let read = |kind, path: String| Read {
        kind,
        path,
        watch: false,
    };
    let registers = (0..REGISTERS).map(|n| read(ReadKind::Data, format!("/k{n}")));
    let toggles = (0..TOGGLES).map(|n| read(ReadKind::Data, format!("/t{n}")));
    let queue = read(ReadKind::Children, QUEUE.into());
    registers.chain(toggles).chain([queue]).collect()
}

/// The text that marks a write.
pub(super) fn mark_text(client: ClientId, tag: u64) -> String {
    format!("{}.{tag}", client.0)
}

fn parse_mark(text: &str) -> Option<Mark> {
    let (client, tag) = text.split_once('.')?;
    Some((ClientId(client.parse().ok()?), tag.parse().ok()?))
}

/// `MARK-NUMBER`.
fn parse_item(name: &str) -> Option<(Mark, u64)> {
    let (mark, number) = name.rsplit_once('-')?;
    Some((parse_mark(mark)?, number.parse().ok()?))
}

//! Sequential znodes: their numbers are unique under their parent and grow in the order of commits, and
//! none comes back or vanishes without a reason.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::authors::{Authors, Known};
use super::marks::{Mark, QUEUE, parse_item};
use super::sessions::Sessions;
use super::{Verdict, broken};
use crate::id::{Index, SessionId};
use crate::map::{Item as Keyed, Key, Map};
use crate::sim::Invariant;

/// Items kept: more than the workload makes in a seed.
const ITEMS: usize = 4_096;

/// A sequential znode of the workload.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) number: u64,
    pub(super) mark: Mark,
    /// Was surely there from here, and at least until `seen`.
    pub(super) born: Index,
    /// Whether `born` is where it was made.
    pub(super) exact: bool,
    pub(super) seen: Index,
    pub(super) gone: Option<Index>,
    /// Somebody wants it deleted, or it is not known whether it goes with a session.
    pub(super) deleting: bool,
    pub(super) owner: SessionId,
}

impl Keyed for Item {
    fn key(&self) -> Key<'_> {
        key(self.number)
    }
}

/// Who made which.
#[derive(Clone)]
struct Made {
    mark: Mark,
    number: u64,
}

impl Keyed for Made {
    fn key(&self) -> Key<'_> {
        made(self.mark)
    }
}

const fn key(number: u64) -> Key<'static> {
    Key {
        first: number,
        rest: &[],
    }
}

/// A client's number takes the upper half: none makes four thousand million calls.
const fn made((client, tag): Mark) -> Key<'static> {
    key((client.0 as u64) << 32 | tag)
}

#[derive(Clone)]
pub(super) struct Queue {
    items: Map<Item>,
    by_mark: Map<Made>,
    /// Somebody else made or deleted some: nothing is known any more.
    pub(super) wild: bool,
    /// Items that are no longer kept.
    pub(super) forgotten: u64,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            items: Map::new(),
            by_mark: Map::new(),
            wild: false,
            forgotten: 0,
        }
    }
}

impl Queue {
    /// Somebody asks for this one to be deleted.
    pub(super) fn deleting(&mut self, number: u64) {
        if let Some(item) = self.items.get_mut(key(number)) {
            item.deleting = true;
        }
    }

    /// A delete was acknowledged at `zxid`; it was asked for after `after`.
    pub(super) fn deleted(
        &mut self,
        path: &str,
        number: u64,
        after: Index,
        zxid: Index,
    ) -> Verdict {
        let Some(item) = self.items.get_mut(key(number)) else {
            return Ok(());
        };
        if item.gone.is_some_and(|gone| gone <= after) {
            let text = format!("{path} was deleted twice");
            return broken(Invariant::NoLostWrite, text);
        }
        item.gone = Some(item.gone.map_or(zxid, |gone| gone.min(zxid)));
        Ok(())
    }

    /// One was made, or seen.
    pub(super) fn learn(&mut self, new: Item) -> Verdict {
        if self.wild {
            return Ok(());
        }
        let number = new.number;
        if new.exact {
            self.in_order(&new)?;
        }
        if let Some(item) = self.items.get_mut(key(number)) {
            if item.mark != new.mark {
                let text = format!(
                    "item {number} was given to {:?} and to {:?}",
                    item.mark, new.mark
                );
                return broken(Invariant::SequenceNumbers, text);
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
        if let Some(first) = self.by_mark.get(made(new.mark)) {
            let text = format!("{:?} made {} and {number}", new.mark, first.number);
            return broken(Invariant::ExactlyOnce, text);
        }
        self.by_mark.insert(Made {
            mark: new.mark,
            number,
        });
        self.items.insert(new);
        if ITEMS < self.items.len() {
            self.forget_one();
        }
        Ok(())
    }

    /// Numbers grow in the order of commits.
    fn in_order(&self, new: &Item) -> Verdict {
        let known = |item: &&Item| item.exact && item.number != new.number;
        // Numbers before it: those made lately are the ones that can be wrong, so a few are enough.
        let low = new.number.saturating_sub(64);
        let (before, after): (Vec<&Item>, Vec<&Item>) = self
            .items
            .range(key(low))
            .take_while(|item| item.number <= new.number + 64)
            .filter(known)
            .partition(|item| item.number < new.number);
        let late = before.last().is_some_and(|item| new.born <= item.born);
        if late || after.first().is_some_and(|item| item.born <= new.born) {
            let text = format!("item {} made at {} is out of order", new.number, new.born);
            return broken(Invariant::SequenceNumbers, text);
        }
        Ok(())
    }

    fn forget_one(&mut self) {
        let gone = self.items.iter().find(|item| item.gone.is_some());
        if let Some((number, mark)) = gone
            .or(self.items.iter().next())
            .map(|item| (item.number, item.mark))
        {
            self.items.remove(key(number));
            self.by_mark.remove(made(mark));
            self.forgotten += 1;
        }
    }

    /// What is listed at `zxid` was made by somebody and is not gone; what is not listed has a reason.
    pub(super) fn listed(
        &mut self,
        names: &[String],
        zxid: Index,
        authors: &Authors,
        sessions: &mut Sessions,
    ) -> Verdict {
        if self.wild {
            return Ok(());
        }
        let mut shown = Vec::with_capacity(names.len());
        for name in names {
            let nobody = || {
                let text = format!("{QUEUE} has a child {name}, which nobody made");
                broken(Invariant::NoLostWrite, text)
            };
            let Some((mark, number)) = parse_item(name) else {
                return nobody();
            };
            let is_kept = match authors.known(mark) {
                Known::Sent(sent) if sent.refused => {
                    let text = format!("{name} is listed at {zxid}, although it was refused");
                    return broken(Invariant::ExactlyOnce, text);
                }
                Known::Sent(_) => true,
                Known::Forgotten => false,
                Known::Unknown => return nobody(),
            };
            shown.push(number);
            // Whether it goes with its session is not known before its create is acknowledged.
            let owner = SessionId(0);
            if let Some(item) = self.items.get(key(number)) {
                if item.exact && zxid < item.born {
                    let text = format!("{name} made at {} is listed at {zxid}", item.born);
                    return broken(Invariant::NoLostWrite, text);
                }
                if let Some(gone) = item.gone.filter(|gone| *gone <= zxid) {
                    let text = format!("{name} is listed at {zxid}; it was gone at {gone}");
                    return broken(Invariant::NoLostWrite, text);
                }
                sessions.over(item.owner, zxid, name)?;
            } else if !is_kept {
                continue;
            }
            self.learn(Item {
                number,
                mark,
                born: zxid,
                exact: false,
                seen: zxid,
                gone: None,
                deleting: true,
                owner,
            })?;
        }
        shown.sort_unstable();
        self.not_listed(&shown, zxid, sessions)
    }

    fn not_listed(&mut self, shown: &[u64], zxid: Index, sessions: &mut Sessions) -> Verdict {
        let mut vanished = Vec::new();
        for item in self.items.iter() {
            let number = item.number;
            if zxid < item.born || shown.binary_search(&number).is_ok() {
                continue;
            }
            if zxid <= item.seen && item.exact {
                let text = format!(
                    "item {number} is gone at {zxid}; it was there at {}",
                    item.seen
                );
                return broken(Invariant::NoLostWrite, text);
            }
            if item.gone.is_some_and(|gone| gone <= zxid) {
                continue;
            }
            if !item.deleting {
                if item.owner == SessionId(0) {
                    let text = format!("item {number} made at {} is gone at {zxid}", item.born);
                    return broken(Invariant::NoLostWrite, text);
                }
                sessions.doomed(item.owner, zxid);
            }
            vanished.push(number);
        }
        for number in vanished {
            if let Some(item) = self.items.get_mut(key(number)) {
                item.gone = Some(zxid);
            }
        }
        Ok(())
    }
}

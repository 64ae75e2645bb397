//! What is known of the workload's znodes: the changes that answers have shown, by zxid, and how long
//! each is known to have stood. An answer that rests on zxid Z must show the newest change at or below
//! Z, so a lost write, a write done twice and a stale answer all show as a contradiction.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;

use super::marks::{Mark, Place};
use super::{Verdict, broken};
use crate::id::Index;
use crate::map::{Item, Key, Map};
use crate::sim::Invariant;

/// Changes kept of each znode: more than one gets in a seed.
const CHANGES: usize = 4_096;

/// What one change made of a znode.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    There {
        version: Option<i32>,
        czxid: Option<Index>,
        mark: Option<Mark>,
    },
    Gone,
}

#[derive(Clone, Copy, Debug)]
struct Fact {
    at: Index,
    state: State,
    /// Nothing changed up to here.
    until: Index,
}

/// The newest comes first: what is asked for is always the newest up to some zxid.
impl Item for Fact {
    fn key(&self) -> Key<'_> {
        key(self.at)
    }
}

const fn key(at: Index) -> Key<'static> {
    Key {
        first: u64::MAX - at.0,
        rest: &[],
    }
}

#[derive(Clone)]
struct History {
    facts: Map<Fact>,
    /// Nothing is kept of what was before.
    kept_from: Index,
    /// An acknowledged delete: at or above `.1` only a znode made after `.0` can be there.
    deleted: Option<(Index, Index)>,
    /// Writes that were sent, in all.
    writes: u64,
    /// Somebody else changed it: nothing is known any more.
    wild: bool,
}

impl History {
    fn new() -> Self {
        Self {
            facts: Map::new(),
            kept_from: Index(0),
            deleted: None,
            writes: 0,
            wild: false,
        }
    }

    /// The newest known change up to here.
    fn newest(&self, zxid: Index) -> Option<Fact> {
        self.facts.range(key(zxid)).next().copied()
    }

    /// Says whether the oldest had to go for it.
    fn learn(&mut self, fact: Fact) -> bool {
        if fact.at < self.kept_from {
            return false;
        }
        self.facts.insert(fact);
        if self.facts.len() <= CHANGES {
            return false;
        }
        let newer = self.facts.iter().take(CHANGES).last().copied();
        let oldest = self.facts.iter().last().map(|fact| fact.at);
        if let (Some(newer), Some(oldest)) = (newer, oldest) {
            self.facts.remove(key(oldest));
            self.kept_from = newer.at;
        }
        true
    }
}

#[derive(Clone, Default)]
pub(super) struct Znodes {
    histories: BTreeMap<Place, History>,
    /// Changes that are no longer kept.
    pub(super) forgotten: u64,
}

impl Znodes {
    fn of(&mut self, place: Place) -> &mut History {
        self.histories.entry(place).or_insert_with(History::new)
    }

    /// A write was sent.
    pub(super) fn sent(&mut self, place: Place) {
        self.of(place).writes += 1;
    }

    /// From now on nothing is known of it.
    pub(super) fn wild(&mut self, place: Place) {
        self.of(place).wild = true;
    }

    /// A delete was acknowledged at `zxid`; it was asked for after `after`.
    pub(super) fn deleted(&mut self, place: Place, after: Index, zxid: Index) {
        self.of(place).deleted = Some((after, zxid));
    }

    /// Whether it was surely there at or before this.
    pub(super) fn was_there(&self, place: Place, zxid: Index) -> bool {
        self.histories.get(&place).is_some_and(|history| {
            let mut facts = history.facts.range(key(zxid));
            !history.wild && facts.any(|fact| fact.state != State::Gone)
        })
    }

    /// It holds what no client of the workload wrote.
    pub(super) fn phantom(&self, place: Place, what: &str) -> Verdict {
        if self
            .histories
            .get(&place)
            .is_some_and(|history| history.wild)
        {
            return Ok(());
        }
        lost(format!("{place:?} holds {what}, which nobody wrote"))
    }

    /// A change at `changed` was still the newest one at `zxid`. Says whether it is judged.
    pub(super) fn observe(
        &mut self,
        place: Place,
        changed: Index,
        zxid: Index,
        state: State,
    ) -> Verdict<bool> {
        let history = self.of(place);
        let State::There { version, czxid, .. } = state else {
            return Ok(false);
        };
        if history.wild {
            return Ok(false);
        }
        if let (Some(czxid), Some((low, high))) = (czxid, history.deleted)
            && high <= zxid
            && czxid <= low
        {
            return lost(format!(
                "{place:?} made at {czxid} is there at {zxid}; it was deleted by {high}"
            ));
        }
        if version.is_some_and(|version| history.writes < version as u64) {
            return lost(format!(
                "{place:?} has version {version:?} after {} writes",
                history.writes
            ));
        }
        if let Some(later) = history.newest(zxid).filter(|fact| changed < fact.at) {
            return lost(format!(
                "{place:?} is shown at {zxid} as it was at {changed}; it was changed at {}",
                later.at
            ));
        }
        if let Some(before) = history.newest(changed.prev()) {
            if changed <= before.until {
                return lost(format!(
                    "{place:?} was changed at {changed}; at {} it stood as made at {}",
                    before.until, before.at
                ));
            }
            if let State::There {
                version: Some(old),
                czxid: made,
                ..
            } = before.state
                && let Some(new) = version
                && made == czxid
                && new <= old
            {
                return lost(format!(
                    "{place:?} has version {new} at {changed} and {old} at {}",
                    before.at
                ));
            }
        }
        match history.facts.get_mut(key(changed)) {
            Some(fact) => {
                fact.until = fact.until.max(zxid);
                merge(place, changed, &mut fact.state, state)?;
            }
            None => {
                let forgot = history.learn(Fact {
                    at: changed,
                    state,
                    until: zxid,
                });
                self.forgotten += u64::from(forgot);
            }
        }
        Ok(true)
    }

    /// It was not there at `zxid`.
    pub(super) fn absent(&mut self, place: Place, zxid: Index) -> Verdict {
        let history = self.of(place);
        if history.wild {
            return Ok(());
        }
        // Gone now and gone before does not mean gone in between.
        if let Some(fact) = history.newest(zxid)
            && fact.state != State::Gone
        {
            if place.stays() {
                return lost(format!(
                    "{place:?} made by {} is gone at {zxid}; nobody deletes it",
                    fact.at
                ));
            }
            if zxid <= fact.until {
                return lost(format!(
                    "{place:?} is gone at {zxid}; it stood from {} to {}",
                    fact.at, fact.until
                ));
            }
        }
        if history.facts.get(key(zxid)).is_none() {
            let forgot = history.learn(Fact {
                at: zxid,
                state: State::Gone,
                until: zxid,
            });
            self.forgotten += u64::from(forgot);
        }
        Ok(())
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
        return lost(format!("{place:?} is there and not there at {at}"));
    };
    if agree(version, new_version) & agree(czxid, new_czxid) & agree(mark, new_mark) {
        Ok(())
    } else {
        lost(format!("{place:?} has two different states at {at}"))
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

fn lost<T>(text: String) -> Verdict<T> {
    broken(Invariant::NoLostWrite, text)
}

//! What answers demand of the order: a version that is only ever counted up must not be passed before
//! everything that saw it, or an earlier one, is placed; and each version of such a key held one value. A
//! search that heeds them turns back early; it finds an order exactly if there is one.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::state::State;
use super::{Cell, History, Start, Step, What};

/// A key, or what is counted under it if the first part is true.
type Slot = (bool, usize);
/// A version or a number, or -1 for nothing at all.
type Height = i64;

/// Nothing is there.
const NOTHING: Height = -1;

/// Demands of the operations of one group that are not placed yet.
pub(super) struct Demands {
    /// Keys whose znode can not have gone: their versions, and the numbers under them, only grow.
    rising: BTreeSet<usize>,
    /// What such a key held in a version, as far as an answer shows it.
    held: BTreeMap<(usize, u64), u64>,
    /// Of each operation: how high its slots may be at most when it comes.
    of: Vec<Vec<(Slot, Height)>>,
    /// The same of all that are not placed, with how many say so.
    open: BTreeMap<Slot, BTreeMap<Height, u32>>,
}

impl Demands {
    pub(super) fn new(history: &History, start: &Start, group: &[usize]) -> Self {
        let all = || group.iter().map(|n| &history.operations[*n].what);
        let mut rising = BTreeSet::new();
        let mut falling = start.vague.clone();
        let cells = start.cells.iter().enumerate();
        falling
            .extend(cells.filter_map(|(key, cell)| cell.filter(|cell| cell.mortal).map(|_| key)));
        let mut held = BTreeMap::new();
        for what in all() {
            if let What::Look { key, .. } = what {
                rising.insert(*key);
            }
            if let What::Read { key, seen } = what {
                rising.insert(*key);
                if let Some(Cell { value, version, .. }) = seen {
                    held.entry((*key, *version)).or_insert(*value);
                }
            }
            for step in what.steps() {
                let done = matches!(what, What::Done(_));
                match *step {
                    Step::Create { key, value, mortal } => {
                        rising.insert(key);
                        if mortal {
                            falling.insert(key);
                        }
                        if done {
                            held.entry((key, 0)).or_insert(value);
                        }
                    }
                    Step::Set {
                        key, value, then, ..
                    } => {
                        rising.insert(key);
                        if let Some(version) = then.filter(|_| done) {
                            held.entry((key, version)).or_insert(value);
                        }
                    }
                    Step::Delete { key, .. } if !matches!(what, What::Refused { .. }) => {
                        falling.insert(key);
                    }
                    Step::Next { parent, .. } => {
                        rising.insert(parent);
                    }
                    _ => {}
                }
            }
        }
        rising.retain(|key| !falling.contains(key));
        held.retain(|(key, _), _| rising.contains(key));
        let of = all().map(|what| demands(what, &rising)).collect();
        let mut demands = Self {
            rising,
            held,
            of,
            open: BTreeMap::new(),
        };
        (0..group.len()).for_each(|place| demands.put_back(place));
        demands
    }

    /// An operation is placed.
    pub(super) fn take(&mut self, place: usize) {
        for (slot, height) in &self.of[place] {
            let Some(open) = self.open.get_mut(slot) else {
                continue;
            };
            if let Some(count) = open.get_mut(height) {
                *count -= 1;
                if *count == 0 {
                    open.remove(height);
                }
            }
        }
    }

    /// It is placed no longer.
    pub(super) fn put_back(&mut self, place: usize) {
        for (slot, height) in &self.of[place] {
            let open = self.open.entry(*slot).or_default();
            *open.entry(*height).or_default() += 1;
        }
    }

    /// Whether everything that is not placed may still come after this operation, by what it wrote.
    pub(super) fn are_met(&self, what: &What, state: &State<'_>) -> bool {
        let (What::Done(steps) | What::Unknown(steps)) = what else {
            return true;
        };
        steps.iter().all(|step| {
            let (slot, height) = match *step {
                Step::Create { key, .. } | Step::Set { key, .. } if self.rising.contains(&key) => {
                    let Some(cell) = state.cell(key) else {
                        return true;
                    };
                    let held = self.held.get(&(key, cell.version));
                    if held.is_some_and(|held| *held != cell.value) {
                        return false;
                    }
                    ((false, key), height(cell.version))
                }
                Step::Next {
                    parent,
                    number: Some(number),
                } if self.rising.contains(&parent) => ((true, parent), height(number)),
                _ => return true,
            };
            let lowest = self.open.get(&slot).and_then(|open| open.keys().next());
            lowest.is_none_or(|lowest| height <= *lowest)
        })
    }
}

/// How high slots may be when an operation comes that must come.
fn demands(what: &What, rising: &BTreeSet<usize>) -> Vec<(Slot, Height)> {
    let mut demands: Vec<(Slot, Height)> = Vec::new();
    let mut demand = |slot: Slot, height: Height| {
        // Only the first step on a slot meets what others wrote.
        if demands.iter().all(|(other, _)| *other != slot) {
            demands.push((slot, height));
        }
    };
    match what {
        What::Read { key, seen } if rising.contains(key) => {
            let seen = seen.map_or(NOTHING, |cell| height(cell.version));
            demand((false, *key), seen);
        }
        What::Look { key, version, .. } if rising.contains(key) => {
            demand((false, *key), version.map_or(NOTHING, height));
        }
        What::Done(steps) => {
            for step in steps {
                match *step {
                    Step::Create { key, .. } if rising.contains(&key) => {
                        demand((false, key), NOTHING);
                    }
                    Step::Set {
                        key,
                        then: Some(then),
                        ..
                    } if rising.contains(&key) => demand((false, key), height(then) - 1),
                    Step::Check {
                        key,
                        version: Some(version),
                    } if rising.contains(&key) => demand((false, key), height(version)),
                    Step::Next {
                        parent,
                        number: Some(number),
                    } if rising.contains(&parent) => demand((true, parent), height(number) - 1),
                    _ => {}
                }
            }
        }
        _ => {}
    }
    demands
}

fn height(number: u64) -> Height {
    Height::try_from(number).unwrap_or(Height::MAX)
}

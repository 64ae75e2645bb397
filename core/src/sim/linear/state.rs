//! How things stand after the operations that are placed, and whether one more can have come here.
//!
//! What is mortal may have ended at any moment without a call, and of what is vague nobody knows how it stands.
//! Neither needs a choice: both stay as they are until an answer shows more. A mortal that is taken to be there
//! allows whatever its absence would allow, because it can still end right before it has to be absent. So it is
//! never too early to take it for there. In both cases more is allowed than can have been, never less: of the
//! children of what ends only those right below are looked at, and who ended what, and whether one session's
//! znodes ended together, is not asked.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::kin::Kin;
use super::{Cell, Reason, Start, Step, What, get};
use crate::sim::hash::mix;

/// Cells and counters, with what is needed to put back what was before.
pub(super) struct State<'a> {
    kin: &'a Kin,
    cells: BTreeMap<usize, Cell>,
    counters: BTreeMap<usize, u64>,
    vague: BTreeSet<usize>,
    undo: Vec<Undo>,
    /// What the operation that is looked at showed to have ended before it.
    ended: Vec<usize>,
    /// Of the cells, the counters and the placed operations: 128 bits, each part added or taken out alone.
    fingerprint: (u64, u64),
}

enum Undo {
    Cell(usize, Option<Cell>),
    Counter(usize, Option<u64>),
    Vague(usize),
}

impl<'a> State<'a> {
    /// Of these keys. With them come those right below them, which keep what is mortal: one that stays is only
    /// deleted by an operation that touches its parent as well.
    pub(super) fn new<'b>(
        kin: &'a Kin,
        start: &Start,
        keys: impl Iterator<Item = &'b usize>,
    ) -> Self {
        let mut state = Self {
            kin,
            cells: BTreeMap::new(),
            counters: BTreeMap::new(),
            vague: BTreeSet::new(),
            undo: Vec::new(),
            ended: Vec::new(),
            fingerprint: (0, 0),
        };
        for key in keys.flat_map(|key| kin.children(*key).iter().chain([key])) {
            let key = *key;
            if let Some(number) = get(&start.counters, key) {
                state.counters.insert(key, number);
            }
            if let Some(cell) = get(&start.cells, key) {
                state.cells.insert(key, cell);
            }
            if start.vague.contains(&key) {
                state.vague.insert(key);
            }
        }
        state
    }

    pub(super) fn cell(&self, key: usize) -> Option<Cell> {
        self.cells.get(&key).copied()
    }

    pub(super) fn counter(&self, parent: usize) -> Option<u64> {
        self.counters.get(&parent).copied()
    }

    pub(super) fn is_vague(&self, key: usize) -> bool {
        self.vague.contains(&key)
    }

    pub(super) const fn fingerprint(&self) -> (u64, u64) {
        self.fingerprint
    }

    /// What has to be given to `take_back` to return here.
    pub(super) fn mark(&self) -> usize {
        self.undo.len()
    }

    /// Does the operation here if it can have had its outcome here. If not, what it has done up to then
    /// is the caller's to take back.
    pub(super) fn place(&mut self, what: &What) -> bool {
        match what {
            What::Read { key, seen: None } => self.may_lack(*key),
            What::Read {
                key,
                seen: Some(seen),
            } => {
                if self.vague.contains(key) {
                    self.put(*key, Some(seen.unsure()));
                    return true;
                }
                self.cell(*key).is_some_and(|cell| cell.shows(*seen))
            }
            What::Look {
                key,
                version,
                children,
            } => self.look(*key, *version, children.as_deref()),
            What::Done(steps) | What::Unknown(steps) => {
                steps.iter().all(|step| self.step(step, None))
            }
            What::Refused { steps, at, why } => {
                let undo = self.mark();
                self.ended.clear();
                let last = steps.get(*at);
                let mut before = steps.iter().take(*at);
                let fits = before.all(|step| self.step(&step.untold(), None))
                    && last.is_some_and(|step| self.step(step, Some(*why)));
                // Nothing was done; but what had ended before has ended.
                self.take_back(undo);
                for key in core::mem::take(&mut self.ended) {
                    if fits && self.may_end(key) {
                        self.end(key);
                    }
                }
                fits
            }
        }
    }

    fn look(&mut self, key: usize, version: Option<u64>, children: Option<&[usize]>) -> bool {
        let Some(version) = version else {
            return self.may_lack(key);
        };
        if !self.vague.contains(&key) && self.cell(key).is_none_or(|cell| cell.version != version) {
            return false;
        }
        let Some(names) = children else {
            return true;
        };
        let kin = self.kin;
        kin.children(key)
            .iter()
            .all(|child| match names.binary_search(child).is_ok() {
                true => self.may_hold(*child),
                false => self.may_lack(*child),
            })
    }

    /// Does a step if it can have been done here, or can have been refused for this reason.
    fn step(&mut self, step: &Step, refused: Option<Reason>) -> bool {
        let key = step.key();
        match (*step, refused) {
            (Step::Create { .. }, Some(Reason::Absent)) => {
                let parent = self.kin.parent(key);
                parent.is_some_and(|parent| self.may_lack(parent))
            }
            (Step::Create { .. }, Some(Reason::There)) => self.may_hold(key),
            (Step::Create { value, mortal, .. }, None) => {
                let parent = self.kin.parent(key);
                if parent.is_some_and(|parent| !self.may_hold(parent)) || !self.may_lack(key) {
                    return false;
                }
                let version = 0;
                self.put(
                    key,
                    Some(Cell {
                        value,
                        version,
                        mortal,
                    }),
                );
                self.begin_count(key);
                true
            }
            (_, Some(Reason::Absent)) => self.may_lack(key),
            (
                Step::Check { version, .. }
                | Step::Set { version, .. }
                | Step::Delete { version, .. },
                Some(Reason::Version),
            ) => {
                version.is_some() && self.may_hold(key) && !self.is_in(key, version)
                    || version.is_some() && self.vague.contains(&key)
            }
            (Step::Delete { version, .. }, Some(Reason::Children)) => {
                let children = self.kin.children(key);
                self.is_in(key, version) && children.iter().any(|child| self.may_hold(*child))
            }
            (Step::Check { version, .. }, None) => self.is_in(key, version),
            (
                Step::Set {
                    value,
                    version,
                    then,
                    ..
                },
                None,
            ) => self.set(key, value, version, then),
            (Step::Delete { version, .. }, None) => {
                let kin = self.kin;
                let mut children = kin.children(key).iter();
                if !self.is_in(key, version) || !children.all(|child| self.may_lack(*child)) {
                    return false;
                }
                self.put(key, None);
                self.begin_count(key);
                true
            }
            (Step::Next { number, .. }, None) => {
                if !self.may_hold(key) {
                    return false;
                }
                // Whatever number an unknown one got, there may have been one between its neighbours'.
                let Some(number) = number else { return true };
                let before = self.counter(key);
                if before.is_some_and(|before| number <= before) {
                    return false;
                }
                self.undo.push(Undo::Counter(key, before));
                self.count(key, Some(number));
                true
            }
            (_, Some(_)) => false,
        }
    }

    fn set(&mut self, key: usize, value: u64, version: Option<u64>, then: Option<u64>) -> bool {
        if !self.is_in(key, version) {
            return false;
        }
        let cell = match self.cell(key) {
            Some(cell) => Cell {
                value,
                version: cell.version + 1,
                ..cell
            },
            // Only the answer, or the version that it must have had, tells more.
            None => match then.or_else(|| version.map(|version| version + 1)) {
                Some(version) => Cell {
                    value,
                    version,
                    mortal: true,
                },
                None => return true,
            },
        };
        self.put(key, Some(cell));
        then.is_none_or(|then| then == cell.version)
    }

    /// Whether something can be there.
    fn may_hold(&self, key: usize) -> bool {
        self.cells.contains_key(&key) || self.vague.contains(&key)
    }

    /// Whether something can be there in this version, if one is given.
    fn is_in(&self, key: usize, version: Option<u64>) -> bool {
        match self.cell(key) {
            Some(cell) => version.is_none_or(|version| version == cell.version),
            None => self.vague.contains(&key),
        }
    }

    /// Whether nothing can be there; then nothing is from here on.
    fn may_lack(&mut self, key: usize) -> bool {
        if !self.may_hold(key) {
            return true;
        }
        if !self.may_end(key) {
            return false;
        }
        self.end(key);
        true
    }

    /// Whether what is there may have ended by itself. What has a child that stays does not.
    fn may_end(&self, key: usize) -> bool {
        let ends = |key: &usize| self.cells.get(key).is_none_or(|cell| cell.mortal);
        ends(&key) && self.kin.children(key).iter().all(ends)
    }

    /// It has, and so has what was right below it.
    fn end(&mut self, key: usize) {
        let kin = self.kin;
        for key in kin.children(key).iter().chain([&key]) {
            if self.may_hold(*key) {
                self.put(*key, None);
                self.begin_count(*key);
                self.ended.push(*key);
            }
        }
    }

    /// Numbers under it begin anew.
    fn begin_count(&mut self, key: usize) {
        if let Some(before) = self.counter(key) {
            self.undo.push(Undo::Counter(key, Some(before)));
            self.count(key, None);
        }
    }

    /// From here on it is known what is there.
    fn put(&mut self, key: usize, cell: Option<Cell>) {
        if self.vague.remove(&key) {
            self.mix_in([4, key as u64, 0, 0]);
            self.undo.push(Undo::Vague(key));
        }
        self.undo.push(Undo::Cell(key, self.cell(key)));
        self.hold(key, cell);
    }

    fn hold(&mut self, key: usize, cell: Option<Cell>) {
        let part = |cell: Cell| {
            let kind = if cell.mortal { 5 } else { 1 };
            [kind, key as u64, cell.value, cell.version]
        };
        if let Some(cell) = cell {
            if let Some(old) = self.cells.insert(key, cell) {
                self.mix_in(part(old));
            }
            self.mix_in(part(cell));
        } else if let Some(old) = self.cells.remove(&key) {
            self.mix_in(part(old));
        }
    }

    fn count(&mut self, parent: usize, number: Option<u64>) {
        let part = |number: u64| [2, parent as u64, number, 0];
        if let Some(number) = number {
            if let Some(old) = self.counters.insert(parent, number) {
                self.mix_in(part(old));
            }
            self.mix_in(part(number));
        } else if let Some(old) = self.counters.remove(&parent) {
            self.mix_in(part(old));
        }
    }

    /// An operation is placed, or no longer.
    pub(super) fn toggle(&mut self, place: usize) {
        self.mix_in([3, place as u64, 0, 0]);
    }

    /// Adds a part, or takes it out.
    fn mix_in(&mut self, part: [u64; 4]) {
        let of = |seed| part.iter().fold(seed, |hash, word| mix(hash, *word));
        self.fingerprint.0 ^= of(0x6f74_7465_726b_6565);
        self.fingerprint.1 ^= of(0x6c69_6e65_6172_697a);
    }

    pub(super) fn take_back(&mut self, undo: usize) {
        while undo < self.undo.len() {
            match self.undo.pop() {
                Some(Undo::Cell(key, cell)) => self.hold(key, cell),
                Some(Undo::Counter(parent, number)) => self.count(parent, number),
                Some(Undo::Vague(key)) => {
                    self.vague.insert(key);
                    self.mix_in([4, key as u64, 0, 0]);
                }
                None => return,
            }
        }
    }
}

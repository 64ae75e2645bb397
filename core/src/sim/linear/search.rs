//! The search itself, over the operations of one group: it places one after the other and takes them out
//! again. It ends with the first order, or goes on until it has seen every way in which things may stand
//! after all of them.

use alloc::collections::BTreeSet;
use alloc::vec;
use alloc::vec::Vec;

use super::demands::Demands;
use super::kin::Kin;
use super::state::State;
use super::{Contradiction, FOUND, History, Start, Step, Verdict, What, put};

/// Children that a contradiction lists beside its operation's own keys.
const LISTED: usize = 3;
/// Earlier operations of unknown outcome among which one that does the same is looked for.
const ELDERS: usize = 32;

/// A call or a return in order of time, in a list from which placed operations are taken out.
#[derive(Clone, Copy)]
struct Entry {
    place: usize,
    is_call: bool,
    before: usize,
    after: usize,
}

/// A choice that can be taken back.
struct Frame {
    /// Its part of `Search::candidates`, and which of them are left to try.
    start: usize,
    next: usize,
    end: usize,
    /// What to put back when the operation that led here is taken out again.
    undo: usize,
}

pub(super) struct Search<'a> {
    history: &'a History,
    kin: &'a Kin,
    start: &'a Start,
    group: &'a [usize],
    /// Of each operation: what it touches.
    touched: Vec<Vec<usize>>,
    dues: Vec<u64>,
    /// The same as bits that others may share.
    masks: Vec<u64>,
    /// Of one of unknown outcome: the last one before it that differs by nothing that anybody read.
    elders: Vec<usize>,
    /// What it turns back for.
    demands: Option<Demands>,
    /// The head of the list is the last one.
    entries: Vec<Entry>,
    call_of: Vec<usize>,
    return_of: Vec<usize>,
    state: State<'a>,
    placed: Vec<usize>,
    /// Operations not placed that must be.
    missing: usize,
    candidates: Vec<usize>,
    seen: BTreeSet<(u64, u64)>,
    /// The return that no order has passed yet, and what its operation met.
    furthest: usize,
    contradiction: Contradiction,
}

/// Marks an entry that is not there.
const NONE: usize = usize::MAX;

/// What a search found.
pub(super) struct Found {
    /// The ways in which things may stand afterwards, each with the order that leads there.
    pub(super) ways: Vec<(Start, Vec<usize>)>,
    /// Whether these are all.
    pub(super) complete: bool,
}

impl<'a> Search<'a> {
    pub(super) fn new(
        (history, kin): (&'a History, &'a Kin),
        start: &'a Start,
        group: &'a [usize],
        demands: Option<Demands>,
    ) -> Self {
        let dues = history.dues(start, group);
        let mut moments: Vec<(u64, bool, usize)> = Vec::with_capacity(2 * group.len() + 1);
        for (place, number) in group.iter().enumerate() {
            moments.push((history.operations[*number].called, false, place));
            if dues[place] != u64::MAX {
                moments.push((dues[place], true, place));
            }
        }
        // Calls before returns of the same moment.
        moments.sort_unstable();
        let head = moments.len();
        let (mut call_of, mut return_of) = (vec![NONE; group.len()], vec![NONE; group.len()]);
        let mut entries = Vec::with_capacity(head + 1);
        for (at, (_, is_return, place)) in moments.iter().enumerate() {
            match is_return {
                true => return_of[*place] = at,
                false => call_of[*place] = at,
            }
            entries.push(Entry {
                place: *place,
                is_call: !is_return,
                before: at.checked_sub(1).unwrap_or(head),
                after: at + 1,
            });
        }
        entries.push(Entry {
            place: NONE,
            is_call: false,
            before: head.checked_sub(1).unwrap_or(head),
            after: 0,
        });
        let all = group.iter().map(|number| &history.operations[*number].what);
        let touched: Vec<Vec<usize>> = all.map(|what| kin.touched(what)).collect();
        let mask = |touched: &Vec<usize>| {
            let bits = touched.iter().map(|key| 1 << (key % 64));
            bits.fold(0, |mask, bit: u64| mask | bit)
        };
        let mut search = Self {
            missing: dues.iter().filter(|due| **due != u64::MAX).count(),
            history,
            kin,
            start,
            group,
            dues,
            masks: touched.iter().map(mask).collect(),
            elders: vec![NONE; group.len()],
            demands,
            entries,
            call_of,
            return_of,
            state: State::new(kin, start, touched.iter().flatten()),
            touched,
            placed: Vec::new(),
            candidates: Vec::new(),
            seen: BTreeSet::new(),
            furthest: 0,
            contradiction: Contradiction {
                operation: group.first().copied().unwrap_or_default(),
                found: Vec::new(),
                highest: Vec::new(),
            },
        };
        search.find_elders();
        search
    }

    /// Of those that nobody knows about and that do the same, but for values that nobody reads, the first
    /// called can always be the first done: what else the later one could be is left out.
    fn find_elders(&mut self) {
        let shown = self.history.shown(self.group);
        let mut unknown: Vec<usize> = Vec::new();
        for entry in &self.entries {
            if !entry.is_call || self.dues[entry.place] != u64::MAX {
                continue;
            }
            let steps = |place: usize| self.history.operations[self.group[place]].what.steps();
            let own = steps(entry.place);
            if own
                .iter()
                .any(|step| step.writes().is_some_and(|wrote| shown.contains(&wrote)))
            {
                continue;
            }
            let recent = unknown.iter().rev().take(ELDERS);
            let elder = recent.copied().find(|elder| are_alike(steps(*elder), own));
            self.elders[entry.place] = elder.unwrap_or(NONE);
            unknown.push(entry.place);
        }
    }

    /// Searches until it has found `most` ways, or all.
    pub(super) fn run(mut self, budget: &mut u64, most: usize) -> Result<Found, Verdict> {
        let mut found = Found {
            ways: Vec::new(),
            complete: true,
        };
        let mut frames = vec![self.frame(0)];
        if self.missing == 0 {
            found.ways.push(self.way());
            frames.clear();
        }
        while let Some(frame) = frames.last_mut() {
            if frame.next == frame.end {
                let undo = frame.undo;
                self.candidates.truncate(frame.start);
                frames.pop();
                self.take_back(undo);
                continue;
            }
            let place = self.candidates[frame.next];
            frame.next += 1;
            if *budget == 0 {
                found.complete = false;
                break;
            }
            *budget -= 1;
            let undo = self.state.mark();
            if !self.is_new(place) {
                self.state.take_back(undo);
                continue;
            }
            self.lift(place);
            self.placed.push(place);
            if 0 < self.missing {
                frames.push(self.frame(undo));
                continue;
            }
            found.ways.push(self.way());
            if found.ways.len() == most {
                found.complete = false;
                break;
            }
            self.take_back(undo);
        }
        match (found.ways.is_empty(), found.complete) {
            (true, true) => Err(Verdict::Broken(self.contradiction)),
            (true, false) => Err(Verdict::Undecided),
            _ => Ok(found),
        }
    }

    /// How things stand now, and the order that led here.
    fn way(&self) -> (Start, Vec<usize>) {
        let mut way = self.start.clone();
        for (place, number) in self.group.iter().enumerate() {
            for key in &self.touched[place] {
                put(&mut way.counters, *key, self.state.counter(*key));
                put(&mut way.cells, *key, self.state.cell(*key));
                if !self.state.is_vague(*key) {
                    way.vague.remove(key);
                }
            }
            let is_unknown = matches!(self.history.operations[*number].what, What::Unknown(_));
            if is_unknown && self.placed.contains(&place) {
                way.gone.push(*number);
            }
        }
        let order = self.placed.iter().map(|place| self.group[*place]);
        (way, order.collect())
    }

    /// Does an operation, if it can have been done here and nothing shows that it leads nowhere.
    fn is_new(&mut self, place: usize) -> bool {
        let what = &self.history.operations[self.group[place]].what;
        if !self.state.place(what) || !self.leaves_room(place) {
            return false;
        }
        self.state.toggle(place);
        let is_new = self.seen.insert(self.state.fingerprint());
        if !is_new {
            self.state.toggle(place);
        }
        is_new
    }

    /// What can come next: everything called before the first return. What must come goes first.
    fn frame(&mut self, undo: usize) -> Frame {
        let start = self.candidates.len();
        let head = self.entries.len() - 1;
        let mut at = self.entries[head].after;
        while at != head && self.entries[at].is_call {
            self.candidates.push(self.entries[at].place);
            at = self.entries[at].after;
        }
        self.leave_out(start);
        let dues = &self.dues;
        self.candidates[start..].sort_by_key(|place| dues[*place]);
        if at != head {
            self.remember(at);
        }
        Frame {
            start,
            next: start,
            end: self.candidates.len(),
            undo,
        }
    }

    /// Those that nobody knows about wait until they matter: until one that must come can come, and shares a
    /// key with them or with another that matters. Before that they change nothing that anybody sees.
    fn leave_out(&mut self, start: usize) {
        let (mut touched, mut before) = (0, 1);
        while touched != before {
            before = touched;
            for place in &self.candidates[start..] {
                let mask = self.masks[*place];
                if self.return_of[*place] != NONE || mask & touched != 0 {
                    touched |= mask;
                }
            }
        }
        let mut kept = start;
        for at in start..self.candidates.len() {
            let place = self.candidates[at];
            let waits = self.masks[place] & touched == 0 || self.has_elder(place);
            if self.return_of[place] != NONE || !waits {
                self.candidates[kept] = place;
                kept += 1;
            }
        }
        self.candidates.truncate(kept);
    }

    /// Whether an elder is not placed yet.
    fn has_elder(&self, place: usize) -> bool {
        let elder = self.elders[place];
        elder != NONE && {
            let call = self.call_of[elder];
            self.entries[self.entries[call].before].after == call
        }
    }

    /// Whether what must come can still come after this operation, which has just been done.
    fn leaves_room(&mut self, place: usize) -> bool {
        let Some(demands) = &mut self.demands else {
            return true;
        };
        demands.take(place);
        let what = &self.history.operations[self.group[place]].what;
        let met = demands.are_met(what, &self.state);
        demands.put_back(place);
        met
    }

    fn remember(&mut self, at: usize) {
        if at < self.furthest {
            return;
        }
        let operation = self.group[self.entries[at].place];
        if self.furthest < at || self.contradiction.operation != operation {
            self.furthest = at;
            self.contradiction = Contradiction {
                operation,
                found: Vec::new(),
                highest: Vec::new(),
            };
        }
        let what = &self.history.operations[operation].what;
        let mut keys = self.kin.named(what);
        let touched = &self.touched[self.entries[at].place];
        let held = |key: &&usize| self.state.cell(**key).is_some();
        let others = touched
            .iter()
            .filter(held)
            .filter(|key| !keys.contains(key));
        let others: Vec<usize> = others.take(LISTED).copied().collect();
        keys.extend(others);
        let mut listed = BTreeSet::new();
        keys.retain(|key| listed.insert(*key));
        let cells: Vec<_> = keys
            .iter()
            .map(|key| (*key, self.state.cell(*key)))
            .collect();
        let found = &mut self.contradiction.found;
        if found.len() < FOUND && !cells.is_empty() && !found.contains(&cells) {
            found.push(cells);
        }
        let counts = |step: &&Step| matches!(step, Step::Next { .. });
        let counted = what.steps().iter().filter(counts).map(Step::key);
        self.contradiction.highest = counted.map(|key| (key, self.state.counter(key))).collect();
    }

    fn lift(&mut self, place: usize) {
        if let Some(demands) = &mut self.demands {
            demands.take(place);
        }
        for at in [self.call_of[place], self.return_of[place]] {
            if at != NONE {
                let Entry { before, after, .. } = self.entries[at];
                self.entries[before].after = after;
                self.entries[after].before = before;
            }
        }
        self.missing -= usize::from(self.return_of[place] != NONE);
    }

    fn take_back(&mut self, undo: usize) {
        let Some(place) = self.placed.pop() else {
            return;
        };
        if let Some(demands) = &mut self.demands {
            demands.put_back(place);
        }
        for at in [self.return_of[place], self.call_of[place]] {
            if at != NONE {
                let Entry { before, after, .. } = self.entries[at];
                self.entries[before].after = at;
                self.entries[after].before = at;
            }
        }
        self.missing += usize::from(self.return_of[place] != NONE);
        self.state.toggle(place);
        self.state.take_back(undo);
    }
}

/// Whether both do the same, but for the values that they write.
pub(super) fn are_alike(one: &[Step], other: &[Step]) -> bool {
    let pairs = || one.iter().zip(other);
    one.len() == other.len()
        && pairs().all(|(one, other)| match (*one, *other) {
            (
                Step::Create { key, mortal, .. },
                Step::Create {
                    key: same,
                    mortal: ends,
                    ..
                },
            ) => (key, mortal) == (same, ends),
            (
                Step::Set {
                    key, version, then, ..
                },
                Step::Set {
                    key: same,
                    version: wanted,
                    then: told,
                    ..
                },
            ) => (key, version, then) == (same, wanted, told),
            (one, other) => one == other,
        })
}

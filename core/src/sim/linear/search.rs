//! The search itself, over the operations of one group: it places one after the other and takes them out
//! again. It ends with the first order, or goes on until it has seen every way in which things may stand
//! after all of them.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec;
use alloc::vec::Vec;

use super::demands::Demands;
use super::{
    Cell, Contradiction, FOUND, History, Reason, Start, Step, Verdict, What, get, places, put,
};
use crate::sim::hash::mix;

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
    start: &'a Start,
    group: &'a [usize],
    dues: Vec<u64>,
    /// Of each operation: its keys and parents, as bits that others may share.
    masks: Vec<u64>,
    /// Of one of unknown outcome: the last one before it that differs by nothing that anybody read.
    elders: Vec<usize>,
    /// What it turns back for.
    demands: Option<Demands>,
    /// The head of the list is the last one.
    entries: Vec<Entry>,
    call_of: Vec<usize>,
    return_of: Vec<usize>,
    state: State,
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
        history: &'a History,
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
        let all = || group.iter().map(|number| &history.operations[*number].what);
        let mask = |what: &What| {
            let bit =
                |(is_parent, key): &(bool, usize)| 1 << ((2 * key + usize::from(*is_parent)) % 64);
            places(what)
                .iter()
                .map(bit)
                .fold(0, |mask, bit: u64| mask | bit)
        };
        let mut search = Self {
            missing: dues.iter().filter(|due| **due != u64::MAX).count(),
            history,
            start,
            group,
            dues,
            masks: all().map(mask).collect(),
            elders: vec![NONE; group.len()],
            demands,
            entries,
            call_of,
            return_of,
            state: State::new(history, start, group),
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
            let undo = self.state.undo.len();
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
            let what = &self.history.operations[*number].what;
            for (is_parent, key) in places(what) {
                match is_parent {
                    true => put(&mut way.counters, key, self.state.counter(key)),
                    false => put(&mut way.cells, key, self.state.cell(key)),
                }
            }
            if matches!(what, What::Unknown(_)) && self.placed.contains(&place) {
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
        let is_new = self.seen.insert(self.state.fingerprint);
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
        let places = places(&self.history.operations[operation].what);
        let (keys, parents): (Vec<_>, Vec<_>) = places.iter().partition(|(parent, _)| !parent);
        let cells: Vec<_> = keys
            .iter()
            .map(|(_, key)| (*key, self.state.cell(*key)))
            .collect();
        let found = &mut self.contradiction.found;
        if found.len() < FOUND && !cells.is_empty() && !found.contains(&cells) {
            found.push(cells);
        }
        let highest = |(_, parent): &(bool, usize)| (*parent, self.state.counter(*parent));
        self.contradiction.highest = parents.iter().map(highest).collect();
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
            (Step::Create { key, .. }, Step::Create { key: same, .. }) => key == same,
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

/// Cells and counters, with what is needed to put back what was before.
pub(super) struct State {
    cells: BTreeMap<usize, Cell>,
    counters: BTreeMap<usize, u64>,
    undo: Vec<Undo>,
    /// Of the cells, the counters and the placed operations: 128 bits, each part added or taken out alone.
    fingerprint: (u64, u64),
}

enum Undo {
    Cell(usize, Option<Cell>),
    Counter(usize, Option<u64>),
}

impl State {
    fn new(history: &History, start: &Start, group: &[usize]) -> Self {
        let mut state = Self {
            cells: BTreeMap::new(),
            counters: BTreeMap::new(),
            undo: Vec::new(),
            fingerprint: (0, 0),
        };
        for (is_parent, key) in group
            .iter()
            .flat_map(|n| places(&history.operations[*n].what))
        {
            if is_parent && let Some(number) = get(&start.counters, key) {
                state.counters.insert(key, number);
            } else if !is_parent && let Some(cell) = get(&start.cells, key) {
                state.cells.insert(key, cell);
            }
        }
        state
    }

    pub(super) fn cell(&self, key: usize) -> Option<Cell> {
        self.cells.get(&key).copied()
    }

    fn counter(&self, parent: usize) -> Option<u64> {
        self.counters.get(&parent).copied()
    }

    /// Does the operation here if it can have had its outcome here. If not, what it has done up to then
    /// is the caller's to take back.
    fn place(&mut self, what: &What) -> bool {
        match what {
            What::Read { key, seen } => self.cell(*key) == *seen,
            What::Done(steps) | What::Unknown(steps) => {
                steps.iter().all(|step| self.step(step) == Ok(true))
            }
            What::Refused { steps, at, why } => {
                let undo = self.undo.len();
                let first = steps
                    .iter()
                    .enumerate()
                    .find_map(|(number, step)| Some((number, self.step(step).err()?)));
                self.take_back(undo);
                first == Some((*at, *why))
            }
        }
    }

    /// `Ok(false)` if it can be done, but not with this answer.
    fn step(&mut self, step: &Step) -> Result<bool, Reason> {
        match *step {
            Step::Check { key, version } => {
                self.expect(key, version)?;
            }
            Step::Create { key, value } => {
                if self.cells.contains_key(&key) {
                    return Err(Reason::There);
                }
                self.put(key, Some(Cell { value, version: 0 }));
            }
            Step::Set {
                key,
                value,
                version,
                then,
            } => {
                let version = self.expect(key, version)?.version + 1;
                self.put(key, Some(Cell { value, version }));
                return Ok(then.is_none_or(|then| then == version));
            }
            Step::Delete { key, version } => {
                self.expect(key, version)?;
                self.put(key, None);
            }
            // Whatever number an unknown one got, there may have been one between its neighbours'.
            Step::Next { number: None, .. } => {}
            Step::Next {
                parent,
                number: Some(number),
            } => {
                let before = self.counter(parent);
                if before.is_some_and(|before| number <= before) {
                    return Ok(false);
                }
                self.undo.push(Undo::Counter(parent, before));
                self.count(parent, Some(number));
            }
        }
        Ok(true)
    }

    fn expect(&self, key: usize, version: Option<u64>) -> Result<Cell, Reason> {
        let cell = self.cell(key).ok_or(Reason::Absent)?;
        match version {
            Some(version) if version != cell.version => Err(Reason::Version),
            _ => Ok(cell),
        }
    }

    fn put(&mut self, key: usize, cell: Option<Cell>) {
        self.undo.push(Undo::Cell(key, self.cell(key)));
        self.hold(key, cell);
    }

    fn hold(&mut self, key: usize, cell: Option<Cell>) {
        let part = |cell: Cell| [1, key as u64, cell.value, cell.version];
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
    fn toggle(&mut self, place: usize) {
        self.mix_in([3, place as u64, 0, 0]);
    }

    /// Adds a part, or takes it out.
    fn mix_in(&mut self, part: [u64; 4]) {
        let of = |seed| part.iter().fold(seed, |hash, word| mix(hash, *word));
        self.fingerprint.0 ^= of(0x6f74_7465_726b_6565);
        self.fingerprint.1 ^= of(0x6c69_6e65_6172_697a);
    }

    fn take_back(&mut self, undo: usize) {
        while undo < self.undo.len() {
            match self.undo.pop() {
                Some(Undo::Cell(key, cell)) => self.hold(key, cell),
                Some(Undo::Counter(parent, number)) => self.count(parent, number),
                None => return,
            }
        }
    }
}

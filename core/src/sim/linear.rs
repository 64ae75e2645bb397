//! Is there one order of all operations that explains every answer, in which each lies between its call
//! and its return? (Herlihy and Wing: linearizability.) It knows registers with versions, transactions and
//! sequential numbers, and nothing of servers, zxids or Raft.
//!
//! The search is Wing and Gong's with Lowe's memory: it places one operation after the other and never
//! looks twice at the same set of placed operations with the same state, nor where an answer shows that what
//! is left cannot come any more (`demands`). Operations on keys that no transaction joins are searched
//! apart, which is sound because linearizability is local.
//!
//! ```
//! use otterkeeper_core::sim::linear::{BUDGET, Cell, History, Operation, Step, Verdict, What};
//!
//! let set = Step::Set { key: 0, value: 7, version: None, then: Some(1) };
//! let history = History {
//!     cells: vec![Some(Cell { value: 5, version: 0 })],
//!     operations: vec![
//!         Operation { called: 10, returned: 20, what: What::Done(vec![set]) },
//!         // Asked after the set had returned, and shows what was before it.
//!         Operation {
//!             called: 30,
//!             returned: 40,
//!             what: What::Read { key: 0, seen: Some(Cell { value: 5, version: 0 }) },
//!         },
//!     ],
//! };
//! let Verdict::Broken(why) = history.check(BUDGET) else { panic!() };
//! assert_eq!(why.operation, 1);
//! ```

mod behind;
mod calls;
mod demands;
#[cfg(test)]
mod tests;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec;
use alloc::vec::Vec;

pub use self::behind::{Behind, behind};
pub use self::calls::{Recorded, of_calls};

use self::demands::Demands;
use super::hash::mix;

/// Placements that may be tried before a check ends undecided. A history of the swarm needs about one for
/// each operation.
pub const BUDGET: u64 = 200_000;
/// States that a contradiction lists.
const FOUND: usize = 8;

/// What a key holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Cell {
    /// A number for the value; equal values have equal numbers.
    pub value: u64,
    /// 0 when it was made, and one more with each set.
    pub version: u64,
}

/// Part of a transaction. A single write is a transaction of one step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Fails unless the key holds something, in this version if one is given.
    Check {
        /// Which key.
        key: usize,
        /// The version.
        version: Option<u64>,
    },
    /// Fails if the key holds something.
    Create {
        /// Which key.
        key: usize,
        /// What it holds then.
        value: u64,
    },
    /// Fails as `Check` does.
    Set {
        /// Which key.
        key: usize,
        /// What it holds then.
        value: u64,
        /// The version that it must have had.
        version: Option<u64>,
        /// The version that the answer tells; not known of a set that failed.
        then: Option<u64>,
    },
    /// Fails as `Check` does.
    Delete {
        /// Which key.
        key: usize,
        /// The version.
        version: Option<u64>,
    },
    /// A sequential create: its number is above all that were given under this parent before.
    Next {
        /// The parent, counted like a key, but apart from them.
        parent: usize,
        /// The number that the answer tells.
        number: Option<u64>,
    },
}

/// Why a step fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// The key holds nothing.
    Absent,
    /// The key holds something already.
    There,
    /// Another version.
    Version,
}

/// What was asked, and what came of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum What {
    /// A read, and what it showed.
    Read {
        /// Which key.
        key: usize,
        /// What it held; `None` for nothing.
        seen: Option<Cell>,
    },
    /// All of these steps were done at one moment.
    Done(Vec<Step>),
    /// Nothing was done, because step `at` failed and none before it.
    Refused {
        /// What was asked.
        steps: Vec<Step>,
        /// Which step failed.
        at: usize,
        /// Why.
        why: Reason,
    },
    /// Nobody learned what became of it: it was done at some moment after its call, or never.
    Unknown(Vec<Step>),
}

impl What {
    fn steps(&self) -> &[Step] {
        match self {
            Self::Read { .. } => &[],
            Self::Done(steps) | Self::Unknown(steps) | Self::Refused { steps, .. } => steps,
        }
    }
}

/// One operation. Moments are any numbers that grow with time; equal ones count as overlapping.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Operation {
    /// When it was asked.
    pub called: u64,
    /// When its answer came. Of no meaning for `What::Unknown`.
    pub returned: u64,
    /// What it was.
    pub what: What,
}

/// What is to be judged.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct History {
    /// What the keys hold at first, by number; keys beyond hold nothing.
    pub cells: Vec<Option<Cell>>,
    /// In any order.
    pub operations: Vec<Operation>,
}

/// The judgement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// This order explains everything: numbers of operations, without those that were never done.
    Linearizable(Vec<usize>),
    /// No order does.
    Broken(Contradiction),
    /// The budget was spent before either was known.
    Undecided,
}

/// Up to the return of one operation there is an order, and none that places it too.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Contradiction {
    /// The operation that cannot be placed.
    pub operation: usize,
    /// What its keys could hold while it was under way, in each order of those before it. At most 8.
    pub found: Vec<Vec<(usize, Option<Cell>)>>,
    /// The highest number given so far under its parents, in the last of those orders.
    pub highest: Vec<(usize, Option<u64>)>,
}

impl History {
    /// Searches for an order, with at most `budget` placements.
    #[must_use]
    pub fn check(&self, mut budget: u64) -> Verdict {
        let mut order = Vec::with_capacity(self.operations.len());
        for group in self.groups() {
            let demands = Demands::new(self, &group);
            match Search::new(self, group.clone(), Some(demands)).run(&mut budget) {
                Verdict::Linearizable(placed) => self.date(&placed, &mut order),
                // A search that turns back early does not see how far one comes.
                Verdict::Broken(early) => {
                    return match Search::new(self, group, None).run(&mut budget) {
                        Verdict::Broken(late) => Verdict::Broken(late),
                        _ => Verdict::Broken(early),
                    };
                }
                Verdict::Undecided => return Verdict::Undecided,
            }
        }
        // An operation lies at the latest call of those up to it, which is before its return; so the
        // orders of all groups together are one order.
        order.sort_by_key(|(moment, _)| *moment);
        Verdict::Linearizable(order.into_iter().map(|(_, operation)| operation).collect())
    }

    fn date(&self, placed: &[usize], order: &mut Vec<(u64, usize)>) {
        let mut moment = 0;
        for operation in placed {
            moment = moment.max(self.operations[*operation].called);
            order.push((moment, *operation));
        }
    }

    /// Operations that share keys or parents, directly or through others.
    fn groups(&self) -> Vec<Vec<usize>> {
        let mut owner: BTreeMap<(bool, usize), usize> = BTreeMap::new();
        let mut root: Vec<usize> = (0..self.operations.len()).collect();
        for (number, operation) in self.operations.iter().enumerate() {
            for place in places(&operation.what) {
                let first = *owner.entry(place).or_insert(number);
                let (a, b) = (find(&mut root, first), find(&mut root, number));
                root[a.max(b)] = a.min(b);
            }
        }
        let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for number in 0..self.operations.len() {
            let group = find(&mut root, number);
            groups.entry(group).or_default().push(number);
        }
        groups.into_values().collect()
    }

    /// By when an operation of unknown outcome must have been done: somebody read what only it wrote.
    fn dues(&self, group: &[usize]) -> Vec<u64> {
        let mut writers: BTreeMap<(usize, u64), (usize, u32)> = BTreeMap::new();
        for (place, number) in group.iter().enumerate() {
            for step in self.operations[*number].what.steps() {
                if let Step::Create { key, value } | Step::Set { key, value, .. } = *step {
                    let writer = writers.entry((key, value)).or_insert((place, 0));
                    writer.1 += u32::from(writer.1 == 0 || writer.0 != place);
                }
            }
        }
        let mut dues: Vec<u64> = (group.iter())
            .map(|number| match self.operations[*number].what {
                What::Unknown(_) => u64::MAX,
                _ => self.operations[*number].returned,
            })
            .collect();
        for number in group {
            let operation = &self.operations[*number];
            if let What::Read {
                key,
                seen: Some(cell),
            } = operation.what
                && self
                    .cells
                    .get(key)
                    .copied()
                    .flatten()
                    .map(|cell| cell.value)
                    != Some(cell.value)
                && let Some((writer, 1)) = writers.get(&(key, cell.value))
            {
                dues[*writer] = dues[*writer].min(operation.returned);
            }
        }
        dues
    }
}

/// Keys and parents of an operation; true for a parent.
fn places(what: &What) -> Vec<(bool, usize)> {
    if let What::Read { key, .. } = what {
        return vec![(false, *key)];
    }
    let place = |step: &Step| match *step {
        Step::Check { key, .. }
        | Step::Create { key, .. }
        | Step::Set { key, .. }
        | Step::Delete { key, .. } => (false, key),
        Step::Next { parent, .. } => (true, parent),
    };
    what.steps().iter().map(place).collect()
}

fn find(root: &mut [usize], mut number: usize) -> usize {
    while root[number] != number {
        root[number] = root[root[number]];
        number = root[number];
    }
    number
}

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

struct Search<'a> {
    history: &'a History,
    group: Vec<usize>,
    dues: Vec<u64>,
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

impl<'a> Search<'a> {
    fn new(history: &'a History, group: Vec<usize>, demands: Option<Demands>) -> Self {
        let dues = history.dues(&group);
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
        let state = State::new(history, &group);
        Self {
            missing: dues.iter().filter(|due| **due != u64::MAX).count(),
            history,
            dues,
            demands,
            entries,
            call_of,
            return_of,
            state,
            placed: Vec::new(),
            candidates: Vec::new(),
            seen: BTreeSet::new(),
            furthest: 0,
            contradiction: Contradiction {
                operation: group.first().copied().unwrap_or_default(),
                found: Vec::new(),
                highest: Vec::new(),
            },
            group,
        }
    }

    fn run(mut self, budget: &mut u64) -> Verdict {
        let mut frames = vec![self.frame(0)];
        while 0 < self.missing {
            let Some(frame) = frames.last_mut() else {
                return Verdict::Broken(self.contradiction);
            };
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
                return Verdict::Undecided;
            }
            *budget -= 1;
            let undo = self.state.undo.len();
            if !self
                .state
                .place(&self.history.operations[self.group[place]].what)
            {
                self.state.take_back(undo);
                continue;
            }
            if !self.leaves_room(place) {
                self.state.take_back(undo);
                continue;
            }
            self.state.toggle(place);
            if !self.seen.insert(self.state.fingerprint) {
                self.state.toggle(place);
                self.state.take_back(undo);
                continue;
            }
            self.lift(place);
            self.placed.push(place);
            let frame = self.frame(undo);
            frames.push(frame);
        }
        let order = self.placed.iter().map(|place| self.group[*place]).collect();
        Verdict::Linearizable(order)
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

/// Cells and counters, with what is needed to put back what was before.
struct State {
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
    fn new(history: &History, group: &[usize]) -> Self {
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
            if let Some(Some(cell)) = history.cells.get(key)
                && !is_parent
            {
                state.cells.insert(key, *cell);
            }
        }
        state
    }

    fn cell(&self, key: usize) -> Option<Cell> {
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

//! Is there one order of all operations that explains every answer, in which each lies between its call
//! and its return? (Herlihy and Wing: linearizability.) It knows a tree of registers with versions, some of
//! which may end by themselves, transactions and sequential numbers, and nothing of servers, sessions, zxids
//! or Raft.
//!
//! The search is Wing and Gong's with Lowe's memory: it places one operation after the other and never
//! looks twice at the same set of placed operations with the same state, nor where an answer shows that what
//! is left cannot come any more (`demands`).
//!
//! Linearizability is local: objects that have nothing to do with each other are searched apart. A key is an
//! object of its own only as long as its parent and its children stand still, because a create needs its parent
//! and a delete needs that there are no children. So an operation touches more than its own key (`kin`), and
//! those that touch the same key, which may change, are one group; so are those that a transaction joins.
//! The root is always there, so that whole trees below it never meet otherwise. What stands still joins nobody:
//! it is the same in every order.
//!
//! ```
//! use otterkeeper_core::sim::linear::{BUDGET, Cell, History, Operation, Step, Verdict, What};
//!
//! let before = Cell { value: 5, version: 0, mortal: false };
//! let set = Step::Set { key: 0, value: 7, version: None, then: Some(1) };
//! let history = History {
//!     cells: vec![Some(before)],
//!     parents: vec![None],
//!     operations: vec![
//!         Operation { called: 10, returned: 20, what: What::Done(vec![set]) },
//!         // Asked after the set had returned, and shows what was before it.
//!         Operation {
//!             called: 30,
//!             returned: 40,
//!             what: What::Read { key: 0, seen: Some(before) },
//!         },
//!     ],
//! };
//! let Verdict::Broken(why) = history.check(BUDGET) else { panic!() };
//! assert_eq!(why.operation, 1);
//! ```

mod behind;
mod calls;
mod demands;
mod hidden;
mod kin;
mod misfit;
mod search;
mod state;
#[cfg(test)]
mod tests;
mod windows;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec;
use alloc::vec::Vec;

pub use self::behind::Behind;
pub(super) use self::behind::behind;
pub use self::misfit::{Met, Misfit};
pub use self::windows::Judgement;
pub(super) use self::windows::{Asked, Judge};

use self::demands::Demands;
use self::kin::Kin;
use self::search::{Found, Search};

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
    /// Whether it may end by itself, at any moment at which nothing is below it that stays.
    pub mortal: bool,
}

impl Cell {
    /// Whether an answer that shows this can have seen it. No answer shows whether it may end.
    const fn shows(self, seen: Self) -> bool {
        self.value == seen.value && self.version == seen.version
    }

    /// The same if nobody knows whether it may end.
    const fn unsure(self) -> Self {
        let mortal = true;
        Self { mortal, ..self }
    }
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
    /// Fails if the key's parent holds nothing, or if the key holds something. Numbers under it begin anew.
    Create {
        /// Which key.
        key: usize,
        /// What it holds then.
        value: u64,
        /// Whether that may end by itself.
        mortal: bool,
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
    /// Fails as `Check` does, and then if a key below it holds something.
    Delete {
        /// Which key.
        key: usize,
        /// The version.
        version: Option<u64>,
    },
    /// The number of a sequential create, above all that were given under this parent since it was made. Fails
    /// if the parent holds nothing.
    Next {
        /// The parent's key.
        parent: usize,
        /// The number that the answer tells.
        number: Option<u64>,
    },
}

impl Step {
    const fn key(&self) -> usize {
        match *self {
            Self::Check { key, .. }
            | Self::Create { key, .. }
            | Self::Set { key, .. }
            | Self::Delete { key, .. }
            | Self::Next { parent: key, .. } => key,
        }
    }

    /// The same without what the answer tells.
    const fn untold(mut self) -> Self {
        if let Self::Set { then: told, .. } | Self::Next { number: told, .. } = &mut self {
            *told = None;
        }
        self
    }

    /// What it makes a key hold.
    const fn writes(&self) -> Option<(usize, u64)> {
        match *self {
            Self::Create { key, value, .. } | Self::Set { key, value, .. } => Some((key, value)),
            _ => None,
        }
    }
}

/// Why a step fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// The key holds nothing, or the parent of what is to be made.
    Absent,
    /// The key holds something already.
    There,
    /// Another version.
    Version,
    /// Something is below it.
    Children,
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
    /// A read that did not show the value.
    Look {
        /// Which key.
        key: usize,
        /// In which version it was; `None` for nothing.
        version: Option<u64>,
        /// Which of the keys below it held something, in order, if it showed that.
        children: Option<Vec<usize>>,
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
            Self::Read { .. } | Self::Look { .. } => &[],
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
    /// The parents of the keys, by number; without one, and beyond, they lie below the root.
    pub parents: Vec<Option<usize>>,
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
    /// The highest number given so far under the parents of its sequential creates, in the last of those orders.
    pub highest: Vec<(usize, Option<u64>)>,
}

/// How things stand at a moment, as far as is known.
#[derive(Clone, PartialEq, Eq, Default)]
struct Start {
    /// What the keys hold, by number.
    cells: Vec<Option<Cell>>,
    /// The highest numbers given under the keys.
    counters: Vec<Option<u64>>,
    /// Keys of which nobody knows what they hold.
    vague: BTreeSet<usize>,
    /// Operations of unknown outcome that have been done.
    gone: Vec<usize>,
}

/// What may come of a history.
struct Outcomes {
    /// The ways in which things may stand after it: all of them, if there was room for more than one.
    all: Vec<Start>,
    /// One order that leads to the first.
    order: Vec<usize>,
}

/// Why there are none.
enum Failure {
    /// No order explains it.
    Broken(Contradiction),
    /// Of these operations nobody knows: the budget was spent, or there are too many ways.
    Hard(Vec<usize>),
}

impl History {
    /// Searches for an order, with at most `budget` placements.
    #[must_use]
    pub fn check(&self, mut budget: u64) -> Verdict {
        let start = Start {
            cells: self.cells.clone(),
            ..Start::default()
        };
        match self.outcomes(start, 1, &mut budget) {
            Ok(outcomes) => Verdict::Linearizable(outcomes.order),
            Err(Failure::Broken(why)) => Verdict::Broken(why),
            Err(Failure::Hard(_)) => Verdict::Undecided,
        }
    }

    /// The ways in which things may stand after all operations, if there are any: the first, or all if `most`
    /// is above 1.
    fn outcomes(&self, start: Start, most: usize, budget: &mut u64) -> Result<Outcomes, Failure> {
        let kin = Kin::new(self);
        let groups = self.groups(&start, &kin);
        let mut order = Vec::with_capacity(self.operations.len());
        let mut all = vec![start];
        // Operations of those groups that end in several ways.
        let mut forked = Vec::new();
        for group in &groups {
            let mut next = Vec::new();
            let mut forks = false;
            for start in &all {
                let room = most - next.len();
                // One that is hard leaves something to the others.
                let left = *budget / 8;
                let mut share = *budget - left;
                let found = match room {
                    0 => Err(Verdict::Undecided),
                    room => self.search(&kin, start, group, room, &mut share),
                };
                *budget = left + share;
                let found = match found {
                    Err(Verdict::Broken(why)) => return Err(Failure::Broken(why)),
                    Ok(found) if found.complete || most == 1 => found,
                    // There are too many ways, of all those together.
                    Ok(_) => {
                        forked.extend(group);
                        return Err(Failure::Hard(forked));
                    }
                    Err(_) if room == 0 => {
                        forked.extend(group);
                        return Err(Failure::Hard(forked));
                    }
                    Err(_) => return Err(Failure::Hard(group.clone())),
                };
                forks |= 1 < found.ways.len();
                for (way, placed) in found.ways {
                    if next.is_empty() {
                        self.date(&placed, &mut order);
                    }
                    next.push(way);
                }
            }
            if forks {
                forked.extend(group);
            }
            all = next;
        }
        // An operation lies at the latest call of those up to it, which is before its return; so the
        // orders of all groups together are one order.
        order.sort_by_key(|(moment, _)| *moment);
        Ok(Outcomes {
            all,
            order: order.into_iter().map(|(_, operation)| operation).collect(),
        })
    }

    fn search(
        &self,
        kin: &Kin,
        start: &Start,
        group: &[usize],
        most: usize,
        budget: &mut u64,
    ) -> Result<Found, Verdict> {
        let demands = Demands::new(self, start, group);
        let found = Search::new((self, kin), start, group, Some(demands)).run(budget, most);
        match found {
            // A search that turns back early does not see how far one comes.
            Err(Verdict::Broken(early)) => {
                match Search::new((self, kin), start, group, None).run(budget, 1) {
                    Err(Verdict::Broken(late)) => Err(Verdict::Broken(late)),
                    _ => Err(Verdict::Broken(early)),
                }
            }
            found => found,
        }
    }

    fn date(&self, placed: &[usize], order: &mut Vec<(u64, usize)>) {
        let mut moment = 0;
        for operation in placed {
            moment = moment.max(self.operations[*operation].called);
            order.push((moment, *operation));
        }
    }

    /// Operations that touch a key which may change, directly or through others, without those that are gone
    /// and without groups that say nothing.
    fn groups(&self, start: &Start, kin: &Kin) -> Vec<Vec<usize>> {
        let moving = Kin::moving(self, start);
        let mut owner: BTreeMap<usize, usize> = BTreeMap::new();
        let mut root: Vec<usize> = (0..self.operations.len()).collect();
        for (number, operation) in self.operations.iter().enumerate() {
            for key in kin.touched(&operation.what) {
                if moving.contains(&key) {
                    let first = *owner.entry(key).or_insert(number);
                    let (a, b) = (find(&mut root, first), find(&mut root, number));
                    root[a.max(b)] = a.min(b);
                }
            }
        }
        let gone = &start.gone;
        let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for number in 0..self.operations.len() {
            if !gone.contains(&number) {
                let group = find(&mut root, number);
                groups.entry(group).or_default().push(number);
            }
        }
        let says = |number: &usize| !matches!(self.operations[*number].what, What::Unknown(_));
        groups
            .into_values()
            .filter(|group| group.iter().any(says))
            .collect()
    }

    /// By when an operation of unknown outcome must have been done: somebody read what only it wrote.
    fn dues(&self, start: &Start, group: &[usize]) -> Vec<u64> {
        let mut writers: BTreeMap<(usize, u64), (usize, u32)> = BTreeMap::new();
        for (place, number) in group.iter().enumerate() {
            for step in self.operations[*number].what.steps() {
                if let Some(wrote) = step.writes() {
                    let writer = writers.entry(wrote).or_insert((place, 0));
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
                && !start.vague.contains(&key)
                && get(&start.cells, key).map(|cell| cell.value) != Some(cell.value)
                && let Some((writer, 1)) = writers.get(&(key, cell.value))
            {
                dues[*writer] = dues[*writer].min(operation.returned);
            }
        }
        dues
    }

    /// Which values of which keys were read.
    fn shown(&self, group: &[usize]) -> Vec<(usize, u64)> {
        let shown = group
            .iter()
            .filter_map(|number| match self.operations[*number].what {
                What::Read {
                    key,
                    seen: Some(cell),
                } => Some((key, cell.value)),
                _ => None,
            });
        shown.collect()
    }
}

fn get<T: Copy>(all: &[Option<T>], at: usize) -> Option<T> {
    all.get(at).copied().flatten()
}

fn put<T>(all: &mut Vec<Option<T>>, at: usize, one: Option<T>) {
    while all.len() <= at {
        all.push(None);
    }
    all[at] = one;
}

fn find(root: &mut [usize], mut number: usize) -> usize {
    while root[number] != number {
        root[number] = root[root[number]];
        number = root[number];
    }
    number
}

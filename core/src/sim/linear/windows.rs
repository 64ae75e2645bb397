//! The judgement of a run that goes on. Calls are judged in windows that end at quiet moments: whatever was
//! called before such a moment has returned before it, so that of all those calls only the ways count in
//! which things may stand after them, most often one. Calls of which nobody knows the outcome go on into the
//! next window: they may still be done. A whole history is one window.
//!
//! Where the search takes too long, or the ways become too many, the trees right below the root that are
//! concerned are left out of the window, with all others that a transaction joins to them. After it nobody knows
//! how things stand there, so the next window takes nothing for known there but what its own answers show.

#[cfg(test)]
mod tests;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;

use super::calls::Recorder;
use super::hidden::{Hidden, top};
use super::search::are_alike;
use super::{BUDGET, Contradiction, Failure, Misfit, Outcomes, Start, Step, What, get};
use crate::request::Request;
use crate::sim::ClientId;
use crate::sim::event::{Call, CallEnd};
use crate::time::Time;

/// Ways in which things may stand at a quiet moment.
const WAYS: usize = 16;
/// Calls of unknown outcome that go on from window to window. Nobody looks any more at the trees of those beyond.
const CARRIED: usize = 512;
/// Znodes that are known at a quiet moment. If there are more, nobody looks any more at the tree with the most.
const KNOWN: usize = 1_024;
/// Times that a window is searched again without what was too hard, before all of it is left out.
const RETRIES: u32 = 8;

/// A call, and whose.
pub(in crate::sim) type Asked<'a> = (ClientId, &'a Call);

/// Whether one order explains all answers so far.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Judgement {
    /// One does.
    Order {
        /// Calls that have their place in it.
        calls: usize,
        /// Answers that nobody looks at: they were still to come when what lay before had to be judged for good, or
        /// the search for their place took too long, or they are about znodes whose names nobody was told.
        unchecked: usize,
        /// Trees right below the root that could not be searched since the last quiet moment.
        undecided: Vec<String>,
    },
    /// None does.
    Broken {
        /// When the answer came that fits nowhere.
        at: Time,
        /// What it is, and what it met.
        why: Misfit,
    },
    /// Nobody knows: calls are lost.
    Undecided,
}

/// How things stand at a quiet moment, in the words of the calls.
#[derive(Clone, PartialEq, Eq, Default)]
pub(super) struct Base {
    /// The znodes.
    pub(super) cells: Vec<Known>,
    /// The highest numbers given under parents.
    pub(super) counters: Vec<(Arc<str>, u64)>,
    /// Calls that go on but have been done already: in their stead could have been another that does the
    /// same, or they are done in this way alone.
    pub(super) gone: Vec<(ClientId, u64)>,
}

/// A znode at a quiet moment.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) path: Arc<str>,
    pub(super) data: Option<Bytes>,
    pub(super) version: u64,
    /// Whether it may end by itself.
    pub(super) mortal: bool,
}

/// What is known of all calls before a quiet moment.
#[derive(Clone)]
pub(in crate::sim) struct Judge {
    /// How things may stand: in no other way.
    bases: Vec<Base>,
    /// Trees of which that is not all that is there.
    vague: BTreeSet<String>,
    /// Calls that may still be done, the oldest first.
    carried: Vec<(ClientId, Arc<Call>)>,
    hidden: Hidden,
    /// Calls that have their place in the order.
    placed: usize,
    /// Answers that nobody looked at.
    unchecked: usize,
    /// The last word.
    end: Option<Judgement>,
}

impl Default for Judge {
    fn default() -> Self {
        Self {
            bases: vec![Base::default()],
            vague: BTreeSet::new(),
            carried: Vec::new(),
            hidden: Hidden::default(),
            placed: 0,
            unchecked: 0,
            end: None,
        }
    }
}

/// A window as the search sees it.
struct Window {
    recorder: Recorder,
    starts: Vec<Start>,
    /// The first operations, that have come from the window before.
    carried: usize,
}

/// Trees that are too hard to be searched now.
struct Hard(BTreeSet<String>);

/// What came of it.
struct Found {
    window: Window,
    outcomes: Result<Outcomes, Contradiction>,
    /// The trees that were left out.
    skipped: BTreeSet<String>,
}

impl Judge {
    /// The judgement, if after the last quiet moment come these calls: each client's in order.
    pub(in crate::sim) fn verdict(&self, calls: &[Asked<'_>]) -> Judgement {
        if let Some(end) = &self.end {
            return end.clone();
        }
        let Found {
            window,
            outcomes,
            skipped,
        } = self.judged(calls, (Time::NEVER, Time::NEVER), 1);
        match outcomes {
            Ok(outcomes) => Judgement::Order {
                calls: self.placed + outcomes.order.len(),
                unchecked: self.unchecked + window.recorder.left_out,
                undecided: skipped.into_iter().map(shown).collect(),
            },
            Err(why) => window.told(&why),
        }
    }

    /// The same if some of those calls are lost.
    pub(in crate::sim) fn verdict_of_some(&self) -> Judgement {
        self.end.clone().unwrap_or(Judgement::Undecided)
    }

    /// Judges for good what was called before a moment. Answers from another one on do not count.
    pub(in crate::sim) fn close(&mut self, calls: &[Asked<'_>], (cut, until): (Time, Time)) {
        if self.end.is_some() {
            return;
        }
        let Found {
            window,
            outcomes,
            skipped,
        } = self.judged(calls, (cut, until), WAYS);
        let outcomes = match outcomes {
            Ok(outcomes) => outcomes,
            Err(why) => {
                self.end = Some(window.told(&why));
                return;
            }
        };
        let recorded = &window.recorder.recorded;
        let mut kept = kept(&window, &outcomes);
        let excess = kept.len().saturating_sub(CARRIED);
        let lost: Vec<usize> = kept.drain(..excess).collect();
        self.placed += outcomes.order.len();
        self.unchecked += window.recorder.left_out;
        self.hidden = window.recorder.hidden.clone();
        for top in recorded.tops(lost) {
            self.hidden.give_up(&top);
        }
        let new = &recorded.calls[window.carried..];
        let still_to_come = |(client, call): &&Asked<'_>| {
            let comes = match call.end {
                None => until < Time::NEVER,
                Some(CallEnd::Returned { time, .. }) => until <= time,
                Some(CallEnd::Unknown { .. }) => false,
            };
            comes && new.contains(&(*client, call.tag))
        };
        self.unchecked += calls.iter().filter(still_to_come).count();
        self.bases.clear();
        for way in &outcomes.all {
            let base = recorded.base(way, &kept, &skipped);
            if !self.bases.contains(&base) {
                self.bases.push(base);
            }
        }
        self.vague.extend(skipped);
        // They lie in the order of the calls.
        let mut kept = kept.iter().map(|number| recorded.calls[*number]).peekable();
        let mut goes_on = |client, call: &Call| kept.next_if_eq(&(client, call.tag)).is_some();
        self.carried.retain(|(client, call)| goes_on(*client, call));
        for (client, call) in calls {
            if goes_on(*client, call) {
                let mut call = (*call).clone();
                call.end = None;
                self.carried.push((*client, Arc::new(call)));
            }
        }
        self.forget();
    }

    /// Gives trees up of which there is too much to remember.
    fn forget(&mut self) {
        while let Some(most) = self.bases.iter().find_map(Base::excess) {
            self.hidden.give_up(&most);
            for base in &mut self.bases {
                base.cells.retain(|known| top(&known.path) != most);
                base.counters.retain(|(path, _)| top(path) != most);
            }
        }
        if !self.hidden.fits() || KNOWN < self.vague.len() {
            self.lose();
        }
    }

    /// Calls are lost that were not judged.
    pub(in crate::sim) fn lose(&mut self) {
        self.end.get_or_insert(Judgement::Undecided);
    }

    /// The last moment up to now at which none of these calls is under way. If it must be after a certain
    /// moment, some may be, as few as possible. Those count as never answered: with it comes the moment from
    /// which on no answer counts.
    pub(in crate::sim) fn quiet(
        &self,
        calls: &[Asked<'_>],
        now: Time,
        must: Time,
    ) -> Option<(Time, Time)> {
        // What may only be hidden for now counts.
        let mut recorder = Recorder::new(&self.hidden, &self.vague, &BTreeSet::new());
        let mut moments: Vec<(u64, bool, usize)> = Vec::new();
        for (at, (client, call)) in calls.iter().enumerate() {
            let before = neighbour(calls, *client, at.wrapping_sub(1));
            let is_last = neighbour(calls, *client, at + 1).is_none();
            if let Some(from) = recorder.counts(call, before, is_last) {
                moments.push((from.0, false, at));
                if let Some(CallEnd::Returned { time, .. }) = call.end
                    && time < now
                    && !matches!(call.request, Request::Sync { .. })
                {
                    moments.push((time.0, true, at));
                }
            }
        }
        // Calls before returns of the same moment.
        moments.sort_unstable();
        moments.push((now.0, false, 0));
        let (mut open, mut least, mut last) = (0_usize, usize::MAX, 0);
        let mut quiet = None;
        for (moment, is_return, _) in moments {
            if last < moment && (open == 0 || must.0 <= moment && open <= least) {
                if must.0 <= moment {
                    least = open;
                }
                let cut = Time(moment);
                quiet = Some((cut, if open == 0 { Time::NEVER } else { cut }));
            }
            last = moment;
            match is_return {
                true => open -= 1,
                false => open += 1,
            }
        }
        quiet
    }

    /// Judges a window, without what is too hard.
    fn judged(&self, calls: &[Asked<'_>], ends: (Time, Time), most: usize) -> Found {
        let mut skipped = BTreeSet::new();
        let mut budget = BUDGET;
        let mut tries = 0;
        loop {
            let window = self.window(calls, ends, &skipped);
            let outcomes = match self.search(&window, most, &mut budget) {
                Err(Hard(tops)) => {
                    tries += 1;
                    skipped.extend(tops);
                    if RETRIES < tries {
                        let recorded = &window.recorder.recorded;
                        skipped.extend(recorded.tops(0..recorded.calls.len()));
                    }
                    continue;
                }
                Ok(outcomes) => outcomes,
            };
            return Found {
                window,
                outcomes,
                skipped,
            };
        }
    }

    fn window(
        &self,
        calls: &[Asked<'_>],
        (cut, until): (Time, Time),
        skipped: &BTreeSet<String>,
    ) -> Window {
        let mut recorder = Recorder::new(&self.hidden, &self.vague, skipped);
        let within = || calls.iter().filter(|(_, call)| call.invoked < cut);
        within().for_each(|(_, call)| recorder.look(call, until));
        for (client, call) in &self.carried {
            recorder.take(*client, call, None, until);
        }
        let carried = recorder.recorded.calls.len();
        for (at, (client, call)) in calls.iter().enumerate() {
            if call.invoked < cut {
                let before = neighbour(calls, *client, at.wrapping_sub(1));
                recorder.take(*client, call, before, until);
            }
        }
        let mut starts = recorder.starts(&self.bases);
        let mut count = 0;
        while count < starts.len() {
            let (before, others) = starts.split_at(count);
            match before.contains(&others[0]) {
                true => drop(starts.remove(count)),
                false => count += 1,
            }
        }
        Window {
            starts,
            recorder,
            carried,
        }
    }

    /// The ways in which things may stand after a window: one, or all if `most` is above 1.
    fn search(
        &self,
        window: &Window,
        most: usize,
        budget: &mut u64,
    ) -> Result<Result<Outcomes, Contradiction>, Hard> {
        let recorded = &window.recorder.recorded;
        let history = &recorded.history;
        let mut outcomes = Outcomes {
            all: Vec::new(),
            order: Vec::new(),
        };
        let mut furthest: Option<Contradiction> = None;
        for start in &window.starts {
            match history.outcomes(start.clone(), most, budget) {
                Ok(found) => {
                    if outcomes.all.is_empty() {
                        outcomes.order = found.order;
                    }
                    for way in found.all {
                        if !outcomes.all.contains(&way) {
                            outcomes.all.push(way);
                        }
                    }
                }
                Err(Failure::Broken(why)) => {
                    let comes = |why: &Contradiction| history.operations[why.operation].returned;
                    if furthest.as_ref().is_none_or(|far| comes(far) < comes(&why)) {
                        furthest = Some(why);
                    }
                }
                Err(Failure::Hard(operations)) => return Err(Hard(recorded.tops(operations))),
            }
            if most == 1 && !outcomes.all.is_empty() {
                break;
            }
            if most < outcomes.all.len() {
                return Err(Hard(recorded.differing(&outcomes.all)));
            }
        }
        match furthest.filter(|_| outcomes.all.is_empty()) {
            Some(why) if self.is_in_doubt(window) => Err(Hard(recorded.tops([why.operation]))),
            Some(why) => Ok(Err(why)),
            None => Ok(Ok(outcomes)),
        }
    }

    /// Whether somebody read what a call wrote that goes on, and it may be another one than was taken for
    /// done.
    fn is_in_doubt(&self, window: &Window) -> bool {
        let history = &window.recorder.recorded.history;
        let all: Vec<usize> = (0..history.operations.len()).collect();
        let shown = history.shown(&all);
        let carried = &history.operations[..window.carried];
        let mut wrote = carried.iter().flat_map(|one| one.what.steps());
        self.bases.iter().any(|base| !base.gone.is_empty())
            && wrote.any(|step| step.writes().is_some_and(|wrote| shown.contains(&wrote)))
    }
}

impl Base {
    /// The tree with the most znodes, if all together are too many.
    fn excess(&self) -> Option<String> {
        if self.cells.len() <= KNOWN {
            return None;
        }
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for known in &self.cells {
            *counts.entry(top(&known.path)).or_default() += 1;
        }
        let most = counts.into_iter().max_by_key(|(_, count)| *count);
        most.map(|(top, _)| top.into())
    }
}

impl Window {
    fn told(&self, why: &Contradiction) -> Judgement {
        let recorded = &self.recorder.recorded;
        Judgement::Broken {
            at: Time(recorded.history.operations[why.operation].returned),
            why: recorded.tell(why),
        }
    }
}

/// Operations of unknown outcome that go on: those that are not done in every way, and those in whose stead
/// another one could have been done.
fn kept(window: &Window, outcomes: &Outcomes) -> Vec<usize> {
    let history = &window.recorder.recorded.history;
    let steps = |number: usize| history.operations[number].what.steps();
    let is_done = |number: usize| outcomes.all.iter().all(|way| way.gone.contains(&number));
    let all: Vec<usize> = (0..history.operations.len()).collect();
    let shown = history.shown(&all);
    let unknown = |number: &usize| matches!(history.operations[*number].what, What::Unknown(_));
    let unknown: Vec<usize> = all.into_iter().filter(unknown).collect();
    let is_shown = |number: usize| {
        let mut wrote = steps(number).iter().filter_map(Step::writes);
        wrote.any(|wrote| shown.contains(&wrote))
    };
    let is_held = |number: usize| {
        let mut wrote = steps(number).iter().filter_map(Step::writes);
        wrote.any(|(key, value)| {
            let mut cells = outcomes.all.iter().filter_map(|way| get(&way.cells, key));
            cells.any(|cell| cell.value == value)
        })
    };
    let has_double = |number: usize| {
        let mut others = unknown.iter().filter(|other| **other != number);
        others.any(|other| {
            let counts = !is_done(*other) || is_held(*other) || is_held(number);
            counts && are_alike(steps(number), steps(*other))
        })
    };
    let goes_on = |number: &usize| !is_done(*number) || !is_shown(*number) && has_double(*number);
    unknown.iter().copied().filter(goes_on).collect()
}

/// A tree as clients know it: the root counts numbers too.
fn shown(top: String) -> String {
    match top.is_empty() {
        true => "/".into(),
        false => top,
    }
}

/// A call beside another one of the same client.
fn neighbour<'a>(calls: &[Asked<'a>], client: ClientId, at: usize) -> Option<&'a Call> {
    let (whose, call) = calls.get(at)?;
    (*whose == client).then_some(*call)
}

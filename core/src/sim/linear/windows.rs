//! The judgement of a run that goes on. Calls are judged in windows that end at quiet moments: whatever was
//! called before such a moment has returned before it, so that of all those calls only the ways count in
//! which things may stand after them, most often one. Calls of which nobody knows the outcome go on into the
//! next window: they may still be done. A whole history is one window.

#[cfg(test)]
mod tests;

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;

use super::calls::Recorder;
use super::search::are_alike;
use super::{BUDGET, Contradiction, Outcomes, Start, Step, Verdict, What, get};
use crate::request::Request;
use crate::sim::ClientId;
use crate::sim::event::{Call, CallEnd};
use crate::time::Time;

/// Ways in which things may stand at a quiet moment. If there are more, the rest is forgotten: an order that
/// begins with one of those is still an order, but that there is none cannot be said any more.
const WAYS: usize = 16;
/// Calls of unknown outcome that go on from window to window; the same is true of those beyond.
const CARRIED: usize = 512;

/// Paths that are known not to be judged.
const OPAQUE: usize = 4_096;

/// A call, and whose.
pub(in crate::sim) type Asked<'a> = (ClientId, &'a Call);

/// Whether one order explains all answers so far.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Judgement {
    /// One does.
    Order {
        /// Calls that have their place in it.
        calls: usize,
        /// Answers that were still to come when what lay before had to be judged for good: nobody looks at them.
        unchecked: usize,
    },
    /// None does.
    Broken {
        /// When the answer came that fits nowhere.
        at: Time,
        /// What it is, and what it met.
        text: String,
    },
    /// Nobody knows: calls are lost, or the search took too long.
    Undecided,
}

/// How things stand at a quiet moment, in the words of the calls.
#[derive(Clone, PartialEq, Eq, Default)]
pub(super) struct Base {
    /// What keys hold, and in which version.
    pub(super) cells: Vec<(String, Option<Bytes>, u64)>,
    /// The highest numbers given under parents.
    pub(super) counters: Vec<(String, u64)>,
    /// Calls that go on but have been done already: in their stead could have been another that does the
    /// same, or they are done in this way alone.
    pub(super) gone: Vec<(ClientId, u64)>,
}

/// What is known of all calls before a quiet moment.
#[derive(Clone)]
pub(in crate::sim) struct Judge {
    /// How things may stand.
    bases: Vec<Base>,
    /// Whether they can stand in no other way.
    complete: bool,
    /// Calls that may still be done, the oldest first.
    carried: Vec<(ClientId, Arc<Call>)>,
    opaque: BTreeSet<String>,
    /// Calls that have their place in the order.
    placed: usize,
    /// Answers that were still to come at the end of a window.
    unchecked: usize,
    /// The last word.
    end: Option<Judgement>,
}

impl Default for Judge {
    fn default() -> Self {
        Self {
            bases: vec![Base::default()],
            complete: true,
            carried: Vec::new(),
            opaque: BTreeSet::from(["/".into()]),
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

impl Judge {
    /// The judgement, if after the last quiet moment come these calls: each client's in order.
    pub(in crate::sim) fn verdict(&self, calls: &[Asked<'_>]) -> Judgement {
        if let Some(end) = &self.end {
            return end.clone();
        }
        let window = self.window(calls, Time::NEVER, Time::NEVER);
        match self.search(&window, 1) {
            Ok(outcomes) => Judgement::Order {
                calls: self.placed + outcomes.order.len(),
                unchecked: self.unchecked,
            },
            Err(why) => window.told(why),
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
        let window = self.window(calls, cut, until);
        let outcomes = match self.search(&window, WAYS) {
            Ok(outcomes) => outcomes,
            Err(why) => {
                self.end = Some(window.told(why));
                return;
            }
        };
        let recorded = &window.recorder.recorded;
        let mut kept = kept(&window, &outcomes);
        let excess = kept.len().saturating_sub(CARRIED);
        kept.drain(..excess);
        self.complete = outcomes.complete && excess == 0;
        self.placed += outcomes.order.len();
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
        let bases = outcomes.all.iter().map(|way| recorded.base(way, &kept));
        self.bases = bases.collect();
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
        self.opaque = window.recorder.opaque;
        if OPAQUE < self.opaque.len() {
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
        let mut recorder = Recorder::new(&self.opaque, &self.bases, calls, Time::NEVER);
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

    fn window(&self, calls: &[Asked<'_>], cut: Time, until: Time) -> Window {
        let mut recorder = Recorder::new(&self.opaque, &self.bases, calls, until);
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
        let starts = self.bases.iter().map(|base| recorder.start(base));
        Window {
            starts: starts.collect(),
            recorder,
            carried,
        }
    }

    /// At most `most` ways in which things may stand after a window, and if there is none, why, if that is
    /// certain.
    fn search(&self, window: &Window, most: usize) -> Result<Outcomes, Option<Contradiction>> {
        let history = &window.recorder.recorded.history;
        let mut outcomes = Outcomes {
            all: Vec::new(),
            complete: self.complete,
            order: Vec::new(),
        };
        let mut furthest: Option<Contradiction> = None;
        let mut budget = BUDGET;
        for start in &window.starts {
            match history.outcomes(start.clone(), most, &mut budget) {
                Ok(found) => {
                    if outcomes.all.is_empty() {
                        outcomes.order = found.order;
                    }
                    outcomes.complete &= found.complete;
                    for way in found.all {
                        if !outcomes.all.contains(&way) {
                            outcomes.all.push(way);
                        }
                    }
                }
                Err(Verdict::Broken(why)) => {
                    let comes = |why: &Contradiction| history.operations[why.operation].returned;
                    if furthest.as_ref().is_none_or(|far| comes(far) < comes(&why)) {
                        furthest = Some(why);
                    }
                }
                Err(_) => outcomes.complete = false,
            }
            if most <= outcomes.all.len() {
                outcomes.complete = false;
                outcomes.all.truncate(most);
                break;
            }
        }
        match outcomes.all.is_empty() {
            true => Err(furthest.filter(|_| outcomes.complete && !self.is_in_doubt(window))),
            false => Ok(outcomes),
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

impl Window {
    fn told(&self, why: Option<Contradiction>) -> Judgement {
        let recorded = &self.recorder.recorded;
        match why {
            None => Judgement::Undecided,
            Some(why) => Judgement::Broken {
                at: Time(recorded.history.operations[why.operation].returned),
                text: recorded.tell(&why),
            },
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
            let counts = !is_done(*other) || is_held(*other);
            counts && are_alike(steps(number), steps(*other))
        })
    };
    let goes_on = |number: &usize| !is_done(*number) || !is_shown(*number) && has_double(*number);
    unknown.iter().copied().filter(goes_on).collect()
}

/// A call beside another one of the same client.
fn neighbour<'a>(calls: &[Asked<'a>], client: ClientId, at: usize) -> Option<&'a Call> {
    let (whose, call) = calls.get(at)?;
    (*whose == client).then_some(*call)
}

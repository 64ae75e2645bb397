//! Runs and moments. A run is a seed, a node count and a list of deeds; a moment is (branch, event).
//! Nothing is stored of a run but its deeds: every other moment is executed again from the nearest
//! kept clone. Acting in the past opens a branch; no branch is ever changed by that.

use std::rc::Rc;

use otterkeeper_core::scenario::Record;
use otterkeeper_core::sim::{Event, Intervention, Sim, SimConfig, What, Workload};
use otterkeeper_core::time::{Span, Time};

use super::stroke::{STROKES, Stroke, TAKEN};

/// Events between two kept clones at the end of a branch.
const GAP_EVENTS: u64 = 340;
/// Events between two kept clones in the last `RECENT`, at most: what a seek executes again, some tens of
/// milliseconds in a browser. A power of two times the gaps at the end, so that merged gaps come to just this.
const GAP_RECENT: u64 = 16 * GAP_EVENTS;
/// The same before that, a part of a second, until a branch has `OLD` such gaps.
const GAP_OLD: u64 = 16 * GAP_RECENT;
const OLD: u64 = 128;
/// How far back a seek is quick.
const RECENT: Span = Span::from_ms(600_000);
/// Events that are remembered as sentences, in one branch.
const JOURNAL: usize = 20_000;

/// Something the visitor did, and when.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Deed {
    /// Events before it.
    pub(crate) event: u64,
    /// Virtual time since the start of the run.
    pub(crate) at: Span,
    /// What.
    pub(crate) what: Intervention,
}

/// A clone of the cluster.
#[derive(Clone)]
pub(super) struct Kept {
    pub(super) event: u64,
    pub(super) at: Span,
    /// Deeds applied before it.
    pub(super) deeds: usize,
    pub(super) sim: Rc<Sim>,
}

/// Where a branch left another one: earlier ones are less.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Left {
    pub(crate) event: u64,
    pub(crate) at: Span,
    /// Deeds before it.
    pub(crate) deeds: usize,
    /// Which one it left.
    pub(crate) branch: usize,
}

/// One course of things.
#[derive(Clone)]
pub(crate) struct Branch {
    /// Where it left another one.
    pub(crate) parent: Option<Left>,
    pub(crate) deeds: Vec<Deed>,
    /// How far it has ever been executed.
    pub(crate) end_event: u64,
    pub(crate) end: Span,
    /// What was worth a sentence, in order.
    pub(crate) journal: Vec<Rc<Event>>,
    /// The ways of messages that have ended, in the order of their ends.
    strokes: Vec<Stroke>,
    pub(super) kept: Vec<Kept>,
    /// What the visitor calls it.
    pub(crate) name: Option<String>,
    /// Whether the visitor has deleted it.
    pub(crate) gone: bool,
}

/// A run with all its branches, standing at one moment.
pub(crate) struct Run {
    pub(crate) nodes: u8,
    pub(crate) seed: u64,
    /// The lesson whose cluster it is; an ordinary one if there is none.
    pub(crate) lesson: Option<String>,
    pub(crate) sim: Sim,
    pub(crate) branches: Vec<Branch>,
    pub(crate) branch: usize,
    /// Deeds of the branch that lie before this moment.
    done: usize,
    /// Messages lost since this was last taken: what the stage bursts.
    lost: Vec<Event>,
}

/// What a node of the page remembers to explain: some two hundred changes. Each moment that is kept of a long run
/// keeps its own.
const EXPLAIN_BYTES: u64 = 32 << 10;

/// A calm cluster whose clients wait for something to do.
pub(crate) fn plain_cluster(nodes: u8) -> SimConfig {
    let mut config = SimConfig::new(nodes);
    config.node.explain_bytes = EXPLAIN_BYTES;
    config.workload = Some(Workload {
        ops_per_second: 0,
        ..Workload::default()
    });
    config
}

impl Run {
    /// A calm cluster at its start.
    pub(crate) fn new(nodes: u8, seed: u64) -> Self {
        Self::of(plain_cluster(nodes), seed, None)
    }

    /// The cluster of a lesson at its start; an ordinary one if there is no such lesson.
    pub(crate) fn of_lesson(name: &str) -> Self {
        match super::lesson::set_up(name) {
            Some((mut config, seed)) => {
                config.workload = config.workload.or(plain_cluster(config.nodes).workload);
                Self::of(config, seed, Some(name.to_owned()))
            }
            None => Self::new(3, 1),
        }
    }

    fn of(config: SimConfig, seed: u64, lesson: Option<String>) -> Self {
        let nodes = config.nodes;
        let sim = Sim::new(config, seed);
        let first = Kept {
            event: sim.events(),
            at: Span(0),
            deeds: 0,
            sim: Rc::new(sim.clone()),
        };
        let branch = Branch {
            parent: None,
            deeds: Vec::new(),
            end_event: sim.events(),
            end: Span(0),
            journal: Vec::new(),
            strokes: Vec::new(),
            kept: vec![first],
            name: None,
            gone: false,
        };
        Self {
            nodes,
            seed,
            lesson,
            sim,
            branches: vec![branch],
            branch: 0,
            done: 0,
            lost: Vec::new(),
        }
    }

    /// What will be done to a run that is at its start.
    pub(crate) fn foresee(&mut self, record: &Record) {
        let deeds = record.deeds.iter().map(|deed| Deed {
            event: deed.event,
            at: self.since_start(deed.time),
            what: deed.intervention.clone(),
        });
        self.branches[0].deeds = deeds.collect();
    }

    /// Virtual time since the start of the run.
    pub(crate) fn now(&self) -> Span {
        self.since_start(self.sim.now())
    }

    pub(crate) fn since_start(&self, time: Time) -> Span {
        time.since(self.sim.config().start)
    }

    pub(crate) fn current(&self) -> &Branch {
        &self.branches[self.branch]
    }

    /// What happened up to this moment, newest last.
    pub(crate) fn journal(&self) -> &[Rc<Event>] {
        let all = &self.current().journal;
        let events = self.sim.events();
        &all[..all.partition_point(|event| event.number <= events)]
    }

    /// The ways of messages that ended at this moment or before.
    pub(crate) fn strokes(&self) -> &[Stroke] {
        let all = &self.current().strokes;
        let events = self.sim.events();
        &all[..all.partition_point(|stroke| stroke.event <= events)]
    }

    /// Messages lost since the last call.
    pub(crate) fn take_lost(&mut self) -> Vec<Event> {
        core::mem::take(&mut self.lost)
    }

    /// Deeds that lie before this moment.
    pub(crate) fn deeds_done(&self) -> &[Deed] {
        &self.current().deeds[..self.done]
    }

    /// Runs on to `until`, at most `budget` events. False if the budget ended first.
    pub(crate) fn advance(&mut self, until: Span, budget: u64) -> bool {
        let start = self.sim.config().start;
        let mut left = budget;
        loop {
            if let Some(deed) = self.next_deed().filter(|deed| deed.at <= until) {
                let (event, at) = (deed.event, start + deed.at);
                let missing = event.saturating_sub(self.sim.events());
                let ran = self.execute(at, missing.min(left));
                left -= ran;
                if ran < missing && left == 0 {
                    return false;
                }
                self.redo();
                continue;
            }
            let before = self.sim.events();
            self.execute(start + until, left.min(GAP_EVENTS));
            left -= (self.sim.events() - before).min(left);
            if self.sim.now() >= start + until
                && self
                    .sim
                    .next_event()
                    .is_none_or(|next| next > start + until)
            {
                return true;
            }
            if left == 0 {
                return false;
            }
        }
    }

    /// Runs on to the moment after an event, and from there to a time. False if the budget ended first.
    pub(crate) fn advance_to(&mut self, event: u64, at: Span, mut budget: u64) -> bool {
        if event == u64::MAX {
            return self.advance(at, budget);
        }
        while self.sim.events() < event {
            if budget == 0 {
                return false;
            }
            budget -= 1;
            if !self.step() || self.now() > at {
                return true;
            }
        }
        // Events due at this very time may still lie ahead: the number of the event decides.
        self.sim.run_to(event, self.sim.config().start + at);
        self.collect();
        true
    }

    /// Runs one event, or the deed that comes next. False if nothing will ever happen.
    pub(crate) fn step(&mut self) -> bool {
        let deeds = &self.branches[self.branch].deeds;
        let ran = step(&mut self.sim, deeds, &mut self.done);
        self.collect();
        ran
    }

    /// Does something here. In the past of a branch this opens a new one.
    pub(crate) fn act(&mut self, what: Intervention) {
        if self.sim.events() < self.current().end_event || self.done < self.current().deeds.len() {
            self.fork();
        }
        let deed = Deed {
            event: self.sim.events(),
            at: self.now(),
            what,
        };
        self.sim.apply(&deed.what);
        self.branches[self.branch].deeds.push(deed);
        self.done += 1;
        self.collect();
    }

    /// Back to the moment before the last deed, on a branch without it. False if there is none.
    pub(crate) fn undo(&mut self) -> bool {
        let Some(deed) = self.deeds_done().last().cloned() else {
            return false;
        };
        self.go_to_event(deed.event);
        self.sim
            .run_to(deed.event, self.sim.config().start + deed.at);
        self.fork();
        true
    }

    /// Goes to a time, back or forth, within `budget` events. False if the budget ended first.
    pub(crate) fn go_to(&mut self, at: Span, budget: u64) -> bool {
        let kept = self.kept_at(at);
        let ahead = |kept: &Kept| self.sim.events() < kept.event && kept.at <= at;
        if at < self.now() || kept.as_ref().is_some_and(ahead) {
            self.restore(kept);
        }
        let arrived = self.advance(at, budget);
        self.lost.clear();
        arrived
    }

    /// Goes to the moment right after an event of this branch.
    pub(crate) fn go_to_event(&mut self, event: u64) {
        let event = event.min(self.current().end_event);
        let kept = self
            .current()
            .kept
            .iter()
            .rev()
            .find(|kept| kept.event <= event);
        let kept = kept.or_else(|| self.current().kept.first()).cloned();
        self.restore(kept);
        while self.sim.events() < event && self.step() {}
        self.lost.clear();
    }

    /// Shows another branch, at the time nearest to the present one.
    pub(crate) fn switch(&mut self, branch: usize) {
        if self.branches.get(branch).is_some_and(|branch| !branch.gone) {
            let at = self.now();
            self.branch = branch;
            let first = self.current().kept.first().cloned();
            self.restore(first);
            let at = at.min(self.current().end);
            self.go_to(at, u64::MAX);
        }
    }

    /// The last kept clone of the present branch at a time, or else the first.
    fn kept_at(&self, at: Span) -> Option<Kept> {
        let kept = &self.current().kept;
        let count = kept.partition_point(|kept| kept.at <= at);
        kept.get(count.saturating_sub(1)).cloned()
    }

    fn fork(&mut self) {
        let events = self.sim.events();
        let old = self.current();
        let count = old.journal.partition_point(|event| event.number <= events);
        let strokes = self.strokes();
        let new = Branch {
            parent: Some(Left {
                event: events,
                at: self.now(),
                deeds: self.done,
                branch: self.branch,
            }),
            deeds: old.deeds[..self.done].to_vec(),
            end_event: events,
            end: self.now(),
            journal: old.journal[..count].to_vec(),
            strokes: strokes[strokes.len().saturating_sub(TAKEN)..].to_vec(),
            kept: old
                .kept
                .iter()
                .filter(|kept| kept.event <= events && kept.deeds <= self.done)
                .cloned()
                .collect(),
            name: None,
            gone: false,
        };
        self.branches.push(new);
        self.branch = self.branches.len() - 1;
    }

    fn restore(&mut self, kept: Option<Kept>) {
        if let Some(kept) = kept {
            self.sim = (*kept.sim).clone();
            self.done = kept.deeds;
        }
    }

    /// Does the next deed of this branch again, in the very state that it met first.
    fn redo(&mut self) {
        let deeds = &self.branches[self.branch].deeds;
        if let Some(deed) = deeds.get(self.done) {
            redo(&mut self.sim, deed);
            self.done += 1;
            self.collect();
        }
    }

    fn next_deed(&self) -> Option<&Deed> {
        self.current().deeds.get(self.done)
    }

    /// Runs the simulator, at most `max` events, and keeps what it says.
    fn execute(&mut self, until: Time, max: u64) -> u64 {
        let before = self.sim.events();
        let mut left = max;
        while left > 0 {
            // Clones are kept at multiples of the gap, because gaps of one length merge best.
            let slice = left.min(GAP_EVENTS - self.sim.events() % GAP_EVENTS);
            let ran = self.sim.run_until(until, slice);
            left -= ran.min(left);
            self.collect();
            if ran < slice {
                break;
            }
        }
        self.sim.events() - before
    }

    /// Takes the simulator's log, and at the frontier of the branch remembers it. Has judged for good what is
    /// old.
    fn collect(&mut self) {
        self.sim.judge_along();
        let events = self.sim.events();
        let now = self.now();
        let branch = &mut self.branches[self.branch];
        for event in self.sim.take_log() {
            if matches!(event.what, What::Lost { .. }) && self.lost.len() < 64 {
                self.lost.push(event.clone());
            }
            if event.number > branch.end_event {
                branch.strokes.extend(Stroke::of(&event));
                if super::is_told(&event.what) {
                    branch.journal.push(Rc::new(event));
                }
            }
        }
        if branch.strokes.len() > STROKES {
            branch.strokes.drain(..STROKES / 4);
        }
        if branch.journal.len() > JOURNAL {
            branch.journal.drain(..JOURNAL / 4);
        }
        branch.end_event = branch.end_event.max(events);
        branch.end = branch.end.max(now);
        let last = branch.kept.last().map_or(0, |kept| kept.event);
        if events >= last + GAP_EVENTS {
            branch.kept.push(Kept {
                event: events,
                at: now,
                deeds: self.done,
                sim: Rc::new(self.sim.clone()),
            });
            thin(&mut branch.kept);
        }
    }
}

/// Runs one event of a simulator, or the deed that comes next: of these, so many are done. False if nothing will ever
/// happen.
pub(super) fn step(sim: &mut Sim, deeds: &[Deed], done: &mut usize) -> bool {
    match deeds.get(*done).filter(|deed| deed.event <= sim.events()) {
        Some(deed) => {
            redo(sim, deed);
            *done += 1;
            true
        }
        None => sim.step_event(),
    }
}

/// Does a deed again, in the very state that it met first.
fn redo(sim: &mut Sim, deed: &Deed) {
    sim.run_to(deed.event, sim.config().start + deed.at);
    sim.apply(&deed.what);
}

/// Takes out clones that nobody misses. The older the past, the wider its gaps; but nowhere does a gap hold more
/// events than can be executed again while somebody waits.
fn thin(kept: &mut Vec<Kept>) {
    let Some((end, now)) = kept.last().map(|last| (last.event, last.at)) else {
        return;
    };
    for place in (1..kept.len().saturating_sub(1)).rev() {
        let wanted = match now.0.saturating_sub(kept[place + 1].at.0) <= RECENT.0 {
            true => ((end - kept[place].event) / 16).clamp(GAP_EVENTS, GAP_RECENT),
            false => GAP_OLD.max(end / OLD),
        };
        if kept[place + 1].event - kept[place - 1].event <= wanted {
            kept.remove(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An hour of a cluster under load; what clones hold is of no interest here.
    #[test]
    fn gaps_between_kept_clones_are_bounded_and_so_is_their_number() {
        const PER_SECOND: u64 = 1_250;
        let sim = Rc::new(Run::new(3, 1).sim);
        let mut kept = Vec::new();
        let mut longest = 0;
        for number in 0..3_600 * PER_SECOND / GAP_EVENTS {
            let event = number * GAP_EVENTS;
            kept.push(Kept {
                event,
                at: Span(event * 1_000_000 / PER_SECOND),
                deeds: 0,
                sim: sim.clone(),
            });
            thin(&mut kept);
            longest = longest.max(kept.len());
        }
        let now = kept[kept.len() - 1].at;
        assert_eq!(kept[0].event, 0);
        for pair in kept.windows(2) {
            let gap = pair[1].event - pair[0].event;
            let recent = now.0 - pair[1].at.0 <= RECENT.0;
            assert!(
                gap <= if recent {
                    GAP_RECENT
                } else {
                    GAP_OLD.max(kept[kept.len() - 1].event / OLD)
                }
            );
        }
        let near = kept[kept.len() - 1].event - kept[kept.len() - 10].event;
        assert!(
            near <= 16 * GAP_EVENTS,
            "steps back from the end are cheap: {near}"
        );
        assert!(longest < 500, "{longest} clones");
    }
}

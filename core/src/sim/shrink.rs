//! A failing seed made small: the faults that came by themselves become a list of interventions, and
//! whatever the failure does not need is taken away, a piece at a time, as long as the same invariant
//! still breaks. What is left is written as a script for people to read and for `tests/scripts`.
//!
//! This is delta debugging (Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input").
//! It works because faults have a stream of chance of their own: a run without one of them is the same
//! run up to the moment at which that one would have come.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;
use core::ops::Range;

use super::swarm::{self, Failure, Options, run_seed};
use super::{Intervention, Sim, SimConfig, tell};
use crate::time::Time;

/// Runs that one shrinking may take, unless said otherwise.
pub const RUNS: u32 = 600;
/// Events between two looks at the clock.
const SLICE: u64 = 512;

/// Which pieces of a list to try to do without: halves first, then ever smaller ones.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pieces {
    size: usize,
    from: usize,
}

impl Pieces {
    /// For a list of this length.
    #[must_use]
    pub fn new(length: usize) -> Self {
        Self {
            size: length.div_ceil(2),
            from: 0,
        }
    }

    /// The piece to try now, of a list that has this length by now.
    pub fn next(&mut self, length: usize) -> Option<Range<usize>> {
        while length <= self.from && 0 < self.size {
            self.size /= 2;
            self.from = 0;
        }
        (0 < self.size && self.from < length)
            .then(|| self.from..(self.from + self.size).min(length))
    }

    /// It does not work without the last piece.
    pub fn needed(&mut self) {
        self.from += self.size;
    }
}

/// A run that fails, all of its faults written out.
#[derive(Clone, Debug)]
pub struct Case {
    /// What it starts from. No faults come by themselves.
    pub config: SimConfig,
    /// Its seed: chance of links, disks and clients.
    pub seed: u64,
    /// What is done to it and when, in order.
    pub deeds: Vec<(Time, Intervention)>,
    /// When the safety phase ends.
    pub until: Time,
    /// What breaks.
    pub failure: Failure,
}

impl Case {
    /// The run of a seed; `None` if it does not fail, or no longer does when its faults come from a list.
    #[must_use]
    pub fn of_seed(seed: u64, options: &Options) -> Option<Self> {
        let outcome = run_seed(seed, options);
        let mut case = Self {
            config: swarm::plan(seed, options).0,
            seed,
            deeds: outcome.deeds,
            until: outcome.until,
            failure: outcome.failure?,
        };
        case.config.faults = None;
        case.accept(case.clone()).then_some(case)
    }

    /// The same failure with as little as `runs` runs can find. `progress` is told the number of runs so
    /// far and of the interventions that are left.
    #[must_use]
    pub fn shrink(mut self, runs: u32, mut progress: impl FnMut(u32, usize)) -> Self {
        let mut left = runs;
        loop {
            let before = (self.deeds.len(), self.config.clone());
            self.drop_deeds(&mut left, &mut |left, deeds| progress(runs - left, deeds));
            self.calm(&mut left);
            progress(runs - left, self.deeds.len());
            if left == 0 || before == (self.deeds.len(), self.config.clone()) {
                return self;
            }
        }
    }

    /// Runs it; what broke, if something did.
    #[must_use]
    pub fn run(&self) -> Option<Failure> {
        let mut sim = Sim::new(self.config.clone(), self.seed);
        for (time, deed) in &self.deeds {
            if !advance(&mut sim, *time) {
                return swarm::broken(&sim);
            }
            sim.apply(deed);
        }
        advance(&mut sim, self.until);
        swarm::broken(&sim).or_else(|| swarm::recover(&mut sim))
    }

    /// As a script: one command a line, with times since the start.
    #[must_use]
    pub fn script(&self) -> String {
        let mut text = format!(
            "# {}, {} ms after the start: {}\n\n",
            self.failure.name,
            self.failure.after.as_ms(),
            self.failure.text
        );
        text += &tell::settings(&self.config, self.seed);
        text += "\n\n";
        let start = self.config.start;
        let mut at = start;
        for (time, deed) in &self.deeds {
            if at != *time {
                at = *time;
                let _ = writeln!(text, "at {}us", time.since(start).0);
            }
            text += &tell::deed(deed).unwrap_or_else(|| format!("# {deed:?}"));
            text += "\n";
        }
        let _ = writeln!(text, "at {}us", self.until.since(start).0);
        if self.until < start + self.failure.after {
            text += "recover\n";
        }
        text
    }

    /// Takes interventions away, many at once first.
    fn drop_deeds(&mut self, left: &mut u32, progress: &mut impl FnMut(u32, usize)) {
        let mut pieces = Pieces::new(self.deeds.len());
        while let Some(piece) = pieces.next(self.deeds.len()).filter(|_| 0 < *left) {
            *left -= 1;
            let mut smaller = self.clone();
            smaller.deeds.drain(piece);
            if !self.accept(smaller) {
                pieces.needed();
            }
            progress(*left, self.deeds.len());
        }
    }

    /// Takes chance out of the world: fewer members, better links, less to do.
    fn calm(&mut self, left: &mut u32) {
        let plain = SimConfig::new(self.config.nodes);
        let changes: [&dyn Fn(&mut Self); 9] = [
            &|case| case.fewer_members(),
            &|case| case.config.link.loss_per_mille = 0,
            &|case| case.config.link.duplicate_per_mille = 0,
            &|case| case.config.link.reorder_per_mille = 0,
            &|case| case.config.link = plain.link,
            &|case| case.config.disk = plain.disk,
            &|case| {
                case.config.node.compact_entries = plain.node.compact_entries;
                case.config.node.keep_entries = plain.node.keep_entries;
                case.config.node.keep_bytes = plain.node.keep_bytes;
                case.config.node.snapshot_part_bytes = plain.node.snapshot_part_bytes;
            },
            &|case| case.less_work(|clients, rate| (clients, rate / 2)),
            &|case| case.less_work(|clients, rate| (clients.div_ceil(2), rate)),
        ];
        for change in changes {
            if *left == 0 {
                return;
            }
            let mut calmer = self.clone();
            change(&mut calmer);
            if calmer.config != self.config {
                *left -= 1;
                self.accept(calmer);
            }
        }
    }

    /// Three members instead of more, without what was done to the others.
    fn fewer_members(&mut self) {
        if 3 < self.config.nodes {
            let fewer = SimConfig::new(3);
            self.config.nodes = fewer.nodes;
            self.config.node.members = fewer.node.members;
            let gone = |deed: &Intervention| deed.members().any(|id| 3 < id.0);
            self.deeds.retain(|(_, deed)| !gone(deed));
        }
    }

    fn less_work(&mut self, less: impl Fn(u32, u32) -> (u32, u32)) {
        if let Some(workload) = &mut self.config.workload {
            (workload.clients, workload.ops_per_second) =
                less(workload.clients, workload.ops_per_second);
        }
    }

    /// Takes `other` over if it fails in the same way; what would come after the failure goes too.
    fn accept(&mut self, other: Self) -> bool {
        let Some(failure) = other.run() else {
            return false;
        };
        if failure.name != self.failure.name {
            return false;
        }
        *self = other;
        let failed = self.config.start + failure.after;
        if failed <= self.until {
            self.until = failed;
            self.deeds.retain(|(time, _)| *time <= failed);
        }
        self.failure = failure;
        true
    }
}

/// Runs to a moment; false if an invariant broke on the way.
fn advance(sim: &mut Sim, time: Time) -> bool {
    while sim.violations().is_empty() && sim.now() < time {
        sim.run_until(time, SLICE);
    }
    sim.violations().is_empty()
}

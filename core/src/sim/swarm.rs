//! One seed, all the way: the seed draws a cluster and its faults (`plan`), the safety phase runs them under
//! load, then everything is healed and the liveness phase demands that the cluster works again (`heal`). On
//! the way it is counted which situations came up (`reached`).

mod heal;
mod plan;
mod reached;

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

pub use self::heal::{LIVENESS, recover};
pub use self::plan::{Profile, plan};
pub use self::reached::Reached;

use self::heal::heal;
use self::reached::count;
use super::hash::mix;
use super::{ClientId, Event, Intervention, Invariant, Sim};
use crate::config::Bug;
use crate::time::{Span, Time};
use crate::trace::Trace;

/// What a seed is at least (rule R33).
pub const EVENTS: u64 = 10_000;
/// What a seed is at least (rule R33).
pub const TIME: Span = Span::from_ms(20_000);
/// A run that has not come to its end by then will not: somebody wakes up again and again for nothing.
const MOST_EVENTS: u64 = 2_000_000;
/// Events between two looks at the log.
const SLICE: u64 = 512;

/// How to run a seed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// First members; `None` draws 1 to 7, most often 3 or 5.
    pub nodes: Option<u8>,
    /// Which faults; `Mixed` draws them.
    pub profile: Profile,
    /// A known bug in every member.
    pub planted: Option<Bug>,
    /// Least number of events of the safety phase.
    pub events: u64,
    /// Least virtual time of the safety phase.
    pub time: Span,
    /// Whether invariants are checked.
    pub checks: bool,
    /// Whether the run is recorded.
    pub record: bool,
    /// How much of what happened last is kept for a failure.
    pub last: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            nodes: None,
            profile: Profile::Mixed,
            planted: None,
            events: EVENTS,
            time: TIME,
            checks: true,
            record: false,
            last: 500,
        }
    }
}

/// Why a run failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// Name of the invariant, or [`LIVENESS`].
    pub name: &'static str,
    /// After which event.
    pub event: u64,
    /// How much virtual time had passed.
    pub after: Span,
    /// What was seen.
    pub text: String,
}

/// What a run came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// Its seed.
    pub seed: u64,
    /// Its cluster and faults, for people.
    pub plan: String,
    /// Events in all.
    pub events: u64,
    /// Virtual time in all.
    pub time: Span,
    /// The cluster's digest at the end.
    pub digest: u64,
    /// The first thing that went wrong.
    pub failure: Option<Failure>,
    /// Situations that came up.
    pub reached: Reached,
    /// If it failed: what happened last.
    pub last: Vec<Event>,
    /// The faults of the safety phase, with their moments.
    pub deeds: Vec<(Time, Intervention)>,
    /// When the safety phase ended.
    pub until: Time,
    /// Facts that the clients' oracle could not keep: a contradiction to one of them was not seen.
    pub forgotten: u64,
    /// The calls of all nodes, if they were recorded.
    pub trace: Option<Trace>,
}

/// What is gathered while a seed runs.
#[derive(Default)]
struct Gathered {
    reached: Reached,
    /// The latest events, at least `keep` of them.
    last: Vec<Event>,
    keep: usize,
    /// Calls without an answer that ask what a watch has missed, and those that read several znodes.
    resuming: BTreeSet<(ClientId, u64)>,
    reading: BTreeSet<(ClientId, u64)>,
    deeds: Vec<(Time, Intervention)>,
}

/// Runs one seed.
#[must_use]
pub fn run_seed(seed: u64, options: &Options) -> Outcome {
    let (config, plan) = plan(seed, options);
    let mut sim = Sim::new(config, seed);
    let mut gathered = Gathered {
        keep: options.last,
        ..Gathered::default()
    };
    let start = sim.now();
    let done = |sim: &Sim| options.events <= sim.events() && options.time <= sim.now().since(start);
    while !done(&sim) && sim.violations().is_empty() && sim.events() < MOST_EVENTS {
        let until = sim.now() + Span::from_ms(1_000);
        sim.run_until(until, SLICE);
        count(&mut sim, &mut gathered);
    }
    let until = sim.now();
    let deeds = core::mem::take(&mut gathered.deeds);
    let failure = broken(&sim)
        .or_else(|| stuck(&sim))
        .or_else(|| heal(&mut sim, &mut gathered));
    gathered.reached.close(&sim);
    Outcome {
        seed,
        plan,
        events: sim.events(),
        time: sim.now().since(start),
        digest: sim.digest(),
        last: if failure.is_some() {
            gathered.last
        } else {
            Vec::new()
        },
        failure,
        reached: gathered.reached,
        deeds,
        until,
        forgotten: sim.forgotten(),
        trace: options.record.then(|| sim.trace()),
    }
}

/// The digest of a seed's cluster after so many events, every hundredth digest on the way included: the
/// same number natively and in wasm, or determinism is broken.
#[must_use]
pub fn digest_of_seed(seed: u64, events: u64) -> u64 {
    let (config, _) = plan(seed, &Options::default());
    let mut sim = Sim::new(config, seed);
    let mut hash = 0;
    while sim.events() < events && sim.step_event() {
        if sim.events().is_multiple_of(100) {
            hash = mix(hash, sim.digest());
            sim.take_log();
        }
    }
    mix(hash, sim.digest())
}

/// Time does not pass any more.
fn stuck(sim: &Sim) -> Option<Failure> {
    (MOST_EVENTS <= sim.events()).then(|| {
        let after = sim.now().since(sim.config().start);
        Failure {
            name: LIVENESS,
            event: sim.events(),
            after,
            text: format!("{} events took {} ms", sim.events(), after.as_ms()),
        }
    })
}

pub(super) fn broken(sim: &Sim) -> Option<Failure> {
    let violation = sim.violations().first()?;
    Some(Failure {
        name: Invariant::name(violation.invariant),
        event: violation.event,
        after: violation.time.since(sim.config().start),
        text: violation.seen.to_string(),
    })
}

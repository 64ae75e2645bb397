//! Many seeds: each draws a cluster, its faults and its load, and must keep every invariant and come
//! back to work when all is healed. `OTTERKEEPER_SEED=7` runs one seed and says more.

use core::panic::AssertUnwindSafe;
use core::time::Duration;
use std::env;
use std::panic::catch_unwind;
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::Instant;

use otterkeeper_core::scenario::words::{moment, sentence};
use otterkeeper_core::sim::shrink::{Case, RUNS};
use otterkeeper_core::sim::swarm::{Failure, Options, Outcome, Profile, Reached, run_seed};
use otterkeeper_core::sim::{Event, SimConfig};
use otterkeeper_core::time::Time;

/// Fresh seeds of a run of the suite that is given no time.
const SEEDS: u64 = 300;
/// From so many seeds on every situation must have come up.
const ENOUGH: u64 = 200;
/// A sign of life comes so often.
const SIGN: Duration = Duration::from_secs(10);

/// `OTTERKEEPER_SEED` runs one seed, `OTTERKEEPER_SEEDS` so many, `OTTERKEEPER_SECONDS` as many as that
/// time allows; all but the first begin with the seeds that once found something, and go on from
/// `OTTERKEEPER_FROM`.
#[test]
fn seeds() {
    let begun = Instant::now();
    let only: Option<u64> = setting("OTTERKEEPER_SEED");
    let seconds: Option<u64> = setting("OTTERKEEPER_SECONDS");
    let from = only.or_else(|| setting("OTTERKEEPER_FROM")).unwrap_or(1);
    let count = match (only, seconds) {
        (Some(_), _) => 1,
        (None, Some(_)) => u64::MAX - from,
        (None, None) => setting("OTTERKEEPER_SEEDS").unwrap_or(SEEDS),
    };
    let known: Vec<u64> = only.map_or_else(|| regressions().collect(), |_| Vec::new());
    let mut options = Options {
        profile: profile(),
        ..Options::default()
    };
    if only.is_some() {
        options.last = 1_000_000;
    }
    let mut tally = Tally::default();
    let mut next_sign = begun + SIGN;
    let until = seconds.map(|seconds| begun + Duration::from_secs(seconds));
    run_all(known.iter().copied(), None, &options, |seed, run| {
        tally.add(seed, run, only.is_some());
    });
    let regressions = tally.seeds;
    run_all(from..from + count, until, &options, |seed, run| {
        tally.add(seed, run, only.is_some());
        if next_sign < Instant::now() {
            next_sign += SIGN;
            println!("{} seeds, {} failed", tally.seeds, tally.failed.len());
        }
    });
    let took = begun.elapsed().as_secs_f64();
    println!(
        "* {regressions} seeds that once found something, then {} from {from} on: {} events, {} virtual s, in {took:.1} s: {:.0} events/s",
        tally.seeds - regressions,
        tally.events,
        tally.virtual_ms / 1_000,
        tally.events as f64 / took
    );
    for (name, count) in tally.reached.counts() {
        println!("  {count:>9} {}", name.replace('_', " "));
    }
    if let Some(seed) = tally.failed.first()
        && let Some(case) = Case::of_seed(*seed, &options)
    {
        println!("seed {seed} with what it needs to fail, for tests/scripts:\n");
        println!("{}", case.shrink(RUNS, |_, _| {}).script());
    }
    let failed = tally.failed.len();
    assert_eq!(failed, 0, "{failed} of {} seeds failed", tally.seeds);
    assert_eq!(tally.forgotten, 0, "the oracle forgot something in a seed");
    if ENOUGH <= tally.seeds && options.profile == Profile::Mixed {
        for (name, count) in tally.reached.counts() {
            assert_ne!(count, 0, "no seed reached: {}", name.replace('_', " "));
        }
    }
}

/// All runs together.
#[derive(Default)]
struct Tally {
    seeds: u64,
    events: u64,
    virtual_ms: u64,
    forgotten: u64,
    reached: Reached,
    failed: Vec<u64>,
}

impl Tally {
    fn add(&mut self, seed: u64, run: Result<Outcome, String>, alone: bool) {
        self.seeds += 1;
        match run {
            Ok(run) => {
                self.reached.add(&run.reached);
                self.events += run.events;
                self.virtual_ms += run.time.as_ms();
                self.forgotten += run.forgotten;
                if let Some(failure) = &run.failure {
                    self.failed.push(seed);
                    print_failure(seed, &run.plan, failure);
                    if alone {
                        print_end(SimConfig::new(1).start, &run.last);
                    }
                }
            }
            Err(panic) => {
                self.failed.push(seed);
                println!("seed {seed}: panic: {panic}\n  {}", reproduce(seed));
            }
        }
    }
}

/// A number from the environment.
fn setting(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is a number")),
    )
}

/// The faults that `OTTERKEEPER_PROFILE` names, else those that each seed draws.
fn profile() -> Profile {
    let name = env::var("OTTERKEEPER_PROFILE").unwrap_or_else(|_| Profile::Mixed.name().into());
    let named = Profile::ALL.iter().find(|profile| profile.name() == name);
    *named.unwrap_or_else(|| panic!("no profile is called {name}"))
}

/// Runs seeds on all cores, none that would begin after `until`. `done` gets what came of them, in the
/// order in which they end.
fn run_all(
    seeds: impl Iterator<Item = u64> + Send,
    until: Option<Instant>,
    options: &Options,
    mut done: impl FnMut(u64, Result<Outcome, String>),
) {
    let seeds = Mutex::new(seeds);
    let (sender, runs) = mpsc::channel();
    let cores = thread::available_parallelism().map_or(2, usize::from);
    thread::scope(|scope| {
        for _ in 0..cores {
            let (sender, seeds) = (sender.clone(), &seeds);
            scope.spawn(move || {
                while until.is_none_or(|until| Instant::now() < until) {
                    let next = seeds
                        .lock()
                        .expect("no thread panics while it holds this")
                        .next();
                    let Some(seed) = next else { return };
                    if sender.send((seed, run_caught(seed, options))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        for (seed, run) in runs {
            done(seed, run);
        }
    });
}

/// Runs one seed; a panic of a node is an outcome too.
pub(crate) fn run_caught(seed: u64, options: &Options) -> Result<Outcome, String> {
    catch_unwind(AssertUnwindSafe(|| run_seed(seed, options))).map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string))
            .unwrap_or_default()
    })
}

fn print_failure(seed: u64, plan: &str, failure: &Failure) {
    let Failure {
        name,
        event,
        after,
        text,
    } = failure;
    println!(
        "seed {seed} ({plan}): {name} at event {event}, {} ms: {text}",
        after.as_ms()
    );
    println!("  {}", reproduce(seed));
}

/// What happened before a failure.
fn print_end(start: Time, last: &[Event]) {
    let lines = env::var("OTTERKEEPER_LINES").map_or(80, |lines| lines.parse().expect("a number"));
    let told: Vec<String> = last
        .iter()
        .filter_map(|event| {
            let text = sentence(&event.what, true)?;
            Some(format!(
                "  {:>6} {} {text}",
                event.number,
                moment(start, event.time)
            ))
        })
        .collect();
    told.iter()
        .skip(told.len().saturating_sub(lines))
        .for_each(|line| println!("{line}"));
}

fn reproduce(seed: u64) -> String {
    format!("OTTERKEEPER_SEED={seed} cargo test -p otterkeeper-tests swarm -- --nocapture")
}

/// Seeds that once found something: a number at the start of each line.
fn regressions() -> impl Iterator<Item = u64> {
    include_str!("seeds.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_whitespace().next()?.parse().ok())
}

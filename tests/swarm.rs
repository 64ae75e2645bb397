//! Many seeds: each draws a cluster, its faults and its load, and must keep every invariant and come
//! back to work when all is healed. `OTTERKEEPER_SEED=7` runs one seed and says more.

use core::panic::AssertUnwindSafe;
use core::sync::atomic::{AtomicU64, Ordering};
use std::collections::BTreeMap;
use std::env;
use std::panic::catch_unwind;
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use otterkeeper_core::scenario::words::{moment, sentence};
use otterkeeper_core::sim::shrink::{Case, RUNS};
use otterkeeper_core::sim::swarm::{Failure, Options, Outcome, Profile, Reached, run_seed};
use otterkeeper_core::sim::{Event, SimConfig};
use otterkeeper_core::time::Time;

/// Fresh seeds of every run of the suite.
const SEEDS: u64 = 300;

#[test]
fn three_hundred_seeds() {
    let begun = Instant::now();
    let seeds: Vec<u64> = match env::var("OTTERKEEPER_SEED") {
        Ok(seed) => vec![seed.parse().expect("OTTERKEEPER_SEED is a number")],
        Err(_) => {
            let count =
                env::var("OTTERKEEPER_SEEDS").map_or(SEEDS, |n| n.parse().expect("a number"));
            regressions().chain(1..=count).collect()
        }
    };
    let mut options = Options {
        profile: profile(),
        ..Options::default()
    };
    if let [_] = seeds[..] {
        options.last = 1_000_000;
    }
    let runs = run_all(&seeds, &options);
    let mut reached = Reached::default();
    let (mut events, mut virtual_ms) = (0, 0);
    let mut failed = 0;
    for (seed, run) in &runs {
        match run {
            Ok(run) => {
                reached.add(&run.reached);
                events += run.events;
                virtual_ms += run.time.as_ms();
                if let Some(failure) = &run.failure {
                    failed += 1;
                    print_failure(*seed, &run.plan, failure);
                    if seeds.len() == 1 {
                        print_end(SimConfig::new(1).start, &run.last);
                    }
                }
            }
            Err(panic) => {
                failed += 1;
                println!("seed {seed}: panic: {panic}\n  {}", reproduce(*seed));
            }
        }
    }
    let took = begun.elapsed().as_secs_f64();
    println!(
        "{} seeds, {events} events, {} virtual s in {took:.1} s: {:.0} events/s",
        seeds.len(),
        virtual_ms / 1_000,
        events as f64 / took
    );
    for (name, count) in reached.counts() {
        println!("  {count:>9} {}", name.replace('_', " "));
    }
    if let Some((seed, _)) = runs
        .iter()
        .find(|(_, run)| matches!(run, Ok(run) if run.failure.is_some()))
        && let Some(case) = Case::of_seed(*seed, &options)
    {
        println!("seed {seed} with what it needs to fail, for tests/scripts:\n");
        println!("{}", case.shrink(RUNS, |_, _| {}).script());
    }
    assert_eq!(failed, 0, "{failed} of {} seeds failed", seeds.len());
    if 1 < seeds.len() && options.profile == Profile::Mixed {
        for (name, count) in reached.counts() {
            assert_ne!(count, 0, "no seed reached: {}", name.replace('_', " "));
        }
    }
}

/// The faults that `OTTERKEEPER_PROFILE` names, else those that each seed draws.
fn profile() -> Profile {
    let name = env::var("OTTERKEEPER_PROFILE").unwrap_or_else(|_| Profile::Mixed.name().into());
    let named = Profile::ALL.iter().find(|profile| profile.name() == name);
    *named.unwrap_or_else(|| panic!("no profile is called {name}"))
}

/// Runs seeds on all cores; a panic of a node is an outcome too.
pub(crate) fn run_all(seeds: &[u64], options: &Options) -> BTreeMap<u64, Result<Outcome, String>> {
    let next = AtomicU64::new(0);
    let runs = Mutex::new(BTreeMap::new());
    let cores = thread::available_parallelism().map_or(2, usize::from);
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
                    let run = run_caught(*seed, options);
                    runs.lock()
                        .expect("no thread panics while it holds this")
                        .insert(*seed, run);
                }
            });
        }
    });
    runs.into_inner().expect("all threads have ended")
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

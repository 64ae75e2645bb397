//! `otterkeeper sim`: runs the whole cluster in virtual time, a seed at a time, under faults, and checks
//! every invariant after every event. Prints one line of JSON last.

mod find;
mod speed;

use core::num::NonZero;
use core::sync::atomic::{AtomicU64, Ordering};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use anyhow::Context;
use clap::builder::PossibleValuesParser;
use indicatif::{ProgressBar, ProgressStyle};
use otterkeeper_core::sim::shrink::{Case, RUNS};
use otterkeeper_core::sim::swarm::{Options, Outcome, Profile, Reached, run_seed};
use otterkeeper_core::wire::trace::encode_trace;
use serde_json::{Map, Value, json};

use super::remote::complain;

/// Run a whole cluster in virtual time, under faults drawn from seeds.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How many seeds.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Members; without it the seed draws 3 or 5.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=9))]
    nodes: Option<u8>,
    /// Which faults; mixed lets the seed draw them.
    #[arg(long, default_value = "mixed", value_parser = profiles())]
    profile: String,
    /// Seeds that run at the same time; without it, one for each processor.
    #[arg(long)]
    threads: Option<NonZero<usize>>,
    /// Write the first failing run to this file, or the only run there is, for `otterkeeper replay`.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Reduce the first failing run to the few faults that it needs, and write it to this file as a
    /// script for tests/scripts.
    #[arg(long, value_name = "FILE")]
    shrink: Option<PathBuf>,
    /// Look for a run in which this happens instead, and take from it what it does not need; `--shrink` says where to
    /// write its script.
    #[arg(long, value_name = "WHAT", value_parser = find::names())]
    find: Option<String>,
    /// Measure how fast the simulator is on one core instead, and run no seeds.
    #[arg(long)]
    speed: bool,
}

fn profiles() -> PossibleValuesParser {
    Profile::ALL.iter().map(|profile| profile.name()).into()
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    if args.speed {
        println!("{}", speed::measure());
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(wanted) = &args.find {
        return find::find(
            wanted,
            args.nodes.unwrap_or(5),
            args.from,
            args.shrink.as_ref(),
        );
    }
    let named = |profile: &&Profile| profile.name() == args.profile;
    let profile = Profile::ALL
        .iter()
        .find(named)
        .copied()
        .unwrap_or(Profile::Mixed);
    let options = Options {
        nodes: args.nodes,
        profile,
        ..Options::default()
    };
    let started = Instant::now();
    let mut tally = Tally::default();
    let bar = progress(
        args.seeds,
        "{bar:40} {pos}/{len} seeds, {elapsed} gone, {eta} to go",
    );
    swarm(&args, &options, |outcome| {
        bar.inc(1);
        if let Some(failure) = &outcome.failure {
            bar.suspend(|| {
                complain(&format!(
                    "seed {} ({}) broke {} after event {}: {}",
                    outcome.seed, outcome.plan, failure.name, failure.event, failure.text
                ));
                eprintln!("  again: {}", again(&args, outcome.seed));
            });
        }
        tally.add(&outcome);
    });
    bar.finish_and_clear();
    if let Some(path) = &args.trace {
        match tally.failed.keys().next() {
            Some(&seed) => record(seed, &options, path)?,
            None if args.seeds == 1 => record(args.from, &options, path)?,
            None => eprintln!("no seed failed, so {} was not written", path.display()),
        }
    }
    if let Some(path) = &args.shrink {
        match tally.failed.keys().next() {
            Some(&seed) => shrink(seed, &options, path)?,
            None => eprintln!("no seed failed, so {} was not written", path.display()),
        }
    }
    println!(
        "{}",
        tally.summary(&args, started.elapsed().as_millis() as u64)
    );
    Ok(if tally.failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What runs this seed alone.
fn again(args: &Args, seed: u64) -> String {
    let nodes = args
        .nodes
        .map_or(String::new(), |nodes| format!(" --nodes {nodes}"));
    let profile = &args.profile;
    format!("otterkeeper sim --seeds 1 --from {seed}{nodes} --profile {profile} --shrink FILE")
}

/// Shown on a terminal only.
fn progress(steps: u64, look: &str) -> ProgressBar {
    let bar = ProgressBar::new(steps);
    if let Ok(style) = ProgressStyle::with_template(look) {
        bar.set_style(style);
    }
    bar
}

/// Runs all seeds on all threads; `done` sees the outcomes in the order in which they come.
fn swarm(args: &Args, options: &Options, mut done: impl FnMut(Outcome)) {
    let one = NonZero::<usize>::MIN;
    let threads = args
        .threads
        .or(thread::available_parallelism().ok())
        .unwrap_or(one);
    let next = AtomicU64::new(0);
    let (sender, outcomes) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..threads.get() {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if args.seeds <= number {
                        return;
                    }
                    let outcome = run_seed(args.from.wrapping_add(number), options);
                    if sender.send(outcome).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        outcomes.into_iter().for_each(&mut done);
    });
}

/// Runs a seed once more and keeps what its nodes were told.
fn record(seed: u64, options: &Options, path: &PathBuf) -> anyhow::Result<()> {
    let outcome = run_seed(
        seed,
        &Options {
            record: true,
            ..options.clone()
        },
    );
    let trace = outcome.trace.unwrap_or_default();
    std::fs::write(path, encode_trace(&trace))
        .with_context(|| format!("cannot write the trace to {}", path.display()))?;
    eprintln!(
        "seed {seed} is in {}: otterkeeper replay {}",
        path.display(),
        path.display()
    );
    Ok(())
}

/// Takes from a failing seed what it does not need to fail.
fn shrink(seed: u64, options: &Options, path: &PathBuf) -> anyhow::Result<()> {
    let case = Case::of_seed(seed, options)
        .context("the run does not fail when its faults come from a list; use --trace")?;
    let bar = progress(RUNS.into(), "{bar:40} {pos}/{len} runs, {msg} faults left");
    let small = case.shrink(RUNS, |runs, faults| {
        bar.set_position(runs.into());
        bar.set_message(faults.to_string());
    });
    bar.finish_and_clear();
    std::fs::write(path, small.script())
        .with_context(|| format!("cannot write the script to {}", path.display()))?;
    let (faults, path) = (small.deeds.len(), path.display());
    eprintln!(
        "seed {seed} with {faults} faults is in {path}; put it into tests/scripts to keep it"
    );
    Ok(())
}

/// All outcomes together.
#[derive(Default)]
struct Tally {
    events: u64,
    virtual_ms: u64,
    /// A sum, so that it does not depend on the order in which seeds end.
    digest: u64,
    reached: Reached,
    failed: std::collections::BTreeMap<u64, Value>,
}

impl Tally {
    fn add(&mut self, outcome: &Outcome) {
        self.events += outcome.events;
        self.virtual_ms += outcome.time.as_ms();
        self.digest = self.digest.wrapping_add(outcome.digest);
        self.reached.add(&outcome.reached);
        if let Some(failure) = &outcome.failure {
            let line = json!({
                "seed": outcome.seed,
                "plan": outcome.plan,
                "broke": failure.name,
                "event": failure.event,
                "after_ms": failure.after.as_ms(),
                "text": failure.text,
            });
            self.failed.insert(outcome.seed, line);
        }
    }

    fn summary(&self, args: &Args, wall_ms: u64) -> Value {
        let reached: Map<String, Value> = self
            .reached
            .counts()
            .map(|(name, count)| (name.to_owned(), count.into()))
            .collect();
        json!({
            "seeds": args.seeds,
            "from": args.from,
            "nodes": args.nodes,
            "profile": args.profile,
            "events": self.events,
            "virtual_ms": self.virtual_ms,
            "wall_ms": wall_ms,
            "events_per_second": self.events.saturating_mul(1_000) / wall_ms.max(1),
            "digest": format!("{:016x}", self.digest),
            "reached": reached,
            "failed": self.failed.values().collect::<Vec<_>>(),
        })
    }
}

//! Trust no checker that has not caught a bug. Each known bug is planted in every member of simulated
//! clusters; a named invariant, the clients' oracle or the demand for recovery must notice it.

use core::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Mutex;
use std::time::Instant;
use std::{env, thread};

use otterkeeper_core::config::Bug;
use otterkeeper_core::sim::shrink::{Case, RUNS};
use otterkeeper_core::sim::swarm::{Options, Profile};

use crate::script::{self, By};
use crate::swarm::run_caught;

/// Seeds that a bug may survive before it has survived the swarm. They are the same for all bugs, from 1
/// on, and every seed draws its faults by itself: nothing here knows what it looks for.
const SEEDS: u64 = 500;

/// Bugs that the swarm brings out not at all, or after hundreds of seeds: the suite asks only their
/// stories. `OTTERKEEPER_MUTANTS=all`, or the names of some with commas, asks the swarm all the same.
const BY_STORY: &[Bug] = &[
    Bug::WithheldAckSurvivesTruncation,
    Bug::CommitOldTerm,
    Bug::AckOfOldTermCounts,
    Bug::RepeatNotAcked,
    Bug::BackOffByOne,
    Bug::NoPreVote,
    Bug::NoQuorumCheck,
    Bug::RecoveringHearsNobody,
    Bug::NoLoyalty,
    Bug::TransferUnready,
    Bug::EqualTimeouts,
    Bug::AskedTwiceRefused,
    Bug::LeaversNotTold,
    Bug::LearnersDoNotVote,
    Bug::KeepTailOnConflict,
    Bug::DropTailOnMatch,
    Bug::LateAnswersConfirm,
    Bug::WindowNotAsked,
    Bug::HeartbeatsWaitForData,
    Bug::LeaseFromReceipt,
    Bug::LostLogUnnoticed,
];

/// The fewest bugs that must be caught at all, and by the swarm alone.
const LEAST: (usize, usize) = (25, 20);

/// What noticed a bug.
struct Catch {
    by: String,
    seeds: u64,
    events: u64,
    how: String,
}

/// All that noticed a bug.
struct Hunt {
    told: Vec<(By, Catch)>,
    swarm: Option<Catch>,
}

#[test]
fn every_planted_bug_is_caught() {
    let begun = Instant::now();
    let (mut survivors, mut by_swarm, mut by_expectation) = (Vec::new(), 0, 0);
    println!(
        "{:<32} {:<22} {:>6} {:>9}  how",
        "bug", "caught by", "seeds", "events"
    );
    for (bug, hunt) in hunt_all() {
        let name = format!("{bug:?}");
        for catch in hunt.told.iter().map(|(_, catch)| catch).chain(&hunt.swarm) {
            let Catch {
                by,
                seeds,
                events,
                how,
            } = catch;
            println!("{name:<32} {by:<22} {seeds:>6} {events:>9}  {how}");
        }
        if hunt.swarm.is_some() {
            by_swarm += 1;
        } else if hunt.told.is_empty() {
            survivors.push(name);
        } else if hunt.told.iter().all(|(by, _)| *by == By::Expect) {
            by_expectation += 1;
        }
    }
    println!(
        "* {} planted bugs: {by_swarm} caught by the swarm, {by_expectation} only by what a story expects; in {:.1} s",
        Bug::ALL.len(),
        begun.elapsed().as_secs_f64()
    );
    assert!(survivors.is_empty(), "survived: {}", survivors.join(", "));
    if env::var("OTTERKEEPER_MUTANTS").is_ok_and(|asked| asked != "all") {
        return;
    }
    assert!(LEAST.0 <= Bug::ALL.len(), "{} bugs", Bug::ALL.len());
    assert!(LEAST.1 <= by_swarm, "the swarm caught {by_swarm}");
}

/// Hunts all bugs, one on each core at a time; each ends with its first catch.
fn hunt_all() -> Vec<(Bug, Hunt)> {
    let asked = env::var("OTTERKEEPER_MUTANTS").ok();
    let named = |bug: &&Bug| {
        let name = format!("{bug:?}");
        asked
            .as_ref()
            .is_none_or(|asked| asked == "all" || asked.split(',').any(|asked| asked == name))
    };
    let bugs: Vec<Bug> = Bug::ALL.iter().filter(named).copied().collect();
    let next = AtomicUsize::new(0);
    let hunts = Mutex::new(Vec::new());
    let cores = thread::available_parallelism().map_or(2, usize::from);
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while let Some(bug) = bugs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let swarm = asked.is_some() || !BY_STORY.contains(bug);
                    let hunt = Hunt {
                        told: by_story(*bug),
                        swarm: if swarm { by_seed(*bug) } else { None },
                    };
                    hunts
                        .lock()
                        .expect("no thread panics while it holds this")
                        .push((*bug, hunt));
                }
            });
        }
    });
    let mut hunts = hunts.into_inner().expect("all threads have ended");
    hunts.sort_by_key(|(bug, _)| *bug);
    hunts
}

/// The stories that fail with it.
fn by_story(bug: Bug) -> Vec<(By, Catch)> {
    let stories = script::caught_by_stories(bug).into_iter();
    stories
        .filter_map(|(story, failure)| {
            let failure = failure?;
            let catch = Catch {
                by: failure.by.name().into(),
                seeds: 0,
                events: failure.event,
                how: format!("scripts/{story}.txt: {}", failure.text),
            };
            Some((failure.by, catch))
        })
        .collect()
}

/// The first seed that fails with it.
fn by_seed(bug: Bug) -> Option<Catch> {
    let options = Options {
        planted: Some(bug),
        ..Options::default()
    };
    let mut events = 0;
    let (seeds, by, text) = (1..=SEEDS).find_map(|seed| match run_caught(seed, &options) {
        Ok(run) => {
            events += run.events;
            run.failure
                .map(|failure| (seed, failure.name, failure.text))
        }
        Err(panic) => Some((seed, "panic", panic)),
    })?;
    Some(Catch {
        by: by.into(),
        seeds,
        events,
        how: text,
    })
}

/// A failing seed becomes a short script that fails in the same way, and only with the bug.
#[test]
fn a_failing_seed_shrinks_to_a_script() {
    for (bug, most) in [(Bug::NoLogCheck, 8), (Bug::LeaderCountsBeforeSync, 12)] {
        let options = Options {
            planted: Some(bug),
            profile: Profile::Storm,
            ..Options::default()
        };
        let case = (1..=SEEDS).find_map(|seed| Case::of_seed(seed, &options));
        let case = case.expect("the swarm finds this bug");
        let (name, before) = (case.failure.name, case.deeds.len());
        let small = case.shrink(RUNS, |_, _| {});
        let script = small.script();
        println!("{bug:?}: from {before} interventions\n{script}");
        assert!(small.deeds.len() <= most, "{} are left", small.deeds.len());
        let told = script::complaints(&script, Some(bug));
        assert!(
            told.iter().any(|complaint| complaint.starts_with(name)),
            "{told:?}"
        );
        let sound = script::complaints(&script, None);
        assert!(sound.is_empty(), "{sound:?}");
    }
}

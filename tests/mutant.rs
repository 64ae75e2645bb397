//! Trust no checker that has not caught a bug. Each known bug is planted in every member of simulated
//! clusters; a named invariant, the clients' oracle or the demand for recovery must notice it.

use std::env;
use std::time::Instant;

use otterkeeper_core::config::Bug;
use otterkeeper_core::sim::shrink::{Case, RUNS};
use otterkeeper_core::sim::swarm::{Options, Profile};

use crate::script::{self, By};
use crate::swarm::run_caught;

/// Seeds that a bug may survive before it has survived the swarm.
const SEEDS: u64 = 500;

/// The faults that bring a bug out.
fn profile(bug: Bug) -> Profile {
    match bug {
        Bug::WithheldAckSurvivesTruncation | Bug::FrozenDiskLeads => Profile::Stalls,
        Bug::CommitBeyondMatch => Profile::Partitions,
        Bug::ForgetVote => Profile::Crashes,
        Bug::ReadUnconfirmed | Bug::ReadBeforeOwnTerm => Profile::Partitions,
        Bug::ConfigurationAtCommit
        | Bug::NewSetDecidesAlone
        | Bug::ConfigurationNotRolledBack
        | Bug::LearnerCounts
        | Bug::PromotedUnready
        | Bug::ReplicaReused
        | Bug::RemovedLeaderCounts
        | Bug::NoOwnTermBarrier
        | Bug::JointLeftEarly => Profile::Members,
        Bug::LeaversNotTold | Bug::LearnersDoNotVote => Profile::Members,
        Bug::KeepTailOnConflict
        | Bug::DropTailOnMatch
        | Bug::SnapshotOfferedOnce
        | Bug::LogCutBeforeSnapshot
        | Bug::ClientsOutliveInstall
        | Bug::SnapshotForgetsLives => Profile::Snapshots,
        Bug::LateAnswersConfirm => Profile::Partitions,
        Bug::HeartbeatsWaitForData => Profile::Stalls,
        Bug::ProbeSentOnce | Bug::WindowNotAsked => Profile::Lossy,
        _ => Profile::Storm,
    }
}

/// Bugs that the swarm brings out not at all, or after hundreds of seeds: the suite asks only their
/// stories. `OTTERKEEPER_MUTANTS=all`, or the names of some with commas, asks the swarm all the same.
const BY_STORY: &[Bug] = &[
    Bug::WithheldAckSurvivesTruncation,
    Bug::CommitOldTerm,
    Bug::ForgetVote,
    Bug::AckOfOldTermCounts,
    Bug::RepeatNotAcked,
    Bug::HintBeyondProbe,
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
    Bug::SnapshotOfNewestMembers,
    Bug::SnapshotOfferedOnce,
    Bug::LogCutBeforeSnapshot,
    Bug::ClientsOutliveInstall,
    Bug::SnapshotForgetsLives,
    Bug::LateAnswersConfirm,
    Bug::DeadlinesOutliveLead,
    Bug::ExpiresBesideTheLog,
    Bug::ProbeSentOnce,
    Bug::WindowNotAsked,
    Bug::HeartbeatsWaitForData,
    Bug::WritesRunAgain,
    Bug::AppliesUncommitted,
];

/// The fewest bugs that must be caught at all, and by the swarm alone.
const LEAST: (usize, usize) = (25, 24);

/// What noticed a bug.
struct Catch {
    by: String,
    seeds: u64,
    events: u64,
    how: String,
}

#[test]
fn every_planted_bug_is_caught() {
    let begun = Instant::now();
    let (mut survivors, mut by_swarm, mut by_expectation) = (Vec::new(), 0, 0);
    println!(
        "{:<32} {:<22} {:>6} {:>9}  how",
        "bug", "caught by", "seeds", "events"
    );
    let print = |name: &str, catch: &Catch| {
        let Catch {
            by,
            seeds,
            events,
            how,
        } = catch;
        println!("{name:<32} {by:<22} {seeds:>6} {events:>9}  {how}");
    };
    let asked = env::var("OTTERKEEPER_MUTANTS").ok();
    for bug in Bug::ALL {
        let name = format!("{bug:?}");
        if asked
            .as_ref()
            .is_some_and(|asked| asked != "all" && !asked.split(',').any(|asked| asked == name))
        {
            continue;
        }
        let told = by_story(*bug);
        for (_, catch) in &told {
            print(&name, catch);
        }
        let swarm = match asked.is_some() || !BY_STORY.contains(bug) {
            true => by_seed(*bug),
            false => None,
        };
        if let Some(catch) = swarm {
            print(&name, &catch);
            by_swarm += 1;
        } else if told.is_empty() {
            survivors.push(name);
        } else if told.iter().all(|(by, _)| *by == By::Expect) {
            by_expectation += 1;
        }
    }
    println!(
        "{} bugs: {by_swarm} caught by the swarm, {by_expectation} only by what a story expects; in {:.1} s",
        Bug::ALL.len(),
        begun.elapsed().as_secs_f64()
    );
    assert!(survivors.is_empty(), "survived: {}", survivors.join(", "));
    if asked.is_some_and(|asked| asked != "all") {
        return;
    }
    assert!(LEAST.0 <= Bug::ALL.len(), "{} bugs", Bug::ALL.len());
    assert!(LEAST.1 <= by_swarm, "the swarm caught {by_swarm}");
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
    let profile = profile(bug);
    let options = Options {
        planted: Some(bug),
        profile,
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
        how: format!("{}: {text}", profile.name()),
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

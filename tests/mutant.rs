//! Trust no checker that has not caught a bug. Each known bug is planted in every member of simulated
//! clusters; a named invariant, the clients' oracle or the demand for recovery must notice it.

use std::time::Instant;

use otterkeeper_core::config::Bug;
use otterkeeper_core::sim::shrink::{Case, RUNS};
use otterkeeper_core::sim::swarm::{Options, Profile};

use crate::script;
use crate::swarm::run_caught;

/// Seeds that a bug may survive before it has survived altogether.
const SEEDS: u64 = 400;

/// For each bug: a script that shows it, if one does, and the faults that bring it out.
fn hunt(bug: Bug) -> (Option<&'static str>, Profile) {
    match bug {
        Bug::WithheldAckSurvivesTruncation => (Some("truncation-in-flight"), Profile::Stalls),
        Bug::FrozenDiskLeads => (Some("frozen-disk"), Profile::Stalls),
        Bug::CommitOldTerm => (Some("prior-term-entries"), Profile::Storm),
        Bug::CommitBeyondMatch => (Some("follower-commit-bound"), Profile::Partitions),
        Bug::ForgetVote => (Some("vote-remembered"), Profile::Crashes),
        Bug::ReadUnconfirmed | Bug::ReadBeforeOwnTerm => (None, Profile::Partitions),
        Bug::ConfigurationAtCommit
        | Bug::NewSetDecidesAlone
        | Bug::ConfigurationNotRolledBack
        | Bug::LearnerCounts
        | Bug::PromotedUnready
        | Bug::ReplicaReused
        | Bug::RemovedLeaderCounts
        | Bug::NoOwnTermBarrier
        | Bug::JointLeftEarly => (None, Profile::Members),
        _ => (None, Profile::Storm),
    }
}

#[test]
fn every_planted_bug_is_caught() {
    let begun = Instant::now();
    let mut survivors = Vec::new();
    println!(
        "{:<32} {:<22} {:>6} {:>9}  how",
        "bug", "caught by", "seeds", "events"
    );
    for bug in Bug::ALL {
        let (story, profile) = hunt(*bug);
        let name = format!("{bug:?}");
        if let Some(story) = story
            && let Some((invariant, events)) = script::play_with_bug(story, *bug)
        {
            println!(
                "{name:<32} {:<22} {:>6} {events:>9}  scripts/{story}.txt",
                invariant.name(),
                "-"
            );
            continue;
        }
        let options = Options {
            planted: Some(*bug),
            profile,
            ..Options::default()
        };
        let mut events = 0;
        let caught = (1..=SEEDS).find_map(|seed| match run_caught(seed, &options) {
            Ok(run) => {
                events += run.events;
                run.failure
                    .map(|failure| (seed, failure.name, failure.text))
            }
            Err(panic) => Some((seed, "panic", panic)),
        });
        match caught {
            Some((seeds, by, text)) => {
                println!(
                    "{name:<32} {by:<22} {seeds:>6} {events:>9}  {}: {text}",
                    profile.name()
                );
            }
            None => survivors.push(name),
        }
    }
    println!("in {:.1} s", begun.elapsed().as_secs_f64());
    assert!(survivors.is_empty(), "survived: {}", survivors.join(", "));
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

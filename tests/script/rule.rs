//! The known traps of Raft, the stories that show the rules against them, and the proof that each story
//! needs its rule: played with the rule taken out, it fails by itself.
//!
//! Such a story says at its head which trap it is about, and either how the rule is taken out of every
//! member, or why that cannot be done:
//!
//! ```text
//! rule 2.2.3
//! without TruncateMatchingTail
//! rule 2.3.9
//! by-construction: the answer is read from the vote, there is no other way to give one
//! ```

use std::fs;
use std::path::Path;

use otterkeeper_core::config::Bug;

use super::{By, Complaint, scripts, tell};

/// A trap: its number, the rule against it, and what pins that.
type Trap = (&'static str, &'static str, Pin);

/// What keeps a rule.
enum Pin {
    /// A story with its number at its head.
    Story,
    /// Tests: a file and a function in it.
    Tests(&'static [(&'static str, &'static str)]),
}

use Pin::{Story, Tests};

#[rustfmt::skip] // One line a trap.
const TRAPS: &[Trap] = &[
    ("2.1.1", "term and vote are one durable record", Story),
    ("2.1.2", "no statement leaves before its facts are durable", Story),
    ("2.1.3", "the leader counts itself after its own fsync", Story),
    ("2.1.4", "acks name a version of the log", Story),
    ("2.1.5", "term and vote are written before entries", Story),
    ("2.1.6", "a failed fsync is terminal", Tests(&[("tests/crash.rs", "a_failed_sync_is_terminal")])),
    ("2.1.7", "replay redoes truncations", Tests(&[("tests/crash.rs", "replay_redoes_truncations"), ("tests/crash.rs", "what_was_reported_survives_random_crashes")])),
    ("2.1.8", "a torn tail is not corruption", Tests(&[("tests/crash.rs", "what_was_reported_survives_a_crash_at_each_operation"), ("tests/crash.rs", "damage_is_refused_or_does_no_harm")])),
    ("2.2.1", "only entries of the own term are counted", Story),
    ("2.2.2", "a follower commits what the message proved", Story),
    ("2.2.3", "only a real conflict truncates", Story),
    ("2.2.4", "an ack names all that its message proved", Story),
    ("2.2.5", "the entries of a message are contiguous", Story),
    ("2.2.6", "stale replies change nothing", Story),
    ("2.2.7", "back-off goes by terms", Story),
    ("2.2.8", "pages do not lose committed entries", Story),
    ("2.2.9", "entries, votes and snapshots are synced", Story),
    ("2.2.10", "only what is durable is applied", Story),
    ("2.2.11", "a restart applies from the snapshot on", Story),
    ("2.3.1", "a pre-vote changes nothing", Story),
    ("2.3.2", "old terms are answered", Story),
    ("2.3.3", "a leader without quorum steps down", Story),
    ("2.3.4", "any message of the leader is a sign of life", Story),
    ("2.3.5", "who hears a leader does not vote", Story),
    ("2.3.6", "the lead is handed over to who is up to date", Story),
    ("2.3.7", "timers are deadlines of their own", Story),
    ("2.3.8", "one member is a cluster", Story),
    ("2.3.9", "asking again is harmless", Story),
    ("2.4.1", "changes wait for an entry of the own term", Story),
    ("2.4.2", "a configuration is in force when appended", Story),
    ("2.4.3", "a joint phase needs both majorities", Story),
    ("2.4.4", "who is removed is told", Story),
    ("2.4.5", "learners catch up before they vote", Story),
    ("2.4.6", "an identity is never used again", Story),
    ("2.4.7", "a lost log is noticed", Story),
    ("2.5.1", "a snapshot replaces a log that does not fit", Story),
    ("2.5.2", "a snapshot has its own configuration", Story),
    ("2.5.3", "sending a snapshot comes to an end", Story),
    ("2.5.4", "the snapshot is durable before the log is cut", Story),
    ("2.5.5", "calls that wait survive compaction", Story),
    ("2.5.6", "a snapshot has all that the machine reads", Story),
    ("2.6.1", "a read waits for a round that began after it", Story),
    ("2.6.2", "rounds are counted", Story),
    ("2.6.3", "a lease counts from when it was asked for", Story),
    ("2.6.4", "expiry goes through the log", Story),
    ("2.7.1", "every pause has a release", Story),
    ("2.7.2", "heartbeats are not appends", Story),
    ("2.7.3", "everything is bounded", Tests(&[
        ("core/src/raft/tests/traps.rs", "proposals_are_refused_when_too_much_waits"),
        ("core/src/raft/tests/traps.rs", "no_more_is_under_way_than_the_window_allows"),
        ("core/src/raft/tests/traps.rs", "no_more_waits_for_the_disk_than_the_limit"),
        ("core/src/raft/tests/read.rs", "no_more_questions_wait_than_the_limit"),
        ("tests/limits.rs", "a_node_takes_no_more_connections_than_the_limit"),
        ("tests/limits.rs", "a_connection_has_no_more_requests_than_the_limit"),
    ])),
    ("2.8.1", "each request runs once", Story),
    ("2.8.2", "old entries mean what they meant", Tests(&[
        ("tests/golden.rs", "golden_bytes_are_kept"),
        ("tests/upgrade.rs", "old_entries_give_the_state_that_they_gave"),
        ("tests/upgrade.rs", "a_node_stops_at_an_entry_that_it_does_not_know"),
    ])),
    ("2.8.3", "nothing is executed before it is committed", Story),
];

/// Whether a line of a story belongs to its head.
pub(super) fn is_header(line: &str) -> bool {
    ["rule ", "without ", "by-construction:"]
        .iter()
        .any(|word| line.starts_with(word))
}

/// What a story says of one trap.
struct Claim {
    trap: String,
    without: Vec<Bug>,
    by_construction: Option<String>,
}

pub(super) fn bug_of(name: &str) -> Option<Bug> {
    let mut all = Bug::ALL.iter();
    all.find(|bug| format!("{bug:?}") == name).copied()
}

/// The head of a story.
fn claims(text: &str) -> Result<Vec<Claim>, String> {
    let mut claims: Vec<Claim> = Vec::new();
    for line in text.lines().filter(|line| is_header(line)) {
        if let Some(trap) = line.strip_prefix("rule ") {
            claims.push(Claim {
                trap: trap.into(),
                without: Vec::new(),
                by_construction: None,
            });
            continue;
        }
        let claim = claims.last_mut().ok_or("it has no `rule` first")?;
        if let Some(name) = line.strip_prefix("without ") {
            let bug = bug_of(name).ok_or_else(|| format!("no bug is called {name}"))?;
            claim.without.push(bug);
        } else if let Some(reason) = line.strip_prefix("by-construction: ") {
            claim.by_construction = Some(reason.into());
        }
    }
    for claim in &claims {
        if claim.without.is_empty() == claim.by_construction.is_none() {
            return Err(format!(
                "rule {} needs `without BUG` or `by-construction: REASON`",
                claim.trap
            ));
        }
    }
    Ok(claims)
}

/// The stories that say they need the absence of this bug, each with what fails with it: an invariant
/// before anything else.
pub(crate) fn caught_by_stories(bug: Bug) -> Vec<(String, Option<Complaint>)> {
    let mut found = Vec::new();
    for (name, path) in scripts() {
        let text = fs::read_to_string(&path).expect("a script can be read");
        let claims = claims(&text).unwrap_or_default();
        if claims.iter().any(|claim| claim.without.contains(&bug)) {
            let told = tell(&text, Some(bug)).complaints;
            let mut broken = told.iter().filter(|c| matches!(c.by, By::Invariant(_)));
            let failure = broken.next().cloned();
            found.push((name, failure.or_else(|| first_failure(&text, bug))));
        }
    }
    found
}

/// What fails first with the bug; nothing, if that is a command that has lost its sense.
fn first_failure(text: &str, bug: Bug) -> Option<Complaint> {
    let first = tell(text, Some(bug)).complaints.into_iter().next();
    first.filter(|complaint| complaint.by != By::Command)
}

#[test]
fn every_trap_is_pinned_and_every_story_needs_its_rule() {
    let mut wrong = Vec::new();
    let mut heads = Vec::new();
    for (name, path) in scripts() {
        let text = fs::read_to_string(&path).expect("a script can be read");
        match claims(&text) {
            Ok(claims) => heads.push((name, text, claims)),
            Err(complaint) => wrong.push(format!("{name}: {complaint}")),
        }
    }
    for (name, _, claims) in &heads {
        for claim in claims {
            if !TRAPS.iter().any(|(number, ..)| *number == claim.trap) {
                wrong.push(format!("{name}: no trap has the number {}", claim.trap));
            }
        }
    }
    for (number, rule, pin) in TRAPS {
        let mut is_told = false;
        println!("{number:<7}{rule}");
        for (name, text, claims) in &heads {
            for claim in claims.iter().filter(|claim| claim.trap == *number) {
                is_told = true;
                if let Some(reason) = &claim.by_construction {
                    println!("         {name}: by construction: {reason}");
                }
                for bug in &claim.without {
                    match first_failure(text, *bug) {
                        Some(failure) => {
                            println!("         {name} without {bug:?}: {}", failure.sentence());
                        }
                        None => wrong.push(format!("{name} does not fail with {bug:?}")),
                    }
                }
            }
        }
        match pin {
            Story if !is_told => wrong.push(format!("no story has `rule {number}`")),
            Story => {}
            Tests(tests) => {
                for (file, test) in *tests {
                    println!("         {file}: {test}");
                    if !has_test(file, test) {
                        wrong.push(format!("{file} has no test {test}"));
                    }
                }
            }
        }
    }
    let beside = heads.iter().filter(|(.., claims)| claims.is_empty());
    let names: Vec<&str> = beside.map(|(name, ..)| name.as_str()).collect();
    println!("about other things: {}", names.join(", "));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether a source file of this repository has a test of this name.
fn has_test(file: &str, test: &str) -> bool {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = fs::read_to_string(root.join(file)).unwrap_or_default();
    let name = format!("fn {test}(");
    let mut lines = text.lines();
    let mut attributed = false;
    lines.any(|line| {
        let is_it = attributed && line.contains(&name);
        attributed = line.trim() == "#[test]" || attributed && line.trim().starts_with("#[");
        is_it
    })
}

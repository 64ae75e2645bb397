//! The five properties of figure 3 of the paper, each alone, after every event of chaotic runs: loss,
//! repeats, reordering, partitions, crashes that tear unsynced writes, cut logs.

use super::chaos::Chaos;
use super::*;

const SEEDS: u64 = 24;
const EVENTS: u32 = 2_500;

/// Runs chaos and looks after every event with what `of` gives for each run. Returns what the looks add up
/// to, so that a property of nothing is noticed.
fn always<Look: FnMut(&Net) -> u64>(of: impl Fn() -> Look) -> u64 {
    let mut sum = 0;
    for seed in 1_000..1_000 + SEEDS {
        let mut chaos = Chaos::new(2 + seed % 4, seed, |_| ());
        let mut look = of();
        for _ in 0..EVENTS {
            chaos.event();
            sum += look(&chaos.net);
        }
    }
    sum
}

fn entries(raft: &Raft) -> impl Iterator<Item = &Entry> {
    let range = raft.first_index().0..=raft.last().index.0;
    range.filter_map(|index| raft.entry(Index(index)))
}

fn leaders(net: &Net) -> impl Iterator<Item = (u64, &Raft)> {
    let nodes = net.rafts.iter().map(|(node, raft)| (*node, raft));
    nodes.filter(|(_, raft)| raft.is_leader())
}

/// "At most one leader can be elected in a given term."
#[test]
fn election_safety() {
    let elected = always(|| {
        let mut by_term = BTreeMap::new();
        move |net: &Net| {
            let known = by_term.len();
            for (node, raft) in leaders(net) {
                let first = *by_term.entry(raft.term()).or_insert(node);
                assert_eq!(first, node, "two leaders of term {}", raft.term());
            }
            (by_term.len() - known) as u64
        }
    });
    assert!(elected > SEEDS, "{elected} leaders");
}

/// "A leader never overwrites or deletes entries in its log; it only appends new entries."
#[test]
fn leader_append_only() {
    let appended = always(|| {
        let mut before: BTreeMap<(u64, Term), Vec<LogId>> = BTreeMap::new();
        move |net: &Net| {
            let mut appended = 0;
            let mut now = BTreeMap::new();
            for (node, raft) in leaders(net) {
                let key = (node, raft.term());
                if let Some(ids) = before.get(&key) {
                    // What a snapshot covers may leave memory.
                    let kept = ids.iter().filter(|id| raft.first_index() <= id.index);
                    for id in kept {
                        let entry = raft.entry(id.index).map(|entry| entry.id);
                        assert_eq!(entry, Some(*id), "leader {node} of term {}", raft.term());
                    }
                    let last = ids.last().map_or(0, |id| id.index.0);
                    appended += raft.last().index.0.saturating_sub(last);
                }
                now.insert(key, entries(raft).map(|entry| entry.id).collect());
            }
            before = now;
            appended
        }
    });
    assert!(appended > 100, "{appended} entries");
}

/// "If two logs contain an entry with the same index and term, then the logs are identical in all entries up
/// through the given index."
#[test]
fn log_matching() {
    let compared = always(|| {
        let mut events = 0;
        move |net: &Net| {
            events += 1;
            if events % 8 != 0 {
                return 0;
            }
            let mut compared = 0;
            for (one, a) in &net.rafts {
                for (other, b) in net.rafts.range(one + 1..) {
                    let shared = entries(a)
                        .filter(|entry| b.entry(entry.id.index).is_some_and(|o| o.id == entry.id));
                    let Some(last) = shared.last() else {
                        continue;
                    };
                    let first = a.first_index().max(b.first_index());
                    for index in first.0..=last.id.index.0 {
                        let (mine, theirs) = (a.entry(Index(index)), b.entry(Index(index)));
                        assert_eq!(mine, theirs, "{one} and {other} agree at {}", last.id);
                        compared += 1;
                    }
                }
            }
            compared
        }
    });
    assert!(compared > 10_000, "{compared} entries");
}

/// "If a log entry is committed in a given term, then that entry will be present in the logs of the leaders
/// for all higher-numbered terms."
#[test]
fn leader_completeness() {
    let found = always(|| {
        // With the term in which it was committed.
        let mut committed: BTreeMap<Index, (Term, LogId)> = BTreeMap::new();
        move |net: &Net| {
            for (_, raft) in leaders(net) {
                for index in (raft.first_index().0..=raft.commit().0).rev() {
                    let index = Index(index);
                    if committed.contains_key(&index) {
                        break;
                    }
                    let entry = raft.entry(index).expect("committed, and in the log");
                    committed.insert(index, (raft.term(), entry.id));
                }
            }
            let mut found = 0;
            for (node, raft) in leaders(net) {
                for (term, id) in committed.range(raft.first_index()..).map(|(_, of)| of) {
                    if *term < raft.term() {
                        let own = raft.entry(id.index).map(|entry| entry.id);
                        assert_eq!(own, Some(*id), "leader {node} of term {}", raft.term());
                        found += 1;
                    }
                }
            }
            found
        }
    });
    assert!(found > 1_000, "{found} entries");
}

/// "If a server has applied a log entry at a given index to its state machine, no other server will ever apply
/// a different log entry for the same index."
#[test]
fn state_machine_safety() {
    let applied = always(|| {
        let mut first: BTreeMap<Index, Entry> = BTreeMap::new();
        let mut reached: BTreeMap<u64, Index> = BTreeMap::new();
        move |net: &Net| {
            let mut applied = 0;
            for (node, raft) in &net.rafts {
                let before = reached.insert(*node, raft.ready()).unwrap_or_default();
                // After a restart it applies again.
                let from = before.next().min(raft.ready()).max(raft.first_index());
                for index in from.0..=raft.ready().0 {
                    let entry = raft.entry(Index(index)).expect("in the log");
                    let other = first.entry(Index(index)).or_insert_with(|| entry.clone());
                    assert_eq!(other, entry, "node {node} applies another {index}");
                    applied += 1;
                }
            }
            applied
        }
    });
    assert!(applied > 1_000, "{applied} entries");
}

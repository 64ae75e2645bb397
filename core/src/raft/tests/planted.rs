//! Every planted bug does what its name says, in the smallest scene that shows it; without it the same
//! scene goes well. So a bug that the swarm misses is missed by the swarm, and not absent. Bugs of the node
//! around Raft, and those that take a cluster and some time, have no scene here; stories and the swarm show
//! them.

use super::membership::{self, change, members};
use super::*;
use crate::config::Bug;

mod stream;
mod vote;

/// The fewest bugs that have a scene.
const SCENES: usize = 42;

/// A cluster whose first member may have a bug.
fn net(nodes: u64, bug: Option<Bug>) -> Net {
    let mut net = Net::new(nodes);
    if let Some(config) = net.configs.get_mut(&1) {
        config.planted = bug;
    }
    net.restart(1);
    net
}

fn with_log(bug: Option<Bug>, terms: &[u64]) -> Net {
    let mut net = net(3, bug);
    net.disk(1).vote.term = Term(3);
    net.disk(1).log = log(terms);
    net.restart(1);
    net
}

fn append(term: u64, prev: LogId, entries: Vec<Entry>, commit: u64) -> Message {
    Message::Append {
        term: Term(term),
        prev,
        entries,
        commit: Index(commit),
    }
}

fn vote(term: u64, last: LogId) -> Message {
    Message::Vote {
        term: Term(term),
        last,
        transfer: false,
    }
}

fn grants(messages: &[Message]) -> bool {
    matches!(messages, [Message::VoteReply { granted: true, .. }])
}

/// Whether the scene of this bug goes wrong.
fn goes_wrong(scene: Bug, bug: Option<Bug>) -> Option<bool> {
    Some(match scene {
        Bug::WithheldAckSurvivesTruncation => {
            let mut net = net(3, bug);
            net.receive(1, 2, append(1, id(0, 0), log(&[1, 1]), 0));
            net.receive(1, 3, append(2, id(1, 1), vec![entry(2, 2)], 0));
            net.sync(1);
            !net.sent(1, 2).is_empty()
        }
        Bug::ClaimsNotLowered => {
            let mut net = net(3, bug);
            net.receive(1, 2, append(1, id(0, 0), log(&[1, 1]), 0));
            net.receive(1, 3, append(2, id(1, 1), vec![entry(2, 2)], 0));
            let (first, _) = net.disk(1).pending[0];
            net.step(1, |raft, now, out| raft.written(now, first, out));
            net.raft(1).durable() != Index(1)
        }
        Bug::FrozenDiskLeads => {
            let mut net = net(3, bug);
            net.elect(1);
            net.disk(1).frozen = true;
            net.propose(1);
            (0..40).for_each(|_| net.beat(1));
            net.raft(1).is_leader()
        }
        Bug::LeaderCountsBeforeSync => {
            let mut net = net(3, bug);
            net.elect(1);
            net.disk(1).frozen = true;
            net.isolate(3);
            net.propose(1);
            net.settle();
            net.raft(1).commit() != Index(1)
        }
        Bug::ForgetVote => {
            let mut net = net(3, bug);
            net.answer(1, 2, vote(1, id(0, 0)));
            net.restart(1);
            grants(&net.answer(1, 3, vote(1, id(0, 0))))
        }
        Bug::CommitOldTerm => {
            // The peers acknowledge an old entry before that of the new term.
            let mut net = with_log(bug, &[1, 2]);
            net.pass(Span::from_ms(500));
            net.step(1, |raft, now, out| raft.campaign(now, out));
            for _ in 0..20 {
                if net.raft(1).is_leader() {
                    break;
                }
                net.sync_all();
                net.deliver();
            }
            let (term, matched) = (net.raft(1).term(), Index(2));
            net.receive(1, 2, Message::Appended { term, matched });
            net.raft(1).commit() == Index(2)
        }
        Bug::NoLogCheck => {
            let mut net = with_log(bug, &[1, 2]);
            grants(&net.answer(1, 2, vote(4, id(1, 9))))
        }
        Bug::TruncateMatchingTail => {
            let mut net = with_log(bug, &[1, 1, 1]);
            net.receive(1, 2, append(3, id(1, 1), vec![entry(1, 2)], 0));
            net.raft(1).last() != id(1, 3)
        }
        Bug::CommitBeyondMatch => {
            let mut net = with_log(bug, &[1, 1, 2]);
            net.receive(1, 2, append(3, id(1, 1), vec![entry(1, 2)], 3));
            net.raft(1).commit() != Index(2)
        }
        Bug::ReadUnconfirmed => {
            let mut net = net(3, bug);
            net.elect(1);
            net.isolate(1);
            net.ask(1);
            !net.confirmed.is_empty()
        }
        Bug::ReadBeforeOwnTerm => {
            // Entry 2 is committed, which node 1 learns only with its own blank entry.
            let mut net = with_log(bug, &[1, 2]);
            net.pass(Span::from_ms(500));
            net.step(1, |raft, now, out| raft.campaign(now, out));
            while !net.raft(1).is_leader() {
                net.sync_all();
                net.deliver();
            }
            net.ask(1);
            net.settle();
            net.confirmed[0].1 < Index(3)
        }
        Bug::LeaseFromReceipt => {
            let mut net = net(3, bug);
            for node in 1..=3 {
                net.configs.get_mut(&node).expect("a member").lease_reads = true;
                net.restart(node);
            }
            net.elect(1);
            net.pass(Span::from_ms(50));
            net.tick(1);
            net.deliver();
            // When the answers come, the others may have elected another leader.
            net.pass(Span::from_ms(250));
            net.deliver();
            net.reads_at_once(1)
        }
        Bug::VoteRequestBeforeSync => {
            let mut net = net(3, bug);
            net.pass(Span::from_ms(500));
            net.step(1, |raft, now, out| raft.campaign(now, out));
            net.deliver();
            net.deliver();
            net.sent(1, 2)
                .iter()
                .any(|m| matches!(m, Message::Vote { .. }))
        }
        _ => {
            return vote::goes_wrong(scene, bug)
                .or_else(|| stream::goes_wrong(scene, bug))
                .or_else(|| change_goes_wrong(scene, bug));
        }
    })
}

/// The scenes about who is a member.
fn change_goes_wrong(scene: Bug, bug: Option<Bug>) -> Option<bool> {
    let has_bug = |config: &mut Config| config.planted = bug;
    let listening = |voters, nodes: u64| {
        let mut net = membership::net(voters, nodes, has_bug);
        net.elect(1);
        let old: Vec<u64> = (1..=voters).collect();
        let new: Vec<u64> = (voters + 1..=nodes).collect();
        membership::change_all(&mut net, 1, &members(&old, &new));
        (0..3).for_each(|_| net.beat(1));
        net
    };
    Some(match scene {
        Bug::ConfigurationAtCommit => {
            let mut net = membership::net(3, 4, has_bug);
            net.elect(1);
            net.isolate(1);
            let target = members(&[1, 2, 3], &[4]);
            let _ = change(&mut net, 1, &target);
            net.raft(1).configuration() != &target
        }
        Bug::ConfigurationNotRolledBack => {
            let mut net = membership::net(3, 4, has_bug);
            net.elect(1);
            net.isolate(1);
            let _ = change(&mut net, 1, &members(&[1, 2, 3], &[4]));
            net.elect(2);
            net.heal();
            (0..8).for_each(|_| net.beat(2));
            net.raft(1).configuration() != net.raft(2).configuration()
        }
        Bug::NewSetDecidesAlone => {
            let mut net = listening(3, 5);
            net.isolate(2);
            net.isolate(3);
            let joint = change(&mut net, 1, &members(&[1, 4, 5], &[])).expect("ready");
            net.settle();
            joint.index <= net.raft(1).commit()
        }
        Bug::LearnerCounts => {
            let mut net = listening(3, 5);
            net.isolate(2);
            net.isolate(3);
            let id = net.propose(1);
            net.settle();
            id.index <= net.raft(1).commit()
        }
        Bug::PromotedUnready => {
            let mut net = membership::net(1, 2, has_bug);
            net.elect(1);
            net.settle();
            net.isolate(2);
            let target = members(&[1, 2], &[]);
            let _ = change(&mut net, 1, &target);
            net.settle();
            change(&mut net, 1, &target).is_ok()
        }
        Bug::ReplicaReused => {
            let net = membership::net(3, 3, has_bug);
            let wiped = crate::id::ReplicaId(7);
            net.raft(1).admits(NodeId(2), wiped, Index(0)).is_ok()
        }
        Bug::RemovedLeaderCounts => {
            let mut net = membership::net(3, 3, has_bug);
            net.elect(1);
            net.isolate(3);
            let _ = change(&mut net, 1, &members(&[2, 3], &[]));
            net.settle();
            !net.raft(1).configuration().is_joint()
        }
        Bug::NoOwnTermBarrier | Bug::JointLeftEarly => {
            let mut net = listening(3, 4);
            let target = members(&[1, 2, 4], &[]);
            if scene == Bug::JointLeftEarly {
                let _ = change(&mut net, 1, &target);
                net.sync_all();
                net.deliver();
                net.sync_all();
                net.wire.clear();
            }
            net.isolate(1);
            net.pass(Span::from_ms(500));
            net.step(2, |raft, now, out| raft.campaign(now, out));
            while !net.raft(2).is_leader() {
                net.sync_all();
                net.deliver();
            }
            match scene {
                Bug::JointLeftEarly => !net.raft(2).configuration().is_joint(),
                _ => change(&mut net, 2, &members(&[1, 2, 3], &[])).is_ok(),
            }
        }
        _ => return None,
    })
}

#[test]
fn every_planted_bug_does_harm() {
    let mut scenes = 0;
    for bug in Bug::ALL {
        let Some(wrong) = goes_wrong(*bug, Some(*bug)) else {
            continue;
        };
        scenes += 1;
        assert!(wrong, "{bug:?} does nothing");
        assert_eq!(goes_wrong(*bug, None), Some(false), "{bug:?} not planted");
    }
    assert!(SCENES <= scenes, "{scenes} scenes");
}

//! Scenes of the bugs on the log's way from the leader to the others and to the disk.

use super::*;

/// Whether the scene of this bug goes wrong, if it is one of these.
pub(super) fn goes_wrong(scene: Bug, bug: Option<Bug>) -> Option<bool> {
    let mut fresh = net(3, bug);
    Some(match scene {
        Bug::AckBeforeSync => {
            fresh.receive(1, 2, append(1, id(0, 0), log(&[1]), 0));
            !fresh.sent(1, 2).is_empty()
        }
        Bug::EntriesBeforeVote => {
            fresh.receive(1, 2, append(1, id(0, 0), log(&[1]), 0));
            fresh.disk(1).pending[0].1.vote.is_none()
        }
        Bug::VoteNotSynced => {
            fresh.receive(1, 2, vote(1, id(0, 0)));
            !fresh.disk(1).pending[0].1.sync
        }
        Bug::AppliesUnsynced => {
            fresh.elect(1);
            fresh.disk(1).frozen = true;
            fresh.propose(1);
            fresh.settle();
            fresh.raft(1).durable() < fresh.raft(1).ready()
        }
        Bug::AckOfOldTermCounts => {
            let mut net = leads_alone(bug, &[1, 2]);
            let (term, matched) = (Term(3), Index(3));
            net.receive(1, 2, Message::Appended { term, matched });
            net.sync(1);
            net.raft(1).commit() == matched
        }
        Bug::RepeatNotAcked => {
            let mut net = with_log(bug, &[1, 1]);
            let answer = net.answer(1, 2, append(3, id(0, 0), log(&[1, 1]), 0));
            let is_full = |message: &Message| matches!(message, Message::Appended { matched, .. } if *matched == Index(2));
            !answer.iter().any(is_full)
        }
        Bug::StaleBelowSnapshot => {
            fresh.disk(1).vote.term = Term(3);
            fresh.disk(1).snapshot = Some(SnapshotMeta {
                last: id(1, 3),
                stamp: START,
                configuration: fresh.configs[&1].members.clone(),
            });
            fresh.restart(1);
            let answer = fresh.answer(1, 2, append(3, id(1, 1), vec![entry(1, 2)], 0));
            matches!(answer[..], [Message::Rejected { .. }])
        }
        Bug::HoleInAppend => {
            let mut net = with_log(bug, &[1, 1, 1, 1]);
            net.elect(1);
            net.raft(2).last() != net.raft(1).last()
        }
        Bug::HintBeyondProbe => {
            let mut net = with_log(bug, &[1, 1, 1]);
            let answer = net.answer(1, 2, append(3, id(2, 2), Vec::new(), 0));
            matches!(answer[..], [Message::Rejected { hint, .. }] if Index(2) < hint.index)
        }
        Bug::BackOffByOne => {
            let mut net = leads_alone(bug, &[1, 1, 1, 1, 1]);
            let (term, prev, hint) = (net.raft(1).term(), Index(5), id(0, 0));
            net.receive(1, 2, Message::Rejected { term, prev, hint });
            net.peer(1, 2).2 != 1
        }
        _ => return None,
    })
}

/// Member 1 has entries of these terms, the others have none, and it has just won.
fn leads_alone(bug: Option<Bug>, terms: &[u64]) -> Net {
    let mut net = with_log(bug, terms);
    net.pass(Span::from_ms(500));
    net.step(1, |raft, now, out| raft.campaign(now, out));
    while !net.raft(1).is_leader() {
        net.sync_all();
        net.deliver();
    }
    net.wire.clear();
    net
}

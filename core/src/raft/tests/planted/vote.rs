//! Scenes of the bugs in elections.

use super::*;

/// Whether the scene of this bug goes wrong, if it is one of these.
pub(super) fn goes_wrong(scene: Bug, bug: Option<Bug>) -> Option<bool> {
    let mut net = net(3, bug);
    Some(match scene {
        Bug::NoPreVote => {
            net.isolate(1);
            net.now = net.raft(1).deadline();
            net.tick(1);
            net.raft(1).term() != Term(0)
        }
        Bug::PreVotesCount => {
            net.pass(Span::from_ms(500));
            net.step(1, |raft, now, out| raft.campaign(now, out));
            net.deliver();
            net.deliver();
            net.sync(1);
            net.raft(1).is_leader()
        }
        Bug::OldTermIgnored => {
            net.elect(1);
            net.answer(1, 2, append(0, id(0, 0), Vec::new(), 0))
                .is_empty()
        }
        Bug::NoQuorumCheck => {
            net.elect(1);
            net.isolate(1);
            (0..20).for_each(|_| net.beat(1));
            net.raft(1).is_leader()
        }
        Bug::CommitsAlone => {
            net.elect(1);
            net.isolate(1);
            net.propose(1);
            (0..20).for_each(|_| net.beat(1));
            net.raft(1).commit() == net.raft(1).last().index
        }
        Bug::RecoveringHearsNobody => {
            let due = net.raft(1).deadline();
            net.pass(Span::from_ms(100));
            let heartbeat = Message::Heartbeat {
                term: Term(1),
                commit: Index(0),
                round: 1,
            };
            net.receive(1, 2, heartbeat);
            net.raft(1).deadline() == due
        }
        Bug::NoLoyalty => {
            net.elect(2);
            grants(&net.answer(1, 3, vote(2, id(1, 1))))
        }
        Bug::TransferUnready => {
            net.elect(1);
            net.isolate(2);
            net.propose(1);
            net.settle();
            net.heal();
            net.step(1, |raft, now, out| {
                let _ = raft.transfer(now, Some(NodeId(2)), out);
            });
            let told = |message: &&Message| matches!(message, Message::TimeoutNow { .. });
            net.sent(1, 2).iter().any(told)
        }
        Bug::EqualTimeouts => {
            net.isolate(1);
            (0..5).all(|_| {
                net.now = net.raft(1).deadline();
                net.tick(1);
                net.raft(1).deadline() == net.now + net.configs[&1].election_min
            })
        }
        Bug::AskedTwiceRefused => {
            let asked = || vote(1, id(0, 0));
            net.answer(1, 2, asked());
            !grants(&net.answer(1, 2, asked()))
        }
        Bug::VoteForgottenOnStepDown => {
            net.isolate(3);
            net.pass(Span::from_ms(500));
            net.step(1, |raft, now, out| raft.campaign(now, out));
            while net.raft(1).role() != Role::Candidate {
                net.deliver();
            }
            net.sync(1);
            let refusal = |from| {
                (
                    from,
                    Message::VoteReply {
                        term: Term(1),
                        granted: false,
                    },
                )
            };
            for (from, refusal) in [refusal(2), refusal(3)] {
                net.receive(1, from, refusal);
            }
            grants(&net.answer(1, 2, vote(1, id(0, 0))))
        }
        _ => return None,
    })
}

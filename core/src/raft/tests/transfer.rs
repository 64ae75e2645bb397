//! Handing the lead over (raft.md 2.3.6, rule R5).

use super::super::{Refusal, State};
use super::*;

impl Net {
    fn transfer(&mut self, leader: u64, to: Option<u64>) -> Result<(), String> {
        let mut result = Ok(());
        self.step(leader, |raft, now, out| {
            result = raft.transfer(now, to.map(NodeId), out).map(|_| ());
        });
        result
    }

    fn told_to_campaign(&self, from: u64, to: u64) -> bool {
        let told = |message: &&Message| matches!(message, Message::TimeoutNow { .. });
        self.sent(from, to).iter().any(told)
    }
}

#[test]
fn the_lead_moves_without_a_pre_vote_and_in_spite_of_loyalty() {
    let mut net = Net::new(3);
    net.elect(1);
    net.beat(1);
    // No time passes: node 3 heard the leader just now.
    assert_eq!(net.transfer(1, Some(2)), Ok(()));
    assert!(net.told_to_campaign(1, 2));
    net.deliver();
    assert_eq!(net.raft(2).role(), Role::Candidate);
    net.settle();
    assert_eq!(net.raft(2).role(), Role::Leader);
    assert_eq!(net.ended, [(1, NodeId(2), TransferEnd::Done)]);
    assert_eq!(net.raft(1).transferring(), None);
}

#[test]
fn the_target_gets_everything_first_and_nothing_new_comes_in_between() {
    let mut net = Net::new(3);
    net.elect(1);
    net.isolate(2);
    net.propose_many(1, 3);
    net.settle();
    net.heal();
    assert_eq!(net.transfer(1, Some(2)), Ok(()));
    assert!(!net.told_to_campaign(1, 2), "it lacks entries");
    net.step(1, |raft, now, _| {
        assert_eq!(raft.propose(now, command()), Err(Refusal::HandingOver));
    });
    for _ in 0..7 {
        net.beat(1);
    }
    assert_eq!(net.raft(2).role(), Role::Leader);
    assert_eq!(net.raft(2).last().index, net.raft(1).last().index);
}

#[test]
fn a_target_that_lacks_the_leaders_last_entry_does_not_campaign() {
    let mut net = Net::with_logs(&[(1, &[1]), (1, &[1]), (1, &[1])]);
    let now = Message::TimeoutNow {
        term: Term(1),
        last: id(1, 2),
    };
    net.receive(2, 1, now);
    assert_eq!(net.raft(2).role(), Role::Follower);
    let now = Message::TimeoutNow {
        term: Term(1),
        last: id(1, 1),
    };
    net.receive(2, 1, now.clone());
    assert_eq!(net.raft(2).role(), Role::Candidate);
    // A late copy is of an old term by now.
    net.receive(2, 1, now);
    assert_eq!(net.raft(2).term(), Term(2));
}

#[test]
fn a_transfer_is_given_up_after_the_longest_election_timeout() {
    let mut net = Net::new(3);
    net.elect(1);
    net.isolate(2);
    assert_eq!(net.transfer(1, Some(2)), Ok(()));
    let until = net.now + net.configs[&1].election_max();
    assert_eq!(net.raft(1).transferring(), Some((NodeId(2), until)));
    while net.now < until {
        assert!(net.raft(1).deadline() <= until);
        assert_eq!(net.ended, []);
        net.beat(1);
    }
    assert_eq!(net.ended, [(1, NodeId(2), TransferEnd::TimedOut)]);
    assert_eq!(net.raft(1).role(), Role::Leader);
    net.propose(1);
}

#[test]
fn a_lost_request_to_campaign_is_sent_again() {
    let mut net = Net::new(3);
    net.elect(1);
    assert_eq!(net.transfer(1, Some(2)), Ok(()));
    net.wire.clear();
    net.beat(1);
    net.settle();
    assert_eq!(net.raft(2).role(), Role::Leader);
}

#[test]
fn a_transfer_can_be_cancelled() {
    let mut net = Net::new(3);
    net.elect(1);
    net.isolate(2);
    assert_eq!(net.transfer(1, Some(2)), Ok(()));
    net.step(1, |raft, _, out| assert!(raft.cancel_transfer(out)));
    net.step(1, |raft, _, out| assert!(!raft.cancel_transfer(out)));
    assert_eq!(net.ended, [(1, NodeId(2), TransferEnd::Cancelled)]);
    net.propose(1);
}

#[test]
fn nonsense_is_refused_with_a_sentence() {
    let mut net = Net::new(3);
    assert_eq!(net.transfer(1, None), Err("there is no leader".into()));
    net.elect(1);
    let says = |net: &mut Net, node, to| net.transfer(node, to).expect_err("refused");
    assert_eq!(says(&mut net, 2, Some(3)), "member 1 leads: ask it");
    assert_eq!(says(&mut net, 1, Some(1)), "member 1 leads already");
    assert_eq!(says(&mut net, 1, Some(9)), "9 is no voting member");
    net.isolate(2);
    assert_eq!(net.transfer(1, Some(2)), Ok(()));
    assert_eq!(
        says(&mut net, 1, Some(3)),
        "the lead is on its way to member 2 already"
    );
    let mut alone = Net::new(1);
    alone.tick(1);
    alone.sync(1);
    assert_eq!(says(&mut alone, 1, None), "no other voting member follows");
}

#[test]
fn without_a_name_the_lead_goes_to_the_member_that_is_furthest() {
    let mut net = Net::new(3);
    net.elect(1);
    net.disk(2).frozen = true;
    net.propose(1);
    net.settle();
    assert_eq!(net.transfer(1, None), Ok(()));
    net.settle();
    assert_eq!(net.raft(3).role(), Role::Leader);
}

#[test]
fn another_one_that_wins_ends_it_too() {
    let mut net = Net::new(3);
    net.elect(1);
    assert_eq!(net.transfer(1, Some(2)), Ok(()));
    net.wire.clear();
    net.isolate(1);
    net.elect(3);
    net.heal();
    net.beat(3);
    assert_eq!(
        net.ended,
        [(1, NodeId(2), TransferEnd::Overtaken(NodeId(3)))]
    );
}

#[test]
fn a_leader_whose_disk_stands_still_hands_over() {
    let mut net = Net::new(3);
    net.elect(1);
    net.disk(1).frozen = true;
    net.propose(1);
    net.settle();
    let stall = net.configs[&1].disk_stall_limit;
    let limit = net.now + stall;
    while net.raft(1).is_leader() {
        assert!(net.now <= limit, "it leads on");
        net.beat(1);
    }
    assert_eq!(net.raft(2).role(), Role::Leader, "and not after a timeout");
    assert!(matches!(net.rafts[&1].state, State::Follower { .. }));
    net.disk(1).frozen = false;
    net.settle();
    assert_eq!(net.commits(), [3, 3, 3]);
}

/// Its process stood still while the time of its disk ran out.
#[test]
fn a_leader_that_notices_late_has_less_time_to_hand_over() {
    let mut net = Net::new(3);
    net.elect(1);
    // Nobody writes, so that nobody has all that the next leader needs.
    (1..=3).for_each(|node| net.disk(node).frozen = true);
    let config = net.configs[&1].clone();
    let limit = net.now + config.disk_stall_limit + config.election_max();
    let late = net.now + config.disk_stall_limit - Span::from_ms(100);
    net.propose(1);
    net.settle();
    while net.now < late {
        net.beat(1);
    }
    net.pass(Span::from_ms(300));
    net.tick(1);
    net.settle();
    assert!(net.raft(1).transferring().is_some(), "it still tries");
    while net.raft(1).is_leader() {
        assert!(net.now < limit, "it leads on");
        net.beat(1);
    }
}

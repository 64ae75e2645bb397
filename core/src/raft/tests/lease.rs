//! Reads by lease (raft.md 2.6.3): who promises what, for how long a leader may count on it, and when not.

use super::*;

/// The shortest election timeout of 200 ms, less what a clock that runs a tenth faster makes of it.
const LEASE: Span = Span(200_000 * 1_000 / 1_100);

fn with_leases(nodes: u64, of: impl Fn(u64) -> bool) -> Net {
    let mut configs: Vec<Config> = (1..=nodes).map(|node| config(node, nodes)).collect();
    for config in &mut configs {
        config.lease_reads = of(config.id.0);
    }
    Net::of(configs)
}

fn leading(nodes: u64) -> Net {
    let mut net = with_leases(nodes, |_| true);
    net.elect(1);
    net
}

impl Net {
    fn lease(&self, node: u64) -> Option<Time> {
        self.raft(node).lease()
    }

    /// Whether a read that this leader gets now is answered in the same step.
    pub(super) fn reads_at_once(&mut self, leader: u64) -> bool {
        let before = self.confirmed.len();
        self.ask(leader);
        before < self.confirmed.len()
    }

    fn vote_of(&mut self, node: u64, from: u64, transfer: bool) -> bool {
        let request = Message::Vote {
            term: self.raft(node).term().next(),
            last: id(9, 9),
            transfer,
        };
        let answer = self.answer(node, from, request);
        matches!(answer[..], [Message::VoteReply { granted: true, .. }])
    }
}

#[test]
fn a_read_under_a_lease_asks_nobody() {
    let mut net = leading(3);
    net.wire.clear();
    assert!(net.reads_at_once(1));
    assert_eq!(net.wire, [], "not even a round is begun");
    // A follower's question is answered by the leader alone.
    net.ask(2);
    net.isolate(3);
    net.deliver();
    net.deliver();
    assert_eq!(net.confirmed, [(1, Index(1)), (2, Index(1))]);
}

#[test]
fn leases_are_off_by_default() {
    let mut net = Net::new(3);
    net.elect(1);
    assert_eq!(net.lease(1), None);
    assert!(!net.reads_at_once(1));
}

#[test]
fn a_lease_counts_from_when_the_round_was_sent() {
    let mut net = leading(3);
    net.beat(1);
    assert_eq!(net.lease(1), Some(net.now + LEASE));
    net.pass(Span::from_ms(50));
    net.tick(1);
    let sent = net.now;
    net.deliver();
    // The answers take long.
    net.pass(Span::from_ms(150));
    net.deliver();
    assert_eq!(net.lease(1), Some(sent + LEASE));
    net.pass(Span::from_ms(32));
    assert!(!net.reads_at_once(1));
    assert_eq!(net.lease(1), None);
}

#[test]
fn a_lease_needs_the_promise_of_a_quorum() {
    let mut net = with_leases(3, |node| node == 1);
    net.elect(1);
    assert_eq!(net.lease(1), None, "the others promise nothing");
    let mut net = leading(3);
    net.isolate(1);
    for _ in 0..4 {
        net.beat(1);
    }
    assert_eq!(net.lease(1), None, "nobody answers");
}

#[test]
fn a_jump_of_the_clock_ends_a_lease() {
    let mut net = leading(3);
    assert!(net.lease(1).is_some());
    net.pass(Span::from_ms(250));
    assert!(!net.reads_at_once(1));
    // Answers that waited meanwhile are old ones.
    net.deliver();
    assert_eq!(net.lease(1), None);
}

#[test]
fn a_fresh_leader_knows_what_was_committed_before_it_reads_by_lease() {
    let mut net = with_leases(3, |_| true);
    net.pass(Span::from_ms(500));
    net.step(1, |raft, now, out| raft.campaign(now, out));
    while !net.raft(1).is_leader() {
        net.sync_all();
        net.deliver();
    }
    net.deliver();
    net.deliver();
    assert!(net.lease(1).is_some(), "a quorum has answered");
    assert!(!net.reads_at_once(1), "its first entry is not committed");
    net.settle();
    assert_eq!(net.confirmed, [(1, Index(1))]);
}

/// tikv#964, #1593.
#[test]
fn a_leader_that_told_another_to_campaign_has_no_lease_any_more() {
    let mut net = leading(3);
    net.isolate(2);
    net.propose(1);
    net.settle();
    net.step(1, |raft, now, out| {
        assert!(raft.transfer(now, Some(NodeId(2)), out).is_ok());
    });
    assert_eq!(net.lease(1), None, "a transfer is under way");
    net.step(1, |raft, _, out| assert!(raft.cancel_transfer(out)));
    assert!(net.lease(1).is_some(), "nobody was told to campaign");
    net.heal();
    for _ in 0..8 {
        net.beat(1);
    }
    net.step(1, |raft, now, out| {
        assert!(raft.transfer(now, Some(NodeId(2)), out).is_ok());
    });
    assert!(!net.sent(1, 2).is_empty());
    // That is late, and comes after the transfer was given up.
    net.wire.clear();
    net.step(1, |raft, _, out| assert!(raft.cancel_transfer(out)));
    net.beat(1);
    assert_eq!(net.lease(1), None);
}

#[test]
fn a_member_that_promised_replaces_nobody_until_then() {
    let mut net = leading(3);
    // Neither a broken link nor a restart frees it, and it does not run itself.
    net.step(2, |raft, _, out| raft.peer_lost(NodeId(1), out));
    net.pass(Span::from_ms(100));
    assert!(!net.vote_of(2, 3, false));
    net.step(2, |raft, now, out| raft.campaign(now, out));
    assert_eq!(net.raft(2).role(), Role::Follower);
    net.restart(2);
    net.pass(Span::from_ms(150));
    assert!(!net.vote_of(2, 3, false), "it may have promised just now");
    net.step(2, |raft, now, out| raft.campaign(now, out));
    assert_eq!(net.raft(2).role(), Role::Follower);
    net.pass(Span::from_ms(50));
    assert!(net.vote_of(2, 3, false));
    // Who hands over asks for it.
    let mut net = leading(3);
    assert!(net.vote_of(2, 3, true));
}

#[test]
fn who_has_promised_nothing_does_not_wait() {
    let mut net = with_leases(3, |_| true);
    net.step(1, |raft, now, out| raft.campaign(now, out));
    net.settle();
    assert!(net.raft(1).is_leader(), "a cluster's first start");
    let mut net = with_leases(1, |_| true);
    net.tick(1);
    net.settle();
    net.restart(1);
    net.tick(1);
    net.settle();
    net.settle();
    assert!(net.raft(1).is_leader(), "nobody else could have led");
    assert_eq!(net.lease(1), Some(Time::NEVER));
    assert!(net.reads_at_once(1));
}

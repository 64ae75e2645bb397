//! What a leader and a follower hold at most (raft.md 2.7.1, 2.7.3), and that it is given back.

use super::super::Refusal;
use super::*;

/// Node 1 has these settings.
fn with(set: impl Fn(&mut Config)) -> Net {
    let mut net = Net::new(3);
    set(net.configs.get_mut(&1).expect("a member"));
    net.restart(1);
    net.elect(1);
    net.wire.clear();
    net
}

impl Net {
    /// Proposes until the leader is busy, and says how many it took.
    fn fill(&mut self, leader: u64) -> usize {
        let mut taken = 0;
        self.step(leader, |raft, now, _| {
            let refusal = loop {
                match raft.propose(now, command()) {
                    Ok(_) => taken += 1,
                    Err(refusal) => break refusal,
                }
            };
            assert_eq!(refusal, Refusal::Busy);
        });
        taken
    }
}

#[test]
fn a_leader_whose_own_disk_is_behind_takes_no_more_than_the_limit() {
    let mut net = with(|config| config.unapplied_bytes = 500);
    net.disk(1).frozen = true;
    let mut taken = 0;
    // The others commit it all, and this node can apply none of it.
    while taken < 100 {
        let mut refused = false;
        net.step(1, |raft, now, _| {
            refused = raft.propose(now, command()).is_err()
        });
        net.settle();
        if refused {
            break;
        }
        taken += 1;
    }
    assert!((4..=6).contains(&taken), "{taken} were taken");
    assert!(500 < net.raft(1).unapplied_bytes());
    assert_eq!(net.raft(1).uncommitted_bytes(), 0);
    net.disk(1).frozen = false;
    net.settle();
    assert_eq!(net.raft(1).unapplied_bytes(), 0);
    net.propose(1);
}

/// etcd-io/raft a370b6f: sizes that leaked made proposals fail for good.
#[test]
fn what_is_committed_or_dropped_makes_room_again() {
    let mut net = with(|config| config.uncommitted_bytes = 1_000);
    let first = net.fill(1);
    net.settle();
    for _ in 0..20 {
        assert_eq!(net.fill(1), first);
        net.settle();
    }
    // Another leader drops what this one had, and the lead comes back.
    net.isolate(1);
    assert_eq!(net.fill(1), first);
    net.elect(2);
    net.heal();
    for _ in 0..6 {
        net.beat(2);
    }
    net.elect(1);
    assert_eq!(net.fill(1), first);
}

#[test]
fn no_more_bytes_are_on_the_way_to_a_peer_than_the_limit() {
    let mut net = with(|config| {
        config.inflight_bytes = 1_000;
        config.append_bytes = 600;
    });
    net.propose_many(1, 100);
    net.settle();
    // Only heartbeats are answered.
    net.cut.push((2, 1));
    net.propose_many(1, 100);
    net.deliver();
    let peer = |net: &Net| net.raft(1).peers()[0];
    // The entry that reaches the limit is the last.
    let bytes = peer(&net).inflight_bytes;
    assert!((1_000..1_120).contains(&bytes), "{bytes}");
    net.heal();
    for _ in 0..6 {
        net.beat(1);
    }
    assert_eq!((peer(&net).inflight, peer(&net).inflight_bytes), (0, 0));
    assert_eq!(peer(&net).matched, net.raft(1).last().index);
}

#[test]
fn no_more_bytes_are_withheld_than_the_limit() {
    let mut net = with(|config| config.withheld_bytes = 30);
    net.elect(2);
    net.disk(1).frozen = true;
    for _ in 0..50 {
        net.propose(2);
        net.settle();
        assert!(net.raft(1).withheld_bytes() <= 30);
    }
    assert!(!net.raft(1).withheld().is_empty());
    // What was dropped is asked for again.
    net.disk(1).frozen = false;
    for _ in 0..6 {
        net.beat(2);
    }
    assert_eq!(net.raft(1).withheld_bytes(), 0);
    assert_eq!(net.commits(), [net.raft(2).last().index.0; 3]);
}

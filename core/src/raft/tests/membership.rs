//! Who votes, from one configuration to the next: dissertation chapter 4 and the traps beside it.

use super::*;
use crate::configuration::{Member, Standing};
use crate::id::ReplicaId;
use crate::raft::Unready;
use crate::raft::note::RoleReason;

/// Members 1 to `nodes`, of whom the first `voters` are in the first configuration. The others know
/// nobody.
pub(super) fn net(voters: u64, nodes: u64, change: impl Fn(&mut Config)) -> Net {
    let of = |node| {
        let mut config = config(node, voters);
        if voters < node {
            config.members = Configuration::default();
        }
        change(&mut config);
        config
    };
    Net::of((1..=nodes).map(of).collect())
}

pub(super) fn members(voters: &[u64], learners: &[u64]) -> Configuration {
    let of = |ids: &[u64], standing| {
        let member = move |id: &u64| Member {
            id: NodeId(*id),
            replica: ReplicaId(0),
            address: String::new(),
            clients: String::new(),
            standing,
        };
        ids.iter().map(member).collect::<Vec<_>>()
    };
    let all = [of(voters, Standing::Voter), of(learners, Standing::Learner)];
    Configuration::new(all.concat())
}

/// One step towards these members.
pub(super) fn change(net: &mut Net, leader: u64, target: &Configuration) -> Result<LogId, Unready> {
    let mut done = Err(Unready::NotLeader);
    net.step(leader, |raft, _, out| {
        if let Some(step) = raft.configuration().towards(target) {
            done = raft.reconfigure(step, out);
        }
    });
    done
}

/// All the way to these members.
pub(super) fn change_all(net: &mut Net, leader: u64, target: &Configuration) {
    for _ in 0..100 {
        if net.raft(leader).configuration() == target
            && !net.raft(leader).configuration().is_joint()
        {
            return net.settle();
        }
        // What is not ready now is ready a beat later.
        let _ = change(net, leader, target);
        net.settle();
        net.beat(leader);
    }
    panic!("never there: {:?}", net.raft(leader).configuration());
}

fn voters(net: &Net, node: u64) -> Vec<u64> {
    net.raft(node).voters().iter().map(|id| id.0).collect()
}

#[test]
fn a_configuration_is_in_force_as_soon_as_it_is_in_the_log() {
    let mut net = net(1, 2, |_| {});
    net.elect(1);
    net.settle();
    change(&mut net, 1, &members(&[1], &[2])).expect("it may");
    assert_eq!(net.raft(1).configuration().learners().count(), 1);
    assert!(net.raft(1).commit() < net.raft(1).configuration_index());
    net.settle();
    assert_eq!(net.raft(2).configuration(), net.raft(1).configuration());
}

#[test]
fn a_truncated_configuration_is_in_force_no_longer() {
    let mut net = net(3, 4, |_| {});
    net.elect(1);
    net.isolate(1);
    change(&mut net, 1, &members(&[1, 2, 3], &[4])).expect("it may");
    assert_eq!(net.raft(1).configuration().members().len(), 4);
    net.elect(2);
    net.heal();
    (0..8).for_each(|_| net.beat(2));
    assert_eq!(net.raft(1).configuration(), &members(&[1, 2, 3], &[]));
}

#[test]
fn a_restart_finds_the_configuration_in_the_log_and_in_the_snapshot() {
    let mut net = net(1, 2, |_| {});
    net.elect(1);
    change_all(&mut net, 1, &members(&[1, 2], &[]));
    net.restart(2);
    assert_eq!(net.raft(2).configuration(), &members(&[1, 2], &[]));
    let last = net.raft(1).last();
    let meta = SnapshotMeta {
        last,
        stamp: START,
        configuration: net.raft(1).configuration_at(last.index).clone(),
    };
    net.step(1, |raft, _, _| raft.compact(meta, last.index.next()));
    net.settle();
    net.restart(1);
    assert_eq!(net.raft(1).first_index(), last.index.next());
    assert_eq!(net.raft(1).configuration(), &members(&[1, 2], &[]));
}

#[test]
fn an_installed_snapshot_brings_the_configuration_at_its_index() {
    let mut net = net(1, 2, |_| {});
    net.elect(1);
    net.propose_many(1, 5);
    net.settle();
    let last = net.raft(1).last();
    let meta = SnapshotMeta {
        last,
        stamp: START,
        configuration: net.raft(1).configuration_at(last.index).clone(),
    };
    net.step(1, |raft, _, _| raft.compact(meta, last.index.next()));
    net.settle();
    change(&mut net, 1, &members(&[1], &[2])).expect("it may");
    for _ in 0..10 {
        net.beat(1);
    }
    assert_eq!(net.installed, [2]);
    // At first that of the snapshot, which does not name it; then the entry that does.
    assert_eq!(net.raft(2).configuration(), &members(&[1], &[2]));
}

#[test]
fn a_leader_changes_nothing_before_an_entry_of_its_own_term() {
    let mut net = net(3, 4, |_| {});
    net.pass(Span::from_ms(500));
    net.step(1, |raft, now, out| raft.campaign(now, out));
    while !net.raft(1).is_leader() {
        net.sync_all();
        net.deliver();
    }
    let target = members(&[1, 2, 3], &[4]);
    assert_eq!(change(&mut net, 1, &target), Err(Unready::OwnTerm));
    net.settle();
    assert!(change(&mut net, 1, &target).is_ok());
}

#[test]
fn one_change_at_a_time() {
    let mut net = net(3, 5, |_| {});
    net.elect(1);
    net.isolate(1);
    change(&mut net, 1, &members(&[1, 2, 3], &[4])).expect("it may");
    let next = members(&[1, 2, 3], &[4, 5]);
    assert_eq!(change(&mut net, 1, &next), Err(Unready::UnderWay));
}

#[test]
fn both_majorities_commit_in_a_joint_phase() {
    let mut net = net(3, 6, |_| {});
    net.elect(1);
    change_all(&mut net, 1, &members(&[1, 2, 3], &[4, 5, 6]));
    for _ in 0..10 {
        net.beat(1);
    }
    // The old set is all there; of the new one only a minority is.
    net.isolate(5);
    net.isolate(6);
    let joint = change(&mut net, 1, &members(&[4, 5, 6], &[])).expect("all have caught up");
    net.settle();
    assert!(net.raft(1).configuration().is_joint());
    assert!(net.raft(1).commit() < joint.index);
    // The other way round.
    net.heal();
    net.isolate(2);
    net.isolate(3);
    net.beat(1);
    assert!(net.raft(1).commit() < joint.index);
    net.heal();
    (0..5).for_each(|_| net.beat(1));
    assert_eq!(voters(&net, 4), [4, 5, 6]);
}

#[test]
fn both_majorities_elect_in_a_joint_phase() {
    let mut net = net(3, 5, |_| {});
    net.elect(1);
    change_all(&mut net, 1, &members(&[1, 2, 3], &[4, 5]));
    for _ in 0..10 {
        net.beat(1);
    }
    let target = members(&[3, 4, 5], &[]);
    net.isolate(1);
    net.cut
        .retain(|(a, b)| !(*a == 1 && *b > 2 || *b == 1 && *a > 2));
    let joint = change(&mut net, 1, &target).expect("all have caught up");
    net.settle();
    assert!(net.raft(1).commit() < joint.index || !net.raft(1).configuration().is_joint());
    // 3, 4 and 5 are the whole new set, and one of the three of the old.
    net.isolate(1);
    net.isolate(2);
    net.pass(Span::from_ms(500));
    net.step(4, |raft, now, out| raft.campaign(now, out));
    net.settle();
    if net.raft(4).configuration().is_joint() {
        assert_ne!(net.raft(4).role(), Role::Leader);
    }
}

#[test]
fn any_leader_finishes_a_joint_phase_and_only_once() {
    let mut net = net(3, 5, |_| {});
    net.elect(1);
    change_all(&mut net, 1, &members(&[1, 2, 3], &[4, 5]));
    (0..10).for_each(|_| net.beat(1));
    // The leader dies with the joint configuration on its peers and nowhere committed.
    change(&mut net, 1, &members(&[2, 3, 4, 5], &[])).expect("all have caught up");
    net.sync_all();
    net.deliver();
    net.sync_all();
    net.wire.clear();
    net.isolate(1);
    net.elect(2);
    (0..5).for_each(|_| net.beat(2));
    assert_eq!(voters(&net, 2), [2, 3, 4, 5]);
    assert!(!net.raft(5).configuration().is_joint());
    let raft = net.raft(2);
    let changes = (raft.first_index().0..=raft.last().index.0)
        .filter(|i| {
            let entry = raft.entry(Index(*i)).expect("in the log");
            matches!(&entry.payload, Payload::Membership(next) if next == raft.configuration())
        })
        .count();
    assert_eq!(changes, 1);
}

#[test]
fn an_inherited_joint_phase_is_left_only_when_it_is_committed() {
    let mut net = net(3, 4, |_| {});
    net.elect(1);
    change_all(&mut net, 1, &members(&[1, 2, 3], &[4]));
    (0..10).for_each(|_| net.beat(1));
    change(&mut net, 1, &members(&[1, 2, 4], &[])).expect("it has caught up");
    net.sync_all();
    net.deliver();
    net.sync_all();
    net.wire.clear();
    net.isolate(1);
    net.pass(Span::from_ms(500));
    net.step(2, |raft, now, out| raft.campaign(now, out));
    while !net.raft(2).is_leader() {
        net.sync_all();
        net.deliver();
    }
    assert!(
        net.raft(2).configuration().is_joint(),
        "it is not committed yet"
    );
    net.settle();
    assert_eq!(voters(&net, 2), [1, 2, 4]);
}

#[test]
fn a_removed_leader_leads_until_that_is_committed_and_does_not_count_itself() {
    let mut net = net(3, 3, |_| {});
    net.elect(1);
    net.isolate(3);
    change(&mut net, 1, &members(&[2, 3], &[])).expect("it may");
    net.settle();
    // Joint: 1 and 2 are a majority of the old set, 2 alone is none of the new.
    assert!(net.raft(1).is_leader());
    assert!(net.raft(1).commit() < net.raft(1).configuration_index());
    net.heal();
    (0..8).for_each(|_| net.beat(1));
    assert!(!net.raft(1).is_leader());
    assert_eq!(net.raft(1).commit(), net.raft(1).configuration_index());
    assert_eq!(net.raft(1).deadline(), Time::NEVER, "it does not campaign");
    assert_eq!(voters(&net, 2), [2, 3]);
    net.elect(2);
}

#[test]
fn a_removed_leader_says_why_it_steps_down() {
    let mut net = net(2, 2, |_| {});
    net.elect(1);
    change(&mut net, 1, &members(&[2], &[])).expect("it may");
    let mut reasons = Vec::new();
    for _ in 0..10 {
        net.sync_all();
        for (from, to, message) in core::mem::take(&mut net.wire) {
            let mut out = Vec::new();
            let now = net.now;
            let raft = net.rafts.get_mut(&to).expect("a member");
            raft.receive(now, NodeId(from), message, &mut out);
            raft.flush(now, &mut out);
            reasons.extend(out.iter().filter_map(|effect| match effect {
                Effect::Note(Note::Role { why, .. }) => Some(*why),
                _ => None,
            }));
            net.carry_out(to, out);
        }
    }
    assert!(reasons.contains(&RoleReason::Removed), "{reasons:?}");
}

#[test]
fn members_that_leave_are_told_so() {
    let mut net = net(3, 3, |_| {});
    net.elect(1);
    change_all(&mut net, 1, &members(&[1, 2], &[]));
    net.beat(1);
    assert_eq!(net.raft(3).commit(), net.raft(1).commit());
    assert!(!net.raft(3).is_voter());
    assert_eq!(net.raft(3).deadline(), Time::NEVER);
    // Not for ever.
    net.pass(Span::from_ms(10_000));
    net.step(1, |raft, now, out| raft.tick(now, out));
    net.wire.clear();
    net.elect(1);
    net.beat(1);
    assert!(net.raft(1).peers().iter().all(|peer| peer.id != NodeId(3)));
}

#[test]
fn one_that_comes_back_too_late_to_be_told_is_told_when_it_speaks_up() {
    let mut net = net(3, 3, |_| {});
    net.elect(1);
    net.isolate(3);
    change_all(&mut net, 1, &members(&[1, 2], &[]));
    net.pass(Span::from_ms(10_000));
    // It has heard nothing for so long that it leads no more, and is elected again.
    net.tick(1);
    net.elect(1);
    net.heal();
    (0..3).for_each(|_| net.beat(1));
    assert!(net.raft(1).is_leader());
    assert!(net.raft(3).is_voter(), "nobody talks to it");
    // Both ends of its links let it in, and under its number nobody else.
    let admits = |net: &Net, replica| net.raft(1).admits(NodeId(3), ReplicaId(replica), Index(0));
    assert_eq!(admits(&net, 0), Ok(()));
    assert!(admits(&net, 7).is_err());
    net.step(3, |raft, now, out| raft.campaign(now, out));
    (0..8).for_each(|_| net.beat(1));
    assert!(net.raft(1).is_leader());
    assert!(!net.raft(3).is_voter());
    assert_eq!(net.raft(3).commit(), net.raft(1).commit());
    assert_eq!(net.raft(3).deadline(), Time::NEVER);
}

#[test]
fn one_that_is_left_out_votes_and_campaigns_until_that_is_committed() {
    let mut net = net(3, 3, |_| {});
    net.elect(1);
    let joint = change(&mut net, 1, &members(&[1, 2], &[])).expect("it may");
    net.settle();
    assert!(joint.index < net.raft(3).configuration_index());
    // 3 has the final configuration and does not know that it is committed.
    let raft = net.disks[&3]
        .boot(&net.configs[&3], 3, net.now)
        .expect("in order");
    let mut raft = Raft {
        commit: joint.index,
        ..raft
    };
    raft.membership.committed(joint.index, Index(0));
    assert!(!raft.is_voter() && raft.may_vote());
}

#[test]
fn learners_never_count() {
    let mut net = net(1, 3, |_| {});
    net.elect(1);
    change_all(&mut net, 1, &members(&[1], &[2, 3]));
    net.disk(1).frozen = true;
    let id = net.propose(1);
    net.settle();
    assert_eq!(net.raft(2).last(), id);
    assert!(net.raft(1).commit() < id.index);
    // Nor do they campaign.
    assert_eq!(net.raft(2).deadline(), Time::NEVER);
}

#[test]
fn learners_answer_vote_requests() {
    let mut net = net(1, 2, |_| {});
    net.elect(1);
    change_all(&mut net, 1, &members(&[1], &[2]));
    net.pass(Span::from_ms(500));
    let last = net.raft(2).last();
    let request = Message::Vote {
        term: Term(9),
        last,
        transfer: false,
    };
    let answers = net.answer(2, 1, request);
    assert!(matches!(
        answers[..],
        [Message::VoteReply { granted: true, .. }]
    ));
}

#[test]
fn a_learner_votes_only_when_it_has_caught_up() {
    let mut net = net(1, 2, |_| {});
    net.elect(1);
    net.propose_many(1, 20);
    net.settle();
    net.isolate(2);
    let target = members(&[1, 2], &[]);
    change(&mut net, 1, &target).expect("it may listen");
    net.settle();
    assert_eq!(
        change(&mut net, 1, &target),
        Err(Unready::Behind(NodeId(2)))
    );
    net.heal();
    // The first round takes too long, the next does not.
    net.pass(Span::from_ms(1_000));
    net.beat(1);
    net.propose(1);
    net.settle();
    net.beat(1);
    assert!(net.raft(1).has_caught_up(NodeId(2)));
    assert!(change(&mut net, 1, &target).is_ok());
}

#[test]
fn a_learner_that_never_catches_up_is_noticed() {
    let mut net = net(1, 2, |config| config.catch_up_rounds = 3);
    net.elect(1);
    change_all(&mut net, 1, &members(&[1], &[2]));
    let mut rounds = 0;
    // It acknowledges each entry a whole election timeout later.
    net.isolate(2);
    net.restart(1);
    net.elect(1);
    net.settle();
    while net.raft(1).too_slow().is_none() {
        rounds += 1;
        assert!(rounds < 20, "nobody noticed");
        net.propose(1);
        net.sync(1);
        net.pass(Span::from_ms(250));
        let (term, matched) = (net.raft(1).term(), net.raft(1).last().index);
        net.receive(1, 2, Message::Appended { term, matched });
    }
    assert_eq!(net.raft(1).too_slow(), Some(NodeId(2)));
}

#[test]
fn a_wiped_replica_is_refused_with_the_remedy() {
    let mut net = net(3, 3, |_| {});
    net.elect(1);
    net.settle();
    let admits = |net: &Net, id, replica, since| {
        net.raft(1)
            .admits(NodeId(id), ReplicaId(replica), Index(since))
    };
    assert_eq!(admits(&net, 2, 0, 0), Ok(()));
    let refusal = admits(&net, 2, 7, 0).expect_err("another data directory");
    assert!(refusal.contains("remove member 2"), "{refusal}");
    let refusal = admits(&net, 9, 7, 0).expect_err("no member");
    assert!(refusal.contains("add it first"), "{refusal}");
    // One that knows a newer configuration is listened to: this one is behind.
    assert_eq!(admits(&net, 9, 7, 100), Ok(()));
}

#[test]
fn a_number_that_comes_back_begins_anew() {
    let mut net = net(3, 3, |_| {});
    net.elect(1);
    net.propose_many(1, 5);
    net.settle();
    change_all(&mut net, 1, &members(&[1, 2], &[]));
    net.disks.insert(3, Disk::default());
    let config = net.configs.get_mut(&3).expect("a member");
    config.members = Configuration::default();
    net.restart(3);
    net.isolate(3);
    change(&mut net, 1, &members(&[1, 2], &[3])).expect("it may");
    let (_, matched, _) = net.peer(1, 3);
    assert_eq!(matched, 0, "what the old one had acknowledged is forgotten");
    net.heal();
    (0..5).for_each(|_| net.beat(1));
    assert_eq!(net.raft(3).last(), net.raft(1).last());
}

#[test]
fn from_one_to_five_to_other_five() {
    let mut net = net(1, 8, |_| {});
    net.elect(1);
    change_all(&mut net, 1, &members(&[1, 2, 3, 4, 5], &[]));
    net.propose_many(1, 10);
    net.settle();
    let target = members(&[4, 5, 6, 7, 8], &[]);
    for _ in 0..20 {
        if net.raft(4).configuration() == &target {
            break;
        }
        let leader = (1..=8)
            .find(|node| net.raft(*node).is_leader())
            .unwrap_or(1);
        let _ = change(&mut net, leader, &target);
        net.settle();
        net.beat(leader);
    }
    assert_eq!(net.raft(4).configuration(), &target);
    net.elect(6);
    net.propose_many(6, 3);
    net.settle();
    net.beat(6);
    for node in 5..=8 {
        assert_eq!(
            net.raft(node).commit(),
            net.raft(6).last().index,
            "node {node}"
        );
    }
}

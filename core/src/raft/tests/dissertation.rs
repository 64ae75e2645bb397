//! What the dissertation says of members (chapter 4) and of reads (6.4), where neither `membership` nor
//! `read` has the sentence by another name.

use super::membership::{change, change_all, members, net};
use super::paper::{append, vote};
use super::*;

/// "A server accepts AppendEntries requests from a leader that is not part of the server's latest
/// configuration" (4.1).
#[test]
fn servers_accept_entries_of_a_leader_that_is_not_in_their_configuration() {
    let mut net = net(3, 3, |_| {});
    let answer = net.answer(1, 9, append(1, (0, 0), &[1], 0));
    assert!(matches!(answer[..], [Message::Appended { .. }]));
    assert_eq!(net.raft(1).leader(), Some(NodeId(9)));
}

/// "A server also grants its vote to a candidate that is not part of the server's latest configuration" (4.1).
#[test]
fn servers_vote_for_a_candidate_that_is_not_in_their_configuration() {
    let mut net = net(3, 3, |_| {});
    let (term, granted) = (Term(1), true);
    let reply = Message::VoteReply { term, granted };
    assert_eq!(net.answer(1, 9, vote(1, (0, 0), false)), [reply]);
}

/// "Log entries are replicated to all servers in both configurations" (4.3).
#[test]
fn entries_go_to_all_servers_of_both_configurations() {
    let mut net = net(3, 5, |_| {});
    net.elect(1);
    change_all(&mut net, 1, &members(&[1, 2, 3], &[4, 5]));
    (0..3).for_each(|_| net.beat(1));
    // Without 3 and 5 neither majority is in danger, and with one more gone the phase does not end.
    net.disk(4).frozen = true;
    net.disk(5).frozen = true;
    change(&mut net, 1, &members(&[1, 4, 5], &[])).expect("all have caught up");
    let id = net.propose(1);
    net.settle();
    assert!(net.raft(1).configuration().is_joint());
    for node in 2..=5 {
        assert_eq!(net.raft(node).last(), id, "node {node}");
    }
}

/// "Any server from either configuration may serve as leader" (4.3).
#[test]
fn any_server_of_either_configuration_may_lead_a_joint_phase() {
    for candidate in [2, 4] {
        let mut net = net(3, 5, |_| {});
        net.elect(1);
        change_all(&mut net, 1, &members(&[1, 2, 3], &[4, 5]));
        (0..3).for_each(|_| net.beat(1));
        // Everybody has the joint configuration, and it is not committed.
        change(&mut net, 1, &members(&[1, 4, 5], &[])).expect("all have caught up");
        net.sync_all();
        net.deliver();
        net.sync_all();
        net.wire.clear();
        assert!(net.raft(candidate).configuration().is_joint());
        net.barely_elect(candidate);
        assert!(net.raft(candidate).configuration().is_joint());
        net.settle();
        (0..5).for_each(|_| net.beat(candidate));
        assert_eq!(net.raft(5).configuration(), &members(&[1, 4, 5], &[]));
    }
}

/// "The leader saves its current commit index in a local variable readIndex. This will be used as a lower bound
/// for the version of the state that the query operates against" (6.4, step 2).
#[test]
fn a_read_sees_what_was_committed_when_it_was_asked() {
    let mut net = Net::new(3);
    net.elect(1);
    net.propose_many(1, 2);
    net.settle();
    net.ask(1);
    net.propose(1);
    net.settle();
    assert_eq!(net.confirmed, [(1, Index(3))]);
    assert_eq!(net.raft(1).commit(), Index(4));
}

/// "The leader waits for its state machine to advance at least as far as the readIndex" (6.4, step 4): so does
/// a follower that asked.
#[test]
fn a_read_waits_until_what_it_must_see_can_be_applied() {
    let mut net = Net::new(3);
    net.elect(1);
    net.disk(2).frozen = true;
    let id = net.propose(1);
    net.settle();
    net.ask(2);
    net.settle();
    assert_eq!(net.confirmed, [(2, id.index)]);
    assert!(net.raft(2).ready() < id.index);
    net.disk(2).frozen = false;
    net.settle();
    net.beat(1);
    assert_eq!(net.raft(2).ready(), id.index);
}

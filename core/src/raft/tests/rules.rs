//! Figure 2 of the paper, sentence by sentence: the rules for servers. Where this protocol differs on purpose, a
//! test says so.

use super::paper::{append, heartbeat, pre_vote, vote, vote_reply};
use super::*;

// Rules for all servers.

/// In the paper everything that is committed is applied. Here it must be durable on this node, too
/// (raft.md 2.2.10).
#[test]
fn all_servers_apply_what_is_committed_in_order() {
    let mut net = Net::new(3);
    net.receive(1, 2, append(1, (0, 0), &[1, 1, 1], 2));
    assert_eq!(
        (net.raft(1).commit(), net.raft(1).ready()),
        (Index(2), Index(0))
    );
    net.sync(1);
    assert_eq!(
        net.raft(1).ready(),
        Index(2),
        "and not what is only durable"
    );
}

#[test]
fn all_servers_a_request_of_a_higher_term_makes_a_follower() {
    let last = id(9, 9);
    let meta = SnapshotMeta {
        last,
        stamp: START,
        configuration: Configuration::of_voters((1..=3).map(NodeId)),
    };
    let term = Term(9);
    let requests = [
        append(9, (0, 0), &[], 0),
        heartbeat(9, 1),
        Message::SnapshotOffer { term, meta },
        Message::TimeoutNow { term, last },
        vote(9, (9, 9), true),
    ];
    for request in requests {
        let mut net = Net::new(3);
        net.elect(1);
        net.receive(1, 2, request.clone());
        assert_eq!(net.raft(1).role(), Role::Follower, "{request:?}");
        assert_eq!(net.raft(1).term(), Term(9));
    }
}

/// In the paper a candidate of a higher term makes every server a follower. Here those that hear a leader do
/// not listen to it (dissertation 4.2.3), and a question before the campaign raises no term (9.6).
#[test]
fn all_servers_but_those_that_hear_a_leader_are_moved_by_a_candidate() {
    let mut net = Net::new(3);
    net.elect(1);
    net.beat(1);
    for node in [1, 2] {
        assert_eq!(net.answer(node, 3, vote(9, (9, 9), false)), []);
        assert_eq!(net.raft(node).term(), Term(1));
    }
    net.pass(Span::from_ms(200));
    net.receive(2, 3, pre_vote(9, (9, 9)));
    assert_eq!(net.raft(2).term(), Term(1), "asked, and not told");
    net.receive(2, 3, vote(9, (9, 9), false));
    assert_eq!(
        net.raft(2).term(),
        Term(9),
        "it heard nobody for long enough"
    );
}

#[test]
fn all_servers_a_higher_term_makes_a_follower() {
    let replies = [
        Message::VoteReply {
            term: Term(9),
            granted: false,
        },
        Message::HeartbeatReply {
            term: Term(9),
            round: 0,
            promised: false,
        },
        Message::Rejected {
            term: Term(9),
            prev: Index(0),
            hint: id(0, 0),
        },
        Message::PreVoteReply {
            term: Term(9),
            granted: false,
            round: 1,
        },
    ];
    for reply in replies {
        let mut net = Net::new(3);
        net.elect(1);
        net.receive(1, 2, reply);
        assert_eq!(net.raft(1).role(), Role::Follower);
        assert_eq!(net.raft(1).term(), Term(9));
        assert_eq!(net.raft(1).voted_for(), None);
    }
}

// Followers.

#[test]
fn followers_respond_to_candidates_and_leaders() {
    let mut net = Net::new(3);
    let mut says = |message| net.answer(1, 2, message).len();
    assert_eq!(says(pre_vote(1, (0, 0))), 1);
    assert_eq!(says(vote(1, (0, 0), false)), 1);
    assert_eq!(says(append(1, (0, 0), &[1], 0)), 1);
    assert_eq!(says(heartbeat(1, 1)), 1);
}

#[test]
fn followers_that_grant_a_vote_put_their_own_election_off() {
    let mut net = Net::with_logs(&[(1, &[1]), (1, &[]), (1, &[1])]);
    let due = net.raft(1).deadline();
    net.pass(Span::from_ms(100));
    net.receive(1, 2, vote(2, (0, 0), false));
    assert_eq!(net.raft(1).deadline(), due, "refused");
    net.receive(1, 3, vote(2, (1, 1), false));
    assert_eq!(net.raft(1).deadline(), due + Span::from_ms(100));
}

/// In the paper the term rises at once. Here a node first asks whether it could win (dissertation 9.6).
#[test]
fn followers_become_candidates_when_they_hear_nobody() {
    let mut net = Net::new(3);
    let due = net.raft(1).deadline();
    assert!(START + Span::from_ms(200) <= due && due <= START + Span::from_ms(400));
    net.tick(1);
    assert_eq!(net.raft(1).role(), Role::Follower);
    net.now = due;
    net.tick(1);
    assert_eq!(net.raft(1).role(), Role::PreCandidate);
    assert_eq!(net.raft(1).term(), Term(0), "a pre-vote raises no term");
    net.settle();
    assert_eq!(net.raft(1).role(), Role::Leader);
    assert_eq!(net.raft(1).term(), Term(1));
    assert_eq!(net.raft(1).voted_for(), Some(NodeId(1)));
}

#[test]
fn hearing_a_leader_puts_the_election_off() {
    let mut net = Net::new(3);
    net.elect(1);
    let due = net.raft(2).deadline();
    net.beat(1);
    assert_eq!(net.raft(2).deadline(), due + Span::from_ms(50));
}

// Candidates.

#[test]
fn candidates_raise_the_term_vote_for_themselves_reset_the_timer_and_ask_all_others() {
    let mut net = Net::new(5);
    net.pass(Span::from_ms(500));
    net.step(1, |raft, now, out| raft.campaign(now, out));
    net.deliver();
    net.deliver();
    assert_eq!(net.raft(1).role(), Role::Candidate);
    assert_eq!(net.raft(1).term(), Term(1));
    assert_eq!(net.raft(1).voted_for(), Some(NodeId(1)));
    let due = net.raft(1).deadline();
    assert!(net.now + Span::from_ms(200) <= due && due <= net.now + Span::from_ms(400));
    assert!(net.wire.is_empty(), "its own vote is not durable");
    net.sync(1);
    for peer in 2..=5 {
        assert_eq!(net.sent(1, peer), [&vote(1, (0, 0), false)]);
    }
}

#[test]
fn candidates_with_the_votes_of_a_majority_lead() {
    let mut net = Net::new(5);
    net.pass(Span::from_ms(500));
    net.step(1, |raft, now, out| raft.campaign(now, out));
    net.deliver();
    net.deliver();
    net.sync(1);
    net.receive(1, 2, vote_reply(1, true));
    net.receive(1, 2, vote_reply(1, true));
    assert_eq!(
        net.raft(1).role(),
        Role::Candidate,
        "two of five, one twice"
    );
    net.receive(1, 3, vote_reply(1, false));
    net.receive(1, 4, vote_reply(1, true));
    assert_eq!(net.raft(1).role(), Role::Leader);
}

#[test]
fn candidates_follow_a_leader_of_their_term_and_try_again_without_one() {
    let mut net = Net::new(3);
    net.isolate(1);
    net.now = net.raft(1).deadline();
    net.tick(1);
    // Node 2 would vote, but its vote gets lost.
    net.heal();
    net.deliver();
    net.deliver();
    net.sync(1);
    assert_eq!(net.raft(1).role(), Role::Candidate);
    net.wire.clear();
    net.now = net.raft(1).deadline();
    net.tick(1);
    assert_eq!(net.raft(1).role(), Role::PreCandidate);
    net.wire.clear();
    net.receive(1, 3, append(1, (0, 0), &[1], 0));
    assert_eq!(net.raft(1).role(), Role::Follower);
    assert_eq!(net.raft(1).leader(), Some(NodeId(3)));
}

// Leaders.

#[test]
fn leaders_repeat_heartbeats_during_idle_periods_to_prevent_election_timeouts() {
    let mut net = Net::new(3);
    net.elect(1);
    for _ in 0..100 {
        net.beat(1);
        for node in [2, 3] {
            assert!(net.now + Span::from_ms(200) <= net.raft(node).deadline());
            net.tick(node);
            assert_eq!(net.raft(node).role(), Role::Follower);
        }
    }
    assert_eq!(net.raft(1).term(), Term(1));
}

#[test]
fn leaders_append_a_command_to_their_log_and_answer_when_it_is_applied() {
    let mut net = Net::new(3);
    net.elect(1);
    let command = net.propose(1);
    assert_eq!(net.raft(1).last(), command);
    net.sync(1);
    assert!(net.raft(1).ready() < command.index, "nobody else has it");
    net.settle();
    assert_eq!(net.raft(1).ready(), command.index);
}

#[test]
fn leaders_send_the_entries_from_next_index_on_and_move_it_with_each_success() {
    let mut net = Net::with_logs(&[(1, &[1, 1, 1]), (1, &[1, 1, 1]), (1, &[1])]);
    net.barely_elect(1);
    net.settle();
    assert_eq!(net.peer(1, 3), (PeerState::Replicate, 4, 5));
    let entry = net.propose(1);
    let from_next = |m: &Message| {
        matches!(m, Message::Append { prev, entries, .. }
        if *prev == id(2, 4) && entries[0].id == entry)
    };
    assert!(matches!(net.sent(1, 3)[..], [one] if from_next(one)));
    // It streams: `next` runs ahead of what is acknowledged.
    assert_eq!(net.peer(1, 3), (PeerState::Replicate, 4, 6));
    net.settle();
    assert_eq!(net.peer(1, 3), (PeerState::Replicate, 5, 6));
}

#[test]
fn leaders_send_heartbeats_and_a_blank_entry_upon_election() {
    let mut net = Net::new(3);
    net.elect(1);
    assert_eq!(net.terms(1), [1]);
    assert_eq!(net.terms(3), [1]);
    assert_eq!(net.commits(), [1, 1, 1]);
    assert!(net.raft(1).serving());
    net.pass(Span::from_ms(50));
    net.tick(1);
    assert!(matches!(net.sent(1, 2)[..], [Message::Heartbeat { .. }]));
}

#[test]
fn leaders_retry_with_an_earlier_entry_until_the_logs_agree() {
    // Figure 7 of the paper: leader and the followers a to f.
    let leader: &[u64] = &[1, 1, 1, 4, 4, 5, 5, 6, 6, 6];
    let followers: [&[u64]; 6] = [
        &[1, 1, 1, 4, 4, 5, 5, 6, 6],
        &[1, 1, 1, 4],
        &[1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6],
        &[1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7],
        &[1, 1, 1, 4, 4, 4, 4],
        &[1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3],
    ];
    let [a, b, c, d, e, f] = followers;
    let logs = [(7, leader), (7, a), (7, b), (7, c), (7, d), (7, e), (7, f)];
    let mut net = Net::with_logs(&logs);
    net.elect(1);
    let mut terms = leader.to_vec();
    terms.push(8);
    for node in 1..=7 {
        assert_eq!(net.terms(node), terms, "node {node}");
    }
    assert_eq!(net.commits(), [11; 7]);
}

#[test]
fn one_round_trip_is_enough_for_each_differing_term() {
    let leader: Vec<u64> = [vec![1; 50], vec![5; 200]].concat();
    let follower: Vec<u64> = [vec![1; 50], vec![2; 200], vec![3; 200]].concat();
    let mut net = Net::with_logs(&[(5, &leader), (5, &follower), (5, &leader)]);
    net.pass(Span::from_ms(500));
    net.step(1, |raft, now, out| raft.campaign(now, out));
    let mut refusals = 0;
    for _ in 0..100 {
        net.sync_all();
        refusals += net
            .sent(2, 1)
            .iter()
            .filter(|m| matches!(m, Message::Rejected { .. }))
            .count();
        net.deliver();
    }
    assert_eq!(net.terms(2), net.terms(1));
    assert!(refusals <= 3, "{refusals} refusals");
}

#[test]
fn leaders_commit_what_a_majority_holds() {
    let mut net = Net::new(5);
    net.elect(1);
    for node in [3, 4, 5] {
        net.isolate(node);
    }
    net.propose(1);
    net.settle();
    assert_eq!(net.raft(1).commit(), Index(1), "two of five");
    net.heal();
    net.isolate(4);
    net.isolate(5);
    net.pass(Span::from_ms(200));
    net.beat(1);
    net.beat(1);
    assert_eq!(net.raft(1).commit(), Index(2), "three of five");
}

#[test]
fn leaders_count_only_entries_of_their_own_term() {
    // Figure 8: entry 2 of term 2 is on a majority, and yet not committed until term 4 has one there.
    let mut net = Net::with_logs(&[(3, &[1, 2]), (3, &[1, 2]), (3, &[1])]);
    net.configs.values_mut().for_each(|c| c.append_bytes = 24);
    (1..=3).for_each(|node| net.restart(node));
    net.pass(Span::from_ms(500));
    net.step(1, |raft, now, out| raft.campaign(now, out));
    let mut committed = Vec::new();
    for _ in 0..20 {
        net.sync_all();
        net.deliver();
        committed.push(net.raft(1).commit().0);
    }
    committed.dedup();
    assert_eq!(committed, [0, 3], "not 2 before 3");
}

#[test]
fn followers_learn_of_a_commit_at_once() {
    let mut net = Net::new(3);
    net.elect(1);
    net.propose(1);
    net.settle(); // No time passes, so no heartbeat helps.
    assert_eq!(net.commits(), [2, 2, 2]);
}

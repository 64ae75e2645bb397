//! Figure 2 of the paper, sentence by sentence.

use super::*;

fn append(term: u64, prev: (u64, u64), terms: &[u64], commit: u64) -> Message {
    Message::Append {
        term: Term(term),
        prev: id(prev.0, prev.1),
        entries: (prev.1 + 1..)
            .zip(terms)
            .map(|(index, term)| entry(*term, index))
            .collect(),
        commit: Index(commit),
    }
}

/// A follower with this log in term 3 is sent one append by node 2.
fn check_append(own: &[u64], message: Message, answer: &str, terms: &[u64], commit: u64) {
    let mut net = Net::with_logs(&[(3, own), (3, &[]), (3, &[])]);
    let said = match &net.answer(1, 2, message)[..] {
        [Message::Appended { matched, .. }] => alloc::format!("matched {matched}"),
        [Message::Rejected { term, prev, hint }] => {
            alloc::format!("no: term {term} prev {prev} hint {hint}")
        }
        other => alloc::format!("{other:?}"),
    };
    assert_eq!(said, answer);
    assert_eq!(net.terms(1), terms);
    assert_eq!(net.raft(1).commit(), Index(commit));
    assert_eq!(net.halted.len(), 0);
}

#[test]
fn append_entries_1_reply_false_if_term_is_old() {
    let stale = append(2, (1, 2), &[2], 3);
    check_append(&[1, 1], stale, "no: term 3 prev 0 hint 0@0", &[1, 1], 0);
}

#[test]
fn append_entries_2_reply_false_if_prev_does_not_match() {
    let missing = append(3, (3, 5), &[3], 0);
    check_append(&[1, 1], missing, "no: term 3 prev 5 hint 2@1", &[1, 1], 0);
    let other = append(3, (3, 3), &[3], 0);
    check_append(
        &[1, 1, 2],
        other,
        "no: term 3 prev 3 hint 3@2",
        &[1, 1, 2],
        0,
    );
    // The hint skips a whole term at once.
    let other = append(3, (1, 4), &[3], 0);
    check_append(
        &[1, 2, 2, 2],
        other,
        "no: term 3 prev 4 hint 1@1",
        &[1, 2, 2, 2],
        0,
    );
}

#[test]
fn append_entries_3_delete_a_conflicting_entry_and_all_that_follow() {
    let conflict = append(3, (1, 1), &[3], 0);
    check_append(&[1, 2, 2], conflict, "matched 2", &[1, 3], 0);
    let later = append(3, (1, 1), &[2, 3], 0);
    check_append(&[1, 2, 2, 2], later, "matched 3", &[1, 2, 3], 0);
}

#[test]
fn append_entries_4_append_new_entries_not_already_in_the_log() {
    check_append(&[], append(3, (0, 0), &[1, 3], 0), "matched 2", &[1, 3], 0);
    let overlap = append(3, (1, 1), &[1, 3], 0);
    check_append(&[1, 1], overlap, "matched 3", &[1, 1, 3], 0);
    // A late, shorter message shortens nothing, and its answer is about itself.
    let late = append(3, (1, 1), &[1], 0);
    check_append(&[1, 1, 1, 1], late, "matched 2", &[1, 1, 1, 1], 0);
    let empty = append(3, (1, 1), &[], 0);
    check_append(&[1, 1, 1], empty, "matched 1", &[1, 1, 1], 0);
}

#[test]
fn append_entries_5_commit_no_further_than_the_last_new_entry() {
    check_append(
        &[1, 1],
        append(3, (1, 2), &[3, 3], 3),
        "matched 4",
        &[1, 1, 3, 3],
        3,
    );
    check_append(
        &[1, 1],
        append(3, (1, 2), &[3], 9),
        "matched 3",
        &[1, 1, 3],
        3,
    );
    // The tail may be another leader's.
    check_append(
        &[1, 1, 2],
        append(3, (1, 1), &[1], 3),
        "matched 2",
        &[1, 1, 2],
        2,
    );
}

#[test]
fn entries_that_do_not_follow_each_other_are_not_stored() {
    let mut hole = append(3, (1, 1), &[3, 3], 0);
    if let Message::Append { entries, .. } = &mut hole {
        entries.remove(0);
    }
    check_append(&[1], hole, "[]", &[1], 0);
}

/// A voter with this log and vote in term 3 is asked by node 2.
fn check_vote(own: &[u64], voted_for: Option<u64>, term: u64, last: (u64, u64), granted: bool) {
    let mut net = Net::with_logs(&[(3, own), (3, &[]), (3, &[])]);
    net.disk(1).vote.voted_for = voted_for.map(NodeId);
    net.restart(1);
    let asked = Message::Vote {
        term: Term(term),
        last: id(last.0, last.1),
        transfer: false,
    };
    let term = Term(term.max(3));
    let reply = Message::VoteReply { term, granted };
    assert_eq!(
        net.answer(1, 2, asked.clone()),
        core::slice::from_ref(&reply)
    );
    // Asking again changes nothing.
    assert_eq!(net.answer(1, 2, asked), [reply]);
}

#[test]
fn request_vote_1_reply_false_if_term_is_old() {
    check_vote(&[1], None, 2, (1, 1), false);
}

#[test]
fn request_vote_2_grant_if_free_and_the_log_is_up_to_date() {
    check_vote(&[1, 2], None, 3, (2, 2), true);
    check_vote(&[1, 2], Some(2), 3, (2, 2), true);
    check_vote(&[1, 2], Some(3), 3, (2, 2), false);
    check_vote(&[1, 2], Some(3), 4, (2, 2), true);
    check_vote(&[1, 2], None, 4, (2, 1), false);
    check_vote(&[1, 2], None, 4, (1, 9), false);
    check_vote(&[1, 2], None, 4, (3, 1), true);
}

#[test]
fn a_vote_is_remembered_through_a_restart() {
    let mut net = Net::new(3);
    let ask = |last| Message::Vote {
        term: Term(1),
        last,
        transfer: false,
    };
    net.answer(1, 2, ask(id(0, 0)));
    net.restart(1);
    let term = Term(1);
    let granted = false;
    assert_eq!(
        net.answer(1, 3, ask(id(0, 0))),
        [Message::VoteReply { term, granted }]
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

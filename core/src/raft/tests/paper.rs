//! Figure 2 of the paper, sentence by sentence: state and RPCs. Where this protocol differs on purpose, a test
//! says so. The rules for servers are in `rules`, figure 3 in `safety`, what the dissertation adds in
//! `dissertation`.

use super::*;

pub(super) fn heartbeat(term: u64, round: u64) -> Message {
    Message::Heartbeat {
        term: Term(term),
        commit: Index(0),
        round,
    }
}

pub(super) fn vote(term: u64, last: (u64, u64), transfer: bool) -> Message {
    Message::Vote {
        term: Term(term),
        last: id(last.0, last.1),
        transfer,
    }
}

pub(super) fn vote_reply(term: u64, granted: bool) -> Message {
    Message::VoteReply {
        term: Term(term),
        granted,
    }
}

pub(super) fn pre_vote(term: u64, last: (u64, u64)) -> Message {
    Message::PreVote {
        term: Term(term),
        last: id(last.0, last.1),
        round: 1,
    }
}

impl Net {
    /// This node campaigns until it leads; nothing that it says then is delivered yet.
    pub(super) fn barely_elect(&mut self, node: u64) {
        self.pass(Span::from_ms(500));
        self.step(node, |raft, now, out| raft.campaign(now, out));
        for _ in 0..20 {
            if self.raft(node).is_leader() {
                return;
            }
            self.sync_all();
            self.deliver();
        }
        panic!("node {node} lost");
    }
}

pub(super) fn append(term: u64, prev: (u64, u64), terms: &[u64], commit: u64) -> Message {
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

// State.

#[test]
fn persistent_state_is_on_stable_storage_before_an_answer() {
    let mut net = Net::new(3);
    net.receive(1, 2, vote(1, (0, 0), false));
    assert!(net.wire.is_empty(), "the vote is not durable");
    net.sync(1);
    let (term, voted_for) = (Term(1), Some(NodeId(2)));
    assert_eq!(net.disks[&1].vote, Vote { term, voted_for });
    assert_eq!(net.sent(1, 2), [&vote_reply(1, true)]);
    net.wire.clear();
    net.receive(1, 2, append(1, (0, 0), &[1], 0));
    assert!(net.wire.is_empty(), "the entry is not durable");
    net.sync(1);
    assert_eq!(net.disks[&1].log, log(&[1]));
    assert!(matches!(net.sent(1, 2)[..], [Message::Appended { .. }]));
}

#[test]
fn current_term_begins_at_0_and_increases_monotonically() {
    let mut net = Net::new(3);
    assert_eq!(net.raft(1).term(), Term(0));
    let mut highest = 0;
    for term in [3, 1, 2, 5, 4] {
        net.receive(1, 2, heartbeat(term, 1));
        highest = highest.max(term);
        assert_eq!(net.raft(1).term(), Term(highest));
    }
    net.sync(1);
    net.restart(1);
    assert_eq!(net.raft(1).term(), Term(5));
}

#[test]
fn voted_for_is_the_candidate_of_the_current_term_or_nobody() {
    let mut net = Net::new(3);
    assert_eq!(net.raft(1).voted_for(), None);
    net.receive(1, 2, vote(1, (0, 0), false));
    assert_eq!(net.raft(1).voted_for(), Some(NodeId(2)));
    net.receive(1, 3, heartbeat(1, 1));
    assert_eq!(
        net.raft(1).voted_for(),
        Some(NodeId(2)),
        "for all of the term"
    );
    net.receive(1, 3, heartbeat(2, 1));
    assert_eq!(net.raft(1).voted_for(), None);
}

#[test]
fn the_first_index_of_the_log_is_1() {
    let mut net = Net::new(3);
    assert_eq!(net.raft(1).last().index, Index(0));
    net.elect(1);
    assert_eq!(net.raft(1).first_index(), Index(1));
    assert_eq!(net.raft(1).last(), id(1, 1));
}

/// In the paper it begins at 0 after each start. Here it begins at what was noted down as committed, which
/// is committed still.
#[test]
fn commit_index_begins_at_0_and_increases_monotonically() {
    let mut net = Net::new(3);
    assert_eq!(net.raft(1).commit(), Index(0));
    for (commit, now) in [(2, 2), (1, 2), (3, 3)] {
        net.receive(1, 2, append(1, (0, 0), &[1, 1, 1], commit));
        assert_eq!(net.raft(1).commit(), Index(now));
    }
    net.sync(1);
    net.disk(1).hint = Index(2);
    net.restart(1);
    assert_eq!(net.raft(1).commit(), Index(2));
    net.disk(1).hint = Index(0);
    net.restart(1);
    assert_eq!(net.raft(1).commit(), Index(0));
}

#[test]
fn next_index_begins_behind_the_leaders_log_and_match_index_at_0() {
    let mut net = Net::with_logs(&[(1, &[1, 1, 1]), (1, &[1, 1, 1]), (1, &[1])]);
    for _ in 0..2 {
        let next = net.raft(1).last().index.0 + 1;
        net.barely_elect(1);
        for peer in [2, 3] {
            assert_eq!(net.peer(1, peer), (PeerState::Probe, 0, next));
        }
        net.settle();
        // And again after the next election.
        net.elect(2);
    }
}

#[test]
fn match_index_increases_monotonically() {
    let mut net = Net::new(3);
    net.elect(1);
    net.propose_many(1, 3);
    net.settle();
    assert_eq!(net.peer(1, 2), (PeerState::Replicate, 4, 5));
    let (term, matched) = (Term(1), Index(2));
    net.receive(1, 2, Message::Appended { term, matched });
    assert_eq!(
        net.peer(1, 2),
        (PeerState::Replicate, 4, 5),
        "a late answer"
    );
}

// AppendEntries RPC.

#[test]
fn append_entries_names_the_leader_so_that_followers_can_redirect_clients() {
    let mut net = Net::new(3);
    assert_eq!(net.raft(1).leader(), None);
    net.receive(1, 2, append(1, (0, 0), &[1], 0));
    assert_eq!(net.raft(1).leader(), Some(NodeId(2)));
}

#[test]
fn append_entries_may_carry_more_than_one_entry() {
    let mut net = Net::new(3);
    net.elect(1);
    net.step(1, |raft, now, _| {
        for _ in 0..3 {
            raft.propose(now, command()).expect("it leads");
        }
    });
    let carries = |m: &Message| matches!(m, Message::Append { entries, .. } if entries.len() == 3);
    assert!(matches!(net.sent(1, 2)[..], [one] if carries(one)));
}

/// In the paper an empty append is the heartbeat. Here heartbeats are messages of their own, without an entry
/// before them, so that they never wait behind data (raft.md 2.7.2).
#[test]
fn append_entries_is_no_heartbeat_here() {
    let mut net = Net::new(3);
    net.elect(1);
    (0..5).for_each(|_| {
        net.pass(Span::from_ms(50));
        net.tick(1);
        assert!(matches!(net.sent(1, 2)[..], [Message::Heartbeat { .. }]));
        net.settle();
    });
}

#[test]
fn append_entries_is_answered_with_the_term_for_the_leader_to_update_itself() {
    let mut net = Net::with_logs(&[(1, &[]), (3, &[]), (1, &[])]);
    net.isolate(2);
    net.elect(1);
    net.heal();
    net.propose(1);
    let stale = append(2, (0, 0), &[2], 0);
    let answer = net.answer(2, 1, stale);
    net.receive(1, 2, answer[0].clone());
    assert_eq!(net.raft(1).term(), Term(3));
    assert_eq!(net.raft(1).role(), Role::Follower);
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

// RequestVote RPC.

/// A voter with this log and vote in term 3 is asked by node 2.
fn check_vote(own: &[u64], voted_for: Option<u64>, term: u64, last: (u64, u64), granted: bool) {
    let mut net = Net::with_logs(&[(3, own), (3, &[]), (3, &[])]);
    net.disk(1).vote.voted_for = voted_for.map(NodeId);
    net.restart(1);
    let asked = vote(term, last, false);
    let reply = vote_reply(term.max(3), granted);
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
    net.answer(1, 2, vote(1, (0, 0), false));
    net.restart(1);
    let refusal = vote_reply(1, false);
    assert_eq!(net.answer(1, 3, vote(1, (0, 0), false)), [refusal]);
}

#[test]
fn request_vote_is_answered_with_the_term_for_the_candidate_to_update_itself() {
    let mut net = Net::with_logs(&[(1, &[]), (5, &[]), (1, &[])]);
    let answer = net.answer(2, 1, vote(2, (0, 0), false));
    assert_eq!(answer, [vote_reply(5, false)]);
    net.isolate(2);
    net.pass(Span::from_ms(500));
    net.step(1, |raft, now, out| raft.campaign(now, out));
    net.deliver();
    net.deliver();
    assert_eq!(net.raft(1).role(), Role::Candidate);
    net.receive(1, 2, answer[0].clone());
    assert_eq!(net.raft(1).term(), Term(5));
    assert_eq!(net.raft(1).role(), Role::Follower);
}

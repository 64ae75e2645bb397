//! What the paper leaves to the implementer: disks, pauses, late messages, snapshots, restarts.

use super::*;

#[test]
fn a_single_node_leads_and_commits_through_its_own_disk() {
    let mut net = Net::new(1);
    assert_eq!(net.raft(1).deadline(), START);
    net.tick(1);
    assert_eq!(
        net.raft(1).role(),
        Role::Candidate,
        "its vote is not durable"
    );
    net.sync(1);
    assert_eq!(net.raft(1).role(), Role::Leader);
    assert_eq!(net.raft(1).commit(), Index(0));
    assert!(!net.raft(1).serving());
    net.sync(1);
    assert!(net.raft(1).serving());
    assert_eq!(
        net.raft(1).deadline(),
        Time::NEVER,
        "an idle minute costs nothing"
    );
    let mut round = 0;
    net.step(1, |raft, now, _| round = raft.begin_round(now));
    assert!(round <= net.raft(1).confirmed_round());
}

#[test]
fn a_vote_request_waits_for_the_own_vote() {
    let mut net = Net::new(3);
    net.pass(Span::from_ms(500));
    net.step(1, |raft, now, out| raft.campaign(now, out));
    net.deliver();
    net.deliver();
    assert_eq!(net.raft(1).role(), Role::Candidate);
    assert!(net.sent(1, 2).is_empty());
    assert_eq!(
        net.raft(1).withheld().len(),
        3,
        "the own vote, and two requests"
    );
    net.sync(1);
    assert!(matches!(net.sent(1, 2)[..], [Message::Vote { .. }]));
}

#[test]
fn an_ack_waits_for_the_log_and_a_heartbeat_answer_for_the_term_only() {
    let mut net = Net::new(3);
    net.elect(1);
    net.disk(2).frozen = true;
    net.propose(1);
    net.pass(Span::from_ms(50));
    net.tick(1);
    net.deliver();
    assert!(matches!(
        net.sent(2, 1)[..],
        [Message::HeartbeatReply { .. }]
    ));
    assert_eq!(net.raft(2).withheld().len(), 1);
    assert_eq!(
        (net.raft(2).last().index, net.raft(2).durable()),
        (Index(2), Index(1))
    );
    net.disk(2).frozen = false;
    net.settle();
    assert_eq!(net.peer(1, 2), (PeerState::Replicate, 2, 3));
}

#[test]
fn the_leader_counts_itself_after_its_own_sync() {
    let mut net = Net::new(3);
    net.elect(1);
    net.disk(1).frozen = true;
    net.isolate(3);
    net.propose(1);
    net.settle();
    assert_eq!(
        net.peer(1, 2).1,
        2,
        "sent and acknowledged before the own disk has it"
    );
    assert_eq!(net.raft(1).commit(), Index(1));
    net.disk(1).frozen = false;
    net.settle();
    assert_eq!(net.raft(1).commit(), Index(2));
}

#[test]
fn the_followers_can_commit_without_the_leaders_disk() {
    let mut net = Net::new(3);
    net.elect(1);
    net.disk(1).frozen = true;
    net.propose(1);
    net.settle();
    assert_eq!(net.commits(), [2, 2, 2]);
    assert_eq!(
        net.raft(1).ready(),
        Index(1),
        "but it does not apply what it may lose"
    );
}

#[test]
fn an_ack_dies_with_its_entry_and_claims_are_lowered() {
    let mut net = Net::new(3);
    let send = |term: u64, prev: LogId, entries: Vec<Entry>| Message::Append {
        term: Term(term),
        prev,
        entries,
        commit: Index(0),
    };
    net.receive(1, 2, send(1, id(0, 0), log(&[1, 1, 1])));
    net.receive(1, 3, send(2, id(1, 1), vec![entry(2, 2)]));
    let writes = &mut net.disk(1).pending;
    let (first, _) = writes.pop_front().expect("two writes");
    net.step(1, |raft, now, out| raft.written(now, first, out));
    assert_eq!(
        net.raft(1).durable(),
        Index(1),
        "entry 2 is another one now"
    );
    assert!(net.sent(1, 3).is_empty());
    net.sync(1);
    assert_eq!(net.raft(1).durable(), Index(2));
    assert!(matches!(
        net.sent(1, 3)[..],
        [Message::Appended {
            matched: Index(2),
            ..
        }]
    ));
    assert!(
        net.sent(1, 2).is_empty(),
        "what was to be said in term 1 is not said"
    );
}

#[test]
fn a_leader_whose_disk_stands_still_steps_down_and_does_not_run() {
    let mut net = Net::new(3);
    net.elect(1);
    net.disk(1).frozen = true;
    net.propose(1);
    net.settle();
    for _ in 0..15 {
        net.beat(1);
    }
    assert!(net.raft(1).is_leader(), "750 ms");
    net.beat(1);
    assert_eq!(net.raft(1).role(), Role::Follower, "800 ms");
    for _ in 0..10 {
        net.now = net.raft(1).deadline();
        net.tick(1);
        assert_eq!(net.raft(1).role(), Role::Follower);
    }
    net.sync(1);
    net.now = net.raft(1).deadline();
    net.tick(1);
    assert_eq!(net.raft(1).role(), Role::PreCandidate);
}

#[test]
fn a_leader_without_a_quorum_falls_silent() {
    let mut net = Net::new(5);
    net.elect(1);
    for node in [3, 4, 5] {
        net.isolate(node);
    }
    for _ in 0..7 {
        net.beat(1);
    }
    assert!(net.raft(1).is_leader(), "350 ms");
    net.beat(1);
    assert_eq!(
        net.raft(1).role(),
        Role::Follower,
        "400 ms after the last round that was answered"
    );
    net.pass(Span::from_ms(50));
    assert!(net.wire.is_empty());
}

#[test]
fn answers_count_from_when_their_round_was_sent() {
    let mut net = Net::new(3);
    net.elect(1);
    let (_, due) = net.raft(1).election_timer();
    net.pass(Span::from_ms(50));
    net.tick(1);
    net.pass(Span::from_ms(300));
    net.settle();
    assert_eq!(net.raft(1).election_timer().1, due + Span::from_ms(50));
}

#[test]
fn a_healthy_leader_is_not_disturbed() {
    let mut net = Net::new(3);
    net.elect(1);
    let last = net.raft(3).last();
    let request = Message::Vote {
        term: Term(7),
        last,
        transfer: false,
    };
    assert_eq!(
        net.answer(2, 3, request.clone()),
        [],
        "ignored, the term too"
    );
    assert_eq!(net.raft(2).term(), Term(1));
    let (term, round) = (Term(2), 1);
    let granted = false;
    let own = Term(1);
    let pre = Message::PreVote { term, last, round };
    let refused = Message::PreVoteReply {
        term: own,
        granted,
        round,
    };
    assert_eq!(
        net.answer(2, 3, pre.clone()),
        core::slice::from_ref(&refused)
    );
    assert_eq!(
        net.answer(1, 3, pre.clone()),
        [refused],
        "nor by the leader"
    );
    net.pass(Span::from_ms(200));
    let granted = Message::PreVoteReply {
        term,
        granted: true,
        round,
    };
    assert_eq!(net.answer(2, 3, pre), [granted]);
    assert_eq!(net.raft(2).term(), Term(1), "a pre-vote changes nothing");
    assert!(matches!(
        net.answer(2, 3, request)[..],
        [Message::VoteReply { granted: true, .. }]
    ));
}

#[test]
fn a_late_answer_to_an_earlier_pre_vote_does_not_count() {
    let mut net = Net::new(3);
    net.isolate(1);
    for _ in 0..2 {
        net.now = net.raft(1).deadline();
        net.tick(1);
    }
    let reply = |round| Message::PreVoteReply {
        term: Term(1),
        granted: true,
        round,
    };
    net.receive(1, 2, reply(1));
    assert_eq!(net.raft(1).role(), Role::PreCandidate);
    net.receive(1, 2, reply(2));
    assert_eq!(net.raft(1).role(), Role::Candidate);
}

#[test]
fn a_node_with_a_higher_term_and_a_short_log_comes_back() {
    // Node 3 has raised its term alone; without answers to old terms it could neither win nor follow.
    let mut net = Net::with_logs(&[(2, &[1, 2]), (2, &[1, 2]), (8, &[1])]);
    net.isolate(3);
    net.elect(1);
    net.heal();
    net.beat(1);
    assert_eq!(net.raft(1).role(), Role::Follower, "it learned of term 8");
    net.elect(1);
    assert_eq!(net.raft(1).term(), Term(9));
    assert_eq!(net.terms(3), [1, 2, 3, 9]);
}

#[test]
fn a_partitioned_node_comes_back_without_an_election() {
    let mut net = Net::new(3);
    net.elect(1);
    net.isolate(3);
    for _ in 0..20 {
        net.beat(1);
        if net.raft(3).deadline() <= net.now {
            net.tick(3);
            net.settle();
        }
    }
    net.heal();
    net.propose(1);
    net.beat(1);
    net.pass(Span::from_ms(200));
    net.beat(1);
    assert_eq!(net.raft(1).term(), Term(1));
    assert!(net.raft(1).is_leader());
    assert_eq!(net.commits(), [2, 2, 2]);
}

#[test]
fn a_lost_stream_is_found_out_and_sent_again() {
    let mut net = Net::new(3);
    net.elect(1);
    for _ in 0..5 {
        net.propose(1);
    }
    net.wire.clear(); // All of it is lost, and nothing follows.
    net.beat(1);
    assert_eq!(net.peer(1, 2), (PeerState::Replicate, 1, 7));
    for _ in 0..4 {
        net.beat(1);
    }
    assert_eq!(net.peer(1, 2), (PeerState::Replicate, 6, 7));
    assert_eq!(net.commits(), [6, 6, 6]);
}

#[test]
fn a_lost_probe_is_sent_again() {
    let mut net = Net::with_logs(&[(1, &[1, 1]), (1, &[]), (1, &[])]);
    net.isolate(3);
    net.elect(1);
    net.heal();
    assert_eq!(net.peer(1, 3), (PeerState::Probe, 0, 3));
    for _ in 0..5 {
        net.beat(1);
    }
    assert_eq!(net.peer(1, 3), (PeerState::Replicate, 3, 4));
}

#[test]
fn a_broken_connection_sets_the_stream_back_until_the_peer_is_heard() {
    let mut net = Net::new(3);
    net.elect(1);
    net.propose(1);
    net.wire.clear();
    net.step(1, |raft, _, out| raft.peer_lost(NodeId(2), out));
    assert_eq!(net.peer(1, 2), (PeerState::Probe, 1, 2));
    assert!(net.sent(1, 2).is_empty());
    net.beat(1);
    assert_eq!(net.peer(1, 2), (PeerState::Replicate, 2, 3));
}

#[test]
fn no_more_is_under_way_than_the_window_allows() {
    let mut configs: Vec<Config> = (1..=3).map(|node| config(node, 3)).collect();
    for config in &mut configs {
        config.inflight_messages = 4;
        config.append_bytes = 250;
    }
    let mut net = Net::of(configs);
    net.elect(1);
    for _ in 0..20 {
        net.step(1, |raft, now, _| {
            raft.propose(now, command()).expect("it leads");
        });
    }
    assert_eq!(net.sent(1, 2).len(), 4);
    net.step(1, |raft, now, _| {
        for _ in 0..20 {
            raft.propose(now, command()).expect("it leads");
        }
    });
    net.settle();
    assert_eq!(net.commits(), [41, 41, 41]);
    let sizes = |m: &&Message| matches!(m, Message::Append { entries, .. } if entries.len() > 2);
    assert!(!net.sent(1, 2).iter().any(sizes));
}

#[test]
fn proposals_are_refused_when_too_much_waits() {
    let mut configs: Vec<Config> = (1..=3).map(|node| config(node, 3)).collect();
    configs[0].uncommitted_bytes = 300;
    let mut net = Net::of(configs);
    net.elect(1);
    net.wire.clear();
    let mut taken = 0;
    net.step(1, |raft, now, _| {
        while raft.propose(now, command()).is_ok() {
            taken += 1;
        }
        assert_eq!(
            raft.propose(now, command()),
            Err(super::super::Refusal::Busy)
        );
    });
    assert_eq!(taken, 2);
    net.settle();
    net.propose(1);
    let now = net.now;
    let refused = net
        .rafts
        .get_mut(&2)
        .expect("a member")
        .propose(now, command());
    assert_eq!(refused, Err(super::super::Refusal::NotLeader));
}

#[test]
fn no_more_waits_for_the_disk_than_the_limit() {
    let mut net = Net::new(3);
    // An ack takes three bytes: what it is, the term, and how far.
    net.configs.get_mut(&2).expect("a member").withheld_bytes = 9;
    net.restart(2);
    net.elect(1);
    net.disk(2).frozen = true;
    for _ in 0..20 {
        net.propose(1);
        net.deliver();
        assert!(net.raft(2).withheld().len() <= 3);
    }
    assert_eq!(net.raft(2).withheld().len(), 3);
    // What was dropped is asked for again.
    net.disk(2).frozen = false;
    net.settle();
    net.beat(1);
    assert_eq!(net.commits(), [21, 21, 21]);
}

#[test]
fn stamps_never_fall_along_the_log() {
    let mut net = Net::new(3);
    for disk in net.disks.values_mut() {
        disk.log = vec![entry(1, 1)];
        disk.vote.term = Term(1);
        disk.log[0].stamp = START + Span::from_ms(60_000);
    }
    (1..=3).for_each(|node| net.restart(node));
    net.elect(1);
    let stamp = |index| net.raft(1).entry(Index(index)).expect("there").stamp;
    assert_eq!(stamp(2), stamp(1));
}

#[test]
fn a_round_is_confirmed_by_a_quorum_that_heard_it() {
    let mut net = Net::new(3);
    net.elect(1);
    let mut round = 0;
    net.step(1, |raft, now, _| round = raft.begin_round(now));
    assert!(net.raft(1).confirmed_round() < round);
    net.settle();
    assert_eq!(net.raft(1).confirmed_round(), round);
    let mut never = 0;
    net.step(2, |raft, now, _| never = raft.begin_round(now));
    assert!(net.raft(2).confirmed_round() < never);
}

fn meta(last: LogId) -> SnapshotMeta {
    SnapshotMeta {
        last,
        stamp: START,
        configuration: Configuration::of_voters((1..=3).map(NodeId)),
    }
}

fn compact(net: &mut Net, node: u64, last: LogId, keep_from: u64) {
    net.step(node, |raft, _, _| {
        raft.compact(meta(last), Index(keep_from))
    });
}

#[test]
fn entries_leave_memory_when_the_snapshot_is_in_force() {
    let mut net = Net::new(3);
    net.elect(1);
    net.propose_many(1, 9);
    net.settle();
    compact(&mut net, 1, id(1, 8), 6);
    assert_eq!(net.raft(1).first_index(), Index(1));
    net.settle();
    assert_eq!(net.raft(1).first_index(), Index(6));
    assert_eq!(net.raft(1).snapshot().map(|meta| meta.last), Some(id(1, 8)));
    net.restart(1);
    assert_eq!(net.raft(1).first_index(), Index(7), "before 6 is unknown");
    assert_eq!(net.raft(1).last(), id(1, 10));
    assert_eq!(net.raft(1).commit(), Index(8).max(net.disks[&1].hint));
}

#[test]
fn a_peer_too_far_behind_gets_the_snapshot_and_goes_on() {
    let mut net = Net::new(3);
    net.elect(1);
    net.isolate(3);
    net.propose_many(1, 9);
    net.settle();
    compact(&mut net, 1, id(1, 8), 9);
    net.settle();
    net.heal();
    net.pass(Span::from_ms(200));
    net.beat(1);
    net.propose(1);
    net.settle();
    assert_eq!(net.installed, [3]);
    assert_eq!(net.commits(), [11, 11, 11]);
    assert_eq!(net.peer(1, 3), (PeerState::Replicate, 11, 12));
    assert_eq!(net.raft(3).first_index(), Index(9));
    net.restart(3);
    assert_eq!(
        (net.raft(3).first_index(), net.raft(3).last()),
        (Index(9), id(1, 11))
    );
}

#[test]
fn a_lost_offer_is_made_again() {
    let mut net = Net::new(3);
    net.elect(1);
    net.isolate(3);
    net.propose_many(1, 9);
    net.settle();
    compact(&mut net, 1, id(1, 8), 9);
    net.settle();
    net.pass(Span::from_ms(200));
    net.step(1, |raft, _, out| raft.peer_lost(NodeId(3), out));
    net.heal();
    net.tick(1);
    let is_offer = |m: &Message| matches!(m, Message::SnapshotOffer { .. });
    net.wire.retain(|(_, _, message)| !is_offer(message));
    for _ in 0..6 {
        net.beat(1);
    }
    assert_eq!(net.installed, [3]);
    assert_eq!(net.peer(1, 3), (PeerState::Replicate, 10, 11));
}

#[test]
fn a_conflicting_log_goes_as_a_whole_and_a_matching_tail_stays() {
    let mut net = Net::with_logs(&[(2, &[1, 1, 1, 1]), (2, &[]), (2, &[])]);
    net.install(1, meta(id(1, 3)));
    net.settle();
    assert!(net.installed.is_empty(), "the log has it");
    assert_eq!(
        (net.raft(1).commit(), net.raft(1).last()),
        (Index(3), id(1, 4))
    );
    let mut net = Net::with_logs(&[(2, &[1, 1, 1, 1]), (2, &[]), (2, &[])]);
    net.install(1, meta(id(2, 3)));
    assert_eq!(net.raft(1).last(), id(1, 4), "not before it is durable");
    net.settle();
    assert_eq!(net.installed, [1]);
    assert_eq!(
        (net.raft(1).commit(), net.raft(1).last()),
        (Index(3), id(2, 3))
    );
    assert_eq!(net.raft(1).durable(), Index(3));
    net.restart(1);
    assert_eq!(
        (net.raft(1).commit(), net.raft(1).last()),
        (Index(3), id(2, 3))
    );
}

#[test]
fn appends_are_refused_while_a_snapshot_is_being_installed() {
    let mut net = Net::with_logs(&[(2, &[1]), (2, &[]), (2, &[])]);
    net.install(1, meta(id(2, 3)));
    let append = Message::Append {
        term: Term(2),
        prev: id(1, 1),
        entries: vec![entry(2, 2)],
        commit: Index(0),
    };
    net.receive(1, 2, append);
    assert_eq!(net.raft(1).last(), id(1, 1));
    net.sync(1);
    assert!(
        matches!(
            net.sent(1, 2)[..],
            [Message::Appended {
                matched: Index(3),
                ..
            }]
        ),
        "the leader learns where to go on"
    );
}

#[test]
fn a_snapshot_torn_from_its_log_is_made_whole_at_boot() {
    let mut net = Net::with_logs(&[(2, &[1, 1]), (2, &[]), (2, &[])]);
    net.disk(1).snapshot = Some(meta(id(2, 3)));
    net.restart(1);
    assert_eq!(net.raft(1).last(), id(2, 3));
    net.tick(1);
    net.settle();
    assert!(
        net.disks[&1].log.is_empty(),
        "what does not fit it leaves the disk, too"
    );
}

#[test]
fn a_boot_image_that_no_run_can_leave_is_refused() {
    let mut disk = Disk {
        log: log(&[1, 2]),
        ..Disk::default()
    };
    disk.vote.term = Term(1);
    assert!(
        disk.boot(&config(1, 3), 1, START).is_err(),
        "an entry above the term"
    );
    disk.vote.term = Term(2);
    disk.hint = Index(9);
    let raft = disk.boot(&config(1, 3), 1, START).expect("in order");
    assert_eq!(raft.commit(), Index(2), "a hint is no log");
    disk.log.remove(0);
    assert!(disk.boot(&config(1, 3), 1, START).is_err(), "a gap");
    assert!(
        disk.boot(&Config::new(NodeId(1), vec![]), 1, START)
            .is_err()
    );
}

#[test]
fn a_node_that_lost_acknowledged_entries_says_so() {
    let mut net = Net::new(3);
    net.elect(1);
    net.propose_many(1, 4);
    net.settle();
    net.disk(3).log.truncate(2);
    net.disk(3).hint = Index(0);
    net.restart(3);
    net.beat(1);
    assert!(
        matches!(net.halted[&3], Halt::AcknowledgedLost { .. }),
        "{:?}",
        net.halted
    );
    assert_eq!(net.raft(3).deadline(), Time::NEVER);
}

#[test]
fn clones_go_separate_ways() {
    let mut net = Net::new(3);
    net.elect(1);
    let fork = net.raft(1).clone();
    let digest = |raft: &Raft| {
        let mut words = Vec::new();
        raft.digest(&mut |word| words.push(word));
        words
    };
    let before = digest(&fork);
    net.propose_many(1, 300);
    net.settle();
    assert_eq!(digest(&fork), before);
    assert_ne!(digest(net.raft(1)), before);
}

#[test]
fn a_clock_far_behind_the_log_raises_one_alarm() {
    let mut net = Net::new(3);
    let mut stamped = entry(1, 1);
    stamped.stamp = START + Span::from_ms(61_000);
    let disk = net.disk(1);
    disk.vote.term = Term(1);
    disk.log = vec![stamped];
    net.restart(1);
    net.elect(1);
    assert_eq!(net.alarms.len(), 1);
    net.propose(1);
    net.beat(1);
    assert_eq!(net.alarms.len(), 1, "once is enough");
    assert!(Span::from_ms(60_000) < net.raft(1).stamp_ahead());
}

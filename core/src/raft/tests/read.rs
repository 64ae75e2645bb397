//! Reads that see everything (raft.md 2.6.1, 2.6.2, rule R6).

use super::*;

impl Net {
    /// Somebody at this node wants to read.
    pub(super) fn ask(&mut self, node: u64) {
        self.step(node, |raft, now, _| {
            raft.begin_read(now);
        });
    }

    fn questions(&self, from: u64, to: u64) -> Vec<u64> {
        let sent = self.sent(from, to);
        let numbers = sent.iter().filter_map(|message| match message {
            Message::ReadIndex { number, .. } => Some(*number),
            _ => None,
        });
        numbers.collect()
    }
}

#[test]
fn a_read_begins_a_round_in_the_same_step() {
    let mut net = Net::new(3);
    net.elect(1);
    net.wire.clear();
    net.ask(1);
    assert!(matches!(net.sent(1, 2)[..], [Message::Heartbeat { .. }]));
    assert_eq!(net.confirmed, []);
    net.settle();
    assert_eq!(net.confirmed, [(1, Index(1))]);
}

#[test]
fn a_follower_asks_the_leader() {
    let mut net = Net::new(3);
    net.elect(1);
    net.propose(1);
    net.settle();
    net.ask(2);
    assert_eq!(net.questions(2, 1).len(), 1);
    net.settle();
    assert_eq!(net.confirmed, [(2, Index(2))]);
}

#[test]
fn all_reads_of_a_step_share_a_question_and_a_round() {
    let mut net = Net::new(3);
    net.elect(1);
    net.wire.clear();
    net.step(2, |raft, now, _| {
        let first = raft.begin_read(now);
        assert_eq!(raft.begin_read(now), first);
    });
    assert_eq!(net.wire.len(), 1);
}

#[test]
fn a_lost_question_is_asked_again_with_the_same_number() {
    let mut net = Net::new(3);
    net.elect(1);
    net.ask(2);
    let first = net.questions(2, 1);
    net.wire.clear();
    let again = net.raft(2).deadline();
    assert_eq!(again, net.now + net.configs[&2].retry);
    net.beat(1);
    net.now = net.now.max(again);
    net.tick(2);
    assert_eq!(net.questions(2, 1), first);
    net.settle();
    assert_eq!(net.confirmed, [(2, Index(1))]);
    assert!(net.now < net.raft(2).deadline(), "nothing is left to ask");
}

#[test]
fn a_question_goes_to_the_next_leader() {
    let mut net = Net::new(3);
    net.elect(1);
    net.isolate(1);
    net.ask(2);
    let number = net.questions(2, 1);
    net.settle();
    net.pass(Span::from_ms(500));
    net.step(3, |raft, now, out| raft.campaign(now, out));
    while net.questions(2, 3).is_empty() {
        net.sync_all();
        net.deliver();
    }
    assert_eq!(net.questions(2, 3), number);
    net.settle();
    assert_eq!(net.confirmed, [(2, Index(2))]);
}

#[test]
fn a_leader_that_was_replaced_confirms_nothing() {
    let mut net = Net::new(3);
    net.elect(1);
    net.isolate(1);
    net.ask(1);
    net.elect(2);
    net.propose(2);
    net.settle();
    assert_eq!(net.confirmed, []);
    net.heal();
    net.beat(2);
    net.settle();
    // It asks the leader of the day, and sees what that one committed.
    assert_eq!(net.confirmed, [(1, Index(3))]);
}

#[test]
fn answers_to_an_earlier_round_do_not_count() {
    let mut net = Net::new(3);
    net.elect(1);
    net.pass(Span::from_ms(50));
    net.tick(1);
    net.deliver();
    net.sync_all();
    // The answers to the heartbeat are under way when the read comes.
    let late = core::mem::take(&mut net.wire);
    assert!(!late.is_empty());
    net.ask(1);
    net.wire = late;
    net.deliver();
    assert_eq!(net.confirmed, []);
}

#[test]
fn a_fresh_leader_waits_for_an_entry_of_its_own() {
    let mut net = Net::with_logs(&[(1, &[1, 1]), (1, &[1, 1]), (1, &[1, 1])]);
    net.pass(Span::from_ms(500));
    net.step(1, |raft, now, out| raft.campaign(now, out));
    while !net.raft(1).is_leader() {
        net.sync_all();
        net.deliver();
    }
    for node in 1..=3 {
        net.disk(node).frozen = true;
    }
    net.ask(1);
    net.settle();
    assert_eq!(net.confirmed, [], "nobody knows that 2 is committed");
    for node in 1..=3 {
        net.disk(node).frozen = false;
    }
    net.settle();
    assert_eq!(net.confirmed, [(1, Index(3))]);
}

#[test]
fn an_answer_to_an_earlier_life_is_none() {
    let mut net = Net::new(3);
    net.elect(1);
    net.ask(2);
    let question = net.questions(2, 1)[0];
    net.wire.clear();
    // The seed of a life is its own.
    let disk = net.disk(2).clone();
    let raft = disk.boot(&net.configs[&2], 99, net.now);
    net.rafts.insert(2, raft.expect("the disk is in order"));
    net.beat(1);
    net.ask(2);
    net.wire.clear();
    let late = Message::ReadIndexReply {
        term: Term(1),
        number: question,
        index: Index(1),
    };
    net.receive(2, 1, late);
    assert_eq!(net.confirmed, []);
}

#[test]
fn a_single_node_needs_no_round_trip() {
    let mut net = Net::new(1);
    net.tick(1);
    net.sync(1);
    net.sync(1);
    net.ask(1);
    assert_eq!(net.confirmed, [(1, Index(1))]);
}

#[test]
fn no_more_questions_wait_than_the_limit() {
    let mut net = Net::new(3);
    net.configs.get_mut(&1).expect("a member").waiting_reads = 2;
    net.restart(1);
    net.elect(1);
    net.isolate(3);
    for number in 1..=9 {
        net.cut.push((2, 1));
        net.receive(
            1,
            2,
            Message::ReadIndex {
                term: Term(1),
                number,
            },
        );
        net.receive(
            1,
            2,
            Message::ReadIndex {
                term: Term(1),
                number,
            },
        );
    }
    let super::super::State::Leader(leadership) = &net.rafts[&1].state else {
        panic!("it leads");
    };
    assert_eq!(leadership.waiting.len(), 2);
}

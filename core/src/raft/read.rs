//! Reads that see everything that was acknowledged before they were asked for: a leader confirms by a round
//! that began after the question that it still leads, and names its commit index; who asked waits until
//! that is applied. All questions of one step share a number, and all that wait share a round. Knows
//! nothing of what is read.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::message::Message;
use super::note::Note;
use super::{Effect, Raft, State};
use crate::config::Bug;
use crate::id::{Index, NodeId, Term};
use crate::rng::Rng;
use crate::time::Time;

/// What this node itself has asked, whoever leads. Numbers begin at a random place at each start, so that an
/// answer to an earlier life is none to this one (etcd-io/etcd#20418 tells what a key used twice does).
#[derive(Clone)]
pub(super) struct Questions {
    /// The last that was asked; an answer to it answers all before it.
    asked: u64,
    /// The last that was answered.
    answered: u64,
    /// Somebody asked in this step.
    wanted: bool,
    /// Whom the last was asked, and when.
    of: Option<(Term, NodeId)>,
    at: Time,
}

/// A question that waits at the leader.
#[derive(Clone)]
pub(super) struct Waiting {
    from: NodeId,
    number: u64,
    /// The round that must be confirmed.
    round: u64,
    /// Everything acknowledged before the question is at or below this.
    index: Index,
}

impl Questions {
    pub(super) fn new(seed: u64) -> Self {
        // 2^48 lives of 2^48 questions each do not run over.
        let begin = Rng::new(!seed).next_u64() >> 16;
        Self {
            asked: begin,
            answered: begin,
            wanted: false,
            of: None,
            at: Time(0),
        }
    }

    fn is_open(&self) -> bool {
        self.answered < self.asked
    }

    pub(super) fn digest(&self, into: &mut impl FnMut(u64)) {
        into(self.asked);
        into(self.answered);
        into(u64::from(self.wanted));
    }
}

impl Raft {
    /// Asks the leader, at the end of this step, how far one must have applied to see everything that was
    /// acknowledged until now. `Confirmed` with this number or a higher one is the answer. Without a
    /// leader it waits for one.
    pub fn begin_read(&mut self, now: Time) -> u64 {
        self.now = self.now.max(now);
        self.questions.wanted = true;
        self.questions.asked + 1
    }

    /// Sends what is to be asked: at once, and again with the same number until it is answered or somebody
    /// else leads (rule R6).
    pub(super) fn ask(&mut self, out: &mut Vec<Effect>) {
        let fresh = core::mem::take(&mut self.questions.wanted);
        self.questions.asked += u64::from(fresh);
        if !self.questions.is_open() {
            return;
        }
        let of = self.leader().map(|leader| (self.vote.term, leader));
        let again = of != self.questions.of || self.question_due() <= self.now;
        if !fresh && !again {
            return;
        }
        (self.questions.of, self.questions.at) = (of, self.now);
        let number = self.questions.asked;
        match of {
            None => {}
            Some((_, leader)) if leader == self.config.id => self.on_read_index(leader, number),
            Some((term, to)) => {
                let message = Message::ReadIndex { term, number };
                self.say(to, message, self.disk.term(), out);
            }
        }
    }

    /// When the leader has to be asked again.
    pub(super) fn question_due(&self) -> Time {
        match self.questions.of {
            Some(_) if self.questions.is_open() => self.questions.at + self.config.retry,
            _ => Time::NEVER,
        }
    }

    /// A question reached the leader.
    pub(super) fn on_read_index(&mut self, from: NodeId, number: u64) {
        // With a lease nothing need be asked; should it run out first, the next heartbeat will do.
        let round = match self.lease() {
            None => self.begin_round(self.now),
            Some(_) => self.round + 1,
        };
        let State::Leader(leadership) = &mut self.state else {
            return;
        };
        let is_same = |waiting: &Waiting| waiting.from == from && waiting.number == number;
        let limit = self.config.waiting_reads as usize;
        if limit <= leadership.waiting.len() || leadership.waiting.iter().any(is_same) {
            return; // It is asked again.
        }
        // All that earlier leaders committed lies below this leader's first entry (etcd-io/etcd#7331).
        let first = match self.config.has(Bug::ReadBeforeOwnTerm) {
            false => leadership.blank(),
            true => Index(0),
        };
        leadership.waiting.push_back(Waiting {
            from,
            number,
            round,
            index: self.commit.max(first),
        });
    }

    /// Answers what may be answered by now.
    pub(super) fn answer_reads(&mut self, out: &mut Vec<Effect>) {
        let (term, commit) = (self.vote.term, self.commit);
        let unconfirmed = self.config.has(Bug::ReadUnconfirmed);
        if !matches!(&self.state, State::Leader(leadership) if !leadership.waiting.is_empty()) {
            return;
        }
        let confirmed = match unconfirmed || self.lease().is_some() {
            false => self.confirmed_round(),
            true => u64::MAX,
        };
        let State::Leader(leadership) = &mut self.state else {
            return;
        };
        let mut ready = VecDeque::new();
        let is_ready = |w: &mut Waiting| w.round <= confirmed && w.index <= commit;
        while let Some(waiting) = leadership.waiting.pop_front_if(is_ready) {
            ready.push_back(waiting);
        }
        for Waiting {
            from: to,
            number,
            index,
            ..
        } in ready
        {
            if to == self.config.id {
                self.on_read_index_reply(number, index, out);
            } else {
                let message = Message::ReadIndexReply {
                    term,
                    number,
                    index,
                };
                out.push(Effect::Send { to, message });
            }
        }
    }

    /// The leader has answered. A late answer is one to what was asked before it, and that is all it says.
    pub(super) fn on_read_index_reply(&mut self, number: u64, index: Index, out: &mut Vec<Effect>) {
        let Questions {
            asked, answered, ..
        } = &mut self.questions;
        if number <= *answered || *asked < number {
            return;
        }
        *answered = number;
        self.note(|| Note::ReadConfirmed { number, index }, out);
        out.push(Effect::Confirmed { number, index });
    }
}

//! Who leads: timeouts, pre-votes, votes, and loyalty to a leader that is heard. Does not know what the
//! log holds beyond its last entry.

use alloc::vec::Vec;

use super::message::{Message, Vote};
use super::note::{Note, Role, RoleReason, VoteRefusal};
use super::quorum::Outcome;
use super::{Ballot, Effect, Leadership, Raft, State};
use crate::config::Bug;
use crate::halt::Halt;
use crate::id::{LogId, NodeId, Term};
use crate::time::{Span, Time};

impl Raft {
    /// Asks whether an election could be won, which changes nothing anywhere (dissertation 9.6).
    pub(super) fn pre_campaign(&mut self, why: RoleReason, out: &mut Vec<Effect>) {
        if self.config.has(Bug::NoPreVote) {
            return self.campaign_in_next_term(false, out);
        }
        self.ballot += 1;
        self.draw_timeout();
        self.state = State::PreCandidate(Ballot {
            granted: [self.config.id].into(),
            refused: Vec::new(),
        });
        self.note_role(why, out);
        let (term, last, round) = (self.vote.term.next(), self.log.last(), self.ballot);
        let request = Message::PreVote { term, last, round };
        self.say_to_peers(&request, self.disk.term(), out);
        self.count_pre_votes(out);
    }

    /// Raises the term and asks for votes. A request states the vote for oneself; sent before that is
    /// durable, it could let two incarnations of this node win the same term.
    ///
    /// With `transfer` the leader asked for it: no pre-vote came before, and the others' loyalty to that
    /// leader does not count.
    pub(super) fn campaign_in_next_term(&mut self, transfer: bool, out: &mut Vec<Effect>) {
        let term = self.vote.term.next();
        let voted_for = Some(self.config.id);
        self.set_vote(Vote { term, voted_for });
        self.draw_timeout();
        let ballot = match &self.state {
            State::PreCandidate(ballot) if self.config.has(Bug::PreVotesCount) => ballot.clone(),
            _ => Ballot::default(),
        };
        self.state = State::Candidate(ballot);
        let why = match transfer {
            true => RoleReason::Asked,
            false => RoleReason::PreVoteWon,
        };
        self.note_role(why, out);
        let facts = match self.config.has(Bug::VoteRequestBeforeSync) {
            false => self.disk.vote(),
            true => self.disk.nothing(),
        };
        let own = Message::VoteReply {
            term,
            granted: true,
        };
        self.say(self.config.id, own, facts, out);
        let request = Message::Vote {
            term,
            last: self.log.last(),
            transfer,
        };
        self.say_to_peers(&request, facts, out);
    }

    fn lead(&mut self, out: &mut Vec<Effect>) {
        let next = self.log.last().index.next();
        let mut leadership = Leadership::new(next, self.now);
        let (audience, now) = (self.audience(), self.now);
        leadership.serve(&audience, self.membership.configuration(), next, now);
        self.state = State::Leader(leadership);
        self.settle_transfer(self.config.id, out);
        self.note_role(RoleReason::Won, out);
        // Earlier entries can be committed only along with one of this term (paper 5.4.2).
        self.append_own(super::Payload::Blank);
    }

    /// Becomes a follower: in a higher term, of a leader that was found, or of nobody yet.
    pub(super) fn follow(
        &mut self,
        term: Term,
        leader: Option<NodeId>,
        why: RoleReason,
        out: &mut Vec<Effect>,
    ) {
        let was = self.role();
        let risen = self.vote.term < term;
        if risen {
            let voted_for = None;
            self.set_vote(Vote { term, voted_for });
        }
        if was == Role::Candidate && self.config.has(Bug::VoteForgottenOnStepDown) {
            self.vote.voted_for = None;
        }
        if was == Role::Leader {
            self.draw_timeout();
        }
        if let State::Leader(leadership) = &self.state
            && !leadership.waiting.is_empty()
        {
            let count = leadership.waiting.len() as u64;
            self.note(|| Note::ReadsLost { count }, out);
        }
        let heard = self.now;
        self.state = State::Follower { leader, heard };
        if risen || was != Role::Follower {
            self.note_role(why, out);
        }
    }

    /// Whether a message of a leader is of this term or a newer one. If so it is a sign of life,
    /// whatever else it says.
    pub(super) fn hears_leader(&mut self, from: NodeId, term: Term, out: &mut Vec<Effect>) -> bool {
        if term < self.vote.term {
            return false;
        }
        if term == self.vote.term && self.is_leader() {
            let (other, own) = (from, self.config.id);
            self.halt(Halt::TwoLeaders { other, own, term }, out);
            return false;
        }
        match &mut self.state {
            State::Follower { leader, heard } if term == self.vote.term => {
                *leader = Some(from);
                *heard = self.now;
            }
            _ => {
                let why = match term == self.vote.term {
                    true => RoleReason::LeaderFound,
                    false => RoleReason::HigherTerm,
                };
                self.follow(term, Some(from), why, out);
            }
        }
        self.settle_transfer(from, out);
        self.rearm();
        true
    }

    /// Whether an answer is of this term; a newer one makes this node a follower.
    pub(super) fn is_current(&mut self, term: Term, out: &mut Vec<Effect>) -> bool {
        if self.vote.term < term {
            self.follow(term, None, RoleReason::HigherTerm, out);
        }
        // An answer in a term that was news is no answer to anything.
        term == self.vote.term && !matches!(self.state, State::Follower { .. })
    }

    pub(super) fn on_pre_vote(
        &mut self,
        from: NodeId,
        term: Term,
        last: LogId,
        round: u64,
        out: &mut Vec<Effect>,
    ) {
        self.tell_again(from);
        let own = self.vote.term;
        let refused = if term <= own {
            Some(VoteRefusal::OldTerm { own })
        } else {
            self.loyalty(from).or_else(|| self.compare_logs(last))
        };
        let granted = refused.is_none();
        self.note_vote(from, term, true, refused, out);
        let reply = Message::PreVoteReply {
            term: if granted { term } else { own },
            granted,
            round,
        };
        self.say(from, reply, self.disk.vote(), out);
    }

    pub(super) fn on_pre_vote_reply(
        &mut self,
        from: NodeId,
        term: Term,
        granted: bool,
        round: u64,
        out: &mut Vec<Effect>,
    ) {
        if !granted && self.vote.term < term {
            // With an old term this node could never win.
            return self.follow(term, None, RoleReason::HigherTerm, out);
        }
        let asked = self.vote.term.next();
        let State::PreCandidate(ballot) = &mut self.state else {
            return;
        };
        if round != self.ballot || granted && term != asked {
            return; // An answer to an earlier question.
        }
        ballot.count(from, granted);
        self.count_pre_votes(out);
    }

    fn count_pre_votes(&mut self, out: &mut Vec<Effect>) {
        match self.outcome() {
            Outcome::Won => self.campaign_in_next_term(false, out),
            Outcome::Lost => self.follow(self.vote.term, None, RoleReason::Lost, out),
            Outcome::Open => {}
        }
    }

    pub(super) fn on_vote(
        &mut self,
        from: NodeId,
        term: Term,
        last: LogId,
        transfer: bool,
        out: &mut Vec<Effect>,
    ) {
        if self.config.has(Bug::LearnersDoNotVote) && !self.is_voter() {
            return;
        }
        if self.vote.term <= term
            && !transfer
            && let Some(refused) = self.loyalty(from)
        {
            // Not even its term counts (dissertation 4.2.3).
            return self.note_vote(from, term, false, Some(refused), out);
        }
        if self.vote.term < term {
            let why = match transfer && self.is_leader() {
                true => RoleReason::HandedOver,
                false => RoleReason::HigherTerm,
            };
            self.follow(term, None, why, out);
        }
        let own = self.vote.term;
        let refused = match self.vote.voted_for {
            _ if term < own => Some(VoteRefusal::OldTerm { own }),
            Some(other) if other != from || self.config.has(Bug::AskedTwiceRefused) => {
                Some(VoteRefusal::VotedFor { other })
            }
            _ => self.compare_logs(last),
        };
        let granted = refused.is_none();
        self.note_vote(from, term, false, refused, out);
        if granted {
            if self.vote.voted_for.is_none() {
                let voted_for = Some(from);
                self.set_vote(Vote { term, voted_for });
            }
            if self.role() != Role::Follower {
                self.follow(term, None, RoleReason::Voted, out);
            }
            self.rearm();
        }
        let reply = Message::VoteReply { term: own, granted };
        self.say(from, reply, self.disk.vote(), out);
    }

    pub(super) fn on_vote_reply(&mut self, from: NodeId, granted: bool, out: &mut Vec<Effect>) {
        let State::Candidate(ballot) = &mut self.state else {
            return;
        };
        ballot.count(from, granted);
        match self.outcome() {
            Outcome::Won => self.lead(out),
            Outcome::Lost => self.follow(self.vote.term, None, RoleReason::Lost, out),
            Outcome::Open => {}
        }
    }

    fn outcome(&self) -> Outcome {
        match &self.state {
            State::PreCandidate(ballot) | State::Candidate(ballot) => {
                self.quorum().outcome(&ballot.granted, &ballot.refused)
            }
            State::Follower { .. } | State::Leader(_) => Outcome::Open,
        }
    }

    /// A leader heard within the shortest election timeout is not to be replaced, unless it is itself
    /// the candidate, and so no leader any more.
    fn loyalty(&self, candidate: NodeId) -> Option<VoteRefusal> {
        if self.config.has(Bug::NoLoyalty) {
            return None;
        }
        let owes = self.owes(candidate);
        if owes.is_some() {
            return owes;
        }
        let leader = match self.state {
            State::Leader(_) => self.config.id,
            State::Follower {
                leader: Some(leader),
                heard,
            } if leader != candidate && self.now < heard + self.config.election_min => leader,
            _ => return None,
        };
        Some(VoteRefusal::LeaderAlive { leader })
    }

    /// A candidate's log must be at least as far as this one's (paper 5.4.1).
    fn compare_logs(&self, theirs: LogId) -> Option<VoteRefusal> {
        let own = self.log.last();
        let behind = theirs < own && !self.config.has(Bug::NoLogCheck);
        behind.then_some(VoteRefusal::LogBehind { own, theirs })
    }

    /// Members that vote campaign, unless their disk stands still (rule R5) or their log is being
    /// replaced.
    pub(super) fn may_campaign(&self) -> bool {
        self.may_vote() && self.installing.is_none() && self.now < self.stall_due()
    }

    /// Whether it owes it to no leader to keep still.
    pub(super) fn is_free(&self) -> bool {
        self.promised_until() <= self.now
    }

    /// Draws a new election timeout and arms it.
    pub(super) fn draw_timeout(&mut self) {
        let spread = match self.config.has(Bug::EqualTimeouts) {
            false => self.config.election_spread.0,
            true => 0,
        };
        self.timer.timeout = self.config.election_min;
        self.timer.timeout.0 += self.rng.between(0, spread);
        self.rearm();
    }

    /// The link to the leader broke. A killed process closes its links at once, so the election need
    /// not wait for the whole timeout; a pre-vote finds out whether it is the leader that is gone or
    /// the link. Its random part stays, so that the members do not all ask at once.
    pub(super) fn leader_lost(&mut self) {
        let part = self.timer.timeout.0 - self.config.election_min.0;
        let soon = (self.now + Span(part / 2)).max(self.promised_until());
        self.timer.due = self.timer.due.min(soon);
        if let State::Follower { heard, .. } = &mut self.state {
            *heard = Time(0); // No loyalty to a leader that cannot be heard.
        }
    }

    pub(super) fn rearm(&mut self) {
        self.timer.armed = self.now;
        self.timer.due = match self.may_vote() {
            true => self.now + self.timer.timeout,
            false => Time::NEVER,
        };
    }

    fn say_to_peers(&mut self, message: &Message, facts: super::Facts, out: &mut Vec<Effect>) {
        // Learners too: the promotion of one may be committed without its knowing (raft.md 2.4.5).
        for to in self.audience() {
            self.say(to, message.clone(), facts, out);
        }
    }

    fn note_role(&self, why: RoleReason, out: &mut Vec<Effect>) {
        let (role, term) = (self.role(), self.vote.term);
        self.note(|| Note::Role { role, term, why }, out);
    }

    fn note_vote(
        &self,
        candidate: NodeId,
        term: Term,
        pre: bool,
        refused: Option<VoteRefusal>,
        out: &mut Vec<Effect>,
    ) {
        let note = || Note::Voted {
            candidate,
            term,
            pre,
            refused,
        };
        self.note(note, out);
    }
}

impl Ballot {
    fn count(&mut self, voter: NodeId, granted: bool) {
        let votes = match granted {
            true => &mut self.granted,
            false => &mut self.refused,
        };
        if !votes.contains(&voter) {
            votes.push(voter);
        }
    }
}

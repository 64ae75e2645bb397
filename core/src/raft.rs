//! Raft: who leads, what is in the log, what is committed. Knows nothing of znodes, sessions or clients.

pub mod message;
pub mod note;
pub mod storage;
pub mod view;

mod disk;
mod election;
mod invariant;
mod lease;
mod log;
mod membership;
mod progress;
mod quorum;
mod read;
mod replication;
mod shape;
mod snapshot;
#[cfg(test)]
mod tests;
mod transfer;

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::config::{Bug, Config};
use crate::halt::Halt;
use crate::id::{Index, LogId, NodeId, WriteId};
use crate::rng::Rng;
use crate::time::{Span, Time};

use disk::{Cut, Disk, Facts, Origin};
use lease::Promise;
use log::Log;
use membership::Membership;
use message::{Entry, Message, Payload, SnapshotMeta, Vote};
use note::{Note, RoleReason, TransferEnd};
use read::Questions;
use replication::Leadership;
use storage::Records;
use transfer::Handover;

/// What Raft wants done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Make this durable, then call [`Raft::written`].
    Write {
        /// Its number.
        id: WriteId,
        /// What to write.
        records: Records,
    },
    /// Pass to the peer if possible.
    Send {
        /// To whom.
        to: NodeId,
        /// What.
        message: Message,
    },
    /// Something a human or a checker wants to know.
    Note(Note),
    /// This replica must stop.
    Halt(Halt),
    /// The leader offers a snapshot whose state this node needs; pull its parts.
    Offered {
        /// The leader.
        from: NodeId,
        /// Which snapshot.
        meta: SnapshotMeta,
    },
    /// A peer wants the part of this leader's snapshot that follows `cursor`.
    Pulled {
        /// Which peer.
        from: NodeId,
        /// Which snapshot.
        last: LogId,
        /// Where the part before ended; empty for the first.
        cursor: Bytes,
    },
    /// The leader sent a part of a snapshot.
    Part {
        /// The leader.
        from: NodeId,
        /// Which snapshot.
        last: LogId,
        /// The cursor that was asked for.
        cursor: Bytes,
        /// Where this part ends; `None` after the last part.
        next: Option<Bytes>,
        /// The part itself.
        bytes: Bytes,
    },
    /// The received snapshot is in force and durable: swap the machine.
    Installed {
        /// Which snapshot.
        meta: SnapshotMeta,
    },
    /// Who has applied this far sees everything that was acknowledged before this question and those
    /// before it.
    Confirmed {
        /// What `begin_read` gave.
        number: u64,
        /// It is committed. It does not fall from answer to answer.
        index: Index,
    },
    /// A transfer of the lead that began here is over.
    Transferred {
        /// Who was to lead.
        to: NodeId,
        /// How it ended.
        end: TransferEnd,
    },
}

/// Why a proposal was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// Another node leads, or none.
    NotLeader,
    /// Too many bytes wait to be committed, or to be durable here and applied.
    Busy,
    /// This leader hands over; the next one will take it.
    HandingOver,
}

pub use membership::Unready;

/// One member's part in Raft. A step is: any number of `receive`, `written`, `propose` and the like, then
/// `tick`, then `flush`.
#[derive(Clone)]
pub struct Raft {
    config: Arc<Config>,
    /// The latest time it was told; it never goes back.
    now: Time,
    /// Drawn for election timeouts only.
    rng: Rng,
    /// The term and the vote in it, as in memory.
    vote: Vote,
    state: State,
    /// When a node that does not lead campaigns.
    timer: Timer,
    membership: Membership,
    log: Log,
    disk: Disk,
    /// The snapshot in force: durable, and offered to peers.
    snapshot: Option<SnapshotMeta>,
    /// A received snapshot whose write is under way. Until it is reported, appends are refused.
    installing: Option<SnapshotMeta>,
    commit: Index,
    /// A transfer of the lead that began here.
    handover: Option<Handover>,
    /// Whom this node promised not to replace.
    promise: Promise,
    /// What this node asked for its readers.
    questions: Questions,
    /// The last confirmation round of any of this node's leaderships.
    round: u64,
    /// The last pre-vote of this incarnation.
    ballot: u64,
    /// The stamps of the log are far ahead of this leader's clock.
    alarmed: bool,
    mark: invariant::Mark,
    halted: bool,
}

/// What a node is in its term, with what only that role needs.
#[derive(Clone)]
enum State {
    /// `heard` is when that leader last spoke.
    Follower {
        leader: Option<NodeId>,
        heard: Time,
    },
    PreCandidate(Ballot),
    Candidate(Ballot),
    Leader(Leadership),
}

/// Answers to a candidate.
#[derive(Clone, Default)]
struct Ballot {
    granted: Vec<NodeId>,
    refused: Vec<NodeId>,
}

/// The election timeout: drawn anew when a role changes, armed anew when a leader speaks.
#[derive(Clone, Copy)]
struct Timer {
    armed: Time,
    timeout: Span,
    due: Time,
}

impl Raft {
    /// A follower on what the disk held. `seed` feeds the election timeouts.
    ///
    /// # Errors
    /// If this cannot be the state of any run: a gap, terms that fall, a term above the vote's. The
    /// sentence says what to do.
    pub fn boot(
        config: &Config,
        mut vote: Vote,
        commit_hint: Index,
        snapshot: Option<SnapshotMeta>,
        log: Vec<Entry>,
        seed: u64,
        now: Time,
    ) -> Result<Self, String> {
        let damaged = |what| {
            format!(
                "this node's data cannot be the state of any run ({what}): remove it and add the node again under a new number"
            )
        };
        let (log, dropped) = Log::boot(snapshot.as_ref(), log).map_err(damaged)?;
        if vote.term < log.last().term {
            let what = format!("entry {} in term {}", log.last(), vote.term);
            return Err(damaged(what));
        }
        if config.has(Bug::ForgetVote) {
            vote.voted_for = None;
        }
        let covered = snapshot.as_ref().map_or(Index(0), |meta| meta.last.index);
        // The hint may be newer than what is left of an unsynced tail.
        let commit = commit_hint.clamp(covered, log.last().index);
        let cut = snapshot.as_ref().filter(|_| dropped).map(|meta| Cut {
            meta: meta.clone(),
            keep_from: covered.next(),
            origin: Origin::Booted,
        });
        let members = snapshot
            .as_ref()
            .map_or(&config.members, |meta| &meta.configuration);
        let mut membership = Membership::new(covered, members.clone(), config);
        for (index, configuration) in log.configurations() {
            if covered < index {
                membership.appended(index, configuration.clone());
            }
        }
        membership.committed(commit, covered);
        let mut raft = Self {
            now,
            rng: Rng::new(seed),
            vote,
            state: State::Follower {
                leader: None,
                heard: now,
            },
            timer: Timer {
                armed: now,
                timeout: Span(0),
                due: now,
            },
            membership,
            disk: Disk::new(log.last().index, commit, cut),
            log,
            snapshot,
            installing: None,
            commit,
            handover: None,
            promise: Promise::default(),
            questions: Questions::new(seed),
            round: 0,
            ballot: 0,
            alarmed: false,
            mark: invariant::Mark::default(),
            halted: false,
            config: Arc::new(config.clone()),
        };
        raft.promise_at_start();
        raft.draw_timeout();
        if raft.is_voter() && raft.membership.voters() == [config.id] {
            raft.timer.due = now; // There is nobody to wait for.
        }
        Ok(raft)
    }

    /// A message from a peer. Lost, repeated, late and reordered messages do no harm.
    pub fn receive(&mut self, now: Time, from: NodeId, message: Message, out: &mut Vec<Effect>) {
        if self.halted || from == self.config.id || !message.is_sound() {
            return;
        }
        self.now = self.now.max(now);
        let term = message.term();
        let timer = self.timer;
        if term < self.vote.term && self.config.has(Bug::OldTermIgnored) {
            return;
        }
        match message {
            Message::PreVote { last, round, .. } => self.on_pre_vote(from, term, last, round, out),
            Message::PreVoteReply { granted, round, .. } => {
                self.on_pre_vote_reply(from, term, granted, round, out);
            }
            Message::Vote { last, transfer, .. } => self.on_vote(from, term, last, transfer, out),
            Message::VoteReply { granted, .. } => {
                if self.is_current(term, out) {
                    self.on_vote_reply(from, granted, out);
                }
            }
            Message::Append {
                prev,
                entries,
                commit,
                ..
            } => {
                if self.hears_leader(from, term, out) {
                    if !self.log.contains(prev) && self.config.has(Bug::RecoveringHearsNobody) {
                        self.timer = timer;
                    }
                    self.on_append(from, prev, entries, commit, out);
                } else {
                    self.refuse_old_term(from, out);
                }
            }
            Message::Heartbeat { commit, round, .. } => {
                let mut promised = false;
                if self.hears_leader(from, term, out) {
                    if commit == Index(0) && self.config.has(Bug::RecoveringHearsNobody) {
                        self.timer = timer;
                    }
                    promised = self.promise(from);
                    self.on_heartbeat(commit, out);
                }
                // The answer carries this node's term, so that an old leader learns of it.
                let term = self.vote.term;
                let reply = Message::HeartbeatReply {
                    term,
                    round,
                    promised,
                };
                let facts = match self.config.has(Bug::HeartbeatsWaitForData) {
                    false => self.disk.term(),
                    true => self.disk.log(self.log.last().index),
                };
                self.say(from, reply, facts, out);
            }
            Message::SnapshotOffer { meta, .. } => {
                if self.hears_leader(from, term, out) {
                    self.on_offer(from, meta, out);
                } else {
                    self.refuse_old_term(from, out);
                }
            }
            Message::SnapshotPart {
                last,
                cursor,
                next,
                bytes,
                ..
            } => {
                if self.hears_leader(from, term, out) {
                    out.push(Effect::Part {
                        from,
                        last,
                        cursor,
                        next,
                        bytes,
                    });
                }
            }
            Message::TimeoutNow { last, .. } => {
                if self.hears_leader(from, term, out) {
                    self.on_timeout_now(last, out);
                }
            }
            Message::ReadIndex { number, .. } => {
                if self.is_current(term, out) {
                    self.on_read_index(from, number);
                }
            }
            Message::ReadIndexReply { number, index, .. } => {
                if self.hears_leader(from, term, out) {
                    self.on_read_index_reply(number, index, out);
                }
            }
            Message::Appended { matched, .. } => {
                if self.is_current(term, out) || self.config.has(Bug::AckOfOldTermCounts) {
                    self.on_appended(from, matched, out);
                }
            }
            Message::Rejected { prev, hint, .. } => {
                if self.is_current(term, out) {
                    self.on_rejected(from, prev, hint, out);
                }
            }
            Message::HeartbeatReply {
                round, promised, ..
            } => {
                if self.is_current(term, out) {
                    self.on_heartbeat_reply(from, round, promised, out);
                }
            }
            Message::SnapshotPull { last, cursor, .. } => {
                if self.is_current(term, out) {
                    self.on_pull(from, last, cursor, out);
                }
            }
        }
    }

    /// Adds an entry to the log of a leader. It travels with the next `flush`.
    ///
    /// # Errors
    /// If this node does not lead, or too much waits to be committed.
    pub fn propose(&mut self, now: Time, payload: Payload) -> Result<LogId, Refusal> {
        self.now = self.now.max(now);
        if self.halted || !self.is_leader() {
            return Err(Refusal::NotLeader);
        }
        if self.handover.is_some() {
            return Err(Refusal::HandingOver);
        }
        let (uncommitted, unapplied) = (self.uncommitted_bytes(), self.unapplied_bytes());
        let entry = self.next_own(payload);
        let grown = uncommitted + entry.encoded_bytes();
        if 0 < uncommitted && self.config.uncommitted_bytes < grown
            || self.config.unapplied_bytes < unapplied
        {
            return Err(Refusal::Busy);
        }
        let id = entry.id;
        self.log.push(entry);
        Ok(id)
    }

    /// Every write up to `id` is durable.
    pub fn written(&mut self, now: Time, id: WriteId, out: &mut Vec<Effect>) {
        if self.halted {
            return;
        }
        self.now = self.now.max(now);
        for cut in self.disk.reported(id) {
            match cut.origin {
                Origin::Own => self.compacted(cut),
                Origin::Received => self.installed(cut.meta, out),
                Origin::Booted => {}
            }
        }
        for (to, message) in self.disk.release() {
            self.deliver(to, message, out);
        }
        self.advance_commit(out);
    }

    /// The operator wants an election now, as if the timeout had run out.
    pub fn campaign(&mut self, now: Time, out: &mut Vec<Effect>) {
        self.now = self.now.max(now);
        if !self.halted && !self.is_leader() && self.may_campaign() && self.is_free() {
            self.pre_campaign(RoleReason::Asked, out);
        }
    }

    /// Fires the timers that are due.
    pub fn tick(&mut self, now: Time, out: &mut Vec<Effect>) {
        if self.halted {
            return;
        }
        self.now = self.now.max(now);
        let given_up = self.transfer_due() <= self.now;
        if given_up {
            self.end_transfer(TransferEnd::TimedOut, out);
        }
        if self.is_leader() {
            let stalled = self.stall_due() <= self.now;
            if stalled && (given_up || self.handover.is_none() && !self.yield_lead(out)) {
                self.follow(self.vote.term, None, RoleReason::DiskStalled, out);
            } else if self.quorum_due() <= self.now {
                self.follow(self.vote.term, None, RoleReason::NoQuorum, out);
            } else {
                self.beat();
                if self.is_alone() {
                    self.advance_commit(out);
                }
            }
        } else if self.timer.due <= self.now {
            if self.may_campaign() && self.is_free() {
                self.pre_campaign(RoleReason::ElectionTimeout, out);
            } else {
                self.draw_timeout();
            }
        }
    }

    /// Ends a step: appends and heartbeats for each peer are formed, and one write.
    pub fn flush(&mut self, now: Time, out: &mut Vec<Effect>) {
        if self.halted {
            return;
        }
        self.now = self.now.max(now);
        self.finish_joint_phase(out);
        self.ask(out);
        self.replicate(out);
        self.answer_reads(out);
        self.hand_over(out);
        self.write(out);
        self.leave_when_removed(out);
        self.compare_clocks(out);
        self.log.free_some();
        if (cfg!(debug_assertions) || cfg!(feature = "planted"))
            && let Err(sentence) = self.check()
        {
            self.halt(Halt::Bug(sentence), out);
        }
    }

    /// The latest moment by which `tick` must be called again.
    #[must_use]
    pub fn deadline(&self) -> Time {
        let own = match &self.state {
            _ if self.halted => return Time::NEVER,
            State::Leader(leadership) => {
                let stall = match self.handover {
                    Some(_) => Time::NEVER,
                    None => self.stall_due(),
                };
                leadership.beat_due().min(self.quorum_due()).min(stall)
            }
            _ => self.timer.due,
        };
        own.min(self.transfer_due()).min(self.question_due())
    }

    /// Says something as soon as the facts in it are durable.
    fn say(&mut self, to: NodeId, message: Message, facts: Facts, out: &mut Vec<Effect>) {
        let limit = self.config.withheld_bytes;
        if let Some(message) = self.disk.withhold(to, message, facts, limit) {
            self.deliver(to, message, out);
        }
    }

    fn deliver(&mut self, to: NodeId, message: Message, out: &mut Vec<Effect>) {
        if to != self.config.id {
            out.push(Effect::Send { to, message });
        } else if let Message::VoteReply { granted, .. } = message {
            self.on_vote_reply(to, granted, out); // A candidate's vote for itself.
        }
    }

    /// Changes the term or the vote in it. What was to be said in an older term dies with that term.
    fn set_vote(&mut self, vote: Vote) {
        let risen = self.vote.term < vote.term;
        debug_assert!(risen || self.vote.term == vote.term && self.vote.voted_for.is_none());
        if risen {
            let keeps_acks = self.config.has(Bug::WithheldAckSurvivesTruncation);
            self.disk
                .forget_withheld(|m| keeps_acks && matches!(m, Message::Appended { .. }));
        }
        self.vote = vote;
        self.disk.vote_changed(risen);
    }

    /// Hands everything that is new to the disk, the vote first.
    fn write(&mut self, out: &mut Vec<Effect>) {
        // What the log holds while a received snapshot is on its way to disk will be gone.
        let handed = self.disk.handed();
        let last = match self.installing {
            Some(_) => handed,
            None => self.log.last().index,
        };
        if !self.disk.has_work(last) {
            return;
        }
        let entries = self.log.entries(handed.next(), last, u64::MAX);
        let (id, vote, cut) = self.disk.begin(last, self.now);
        let hint = self.commit.min(last);
        let commit_hint = (self.disk.hinted < hint).then_some(hint);
        self.disk.hinted = self.disk.hinted.max(hint);
        let late = vote && handed < last && self.config.has(Bug::EntriesBeforeVote);
        let records = Records {
            vote: (vote && !late).then_some(self.vote),
            keep_log_from: cut.as_ref().map(|cut| cut.keep_from),
            drop_log: cut.as_ref().is_some_and(|cut| cut.origin != Origin::Own),
            snapshot: cut.map(|cut| cut.meta),
            sync: !entries.is_empty() || !self.config.has(Bug::VoteNotSynced),
            entries,
            commit_hint,
        };
        out.push(Effect::Write { id, records });
        if late {
            let (id, ..) = self.disk.begin(last, self.now);
            let records = Records {
                vote: Some(self.vote),
                sync: true,
                ..Records::default()
            };
            out.push(Effect::Write { id, records });
        }
    }

    /// When the oldest unreported write will have been under way for too long (rule R5).
    fn stall_due(&self) -> Time {
        match self.disk.waits_since() {
            Some(since) if !self.config.has(Bug::FrozenDiskLeads) => {
                since + self.config.disk_stall_limit
            }
            _ => Time::NEVER,
        }
    }

    fn note(&self, note: impl FnOnce() -> Note, out: &mut Vec<Effect>) {
        if self.config.notes {
            out.push(Effect::Note(note()));
        }
    }

    fn halt(&mut self, why: Halt, out: &mut Vec<Effect>) {
        self.halted = true;
        out.push(Effect::Halt(why));
    }
}

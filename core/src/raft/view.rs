//! What can be seen of Raft from outside: where it stands, which the node asks at every step, and plain values
//! for the page, metrics and tests. Nothing here changes anything.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::message::{Entry, Message, SnapshotMeta};
use super::note::Role;
use super::{Raft, State};
use crate::config::Bug;
use crate::configuration::Configuration;
use crate::id::{Index, LogId, NodeId, Term};
use crate::time::{Span, Time};

/// What a leader knows of a peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PeerView {
    /// Which.
    pub id: NodeId,
    /// How entries are sent to it.
    pub state: PeerState,
    /// Known to be durable there.
    pub matched: Index,
    /// The next index it will be sent.
    pub next: Index,
    /// Appends on the way to it.
    pub inflight: u32,
    /// Encoded bytes of the entries in them; a probe's are not counted.
    pub inflight_bytes: u64,
    /// When the latest round was sent that it answered; before the first answer, when it became a peer.
    pub answered: Time,
    /// When the latest round was sent that it answered with a promise to replace nobody, for leases.
    pub promised: Option<Time>,
    /// Since when it is no member any more.
    pub left: Option<Time>,
    /// False for a learner that is not close enough to vote.
    pub caught_up: bool,
}

/// How entries are sent to a peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum PeerState {
    /// One message at a time, looking for the place where the logs agree.
    Probe,
    /// A stream.
    Replicate,
    /// It pulls a snapshot.
    Snapshot,
}

/// A statement that waits for the disk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WithheldView {
    /// To whom.
    pub to: NodeId,
    /// What.
    pub message: Message,
}

impl Raft {
    /// Whether this node leads its term, as far as it knows.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        matches!(self.state, State::Leader(_))
    }

    /// A leader whose blank entry is committed and durable here: it knows all that was committed
    /// before it (paper section 8).
    #[must_use]
    pub fn serving(&self) -> bool {
        match &self.state {
            State::Leader(leadership) => leadership.blank() <= self.ready(),
            _ => false,
        }
    }

    /// The current term.
    #[must_use]
    pub fn term(&self) -> Term {
        self.vote.term
    }

    /// Whether a crash at this moment would leave it in this term.
    #[must_use]
    pub fn term_is_durable(&self) -> bool {
        self.disk.holds(self.disk.term())
    }

    /// What this node is in its term.
    #[must_use]
    pub fn role(&self) -> Role {
        match self.state {
            State::Follower { .. } => Role::Follower,
            State::PreCandidate(_) => Role::PreCandidate,
            State::Candidate(_) => Role::Candidate,
            State::Leader(_) => Role::Leader,
        }
    }

    /// The candidate that got this node's vote in this term.
    #[must_use]
    pub fn voted_for(&self) -> Option<NodeId> {
        self.vote.voted_for
    }

    /// Who leads this term, as far as this node knows.
    #[must_use]
    pub fn leader(&self) -> Option<NodeId> {
        match self.state {
            State::Follower { leader, .. } => leader,
            State::PreCandidate(_) | State::Candidate(_) => None,
            State::Leader(_) => Some(self.config.id),
        }
    }

    /// How far the log is committed, as far as this node knows.
    #[must_use]
    pub fn commit(&self) -> Index {
        self.commit
    }

    /// How far disk equals memory.
    #[must_use]
    pub fn durable(&self) -> Index {
        self.disk.durable()
    }

    /// How far the machine may apply: what is committed and durable here.
    #[must_use]
    pub fn ready(&self) -> Index {
        if self.config.has(Bug::AppliesUnsynced) {
            return self.commit;
        }
        if self.config.has(Bug::AppliesUncommitted) {
            return self.own_match();
        }
        self.commit.min(self.own_match())
    }

    /// The last entry of the log.
    #[must_use]
    pub fn last(&self) -> LogId {
        self.log.last()
    }

    /// By how much the last entry's stamp is ahead of what this node was last told of the time (rule R12).
    #[must_use]
    pub fn stamp_ahead(&self) -> Span {
        self.log.last_stamp().since(self.now)
    }

    /// The first index that is in memory; the index after the last if none is.
    #[must_use]
    pub fn first_index(&self) -> Index {
        self.log.base().index.next()
    }

    /// The entry at `index`, if it is in memory.
    #[must_use]
    pub fn entry(&self, index: Index) -> Option<&Entry> {
        self.log.entry(index)
    }

    /// Encoded bytes of the entries in memory.
    #[must_use]
    pub fn log_bytes(&self) -> u64 {
        self.log.bytes()
    }

    /// The first of the last entries up to `last` that have no more bytes than this.
    #[must_use]
    pub fn tail(&self, last: Index, limit_bytes: u64) -> Index {
        self.log.tail(last, limit_bytes)
    }

    /// Encoded bytes of the entries that are not committed, as far as this node knows. Counted from the log
    /// itself, so that nothing can leak.
    #[must_use]
    pub fn uncommitted_bytes(&self) -> u64 {
        self.log.bytes_after(self.commit)
    }

    /// Encoded bytes of committed entries that are not durable here, and so not applied. A planted bug may
    /// apply more than is committed.
    #[must_use]
    pub fn unapplied_bytes(&self) -> u64 {
        let unready = self.log.bytes_after(self.ready());
        unready.saturating_sub(self.uncommitted_bytes())
    }

    /// Encoded bytes of the statements that wait for the disk.
    #[must_use]
    pub fn withheld_bytes(&self) -> u64 {
        self.disk.withheld_bytes().0
    }

    /// Questions about reads that wait at this leader.
    #[must_use]
    pub fn waiting_reads(&self) -> usize {
        match &self.state {
            State::Leader(leadership) => leadership.waiting.len(),
            _ => 0,
        }
    }

    /// The voters in force, in ascending order; in a joint phase those of the new set.
    #[must_use]
    pub fn voters(&self) -> &[NodeId] {
        self.membership.voters()
    }

    /// The configuration in force: the newest in the log.
    #[must_use]
    pub fn configuration(&self) -> &Configuration {
        self.membership.configuration()
    }

    /// Where the log has the configuration in force; 0 if it is the first.
    #[must_use]
    pub fn configuration_index(&self) -> Index {
        self.membership.index()
    }

    /// The configuration that was in force at an index at or above that of the snapshot in force.
    #[must_use]
    pub fn configuration_at(&self, index: Index) -> &Configuration {
        self.membership.at(index)
    }

    /// The snapshot in force.
    #[must_use]
    pub fn snapshot(&self) -> Option<&SnapshotMeta> {
        self.snapshot.as_ref()
    }

    /// When the election timer was armed and when it runs out; for a leader, its quorum check.
    #[must_use]
    pub fn election_timer(&self) -> (Time, Time) {
        if self.is_leader() {
            let due = self.quorum_due();
            return (due - self.config.election_max(), due);
        }
        (self.timer.armed, self.timer.due)
    }

    /// When a follower last heard its leader, while it knows one.
    #[must_use]
    pub fn heard(&self) -> Option<Time> {
        match self.state {
            State::Follower {
                leader: Some(_),
                heard,
            } if Time(0) < heard => Some(heard),
            _ => None,
        }
    }

    /// Who granted a (pre-)vote in the election under way.
    #[must_use]
    pub fn votes(&self) -> Vec<NodeId> {
        match &self.state {
            State::PreCandidate(ballot) | State::Candidate(ballot) => ballot.granted.clone(),
            State::Follower { .. } | State::Leader(_) => Vec::new(),
        }
    }

    /// A leader's knowledge of its peers; empty otherwise.
    #[must_use]
    pub fn peers(&self) -> Vec<PeerView> {
        match &self.state {
            State::Leader(leadership) => leadership.views(),
            _ => Vec::new(),
        }
    }

    /// Statements that wait for the disk.
    #[must_use]
    pub fn withheld(&self) -> Vec<WithheldView> {
        self.disk.withheld()
    }

    /// Feeds the protocol's state and the log's rolling hash into a digest (rule R9).
    pub fn digest(&self, into: &mut impl FnMut(u64)) {
        let index = |id: Option<NodeId>| id.map_or(0, |id| id.0);
        into(self.vote.term.0);
        into(index(self.vote.voted_for));
        into(self.role() as u64);
        into(index(self.leader()));
        into(self.log.base().index.0);
        into(self.log.last().index.0);
        into(self.log.hash());
        into(self.commit.0);
        into(self.disk.durable().0);
        into(self.disk.handed().0);
        into(self.disk.issued().0);
        into(self.disk.waiting().0 as u64);
        into(self.snapshot.as_ref().map_or(0, |meta| meta.last.index.0));
        into(self.installing.as_ref().map_or(0, |meta| meta.last.index.0));
        into(self.rng.clone().next_u64());
        into(self.timer.due.0);
        into(self.transfer_due().0);
        into(self.promised_until().0);
        self.questions.digest(into);
        into(self.round);
        into(self.ballot);
        into(self.membership.index().0);
        into(self.membership.voters().len() as u64);
        if let State::Leader(leadership) = &self.state {
            leadership.digest(into);
        }
        into(u64::from(self.halted));
    }
}

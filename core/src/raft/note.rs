//! Every transition of consensus with its reason, for people, the page and the checkers. No effect
//! may depend on a note, and none is made when nobody listens (rule R13).

use serde::{Deserialize, Serialize};

use crate::id::{Index, LogId, NodeId, Term};
use crate::raft::view::PeerState;
use crate::time::Span;

/// Something happened.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Note {
    /// The role changed.
    Role {
        /// What it is now.
        role: Role,
        /// In which term.
        term: Term,
        /// Why.
        why: RoleReason,
    },
    /// A (pre-)vote was given or refused.
    Voted {
        /// Who asked.
        candidate: NodeId,
        /// For which term.
        term: Term,
        /// Whether it was a pre-vote.
        pre: bool,
        /// `None` if granted.
        refused: Option<VoteRefusal>,
    },
    /// Uncommitted entries were dropped because the leader has others.
    Truncated {
        /// The first that went.
        from: Index,
        /// The last that went.
        to: Index,
        /// Who leads.
        leader: NodeId,
    },
    /// The commit index moved.
    Committed {
        /// To here.
        index: Index,
    },
    /// An append did not fit.
    Refused {
        /// Who leads.
        leader: NodeId,
        /// The entry that is not here.
        prev: LogId,
        /// What the follower says it has.
        hint: LogId,
    },
    /// Another configuration is in force.
    Configured {
        /// Where the log has it.
        index: Index,
        /// Whether two sets of voters decide.
        joint: bool,
    },
    /// Entries go to a peer in another way.
    Stream {
        /// Which peer.
        peer: NodeId,
        /// How.
        state: PeerState,
        /// Why.
        why: StreamReason,
    },
    /// A peer's stream of entries was set back after a refusal.
    Rewound {
        /// Which peer.
        peer: NodeId,
        /// The next index it will be sent.
        next: Index,
    },
    /// The stamps of the log are ahead of the leader's clock by more than `stamp_ahead_limit` (rule R12).
    ClockBehind {
        /// By how much.
        by: Span,
    },
    /// The leader said how far a read must see.
    ReadConfirmed {
        /// Number of the question.
        number: u64,
        /// Everything acknowledged before it is at or below this.
        index: Index,
    },
    /// Reads that waited for confirmation must ask the next leader.
    ReadsLost {
        /// How many questions.
        count: u64,
    },
    /// The lead is being handed over.
    Transfer {
        /// To whom.
        to: NodeId,
        /// How far it is.
        stage: TransferStage,
    },
}

/// Why entries go to a peer in another way.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum StreamReason {
    /// It said where its log equals the leader's.
    Agreed,
    /// The link broke, or would not take a message.
    Lost,
    /// The entries that it needs are only in the snapshot.
    Compacted,
}

/// Stages of a transfer of the lead.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum TransferStage {
    /// Nothing new is taken until the target has everything.
    Begun,
    /// The target was told to campaign.
    Told,
    /// It is over.
    Ended(TransferEnd),
}

/// How a transfer of the lead ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum TransferEnd {
    /// The target leads.
    Done,
    /// Nobody else was heard to lead within the longest election timeout.
    TimedOut,
    /// An operator wanted the lead to stay.
    Cancelled,
    /// This member leads, not the target.
    Overtaken(NodeId),
}

/// What a node is in its term.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Role {
    /// Takes entries from a leader, or waits for one.
    Follower,
    /// Asks whether it could win, without raising its term.
    PreCandidate,
    /// Asks for votes.
    Candidate,
    /// Leads.
    Leader,
}

/// Why a role changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum RoleReason {
    /// No leader was heard for an election timeout.
    ElectionTimeout,
    /// An operator, or a departing leader, asked for it.
    Asked,
    /// A quorum would vote for it.
    PreVoteWon,
    /// A quorum voted for it.
    Won,
    /// A quorum refused.
    Lost,
    /// A message carried a higher term.
    HigherTerm,
    /// The leader of this term spoke.
    LeaderFound,
    /// It voted for another candidate of this term.
    Voted,
    /// No quorum answered for an election timeout.
    NoQuorum,
    /// The disk did not report for too long (rule R5).
    DiskStalled,
    /// It is no voter any more.
    Removed,
    /// It handed the lead over to the candidate of the new term.
    HandedOver,
}

/// Why a (pre-)vote was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum VoteRefusal {
    /// The request's term is old.
    OldTerm {
        /// The voter's term.
        own: Term,
    },
    /// This term's vote went to another candidate.
    VotedFor {
        /// That one.
        other: NodeId,
    },
    /// The candidate's log is behind the voter's.
    LogBehind {
        /// The voter's last entry.
        own: LogId,
        /// The candidate's last entry.
        theirs: LogId,
    },
    /// A leader was heard within the shortest election timeout.
    LeaderAlive {
        /// That leader.
        leader: NodeId,
    },
    /// It promised a leader that reads by lease to replace nobody yet.
    Promised {
        /// That leader; `None` if it may have promised before its last start.
        to: Option<NodeId>,
    },
}

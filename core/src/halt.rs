//! Why a member stops for good. The layer that notices says it; here are only the words.

use alloc::string::String;
use core::fmt;

use crate::id::{Index, LogId, NodeId, Term};

/// Why this replica must stop. Printed, it is one sentence, which says what to do where somebody can do something.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Halt {
    /// Two members lead in one term, which Raft's votes exclude (Raft, section 5.2).
    TwoLeaders {
        /// The one that was heard.
        other: NodeId,
        /// This one.
        own: NodeId,
        /// In which term.
        term: Term,
    },
    /// A leader sends another entry than is committed here.
    CommittedDiffers {
        /// The leader.
        leader: NodeId,
        /// Its entry.
        entry: LogId,
    },
    /// A snapshot does not fit the log of the leader that is to take it.
    SnapshotDiffers {
        /// The last entry that the snapshot covers.
        last: LogId,
    },
    /// Entries that this node acknowledged are gone from its disk.
    AcknowledgedLost {
        /// They go up to here at least.
        commit: Index,
        /// Where the log ends.
        last: Index,
    },
    /// A committed entry is not in memory.
    EntryMissing {
        /// Which.
        index: Index,
    },
    /// A committed entry is of a newer version.
    Unreadable {
        /// Which.
        index: Index,
        /// What could not be read in it.
        why: String,
    },
    /// A majority has another state than this replica.
    StateDiffers {
        /// At this index.
        index: Index,
    },
    /// No majority has the same state.
    NoMajorityAgrees {
        /// At this index.
        index: Index,
    },
    /// Nobody has a vote, by the state of this node.
    NobodyVotes,
    /// What lies on the disk is the state of no run.
    Disk(String),
    /// A rule of the implementation is broken.
    Bug(String),
}

impl fmt::Display for Halt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TwoLeaders { other, own, term } => {
                write!(f, "members {other} and {own} both lead term {term}")
            }
            Self::CommittedDiffers { leader, entry } => write!(
                f,
                "leader {leader} has entry {} of term {} where another one is committed here",
                entry.index, entry.term
            ),
            Self::SnapshotDiffers { last } => write!(
                f,
                "the leader's log contradicts the snapshot up to entry {} of term {}",
                last.index, last.term
            ),
            Self::AcknowledgedLost { commit, last } => write!(
                f,
                "entries up to {commit} were acknowledged by this node, but its log ends at {last}: remove its data and add it again under a new number"
            ),
            Self::EntryMissing { index } => {
                write!(f, "the committed entry {index} is missing from the log in memory")
            }
            Self::Unreadable { index, why } => write!(
                f,
                "entry {index} cannot be read by this version ({why}): upgrade this node"
            ),
            Self::StateDiffers { index } => write!(
                f,
                "this replica's state at {index} is not that of a majority: keep its data for whoever is to find out why, then remove this member and add it again with an empty data directory"
            ),
            Self::NoMajorityAgrees { index } => write!(
                f,
                "no majority of the replicas has the same state at {index}: keep the data of all of them, and restore a backup"
            ),
            Self::NobodyVotes => f.write_str(
                "this node's state names no member that votes, which no run leads to: remove its data and add it again under a new number",
            ),
            Self::Disk(why) | Self::Bug(why) => f.write_str(why),
        }
    }
}

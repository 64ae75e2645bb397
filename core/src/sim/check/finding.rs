//! What the checker saw, in parts, so that the page can say it in the visitor's language. Printed, it is one sentence.

use alloc::string::String;
use core::fmt;

use crate::halt::Halt;
use crate::id::{Index, NodeId, Term};

/// What was seen of a rule that is broken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Finding {
    /// Two members lead in one term.
    TwoLeaders {
        /// The one that was seen first.
        one: NodeId,
        /// The other.
        other: NodeId,
        /// In which term.
        term: Term,
    },
    /// A member votes for two candidates in one term.
    TwoVotes {
        /// The member.
        node: NodeId,
        /// Whom it votes for now.
        one: NodeId,
        /// Whom it voted for before.
        other: NodeId,
        /// In which term.
        term: Term,
    },
    /// A member has told a vote that its disk does not show.
    VoteNotOnDisk {
        /// The member.
        node: NodeId,
        /// For whom it voted.
        candidate: NodeId,
        /// In which term.
        term: Term,
        /// The term on its disk.
        disk: Term,
        /// The vote on its disk.
        voted_for: Option<NodeId>,
    },
    /// A member speaks in a term that its disk does not show.
    TermNotOnDisk {
        /// The member.
        node: NodeId,
        /// Whom it speaks to.
        to: NodeId,
        /// In which term.
        term: Term,
        /// The term on its disk.
        disk: Term,
    },
    /// A member has said that it has entries which its disk does not show.
    EntriesNotOnDisk {
        /// The member.
        node: NodeId,
        /// In which term it said so.
        term: Term,
        /// Up to where it said it has them.
        matched: Index,
        /// Where its disk ends for sure; nowhere if it shows some of them.
        last: Option<Index>,
    },
    /// A member takes back what it said it has.
    EntriesTakenBack {
        /// The member.
        node: NodeId,
        /// In which term it said so.
        term: Term,
        /// Up to where it said it has them.
        matched: Index,
        /// Where its log ends now.
        last: Index,
    },
    /// A client is shown a state that is not on the disk of the member that shows it.
    ShownNotOnDisk {
        /// The member.
        node: NodeId,
        /// The state.
        zxid: Index,
        /// Where its disk ends.
        last: Index,
    },
    /// A member commits what lies on too few disks.
    FewDisks {
        /// The member.
        node: NodeId,
        /// What it commits.
        commit: Index,
        /// On how many disks of voters that lies.
        having: usize,
        /// How many voters there are.
        voters: usize,
    },
    /// A leader has changed an entry of its own log.
    LeaderChanged {
        /// The leader.
        node: NodeId,
        /// Its term.
        term: Term,
        /// The entry.
        index: Index,
    },
    /// A leader lacks a committed entry.
    LeaderLacks {
        /// The leader.
        node: NodeId,
        /// Its term.
        term: Term,
        /// The entry.
        index: Index,
    },
    /// An entry of the same index and term differs, or one before it.
    OtherLog {
        /// The member.
        node: NodeId,
        /// The entry's index.
        index: Index,
        /// The entry's term.
        term: Term,
    },
    /// There is a gap in a log.
    EntryMissing {
        /// The member.
        node: NodeId,
        /// Where its log ends.
        last: Index,
        /// What is missing.
        index: Index,
    },
    /// A member commits something else at an index than was committed there.
    OtherCommitted {
        /// The member.
        node: NodeId,
        /// The index.
        index: Index,
    },
    /// A member commits more, on another log than was committed.
    OtherBefore {
        /// The member.
        node: NodeId,
        /// What it commits.
        commit: Index,
    },
    /// A member commits an entry that it does not have.
    CommitsMissing {
        /// The member.
        node: NodeId,
        /// What it commits.
        commit: Index,
    },
    /// A snapshot covers what nobody has committed.
    SnapshotNotCommitted {
        /// The member.
        node: NodeId,
        /// Up to where the snapshot goes.
        last: Index,
    },
    /// Members that applied the same entries have different states.
    OtherState {
        /// The one whose state was seen last.
        node: NodeId,
        /// At which index.
        index: Index,
    },
    /// A member applies backwards, or what is not committed.
    AppliedWrong {
        /// The member.
        node: NodeId,
        /// Where it was.
        from: Index,
        /// Where it is.
        to: Index,
        /// What is committed.
        commit: Index,
    },
    /// A leader goes on although its disk does not answer.
    DiskSilent {
        /// The leader.
        node: NodeId,
        /// For how many ms.
        ms: u64,
    },
    /// A member acts by other members than the newest in its log.
    OldMembers {
        /// The member.
        node: NodeId,
        /// Where those in force stand in the log.
        at: Index,
        /// Where the newest stand.
        newest: Index,
    },
    /// A leader changes the members before the change before is committed, or an entry of its term.
    EarlyChange {
        /// The leader.
        node: NodeId,
        /// Where the change stands.
        at: Index,
        /// What is committed.
        commit: Index,
    },
    /// A leader gives a vote to somebody who has not caught up.
    EarlyVote {
        /// The leader.
        node: NodeId,
        /// Who gets the vote.
        member: NodeId,
        /// Where the change stands.
        at: Index,
        /// Where that member's disk ends.
        last: Index,
        /// Where it came in.
        joined: Index,
    },
    /// A member has stopped for good.
    Halted {
        /// The member.
        node: NodeId,
        /// Why.
        why: Halt,
    },
    /// What an oracle says of an answer, which only a planted bug or a real one makes wrong.
    Told(String),
}

impl From<String> for Finding {
    fn from(text: String) -> Self {
        Self::Told(text)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TwoLeaders { one, other, term } => {
                write!(f, "nodes {one} and {other} both lead in term {term}")
            }
            Self::TwoVotes {
                node,
                one,
                other,
                term,
            } => write!(
                f,
                "node {node} votes for {one} and for {other} in term {term}"
            ),
            Self::VoteNotOnDisk {
                node,
                candidate,
                term,
                disk,
                voted_for,
            } => {
                write!(
                    f,
                    "node {node} votes for {candidate} in term {term}; its disk shows "
                )?;
                match voted_for {
                    Some(voted_for) => write!(f, "a vote for {voted_for} in term {disk}"),
                    None => write!(f, "no vote in term {disk}"),
                }
            }
            Self::TermNotOnDisk {
                node,
                to,
                term,
                disk,
            } => write!(
                f,
                "node {node} speaks in term {term} to {to}; its disk shows term {disk}"
            ),
            Self::EntriesNotOnDisk {
                node,
                term,
                matched,
                last,
            } => {
                write!(
                    f,
                    "node {node} says in term {term} that it has entry {matched}; its disk "
                )?;
                match last {
                    Some(last) => write!(f, "ends at {last}"),
                    None => f.write_str("may not show it"),
                }
            }
            Self::EntriesTakenBack {
                node,
                term,
                matched,
                last,
            } => write!(
                f,
                "node {node} said in term {term} that it has entry {matched}, and cut its log to {last}"
            ),
            Self::ShownNotOnDisk { node, zxid, last } => write!(
                f,
                "node {node} shows a client the state at {zxid}; its disk ends at {last}"
            ),
            Self::FewDisks {
                node,
                commit,
                having,
                voters,
            } => write!(
                f,
                "node {node} commits entry {commit}, which is on {having} of {voters} disks"
            ),
            Self::LeaderChanged { node, term, index } => write!(
                f,
                "node {node} leads in term {term} and changed its entry {index}"
            ),
            Self::LeaderLacks { node, term, index } => write!(
                f,
                "node {node} leads in term {term} without the committed entry {index}"
            ),
            Self::OtherLog { node, index, term } => write!(
                f,
                "node {node} has another log up to entry {index} of term {term} than others had"
            ),
            Self::EntryMissing { node, last, index } => {
                write!(f, "node {node} shows a log to {last} without entry {index}")
            }
            Self::OtherCommitted { node, index } => write!(
                f,
                "node {node} commits another entry {index} than was committed before"
            ),
            Self::OtherBefore { node, commit } => write!(
                f,
                "node {node} commits entry {commit} on another log than was committed before"
            ),
            Self::CommitsMissing { node, commit } => {
                write!(
                    f,
                    "node {node} commits entry {commit}, which it does not have"
                )
            }
            Self::SnapshotNotCommitted { node, last } => write!(
                f,
                "node {node} rests on a snapshot up to {last}, which nobody committed"
            ),
            Self::OtherState { node, index } => {
                write!(
                    f,
                    "node {node} has another state at {index} than others had"
                )
            }
            Self::AppliedWrong {
                node,
                from,
                to,
                commit,
            } => write!(
                f,
                "node {node} went from {from} to {to} with {commit} committed"
            ),
            Self::DiskSilent { node, ms } => write!(
                f,
                "node {node} leads; its disk has not answered for {ms} ms"
            ),
            Self::OldMembers { node, at, newest } => write!(
                f,
                "node {node} acts by the members of {at}; its log has others at {newest}"
            ),
            Self::EarlyChange { node, at, commit } => write!(
                f,
                "node {node} changes the members at {at} with {commit} committed, and not the change before or no entry of its term"
            ),
            Self::EarlyVote {
                node,
                member,
                at,
                last,
                joined,
            } => write!(
                f,
                "node {node} gives {member} a vote at {at}; its disk ends at {last}, and it came in at {joined}"
            ),
            Self::Halted { node, why } => write!(f, "node {node}: {why}"),
            Self::Told(text) => f.write_str(text),
        }
    }
}

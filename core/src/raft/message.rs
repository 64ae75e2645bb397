//! What members say to each other about the log, and the entries they say it about. Types only: bytes
//! are made in `wire`. An entry's command is opaque here; Raft does not know what a znode is.

use alloc::vec::Vec;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::config::NUMBERS;
use crate::configuration::{Configuration, Member};
use crate::id::{Index, LogId, NodeId, Term};
use crate::time::Time;

/// One entry of the log.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// Where it stands and in which term it was made.
    pub id: LogId,
    /// The leader's wall clock when it made the entry, at least the stamp before it (rule R12).
    /// Clients see this time in `Stat`; no replica uses its own clock for it.
    pub stamp: Time,
    /// What it says.
    pub payload: Payload,
}

impl Entry {
    /// The bytes that it takes on the wire and on disk, without the frame around it (rule R7).
    #[must_use]
    pub fn encoded_bytes(&self) -> u64 {
        let payload = match &self.payload {
            Payload::Blank => 0,
            Payload::Command(bytes) => with_length(bytes.len()),
            Payload::Membership(configuration) => bytes_of(configuration),
        };
        log_id(self.id) + number(self.stamp.0) + 1 + payload
    }
}

fn bytes_of(configuration: &Configuration) -> u64 {
    let members = configuration.members();
    let of = |member: &Member| {
        let id = number(member.id.0) + varint(member.replica.0);
        id + with_length(member.address.len()) + with_length(member.clients.len()) + 1
    };
    varint(members.len() as u128) + members.iter().map(of).sum::<u64>()
}

const fn number(number: u64) -> u64 {
    varint(number as u128)
}

const fn log_id(id: LogId) -> u64 {
    number(id.term.0) + number(id.index.0)
}

/// Bytes of a number: seven bits each.
const fn varint(number: u128) -> u64 {
    let bits = 128 - (number | 1).leading_zeros();
    bits.div_ceil(7) as u64
}

const fn with_length(length: usize) -> u64 {
    varint(length as u128) + length as u64
}

/// What an entry says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Payload {
    /// Nothing: the first entry of each leader.
    Blank,
    /// A command of the service, encoded once where it entered the cluster.
    Command(Bytes),
    /// Who is a member from here on. In force as soon as it is in the log.
    Membership(Configuration),
}

/// The term a node is in and whom it voted for in it: one durable record.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct Vote {
    /// Current term.
    pub term: Term,
    /// The candidate that got this node's vote in this term.
    pub voted_for: Option<NodeId>,
}

/// What a snapshot stands for: everything up to and including `last`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SnapshotMeta {
    /// The last entry it covers.
    pub last: LogId,
    /// That entry's stamp.
    pub stamp: Time,
    /// The configuration in force at that entry.
    pub configuration: Configuration,
}

/// A message from member to member. `term` is always the sender's current term, except in `PreVote`
/// and its answer, where it is the term that the election would have.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Message {
    /// Would you vote for me? Changes nothing at the receiver (dissertation 9.6).
    PreVote {
        /// The term the candidate would campaign in.
        term: Term,
        /// The candidate's last entry.
        last: LogId,
        /// Number of the candidate's pre-vote; the answer names it, so that a late one does not count.
        round: u64,
    },
    /// Answer to `PreVote`.
    PreVoteReply {
        /// The asked term if granted; the voter's own term if refused.
        term: Term,
        /// Whether it would.
        granted: bool,
        /// The round that is answered.
        round: u64,
    },
    /// Vote for me.
    Vote {
        /// The candidate's term.
        term: Term,
        /// The candidate's last entry.
        last: LogId,
        /// Sent on behalf of a leader that hands over: the receiver's loyalty to its leader does not count.
        transfer: bool,
    },
    /// Answer to `Vote`.
    VoteReply {
        /// The voter's term.
        term: Term,
        /// Whether it did.
        granted: bool,
    },
    /// Entries to store after `prev`.
    Append {
        /// The leader's term.
        term: Term,
        /// The entry before the first of `entries`.
        prev: LogId,
        /// Contiguous, from `prev.index + 1`; may be empty.
        entries: Vec<Entry>,
        /// How far the leader has committed.
        commit: Index,
    },
    /// Answer to `Append`: everything up to `matched` is durable here and equals the leader's.
    Appended {
        /// The follower's term.
        term: Term,
        /// `prev.index` + number of entries of the message that is answered.
        matched: Index,
    },
    /// Answer to `Append`: the entry before the first is not here.
    Rejected {
        /// The follower's term.
        term: Term,
        /// `prev.index` of the message that is answered; 0 if its term was old.
        prev: Index,
        /// The follower's largest entry that is at most `prev` and whose term is at most `prev`'s.
        hint: LogId,
    },
    /// Sign of life of a leader. Never queued behind data.
    Heartbeat {
        /// The leader's term.
        term: Term,
        /// The smaller of the leader's commit and what it knows the follower to have.
        commit: Index,
        /// Number of the leader's confirmation round.
        round: u64,
    },
    /// Answer to `Heartbeat`.
    HeartbeatReply {
        /// The follower's term.
        term: Term,
        /// The round that is answered.
        round: u64,
        /// It replaces nobody for the shortest election timeout, so that the leader may read by lease.
        promised: bool,
    },
    /// The entries you need are gone; pull this snapshot.
    SnapshotOffer {
        /// The leader's term.
        term: Term,
        /// Which snapshot.
        meta: SnapshotMeta,
    },
    /// Send the part of this snapshot that follows `cursor`.
    SnapshotPull {
        /// The follower's term.
        term: Term,
        /// Which snapshot.
        last: LogId,
        /// Where the part before ended; empty for the first part.
        cursor: Bytes,
    },
    /// One part of a snapshot.
    SnapshotPart {
        /// The leader's term.
        term: Term,
        /// Which snapshot.
        last: LogId,
        /// The cursor that was asked for.
        cursor: Bytes,
        /// Where this part ends; `None` after the last part.
        next: Option<Bytes>,
        /// The part itself.
        bytes: Bytes,
    },
    /// Campaign at once: the leader hands over.
    TimeoutNow {
        /// The leader's term.
        term: Term,
        /// The leader's last entry; a receiver without it does nothing.
        last: LogId,
    },
    /// How far must I have applied to see everything that was acknowledged until now?
    ReadIndex {
        /// The follower's term.
        term: Term,
        /// Number of the follower's question; it never means another one.
        number: u64,
    },
    /// Answer to `ReadIndex`: it is committed, and a quorum followed this leader after the question came.
    ReadIndexReply {
        /// The leader's term.
        term: Term,
        /// The question that is answered, and with it all before it.
        number: u64,
        /// That far.
        index: Index,
    },
}

impl Message {
    /// The bytes that it takes on the wire, without the frame around it (rule R7).
    #[must_use]
    pub fn encoded_bytes(&self) -> u64 {
        let rest = match self {
            Self::PreVote { last, round, .. } => log_id(*last) + number(*round),
            Self::PreVoteReply { round, .. } | Self::HeartbeatReply { round, .. } => {
                1 + number(*round)
            }
            Self::Vote { last, .. } => log_id(*last) + 1,
            Self::VoteReply { .. } => 1,
            Self::Append {
                prev,
                entries,
                commit,
                ..
            } => {
                let bytes = entries.iter().map(Entry::encoded_bytes).sum::<u64>();
                log_id(*prev) + varint(entries.len() as u128) + bytes + number(commit.0)
            }
            Self::Appended { matched, .. } => number(matched.0),
            Self::Rejected { prev, hint, .. } => number(prev.0) + log_id(*hint),
            Self::Heartbeat { commit, round, .. } => number(commit.0) + number(*round),
            Self::SnapshotOffer { meta, .. } => {
                log_id(meta.last) + number(meta.stamp.0) + bytes_of(&meta.configuration)
            }
            Self::SnapshotPull { last, cursor, .. } => log_id(*last) + with_length(cursor.len()),
            Self::SnapshotPart {
                last,
                cursor,
                next,
                bytes,
                ..
            } => {
                let next = next.as_ref().map_or(0, |next| with_length(next.len()));
                let ends = with_length(cursor.len()) + 1 + next;
                log_id(*last) + ends + with_length(bytes.len())
            }
            Self::TimeoutNow { last, .. } => log_id(*last),
            Self::ReadIndex {
                number: question, ..
            } => number(*question),
            Self::ReadIndexReply {
                number: question,
                index,
                ..
            } => number(*question) + number(index.0),
        };
        1 + number(self.term().0) + rest
    }

    /// The term it carries.
    #[must_use]
    pub const fn term(&self) -> Term {
        match self {
            Self::PreVote { term, .. }
            | Self::PreVoteReply { term, .. }
            | Self::Vote { term, .. }
            | Self::VoteReply { term, .. }
            | Self::Append { term, .. }
            | Self::Appended { term, .. }
            | Self::Rejected { term, .. }
            | Self::Heartbeat { term, .. }
            | Self::HeartbeatReply { term, .. }
            | Self::SnapshotOffer { term, .. }
            | Self::SnapshotPull { term, .. }
            | Self::SnapshotPart { term, .. }
            | Self::TimeoutNow { term, .. }
            | Self::ReadIndex { term, .. }
            | Self::ReadIndexReply { term, .. } => *term,
        }
    }

    /// Whether any member can mean this, faulty ones apart. It looks at the message alone: numbers far
    /// from overflow, entries that join each other and are of no later term than their leader's, members
    /// of whom somebody votes.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let numbers = match self {
            Self::PreVote { last, round, .. } => is_sound_id(*last) && *round < NUMBERS,
            Self::Append {
                term,
                prev,
                entries,
                commit,
            } => {
                let mut before = *prev;
                let joins = entries.iter().all(|entry| {
                    let joins = before.index.0 < NUMBERS
                        && entry.id.index == before.index.next()
                        && before.term <= entry.id.term
                        && entry.stamp.0 < NUMBERS
                        && entry.payload.is_sound();
                    before = entry.id;
                    joins
                });
                is_sound_id(*prev)
                    && joins
                    && is_sound_id(before)
                    && before.term <= *term
                    && commit.0 < NUMBERS
            }
            Self::Appended { matched, .. } => matched.0 < NUMBERS,
            Self::Rejected { prev, hint, .. } => prev.0 < NUMBERS && is_sound_id(*hint),
            Self::Heartbeat { commit, round, .. } => commit.0 < NUMBERS && *round < NUMBERS,
            Self::SnapshotOffer { term, meta } => {
                is_sound_id(meta.last)
                    && meta.last.term <= *term
                    && meta.stamp.0 < NUMBERS
                    && meta.configuration.is_sound()
            }
            Self::ReadIndexReply { index, number, .. } => index.0 < NUMBERS && *number < NUMBERS,
            Self::PreVoteReply { round: number, .. }
            | Self::HeartbeatReply { round: number, .. }
            | Self::ReadIndex { number, .. } => *number < NUMBERS,
            Self::Vote { last, .. }
            | Self::SnapshotPull { last, .. }
            | Self::SnapshotPart { last, .. }
            | Self::TimeoutNow { last, .. } => is_sound_id(*last),
            Self::VoteReply { .. } => true,
        };
        self.term().0 < NUMBERS && numbers
    }
}

const fn is_sound_id(id: LogId) -> bool {
    id.term.0 < NUMBERS && id.index.0 < NUMBERS
}

impl Payload {
    fn is_sound(&self) -> bool {
        match self {
            Self::Blank | Self::Command(_) => true,
            Self::Membership(configuration) => configuration.is_sound(),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    fn append(term: u64, prev: (u64, u64), entries: &[(u64, u64)], payload: &Payload) -> Message {
        let id = |(term, index)| LogId {
            term: Term(term),
            index: Index(index),
        };
        let entry = |at: &(u64, u64)| Entry {
            id: id(*at),
            stamp: Time(0),
            payload: payload.clone(),
        };
        Message::Append {
            term: Term(term),
            prev: id(prev),
            entries: entries.iter().map(entry).collect(),
            commit: Index(0),
        }
    }

    #[test]
    fn what_no_sound_member_means_is_told_apart() {
        let blank = Payload::Blank;
        assert!(append(3, (1, 4), &[(2, 5), (3, 6)], &blank).is_sound());
        for (why, message) in [
            ("a gap", append(3, (1, 4), &[(2, 5), (3, 7)], &blank)),
            ("terms fall", append(3, (2, 4), &[(1, 5)], &blank)),
            ("a term to come", append(3, (1, 4), &[(4, 5)], &blank)),
            ("before a term to come", append(3, (4, 4), &[], &blank)),
            ("a term at the edge", append(u64::MAX, (1, 4), &[], &blank)),
            (
                "an index at the edge",
                append(3, (1, u64::MAX), &[(1, 0)], &blank),
            ),
            (
                "members among whom nobody votes",
                append(
                    3,
                    (1, 4),
                    &[(1, 5)],
                    &Payload::Membership(Configuration::default()),
                ),
            ),
        ] {
            assert!(!message.is_sound(), "{why}");
        }
        let members = Configuration::of_voters(vec![NodeId(1)]);
        assert!(append(3, (1, 4), &[(1, 5)], &Payload::Membership(members)).is_sound());
    }
}

//! Messages in words: what each is, from whom and to whom, and what those between members say.

use otterkeeper_core::raft::message::Message as Raft;
use otterkeeper_core::sim::{Cargo, End, Flight};

use super::client_name;
use crate::i18n::Words;
use crate::kind::kind_key;

/// An end of a message.
pub(crate) fn end(words: &Words, end: End) -> String {
    match end {
        End::Node(node) => words.with("end-node", &[("node", node.0.into())]),
        End::Client(client) => words.with("end-client", &[("client", client_name(client).into())]),
    }
}

/// A message under way: what it is, from whom and to whom.
pub(crate) fn flight(words: &Words, flight: &Flight) -> String {
    words.with(
        "stage-message",
        &[
            ("what", kind(words, &flight.cargo).into()),
            ("from", end(words, flight.from).into()),
            ("to", end(words, flight.to).into()),
        ],
    )
}

/// What kind of message it is.
pub(crate) fn kind(words: &Words, cargo: &Cargo) -> String {
    words.get(kind_key(cargo))
}

/// What a message between members says, as a sentence.
pub(crate) fn says(words: &Words, message: &Raft) -> String {
    match message {
        Raft::PreVote { term, last, .. } => words.with(
            "says-pre-vote",
            &[
                ("term", term.0.into()),
                ("index", last.index.0.into()),
                ("last", last.term.0.into()),
            ],
        ),
        Raft::PreVoteReply {
            granted: true,
            term,
            ..
        } => words.with("says-pre-vote-yes", &[("term", term.0.into())]),
        Raft::PreVoteReply {
            granted: false,
            term,
            ..
        } => words.with("says-pre-vote-no", &[("term", term.0.into())]),
        Raft::Vote { term, last, .. } => words.with(
            "says-vote",
            &[
                ("term", term.0.into()),
                ("index", last.index.0.into()),
                ("last", last.term.0.into()),
            ],
        ),
        Raft::VoteReply {
            granted: true,
            term,
            ..
        } => words.with("says-vote-yes", &[("term", term.0.into())]),
        Raft::VoteReply {
            granted: false,
            term,
            ..
        } => words.with("says-vote-no", &[("term", term.0.into())]),
        Raft::Append {
            prev,
            entries,
            commit,
            ..
        } if entries.is_empty() => words.with(
            "says-append-empty",
            &[("prev", prev.index.0.into()), ("commit", commit.0.into())],
        ),
        Raft::Append {
            prev,
            entries,
            commit,
            ..
        } => words.with(
            "says-append",
            &[
                ("first", (prev.index.0 + 1).into()),
                ("last", (prev.index.0 + entries.len() as u64).into()),
                ("commit", commit.0.into()),
            ],
        ),
        Raft::Appended { matched, .. } => {
            words.with("says-appended", &[("index", matched.0.into())])
        }
        Raft::Rejected { prev, hint, .. } => words.with(
            "says-rejected",
            &[("prev", prev.0.into()), ("hint", hint.index.0.into())],
        ),
        Raft::Heartbeat { commit, .. } => {
            words.with("says-heartbeat", &[("commit", commit.0.into())])
        }
        Raft::HeartbeatReply { .. } => words.get("says-heartbeat-reply"),
        Raft::SnapshotOffer { meta, .. } => words.with(
            "says-snapshot-offer",
            &[("index", meta.last.index.0.into())],
        ),
        Raft::SnapshotPull { last, .. } => {
            words.with("says-snapshot-pull", &[("index", last.index.0.into())])
        }
        Raft::SnapshotPart { last, bytes, .. } => words.with(
            "says-snapshot-part",
            &[
                ("index", last.index.0.into()),
                ("bytes", (bytes.len() as u64).into()),
            ],
        ),
        Raft::ReadIndex { .. } => words.get("says-read-index"),
        Raft::ReadIndexReply { index, .. } => {
            words.with("says-read-index-reply", &[("index", index.0.into())])
        }
        Raft::TimeoutNow { last, .. } => {
            words.with("says-timeout-now", &[("index", last.index.0.into())])
        }
    }
}

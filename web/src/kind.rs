//! The kinds of messages, by the keys of their names.

use otterkeeper_core::message::Message;
use otterkeeper_core::raft::message::Message as Raft;
use otterkeeper_core::sim::Cargo;

/// All kinds that have a name of their own.
pub(crate) const KINDS: [&str; 24] = [
    "kind-pre-vote",
    "kind-pre-vote-reply",
    "kind-vote",
    "kind-vote-reply",
    "kind-append",
    "kind-appended",
    "kind-rejected",
    "kind-heartbeat",
    "kind-heartbeat-reply",
    "kind-snapshot-offer",
    "kind-snapshot-pull",
    "kind-snapshot-part",
    "kind-timeout-now",
    "kind-read-index",
    "kind-read-index-reply",
    "kind-forward",
    "kind-digest",
    "kind-touch",
    "kind-peer-lost",
    "kind-open",
    "kind-request",
    "kind-reply",
    "kind-watch",
    "kind-end",
];

/// The key of the name of a message's kind.
pub(crate) fn kind_key(cargo: &Cargo) -> &'static str {
    match cargo {
        Cargo::Peer(message) => match &**message {
            Message::Raft(message) => match message {
                Raft::PreVote { .. } => "kind-pre-vote",
                Raft::PreVoteReply { .. } => "kind-pre-vote-reply",
                Raft::Vote { .. } => "kind-vote",
                Raft::VoteReply { .. } => "kind-vote-reply",
                Raft::Append { .. } => "kind-append",
                Raft::Appended { .. } => "kind-appended",
                Raft::Rejected { .. } => "kind-rejected",
                Raft::Heartbeat { .. } => "kind-heartbeat",
                Raft::HeartbeatReply { .. } => "kind-heartbeat-reply",
                Raft::SnapshotOffer { .. } => "kind-snapshot-offer",
                Raft::SnapshotPull { .. } => "kind-snapshot-pull",
                Raft::SnapshotPart { .. } => "kind-snapshot-part",
                Raft::TimeoutNow { .. } => "kind-timeout-now",
                Raft::ReadIndex { .. } => "kind-read-index",
                Raft::ReadIndexReply { .. } => "kind-read-index-reply",
            },
            Message::Forward { .. } => "kind-forward",
            Message::Digest { .. } => "kind-digest",
            Message::Touch { .. } => "kind-touch",
        },
        Cargo::PeerLost => "kind-peer-lost",
        Cargo::Open { .. } => "kind-open",
        Cargo::Request { .. } => "kind-request",
        Cargo::Reply { .. } => "kind-reply",
        Cargo::Watch { .. } => "kind-watch",
        Cargo::End { .. } => "kind-end",
    }
}

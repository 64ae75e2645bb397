//! The shape of a message: which drawing, which class, which mark on it. One table for the moving
//! messages, those that wait at a node, and the legend.

use otterkeeper_core::message::Message;
use otterkeeper_core::raft::message::Message as Raft;
use otterkeeper_core::sim::Cargo;

/// How a message is drawn.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Shape {
    /// Classes beside `msg`.
    pub(crate) class: &'static str,
    pub(crate) path: &'static str,
    /// A count, a tick or a cross.
    pub(crate) mark: String,
}

pub(crate) const DOT: &str = "M0-5A5 5 0 0 1 0 5 5 5 0 0 1 0-5Z";
pub(crate) const SQUARE: &str = "M-4.5-9h9a4.5 4.5 0 0 1 4.5 4.5v9a4.5 4.5 0 0 1-4.5 4.5h-9a4.5 4.5 0 0 1-4.5-4.5v-9A4.5 4.5 0 0 1-4.5-9Z";
pub(crate) const TRIANGLE: &str = "M0-10.5 9.8 6.5H-9.8Z";
pub(crate) const DIAMOND: &str = "M0-9.5 9.5 0 0 9.5-9.5 0Z";
pub(crate) const STACK: &str = "M-9 1 0 5.5 9 1 9 5 0 9.5-9 5ZM-9-4.5 0 0 9-4.5 0-9Z";
pub(crate) const BELL: &str =
    "M-8 5.5C-4.5 2.500-4.500-8.500 0-8.500S4.500 2.500 8 5.500ZM-2.500 7h5L0 9.500Z";
pub(crate) const BROKEN: &str = "M-5-5 5 5M5-5-5 5";

/// The shape of what a message carries.
pub(crate) fn of(cargo: &Cargo) -> Shape {
    let shape = |class, path| Shape {
        class,
        path,
        mark: String::new(),
    };
    match cargo {
        Cargo::Peer(message) => match &**message {
            Message::Raft(message) => of_raft(message),
            Message::Forward { commands, .. } => Shape {
                mark: commands.len().to_string(),
                ..shape("client", SQUARE)
            },
            Message::Digest { .. } | Message::Touch { .. } => shape("client small", DOT),
            #[allow(unreachable_patterns)]
            _ => shape("beat", DOT),
        },
        Cargo::PeerLost => shape("broken", BROKEN),
        Cargo::Open { .. } => shape("client", DIAMOND),
        Cargo::Request { .. } => shape("client", DIAMOND),
        Cargo::Reply { reply, .. } => match reply.result {
            Ok(_) => shape("client reply", DIAMOND),
            Err(_) => shape("client reply no", DIAMOND),
        },
        Cargo::Watch { .. } => shape("bell", BELL),
        Cargo::End { .. } => shape("broken", BROKEN),
    }
}

/// The shape of a message between members.
pub(crate) fn of_raft(message: &Raft) -> Shape {
    let shape = |class, path, mark: &str| Shape {
        class,
        path,
        mark: mark.to_owned(),
    };
    match message {
        Raft::PreVote { .. } => shape("vote pre", TRIANGLE, ""),
        Raft::PreVoteReply { granted: true, .. } => shape("vote pre reply", TRIANGLE, "\u{2713}"),
        Raft::PreVoteReply { granted: false, .. } => {
            shape("vote pre reply no", TRIANGLE, "\u{00d7}")
        }
        Raft::Vote { .. } => shape("vote", TRIANGLE, ""),
        Raft::VoteReply { granted: true, .. } => shape("vote reply", TRIANGLE, "\u{2713}"),
        Raft::VoteReply { granted: false, .. } => shape("vote reply no", TRIANGLE, "\u{00d7}"),
        Raft::Append { entries, .. } if entries.is_empty() => shape("append", SQUARE, "0"),
        Raft::Append { entries, .. } => shape("append", SQUARE, &entries.len().to_string()),
        Raft::Appended { .. } => shape("append reply", SQUARE, "\u{2713}"),
        Raft::Rejected { .. } => shape("append reply no", SQUARE, "\u{00d7}"),
        Raft::Heartbeat { .. } => shape("beat", DOT, ""),
        Raft::HeartbeatReply { .. } => shape("beat reply", DOT, ""),
        Raft::SnapshotOffer { .. } => shape("append", STACK, ""),
        Raft::SnapshotPull { .. } => shape("append reply", STACK, ""),
        Raft::SnapshotPart { .. } => shape("append", STACK, ""),
        Raft::ReadIndex { .. } => shape("beat", DOT, "?"),
        Raft::ReadIndexReply { .. } => shape("beat reply", DOT, "\u{2713}"),
        Raft::TimeoutNow { .. } => shape("vote", TRIANGLE, "!"),
    }
}

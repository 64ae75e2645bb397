//! What is worth a sentence, and how much an event weighs.

use otterkeeper_core::node::Note;
use otterkeeper_core::raft::note::{Note as RaftNote, Role};
use otterkeeper_core::request::Request;
use otterkeeper_core::sim::{Cargo, ClientEvent, Intervention, LossReason, What};

/// Whether something is worth a sentence.
pub(crate) fn is_told(what: &What) -> bool {
    let detail = match what {
        What::Note { note, .. } => matches!(
            note,
            Note::Raft(
                RaftNote::Committed { .. } | RaftNote::Rewound { .. } | RaftNote::Stream { .. }
            )
        ),
        What::Client { client, event } => {
            client.0 < 1_000 && matches!(event, ClientEvent::Called { .. })
        }
        What::Lost { .. } => true,
        _ => false,
    };
    detail || weight(what) > 0
}

/// 2: a turn of events; 1: a step of one; 0: a detail.
pub(crate) fn weight(what: &What) -> u8 {
    match what {
        What::Note { note, .. } => match note {
            Note::Raft(note) => match note {
                RaftNote::Role {
                    role: Role::Leader, ..
                }
                | RaftNote::Truncated { .. }
                | RaftNote::Configured { .. }
                | RaftNote::ClockBehind { .. } => 2,
                RaftNote::Role { .. }
                | RaftNote::Voted { .. }
                | RaftNote::Refused { .. }
                | RaftNote::Transfer { .. } => 1,
                RaftNote::Committed { .. }
                | RaftNote::Rewound { .. }
                | RaftNote::Stream { .. }
                | RaftNote::ReadConfirmed { .. }
                | RaftNote::ReadsLost { .. } => 0,
            },
            Note::SessionClosed { expired: true, .. } | Note::Snapshot { .. } => 1,
            Note::StallForgiven { .. } => 1,
            _ => 0,
        },
        What::Lost { why, cargo, .. } => match (why, cargo) {
            (LossReason::Dropped, _) => 1,
            _ => 0,
        },
        What::Booted { .. } | What::Synced { .. } | What::Delivered { .. } => 0,
        What::Died { .. } | What::Halted { .. } | What::Violated(_) => 2,
        What::Client { client, event } => match event {
            _ if client.0 >= 1_000 => 0,
            ClientEvent::Called { .. } | ClientEvent::Connecting { .. } => 0,
            _ => 1,
        },
        What::Intervened(deed) => match deed {
            Intervention::Client { .. }
            | Intervention::OpenClient { .. }
            | Intervention::OpenClientWith { .. }
            | Intervention::CloseClient(_) => 1,
            Intervention::DropFlight(_) => 0,
            _ => 2,
        },
    }
}

/// Whether a message is a sign of life without entries, which `M` hides.
pub(crate) fn is_beat(cargo: &Cargo) -> bool {
    use otterkeeper_core::message::Message;
    use otterkeeper_core::raft::message::Message as Raft;
    match cargo {
        Cargo::Peer(message) => {
            matches!(
                &**message,
                Message::Raft(Raft::Heartbeat { .. } | Raft::HeartbeatReply { .. })
                    | Message::Digest { .. }
                    | Message::Touch { .. }
            )
        }
        Cargo::Request {
            request: Request::Ping,
            ..
        } => true,
        _ => false,
    }
}

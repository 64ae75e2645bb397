//! What one node says to another: Raft's messages, and what the client side of a follower needs from
//! the leader. Types only: bytes are made in `wire`.

use alloc::vec::Vec;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::id::{Index, SessionId};
use crate::raft::message as raft;

/// A message from node to node.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Message {
    /// About the log.
    Raft(raft::Message),
    /// Commands of clients that are connected to a follower, for the leader to propose, in order.
    /// They are sent again until they have been applied; apply runs each of them once (rule R14).
    Forward {
        /// Number of this attempt: it grows each time the follower starts again from its oldest command.
        stream: u64,
        /// How many commands of this stream went before.
        at: u64,
        /// Encoded commands.
        commands: Vec<Bytes>,
    },
    /// Sessions that gave a sign of life on a follower.
    Touch {
        /// In ascending order.
        sessions: Vec<SessionId>,
    },
    /// What the sender's state was when it had applied the entry at `index` (rule R21).
    Digest {
        /// Where.
        index: Index,
        /// Hash of the state.
        digest: u64,
    },
}

//! What can be seen of Raft from outside, as plain values for the page, metrics and tests.

use serde::{Deserialize, Serialize};

use crate::id::{Index, NodeId};
use crate::raft::message::Message;
use crate::time::Time;

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

//! What can be seen of a simulated cluster beside its members: messages under way, links, disks, clients.

use alloc::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{DiskProfile, LinkProfile};
use crate::id::{ConnId, Index, NodeId, SessionId};
use crate::message::Message;
use crate::raft::message::Vote;
use crate::request::{Hangup, Reply, Request, WatchEvent};
use crate::time::{Span, Time};

/// Name of a simulated client. Numbers below 1,000 belong to whoever intervenes (the page's command
/// lines); the workload's clients count up from 1,000.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClientId(pub u32);

/// Name of a message under way; never used twice in a run, and the same in every re-execution.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FlightId(pub u64);

/// Where a message starts or ends.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum End {
    /// A member.
    Node(NodeId),
    /// A client.
    Client(ClientId),
}

/// A message under way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Flight {
    /// Its name.
    pub id: FlightId,
    /// Who sent it.
    pub from: End,
    /// Who will get it.
    pub to: End,
    /// When it left.
    pub sent: Time,
    /// When it will arrive, if nothing happens to it; never, while its link is clogged.
    pub arrives: Time,
    /// What it carries.
    pub cargo: Cargo,
}

/// What a message carries. Those between members can be lost, repeated and reordered; those of a
/// client connection keep their order, and if one of them is lost the connection breaks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Cargo {
    /// From member to member.
    Peer(Arc<Message>),
    /// The member's process has ended: what its peers notice when their connections break.
    PeerLost,
    /// A client's new connection.
    Open {
        /// Which connection.
        conn: ConnId,
    },
    /// A client's request.
    Request {
        /// On which connection.
        conn: ConnId,
        /// The client's number for this call; the reply carries it.
        tag: u64,
        /// What is asked.
        request: Request,
    },
    /// The answer to one.
    Reply {
        /// On which connection.
        conn: ConnId,
        /// The call that is answered.
        tag: u64,
        /// The answer.
        reply: Reply,
    },
    /// A watch that fired.
    Watch {
        /// On which connection.
        conn: ConnId,
        /// What happened.
        event: WatchEvent,
    },
    /// The connection ends: closed by the server for this reason, or broken if there is none.
    End {
        /// Which connection.
        conn: ConnId,
        /// The server's reason.
        reason: Option<Hangup>,
    },
}

/// One direction of a link between two members.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LinkState {
    /// False if it is cut, or if one of its ends is isolated.
    pub up: bool,
    /// Whether it holds back everything for now.
    pub clogged: bool,
    /// Its delays and chances.
    pub profile: LinkProfile,
}

/// A simulated disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DiskView {
    /// Whether it has stopped answering.
    pub frozen: bool,
    /// Writes handed over and not reported yet.
    pub waiting: usize,
    /// When the oldest of those was handed over.
    pub oldest: Option<Time>,
    /// When the sync under way will be done.
    pub syncing_until: Option<Time>,
    /// The vote that would survive a crash now.
    pub vote: Vote,
    /// The last entry that would survive a crash now.
    pub last: Index,
    /// Up to where the snapshot in force reaches.
    pub snapshot: Index,
    /// Latency of a sync.
    pub profile: DiskProfile,
}

/// A simulated client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClientView {
    /// Which.
    pub id: ClientId,
    /// The member it is connected to, or connecting to.
    pub node: Option<NodeId>,
    /// Whether its session is attached there.
    pub attached: bool,
    /// Its session; 0 before the first.
    pub session: SessionId,
    /// The agreed session timeout; 0 before the first session.
    pub timeout: Span,
    /// When it last heard from a member.
    pub heard: Time,
    /// The highest zxid it has seen.
    pub last_zxid: Index,
    /// Calls without an answer.
    pub pending: usize,
    /// Whether its process stands still.
    pub paused: bool,
    /// Whether the member it is attached to has no leader, and answers reads only.
    pub read_only: bool,
    /// Whether it asks again what a lost connection left open.
    pub repeat: bool,
}

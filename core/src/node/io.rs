//! What goes into a node and what comes out of it, as types. The contract of `step` is on the crate's
//! first page.

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::command::Reconfigure;
use crate::halt::Halt;
use crate::id::{ConnId, Index, NodeId, SaveId, SessionId, WriteId};
use crate::message::Message;
use crate::raft::message::{Entry, SnapshotMeta, Vote};
use crate::raft::storage::Records;
use crate::request::{Hangup, Identity, Reply, Request, WatchEvent};

/// What the disk held when the process started. The driver builds it from its log and snapshot; the
/// simulator from its simulated disk after a crash. All empty at the very first start.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct Boot {
    /// The last durable term and vote.
    pub vote: Vote,
    /// A committed index that was noted down, or 0.
    pub commit_hint: Index,
    /// The snapshot in force.
    pub snapshot: Option<SnapshotImage>,
    /// The entries after `keep_log_from`, contiguous; some may lie at or below the snapshot.
    pub log: Vec<Entry>,
}

/// A whole snapshot as it lies on disk.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SnapshotImage {
    /// What it stands for.
    pub meta: SnapshotMeta,
    /// Its parts in order.
    pub parts: Vec<Bytes>,
}

/// Why a boot image cannot be the state of any run; the text says what to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BootError(pub String);

/// What happens to a node. Inputs of one call are handled in order.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Input {
    /// A decoded message from a peer. Loss, repeat, delay and reorder are fine.
    Peer {
        /// Who sent it.
        from: NodeId,
        /// What it says.
        message: Message,
    },
    /// The connection to a peer broke or refused a message: stop assuming delivery.
    PeerLost {
        /// Which peer.
        peer: NodeId,
    },
    /// A client connected.
    ClientOpened {
        /// Its connection.
        conn: ConnId,
        /// Where it comes from. If it is `IP:PORT`, the connection speaks for that IP address.
        address: String,
    },
    /// The driver vouches that the connection speaks for somebody: it has seen a certificate, or a
    /// conversation that only they can have. It counts for what comes after it.
    ClientIdentified {
        /// The connection.
        conn: ConnId,
        /// Who.
        identity: Identity,
    },
    /// A request on a client connection.
    Client {
        /// The connection.
        conn: ConnId,
        /// The driver's mark; it comes back with the answer.
        tag: u64,
        /// What is asked.
        request: Request,
    },
    /// The connection is gone; the session may live on.
    ClientGone {
        /// The connection.
        conn: ConnId,
    },
    /// These connections gave a sign of life that went past `step` (reads answered by `Node::read`).
    Touched {
        /// In ascending order.
        conns: Vec<ConnId>,
    },
    /// Every write up to and including this one is on stable storage.
    Written(WriteId),
    /// Every snapshot part up to and including this one is on stable storage.
    Saved(SaveId),
    /// An operator's wish.
    Admin {
        /// The driver's mark; it comes back in `Done`.
        tag: u64,
        /// What is wanted.
        wish: Admin,
    },
}

/// What an operator can ask of a node.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Admin {
    /// Take a snapshot now and cut the log, whatever its size.
    TakeSnapshot,
    /// Campaign at once, as if the election timeout had run out.
    Campaign,
    /// Hand the lead over. Only the leader can; `Done` comes when it is over, at the latest after the
    /// longest election timeout.
    Transfer {
        /// To whom; `None` for the voter that is furthest.
        to: Option<NodeId>,
    },
    /// Keep the lead after all.
    CancelTransfer,
    /// Other members. The answer comes when they are there, or cannot be.
    Reconfigure(Reconfigure),
}

/// What a node wants done. May be carried out in any relative order, except: writes among themselves,
/// parts among themselves, and replies, events and hang-ups on one connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// Make this durable, in this order, then say `Written(id)`. Later ids may be folded into one
    /// sync and reported by the highest number alone.
    Write {
        /// Its number.
        id: WriteId,
        /// What to write.
        records: Records,
    },
    /// Keep this part of a snapshot, in the snapshots' own lane, then say `Saved(id)` (rule R3).
    Save {
        /// Its number.
        id: SaveId,
        /// What to keep.
        part: SavePart,
    },
    /// Pass to the peer if possible; may be dropped, must not be altered.
    Send {
        /// To whom.
        to: NodeId,
        /// What.
        message: Message,
    },
    /// Answer on a client connection.
    Reply {
        /// The connection.
        conn: ConnId,
        /// The mark of the request.
        tag: u64,
        /// The answer.
        reply: Reply,
    },
    /// A watch fired.
    Notify {
        /// The connection.
        conn: ConnId,
        /// What happened.
        event: WatchEvent,
    },
    /// Close the client connection after what was emitted for it before.
    Hangup {
        /// The connection.
        conn: ConnId,
        /// Why, for people.
        reason: Hangup,
    },
    /// Answer to an operator's wish.
    Done {
        /// The mark of the wish.
        tag: u64,
        /// `Err` says why not.
        result: Result<(), String>,
    },
    /// Something a human or a checker wants to know. No effect may depend on it.
    Note(Note),
    /// This replica must stop: acknowledged data is missing or an invariant broke.
    Halt(Halt),
}

/// One part of a snapshot on its way to disk. Parts of one snapshot come in order; a part of another
/// snapshot means that the unfinished one is given up.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SavePart {
    /// Which snapshot.
    pub meta: SnapshotMeta,
    /// Number of the part, from 0.
    pub number: u32,
    /// The part itself.
    pub bytes: Bytes,
    /// Whether it is the last one; then the file is synced and gets its name before `Saved`.
    pub last: bool,
}

/// What a human or a checker wants to know.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Note {
    /// From consensus.
    Raft(crate::raft::note::Note),
    /// An entry was applied to the service.
    Applied {
        /// Its index.
        index: Index,
    },
    /// A session was opened.
    SessionOpened {
        /// Which.
        session: SessionId,
    },
    /// The leader wants this session closed because its deadline has passed.
    SessionExpiring {
        /// Which.
        session: SessionId,
    },
    /// A session has ended, and its ephemeral znodes with it.
    SessionClosed {
        /// Which.
        session: SessionId,
        /// Whether it expired rather than being closed by its client.
        expired: bool,
    },
    /// Deadlines were moved because this node itself was stalled (rule R15).
    StallForgiven {
        /// By how many microseconds.
        us: u64,
    },
    /// A snapshot was begun, finished, or installed.
    Snapshot {
        /// Up to which index.
        last: Index,
        /// What became of it.
        stage: SnapshotStage,
    },
    /// A read was answered.
    ReadServed {
        /// The connection.
        conn: ConnId,
        /// The state it shows.
        zxid: Index,
    },
}

/// Stages of a snapshot, for notes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum SnapshotStage {
    /// Its state was frozen here.
    Taken,
    /// It is durable, and the log was cut.
    InForce,
    /// A leader offered it.
    Offered,
    /// It replaced this node's state.
    Installed,
}

/// What `Node::read` says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ReadNow {
    /// The answer; queue it behind what was already emitted for that connection, and report the
    /// connection in the next `Touched`.
    Now(Reply),
    /// Pass the request to `step`.
    Later,
}

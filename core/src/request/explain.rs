//! What explains a znode or a session: who changed it last, what became of it. Types only.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{CreateMode, Identity};
use crate::id::{Index, NodeId, SessionId};

/// What is to be explained.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Subject {
    /// The znode at this path, whether it is there or not.
    Znode(String),
    /// This session, whether it lives or not.
    Session(SessionId),
}

/// What a server knows of a znode or a session. It knows what it has applied since it started or took a snapshot,
/// and keeps the last of it (`Config::explain_bytes`).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Explained {
    /// Of a znode.
    Znode {
        /// What kind of znode is there now; `None` if there is none.
        mode: Option<CreateMode>,
        /// The last change; `None` if it was before `since`, or never.
        last: Option<Deed>,
        /// All changes behind this zxid are known.
        since: Index,
    },
    /// Of a session.
    Session {
        /// What became of it.
        fate: Fate,
        /// All ends of sessions behind this zxid are known.
        since: Index,
    },
}

/// A change of a znode, and who made it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Deed {
    /// In which transaction.
    pub zxid: Index,
    /// Its stamp, in milliseconds since 1970.
    pub at_ms: u64,
    /// What was done.
    pub what: Done,
    /// By which session; 0 for the cluster itself.
    pub session: SessionId,
    /// Whom its connection spoke for.
    pub ids: Vec<Identity>,
}

/// What was done to a znode.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Done {
    /// It was made.
    Created,
    /// Its data was set.
    DataSet,
    /// Its access control list was set.
    AclSet,
    /// It was deleted.
    Deleted,
    /// It was ephemeral, and went with its session.
    Ended,
    /// It was a container or had a time to live, and was removed by the cluster.
    Cleaned,
}

/// What became of a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Fate {
    /// It lives.
    Alive {
        /// The member that serves it, or did last.
        member: NodeId,
        /// Its timeout.
        timeout_ms: u32,
        /// Its ephemeral znodes.
        ephemerals: u32,
        /// How long the leader has not heard of it; only the leader knows.
        silent_ms: Option<u64>,
    },
    /// Its client closed it.
    Closed(Moment),
    /// Its client opened another session in its place.
    Replaced(Moment, SessionId),
    /// It expired.
    Expired {
        /// When that was applied.
        at: Moment,
        /// The leader that found it silent.
        leader: NodeId,
        /// For how long it had not heard of it; time in which the leader itself stood still does not count.
        silent_ms: u64,
    },
    /// There is no such session, or none any more: it ended before what is known.
    Unknown,
}

/// When something was applied.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Moment {
    /// In which transaction.
    pub zxid: Index,
    /// Its stamp, in milliseconds since 1970.
    pub ms: u64,
}

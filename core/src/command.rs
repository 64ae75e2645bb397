//! What the coordination service is told through the log, and what it says when it has applied it.
//! Types only. A command is encoded once, where it enters the cluster; `machine` runs it.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::configuration::{self, Configuration};
use crate::id::{Index, NodeId, SessionId};
use crate::request::{Acl, Error, EventKind, Identity, Once, Op, Password, Reconfig, Response};

/// A client connection as the whole cluster knows it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Origin {
    /// The node that serves it.
    pub node: NodeId,
    /// Which life of that node: another number after each restart.
    pub incarnation: u64,
    /// Number of the attachment on that node: 1, 2, 3, ... in each life. The state machine takes only a
    /// ticket above the last one it took of that life (`Open` and `Attach` alike), so that a command which
    /// travelled twice, or late, changes nothing. A ticket is not used up while nothing is initialised.
    pub ticket: u64,
}

/// The body of a log entry.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Command {
    /// The cluster's constants. The first leader proposes them before anything else; only the first
    /// one counts (rule R11).
    Init {
        /// The first members.
        members: Configuration,
        /// Key of the session passwords.
        secret: [u8; 32],
        /// Feature level of the replicated state (rule R28).
        features: u32,
        /// Elements in one path. Every replica must judge paths alike, so the limit lies in the state.
        max_depth: u32,
    },
    /// Opens a session for a connection. The session's id and its first epoch are the entry's index.
    /// It runs once for each origin, however often it is in the log.
    Open {
        /// The connection.
        origin: Origin,
        /// The timeout that was agreed, in milliseconds.
        timeout_ms: u32,
        /// A session that ends first, if this is its password.
        replaces: Option<(SessionId, Password)>,
    },
    /// Takes a session over to another connection; its new epoch is the entry's index. An unknown
    /// session or a wrong password touches nothing. It runs once for each session and origin.
    Attach {
        /// The new connection.
        origin: Origin,
        /// The session.
        session: SessionId,
        /// What the client shows for it.
        password: Password,
        /// The timeout that was agreed anew, in milliseconds.
        timeout_ms: u32,
    },
    /// A request of an attached connection. It runs only if the session's epoch is still this one and
    /// the number is the next (rule R14).
    Write {
        /// The session.
        session: SessionId,
        /// The index at which the connection was attached.
        epoch: Index,
        /// 1, 2, 3, ... within one attachment.
        number: u64,
        /// Who asks, as the connection had proved when the request came: every replica must judge alike.
        ids: Vec<Identity>,
        /// What is asked.
        request: WriteRequest,
    },
    /// Ends those of these sessions whose epoch is still the one given.
    Expire {
        /// In the order in which they are to end.
        sessions: Vec<Silent>,
        /// The leader that did not hear of them.
        leader: NodeId,
    },
    /// Removes those of these znodes that are still worn out. A repeat does no harm.
    Clean {
        /// As the leader found them.
        znodes: Vec<Worn>,
    },
    /// An operator's change of the members. It runs once for each origin.
    Reconfigure {
        /// Who asks: a node, with a ticket as for `Open`.
        origin: Origin,
        /// What is asked.
        request: Reconfigure,
    },
    /// The leader gives up the pending change that was asked for at this index.
    Abandon {
        /// Where.
        change: Index,
    },
}

/// A session that is to end because nobody heard of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Silent {
    /// Which.
    pub session: SessionId,
    /// The attachment that is meant.
    pub epoch: Index,
    /// For how long; time in which the leader itself stood still does not count.
    pub ms: u64,
}

/// A container that lost its last child, or a znode whose time to live is over by the leader's clock
/// (rule R12). Unlike ZooKeeper's, the command says which znode was meant, so that one which was made anew or
/// touched meanwhile stays.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Worn {
    /// Where.
    pub path: String,
    /// When it was made.
    pub czxid: Index,
    /// When its data was last set; of a container this does not matter.
    pub mzxid: Index,
}

/// A wish about the members (rule R19). Applying it checks it and makes it the pending change; the leader
/// of the day carries it out, and its asker is answered when that is done.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Reconfigure {
    /// The version that the members must have, if it matters.
    pub version: Option<Index>,
    /// What is to change.
    pub change: configuration::Change,
}

/// Who asked for a change of the members.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Asker {
    /// An operator.
    Operator(Origin),
    /// A client.
    Client {
        /// Its session.
        session: SessionId,
        /// The attachment.
        epoch: Index,
        /// The number of its request.
        number: u64,
    },
}

/// The requests that go through the log.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum WriteRequest {
    /// Changes one znode.
    Op(Op),
    /// Changes several znodes, all or nothing.
    Multi(Vec<Op>),
    /// Ends the session.
    Close,
    /// Changes the members.
    Reconfig(Reconfig),
    /// Changes one znode or several, once.
    Once(Once),
}

/// What became of a command, for the node that has a connection waiting for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Applied {
    /// Nobody waits: `Init`, a repeat, a gap in the numbers, a stale epoch, a session that has ended.
    Nothing,
    /// A session was opened, or taken over.
    Attached {
        /// The connection that has it now.
        origin: Origin,
        /// The session.
        session: SessionId,
        /// The epoch of this attachment.
        epoch: Index,
        /// The timeout in milliseconds.
        timeout_ms: u32,
        /// What the client shows to take the session over elsewhere.
        password: Password,
        /// The connection that had it before.
        moved_from: Option<Origin>,
        /// The session that ended with this one's opening.
        replaced: Option<SessionId>,
    },
    /// An `Attach` of an unknown session or with a wrong password: the client is told "expired".
    Refused {
        /// The connection that asked.
        origin: Origin,
    },
    /// A request ran. `Ok(Response::Closed)` says that the session has ended.
    Wrote {
        /// The session.
        session: SessionId,
        /// Its epoch.
        epoch: Index,
        /// The request's number.
        number: u64,
        /// The answer. A failed multi is `Ok` too; its results are the errors.
        result: Result<Response, Error>,
    },
    /// A change of the members is pending: its asker waits on.
    Pending(Asker),
    /// A change of the members was carried out, refused or given up. The answer is the new
    /// `/zookeeper/config`.
    Reconfigured {
        /// Who asked.
        asker: Asker,
        /// The answer.
        result: Result<Response, Error>,
    },
    /// Sessions were expired.
    Expired {
        /// Those that really ended.
        sessions: Vec<SessionId>,
    },
}

/// A change of the tree that a watch can be waiting for. One transaction gives them in the order in
/// which ZooKeeper fires them: the znode's own first, then `NodeChildrenChanged` of its parent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// What happened.
    pub kind: EventKind,
    /// To which znode.
    pub path: String,
    /// The znode's list at that moment, before it went if it was deleted: who may not read is not told.
    /// `None` if everybody may.
    pub acl: Option<Arc<[Acl]>>,
}

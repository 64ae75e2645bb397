//! What clients ask and are told, as types: ZooKeeper's operations, results, Stat, watch events and
//! error codes. Nothing here knows bytes, sessions' deadlines or Raft.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::id::{Index, NodeId, ReplicaId, SessionId};

mod explain;

pub use explain::{Deed, Done, Explained, Fate, Moment, Subject};

/// One request on a client connection. The first on each connection is `Connect`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Request {
    /// Opens a session or takes an old one up again.
    Connect(Connect),
    /// Changes one znode.
    Write(Op),
    /// Changes several znodes, all or nothing.
    Multi(Vec<Op>),
    /// Reads one znode, and may leave a watch.
    Read(Read),
    /// Answered when everything that was committed before it has been applied on this server.
    Sync {
        /// Any text; it comes back in the answer.
        path: String,
    },
    /// Proves who the client is. It counts for the requests behind it on this connection. If the server
    /// does not take it, it says so and closes the connection.
    Auth {
        /// How, for example `digest`.
        scheme: String,
        /// The proof, for example `user:password`.
        proof: Bytes,
    },
    /// Changes the members of the cluster.
    Reconfig(Reconfig),
    /// Asks who the client is on this connection.
    WhoAmI,
    /// A sign of life.
    Ping,
    /// Ends the session: its ephemeral znodes go, then the answer comes, then the connection is closed.
    Close,
    /// A read that is linearizable: it sees every change that was acknowledged before it was asked.
    Latest(Read),
    /// Several reads of one state, each of which succeeds or fails alone. They leave no watches.
    MultiRead(Vec<Read>),
    /// Leaves a watch that stays when it fires.
    AddWatch {
        /// Where. There need not be a znode.
        path: String,
        /// How far it reaches.
        mode: WatchMode,
        /// Tell first what has happened behind this zxid, which must not be ahead of the server.
        since: Option<Index>,
    },
    /// A part of the children, with more about each.
    List(List),
    /// Watches that a client had on a connection before this one: tells what happened meanwhile, and sets
    /// those that have not fired.
    SetWatches(SetWatches),
    /// Asks whether this connection has such a watch.
    CheckWatches {
        /// Where.
        path: String,
        /// Which.
        kind: WatchKind,
    },
    /// Takes such watches of this connection away.
    RemoveWatches {
        /// Where.
        path: String,
        /// Which.
        kind: WatchKind,
    },
    /// A change that is made once, however often it is asked for (rule R20).
    Once(Once),
    /// Asks who changed a znode last, or what became of a session.
    Explain(Subject),
}

/// A change with a number. Whoever asks for it again, because a connection was lost before the answer came, gets
/// the answer that it had the first time. The session keeps a few answers (`KEPT_ANSWERS`); one that is asked
/// for again after its answer went is `OutcomeUnknown`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Once {
    /// Greater than the numbers of all changes before it in this session.
    pub number: u64,
    /// The client has the answers to all changes up to this number: they need not be kept.
    pub answered: u64,
    /// What is to change.
    pub change: Change,
}

/// What is to change, once.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Change {
    /// One znode.
    One(Op),
    /// Several znodes, all or nothing.
    All(Vec<Op>),
}

impl Change {
    /// The request for it without a number.
    #[must_use]
    pub fn request(self) -> Request {
        match self {
            Self::One(op) => Request::Write(op),
            Self::All(ops) => Request::Multi(ops),
        }
    }
}

/// What a client says to open a session (section 3 of the protocol).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Connect {
    /// 0 for a new session, else the one to take up again.
    pub session: SessionId,
    /// The password that came with the session; zeroes for a new one.
    pub password: Password,
    /// Wanted session timeout in milliseconds; the server clamps it.
    pub timeout_ms: u32,
    /// The highest zxid the client has seen. A server that is behind it closes the connection.
    pub last_zxid: Index,
    /// Whether a server without a leader will do, one that serves reads only.
    pub read_only: bool,
    /// With a new session: the client's old one and its password, which ends in the same entry, so that
    /// nothing of it outlives the opening of the new one. An unknown session or a wrong password ends nothing.
    pub replaces: Option<(SessionId, Password)>,
}

/// Who is to be a member, in ZooKeeper's texts (section 18). Empty ones say nothing.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Reconfig {
    /// Those who join or stand differently from now on, with commas between.
    pub joining: String,
    /// The numbers of those who leave, with commas between.
    pub leaving: String,
    /// These and nobody else; the other two are empty then.
    pub members: String,
    /// The version that the members must have, if it matters.
    pub version: Option<Index>,
    /// Which replicas those are who join for the first time, as the driver found them. Clients cannot say it.
    pub met: Vec<(NodeId, ReplicaId)>,
}

/// Proof that a client owns a session: a keyed hash of its id.
pub type Password = [u8; 16];

/// A change of one znode.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Op {
    /// Makes a znode.
    Create {
        /// Where; a sequential znode gets its number appended.
        path: String,
        /// Its data; `None` (null) is not the same as empty.
        data: Option<Bytes>,
        /// Who may do what.
        acl: Vec<Acl>,
        /// What kind of znode.
        mode: CreateMode,
        /// Whether the answer carries the Stat (create2).
        stat: bool,
    },
    /// Removes a znode without children.
    Delete {
        /// Which.
        path: String,
        /// Its data version, or -1 for any.
        version: i32,
    },
    /// Replaces a znode's data.
    SetData {
        /// Which.
        path: String,
        /// The new data.
        data: Option<Bytes>,
        /// Its data version, or -1 for any.
        version: i32,
    },
    /// Replaces a znode's access control list.
    SetAcl {
        /// Which.
        path: String,
        /// The new list.
        acl: Vec<Acl>,
        /// The version of its list (aversion), or -1 for any.
        version: i32,
    },
    /// Inside a multi: fails unless the znode exists with this version.
    Check {
        /// Which.
        path: String,
        /// Its data version, or -1 for any.
        version: i32,
    },
}

impl Op {
    /// The znode that it is about.
    #[must_use]
    pub fn path(&self) -> &str {
        match self {
            Self::Create { path, .. }
            | Self::Delete { path, .. }
            | Self::SetData { path, .. }
            | Self::SetAcl { path, .. }
            | Self::Check { path, .. } => path,
        }
    }
}

/// The kinds of znodes that can be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum CreateMode {
    /// Stays until it is deleted.
    Persistent,
    /// Goes with the session that made it; cannot have children.
    Ephemeral,
    /// Persistent, with a number from the parent's counter appended.
    PersistentSequential,
    /// Ephemeral, with a number from the parent's counter appended.
    EphemeralSequential,
    /// Goes when it has lost its last child.
    Container,
    /// Goes when it has no children and its data was not set for longer than this.
    Ttl {
        /// From 1 to `MAX_TTL_MS`.
        ms: u64,
    },
    /// The same, with a number from the parent's counter appended.
    TtlSequential {
        /// From 1 to `MAX_TTL_MS`.
        ms: u64,
    },
    /// A container, with a number from the parent's counter appended.
    ContainerSequential,
}

/// The longest time that a znode can be given: 34.8 years.
pub const MAX_TTL_MS: u64 = 0xFF_FFFF_FFFF;

impl CreateMode {
    /// Whether the znode goes with its session.
    #[must_use]
    pub const fn is_ephemeral(self) -> bool {
        matches!(self, Self::Ephemeral | Self::EphemeralSequential)
    }

    /// Whether a number is appended to the path.
    #[must_use]
    pub const fn is_sequential(self) -> bool {
        matches!(
            self,
            Self::PersistentSequential
                | Self::EphemeralSequential
                | Self::TtlSequential { .. }
                | Self::ContainerSequential
        )
    }
}

/// How far a watch reaches that stays when it fires. The numbers are ZooKeeper's.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum WatchMode {
    /// Changes of one znode and of the list of its children.
    Persistent = 0,
    /// Changes of one znode and of all below it; it is told of children themselves, not of their list.
    Recursive = 1,
}

/// Which watches are meant. The numbers are ZooKeeper's.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum WatchKind {
    /// One-shot, left by a getChildren.
    Children = 1,
    /// One-shot, left by an exists or a getData.
    Data = 2,
    /// All.
    Any = 3,
    /// Those of `WatchMode::Persistent`.
    Persistent = 4,
    /// Those of `WatchMode::Recursive`.
    Recursive = 5,
}

/// The watches of a connection before, as paths (protocol section 14).
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct SetWatches {
    /// The last zxid that the client has seen: what is later is told.
    pub zxid: Index,
    /// Of getData, and of exists that found a znode.
    pub data: Vec<String>,
    /// Of exists that found none.
    pub exist: Vec<String>,
    /// Of getChildren.
    pub child: Vec<String>,
    /// Of addWatch.
    pub persistent: Vec<String>,
    /// Of addWatch with `WatchMode::Recursive`.
    pub recursive: Vec<String>,
}

/// A page of the children of a znode, in byte order of their names.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct List {
    /// The parent.
    pub path: String,
    /// Only names behind this one: the last of the page before, or "" to begin.
    pub after: String,
    /// Only names that begin so.
    pub prefix: String,
    /// How many at most; a page also ends where it would become longer than a request may be.
    pub limit: u32,
    /// Whether their data comes too.
    pub data: bool,
    /// Whether the answer must be linearizable.
    pub latest: bool,
}

/// A child on a page.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Listed {
    /// Without the parent's path.
    pub name: String,
    /// Its Stat.
    pub stat: Stat,
    /// Its data; also `None` if it was not asked for.
    pub data: Option<Bytes>,
}

/// A question about one znode.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Read {
    /// What is asked.
    pub kind: ReadKind,
    /// Which znode.
    pub path: String,
    /// Whether to leave a one-shot watch. `Descendants` and `Ephemerals` leave none.
    pub watch: bool,
}

/// What a read asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ReadKind {
    /// Its Stat, or that it is absent.
    Exists,
    /// Its data and Stat.
    Data,
    /// Its access control list and Stat. It leaves no watch.
    Acl,
    /// The names of its children and its Stat.
    Children,
    /// How many znodes are below it, at any depth.
    Descendants,
    /// The paths of the asking session's own ephemeral znodes that begin with this text; all for "" and
    /// "/".
    Ephemerals,
}

/// Somebody that a client connection speaks for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Identity {
    /// How that is known: `ip`, `digest`, `sasl`, `x509`, or `super` for the one that may do anything.
    pub scheme: String,
    /// Who.
    pub id: String,
}

/// One entry of an access control list.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Acl {
    /// Bits: read 1, write 2, create 4, delete 8, admin 16.
    pub perms: u32,
    /// For example `world`.
    pub scheme: String,
    /// For example `anyone`.
    pub id: String,
}

impl Acl {
    /// May see data, Stat and children.
    pub const READ: u32 = 1;
    /// May set the data.
    pub const WRITE: u32 = 2;
    /// May make children.
    pub const CREATE: u32 = 4;
    /// May delete children.
    pub const DELETE: u32 = 8;
    /// May set the list.
    pub const ADMIN: u32 = 16;
    /// All bits.
    pub const ALL: u32 = 31;

    /// world:anyone with every permission.
    #[must_use]
    pub fn open() -> Self {
        Self {
            perms: Self::ALL,
            scheme: "world".into(),
            id: "anyone".into(),
        }
    }
}

/// An answer. Which variant comes follows from the request.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Response {
    /// To `Connect`: the session is open on this connection.
    Connected {
        /// The session.
        session: SessionId,
        /// To take it up again elsewhere.
        password: Password,
        /// The timeout that was agreed, in milliseconds.
        timeout_ms: u32,
        /// Whether this server serves reads only, to a session that only it knows.
        read_only: bool,
    },
    /// To `Connect`: the session has ended, or the password is wrong; the connection is closed next.
    Expired,
    /// To a create.
    Created {
        /// The path with its number.
        path: String,
        /// If it was asked for.
        stat: Option<Stat>,
    },
    /// To a delete.
    Deleted,
    /// To a setData or setACL, or to exists when the znode is there.
    Stat(Stat),
    /// To a check inside a multi.
    Checked,
    /// To getData.
    Data {
        /// The data; `None` is null.
        data: Option<Bytes>,
        /// The Stat.
        stat: Stat,
    },
    /// To getACL.
    Acl {
        /// The list; whoever may not set it sees no hashes of passwords.
        acl: Vec<Acl>,
        /// The Stat.
        stat: Stat,
    },
    /// To getChildren.
    Children {
        /// Names without the parent's path, in byte order.
        names: Vec<String>,
        /// The parent's Stat.
        stat: Stat,
    },
    /// To a multi: one result for each operation. If one failed, all are errors: `Ok` code 0 before the
    /// one that failed, `RuntimeInconsistency` after it (section 10). To a multiRead: one for each read.
    Multi(Vec<Result<Self, Error>>),
    /// To `Descendants`.
    Count(u32),
    /// To `Ephemerals`, in byte order.
    Paths(Vec<String>),
    /// To `List`.
    Page {
        /// The children.
        znodes: Vec<Listed>,
        /// The parent's Stat.
        stat: Stat,
        /// Whether there are more behind them.
        more: bool,
    },
    /// To addWatch.
    Watching {
        /// Whether all that happened since has been told. If not, the server does not know any more: the client
        /// must read again.
        complete: bool,
    },
    /// To setWatches; what happened meanwhile has been told before.
    WatchesSet {
        /// Whether the watches that stay were told all that happened since; false: read again.
        complete: bool,
    },
    /// To checkWatches.
    WatchesFound,
    /// To removeWatches.
    WatchesRemoved,
    /// To a sync.
    Synced {
        /// As it was sent.
        path: String,
    },
    /// To an auth.
    Authenticated,
    /// To whoAmI: scheme and name of each identity.
    Identities(Vec<Identity>),
    /// To a ping.
    Pong,
    /// To a close; the connection is closed next.
    Closed,
    /// To an explain.
    Explained(Explained),
}

/// An answer with the state it rests on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Reply {
    /// The last index applied on the answering server; for a write at least its own.
    pub zxid: Index,
    /// What was asked for, or the first error.
    pub result: Result<Response, Error>,
}

/// ZooKeeper's record of a znode, as it goes over the wire (section 8).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Stat {
    /// zxid of the create.
    pub czxid: Index,
    /// zxid of the last setData.
    pub mzxid: Index,
    /// Milliseconds since 1970 at the create.
    pub ctime_ms: u64,
    /// Milliseconds since 1970 at the last setData.
    pub mtime_ms: u64,
    /// Number of setData calls.
    pub version: i32,
    /// Creates and deletes of children (computed, see `Tree`).
    pub cversion: i32,
    /// Number of setACL calls.
    pub aversion: i32,
    /// The owner of an ephemeral znode, else 0.
    pub ephemeral_owner: SessionId,
    /// Bytes of data; null counts 0.
    pub data_length: i32,
    /// Direct children.
    pub num_children: i32,
    /// zxid of the last create or delete of a child.
    pub pzxid: Index,
}

/// A watch that fired.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct WatchEvent {
    /// What happened.
    pub kind: EventKind,
    /// To which path.
    pub path: String,
    /// In which transaction; 0 if it was found out later, by setWatches.
    pub zxid: Index,
}

/// What a watch reports. The numbers are ZooKeeper's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum EventKind {
    /// The znode was made.
    NodeCreated = 1,
    /// The znode was deleted.
    NodeDeleted = 2,
    /// Its data was set.
    NodeDataChanged = 3,
    /// A child was made or deleted.
    NodeChildrenChanged = 4,
}

/// Why a client connection is closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Hangup {
    /// The session was closed by its client.
    Closed,
    /// The session has expired.
    Expired,
    /// The session is now served on another connection.
    Moved,
    /// The client has seen a zxid that this server has not reached.
    Behind,
    /// This server has had no leader for too long (rule R16).
    Leaderless,
    /// This server installed a snapshot, so watches may have missed changes (rule R17).
    SnapshotInstalled,
    /// The client could not prove who it is, or did not even try.
    AuthFailed,
    /// This server has a leader again, so it does not serve reads only any more.
    ReadOnlyOver,
    /// Too many connections, too many unanswered requests, or a request out of turn.
    Refused,
}

/// Why a request failed. The numbers are ZooKeeper's (section 11).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum Error {
    /// Inside the results of a failed multi: this one was not the reason.
    Ok = 0,
    /// Something inside the server failed.
    SystemError = -1,
    /// Inside the results of a failed multi: this one was not tried.
    RuntimeInconsistency = -2,
    /// The request's bytes made no sense.
    MarshallingError = -5,
    /// No such operation.
    Unimplemented = -6,
    /// The arguments are wrong.
    BadArguments = -8,
    /// The members that would vote are not connected, or did not catch up.
    NewConfigNoQuorum = -13,
    /// Another change of the members is under way.
    ReconfigInProgress = -14,
    /// No such znode.
    NoNode = -101,
    /// Not permitted.
    NoAuth = -102,
    /// The znode has another version.
    BadVersion = -103,
    /// An ephemeral znode cannot have children.
    NoChildrenForEphemerals = -108,
    /// The znode is there already.
    NodeExists = -110,
    /// The znode has children.
    NotEmpty = -111,
    /// The session has ended.
    SessionExpired = -112,
    /// The access control list is not valid.
    InvalidAcl = -114,
    /// Who the client says it is could not be believed, or not be understood.
    AuthFailed = -115,
    /// The session is served on another connection.
    SessionMoved = -118,
    /// A change on a server that serves reads only.
    NotReadOnly = -119,
    /// An ephemeral znode of a session that only this server knows.
    EphemeralOnLocalSession = -120,
    /// There is no such watch.
    NoWatcher = -121,
    /// The members cannot be changed through this server.
    ReconfigDisabled = -123,
    /// The server wants to know first who the client is.
    SessionClosedRequireSaslAuth = -124,
    /// A hard quota would be exceeded.
    QuotaExceeded = -125,
    /// The server has too much to do.
    ThrottledOp = -127,
    /// A change was asked for again after its answer had to go: whether it was made is not known. ZooKeeper
    /// has no such answer.
    OutcomeUnknown = -1_000,
}

impl Error {
    /// All of them, in the order of declaration.
    pub const ALL: &'static [Self] = &[
        Self::Ok,
        Self::SystemError,
        Self::RuntimeInconsistency,
        Self::MarshallingError,
        Self::Unimplemented,
        Self::BadArguments,
        Self::NewConfigNoQuorum,
        Self::ReconfigInProgress,
        Self::NoNode,
        Self::NoAuth,
        Self::BadVersion,
        Self::NoChildrenForEphemerals,
        Self::NodeExists,
        Self::NotEmpty,
        Self::SessionExpired,
        Self::InvalidAcl,
        Self::AuthFailed,
        Self::SessionMoved,
        Self::NotReadOnly,
        Self::EphemeralOnLocalSession,
        Self::NoWatcher,
        Self::ReconfigDisabled,
        Self::SessionClosedRequireSaslAuth,
        Self::QuotaExceeded,
        Self::ThrottledOp,
        Self::OutcomeUnknown,
    ];

    /// ZooKeeper's number.
    #[must_use]
    pub const fn code(self) -> i32 {
        self as i32
    }

    /// Its name in JSON, for example `NO_NODE`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::SystemError => "SYSTEM_ERROR",
            Self::RuntimeInconsistency => "RUNTIME_INCONSISTENCY",
            Self::MarshallingError => "MARSHALLING_ERROR",
            Self::Unimplemented => "UNIMPLEMENTED",
            Self::BadArguments => "BAD_ARGUMENTS",
            Self::NewConfigNoQuorum => "NEW_CONFIG_NO_QUORUM",
            Self::ReconfigInProgress => "RECONFIG_IN_PROGRESS",
            Self::NoNode => "NO_NODE",
            Self::NoAuth => "NO_AUTH",
            Self::BadVersion => "BAD_VERSION",
            Self::NoChildrenForEphemerals => "NO_CHILDREN_FOR_EPHEMERALS",
            Self::NodeExists => "NODE_EXISTS",
            Self::NotEmpty => "NOT_EMPTY",
            Self::SessionExpired => "SESSION_EXPIRED",
            Self::InvalidAcl => "INVALID_ACL",
            Self::AuthFailed => "AUTH_FAILED",
            Self::SessionMoved => "SESSION_MOVED",
            Self::NotReadOnly => "NOT_READ_ONLY",
            Self::EphemeralOnLocalSession => "EPHEMERAL_ON_LOCAL_SESSION",
            Self::NoWatcher => "NO_WATCHER",
            Self::ReconfigDisabled => "RECONFIG_DISABLED",
            Self::SessionClosedRequireSaslAuth => "SESSION_CLOSED_REQUIRE_SASL_AUTH",
            Self::QuotaExceeded => "QUOTA_EXCEEDED",
            Self::ThrottledOp => "THROTTLED_OP",
            Self::OutcomeUnknown => "OUTCOME_UNKNOWN",
        }
    }
}

/// For people.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "did not fail by itself",
            Self::SystemError => "something inside the server failed",
            Self::RuntimeInconsistency => "not tried, because an operation before it failed",
            Self::MarshallingError => "the request's bytes make no sense",
            Self::Unimplemented => "there is no such operation",
            Self::BadArguments => "the path or another argument is not valid",
            Self::NewConfigNoQuorum => {
                "the members that would vote do not answer, or do not catch up"
            }
            Self::ReconfigInProgress => "another change of the members is under way",
            Self::NoNode => "there is no such znode",
            Self::NoAuth => "this is not permitted",
            Self::BadVersion => "the znode has another version",
            Self::NoChildrenForEphemerals => "an ephemeral znode cannot have children",
            Self::NodeExists => "the znode exists already",
            Self::NotEmpty => "the znode has children",
            Self::SessionExpired => "the session has ended",
            Self::InvalidAcl => "the access control list is not valid",
            Self::AuthFailed => "the server does not believe who the client says it is",
            Self::SessionMoved => "the session is served on another connection",
            Self::NotReadOnly => "this server serves reads only",
            Self::EphemeralOnLocalSession => {
                "a session that only this server knows cannot have ephemeral znodes"
            }
            Self::NoWatcher => "there is no such watch",
            Self::ReconfigDisabled => "this server does not let clients change the members",
            Self::SessionClosedRequireSaslAuth => {
                "the server wants to know first who the client is"
            }
            Self::QuotaExceeded => "a hard quota would be exceeded",
            Self::ThrottledOp => "the server has too much to do",
            Self::OutcomeUnknown => "whether this change was made is not known any more",
        })
    }
}

impl core::error::Error for Error {}

//! From a client's frames to requests. Which operations exist, how their records look and how their
//! bytes can be wrong; not what they mean.

use bytes::Bytes;
use otterkeeper_core::id::{Index, SessionId};
use otterkeeper_core::request::{
    Connect, CreateMode, Error, Op, Read, ReadKind, Reconfig, Request, SetWatches, WatchKind,
    WatchMode,
};

pub use super::jute::Malformed;
use super::jute::Reader;

/// ZooKeeper's numbers of operations.
pub(super) mod op {
    pub(crate) const ERROR: i32 = -1;
    pub(crate) const CREATE: i32 = 1;
    pub(crate) const DELETE: i32 = 2;
    pub(crate) const EXISTS: i32 = 3;
    pub(crate) const GET_DATA: i32 = 4;
    pub(crate) const SET_DATA: i32 = 5;
    pub(crate) const GET_ACL: i32 = 6;
    pub(crate) const SET_ACL: i32 = 7;
    pub(crate) const GET_CHILDREN: i32 = 8;
    pub(crate) const SYNC: i32 = 9;
    pub(crate) const PING: i32 = 11;
    pub(crate) const GET_CHILDREN2: i32 = 12;
    pub(crate) const CHECK: i32 = 13;
    pub(crate) const MULTI: i32 = 14;
    pub(crate) const CREATE2: i32 = 15;
    pub(crate) const RECONFIG: i32 = 16;
    pub(crate) const CREATE_CONTAINER: i32 = 19;
    pub(crate) const CREATE_TTL: i32 = 21;
    pub(crate) const CHECK_WATCHES: i32 = 17;
    pub(crate) const REMOVE_WATCHES: i32 = 18;
    pub(crate) const MULTI_READ: i32 = 22;
    pub(crate) const AUTH: i32 = 100;
    pub(crate) const SASL: i32 = 102;
    pub(crate) const WHO_AM_I: i32 = 107;
    pub(crate) const SET_WATCHES: i32 = 101;
    pub(crate) const GET_EPHEMERALS: i32 = 103;
    pub(crate) const GET_ALL_CHILDREN_NUMBER: i32 = 104;
    pub(crate) const SET_WATCHES2: i32 = 105;
    pub(crate) const ADD_WATCH: i32 = 106;
    pub(crate) const CLOSE: i32 = -11;
}

/// ZooKeeper's letters for an operation, as `cons` shows the last one.
pub(super) const fn letters(op: i32) -> &'static str {
    match op {
        op::CREATE | op::CREATE2 => "CREA",
        op::DELETE => "DELE",
        op::EXISTS => "EXIS",
        op::GET_DATA => "GETD",
        op::SET_DATA => "SETD",
        op::GET_ACL => "GETA",
        op::SET_ACL => "SETA",
        op::GET_CHILDREN | op::GET_CHILDREN2 => "GETC",
        op::SYNC => "SYNC",
        op::PING => "PING",
        op::CHECK => "CHEC",
        op::MULTI => "MULT",
        op::RECONFIG => "RECO",
        op::CLOSE => "CLOS",
        _ => "NA",
    }
}

/// The first packet of a connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hello {
    /// What it asks.
    pub connect: Connect,
    /// Whether it ends with the read-only byte. The answer carries one exactly then: older clients
    /// drop the connection otherwise (ClickHouse#53749).
    pub long: bool,
}

/// Reads the first packet, 44 or 45 bytes.
///
/// # Errors
/// If it is too short; the connection is closed without an answer.
pub fn hello(frame: &Bytes) -> Result<Hello, Malformed> {
    let mut reader = Reader::new(frame);
    let _protocol_version = reader.int()?;
    let last_zxid = Index(reader.long()?.max(0).cast_unsigned());
    let timeout_ms = u32::try_from(reader.int()?).unwrap_or(0);
    let session = SessionId(reader.long()?.cast_unsigned());
    // A password of another length belongs to no session, like the zeroes it becomes.
    let password = reader
        .buffer()?
        .and_then(|bytes| bytes.as_ref().try_into().ok());
    let long = 0 < reader.left();
    let read_only = long && reader.bool()?;
    let connect = Connect {
        session,
        password: password.unwrap_or_default(),
        timeout_ms,
        last_zxid,
        read_only,
        replaces: None,
    };
    Ok(Hello { connect, long })
}

/// A packet after the first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Packet {
    /// The client's number; it comes back in the answer.
    pub xid: i32,
    /// The operation.
    pub op: i32,
    /// What it asks.
    pub body: Result<Request, Refusal>,
}

/// The token of a step in a conversation that shows who the client is, if the packet is one. It is
/// answered by the connection, not by the node.
///
/// # Errors
/// If it ends early.
pub(super) fn sasl(frame: &Bytes) -> Option<Result<(i32, Bytes), Malformed>> {
    let mut reader = Reader::new(frame);
    let (xid, op) = (reader.int().ok()?, reader.int().ok()?);
    let token = |mut reader: Reader<'_>| Ok((xid, reader.buffer()?.unwrap_or_default()));
    (op == op::SASL).then(|| token(reader))
}

/// A packet that is answered with an error right here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// The code for the client.
    pub code: i32,
    /// Whether the connection is closed after the answer.
    pub close: bool,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self {
            code: error.code(),
            close: false,
        }
    }
}

impl From<Malformed> for Refusal {
    fn from(_: Malformed) -> Self {
        Error::MarshallingError.into()
    }
}

/// Reads a packet. Bytes after the last known field are ignored, as ZooKeeper does.
///
/// # Errors
/// If there is not even a header, or a proof of who the client is ends early; the connection is closed without an
/// answer.
pub fn packet(frame: &Bytes) -> Result<Packet, Malformed> {
    let mut reader = Reader::new(frame);
    let (xid, op) = (reader.int()?, reader.int()?);
    if op == op::AUTH {
        let body = Ok(auth(&mut reader)?);
        return Ok(Packet { xid, op, body });
    }
    Ok(Packet {
        xid,
        op,
        body: request(op, &mut reader),
    })
}

fn request(op: i32, reader: &mut Reader<'_>) -> Result<Request, Refusal> {
    Ok(match op {
        op::CREATE | op::CREATE2 | op::CREATE_CONTAINER | op::CREATE_TTL => {
            Request::Write(create(op, reader, false)?)
        }
        op::DELETE => Request::Write(delete(reader)?),
        op::SET_DATA => Request::Write(set_data(reader)?),
        op::EXISTS => read(ReadKind::Exists, reader)?,
        op::GET_DATA => read(ReadKind::Data, reader)?,
        op::GET_CHILDREN | op::GET_CHILDREN2 => read(ReadKind::Children, reader)?,
        op::SYNC => Request::Sync {
            path: reader.text()?,
        },
        op::MULTI_READ => Request::MultiRead(multi_read(reader)?),
        op::GET_ALL_CHILDREN_NUMBER => quiet(ReadKind::Descendants, reader)?,
        op::GET_EPHEMERALS => quiet(ReadKind::Ephemerals, reader)?,
        op::SET_WATCHES | op::SET_WATCHES2 => Request::SetWatches(set_watches(op, reader)?),
        op::ADD_WATCH => Request::AddWatch {
            path: reader.text()?,
            mode: match reader.int()? {
                0 => WatchMode::Persistent,
                1 => WatchMode::Recursive,
                _ => return Err(Malformed.into()),
            },
            since: None,
        },
        op::CHECK_WATCHES => Request::CheckWatches {
            path: reader.text()?,
            kind: watch_kind(reader)?,
        },
        op::REMOVE_WATCHES => Request::RemoveWatches {
            path: reader.text()?,
            kind: watch_kind(reader)?,
        },
        op::PING => Request::Ping,
        op::MULTI => Request::Multi(multi(reader)?),
        op::CLOSE => Request::Close,
        op::GET_ACL => Request::Read(Read {
            kind: ReadKind::Acl,
            path: reader.text()?,
            watch: false,
        }),
        op::SET_ACL => Request::Write(Op::SetAcl {
            path: reader.text()?,
            acl: reader.acl()?,
            version: reader.int()?,
        }),
        op::RECONFIG => Request::Reconfig(Reconfig {
            joining: reader.text()?,
            leaving: reader.text()?,
            members: reader.text()?,
            version: match reader.long()? {
                -1 => None,
                version => Some(Index(version.cast_unsigned())),
            },
            met: Vec::new(),
        }),
        op::WHO_AM_I => Request::WhoAmI,
        _ => {
            return Err(Refusal {
                code: Error::Unimplemented.code(),
                close: true,
            });
        }
    })
}

fn auth(reader: &mut Reader<'_>) -> Result<Request, Malformed> {
    let _type = reader.int()?;
    Ok(Request::Auth {
        scheme: reader.text()?,
        proof: reader.buffer()?.unwrap_or_default(),
    })
}

/// ZooKeeper reads a create otherwise `inside` a multi: there the flags alone make a container, and let a time to live
/// be forgotten; and those of one without the operation for it, or no list of permissions, spoil all of the request.
fn create(op: i32, reader: &mut Reader<'_>, inside: bool) -> Result<Op, Refusal> {
    let (path, data) = (reader.text()?, reader.buffer()?);
    if inside && op != op::CREATE_TTL && reader.is_null() {
        return Err(Malformed.into());
    }
    let acl = reader.acl()?;
    let flags = reader.int()?;
    let ttl = match op {
        op::CREATE_TTL => u64::try_from(reader.long()?).unwrap_or(0),
        _ => 0,
    };
    let op = match (op, flags) {
        (op::CREATE_TTL, 0..=3) if inside => op::CREATE,
        (op::CREATE | op::CREATE2 | op::CREATE_TTL, 4) if inside => op::CREATE_CONTAINER,
        (op::CREATE | op::CREATE2 | op::CREATE_CONTAINER, 5 | 6) if inside => {
            return Err(Malformed.into());
        }
        _ => op,
    };
    // A time to live of 0 is refused by the core, with the error that ZooKeeper gives: also where the
    // operation and its flags do not belong together (rule R21a).
    let mode = match (op, flags) {
        (op::CREATE_TTL, 5) => CreateMode::Ttl { ms: ttl },
        (op::CREATE_TTL, 6) => CreateMode::TtlSequential { ms: ttl },
        (op::CREATE_TTL, 0..=4) | (_, 5 | 6) => CreateMode::Ttl { ms: 0 },
        (op::CREATE_TTL, _) if inside => CreateMode::Ttl { ms: 0 },
        // It is the operation that makes a container; without it the flag means a plain znode.
        (op::CREATE_CONTAINER, 0 | 1 | 4) => CreateMode::Container,
        (op::CREATE_CONTAINER, 2 | 3) => CreateMode::ContainerSequential,
        (_, 0 | 4) => CreateMode::Persistent,
        (_, 1) => CreateMode::Ephemeral,
        (_, 2) => CreateMode::PersistentSequential,
        (_, 3) => CreateMode::EphemeralSequential,
        _ => return Err(Error::BadArguments.into()),
    };
    Ok(Op::Create {
        path,
        data,
        acl,
        mode,
        stat: op != op::CREATE,
    })
}

fn delete(reader: &mut Reader<'_>) -> Result<Op, Malformed> {
    Ok(Op::Delete {
        path: reader.text()?,
        version: reader.int()?,
    })
}

fn set_data(reader: &mut Reader<'_>) -> Result<Op, Malformed> {
    Ok(Op::SetData {
        path: reader.text()?,
        data: reader.buffer()?,
        version: reader.int()?,
    })
}

fn read(kind: ReadKind, reader: &mut Reader<'_>) -> Result<Request, Malformed> {
    Ok(Request::Read(Read {
        kind,
        path: reader.text()?,
        watch: reader.bool()?,
    }))
}

/// A read that leaves no watch.
fn quiet(kind: ReadKind, reader: &mut Reader<'_>) -> Result<Request, Malformed> {
    Ok(Request::Read(Read {
        kind,
        path: reader.text()?,
        watch: false,
    }))
}

fn set_watches(op: i32, reader: &mut Reader<'_>) -> Result<SetWatches, Malformed> {
    let mut watches = SetWatches {
        zxid: Index(reader.long()?.max(0).cast_unsigned()),
        data: reader.texts()?,
        exist: reader.texts()?,
        child: reader.texts()?,
        ..SetWatches::default()
    };
    if op == op::SET_WATCHES2 {
        watches.persistent = reader.texts()?;
        watches.recursive = reader.texts()?;
    }
    Ok(watches)
}

fn watch_kind(reader: &mut Reader<'_>) -> Result<WatchKind, Malformed> {
    Ok(match reader.int()? {
        1 => WatchKind::Children,
        2 => WatchKind::Data,
        3 => WatchKind::Any,
        4 => WatchKind::Persistent,
        5 => WatchKind::Recursive,
        _ => return Err(Malformed),
    })
}

/// As `multi`, of reads. Their watch flags are ignored (section 10).
fn multi_read(reader: &mut Reader<'_>) -> Result<Vec<Read>, Malformed> {
    let mut reads = Vec::new();
    loop {
        let (op, done, _error) = (reader.int()?, reader.bool()?, reader.int()?);
        if done {
            return Ok(reads);
        }
        let kind = match op {
            op::GET_DATA => ReadKind::Data,
            op::GET_CHILDREN => ReadKind::Children,
            _ => return Err(Malformed),
        };
        let (path, _watch) = (reader.text()?, reader.bool()?);
        reads.push(Read {
            kind,
            path,
            watch: false,
        });
    }
}

/// Headers and records in turn until the header that says "done". Whatever is wrong in it, the whole
/// request is refused as badly written, and nothing is done.
fn multi(reader: &mut Reader<'_>) -> Result<Vec<Op>, Malformed> {
    let mut ops = Vec::new();
    loop {
        let (op, done, _error) = (reader.int()?, reader.bool()?, reader.int()?);
        if done {
            return Ok(ops);
        }
        ops.push(match op {
            op::CREATE | op::CREATE2 | op::CREATE_CONTAINER | op::CREATE_TTL => {
                create(op, reader, true).map_err(|_| Malformed)?
            }
            op::DELETE => delete(reader)?,
            op::SET_DATA => set_data(reader)?,
            op::CHECK => Op::Check {
                path: reader.text()?,
                version: reader.int()?,
            },
            _ => return Err(Malformed),
        });
    }
}

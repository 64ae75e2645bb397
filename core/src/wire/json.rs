//! Text frames of a client's WebSocket: the same requests and answers as JSON (rule R29).
//!
//! ```json
//! {"id": 1, "op": "connect", "timeout_ms": 10000}
//! {"id": 2, "op": "create", "path": "/a", "data": {"text": "hi"}, "mode": "ephemeral_sequential"}
//! {"id": 3, "op": "get", "path": "/a", "watch": true}
//! {"id": 5, "op": "auth", "scheme": "digest", "data": {"text": "user:password"}}
//! {"id": 6, "op": "set_acl", "path": "/a", "acl": [{"perms": 31, "scheme": "auth", "id": ""}], "version": 0}
//! {"id": 4, "op": "multi", "ops": [{"op": "check", "path": "/a", "version": 0}, {"op": "delete", "path": "/a"}]}
//! ```
//!
//! Operations: `connect create delete set get exists children list count ephemerals get_acl set_acl multi multi_read
//! sync add_watch set_watches check_watches remove_watches auth whoami explain reconfig ping close`, and `check` inside a
//! multi. Permissions are bits: read 1, write 2, create 4, delete 8, admin 16. Data is `{"text": ".."}` or
//! `{"base64": ".."}` or null; zxids and sessions are decimal strings, because JavaScript's numbers are too short for
//! them. Answers are
//! `{"id": 2, "ok": {"type": "created", ..}, "zxid": "12"}` or `{"id": 2, "error": "NODE_EXISTS", "message": ".."}`,
//! events `{"event": "node_created", "path": "/a", "zxid": "13"}`, and before the server closes the
//! connection it says `{"bye": "moved"}`.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use super::client::ServerFrame;
use crate::id::{Index, SessionId};
use crate::request::{
    Acl, Change, Connect, CreateMode, EventKind, Hangup, List, Once, Op, Read, ReadKind, Reconfig,
    Reply, Request, SetWatches, Subject, WatchEvent, WatchKind, WatchMode,
};

mod answer;
mod explain;
mod shape;

use answer::{outcome, read_outcome};
use shape::{
    Bye, Consistency, Data, Decimal, Fields, Had, Happened, Kind, Mode, Old, Outcome, Said, Secret,
    Verb,
};

/// The session timeout of a client that names none.
const DEFAULT_TIMEOUT_MS: u32 = 30_000;
/// The children on a page of which a client does not say how long it is.
const DEFAULT_PAGE: u32 = 100;

/// Why a text is no request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JsonError {
    /// The request's id, if that much could be read.
    pub id: Option<u64>,
    /// What is wrong, for the person who wrote it.
    pub message: String,
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl core::error::Error for JsonError {}

/// Reads a request and its id.
///
/// # Errors
/// If the text is no request; `encode_refusal` answers it.
pub fn decode_request(text: &str) -> Result<(u64, Request), JsonError> {
    let fields: Fields = serde_json::from_str(text).map_err(|error| JsonError {
        id: id_of(text),
        message: error.to_string(),
    })?;
    let id = fields.id;
    let refuse = |message| JsonError { id, message };
    let number = id.ok_or_else(|| refuse("a request needs an id, which comes back".into()))?;
    Ok((number, request(fields).map_err(refuse)?))
}

/// A request, as a client sends it.
#[must_use]
pub fn encode_request(id: u64, request: &Request) -> String {
    let fields = match request {
        Request::Connect(connect) => Fields {
            op: Some(Verb::Connect),
            session: (connect.session != SessionId(0)).then_some(Decimal(connect.session.0)),
            password: (connect.session != SessionId(0)).then_some(Secret(connect.password)),
            timeout_ms: Some(connect.timeout_ms),
            last_zxid: (connect.last_zxid != Index(0)).then_some(Decimal(connect.last_zxid.0)),
            read_only: connect.read_only.then_some(true),
            replaces: connect.replaces.map(|(session, password)| Old {
                session: Decimal(session.0),
                password: Secret(password),
            }),
            ..Fields::default()
        },
        Request::Write(op) => op_fields(op),
        Request::Multi(ops) => multi_fields(ops),
        Request::Read(read) => read_fields(read),
        Request::Latest(read) => Fields {
            read: Some(Consistency::Linearizable),
            ..read_fields(read)
        },
        Request::MultiRead(reads) => Fields {
            op: Some(Verb::MultiRead),
            ops: Some(reads.iter().map(read_fields).collect()),
            ..Fields::default()
        },
        Request::List(list) => Fields {
            op: Some(Verb::List),
            path: Some(list.path.clone()),
            after: (!list.after.is_empty()).then(|| list.after.clone()),
            prefix: (!list.prefix.is_empty()).then(|| list.prefix.clone()),
            limit: Some(list.limit),
            with_data: list.data.then_some(true),
            read: list.latest.then_some(Consistency::Linearizable),
            ..Fields::default()
        },
        Request::AddWatch { path, mode, since } => Fields {
            since: since.map(|zxid| Decimal(zxid.0)),
            op: Some(Verb::AddWatch),
            path: Some(path.clone()),
            recursive: (*mode == WatchMode::Recursive).then_some(true),
            ..Fields::default()
        },
        Request::SetWatches(had) => Fields {
            op: Some(Verb::SetWatches),
            since: Some(Decimal(had.zxid.0)),
            watches: Some(Had {
                data: had.data.clone(),
                exists: had.exist.clone(),
                children: had.child.clone(),
                persistent: had.persistent.clone(),
                recursive: had.recursive.clone(),
            }),
            ..Fields::default()
        },
        Request::CheckWatches { path, kind } => Fields {
            op: Some(Verb::CheckWatches),
            path: Some(path.clone()),
            kind: Some((*kind).into()),
            ..Fields::default()
        },
        Request::RemoveWatches { path, kind } => Fields {
            op: Some(Verb::RemoveWatches),
            path: Some(path.clone()),
            kind: Some((*kind).into()),
            ..Fields::default()
        },
        Request::Once(Once {
            number,
            answered,
            change,
        }) => Fields {
            number: Some(*number),
            answered: (*answered != 0).then_some(*answered),
            ..change_fields(change)
        },
        Request::Sync { path } => Fields {
            op: Some(Verb::Sync),
            path: Some(path.clone()),
            ..Fields::default()
        },
        Request::Auth { scheme, proof } => Fields {
            op: Some(Verb::Auth),
            scheme: Some(scheme.clone()),
            data: Some(Data(proof.clone())),
            ..Fields::default()
        },
        Request::Reconfig(Reconfig {
            joining,
            leaving,
            members,
            version,
            // A server's business.
            met: _,
        }) => {
            let said = |text: &String| (!text.is_empty()).then(|| text.clone());
            Fields {
                op: Some(Verb::Reconfig),
                joining: said(joining),
                leaving: said(leaving),
                members: said(members),
                members_version: version.map(|version| Decimal(version.0)),
                ..Fields::default()
            }
        }
        Request::Explain(Subject::Znode(path)) => Fields {
            op: Some(Verb::Explain),
            path: Some(path.clone()),
            ..Fields::default()
        },
        Request::Explain(Subject::Session(session)) => Fields {
            op: Some(Verb::Explain),
            session: Some(Decimal(session.0)),
            ..Fields::default()
        },
        Request::WhoAmI => Fields {
            op: Some(Verb::Whoami),
            ..Fields::default()
        },
        Request::Ping => Fields {
            op: Some(Verb::Ping),
            ..Fields::default()
        },
        Request::Close => Fields {
            op: Some(Verb::Close),
            ..Fields::default()
        },
    };
    write(&Fields {
        id: Some(id),
        ..fields
    })
}

/// The answer to a request.
#[must_use]
pub fn encode_reply(id: u64, reply: &Reply) -> String {
    let result = outcome(&reply.result);
    let zxid = result.ok.is_some().then_some(Decimal(reply.zxid.0));
    write(&Said {
        id: Some(id),
        result,
        zxid,
        ..Said::default()
    })
}

/// The answer to a text that is no request.
#[must_use]
pub fn encode_refusal(error: &JsonError) -> String {
    let message = Some(error.message.clone());
    let result = Outcome {
        error: Some("BAD_REQUEST".into()),
        message,
        ..Outcome::default()
    };
    write(&Said {
        id: error.id,
        result,
        ..Said::default()
    })
}

/// A watch that fired.
#[must_use]
pub fn encode_event(event: &WatchEvent) -> String {
    write(&Said {
        event: Some(match event.kind {
            EventKind::NodeCreated => Happened::Created,
            EventKind::NodeDeleted => Happened::Deleted,
            EventKind::NodeDataChanged => Happened::DataChanged,
            EventKind::NodeChildrenChanged => Happened::ChildrenChanged,
        }),
        path: Some(event.path.clone()),
        zxid: Some(Decimal(event.zxid.0)),
        ..Said::default()
    })
}

/// The server closes the connection, and why.
#[must_use]
pub fn encode_bye(reason: Hangup) -> String {
    let bye = match reason {
        Hangup::Closed => Bye::Closed,
        Hangup::Expired => Bye::Expired,
        Hangup::Moved => Bye::Moved,
        Hangup::Behind => Bye::Behind,
        Hangup::Leaderless => Bye::Leaderless,
        Hangup::SnapshotInstalled => Bye::SnapshotInstalled,
        Hangup::AuthFailed => Bye::AuthFailed,
        Hangup::ReadOnlyOver => Bye::ReadOnlyOver,
        Hangup::Refused => Bye::Refused,
    };
    write(&Said {
        bye: Some(bye),
        ..Said::default()
    })
}

/// What a server sent, as a client reads it. An answer with an error carries no zxid, so it reads as 0;
/// "expired" is the error `SessionExpired`, and a refused text is `MarshallingError`.
///
/// # Errors
/// If the text is nothing that a server says.
pub fn decode_server(text: &str) -> Result<ServerFrame, JsonError> {
    let said: Said = serde_json::from_str(text).map_err(|error| JsonError {
        id: id_of(text),
        message: error.to_string(),
    })?;
    let zxid = said.zxid.map_or(Index(0), Index::from);
    let strange = || JsonError {
        id: said.id,
        message: "no server says this".into(),
    };
    match said {
        Said {
            event: Some(event),
            path: Some(path),
            ..
        } => {
            let kind = match event {
                Happened::Created => EventKind::NodeCreated,
                Happened::Deleted => EventKind::NodeDeleted,
                Happened::DataChanged => EventKind::NodeDataChanged,
                Happened::ChildrenChanged => EventKind::NodeChildrenChanged,
            };
            Ok(ServerFrame::Event(WatchEvent { kind, path, zxid }))
        }
        Said { bye: Some(bye), .. } => Ok(ServerFrame::Bye(match bye {
            Bye::Closed => Hangup::Closed,
            Bye::Expired => Hangup::Expired,
            Bye::Moved => Hangup::Moved,
            Bye::Behind => Hangup::Behind,
            Bye::Leaderless => Hangup::Leaderless,
            Bye::SnapshotInstalled => Hangup::SnapshotInstalled,
            Bye::AuthFailed => Hangup::AuthFailed,
            Bye::ReadOnlyOver => Hangup::ReadOnlyOver,
            Bye::Refused => Hangup::Refused,
        })),
        Said {
            id: Some(id),
            result,
            ..
        } => {
            let result = read_outcome(result).ok_or_else(strange)?;
            Ok(ServerFrame::Reply {
                id,
                reply: Reply { zxid, result },
            })
        }
        _ => Err(strange()),
    }
}

/// Writing to a string fails only for maps with strange keys, and there are none.
fn write(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// The id of a text that cannot be read otherwise, for the refusal.
fn id_of(text: &str) -> Option<u64> {
    #[derive(Deserialize)]
    struct Only {
        id: u64,
    }
    serde_json::from_str(text).map(|Only { id }| id).ok()
}

/// What the fields say. Each is taken out, so that what is left does not belong to the operation.
fn request(mut fields: Fields) -> Result<Request, String> {
    let verb = fields.op.ok_or("a request needs an op")?;
    let request = match verb {
        Verb::Connect => Request::Connect(Connect {
            session: fields.session.take().map_or(SessionId(0), SessionId::from),
            password: fields.password.take().map_or([0; 16], |secret| secret.0),
            timeout_ms: fields.timeout_ms.take().unwrap_or(DEFAULT_TIMEOUT_MS),
            last_zxid: fields.last_zxid.take().map_or(Index(0), Index::from),
            read_only: fields.read_only.take().unwrap_or(false),
            replaces: fields
                .replaces
                .take()
                .map(|old| (old.session.into(), old.password.0)),
        }),
        Verb::Create | Verb::Delete | Verb::Set | Verb::SetAcl => {
            let op = op(&mut fields)?;
            numbered(&mut fields, Change::One(op))
        }
        Verb::Check => return Err("check stands only inside a multi".into()),
        Verb::Multi => {
            let ops = fields.ops.take().ok_or("multi needs ops")?;
            let ops = ops.into_iter().map(|mut fields| {
                let op = op(&mut fields)?;
                nothing_left(&fields)?;
                Ok(op)
            });
            let ops = ops.collect::<Result<_, String>>()?;
            numbered(&mut fields, Change::All(ops))
        }
        Verb::Get
        | Verb::Exists
        | Verb::GetAcl
        | Verb::Children
        | Verb::Count
        | Verb::Ephemerals => {
            let latest = fields.read.take() == Some(Consistency::Linearizable);
            let read = read(&mut fields)?;
            match latest {
                true => Request::Latest(read),
                false => Request::Read(read),
            }
        }
        Verb::MultiRead => {
            let ops = fields.ops.take().ok_or("multi_read needs ops")?;
            let reads = ops.into_iter().map(|mut fields| {
                let read = read(&mut fields)?;
                nothing_left(&fields)?;
                Ok(read)
            });
            Request::MultiRead(reads.collect::<Result<_, String>>()?)
        }
        Verb::List => Request::List(List {
            path: path(&mut fields)?,
            after: fields.after.take().unwrap_or_default(),
            prefix: fields.prefix.take().unwrap_or_default(),
            limit: fields.limit.take().unwrap_or(DEFAULT_PAGE),
            data: fields.with_data.take().unwrap_or(false),
            latest: fields.read.take() == Some(Consistency::Linearizable),
        }),
        Verb::AddWatch => Request::AddWatch {
            path: path(&mut fields)?,
            since: fields.since.take().map(Index::from),
            mode: match fields.recursive.take() {
                Some(true) => WatchMode::Recursive,
                _ => WatchMode::Persistent,
            },
        },
        Verb::SetWatches => {
            let had = fields.watches.take().ok_or("set_watches needs watches")?;
            Request::SetWatches(SetWatches {
                zxid: fields.since.take().ok_or("set_watches needs since")?.into(),
                data: had.data,
                exist: had.exists,
                child: had.children,
                persistent: had.persistent,
                recursive: had.recursive,
            })
        }
        Verb::CheckWatches => Request::CheckWatches {
            path: path(&mut fields)?,
            kind: kind(&mut fields),
        },
        Verb::RemoveWatches => Request::RemoveWatches {
            path: path(&mut fields)?,
            kind: kind(&mut fields),
        },
        Verb::Sync => Request::Sync {
            path: path(&mut fields)?,
        },
        Verb::Auth => Request::Auth {
            scheme: fields.scheme.take().ok_or("auth needs a scheme")?,
            proof: fields.data.take().ok_or("auth needs data")?.0,
        },
        Verb::Reconfig => Request::Reconfig(Reconfig {
            joining: fields.joining.take().unwrap_or_default(),
            leaving: fields.leaving.take().unwrap_or_default(),
            members: fields.members.take().unwrap_or_default(),
            version: fields.members_version.take().map(Index::from),
            met: Vec::new(),
        }),
        Verb::Explain => Request::Explain(match fields.session.take() {
            Some(session) => Subject::Session(session.into()),
            None => Subject::Znode(
                fields
                    .path
                    .take()
                    .ok_or("explain needs a path or a session")?,
            ),
        }),
        Verb::Whoami => Request::WhoAmI,
        Verb::Ping => Request::Ping,
        Verb::Close => Request::Close,
    };
    fields.id = None;
    nothing_left(&fields)?;
    Ok(request)
}

/// With a number it is made once.
fn numbered(fields: &mut Fields, change: Change) -> Request {
    match fields.number.take() {
        None => change.request(),
        Some(number) => Request::Once(Once {
            number,
            answered: fields.answered.take().unwrap_or(0),
            change,
        }),
    }
}

fn op(fields: &mut Fields) -> Result<Op, String> {
    Ok(match fields.op {
        Some(Verb::Create) => Op::Create {
            path: path(fields)?,
            data: fields.data.take().map(|data| data.0),
            acl: fields.acl.take().unwrap_or_else(|| vec![Acl::open()]),
            mode: match fields.mode.take().unwrap_or(Mode::Persistent) {
                Mode::Persistent => CreateMode::Persistent,
                Mode::Ephemeral => CreateMode::Ephemeral,
                Mode::PersistentSequential => CreateMode::PersistentSequential,
                Mode::EphemeralSequential => CreateMode::EphemeralSequential,
                Mode::Container => CreateMode::Container,
                Mode::Ttl => CreateMode::Ttl { ms: ttl(fields)? },
                Mode::TtlSequential => CreateMode::TtlSequential { ms: ttl(fields)? },
                Mode::ContainerSequential => CreateMode::ContainerSequential,
            },
            stat: fields.stat.take().unwrap_or(false),
        },
        Some(Verb::Delete) => Op::Delete {
            path: path(fields)?,
            version: version(fields),
        },
        Some(Verb::Set) => Op::SetData {
            path: path(fields)?,
            data: fields.data.take().map(|data| data.0),
            version: version(fields),
        },
        Some(Verb::SetAcl) => Op::SetAcl {
            path: path(fields)?,
            acl: fields.acl.take().ok_or("set_acl needs an acl")?,
            version: version(fields),
        },
        Some(Verb::Check) => Op::Check {
            path: path(fields)?,
            version: version(fields),
        },
        _ => return Err("a multi holds create, delete, set, set_acl and check".into()),
    })
}

fn read(fields: &mut Fields) -> Result<Read, String> {
    let kind = match fields.op {
        Some(Verb::Get) => ReadKind::Data,
        Some(Verb::Exists) => ReadKind::Exists,
        Some(Verb::GetAcl) => ReadKind::Acl,
        Some(Verb::Children) => ReadKind::Children,
        Some(Verb::Count) => ReadKind::Descendants,
        Some(Verb::Ephemerals) => ReadKind::Ephemerals,
        _ => return Err("a multi_read holds get, exists, children, count and ephemerals".into()),
    };
    let leaves_watch = matches!(kind, ReadKind::Data | ReadKind::Exists | ReadKind::Children);
    Ok(Read {
        kind,
        watch: leaves_watch && fields.watch.take().unwrap_or(false),
        path: match kind {
            ReadKind::Ephemerals => fields.path.take().unwrap_or_default(),
            _ => path(fields)?,
        },
    })
}

fn kind(fields: &mut Fields) -> WatchKind {
    match fields.kind.take().unwrap_or(Kind::Any) {
        Kind::Children => WatchKind::Children,
        Kind::Data => WatchKind::Data,
        Kind::Any => WatchKind::Any,
        Kind::Persistent => WatchKind::Persistent,
        Kind::Recursive => WatchKind::Recursive,
    }
}

impl From<WatchKind> for Kind {
    fn from(kind: WatchKind) -> Self {
        match kind {
            WatchKind::Children => Self::Children,
            WatchKind::Data => Self::Data,
            WatchKind::Any => Self::Any,
            WatchKind::Persistent => Self::Persistent,
            WatchKind::Recursive => Self::Recursive,
        }
    }
}

fn path(fields: &mut Fields) -> Result<String, String> {
    fields
        .path
        .take()
        .ok_or_else(|| "this op needs a path".into())
}

fn ttl(fields: &mut Fields) -> Result<u64, String> {
    let wanted = || "this mode needs ttl_ms".into();
    fields.ttl_ms.take().ok_or_else(wanted)
}

fn version(fields: &mut Fields) -> i32 {
    fields.version.take().unwrap_or(-1)
}

fn nothing_left(fields: &Fields) -> Result<(), String> {
    let left = Fields {
        op: None,
        ..fields.clone()
    };
    if left == Fields::default() {
        return Ok(());
    }
    Err(format!("this op does not take {}", write(&left)))
}

fn change_fields(change: &Change) -> Fields {
    match change {
        Change::One(op) => op_fields(op),
        Change::All(ops) => multi_fields(ops),
    }
}

fn multi_fields(ops: &[Op]) -> Fields {
    Fields {
        op: Some(Verb::Multi),
        ops: Some(ops.iter().map(op_fields).collect()),
        ..Fields::default()
    }
}

fn op_fields(op: &Op) -> Fields {
    let of = |verb, path: &str| Fields {
        op: Some(verb),
        path: Some(path.into()),
        ..Fields::default()
    };
    let any = |version: i32| (version != -1).then_some(version);
    match op {
        Op::Create {
            path,
            data,
            acl,
            mode,
            stat,
        } => Fields {
            data: data.clone().map(Data),
            acl: (*acl != [Acl::open()]).then(|| acl.clone()),
            mode: match mode {
                CreateMode::Persistent => None,
                CreateMode::Ephemeral => Some(Mode::Ephemeral),
                CreateMode::PersistentSequential => Some(Mode::PersistentSequential),
                CreateMode::EphemeralSequential => Some(Mode::EphemeralSequential),
                CreateMode::Container => Some(Mode::Container),
                CreateMode::Ttl { .. } => Some(Mode::Ttl),
                CreateMode::TtlSequential { .. } => Some(Mode::TtlSequential),
                CreateMode::ContainerSequential => Some(Mode::ContainerSequential),
            },
            ttl_ms: match *mode {
                CreateMode::Ttl { ms } | CreateMode::TtlSequential { ms } => Some(ms),
                _ => None,
            },
            stat: stat.then_some(true),
            ..of(Verb::Create, path)
        },
        Op::Delete { path, version } => Fields {
            version: any(*version),
            ..of(Verb::Delete, path)
        },
        Op::SetData {
            path,
            data,
            version,
        } => Fields {
            data: data.clone().map(Data),
            version: any(*version),
            ..of(Verb::Set, path)
        },
        Op::SetAcl { path, acl, version } => Fields {
            acl: Some(acl.clone()),
            version: any(*version),
            ..of(Verb::SetAcl, path)
        },
        Op::Check { path, version } => Fields {
            version: any(*version),
            ..of(Verb::Check, path)
        },
    }
}

fn read_fields(read: &Read) -> Fields {
    Fields {
        op: Some(match read.kind {
            ReadKind::Exists => Verb::Exists,
            ReadKind::Data => Verb::Get,
            ReadKind::Acl => Verb::GetAcl,
            ReadKind::Children => Verb::Children,
            ReadKind::Descendants => Verb::Count,
            ReadKind::Ephemerals => Verb::Ephemerals,
        }),
        path: Some(read.path.clone()),
        watch: read.watch.then_some(true),
        ..Fields::default()
    }
}

#[cfg(test)]
mod tests;

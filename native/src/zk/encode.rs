//! From replies and watch events to a client's frames, straight into the connection's out-buffer.

use otterkeeper_core::id::Index;
use otterkeeper_core::request::{Error, Reply, Response, WatchEvent};

use super::decode::op;
use super::jute::Write;

/// The number of every answer to a ping.
const PING: i32 = -2;

/// What the encoder must know of a request when its reply comes. It travels through the node as the
/// request's tag.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tag {
    /// The client's number.
    pub xid: i32,
    /// The operation.
    pub op: i32,
}

impl From<Tag> for u64 {
    fn from(tag: Tag) -> Self {
        Self::from(tag.xid.cast_unsigned()) << 32 | Self::from(tag.op.cast_unsigned())
    }
}

impl From<u64> for Tag {
    fn from(tag: u64) -> Self {
        Self {
            xid: ((tag >> 32) as u32).cast_signed(),
            op: (tag as u32).cast_signed(),
        }
    }
}

/// The answer to the first packet: the session that is open now. `long` as in
/// [`Hello`](super::decode::Hello).
pub(super) fn connected(
    out: &mut Vec<u8>,
    session: u64,
    password: &[u8],
    timeout_ms: u32,
    read_only: bool,
    long: bool,
) {
    out.frame(|out| {
        out.int(0);
        out.int(i32::try_from(timeout_ms).unwrap_or(i32::MAX));
        out.long(session.cast_signed());
        out.buffer(Some(password));
        if long {
            out.bool(read_only);
        }
    });
}

/// The answer to the first packet when the session it names has ended.
pub(super) fn expired(out: &mut Vec<u8>, long: bool) {
    connected(out, 0, &[0; 16], 0, false, long);
}

/// An answer without a body.
pub(super) fn header(out: &mut Vec<u8>, xid: i32, zxid: Index, code: i32) {
    out.reserve(20);
    out.int(16);
    head(out, xid, zxid, code);
}

/// The next step of a conversation that shows who the client is; without a token, that it has failed. This is the
/// one refusal with a body.
pub(super) fn sasl(out: &mut Vec<u8>, xid: i32, token: Option<&str>) {
    let code = match token {
        Some(_) => 0,
        None => Error::AuthFailed.code(),
    };
    out.frame(|out| {
        head(out, xid, Index(0), code);
        out.buffer(token.map(str::as_bytes));
    });
}

/// The answer to any packet but the first. What is said about who the client is carries no zxid.
pub(super) fn reply(out: &mut Vec<u8>, tag: Tag, reply: &Reply) {
    match &reply.result {
        Ok(Response::Authenticated) => header(out, tag.xid, Index(0), 0),
        // Whatever number the client gave it.
        Ok(Response::Pong) => header(out, PING, reply.zxid, 0),
        Err(error @ (Error::AuthFailed | Error::SessionClosedRequireSaslAuth)) => {
            header(out, tag.xid, Index(0), error.code());
        }
        Ok(response) => out.frame(|out| {
            head(out, tag.xid, reply.zxid, 0);
            body(out, tag.op, response);
        }),
        Err(error) => header(out, tag.xid, reply.zxid, error.code()),
    }
}

/// A watch that fired.
pub(super) fn event(out: &mut Vec<u8>, event: &WatchEvent) {
    const SYNC_CONNECTED: i32 = 3;
    out.frame(|out| {
        // What setWatches found out belongs to no transaction that could be named.
        let zxid = match event.zxid {
            Index(0) => Index(u64::MAX),
            zxid => zxid,
        };
        head(out, -1, zxid, 0);
        out.int(event.kind as i32);
        out.int(SYNC_CONNECTED);
        out.text(&event.path);
    });
}

fn head(out: &mut Vec<u8>, xid: i32, zxid: Index, code: i32) {
    out.int(xid);
    out.long(zxid.0.cast_signed());
    out.int(code);
}

fn body(out: &mut Vec<u8>, op: i32, response: &Response) {
    match response {
        Response::Created { path, stat } => {
            out.text(path);
            if let Some(stat) = stat {
                out.stat(stat);
            }
        }
        Response::Stat(stat) => out.stat(stat),
        Response::Data { data, stat } => {
            out.buffer(data.as_deref());
            out.stat(stat);
        }
        Response::Acl { acl, stat } => {
            out.acl(acl);
            out.stat(stat);
        }
        Response::Identities(ids) => {
            out.int(super::jute::length(ids.len()));
            for id in ids {
                out.text(&id.scheme);
                out.text(&id.id);
            }
        }
        Response::Children { names, stat } => {
            out.texts(names);
            if op == op::GET_CHILDREN2 {
                out.stat(stat);
            }
        }
        Response::Multi(results) => multi(out, results),
        Response::Count(count) => out.int(i32::try_from(*count).unwrap_or(i32::MAX)),
        Response::Paths(paths) => out.texts(paths),
        // An empty ErrorResponse (ClickHouse#98079).
        Response::Watching { .. } => out.int(0),
        Response::Synced { path } => out.text(path),
        Response::Deleted
        | Response::Checked
        | Response::Authenticated
        | Response::WatchesSet { .. }
        | Response::WatchesFound
        | Response::WatchesRemoved
        | Response::Explained(_)
        | Response::Pong
        | Response::Closed => {}
        // Answers to the first packet, which the connection encodes itself.
        Response::Connected { .. } | Response::Expired => {}
        // No operation of this protocol is answered so.
        Response::Page { .. } => {}
    }
}

/// One header and body for each operation, then the header that says "done". A failed operation
/// carries its code twice.
fn multi(out: &mut Vec<u8>, results: &[Result<Response, Error>]) {
    for result in results {
        match result {
            Ok(response) => {
                multi_header(out, kind(response), false, 0);
                body(out, 0, response);
            }
            Err(error) => {
                multi_header(out, op::ERROR, false, error.code());
                out.int(error.code());
            }
        }
    }
    multi_header(out, op::ERROR, true, -1);
}

fn multi_header(out: &mut Vec<u8>, op: i32, done: bool, code: i32) {
    out.int(op);
    out.bool(done);
    out.int(code);
}

/// Which operation gave this result inside a multi.
fn kind(response: &Response) -> i32 {
    match response {
        Response::Created { stat: None, .. } => op::CREATE,
        Response::Created { stat: Some(_), .. } => op::CREATE2,
        Response::Deleted => op::DELETE,
        Response::Stat(_) => op::SET_DATA,
        Response::Checked => op::CHECK,
        Response::Data { .. } => op::GET_DATA,
        Response::Children { .. } => op::GET_CHILDREN,
        _ => op::ERROR,
    }
}

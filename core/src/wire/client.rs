//! Binary frames of a client's WebSocket: postcard behind the version byte, one frame a message.

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::{WireError, decoded, encoded};
use crate::id::{Index, SessionId};
use crate::request::{
    Acl, Error, Explained, Hangup, Identity, Listed, Password, Reply, Request, Response, Stat,
    WatchEvent,
};

/// From client to server.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ClientFrame {
    /// The client's mark; it comes back with the answer.
    pub id: u64,
    /// What is asked.
    pub request: Request,
}

/// From server to client.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ServerFrame {
    /// The answer to the request with this mark.
    Reply {
        /// The mark.
        id: u64,
        /// The answer.
        reply: Reply,
    },
    /// A watch fired.
    Event(WatchEvent),
    /// The server closes the connection, and why.
    Bye(Hangup),
}

/// A frame for the server.
#[must_use]
pub fn encode_client(frame: &ClientFrame) -> Bytes {
    encoded(frame)
}

/// The opposite of `encode_client`.
///
/// # Errors
/// If the bytes are no such frame.
pub fn decode_client(bytes: &[u8]) -> Result<ClientFrame, WireError> {
    decoded(bytes)
}

/// A frame for the client.
#[must_use]
pub fn encode_server(frame: &ServerFrame) -> Bytes {
    encoded(frame)
}

/// The opposite of `encode_server`.
///
/// # Errors
/// If the bytes are no such frame.
pub fn decode_server(bytes: &[u8]) -> Result<ServerFrame, WireError> {
    Ok(match decoded::<Frame>(bytes)? {
        Frame::Reply {
            id,
            reply: (zxid, result),
        } => {
            let single =
                |answer: Result<Answer<Never>, Error>| Ok(answer?.response(|no| match no {}));
            let multi =
                |answers: Vec<_>| Response::Multi(answers.into_iter().map(single).collect());
            let result = result.map(|answer| answer.response(multi));
            ServerFrame::Reply {
                id,
                reply: Reply { zxid, result },
            }
        }
        Frame::Event(event) => ServerFrame::Event(event),
        Frame::Bye(reason) => ServerFrame::Bye(reason),
    })
}

/// As a frame is read: a multi may hold answers, but no further multi, so that no bytes can make the
/// reader recurse.
#[derive(Deserialize)]
enum Frame {
    Reply {
        id: u64,
        reply: (Index, Result<Answer<Results>, Error>),
    },
    Event(WatchEvent),
    Bye(Hangup),
}

/// Of a multi: answers that cannot hold results of their own.
type Results = Vec<Result<Answer<Never>, Error>>;

/// `Response`, variant by variant, with something else for the results of a multi.
#[derive(Deserialize)]
enum Answer<M> {
    Connected {
        session: SessionId,
        password: Password,
        timeout_ms: u32,
        read_only: bool,
    },
    Expired,
    Created {
        path: String,
        stat: Option<Stat>,
    },
    Deleted,
    Stat(Stat),
    Checked,
    Data {
        data: Option<Bytes>,
        stat: Stat,
    },
    Acl {
        acl: Vec<Acl>,
        stat: Stat,
    },
    Children {
        names: Vec<String>,
        stat: Stat,
    },
    Multi(M),
    Count(u32),
    Paths(Vec<String>),
    Page {
        znodes: Vec<Listed>,
        stat: Stat,
        more: bool,
    },
    Watching {
        complete: bool,
    },
    WatchesSet {
        complete: bool,
    },
    WatchesFound,
    WatchesRemoved,
    Synced {
        path: String,
    },
    Authenticated,
    Identities(Vec<Identity>),
    Pong,
    Closed,
    Explained(Explained),
}

impl<M> Answer<M> {
    fn response(self, multi: impl FnOnce(M) -> Response) -> Response {
        match self {
            Self::Connected {
                session,
                password,
                timeout_ms,
                read_only,
            } => Response::Connected {
                session,
                password,
                timeout_ms,
                read_only,
            },
            Self::Expired => Response::Expired,
            Self::Created { path, stat } => Response::Created { path, stat },
            Self::Deleted => Response::Deleted,
            Self::Stat(stat) => Response::Stat(stat),
            Self::Checked => Response::Checked,
            Self::Data { data, stat } => Response::Data { data, stat },
            Self::Acl { acl, stat } => Response::Acl { acl, stat },
            Self::Children { names, stat } => Response::Children { names, stat },
            Self::Multi(results) => multi(results),
            Self::Count(count) => Response::Count(count),
            Self::Paths(paths) => Response::Paths(paths),
            Self::Page { znodes, stat, more } => Response::Page { znodes, stat, more },
            Self::Watching { complete } => Response::Watching { complete },
            Self::WatchesSet { complete } => Response::WatchesSet { complete },
            Self::WatchesFound => Response::WatchesFound,
            Self::WatchesRemoved => Response::WatchesRemoved,
            Self::Synced { path } => Response::Synced { path },
            Self::Authenticated => Response::Authenticated,
            Self::Identities(ids) => Response::Identities(ids),
            Self::Pong => Response::Pong,
            Self::Closed => Response::Closed,
            Self::Explained(explained) => Response::Explained(explained),
        }
    }
}

/// Cannot be there, and so cannot be read.
enum Never {}

impl<'de> Deserialize<'de> for Never {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(D::Error::custom("a multi in a multi"))
    }
}

//! What a client of a stream does, in a form that both servers can be given: where a request names a zxid or a
//! session, each server is given its own.

use core::fmt;

use super::answer::op;

#[derive(Clone)]
pub(super) enum Deed {
    Connect {
        slot: usize,
        /// Which member, as far as there are so many.
        server: usize,
        hello: Hello,
    },
    Ask {
        slot: usize,
        xid: i32,
        op: i32,
        body: Vec<Piece>,
        /// How many bytes are missing at the end.
        cut: usize,
    },
    /// Bytes that are no request.
    Raw { slot: usize, bytes: Vec<u8> },
    /// The client closes the connection and says nothing.
    Drop { slot: usize },
    /// And then all wait until a znode is gone: a session expires, or the cleaner comes by.
    Until {
        deed: Box<Self>,
        path: Vec<u8>,
        /// Whose connection looks for it.
        by: usize,
    },
}

/// The first packet of a connection.
#[derive(Clone, Default)]
pub(super) struct Hello {
    pub(super) timeout_ms: i32,
    /// Takes up the session that this slot had last.
    pub(super) of: Option<usize>,
    pub(super) wrong_password: bool,
    /// Claims to have seen more than there is.
    pub(super) ahead: bool,
    /// Has the byte that asks for read-only mode.
    pub(super) long: bool,
}

#[derive(Clone)]
pub(super) enum Piece {
    Bytes(Vec<u8>),
    /// The zxid of an answer so many answers ago.
    Zxid {
        back: usize,
    },
    /// The answer to the challenge that this server sent last.
    Proof {
        user: &'static str,
        password: &'static str,
    },
    /// Members as this server's kind reaches them: `@3` stands for the address of the third, `%3` for its clients'.
    Members(String),
    /// The version of the configuration that this server told last.
    Version,
}

impl Deed {
    /// Whether other connections may be told of it, or this one closed.
    pub(super) fn may_echo(&self) -> bool {
        match self {
            Self::Ask { op, .. } => !matches!(
                *op,
                op::EXISTS
                    | op::GET_DATA
                    | op::GET_ACL
                    | op::GET_CHILDREN
                    | op::GET_CHILDREN2
                    | op::GET_EPHEMERALS
                    | op::GET_ALL_CHILDREN_NUMBER
                    | op::MULTI_READ
                    | op::PING
                    | op::SYNC
            ),
            _ => true,
        }
    }

    /// Whether ephemerals may go by it.
    pub(super) fn ends_session(&self) -> bool {
        matches!(self, Self::Ask { op: op::CLOSE, .. } | Self::Until { .. })
    }

    /// Whether it reads or watches the empty path, or watches one that no znode can have.
    pub(super) fn names_no_path(&self) -> bool {
        let Self::Ask { op, body, .. } = self else {
            return false;
        };
        let Some(Piece::Bytes(bytes)) = body.first() else {
            return false;
        };
        match *op {
            op::MULTI_READ => bytes
                .windows(9)
                .any(|window| window == [0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]),
            op::ADD_WATCH | op::CHECK_WATCHES | op::REMOVE_WATCHES
                if bytes[4..bytes.len().saturating_sub(4)].contains(&0) =>
            {
                true
            }
            op::EXISTS
            | op::GET_DATA
            | op::GET_ACL
            | op::GET_CHILDREN
            | op::GET_CHILDREN2
            | op::GET_ALL_CHILDREN_NUMBER
            | op::ADD_WATCH
            | op::CHECK_WATCHES
            | op::REMOVE_WATCHES => bytes.starts_with(&[0; 4]),
            _ => false,
        }
    }

    /// Which connection takes up the session that another one had.
    pub(super) fn takes_over(&self) -> Option<(usize, &Hello)> {
        match self {
            Self::Connect { slot, hello, .. } if hello.of.is_some() => Some((*slot, hello)),
            _ => None,
        }
    }

    pub(super) fn is_request(&self) -> bool {
        !matches!(self, Self::Drop { .. })
    }

    pub(super) fn slot(&self) -> usize {
        match *self {
            Self::Connect { slot, .. }
            | Self::Ask { slot, .. }
            | Self::Raw { slot, .. }
            | Self::Drop { slot } => slot,
            Self::Until { ref deed, .. } => deed.slot(),
        }
    }
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect {
                slot,
                server,
                hello,
            } => {
                let Hello {
                    timeout_ms,
                    of,
                    wrong_password,
                    ahead,
                    long,
                } = hello;
                write!(
                    f,
                    "{slot}: connect to {server}, {timeout_ms} ms, session of {of:?}, wrong password {wrong_password}, \
                     ahead {ahead}, read-only byte {long}"
                )
            }
            Self::Ask {
                slot,
                xid,
                op,
                body,
                cut,
            } => {
                write!(f, "{slot}: op {op}, xid {xid},")?;
                for piece in body {
                    match piece {
                        Piece::Bytes(bytes) => write!(f, " \"{}\"", bytes.escape_ascii())?,
                        Piece::Zxid { back } => write!(f, " (zxid {back} back)")?,
                        Piece::Proof { user, password } => {
                            write!(f, " (proof of {user} with {password})")?;
                        }
                        Piece::Members(text) => write!(f, " \"{text}\"")?,
                        Piece::Version => write!(f, " (version of the configuration)")?,
                    }
                }
                write!(f, ", without the last {cut} bytes")
            }
            Self::Raw { slot, bytes } => write!(f, "{slot}: bytes {bytes:02x?}"),
            Self::Drop { slot } => write!(f, "{slot}: drop"),
            Self::Until { deed, path, by } => {
                write!(f, "{deed}, until {by} sees no {}", path.escape_ascii())
            }
        }
    }
}

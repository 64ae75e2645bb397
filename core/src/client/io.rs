//! What a client is told, what it wants of its driver, and what it tells whoever made the calls.

use alloc::string::String;

use crate::id::SessionId;
use crate::request::{Hangup, Reply, Request, WatchEvent};

/// Something happens to a client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    /// Somebody asks. `Connect` is the client's own business and is refused.
    Call {
        /// The caller's number for it.
        id: u64,
        /// What is asked.
        request: Request,
    },
    /// An answer arrives.
    Reply {
        /// On which link.
        link: u64,
        /// The number under which the request was sent.
        tag: u64,
        /// The answer.
        reply: Reply,
    },
    /// A watch event arrives.
    Watch {
        /// On which link.
        link: u64,
        /// What happened.
        event: WatchEvent,
    },
    /// A link has ended, or could not be opened.
    Ended {
        /// Which.
        link: u64,
        /// The server's reason, if it gave one.
        reason: Option<Hangup>,
    },
    /// The deadline has come.
    Wake,
    /// Leave this server and take the session to another.
    Move,
    /// Leave without a word. The session lives on until it expires.
    Stop,
}

/// What a client wants of its driver.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// Open a connection.
    Open {
        /// Its number: 1, 2, 3 and so on.
        link: u64,
        /// The server, numbered from 0.
        server: u32,
    },
    /// Send a request.
    Send {
        /// On which link.
        link: u64,
        /// Its number; the answer carries it.
        tag: u64,
        /// What is asked.
        request: Request,
        /// The call that it belongs to; none for what the client does by itself.
        call: Option<u64>,
    },
    /// Close a connection.
    Close {
        /// Which.
        link: u64,
    },
    /// Tell whoever made the calls.
    Event(Event),
}

/// What a client tells.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// It connects to a server.
    Connecting {
        /// Which.
        server: u32,
    },
    /// The session is attached, and what waits is sent.
    Connected {
        /// Where.
        server: u32,
        /// The session.
        session: SessionId,
        /// Whether it is the one from before: its ephemeral znodes have lived on.
        resumed: bool,
    },
    /// The connection has ended. The session may live on, and the client looks for another server.
    Disconnected {
        /// The server's reason; `None` if it broke.
        reason: Option<Hangup>,
    },
    /// By the client's own reckoning the session may have expired: no request that was asked within the
    /// timeout has been answered. Only a server can say for certain.
    Unsure {
        /// The session.
        session: SessionId,
    },
    /// The session lives after all.
    Sure {
        /// The session.
        session: SessionId,
    },
    /// A server says that the session has ended, and with it its ephemeral znodes and watches. The next
    /// `Connected` tells of a new one.
    Expired {
        /// Which.
        session: SessionId,
    },
    /// The session was closed by a call; the client is done.
    Closed {
        /// Which.
        session: SessionId,
    },
    /// A call has ended.
    Done {
        /// Its number.
        id: u64,
        /// How.
        outcome: Outcome,
    },
    /// A watch fired, or a change was found that it missed while there was no connection.
    Watch(WatchEvent),
    /// A lasting watch is left again after its connection was lost, and the server does not know all that happened
    /// there meanwhile: read again.
    Missed {
        /// Where it is.
        path: String,
    },
}

/// How a call ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// With an answer.
    Answered(Reply),
    /// The connection or the session ended before the answer: a change may or may not have been made.
    Unknown,
    /// It was never sent: the session ended first, or there are too many calls.
    Unsent,
}

//! A client over the WebSocket's binary frames: what the command line uses. It tries its servers in
//! turn, opens a session, and then asks and listens, one request at a time. Knows nothing of arguments
//! and terminals.

use core::fmt;
use core::time::Duration;
use std::collections::VecDeque;

use futures_util::{SinkExt, StreamExt};
use otterkeeper_core::id::{Index, SessionId};
use otterkeeper_core::request::{Connect, Error, Hangup, Reply, Request, Response, WatchEvent};
use otterkeeper_core::wire::client::{ClientFrame, ServerFrame, decode_server, encode_client};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

/// A server that does not take the connection within this is unreachable.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);
/// A server that has not opened the session within this has no leader; the next one is tried.
const SESSION_LIMIT: Duration = Duration::from_secs(3);
/// How long servers that are there but have no leader are given to find one.
const ELECTION_LIMIT: Duration = Duration::from_secs(8);
/// Pause between rounds while there is no leader.
const ELECTION_PAUSE: Duration = Duration::from_millis(200);
/// An answer that takes longer than this does not come: the server has lost its leader or its disk.
const ANSWER_LIMIT: Duration = Duration::from_secs(15);

/// Why a client cannot go on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ClientError {
    /// No server could be reached. One line for each.
    Unreachable(Vec<(String, String)>),
    /// Servers were reached, but none had a leader in time.
    Leaderless(Vec<String>),
    /// The connection ended.
    Lost(&'static str),
    /// The connection ended before the answer came, so that a change may or may not have been made.
    Unanswered(&'static str),
    /// The server closed it.
    Hangup(Hangup),
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(tried) => {
                f.write_str("no server can be reached (")?;
                for (number, (server, why)) in tried.iter().enumerate() {
                    let comma = if number == 0 { "" } else { "; " };
                    write!(f, "{comma}{server}: {why}")?;
                }
                f.write_str(
                    "): start one with `otterkeeper dev`, or name one with --server HOST:PORT",
                )
            }
            Self::Leaderless(servers) => write!(
                f,
                "{} answers but has no leader: a majority of the members must run and reach each other; \
                 see `otterkeeper cluster status`",
                servers.join(", ")
            ),
            Self::Lost(why) => write!(f, "the connection was lost: {why}"),
            Self::Unanswered(why) => {
                write!(
                    f,
                    "no answer: {why}; whether a change was made is not known, so look before you repeat it"
                )
            }
            Self::Hangup(reason) => write!(f, "the server closed the connection: {}", why(*reason)),
        }
    }
}

impl core::error::Error for ClientError {}

fn why(reason: Hangup) -> &'static str {
    match reason {
        Hangup::Closed => "the session was closed",
        Hangup::Expired => "the session has expired",
        Hangup::Moved => "the session moved to another connection",
        Hangup::Behind => "it has not yet seen what this client has seen; try another server",
        Hangup::Leaderless => "it has had no leader for too long; try another server",
        Hangup::SnapshotInstalled => "it took over a snapshot, and watches may have missed changes",
        Hangup::AuthFailed => "it does not believe who this client says it is",
        Hangup::Refused => "it takes no more connections, or the request is beyond a limit",
    }
}

/// An open session.
pub struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// Which server it is connected to.
    server: String,
    session: SessionId,
    /// The id of the last request.
    last: u64,
    /// Events that came while an answer was awaited.
    events: VecDeque<WatchEvent>,
}

impl Client {
    /// A session on the first of `servers` (`HOST:PORT` each) that can give one.
    ///
    /// # Errors
    /// If none can be reached, or none has a leader for a while.
    pub async fn connect(servers: &[String], timeout_ms: u32) -> Result<Self, ClientError> {
        let patience = Instant::now() + ELECTION_LIMIT;
        loop {
            let (mut unreachable, mut leaderless) = (Vec::new(), Vec::new());
            for server in servers {
                match reach(server).await {
                    Err(why) => unreachable.push((server.clone(), why)),
                    Ok(socket) => match Self::open(socket, server, timeout_ms).await {
                        Ok(client) => return Ok(client),
                        Err(_) => leaderless.push(server.clone()),
                    },
                }
            }
            if leaderless.is_empty() {
                return Err(ClientError::Unreachable(unreachable));
            }
            if patience < Instant::now() {
                return Err(ClientError::Leaderless(leaderless));
            }
            sleep(ELECTION_PAUSE).await;
        }
    }

    async fn open(
        socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
        server: &str,
        timeout_ms: u32,
    ) -> Result<Self, ClientError> {
        let mut client = Self {
            socket,
            server: server.to_owned(),
            session: SessionId(0),
            last: 0,
            events: VecDeque::new(),
        };
        let connect = Connect {
            session: SessionId(0),
            password: [0; 16],
            timeout_ms,
            last_zxid: Index(0),
        };
        let reply = timeout(SESSION_LIMIT, client.call(Request::Connect(connect)))
            .await
            .map_err(|_| ClientError::Lost("no session was opened"))??;
        match reply.result {
            Ok(Response::Connected { session, .. }) => client.session = session,
            _ => return Err(ClientError::Lost("no session was opened")),
        }
        Ok(client)
    }

    /// Which server this is.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The session.
    #[must_use]
    pub fn session(&self) -> SessionId {
        self.session
    }

    /// Asks and waits for the answer.
    ///
    /// # Errors
    /// If the connection ends before. Whether a write was made is not known then.
    pub async fn call(&mut self, request: Request) -> Result<Reply, ClientError> {
        self.last += 1;
        let id = self.last;
        let frame = encode_client(&ClientFrame { id, request });
        let answer = async {
            self.socket
                .send(Message::Binary(frame))
                .await
                .map_err(|_| LOST)?;
            loop {
                match self.frame().await? {
                    ServerFrame::Reply {
                        id: answered,
                        reply,
                    } if answered == id => return Ok(reply),
                    ServerFrame::Reply { .. } => {}
                    ServerFrame::Event(event) => self.events.push_back(event),
                    ServerFrame::Bye(reason) => return Err(ClientError::Hangup(reason)),
                }
            }
        };
        match timeout(ANSWER_LIMIT, answer).await {
            Ok(Err(ClientError::Lost(why))) => Err(ClientError::Unanswered(why)),
            Ok(answered) => answered,
            Err(_) => Err(ClientError::Unanswered("the server is silent")),
        }
    }

    /// The next watch event. While this waits, the session is kept alive.
    ///
    /// # Errors
    /// If the connection ends.
    pub async fn event(&mut self) -> Result<WatchEvent, ClientError> {
        if let Some(event) = self.events.pop_front() {
            return Ok(event);
        }
        loop {
            match self.frame().await? {
                ServerFrame::Event(event) => return Ok(event),
                ServerFrame::Bye(reason) => return Err(ClientError::Hangup(reason)),
                ServerFrame::Reply { .. } => {}
            }
        }
    }

    /// Ends the session: its ephemeral znodes go at once.
    pub async fn close(mut self) {
        // A server that is gone lets the session expire.
        let _ = self.call(Request::Close).await;
        let _ = self.socket.close(None).await;
    }

    async fn frame(&mut self) -> Result<ServerFrame, ClientError> {
        loop {
            let message = self.socket.next().await.ok_or(LOST)?.map_err(|_| LOST)?;
            match message {
                Message::Binary(bytes) => {
                    let strange = ClientError::Lost("the server said what this client cannot read");
                    return decode_server(&bytes).map_err(|_| strange);
                }
                Message::Close(_) => return Err(LOST),
                // The library answers pings, which keep the session alive.
                _ => {}
            }
        }
    }
}

const LOST: ClientError = ClientError::Lost("the server has gone or closed it");

async fn reach(server: &str) -> Result<WebSocketStream<MaybeTlsStream<TcpStream>>, String> {
    match timeout(
        CONNECT_LIMIT,
        connect_async_with_config(format!("ws://{server}/ws"), None, true),
    )
    .await
    {
        Ok(Ok((socket, _))) => Ok(socket),
        Ok(Err(error)) => Err(brief(&error)),
        Err(_) => Err("no answer".into()),
    }
}

/// The innermost reason, which says most in the fewest words.
fn brief(error: &dyn core::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

/// What an error means, for people: the znode's path, and what can be done.
#[must_use]
pub fn explain(error: Error, path: &str) -> String {
    match error {
        Error::NoNode => format!("{path} does not exist, or its parent does not"),
        Error::NodeExists => format!("{path} exists already"),
        Error::BadVersion => format!("{path} has another version; read it again, or leave out -v"),
        Error::NotEmpty => format!("{path} has children; delete them first"),
        Error::NoChildrenForEphemerals => {
            format!("the parent of {path} is ephemeral and cannot have children")
        }
        Error::BadArguments => format!(
            "{path:?} is not a valid path: it starts with /, does not end with /, and has no empty, . or .. element"
        ),
        Error::InvalidAcl => {
            "the access control list is not valid: write SCHEME:ID:cdrwa, with commas between entries; auth stands for whom --auth names".into()
        }
        Error::NoAuth => format!("{path} does not permit this; see `acl get {path}`, and --auth"),
        Error::SessionExpired => "the session has expired; run the command again".into(),
        other => format!("{path}: {other:?} ({})", other.code()),
    }
}

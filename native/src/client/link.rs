//! One WebSocket connection of a client: binary frames in both directions, carried by a task of its own.
//! Knows nothing of sessions.

use core::time::Duration;

use futures_util::{SinkExt, StreamExt};
use otterkeeper_core::request::Request;
use otterkeeper_core::wire::client::{ClientFrame, ServerFrame, decode_server, encode_client};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

/// A server that does not take the connection within this is unreachable.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);

/// What comes from a server.
pub(super) enum Came {
    Frame(ServerFrame),
    /// The connection has ended, or what came makes no sense.
    End,
    /// It could not be opened, and why.
    Unreachable(String),
}

/// The end of a link in the client's task. When it is dropped the connection is closed, after what is
/// under way has been sent.
pub(super) struct Link {
    server: String,
    frames: mpsc::UnboundedSender<Message>,
}

impl Link {
    /// Begins to connect. What comes is sent to `carrier` under the link's number.
    pub(super) fn open(
        number: u64,
        server: &str,
        carrier: mpsc::UnboundedSender<(u64, Came)>,
    ) -> Self {
        let (frames, outgoing) = mpsc::unbounded_channel();
        let url = format!("ws://{server}/ws");
        tokio::spawn(async move {
            let end = match reach(&url).await {
                Ok(socket) => carry(socket, outgoing, number, &carrier).await,
                Err(why) => Came::Unreachable(why),
            };
            // The client may be done.
            let _ = carrier.send((number, end));
        });
        Self {
            server: server.to_owned(),
            frames,
        }
    }

    pub(super) fn server(&self) -> &str {
        &self.server
    }

    /// Sends when the connection is open; if it ends before, `carrier` hears of that.
    pub(super) fn send(&self, tag: u64, request: Request) {
        let frame = encode_client(&ClientFrame { id: tag, request });
        let _ = self.frames.send(Message::Binary(frame));
    }
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn carry(
    socket: Socket,
    mut outgoing: mpsc::UnboundedReceiver<Message>,
    number: u64,
    carrier: &mpsc::UnboundedSender<(u64, Came)>,
) -> Came {
    let (mut sink, mut stream) = socket.split();
    loop {
        tokio::select! {
            biased;
            message = stream.next() => match message {
                Some(Ok(Message::Binary(bytes))) => {
                    let Ok(frame) = decode_server(&bytes) else {
                        return Came::End;
                    };
                    if carrier.send((number, Came::Frame(frame))).is_err() {
                        return Came::End;
                    }
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {
                    // The library answers pings; the answer goes out with the next flush.
                    if sink.flush().await.is_err() {
                        return Came::End;
                    }
                }
                _ => return Came::End,
            },
            message = outgoing.recv() => {
                let Some(message) = message else {
                    let _ = sink.close().await;
                    return Came::End;
                };
                if sink.feed(message).await.is_err() {
                    return Came::End;
                }
                // All that is there goes with one flush.
                while let Ok(message) = outgoing.try_recv() {
                    if sink.feed(message).await.is_err() {
                        return Came::End;
                    }
                }
                if sink.flush().await.is_err() {
                    return Came::End;
                }
            }
        }
    }
}

async fn reach(url: &str) -> Result<Socket, String> {
    match timeout(CONNECT_LIMIT, connect_async_with_config(url, None, true)).await {
        Ok(Ok((socket, _))) => Ok(socket),
        Ok(Err(Error::Protocol(ProtocolError::HandshakeIncomplete))) => {
            Err("it does not speak HTTP; is this its port for ZooKeeper's clients?".into())
        }
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

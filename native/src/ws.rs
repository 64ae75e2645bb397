//! Clients on a WebSocket, at `/ws`. A *text* frame is a request or an answer as JSON, a *binary* frame
//! the same in postcard ([`otterkeeper_core::wire::client`]); the client's first frame chooses. What the
//! requests mean is the core's affair; who may open a WebSocket at all is decided in `http`.
//!
//! The first request opens a session, or takes an old one up again if it carries `session` and
//! `password` of the answer. The session lives for as long as the connection answers WebSocket pings,
//! which every library and every browser does by itself; after that for `timeout_ms` more, so that a
//! client can come back. Requests may be sent without waiting; answers carry the request's `id`.
//!
//! To paste into a browser's console on the server's own page:
//!
//! ```js
//! ws = new WebSocket(`ws://${location.host}/ws`); ws.onmessage = m => console.log(m.data);
//! ws.onopen = () => [
//!   { id: 1, op: "connect", timeout_ms: 10000 },
//!   { id: 2, op: "create", path: "/hello", data: { text: "world" }, mode: "ephemeral" },
//!   { id: 3, op: "get", path: "/hello", watch: true },
//! ].forEach(request => ws.send(JSON.stringify(request)));
//! ```
//!
//! The same in Python (`pip install websockets`):
//!
//! ```python
//! import asyncio, json, websockets
//!
//! async def main():
//!     async with websockets.connect("ws://127.0.0.1:8080/ws") as ws:
//!         for request in [
//!             {"id": 1, "op": "connect", "timeout_ms": 10000},
//!             {"id": 2, "op": "create", "path": "/hello", "data": {"text": "world"}, "mode": "ephemeral"},
//!             {"id": 3, "op": "get", "path": "/hello", "watch": True},
//!         ]:
//!             await ws.send(json.dumps(request))
//!         async for answer in ws:
//!             print(answer)
//!
//! asyncio.run(main())
//! ```
//!
//! All operations, answers and errors are in `native/WEBSOCKET.md`.
//!
//! A text that is no request is answered with `{"id": .., "error": "BAD_REQUEST", "message": ".."}` and
//! the connection goes on; a binary frame that is none ends it.

use core::cell::RefCell;
use core::mem;
use core::time::Duration;
use std::rc::Rc;

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use bytes::Bytes;
use futures_util::{FutureExt, SinkExt, StreamExt};
use otterkeeper_core::id::ConnId;
use otterkeeper_core::request::{Hangup, Reply, Request, Response, WatchEvent};
use otterkeeper_core::wire::client::{ClientFrame, ServerFrame, decode_client, encode_server};
use otterkeeper_core::wire::json::{self, JsonError};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use crate::driver::{ClientSink, Hub};

/// A connection without a session is closed after this.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// A client that takes nothing for so long is cut off.
const STALL_LIMIT: Duration = Duration::from_secs(10);
/// Requests without an answer, beyond which nothing more is read.
const UNANSWERED_LIMIT: usize = 1_000;
/// Bytes of answers and events that wait to be sent, beyond which nothing more is read.
const UNSENT_LIMIT: usize = 1 << 20;
/// ... and beyond which the client is cut off.
const UNSENT_MAX: usize = 64 << 20;
/// Frames taken from the socket before answers are written.
const FRAMES_PER_TURN: usize = 64;

/// The tag of the signs of life that this file makes of a client's pongs. Clients may use any other id.
const PONG: u64 = u64::MAX;

/// How frames look on this connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Form {
    Json,
    Binary,
}

/// What the node said and the socket has not taken yet.
struct Outbox {
    form: Form,
    frames: Vec<Message>,
    bytes: usize,
    /// Requests without an answer.
    unanswered: usize,
    /// The session's timeout, once it is open.
    session_ms: Option<u32>,
    /// Close with this reason when everything is sent.
    closing: Option<&'static str>,
}

impl Outbox {
    fn say(&mut self, json: impl FnOnce() -> String, binary: impl FnOnce() -> ServerFrame) {
        let message = match self.form {
            Form::Json => Message::Text(json().into()),
            Form::Binary => Message::Binary(encode_server(&binary())),
        };
        self.push(message);
    }

    fn push(&mut self, message: Message) {
        self.bytes += match &message {
            Message::Text(text) => text.len(),
            Message::Binary(bytes) => bytes.len(),
            _ => 0,
        };
        self.frames.push(message);
    }
}

struct Sink {
    out: Rc<RefCell<Outbox>>,
    bell: Rc<Notify>,
}

impl ClientSink for Sink {
    fn reply(&mut self, tag: u64, reply: Reply) {
        let mut out = self.out.borrow_mut();
        if tag == PONG {
            return;
        }
        out.unanswered = out.unanswered.saturating_sub(1);
        if let Ok(Response::Connected { timeout_ms, .. }) = &reply.result {
            out.session_ms = Some(*timeout_ms);
        }
        let json = || json::encode_reply(tag, &reply);
        out.say(json, || ServerFrame::Reply {
            id: tag,
            reply: reply.clone(),
        });
    }

    fn event(&mut self, event: WatchEvent) {
        let json = || json::encode_event(&event);
        self.out
            .borrow_mut()
            .say(json, || ServerFrame::Event(event.clone()));
    }

    fn hangup(&mut self, reason: Hangup) {
        let mut out = self.out.borrow_mut();
        out.say(|| json::encode_bye(reason), || ServerFrame::Bye(reason));
        out.closing = Some("see the frame before");
        self.bell.notify_one();
    }

    fn flush(&mut self) {
        self.bell.notify_one();
    }
}

/// Serves one client to its end.
pub async fn serve(mut socket: WebSocket, hub: Hub, address: String) {
    let out = Rc::new(RefCell::new(Outbox {
        form: Form::Json,
        frames: Vec::new(),
        bytes: 0,
        unanswered: 0,
        session_ms: None,
        closing: None,
    }));
    let bell = Rc::new(Notify::new());
    let sink = Box::new(Sink {
        out: Rc::clone(&out),
        bell: Rc::clone(&bell),
    });
    let Ok(id) = hub.open(address.clone(), sink) else {
        let why = CloseFrame {
            code: close_code::AGAIN,
            reason: "too many connections".into(),
        };
        let _ = socket.send(Message::Close(Some(why))).await;
        return;
    };
    let mut client = Client {
        hub,
        id,
        socket,
        out,
        bell,
        chosen: false,
    };
    let end = client.run().await;
    client.hub.gone(id);
    tracing::debug!(address, ?end, "a WebSocket client left");
}

/// Why a connection ends. For people.
#[derive(Debug)]
#[allow(dead_code, reason = "its fields are read by Debug")]
enum End {
    Closed,
    Socket(axum::Error),
    CutOff(&'static str),
}

struct Client {
    hub: Hub,
    id: ConnId,
    socket: WebSocket,
    out: Rc<RefCell<Outbox>>,
    bell: Rc<Notify>,
    /// Whether the first frame has come and with it the form.
    chosen: bool,
}

impl Client {
    async fn run(&mut self) -> End {
        // Until the session is open this is the end of patience, afterwards the next ping.
        let mut alarm = Instant::now() + HANDSHAKE_LIMIT;
        let mut attached = false;
        loop {
            if let Err(end) = self.write().await {
                return end;
            }
            let session_ms = self.out.borrow().session_ms;
            if let (false, Some(ms)) = (attached, session_ms) {
                attached = true;
                alarm = Instant::now() + beat(ms);
            }
            tokio::select! {
                biased;
                () = self.bell.notified() => {}
                () = tokio::time::sleep_until(alarm) => match session_ms {
                    None => return End::CutOff("no session"),
                    Some(ms) => {
                        alarm = Instant::now() + beat(ms);
                        self.out.borrow_mut().push(Message::Ping(Bytes::new()));
                    }
                },
                message = self.socket.next(), if self.may_read() => {
                    if let Err(end) = self.take(message) {
                        if matches!(end, End::CutOff(_)) {
                            // What was right before it has its answers; the connection ends anyway.
                            let _ = self.write().await;
                        }
                        return end;
                    }
                }
            }
        }
    }

    fn may_read(&self) -> bool {
        let out = self.out.borrow();
        out.unanswered < UNANSWERED_LIMIT && out.bytes < UNSENT_LIMIT
    }

    /// Sends what is there, all of it with one flush.
    async fn write(&mut self) -> Result<(), End> {
        let (frames, closing) = {
            let mut out = self.out.borrow_mut();
            if UNSENT_MAX < mem::take(&mut out.bytes) {
                return Err(End::CutOff("it does not take its answers"));
            }
            (mem::take(&mut out.frames), out.closing)
        };
        let nothing = frames.is_empty() && closing.is_none();
        let send = async {
            for frame in frames {
                self.socket.feed(frame).await?;
            }
            if let Some(reason) = closing {
                let frame = CloseFrame {
                    code: close_code::NORMAL,
                    reason: reason.into(),
                };
                self.socket.feed(Message::Close(Some(frame))).await?;
            }
            self.socket.flush().await
        };
        if nothing {
            return Ok(());
        }
        timeout(STALL_LIMIT, send)
            .await
            .map_err(|_| End::CutOff("it does not take its answers"))?
            .map_err(End::Socket)?;
        if closing.is_some() {
            Err(End::Closed)
        } else {
            Ok(())
        }
    }

    /// Takes a frame and those that are right behind it.
    fn take(&mut self, first: Option<Result<Message, axum::Error>>) -> Result<(), End> {
        let mut next = Some(first);
        let mut left = FRAMES_PER_TURN;
        while let Some(message) = next {
            self.submit(message.ok_or(End::Closed)?.map_err(End::Socket)?)?;
            left -= 1;
            let more = 0 < left && self.may_read();
            next = if more {
                self.socket.next().now_or_never()
            } else {
                None
            };
        }
        Ok(())
    }

    fn submit(&mut self, message: Message) -> Result<(), End> {
        let form = match &message {
            Message::Text(_) => Form::Json,
            Message::Binary(_) => Form::Binary,
            Message::Pong(_) => {
                if self.out.borrow().session_ms.is_some() {
                    self.hub.request(self.id, PONG, Request::Ping);
                }
                return Ok(());
            }
            // The library answers pings.
            Message::Ping(_) => return Ok(()),
            Message::Close(_) => return Err(End::Closed),
        };
        if !mem::replace(&mut self.chosen, true) {
            self.out.borrow_mut().form = form;
        }
        if self.out.borrow().form != form {
            return Err(End::CutOff("it mixes text and binary frames"));
        }
        match message {
            Message::Text(text) => self.submit_text(&text),
            Message::Binary(bytes) => match decode_client(&bytes) {
                Ok(ClientFrame { id, request }) if id != PONG => self.request(id, request),
                _ => return Err(End::CutOff("a binary frame that is no request")),
            },
            _ => {}
        }
        Ok(())
    }

    fn submit_text(&mut self, text: &str) {
        let error = match json::decode_request(text) {
            Ok((PONG, _)) => JsonError {
                id: Some(PONG),
                message: "this id is reserved".into(),
            },
            Ok((id, request)) => return self.request(id, request),
            Err(error) => error,
        };
        self.out
            .borrow_mut()
            .push(Message::Text(json::encode_refusal(&error).into()));
    }

    fn request(&mut self, id: u64, request: Request) {
        self.out.borrow_mut().unanswered += 1;
        self.hub.request(self.id, id, request);
    }
}

/// Time between pings: three of them fit into the session's timeout.
fn beat(session_ms: u32) -> Duration {
    Duration::from_millis(u64::from(session_ms / 3).max(100))
}

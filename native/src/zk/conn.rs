//! One TCP connection: cuts frames out of what the socket has, passes all of them to the node, and
//! writes all answers that are there with one call. A connection that idles holds no buffers. Knows
//! when to stop reading, and when to close; not what requests mean.

use core::cell::RefCell;
use core::future::{Future, poll_fn};
use core::pin::{Pin, pin};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use bytes::{Buf, Bytes, BytesMut};
use otterkeeper_core::id::{ConnId, Index};
use otterkeeper_core::node::Hangup;
use otterkeeper_core::request::{Error, Identity, Reply, Request, Response, WatchEvent};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Sleep;

use super::decode::{self, Refusal};
use super::encode::{self, Tag};
use super::sasl::{self, Step};
use super::{Latency, Server, words};
use crate::driver::ClientSink;

/// A connection without a session is closed after this.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// A client that does not take the last bytes of a closed connection is cut off after this.
const CLOSING_LIMIT: Duration = Duration::from_secs(2);
/// Requests without an answer, beyond which nothing more is read from the socket.
const UNANSWERED_LIMIT: u64 = 1_000;
/// Bytes that the client has not taken, beyond which nothing more is read from the socket.
const UNSENT_LIMIT: usize = 1 << 20;
/// Bytes of watch events and answers that the client has not taken, beyond which it is cut off.
const UNSENT_MAX: usize = 64 << 20;
/// What one read can bring. One such buffer serves all connections.
const READ_BYTES: usize = 64 << 10;
/// An out-buffer that grew beyond this is given back once it is empty.
const KEPT_BYTES: usize = 16 << 10;

/// What a server's connections read into, one at a time.
pub(super) type Scratch = RefCell<BytesMut>;

/// Marks the first packet's request: no client's operation has this number.
const HELLO: i32 = i32::MIN;

/// The half of a connection that the node talks to.
pub(super) struct Outbox {
    /// Encoded and not yet taken by the socket, from `taken` on.
    bytes: Vec<u8>,
    taken: usize,
    /// Errors found here that wait for the answers to earlier requests.
    held: VecDeque<Held>,
    /// Packets from the client, the first one included.
    pub(super) received: u64,
    /// Answers to them.
    answered: u64,
    /// Packets to the client, events among them.
    pub(super) sent: u64,
    /// The highest zxid that the client was told.
    zxid: Index,
    /// Whether the session is open.
    attached: bool,
    /// Which it is, and its timeout.
    session: (u64, u32),
    /// When the connection came.
    established: SystemTime,
    /// The last request that was answered, and when.
    last: Option<(Tag, SystemTime)>,
    latency: Latency,
    /// What of `received` and `sent` the word `crst` has made forgotten.
    forgotten: (u64, u64),
    /// Nothing more is read: a packet was passed on after which the connection is closed.
    deaf: bool,
    /// Close when everything is written.
    closing: bool,
    /// Set while the connection's task sleeps.
    asleep: Option<Waker>,
}

struct Held {
    /// How many answers come first.
    behind: u64,
    xid: i32,
    what: What,
}

/// What is said without the node.
enum What {
    Refusal(Refusal),
    /// A step of a conversation about who the client is; none if it has failed.
    Token(Option<String>),
}

impl Outbox {
    fn new() -> Self {
        Self {
            bytes: Vec::new(),
            taken: 0,
            held: VecDeque::new(),
            received: 0,
            answered: 0,
            sent: 0,
            zxid: Index(0),
            attached: false,
            session: (0, 0),
            established: SystemTime::now(),
            last: None,
            latency: Latency::default(),
            forgotten: (0, 0),
            deaf: false,
            closing: false,
            asleep: None,
        }
    }

    /// Requests without an answer.
    pub(super) fn unanswered(&self) -> u64 {
        self.received - self.answered
    }

    /// As `stat` and `cons` list it.
    pub(super) fn shown(&self, address: String) -> words::Connection {
        words::Connection {
            address,
            queued: self.unanswered(),
            received: self.received - self.forgotten.0,
            sent: self.sent - self.forgotten.1,
            paused: UNANSWERED_LIMIT <= self.unanswered() || UNSENT_LIMIT <= self.unsent(),
            session: self.session.0,
            timeout_ms: self.session.1,
            established_ms: since_1970(self.established),
            last_op: self.last.map_or("NA", |(tag, _)| decode::letters(tag.op)),
            last_xid: self.last.map(|(tag, _)| tag.xid),
            last_zxid: self.zxid.0,
            last_ms: self.last.map_or(0, |(_, at)| since_1970(at)),
            last_us: self.latency.last.get(),
            latency_us: self.latency.read(),
        }
    }

    /// Forgets what was counted.
    pub(super) fn reset(&mut self) {
        self.forgotten = (self.received, self.sent);
        self.last = None;
        self.latency.reset();
    }

    fn unsent(&self) -> usize {
        self.bytes.len() - self.taken
    }

    fn wake(&mut self) {
        if let Some(waker) = self.asleep.take() {
            waker.wake();
        }
    }

    /// An answer is in `bytes`: count it, and say what had to wait for it.
    fn answered(&mut self, zxid: Index) {
        self.answered += 1;
        self.sent += 1;
        self.zxid = self.zxid.max(zxid);
        self.release();
        self.wake();
    }

    fn refuse(&mut self, xid: i32, refusal: Refusal) {
        self.deaf |= refusal.close;
        self.hold(xid, What::Refusal(refusal));
    }

    /// Says it when it is its turn.
    fn hold(&mut self, xid: i32, what: What) {
        self.held.push_back(Held {
            behind: self.received - 1,
            xid,
            what,
        });
        self.release();
    }

    fn release(&mut self) {
        while let Some(held) = self.held.pop_front_if(|held| held.behind <= self.answered) {
            let xid = held.xid;
            match held.what {
                What::Refusal(refusal) => {
                    let zxid = match refusal.code {
                        code if code == Error::AuthFailed.code() => Index(0),
                        // An operation that is unknown was never given one.
                        code if code == Error::Unimplemented.code() => Index(u64::MAX),
                        _ => self.zxid,
                    };
                    encode::header(&mut self.bytes, xid, zxid, refusal.code);
                    self.closing |= refusal.close;
                }
                What::Token(token) => {
                    encode::sasl(&mut self.bytes, xid, token.as_deref());
                    self.closing |= token.is_none();
                }
            }
            self.answered += 1;
            self.sent += 1;
        }
    }

    /// Answers the first packet, if the connection can go on to live or to tell why not.
    fn greet(&mut self, tag: Tag, reply: Reply) {
        let hello = Greeting::from(tag);
        match reply.result {
            Ok(Response::Connected {
                session,
                password,
                timeout_ms,
                read_only,
            }) => {
                let out = &mut self.bytes;
                encode::connected(out, session.0, &password, timeout_ms, read_only, hello.long);
                self.attached = true;
                self.session = (session.0, timeout_ms);
            }
            // A client that asked for a new session would take the zeroes for it.
            Ok(Response::Expired) if hello.old => {
                encode::expired(&mut self.bytes, hello.long);
                self.closing = true;
            }
            _ => self.closing = true,
        }
    }
}

/// What must be known of the first packet when its answer comes.
struct Greeting {
    /// It had the read-only byte.
    long: bool,
    /// It named a session.
    old: bool,
}

impl From<Greeting> for Tag {
    fn from(greeting: Greeting) -> Self {
        Self {
            xid: i32::from(greeting.long) | i32::from(greeting.old) << 1,
            op: HELLO,
        }
    }
}

impl From<Tag> for Greeting {
    fn from(tag: Tag) -> Self {
        Self {
            long: tag.xid & 1 != 0,
            old: tag.xid & 2 != 0,
        }
    }
}

/// The node's end of an [`Outbox`].
struct Sink(Rc<RefCell<Outbox>>);

impl ClientSink for Sink {
    fn reply(&mut self, tag: u64, reply: Reply) {
        let mut out = self.0.borrow_mut();
        if out.closing {
            return;
        }
        let (tag, zxid) = (Tag::from(tag), reply.zxid);
        if tag.op == HELLO {
            out.greet(tag, reply);
        } else {
            encode::reply(&mut out.bytes, tag, &reply);
            out.last = Some((tag, SystemTime::now()));
        }
        out.answered(zxid);
    }

    fn event(&mut self, event: WatchEvent) {
        let mut out = self.0.borrow_mut();
        if out.closing {
            return;
        }
        encode::event(&mut out.bytes, &event);
        out.zxid = out.zxid.max(event.zxid);
        out.sent += 1;
        out.wake();
    }

    fn hangup(&mut self, reason: Hangup) {
        tracing::debug!(?reason, "closing a ZooKeeper connection");
        let mut out = self.0.borrow_mut();
        out.closing = true;
        out.wake();
    }
}

/// Nobody can foresee it. `None` if the system has no entropy, and then nobody can prove anything.
fn nonce() -> Option<String> {
    let random = crate::identity::random::<16>().ok()?;
    Some(random.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn since_1970(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}

/// Why a connection ends without anybody's fault, or by the client's.
enum End {
    /// Everything was written, and it is to be closed.
    Done,
    /// The client closed it, or the socket failed.
    Gone,
    /// The client sent what is no packet, or stopped taking answers.
    CutOff(&'static str),
}

impl From<io::Error> for End {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

impl From<super::jute::Malformed> for End {
    fn from(_: super::jute::Malformed) -> Self {
        Self::CutOff("a packet without a header")
    }
}

/// Serves one connection to its end.
pub(super) async fn run(server: Rc<Server>, stream: TcpStream, address: String) {
    let mut conn = Connection {
        server,
        stream,
        address,
        rest: BytesMut::new(),
        out: Rc::new(RefCell::new(Outbox::new())),
        stage: Stage::Fresh,
        sasl: sasl::Conversation::default(),
        limit: Some(Box::pin(tokio::time::sleep(HANDSHAKE_LIMIT))),
        marks: VecDeque::new(),
    };
    let end = poll_fn(|cx| conn.poll(cx)).await;
    if let Stage::Open(id) = conn.stage {
        conn.server.forget(id);
    }
    match end {
        End::Done => linger(conn.stream).await,
        End::Gone => {}
        End::CutOff(why) => {
            tracing::debug!(
                address = conn.address,
                why,
                "cut off a ZooKeeper connection"
            );
        }
    }
}

/// Closes our direction and waits for the client to close its own: closing both while the client's
/// bytes lie unread would reset the connection, and the last answer could be lost.
async fn linger(mut stream: TcpStream) {
    let drain = async {
        stream.shutdown().await?;
        let mut unread = [0; 1_024];
        while 0 < stream.read(&mut unread).await? {}
        Ok::<_, io::Error>(())
    };
    // Whatever comes of it, the connection is over.
    let _ = tokio::time::timeout(CLOSING_LIMIT, drain).await;
}

struct Connection {
    server: Rc<Server>,
    stream: TcpStream,
    address: String,
    /// Read and not yet understood: part of a frame, or frames that must wait.
    rest: BytesMut,
    out: Rc<RefCell<Outbox>>,
    stage: Stage,
    sasl: sasl::Conversation,
    /// When patience ends: for the handshake, and for the last bytes of a closed connection.
    limit: Option<Pin<Box<Sleep>>>,
    /// When packets were read: after how many answers all of them are answered, and the moment.
    marks: VecDeque<(u64, Instant)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Neither a word nor a first packet has come.
    Fresh,
    /// The node knows it.
    Open(ConnId),
    /// It is answered with what is in the out-buffer, and closed.
    Ending,
}

impl Connection {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        match self.advance(cx) {
            Ok(()) => {
                self.out.borrow_mut().asleep = Some(cx.waker().clone());
                Poll::Pending
            }
            Err(end) => Poll::Ready(end),
        }
    }

    /// Everything that can be done without waiting. On return the task is registered with whatever
    /// can bring more work.
    fn advance(&mut self, cx: &mut Context<'_>) -> Result<(), End> {
        self.out.borrow_mut().asleep = None;
        loop {
            self.write(cx)?;
            self.watch_limit(cx)?;
            if !self.may_read() {
                return Ok(());
            }
            if !self.rest.is_empty() {
                let mut rest = core::mem::take(&mut self.rest);
                let understood = self.understand(&mut rest);
                self.rest = rest;
                if understood? {
                    continue;
                }
            }
            if self.read(cx)?.is_pending() {
                return Ok(());
            }
        }
    }

    fn may_read(&self) -> bool {
        let out = self.out.borrow();
        match self.stage {
            Stage::Fresh => true,
            Stage::Open(_) => {
                out.attached
                    && !out.deaf
                    && !out.closing
                    && out.unanswered() < UNANSWERED_LIMIT
                    && out.unsent() < UNSENT_LIMIT
            }
            Stage::Ending => false,
        }
    }

    /// Writes what is there, as far as the socket takes it.
    fn write(&mut self, cx: &mut Context<'_>) -> Result<(), End> {
        let out = &mut *self.out.borrow_mut();
        while out.taken < out.bytes.len() {
            let write = pin!(self.stream.write(&out.bytes[out.taken..]));
            match write.poll(cx)? {
                Poll::Ready(0) => return Err(End::Gone),
                Poll::Ready(len) => out.taken += len,
                Poll::Pending if UNSENT_MAX < out.unsent() => {
                    return Err(End::CutOff("it does not take its answers"));
                }
                Poll::Pending => return Ok(()),
            }
        }
        if 0 < out.taken {
            let server = &self.server.latency;
            server.measure(&out.latency, &mut self.marks, out.answered);
        }
        out.taken = 0;
        out.bytes.clear();
        if KEPT_BYTES < out.bytes.capacity() {
            out.bytes = Vec::new();
        }
        if out.closing { Err(End::Done) } else { Ok(()) }
    }

    fn watch_limit(&mut self, cx: &mut Context<'_>) -> Result<(), End> {
        let out = self.out.borrow();
        if out.closing && self.stage != Stage::Ending {
            self.limit = Some(Box::pin(tokio::time::sleep(CLOSING_LIMIT)));
            if let Stage::Open(id) = self.stage {
                self.server.forget(id);
            }
            self.stage = Stage::Ending;
        } else if out.attached && self.stage != Stage::Ending {
            self.limit = None;
        }
        let Some(limit) = &mut self.limit else {
            return Ok(());
        };
        match limit.as_mut().poll(cx) {
            Poll::Ready(()) => Err(End::CutOff("too slow")),
            Poll::Pending => Ok(()),
        }
    }

    /// One read, and whatever complete frames it brings.
    fn read(&mut self, cx: &mut Context<'_>) -> Result<Poll<()>, End> {
        if self.rest.is_empty() {
            let server = Rc::clone(&self.server);
            let mut scratch = server.scratch.borrow_mut();
            scratch.clear();
            if scratch.capacity() < READ_BYTES / 4 {
                scratch.reserve(READ_BYTES);
            }
            let read = self.fill(cx, &mut scratch)?;
            if read.is_ready() {
                self.understand(&mut scratch)?;
                self.rest = BytesMut::from(scratch.as_ref());
            }
            return Ok(read);
        }
        // A part of a frame is here already. Memory grows with what has come, never with what a
        // length promises.
        let mut rest = core::mem::take(&mut self.rest);
        rest.reserve(rest.len().clamp(4 << 10, READ_BYTES));
        let read = self.fill(cx, &mut rest);
        if matches!(read, Ok(Poll::Ready(()))) {
            self.understand(&mut rest)?;
        }
        if !rest.is_empty() {
            self.rest = rest;
        }
        read
    }

    fn fill(&mut self, cx: &mut Context<'_>, buffer: &mut BytesMut) -> Result<Poll<()>, End> {
        match pin!(self.stream.read_buf(buffer)).poll(cx)? {
            Poll::Ready(0) => Err(End::Gone),
            Poll::Ready(_) => Ok(Poll::Ready(())),
            Poll::Pending => Ok(Poll::Pending),
        }
    }

    /// Passes on the complete frames at the front of `buffer`, as far as may be. Says whether there
    /// was one.
    fn understand(&mut self, buffer: &mut BytesMut) -> Result<bool, End> {
        let before = self.out.borrow().received;
        while self.may_read() {
            let Some(length) = buffer.first_chunk::<4>().copied() else {
                break;
            };
            if self.stage == Stage::Fresh
                && let Some(word) = words::recognise(length)
            {
                self.say(word);
                return Ok(true);
            }
            let length = usize::try_from(i32::from_be_bytes(length))
                .ok()
                .filter(|&length| length <= self.server.request_bytes)
                .ok_or(End::CutOff("a packet beyond the limit"))?;
            if buffer.len() < 4 + length {
                break;
            }
            buffer.advance(4);
            let frame = buffer.split_to(length).freeze();
            self.out.borrow_mut().received += 1;
            match self.stage {
                Stage::Open(id) => self.submit(id, &frame)?,
                _ => self.open(&frame)?,
            }
        }
        let received = self.out.borrow().received;
        if before < received {
            self.marks.push_back((received, Instant::now()));
        }
        Ok(before < received)
    }

    fn say(&mut self, word: &str) {
        if self.server.words.has(word) {
            self.server.reset(word);
        }
        let text = words::answer(word, &self.server.words, || self.server.facts(word));
        let mut out = self.out.borrow_mut();
        out.bytes.extend_from_slice(text.as_bytes());
        out.closing = true;
    }

    fn open(&mut self, frame: &Bytes) -> Result<(), End> {
        let hello = decode::hello(frame)?;
        let sink = Box::new(Sink(Rc::clone(&self.out)));
        let id = self
            .server
            .hub
            .open(self.address.clone(), sink)
            .map_err(|_| End::CutOff("too many connections"))?;
        self.stage = Stage::Open(id);
        let listed = (self.address.clone(), Rc::clone(&self.out));
        self.server.connections.borrow_mut().insert(id, listed);
        let tag = Greeting {
            long: hello.long,
            old: hello.connect.session.0 != 0,
        };
        self.server
            .hub
            .request(id, Tag::from(tag).into(), Request::Connect(hello.connect));
        Ok(())
    }

    /// A step of the conversation about who the client is. Its end counts for the requests behind it.
    fn converse(&mut self, id: ConnId, xid: i32, token: &[u8]) {
        let step = self.sasl.take(token, nonce, &self.server.users);
        let mut out = self.out.borrow_mut();
        match step {
            Ok(Step::Challenge(token)) => out.hold(xid, What::Token(Some(token))),
            Ok(Step::Done { token, user }) => {
                let scheme = "sasl".to_owned();
                self.server.hub.identify(id, Identity { scheme, id: user });
                out.hold(xid, What::Token(Some(token)));
            }
            Err(sasl::Failed) => {
                out.deaf = true;
                out.hold(xid, What::Token(None));
            }
        }
    }

    fn submit(&mut self, id: ConnId, frame: &Bytes) -> Result<(), End> {
        if let Some(token) = decode::sasl(frame) {
            let (xid, token) = token?;
            self.converse(id, xid, &token);
            return Ok(());
        }
        let decode::Packet { xid, op, body } = decode::packet(frame)?;
        match body {
            Ok(request) => {
                if request == Request::Close {
                    self.out.borrow_mut().deaf = true;
                }
                self.server.hub.request(id, Tag { xid, op }.into(), request);
            }
            Err(refusal) => self.out.borrow_mut().refuse(xid, refusal),
        }
        Ok(())
    }
}

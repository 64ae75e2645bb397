//! A client as one state machine without sockets, clock and entropy: it keeps one session alive on
//! whichever server it finds, matches answers with calls, and leaves the watches again that a broken
//! connection took with it. The page, the simulator, the command line and the library drive this one.
//! It knows requests and answers, and neither nodes nor Raft.
//!
//! Its driver keeps four promises:
//!
//! 1. It carries out every output, in order: opens connections, sends on them, closes them, and hands
//!    events to whoever made the calls. What is to be sent on a connection that is not open yet waits for it.
//! 2. It reports what arrives on a connection in the order of arrival, and its end once, under the link's
//!    number. Anything about an older link may come too; it is ignored.
//! 3. It calls `handle(now, Input::Wake, ..)` at `deadline()`, after what has already arrived.
//! 4. Its calls have numbers of its own choice.
//!
//! In return every call has exactly one outcome, and outcomes come in the order of the calls. What was asked on
//! a connection that broke is asked again on the next one, in order; changes carry numbers, so that one whose
//! answer was lost gets its first answer and is not made twice (rule R20). The outcome is unknown if the session
//! ends before that, and at once for what cannot be repeated: a close, a change of the members, and everything
//! if `ClientConfig::repeat` is off. These come before the event that says that the connection ended; those of
//! a session that ended, and of what is asked before its end is told, come before that.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

use crate::config::ClientConfig;
use crate::id::{Index, SessionId};
use crate::request::{
    Change, Connect, Error, Hangup, Once, Password, Read, Reply, Request, Response, WatchEvent,
};
use crate::rng::Rng;
use crate::time::{Span, Time};

#[cfg(test)]
mod tests;
mod watches;

use self::watches::{Key, Watches};

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

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Connects at this time.
    Away(Time),
    /// Waits for the session to be attached.
    Connecting,
    Attached,
    /// Will do nothing any more.
    Gone,
}

/// What a request that was sent is for.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Purpose {
    Attach,
    Ping,
    /// Leaves a watch again.
    Rearm(Key),
    /// ... those that stay.
    Lasting,
    /// Says again who the client is.
    Proof,
    Call(u64),
}

/// A request without an answer.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Pending {
    tag: u64,
    purpose: Purpose,
    request: Request,
    /// Of a change.
    number: Option<u64>,
    /// Whether it was sent on an earlier connection too.
    again: bool,
    sent: Time,
}

/// A call that waits for the session.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Waiting {
    id: u64,
    request: Request,
    /// The number that it was sent with.
    number: Option<u64>,
    /// Whether it was sent before, and may have been carried out.
    was_sent: bool,
}

/// One session and the search for a server that serves it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Client {
    config: ClientConfig,
    rng: Rng,
    /// The servers in the order in which they are tried.
    order: Vec<u32>,
    /// How many of `order` have been tried; modulo their number.
    place: usize,
    /// Losses since the session was last attached.
    attempts: u32,
    state: State,
    /// A session that a server says has ended. It is told with the next input, so that whoever asks anew because
    /// an outcome is unknown is not mistaken for one who knows already.
    ended: Option<SessionId>,
    /// The last link, and the server at its other end.
    link: u64,
    server: u32,
    session: SessionId,
    /// Whether only the server that it is attached to knows this session.
    is_read_only: bool,
    password: Password,
    timeout: Span,
    last_zxid: Index,
    /// All events of the lasting watches up to here have been told.
    told_zxid: Index,
    /// Requests that leave the lasting watches again and have no answer: until they have, answers say nothing of
    /// events.
    rearming: usize,
    /// Whether there were several of them. Each is told what happened since in turn, so that until all are, events
    /// say nothing of those before them.
    in_parts: bool,
    /// When something last arrived, and when something was last sent.
    heard: Time,
    asked: Time,
    /// The timeout after the asking of the last request that was answered.
    sure_until: Time,
    is_unsure: bool,
    last_tag: u64,
    pending: VecDeque<Pending>,
    waiting: VecDeque<Waiting>,
    /// The number of the last change.
    last_number: u64,
    watches: Watches,
    /// What the servers have believed about who the client is. It is said anew on each connection.
    proofs: Vec<Request>,
}

impl Client {
    /// A client that will connect at `now`.
    #[must_use]
    pub fn new(config: ClientConfig, seed: u64, now: Time) -> Self {
        let mut rng = Rng::new(seed);
        let mut order: Vec<u32> = (0..config.servers.max(1)).collect();
        if config.shuffle {
            for place in (1..order.len()).rev() {
                let other = rng.below(place as u64 + 1);
                order.swap(place, usize::try_from(other).unwrap_or(0));
            }
        }
        Self {
            config,
            rng,
            order,
            place: 0,
            attempts: 0,
            state: State::Away(now),
            ended: None,
            link: 0,
            server: 0,
            session: SessionId(0),
            is_read_only: false,
            password: [0; 16],
            timeout: Span(0),
            last_zxid: Index(0),
            told_zxid: Index(0),
            rearming: 0,
            in_parts: false,
            heard: now,
            asked: now,
            sure_until: now,
            is_unsure: false,
            last_tag: 0,
            pending: VecDeque::new(),
            waiting: VecDeque::new(),
            last_number: 0,
            watches: Watches::default(),
            proofs: Vec::new(),
        }
    }

    /// The server it is connected to, or connecting to.
    #[must_use]
    pub fn server(&self) -> Option<u32> {
        matches!(self.state, State::Connecting | State::Attached).then_some(self.server)
    }

    /// Whether its session is attached there.
    #[must_use]
    pub fn is_attached(&self) -> bool {
        self.state == State::Attached
    }

    /// Whether it has closed its session or was stopped.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.state == State::Gone
    }

    /// Its session; 0 before the first and after one has ended.
    #[must_use]
    pub const fn session(&self) -> SessionId {
        self.session
    }

    /// Whether it is attached to a server without a leader, which answers reads only, and with what it has.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.is_read_only && self.is_attached()
    }

    /// The agreed session timeout; 0 without a session.
    #[must_use]
    pub const fn timeout(&self) -> Span {
        self.timeout
    }

    /// When it last heard from a server.
    #[must_use]
    pub const fn heard(&self) -> Time {
        self.heard
    }

    /// The highest zxid it has seen.
    #[must_use]
    pub const fn last_zxid(&self) -> Index {
        self.last_zxid
    }

    /// Calls without an outcome.
    #[must_use]
    pub fn calls(&self) -> usize {
        let is_call = |pending: &&Pending| matches!(pending.purpose, Purpose::Call(_));
        self.pending.iter().filter(is_call).count() + self.waiting.len()
    }

    /// The paths of the watches that have not fired, and whether each is for the children.
    pub fn watches(&self) -> impl Iterator<Item = (&str, bool)> {
        self.watches.paths()
    }

    /// Whether one of its lasting watches hears of this.
    #[must_use]
    pub fn hears(&self, event: &WatchEvent) -> bool {
        self.watches.hears(event)
    }

    /// Something happens.
    pub fn handle(&mut self, now: Time, input: Input, out: &mut Vec<Output>) {
        if !matches!(input, Input::Call { .. })
            && let Some(session) = self.ended.take()
        {
            self.tell(Event::Expired { session }, out);
        }
        match input {
            Input::Call { id, request } => self.call(now, id, request, out),
            Input::Reply { link, tag, reply } if self.is_open(link) => {
                self.heard = now;
                self.returned(now, tag, reply, out);
            }
            Input::Watch { link, event } if self.is_open(link) => {
                self.heard = now;
                self.last_zxid = self.last_zxid.max(event.zxid);
                if !self.in_parts {
                    // Of its own transaction there may be more.
                    let before = Index(event.zxid.0.saturating_sub(1));
                    self.told_zxid = self.told_zxid.max(before);
                }
                // One that nobody waits for was left again after the change had been found.
                if self.watches.fired(&event, self.rearming != 0) {
                    self.tell(Event::Watch(event), out);
                }
            }
            Input::Ended { link, reason } if self.is_open(link) => self.lost(now, reason, out),
            Input::Reply { .. } | Input::Watch { .. } | Input::Ended { .. } => {}
            Input::Wake => self.wake(now, out),
            Input::Move => self.hang_up(now, out),
            Input::Stop => {
                self.hang_up(now, out);
                self.state = State::Gone;
                self.give_up_waiting(out);
            }
        }
    }

    /// When it wants to do something by itself.
    #[must_use]
    pub fn deadline(&self) -> Time {
        if self.ended.is_some() {
            return self.heard;
        }
        let own = match self.state {
            State::Gone => return Time::NEVER,
            State::Away(at) => at,
            State::Connecting => self.gives_up(),
            State::Attached => self.gives_up().min(self.pings()),
        };
        own.min(self.doubts())
    }

    fn wake(&mut self, now: Time, out: &mut Vec<Output>) {
        if self.doubts() <= now {
            self.is_unsure = true;
            let session = self.session;
            self.tell(Event::Unsure { session }, out);
        }
        match self.state {
            State::Away(at) if at <= now => self.connect(now, out),
            State::Connecting | State::Attached if self.gives_up() <= now => self.hang_up(now, out),
            State::Attached if self.pings() <= now => {
                self.send(now, Request::Ping, Purpose::Ping, out);
            }
            _ => {}
        }
    }

    /// A server that is silent for two thirds of the timeout is taken for dead; one third is left to find
    /// another one.
    fn gives_up(&self) -> Time {
        let patience = match self.state {
            State::Attached => Span(self.timeout.0 / 3 * 2),
            _ => self.config.attach_limit,
        };
        self.heard + patience
    }

    fn pings(&self) -> Time {
        self.asked + Span(self.timeout.0 / 3)
    }

    fn doubts(&self) -> Time {
        if self.session == SessionId(0) || self.is_unsure || self.is_gone() {
            Time::NEVER
        } else {
            self.sure_until
        }
    }

    fn is_open(&self, link: u64) -> bool {
        link == self.link && self.server().is_some()
    }

    fn connect(&mut self, now: Time, out: &mut Vec<Output>) {
        self.link += 1;
        self.server = self.order[self.place % self.order.len()];
        self.place = (self.place + 1) % self.order.len();
        self.attempts += 1;
        self.heard = now;
        self.state = State::Connecting;
        let (link, server) = (self.link, self.server);
        self.tell(Event::Connecting { server }, out);
        out.push(Output::Open { link, server });
        let connect = Connect {
            session: self.session,
            password: self.password,
            timeout_ms: self.config.timeout_ms,
            last_zxid: self.last_zxid,
            read_only: self.config.read_only,
            replaces: None,
        };
        self.send(now, Request::Connect(connect), Purpose::Attach, out);
    }

    fn call(&mut self, now: Time, id: u64, request: Request, out: &mut Vec<Output>) {
        let watches = self.config.watches as usize;
        let full = self.config.calls as usize <= self.calls()
            || leaves_watch(&request) && watches <= self.watches.count();
        let never = full || self.is_gone() || self.ended.is_some();
        if never || matches!(request, Request::Connect(_)) {
            let outcome = Outcome::Unsent;
            self.tell(Event::Done { id, outcome }, out);
        } else if self.is_attached() {
            self.send(now, request, Purpose::Call(id), out);
        } else {
            self.waiting.push_back(Waiting {
                id,
                request,
                number: None,
                was_sent: false,
            });
        }
    }

    fn send(&mut self, now: Time, request: Request, purpose: Purpose, out: &mut Vec<Output>) {
        let number = match request {
            Request::Write(_) | Request::Multi(_) if self.config.repeat => {
                self.last_number += 1;
                Some(self.last_number)
            }
            _ => None,
        };
        self.send_as(now, request, number, false, purpose, out);
    }

    fn send_as(
        &mut self,
        now: Time,
        request: Request,
        number: Option<u64>,
        again: bool,
        purpose: Purpose,
        out: &mut Vec<Output>,
    ) {
        if matches!(purpose, Purpose::Call(_)) {
            self.watches.asked(&request);
        }
        self.last_tag += 1;
        self.asked = now;
        let (link, tag) = (self.link, self.last_tag);
        let call = match purpose {
            Purpose::Call(id) => Some(id),
            _ => None,
        };
        self.pending.push_back(Pending {
            tag,
            purpose,
            request: request.clone(),
            number,
            again,
            sent: now,
        });
        // Numbers rise along `pending`, and all before its first one have been answered.
        let mut numbers = self.pending.iter().filter_map(|pending| pending.number);
        let answered = numbers.next().map_or(0, |first| first - 1);
        let request = match number {
            Some(number) => once(number, answered, request),
            None => request,
        };
        out.push(Output::Send {
            link,
            tag,
            request,
            call,
        });
    }

    fn hang_up(&mut self, now: Time, out: &mut Vec<Output>) {
        if self.server().is_some() {
            out.push(Output::Close { link: self.link });
            self.lost(now, None, out);
        }
    }

    fn lost(&mut self, now: Time, reason: Option<Hangup>, out: &mut Vec<Output>) {
        (self.rearming, self.in_parts) = (0, false);
        self.put_back_pending(out);
        let doublings = self.attempts.min(16);
        let longest = Span(self.config.pause.0 << doublings).min(self.config.pause_max);
        let pause = Span::from_ms(self.rng.between(1, longest.as_ms().max(1)));
        self.state = State::Away(now + pause);
        self.tell(Event::Disconnected { reason }, out);
        if self.is_read_only {
            // No other server knows it, and this one forgets it.
            self.expired(out);
        }
    }

    fn returned(&mut self, now: Time, tag: u64, reply: Reply, out: &mut Vec<Output>) {
        let Some(pending) = self.pending.pop_front_if(|pending| pending.tag == tag) else {
            // Whoever answers out of turn cannot be believed.
            self.hang_up(now, out);
            return;
        };
        if pending.purpose == Purpose::Attach {
            self.attached(now, pending.sent, reply, out);
            return;
        }
        self.last_zxid = self.last_zxid.max(reply.zxid);
        self.is_sure(pending.sent, out);
        if pending.purpose == Purpose::Lasting {
            self.rearming = self.rearming.saturating_sub(1);
        }
        if self.rearming == 0 {
            self.in_parts = false;
            self.told_zxid = self.told_zxid.max(reply.zxid);
        }
        match pending.purpose {
            Purpose::Lasting => {
                if reply.result == Ok(Response::WatchesSet { complete: true }) {
                    return;
                }
                let Request::SetWatches(had) = pending.request else {
                    return;
                };
                if reply.result.is_err() {
                    self.watches.ended(&had);
                }
                for path in had.persistent.into_iter().chain(had.recursive) {
                    self.tell(Event::Missed { path }, out);
                }
            }
            Purpose::Rearm(key) => {
                if let Some(event) = self.watches.left_again(key, &reply) {
                    self.tell(Event::Watch(event), out);
                }
            }
            Purpose::Call(id) => {
                let closed = reply.result == Ok(Response::Closed);
                if let Some(read) = watched(&pending.request) {
                    self.watches.left(read, &reply);
                }
                match reply.result {
                    Ok(_) => self.watches.answered(&pending.request),
                    Err(_) => self.watches.not_left(&pending.request),
                }
                if reply.result == Ok(Response::Authenticated)
                    && !self.proofs.contains(&pending.request)
                    && self.proofs.len() < self.config.proofs as usize
                {
                    self.proofs.push(pending.request);
                }
                let outcome = match reply.result {
                    // Too busy to look whether the change was made the first time.
                    Err(Error::ThrottledOp) if pending.again => Outcome::Unknown,
                    _ => Outcome::Answered(reply),
                };
                self.tell(Event::Done { id, outcome }, out);
                if closed {
                    self.closed(out);
                }
            }
            Purpose::Attach | Purpose::Ping | Purpose::Proof => {}
        }
    }

    fn attached(&mut self, now: Time, asked: Time, reply: Reply, out: &mut Vec<Output>) {
        match reply.result {
            Ok(Response::Connected {
                session,
                password,
                timeout_ms,
                read_only,
            }) => {
                let resumed = session == self.session;
                if !resumed {
                    self.expired(out);
                    if let Some(session) = self.ended.take() {
                        self.tell(Event::Expired { session }, out);
                    }
                }
                (self.session, self.password) = (session, password);
                self.is_read_only = read_only;
                self.timeout = Span::from_ms(timeout_ms.into());
                self.last_zxid = self.last_zxid.max(reply.zxid);
                self.attempts = 0;
                if !self.config.shuffle {
                    self.place = 0;
                }
                self.state = State::Attached;
                let server = self.server;
                self.tell(
                    Event::Connected {
                        server,
                        session,
                        resumed,
                    },
                    out,
                );
                self.is_sure(asked, out);
                for proof in self.proofs.clone() {
                    self.send(now, proof, Purpose::Proof, out);
                }
                let lasting = self.watches.go_on(self.told_zxid);
                self.rearming = lasting.len();
                self.in_parts = 1 < self.rearming;
                for had in lasting {
                    self.send(now, Request::SetWatches(had), Purpose::Lasting, out);
                }
                for (key, read) in self.watches.to_leave_again() {
                    self.send(now, Request::Read(read), Purpose::Rearm(key), out);
                }
                for waiting in core::mem::take(&mut self.waiting) {
                    let purpose = Purpose::Call(waiting.id);
                    match waiting.number {
                        None => self.send(now, waiting.request, purpose, out),
                        number => self.send_as(now, waiting.request, number, true, purpose, out),
                    }
                }
            }
            // The server hangs up next, and the search goes on with a new session.
            Ok(Response::Expired) => self.expired(out),
            // It hangs up next as well; the session may live.
            _ => {}
        }
    }

    /// A request that was asked at `sent` was answered.
    fn is_sure(&mut self, sent: Time, out: &mut Vec<Output>) {
        self.sure_until = self.sure_until.max(sent + self.timeout);
        if core::mem::take(&mut self.is_unsure) {
            let session = self.session;
            self.tell(Event::Sure { session }, out);
        }
    }

    fn expired(&mut self, out: &mut Vec<Output>) {
        let session = self.forget_session();
        if session != SessionId(0) {
            // They were meant for the session that is over.
            self.give_up_waiting(out);
            self.ended = Some(session);
        }
    }

    fn closed(&mut self, out: &mut Vec<Output>) {
        self.give_up_pending(out);
        let session = self.forget_session();
        self.state = State::Gone;
        self.tell(Event::Closed { session }, out);
    }

    fn forget_session(&mut self) -> SessionId {
        self.password = [0; 16];
        self.timeout = Span(0);
        self.is_unsure = false;
        self.is_read_only = false;
        self.watches = Watches::default();
        core::mem::take(&mut self.session)
    }

    /// What was asked and not answered is asked again on the next connection, before anything newer.
    fn put_back_pending(&mut self, out: &mut Vec<Output>) {
        let mut again = VecDeque::new();
        for pending in core::mem::take(&mut self.pending) {
            let Purpose::Call(id) = pending.purpose else {
                continue;
            };
            self.watches.not_left(&pending.request);
            let is_final = matches!(pending.request, Request::Close | Request::Reconfig(_));
            if is_final || !self.config.repeat {
                let outcome = Outcome::Unknown;
                self.tell(Event::Done { id, outcome }, out);
            } else {
                again.push_back(Waiting {
                    id,
                    request: pending.request,
                    number: pending.number,
                    was_sent: true,
                });
            }
        }
        again.append(&mut self.waiting);
        self.waiting = again;
    }

    fn give_up_pending(&mut self, out: &mut Vec<Output>) {
        for pending in core::mem::take(&mut self.pending) {
            if let Purpose::Call(id) = pending.purpose {
                let outcome = Outcome::Unknown;
                self.tell(Event::Done { id, outcome }, out);
            }
        }
    }

    fn give_up_waiting(&mut self, out: &mut Vec<Output>) {
        for Waiting { id, was_sent, .. } in core::mem::take(&mut self.waiting) {
            let outcome = match was_sent {
                true => Outcome::Unknown,
                false => Outcome::Unsent,
            };
            self.tell(Event::Done { id, outcome }, out);
        }
    }

    fn tell(&self, event: Event, out: &mut Vec<Output>) {
        out.push(Output::Event(event));
    }
}

fn once(number: u64, answered: u64, request: Request) -> Request {
    let change = match request {
        Request::Write(op) => Change::One(op),
        Request::Multi(ops) => Change::All(ops),
        other => return other,
    };
    Request::Once(Once {
        number,
        answered,
        change,
    })
}

fn watched(request: &Request) -> Option<&Read> {
    match request {
        Request::Read(read) | Request::Latest(read) if read.watch => Some(read),
        _ => None,
    }
}

fn leaves_watch(request: &Request) -> bool {
    watched(request).is_some() || matches!(request, Request::AddWatch { .. })
}

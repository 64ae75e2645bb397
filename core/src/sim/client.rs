//! A client as ZooKeeper's are: one connection at a time, a session that it takes from member to
//! member, pings, and one call after the other. Those of the page wait for their visitor; those of the
//! workload draw their next operation. Every answer goes to the oracle.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::chunks::Chunks;
use super::event::{Call, CallEnd, ClientEvent};
use super::net::Net;
use super::oracle::{Oracle, Verdict};
use super::workload::{Next, Worker};
use super::{Cargo, ClientId, ClientView, End};
use crate::id::{ConnId, Index, NodeId, SessionId};
use crate::request::{
    Connect, Error, EventKind, Hangup, Password, ReadKind, Reply, Request, Response, WatchEvent,
};
use crate::rng::Rng;
use crate::time::{Span, Time};

/// Calls of one client that are kept for its history.
const HISTORY: u64 = 1_024;
/// How long a client waits for a connection to answer before it has a session.
const PATIENCE: Span = Span::from_ms(1_000);
/// Longest pause before the next attempt to connect.
const BACK_OFF_MS: u64 = 100;

/// What a client needs from the world around it.
pub(super) struct Wire<'a> {
    pub(super) now: Time,
    pub(super) net: &'a mut Net,
    pub(super) oracle: &'a mut Oracle,
    pub(super) rng: &'a mut Rng,
    pub(super) members: u64,
    /// The last connection number in use.
    pub(super) conns: &'a mut u64,
    pub(super) events: &'a mut Vec<ClientEvent>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Connects at this time.
    Away(Time),
    /// Waits for the session to be attached.
    Connecting {
        conn: ConnId,
        node: NodeId,
    },
    Attached {
        conn: ConnId,
        node: NodeId,
    },
    /// Will do nothing any more.
    Gone,
}

#[derive(Clone)]
struct Pending {
    tag: u64,
    request: Request,
    invoked: Time,
    /// Acknowledged to anybody before this was asked.
    after: Index,
    /// Its number in the history; none for what the client does by itself.
    call: Option<u64>,
}

#[derive(Clone)]
pub(super) struct Client {
    id: ClientId,
    /// Where it connects first.
    home: NodeId,
    /// Attempts since it was last attached.
    attempts: u64,
    state: State,
    session: SessionId,
    password: Password,
    wanted_ms: u32,
    timeout: Span,
    last_zxid: Index,
    heard: Time,
    asked: Time,
    /// The session cannot have expired before this.
    safe_until: Time,
    last_tag: u64,
    /// Asked and not answered, in order.
    pending: VecDeque<Pending>,
    /// Not asked yet.
    waiting: VecDeque<Request>,
    /// Watches of this connection: child watch or not, path, and the state they were left on.
    watches: BTreeMap<(bool, String), Index>,
    calls: Chunks<Call>,
    worker: Option<Worker>,
}

impl Client {
    pub(super) fn new(
        id: ClientId,
        home: NodeId,
        wanted_ms: u32,
        now: Time,
        worker: Option<Worker>,
    ) -> Self {
        Self {
            id,
            home,
            attempts: 0,
            state: State::Away(now),
            session: SessionId(0),
            password: [0; 16],
            wanted_ms,
            timeout: Span(0),
            last_zxid: Index(0),
            heard: now,
            asked: now,
            safe_until: now,
            last_tag: 0,
            pending: VecDeque::new(),
            waiting: VecDeque::new(),
            watches: BTreeMap::new(),
            calls: Chunks::new(1),
            worker,
        }
    }

    pub(super) fn view(&self) -> ClientView {
        ClientView {
            id: self.id,
            node: self.place().map(|(_, node)| node),
            attached: matches!(self.state, State::Attached { .. }),
            session: self.session,
            timeout: self.timeout,
            heard: self.heard,
            last_zxid: self.last_zxid,
            pending: self
                .pending
                .iter()
                .filter(|pending| pending.call.is_some())
                .count()
                + self.waiting.len(),
        }
    }

    pub(super) fn history(&self) -> impl Iterator<Item = &Call> {
        self.calls.iter()
    }

    pub(super) fn is_gone(&self) -> bool {
        self.state == State::Gone
    }

    pub(super) const fn has_history(&self) -> bool {
        !self.calls.is_empty()
    }

    /// When it wants to do something by itself.
    pub(super) fn deadline(&self) -> Time {
        match self.state {
            State::Away(at) => at,
            State::Gone => Time::NEVER,
            State::Connecting { .. } => self.gives_up(),
            State::Attached { .. } => {
                let ping = self.asked + Span(self.timeout.0 / 3);
                let work = match &self.worker {
                    Some(worker) if self.pending.is_empty() => worker.next(),
                    _ => Time::NEVER,
                };
                ping.min(self.gives_up()).min(work)
            }
        }
    }

    /// Its deadline has come.
    pub(super) fn wake(&mut self, wire: &mut Wire<'_>) -> Verdict {
        match self.state {
            State::Gone => {}
            State::Away(at) if wire.now < at => {}
            State::Away(_) => self.connect(wire),
            _ if self.gives_up() <= wire.now => self.disconnect(wire),
            State::Connecting { .. } => {}
            State::Attached { .. } => {
                if self.pending.is_empty()
                    && let Some(worker) = &mut self.worker
                    && worker.next() <= wire.now
                {
                    match worker.draw(wire.now, self.id, self.last_tag + 1) {
                        Next::Ask(request) => self.ask(wire, request, true),
                        Next::Wait => {}
                        Next::Move => self.disconnect(wire),
                        Next::Leave => self.ask(wire, Request::Close, true),
                        Next::Abandon => {
                            self.disconnect(wire);
                            self.forget_session();
                        }
                    }
                }
                if self.asked + Span(self.timeout.0 / 3) <= wire.now {
                    self.ask(wire, Request::Ping, false);
                }
            }
        }
        Ok(())
    }

    /// The visitor asks.
    pub(super) fn call(&mut self, wire: &mut Wire<'_>, request: Request) {
        if matches!(request, Request::Connect(_)) || self.is_gone() {
            return;
        }
        wire.oracle.stranger(&request);
        match self.state {
            State::Attached { .. } => self.ask(wire, request, true),
            _ => self.waiting.push_back(request),
        }
    }

    /// Its process ends without a word.
    pub(super) fn kill(&mut self, wire: &mut Wire<'_>) {
        self.disconnect(wire);
        self.state = State::Gone;
    }

    /// Its connection breaks.
    pub(super) fn disconnect(&mut self, wire: &mut Wire<'_>) {
        if let Some((conn, node)) = self.place() {
            let (from, to) = (End::Client(self.id), End::Node(node));
            wire.net
                .stream(wire.now, from, to, conn, Cargo::End { conn, reason: None });
            self.lost(wire, None);
        }
    }

    pub(super) fn pace(&mut self, interval: Span) {
        if let Some(worker) = &mut self.worker {
            worker.pace(interval);
        }
    }

    /// Something arrives on a connection. Connections that were given up are not listened to.
    pub(super) fn arrive(&mut self, wire: &mut Wire<'_>, cargo: Cargo) -> Verdict {
        if self.place().map(|(conn, _)| conn) != cargo.conn() {
            return Ok(());
        }
        self.heard = wire.now;
        match cargo {
            Cargo::Reply { tag, reply, .. } => self.returned(wire, tag, reply),
            Cargo::Watch { event, .. } => self.fired(wire, event),
            Cargo::End { reason, .. } => {
                self.lost(wire, reason);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn place(&self) -> Option<(ConnId, NodeId)> {
        match self.state {
            State::Connecting { conn, node } | State::Attached { conn, node } => Some((conn, node)),
            _ => None,
        }
    }

    /// When it will take the connection for dead: two thirds of the session timeout of silence.
    fn gives_up(&self) -> Time {
        let patience = match self.state {
            State::Attached { .. } => Span(self.timeout.0 / 3 * 2),
            _ => PATIENCE,
        };
        match self.pending.front() {
            Some(oldest) => self.heard.max(oldest.invoked) + patience,
            None => Time::NEVER,
        }
    }

    fn connect(&mut self, wire: &mut Wire<'_>) {
        *wire.conns += 1;
        let conn = ConnId(*wire.conns);
        let node = if self.attempts == 0 && self.worker.is_none() {
            self.home
        } else if self.worker.is_some() {
            NodeId(wire.rng.between(1, wire.members))
        } else {
            NodeId((self.home.0 - 1 + self.attempts) % wire.members + 1)
        };
        self.attempts += 1;
        self.heard = wire.now;
        self.state = State::Connecting { conn, node };
        wire.events.push(ClientEvent::Connecting { node });
        wire.net.stream(
            wire.now,
            End::Client(self.id),
            End::Node(node),
            conn,
            Cargo::Open { conn },
        );
        let request = Request::Connect(Connect {
            session: self.session,
            password: self.password,
            timeout_ms: self.wanted_ms,
            last_zxid: self.last_zxid,
        });
        self.ask(wire, request, false);
    }

    fn ask(&mut self, wire: &mut Wire<'_>, request: Request, shown: bool) {
        let Some((conn, node)) = self.place() else {
            return;
        };
        self.last_tag += 1;
        let tag = self.last_tag;
        self.asked = wire.now;
        if self.worker.is_some() {
            wire.oracle.send(self.id, tag, self.session, &request);
        }
        let call = shown.then(|| {
            let end = None;
            self.calls.push(Call {
                tag,
                node,
                request: request.clone(),
                invoked: wire.now,
                end,
            });
            if HISTORY < self.calls.next() - self.calls.first() {
                self.calls.drop_before(self.calls.next() - HISTORY);
            }
            wire.events.push(ClientEvent::Called {
                tag,
                request: request.clone(),
            });
            self.calls.next() - 1
        });
        let after = wire.oracle.newest();
        self.pending.push_back(Pending {
            tag,
            request: request.clone(),
            invoked: wire.now,
            after,
            call,
        });
        let (from, to) = (End::Client(self.id), End::Node(node));
        wire.net.stream(
            wire.now,
            from,
            to,
            conn,
            Cargo::Request { conn, tag, request },
        );
    }

    fn lost(&mut self, wire: &mut Wire<'_>, reason: Option<Hangup>) {
        for pending in core::mem::take(&mut self.pending) {
            if pending.request == Request::Close {
                // The session may be over, and by its own will.
                self.safe_until = wire.now;
            }
            if let Some(call) = pending.call {
                if let Some(call) = self.calls.get_mut(call) {
                    call.end = Some(CallEnd::Unknown { time: wire.now });
                }
                wire.events.push(ClientEvent::Unknown { tag: pending.tag });
            }
        }
        self.watches.clear();
        if self.state != State::Gone {
            let pause = Span::from_ms(wire.rng.between(1, BACK_OFF_MS));
            self.state = State::Away(wire.now + pause);
        }
        wire.events.push(ClientEvent::Disconnected { reason });
    }

    fn forget_session(&mut self) {
        self.session = SessionId(0);
        self.password = [0; 16];
        self.timeout = Span(0);
        if let Some(worker) = &mut self.worker {
            worker.forget_session();
        }
    }

    fn returned(&mut self, wire: &mut Wire<'_>, tag: u64, reply: Reply) -> Verdict {
        let Some(pending) = self.pending.pop_front() else {
            return Err(format!("an answer to call {tag}, which waits for none"));
        };
        if pending.tag != tag {
            return Err(format!(
                "call {tag} was answered before call {}",
                pending.tag
            ));
        }
        if let Some(call) = pending.call {
            if let Some(call) = self.calls.get_mut(call) {
                let (time, zxid) = (wire.now, reply.zxid);
                call.end = Some(CallEnd::Returned {
                    time,
                    zxid,
                    reply: reply.clone(),
                });
            }
            wire.events.push(ClientEvent::Returned {
                tag,
                reply: reply.clone(),
            });
        }
        if let Request::Connect(connect) = &pending.request {
            return self.connected(wire, connect.session, pending.invoked, &reply);
        }
        if reply.zxid < self.last_zxid {
            return Err(format!(
                "an answer shows {} after {} was seen",
                reply.zxid, self.last_zxid
            ));
        }
        self.last_zxid = reply.zxid;
        if reply.result.is_ok() && matches!(pending.request, Request::Write(_) | Request::Multi(_))
        {
            self.safe_until = self.safe_until.max(pending.invoked + self.timeout);
        }
        self.watched(&pending.request, &reply)?;
        if pending.request == Request::Close {
            if reply.result.is_ok() {
                wire.oracle.ended(self.session, reply.zxid);
                self.forget_session();
                if self.worker.is_none() {
                    self.state = State::Gone;
                }
            }
            return Ok(());
        }
        if let Some(worker) = &mut self.worker {
            worker.answer(&pending.request, &reply);
            wire.oracle.answer(
                self.id,
                tag,
                self.session,
                pending.after,
                &pending.request,
                &reply,
            )?;
        }
        Ok(())
    }

    fn connected(
        &mut self,
        wire: &mut Wire<'_>,
        asked: SessionId,
        invoked: Time,
        reply: &Reply,
    ) -> Verdict {
        let Some((conn, node)) = self.place() else {
            return Ok(());
        };
        match &reply.result {
            Ok(Response::Connected {
                session,
                password,
                timeout_ms,
            }) => {
                if asked != SessionId(0) && asked != *session {
                    return Err(format!("asked for session {asked} and got {session}"));
                }
                if reply.zxid < self.last_zxid {
                    return Err(format!(
                        "attached at {} after {} was seen",
                        reply.zxid, self.last_zxid
                    ));
                }
                (self.session, self.password) = (*session, *password);
                self.timeout = Span::from_ms(u64::from(*timeout_ms));
                self.safe_until = self.safe_until.max(invoked + self.timeout);
                self.last_zxid = reply.zxid;
                self.attempts = 0;
                self.state = State::Attached { conn, node };
                wire.events.push(ClientEvent::Attached {
                    node,
                    session: *session,
                });
                wire.oracle.attached(self.id, *session, reply.zxid)?;
                for request in core::mem::take(&mut self.waiting) {
                    self.ask(wire, request, true);
                }
                Ok(())
            }
            Ok(Response::Expired) => {
                wire.events.push(ClientEvent::Expired { session: asked });
                wire.oracle.ended(asked, reply.zxid);
                let early = wire.now < self.safe_until;
                self.forget_session();
                if early && asked != SessionId(0) {
                    return Err(format!("session {asked} expired before its timeout"));
                }
                Ok(())
            }
            Err(Error::SessionExpired | Error::SessionMoved) => Ok(()),
            other => Err(format!("a connect was answered by {other:?}")),
        }
    }

    /// What an answer says about the watches of this connection: none of them can have missed a change
    /// that the answer shows. And a new one, if the call left one.
    fn watched(&mut self, request: &Request, reply: &Reply) -> Verdict {
        let (Request::Read(read) | Request::Latest(read)) = request else {
            return Ok(());
        };
        let child = read.kind == ReadKind::Children;
        let key = (child, read.path.clone());
        let shown = match &reply.result {
            Ok(Response::Children { stat, .. }) => Some(stat.pzxid),
            Ok(Response::Data { stat, .. } | Response::Stat(stat)) => Some(stat.mzxid),
            Err(Error::NoNode) => None,
            _ => return Ok(()),
        };
        if let Some(left) = self.watches.get(&key)
            && shown.is_some_and(|shown| *left < shown)
        {
            return Err(format!(
                "{} is shown as of {shown:?}; the watch left on {left} has not fired",
                read.path
            ));
        }
        if read.watch && (shown.is_some() || read.kind == ReadKind::Exists) {
            self.watches.entry(key).or_insert(reply.zxid);
        }
        Ok(())
    }

    fn fired(&mut self, wire: &mut Wire<'_>, event: WatchEvent) -> Verdict {
        let data = self.watches.get(&(false, event.path.clone())).copied();
        let child = self.watches.get(&(true, event.path.clone())).copied();
        let left = match event.kind {
            EventKind::NodeCreated | EventKind::NodeDataChanged => data,
            EventKind::NodeChildrenChanged => child,
            EventKind::NodeDeleted => data.or(child),
        };
        // Its read may still wait for its answer only if the order were wrong.
        let Some(left) = left else {
            return Err(format!(
                "{:?} on {} without a watch",
                event.kind, event.path
            ));
        };
        if event.zxid <= left {
            return Err(format!(
                "{} fired for {}; the watch was left on {left}",
                event.path, event.zxid
            ));
        }
        if event.kind != EventKind::NodeChildrenChanged {
            self.watches.remove(&(false, event.path.clone()));
        }
        if matches!(
            event.kind,
            EventKind::NodeChildrenChanged | EventKind::NodeDeleted
        ) {
            self.watches.remove(&(true, event.path.clone()));
        }
        wire.events.push(ClientEvent::Watch(event));
        Ok(())
    }
}

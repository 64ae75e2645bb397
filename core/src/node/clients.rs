//! The client side of a node: connections, their sessions, the order of their answers, and the commands
//! that wait to be applied.
//!
//! Every change a client asks for becomes a command in `pending`, in the order of arrival over all
//! connections. A leader proposes them itself; a follower forwards them. They stay in `pending` until they
//! have been applied here, and are sent again, in order and from the oldest on, whenever the leader changes
//! or nothing comes of them. The state machine runs each of them once and in order (rule R14), so a command
//! that travels twice does no harm.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use super::access::Identities;
use super::io::{Note, Output, ReadNow};
use super::{Node, view::ConnView};
use crate::acl;
use crate::command::{Change, Command, Origin, WriteRequest};
use crate::id::{ConnId, Index, NodeId, SessionId, Term};
use crate::message::Message;
use crate::raft::message::Payload;
use crate::request::{Acl, Connect, Error, Hangup, Identity, List, Read, Reply, Request, Response};
use crate::time::{Span, Time};
use crate::wire;

/// Longest pause between two attempts to have the same commands applied.
const RESEND_MAX: Span = Span::from_ms(4_000);

mod proof;
mod read_only;

/// Connections and what waits on them.
#[derive(Clone)]
pub(super) struct Clients {
    /// Drawn at boot, so that a command of an earlier life of this node is not taken for one of this life.
    incarnation: u64,
    /// Attachments asked for in this life; the state machine takes each number once.
    tickets: u64,
    /// Connections that are served reads only.
    read_only: BTreeSet<ConnId>,
    conns: BTreeMap<ConnId, Conn>,
    /// Which connection serves a session here.
    serving: BTreeMap<SessionId, ConnId>,
    /// Which connection waits for which attachment.
    attaching: BTreeMap<u64, ConnId>,
    /// Commands that have not been applied yet, oldest first.
    pending: VecDeque<Pending>,
    /// Bytes of their commands.
    pending_bytes: u64,
    /// How many of `pending`, from the front, went to the leader in the present stream.
    sent: usize,
    /// The leader that the present stream goes to, and its term.
    target: Option<(Term, NodeId)>,
    /// Number of the present stream, and how many commands it has carried.
    stream: u64,
    carried: u64,
    /// When to start the stream again if nothing of it is applied, and after how long the next time.
    resend_at: Time,
    resend_after: Span,
    /// Sessions that gave a sign of life since the leader was last told, and when that was.
    touched: BTreeSet<SessionId>,
    told_at: Time,
    /// The last moment at which there was a leader (rule R16).
    led_at: Time,
    /// What other nodes forward to this one while it leads: the stream and how much of it was taken.
    inbound: BTreeMap<NodeId, (u64, u64)>,
    /// Connections that wait for a confirmed read, by its number, in ascending order.
    barriers: VecDeque<(u64, ConnId)>,
    /// Confirmed numbers and the index that must have been applied, both in ascending order.
    confirmed: VecDeque<(u64, Index)>,
    /// Reads up to this number may be answered.
    passed: u64,
}

/// A command that waits to be applied.
#[derive(Clone)]
struct Pending {
    of: PendingOf,
    command: Bytes,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum PendingOf {
    Attach { ticket: u64, conn: ConnId },
    Write { conn: ConnId, number: u64 },
    Wish { ticket: u64 },
}

impl PendingOf {
    const fn conn(self) -> Option<ConnId> {
        match self {
            Self::Attach { conn, .. } | Self::Write { conn, .. } => Some(conn),
            Self::Wish { .. } => None,
        }
    }
}

#[derive(Clone)]
struct Conn {
    address: String,
    /// Whom it speaks for, as of the last request that came.
    ids: Identities,
    state: ConnState,
    /// Number of the last write on this attachment.
    numbered: u64,
    /// Requests without an answer, in order.
    waiting: VecDeque<Waiting>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ConnState {
    Fresh,
    Attaching {
        tag: u64,
    },
    Attached {
        session: SessionId,
        epoch: Index,
    },
    /// Nothing more is taken from it; it goes when what is asked already has been answered.
    Parting {
        session: SessionId,
        epoch: Index,
    },
    /// A session that only this node knows, while there is no leader (protocol section 17).
    ReadOnly {
        session: SessionId,
    },
}

impl ConnState {
    /// Whose requests come here.
    const fn session(self) -> Option<SessionId> {
        match self {
            Self::Attached { session, .. }
            | Self::Parting { session, .. }
            | Self::ReadOnly { session } => Some(session),
            Self::Fresh | Self::Attaching { .. } => None,
        }
    }
}

#[derive(Clone)]
struct Waiting {
    tag: u64,
    what: What,
}

#[derive(Clone)]
pub(super) enum What {
    Write(u64),
    Read(Identities, Read),
    /// A read that sees everything acknowledged before it, with the number of its confirmation.
    Latest(u64, Identities, Read),
    Sync(u64, String),
    /// A page that sees everything acknowledged before it.
    LatestList(u64, Identities, List),
    /// What concerns this connection or this state alone.
    Local(Identities, Request),
    Ping,
    /// The answer was known when the request came, and must only wait for its turn.
    Known(Result<Response, Error>),
    /// The same, and the connection goes with it.
    Parting(Error),
    /// Applied, with this answer, while a change of the members before it was pending.
    Answered(Reply),
}

impl What {
    /// Whether it can be answered once it stands first.
    const fn is_ready(&self, passed: u64) -> bool {
        match self {
            Self::Write(_) => false,
            Self::Read(..)
            | Self::Local(..)
            | Self::Ping
            | Self::Known(_)
            | Self::Parting(_)
            | Self::Answered(_) => true,
            Self::Latest(number, ..) | Self::LatestList(number, ..) | Self::Sync(number, _) => {
                *number <= passed
            }
        }
    }
}

impl Clients {
    pub(super) fn new(incarnation: u64, now: Time, retry: Span) -> Self {
        Self {
            incarnation,
            tickets: 0,
            read_only: BTreeSet::new(),
            conns: BTreeMap::new(),
            serving: BTreeMap::new(),
            attaching: BTreeMap::new(),
            pending: VecDeque::new(),
            pending_bytes: 0,
            sent: 0,
            target: None,
            stream: incarnation,
            carried: 0,
            resend_at: Time::NEVER,
            resend_after: retry,
            touched: BTreeSet::new(),
            told_at: now,
            led_at: now,
            inbound: BTreeMap::new(),
            barriers: VecDeque::new(),
            confirmed: VecDeque::new(),
            passed: 0,
        }
    }

    pub(super) fn views(&self) -> Vec<ConnView> {
        let view = |(conn, c): (&ConnId, &Conn)| ConnView {
            conn: *conn,
            session: c.state.session().unwrap_or_default(),
            address: c.address.clone(),
            pending: c.waiting.len(),
        };
        self.conns.iter().map(view).collect()
    }

    /// Whether a watch of this connection may tell of a change: whoever may not read is told nothing.
    pub(super) fn may_see(&self, conn: ConnId, change: &Change) -> bool {
        let Some(list) = &change.acl else { return true };
        let conn = self.conns.get(&conn);
        conn.is_some_and(|conn| acl::permits(list, conn.ids.all(), Acl::READ))
    }

    /// Commands that wait to be applied.
    pub(super) fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Bytes of the commands that wait to be applied.
    pub(super) fn pending_bytes(&self) -> u64 {
        self.pending_bytes
    }

    fn queue(&mut self, of: PendingOf, command: Bytes) {
        self.pending_bytes += command.len() as u64;
        self.pending.push_back(Pending { of, command });
    }

    /// What other nodes forwarded belongs to a term that is over.
    pub(super) fn forget_inbound(&mut self) {
        self.inbound.clear();
    }

    /// Reads up to this number may be answered once `index` has been applied.
    pub(super) fn confirmed(&mut self, number: u64, index: Index) {
        self.confirmed.push_back((number, index));
    }

    /// Starts the stream to the leader again, from the oldest command.
    pub(super) fn restart_stream(&mut self) {
        self.stream = self.stream.wrapping_add(1);
        self.carried = 0;
        self.sent = 0;
        self.resend_at = Time::NEVER;
    }

    /// The commands that nobody waits for any more leave the queue.
    fn drop_pending_of(&mut self, conn: ConnId) {
        let sent = self.sent;
        let mut place = 0;
        let mut sent_left = sent;
        let bytes = &mut self.pending_bytes;
        self.pending.retain(|pending| {
            let stays = pending.of.conn() != Some(conn);
            if !stays {
                *bytes -= pending.command.len() as u64;
                sent_left -= usize::from(place < sent);
            }
            place += 1;
            stays
        });
        self.sent = sent_left;
    }

    /// A command has been applied: it leaves the queue. Commands are applied in the order of the queue,
    /// so it is at the front unless commands before it went with their connection.
    fn settle(&mut self, of: PendingOf, now: Time, retry: Span) {
        let Some(place) = self.pending.iter().position(|pending| pending.of == of) else {
            return;
        };
        if let Some(settled) = self.pending.remove(place) {
            self.pending_bytes -= settled.command.len() as u64;
        }
        if place < self.sent {
            self.sent -= 1;
        }
        self.resend_after = retry;
        self.resend_at = if self.sent == 0 {
            Time::NEVER
        } else {
            now + retry
        };
    }

    /// Takes what stands first on a connection if it can be answered now, with the connection's session.
    fn next_ready(&mut self, conn: ConnId) -> Option<(SessionId, Waiting)> {
        let passed = self.passed;
        let client = self.conns.get_mut(&conn)?;
        let session = client.state.session()?;
        let is_ready = |waiting: &mut Waiting| waiting.what.is_ready(passed);
        Some((session, client.waiting.pop_front_if(is_ready)?))
    }

    /// Protocol state for the digest.
    pub(super) fn digest(&self, into: &mut impl FnMut(u64)) {
        into(self.incarnation);
        into(self.tickets);
        into(self.stream);
        into(self.carried);
        into(self.sent as u64);
        into(self.pending.len() as u64);
        for (conn, state) in &self.conns {
            into(conn.0);
            into(state.numbered);
            into(state.waiting.len() as u64);
            into(state.state.session().unwrap_or_default().0);
            if let ConnState::Attached { epoch, .. } | ConnState::Parting { epoch, .. } =
                state.state
            {
                into(epoch.0);
            }
        }
    }
}

impl Node {
    pub(super) fn client_opened(&mut self, conn: ConnId, address: String, out: &mut Vec<Output>) {
        if self.clients.conns.len() >= self.config.connections as usize {
            out.push(Output::Hangup {
                conn,
                reason: Hangup::Refused,
            });
            return;
        }
        let fresh = Conn {
            ids: Identities::of_address(&address),
            address,
            state: ConnState::Fresh,
            numbered: 0,
            waiting: VecDeque::new(),
        };
        self.clients.conns.insert(conn, fresh);
    }

    /// The driver vouches for somebody.
    pub(super) fn client_identified(
        &mut self,
        conn: ConnId,
        Identity { scheme, id }: Identity,
        out: &mut Vec<Output>,
    ) {
        let Some(client) = self.clients.conns.get_mut(&conn) else {
            return;
        };
        if client.ids.add(&scheme, id, &self.config).is_err() {
            self.hang_up(conn, Hangup::AuthFailed, out);
        }
    }

    pub(super) fn client_request(
        &mut self,
        conn: ConnId,
        tag: u64,
        request: Request,
        out: &mut Vec<Output>,
    ) {
        // A connection that this node has hung up, and whose driver has not noticed yet.
        let Some(client) = self.clients.conns.get(&conn) else {
            return;
        };
        let full = client.waiting.len() >= self.config.requests_per_connection as usize;
        match (client.state, request) {
            (ConnState::Fresh, Request::Connect(connect)) => self.connect(conn, tag, &connect, out),
            (ConnState::Attached { session, epoch }, request) if !full => {
                let enough = client.ids.suffice(&self.config);
                let ids = client.ids.clone();
                self.sign_of_life(session);
                match request {
                    Request::Auth { scheme, proof } => {
                        self.prove(conn, tag, &scheme, &proof, out);
                    }
                    _ if !enough => {
                        self.part(conn, tag, Error::SessionClosedRequireSaslAuth, out);
                    }
                    Request::Write(op) => {
                        self.write(conn, session, epoch, tag, WriteRequest::Op(op), out);
                    }
                    Request::Multi(ops) => {
                        self.write(conn, session, epoch, tag, WriteRequest::Multi(ops), out);
                    }
                    Request::Sync { path } => {
                        let number = self.barrier(conn);
                        self.wait(conn, tag, What::Sync(number, path), out);
                    }
                    Request::Latest(read) => {
                        let number = self.barrier(conn);
                        self.wait(conn, tag, What::Latest(number, ids, read), out);
                    }
                    Request::Close => {
                        self.write(conn, session, epoch, tag, WriteRequest::Close, out)
                    }
                    Request::Read(read) => self.wait(conn, tag, What::Read(ids, read), out),
                    Request::Reconfig(_) if !self.config.reconfig => {
                        let disabled = Err(Error::ReconfigDisabled);
                        self.wait(conn, tag, What::Known(disabled), out);
                    }
                    Request::Reconfig(request) => {
                        let request = WriteRequest::Reconfig(request);
                        self.write(conn, session, epoch, tag, request, out);
                    }
                    Request::WhoAmI => {
                        let named = What::Known(Ok(ids.named()));
                        self.wait(conn, tag, named, out);
                    }
                    Request::List(list) if list.latest => {
                        let number = self.barrier(conn);
                        self.wait(conn, tag, What::LatestList(number, ids, list), out);
                    }
                    local @ (Request::MultiRead(_)
                    | Request::List(_)
                    | Request::AddWatch { .. }
                    | Request::SetWatches(_)
                    | Request::CheckWatches { .. }
                    | Request::RemoveWatches { .. }) => {
                        self.wait(conn, tag, What::Local(ids, local), out);
                    }
                    Request::Ping => self.wait(conn, tag, What::Ping, out),
                    Request::Connect(_) => self.hang_up(conn, Hangup::Refused, out),
                }
            }
            (ConnState::Parting { .. }, _) => {}
            (ConnState::ReadOnly { .. }, request) => {
                self.read_only_request(conn, tag, request, out);
            }
            (ConnState::Fresh | ConnState::Attaching { .. } | ConnState::Attached { .. }, _) => {
                self.hang_up(conn, Hangup::Refused, out);
            }
        }
    }

    pub(super) fn client_gone(&mut self, conn: ConnId) {
        let Some(client) = self.clients.conns.remove(&conn) else {
            return;
        };
        if let ConnState::Attached { session, .. } | ConnState::Parting { session, .. } =
            client.state
            && self.clients.serving.get(&session) == Some(&conn)
        {
            self.clients.serving.remove(&session);
        }
        self.clients.read_only.remove(&conn);
        self.clients.attaching.retain(|_, waiting| *waiting != conn);
        self.clients.drop_pending_of(conn);
        self.watches.forget(conn);
    }

    pub(super) fn clients_touched(&mut self, conns: &[ConnId]) {
        for conn in conns {
            if let Some(Conn {
                state: ConnState::Attached { session, .. },
                ..
            }) = self.clients.conns.get(conn)
            {
                self.sign_of_life(*session);
            }
        }
    }

    /// Answers a read that nothing stands before, and that leaves nothing behind (rule R1).
    pub(super) fn read_now(&self, conn: ConnId, request: &Request) -> ReadNow {
        let Some(client) = self.clients.conns.get(&conn) else {
            return ReadNow::Later;
        };
        let (ConnState::Attached { session, .. } | ConnState::ReadOnly { session }) = client.state
        else {
            return ReadNow::Later;
        };
        if !client.waiting.is_empty() || !client.ids.suffice(&self.config) || self.halted {
            return ReadNow::Later;
        }
        let ids = client.ids.all();
        let result = match request {
            Request::Read(read) if !read.watch => self.machine.read(session, read, ids),
            Request::MultiRead(reads) => Ok(self.multi_read(session, reads, ids)),
            Request::List(list) if !list.latest => self.list(list, ids),
            Request::Ping => Ok(Response::Pong),
            _ => return ReadNow::Later,
        };
        ReadNow::Now(Reply {
            zxid: self.applied.index,
            result,
        })
    }

    /// Commands of a follower's clients: a leader proposes them, if they continue their stream.
    pub(super) fn forwarded(&mut self, from: NodeId, stream: u64, at: u64, commands: Vec<Bytes>) {
        // The duties of a new leader come before anybody's commands.
        if self.leads != Some(self.raft.term()) || !self.raft.is_leader() {
            return;
        }
        let taken = self.clients.inbound.entry(from).or_insert((stream, 0));
        if taken.0 != stream && at == 0 {
            *taken = (stream, 0);
        }
        // A gap: the rest of this stream is worthless, and the follower will start again.
        if *taken != (stream, at) {
            return;
        }
        for command in commands {
            // What cannot be read would halt every member that applies it.
            if wire::decode_command(&command).is_err() {
                return;
            }
            if self
                .raft
                .propose(self.now, Payload::Command(command))
                .is_err()
            {
                return;
            }
            taken.1 += 1;
        }
    }

    /// Sends or proposes what has not been sent yet, and tells the leader who is alive.
    pub(super) fn flush_clients(&mut self, out: &mut Vec<Output>) {
        let now = self.now;
        let target = self.raft.leader().map(|leader| (self.raft.term(), leader));
        if target.is_some() {
            self.clients.led_at = now;
        }
        if target != self.clients.target {
            self.clients.target = target;
            self.clients.restart_stream();
            self.clients.resend_after = self.config.retry;
        } else if self.clients.resend_at <= now {
            let longer = self.clients.resend_after.times(2).min(RESEND_MAX);
            self.clients.restart_stream();
            self.clients.resend_after = longer;
        }
        let Some((_, leader)) = target else { return };
        if leader == self.config.id {
            self.propose_pending();
        } else {
            self.forward_pending(leader, out);
        }
        self.tell_touched(leader, out);
    }

    fn propose_pending(&mut self) {
        let clients = &mut self.clients;
        while let Some(pending) = clients.pending.get(clients.sent) {
            let payload = Payload::Command(pending.command.clone());
            if self.raft.propose(self.now, payload).is_err() {
                break;
            }
            clients.sent += 1;
        }
        // What a leader proposed stays in its log for as long as it leads.
        clients.resend_at = Time::NEVER;
    }

    fn forward_pending(&mut self, leader: NodeId, out: &mut Vec<Output>) {
        let clients = &mut self.clients;
        while clients.sent < clients.pending.len() {
            let at = clients.carried;
            let mut commands = Vec::new();
            let mut bytes = 0;
            while let Some(pending) = clients.pending.get(clients.sent) {
                bytes += pending.command.len() as u64;
                if !commands.is_empty() && bytes > self.config.append_bytes {
                    break;
                }
                commands.push(pending.command.clone());
                clients.sent += 1;
                clients.carried += 1;
            }
            let message = Message::Forward {
                stream: clients.stream,
                at,
                commands,
            };
            out.push(Output::Send {
                to: leader,
                message,
            });
        }
        if clients.sent > 0 && clients.resend_at == Time::NEVER {
            clients.resend_at = self.now + clients.resend_after;
        }
    }

    /// A follower reports signs of life several times within the shortest session timeout.
    fn tell_touched(&mut self, leader: NodeId, out: &mut Vec<Output>) {
        if self.clients.touched.is_empty() || self.now < self.touch_due() {
            return;
        }
        self.clients.told_at = self.now;
        let touched = core::mem::take(&mut self.clients.touched);
        if leader == self.config.id {
            for session in touched {
                self.touch(session);
            }
        } else {
            let message = Message::Touch {
                sessions: touched.into_iter().collect(),
            };
            out.push(Output::Send {
                to: leader,
                message,
            });
        }
    }

    fn touch_due(&self) -> Time {
        self.clients.told_at + Span(self.config.session_min.0 / 8)
    }

    /// When this part of the node wants to be woken.
    pub(super) fn clients_deadline(&self) -> Time {
        let mut deadline = self.clients.resend_at;
        if !self.clients.touched.is_empty() && self.raft.leader().is_some() {
            deadline = deadline.min(self.touch_due());
        }
        let waits = self.raft.leader().is_none() && !self.is_leaderless();
        if waits && !self.clients.conns.is_empty() {
            deadline = deadline.min(self.clients.led_at + self.config.leaderless_limit);
        }
        deadline
    }

    /// Without a leader for too long, a server lets its clients look for a better one (rule R16); those that
    /// wanted no more than reads stay until there is one.
    pub(super) fn part_when_leaderless(&mut self, out: &mut Vec<Output>) {
        if self.is_leaderless() {
            if self.config.read_only_mode {
                self.keep_read_only(out);
            } else {
                self.hang_up_all(Hangup::Leaderless, out);
            }
        } else if self.raft.leader().is_some() {
            self.end_read_only(out);
        }
    }

    pub(super) fn is_leaderless(&self) -> bool {
        self.raft.leader().is_none()
            && self.clients.led_at + self.config.leaderless_limit <= self.now
    }

    pub(super) fn hang_up_all(&mut self, reason: Hangup, out: &mut Vec<Output>) {
        while let Some(conn) = self.clients.conns.keys().next().copied() {
            self.hang_up(conn, reason, out);
        }
    }

    /// An attachment was applied.
    pub(super) fn attached(
        &mut self,
        origin: &Origin,
        session: SessionId,
        epoch: Index,
        response: Response,
        out: &mut Vec<Output>,
    ) {
        let here = self.take_attaching(origin);
        if let Some(old) = self.clients.serving.remove(&session) {
            self.hang_up(old, Hangup::Moved, out);
        }
        let Some(conn) = here else { return };
        let Some(client) = self.clients.conns.get_mut(&conn) else {
            return;
        };
        let ConnState::Attaching { tag } = client.state else {
            return;
        };
        client.state = ConnState::Attached { session, epoch };
        self.clients.serving.insert(session, conn);
        let reply = Reply {
            zxid: self.applied.index,
            result: Ok(response),
        };
        out.push(Output::Reply { conn, tag, reply });
    }

    /// An attachment was refused when it was applied: the session has ended, or was never there.
    pub(super) fn attach_refused(&mut self, origin: &Origin, out: &mut Vec<Output>) {
        let Some(conn) = self.take_attaching(origin) else {
            return;
        };
        let Some(client) = self.clients.conns.get(&conn) else {
            return;
        };
        if let ConnState::Attaching { tag } = client.state {
            let reply = Reply {
                zxid: self.applied.index,
                result: Ok(Response::Expired),
            };
            out.push(Output::Reply { conn, tag, reply });
        }
        self.hang_up(conn, Hangup::Expired, out);
    }

    /// A command of this node's own that is to run once.
    pub(super) fn next_origin(&mut self) -> Origin {
        self.clients.tickets += 1;
        Origin {
            node: self.config.id,
            incarnation: self.clients.incarnation,
            ticket: self.clients.tickets,
        }
    }

    /// Whether that was made by this life of this node.
    pub(super) fn is_own(&self, origin: &Origin) -> bool {
        origin.node == self.config.id && origin.incarnation == self.clients.incarnation
    }

    /// An operator's command joins the queue.
    pub(super) fn queue_wish(&mut self, ticket: u64, command: Bytes) {
        let of = PendingOf::Wish { ticket };
        self.clients.queue(of, command);
    }

    /// It has been applied.
    pub(super) fn settle_wish(&mut self, origin: &Origin) {
        if self.is_own(origin) {
            let ticket = origin.ticket;
            let of = PendingOf::Wish { ticket };
            self.clients.settle(of, self.now, self.config.retry);
        }
    }

    /// A write has been applied; its answer comes later.
    pub(super) fn settle_write(&mut self, session: SessionId, number: u64) {
        if let Some(&conn) = self.clients.serving.get(&session) {
            let of = PendingOf::Write { conn, number };
            self.clients.settle(of, self.now, self.config.retry);
        }
    }

    fn take_attaching(&mut self, origin: &Origin) -> Option<ConnId> {
        if !self.is_own(origin) {
            return None;
        }
        let conn = self.clients.attaching.remove(&origin.ticket)?;
        let of = PendingOf::Attach {
            ticket: origin.ticket,
            conn,
        };
        self.clients.settle(of, self.now, self.config.retry);
        Some(conn)
    }

    /// A write was applied; whoever waits for it on this node is answered.
    pub(super) fn wrote(
        &mut self,
        session: SessionId,
        epoch: Index,
        number: u64,
        result: Result<Response, Error>,
        out: &mut Vec<Output>,
    ) {
        let Some(&conn) = self.clients.serving.get(&session) else {
            return;
        };
        let Some(client) = self.clients.conns.get_mut(&conn) else {
            return;
        };
        if client.state != (ConnState::Attached { session, epoch })
            && client.state != (ConnState::Parting { session, epoch })
        {
            return;
        }
        let closed = matches!(result, Ok(Response::Closed));
        // Numbers are applied in order and reads wait behind writes, so this write is the first in line;
        // unless a change of the members, which is answered late, is before it.
        let is_it = |waiting: &&mut Waiting| matches!(waiting.what, What::Write(n) if n == number);
        let zxid = self.applied.index;
        if let Some(waiting) = client.waiting.iter_mut().find(is_it) {
            waiting.what = What::Answered(Reply { zxid, result });
        }
        self.serve(conn, out);
        self.clients.settle(
            PendingOf::Write { conn, number },
            self.now,
            self.config.retry,
        );
        if closed {
            self.hang_up(conn, Hangup::Closed, out);
        }
    }

    /// A session has expired.
    pub(super) fn expired(&mut self, session: SessionId, out: &mut Vec<Output>) {
        if let Some(&conn) = self.clients.serving.get(&session) {
            self.hang_up(conn, Hangup::Expired, out);
        }
    }

    fn connect(&mut self, conn: ConnId, tag: u64, connect: &Connect, out: &mut Vec<Output>) {
        if self.is_leaderless() && !self.may_read_only(connect) {
            return self.hang_up(conn, Hangup::Leaderless, out);
        }
        if connect.last_zxid > self.applied.index {
            return self.hang_up(conn, Hangup::Behind, out);
        }
        let (shortest, longest) = (
            self.config.session_min.as_ms(),
            self.config.session_max.as_ms(),
        );
        let timeout_ms = u64::from(connect.timeout_ms).clamp(shortest, longest) as u32;
        if self.is_leaderless() {
            return self.open_read_only(conn, tag, timeout_ms, out);
        }
        let origin = self.next_origin();
        let ticket = origin.ticket;
        let command = if connect.session == SessionId(0) {
            Command::Open {
                origin,
                timeout_ms,
                replaces: connect.replaces,
            }
        } else {
            let (session, password) = (connect.session, connect.password);
            Command::Attach {
                origin,
                session,
                password,
                timeout_ms,
            }
        };
        if let Some(client) = self.clients.conns.get_mut(&conn) {
            client.state = ConnState::Attaching { tag };
        }
        self.clients.attaching.insert(ticket, conn);
        let command = wire::encode_command(&command);
        let of = PendingOf::Attach { ticket, conn };
        self.clients.queue(of, command);
    }

    fn write(
        &mut self,
        conn: ConnId,
        session: SessionId,
        epoch: Index,
        tag: u64,
        request: WriteRequest,
        out: &mut Vec<Output>,
    ) {
        let Some(client) = self.clients.conns.get_mut(&conn) else {
            return;
        };
        let number = client.numbered + 1;
        let closes = matches!(request, WriteRequest::Close);
        let command = wire::encode_command(&Command::Write {
            session,
            epoch,
            number,
            ids: client.ids.all().to_vec(),
            request,
        });
        if command.len() > 2 * self.config.request_bytes as usize {
            return self.hang_up(conn, Hangup::Refused, out);
        }
        // The end of a session frees memory: it is always taken.
        let bytes = self.clients.pending_bytes + command.len() as u64;
        if self.config.pending_bytes < bytes && 0 < self.clients.pending_bytes && !closes {
            let zxid = self.applied.index;
            let result = Err(Error::ThrottledOp);
            return self.wait(conn, tag, What::Answered(Reply { zxid, result }), out);
        }
        client.numbered = number;
        client.waiting.push_back(Waiting {
            tag,
            what: What::Write(number),
        });
        self.clients
            .queue(PendingOf::Write { conn, number }, command);
    }

    pub(super) fn wait(&mut self, conn: ConnId, tag: u64, what: What, out: &mut Vec<Output>) {
        let Some(client) = self.clients.conns.get_mut(&conn) else {
            return;
        };
        client.waiting.push_back(Waiting { tag, what });
        self.serve(conn, out);
    }

    /// The number of a confirmation that begins now. All that are asked for in one step share it.
    fn barrier(&mut self, conn: ConnId) -> u64 {
        let number = self.raft.begin_read(self.now);
        self.clients.barriers.push_back((number, conn));
        number
    }

    /// Answers the reads whose confirmation this node has caught up with.
    pub(super) fn serve_confirmed(&mut self, out: &mut Vec<Output>) {
        let applied = self.applied.index;
        let clients = &mut self.clients;
        while let Some((number, _)) = clients
            .confirmed
            .pop_front_if(|(_, index)| *index <= applied)
        {
            clients.passed = number;
        }
        let passed = clients.passed;
        while let Some((_, conn)) = self
            .clients
            .barriers
            .pop_front_if(|(number, _)| *number <= passed)
        {
            self.serve(conn, out);
        }
    }

    /// Answers what stands first on a connection, up to the next write.
    fn serve(&mut self, conn: ConnId, out: &mut Vec<Output>) {
        let zxid = self.applied.index;
        while let Some((session, Waiting { tag, what })) = self.clients.next_ready(conn) {
            let result = match what {
                What::Answered(reply) => {
                    out.push(Output::Reply { conn, tag, reply });
                    continue;
                }
                What::Sync(_, path) => Ok(Response::Synced { path }),
                What::Read(ids, read) | What::Latest(_, ids, read) => {
                    let result = self.read_and_watch(conn, session, &read, ids.all());
                    if self.config.notes {
                        out.push(Output::Note(Note::ReadServed { conn, zxid }));
                    }
                    result
                }
                What::Known(result) => result,
                What::Parting(error) => {
                    let result = Err(error);
                    let reply = Reply { zxid, result };
                    out.push(Output::Reply { conn, tag, reply });
                    return self.hang_up(conn, Hangup::AuthFailed, out);
                }
                What::LatestList(_, ids, list) => self.list(&list, ids.all()),
                What::Local(ids, request) => {
                    self.answer_local(conn, session, request, ids.all(), out)
                }
                What::Ping | What::Write(_) => Ok(Response::Pong),
            };
            out.push(Output::Reply {
                conn,
                tag,
                reply: Reply { zxid, result },
            });
        }
    }

    fn sign_of_life(&mut self, session: SessionId) {
        if self.raft.is_leader() {
            self.touch(session);
        } else {
            self.clients.touched.insert(session);
        }
    }

    pub(super) fn hang_up(&mut self, conn: ConnId, reason: Hangup, out: &mut Vec<Output>) {
        if self.clients.conns.contains_key(&conn) {
            self.client_gone(conn);
            out.push(Output::Hangup { conn, reason });
        }
    }
}

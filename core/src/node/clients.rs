//! The client side of a node: its connections, and which session each of them serves. Below it lie how a
//! connection comes by its session, the order of its answers, its writes, and the commands that wait to be
//! applied.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;

use self::line::{Waiting, What};
use self::pending::{Inbound, Pending};
use super::access::Identities;
use super::io::Output;
use super::{Node, view::ConnView};
use crate::acl;
use crate::command::{Change, WriteRequest};
use crate::id::{ConnId, Index, NodeId, SessionId, Term};
use crate::request::{Acl, Error, Hangup, Identity, Request};
use crate::time::{Span, Time};

mod alive;
mod attach;
mod line;
mod pending;
mod proof;
mod read_only;
mod write;

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
    /// What other nodes forward to this one while it leads.
    inbound: BTreeMap<NodeId, Inbound>,
    /// Connections that wait for a confirmed read, by its number, in ascending order.
    barriers: VecDeque<(u64, ConnId)>,
    /// Confirmed numbers and the index that must have been applied, both in ascending order.
    confirmed: VecDeque<(u64, Index)>,
    /// Reads up to this number may be answered.
    passed: u64,
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

    /// Whether this client may change the members, as far as this node knows.
    pub(super) fn may_reconfigure(&self, conn: ConnId) -> bool {
        let attached = |client: &&Conn| matches!(client.state, ConnState::Attached { .. });
        let client = self.clients.conns.get(&conn).filter(attached);
        self.config.reconfig
            && client.is_some_and(|client| {
                client.ids.suffice(&self.config) && self.machine.may_reconfigure(client.ids.all())
            })
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
                    Request::Once(once) => {
                        self.write(conn, session, epoch, tag, WriteRequest::Once(once), out);
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
                    | Request::Explain(_)
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

    pub(super) fn hang_up(&mut self, conn: ConnId, reason: Hangup, out: &mut Vec<Output>) {
        if self.clients.conns.contains_key(&conn) {
            self.client_gone(conn);
            out.push(Output::Hangup { conn, reason });
        }
    }

    pub(super) fn hang_up_all(&mut self, reason: Hangup, out: &mut Vec<Output>) {
        while let Some(conn) = self.clients.conns.keys().next().copied() {
            self.hang_up(conn, reason, out);
        }
    }
}

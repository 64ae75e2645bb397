//! How a connection comes by its session. Attaching is a command like a write (rule R14): the connection
//! waits until its own has been applied, or refused.

use alloc::vec::Vec;

use super::ConnState;
use super::pending::PendingOf;
use crate::command::{Command, Origin};
use crate::id::{ConnId, Index, SessionId};
use crate::node::Node;
use crate::node::io::Output;
use crate::request::{Connect, Hangup, Reply, Response};
use crate::wire;

impl Node {
    pub(super) fn connect(
        &mut self,
        conn: ConnId,
        tag: u64,
        connect: &Connect,
        out: &mut Vec<Output>,
    ) {
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

    /// An attachment was applied.
    pub(in crate::node) fn attached(
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
    pub(in crate::node) fn attach_refused(&mut self, origin: &Origin, out: &mut Vec<Output>) {
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
    pub(in crate::node) fn next_origin(&mut self) -> Origin {
        self.clients.tickets += 1;
        Origin {
            node: self.config.id,
            incarnation: self.clients.incarnation,
            ticket: self.clients.tickets,
        }
    }

    /// Whether that was made by this life of this node.
    pub(in crate::node) fn is_own(&self, origin: &Origin) -> bool {
        origin.node == self.config.id && origin.incarnation == self.clients.incarnation
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

    /// A session has expired.
    pub(in crate::node) fn expired(&mut self, session: SessionId, out: &mut Vec<Output>) {
        if let Some(&conn) = self.clients.serving.get(&session) {
            self.hang_up(conn, Hangup::Expired, out);
        }
    }
}

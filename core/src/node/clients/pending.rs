//! The commands that wait to be applied, and their way to the leader.
//!
//! Every change a client asks for becomes a command in `pending`, in the order of arrival over all
//! connections. A leader proposes them itself; a follower forwards them. They stay in `pending` until they
//! have been applied here, and are sent again, in order and from the oldest on, whenever the leader changes
//! or nothing comes of them. The state machine runs each of them once and in order (rule R14), so a command
//! that travels twice does no harm.

use alloc::vec::Vec;

use bytes::Bytes;

use super::Clients;
use crate::command::{Command, Origin};
use crate::id::{ConnId, NodeId, SessionId};
use crate::message::Message;
use crate::node::Node;
use crate::node::io::Output;
use crate::raft::message::Payload;
use crate::time::{Span, Time};
use crate::wire;

/// Longest pause between two attempts to have the same commands applied.
const RESEND_MAX: Span = Span::from_ms(4_000);

/// A command that waits to be applied.
#[derive(Clone)]
pub(super) struct Pending {
    of: PendingOf,
    command: Bytes,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum PendingOf {
    Attach { ticket: u64, conn: ConnId },
    Write { conn: ConnId, number: u64 },
    Wish { ticket: u64 },
}

/// What was taken of another node's stream.
#[derive(Clone)]
pub(super) struct Inbound {
    stream: u64,
    /// Commands of it.
    taken: u64,
    /// When something of it came last.
    heard: Time,
}

impl PendingOf {
    const fn conn(self) -> Option<ConnId> {
        match self {
            Self::Attach { conn, .. } | Self::Write { conn, .. } => Some(conn),
            Self::Wish { .. } => None,
        }
    }
}

impl Clients {
    /// Commands that wait to be applied.
    pub(in crate::node) fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Bytes of the commands that wait to be applied.
    pub(in crate::node) fn pending_bytes(&self) -> u64 {
        self.pending_bytes
    }

    pub(super) fn queue(&mut self, of: PendingOf, command: Bytes) {
        self.pending_bytes += command.len() as u64;
        self.pending.push_back(Pending { of, command });
    }

    /// What other nodes forwarded belongs to a term that is over.
    pub(in crate::node) fn forget_inbound(&mut self) {
        self.inbound.clear();
    }

    /// What was taken of a member's stream. Beyond the limit the one that was silent for longest is forgotten:
    /// if it goes on, there is a gap, and it starts again.
    fn inbound_of(&mut self, from: NodeId, stream: u64, now: Time, limit: usize) -> &mut Inbound {
        let silent = |(id, inbound): (&NodeId, &Inbound)| (inbound.heard, *id);
        if limit <= self.inbound.len()
            && !self.inbound.contains_key(&from)
            && let Some((_, oldest)) = self.inbound.iter().map(silent).min()
        {
            self.inbound.remove(&oldest);
        }
        let inbound = self.inbound.entry(from).or_insert(Inbound {
            stream,
            taken: 0,
            heard: now,
        });
        inbound.heard = now;
        inbound
    }

    /// How many members' streams are remembered.
    #[cfg(test)]
    pub(in crate::node) fn inbound(&self) -> usize {
        self.inbound.len()
    }

    /// Starts the stream to the leader again, from the oldest command.
    pub(in crate::node) fn restart_stream(&mut self) {
        self.stream = self.stream.wrapping_add(1);
        self.carried = 0;
        self.sent = 0;
        self.resend_at = Time::NEVER;
    }

    /// The commands that nobody waits for any more leave the queue.
    pub(super) fn drop_pending_of(&mut self, conn: ConnId) {
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
    pub(super) fn settle(&mut self, of: PendingOf, now: Time, retry: Span) {
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
}

impl Node {
    /// Commands of a follower's clients: a leader proposes them, if they continue their stream.
    pub(in crate::node) fn forwarded(
        &mut self,
        from: NodeId,
        stream: u64,
        at: u64,
        commands: Vec<Bytes>,
    ) {
        // The duties of a new leader come before anybody's commands.
        if self.leads != Some(self.raft.term()) || !self.raft.is_leader() {
            return;
        }
        let limit = self.config.forward_streams as usize;
        let inbound = self.clients.inbound_of(from, stream, self.now, limit);
        if inbound.stream != stream && at == 0 {
            (inbound.stream, inbound.taken) = (stream, 0);
        }
        // A gap: the rest of this stream is worthless, and the follower will start again.
        if (inbound.stream, inbound.taken) != (stream, at) {
            return;
        }
        for command in commands {
            // What cannot be read would halt every member that applies it.
            let Ok(read) = wire::decode_command(&command) else {
                return;
            };
            if self
                .raft
                .propose(self.now, Payload::Command(command))
                .is_err()
            {
                return;
            }
            inbound.taken += 1;
            // A sign of life now and not only when it is applied: the session's end may be under way, and would come
            // behind this in the log.
            if let Command::Write { session, epoch, .. } = read
                && self
                    .machine
                    .session(session)
                    .is_some_and(|known| known.epoch == epoch)
            {
                self.deadlines.touch(self.now, session);
            }
        }
    }

    /// Sends or proposes what has not been sent yet, and tells the leader who is alive.
    pub(in crate::node) fn flush_clients(&mut self, out: &mut Vec<Output>) {
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

    /// An operator's command joins the queue.
    pub(in crate::node) fn queue_wish(&mut self, ticket: u64, command: Bytes) {
        let of = PendingOf::Wish { ticket };
        self.clients.queue(of, command);
    }

    /// It has been applied.
    pub(in crate::node) fn settle_wish(&mut self, origin: &Origin) {
        if self.is_own(origin) {
            let ticket = origin.ticket;
            let of = PendingOf::Wish { ticket };
            self.clients.settle(of, self.now, self.config.retry);
        }
    }

    /// A write has been applied; its answer comes later.
    pub(in crate::node) fn settle_write(&mut self, session: SessionId, number: u64) {
        if let Some(&conn) = self.clients.serving.get(&session) {
            let of = PendingOf::Write { conn, number };
            self.clients.settle(of, self.now, self.config.retry);
        }
    }
}

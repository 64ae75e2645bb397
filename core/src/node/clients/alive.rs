//! Signs of life: what clients give and the leader is told of, and what a server without a leader does with
//! its clients (rule R16).

use alloc::vec::Vec;

use super::{Conn, ConnState};
use crate::id::{ConnId, NodeId, SessionId};
use crate::message::Message;
use crate::node::Node;
use crate::node::io::Output;
use crate::request::Hangup;
use crate::time::{Span, Time};

impl Node {
    pub(in crate::node) fn clients_touched(&mut self, conns: &[ConnId]) {
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

    pub(super) fn sign_of_life(&mut self, session: SessionId) {
        if self.raft.is_leader() {
            self.touch(session);
        } else {
            self.clients.touched.insert(session);
        }
    }

    /// A follower reports signs of life several times within the shortest session timeout.
    pub(super) fn tell_touched(&mut self, leader: NodeId, out: &mut Vec<Output>) {
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
    pub(in crate::node) fn clients_deadline(&self) -> Time {
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
    pub(in crate::node) fn part_when_leaderless(&mut self, out: &mut Vec<Output>) {
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
}

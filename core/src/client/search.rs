//! The search for a server and the life of the session: connections and their ends, signs of life and doubts. It
//! knows of calls only that they wait.

use alloc::vec::Vec;

use super::watches::Watches;
use super::{Client, Event, Output, Purpose, State};
use crate::id::SessionId;
use crate::request::{Connect, Hangup, Reply, Request, Response};
use crate::time::{Span, Time};

impl Client {
    pub(super) fn wake(&mut self, now: Time, out: &mut Vec<Output>) {
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
    pub(super) fn gives_up(&self) -> Time {
        let patience = match self.state {
            State::Attached => Span(self.timeout.0 / 3 * 2),
            _ => self.config.attach_limit,
        };
        self.heard + patience
    }

    pub(super) fn pings(&self) -> Time {
        self.asked + Span(self.timeout.0 / 3)
    }

    pub(super) fn doubts(&self) -> Time {
        if self.session == SessionId(0) || self.is_unsure || self.is_gone() {
            Time::NEVER
        } else {
            self.sure_until
        }
    }

    pub(super) fn is_open(&self, link: u64) -> bool {
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

    pub(super) fn hang_up(&mut self, now: Time, out: &mut Vec<Output>) {
        if self.server().is_some() {
            out.push(Output::Close { link: self.link });
            self.lost(now, None, out);
        }
    }

    pub(super) fn lost(&mut self, now: Time, reason: Option<Hangup>, out: &mut Vec<Output>) {
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

    pub(super) fn attached(&mut self, now: Time, asked: Time, reply: Reply, out: &mut Vec<Output>) {
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
    pub(super) fn is_sure(&mut self, sent: Time, out: &mut Vec<Output>) {
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

    pub(super) fn closed(&mut self, out: &mut Vec<Output>) {
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
}

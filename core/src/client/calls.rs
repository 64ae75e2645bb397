//! The calls: each is sent under a tag, its answer is found again, and what a broken connection left without
//! one is asked again on the next, or given up.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::{Client, Event, Outcome, Output, Pending, Purpose, Waiting};
use crate::request::{Change, Error, Once, Read, Reply, Request, Response};
use crate::time::Time;

impl Client {
    pub(super) fn call(&mut self, now: Time, id: u64, request: Request, out: &mut Vec<Output>) {
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

    pub(super) fn send(
        &mut self,
        now: Time,
        request: Request,
        purpose: Purpose,
        out: &mut Vec<Output>,
    ) {
        let number = match request {
            Request::Write(_) | Request::Multi(_) if self.config.repeat => {
                self.last_number += 1;
                Some(self.last_number)
            }
            _ => None,
        };
        self.send_as(now, request, number, false, purpose, out);
    }

    pub(super) fn send_as(
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

    pub(super) fn returned(&mut self, now: Time, tag: u64, reply: Reply, out: &mut Vec<Output>) {
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

    /// What was asked and not answered is asked again on the next connection, before anything newer.
    pub(super) fn put_back_pending(&mut self, out: &mut Vec<Output>) {
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

    pub(super) fn give_up_pending(&mut self, out: &mut Vec<Output>) {
        for pending in core::mem::take(&mut self.pending) {
            if let Purpose::Call(id) = pending.purpose {
                let outcome = Outcome::Unknown;
                self.tell(Event::Done { id, outcome }, out);
            }
        }
    }

    pub(super) fn give_up_waiting(&mut self, out: &mut Vec<Output>) {
        for Waiting { id, was_sent, .. } in core::mem::take(&mut self.waiting) {
            let outcome = match was_sent {
                true => Outcome::Unknown,
                false => Outcome::Unsent,
            };
            self.tell(Event::Done { id, outcome }, out);
        }
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

//! What a client of the workload does next: registers that several clients set, znodes that come and
//! go, a queue of sequential ones, transactions, reads with watches, and a session that moves, ends or
//! is left to expire. Every write carries its mark, so that the oracle knows it again.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::vec;

use bytes::Bytes;

use super::ClientId;
use super::oracle::{QUEUE, REGISTERS, TOGGLES, mark_text};
use crate::id::SessionId;
use crate::request::{Acl, CreateMode, Error, Op, Read, ReadKind, Reply, Request, Response};
use crate::rng::Rng;
use crate::time::{Span, Time};

/// Sequential znodes that a client leaves standing before it deletes its oldest.
const ITEMS: usize = 6;

/// What comes next.
pub(super) enum Next {
    Ask(Request),
    /// Nothing now.
    Wait,
    /// To another member, with the session.
    Move,
    /// Ends the session.
    Leave,
    /// Forgets the session, which will expire.
    Abandon,
}

#[derive(Clone)]
pub(super) struct Worker {
    rng: Rng,
    write_per_mille: u32,
    /// Mean time from one operation to the next; none stops it.
    interval: Option<Span>,
    next: Time,
    /// Registers that it has to make first.
    to_make: VecDeque<String>,
    /// Its sequential znodes, oldest first, with the session that each goes with.
    items: VecDeque<(String, SessionId)>,
    /// Data versions as last seen.
    versions: [i32; REGISTERS as usize],
}

impl Worker {
    /// Worker `number` of `workers`.
    pub(super) fn new(
        number: u64,
        workers: u64,
        write_per_mille: u32,
        now: Time,
        rng: Rng,
    ) -> Self {
        let mine = (0..REGISTERS).filter(|register| register % workers == number);
        let mut to_make: VecDeque<String> = mine.map(|register| format!("/k{register}")).collect();
        if number == 0 {
            to_make.push_front(QUEUE.into());
        }
        let versions = [0; REGISTERS as usize];
        Self {
            rng,
            write_per_mille,
            interval: None,
            next: now,
            to_make,
            items: VecDeque::new(),
            versions,
        }
    }

    pub(super) const fn next(&self) -> Time {
        if self.interval.is_none() {
            Time::NEVER
        } else {
            self.next
        }
    }

    pub(super) fn pace(&mut self, interval: Span) {
        self.interval = (interval.0 != 0).then_some(interval);
    }

    pub(super) fn forget_session(&mut self) {
        self.items.retain(|(_, session)| *session == SessionId(0));
    }

    /// The next operation; `tag` is what its call will be numbered.
    pub(super) fn draw(&mut self, now: Time, client: ClientId, tag: u64) -> Next {
        let Some(interval) = self.interval else {
            return Next::Wait;
        };
        let mean = interval.0;
        self.next = now + Span(self.rng.between(mean / 2, mean + mean / 2));
        let mark = mark_text(client, tag);
        if let Some(path) = self.to_make.front() {
            return Next::Ask(Request::Write(create(
                path.clone(),
                mark,
                CreateMode::Persistent,
            )));
        }
        if self.rng.chance(self.write_per_mille) {
            return Next::Ask(self.write(mark));
        }
        match self.rng.below(1_000) {
            0..4 => Next::Move,
            4..6 => Next::Leave,
            6..8 => Next::Abandon,
            _ => Next::Ask(self.read()),
        }
    }

    /// What an answer changes in what it will do.
    pub(super) fn answer(&mut self, request: &Request, reply: &Reply) {
        match (request, &reply.result) {
            (Request::Write(Op::Create { path, .. }), result)
                if self.to_make.front() == Some(path)
                    && (result.is_ok() || *result == Err(Error::NodeExists)) =>
            {
                self.to_make.pop_front();
            }
            (Request::Write(Op::Create { mode, .. }), Ok(Response::Created { path, stat }))
                if mode.is_sequential() =>
            {
                let owner = stat.map_or(SessionId(0), |stat| stat.ephemeral_owner);
                self.items.push_back((path.clone(), owner));
            }
            (Request::Read(read) | Request::Latest(read), Ok(Response::Data { stat, .. })) => {
                if let Some(version) = register(&read.path).and_then(|n| self.versions.get_mut(n)) {
                    *version = stat.version;
                }
            }
            _ => {}
        }
    }

    fn write(&mut self, mark: String) -> Request {
        let register = self.rng.below(REGISTERS);
        let toggle = self.rng.below(TOGGLES);
        match self.rng.below(100) {
            0..40 => Request::Write(set(register, mark, -1)),
            40..52 => {
                let version = self.versions[register as usize];
                Request::Write(set(register, mark, version))
            }
            52..62 => {
                let ephemeral = self.rng.chance(500);
                let mode = if ephemeral {
                    CreateMode::Ephemeral
                } else {
                    CreateMode::Persistent
                };
                Request::Write(create(format!("/t{toggle}"), mark, mode))
            }
            62..70 => Request::Write(Op::Delete {
                path: format!("/t{toggle}"),
                version: -1,
            }),
            70..86 => {
                if ITEMS <= self.items.len()
                    && let Some((path, _)) = self.items.pop_front()
                {
                    return Request::Write(Op::Delete { path, version: -1 });
                }
                let ephemeral = self.rng.chance(500);
                let mode = if ephemeral {
                    CreateMode::EphemeralSequential
                } else {
                    CreateMode::PersistentSequential
                };
                Request::Write(create(format!("{QUEUE}/{mark}-"), mark, mode))
            }
            _ => {
                let other = (register + 1 + self.rng.below(REGISTERS - 1)) % REGISTERS;
                let mut ops = vec![set(register, mark.clone(), -1), set(other, mark, -1)];
                if self.rng.chance(300) {
                    let version = self.versions[register as usize];
                    ops.insert(
                        0,
                        Op::Check {
                            path: format!("/k{register}"),
                            version,
                        },
                    );
                }
                Request::Multi(ops)
            }
        }
    }

    fn read(&mut self) -> Request {
        let register = self.rng.below(REGISTERS);
        let toggle = self.rng.below(TOGGLES);
        let watch = self.rng.chance(300);
        let (kind, path) = match self.rng.below(100) {
            0..55 => (ReadKind::Data, format!("/k{register}")),
            55..70 => (ReadKind::Exists, format!("/t{toggle}")),
            70..80 => (ReadKind::Data, format!("/t{toggle}")),
            80..94 => (ReadKind::Children, QUEUE.into()),
            _ => {
                return Request::Sync {
                    path: format!("/k{register}"),
                };
            }
        };
        let read = Read { kind, path, watch };
        match self.rng.chance(150) {
            true => Request::Latest(read),
            false => Request::Read(read),
        }
    }
}

fn register(path: &str) -> Option<usize> {
    path.strip_prefix("/k")?.parse().ok()
}

fn set(register: u64, mark: String, version: i32) -> Op {
    Op::SetData {
        path: format!("/k{register}"),
        data: Some(Bytes::from(mark)),
        version,
    }
}

fn create(path: String, mark: String, mode: CreateMode) -> Op {
    Op::Create {
        path,
        data: Some(Bytes::from(mark)),
        acl: vec![Acl::open()],
        mode,
        stat: true,
    }
}

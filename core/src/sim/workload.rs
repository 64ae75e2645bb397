//! What a client of the workload does next: registers that several clients set, znodes that come and
//! go, a queue of sequential ones, transactions, reads with watches, and a session that moves, ends or
//! is left to expire; and the rest of the service (`service`). Every write carries its mark, so that the
//! oracle knows it again.

mod service;

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;

use self::service::{Service, guard};
use super::ClientId;
use super::oracle::{GUARDED, MORTALS, QUEUE, REGISTERS, TOGGLES, mark_text};
use crate::id::SessionId;
use crate::request::{
    Acl, CreateMode, Error, Op, Read, ReadKind, Reply, Request, Response, WatchMode,
};
use crate::rng::Rng;
use crate::time::{Span, Time};

/// Sequential znodes that a client leaves standing before it deletes its oldest.
const ITEMS: usize = 6;
/// So many operations are of the rest of the service.
const SERVICE_PER_MILLE: u32 = 250;

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
    /// Znodes that it has to make first.
    to_make: VecDeque<String>,
    /// Its sequential znodes, oldest first, with the session that each goes with.
    items: VecDeque<(String, SessionId)>,
    /// Data versions as last seen.
    versions: [i32; REGISTERS as usize],
    service: Service,
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
            to_make.push_front(MORTALS.into());
            to_make.push_front(QUEUE.into());
        }
        let guarded = (0..GUARDED).filter(|guarded| guarded % workers == number);
        to_make.extend(guarded.map(|guarded| format!("/a{guarded}")));
        let versions = [0; REGISTERS as usize];
        Self {
            rng,
            write_per_mille,
            interval: None,
            next: now,
            to_make,
            items: VecDeque::new(),
            versions,
            service: Service::new(number),
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

    /// Whom it speaks for, of the oracle's users.
    pub(super) fn who(&self) -> Option<u64> {
        self.service.who()
    }

    /// Another client takes its place.
    pub(super) const fn begin_anew(&mut self) {
        self.service.begin_anew();
    }

    /// The next operation; `tag` is what its call will be numbered, and `stays` its watch that stays.
    pub(super) fn draw(
        &mut self,
        now: Time,
        client: ClientId,
        tag: u64,
        stays: Option<(&str, WatchMode)>,
    ) -> Next {
        let Some(interval) = self.interval else {
            return Next::Wait;
        };
        let mean = interval.0;
        self.next = now + Span(self.rng.between(mean / 2, mean + mean / 2));
        let mark = mark_text(client, tag);
        if let Some(path) = self.to_make.front() {
            let guard = path.starts_with("/a").then(|| guard(&mut self.rng, &mark));
            let mut op = create(path.clone(), mark, CreateMode::Persistent);
            if let (Op::Create { acl, .. }, Some(guard)) = (&mut op, guard) {
                *acl = guard;
            }
            return Next::Ask(Request::Write(op));
        }
        if self.rng.chance(SERVICE_PER_MILLE) {
            return Next::Ask(self.service.draw(&mut self.rng, mark, stays));
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
        self.service.answer(request, reply);
        match (request, &reply.result) {
            (Request::Write(Op::Create { path, .. }), result)
                if self.to_make.front() == Some(path)
                    && (result.is_ok() || *result == Err(Error::NodeExists)) =>
            {
                self.to_make.pop_front();
            }
            (Request::Write(op), Ok(response)) => self.made(op, response),
            (Request::Multi(ops), Ok(Response::Multi(results))) => {
                let done = results.iter().filter_map(|result| result.as_ref().ok());
                ops.iter()
                    .zip(done)
                    .for_each(|(op, response)| self.made(op, response));
            }
            (Request::Read(read) | Request::Latest(read), Ok(Response::Data { stat, .. })) => {
                if let Some(version) = register(&read.path).and_then(|n| self.versions.get_mut(n)) {
                    *version = stat.version;
                }
            }
            _ => {}
        }
    }

    /// Remembers a sequential znode of its own.
    fn made(&mut self, op: &Op, response: &Response) {
        if let (Op::Create { mode, .. }, Response::Created { path, stat }) = (op, response)
            && mode.is_sequential()
        {
            let owner = stat.map_or(SessionId(0), |stat| stat.ephemeral_owner);
            self.items.push_back((path.clone(), owner));
        }
    }

    fn write(&mut self, mark: String) -> Request {
        let register = self.rng.below(REGISTERS);
        match self.rng.below(100) {
            0..38 => Request::Write(set(format!("/k{register}"), mark, -1)),
            38..50 => {
                let version = self.versions[register as usize];
                Request::Write(set(format!("/k{register}"), mark, version))
            }
            50..68 => Request::Write(self.toggle(mark)),
            68..84 => {
                if ITEMS <= self.items.len()
                    && let Some((path, _)) = self.items.pop_front()
                {
                    return Request::Write(Op::Delete { path, version: -1 });
                }
                Request::Write(self.enqueue(mark))
            }
            _ => Request::Multi(self.several(register, mark)),
        }
    }

    /// Makes, changes or deletes a znode that comes and goes.
    fn toggle(&mut self, mark: String) -> Op {
        let path = format!("/t{}", self.rng.below(TOGGLES));
        let version = match self.rng.chance(200) {
            true => self.rng.below(3) as i32,
            false => -1,
        };
        match self.rng.below(100) {
            0..30 => create(path, mark, CreateMode::Persistent),
            30..55 => create(path, mark, CreateMode::Ephemeral),
            55..65 => set(path, mark, version),
            _ => Op::Delete { path, version },
        }
    }

    /// A sequential znode.
    fn enqueue(&mut self, mark: String) -> Op {
        let mode = match self.rng.chance(500) {
            true => CreateMode::EphemeralSequential,
            false => CreateMode::PersistentSequential,
        };
        create(format!("{QUEUE}/{mark}-"), mark, mode)
    }

    /// Two registers, and sometimes more: all or nothing. A check of an old version, and a toggle that is
    /// not as it should be, make nothing of it.
    fn several(&mut self, register: u64, mark: String) -> Vec<Op> {
        let other = (register + 1 + self.rng.below(REGISTERS - 1)) % REGISTERS;
        let mut ops = Vec::new();
        if self.rng.chance(300) {
            let version = self.versions[register as usize];
            let path = format!("/k{register}");
            ops.push(Op::Check { path, version });
        }
        ops.push(set(format!("/k{register}"), mark.clone(), -1));
        if self.rng.chance(250) {
            ops.push(self.toggle(mark.clone()));
        }
        if self.rng.chance(250) {
            ops.push(self.enqueue(mark.clone()));
        }
        ops.push(set(format!("/k{other}"), mark, -1));
        ops
    }

    fn read(&mut self) -> Request {
        let register = self.rng.below(REGISTERS);
        let toggle = self.rng.below(TOGGLES);
        let watch = self.rng.chance(300);
        let (kind, path) = match self.rng.below(100) {
            0..50 => (ReadKind::Data, format!("/k{register}")),
            50..55 => (ReadKind::Exists, format!("/k{register}")),
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

const fn read(kind: ReadKind, path: String) -> Read {
    let watch = false;
    Read { kind, path, watch }
}

fn set(path: String, mark: String, version: i32) -> Op {
    Op::SetData {
        path,
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

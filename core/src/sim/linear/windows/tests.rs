//! Histories of clients of a small service, most of them changed in one place, judged in windows and as a
//! whole at many moments: both say the same.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use alloc::{borrow::ToOwned, vec};

use super::*;
use crate::id::{Index, NodeId};
use crate::request::{CreateMode, Error, Op, Read, ReadKind, Reply, Response, Stat};
use crate::rng::Rng;

const HISTORIES: u64 = 1_500;
const CALLS: usize = 60;

/// Znodes with data and version, and the next number under each parent.
#[derive(Default)]
struct Service {
    znodes: BTreeMap<String, (Option<Bytes>, i32)>,
    next: BTreeMap<String, u64>,
}

impl Service {
    fn answer(&mut self, request: &Request) -> Result<Response, Error> {
        match request {
            Request::Write(op) => self.act(op),
            Request::Multi(ops) => {
                let before = self.znodes.clone();
                let mut results = Vec::new();
                for op in ops {
                    results.push(self.act(op));
                }
                if let Some(at) = results.iter().position(Result::is_err) {
                    self.znodes = before;
                    for (number, result) in results.iter_mut().enumerate() {
                        match number {
                            _ if number < at => *result = Err(Error::Ok),
                            _ if at < number => *result = Err(Error::RuntimeInconsistency),
                            _ => {}
                        }
                    }
                }
                Ok(Response::Multi(results))
            }
            Request::Latest(read) | Request::Read(read) => {
                let (data, version) = self.znodes.get(&read.path).cloned().ok_or(Error::NoNode)?;
                let stat = Stat {
                    version,
                    ..Stat::default()
                };
                Ok(Response::Data { data, stat })
            }
            _ => Ok(Response::Synced { path: "/".into() }),
        }
    }

    fn act(&mut self, op: &Op) -> Result<Response, Error> {
        let stat = |version| Stat {
            version,
            ..Stat::default()
        };
        match op {
            Op::Create {
                path, data, mode, ..
            } => {
                let mut path = path.clone();
                if mode.is_sequential() {
                    let parent = path[..path.rfind('/').unwrap_or(0)].to_owned();
                    let next = self.next.entry(parent).or_default();
                    path += &format!("{next:010}");
                    *next += 1;
                }
                if self.znodes.contains_key(&path) {
                    return Err(Error::NodeExists);
                }
                self.znodes.insert(path.clone(), (data.clone(), 0));
                Ok(Response::Created { path, stat: None })
            }
            Op::SetData {
                path,
                data,
                version,
            } => {
                let znode = self.znodes.get_mut(path).ok_or(Error::NoNode)?;
                if *version != -1 && *version != znode.1 {
                    return Err(Error::BadVersion);
                }
                *znode = (data.clone(), znode.1 + 1);
                Ok(Response::Stat(stat(znode.1)))
            }
            Op::Check { path, version } => {
                let znode = self.znodes.get(path).ok_or(Error::NoNode)?;
                match *version == -1 || *version == znode.1 {
                    true => Ok(Response::Checked),
                    false => Err(Error::BadVersion),
                }
            }
            Op::Delete { path, .. } => {
                self.znodes.remove(path).ok_or(Error::NoNode)?;
                self.next.remove(path);
                Ok(Response::Deleted)
            }
            Op::SetAcl { .. } => Ok(Response::Stat(stat(0))),
        }
    }
}

/// What clients ask.
struct Asks {
    /// Whether values come again.
    few_values: bool,
    /// Also what hides znodes and parents.
    hides: bool,
    per_mille_unknown: u32,
}

impl Asks {
    fn data(&self, rng: &mut Rng, number: usize) -> Option<Bytes> {
        let value = match self.few_values {
            true => rng.below(3) as usize,
            false => number,
        };
        Some(Bytes::from(format!("{value}")))
    }

    fn draw(&self, rng: &mut Rng, number: usize) -> Request {
        let path = ["/a", "/b", "/c"][rng.below(3) as usize].to_owned();
        let other = ["/a", "/b"][rng.below(2) as usize].to_owned();
        let data = self.data(rng, number);
        let create = |path, data, mode| Op::Create {
            path,
            data,
            acl: vec![],
            mode,
            stat: false,
        };
        let set = |path, data, version| Op::SetData {
            path,
            data,
            version,
        };
        let read = |path| Read {
            kind: ReadKind::Data,
            path,
            watch: false,
        };
        if self.hides && rng.chance(150) {
            return Request::Write(match rng.below(5) {
                0 => create(path, data, CreateMode::Ephemeral),
                1 => create("/q".into(), data, CreateMode::Persistent),
                2 => create("/q".into(), data, CreateMode::Container),
                3 => create("/d".into(), data, CreateMode::PersistentSequential),
                _ => Op::Delete {
                    path: "/q".into(),
                    version: -1,
                },
            });
        }
        match rng.below(20) {
            0..2 => Request::Write(create(path, data, CreateMode::Persistent)),
            2..7 => Request::Write(set(path, data, -1)),
            7 => Request::Write(set(path, data, rng.below(4) as i32)),
            8 if rng.chance(500) => Request::Write(Op::Delete { path, version: -1 }),
            8..10 => {
                let version = if rng.chance(300) { 1 } else { -1 };
                let check = Op::Check {
                    path: path.clone(),
                    version,
                };
                Request::Multi(vec![check, set(other, data, -1)])
            }
            10 => Request::Multi(vec![
                set(path, data.clone(), -1),
                create("/q/m-".into(), data, CreateMode::PersistentSequential),
            ]),
            11..13 => {
                let mode = CreateMode::PersistentSequential;
                Request::Write(create("/q/n-".into(), data, mode))
            }
            13..15 => Request::Sync { path: "/".into() },
            15 if self.hides => Request::Latest(read(format!("/d{:010}", rng.below(3)))),
            15..18 => Request::Latest(read(path)),
            _ => Request::Read(read(path)),
        }
    }
}

/// A call, and the numbers of the events in which it began and ended.
struct Made {
    call: Call,
    begun: usize,
    ended: usize,
}

/// The calls of each client, and the moment of each event.
struct Course {
    clients: Vec<Vec<Made>>,
    moments: Vec<Time>,
}

impl Course {
    fn draw(rng: &mut Rng, asks: &Asks) -> Self {
        let count = rng.between(2, 5);
        let mut course = Self {
            clients: (0..count).map(|_| Vec::new()).collect(),
            moments: vec![Time(1)],
        };
        let mut service = Service::default();
        // What a client waits for: the answer, once it is made. And what may be done without anybody waiting.
        let mut open: Vec<Option<Option<Result<Response, Error>>>> =
            (0..count).map(|_| None).collect();
        let mut strays: Vec<Request> = Vec::new();
        let mut calls = 0;
        // Now and then nobody asks for a while.
        let mut lull = 0_u64;
        while calls < CALLS || open.iter().any(Option::is_some) && rng.chance(950) {
            let last = course.moments[course.moments.len() - 1];
            let now = Time(last.0 + rng.below(3));
            let event = course.moments.len();
            lull = lull.saturating_sub(1);
            if rng.chance(30) {
                lull = 12;
            }
            if rng.chance(60) && !strays.is_empty() {
                let stray = strays.swap_remove(rng.below(strays.len() as u64) as usize);
                let _ = service.answer(&stray);
            }
            let who = rng.below(count) as usize;
            let made = &mut course.clients[who];
            match &mut open[who] {
                None if calls < CALLS && lull == 0 => {
                    calls += 1;
                    made.push(Made {
                        call: Call {
                            tag: made.len() as u64 + 1,
                            node: NodeId(1),
                            request: asks.draw(rng, calls),
                            invoked: now,
                            end: None,
                        },
                        begun: event,
                        ended: usize::MAX,
                    });
                    open[who] = Some(None);
                }
                None => continue,
                Some(result) => {
                    let Some(last) = made.last_mut() else {
                        continue;
                    };
                    let is_lost = rng.chance(asks.per_mille_unknown);
                    if result.is_none() && !is_lost {
                        *result = Some(service.answer(&last.call.request));
                        continue;
                    }
                    if result.is_none() {
                        strays.push(last.call.request.clone());
                    }
                    last.ended = event;
                    last.call.end = Some(match result.take().filter(|_| !is_lost) {
                        Some(result) => CallEnd::Returned {
                            time: now,
                            zxid: Index(1),
                            reply: Reply {
                                zxid: Index(1),
                                result,
                            },
                        },
                        None => CallEnd::Unknown { time: now },
                    });
                    open[who] = None;
                }
            }
            course.moments.push(now);
        }
        course
    }

    /// Changes an answer.
    fn disturb(&mut self, rng: &mut Rng) {
        let who = rng.below(self.clients.len() as u64) as usize;
        let made = &mut self.clients[who];
        let at = rng.below(made.len().max(1) as u64) as usize;
        let Some(CallEnd::Returned { reply, .. }) =
            made.get_mut(at).and_then(|made| made.call.end.as_mut())
        else {
            return;
        };
        match &mut reply.result {
            Ok(Response::Data { data, stat }) => match rng.chance(500) {
                true => *data = Some(Bytes::from(format!("{}", rng.below(3)))),
                false => stat.version += 1,
            },
            Ok(Response::Stat(stat)) => stat.version = (stat.version - 1).max(1),
            Ok(Response::Created { path, .. }) if path.starts_with("/q/n-") => {
                *path = format!("/q/n-{:010}", rng.below(4));
            }
            result => *result = Err(Error::NoNode),
        }
    }

    /// What is known after an event, of each client from its place on.
    fn known(&self, event: usize, from: &[usize]) -> Vec<(ClientId, Call)> {
        let mut known = Vec::new();
        for (who, (made, from)) in self.clients.iter().zip(from).enumerate() {
            let begun = made.iter().take_while(|made| made.begun <= event);
            for made in begun.skip(*from) {
                let mut call = made.call.clone();
                call.end = call.end.filter(|_| made.ended <= event);
                known.push((ClientId(who as u32), call));
            }
        }
        known
    }
}

fn asked(known: &[(ClientId, Call)]) -> Vec<Asked<'_>> {
    known.iter().map(|(client, call)| (*client, call)).collect()
}

/// Judges a course in windows and as a whole; at the end both, and how many windows there were.
fn both(rng: &mut Rng, course: &Course, force: bool) -> (Judgement, Judgement, u64) {
    let whole = vec![0; course.clients.len()];
    let mut from = whole.clone();
    let mut judge = Judge::default();
    let mut windows = 0;
    let mut event = 0;
    loop {
        event = (event + rng.between(1, 30) as usize).min(course.moments.len() - 1);
        let now = course.moments[event];
        let known = course.known(event, &from);
        let windowed = judge.verdict(&asked(&known));
        if event == course.moments.len() - 1 || rng.chance(200) {
            let known = course.known(event, &whole);
            let whole = Judge::default().verdict(&asked(&known));
            if event == course.moments.len() - 1 {
                return (windowed, whole, windows);
            }
            let is_order = |judgement: &Judgement| matches!(judgement, Judgement::Order { .. });
            if !force && windowed != Judgement::Undecided {
                assert_eq!(
                    is_order(&windowed),
                    is_order(&whole),
                    "{windowed:?} {whole:?}"
                );
            }
        }
        let must = match force && rng.chance(300) {
            true => Time(now.0.saturating_sub(10)),
            false => Time::NEVER,
        };
        let mut calls = asked(&known);
        if let Some(quiet) = judge.quiet(&calls, now, must) {
            judge.close(&calls, quiet);
            calls.retain(|(_, call)| call.invoked < quiet.0);
            for (client, _) in &calls {
                from[client.0 as usize] += 1;
            }
            windows += u64::from(!calls.is_empty());
        }
    }
}

#[test]
fn windows_and_the_whole_are_judged_alike() {
    let mut rng = Rng::new(1);
    let (mut orders, mut broken, mut undecided, mut windows) = (0, 0, 0, 0);
    for number in 0..HISTORIES {
        let asks = Asks {
            few_values: number % 3 == 0,
            hides: false,
            per_mille_unknown: [0, 40, 150][number as usize % 3],
        };
        let mut course = Course::draw(&mut rng, &asks);
        if number % 4 != 0 {
            course.disturb(&mut rng);
        }
        let (windowed, whole, cuts) = both(&mut rng, &course, false);
        windows += cuts;
        match (&windowed, &whole) {
            (Judgement::Order { unchecked: 0, .. }, Judgement::Order { unchecked: 0, .. }) => {
                orders += 1;
            }
            (Judgement::Broken { .. }, Judgement::Broken { .. }) => broken += 1,
            (Judgement::Undecided, _) => undecided += 1,
            _ => panic!("history {number}: {windowed:?} in windows, {whole:?} as a whole"),
        }
    }
    let found = (orders, broken, undecided, windows);
    assert!(
        HISTORIES / 5 < orders && HISTORIES / 5 < broken,
        "{found:?}"
    );
    assert!(4 * HISTORIES < windows, "{found:?}");
    assert!(undecided < broken / 20, "{found:?}");
}

#[test]
fn what_a_service_did_is_never_broken() {
    let mut rng = Rng::new(2);
    let (mut windows, mut undecided, mut left_out) = (0, 0, 0);
    for number in 0..HISTORIES {
        let asks = Asks {
            few_values: number % 3 == 0,
            hides: number % 2 == 0,
            per_mille_unknown: [0, 40, 150][number as usize % 3],
        };
        let course = Course::draw(&mut rng, &asks);
        let (windowed, whole, cuts) = both(&mut rng, &course, true);
        windows += cuts;
        let is_order = |judgement: &Judgement| matches!(judgement, Judgement::Order { .. });
        assert!(is_order(&whole), "history {number}: {whole:?}");
        let is_undecided = windowed == Judgement::Undecided;
        assert!(
            is_order(&windowed) || is_undecided,
            "history {number}: {windowed:?}"
        );
        undecided += u64::from(is_undecided);
        if let Judgement::Order { unchecked, .. } = windowed {
            left_out += u64::from(0 < unchecked);
        }
    }
    // Windows that are forced say so.
    assert!(HISTORIES / 10 < left_out, "{left_out} left out");
    assert!(undecided < HISTORIES / 200, "{undecided} undecided");
    assert!(4 * HISTORIES < windows);
}

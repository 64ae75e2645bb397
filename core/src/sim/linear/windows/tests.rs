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

#[derive(Clone, Default)]
struct Znode {
    data: Option<Bytes>,
    version: i32,
    mortal: bool,
    /// Children that it ever had.
    next: u64,
}

#[derive(Clone)]
struct Service {
    /// The empty path is the root's.
    znodes: BTreeMap<String, Znode>,
}

impl Default for Service {
    fn default() -> Self {
        let root = (String::new(), Znode::default());
        Self {
            znodes: BTreeMap::from([root]),
        }
    }
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
                let znode = self.znodes.get(&read.path).ok_or(Error::NoNode)?;
                let stat = stat(znode.version);
                Ok(match read.kind {
                    ReadKind::Exists => Response::Stat(stat),
                    ReadKind::Children => {
                        let names = self.children(&read.path);
                        Response::Children { names, stat }
                    }
                    _ => Response::Data {
                        data: znode.data.clone(),
                        stat,
                    },
                })
            }
            _ => Ok(Response::Synced { path: "/".into() }),
        }
    }

    fn children(&self, path: &str) -> Vec<String> {
        let below = self.znodes.keys().filter_map(|other| {
            let name = other.strip_prefix(path)?.strip_prefix('/')?;
            (!name.contains('/')).then(|| name.to_owned())
        });
        below.collect()
    }

    fn act(&mut self, op: &Op) -> Result<Response, Error> {
        let parent = op.path()[..op.path().rfind('/').unwrap_or(0)].to_owned();
        match op {
            Op::Create {
                path, data, mode, ..
            } => {
                let mut path = path.clone();
                let next = self.znodes.get(&parent).ok_or(Error::NoNode)?.next;
                if mode.is_sequential() {
                    path += &format!("{next:010}");
                }
                if self.znodes.contains_key(&path) {
                    return Err(Error::NodeExists);
                }
                use CreateMode::{Persistent, PersistentSequential};
                let znode = Znode {
                    data: data.clone(),
                    mortal: !matches!(mode, Persistent | PersistentSequential),
                    ..Znode::default()
                };
                self.znodes.insert(path.clone(), znode);
                if let Some(parent) = self.znodes.get_mut(&parent) {
                    parent.next += 1;
                }
                Ok(Response::Created { path, stat: None })
            }
            Op::SetData {
                path,
                data,
                version,
            } => {
                let znode = self.znodes.get_mut(path).ok_or(Error::NoNode)?;
                if *version != -1 && *version != znode.version {
                    return Err(Error::BadVersion);
                }
                znode.data = data.clone();
                znode.version += 1;
                Ok(Response::Stat(stat(znode.version)))
            }
            Op::Check { path, version } => {
                let znode = self.znodes.get(path).ok_or(Error::NoNode)?;
                match *version == -1 || *version == znode.version {
                    true => Ok(Response::Checked),
                    false => Err(Error::BadVersion),
                }
            }
            Op::Delete { path, version } => {
                let znode = self.znodes.get(path).ok_or(Error::NoNode)?;
                if *version != -1 && *version != znode.version {
                    return Err(Error::BadVersion);
                }
                if !self.children(path).is_empty() {
                    return Err(Error::NotEmpty);
                }
                self.znodes.remove(path);
                Ok(Response::Deleted)
            }
            Op::SetAcl { path, .. } => {
                let znode = self.znodes.get(path).ok_or(Error::NoNode)?;
                Ok(Response::Stat(stat(znode.version)))
            }
        }
    }

    /// Something ends by itself, if it can.
    fn end_one(&mut self, rng: &mut Rng) {
        let ends =
            |(path, znode): &(&String, &Znode)| znode.mortal && self.children(path).is_empty();
        let mortal: Vec<&String> = self
            .znodes
            .iter()
            .filter(ends)
            .map(|(path, _)| path)
            .collect();
        if !mortal.is_empty() {
            let path = mortal[rng.below(mortal.len() as u64) as usize].clone();
            self.znodes.remove(&path);
        }
    }
}

fn stat(version: i32) -> Stat {
    Stat {
        version,
        ..Stat::default()
    }
}

/// What clients ask.
struct Asks {
    /// Whether values come again.
    few_values: bool,
    /// Also what hides znodes.
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

    /// The first calls make what others need.
    fn draw(&self, rng: &mut Rng, number: usize) -> Request {
        let paths = ["/a", "/a/x", "/a/y", "/b", "/b/z", "/c", "/c/m", "/c/m/n"];
        let path = paths[rng.below(paths.len() as u64) as usize].to_owned();
        let other = paths[rng.below(4) as usize].to_owned();
        let data = self.data(rng, number);
        let create = |path: &str, data, mode| Op::Create {
            path: path.into(),
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
        let read = |kind, path: &str| Read {
            kind,
            path: path.into(),
            watch: false,
        };
        use CreateMode::{Container, Ephemeral, Persistent};
        use CreateMode::{EphemeralSequential, PersistentSequential};
        let delete = |path| Op::Delete { path, version: -1 };
        if number == 1 {
            return Request::Write(create("/q", data, Persistent));
        }
        if self.hides && rng.chance(150) {
            return match rng.below(6) {
                0 => Request::Write(create("/q/n-", data, EphemeralSequential)),
                1 => Request::Write(create("/q", data, Persistent)),
                2 => Request::Write(create("/q", data, Container)),
                3 => Request::Write(create("/d", data, PersistentSequential)),
                4 => Request::Latest(read(ReadKind::Data, &format!("/d{:010}", rng.below(3)))),
                _ => Request::Write(delete("/q".into())),
            };
        }
        let queue = match self.hides {
            true => "/q/n-".into(),
            // Nobody else makes what this may have made.
            false => format!("/q/n{number}-"),
        };
        let mode = match rng.below(6) {
            0 => Container,
            1 if path.len() == 4 => Ephemeral,
            _ => Persistent,
        };
        let sequential = [EphemeralSequential, PersistentSequential][rng.below(2) as usize];
        match rng.below(24) {
            0..5 => Request::Write(create(&path, data, mode)),
            5..8 => Request::Write(set(path, data, -1)),
            8 => Request::Write(set(path, data, rng.below(4) as i32)),
            9..11 => Request::Write(delete(path)),
            11 => {
                let version = if rng.chance(300) { 1 } else { -1 };
                let check = Op::Check {
                    path: path.clone(),
                    version,
                };
                Request::Multi(vec![check, set(other, data, -1)])
            }
            12 => Request::Multi(vec![
                set(path, data.clone(), -1),
                create(&queue, data, PersistentSequential),
            ]),
            13 => Request::Multi(vec![delete(path), create(&other, data, Persistent)]),
            14..16 => Request::Write(create(&queue, data, sequential)),
            16 => Request::Sync { path: "/".into() },
            17 => Request::Latest(read(ReadKind::Exists, &path)),
            18 => Request::Latest(read(ReadKind::Children, &path)),
            19 => Request::Latest(read(ReadKind::Children, "/q")),
            20..23 => Request::Latest(read(ReadKind::Data, &path)),
            _ => Request::Read(read(ReadKind::Data, &path)),
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
            if rng.chance(40) {
                service.end_one(rng);
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
            Ok(Response::Created { path, .. }) if path.starts_with("/q/n") => {
                let stem = path.len() - 10;
                *path = format!("{}{:010}", &path[..stem], rng.below(4));
            }
            Ok(Response::Children { names, .. }) if !names.is_empty() => {
                names.remove(rng.below(names.len() as u64) as usize);
            }
            Err(Error::NotEmpty) => reply.result = Ok(Response::Deleted),
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
            if !force && is_whole(&windowed) {
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

/// Whether nothing was left out.
fn is_whole(judgement: &Judgement) -> bool {
    match judgement {
        Judgement::Order {
            unchecked,
            undecided,
            ..
        } => *unchecked == 0 && undecided.is_empty(),
        Judgement::Broken { .. } => true,
        Judgement::Undecided => false,
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
            (Judgement::Order { .. }, Judgement::Order { .. }) => orders += 1,
            (Judgement::Broken { .. }, Judgement::Broken { .. }) => broken += 1,
            (left_out, _) if !is_whole(left_out) => undecided += 1,
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

/// Calls of one client each, and the answer to each.
fn calls(asked: Vec<(u64, u64, Request, Result<Response, Error>)>) -> Vec<(ClientId, Call)> {
    let of = |(number, (invoked, time, request, result)): (usize, _)| {
        let zxid = Index(1);
        let time = Time(time);
        let reply = Reply { zxid, result };
        let end = CallEnd::Returned { time, zxid, reply };
        let call = Call {
            tag: 1,
            node: NodeId(1),
            request,
            invoked: Time(invoked),
            end: Some(end),
        };
        (ClientId(number as u32), call)
    };
    asked.into_iter().enumerate().map(of).collect()
}

fn made(path: &str, data: &str) -> (Request, Result<Response, Error>) {
    let request = Request::Write(Op::Create {
        path: path.into(),
        data: Some(Bytes::from(data.to_owned())),
        acl: vec![],
        mode: CreateMode::Persistent,
        stat: false,
    });
    let path = path.into();
    (request, Ok(Response::Created { path, stat: None }))
}

fn blind_set(path: &str, number: u64) -> Request {
    Request::Write(Op::SetData {
        path: path.into(),
        data: Some(Bytes::from(format!("{number}"))),
        version: -1,
    })
}

fn shown(path: &str, data: &str, version: i32) -> (Request, Result<Response, Error>) {
    let read = Read {
        kind: ReadKind::Data,
        path: path.into(),
        watch: false,
    };
    let data = Some(Bytes::from(data.to_owned()));
    let stat = stat(version);
    (Request::Latest(read), Ok(Response::Data { data, stat }))
}

/// A tree whose order is too long to be found does no harm to another one, and is followed again afterwards.
#[test]
fn what_is_too_hard_is_left_out_alone_and_taken_up_again() {
    let mut hard = Vec::new();
    let at = |from, to, (request, result)| (from, to, request, result);
    hard.push(at(1, 2, made("/a", "0")));
    hard.push(at(1, 2, made("/b", "0")));
    // Answers that tell no version: only after all orders of these is it clear that two cannot have been the last.
    for number in 1..=16 {
        hard.push((10, 20, blind_set("/a", number), Ok(Response::Checked)));
    }
    hard.push(at(31, 32, shown("/a", "1", 16)));
    hard.push(at(33, 34, shown("/a", "2", 16)));
    hard.push(at(31, 32, shown("/b", "0", 0)));
    let known = calls(hard);
    let order = |judgement: Judgement| match judgement {
        Judgement::Order {
            unchecked,
            undecided,
            ..
        } => (unchecked, undecided),
        other => panic!("{other:?}"),
    };
    let mut judge = Judge::default();
    let (left_out, undecided) = order(judge.verdict(&asked(&known)));
    assert_eq!((left_out, undecided), (19, vec!["/a".to_owned()]));
    // Of /b the same window finds what fits nowhere.
    let mut stale = known.clone();
    stale.extend(calls(vec![at(50, 51, shown("/b", "1", 0))]));
    assert!(matches!(
        judge.verdict(&asked(&stale)),
        Judgement::Broken { .. }
    ));
    // After a quiet moment /a is what is read first.
    judge.close(&asked(&known), (Time(60), Time::NEVER));
    let after = |asks| judge.verdict(&asked(&calls(asks)));
    let good = || {
        vec![
            at(61, 62, shown("/a", "9", 16)),
            at(63, 64, (blind_set("/a", 77), Ok(Response::Stat(stat(17))))),
            at(65, 66, shown("/a", "77", 17)),
        ]
    };
    assert_eq!(order(after(good())), (19, vec![]));
    let mut bad = good();
    bad.push(at(67, 68, shown("/a", "9", 16)));
    assert!(matches!(after(bad), Judgement::Broken { .. }));
}

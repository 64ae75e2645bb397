//! The same requests to ZooKeeper 3.9.5 and to three nodes of ours, and every byte of the answers and events
//! compared. Zxids and session ids are told apart by where they first appeared, times are left out, lists of
//! children are sorted; one request is on its way at a time, and events are drained before the next. What
//! differs on purpose is in one list; anything else fails, and the seed gives it again.

pub(crate) mod answer;
mod compare;
mod deadly;
mod deed;
mod digest;
mod reconfig;
mod servers;
mod side;
mod stream;
pub(crate) mod wire;

use core::time::Duration;
use std::collections::BTreeMap;
use std::env;
use std::thread::{self, ScopedJoinHandle};
use std::time::Instant;

use otterkeeper_tests::process::Cluster;

use self::answer::op;
use self::compare::{DIFFERENCES, Pair, Pairing, Said, Verdict};
use self::deed::Deed;
use self::servers::{Lives, ZooKeeper};
use self::side::{SLOTS, Side};
use self::stream::Stream;

/// Requests to a ZooKeeper that stands alone, to an ensemble of three, and in one stream.
const ALONE: u64 = 90_000;
const ENSEMBLE: u64 = 10_000;
const STREAM: u64 = 400;
/// Pairs of servers that stand alone at a time, and seeds for each of them.
const WORKERS: u64 = 2;
const EACH: u64 = 1_000;
/// Where the seeds of the streams for the ensemble begin.
const ENSEMBLE_SEEDS: u64 = 10_000;
/// Requests to servers whose sessions and mortal znodes end, and where the seeds of their streams begin.
const SHORT: u64 = 6_000;
const SHORT_SEEDS: u64 = 20_000;
/// Stands for no operation in the count.
const RAW: i32 = i32::MIN + 1;
/// How many differences are told before the test gives up.
const TOLD: usize = 12;

#[test]
#[ignore = "needs ZooKeeper: cargo xtask test --against-zookeeper"]
fn otterkeeper_answers_as_zookeeper_does() {
    let fewer = number("OTTERKEEPER_REQUESTS").map_or(1_000, |wanted| wanted / 100);
    let [alone, ensemble, short] = [ALONE, ENSEMBLE, SHORT].map(|wanted| wanted * fewer / 1_000);
    let mut run = Run::default();
    if number("OTTERKEEPER_SEED").is_some() {
        run.told = usize::MAX;
    }
    match number("OTTERKEEPER_SEED") {
        Some(seed) if seed < ENSEMBLE_SEEDS => run.phase(1, Lives::Long, seed..=seed, 0),
        Some(seed) if seed < SHORT_SEEDS => run.phase(3, Lives::Long, seed..=seed, 0),
        Some(seed) if seed < reconfig::SEED => run.phase(1, Lives::Short, seed..=seed, 0),
        Some(_) => run.change_members(),
        None => {
            // Each worker has servers of its own, so that one computes while another waits for a disk.
            let worker = |from: u64| {
                let mut run = Run::default();
                run.phase(1, Lives::Long, from.., alone / WORKERS);
                run
            };
            let runs = thread::scope(|scope| {
                let start = |at: u64| scope.spawn(move || worker(1 + at * EACH));
                let workers: Vec<_> = (0..WORKERS).map(start).collect();
                let end = |worker: ScopedJoinHandle<'_, Run>| worker.join().expect("a worker");
                workers.into_iter().map(end).collect::<Vec<_>>()
            });
            runs.into_iter().for_each(|other| run.add(other));
            run.phase(1, Lives::Short, SHORT_SEEDS.., short);
            run.phase(3, Lives::Long, ENSEMBLE_SEEDS.., ensemble);
            run.change_members();
            let sent = deadly::create_ttl_without_time();
            println!(
                "* {sent} requests that end ZooKeeper for good; ours refuses them (-8) and goes on"
            );
        }
    }
    run.close();
}

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok()?.parse().ok()
}

/// Streams against pairs of servers, and what came of them.
struct Run {
    pairing: Pairing,
    requests: BTreeMap<i32, u64>,
    answers: u64,
    events: u64,
    meant: BTreeMap<usize, u64>,
    failures: Vec<String>,
    /// How many deeds before a difference are shown.
    told: usize,
    started: Instant,
}

impl Default for Run {
    fn default() -> Self {
        Self {
            pairing: Pairing::default(),
            requests: BTreeMap::new(),
            answers: 0,
            events: 0,
            meant: BTreeMap::new(),
            failures: Vec::new(),
            told: 6,
            started: Instant::now(),
        }
    }
}

impl Run {
    /// Fresh servers on both sides, and streams of these seeds until so many requests were made.
    fn phase(
        &mut self,
        members: usize,
        lives: Lives,
        seeds: impl Iterator<Item = u64>,
        wanted: u64,
    ) {
        const SIGN: Duration = Duration::from_secs(10);
        let options = lives.ours();
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        let ours = Cluster::start_with(3, &options);
        let theirs = ZooKeeper::start(members, lives);
        self.pairing = Pairing::default();
        let zk = (0..ours.count()).map(|at| ours.member(at).zk.clone());
        let addresses = [theirs.addresses(), zk.collect()];
        let until = self.asked() + wanted;
        let mut signed = Instant::now();
        for seed in seeds {
            let stream = Stream::new(seed, 1 < members, lives);
            self.stream(&addresses, stream, seed);
            if until <= self.asked() || TOLD <= self.failures.len() {
                break;
            }
            if SIGN < signed.elapsed() {
                println!(
                    "     {} requests, {} to go",
                    self.asked(),
                    until - self.asked()
                );
                signed = Instant::now();
            }
        }
    }

    /// What another worker found.
    fn add(&mut self, other: Self) {
        for (op, count) in other.requests {
            *self.requests.entry(op).or_default() += count;
        }
        for (which, count) in other.meant {
            *self.meant.entry(which).or_default() += count;
        }
        self.answers += other.answers;
        self.events += other.events;
        self.failures.extend(other.failures);
    }

    fn asked(&self) -> u64 {
        self.requests.values().sum()
    }

    /// One stream; the first difference ends it, because the two may go apart from there.
    fn stream(&mut self, addresses: &[Vec<String>; 2], mut stream: Stream, seed: u64) {
        let mut sides = addresses.each_ref().map(|each| Side::new(each.clone()));
        let mut history = Vec::new();
        let before = self.asked();
        for deed in stream.beginning() {
            self.step(&mut sides, &deed, seed, &mut history);
        }
        let mut same = true;
        while same && self.asked() - before < STREAM {
            let deed = stream.next(&sides[0]);
            same = self.step(&mut sides, &deed, seed, &mut history);
        }
        for deed in stream.end(&sides[0]) {
            same = same && self.step(&mut sides, &deed, seed, &mut history);
        }
    }

    /// One deed at both. Says whether they are still alike.
    fn step(
        &mut self,
        sides: &mut [Side; 2],
        deed: &Deed,
        seed: u64,
        history: &mut Vec<String>,
    ) -> bool {
        if deed.is_request() {
            let asked = match deed {
                Deed::Until { deed, .. } => deed,
                other => other,
            };
            let op = match asked {
                Deed::Ask { op, .. } => *op,
                Deed::Connect { .. } => op::HELLO,
                _ => RAW,
            };
            *self.requests.entry(op).or_default() += 1;
        }
        sides.iter_mut().for_each(|side| side.send(deed));
        sides.iter_mut().for_each(|side| side.receive(deed));
        if deed.may_echo() {
            drain(sides);
        }
        let [theirs, ours] = hear(sides);
        for slot in 0..SLOTS {
            let pair = Pair {
                deed,
                slot,
                zookeeper: &theirs[slot],
                ours: &ours[slot],
            };
            self.count(pair.zookeeper);
            match self.pairing.compare(&pair) {
                Verdict::Same => {}
                Verdict::Meant(which) => *self.meant.entry(which).or_default() += 1,
                Verdict::Different(what) => {
                    let from = history.len().saturating_sub(self.told);
                    let recent = &history[from..];
                    self.failures.push(format!(
                        "seed {seed}, deed {}: {what}, connection {slot}\n  {deed}\n  ZooKeeper: {}\n  \
                         Otterkeeper: {}\n  before it:\n    {}",
                        history.len(),
                        shown(pair.zookeeper),
                        shown(pair.ours),
                        recent.join("\n    ")
                    ));
                    println!("{}", self.failures[self.failures.len() - 1]);
                    return false;
                }
            }
        }
        let slot = deed.slot();
        let (theirs, ours) = (shown(&theirs[slot]), shown(&ours[slot]));
        history.push(format!("{deed}\n      {theirs}\n      {ours}"));
        true
    }

    fn count(&mut self, said: &[Said]) {
        for said in said {
            match said {
                Said::Answer(answer) if answer.is_event() => self.events += 1,
                Said::Answer(_) => self.answers += 1,
                Said::Closed => {}
            }
        }
    }

    fn close(&self) {
        let took = self.started.elapsed().as_secs();
        println!(
            "* {} requests, {} answers and {} events compared with ZooKeeper's in {took} s",
            self.asked(),
            self.answers,
            self.events
        );
        let by_op: Vec<String> = self
            .requests
            .iter()
            .map(|(op, count)| format!("{} {count}", name(*op)))
            .collect();
        println!("* by operation: {}", by_op.join(", "));
        for (at, difference) in DIFFERENCES.iter().enumerate() {
            println!(
                "* {} times: {} ({})",
                self.meant.get(&at).unwrap_or(&0),
                difference.what,
                difference.reason
            );
        }
        assert!(
            self.failures.is_empty(),
            "{} differences that nobody meant",
            self.failures.len()
        );
    }
}

/// Lets everything that is on its way arrive.
fn drain(sides: &mut [Side; 2]) {
    sides.iter_mut().for_each(Side::send_barrier);
    sides.iter_mut().for_each(Side::receive_barrier);
}

/// What both were told. A sync at a follower of ZooKeeper's overtakes an event now and then, so where one has heard
/// less than the other it is asked again.
fn hear(sides: &mut [Side; 2]) -> [[Vec<Said>; SLOTS]; 2] {
    const ATTEMPTS: usize = 5;
    const PAUSE: Duration = Duration::from_millis(50);
    let mut said = sides.each_mut().map(Side::take_said);
    for _ in 0..ATTEMPTS {
        let [theirs, ours] = &said;
        if theirs.iter().map(Vec::len).eq(ours.iter().map(Vec::len)) {
            break;
        }
        thread::sleep(PAUSE);
        drain(sides);
        for (side, said) in sides.iter_mut().zip(&mut said) {
            let more = side.take_said();
            said.iter_mut()
                .zip(more)
                .for_each(|(said, more)| said.extend(more));
        }
    }
    said
}

/// For people: ZooKeeper's word for an operation.
fn name(op: i32) -> String {
    let known = match op {
        op::CREATE => "create",
        op::DELETE => "delete",
        op::EXISTS => "exists",
        op::GET_DATA => "getData",
        op::SET_DATA => "setData",
        op::GET_ACL => "getACL",
        op::SET_ACL => "setACL",
        op::GET_CHILDREN => "getChildren",
        op::SYNC => "sync",
        op::PING => "ping",
        op::GET_CHILDREN2 => "getChildren2",
        op::MULTI => "multi",
        op::CREATE2 => "create2",
        op::RECONFIG => "reconfig",
        op::CHECK_WATCHES => "checkWatches",
        op::REMOVE_WATCHES => "removeWatches",
        op::CREATE_CONTAINER => "createContainer",
        op::CREATE_TTL => "createTTL",
        op::MULTI_READ => "multiRead",
        op::AUTH => "auth",
        op::SET_WATCHES => "setWatches",
        op::SASL => "sasl",
        op::SET_WATCHES2 => "setWatches2",
        op::GET_EPHEMERALS => "getEphemerals",
        op::GET_ALL_CHILDREN_NUMBER => "getAllChildrenNumber",
        op::ADD_WATCH => "addWatch",
        op::WHO_AM_I => "whoAmI",
        op::CLOSE => "closeSession",
        op::HELLO => "connect",
        RAW => "bytes that are no request",
        _ => return format!("op {op}"),
    };
    known.to_owned()
}

fn shown(said: &[Said]) -> String {
    let each: Vec<String> = said
        .iter()
        .map(|said| match said {
            Said::Answer(answer) => format!("[{}]", answer.to_string().trim_end()),
            Said::Closed => "closed".into(),
        })
        .collect();
    each.join(" ")
}

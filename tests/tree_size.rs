//! The tree at a million znodes: bytes beside path and data, the price of a clone, pauses while a
//! snapshot is made, and time of a setData and a getData. `cargo test --release tree_size -- --nocapture`
//! prints figures that can be quoted; the test profile is slower.

use core::time::Duration;

use otterkeeper_core::command::{Applied, Command, Origin, WriteRequest};
use otterkeeper_core::config::Config;
use otterkeeper_core::configuration::Configuration;
use otterkeeper_core::id::{Index, LogId, NodeId, SessionId, Term};
use otterkeeper_core::machine::Machine;
use otterkeeper_core::node::{Admin, Boot, Input, Node, Output, SnapshotImage};
use otterkeeper_core::raft::message::{SnapshotMeta, Vote};
use otterkeeper_core::raft::note::Role;
use otterkeeper_core::request::{Acl, CreateMode, Op, Read, ReadKind};
use otterkeeper_core::rng::Rng;
use otterkeeper_core::time::{Span, Time};
use otterkeeper_core::wire::Rebuild;

use crate::counting::live_bytes;

const ZNODES: usize = 1_000_000;
const SERVICES: usize = 100;
const DATA: [u8; 100] = [b'x'; 100];
const PART_BYTES: u64 = 256 << 10;
const SAMPLES: usize = 200_000;
/// Pages of an old version that are dropped at a time.
const DROP_PAGES: usize = 64;

/// A machine with one session and its log.
struct Service {
    machine: Machine,
    index: Index,
    session: SessionId,
    epoch: Index,
    number: u64,
}

impl Service {
    fn new() -> Self {
        let mut service = Self {
            machine: Machine::new(),
            index: Index(0),
            session: SessionId(0),
            epoch: Index(0),
            number: 0,
        };
        service.apply(&Command::Init {
            members: Configuration::default(),
            secret: [1; 32],
            features: 1,
            max_depth: 1_024,
        });
        let origin = Origin {
            node: NodeId(1),
            incarnation: 1,
            ticket: 1,
        };
        let opened = service.apply(&Command::Open {
            origin,
            timeout_ms: 10_000,
            replaces: None,
        });
        let Applied::Attached { session, epoch, .. } = opened else {
            panic!("{opened:?}")
        };
        Self {
            session,
            epoch,
            ..service
        }
    }

    fn apply(&mut self, command: &Command) -> Applied {
        self.index = self.index.next();
        let stamp = Time(1_700_000_000_000_000 + self.index.0 * 10);
        self.machine
            .apply(self.index, stamp, command, &mut Vec::new())
    }

    fn write(&mut self, op: Op) {
        self.number += 1;
        let (session, epoch, number) = (self.session, self.epoch, self.number);
        let request = WriteRequest::Op(op);
        let applied = self.apply(&Command::Write {
            session,
            epoch,
            number,
            ids: Vec::new(),
            request,
        });
        assert!(
            matches!(applied, Applied::Wrote { result: Ok(_), .. }),
            "{applied:?}"
        );
    }

    fn create(&mut self, path: String) {
        let (data, acl, mode) = (
            Some(DATA[..].into()),
            vec![Acl::open()],
            CreateMode::Persistent,
        );
        self.write(Op::Create {
            path,
            data,
            acl,
            mode,
            stat: false,
        });
    }

    fn set(&mut self, path: String) {
        self.write(Op::SetData {
            path,
            data: Some(DATA[..].into()),
            version: -1,
        });
    }
}

#[test]
fn tree_size_sorted() {
    measure("sorted", &(0..ZNODES).collect::<Vec<_>>());
}

#[test]
fn tree_size_random() {
    let mut order: Vec<usize> = (0..ZNODES).collect();
    shuffle(&mut order);
    measure("random", &order);
}

fn shuffle(order: &mut [usize]) {
    let mut rng = Rng::new(7);
    for last in (1..order.len()).rev() {
        order.swap(last, rng.below(last as u64 + 1) as usize);
    }
}

fn path(znode: usize) -> String {
    let per_service = ZNODES / SERVICES;
    format!(
        "/app/service-{}/node-{:06}",
        znode / per_service,
        znode % per_service
    )
}

fn measure(name: &str, order: &[usize]) {
    let mut service = Service::new();
    service.create("/app".into());
    (0..SERVICES).for_each(|number| service.create(format!("/app/service-{number}")));

    let (bytes, content) = (live_bytes(), service.machine.tree().data_bytes());
    let began = cpu_time();
    order.iter().for_each(|&znode| service.create(path(znode)));
    let created = cpu_time() - began;
    let content = service.machine.tree().data_bytes() - content;
    let overhead = (live_bytes() - bytes - content as isize) as usize / ZNODES;

    let mut samples: Vec<usize> = (0..ZNODES).collect();
    shuffle(&mut samples);
    samples.truncate(SAMPLES);
    let paths: Vec<String> = samples.into_iter().map(path).collect();
    let set = per_item(&paths, |path| service.set(path.clone()));
    let get = per_item(&paths, |path| {
        let read = Read {
            kind: ReadKind::Data,
            path: path.clone(),
            watch: false,
        };
        assert!(service.machine.read(SessionId(0), &read, &[]).is_ok());
    });

    let began = cpu_time();
    let clones: Vec<Machine> = (0..1_000).map(|_| service.machine.clone()).collect();
    let clone = (cpu_time() - began) / 1_000;
    drop(clones);
    let snapshot = service.machine.clone();
    let set_beside = per_item(&paths, |path| service.set(path.clone()));
    let (longest_part, parts) = longest_part(&snapshot);
    let began = cpu_time();
    let mut retired = snapshot.retire();
    let mut longest_drop = Duration::ZERO;
    loop {
        let slice = cpu_time();
        let more = retired.drop_pages(DROP_PAGES);
        longest_drop = longest_drop.max(cpu_time() - slice);
        if !more {
            break;
        }
    }
    let dropped = cpu_time() - began;

    println!(
        "{ZNODES} znodes, {name}: {overhead} bytes a znode beside path and data; create {created_ns} ns, \
         setData {set} ns, setData beside a snapshot {set_beside} ns, getData {get} ns; clone {clone:?}, \
         longest of {parts} parts {longest_part:?}, drop of the old version {dropped:?} in \
         slices of at most {longest_drop:?}",
        created_ns = created.as_nanos() / ZNODES as u128,
    );
    assert!(overhead <= 140, "{overhead} bytes");
    assert!(clone < Duration::from_micros(50), "{clone:?}");
    let pause_limit = Duration::from_millis(if cfg!(debug_assertions) { 50 } else { 5 });
    assert!(longest_part < pause_limit, "{longest_part:?}");
}

fn per_item(paths: &[String], mut work: impl FnMut(&String)) -> u128 {
    let began = cpu_time();
    paths.iter().for_each(&mut work);
    (cpu_time() - began).as_nanos() / paths.len() as u128
}

/// The processor time of this thread: other tests that run beside it do not count.
fn cpu_time() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the call writes into `time` and nothing else.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    assert_eq!(failed, 0);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// The part that takes longest, where each part takes the shortest of three times. The first pass also puts the parts together again.
fn longest_part(snapshot: &Machine) -> (Duration, usize) {
    let mut times: Vec<Duration> = Vec::new();
    for pass in 0..3 {
        let mut rebuild = Rebuild::new();
        let mut cursor = Some(bytes::Bytes::new());
        let mut number = 0;
        while let Some(from) = cursor {
            let began = cpu_time();
            let (part, next) = snapshot.part(&from, PART_BYTES);
            let took = cpu_time() - began;
            if pass == 0 {
                times.push(took);
                rebuild.add(&part).expect("a part");
            }
            times[number] = times[number].min(took);
            number += 1;
            cursor = next;
        }
        if pass == 0 {
            let again = rebuild.finish().expect("a whole snapshot");
            assert_eq!(again.digest(), snapshot.digest());
        }
    }
    (times.iter().copied().max().unwrap_or_default(), times.len())
}

/// A million znodes under two members: one gives a snapshot to the other, which already holds as much. No
/// step of either may stall (rule R10).
#[test]
fn tree_size_stops_no_step() {
    let mut service = Service::new();
    service.create("/app".into());
    (0..SERVICES).for_each(|number| service.create(format!("/app/service-{number}")));
    (0..ZNODES).for_each(|znode| service.create(path(znode)));
    let parts = parts_of(&service.machine);
    let last = service.index.0;
    drop(service);

    // The second one is behind by a snapshot.
    let mut pair = Pair::new([last + 9, last], &parts);
    drop(parts);
    pair.until(|pair| pair.nodes[0].view().role() == Role::Leader && pair.leads());
    pair.until(|pair| {
        pair.nodes[1]
            .view()
            .snapshot()
            .is_some_and(|meta| last < meta.last.index.0)
    });
    let installed = core::mem::take(&mut pair.longest);
    pair.until(|pair| pair.nodes[1].view().commit() == pair.nodes[0].view().commit());

    (0..2_000).for_each(|_| pair.turn());
    println!(
        "* longest steps with {ZNODES} znodes: leader {:?} and follower {:?} while a snapshot is sent, received and \
         installed over another; {:?} and {:?} while the old one goes",
        installed[0], installed[1], pair.longest[0], pair.longest[1]
    );
    let limit = Duration::from_millis(if cfg!(debug_assertions) { 50 } else { 5 });
    for longest in installed.into_iter().chain(pair.longest) {
        assert!(longest < limit, "{longest:?}");
    }
}

fn parts_of(machine: &Machine) -> Vec<bytes::Bytes> {
    let (mut parts, mut cursor) = (Vec::new(), Some(bytes::Bytes::new()));
    while let Some(from) = cursor {
        let (part, next) = machine.part(&from, PART_BYTES);
        parts.push(part);
        cursor = next;
    }
    parts
}

/// Two members, perfect disks, and a network without delay.
struct Pair {
    nodes: [Node; 2],
    inputs: [Vec<Input>; 2],
    now: Time,
    /// The longest step of each.
    longest: [Duration; 2],
}

impl Pair {
    fn new(lasts: [u64; 2], parts: &[bytes::Bytes]) -> Self {
        let members = vec![NodeId(1), NodeId(2)];
        let now = Time(1_800_000_000_000_000);
        let node = |id: u64, last: u64| {
            let id_of_last = LogId {
                term: Term(1),
                index: Index(last),
            };
            let meta = SnapshotMeta {
                last: id_of_last,
                stamp: now,
                configuration: Configuration::of_voters(members.clone()),
            };
            let boot = Boot {
                vote: Vote {
                    term: Term(1),
                    voted_for: None,
                },
                commit_hint: Index(last),
                snapshot: Some(SnapshotImage {
                    meta,
                    parts: parts.to_vec(),
                }),
                log: Vec::new(),
            };
            let config = Config::new(NodeId(id), members.clone());
            Node::boot(config, boot, [id as u8; 32], now).expect("an image in order")
        };
        let mut pair = Self {
            nodes: [node(1, lasts[0]), node(2, lasts[1])],
            inputs: [Vec::new(), Vec::new()],
            now,
            longest: [Duration::ZERO; 2],
        };
        pair.admin(Admin::Campaign);
        pair
    }

    fn admin(&mut self, wish: Admin) {
        self.inputs[0].push(Input::Admin { tag: 1, wish });
    }

    fn leads(&self) -> bool {
        self.nodes[1].view().leader() == Some(NodeId(1))
    }

    fn until(&mut self, holds: impl Fn(&Self) -> bool) {
        for _ in 0..100_000 {
            if holds(self) {
                return;
            }
            self.turn();
        }
        panic!("it does not come to that");
    }

    /// A millisecond passes; each handles what came.
    fn turn(&mut self) {
        self.now += Span::from_ms(1);
        for at in 0..2 {
            let inputs = core::mem::take(&mut self.inputs[at]);
            let mut out = Vec::new();
            let began = cpu_time();
            self.nodes[at].step(self.now, inputs, &mut out);
            self.longest[at] = self.longest[at].max(cpu_time() - began);
            for output in out {
                match output {
                    Output::Write { id, .. } => self.inputs[at].push(Input::Written(id)),
                    Output::Save { id, .. } => self.inputs[at].push(Input::Saved(id)),
                    Output::Send { message, .. } => {
                        let from = NodeId(at as u64 + 1);
                        self.inputs[1 - at].push(Input::Peer { from, message });
                    }
                    Output::Halt(sentence) => panic!("{sentence}"),
                    _ => {}
                }
            }
        }
    }
}

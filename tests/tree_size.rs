//! The tree at a million znodes: bytes beside path and data, the price of a clone, pauses while a
//! snapshot is made, and time of a setData and a getData; `steps` has the pauses of whole members.
//! `cargo test --release tree_size -- --nocapture` prints figures that can be quoted; the test profile is
//! slower.

use core::time::Duration;

use otterkeeper_core::command::{Applied, Command, Origin, WriteRequest};
use otterkeeper_core::configuration::Configuration;
use otterkeeper_core::id::{Index, NodeId, SessionId};
use otterkeeper_core::machine::Machine;
use otterkeeper_core::request::{Acl, CreateMode, Op, Read, ReadKind};
use otterkeeper_core::rng::Rng;
use otterkeeper_core::time::Time;
use otterkeeper_core::wire::Rebuild;

use crate::counting::live_bytes;

mod steps;

/// Whose state it is: a leader brings the members in force to those that the state names.
const MEMBERS: [NodeId; 2] = [NodeId(1), NodeId(2)];
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
            members: Configuration::of_voters(MEMBERS.to_vec()),
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

//! How long a step of a member with a million znodes may take: while a snapshot is sent, received and
//! installed over as large a state, and while snapshots are taken under writes, saved part by part, and the
//! log is cut behind them (rule R10). Processor time of the thread, so that a busy machine does not count.

use core::time::Duration;
use std::collections::VecDeque;

use otterkeeper_core::config::Config;
use otterkeeper_core::configuration::Configuration;
use otterkeeper_core::id::{ConnId, Index, LogId, NodeId, SessionId, Term};
use otterkeeper_core::machine::Machine;
use otterkeeper_core::node::{Admin, Boot, Input, Node, Output, SnapshotImage};
use otterkeeper_core::raft::message::{SnapshotMeta, Vote};
use otterkeeper_core::raft::note::Role;
use otterkeeper_core::request::{Connect, Op, Request};
use otterkeeper_core::rng::Rng;
use otterkeeper_core::time::{Span, Time};

use super::{DATA, MEMBERS, PART_BYTES, SERVICES, Service, ZNODES, cpu_time, path};

/// Writes that a client asks for in each millisecond.
const WRITES: u64 = 4;
/// Snapshots that each member takes under them.
const TAKEN: usize = 3;
/// A snapshot is due after so many entries, so that one is begun soon after the last.
const COMPACT_ENTRIES: u64 = 4_000;
const KEEP_ENTRIES: u64 = 500;
/// A write that has no answer after so many milliseconds is taken for lost.
const PATIENCE_MS: u64 = 50;

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
    pair.until(|pair| last < pair.covered(1).0);
    let moved = core::mem::take(&mut pair.longest);
    pair.until(|pair| pair.nodes[1].view().commit() == pair.nodes[0].view().commit());
    (0..2_000).for_each(|_| pair.turn());
    let dropped = core::mem::take(&mut pair.longest);

    let taken = pair.take_snapshots_under_writes();
    println!(
        "* longest steps with {ZNODES} znodes, of the leader and of the follower: {:?} and {:?} while a snapshot is \
         sent, received and installed over another; {:?} and {:?} while the old one goes; {:?} and {:?} while each \
         takes {TAKEN} snapshots under {WRITES} writes a step ({} writes, all answered, the last one within {} ms)",
        moved[0],
        moved[1],
        dropped[0],
        dropped[1],
        taken[0],
        taken[1],
        pair.answered,
        pair.slowest_ms,
    );
    // Seen on a busy machine: at most 4 ms with assertions on, and less without them.
    let limit = Duration::from_millis(if cfg!(debug_assertions) { 15 } else { 5 });
    for longest in moved.into_iter().chain(dropped).chain(taken) {
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

const CONN: ConnId = ConnId(1);

/// Two members, perfect disks, and a network without delay.
struct Pair {
    nodes: [Node; 2],
    inputs: [Vec<Input>; 2],
    now: Time,
    /// The longest step of each.
    longest: [Duration; 2],
    /// When each request without an answer was made, oldest first.
    asked: VecDeque<Time>,
    /// Requests that were answered well, and the longest wait for an answer.
    answered: u64,
    slowest_ms: u64,
    /// Parts of snapshots that each handed to its disk.
    saved: [u32; 2],
}

impl Pair {
    fn new(lasts: [u64; 2], parts: &[bytes::Bytes]) -> Self {
        let members = MEMBERS.to_vec();
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
            let config = Config {
                compact_entries: COMPACT_ENTRIES,
                keep_entries: KEEP_ENTRIES,
                ..Config::new(NodeId(id), members.clone())
            };
            Node::boot(config, boot, [id as u8; 32], now).expect("an image in order")
        };
        let mut pair = Self {
            nodes: [node(1, lasts[0]), node(2, lasts[1])],
            inputs: [Vec::new(), Vec::new()],
            now,
            longest: [Duration::ZERO; 2],
            asked: VecDeque::new(),
            answered: 0,
            slowest_ms: 0,
            saved: [0; 2],
        };
        let (tag, wish) = (1, Admin::Campaign);
        pair.inputs[0].push(Input::Admin { tag, wish });
        pair
    }

    fn leads(&self) -> bool {
        self.nodes[1].view().leader() == Some(NodeId(1))
    }

    /// The end of a member's snapshot in force.
    fn covered(&self, at: usize) -> Index {
        let view = self.nodes[at].view();
        view.snapshot().map_or(Index(0), |meta| meta.last.index)
    }

    /// A client of the leader writes without a pause until each member has taken its snapshots. Gives the
    /// longest step of each from the first write to the last snapshot.
    fn take_snapshots_under_writes(&mut self) -> [Duration; 2] {
        self.attach();
        self.longest = [Duration::ZERO; 2];
        self.saved = [0; 2];
        let mut rng = Rng::new(5);
        let mut taken = [0; 2];
        let mut covered = [self.covered(0), self.covered(1)];
        while taken.iter().any(|&taken| taken < TAKEN) {
            (0..WRITES).for_each(|_| self.write(&mut rng));
            self.turn();
            for at in 0..2 {
                let now = self.covered(at);
                if covered[at] < now {
                    (taken[at], covered[at]) = (taken[at] + 1, now);
                    let kept = self.nodes[at].view().first_index();
                    assert_eq!(now.0, kept.0 + KEEP_ENTRIES - 1, "the log was not cut");
                }
            }
            let oldest = self.asked.front().copied().unwrap_or(self.now);
            let waited = self.now.since(oldest).as_ms();
            assert!(
                waited <= PATIENCE_MS,
                "no answer while {taken:?} snapshots were taken"
            );
        }
        let longest = self.longest;
        self.until(|pair| pair.asked.is_empty());
        for at in 0..2 {
            let fewest = TAKEN as u64 * ZNODES as u64 * DATA.len() as u64 / PART_BYTES;
            assert!(fewest < u64::from(self.saved[at]), "{:?} parts", self.saved);
        }
        longest
    }

    /// A client opens a session at the leader.
    fn attach(&mut self) {
        let (conn, address) = (CONN, String::new());
        self.inputs[0].push(Input::ClientOpened { conn, address });
        self.ask(Request::Connect(Connect {
            read_only: false,
            replaces: None,
            session: SessionId(0),
            password: [0; 16],
            timeout_ms: 40_000,
            last_zxid: Index(0),
        }));
        self.until(|pair| pair.asked.is_empty());
        self.answered = 0;
    }

    fn ask(&mut self, request: Request) {
        let (conn, tag) = (CONN, 0);
        self.asked.push_back(self.now);
        self.inputs[0].push(Input::Client { conn, tag, request });
    }

    fn write(&mut self, rng: &mut Rng) {
        self.ask(Request::Write(Op::SetData {
            path: path(rng.below(ZNODES as u64) as usize),
            data: Some(DATA[..].into()),
            version: -1,
        }));
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
                    Output::Save { id, .. } => {
                        self.saved[at] += 1;
                        self.inputs[at].push(Input::Saved(id));
                    }
                    Output::Send { message, .. } => {
                        let from = NodeId(at as u64 + 1);
                        self.inputs[1 - at].push(Input::Peer { from, message });
                    }
                    Output::Reply { reply, .. } => {
                        assert!(reply.result.is_ok(), "{:?}", reply.result);
                        let asked = self.asked.pop_front().expect("a question");
                        self.answered += 1;
                        self.slowest_ms = self.slowest_ms.max(self.now.since(asked).as_ms());
                    }
                    Output::Hangup { reason, .. } => panic!("{reason:?}"),
                    Output::Halt(sentence) => panic!("{sentence}"),
                    _ => {}
                }
            }
        }
    }
}

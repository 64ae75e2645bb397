//! What a step costs a leader of three: batches of changes of 200 bytes through their whole way (proposed,
//! written, acknowledged, committed, applied, answered), and a single ack, of nothing new and of a batch. By
//! hand: `cargo bench -p otterkeeper-core`. The column of items is entries; a last table has allocations for
//! each entry, of the leader alone: what stands in for its clients, disk and peers counts apart.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::RefCell;
use core::mem;
use core::sync::atomic::AtomicUsize;
use core::sync::atomic::Ordering::Relaxed;
use std::alloc::System;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};

use bytes::Bytes;
use otterkeeper_core::config::Config;
use otterkeeper_core::id::{ConnId, Index, NodeId, Term};
use otterkeeper_core::message::Message;
use otterkeeper_core::node::{Boot, Input, Node, Output};
use otterkeeper_core::raft::message::Message as Raft;
use otterkeeper_core::request::{Acl, Connect, CreateMode, Op, Request};
use otterkeeper_core::time::{Span, Time};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations and growths since the start.
static COUNT: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: everything is the system's allocator's; the count is beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.fetch_add(1, Relaxed);
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.fetch_add(1, Relaxed);
        // SAFETY: the caller keeps the contract.
        unsafe { System.realloc(at, layout, size) }
    }
}

const CONN: ConnId = ConnId(1);

fn main() {
    divan::main();
    println!("allocations of the leader for each entry");
    for size in [1, 16, 256] {
        let mut leader = Leader::new();
        let requests: Vec<Request> = (0..size).map(|_| leader.change()).collect();
        let ask = |leader: &mut Leader| leader.run(inputs_of(&requests));
        // The first rounds find buffers that are still small.
        (0..100).for_each(|_| ask(&mut leader));
        leader.allocations = 0;
        (0..1_000).for_each(|_| ask(&mut leader));
        let each = leader.allocations as f64 / (1_000 * size) as f64;
        println!("  batch of {size:3}: {each:.2}");
    }
}

#[divan::bench(args = [1, 16, 256])]
fn batch(bencher: Bencher, size: u64) {
    let mut leader = Leader::new();
    let requests: Vec<Request> = (0..size).map(|_| leader.change()).collect();
    bencher
        .counter(ItemsCount::new(size))
        .bench_local(|| leader.run(black_box(inputs_of(&requests))));
}

fn inputs_of(requests: &[Request]) -> Vec<Input> {
    let input = |request: &Request| Input::Client {
        conn: CONN,
        tag: 0,
        request: request.clone(),
    };
    requests.iter().map(input).collect()
}

/// An ack that says nothing new: what the protocol alone costs.
#[divan::bench]
fn ack(bencher: Bencher) {
    let mut leader = Leader::new();
    let (term, matched) = (leader.term(), leader.node.view().last().index);
    bencher.bench_local(|| {
        let message = Message::Raft(Raft::Appended { term, matched });
        let from = NodeId(3);
        leader.step(black_box(vec![Input::Peer { from, message }]));
    });
}

/// The ack that completes a majority for a batch: the leader commits, applies and answers.
#[divan::bench(args = [1, 16, 256])]
fn ack_that_commits(bencher: Bencher, size: u64) {
    let leader = RefCell::new(Leader::new());
    let change = leader.borrow().change();
    let requests: Vec<Request> = (0..size).map(|_| change.clone()).collect();
    bencher
        .counter(ItemsCount::new(size))
        .with_inputs(|| {
            let leader = &mut *leader.borrow_mut();
            leader.rest(); // The answers of the time before.
            leader.step(inputs_of(&requests));
            // Both peers have it before this node's own disk does; the second one says nothing new.
            let is_ack = |input: &Input| matches!(input, Input::Peer { .. });
            let (acks, own): (Vec<_>, _) =
                mem::take(&mut leader.answers).into_iter().partition(is_ack);
            leader.step(own);
            acks.into_iter().take(1).collect::<Vec<_>>()
        })
        .bench_local_values(|ack| leader.borrow_mut().step(ack));
}

/// A leader whose disk and peers answer at once.
struct Leader {
    node: Node,
    now: Time,
    out: Vec<Output>,
    answers: Vec<Input>,
    /// What its steps asked of the allocator.
    allocations: usize,
}

impl Leader {
    fn new() -> Self {
        let config = Config::new(NodeId(1), (1..=3).map(NodeId).collect());
        let now = Time(1_767_225_600_000_000);
        let node =
            Node::boot(config, Boot::default(), [7; 32], now).expect("an empty disk is fine");
        let mut leader = Self {
            node,
            now,
            out: Vec::new(),
            answers: Vec::new(),
            allocations: 0,
        };
        leader.now = leader.node.deadline();
        leader.run(Vec::new());
        // Real clients come from somewhere, and that travels with each of their writes.
        let address = "10.0.0.1:5000".into();
        leader.run(vec![Input::ClientOpened {
            conn: CONN,
            address,
        }]);
        leader.ask(Request::Connect(Connect {
            read_only: false,
            replaces: None,
            session: Default::default(),
            password: [0; 16],
            timeout_ms: 40_000,
            last_zxid: Index(0),
        }));
        let create = leader.create();
        leader.ask(create);
        assert!(leader.node.view().machine().tree().count() > 3, "it works");
        leader
    }

    fn term(&self) -> Term {
        self.node.view().term()
    }

    fn create(&self) -> Request {
        Request::Write(Op::Create {
            path: "/bench".into(),
            data: None,
            acl: vec![Acl::open()],
            mode: CreateMode::Persistent,
            stat: false,
        })
    }

    fn change(&self) -> Request {
        Request::Write(Op::SetData {
            path: "/bench".into(),
            data: Some(Bytes::from(vec![7; 200])),
            version: -1,
        })
    }

    fn ask(&mut self, request: Request) {
        self.run(vec![Input::Client {
            conn: CONN,
            tag: 0,
            request,
        }]);
    }

    /// One step, then all that follows from it.
    fn run(&mut self, inputs: Vec<Input>) {
        self.step(inputs);
        self.rest();
    }

    fn rest(&mut self) {
        while !self.answers.is_empty() {
            let answers = mem::take(&mut self.answers);
            self.step(answers);
        }
    }

    fn step(&mut self, inputs: Vec<Input>) {
        // A microsecond a step: heartbeats come as rarely as they do in truth.
        self.now += Span(1);
        let before = COUNT.load(Relaxed);
        self.node.step(self.now, inputs, &mut self.out);
        self.allocations += COUNT.load(Relaxed) - before;
        for output in self.out.drain(..) {
            match output {
                Output::Write { id, .. } => self.answers.push(Input::Written(id)),
                Output::Save { id, .. } => self.answers.push(Input::Saved(id)),
                Output::Send { to, message } => {
                    let Message::Raft(message) = message else {
                        continue;
                    };
                    if let Some(message) = reply(message) {
                        self.answers.push(Input::Peer {
                            from: to,
                            message: Message::Raft(message),
                        });
                    }
                }
                Output::Halt(why) => panic!("{why}"),
                _ => {}
            }
        }
    }
}

fn reply(message: Raft) -> Option<Raft> {
    let granted = true;
    Some(match message {
        Raft::PreVote { term, round, .. } => Raft::PreVoteReply {
            term,
            granted,
            round,
        },
        Raft::Vote { term, .. } => Raft::VoteReply { term, granted },
        Raft::Append {
            term,
            prev,
            entries,
            ..
        } if !entries.is_empty() || prev.index == Index(0) => Raft::Appended {
            term,
            matched: Index(prev.index.0 + entries.len() as u64),
        },
        Raft::Heartbeat { term, round, .. } => Raft::HeartbeatReply {
            term,
            round,
            promised: false,
        },
        _ => return None,
    })
}

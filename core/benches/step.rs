//! What a step costs a leader of three: batches of changes of 200 bytes through their whole way (proposed,
//! written, acknowledged, committed, applied, answered), and a single ack. By hand: `cargo bench -p
//! otterkeeper-core`. The column of items is entries; allocations are those of one batch.

use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher, black_box};

use bytes::Bytes;
use otterkeeper_core::config::Config;
use otterkeeper_core::id::{ConnId, Index, NodeId, Term};
use otterkeeper_core::message::Message;
use otterkeeper_core::node::{Boot, Input, Node, Output};
use otterkeeper_core::raft::message::Message as Raft;
use otterkeeper_core::request::{Acl, Connect, CreateMode, Op, Request};
use otterkeeper_core::time::{Span, Time};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

const CONN: ConnId = ConnId(1);

fn main() {
    divan::main();
}

#[divan::bench(args = [1, 16, 256])]
fn batch(bencher: Bencher, size: u64) {
    let mut leader = Leader::new();
    let requests: Vec<Request> = (0..size).map(|_| leader.change()).collect();
    bencher.counter(ItemsCount::new(size)).bench_local(|| {
        let inputs = requests.iter().map(|request| Input::Client {
            conn: CONN,
            tag: 0,
            request: request.clone(),
        });
        let inputs = inputs.collect();
        leader.run(black_box(inputs));
    });
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

/// A leader whose disk and peers answer at once.
struct Leader {
    node: Node,
    now: Time,
    out: Vec<Output>,
    answers: Vec<Input>,
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
        };
        leader.now = leader.node.deadline();
        leader.run(Vec::new());
        let address = String::new();
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
            let answers = core::mem::take(&mut self.answers);
            self.step(answers);
        }
    }

    fn step(&mut self, inputs: Vec<Input>) {
        // A microsecond a step: heartbeats come as rarely as they do in truth.
        self.now += Span(1);
        self.node.step(self.now, inputs, &mut self.out);
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

//! A replica that differs is found out: real nodes, wires without delay, disks that answer at once.

use alloc::string::String;
use alloc::vec;

use super::*;
use crate::config::Config;
use crate::id::{ConnId, SessionId};
use crate::node::{Boot, Input};
use crate::request::{Acl, Connect, CreateMode, Op, Request};
use crate::time::{Span, Time};

const CONN: ConnId = ConnId(1);

struct Cluster {
    nodes: Vec<Node>,
    now: Time,
    /// Who halted, and why.
    halted: BTreeMap<usize, Halt>,
}

impl Cluster {
    fn new(size: u64) -> Self {
        let now = Time(1_767_225_600_000_000);
        let boot = |id| {
            let mut config = Config::new(NodeId(id), (1..=size).map(NodeId).collect());
            config.digest_every = 8;
            Node::boot(config, Boot::default(), [id as u8; 32], now).unwrap()
        };
        let mut cluster = Self {
            nodes: (1..=size).map(boot).collect(),
            now,
            halted: BTreeMap::new(),
        };
        cluster.run(Span::from_ms(2_000));
        let leader = cluster.leader();
        let address = String::new();
        cluster.step(
            leader,
            vec![Input::ClientOpened {
                conn: CONN,
                address,
            }],
        );
        cluster.ask(Request::Connect(Connect {
            read_only: false,
            replaces: None,
            session: SessionId(0),
            password: [0; 16],
            timeout_ms: 40_000,
            last_zxid: Index(0),
        }));
        cluster
    }

    fn leader(&self) -> usize {
        self.nodes
            .iter()
            .position(|node| node.raft.is_leader())
            .unwrap()
    }

    fn ask(&mut self, request: Request) {
        let leader = self.leader();
        let conn = CONN;
        self.step(
            leader,
            vec![Input::Client {
                conn,
                tag: 0,
                request,
            }],
        );
        self.run(Span::from_ms(200));
    }

    fn write(&mut self, times: usize) {
        for _ in 0..times {
            if !self
                .nodes
                .iter()
                .any(|node| node.raft.is_leader() && !node.halted)
            {
                return;
            }
            self.ask(Request::Write(Op::Create {
                path: "/n-".into(),
                data: None,
                acl: vec![Acl::open()],
                mode: CreateMode::PersistentSequential,
                stat: false,
            }));
        }
    }

    /// Lets so much time pass.
    fn run(&mut self, span: Span) {
        let until = self.now + span;
        loop {
            let next = self.nodes.iter().map(Node::deadline).min();
            let next = next.unwrap_or(until).min(until).max(self.now);
            self.now = if next == self.now {
                next + Span(1)
            } else {
                next
            };
            for place in 0..self.nodes.len() {
                self.step(place, Vec::new());
            }
            if until <= self.now {
                return;
            }
        }
    }

    /// A step, and everything that follows from it.
    fn step(&mut self, place: usize, inputs: Vec<Input>) {
        let mut queue = VecDeque::from([(place, inputs)]);
        while let Some((place, inputs)) = queue.pop_front() {
            let mut out = Vec::new();
            self.nodes[place].step(self.now, inputs, &mut out);
            let from = NodeId(place as u64 + 1);
            for output in out {
                match output {
                    Output::Write { id, .. } => queue.push_back((place, vec![Input::Written(id)])),
                    Output::Send { to, message } => {
                        let input = Input::Peer { from, message };
                        queue.push_back((to.0 as usize - 1, vec![input]));
                    }
                    Output::Halt(why) => {
                        self.halted.insert(place, why);
                    }
                    _ => {}
                }
            }
        }
    }

    /// The state of one replica is not what its log made of it.
    fn corrupt(&mut self, place: usize) {
        let number = place as u64 + 7;
        let machine = &mut self.nodes[place].machine;
        let origin = crate::command::Origin {
            node: NodeId(number),
            incarnation: 1,
            ticket: 1,
        };
        let open = crate::command::Command::Open {
            replaces: None,
            origin,
            timeout_ms: 4_000,
        };
        machine.apply(Index(number + 1_000_000), Time(0), &open, &mut Vec::new());
    }
}

#[test]
fn replicas_that_agree_go_on() {
    let mut cluster = Cluster::new(3);
    cluster.write(20);
    assert!(cluster.halted.is_empty());
    let followers = cluster
        .nodes
        .iter()
        .filter(|node| 1 < node.agreement.own.len());
    assert_eq!(followers.count(), 3, "everybody has marked");
    assert!(
        cluster
            .nodes
            .iter()
            .all(|node| node.agreement.others.len() == 2)
    );
}

#[test]
fn trap_21_one_that_differs_halts_and_the_others_go_on() {
    for which in 0..3 {
        let mut cluster = Cluster::new(3);
        cluster.write(3);
        let victim = (cluster.leader() + which) % 3;
        cluster.corrupt(victim);
        cluster.write(20);
        let (place, why) = cluster.halted.first_key_value().unwrap();
        assert_eq!(
            (*place, cluster.halted.len()),
            (victim, 1),
            "the leader too, if it is it"
        );
        assert!(matches!(why, Halt::StateDiffers { .. }), "{why}");
    }
}

#[test]
fn without_a_majority_for_any_state_all_halt() {
    let mut cluster = Cluster::new(3);
    cluster.write(3);
    cluster.corrupt(0);
    cluster.corrupt(1);
    cluster.write(20);
    assert_eq!(cluster.halted.len(), 3);
    assert!(
        cluster
            .halted
            .values()
            .all(|why| matches!(why, Halt::NoMajorityAgrees { .. }))
    );

    let mut cluster = Cluster::new(2);
    cluster.corrupt(1);
    cluster.write(20);
    assert_eq!(
        cluster.halted.len(),
        2,
        "two that differ do not know who is right"
    );
}

/// What somebody says who is no member counts for nothing.
#[test]
fn strangers_are_not_heard() {
    let mut cluster = Cluster::new(3);
    for stranger in 7..20 {
        let index = Index(8);
        let message = Message::Digest {
            index,
            digest: stranger,
        };
        let from = NodeId(stranger);
        cluster.step(0, vec![Input::Peer { from, message }]);
    }
    cluster.write(20);
    assert!(cluster.halted.is_empty());
    let known = &cluster.nodes[0].agreement.others;
    assert!(
        known.keys().all(|id| id.0 <= 3),
        "nobody else is remembered"
    );
}

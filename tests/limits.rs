//! What clients can pile up at a node has limits, and who passes one is sent away (raft.md 2.7.3). What peers and
//! disks can pile up is tested beside Raft.

use otterkeeper_core::config::Config;
use otterkeeper_core::id::{ConnId, NodeId, SessionId};
use otterkeeper_core::node::{Boot, Hangup, Input, Node, Output};
use otterkeeper_core::request::{Connect, Read, ReadKind, Request};
use otterkeeper_core::time::{Span, Time};

const NOW: Time = Time(1_000_000_000);

/// The only member of its cluster, which leads, and whose disk reports at once.
struct Alone {
    node: Node,
    now: Time,
    hung_up: Vec<(ConnId, Hangup)>,
    answered: usize,
}

impl Alone {
    fn new(adjust: impl Fn(&mut Config)) -> Self {
        let mut config = Config::new(NodeId(1), vec![NodeId(1)]);
        adjust(&mut config);
        let node = Node::boot(config, Boot::default(), [5; 32], NOW).expect("an empty disk");
        let mut alone = Self {
            node,
            now: NOW,
            hung_up: Vec::new(),
            answered: 0,
        };
        (0..20).for_each(|_| alone.step(Vec::new()));
        assert!(alone.node.view().leader().is_some());
        alone
    }

    fn step(&mut self, mut inputs: Vec<Input>) {
        while {
            let mut out = Vec::new();
            self.now += Span::from_ms(1);
            self.node
                .step(self.now, core::mem::take(&mut inputs), &mut out);
            for output in out {
                match output {
                    Output::Write { id, .. } => inputs.push(Input::Written(id)),
                    Output::Hangup { conn, reason } => self.hung_up.push((conn, reason)),
                    Output::Reply { .. } => self.answered += 1,
                    _ => {}
                }
            }
            !inputs.is_empty()
        } {}
    }

    fn open(&mut self, conn: u64) {
        let (conn, address) = (ConnId(conn), String::new());
        self.step(vec![Input::ClientOpened { conn, address }]);
    }

    fn attach(&mut self, conn: u64) {
        self.open(conn);
        let request = Request::Connect(Connect {
            read_only: false,
            replaces: None,
            session: SessionId(0),
            password: [0; 16],
            timeout_ms: 10_000,
            last_zxid: Default::default(),
        });
        let (conn, tag) = (ConnId(conn), 0);
        self.step(vec![Input::Client { conn, tag, request }]);
    }
}

#[test]
fn a_node_takes_no_more_connections_than_the_limit() {
    let mut alone = Alone::new(|config| config.connections = 3);
    (1..=3).for_each(|conn| alone.open(conn));
    assert_eq!(alone.hung_up, []);
    alone.open(4);
    assert_eq!(alone.hung_up, [(ConnId(4), Hangup::Refused)]);
    alone.step(vec![Input::ClientGone { conn: ConnId(2) }]);
    alone.open(5);
    assert_eq!(alone.hung_up.len(), 1, "there is room again");
}

#[test]
fn a_connection_has_no_more_requests_than_the_limit() {
    let mut alone = Alone::new(|config| config.requests_per_connection = 4);
    alone.attach(1);
    assert_eq!(alone.answered, 1);
    // Reads that see everything wait for a confirmation, all of one call for the same.
    let latest = |tag| Input::Client {
        conn: ConnId(1),
        tag,
        request: Request::Latest(Read {
            kind: ReadKind::Data,
            path: "/".into(),
            watch: false,
        }),
    };
    alone.step((1..=4).map(latest).collect());
    assert_eq!((alone.answered, &*alone.hung_up), (5, &[][..]));
    alone.step((5..=9).map(latest).collect());
    assert_eq!(alone.hung_up, [(ConnId(1), Hangup::Refused)]);
}

//! A cluster of one node with a perfect disk, for tests of what clients see: every answer, event and
//! hang-up in the order in which it goes out.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;

use super::*;
use crate::request::{
    Acl, Connect, CreateMode, Error, Op, Password, Read, ReadKind, Reply, WatchEvent,
};

/// What a connection heard.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Heard {
    Answer(ConnId, u64, Reply),
    Event(ConnId, WatchEvent),
    Bye(ConnId, Hangup),
}

/// The node, its clock, and all that went out to clients since somebody looked.
pub(super) struct Alone {
    pub(super) node: Node,
    pub(super) now: Time,
    pub(super) heard: Vec<Heard>,
    tag: u64,
    conns: u64,
}

impl Alone {
    /// A node that leads.
    pub(super) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(super) fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::new(NodeId(1), vec![NodeId(1)]);
        change(&mut config);
        let boot = Boot {
            vote: crate::raft::message::Vote::default(),
            commit_hint: Index(0),
            snapshot: None,
            log: Vec::new(),
        };
        let now = Time(1_000_000_000_000);
        let node = Node::boot(config, boot, [7; 32], now).unwrap();
        let mut alone = Self {
            node,
            now,
            heard: Vec::new(),
            tag: 0,
            conns: 0,
        };
        for _ in 0..100 {
            alone.pass(10);
        }
        assert!(alone.node.raft.is_leader() && alone.node.machine.initialised());
        alone
    }

    /// Boots anew as one of these members, with an empty disk, its clock going on.
    pub(super) fn restart_among(&mut self, members: Vec<NodeId>, change: impl FnOnce(&mut Config)) {
        let mut config = Config::new(NodeId(1), members);
        change(&mut config);
        let boot = Boot {
            vote: crate::raft::message::Vote::default(),
            commit_hint: Index(0),
            snapshot: None,
            log: Vec::new(),
        };
        self.node = Node::boot(config, boot, [8; 32], self.now).unwrap();
        self.heard.clear();
    }

    /// Steps, with the disk's reports, until nothing more comes.
    pub(super) fn step(&mut self, inputs: Vec<Input>) {
        let mut inputs = inputs;
        loop {
            let mut out = Vec::new();
            self.node.step(self.now, inputs, &mut out);
            inputs = Vec::new();
            for output in out {
                match output {
                    Output::Write { id, .. } => inputs.push(Input::Written(id)),
                    Output::Save { id, .. } => inputs.push(Input::Saved(id)),
                    Output::Reply { conn, tag, reply } => {
                        self.heard.push(Heard::Answer(conn, tag, reply));
                    }
                    Output::Notify { conn, event } => self.heard.push(Heard::Event(conn, event)),
                    Output::Hangup { conn, reason } => self.heard.push(Heard::Bye(conn, reason)),
                    Output::Halt(sentence) => panic!("{sentence}"),
                    Output::Send { .. } | Output::Done { .. } | Output::Note(_) => {}
                }
            }
            if inputs.is_empty() {
                return;
            }
        }
    }

    /// Lets milliseconds pass, with a step at each deadline on the way.
    pub(super) fn pass(&mut self, ms: u64) {
        let end = self.now + Span::from_ms(ms);
        while self.node.deadline() < end {
            self.now = self.now.max(self.node.deadline());
            self.step(Vec::new());
        }
        self.now = end;
        self.step(Vec::new());
    }

    /// A connection without a session.
    pub(super) fn dial(&mut self) -> ConnId {
        self.conns += 1;
        let conn = ConnId(self.conns);
        let address = format!("[::1]:{conn}");
        self.step(vec![Input::ClientOpened { conn, address }]);
        conn
    }

    /// A connection with a new session.
    pub(super) fn open(&mut self) -> (ConnId, SessionId, Password) {
        let conn = self.dial();
        match self.ask(conn, Request::Connect(hello())) {
            Ok(Response::Connected {
                session, password, ..
            }) => (conn, session, password),
            other => panic!("{other:?}"),
        }
    }

    /// Sends a request without looking at the answer, and gives its tag.
    pub(super) fn send(&mut self, conn: ConnId, request: Request) -> u64 {
        self.tag += 1;
        let tag = self.tag;
        self.step(vec![Input::Client { conn, tag, request }]);
        tag
    }

    /// The answer to a request; everything else that is heard meanwhile stays in `heard`.
    pub(super) fn ask(&mut self, conn: ConnId, request: Request) -> Result<Response, Error> {
        let asked = self.send(conn, request);
        let is_it = |heard: &Heard| matches!(heard, Heard::Answer(_, tag, _) if *tag == asked);
        let at = self.heard.iter().position(is_it).expect("no answer");
        match self.heard.remove(at) {
            Heard::Answer(_, _, reply) => reply.result,
            _ => unreachable!(),
        }
    }

    pub(super) fn gone(&mut self, conn: ConnId) {
        self.step(vec![Input::ClientGone { conn }]);
    }

    /// The events since the last look, such as `1 NodeCreated /a`.
    pub(super) fn events(&mut self) -> Vec<String> {
        let text = |heard| match heard {
            Heard::Event(conn, event) => Some(format!("{conn} {:?} {}", event.kind, event.path)),
            _ => None,
        };
        self.heard.drain(..).filter_map(text).collect()
    }

    pub(super) fn zxid(&self) -> Index {
        self.node.applied.index
    }
}

pub(super) const fn hello() -> Connect {
    Connect {
        session: SessionId(0),
        password: [0; 16],
        timeout_ms: 10_000,
        last_zxid: Index(0),
        read_only: false,
        replaces: None,
    }
}

pub(super) fn op(line: &str) -> Op {
    let words: Vec<&str> = line.split(' ').collect();
    let create = |path: &str, mode| Op::Create {
        path: path.into(),
        data: Some(Bytes::new()),
        acl: vec![Acl::open()],
        mode,
        stat: false,
    };
    match *words {
        ["create", path] => create(path, CreateMode::Persistent),
        ["create", "-e", path] => create(path, CreateMode::Ephemeral),
        ["create", "-c", path] => create(path, CreateMode::Container),
        ["create", "-t", ms, path] => {
            let ms = ms.parse().unwrap();
            create(path, CreateMode::Ttl { ms })
        }
        ["create", "-s", path] => create(path, CreateMode::PersistentSequential),
        ["delete", path] => Op::Delete {
            path: path.into(),
            version: -1,
        },
        ["set", path, data] => Op::SetData {
            path: path.into(),
            data: Some(Bytes::copy_from_slice(data.as_bytes())),
            version: -1,
        },
        ["check", path, version] => Op::Check {
            path: path.into(),
            version: version.parse().unwrap(),
        },
        _ => panic!("{line}"),
    }
}

pub(super) fn write(line: &str) -> Request {
    Request::Write(op(line))
}

pub(super) fn read(kind: ReadKind, path: &str, watch: bool) -> Request {
    Request::Read(Read {
        kind,
        path: path.into(),
        watch,
    })
}

/// A new session that names the old one: nothing of that is left when the new one is open (CURATOR-604).
#[test]
fn a_change_that_is_too_long_is_refused_and_the_connection_stays() {
    let mut alone = Alone::with(|config| config.request_bytes = 10_000);
    let (conn, ..) = alone.open();
    alone.ask(conn, write("create /a")).unwrap();
    let mut set = |bytes: usize| {
        let data = Some(vec![0; bytes].into());
        let (path, version) = ("/a".into(), -1);
        alone.ask(
            conn,
            Request::Write(Op::SetData {
                path,
                data,
                version,
            }),
        )
    };
    assert!(set(9_900).is_ok());
    assert_eq!(set(10_500), Err(Error::MarshallingError));
    assert!(set(9_900).is_ok());
}

#[test]
fn a_session_takes_over_from_its_owners_old_one() {
    let mut alone = Alone::new();
    let (conn, old, password) = alone.open();
    let (other, ..) = alone.open();
    alone.ask(conn, write("create -e /lock")).unwrap();
    alone
        .ask(other, read(ReadKind::Exists, "/lock", true))
        .unwrap();
    alone.heard.clear();

    let thief = alone.dial();
    let stolen = Connect {
        replaces: Some((old, [3; 16])),
        ..hello()
    };
    assert!(alone.ask(thief, Request::Connect(stolen)).is_ok());
    assert!(alone.node.machine.session(old).is_some());

    let new = alone.dial();
    let connect = Connect {
        replaces: Some((old, password)),
        ..hello()
    };
    let tag = alone.send(new, Request::Connect(connect));
    let order: Vec<_> = alone.heard.drain(..).collect();
    assert!(matches!(&order[0], Heard::Event(conn, _) if *conn == other));
    assert_eq!(order[1], Heard::Bye(conn, Hangup::Expired));
    assert!(matches!(&order[2], Heard::Answer(conn, at, _) if (*conn, *at) == (new, tag)));
    assert!(alone.node.machine.session(old).is_none());
    let gone = alone.ask(new, read(ReadKind::Exists, "/lock", false));
    assert_eq!(gone, Err(Error::NoNode));
}

/// Traps 2 and 24: a session is taken up again by id and password; the last connection has it, the one before
/// is closed; who has it not, or too late, is told so.
#[test]
fn traps_2_and_24_a_session_moves_to_the_last_connection() {
    let mut alone = Alone::new();
    let (first, session, password) = alone.open();
    alone.ask(first, write("create -e /e")).unwrap();
    let again = |password| {
        Request::Connect(Connect {
            session,
            password,
            ..hello()
        })
    };
    let second = alone.dial();
    assert_eq!(alone.ask(second, again([1; 16])), Ok(Response::Expired));
    assert_eq!(alone.heard, [Heard::Bye(second, Hangup::Expired)]);
    alone.heard.clear();

    let third = alone.dial();
    let answer = alone.ask(third, again(password));
    assert!(matches!(answer, Ok(Response::Connected { session: same, .. }) if same == session));
    assert_eq!(alone.heard, [Heard::Bye(first, Hangup::Moved)]);
    alone.heard.clear();
    assert!(
        alone
            .ask(third, read(ReadKind::Exists, "/e", false))
            .is_ok()
    );

    alone.gone(third);
    alone.pass(11_000);
    let late = alone.dial();
    assert_eq!(alone.ask(late, again(password)), Ok(Response::Expired));
}

/// Section 3: a timeout is clamped; a client that is ahead is sent away.
#[test]
fn section_3_clamp_and_zxid_ahead() {
    let mut alone = Alone::new();
    for (asked, agreed) in [(0, 4_000), (5_000, 5_000), (u32::MAX, 40_000)] {
        let conn = alone.dial();
        let connect = Connect {
            timeout_ms: asked,
            ..hello()
        };
        let answer = alone.ask(conn, Request::Connect(connect));
        assert!(
            matches!(answer, Ok(Response::Connected { timeout_ms, .. }) if timeout_ms == agreed)
        );
    }
    let conn = alone.dial();
    let ahead = Connect {
        last_zxid: Index(alone.zxid().0 + 1),
        ..hello()
    };
    alone.send(conn, Request::Connect(ahead));
    assert_eq!(alone.heard, [Heard::Bye(conn, Hangup::Behind)]);
}

impl Alone {
    /// A member sends this part of a stream of its clients' commands.
    fn forward(&mut self, from: u64, stream: u64, at: u64, commands: Vec<Bytes>) {
        let message = Message::Forward {
            stream,
            at,
            commands,
        };
        let from = NodeId(from);
        self.step(vec![Input::Peer { from, message }]);
    }

    fn last(&self) -> u64 {
        self.node.view().last().index.0
    }
}

/// What a client of member 2 asks for.
fn opening(ticket: u64) -> Bytes {
    wire::encode_command(&Command::Open {
        origin: crate::command::Origin {
            node: NodeId(2),
            incarnation: 1,
            ticket,
        },
        timeout_ms: 10_000,
        replaces: None,
    })
}

/// An entry that cannot be read halts whoever applies it, so one member that forwards nonsense would stop them
/// all: a leader takes none of it, nor what follows it.
#[test]
fn nobody_halts_of_what_a_member_forwards() {
    let cut_short = opening(9).slice(..opening(9).len() - 1);
    let of_another_version = [&[0xFF], &opening(9)[1..]].concat();
    let unreadable = [
        Bytes::new(),
        cut_short,
        of_another_version.into(),
        Bytes::from_static(&[0xFF; 100]),
    ];
    let mut alone = Alone::new();
    for (stream, nonsense) in (1..).zip(unreadable) {
        let before = alone.last();
        let ticket = 2 * stream;
        alone.forward(2, stream, 0, vec![opening(ticket), nonsense, opening(9)]);
        assert_eq!(alone.last(), before + 1, "stream {stream}");
        // It goes on where the nonsense was.
        alone.forward(2, stream, 1, vec![opening(ticket + 1)]);
        assert_eq!(alone.last(), before + 2, "stream {stream}");
        assert_eq!(alone.zxid().0, alone.last());
    }
    assert_eq!(alone.node.view().machine().sessions().count(), 8);
}

#[test]
fn no_more_streams_are_kept_than_the_limit() {
    let mut alone = Alone::with(|config| config.forward_streams = 2);
    let mut ticket = 0;
    let mut taken = |alone: &mut Alone, from: u64, stream: u64, at: u64| {
        let before = alone.last();
        ticket += 1;
        alone.now += Span::from_ms(1);
        alone.forward(from, stream, at, vec![opening(ticket)]);
        assert!(alone.node.clients.inbound() <= 2);
        before < alone.last()
    };
    for member in 2..100 {
        assert!(taken(&mut alone, member, 7, 0));
    }
    // Those that spoke last go on; one that was forgotten must start again, and then another one goes.
    assert!(taken(&mut alone, 98, 7, 1));
    assert!(!taken(&mut alone, 50, 7, 1));
    assert!(!taken(&mut alone, 99, 7, 1));
    assert!(taken(&mut alone, 50, 8, 0));
    assert!(taken(&mut alone, 50, 8, 1));
}

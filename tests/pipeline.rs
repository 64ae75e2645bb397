//! Promises of ZooKeeper's protocol that take a real server and bytes by hand to hold to: order in a pipeline, odd
//! numbers, what must survive a restart. `conformance.rs` says which promise each of them is.

use core::time::Duration;
use std::thread::sleep;
use std::time::Instant;

use otterkeeper_tests::process::Cluster;

use crate::against::answer::{Answer, Part, Value, op};
use crate::against::wire::{Jute, Wire};

const OPEN: &[(i32, &str, &str)] = &[(31, "world", "anyone")];

/// A connection with a session.
struct Client {
    wire: Wire,
    session: i64,
}

impl Client {
    fn new(address: &str) -> Self {
        Self::with_timeout(address, 30_000)
    }

    fn with_timeout(address: &str, timeout_ms: i32) -> Self {
        let mut wire = Wire::open(address).expect("the server listens");
        wire.send(&hello(timeout_ms, 0, &[0; 16]).framed());
        let frame = wire.frame().expect("a session");
        let session = frame[8..16].try_into().expect("eight bytes");
        Self {
            wire,
            session: i64::from_be_bytes(session),
        }
    }

    fn send(&mut self, xid: i32, op: i32, body: &Jute) {
        let head = Jute::default().int(xid).int(op);
        let frame = Jute([&head.0[..], &body.0].concat());
        self.wire.send(&frame.framed());
    }

    /// The next answer.
    fn answer(&mut self, op: i32) -> Answer {
        let frame = self.wire.frame().expect("an answer");
        Answer::read(op, &frame)
    }

    fn ask(&mut self, op: i32, body: &Jute) -> Answer {
        self.send(1, op, body);
        self.answer(op)
    }

    /// Asks for what must work.
    fn done(&mut self, op: i32, body: &Jute) -> Answer {
        let answer = self.ask(op, body);
        assert_eq!(answer.error, 0, "op {op}: {answer}");
        answer
    }
}

fn hello(timeout_ms: i32, session: i64, password: &[u8]) -> Jute {
    let jute = Jute::default().int(0).long(0).int(timeout_ms);
    jute.long(session).buffer(Some(password)).bool(false)
}

fn create(path: &str, data: Option<&[u8]>, acl: &[(i32, &str, &str)], flags: i32) -> Jute {
    let mut jute = Jute::default().text(path.as_bytes()).buffer(data);
    jute = jute.int(i32::try_from(acl.len()).expect("a short list"));
    for (perms, scheme, id) in acl {
        jute = jute.int(*perms).text(scheme.as_bytes()).text(id.as_bytes());
    }
    jute.int(flags)
}

/// Path and watch, as most reads have it.
fn quietly(path: &str) -> Jute {
    Jute::default().text(path.as_bytes()).bool(false)
}

fn multi(ops: &[(i32, Jute)]) -> Jute {
    let mut jute = Jute::default();
    for (op, body) in ops {
        jute = jute.int(*op).bool(false).int(-1);
        jute.0.extend(&body.0);
    }
    jute.int(-1).bool(true).int(-1)
}

fn value(answer: &Answer, name: &str) -> Value {
    let mut parts = answer.parts.iter();
    let found = parts.find(|part: &&Part| part.name == name);
    found.expect("the answer has it").value.clone()
}

/// The values of that name, all of them.
fn ints(answer: &Answer, name: &str) -> Vec<i64> {
    let of = |part: &Part| match part.value {
        Value::Int(value) if part.name == name => Some(value),
        _ => None,
    };
    answer.parts.iter().filter_map(of).collect()
}

#[test]
#[ignore = "needs a built server: cargo xtask test"]
fn pings_wait_for_their_turn_and_no_longer() {
    const WRITES: i32 = 300;
    let cluster = Cluster::start(1);
    let zk = &cluster.member(0).zk;
    let (mut writer, mut other) = (Client::new(zk), Client::new(zk));
    for number in 0..WRITES {
        let body = create(&format!("/{number}"), None, OPEN, 0);
        writer.send(number, op::CREATE, &body);
    }
    writer.send(-2, op::PING, &Jute::default());
    // Nobody waits for another session's work.
    assert_eq!(other.done(op::PING, &Jute::default()).error, 0);
    for number in 0..WRITES {
        assert_eq!(writer.answer(op::CREATE).xid, number);
    }
    let pong = writer.answer(op::PING);
    assert_eq!((pong.xid, pong.error, pong.parts.len()), (-2, 0, 3));
}

#[test]
#[ignore = "needs a built server: cargo xtask test"]
fn section_10_multis_of_every_kind() {
    const NO_CHILDREN_FOR_EPHEMERALS: i64 = -108;
    const RUNTIME_INCONSISTENCY: i64 = -2;
    let cluster = Cluster::start(1);
    let mut client = Client::new(&cluster.member(0).zk);
    // An empty one is the end and nothing else.
    let answer = client.done(op::MULTI, &multi(&[]));
    assert_eq!(ints(&answer, "type"), [-1]);
    // A parent that is ephemeral by an operation before it.
    let parent_and_child = [
        (op::CREATE, create("/e", None, OPEN, 1)),
        (op::CREATE, create("/e/x", None, OPEN, 0)),
        (op::DELETE, Jute::default().text(b"/none").int(-1)),
    ];
    let answer = client.done(op::MULTI, &multi(&parent_and_child));
    assert_eq!(ints(&answer, "type"), [-1; 4]);
    let codes = ints(&answer, "err");
    assert!(codes.contains(&NO_CHILDREN_FOR_EPHEMERALS), "{codes:?}");
    assert!(codes.contains(&RUNTIME_INCONSISTENCY), "{codes:?}");
    assert_eq!(client.ask(op::EXISTS, &quietly("/e")).error, -101);
    // Every kind that can work, each seeing what the ones before did.
    let all = [
        (op::CREATE, create("/m", None, OPEN, 0)),
        (op::CREATE2, create("/m/n-", None, OPEN, 2)),
        (op::CREATE_CONTAINER, create("/m/c", None, OPEN, 4)),
        (op::CREATE_TTL, create("/m/t", None, OPEN, 5).long(60_000)),
        (op::SET_DATA, Jute::default().text(b"/m").text(b"x").int(0)),
        (op::CHECK, Jute::default().text(b"/m").int(1)),
        (op::DELETE, Jute::default().text(b"/m/c").int(0)),
    ];
    let answer = client.done(op::MULTI, &multi(&all));
    assert_eq!(ints(&answer, "type"), [1, 15, 15, 15, 5, 13, 2, -1]);
}

#[test]
#[ignore = "needs a built server: cargo xtask test"]
fn trap_1_the_read_only_byte_comes_back_only_if_it_was_sent() {
    let cluster = Cluster::start(1);
    let long = hello(30_000, 0, &[0; 16]);
    let short = Jute(long.0[..long.0.len() - 1].to_vec());
    for (hello, length) in [(short, 36), (long, 37)] {
        let mut wire = Wire::open(&cluster.member(0).zk).expect("the server listens");
        wire.send(&hello.framed());
        assert_eq!(wire.frame().expect("a session").len(), length);
    }
}

#[test]
#[ignore = "needs a built server: cargo xtask test"]
fn trap_4_reads_at_a_follower_keep_the_session_alive() {
    let cluster = Cluster::start_with(3, &["--session-min-ms", "1000"]);
    let leader = cluster.leader().expect("all members serve");
    let follower = &cluster.member((leader + 1) % 3).zk;
    let mut reader = Client::with_timeout(follower, 1_000);
    reader.done(op::CREATE, &create("/alive", None, OPEN, 1));
    let mut watcher = Client::new(&cluster.member(leader).zk);
    let until = Instant::now() + Duration::from_secs(4);
    while Instant::now() < until {
        reader.done(op::EXISTS, &quietly("/alive"));
        sleep(Duration::from_millis(200));
    }
    let stat = watcher.done(op::EXISTS, &quietly("/alive"));
    assert_eq!(
        value(&stat, "ephemeralOwner"),
        Value::Session(reader.session)
    );
    // And without a sign of life it ends.
    drop(reader);
    let until = Instant::now() + Duration::from_secs(20);
    while watcher.ask(op::EXISTS, &quietly("/alive")).error == 0 {
        assert!(Instant::now() < until, "the session never ends");
        sleep(Duration::from_millis(50));
    }
}

#[test]
#[ignore = "needs a built server: cargo xtask test"]
fn trap_5_what_children_do_to_their_parents_stat() {
    let cluster = Cluster::start(1);
    let mut client = Client::new(&cluster.member(0).zk);
    client.done(op::CREATE, &create("/p", None, OPEN, 0));
    client.done(op::CREATE, &create("/p/a", None, OPEN, 0));
    let parent = |client: &mut Client| {
        let stat = client.done(op::EXISTS, &quietly("/p"));
        (value(&stat, "cversion"), value(&stat, "pzxid"))
    };
    let before = parent(&mut client);
    let set = Jute::default().text(b"/p/a").buffer(Some(b"x")).int(-1);
    client.done(op::SET_DATA, &set);
    assert_eq!(parent(&mut client), before, "a child's data is its own");
    let deleted = client.done(op::DELETE, &Jute::default().text(b"/p/a").int(-1));
    let after = (Value::Int(2), Value::Zxid(deleted.applied()));
    assert_eq!(parent(&mut client), after, "a delete moves both");
    // Numbers come from how many children there ever were.
    let next = client.done(op::CREATE, &create("/p/n-", None, OPEN, 2));
    let path = b"/p/n-0000000001".to_vec();
    assert_eq!(value(&next, "path"), Value::Bytes(Some(path)));
}

#[test]
#[ignore = "needs a built server: cargo xtask test"]
fn traps_9_and_25_nothing_runs_behind_the_end_of_a_session() {
    const NO_NODE: i32 = -101;
    let cluster = Cluster::start(1);
    let zk = &cluster.member(0).zk;
    let (mut client, mut other) = (Client::new(zk), Client::new(zk));
    client.send(1, op::CREATE, &create("/mine", None, OPEN, 1));
    client.send(2, op::CLOSE, &Jute::default());
    client.send(3, op::CREATE, &create("/behind", None, OPEN, 0));
    client.send(4, op::CREATE, &create("/ghost", None, OPEN, 1));
    assert_eq!(client.answer(op::CREATE).error, 0);
    assert_eq!(client.answer(op::CLOSE).error, 0);
    assert!(client.wire.frame().is_none(), "nothing more is answered");
    other.done(op::SYNC, &Jute::default().text(b"/"));
    for path in ["/mine", "/behind", "/ghost"] {
        assert_eq!(
            other.ask(op::EXISTS, &quietly(path)).error,
            NO_NODE,
            "{path}"
        );
    }
}

#[test]
#[ignore = "needs a built server: cargo xtask test"]
fn trap_10_auth_counts_for_what_comes_behind_it() {
    const NO_AUTH: i32 = -102;
    let cluster = Cluster::start(1);
    let mut client = Client::new(&cluster.member(0).zk);
    let otters = [(31, "digest", "otter:6+nLZUxJQMd1J/h66uXmTocs6oo=")];
    let auth = Jute::default().int(0).text(b"digest").text(b"otter:raft");
    client.send(1, op::CREATE, &create("/mine", None, &otters, 0));
    client.send(
        2,
        op::SET_DATA,
        &Jute::default().text(b"/mine").text(b"").int(-1),
    );
    client.send(3, op::GET_DATA, &quietly("/mine"));
    client.send(-4, op::AUTH, &auth);
    client.send(4, op::GET_DATA, &quietly("/mine"));
    client.send(
        5,
        op::SET_DATA,
        &Jute::default().text(b"/mine").text(b"").int(0),
    );
    let mut said = |op| {
        let answer = client.answer(op);
        (answer.xid, answer.error)
    };
    assert_eq!(said(op::CREATE), (1, 0));
    assert_eq!(said(op::SET_DATA), (2, NO_AUTH));
    assert_eq!(said(op::GET_DATA), (3, NO_AUTH));
    assert_eq!(said(op::AUTH), (-4, 0));
    assert_eq!(said(op::GET_DATA), (4, 0));
    assert_eq!(said(op::SET_DATA), (5, 0));
}

#[test]
#[ignore = "needs a built server: cargo xtask test"]
fn trap_11_mortal_znodes_show_no_owner() {
    let cluster = Cluster::start(1);
    let mut client = Client::new(&cluster.member(0).zk);
    let container = client.done(op::CREATE_CONTAINER, &create("/c", None, OPEN, 4));
    let ttl = client.done(op::CREATE_TTL, &create("/t", None, OPEN, 5).long(60_000));
    let exists = client.done(op::EXISTS, &quietly("/t"));
    for answer in [container, ttl, exists] {
        assert_eq!(value(&answer, "ephemeralOwner"), Value::Int(0), "{answer}");
    }
}

#[test]
#[ignore = "needs a built server: cargo xtask test"]
fn trap_12_xids_wrap_around() {
    const XIDS: &[i32] = &[
        i32::MAX - 1,
        i32::MAX,
        i32::MIN,
        i32::MIN + 1,
        -3,
        0,
        0,
        1,
        1,
    ];
    let cluster = Cluster::start(1);
    let mut client = Client::new(&cluster.member(0).zk);
    for (at, &xid) in XIDS.iter().enumerate() {
        let path = format!("/{at}");
        client.send(xid, op::CREATE, &create(&path, None, OPEN, 0));
        client.send(xid, op::EXISTS, &quietly(&path));
    }
    for &xid in XIDS {
        let (created, exists) = (client.answer(op::CREATE), client.answer(op::EXISTS));
        assert_eq!((created.xid, created.error), (xid, 0));
        assert_eq!((exists.xid, exists.error), (xid, 0));
    }
}

#[test]
#[ignore = "needs a built server: cargo xtask test"]
fn trap_13_an_unknown_operation_ends_the_connection_only() {
    const UNIMPLEMENTED: i32 = -6;
    let cluster = Cluster::start(1);
    let zk = &cluster.member(0).zk;
    let mut other = Client::new(zk);
    for unknown in [0, 13, 20, 108, 500, -10, i32::MAX] {
        let mut client = Client::new(zk);
        let answer = client.ask(unknown, &Jute::default().text(b"/"));
        assert_eq!((answer.xid, answer.error), (1, UNIMPLEMENTED));
        assert!(client.wire.frame().is_none(), "op {unknown}");
    }
    other.done(op::EXISTS, &quietly("/"));
}

#[test]
#[ignore = "needs a built server: cargo xtask test"]
fn trap_15_any_session_id_can_be_asked_for() {
    let cluster = Cluster::start(1);
    let zk = &cluster.member(0).zk;
    for session in [-1, 1, i64::MIN, i64::MAX, 0x00ff_ffff_ffff_ffff] {
        for password in [&[0xff; 16][..], &[0; 16], &[7; 3], &[]] {
            let mut wire = Wire::open(zk).expect("the server listens");
            wire.send(&hello(30_000, session, password).framed());
            let frame = wire.frame().expect("an answer");
            assert_eq!(frame[4..16], [0; 12], "{session} is expired");
            assert!(wire.frame().is_none(), "and the connection is closed");
        }
    }
    Client::new(zk).done(op::EXISTS, &quietly("/"));
}

#[test]
#[ignore = "needs a built server: cargo xtask test"]
fn trap_18_a_session_with_many_ephemerals_can_end() {
    // Their paths together are three times as long as the longest packet.
    const ROUNDS: usize = 60;
    const EACH: usize = 500;
    let cluster = Cluster::start(1);
    let zk = &cluster.member(0).zk;
    let (mut owner, mut other) = (Client::new(zk), Client::new(zk));
    owner.done(op::CREATE, &create("/many", None, OPEN, 0));
    let long = "x".repeat(100);
    for round in 0..ROUNDS {
        let one = |at: usize| {
            let path = format!("/many/{long}-{round}-{at}");
            (op::CREATE, create(&path, None, OPEN, 1))
        };
        let ops: Vec<(i32, Jute)> = (0..EACH).map(one).collect();
        owner.done(op::MULTI, &multi(&ops));
    }
    let children = |client: &mut Client| {
        let stat = client.done(op::EXISTS, &quietly("/many"));
        ints(&stat, "numChildren")[0]
    };
    assert_eq!(children(&mut other), (ROUNDS * EACH) as i64);
    owner.done(op::CLOSE, &Jute::default());
    assert_eq!(children(&mut other), 0);
}

#[test]
#[ignore = "needs a built server: cargo xtask test"]
fn trap_19_zookeepers_own_znodes_stay() {
    const BAD_ARGUMENTS: i32 = -8;
    const NODE_EXISTS: i32 = -110;
    let cluster = Cluster::start(1);
    let mut client = Client::new(&cluster.member(0).zk);
    for path in ["/zookeeper/config", "/zookeeper/quota", "/zookeeper", "/"] {
        let delete = Jute::default().text(path.as_bytes()).int(-1);
        assert_eq!(
            client.ask(op::DELETE, &delete).error,
            BAD_ARGUMENTS,
            "{path}"
        );
        client.done(op::EXISTS, &quietly(path));
    }
    let root = create("/", None, OPEN, 0);
    assert_eq!(client.ask(op::CREATE, &root).error, NODE_EXISTS);
}

#[test]
#[ignore = "needs a built server: cargo xtask test"]
fn trap_20_null_data_stays_null() {
    let mut cluster = Cluster::start(1);
    let mut client = Client::new(&cluster.member(0).zk);
    client.done(op::CREATE, &create("/null", None, OPEN, 0));
    client.done(op::CREATE, &create("/empty", Some(b""), OPEN, 0));
    let check = |client: &mut Client| {
        let null = client.done(op::GET_DATA, &quietly("/null"));
        let empty = client.done(op::GET_DATA, &quietly("/empty"));
        assert_eq!(value(&null, "data"), Value::Bytes(None));
        assert_eq!(value(&empty, "data"), Value::Bytes(Some(Vec::new())));
    };
    check(&mut client);
    cluster.kill(0);
    cluster.run(0);
    cluster.wait(0);
    check(&mut Client::new(&cluster.member(0).zk));
}

#[test]
#[ignore = "needs a built server: cargo xtask test"]
fn trap_23_times_are_the_same_on_every_member() {
    /// Behind the header of an answer and two zxids: ctime and mtime.
    const TIMES: core::ops::Range<usize> = 32..48;
    let cluster = Cluster::start(3);
    let mut clients = [0, 1, 2].map(|at| Client::new(&cluster.member(at).zk));
    clients[0].done(op::CREATE, &create("/t", None, OPEN, 0));
    sleep(Duration::from_millis(5));
    clients[1].done(op::SYNC, &Jute::default().text(b"/t"));
    let set = Jute::default().text(b"/t").buffer(None).int(-1);
    clients[1].done(op::SET_DATA, &set);
    let times = clients.map(|mut client| {
        client.done(op::SYNC, &Jute::default().text(b"/t"));
        client.send(1, op::EXISTS, &quietly("/t"));
        client.wire.frame().expect("an answer")[TIMES].to_vec()
    });
    assert!(times.iter().all(|each| *each == times[0]), "{times:?}");
    assert_ne!(times[0][..8], times[0][8..], "it was set later");
}

//! A replica with new code applies old entries as the old code did (raft.md 2.8.2, rule R28): a log as version 1
//! wrote it is kept, with the state after each entry. What a node does not know stops it.
//!
//! `GOLDEN=rewrite cargo test -p otterkeeper-tests upgrade` writes the log anew; after a release that would be the
//! very mistake it is there to show.

use core::fmt::Write;
use std::path::Path;
use std::{env, fs};

use otterkeeper_core::command::{Command, Origin, Silent, WriteRequest};
use otterkeeper_core::config::Config;
use otterkeeper_core::configuration::Configuration;
use otterkeeper_core::halt::Halt;
use otterkeeper_core::id::{Index, LogId, NodeId, SessionId, Term};
use otterkeeper_core::machine::Machine;
use otterkeeper_core::node::{Boot, Node, Output};
use otterkeeper_core::raft::message::{Entry, Payload, Vote};
use otterkeeper_core::request::{Acl, CreateMode, Op};
use otterkeeper_core::time::Time;
use otterkeeper_core::wire;

const STAMP: u64 = 1_700_000_000_000_000;

/// Every kind of command, and every kind of change of a znode.
fn history() -> Vec<Command> {
    let mut number = 0;
    let mut write = |request| {
        number += 1;
        Command::Write {
            session: SessionId(2),
            epoch: Index(2),
            number,
            ids: Vec::new(),
            request,
        }
    };
    let create = |path: &str, mode| Op::Create {
        path: path.into(),
        data: Some(path.to_owned().into_bytes().into()),
        acl: vec![Acl::open()],
        mode,
        stat: false,
    };
    let set = |path: &str, version| Op::SetData {
        path: path.into(),
        data: None,
        version,
    };
    let delete = |path: &str| Op::Delete {
        path: path.into(),
        version: -1,
    };
    let origin = |node, ticket| Origin {
        node: NodeId(node),
        incarnation: 77,
        ticket,
    };
    let open = |node, ticket| Command::Open {
        replaces: None,
        origin: origin(node, ticket),
        timeout_ms: 10_000,
    };
    let members = Configuration::of_voters((1..=3).map(NodeId));
    vec![
        Command::Init {
            members,
            secret: [7; 32],
            features: 1,
            max_depth: 64,
        },
        open(1, 1),
        write(WriteRequest::Op(create("/a", CreateMode::Persistent))),
        write(WriteRequest::Op(create("/a/e", CreateMode::Ephemeral))),
        write(WriteRequest::Op(create(
            "/a/s-",
            CreateMode::PersistentSequential,
        ))),
        write(WriteRequest::Op(set("/a", 0))),
        write(WriteRequest::Op(set("/a", 9))),
        write(WriteRequest::Multi(vec![
            create("/b", CreateMode::Persistent),
            create("/b/c", CreateMode::EphemeralSequential),
            set("/b", 0),
        ])),
        write(WriteRequest::Multi(vec![
            create("/gone", CreateMode::Persistent),
            delete("/nothing"),
        ])),
        write(WriteRequest::Op(delete("/a"))),
        open(1, 1),
        open(2, 1),
        Command::Attach {
            origin: origin(2, 2),
            session: SessionId(2),
            password: [0; 16],
            timeout_ms: 5_000,
        },
        Command::Abandon { change: Index(1) },
        Command::Expire {
            sessions: [(12, 12), (2, 3)]
                .map(|(session, epoch)| Silent {
                    session: SessionId(session),
                    epoch: Index(epoch),
                    ms: 4_000,
                })
                .into(),
            leader: NodeId(1),
        },
        write(WriteRequest::Close),
    ]
}

/// A line for each entry: its bytes, and the digest of the state after it.
fn told(commands: impl Iterator<Item = Vec<u8>>) -> String {
    let (mut machine, mut text, mut changes) = (Machine::new(), String::new(), Vec::new());
    for (index, bytes) in (1..).zip(commands) {
        let command = wire::decode_command(&bytes).expect("an entry of version 1 can be read");
        machine.apply(Index(index), Time(STAMP + index), &command, &mut changes);
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        writeln!(text, "{hex} {:016x}", machine.digest()).expect("it has room");
    }
    text
}

#[test]
fn old_entries_give_the_state_that_they_gave() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/log-v1.txt");
    if env::var("GOLDEN").is_ok_and(|what| what == "rewrite") {
        let commands = history().into_iter();
        let text = told(commands.map(|command| wire::encode_command(&command).to_vec()));
        fs::write(&path, text).expect("it can be written");
    }
    let text = fs::read_to_string(&path).expect("it can be read");
    let bytes = text.lines().map(|line| {
        let hex = line.split(' ').next().unwrap_or_default();
        let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal");
        (0..hex.len()).step_by(2).map(byte).collect()
    });
    assert_eq!(told(bytes), text);
    assert_eq!(text.lines().count(), history().len());
}

#[test]
fn a_node_stops_at_an_entry_that_it_does_not_know() {
    let id = LogId {
        term: Term(1),
        index: Index(1),
    };
    let entry = Entry {
        id,
        stamp: Time(STAMP),
        payload: Payload::Command(vec![99, 1, 2, 3].into()),
    };
    let boot = Boot {
        vote: Vote {
            term: Term(1),
            voted_for: None,
        },
        commit_hint: Index(1),
        log: vec![entry],
        ..Boot::default()
    };
    let config = Config::new(NodeId(1), vec![NodeId(1)]);
    let mut node = Node::boot(config, boot, [5; 32], Time(STAMP)).expect("in order");
    let mut out = Vec::new();
    node.step(Time(STAMP), [], &mut out);
    let is_it = |output: &Output| matches!(output, Output::Halt(Halt::Unreadable { .. }));
    assert!(out.iter().any(is_it), "{out:?}");
    assert_eq!(node.view().applied(), Index(1));
}

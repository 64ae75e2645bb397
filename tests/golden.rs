//! Bytes of every released format version (rule R28): a sample of each variant of each type that goes over
//! the wire or to disk, and what version 1 makes of it. A changed line is a new version, not a new line:
//! whoever changes a type that is in a release keeps the old one beside it.
//!
//! `GOLDEN=rewrite cargo test -p otterkeeper-tests golden` writes the file anew; before the first release of
//! a version that is how it is made. The same samples, cut and altered, show that no bytes make a decoder
//! panic or take more memory than they are worth.

mod samples;

use core::fmt::{Debug, Write};
use std::env;
use std::fs;
use std::path::Path;

use bytes::Bytes;
use otterkeeper_core::command::{Command, Origin, WriteRequest};
use otterkeeper_core::id::{Index, NodeId, SessionId};
use otterkeeper_core::machine::Machine;
use otterkeeper_core::message::Message;
use otterkeeper_core::request::{Acl, Op, Reply, Response};
use otterkeeper_core::rng::Rng;
use otterkeeper_core::time::Time;
use otterkeeper_core::wire::client::{self, ServerFrame};
use otterkeeper_core::wire::{self, Rebuild, WireError};

use self::samples::{
    client_frames, commands, configuration, entries, identity, messages, meta, once, ops,
    server_frames, votes,
};
use crate::counting::peak_bytes;

type Again = Box<dyn Fn(&[u8]) -> Result<Bytes, WireError>>;

/// One kind of bytes: the samples, and a reader that gives them back as they were, if it can.
struct Kind {
    name: &'static str,
    samples: Vec<Bytes>,
    again: Again,
}

impl Kind {
    fn new<T: PartialEq + Debug + 'static>(
        name: &'static str,
        samples: Vec<T>,
        encode: fn(&T) -> Bytes,
        decode: fn(&[u8]) -> Result<T, WireError>,
    ) -> Self {
        let bytes = samples.iter().map(|sample| {
            let bytes = encode(sample);
            assert_eq!(decode(&bytes).as_ref(), Ok(sample), "{name}");
            bytes
        });
        let samples = bytes.collect();
        Self {
            name,
            samples,
            again: Box::new(move |bytes| decode(bytes).map(|it| encode(&it))),
        }
    }
}

#[test]
fn golden_bytes_are_kept() {
    let mut text = String::new();
    for kind in kinds() {
        for (number, bytes) in kind.samples.iter().enumerate() {
            let name = kind.name;
            writeln!(text, "{name} {number} {}", hex(bytes)).expect("a string takes it");
        }
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/v1.txt");
    if env::var_os("GOLDEN").is_some_and(|wish| wish == "rewrite") {
        fs::write(&path, &text).expect("golden/v1.txt can be written");
    }
    let golden = fs::read_to_string(&path).expect("golden/v1.txt is there");
    for (golden, line) in golden.lines().zip(text.lines()) {
        assert_eq!(golden, line, "bytes of version 1 have changed");
    }
    assert_eq!(
        golden.lines().count(),
        text.lines().count(),
        "a sample came or went"
    );
}

#[test]
fn golden_bytes_altered_do_no_harm() {
    for kind in kinds() {
        for sample in &kind.samples {
            for cut in 0..sample.len() {
                let result = try_bytes(&kind, &sample[..cut]);
                assert!(
                    result.is_err() || kind.name == "part",
                    "{} cut at {cut}",
                    kind.name
                );
            }
            let mut longer = sample.to_vec();
            longer.push(0);
            assert!(try_bytes(&kind, &longer).is_err(), "{}", kind.name);
            for place in 0..sample.len() {
                for value in [0, 1, 2, 3, 0x7F, 0x80, 0xFE, 0xFF] {
                    let mut altered = sample.to_vec();
                    altered[place] = value;
                    let _ = try_bytes(&kind, &altered);
                }
            }
            let mut other_version = sample.to_vec();
            other_version[0] = 2;
            assert_eq!(try_bytes(&kind, &other_version), Err(WireError::Version(2)));
        }
    }
}

#[test]
fn golden_decoders_take_any_bytes() {
    let mut rng = Rng::new(28);
    let kinds = kinds();
    for round in 0..40_000_u64 {
        let mut bytes = vec![1];
        let lengths = rng.below(24);
        // Small numbers choose variants, 0xFF makes lengths huge.
        bytes.extend((0..lengths).map(|_| match rng.below(4) {
            0 => rng.below(256) as u8,
            1 => 0xFF,
            _ => rng.below(14) as u8,
        }));
        let _ = try_bytes(&kinds[round as usize % kinds.len()], &bytes);
    }
}

/// A multi in a multi, as deep as the bytes allow.
#[test]
fn golden_decoders_do_not_recurse() {
    let reply = Reply {
        zxid: Index(1),
        result: Ok(Response::Multi(vec![])),
    };
    let empty = client::encode_server(&ServerFrame::Reply { id: 1, reply });
    // "One result, which is good, and is a multi", again and again.
    let multi = empty[empty.len() - 2];
    let mut deep = empty[..empty.len() - 1].to_vec();
    (0..1_000_000).for_each(|_| deep.extend([1, 0, multi]));
    deep.push(0);
    assert_eq!(client::decode_server(&deep), Err(WireError::Malformed));
}

/// Reads bytes, which must not take more memory than they are worth, and what is read must be stable.
fn try_bytes(kind: &Kind, bytes: &[u8]) -> Result<Bytes, WireError> {
    let (result, peak) = peak_bytes(|| (kind.again)(bytes));
    assert!(
        peak <= 4_096 + 256 * bytes.len(),
        "{}: {peak} bytes for {}",
        kind.name,
        hex(bytes)
    );
    if let Ok(once) = &result {
        assert_eq!(
            (kind.again)(once).as_ref(),
            Ok(once),
            "{}: {}",
            kind.name,
            hex(bytes)
        );
    }
    result
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes it");
        text
    })
}

fn kinds() -> Vec<Kind> {
    vec![
        Kind::new(
            "message",
            messages(),
            wire::encode_message,
            wire::decode_message,
        ),
        Kind::new(
            "command",
            commands(),
            wire::encode_command,
            wire::decode_command,
        ),
        Kind::new(
            "entry",
            entries(),
            |it| appended(|to| wire::encode_entry(it, to)),
            wire::decode_entry,
        ),
        Kind::new(
            "meta",
            vec![meta()],
            |it| appended(|to| wire::encode_meta(it, to)),
            wire::decode_meta,
        ),
        Kind::new(
            "vote",
            votes(),
            |it| appended(|to| wire::encode_vote(it, to)),
            wire::decode_vote,
        ),
        Kind::new(
            "client",
            client_frames(),
            client::encode_client,
            client::decode_client,
        ),
        Kind::new(
            "server",
            server_frames(),
            client::encode_server,
            client::decode_server,
        ),
        part(),
    ]
}

fn appended(encode: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    let mut bytes = Vec::new();
    encode(&mut bytes);
    bytes.into()
}

/// The snapshots of a fresh machine and of one with a session, an ephemeral and a null znode: the layout of
/// records and the digest are frozen too.
fn part() -> Kind {
    let mut machine = Machine::new();
    let fresh = machine.part(&[], u64::MAX).0;
    let origin = Origin {
        node: NodeId(1),
        incarnation: 77,
        ticket: 1,
    };
    let write = |number, op| {
        let (session, epoch) = (SessionId(2), Index(2));
        Command::Write {
            session,
            epoch,
            number,
            ids: vec![identity()],
            request: WriteRequest::Op(op),
        }
    };
    let [_, ephemeral, sequential, ..] = &ops()[..] else {
        panic!("there are more")
    };
    let log = [
        Command::Init {
            members: configuration(),
            secret: [7; 32],
            features: 1,
            max_depth: 1_024,
        },
        Command::Open {
            origin,
            timeout_ms: 30_000,
            replaces: None,
        },
        write(1, ephemeral.clone()),
        write(2, sequential.clone()),
        write(
            3,
            Op::SetData {
                path: "/a0000000001".into(),
                data: None,
                version: 0,
            },
        ),
        write(
            4,
            Op::SetAcl {
                path: "/a0000000001".into(),
                acl: vec![
                    Acl::open(),
                    Acl {
                        perms: Acl::READ,
                        scheme: "sasl".into(),
                        id: "otter".into(),
                    },
                ],
                version: 0,
            },
        ),
        Command::Write {
            session: SessionId(2),
            epoch: Index(2),
            number: 5,
            ids: vec![identity()],
            request: WriteRequest::Once(once()),
        },
    ];
    for (index, command) in (1..).zip(&log) {
        let stamp = Time(1_700_000_000_000_000 + index * 1_000_000);
        machine.apply(Index(index), stamp, command, &mut Vec::new());
    }
    let used = machine.part(&[], u64::MAX).0;
    let again = |bytes: &[u8]| {
        let mut rebuild = Rebuild::new();
        rebuild.add(bytes)?;
        Ok(rebuild.finish()?.part(&[], 1 << 10).0)
    };
    Kind {
        name: "part",
        samples: vec![fresh, used],
        again: Box::new(again),
    }
}

/// Limits count encoded bytes (rule R7), so what an entry says of itself is what its bytes are.
#[test]
fn golden_entries_and_messages_know_their_length() {
    for entry in entries() {
        let mut bytes = Vec::new();
        wire::encode_entry(&entry, &mut bytes);
        assert_eq!(bytes.len() as u64, 1 + entry.encoded_bytes(), "{entry:?}");
    }
    for message in messages() {
        // The version, and that it is one of Raft's.
        if let Message::Raft(raft) = &message {
            let bytes = wire::encode_message(&message).len() as u64;
            assert_eq!(bytes, 2 + raft.encoded_bytes(), "{raft:?}");
        }
    }
}

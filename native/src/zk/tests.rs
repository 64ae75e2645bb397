//! Byte vectors of the protocol, and decoders under arbitrary bytes.

use bytes::Bytes;
use otterkeeper_core::id::{Index, SessionId};
use otterkeeper_core::request::{
    Acl, Connect, CreateMode, Error, EventKind, Identity, Op, Read, ReadKind, Reconfig, Reply,
    Request, Response, SetWatches, Stat, WatchEvent, WatchKind, WatchMode,
};
use proptest::prelude::*;

use super::decode::{self, Hello, Packet, Refusal};
use super::encode::{self, Tag};

/// Bytes from hexadecimal digits with spaces between.
pub(super) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

/// The frame without its length, which must be right.
fn frame(text: &str) -> Bytes {
    let bytes = Bytes::from(hex(text));
    let length = u32::from_be_bytes(bytes[..4].try_into().unwrap());
    assert_eq!(length as usize, bytes.len() - 4);
    bytes.slice(4..)
}

fn check_packet(text: &str, xid: i32, op: i32, body: Result<Request, Refusal>) {
    assert_eq!(decode::packet(&frame(text)), Ok(Packet { xid, op, body }));
}

fn check_bytes(write: impl FnOnce(&mut Vec<u8>), expected: &str) {
    let mut out = Vec::new();
    write(&mut out);
    assert_eq!(out, hex(expected));
}

fn check_reply(xid: i32, op: i32, result: Result<Response, Error>, zxid: u64, expected: &str) {
    let reply = Reply {
        zxid: Index(zxid),
        result,
    };
    check_bytes(|out| encode::reply(out, Tag { xid, op }, &reply), expected);
}

const NEW: Connect = Connect {
    session: SessionId(0),
    password: [0; 16],
    timeout_ms: 30_000,
    last_zxid: Index(0),
    read_only: false,
    replaces: None,
};

#[test]
fn connect_in_both_lengths() {
    let short = "0000002c 00000000 0000000000000000 00007530 0000000000000000 00000010 \
                 00000000000000000000000000000000";
    let long = short.replacen("2c", "2d", 1) + "00";
    assert_eq!(
        decode::hello(&frame(short)),
        Ok(Hello {
            connect: NEW,
            long: false
        })
    );
    assert_eq!(
        decode::hello(&frame(&long)),
        Ok(Hello {
            connect: NEW,
            long: true
        })
    );
}

#[test]
fn connect_that_asks_for_no_more_than_reads() {
    let text = "0000002d 00000000 0000000000000000 00007530 0000000000000000 00000010 \
                00000000000000000000000000000000 01";
    let connect = Connect {
        read_only: true,
        ..NEW
    };
    let hello = Hello {
        connect,
        long: true,
    };
    assert_eq!(decode::hello(&frame(text)), Ok(hello));
    check_bytes(
        |out| encode::connected(out, 1 << 62, &[0; 16], 30_000, true, true),
        "00000025 00000000 00007530 4000000000000000 00000010 00000000000000000000000000000000 01",
    );
}

#[test]
fn connect_with_garbage_in_it_is_still_a_question() {
    // Session -1, timeout -1, a null password.
    let text = "0000001c 00000000 ffffffffffffffff ffffffff ffffffffffffffff ffffffff";
    let connect = Connect {
        session: SessionId(u64::MAX),
        password: [0; 16],
        timeout_ms: 0,
        last_zxid: Index(0),
        read_only: false,
        replaces: None,
    };
    assert_eq!(
        decode::hello(&frame(text)),
        Ok(Hello {
            connect,
            long: false
        })
    );
}

#[test]
fn connect_replies() {
    let password: Vec<u8> = (0..16).collect();
    check_bytes(
        |out| encode::connected(out, 0x0100_0000_0000_0001, &password, 30_000, false, true),
        "00000025 00000000 00007530 0100000000000001 00000010 000102030405060708090a0b0c0d0e0f 00",
    );
    check_bytes(
        |out| encode::expired(out, true),
        "00000025 00000000 00000000 0000000000000000 00000010 00000000000000000000000000000000 00",
    );
    check_bytes(
        |out| encode::expired(out, false),
        "00000024 00000000 00000000 0000000000000000 00000010 00000000000000000000000000000000",
    );
}

#[test]
fn create() {
    check_packet(
        "00000033 00000001 00000001 00000002 2f61 00000002 6869 00000001 0000001f 00000005 \
         776f726c64 00000006 616e796f6e65 00000000",
        1,
        1,
        Ok(Request::Write(Op::Create {
            path: "/a".into(),
            data: Some(Bytes::from_static(b"hi")),
            acl: vec![Acl::open()],
            mode: CreateMode::Persistent,
            stat: false,
        })),
    );
    let created = Response::Created {
        path: "/a".into(),
        stat: None,
    };
    check_reply(
        1,
        1,
        Ok(created),
        2,
        "00000016 00000001 0000000000000002 00000000 00000002 2f61",
    );
}

#[test]
fn a_mode_that_does_not_exist_is_refused_and_the_connection_stays() {
    let text = "00000018 00000001 00000001 00000000 ffffffff ffffffff 00000007";
    check_packet(text, 1, 1, Err(Error::BadArguments.into()));
}

/// What a create of /a with these flags, and behind it this time to live, asks for.
fn mode_of(op: i32, flags: i32, ttl: i64) -> CreateMode {
    let body = format!("00000001 {op:08x} 00000002 2f61 ffffffff ffffffff {flags:08x} {ttl:016x}");
    let body = Bytes::from(hex(&body));
    match decode::packet(&body).unwrap().body {
        Ok(Request::Write(Op::Create { mode, stat, .. })) => {
            assert_eq!(stat, op != 1);
            mode
        }
        other => panic!("{other:?}"),
    }
}

/// Section 8: the operation makes the container or gives the time to live, not the flags alone.
#[test]
fn containers_and_times_to_live() {
    let refused = CreateMode::Ttl { ms: 0 };
    assert_eq!(mode_of(19, 4, 0), CreateMode::Container);
    assert_eq!(mode_of(19, 0, 0), CreateMode::Container);
    assert_eq!(mode_of(19, 1, 0), CreateMode::Container);
    assert_eq!(mode_of(19, 2, 0), CreateMode::ContainerSequential);
    assert_eq!(mode_of(19, 3, 0), CreateMode::ContainerSequential);
    assert_eq!(mode_of(1, 4, 0), CreateMode::Persistent);
    assert_eq!(mode_of(15, 4, 0), CreateMode::Persistent);
    assert_eq!(mode_of(21, 5, 1_000), CreateMode::Ttl { ms: 1_000 });
    assert_eq!(
        mode_of(21, 6, 1_000),
        CreateMode::TtlSequential { ms: 1_000 }
    );
    for (op, flags, ttl) in [
        (1, 5, 1_000),
        (15, 6, 1_000),
        (19, 5, 0),
        (21, 0, 1_000),
        // Ends a ZooKeeper 3.9.5 for good (rule R21a).
        (21, 0, -5),
        (21, 5, -5),
        (21, 5, 0),
    ] {
        assert_eq!(mode_of(op, flags, ttl), refused, "{op} {flags} {ttl}");
    }
}

/// Inside a multi ZooKeeper goes by the flags.
#[test]
fn section_10_a_multi_makes_containers_by_their_flags() {
    let multi_of = |op: u8, flags: u8| {
        let create = format!("00000002 2f61 ffffffff 00000000 {flags:08x}");
        let body = format!("00000001 0000000e {op:08x} 00 ffffffff {create} ffffffff 01 ffffffff");
        decode::packet(&Bytes::from(hex(&body))).unwrap().body
    };
    for op in [1, 15, 19] {
        match multi_of(op, 4) {
            Ok(Request::Multi(ops)) => assert!(matches!(
                ops[..],
                [Op::Create {
                    mode: CreateMode::Container,
                    stat: true,
                    ..
                }]
            )),
            other => panic!("{other:?}"),
        }
        for flags in [5, 6] {
            assert_eq!(multi_of(op, flags), Err(Error::MarshallingError.into()));
        }
    }
    // And what has no list of permissions is no create there.
    let none = "00000001 0000000e 00000001 00 ffffffff 00000002 2f61 ffffffff ffffffff 00000000";
    let body = decode::packet(&Bytes::from(hex(none))).unwrap().body;
    assert_eq!(body, Err(Error::MarshallingError.into()));
    let alone = "00000001 00000001 00000002 2f61 ffffffff ffffffff 00000000";
    assert!(
        decode::packet(&Bytes::from(hex(alone)))
            .unwrap()
            .body
            .is_ok()
    );
}

#[test]
fn a_time_to_live_that_is_cut_short_is_badly_written() {
    check_packet(
        "0000001a 00000001 00000015 00000002 2f61 ffffffff ffffffff 00000005",
        1,
        21,
        Err(Error::MarshallingError.into()),
    );
}

#[test]
fn get_data() {
    check_packet(
        "0000000f 00000002 00000004 00000002 2f61 01",
        2,
        4,
        Ok(Request::Read(Read {
            kind: ReadKind::Data,
            path: "/a".into(),
            watch: true,
        })),
    );
    let stat = Stat {
        czxid: Index(2),
        mzxid: Index(2),
        ctime_ms: 0x18f_0a5b_0000,
        mtime_ms: 0x18f_0a5b_0000,
        data_length: 2,
        pzxid: Index(2),
        ..Stat::default()
    };
    let data = Response::Data {
        data: Some(Bytes::from_static(b"hi")),
        stat,
    };
    check_reply(
        2,
        4,
        Ok(data),
        2,
        "0000005a 00000002 0000000000000002 00000000 00000002 6869 0000000000000002 \
         0000000000000002 0000018f0a5b0000 0000018f0a5b0000 00000000 00000000 00000000 \
         0000000000000000 00000002 00000000 0000000000000002",
    );
}

#[test]
fn children_with_and_without_stat() {
    let names = || Response::Children {
        names: vec!["b".into()],
        stat: Stat::default(),
    };
    let list = "00000003 0000000000000002 00000000 00000001 00000001 62";
    check_reply(3, 8, Ok(names()), 2, &format!("00000019 {list}"));
    check_reply(
        3,
        12,
        Ok(names()),
        2,
        &format!("0000005d {list} {}", "00".repeat(68)),
    );
}

#[test]
fn an_error_is_a_header() {
    check_reply(
        3,
        4,
        Err(Error::NoNode),
        2,
        "00000010 00000003 0000000000000002 ffffff9b",
    );
}

#[test]
fn ping() {
    check_packet("00000008 fffffffe 0000000b", -2, 11, Ok(Request::Ping));
    check_reply(
        -2,
        11,
        Ok(Response::Pong),
        2,
        "00000010 fffffffe 0000000000000002 00000000",
    );
    let number_of_its_own = "00000010 fffffffe 0000000000000002 00000000";
    check_reply(7, 11, Ok(Response::Pong), 2, number_of_its_own);
}

#[test]
fn event() {
    let fired = WatchEvent {
        kind: EventKind::NodeDataChanged,
        path: "/a".into(),
        zxid: Index(3),
    };
    check_bytes(
        |out| encode::event(out, &fired),
        "0000001e ffffffff 0000000000000003 00000000 00000003 00000003 00000002 2f61",
    );
}

#[test]
fn multi() {
    let set = Op::SetData {
        path: "/a".into(),
        data: Some(Bytes::from_static(b"yo")),
        version: -1,
    };
    check_packet(
        "0000003d 00000004 0000000e  0000000d 00 ffffffff 00000002 2f61 00000000  \
         00000005 00 ffffffff 00000002 2f61 00000002 796f ffffffff  ffffffff 01 ffffffff",
        4,
        14,
        Ok(Request::Multi(vec![
            Op::Check {
                path: "/a".into(),
                version: 0,
            },
            set,
        ])),
    );
    let failed = vec![Err(Error::BadVersion), Err(Error::RuntimeInconsistency)];
    check_reply(
        4,
        14,
        Ok(Response::Multi(failed)),
        4,
        "00000033 00000004 0000000000000004 00000000  ffffffff 00 ffffff99 ffffff99  \
         ffffffff 00 fffffffe fffffffe  ffffffff 01 ffffffff",
    );
}

#[test]
fn a_multi_that_worked_names_the_kinds() {
    let created = |stat| {
        Ok(Response::Created {
            path: "/".into(),
            stat,
        })
    };
    let results = vec![
        created(None),
        created(Some(Stat::default())),
        Ok(Response::Deleted),
        Ok(Response::Stat(Stat::default())),
        Ok(Response::Checked),
    ];
    let stat = "00".repeat(68);
    let body = format!(
        "00000004 0000000000000004 00000000  00000001 00 00000000 00000001 2f  \
         0000000f 00 00000000 00000001 2f {stat}  00000002 00 00000000  \
         00000005 00 00000000 {stat}  0000000d 00 00000000  ffffffff 01 ffffffff",
    );
    let length = hex(&body).len();
    check_reply(
        4,
        14,
        Ok(Response::Multi(results)),
        4,
        &format!("{length:08x} {body}"),
    );
}

#[test]
fn a_multi_with_a_read_in_it_is_refused_whole() {
    let text = "00000011 00000004 0000000e 00000004 00 ffffffff";
    check_packet(text, 4, 14, Err(Error::MarshallingError.into()));
}

/// As ZooKeeper has it: flags of no time to live make the other kind, and others are wrong in their place.
#[test]
fn a_time_to_live_in_a_multi_goes_by_its_flags() {
    let modes = [
        (0, CreateMode::Persistent, false),
        (1, CreateMode::Ephemeral, false),
        (3, CreateMode::EphemeralSequential, false),
        (4, CreateMode::Container, true),
        (5, CreateMode::Ttl { ms: 9 }, true),
        (7, CreateMode::Ttl { ms: 0 }, true),
    ];
    for (flags, mode, stat) in modes {
        let made = Op::Create {
            path: "/".into(),
            data: None,
            acl: Vec::new(),
            mode,
            stat,
        };
        let text = format!(
            "00000033 00000004 0000000e 00000015 00 ffffffff 00000001 2f ffffffff 00000000 {flags:08x} \
             0000000000000009 ffffffff 01 ffffffff"
        );
        check_packet(&text, 4, 14, Ok(Request::Multi(vec![made])));
    }
}

/// ZooKeeper says nothing to it.
#[test]
fn a_proof_that_ends_early_ends_the_connection() {
    let cut = Bytes::from(hex("fffffffc 00000064 00000000 00000006 6469676573"));
    assert_eq!(decode::packet(&cut), Err(decode::Malformed));
}

#[test]
fn auth() {
    check_packet(
        "00000024 fffffffc 00000064 00000000 00000006 646967657374 0000000a 73757065723a74657374",
        -4,
        100,
        Ok(Request::Auth {
            scheme: "digest".into(),
            proof: Bytes::from_static(b"super:test"),
        }),
    );
    // Neither answer carries a zxid or a body.
    check_reply(
        -4,
        100,
        Ok(Response::Authenticated),
        2,
        "00000010 fffffffc 0000000000000000 00000000",
    );
    check_reply(
        -4,
        100,
        Err(Error::AuthFailed),
        2,
        "00000010 fffffffc 0000000000000000 ffffff8d",
    );
    check_reply(
        -4,
        11,
        Err(Error::SessionClosedRequireSaslAuth),
        2,
        "00000010 fffffffc 0000000000000000 ffffff84",
    );
}

#[test]
fn access_control_lists() {
    let path = "/a".into();
    check_packet(
        "0000000e 00000001 00000006 00000002 2f61",
        1,
        6,
        Ok(Request::Read(Read {
            kind: ReadKind::Acl,
            path,
            watch: false,
        })),
    );
    // kazoo writes an empty text as null.
    let acl = vec![Acl {
        perms: 1,
        scheme: "auth".into(),
        id: String::new(),
    }];
    check_packet(
        "00000026 00000001 00000007 00000002 2f61 00000001 00000001 00000004 61757468 ffffffff 00000003",
        1,
        7,
        Ok(Request::Write(Op::SetAcl {
            path: "/a".into(),
            acl: acl.clone(),
            version: 3,
        })),
    );
    let stat = "00".repeat(68);
    check_reply(
        -4,
        6,
        Ok(Response::Acl {
            acl,
            stat: Stat::default(),
        }),
        2,
        &format!(
            "00000068 fffffffc 0000000000000002 00000000 00000001 00000001 00000004 61757468 00000000 {stat}"
        ),
    );
    check_packet(
        "00000020 00000005 00000010 00000003 783d79 00000001 32 ffffffff 0000000000000009",
        5,
        16,
        Ok(Request::Reconfig(Reconfig {
            joining: "x=y".into(),
            leaving: "2".into(),
            members: String::new(),
            version: Some(Index(9)),
            met: Vec::new(),
        })),
    );
    check_packet("00000008 00000005 0000006b", 5, 107, Ok(Request::WhoAmI));
    check_reply(
        -4,
        107,
        Ok(Response::Identities(vec![Identity {
            scheme: "ip".into(),
            id: "::1".into(),
        }])),
        2,
        "00000021 fffffffc 0000000000000002 00000000 00000001 00000002 6970 00000003 3a3a31",
    );
}

/// Trap 3 (ClickHouse#98079): the body of the answer is an error code of four bytes.
#[test]
fn trap_3_add_watch() {
    for (mode, expected) in [(0, WatchMode::Persistent), (1, WatchMode::Recursive)] {
        check_packet(
            &format!("00000012 00000005 0000006a 00000002 2f61 {mode:08x}"),
            5,
            106,
            Ok(Request::AddWatch {
                path: "/a".into(),
                mode: expected,
                since: None,
            }),
        );
    }
    check_packet(
        "00000012 00000005 0000006a 00000002 2f61 00000002",
        5,
        106,
        Err(Error::MarshallingError.into()),
    );
    let reply = "00000014 00000005 0000000000000007 00000000 00000000";
    check_reply(5, 106, Ok(Response::Watching { complete: true }), 7, reply);
}

/// Trap 3 (ClickHouse#48141): reconnecting clients send these.
#[test]
fn trap_3_set_watches_in_both_lengths() {
    let body =
        "0000000000000009 00000001 00000002 2f61 ffffffff 00000002 00000002 2f62 00000002 2f63";
    let mut had = SetWatches {
        zxid: Index(9),
        data: vec!["/a".into()],
        child: vec!["/b".into(), "/c".into()],
        ..SetWatches::default()
    };
    check_packet(
        &format!("0000002e fffffff8 00000065 {body}"),
        -8,
        101,
        Ok(Request::SetWatches(had.clone())),
    );
    had.persistent = vec!["/d".into()];
    had.recursive = vec!["/".into()];
    check_packet(
        &format!("00000041 fffffff8 00000069 {body} 00000001 00000002 2f64 00000001 00000001 2f"),
        -8,
        105,
        Ok(Request::SetWatches(had)),
    );
    let reply = "00000010 fffffff8 0000000000000009 00000000";
    check_reply(
        -8,
        101,
        Ok(Response::WatchesSet { complete: true }),
        9,
        reply,
    );
}

#[test]
fn events_of_set_watches_name_no_transaction() {
    let found = WatchEvent {
        kind: EventKind::NodeDeleted,
        path: "/a".into(),
        zxid: Index(0),
    };
    check_bytes(
        |out| encode::event(out, &found),
        "0000001e ffffffff ffffffffffffffff 00000000 00000002 00000003 00000002 2f61",
    );
}

#[test]
fn check_and_remove_watches() {
    use WatchKind::{Any, Children, Data, Persistent, Recursive};
    let path = || String::from("/a");
    for (number, kind) in (1..).zip([Children, Data, Any, Persistent, Recursive]) {
        let check = Request::CheckWatches { path: path(), kind };
        let text = format!("00000012 00000005 00000011 00000002 2f61 {number:08x}");
        check_packet(&text, 5, 17, Ok(check));
        let remove = Request::RemoveWatches { path: path(), kind };
        let text = format!("00000012 00000005 00000012 00000002 2f61 {number:08x}");
        check_packet(&text, 5, 18, Ok(remove));
    }
    for number in [0, 6, -1] {
        let text = format!("00000012 00000005 00000011 00000002 2f61 {number:08x}");
        check_packet(&text, 5, 17, Err(Error::MarshallingError.into()));
    }
    let reply = "00000010 00000005 0000000000000002 ffffff87";
    check_reply(5, 17, Err(Error::NoWatcher), 2, reply);
}

#[test]
fn multi_read() {
    let one = |kind| Read {
        kind,
        path: "/a".into(),
        watch: false,
    };
    check_packet(
        "00000031 00000006 00000016  00000004 00 ffffffff 00000002 2f61 01  \
         00000008 00 ffffffff 00000002 2f61 00  ffffffff 01 ffffffff",
        6,
        22,
        Ok(Request::MultiRead(vec![
            one(ReadKind::Data),
            one(ReadKind::Children),
        ])),
    );
    let stat = Stat::default();
    let data = Ok(Response::Data { data: None, stat });
    let names = vec!["b".into()];
    let results = vec![
        data,
        Ok(Response::Children { names, stat }),
        Err(Error::NoNode),
    ];
    let body = format!(
        "00000006 0000000000000002 00000000  00000004 00 00000000 ffffffff {}  \
         00000008 00 00000000 00000001 00000001 62  ffffffff 00 ffffff9b ffffff9b  \
         ffffffff 01 ffffffff",
        "00".repeat(68)
    );
    let length = hex(&body).len();
    let expected = format!("{length:08x} {body}");
    check_reply(6, 22, Ok(Response::Multi(results)), 2, &expected);
    let text = "00000011 00000006 00000016 00000005 00 ffffffff";
    check_packet(text, 6, 22, Err(Error::MarshallingError.into()));
}

#[test]
fn ephemerals_and_the_number_of_all_children() {
    let quiet = |kind, path: &str| {
        Ok(Request::Read(Read {
            kind,
            path: path.into(),
            watch: false,
        }))
    };
    // kazoo writes an empty text as null.
    let text = "0000000c 00000007 00000067 ffffffff";
    check_packet(text, 7, 103, quiet(ReadKind::Ephemerals, ""));
    let text = "0000000e 00000007 00000068 00000002 2f61";
    check_packet(text, 7, 104, quiet(ReadKind::Descendants, "/a"));
    let paths = vec!["/a".into()];
    let reply = "0000001a 00000007 0000000000000002 00000000 00000001 00000002 2f61";
    check_reply(7, 103, Ok(Response::Paths(paths)), 2, reply);
    let reply = "00000014 00000007 0000000000000002 00000000 00000005";
    check_reply(7, 104, Ok(Response::Count(5)), 2, reply);
}

#[test]
fn close_session() {
    check_packet("00000008 00000005 fffffff5", 5, -11, Ok(Request::Close));
}

#[test]
fn unknown_operations_are_said_to_be_unknown() {
    for op in [10, 13, 20, 500, -10, 0, i32::MIN] {
        let text = format!("00000008 80000000 {:08x}", op as u32);
        check_packet(
            &text,
            i32::MIN,
            op,
            Err(Refusal {
                code: -6,
                close: true,
            }),
        );
    }
}

#[test]
fn tags_keep_what_they_are_given() {
    for xid in [0, 1, -1, i32::MIN, i32::MAX] {
        for op in [0, 14, -11, i32::MIN] {
            let tag = Tag { xid, op };
            assert_eq!(Tag::from(u64::from(tag)), tag);
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_decode_or_fail(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let frame = Bytes::from(bytes);
        let _ = decode::hello(&frame);
        let _ = decode::packet(&frame);
    }

    #[test]
    fn any_body_of_a_known_operation_decodes_or_fails(
        op in prop::sample::select(vec![
            1, 2, 3, 4, 5, 8, 9, 12, 14, 15, 17, 18, 19, 21, 22, 101, 103, 104, 105, 106,
        ]),
        body in prop::collection::vec(prop_oneof![Just(0_u8), Just(1), Just(255), any::<u8>()], 0..200),
    ) {
        let mut bytes = vec![0, 0, 0, 1, 0, 0, 0, op];
        bytes.extend(body);
        let _ = decode::packet(&Bytes::from(bytes));
    }

    #[test]
    fn a_set_data_is_read_as_it_was_meant(
        path in "/[a-z]{0,9}",
        data in prop::option::of(prop::collection::vec(any::<u8>(), 0..100)),
        version: i32,
    ) {
        use super::jute::Write;
        let mut bytes = Vec::new();
        bytes.int(7);
        bytes.int(5);
        bytes.text(&path);
        bytes.buffer(data.as_deref());
        bytes.int(version);
        let set = Op::SetData { path, data: data.map(Bytes::from), version };
        let packet = Packet { xid: 7, op: 5, body: Ok(Request::Write(set)) };
        prop_assert_eq!(decode::packet(&Bytes::from(bytes)), Ok(packet));
    }
}

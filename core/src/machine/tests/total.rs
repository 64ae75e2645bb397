//! Apply is total: whatever a client can send gives a result, the same one on every replica, and never a
//! panic (rules R21 and R21a). One replica runs the commands as they were made; the other runs what their
//! bytes say, and is taken apart and put together again on the way.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::command::{Reconfigure, Silent};
use crate::configuration::{Change as MemberChange, Member, Standing};
use crate::id::ReplicaId;
use crate::request::{Once, Reconfig};

fn path() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => "(/[abc]){1,3}",
        2 => prop_oneof![
            Just("/zookeeper/quota/a".to_string()),
            Just("/zookeeper/quota/a/zookeeper_limits".to_string()),
            Just("/zookeeper/quota/a/zookeeper_stats".to_string()),
            Just("/zookeeper/quota/zookeeper_stats".to_string()),
            Just("/zookeeper/config".to_string()),
            Just("/".to_string()),
        ],
        1 => "[/.a\u{0}\u{e000}]{0,6}",
        1 => any::<String>(),
    ]
}

fn data() -> impl Strategy<Value = Option<Bytes>> {
    let text = prop_oneof![
        Just("countHardLimit=3".to_string()),
        Just("count=9223372036854775807,bytes=-9223372036854775808".to_string()),
        "[a=;,1-]{0,12}",
    ];
    let bytes = prop_oneof![
        text.prop_map(Bytes::from),
        vec(any::<u8>(), 0..9).prop_map(Bytes::from),
    ];
    option::of(bytes)
}

fn scheme() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("world".to_string()),
        Just("auth".to_string()),
        Just("digest".to_string()),
        Just("ip".to_string()),
        Just("sasl".to_string()),
        Just("x509".to_string()),
        Just("super".to_string()),
        any::<String>(),
    ]
}

fn id() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("anyone".to_string()),
        Just("a:b".to_string()),
        Just("10.0.0.1".to_string()),
        Just("10.0.0.0/9".to_string()),
        Just("::1/999999999999".to_string()),
        "[:/@=,.\\\\a1]{0,8}",
        any::<String>(),
    ]
}

fn acl() -> impl Strategy<Value = Vec<Acl>> {
    let entry = (any::<u32>(), scheme(), id());
    let entry = entry.prop_map(|(perms, scheme, id)| Acl { perms, scheme, id });
    prop_oneof![
        4 => Just(vec![Acl::open()]),
        1 => Just(vec![Acl { perms: Acl::READ | Acl::ADMIN, ..Acl::open() }]),
        2 => vec(entry, 0..4),
    ]
}

fn ids() -> impl Strategy<Value = Vec<Identity>> {
    let one = (scheme(), id()).prop_map(|(scheme, id)| Identity { scheme, id });
    vec(one, 0..3)
}

fn any_version() -> impl Strategy<Value = i32> {
    prop_oneof![4 => Just(-1), 2 => 0..3, 1 => any::<i32>()]
}

fn any_op() -> impl Strategy<Value = Op> {
    let mode = prop_oneof![
        Just(CreateMode::Persistent),
        Just(CreateMode::Ephemeral),
        Just(CreateMode::PersistentSequential),
        Just(CreateMode::EphemeralSequential),
    ];
    let create = (path(), data(), acl(), mode, any::<bool>());
    prop_oneof![
        4 => create.prop_map(|(path, data, acl, mode, stat)| Op::Create { path, data, acl, mode, stat }),
        2 => (path(), any_version()).prop_map(|(path, version)| Op::Delete { path, version }),
        2 => (path(), data(), any_version())
            .prop_map(|(path, data, version)| Op::SetData { path, data, version }),
        2 => (path(), acl(), any_version())
            .prop_map(|(path, acl, version)| Op::SetAcl { path, acl, version }),
        1 => (path(), any_version()).prop_map(|(path, version)| Op::Check { path, version }),
    ]
}

fn any_request() -> impl Strategy<Value = WriteRequest> {
    let text = || {
        prop_oneof![
            Just(String::new()),
            "(server.)?[0-9=:;,a]{0,20}",
            Just("1".to_string())
        ]
    };
    let reconfig = (text(), text(), text(), option::of(0..9_u64));
    prop_oneof![
        8 => any_op().prop_map(WriteRequest::Op),
        3 => vec(any_op(), 0..5).prop_map(WriteRequest::Multi),
        1 => reconfig.prop_map(|(joining, leaving, members, version)| WriteRequest::Reconfig(Reconfig {
            joining,
            leaving,
            members,
            version: version.map(Index),
            met: vec![(NodeId(2), ReplicaId(7))],
        })),
        1 => Just(WriteRequest::Close),
        4 => (0..6_u64, 0..6_u64, any_op()).prop_map(|(number, answered, op)| {
            let change = request::Change::One(op);
            WriteRequest::Once(Once { number, answered, change })
        }),
    ]
}

/// What an entry does besides writes, and whether it names what is there or something else.
#[derive(Clone, Debug)]
enum Event {
    Write(u64, bool, Vec<Identity>, WriteRequest),
    Open,
    Expire(u64),
    Members(u64, u128),
    Abandon(u64),
}

fn event() -> impl Strategy<Value = Event> {
    let write = (2..5_u64, prop::bool::weighted(0.95), ids(), any_request());
    prop_oneof![
        20 => write.prop_map(|(session, right, ids, request)| Event::Write(session, right, ids, request)),
        1 => Just(Event::Open),
        1 => (2..9_u64).prop_map(Event::Expire),
        1 => (0..300_u64, any::<u128>()).prop_map(|(id, replica)| Event::Members(id, replica)),
        1 => (0..40_u64).prop_map(Event::Abandon),
    ]
}

fn command(log: &mut Log, event: Event) -> Command {
    match event {
        Event::Write(session, right, ids, request) => {
            let known = log.machine.session(SessionId(session));
            let (epoch, number) =
                known.map_or((Index(1), 1), |known| (known.epoch, known.next_number));
            Command::Write {
                session: SessionId(session),
                epoch,
                number: number + u64::from(!right),
                ids,
                request,
            }
        }
        Event::Open => {
            let origin = log.origin();
            Command::Open {
                origin,
                timeout_ms: 4_000,
                replaces: None,
            }
        }
        Event::Expire(session) => Command::Expire {
            sessions: vec![Silent {
                session: SessionId(session),
                epoch: Index(session),
                ms: session,
            }],
            leader: NodeId(1),
        },
        Event::Members(id, replica) => {
            let member = Member {
                id: NodeId(id),
                replica: ReplicaId(replica),
                address: String::new(),
                clients: String::new(),
                standing: Standing::Voter,
            };
            let request = Reconfigure {
                version: None,
                change: MemberChange::Replace(vec![member]),
            };
            let origin = log.origin();
            Command::Reconfigure { origin, request }
        }
        Event::Abandon(change) => Command::Abandon {
            change: Index(change),
        },
    }
}

fn again(machine: &Machine) -> Machine {
    let mut rebuild = Rebuild::new();
    let mut cursor = Some(Bytes::new());
    while let Some(from) = cursor {
        let (part, next) = machine.part(&from, 200);
        rebuild.add(&part).unwrap();
        cursor = next;
    }
    rebuild.finish().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn anything_is_applied_and_replicas_agree(events in vec(event(), 0..40), apart in 0..40_usize) {
        let (mut one, mut two) = (Log::new(), Log::new());
        for (at, event) in events.into_iter().enumerate() {
            let command = command(&mut one, event);
            let bytes = encode_command(&command);
            let read = decode_command(&bytes).unwrap();
            prop_assert_eq!(one.apply(&command), two.apply(&read));
            prop_assert_eq!(&one.changes, &two.changes);
            prop_assert_eq!(one.machine.digest(), two.machine.digest());
            if at == apart {
                two.machine = again(&two.machine);
            }
        }
        prop_assert!(one.machine.is_digest_right());
        prop_assert!(two.machine.is_digest_right());
        check_state(&one.machine);
        // Reads are total too.
        for kind in [ReadKind::Exists, ReadKind::Data, ReadKind::Acl, ReadKind::Children] {
            for path in ["", "/", "/a", "/a/b", "x", "/zookeeper/config", "\u{0}"] {
                let read = Read { kind, path: path.into(), watch: false };
                prop_assert_eq!(one.machine.read(SessionId(2), &read, &[]), two.machine.read(SessionId(2), &read, &[]));
            }
        }
    }
}

//! JSON frames in both directions, and what is refused.

use bytes::Bytes;

use super::*;
use crate::id::NodeId;
use crate::request::{
    Deed, Done, Error, Explained, Fate, Identity, Listed, Moment, Response, Stat,
};

/// A text and the request it stands for, in both directions.
#[test]
fn requests() {
    let check = |text: &str, request: Request| {
        assert_eq!(decode_request(text), Ok((7, request.clone())), "{text}");
        assert_eq!(encode_request(7, &request), text);
    };
    let create = |data: Option<Bytes>, mode, stat| {
        let (path, acl) = ("/a".into(), vec![Acl::open()]);
        Op::Create {
            path,
            data,
            acl,
            mode,
            stat,
        }
    };
    let sequential = create(Some("hi".into()), CreateMode::EphemeralSequential, false);
    check(
        r#"{"id":7,"op":"create","path":"/a","data":{"text":"hi"},"mode":"ephemeral_sequential"}"#,
        Request::Write(sequential),
    );
    check(
        r#"{"id":7,"op":"create","path":"/a","stat":true}"#,
        Request::Write(create(None, CreateMode::Persistent, true)),
    );
    check(
        r#"{"id":7,"op":"create","path":"/a","mode":"container"}"#,
        Request::Write(create(None, CreateMode::Container, false)),
    );
    check(
        r#"{"id":7,"op":"create","path":"/a","mode":"ttl","ttl_ms":5000}"#,
        Request::Write(create(None, CreateMode::Ttl { ms: 5_000 }, false)),
    );
    check(
        r#"{"id":7,"op":"create","path":"/a","mode":"ttl_sequential","ttl_ms":5000}"#,
        Request::Write(create(None, CreateMode::TtlSequential { ms: 5_000 }, false)),
    );
    check(
        r#"{"id":7,"op":"create","path":"/a","mode":"container_sequential"}"#,
        Request::Write(create(None, CreateMode::ContainerSequential, false)),
    );
    let acl = vec![Acl {
        perms: 1,
        scheme: "ip".into(),
        id: "::1".into(),
    }];
    let (path, data, mode) = ("/a".into(), None, CreateMode::Persistent);
    check(
        r#"{"id":7,"op":"create","path":"/a","acl":[{"perms":1,"scheme":"ip","id":"::1"}]}"#,
        Request::Write(Op::Create {
            path,
            data,
            acl,
            mode,
            stat: false,
        }),
    );
    check(
        r#"{"id":7,"op":"set","path":"/a","data":{"base64":"/wA="},"version":3}"#,
        Request::Write(Op::SetData {
            path: "/a".into(),
            data: Some(Bytes::from_static(&[255, 0])),
            version: 3,
        }),
    );
    check(
        r#"{"id":7,"op":"multi","ops":[{"op":"check","path":"/a","version":0},{"op":"delete","path":"/a"}]}"#,
        Request::Multi(vec![
            Op::Check {
                path: "/a".into(),
                version: 0,
            },
            Op::Delete {
                path: "/a".into(),
                version: -1,
            },
        ]),
    );
    let read = |kind, watch| {
        Request::Read(Read {
            kind,
            path: "/a".into(),
            watch,
        })
    };
    check(
        r#"{"id":7,"op":"get","path":"/a","watch":true}"#,
        read(ReadKind::Data, true),
    );
    check(
        r#"{"id":7,"op":"exists","path":"/a"}"#,
        read(ReadKind::Exists, false),
    );
    check(
        r#"{"id":7,"op":"children","path":"/a"}"#,
        read(ReadKind::Children, false),
    );
    check(
        r#"{"id":7,"op":"get","path":"/a","watch":true,"read":"linearizable"}"#,
        Request::Latest(Read {
            kind: ReadKind::Data,
            path: "/a".into(),
            watch: true,
        }),
    );
    check(
        r#"{"id":7,"op":"sync","path":"/a"}"#,
        Request::Sync { path: "/a".into() },
    );
    check(
        r#"{"id":7,"op":"get_acl","path":"/a"}"#,
        read(ReadKind::Acl, false),
    );
    check(
        r#"{"id":7,"op":"set_acl","path":"/a","version":2,"acl":[{"perms":31,"scheme":"auth","id":""}]}"#,
        Request::Write(Op::SetAcl {
            path: "/a".into(),
            acl: vec![Acl {
                perms: 31,
                scheme: "auth".into(),
                id: "".into(),
            }],
            version: 2,
        }),
    );
    check(
        r#"{"id":7,"op":"auth","data":{"text":"user:password"},"scheme":"digest"}"#,
        Request::Auth {
            scheme: "digest".into(),
            proof: "user:password".into(),
        },
    );
    check(
        r#"{"id":7,"op":"reconfig","joining":"server.3=c:1:2;2181","leaving":"2","members_version":"12"}"#,
        Request::Reconfig(Reconfig {
            joining: "server.3=c:1:2;2181".into(),
            leaving: "2".into(),
            members: "".into(),
            version: Some(Index(12)),
            met: Vec::new(),
        }),
    );
    check(r#"{"id":7,"op":"whoami"}"#, Request::WhoAmI);
    check(
        r#"{"id":7,"op":"count","path":"/a"}"#,
        read(ReadKind::Descendants, false),
    );
    check(
        r#"{"id":7,"op":"ephemerals","path":"/a"}"#,
        read(ReadKind::Ephemerals, false),
    );
    let one = |kind| Read {
        kind,
        path: "/a".into(),
        watch: false,
    };
    check(
        r#"{"id":7,"op":"multi_read","ops":[{"op":"get","path":"/a"},{"op":"children","path":"/a"}]}"#,
        Request::MultiRead(vec![one(ReadKind::Data), one(ReadKind::Children)]),
    );
    let path = || String::from("/a");
    check(
        r#"{"id":7,"op":"add_watch","path":"/a"}"#,
        Request::AddWatch {
            path: path(),
            mode: WatchMode::Persistent,
            since: None,
        },
    );
    check(
        r#"{"id":7,"op":"add_watch","path":"/a","recursive":true}"#,
        Request::AddWatch {
            path: path(),
            mode: WatchMode::Recursive,
            since: None,
        },
    );
    check(
        r#"{"id":7,"op":"add_watch","path":"/a","since":"12"}"#,
        Request::AddWatch {
            path: path(),
            mode: WatchMode::Persistent,
            since: Some(Index(12)),
        },
    );
    check(
        r#"{"id":7,"op":"list","path":"/a","read":"linearizable","after":"m","prefix":"w-","limit":2,"with_data":true}"#,
        Request::List(List {
            path: path(),
            after: "m".into(),
            prefix: "w-".into(),
            limit: 2,
            data: true,
            latest: true,
        }),
    );
    check(
        r#"{"id":7,"op":"set_watches","watches":{"data":["/a"],"recursive":["/"]},"since":"12"}"#,
        Request::SetWatches(SetWatches {
            zxid: Index(12),
            data: vec![path()],
            recursive: vec!["/".into()],
            ..SetWatches::default()
        }),
    );
    check(
        r#"{"id":7,"op":"check_watches","path":"/a","kind":"children"}"#,
        Request::CheckWatches {
            path: path(),
            kind: WatchKind::Children,
        },
    );
    check(
        r#"{"id":7,"op":"remove_watches","path":"/a","kind":"any"}"#,
        Request::RemoveWatches {
            path: path(),
            kind: WatchKind::Any,
        },
    );
    let delete = Op::Delete {
        path: path(),
        version: -1,
    };
    check(
        r#"{"id":7,"op":"delete","number":3,"answered":2,"path":"/a"}"#,
        Request::Once(Once {
            number: 3,
            answered: 2,
            change: Change::One(delete.clone()),
        }),
    );
    check(
        r#"{"id":7,"op":"multi","number":3,"ops":[{"op":"delete","path":"/a"}]}"#,
        Request::Once(Once {
            number: 3,
            answered: 0,
            change: Change::All(vec![delete]),
        }),
    );
    check(
        r#"{"id":7,"op":"explain","path":"/a"}"#,
        Request::Explain(Subject::Znode(path())),
    );
    check(
        r#"{"id":7,"op":"explain","session":"9"}"#,
        Request::Explain(Subject::Session(SessionId(9))),
    );
    check(r#"{"id":7,"op":"ping"}"#, Request::Ping);
    check(r#"{"id":7,"op":"close"}"#, Request::Close);
    check(
        r#"{"id":7,"op":"connect","session":"9007199254740993","password":"AQIDBAUGBwgJCgsMDQ4PEA==","timeout_ms":10000,"last_zxid":"12"}"#,
        Request::Connect(Connect {
            session: SessionId(9_007_199_254_740_993),
            password: core::array::from_fn(|i| i as u8 + 1),
            timeout_ms: 10_000,
            last_zxid: Index(12),
            read_only: false,
            replaces: None,
        }),
    );
    check(
        r#"{"id":7,"op":"connect","replaces":{"session":"9","password":"AQIDBAUGBwgJCgsMDQ4PEA=="},"read_only":true,"timeout_ms":10000}"#,
        Request::Connect(Connect {
            session: SessionId(0),
            password: [0; 16],
            timeout_ms: 10_000,
            last_zxid: Index(0),
            read_only: true,
            replaces: Some((SessionId(9), core::array::from_fn(|i| i as u8 + 1))),
        }),
    );
}

#[test]
fn lenient_requests() {
    let read = Read {
        kind: ReadKind::Data,
        path: "/a".into(),
        watch: false,
    };
    let text = r#" {"path": "/a", "op": "get", "id": 1, "read": "local", "watch": false} "#;
    assert_eq!(decode_request(text), Ok((1, Request::Read(read))));
    let set = Op::SetData {
        path: "/a".into(),
        data: None,
        version: -1,
    };
    let text = r#"{"id": 1, "op": "set", "path": "/a", "data": null}"#;
    assert_eq!(decode_request(text), Ok((1, Request::Write(set))));
}

#[test]
fn refused_requests() {
    let check = |text: &str, id: Option<u64>, part: &str| {
        let error = decode_request(text).unwrap_err();
        assert_eq!(error.id, id, "{text}");
        assert!(error.message.contains(part), "{text}: {}", error.message);
    };
    check("", None, "EOF");
    check("[]", None, "");
    check(r#"{"op":"ping"}"#, None, "needs an id");
    check(r#"{"id":-1,"op":"ping"}"#, None, "invalid value");
    check(r#"{"id":7}"#, Some(7), "needs an op");
    check(
        r#"{"id":7,"op":"fly"}"#,
        Some(7),
        "unknown variant `fly`, expected",
    );
    check(r#"{"id":7,"op":"get"}"#, Some(7), "needs a path");
    check(
        r#"{"id":7,"op":"create","path":"/a","mode":"ttl"}"#,
        Some(7),
        "needs ttl_ms",
    );
    check(
        r#"{"id":7,"op":"get","path":"/a","vesion":1}"#,
        Some(7),
        "unknown field `vesion`",
    );
    check(
        r#"{"id":7,"op":"get","path":"/a","version":1}"#,
        Some(7),
        r#"not take {"version":1}"#,
    );
    check(
        r#"{"id":7,"op":"check","path":"/a"}"#,
        Some(7),
        "inside a multi",
    );
    check(
        r#"{"id":7,"op":"multi","ops":[{"op":"get","path":"/a"}]}"#,
        Some(7),
        "holds create",
    );
    check(
        r#"{"id":7,"op":"multi","ops":[{"op":"multi","ops":[]}]}"#,
        Some(7),
        "holds create",
    );
    check(
        r#"{"id":7,"op":"set","path":"/a","data":"hi"}"#,
        Some(7),
        "",
    );
    check(
        r#"{"id":7,"op":"set","path":"/a","data":{"base64":"?"}}"#,
        Some(7),
        "no base64",
    );
    check(r#"{"id":7,"op":"connect","session":5}"#, Some(7), "");
    check(
        r#"{"id":7,"op":"connect","session":"x"}"#,
        Some(7),
        "decimal number in quotes",
    );
    let nested = r#"{"ops":["#.repeat(100_000);
    check(&nested, None, "recursion limit");
    assert_eq!(
        encode_refusal(&JsonError {
            id: Some(7),
            message: "no".into()
        }),
        r#"{"id":7,"error":"BAD_REQUEST","message":"no"}"#
    );
}

/// What a server says, and how a client reads it.
#[test]
fn answers_and_events() {
    let check = |text: &str, frame: ServerFrame| {
        let written = match &frame {
            ServerFrame::Reply { id, reply } => encode_reply(*id, reply),
            ServerFrame::Event(event) => encode_event(event),
            ServerFrame::Bye(reason) => encode_bye(*reason),
        };
        assert_eq!(written, text);
        assert_eq!(decode_server(text), Ok(frame), "{text}");
    };
    let good = |response| ServerFrame::Reply {
        id: 7,
        reply: Reply {
            zxid: Index(12),
            result: Ok(response),
        },
    };
    let stat = Stat {
        czxid: Index(4),
        ephemeral_owner: SessionId(2),
        ..Stat::default()
    };
    let facts = r#"{"czxid":"4","mzxid":"0","pzxid":"0","ctime_ms":0,"mtime_ms":0,"version":0,"cversion":0,"aversion":0,"ephemeral_owner":"2","data_length":0,"num_children":0}"#;
    check(
        r#"{"id":7,"ok":{"type":"created","path":"/a"},"zxid":"12"}"#,
        good(Response::Created {
            path: "/a".into(),
            stat: None,
        }),
    );
    check(
        r#"{"id":7,"ok":{"type":"znode_explained","mode":"ttl","ttl_ms":9,"last":{"what":"acl_set","zxid":"8","at_ms":5,"session":"2","ids":[{"scheme":"ip","id":"::1"}]},"since":"3"},"zxid":"12"}"#,
        good(Response::Explained(Explained::Znode {
            mode: Some(CreateMode::Ttl { ms: 9 }),
            last: Some(Deed {
                zxid: Index(8),
                at_ms: 5,
                what: Done::AclSet,
                session: SessionId(2),
                ids: vec![Identity {
                    scheme: "ip".into(),
                    id: "::1".into(),
                }],
            }),
            since: Index(3),
        })),
    );
    let at = Moment {
        zxid: Index(8),
        ms: 5,
    };
    let fates = [
        (
            r#""alive","member":1,"timeout_ms":4,"ephemerals":0"#,
            Fate::Alive {
                member: NodeId(1),
                timeout_ms: 4,
                ephemerals: 0,
                silent_ms: None,
            },
        ),
        (r#""closed","zxid":"8","at_ms":5"#, Fate::Closed(at)),
        (
            r#""replaced","zxid":"8","at_ms":5,"by":"9""#,
            Fate::Replaced(at, SessionId(9)),
        ),
        (
            r#""expired","zxid":"8","at_ms":5,"leader":2,"silent_ms":6"#,
            Fate::Expired {
                at,
                leader: NodeId(2),
                silent_ms: 6,
            },
        ),
        (r#""unknown""#, Fate::Unknown),
    ];
    for (text, fate) in fates {
        let since = Index(3);
        check(
            &format!(
                r#"{{"id":7,"ok":{{"type":"session_explained","fate":{text},"since":"3"}},"zxid":"12"}}"#
            ),
            good(Response::Explained(Explained::Session { fate, since })),
        );
    }
    check(
        r#"{"id":7,"ok":{"type":"count","count":3},"zxid":"12"}"#,
        good(Response::Count(3)),
    );
    check(
        r#"{"id":7,"ok":{"type":"paths","paths":["/a"]},"zxid":"12"}"#,
        good(Response::Paths(vec!["/a".into()])),
    );
    check(
        r#"{"id":7,"ok":{"type":"watching","overflow":true},"zxid":"12"}"#,
        good(Response::Watching { complete: false }),
    );
    let listed = Listed {
        name: "b".into(),
        stat,
        data: Some("hi".into()),
    };
    check(
        &format!(
            r#"{{"id":7,"ok":{{"type":"page","znodes":[{{"name":"b","stat":{facts},"data":{{"text":"hi"}}}}],"stat":{facts},"more":true}},"zxid":"12"}}"#
        ),
        good(Response::Page {
            znodes: vec![listed],
            stat,
            more: true,
        }),
    );
    for (word, response) in [
        ("watching", Response::Watching { complete: true }),
        ("watches_set", Response::WatchesSet { complete: true }),
        ("watches_found", Response::WatchesFound),
        ("watches_removed", Response::WatchesRemoved),
    ] {
        let text = format!(r#"{{"id":7,"ok":{{"type":"{word}"}},"zxid":"12"}}"#);
        check(&text, good(response));
    }
    check(
        &format!(r#"{{"id":7,"ok":{{"type":"stat","stat":{facts}}},"zxid":"12"}}"#),
        good(Response::Stat(stat)),
    );
    check(
        &format!(
            r#"{{"id":7,"ok":{{"type":"data","data":{{"text":"hi"}},"stat":{facts}}},"zxid":"12"}}"#
        ),
        good(Response::Data {
            data: Some("hi".into()),
            stat,
        }),
    );
    check(
        &format!(r#"{{"id":7,"ok":{{"type":"data","data":null,"stat":{facts}}},"zxid":"12"}}"#),
        good(Response::Data { data: None, stat }),
    );
    check(
        r#"{"id":7,"ok":{"type":"multi","results":[{"error":"OK","message":"did not fail by itself"},{"error":"NO_NODE","message":"there is no such znode"}]},"zxid":"12"}"#,
        good(Response::Multi(vec![Err(Error::Ok), Err(Error::NoNode)])),
    );
    check(
        r#"{"id":7,"ok":{"type":"pong"},"zxid":"12"}"#,
        good(Response::Pong),
    );
    check(
        r#"{"id":7,"ok":{"type":"connected","session":"2","password":"AAAAAAAAAAAAAAAAAAAAAA==","timeout_ms":4000},"zxid":"12"}"#,
        good(Response::Connected {
            session: SessionId(2),
            password: [0; 16],
            timeout_ms: 4_000,
            read_only: false,
        }),
    );
    check(
        r#"{"id":7,"error":"NODE_EXISTS","message":"the znode exists already"}"#,
        ServerFrame::Reply {
            id: 7,
            reply: Reply {
                zxid: Index(0),
                result: Err(Error::NodeExists),
            },
        },
    );
    check(
        r#"{"event":"node_created","path":"/a","zxid":"13"}"#,
        ServerFrame::Event(WatchEvent {
            kind: EventKind::NodeCreated,
            path: "/a".into(),
            zxid: Index(13),
        }),
    );
    check(r#"{"bye":"moved"}"#, ServerFrame::Bye(Hangup::Moved));
    let reply = Reply {
        zxid: Index(12),
        result: Ok(Response::Expired),
    };
    assert!(encode_reply(7, &reply).starts_with(r#"{"id":7,"error":"SESSION_EXPIRED""#));
    for nonsense in [
        "",
        "{}",
        r#"{"id":7}"#,
        r#"{"id":7,"error":"WHAT"}"#,
        r#"{"event":"node_created"}"#,
    ] {
        assert!(decode_server(nonsense).is_err(), "{nonsense}");
    }
}

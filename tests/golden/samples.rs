//! A sample of each variant of each type that goes over the wire or to disk. Whoever adds a variant adds it here.

use bytes::Bytes;
use otterkeeper_core::command::{Command, Origin, Reconfigure, Silent, Worn, WriteRequest};
use otterkeeper_core::configuration::{Change, Configuration, Member, Standing};
use otterkeeper_core::id::{Index, LogId, NodeId, ReplicaId, SessionId, Term};
use otterkeeper_core::message::Message;
use otterkeeper_core::raft::message::{self as raft, Entry, Payload, SnapshotMeta, Vote};
use otterkeeper_core::request::{
    self, Acl, Connect, CreateMode, Deed, Done, Error, EventKind, Explained, Fate, Hangup,
    Identity, List, Listed, Moment, Once, Op, Read, ReadKind, Reconfig, Reply, Request, Response,
    SetWatches, Stat, Subject, WatchEvent, WatchKind, WatchMode,
};
use otterkeeper_core::time::Time;
use otterkeeper_core::wire::client::{ClientFrame, ServerFrame};

pub(super) fn log_id(term: u64, index: u64) -> LogId {
    LogId {
        term: Term(term),
        index: Index(index),
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let entry = |payload| Entry {
        id: log_id(3, 500),
        stamp: Time(1_700_000_000_000_001),
        payload,
    };
    vec![
        entry(Payload::Blank),
        entry(Payload::Command(Bytes::from_static(&[1, 2, 3]))),
        entry(Payload::Membership(configuration())),
    ]
}

pub(super) fn configuration() -> Configuration {
    let standings = [
        Standing::Voter,
        Standing::Learner,
        Standing::Incoming,
        Standing::Outgoing,
        Standing::Demoted,
    ];
    let member = |(number, standing): (u64, Standing)| Member {
        id: NodeId(number * 50),
        replica: ReplicaId(u128::from(number) << 70),
        address: format!("host{number}:8080"),
        clients: format!("host{number}:2181"),
        standing,
    };
    Configuration::new((1..).zip(standings).map(member).collect())
}

pub(super) fn meta() -> SnapshotMeta {
    SnapshotMeta {
        last: log_id(3, 499),
        stamp: Time(1_700_000_000_000_000),
        configuration: configuration(),
    }
}

pub(super) fn votes() -> Vec<Vote> {
    [None, Some(NodeId(2))]
        .map(|voted_for| Vote {
            term: Term(300),
            voted_for,
        })
        .into()
}

pub(super) fn messages() -> Vec<Message> {
    let (term, last) = (Term(4), log_id(3, 500));
    let (commit, round) = (Index(480), 77);
    let cursor = Bytes::from_static(&[1, 9]);
    let part = |next| raft::Message::SnapshotPart {
        term,
        last,
        cursor: Bytes::new(),
        next,
        bytes: Bytes::from_static(&[1, 2]),
    };
    let about_the_log = vec![
        raft::Message::PreVote { term, last, round },
        raft::Message::PreVoteReply {
            term,
            granted: true,
            round,
        },
        raft::Message::Vote {
            term,
            last,
            transfer: false,
        },
        raft::Message::VoteReply {
            term,
            granted: false,
        },
        raft::Message::Append {
            term,
            prev: log_id(2, 499),
            entries: entries(),
            commit,
        },
        raft::Message::Append {
            term,
            prev: last,
            entries: vec![],
            commit,
        },
        raft::Message::Appended {
            term,
            matched: Index(501),
        },
        raft::Message::Rejected {
            term,
            prev: Index(499),
            hint: log_id(2, 400),
        },
        raft::Message::Heartbeat {
            term,
            commit,
            round,
        },
        raft::Message::HeartbeatReply {
            term,
            round,
            promised: true,
        },
        raft::Message::SnapshotOffer { term, meta: meta() },
        raft::Message::SnapshotPull {
            term,
            last,
            cursor: cursor.clone(),
        },
        part(Some(cursor)),
        part(None),
        raft::Message::TimeoutNow { term, last },
        raft::Message::ReadIndex { term, number: 300 },
        raft::Message::ReadIndexReply {
            term,
            number: 300,
            index: commit,
        },
    ];
    let mut messages: Vec<Message> = about_the_log.into_iter().map(Message::Raft).collect();
    let commands = vec![Bytes::from_static(&[1, 2]), Bytes::new()];
    messages.push(Message::Forward {
        stream: 5,
        at: 300,
        commands,
    });
    messages.push(Message::Digest {
        index: Index(256),
        digest: u64::MAX,
    });
    messages.push(Message::Touch {
        sessions: vec![SessionId(2), SessionId(700)],
    });
    messages
}

pub(super) fn ops() -> Vec<Op> {
    let create = |mode, data, stat| {
        let (path, acl) = ("/a".into(), vec![Acl::open()]);
        Op::Create {
            path,
            data,
            acl,
            mode,
            stat,
        }
    };
    vec![
        create(CreateMode::Persistent, None, false),
        create(CreateMode::Ephemeral, Some(Bytes::new()), true),
        create(CreateMode::PersistentSequential, Some("hi".into()), false),
        create(CreateMode::EphemeralSequential, Some("hi".into()), false),
        create(CreateMode::Container, None, true),
        create(CreateMode::Ttl { ms: 300 }, None, true),
        create(CreateMode::TtlSequential { ms: 300 }, None, true),
        create(CreateMode::ContainerSequential, None, true),
        Op::Delete {
            path: "/a".into(),
            version: -1,
        },
        Op::SetData {
            path: "/a".into(),
            data: Some("hi".into()),
            version: 5,
        },
        Op::SetData {
            path: "/a".into(),
            data: None,
            version: i32::MIN,
        },
        Op::SetAcl {
            path: "/a".into(),
            acl: vec![Acl {
                perms: Acl::READ | Acl::ADMIN,
                scheme: "digest".into(),
                id: "a:b".into(),
            }],
            version: 2,
        },
        Op::Check {
            path: "/a".into(),
            version: 0,
        },
    ]
}

pub(super) fn commands() -> Vec<Command> {
    let origin = Origin {
        node: NodeId(2),
        incarnation: u64::MAX,
        ticket: 9,
    };
    let (session, epoch, timeout_ms) = (SessionId(40), Index(41), 30_000);
    let write = |request| Command::Write {
        session,
        epoch,
        number: 6,
        ids: vec![identity()],
        request,
    };
    let mut commands = vec![
        Command::Init {
            members: configuration(),
            secret: [7; 32],
            features: 1,
            max_depth: 1_024,
        },
        Command::Open {
            origin,
            timeout_ms,
            replaces: None,
        },
        Command::Open {
            origin,
            timeout_ms,
            replaces: Some((session, [9; 16])),
        },
        Command::Attach {
            origin,
            session,
            password: [9; 16],
            timeout_ms,
        },
        Command::Reconfigure {
            origin,
            request: Reconfigure {
                version: Some(Index(300)),
                change: Change::Incremental {
                    joining: configuration().members().to_vec(),
                    leaving: vec![NodeId(3)],
                },
            },
        },
        Command::Reconfigure {
            origin,
            request: Reconfigure {
                version: None,
                change: Change::Replace(Vec::new()),
            },
        },
        Command::Abandon { change: Index(301) },
        Command::Clean {
            znodes: vec![Worn {
                path: "/a".into(),
                czxid: Index(300),
                mzxid: Index(301),
            }],
        },
        Command::Expire {
            sessions: [(session, epoch), (SessionId(50), Index(60))]
                .map(|(session, epoch)| Silent {
                    session,
                    epoch,
                    ms: 4_000,
                })
                .into(),
            leader: NodeId(2),
        },
        write(WriteRequest::Multi(ops())),
        write(WriteRequest::Close),
        write(WriteRequest::Reconfig(reconfig())),
        write(WriteRequest::Once(once())),
    ];
    commands.extend(ops().into_iter().map(|op| write(WriteRequest::Op(op))));
    commands
}

pub(super) fn reconfig() -> Reconfig {
    Reconfig {
        joining: "server.3=c:1:2;2181".into(),
        leaving: "2".into(),
        members: String::new(),
        version: Some(Index(300)),
        met: vec![(NodeId(3), ReplicaId(7 << 100))],
    }
}

pub(super) fn once() -> Once {
    Once {
        number: 300,
        answered: 0,
        change: request::Change::One(Op::Delete {
            path: "/a".into(),
            version: 3,
        }),
    }
}

pub(super) fn explained() -> impl Iterator<Item = Explained> {
    let (since, at) = (
        Index(300),
        Moment {
            zxid: Index(400),
            ms: 500,
        },
    );
    let fates = [
        Fate::Alive {
            member: NodeId(1),
            timeout_ms: 4_000,
            ephemerals: 2,
            silent_ms: Some(300),
        },
        Fate::Closed(at),
        Fate::Replaced(at, SessionId(301)),
        Fate::Expired {
            at,
            leader: NodeId(2),
            silent_ms: 4_000,
        },
        Fate::Unknown,
    ];
    let whats = [
        Done::Created,
        Done::DataSet,
        Done::AclSet,
        Done::Deleted,
        Done::Ended,
        Done::Cleaned,
    ];
    let znode = move |what| Explained::Znode {
        mode: Some(CreateMode::Ttl { ms: 300 }),
        last: Some(Deed {
            zxid: at.zxid,
            at_ms: at.ms,
            what,
            session: SessionId(301),
            ids: vec![identity()],
        }),
        since,
    };
    let fates = fates.map(|fate| Explained::Session { fate, since });
    whats.map(znode).into_iter().chain(fates)
}

pub(super) fn identity() -> Identity {
    Identity {
        scheme: "ip".into(),
        id: "127.0.0.1".into(),
    }
}

pub(super) fn client_frames() -> Vec<ClientFrame> {
    let connect = Connect {
        session: SessionId(40),
        password: [9; 16],
        timeout_ms: 30_000,
        last_zxid: Index(400),
        read_only: true,
        replaces: Some((SessionId(39), [8; 16])),
    };
    let read = |kind, watch| {
        Request::Read(Read {
            kind,
            path: "/a".into(),
            watch,
        })
    };
    let requests = vec![
        Request::Connect(connect),
        Request::Write(Op::Delete {
            path: "/a".into(),
            version: 3,
        }),
        Request::Multi(ops()),
        read(ReadKind::Exists, false),
        read(ReadKind::Data, true),
        read(ReadKind::Acl, false),
        read(ReadKind::Children, false),
        Request::Sync { path: "/a".into() },
        Request::Auth {
            scheme: "digest".into(),
            proof: "a:b".into(),
        },
        Request::Reconfig(reconfig()),
        Request::WhoAmI,
        Request::Ping,
        Request::Close,
        Request::MultiRead(vec![Read {
            kind: ReadKind::Descendants,
            path: "/a".into(),
            watch: false,
        }]),
        Request::AddWatch {
            path: "/a".into(),
            mode: WatchMode::Recursive,
            since: Some(Index(300)),
        },
        Request::List(List {
            path: "/a".into(),
            after: "b".into(),
            prefix: String::new(),
            limit: 300,
            data: true,
            latest: false,
        }),
        Request::SetWatches(SetWatches {
            zxid: Index(300),
            data: vec!["/a".into(), "/b".into()],
            exist: vec!["/c".into()],
            child: vec!["/d".into()],
            persistent: vec!["/e".into()],
            recursive: vec!["/f".into()],
        }),
        Request::CheckWatches {
            path: "/a".into(),
            kind: WatchKind::Any,
        },
        Request::RemoveWatches {
            path: "/a".into(),
            kind: WatchKind::Persistent,
        },
        Request::Explain(Subject::Znode("/a".into())),
        Request::Explain(Subject::Session(SessionId(300))),
        Request::Once(once()),
        Request::Once(Once {
            answered: 299,
            change: request::Change::All(ops()),
            ..once()
        }),
    ];
    requests
        .into_iter()
        .map(|request| ClientFrame { id: 300, request })
        .collect()
}

pub(super) fn server_frames() -> Vec<ServerFrame> {
    let stat = Stat {
        czxid: Index(1),
        mzxid: Index(2),
        ctime_ms: 3,
        mtime_ms: 4,
        version: 5,
        cversion: -6,
        aversion: 7,
        ephemeral_owner: SessionId(8),
        data_length: 9,
        num_children: 10,
        pzxid: Index(11),
    };
    let mut responses = vec![
        Response::Connected {
            session: SessionId(40),
            password: [9; 16],
            timeout_ms: 30_000,
            read_only: false,
        },
        Response::Expired,
        Response::Created {
            path: "/a".into(),
            stat: None,
        },
        Response::Created {
            path: "/a".into(),
            stat: Some(stat),
        },
        Response::Deleted,
        Response::Stat(stat),
        Response::Checked,
        Response::Data { data: None, stat },
        Response::Data {
            data: Some("hi".into()),
            stat,
        },
        Response::Acl {
            acl: vec![Acl::open()],
            stat,
        },
        Response::Children {
            names: vec!["a".into(), "b".into()],
            stat,
        },
        Response::Count(300),
        Response::Paths(vec!["/a".into(), "/b".into()]),
        Response::Page {
            znodes: vec![Listed {
                name: "a".into(),
                stat,
                data: Some("hi".into()),
            }],
            stat,
            more: true,
        },
        Response::Watching { complete: true },
        Response::WatchesSet { complete: true },
        Response::WatchesSet { complete: false },
        Response::WatchesFound,
        Response::WatchesRemoved,
        Response::Synced { path: "/a".into() },
        Response::Authenticated,
        Response::Identities(vec![identity()]),
        Response::Pong,
        Response::Closed,
    ];
    responses.extend(explained().map(Response::Explained));
    let mut results: Vec<Result<Response, Error>> = responses.into_iter().map(Ok).collect();
    results.push(Ok(Response::Multi(results.clone())));
    results.push(Ok(Response::Multi(vec![
        Err(Error::Ok),
        Err(Error::RuntimeInconsistency),
    ])));
    results.extend(Error::ALL.iter().map(|error| Err(*error)));
    let reply = |result| ServerFrame::Reply {
        id: 300,
        reply: Reply {
            zxid: Index(400),
            result,
        },
    };
    let mut frames: Vec<ServerFrame> = results.into_iter().map(reply).collect();

    let kinds = [
        EventKind::NodeCreated,
        EventKind::NodeDeleted,
        EventKind::NodeDataChanged,
        EventKind::NodeChildrenChanged,
    ];
    let event = |kind| WatchEvent {
        kind,
        path: "/a".into(),
        zxid: Index(400),
    };
    frames.extend(kinds.map(|kind| ServerFrame::Event(event(kind))));
    let reasons = [
        Hangup::Closed,
        Hangup::Expired,
        Hangup::Moved,
        Hangup::Behind,
        Hangup::Leaderless,
        Hangup::SnapshotInstalled,
        Hangup::AuthFailed,
        Hangup::Refused,
    ];
    frames.extend(reasons.map(ServerFrame::Bye));
    frames
}

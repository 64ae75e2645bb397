//! Watches as clients see them: the table of the protocol's section 14, the order of events and answers,
//! and what a reconnect brings.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::id::{ConnId, Index};
use crate::node::tests::{Alone, Heard, op, read, write};
use crate::request::{
    Error, EventKind, List, ReadKind, Request, Response, SetWatches, WatchKind, WatchMode,
};

fn lasting(path: &str, mode: WatchMode) -> Request {
    let path = path.into();
    Request::AddWatch {
        path,
        mode,
        since: None,
    }
}

/// Sets a watch written as in the table: `data /a`, `exists /a`, `child /a`, `persistent /a`,
/// `recursive /a`.
fn watch(alone: &mut Alone, conn: ConnId, line: &str) {
    let (kind, path) = line.split_once(' ').unwrap();
    let request = match kind {
        "data" => read(ReadKind::Data, path, true),
        "exists" => read(ReadKind::Exists, path, true),
        "child" => read(ReadKind::Children, path, true),
        "persistent" => lasting(path, WatchMode::Persistent),
        "recursive" => lasting(path, WatchMode::Recursive),
        _ => panic!("{line}"),
    };
    let answer = alone.ask(conn, request);
    assert!(
        answer.is_ok() || kind == "exists" && answer == Err(Error::NoNode),
        "{line}"
    );
}

/// On a tree with /a and /a/b, the one connection with these watches hears this of a change, and this when
/// it is done once more (after the opposite).
#[track_caller]
fn row(watches: &[&str], change: &str, first: &[&str]) {
    let mut alone = Alone::new();
    let (conn, ..) = alone.open();
    let (other, ..) = alone.open();
    for line in ["create /a", "create /a/b"] {
        alone.ask(other, write(line)).unwrap();
    }
    for line in watches {
        watch(&mut alone, conn, line);
    }
    alone.ask(other, write(change)).unwrap();
    let expected: Vec<String> = first
        .iter()
        .map(|line| alloc::format!("1 {line}"))
        .collect();
    assert_eq!(alone.events(), expected, "{watches:?} on {change}");
}

#[test]
fn table_14_create() {
    let create = "create /a/c";
    row(&["exists /a/c"], create, &["NodeCreated /a/c"]);
    row(&["child /a"], create, &["NodeChildrenChanged /a"]);
    row(&["data /a"], create, &[]);
    row(&["child /a/b"], create, &[]);
    row(
        &["exists /a/c", "child /a"],
        create,
        &["NodeCreated /a/c", "NodeChildrenChanged /a"],
    );
    row(&["persistent /a/c"], create, &["NodeCreated /a/c"]);
    row(&["persistent /a"], create, &["NodeChildrenChanged /a"]);
    for path in ["recursive /", "recursive /a", "recursive /a/c"] {
        row(&[path], create, &["NodeCreated /a/c"]);
    }
    row(&["recursive /a/b", "recursive /x"], create, &[]);
    row(
        &[
            "exists /a/c",
            "persistent /a/c",
            "recursive /a",
            "recursive /",
        ],
        create,
        &["NodeCreated /a/c"],
    );
}

#[test]
fn table_14_delete() {
    let delete = "delete /a/b";
    row(&["data /a/b"], delete, &["NodeDeleted /a/b"]);
    row(&["exists /a/b"], delete, &["NodeDeleted /a/b"]);
    row(&["child /a/b"], delete, &["NodeDeleted /a/b"]);
    row(&["data /a/b", "child /a/b"], delete, &["NodeDeleted /a/b"]);
    row(&["child /a"], delete, &["NodeChildrenChanged /a"]);
    row(&["data /a"], delete, &[]);
    row(&["persistent /a/b"], delete, &["NodeDeleted /a/b"]);
    row(&["recursive /"], delete, &["NodeDeleted /a/b"]);
    row(
        &["persistent /a/b", "child /a/b", "child /a", "recursive /a"],
        delete,
        &["NodeDeleted /a/b", "NodeChildrenChanged /a"],
    );
}

#[test]
fn table_14_set_data() {
    let set = "set /a/b x";
    row(&["data /a/b"], set, &["NodeDataChanged /a/b"]);
    row(&["exists /a/b"], set, &["NodeDataChanged /a/b"]);
    row(
        &["data /a/b", "exists /a/b"],
        set,
        &["NodeDataChanged /a/b"],
    );
    row(&["child /a/b", "child /a", "data /a"], set, &[]);
    row(&["persistent /a/b"], set, &["NodeDataChanged /a/b"]);
    row(&["persistent /a"], set, &[]);
    row(&["recursive /a"], set, &["NodeDataChanged /a/b"]);
    row(
        &["recursive /a/b", "data /a/b"],
        set,
        &["NodeDataChanged /a/b"],
    );
}

#[test]
fn persistent_watches_stay_and_one_shot_ones_go() {
    let mut alone = Alone::new();
    let (conn, ..) = alone.open();
    watch(&mut alone, conn, "persistent /a");
    watch(&mut alone, conn, "recursive /a");
    watch(&mut alone, conn, "exists /a");
    for line in [
        "create /a",
        "set /a x",
        "create /a/b",
        "delete /a/b",
        "delete /a",
        "create /a",
    ] {
        alone.ask(conn, write(line)).unwrap();
    }
    assert_eq!(
        alone.events(),
        [
            "1 NodeCreated /a",
            "1 NodeDataChanged /a",
            "1 NodeCreated /a/b",
            "1 NodeChildrenChanged /a",
            "1 NodeDeleted /a/b",
            "1 NodeChildrenChanged /a",
            "1 NodeDeleted /a",
            "1 NodeCreated /a",
        ]
    );
    assert_eq!(alone.node.view().watches().len(), 2);
}

/// Trap 6 (ClickHouse#115475): the path is that of the changed node.
#[test]
fn trap_6_recursive_watches_name_what_changed() {
    let mut alone = Alone::new();
    let (conn, ..) = alone.open();
    watch(&mut alone, conn, "recursive /");
    for line in ["create /a", "create /a/b", "create /a/b/c", "set /a/b/c 1"] {
        alone.ask(conn, write(line)).unwrap();
    }
    let paths = [
        "Created /a",
        "Created /a/b",
        "Created /a/b/c",
        "DataChanged /a/b/c",
    ];
    assert_eq!(
        alone.events(),
        paths.map(|text| alloc::format!("1 Node{text}"))
    );
}

/// Trap 7 and the guarantees of section 14: an event goes out before the answer that shows what it tells of,
/// and never before the answer of the read that set its watch.
#[test]
fn trap_7_events_and_answers_keep_their_order() {
    let mut alone = Alone::new();
    let (conn, ..) = alone.open();
    alone.ask(conn, write("create /a")).unwrap();
    alone.heard.clear();
    let requests = [
        read(ReadKind::Data, "/a", true),
        write("set /a 1"),
        read(ReadKind::Data, "/a", true),
        write("set /a 2"),
    ];
    let inputs = requests
        .into_iter()
        .zip(101..)
        .map(|(request, tag)| crate::node::Input::Client { conn, tag, request });
    alone.step(inputs.collect());
    let order: Vec<String> = alone
        .heard
        .iter()
        .map(|heard| match heard {
            Heard::Answer(_, tag, _) => alloc::format!("{tag}"),
            Heard::Event(_, event) => alloc::format!("{:?}", event.kind),
            Heard::Bye(..) => "bye".into(),
        })
        .collect();
    assert_eq!(
        order,
        [
            "101",
            "NodeDataChanged",
            "102",
            "103",
            "NodeDataChanged",
            "104"
        ]
    );
}

/// Trap 8: a multi that fails fires nothing; one that works fires for each operation, once for each
/// one-shot watch.
#[test]
fn trap_8_watches_and_multi() {
    let mut alone = Alone::new();
    let (conn, ..) = alone.open();
    alone.ask(conn, write("create /a")).unwrap();
    watch(&mut alone, conn, "data /a");
    watch(&mut alone, conn, "child /a");
    let multi = |lines: &[&str]| Request::Multi(lines.iter().map(|line| op(line)).collect());
    let failing = multi(&["set /a 1", "create /a/b", "delete /none"]);
    alone.ask(conn, failing).unwrap();
    assert_eq!(alone.events(), Vec::<String>::new());
    let working = multi(&["create /a/b", "set /a 1", "set /a 2", "create /a/c"]);
    alone.send(conn, working);
    assert!(matches!(alone.heard.last(), Some(Heard::Answer(..))));
    let zxid = alone.zxid();
    for heard in &alone.heard {
        assert!(!matches!(heard, Heard::Event(_, event) if event.zxid != zxid));
    }
    assert_eq!(
        alone.events(),
        ["1 NodeChildrenChanged /a", "1 NodeDataChanged /a"]
    );
}

#[test]
fn a_session_that_ends_fires_for_each_of_its_ephemerals() {
    let mut alone = Alone::new();
    let (conn, ..) = alone.open();
    let (silent, ..) = alone.open();
    alone.ask(silent, write("create -e /e1")).unwrap();
    alone.ask(silent, write("create -e /e2")).unwrap();
    watch(&mut alone, conn, "data /e1");
    watch(&mut alone, conn, "data /e2");
    watch(&mut alone, conn, "child /");
    alone.gone(silent);
    for _ in 0..12 {
        alone.pass(1_000);
        alone.ask(conn, Request::Ping).unwrap();
    }
    assert_eq!(
        alone.events(),
        [
            "1 NodeDeleted /e1",
            "1 NodeChildrenChanged /",
            "1 NodeDeleted /e2"
        ]
    );
}

/// Trap 14 (RaftKeeper#376): nothing stays behind a connection.
#[test]
fn trap_14_watches_go_with_their_connection() {
    let mut alone = Alone::new();
    let (conn, ..) = alone.open();
    for line in ["exists /a", "child /", "persistent /a", "recursive /a"] {
        watch(&mut alone, conn, line);
    }
    assert_eq!(alone.node.view().watches().len(), 4);
    alone.gone(conn);
    assert!(alone.node.view().watches().is_empty());
}

#[test]
fn a_failing_read_leaves_no_watch_except_exists() {
    let mut alone = Alone::new();
    let (conn, ..) = alone.open();
    for kind in [ReadKind::Data, ReadKind::Children] {
        assert_eq!(alone.ask(conn, read(kind, "/no", true)), Err(Error::NoNode));
        assert!(alone.node.view().watches().is_empty());
    }
    watch(&mut alone, conn, "exists /no");
    assert_eq!(alone.node.view().watches().len(), 1);
}

/// What a list of `setWatches` brings for a path, if the client's last zxid is the present one, or 0: the
/// event, or nothing if the watch stands.
#[track_caller]
fn caught_up(fill: fn(&mut SetWatches) -> &mut Vec<String>, path: &str, now: &str, old: &str) {
    for (is_old, expected) in [(false, now), (true, old)] {
        // Without the past, to see what the Stat says.
        let mut alone = Alone::with(|config| config.watch_history_bytes = 0);
        let (conn, ..) = alone.open();
        for line in ["create /a", "create /b", "set /b 1", "create /a/c"] {
            alone.ask(conn, write(line)).unwrap();
        }
        alone.heard.clear();
        let zxid = if is_old { Index(0) } else { alone.zxid() };
        let mut had = SetWatches {
            zxid,
            ..SetWatches::default()
        };
        fill(&mut had).push(path.into());
        alone.send(conn, Request::SetWatches(had));
        assert!(matches!(alone.heard.last(), Some(Heard::Answer(..))));
        let unknown =
            |heard: &Heard| matches!(heard, Heard::Event(_, event) if event.zxid != Index(0));
        assert!(!alone.heard.iter().any(unknown));
        let expected: Vec<_> = expected
            .split(", ")
            .filter(|text| !text.is_empty())
            .collect();
        let events: Vec<String> = alone.events();
        let events: Vec<_> = events
            .iter()
            .map(|text| text.strip_prefix("1 Node").unwrap())
            .collect();
        assert_eq!(events, expected);
        let stands = alone.node.view().watches().len();
        let lasting = alone
            .node
            .view()
            .watches()
            .of(conn)
            .all(|(_, kind)| matches!(kind, WatchKind::Persistent | WatchKind::Recursive));
        assert_eq!(
            stands,
            usize::from(expected.is_empty() || lasting && stands != 0)
        );
    }
}

#[test]
fn set_watches_catches_up_with_standard_watches() {
    caught_up(|had| &mut had.data, "/b", "", "DataChanged /b");
    caught_up(|had| &mut had.data, "/no", "Deleted /no", "Deleted /no");
    caught_up(|had| &mut had.exist, "/no", "", "");
    caught_up(|had| &mut had.exist, "/b", "Created /b", "Created /b");
    caught_up(|had| &mut had.child, "/a", "", "ChildrenChanged /a");
    caught_up(|had| &mut had.child, "/no", "Deleted /no", "Deleted /no");
}

#[test]
fn set_watches_tells_persistent_ones_what_is_provable() {
    caught_up(
        |had| &mut had.persistent,
        "/a",
        "",
        "Created /a, ChildrenChanged /a",
    );
    caught_up(|had| &mut had.persistent, "/no", "", "");
    caught_up(|had| &mut had.recursive, "/b", "", "Created /b");
}

/// Conformance: types of check and remove (ZOOKEEPER-4471, -4472).
#[test]
fn check_and_remove_watches_by_type() {
    use WatchKind::{Any, Children, Data, Persistent, Recursive};
    let lines = ["exists /a", "child /a", "persistent /a", "recursive /a"];
    for (kind, of) in [(Data, 0), (Children, 1), (Persistent, 2), (Recursive, 3)] {
        for (at, line) in lines.iter().enumerate() {
            let mut alone = Alone::new();
            let (conn, ..) = alone.open();
            let (other, ..) = alone.open();
            alone.ask(conn, write("create /a")).unwrap();
            watch(&mut alone, conn, line);
            watch(&mut alone, other, line);
            let path = || String::from("/a");
            let found = match at == of {
                true => Ok(Response::WatchesFound),
                false => Err(Error::NoWatcher),
            };
            let check = Request::CheckWatches { path: path(), kind };
            assert_eq!(alone.ask(conn, check), found, "{kind:?} {line}");
            let removed = match at == of {
                true => Ok(Response::WatchesRemoved),
                false => Err(Error::NoWatcher),
            };
            let remove = Request::RemoveWatches { path: path(), kind };
            assert_eq!(alone.ask(conn, remove), removed, "{kind:?} {line}");
            let left = 2 - usize::from(at == of);
            assert_eq!(alone.node.view().watches().len(), left);
            let any = Request::RemoveWatches {
                path: path(),
                kind: Any,
            };
            assert_eq!(alone.ask(conn, any).is_ok(), at != of);
            // Those of other connections stay.
            assert_eq!(alone.node.view().watches().len(), 1);
        }
    }
    let mut alone = Alone::new();
    let (conn, ..) = alone.open();
    let empty = Request::CheckWatches {
        path: String::new(),
        kind: Any,
    };
    assert_eq!(alone.ask(conn, empty), Err(Error::BadArguments));
}

#[test]
fn many_reads_succeed_or_fail_alone_and_leave_no_watch() {
    let mut alone = Alone::new();
    let (conn, ..) = alone.open();
    alone.ask(conn, write("create /a")).unwrap();
    let one = |kind, path: &str| crate::request::Read {
        kind,
        path: path.into(),
        watch: true,
    };
    let reads = vec![
        one(ReadKind::Data, "/a"),
        one(ReadKind::Data, "/no"),
        one(ReadKind::Children, "/"),
    ];
    let Ok(Response::Multi(results)) = alone.ask(conn, Request::MultiRead(reads)) else {
        panic!("no results")
    };
    assert!(matches!(results[0], Ok(Response::Data { .. })));
    assert_eq!(results[1], Err(Error::NoNode));
    assert!(matches!(results[2], Ok(Response::Children { .. })));
    assert!(alone.node.view().watches().is_empty());
}

/// Conformance: prefixes of getEphemerals are texts, and only the own ones count.
#[test]
fn ephemerals_by_prefix() {
    let mut alone = Alone::new();
    let (conn, ..) = alone.open();
    let (other, ..) = alone.open();
    alone.ask(other, write("create -e /ax")).unwrap();
    for line in [
        "create /d",
        "create -e /ab",
        "create -e /d/e",
        "create -e /abc",
    ] {
        alone.ask(conn, write(line)).unwrap();
    }
    for (prefix, expected) in [
        ("", &["/ab", "/abc", "/d/e"][..]),
        ("/", &["/ab", "/abc", "/d/e"]),
        (" ", &["/ab", "/abc", "/d/e"]),
        ("/a", &["/ab", "/abc"]),
        ("/abc", &["/abc"]),
        ("/d/", &["/d/e"]),
        ("d", &[]),
    ] {
        let paths = expected.iter().map(|path| String::from(*path)).collect();
        let answer = alone.ask(conn, read(ReadKind::Ephemerals, prefix, false));
        assert_eq!(answer, Ok(Response::Paths(paths)), "{prefix:?}");
    }
}

/// Conformance: getAllChildrenNumber counts all that is below, at any depth.
#[test]
fn all_children_number() {
    let mut alone = Alone::new();
    let (conn, ..) = alone.open();
    for line in [
        "create /a",
        "create /a/b",
        "create /a/b/c",
        "create /a/d",
        "create /aa",
        "create /aa/x",
    ] {
        alone.ask(conn, write(line)).unwrap();
    }
    for (path, expected) in [
        ("/", 9),
        ("/a", 3),
        ("/a/b", 1),
        ("/a/b/c", 0),
        ("/aa", 1),
        ("/zookeeper", 2),
    ] {
        let answer = alone.ask(conn, read(ReadKind::Descendants, path, false));
        assert_eq!(answer, Ok(Response::Count(expected)), "{path}");
    }
    let answer = alone.ask(conn, read(ReadKind::Descendants, "/no", false));
    assert_eq!(answer, Err(Error::NoNode));
}

/// Event kinds are ZooKeeper's numbers.
#[test]
fn numbers_of_events() {
    use EventKind::{NodeChildrenChanged, NodeCreated, NodeDataChanged, NodeDeleted};
    let all = [
        NodeCreated,
        NodeDeleted,
        NodeDataChanged,
        NodeChildrenChanged,
    ];
    assert_eq!(all.map(|kind| kind as i32), [1, 2, 3, 4]);
}

/// What is told when a watch is taken up again at the zxid of the first change.
fn resumed(alone: &mut Alone, conn: ConnId, request: Request, complete: bool) -> Vec<String> {
    alone.heard.clear();
    alone.send(conn, request);
    let Some(Heard::Answer(_, _, reply)) = alone.heard.last() else {
        panic!("the answer is not the last")
    };
    match &reply.result {
        Ok(Response::Watching { complete: all }) => assert_eq!(*all, complete),
        other => assert_eq!(*other, Ok(Response::WatchesSet { complete: true })),
    }
    alone.events()
}

/// Rule R20: a watch resumes from a zxid, and nothing is missed, nor told twice.
#[test]
fn watches_resume_from_a_zxid() {
    let mut alone = Alone::new();
    let (conn, ..) = alone.open();
    alone.ask(conn, write("create /a")).unwrap();
    let since = alone.zxid();
    for line in [
        "set /a 1",
        "create /a/b",
        "set /a/b 2",
        "create /ab",
        "delete /a/b",
    ] {
        alone.ask(conn, write(line)).unwrap();
    }
    let resume = |path: &str, mode, since| Request::AddWatch {
        path: path.into(),
        mode,
        since: Some(since),
    };
    let below = [
        "1 NodeDataChanged /a",
        "1 NodeCreated /a/b",
        "1 NodeDataChanged /a/b",
        "1 NodeDeleted /a/b",
    ];
    let told = resumed(
        &mut alone,
        conn,
        resume("/a", WatchMode::Recursive, since),
        true,
    );
    assert_eq!(told, below);
    let told = resumed(
        &mut alone,
        conn,
        resume("/a", WatchMode::Persistent, since),
        true,
    );
    let own = [
        "1 NodeDataChanged /a",
        "1 NodeChildrenChanged /a",
        "1 NodeChildrenChanged /a",
    ];
    assert_eq!(told, own);
    let now = alone.zxid();
    let told = resumed(
        &mut alone,
        conn,
        resume("/", WatchMode::Recursive, now),
        true,
    );
    assert_eq!(told, Vec::<String>::new());
    let ahead = resume("/a", WatchMode::Persistent, Index(now.0 + 1));
    assert_eq!(alone.ask(conn, ahead), Err(Error::BadArguments));
    // setWatches of a ZooKeeper client, each change once though two watches hear it.
    alone.gone(conn);
    let (conn, ..) = alone.open();
    let had = SetWatches {
        zxid: since,
        persistent: vec!["/a/b".into()],
        recursive: vec!["/a".into()],
        ..SetWatches::default()
    };
    let told = resumed(&mut alone, conn, Request::SetWatches(had), true);
    assert_eq!(told, below.map(|text| text.replacen('1', "2", 1)));
}

/// Rule R20: what is not known any more is said to be so, and the watch stands all the same.
#[test]
fn a_watch_that_resumes_too_late_is_told_to_read_again() {
    let mut alone = Alone::with(|config| config.watch_history_bytes = 2_000);
    let (conn, ..) = alone.open();
    let since = alone.zxid();
    alone.ask(conn, write("create /a")).unwrap();
    for _ in 0..600 {
        alone.ask(conn, write("set /a 1")).unwrap();
    }
    let late = Request::AddWatch {
        path: "/a".into(),
        mode: WatchMode::Persistent,
        since: Some(since),
    };
    assert_eq!(resumed(&mut alone, conn, late, false), Vec::<String>::new());
    alone.ask(conn, write("set /a 2")).unwrap();
    assert_eq!(alone.events(), ["1 NodeDataChanged /a"]);
}

/// A page: the names, whether the data came, and whether there are more.
fn page(alone: &mut Alone, conn: ConnId, list: List) -> (Vec<String>, bool) {
    match alone.ask(conn, Request::List(list.clone())) {
        Ok(Response::Page { znodes, stat, more }) => {
            assert_ne!(stat.num_children, 0);
            assert!(znodes.iter().all(|child| child.data.is_some() == list.data));
            (znodes.into_iter().map(|child| child.name).collect(), more)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn children_in_pages() {
    let mut alone = Alone::new();
    let (conn, ..) = alone.open();
    alone.ask(conn, write("create /p")).unwrap();
    for name in ["a1", "a2", "b1", "b2", "b3", "c"] {
        alone
            .ask(conn, write(&alloc::format!("create /p/{name}")))
            .unwrap();
    }
    let list = |after: &str, prefix: &str, limit| List {
        path: "/p".into(),
        after: after.into(),
        prefix: prefix.into(),
        limit,
        data: limit == 2,
        latest: limit == 3,
    };
    let mut check = |after, prefix, limit, names: &[&str], more| {
        let expected = (names.iter().map(|name| String::from(*name)).collect(), more);
        assert_eq!(page(&mut alone, conn, list(after, prefix, limit)), expected);
    };
    check("", "", 100, &["a1", "a2", "b1", "b2", "b3", "c"], false);
    check("", "", 2, &["a1", "a2"], true);
    check("a2", "", 3, &["b1", "b2", "b3"], true);
    check("b3", "", 3, &["c"], false);
    check("a3", "", 1, &["b1"], true);
    check("", "b", 2, &["b1", "b2"], true);
    check("b2", "b", 2, &["b3"], false);
    check("a1", "b", 3, &["b1", "b2", "b3"], false);
    check("c", "b", 3, &[], false);
    check("", "", 0, &[], true);
    let nowhere = List {
        path: "/no".into(),
        ..List::default()
    };
    assert_eq!(alone.ask(conn, Request::List(nowhere)), Err(Error::NoNode));
}

#[test]
fn a_page_ends_where_an_answer_would_be_too_long() {
    let mut alone = Alone::with(|config| config.request_bytes = 1_000);
    let (conn, ..) = alone.open();
    alone.ask(conn, write("create /p")).unwrap();
    for at in 0..30 {
        alone
            .ask(conn, write(&alloc::format!("create /p/{at:02}")))
            .unwrap();
    }
    let (mut all, mut pages, mut after) = (Vec::new(), 0, String::new());
    loop {
        let list = List {
            path: "/p".into(),
            after,
            limit: u32::MAX,
            ..List::default()
        };
        let (names, more) = page(&mut alone, conn, list);
        all.extend(names);
        pages += 1;
        after = all.last().cloned().unwrap_or_default();
        if !more {
            break;
        }
    }
    assert_eq!((all.len(), pages), (30, 3));
}

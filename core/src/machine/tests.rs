//! The machine, command by command: what each answers, changes and leaves alone.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;

use bytes::Bytes;

use super::*;
use crate::configuration::Configuration;
use crate::id::NodeId;
use crate::request::Stat;
use crate::request::{Acl, CreateMode, EventKind, Op};
use crate::wire::{Rebuild, decode_command, encode_command};

mod access;
mod model;
mod quota;
mod total;

/// A machine with a log: each command gets the next index, and a second more on the clock. Index 1 is the
/// initialisation, 2 and 3 open the sessions "2" and "3".
struct Log {
    machine: Machine,
    index: Index,
    changes: Vec<Change>,
    tickets: u64,
    passwords: Vec<(SessionId, Password)>,
    /// For whom `line` speaks.
    ids: Vec<Identity>,
}

impl Log {
    fn new() -> Self {
        let (machine, passwords) = (Machine::new(), Vec::new());
        let mut log = Self {
            machine,
            index: Index(0),
            changes: Vec::new(),
            tickets: 0,
            passwords,
            ids: Vec::new(),
        };
        log.apply(&Command::Init {
            members: Configuration::default(),
            secret: [7; 32],
            features: 1,
            max_depth: 4,
        });
        log.open();
        log.open();
        log
    }

    fn apply(&mut self, command: &Command) -> Applied {
        self.index = self.index.next();
        self.changes.clear();
        let stamp = Time(self.index.0 * 1_000_000);
        self.machine
            .apply(self.index, stamp, command, &mut self.changes)
    }

    fn origin(&mut self) -> Origin {
        self.tickets += 1;
        Origin {
            node: NodeId(1),
            incarnation: 9,
            ticket: self.tickets,
        }
    }

    fn open(&mut self) -> SessionId {
        let origin = self.origin();
        let opened = self.apply(&Command::Open {
            origin,
            timeout_ms: 4_000,
            replaces: None,
        });
        let Applied::Attached {
            session, password, ..
        } = opened
        else {
            panic!("{opened:?}")
        };
        self.passwords.push((session, password));
        session
    }

    fn write(&mut self, session: SessionId, request: WriteRequest) -> Applied {
        let (epoch, number) = match self.machine.session(session) {
            Some(known) => (known.epoch, known.next_number),
            None => (Index(0), 1),
        };
        self.apply(&Command::Write {
            session,
            epoch,
            number,
            ids: self.ids.clone(),
            request,
        })
    }

    /// Runs a line such as `create -es /a-`, for session 2 or, after `3>`, for another, and says what came of
    /// it, followed by the changes.
    fn line(&mut self, line: &str) -> String {
        let (session, line) = match line.split_once("> ") {
            Some((session, rest)) => (SessionId(session.parse().unwrap()), rest),
            None => (SessionId(2), line),
        };
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let read = |kind| {
            let read = Read {
                kind,
                path: rest.into(),
                watch: false,
            };
            self.machine.read(SessionId(0), &read, &self.ids)
        };
        let result = match verb {
            "stat" => read(ReadKind::Exists),
            "get" => read(ReadKind::Data),
            "ls" => read(ReadKind::Children),
            "getacl" => read(ReadKind::Acl),
            _ => {
                let request = match verb {
                    "multi" => {
                        let ops = rest.split("; ").filter(|op| !op.is_empty());
                        WriteRequest::Multi(ops.map(op).collect())
                    }
                    "close" => WriteRequest::Close,
                    _ => WriteRequest::Op(op(line)),
                };
                match self.write(session, request) {
                    Applied::Wrote { result, .. } => result,
                    Applied::Nothing => return "nothing".into(),
                    other => panic!("{other:?}"),
                }
            }
        };
        let mut said = said(verb, &result);
        for Change { kind, path, .. } in core::mem::take(&mut self.changes) {
            let mark = match kind {
                EventKind::NodeCreated => '+',
                EventKind::NodeDeleted => '-',
                EventKind::NodeDataChanged => '!',
                EventKind::NodeChildrenChanged => '~',
            };
            said += &format!(" {mark}{path}");
        }
        said
    }
}

fn op(line: &str) -> Op {
    let words: Vec<&str> = line.split(' ').collect();
    let bytes = |text: &str| Some(Bytes::copy_from_slice(text.as_bytes()));
    let version = |at: usize| words.get(at).map_or(-1, |version| version.parse().unwrap());
    match *words {
        ["create", flags, path, ref data @ ..] if flags.starts_with('-') => {
            let mode = match (flags.contains('e'), flags.contains('s')) {
                (false, false) => CreateMode::Persistent,
                (true, false) => CreateMode::Ephemeral,
                (false, true) => CreateMode::PersistentSequential,
                (true, true) => CreateMode::EphemeralSequential,
            };
            let mode = match flags.split_once('t') {
                _ if flags.contains('c') => CreateMode::Container,
                None => mode,
                Some((_, ms)) if mode.is_sequential() => CreateMode::TtlSequential {
                    ms: ms.parse().unwrap(),
                },
                Some((_, ms)) => CreateMode::Ttl {
                    ms: ms.parse().unwrap(),
                },
            };
            let acl = if flags.contains('x') {
                Vec::new()
            } else {
                vec![Acl::open()]
            };
            let data = data.first().and_then(|data| bytes(data));
            Op::Create {
                path: path.into(),
                data,
                acl,
                mode,
                stat: flags.starts_with("-2"),
            }
        }
        ["create", ref rest @ ..] => op(&format!("create -p {}", rest.join(" "))),
        ["delete", path, ..] => Op::Delete {
            path: path.into(),
            version: version(2),
        },
        ["set", path, data, ..] => Op::SetData {
            path: path.into(),
            data: bytes(data),
            version: version(3),
        },
        ["setacl", path, acl, ..] => Op::SetAcl {
            path: path.into(),
            acl: access::list(acl),
            version: version(3),
        },
        ["createacl", path, acl] => Op::Create {
            path: path.into(),
            data: None,
            acl: access::list(acl),
            mode: CreateMode::Persistent,
            stat: false,
        },
        ["setnull", path] => Op::SetData {
            path: path.into(),
            data: None,
            version: -1,
        },
        ["check", path, ..] => Op::Check {
            path: path.into(),
            version: version(2),
        },
        _ => panic!("{line}"),
    }
}

fn said(verb: &str, result: &Result<Response, Error>) -> String {
    match result {
        Err(error) => error.name().into(),
        Ok(Response::Created { path, stat: None }) => path.clone(),
        Ok(Response::Created {
            path,
            stat: Some(stat),
        }) => format!("{path} {}", stat_text(stat)),
        Ok(Response::Stat(stat)) if verb == "set" => format!("v{}", stat.version),
        Ok(Response::Stat(stat)) => stat_text(stat),
        Ok(Response::Data { data: None, .. }) => "null".into(),
        Ok(Response::Data {
            data: Some(data), ..
        }) => format!("{data:?}"),
        Ok(Response::Children { names, .. }) => names.join(","),
        Ok(Response::Acl { acl, .. }) => acl::text(acl),
        Ok(Response::Multi(results)) => {
            let results = results.iter().map(|result| said("set", result));
            format!("[{}]", results.collect::<Vec<_>>().join(" "))
        }
        Ok(_) => "ok".into(),
    }
}

fn stat_text(stat: &Stat) -> String {
    let Stat {
        czxid,
        mzxid,
        pzxid,
        version,
        cversion,
        aversion,
        ..
    } = stat;
    let Stat {
        ctime_ms,
        mtime_ms,
        ephemeral_owner,
        data_length,
        num_children,
        ..
    } = stat;
    format!(
        "c{czxid} m{mzxid} p{pzxid} t{ctime_ms}/{mtime_ms} v{version}/{cversion}/{aversion} \
         o{ephemeral_owner} d{data_length} n{num_children}"
    )
}

/// Runs the lines on a fresh machine, each with what must come of it. The state must survive a snapshot.
fn check(lines: &[(&str, &str)]) {
    let mut log = Log::new();
    for (line, expected) in lines {
        assert_eq!(log.line(line), *expected, "{line}");
    }
    check_state(&log.machine);
}

/// The digest can be computed anew, and the state comes back from its parts, whatever their size.
fn check_state(machine: &Machine) {
    for limit_bytes in [1, 100, 1 << 20] {
        let mut rebuild = Rebuild::new();
        let mut cursor = Some(Bytes::new());
        while let Some(from) = cursor {
            let (part, next) = machine.part(&from, limit_bytes);
            rebuild.add(&part).unwrap();
            cursor = next;
        }
        let again = rebuild.finish().unwrap();
        assert_eq!(again.digest(), machine.digest());
        assert_eq!(again.tree().data_bytes(), machine.tree().data_bytes());
        assert_eq!(
            again.tree().ephemeral_count(),
            machine.tree().ephemeral_count()
        );
        assert!(again.sessions().eq(machine.sessions()));
        let znodes = |machine: &Machine| -> Vec<_> {
            machine
                .tree()
                .iter()
                .map(|znode| (znode.path().to_string(), znode.read()))
                .collect()
        };
        assert_eq!(znodes(&again), znodes(machine));
    }
}

#[test]
fn a_fresh_tree() {
    check(&[
        ("ls /", "zookeeper"),
        ("ls /zookeeper", "config,quota"),
        ("stat /", "c0 m0 p0 t0/0 v0/-1/0 o0 d0 n1"),
        ("stat /zookeeper", "c0 m0 p0 t0/0 v0/-2/0 o0 d0 n2"),
        ("get /zookeeper/config", "b\"\""),
    ]);
}

#[test]
fn stat_moves_as_it_must() {
    check(&[
        (
            "create -2 /a hi",
            "/a c4 m4 p4 t4000/4000 v0/0/0 o0 d2 n0 +/a ~/",
        ),
        ("stat /", "c0 m0 p4 t0/0 v0/0/0 o0 d0 n2"),
        ("set /a hi", "v1 !/a"),
        ("stat /a", "c4 m5 p4 t4000/5000 v1/0/0 o0 d2 n0"),
        ("stat /", "c0 m0 p4 t0/0 v0/0/0 o0 d0 n2"),
        ("create /a/b", "/a/b +/a/b ~/a"),
        ("stat /a", "c4 m5 p6 t4000/5000 v1/1/0 o0 d2 n1"),
        ("set /a/b x", "v1 !/a/b"),
        ("stat /a", "c4 m5 p6 t4000/5000 v1/1/0 o0 d2 n1"),
        ("delete /a/b", "ok -/a/b ~/a"),
        ("stat /a", "c4 m5 p8 t4000/5000 v1/2/0 o0 d2 n0"),
        ("3> create -e /e", "/e +/e ~/"),
        ("stat /e", "c9 m9 p9 t9000/9000 v0/0/0 o3 d0 n0"),
        ("set /e by-another", "v1 !/e"),
        ("stat /e", "c9 m10 p9 t9000/10000 v1/0/0 o3 d10 n0"),
        ("get /a/b", "NO_NODE"),
        ("get /a", "b\"hi\""),
        ("setnull /a", "c4 m11 p8 t4000/11000 v2/2/0 o0 d0 n0 !/a"),
        ("get /a", "null"),
        ("ls /", "a,e,zookeeper"),
    ]);
}

#[test]
fn sequence_numbers_come_from_the_parents_counter() {
    check(&[
        ("create -s /n-", "/n-0000000000 +/n-0000000000 ~/"),
        ("create /f", "/f +/f ~/"),
        ("create -s /n-", "/n-0000000002 +/n-0000000002 ~/"),
        ("delete /n-0000000002", "ok -/n-0000000002 ~/"),
        ("create -es /n-", "/n-0000000003 +/n-0000000003 ~/"),
        ("create -s /", "/0000000004 +/0000000004 ~/"),
        ("create /f/x", "/f/x +/f/x ~/f"),
        ("create -s /f/", "/f/0000000001 +/f/0000000001 ~/f"),
        ("create -e /f/y", "/f/y +/f/y ~/f"),
        ("create -s /f/x", "/f/x0000000003 +/f/x0000000003 ~/f"),
        ("create /f/x", "NODE_EXISTS"),
        ("create -s /f/", "/f/0000000004 +/f/0000000004 ~/f"),
        ("ls /f", "0000000001,0000000004,x,x0000000003,y"),
    ]);
    let mut log = Log::new();
    log.line("create /f");
    let facts = Facts {
        counter: i32::MAX,
        ..log.machine.tree.get("/f").unwrap().open().0
    };
    log.machine.tree.put(Record::new("/f", &facts, None));
    assert_eq!(
        log.line("create -s /f/n"),
        "/f/n2147483647 +/f/n2147483647 ~/f"
    );
    assert_eq!(
        log.line("create -s /f/n"),
        "/f/n-2147483648 +/f/n-2147483648 ~/f"
    );
    check_state(&log.machine);
}

#[test]
fn the_first_error_is_the_one_that_is_told() {
    check(&[
        ("create -x no-slash", "BAD_ARGUMENTS"),
        ("create -x /a\0", "BAD_ARGUMENTS"),
        ("create -x /no/parent", "INVALID_ACL"),
        ("create /no//parent", "NO_NODE"),
        ("create /no/", "NO_NODE"),
        ("create /zookeeper/", "BAD_ARGUMENTS"),
        ("create /.", "BAD_ARGUMENTS"),
        ("create /a\u{1F9A6}", "BAD_ARGUMENTS"),
        ("create /", "NODE_EXISTS"),
        ("create /zookeeper", "NODE_EXISTS"),
        ("create /zookeeper/config/x", "NO_AUTH"),
        ("create -e /e", "/e +/e ~/"),
        ("create /e/b", "NO_CHILDREN_FOR_EPHEMERALS"),
        ("create /e/.", "BAD_ARGUMENTS"),
        ("create /1", "/1 +/1 ~/"),
        ("create /1/2", "/1/2 +/1/2 ~/1"),
        ("create /1/2/3", "/1/2/3 +/1/2/3 ~/1/2"),
        ("create /1/2/3/4", "/1/2/3/4 +/1/2/3/4 ~/1/2/3"),
        ("create /1/2/3/4/5", "BAD_ARGUMENTS"),
        ("delete /", "BAD_ARGUMENTS"),
        ("delete /zookeeper", "BAD_ARGUMENTS"),
        ("delete /zookeeper/quota", "BAD_ARGUMENTS"),
        ("delete /zookeeper/config", "BAD_ARGUMENTS"),
        ("delete x", "BAD_ARGUMENTS"),
        ("delete /1/", "NO_NODE"),
        ("delete /no", "NO_NODE"),
        ("delete /no/no", "NO_NODE"),
        ("delete /1 7", "BAD_VERSION"),
        ("delete /1 0", "NOT_EMPTY"),
        ("delete /e 0", "ok -/e ~/"),
        ("set x y", "BAD_ARGUMENTS"),
        ("set /1/ y", "BAD_ARGUMENTS"),
        ("set /no y", "NO_NODE"),
        ("set /1 y 1", "BAD_VERSION"),
        ("set /1 y 0", "v1 !/1"),
        ("set /1 y 0", "BAD_VERSION"),
        ("set / y", "v1 !/"),
        ("set /zookeeper/config y", "NO_AUTH"),
        ("check /1 1", "ok"),
        ("check /1 0", "BAD_VERSION"),
        ("check /no", "NO_NODE"),
        ("check /1/", "BAD_ARGUMENTS"),
        ("stat /no", "NO_NODE"),
        ("stat ", "BAD_ARGUMENTS"),
        ("get /1/", "NO_NODE"),
        ("ls /no", "NO_NODE"),
    ]);
}

#[test]
fn a_multi_is_all_or_nothing() {
    check(&[
        ("multi ", "[]"),
        (
            "multi create /a; create /a/b x; set /a/b y; check /a/b 1",
            "[/a /a/b v1 ok] +/a ~/ +/a/b ~/a !/a/b",
        ),
        ("stat /a", "c5 m5 p5 t5000/5000 v0/1/0 o0 d0 n1"),
        (
            "multi create /c; delete /a/b; set /c z; create /c; delete /a",
            "[OK OK OK NODE_EXISTS RUNTIME_INCONSISTENCY]",
        ),
        ("ls /", "a,zookeeper"),
        ("ls /a", "b"),
        ("stat /a", "c5 m5 p5 t5000/5000 v0/1/0 o0 d0 n1"),
        ("stat /", "c0 m0 p5 t0/0 v0/0/0 o0 d0 n2"),
        (
            "multi create -s /n; create -s /n",
            "[/n0000000001 /n0000000002] +/n0000000001 ~/ +/n0000000002 ~/",
        ),
        ("multi create -s /n; check /no", "[OK NO_NODE]"),
        (
            "multi create -s /n; create -e /e; create /e/x",
            "[OK OK NO_CHILDREN_FOR_EPHEMERALS]",
        ),
        ("create -s /n", "/n0000000003 +/n0000000003 ~/"),
        ("multi create /t; delete /t", "[/t ok] +/t ~/ -/t ~/"),
        (
            "multi delete /a/b; create -e /a/b",
            "[ok /a/b] -/a/b ~/a +/a/b ~/a",
        ),
        ("multi delete /a/b; check /no", "[OK NO_NODE]"),
        ("stat /a/b", "c12 m12 p12 t12000/12000 v0/0/0 o2 d0 n0"),
        ("close", "ok -/a/b ~/a"),
        ("ls /a", ""),
    ]);
}

#[test]
fn a_failed_multi_leaves_the_digest_alone() {
    let mut log = Log::new();
    log.line("create /a");
    log.line("create -e /e");
    let tree = log.machine.tree.clone();
    let outcome = log.line("multi set /a x; delete /e; create -e /f; create /f; set /a y");
    assert_eq!(outcome, "[OK OK OK NODE_EXISTS RUNTIME_INCONSISTENCY]");
    assert_eq!(log.machine.tree.digest(), tree.digest());
    assert!(log.machine.ephemerals(SessionId(2)).eq(["/e"]));
}

#[test]
fn ephemeral_znodes_go_with_their_session() {
    check(&[
        ("create /d", "/d +/d ~/"),
        ("create -e /d/b", "/d/b +/d/b ~/d"),
        ("3> create -e /d/c", "/d/c +/d/c ~/d"),
        ("create -e /d/a", "/d/a +/d/a ~/d"),
        ("create -e /z", "/z +/z ~/"),
        ("delete /z", "ok -/z ~/"),
        ("close", "ok -/d/a ~/d -/d/b ~/d"),
        ("create /x", "nothing"),
        ("close", "nothing"),
        ("ls /d", "c"),
        ("stat /d", "c4 m4 p10 t4000/4000 v0/5/0 o0 d0 n1"),
        ("3> close", "ok -/d/c ~/d"),
    ]);
}

#[test]
fn each_write_runs_once_and_in_order() {
    let mut log = Log::new();
    let mut write = |epoch, number, path: &str| {
        let request = WriteRequest::Op(op(&format!("create {path}")));
        let command = Command::Write {
            session: SessionId(2),
            epoch: Index(epoch),
            number,
            ids: Vec::new(),
            request,
        };
        log.apply(&command) != Applied::Nothing
    };
    assert!(!write(2, 2, "/gap"));
    assert!(write(2, 1, "/a"));
    assert!(!write(2, 1, "/repeat"));
    assert!(!write(1, 2, "/stale"));
    assert!(write(2, 2, "/b"));
    log.changes.clear();
    assert_eq!(log.line("ls /"), "a,b,zookeeper");
}

#[test]
fn a_session_moves_to_another_connection() {
    let mut log = Log::new();
    let (session, password) = log.passwords[0];
    let first = log.machine.session(session).unwrap().origin;
    let attach = |log: &mut Log, origin, session, password| {
        log.apply(&Command::Attach {
            origin,
            session,
            password,
            timeout_ms: 9_000,
        })
    };
    let before = log.machine.digest();
    let (wrong, unknown) = (log.origin(), log.origin());
    let mut other = password;
    other[15] ^= 1;
    assert_eq!(
        attach(&mut log, wrong, session, other),
        Applied::Refused { origin: wrong }
    );
    let refused = attach(&mut log, unknown, SessionId(77), password);
    assert_eq!(refused, Applied::Refused { origin: unknown });
    assert_eq!(log.machine.session(session).unwrap().origin, first);
    assert_ne!(log.machine.digest(), before, "the tickets are used up");

    log.line("create -e /mine");
    let origin = log.origin();
    let moved = attach(&mut log, origin, session, password);
    let epoch = log.index;
    let moved_from = Some(first);
    let expected = Applied::Attached {
        origin,
        session,
        epoch,
        timeout_ms: 9_000,
        password,
        moved_from,
        replaced: None,
    };
    assert_eq!(moved, expected);
    assert_eq!(
        attach(&mut log, origin, session, password),
        Applied::Nothing
    );
    assert_eq!(attach(&mut log, first, session, password), Applied::Nothing);
    assert_eq!(log.machine.session(session).unwrap().next_number, 1);
    assert_eq!(log.line("set /mine x"), "v1 !/mine");

    let expire = |sessions: [(SessionId, Index); 2]| Command::Expire {
        sessions: sessions
            .map(|(session, epoch)| Silent {
                session,
                epoch,
                ms: 4_000,
            })
            .into(),
        leader: NodeId(1),
    };
    let stale = expire([(session, Index(2)), (SessionId(77), Index(1))]);
    assert_eq!(log.apply(&stale), Applied::Expired { sessions: vec![] });
    let expire = expire([(session, epoch), (SessionId(3), Index(3))]);
    let expired = Applied::Expired {
        sessions: vec![session, SessionId(3)],
    };
    assert_eq!(log.apply(&expire), expired);
    assert_eq!(log.line("stat /mine"), "NO_NODE -/mine ~/");
    let late = log.origin();
    assert_eq!(
        attach(&mut log, late, session, password),
        Applied::Refused { origin: late }
    );
    check_state(&log.machine);
}

#[test]
fn attachments_run_once_for_each_life_of_a_node() {
    let mut log = Log::new();
    let mut open = |incarnation, ticket| {
        let origin = Origin {
            node: NodeId(2),
            incarnation,
            ticket,
        };
        log.apply(&Command::Open {
            origin,
            timeout_ms: 4_000,
            replaces: None,
        }) != Applied::Nothing
    };
    assert!(open(5, 1));
    assert!(!open(5, 1));
    assert!(open(5, 4));
    assert!(!open(5, 2));
    assert!(open(4, 1), "lives have no order");
    assert!(!open(5, 4));
    assert!((10..14).all(|life| open(life, 1)));
    assert!((10..14).all(|life| !open(life, 1)));
    assert!(open(5, 1), "only the last four lives are remembered");
    check_state(&log.machine);
}

#[test]
fn nothing_runs_before_the_initialisation_and_only_the_first_counts() {
    let mut machine = Machine::new();
    let origin = Origin {
        node: NodeId(1),
        incarnation: 1,
        ticket: 1,
    };
    let open = Command::Open {
        origin,
        timeout_ms: 4_000,
        replaces: None,
    };
    let mut apply = |index, command: &Command| {
        let applied = machine.apply(Index(index), Time(0), command, &mut Vec::new());
        (applied, machine.features())
    };
    assert_eq!(apply(1, &open), (Applied::Nothing, 0));
    apply(
        2,
        &Command::Init {
            members: Configuration::default(),
            secret: [1; 32],
            features: 1,
            max_depth: 9,
        },
    );
    assert_eq!(
        apply(
            3,
            &Command::Init {
                members: Configuration::default(),
                secret: [2; 32],
                features: 2,
                max_depth: 9
            }
        )
        .1,
        1
    );
    assert!(matches!(
        apply(4, &open).0,
        Applied::Attached {
            session: SessionId(4),
            ..
        }
    ));
}

/// What is worn out so many seconds after the last entry, and what a clean-up of it changes.
fn clean(log: &mut Log, later: u64) -> String {
    let now_ms = 1_000 * (log.index.0 + later);
    let (znodes, next) = log.machine.worn_out(None, 100, now_ms);
    assert_eq!(next, None);
    log.apply(&Command::Clean { znodes });
    let changed = log
        .changes
        .iter()
        .filter(|change| change.kind == EventKind::NodeDeleted);
    let paths: Vec<_> = changed.map(|change| change.path.clone()).collect();
    paths.join(" ")
}

#[test]
fn a_container_goes_with_its_last_child() {
    let mut log = Log::new();
    let made = log.line("create -2c /c");
    assert!(made.contains(" o0 "), "trap 11: {made}");
    assert_eq!(clean(&mut log, 1_000_000), "", "it never had a child");
    log.line("create /c/1");
    assert_eq!(clean(&mut log, 0), "");
    log.line("delete /c/1");
    assert_eq!(clean(&mut log, 0), "/c");
    assert_eq!(log.line("create /c/1"), "NO_NODE");
    check_state(&log.machine);
}

#[test]
fn a_time_to_live_counts_from_the_last_set_and_waits_for_the_children() {
    let mut log = Log::new();
    let made = log.line("create -2t5000 /t");
    assert!(made.contains(" o0 "), "trap 11: {made}");
    assert_eq!(clean(&mut log, 5), "", "not longer than it");
    log.line("set /t x");
    assert_eq!(clean(&mut log, 4), "");
    log.line("create /t/1");
    assert_eq!(clean(&mut log, 100), "", "it has a child");
    log.line("delete /t/1");
    assert_eq!(clean(&mut log, 100), "/t");
    assert_eq!(
        log.line("create -st1 /t-"),
        "/t-0000000001 +/t-0000000001 ~/"
    );
    for ttl in [0, 1_u64 << 40, u64::MAX] {
        assert_eq!(log.line(&format!("create -t{ttl} /u")), "BAD_ARGUMENTS");
    }
    assert_eq!(
        log.line(&format!("create -t{} /u", (1_u64 << 40) - 1)),
        "/u +/u ~/"
    );
    check_state(&log.machine);
}

/// The command names the znode that was found, so what became of its path meanwhile is safe.
#[test]
fn a_clean_up_that_comes_late_touches_nothing_else() {
    let mut log = Log::new();
    for line in [
        "create -t1 /t",
        "create -c /c",
        "create /c/1",
        "delete /c/1",
        "create -t1 /u",
    ] {
        log.line(line);
    }
    let (znodes, _) = log.machine.worn_out(None, 100, 1_000_000);
    assert_eq!(znodes.len(), 3);
    for line in [
        "set /t x",
        "delete /c",
        "create -c /c",
        "delete /u",
        "create /u",
    ] {
        log.line(line);
    }
    log.apply(&Command::Clean { znodes });
    assert!(log.changes.is_empty());
    assert_eq!(log.machine.tree().mortal_count(), 2);
}

#[test]
fn the_worn_out_are_found_a_slice_at_a_time() {
    let mut log = Log::new();
    for number in 0..25 {
        log.line(&format!("create -t{} /t{number:02}", 1 + number % 3));
    }
    let (mut found, mut from, mut slices) = (Vec::new(), None, 0);
    loop {
        let (znodes, next) = log.machine.worn_out(from, 10, 1_000_000);
        found.extend(znodes.into_iter().map(|worn| worn.path));
        slices += 1;
        from = next;
        if from.is_none() {
            break;
        }
    }
    found.sort();
    found.dedup();
    assert_eq!((found.len(), slices), (25, 3));
}

//! Who may do what, and which error comes first (protocol sections 9 and 13).

use super::*;
use crate::id::ReplicaId;
use crate::request::Reconfig;

/// A dash is the empty list.
pub(super) fn list(text: &str) -> Vec<Acl> {
    match text {
        "-" => Vec::new(),
        _ => acl::parse(text).unwrap(),
    }
}

/// Runs lines on one machine, each for somebody (`scheme:id` with spaces between, or nobody).
fn check_as(lines: &[(&str, &str, &str)]) -> Log {
    let mut log = Log::new();
    for (ids, line, expected) in lines {
        log.ids = ids
            .split(' ')
            .filter_map(|id| id.split_once(':'))
            .map(|(scheme, id)| Identity {
                scheme: scheme.into(),
                id: id.into(),
            })
            .collect();
        assert_eq!(log.line(line), *expected, "{ids}: {line}");
    }
    check_state(&log.machine);
    log
}

#[test]
fn each_operation_needs_its_permission() {
    check_as(&[
        ("", "createacl /r world:anyone:r", "/r +/r ~/"),
        ("", "createacl /w world:anyone:w", "/w +/w ~/"),
        ("", "createacl /c world:anyone:c", "/c +/c ~/"),
        ("", "createacl /d world:anyone:cd", "/d +/d ~/"),
        ("", "createacl /a world:anyone:a", "/a +/a ~/"),
        ("", "createacl /c/x world:anyone:a", "/c/x +/c/x ~/c"),
        ("", "createacl /d/x world:anyone:a", "/d/x +/d/x ~/d"),
        ("", "get /r", "null"),
        ("", "ls /r", ""),
        ("", "getacl /r", "world:anyone:r"),
        ("", "check /r 0", "ok"),
        ("", "set /r x", "NO_AUTH"),
        ("", "create /r/x", "NO_AUTH"),
        ("", "setacl /r world:anyone:cdrwa", "NO_AUTH"),
        ("", "get /w", "NO_AUTH"),
        ("", "ls /w", "NO_AUTH"),
        ("", "stat /w", "NO_AUTH"),
        ("", "getacl /w", "NO_AUTH"),
        ("", "check /w 0", "NO_AUTH"),
        ("", "set /w x", "v1 !/w"),
        ("", "create /c/y", "/c/y +/c/y ~/c"),
        ("", "delete /c/y", "NO_AUTH"),
        ("", "get /a", "NO_AUTH"),
        ("", "getacl /a", "world:anyone:a"),
        ("", "multi create /m; set /r x", "[OK NO_AUTH]"),
        (
            "",
            "multi create /m; check /w; create /n",
            "[OK NO_AUTH RUNTIME_INCONSISTENCY]",
        ),
        ("", "ls /", "a,c,d,r,w,zookeeper"),
        // A znode's own list does not protect it from deletion, its parent's does.
        ("", "delete /d/x", "ok -/d/x ~/d"),
        ("", "delete /c/x", "NO_AUTH"),
        ("", "delete /r", "ok -/r ~/"),
        ("super:", "delete /c/x", "ok -/c/x ~/c"),
        ("super:", "get /w", "b\"x\""),
    ]);
}

#[test]
fn the_first_error_comes_before_the_others() {
    check_as(&[
        ("", "createacl /p world:anyone:r", "/p +/p ~/"),
        ("super:", "create /p/there", "/p/there +/p/there ~/p"),
        ("super:", "create -e /p/e", "/p/e +/p/e ~/p"),
        (
            "super:",
            "setacl /p/e world:anyone:r",
            "c6 m6 p6 t6000/6000 v0/0/1 o2 d0 n0",
        ),
        // create: path, list, parent, permission, the whole path, exists, ephemeral parent.
        ("", "createacl no-slash -", "BAD_ARGUMENTS"),
        ("", "createacl /no/x -", "INVALID_ACL"),
        ("", "createacl /p/x -", "INVALID_ACL"),
        ("", "createacl /p/x auth::r", "INVALID_ACL"),
        ("ip:10.0.0.1", "createacl /p/x auth::r", "INVALID_ACL"),
        ("", "createacl /no/x world:anyone:r", "NO_NODE"),
        ("", "create /p/..", "NO_AUTH"),
        ("", "create /p/there", "NO_AUTH"),
        ("super:", "create /p/..", "BAD_ARGUMENTS"),
        ("super:", "create /p/there", "NODE_EXISTS"),
        ("", "create /p/e/x", "NO_AUTH"),
        ("super:", "create /p/e/x", "NO_CHILDREN_FOR_EPHEMERALS"),
        // delete: path, parent, permission on the parent, znode, version, children.
        ("", "delete /", "BAD_ARGUMENTS"),
        ("", "delete /no/x 9", "NO_NODE"),
        ("", "delete /p/no 9", "NO_AUTH"),
        ("", "delete /p/there 9", "NO_AUTH"),
        ("super:", "delete /p/no 9", "NO_NODE"),
        ("super:", "delete /p/there 9", "BAD_VERSION"),
        ("", "delete /p 9", "BAD_VERSION"),
        ("", "delete /p 0", "NOT_EMPTY"),
        // setData: path, znode, permission, version.
        ("", "set /p/ x 9", "BAD_ARGUMENTS"),
        ("", "set /p/no x 9", "NO_NODE"),
        ("", "set /p x 9", "NO_AUTH"),
        ("super:", "set /p x 9", "BAD_VERSION"),
        // setACL: path, list, znode, permission, version of the list.
        ("", "setacl /p/ - 9", "BAD_ARGUMENTS"),
        ("", "setacl /p/no - 9", "INVALID_ACL"),
        ("", "setacl /p/no world:anyone:r 9", "NO_NODE"),
        ("", "setacl /p world:anyone:r 9", "NO_AUTH"),
        ("super:", "setacl /p world:anyone:r 9", "BAD_VERSION"),
        ("super:", "set /p x", "v1 !/p"),
        (
            "super:",
            "setacl /p world:anyone:r 0",
            "c4 m37 p6 t4000/37000 v1/2/1 o0 d1 n2",
        ),
        ("super:", "setacl /p world:anyone:r 0", "BAD_VERSION"),
        // check: path, znode, permission, version.
        ("", "check /p/ 9", "BAD_ARGUMENTS"),
        ("", "check /no 9", "NO_NODE"),
        ("", "check /p 9", "BAD_VERSION"),
        // Reads.
        ("", "getacl /no", "NO_NODE"),
        ("", "getacl ", "BAD_ARGUMENTS"),
    ]);
}

#[test]
fn lists_are_expanded_and_masked() {
    let (a, b) = ("digest:a:hash", "ip:10.1.2.3 digest:b:hash sasl:otter");
    check_as(&[
        (
            b,
            "createacl /auth auth::rwa,world:anyone:c,auth::rwa",
            "/auth +/auth ~/",
        ),
        (
            b,
            "getacl /auth",
            "digest:b:hash:rwa,sasl:otter:rwa,world:anyone:c",
        ),
        (
            "sasl:otter",
            "getacl /auth",
            "digest:b:hash:rwa,sasl:otter:rwa,world:anyone:c",
        ),
        ("", "getacl /auth", "NO_AUTH"),
        (
            b,
            "setacl /auth digest:a:hash:r,digest:b:hash:a,ip:10.0.0.0/8:w",
            "c4 m4 p4 t4000/4000 v0/0/1 o0 d0 n0",
        ),
        (
            a,
            "getacl /auth",
            "digest:a:x:r,digest:b:x:a,ip:10.0.0.0/8:w",
        ),
        (
            b,
            "getacl /auth",
            "digest:a:hash:r,digest:b:hash:a,ip:10.0.0.0/8:w",
        ),
        (a, "set /auth x", "NO_AUTH"),
        (b, "set /auth x", "v1 !/auth"),
        (b, "get /auth", "NO_AUTH"),
        (a, "get /auth", "b\"x\""),
        (
            "super:",
            "getacl /auth",
            "digest:a:hash:r,digest:b:hash:a,ip:10.0.0.0/8:w",
        ),
        ("", "getacl /", "world:anyone:cdrwa"),
        ("", "getacl /zookeeper/config", "world:anyone:r"),
        ("", "create /zookeeper/config/x", "NO_AUTH"),
        ("", "set /zookeeper/config x", "NO_AUTH"),
        (
            "super:",
            "setacl /zookeeper/config world:anyone:rw",
            "c0 m0 p0 t0/0 v0/0/0 o0 d0 n0",
        ),
        ("", "set /zookeeper/config x", "v1 !/zookeeper/config"),
    ]);
}

#[test]
fn a_change_carries_the_list_of_its_moment() {
    let mut log = check_as(&[
        ("", "createacl /s digest:a:hash:cdrwa", "/s +/s ~/"),
        (
            "digest:a:hash",
            "createacl /s/x digest:b:hash:r",
            "/s/x +/s/x ~/s",
        ),
    ]);
    let delete = WriteRequest::Op(op("delete /s/x"));
    log.write(SessionId(2), delete);
    let lists = log
        .changes
        .iter()
        .map(|change| acl::text(change.acl.as_ref().unwrap()));
    let lists: Vec<String> = lists.collect();
    assert_eq!(lists, ["digest:b:hash:r", "digest:a:hash:cdrwa"]);
    log.line("create /open");
    log.write(SessionId(2), WriteRequest::Op(op("set /open x")));
    assert_eq!(log.changes[0].acl, None);
}

/// Lists that came and went in a multi that failed leave nothing behind, and the same commands make the
/// same numbers on another replica.
#[test]
fn numbers_of_lists_are_the_same_everywhere() {
    let lines: Vec<String> = (0..40)
        .map(|n| match n % 4 {
            0 => format!("createacl /n{n} sasl:user{}:cdrwa", n % 12),
            1 => format!("setacl /n{} sasl:user{}:cdrwa,world:anyone:a", n - 1, n % 9),
            2 => format!("multi setacl /n{} world:anyone:a; check /no", n - 2),
            _ => format!("delete /n{}", n / 8 * 4),
        })
        .collect();
    let (mut one, mut two) = (Log::new(), Log::new());
    for line in &lines {
        let ids = vec![Identity {
            scheme: acl::SUPER.into(),
            id: String::new(),
        }];
        (one.ids, two.ids) = (ids.clone(), ids);
        assert_eq!(one.line(line), two.line(line), "{line}");
        assert_eq!(one.machine.digest(), two.machine.digest());
        check_state(&one.machine);
        assert!(one.machine.is_digest_right());
    }
}

/// In progress, version, parsing, voters, permission (protocol section 18).
#[test]
fn reconfig_checks_in_zookeepers_order() {
    let mut log = Log::new();
    let members = Configuration::of_voters([1, 2, 3].map(NodeId));
    let moment = (Index(3), 0);
    let settled = log.machine.settle_members(moment, members, &mut Vec::new());
    assert!(settled.is_ok());
    let met = vec![(NodeId(9), ReplicaId(5))];
    let mut check = |ids: &[Identity], joining: &str, leaving: &str, version, expected: &str| {
        log.ids = ids.to_vec();
        let request = Reconfig {
            joining: joining.into(),
            leaving: leaving.into(),
            members: String::new(),
            version,
            met: met.clone(),
        };
        let said = match log.write(SessionId(2), WriteRequest::Reconfig(request)) {
            Applied::Reconfigured { result, .. } => result.unwrap_err().name(),
            Applied::Pending(_) => "pending",
            other => panic!("{other:?}"),
        };
        assert_eq!(said, expected, "{joining} {leaving} {version:?}");
    };
    let anyone = [];
    let superuser = [Identity {
        scheme: acl::SUPER.into(),
        id: String::new(),
    }];
    let (right, wrong) = (Some(Index(3)), Some(Index(9)));
    check(&anyone, "nonsense", "", wrong, "BAD_VERSION");
    check(&anyone, "nonsense", "", right, "BAD_ARGUMENTS");
    check(&anyone, "", "1,2,3", right, "BAD_ARGUMENTS");
    check(&superuser, "server.256=x:1:2;3", "", None, "BAD_ARGUMENTS");
    check(&anyone, "", "3", None, "NO_AUTH");
    check(&anyone, "server.8=x:1:2;3", "", None, "NO_AUTH");
    // The driver met another one.
    check(
        &superuser,
        "server.8=x:1:2;3",
        "",
        None,
        "NEW_CONFIG_NO_QUORUM",
    );
    check(&superuser, "server.9=x:1:2;3", "3", right, "pending");
    check(&anyone, "nonsense", "", wrong, "RECONFIG_IN_PROGRESS");
    check_state(&log.machine);
}

//! The verbs of the command line and the shell against a real server: zkCli's, and those of our own.

use std::fs;

use otterkeeper_tests::process::{Cluster, otterkeeper};
use serde_json::Value;

use super::shell;

/// The command line at one server.
struct Line {
    cluster: Cluster,
}

impl Line {
    fn new() -> Self {
        Self {
            cluster: Cluster::start(1),
        }
    }

    fn server(&self) -> &str {
        &self.cluster.member(0).http
    }

    /// Exit code, standard output and standard error.
    fn says(&self, args: &[&str]) -> (i32, String, String) {
        let output = otterkeeper(&[args, &["--server", self.server()]].concat());
        let text = |bytes| String::from_utf8(bytes).expect("text");
        let code = output.status.code().expect("an exit code");
        (code, text(output.stdout), text(output.stderr))
    }

    /// What it prints when all goes well.
    fn run(&self, args: &[&str]) -> String {
        let (code, said, complaint) = self.says(args);
        assert_eq!(code, 0, "{args:?}: {complaint}");
        said
    }

    /// The one line with which it fails.
    fn fails(&self, args: &[&str], code: i32) -> String {
        let (was, _, complaint) = self.says(args);
        assert_eq!(was, code, "{args:?}: {complaint}");
        assert_eq!(complaint.lines().count(), 1, "{args:?}: {complaint}");
        complaint
    }

    /// What a shell prints for these lines.
    fn shell(&self, lines: &str) -> (Option<i32>, String, String) {
        shell(self.server(), lines.as_bytes())
    }
}

#[test]
#[ignore = "needs a built server: cargo xtask test"]
fn zkclis_verbs() {
    let line = Line::new();
    let run = |args: &[&str]| line.run(args);
    run(&["create", "/a", "one"]);
    run(&["create", "-c", "/box"]);
    run(&["create", "-s", "/a/n-", "x", "world:anyone:ra"]);
    run(&["create", "-t", "60000", "/a/ttl"]);
    run(&["set", "-b", "/a", "b3R0ZXI="]);
    assert_eq!(run(&["get", "/a"]), "otter\n");
    assert_eq!(run(&["get", "-b", "/a"]), "b3R0ZXI=\n");
    assert!(run(&["get", "-x", "/a"]).contains("6f 74 74 65 72"));
    assert!(run(&["set", "-s", "-v", "1", "/a", "two"]).contains("dataVersion = 2"));
    assert_eq!(run(&["getAcl", "/a/n-0000000000"]), "world:anyone:ra\n");
    assert_eq!(run(&["getAllChildrenNumber", "/a"]), "2\n");
    assert_eq!(run(&["ls", "-R", "/a"]), "/a\n/a/n-0000000000\n/a/ttl\n");
    run(&["sync", "/"]);
    assert!(run(&["config"]).contains("version="), "ZooKeeper's text");
    assert!(run(&["whoami"]).contains("ip: 127.0.0.1"));
    let disabled = line.fails(&["reconfig", "-remove", "3"], 1);
    assert!(disabled.contains("--reconfig"), "{disabled}");
    line.fails(&["reconfig"], 2);

    // Lists of a whole subtree, and its end in small transactions.
    run(&["setAcl", "-R", "/a", "world:anyone:cdrwa"]);
    assert_eq!(run(&["getAcl", "/a/ttl"]), "world:anyone:cdrwa\n");
    run(&["create", "/a/n-0000000000/deep"]);
    run(&["deleteall", "-b", "2", "/a"]);
    line.fails(&["get", "/a"], 1);
    line.fails(&["deleteall", "/"], 2);
    line.fails(&["deleteall", "/a"], 1);
}

#[test]
#[ignore = "needs a built server: cargo xtask test"]
fn quotas() {
    let line = Line::new();
    let run = |args: &[&str]| line.run(args);
    run(&["create", "/q", "1234"]);
    line.fails(&["setquota", "-n", "3", "/none"], 1);
    line.fails(&["setquota", "/q"], 2);
    run(&["setquota", "-n", "5", "-N", "2", "/q"]);
    let quota = run(&["listquota", "/q"]);
    assert!(
        quota.contains("count=5,bytes=-1=;byteHardLimit=-1;countHardLimit=2"),
        "{quota}"
    );
    assert!(quota.contains("count=1,bytes=4"), "{quota}");
    run(&["create", "/q/a"]);
    let refused = line.fails(&["create", "/q/b"], 1);
    assert!(refused.contains("hard quota"), "{refused}");
    run(&["setquota", "-N", "3", "/q"]);
    run(&["create", "/q/b"]);
    run(&["delquota", "-N", "/q"]);
    run(&["create", "/q/c"]);
    assert!(run(&["listquota", "/q"]).contains("count=5,bytes=-1\n"));
    run(&["delquota", "/q"]);
    assert!(run(&["listquota", "/q"]).contains("does not exist"));
    line.fails(&["delquota", "/q"], 1);
}

#[test]
#[ignore = "needs a built server: cargo xtask test"]
fn several_changes_or_none() {
    let line = Line::new();
    let run = |args: &[&str]| line.run(args);
    let made = run(&[
        "multi",
        "create /m 'a b'",
        "create -s /m/n-",
        "check -v 0 /m",
    ]);
    assert_eq!(made, "Created /m\nCreated /m/n-0000000000\nChecked\n");
    assert_eq!(run(&["get", "/m"]), "a b\n");
    let why = line.fails(&["multi", "set /m x", "delete /nothing"], 1);
    assert!(
        why.contains("change 2") && why.contains("/nothing does not exist"),
        "{why}"
    );
    assert_eq!(run(&["get", "/m"]), "a b\n", "nothing was changed");
    let why = line.fails(&["multi", "get /m"], 2);
    assert!(why.contains("get"), "{why}");

    let file = std::env::temp_dir().join(format!("otterkeeper-multi-{}", std::process::id()));
    fs::write(&file, "# both\nset /m y\n\ndelete /m/n-0000000000\n").unwrap();
    let path = file.to_str().unwrap();
    let said = run(&["multi", "-f", path]);
    assert_eq!(said, "dataVersion = 1, aclVersion = 0\nDeleted\n");
    fs::remove_file(&file).unwrap();
}

#[test]
#[ignore = "needs a built server: cargo xtask test"]
fn a_subtree_goes_from_one_cluster_to_another() {
    let from = Line::new();
    from.run(&["create", "/app", "config"]);
    from.run(&["create", "-c", "/app/box"]);
    from.run(&["create", "-t", "3600000", "/app/ttl"]);
    from.run(&["create", "/app/bytes"]);
    from.run(&["set", "-b", "/app/bytes", "/wA="]);
    from.run(&["setAcl", "/app/bytes", "world:anyone:ra"]);
    for _ in 0..3 {
        from.run(&["create", "-s", "/app/box/n-", "entry"]);
    }
    from.run(&["delete", "/app/box/n-0000000002"]);
    from.run(&["setAcl", "/app/ttl", "world:anyone:cdrwa"]);
    for text in ["one", "two", "three"] {
        from.run(&["set", "/app/box/n-0000000000", text]);
    }

    let file = std::env::temp_dir().join(format!("otterkeeper-export-{}", std::process::id()));
    let path = file.to_str().unwrap();
    from.run(&["export", "-o", path, "/app"]);
    let lines = fs::read_to_string(&file).unwrap();
    let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!(first["root"], "/app");
    assert_eq!(lines.lines().count(), 7);
    from.fails(&["export", "-o", path, "/app"], 2);
    assert!(
        from.fails(&["import", path], 1)
            .contains("/app exists already")
    );

    let to = Line::new();
    to.run(&["create", "/app", "old"]);
    assert!(to.fails(&["import", path], 1).contains("--overwrite"));
    assert_eq!(to.run(&["get", "/app"]), "old\n", "nothing was imported");
    let report = to.run(&["import", "--overwrite", path]);
    assert!(report.contains("5 znodes made, 1 overwritten"), "{report}");
    assert!(report.contains("not kept: zxids and times"), "{report}");
    for znode in ["/app/box", "/app/ttl", "/app/box/n-0000000000"] {
        // Versions and counters are as they were; zxids and times are not, nor need they be.
        let kept = |line: &Line| {
            let stat = line.run(&["stat", znode]);
            let of = |line: &&str| line.contains("ersion") || line.starts_with("num");
            stat.lines()
                .filter(of)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(kept(&to), kept(&from), "{znode}");
    }
    let list = ["ls", "-R", "/app"];
    assert_eq!(to.run(&list), from.run(&list));
    for znode in ["/app", "/app/bytes", "/app/box/n-0000000001"] {
        for verb in [["get", "-b"], ["getAcl", "--timeout=10000"]] {
            let args = [verb[0], verb[1], znode];
            assert_eq!(to.run(&args), from.run(&args), "{args:?}");
        }
    }
    // What they are, and how their children are counted, is as it was.
    let kinds = [("/app/box", "a container"), ("/app/ttl", "3600000 ms")];
    for (znode, kind) in kinds {
        let said = to.run(&["explain", znode]);
        assert!(said.contains(kind), "{said}");
    }
    let made = to.run(&["create", "-s", "/app/box/n-", "next"]);
    assert_eq!(made, "Created /app/box/n-0000000003\n");

    // Elsewhere, where nothing is in the way.
    let report = to.run(&["import", "--json", "--to", "/copy", path]);
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["made"], 6, "{report}");
    assert_eq!(to.run(&["get", "/copy"]), "config\n");
    fs::remove_file(&file).unwrap();
}

#[test]
#[ignore = "needs a built server: cargo xtask test"]
fn what_happened_is_explained() {
    let line = Line::new();
    line.run(&["create", "--auth", "digest:ann:secret", "/e", "x"]);
    let said = line.run(&["explain", "/e"]);
    assert!(said.contains("/e is persistent"), "{said}");
    assert!(
        said.contains("last change: created") && said.ends_with("digest:ann\n"),
        "{said}"
    );
    line.run(&["setAcl", "/e", "world:anyone:cdrwa"]);
    assert!(
        line.run(&["explain", "/e"])
            .contains("access control list set")
    );
    line.run(&["set", "/e", "y"]);
    assert!(line.run(&["explain", "/e"]).contains("data set"));
    line.run(&["delete", "/e"]);
    let said = line.run(&["explain", "/e"]);
    assert!(
        said.contains("/e does not exist") && said.contains("deleted"),
        "{said}"
    );

    // Whose session it was has closed it since.
    let json = line.run(&["explain", "--json", "/e"]);
    let answer: Value = serde_json::from_str(&json).unwrap();
    let session = answer["ok"]["last"]["session"].as_str().unwrap();
    let said = line.run(&["explain", "--session", session]);
    assert!(said.contains("was closed by its client"), "{said}");
    let said = line.run(&["explain", "--session", "0x7777"]);
    assert!(said.contains("knows no more"), "{said}");
    line.fails(&["explain"], 2);
}

#[test]
#[ignore = "needs a built server: cargo xtask test"]
fn a_shell_keeps_its_session() {
    let line = Line::new();
    let (code, said, _) = line.shell(
        "version\n\
         # what follows is one session\n\
         create -e /mine 'two words'\n\
         getEphemerals\n\
         addauth digest ann:secret\n\
         whoami\n\
         addWatch /watched\n\
         create /watched x\n\
         removewatches /watched\n\
         set /watched y\n\
         history\n\
         redo 2\n\
         get /mine\n\
         close\n\
         connect\n\
         stat /watched\n\
         quit\n\
         create /never\n",
    );
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("Created /mine\n/mine\n"), "{said}");
    assert!(said.contains("digest: ann\n"), "{said}");
    assert!(said.contains("NodeCreated /watched"), "{said}");
    assert!(!said.contains("NodeDataChanged"), "{said}");
    assert!(
        said.contains("0 - version\n1 - create -e /mine 'two words'\n"),
        "{said}"
    );
    assert!(said.contains("two words\n"), "{said}");
    assert!(said.contains("dataVersion = 1"), "{said}");
    // The session has ended, and nothing was read behind quit.
    line.fails(&["get", "/mine"], 1);
    line.fails(&["get", "/never"], 1);

    let (code, said, complaints) = line.shell("gte /a\nget /none\nls /\n");
    assert_eq!(code, Some(1));
    assert_eq!(complaints.lines().count(), 2, "{complaints}");
    assert!(complaints.contains("did you mean 'get'?"), "{complaints}");
    assert!(said.contains("zookeeper"), "the shell goes on: {said}");
}

#[test]
#[ignore = "needs a built server: cargo xtask test"]
fn a_watch_tells_of_a_subtree_and_from_a_zxid_on() {
    let line = Line::new();
    line.run(&["create", "/w"]);
    let json = line.run(&["stat", "--json", "/w"]);
    let answer: Value = serde_json::from_str(&json).unwrap();
    let made = answer["ok"]["stat"]["czxid"].as_str().unwrap().to_owned();
    line.run(&["create", "/w/a"]);
    line.run(&["set", "/w/a", "x"]);
    line.run(&["delete", "/w/a"]);
    let said = line.run(&["watch", "-r", "--since", &made, "-n", "3", "/w"]);
    let said: Vec<&str> = said
        .lines()
        .filter_map(|line| line.split(" (").next())
        .collect();
    assert_eq!(
        said,
        [
            "NodeCreated /w/a",
            "NodeDataChanged /w/a",
            "NodeDeleted /w/a"
        ]
    );
    let said = line.run(&["watch", "--since", &made, "-n", "1", "/w"]);
    assert!(said.starts_with("NodeChildrenChanged /w "), "{said}");
}

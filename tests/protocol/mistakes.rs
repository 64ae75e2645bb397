//! What people type wrong at first: each mistake is named on standard error, with what to do instead, and with the exit
//! code of whose mistake it is. Nothing of it does any harm.

use std::fs;
use std::net::TcpListener;
use std::process::Command;

use otterkeeper_tests::process::{Cluster, binary, otterkeeper};

use super::shell;

/// Exit code and standard error.
fn says(args: &[&str]) -> (i32, String) {
    let output = otterkeeper(args);
    let complaint = String::from_utf8(output.stderr).expect("text");
    (output.status.code().expect("an exit code"), complaint)
}

fn check(args: &[&str], code: i32, part: &str) {
    let (was, complaint) = says(args);
    assert_eq!(was, code, "{args:?}: {complaint}");
    assert!(complaint.contains(part), "{args:?}: {complaint}");
}

#[test]
#[ignore = "needs a built server: cargo xtask test"]
fn at_a_cluster() {
    let cluster = Cluster::start(1);
    let member = cluster.member(0);
    let check = |line: &str, code: i32, part: &str| {
        let mut args = vec!["--server", &*member.http];
        args.extend(line.split_whitespace());
        check(&args, code, part);
    };
    check("create /a x", 0, "");
    // Whose fault it is may be the parent's.
    check("create /b/c x", 1, "/b does not exist");
    check("delete /b/c", 1, "/b/c does not exist");
    check("setAcl /a world:anyone:r", 0, "");
    check("create /a/b", 1, "/a does not permit this");
    check("delete /", 1, "/ is the servers' own, and stays");
    check(
        "delete /zookeeper/quota",
        1,
        "/zookeeper/quota is the servers' own",
    );

    // Variables that are set to nothing are not set.
    let mut ls = Command::new(binary());
    ls.args(["ls", "/", "--server", &member.http]);
    ls.env("OTTERKEEPER_AUTH", "");
    assert!(ls.output().expect("it starts").status.success());

    // What may not be seen hides nothing else.
    check("create /z x", 0, "");
    check("create /c x", 0, "");
    check("setAcl /c world:anyone:a", 0, "");
    let output = otterkeeper(&["ls", "-R", "/", "--server", &member.http]);
    let said = String::from_utf8(output.stdout).expect("text");
    let complaint = String::from_utf8(output.stderr).expect("text");
    assert!(said.contains("/c\n/z\n/zookeeper\n"), "{said}");
    assert_eq!(output.status.code(), Some(1), "{complaint}");
    assert!(complaint.contains("/c does not permit this"), "{complaint}");

    // The cluster's address.
    let http = format!("http://{}", member.http);
    for (server, code, part) in [
        (&*member.zk, 3, "is this its port for ZooKeeper's clients?"),
        (&http, 2, "expected HOST:PORT, as 127.0.0.1:8080"),
        ("a:1 b:1", 2, "expected HOST:PORT, as 127.0.0.1:8080"),
    ] {
        self::check(&["ls", "--server", server], code, part);
    }
}

#[test]
#[ignore = "needs a built server: cargo xtask test"]
fn in_a_shell() {
    let cluster = Cluster::start(1);
    let shell = |lines: &[u8]| shell(&cluster.member(0).http, lines);
    // A line that is no text takes none of the others with it.
    let (code, said, complaint) = shell(b"create /a x\ncreate /\xff\xfe y\nget /a\n");
    assert_eq!((code, &*said), (Some(1), "Created /a\nx\n"));
    assert!(complaint.contains("no UTF-8"), "{complaint}");

    let (code, said, complaint) = shell(b"close\nget /a\nconnect\nget /a\n");
    assert_eq!((code, &*said), (Some(1), "x\n"));
    assert!(complaint.contains("connect opens another"), "{complaint}");

    // What ZooKeeper's clients could not read is refused, and at once.
    let long = |bytes| [b"set /a ", &vec![b'x'; bytes][..], b"\nget /a\n"].concat();
    for bytes in [1_050_000, 3_000_000] {
        let (code, said, complaint) = shell(&long(bytes));
        assert_eq!((code, &*said), (Some(1), "x\n"), "{bytes}");
        assert!(complaint.contains("--request-bytes"), "{complaint}");
    }
    let (code, said, _) = shell(&long(1_048_000));
    assert_eq!((code, said.len()), (Some(0), 1_048_001));
}

#[test]
#[ignore = "needs a built server: cargo xtask test"]
fn of_a_server() {
    let name = format!("otterkeeper-mistakes-{}", std::process::id());
    let directory = std::env::temp_dir().join(name);
    let of_zookeeper = directory.join("zookeeper");
    fs::create_dir_all(of_zookeeper.join("version-2")).expect("a directory");
    let file = directory.join("file");
    fs::write(&file, "id = 'x'").expect("a file");
    let (directory_name, file_name) = (directory.to_str(), file.to_str());
    let data = directory_name.expect("its name is text").to_owned() + "/data";
    let of_zookeeper = of_zookeeper.to_str().expect("its name is text");
    let file_name = file_name.expect("its name is text");
    let taken = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    let taken = taken.local_addr().expect("it is bound").to_string();

    let check = |args: &[&str], code: i32, part: &str| {
        let free = ["serve", "--listen", "127.0.0.1:0", "--zk-listen", "off"];
        check(&[&free, args].concat(), code, part);
    };
    check(&[], 2, "--id is missing");
    check(&["--id", "1"], 2, "--data is missing");
    check(&["--config", "/none"], 2, "/none cannot be read");
    check(&["--config", file_name], 2, "makes no sense");
    let two = ["--peer", "1=ws://a:1", "--peer", "2=ws://a:1"];
    let two = [&["--id", "1", "--data", &data], &two[..]].concat();
    check(&two, 2, "a:1 for members 1 and 2");

    // Directories that are nobody's or somebody else's stay as they are.
    check(
        &["--id", "1", "--data", file_name],
        1,
        "it is a file, and must be a directory",
    );
    check(
        &["--id", "1", "--data", of_zookeeper],
        1,
        "it is not empty (version-2): name an empty directory",
    );
    let left = fs::read_dir(of_zookeeper).expect("it is there").count();
    assert_eq!(left, 1, "nothing was put there");
    let damaged = directory.join("damaged");
    fs::create_dir_all(&damaged).expect("a directory");
    fs::write(damaged.join("identity"), "{").expect("a file");
    let damaged = damaged.to_str().expect("its name is text");
    let part = "its file identity is damaged";
    check(&["--id", "1", "--data", damaged], 1, part);
    let port = ["serve", "--id", "1", "--data", &data, "--listen", &taken];
    self::check(&port, 1, "cannot be listened on");
    // What is left over is in the system's directory for such things.
    let _ = fs::remove_dir_all(&directory);
}

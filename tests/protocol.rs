//! The three ways in, against a real server process: ZooKeeper's bytes, the WebSocket, and the command
//! line. What operations mean is tested elsewhere; here it is what goes over the wire.

mod mistakes;
mod recipes;
mod terminal;
mod verbs;
mod websocket;

use core::time::Duration;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Output, Stdio};

use otterkeeper_tests::process::{Cluster, binary, otterkeeper, word};
use tokio_tungstenite::tungstenite::{self, Message};

#[test]
#[ignore = "needs a built server: cargo xtask test"]
fn zookeepers_bytes() {
    let cluster = Cluster::start(1);
    let zk = &cluster.member(0).zk;
    handshake(zk);
    every_reply(zk);
    sessions(zk);
    refusals(zk);
    words(zk);
}

/// A connection that speaks in hexadecimal digits.
struct Wire(TcpStream);

/// The first packet without the read-only byte: no session, 30 s.
const HELLO: &str = "0000002c 00000000 0000000000000000 00007530 0000000000000000 00000010 \
                     00000000000000000000000000000000";
const ZEROES: &str = "00000000000000000000000000000000";

impl Wire {
    fn open(zk: &str) -> Self {
        let stream = TcpStream::connect(zk).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        Self(stream)
    }

    /// With a session of its own.
    fn attach(zk: &str) -> Self {
        let mut wire = Self::open(zk);
        wire.send(HELLO);
        wire.frame();
        wire
    }

    fn send(&mut self, hex: &str) {
        let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        let byte = |pair: &[u8]| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16);
        let bytes: Vec<u8> = digits.chunks(2).map(|pair| byte(pair).unwrap()).collect();
        self.0.write_all(&bytes).unwrap();
    }

    /// The next frame without its length.
    fn frame(&mut self) -> String {
        let mut length = [0; 4];
        self.0.read_exact(&mut length).unwrap();
        let mut bytes = vec![0; u32::from_be_bytes(length) as usize];
        self.0.read_exact(&mut bytes).unwrap();
        hex(&bytes)
    }

    /// The next frame with its zxid blotted out: it depends on what went before.
    fn reply(&mut self) -> String {
        let frame = self.frame();
        format!("{}*{}", &frame[..8], &frame[24..])
    }

    fn ask(&mut self, hex: &str) -> String {
        self.send(hex);
        self.reply()
    }

    /// Whether the server closes, having said nothing more.
    fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        let end = self.0.read_to_end(&mut rest);
        // Bytes that the server did not want to read turn the end into a reset.
        let in_time = end.map_or_else(|error| error.kind() != io::ErrorKind::WouldBlock, |_| true);
        rest.is_empty() && in_time
    }
}

/// What a shell at a server says of these lines: exit code, standard output and standard error.
fn shell(server: &str, lines: &[u8]) -> (Option<i32>, String, String) {
    let child = Command::new(binary())
        .args(["shell", "--server", server])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.expect("the shell starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(lines).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn check(got: &str, expected: &str) {
    assert_eq!(got, expected.replace(' ', ""));
}

/// The read-only byte comes back exactly if it was sent.
fn handshake(zk: &str) {
    let mut short = Wire::open(zk);
    short.send(HELLO);
    assert_eq!(short.frame().len(), 36 * 2);
    let mut long = Wire::open(zk);
    long.send(&(HELLO.replacen("2c", "2d", 1) + "00"));
    let frame = long.frame();
    assert_eq!(frame.len(), 37 * 2);
    check(&frame[..16], "00000000 00007530");
    assert!(frame.ends_with("00"));
    // Timeouts are brought within bounds: 1 ms becomes 4 s.
    let mut hasty = Wire::open(zk);
    hasty.send(&HELLO.replacen("00007530", "00000001", 1));
    check(&hasty.frame()[..16], "00000000 00000fa0");
}

const CREATE_A: &str = "00000033 00000001 00000001 00000002 2f61 00000002 6869 00000001 0000001f \
                        00000005 776f726c64 00000006 616e796f6e65 00000000";

fn every_reply(zk: &str) {
    let mut wire = Wire::attach(zk);
    check(&wire.ask(CREATE_A), "00000001 * 00000000 00000002 2f61");
    check(&wire.ask(CREATE_A), "00000001 * ffffff92");
    check(
        &wire.ask("00000008 fffffffe 0000000b"),
        "fffffffe * 00000000",
    );
    // getData with a watch: data, then 68 bytes of Stat.
    let data = wire.ask("0000000f 00000002 00000004 00000002 2f61 01");
    assert!(data.starts_with("00000002*00000000000000026869"), "{data}");
    assert_eq!(data.len(), 29 + 68 * 2);
    // NoNode is a header alone.
    check(
        &wire.ask("0000000f 00000003 00000004 00000002 2f62 00"),
        "00000003 * ffffff9b",
    );
    // A failed multi is a success with errors in it.
    check(
        &wire.ask(
            "0000003d 00000004 0000000e  0000000d 00 ffffffff 00000002 2f61 00000007  \
             00000005 00 ffffffff 00000002 2f61 00000002 796f ffffffff  ffffffff 01 ffffffff",
        ),
        "00000004 * 00000000  ffffffff 00 ffffff99 ffffff99  ffffffff 00 fffffffe fffffffe  \
         ffffffff 01 ffffffff",
    );
    // The watch tells its owner before the answer to the change does.
    wire.send("00000018 00000005 00000005 00000002 2f61 00000002 796f ffffffff");
    let event = wire.frame();
    check(&event[32..], "00000003 00000003 00000002 2f61");
    check(&event[..8], "ffffffff");
    check(&wire.reply()[..17], "00000005 * 00000000");
    // Requests that are sent together are answered in order, whatever they are; numbers may repeat.
    wire.send("00000008 80000000 0000000b");
    wire.send("0000000e 80000000 00000005 00000002 2f61"); // ends early
    wire.send("00000014 7fffffff 00000002 00000004 2f6e6f6e 00000000");
    wire.send("0000000e 7fffffff 00000009 00000002 2f61");
    check(&wire.reply(), "fffffffe * 00000000");
    check(&wire.reply(), "80000000 * fffffffb");
    check(&wire.reply(), "7fffffff * ffffff9b");
    check(&wire.reply(), "7fffffff * 00000000 00000002 2f61");
    check(
        &wire.ask("00000008 00000006 fffffff5"),
        "00000006 * 00000000",
    );
    assert!(wire.is_closed());
}

fn sessions(zk: &str) {
    let mut first = Wire::open(zk);
    first.send(HELLO);
    let opened = first.frame();
    let (session, password) = (&opened[16..32], &opened[40..72]);
    let back = |session: &str, password: &str| {
        let mut wire = Wire::open(zk);
        wire.send(&format!(
            "0000002d 00000000 0000000000000000 00007530 {session} 00000010 {password} 00"
        ));
        wire
    };
    // A wrong password gets "expired" and does no harm.
    let mut thief = back(session, ZEROES);
    check(
        &thief.frame(),
        &format!("00000000 00000000 0000000000000000 00000010 {ZEROES} 00"),
    );
    assert!(thief.is_closed());
    check(
        &first.ask("00000008 fffffffe 0000000b"),
        "fffffffe * 00000000",
    );
    // The right one moves the session; the older connection is closed.
    let mut second = back(session, password);
    check(
        &second.frame()[16..72],
        &format!("{session} 00000010 {password}"),
    );
    assert!(first.is_closed());
    // A session that was closed has ended for good.
    check(
        &second.ask("00000008 00000006 fffffff5"),
        "00000006 * 00000000",
    );
    assert_eq!(&back(session, password).frame()[16..32], "0000000000000000");
    // A client that has seen more than this server is sent away without a word.
    let mut ahead = Wire::open(zk);
    ahead.send(&HELLO.replacen("0000000000000000", "00000000ffffffff", 1));
    assert!(ahead.is_closed());
}

fn refusals(zk: &str) {
    let closes = |bytes: &str, answer: &str| {
        let mut wire = Wire::attach(zk);
        check(&wire.ask(bytes), answer);
        assert!(wire.is_closed(), "{bytes}");
    };
    closes("00000008 00000007 000000c8", "00000007 * fffffffa");
    closes("00000008 00000007 0000000d", "00000007 * fffffffa");
    closes(
        "0000001f fffffffc 00000064 00000000 00000005 776f726c64 00000006 616e796f6e65",
        "fffffffc * ffffff8d",
    );
    // A packet beyond the limit, a negative length, a packet without a header: closed without a word.
    for bytes in ["001e8480 00000001", "80000000", "00000004 00000001"] {
        let mut wire = Wire::attach(zk);
        wire.send(bytes);
        assert!(wire.is_closed(), "{bytes}");
    }
    // A znode that everybody may read and nobody may change.
    let mut wire = Wire::attach(zk);
    let read_only = CREATE_A
        .replace("0000001f", "00000001")
        .replacen("2f61", "2f7a", 1);
    check(&wire.ask(&read_only), "00000001 * 00000000 00000002 2f7a");
    check(
        &wire.ask("00000016 00000002 00000005 00000002 2f7a ffffffff ffffffff"),
        "00000002 * ffffff9a",
    );
}

fn words(zk: &str) {
    // Not one of the harmless ones.
    for one in ["conf", "dump", "wchc", "crst"] {
        let refused = format!("{one} is not executed because it is not in the whitelist.\n");
        assert_eq!(word(zk, one), refused);
    }
    assert_eq!(word(zk, "ruok"), "imok");
    assert_eq!(word(zk, "isro"), "rw");
    assert_eq!(
        word(zk, "cons"),
        "cons is not executed because it is not in the whitelist.\n"
    );
    let server = word(zk, "srvr");
    assert!(
        server.starts_with("Zookeeper version: 3.9.5-otterkeeper-"),
        "{server}"
    );
    assert!(server.contains("\nMode: standalone\n"), "{server}");
    assert!(word(zk, "mntr").contains("\nzk_server_state\tstandalone\n"));
}

#[test]
#[ignore = "needs a built server: cargo xtask test"]
fn a_websocket_of_json() {
    let cluster = Cluster::start(1);
    let url = format!("ws://{}/ws", cluster.member(0).http);
    let (mut socket, _) = tungstenite::connect(&url).unwrap();
    let mut ask = |text: &str| {
        socket.send(Message::text(text)).unwrap();
        socket.read().unwrap().into_text().unwrap().to_string()
    };
    let opened = ask(r#"{"id": 1, "op": "connect", "timeout_ms": 10000}"#);
    assert!(
        opened.starts_with(r#"{"id":1,"ok":{"#) && opened.contains("password"),
        "{opened}"
    );
    let made = ask(r#"{"id": 2, "op": "create", "path": "/a", "data": {"text": "hi"}}"#);
    assert!(made.contains(r#""path":"/a""#), "{made}");
    let read = ask(r#"{"id": 3, "op": "get", "path": "/a", "watch": true}"#);
    assert!(read.contains(r#""text":"hi""#), "{read}");
    // The event comes before the answer to the change.
    let event = ask(r#"{"id": 4, "op": "set", "path": "/a", "data": {"base64": "AP8="}}"#);
    assert!(event.contains(r#""event":"node_data_changed""#), "{event}");
    // What is wrong is said, and the connection goes on.
    let answers = ["not json", r#"{"id": 5}"#, r#"{"id": 6, "op": "fly"}"#].map(&mut ask);
    assert!(answers[0].contains(r#""id":4"#), "{}", answers[0]);
    assert!(answers[1].contains("BAD_REQUEST"), "{}", answers[1]);
    assert!(answers[2].contains(r#""id":5"#), "{}", answers[2]);
    let last = ask(r#"{"id": 7, "op": "get", "path": "/none"}"#);
    assert!(last.contains(r#""id":6,"error":"BAD_REQUEST""#), "{last}");
    // Text and binary frames do not mix.
    socket.send(Message::binary(vec![1, 2, 3])).unwrap();
    assert!(
        socket
            .read()
            .unwrap()
            .into_text()
            .unwrap()
            .contains("NO_NODE")
    );
    assert!(!matches!(
        socket.read(),
        Ok(Message::Text(_) | Message::Binary(_))
    ));
}

/// One line on standard error and nothing else, with this exit code.
fn fails(args: &[&str], code: i32, line: &str) {
    let Output {
        status,
        stdout,
        stderr,
    } = otterkeeper(args);
    let stderr = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(code), "{args:?}: {stderr}");
    assert_eq!(stderr.lines().count(), 1, "{args:?}: {stderr}");
    assert!(
        stderr.starts_with("otterkeeper: ") && stderr.contains(line),
        "{args:?}: {stderr}"
    );
    assert!(stdout.is_empty(), "{args:?}");
}

#[test]
#[ignore = "needs a built server: cargo xtask test"]
fn wrong_arguments_get_one_line() {
    fails(&["frob"], 2, "unrecognized subcommand 'frob'");
    fails(&["get"], 2, "required arguments were not provided: <PATH>");
    fails(&["get", "/a", "--frob"], 2, "unexpected argument '--frob'");
    fails(&["get", "a"], 2, "a path starts with /");
    fails(&["get", "/a//b"], 2, "a path starts with /");
    fails(&["delete", "/a", "-v", "x"], 2, "invalid value 'x'");
    fails(
        &["get", "/a", "--server", "nowhere"],
        2,
        "expected HOST:PORT",
    );
    fails(
        &["get", "/a", "--server", "127.0.0.1:1"],
        3,
        "no server can be reached (127.0.0.1:1: ",
    );
    fails(
        &["cluster", "status", "--server", "127.0.0.1:1"],
        3,
        "no member can be reached",
    );
    fails(&["replay", "/none"], 1, "/none cannot be read");
    fails(&["sim", "--profile", "frob"], 2, "possible values: mixed");
}

#[test]
#[ignore = "needs a built server: cargo xtask test"]
fn the_command_line_talks_to_a_cluster() {
    let cluster = Cluster::start(1);
    // The first of these is not there; the second is tried next.
    let servers = format!("127.0.0.1:1,{}", cluster.member(0).http);
    let run = |args: &[&str]| {
        let Output {
            status,
            stdout,
            stderr,
        } = otterkeeper(&[args, &["--server", &servers]].concat());
        let stderr = String::from_utf8(stderr).unwrap();
        assert!(status.success(), "{args:?}: {stderr}");
        String::from_utf8(stdout).unwrap()
    };
    assert_eq!(run(&["create", "/a", "hi"]), "Created /a\n");
    assert_eq!(
        run(&["create", "-s", "/a/b-", "x"]),
        "Created /a/b-0000000000\n"
    );
    assert_eq!(run(&["get", "/a"]), "hi\n");
    assert_eq!(run(&["get", "--raw", "/a"]), "hi");
    assert!(run(&["set", "-s", "-v", "0", "/a", "ho"]).contains("\ndataVersion = 1\n"));
    assert_eq!(run(&["ls", "/"]), "a\nzookeeper\n");
    assert!(run(&["ls", "-R", "/"]).starts_with("/\n/a\n/a/b-0000000000\n/zookeeper\n"));
    assert!(run(&["stat", "/a"]).contains("numChildren = 1\n"));
    assert!(run(&["get", "/a", "--json"]).starts_with(r#"{"id":1,"ok":{"#));
    let http = cluster.member(0).http.as_str();
    let status = otterkeeper(&["cluster", "status", "--server", http]);
    assert!(status.status.success(), "{status:?}");
    assert!(String::from_utf8_lossy(&status.stdout).contains("leader"));
    run(&["sync"]);
    let failing =
        |args: &[&str], line: &str| fails(&[args, &["--server", &servers]].concat(), 1, line);
    failing(&["create", "/a"], "/a exists already");
    failing(&["get", "/b"], "/b does not exist");
    failing(&["delete", "/a"], "/a has children");
    failing(&["set", "-v", "7", "/a", "x"], "/a has another version");
    run(&["delete", "/a/b-0000000000"]);
    run(&["delete", "/a"]);
    assert_eq!(run(&["ls"]), "zookeeper\n");
}

//! `native/WEBSOCKET.md` against a real server: every example on the page is run on a cluster of its own and
//! must be answered as it says there, and everything that the code can say in JSON must be named on it.
//! `OTTERKEEPER_REWRITE=1` writes the answers anew.

use core::fmt::Write as _;
use core::time::Duration;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Instant;

use otterkeeper_core::request::Error;
use otterkeeper_core::wire::json;
use otterkeeper_tests::process::Cluster;
use serde_json::Value;
use tokio_tungstenite::tungstenite::stream::MaybeTlsStream;
use tokio_tungstenite::tungstenite::{self, Message, WebSocket};

/// An answer that takes longer than this does not come.
const PATIENCE: Duration = Duration::from_secs(20);
/// When nothing has come for so long, nothing more is on its way.
const QUIET: Duration = Duration::from_millis(100);
/// What stands on the page for each time.
const MOMENT: u64 = 1_800_000_000_000;

/// A line of an example that is sent, and those that come of it, each with its connection.
#[derive(PartialEq, Eq, Debug)]
struct Exchange {
    sent: (u32, String),
    answers: Vec<(u32, String)>,
}

#[test]
#[ignore = "needs a built server: cargo xtask test"]
fn every_example_of_the_page_is_true() {
    let page = fs::read_to_string(page()).unwrap();
    let (mut examples, mut wrong, mut written) = (0, String::new(), String::new());
    let mut rest = &*page;
    while let Some((before, behind)) = rest.split_once("```json\n") {
        let (text, behind) = behind.split_once("```\n").expect("an example ends");
        let said = exchanges(text);
        assert!(!said.is_empty(), "an example asks nothing:\n{text}");
        examples += 1;
        let heard = run(&said);
        for (said, heard) in said
            .iter()
            .zip(&heard)
            .filter(|(said, heard)| said != heard)
        {
            write!(
                wrong,
                "\non the page:\n{}from the server:\n{}",
                show(said),
                show(heard)
            )
            .unwrap();
        }
        let heard: String = heard.iter().map(show).collect();
        write!(written, "{before}```json\n{heard}```\n").unwrap();
        rest = behind;
    }
    written.push_str(rest);
    assert!(examples > 10, "only {examples} examples were found");
    if std::env::var_os("OTTERKEEPER_REWRITE").is_some() {
        fs::write(self::page(), written).unwrap();
    } else {
        assert!(
            wrong.is_empty(),
            "OTTERKEEPER_REWRITE=1 writes it anew:{wrong}"
        );
    }
}

#[test]
fn everything_that_is_said_in_json_is_on_the_page() {
    let page = fs::read_to_string(page()).unwrap();
    // The code itself lists what it knows when it is told something that it does not.
    let refused = |text: &str| json::decode_request(text).unwrap_err().message;
    let strange = |text: &str| json::decode_server(text).unwrap_err().message;
    let lists = [
        ("operation", refused(r#"{"op": "?"}"#)),
        ("field", refused(r#"{"?": 1}"#)),
        ("mode", refused(r#"{"mode": "?"}"#)),
        ("kind of watch", refused(r#"{"kind": "?"}"#)),
        ("consistency", refused(r#"{"read": "?"}"#)),
        ("event", strange(r#"{"event": "?"}"#)),
        ("reason", strange(r#"{"bye": "?"}"#)),
        (
            "type of answer",
            strange(r#"{"id": 1, "ok": {"type": "?"}}"#),
        ),
    ];
    for (what, message) in lists {
        let names: Vec<&str> = message.split('`').skip(1).step_by(2).skip(1).collect();
        assert!(names.len() > 1, "no list of each {what}: {message}");
        for name in names {
            assert!(
                page.contains(&format!("`{name}`")),
                "{what} {name} is not on the page"
            );
        }
    }
    let errors = Error::ALL.iter().map(|error| error.name());
    for name in errors.chain(["BAD_REQUEST"]) {
        let row = format!("\n| `{name}` |");
        assert!(
            page.contains(&row),
            "error {name} is not in the page's table"
        );
    }
}

fn page() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../native/WEBSOCKET.md")
}

/// What an example says: `2> {..}` is sent on connection 2, `< {..}` comes on the one without a number.
fn exchanges(text: &str) -> Vec<Exchange> {
    let mut found: Vec<Exchange> = Vec::new();
    for line in text.lines() {
        let (mark, text) = line.split_once(' ').expect("a mark and a text");
        let (conn, sign) = mark.split_at(mark.len() - 1);
        let conn = conn.parse().unwrap_or(0);
        match (sign, found.last_mut()) {
            (">", _) => found.push(Exchange {
                sent: (conn, text.to_owned()),
                answers: Vec::new(),
            }),
            ("<", Some(last)) => last.answers.push((conn, text.to_owned())),
            _ => panic!("neither sent nor heard: {line}"),
        }
    }
    found
}

fn show(exchange: &Exchange) -> String {
    let Exchange { sent, answers } = exchange;
    let mut text = String::new();
    let number = |conn: &u32| match conn {
        0 => String::new(),
        _ => conn.to_string(),
    };
    writeln!(text, "{}> {}", number(&sent.0), sent.1).unwrap();
    for (conn, answer) in answers {
        writeln!(text, "{}< {answer}", number(conn)).unwrap();
    }
    text
}

type Socket = WebSocket<MaybeTlsStream<TcpStream>>;

/// An example on a fresh server.
struct Run {
    cluster: Cluster,
    sockets: BTreeMap<u32, Socket>,
    /// The real passwords, and what stands for each on the page.
    passwords: Vec<(String, String)>,
}

/// Says all of it again, and gives back what came.
fn run(said: &[Exchange]) -> Vec<Exchange> {
    let mut run = Run {
        cluster: Cluster::start(1),
        sockets: BTreeMap::new(),
        passwords: Vec::new(),
    };
    let again = |Exchange { sent, answers }: &Exchange| {
        run.send(sent);
        Exchange {
            sent: sent.clone(),
            answers: run.hear(answers.len()),
        }
    };
    said.iter().map(again).collect()
}

impl Run {
    fn send(&mut self, (conn, text): &(u32, String)) {
        let http = &self.cluster.member(0).http;
        let socket = self.sockets.entry(*conn).or_insert_with(|| {
            let (socket, _) = tungstenite::connect(format!("ws://{http}/ws")).unwrap();
            let MaybeTlsStream::Plain(stream) = socket.get_ref() else {
                panic!("there is no TLS here");
            };
            stream.set_read_timeout(Some(QUIET)).unwrap();
            socket
        });
        let mut text = text.clone();
        for (real, shown) in &self.passwords {
            text = text.replace(shown, real);
        }
        socket.send(Message::text(text)).unwrap();
    }

    /// At least so many lines, and what comes right behind them; by connection, since nothing says which of
    /// two connections is told first.
    fn hear(&mut self, count: usize) -> Vec<(u32, String)> {
        let until = Instant::now() + PATIENCE;
        let mut heard = Vec::new();
        loop {
            let before = heard.len();
            let conns: Vec<u32> = self.sockets.keys().copied().collect();
            for conn in conns {
                while let Some(text) = self.next(conn) {
                    heard.push((conn, text));
                }
            }
            let enough = count.max(1) <= heard.len() || until < Instant::now();
            if enough && heard.len() == before {
                heard.sort_by_key(|(conn, _)| *conn);
                return heard;
            }
        }
    }

    /// The next line on a connection, as the page would show it; nothing when it is quiet or closed.
    fn next(&mut self, conn: u32) -> Option<String> {
        let socket = self.sockets.get_mut(&conn)?;
        match socket.read() {
            Ok(Message::Text(text)) => Some(self.shown(&text)),
            Ok(_) => self.next(conn),
            Err(tungstenite::Error::Io(error))
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                ) =>
            {
                None
            }
            Err(_) => {
                self.sockets.remove(&conn);
                None
            }
        }
    }

    /// Times and passwords are other ones each time.
    fn shown(&mut self, text: &str) -> String {
        let mut shown = text.to_owned();
        let answer: Value = serde_json::from_str(text).expect("the server speaks JSON");
        if let Some(real) = answer["ok"]["password"].as_str() {
            let known = self.passwords.iter().any(|(known, _)| known == real);
            if !known {
                let number = self.passwords.len() + 1;
                let name = format!("PASSWORDPASSWORDPASS{number}A==");
                self.passwords.push((real.to_owned(), name));
            }
        }
        for (real, name) in &self.passwords {
            shown = shown.replace(real, name);
        }
        for key in ["ctime_ms", "mtime_ms", "at_ms"] {
            shown = with_moment(&shown, key);
        }
        shown
    }
}

/// Every number under this key becomes the page's, except 0, which says that there was none.
fn with_moment(text: &str, key: &str) -> String {
    let key = format!("\"{key}\":");
    let mut parts = text.split(&key);
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(part.len());
        let moment = match &part[..digits] {
            "0" => 0,
            _ => MOMENT,
        };
        write!(shown, "{key}{moment}{}", &part[digits..]).unwrap();
    }
    shown
}

//! A server whose disk stands still takes so many bytes of writes and no more: who comes then is told that it
//! is busy, in ZooKeeper's protocol and in JSON, and succeeds once the disk moves again (raft.md 2.7.3). The
//! server is the real one but for its disk, which reports nothing while it is held.

use core::cell::OnceCell;
use core::convert::Infallible;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::time::Duration;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use otterkeeper::driver::{Clock, Driver, Network, Signals, Storage};
use otterkeeper::http::{self, Site};
use otterkeeper::identity::DataDir;
use otterkeeper::peer::Peers;
use otterkeeper::zk;
use otterkeeper_core::config::Config;
use otterkeeper_core::configuration::Configuration;
use otterkeeper_core::id::{NodeId, SaveId, WriteId};
use otterkeeper_core::message::Message as PeerMessage;
use otterkeeper_core::node::{Boot, Node, Records, SavePart};
use otterkeeper_core::time::Span;
use otterkeeper_tests::process;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::LocalRuntime;
use tokio::sync::oneshot;
use tokio::task::spawn_local;
use tokio_tungstenite::tungstenite::stream::MaybeTlsStream;
use tokio_tungstenite::tungstenite::{self, Message, WebSocket};

/// Bytes of writes that the leader puts into its log uncommitted, and that its clients may have waiting.
const UNCOMMITTED: u64 = 2_000;
const PENDING: u64 = 4_000;
/// Bytes of one write's data.
const DATA: usize = 200;
/// Writes that are more than fit.
const WRITES: usize = 30;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn who_comes_to_a_busy_server_is_told_so_and_succeeds_later() {
    let server = Server::start();
    let mut many = Zk::open(&server.zk);
    let mut zk = Zk::open(&server.zk);
    let mut json = Json::open(&server.http);
    assert_eq!(zk.create("/zk", 0), OK);
    assert_eq!(json.create("/json", 0)["error"], Value::Null);

    server.disk.held.store(true, Ordering::SeqCst);
    for write in 0..WRITES {
        many.send_create(&format!("/many-{write}"), DATA);
    }
    // One connection's requests are answered in order, and the first of them waits: the others come now.
    eventually(|| PENDING < server.held().pending + 2 * DATA as u64);
    let held = server.held();
    let limits = (UNCOMMITTED / 2..=UNCOMMITTED, PENDING / 2..=PENDING);
    assert!(
        limits.0.contains(&held.uncommitted),
        "{} uncommitted",
        held.uncommitted
    );
    assert!(limits.1.contains(&held.pending), "{} pending", held.pending);
    for write in 0..3 {
        assert_eq!(zk.create(&format!("/zk-{write}"), 2 * DATA), THROTTLED_OP);
        let answer = json.create(&format!("/json-{write}"), 2 * DATA);
        assert_eq!(answer["error"], "THROTTLED_OP", "{answer}");
    }
    assert_eq!(
        server.held().pending,
        held.pending,
        "what is refused is not kept"
    );

    server.disk.release();
    let answers: Vec<i32> = (0..WRITES).map(|_| many.answer()).collect();
    let taken = answers.partition_point(|answer| *answer == OK);
    assert!(
        answers[taken..]
            .iter()
            .all(|answer| *answer == THROTTLED_OP),
        "{answers:?}"
    );
    let most = PENDING as usize / DATA;
    assert!((most / 2..most).contains(&taken), "{taken} were taken");
    eventually(|| server.held().pending == 0);
    assert_eq!(zk.create("/zk-0", 2 * DATA), OK);
    assert_eq!(json.create("/json-0", 2 * DATA)["ok"]["path"], "/json-0");
}

/// What the node holds of its clients' writes.
#[derive(Clone, Copy)]
struct Held {
    uncommitted: u64,
    pending: u64,
}

/// The only member of its cluster, on a thread of its own.
struct Server {
    zk: String,
    http: String,
    disk: Arc<Disk>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    directory: PathBuf,
}

impl Server {
    fn start() -> Self {
        let name = format!("otterkeeper-busy-{}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        let disk = Arc::<Disk>::default();
        let (path, lane) = (directory.clone(), Arc::clone(&disk));
        let (stop, stopped) = oneshot::channel();
        let (ports, bound) = mpsc::channel();
        let thread = thread::spawn(move || {
            let runtime = LocalRuntime::new().expect("a runtime");
            runtime.block_on(async {
                let http = TcpListener::bind("127.0.0.1:0").await.expect("a port");
                let zk = TcpListener::bind("127.0.0.1:0").await.expect("a port");
                let address = |listener: &TcpListener| {
                    let address = listener.local_addr().expect("it is bound");
                    address.to_string()
                };
                let at = (address(&zk), address(&http));
                let driver = assemble(&path, lane, zk, http);
                ports.send(at).expect("somebody waits");
                tokio::select! {
                    ended = driver => panic!("{ended:?}"),
                    _ = stopped => {}
                }
            });
        });
        let (zk, http) = bound.recv().expect("it starts");
        let server = Self {
            zk,
            http,
            disk,
            stop: Some(stop),
            thread: Some(thread),
            directory,
        };
        let is_ready = || process::http(&server.http, "GET", "/readyz");
        eventually(|| is_ready().is_some_and(|(status, _)| status == 200));
        server
    }

    fn held(&self) -> Held {
        let (_, text) = process::http(&self.http, "GET", "/metrics").expect("metrics");
        let gauge = |name: &str| {
            let prefix = format!("otterkeeper_{name} ");
            let line = text.lines().find_map(|line| line.strip_prefix(&prefix));
            line.expect(name).parse().expect("a number")
        };
        Held {
            uncommitted: gauge("uncommitted_bytes"),
            pending: gauge("pending_bytes"),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.stop.take().map(|stop| stop.send(()));
        let _ = self.thread.take().map(JoinHandle::join);
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// A server as `otterkeeper serve` puts it together, with this disk.
async fn assemble(
    path: &Path,
    disk: Arc<Disk>,
    zk: TcpListener,
    http: TcpListener,
) -> Result<Infallible, String> {
    let id = NodeId(1);
    let config = Config {
        uncommitted_bytes: UNCOMMITTED,
        pending_bytes: PENDING,
        // It is to be busy, and not to step down.
        disk_stall_limit: Span::from_ms(600_000),
        ..Config::new(id, vec![id])
    };
    let request_bytes = config.request_bytes;
    let clock = Clock::start();
    let node = Node::boot(config, Boot::default(), [7; 32], clock.now()).expect("an empty disk");
    let lane = Lane {
        disk: Arc::clone(&disk),
        reported: WriteId(0),
    };
    let signals = Arc::clone(&disk.signals);
    let (driver, hub) = Driver::new(node, clock, 100, signals, lane, Nobody);
    let data = DataDir::lock(path).expect("a directory of its own");
    let identity = data.identity(id).expect("an identity");
    let site = Rc::new(Site {
        peers: Peers::new(identity, data, &BTreeMap::new(), false, String::new()),
        host_names: Vec::new(),
        request_bytes,
        hub: OnceCell::from(hub.clone()),
    });
    spawn_local(http::serve(http, site));
    let (words, conf, users) = Default::default();
    spawn_local(zk::serve(zk, hub, request_bytes, words, conf, users));
    driver.run().await
}

/// A disk that reports what is written at once, unless it is held.
#[derive(Default)]
struct Disk {
    held: AtomicBool,
    last: AtomicU64,
    signals: Arc<Signals>,
}

impl Disk {
    fn release(&self) {
        self.held.store(false, Ordering::SeqCst);
        self.signals
            .written(WriteId(self.last.load(Ordering::SeqCst)));
    }
}

/// The driver's end of it.
struct Lane {
    disk: Arc<Disk>,
    reported: WriteId,
}

impl Storage for Lane {
    fn write(&mut self, id: WriteId, _: Records) {
        self.disk.last.store(id.0, Ordering::SeqCst);
    }

    fn save(&mut self, id: SaveId, _: SavePart) {
        self.disk.signals.saved(id);
    }

    fn flush(&mut self) {
        let last = WriteId(self.disk.last.load(Ordering::SeqCst));
        if self.reported < last && !self.disk.held.load(Ordering::SeqCst) {
            self.reported = last;
            self.disk.signals.written(last);
        }
    }
}

/// There are no other members.
struct Nobody;

impl Network for Nobody {
    fn send(&mut self, _: NodeId, _: &PeerMessage) -> bool {
        false
    }

    fn flush(&mut self) {}

    fn configured(&mut self, _: &Configuration) {}
}

/// `KeeperException` codes.
const OK: i32 = 0;
const THROTTLED_OP: i32 = -127;

/// A client of ZooKeeper's protocol, with a session.
struct Zk(TcpStream);

impl Zk {
    fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).expect("it listens");
        let limit = Some(PATIENCE);
        stream.set_read_timeout(limit).expect("it can be set");
        let mut zk = Self(stream);
        // Version, last zxid, 30 s, no session, a password of zeroes.
        let mut hello = vec![0; 12];
        hello.extend(30_000_i32.to_be_bytes());
        hello.extend([0; 8]);
        hello.extend(16_i32.to_be_bytes());
        hello.extend([0; 16]);
        zk.send(&hello);
        zk.frame();
        zk
    }

    fn send(&mut self, packet: &[u8]) {
        let mut frame = (packet.len() as u32).to_be_bytes().to_vec();
        frame.extend(packet);
        self.0.write_all(&frame).expect("it listens");
    }

    fn frame(&mut self) -> Vec<u8> {
        let mut length = [0; 4];
        self.0.read_exact(&mut length).expect("an answer");
        let mut packet = vec![0; u32::from_be_bytes(length) as usize];
        self.0.read_exact(&mut packet).expect("all of it");
        packet
    }

    fn send_create(&mut self, path: &str, bytes: usize) {
        let mut packet = [1_i32, 1].map(i32::to_be_bytes).concat();
        let mut put = |bytes: &[u8]| {
            packet.extend((bytes.len() as i32).to_be_bytes());
            packet.extend(bytes);
        };
        put(path.as_bytes());
        put(&vec![b'x'; bytes]);
        // One entry of the list: everything, for world:anyone. Then the mode: persistent.
        packet.extend([1_i32, 31].map(i32::to_be_bytes).concat());
        for word in ["world", "anyone"] {
            packet.extend((word.len() as i32).to_be_bytes());
            packet.extend(word.as_bytes());
        }
        packet.extend(0_i32.to_be_bytes());
        self.send(&packet);
    }

    /// The error code of the next answer.
    fn answer(&mut self) -> i32 {
        let packet = self.frame();
        i32::from_be_bytes(packet[12..16].try_into().expect("a header"))
    }

    fn create(&mut self, path: &str, bytes: usize) -> i32 {
        self.send_create(path, bytes);
        self.answer()
    }
}

/// A client that speaks JSON, with a session.
struct Json {
    socket: WebSocket<MaybeTlsStream<TcpStream>>,
    id: u64,
}

impl Json {
    fn open(address: &str) -> Self {
        let url = format!("ws://{address}/ws");
        let (socket, _) = tungstenite::connect(url).expect("it listens");
        let mut json = Self { socket, id: 0 };
        let session = json.ask(json!({ "op": "connect", "timeout_ms": 30_000 }));
        assert!(session["ok"].is_object(), "{session}");
        json
    }

    fn ask(&mut self, mut request: Value) -> Value {
        self.id += 1;
        request["id"] = self.id.into();
        let frame = Message::text(request.to_string());
        self.socket.send(frame).expect("it listens");
        loop {
            if let Message::Text(text) = self.socket.read().expect("an answer") {
                let answer: Value = serde_json::from_str(&text).expect("JSON");
                assert_eq!(answer["id"], self.id, "{answer}");
                return answer;
            }
        }
    }

    fn create(&mut self, path: &str, bytes: usize) -> Value {
        let text = "x".repeat(bytes);
        self.ask(json!({ "op": "create", "path": path, "data": { "text": text } }))
    }
}

fn eventually(mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < until, "it does not come to that");
        thread::sleep(Duration::from_millis(5));
    }
}

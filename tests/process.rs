//! Real server processes for tests: one member or several on loopback, each with a data directory that
//! goes away with it. The binary is the one that `OTTERKEEPER_BIN` names; without it, one is built, so
//! that it is of this very tree and has no planted bugs in it.

use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::Instant;

/// How long a cluster may take to serve; a loaded machine is slow.
const PATIENCE: Duration = Duration::from_secs(60);

/// The server's binary.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(binary) = std::env::var_os("OTTERKEEPER_BIN") {
            return binary.into();
        }
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let args = [
            "build",
            "--quiet",
            "--package",
            "otterkeeper",
            "--bin",
            "otterkeeper",
        ];
        let built = Command::new(cargo).args(args).status();
        assert!(
            built.is_ok_and(|status| status.success()),
            "the server does not build"
        );
        // This test lies in target/PROFILE/deps.
        let test = std::env::current_exe().expect("a test knows where it lies");
        let target = test.ancestors().nth(3).expect("target/PROFILE/deps/test");
        target.join("debug").join("otterkeeper")
    })
}

/// A running cluster. Its processes end and its directory goes when it is dropped.
pub struct Cluster {
    members: Vec<Member>,
    /// What the first members are told of each other.
    peers: Vec<String>,
    /// What every member is told besides.
    flags: Vec<String>,
    directory: PathBuf,
}

/// One member, running or not.
pub struct Member {
    number: usize,
    process: Option<Child>,
    /// It waits to be added, and is not told of the others.
    joins: bool,
    /// HOST:PORT of its HTTP port.
    pub http: String,
    /// HOST:PORT of its ZooKeeper port.
    pub zk: String,
}

impl Cluster {
    /// Starts `members` members and waits until each of them serves.
    #[must_use]
    pub fn start(members: usize) -> Self {
        Self::start_with(members, &[])
    }

    /// The same with these flags for each of them.
    #[must_use]
    pub fn start_with(members: usize, flags: &[&str]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("otterkeeper-test-{}-{count}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        let ports = free_ports(members * 2);
        let member = |number: usize| Member {
            number,
            process: None,
            joins: false,
            http: format!("127.0.0.1:{}", ports[number * 2]),
            zk: format!("127.0.0.1:{}", ports[number * 2 + 1]),
        };
        let members: Vec<Member> = (0..members).map(member).collect();
        let peer = |member: &Member| format!("--peer={}=ws://{}", member.number + 1, member.http);
        let peers = members.iter().map(peer).collect();
        let mut cluster = Self {
            members,
            peers,
            flags: flags.iter().map(|&flag| flag.to_owned()).collect(),
            directory,
        };
        for number in 0..cluster.members.len() {
            cluster.run(number);
        }
        for number in 0..cluster.members.len() {
            cluster.wait(number);
        }
        cluster
    }

    /// How many there are, running or not.
    #[must_use]
    pub fn count(&self) -> usize {
        self.members.len()
    }

    /// A member by its place, from 0.
    #[must_use]
    pub fn member(&self, number: usize) -> &Member {
        &self.members[number]
    }

    /// Starts one more, which waits to be added. Gives its place.
    pub fn join(&mut self) -> usize {
        let (number, ports) = (self.members.len(), free_ports(2));
        self.members.push(Member {
            number,
            process: None,
            joins: true,
            http: format!("127.0.0.1:{}", ports[0]),
            zk: format!("127.0.0.1:{}", ports[1]),
        });
        self.run(number);
        number
    }

    /// Takes the disk of a member that is not running. With `joins` it waits to be added when it comes back.
    pub fn wipe(&mut self, number: usize, joins: bool) {
        self.members[number].joins = joins;
        let disk = self.directory.join((number + 1).to_string());
        std::fs::remove_dir_all(disk).expect("it has a disk");
    }

    /// Starts a member that is not running.
    pub fn run(&mut self, number: usize) {
        let member = &mut self.members[number];
        let told: &[String] = match member.joins {
            true => &["--join".to_owned()],
            false => &self.peers,
        };
        let process = Command::new(binary())
            .arg("serve")
            .args(["--id", &(number + 1).to_string()])
            .arg("--data")
            .arg(self.directory.join((number + 1).to_string()))
            .args(["--listen", &member.http, "--zk-listen", &member.zk])
            .args(told)
            .args(&self.flags)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        member.process = Some(process.expect("the server starts"));
    }

    /// Waits until a member ends by itself, and says whether it was content.
    pub fn ends(&mut self, number: usize) -> bool {
        let mut process = self.members[number].process.take().expect("it runs");
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = process.try_wait().expect("a child can be waited for") {
                return status.success();
            }
            assert!(Instant::now() < until, "member {} goes on", number + 1);
            sleep(Duration::from_millis(20));
        }
    }

    /// Ends a member as a power cut would end it.
    pub fn kill(&mut self, number: usize) {
        if let Some(mut process) = self.members[number].process.take() {
            process.kill().expect("a child can be killed");
            process.wait().expect("a child can be waited for");
        }
    }

    /// Waits until a member knows a leader and takes clients.
    pub fn wait(&self, number: usize) {
        let until = Instant::now() + PATIENCE;
        while word(&self.members[number].zk, "isro") != "rw" {
            assert!(
                Instant::now() < until,
                "member {} does not serve",
                number + 1
            );
            sleep(Duration::from_millis(20));
        }
    }

    /// Which member leads, from 0.
    #[must_use]
    pub fn leader(&self) -> Option<usize> {
        let leads = |member: &Member| word(&member.zk, "srvr").contains("Mode: leader");
        self.members.iter().position(leads)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for number in 0..self.members.len() {
            self.kill(number);
        }
        // What is left in the temporary directory is not worth failing for.
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// What a four-letter word is answered with; empty if nobody is there.
#[must_use]
pub fn word(zk: &str, word: &str) -> String {
    let ask = || {
        let mut stream = TcpStream::connect(zk)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(word.as_bytes())?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok::<_, io::Error>(text)
    };
    ask().unwrap_or_default()
}

/// What is said over HTTP: the status and the body; nothing if nobody is there.
#[must_use]
pub fn http(address: &str, method: &str, path: &str) -> Option<(u16, String)> {
    let ask = || {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let head = "Content-Length: 0\r\nConnection: close";
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\n{head}\r\n\r\n"
        )?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok::<_, io::Error>(text)
    };
    let text = ask().ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}

/// Runs the command line to its end.
#[must_use]
pub fn otterkeeper(args: &[&str]) -> Output {
    let output = Command::new(binary())
        .args(args)
        .env_remove("OTTERKEEPER_SERVER")
        .output();
    output.expect("the command line starts")
}

/// Ports that were free a moment ago.
fn free_ports(count: usize) -> Vec<u16> {
    let listen = |_| TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    let listeners: Vec<TcpListener> = (0..count).map(listen).collect();
    let port = |listener: &TcpListener| listener.local_addr().expect("it is bound").port();
    listeners.iter().map(port).collect()
}

//! Three real server processes on loopback and kazoo, an unmodified ZooKeeper client, in
//! `cluster.py`. Here the processes live and die; what clients are owed is checked over there.
//! `cargo xtask test` builds the server, installs kazoo, and says where both are.

use core::time::Duration;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;
use std::{env, fs, thread};

const MEMBERS: usize = 3;
const KILLS: usize = 5;
/// A cluster with a leader must be there after this, also after a kill.
const LEADER_LIMIT: Duration = Duration::from_secs(20);
/// Load before the first kill, and between a restart and the next one.
const BETWEEN_KILLS: Duration = Duration::from_secs(3);
const STOP_LIMIT: Duration = Duration::from_secs(10);

#[test]
#[ignore = "needs a built server and kazoo: cargo xtask test"]
fn a_zookeeper_client_finds_what_it_expects() {
    let cluster = Cluster::start("basics");
    cluster.wait_for_leader();
    cluster.drive(&["basics", &cluster.hosts()]);
}

#[test]
#[ignore = "needs a built server and kazoo: cargo xtask test"]
fn a_zookeeper_client_is_kept_from_what_is_not_its_own() {
    let cluster = Cluster::start_with("access", ACCESS);
    cluster.wait_for_leader();
    cluster.drive(&["access", &cluster.hosts()]);
}

/// super:test may do anything, beaver can prove itself by SASL, and clients may change the members.
const ACCESS: &[&str] = &[
    "--super-digest",
    "super:D/InIHSb7yEEbrWz8b9l71RjZJU=",
    "--sasl-user",
    "beaver:dam",
    "--reconfig",
];

#[test]
#[ignore = "needs a built server and kazoo: cargo xtask test"]
fn killed_leaders_lose_no_acknowledged_write_and_no_session() {
    let mut cluster = Cluster::start("kills");
    cluster.wait_for_leader();
    let record = cluster.folder.join("acknowledged.json");
    let record = record.to_str().expect("an ASCII path").to_owned();
    let mut driver = cluster
        .driver(&["load", &cluster.hosts(), &record])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python starts");
    let mut said = BufReader::new(driver.stdout.take().expect("it was asked for"));
    let mut line = String::new();
    said.read_line(&mut line).expect("the driver speaks");
    assert_eq!(line.trim(), "running");
    let mut marks = driver.stdin.take().expect("it was asked for");
    for _ in 0..KILLS {
        thread::sleep(BETWEEN_KILLS);
        let leader = cluster.wait_for_leader();
        writeln!(marks, "kill").expect("the driver listens");
        marks.flush().expect("the driver listens");
        cluster.kill(leader);
        cluster.wait_for_leader();
        cluster.restart(leader);
    }
    thread::sleep(BETWEEN_KILLS);
    drop(marks);
    let mut rest = String::new();
    said.read_to_string(&mut rest).expect("the driver speaks");
    print!("{rest}");
    assert!(
        driver.wait().expect("it ends").success(),
        "a promise was broken: see above"
    );
    cluster.drive(&["verify", &cluster.hosts(), &record]);

    // And after a clean stop of all, from what lies on the disks.
    cluster.stop();
    for member in 0..MEMBERS {
        cluster.restart(member);
    }
    cluster.wait_for_leader();
    cluster.drive(&["verify", &cluster.hosts(), &record]);
}

/// kazoo's `Lock` and ours on one path: whoever holds it reads a number from a file and writes the next one.
#[test]
#[ignore = "needs a built server and kazoo: cargo xtask test"]
fn kazoos_locks_and_ours_exclude_each_other() {
    const OURS: usize = 3;
    const EACH: usize = 8;
    const KAZOOS: usize = 3;
    let mut cluster = Cluster::start("locks");
    let leader = cluster.wait_for_leader();
    let file = cluster.folder.join("number");
    fs::write(&file, "0").expect("it can be written");
    let text = file.to_str().expect("an ASCII path").to_owned();
    let count = "n=$(cat $0); sleep 0.02; echo $((n+1)) > $0; echo $OTTERKEEPER_TOKEN >> $0.tokens";
    let server = env::var("OTTERKEEPER_BIN").expect("OTTERKEEPER_BIN is the server");
    let servers: Vec<String> = cluster
        .members
        .iter()
        .map(|member| format!("127.0.0.1:{}", member.http))
        .collect();
    let servers = servers.join(",");
    let mut kazoo = cluster
        .driver(&[
            "locks",
            &cluster.hosts(),
            &text,
            &KAZOOS.to_string(),
            &EACH.to_string(),
        ])
        .spawn()
        .expect("Python starts");
    thread::scope(|scope| {
        for _ in 0..OURS {
            scope.spawn(|| {
                for _ in 0..EACH {
                    let status = Command::new(&server)
                        .args(["lock", "--server", &servers, "/mixed"])
                        .args(["--", "sh", "-c", count, &text])
                        .status()
                        .expect("the command line starts");
                    assert!(status.success(), "lock ended with {status}");
                }
            });
        }
        thread::sleep(Duration::from_secs(2));
        cluster.members[leader]
            .process
            .kill()
            .expect("it was running");
    });
    assert!(kazoo.wait().expect("it ends").success(), "see above");
    let number = fs::read_to_string(&file).expect("it can be read");
    assert_eq!(number.trim(), ((OURS + KAZOOS) * EACH).to_string());
    let tokens = fs::read_to_string(cluster.folder.join("number.tokens")).expect("ours wrote it");
    let tokens: Vec<u64> = tokens
        .lines()
        .map(|token| token.parse().expect("a number"))
        .collect();
    assert_eq!(tokens.len(), OURS * EACH);
    assert!(tokens.is_sorted_by(|one, next| one < next), "{tokens:?}");
}

/// Server processes with their data; gone when it is dropped, unless the test has failed.
struct Cluster {
    folder: PathBuf,
    options: &'static [&'static str],
    members: Vec<Member>,
}

struct Member {
    http: u16,
    zk: u16,
    process: Child,
}

impl Cluster {
    fn start(name: &str) -> Self {
        Self::start_with(name, &[])
    }

    /// Each member with these flags besides.
    fn start_with(name: &str, options: &'static [&'static str]) -> Self {
        let folder = env::temp_dir().join(format!("otterkeeper-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder for the data");
        let ports = free_ports(2 * MEMBERS);
        let (http, zk) = ports.split_at(MEMBERS);
        let members = (0..MEMBERS).map(|at| Member {
            http: http[at],
            zk: zk[at],
            process: spawn(&folder, at, http, zk[at], options),
        });
        let members = members.collect();
        Self {
            folder,
            options,
            members,
        }
    }

    /// What ZooKeeper clients connect to.
    fn hosts(&self) -> String {
        let hosts: Vec<String> = self
            .members
            .iter()
            .map(|member| format!("127.0.0.1:{}", member.zk))
            .collect();
        hosts.join(",")
    }

    /// Which member says that it leads; waits until one does.
    fn wait_for_leader(&self) -> usize {
        let started = Instant::now();
        loop {
            let leads = |member: &Member| srvr(member.zk).contains("Mode: leader");
            if let Some(leader) = self.members.iter().position(leads) {
                return leader;
            }
            assert!(
                started.elapsed() < LEADER_LIMIT,
                "no leader; {}",
                self.logs()
            );
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// kill -9.
    fn kill(&mut self, at: usize) {
        self.members[at].process.kill().expect("it was running");
        self.members[at].process.wait().expect("it is a child");
    }

    fn restart(&mut self, at: usize) {
        let http: Vec<u16> = self.members.iter().map(|member| member.http).collect();
        let process = spawn(&self.folder, at, &http, self.members[at].zk, self.options);
        self.members[at].process = process;
    }

    /// SIGTERM to all; each must end by itself, and say that all is well.
    fn stop(&mut self) {
        for member in &self.members {
            // SAFETY: a signal to a child of ours that nobody has waited for yet.
            let sent = unsafe { libc::kill(member.process.id().cast_signed(), libc::SIGTERM) };
            assert_eq!(sent, 0, "the child was running");
        }
        let started = Instant::now();
        for at in 0..MEMBERS {
            let status = loop {
                if let Some(status) = self.members[at].process.try_wait().expect("it is a child") {
                    break status;
                }
                assert!(
                    started.elapsed() < STOP_LIMIT,
                    "member {} does not stop",
                    at + 1
                );
                thread::sleep(Duration::from_millis(20));
            };
            assert!(
                status.success(),
                "member {} ended with {status}; {}",
                at + 1,
                self.logs()
            );
        }
    }

    /// Runs the driver to its end.
    fn drive(&self, arguments: &[&str]) {
        let output = self.driver(arguments).output().expect("Python starts");
        print!("{}", String::from_utf8_lossy(&output.stdout));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "cluster.py {arguments:?}: {said}\n{}",
            self.logs()
        );
    }

    fn driver(&self, arguments: &[&str]) -> Command {
        let python = env::var("OTTERKEEPER_PYTHON").expect("OTTERKEEPER_PYTHON has kazoo");
        let mut command = Command::new(python);
        command
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/cluster.py"))
            .args(arguments);
        command
    }

    /// Where the members' own words are, for whoever reads a failure.
    fn logs(&self) -> String {
        format!("the servers' logs are {}/*.log", self.folder.display())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for member in &mut self.members {
            // It may have ended by itself.
            let _ = member.process.kill();
            let _ = member.process.wait();
        }
        if !thread::panicking() {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// Starts member number `at + 1`; its words are appended to its log.
fn spawn(folder: &Path, at: usize, http: &[u16], zk: u16, options: &[&str]) -> Child {
    let id = at + 1;
    let server = env::var("OTTERKEEPER_BIN").expect("OTTERKEEPER_BIN is the server");
    let log = folder.join(format!("{id}.log"));
    let log = File::options()
        .create(true)
        .append(true)
        .open(log)
        .expect("a log file");
    let mut command = Command::new(server);
    command
        .args(["serve", "--id", &id.to_string()])
        .arg("--data")
        .arg(folder.join(id.to_string()))
        .args(["--listen", &format!("127.0.0.1:{}", http[at])])
        .args(["--zk-listen", &format!("127.0.0.1:{zk}")])
        .args(options);
    for (peer, port) in http.iter().enumerate() {
        command.args(["--peer", &format!("{}=ws://127.0.0.1:{port}", peer + 1)]);
    }
    command
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a log file"))
        .stderr(log);
    command.spawn().expect("the server starts")
}

/// What a server says to `srvr`; nothing when it is down.
fn srvr(port: u16) -> String {
    let mut answer = String::new();
    if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) {
        let limit = Some(Duration::from_secs(1));
        if stream.set_read_timeout(limit).is_ok() && stream.write_all(b"srvr").is_ok() {
            // A server that dies in mid-answer has no leader to offer.
            let _ = stream.read_to_string(&mut answer);
        }
    }
    answer
}

/// Ports that nobody listens on just now, below those that outgoing connections take: a port must still
/// be free when a member that was killed comes back.
fn free_ports(count: usize) -> Vec<u16> {
    let first = 20_000 + u16::try_from(std::process::id() % 1_000).expect("below 1000") * 8;
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let ports: Vec<u16> = (first..32_000).filter(is_free).take(count).collect();
    assert_eq!(ports.len(), count, "no free ports from {first} on");
    ports
}

//! ZooKeeper's processes for the differential test. `cargo xtask test --against-zookeeper` brings the jars and says
//! where they are.

use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Instant;

use otterkeeper_tests::process::word;

/// The longest session on both sides.
const SESSION_MAX_MS: u32 = 40_000;
/// A virtual machine that starts on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(90);
/// ZooKeeper's switches for what ours always does: znodes that are mortal, hard quotas; and the superuser.
const PROPERTIES: &[&str] = &[
    "-Dzookeeper.extendedTypesEnabled=true",
    "-Dzookeeper.enforceQuota=true",
    "-Dzookeeper.DigestAuthenticationProvider.superDigest=super:D/InIHSb7yEEbrWz8b9l71RjZJU=",
    "-Dzookeeper.admin.enableServer=false",
    "-Dzookeeper.authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider",
    "-Dzookeeper.4lw.commands.whitelist=*",
];
/// Who may prove who they are by DIGEST-MD5.
const USERS: &str = "Server {
  org.apache.zookeeper.server.auth.DigestLoginModule required
  user_otter=\"raft\"
  user_beaver=\"dam\";
};
";
/// The same for ours.
const OURS: &[&str] = &[
    "--super-digest",
    "super:D/InIHSb7yEEbrWz8b9l71RjZJU=",
    "--sasl-user",
    "otter:raft",
    "--sasl-user",
    "beaver:dam",
    "--four-letter-words",
    "*",
    "--reconfig",
    // A machine that is busy with both is no reason for an election.
    "--election-min-ms",
    "3000",
    "--election-spread-ms",
    "2000",
    "--heartbeat-ms",
    "200",
];

/// How long what is mortal lives.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Lives {
    /// Longer than the test, so that nothing goes by itself.
    Long,
    /// Until a session's few seconds are over, or the cleaner comes by.
    Short,
}

impl Lives {
    /// Between two visits of the cleaner.
    const fn check_ms(self) -> u32 {
        match self {
            Self::Long => 3_600_000,
            Self::Short => 500,
        }
    }

    const fn session_min_ms(self) -> u32 {
        match self {
            Self::Long => 30_000,
            Self::Short => 4_000,
        }
    }

    /// For our servers, with what is always the same.
    pub(super) fn ours(self) -> Vec<String> {
        let own = [
            format!("--container-check-ms={}", self.check_ms()),
            format!("--session-min-ms={}", self.session_min_ms()),
            format!("--session-max-ms={SESSION_MAX_MS}"),
        ];
        let always = OURS.iter().copied().map(String::from);
        always.chain(own).collect()
    }
}

/// One server by itself, or an ensemble.
pub(super) struct ZooKeeper {
    members: Vec<Child>,
    ports: Vec<u16>,
    /// Two for each member.
    peers: Vec<u16>,
    folder: PathBuf,
}

impl ZooKeeper {
    pub(super) fn start(members: usize, lives: Lives) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("otterkeeper-zookeeper-{}-{count}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let ports = free_ports(members * 3);
        let (clients, peers) = ports.split_at(members);
        let start = |at: usize| {
            spawn(
                &folder.join((at + 1).to_string()),
                at,
                clients,
                peers,
                lives,
            )
        };
        let zookeeper = Self {
            members: (0..members).map(start).collect(),
            ports: clients.to_vec(),
            peers: peers.to_vec(),
            folder,
        };
        let until = Instant::now() + PATIENCE;
        for address in zookeeper.addresses() {
            while word(&address, "isro") != "rw" {
                assert!(Instant::now() < until, "{}", zookeeper.said());
                sleep(Duration::from_millis(100));
            }
        }
        zookeeper
    }

    pub(super) fn addresses(&self) -> Vec<String> {
        let address = |port: &u16| format!("127.0.0.1:{port}");
        self.ports.iter().map(address).collect()
    }

    /// How the members reach each other, and where their clients go, as a configuration has it.
    pub(super) fn members(&self) -> Vec<[String; 2]> {
        members(&self.ports, &self.peers)
    }

    /// The end of the first member's log.
    fn said(&self) -> String {
        let log = fs::read_to_string(self.folder.join("1/log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(20).collect();
        let lines: Vec<&str> = lines.into_iter().rev().collect();
        format!("ZooKeeper does not serve:\n{}", lines.join("\n"))
    }
}

impl Drop for ZooKeeper {
    fn drop(&mut self) {
        for member in &mut self.members {
            // It may have ended by itself.
            let _ = member.kill();
            let _ = member.wait();
        }
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

fn spawn(folder: &Path, at: usize, clients: &[u16], peers: &[u16], lives: Lives) -> Child {
    let jars = std::env::var("OTTERKEEPER_ZOOKEEPER").expect("OTTERKEEPER_ZOOKEEPER has the jars");
    let data = folder.join("data");
    fs::create_dir_all(&data).expect("a folder for the data");
    let mut config = format!(
        "tickTime=500\ninitLimit=20\nsyncLimit=20\nminSessionTimeout={}\nmaxSessionTimeout={SESSION_MAX_MS}\n\
         dataDir={}\nmaxClientCnxns=0\nreconfigEnabled=true\n",
        lives.session_min_ms(),
        data.display(),
    );
    if 1 < clients.len() {
        fs::write(data.join("myid"), format!("{}\n", at + 1)).expect("a file");
        for (at, [peers, clients]) in members(clients, peers).iter().enumerate() {
            config += &format!("server.{}={peers};{clients}\n", at + 1);
        }
    } else {
        config += &format!("clientPort={}\nclientPortAddress=127.0.0.1\n", clients[at]);
    }
    let file = folder.join("zoo.cfg");
    fs::write(&file, config).expect("a file");
    let users = folder.join("users.jaas");
    fs::write(&users, USERS).expect("a file");
    let log = File::create(folder.join("log")).expect("a file");
    Command::new("java")
        .args(["-Xmx256m", "-cp", &format!("{jars}/*")])
        .args(PROPERTIES)
        .arg(format!(
            "-Dznode.container.checkIntervalMs={}",
            lives.check_ms()
        ))
        .arg(format!(
            "-Djava.security.auth.login.config={}",
            users.display()
        ))
        .arg("org.apache.zookeeper.server.quorum.QuorumPeerMain")
        .arg(file)
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a file"))
        .stderr(log)
        .spawn()
        .expect("java starts")
}

/// `HOST:PORT:PORT` among themselves and `HOST:PORT` for clients.
fn members(clients: &[u16], peers: &[u16]) -> Vec<[String; 2]> {
    let own = |(client, peer): (&u16, &[u16])| {
        let (peer, election) = (peer[0], peer[1]);
        [
            format!("127.0.0.1:{peer}:{election}"),
            format!("127.0.0.1:{client}"),
        ]
    };
    clients.iter().zip(peers.chunks_exact(2)).map(own).collect()
}

fn free_ports(count: usize) -> Vec<u16> {
    let listen = |_| TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    let listeners: Vec<TcpListener> = (0..count).map(listen).collect();
    let port = |listener: &TcpListener| listener.local_addr().expect("it is bound").port();
    listeners.iter().map(port).collect()
}

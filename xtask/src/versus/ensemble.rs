//! Three server processes on loopback, of either kind. They die with this process.

use core::net::Ipv4Addr;
use core::time::Duration;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use super::zookeeper::{self, Ports};

const MEMBERS: usize = 3;
/// A server that was asked to stop must be gone after this.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// Whose servers they are. The discriminants index what is kept for both.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Kind {
    #[value(name = "zookeeper")]
    ZooKeeper = 0,
    Otterkeeper = 1,
}

impl Kind {
    pub(super) const ALL: [Self; 2] = [Self::ZooKeeper, Self::Otterkeeper];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ZooKeeper => "zookeeper",
            Self::Otterkeeper => "otterkeeper",
        }
    }
}

pub(super) struct Ensemble {
    kind: Kind,
    ports: Vec<Ports>,
    members: Vec<Child>,
}

impl Ensemble {
    /// Starts all members with empty data.
    pub(super) fn start(kind: Kind) -> Result<Self> {
        let folder = super::folder().join(kind.name());
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        let mut ensemble = Self {
            kind,
            ports: free_ports()?,
            members: Vec::new(),
        };
        for at in 0..MEMBERS {
            let member = ensemble.spawn(at)?;
            ensemble.members.push(member);
        }
        Ok(ensemble)
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// The clients' ports, member by member.
    pub(super) fn addresses(&self) -> Vec<String> {
        let address = |own: &Ports| format!("127.0.0.1:{}", own.client);
        self.ports.iter().map(address).collect()
    }

    /// The same as `otterkeeper bench` takes them.
    pub(super) fn servers(&self) -> String {
        self.addresses().join(",")
    }

    pub(super) fn pids(&self) -> Vec<String> {
        self.members
            .iter()
            .map(|member| member.id().to_string())
            .collect()
    }

    /// Where the members' own words are.
    pub(super) fn logs(&self) -> String {
        format!("{}/*/log", super::folder().join(self.kind.name()).display())
    }

    /// Which member says that it leads.
    pub(super) fn leader(&self) -> Result<usize> {
        let leads = |own: &Ports| srvr(own.client).is_ok_and(|text| text.contains("Mode: leader"));
        self.ports
            .iter()
            .position(leads)
            .context("no member says that it leads")
    }

    /// Starts a member that was killed.
    pub(super) fn restart(&mut self, at: usize) -> Result<()> {
        self.members[at].wait()?;
        self.members[at] = self.spawn(at)?;
        Ok(())
    }

    /// Ends all members, as an operator would.
    pub(super) fn stop(mut self) -> Result<()> {
        for member in &self.members {
            // SAFETY: kill reads two integers; the process is a child that was not reaped.
            unsafe { libc::kill(member.id().cast_signed(), libc::SIGTERM) };
        }
        let limit = Instant::now() + STOP_LIMIT;
        while !self
            .members
            .iter_mut()
            .all(|member| matches!(member.try_wait(), Ok(Some(_))))
        {
            if limit <= Instant::now() {
                bail!("{} does not stop on SIGTERM", self.kind.name());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn spawn(&self, at: usize) -> Result<Child> {
        let folder = super::folder()
            .join(self.kind.name())
            .join((at + 1).to_string());
        fs::create_dir_all(&folder)?;
        let mut command = match self.kind {
            Kind::ZooKeeper => zookeeper::command(&folder, at, &self.ports)?,
            Kind::Otterkeeper => otterkeeper(folder.join("data"), at, &self.ports),
        };
        let log = File::options()
            .create(true)
            .append(true)
            .open(folder.join("log"))?;
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        // SAFETY: between fork and exec only one system call that touches no memory is made.
        unsafe {
            command.pre_exec(|| {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                Ok(())
            });
        }
        command
            .spawn()
            .with_context(|| format!("cannot start {}", self.kind.name()))
    }
}

impl Drop for Ensemble {
    fn drop(&mut self) {
        for member in &mut self.members {
            let _dead_already = member.kill();
            let _reaped_already = member.wait();
        }
    }
}

fn otterkeeper(data: PathBuf, at: usize, members: &[Ports]) -> Command {
    let mut command = Command::new(super::server());
    command
        .args(["serve", "--id", &(at + 1).to_string(), "--data"])
        .arg(data)
        .args(["--listen", &format!("127.0.0.1:{}", members[at].peer)])
        .args(["--zk-listen", &format!("127.0.0.1:{}", members[at].client)]);
    for (at, member) in members.iter().enumerate() {
        command.args([
            "--peer",
            &format!("{}=ws://127.0.0.1:{}", at + 1, member.peer),
        ]);
    }
    command
}

/// Asks for a server's four-letter word.
fn srvr(port: u16) -> Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.write_all(b"srvr")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    if text.is_empty() {
        bail!("the server at port {port} says nothing");
    }
    Ok(text)
}

/// Ports that nobody uses now, below those that the system hands out to clients.
fn free_ports() -> Result<Vec<Ports>> {
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let ports: Vec<_> = (21_000..32_000).filter(is_free).take(MEMBERS * 3).collect();
    if ports.len() < MEMBERS * 3 {
        bail!("too few free ports between 21000 and 32000");
    }
    let own = |ports: &[u16]| Ports {
        client: ports[0],
        peer: ports[1],
        election: ports[2],
    };
    Ok(ports.chunks_exact(3).map(own).collect())
}

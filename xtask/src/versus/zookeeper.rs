//! ZooKeeper on a machine that has none: its jars come in PyPI's pyspark, Java from Debian.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::install;
use crate::step::Step;

/// The release whose jars hold ZooKeeper 3.9.5.
const PYSPARK: &str = "pyspark==4.3.0";
const ARCHIVE: &str = "pyspark-4.3.0.tar.gz";
/// The class path needs these; each stands for a file with a version and `.jar` behind it.
const JARS: [&str; 8] = [
    "zookeeper-",
    "netty-",
    "slf4j-api-",
    "log4j-",
    "metrics-core-",
    "snappy-java-",
    "audience-annotations-",
    "commons-",
];

/// Brings Java and the jars if they are not there yet, and says where these are.
pub(super) fn install() -> Result<PathBuf> {
    if !install::has("java") {
        install::debian(&["openjdk-17-jre-headless"], "to run ZooKeeper")?;
    }
    if jars().join("complete").is_file() {
        return Ok(jars());
    }
    let folder = super::folder();
    fs::create_dir_all(jars())?;
    if !folder.join(ARCHIVE).is_file() {
        Step::new("fetch ZooKeeper's jars", "python3")
            .args(&[
                "-m",
                "pip",
                "download",
                "--no-deps",
                "--no-cache-dir",
                PYSPARK,
                "--dest",
            ])
            .args(&[&folder])
            .advice("python3 with pip is needed, and pip must reach its registry")
            .run()?;
    }
    let mut unpack = Step::new("unpack ZooKeeper's jars", "tar")
        .args(&[
            "--extract",
            "--gzip",
            "--strip-components=3",
            "--wildcards",
            "--file",
        ])
        .args(&[folder.join(ARCHIVE)])
        .args(&["--directory".as_ref(), jars().as_os_str()]);
    for jar in JARS {
        unpack = unpack.args(&[format!("*/deps/jars/{jar}*.jar")]);
    }
    unpack.run()?;
    fs::remove_file(folder.join(ARCHIVE))?;
    fs::write(jars().join("complete"), "")?;
    Ok(jars())
}

fn jars() -> PathBuf {
    super::folder().join("jars")
}

/// Ports of one member.
#[derive(Clone, Copy)]
pub(super) struct Ports {
    pub(super) client: u16,
    pub(super) peer: u16,
    pub(super) election: u16,
}

/// The command that runs member `at` of these, with defaults but for the limit on connections and the
/// admin server, which has no part in the measurement.
pub(super) fn command(folder: &Path, at: usize, members: &[Ports]) -> Result<Command> {
    let Some(own) = members.get(at) else {
        bail!("there is no member {at}");
    };
    let data = folder.join("data");
    fs::create_dir_all(&data)?;
    fs::write(data.join("myid"), format!("{}\n", at + 1))?;
    let mut config = format!(
        "tickTime=2000\ninitLimit=10\nsyncLimit=5\ndataDir={}\nclientPort={}\n\
         clientPortAddress=127.0.0.1\nmaxClientCnxns=0\nadmin.enableServer=false\n",
        data.display(),
        own.client
    );
    for (at, member) in members.iter().enumerate() {
        let Ports { peer, election, .. } = member;
        config += &format!("server.{}=127.0.0.1:{peer}:{election}\n", at + 1);
    }
    let file = folder.join("zoo.cfg");
    fs::write(&file, config)?;
    let mut command = Command::new("java");
    command
        .args(["-Xmx1g", "-cp", &format!("{}/*", jars().display())])
        .arg("org.apache.zookeeper.server.quorum.QuorumPeerMain")
        .arg(file);
    Ok(command)
}

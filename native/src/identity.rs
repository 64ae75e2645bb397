//! Who this replica is: made with the data directory and kept in its file `identity`, together with the
//! lock that keeps a second process out. How a cluster is formed from such replicas is the business of
//! `peer`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use otterkeeper_core::id::{NodeId, ReplicaId};
use serde::{Deserialize, Serialize};

/// A random number that is never used again: of a replica or of a cluster.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RandomId(String);

impl RandomId {
    /// A new one: 128 random bits.
    ///
    /// # Errors
    /// If the operating system has no entropy.
    pub fn draw() -> io::Result<Self> {
        let bytes: [u8; 16] = random()?;
        Ok(Self(
            bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        ))
    }

    /// As the core knows it: the 128 bits.
    #[must_use]
    pub fn number(&self) -> ReplicaId {
        ReplicaId(u128::from_str_radix(&self.0, 16).unwrap_or(0))
    }

    /// A number made from it, to salt checksums with.
    #[must_use]
    pub fn salt(&self) -> u64 {
        u64::from_str_radix(self.0.get(..16).unwrap_or("0"), 16).unwrap_or(0)
    }
}

impl From<ReplicaId> for RandomId {
    fn from(id: ReplicaId) -> Self {
        Self(format!("{:032x}", id.0))
    }
}

impl core::fmt::Display for RandomId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Random bytes from the operating system.
///
/// # Errors
/// If it has none.
pub fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// A member as the cluster knows it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Member {
    /// Its number.
    pub node: NodeId,
    /// Its data directory.
    pub replica: RandomId,
    /// Where clients of ZooKeeper's protocol reach it; empty if they do not.
    #[serde(default)]
    pub clients: String,
}

/// A cluster that has been formed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Cluster {
    /// Its random id.
    pub id: RandomId,
    /// Its first members, in ascending order; none in the notes of one that joined later.
    pub members: Vec<Member>,
}

/// What lies in a directory that is no member's yet, so that it is somebody else's: of ZooKeeper, perhaps. What a
/// first start that was broken off left behind is not, nor what a file system has by itself.
fn foreign(path: &Path) -> io::Result<Option<String>> {
    let mut found = None;
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        match &*name {
            "identity" => return Ok(None),
            "identity.tmp" | "lock" | "lost+found" => {}
            hidden if hidden.starts_with('.') => {}
            _ => found = Some(name),
        }
    }
    Ok(found)
}

/// Who a replica is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Identity {
    /// Version of this file.
    format: u32,
    /// Its member number.
    pub node: NodeId,
    /// Drawn when the data directory was made.
    pub replica: RandomId,
    /// The cluster it belongs to; `None` until one has been formed.
    pub cluster: Option<Cluster>,
    /// Where the members of a cluster that it joined were then: its log may not say it yet.
    #[serde(default)]
    pub contacts: BTreeMap<NodeId, String>,
}

/// A data directory that this process alone uses, for as long as this value lives.
pub struct DataDir {
    path: PathBuf,
    /// Holds the lock.
    _lock: File,
}

impl DataDir {
    /// Opens the directory, making it if need be, and locks it.
    ///
    /// # Errors
    /// If it cannot be made, or another process uses it.
    pub fn lock(path: &Path) -> io::Result<Self> {
        if path.exists() && !path.is_dir() {
            return Err(io::Error::other("it is a file, and must be a directory"));
        }
        fs::create_dir_all(path)?;
        if let Some(name) = foreign(path)? {
            return Err(io::Error::other(format!(
                "no member has used it, and it is not empty ({name}): name an empty directory"
            )));
        }
        let lock = File::create(path.join("lock"))?;
        if let Err(error) = lock.try_lock() {
            return Err(match error {
                fs::TryLockError::WouldBlock => io::Error::other("another process uses it"),
                fs::TryLockError::Error(error) => error,
            });
        }
        Ok(Self {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads who this replica is, or draws it at the very first start.
    ///
    /// # Errors
    /// If the file cannot be read or written, or if the directory belongs to another member.
    pub fn identity(&self, node: NodeId) -> io::Result<Identity> {
        let text = match fs::read_to_string(self.path.join("identity")) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let identity = Identity {
                    format: 1,
                    node,
                    replica: RandomId::draw()?,
                    cluster: None,
                    contacts: BTreeMap::new(),
                };
                self.store(&identity)?;
                return Ok(identity);
            }
            Err(error) => return Err(error),
        };
        let identity: Identity = serde_json::from_str(&text).map_err(|error| {
            io::Error::other(format!(
                "its file identity is damaged ({error}): restore the whole directory from a copy made while the server \
                 was stopped, or remove this member and add it again with an empty directory"
            ))
        })?;
        if identity.format != 1 {
            return Err(io::Error::other(
                "it was made by a newer version of otterkeeper",
            ));
        }
        if identity.node != node {
            let sentence = format!(
                "it belongs to member {}, but this is member {node}",
                identity.node
            );
            return Err(io::Error::other(sentence));
        }
        Ok(identity)
    }

    /// Replaces the file, durably.
    ///
    /// # Errors
    /// If the operating system refuses.
    pub fn store(&self, identity: &Identity) -> io::Result<()> {
        let text = serde_json::to_string(identity).map_err(io::Error::other)?;
        let temporary = self.path.join("identity.tmp");
        let mut file = File::create(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, self.path.join("identity"))?;
        File::open(&self.path)?.sync_all()
    }
}

//! A disk that forgets: after a crash any subset of the sectors that were not synced is there, some of
//! them torn, and any prefix of the name changes that were not synced has happened. It can also be
//! stopped after a number of operations, and run full.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use otterkeeper::files::{File, Files};
use otterkeeper_core::rng::Rng;

const SECTOR: usize = 512;

/// The disk. Clones are the same disk.
#[derive(Clone, Default)]
pub(super) struct Disk(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    inodes: BTreeMap<u64, Inode>,
    names: BTreeMap<String, u64>,
    /// What a crash leaves for certain.
    synced_names: BTreeMap<String, u64>,
    /// The name changes since.
    renamed: Vec<(String, Option<u64>)>,
    /// How each of them came in pairs or alone: a rename is one change of two names.
    changes: Vec<usize>,
    last_inode: u64,
    operations: u64,
    /// The operation that does not return.
    stop_at: Option<u64>,
    /// Bytes that all files together may have.
    space: Option<usize>,
    /// Syncs that were asked for, and whether the next one fails, as one does after which the operating
    /// system takes the pages for clean.
    syncs: u64,
    fails_once: bool,
}

#[derive(Default)]
struct Inode {
    synced: Vec<u8>,
    bytes: Vec<u8>,
    dirty: BTreeSet<usize>,
}

impl Disk {
    /// The power goes when this many more operations have been begun.
    pub(super) fn stop_after(&self, operations: u64) {
        let mut state = self.lock();
        state.stop_at = Some(state.operations + operations);
    }

    pub(super) fn limit(&self, space: Option<usize>) {
        self.lock().space = space;
    }

    pub(super) fn fail_one_sync(&self) {
        self.lock().fails_once = true;
    }

    pub(super) fn syncs(&self) -> u64 {
        self.lock().syncs
    }

    /// How many operations there were.
    pub(super) fn operations(&self) -> u64 {
        self.lock().operations
    }

    /// What lies on the disk after the power went.
    pub(super) fn crash(&self, rng: &mut Rng) -> Self {
        let state = self.lock();
        let mut names = state.synced_names.clone();
        let happened = below(rng, state.changes.len() + 1);
        let renamed: usize = state.changes[..happened].iter().sum();
        for (name, inode) in &state.renamed[..renamed] {
            match inode {
                Some(inode) => names.insert(name.clone(), *inode),
                None => names.remove(name),
            };
        }
        let kept: BTreeSet<u64> = names.values().copied().collect();
        let inodes = state.inodes.iter().filter(|(id, _)| kept.contains(id));
        let inodes = inodes.map(|(id, inode)| (*id, inode.crash(rng))).collect();
        let synced_names = names.clone();
        let last_inode = state.last_inode;
        Self(Arc::new(Mutex::new(State {
            inodes,
            names,
            synced_names,
            last_inode,
            ..State::default()
        })))
    }

    /// Flips one bit of one file; the name says which.
    pub(super) fn flip(&self, rng: &mut Rng, suffix: &str) -> Option<String> {
        let mut state = self.lock();
        let names: Vec<_> = state
            .names
            .iter()
            .filter(|(name, _)| name.ends_with(suffix))
            .collect();
        let (name, inode) = names.get(below(rng, names.len().max(1)))?;
        let (name, inode) = ((*name).clone(), **inode);
        let bytes = &mut state.inodes.get_mut(&inode)?.bytes;
        let byte = below(rng, bytes.len().max(1));
        let bit = below(rng, 8);
        *bytes.get_mut(byte)? ^= 1 << bit;
        Some(format!("bit {bit} of byte {byte} of {name}"))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    fn begin(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.lock();
        state.operations += 1;
        match state.stop_at {
            Some(stop_at) if stop_at < state.operations => {
                Err(io::Error::other("the power is off"))
            }
            _ => Ok(state),
        }
    }
}

impl Inode {
    fn crash(&self, rng: &mut Rng) -> Self {
        let grown = self.bytes.len().saturating_sub(self.synced.len());
        let mut bytes = self.synced.clone();
        bytes.resize(self.synced.len() + below(rng, grown + 1), 0);
        for sector in &self.dirty {
            let range = sector * SECTOR..((sector + 1) * SECTOR).min(bytes.len());
            for at in range {
                if at % SECTOR == 0 && below(rng, 2) == 0 {
                    break;
                }
                // A torn sector ends anywhere.
                if below(rng, 4_000) == 0 {
                    break;
                }
                bytes[at] = self.bytes[at];
            }
        }
        Self {
            synced: bytes.clone(),
            bytes,
            dirty: BTreeSet::new(),
        }
    }
}

impl Files for Disk {
    type File = Open;

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.lock().names.keys().cloned().collect())
    }

    fn open(&self, name: &str) -> io::Result<Open> {
        let inode = self.lock().names.get(name).copied();
        let inode = inode.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        Ok(Open {
            disk: self.clone(),
            inode,
        })
    }

    fn create(&self, name: &str) -> io::Result<Open> {
        let mut state = self.begin()?;
        state.last_inode += 1;
        let inode = state.last_inode;
        state.inodes.insert(inode, Inode::default());
        state.names.insert(name.into(), inode);
        state.renamed.push((name.into(), Some(inode)));
        state.changes.push(1);
        Ok(Open {
            disk: self.clone(),
            inode,
        })
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.begin()?;
        let inode = state
            .names
            .remove(from)
            .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        state.names.insert(to.into(), inode);
        state
            .renamed
            .extend([(from.into(), None), (to.into(), Some(inode))]);
        state.changes.push(2);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.begin()?;
        state
            .names
            .remove(name)
            .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        state.renamed.push((name.into(), None));
        state.changes.push(1);
        Ok(())
    }

    fn sync_names(&self) -> io::Result<()> {
        let mut state = self.begin()?;
        state.synced_names = state.names.clone();
        state.renamed.clear();
        state.changes.clear();
        Ok(())
    }
}

pub(super) struct Open {
    disk: Disk,
    inode: u64,
}

impl File for Open {
    fn length(&self) -> io::Result<u64> {
        Ok(self.disk.lock().inodes[&self.inode].bytes.len() as u64)
    }

    fn read_all(&self) -> io::Result<Vec<u8>> {
        Ok(self.disk.lock().inodes[&self.inode].bytes.clone())
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.disk.begin()?;
        let start = usize::try_from(offset).unwrap();
        let end = start + bytes.len();
        let used: usize = state.inodes.values().map(|inode| inode.bytes.len()).sum();
        let space = state.space;
        let inode = state.inodes.get_mut(&self.inode).unwrap();
        let grows = end.saturating_sub(inode.bytes.len());
        if grows != 0 && space.is_some_and(|space| space < used + grows) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        inode.bytes.resize(inode.bytes.len() + grows, 0);
        inode.bytes[start..end].copy_from_slice(bytes);
        inode.dirty.extend(start / SECTOR..end.div_ceil(SECTOR));
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.disk.begin()?;
        state.syncs += 1;
        if core::mem::take(&mut state.fails_once) {
            return Err(io::Error::other("the sync failed"));
        }
        let inode = state.inodes.get_mut(&self.inode).unwrap();
        inode.synced = inode.bytes.clone();
        inode.dirty.clear();
        Ok(())
    }
}

/// A number below `limit`.
pub(super) fn below(rng: &mut Rng, limit: usize) -> usize {
    usize::try_from(rng.below(limit as u64)).unwrap()
}

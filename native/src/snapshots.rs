//! Snapshots on disk: one file each, written part by part under another name, synced, then named. They
//! have a lane of their own, so that votes and entries never wait behind one (rule R3). Which snapshot is
//! in force is not said here but in the log.
//!
//! ```text
//! 00000000000003e8-0000000000000002.snap       last index - its term, in hexadecimal
//!
//! file  = "OTTERSN1" | piece (description, see `wal`) | piece (part) ... | piece (number of parts 4, empty ones do not count)
//! piece = length 4 | checksum 4 | bytes        the checksum (CRC-32C) covers place in the file, length and bytes
//! ```

use std::io;

use bytes::Bytes;
use otterkeeper_core::id::LogId;
use otterkeeper_core::node::{SavePart, SnapshotImage};
use otterkeeper_core::raft::message::SnapshotMeta;

use crate::files::{File, Files};
use crate::wal::layout::{Reader, put_meta};

const MAGIC: &[u8; 8] = b"OTTERSN1";

/// The name of a file that is not complete.
const RECEIVING: &str = "receiving.tmp";

/// The snapshots of one node.
pub struct Snapshots<F: Files> {
    files: F,
    open: Option<Unfinished<F::File>>,
}

struct Unfinished<F> {
    meta: SnapshotMeta,
    file: F,
    /// Where the next piece goes.
    end: u64,
    parts: u32,
    dirty: bool,
}

impl<F: Files> Snapshots<F> {
    /// The snapshots in `files`. Those that are not in force, finished or not, are removed: the node has
    /// forgotten them.
    ///
    /// # Errors
    /// If the files cannot be listed or removed.
    pub fn open(files: F, in_force: Option<LogId>) -> io::Result<Self> {
        let wanted = in_force.map(name_of);
        for name in files.list()? {
            let stray = name.ends_with(".snap") && Some(&name) != wanted.as_ref();
            if stray || name == RECEIVING {
                files.remove(&name)?;
            }
        }
        Ok(Self { files, open: None })
    }

    /// Reads a snapshot that is in force.
    ///
    /// # Errors
    /// A sentence, if it is not there or not whole.
    pub fn load(&self, meta: &SnapshotMeta) -> Result<SnapshotImage, String> {
        let name = name_of(meta.last);
        let bytes = (self.files.open(&name).and_then(|file| file.read_all())).map_err(|error| {
            format!("the snapshot {name}, which is in force, cannot be read: {error}")
        })?;
        let bytes = Bytes::from(bytes);
        let damaged = || {
            format!(
                "the snapshot {name} is damaged. Restore the whole data directory from a copy made while the \
                 server was stopped, or remove this member and add it again under a new replica id"
            )
        };
        let mut pieces = Pieces {
            bytes: &bytes,
            at: MAGIC.len(),
        };
        let header = pieces
            .next()
            .filter(|_| bytes.starts_with(MAGIC))
            .ok_or_else(damaged)?;
        if Reader(&header).meta().flatten().as_ref() != Some(meta) {
            return Err(damaged());
        }
        let mut parts: Vec<_> = pieces.by_ref().collect();
        let closing = parts.pop().ok_or_else(damaged)?;
        let count = u32::try_from(parts.len()).unwrap_or(u32::MAX);
        if pieces.at != bytes.len() || closing[..] != count.to_le_bytes() {
            return Err(damaged());
        }
        Ok(SnapshotImage {
            meta: meta.clone(),
            parts,
        })
    }

    /// Writes a part; with the last one the snapshot is durable and has its name.
    ///
    /// # Errors
    /// If the operating system refuses.
    pub fn save(&mut self, part: &SavePart) -> io::Result<()> {
        let continues =
            |open: &Unfinished<F::File>| open.meta == part.meta && open.parts == part.number;
        let mut open = match self.open.take().filter(continues) {
            Some(open) => open,
            None => self.begin(part)?,
        };
        open.piece(&part.bytes)?;
        open.parts += 1;
        if !part.last {
            self.open = Some(open);
            return Ok(());
        }
        let count = open.parts.to_le_bytes();
        open.piece(&count)?;
        open.file.sync()?;
        self.files.rename(RECEIVING, &name_of(part.meta.last))?;
        self.files.sync_names()
    }

    /// Makes what was saved so far durable.
    ///
    /// # Errors
    /// If the operating system refuses.
    pub fn sync(&mut self) -> io::Result<()> {
        match &mut self.open {
            Some(open) if open.dirty => {
                open.dirty = false;
                open.file.sync()
            }
            _ => Ok(()),
        }
    }

    /// Removes what lies before the snapshot that is now durably in force.
    ///
    /// # Errors
    /// If the operating system refuses.
    pub fn in_force(&mut self, last: LogId) -> io::Result<()> {
        let name = name_of(last);
        for other in self.files.list()? {
            if other.ends_with(".snap") && other < name {
                self.files.remove(&other)?;
            }
        }
        Ok(())
    }

    fn begin(&self, part: &SavePart) -> io::Result<Unfinished<F::File>> {
        if part.number != 0 {
            return Err(io::Error::other("a part of a snapshot came out of turn"));
        }
        let mut file = self.files.create(RECEIVING)?;
        file.write_at(0, MAGIC)?;
        let end = MAGIC.len() as u64;
        let mut open = Unfinished {
            meta: part.meta.clone(),
            file,
            end,
            parts: 0,
            dirty: true,
        };
        let mut description = Vec::new();
        put_meta(&mut description, Some(&part.meta));
        open.piece(&description)?;
        Ok(open)
    }
}

impl<F: File> Unfinished<F> {
    fn piece(&mut self, bytes: &[u8]) -> io::Result<()> {
        let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        let mut piece = Vec::with_capacity(8 + bytes.len());
        piece.extend(length.to_le_bytes());
        piece.extend(checksum(self.end, bytes).to_le_bytes());
        piece.extend_from_slice(bytes);
        self.file.write_at(self.end, &piece)?;
        self.end += piece.len() as u64;
        self.dirty = true;
        Ok(())
    }
}

/// The pieces of a file up to the first that is not whole.
struct Pieces<'a> {
    bytes: &'a Bytes,
    at: usize,
}

impl Iterator for Pieces<'_> {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let mut reader = Reader(self.bytes.get(self.at..)?);
        let length = reader.u32()? as usize;
        let expected = reader.u32()?;
        let piece = reader.take(length)?;
        if checksum(self.at as u64, piece) != expected {
            return None;
        }
        let start = self.at + 8;
        self.at = start + length;
        Some(self.bytes.slice(start..self.at))
    }
}

fn checksum(at: u64, bytes: &[u8]) -> u32 {
    let place = crc32c::crc32c_append(
        crc32c::crc32c(&at.to_le_bytes()),
        &(bytes.len() as u64).to_le_bytes(),
    );
    crc32c::crc32c_append(place, bytes)
}

fn name_of(last: LogId) -> String {
    format!("{:016x}-{:016x}.snap", last.index.0, last.term.0)
}

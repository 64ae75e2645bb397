//! The write-ahead log: votes, entries and what a snapshot replaces, in segment files that are filled
//! with zeroes beforehand and used again. Everything of one call goes out in one write and one sync.
//! It knows the order and the bytes of records, not what they mean to Raft.
//!
//! ```text
//! 0000000000000007.wal  0000000000000008.wal  0000000000000009.wal      one segment each, by generation
//!       closed                current              prepared             (16 MiB)
//!
//! segment  = group group ... group, then zeroes or what an older generation left
//! group    = checksum 4 | length 4 | generation 8 | end of the last synced group 8 + 8 | record ...
//!            begins at a multiple of 512; the checksum (CRC-32C, salted) covers all that follows it
//! record   = length 4 | kind 1 | body
//!   opening     0   version 4 | vote | keep from 8 | commit hint 8 | last index 8 | snapshot?
//!   vote        1   term 8 | voted for 8 (0 = nobody)
//!   cut         2   drop log 1 | has keep-from 1 | keep from 8 | snapshot?
//!   blank       3   term 8 | index 8 | stamp 8
//!   command     4   term 8 | index 8 | stamp 8 | command
//!   commit hint 5   index 8
//! snapshot?  = 0 | 1, term 8 | index 8 | stamp 8 | count 8 | voter 8 ...        numbers little-endian
//! ```
//!
//! The first record of a segment is its opening, which repeats what was in force, so that older
//! segments can be freed. Each group names the end of what had been synced before it. So a group that
//! cannot be read is *damage* if a later group names a place behind it, and a *torn tail* otherwise: its
//! sync was never reported. A torn tail is overwritten with zeroes before anything is appended; damage
//! refuses to start. An entry at index i drops everything from i on that was written before.

use core::fmt;
use std::collections::VecDeque;
use std::io;
use std::sync::mpsc;

use otterkeeper_core::id::Index;
use otterkeeper_core::node::Records;
use otterkeeper_core::raft::message::{Entry, SnapshotMeta, Vote};

use crate::files::{File, Files};

pub(crate) mod layout;
mod recover;

use layout::{HEADER, Place, Record, SECTOR, State};

/// Length of a segment file unless a test wants less.
pub const SEGMENT_BYTES: u64 = 16 << 20;

/// Freed segments that are kept for reuse.
const FREE_SEGMENTS: usize = 8;

/// The name under which a segment is filled.
const FILLING: &str = "filling.tmp";

/// The log, open for appending.
pub struct Wal<F: Files> {
    files: F,
    salt: u64,
    segment_bytes: u64,
    /// Segments before the current one, oldest first, with the highest index of an entry in each.
    closed: VecDeque<(u64, Index)>,
    current: F::File,
    /// Where the next group goes.
    end: Place,
    /// Length of the current segment.
    capacity: u64,
    /// Highest index of an entry in the current segment.
    highest: Index,
    /// The end of what has been synced.
    synced: Place,
    state: State,
    /// How many of `closed` hold nothing that is needed.
    free: usize,
    next: Next<F>,
    buffer: Vec<u8>,
}

/// The segment after the current one.
enum Next<F: Files> {
    Absent,
    /// It is being made, maybe by another thread.
    Underway(mpsc::Receiver<io::Result<Prepared<F>>>),
    Ready(F::File),
}

/// What the log held.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Recovered {
    /// There was no log: this directory has never been written to.
    pub fresh: bool,
    /// The last term and vote.
    pub vote: Vote,
    /// A committed index that was noted down, or 0.
    pub commit_hint: Index,
    /// The snapshot in force.
    pub snapshot: Option<SnapshotMeta>,
    /// The entries that are needed, contiguous.
    pub log: Vec<Entry>,
    /// Whether a torn tail was cut off.
    pub torn: bool,
}

/// Why the log cannot be opened.
#[derive(Debug)]
pub enum WalError {
    /// The operating system refused.
    Io(io::Error),
    /// What was reported as written is not there. The text says where and what is wrong.
    Damaged(String),
}

impl fmt::Display for WalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "the log cannot be read: {error}"),
            Self::Damaged(what) => write!(
                f,
                "the log is damaged ({what}); nothing was changed. Do not delete single files: this member may \
                 forget what it promised. Restore the whole data directory from a copy made while the \
                 server was stopped, or remove this member and add it again under a new replica id"
            ),
        }
    }
}

impl core::error::Error for WalError {}

impl From<io::Error> for WalError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl<F: Files> Wal<F> {
    /// Opens the log in `files`, or begins one. `salt` must be the same every time and unknown to clients.
    ///
    /// # Errors
    /// If the files cannot be read or written, or if something that was synced is missing.
    pub fn open(files: F, salt: u64, segment_bytes: u64) -> Result<(Self, Recovered), WalError> {
        recover::open(files, salt, segment_bytes)
    }

    /// Appends these writes, in order, with one write and, if any of them asks for it, one sync. When
    /// this returns `Ok`, they may be reported; after an error the log must not be used any more.
    ///
    /// # Errors
    /// If the operating system refuses. A failed sync is never repeated: it would prove nothing.
    pub fn append(&mut self, batch: impl IntoIterator<Item = Records>) -> io::Result<()> {
        let mut sync = false;
        let mut group = layout::begin_group(&mut self.buffer);
        for records in batch {
            // The files that a snapshot replaces are removed once this returns.
            sync |= records.sync || records.snapshot.is_some();
            for record in layout::records_of(records) {
                let before = self.buffer.len();
                layout::put_record(&mut self.buffer, &record);
                if self.room() < self.buffer.len().next_multiple_of(SECTOR) {
                    let moved = self.buffer.split_off(before);
                    self.write_group(group)?;
                    self.next_segment()?;
                    group = layout::begin_group(&mut self.buffer);
                    self.buffer.extend_from_slice(&moved);
                    if self.room() < self.buffer.len().next_multiple_of(SECTOR) {
                        return Err(io::Error::other(
                            "a record is longer than a segment of the log",
                        ));
                    }
                }
                self.note(&record);
            }
        }
        self.write_group(group)?;
        if sync {
            self.sync()?;
        }
        Ok(())
    }

    /// Has the next segment prepared, unless that was done already, so that the change of segments need
    /// not wait. `run` decides where the work is done: usually on another thread. Without this call it
    /// is done when the segment is needed.
    pub fn prepare(&mut self, run: impl FnOnce(Box<dyn FnOnce() + Send>)) {
        if matches!(self.next, Next::Absent) {
            let preparation = self.preparation();
            let (sender, receiver) = mpsc::sync_channel(1);
            self.next = Next::Underway(receiver);
            run(Box::new(move || {
                // The receiver is gone only if the log was closed meanwhile.
                let _ = sender.send(preparation.run());
            }));
        }
    }

    /// Names the end of the log as synced, so that damage to the last group is noticed as well. For a
    /// clean stop.
    ///
    /// # Errors
    /// If the operating system refuses.
    pub fn seal(&mut self) -> io::Result<()> {
        self.sync()?;
        if self.room() < SECTOR {
            self.next_segment()?;
        } else {
            let group = layout::begin_group(&mut self.buffer);
            let Place { generation, .. } = self.end;
            layout::end_group(&mut self.buffer, group, self.salt, generation, self.synced);
        }
        self.write_buffer()?;
        self.sync()
    }

    /// Bytes that the files of the log take, the prepared segment included.
    #[must_use]
    pub fn disk_bytes(&self) -> u64 {
        (self.closed.len() as u64 + 2) * self.segment_bytes
    }

    /// How many bytes the buffer may have.
    fn room(&self) -> usize {
        usize::try_from(self.capacity - self.end.offset).expect("a segment fits into memory")
    }

    /// Ends the group, if it has records, and writes the buffer out.
    fn write_group(&mut self, group: usize) -> io::Result<()> {
        if self.buffer.len() == group + HEADER {
            self.buffer.truncate(group);
        } else {
            layout::end_group(
                &mut self.buffer,
                group,
                self.salt,
                self.end.generation,
                self.synced,
            );
        }
        self.write_buffer()
    }

    fn write_buffer(&mut self) -> io::Result<()> {
        if !self.buffer.is_empty() {
            self.current.write_at(self.end.offset, &self.buffer)?;
            self.end.offset += self.buffer.len() as u64;
            self.buffer.clear();
        }
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.synced != self.end {
            self.current.sync()?;
            self.synced = self.end;
        }
        self.free = self
            .closed
            .iter()
            .take_while(|(_, highest)| *highest < self.state.keep_from)
            .count();
        Ok(())
    }

    /// Closes the current segment and puts the opening of the next one into the buffer. The old one is
    /// synced first, so a tail can be torn in the last segment only.
    fn next_segment(&mut self) -> io::Result<()> {
        self.sync()?;
        let prepared = match core::mem::replace(&mut self.next, Next::Absent) {
            Next::Ready(file) => Prepared { file, used: 0 },
            Next::Underway(receiver) => receiver.recv().map_err(io::Error::other)??,
            Next::Absent => self.preparation().run()?,
        };
        let next = prepared.file;
        self.closed.drain(..prepared.used);
        self.free -= prepared.used;
        self.closed.push_back((self.end.generation, self.highest));
        self.capacity = next.length()?;
        self.current = next;
        self.end = Place {
            generation: self.end.generation + 1,
            offset: 0,
        };
        self.highest = Index(0);
        self.put_opening();
        Ok(())
    }

    fn put_opening(&mut self) {
        let group = layout::begin_group(&mut self.buffer);
        layout::put_record(&mut self.buffer, &Record::Opening(self.state.clone()));
        layout::end_group(
            &mut self.buffer,
            group,
            self.salt,
            self.end.generation,
            self.synced,
        );
    }

    fn note(&mut self, record: &Record) {
        if let Record::Entry(entry) = record {
            self.highest = self.highest.max(entry.id.index);
        }
        self.state.apply(record);
    }

    fn preparation(&self) -> Preparation<F> {
        Preparation {
            files: self.files.clone(),
            generation: self.end.generation + 1,
            segment_bytes: self.segment_bytes,
            free: self
                .closed
                .iter()
                .take(self.free)
                .map(|(generation, _)| *generation)
                .collect(),
        }
    }
}

impl State {
    /// What is in force after this record.
    fn apply(&mut self, record: &Record) {
        match record {
            Record::Opening(state) => *self = state.clone(),
            Record::Vote(vote) => self.vote = *vote,
            Record::Cut {
                snapshot,
                keep_from,
                drop_log,
            } => {
                if let Some(snapshot) = snapshot {
                    self.snapshot = Some(snapshot.clone());
                }
                self.keep_from = self.keep_from.max(keep_from.unwrap_or_default());
                if *drop_log || self.last < self.keep_from {
                    self.last = self.keep_from.prev();
                }
            }
            Record::Entry(entry) => self.last = entry.id.index,
            Record::CommitHint(index) => self.commit_hint = *index,
        }
    }
}

fn segment_name(generation: u64) -> String {
    format!("{generation:016x}.wal")
}

/// The work of making the next segment ready; it may be done on another thread.
struct Preparation<F> {
    files: F,
    generation: u64,
    segment_bytes: u64,
    /// Segments that hold nothing needed, oldest first.
    free: Vec<u64>,
}

/// A segment that can be written to.
struct Prepared<F: Files> {
    file: F::File,
    /// How many freed segments are gone.
    used: usize,
}

impl<F: Files> Preparation<F> {
    /// Makes the segment. Its name is durable when this returns, and its bytes are on disk, so that
    /// writing to it changes nothing but data. The oldest freed segment is used again if there is one.
    fn run(self) -> io::Result<Prepared<F>> {
        let name = segment_name(self.generation);
        let surplus = self.free.len().saturating_sub(FREE_SEGMENTS);
        for generation in &self.free[..surplus] {
            self.files.remove(&segment_name(*generation))?;
        }
        let reused = self.free.get(surplus);
        if let Some(generation) = reused {
            self.files.rename(&segment_name(*generation), &name)?;
        } else {
            let mut file = self.files.create(FILLING)?;
            fill(&mut file, 0, self.segment_bytes)?;
            file.sync()?;
            self.files.rename(FILLING, &name)?;
        }
        self.files.sync_names()?;
        let file = self.files.open(&name)?;
        Ok(Prepared {
            file,
            used: surplus + usize::from(reused.is_some()),
        })
    }
}

/// Overwrites a range with zeroes.
fn fill(file: &mut impl File, from: u64, to: u64) -> io::Result<()> {
    const ZEROES: &[u8] = &[0; 1 << 18];
    let mut offset = from;
    while offset < to {
        let length = (to - offset).min(ZEROES.len() as u64);
        file.write_at(
            offset,
            &ZEROES[..usize::try_from(length).map_err(io::Error::other)?],
        )?;
        offset += length;
    }
    Ok(())
}

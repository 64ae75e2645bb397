//! The disk of a fuzzed or explored member: what was synced stays, and a crash leaves any prefix of the rest.

use std::collections::VecDeque;

use otterkeeper_core::id::{Index, SaveId, WriteId};
use otterkeeper_core::node::{Boot, Records, SavePart, SnapshotImage};
use otterkeeper_core::raft::message::Entry;

/// The disk.
#[derive(Clone, Default)]
pub struct ModelDisk {
    synced: Boot,
    writes: VecDeque<(WriteId, Records)>,
    parts: VecDeque<(SaveId, SavePart)>,
    unfinished: Option<SnapshotImage>,
    files: Vec<SnapshotImage>,
}

impl ModelDisk {
    /// A disk on which this lies.
    #[must_use]
    pub fn holding(boot: Boot) -> Self {
        Self {
            synced: boot,
            ..Self::default()
        }
    }

    /// Hands a write over.
    pub fn write(&mut self, id: WriteId, records: Records) {
        assert!(
            self.writes.back().is_none_or(|(last, _)| *last < id),
            "writes are numbered upwards"
        );
        self.writes.push_back((id, records));
    }

    /// Hands a part of a snapshot over.
    pub fn save(&mut self, id: SaveId, part: SavePart) {
        self.parts.push_back((id, part));
    }

    /// What a crash now surely leaves.
    pub const fn synced(&self) -> &Boot {
        &self.synced
    }

    /// The last index of it.
    pub fn last(&self) -> Index {
        let covered = self.synced.snapshot.as_ref();
        let covered = covered.map_or(Index(0), |image| image.meta.last.index);
        let last = self.synced.log.last();
        last.map_or(covered, |entry| entry.id.index.max(covered))
    }

    /// Writes that are not synced, oldest first.
    pub fn unsynced(&self) -> impl Iterator<Item = &Records> {
        self.writes.iter().map(|(_, records)| records)
    }

    /// Syncs the oldest `count` writes; the number of the last of them.
    pub fn sync(&mut self, count: usize) -> Option<WriteId> {
        let mut last = None;
        for _ in 0..count.min(self.writes.len()) {
            if let Some((id, records)) = self.writes.pop_front() {
                self.apply(records, usize::MAX);
                last = Some(id);
            }
        }
        last
    }

    /// Keeps the oldest `count` parts; the number of the last of them.
    pub fn keep(&mut self, count: usize) -> Option<SaveId> {
        let mut last = None;
        for _ in 0..count.min(self.parts.len()) {
            if let Some((id, part)) = self.parts.pop_front() {
                self.keep_part(part);
                last = Some(id);
            }
        }
        last
    }

    /// The process ends, and of what was not synced this many records are there.
    pub fn crash(&mut self, records: usize) -> Boot {
        let mut left = records;
        for (_, write) in core::mem::take(&mut self.writes) {
            left = self.apply(write, left);
        }
        self.parts.clear();
        self.unfinished = None;
        self.synced.clone()
    }

    fn keep_part(&mut self, part: SavePart) {
        if part.number == 0 {
            self.unfinished = Some(SnapshotImage {
                meta: part.meta.clone(),
                parts: Vec::new(),
            });
        }
        let mut image = self.unfinished.take().expect("parts come in order");
        assert_eq!(
            (&image.meta, image.parts.len()),
            (&part.meta, part.number as usize),
            "parts come in order"
        );
        image.parts.push(part.bytes);
        match part.last {
            true => self.files.push(image),
            false => self.unfinished = Some(image),
        }
    }

    /// Applies the first `left` records of a write; how many are left after it, 0 if it did not fit.
    fn apply(&mut self, records: Records, mut left: usize) -> usize {
        let mut next = || {
            let fits = 0 < left;
            left = left.saturating_sub(1);
            fits
        };
        if let Some(vote) = records.vote {
            if !next() {
                return 0;
            }
            self.synced.vote = vote;
        }
        if records.snapshot.is_some() || records.keep_log_from.is_some() || records.drop_log {
            if !next() {
                return 0;
            }
            if let Some(meta) = &records.snapshot {
                let file = self.files.iter().rev().find(|file| file.meta == *meta);
                let file = file.expect("a snapshot is saved before it is in force");
                self.synced.snapshot = Some(file.clone());
            }
            if let Some(from) = records.keep_log_from {
                let keeps = |entry: &Entry| from <= entry.id.index && !records.drop_log;
                self.synced.log.retain(keeps);
            }
        }
        for entry in records.entries {
            if !next() {
                return 0;
            }
            let log = &mut self.synced.log;
            log.retain(|old| old.id.index < entry.id.index);
            let joins = log
                .last()
                .is_none_or(|last| last.id.index.0 + 1 == entry.id.index.0);
            assert!(joins, "an entry joins the log");
            log.push(entry);
        }
        if let Some(hint) = records.commit_hint
            && next()
        {
            self.synced.commit_hint = hint;
        }
        left
    }
}

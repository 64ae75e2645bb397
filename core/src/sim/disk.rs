//! A disk that forgets: what was synced stays, and of what was written after that a crash leaves any
//! prefix, torn between records (rule 5 of the contract in `lib.rs`). Two lanes: the log with group
//! commit, and snapshot files, of which an unfinished one is lost (rule R3). It knows records, not Raft.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::chunks::Chunks;
use super::hash::{mix, mix_bytes};
use super::profile::DiskProfile;
use crate::id::{Index, LogId, SaveId, Term, WriteId};
use crate::node::{Boot, Records, SavePart, SnapshotImage};
use crate::raft::message::{Entry, Payload, SnapshotMeta, Vote};
use crate::rng::Rng;
use crate::time::{Span, Time};

/// A group without a record that asks for a sync is reported after this: a write into the page cache.
const UNSYNCED_WRITE: Span = Span(50);

/// What a boot would find.
#[derive(Clone)]
struct Image {
    vote: Vote,
    commit_hint: Index,
    snapshot: Option<Arc<SnapshotImage>>,
    /// Numbered by index.
    log: Chunks<Entry>,
}

#[derive(Clone)]
struct Queued {
    id: WriteId,
    since: Time,
    records: Arc<Records>,
    /// Reported as written although no sync was asked for and none has happened.
    reported: bool,
}

#[derive(Clone)]
pub(super) struct Disk {
    pub(super) profile: DiskProfile,
    frozen: bool,
    synced: Image,
    /// Handed over and not known to survive a crash, in the order of their numbers.
    queue: VecDeque<Queued>,
    /// Up to which write the group under way reaches, and when it is done.
    syncing: Option<(WriteId, Time)>,
    saves: VecDeque<(SaveId, SavePart)>,
    saving: Option<(SaveId, Time)>,
    /// The parts of the unfinished snapshot.
    unfinished: Option<SnapshotImage>,
    /// Finished files, the newest last. One goes when a later one is in force.
    files: VecDeque<Arc<SnapshotImage>>,
    /// What somebody copied.
    copy: Option<Image>,
}

impl Disk {
    pub(super) fn new(profile: DiskProfile) -> Self {
        Self {
            profile,
            frozen: false,
            synced: Image {
                vote: Vote::default(),
                commit_hint: Index(0),
                snapshot: None,
                log: Chunks::new(1),
            },
            queue: VecDeque::new(),
            syncing: None,
            saves: VecDeque::new(),
            saving: None,
            unfinished: None,
            files: VecDeque::new(),
            copy: None,
        }
    }

    /// When it will report something; never while it is frozen.
    pub(super) fn deadline(&self) -> Time {
        if self.frozen {
            return Time::NEVER;
        }
        let synced = self.syncing.map_or(Time::NEVER, |(_, done)| done);
        let saved = self.saving.map_or(Time::NEVER, |(_, done)| done);
        synced.min(saved)
    }

    pub(super) fn write(&mut self, now: Time, id: WriteId, records: Records, rng: &mut Rng) {
        let records = Arc::new(records);
        self.queue.push_back(Queued {
            id,
            since: now,
            records,
            reported: false,
        });
        self.begin(now, rng);
    }

    pub(super) fn save(&mut self, now: Time, id: SaveId, part: SavePart, rng: &mut Rng) {
        self.saves.push_back((id, part));
        self.begin_save(now, rng);
    }

    /// What is done by now: the numbers to report. `Err` if what was written cannot be a log.
    pub(super) fn complete(
        &mut self,
        now: Time,
        rng: &mut Rng,
    ) -> Result<(Option<WriteId>, Option<SaveId>), String> {
        let mut written = None;
        let mut saved = None;
        if self.frozen {
            return Ok((None, None));
        }
        if let Some((id, done)) = self.syncing
            && done <= now
        {
            self.syncing = None;
            written = Some(id);
            if self
                .queue
                .iter()
                .any(|queued| queued.id <= id && queued.records.sync)
            {
                while let Some(queued) = self.queue.front()
                    && queued.id <= id
                {
                    let records = Arc::clone(&queued.records);
                    self.queue.pop_front();
                    self.synced.apply(&records, u32::MAX, &self.files)?;
                    self.sweep(&records);
                }
            } else {
                self.queue
                    .iter_mut()
                    .filter(|q| q.id <= id)
                    .for_each(|q| q.reported = true);
            }
            self.begin(now, rng);
        }
        if let Some((id, done)) = self.saving
            && done <= now
        {
            self.saving = None;
            saved = Some(id);
            while let Some((first, _)) = self.saves.front()
                && *first <= id
                && let Some((_, part)) = self.saves.pop_front()
            {
                self.keep(part)?;
            }
            self.begin_save(now, rng);
        }
        Ok((written, saved))
    }

    /// The process ends: of the records that were not synced, `keep` survive. Returns how many did not.
    pub(super) fn crash(&mut self, keep: u32) -> Result<u32, String> {
        let mut rest = keep;
        let mut lost = 0;
        for queued in core::mem::take(&mut self.queue) {
            let count = record_count(&queued.records);
            let kept = rest.min(count);
            self.synced.apply(&queued.records, kept, &self.files)?;
            rest -= kept;
            lost += count - kept;
            if kept < count {
                rest = 0;
            }
        }
        self.syncing = None;
        self.saving = None;
        self.saves.clear();
        self.unfinished = None;
        Ok(lost)
    }

    /// Keeps a copy of what a crash now surely leaves.
    pub(super) fn copy(&mut self) {
        self.copy = Some(self.synced.clone());
    }

    /// What was synced since the copy is lost too. False if there is no copy. Only after a crash.
    pub(super) fn put_back(&mut self) -> bool {
        let Some(copy) = &self.copy else {
            return false;
        };
        self.synced = copy.clone();
        self.files = self.synced.snapshot.iter().cloned().collect();
        true
    }

    pub(super) const fn has_copy(&self) -> bool {
        self.copy.is_some()
    }

    /// Records that a crash now may take.
    pub(super) fn unsynced(&self) -> u32 {
        self.queue
            .iter()
            .map(|queued| record_count(&queued.records))
            .sum()
    }

    pub(super) fn image(&self) -> Boot {
        Boot {
            vote: self.synced.vote,
            commit_hint: self.synced.commit_hint,
            snapshot: self.synced.snapshot.as_deref().cloned(),
            log: self.synced.log.iter().cloned().collect(),
        }
    }

    pub(super) fn freeze(&mut self) {
        self.frozen = true;
        self.syncing = None;
        self.saving = None;
    }

    pub(super) fn thaw(&mut self, now: Time, rng: &mut Rng) {
        self.frozen = false;
        self.begin(now, rng);
        self.begin_save(now, rng);
    }

    pub(super) const fn is_frozen(&self) -> bool {
        self.frozen
    }

    /// When the oldest write that is not reported was handed over.
    pub(super) fn oldest(&self) -> Option<Time> {
        self.queue
            .iter()
            .find(|queued| !queued.reported)
            .map(|queued| queued.since)
    }

    pub(super) fn waiting(&self) -> usize {
        self.queue.iter().filter(|queued| !queued.reported).count()
    }

    pub(super) fn syncing_until(&self) -> Option<Time> {
        self.syncing.map(|(_, done)| done)
    }

    /// The vote that survives any crash now.
    pub(super) const fn vote(&self) -> Vote {
        self.synced.vote
    }

    /// The last index that is there after a crash now which keeps only what was synced.
    pub(super) fn last(&self) -> Index {
        let log = Index(self.synced.log.next() - 1);
        log.max(self.snapshot_last())
    }

    pub(super) fn snapshot_last(&self) -> Index {
        self.synced
            .snapshot
            .as_ref()
            .map_or(Index(0), |image| image.meta.last.index)
    }

    /// Whether this entry is there after every crash that is possible now.
    pub(super) fn surely_has(&self, id: LogId) -> bool {
        if id.index <= self.snapshot_last() {
            return true;
        }
        let synced = self
            .synced
            .log
            .get(id.index.0)
            .is_some_and(|entry| entry.id == id);
        synced
            && !self.queue.iter().any(|queued| {
                let records = &queued.records;
                let first = records.entries.first().map(|entry| entry.id.index);
                first.is_some_and(|first| first <= id.index)
                    || (records.drop_log && records.keep_log_from.is_some_and(|k| k <= id.index))
            })
    }

    /// Whether every crash that is possible now leaves the log up to this index as it was acked in
    /// this term, or leaves a higher term, in which that ack means nothing.
    pub(super) fn attests(&self, index: Index, term: Term) -> bool {
        if index <= self.snapshot_last() {
            return true;
        }
        if self
            .synced
            .log
            .get(index.0)
            .is_none_or(|entry| term < entry.id.term)
        {
            return false;
        }
        for queued in &self.queue {
            let records = &queued.records;
            let covered = |meta: &SnapshotMeta| index <= meta.last.index;
            if records.vote.is_some_and(|vote| term < vote.term)
                || records.snapshot.as_ref().is_some_and(covered)
            {
                return true;
            }
            let first = records.entries.first().map(|entry| entry.id.index);
            if first.is_some_and(|first| first <= index) || records.drop_log {
                return false;
            }
        }
        true
    }

    pub(super) fn digest(&self, mut hash: u64) -> u64 {
        hash = mix(hash, self.synced.vote.term.0);
        hash = mix(hash, self.synced.vote.voted_for.map_or(0, |id| id.0));
        hash = mix(hash, self.snapshot_last().0);
        hash = mix(hash, self.synced.log.first());
        hash = mix(hash, self.synced.log.last().map_or(0, entry_hash));
        hash = mix(hash, self.queue.back().map_or(0, |queued| queued.id.0));
        mix(hash, self.deadline().0)
    }

    /// Removes the files that are older than a snapshot that came into force.
    fn sweep(&mut self, records: &Records) {
        if let Some(meta) = &records.snapshot {
            self.files
                .retain(|file| meta.last.index <= file.meta.last.index);
        }
    }

    fn begin(&mut self, now: Time, rng: &mut Rng) {
        if self.frozen || self.syncing.is_some() {
            return;
        }
        let Some(last) = self.queue.back() else {
            return;
        };
        if last.reported {
            return;
        }
        let sync = self.queue.iter().any(|queued| queued.records.sync);
        let latency = if sync {
            Span(rng.between(self.profile.min.0, self.profile.max.0))
        } else {
            UNSYNCED_WRITE
        };
        self.syncing = Some((last.id, now + latency));
    }

    fn begin_save(&mut self, now: Time, rng: &mut Rng) {
        if self.frozen || self.saving.is_some() {
            return;
        }
        let Some((last, _)) = self.saves.back() else {
            return;
        };
        let latency = Span(rng.between(self.profile.min.0, self.profile.max.0));
        self.saving = Some((*last, now + latency));
    }

    fn keep(&mut self, part: SavePart) -> Result<(), String> {
        if part.number == 0 {
            self.unfinished = Some(SnapshotImage {
                meta: part.meta.clone(),
                parts: Vec::new(),
            });
        }
        let fits = |image: &SnapshotImage| {
            image.meta == part.meta && image.parts.len() == part.number as usize
        };
        let Some(mut image) = self.unfinished.take().filter(fits) else {
            return Err("a part of a snapshot was saved out of order".into());
        };
        image.parts.push(part.bytes);
        if part.last {
            self.files.push_back(Arc::new(image));
        } else {
            self.unfinished = Some(image);
        }
        Ok(())
    }
}

impl Image {
    /// Applies the first `keep` records of a write.
    fn apply(
        &mut self,
        records: &Records,
        mut keep: u32,
        files: &VecDeque<Arc<SnapshotImage>>,
    ) -> Result<(), String> {
        let mut next = || {
            let go = 0 < keep;
            keep = keep.saturating_sub(1);
            go
        };
        if let Some(vote) = records.vote {
            if !next() {
                return Ok(());
            }
            self.vote = vote;
        }
        if marks(records) {
            if !next() {
                return Ok(());
            }
            if let Some(meta) = &records.snapshot {
                let Some(file) = files.iter().rev().find(|file| file.meta == *meta) else {
                    return Err("a snapshot was put in force before it was saved".into());
                };
                self.snapshot = Some(Arc::clone(file));
            }
            if let Some(from) = records.keep_log_from {
                self.log.drop_before(from.0);
                if records.drop_log {
                    self.log.truncate(from.0);
                }
            }
        }
        for entry in &records.entries {
            if !next() {
                return Ok(());
            }
            let index = entry.id.index.0;
            if index < self.log.first() || self.log.next() < index {
                return Err("an entry was written that does not join the log".into());
            }
            self.log.truncate(index);
            self.log.push(entry.clone());
        }
        if let Some(hint) = records.commit_hint
            && next()
        {
            self.commit_hint = hint;
        }
        Ok(())
    }
}

/// Whether a write says something of snapshots or of the log's beginning: one record.
const fn marks(records: &Records) -> bool {
    records.snapshot.is_some() || records.keep_log_from.is_some() || records.drop_log
}

fn record_count(records: &Records) -> u32 {
    u32::from(records.vote.is_some())
        + u32::from(marks(records))
        + records.entries.len() as u32
        + u32::from(records.commit_hint.is_some())
}

/// Hash of an entry alone.
pub(super) fn entry_hash(entry: &Entry) -> u64 {
    let hash = mix(mix(entry.id.index.0, entry.id.term.0), entry.stamp.0);
    match &entry.payload {
        Payload::Blank => mix(hash, 1),
        Payload::Command(bytes) => mix_bytes(mix(hash, 2), bytes),
        Payload::Membership(configuration) => {
            configuration
                .members()
                .iter()
                .fold(mix(hash, 3), |hash, member| {
                    let replica = member.replica.0;
                    let hash = mix(mix(hash, member.id.0), member.standing as u64);
                    let hash = mix(mix(hash, replica as u64), (replica >> 64) as u64);
                    mix_bytes(hash, member.address.as_bytes())
                })
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn entry(term: u64, index: u64) -> Entry {
        Entry {
            id: LogId {
                term: Term(term),
                index: Index(index),
            },
            stamp: Time(0),
            payload: Payload::Command(Bytes::from_static(b"x")),
        }
    }

    fn write(vote: u64, entries: &[Entry]) -> Records {
        let vote = (vote != 0).then_some(Vote {
            term: Term(vote),
            voted_for: None,
        });
        Records {
            vote,
            entries: entries.to_vec(),
            sync: true,
            ..Records::default()
        }
    }

    #[test]
    fn a_crash_keeps_what_was_synced_and_a_prefix_of_the_rest() {
        let profile = DiskProfile {
            min: Span(1_000),
            max: Span(1_000),
        };
        for keep in 0..=4 {
            let mut rng = Rng::new(1);
            let mut disk = Disk::new(profile);
            disk.write(
                Time(0),
                WriteId(1),
                write(1, &[entry(1, 1), entry(1, 2)]),
                &mut rng,
            );
            assert_eq!(disk.deadline(), Time(1_000));
            // These two wait together for the next sync.
            disk.write(Time(10), WriteId(2), write(2, &[entry(2, 2)]), &mut rng);
            disk.write(Time(20), WriteId(3), write(0, &[entry(2, 3)]), &mut rng);
            let done = disk.complete(Time(1_000), &mut rng);
            assert_eq!(done, Ok((Some(WriteId(1)), None)));
            assert!(disk.surely_has(entry(1, 1).id));
            assert!(
                !disk.surely_has(entry(1, 2).id),
                "a write that replaces it is under way"
            );
            assert_eq!(disk.crash(keep), Ok(3_u32.saturating_sub(keep)));
            let boot = disk.image();
            let terms: Vec<u64> = boot.log.iter().map(|entry| entry.id.term.0).collect();
            let expected: (u64, &[u64]) = match keep {
                0 => (1, &[1, 1]),
                1 => (2, &[1, 1]),
                2 => (2, &[1, 2]),
                _ => (2, &[1, 2, 2]),
            };
            assert_eq!((boot.vote.term.0, &*terms), expected);
        }
    }

    #[test]
    fn a_frozen_disk_reports_after_it_thaws() {
        let mut rng = Rng::new(1);
        let mut disk = Disk::new(DiskProfile {
            min: Span(5),
            max: Span(5),
        });
        disk.write(Time(0), WriteId(1), write(1, &[]), &mut rng);
        disk.freeze();
        assert_eq!(disk.deadline(), Time::NEVER);
        assert_eq!(disk.oldest(), Some(Time(0)));
        disk.thaw(Time(100), &mut rng);
        assert_eq!(disk.deadline(), Time(105));
        assert_eq!(
            disk.complete(Time(105), &mut rng),
            Ok((Some(WriteId(1)), None))
        );
        assert_eq!(disk.oldest(), None);
    }
}

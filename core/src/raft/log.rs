//! The entries in memory, in chunks that clones share. Every entry carries the sum of bytes and the
//! rolling hash up to it, so that lengths, limits and the digest cost nothing to ask for and truncation
//! restores them. Does not know what is durable or committed.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::message::{Entry, Payload, SnapshotMeta};
use crate::configuration::Configuration;
use crate::id::{Index, LogId, Term};
use crate::spine::Spine;
use crate::time::Time;

/// Entries that are copied at most when a clone and its origin part ways.
const CHUNK: u64 = 32;
/// Chunks of a cut log that are freed in one step, so that none stalls.
const FREED_AT_ONCE: usize = 64;
#[derive(Clone)]
struct Slot {
    entry: Entry,
    /// What the log amounts to up to and including this entry.
    sum: Sum,
}

/// Running totals of a log prefix.
#[derive(Clone, Copy, Default)]
struct Sum {
    bytes: u64,
    hash: u64,
}

impl Sum {
    fn with(self, entry: &Entry) -> Self {
        Self {
            bytes: self.bytes + entry.encoded_bytes(),
            hash: hash(self.hash, entry),
        }
    }
}

#[derive(Clone)]
struct Chunk {
    first: Index,
    slots: Vec<Slot>,
}

/// The log after `base`. Entries at or below `base` are in a snapshot, or before the first.
#[derive(Clone)]
pub(super) struct Log {
    base: LogId,
    base_stamp: Time,
    base_sum: Sum,
    /// Chunk k of the log holds indexes k * CHUNK + 1 ..= (k + 1) * CHUNK; the first may lack its
    /// beginning, or still hold entries that were cut.
    chunks: Spine<Chunk>,
    /// Cut chunks that are not freed yet.
    stale: Vec<Arc<Chunk>>,
    last: LogId,
    last_stamp: Time,
    last_sum: Sum,
}

impl Log {
    /// An empty log after the snapshot, or an empty log.
    pub(super) fn after(snapshot: Option<&SnapshotMeta>) -> Self {
        let (base, stamp) = snapshot.map_or_else(Default::default, |meta| (meta.last, meta.stamp));
        Self::empty_after(base, stamp)
    }

    /// The log as the disk held it. `true` if its entries had to go, because they do not fit the
    /// snapshot: they end before it or differ at its index (hashicorp/raft#697).
    pub(super) fn boot(
        snapshot: Option<&SnapshotMeta>,
        entries: Vec<Entry>,
    ) -> Result<(Self, bool), String> {
        let mut log = Self::after(snapshot);
        let covered = log.base;
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else {
            return Ok((log, false));
        };
        if covered.index.next() < first.id.index {
            return Err(format!(
                "the log begins at {} although nothing covers what lies before it but {covered}",
                first.id
            ));
        }
        for pair in entries.windows(2) {
            let follows = pair[1].id.index == pair[0].id.index.next();
            if !follows || pair[1].id.term < pair[0].id.term {
                return Err(format!("entry {} follows {}", pair[1].id, pair[0].id));
            }
        }
        if last.id.index < covered.index {
            return Ok((log, true));
        }
        let at = |index: Index| &entries[(index.0 - first.id.index.0) as usize];
        if first.id.index <= covered.index && at(covered.index).id != covered {
            return Ok((log, true));
        }
        if covered.index < first.id.index && first.id.term < covered.term {
            return Err(format!("entry {} follows snapshot {covered}", first.id));
        }
        if first.id.index == Index(1) {
            log = Self::empty_after(LogId::default(), Time(0));
        } else if first.id.index <= covered.index {
            // What lies before the first entry is unknown, so this entry can only be referred to.
            log = Self::empty_after(first.id, first.stamp);
        }
        for entry in entries {
            if log.last.index < entry.id.index {
                log.push(entry);
            }
        }
        Ok((log, false))
    }

    fn empty_after(base: LogId, stamp: Time) -> Self {
        let sum = Sum {
            bytes: 0,
            hash: mix(base.term.0, base.index.0),
        };
        Self {
            base,
            base_stamp: stamp,
            base_sum: sum,
            chunks: Spine::new(),
            stale: Vec::new(),
            last: base,
            last_stamp: stamp,
            last_sum: sum,
        }
    }

    /// The entry before the first: referred to, but not here.
    pub(super) fn base(&self) -> LogId {
        self.base
    }

    pub(super) fn last(&self) -> LogId {
        self.last
    }

    /// Stamp of the last entry.
    pub(super) fn last_stamp(&self) -> Time {
        self.last_stamp
    }

    /// Encoded bytes of all entries.
    pub(super) fn bytes(&self) -> u64 {
        self.last_sum.bytes - self.base_sum.bytes
    }

    /// Encoded bytes of the entries after `index`.
    pub(super) fn bytes_after(&self, index: Index) -> u64 {
        self.last_sum.bytes - self.sum_at(index).bytes
    }

    /// The first entry of the longest tail up to `last` that has no more bytes than this; the one after `last`, if
    /// that one alone has more.
    pub(super) fn tail(&self, last: Index, limit_bytes: u64) -> Index {
        let end = self.sum_at(last).bytes;
        let (mut low, mut high) = (self.base.index.0, last.min(self.last.index).0);
        while low < high {
            let middle = low + (high - low) / 2;
            if end - self.sum_at(Index(middle)).bytes <= limit_bytes {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        Index(low).next()
    }

    /// Rolling hash of the log from its base on.
    pub(super) fn hash(&self) -> u64 {
        self.last_sum.hash
    }

    /// The entries that change the configuration, from the first in memory on.
    pub(super) fn configurations(&self) -> impl Iterator<Item = (Index, &Configuration)> {
        let slots = self.chunks.iter().flat_map(|chunk| &chunk.slots);
        slots.filter_map(|slot| match &slot.entry.payload {
            Payload::Membership(configuration) => Some((slot.entry.id.index, configuration)),
            Payload::Blank | Payload::Command(_) => None,
        })
    }

    pub(super) fn entry(&self, index: Index) -> Option<&Entry> {
        self.slot(index).map(|slot| &slot.entry)
    }

    /// Term and index at `index`; known for the base, too.
    pub(super) fn id_at(&self, index: Index) -> Option<LogId> {
        if index == self.base.index {
            return Some(self.base);
        }
        self.entry(index).map(|entry| entry.id)
    }

    pub(super) fn contains(&self, id: LogId) -> bool {
        self.id_at(id.index) == Some(id)
    }

    /// The largest entry at or below `index` whose term is at most `term`: where two logs can agree
    /// at best. The base, if it reaches no further back.
    pub(super) fn agreement(&self, index: Index, term: Term) -> LogId {
        // Terms never fall along the log, so the entries that qualify are a prefix.
        let (mut low, mut high) = (self.base.index.0, index.min(self.last.index).0);
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            match self.id_at(Index(middle)) {
                Some(id) if id.term <= term => low = middle,
                _ => high = middle - 1,
            }
        }
        self.id_at(Index(low)).unwrap_or(self.base)
    }

    /// The entries from `from` on, up to and including `to`, as many as `limit_bytes` lets through
    /// but at least one if there is one.
    pub(super) fn entries(&self, from: Index, to: Index, limit_bytes: u64) -> Vec<Entry> {
        let to = to.min(self.last.index);
        if to < from || from <= self.base.index {
            return Vec::new();
        }
        let limit = self.sum_at(from.prev()).bytes.saturating_add(limit_bytes);
        let (mut low, mut high) = (from.0, to.0);
        if self.sum_at(to).bytes <= limit {
            low = high; // As nearly always.
        }
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if self.sum_at(Index(middle)).bytes <= limit {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        let mut entries = Vec::with_capacity((low - from.0 + 1) as usize);
        let mut next = from;
        while next.0 <= low
            && let Some(slots) = self.slots_from(next)
        {
            let slots = &slots[..slots.len().min((low - next.0 + 1) as usize)];
            entries.extend(slots.iter().map(|slot| slot.entry.clone()));
            next.0 += slots.len() as u64;
        }
        entries
    }

    /// Adds the next entry.
    pub(super) fn push(&mut self, entry: Entry) {
        debug_assert!(entry.id.index == self.last.index.next());
        debug_assert!(self.last.term <= entry.id.term);
        self.last = entry.id;
        self.last_stamp = entry.stamp;
        self.last_sum = self.last_sum.with(&entry);
        let begins_chunk = (entry.id.index.0 - 1).is_multiple_of(CHUNK);
        let first = entry.id.index;
        let slot = Slot {
            entry,
            sum: self.last_sum,
        };
        match self.chunks.back_mut() {
            Some(chunk) if !begins_chunk => match Arc::get_mut(chunk) {
                Some(chunk) => chunk.slots.push(slot),
                None => {
                    // With room for all that is to come: a clone of the vector has none, and would double.
                    let mut slots = Vec::with_capacity(CHUNK as usize);
                    slots.extend_from_slice(&chunk.slots);
                    slots.push(slot);
                    let first = chunk.first;
                    *chunk = Arc::new(Chunk { first, slots });
                }
            },
            _ => {
                let mut slots = Vec::with_capacity(8);
                slots.push(slot);
                self.chunks.push_back(Arc::new(Chunk { first, slots }));
            }
        }
    }

    /// Drops the entries from `from` on. The base and what is before it stay.
    pub(super) fn truncate(&mut self, from: Index) {
        debug_assert!(self.base.index < from);
        while self.chunks.back().is_some_and(|chunk| from <= chunk.first) {
            self.stale.extend(self.chunks.pop_back());
        }
        if let Some(chunk) = self.chunks.back_mut() {
            let keep = (from.0 - chunk.first.0) as usize;
            if keep < chunk.slots.len() {
                Arc::make_mut(chunk).slots.truncate(keep);
            }
        }
        let last = from.prev().min(self.last.index);
        (self.last, self.last_stamp, self.last_sum) = self.totals_at(last);
    }

    /// Drops the entries before `from`, which is at most the index after the last.
    pub(super) fn cut(&mut self, from: Index) {
        let base = from.prev().min(self.last.index);
        if base <= self.base.index {
            return;
        }
        (self.base, self.base_stamp, self.base_sum) = self.totals_at(base);
        let ends_before =
            |chunk: &Arc<Chunk>| chunk.first.0 + chunk.slots.len() as u64 - 1 <= base.0;
        while self.chunks.front().is_some_and(ends_before) {
            self.stale.extend(self.chunks.pop_front());
        }
    }

    /// Drops everything and goes on after the snapshot.
    pub(super) fn replace(&mut self, snapshot: &SnapshotMeta) {
        let mut stale = core::mem::take(&mut self.stale);
        stale.extend(self.chunks.iter().cloned());
        *self = Self::after(Some(snapshot));
        self.stale = stale;
    }

    /// Frees a slice of what was dropped.
    pub(super) fn free_some(&mut self) {
        let keep = self.stale.len().saturating_sub(FREED_AT_ONCE);
        self.stale.truncate(keep);
    }

    /// Whether the totals kept with the last entry follow from those before it.
    pub(super) fn is_consistent(&self) -> bool {
        let Some(slot) = self.slot(self.last.index) else {
            return self.last == self.base && self.last_sum.hash == self.base_sum.hash;
        };
        let sum = self.sum_at(self.last.index.prev()).with(&slot.entry);
        slot.entry.id == self.last
            && sum.hash == self.last_sum.hash
            && sum.bytes == self.last_sum.bytes
    }

    fn totals_at(&self, index: Index) -> (LogId, Time, Sum) {
        match self.slot(index) {
            Some(slot) => (slot.entry.id, slot.entry.stamp, slot.sum),
            None => (self.base, self.base_stamp, self.base_sum),
        }
    }

    fn sum_at(&self, index: Index) -> Sum {
        self.slot(index).map_or(self.base_sum, |slot| slot.sum)
    }

    fn slot(&self, index: Index) -> Option<&Slot> {
        self.slots_from(index)?.first()
    }

    /// What the chunk that holds this index has from there on.
    fn slots_from(&self, index: Index) -> Option<&[Slot]> {
        if index <= self.base.index || self.last.index < index {
            return None;
        }
        let number = |index: Index| (index.0 - 1) / CHUNK;
        let front = self.chunks.front()?;
        let place = number(index) - number(front.first);
        let chunk = self.chunks.get(place as usize)?;
        let slots = chunk.slots.get((index.0 - chunk.first.0) as usize..);
        slots.filter(|slots| !slots.is_empty())
    }
}

fn hash(before: u64, entry: &Entry) -> u64 {
    let mut state = mix(before, entry.id.term.0);
    state = mix(state, entry.id.index.0);
    state = mix(state, entry.stamp.0);
    let bytes = match &entry.payload {
        Payload::Blank => return state,
        Payload::Command(bytes) => bytes,
        Payload::Membership(configuration) => {
            return configuration.members().iter().fold(state, |state, member| {
                let state = mix(mix(state, member.id.0), member.standing as u64);
                let replica = member.replica.0;
                let state = mix(mix(state, replica as u64), (replica >> 64) as u64);
                member
                    .address
                    .bytes()
                    .fold(state, |state, byte| mix(state, byte.into()))
            });
        }
    };
    state = mix(state, 1 + bytes.len() as u64);
    let mut words = bytes.chunks_exact(8);
    for word in &mut words {
        let word = <[u8; 8]>::try_from(word).expect("chunks_exact gives eight bytes");
        state = mix(state, u64::from_le_bytes(word));
    }
    words
        .remainder()
        .iter()
        .fold(state, |state, byte| mix(state, u64::from(*byte)))
}

/// One multiply and one shift for each word; the finaliser is the node's digest.
const fn mix(state: u64, word: u64) -> u64 {
    let mixed = (state ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed ^ (mixed >> 29)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    fn entry(term: u64, index: u64) -> Entry {
        Entry {
            id: LogId {
                term: Term(term),
                index: Index(index),
            },
            stamp: Time(index),
            payload: Payload::Command(alloc::vec![0; index as usize % 7].into()),
        }
    }

    #[test]
    fn a_log_behaves_like_a_plain_vector() {
        let mut rng = Rng::new(3);
        for _ in 0..20 {
            let (mut log, mut plain) = (Log::after(None), Vec::<Entry>::new());
            let (mut base, mut clones) = (0_u64, Vec::new());
            for _ in 0..200 {
                let last = base + plain.len() as u64;
                match rng.below(10) {
                    0 if last > base => {
                        let from = rng.between(base + 1, last);
                        log.truncate(Index(from));
                        plain.truncate((from - base - 1) as usize);
                    }
                    1 if last > base => {
                        let from = rng.between(base + 1, last + 1);
                        log.cut(Index(from));
                        plain.drain(..(from - base - 1) as usize);
                        base = from - 1;
                    }
                    2 => clones.push((log.clone(), plain.clone(), base)),
                    _ => {
                        let term = log.last().term.0 + rng.below(2);
                        for index in last + 1..=last + rng.below(150) {
                            log.push(entry(term, index));
                            plain.push(entry(term, index));
                        }
                    }
                }
                log.free_some();
                check(&log, &plain, base, &mut rng);
            }
            for (log, plain, base) in &clones {
                check(log, plain, *base, &mut rng);
            }
        }
    }

    fn check(log: &Log, plain: &[Entry], base: u64, rng: &mut Rng) {
        assert_eq!(log.base().index.0, base);
        assert_eq!(log.last().index.0, base + plain.len() as u64);
        assert!(log.is_consistent());
        let bytes = |entries: &[Entry]| entries.iter().map(Entry::encoded_bytes).sum();
        assert_eq!(log.bytes(), bytes(plain));
        assert_eq!(log.entry(Index(base)), None);
        let Some(last) = plain.last() else { return };
        let at = rng.below(plain.len() as u64) as usize;
        let index = Index(base + 1 + at as u64);
        assert_eq!(log.entry(index), plain.get(at));
        assert_eq!(log.bytes_after(index), bytes(&plain[at + 1..]));
        let limit = rng.below(400);
        let tail = log.tail(index, limit);
        let kept = &plain[(tail.0 - base - 1) as usize..=at];
        assert!(bytes(kept) <= limit);
        if let Some(more) = plain[..=at].len().checked_sub(kept.len() + 1) {
            assert!(limit < bytes(&plain[more..=at]));
        }
        let some = log.entries(index, log.last().index, limit);
        assert_eq!(some, plain[at..at + some.len()]);
        assert!(some.len() == 1 || bytes(&some) <= limit);
        assert!(at + some.len() == plain.len() || limit < bytes(&plain[at..=at + some.len()]));
        let term = Term(rng.below(last.id.term.0 + 2));
        let agreed = plain[..=at].iter().rev().find(|e| e.id.term <= term);
        assert_eq!(
            log.agreement(index, term),
            agreed.map_or(log.base(), |e| e.id)
        );
    }

    #[test]
    fn the_hash_depends_on_entries_and_not_on_the_way_there() {
        let mut one = Log::after(None);
        (1..=600).for_each(|index| one.push(entry(1, index)));
        let mut two = one.clone();
        (601..=900).for_each(|index| two.push(entry(2, index)));
        assert_ne!(one.hash(), two.hash());
        two.truncate(Index(601));
        assert_eq!(one.hash(), two.hash());
        two.cut(Index(300));
        assert_eq!(one.hash(), two.hash());
    }

    #[test]
    fn a_booted_log_goes_when_it_does_not_fit_the_snapshot() {
        let meta = |term, index| SnapshotMeta {
            last: entry(term, index).id,
            stamp: Time(0),
            configuration: Configuration::default(),
        };
        let boot = |snapshot: Option<SnapshotMeta>, ids: &[(u64, u64)]| {
            let entries = ids.iter().map(|(term, index)| entry(*term, *index));
            Log::boot(snapshot.as_ref(), entries.collect()).map(|(log, dropped)| {
                let from = log.base().index.0;
                (from, log.last().index.0, dropped)
            })
        };
        assert_eq!(boot(None, &[]), Ok((0, 0, false)));
        assert_eq!(boot(None, &[(1, 1), (1, 2)]), Ok((0, 2, false)));
        assert!(boot(None, &[(1, 2)]).is_err(), "a gap at the start");
        assert!(boot(None, &[(1, 1), (1, 3)]).is_err(), "a gap");
        assert!(boot(None, &[(2, 1), (1, 2)]).is_err(), "a term that falls");
        assert_eq!(boot(Some(meta(1, 5)), &[]), Ok((5, 5, false)));
        assert_eq!(boot(Some(meta(1, 5)), &[(1, 6)]), Ok((5, 6, false)));
        assert!(boot(Some(meta(1, 5)), &[(1, 7)]).is_err(), "a gap after it");
        assert_eq!(
            boot(Some(meta(1, 5)), &[(1, 3), (1, 4), (1, 5), (2, 6)]),
            Ok((3, 6, false))
        );
        assert_eq!(
            boot(Some(meta(1, 2)), &[(1, 1), (1, 2), (2, 3)]),
            Ok((0, 3, false))
        );
        assert_eq!(
            boot(Some(meta(2, 5)), &[(1, 4), (1, 5), (1, 6)]),
            Ok((5, 5, true))
        );
        assert_eq!(boot(Some(meta(1, 5)), &[(1, 3), (1, 4)]), Ok((5, 5, true)));
    }
}

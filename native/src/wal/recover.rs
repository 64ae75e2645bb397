//! Opening the log: replays the segments, tells a torn tail from damage, and cuts the tail off.

use std::collections::VecDeque;
use std::io;

use otterkeeper_core::id::Index;
use otterkeeper_core::raft::message::Entry;

use super::layout::{self, Place, Record, SECTOR, State};
use super::{FILLING, Next, Preparation, Recovered, Wal, WalError, fill, segment_name};
use crate::files::{File, Files};

/// A segment in memory.
struct Segment<F> {
    generation: u64,
    file: F,
    bytes: Vec<u8>,
}

pub(super) fn open<F: Files>(
    files: F,
    salt: u64,
    segment_bytes: u64,
) -> Result<(Wal<F>, Recovered), WalError> {
    let generations = generations(&files)?;
    let mut replay = Replay::default();
    let mut segments = VecDeque::from(generations);
    let mut closed = VecDeque::new();
    let mut tail = None;
    while let Some(generation) = segments.pop_front() {
        let segment = load(&files, generation)?;
        let end = replay.segment(&segment, salt, tail.as_ref().map(|(_, end)| *end))?;
        if end.offset == 0 {
            // Not begun, so the tail is in the segment before.
            segments.push_front(generation);
            break;
        }
        if let Some((before, _)) = tail.replace((segment, end)) {
            let before: Segment<F::File> = before;
            closed.push_back((
                before.generation,
                core::mem::take(&mut replay.highest_before),
            ));
        }
    }
    let first = segments.front().copied().unwrap_or(1);
    let end = tail.as_ref().map_or(
        Place {
            generation: first,
            offset: 0,
        },
        |(_, end)| *end,
    );
    let mut rest = Vec::new();
    for generation in segments {
        rest.push(load(&files, generation)?);
    }

    // Nothing behind the end may name a synced place behind it.
    let mut torn = false;
    let behind = tail.iter_mut().map(|(segment, end)| (segment, end.offset));
    let mut found = Vec::new();
    for (segment, from) in behind.chain(rest.iter_mut().map(|segment| (segment, 0))) {
        let survivors = survivors(segment, from, salt);
        if end < survivors.synced {
            return Err(WalError::Damaged(format!(
                "segment {} cannot be read at byte {}, but segment {} at byte {} was written after it was synced",
                segment_name(end.generation),
                end.offset,
                segment_name(segment.generation),
                survivors.at,
            )));
        }
        found.push((segment, from, survivors));
    }
    replay.check()?;
    for (segment, from, survivors) in found {
        torn |= cut(segment, from, &survivors)?;
    }

    let fresh = tail.is_none();
    let mut rest = rest.into_iter();
    let current = match tail {
        Some((segment, _)) => segment.file,
        None => match rest.next() {
            Some(segment) => segment.file,
            None => {
                let (files, generation) = (files.clone(), end.generation);
                Preparation {
                    files,
                    generation,
                    segment_bytes,
                    free: Vec::new(),
                }
                .run()?
                .file
            }
        },
    };
    let capacity = current.length()?;
    let next = rest
        .next()
        .map_or(Next::Absent, |segment| Next::Ready(segment.file));
    for segment in rest {
        files.remove(&segment_name(segment.generation))?;
    }
    if files.list()?.iter().any(|name| name == FILLING) {
        files.remove(FILLING)?;
    }

    let Replay { state, highest, .. } = &replay;
    let mut wal = Wal {
        files,
        salt,
        segment_bytes,
        closed,
        current,
        end,
        capacity,
        highest: *highest,
        synced: end,
        state: state.clone(),
        free: 0,
        next,
        buffer: Vec::new(),
    };
    if fresh {
        wal.put_opening();
        wal.write_buffer()?;
    }
    // What was read may never have been synced, and is about to be relied on.
    wal.current.sync()?;
    wal.synced = wal.end;
    wal.sync()?;
    let State {
        vote,
        snapshot,
        commit_hint,
        ..
    } = wal.state.clone();
    let log = replay.log.into();
    Ok((
        wal,
        Recovered {
            fresh,
            vote,
            commit_hint,
            snapshot,
            log,
            torn,
        },
    ))
}

/// The generations of the segment files, ascending and without a gap.
fn generations<F: Files>(files: &F) -> Result<Vec<u64>, WalError> {
    let mut generations: Vec<u64> = (files.list()?.iter())
        .filter_map(|name| name.strip_suffix(".wal"))
        .filter_map(|stem| u64::from_str_radix(stem, 16).ok())
        .collect();
    generations.sort_unstable();
    for pair in generations.windows(2) {
        if pair[0] + 1 != pair[1] {
            let missing = segment_name(pair[0] + 1);
            return Err(WalError::Damaged(format!("segment {missing} is missing")));
        }
    }
    Ok(generations)
}

fn load<F: Files>(files: &F, generation: u64) -> io::Result<Segment<F::File>> {
    let file = files.open(&segment_name(generation))?;
    let bytes = file.read_all()?;
    Ok(Segment {
        generation,
        file,
        bytes,
    })
}

/// Groups of this generation that lie behind `from`, where the first unreadable one is.
struct Survivors {
    /// The highest synced end that any of them names.
    synced: Place,
    /// Where that one lies.
    at: usize,
    /// Where the last of them ends; `from` if there is none.
    end: u64,
    /// Where the last sector ends that claims to begin one, readable or not; `from` if there is none.
    claimed: u64,
}

fn survivors<F>(segment: &Segment<F>, from: u64, salt: u64) -> Survivors {
    let mut found = Survivors {
        synced: Place {
            generation: 0,
            offset: 0,
        },
        at: 0,
        end: from,
        claimed: from,
    };
    let mut offset = usize::try_from(from).unwrap_or(usize::MAX);
    while let Some(rest) = segment.bytes.get(offset..).filter(|rest| !rest.is_empty()) {
        let group = layout::read_group(rest, salt, segment.generation);
        let padded = group.as_ref().map_or(SECTOR, |group| group.padded);
        if layout::claims_generation(rest, segment.generation) {
            found.claimed = (offset + SECTOR) as u64;
        }
        if let Some(group) = group {
            found.end = (offset + padded) as u64;
            if found.synced < group.synced {
                found.synced = group.synced;
                found.at = offset;
            }
        }
        offset += padded;
    }
    found
}

/// Overwrites the torn tail behind `from` with zeroes, so that no group of it can come to life behind what is
/// written next, and nothing of it is taken for another torn tail if what is written next ends right before it.
/// Returns whether there was a tail: what an older generation left is none.
fn cut<F: File>(segment: &mut Segment<F>, from: u64, survivors: &Survivors) -> io::Result<bool> {
    let sector = usize::try_from(from)
        .ok()
        .and_then(|from| segment.bytes.get(from..))
        .unwrap_or_default();
    let begun = layout::claims_generation(sector, segment.generation);
    if begun || from < survivors.end {
        let to = survivors.end.max(survivors.claimed);
        fill(&mut segment.file, from, to)?;
        segment.file.sync()?;
        return Ok(true);
    }
    Ok(false)
}

/// What the records read so far amount to.
#[derive(Default)]
struct Replay {
    state: State,
    log: VecDeque<Entry>,
    /// Highest index of an entry in the segment under way, and in the one before it.
    highest: Index,
    highest_before: Index,
    begun: bool,
}

impl Replay {
    /// Takes the readable groups of a segment and returns where they end.
    fn segment<F>(
        &mut self,
        segment: &Segment<F>,
        salt: u64,
        end_before: Option<Place>,
    ) -> Result<Place, WalError> {
        let mut end = Place {
            generation: segment.generation,
            offset: 0,
        };
        while let Some(rest) = usize::try_from(end.offset)
            .ok()
            .and_then(|at| segment.bytes.get(at..))
        {
            let Some(group) = layout::read_group(rest, salt, segment.generation) else {
                break;
            };
            let damaged = |what: &str| {
                let name = segment_name(segment.generation);
                WalError::Damaged(format!("segment {name}, byte {}: {what}", end.offset))
            };
            if end.offset == 0 {
                if end_before.is_some_and(|before| before != group.synced) {
                    return Err(damaged(
                        "the segment before it does not end where this one says",
                    ));
                }
                self.highest_before = core::mem::take(&mut self.highest);
            }
            for record in layout::read_records(group.records) {
                let record =
                    record.ok_or_else(|| damaged("a record of another version or of no sense"))?;
                self.record(record).map_err(|what| damaged(&what))?;
            }
            end.offset += group.padded as u64;
        }
        Ok(end)
    }

    fn record(&mut self, record: Record) -> Result<(), String> {
        match &record {
            Record::Opening(state) => {
                if self.begun && *state != self.state {
                    return Err("it does not continue the segment before".into());
                }
                self.begun = true;
            }
            _ if !self.begun => return Err("the segment's opening is missing".into()),
            Record::Entry(entry) => {
                let index = entry.id.index;
                self.highest = self.highest.max(index);
                if self.state.last.next() < index {
                    return Err(format!("entry {index} follows entry {}", self.state.last));
                }
                match self.log.front().map(|first| first.id.index) {
                    Some(first) if first < index => {
                        let kept = usize::try_from(index.0 - first.0).unwrap_or(usize::MAX);
                        if self.log.len() < kept {
                            return Err(format!("entry {index} leaves a gap"));
                        }
                        self.log.truncate(kept);
                    }
                    _ => self.log.clear(),
                }
                self.log.push_back(entry.clone());
            }
            Record::Cut {
                keep_from,
                drop_log,
                ..
            } => {
                if *drop_log || keep_from.is_some_and(|keep_from| self.state.last < keep_from) {
                    self.log.clear();
                }
            }
            Record::Vote(_) | Record::CommitHint(_) => {}
        }
        self.state.apply(&record);
        Ok(())
    }

    /// Drops what is not needed, and sees that all that is needed is there.
    fn check(&mut self) -> Result<(), WalError> {
        let keep_from = self.state.keep_from.max(Index(1));
        while self
            .log
            .front()
            .is_some_and(|first| first.id.index < keep_from)
        {
            self.log.pop_front();
        }
        let first = self
            .log
            .front()
            .map_or(self.state.last.next(), |first| first.id.index);
        if keep_from < first {
            return Err(WalError::Damaged(format!(
                "entries {keep_from} to {} are missing",
                first.prev()
            )));
        }
        Ok(())
    }
}

//! Bytes of the log: groups and records, made and read. Readers are total: any bytes give a value or
//! `None`. Where groups lie, and what a bad one means, is the business of `wal` and `recover`.

use bytes::Bytes;
use otterkeeper_core::config::NUMBERS;
use otterkeeper_core::id::{Index, LogId, NodeId, Term};
use otterkeeper_core::node::Records;
use otterkeeper_core::raft::message::{Entry, Payload, SnapshotMeta, Vote};
use otterkeeper_core::time::Time;
use otterkeeper_core::wire;

/// Version of everything below. A change of any byte is a new version.
const VERSION: u32 = 1;

/// Groups begin at multiples of this, so that no two of them share a sector: what is written later
/// cannot tear what was synced before.
pub(super) const SECTOR: usize = 512;

/// Bytes of a group before its records.
pub(super) const HEADER: usize = 32;

/// A place in the log, ordered as it grows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Place {
    pub(super) generation: u64,
    pub(super) offset: u64,
}

/// What must be known without the segments that were freed: the first record of every segment.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct State {
    pub(super) vote: Vote,
    pub(super) snapshot: Option<SnapshotMeta>,
    /// Entries before this index are not needed.
    pub(super) keep_from: Index,
    pub(super) commit_hint: Index,
    /// The last entry of the log; `keep_from - 1` or less if the log is empty.
    pub(super) last: Index,
}

/// One record. A tear loses whole records from the end, never a part of one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Record {
    Opening(State),
    Vote(Vote),
    /// A snapshot comes into force, or entries are given up, or both at once.
    Cut {
        snapshot: Option<SnapshotMeta>,
        keep_from: Option<Index>,
        drop_log: bool,
    },
    Entry(Entry),
    CommitHint(Index),
}

/// The records of one write in the order in which they count.
pub(super) fn records_of(records: Records) -> impl Iterator<Item = Record> {
    let Records {
        vote,
        snapshot,
        keep_log_from: keep_from,
        drop_log,
        entries,
        commit_hint,
        ..
    } = records;
    let cut = snapshot.is_some() || keep_from.is_some() || drop_log;
    let cut = cut.then_some(Record::Cut {
        snapshot,
        keep_from,
        drop_log,
    });
    (vote.map(Record::Vote).into_iter())
        .chain(cut)
        .chain(entries.into_iter().map(Record::Entry))
        .chain(commit_hint.map(Record::CommitHint))
}

/// Begins a group at the end of `out`, which must be at a sector; returns where it begins there.
pub(super) fn begin_group(out: &mut Vec<u8>) -> usize {
    let start = out.len();
    out.resize(start + HEADER, 0);
    start
}

/// Ends the group that began at `start`: fills its header in and pads it to a sector.
pub(super) fn end_group(
    out: &mut Vec<u8>,
    start: usize,
    salt: u64,
    generation: u64,
    synced: Place,
) {
    let group = &mut out[start..];
    let length = u32::try_from(group.len()).expect("a segment is smaller than 4 GiB");
    group[4..8].copy_from_slice(&length.to_le_bytes());
    group[8..16].copy_from_slice(&generation.to_le_bytes());
    group[16..24].copy_from_slice(&synced.generation.to_le_bytes());
    group[24..32].copy_from_slice(&synced.offset.to_le_bytes());
    let checksum = checksum(salt, &group[4..]);
    group[..4].copy_from_slice(&checksum.to_le_bytes());
    let padded = (out.len() - start).next_multiple_of(SECTOR);
    out.resize(start + padded, 0);
}

/// A group that was read whole.
pub(super) struct Group<'a> {
    /// The end of what was synced when it was written.
    pub(super) synced: Place,
    pub(super) records: &'a [u8],
    /// Its length on disk, padding included.
    pub(super) padded: usize,
}

/// The group at the start of `bytes`, if one of this generation lies there undamaged.
pub(super) fn read_group(bytes: &[u8], salt: u64, generation: u64) -> Option<Group<'_>> {
    let header = bytes.get(..HEADER)?;
    if u64_at(header, 8) != generation {
        return None;
    }
    let length = u32::from_le_bytes(header[4..8].try_into().expect("four bytes")) as usize;
    if length < HEADER {
        return None;
    }
    let group = bytes.get(..length)?;
    if group[..4] != checksum(salt, &group[4..]).to_le_bytes() {
        return None;
    }
    Some(Group {
        synced: Place {
            generation: u64_at(header, 16),
            offset: u64_at(header, 24),
        },
        records: &group[HEADER..],
        padded: length.next_multiple_of(SECTOR),
    })
}

/// Whether the header at the start of `bytes` was written in this generation, readable or not.
pub(super) fn claims_generation(bytes: &[u8], generation: u64) -> bool {
    HEADER <= bytes.len() && u64_at(bytes, 8) == generation
}

/// The salt keeps a client from planting bytes in its data that look like a group.
fn checksum(salt: u64, bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&salt.to_le_bytes()), bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

const OPENING: u8 = 0;
const VOTE: u8 = 1;
const CUT: u8 = 2;
const BLANK: u8 = 3;
const COMMAND: u8 = 4;
const COMMIT_HINT: u8 = 5;
const MEMBERSHIP: u8 = 6;

/// Appends a record.
pub(super) fn put_record(out: &mut Vec<u8>, record: &Record) {
    let start = out.len();
    out.extend([0; 4]);
    match record {
        Record::Opening(state) => {
            out.push(OPENING);
            out.extend(VERSION.to_le_bytes());
            put_vote(out, state.vote);
            put_u64(out, state.keep_from.0);
            put_u64(out, state.commit_hint.0);
            put_u64(out, state.last.0);
            put_meta(out, state.snapshot.as_ref());
        }
        Record::Vote(vote) => {
            out.push(VOTE);
            put_vote(out, *vote);
        }
        Record::Cut {
            snapshot,
            keep_from,
            drop_log,
        } => {
            out.push(CUT);
            out.push(u8::from(*drop_log));
            out.push(u8::from(keep_from.is_some()));
            put_u64(out, keep_from.unwrap_or_default().0);
            put_meta(out, snapshot.as_ref());
        }
        Record::Entry(entry) => {
            let (kind, payload) = match &entry.payload {
                Payload::Blank => (BLANK, Bytes::new()),
                Payload::Command(command) => (COMMAND, command.clone()),
                Payload::Membership(next) => (MEMBERSHIP, wire::encode_configuration(next)),
            };
            out.push(kind);
            put_u64(out, entry.id.term.0);
            put_u64(out, entry.id.index.0);
            put_u64(out, entry.stamp.0);
            out.extend_from_slice(&payload);
        }
        Record::CommitHint(index) => {
            out.push(COMMIT_HINT);
            put_u64(out, index.0);
        }
    }
    let length = u32::try_from(out.len() - start - 4).expect("a record is smaller than 4 GiB");
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
}

fn put_u64(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(&number.to_le_bytes());
}

fn put_vote(out: &mut Vec<u8>, vote: Vote) {
    put_u64(out, vote.term.0);
    put_u64(out, vote.voted_for.map_or(0, |id| id.0));
}

/// A snapshot's description; also used in snapshot files.
pub(crate) fn put_meta(out: &mut Vec<u8>, meta: Option<&SnapshotMeta>) {
    let Some(meta) = meta else { return out.push(0) };
    out.push(1);
    put_u64(out, meta.last.term.0);
    put_u64(out, meta.last.index.0);
    put_u64(out, meta.stamp.0);
    let configuration = wire::encode_configuration(&meta.configuration);
    put_u64(out, configuration.len() as u64);
    out.extend_from_slice(&configuration);
}

/// The records of a group; `None` for one that makes no sense.
pub(super) fn read_records(bytes: &[u8]) -> impl Iterator<Item = Option<Record>> + '_ {
    let mut reader = Reader(bytes);
    core::iter::from_fn(move || {
        if reader.0.is_empty() {
            return None;
        }
        let record = reader.record();
        if record.is_none() {
            reader.0 = &[];
        }
        Some(record)
    })
}

/// Takes numbers from the front of some bytes.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    fn record(&mut self) -> Option<Record> {
        let length = self.u32()? as usize;
        let mut body = Reader(self.take(length)?);
        let record = match body.u8()? {
            OPENING if body.u32()? == VERSION => {
                let vote = body.vote()?;
                let keep_from = Index(body.number()?);
                let commit_hint = Index(body.number()?);
                let last = Index(body.number()?);
                Record::Opening(State {
                    vote,
                    keep_from,
                    commit_hint,
                    last,
                    snapshot: body.meta()?,
                })
            }
            VOTE => Record::Vote(body.vote()?),
            CUT => {
                let drop_log = body.u8()? == 1;
                let has_keep_from = body.u8()? == 1;
                let keep_from = Index(body.number()?);
                let snapshot = body.meta()?;
                Record::Cut {
                    snapshot,
                    keep_from: has_keep_from.then_some(keep_from),
                    drop_log,
                }
            }
            kind @ (BLANK | COMMAND | MEMBERSHIP) => {
                let term = Term(body.number()?);
                let id = LogId {
                    term,
                    index: Index(body.number()?),
                };
                let stamp = Time(body.u64()?);
                let payload = match kind {
                    BLANK => Payload::Blank,
                    MEMBERSHIP => {
                        let bytes = body.take(body.0.len())?;
                        Payload::Membership(wire::decode_configuration(bytes).ok()?)
                    }
                    _ => Payload::Command(Bytes::copy_from_slice(body.take(body.0.len())?)),
                };
                Record::Entry(Entry { id, stamp, payload })
            }
            COMMIT_HINT => Record::CommitHint(Index(body.number()?)),
            _ => return None,
        };
        body.0.is_empty().then_some(record)
    }

    /// A term or an index: none that was ever written reaches the bound, and counting up from below it never overflows.
    fn number(&mut self) -> Option<u64> {
        self.u64().filter(|number| *number < NUMBERS)
    }

    fn vote(&mut self) -> Option<Vote> {
        let term = Term(self.number()?);
        let voted_for = self.u64()?;
        Some(Vote {
            term,
            voted_for: (voted_for != 0).then_some(NodeId(voted_for)),
        })
    }

    /// The counterpart of `put_meta`.
    pub(crate) fn meta(&mut self) -> Option<Option<SnapshotMeta>> {
        match self.u8()? {
            0 => return Some(None),
            1 => {}
            _ => return None,
        }
        let term = Term(self.number()?);
        let last = LogId {
            term,
            index: Index(self.number()?),
        };
        let stamp = Time(self.u64()?);
        let length = usize::try_from(self.u64()?).ok()?;
        let configuration = wire::decode_configuration(self.take(length)?).ok()?;
        Some(Some(SnapshotMeta {
            last,
            stamp,
            configuration,
        }))
    }

    pub(crate) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        Some(self.take(1)?[0])
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use otterkeeper_core::configuration::Configuration;
    use otterkeeper_core::id::NodeId;

    #[test]
    fn records_come_back() {
        let meta = SnapshotMeta {
            last: LogId {
                term: Term(3),
                index: Index(9),
            },
            stamp: Time(77),
            configuration: Configuration::of_voters([NodeId(1), NodeId(2)]),
        };
        let entry = |payload| Entry {
            id: meta.last,
            stamp: Time(5),
            payload,
        };
        let vote = Vote {
            term: Term(4),
            voted_for: Some(NodeId(2)),
        };
        let all = [
            Record::Opening(State {
                vote,
                snapshot: Some(meta.clone()),
                ..State::default()
            }),
            Record::Vote(vote),
            Record::Cut {
                snapshot: Some(meta.clone()),
                keep_from: Some(Index(4)),
                drop_log: true,
            },
            Record::Cut {
                snapshot: None,
                keep_from: None,
                drop_log: false,
            },
            Record::Entry(entry(Payload::Blank)),
            Record::Entry(entry(Payload::Command(Bytes::from_static(b"hello")))),
            Record::Entry(entry(Payload::Membership(meta.configuration.clone()))),
            Record::CommitHint(Index(8)),
        ];
        let mut bytes = Vec::new();
        all.iter().for_each(|record| put_record(&mut bytes, record));
        let read: Vec<_> = read_records(&bytes).map(Option::unwrap).collect();
        assert_eq!(read, all);
        for cut in 0..bytes.len() {
            read_records(&bytes[..cut]).for_each(drop);
        }
    }

    #[test]
    fn a_flipped_bit_spoils_its_group() {
        let place = Place {
            generation: 7,
            offset: 512,
        };
        let mut bytes = Vec::new();
        let start = begin_group(&mut bytes);
        put_record(&mut bytes, &Record::CommitHint(Index(8)));
        let length = bytes.len();
        end_group(&mut bytes, start, 42, 7, place);
        assert_eq!(bytes.len(), SECTOR);
        assert_eq!(
            read_group(&bytes, 42, 7).map(|group| group.synced),
            Some(place)
        );
        assert!(read_group(&bytes, 43, 7).is_none(), "another log's salt");
        assert!(read_group(&bytes, 42, 8).is_none(), "another generation");
        for bit in 0..length * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(read_group(&bytes, 42, 7).is_none(), "bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

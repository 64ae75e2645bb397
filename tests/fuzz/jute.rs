//! What the server reads beside the core's formats: ZooKeeper's packets, the write-ahead log's segments
//! and snapshot files. Any bytes give a value or an error, and a log that opens opens again as the same.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use otterkeeper::files::{File, Files};
use otterkeeper::snapshots::Snapshots;
use otterkeeper::wal::Wal;
use otterkeeper::zk::decode::{hello, packet};
use otterkeeper_core::configuration::Configuration;
use otterkeeper_core::id::{Index, LogId, NodeId, Term};
use otterkeeper_core::raft::message::SnapshotMeta;
use otterkeeper_core::time::Time;
use otterkeeper_core::wire;

use super::Draw;

/// The log's salt in these runs.
const SALT: u64 = 7;
/// Length of a segment in these runs.
const SEGMENT: u64 = 64 << 10;
/// Groups begin at multiples of this.
const SECTOR: usize = 512;

/// The body.
pub fn jute(bytes: &[u8]) {
    let mut draw = Draw::new(bytes);
    match draw.below(5) {
        0 => drop(hello(&Bytes::copy_from_slice(draw.rest()))),
        1 | 2 => packet_of(draw.rest()),
        3 => segments(&mut draw),
        _ => snapshot_file(&mut draw),
    }
}

/// A packet's request is one that the log and the other protocols can carry.
fn packet_of(bytes: &[u8]) {
    let frame = Bytes::copy_from_slice(bytes);
    let Ok(packet) = packet(&frame) else { return };
    if let Ok(request) = packet.body {
        let frame = wire::client::ClientFrame { id: 1, request };
        let again = wire::client::decode_client(&wire::client::encode_client(&frame));
        assert_eq!(again, Ok(frame));
    }
}

/// Segments whose groups have right checksums, whatever the records in them, and some that have not.
fn segments(draw: &mut Draw<'_>) {
    let disk = Memory::default();
    let count = draw.below(3) + 1;
    let mut generation = 1;
    for _ in 0..count {
        let mut bytes = Vec::new();
        for _ in 0..=draw.below(3) {
            group(draw, generation, &mut bytes);
        }
        bytes.resize(bytes.len().max(SEGMENT as usize), 0);
        disk.put(format!("{generation:016x}.wal"), bytes);
        generation += 1 + u64::from(draw.is_one_in(8));
    }
    let Ok((log, first)) = Wal::open(disk.clone(), SALT, SEGMENT) else {
        return;
    };
    drop(log);
    let (_, second) = Wal::open(disk, SALT, SEGMENT).expect("what opened once opens again");
    assert_eq!(first.log, second.log);
    assert_eq!(first.vote, second.vote);
    assert_eq!(first.snapshot, second.snapshot);
}

/// Appends a group as the log would write it, around records that nobody wrote.
fn group(draw: &mut Draw<'_>, generation: u64, out: &mut Vec<u8>) {
    let is_sealed = !draw.is_one_in(8);
    let mut body = Vec::new();
    let named = match draw.is_one_in(4) {
        true => draw.number(),
        false => generation,
    };
    body.extend(named.to_le_bytes());
    body.extend(draw.near(generation).to_le_bytes());
    let synced = match draw.is_one_in(4) {
        true => draw.number(),
        false => out.len() as u64,
    };
    body.extend(synced.to_le_bytes());
    if !draw.is_one_in(4) {
        opening(draw, &mut body);
    }
    for _ in 0..draw.below(4) {
        let record = draw.some();
        body.extend((record.len() as u32).to_le_bytes());
        body.extend_from_slice(record);
    }
    if draw.is_one_in(8) {
        body.extend_from_slice(draw.some());
    }
    let length = (body.len() + 8) as u32;
    let mut sealed = length.to_le_bytes().to_vec();
    sealed.extend(body);
    let checksum = match is_sealed {
        true => crc32c::crc32c_append(crc32c::crc32c(&SALT.to_le_bytes()), &sealed),
        false => 0,
    };
    out.extend(checksum.to_le_bytes());
    out.extend(sealed);
    out.resize(out.len().next_multiple_of(SECTOR), 0);
}

/// The record that begins a segment, with any numbers.
fn opening(draw: &mut Draw<'_>, out: &mut Vec<u8>) {
    let mut record = vec![0];
    record.extend(1_u32.to_le_bytes());
    for _ in 0..5 {
        let number = match draw.is_one_in(4) {
            true => draw.number(),
            false => u64::from(draw.below(4)),
        };
        record.extend(number.to_le_bytes());
    }
    record.push(0);
    out.extend((record.len() as u32).to_le_bytes());
    out.extend(record);
}

/// A snapshot's file, its pieces sealed or not.
fn snapshot_file(draw: &mut Draw<'_>) {
    let last = LogId {
        term: Term(2),
        index: Index(9),
    };
    let meta = SnapshotMeta {
        last,
        stamp: Time(5),
        configuration: Configuration::of_voters([NodeId(1)]),
    };
    let disk = Memory::default();
    let mut snapshots = Snapshots::open(disk.clone(), Some(last)).expect("memory does not refuse");
    for number in 0..=u32::from(draw.below(3)) {
        let part = otterkeeper_core::node::SavePart {
            meta: meta.clone(),
            number,
            bytes: Bytes::copy_from_slice(draw.some()),
            last: draw.is_one_in(2),
        };
        snapshots.save(&part).expect("memory does not refuse");
        if part.last {
            break;
        }
    }
    let name = format!("{:016x}-{:016x}.snap", last.index.0, last.term.0);
    let mut bytes = disk.get(&name).unwrap_or_default();
    while !draw.is_empty() {
        match draw.below(3) {
            0 => bytes.truncate(draw.byte().into()),
            1 => bytes.extend_from_slice(draw.some()),
            _ => {
                let (at, new) = (usize::from(draw.byte()), draw.byte());
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = new;
                }
            }
        }
    }
    disk.put(name, bytes);
    let _ = snapshots.load(&meta);
}

/// Files in memory. Clones are the same files.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<BTreeMap<String, Vec<u8>>>>);

impl Memory {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.0.lock().expect("nobody panics while holding it")
    }

    fn put(&self, name: String, bytes: Vec<u8>) {
        self.lock().insert(name, bytes);
    }

    fn get(&self, name: &str) -> Option<Vec<u8>> {
        self.lock().get(name).cloned()
    }
}

impl Files for Memory {
    type File = Open;

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.lock().keys().cloned().collect())
    }

    fn open(&self, name: &str) -> io::Result<Open> {
        match self.lock().contains_key(name) {
            true => Ok(Open(self.clone(), name.into())),
            false => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn create(&self, name: &str) -> io::Result<Open> {
        self.put(name.into(), Vec::new());
        self.open(name)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut files = self.lock();
        let bytes = files.remove(from);
        let bytes = bytes.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        files.insert(to.into(), bytes);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.lock().remove(name);
        Ok(())
    }

    fn sync_names(&self) -> io::Result<()> {
        Ok(())
    }
}

/// An open file. It keeps its name, not its place: these runs rename nothing that is in use but the
/// log's next segment, which is opened anew.
struct Open(Memory, String);

impl File for Open {
    fn length(&self) -> io::Result<u64> {
        Ok(self.read_all()?.len() as u64)
    }

    fn read_all(&self) -> io::Result<Vec<u8>> {
        Ok(self.0.get(&self.1).unwrap_or_default())
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let mut files = self.0.lock();
        let file = files.entry(self.1.clone()).or_default();
        file.resize(file.len().max(start + bytes.len()), 0);
        file[start..start + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

//! Crash tests of the log and the snapshots (rules R27, R34). A random history is written on a disk that
//! forgets what was not synced; the power goes at every single operation; what is found afterwards must
//! be the history up to some point behind everything that was reported as written. Damage must be
//! refused, or do no harm. The model here is a list of states, nothing more.

mod disk;

use core::time::Duration;
use std::sync::Arc;
use std::thread;

use bytes::Bytes;
use disk::{Disk, below};
use otterkeeper::driver::{Signals, Storage as _};
use otterkeeper::snapshots::Snapshots;
use otterkeeper::wal::{Recovered, Wal, WalError};
use otterkeeper_core::configuration::Configuration;
use otterkeeper_core::id::{Index, LogId, NodeId, Term, WriteId};
use otterkeeper_core::node::{Records, SavePart};
use otterkeeper_core::raft::message::{Entry, Payload, SnapshotMeta, Vote};
use otterkeeper_core::rng::Rng;
use otterkeeper_core::time::Time;

/// Small, so that segments change and are used again all the time.
const SEGMENT_BYTES: u64 = 8 << 10;
const SALT: u64 = 0x5EED;

/// What the log should hold.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
struct Model {
    vote: Vote,
    commit_hint: Index,
    snapshot: Option<SnapshotMeta>,
    keep_from: Index,
    log: Vec<Entry>,
}

impl Model {
    /// The states after each record of a write; a tear may leave any of them.
    fn apply(&mut self, records: &Records, states: &mut Vec<Self>) {
        if let Some(vote) = records.vote {
            self.vote = vote;
            states.push(self.clone());
        }
        if records.snapshot.is_some() || records.keep_log_from.is_some() {
            self.snapshot = records.snapshot.clone().or(self.snapshot.take());
            self.keep_from = self
                .keep_from
                .max(records.keep_log_from.unwrap_or_default());
            let keep_from = self.keep_from;
            self.log
                .retain(|entry| keep_from <= entry.id.index && !records.drop_log);
            states.push(self.clone());
        }
        for entry in &records.entries {
            self.log.retain(|old| old.id.index < entry.id.index);
            self.log.push(entry.clone());
            states.push(self.clone());
        }
        if let Some(hint) = records.commit_hint {
            self.commit_hint = hint;
            states.push(self.clone());
        }
    }

    fn matches(&self, found: &Recovered) -> bool {
        self.vote == found.vote
            && self.commit_hint == found.commit_hint
            && self.snapshot == found.snapshot
            && self.log == found.log
    }

    fn last(&self) -> Index {
        self.log
            .last()
            .map_or(self.keep_from.prev(), |entry| entry.id.index)
    }
}

/// What a member would write next. Only what follows the hint is ever overwritten.
fn next_write(rng: &mut Rng, model: &Model) -> (Records, Vec<SavePart>) {
    let mut records = Records {
        sync: below(rng, 4) != 0,
        ..Records::default()
    };
    let mut parts = Vec::new();
    let (last, commit) = (model.last(), model.commit_hint);
    if below(rng, 6) == 0 {
        let term = model.vote.term.next();
        let voted_for = (below(rng, 2) == 0).then_some(NodeId(1 + rng.below(3)));
        records.vote = Some(Vote { term, voted_for });
    }
    match below(rng, 12) {
        // Its own snapshot.
        0 if model
            .snapshot
            .as_ref()
            .map_or(Index(0), |meta| meta.last.index)
            < commit =>
        {
            let at = model.log.iter().find(|entry| entry.id.index == commit);
            if let Some(at) = at.map(|entry| entry.id) {
                parts = snapshot(rng, at);
                records.snapshot = Some(parts[0].meta.clone());
                records.keep_log_from =
                    Some(Index(at.index.0.saturating_sub(rng.below(5))).max(Index(1)));
            }
        }
        // One that was received and conflicts with the log, or lies behind its end.
        1 if below(rng, 3) == 0 => {
            let at = LogId {
                term: model.vote.term,
                index: Index(last.0 + 1 + rng.below(20)),
            };
            parts = snapshot(rng, at);
            records.snapshot = Some(parts[0].meta.clone());
            records.keep_log_from = Some(at.index.next());
            records.drop_log = true;
            records.commit_hint = Some(at.index);
        }
        2 => {
            records.commit_hint = Some(Index(
                commit.0 + rng.below(last.0.saturating_sub(commit.0) + 1),
            ))
        }
        _ => {
            let term = records.vote.map_or(model.vote.term, |vote| vote.term);
            let uncommitted = last
                .0
                .saturating_sub(commit.0.max(model.keep_from.prev().0));
            let back = if below(rng, 5) == 0 {
                rng.below(uncommitted + 1)
            } else {
                0
            };
            let first = last.0 - back + 1;
            records.entries = (first..=first + rng.below(8))
                .map(|index| entry(rng, term, Index(index)))
                .collect();
        }
    }
    (records, parts)
}

fn entry(rng: &mut Rng, term: Term, index: Index) -> Entry {
    let length = match below(rng, 20) {
        0 => below(rng, 3_000),
        _ => below(rng, 200),
    };
    let payload = match length {
        0 => Payload::Blank,
        1 => Payload::Membership(Configuration::of_voters([NodeId(1), NodeId(7)])),
        _ => Payload::Command(bytes(rng, length)),
    };
    Entry {
        id: LogId { term, index },
        stamp: Time(rng.below(1 << 40)),
        payload,
    }
}

fn bytes(rng: &mut Rng, length: usize) -> Bytes {
    (0..length).map(|_| rng.below(256) as u8).collect()
}

fn snapshot(rng: &mut Rng, last: LogId) -> Vec<SavePart> {
    let meta = SnapshotMeta {
        last,
        stamp: Time(last.index.0),
        configuration: Configuration::of_voters([NodeId(1), NodeId(2)]),
    };
    let count = 1 + below(rng, 3);
    let part = |number| {
        let length = below(rng, 1_500);
        SavePart {
            meta: meta.clone(),
            number: number as u32,
            bytes: bytes(rng, length),
            last: number + 1 == count,
        }
    };
    (0..count).map(part).collect()
}

/// How one life of a member goes.
#[derive(Clone, Copy)]
struct Life {
    writes: usize,
    /// The bug that these tests must catch: written is said before the sync.
    reports_early: bool,
}

/// A member's disk and what must be on it.
struct Member {
    log: Disk,
    snapshots: Disk,
    rng: Rng,
    model: Model,
    /// States since the last report, that one first: a crash leaves one of them.
    possible: Vec<Model>,
    /// The parts of the snapshots that may be in force.
    saved: Vec<Vec<SavePart>>,
}

impl Member {
    fn new(seed: u64) -> Self {
        let model = Model::default();
        let possible = vec![model.clone()];
        let (log, snapshots) = (Disk::default(), Disk::default());
        Self {
            log,
            snapshots,
            rng: Rng::new(seed),
            model,
            possible,
            saved: Vec::new(),
        }
    }

    /// Opens what is on disk and compares.
    fn open(&mut self) -> Result<(Wal<Disk>, Snapshots<Disk>), String> {
        let (wal, found) =
            Wal::open(self.log.clone(), SALT, SEGMENT_BYTES).map_err(|error| error.to_string())?;
        let Some(model) = self.possible.iter().find(|model| model.matches(&found)) else {
            return Err(format!(
                "found {found:?}\nwanted one of {:?}",
                self.possible
            ));
        };
        self.model = model.clone();
        self.possible = vec![model.clone()];
        let last = found.snapshot.as_ref().map(|meta| meta.last);
        let snapshots =
            Snapshots::open(self.snapshots.clone(), last).map_err(|error| error.to_string())?;
        if let Some(meta) = &found.snapshot {
            let image = snapshots.load(meta)?;
            let parts = self
                .saved
                .iter()
                .rev()
                .find(|parts| parts[0].meta == *meta)
                .unwrap();
            let same = image.parts.iter().eq(parts.iter().map(|part| &part.bytes));
            same.then_some(()).ok_or("the snapshot has other parts")?;
        }
        Ok((wal, snapshots))
    }

    /// Lives until the writes are done or the disk refuses.
    fn live(&mut self, life: Life) -> Result<(), String> {
        let (mut wal, mut snapshots) = self.open()?;
        for _ in 0..life.writes {
            let mut batch = Vec::new();
            for _ in 0..=below(&mut self.rng, 3) {
                let (mut records, parts) = next_write(&mut self.rng, &self.model);
                if !parts.is_empty() {
                    self.saved.push(parts.clone());
                    if !parts.iter().all(|part| snapshots.save(part).is_ok()) {
                        return Ok(());
                    }
                }
                self.model.apply(&records, &mut self.possible);
                if life.reports_early {
                    records.sync = false;
                }
                batch.push(records);
            }
            let sync = life.reports_early || batch.iter().any(|records| records.sync);
            let in_force = batch
                .iter()
                .rev()
                .find_map(|records| Some(records.snapshot.as_ref()?.last));
            if wal.append(batch).is_err() {
                return Ok(());
            }
            if below(&mut self.rng, 3) == 0 {
                // A failure shows when the segment is needed.
                wal.prepare(|work| work());
            }
            if sync {
                self.possible = vec![self.model.clone()];
            }
            if let Some(last) = in_force.filter(|_| sync)
                && snapshots.in_force(last).is_err()
            {
                return Ok(());
            }
        }
        Ok(())
    }

    fn crash(&mut self) {
        self.log = self.log.crash(&mut self.rng);
        self.snapshots = self.snapshots.crash(&mut self.rng);
    }
}

/// Three lives; the first two end at an operation drawn from the seed, or at `stop`.
fn lives(seed: u64, stop: Option<u64>, reports_early: bool) -> Result<u64, String> {
    let mut member = Member::new(seed);
    let life = Life {
        writes: 25,
        reports_early,
    };
    let mut operations = 0;
    for number in 0..3 {
        let drawn = member.rng.below(200);
        let power = stop.filter(|_| number == 0).unwrap_or(drawn);
        member.log.stop_after(power);
        member.snapshots.stop_after(power);
        match member.live(life) {
            Err(_) if member.log.operations() > power || member.snapshots.operations() > power => {}
            outcome => outcome
                .map_err(|error| format!("seed {seed}, stop {stop:?}, life {number}: {error}"))?,
        }
        if number == 0 {
            operations = member.log.operations();
        }
        member.crash();
    }
    let end = member.open().map(drop);
    end.map_err(|error| format!("seed {seed}, stop {stop:?}, at the end: {error}"))?;
    Ok(operations)
}

#[test]
fn what_was_reported_survives_a_crash_at_each_operation() {
    for seed in 0..6 {
        let operations = lives(seed, Some(u64::MAX / 2), false).unwrap();
        assert!(operations > 50, "the history is too short to mean anything");
        for stop in 0..operations {
            lives(seed, Some(stop), false).unwrap();
        }
    }
}

#[test]
fn what_was_reported_survives_random_crashes() {
    for seed in 1_000..2_000 {
        lives(seed, None, false).unwrap();
    }
}

#[test]
fn reporting_before_the_sync_is_caught() {
    let caught = (0..50)
        .filter(|seed| lives(*seed, None, true).is_err())
        .count();
    assert!(25 < caught, "only {caught} of 50 seeds noticed");
}

#[test]
fn damage_is_refused_or_does_no_harm() {
    let (mut refused, mut harmless) = (0, 0);
    for seed in 0..400 {
        let mut member = Member::new(seed);
        member
            .live(Life {
                writes: 25,
                reports_early: false,
            })
            .unwrap();
        // A clean stop: the last group is named by the seal.
        member.open().unwrap().0.seal().unwrap();
        let before = member.model.clone();
        let what = member.log.flip(&mut member.rng, ".wal").unwrap();
        match Wal::open(member.log.clone(), SALT, SEGMENT_BYTES) {
            Err(WalError::Damaged(_)) => refused += 1,
            Err(WalError::Io(error)) => panic!("seed {seed}, {what}: {error}"),
            Ok((_, found)) => {
                assert!(
                    before.matches(&found),
                    "seed {seed}: {what} changed what was found"
                );
                harmless += 1;
            }
        }
    }
    assert!(
        50 < refused && 0 < harmless,
        "{refused} refused, {harmless} harmless"
    );
}

#[test]
fn trap_17_a_missing_segment_is_noticed() {
    use otterkeeper::files::Files;
    let mut noticed = 0;
    for seed in 0..100 {
        let mut member = Member::new(seed);
        member
            .live(Life {
                writes: 25,
                reports_early: false,
            })
            .unwrap();
        member.open().unwrap().0.seal().unwrap();
        let before = member.model.clone();
        // The newest one is beyond notice unless the next was prepared, as a server always does.
        let names = member.log.list().unwrap();
        let name = &names[below(&mut member.rng, names.len() - 1)];
        member.log.remove(name).unwrap();
        match Wal::open(member.log.clone(), SALT, SEGMENT_BYTES) {
            Err(_) => noticed += 1,
            Ok((_, found)) => {
                // It may have been one that was freed.
                assert!(
                    before.matches(&found),
                    "seed {seed}: without {name} something else is found"
                );
            }
        }
    }
    assert!(10 < noticed, "{noticed}");
}

#[test]
fn a_damaged_snapshot_is_refused() {
    let mut refused = 0;
    for seed in 0..100 {
        let mut member = Member::new(seed);
        member
            .live(Life {
                writes: 25,
                reports_early: false,
            })
            .unwrap();
        let (_, snapshots) = member.open().unwrap();
        let Some(meta) = member.model.snapshot.clone() else {
            continue;
        };
        let what = member.snapshots.flip(&mut member.rng, ".snap").unwrap();
        assert!(
            snapshots.load(&meta).is_err(),
            "seed {seed}: {what} went unnoticed"
        );
        refused += 1;
    }
    assert!(20 < refused, "{refused}");
}

#[test]
fn a_full_disk_loses_nothing() {
    let mut filled = 0;
    for seed in 0..60 {
        let mut member = Member::new(seed);
        let space = 12_000 + below(&mut member.rng, 60_000);
        member.log.limit(Some(space));
        let life = Life {
            writes: 40,
            reports_early: false,
        };
        let before = member.live(life).is_err() || member.possible.len() > 1;
        filled += usize::from(before);
        member.crash();
        member.log.limit(None);
        member.live(life).unwrap();
        member.crash();
        member.open().unwrap();
    }
    assert!(20 < filled, "the disk was never full: {filled}");
}

/// After a failed sync the next one could succeed and prove nothing (cockroach#37102): nothing is tried
/// again, nothing is reported, and the process is told to stop.
#[test]
fn a_failed_sync_is_terminal() {
    let (files, mut rng) = (Disk::default(), Rng::new(1));
    let (wal, _) = Wal::open(files.clone(), SALT, SEGMENT_BYTES).unwrap();
    let snapshots = Snapshots::open(Disk::default(), None).unwrap();
    let signals = Arc::new(Signals::default());
    let mut threads = otterkeeper::disk::Disk::start(wal, snapshots, &signals).unwrap();
    let mut write = |number: u64| {
        let entries = vec![entry(&mut rng, Term(1), Index(number))];
        threads.write(WriteId(number), synced(entries));
        threads.flush();
    };
    let wait = |done: &dyn Fn() -> bool| {
        for _ in 0..2_000 {
            if done() {
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
        panic!("the log's thread is silent");
    };
    write(1);
    wait(&|| signals.last_written() == WriteId(1));
    files.fail_one_sync();
    write(2);
    wait(&|| signals.failure().is_some());
    let syncs = files.syncs();
    write(3);
    drop(threads);
    assert_eq!(signals.last_written(), WriteId(1));
    assert_eq!(files.syncs(), syncs, "nothing is tried again");
    let mut rng = Rng::new(2);
    let (_, found) = Wal::open(files.crash(&mut rng), SALT, SEGMENT_BYTES).unwrap();
    assert_eq!(
        found.log.first().map(|entry| entry.id.index),
        Some(Index(1))
    );
}

/// What an overwriting entry truncated, and what a received snapshot replaced, does not come back as a
/// ghost (etcd-io/etcd#22442).
#[test]
fn replay_redoes_truncations() {
    let (files, mut rng) = (Disk::default(), Rng::new(1));
    let reopen = || Wal::open(files.clone(), SALT, SEGMENT_BYTES).unwrap();
    let ids = |found: &Recovered| -> Vec<(u64, u64)> {
        let ids = found.log.iter().map(|entry| entry.id);
        ids.map(|id| (id.term.0, id.index.0)).collect()
    };
    let (mut wal, _) = reopen();
    let mut entries = |term, indexes: core::ops::RangeInclusive<u64>| -> Vec<Entry> {
        indexes
            .map(|index| entry(&mut rng, Term(term), Index(index)))
            .collect()
    };
    wal.append([synced(entries(1, 1..=5))]).unwrap();
    wal.append([synced(entries(2, 3..=3))]).unwrap();
    drop(wal);
    let (mut wal, found) = reopen();
    assert_eq!(ids(&found), [(1, 1), (1, 2), (2, 3)]);
    // A snapshot of entry 4 that a leader of term 3 sent, and what follows it.
    let meta = snapshot(&mut Rng::new(3), id(3, 4)).remove(0).meta;
    wal.append([synced(entries(2, 4..=6))]).unwrap();
    wal.append([Records {
        snapshot: Some(meta),
        keep_log_from: Some(Index(5)),
        drop_log: true,
        ..synced(Vec::new())
    }])
    .unwrap();
    drop(wal);
    let (mut wal, found) = reopen();
    assert_eq!(ids(&found), []);
    wal.append([synced(entries(3, 5..=5))]).unwrap();
    drop(wal);
    assert_eq!(ids(&reopen().1), [(3, 5)]);
}

fn id(term: u64, index: u64) -> LogId {
    LogId {
        term: Term(term),
        index: Index(index),
    }
}

fn synced(entries: Vec<Entry>) -> Records {
    Records {
        entries,
        sync: true,
        ..Records::default()
    }
}

#[test]
fn client_data_cannot_pass_for_a_group() {
    // A whole segment, taken from another log, comes in as the data of one entry.
    let source = Disk::default();
    let (mut wal, _) = Wal::open(source.clone(), SALT + 1, SEGMENT_BYTES).unwrap();
    let vote = Some(Vote {
        term: Term(9),
        voted_for: None,
    });
    wal.append([Records {
        vote,
        sync: true,
        ..Records::default()
    }])
    .unwrap();
    use otterkeeper::files::{File, Files};
    let forged = source
        .open("0000000000000001.wal")
        .unwrap()
        .read_all()
        .unwrap();

    let target = Disk::default();
    let (mut wal, _) = Wal::open(target.clone(), SALT, SEGMENT_BYTES).unwrap();
    // The data begins at a sector of its own.
    let mut data = vec![0; 512 - 32 - 4 - 25];
    data.extend_from_slice(&forged[..2_048]);
    let id = LogId {
        term: Term(0),
        index: Index(1),
    };
    let entries = vec![Entry {
        id,
        stamp: Time(1),
        payload: Payload::Command(data.into()),
    }];
    wal.append([Records {
        entries,
        sync: false,
        ..Records::default()
    }])
    .unwrap();
    drop(wal);
    let mut torn = target.open("0000000000000001.wal").unwrap();
    torn.write_at(512, &[0xFF]).unwrap();
    let (_, found) = Wal::open(target, SALT, SEGMENT_BYTES).unwrap();
    assert!(found.torn && found.log.is_empty());
}

/// Of two groups that were not synced, both come out damaged. What is written next fills exactly the place of the
/// first: the second one must not be taken for the torn tail of a crash that never was.
#[test]
fn a_torn_tail_is_told_once() {
    use otterkeeper::files::{File, Files};
    let disk = Disk::default();
    let entry = |index| {
        let id = id(1, index);
        let (stamp, payload) = (Time(index), Payload::Blank);
        Entry { id, stamp, payload }
    };
    let unsynced = |index| Records {
        sync: false,
        ..synced(vec![entry(index)])
    };
    let open = || Wal::open(disk.clone(), SALT, SEGMENT_BYTES).unwrap();
    let (mut wal, _) = open();
    let vote = Vote {
        term: Term(1),
        voted_for: None,
    };
    let vote = Records {
        vote: Some(vote),
        ..synced(Vec::new())
    };
    wal.append([vote]).unwrap();
    // The opening and the vote lie in the two sectors before them.
    wal.append([unsynced(1)]).unwrap();
    wal.append([unsynced(2)]).unwrap();
    drop(wal);
    let mut segment = disk.open("0000000000000001.wal").unwrap();
    for sector in [2, 3] {
        segment.write_at(sector * 512, &[0xFF]).unwrap();
    }
    let (mut wal, found) = open();
    assert!(found.torn && found.log.is_empty());
    wal.append([synced(vec![entry(1)])]).unwrap();
    drop(wal);
    let (_, found) = open();
    assert_eq!(found.log, [entry(1)]);
    assert!(!found.torn, "nothing was torn this time");
}

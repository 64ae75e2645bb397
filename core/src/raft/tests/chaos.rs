//! Members under random loss, repeats, reordering, partitions, crashes that tear unsynced writes, and
//! cut logs; what Raft promises is checked after every event, and in the end all of them must agree.

use super::*;
use crate::rng::Rng;

pub(super) struct Chaos {
    pub(super) net: Net,
    rng: Rng,
    /// What was committed anywhere, by index.
    committed: BTreeMap<u64, Entry>,
    /// How far each member's commits were checked.
    checked: BTreeMap<u64, u64>,
    leaders: BTreeMap<u64, u64>,
    commands: u64,
}

impl Chaos {
    pub(super) fn new(nodes: u64, seed: u64, adjust: impl Fn(&mut Config)) -> Self {
        let mut configs: Vec<Config> = (1..=nodes).map(|node| config(node, nodes)).collect();
        for config in &mut configs {
            config.append_bytes = 200;
            config.inflight_messages = 4;
            config.notes = false;
            adjust(config);
        }
        Self {
            net: Net::of(configs),
            rng: Rng::new(seed),
            committed: BTreeMap::new(),
            checked: BTreeMap::new(),
            leaders: BTreeMap::new(),
            commands: 0,
        }
    }

    fn member(&mut self) -> u64 {
        self.rng.between(1, self.net.configs.len() as u64)
    }

    pub(super) fn event(&mut self) {
        let node = self.member();
        match self.rng.below(1_000) {
            0..500 => self.deliver_one(),
            500..750 => self.sync_some(node),
            750..850 => {
                self.net.pass(Span(self.rng.below(20_000)));
                self.tick_all();
            }
            850..950 => self.propose(node),
            950..960 => self.compact(node),
            960..965 => {
                let peer = NodeId(self.member());
                self.net
                    .step(node, |raft, _, out| raft.peer_lost(peer, out));
            }
            965..970 => self.crash(node),
            970..975 => self.net.isolate(node),
            975..980 => {
                let other = self.member();
                self.net.cut.push((node, other));
            }
            980..990 => self.net.heal(),
            _ => {
                let keep = self.rng.below(self.net.wire.len() as u64 + 1);
                self.net.wire.truncate(keep as usize);
            }
        }
    }

    fn deliver_one(&mut self) {
        let count = self.net.wire.len() as u64;
        if count == 0 {
            return;
        }
        // Mostly in order.
        let at = match self.rng.chance(700) {
            true => 0,
            false => self.rng.below(count),
        };
        let repeated = self.rng.chance(30);
        let Some((from, to, message)) = self.net.wire.remove(at as usize) else {
            return;
        };
        if repeated {
            self.net.wire.push_back((from, to, message.clone()));
        }
        if !self.rng.chance(30) && !self.net.cut.contains(&(from, to)) {
            self.net.receive(to, from, message);
        }
    }

    /// Reports some of what was handed to the disk.
    fn sync_some(&mut self, node: u64) {
        let disk = self.net.disk(node);
        let count = self.rng.below(disk.pending.len() as u64 + 1);
        let mut last = None;
        for _ in 0..count {
            if let Some((id, records)) = disk.pending.pop_front() {
                disk.write(records);
                last = Some(id);
            }
        }
        if let Some(id) = last {
            self.net
                .step(node, |raft, now, out| raft.written(now, id, out));
        }
    }

    fn tick_all(&mut self) {
        for node in 1..=self.net.configs.len() as u64 {
            if self.net.raft(node).deadline() <= self.net.now {
                self.net.tick(node);
                let due = self.net.raft(node).deadline();
                assert!(self.net.now < due, "a deadline that has passed stays due");
            }
        }
    }

    fn propose(&mut self, node: u64) {
        self.commands += 1;
        let payload = Payload::Command(self.commands.to_le_bytes().to_vec().into());
        self.net.step(node, |raft, now, _| {
            // Refused wherever it is not the leader.
            let _ = raft.propose(now, payload);
        });
    }

    fn compact(&mut self, node: u64) {
        let raft = self.net.raft(node);
        let Some(entry) = raft.entry(raft.ready()) else {
            return;
        };
        let meta = SnapshotMeta {
            last: entry.id,
            stamp: entry.stamp,
            configuration: raft.configuration_at(entry.id.index).clone(),
        };
        let keep_from = Index(entry.id.index.0.saturating_sub(self.rng.below(5)) + 1);
        self.net
            .step(node, |raft, _, _| raft.compact(meta, keep_from));
    }

    /// Stops a node; of what its disk has not reported, a prefix survives.
    fn crash(&mut self, node: u64) {
        let mut records = Vec::new();
        for (_, write) in core::mem::take(&mut self.net.disk(node).pending) {
            records.extend(apart(write));
        }
        records.truncate(self.rng.below(records.len() as u64 + 1) as usize);
        let disk = self.net.disk(node);
        records.into_iter().for_each(|record| disk.write(record));
        let seed = self.rng.next_u64();
        let disk = disk.clone();
        let raft = disk.boot(&self.net.configs[&node], seed, self.net.now);
        self.net.rafts.insert(node, raft.expect("a possible disk"));
        self.checked.insert(node, 0);
    }

    /// Election safety, leader completeness, state machine safety.
    fn check(&mut self) -> Result<(), String> {
        if let Some((node, sentence)) = self.net.halted.iter().next() {
            return Err(alloc::format!("node {node} halted: {sentence}"));
        }
        for (node, raft) in &self.net.rafts {
            let checked = self.checked.entry(*node).or_default();
            let from = raft.first_index().0.max(*checked + 1);
            for index in from..=raft.commit().0 {
                let entry = raft.entry(Index(index)).expect("committed, and in the log");
                let first = self.committed.entry(index).or_insert_with(|| entry.clone());
                if first != entry {
                    return Err(alloc::format!("{index} is committed twice"));
                }
            }
            *checked = raft.commit().0;
        }
        for (node, raft) in &self.net.rafts {
            if !raft.is_leader() {
                continue;
            }
            if *self.leaders.entry(raft.term().0).or_insert(*node) != *node {
                return Err(alloc::format!("two leaders in term {}", raft.term()));
            }
            let newest = self.leaders.keys().next_back() == Some(&raft.term().0);
            let lacks = |(index, entry): &(&u64, &Entry)| {
                raft.first_index().0 <= **index && raft.entry(Index(**index)) != Some(*entry)
            };
            if newest && let Some((index, _)) = self.committed.iter().rev().take(50).find(lacks) {
                return Err(alloc::format!("leader {node} lacks {index}"));
            }
        }
        Ok(())
    }

    /// Everything works again: within some seconds all must hold the same.
    fn calm_down(&mut self) -> Result<(), String> {
        self.net.heal();
        let mut proposed = 0;
        for _ in 0..400 {
            self.net.pass(Span::from_ms(10));
            self.tick_all();
            self.net.settle();
            self.check()?;
            let leader = self.net.rafts.values().find(|raft| raft.serving());
            if let Some(leader) = leader.map(|raft| raft.voted_for().map_or(0, |id| id.0))
                && proposed < 3
            {
                self.propose(leader);
                proposed += 1;
            }
        }
        let commits = self.net.commits();
        let last = *self.committed.keys().next_back().unwrap_or(&0);
        match proposed == 3 && commits.iter().all(|commit| *commit == last) {
            true => Ok(()),
            false => Err(alloc::format!("no agreement: {commits:?} of {last}")),
        }
    }

    fn run(nodes: u64, seed: u64, adjust: impl Fn(&mut Config)) -> Result<Self, String> {
        let mut chaos = Self::new(nodes, seed, adjust);
        for _ in 0..4 {
            for _ in 0..1_000 {
                chaos.event();
                chaos.check()?;
            }
            chaos.calm_down()?;
        }
        Ok(chaos)
    }
}

/// The records of a write one by one, as a crash may part them.
fn apart(write: Records) -> Vec<Records> {
    let vote = Records {
        vote: write.vote,
        ..Records::default()
    };
    let snapshot = Records {
        snapshot: write.snapshot,
        ..Records::default()
    };
    let cut = Records {
        keep_log_from: write.keep_log_from,
        drop_log: write.drop_log,
        ..Records::default()
    };
    let hint = Records {
        commit_hint: write.commit_hint,
        ..Records::default()
    };
    let mut records = vec![vote, snapshot, cut];
    records.extend(write.entries.into_iter().map(|entry| Records {
        entries: vec![entry],
        ..Records::default()
    }));
    records.push(hint);
    records
}

#[test]
fn what_raft_promises_holds_in_chaos() {
    let (mut committed, mut terms, mut installed) = (0, 0, 0);
    for seed in 0..100 {
        let nodes = 2 + seed % 4;
        match Chaos::run(nodes, seed, |_| ()) {
            Ok(chaos) => {
                committed += chaos.committed.len();
                terms += chaos.leaders.len();
                installed += chaos.net.installed.len();
            }
            Err(sentence) => panic!("seed {seed} with {nodes} nodes: {sentence}"),
        }
    }
    assert!(
        committed > 4_000 && terms > 300 && installed > 50,
        "chaos prevented all work: {committed} {terms} {installed}"
    );
}

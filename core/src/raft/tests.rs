//! The sentences of the Raft paper's figures 2 and 3 and the traps beside them, each as a small test, on a
//! harness that shuttles effects between members and keeps what each disk would hold.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::message::{Entry, Message, Payload, SnapshotMeta, Vote};
use super::note::{Note, Role, TransferEnd};
use super::storage::Records;
use super::view::PeerState;
use super::{Effect, Raft};
use crate::config::Config;
use crate::configuration::Configuration;
use crate::halt::Halt;
use crate::id::{Index, LogId, NodeId, Term, WriteId};
use crate::time::{Span, Time};

mod chaos;
mod dissertation;
mod flow;
mod lease;
mod membership;
mod paper;
#[cfg(feature = "planted")]
mod planted;
mod read;
mod rules;
mod safety;
mod transfer;
mod traps;

const START: Time = Time(1_000_000_000);

fn id(term: u64, index: u64) -> LogId {
    LogId {
        term: Term(term),
        index: Index(index),
    }
}

fn entry(term: u64, index: u64) -> Entry {
    Entry {
        id: id(term, index),
        stamp: START,
        payload: Payload::Blank,
    }
}

/// Entries 1, 2, ... of these terms.
fn log(terms: &[u64]) -> Vec<Entry> {
    (1..).zip(terms).map(|(i, term)| entry(*term, i)).collect()
}

fn command() -> Payload {
    Payload::Command(vec![7; 100].into())
}

fn config(node: u64, nodes: u64) -> Config {
    let mut config = Config::new(NodeId(node), (1..=nodes).map(NodeId).collect());
    config.notes = true;
    config
}

/// What a disk holds for sure, and what was handed to it since.
#[derive(Clone, Default)]
struct Disk {
    vote: Vote,
    hint: Index,
    snapshot: Option<SnapshotMeta>,
    log: Vec<Entry>,
    pending: VecDeque<(WriteId, Records)>,
    frozen: bool,
}

impl Disk {
    fn write(&mut self, records: Records) {
        self.vote = records.vote.unwrap_or(self.vote);
        if let Some(meta) = records.snapshot {
            self.snapshot = Some(meta);
        }
        if let Some(from) = records.keep_log_from {
            self.log.retain(|entry| from <= entry.id.index);
        }
        if records.drop_log {
            self.log.clear();
        }
        for entry in records.entries {
            self.log.retain(|old| old.id.index < entry.id.index);
            self.log.push(entry);
        }
        self.hint = records.commit_hint.unwrap_or(self.hint);
    }

    fn boot(&self, config: &Config, seed: u64, now: Time) -> Result<Raft, String> {
        Raft::boot(
            config,
            self.vote,
            self.hint,
            self.snapshot.clone(),
            self.log.clone(),
            seed,
            now,
        )
    }
}

/// Members, their disks, and what is on the way between them. Time passes only when a test says so.
struct Net {
    now: Time,
    configs: BTreeMap<u64, Config>,
    rafts: BTreeMap<u64, Raft>,
    disks: BTreeMap<u64, Disk>,
    wire: VecDeque<(u64, u64, Message)>,
    /// Directed links that lose everything.
    cut: Vec<(u64, u64)>,
    halted: BTreeMap<u64, Halt>,
    installed: Vec<u64>,
    /// Answered questions: at whom, and how far a read must see.
    confirmed: Vec<(u64, Index)>,
    alarms: Vec<Span>,
    /// Transfers that ended: where they began, to whom, and how.
    ended: Vec<(u64, NodeId, TransferEnd)>,
}

impl Net {
    fn new(nodes: u64) -> Self {
        Self::of((1..=nodes).map(|node| config(node, nodes)).collect())
    }

    fn of(configs: Vec<Config>) -> Self {
        let mut net = Self {
            now: START,
            configs: BTreeMap::new(),
            rafts: BTreeMap::new(),
            disks: BTreeMap::new(),
            wire: VecDeque::new(),
            cut: Vec::new(),
            halted: BTreeMap::new(),
            installed: Vec::new(),
            confirmed: Vec::new(),
            alarms: Vec::new(),
            ended: Vec::new(),
        };
        for config in configs {
            let node = config.id.0;
            net.configs.insert(node, config);
            net.disks.insert(node, Disk::default());
            net.restart(node);
        }
        net
    }

    /// Members whose logs already hold entries of these terms, all durable, in these terms.
    fn with_logs(logs: &[(u64, &[u64])]) -> Self {
        let mut net = Self::new(logs.len() as u64);
        for (node, (term, terms)) in (1..).zip(logs) {
            let disk = net.disk(node);
            disk.vote.term = Term(*term);
            disk.log = log(terms);
            net.restart(node);
        }
        net
    }

    fn restart(&mut self, node: u64) {
        let disk = self.disk(node);
        disk.pending.clear();
        let disk = disk.clone();
        let raft = disk.boot(&self.configs[&node], node, self.now);
        self.rafts.insert(node, raft.expect("the disk is in order"));
    }

    fn raft(&self, node: u64) -> &Raft {
        &self.rafts[&node]
    }

    fn disk(&mut self, node: u64) -> &mut Disk {
        self.disks.get_mut(&node).expect("a member")
    }

    /// One step of a node.
    fn step(&mut self, node: u64, does: impl FnOnce(&mut Raft, Time, &mut Vec<Effect>)) {
        let Some(raft) = self.rafts.get_mut(&node) else {
            return;
        };
        let mut out = Vec::new();
        does(raft, self.now, &mut out);
        raft.flush(self.now, &mut out);
        self.carry_out(node, out);
    }

    /// Pulling is the node's business; here the snapshot is there at once.
    fn install(&mut self, node: u64, meta: SnapshotMeta) {
        let Some(raft) = self.rafts.get_mut(&node) else {
            return;
        };
        let mut out = Vec::new();
        raft.install(meta, &mut out);
        raft.flush(self.now, &mut out);
        self.carry_out(node, out);
    }

    fn carry_out(&mut self, node: u64, effects: Vec<Effect>) {
        let mut offered = None;
        for effect in effects {
            match effect {
                Effect::Write { id, records } => self.disk(node).pending.push_back((id, records)),
                Effect::Send { to, message } => self.wire.push_back((node, to.0, message)),
                Effect::Halt(sentence) => {
                    self.halted.insert(node, sentence);
                }
                Effect::Offered { meta, .. } => offered = Some(meta),
                Effect::Installed { .. } => self.installed.push(node),
                Effect::Confirmed { index, .. } => self.confirmed.push((node, index)),
                Effect::Transferred { to, end } => self.ended.push((node, to, end)),
                Effect::Note(Note::ClockBehind { by }) => self.alarms.push(by),
                Effect::Note(_) | Effect::Pulled { .. } | Effect::Part { .. } => {}
            }
        }
        if let Some(meta) = offered {
            self.install(node, meta);
        }
    }

    fn receive(&mut self, node: u64, from: u64, message: Message) {
        self.step(node, |raft, now, out| {
            raft.receive(now, NodeId(from), message, out);
        });
    }

    /// Makes what was handed to this disk durable.
    fn sync(&mut self, node: u64) {
        let disk = self.disk(node);
        let Some((last, _)) = disk.pending.back() else {
            return;
        };
        let last = *last;
        for (_, records) in core::mem::take(&mut disk.pending) {
            disk.write(records);
        }
        self.step(node, |raft, now, out| raft.written(now, last, out));
    }

    fn sync_all(&mut self) {
        for node in self.rafts.keys().copied().collect::<Vec<_>>() {
            if !self.disk(node).frozen {
                self.sync(node);
            }
        }
    }

    /// Delivers what is on the way, once.
    fn deliver(&mut self) {
        for (from, to, message) in core::mem::take(&mut self.wire) {
            if !self.cut.contains(&(from, to)) {
                self.receive(to, from, message);
            }
        }
    }

    /// Delivers and syncs until nothing moves. No time passes.
    fn settle(&mut self) {
        for _ in 0..1_000 {
            self.sync_all();
            if self.wire.is_empty() {
                return;
            }
            self.deliver();
        }
        panic!("messages without end");
    }

    /// Lets time pass without anybody noticing.
    fn pass(&mut self, span: Span) {
        self.now += span;
    }

    fn tick(&mut self, node: u64) {
        self.step(node, |raft, now, out| raft.tick(now, out));
    }

    /// A heartbeat interval passes, and whoever leads notices.
    fn beat(&mut self, leader: u64) {
        self.pass(Span::from_ms(50));
        self.tick(leader);
        self.settle();
    }

    /// Everybody forgets the old leader, and this node runs.
    fn elect(&mut self, node: u64) {
        self.pass(Span::from_ms(500));
        self.step(node, |raft, now, out| raft.campaign(now, out));
        self.settle();
        assert_eq!(self.raft(node).role(), Role::Leader, "node {node} lost");
    }

    fn propose(&mut self, node: u64) -> LogId {
        let mut id = None;
        self.step(node, |raft, now, _| id = raft.propose(now, command()).ok());
        id.expect("it leads")
    }

    fn propose_many(&mut self, node: u64, count: u64) {
        for _ in 0..count {
            self.propose(node);
        }
    }

    fn isolate(&mut self, node: u64) {
        for other in self.configs.keys().filter(|other| **other != node) {
            self.cut.extend([(node, *other), (*other, node)]);
        }
    }

    fn heal(&mut self) {
        self.cut.clear();
    }

    fn terms(&self, node: u64) -> Vec<u64> {
        let raft = self.raft(node);
        let range = raft.first_index().0..=raft.last().index.0;
        range
            .map(|i| raft.entry(Index(i)).expect("in the log").id.term.0)
            .collect()
    }

    fn commits(&self) -> Vec<u64> {
        self.rafts.values().map(|raft| raft.commit().0).collect()
    }

    /// What is on the way from one node to another.
    fn sent(&self, from: u64, to: u64) -> Vec<&Message> {
        self.wire
            .iter()
            .filter(|(f, t, _)| (*f, *t) == (from, to))
            .map(|(_, _, message)| message)
            .collect()
    }

    fn peer(&self, leader: u64, peer: u64) -> (PeerState, u64, u64) {
        let peers = self.raft(leader).peers();
        let view = peers.iter().find(|view| view.id.0 == peer).expect("a peer");
        (view.state, view.matched.0, view.next.0)
    }

    /// What a node says to a message, once its disk is done.
    fn answer(&mut self, node: u64, from: u64, message: Message) -> Vec<Message> {
        self.wire.clear();
        self.receive(node, from, message);
        self.sync(node);
        core::mem::take(&mut self.wire)
            .into_iter()
            .map(|(_, _, message)| message)
            .collect()
    }
}

//! What must hold after every event: each invariant is one sentence and one function. The checker sees
//! what a member shows in its view, what it hands to its disk and what it says; it keeps a shadow of
//! each log as a chain of hashes, so that each check costs a few steps whatever the length of the log.

mod finding;
mod members;

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

pub use self::finding::Finding;
use self::members::Joined;
use super::chunks::Chunks;
use super::disk::{Disk, entry_hash};
use super::hash::mix;
use crate::configuration::Configuration;
use crate::id::{Index, LogId, NodeId, ReplicaId, Term};
use crate::message::Message;
use crate::node::{Boot, View};
use crate::raft::message::{Message as Raft, Payload, Vote};
use crate::raft::note::Role;
use crate::time::{Span, Time};

/// What must hold after every event. One name, one sentence.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Invariant {
    /// At most one leader is elected in a term, and no member votes for two.
    ElectionSafety,
    /// A leader never changes or removes an entry of its own log.
    LeaderAppendOnly,
    /// Logs that hold an entry of the same index and term are equal up to it.
    LogMatching,
    /// What was committed stays, and every later leader has it.
    LeaderCompleteness,
    /// Members that applied the same index hold the same state.
    StateMachineSafety,
    /// Nothing is told to anybody that a crash at this moment could take back.
    DurableBeforeTold,
    /// A leader whose disk has stopped answering stops leading in time.
    LeaderWrites,
    /// Each member acts by the newest configuration in its log.
    NewestMembers,
    /// One change of the members at a time, and nobody votes who has not caught up.
    OneChange,
    /// No member halts or refuses its own disk, unless somebody put an older one in its place.
    NoHalt,
    /// Each call is answered once, in the order of asking, by an answer of its kind.
    Answers,
    /// What a client sees never goes back in time, whichever member it asks, so it sees its own writes.
    MonotonicClients,
    /// A linearizable read, and a sync, show all that was shown to anybody before they were asked for.
    FreshReads,
    /// No acknowledged write is lost: what one answer shows, none contradicts.
    NoLostWrite,
    /// A write happens at most once, never after it was refused, and not after its connection was replaced.
    ExactlyOnce,
    /// A multi happens whole and in one moment, or not at all.
    AllOrNothing,
    /// Sequence numbers are unique under their parent, and grow in the order of commits.
    SequenceNumbers,
    /// An ephemeral znode is there as long as its session lives, and no longer.
    Ephemerals,
    /// No session expires before its timeout has passed since its last acknowledged contact.
    SessionsKept,
    /// A one-shot watch fires at most once, and for a change after it was left.
    WatchesOnce,
    /// A watch is never lost: it fires before anything newer is seen on its connection.
    WatchesFirst,
    /// A watch that stays tells of each change once, in order, and before anything newer is seen.
    LastingWatches,
    /// What a znode's list forbids is refused, and what it allows is not refused for that.
    Permissions,
    /// A container and a znode with a time to live go no sooner than they may, and then soon.
    Mortals,
    /// One order of writes and linearizable reads explains every answer about znodes anywhere in the tree, their
    /// parents, children and sequence numbers, with each ephemeral znode, container and znode with a time to live
    /// ending at some moment.
    Linearizable,
}

impl Invariant {
    /// All of them, in the order in which people read them.
    pub const ALL: &'static [Self] = &[
        Self::ElectionSafety,
        Self::LeaderAppendOnly,
        Self::LogMatching,
        Self::LeaderCompleteness,
        Self::StateMachineSafety,
        Self::DurableBeforeTold,
        Self::LeaderWrites,
        Self::NewestMembers,
        Self::OneChange,
        Self::NoHalt,
        Self::Answers,
        Self::MonotonicClients,
        Self::FreshReads,
        Self::NoLostWrite,
        Self::ExactlyOnce,
        Self::AllOrNothing,
        Self::SequenceNumbers,
        Self::Ephemerals,
        Self::SessionsKept,
        Self::WatchesOnce,
        Self::WatchesFirst,
        Self::LastingWatches,
        Self::Permissions,
        Self::Mortals,
        Self::Linearizable,
    ];

    /// The stable name: `election-safety` and so on.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ElectionSafety => "election-safety",
            Self::LeaderAppendOnly => "leader-append-only",
            Self::LogMatching => "log-matching",
            Self::LeaderCompleteness => "leader-completeness",
            Self::StateMachineSafety => "state-machine-safety",
            Self::DurableBeforeTold => "durable-before-told",
            Self::LeaderWrites => "leader-writes",
            Self::NewestMembers => "newest-members",
            Self::OneChange => "one-change-at-a-time",
            Self::NoHalt => "no-halt",
            Self::Answers => "answers-in-order",
            Self::MonotonicClients => "monotonic-clients",
            Self::FreshReads => "fresh-reads",
            Self::NoLostWrite => "no-lost-write",
            Self::ExactlyOnce => "exactly-once",
            Self::AllOrNothing => "all-or-nothing",
            Self::SequenceNumbers => "sequence-numbers",
            Self::Ephemerals => "ephemerals",
            Self::SessionsKept => "sessions-kept",
            Self::WatchesOnce => "watches-once",
            Self::WatchesFirst => "watches-first",
            Self::LastingWatches => "lasting-watches",
            Self::Permissions => "permissions",
            Self::Mortals => "mortals",
            Self::Linearizable => "linearizable",
        }
    }
}

/// A broken invariant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// Which one.
    pub invariant: Invariant,
    /// Number of the event after which it was seen.
    pub event: u64,
    /// Virtual time.
    pub time: Time,
    /// What was seen.
    pub seen: Finding,
}

/// Entries whose hashes are kept although nobody has committed them.
const TAILS: usize = 4_096;
/// Committed entries whose hashes are kept.
const KEPT: u64 = 65_536;
/// Terms whose leaders are remembered.
const TERMS: usize = 256;
/// A step after its deadline still has this long to act on a stalled disk.
const STALL_SLACK: Span = Span::from_ms(1);

type Found = Vec<(Invariant, Finding)>;

/// A committed entry.
#[derive(Clone, Copy)]
struct Committed {
    term: Term,
    /// Hash of the log up to it.
    chain: u64,
    /// The term of the member that first said so.
    in_term: Term,
}

/// What was seen of one member after its last step.
#[derive(Clone)]
struct Shadow {
    /// Which data directory it has.
    replica: ReplicaId,
    /// Term and chain hash by index, from the one before the member's first entry.
    log: Chunks<(Term, u64)>,
    leads: Option<Term>,
    commit: Index,
    applied: Index,
    /// The last vote it gave or asked for, its own included. Survives its crashes.
    granted: (Term, NodeId),
    /// The furthest it said it has, and in which term. Survives its crashes.
    told: (Term, Index),
    /// The replica before it, whose disk is lost: leaders may count on what they heard.
    before: Lost,
    /// The members in force after its last step, who decide about what it commits in the next one.
    members: Configuration,
    /// Where its log has configurations.
    changes: Vec<Index>,
    /// The last of them that was looked at.
    seen_change: Index,
}

/// A replica whose disk is lost.
#[derive(Clone)]
struct Lost {
    told: (Term, Index),
    log: Chunks<(Term, u64)>,
}

impl Default for Lost {
    fn default() -> Self {
        Self {
            told: (Term(0), Index(0)),
            log: Chunks::new(0),
        }
    }
}

impl Lost {
    /// Whether it said so, in the entry's term or to a later leader whose log has it too.
    fn said_it_has(&self, entry: LogId) -> bool {
        let (term, index) = self.told;
        let own = self.log.get(entry.index.0).map(|(term, _)| *term);
        let same = own.is_none_or(|own| own == entry.term);
        entry.term <= term && entry.index <= index && same
    }
}

#[derive(Clone)]
pub(super) struct Checker {
    shadows: Vec<Shadow>,
    leaders: BTreeMap<Term, NodeId>,
    /// By index, from 0.
    committed: Chunks<Committed>,
    /// Chain hashes of entries that are not committed.
    tails: BTreeMap<(Index, Term), u64>,
    /// Digest of the state by applied index; 0 if nobody was seen there.
    digests: Chunks<u64>,
    joined: Joined,
    /// The configurations that were committed, by index; the first at 0.
    configurations: BTreeMap<Index, Configuration>,
    found: Found,
}

impl Checker {
    pub(super) fn new(members: u8) -> Self {
        let mut committed = Chunks::new(0);
        committed.push(Committed {
            term: Term(0),
            chain: 0,
            in_term: Term(0),
        });
        let shadow = |id: u8| Shadow {
            replica: ReplicaId(id.into()),
            log: Chunks::new(0),
            leads: None,
            commit: Index(0),
            applied: Index(0),
            granted: (Term(0), NodeId(0)),
            told: (Term(0), Index(0)),
            before: Lost::default(),
            members: Configuration::default(),
            changes: Vec::new(),
            seen_change: Index(0),
        };
        Self {
            shadows: (1..=members).map(shadow).collect(),
            leaders: BTreeMap::new(),
            committed,
            tails: BTreeMap::new(),
            digests: Chunks::new(0),
            joined: Joined::new(),
            configurations: BTreeMap::new(),
            found: Vec::new(),
        }
    }

    /// What was broken since the last call.
    pub(super) fn take_found(&mut self) -> Found {
        core::mem::take(&mut self.found)
    }

    /// The highest index that anybody has committed.
    pub(super) fn committed(&self) -> Index {
        Index(self.committed.next() - 1)
    }

    /// A member's process has ended, and this is what its disk shows.
    pub(super) fn crashed(&mut self, id: NodeId, image: &Boot) {
        let Some(shadow) = shadow(&mut self.shadows, id) else {
            return;
        };
        let (term, candidate) = shadow.granted;
        let vote = image.vote;
        let voted = term != Term(0);
        if voted && (vote.term < term || (vote.term == term && vote.voted_for != Some(candidate))) {
            let seen = vote_not_on_disk(id, (term, candidate), vote);
            self.found.push((Invariant::DurableBeforeTold, seen));
        }
        let snapshot = image
            .snapshot
            .as_ref()
            .map_or(Index(0), |image| image.meta.last.index);
        let last = image
            .log
            .last()
            .map_or(snapshot, |entry| entry.id.index.max(snapshot));
        let (term, matched) = shadow.told;
        if vote.term <= term && last < matched {
            let seen = Finding::EntriesNotOnDisk {
                node: id,
                term,
                matched,
                last: Some(last),
            };
            self.found.push((Invariant::DurableBeforeTold, seen));
        }
    }

    /// A member has lost its disk or the end of it, and so what it promised. It comes back as this replica.
    pub(super) fn forgot(&mut self, id: NodeId, replica: ReplicaId) {
        if let Some(shadow) = shadow(&mut self.shadows, id) {
            shadow.replica = replica;
            shadow.granted = (Term(0), NodeId(0));
            shadow.before = Lost {
                told: core::mem::take(&mut shadow.told),
                log: shadow.log.clone(),
            };
        }
    }

    /// A member has booted.
    pub(super) fn booted(&mut self, id: NodeId, view: View<'_>) {
        let Some(shadow) = shadow(&mut self.shadows, id) else {
            return;
        };
        shadow.members = view.configuration().clone();
        if view.configuration_index() == Index(0) && !shadow.members.members().is_empty() {
            let first = shadow.members.clone();
            self.configurations.entry(Index(0)).or_insert(first);
        }
        shadow.log = Chunks::new(0);
        shadow.leads = None;
        shadow.commit = Index(0);
        shadow.applied = Index(0);
        self.follow_log(id, view);
    }

    /// A member has made a step, and its writes are with its disk.
    pub(super) fn stepped(
        &mut self,
        now: Time,
        id: NodeId,
        view: View<'_>,
        disks: &[&Disk],
        stall: Span,
    ) {
        self.follow_log(id, view);
        self.election_safety(id, view);
        self.leader_completeness(id, view, disks);
        self.state_machine_safety(id, view);
        self.leader_writes(now, id, view, disks, stall);
        self.newest_members(id, view);
        self.one_change(id, view, disks);
        if let Some(shadow) = shadow(&mut self.shadows, id) {
            shadow.leads = (view.role() == Role::Leader).then(|| view.term());
            if shadow.members != *view.configuration() {
                shadow.members = view.configuration().clone();
            }
            shadow.seen_change = shadow.changes.last().copied().unwrap_or_default();
        }
    }

    /// Nothing is told to anybody that a crash at this moment could take back.
    pub(super) fn durable_before_told(
        &mut self,
        id: NodeId,
        to: NodeId,
        message: &Message,
        disk: &Disk,
    ) {
        let Message::Raft(message) = message else {
            return;
        };
        let Some(shadow) = shadow(&mut self.shadows, id) else {
            return;
        };
        let vote = disk.vote();
        let mut broken = |seen| self.found.push((Invariant::DurableBeforeTold, seen));
        let term = match message {
            Raft::PreVote { .. } | Raft::PreVoteReply { granted: true, .. } => Term(0),
            Raft::PreVoteReply { term, .. }
            | Raft::Vote { term, .. }
            | Raft::VoteReply { term, .. }
            | Raft::Append { term, .. }
            | Raft::Appended { term, .. }
            | Raft::Rejected { term, .. }
            | Raft::Heartbeat { term, .. }
            | Raft::HeartbeatReply { term, .. }
            | Raft::SnapshotOffer { term, .. }
            | Raft::SnapshotPull { term, .. }
            | Raft::SnapshotPart { term, .. }
            | Raft::TimeoutNow { term, .. }
            | Raft::ReadIndex { term, .. }
            | Raft::ReadIndexReply { term, .. } => *term,
        };
        if vote.term < term {
            broken(Finding::TermNotOnDisk {
                node: id,
                to,
                term,
                disk: vote.term,
            });
        }
        match message {
            Raft::Vote { term, .. }
            | Raft::VoteReply {
                term,
                granted: true,
            } => {
                let asks = matches!(message, Raft::Vote { .. });
                let candidate = if asks { id } else { to };
                if vote.term == *term && vote.voted_for != Some(candidate) {
                    broken(vote_not_on_disk(id, (*term, candidate), vote));
                }
                if shadow.granted.0 == *term && shadow.granted.1 != candidate {
                    let seen = Finding::TwoVotes {
                        node: id,
                        one: candidate,
                        other: shadow.granted.1,
                        term: *term,
                    };
                    self.found.push((Invariant::ElectionSafety, seen));
                }
                if shadow.granted.0 < *term {
                    shadow.granted = (*term, candidate);
                }
            }
            Raft::Appended { term, matched } => {
                if !disk.attests(*matched, *term) {
                    broken(Finding::EntriesNotOnDisk {
                        node: id,
                        term: *term,
                        matched: *matched,
                        last: None,
                    });
                }
                if shadow.told.0 < *term {
                    shadow.told = (*term, *matched);
                } else if shadow.told.0 == *term {
                    shadow.told.1 = shadow.told.1.max(*matched);
                }
            }
            _ => {}
        }
    }

    /// The same for clients: a state that is shown is on the disk.
    pub(super) fn durable_before_shown(&mut self, id: NodeId, zxid: Index, disk: &Disk) {
        if disk.last() < zxid {
            let seen = Finding::ShownNotOnDisk {
                node: id,
                zxid,
                last: disk.last(),
            };
            self.found.push((Invariant::DurableBeforeTold, seen));
        }
    }

    /// At most one leader is elected in a term.
    fn election_safety(&mut self, id: NodeId, view: View<'_>) {
        if view.role() != Role::Leader {
            return;
        }
        let term = view.term();
        let one = *self.leaders.entry(term).or_insert(id);
        if one != id {
            let other = id;
            let seen = Finding::TwoLeaders { one, other, term };
            self.found.push((Invariant::ElectionSafety, seen));
        }
        if TERMS < self.leaders.len() {
            self.leaders.pop_first();
        }
    }

    /// Brings the shadow up to date. A leader never changes or removes an entry of its own log; nobody
    /// takes back what it said it has; logs that hold an entry of the same index and term are equal
    /// up to it.
    fn follow_log(&mut self, id: NodeId, view: View<'_>) {
        let Some(shadow) = shadow(&mut self.shadows, id) else {
            return;
        };
        let before = view.first_index().0 - 1;
        let last = view.last();
        if shadow.log.is_empty() || shadow.log.next() <= before {
            // Booted, or a snapshot replaced the log.
            let chain = if before == 0 {
                Some((Term(0), 0))
            } else {
                self.committed
                    .get(before)
                    .map(|committed| (committed.term, committed.chain))
            };
            if chain.is_none() && self.committed.first() <= before {
                let (node, last) = (id, Index(before));
                let seen = Finding::SnapshotNotCommitted { node, last };
                self.found.push((Invariant::LeaderCompleteness, seen));
            }
            shadow.log = Chunks::new(before);
            shadow.log.push(chain.unwrap_or((Term(0), 0)));
            shadow.changes.clear();
        }
        shadow.log.drop_before(before);
        shadow.changes.retain(|change| before < change.0);
        if let Some(meta) = view.snapshot()
            && meta.last.index.0 == before
            && shadow
                .log
                .get(before)
                .is_some_and(|(term, _)| *term != meta.last.term)
        {
            // A snapshot replaced a log that did not fit it.
            let committed = self.committed.get(before);
            let base = committed.map_or((meta.last.term, 0), |base| (base.term, base.chain));
            shadow.log = Chunks::new(before);
            shadow.log.push(base);
            shadow.changes.clear();
        }
        let at_last = shadow
            .log
            .last()
            .map(|(term, _)| (shadow.log.next() - 1, *term));
        if at_last == Some((last.index.0, last.term)) {
            return;
        }
        let old_last = shadow.log.next() - 1;
        let mut same = old_last.min(last.index.0);
        while shadow.log.first() < same
            && view.entry(Index(same)).map(|entry| entry.id.term)
                != shadow.log.get(same).map(|(term, _)| *term)
        {
            same -= 1;
        }
        if same < old_last {
            let term = view.term();
            if shadow.leads == Some(term) && view.role() == Role::Leader {
                let (node, index) = (id, Index(same + 1));
                let seen = Finding::LeaderChanged { node, term, index };
                self.found.push((Invariant::LeaderAppendOnly, seen));
            }
            if shadow.told.0 == term && same < shadow.told.1.0 {
                let seen = Finding::EntriesTakenBack {
                    node: id,
                    term,
                    matched: shadow.told.1,
                    last: Index(same),
                };
                self.found.push((Invariant::DurableBeforeTold, seen));
            }
            shadow.log.truncate(same + 1);
            shadow.changes.retain(|change| change.0 <= same);
        }
        for index in same + 1..=last.index.0 {
            let (Some(entry), Some((_, chain))) = (view.entry(Index(index)), shadow.log.last())
            else {
                let seen = Finding::EntryMissing {
                    node: id,
                    last: last.index,
                    index: Index(index),
                };
                self.found.push((Invariant::LogMatching, seen));
                return;
            };
            let term = entry.id.term;
            let chain = mix(*chain, entry_hash(entry));
            shadow.log.push((term, chain));
            if matches!(entry.payload, Payload::Membership(_)) {
                shadow.changes.push(Index(index));
            }
            let known = match self.committed.get(index) {
                Some(committed) if committed.term == term => committed.chain,
                _ => *self.tails.entry((Index(index), term)).or_insert(chain),
            };
            if known != chain {
                let (node, index) = (id, Index(index));
                let seen = Finding::OtherLog { node, index, term };
                self.found.push((Invariant::LogMatching, seen));
            }
            if TAILS < self.tails.len() {
                self.tails.pop_first();
            }
        }
    }

    /// What was committed stays, every later leader has it, and a majority of disks had it first.
    fn leader_completeness(&mut self, id: NodeId, view: View<'_>, disks: &[&Disk]) {
        let Some(shadow) = shadow(&mut self.shadows, id) else {
            return;
        };
        let term = view.term();
        if view.role() == Role::Leader && shadow.leads != Some(term) {
            let mut index = self.committed.next() - 1;
            while self
                .committed
                .get(index)
                .is_some_and(|committed| term <= committed.in_term)
            {
                index -= 1;
            }
            let own = shadow.log.get(index).map(|(_, chain)| *chain);
            let all = self.committed.get(index).map(|committed| committed.chain);
            if shadow.log.first() <= index && all.is_some() && own != all {
                let (node, index) = (id, Index(index));
                let seen = Finding::LeaderLacks { node, term, index };
                self.found.push((Invariant::LeaderCompleteness, seen));
            }
        }
        let commit = view.commit();
        if commit == shadow.commit {
            return;
        }
        shadow.commit = commit;
        let known = self.committed.next() - 1;
        if commit.0 <= known {
            let own = shadow.log.get(commit.0).map(|(_, chain)| *chain);
            let all = self
                .committed
                .get(commit.0)
                .map(|committed| committed.chain);
            if shadow.log.first() <= commit.0 && all.is_some() && own != all {
                let (node, index) = (id, commit);
                let seen = Finding::OtherCommitted { node, index };
                self.found.push((Invariant::LeaderCompleteness, seen));
            }
            return;
        }
        let old = shadow.log.get(known).map(|(_, chain)| *chain);
        let all = self.committed.get(known).map(|committed| committed.chain);
        if shadow.log.first() <= known && old != all {
            let seen = Finding::OtherBefore { node: id, commit };
            self.found.push((Invariant::LeaderCompleteness, seen));
        }
        for index in known + 1..=commit.0 {
            let Some((entry_term, chain)) = shadow.log.get(index) else {
                let seen = Finding::CommitsMissing { node: id, commit };
                self.found.push((Invariant::LeaderCompleteness, seen));
                return;
            };
            self.committed.push(Committed {
                term: *entry_term,
                chain: *chain,
                in_term: term,
            });
            self.tails.remove(&(Index(index), *entry_term));
            if let Some(members) = members::configuration_at(view, Index(index)) {
                self.configurations.insert(Index(index), members.clone());
            }
        }
        if KEPT < self.committed.next() - self.committed.first() {
            self.committed.drop_before(self.committed.next() - KEPT);
        }
        let Some((entry_term, _)) = shadow.log.get(commit.0) else {
            return;
        };
        let entry = LogId {
            term: *entry_term,
            index: commit,
        };
        // In a joint phase a majority of each set.
        let members = &shadow.members;
        let sets: [Vec<NodeId>; 2] = [members.voters().collect(), members.old_voters().collect()];
        for voters in sets {
            let has = |voter: &&NodeId| {
                let place = (voter.0 as usize).wrapping_sub(1);
                let on_disk = |disk: &&Disk| disk.surely_has(entry);
                let was_told = |shadow: &Shadow| shadow.before.said_it_has(entry);
                disks.get(place).is_some_and(on_disk)
                    || self.shadows.get(place).is_some_and(was_told)
            };
            let having = voters.iter().filter(has).count();
            if having <= voters.len() / 2 {
                let seen = Finding::FewDisks {
                    node: id,
                    commit,
                    having,
                    voters: voters.len(),
                };
                self.found.push((Invariant::DurableBeforeTold, seen));
            }
        }
    }

    /// Members that applied the same index hold the same state.
    fn state_machine_safety(&mut self, id: NodeId, view: View<'_>) {
        let Some(shadow) = shadow(&mut self.shadows, id) else {
            return;
        };
        if view.applied() == shadow.applied {
            return;
        }
        let (applied, digest) = view.tree_digest();
        if applied < shadow.applied || view.commit() < applied {
            let seen = Finding::AppliedWrong {
                node: id,
                from: shadow.applied,
                to: applied,
                commit: view.commit(),
            };
            self.found.push((Invariant::StateMachineSafety, seen));
        }
        shadow.applied = applied;
        while self.digests.next() <= applied.0 {
            self.digests.push(0);
        }
        match self.digests.get_mut(applied.0) {
            Some(known) if *known == 0 => *known = digest,
            Some(known) if *known != digest => {
                let (node, index) = (id, applied);
                let seen = Finding::OtherState { node, index };
                self.found.push((Invariant::StateMachineSafety, seen));
            }
            _ => {}
        }
        if KEPT < self.digests.next() - self.digests.first() {
            self.digests.drop_before(self.digests.next() - KEPT);
        }
    }

    /// A leader whose disk has stopped answering stops leading in time.
    fn leader_writes(
        &mut self,
        now: Time,
        id: NodeId,
        view: View<'_>,
        disks: &[&Disk],
        stall: Span,
    ) {
        if view.role() != Role::Leader {
            return;
        }
        let Some(disk) = disks.get(id.0 as usize - 1) else {
            return;
        };
        if let Some(oldest) = disk.oldest()
            && stall + STALL_SLACK < now.since(oldest)
        {
            let (node, ms) = (id, now.since(oldest).as_ms());
            let seen = Finding::DiskSilent { node, ms };
            self.found.push((Invariant::LeaderWrites, seen));
        }
    }
}

/// For whom `node` voted in which term, and what its disk shows instead.
fn vote_not_on_disk(node: NodeId, (term, candidate): (Term, NodeId), disk: Vote) -> Finding {
    Finding::VoteNotOnDisk {
        node,
        candidate,
        term,
        disk: disk.term,
        voted_for: disk.voted_for,
    }
}

fn shadow(shadows: &mut [Shadow], id: NodeId) -> Option<&mut Shadow> {
    shadows.get_mut((id.0 as usize).wrapping_sub(1))
}

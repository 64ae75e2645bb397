//! Which configuration is in force: the newest in the log, committed or not (dissertation 4.1); and how a
//! leader changes it. Configurations are kept by index from the last committed one on and are cut back
//! with the log. Who is to be a member, and when, others decide.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::message::Payload;
use super::note::{Note, RoleReason};
use super::quorum::Quorum;
use super::{Effect, Raft, State};
use crate::config::{Bug, Config};
use crate::configuration::{Configuration, Standing, Step};
use crate::id::{Index, LogId, NodeId, ReplicaId};
use crate::time::Span;

/// The configurations that count.
#[derive(Clone, Debug)]
pub(super) struct Membership {
    /// In ascending order of index, never empty. The last is in force.
    list: Vec<Placed>,
    /// The place of the one in force.
    in_force: usize,
    /// Planted bugs.
    only_committed: bool,
    learners_count: bool,
}

#[derive(Clone, Debug)]
struct Placed {
    index: Index,
    configuration: Configuration,
    /// The voters of the new set, and of the old one; that is empty outside a joint phase.
    voters: Vec<NodeId>,
    old_voters: Vec<NodeId>,
}

impl Placed {
    fn votes(&self, id: NodeId, replica: ReplicaId) -> bool {
        let member = self.configuration.member(id);
        member.is_some_and(|own| own.replica == replica && own.standing != Standing::Learner)
    }
}

impl Membership {
    /// The configuration in force at `index`, which is committed.
    pub(super) fn new(index: Index, configuration: Configuration, config: &Config) -> Self {
        let mut membership = Self {
            list: Vec::new(),
            in_force: 0,
            only_committed: config.has(Bug::ConfigurationAtCommit),
            learners_count: config.has(Bug::LearnerCounts),
        };
        membership.appended(index, configuration);
        membership
    }

    /// The log got this configuration at `index`.
    pub(super) fn appended(&mut self, index: Index, configuration: Configuration) {
        let mut voters: Vec<NodeId> = configuration.voters().collect();
        if self.learners_count {
            voters.extend(configuration.learners());
        }
        let old_voters = match configuration.is_joint() {
            true => configuration.old_voters().collect(),
            false => Vec::new(),
        };
        self.list.push(Placed {
            index,
            configuration,
            voters,
            old_voters,
        });
        if !self.only_committed {
            self.in_force = self.list.len() - 1;
        }
    }

    /// The log lost its entries from `from` on. True if a configuration went with them.
    fn truncated(&mut self, from: Index) -> bool {
        let kept = self.place(from.prev()) + 1;
        let gone = kept < self.list.len();
        self.list.truncate(kept);
        self.in_force = self.in_force.min(kept - 1);
        gone
    }

    /// Everything up to `commit` is committed, and a snapshot may be taken at `applied` or later.
    pub(super) fn committed(&mut self, commit: Index, applied: Index) {
        self.in_force = self.in_force.max(self.place(commit));
        let old = self.place(applied.min(commit));
        self.list.drain(..old);
        self.in_force -= old;
    }

    /// The configuration in force.
    pub(super) fn configuration(&self) -> &Configuration {
        &self.list[self.in_force].configuration
    }

    /// Where the log has it; at the start 0.
    pub(super) fn index(&self) -> Index {
        self.list[self.in_force].index
    }

    /// The configuration in force at `index`.
    pub(super) fn at(&self, index: Index) -> &Configuration {
        &self.list[self.place(index)].configuration
    }

    /// The voters in force; in a joint phase those of the new set.
    pub(super) fn voters(&self) -> &[NodeId] {
        &self.list[self.in_force].voters
    }

    pub(super) fn quorum(&self) -> Quorum<'_> {
        let placed = &self.list[self.in_force];
        Quorum::new(&placed.voters, &placed.old_voters)
    }

    /// All that may turn out to be in force: from the last committed one on.
    fn possible(&self, commit: Index) -> &[Placed] {
        &self.list[self.place(commit)..]
    }

    /// The place of the newest at or below `index`.
    fn place(&self, index: Index) -> usize {
        let reached = self.list.partition_point(|placed| placed.index <= index);
        reached.max(1) - 1
    }
}

impl Raft {
    /// Puts a configuration into the log of a leader. It is in force at once, and travels with the next
    /// `flush`. A joint one is followed by what it leads to as soon as it is committed.
    ///
    /// # Errors
    /// Why this cannot be done now.
    pub fn reconfigure(&mut self, step: Step, out: &mut Vec<Effect>) -> Result<LogId, Unready> {
        if self.halted || !self.is_leader() {
            return Err(Unready::NotLeader);
        }
        // Two leaders could otherwise change the members in ways that share no majority (raft.md 2.4.1).
        if !self.serving() && !self.config.has(Bug::NoOwnTermBarrier) {
            return Err(Unready::OwnTerm);
        }
        if self.commit < self.membership.index() || self.configuration().is_joint() {
            return Err(Unready::UnderWay);
        }
        let configuration = match step {
            Step::Simple(next) => next,
            Step::Joint(next) => {
                let ready = |id| self.has_caught_up(id) || self.config.has(Bug::PromotedUnready);
                let incoming = |id: &NodeId| {
                    next.member(*id)
                        .is_some_and(|member| member.standing == Standing::Incoming)
                };
                if let Some(learner) = next.voters().filter(incoming).find(|id| !ready(*id)) {
                    return Err(Unready::Behind(learner));
                }
                next
            }
        };
        Ok(self.append_configuration(configuration, out))
    }

    /// Whether a learner is close enough to vote. Only its leader can say so.
    #[must_use]
    pub fn has_caught_up(&self, learner: NodeId) -> bool {
        match &self.state {
            State::Leader(leadership) => leadership
                .peers()
                .iter()
                .any(|peer| peer.id == learner && peer.has_caught_up()),
            _ => learner == self.config.id,
        }
    }

    /// A learner that was given all its rounds and is still too far behind.
    #[must_use]
    pub fn too_slow(&self) -> Option<NodeId> {
        let State::Leader(leadership) = &self.state else {
            return None;
        };
        let limit = self.config.catch_up_rounds;
        let slow = leadership
            .peers()
            .iter()
            .find(|peer| peer.is_too_slow(limit));
        slow.map(|peer| peer.id)
    }

    /// Whether this replica votes in the configuration in force.
    #[must_use]
    pub fn is_voter(&self) -> bool {
        let Config { id, replica, .. } = *self.config;
        self.membership.list[self.membership.in_force].votes(id, replica)
    }

    /// Whether it votes in any configuration that may turn out to be in force: one that is left out of an
    /// uncommitted configuration may be needed to commit it (dissertation 4.2.2).
    pub(super) fn may_vote(&self) -> bool {
        let Config { id, replica, .. } = *self.config;
        let mut possible = self.membership.possible(self.commit).iter();
        possible.any(|placed| placed.votes(id, replica))
    }

    /// Whether that replica may be talked to under that number; `since` is where its own log has the
    /// newest configuration it knows, 0 if it knows none. Both ends of a link ask before they use it.
    ///
    /// # Errors
    /// Why not, with the remedy (raft.md 2.4.6). It may be different later.
    pub fn admits(&self, id: NodeId, replica: ReplicaId, since: Index) -> Result<(), String> {
        let own = &self.membership.list[self.membership.list.len() - 1];
        let mut possible = self.membership.possible(self.commit).iter();
        let is_it = |placed: &Placed| {
            let member = placed.configuration.member(id);
            member.is_some_and(|member| member.replica == replica)
        };
        // One that was never told who is a member must listen to anybody, and one that is behind must
        // listen to those who know better.
        let knows_nobody = own.configuration.members().is_empty();
        // One that left, and nobody has its number now, must be told so for as long as the log knows of it.
        let left = own.configuration.member(id).is_none() && self.membership.list.iter().any(is_it);
        if knows_nobody || own.index < since || possible.any(is_it) || left {
            return Ok(());
        }
        if self.config.has(Bug::ReplicaReused) && own.configuration.member(id).is_some() {
            return Ok(());
        }
        Err(match own.configuration.member(id) {
            Some(_) => format!(
                "member {id} comes with another data directory than it had, and has forgotten what it promised: remove member {id} from the cluster, then add it again"
            ),
            None => format!("{id} is not a member of this cluster: add it first"),
        })
    }

    pub(super) fn quorum(&self) -> Quorum<'_> {
        let mut quorum = self.membership.quorum();
        if self.config.has(Bug::NewSetDecidesAlone) {
            quorum = quorum.without_old();
        }
        if self.config.has(Bug::RemovedLeaderCounts) && self.is_leader() {
            quorum = quorum.with(self.config.id);
        }
        quorum
    }

    /// Everyone that may have to hear this node: the members of all configurations that may be in force.
    pub(super) fn audience(&self) -> Vec<NodeId> {
        let possible = self.membership.possible(self.commit).iter();
        let members = possible.flat_map(|placed| placed.configuration.members());
        let mut ids: Vec<NodeId> = members.map(|member| member.id).collect();
        ids.sort_unstable();
        ids.dedup();
        ids.retain(|id| *id != self.config.id);
        ids
    }

    /// One that left speaks up: it has not heard that it did, and is told again (raft.md 2.4.4).
    pub(super) fn tell_again(&mut self, from: NodeId) {
        let was_member = |placed: &Placed| placed.configuration.member(from).is_some();
        if !self.membership.list.iter().any(was_member) {
            return;
        }
        let configuration = self.membership.configuration();
        let next = self.log.last().index.next();
        if let State::Leader(leadership) = &mut self.state
            && !leadership.peers().iter().any(|peer| peer.id == from)
            && !self.config.has(Bug::LeaversNotTold)
        {
            leadership.serve(&[from], configuration, next, self.now);
        }
    }

    /// The log got a configuration, from this leader or from another.
    pub(super) fn adopt(
        &mut self,
        index: Index,
        configuration: &Configuration,
        out: &mut Vec<Effect>,
    ) {
        self.membership.appended(index, configuration.clone());
        self.reconfigured(out);
    }

    /// The log lost its entries from `from` on; a configuration among them is in force no longer.
    pub(super) fn roll_back(&mut self, from: Index, out: &mut Vec<Effect>) {
        if !self.config.has(Bug::ConfigurationNotRolledBack) && self.membership.truncated(from) {
            self.reconfigured(out);
        }
    }

    /// The configuration in force has changed.
    pub(super) fn reconfigured(&mut self, out: &mut Vec<Effect>) {
        let (audience, next, now) = (self.audience(), self.log.last().index.next(), self.now);
        let configuration = self.membership.configuration();
        match &mut self.state {
            State::Leader(leadership) => {
                leadership.serve(&audience, configuration, next, now);
                if self.config.has(Bug::LeaversNotTold) {
                    leadership.part(Span(0), now);
                }
            }
            _ => self.rearm(),
        }
        let index = self.membership.index();
        let joint = self.configuration().is_joint();
        self.note(|| Note::Configured { index, joint }, out);
    }

    /// Any leader ends a joint phase, once that is committed, by what it leads to (raft.md 2.4.3).
    pub(super) fn finish_joint_phase(&mut self, out: &mut Vec<Effect>) {
        let configuration = self.membership.configuration();
        if !self.is_leader() || !configuration.is_joint() {
            return;
        }
        let early = self.config.has(Bug::JointLeftEarly);
        if self.membership.index() <= self.commit && self.serving() || early {
            let settled = configuration.settled();
            self.append_configuration(settled, out);
        }
    }

    /// A leader that is no voter leads until that is committed, and has told so by now.
    pub(super) fn leave_when_removed(&mut self, out: &mut Vec<Effect>) {
        let committed = self.membership.index() <= self.commit;
        if self.is_leader() && committed && !self.is_voter() {
            self.follow(self.vote.term, None, RoleReason::Removed, out);
        }
    }

    fn append_configuration(&mut self, next: Configuration, out: &mut Vec<Effect>) -> LogId {
        let id = self.append_own(Payload::Membership(next.clone()));
        self.adopt(id.index, &next, out);
        id
    }
}

/// Why the configuration cannot be changed now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unready {
    /// Another node leads, or none.
    NotLeader,
    /// This leader has not committed an entry of its own term yet.
    OwnTerm,
    /// The change before is not committed.
    UnderWay,
    /// This learner has not caught up.
    Behind(NodeId),
}

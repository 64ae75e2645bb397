//! What must hold about changes of the members. It reads configurations where they lie, in the logs, and
//! asks no member what it makes of them.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::{Checker, Finding, Invariant, shadow};
use crate::configuration::{Configuration, Standing};
use crate::id::{Index, NodeId, ReplicaId};
use crate::node::View;
use crate::raft::message::Payload;
use crate::raft::note::Role;
use crate::sim::disk::Disk;

/// Where each replica came in as a learner, as its last leader had it.
pub(super) type Joined = BTreeMap<(NodeId, ReplicaId), Index>;

impl Checker {
    /// Each member acts by the newest configuration in its log, committed or not; without one, by that in force
    /// at the index of its snapshot.
    pub(super) fn newest_members(&mut self, id: NodeId, view: View<'_>) {
        let Some(shadow) = shadow(&mut self.shadows, id) else {
            return;
        };
        let at = view.configuration_index();
        let newest = shadow.changes.last().copied();
        let in_log = newest.and_then(|newest| configuration_at(view, newest));
        // A boot has it from the snapshot of that time, up to whose index nothing newer can be.
        let snapshot = view.snapshot().map(|meta| meta.last.index);
        let acts_by_it = match in_log {
            Some(members) => {
                let here = Some(at) == newest || newest < Some(at) && Some(at) <= snapshot;
                here && members == view.configuration()
            }
            None => {
                // What was in force at the index of the snapshot.
                let mut committed = self.configurations.range(..=at);
                let known = committed.next_back().map(|(_, members)| members);
                let right = known.is_none_or(|known| known == view.configuration());
                (at < view.first_index() || Some(at) <= snapshot) && (right || at == Index(0))
            }
        };
        if !acts_by_it {
            let newest = newest.unwrap_or(view.first_index().prev());
            let seen = Finding::OldMembers {
                node: id,
                at,
                newest,
            };
            self.found.push((Invariant::NewestMembers, seen));
        }
    }

    /// A leader changes the members only when the change before, and an entry of its own term, are
    /// committed; and nobody gets a vote who has not caught up as a learner.
    pub(super) fn one_change(&mut self, id: NodeId, view: View<'_>, disks: &[&Disk]) {
        let place = |id: NodeId| (id.0 as usize).wrapping_sub(1);
        let Some(shadow) = self.shadows.get(place(id)) else {
            return;
        };
        if view.role() != Role::Leader || shadow.changes.last() <= Some(&shadow.seen_change) {
            return;
        }
        // What a snapshot has just covered may be cut from the log.
        let covered = view.snapshot().map(|meta| meta.last);
        let term = |index| {
            let entry = view.entry(index).map(|entry| entry.id.term);
            entry.or(covered
                .filter(|last| last.index == index)
                .map(|last| last.term))
        };
        let before = |place: usize| shadow.changes[..place].last().copied();
        let own: Vec<(Option<Index>, Index)> = (shadow.changes.iter().enumerate())
            .filter(|(_, at)| shadow.seen_change < **at && term(**at) == Some(view.term()))
            .map(|(place, at)| (before(place), *at))
            .collect();
        for (before, at) in own {
            let commit = view.commit();
            if term(commit) != Some(view.term()) || before.is_some_and(|before| commit < before) {
                let node = id;
                let seen = Finding::EarlyChange { node, at, commit };
                self.found.push((Invariant::OneChange, seen));
            }
            let Some(configuration) = configuration_at(view, at) else {
                continue;
            };
            let in_log = before.and_then(|before| configuration_at(view, before));
            let earlier = in_log.unwrap_or(&shadow.members);
            for member in configuration.members() {
                let replica = (member.id, member.replica);
                let known = earlier.member(member.id);
                let is_new = known.is_none_or(|known| known.replica != member.replica);
                if member.standing == Standing::Learner && is_new {
                    self.joined.insert(replica, at);
                }
                // The disk of another replica says nothing about the one that is meant.
                let there = self.shadows.get(place(member.id)).map(|own| own.replica);
                let disk = disks.get(place(member.id));
                let has = disk.map_or(Index(0), |disk| disk.last());
                if member.standing == Standing::Incoming
                    && there == Some(member.replica)
                    && let Some(joined) = self.joined.get(&replica)
                    && has < *joined
                {
                    let seen = Finding::EarlyVote {
                        node: id,
                        member: member.id,
                        at,
                        last: has,
                        joined: *joined,
                    };
                    self.found.push((Invariant::OneChange, seen));
                }
            }
        }
    }
}

pub(super) fn configuration_at(view: View<'_>, index: Index) -> Option<&Configuration> {
    match &view.entry(index)?.payload {
        Payload::Membership(configuration) => Some(configuration),
        _ => None,
    }
}

//! Faults that come by themselves: what, when and for how long, drawn from their own stream, so that a
//! change of the workload does not change them. It only draws; `Sim` carries out.

use alloc::vec;
use alloc::vec::Vec;

use super::profile::{DiskProfile, Faults};
use super::{ClientId, Intervention};
use crate::id::NodeId;
use crate::rng::Rng;
use crate::time::{Span, Time};

#[derive(Clone)]
pub(super) struct Nemesis {
    faults: Faults,
    on: bool,
    next: Time,
    /// What ends the faults that are in force, and when. Not sorted: there are few.
    repairs: Vec<(Time, Intervention)>,
    rng: Rng,
}

/// What it has to know to aim.
pub(super) struct Aim<'a> {
    pub(super) members: u64,
    pub(super) leader: Option<NodeId>,
    pub(super) clients: &'a [ClientId],
    pub(super) disk: DiskProfile,
    /// Who votes, in the newest configuration.
    pub(super) voters: &'a [NodeId],
    /// Who listens in it.
    pub(super) learners: &'a [NodeId],
    /// Whether all members are up and the replicas that the newest configuration names, with no change
    /// pending anywhere: then one of them may lose its disk, and a majority still has what was promised.
    pub(super) settled: bool,
}

impl Nemesis {
    pub(super) fn new(faults: Faults, now: Time, rng: Rng) -> Self {
        let mut nemesis = Self {
            faults,
            on: true,
            next: now,
            repairs: Vec::new(),
            rng,
        };
        nemesis.next = now + nemesis.about(faults.every);
        nemesis
    }

    pub(super) fn deadline(&self) -> Time {
        let repair = self
            .repairs
            .iter()
            .map(|(at, _)| *at)
            .min()
            .unwrap_or(Time::NEVER);
        if self.on {
            self.next.min(repair)
        } else {
            repair
        }
    }

    /// Stops: no new faults, and those in force end now. Or goes on.
    pub(super) fn switch(&mut self, on: bool, now: Time) {
        self.on = on;
        if on {
            self.next = now + self.about(self.faults.every);
        } else {
            self.repairs.iter_mut().for_each(|(at, _)| *at = now);
        }
    }

    /// What is due: first repairs, then one fault.
    pub(super) fn draw(&mut self, now: Time, aim: &Aim<'_>) -> Vec<Intervention> {
        let (due, rest): (Vec<_>, Vec<_>) = self.repairs.drain(..).partition(|(at, _)| *at <= now);
        self.repairs = rest;
        let mut deeds: Vec<Intervention> = due.into_iter().map(|(_, deed)| deed).collect();
        if self.on && self.next <= now {
            self.next = now + self.about(self.faults.every);
            deeds.extend(self.fault(now, aim));
        }
        deeds
    }

    fn fault(&mut self, now: Time, aim: &Aim<'_>) -> Vec<Intervention> {
        let faults = self.faults;
        let node = NodeId(self.rng.between(1, aim.members));
        let other = NodeId(self.rng.between(1, aim.members));
        let draw = self.rng.next_u64();
        let until = now + self.about(faults.repair);
        let weights = [
            faults.crash,
            faults.crash_all,
            faults.pause,
            faults.partition,
            faults.one_way,
            faults.isolate_leader,
            faults.freeze,
            faults.slow,
            faults.drop_client,
            faults.snapshot,
            faults.campaign,
            faults.transfer,
            faults.members,
            faults.wipe,
        ];
        let total: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
        let mut place = self.rng.below(total);
        let kind = weights.iter().position(|weight| {
            let weight = u64::from(*weight);
            let here = place < weight;
            place = place.saturating_sub(weight);
            here
        });
        let repair = |deed| (until, deed);
        let (deeds, repairs) = match kind {
            Some(0) => (
                vec![Intervention::Kill(node)],
                vec![repair(Intervention::Restart(node))],
            ),
            Some(1) => {
                let all = (1..=aim.members).map(NodeId);
                let back = all.clone().enumerate().map(|(place, node)| {
                    let later = (draw >> (place * 4)) % 16;
                    (
                        until + Span::from_ms(later * 20),
                        Intervention::Restart(node),
                    )
                });
                (all.map(Intervention::Kill).collect(), back.collect())
            }
            Some(2) => (
                vec![Intervention::Pause(node)],
                vec![repair(Intervention::Resume(node))],
            ),
            Some(3) => {
                let side = |node: u64| draw >> node & 1;
                let pairs = (1..=aim.members).flat_map(|a| (1..=aim.members).map(move |b| (a, b)));
                let crossing: Vec<(NodeId, NodeId)> = pairs
                    .filter(|(a, b)| side(*a) != side(*b))
                    .map(|(a, b)| (NodeId(a), NodeId(b)))
                    .collect();
                let cut = |(from, to): &(NodeId, NodeId)| Intervention::Cut {
                    from: *from,
                    to: *to,
                };
                let heal = |(from, to): &(NodeId, NodeId)| Intervention::Heal {
                    from: *from,
                    to: *to,
                };
                (
                    crossing.iter().map(cut).collect(),
                    crossing.iter().map(heal).map(repair).collect(),
                )
            }
            Some(4) => {
                let (from, to) = (node, other);
                (
                    vec![Intervention::Cut { from, to }],
                    vec![repair(Intervention::Heal { from, to })],
                )
            }
            Some(5) => {
                let node = aim.leader.unwrap_or(node);
                (
                    vec![Intervention::Isolate(node)],
                    vec![repair(Intervention::Rejoin(node))],
                )
            }
            Some(6) => (
                vec![Intervention::FreezeDisk(node)],
                vec![repair(Intervention::ThawDisk(node))],
            ),
            Some(7) => {
                let DiskProfile { min, max } = aim.disk;
                let slow = Intervention::SlowDisk {
                    node,
                    min: min.times(20),
                    max: max.times(60),
                };
                (
                    vec![slow],
                    vec![repair(Intervention::SlowDisk { node, min, max })],
                )
            }
            Some(8) => {
                let pick = (draw % (aim.clients.len().max(1) as u64)) as usize;
                (
                    aim.clients
                        .get(pick)
                        .map(|id| Intervention::DropClient(*id))
                        .into_iter()
                        .collect(),
                    vec![],
                )
            }
            Some(9) => (vec![Intervention::TakeSnapshot(node)], vec![]),
            Some(10) => (vec![Intervention::Campaign(node)], vec![]),
            Some(11) => {
                let from = aim.leader.unwrap_or(node);
                let to = Some(other).filter(|other| *other != from);
                (vec![Intervention::Transfer { from, to }], vec![])
            }
            Some(12) => (vec![self.other_members(aim, node, draw)], vec![]),
            Some(13) if aim.settled && 3 <= aim.voters.len() => {
                let among = [aim.voters, aim.learners].concat();
                let node = among[(draw % among.len() as u64) as usize];
                let operator = aim.voters.iter().find(|id| **id != node);
                let again = Intervention::Members {
                    node: operator.copied().unwrap_or(node),
                    voters: aim.voters.to_vec(),
                    learners: aim.learners.to_vec(),
                };
                (vec![Intervention::Wipe(node)], vec![repair(again)])
            }
            _ => (vec![], vec![]),
        };
        self.repairs.extend(repairs);
        deeds
    }

    /// Any members, at least as many voters as they say; two in three of the others listen.
    fn other_members(&mut self, aim: &Aim<'_>, node: NodeId, draw: u64) -> Intervention {
        let mut ids: Vec<NodeId> = (1..=aim.members).map(NodeId).collect();
        for place in (1..ids.len()).rev() {
            ids.swap(place, self.rng.below(place as u64 + 1) as usize);
        }
        let least = u64::from(self.faults.least_voters).clamp(1, aim.members);
        let voters = self.rng.between(least, aim.members) as usize;
        let listens = |(place, id): (usize, &NodeId)| (draw >> place & 3 != 0).then_some(*id);
        let learners = ids[voters..].iter().enumerate().filter_map(listens);
        let learners: Vec<NodeId> = learners.take(2).collect();
        ids.truncate(voters);
        Intervention::Members {
            node: aim.leader.unwrap_or(node),
            voters: ids,
            learners,
        }
    }

    /// A span around this mean.
    fn about(&mut self, mean: Span) -> Span {
        Span(self.rng.between(mean.0 / 4, mean.0 + mean.0 * 3 / 4))
    }
}

//! Faults that come by themselves: what, when and for how long, drawn from their own stream, so that a
//! change of the workload does not change them. It only draws; `Sim` carries out.

use alloc::vec;
use alloc::vec::Vec;

use super::clock::DRIFT_PER_MILLE;
use super::profile::{DiskProfile, Faults, LinkProfile};
use super::{ClientId, Intervention};
use crate::id::NodeId;
use crate::rng::Rng;
use crate::time::{Span, Time};

/// Kinds of faults that come by themselves.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Fault {
    /// A member's process ends.
    Crash,
    /// All members end at once, and come back one after the other.
    CrashAll,
    /// A member's process stands still.
    Pause,
    /// Members fall apart into two groups.
    Halves,
    /// The same, but one member sees both groups.
    Bridge,
    /// One direction of one link is cut.
    OneWay,
    /// A member hears nobody, or nobody hears it.
    Blind,
    /// A member is cut off, and let in again, several times.
    Flap,
    /// The member that leads is cut off.
    IsolateLeader,
    /// One direction, or all directions of a member, hold everything back and then let it go at once.
    Clog,
    /// One direction becomes slow.
    Detour,
    /// A disk stops answering.
    Freeze,
    /// A disk becomes slow.
    Slow,
    /// A member's clock goes wrong.
    Drift,
    /// A member's clock jumps forward.
    Jump,
    /// A client loses its connection, or all do at once.
    DropClient,
    /// A member is told to take a snapshot.
    Snapshot,
    /// A member is told to campaign.
    Campaign,
    /// The leader is told to hand over.
    Transfer,
    /// An operator asks for other members.
    Members,
    /// A member loses its disk, and is asked for again.
    Wipe,
    /// Members end and are back within moments, one after the other.
    Bounce,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 22] = [
        Self::Crash,
        Self::CrashAll,
        Self::Pause,
        Self::Halves,
        Self::Bridge,
        Self::OneWay,
        Self::Blind,
        Self::Flap,
        Self::IsolateLeader,
        Self::Clog,
        Self::Detour,
        Self::Freeze,
        Self::Slow,
        Self::Drift,
        Self::Jump,
        Self::DropClient,
        Self::Snapshot,
        Self::Campaign,
        Self::Transfer,
        Self::Members,
        Self::Wipe,
        Self::Bounce,
    ];

    const fn weight(self, faults: &Faults) -> u32 {
        match self {
            Self::Crash => faults.crash,
            Self::CrashAll => faults.crash_all,
            Self::Pause => faults.pause,
            Self::Halves => faults.halves,
            Self::Bridge => faults.bridge,
            Self::OneWay => faults.one_way,
            Self::Blind => faults.blind,
            Self::Flap => faults.flap,
            Self::IsolateLeader => faults.isolate_leader,
            Self::Clog => faults.clog,
            Self::Detour => faults.detour,
            Self::Freeze => faults.freeze,
            Self::Slow => faults.slow,
            Self::Drift => faults.drift,
            Self::Jump => faults.jump,
            Self::DropClient => faults.drop_client,
            Self::Snapshot => faults.snapshot,
            Self::Campaign => faults.campaign,
            Self::Transfer => faults.transfer,
            Self::Members => faults.members,
            Self::Wipe => faults.wipe,
            Self::Bounce => faults.bounce,
        }
    }
}

/// One fault in so many comes on the heels of the one before.
const HASTY_PER_MILLE: u32 = 250;
/// One fault in so many is aimed at the leader.
const LEADER_PER_MILLE: u32 = 330;

#[derive(Clone)]
pub(super) struct Nemesis {
    faults: Faults,
    on: bool,
    next: Time,
    /// What ends the faults that are in force, and when. Not sorted: there are few.
    repairs: Vec<(Time, Intervention)>,
    /// How often each kind came.
    pub(super) drawn: [u64; Fault::ALL.len()],
    rng: Rng,
}

/// What it has to know to aim.
pub(super) struct Aim<'a> {
    pub(super) members: u64,
    pub(super) leader: Option<NodeId>,
    pub(super) clients: &'a [ClientId],
    pub(super) disk: DiskProfile,
    pub(super) link: LinkProfile,
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
            drawn: [0; Fault::ALL.len()],
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
            let every = match self.rng.chance(HASTY_PER_MILLE) {
                true => Span(self.faults.every.0 / 10),
                false => self.faults.every,
            };
            self.next = now + self.about(every);
            deeds.extend(self.fault(now, aim));
        }
        deeds
    }

    fn fault(&mut self, now: Time, aim: &Aim<'_>) -> Vec<Intervention> {
        let faults = self.faults;
        let any = NodeId(self.rng.between(1, aim.members));
        let other = NodeId(self.rng.between(1, aim.members));
        let node = match aim.leader {
            Some(leader) if self.rng.chance(LEADER_PER_MILLE) => leader,
            _ => any,
        };
        let draw = self.rng.next_u64();
        let until = now + self.about(faults.repair);
        let total: u64 = Fault::ALL
            .iter()
            .map(|fault| u64::from(fault.weight(&faults)))
            .sum();
        let mut place = self.rng.below(total);
        let fault = Fault::ALL.into_iter().find(|fault| {
            let weight = u64::from(fault.weight(&faults));
            let here = place < weight;
            place = place.saturating_sub(weight);
            here
        });
        let Some(fault) = fault else {
            return Vec::new();
        };
        let lasting = |deed, repair| (vec![deed], vec![(until, repair)]);
        let all = (1..=aim.members).map(NodeId);
        let (deeds, repairs) = match fault {
            Fault::Crash => lasting(Intervention::Kill(node), Intervention::Restart(node)),
            Fault::CrashAll => {
                let back = all.clone().enumerate().map(|(place, node)| {
                    let later = (draw >> (place * 4)) % 16;
                    (
                        until + Span::from_ms(later * 20),
                        Intervention::Restart(node),
                    )
                });
                (
                    all.clone().map(Intervention::Kill).collect(),
                    back.collect(),
                )
            }
            Fault::Pause => lasting(Intervention::Pause(node), Intervention::Resume(node)),
            Fault::Halves => {
                let side = |id: NodeId| draw >> id.0 & 1;
                cut(aim, until, |from, to| side(from) != side(to))
            }
            Fault::Bridge => {
                let side = |id: NodeId| draw >> id.0 & 1;
                cut(aim, until, |from, to| {
                    side(from) != side(to) && from != node && to != node
                })
            }
            Fault::OneWay => cut(aim, until, |from, to| (from, to) == (node, other)),
            Fault::Blind => match draw & 1 {
                0 => cut(aim, until, |_, to| to == node),
                _ => cut(aim, until, |from, _| from == node),
            },
            Fault::Flap => {
                let length = Span(until.since(now).0 / (2 + draw % 6));
                let mut at = now;
                let mut flaps = Vec::new();
                for _ in 0..2 + draw % 6 {
                    flaps.push((at + Span(length.0 / 2), Intervention::Rejoin(node)));
                    at += length;
                    flaps.push((at, Intervention::Isolate(node)));
                }
                flaps.push((at + Span(length.0 / 2), Intervention::Rejoin(node)));
                (vec![Intervention::Isolate(node)], flaps)
            }
            Fault::IsolateLeader => {
                let node = aim.leader.unwrap_or(node);
                lasting(Intervention::Isolate(node), Intervention::Rejoin(node))
            }
            Fault::Clog => {
                let whole = draw & 3 == 0;
                let clogged = |(from, to): &(NodeId, NodeId)| {
                    (*from, *to) == (node, other) || whole && (*from == node || *to == node)
                };
                let links: Vec<(NodeId, NodeId)> = links(aim).filter(clogged).collect();
                let clog = |(from, to)| Intervention::Clog { from, to };
                let unclog = |(from, to)| (until, Intervention::Unclog { from, to });
                (
                    links.iter().copied().map(clog).collect(),
                    links.iter().copied().map(unclog).collect(),
                )
            }
            Fault::Detour => {
                let (min, max) = (aim.link.delay_min, aim.link.delay_max);
                let link = Some((node, other));
                let slow = Span::from_ms(20 + draw % 400);
                let (low, high) = (min + slow, max + slow);
                lasting(
                    Intervention::Delay {
                        link,
                        min: low,
                        max: high,
                    },
                    Intervention::Delay { link, min, max },
                )
            }
            Fault::Freeze => lasting(Intervention::FreezeDisk(node), Intervention::ThawDisk(node)),
            Fault::Slow => {
                let DiskProfile { min, max } = aim.disk;
                let slow = Intervention::SlowDisk {
                    node,
                    min: min.times(20),
                    max: max.times(60),
                };
                lasting(slow, Intervention::SlowDisk { node, min, max })
            }
            Fault::Drift => {
                let slowest = 1_000 - DRIFT_PER_MILLE;
                let per_mille = slowest + (draw % u64::from(2 * DRIFT_PER_MILLE + 1)) as u32;
                (vec![Intervention::ClockRate { node, per_mille }], vec![])
            }
            Fault::Jump => {
                let by = Span::from_ms(20 + draw % 4_000);
                (vec![Intervention::ClockJump { node, by }], vec![])
            }
            Fault::DropClient => {
                let all = draw.is_multiple_of(8);
                let pick = (draw / 8) % (aim.clients.len().max(1) as u64);
                let dropped = |(place, _): &(usize, &ClientId)| all || *place as u64 == pick;
                let clients = aim.clients.iter().enumerate().filter(dropped);
                let drop = clients.map(|(_, id)| Intervention::DropClient(*id));
                (drop.collect(), vec![])
            }
            Fault::Snapshot => (vec![Intervention::TakeSnapshot(node)], vec![]),
            Fault::Campaign => (vec![Intervention::Campaign(node)], vec![]),
            Fault::Transfer => {
                let from = aim.leader.unwrap_or(node);
                let to = Some(other).filter(|other| *other != from);
                (vec![Intervention::Transfer { from, to }], vec![])
            }
            Fault::Members => (vec![self.other_members(aim, node, draw)], vec![]),
            Fault::Wipe if aim.settled && 3 <= aim.voters.len() => {
                let among = [aim.voters, aim.learners].concat();
                let node = among[(draw % among.len() as u64) as usize];
                let operator = aim.voters.iter().find(|id| **id != node);
                let again = Intervention::Members {
                    node: operator.copied().unwrap_or(node),
                    voters: aim.voters.to_vec(),
                    learners: aim.learners.to_vec(),
                };
                lasting(Intervention::Wipe(node), again)
            }
            Fault::Wipe => (vec![], vec![]),
            Fault::Bounce => {
                let (mut at, mut node) = (now, node);
                let mut bounces = Vec::new();
                for _ in 0..6 + draw % 12 {
                    let back = at + Span::from_ms(self.rng.between(1, 50));
                    bounces.push((at, Intervention::Kill(node)));
                    bounces.push((back, Intervention::Restart(node)));
                    at += Span::from_ms(self.rng.between(10, 90));
                    node = NodeId(self.rng.between(1, aim.members));
                }
                let (_, first) = bounces.remove(0);
                (vec![first], bounces)
            }
        };
        self.drawn[fault as usize] += u64::from(!deeds.is_empty());
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

/// All directions between members.
fn links(aim: &Aim<'_>) -> impl Iterator<Item = (NodeId, NodeId)> + use<> {
    let members = 1..=aim.members;
    members
        .clone()
        .flat_map(move |from| members.clone().map(move |to| (NodeId(from), NodeId(to))))
        .filter(|(from, to)| from != to)
}

/// Cuts some directions, and heals them later.
fn cut(
    aim: &Aim<'_>,
    until: Time,
    is_cut: impl Fn(NodeId, NodeId) -> bool,
) -> (Vec<Intervention>, Vec<(Time, Intervention)>) {
    let cuts: Vec<(NodeId, NodeId)> = links(aim).filter(|(from, to)| is_cut(*from, *to)).collect();
    let cut = |(from, to)| Intervention::Cut { from, to };
    let heal = |(from, to)| (until, Intervention::Heal { from, to });
    (
        cuts.iter().copied().map(cut).collect(),
        cuts.iter().copied().map(heal).collect(),
    )
}

//! Who is a member and what each of them counts for, as it lies in the log and in snapshots. Types and
//! pure rules only: which configuration is in force is `membership`'s business.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::hash;
use crate::id::{Index, NodeId, ReplicaId};

mod text;

pub use text::parse;

/// A member of the cluster.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Member {
    /// Its number.
    pub id: NodeId,
    /// Its data directory. A number may come back with another one; a replica never comes back.
    pub replica: ReplicaId,
    /// Where the others reach it: opaque here, for drivers. Empty where nobody needs one.
    pub address: String,
    /// Where clients of ZooKeeper's protocol reach it, as HOST:PORT: opaque here, for those who read
    /// `/zookeeper/config`. Empty if it is not known.
    pub clients: String,
    /// What it counts for.
    pub standing: Standing,
}

/// What a member counts for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Standing {
    /// It votes; in a joint phase before and after.
    Voter,
    /// It gets the log and counts for nothing.
    Learner,
    /// Joint phase: it votes in the new set only.
    Incoming,
    /// Joint phase: it votes in the old set only, and leaves with it.
    Outgoing,
    /// Joint phase: it votes in the old set only, and is a learner afterwards.
    Demoted,
}

impl Standing {
    /// Whether it votes in the set that a joint phase leads to, or in the only one.
    #[must_use]
    pub const fn votes(self) -> bool {
        matches!(self, Self::Voter | Self::Incoming)
    }

    /// Whether it votes in the set that a joint phase comes from, or in the only one.
    #[must_use]
    pub const fn voted(self) -> bool {
        matches!(self, Self::Voter | Self::Outgoing | Self::Demoted)
    }
}

/// The members, in ascending order, nobody twice. Clones share them, and to compare two clones costs nothing: nodes
/// are cloned with everything in them, and compare what they act by at each step.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct Configuration {
    members: Arc<[Member]>,
}

impl Configuration {
    /// These members. Of two with one number the first counts.
    #[must_use]
    pub fn new(mut members: Vec<Member>) -> Self {
        members.sort_by_key(|member| member.id);
        members.dedup_by_key(|member| member.id);
        Self {
            members: members.into(),
        }
    }

    /// Voters without replica ids and addresses, as in a cluster whose driver checks nobody.
    #[must_use]
    pub fn of_voters(ids: impl IntoIterator<Item = NodeId>) -> Self {
        let member = |id| Member {
            id,
            replica: ReplicaId(0),
            address: String::new(),
            clients: String::new(),
            standing: Standing::Voter,
        };
        Self::new(ids.into_iter().map(member).collect())
    }

    /// Whether members can be these: in ascending order, nobody twice, and in each set somebody votes.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let ascend = |pair: &[Member]| pair[0].id < pair[1].id;
        self.members.windows(2).all(ascend)
            && self.voters().next().is_some()
            && self.old_voters().next().is_some()
    }

    /// The members, in ascending order.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// One of them.
    #[must_use]
    pub fn member(&self, id: NodeId) -> Option<&Member> {
        let place = self.members.binary_search_by_key(&id, |member| member.id);
        self.members.get(place.ok()?)
    }

    /// Whether two majorities decide (dissertation 4.3).
    #[must_use]
    pub fn is_joint(&self) -> bool {
        let single =
            |member: &Member| matches!(member.standing, Standing::Voter | Standing::Learner);
        !self.members.iter().all(single)
    }

    /// The voters that a joint phase leads to, or the only ones; in ascending order.
    pub fn voters(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.with(Standing::votes)
    }

    /// The voters that a joint phase comes from, or the only ones; in ascending order.
    pub fn old_voters(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.with(Standing::voted)
    }

    /// Those that get the log and do not count; in ascending order.
    pub fn learners(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.with(|standing| standing == Standing::Learner)
    }

    /// The next step from here, which is not joint, towards `target`, which is not joint either; `None` on
    /// arrival. First those who join come in as learners; then, when they have caught up, the voters
    /// change in a joint phase; then what is left changes.
    #[must_use]
    pub fn towards(&self, target: &Self) -> Option<Step> {
        if self == target {
            return None;
        }
        let known = |member: &Member| {
            self.member(member.id)
                .is_some_and(|own| own.replica == member.replica)
        };
        // A number that comes back with another replica leaves first.
        let replaced = |member: &&Member| {
            target
                .member(member.id)
                .is_some_and(|next| next.replica != member.replica)
        };
        if self.members.iter().any(|member| replaced(&member)) {
            let stays = |member: &&Member| !replaced(member);
            let without = Self::new(self.members.iter().filter(stays).cloned().collect());
            return Some(self.change_to(without));
        }
        if !target.members.iter().all(known) {
            let newcomer = |member: &Member| Member {
                standing: Standing::Learner,
                ..member.clone()
            };
            let unknown = target.members.iter().filter(|member| !known(member));
            let members = self.members.iter().cloned().chain(unknown.map(newcomer));
            return Some(Step::Simple(Self::new(members.collect())));
        }
        Some(self.change_to(target.clone()))
    }

    /// These members after a change.
    ///
    /// # Errors
    /// If the change makes no sense: nobody would vote, or two members would share an address; or if somebody
    /// new comes without a replica id.
    pub fn changed(&self, change: &Change) -> Result<Self, BadChange> {
        let mut members = self.members.to_vec();
        let mut strangers = false;
        let joining = match change {
            Change::Incremental { joining, leaving } => {
                members.retain(|member| !leaving.contains(&member.id));
                joining
            }
            Change::Replace(all) => {
                members.clear();
                all
            }
        };
        for member in joining {
            let known = self.member(member.id);
            let mut next = member.clone();
            // What is not said stays as it was.
            if let Some(known) = known {
                if next.replica == ReplicaId(0) {
                    next.replica = known.replica;
                }
                if next.address.is_empty() {
                    next.address.clone_from(&known.address);
                }
                if next.clients.is_empty() {
                    next.clients.clone_from(&known.clients);
                }
            } else {
                strangers |= next.replica == ReplicaId(0);
            }
            let is_single = matches!(next.standing, Standing::Voter | Standing::Learner);
            if !is_single || next.id.0 == 0 || MAX_ID < next.id.0 {
                return Err(BadChange::Nonsense);
            }
            members.retain(|member| member.id != next.id);
            members.push(next);
        }
        let changed = Self::new(members);
        let mut addresses: Vec<&str> = changed.members.iter().map(|m| &*m.address).collect();
        addresses.retain(|address| !address.is_empty());
        addresses.sort_unstable();
        let twice = addresses.windows(2).any(|pair| pair[0] == pair[1]);
        let is_long =
            |member: &Member| MAX_ADDRESS < member.address.len().max(member.clients.len());
        let too_long = changed.members.iter().any(is_long);
        if twice || too_long || changed.voters().next().is_none() {
            return Err(BadChange::Nonsense);
        }
        match strangers {
            true => Err(BadChange::Stranger),
            false => Ok(changed),
        }
    }

    /// As ZooKeeper writes it into `/zookeeper/config`: a line for each member, and the version last.
    #[must_use]
    pub fn text(&self, version: Index) -> String {
        let mut text = String::new();
        for member in self.members.iter() {
            let (host, port) = member
                .address
                .rsplit_once(':')
                .unwrap_or((&*member.address, "0"));
            let role = if member.standing.votes() {
                "participant"
            } else {
                "observer"
            };
            text += &format!("server.{}={host}:{port}:{port}:{role}", member.id);
            if !member.clients.is_empty() {
                text += &format!(";{}", member.clients);
            }
            text.push('\n');
        }
        text + &format!("version={:x}", version.0)
    }

    /// Hash of everything in it.
    #[must_use]
    pub fn digest(&self) -> u64 {
        let of = |member: &Member| {
            let replica = member.replica.0;
            hash::of_words(&[
                member.id.0,
                member.standing as u64,
                replica as u64,
                (replica >> 64) as u64,
                hash::of_bytes(member.address.as_bytes()),
                hash::of_bytes(member.clients.as_bytes()),
            ])
        };
        hash::of_words(&self.members.iter().map(of).collect::<Vec<u64>>())
    }

    /// What a joint configuration leads to.
    #[must_use]
    pub fn settled(&self) -> Self {
        let stays = self.members.iter().filter_map(|member| {
            let standing = match member.standing {
                Standing::Voter | Standing::Incoming => Standing::Voter,
                Standing::Learner | Standing::Demoted => Standing::Learner,
                Standing::Outgoing => return None,
            };
            Some(Member {
                standing,
                ..member.clone()
            })
        });
        Self::new(stays.collect())
    }

    /// Straight to `target` if the voters stay the same, else by a joint phase.
    fn change_to(&self, target: Self) -> Step {
        if self.voters().eq(target.voters()) {
            return Step::Simple(target);
        }
        let stays = target.members.iter().map(|member| {
            let voted = self
                .member(member.id)
                .is_some_and(|own| own.standing == Standing::Voter);
            let standing = match (voted, member.standing.votes()) {
                (true, true) => Standing::Voter,
                (true, false) => Standing::Demoted,
                (false, true) => Standing::Incoming,
                (false, false) => Standing::Learner,
            };
            Member {
                standing,
                ..member.clone()
            }
        });
        let leaves = self
            .members
            .iter()
            .filter(|member| target.member(member.id).is_none())
            .map(|member| Member {
                standing: match member.standing {
                    Standing::Voter => Standing::Outgoing,
                    other => other,
                },
                ..member.clone()
            })
            .filter(|member| member.standing == Standing::Outgoing);
        Step::Joint(Self::new(stays.chain(leaves).collect()))
    }

    fn with(&self, counts: fn(Standing) -> bool) -> impl Iterator<Item = NodeId> + '_ {
        let counts = move |member: &&Member| counts(member.standing);
        self.members.iter().filter(counts).map(|member| member.id)
    }
}

/// Members have numbers up to this, as ZooKeeper's servers.
const MAX_ID: u64 = 255;
/// Bytes of an address.
const MAX_ADDRESS: usize = 255;

/// What is wanted of the members.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Change {
    /// These leave and those join, or stand differently from now on. A member that is known keeps what is
    /// not said of it: a replica id of 0, empty addresses.
    Incremental {
        /// Voters or learners.
        joining: Vec<Member>,
        /// Numbers; those of nobody do no harm.
        leaving: Vec<NodeId>,
    },
    /// These and nobody else.
    Replace(Vec<Member>),
}

/// A change that cannot be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BadChange {
    /// It makes no sense.
    Nonsense,
    /// Somebody new comes, and nobody knows which replica that is.
    Stranger,
}

/// One change of the configuration in the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// The voters stay.
    Simple(Configuration),
    /// The voters change; `settled` follows once this is committed.
    Joint(Configuration),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use alloc::vec;

    fn member(id: u64, replica: u128, standing: Standing) -> Member {
        Member {
            id: NodeId(id),
            replica: ReplicaId(replica),
            address: String::new(),
            clients: String::new(),
            standing,
        }
    }

    /// Any set to any set, numbers that come back among them: every change of voters is joint, nobody
    /// votes who did not listen before, and no number is two replicas at once.
    #[test]
    fn any_set_leads_to_any_set() {
        let mut rng = Rng::new(4);
        let mut draw = || {
            let mut members = vec![member(rng.between(1, 5), 9, Standing::Voter)];
            for id in 1..=6 {
                let standing = [Standing::Voter, Standing::Learner][rng.below(2) as usize];
                if rng.below(2) == 0 {
                    members.push(member(id, u128::from(rng.below(2)), standing));
                }
            }
            Configuration::new(members)
        };
        for _ in 0..10_000 {
            let (mut at, target) = (draw(), draw());
            let mut steps = 0;
            while let Some(step) = at.towards(&target) {
                steps += 1;
                assert!(steps <= 4, "{at:?} does not reach {target:?}");
                let next = match step {
                    Step::Simple(next) => {
                        assert!(!next.is_joint());
                        assert!(at.voters().eq(next.voters()), "{at:?} to {next:?}");
                        next
                    }
                    Step::Joint(joint) => {
                        assert!(joint.is_joint());
                        assert!(joint.old_voters().eq(at.voters()), "{at:?} to {joint:?}");
                        for incoming in joint.voters() {
                            assert!(at.member(incoming).is_some(), "{incoming} never listened");
                        }
                        joint.settled()
                    }
                };
                at = next;
            }
            assert_eq!(at, target);
        }
    }
}

//! What a node is apart from when: everything that decides what it does next, without times, chance and
//! numbers that only name. Explorers of the state space tell states apart by it.

use super::message::Payload;
use super::{Raft, State};
use crate::hash;
use crate::id::NodeId;

impl Raft {
    /// Feeds it into a hash, word by word. Of loyalty to a leader only whether it lasts counts.
    pub fn shape(&self, into: &mut impl FnMut(u64)) {
        let id = |id: Option<NodeId>| id.map_or(0, |id| id.0);
        for word in [
            self.vote.term.0,
            id(self.vote.voted_for),
            self.role() as u64,
            id(self.leader()),
            u64::from(self.is_loyal()),
            self.commit.0,
            self.log.base().index.0,
            self.log.base().term.0,
            self.disk.durable().0,
            self.disk.handed().0,
            self.disk.hinted.0,
            u64::from(self.disk.holds(self.disk.term())),
            u64::from(self.disk.holds(self.disk.vote())),
            self.snapshot.as_ref().map_or(0, |meta| meta.last.index.0),
            self.installing.as_ref().map_or(0, |meta| meta.last.index.0),
            self.membership.index().0,
            self.membership.configuration().digest(),
            self.transferring().map_or(0, |(to, _)| to.0),
            self.round,
            self.ballot,
            u64::from(self.halted),
        ] {
            into(word);
        }
        for index in self.log.base().index.0 + 1..=self.log.last().index.0 {
            let Some(entry) = self.log.entry(crate::id::Index(index)) else {
                continue;
            };
            into(entry.id.term.0);
            into(match &entry.payload {
                Payload::Blank => 1,
                Payload::Command(bytes) => hash::of_bytes(bytes),
                Payload::Membership(configuration) => configuration.digest(),
            });
        }
        for withheld in self.disk.withheld() {
            into(withheld.to.0);
            into(withheld.message.term().0);
            into(hash::of_bytes(
                alloc::format!("{:?}", withheld.message).as_bytes(),
            ));
        }
        match &self.state {
            State::Follower { .. } => {}
            State::PreCandidate(ballot) | State::Candidate(ballot) => {
                ballot.granted.iter().for_each(|id| into(id.0));
                into(u64::MAX);
                ballot.refused.iter().for_each(|id| into(id.0));
            }
            State::Leader(leadership) => {
                into(leadership.blank().0);
                into(leadership.waiting.len() as u64);
                for peer in leadership.peers() {
                    let view = peer.view();
                    for word in [
                        view.id.0,
                        view.state as u64,
                        view.matched.0,
                        view.next.0,
                        u64::from(view.inflight),
                        u64::from(view.caught_up),
                        peer.told.0,
                        peer.round,
                        u64::from(peer.left.is_some()),
                    ] {
                        into(word);
                    }
                }
            }
        }
    }

    /// Whether it would refuse a candidate because it has heard its leader lately.
    fn is_loyal(&self) -> bool {
        match self.state {
            State::Follower {
                leader: Some(_),
                heard,
            } => self.now < heard + self.config.election_min,
            _ => false,
        }
    }
}

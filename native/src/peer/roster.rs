//! Whom this member is linked with: those that its log names, those that a greeting told it of, and for a while
//! those that left.

use core::time::Duration;
use std::rc::Rc;

use otterkeeper_core::configuration::Configuration;
use otterkeeper_core::id::{NodeId, ReplicaId};
use tokio::task::spawn_local;
use tokio::time::sleep;

use super::greeting::Hello;
use super::{Peer, Peers};
use crate::identity::RandomId;

/// A link to one that is no member any more stays for this long: the node tells it so.
const FAREWELL: Duration = Duration::from_secs(3);

impl Peers {
    /// A member that knows better has said who the members are.
    pub(super) fn learn(&self, hello: &Hello) {
        let own = self.0.identity.borrow().node;
        for (id, address) in &hello.members {
            if *id != own && !address.is_empty() {
                self.reach(*id, address);
            }
        }
    }

    /// That one is reached there from now on.
    fn reach(&self, id: NodeId, address: &str) {
        let known = self.peer(id);
        let is_new = known.is_none();
        let peer = known.unwrap_or_else(|| {
            let peer = Peer::new(address);
            self.0.peers.borrow_mut().insert(id, Rc::clone(&peer));
            peer
        });
        let had = peer.address.replace(address.to_owned());
        if is_new || had.is_empty() {
            self.dial_peer(id, &peer);
        } else if had != address {
            peer.part();
        }
    }

    /// Whom this one talks to now that these are the members.
    pub(super) fn follow(&self, configuration: &Configuration) {
        if configuration.members().is_empty() {
            return; // It has not been told yet.
        }
        *self.0.members.borrow_mut() = configuration.clone();
        let own = self.0.identity.borrow().node;
        for member in configuration.members() {
            if member.id != own && !member.address.is_empty() {
                self.reach(member.id, &member.address);
            }
            // The number may have come back with another replica.
            let is_other = |replica: &RandomId| {
                member.replica != ReplicaId(0) && replica.number() != member.replica
            };
            if let Some(peer) = self.peer(member.id)
                && peer.replica.borrow().as_ref().is_some_and(is_other)
            {
                peer.part();
            }
        }
        let left = |id: &NodeId| configuration.member(*id).is_none();
        for id in self.0.peers.borrow().keys().copied().filter(left) {
            let peers = self.clone();
            spawn_local(async move {
                sleep(FAREWELL).await;
                if peers.0.members.borrow().member(id).is_none()
                    && let Some(peer) = peers.0.peers.borrow_mut().remove(&id)
                {
                    peer.gone.set(true);
                    peer.part();
                }
            });
        }
    }
}

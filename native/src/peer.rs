//! Links between members: two WebSocket connections a pair, *control* for votes and heartbeats and *bulk*
//! for entries and snapshots, so that a sign of life never waits behind data (rule R25). The member with
//! the higher number dials. If it does not for long, the other one does: who was taken out while it was
//! away is dialled by nobody, and must hear of it. What the messages say is the node's business.
//!
//! All frames after the greetings are messages in the binary form of the core. A queue that is full drops
//! messages and tells the node, which sends again what matters.
//!
//! **Forming a cluster (rule R23).** At the first start no member belongs to a cluster, and no node runs.
//! When the lowest number has been greeted by every member on the list, all empty and with the same list,
//! it draws the cluster's id, notes it down with the replica id of each member, and dials anew. An empty
//! member joins a cluster whose notes name its own replica id, and none else: then it has never voted,
//! so nothing is forgotten. A member that comes back with a new, empty data directory has another
//! replica id and is refused.
//!
//! **Joining one.** A member started with `--join` waits. Whoever is asked to add it meets it first, learns
//! its replica id, and tells it where the members are; once the members' configuration names that replica,
//! they accept it, and it notes the cluster down. From then on the configuration in the log says who is
//! linked with whom, and the list on the command line says nothing any more.

mod admission;
mod forming;
mod greeting;
mod lane;
mod link;
mod roster;
#[cfg(test)]
mod tests;

use core::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use otterkeeper_core::configuration::Configuration;
use otterkeeper_core::id::NodeId;
use otterkeeper_core::message::Message;
use otterkeeper_core::raft::message::Message as RaftMessage;
use otterkeeper_core::wire;
use tokio::sync::Notify;

use self::lane::{Lane, LaneKind};
pub use self::link::frame_limits;
use crate::driver::{Hub, Network};
use crate::identity::{DataDir, Identity, Member, RandomId};

/// Bytes that wait for one connection; beyond it messages are dropped.
const CONTROL_QUEUE_BYTES: usize = 1 << 20;
const BULK_QUEUE_BYTES: usize = 32 << 20;

/// The links of this member. Cheap to clone; they stay on the driver's thread.
#[derive(Clone)]
pub struct Peers(Rc<Shared>);

struct Shared {
    identity: RefCell<Identity>,
    data: DataDir,
    /// All members on this member's list, itself included, in ascending order.
    listed: Vec<NodeId>,
    /// Where clients of ZooKeeper's protocol reach this member; empty if they do not.
    clients: String,
    /// It waits to be added to a cluster.
    joins: bool,
    peers: RefCell<BTreeMap<NodeId, Rc<Peer>>>,
    /// The members by the node's log.
    members: RefCell<Configuration>,
    /// Where messages go; there is none until the cluster has been formed.
    hub: RefCell<Option<Hub>>,
    /// Set when this member cannot go on; a sentence for the operator.
    refused: RefCell<Option<String>>,
    /// Rung when the identity, `refused`, or who has been greeted changes.
    news: Notify,
}

struct Peer {
    /// HOST:PORT; empty as long as it is not known.
    address: RefCell<String>,
    lanes: [Lane; 2],
    /// What it can become a member as, said while it was empty on the connection that still stands.
    empty: RefCell<Option<Member>>,
    /// The replica at the other end of the links.
    replica: RefCell<Option<RandomId>>,
    /// It is linked with no more.
    gone: Cell<bool>,
}

impl Peers {
    /// The links of the member that `identity` describes. `members` are all members with their
    /// addresses (HOST:PORT), this one included; alone if it `joins` a cluster that exists. `clients` of
    /// ZooKeeper's protocol reach it there, if they do.
    #[must_use]
    pub fn new(
        identity: Identity,
        data: DataDir,
        members: &BTreeMap<NodeId, String>,
        joins: bool,
        clients: String,
    ) -> Self {
        let known = identity.contacts.iter().chain(members);
        let peers = known
            .filter(|(id, _)| **id != identity.node)
            .map(|(id, address)| (*id, Peer::new(address)))
            .collect();
        Self(Rc::new(Shared {
            peers: RefCell::new(peers),
            identity: RefCell::new(identity),
            data,
            listed: members.keys().copied().collect(),
            clients,
            joins,
            members: RefCell::default(),
            hub: RefCell::default(),
            refused: RefCell::default(),
            news: Notify::new(),
        }))
    }

    /// The other members and where they serve HTTP, as HOST:PORT.
    #[must_use]
    pub fn addresses(&self) -> Vec<(NodeId, String)> {
        let peers = self.0.peers.borrow();
        let known = peers
            .iter()
            .map(|(id, peer)| (*id, peer.address.borrow().clone()));
        known.filter(|(_, address)| !address.is_empty()).collect()
    }

    /// Whether it waits to be added to a cluster.
    #[must_use]
    pub fn is_joining(&self) -> bool {
        self.0.joins && self.0.identity.borrow().cluster.is_none()
    }

    /// Waits until this member is refused, and says why.
    pub async fn refused(&self) -> String {
        loop {
            if let Some(sentence) = self.0.refused.borrow_mut().take() {
                return sentence;
            }
            self.0.news.notified().await;
        }
    }

    /// From now on messages go to this node.
    pub fn attach(&self, hub: Hub) {
        *self.0.hub.borrow_mut() = Some(hub);
    }

    /// How many peers are reached on both connections.
    #[must_use]
    pub fn reached(&self) -> usize {
        let peers = self.0.peers.borrow();
        let is_up = |peer: &&Rc<Peer>| peer.lanes.iter().all(|lane| lane.up.get());
        peers.values().filter(is_up).count()
    }

    fn peer(&self, id: NodeId) -> Option<Rc<Peer>> {
        self.0.peers.borrow().get(&id).cloned()
    }

    fn give_up(&self, sentence: String) {
        *self.0.refused.borrow_mut() = Some(sentence);
        self.0.news.notify_one();
    }
}

impl Network for Peers {
    fn send(&mut self, to: NodeId, message: &Message) -> bool {
        let peers = self.0.peers.borrow();
        let Some(lane) = peers.get(&to).map(|peer| peer.lane(lane_of(message))) else {
            return false;
        };
        if !lane.up.get() {
            return false;
        }
        let queued = lane.push(wire::encode_message(message));
        if !queued && let Some(hub) = &*self.0.hub.borrow() {
            hub.peer_lost(to);
        }
        queued
    }

    fn flush(&mut self) {
        for lane in self.0.peers.borrow().values().flat_map(|peer| &peer.lanes) {
            lane.flush();
        }
    }

    fn configured(&mut self, configuration: &Configuration) {
        self.follow(configuration);
    }
}

impl Peer {
    fn new(address: &str) -> Rc<Self> {
        Rc::new(Self {
            address: RefCell::new(address.to_owned()),
            lanes: [Lane::new(CONTROL_QUEUE_BYTES), Lane::new(BULK_QUEUE_BYTES)],
            empty: RefCell::default(),
            replica: RefCell::default(),
            gone: Cell::new(false),
        })
    }

    /// Ends the links that stand.
    fn part(&self) {
        self.lanes.iter().for_each(|lane| {
            lane.replace();
        });
    }

    fn lane(&self, kind: LaneKind) -> &Lane {
        match kind {
            LaneKind::Control => &self.lanes[0],
            LaneKind::Bulk => &self.lanes[1],
        }
    }
}

fn lane_of(message: &Message) -> LaneKind {
    match message {
        Message::Forward { .. }
        | Message::Raft(
            RaftMessage::Append { .. }
            | RaftMessage::Appended { .. }
            | RaftMessage::Rejected { .. }
            | RaftMessage::SnapshotPart { .. },
        ) => LaneKind::Bulk,
        Message::Raft(_) | Message::Touch { .. } | Message::Digest { .. } => LaneKind::Control,
    }
}

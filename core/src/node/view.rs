//! What can be seen of a node: for the page, metrics and checkers; never for the driver's decisions.

use alloc::string::String;
use alloc::vec::Vec;

use super::Node;
use crate::config::Config;
use crate::configuration::Configuration;
use crate::id::{ConnId, Index, LogId, NodeId, ReplicaId, SessionId, Term};
use crate::machine::Machine;
use crate::raft::message::{Entry, SnapshotMeta};
use crate::raft::note::Role;
use crate::raft::view::{PeerView, WithheldView};
use crate::request::Reconfig;
use crate::time::{Span, Time};
use crate::watch::Watches;

/// A look at a node between two steps.
#[derive(Clone, Copy)]
pub struct View<'a> {
    pub(super) node: &'a Node,
}

/// A client connection of a node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConnView {
    /// Which.
    pub conn: ConnId,
    /// Its session; 0 until it has one.
    pub session: SessionId,
    /// Where it comes from.
    pub address: String,
    /// Requests without an answer.
    pub pending: usize,
}

impl<'a> View<'a> {
    /// This member's number.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.node.config.id
    }

    /// The latest time the node was told.
    #[must_use]
    pub fn now(&self) -> Time {
        self.node.now
    }

    /// What it is in its term.
    #[must_use]
    pub fn role(&self) -> Role {
        self.node.raft.role()
    }

    /// Its term.
    #[must_use]
    pub fn term(&self) -> Term {
        self.node.raft.term()
    }

    /// Whom it voted for in this term.
    #[must_use]
    pub fn voted_for(&self) -> Option<NodeId> {
        self.node.raft.voted_for()
    }

    /// The leader it knows of, itself included.
    #[must_use]
    pub fn leader(&self) -> Option<NodeId> {
        self.node.raft.leader()
    }

    /// The voters in force, in ascending order.
    #[must_use]
    pub fn voters(&self) -> &'a [NodeId] {
        self.node.raft.voters()
    }

    /// The configuration in force here: the newest in this node's log.
    #[must_use]
    pub fn configuration(&self) -> &'a Configuration {
        self.node.raft.configuration()
    }

    /// Where the log has it; 0 if it is the first.
    #[must_use]
    pub fn configuration_index(&self) -> Index {
        self.node.raft.configuration_index()
    }

    /// Whether this node votes in it.
    #[must_use]
    pub fn is_voter(&self) -> bool {
        self.node.raft.is_voter()
    }

    /// This node's data directory.
    #[must_use]
    pub fn replica(&self) -> ReplicaId {
        self.node.config.replica
    }

    /// Those who would join for the first time by this request of a client, and where they are reached; nobody if
    /// clients may not change the members, or this one not.
    #[must_use]
    pub fn strangers(&self, conn: ConnId, request: &Reconfig) -> Vec<(NodeId, String)> {
        match self.node.may_reconfigure(conn) {
            true => self.machine().members().strangers(request),
            false => Vec::new(),
        }
    }

    /// Whether a link to that replica may be used under that number, see `Node::admits`.
    ///
    /// # Errors
    /// Why not, with the remedy.
    pub fn admits(&self, id: NodeId, replica: ReplicaId, since: Index) -> Result<(), String> {
        self.node.admits(id, replica, since)
    }

    /// Committed as far as this node knows.
    #[must_use]
    pub fn commit(&self) -> Index {
        self.node.raft.commit()
    }

    /// Applied to the state that clients see here.
    #[must_use]
    pub fn applied(&self) -> Index {
        self.node.applied.index
    }

    /// Durable here and equal to memory.
    #[must_use]
    pub fn durable(&self) -> Index {
        self.node.raft.durable()
    }

    /// By how much the last entry's stamp is ahead of this node's clock (rule R12).
    #[must_use]
    pub fn stamp_ahead(&self) -> Span {
        self.node.raft.stamp_ahead()
    }

    /// The first entry in memory; one above the last if there is none.
    #[must_use]
    pub fn first_index(&self) -> Index {
        self.node.raft.first_index()
    }

    /// The last entry.
    #[must_use]
    pub fn last(&self) -> LogId {
        self.node.raft.last()
    }

    /// An entry in memory.
    #[must_use]
    pub fn entry(&self, index: Index) -> Option<&'a Entry> {
        self.node.raft.entry(index)
    }

    /// Encoded bytes of the entries in memory.
    #[must_use]
    pub fn log_bytes(&self) -> u64 {
        self.node.raft.log_bytes()
    }

    /// The snapshot in force.
    #[must_use]
    pub fn snapshot(&self) -> Option<&'a SnapshotMeta> {
        self.node.raft.snapshot()
    }

    /// When the election timer was armed and when it runs out; for a leader, its quorum check.
    #[must_use]
    pub fn election_timer(&self) -> (Time, Time) {
        self.node.raft.election_timer()
    }

    /// When a follower last heard its leader, while it knows one.
    #[must_use]
    pub fn heard(&self) -> Option<Time> {
        self.node.raft.heard()
    }

    /// Who granted a (pre-)vote in the election under way.
    #[must_use]
    pub fn votes(&self) -> Vec<NodeId> {
        self.node.raft.votes()
    }

    /// A leader's knowledge of its peers; empty otherwise.
    #[must_use]
    pub fn peers(&self) -> Vec<PeerView> {
        self.node.raft.peers()
    }

    /// To whom the lead is being handed over, and when that is given up.
    #[must_use]
    pub fn transfer(&self) -> Option<(NodeId, Time)> {
        self.node.raft.transferring()
    }

    /// Until when this leader may answer reads without asking; `None` if it may not.
    #[must_use]
    pub fn lease(&self) -> Option<Time> {
        self.node.raft.lease()
    }

    /// Questions about linearizable reads that wait at this leader.
    #[must_use]
    pub fn waiting_reads(&self) -> usize {
        self.node.raft.waiting_reads()
    }

    /// The settings, and with them all limits in force.
    #[must_use]
    pub fn config(&self) -> &'a Config {
        &self.node.config
    }

    /// Encoded bytes of the entries that are not committed, as far as this node knows.
    #[must_use]
    pub fn uncommitted_bytes(&self) -> u64 {
        self.node.raft.uncommitted_bytes()
    }

    /// Encoded bytes of committed entries that are not applied, because the disk is behind.
    #[must_use]
    pub fn unapplied_bytes(&self) -> u64 {
        self.node.raft.unapplied_bytes()
    }

    /// Encoded bytes of the statements that wait for the disk.
    #[must_use]
    pub fn withheld_bytes(&self) -> u64 {
        self.node.raft.withheld_bytes()
    }

    /// Encoded bytes of its clients' commands that have not been applied here yet.
    #[must_use]
    pub fn pending_bytes(&self) -> u64 {
        self.node.clients.pending_bytes()
    }

    /// Statements that wait for the disk.
    #[must_use]
    pub fn withheld(&self) -> Vec<WithheldView> {
        self.node.raft.withheld()
    }

    /// Writes handed to the disk and not yet reported.
    #[must_use]
    pub fn writes_in_flight(&self) -> usize {
        self.node.writes.len()
    }

    /// Client connections, in ascending order.
    #[must_use]
    pub fn connections(&self) -> Vec<ConnView> {
        self.node.clients.views()
    }

    /// Commands of this node's clients that have not been applied here yet.
    #[must_use]
    pub fn pending_commands(&self) -> usize {
        self.node.clients.pending()
    }

    /// The replicated state: tree and sessions.
    #[must_use]
    pub fn machine(&self) -> &'a Machine {
        &self.node.machine
    }

    /// Whether it has no leader, and serves reads to those who ask for no more.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.node.is_read_only()
    }

    /// Watches of this node's clients.
    #[must_use]
    pub fn watches(&self) -> &'a Watches {
        &self.node.watches
    }

    /// When the leader would close this session; `None` on other nodes.
    #[must_use]
    pub fn session_deadline(&self, session: SessionId) -> Option<Time> {
        self.node
            .raft
            .is_leader()
            .then(|| self.node.deadlines.of(session))
            .flatten()
    }

    /// The digest of the replicated state alone, and the index it belongs to.
    #[must_use]
    pub fn tree_digest(&self) -> (Index, u64) {
        (self.node.applied.index, self.node.machine.digest())
    }

    /// Whether the node has halted: it takes no inputs any more.
    #[must_use]
    pub fn is_halted(&self) -> bool {
        self.node.halted
    }
}

//! Raft: who leads, what is in the log, what is committed. Knows nothing of znodes, sessions or clients.

pub mod message;
pub mod note;
pub mod storage;
pub mod view;

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::config::Config;
use crate::id::{Index, LogId, NodeId, Term, WriteId};
use crate::time::Time;

use message::{Entry, Message, Payload, SnapshotMeta, Vote};
use note::{Note, Role};
use storage::Records;
use view::{PeerView, WithheldView};

/// What Raft wants done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Make this durable, then call [`Raft::written`].
    Write {
        /// Its number.
        id: WriteId,
        /// What to write.
        records: Records,
    },
    /// Pass to the peer if possible.
    Send {
        /// To whom.
        to: NodeId,
        /// What.
        message: Message,
    },
    /// Something a human or a checker wants to know.
    Note(Note),
    /// This replica must stop. One sentence.
    Halt(String),
    /// The leader offers a snapshot whose state this node needs; pull its parts.
    Offered {
        /// The leader.
        from: NodeId,
        /// Which snapshot.
        meta: SnapshotMeta,
    },
    /// A peer wants the part of this leader's snapshot that follows `cursor`.
    Pulled {
        /// Which peer.
        from: NodeId,
        /// Which snapshot.
        last: LogId,
        /// Where the part before ended; empty for the first.
        cursor: Bytes,
    },
    /// The leader sent a part of a snapshot.
    Part {
        /// The leader.
        from: NodeId,
        /// Which snapshot.
        last: LogId,
        /// The cursor that was asked for.
        cursor: Bytes,
        /// Where this part ends; `None` after the last part.
        next: Option<Bytes>,
        /// The part itself.
        bytes: Bytes,
    },
    /// The received snapshot is in force and durable: swap the machine.
    Installed {
        /// Which snapshot.
        meta: SnapshotMeta,
    },
}

/// Why a proposal was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// Another node leads, or none.
    NotLeader,
    /// Too many bytes wait to be committed.
    Busy,
}

/// One member's part in Raft.
#[derive(Clone)]
pub struct Raft {}

#[allow(
    unused_variables,
    missing_docs,
    clippy::must_use_candidate,
    clippy::missing_errors_doc
)]
impl Raft {
    pub fn boot(
        config: &Config,
        vote: Vote,
        commit_hint: Index,
        snapshot: Option<SnapshotMeta>,
        log: Vec<Entry>,
        seed: u64,
        now: Time,
    ) -> Result<Self, String> {
        todo!()
    }
    pub fn receive(&mut self, now: Time, from: NodeId, message: Message, out: &mut Vec<Effect>) {
        todo!()
    }
    pub fn propose(&mut self, now: Time, payload: Payload) -> Result<LogId, Refusal> {
        todo!()
    }
    pub fn written(&mut self, now: Time, id: WriteId, out: &mut Vec<Effect>) {
        todo!()
    }
    pub fn peer_lost(&mut self, peer: NodeId) {
        todo!()
    }
    pub fn campaign(&mut self, now: Time, out: &mut Vec<Effect>) {
        todo!()
    }
    pub fn tick(&mut self, now: Time, out: &mut Vec<Effect>) {
        todo!()
    }
    pub fn flush(&mut self, now: Time, out: &mut Vec<Effect>) {
        todo!()
    }
    pub fn deadline(&self) -> Time {
        todo!()
    }
    pub fn begin_round(&mut self, now: Time) -> u64 {
        todo!()
    }
    pub fn confirmed_round(&self) -> u64 {
        todo!()
    }
    pub fn compact(&mut self, meta: SnapshotMeta, keep_from: Index) {
        todo!()
    }
    pub fn install(&mut self, meta: SnapshotMeta, out: &mut Vec<Effect>) {
        todo!()
    }
    pub fn is_leader(&self) -> bool {
        todo!()
    }
    /// A leader whose blank entry is committed and durable here: it knows all that was committed before it.
    pub fn serving(&self) -> bool {
        todo!()
    }
    pub fn term(&self) -> Term {
        todo!()
    }
    pub fn role(&self) -> Role {
        todo!()
    }
    pub fn voted_for(&self) -> Option<NodeId> {
        todo!()
    }
    pub fn leader(&self) -> Option<NodeId> {
        todo!()
    }
    pub fn commit(&self) -> Index {
        todo!()
    }
    pub fn durable(&self) -> Index {
        todo!()
    }
    pub fn ready(&self) -> Index {
        todo!()
    }
    pub fn last(&self) -> LogId {
        todo!()
    }
    pub fn first_index(&self) -> Index {
        todo!()
    }
    pub fn entry(&self, index: Index) -> Option<&Entry> {
        todo!()
    }
    pub fn log_bytes(&self) -> u64 {
        todo!()
    }
    pub fn voters(&self) -> &[NodeId] {
        todo!()
    }
    pub fn snapshot(&self) -> Option<&SnapshotMeta> {
        todo!()
    }
    pub fn election_timer(&self) -> (Time, Time) {
        todo!()
    }
    pub fn votes(&self) -> Vec<NodeId> {
        todo!()
    }
    pub fn peers(&self) -> Vec<PeerView> {
        todo!()
    }
    pub fn withheld(&self) -> Vec<WithheldView> {
        todo!()
    }
    pub fn digest(&self, into: &mut impl FnMut(u64)) {
        todo!()
    }
}

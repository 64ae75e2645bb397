//! A whole cluster in virtual time: nodes, links, disks, clients, faults and the checks on all of them.
//! The page, the tests and `otterkeeper sim` run this one. A run is a configuration, a seed and a list
//! of (event number, intervention); the same three give the same digests on every target. A node is
//! seen through `step`, `read` and `view` alone; nothing here knows how Raft or the tree work inside.

mod event;
mod intervention;
mod profile;

use alloc::vec::Vec;

pub use self::event::{Call, CallEnd, ClientEvent, Event, LossReason, What};
pub use self::intervention::Intervention;
pub use self::profile::{DiskProfile, Faults, LinkProfile, SimConfig, Workload};

use crate::id::{ConnId, Index, NodeId, SessionId};
use crate::message::Message;
use crate::node::{Hangup, View};
use crate::raft::message::Vote;
use crate::request::{Reply, Request, WatchEvent};
use crate::time::{Span, Time};

/// Name of a simulated client. Numbers below 1,000 belong to whoever intervenes (the page's command
/// lines); the workload's clients count up from 1,000.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct ClientId(pub u32);

/// Name of a message under way; never used twice in a run, and the same in every re-execution.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct FlightId(pub u64);

/// Where a message starts or ends.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, serde::Serialize, serde::Deserialize,
)]
pub enum End {
    /// A member.
    Node(NodeId),
    /// A client.
    Client(ClientId),
}

/// A message under way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Flight {
    /// Its name.
    pub id: FlightId,
    /// Who sent it.
    pub from: End,
    /// Who will get it.
    pub to: End,
    /// When it left.
    pub sent: Time,
    /// When it will arrive, if nothing happens to it.
    pub arrives: Time,
    /// What it carries.
    pub cargo: Cargo,
}

/// What a message carries. Those between members can be lost, repeated and reordered; those of a
/// client connection keep their order, and if one of them is lost the connection breaks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Cargo {
    /// From member to member.
    Peer(alloc::sync::Arc<Message>),
    /// The member's process has ended: what its peers notice when their connections break.
    PeerLost,
    /// A client's new connection.
    Open {
        /// Which connection.
        conn: ConnId,
    },
    /// A client's request.
    Request {
        /// On which connection.
        conn: ConnId,
        /// The client's number for this call; the reply carries it.
        tag: u64,
        /// What is asked.
        request: Request,
    },
    /// The answer to one.
    Reply {
        /// On which connection.
        conn: ConnId,
        /// The call that is answered.
        tag: u64,
        /// The answer.
        reply: Reply,
    },
    /// A watch that fired.
    Watch {
        /// On which connection.
        conn: ConnId,
        /// What happened.
        event: WatchEvent,
    },
    /// The connection ends: closed by the server for this reason, or broken if there is none.
    End {
        /// Which connection.
        conn: ConnId,
        /// The server's reason.
        reason: Option<Hangup>,
    },
}

/// One direction of a link between two members.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LinkState {
    /// False if it is cut, or if one of its ends is isolated.
    pub up: bool,
    /// Its delays and chances.
    pub profile: LinkProfile,
}

/// A simulated disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DiskView {
    /// Whether it has stopped answering.
    pub frozen: bool,
    /// Writes handed over and not reported yet.
    pub waiting: usize,
    /// When the oldest of those was handed over.
    pub oldest: Option<Time>,
    /// When the sync under way will be done.
    pub syncing_until: Option<Time>,
    /// The vote that would survive a crash now.
    pub vote: Vote,
    /// The last entry that would survive a crash now.
    pub last: Index,
    /// Up to where the snapshot in force reaches.
    pub snapshot: Index,
    /// Latency of a sync.
    pub profile: DiskProfile,
}

/// A simulated client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClientView {
    /// Which.
    pub id: ClientId,
    /// The member it is connected to, or connecting to.
    pub node: Option<NodeId>,
    /// Whether its session is attached there.
    pub attached: bool,
    /// Its session; 0 before the first.
    pub session: SessionId,
    /// The agreed session timeout; 0 before the first session.
    pub timeout: Span,
    /// When it last heard from a member.
    pub heard: Time,
    /// The highest zxid it has seen.
    pub last_zxid: Index,
    /// Calls without an answer.
    pub pending: usize,
}

/// What must hold after every event. One name, one sentence.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize,
)]
pub enum Invariant {
    /// At most one leader is elected in a term, and no member votes for two.
    ElectionSafety,
    /// A leader never changes or removes an entry of its own log.
    LeaderAppendOnly,
    /// Logs that hold an entry of the same index and term are equal up to it.
    LogMatching,
    /// What was committed stays, and every later leader has it.
    LeaderCompleteness,
    /// Members that applied the same index hold the same state.
    StateMachineSafety,
    /// Nothing is told to anybody that a crash at this moment could take back.
    DurableBeforeTold,
    /// A leader whose disk has stopped answering stops leading in time.
    LeaderWrites,
    /// No member halts or refuses its own disk.
    NoHalt,
    /// Every client sees what ZooKeeper promises.
    Clients,
}

impl Invariant {
    /// All of them, in the order in which people read them.
    pub const ALL: &'static [Self] = &[
        Self::ElectionSafety,
        Self::LeaderAppendOnly,
        Self::LogMatching,
        Self::LeaderCompleteness,
        Self::StateMachineSafety,
        Self::DurableBeforeTold,
        Self::LeaderWrites,
        Self::NoHalt,
        Self::Clients,
    ];

    /// The stable name: `election-safety` and so on.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ElectionSafety => "election-safety",
            Self::LeaderAppendOnly => "leader-append-only",
            Self::LogMatching => "log-matching",
            Self::LeaderCompleteness => "leader-completeness",
            Self::StateMachineSafety => "state-machine-safety",
            Self::DurableBeforeTold => "durable-before-told",
            Self::LeaderWrites => "leader-writes",
            Self::NoHalt => "no-halt",
            Self::Clients => "clients",
        }
    }
}

/// A broken invariant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// Which one.
    pub invariant: Invariant,
    /// Number of the event after which it was seen.
    pub event: u64,
    /// Virtual time.
    pub time: Time,
    /// What was seen, for people.
    pub text: alloc::string::String,
}

/// The cluster. A clone costs little beside the events between two clones: whatever grows with the run
/// is shared.
#[derive(Clone)]
pub struct Sim {
    config: SimConfig,
    seed: u64,
    now: Time,
    events: u64,
}

impl Sim {
    /// A cluster whose nodes have booted on empty disks at `config.start`, and whose first event is due.
    #[must_use]
    pub fn new(config: SimConfig, seed: u64) -> Self {
        let now = config.start;
        Self {
            config,
            seed,
            now,
            events: 0,
        }
    }

    /// What it was made from.
    #[must_use]
    pub fn config(&self) -> &SimConfig {
        &self.config
    }

    /// What it was made from.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Virtual time: that of the last event, or of the last `run_until`.
    #[must_use]
    pub fn now(&self) -> Time {
        self.now
    }

    /// Events so far (rule R33). An intervention counts as one.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Hash of all nodes, disks and messages under way.
    #[must_use]
    pub fn digest(&self) -> u64 {
        todo!()
    }

    /// When the next event is due; `None` if nothing will ever happen again.
    #[must_use]
    pub fn next_event(&self) -> Option<Time> {
        todo!()
    }

    /// Runs exactly one event; false if there is none.
    pub fn step_event(&mut self) -> bool {
        todo!()
    }

    /// Runs all events due at or before `until`, at most `max_events` of them, and returns how many.
    /// Unless it stopped at `max_events`, `now()` is `until` afterwards.
    pub fn run_until(&mut self, until: Time, max_events: u64) -> u64 {
        let _ = (until, max_events);
        todo!()
    }

    /// Changes the course of things at `now()`. What makes no sense (killing a node that is down) does nothing.
    pub fn apply(&mut self, intervention: &Intervention) {
        let _ = intervention;
        todo!()
    }

    /// The members, in ascending order, up or down.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> + use<> {
        (1..=u64::from(self.config.nodes)).map(NodeId)
    }

    /// A member as it is now; `None` while it is down.
    #[must_use]
    pub fn node(&self, id: NodeId) -> Option<View<'_>> {
        let _ = id;
        todo!()
    }

    /// Whether it is paused; what arrives meanwhile waits for it.
    #[must_use]
    pub fn is_paused(&self, id: NodeId) -> bool {
        let _ = id;
        todo!()
    }

    /// Whether it is cut off by `Intervention::Isolate`.
    #[must_use]
    pub fn is_isolated(&self, id: NodeId) -> bool {
        let _ = id;
        todo!()
    }

    /// One direction of a link.
    #[must_use]
    pub fn link(&self, from: NodeId, to: NodeId) -> LinkState {
        let _ = (from, to);
        todo!()
    }

    /// A member's disk, also while the member is down.
    #[must_use]
    pub fn disk(&self, id: NodeId) -> DiskView {
        let _ = id;
        todo!()
    }

    /// All messages under way, in the order in which they were sent.
    pub fn flights(&self) -> impl Iterator<Item = &Flight> {
        core::iter::empty()
    }

    /// One message under way.
    #[must_use]
    pub fn flight(&self, id: FlightId) -> Option<&Flight> {
        let _ = id;
        todo!()
    }

    /// All clients, in ascending order.
    pub fn clients(&self) -> impl Iterator<Item = ClientView> {
        core::iter::empty()
    }

    /// A client's calls, oldest first; the last may be without an answer.
    pub fn history(&self, client: ClientId) -> impl Iterator<Item = &Call> {
        let _ = client;
        core::iter::empty()
    }

    /// What happened since this was last called, in order, if `config.log` is on. At most the last 65,536.
    pub fn take_log(&mut self) -> Vec<Event> {
        todo!()
    }

    /// What was broken so far, in order of discovery; the first per invariant.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &[]
    }
}

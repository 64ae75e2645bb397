//! What happened, as values: the page's event list, its markers and its live region come from these.

use alloc::string::String;

use super::{Cargo, ClientId, End, FlightId, Intervention, Violation};
use crate::halt::Halt;
use crate::id::{Index, NodeId, SessionId, WriteId};
use crate::node::Note;
use crate::recipe::Told;
use crate::request::{Hangup, Reply, Request, WatchEvent};
use crate::time::Time;

/// Something happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    /// Number of the event in the run: what `Sim::events` was after it.
    pub number: u64,
    /// Virtual time.
    pub time: Time,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum What {
    /// A member says so.
    Note {
        /// Which member.
        node: NodeId,
        /// What it says.
        note: Note,
    },
    /// A message arrived.
    Delivered {
        /// Which.
        flight: FlightId,
        /// From where.
        from: End,
        /// To where.
        to: End,
        /// When it left.
        sent: Time,
        /// What it carried.
        cargo: Cargo,
    },
    /// A message was lost.
    Lost {
        /// Which.
        flight: FlightId,
        /// From where.
        from: End,
        /// To where.
        to: End,
        /// When it left.
        sent: Time,
        /// What it carried.
        cargo: Cargo,
        /// How far it had come, in thousandths of its way.
        at_per_mille: u32,
        /// Why.
        why: LossReason,
    },
    /// A member's disk reported.
    Synced {
        /// Which member's.
        node: NodeId,
        /// All writes up to this one.
        write: WriteId,
    },
    /// A member booted.
    Booted {
        /// Which.
        node: NodeId,
    },
    /// A member's process ended.
    Died {
        /// Which.
        node: NodeId,
        /// Records that were not synced and did not survive.
        lost: u32,
    },
    /// A member stopped itself, or could not boot.
    Halted {
        /// Which.
        node: NodeId,
        /// Why.
        why: Halt,
    },
    /// Something happened at a client.
    Client {
        /// Which.
        client: ClientId,
        /// What.
        event: ClientEvent,
    },
    /// Somebody intervened, or a fault came.
    Intervened(Intervention),
    /// An invariant broke.
    Violated(Violation),
}

/// Why a message was lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LossReason {
    /// By chance.
    Chance,
    /// The link is cut.
    Cut,
    /// Nobody is there: the receiver is down, or the connection is gone.
    Down,
    /// Somebody dropped it.
    Dropped,
    /// One end does not let the other in: it is no member, or has lost its disk.
    NotAdmitted,
}

/// What happened at a client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ClientEvent {
    /// It is connecting.
    Connecting {
        /// To this member.
        node: NodeId,
    },
    /// Its session is attached.
    Attached {
        /// On this member.
        node: NodeId,
        /// Its session.
        session: SessionId,
    },
    /// Its connection ended.
    Disconnected {
        /// The server's reason; `None` if it broke.
        reason: Option<Hangup>,
    },
    /// Its session is over.
    Expired {
        /// Which.
        session: SessionId,
    },
    /// It asked.
    Called {
        /// Number of the call.
        tag: u64,
        /// What.
        request: Request,
    },
    /// It asked the same once more on another connection, because the one before ended first.
    CalledAgain {
        /// Number of the call.
        tag: u64,
        /// What.
        request: Request,
    },
    /// It got an answer.
    Returned {
        /// Number of the call.
        tag: u64,
        /// The answer.
        reply: Reply,
    },
    /// It will never know: the connection ended before the answer.
    Unknown {
        /// Number of the call.
        tag: u64,
    },
    /// A watch fired.
    Watch(WatchEvent),
    /// One of its recipes says so.
    Recipe(Told),
    /// It wrote to what a lock protects, with the token by which it believes to hold the lock.
    Stored {
        /// The path of the lock.
        path: String,
        /// What it wrote.
        value: String,
        /// The token.
        token: Index,
        /// The greater token that the store has seen, if it refused.
        refused: Option<Index>,
    },
}

/// One call of a client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Call {
    /// Its number; counts up from 1 for each client.
    pub tag: u64,
    /// The member that was asked.
    pub node: NodeId,
    /// What was asked.
    pub request: Request,
    /// When.
    pub invoked: Time,
    /// How it ended; `None` while it waits.
    pub end: Option<CallEnd>,
}

/// How a call ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CallEnd {
    /// With an answer.
    Returned {
        /// When.
        time: Time,
        /// The state the answer rests on.
        zxid: Index,
        /// The answer.
        reply: Reply,
    },
    /// The connection ended first: it may have happened or not.
    Unknown {
        /// When.
        time: Time,
    },
}

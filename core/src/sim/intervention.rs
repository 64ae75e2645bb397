//! What a visitor, a script or a fault plan can do to a run. They go into links and traces, so variants
//! are only ever added at the end.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::iter;

use serde::{Deserialize, Serialize};

use super::{ClientId, FlightId};
use crate::id::NodeId;
use crate::recipe::Wish;
use crate::request::Request;
use crate::time::{Span, Time};

/// A change of course.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Intervention {
    /// The process ends. Chance decides how much of what was not synced survives.
    Kill(NodeId),
    /// The process ends, and of the records that were not synced exactly this many survive.
    Crash {
        /// Which member.
        node: NodeId,
        /// Records kept; each vote, each snapshot mark and each entry counts as one.
        keep: u32,
    },
    /// A member that is down boots from its disk.
    Restart(NodeId),
    /// The process stands still; what arrives waits.
    Pause(NodeId),
    /// It goes on, and gets everything that waited in one call.
    Resume(NodeId),
    /// All links to and from other members are down. Clients still reach it.
    Isolate(NodeId),
    /// Ends `Isolate`.
    Rejoin(NodeId),
    /// One direction goes down, and what is under way on it is lost.
    Cut {
        /// From this member.
        from: NodeId,
        /// To this one.
        to: NodeId,
    },
    /// Ends `Cut`.
    Heal {
        /// From this member.
        from: NodeId,
        /// To this one.
        to: NodeId,
    },
    /// Ends every cut, clog and isolation. Loss and delays stay.
    HealAll,
    /// Chance of loss on one direction, or on all.
    Loss {
        /// From and to; `None` means every link.
        link: Option<(NodeId, NodeId)>,
        /// The chance.
        per_mille: u32,
    },
    /// Delay on one direction, or on all.
    Delay {
        /// From and to; `None` means every link.
        link: Option<(NodeId, NodeId)>,
        /// Shortest.
        min: Span,
        /// Longest.
        max: Span,
    },
    /// Chance of repetition on one direction, or on all.
    Duplicate {
        /// From and to; `None` means every link.
        link: Option<(NodeId, NodeId)>,
        /// The chance.
        per_mille: u32,
    },
    /// Chance of overtaking on one direction, or on all.
    Reorder {
        /// From and to; `None` means every link.
        link: Option<(NodeId, NodeId)>,
        /// The chance.
        per_mille: u32,
    },
    /// This message is lost. On a client connection the connection breaks with it.
    DropFlight(FlightId),
    /// This message takes longer. On a client connection those behind it wait.
    DelayFlight {
        /// Which.
        flight: FlightId,
        /// How much longer.
        by: Span,
    },
    /// This message will arrive once more. Has no effect on a client connection.
    DuplicateFlight(FlightId),
    /// This message arrives at once; on a client connection those before it too.
    DeliverFlight(FlightId),
    /// The disk stops answering.
    FreezeDisk(NodeId),
    /// The disk goes on.
    ThawDisk(NodeId),
    /// Latency of a sync from now on.
    SlowDisk {
        /// Which member's.
        node: NodeId,
        /// Shortest.
        min: Span,
        /// Longest.
        max: Span,
    },
    /// The member campaigns at once.
    Campaign(NodeId),
    /// The member takes a snapshot and cuts its log.
    TakeSnapshot(NodeId),
    /// A client appears and opens a session, on this member first and later wherever it finds one.
    OpenClient {
        /// A number below 1,000 that is not in use.
        client: ClientId,
        /// Where.
        node: NodeId,
    },
    /// A call of such a client. It waits until the client is attached.
    Client {
        /// Which.
        client: ClientId,
        /// What it asks. `Connect` has no effect here: the client sees to its session by itself.
        request: Request,
    },
    /// The client closes its session and goes.
    CloseClient(ClientId),
    /// The client's process ends: its session lives on until it expires.
    KillClient(ClientId),
    /// The client's connection breaks; it looks for another member.
    DropClient(ClientId),
    /// The workload's clients work at this rate from now on; 0 stops them.
    Workload {
        /// Operations per virtual second of all together.
        ops_per_second: u32,
    },
    /// Faults that come by themselves stop (false) or go on.
    Faults(bool),
    /// The member, if it leads, hands the lead over.
    Transfer {
        /// Which member.
        from: NodeId,
        /// To whom; `None` for the one that is furthest.
        to: Option<NodeId>,
    },
    /// The member keeps the lead after all.
    CancelTransfer(NodeId),
    /// An operator asks this member for these members and no others, if nobody has changed them meanwhile.
    Members {
        /// Whom it asks.
        node: NodeId,
        /// Those who are to vote, each with the disk it has now.
        voters: Vec<NodeId>,
        /// Those who are to listen.
        learners: Vec<NodeId>,
    },
    /// The member's process ends and its disk is lost; it boots on an empty one, as another replica.
    Wipe(NodeId),
    /// The client's process stands still: it neither hears nor says anything, while its session's time runs.
    PauseClient(ClientId),
    /// It goes on, and finds what has arrived meanwhile.
    ResumeClient(ClientId),
    /// A client's recipe is told what is wanted of it.
    Recipe {
        /// Which client.
        client: ClientId,
        /// What is wanted.
        wish: Wish,
    },
    /// One direction holds back everything, what is under way on it included.
    Clog {
        /// From this member.
        from: NodeId,
        /// To this one.
        to: NodeId,
    },
    /// Ends `Clog`: what was held back arrives, all at once and in order.
    Unclog {
        /// From this member.
        from: NodeId,
        /// To this one.
        to: NodeId,
    },
    /// The member's clock goes at this rate from now on.
    ClockRate {
        /// Which member's.
        node: NodeId,
        /// 1,000 is true; within [`DRIFT_PER_MILLE`](super::DRIFT_PER_MILLE) of it.
        per_mille: u32,
    },
    /// The member's clock jumps forward.
    ClockJump {
        /// Which member's.
        node: NodeId,
        /// How far.
        by: Span,
    },
    /// A client appears as with `OpenClient`, with settings of its own.
    OpenClientWith {
        /// A number below 1,000 that is not in use.
        client: ClientId,
        /// The members that it knows, in the order in which it tries them; it looks for no others.
        servers: Vec<NodeId>,
        /// The session timeout that it asks for.
        timeout_ms: u32,
        /// Whether a member without a leader will do, for reads.
        read_only: bool,
        /// Whether it asks again what a lost connection left open, by number, so that a change is made once. If
        /// not, nobody knows what became of it.
        repeat: bool,
    },
    /// A client that believes to hold a lock writes to what the lock protects: something outside of the
    /// cluster, which knows nothing of sessions.
    Store {
        /// Which client. One that stands still writes when it goes on, before it hears anything.
        client: ClientId,
        /// The path of the lock.
        path: String,
        /// What it writes.
        value: String,
        /// Whether the store looks at the fencing token.
        fenced: bool,
    },
    /// Somebody copies the member's disk, as it would be after a crash now.
    CopyDisk(NodeId),
    /// The member's process ends, its disk becomes what was copied, and it boots on that: the same replica,
    /// which has lost what was synced since. Nothing happens without a copy.
    PutBackDisk(NodeId),
}

impl Intervention {
    /// The members that it names.
    pub fn members(&self) -> impl Iterator<Item = NodeId> + use<> {
        let mut copy = self.clone();
        let mut members: Vec<NodeId> = copy.about().into_iter().map(|id| *id).collect();
        if let Self::OpenClientWith { servers, .. } = self {
            members.extend(servers);
        }
        members.into_iter()
    }

    /// The same in a cluster in which these members are the first, and the others are missing.
    #[must_use]
    pub(crate) fn renumbered(&self, known: &[NodeId]) -> Self {
        let number = |id: &NodeId| {
            let place = known.iter().position(|known| known == id);
            place.map(|place| NodeId(place as u64 + 1))
        };
        let mut copy = self.clone();
        match &mut copy {
            Self::OpenClientWith { servers, .. } => {
                *servers = servers.iter().filter_map(number).collect();
            }
            Self::Members {
                voters, learners, ..
            } => {
                *voters = voters.iter().filter_map(number).collect();
                *learners = learners.iter().filter_map(number).collect();
            }
            _ => {}
        }
        for id in copy.about() {
            *id = number(id).unwrap_or(*id);
        }
        copy
    }

    /// The members that it is about: whom it happens to, not whom a client knows or an operator asks for.
    pub(crate) fn about(&mut self) -> Vec<&mut NodeId> {
        match self {
            Self::Kill(id)
            | Self::Restart(id)
            | Self::Pause(id)
            | Self::Resume(id)
            | Self::Isolate(id)
            | Self::Rejoin(id)
            | Self::FreezeDisk(id)
            | Self::ThawDisk(id)
            | Self::Campaign(id)
            | Self::TakeSnapshot(id)
            | Self::CancelTransfer(id)
            | Self::Wipe(id)
            | Self::CopyDisk(id)
            | Self::PutBackDisk(id)
            | Self::Members { node: id, .. }
            | Self::Crash { node: id, .. }
            | Self::SlowDisk { node: id, .. }
            | Self::ClockRate { node: id, .. }
            | Self::ClockJump { node: id, .. }
            | Self::OpenClient { node: id, .. } => vec![id],
            Self::Transfer { from, to } => iter::once(from).chain(to).collect(),
            Self::Cut { from, to }
            | Self::Heal { from, to }
            | Self::Clog { from, to }
            | Self::Unclog { from, to }
            | Self::Loss {
                link: Some((from, to)),
                ..
            }
            | Self::Delay {
                link: Some((from, to)),
                ..
            }
            | Self::Duplicate {
                link: Some((from, to)),
                ..
            }
            | Self::Reorder {
                link: Some((from, to)),
                ..
            } => vec![from, to],
            Self::Loss { link: None, .. }
            | Self::Delay { link: None, .. }
            | Self::Duplicate { link: None, .. }
            | Self::Reorder { link: None, .. }
            | Self::HealAll
            | Self::DropFlight(_)
            | Self::DelayFlight { .. }
            | Self::DuplicateFlight(_)
            | Self::DeliverFlight(_)
            | Self::Client { .. }
            | Self::CloseClient(_)
            | Self::KillClient(_)
            | Self::DropClient(_)
            | Self::PauseClient(_)
            | Self::ResumeClient(_)
            | Self::Recipe { .. }
            | Self::Workload { .. }
            | Self::OpenClientWith { .. }
            | Self::Store { .. }
            | Self::Faults(_) => Vec::new(),
        }
    }
}

/// An intervention with its moment: it was made when this many events had happened and it was this time.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Deed {
    /// What `Sim::events` was.
    pub event: u64,
    /// What `Sim::now` was.
    pub time: Time,
    /// What was done.
    pub intervention: Intervention,
}

//! What a simulated cluster is made of and how rough its world is. Plain numbers; all chances are per
//! mille, and nothing here draws any.

use serde::{Deserialize, Serialize};

use crate::config::{Bug, Config};
use crate::id::NodeId;
use crate::time::{Span, Time};

/// Everything that a run starts from, beside its seed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SimConfig {
    /// Members, 1 to 9; their numbers are 1, 2, 3 and so on.
    pub nodes: u8,
    /// The first members of the cluster are 1 up to this one; `None` means all. The others boot empty and
    /// wait to be added.
    pub voters: Option<u8>,
    /// Settings of every member; `id`, `members` and `planted` are filled in.
    pub node: Config,
    /// Every direction of every link at the start.
    pub link: LinkProfile,
    /// One way between a client and a member.
    pub client_link: LinkProfile,
    /// Every disk at the start.
    pub disk: DiskProfile,
    /// Clients that work by themselves; `None` for none.
    pub workload: Option<Workload>,
    /// Faults that come by themselves; `None` for none.
    pub faults: Option<Faults>,
    /// A known bug that every member has. Without the feature `planted` it has no effect.
    pub planted: Option<Bug>,
    /// Virtual time at the start.
    pub start: Time,
    /// Whether invariants are checked after every event.
    pub checks: bool,
    /// Whether `Sim::take_log` gets anything.
    pub log: bool,
    /// Whether the run is recorded for `Sim::trace`.
    pub record: bool,
}

impl SimConfig {
    /// A calm world with the defaults of rule R24, checks and log on, no clients.
    #[must_use]
    pub fn new(nodes: u8) -> Self {
        let nodes = nodes.clamp(1, 9);
        let mut node = Config::new(NodeId(1), (1..=u64::from(nodes)).map(NodeId).collect());
        node.notes = true;
        Self {
            nodes,
            voters: None,
            node,
            link: LinkProfile::new(5, 15),
            client_link: LinkProfile::new(1, 2),
            disk: DiskProfile {
                min: Span::from_ms(1),
                max: Span::from_ms(3),
            },
            workload: None,
            faults: None,
            planted: None,
            // 2026-01-01 00:00 UTC: a date that a znode's Stat can show.
            start: Time(1_767_225_600_000_000),
            checks: true,
            log: true,
            record: false,
        }
    }
}

/// One direction of a link.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LinkProfile {
    /// Shortest delay.
    pub delay_min: Span,
    /// Longest delay.
    pub delay_max: Span,
    /// Chance that a message is lost.
    pub loss_per_mille: u32,
    /// Chance that a message arrives twice.
    pub duplicate_per_mille: u32,
    /// Chance that a message may overtake those before it; all others keep their order.
    pub reorder_per_mille: u32,
}

impl LinkProfile {
    /// Delays of `min_ms` to `max_ms` milliseconds and no mishaps.
    #[must_use]
    pub const fn new(min_ms: u64, max_ms: u64) -> Self {
        Self {
            delay_min: Span::from_ms(min_ms),
            delay_max: Span::from_ms(max_ms),
            loss_per_mille: 0,
            duplicate_per_mille: 0,
            reorder_per_mille: 0,
        }
    }
}

/// Latency of a sync; everything that waits when one begins is in it (group commit).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DiskProfile {
    /// Shortest.
    pub min: Span,
    /// Longest.
    pub max: Span,
}

/// Clients that work in a closed loop and check what they are told (rule R33).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Workload {
    /// How many.
    pub clients: u32,
    /// Operations per virtual second of all of them together, as long as the cluster keeps up. With 0
    /// they come with the first `Intervention::Workload` above it.
    pub ops_per_second: u32,
    /// How many of a thousand operations change something.
    pub write_per_mille: u32,
    /// Session timeout the clients ask for.
    pub timeout_ms: u32,
    /// Whether they ask again what a lost connection left open, by number. If not, they live with unknown
    /// outcomes, as ZooKeeper's do.
    pub repeat: bool,
}

impl Default for Workload {
    fn default() -> Self {
        Self {
            clients: 5,
            ops_per_second: 50,
            write_per_mille: 500,
            timeout_ms: 4_000,
            repeat: false,
        }
    }
}

/// Which faults come by themselves. The mean time between two is `every`; what comes is drawn by these
/// weights, and a fault of weight 0 never comes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Faults {
    /// Mean time between two faults.
    pub every: Span,
    /// Mean time until a fault is repaired.
    pub repair: Span,
    /// A member's process ends; what was not synced may be lost or torn.
    pub crash: u32,
    /// All members end at once.
    pub crash_all: u32,
    /// A member's process stands still for a while.
    pub pause: u32,
    /// Members fall apart into two groups.
    pub halves: u32,
    /// The same, but one member sees both groups.
    pub bridge: u32,
    /// One direction of one link is cut.
    pub one_way: u32,
    /// A member hears nobody, or nobody hears it.
    pub blind: u32,
    /// A member is cut off, and let in again, several times.
    pub flap: u32,
    /// The member that leads now is cut off.
    pub isolate_leader: u32,
    /// A direction, or all of a member's, hold everything back and then let it go at once.
    pub clog: u32,
    /// One direction becomes slow.
    pub detour: u32,
    /// A member's clock goes at another rate.
    pub drift: u32,
    /// A member's clock jumps forward.
    pub jump: u32,
    /// A disk stops answering.
    pub freeze: u32,
    /// A disk becomes slow.
    pub slow: u32,
    /// A client loses its connection, or all do at once.
    pub drop_client: u32,
    /// A member is told to take a snapshot.
    pub snapshot: u32,
    /// A member is told to campaign.
    pub campaign: u32,
    /// The leader is told to hand over, to whomever chance says.
    pub transfer: u32,
    /// An operator asks for other members.
    pub members: u32,
    /// The fewest voters to ask for.
    pub least_voters: u8,
    /// A member loses its disk and is asked for again; only while all others are members that kept theirs.
    pub wipe: u32,
    /// Members end and are back within moments, one after the other: before anybody misses them, and in the
    /// middle of the elections that come of it.
    pub bounce: u32,
}

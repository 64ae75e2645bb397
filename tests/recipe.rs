//! The recipes on the simulated cluster, with clients that stand still, die and lose their connections, and
//! members that crash and fall apart. Whoever uses a recipe is played here: it knows what it was told, acts
//! on it after a while, and is deaf while its process is paused.

use std::collections::{BTreeMap, BTreeSet};

use otterkeeper_core::id::{Index, NodeId};
use otterkeeper_core::recipe::lock::{Kind, Told as LockTold};
use otterkeeper_core::recipe::{Told, Wish};
use otterkeeper_core::request::{Request, Response};
use otterkeeper_core::rng::Rng;
use otterkeeper_core::sim::{
    Cargo, ClientEvent, ClientId, End, Faults, Flight, FlightId, Intervention, Sim, SimConfig, What,
};
use otterkeeper_core::time::{Span, Time};

mod lock;
mod others;
mod settings;
mod weather;

/// The clients of a test.
const CLIENTS: u32 = 4;
/// The session timeout of all of them.
const TIMEOUT: Span = Span::from_ms(4_000);

/// A cluster with a leader and clients 1 to `CLIENTS`.
struct World {
    sim: Sim,
    rng: Rng,
    /// When a paused client goes on.
    paused: BTreeMap<ClientId, Time>,
    /// When a member that was cut off by the test is let in again.
    cut_off: BTreeMap<NodeId, Time>,
    /// What clients were told and nobody has looked at.
    heard: Vec<(ClientId, ClientEvent)>,
}

impl World {
    fn new(seed: u64, faults: Option<Faults>) -> Self {
        let mut config = SimConfig::new(3);
        config.node.session_max = TIMEOUT;
        config.faults = faults;
        let mut sim = Sim::new(config, seed);
        sim.run_until(sim.now() + Span::from_ms(2_000), u64::MAX);
        let mut world = Self {
            sim,
            rng: Rng::stream(seed, 77),
            paused: BTreeMap::new(),
            cut_off: BTreeMap::new(),
            heard: Vec::new(),
        };
        for client in world.clients() {
            world.open(client);
        }
        world
    }

    fn clients(&self) -> impl Iterator<Item = ClientId> + use<> {
        (1..=CLIENTS).map(ClientId)
    }

    /// A process of this client begins.
    fn open(&mut self, client: ClientId) {
        let node = NodeId(self.rng.between(1, 3));
        self.sim.apply(&Intervention::OpenClient { client, node });
    }

    fn wish(&mut self, client: ClientId, wish: Wish) {
        self.sim.apply(&Intervention::Recipe { client, wish });
    }

    /// Lets members in whose time has come.
    fn let_in_again(&mut self) {
        let now = self.sim.now();
        let due = self.cut_off.extract_if(.., |_, until| *until <= now);
        for (node, _) in due {
            self.sim.apply(&Intervention::Rejoin(node));
        }
    }

    /// One event, and what the clients heard of it.
    fn step(&mut self) {
        self.sim.step_event();
        self.listen();
    }

    fn listen(&mut self) {
        for event in self.sim.take_log() {
            if let What::Client { client, event } = event.what {
                self.heard.push((client, event));
            }
        }
    }

    /// What recipes said since this was last called.
    fn told(&mut self) -> Vec<(ClientId, Told)> {
        let told = |(client, event)| match event {
            ClientEvent::Recipe(told) => Some((client, told)),
            _ => None,
        };
        core::mem::take(&mut self.heard)
            .into_iter()
            .filter_map(told)
            .collect()
    }

    /// Runs until a recipe of this client says something that `is` takes.
    fn await_told(&mut self, client: ClientId, is: impl Fn(&Told) -> bool) -> Told {
        let limit = self.sim.now() + Span::from_ms(60_000);
        loop {
            self.step();
            let said = |(who, told): &(ClientId, Told)| *who == client && is(told);
            if let Some((_, told)) = self.told().into_iter().find(said) {
                return told;
            }
            assert!(self.sim.now() < limit, "nothing is said in a minute");
        }
    }

    fn run(&mut self, span: Span) {
        let until = self.sim.now() + span;
        while self.sim.next_event().is_some_and(|next| next <= until) {
            self.step();
        }
        self.sim.run_until(until, u64::MAX);
    }

    /// A message under way that `is` takes; runs until there is one.
    fn flight(&mut self, is: impl Fn(&Flight) -> bool) -> FlightId {
        for _ in 0..100_000 {
            if let Some(flight) = self.sim.flights().find(|flight| is(flight)) {
                return flight.id;
            }
            self.step();
        }
        panic!("there is no such message");
    }

    fn is_broken(&self) -> bool {
        !self.sim.violations().is_empty()
    }
}

/// Members that crash, stand still and fall apart; seldom enough that sessions can expire, for a new leader
/// gives each of them its full timeout.
fn rough() -> Faults {
    Faults {
        every: Span::from_ms(9_000),
        repair: Span::from_ms(1_500),
        crash: 3,
        crash_all: 0,
        pause: 3,
        halves: 2,
        bridge: 0,
        blind: 0,
        flap: 0,
        clog: 0,
        detour: 0,
        drift: 0,
        jump: 0,
        one_way: 1,
        isolate_leader: 3,
        freeze: 1,
        slow: 1,
        drop_client: 6,
        snapshot: 1,
        campaign: 1,
        transfer: 1,
        members: 0,
        least_voters: 3,
        wipe: 0,
        bounce: 0,
    }
}

fn heal(world: &mut World) {
    for node in core::mem::take(&mut world.cut_off).into_keys() {
        world.sim.apply(&Intervention::Rejoin(node));
    }
    world.sim.apply(&Intervention::HealAll);
    for node in world.sim.nodes().collect::<Vec<_>>() {
        world.sim.apply(&Intervention::ThawDisk(node));
        world.sim.apply(&Intervention::Resume(node));
        if world.sim.node(node).is_none() {
            world.sim.apply(&Intervention::Restart(node));
        }
    }
}

/// At least so many that each mishap meets each recipe.
fn seeds() -> u64 {
    let seeds = std::env::var("OTTERKEEPER_SEEDS").ok();
    let seeds: Option<u64> = seeds.and_then(|seeds| seeds.parse().ok());
    seeds.unwrap_or(0).max(10)
}

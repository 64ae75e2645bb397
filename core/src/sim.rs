//! A whole cluster in virtual time: nodes, links, disks, clients, faults and the checks on all of them.
//! The page, the tests and `otterkeeper sim` run this one. A run is a configuration, a seed and a list
//! of interventions with their moments; the same three give the same digests on every target. A node is
//! seen through `step`, `read` and `view` alone; nothing here knows how Raft or the tree work inside.
//!
//! Time jumps from event to event: the next message that arrives, the next disk that reports, the next
//! deadline of a node or a client, the next fault.

mod act;
mod check;
mod chunks;
mod client;
mod clock;
mod disk;
mod event;
mod fault;
mod hash;
mod intervention;
mod judge;
pub mod linear;
mod member;
mod net;
mod oracle;
mod profile;
pub mod shrink;
mod store;
pub mod swarm;
pub mod tell;
mod view;
mod workload;

use alloc::collections::{BTreeMap, VecDeque};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

pub use self::check::{Finding, Invariant, Violation};
pub use self::clock::DRIFT_PER_MILLE;
pub use self::event::{Call, CallEnd, ClientEvent, Event, LossReason, What};
pub use self::fault::Fault;
pub use self::intervention::{Deed, Intervention};
pub use self::profile::{DiskProfile, Faults, LinkProfile, SimConfig, Workload};
pub use self::store::Store;
pub use self::swarm::digest_of_seed;
pub use self::view::{Cargo, ClientId, ClientView, DiskView, End, Flight, FlightId, LinkState};

use self::check::Checker;
use self::chunks::Chunks;
use self::client::{Client, Start, Wire};
use self::clock::Clocks;
use self::fault::{Aim, Nemesis};
use self::hash::mix;
use self::linear::Judge;
use self::member::Member;
use self::net::Net;
use self::oracle::{Complaint, Oracle, Verdict};
use self::workload::Worker;
use crate::id::{Index, NodeId, ReplicaId};
use crate::node::{Output, View};
use crate::raft::note::Role;
use crate::recipe::group::Seat;
use crate::recipe::{Standing, Trade};
use crate::rng::Rng;
use crate::time::{Span, Time};
use crate::trace::{Step, Trace};

/// Events kept for `take_log`.
const LOG: usize = 65_536;
/// The workload's clients count up from here.
const FIRST_WORKER: u32 = 1_000;

/// The cluster. A clone costs little beside the events between two clones: whatever grows with the run
/// is shared.
#[derive(Clone)]
pub struct Sim {
    config: SimConfig,
    seed: u64,
    now: Time,
    events: u64,
    members: Vec<Member>,
    net: Net,
    clients: BTreeMap<ClientId, Client>,
    /// What is outside, by the paths of the locks that protect it.
    stores: BTreeMap<String, Store>,
    oracle: Oracle,
    nemesis: Option<Nemesis>,
    checker: Checker,
    clocks: Clocks,
    /// The last client connection's number.
    conns: u64,
    disk_rng: Rng,
    boot_rng: Rng,
    log: VecDeque<Event>,
    deeds: Chunks<Deed>,
    trace: Chunks<Step>,
    violations: Vec<Violation>,
    /// What is judged of the clients' calls, and how many of the others are worth another look.
    judge: Arc<Judge>,
    judge_at: u64,
    out: Vec<Output>,
}

/// Which stream of chance is which. One does not shift another.
mod stream {
    pub(super) const NET: u64 = 1;
    pub(super) const DISK: u64 = 2;
    pub(super) const BOOT: u64 = 4;
    pub(super) const FAULTS: u64 = 5;
    /// Plus the number of the client.
    pub(super) const CLIENT: u64 = 1_000_000;
    /// Plus the number of the worker.
    pub(super) const WORKER: u64 = 1_000;
}

/// What the next event is.
enum Due {
    Flight,
    Disk(NodeId),
    Node(NodeId),
    Client(ClientId),
    Nemesis,
}

impl Sim {
    /// A cluster whose nodes have booted on empty disks at `config.start`, and whose first event is due.
    #[must_use]
    pub fn new(config: SimConfig, seed: u64) -> Self {
        let now = config.start;
        let net_rng = Rng::stream(seed, stream::NET);
        let mut sim = Self {
            seed,
            now,
            events: 0,
            members: (1..=config.nodes)
                .map(|id| Member::new(now, config.disk, ReplicaId(id.into())))
                .collect(),
            net: Net::new(config.nodes, config.link, config.client_link, net_rng),
            clients: BTreeMap::new(),
            stores: BTreeMap::new(),
            oracle: Oracle::default(),
            nemesis: config
                .faults
                .map(|faults| Nemesis::new(faults, now, Rng::stream(seed, stream::FAULTS))),
            checker: Checker::new(config.nodes),
            clocks: Clocks::new(now),
            conns: 0,
            disk_rng: Rng::stream(seed, stream::DISK),
            boot_rng: Rng::stream(seed, stream::BOOT),
            log: VecDeque::new(),
            deeds: Chunks::new(0),
            trace: Chunks::new(0),
            violations: Vec::new(),
            judge: Arc::new(Judge::default()),
            judge_at: 0,
            out: Vec::new(),
            config,
        };
        for id in sim.nodes() {
            sim.boot(id);
        }
        sim.pace(
            sim.config
                .workload
                .map_or(0, |workload| workload.ops_per_second),
        );
        sim
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

    /// Hash of all nodes, disks, clients and messages under way.
    #[must_use]
    pub fn digest(&self) -> u64 {
        let mut hash = mix(mix(self.seed, self.now.0), self.events);
        for member in &self.members {
            hash = member.digest(hash);
        }
        for flight in self.net.flights() {
            hash = mix(mix(hash, flight.id.0), flight.arrives.0);
        }
        for client in self.clients.values() {
            let view = client.view();
            hash = mix(mix(hash, view.session.0), view.last_zxid.0);
        }
        for store in self.stores.values() {
            hash = mix(mix(hash, store.writes), store.greatest().0);
        }
        hash
    }

    /// When the next event is due; `None` if nothing will ever happen again.
    #[must_use]
    pub fn next_event(&self) -> Option<Time> {
        self.next_due().map(|(time, _)| time)
    }

    /// Runs exactly one event; false if there is none.
    pub fn step_event(&mut self) -> bool {
        let next = self.next_due();
        let is_some = next.is_some();
        if let Some((time, due)) = next {
            self.happen(time, due);
        }
        is_some
    }

    fn happen(&mut self, time: Time, due: Due) {
        self.now = self.now.max(time);
        self.events += 1;
        match due {
            Due::Flight => {
                if let Some(flight) = self.net.arrive() {
                    self.deliver(flight);
                }
            }
            Due::Disk(id) => self.disk_reports(id),
            Due::Node(id) => self.call(id, Vec::new()),
            Due::Client(id) => self.with_client(id, |client, wire| client.wake(wire)),
            Due::Nemesis => self.fault(),
        }
        self.settle();
    }

    /// Runs all events due at or before `until`, at most `max_events` of them, and returns how many.
    /// Unless it stopped at `max_events`, `now()` is `until` afterwards.
    pub fn run_until(&mut self, until: Time, max_events: u64) -> u64 {
        let mut events = 0;
        while events < max_events {
            let Some((time, due)) = self.next_due().filter(|(time, _)| *time <= until) else {
                self.now = self.now.max(until);
                break;
            };
            self.happen(time, due);
            events += 1;
        }
        events
    }

    /// Goes to a moment: runs until `events` have happened, then lets time pass to `now`, if no other
    /// event lies before it. So a recorded intervention meets the state that it met first.
    pub fn run_to(&mut self, events: u64, now: Time) {
        while self.events < events && self.step_event() {}
        let now = self.next_event().map_or(now, |next| now.min(next));
        self.now = self.now.max(now);
    }

    /// How often each kind of fault came by itself so far.
    pub fn faults_drawn(&self) -> impl Iterator<Item = (Fault, u64)> {
        let drawn = self.nemesis.iter().flat_map(|nemesis| nemesis.drawn);
        Fault::ALL.into_iter().zip(drawn)
    }

    /// Interventions so far, without the faults that came by themselves, with their moments.
    pub fn deeds(&self) -> impl Iterator<Item = &Deed> {
        self.deeds.iter()
    }

    /// The calls of all nodes so far, if `config.record` is on.
    #[must_use]
    pub fn trace(&self) -> Trace {
        Trace {
            steps: self.trace.iter().cloned().collect(),
        }
    }

    /// The members, in ascending order, up or down.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> + use<> {
        (1..=u64::from(self.config.nodes)).map(NodeId)
    }

    /// A member as it is now; `None` while it is down.
    #[must_use]
    pub fn node(&self, id: NodeId) -> Option<View<'_>> {
        self.member(id)?.view()
    }

    /// What a member's clock shows: deadlines in its view are by this.
    #[must_use]
    pub fn clock(&self, id: NodeId) -> Time {
        self.member(id)
            .map_or(self.now, |member| member.clock(self.now))
    }

    /// Whether it is paused; what arrives meanwhile waits for it.
    #[must_use]
    pub fn is_paused(&self, id: NodeId) -> bool {
        self.member(id).is_some_and(Member::is_paused)
    }

    /// Whether it is cut off by `Intervention::Isolate`.
    #[must_use]
    pub fn is_isolated(&self, id: NodeId) -> bool {
        self.net.is_isolated(id)
    }

    /// One direction of a link.
    #[must_use]
    pub fn link(&self, from: NodeId, to: NodeId) -> LinkState {
        self.net.link(from, to)
    }

    /// A member's disk, also while the member is down.
    #[must_use]
    pub fn disk(&self, id: NodeId) -> Option<DiskView> {
        Some(self.member(id)?.disk_view())
    }

    /// All messages under way, in the order in which they were sent.
    pub fn flights(&self) -> impl Iterator<Item = &Flight> {
        self.net.flights()
    }

    /// One message under way.
    #[must_use]
    pub fn flight(&self, id: FlightId) -> Option<&Flight> {
        self.net.flight(id)
    }

    /// All clients, in ascending order, without those that are gone.
    pub fn clients(&self) -> impl Iterator<Item = ClientView> {
        self.clients
            .values()
            .filter(|client| !client.is_gone())
            .map(Client::view)
    }

    /// All clients that have a history, in ascending order, also those that are gone.
    pub fn callers(&self) -> impl Iterator<Item = ClientId> {
        let spoke = self.clients.iter().filter(|(_, one)| one.has_history());
        spoke.map(|(id, _)| *id)
    }

    /// A client's calls, oldest first; the last may be without an answer. At most the last 1,024.
    pub fn history(&self, client: ClientId) -> impl Iterator<Item = &Call> {
        self.clients
            .get(&client)
            .into_iter()
            .flat_map(Client::history)
    }

    /// The fencing tokens that a client's recipes hold, as far as it knows, with the paths of their locks.
    pub fn tokens(&self, client: ClientId) -> impl Iterator<Item = (&str, Index)> {
        self.clients
            .get(&client)
            .into_iter()
            .flat_map(Client::tokens)
    }

    /// A client's recipes: what for, where, and how each stands.
    pub fn standings(&self, client: ClientId) -> impl Iterator<Item = (Trade, &str, Standing)> {
        let client = self.clients.get(&client);
        client.into_iter().flat_map(Client::standings)
    }

    /// Who is in the group at this path, as the roll that this client watches says.
    pub fn present(&self, client: ClientId, path: &str) -> impl Iterator<Item = &Seat> {
        let client = self.clients.get(&client);
        client
            .into_iter()
            .flat_map(move |client| client.present(path))
    }

    /// The paths of the watches that a client waits for, and whether each is for the children.
    pub fn watches(&self, client: ClientId) -> impl Iterator<Item = (&str, bool)> {
        let client = self.clients.get(&client);
        client.into_iter().flat_map(Client::watches)
    }

    /// What locks protect, by the paths of the locks: outside of the cluster, and written by whoever believes to
    /// hold the lock.
    pub fn stores(&self) -> impl Iterator<Item = (&str, &Store)> {
        self.stores.iter().map(|(path, store)| (&**path, store))
    }

    /// What happened since this was last called, in order, if `config.log` is on. At most the last 65,536.
    pub fn take_log(&mut self) -> Vec<Event> {
        self.log.drain(..).collect()
    }

    /// What was broken so far, in order of discovery; the first per invariant.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// Facts about clients that are no longer kept because a limit was reached: a contradiction to one of
    /// them would not be seen. No seed of the usual length comes there.
    #[must_use]
    pub fn forgotten(&self) -> u64 {
        self.oracle.forgotten()
    }

    /// The highest index that any member has committed so far.
    #[must_use]
    pub fn committed(&self) -> Index {
        self.checker.committed()
    }

    /// The member that leads in the highest term, of those that are up.
    #[must_use]
    pub fn leader(&self) -> Option<NodeId> {
        let views = self.members.iter().filter_map(Member::view);
        let leaders = views.filter(|view| view.role() == Role::Leader);
        leaders.max_by_key(View::term).map(|view| view.id())
    }

    fn next_due(&self) -> Option<(Time, Due)> {
        let mut time = self.net.deadline();
        let mut due = Due::Flight;
        let mut earlier = |candidate: Time, what: Due| {
            if candidate < time {
                time = candidate;
                due = what;
            }
        };
        for (id, member) in self.nodes().zip(&self.members) {
            earlier(member.disk.deadline(), Due::Disk(id));
        }
        for (id, member) in self.nodes().zip(&self.members) {
            earlier(member.deadline(), Due::Node(id));
        }
        for (id, client) in &self.clients {
            earlier(client.deadline(), Due::Client(*id));
        }
        if let Some(nemesis) = &self.nemesis {
            earlier(nemesis.deadline(), Due::Nemesis);
        }
        (time != Time::NEVER).then_some((time, due))
    }

    fn deliver(&mut self, flight: Flight) {
        match flight.to {
            End::Node(id) if self.member(id).is_none_or(|member| !member.is_up()) => {
                if let (Cargo::Open { conn }, client @ End::Client(_)) =
                    (&flight.cargo, flight.from)
                {
                    let end = Cargo::End {
                        conn: *conn,
                        reason: None,
                    };
                    self.net.stream(self.now, flight.to, client, *conn, end);
                }
                self.lost(flight, LossReason::Down);
            }
            End::Node(id) => {
                self.note(|| What::Delivered {
                    flight: flight.id,
                    from: flight.from,
                    to: flight.to,
                    sent: flight.sent,
                    cargo: flight.cargo.clone(),
                });
                self.arrive_at_node(id, flight);
            }
            End::Client(id) => {
                self.note(|| What::Delivered {
                    flight: flight.id,
                    from: flight.from,
                    to: flight.to,
                    sent: flight.sent,
                    cargo: flight.cargo.clone(),
                });
                if let Cargo::End { conn, .. } = &flight.cargo {
                    self.net.forget(*conn);
                }
                self.with_client(id, |client, wire| client.arrive(wire, flight.cargo));
            }
        }
    }

    fn lost(&mut self, flight: Flight, why: LossReason) {
        let way = flight.arrives.since(flight.sent).0.max(1);
        let at = self.now.since(flight.sent).0.min(way);
        self.note(|| What::Lost {
            flight: flight.id,
            from: flight.from,
            to: flight.to,
            sent: flight.sent,
            at_per_mille: (at * 1_000 / way) as u32,
            cargo: flight.cargo,
            why,
        });
    }

    fn with_client(
        &mut self,
        id: ClientId,
        act: impl FnOnce(&mut Client, &mut Wire<'_>) -> Verdict,
    ) {
        let Some(client) = self.clients.get_mut(&id) else {
            return;
        };
        let mut events = Vec::new();
        let verdict = act(
            client,
            &mut Wire {
                now: self.now,
                net: &mut self.net,
                oracle: &mut self.oracle,
                clocks: self.clocks,
                conns: &mut self.conns,
                events: &mut events,
                stores: &mut self.stores,
            },
        );
        if client.is_gone() && !client.has_history() {
            self.clients.remove(&id);
        }
        for event in events {
            self.note(|| What::Client { client: id, event });
        }
        if let Err(Complaint(invariant, text)) = verdict
            && self.config.checks
        {
            self.broken(invariant, format!("client {}: {text}", id.0));
        }
    }

    fn fault(&mut self) {
        let clients: Vec<ClientId> = self.clients.keys().copied().collect();
        let (voters, learners) = match self.newest_members() {
            Some(newest) => (newest.voters().collect(), newest.learners().collect()),
            None => (Vec::new(), Vec::new()),
        };
        let aim = Aim {
            members: u64::from(self.config.nodes),
            leader: self.leader(),
            clients: &clients,
            disk: self.config.disk,
            link: self.config.link,
            voters: &voters,
            learners: &learners,
            settled: self.all_settled(),
        };
        let Some(nemesis) = &mut self.nemesis else {
            return;
        };
        for deed in nemesis.draw(self.now, &aim) {
            self.carry_out(&deed);
        }
    }

    /// Takes over what the checker found.
    fn settle(&mut self) {
        for (invariant, seen) in self.checker.take_found() {
            self.broken(invariant, seen);
        }
    }

    fn broken(&mut self, invariant: Invariant, seen: impl Into<Finding>) {
        if self
            .violations
            .iter()
            .any(|violation| violation.invariant == invariant)
        {
            return;
        }
        let violation = Violation {
            invariant,
            event: self.events,
            time: self.now,
            seen: seen.into(),
        };
        self.note(|| What::Violated(violation.clone()));
        self.violations.push(violation);
    }

    fn note(&mut self, what: impl FnOnce() -> What) {
        if self.config.log {
            if LOG <= self.log.len() {
                self.log.pop_front();
            }
            self.log.push_back(Event {
                number: self.events,
                time: self.now,
                what: what(),
            });
        }
    }

    /// The workload's clients begin.
    fn hire(&mut self, workload: Workload) {
        let workers = u64::from(workload.clients);
        for number in 0..workload.clients {
            let id = ClientId(FIRST_WORKER + number);
            let number = u64::from(number);
            let rng = Rng::stream(self.seed, stream::WORKER + number);
            let worker = Worker::new(number, workers, workload.write_per_mille, self.now, rng);
            let home = NodeId(number % u64::from(self.config.nodes) + 1);
            let start = Start {
                repeat: workload.repeat,
                ..self.start(id, self.all_from(home), workload.timeout_ms)
            };
            let client = Client::new(start, Some(worker));
            self.clients.insert(id, client);
        }
    }

    /// What a client starts from.
    fn start(&self, id: ClientId, servers: Vec<NodeId>, timeout_ms: u32) -> Start {
        Start {
            id,
            servers,
            timeout_ms,
            read_only: false,
            repeat: false,
            now: self.now,
            rng: Rng::stream(self.seed, stream::CLIENT + u64::from(id.0)),
        }
    }

    /// All members, in a round that begins with this one.
    fn all_from(&self, home: NodeId) -> Vec<NodeId> {
        let members = u64::from(self.config.nodes);
        let number = |place| NodeId((home.0 - 1 + place) % members + 1);
        (0..members).map(number).collect()
    }

    /// Sets the rate of the workload's clients, who come with the first rate above zero.
    fn pace(&mut self, ops_per_second: u32) {
        let Some(workload) = self.config.workload else {
            return;
        };
        if ops_per_second > 0 && !self.clients.contains_key(&ClientId(FIRST_WORKER)) {
            self.hire(workload);
        }
        let interval = match ops_per_second {
            0 => Span(0),
            rate => Span(1_000_000 * u64::from(workload.clients) / u64::from(rate)),
        };
        self.clients
            .values_mut()
            .for_each(|client| client.pace(interval));
    }

    fn member(&self, id: NodeId) -> Option<&Member> {
        self.members.get((id.0 as usize).wrapping_sub(1))
    }

    fn member_mut(&mut self, id: NodeId) -> Option<&mut Member> {
        self.members.get_mut((id.0 as usize).wrapping_sub(1))
    }
}

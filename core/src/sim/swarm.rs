//! One seed, all the way: the seed draws a cluster and its faults (each kind is left out of half of the
//! runs, so that a run stresses some things and not always all), the safety phase runs them under load,
//! then everything is healed and the liveness phase demands that the cluster works again.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::client::Client;
use super::hash::mix;
use super::linear;
use super::member::Member;
use super::oracle::{Complaint, Verdict};
use super::{
    ClientEvent, ClientId, End, Event, Fault, Faults, Intervention, Invariant, LossReason, Sim,
    SimConfig, What, Workload,
};
use crate::config::Bug;
use crate::id::{NodeId, SessionId};
use crate::node::{Note, SnapshotStage};
use crate::raft::note::{Note as RaftNote, Role, TransferEnd, TransferStage};
use crate::request::{Acl, CreateMode, Error, EventKind, Op, Reply, Request, Response};
use crate::rng::Rng;
use crate::time::{Span, Time};
use crate::trace::Trace;

/// What a seed is at least (rule R33).
pub const EVENTS: u64 = 10_000;
/// What a seed is at least (rule R33).
pub const TIME: Span = Span::from_ms(20_000);
/// Longest election timeouts that a healed cluster may take until it works again.
const RECOVERY_TIMEOUTS: u64 = 30;
/// The client that asks whether the cluster works again.
const PROBE: ClientId = ClientId(1);
/// What a failure to recover is called.
pub const LIVENESS: &str = "liveness";
/// Events between two looks at the log.
const SLICE: u64 = 512;

/// How to run a seed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// First members; `None` draws 1 to 7, most often 3 or 5.
    pub nodes: Option<u8>,
    /// Which faults; `Mixed` draws them.
    pub profile: Profile,
    /// A known bug in every member.
    pub planted: Option<Bug>,
    /// Least number of events of the safety phase.
    pub events: u64,
    /// Least virtual time of the safety phase.
    pub time: Span,
    /// Whether invariants are checked.
    pub checks: bool,
    /// Whether the run is recorded.
    pub record: bool,
    /// How much of what happened last is kept for a failure.
    pub last: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            nodes: None,
            profile: Profile::Mixed,
            planted: None,
            events: EVENTS,
            time: TIME,
            checks: true,
            record: false,
            last: 500,
        }
    }
}

/// Families of faults, by name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Profile {
    /// Each kind of fault is in or out, as the seed says.
    Mixed,
    /// None.
    Calm,
    /// Messages are lost, repeated, late, and held back.
    Lossy,
    /// Groups, bridges, one-way cuts, blind and flapping members, and leaders cut off.
    Partitions,
    /// Clocks go wrong and jump.
    Clocks,
    /// Processes end, alone and together.
    Crashes,
    /// Disks freeze and slow down, processes stand still.
    Stalls,
    /// Small logs, many snapshots, members away for long.
    Snapshots,
    /// Members come and go, listen first, and lose their disks.
    Members,
    /// All of them.
    Storm,
}

impl Profile {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::Mixed,
        Self::Calm,
        Self::Lossy,
        Self::Partitions,
        Self::Clocks,
        Self::Crashes,
        Self::Stalls,
        Self::Snapshots,
        Self::Members,
        Self::Storm,
    ];

    /// Its name on a command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mixed => "mixed",
            Self::Calm => "calm",
            Self::Lossy => "lossy",
            Self::Partitions => "partitions",
            Self::Clocks => "clocks",
            Self::Crashes => "crashes",
            Self::Stalls => "stalls",
            Self::Snapshots => "snapshots",
            Self::Members => "members",
            Self::Storm => "storm",
        }
    }
}

/// Why a run failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// Name of the invariant, or [`LIVENESS`].
    pub name: &'static str,
    /// After which event.
    pub event: u64,
    /// How much virtual time had passed.
    pub after: Span,
    /// What was seen.
    pub text: String,
}

/// What a run came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// Its seed.
    pub seed: u64,
    /// Its cluster and faults, for people.
    pub plan: String,
    /// Events in all.
    pub events: u64,
    /// Virtual time in all.
    pub time: Span,
    /// The cluster's digest at the end.
    pub digest: u64,
    /// The first thing that went wrong.
    pub failure: Option<Failure>,
    /// Situations that came up.
    pub reached: Reached,
    /// If it failed: what happened last.
    pub last: Vec<Event>,
    /// The faults of the safety phase, with their moments.
    pub deeds: Vec<(Time, Intervention)>,
    /// When the safety phase ended.
    pub until: Time,
    /// Facts that the clients' oracle could not keep: a contradiction to one of them was not seen.
    pub forgotten: u64,
    /// The calls of all nodes, if they were recorded.
    pub trace: Option<Trace>,
}

/// What is gathered while a seed runs.
#[derive(Default)]
struct Gathered {
    reached: Reached,
    /// The latest events, at least `keep` of them.
    last: Vec<Event>,
    keep: usize,
    deeds: Vec<(Time, Intervention)>,
}

macro_rules! situations {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// How often situations came up: a run that never reaches what it is for proves nothing.
        #[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
        pub struct Reached {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Reached {
            /// Names and counts, in order of declaration.
            pub fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> + use<> {
                [$((stringify!($name), self.$name)),*].into_iter()
            }

            /// Adds another run's counts.
            pub fn add(&mut self, other: &Self) {
                $(self.$name += other.$name;)*
            }
        }
    };
}

situations! {
    /// Elections that were won.
    elections,
    /// Leaders that stepped down.
    step_downs,
    /// Reads that the leader confirmed.
    reads_confirmed,
    /// Leads that were handed over as wished.
    transfers,
    /// Members that took over a joint configuration.
    joint_phases,
    /// Members that took over a configuration that a joint phase led to, or that has other learners.
    settled_phases,
    /// Members that lost their disk.
    wipes,
    /// Messages to or from those who are no members, refused.
    not_admitted,
    /// Votes and pre-votes refused.
    votes_refused,
    /// Uncommitted entries dropped for a leader's.
    truncations,
    /// Appends that did not fit.
    refused_appends,
    /// Snapshots that came into force.
    snapshots_taken,
    /// Snapshots received from a leader.
    snapshots_installed,
    /// Processes that ended.
    crashes,
    /// Of those, the ones that lost records that were not synced.
    torn_tails,
    /// Processes that were paused.
    pauses,
    /// Disks that froze.
    freezes,
    /// All processes ended at once.
    crashes_of_all,
    /// Disks that became slow.
    slow_disks,
    /// Directions of links that were cut.
    cuts,
    /// Members fell apart into two groups.
    partitions,
    /// The same, and one member saw both groups.
    bridges,
    /// Members that heard nobody, or that nobody heard.
    blind_members,
    /// Members that were cut off and let in again, several times.
    flapping_members,
    /// Leaders that were cut off.
    leaders_cut_off,
    /// Links that held everything back.
    clogs,
    /// Links that became slow.
    detours,
    /// Clocks that went at another rate.
    clock_drifts,
    /// Clocks that jumped.
    clock_jumps,
    /// Time in which a leader stood still, or its clock jumped, that no session lost.
    stalls_forgiven,
    /// Messages lost by chance.
    losses,
    /// Messages repeated by chance.
    repetitions,
    /// Messages that chance let overtake others.
    overtakings,
    /// Clients that lost their connection.
    clients_dropped,
    /// Sessions opened.
    sessions_opened,
    /// Sessions that expired.
    sessions_expired,
    /// Sessions taken up again on a new connection.
    sessions_moved,
    /// Calls that were answered.
    calls_answered,
    /// Calls whose outcome the client never learned.
    calls_unknown,
    /// Runs of whose calls an order was found that explains them all.
    orders_found,
    /// Reads that had to be linearizable.
    linearizable_reads,
    /// Syncs.
    syncs,
    /// Znodes made.
    creates,
    /// Znodes deleted.
    deletes,
    /// Data set, or existence confirmed.
    stats,
    /// Children listed.
    lists,
    /// Multis done.
    multis,
    /// Multis of which nothing was done.
    multis_refused,
    /// Writes refused for a version that was no longer there.
    versions_refused,
    /// Watches that fired for a create.
    watches_on_create,
    /// Watches that fired for a delete.
    watches_on_delete,
    /// Watches that fired for new data.
    watches_on_data,
    /// Watches that fired for children.
    watches_on_children,
    /// Clusters of one member.
    clusters_of_1,
    /// Clusters of two voters.
    clusters_of_2,
    /// Clusters of three voters.
    clusters_of_3,
    /// Clusters of four voters.
    clusters_of_4,
    /// Clusters of five voters.
    clusters_of_5,
    /// Clusters of six voters.
    clusters_of_6,
    /// Clusters of seven voters.
    clusters_of_7,
}

impl Reached {
    /// What a run shows only as a whole.
    fn close(&mut self, sim: &Sim) {
        self.overtakings += sim.net.overtook;
        self.repetitions += sim.net.repeated;
        for (fault, drawn) in sim.faults_drawn() {
            let situation = match fault {
                Fault::CrashAll => &mut self.crashes_of_all,
                Fault::Slow => &mut self.slow_disks,
                Fault::Halves => &mut self.partitions,
                Fault::Bridge => &mut self.bridges,
                Fault::Blind => &mut self.blind_members,
                Fault::Flap => &mut self.flapping_members,
                Fault::IsolateLeader => &mut self.leaders_cut_off,
                Fault::Clog => &mut self.clogs,
                Fault::Detour => &mut self.detours,
                Fault::Drift => &mut self.clock_drifts,
                Fault::Jump => &mut self.clock_jumps,
                Fault::DropClient => &mut self.clients_dropped,
                // These are counted where they show.
                Fault::Crash
                | Fault::Pause
                | Fault::OneWay
                | Fault::Freeze
                | Fault::Snapshot
                | Fault::Campaign
                | Fault::Transfer
                | Fault::Members
                | Fault::Wipe => continue,
            };
            *situation += drawn;
        }
        let size = match sim.config().voters.unwrap_or(sim.config().nodes) {
            1 => &mut self.clusters_of_1,
            2 => &mut self.clusters_of_2,
            3 => &mut self.clusters_of_3,
            4 => &mut self.clusters_of_4,
            5 => &mut self.clusters_of_5,
            6 => &mut self.clusters_of_6,
            _ => &mut self.clusters_of_7,
        };
        *size += 1;
    }

    fn answer(&mut self, reply: &Reply) {
        self.calls_answered += 1;
        let situation = match &reply.result {
            Ok(Response::Created { .. }) => &mut self.creates,
            Ok(Response::Deleted) => &mut self.deletes,
            Ok(Response::Stat(_)) => &mut self.stats,
            Ok(Response::Children { .. }) => &mut self.lists,
            Ok(Response::Synced { .. }) => &mut self.syncs,
            Ok(Response::Multi(results)) if results.iter().any(Result::is_err) => {
                &mut self.multis_refused
            }
            Ok(Response::Multi(_)) => &mut self.multis,
            Err(Error::BadVersion) => &mut self.versions_refused,
            _ => return,
        };
        *situation += 1;
    }

    fn watch(&mut self, kind: EventKind) {
        *match kind {
            EventKind::NodeCreated => &mut self.watches_on_create,
            EventKind::NodeDeleted => &mut self.watches_on_delete,
            EventKind::NodeDataChanged => &mut self.watches_on_data,
            EventKind::NodeChildrenChanged => &mut self.watches_on_children,
        } += 1;
    }
}

/// Runs one seed.
#[must_use]
pub fn run_seed(seed: u64, options: &Options) -> Outcome {
    let (config, plan) = plan(seed, options);
    let mut sim = Sim::new(config, seed);
    let mut gathered = Gathered {
        keep: options.last,
        ..Gathered::default()
    };
    let start = sim.now();
    let done = |sim: &Sim| options.events <= sim.events() && options.time <= sim.now().since(start);
    while !done(&sim) && sim.violations().is_empty() {
        let until = sim.now() + Span::from_ms(1_000);
        sim.run_until(until, SLICE);
        count(&mut sim, &mut gathered);
    }
    let until = sim.now();
    let deeds = core::mem::take(&mut gathered.deeds);
    let failure = broken(&sim).or_else(|| heal(&mut sim, &mut gathered));
    gathered.reached.close(&sim);
    Outcome {
        seed,
        plan,
        events: sim.events(),
        time: sim.now().since(start),
        digest: sim.digest(),
        last: if failure.is_some() {
            gathered.last
        } else {
            Vec::new()
        },
        failure,
        reached: gathered.reached,
        deeds,
        until,
        forgotten: sim.forgotten(),
        trace: options.record.then(|| sim.trace()),
    }
}

/// The digest of a seed's cluster after so many events, every hundredth digest on the way included: the
/// same number natively and in wasm, or determinism is broken.
#[must_use]
pub fn digest_of_seed(seed: u64, events: u64) -> u64 {
    let (config, _) = plan(seed, &Options::default());
    let mut sim = Sim::new(config, seed);
    let mut hash = 0;
    while sim.events() < events && sim.step_event() {
        if sim.events().is_multiple_of(100) {
            hash = mix(hash, sim.digest());
            sim.take_log();
        }
    }
    mix(hash, sim.digest())
}

/// What a seed is about.
#[must_use]
pub fn plan(seed: u64, options: &Options) -> (SimConfig, String) {
    let mut rng = Rng::stream(seed, 9);
    let nodes = match rng.below(20) {
        0 => 1,
        1 => 2,
        2..9 => 3,
        9 | 10 => 4,
        11..17 => 5,
        17 => 6,
        _ => 7,
    };
    let nodes = options.nodes.unwrap_or(nodes);
    let spares = rng.between(0, 2) as u8;
    let mut config = SimConfig::new(nodes);
    config.checks = options.checks;
    config.record = options.record;
    config.planted = options.planted;
    config.workload = Some(Workload::default());
    let profile = options.profile;
    let mut words = String::new();
    let mut has = |family: Profile| {
        let drawn = rng.chance(500);
        let on = match profile {
            Profile::Mixed => drawn,
            Profile::Storm => true,
            other => other == family,
        };
        if on {
            words += " ";
            words += family.name();
        }
        on
    };
    let [
        lossy,
        partitions,
        clocks,
        crashes,
        stalls,
        snapshots,
        members,
    ] = [
        has(Profile::Lossy),
        has(Profile::Partitions),
        has(Profile::Clocks),
        has(Profile::Crashes),
        has(Profile::Stalls),
        has(Profile::Snapshots),
        has(Profile::Members),
    ];
    if members {
        config.nodes = (nodes + spares).min(9);
        config.voters = Some(nodes);
    }
    if lossy {
        config.link.loss_per_mille = rng.between(1, 300) as u32;
        config.link.duplicate_per_mille = rng.between(0, 100) as u32;
        config.link.reorder_per_mille = rng.between(0, 300) as u32;
        config.link.delay_max = Span::from_ms(rng.between(15, 60));
    }
    if crashes {
        config.disk.max = Span::from_ms(rng.between(3, 40));
    }
    if snapshots {
        config.node.compact_entries = rng.between(20, 150);
        config.node.keep_entries = rng.between(0, 20);
        config.node.snapshot_part_bytes = rng.between(200, 2_000);
    }
    let weight = |on: bool, weight: u32| if on { weight } else { 0 };
    config.faults = Some(Faults {
        every: Span::from_ms(rng.between(200, 1_500)),
        repair: Span::from_ms(rng.between(200, 2_000)),
        crash: weight(crashes, 6),
        crash_all: weight(crashes, 1),
        pause: weight(stalls, 3),
        halves: weight(partitions, 3),
        bridge: weight(partitions, 2),
        one_way: weight(partitions, 2),
        blind: weight(partitions, 2),
        flap: weight(partitions, 2),
        isolate_leader: weight(partitions, 3),
        clog: weight(lossy, 3),
        detour: weight(lossy, 2),
        drift: weight(clocks, 3),
        jump: weight(clocks, 3),
        freeze: weight(stalls, 2),
        slow: weight(stalls, 2),
        drop_client: 2,
        snapshot: weight(snapshots, 2),
        campaign: 1,
        transfer: 1,
        members: weight(members, 4),
        least_voters: 3,
        wipe: weight(members, 2),
    });
    if profile == Profile::Calm {
        config.faults = None;
    }
    let plan = format!(
        "{nodes} nodes,{}",
        if words.is_empty() { " calm" } else { &words }
    );
    (config, plan)
}

/// Heals everything and demands that the cluster works again.
pub fn recover(sim: &mut Sim) -> Option<Failure> {
    heal(sim, &mut Gathered::default())
}

fn heal(sim: &mut Sim, gathered: &mut Gathered) -> Option<Failure> {
    for deed in healing(sim) {
        sim.apply(&deed);
    }
    let limit = Span(sim.config().node.election_max().0 * RECOVERY_TIMEOUTS);
    let deadline = sim.now() + limit;
    let path = "/probe".into();
    let create = Op::Create {
        path,
        data: None,
        acl: vec![Acl::open()],
        mode: CreateMode::Persistent,
        stat: false,
    };
    let home = sim.leader().unwrap_or(NodeId(1));
    sim.apply(&Intervention::OpenClient {
        client: PROBE,
        node: home,
    });
    sim.apply(&Intervention::Client {
        client: PROBE,
        request: Request::Write(create),
    });
    let mut quiet = false;
    while sim.now() < deadline {
        sim.run_until(sim.now() + Span::from_ms(20), SLICE);
        count(sim, gathered);
        if !sim.violations().is_empty() {
            return broken(sim);
        }
        let answered = sim.history(PROBE).any(|call| {
            matches!(&call.end, Some(super::CallEnd::Returned { reply, .. })
                if reply.result != Err(Error::SystemError))
        });
        if !answered {
            // A call whose connection broke may be asked again: it is there or it is not.
            if let Some(call) = sim.history(PROBE).last()
                && matches!(call.end, Some(super::CallEnd::Unknown { .. }))
            {
                let request = call.request.clone();
                sim.apply(&Intervention::Client {
                    client: PROBE,
                    request,
                });
            }
            continue;
        }
        if !quiet {
            quiet = true;
            sim.apply(&Intervention::Workload { ops_per_second: 0 });
        }
        if agree(sim) {
            sim.audit();
            if let linear::Verdict::Linearizable(_) = sim.judge() {
                gathered.reached.orders_found += 1;
            }
            return broken(sim);
        }
    }
    let mut text = format!(
        "no agreement {} ms after everything was healed:",
        limit.as_ms()
    );
    for id in sim.nodes() {
        match sim.node(id) {
            None => text += &format!(" {id} down;"),
            Some(view) => {
                text += &format!(
                    " {id} {:?} term {} last {} commit {} applied {};",
                    view.role(),
                    view.term(),
                    view.last(),
                    view.commit(),
                    view.applied()
                );
            }
        }
    }
    if !quiet {
        text += " and the probe's write has no answer";
    }
    Some(Failure {
        name: LIVENESS,
        event: sim.events(),
        after: sim.now().since(sim.config().start),
        text,
    })
}

fn healing(sim: &Sim) -> Vec<Intervention> {
    let link = super::LinkProfile::new(5, 15);
    let mut deeds = vec![
        Intervention::Faults(false),
        Intervention::HealAll,
        Intervention::Loss {
            link: None,
            per_mille: 0,
        },
        Intervention::Duplicate {
            link: None,
            per_mille: 0,
        },
        Intervention::Reorder {
            link: None,
            per_mille: 0,
        },
        Intervention::Delay {
            link: None,
            min: link.delay_min,
            max: link.delay_max,
        },
    ];
    for node in sim.nodes() {
        let (min, max) = (sim.config().disk.min, sim.config().disk.max);
        deeds.push(Intervention::ThawDisk(node));
        deeds.push(Intervention::SlowDisk { node, min, max });
        deeds.push(Intervention::Resume(node));
        deeds.push(Intervention::Restart(node));
    }
    deeds
}

/// Whether one member leads and all have applied the same: all that the cluster counts on, that is. Who
/// was removed, or has lost its disk and was not added again, stands aside.
fn agree(sim: &Sim) -> bool {
    let mut first = None;
    let mut leaders = 0;
    for id in sim.nodes().filter(|id| sim.is_counted_on(*id)) {
        let Some(view) = sim.node(id) else {
            return false;
        };
        leaders += u32::from(view.role() == Role::Leader);
        let state = (view.last(), view.commit(), view.tree_digest());
        if *first.get_or_insert(state) != state || view.commit() != view.last().index {
            return false;
        }
    }
    leaders == 1
}

pub(super) fn broken(sim: &Sim) -> Option<Failure> {
    let violation = sim.violations().first()?;
    Some(Failure {
        name: Invariant::name(violation.invariant),
        event: violation.event,
        after: violation.time.since(sim.config().start),
        text: violation.text.clone(),
    })
}

fn count(sim: &mut Sim, gathered: &mut Gathered) {
    let reached = &mut gathered.reached;
    if 2 * gathered.keep < gathered.last.len() {
        gathered.last.drain(..gathered.last.len() - gathered.keep);
    }
    for event in sim.take_log() {
        match &event.what {
            What::Note { note, .. } => count_note(note, reached),
            What::Lost {
                why: LossReason::Chance,
                from: End::Node(_),
                ..
            } => reached.losses += 1,
            What::Lost {
                why: LossReason::NotAdmitted,
                ..
            } => reached.not_admitted += 1,
            What::Died { lost, .. } => {
                reached.crashes += 1;
                reached.torn_tails += u64::from(*lost != 0);
            }
            What::Intervened(deed) => {
                gathered.deeds.push((event.time, deed.clone()));
                match deed {
                    Intervention::Pause(_) => reached.pauses += 1,
                    Intervention::FreezeDisk(_) => reached.freezes += 1,
                    Intervention::Cut { .. } => reached.cuts += 1,
                    Intervention::Wipe(_) => reached.wipes += 1,
                    _ => {}
                }
            }
            What::Client { event, .. } => match event {
                ClientEvent::Called {
                    request: Request::Latest(_),
                    ..
                } => reached.linearizable_reads += 1,
                ClientEvent::Returned { reply, .. } => reached.answer(reply),
                ClientEvent::Unknown { .. } => reached.calls_unknown += 1,
                ClientEvent::Watch(event) => reached.watch(event.kind),
                ClientEvent::Attached { .. } => reached.sessions_moved += 1,
                _ => {}
            },
            _ => {}
        }
        gathered.last.push(event);
    }
}

fn count_note(note: &Note, reached: &mut Reached) {
    match note {
        Note::Raft(RaftNote::Role { role, why, .. }) => {
            use crate::raft::note::RoleReason as Why;
            reached.elections += u64::from(*role == Role::Leader);
            reached.step_downs += u64::from(matches!(why, Why::NoQuorum | Why::DiskStalled));
        }
        Note::Raft(RaftNote::Voted {
            refused: Some(_), ..
        }) => reached.votes_refused += 1,
        Note::Raft(RaftNote::Transfer {
            stage: TransferStage::Ended(TransferEnd::Done),
            ..
        }) => reached.transfers += 1,
        Note::Raft(RaftNote::Configured { joint: true, .. }) => reached.joint_phases += 1,
        Note::Raft(RaftNote::Configured { joint: false, .. }) => reached.settled_phases += 1,
        Note::Raft(RaftNote::ReadConfirmed { .. }) => reached.reads_confirmed += 1,
        Note::Raft(RaftNote::Truncated { .. }) => reached.truncations += 1,
        Note::Raft(RaftNote::Refused { .. }) => reached.refused_appends += 1,
        Note::Snapshot {
            stage: SnapshotStage::InForce,
            ..
        } => reached.snapshots_taken += 1,
        Note::Snapshot {
            stage: SnapshotStage::Installed,
            ..
        } => reached.snapshots_installed += 1,
        Note::StallForgiven { .. } => reached.stalls_forgiven += 1,
        Note::SessionOpened { .. } => reached.sessions_opened += 1,
        Note::SessionClosed { expired: true, .. } => reached.sessions_expired += 1,
        _ => {}
    }
}

impl Sim {
    /// Looks at what every member holds as if a client had read it: nothing that was acknowledged may
    /// be missing, and no watch may have missed its change.
    pub fn audit(&mut self) {
        for id in self.nodes() {
            if let Err(Complaint(invariant, text)) = self.audit_member(id) {
                self.broken(invariant, format!("{id}: {text}"));
                return;
            }
        }
    }

    fn audit_member(&mut self, id: NodeId) -> Verdict {
        let Some(view) = self.members.get(id.0 as usize - 1).and_then(Member::view) else {
            return Ok(());
        };
        let zxid = view.applied();
        for read in super::oracle::audit_reads() {
            let result = view.machine().read(SessionId(0), &read, &[]);
            self.oracle.read(&read, &result, zxid)?;
        }
        // What is under way to a client may be the very event.
        let listens = |client: &&Client| {
            let to = End::Client(client.view().id);
            !self.net.flights().any(|flight| flight.to == to)
        };
        self.clients
            .values()
            .filter(listens)
            .try_for_each(|client| client.audit(id, view))
    }
}

//! The page's model: a run, where it stands, what is selected and how fast it plays. Plain Rust without
//! markup; components only draw it and send it actions.

mod run;

use std::collections::BTreeMap;

use otterkeeper_core::id::{NodeId, Term};
use otterkeeper_core::node::{Note, View};
use otterkeeper_core::raft::note::{Note as RaftNote, Role};
use otterkeeper_core::request::{CreateMode, Op, Request};
use otterkeeper_core::sim::{
    Cargo, ClientEvent, ClientId, Event, Flight, FlightId, Intervention, LossReason, Sim, What,
};
use otterkeeper_core::time::Span;

pub(crate) use self::run::{Deed, Run};
use crate::command::{self, Line};
use crate::i18n::{Lang, Words};

/// Speeds are powers of two of real time; this is the slowest and the fastest.
pub(crate) const SPEEDS: core::ops::RangeInclusive<i32> = -9..=6;
/// 1/16 of real time: an election takes about four seconds.
const SPEED: i32 = -4;
/// Events in one frame at most, so that a frame stays short whatever the speed.
const FRAME_EVENTS: u64 = 1_500;
/// What a single order may run through: `run until`, and seeking into what was never executed.
const ORDER_EVENTS: u64 = 400_000;
const ORDER_SPAN: Span = Span::from_ms(120_000);

/// What is selected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Selection {
    Node(NodeId),
    Message(FlightId),
    Link(NodeId, NodeId),
}

/// The tabs of the right side, and on a narrow screen those of the sheet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Tab {
    Story,
    Inspect,
    Znodes,
    Clients,
    Logs,
    Runs,
    Network,
}

impl Tab {
    pub(crate) const ALL: [Self; 7] = [
        Self::Story,
        Self::Inspect,
        Self::Znodes,
        Self::Clients,
        Self::Logs,
        Self::Runs,
        Self::Network,
    ];

    /// As it stands in the markup.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Story => "story",
            Self::Inspect => "inspect",
            Self::Znodes => "znodes",
            Self::Clients => "clients",
            Self::Logs => "logs",
            Self::Runs => "runs",
            Self::Network => "network",
        }
    }

    /// Whether it is a tab on a narrow screen only; a wide one shows it all the time.
    pub(crate) const fn is_narrow(self) -> bool {
        matches!(self, Self::Story | Self::Logs | Self::Network)
    }
}

/// What to run until.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Until {
    Leader,
    Commit,
    StepDown,
    Watch,
    Violation,
}

impl Until {
    pub(crate) const ALL: [Self; 5] = [
        Self::Leader,
        Self::Commit,
        Self::StepDown,
        Self::Watch,
        Self::Violation,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Leader => "leader",
            Self::Commit => "commit",
            Self::StepDown => "step-down",
            Self::Watch => "watch",
            Self::Violation => "violation",
        }
    }
}

/// A sentence over the stage.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Notice {
    /// A shared run was reproduced, hash and all.
    Reproduced(u64),
    /// It was executed, but the hash is another one.
    Differs {
        theirs: u64,
        ours: u64,
        core: bool,
    },
    /// The link makes no sense; why, as a key.
    BadLink(&'static str),
    /// A shared run is being executed: thousandths done.
    Replaying(u32),
    Copied,
    /// The browser does not let the page write to the clipboard: the link itself.
    Link(String),
    /// An order ran through its limit.
    NotReached,
}

/// A shared run on its way.
pub(crate) struct Replay {
    pub(crate) target: Span,
    /// Event to stop at; the target time alone decides if it is the largest number.
    pub(crate) event: u64,
    pub(crate) hash: Option<u64>,
    pub(crate) same_core: bool,
}

/// Everything that the visitor can do.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Action {
    Play(bool),
    Toggle,
    StepForward,
    StepBack,
    Interesting(bool),
    Start,
    Newest,
    GoTo(Span),
    GoToEvent(u64),
    RunUntil,
    Until(Until),
    LogBack(i64),
    Speed(i32),
    Select(Option<Selection>),
    Tab(Tab),
    Kill,
    Restart,
    KillOrRestart,
    Pause,
    Isolate,
    Campaign,
    FreezeDisk,
    Snapshot,
    HealAll,
    ToggleLink(NodeId, NodeId),
    Cut(Vec<(NodeId, NodeId)>),
    Split,
    LeaderAlone,
    Loss(u32),
    Delay(u32),
    Load(u32),
    Message(Deal),
    Write,
    Command(String),
    At(NodeId),
    Client(ClientId),
    DropClient(ClientId),
    KillClient(ClientId),
    Znode(String),
    Scissors,
    Undo,
    Redo,
    Branch(usize),
    New {
        nodes: u8,
        seed: u64,
    },
    Language(Lang),
    Help(bool),
    Dismiss,
    Coached,
    Mute,
    Details,
    /// The model was changed from outside; the page has to be drawn.
    Told,
}

/// What to do with a message under way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Deal {
    Drop,
    Delay,
    Duplicate,
    Now,
}

/// A line that the command line says by itself.
pub(crate) struct Aside {
    pub(crate) event: u64,
    pub(crate) line: Line,
}

pub(crate) struct Model {
    pub(crate) run: Run,
    pub(crate) words: Words,
    pub(crate) playing: bool,
    pub(crate) speed: i32,
    pub(crate) until: Until,
    /// How many columns the log table stands behind the newest entry.
    pub(crate) log_back: u64,
    pub(crate) selection: Option<Selection>,
    pub(crate) tab: Tab,
    pub(crate) scissors: bool,
    pub(crate) help: bool,
    pub(crate) muted: bool,
    pub(crate) details: bool,
    pub(crate) coached: bool,
    pub(crate) notice: Option<Notice>,
    pub(crate) replay: Option<Replay>,
    /// The node whose tree is shown and whose clients are spoken to.
    pub(crate) at: NodeId,
    pub(crate) client: Option<ClientId>,
    pub(crate) asides: Vec<Aside>,
    pub(crate) znode: String,
    /// Loss per mille, longest delay in ms, operations per second: the last that were set.
    pub(crate) sliders: (u32, u32, u32),
    /// Entries that a node has thrown away, for a while: node, index, term, label.
    pub(crate) lost_entries: Vec<LostEntry>,
    mirror: BTreeMap<(NodeId, u64), (Term, String)>,
    redo: Vec<Deed>,
    /// Part of a microsecond that the last frame could not play.
    rest: f64,
    /// Counts up with each change of the picture.
    pub(crate) version: u64,
}

/// An entry that a node has thrown away.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct LostEntry {
    pub(crate) node: NodeId,
    pub(crate) index: u64,
    pub(crate) term: Term,
    pub(crate) label: String,
    pub(crate) at: Span,
}

impl Model {
    /// A cluster in the middle of its first election.
    pub(crate) fn new(nodes: u8, seed: u64, lang: Lang) -> Self {
        let mut model = Self {
            run: Run::new(nodes, seed),
            words: Words::new(lang),
            playing: true,
            speed: SPEED,
            until: Until::Leader,
            log_back: 0,
            selection: None,
            tab: Tab::Inspect,
            scissors: false,
            help: false,
            muted: false,
            details: false,
            coached: false,
            notice: None,
            replay: None,
            at: NodeId(1),
            client: None,
            asides: Vec::new(),
            znode: "/".to_owned(),
            sliders: (0, 15, 0),
            lost_entries: Vec::new(),
            mirror: BTreeMap::new(),
            redo: Vec::new(),
            rest: 0.0,
            version: 0,
        };
        model.run_to_first_election();
        model
    }

    pub(crate) fn sim(&self) -> &Sim {
        &self.run.sim
    }

    /// A frame: plays `ms` of wall time. True if the picture changed.
    pub(crate) fn frame(&mut self, ms: f64) -> bool {
        if let Some(replay) = &self.replay {
            let (target, event) = (replay.target, replay.event);
            let arrived = self.run.advance_to(event, target, FRAME_EVENTS * 4);
            let part = self.run.now().0 * 1_000 / target.0.max(1);
            self.notice = Some(Notice::Replaying(part as u32));
            if arrived {
                self.finish_replay();
            }
            self.changed();
            return true;
        }
        if !self.playing {
            return false;
        }
        let us = ms.clamp(0.0, 100.0) * 1_000.0 * f64::from(self.speed).exp2() + self.rest;
        self.rest = us.fract();
        let before = self.sim().events();
        let target = Span(self.run.now().0 + us as u64);
        self.run.advance(target, FRAME_EVENTS);
        let ran = self.sim().events() != before;
        if ran {
            self.mirror_logs();
            self.changed();
        }
        ran
    }

    /// Does what the visitor wants.
    pub(crate) fn update(&mut self, action: Action) {
        if self.replay.is_some()
            && !matches!(
                action,
                Action::Language(_) | Action::Help(_) | Action::New { .. } | Action::Told
            )
        {
            return;
        }
        match action {
            Action::Play(on) => self.playing = on,
            Action::Toggle => self.playing = !self.playing,
            Action::StepForward => {
                self.playing = false;
                self.run.step();
                self.mirror_logs();
            }
            Action::StepBack => {
                self.playing = false;
                let event = self.sim().events().saturating_sub(1);
                self.travel(|run| run.go_to_event(event));
            }
            Action::Interesting(forward) => self.interesting(forward),
            Action::Start => self.travel(|run| {
                run.go_to(Span(0), 0);
            }),
            Action::Newest => {
                let end = self.run.current().end;
                self.travel(|run| {
                    run.go_to(end, u64::MAX);
                });
            }
            Action::GoTo(at) => {
                self.seek(at);
            }
            Action::GoToEvent(event) => {
                self.playing = false;
                self.travel(|run| run.go_to_event(event));
            }
            Action::Until(until) => self.until = until,
            Action::LogBack(by) => self.log_back = self.log_back.saturating_add_signed(by),
            Action::RunUntil => {
                if !self.run_until(self.until) {
                    self.notice = Some(Notice::NotReached);
                }
            }
            Action::Speed(speed) => self.speed = speed.clamp(*SPEEDS.start(), *SPEEDS.end()),
            Action::Select(selection) => self.select(selection),
            Action::Tab(tab) => self.tab = tab,
            Action::Scissors => self.scissors = !self.scissors,
            Action::Undo => self.undo(),
            Action::Redo => {
                if let Some(deed) = self.redo.pop() {
                    self.run.act(deed.what);
                }
            }
            Action::Branch(branch) => self.travel(|run| run.switch(branch)),
            Action::New { nodes, seed } => self.renew(nodes, seed),
            Action::Language(lang) => self.words = Words::new(lang),
            Action::Help(on) => self.help = on,
            Action::Dismiss => self.notice = None,
            Action::Coached => self.coached = true,
            Action::Mute => self.muted = !self.muted,
            Action::Details => self.details = !self.details,
            Action::Told => {}
            Action::Znode(path) => self.znode = path,
            Action::At(node) => {
                self.at = node;
                self.client = self.client_at(node);
            }
            Action::Client(client) => {
                self.client = Some(client);
                let node = self
                    .sim()
                    .clients()
                    .find(|view| view.id == client)
                    .and_then(|view| view.node);
                self.at = node.unwrap_or(self.at);
            }
            Action::Command(text) => self.command(&text),
            deed => self.intervene(deed),
        }
        self.changed();
    }

    /// Goes to a time, also into what was never executed, up to a limit.
    pub(crate) fn seek(&mut self, at: Span) -> bool {
        let far = Span(self.run.current().end.0.saturating_add(ORDER_SPAN.0));
        let at = at.min(far);
        let mut arrived = false;
        self.travel(|run| arrived = run.go_to(at, ORDER_EVENTS));
        arrived
    }

    /// Runs until something happens. False if it does not within the limits.
    pub(crate) fn run_until(&mut self, until: Until) -> bool {
        self.playing = false;
        let end = Span(self.run.now().0 + ORDER_SPAN.0);
        let mut budget = ORDER_EVENTS;
        // What comes is judged by what the page sees, so that both directions of time give the same answer.
        let leaders = |sim: &Sim| -> Vec<(NodeId, Term)> {
            sim.nodes()
                .filter_map(|id| sim.node(id))
                .filter(|view| view.role() == Role::Leader)
                .map(|view| (view.id(), view.term()))
                .collect()
        };
        let commit = |sim: &Sim| {
            sim.nodes()
                .filter_map(|id| sim.node(id))
                .map(|view| view.commit())
                .max()
        };
        let before = (
            leaders(self.sim()),
            commit(self.sim()),
            self.watches_seen(),
            self.sim().violations().len(),
        );
        let mut reached = false;
        while !reached && budget > 0 && self.run.now() < end && self.run.step() {
            budget -= 1;
            let sim = &self.run.sim;
            reached = match until {
                Until::Leader => leaders(sim).iter().any(|leader| !before.0.contains(leader)),
                Until::Commit => commit(sim) > before.1,
                Until::StepDown => {
                    let now = leaders(sim);
                    before.0.iter().any(|leader| !now.contains(leader))
                }
                Until::Watch => self.watches_seen() > before.2,
                Until::Violation => sim.violations().len() > before.3,
            };
        }
        self.mirror_logs();
        self.changed();
        reached
    }

    /// The highest-term leader that is up.
    pub(crate) fn leader(&self) -> Option<NodeId> {
        let sim = self.sim();
        sim.nodes()
            .filter_map(|id| sim.node(id))
            .filter(|view| view.role() == Role::Leader && !view.is_halted())
            .max_by_key(View::term)
            .map(|view| view.id())
    }

    /// The node that buttons and keys mean.
    pub(crate) fn target(&self) -> Option<NodeId> {
        match self.selection {
            Some(Selection::Node(id)) => Some(id),
            _ => None,
        }
    }

    /// The selected message, while it is under way.
    pub(crate) fn message(&self) -> Option<&Flight> {
        match self.selection {
            Some(Selection::Message(id)) => self.sim().flight(id),
            _ => None,
        }
    }

    /// An entry at the end of a node's log: its term and its label, also while the node is down.
    pub(crate) fn remembered(&self, node: NodeId, index: u64) -> Option<(Term, &str)> {
        let (term, label) = self.mirror.get(&(node, index))?;
        Some((*term, label))
    }

    /// Whether something was undone that can be done again.
    pub(crate) fn can_redo(&self) -> bool {
        !self.redo.is_empty()
    }

    /// The lines of the command line up to this moment.
    pub(crate) fn console(&self) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut asides = self.asides.iter().peekable();
        let events = self.sim().events();
        for event in self.run.journal() {
            while let Some(aside) = asides.next_if(|aside| aside.event < event.number) {
                lines.push(aside.line.clone());
            }
            if let What::Client {
                client,
                event: what,
            } = &event.what
                && client.0 < 1_000
            {
                let calls = |tag| {
                    self.sim()
                        .history(*client)
                        .find(|call| call.tag == tag)
                        .map(|call| call.request.clone())
                };
                lines.extend(command::lines(*client, event.number, what, calls));
            }
        }
        lines.extend(
            asides
                .filter(|aside| aside.event <= events)
                .map(|aside| aside.line.clone()),
        );
        let skip = lines.len().saturating_sub(200);
        lines.split_off(skip)
    }

    /// Starts executing a shared run.
    pub(crate) fn start_replay(&mut self, nodes: u8, seed: u64, deeds: Vec<Deed>, replay: Replay) {
        self.reset(nodes, seed);
        self.run.branches[0].deeds = deeds;
        self.playing = false;
        self.replay = Some(replay);
        self.coached = true;
        self.changed();
    }

    /// Says that a link or file makes no sense.
    pub(crate) fn refuse(&mut self, why: &'static str) {
        self.notice = Some(Notice::BadLink(why));
        self.changed();
    }

    fn finish_replay(&mut self) {
        let Some(replay) = self.replay.take() else {
            return;
        };
        let ours = self.sim().digest();
        self.notice = match replay.hash {
            Some(theirs) if theirs != ours => Some(Notice::Differs {
                theirs,
                ours,
                core: replay.same_core,
            }),
            Some(_) => Some(Notice::Reproduced(ours)),
            None => None,
        };
        let sliders = self
            .run
            .deeds_done()
            .iter()
            .fold((0, 15, 0), |now, deed| match deed.what {
                Intervention::Loss {
                    link: None,
                    per_mille,
                } => (per_mille, now.1, now.2),
                Intervention::Delay {
                    link: None, max, ..
                } => (now.0, max.as_ms() as u32, now.2),
                Intervention::Workload { ops_per_second } => (now.0, now.1, ops_per_second),
                _ => now,
            });
        self.sliders = sliders;
        self.mirror_logs();
    }

    fn changed(&mut self) {
        self.version += 1;
    }

    fn reset(&mut self, nodes: u8, seed: u64) {
        self.run = Run::new(nodes, seed);
        self.selection = None;
        self.asides.clear();
        self.client = None;
        self.at = NodeId(1);
        self.znode = "/".to_owned();
        self.sliders = (0, 15, 0);
        self.lost_entries.clear();
        self.mirror.clear();
        self.redo.clear();
        self.notice = None;
        self.replay = None;
        self.rest = 0.0;
    }

    fn renew(&mut self, nodes: u8, seed: u64) {
        self.reset(nodes.clamp(3, 9), seed);
        self.run_to_first_election();
    }

    /// To the moment in which the first node asks for votes: nobody has to wait for something to happen.
    fn run_to_first_election(&mut self) {
        for _ in 0..10_000 {
            let sim = self.sim();
            let asks = sim
                .nodes()
                .filter_map(|id| sim.node(id))
                .any(|view| view.role() == Role::PreCandidate);
            if asks || !self.run.step() {
                break;
            }
        }
        self.mirror_logs();
    }

    fn travel(&mut self, go: impl FnOnce(&mut Run)) {
        go(&mut self.run);
        self.lost_entries.clear();
        self.mirror.clear();
        self.mirror_logs();
        if let Some(Selection::Message(id)) = self.selection
            && self.sim().flight(id).is_none()
        {
            self.selection = None;
        }
        self.changed();
    }

    fn interesting(&mut self, forward: bool) {
        self.playing = false;
        let now = self.sim().events();
        let journal = &self.run.current().journal;
        let found = if forward {
            journal
                .iter()
                .find(|event| event.number > now && weight(&event.what) > 1)
        } else {
            journal
                .iter()
                .rev()
                .find(|event| event.number < now && weight(&event.what) > 1)
        };
        if let Some(event) = found.map(|event| event.number) {
            self.travel(|run| run.go_to_event(event));
            return;
        }
        if forward {
            let until = Span(self.run.now().0 + ORDER_SPAN.0);
            for _ in 0..ORDER_EVENTS {
                let before = self.run.journal().len();
                if self.run.now() > until || !self.run.step() {
                    break;
                }
                let journal = self.run.journal();
                if journal[before.min(journal.len())..]
                    .iter()
                    .any(|event| weight(&event.what) > 1)
                {
                    break;
                }
            }
            self.mirror_logs();
        }
    }

    fn select(&mut self, selection: Option<Selection>) {
        self.selection = selection;
        match selection {
            Some(Selection::Node(id)) => {
                self.at = id;
                self.client = self.client_at(id).or(self.client);
                if !matches!(self.tab, Tab::Znodes | Tab::Clients | Tab::Logs) {
                    self.tab = Tab::Inspect;
                }
            }
            Some(_) => self.tab = Tab::Inspect,
            None => {}
        }
    }

    fn undo(&mut self) {
        if let Some(deed) = self.run.deeds_done().last().cloned() {
            self.playing = false;
            self.travel(|run| {
                run.undo();
            });
            self.redo.push(deed);
        }
    }

    fn intervene(&mut self, action: Action) {
        let leader = self.leader();
        let deeds = self.deeds(action, leader);
        if deeds.is_empty() {
            return;
        }
        self.redo.clear();
        for deed in deeds {
            self.run.act(deed);
        }
        self.mirror_logs();
        if let Some(Selection::Message(id)) = self.selection
            && self.sim().flight(id).is_none()
        {
            self.selection = None;
        }
    }

    /// What an action means for the cluster as it is now.
    fn deeds(&mut self, action: Action, leader: Option<NodeId>) -> Vec<Intervention> {
        let target = self.target();
        let one = |deed: Option<Intervention>| deed.into_iter().collect();
        let up = |id: NodeId| self.sim().node(id).is_some();
        match action {
            Action::Kill => one(target.filter(|id| up(*id)).map(Intervention::Kill)),
            Action::Restart => one(target.filter(|id| !up(*id)).map(Intervention::Restart)),
            Action::KillOrRestart => one(target.map(|id| {
                if up(id) {
                    Intervention::Kill(id)
                } else {
                    Intervention::Restart(id)
                }
            })),
            Action::Pause => one(target.map(|id| match self.sim().is_paused(id) {
                true => Intervention::Resume(id),
                false => Intervention::Pause(id),
            })),
            Action::Isolate => one(target.map(|id| match self.sim().is_isolated(id) {
                true => Intervention::Rejoin(id),
                false => Intervention::Isolate(id),
            })),
            Action::Campaign => one(target.map(Intervention::Campaign)),
            Action::Snapshot => one(target.map(Intervention::TakeSnapshot)),
            Action::FreezeDisk => {
                one(target.map(
                    |id| match self.sim().disk(id).is_some_and(|disk| disk.frozen) {
                        true => Intervention::ThawDisk(id),
                        false => Intervention::FreezeDisk(id),
                    },
                ))
            }
            Action::HealAll => vec![Intervention::HealAll],
            Action::ToggleLink(from, to) => match self.sim().link(from, to).up {
                true => vec![Intervention::Cut { from, to }],
                false => self.heal(from, to),
            },
            Action::Cut(links) => {
                let up = links
                    .into_iter()
                    .filter(|(from, to)| self.sim().link(*from, *to).up);
                up.map(|(from, to)| Intervention::Cut { from, to })
                    .collect()
            }
            Action::Split => {
                // The leader stays with the minority: the interesting side.
                let ids: Vec<NodeId> = self.sim().nodes().collect();
                let small = (ids.len() - 1) / 2;
                let first = leader.unwrap_or(ids[0]);
                let mut minority = vec![first];
                minority.extend(
                    ids.iter()
                        .copied()
                        .filter(|id| *id != first)
                        .take(small.saturating_sub(1)),
                );
                let pairs = ids.iter().flat_map(|a| ids.iter().map(move |b| (*a, *b)));
                pairs
                    .filter(|(a, b)| {
                        minority.contains(a) != minority.contains(b) && self.sim().link(*a, *b).up
                    })
                    .map(|(from, to)| Intervention::Cut { from, to })
                    .collect()
            }
            Action::LeaderAlone => one(leader.map(Intervention::Isolate)),
            Action::Loss(per_mille) => {
                self.sliders.0 = per_mille;
                vec![Intervention::Loss {
                    link: None,
                    per_mille,
                }]
            }
            Action::Delay(ms) => {
                self.sliders.1 = ms;
                let (min, max) = delays(ms);
                vec![Intervention::Delay {
                    link: None,
                    min,
                    max,
                }]
            }
            Action::Load(ops_per_second) => {
                self.sliders.2 = ops_per_second;
                vec![Intervention::Workload { ops_per_second }]
            }
            Action::Message(deal) => one(self.message().map(|flight| {
                let flight = flight.id;
                match deal {
                    Deal::Drop => Intervention::DropFlight(flight),
                    Deal::Delay => Intervention::DelayFlight {
                        flight,
                        by: Span::from_ms(50),
                    },
                    Deal::Duplicate => Intervention::DuplicateFlight(flight),
                    Deal::Now => Intervention::DeliverFlight(flight),
                }
            })),
            Action::Write => self.write(leader),
            Action::DropClient(client) => vec![Intervention::DropClient(client)],
            Action::KillClient(client) => vec![Intervention::KillClient(client)],
            _ => Vec::new(),
        }
    }

    /// What brings one direction back: its own cut, and the isolation of its ends.
    fn heal(&self, from: NodeId, to: NodeId) -> Vec<Intervention> {
        let mut deeds = vec![Intervention::Heal { from, to }];
        deeds.extend(
            [from, to]
                .into_iter()
                .filter(|id| self.sim().is_isolated(*id))
                .map(Intervention::Rejoin),
        );
        deeds
    }

    /// A write by a client of the leader.
    fn write(&mut self, leader: Option<NodeId>) -> Vec<Intervention> {
        let Some(leader) = leader else {
            return Vec::new();
        };
        self.at = leader;
        let path = "/otter".to_owned();
        let known = self.sim().node(leader).and_then(|view| {
            view.machine()
                .tree()
                .get(&path)
                .map(|znode| znode.stat().version)
        });
        let op = match known {
            Some(version) => Op::SetData {
                path,
                data: Some(format!("{}", version + 2).into_bytes().into()),
                version: -1,
            },
            None => command::create(path, "1", CreateMode::Persistent),
        };
        let (client, mut deeds) = self.speaker(leader);
        deeds.push(Intervention::Client {
            client,
            request: Request::Write(op),
        });
        deeds
    }

    fn command(&mut self, text: &str) {
        let said = text.trim();
        if said.is_empty() {
            return;
        }
        let event = self.sim().events();
        match command::parse(said) {
            Ok(command::Parsed::Request(request)) => {
                let (client, mut deeds) = match self.client.filter(|client| self.is_open(*client)) {
                    Some(client) => (client, Vec::new()),
                    None => self.speaker(self.at),
                };
                deeds.push(match request {
                    Request::Close => Intervention::CloseClient(client),
                    request => Intervention::Client { client, request },
                });
                self.redo.clear();
                for deed in deeds {
                    self.run.act(deed);
                }
            }
            Ok(command::Parsed::Help) => self.asides.push(Aside {
                event,
                line: Line::help(said),
            }),
            Err(mistake) => self.asides.push(Aside {
                event,
                line: Line::mistake(said, mistake),
            }),
        }
    }

    /// A client of ours on this node; if there is none yet, with what opens it.
    fn speaker(&mut self, node: NodeId) -> (ClientId, Vec<Intervention>) {
        if let Some(client) = self.client_at(node) {
            self.client = Some(client);
            return (client, Vec::new());
        }
        // A number is never used twice in a run, also not by a client that has gone.
        let used = |id: u32| {
            self.run.deeds_done().iter().any(|deed| matches!(deed.what, Intervention::OpenClient { client, .. } if client.0 == id))
        };
        let client = ClientId((1..1_000).find(|id| !used(*id)).unwrap_or(999));
        self.client = Some(client);
        (client, vec![Intervention::OpenClient { client, node }])
    }

    fn client_at(&self, node: NodeId) -> Option<ClientId> {
        self.sim()
            .clients()
            .find(|view| view.id.0 < 1_000 && view.node == Some(node))
            .map(|view| view.id)
    }

    fn is_open(&self, client: ClientId) -> bool {
        self.sim().clients().any(|view| view.id == client)
    }

    fn watches_seen(&self) -> usize {
        let watch = |event: &&std::rc::Rc<Event>| {
            matches!(
                event.what,
                What::Client {
                    event: ClientEvent::Watch(_),
                    ..
                }
            )
        };
        self.run
            .journal()
            .iter()
            .rev()
            .take(2_000)
            .filter(watch)
            .count()
    }

    /// Remembers the ends of the logs, so that what a node throws away can still be shown.
    fn mirror_logs(&mut self) {
        let now = self.run.now();
        let mut seen = Vec::new();
        for id in self.run.sim.nodes() {
            let Some(view) = self.run.sim.node(id) else {
                continue;
            };
            let last = view.last().index.0;
            let first = last.saturating_sub(16).max(view.first_index().0);
            for index in first..=last {
                if let Some(entry) = view.entry(otterkeeper_core::id::Index(index)) {
                    seen.push((id, index, entry.id.term));
                }
            }
            let gone: Vec<u64> = self
                .mirror
                .range((id, last + 1)..=(id, u64::MAX))
                .map(|((_, index), _)| *index)
                .collect();
            for index in gone {
                self.forget_entry(id, index, now);
            }
        }
        for (id, index, term) in seen {
            if self
                .mirror
                .get(&(id, index))
                .is_some_and(|(old, _)| *old == term)
            {
                continue;
            }
            self.forget_entry(id, index, now);
            let label = self
                .run
                .sim
                .node(id)
                .and_then(|view| {
                    view.entry(otterkeeper_core::id::Index(index))
                        .map(command::label)
                })
                .unwrap_or_default();
            self.mirror.insert((id, index), (term, label));
        }
        while self.mirror.len() > 600 {
            let oldest = self.mirror.keys().min_by_key(|(_, index)| *index).copied();
            if let Some(oldest) = oldest {
                self.mirror.remove(&oldest);
            }
        }
        self.lost_entries
            .retain(|lost| now.0.saturating_sub(lost.at.0) < 400_000);
    }

    fn forget_entry(&mut self, node: NodeId, index: u64, at: Span) {
        if let Some((term, label)) = self.mirror.remove(&(node, index)) {
            self.lost_entries.push(LostEntry {
                node,
                index,
                term,
                label,
                at,
            });
        }
    }
}

/// The shortest and the longest delay for the slider's number of milliseconds.
pub(crate) fn delays(ms: u32) -> (Span, Span) {
    let max = u64::from(ms.max(1));
    (Span::from_ms((max / 3).max(1)), Span::from_ms(max))
}

/// Whether something is worth a sentence.
pub(crate) fn is_told(what: &What) -> bool {
    let detail = match what {
        What::Note { note, .. } => matches!(
            note,
            Note::Raft(RaftNote::Committed { .. } | RaftNote::Rewound { .. })
        ),
        What::Client { client, event } => {
            client.0 < 1_000 && matches!(event, ClientEvent::Called { .. })
        }
        What::Lost { .. } => true,
        _ => false,
    };
    detail || weight(what) > 0
}

/// 2: a turn of events; 1: a step of one; 0: a detail.
pub(crate) fn weight(what: &What) -> u8 {
    match what {
        What::Note { note, .. } => match note {
            Note::Raft(note) => match note {
                RaftNote::Role {
                    role: Role::Leader, ..
                }
                | RaftNote::Truncated { .. }
                | RaftNote::Configured { .. }
                | RaftNote::ClockBehind { .. } => 2,
                RaftNote::Role { .. }
                | RaftNote::Voted { .. }
                | RaftNote::Refused { .. }
                | RaftNote::Transfer { .. } => 1,
                RaftNote::Committed { .. }
                | RaftNote::Rewound { .. }
                | RaftNote::ReadConfirmed { .. }
                | RaftNote::ReadsLost { .. } => 0,
            },
            Note::SessionClosed { expired: true, .. } | Note::Snapshot { .. } => 1,
            Note::StallForgiven { .. } => 1,
            _ => 0,
        },
        What::Lost { why, cargo, .. } => match (why, cargo) {
            (LossReason::Dropped, _) => 1,
            _ => 0,
        },
        What::Booted { .. } | What::Synced { .. } | What::Delivered { .. } => 0,
        What::Died { .. } | What::Halted { .. } | What::Violated(_) => 2,
        What::Client { client, event } => match event {
            _ if client.0 >= 1_000 => 0,
            ClientEvent::Called { .. } | ClientEvent::Connecting { .. } => 0,
            _ => 1,
        },
        What::Intervened(deed) => match deed {
            Intervention::Client { .. }
            | Intervention::OpenClient { .. }
            | Intervention::CloseClient(_) => 1,
            Intervention::DropFlight(_) => 0,
            _ => 2,
        },
    }
}

/// Whether a message is a sign of life without entries, which `M` hides.
pub(crate) fn is_beat(cargo: &Cargo) -> bool {
    use otterkeeper_core::message::Message;
    use otterkeeper_core::raft::message::Message as Raft;
    match cargo {
        Cargo::Peer(message) => {
            matches!(
                &**message,
                Message::Raft(Raft::Heartbeat { .. } | Raft::HeartbeatReply { .. })
                    | Message::Touch { .. }
            )
        }
        Cargo::Request {
            request: Request::Ping,
            ..
        } => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn led() -> Model {
        let mut model = Model::new(5, 42, Lang::En);
        model.playing = false;
        assert!(
            model.leader().is_none(),
            "the page begins in the middle of an election"
        );
        assert!(model.run_until(Until::Leader));
        model
    }

    #[test]
    fn killing_the_leader_gives_another_in_a_higher_term() {
        let mut model = led();
        let old = model.leader().expect("elected");
        let term = model.sim().node(old).expect("up").term();
        model.update(Action::Select(Some(Selection::Node(old))));
        model.update(Action::Kill);
        assert!(model.run_until(Until::Leader));
        let new = model.leader().expect("elected again");
        assert_ne!(old, new);
        assert!(model.sim().node(new).expect("up").term() > term);
        assert!(model.sim().violations().is_empty());
    }

    #[test]
    fn a_moment_is_the_same_however_it_is_reached() {
        let mut model = led();
        model.update(Action::Write);
        model.update(Action::Load(50));
        assert!(model.seek(Span::from_ms(3_000)));
        model.update(Action::Select(Some(Selection::Node(NodeId(2)))));
        model.update(Action::Kill);
        let (now, digest) = (model.run.now(), model.sim().digest());
        assert!(model.seek(Span::from_ms(9_000)));
        let (late, later) = (model.run.now(), model.sim().digest());
        model.seek(now);
        assert_eq!(model.sim().digest(), digest);
        model.update(Action::StepForward);
        model.update(Action::StepForward);
        model.update(Action::StepBack);
        model.update(Action::StepBack);
        assert_eq!(
            model.sim().events(),
            model.run.deeds_done().last().expect("the kill").event + 1
        );
        model.seek(late);
        assert_eq!(model.sim().digest(), later);
    }

    #[test]
    fn acting_in_the_past_keeps_the_old_course() {
        let mut model = led();
        let fork = model.run.now();
        model.update(Action::Select(Some(Selection::Node(NodeId(1)))));
        model.seek(Span::from_ms(2_000));
        let end = model.run.now();
        let old = model.sim().digest();
        model.seek(fork);
        model.update(Action::Isolate);
        assert_eq!(model.run.branches.len(), 2);
        model.seek(end);
        assert_ne!(model.sim().digest(), old);
        model.update(Action::Branch(0));
        assert_eq!(model.sim().digest(), old);
        model.update(Action::Branch(1));
        model.update(Action::Undo);
        assert_eq!(model.run.branches.len(), 3);
        model.seek(end);
        assert_eq!(
            model.sim().digest(),
            old,
            "without the deed, the same course again up to the number of the branch"
        );
    }

    #[test]
    fn a_shared_run_is_reproduced_with_its_hash() {
        let mut model = led();
        model.update(Action::Command("create /app 1".to_owned()));
        model.seek(Span::from_ms(1_500));
        model.update(Action::Command("get -w /app".to_owned()));
        model.seek(Span::from_ms(2_500));
        let recipe = crate::share::Recipe::of(&model);
        let read = crate::share::Recipe::read(&recipe.fragment())
            .expect("a run")
            .expect("sane");
        let mut other = Model::new(3, 7, Lang::En);
        read.play(&mut other);
        for _ in 0..10_000 {
            if other.replay.is_none() {
                break;
            }
            other.frame(16.0);
        }
        assert_eq!(other.notice, Some(Notice::Reproduced(model.sim().digest())));
        let text: Vec<_> = other.console().into_iter().map(|line| line.body).collect();
        assert!(
            text.contains(&command::Body::Said("Created /app".to_owned())),
            "{text:?}"
        );
    }
}

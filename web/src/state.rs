//! The page's model: a run, where it stands, what is selected and how fast it plays. Plain Rust without
//! markup; components only draw it and send it actions.

mod act;
mod choice;
mod compare;
mod job;
mod judge;
mod lesson;
mod mark;
mod mirror;
mod recall;
mod run;
mod sight;
mod stroke;
mod tab;
#[cfg(test)]
mod tests;
mod travel;
mod until;
mod weight;

use std::collections::BTreeMap;

use otterkeeper_core::id::{NodeId, Term};
use otterkeeper_core::node::View;
use otterkeeper_core::raft::note::Role;
use otterkeeper_core::scenario::Wanted;
use otterkeeper_core::sim::{ClientId, Flight, FlightId, Intervention, Invariant, Sim, What};
use otterkeeper_core::time::Span;

pub(crate) use self::act::delays;
pub(crate) use self::choice::{Choice, Choices, Held};
pub(crate) use self::job::{Job, Jobs};
pub(crate) use self::judge::Judged;
pub(crate) use self::lesson::{
    Course, all as lessons, key_of, lesson_of, set_up as lesson_cluster,
};
pub(crate) use self::mark::Bookmark;
pub(crate) use self::run::{Branch, Deed, Left, Run, plain_cluster};
pub(crate) use self::sight::Sight;
pub(crate) use self::stroke::Stroke;
pub(crate) use self::tab::Tab;
pub(crate) use self::until::Until;
pub(crate) use self::weight::{is_beat, is_told, weight};
use crate::command::{self, Line};
use crate::export::Form;
use crate::i18n::{Lang, Words};

/// Speeds are powers of two of real time; this is the slowest and the fastest.
pub(crate) const SPEEDS: core::ops::RangeInclusive<i32> = -9..=6;
/// 1/16 of real time: an election takes about four seconds.
const SPEED: i32 = -4;
/// Events in one frame at most, so that a frame stays short whatever the speed.
const FRAME_EVENTS: u64 = 1_500;

/// What is selected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Selection {
    Node(NodeId),
    Message(FlightId),
    Link(NodeId, NodeId),
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
    /// The run is too long for a link, and was saved as a file.
    Filed,
    /// The browser does not let the page write to the clipboard: the link itself.
    Link(String),
    /// An order ran through its limit.
    NotReached,
    /// What one of the promises says.
    Promise(Invariant),
    /// Something takes longer than a frame: hundredths done.
    Working(u32),
}

/// A shared run on its way.
pub(crate) struct Replay {
    pub(crate) target: Span,
    /// Event to stop at; the target time alone decides if it is the largest number.
    pub(crate) event: u64,
    pub(crate) hash: Option<u64>,
    pub(crate) same_core: bool,
    pub(crate) sight: Sight,
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
    /// To the next message under way, or the one before.
    NextMessage(bool),
    Write,
    Command(String),
    At(NodeId),
    Client(ClientId),
    /// Commands go to a client that asks again when an answer is lost, or to one that does not.
    Repeat,
    DropClient(ClientId),
    KillClient(ClientId),
    PauseClient(ClientId),
    /// What the panels on the right show.
    Choose(Choice),
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
    /// Lets keys with a character act, or not.
    Keys,
    /// Shows or hides the space-time diagram.
    Diagram,
    /// How high it is, in pixels.
    Tall(u32),
    /// How much time it shows: twice as much, or half.
    Zoom(i32),
    /// Moves what it shows by so many thousandths of its width, later or earlier.
    Pan(i64),
    /// Shows causes and effects of the selection only, or everything.
    Lens,
    /// Looks for messages in the diagram.
    Seek(String),
    /// Hides the lane of a node, or that of the clients, or shows it again.
    Lane(u64),
    /// To a moment at which a message was under way, and selects it.
    GoToFlight(FlightId, Span),
    /// Marks this moment, or takes its mark away.
    Bookmark,
    /// To a marked moment.
    GoToBookmark(usize),
    /// Says what a promise means.
    Explain(Invariant),
    Dismiss,
    Coached,
    Mute,
    Details,
    /// To the lessons, or to the rules that can be broken. A course of the other kind ends, and its run stays.
    Lessons {
        rules: bool,
    },
    /// To the sandbox; a lesson's run stays.
    Sandbox,
    /// A lesson, from the beginning.
    Learn(String),
    /// To a step of the lesson.
    Step(usize),
    /// Have the step done.
    Show,
    /// One line of what clients do in the step.
    Line(String),
    /// Back to the list of lessons, and keeps the run.
    Leave,
    /// The node loses its disk.
    Wipe,
    /// All nodes are asked to vote, each with the disk it has now.
    AddAgain,
    /// The leader hands over to the node.
    HandOver,
    /// Opens the menu of what the run can be saved as, or closes it.
    Menu(bool),
    /// Write the run for another program.
    Save(Form),
    /// Look for a run.
    Find(Wanted),
    /// Make the damage short by which the promise fell.
    Lessen,
    PlayShortest,
    /// Leave off what is under way.
    Cancel,
    /// Compare the present branch with another one.
    Compare(Option<usize>),
    /// Show what would be without the last intervention.
    Haunt(bool),
    /// Name a branch.
    Name(usize, String),
    /// Delete a branch.
    Delete(usize),
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
    /// The selected message as it is or was.
    pub(crate) past: Option<Flight>,
    pub(crate) tab: Tab,
    pub(crate) scissors: bool,
    pub(crate) help: bool,
    /// Keys with a character do nothing.
    pub(crate) keyless: bool,
    pub(crate) menu: bool,
    pub(crate) jobs: Jobs,
    pub(crate) beside: compare::Beside,
    pub(crate) muted: bool,
    pub(crate) details: bool,
    pub(crate) coached: bool,
    pub(crate) notice: Option<Notice>,
    pub(crate) replay: Option<Replay>,
    /// Whether lessons are shown.
    pub(crate) learning: bool,
    /// Whether the rules that can be broken come before them.
    pub(crate) breaking: bool,
    /// The lesson under way.
    pub(crate) course: Option<Course>,
    /// The node whose tree is shown and whose clients are spoken to.
    pub(crate) at: NodeId,
    pub(crate) client: Option<ClientId>,
    /// Whether the next client asks again when an answer is lost.
    pub(crate) repeat: bool,
    pub(crate) asides: Vec<Aside>,
    pub(crate) choices: Choices,
    /// Loss per mille, longest delay in ms, operations per second: the last that were set.
    pub(crate) sliders: (u32, u32, u32),
    /// Entries that a node has thrown away, for a while: node, index, term, label.
    pub(crate) lost_entries: Vec<LostEntry>,
    pub(crate) judged: Judged,
    pub(crate) bookmarks: Vec<Bookmark>,
    /// The space-time diagram: whether it is shown, its height, and the power of two of a quarter
    /// second that it spans.
    pub(crate) diagram: bool,
    pub(crate) tall: u32,
    pub(crate) zoom: i32,
    /// Where its left edge stands; nowhere while it follows the present.
    pub(crate) pan: Option<Span>,
    /// Whether only causes and effects of the selection are shown of what has happened.
    pub(crate) lens: bool,
    /// What is looked for among the messages of the diagram.
    pub(crate) sought: String,
    /// Nodes without a lane, by the bits of their numbers; bit 0 stands for clients.
    pub(crate) laneless: u16,
    /// Only the stage and the play bar are shown: the page is part of another one.
    pub(crate) embedded: bool,
    /// The address of the page whose core made the link, if it was found.
    pub(crate) elder: Option<String>,
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
            past: None,
            tab: Tab::Inspect,
            scissors: false,
            help: false,
            keyless: false,
            menu: false,
            jobs: Jobs::default(),
            beside: compare::Beside::default(),
            muted: false,
            details: false,
            coached: false,
            notice: None,
            replay: None,
            learning: false,
            breaking: false,
            course: None,
            at: NodeId(1),
            client: None,
            repeat: false,
            asides: Vec::new(),
            choices: Choices::default(),
            sliders: (0, 15, 0),
            lost_entries: Vec::new(),
            judged: Judged::default(),
            bookmarks: Vec::new(),
            diagram: false,
            tall: 260,
            zoom: 1,
            pan: None,
            lens: false,
            sought: String::new(),
            laneless: 0,
            embedded: false,
            elder: None,
            mirror: BTreeMap::new(),
            redo: Vec::new(),
            rest: 0.0,
            version: 0,
        };
        model.choices.renew();
        model.run_to_first_election();
        model
    }

    pub(crate) fn sim(&self) -> &Sim {
        &self.run.sim
    }

    /// Whether a link is replayed, or something long is computed.
    pub(crate) fn is_at_work(&self) -> bool {
        self.replay.is_some() || self.jobs.now.is_some()
    }

    /// A frame: plays `ms` of wall time.
    pub(crate) fn frame(&mut self, ms: f64) {
        if let Some(replay) = &self.replay {
            let (target, event) = (replay.target, replay.event);
            let arrived = self.run.advance_to(event, target, FRAME_EVENTS * 4);
            let part = self.run.now().0 * 1_000 / target.0.max(1);
            self.notice = Some(Notice::Replaying(part as u32));
            if arrived {
                self.finish_replay();
            }
            self.changed();
            return;
        }
        self.work(ms);
        if !self.playing {
            return;
        }
        let us = ms.clamp(0.0, 100.0) * 1_000.0 * f64::from(self.speed).exp2() + self.rest;
        self.rest = us.fract();
        let before = self.sim().events();
        let target = Span(self.run.now().0 + us as u64);
        if self.direct() {
            self.pass_directed(target);
        } else {
            self.run.advance(target, FRAME_EVENTS);
        }
        let ran = self.sim().events() != before;
        self.haunt();
        if ran {
            self.mirror_logs();
            self.recall();
            self.look();
            self.changed();
        }
    }

    /// Lets time pass event by event, so that the director acts at the very moment it waits for.
    fn pass_directed(&mut self, target: Span) {
        for _ in 0..FRAME_EVENTS {
            if self.is_reached(&[]) && !self.direct() {
                break;
            }
            let start = self.sim().config().start;
            let next = self.sim().next_event();
            if next.is_none_or(|next| start + target < next) {
                self.run.advance(target, 1);
                break;
            }
            let known = self.run.journal().len();
            self.run.step();
            let journal = self.run.journal();
            let new = journal[known.min(journal.len())..].to_vec();
            if self.is_reached(&new) && !self.direct() {
                break;
            }
        }
    }

    /// Does what the visitor wants.
    pub(crate) fn update(&mut self, action: Action) {
        if self.replay.is_some()
            && !matches!(
                action,
                Action::Language(_)
                    | Action::Help(_)
                    | Action::Menu(_)
                    | Action::New { .. }
                    | Action::Told
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
                self.playing = false;
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
            Action::NextMessage(forward) => {
                // Whoever goes from message to message needs them to stay.
                self.playing = false;
                let next = self.next_message(forward);
                self.select(next.map(Selection::Message));
            }
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
            Action::Keys => self.keyless = !self.keyless,
            Action::Diagram => self.diagram = !self.diagram,
            // Whoever drags it down far enough closes it.
            Action::Tall(pixels) => {
                self.diagram = 90 < pixels;
                self.tall = pixels.clamp(120, 640);
            }
            Action::Zoom(by) => self.zoom = (self.zoom + by).clamp(-4, 8),
            Action::Pan(by) => self.pan = self.panned(by),
            Action::Lens => self.lens = !self.lens,
            Action::Seek(text) => self.sought = text,
            Action::Lane(place) => self.laneless ^= 1 << (place & 15),
            Action::GoToFlight(id, at) => self.go_to_flight(id, at),
            Action::Bookmark => self.bookmark(),
            Action::GoToBookmark(place) => self.go_to_bookmark(place),
            Action::Menu(on) => self.menu = on,
            Action::Save(form) => self.write_as(form),
            Action::Find(wanted) => self.find(wanted),
            Action::Lessen => self.lessen(),
            Action::PlayShortest => self.play_shortest(),
            Action::Cancel => self.cancel(),
            Action::Compare(other) => self.beside.other = other,
            Action::Haunt(on) => self.beside.haunted = on,
            Action::Name(branch, name) => self.name_branch(branch, &name),
            Action::Delete(branch) => self.delete_branch(branch),
            Action::Explain(promise) => self.notice = Some(Notice::Promise(promise)),
            Action::Dismiss => self.notice = None,
            Action::Coached => self.coached = true,
            Action::Mute => self.muted = !self.muted,
            Action::Details => self.details = !self.details,
            Action::Told => {}
            Action::Choose(choice) => self.choose(choice),
            Action::At(node) => {
                self.at = node;
                self.client = self.client_at(node);
            }
            Action::Client(client) => {
                self.client = Some(client);
                let view = self.sim().clients().find(|view| view.id == client);
                self.repeat = view.is_some_and(|view| view.repeat);
                self.at = view.and_then(|view| view.node).unwrap_or(self.at);
            }
            Action::Repeat => {
                self.repeat = !self.repeat;
                self.client = self.client_at(self.at);
            }
            Action::Command(text) => self.command(&text),
            Action::Learn(name) => {
                self.teach(&name, 0);
                self.tab = Tab::Lesson;
            }
            Action::Step(step) => self.go_to_step(step),
            Action::Show => self.show(),
            Action::Line(line) => self.do_line(&line),
            Action::Leave | Action::Sandbox => {
                self.course = None;
                self.learning = false;
                if self.tab == Tab::Lesson {
                    self.tab = Tab::Story;
                }
            }
            Action::Lessons { rules } => {
                self.course.take_if(|course| course.lesson.rule != rules);
                (self.learning, self.breaking) = (true, rules);
                self.tab = Tab::Lesson;
            }
            deed => self.intervene(deed),
        }
        self.haunt();
        self.recall();
        self.look();
        self.changed();
    }

    /// What a wide screen shows on the right while the tab is one that only a narrow screen has.
    pub(crate) fn beside(&self) -> Tab {
        let look = |course: &Course| Tab::called(course.lesson.look.as_deref()?);
        let beside = self.course.as_ref().and_then(look);
        beside.unwrap_or(Tab::Inspect)
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

    /// Whether something was undone that can be done again.
    pub(crate) fn can_redo(&self) -> bool {
        !self.redo.is_empty()
    }

    /// The message that arrives after the selected one, or before it; round and round.
    fn next_message(&self, forward: bool) -> Option<FlightId> {
        let shown = |flight: &&Flight| !self.muted || !is_beat(&flight.cargo);
        let flights = self.sim().flights().filter(shown);
        let mut ids: Vec<_> = flights.map(|flight| (flight.arrives, flight.id)).collect();
        ids.sort_unstable();
        if !forward {
            ids.reverse();
        }
        let here = self.message().map(|flight| (flight.arrives, flight.id));
        let after = here.and_then(|here| ids.iter().skip_while(|id| **id != here).nth(1));
        after.or(ids.first()).map(|(_, id)| *id)
    }

    /// The lines of the command line up to this moment.
    pub(crate) fn console(&self) -> Vec<Line> {
        let mut lines: Vec<Line> = Vec::new();
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
                for line in command::lines(*client, event.number, what, calls) {
                    match lines.last_mut() {
                        Some(last) if line.repeats(last) => {
                            let times = last.times + 1;
                            *last = Line { times, ..line };
                        }
                        _ => lines.push(line),
                    }
                }
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
    pub(crate) fn start_replay(&mut self, run: Run, deeds: Vec<Deed>, replay: Replay) {
        self.reset(run);
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
        self.show_as(&replay.sight);
        self.mirror_logs();
    }

    fn changed(&mut self) {
        self.version += 1;
    }

    fn reset(&mut self, run: Run) {
        self.run = run;
        self.course = None;
        self.jobs = Jobs::default();
        self.beside = compare::Beside::default();
        self.selection = None;
        self.asides.clear();
        self.client = None;
        self.at = NodeId(1);
        self.choices.renew();
        self.sliders = (0, 15, 0);
        self.lost_entries.clear();
        self.mirror.clear();
        self.redo.clear();
        self.judged = Judged::default();
        self.bookmarks.clear();
        self.pan = None;
        self.notice = None;
        self.replay = None;
        self.rest = 0.0;
    }

    fn renew(&mut self, nodes: u8, seed: u64) {
        self.reset(Run::new(nodes.clamp(3, 9), seed));
        self.run_to_first_election();
    }

    fn select(&mut self, selection: Option<Selection>) {
        self.selection = selection;
        match selection {
            Some(Selection::Node(id)) => {
                self.at = id;
                self.client = self.client_at(id).or(self.client);
                if !matches!(
                    self.tab,
                    Tab::Znodes | Tab::Clients | Tab::History | Tab::Logs
                ) {
                    self.tab = Tab::Inspect;
                }
            }
            Some(_) => self.tab = Tab::Inspect,
            None => {}
        }
    }
}

//! A run that comes to something, with as few interventions as that needs and as little time. Pieces are left out as
//! long as the run still comes to it, as for a failing seed (`sim::shrink`); then fewer members are tried if that is
//! wanted, and what is left is done sooner. It is all done in slices, so that a page can show how far it is, and what
//! the run must come to can be anything that a script can say.

use alloc::string::String;
use alloc::vec::Vec;

use super::lesson::Progress;
use super::record::Record;
use crate::id::{NodeId, Term};
use crate::node::Note;
use crate::raft::note::{Note as RaftNote, Role};
use crate::sim::shrink::Pieces;
use crate::sim::{Event, Intervention, Sim, SimConfig, What};
use crate::time::{Span, Time};

/// Runs that are tried at most.
const RUNS: u32 = 400;
/// A run with less damage may take this much longer.
const LONGER: Span = Span::from_ms(2_000);
/// Waiting less than this is not worth a run.
const WAIT: Span = Span::from_ms(5);
/// How often a wait that is needed is halved to leave out less of it.
const HALVES: u32 = 3;
/// Fewer members than this are no cluster to learn from.
const FEWEST: u8 = 3;
/// Events of a run that is tried, at most.
const EVENTS: u64 = 200_000;

/// What a run is to come to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Goal {
    /// All of these conditions at once, `seen` and `never` counting from the start.
    Conditions(Vec<String>),
    /// So many terms, one after the other, in which several asked for votes and nobody won.
    SplitVotes(u32),
    /// A new leader, after the cluster was without one from the first intervention on.
    Outage,
}

/// Looks at a run as it goes.
#[derive(Clone)]
pub(super) enum Judge {
    Conditions(Progress),
    SplitVotes {
        wanted: u32,
        row: u32,
        term: Term,
        candidates: Vec<NodeId>,
        won: bool,
    },
    Outage {
        began: Option<Time>,
        ended: Option<Time>,
    },
}

impl Judge {
    pub(super) fn new(goal: &Goal) -> Result<Self, String> {
        Ok(match goal {
            Goal::Conditions(lines) => {
                Self::Conditions(Progress::new(lines.iter().map(String::as_str))?)
            }
            Goal::SplitVotes(wanted) => Self::SplitVotes {
                wanted: *wanted,
                row: 0,
                term: Term(0),
                candidates: Vec::new(),
                won: false,
            },
            Goal::Outage => Self::Outage {
                began: None,
                ended: None,
            },
        })
    }

    fn observe(&mut self, event: &Event) {
        let role = match &event.what {
            What::Note {
                node,
                note: Note::Raft(RaftNote::Role { role, term, .. }),
            } => Some((*node, *role, *term)),
            _ => None,
        };
        match self {
            Self::Conditions(progress) => progress.observe(event),
            Self::SplitVotes {
                row,
                term,
                candidates,
                won,
                ..
            } => {
                let Some((node, role, at)) = role else { return };
                if !matches!(role, Role::Candidate | Role::Leader) || at < *term {
                    return;
                }
                if *term < at {
                    let split = 1 < candidates.len() && !*won;
                    *row = if split { *row + 1 } else { 0 };
                    (*term, *won) = (at, false);
                    candidates.clear();
                }
                if !candidates.contains(&node) {
                    candidates.push(node);
                }
                *won |= role == Role::Leader;
            }
            Self::Outage { began, ended } => match (&event.what, role) {
                (What::Died { .. }, _) if began.is_none() => *began = Some(event.time),
                (_, Some((_, Role::Leader, _))) if began.is_some() && ended.is_none() => {
                    *ended = Some(event.time);
                }
                _ => {}
            },
        }
    }

    fn is_reached(&self, sim: &Sim) -> bool {
        match self {
            Self::Conditions(progress) => progress.is_done(sim),
            Self::SplitVotes { wanted, row, .. } => wanted <= row,
            Self::Outage { ended, .. } => ended.is_some(),
        }
    }

    /// How long the cluster was without a leader.
    fn outage(&self) -> Span {
        match self {
            Self::Outage {
                began: Some(began),
                ended: Some(ended),
            } => ended.since(*began),
            _ => Span(0),
        }
    }
}

/// A run that is tried: a cluster, what is done to it and when, and who looks at it.
pub(super) struct Trial<D> {
    pub(super) sim: Sim,
    deeds: Vec<(Time, D)>,
    done: usize,
    until: Time,
    judge: Judge,
}

/// What an intervention of a trial is said in.
pub(super) trait Say {
    fn apply(&self, sim: &mut Sim);
}

impl Say for Intervention {
    fn apply(&self, sim: &mut Sim) {
        sim.apply(self);
    }
}

impl<D: Say> Trial<D> {
    pub(super) fn new(
        (config, seed): (SimConfig, u64),
        deeds: Vec<(Time, D)>,
        until: Time,
        judge: Judge,
    ) -> Self {
        Self {
            sim: Sim::new(config, seed),
            deeds,
            done: 0,
            until,
            judge,
        }
    }

    /// Goes on by at most so many events, and takes them off; whether the run has come to what it is wanted for, as
    /// soon as that is known.
    pub(super) fn advance(&mut self, events: &mut u64) -> Option<bool> {
        loop {
            for event in self.sim.take_log() {
                self.judge.observe(&event);
            }
            if self.judge.is_reached(&self.sim) {
                return Some(true);
            }
            let deed = self.deeds.get(self.done);
            let until = deed.map_or(self.until, |(time, _)| *time);
            let over = deed.is_none() && self.until <= self.sim.now();
            if over || EVENTS <= self.sim.events() {
                return Some(false);
            }
            if *events == 0 {
                return None;
            }
            *events -= 1;
            if self.sim.run_until(until, 1) == 0
                && let Some((_, deed)) = self.deeds.get(self.done)
            {
                deed.apply(&mut self.sim);
                self.done += 1;
            }
        }
    }

    pub(super) fn outage(&self) -> Span {
        self.judge.outage()
    }
}

/// A run under way to be made short.
pub struct Lessen {
    start: (SimConfig, u64),
    judge: Judge,
    /// What is left.
    deeds: Vec<(Time, Intervention)>,
    until: Time,
    before: usize,
    pieces: Pieces,
    /// Interventions when this pass began; it is the last one if it leaves none out.
    pass: Option<usize>,
    /// When nothing more can be left out: before which intervention the run waits for less time now, and what part of
    /// that time is left out, as a power of two.
    wait: Option<(usize, u32)>,
    /// How long the run was at first.
    length: Span,
    /// How many members to try next, and whether with twice the time, because fewer may need more; nothing if all
    /// shall stay.
    crowd: Option<(u8, bool)>,
    /// The smaller cluster of the run that is tried.
    smaller: Option<SimConfig>,
    trial: Option<Trial<Intervention>>,
    runs: u32,
    best: Option<Record>,
}

impl Lessen {
    /// Of this run, which comes to the goal.
    ///
    /// # Errors
    /// What is wrong with the goal.
    pub fn new(record: &Record, goal: &Goal) -> Result<Self, String> {
        let deeds = record.deeds.iter();
        let deeds = deeds.map(|deed| (deed.time, deed.intervention.clone()));
        let deeds: Vec<(Time, Intervention)> = deeds.collect();
        Ok(Self {
            start: (record.config.clone(), record.seed),
            judge: Judge::new(goal)?,
            until: record.time + LONGER,
            before: deeds.len(),
            pieces: Pieces::new(deeds.len()),
            pass: None,
            wait: None,
            length: record.time.since(record.config.start),
            crowd: None,
            smaller: None,
            trial: None,
            runs: 0,
            best: None,
            deeds,
        })
    }

    /// A cluster of fewer members will do too, if those that something happens to are in it.
    #[must_use]
    pub fn with_fewer_members(self) -> Self {
        Self {
            crowd: Some((FEWEST, false)),
            ..self
        }
    }

    /// Goes on by so many events. True when nothing more can be left out.
    pub fn advance(&mut self, mut events: u64) -> bool {
        while 0 < events {
            let Some(trial) = &mut self.trial else {
                if !self.try_next() {
                    return true;
                }
                continue;
            };
            let Some(reached) = trial.advance(&mut events) else {
                return false;
            };
            let smaller = self.smaller.take();
            if reached {
                // What would come afterwards is not needed.
                let deeds = trial.sim.deeds();
                self.deeds = deeds
                    .map(|deed| (deed.time, deed.intervention.clone()))
                    .collect();
                self.best = Some(Record::of(&trial.sim));
                if let Some(smaller) = smaller {
                    // Less may be needed here.
                    self.start.0 = smaller;
                    self.crowd = None;
                    self.pass = Some(usize::MAX);
                    self.pieces = Pieces::new(self.deeds.len());
                }
            } else if smaller.is_some() {
                // With some more members, or not at all.
            } else if let Some((_, part)) = &mut self.wait {
                *part += 1;
            } else if self.pass.is_some() {
                self.pieces.needed();
            } else {
                // The run as it was does not come to it.
                return true;
            }
            self.pass.get_or_insert(usize::MAX);
            self.trial = None;
        }
        false
    }

    /// Interventions at first, and in the shortest run so far.
    #[must_use]
    pub fn lengths(&self) -> (usize, usize) {
        (self.before, self.deeds.len())
    }

    /// How long the run was at first, and how long the shortest so far is until it comes to the goal.
    #[must_use]
    pub fn spans(&self) -> (Span, Span) {
        let best = self.best.as_ref();
        let now = best.map(|record| record.time.since(record.config.start));
        (self.length, now.unwrap_or(self.length))
    }

    /// Runs so far.
    #[must_use]
    pub fn runs(&self) -> u32 {
        self.runs
    }

    /// The shortest run so far, up to where it comes to the goal.
    #[must_use]
    pub fn best(&self) -> Option<&Record> {
        self.best.as_ref()
    }

    /// The next run with less; first of all the one as it was. False if there is none.
    fn try_next(&mut self) -> bool {
        let deeds = match self.pass {
            None => Some(self.deeds.clone()),
            Some(pass) => {
                let fewer = self.fewer(pass);
                fewer
                    .or_else(|| self.among_fewer())
                    .or_else(|| self.sooner())
            }
        };
        let Some(deeds) = deeds.filter(|_| self.runs < RUNS) else {
            return false;
        };
        self.runs += 1;
        let (config, seed) = self.start.clone();
        // What is tried with twice the time has twice the time.
        let until = deeds
            .last()
            .map_or(self.until, |(last, _)| self.until.max(*last + LONGER));
        let start = (self.smaller.clone().unwrap_or(config), seed);
        self.trial = Some(Trial::new(start, deeds, until, self.judge.clone()));
        true
    }

    /// Without a piece.
    fn fewer(&mut self, pass: usize) -> Option<Vec<(Time, Intervention)>> {
        if self.wait.is_some() {
            return None;
        }
        let length = self.deeds.len();
        let piece = match self.pieces.next(length) {
            None if length < pass => {
                self.pass = Some(length);
                self.pieces = Pieces::new(length);
                self.pieces.next(length)
            }
            piece => piece,
        };
        let mut deeds = self.deeds.clone();
        deeds.drain(piece?);
        Some(deeds)
    }

    /// All of it, in a smaller cluster: those that something happens to come first.
    fn among_fewer(&mut self) -> Option<Vec<(Time, Intervention)>> {
        let config = &self.start.0;
        let mut deeds = self.deeds.clone();
        let named = deeds.iter_mut().flat_map(|(_, deed)| deed.about());
        let mut named: Vec<NodeId> = named.map(|id| *id).collect();
        named.sort_unstable();
        named.dedup();
        let (nodes, slow) = self.crowd?;
        let nodes = nodes.max(named.len() as u8);
        if config.nodes <= nodes || config.voters.is_some() || self.wait.is_some() {
            self.crowd = None;
            return None;
        }
        self.crowd = Some(if slow {
            (nodes + 1, false)
        } else {
            (nodes, true)
        });
        let fewer = SimConfig::new(nodes);
        let mut config = config.clone();
        (config.nodes, config.node.members) = (fewer.nodes, fewer.node.members);
        let start = config.start;
        self.smaller = Some(config);
        let stretched = |time: Time| start + Span(time.since(start).0 << u32::from(slow));
        let renumber =
            |(time, deed): &(Time, Intervention)| (stretched(*time), deed.renumbered(&named));
        Some(self.deeds.iter().map(renumber).collect())
    }

    /// All of it, but from one intervention on sooner by a part of the time before it.
    fn sooner(&mut self) -> Option<Vec<(Time, Intervention)>> {
        let (mut place, mut part) = self.wait.unwrap_or((0, 1));
        loop {
            let at = self.deeds.get(place)?.0;
            let before = place.checked_sub(1).map(|before| self.deeds[before].0);
            let waited = at.since(before.unwrap_or(self.start.0.start));
            let less = Span(waited.0 >> part);
            if less < WAIT || HALVES < part {
                (place, part) = (place + 1, 1);
                continue;
            }
            self.wait = Some((place, part));
            let mut deeds = self.deeds.clone();
            for (time, _) in &mut deeds[place..] {
                *time = Time(time.0 - less.0);
            }
            return Some(deeds);
        }
    }
}

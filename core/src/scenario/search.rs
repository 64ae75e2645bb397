//! Finds a run in which something worth seeing happens: draws damage for one seed after the other, runs it, and makes
//! the first that fits as short as it can be. Works in slices.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::deed::deeds;
use super::lessen::{Goal, Judge, Lessen, Say, Trial};
use super::record::Record;
use crate::rng::Rng;
use crate::sim::{Sim, SimConfig, Workload};
use crate::time::{Span, Time};

/// What is looked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wanted {
    /// Two members lead at once, in different terms.
    TwoLeaders,
    /// Three terms in a row in which nobody wins.
    SplitVotes,
    /// The longest time without a leader that one crash brings about.
    Outage,
}

impl Wanted {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::TwoLeaders, Self::SplitVotes, Self::Outage];

    /// As the command line and the page call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TwoLeaders => "two-leaders",
            Self::SplitVotes => "split-votes",
            Self::Outage => "outage",
        }
    }

    fn goal(self) -> Goal {
        match self {
            Self::TwoLeaders => Goal::Conditions(vec!["leaders 2".into()]),
            Self::SplitVotes => Goal::SplitVotes(3),
            Self::Outage => Goal::Outage,
        }
    }

    /// Seeds that are tried; the longest outage is the longest of so many.
    #[must_use]
    pub const fn seeds(self) -> u64 {
        match self {
            Self::TwoLeaders => 500,
            Self::SplitVotes => 5_000,
            Self::Outage => 300,
        }
    }

    /// What damage is drawn from, and how many pieces of it at least and at most.
    const fn damage(self) -> (&'static [&'static str], u64, u64) {
        match self {
            Self::TwoLeaders => (
                &[
                    "isolate leader",
                    "heal",
                    "pause follower",
                    "resume all",
                    "kill follower",
                    "restart all",
                    "loss all 50",
                    "delay all 20ms..60ms",
                ],
                3,
                8,
            ),
            Self::SplitVotes => (
                &[
                    "kill leader",
                    "restart all",
                    "isolate leader",
                    "heal",
                    "loss all 150",
                    "delay all 40ms..120ms",
                    "delay all 60ms..60ms",
                ],
                3,
                8,
            ),
            Self::Outage => (&["kill leader"], 1, 1),
        }
    }
}

/// Damage by its line, which names members by what they are at the time. What cannot be done is left out.
struct Line(&'static str);

impl Say for Line {
    fn apply(&self, sim: &mut Sim) {
        let words: Vec<&str> = self.0.split(' ').collect();
        for deed in deeds(sim, &words).unwrap_or_default() {
            sim.apply(&deed);
        }
    }
}

/// The first second belongs to the first election; damage comes in the seconds after it, and the run goes on for some.
const QUIET: Span = Span::from_ms(1_000);
const DAMAGE: Span = Span::from_ms(4_000);
const AFTER: Span = Span::from_ms(4_000);
/// Chance of damage.
const STREAM: u64 = 9;

/// A search under way.
pub struct Search {
    wanted: Wanted,
    nodes: u8,
    seed: u64,
    tried: u64,
    trial: Option<Trial<Line>>,
    /// The run with the longest outage so far.
    longest: Option<(Span, Record)>,
    lessen: Option<Lessen>,
}

impl Search {
    /// Among clusters of so many members, from this seed on.
    #[must_use]
    pub fn new(wanted: Wanted, nodes: u8, seed: u64) -> Self {
        Self {
            wanted,
            nodes,
            seed,
            tried: 0,
            trial: None,
            longest: None,
            lessen: None,
        }
    }

    /// Goes on by so many events. True when the search is over.
    pub fn advance(&mut self, mut events: u64) -> bool {
        while 0 < events {
            if let Some(lessen) = &mut self.lessen {
                return lessen.advance(events);
            }
            let Some(trial) = &mut self.trial else {
                if self.wanted.seeds() <= self.tried {
                    return self.close();
                }
                self.trial = self.draw();
                if self.trial.is_none() {
                    return self.close();
                }
                continue;
            };
            let Some(reached) = trial.advance(&mut events) else {
                return false;
            };
            self.tried += 1;
            if reached {
                let record = Record::of(&trial.sim);
                if self.wanted == Wanted::Outage {
                    let outage = trial.outage();
                    if self
                        .longest
                        .as_ref()
                        .is_none_or(|(longest, _)| *longest < outage)
                    {
                        self.longest = Some((outage, record));
                    }
                } else {
                    self.lessen = Lessen::new(&record, &self.wanted.goal()).ok();
                }
            }
            self.trial = None;
        }
        false
    }

    /// Takes the best so far, if somebody does not want to wait. True if that is all there is to do.
    pub fn close(&mut self) -> bool {
        self.tried = self.wanted.seeds();
        self.trial = None;
        true
    }

    /// Seeds tried so far, and at most.
    #[must_use]
    pub fn progress(&self) -> (u64, u64) {
        (self.tried, self.wanted.seeds())
    }

    /// Interventions that were drawn, and that are needed.
    #[must_use]
    pub fn lengths(&self) -> Option<(usize, usize)> {
        let longest = self.longest.as_ref();
        let shortened = self.lessen.as_ref().map(Lessen::lengths);
        shortened.or(longest.map(|(_, record)| (record.deeds.len(), record.deeds.len())))
    }

    /// How long the cluster was without a leader, if that is looked for.
    #[must_use]
    pub fn outage(&self) -> Option<Span> {
        self.longest.as_ref().map(|(outage, _)| *outage)
    }

    /// The run that was found, as short as it is by now.
    #[must_use]
    pub fn found(&self) -> Option<&Record> {
        let shortened = self.lessen.as_ref().and_then(Lessen::best);
        shortened.or(self.longest.as_ref().map(|(_, record)| record))
    }

    /// The next seed, and damage for it.
    fn draw(&mut self) -> Option<Trial<Line>> {
        let seed = self.seed.wrapping_add(self.tried);
        let mut config = SimConfig::new(self.nodes);
        // As the page has it: a visitor can go on and give such a cluster something to do.
        config.workload = Some(Workload {
            ops_per_second: 0,
            ..Workload::default()
        });
        let mut rng = Rng::stream(seed, STREAM);
        let (lines, least, most) = self.wanted.damage();
        let mut damage: Vec<(Time, Line)> = Vec::new();
        for _ in 0..rng.between(least, most) {
            let at = config.start + QUIET + Span(rng.between(0, DAMAGE.0));
            let line = lines[rng.between(0, lines.len() as u64 - 1) as usize];
            damage.push((at, Line(line)));
        }
        damage.sort_by_key(|(at, _)| *at);
        let until = config.start + QUIET + DAMAGE + AFTER;
        let judge = Judge::new(&self.wanted.goal());
        judge
            .ok()
            .map(|judge| Trial::new((config, seed), damage, until, judge))
    }
}

/// What is looked for, by its name.
impl core::str::FromStr for Wanted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = |wanted: &Self| wanted.name() == text;
        let found = Self::ALL.into_iter().find(named);
        found.ok_or_else(|| alloc::format!("{text} is not looked for"))
    }
}

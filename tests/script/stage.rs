//! Plays the commands of a story on a simulated cluster.

use std::collections::BTreeMap;

use otterkeeper_core::config::Bug;
use otterkeeper_core::id::NodeId;
use otterkeeper_core::node::Note;
use otterkeeper_core::raft::note::{Note as RaftNote, Role};
use otterkeeper_core::scenario::words::{moment, sentence};
use otterkeeper_core::scenario::{self, Miss, PATIENCE, play_line};
use otterkeeper_core::sim::{Sim, What};

use super::{By, Complaint};

pub(super) struct Stage {
    sim: Option<Sim>,
    /// What every member has.
    bug: Option<Bug>,
    pub(super) out: String,
    /// Whether arrivals of messages are told.
    messages: bool,
    /// Broken invariants that were told of.
    broken: usize,
    /// How often each member has refused an append, and asked whether it could win.
    refusals: BTreeMap<NodeId, u64>,
    campaigns: BTreeMap<NodeId, u64>,
}

pub(super) type Played = Result<(), String>;

impl Stage {
    pub(super) fn new(bug: Option<Bug>) -> Self {
        Self {
            sim: None,
            bug,
            out: String::new(),
            messages: false,
            broken: 0,
            refusals: BTreeMap::new(),
            campaigns: BTreeMap::new(),
        }
    }

    pub(super) fn play(&mut self, line: &str) -> Result<(), Miss> {
        let words: Vec<&str> = line.split_whitespace().collect();
        if words[0] == "nodes" {
            return Ok(self.set_up(&words)?);
        }
        self.observe();
        match words[..] {
            ["expect", ref condition @ ..] => {
                if !self.holds(condition)? {
                    return Err(Miss::Expect);
                }
                self.line("ok");
            }
            ["until", ref condition @ ..] => {
                if !self.until(condition)? {
                    let text = format!("has not come after {} ms", PATIENCE.as_ms());
                    return Err(Miss::Until(text));
                }
            }
            ["messages", on] => self.messages = on == "on",
            ["status"] => self.status()?,
            ["log"] => self.logs()?,
            ["flights"] => self.flights()?,
            _ => play_line(self.sim()?, &words)?,
        }
        self.observe();
        Ok(())
    }

    fn set_up(&mut self, words: &[&str]) -> Played {
        let (mut config, seed) = scenario::set_up(words)?;
        config.planted = self.bug;
        (self.sim, self.broken) = (Some(Sim::new(config, seed)), 0);
        Ok(())
    }

    /// Whether something comes.
    fn until(&mut self, condition: &[&str]) -> Result<bool, String> {
        let deadline = self.sim()?.now() + PATIENCE;
        while !self.holds(condition)? {
            if deadline < self.sim()?.now() || !self.sim()?.step_event() {
                return Ok(false);
            }
            self.observe();
        }
        Ok(true)
    }

    /// What scripts can ask, and `refusals 3 < 2`, `campaigns 3 = 0`.
    fn holds(&mut self, words: &[&str]) -> Result<bool, String> {
        let tally = match words {
            ["refusals", ..] => &self.refusals,
            ["campaigns", ..] => &self.campaigns,
            _ => return scenario::holds(self.sim()?, words),
        };
        let [_, id, than, value] = words else {
            return Err("NAME ID = NUMBER".into());
        };
        let id = id.parse().map_err(|_| format!("{id} is no number"))?;
        let found = tally.get(&NodeId(id)).copied().unwrap_or_default();
        scenario::compare(found, than, value)
    }

    pub(super) fn sim(&mut self) -> Result<&mut Sim, String> {
        self.sim
            .as_mut()
            .ok_or_else(|| "a script begins with `nodes`".into())
    }

    /// Events that have happened.
    pub(super) fn events(&self) -> u64 {
        self.sim.as_ref().map_or(0, Sim::events)
    }

    /// The invariants that broke since this was asked before.
    pub(super) fn violations(&mut self) -> Vec<Complaint> {
        let Some(sim) = &self.sim else {
            return Vec::new();
        };
        let new = &sim.violations()[self.broken..];
        self.broken += new.len();
        new.iter()
            .map(|violation| Complaint {
                by: By::Invariant(violation.invariant),
                event: violation.event,
                text: format!("{}: {}", violation.invariant.name(), violation.seen),
            })
            .collect()
    }

    pub(super) fn line(&mut self, text: &str) {
        self.out += text;
        self.out += "\n";
    }

    /// Writes down what has happened.
    pub(super) fn observe(&mut self) {
        let Some(sim) = &mut self.sim else { return };
        let start = sim.config().start;
        for event in sim.take_log() {
            if let What::Note { node, note } = &event.what {
                let tally = match note {
                    Note::Raft(RaftNote::Refused { .. }) => Some(&mut self.refusals),
                    Note::Raft(RaftNote::Role { role, .. }) if *role == Role::PreCandidate => {
                        Some(&mut self.campaigns)
                    }
                    _ => None,
                };
                if let Some(tally) = tally {
                    *tally.entry(*node).or_default() += 1;
                }
            }
            if let Some(text) = sentence(&event.what, self.messages) {
                let at = moment(start, event.time);
                self.line(&format!("{at} {text}"));
            }
        }
    }
}

//! Plays a script on a cluster of its own, line by line: time passes, conditions are waited for and insisted on, and
//! whatever else a line says is done.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::condition::{PATIENCE, holds};
use super::deed::{deeds, set_up};
use super::parse::span;
use super::record::{hex, moment};
use crate::sim::Sim;
use crate::sim::swarm::recover;

/// Why a line of a script fails.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Miss {
    /// It cannot be carried out.
    Command(String),
    /// It is an `expect`, and that does not hold.
    Expect,
    /// It is an `until`, and that does not come.
    Until(String),
    /// It is `recover`, and the cluster does not.
    Recovery(String),
    /// It is `digest`, and that is another one.
    Digest(String),
}

impl From<String> for Miss {
    fn from(text: String) -> Self {
        Self::Command(text)
    }
}

impl Miss {
    /// What it says.
    #[must_use]
    pub fn text(self) -> String {
        match self {
            Self::Expect => "does not hold".into(),
            Self::Command(text) | Self::Until(text) | Self::Recovery(text) | Self::Digest(text) => {
                text
            }
        }
    }
}

/// Plays one line behind the first: `run 2s`, `at 1500us`, `event 120 at 1500us`, `until leader`, `expect same`,
/// `recover`, `digest 0123456789abcdef`, or what [`deeds`] does.
///
/// # Errors
/// Why it fails.
pub fn play_line(sim: &mut Sim, words: &[&str]) -> Result<(), Miss> {
    match words {
        ["run", time] => {
            let until = sim.now() + span(time)?;
            sim.run_until(until, u64::MAX);
        }
        ["at", time] => {
            let until = sim.config().start + span(time)?;
            sim.run_until(until, u64::MAX);
        }
        ["event", event, "at", time] => {
            let (event, since) = moment(event, time)?;
            sim.run_to(event, sim.config().start + since);
        }
        ["recover"] => {
            if let Some(failure) = recover(sim) {
                return Err(Miss::Recovery(format!(
                    "{}: {}",
                    failure.name, failure.text
                )));
            }
        }
        ["until", condition @ ..] => {
            let deadline = sim.now() + PATIENCE;
            while !holds(sim, condition)? {
                if deadline < sim.now() || !sim.step_event() {
                    let text = format!("has not come after {} ms", PATIENCE.as_ms());
                    return Err(Miss::Until(text));
                }
            }
        }
        ["expect", condition @ ..] => {
            if !holds(sim, condition)? {
                return Err(Miss::Expect);
            }
        }
        ["digest", wanted] => {
            let found = sim.digest();
            if hex(wanted)? != found {
                return Err(Miss::Digest(format!("the digest is {found:016x}")));
            }
        }
        _ => {
            for deed in deeds(sim, words)? {
                sim.apply(&deed);
            }
        }
    }
    Ok(())
}

/// Plays a whole script, and gives its cluster as it is at the end. What stories add to a script, their head, their
/// outcome and what they want to be shown, is passed over.
///
/// # Errors
/// The line that fails, and why.
pub fn play(text: &str) -> Result<Sim, String> {
    let mut sim: Option<Sim> = None;
    let mut outcome = false;
    for (place, line) in text.lines().map(str::trim).enumerate() {
        outcome = line == "----" || (outcome && !line.is_empty());
        let words: Vec<&str> = line.split_whitespace().collect();
        let shown = matches!(words[..], ["status" | "log" | "flights"] | ["messages", _]);
        if outcome || shown || line.is_empty() || line.starts_with('#') {
            continue;
        }
        let done = match (&mut sim, words[0]) {
            (sim, "nodes") => set_up(&words).map(|(config, seed)| {
                *sim = Some(Sim::new(config, seed));
            }),
            // The head of a story.
            (None, _) => continue,
            (Some(sim), _) => play_line(sim, &words).map_err(Miss::text),
        };
        done.map_err(|wrong| format!("line {}: {line}: {wrong}", place + 1))?;
    }
    sim.ok_or_else(|| "a script begins with `nodes`".into())
}

//! A run up to a moment, as text: a cluster and its seed, what was done to it and when, and the digest at the
//! end. It is a script like any other, but names only what needs no look at the cluster, so it can be read without
//! being played.
//!
//! ```text
//! nodes 5 seed 42 workload 0
//! event 120 at 250000us
//! kill 3
//! event 400 at 900000us
//! digest 0123456789abcdef
//! ```

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;

use super::deed::{deeds, line, set_up};
use super::parse::{number, span};
use crate::sim::{Deed, Sim, SimConfig, tell};
use crate::time::{Span, Time};

/// A run up to a moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// What it starts from.
    pub config: SimConfig,
    /// Its seed.
    pub seed: u64,
    /// What was done, in order.
    pub deeds: Vec<Deed>,
    /// Events up to the moment.
    pub event: u64,
    /// The moment.
    pub time: Time,
    /// The digest at that moment, if it is known.
    pub digest: Option<u64>,
}

impl Record {
    /// The run of a cluster up to now. Faults that came by themselves are not in it.
    #[must_use]
    pub fn of(sim: &Sim) -> Self {
        Self {
            config: sim.config().clone(),
            seed: sim.seed(),
            deeds: sim.deeds().cloned().collect(),
            event: sim.events(),
            time: sim.now(),
            digest: Some(sim.digest()),
        }
    }

    /// As a script.
    #[must_use]
    pub fn script(&self) -> String {
        let sim = Sim::new(self.config.clone(), self.seed);
        let start = self.config.start;
        let mut text = tell::settings(&self.config, self.seed);
        text += "\n";
        let mut here = (sim.events(), sim.now());
        let mut go = |text: &mut String, event: u64, time: Time| {
            if here != (event, time) {
                let _ = writeln!(text, "event {event} at {}us", time.since(start).0);
            }
            // What is done counts as an event.
            here = (event + 1, time);
        };
        for deed in &self.deeds {
            go(&mut text, deed.event, deed.time);
            text += &line(&sim, &deed.intervention);
            text += "\n";
        }
        go(&mut text, self.event, self.time);
        if let Some(digest) = self.digest {
            let _ = writeln!(text, "digest {digest:016x}");
        }
        text
    }

    /// Reads such a script.
    ///
    /// # Errors
    /// What is wrong with it, and in which line.
    pub fn parse(text: &str) -> Result<Self, String> {
        let lines = text.lines().map(str::trim).enumerate();
        let mut lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let (_, first) = lines.next().ok_or("it is empty")?;
        let words: Vec<&str> = first.split_whitespace().collect();
        let (config, seed) = set_up(&words)?;
        let sim = Sim::new(config.clone(), seed);
        let mut record = Self {
            event: sim.events(),
            time: config.start,
            config,
            seed,
            deeds: Vec::new(),
            digest: None,
        };
        for (place, line) in lines {
            record
                .read(&sim, line)
                .map_err(|wrong| format!("line {}: {wrong}", place + 1))?;
        }
        Ok(record)
    }

    fn read(&mut self, sim: &Sim, line: &str) -> Result<(), String> {
        if self.digest.is_some() {
            return Err("there is something behind the digest".into());
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["event", event, "at", time] => {
                let (event, since) = moment(event, time)?;
                let time = Time(self.config.start.0.saturating_add(since.0));
                if event < self.event || time < self.time {
                    return Err("it lies before the line before".into());
                }
                (self.event, self.time) = (event, time);
            }
            ["digest", digest] => self.digest = Some(hex(digest)?),
            _ => {
                for intervention in deeds(sim, &words)? {
                    self.deeds.push(Deed {
                        event: self.event,
                        time: self.time,
                        intervention,
                    });
                    self.event = self.event.saturating_add(1);
                }
            }
        }
        Ok(())
    }
}

/// A number of events, and a time since the start.
pub(super) fn moment(event: &str, time: &str) -> Result<(u64, Span), String> {
    Ok((number(event)?, span(time)?))
}

/// Sixteen digits.
pub(super) fn hex(digest: &str) -> Result<u64, String> {
    u64::from_str_radix(digest, 16).map_err(|_| format!("{digest} is no digest"))
}

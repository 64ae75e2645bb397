//! A run as a log with vector clocks, as ShiViz reads it with its usual expression,
//! `(?<event>.*)\n(?<host>\S*) (?<clock>{.*})`: a line that says what happened, and a line with where and with the
//! clock. Members and clients are hosts. A message carries its sender's clock, and whoever gets it takes the greater
//! of each pair (Mattern; Fidge). The number of a message is the same where it left and where it arrived.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use core::fmt::Write as _;

use super::Writer;
use crate::scenario::words::{cargo, sentence};
use crate::sim::{End, Event, Flight, FlightId, Sim, What};
use crate::time::Time;

type Clock = BTreeMap<End, u64>;

#[derive(Default)]
pub(super) struct ShiViz {
    text: String,
    clocks: BTreeMap<End, Clock>,
    /// What messages under way carry, and when they left.
    carried: BTreeMap<FlightId, (Clock, End, End, Time)>,
}

impl ShiViz {
    /// Something happens at a host.
    fn happens(&mut self, at: End, text: &str) -> Clock {
        let clock = self.clocks.entry(at).or_default();
        *clock.entry(at).or_default() += 1;
        let clock = clock.clone();
        let line = text.lines().next().unwrap_or_default();
        let _ = write!(self.text, "{line}\n{} {{", host(at));
        for (place, (end, count)) in clock.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            let _ = write!(self.text, "{comma}\"{}\":{count}", host(*end));
        }
        self.text += "}\n";
        clock
    }
}

impl Writer for ShiViz {
    fn sent(&mut self, sim: &Sim, flight: &Flight) {
        // A copy that somebody made on the way has the clock of its original.
        let original = self.carried.values().find(|(_, from, to, sent)| {
            flight.sent < sim.now() && (*from, *to, *sent) == (flight.from, flight.to, flight.sent)
        });
        let clock = match original {
            Some((clock, ..)) => clock.clone(),
            None => {
                let text = cargo(&flight.cargo);
                self.happens(flight.from, &format!("sends #{} {text}", flight.id.0))
            }
        };
        let carried = (clock, flight.from, flight.to, flight.sent);
        self.carried.insert(flight.id, carried);
    }

    fn event(&mut self, _sim: &Sim, event: &Event) {
        let text = || sentence(&event.what, true);
        let (at, text) = match &event.what {
            What::Delivered {
                flight,
                to,
                cargo: got,
                ..
            } => {
                if let Some((sent, ..)) = self.carried.remove(flight) {
                    let clock = self.clocks.entry(*to).or_default();
                    for (end, count) in sent {
                        let known = clock.entry(end).or_default();
                        *known = count.max(*known);
                    }
                }
                (*to, Some(format!("gets #{} {}", flight.0, cargo(got))))
            }
            What::Lost {
                flight,
                from,
                cargo: lost,
                ..
            } => {
                if self.carried.remove(flight).is_some() {
                    // Nobody is where it is lost.
                    return;
                }
                (*from, Some(format!("sends #{} {}", flight.0, cargo(lost))))
            }
            What::Note { node, .. }
            | What::Booted { node }
            | What::Died { node, .. }
            | What::Halted { node, .. } => (End::Node(*node), text()),
            What::Client { client, .. } => (End::Client(*client), text()),
            What::Synced { .. } | What::Intervened(_) | What::Violated(_) => return,
        };
        if let Some(text) = text {
            self.happens(at, &text);
        }
    }

    fn finish(&mut self, _sim: &Sim) -> String {
        core::mem::take(&mut self.text)
    }
}

fn host(end: End) -> String {
    match end {
        End::Node(id) => format!("node-{id}"),
        End::Client(id) => format!("client-{}", id.0),
    }
}

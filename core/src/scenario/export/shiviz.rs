//! A run as a log with vector clocks, as ShiViz reads it with its usual expression,
//! `(?<event>.*)\n(?<host>\S*) (?<clock>{.*})`: a line that says what happened, and a line with where and with the
//! clock. Members and clients are hosts. A message carries its sender's clock, and whoever gets it takes the greater
//! of each pair (Mattern; Fidge). The number of a message is the same where it left and where it arrived.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;

use super::Writer;
use crate::scenario::words::{cargo, sentence};
use crate::sim::{End, Event, Flight, FlightId, Sim, What};
use crate::time::Time;

/// Events of each host, by its place among the hosts; hosts that are missing at the end have none.
type Clock = Vec<u64>;

#[derive(Default)]
pub(super) struct ShiViz {
    text: String,
    hosts: Vec<(End, Clock)>,
    carried: Vec<Carried>,
}

/// A message under way, and the clock with which it left.
struct Carried {
    flight: FlightId,
    clock: Clock,
    way: (End, End, Time),
}

impl ShiViz {
    fn place(&mut self, end: End) -> usize {
        let known = self.hosts.iter().position(|(host, _)| *host == end);
        known.unwrap_or_else(|| {
            self.hosts.push((end, Clock::new()));
            self.hosts.len() - 1
        })
    }

    /// Something happens at a host.
    fn happens(&mut self, at: End, text: &str) -> Clock {
        let place = self.place(at);
        let clock = &mut self.hosts[place].1;
        clock.resize(clock.len().max(place + 1), 0);
        clock[place] += 1;
        let clock = clock.clone();
        let line = text.lines().next().unwrap_or_default();
        let _ = write!(self.text, "{line}\n{} {{", host(at));
        let mut comma = "";
        for ((end, _), count) in self
            .hosts
            .iter()
            .zip(&clock)
            .filter(|(_, count)| 0 < **count)
        {
            let _ = write!(self.text, "{comma}\"{}\":{count}", host(*end));
            comma = ", ";
        }
        self.text += "}\n";
        clock
    }

    /// Takes a message off the way.
    fn arrived(&mut self, flight: FlightId) -> Option<Clock> {
        let place = self.carried.iter().position(|one| one.flight == flight)?;
        Some(self.carried.swap_remove(place).clock)
    }
}

impl Writer for ShiViz {
    fn sent(&mut self, sim: &Sim, flight: &Flight) {
        // A copy that somebody made on the way has the clock of its original.
        let way = (flight.from, flight.to, flight.sent);
        let mut all = self.carried.iter();
        let original = all.find(|one| flight.sent < sim.now() && one.way == way);
        let clock = match original {
            Some(original) => original.clock.clone(),
            None => {
                let text = cargo(&flight.cargo);
                self.happens(flight.from, &format!("sends #{} {text}", flight.id.0))
            }
        };
        let flight = flight.id;
        self.carried.push(Carried { flight, clock, way });
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
                let sent = self.arrived(*flight).unwrap_or_default();
                let place = self.place(*to);
                let clock = &mut self.hosts[place].1;
                clock.resize(clock.len().max(sent.len()), 0);
                for (known, count) in clock.iter_mut().zip(sent) {
                    *known = count.max(*known);
                }
                (*to, Some(format!("gets #{} {}", flight.0, cargo(got))))
            }
            What::Lost {
                flight,
                from,
                cargo: lost,
                ..
            } => {
                if self.arrived(*flight).is_some() {
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

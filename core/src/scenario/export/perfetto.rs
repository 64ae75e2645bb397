//! A run as a timeline: a process for each member with its roles, its messages and its disk; one for each client
//! with its calls; one for what was done to the cluster. Messages are flows from where they left to where they
//! arrived. The format is that of Chrome's traces (JSON); times are microseconds since the start.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;

use super::Writer;
use crate::scenario::words::{cargo, client_name, role_name, sentence};
use crate::sim::{Cargo, ClientEvent, End, Event, Flight, FlightId, Sim, What, tell};
use crate::time::Time;

/// The rows of a member.
const ROLE: u64 = 1;
const MESSAGES: u64 = 2;
const DISK: u64 = 3;
/// The process of what was done to the cluster.
const DEEDS: u64 = 0;
/// Clients come behind the members.
const CLIENTS: u64 = 1_000;

pub(super) struct Perfetto {
    text: String,
    start: Time,
    /// What each member is, and since when.
    roles: Vec<(String, u64)>,
    /// Messages under way that were told of.
    sent: Vec<FlightId>,
    clients: Vec<u64>,
}

impl Perfetto {
    pub(super) fn new(sim: &Sim) -> Self {
        let mut this = Self {
            text: String::from("{\"displayTimeUnit\":\"ms\",\"traceEvents\":["),
            start: sim.config().start,
            roles: Vec::new(),
            sent: Vec::new(),
            clients: Vec::new(),
        };
        this.name("process_name", DEEDS, 0, "faults and deeds");
        for id in sim.nodes() {
            this.name("process_name", id.0, 0, &format!("node {id}"));
            for (row, name) in [(ROLE, "role"), (MESSAGES, "messages"), (DISK, "disk")] {
                this.name("thread_name", id.0, row, name);
            }
        }
        this
    }

    fn since(&self, time: Time) -> u64 {
        time.since(self.start).0
    }

    fn name(&mut self, what: &str, process: u64, row: u64, name: &str) {
        let name = quoted(name);
        let rest = format!("\"args\":{{\"name\":{name}}}");
        self.put('M', what, process, row, 0, &rest);
    }

    /// One event; `rest` is what it has beside the usual.
    fn put(&mut self, phase: char, name: &str, process: u64, row: u64, at: u64, rest: &str) {
        let comma = if self.text.ends_with('[') { "" } else { "," };
        let name = quoted(name);
        let _ = write!(
            self.text,
            "{comma}\n{{\"ph\":\"{phase}\",\"name\":{name},\"cat\":\"otterkeeper\",\"pid\":{process},\"tid\":{row},\"ts\":{at},{rest}}}"
        );
    }

    fn instant(&mut self, name: &str, process: u64, row: u64, at: u64) {
        let scope = if process == DEEDS { 'g' } else { 't' };
        self.put('i', name, process, row, at, &format!("\"s\":\"{scope}\""));
    }

    /// The end of a flow, or its beginning.
    fn flow(&mut self, phase: char, flight: FlightId, end: End, carried: &Cargo, at: u64) {
        let text = cargo(carried);
        let kind = text.split(' ').next().unwrap_or_default();
        let (process, row) = (self.process(end), MESSAGES);
        let text = quoted(&text);
        let slice = format!("\"dur\":1,\"args\":{{\"message\":{text}}}");
        self.put('X', kind, process, row, at, &slice);
        let id = flight.0;
        self.put(
            phase,
            kind,
            process,
            row,
            at,
            &format!("\"id\":{id},\"bp\":\"e\""),
        );
    }

    /// Whether this message was told of; from now on it is not under way.
    fn left(&mut self, flight: FlightId) -> bool {
        let place = self.sent.iter().position(|sent| *sent == flight);
        place.map(|place| self.sent.swap_remove(place)).is_some()
    }

    fn process(&mut self, end: End) -> u64 {
        let client = match end {
            End::Node(id) => return id.0,
            End::Client(client) => client,
        };
        let process = CLIENTS + u64::from(client.0);
        if !self.clients.contains(&process) {
            self.clients.push(process);
            let name = client_name(client);
            let name = if name.len() == 1 {
                format!("client {name}")
            } else {
                name
            };
            self.name("process_name", process, 0, &name);
            self.name("thread_name", process, MESSAGES, "messages");
        }
        process
    }

    /// What each member is now, in a word and a term.
    fn look(&mut self, sim: &Sim, at: u64) {
        for id in sim.nodes() {
            let is = match sim.node(id) {
                None => String::from("down"),
                Some(_) if sim.is_paused(id) => String::from("paused"),
                Some(view) => format!("{} in term {}", role_name(view.role()), view.term()),
            };
            let place = (id.0 - 1) as usize;
            match self.roles.get_mut(place) {
                None => self.roles.push((is, at)),
                Some((was, _)) if *was == is => {}
                Some(role) => {
                    let (was, since) = core::mem::replace(role, (is, at));
                    self.slice(id.0, &was, since, at);
                }
            }
        }
    }

    fn slice(&mut self, process: u64, was: &str, since: u64, at: u64) {
        let rest = format!("\"dur\":{}", at - since);
        self.put('X', was, process, ROLE, since, &rest);
    }
}

impl Writer for Perfetto {
    fn sent(&mut self, _sim: &Sim, flight: &Flight) {
        self.sent.push(flight.id);
        let at = self.since(flight.sent);
        self.flow('s', flight.id, flight.from, &flight.cargo, at);
    }

    fn event(&mut self, sim: &Sim, event: &Event) {
        let at = self.since(event.time);
        self.look(sim, at);
        match &event.what {
            What::Delivered {
                flight, to, cargo, ..
            } => {
                self.left(*flight);
                self.flow('f', *flight, *to, cargo, at);
            }
            What::Lost {
                flight,
                from,
                to,
                cargo: carried,
                why,
                ..
            } => {
                let process = match self.left(*flight) {
                    true => self.process(*to),
                    false => self.process(*from),
                };
                let text = format!("lost ({why:?}): {}", cargo(carried));
                self.instant(&text, process, MESSAGES, at);
            }
            What::Synced { node, write } => {
                self.instant(&format!("synced to write {}", write.0), node.0, DISK, at);
            }
            What::Intervened(deed) => {
                let text = tell::deed(deed).unwrap_or_else(|| format!("{deed:?}"));
                self.instant(&text, DEEDS, ROLE, at);
            }
            What::Client { client, event } => {
                let process = self.process(End::Client(*client));
                let (phase, tag, name) = match event {
                    ClientEvent::Called { tag, .. } => {
                        ('b', tag, sentence(&wrap(*client, event), true))
                    }
                    ClientEvent::Returned { tag, .. } | ClientEvent::Unknown { tag } => {
                        ('e', tag, None)
                    }
                    _ => {
                        if let Some(text) = sentence(&wrap(*client, event), true) {
                            self.instant(&text, process, ROLE, at);
                        }
                        return;
                    }
                };
                let name = name.unwrap_or_else(|| String::from("call"));
                let rest = format!("\"id\":\"{process}.{tag}\"");
                self.put(phase, &name, process, ROLE, at, &rest);
            }
            what => {
                let process = match what {
                    What::Note { node, .. } | What::Booted { node } => node.0,
                    What::Died { node, .. } | What::Halted { node, .. } => node.0,
                    _ => DEEDS,
                };
                if let Some(text) = sentence(what, true) {
                    self.instant(&text, process, ROLE, at);
                }
            }
        }
    }

    fn finish(&mut self, sim: &Sim) -> String {
        let at = self.since(sim.now());
        self.look(sim, at);
        for (place, (is, since)) in core::mem::take(&mut self.roles).into_iter().enumerate() {
            self.slice(place as u64 + 1, &is, since, at);
        }
        let mut text = core::mem::take(&mut self.text);
        let _ = write!(
            text,
            "\n],\"otherData\":{{\"seed\":\"{}\",\"digest\":\"{:016x}\"}}}}\n",
            sim.seed(),
            sim.digest()
        );
        text
    }
}

fn wrap(client: crate::sim::ClientId, event: &ClientEvent) -> What {
    What::Client {
        client,
        event: event.clone(),
    }
}

/// A string of JSON.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => {
                out.push('\\');
                out.push(letter);
            }
            letter if letter < ' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(letter));
            }
            letter => out.push(letter),
        }
    }
    out.push('"');
    out
}

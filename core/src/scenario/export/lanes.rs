//! A run as one picture (SVG): a lane down the page for each member and client, time running down, and an arrow for
//! each message from where it left to where it arrived. Rows follow each other as things happen, not by the clock, so
//! that all have room; the times stand at the left. Every arrow says what it carried to whoever points at it.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Write as _;

use super::Writer;
use crate::raft::note::Role;
use crate::scenario::words::{cargo, client_name, role_name};
use crate::sim::{Cargo, End, Event, Flight, FlightId, Sim, What, tell};
use crate::time::Time;

/// Between two rows, between two lanes, and what is left of the first lane.
const ROW: u64 = 9;
const LANE: u64 = 150;
const LEFT: u64 = 130;
/// Above the first row, for the names.
const TOP: u64 = 40;
/// Rows between two times.
const TIMES: u64 = 12;

const STYLE: &str = "<style>svg{background:#fff;color:#16242b;font:11px sans-serif}text{fill:currentColor}\
    .lane{stroke:#c3d0d4}.follower,.pre-candidate{stroke:#7fa5ae;stroke-width:2}.candidate{stroke:#b26a00;stroke-width:4;stroke-dasharray:4 3}\
    .leader{stroke:#00687c;stroke-width:6}.down{stroke:#b3261e;stroke-dasharray:2 5}.m{stroke:#00687c;fill:none}.m text{stroke:none;font-size:9px}\
    .beat{stroke:#9aa8ad}.client{stroke:#7340b5}.lost{stroke:#b3261e;stroke-dasharray:5 3}.deed{stroke:#7340b5;stroke-dasharray:2 3}.bad{stroke:#b3261e}\
    .name{font-weight:700;font-size:14px;text-anchor:middle}.time{fill:#5a6b72}\
    @media(prefers-color-scheme:dark){svg{background:#0d1b21;color:#e6eef0}.lane{stroke:#2f4249}.leader,.m{stroke:#56c2d2}.client,.deed{stroke:#c3a2f5}.beat{stroke:#5c6d74}.lost,.bad,.down{stroke:#ff8a80}.time{fill:#9fb0b6}}\
    </style><defs><marker id=\"to\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"6\" markerHeight=\"6\" orient=\"auto\"><path d=\"M0 0 8 4 0 8Z\" fill=\"context-stroke\"/></marker></defs>\n";

pub(super) struct Lanes {
    text: String,
    start: Time,
    row: u64,
    hosts: Vec<End>,
    /// Messages under way, and the rows in which they left.
    sent: Vec<(FlightId, u64)>,
    /// What each member is, in which term, and since which row.
    roles: Vec<(&'static str, u64, u64)>,
}

impl Lanes {
    pub(super) fn new(sim: &Sim) -> Self {
        Self {
            text: String::new(),
            start: sim.config().start,
            row: 0,
            hosts: sim.nodes().map(End::Node).collect(),
            sent: Vec::new(),
            roles: Vec::new(),
        }
    }

    fn x(&mut self, end: End) -> u64 {
        let known = self.hosts.iter().position(|host| *host == end);
        let place = known.unwrap_or_else(|| {
            self.hosts.push(end);
            self.hosts.len() - 1
        });
        LEFT + LANE * place as u64
    }

    /// The next row, in which something happens at this time.
    fn next(&mut self, time: Time) -> u64 {
        self.row += 1;
        if self.row % TIMES == 1 {
            let us = time.since(self.start).0;
            let (y, ms) = (y(self.row), us / 1_000);
            let _ = writeln!(
                self.text,
                "<text class=\"time\" x=\"6\" y=\"{y}\">{}.{:03} s</text>",
                ms / 1_000,
                ms % 1_000
            );
        }
        self.row
    }

    /// An arrow from a row to the present one; of a lost message so many thousandths.
    fn arrow(&mut self, from: (End, u64), to: End, carried: &Cargo, lost: Option<u32>) {
        let (x, end) = (self.x(from.0) as i64, self.x(to) as i64);
        let (top, bottom) = (y(from.1), y(self.row));
        let part = i64::from(lost.unwrap_or(1_000));
        let end = x + (end - x) * part / 1_000;
        let said = cargo(carried);
        let kind = said.split(' ').next().unwrap_or_default();
        let class = match carried {
            _ if lost.is_some() => "lost",
            Cargo::Peer(_) if kind.starts_with("heartbeat") => "beat",
            Cargo::Peer(_) => "",
            _ => "client",
        };
        let ends = match lost {
            None => "marker-end=\"url(#to)\"",
            Some(_) => "",
        };
        let said = escaped(&said);
        let _ = write!(
            self.text,
            "<g class=\"m {class}\"><title>{said}</title><path d=\"M{x} {top}L{end} {bottom}\" {ends}/>"
        );
        if lost.is_some() {
            let _ = write!(
                self.text,
                "<path d=\"M{} {}l8 8m0-8l-8 8\"/>",
                end - 4,
                bottom as i64 - 4
            );
        }
        if class != "beat" {
            let (x, y) = ((x * 2 + end) / 3 + 4, (top * 2 + bottom) / 3);
            let _ = write!(self.text, "<text x=\"{x}\" y=\"{y}\">{kind}</text>");
        }
        self.text += "</g>\n";
    }

    /// A line over all lanes.
    fn across(&mut self, class: &str, said: &str, time: Time) {
        self.next(time);
        let y = y(self.next(time));
        let said = escaped(said);
        let _ = writeln!(
            self.text,
            "<line class=\"{class}\" x1=\"60\" y1=\"{y}\" x2=\"100%\" y2=\"{y}\"/><text x=\"62\" y=\"{}\">{said}</text>",
            y - 3
        );
    }

    /// What each member is now.
    fn look(&mut self, sim: &Sim, last: bool) {
        for (place, id) in sim.nodes().enumerate() {
            let (is, term) = match sim.node(id) {
                None => ("down", 0),
                Some(view) => (role_name(view.role()), view.term().0),
            };
            let now = (is, term, self.row);
            let Some(role) = self.roles.get_mut(place) else {
                self.roles.push(now);
                continue;
            };
            if (role.0, role.1) == (is, term) && !last {
                continue;
            }
            let (was, term, since) = core::mem::replace(role, now);
            let (x, top, bottom) = (LEFT + LANE * place as u64, y(since), y(self.row));
            let _ = writeln!(
                self.text,
                "<path class=\"{was}\" d=\"M{x} {top}V{bottom}\"/>"
            );
            if was == role_name(Role::Leader) {
                let (x, y) = (x + 6, top + 12);
                let _ = writeln!(self.text, "<text x=\"{x}\" y=\"{y}\">term {term}</text>");
            }
        }
    }
}

impl Writer for Lanes {
    fn sent(&mut self, sim: &Sim, flight: &Flight) {
        let row = self.next(sim.now());
        self.sent.push((flight.id, row));
    }

    fn event(&mut self, sim: &Sim, event: &Event) {
        self.look(sim, false);
        let (flight, from, to, cargo, lost) = match &event.what {
            What::Delivered {
                flight,
                from,
                to,
                cargo,
                ..
            } => (flight, *from, *to, cargo, None),
            What::Lost {
                flight,
                from,
                to,
                cargo,
                at_per_mille,
                ..
            } => (flight, *from, *to, cargo, Some(*at_per_mille)),
            What::Intervened(deed) => {
                let said = tell::deed(deed).unwrap_or_else(|| format!("{deed:?}"));
                return self.across("deed", &said, event.time);
            }
            What::Violated(broken) => {
                return self.across("bad", &broken.seen.to_string(), event.time);
            }
            _ => return,
        };
        let row = self.next(event.time);
        let place = self.sent.iter().position(|(sent, _)| sent == flight);
        let left = place.map_or(row - 1, |place| self.sent.swap_remove(place).1);
        self.arrow((from, left), to, cargo, lost);
    }

    fn finish(&mut self, sim: &Sim) -> String {
        self.look(sim, true);
        let (width, height) = (LEFT + LANE * self.hosts.len() as u64, y(self.row) + 20);
        let mut all = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n\
             <desc>seed {}, {} events, digest {:016x}</desc>\n{STYLE}",
            sim.seed(),
            sim.events(),
            sim.digest()
        );
        for (place, host) in self.hosts.iter().enumerate() {
            let (x, name) = (LEFT + LANE * place as u64, name(*host));
            let _ = writeln!(
                all,
                "<path class=\"lane\" d=\"M{x} {TOP}V{height}\"/><text class=\"name\" x=\"{x}\" y=\"24\">{name}</text>"
            );
        }
        all += &self.text;
        all += "</svg>\n";
        all
    }
}

fn y(row: u64) -> u64 {
    TOP + ROW * row
}

fn name(end: End) -> String {
    match end {
        End::Node(id) => format!("{id}"),
        End::Client(client) => client_name(client),
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::new();
    for letter in text.chars() {
        match letter {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            // Not allowed in XML, and braces are the writer's own.
            letter if letter < ' ' || letter == '{' || letter == '}' => out.push(' '),
            letter => out.push(letter),
        }
    }
    out
}

//! A run, written for other programs. What a timeline or a log of clocks shows is not kept while a run goes on: it
//! is executed again, in slices, and every event and every message that leaves is told to a writer. Writers make
//! text and know nothing of who asked for it.

mod lanes;
mod perfetto;
mod shiviz;

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::IntoIter;

use super::record::Record;
use crate::sim::{Deed, Event, Flight, FlightId, Sim, What};
use crate::time::Time;

/// What a run is executed again for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A timeline in the format of Chrome's traces, which Perfetto reads.
    Perfetto,
    /// A log with vector clocks, which ShiViz reads.
    ShiViz,
    /// A picture of all messages (SVG).
    Lanes,
}

/// Writes down a run that is executed again.
trait Writer {
    /// A message has left.
    fn sent(&mut self, sim: &Sim, flight: &Flight);
    /// Something has happened.
    fn event(&mut self, sim: &Sim, event: &Event);
    /// All of it.
    fn finish(&mut self, sim: &Sim) -> String;
}

/// A run under way to be written.
pub struct Export {
    sim: Sim,
    deeds: IntoIter<Deed>,
    next: Option<Deed>,
    event: u64,
    time: Time,
    /// The message that left last.
    last: FlightId,
    writer: Box<dyn Writer>,
}

impl Export {
    /// At the beginning of a run.
    #[must_use]
    pub fn new(kind: Kind, record: Record) -> Self {
        let mut sim = Sim::new(record.config, record.seed);
        sim.take_log();
        let mut deeds = record.deeds.into_iter();
        let next = deeds.next();
        let writer: Box<dyn Writer> = match kind {
            Kind::Perfetto => Box::new(perfetto::Perfetto::new(&sim)),
            Kind::ShiViz => Box::<shiviz::ShiViz>::default(),
            Kind::Lanes => Box::new(lanes::Lanes::new(&sim)),
        };
        let mut export = Self {
            sim,
            deeds,
            next,
            event: record.event,
            time: record.time,
            last: FlightId(0),
            writer,
        };
        export.tell();
        export
    }

    /// Goes on by so many events. True if the moment of the record is reached.
    pub fn advance(&mut self, events: u64) -> bool {
        for _ in 0..events {
            let due = self.next.as_ref().map_or(self.event, |deed| deed.event);
            if self.sim.events() < due {
                if !self.sim.step_event() {
                    return true;
                }
            } else if let Some(deed) = self.next.take() {
                self.sim.run_to(deed.event, deed.time);
                self.sim.apply(&deed.intervention);
                self.next = self.deeds.next();
            } else {
                self.sim.run_to(self.event, self.time);
                return true;
            }
            self.tell();
        }
        false
    }

    /// Events executed so far, and in all.
    #[must_use]
    pub fn progress(&self) -> (u64, u64) {
        (self.sim.events(), self.event)
    }

    /// The cluster as it is now.
    #[must_use]
    pub fn sim(&self) -> &Sim {
        &self.sim
    }

    /// What was written.
    #[must_use]
    pub fn finish(mut self) -> String {
        self.writer.finish(&self.sim)
    }

    fn tell(&mut self) {
        let last = self.last;
        for event in self.sim.take_log() {
            self.writer.event(&self.sim, &event);
            if let What::Lost { flight, .. } = event.what {
                self.last = self.last.max(flight);
            }
        }
        for flight in self.sim.flights().filter(|flight| last < flight.id) {
            self.writer.sent(&self.sim, flight);
            self.last = self.last.max(flight.id);
        }
    }
}

/// A test for this project's suite, which plays the run and insists on its digest.
#[must_use]
pub fn rust_test(record: &Record) -> String {
    let script = record.script();
    let lines = script.lines().map(|line| format!("{line}\n"));
    let script: String = lines.collect();
    format!(
        "//! A run that was exported from the playground. Executed again, it comes to the digest in its last line.\n\n\
         use otterkeeper_core::scenario::play;\n\n\
         const RUN: &str = r##\"\n{script}\"##;\n\n\
         #[test]\n\
         fn the_run_comes_to_its_digest() {{\n    \
             let sim = play(RUN).unwrap_or_else(|wrong| panic!(\"{{wrong}}\"));\n    \
             println!(\"{{}} events, {{:?}}\", sim.events(), sim.violations());\n\
         }}\n"
    )
}

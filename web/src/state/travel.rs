//! Through time: seeking, running until something happens, undoing.

use otterkeeper_core::id::{NodeId, Term};
use otterkeeper_core::raft::note::Role;
use otterkeeper_core::sim::{ClientEvent, Event, Flight, Sim, What};
use otterkeeper_core::time::Span;

use super::{Model, Run, Selection, Until, weight};
use crate::kind::kind_key;

/// What a single order may run through: `run until`, and seeking into what was never executed.
const ORDER_EVENTS: u64 = 400_000;
const ORDER_SPAN: Span = Span::from_ms(120_000);

impl Model {
    /// Goes to a time, also into what was never executed, up to a limit.
    pub(crate) fn seek(&mut self, at: Span) -> bool {
        let far = Span(self.run.current().end.0.saturating_add(ORDER_SPAN.0));
        let at = at.min(far);
        let mut arrived = false;
        self.travel(|run| arrived = run.go_to(at, ORDER_EVENTS));
        arrived
    }

    /// Runs until something happens. False if it does not within the limits.
    pub(crate) fn run_until(&mut self, until: Until) -> bool {
        self.playing = false;
        let end = Span(self.run.now().0 + ORDER_SPAN.0);
        let mut budget = ORDER_EVENTS;
        // What comes is judged by what the page sees, so that both directions of time give the same answer.
        let leaders = |sim: &Sim| -> Vec<(NodeId, Term)> {
            sim.nodes()
                .filter_map(|id| sim.node(id))
                .filter(|view| view.role() == Role::Leader)
                .map(|view| (view.id(), view.term()))
                .collect()
        };
        let commit = |sim: &Sim| {
            sim.nodes()
                .filter_map(|id| sim.node(id))
                .map(|view| view.commit())
                .max()
        };
        let before = (
            leaders(self.sim()),
            commit(self.sim()),
            self.watches_seen(),
            self.sim().violations().len(),
        );
        let last = self.sim().flights().map(|flight| flight.id).max();
        let mut sent = None;
        let mut reached = false;
        while !reached && budget > 0 && self.run.now() < end && self.run.step() {
            budget -= 1;
            let sim = &self.run.sim;
            reached = match until {
                Until::Leader => leaders(sim).iter().any(|leader| !before.0.contains(leader)),
                Until::Commit => commit(sim) > before.1,
                Until::StepDown => {
                    let now = leaders(sim);
                    before.0.iter().any(|leader| !now.contains(leader))
                }
                Until::Watch => self.watches_seen() > before.2,
                Until::Violation => sim.violations().len() > before.3,
                Until::Sent(kind) => {
                    let fits = |flight: &&Flight| {
                        last < Some(flight.id) && kind_key(&flight.cargo) == kind
                    };
                    sent = sim.flights().find(fits).map(|flight| flight.id);
                    sent.is_some()
                }
            };
        }
        if sent.is_some() {
            self.select(sent.map(Selection::Message));
        }
        self.mirror_logs();
        self.changed();
        reached
    }

    /// To the moment in which the first node asks for votes: nobody has to wait for something to happen.
    pub(super) fn run_to_first_election(&mut self) {
        for _ in 0..10_000 {
            let sim = self.sim();
            let asks = sim
                .nodes()
                .filter_map(|id| sim.node(id))
                .any(|view| view.role() == Role::PreCandidate);
            if asks || !self.run.step() {
                break;
            }
        }
        self.mirror_logs();
    }

    pub(super) fn travel(&mut self, go: impl FnOnce(&mut Run)) {
        go(&mut self.run);
        self.pan = None;
        self.lost_entries.clear();
        self.mirror.clear();
        self.mirror_logs();
        self.past = None;
        if let Some(Selection::Message(id)) = self.selection
            && self.sim().flight(id).is_none()
            && self.way(id).is_none()
        {
            self.selection = None;
        }
        self.changed();
    }

    pub(super) fn interesting(&mut self, forward: bool) {
        self.playing = false;
        let now = self.sim().events();
        let journal = &self.run.current().journal;
        let found = if forward {
            journal
                .iter()
                .find(|event| event.number > now && weight(&event.what) > 1)
        } else {
            journal
                .iter()
                .rev()
                .find(|event| event.number < now && weight(&event.what) > 1)
        };
        if let Some(event) = found.map(|event| event.number) {
            self.travel(|run| run.go_to_event(event));
            return;
        }
        if forward {
            let until = Span(self.run.now().0 + ORDER_SPAN.0);
            for _ in 0..ORDER_EVENTS {
                let before = self.run.journal().len();
                if self.run.now() > until || !self.run.step() {
                    break;
                }
                let journal = self.run.journal();
                if journal[before.min(journal.len())..]
                    .iter()
                    .any(|event| weight(&event.what) > 1)
                {
                    break;
                }
            }
            self.mirror_logs();
        }
    }

    pub(super) fn undo(&mut self) {
        if let Some(deed) = self.run.deeds_done().last().cloned() {
            self.playing = false;
            self.travel(|run| {
                run.undo();
            });
            self.redo.push(deed);
        }
    }

    fn watches_seen(&self) -> usize {
        let watch = |event: &&std::rc::Rc<Event>| {
            matches!(
                event.what,
                What::Client {
                    event: ClientEvent::Watch(_),
                    ..
                }
            )
        };
        self.run
            .journal()
            .iter()
            .rev()
            .take(2_000)
            .filter(watch)
            .count()
    }
}

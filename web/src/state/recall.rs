//! A message that has ended keeps its fields: no message is kept for that, but the end of this one is executed again, from
//! the clone before it.

use otterkeeper_core::sim::{Event, Flight, FlightId, What};

use super::run::step;
use super::{Model, Run, Selection, Stroke};

impl Model {
    /// Remembers the selected message, or finds again what it was.
    pub(super) fn recall(&mut self) {
        let Some(Selection::Message(id)) = self.selection else {
            self.past = None;
            return;
        };
        if let Some(flight) = self.sim().flight(id) {
            self.past = Some(flight.clone());
        } else if self.past.as_ref().is_none_or(|past| past.id != id) {
            let way = self.way(id).copied();
            self.past = way.and_then(|way| self.run.end_of(&way));
        }
    }

    /// The way of a message that has ended, as long as it is remembered.
    pub(crate) fn way(&self, id: FlightId) -> Option<&Stroke> {
        let mut ways = self.run.strokes().iter().rev();
        ways.find(|way| way.flight == id)
    }
}

impl Run {
    /// A message at its end.
    fn end_of(&self, way: &Stroke) -> Option<Flight> {
        let branch = self.current();
        let mut kept = branch.kept.iter().rev();
        let kept = kept.find(|kept| kept.event < way.event)?;
        let mut sim = (*kept.sim).clone();
        let mut done = kept.deeds;
        while sim.events() <= way.event {
            if !step(&mut sim, &branch.deeds, &mut done) {
                return None;
            }
            let found = sim
                .take_log()
                .into_iter()
                .find_map(|event| ended(event, way.flight));
            if found.is_some() {
                return found;
            }
        }
        None
    }
}

/// The message that an event ends, if it is this one.
fn ended(event: Event, id: FlightId) -> Option<Flight> {
    match event.what {
        What::Delivered {
            flight,
            from,
            to,
            sent,
            cargo,
        }
        | What::Lost {
            flight,
            from,
            to,
            sent,
            cargo,
            ..
        } if flight == id => Some(Flight {
            id,
            from,
            to,
            sent,
            arrives: event.time,
            cargo,
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Action;
    use super::*;
    use crate::i18n::Lang;
    use otterkeeper_core::time::Span;

    #[test]
    fn a_message_that_has_ended_is_the_one_that_was_under_way() {
        let mut model = Model::new(5, 42, Lang::En);
        model.seek(Span::from_ms(900));
        model.update(Action::Loss(100));
        model.update(Action::Load(50));
        model.seek(Span::from_ms(1_500));
        // One is lost by the visitor's hand.
        model.update(Action::NextMessage(true));
        let dropped = model.message().map(|flight| flight.id).expect("some");
        model.update(Action::Message(super::super::Deal::Drop));
        model.seek(Span::from_ms(2_500));
        let now = model.sim().digest();
        let ways: Vec<Stroke> = model.run.strokes().to_vec();
        let by_hand = ways.iter().position(|way| way.flight == dropped);
        let (mut seen, mut lost) = (0, 0);
        for place in (0..ways.len()).step_by(31).chain(by_hand) {
            let way = ways[place];
            model.update(Action::Select(Some(Selection::Message(way.flight))));
            let past = model.past.clone().expect("it is found again");
            assert_eq!((past.sent, past.arrives), (way.sent, way.ended));
            assert_eq!(model.sim().digest(), now, "nothing has moved");
            lost += usize::from(way.lost);
            // What is lost at once was never under way.
            let middle = (way.sent.0 + way.ended.0) / 2 - model.sim().config().start.0;
            model.update(Action::GoToFlight(way.flight, Span(middle)));
            if let Some(flight) = model.message() {
                assert_eq!((flight.from, flight.to), (past.from, past.to));
                assert_eq!((flight.sent, &flight.cargo), (past.sent, &past.cargo));
                seen += 1;
            }
            model.seek(Span::from_ms(2_500));
        }
        assert!(20 < seen && 0 < lost, "{seen} seen, {lost} lost");
        // Before it was sent nobody knows it.
        model.update(Action::Select(Some(Selection::Message(dropped))));
        model.seek(Span::from_ms(1_000));
        assert_eq!((model.selection, model.past.is_some()), (None, false));
    }
}

//! Cause and effect: what could have led to a message or to a node as it is now, and what could have come of it. One
//! thing can have led to another if it came before it at the same node or client, or a message went from the one to
//! the other (Lamport's "happened before"). Knows ways and times, and nothing of a picture.

use otterkeeper_core::sim::{End, Event, FlightId, What};
use otterkeeper_core::time::Time;

use crate::sentence::{self, Who};
use crate::state::{Model, Selection, Stroke};

/// What is looked at.
pub(crate) struct Lens {
    flight: Option<FlightId>,
    /// Of each end: up to when what happened there led to it, and since when what happens there can come of it.
    ends: Vec<(End, Time, Time)>,
}

impl Lens {
    /// On the selection, if the visitor asks for causes and effects.
    pub(crate) fn of(model: &Model) -> Option<Self> {
        if !model.lens {
            return None;
        }
        let ways = model.run.strokes();
        let mut lens = Self {
            flight: None,
            ends: Vec::new(),
        };
        match model.selection? {
            Selection::Link(..) => return None,
            Selection::Node(id) => {
                let now = model.sim().now();
                let (before, after) = lens.end(End::Node(id));
                (*before, *after) = (now, now);
            }
            Selection::Message(id) => {
                lens.flight = Some(id);
                if let Some(way) = ways.iter().find(|way| way.flight == id) {
                    *lens.end(way.from).0 = way.sent;
                    if has_arrived(way) {
                        *lens.end(way.to).1 = way.ended;
                    }
                } else {
                    let flight = model.sim().flight(id)?;
                    *lens.end(flight.from).0 = flight.sent;
                }
            }
        }
        // Ways lie in the order of their ends: whatever an end can still learn of is known before it is asked for.
        for way in ways.iter().rev() {
            if has_arrived(way) && way.ended <= lens.at(way.to).0 {
                let (before, _) = lens.end(way.from);
                *before = way.sent.max(*before);
            }
        }
        for way in ways {
            if has_arrived(way) && lens.at(way.from).1 <= way.sent {
                let (_, after) = lens.end(way.to);
                *after = way.ended.min(*after);
            }
        }
        Some(lens)
    }

    /// Up to when what happened at an end is a cause, and since when it can be an effect.
    pub(crate) fn at(&self, end: End) -> (Time, Time) {
        let known = self.ends.iter().find(|(known, ..)| *known == end);
        known.map_or((Time(0), Time::NEVER), |(_, before, after)| {
            (*before, *after)
        })
    }

    /// Whether a message is what is looked at, or led to it, or can have come of it.
    pub(crate) fn shows(&self, way: &Stroke) -> bool {
        self.flight == Some(way.flight)
            || has_arrived(way) && way.ended <= self.at(way.to).0
            || self.at(way.from).1 <= way.sent
    }

    /// The same of anything else. What breaks a promise is never hidden.
    pub(crate) fn tells(&self, event: &Event) -> bool {
        let touches = |end| {
            let (before, after) = self.at(end);
            event.time <= before || after <= event.time
        };
        match &event.what {
            What::Lost { flight, .. } => self.flight == Some(*flight),
            What::Intervened(deed) => deed.members().any(|id| touches(End::Node(id))),
            what => match sentence::who(what) {
                Who::Node(id) => touches(End::Node(id)),
                Who::Client(id) => touches(End::Client(id)),
                Who::Visitor | Who::Check => true,
            },
        }
    }

    fn end(&mut self, end: End) -> (&mut Time, &mut Time) {
        let place = self.ends.iter().position(|(known, ..)| *known == end);
        let place = place.unwrap_or_else(|| {
            self.ends.push((end, Time(0), Time::NEVER));
            self.ends.len() - 1
        });
        let (_, before, after) = &mut self.ends[place];
        (before, after)
    }
}

fn has_arrived(way: &Stroke) -> bool {
    way.event > 0 && !way.lost
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::i18n::Lang;
    use crate::state::Action;
    use otterkeeper_core::time::Span;

    /// From each message on to those that left where it had arrived, one by one.
    fn reached(ways: &[Stroke], from: usize, forward: bool) -> Vec<bool> {
        let leads = |a: &Stroke, b: &Stroke| has_arrived(a) && a.to == b.from && a.ended <= b.sent;
        let mut reached = vec![false; ways.len()];
        let mut open = vec![from];
        while let Some(here) = open.pop() {
            for (there, way) in ways.iter().enumerate() {
                let (a, b) = match forward {
                    true => (&ways[here], way),
                    false => (way, &ways[here]),
                };
                if !reached[there] && leads(a, b) {
                    reached[there] = true;
                    open.push(there);
                }
            }
        }
        reached
    }

    #[test]
    fn causes_and_effects_are_those_that_messages_connect() {
        let mut model = Model::new(5, 42, Lang::En);
        model.seek(Span::from_ms(900));
        model.update(Action::Lens);
        model.update(Action::Write);
        model.update(Action::Loss(200));
        model.seek(Span::from_ms(1_200));
        let ways: Vec<Stroke> = model.run.strokes().to_vec();
        assert!(200 < ways.len() && ways.iter().any(|way| way.lost));
        let (mut shown, mut hidden) = (0, 0);
        for place in (0..ways.len()).step_by(23) {
            let select = Selection::Message(ways[place].flight);
            model.update(Action::Select(Some(select)));
            let lens = Lens::of(&model).expect("a message is selected");
            let causes = reached(&ways, place, false);
            let effects = reached(&ways, place, true);
            for (other, way) in ways.iter().enumerate() {
                let connected = other == place || causes[other] || effects[other];
                assert_eq!(lens.shows(way), connected, "{way:?} of {:?}", ways[place]);
                shown += usize::from(connected);
                hidden += usize::from(!connected);
            }
        }
        assert!(100 < shown && 100 < hidden, "{shown} shown, {hidden} not");
        // Of a node only the past is known now.
        model.update(Action::Select(Some(Selection::Node(
            model.leader().expect("one"),
        ))));
        let lens = Lens::of(&model).expect("a node is selected");
        assert!(ways.iter().any(|way| lens.shows(way)));
        model.update(Action::Lens);
        assert!(Lens::of(&model).is_none());
    }
}

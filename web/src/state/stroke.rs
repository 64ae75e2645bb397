//! The ways of messages that have ended, for the space-time diagram: from when they left to when they
//! arrived or were lost.

use otterkeeper_core::sim::{Cargo, End, Event, FlightId, What};
use otterkeeper_core::time::Time;

use super::is_beat;
use crate::{kind, shape};

/// Ways that one branch remembers.
pub(super) const STROKES: usize = 8_000;
/// Ways that a new branch takes with it.
pub(super) const TAKEN: usize = 3_000;

/// One way.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Stroke {
    pub(crate) flight: FlightId,
    /// Number of the event in which it ended; 0 while it is under way.
    pub(crate) event: u64,
    pub(crate) from: End,
    pub(crate) to: End,
    pub(crate) sent: Time,
    /// When it ended; while it is under way, when it will.
    pub(crate) ended: Time,
    pub(crate) lost: bool,
    /// How far it came, in thousandths.
    pub(crate) per_mille: u32,
    /// A sign of life, which can be hidden.
    pub(crate) beat: bool,
    /// The classes of its shape, and the key of its name.
    pub(crate) class: &'static str,
    pub(crate) kind: &'static str,
}

impl Stroke {
    /// The way that an event ends.
    pub(super) fn of(event: &Event) -> Option<Self> {
        let (flight, from, to, sent, cargo, lost) = match &event.what {
            What::Delivered {
                flight,
                from,
                to,
                sent,
                cargo,
            } => (flight, from, to, sent, cargo, None),
            What::Lost {
                flight,
                from,
                to,
                sent,
                cargo,
                at_per_mille,
                ..
            } => (flight, from, to, sent, cargo, Some(*at_per_mille)),
            _ => return None,
        };
        let way = Self::under_way(*flight, (*from, *to), (*sent, event.time), cargo);
        Some(Self {
            event: event.number,
            lost: lost.is_some(),
            per_mille: lost.unwrap_or(1_000),
            ..way
        })
    }

    pub(crate) fn under_way(
        flight: FlightId,
        (from, to): (End, End),
        (sent, ended): (Time, Time),
        cargo: &Cargo,
    ) -> Self {
        Self {
            flight,
            event: 0,
            from,
            to,
            sent,
            ended,
            lost: false,
            per_mille: 1_000,
            beat: is_beat(cargo),
            class: shape::of(cargo).class,
            kind: kind::kind_key(cargo),
        }
    }
}

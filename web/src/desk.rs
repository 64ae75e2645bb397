//! What components hold: the one model of the page and the way to act on it. Comparing two desks is
//! comparing pointers, so a component is drawn again only when its `version` changes.

use core::cell::{Cell, Ref, RefCell, RefMut};
use std::rc::Rc;

use yew::{Callback, Properties};

use crate::state::{Action, Model};

/// The model, shared by all components.
#[derive(Clone)]
pub(crate) struct Desk {
    model: Rc<RefCell<Model>>,
    redraw: Callback<()>,
    /// Which version of the model every part of the page shows at least.
    shown: Rc<Cell<u64>>,
}

impl Desk {
    pub(crate) fn new(model: Model, redraw: Callback<()>) -> Self {
        Self {
            model: Rc::new(RefCell::new(model)),
            redraw,
            shown: Rc::default(),
        }
    }

    pub(crate) fn read(&self) -> Ref<'_, Model> {
        self.model.borrow()
    }

    pub(crate) fn write(&self) -> RefMut<'_, Model> {
        self.model.borrow_mut()
    }

    /// Every part shows this version, or one that came later.
    pub(crate) fn show(&self, version: u64) {
        self.shown.set(version);
    }

    /// Whether the page shows a model that stands still as it is. Of one that plays it is always a little late.
    pub(crate) fn is_shown(&self) -> bool {
        let model = self.read();
        model.playing || self.shown.get() == model.version && !model.is_at_work()
    }

    /// Acts, and has the page drawn.
    pub(crate) fn act(&self, action: Action) {
        self.model.borrow_mut().update(action);
        self.redraw.emit(());
    }

    /// A listener that acts.
    pub(crate) fn on<E>(&self, action: Action) -> Callback<E> {
        let desk = self.clone();
        Callback::from(move |_| desk.act(action.clone()))
    }
}

impl PartialEq for Desk {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.model, &other.model)
    }
}

/// What is drawn at once. While the run plays, the parts take turns: a frame draws one at most, and each comes a few
/// times a second. Whatever moves in between is moved by the frame loop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Part {
    Stage,
    Logs,
    /// What has happened, what the lesson makes of it, and what holds: they never contradict each other.
    Story,
    Right,
    Diagram,
    Time,
    /// What changes only when somebody acts, or a node dies.
    Frame,
}

impl Part {
    pub(crate) const ALL: [Self; 7] = [
        Self::Stage,
        Self::Logs,
        Self::Story,
        Self::Right,
        Self::Diagram,
        Self::Time,
        Self::Frame,
    ];

    /// The time between two turns at least, in ms.
    const fn pause(self, rare: bool) -> f64 {
        match self {
            _ if rare => 420.0,
            Self::Stage => 90.0,
            Self::Logs | Self::Right | Self::Diagram => 180.0,
            Self::Story | Self::Time => 240.0,
            Self::Frame => 400.0,
        }
    }
}

/// Whose turn it is.
#[derive(Default)]
pub(crate) struct Turns {
    /// Of each part: the version of the model that it has drawn, and when.
    last: [(u64, f64); Part::ALL.len()],
}

impl Turns {
    /// The part that has waited longest beyond its pause, if one has something new to show. Some may come rarely.
    pub(crate) fn next(&mut self, version: u64, now: f64, rare: &[Part]) -> Option<Part> {
        let pause = |part: &Part| part.pause(rare.contains(part));
        let waits = |part: &Part| now - self.last[*part as usize].1 - pause(part);
        let due = |part: &Part| self.last[*part as usize].0 != version && 0.0 <= waits(part);
        let parts = Part::ALL.into_iter().filter(due);
        let next = parts.max_by(|a, b| waits(a).total_cmp(&waits(b)))?;
        self.last[next as usize] = (version, now);
        Some(next)
    }
}

/// What every panel gets.
#[derive(Clone, PartialEq, Properties)]
pub(crate) struct Seen {
    pub(crate) desk: Desk,
    /// Changes when the panel has to be drawn again.
    pub(crate) version: u64,
    /// Whether the screen is as narrow as a phone's.
    pub(crate) narrow: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_take_turns_and_none_starves() {
        let mut turns = Turns::default();
        let mut drawn = [0; Part::ALL.len()];
        // Two seconds at sixty frames, with something new in each of them.
        for frame in 0..120_u32 {
            let now = 1_000.0 + f64::from(frame) * 1_000.0 / 60.0;
            let rare: &[Part] = if frame < 60 { &[Part::Logs] } else { &[] };
            if let Some(part) = turns.next(u64::from(frame) + 1, now, rare) {
                drawn[part as usize] += 1;
            }
        }
        assert!(
            drawn.iter().all(|times| (4..=20).contains(times)),
            "{drawn:?}"
        );
        assert!(14 <= drawn[Part::Stage as usize], "{drawn:?}");
        // Then nothing is new: each shows the last state, once.
        let rest = (0..60).filter_map(|frame| {
            let now = 4_000.0 + f64::from(frame);
            turns.next(120, now, &[])
        });
        assert!(rest.count() <= Part::ALL.len());
        assert_eq!(turns.next(120, 9_000.0, &[]), None);
    }
}

//! What components hold: the one model of the page and the way to act on it. Comparing two desks is
//! comparing pointers, so a component is drawn again only when its `version` changes.

use core::cell::{Ref, RefCell, RefMut};
use std::rc::Rc;

use yew::{Callback, Properties};

use crate::state::{Action, Model};

/// The model, shared by all components.
#[derive(Clone)]
pub(crate) struct Desk {
    model: Rc<RefCell<Model>>,
    redraw: Callback<()>,
}

impl Desk {
    pub(crate) fn new(model: Model, redraw: Callback<()>) -> Self {
        Self {
            model: Rc::new(RefCell::new(model)),
            redraw,
        }
    }

    pub(crate) fn read(&self) -> Ref<'_, Model> {
        self.model.borrow()
    }

    pub(crate) fn write(&self) -> RefMut<'_, Model> {
        self.model.borrow_mut()
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

/// What every panel gets.
#[derive(Clone, PartialEq, Properties)]
pub(crate) struct Seen {
    pub(crate) desk: Desk,
    /// Changes when the panel has to be drawn again.
    pub(crate) version: u64,
    /// Whether the screen is as narrow as a phone's.
    pub(crate) narrow: bool,
}

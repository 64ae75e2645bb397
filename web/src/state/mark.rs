//! Moments that the visitor has marked, and going to them.

use otterkeeper_core::sim::FlightId;
use otterkeeper_core::time::Span;

use super::{Model, Selection};

/// Marks of one run.
const BOOKMARKS: usize = 100;

/// A marked moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Bookmark {
    pub(crate) branch: usize,
    pub(crate) event: u64,
    pub(crate) at: Span,
}

impl Model {
    /// Marks this moment; a mark that is there already goes.
    pub(super) fn bookmark(&mut self) {
        let here = Bookmark {
            branch: self.run.branch,
            event: self.sim().events(),
            at: self.run.now(),
        };
        let before = self.bookmarks.len();
        let same = |mark: &Bookmark| (mark.branch, mark.event) == (here.branch, here.event);
        self.bookmarks.retain(|mark| !same(mark));
        if self.bookmarks.len() == before && before < BOOKMARKS {
            self.bookmarks.push(here);
            self.bookmarks.sort_by_key(|mark| (mark.branch, mark.event));
        }
    }

    pub(super) fn go_to_bookmark(&mut self, place: usize) {
        let Some(mark) = self.bookmarks.get(place).copied() else {
            return;
        };
        self.playing = false;
        self.travel(|run| {
            if run.branch != mark.branch {
                run.switch(mark.branch);
            }
            run.go_to_event(mark.event);
        });
    }

    pub(super) fn go_to_flight(&mut self, id: FlightId, at: Span) {
        self.playing = false;
        self.seek(at);
        if self.sim().flight(id).is_some() {
            self.select(Some(Selection::Message(id)));
        }
    }
}

//! One-shot watches of the connections of one node. Local and not replicated; they know paths and
//! connections, nothing of the tree or of sessions.

use crate::command::Change;
use crate::id::{ConnId, Index};
use crate::request::{ReadKind, WatchEvent};

/// The watches of one node.
#[derive(Clone, Default)]
pub struct Watches {}

impl Watches {
    /// No watches.
    #[must_use]
    pub const fn new() -> Self {
        Self {}
    }

    /// Leaves the watch of a read of this kind. Setting it twice is the same as once.
    pub fn add(&mut self, conn: ConnId, kind: ReadKind, path: &str) {
        let _ = (conn, kind, path);
        todo!()
    }

    /// Drops all watches of a connection.
    pub fn forget(&mut self, conn: ConnId) {
        let _ = conn;
        todo!()
    }

    /// Takes the watches that wait for `change`, and gives one event for each connection.
    pub fn fire(&mut self, change: &Change, zxid: Index, out: &mut impl FnMut(ConnId, WatchEvent)) {
        let _ = (change, zxid, out);
        todo!()
    }

    /// How many watches there are.
    #[must_use]
    pub fn len(&self) -> usize {
        todo!()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The watches of a connection: their paths, and whether each is a child watch.
    pub fn of(&self, conn: ConnId) -> impl Iterator<Item = (&str, bool)> {
        let _ = conn;
        core::iter::empty()
    }
}

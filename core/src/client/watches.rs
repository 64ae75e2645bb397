//! The watches a client has left and not heard of yet, with what their reads showed, so that a change
//! which happened while there was no connection is found when they are left again. Knows nothing of
//! connections.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use crate::id::Index;
use crate::request::{Error, EventKind, Read, ReadKind, Reply, Response, WatchEvent};

/// Which watch: a znode has at most one of each kind on one connection.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Key {
    path: String,
    children: bool,
}

/// The watches of one session.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Watches {
    /// What each was left on: the zxid of the data or of the children, or nothing if there was no znode.
    left: BTreeMap<Key, Option<Index>>,
}

impl Watches {
    pub(super) fn count(&self) -> usize {
        self.left.len()
    }

    /// Their paths, and whether each is for the children.
    pub(super) fn paths(&self) -> impl Iterator<Item = (&str, bool)> {
        self.left.keys().map(|key| (&*key.path, key.children))
    }

    /// A read that asked for a watch was answered.
    pub(super) fn left(&mut self, read: &Read, reply: &Reply) {
        let shown = match shown(&reply.result) {
            Some(shown) if shown.is_some() || read.kind == ReadKind::Exists => shown,
            _ => return,
        };
        let children = read.kind == ReadKind::Children;
        let path = read.path.clone();
        self.left.insert(Key { path, children }, shown);
    }

    /// An event came; false if nobody waits for it.
    pub(super) fn fired(&mut self, event: &WatchEvent) -> bool {
        let mut take = |children: bool| {
            let path = event.path.clone();
            self.left.remove(&Key { path, children }).is_some()
        };
        match event.kind {
            EventKind::NodeCreated | EventKind::NodeDataChanged => take(false),
            EventKind::NodeChildrenChanged => take(true),
            EventKind::NodeDeleted => {
                let children = take(true);
                take(false) || children
            }
        }
    }

    /// The reads that leave all of them again on a new connection.
    pub(super) fn to_leave_again(&self) -> Vec<(Key, Read)> {
        let read = |key: &Key| Read {
            kind: if key.children {
                ReadKind::Children
            } else {
                ReadKind::Exists
            },
            path: key.path.clone(),
            watch: true,
        };
        self.left
            .keys()
            .map(|key| (key.clone(), read(key)))
            .collect()
    }

    /// The answer to such a read, and the event that its watch would have been, if it missed one. The
    /// watch itself is on the server again; should it fire although its event has been told, and has not
    /// been asked for anew, `fired` says that nobody waits.
    pub(super) fn left_again(&mut self, key: Key, reply: &Reply) -> Option<WatchEvent> {
        // It may have fired meanwhile, for another watch of the same znode.
        let before = *self.left.get(&key)?;
        let now = shown(&reply.result)?;
        let (kind, zxid) = match (before, now) {
            (None, None) => return None,
            (Some(before), Some(now)) if now <= before => return None,
            (None, Some(now)) => (EventKind::NodeCreated, now),
            (Some(_), None) => (EventKind::NodeDeleted, reply.zxid),
            (Some(_), Some(now)) if key.children => (EventKind::NodeChildrenChanged, now),
            (Some(_), Some(now)) => (EventKind::NodeDataChanged, now),
        };
        let path = key.path.clone();
        self.left.remove(&key);
        if kind == EventKind::NodeDeleted {
            // One event tells of both.
            let children = !key.children;
            self.left.remove(&Key {
                path: path.clone(),
                children,
            });
        }
        Some(WatchEvent { kind, path, zxid })
    }
}

/// What an answer shows of a znode; nothing if it shows nothing.
fn shown(result: &Result<Response, Error>) -> Option<Option<Index>> {
    match result {
        Ok(Response::Children { stat, .. }) => Some(Some(stat.pzxid)),
        Ok(Response::Data { stat, .. } | Response::Stat(stat)) => Some(Some(stat.mzxid)),
        Err(Error::NoNode) => Some(None),
        _ => None,
    }
}

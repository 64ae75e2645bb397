//! The watches a client has left and not heard of yet, with what their reads showed, so that a change
//! which happened while there was no connection is found when they are left again. Knows nothing of
//! connections.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use crate::id::Index;
use crate::request::{
    Error, EventKind, Read, ReadKind, Reply, Request, Response, SetWatches, WatchEvent, WatchKind,
    WatchMode,
};

/// Bytes of a request that leaves lasting watches again, about; ZooKeeper's clients divide theirs at as many.
const PART_BYTES: usize = 128 << 10;
/// What a path takes beside its letters.
const PATH_BYTES: usize = 8;

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
    /// Those that stay: where, whether it is recursive, and whether an answer has said that it is there.
    lasting: BTreeMap<(String, bool), bool>,
    /// The last transaction of which a lasting watch told something, and what that was.
    last: Index,
    told: Vec<(EventKind, String)>,
    /// What of that will be told again, because the watches are being left again.
    again: Vec<(EventKind, String)>,
}

impl Watches {
    pub(super) fn count(&self) -> usize {
        self.left.len() + self.lasting.len()
    }

    /// A request that may leave a lasting watch is sent: what it tells may come before the answer.
    pub(super) fn asked(&mut self, request: &Request) {
        if let Request::AddWatch { path, mode, .. } = request {
            self.lasting.entry(key(path, *mode)).or_default();
        }
    }

    /// It was refused, or will be sent again. If there was such a watch before, it is still there.
    pub(super) fn not_left(&mut self, request: &Request) {
        if let Request::AddWatch { path, mode, .. } = request {
            let key = key(path, *mode);
            if self.lasting.get(&key) == Some(&false) {
                self.lasting.remove(&key);
            }
        }
    }

    /// A request about watches was answered well.
    pub(super) fn answered(&mut self, request: &Request) {
        match request {
            Request::AddWatch { path, mode, .. } => {
                self.lasting.insert(key(path, *mode), true);
            }
            Request::RemoveWatches { path, kind } => self.removed(path, *kind),
            _ => {}
        }
    }

    fn removed(&mut self, path: &str, kind: WatchKind) {
        let is = |one| kind == WatchKind::Any || kind == one;
        for (one, children) in [(WatchKind::Data, false), (WatchKind::Children, true)] {
            if is(one) {
                let path = path.into();
                self.left.remove(&Key { path, children });
            }
        }
        for (one, recursive) in [(WatchKind::Persistent, false), (WatchKind::Recursive, true)] {
            if is(one) {
                self.lasting.remove(&(path.into(), recursive));
            }
        }
    }

    /// These lasting watches cannot be left again.
    pub(super) fn ended(&mut self, had: &SetWatches) {
        let persistent = had.persistent.iter().map(|path| (path, false));
        let recursive = had.recursive.iter().map(|path| (path, true));
        for (path, recursive) in persistent.chain(recursive) {
            self.lasting.remove(&(path.clone(), recursive));
        }
    }

    /// What leaves the lasting watches again on a new connection: one request, or several if there are very many.
    pub(super) fn go_on(&mut self, since: Index) -> Vec<SetWatches> {
        self.again.clone_from(&self.told);
        let mut parts: Vec<SetWatches> = Vec::new();
        let mut bytes = PART_BYTES;
        for (path, recursive) in self.lasting.keys() {
            bytes += path.len() + PATH_BYTES;
            if PART_BYTES < bytes {
                bytes = path.len() + PATH_BYTES;
                parts.push(SetWatches {
                    zxid: since,
                    ..SetWatches::default()
                });
            }
            if let Some(part) = parts.last_mut() {
                match recursive {
                    true => part.recursive.push(path.clone()),
                    false => part.persistent.push(path.clone()),
                }
            }
        }
        parts
    }

    /// Whether a lasting watch hears of this.
    pub(super) fn hears(&self, event: &WatchEvent) -> bool {
        let is_below = |path: &str| {
            let rest = event.path.strip_prefix(path);
            path == "/" || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let hears = |(path, recursive): &(String, bool)| match recursive {
            true => event.kind != EventKind::NodeChildrenChanged && is_below(path),
            false => event.path == *path,
        };
        self.lasting.keys().any(hears)
    }

    /// Whether a lasting watch tells of this, and it is not told a second time because the watches are being left
    /// again.
    fn tells(&mut self, event: &WatchEvent, is_rearming: bool) -> bool {
        if !self.hears(event) {
            return false;
        }
        if self.last != event.zxid {
            self.last = event.zxid;
            self.told.clear();
            self.again.clear();
        }
        let what = (event.kind, event.path.clone());
        if is_rearming && let Some(at) = self.again.iter().position(|told| *told == what) {
            self.again.swap_remove(at);
            return false;
        }
        self.told.push(what);
        true
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
    pub(super) fn fired(&mut self, event: &WatchEvent, is_rearming: bool) -> bool {
        let once = self.fired_once(event);
        self.tells(event, is_rearming) || once
    }

    fn fired_once(&mut self, event: &WatchEvent) -> bool {
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

fn key(path: &str, mode: WatchMode) -> (String, bool) {
    (path.into(), mode == WatchMode::Recursive)
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

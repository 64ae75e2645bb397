//! The requests of a connection about its own watches, and the reads that may leave one. Knows nothing of
//! when they are due.

use alloc::string::String;
use alloc::vec::Vec;

use super::Node;
use super::io::Output;
use crate::acl::SUPER;
use crate::command::Change;
use crate::config::Bug;
use crate::id::{ConnId, Index, SessionId};
use crate::request::{
    Error, EventKind, Identity, List, Read, ReadKind, Request, Response, SetWatches, WatchEvent,
    WatchMode,
};
use crate::watch::Watches;

impl Node {
    /// Answers a read, and leaves its watch if it is to leave one.
    pub(super) fn read_and_watch(
        &mut self,
        conn: ConnId,
        session: SessionId,
        read: &Read,
        ids: &[Identity],
    ) -> Result<Response, Error> {
        let result = self.look(session, read, ids);
        let found =
            result.is_ok() || (read.kind == ReadKind::Exists && result == Err(Error::NoNode));
        if read.watch && found {
            self.watches.add(conn, read.kind, &read.path);
        }
        result
    }

    /// Answers a read from the state as it is.
    pub(super) fn look(
        &self,
        session: SessionId,
        read: &Read,
        ids: &[Identity],
    ) -> Result<Response, Error> {
        if read.kind == ReadKind::Acl && self.config.has(Bug::ListsShownToAll) {
            let anybody = Identity {
                scheme: SUPER.into(),
                id: String::new(),
            };
            return self.machine.read(session, read, &[anybody]);
        }
        self.machine.read(session, read, ids)
    }

    /// Answers what concerns this connection or this state alone.
    pub(super) fn answer_local(
        &mut self,
        conn: ConnId,
        session: SessionId,
        request: Request,
        ids: &[Identity],
        out: &mut Vec<Output>,
    ) -> Result<Response, Error> {
        match request {
            Request::MultiRead(reads) => Ok(self.multi_read(session, &reads, ids)),
            Request::List(list) => self.list(&list, ids),
            Request::Explain(subject) => self.explain(&subject, ids),
            Request::AddWatch { path, mode, since } => {
                check(&path)?;
                if since.is_some_and(|zxid| self.applied.index < zxid) {
                    return Err(Error::BadArguments);
                }
                let hears = |change: &Change| hears(&path, mode, change);
                let complete = since.is_none_or(|zxid| self.tell_past(conn, zxid, hears, out));
                self.watches.add_lasting(conn, mode, &path);
                Ok(Response::Watching { complete })
            }
            Request::SetWatches(had) => {
                let complete = self.set_watches(conn, &had, out);
                Ok(Response::WatchesSet { complete })
            }
            Request::CheckWatches { path, kind } => {
                check(&path)?;
                let has = self.watches.has(conn, kind, &path);
                has.then_some(Response::WatchesFound)
                    .ok_or(Error::NoWatcher)
            }
            Request::RemoveWatches { path, kind } => {
                check(&path)?;
                let had = self.watches.remove(conn, kind, &path);
                had.then_some(Response::WatchesRemoved)
                    .ok_or(Error::NoWatcher)
            }
            // The others do not come here.
            _ => Err(Error::Unimplemented),
        }
    }

    pub(super) fn multi_read(
        &self,
        session: SessionId,
        reads: &[Read],
        ids: &[Identity],
    ) -> Response {
        let results = reads.iter().map(|read| self.look(session, read, ids));
        Response::Multi(results.collect())
    }

    pub(super) fn list(&self, list: &List, ids: &[Identity]) -> Result<Response, Error> {
        check(&list.path)?;
        self.machine
            .list(list, ids, u64::from(self.config.request_bytes))
    }

    /// Tells those changes behind `zxid` that some watch would have heard; `false` if they are not known any
    /// more.
    fn tell_past(
        &self,
        conn: ConnId,
        zxid: Index,
        hears: impl Fn(&Change) -> bool,
        out: &mut Vec<Output>,
    ) -> bool {
        self.history.since(zxid, |zxid, change| {
            if hears(change) && self.clients.may_see(conn, change) {
                let (kind, path) = (change.kind, change.path.clone());
                let event = WatchEvent { kind, path, zxid };
                out.push(Output::Notify { conn, event });
            }
        })
    }

    /// Watches of a connection before: an event for what happened since, else the watch itself
    /// (protocol section 14). False if those that stay were not told all of it.
    fn set_watches(&mut self, conn: ConnId, had: &SetWatches, out: &mut Vec<Output>) -> bool {
        use EventKind::{NodeChildrenChanged, NodeCreated, NodeDataChanged, NodeDeleted};

        let mut tell = |kind, path: &String| {
            let event = WatchEvent {
                kind,
                path: path.clone(),
                zxid: Index(0),
            };
            out.push(Output::Notify { conn, event });
        };
        let tree = self.machine.tree();
        let stat = |path: &String| tree.get(path).map(|znode| znode.stat());
        for path in &had.data {
            match stat(path) {
                None => tell(NodeDeleted, path),
                Some(stat) if had.zxid < stat.mzxid => tell(NodeDataChanged, path),
                Some(_) => self.watches.add(conn, ReadKind::Data, path),
            }
        }
        for path in &had.exist {
            match stat(path) {
                Some(_) => tell(NodeCreated, path),
                None => self.watches.add(conn, ReadKind::Exists, path),
            }
        }
        for path in &had.child {
            match stat(path) {
                None => tell(NodeDeleted, path),
                Some(stat) if had.zxid < stat.pzxid => tell(NodeChildrenChanged, path),
                Some(_) => self.watches.add(conn, ReadKind::Children, path),
            }
        }
        self.set_lasting_watches(conn, had, out)
    }

    /// ZooKeeper tells nothing of what watches that stay have missed. Here they are told all of it, or at least
    /// what the Stat proves: clients that cope with a change right after their reconnect cope with this.
    fn set_lasting_watches(
        &mut self,
        conn: ConnId,
        had: &SetWatches,
        out: &mut Vec<Output>,
    ) -> bool {
        use WatchMode::{Persistent, Recursive};
        let persistent = had.persistent.iter().map(|path| (Persistent, path));
        let recursive = had.recursive.iter().map(|path| (Recursive, path));
        if persistent.len() + recursive.len() == 0 || self.config.has(Bug::LastingWatchesLost) {
            return true;
        }
        // Who has very many of them asks in parts, and each part is told of its own.
        let mut these = Watches::new();
        for (mode, path) in persistent.clone().chain(recursive.clone()) {
            these.add_lasting(conn, mode, path);
            self.watches.add_lasting(conn, mode, path);
        }
        if self.tell_past(conn, had.zxid, |change| these.hears(conn, change), out) {
            return true;
        }
        let mut tell = |kind, path: &String| {
            let event = WatchEvent {
                kind,
                path: path.clone(),
                zxid: Index(0),
            };
            out.push(Output::Notify { conn, event });
        };
        for (mode, path) in persistent.chain(recursive) {
            let Some(znode) = self.machine.tree().get(path) else {
                continue;
            };
            let stat = znode.stat();
            if had.zxid < stat.czxid {
                tell(EventKind::NodeCreated, path);
            } else if had.zxid < stat.mzxid {
                tell(EventKind::NodeDataChanged, path);
            }
            let children = had.zxid < stat.pzxid && stat.czxid < stat.pzxid;
            if mode == Persistent && children {
                tell(EventKind::NodeChildrenChanged, path);
            }
        }
        false
    }
}

/// Whether a watch that stays hears of a change.
fn hears(path: &str, mode: WatchMode, change: &Change) -> bool {
    match mode {
        WatchMode::Persistent => change.path == path,
        WatchMode::Recursive => {
            change.kind != EventKind::NodeChildrenChanged
                && change
                    .path
                    .strip_prefix(path)
                    .is_some_and(|rest| rest.is_empty() || path == "/" || rest.starts_with('/'))
        }
    }
}

/// A path that could be a znode's, at least as a key.
fn check(path: &str) -> Result<(), Error> {
    if path.is_empty() || path.contains('\0') {
        return Err(Error::BadArguments);
    }
    Ok(())
}

#[cfg(test)]
mod tests;

//! The book of the watches that a client has left on its connection: each fires at most once, for a
//! change after it was left, and before the client sees anything newer.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;

use crate::id::Index;
use crate::request::{Error, EventKind, Read, ReadKind, Reply, Request, Response, WatchEvent};
use crate::sim::Invariant;
use crate::sim::oracle::{Verdict, broken};

/// A one-shot watch.
#[derive(Clone, Copy, Debug)]
struct Watch {
    /// The state it was left on.
    left: Index,
    /// Whether the znode was there then.
    there: bool,
}

/// Watches of one connection, by child watch or not, and path.
#[derive(Clone, Debug, Default)]
pub(super) struct Watches {
    left: BTreeMap<(bool, String), Watch>,
}

impl Watches {
    pub(super) fn clear(&mut self) {
        self.left.clear();
    }

    /// What would show whether a watch has missed its change.
    pub(super) fn reads(&self) -> impl Iterator<Item = Read> {
        self.left.keys().map(|(child, path)| Read {
            kind: if *child {
                ReadKind::Children
            } else {
                ReadKind::Exists
            },
            path: path.clone(),
            watch: false,
        })
    }

    /// A watch fires before newer data is seen on its connection, so none is lost: what is shown here is
    /// not newer than what a watch was left on.
    pub(super) fn none_is_missed(
        &self,
        read: &Read,
        result: &Result<Response, Error>,
        zxid: Index,
    ) -> Verdict {
        let child = read.kind == ReadKind::Children;
        let Some(watch) = self.left.get(&(child, read.path.clone())) else {
            return Ok(());
        };
        let changed = match result {
            Ok(Response::Children { stat, .. }) => stat.pzxid.max(stat.czxid),
            Ok(Response::Data { stat, .. } | Response::Stat(stat)) => stat.mzxid,
            Err(Error::NoNode) if watch.there && watch.left < zxid => zxid,
            _ => return Ok(()),
        };
        if changed <= watch.left {
            return Ok(());
        }
        let text = format!(
            "{} is shown as of {changed}; the watch left on {} has not fired",
            read.path, watch.left
        );
        broken(Invariant::WatchesFirst, text)
    }

    /// An answer has come; it may show that a watch was missed, and may leave a new one.
    pub(super) fn answered(&mut self, request: &Request, reply: &Reply) -> Verdict {
        let (Request::Read(read) | Request::Latest(read)) = request else {
            return Ok(());
        };
        self.none_is_missed(read, &reply.result, reply.zxid)?;
        let there = match &reply.result {
            Ok(Response::Children { .. } | Response::Data { .. } | Response::Stat(_)) => true,
            Err(Error::NoNode) if read.kind == ReadKind::Exists => false,
            _ => return Ok(()),
        };
        if read.watch {
            let key = (read.kind == ReadKind::Children, read.path.clone());
            let left = reply.zxid;
            self.left.entry(key).or_insert(Watch { left, there });
        }
        Ok(())
    }

    /// A watch fires at most once, and for a change after the state that it was left on. `stays` if a watch
    /// that stays hears of the same, which may also tell what was before that.
    pub(super) fn fired(&mut self, event: &WatchEvent, stays: bool) -> Verdict {
        let of = |child| self.left.get(&(child, event.path.clone())).copied();
        let (data, child) = (of(false), of(true));
        let watch = match event.kind {
            EventKind::NodeCreated => data.filter(|watch| !watch.there),
            EventKind::NodeDataChanged => data,
            EventKind::NodeChildrenChanged => child,
            EventKind::NodeDeleted => data.or(child),
        };
        // Its read may still wait for its answer only if the order were wrong.
        let text = match watch {
            None if stays => return Ok(()),
            Some(watch) if stays && event.zxid <= watch.left => return Ok(()),
            None => format!("{:?} on {} without a watch", event.kind, event.path),
            Some(watch) if event.zxid <= watch.left => format!(
                "{} fired for {}; the watch was left on {}",
                event.path, event.zxid, watch.left
            ),
            Some(_) => {
                if event.kind != EventKind::NodeChildrenChanged {
                    self.left.remove(&(false, event.path.clone()));
                }
                if matches!(
                    event.kind,
                    EventKind::NodeChildrenChanged | EventKind::NodeDeleted
                ) {
                    self.left.remove(&(true, event.path.clone()));
                }
                return Ok(());
            }
        };
        broken(Invariant::WatchesOnce, text)
    }
}

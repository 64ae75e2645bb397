//! The operations on znodes, with the order of their errors (protocol section 9). One transaction is
//! one log entry: all its changes share a zxid and a time. Knows no sessions but the one that asks, and
//! believes what it is told of its identities.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::acl;
use crate::command::{Change, Worn};
use crate::id::{Index, SessionId};
use crate::path;
use crate::quota::{self, Limits, Usage};
use crate::request::{Acl, CreateMode, Error, EventKind, Identity, MAX_TTL_MS, Op, Response, Stat};
use crate::tree::{Facts, Life, Record, Tree};

/// Changes of the tree by one log entry.
pub(super) struct Transaction<'a> {
    pub(super) tree: &'a mut Tree,
    /// What watches may wait for, in ZooKeeper's order.
    pub(super) changes: &'a mut Vec<Change>,
    pub(super) zxid: Index,
    pub(super) now_ms: u64,
    /// Who owns the ephemeral znodes that are made.
    pub(super) session: SessionId,
    /// Whom it speaks for.
    ids: &'a [Identity],
    /// Elements in one path.
    pub(super) max_depth: u32,
    /// What a multi has changed so far; a single operation changes nothing before it is sure to succeed.
    journal: Option<Vec<Undo>>,
}

/// What takes one step back.
enum Undo {
    /// This record was there.
    Put(Record),
    /// Nothing was there.
    Take(String),
}

impl<'a> Transaction<'a> {
    pub(super) const fn new(
        tree: &'a mut Tree,
        changes: &'a mut Vec<Change>,
        (zxid, now_ms): (Index, u64),
        (session, ids): (SessionId, &'a [Identity]),
        max_depth: u32,
    ) -> Self {
        Self {
            tree,
            changes,
            zxid,
            now_ms,
            session,
            ids,
            max_depth,
            journal: None,
        }
    }

    /// One operation. If it fails, nothing has changed.
    pub(super) fn op(&mut self, op: &Op) -> Result<Response, Error> {
        match op {
            Op::Create {
                path,
                data,
                acl,
                mode,
                stat,
            } => {
                let (path, made) = self.create(path, data.as_deref(), acl, *mode)?;
                Ok(Response::Created {
                    path,
                    stat: stat.then_some(made),
                })
            }
            Op::Delete { path, version } => {
                self.delete(path, *version)?;
                Ok(Response::Deleted)
            }
            Op::SetData {
                path,
                data,
                version,
            } => Ok(Response::Stat(self.set_data(
                path,
                data.as_ref(),
                *version,
            )?)),
            Op::SetAcl { path, acl, version } => {
                Ok(Response::Stat(self.set_acl(path, acl, *version)?))
            }
            Op::Check { path, version } => {
                self.check(path, *version)?;
                Ok(Response::Checked)
            }
        }
    }

    /// All operations or none, each seeing what the ones before did. The results say which one failed:
    /// code 0 before it, `RuntimeInconsistency` after it (section 10).
    pub(super) fn multi(mut self, ops: &[Op]) -> Response {
        let changes_before = self.changes.len();
        self.journal = Some(Vec::new());
        let mut results = Vec::with_capacity(ops.len());
        for op in ops {
            let result = self.op(op);
            let failed = result.is_err();
            results.push(result);
            if failed {
                break;
            }
        }
        if let Some(Err(reason)) = results.last() {
            let reason = *reason;
            self.roll_back();
            self.changes.truncate(changes_before);
            let failed = results.len() - 1;
            results.clear();
            results.extend((0..ops.len()).map(|at| match at {
                at if at < failed => Err(Error::Ok),
                at if at == failed => Err(reason),
                _ => Err(Error::RuntimeInconsistency),
            }));
        }
        Response::Multi(results)
    }

    /// Writes the members into their znode, with ZooKeeper's version -1.
    pub(super) fn configure(&mut self, text: &str) -> Option<(Bytes, Stat)> {
        let (mut facts, _) = self.tree.get(path::CONFIG)?.open();
        facts.version = -1;
        facts.mzxid = self.zxid;
        facts.mtime_ms = self.now_ms;
        let data = Bytes::copy_from_slice(text.as_bytes());
        self.put(Record::new(path::CONFIG, &facts, Some(&data)));
        self.changed(EventKind::NodeDataChanged, path::CONFIG, facts.acl);
        let stat = facts.stat(Some(&data));
        Some((data, stat))
    }

    /// Removes the ephemeral znodes of a session that has ended, in byte order of their paths.
    pub(super) fn end_session(&mut self) {
        let paths: Vec<String> = self
            .tree
            .ephemerals(self.session)
            .map(String::from)
            .collect();
        for path in paths {
            self.remove(&path);
        }
    }

    fn create(
        &mut self,
        asked: &str,
        data: Option<&[u8]>,
        acl: &[Acl],
        mode: CreateMode,
    ) -> Result<(String, Stat), Error> {
        let life = self.life(mode)?;
        if !path::is_plausible(asked) {
            return Err(Error::BadArguments);
        }
        let acl = acl::stored(acl, self.ids)?;
        let parent_path = path::parent(asked);
        let parent = self.tree.get(parent_path).ok_or(Error::NoNode)?;
        let (mut parent, parent_data) = parent.open();
        self.permit(&parent, Acl::CREATE)?;

        let path = if mode.is_sequential() {
            format!("{asked}{:010}", parent.counter)
        } else {
            String::from(asked)
        };
        let depth_limit = usize::try_from(self.max_depth).unwrap_or(usize::MAX);
        if !path::is_valid(&path) || depth_limit < path::depth(&path) {
            return Err(Error::BadArguments);
        }
        if self.tree.get(&path).is_some() {
            return Err(Error::NodeExists);
        }
        if matches!(parent.life(), Life::Ephemeral(_)) {
            return Err(Error::NoChildrenForEphemerals);
        }
        let more = Usage {
            count: 1,
            bytes: length(data),
        };
        self.admit(&path, more)?;

        let parent_acl = parent.acl;
        parent.counter = parent.counter.wrapping_add(1);
        parent.num_children += 1;
        parent.pzxid = self.zxid;
        let facts = Facts {
            czxid: self.zxid,
            mzxid: self.zxid,
            pzxid: self.zxid,
            ctime_ms: self.now_ms,
            mtime_ms: self.now_ms,
            owner: life.owner(),
            acl: 0,
            ..Facts::default()
        };
        let parent = Record::new(parent_path, &parent, parent_data);
        self.put(parent);
        let facts = Facts {
            acl: self.tree.acl_number(&acl),
            ..facts
        };
        self.put_new(Record::new(&path, &facts, data));
        self.count(&path, more);
        self.begin_usage(&path);
        self.changed(EventKind::NodeCreated, &path, facts.acl);
        self.changed(EventKind::NodeChildrenChanged, parent_path, parent_acl);
        Ok((path, facts.stat(data)))
    }

    fn life(&self, mode: CreateMode) -> Result<Life, Error> {
        Ok(match mode {
            CreateMode::Persistent | CreateMode::PersistentSequential => Life::Persistent,
            CreateMode::Ephemeral | CreateMode::EphemeralSequential => {
                Life::Ephemeral(self.session)
            }
            CreateMode::Container | CreateMode::ContainerSequential => Life::Container,
            CreateMode::Ttl { ms } | CreateMode::TtlSequential { ms } => match ms {
                1..=MAX_TTL_MS => Life::Ttl(ms),
                _ => return Err(Error::BadArguments),
            },
        })
    }

    /// Removes a znode that is worn out, if it is still the one that was found to be so.
    pub(super) fn clean(&mut self, worn: &Worn) {
        let Some(znode) = self.tree.get(&worn.path) else {
            return;
        };
        let (facts, _) = znode.open();
        let same = match facts.life() {
            Life::Container => facts.counter != 0,
            Life::Ttl(_) => facts.mzxid == worn.mzxid,
            Life::Persistent | Life::Ephemeral(_) => false,
        };
        if same && facts.czxid == worn.czxid && facts.num_children == 0 {
            self.remove(&worn.path);
        }
    }

    fn delete(&mut self, path: &str, version: i32) -> Result<(), Error> {
        if !path::is_plausible(path) || path::is_system(path) {
            return Err(Error::BadArguments);
        }
        let parent = self.tree.get(path::parent(path)).ok_or(Error::NoNode)?;
        self.permit(&parent.open().0, Acl::DELETE)?;
        let facts = self.facts(path)?;
        expect(version, facts.version)?;
        if facts.num_children != 0 {
            return Err(Error::NotEmpty);
        }
        self.remove(path);
        Ok(())
    }

    fn set_data(&mut self, path: &str, data: Option<&Bytes>, version: i32) -> Result<Stat, Error> {
        if !path::is_valid(path) {
            return Err(Error::BadArguments);
        }
        let (mut facts, old) = self.tree.get(path).ok_or(Error::NoNode)?.open();
        self.permit(&facts, Acl::WRITE)?;
        let bytes = length(data.map(|data| &**data)) - length(old);
        let more = Usage { count: 0, bytes };
        self.admit(path, more)?;
        expect(version, facts.version)?;
        facts.version = next_version(facts.version);
        facts.mzxid = self.zxid;
        facts.mtime_ms = self.now_ms;
        let data = data.map(|data| &**data);
        self.put(Record::new(path, &facts, data));
        self.count(path, more);
        self.changed(EventKind::NodeDataChanged, path, facts.acl);
        Ok(facts.stat(data))
    }

    fn set_acl(&mut self, path: &str, acl: &[Acl], version: i32) -> Result<Stat, Error> {
        if !path::is_valid(path) {
            return Err(Error::BadArguments);
        }
        let acl = acl::stored(acl, self.ids)?;
        let (mut facts, data) = self.tree.get(path).ok_or(Error::NoNode)?.open();
        self.permit(&facts, Acl::ADMIN)?;
        expect(version, facts.aversion)?;
        facts.aversion = next_version(facts.aversion);
        let stat = facts.stat(data);
        let data = data.map(Bytes::copy_from_slice);
        facts.acl = self.tree.acl_number(&acl);
        self.put(Record::new(path, &facts, data.as_deref()));
        Ok(stat)
    }

    fn check(&self, path: &str, version: i32) -> Result<(), Error> {
        if !path::is_valid(path) {
            return Err(Error::BadArguments);
        }
        let facts = self.facts(path)?;
        self.permit(&facts, Acl::READ)?;
        expect(version, facts.version)
    }

    /// What is known of a znode.
    fn facts(&self, path: &str) -> Result<Facts, Error> {
        Ok(self.tree.get(path).ok_or(Error::NoNode)?.open().0)
    }

    /// Whether whoever asks has any of these permissions.
    fn permit(&self, facts: &Facts, wanted: u32) -> Result<(), Error> {
        match self.tree.acl(facts.acl) {
            Some(list) if !acl::permits(list, self.ids, wanted) => Err(Error::NoAuth),
            _ => Ok(()),
        }
    }

    /// Removes a znode that has no children.
    fn remove(&mut self, path: &str) {
        let parent_path = path::parent(path);
        let mut parent_acl = 0;
        if let Some(parent) = self.tree.get(parent_path) {
            let (mut facts, data) = parent.open();
            parent_acl = facts.acl;
            facts.num_children = facts.num_children.saturating_sub(1);
            facts.pzxid = self.zxid;
            let parent = Record::new(parent_path, &facts, data);
            self.put(parent);
        }
        let old = self.tree.take(path);
        let (facts, data) = match &old {
            Some(old) => old.open(),
            None => (Facts::default(), None),
        };
        let acl = facts.acl;
        let less = Usage {
            count: -1,
            bytes: -length(data),
        };
        if let (Some(journal), Some(old)) = (&mut self.journal, old) {
            journal.push(Undo::Put(old));
        }
        self.count(path, less);
        self.changed(EventKind::NodeDeleted, path, acl);
        self.changed(EventKind::NodeChildrenChanged, parent_path, parent_acl);
    }

    /// The nearest enclosing quota of a path: its limits, what is used, and where that is written.
    fn quota(&self, path: &str) -> Option<(Limits, Usage, String)> {
        if !self.tree.has_quotas() {
            return None;
        }
        let mut subtree = path;
        loop {
            if let Some(limits) = self.tree.get(&quota::limits_path(subtree)) {
                let limits = Limits::parse(limits.data().unwrap_or_default());
                let place = quota::stats_path(subtree);
                let used = Usage::parse(self.tree.get(&place)?.data().unwrap_or_default());
                return Some((limits, used, place));
            }
            if subtree == "/" {
                return None;
            }
            subtree = path::parent(subtree);
        }
    }

    fn admit(&self, path: &str, more: Usage) -> Result<(), Error> {
        match self.quota(path) {
            Some((limits, used, _)) => limits.admit(used, more),
            None => Ok(()),
        }
    }

    /// Writes down that more is used. No version moves, and no watch fires.
    fn count(&mut self, path: &str, more: Usage) {
        if more != Usage::default()
            && let Some((_, used, place)) = self.quota(path)
        {
            self.set_usage(&place, used.plus(more));
        }
    }

    /// A quota begins to count when the znode for its usage is made: with what is there already.
    fn begin_usage(&mut self, path: &str) {
        if let Some(subtree) = quota::of_stats(path) {
            let usage = self.tree.usage(subtree);
            self.set_usage(path, usage);
        }
    }

    fn set_usage(&mut self, place: &str, usage: Usage) {
        if let Some(stats) = self.tree.get(place) {
            let (facts, _) = stats.open();
            let text = format!("{usage}");
            self.put(Record::new(place, &facts, Some(text.as_bytes())));
        }
    }

    fn put(&mut self, record: Record) {
        let old = self.tree.put(record);
        if let (Some(journal), Some(old)) = (&mut self.journal, old) {
            journal.push(Undo::Put(old));
        }
    }

    fn put_new(&mut self, record: Record) {
        if let Some(journal) = &mut self.journal {
            journal.push(Undo::Take(record.path().into()));
        }
        self.tree.put_new(record);
    }

    fn roll_back(&mut self) {
        for undo in self.journal.take().unwrap_or_default().into_iter().rev() {
            match undo {
                Undo::Put(record) => drop(self.tree.put(record)),
                Undo::Take(path) => drop(self.tree.take(&path)),
            }
        }
    }

    fn changed(&mut self, kind: EventKind, path: &str, acl: u32) {
        self.changes.push(Change {
            kind,
            path: path.into(),
            acl: self.tree.acl(acl).cloned(),
        });
    }
}

/// Bytes of data; null counts nothing.
fn length(data: Option<&[u8]>) -> i64 {
    data.map_or(0, |data| i64::try_from(data.len()).unwrap_or(i64::MAX))
}

/// Whether a znode has the version that is asked for; -1 asks for none.
const fn expect(asked: i32, version: i32) -> Result<(), Error> {
    if asked == -1 || asked == version {
        Ok(())
    } else {
        Err(Error::BadVersion)
    }
}

/// Versions wrap around, past -1, which would mean "any" (ZOOKEEPER-4743).
const fn next_version(version: i32) -> i32 {
    match version.wrapping_add(1) {
        -1 => 0,
        next => next,
    }
}

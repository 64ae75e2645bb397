//! Znodes: one persistent map, ordered by depth and path, in which each znode is one packed record; and
//! beside it the lists of ephemeral znodes by owner and of those that are to be cleaned away, and the access
//! control lists. Knows what a znode holds, not which requests change it.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::mem;

use bytes::Bytes;

use crate::acl;
use crate::hash;
use crate::id::SessionId;
use crate::map::{Item, Key, Map, Retired};
use crate::path;
use crate::quota::{self, Limits, Usage};
use crate::request::{Acl, CreateMode, Stat};

mod acls;
pub(crate) mod record;

pub(crate) use record::{Facts, Life, Owned, Record};

use acls::Acls;

/// The znodes. A clone shares everything.
#[derive(Clone)]
pub struct Tree {
    znodes: Map<Record>,
    ephemerals: Map<Owned>,
    acls: Acls,
    /// Znodes that hold limits of a quota.
    quotas: u64,
    /// Containers, and what has a time to live.
    mortals: Map<Owned>,
    /// Bytes of all paths and data.
    content_bytes: u64,
    /// Sum of the records' hashes (rule R9).
    digest: u64,
}

/// A znode, seen in place.
#[derive(Clone, Copy)]
pub struct Znode<'a>(&'a Record);

impl<'a> Znode<'a> {
    /// Its full path.
    #[must_use]
    pub fn path(&self) -> &'a str {
        self.0.path()
    }

    /// The last element of its path; empty for the root.
    #[must_use]
    pub fn name(&self) -> &'a str {
        path::name(self.0.path())
    }

    /// Its data; `None` is null.
    #[must_use]
    pub fn data(&self) -> Option<&'a [u8]> {
        self.0.data()
    }

    /// Its Stat.
    #[must_use]
    pub fn stat(&self) -> Stat {
        let (facts, data) = self.0.open();
        facts.stat(data)
    }

    /// What kind it is of. That it was sequential once is not known.
    #[must_use]
    pub fn mode(&self) -> CreateMode {
        match self.0.open().0.life() {
            Life::Persistent => CreateMode::Persistent,
            Life::Ephemeral(_) => CreateMode::Ephemeral,
            Life::Container => CreateMode::Container,
            Life::Ttl(ms) => CreateMode::Ttl { ms },
        }
    }

    /// Its data, copied, and its Stat.
    #[must_use]
    pub fn read(&self) -> (Option<Bytes>, Stat) {
        let (facts, data) = self.0.open();
        (data.map(Bytes::copy_from_slice), facts.stat(data))
    }

    pub(crate) fn open(&self) -> (Facts, Option<&'a [u8]>) {
        self.0.open()
    }
}

impl Tree {
    pub(crate) fn new() -> Self {
        Self {
            znodes: Map::new(),
            ephemerals: Map::new(),
            acls: Acls::new(),
            quotas: 0,
            mortals: Map::new(),
            content_bytes: 0,
            digest: 0,
        }
    }

    /// The znode at `path`.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<Znode<'_>> {
        self.znodes.get(record::key(path)).map(Znode)
    }

    /// The children of the znode at `path`, in byte order of their names.
    pub fn children<'a>(&'a self, path: &str) -> impl Iterator<Item = Znode<'a>> + use<'a> {
        self.children_from(path, "")
    }

    /// Those whose names are `from` or come behind it.
    pub(crate) fn children_from<'a>(
        &'a self,
        path: &str,
        from: &str,
    ) -> impl Iterator<Item = Znode<'a>> + use<'a> {
        let prefix = path::prefix(path).into_owned();
        let depth = path::depth(path) as u64 + 1;
        let from = alloc::format!("{prefix}{from}");
        self.znodes
            .range(Key {
                first: depth,
                rest: from.as_bytes(),
            })
            .take_while(move |record| {
                let key = record.key();
                key.first == depth && key.rest.starts_with(prefix.as_bytes())
            })
            .map(Znode)
    }

    /// How many znodes are below the one at `path`. Costs two searches for each level that there is below it.
    #[must_use]
    pub fn count_below(&self, path: &str) -> u64 {
        let prefix = path::prefix(path).into_owned();
        let behind = match prefix.strip_suffix('/') {
            // The byte behind a slash. Of two levels all keys of the first come first.
            Some(own) if path != "/" => alloc::format!("{own}0"),
            _ => return self.count().saturating_sub(1),
        };
        let mut total = 0;
        for depth in path::depth(path) as u64 + 1.. {
            let rank = |rest: &str| {
                self.znodes.rank(Key {
                    first: depth,
                    rest: rest.as_bytes(),
                })
            };
            match rank(&behind) - rank(&prefix) {
                // Every level between has a znode, so there is none further down.
                0 => break,
                count => total += count as u64,
            }
        }
        total
    }

    /// All znodes, by depth and then by path.
    pub fn iter(&self) -> impl Iterator<Item = Znode<'_>> {
        self.znodes.iter().map(Znode)
    }

    /// How many znodes there are, the four of the system among them.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.znodes.len() as u64
    }

    /// Bytes of all paths and data.
    #[must_use]
    pub const fn data_bytes(&self) -> u64 {
        self.content_bytes
    }

    /// Whether there are quotas.
    #[must_use]
    pub const fn has_quotas(&self) -> bool {
        self.quotas != 0
    }

    /// What the subtree at `path` holds. Looks at all of it.
    #[must_use]
    pub fn usage(&self, path: &str) -> Usage {
        let count = |usage: Usage, znode: Znode<'_>| {
            let bytes = znode.data().map_or(0, |data| data.len() as i64);
            usage.plus(Usage { count: 1, bytes })
        };
        let all = self.get(path).into_iter().chain(self.below(path));
        all.fold(Usage::default(), count)
    }

    /// All znodes below the one at `path`. Those of one depth lie together, so each depth is one range.
    fn below<'a>(&'a self, path: &str) -> impl Iterator<Item = Znode<'a>> + use<'a> {
        let prefix: Arc<str> = path::prefix(path).into();
        let top = path::depth(path) as u64;
        let level = move |depth| {
            let prefix = Arc::clone(&prefix);
            let from = Key {
                first: depth,
                rest: prefix.as_bytes(),
            };
            let mut level = self
                .znodes
                .range(from)
                .take_while(move |record| {
                    let key = record.key();
                    key.first == depth && key.rest.starts_with(prefix.as_bytes())
                })
                .peekable();
            level.peek().is_some().then_some(level)
        };
        (top + 1..).map_while(level).flatten().map(Znode)
    }

    /// The quotas: subtree, limits, and what is used of them.
    pub fn quotas(&self) -> impl Iterator<Item = (&str, Limits, Usage)> {
        let all = self.has_quotas().then(|| self.below(path::QUOTA));
        all.into_iter().flatten().filter_map(|znode| {
            let subtree = quota::of_limits(znode.path())?;
            let stats = self.get(&quota::stats_path(subtree))?;
            let used = Usage::parse(stats.data().unwrap_or_default());
            let limits = Limits::parse(znode.data().unwrap_or_default());
            Some((subtree, limits, used))
        })
    }

    /// How many ephemeral znodes there are.
    #[must_use]
    pub const fn ephemeral_count(&self) -> u64 {
        self.ephemerals.len() as u64
    }

    /// The paths of a session's ephemeral znodes, in byte order.
    pub fn ephemerals(&self, owner: SessionId) -> impl Iterator<Item = &str> {
        self.ephemerals_from(owner, "")
    }

    /// Those from this text on.
    pub(crate) fn ephemerals_from(
        &self,
        owner: SessionId,
        from: &str,
    ) -> impl Iterator<Item = &str> + use<'_> {
        self.ephemerals
            .range(Key {
                first: owner.0,
                rest: from.as_bytes(),
            })
            .take_while(move |owned| owned.owner() == owner)
            .map(Owned::path)
    }

    /// Whether the digest is that of the znodes (rule R9). Looks at all of them.
    pub(crate) fn is_digest_right(&self) -> bool {
        let add = |sum: u64, record: &Record| sum.wrapping_add(hash::of_bytes(record.bytes()));
        self.records(None).fold(0, add) == self.digest && self.acls.is_right()
    }

    pub(crate) fn digest(&self) -> u64 {
        hash::of_words(&[self.digest, self.acls.digest()])
    }

    /// The access control list of a znode of this tree, without the secrets of digests.
    #[must_use]
    pub fn acl_of(&self, znode: Znode<'_>) -> Vec<Acl> {
        let (facts, _) = znode.open();
        match self.acl(facts.acl) {
            Some(list) => acl::masked(list),
            None => vec![Acl::open()],
        }
    }

    /// The access control list with this number; `None` for the one that lets everybody do everything.
    pub(crate) fn acl(&self, number: u32) -> Option<&Arc<[Acl]>> {
        self.acls.list(number)
    }

    /// The number for an access control list.
    pub(crate) fn acl_number(&mut self, list: &[Acl]) -> u32 {
        self.acls.number(list)
    }

    /// Forgets the access control lists that no znode has. Nothing can be taken back after that.
    pub(crate) fn sweep_acls(&mut self) {
        self.acls.sweep();
    }

    /// The access control lists, from a number on.
    pub(crate) fn acls(&self, from: u32) -> impl Iterator<Item = (u32, &[Acl])> {
        self.acls.from(from)
    }

    /// A list from a snapshot; `false` if it cannot be.
    pub(crate) fn restore_acl(&mut self, number: u32, list: &[Acl]) -> bool {
        self.acls.restore(number, list)
    }

    /// Whether every list is some znode's.
    pub(crate) fn has_no_idle_acl(&self) -> bool {
        self.acls.are_all_named()
    }

    /// A znode from a snapshot; `false` if there is one with its path, or its list is not there.
    pub(crate) fn restore(&mut self, record: Record) -> bool {
        let acl = record.facts().acl;
        (acl == acls::OPEN || self.acl(acl).is_some()) && self.put(record).is_none()
    }

    /// The records behind `key`, or all.
    pub(crate) fn records(&self, behind: Option<Key<'_>>) -> impl Iterator<Item = &Record> {
        let from = behind.unwrap_or(Key {
            first: 0,
            rest: &[],
        });
        self.znodes
            .range(from)
            .skip_while(move |record| behind == Some(record.key()))
    }

    /// Puts a record in its place and gives back the one that was there. A znode never changes its owner.
    pub(crate) fn put(&mut self, record: Record) -> Option<Record> {
        self.count_in(&record);
        if let Some(there) = self.znodes.get_mut(record.key()) {
            let old = mem::replace(there, record);
            self.count_out(&old);
            return Some(old);
        }
        self.insert(record);
        None
    }

    /// Puts the record of a znode that is not there yet.
    pub(crate) fn put_new(&mut self, record: Record) {
        self.count_in(&record);
        self.insert(record);
    }

    fn insert(&mut self, record: Record) {
        let facts = record.facts();
        if let Some(list) = self.list(facts.life()) {
            list.insert(Owned::new(facts.owner, record.path()));
        }
        let old = self.znodes.insert(record);
        debug_assert!(old.is_none());
    }

    /// Takes the record of `path` away.
    pub(crate) fn take(&mut self, path: &str) -> Option<Record> {
        let old = self.znodes.remove(record::key(path))?;
        let facts = old.facts();
        if let Some(list) = self.list(facts.life()) {
            list.remove(Key {
                first: facts.owner.0,
                rest: path.as_bytes(),
            });
        }
        self.count_out(&old);
        Some(old)
    }

    const fn list(&mut self, life: Life) -> Option<&mut Map<Owned>> {
        match life {
            Life::Persistent => None,
            Life::Ephemeral(_) => Some(&mut self.ephemerals),
            Life::Container | Life::Ttl(_) => Some(&mut self.mortals),
        }
    }

    /// How many containers and znodes with a time to live there are.
    #[must_use]
    pub const fn mortal_count(&self) -> u64 {
        self.mortals.len() as u64
    }

    /// They, from an owner and a path on.
    pub(crate) fn mortals(&self, from: Key<'_>) -> impl Iterator<Item = &Owned> {
        self.mortals.range(from)
    }

    pub(crate) fn retire(self) -> Retired<Record> {
        self.znodes.retire()
    }

    fn count_in(&mut self, new: &Record) {
        let (facts, data) = new.open();
        let path = new.path();
        self.acls.count_in(facts.acl);
        self.quotas += u64::from(quota::of_limits(path).is_some());
        self.content_bytes += content_bytes(path, data);
        self.digest = self.digest.wrapping_add(hash::of_bytes(new.bytes()));
    }

    fn count_out(&mut self, old: &Record) {
        let (facts, data) = old.open();
        let path = old.path();
        self.acls.count_out(facts.acl);
        self.quotas -= u64::from(quota::of_limits(path).is_some());
        self.content_bytes -= content_bytes(path, data);
        self.digest = self.digest.wrapping_sub(hash::of_bytes(old.bytes()));
    }
}

fn content_bytes(path: &str, data: Option<&[u8]>) -> u64 {
    (path.len() + data.map_or(0, <[u8]>::len)) as u64
}

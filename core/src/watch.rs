//! Watches of the connections of one node. Local and not replicated; they know paths and connections,
//! nothing of the tree or of sessions.
//!
//! As in ZooKeeper there are tables for data and for children (protocol section 14); two more hold the
//! watches that stay. Each watch lies in two orders: by path, for the changes, and by connection, for the
//! end of a connection.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::str;

use crate::command::Change;
use crate::id::{ConnId, Index};
use crate::map::{Item, Key, Map};
use crate::path;
use crate::request::{EventKind, ReadKind, WatchEvent, WatchKind, WatchMode};

pub(crate) mod history;

/// The watches of one node. A clone shares everything.
#[derive(Clone)]
pub struct Watches {
    by_path: Map<Entry>,
    by_conn: Map<Entry>,
    /// How many are recursive: without any, nobody looks at the ancestors of what changed.
    recursive: usize,
}

/// Which table a watch is in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Table {
    /// One-shot, of the znode itself.
    Data = 0,
    /// One-shot, of the list of its children.
    Child = 1,
    /// Stays, and counts in both.
    Persistent = 2,
    /// Stays, and counts for the znode and all below it.
    Recursive = 3,
}

impl Table {
    const ALL: [Self; 4] = [Self::Data, Self::Child, Self::Persistent, Self::Recursive];

    const fn kind(self) -> WatchKind {
        match self {
            Self::Data => WatchKind::Data,
            Self::Child => WatchKind::Children,
            Self::Persistent => WatchKind::Persistent,
            Self::Recursive => WatchKind::Recursive,
        }
    }
}

/// In `by_path`: table, then path, a NUL and the connection's eight bytes. In `by_conn`: connection, then
/// path, a NUL and the table's byte.
#[derive(Clone)]
struct Entry {
    first: u64,
    rest: Arc<[u8]>,
}

impl Default for Watches {
    fn default() -> Self {
        Self::new()
    }
}

impl Watches {
    /// No watches.
    #[must_use]
    pub fn new() -> Self {
        Self {
            by_path: Map::new(),
            by_conn: Map::new(),
            recursive: 0,
        }
    }

    /// Leaves the one-shot watch of a read of this kind. Setting it twice is the same as once.
    pub fn add(&mut self, conn: ConnId, kind: ReadKind, path: &str) {
        match kind {
            ReadKind::Exists | ReadKind::Data => self.put(conn, Table::Data, path),
            ReadKind::Children => self.put(conn, Table::Child, path),
            ReadKind::Acl | ReadKind::Descendants | ReadKind::Ephemerals => {}
        }
    }

    /// Leaves a watch that stays when it fires.
    pub fn add_lasting(&mut self, conn: ConnId, mode: WatchMode, path: &str) {
        match mode {
            WatchMode::Persistent => self.put(conn, Table::Persistent, path),
            WatchMode::Recursive => self.put(conn, Table::Recursive, path),
        }
    }

    /// Whether a connection has such a watch on this very path.
    #[must_use]
    pub fn has(&self, conn: ConnId, kind: WatchKind, path: &str) -> bool {
        let has = |table| self.by_conn.get(Entry::by_conn(conn, path, table).key());
        tables(kind).any(|table| has(table).is_some())
    }

    /// Whether a connection has a watch that stays and hears of this change.
    pub(crate) fn hears(&self, conn: ConnId, change: &Change) -> bool {
        let path = &*change.path;
        if self.has(conn, WatchKind::Persistent, path) {
            return true;
        }
        if change.kind == EventKind::NodeChildrenChanged || self.recursive == 0 {
            return false;
        }
        let mut above = path;
        while !self.has(conn, WatchKind::Recursive, above) {
            if above == "/" {
                return false;
            }
            above = path::parent(above);
        }
        true
    }

    /// Takes such watches on this very path away, and says whether there were any.
    pub fn remove(&mut self, conn: ConnId, kind: WatchKind, path: &str) -> bool {
        let mut any = false;
        for table in tables(kind) {
            any |= self.take_one(conn, table, path);
        }
        any
    }

    /// Drops all watches of a connection.
    pub fn forget(&mut self, conn: ConnId) {
        let from = Key {
            first: conn.0,
            rest: &[],
        };
        let entries = self
            .by_conn
            .range(from)
            .take_while(|entry| entry.first == conn.0);
        let entries: Vec<Entry> = entries.cloned().collect();
        for entry in entries {
            if let Some((path, table)) = entry.path_and_table() {
                self.take_one(conn, table, path);
            }
        }
    }

    /// Takes the one-shot watches that wait for `change`, and gives one event for each connection that has
    /// some watch for it, by connection; who lost a znode's data comes before who lost its children.
    pub fn fire(&mut self, change: &Change, zxid: Index, out: &mut impl FnMut(ConnId, WatchEvent)) {
        if self.is_empty() {
            return;
        }
        let path = &*change.path;
        let conns = match change.kind {
            EventKind::NodeCreated | EventKind::NodeDataChanged => self.trigger(Table::Data, path),
            EventKind::NodeChildrenChanged => self.trigger(Table::Child, path),
            EventKind::NodeDeleted => {
                let mut conns = self.trigger(Table::Data, path);
                // Who has both watches is told once, and both are gone.
                let untold = |conn: &ConnId| conns.binary_search(conn).is_err();
                let mut child = self.trigger(Table::Child, path);
                child.retain(untold);
                conns.append(&mut child);
                conns
            }
        };
        for conn in conns {
            out(
                conn,
                WatchEvent {
                    kind: change.kind,
                    path: String::from(path),
                    zxid,
                },
            );
        }
    }

    /// How many watches there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.by_path.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The watches of a connection: their paths, and what each is.
    pub fn of(&self, conn: ConnId) -> impl Iterator<Item = (&str, WatchKind)> {
        self.by_conn
            .range(Key {
                first: conn.0,
                rest: &[],
            })
            .take_while(move |entry| entry.first == conn.0)
            .filter_map(Entry::path_and_table)
            .map(|(path, table)| (path, table.kind()))
    }

    fn put(&mut self, conn: ConnId, table: Table, path: &str) {
        // Nothing can happen there, and the NUL ends a path in `by_path`.
        if path.contains('\0') {
            return;
        }
        let old = self.by_path.insert(Entry::by_path(table, path, conn));
        self.by_conn.insert(Entry::by_conn(conn, path, table));
        self.recursive += usize::from(table == Table::Recursive && old.is_none());
    }

    fn take_one(&mut self, conn: ConnId, table: Table, path: &str) -> bool {
        let old = self.by_path.remove(Entry::by_path(table, path, conn).key());
        self.by_conn.remove(Entry::by_conn(conn, path, table).key());
        self.recursive -= usize::from(table == Table::Recursive && old.is_some());
        old.is_some()
    }

    /// Who hears of a change at `path` by this table, `Data` or `Child`, in ascending order. Those of the
    /// table itself are gone after it.
    fn trigger(&mut self, table: Table, path: &str) -> Vec<ConnId> {
        let mut conns = Vec::new();
        self.find(table, path, &mut conns);
        for &conn in &conns {
            self.take_one(conn, table, path);
        }
        self.find(Table::Persistent, path, &mut conns);
        if table == Table::Data && self.recursive != 0 {
            let mut above = path;
            self.find(Table::Recursive, above, &mut conns);
            while above != "/" {
                above = path::parent(above);
                self.find(Table::Recursive, above, &mut conns);
            }
        }
        conns.sort_unstable();
        conns.dedup();
        conns
    }

    /// Appends who has a watch of this table on this path.
    fn find(&self, table: Table, path: &str, conns: &mut Vec<ConnId>) {
        let mut prefix = Vec::from(path);
        prefix.push(0);
        let entries = self.by_path.range(Key {
            first: table as u64,
            rest: &prefix,
        });
        let entries = entries
            .take_while(|entry| entry.first == table as u64 && entry.rest.starts_with(&prefix));
        conns.extend(entries.filter_map(|entry| entry.conn_behind(prefix.len())));
    }
}

fn tables(kind: WatchKind) -> impl Iterator<Item = Table> {
    let is_meant = move |table: &Table| kind == WatchKind::Any || kind == table.kind();
    Table::ALL.into_iter().filter(is_meant)
}

impl Entry {
    fn by_path(table: Table, path: &str, conn: ConnId) -> Self {
        let rest = [path.as_bytes(), &[0], &conn.0.to_be_bytes()].concat();
        Self {
            first: table as u64,
            rest: rest.into(),
        }
    }

    fn by_conn(conn: ConnId, path: &str, table: Table) -> Self {
        Self {
            first: conn.0,
            rest: [path.as_bytes(), &[0, table as u8]].concat().into(),
        }
    }

    /// Of an entry in `by_path`: its connection, if that is all there is behind `len` bytes.
    fn conn_behind(&self, len: usize) -> Option<ConnId> {
        let bytes = self.rest.get(len..)?.try_into().ok()?;
        Some(ConnId(u64::from_be_bytes(bytes)))
    }

    /// Of an entry in `by_conn`.
    fn path_and_table(&self) -> Option<(&str, Table)> {
        let (path, &[_, table]) = self.rest.split_last_chunk::<2>()?;
        let table = Table::ALL.into_iter().find(|one| *one as u8 == table)?;
        Some((str::from_utf8(path).ok()?, table))
    }
}

impl Item for Entry {
    fn key(&self) -> Key<'_> {
        Key {
            first: self.first,
            rest: &self.rest,
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    /// Sets watches such as `1 child /a`, fires changes, and says who heard what, in order.
    fn check(watches: &[(u64, ReadKind, &str)], changes: &[(EventKind, &str)], expected: &[&str]) {
        let mut all = Watches::new();
        for &(conn, kind, path) in watches {
            all.add(ConnId(conn), kind, path);
        }
        let mut heard = Vec::new();
        for &(kind, path) in changes {
            let change = Change {
                kind,
                path: path.into(),
                acl: None,
            };
            all.fire(&change, Index(7), &mut |conn, event| {
                assert_eq!(event.zxid, Index(7));
                heard.push(format!("{conn} {:?} {}", event.kind, event.path));
            });
        }
        assert_eq!(heard, expected);
        assert_eq!(all.by_conn.len(), all.by_path.len());
    }

    use EventKind::{NodeChildrenChanged, NodeCreated, NodeDataChanged, NodeDeleted};
    use ReadKind::{Children, Data, Exists};

    #[test]
    fn fire_once_and_by_table() {
        let create_a = [(NodeCreated, "/a"), (NodeChildrenChanged, "/")];
        check(&[(1, Exists, "/a")], &create_a, &["1 NodeCreated /a"]);
        check(
            &[(1, Children, "/")],
            &create_a,
            &["1 NodeChildrenChanged /"],
        );
        check(
            &[(2, Exists, "/a"), (1, Children, "/"), (1, Exists, "/a")],
            &create_a,
            &[
                "1 NodeCreated /a",
                "2 NodeCreated /a",
                "1 NodeChildrenChanged /",
            ],
        );
        let set_twice = [(NodeDataChanged, "/a"), (NodeDataChanged, "/a")];
        check(
            &[(1, Data, "/a"), (1, Exists, "/a")],
            &set_twice,
            &["1 NodeDataChanged /a"],
        );
        check(&[(1, Children, "/a")], &set_twice, &[]);
        check(&[(1, Data, "/a")], &[(NodeChildrenChanged, "/a")], &[]);
        check(
            &[(1, Data, "/a"), (1, Data, "/a/b"), (1, Data, "/aa")],
            &[(NodeDataChanged, "/")],
            &[],
        );
    }

    #[test]
    fn a_deleted_znode_is_told_once_to_each_connection() {
        let delete = [
            (NodeDeleted, "/a"),
            (NodeChildrenChanged, "/"),
            (NodeDeleted, "/a"),
        ];
        check(
            &[
                (1, Children, "/a"),
                (3, Children, "/a"),
                (2, Data, "/a"),
                (3, Data, "/a"),
            ],
            &delete,
            &["2 NodeDeleted /a", "3 NodeDeleted /a", "1 NodeDeleted /a"],
        );
        check(&[(1, Children, "/")], &delete, &["1 NodeChildrenChanged /"]);
    }

    #[test]
    fn recursive_ones_are_counted() {
        let mut all = Watches::new();
        for at in 0..1_000 {
            all.add(
                ConnId(at % 7),
                Data,
                &format!("/services/web/instance-{at:07}"),
            );
            all.add_lasting(
                ConnId(at % 7),
                WatchMode::Recursive,
                &format!("/services/{at}"),
            );
        }
        assert_eq!((all.len(), all.recursive), (2_000, 1_000));
        for conn in 0..7 {
            all.forget(ConnId(conn));
        }
        assert_eq!((all.len(), all.recursive), (0, 0));
    }

    #[test]
    fn a_connection_is_forgotten_completely() {
        let mut all = Watches::new();
        for conn in 1..=3 {
            for path in ["/", "/a", "/a/b"] {
                all.add(ConnId(conn), Data, path);
                all.add(ConnId(conn), Children, path);
            }
        }
        assert_eq!(all.len(), 18);
        let clone = all.clone();
        all.forget(ConnId(2));
        all.forget(ConnId(9));
        assert_eq!((all.len(), all.of(ConnId(2)).count()), (12, 0));
        let left: Vec<_> = all.of(ConnId(1)).collect();
        let tables = |path| [(path, WatchKind::Data), (path, WatchKind::Children)];
        assert_eq!(left, [tables("/"), tables("/a"), tables("/a/b")].concat());
        all.forget(ConnId(1));
        all.forget(ConnId(3));
        assert!(all.is_empty() && all.by_conn.len() == 0);
        assert_eq!(clone.len(), 18);
    }
}

//! One-shot watches of the connections of one node. Local and not replicated; they know paths and
//! connections, nothing of the tree or of sessions.
//!
//! As in ZooKeeper there are two tables, for data and for children (protocol section 14). Each watch
//! lies in two orders: by path, for the changes, and by connection, for the end of a connection.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::str;

use crate::command::Change;
use crate::id::{ConnId, Index};
use crate::map::{Item, Key, Map};
use crate::request::{EventKind, ReadKind, WatchEvent};

/// The watches of one node. A clone shares everything.
#[derive(Clone)]
pub struct Watches {
    by_path: Map<Entry>,
    by_conn: Map<Entry>,
}

/// Which of the two tables a watch is in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Table {
    Data = 0,
    Child = 1,
}

/// In `by_path`: table, then path, a NUL and the connection's eight bytes. In `by_conn`: connection, then
/// path and the table's byte.
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
        }
    }

    /// Leaves the watch of a read of this kind. Setting it twice is the same as once.
    pub fn add(&mut self, conn: ConnId, kind: ReadKind, path: &str) {
        let table = match kind {
            ReadKind::Exists | ReadKind::Data | ReadKind::Acl => Table::Data,
            ReadKind::Children => Table::Child,
        };
        self.by_path.insert(Entry::by_path(table, path, conn));
        self.by_conn.insert(Entry::by_conn(conn, path, table));
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
                self.by_path.remove(Entry::by_path(table, path, conn).key());
            }
            self.by_conn.remove(entry.key());
        }
    }

    /// Takes the watches that wait for `change`, and gives one event for each connection, those with a
    /// data watch first, otherwise by connection.
    pub fn fire(&mut self, change: &Change, zxid: Index, out: &mut impl FnMut(ConnId, WatchEvent)) {
        if self.is_empty() {
            return;
        }
        let path = &*change.path;
        let mut conns = Vec::new();
        match change.kind {
            EventKind::NodeCreated | EventKind::NodeDataChanged => {
                self.take(Table::Data, path, &mut conns);
            }
            EventKind::NodeChildrenChanged => self.take(Table::Child, path, &mut conns),
            EventKind::NodeDeleted => {
                self.take(Table::Data, path, &mut conns);
                let told = conns.len();
                self.take(Table::Child, path, &mut conns);
                // Who has both watches is told once, and both are gone.
                let (data, child) = conns.split_at(told);
                let untold = |conn: &&ConnId| data.binary_search(conn).is_err();
                let child: Vec<ConnId> = child.iter().filter(untold).copied().collect();
                conns.truncate(told);
                conns.extend(child);
            }
        }
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

    /// The watches of a connection: their paths, and whether each is a child watch.
    pub fn of(&self, conn: ConnId) -> impl Iterator<Item = (&str, bool)> {
        self.by_conn
            .range(Key {
                first: conn.0,
                rest: &[],
            })
            .take_while(move |entry| entry.first == conn.0)
            .filter_map(Entry::path_and_table)
            .map(|(path, table)| (path, table == Table::Child))
    }

    /// Removes the watches of one table on one path and appends their connections in ascending order.
    fn take(&mut self, table: Table, path: &str, conns: &mut Vec<ConnId>) {
        let mut prefix = Vec::from(path);
        prefix.push(0);
        let entries = self.by_path.range(Key {
            first: table as u64,
            rest: &prefix,
        });
        let entries = entries
            .take_while(|entry| entry.first == table as u64 && entry.rest.starts_with(&prefix));
        let before = conns.len();
        conns.extend(entries.filter_map(|entry| entry.conn_behind(prefix.len())));
        for &conn in &conns[before..] {
            self.by_path.remove(Entry::by_path(table, path, conn).key());
            self.by_conn.remove(Entry::by_conn(conn, path, table).key());
        }
    }
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
            rest: [path.as_bytes(), &[table as u8]].concat().into(),
        }
    }

    /// Of an entry in `by_path`: its connection, if that is all there is behind `len` bytes.
    fn conn_behind(&self, len: usize) -> Option<ConnId> {
        let bytes = self.rest.get(len..)?.try_into().ok()?;
        Some(ConnId(u64::from_be_bytes(bytes)))
    }

    /// Of an entry in `by_conn`.
    fn path_and_table(&self) -> Option<(&str, Table)> {
        let (&table, path) = self.rest.split_last()?;
        let table = if table == Table::Data as u8 {
            Table::Data
        } else {
            Table::Child
        };
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
        let tables = |path| [(path, false), (path, true)];
        assert_eq!(left, [tables("/"), tables("/a"), tables("/a/b")].concat());
        all.forget(ConnId(1));
        all.forget(ConnId(3));
        assert!(all.is_empty() && all.by_conn.len() == 0);
        assert_eq!(clone.len(), 18);
    }
}

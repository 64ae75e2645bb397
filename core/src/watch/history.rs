//! What happened to the tree lately, as one node applied it, so that a watch can be taken up again where a
//! connection broke (rule R20). A ring with a limit in bytes; what has left it is gone. Knows no watches.
//!
//! Changes lie packed: each says how it differs from the one before, and most are of a neighbour. As structs with
//! a path each they took ten times as much.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::command::Change;
use crate::id::Index;
use crate::request::{Acl, EventKind};

/// Changes in one piece: what a clone shares, and what leaves at once.
const PIECE: usize = 256;
/// What a piece, a list and an entry of a list count beside their texts.
const OVERHEAD: u64 = 96;

/// The last changes, oldest first. A clone copies one pointer for each piece.
#[derive(Clone)]
pub(crate) struct History {
    limit: u64,
    bytes: u64,
    /// All changes behind this index are here.
    start: Index,
    pieces: VecDeque<Arc<Piece>>,
    /// Path of the last change of the last piece.
    path: String,
}

/// Some changes. Each is packed as its distance to the transaction before, its kind, the number of its list in
/// `lists` (0 for none), how many bytes of the path before its own begins with, how many more it has, and those.
/// Numbers are LEB128; the first change follows transaction 0 and an empty path.
#[derive(Clone, Default)]
struct Piece {
    count: usize,
    last: Index,
    packed: Vec<u8>,
    lists: Vec<Arc<[Acl]>>,
    /// Bytes of those lists.
    list_bytes: u64,
}

impl History {
    /// Nothing, of what comes behind `start`.
    pub(crate) const fn new(start: Index, limit: u64) -> Self {
        Self {
            limit,
            bytes: 0,
            start,
            pieces: VecDeque::new(),
            path: String::new(),
        }
    }

    /// The state jumped to this index, so nobody knows what happened on the way.
    pub(crate) fn jump(&mut self, to: Index) {
        *self = Self::new(to, self.limit);
    }

    pub(crate) fn push(&mut self, zxid: Index, change: &Change) {
        if self.pieces.back().is_none_or(|piece| piece.count == PIECE) {
            if let Some(full) = self.pieces.back_mut() {
                Arc::make_mut(full).packed.shrink_to_fit();
            }
            self.pieces.push_back(Arc::default());
            self.path.clear();
            self.bytes += OVERHEAD;
        }
        if let Some(piece) = self.pieces.back_mut() {
            let piece = Arc::make_mut(piece);
            let before = piece.content_bytes();
            piece.push(zxid, change, &self.path);
            self.bytes += piece.content_bytes() - before;
        }
        self.path.clone_from(&change.path);
        while self.limit < self.bytes
            && let Some(oldest) = self.pieces.pop_front()
        {
            self.bytes -= OVERHEAD + oldest.content_bytes();
            self.start = oldest.last;
        }
    }

    /// Shows all changes behind `zxid`, each with its transaction, if they are here.
    pub(crate) fn since(&self, zxid: Index, mut show: impl FnMut(Index, &Change)) -> bool {
        let from = self.pieces.partition_point(|piece| piece.last <= zxid);
        for piece in self.pieces.range(from..) {
            if self.start <= zxid {
                piece.since(zxid, &mut show);
            }
        }
        self.start <= zxid
    }
}

impl Piece {
    fn content_bytes(&self) -> u64 {
        self.packed.len() as u64 + self.list_bytes
    }

    fn push(&mut self, zxid: Index, change: &Change, before: &str) {
        let path = &*change.path;
        let pairs = before.bytes().zip(path.bytes());
        let mut shared = pairs.take_while(|(old, new)| old == new).count();
        while !path.is_char_boundary(shared) {
            shared -= 1;
        }
        let list = change.acl.as_ref().map_or(0, |list| self.number(list));
        self.put(zxid.0 - self.last.0);
        self.put(change.kind as u64);
        self.put(list);
        self.put(shared as u64);
        self.put((path.len() - shared) as u64);
        self.packed.extend_from_slice(&path.as_bytes()[shared..]);
        self.last = zxid;
        self.count += 1;
    }

    /// The number of a list. Neighbours often have the same.
    fn number(&mut self, list: &Arc<[Acl]>) -> u64 {
        if self.lists.last() != Some(list) {
            let text = |acl: &Acl| OVERHEAD + (acl.scheme.len() + acl.id.len()) as u64;
            self.list_bytes += OVERHEAD + list.iter().map(text).sum::<u64>();
            self.lists.push(Arc::clone(list));
        }
        self.lists.len() as u64
    }

    fn put(&mut self, mut number: u64) {
        while 0x80 <= number {
            self.packed.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.packed.push(number as u8);
    }

    fn since(&self, after: Index, show: &mut impl FnMut(Index, &Change)) {
        let mut rest = &*self.packed;
        let mut zxid = Index(0);
        let mut change = Change {
            kind: EventKind::NodeCreated,
            path: String::new(),
            acl: None,
        };
        for _ in 0..self.count {
            zxid.0 += number(&mut rest);
            change.kind = match number(&mut rest) {
                1 => EventKind::NodeCreated,
                2 => EventKind::NodeDeleted,
                3 => EventKind::NodeDataChanged,
                _ => EventKind::NodeChildrenChanged,
            };
            let list = (number(&mut rest) as usize).checked_sub(1);
            change.acl = list.and_then(|at| self.lists.get(at)).cloned();
            change.path.truncate(number(&mut rest) as usize);
            let more = number(&mut rest) as usize;
            let (text, behind) = rest.split_at_checked(more).unwrap_or((rest, &[]));
            change.path += core::str::from_utf8(text).unwrap_or_default();
            rest = behind;
            if after < zxid {
                show(zxid, &change);
            }
        }
    }
}

/// The next number.
fn number(rest: &mut &[u8]) -> u64 {
    let (mut number, mut shift) = (0, 0);
    while let Some((byte, behind)) = rest.split_first() {
        *rest = behind;
        number |= u64::from(byte & 0x7F) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            break;
        }
    }
    number
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::vec;

    use super::*;

    fn zxids(history: &History, since: u64) -> Option<Vec<u64>> {
        let mut zxids = Vec::new();
        let known = history.since(Index(since), |zxid, _| zxids.push(zxid.0));
        known.then_some(zxids)
    }

    fn change(kind: EventKind, path: &str) -> Change {
        Change {
            kind,
            path: String::from(path),
            acl: None,
        }
    }

    #[test]
    fn keeps_the_last_and_says_when_it_does_not_know() {
        // Seven numbers are the same as in the path before, but for the last one or two.
        let limit = 1_000 * 7;
        let mut history = History::new(Index(100), limit);
        assert_eq!(zxids(&history, 100), Some(Vec::new()));
        assert_eq!(zxids(&history, 99), None);
        for zxid in 101..=5_000_u64 {
            let change = change(EventKind::NodeCreated, &format!("/{zxid:07}"));
            history.push(Index(zxid), &change);
            assert!(history.bytes <= limit);
        }
        let start = history.start.0;
        assert!((3_900..4_300).contains(&start), "{start}");
        assert_eq!(zxids(&history, start - 1), None);
        assert_eq!(zxids(&history, start), Some((start + 1..=5_000).collect()));
        assert_eq!(zxids(&history, 4_999), Some([5_000].into()));
        assert_eq!(zxids(&history, 5_000), Some(Vec::new()));
        let clone = history.clone();
        history.jump(Index(6_000));
        assert_eq!(zxids(&history, 5_999), None);
        assert_eq!(zxids(&clone, 4_999), Some([5_000].into()));
    }

    #[test]
    fn one_transaction_stays_together() {
        let mut history = History::new(Index(0), 1 << 20);
        for at in 0..600 {
            history.push(Index(1 + at / 300), &change(EventKind::NodeDeleted, "/a"));
        }
        assert_eq!(zxids(&history, 1).map(|all| all.len()), Some(300));
        assert_eq!(zxids(&history, 0).map(|all| all.len()), Some(600));
    }

    #[test]
    fn changes_come_back_as_they_were() {
        use EventKind::{NodeChildrenChanged, NodeCreated, NodeDataChanged, NodeDeleted};

        let list = |id: &str| -> Arc<[Acl]> {
            let acl = Acl {
                perms: 31,
                scheme: "digest".into(),
                id: id.into(),
            };
            vec![acl].into()
        };
        let long = format!("/{}", "x".repeat(70_000));
        // The letters of the second and the third begin with the same byte.
        let paths = [
            "/",
            "/\u{e4}/b",
            "/\u{e5}/b",
            "/\u{e5}",
            "",
            &long,
            "/a/b/c",
            "/a/b",
        ];
        let kinds = [
            NodeCreated,
            NodeDeleted,
            NodeDataChanged,
            NodeChildrenChanged,
        ];
        let lists = [
            None,
            Some(list("a")),
            Some(list("a")),
            Some(list("b")),
            None,
        ];
        let mut history = History::new(Index(7), 1 << 30);
        let mut expected = Vec::new();
        for at in 0..2_000_usize {
            let change = Change {
                kind: kinds[at / 3 % kinds.len()],
                path: paths[at % paths.len()].into(),
                acl: lists[at / 7 % lists.len()].clone(),
            };
            let zxid = Index(10 + (at as u64 / 5) * 1_000_000_007);
            history.push(zxid, &change);
            expected.push((zxid, change));
        }
        let mut shown = Vec::new();
        assert!(history.since(Index(7), |zxid, change| shown.push((zxid, change.clone()))));
        assert!(shown == expected);
    }

    /// A million creates in folders, as `cargo xtask versus --memory` makes them.
    #[test]
    fn neighbours_take_little() {
        let mut history = History::new(Index(0), 1 << 30);
        for at in 0..10_000_u64 {
            let folder = format!("/many/{:05}", at / 500);
            let path = format!("{folder}/{at:06}");
            history.push(Index(1 + at / 500), &change(EventKind::NodeCreated, &path));
            history.push(
                Index(1 + at / 500),
                &change(EventKind::NodeChildrenChanged, &folder),
            );
        }
        let each = history.bytes / 10_000;
        assert!(each <= 20, "{each} bytes for each");
    }
}

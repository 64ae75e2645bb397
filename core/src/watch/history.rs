//! What happened to the tree lately, as one node applied it, so that a watch can be taken up again where a
//! connection broke (rule R20). A ring with a limit in bytes; what has left it is gone. Knows no watches.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::command::Change;
use crate::id::Index;

/// Changes in one piece: what a clone shares, and what leaves at once.
const PIECE: usize = 256;
/// What a change counts beside its path.
const OVERHEAD: u64 = 96;

/// The last changes, oldest first. A clone copies one pointer for each piece.
#[derive(Clone)]
pub(crate) struct History {
    limit: u64,
    bytes: u64,
    /// All changes behind this index are here.
    start: Index,
    pieces: VecDeque<Arc<Vec<Past>>>,
}

/// A change and its transaction.
#[derive(Clone)]
pub(crate) struct Past {
    pub(crate) zxid: Index,
    pub(crate) change: Arc<Change>,
}

impl History {
    /// Nothing, of what comes behind `start`.
    pub(crate) const fn new(start: Index, limit: u64) -> Self {
        Self {
            limit,
            bytes: 0,
            start,
            pieces: VecDeque::new(),
        }
    }

    /// The state jumped to this index, so nobody knows what happened on the way.
    pub(crate) fn jump(&mut self, to: Index) {
        *self = Self::new(to, self.limit);
    }

    pub(crate) fn push(&mut self, zxid: Index, change: Change) {
        let change = Arc::new(change);
        let past = Past { zxid, change };
        self.bytes += past.bytes();
        match self.pieces.back_mut() {
            Some(piece) if piece.len() < PIECE => Arc::make_mut(piece).push(past),
            _ => {
                let mut piece = Vec::with_capacity(PIECE);
                piece.push(past);
                self.pieces.push_back(Arc::new(piece));
            }
        }
        while self.limit < self.bytes
            && let Some(oldest) = self.pieces.pop_front()
        {
            self.bytes -= oldest.iter().map(Past::bytes).sum::<u64>();
            self.start = oldest.last().map_or(self.start, |past| past.zxid);
        }
    }

    /// All changes behind `zxid`, if they are here.
    pub(crate) fn since(&self, zxid: Index) -> Option<impl Iterator<Item = &Past>> {
        let is_before = |piece: &Arc<Vec<Past>>| piece.last().is_some_and(|past| past.zxid <= zxid);
        let from = self.pieces.partition_point(is_before);
        let changes = self.pieces.iter().skip(from).flat_map(|piece| piece.iter());
        (self.start <= zxid).then(|| changes.filter(move |past| zxid < past.zxid))
    }
}

impl Past {
    fn bytes(&self) -> u64 {
        OVERHEAD + self.change.path.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;

    use super::*;
    use crate::request::EventKind;

    fn zxids(history: &History, since: u64) -> Option<Vec<u64>> {
        let changes = history.since(Index(since))?;
        Some(changes.map(|past| past.zxid.0).collect())
    }

    #[test]
    fn keeps_the_last_and_says_when_it_does_not_know() {
        let limit = 1_000 * (OVERHEAD + 8);
        let mut history = History::new(Index(100), limit);
        assert_eq!(zxids(&history, 100), Some(Vec::new()));
        assert_eq!(zxids(&history, 99), None);
        for zxid in 101..=5_000_u64 {
            let change = Change {
                kind: EventKind::NodeCreated,
                path: format!("/{zxid:07}"),
                acl: None,
            };
            history.push(Index(zxid), change);
            assert!(history.bytes <= limit);
        }
        let start = history.start.0;
        assert!((4_000..4_300).contains(&start), "{start}");
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
        let change = |path: &str| Change {
            kind: EventKind::NodeDeleted,
            path: String::from(path),
            acl: None,
        };
        for at in 0..600 {
            history.push(Index(1 + at / 300), change("/a"));
        }
        assert_eq!(zxids(&history, 1).map(|all| all.len()), Some(300));
        assert_eq!(zxids(&history, 0).map(|all| all.len()), Some(600));
    }
}

//! What Raft wants on disk, as types. Knows nothing of files or syncs: the driver carries it out.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::id::Index;
use crate::raft::message::{Entry, SnapshotMeta, Vote};

/// Body of a write; torn only between records, applied in this order.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct Records {
    /// First, so that no entry ever precedes its term.
    pub vote: Option<Vote>,
    /// This snapshot, whose parts have been reported as saved, is in force from here on. It says what
    /// becomes of the log with `keep_log_from`.
    pub snapshot: Option<SnapshotMeta>,
    /// Entries before this index are no longer needed. With a received snapshot that the log does not
    /// reach, it is the index after the snapshot and the whole log goes.
    pub keep_log_from: Option<Index>,
    /// All entries from `keep_log_from` on go too: the log conflicts with the received snapshot.
    pub drop_log: bool,
    /// Contiguous. An entry at index i drops everything from i on that was written before.
    pub entries: Vec<Entry>,
    /// Never needs a sync of its own.
    pub commit_hint: Option<Index>,
    /// Whether `Written` may be said only after a sync.
    pub sync: bool,
}

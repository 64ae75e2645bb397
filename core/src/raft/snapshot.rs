//! Snapshots as far as Raft goes: offers, pulls, and what becomes of the log. What is in a snapshot, and
//! how its parts travel and are saved, is the node's business.

use alloc::vec::Vec;

use bytes::Bytes;

use super::disk::{Cut, Origin};
use super::membership::Membership;
use super::message::{Message, SnapshotMeta};
use super::progress::Stream;
use super::{Effect, Raft, State};
use crate::config::Bug;
use crate::halt::Halt;
use crate::id::{Index, LogId, NodeId};

impl Raft {
    /// This node's own snapshot is saved. The next write puts it in force, and once that is durable the
    /// entries before `keep_from` leave memory.
    pub fn compact(&mut self, meta: SnapshotMeta, keep_from: Index) {
        let covered = self
            .snapshot
            .as_ref()
            .map_or(Index(0), |meta| meta.last.index);
        if self.halted || self.installing.is_some() || meta.last.index <= covered {
            return;
        }
        debug_assert!(meta.last.index <= self.ready());
        let keep_from = keep_from.clamp(self.first_index(), meta.last.index.next());
        self.disk.cut(Cut {
            meta,
            keep_from,
            origin: Origin::Own,
        });
    }

    /// A received snapshot is saved. It replaces the log when the write that puts it in force is
    /// durable; then comes `Installed`. It never comes if the log got that far by itself.
    pub fn install(&mut self, meta: SnapshotMeta, out: &mut Vec<Effect>) {
        if self.halted {
            return;
        }
        let matches = self.log.contains(meta.last) && !self.config.has(Bug::DropTailOnMatch);
        if meta.last.index <= self.commit || matches {
            // The entries behind it may be the only copy that completes a majority: they stay.
            return self.commit_to(meta.last.index, out);
        }
        if self.is_leader() {
            return self.halt(Halt::SnapshotDiffers { last: meta.last }, out);
        }
        let keep_from = meta.last.index.next();
        self.installing = Some(meta.clone());
        self.disk.cut(Cut {
            meta,
            keep_from,
            origin: Origin::Received,
        });
    }

    /// A snapshot of this node's own is in force.
    pub(super) fn compacted(&mut self, cut: Cut) {
        self.log.cut(cut.keep_from);
        self.snapshot = Some(cut.meta);
    }

    /// A received snapshot is in force. Whatever the log held did not reach it or conflicts with it, so
    /// all of it goes (hashicorp/raft#697).
    pub(super) fn installed(&mut self, meta: SnapshotMeta, out: &mut Vec<Effect>) {
        let index = meta.last.index;
        self.installing = None;
        match self.config.has(Bug::KeepTailOnConflict) && index <= self.log.last().index {
            false => self.log.replace(&meta),
            true => self.log.cut(index.next()),
        }
        self.disk.replaced(index);
        self.commit_to(index, out);
        self.membership = Membership::new(index, meta.configuration.clone(), &self.config);
        self.snapshot = Some(meta.clone());
        out.push(Effect::Installed { meta });
        self.reconfigured(out);
        if let State::Follower {
            leader: Some(leader),
            ..
        } = self.state
        {
            self.rearm();
            self.say_matched(leader, index, out);
        }
    }

    /// The leader offers a snapshot in place of entries it does not have any more.
    pub(super) fn on_offer(&mut self, from: NodeId, meta: SnapshotMeta, out: &mut Vec<Effect>) {
        if self.installing.is_some() {
            return;
        }
        let matches = self.log.contains(meta.last) && !self.config.has(Bug::DropTailOnMatch);
        if !matches && self.commit < meta.last.index {
            return out.push(Effect::Offered { from, meta });
        }
        self.commit_to(meta.last.index, out);
        // What is committed here equals the leader's log.
        self.say_matched(from, self.commit, out);
    }

    /// A peer asks for a part. As long as it does, nothing new is offered to it.
    pub(super) fn on_pull(
        &mut self,
        from: NodeId,
        last: LogId,
        cursor: Bytes,
        out: &mut Vec<Effect>,
    ) {
        let now = self.now;
        let State::Leader(leadership) = &mut self.state else {
            return;
        };
        let Some(peer) = leadership.peer_mut(from) else {
            return;
        };
        if let Stream::Snapshot {
            last: offered,
            since,
        } = &mut peer.stream
            && *offered == last
        {
            *since = now;
        }
        out.push(Effect::Pulled { from, last, cursor });
    }

    fn say_matched(&mut self, leader: NodeId, matched: Index, out: &mut Vec<Effect>) {
        let term = self.vote.term;
        let message = Message::Appended { term, matched };
        self.say(leader, message, self.disk.log(matched), out);
    }
}

//! Snapshots of this node: taken here, or pulled from a leader, and in both cases saved part by part in a
//! lane of their own (rule R3). A snapshot is a clone of the state machine, which shares its pages; its
//! parts are encoded when the disk or a peer asks for them, a bounded piece a step.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem;

use bytes::Bytes;

use super::io::{Note, Output, SavePart, SnapshotStage};
use super::{Effects, Node};
use crate::config::{Bug, Config};
use crate::id::{Index, LogId, NodeId, SaveId};
use crate::machine::{Machine, Retired};
use crate::message::Message;
use crate::raft::message::{Message as RaftMessage, SnapshotMeta};
use crate::request::Hangup;
use crate::time::Time;
use crate::wire::snapshot::Rebuild;

/// Parts handed to the disk and not yet reported.
const PARTS_IN_FLIGHT: u64 = 2;
/// Pages of an old snapshot that leave memory in one step: some hundred microseconds of work.
const DROP_PAGES: usize = 32;
/// A pull that brought nothing for this many retries gives way to a newer offer.
const STALLED_RETRIES: u32 = 4;

/// What goes on with snapshots.
#[derive(Clone)]
pub(super) struct Snapshots {
    /// The newest one, for peers to pull.
    newest: Option<Frozen>,
    /// The one before it, for a peer that is in the middle of it.
    previous: Option<Frozen>,
    /// Older ones, on their way out of memory a few pages a step (rule R10).
    retired: Vec<Retired>,
    taking: Option<Taking>,
    receiving: Option<Receiving>,
    /// The last part handed out, and the last one reported.
    issued: SaveId,
    saved: SaveId,
    /// Encoded bytes of the last snapshot taken or received (rule R7).
    bytes: u64,
}

#[derive(Clone)]
struct Frozen {
    meta: SnapshotMeta,
    machine: Machine,
}

#[derive(Clone)]
struct Taking {
    frozen: Frozen,
    /// Where the next part begins; `None` when all parts were handed out.
    cursor: Option<Bytes>,
    number: u32,
    bytes: u64,
    /// The last part handed out.
    id: SaveId,
}

#[derive(Clone)]
struct Receiving {
    from: NodeId,
    meta: SnapshotMeta,
    state: Incoming,
    number: u32,
    bytes: u64,
    /// The last part handed to the disk.
    id: SaveId,
}

#[derive(Clone)]
enum Incoming {
    /// Waits for the part after `cursor`.
    Pulling {
        rebuild: Box<Rebuild>,
        cursor: Bytes,
        ask_at: Time,
        retries: u32,
    },
    /// Everything is here and waits to be saved.
    Saving(Machine),
    /// Everything is saved and waits to be in force.
    Installing(Machine),
}

impl Snapshots {
    pub(super) fn new(booted: Option<(SnapshotMeta, Machine)>, bytes: u64) -> Self {
        Self {
            newest: booted.map(|(meta, machine)| Frozen { meta, machine }),
            previous: None,
            retired: Vec::new(),
            taking: None,
            receiving: None,
            issued: SaveId(0),
            saved: SaveId(0),
            bytes,
        }
    }

    fn keep(&mut self, frozen: Frozen, bytes: u64) {
        let previous = mem::replace(&mut self.previous, self.newest.replace(frozen));
        self.retired
            .extend(previous.map(|old| old.machine.retire()));
        self.bytes = bytes;
    }

    /// Gives up what is being taken. Like everything that may be large it leaves memory page by page.
    fn stop_taking(&mut self) {
        let taking = self.taking.take();
        self.retired
            .extend(taking.map(|taking| taking.frozen.machine.retire()));
    }

    /// Gives up what is being received.
    fn stop_receiving(&mut self) {
        self.retired.extend(
            self.receiving
                .take()
                .map(|receiving| match receiving.state {
                    Incoming::Pulling { rebuild, .. } => rebuild.retire(),
                    Incoming::Saving(machine) | Incoming::Installing(machine) => machine.retire(),
                }),
        );
    }

    fn wants_to_take(&self, config: &Config, log_bytes: u64, log_entries: u64) -> bool {
        self.taking.is_none()
            && self.receiving.is_none()
            && (log_bytes
                > config
                    .compact_bytes
                    .max(2 * config.keep_bytes)
                    .max(self.bytes)
                || log_entries > config.compact_entries.max(2 * config.keep_entries))
    }

    /// Lets go of some of what nobody can ask for any more.
    pub(super) fn drop_old(&mut self) {
        if let Some(old) = self.retired.last_mut()
            && !old.drop_pages(DROP_PAGES)
        {
            self.retired.pop();
        }
    }

    fn has_room(&self) -> bool {
        self.issued.0 - self.saved.0 < PARTS_IN_FLIGHT
    }

    /// Protocol state for the digest.
    pub(super) fn digest(&self, into: &mut impl FnMut(u64)) {
        into(self.issued.0);
        into(self.saved.0);
        into(
            self.newest
                .as_ref()
                .map_or(0, |frozen| frozen.meta.last.index.0),
        );
        into(
            self.taking
                .as_ref()
                .map_or(0, |taking| u64::from(taking.number)),
        );
        into(
            self.receiving
                .as_ref()
                .map_or(0, |receiving| u64::from(receiving.number)),
        );
    }
}

impl Node {
    /// Freezes the state if the log has grown enough or an operator wants it.
    pub(super) fn take_snapshot(&mut self, wanted: bool, out: &mut Vec<Output>) {
        let log_entries = self.raft.last().index.0 + 1 - self.raft.first_index().0;
        let due = self
            .snapshots
            .wants_to_take(&self.config, self.raft.log_bytes(), log_entries);
        let covered = self
            .raft
            .snapshot()
            .map_or(Index(0), |meta| meta.last.index);
        let busy = self.snapshots.taking.is_some() || self.snapshots.receiving.is_some();
        if busy || !(due || wanted) || self.applied.index <= covered {
            return;
        }
        let configuration = match self.config.has(Bug::SnapshotOfNewestMembers) {
            false => self.raft.configuration_at(self.applied.index),
            true => self.raft.configuration(),
        };
        let meta = SnapshotMeta {
            last: self.applied,
            stamp: self.stamp,
            configuration: configuration.clone(),
        };
        self.note_snapshot(meta.last.index, SnapshotStage::Taken, out);
        let frozen = Frozen {
            meta,
            machine: self.machine.clone(),
        };
        if self.config.has(Bug::LogCutBeforeSnapshot) {
            let keep_from = self.keep_from(frozen.meta.last.index);
            self.raft.compact(frozen.meta.clone(), keep_from);
        }
        let cursor = Some(Bytes::new());
        let id = self.snapshots.issued;
        self.snapshots.taking = Some(Taking {
            frozen,
            cursor,
            number: 0,
            bytes: 0,
            id,
        });
    }

    /// Hands the next part of a snapshot that is being taken to the disk, if there is room.
    pub(super) fn save_next_part(&mut self, out: &mut Vec<Output>) {
        if !self.snapshots.has_room() {
            return;
        }
        let Some(taking) = &mut self.snapshots.taking else {
            return;
        };
        let Some(cursor) = taking.cursor.take() else {
            return;
        };
        let limit = self.config.snapshot_part_bytes;
        let (bytes, next) = taking.frozen.machine.part(&cursor, limit);
        self.snapshots.issued = self.snapshots.issued.next();
        taking.id = self.snapshots.issued;
        taking.bytes += bytes.len() as u64;
        let part = SavePart {
            meta: taking.frozen.meta.clone(),
            number: taking.number,
            bytes,
            last: next.is_none(),
        };
        taking.number += 1;
        taking.cursor = next;
        out.push(Output::Save {
            id: taking.id,
            part,
        });
    }

    /// The disk reports parts as durable.
    pub(super) fn saved(&mut self, id: SaveId, effects: &mut Effects, out: &mut Vec<Output>) {
        let snapshots = &mut self.snapshots;
        snapshots.saved = snapshots.saved.max(id.min(snapshots.issued));
        let saved = snapshots.saved;
        if let Some(taken) = snapshots
            .taking
            .take_if(|taking| taking.cursor.is_none() && taking.id <= saved)
        {
            let meta = taken.frozen.meta.clone();
            snapshots.keep(taken.frozen, taken.bytes);
            self.note_snapshot(meta.last.index, SnapshotStage::InForce, out);
            let keep_from = self.keep_from(meta.last.index);
            self.raft.compact(meta, keep_from);
        }
        if let Some(receiving) = &mut self.snapshots.receiving
            && let Incoming::Saving(machine) = &receiving.state
            && receiving.id <= saved
        {
            receiving.state = Incoming::Installing(machine.clone());
            self.raft.install(receiving.meta.clone(), effects);
        }
    }

    /// The first entry that a snapshot up to `last` leaves in the log, for peers that are a little behind.
    fn keep_from(&self, last: Index) -> Index {
        let few = Index(last.0.saturating_sub(self.config.keep_entries) + 1);
        few.max(self.raft.tail(last, self.config.keep_bytes))
    }

    /// A leader offers a snapshot, because the entries this node needs are gone.
    pub(super) fn snapshot_offered(
        &mut self,
        from: NodeId,
        meta: SnapshotMeta,
        out: &mut Vec<Output>,
    ) {
        if let Some(receiving) = &mut self.snapshots.receiving {
            let stalled = matches!(receiving.state,
                Incoming::Pulling { retries, .. } if retries >= STALLED_RETRIES);
            if receiving.meta.last == meta.last || !stalled {
                receiving.from = from;
                return;
            }
        }
        self.note_snapshot(meta.last.index, SnapshotStage::Offered, out);
        self.snapshots.stop_taking();
        self.snapshots.stop_receiving();
        let rebuild = Box::new(Rebuild::new());
        let state = Incoming::Pulling {
            rebuild,
            cursor: Bytes::new(),
            ask_at: self.now,
            retries: 0,
        };
        let id = self.snapshots.issued;
        self.snapshots.receiving = Some(Receiving {
            from,
            meta,
            state,
            number: 0,
            bytes: 0,
            id,
        });
        self.pull_snapshot(out);
    }

    /// Asks for the next part when that is due. A snapshot that the log has overtaken is given up.
    pub(super) fn pull_snapshot(&mut self, out: &mut Vec<Output>) {
        let now = self.now;
        let applied = self.applied.index;
        let receiving = &self.snapshots.receiving;
        if receiving
            .as_ref()
            .is_some_and(|receiving| receiving.meta.last.index <= applied)
        {
            self.snapshots.stop_receiving();
        }
        let term = self.raft.term();
        if !self.raft.term_is_durable() {
            // The message would state it. The disk's report brings the next step.
            return;
        }
        let Some(receiving) = &mut self.snapshots.receiving else {
            return;
        };
        let Incoming::Pulling {
            cursor,
            ask_at,
            retries,
            ..
        } = &mut receiving.state
        else {
            return;
        };
        if now < *ask_at {
            return;
        }
        *ask_at = now + self.config.retry;
        *retries += 1;
        let (last, cursor) = (receiving.meta.last, cursor.clone());
        let message = Message::Raft(RaftMessage::SnapshotPull { term, last, cursor });
        out.push(Output::Send {
            to: receiving.from,
            message,
        });
    }

    /// A peer asks for a part of the snapshot it was offered.
    pub(super) fn snapshot_pulled(
        &mut self,
        from: NodeId,
        last: LogId,
        cursor: Bytes,
        out: &mut Vec<Output>,
    ) {
        let kept = [&self.snapshots.newest, &self.snapshots.previous];
        let Some(frozen) = kept
            .into_iter()
            .flatten()
            .find(|frozen| frozen.meta.last == last)
        else {
            // Two newer ones came since it was offered. The peer would ask for this one for ever.
            if let Some(newest) = &self.snapshots.newest {
                let (term, meta) = (self.raft.term(), newest.meta.clone());
                let message = Message::Raft(RaftMessage::SnapshotOffer { term, meta });
                out.push(Output::Send { to: from, message });
            }
            return;
        };
        let (bytes, next) = frozen
            .machine
            .part(&cursor, self.config.snapshot_part_bytes);
        let term = self.raft.term();
        let message = Message::Raft(RaftMessage::SnapshotPart {
            term,
            last,
            cursor,
            next,
            bytes,
        });
        out.push(Output::Send { to: from, message });
    }

    /// A part arrived.
    pub(super) fn snapshot_part(
        &mut self,
        last: LogId,
        cursor: &Bytes,
        next: Option<Bytes>,
        bytes: Bytes,
        out: &mut Vec<Output>,
    ) {
        let now = self.now;
        let Some(receiving) = &mut self.snapshots.receiving else {
            return;
        };
        let Incoming::Pulling {
            rebuild,
            cursor: expected,
            ask_at,
            retries,
        } = &mut receiving.state
        else {
            return;
        };
        if receiving.meta.last != last || expected != cursor {
            return;
        }
        if rebuild.add(&bytes).is_err() {
            // A part that cannot be read: begin again when the leader offers again.
            self.snapshots.stop_receiving();
            return;
        }
        self.snapshots.issued = self.snapshots.issued.next();
        receiving.id = self.snapshots.issued;
        receiving.bytes += bytes.len() as u64;
        let part = SavePart {
            meta: receiving.meta.clone(),
            number: receiving.number,
            bytes,
            last: next.is_none(),
        };
        receiving.number += 1;
        if let Some(next) = next {
            *expected = next;
            *ask_at = now;
            *retries = 0;
            out.push(Output::Save {
                id: receiving.id,
                part,
            });
            self.pull_snapshot(out);
            return;
        }
        let rebuild = mem::replace(&mut **rebuild, Rebuild::new());
        let Ok(machine) = rebuild.finish() else {
            self.snapshots.receiving = None;
            return;
        };
        receiving.state = Incoming::Saving(machine);
        out.push(Output::Save {
            id: receiving.id,
            part,
        });
    }

    /// The received snapshot is durable and in force: it replaces the state.
    pub(super) fn installed(&mut self, meta: &SnapshotMeta, out: &mut Vec<Output>) {
        let Some(Receiving {
            state: Incoming::Installing(machine),
            meta: received,
            bytes,
            ..
        }) = self.snapshots.receiving.take()
        else {
            return;
        };
        debug_assert!(received == *meta);
        let old = mem::replace(&mut self.machine, machine.clone());
        self.snapshots.retired.push(old.retire());
        if self.config.has(Bug::SnapshotForgetsLives) {
            self.machine.sessions.forget_lives();
        }
        self.applied = meta.last;
        self.stamp = meta.stamp;
        self.history.jump(meta.last.index);
        self.deeds.jump(meta.last.index);
        self.snapshots.keep(
            Frozen {
                meta: received,
                machine,
            },
            bytes,
        );
        // Watches may have missed what happened in between (rule R17).
        if !self.config.has(Bug::ClientsOutliveInstall) {
            self.hang_up_all(Hangup::SnapshotInstalled, out);
        }
        self.note_snapshot(meta.last.index, SnapshotStage::Installed, out);
    }

    /// When this part of the node wants to be woken.
    pub(super) fn snapshots_deadline(&self) -> Time {
        if let Some(Receiving {
            state: Incoming::Pulling { ask_at, .. },
            ..
        }) = self.snapshots.receiving
        {
            let durable = self.raft.term_is_durable();
            return if durable { ask_at } else { Time::NEVER };
        }
        match &self.snapshots.taking {
            Some(taking) if taking.cursor.is_some() && self.snapshots.has_room() => self.now,
            _ => Time::NEVER,
        }
    }

    fn note_snapshot(&self, last: Index, stage: SnapshotStage, out: &mut Vec<Output>) {
        if self.config.notes {
            out.push(Output::Note(Note::Snapshot { last, stage }));
        }
    }
}

#[cfg(test)]
mod tests;

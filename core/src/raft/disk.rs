//! What the disk holds of what memory holds, and the statements that wait for it. A message leaves when
//! the facts it states are durable, and dies with them (rule R2). Knows writes only by number.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::message::{Message, SnapshotMeta};
use super::view::WithheldView;
use crate::id::{Index, NodeId, WriteId};
use crate::time::Time;

/// Writes under way, what they claim, and what waits for them.
#[derive(Clone)]
pub(super) struct Disk {
    /// The number of the next write.
    next: WriteId,
    /// All writes up to this one are durable.
    reported: WriteId,
    in_flight: VecDeque<InFlight>,
    /// Disk equals memory up to here.
    durable: Index,
    /// Entries up to here were handed to the disk.
    handed: Index,
    /// The commit index that was last noted down.
    pub(super) hinted: Index,
    /// The vote is not handed to the disk yet.
    vote_is_new: bool,
    /// The write that holds the current term, and the one that holds the current vote.
    term_in: WriteId,
    vote_in: WriteId,
    /// A snapshot that the next write puts in force.
    cut: Option<Cut>,
    withheld: VecDeque<Withheld>,
    /// Their encoded bytes.
    withheld_bytes: u64,
}

#[derive(Clone)]
struct InFlight {
    id: WriteId,
    /// Once it is durable, disk equals memory up to here. Speaks about the present log: lowered when
    /// that is truncated.
    claim: Index,
    since: Time,
    cut: Option<Cut>,
}

/// A snapshot to be put in force.
#[derive(Clone, Debug)]
pub(super) struct Cut {
    pub(super) meta: SnapshotMeta,
    /// The first entry that stays.
    pub(super) keep_from: Index,
    pub(super) origin: Origin,
}

/// Where a snapshot comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Origin {
    /// Taken here; the log stays from `keep_from` on.
    Own,
    /// From a leader; it replaces the log.
    Received,
    /// In force since the boot; the log on disk that does not fit it must still go.
    Booted,
}

/// The facts that a message states.
#[derive(Clone, Copy)]
pub(super) struct Facts {
    write: WriteId,
    /// The log up to here.
    pub(super) index: Index,
}

#[derive(Clone)]
struct Withheld {
    to: NodeId,
    message: Message,
    facts: Facts,
    bytes: u64,
}

impl Disk {
    /// A disk that holds the log up to `last` and has noted down `hinted` as committed.
    pub(super) fn new(last: Index, hinted: Index, cut: Option<Cut>) -> Self {
        Self {
            next: WriteId(1),
            reported: WriteId(0),
            in_flight: VecDeque::new(),
            durable: last,
            handed: last,
            hinted,
            vote_is_new: false,
            term_in: WriteId(0),
            vote_in: WriteId(0),
            cut,
            withheld: VecDeque::new(),
            withheld_bytes: 0,
        }
    }

    pub(super) fn durable(&self) -> Index {
        self.durable
    }

    pub(super) fn handed(&self) -> Index {
        self.handed
    }

    /// The last write that was handed out.
    pub(super) fn issued(&self) -> WriteId {
        self.next.prev()
    }

    /// Since when the oldest unreported write is under way.
    pub(super) fn waits_since(&self) -> Option<Time> {
        self.in_flight.front().map(|write| write.since)
    }

    // Facts.

    /// The current term.
    pub(super) fn term(&self) -> Facts {
        self.facts(self.term_in, Index(0))
    }

    /// The current term and the vote in it.
    pub(super) fn vote(&self) -> Facts {
        self.facts(self.vote_in, Index(0))
    }

    /// The current term, and the log up to `index`.
    pub(super) fn log(&self, index: Index) -> Facts {
        self.facts(self.term_in, index)
    }

    /// Nothing.
    pub(super) fn nothing(&self) -> Facts {
        self.facts(WriteId(0), Index(0))
    }

    const fn facts(&self, write: WriteId, index: Index) -> Facts {
        Facts { write, index }
    }

    pub(super) fn holds(&self, facts: Facts) -> bool {
        facts.write <= self.reported && facts.index <= self.durable
    }

    // Statements that wait.

    /// Gives the message back if its facts are durable, else keeps it. Beyond `limit_bytes` the oldest go:
    /// whoever waits for them asks again.
    pub(super) fn withhold(
        &mut self,
        to: NodeId,
        message: Message,
        facts: Facts,
        limit_bytes: u64,
    ) -> Option<Message> {
        if self.holds(facts) {
            return Some(message);
        }
        let bytes = message.encoded_bytes();
        self.withheld_bytes += bytes;
        self.withheld.push_back(Withheld {
            to,
            message,
            facts,
            bytes,
        });
        while limit_bytes < self.withheld_bytes
            && let Some(oldest) = self.withheld.pop_front()
        {
            self.withheld_bytes -= oldest.bytes;
        }
        None
    }

    /// Takes what need not wait any longer. Of several acks to one leader the highest says it all.
    pub(super) fn release(&mut self) -> Vec<(NodeId, Message)> {
        let mut released: Vec<(NodeId, Message)> = Vec::new();
        if !self
            .withheld
            .iter()
            .any(|withheld| self.holds(withheld.facts))
        {
            return released;
        }
        for withheld in core::mem::take(&mut self.withheld) {
            if !self.holds(withheld.facts) {
                self.withheld.push_back(withheld);
                continue;
            }
            let Withheld {
                to, message, bytes, ..
            } = withheld;
            self.withheld_bytes -= bytes;
            match released.last_mut() {
                Some((before, older)) if *before == to && supersedes(&message, older) => {
                    *older = message;
                }
                _ => released.push((to, message)),
            }
        }
        released
    }

    /// Drops what was to be said in an earlier term.
    pub(super) fn forget_withheld(&mut self, keeps: impl Fn(&Message) -> bool) {
        self.keep(|withheld| keeps(&withheld.message));
    }

    fn keep(&mut self, keeps: impl Fn(&Withheld) -> bool) {
        let bytes = &mut self.withheld_bytes;
        self.withheld.retain(|withheld| {
            let stays = keeps(withheld);
            if !stays {
                *bytes -= withheld.bytes;
            }
            stays
        });
    }

    pub(super) fn withheld(&self) -> Vec<WithheldView> {
        let view = |withheld: &Withheld| WithheldView {
            to: withheld.to,
            message: withheld.message.clone(),
        };
        self.withheld.iter().map(view).collect()
    }

    /// How many wait, and the highest index they name.
    pub(super) fn waiting(&self) -> (usize, Index) {
        let indexes = self.withheld.iter().map(|withheld| withheld.facts.index);
        (self.withheld.len(), indexes.max().unwrap_or_default())
    }

    /// Bytes of what waits; and whether that is what it says.
    pub(super) fn withheld_bytes(&self) -> (u64, bool) {
        let bytes = self.withheld.iter().map(|withheld| withheld.bytes);
        (
            self.withheld_bytes,
            bytes.sum::<u64>() == self.withheld_bytes,
        )
    }

    // What happens to memory.

    /// The vote changed, and with it the term if `term`.
    pub(super) fn vote_changed(&mut self, term: bool) {
        self.vote_is_new = true;
        self.vote_in = self.next;
        if term {
            self.term_in = self.next;
        }
    }

    /// The log lost its entries from `from` on: neither the disk nor a write under way holds what
    /// will stand there.
    pub(super) fn truncated(&mut self, from: Index, lower_claims: bool, drop_acks: bool) {
        let kept = from.prev();
        self.durable = self.durable.min(kept);
        self.handed = self.handed.min(kept);
        if lower_claims {
            for write in &mut self.in_flight {
                write.claim = write.claim.min(kept);
            }
        }
        if drop_acks {
            self.keep(|withheld| withheld.facts.index < from);
        }
    }

    /// Asks for a snapshot to be put in force by the next write. One that replaces the log comes first.
    pub(super) fn cut(&mut self, cut: Cut) {
        let replaces = |cut: &Cut| cut.origin != Origin::Own;
        if replaces(&cut) || !self.cut.as_ref().is_some_and(replaces) {
            self.cut = Some(cut);
        }
    }

    /// A received snapshot replaced the log: older claims are void (rule R2).
    pub(super) fn replaced(&mut self, last: Index) {
        self.durable = last;
        self.handed = last;
        for write in &mut self.in_flight {
            write.claim = last;
        }
        self.keep(|withheld| withheld.facts.index <= last);
    }

    // Writes.

    /// Whether there is something to write, the log ending at `last`.
    pub(super) fn has_work(&self, last: Index) -> bool {
        self.vote_is_new || self.cut.is_some() || self.handed < last
    }

    /// Begins a write that brings the disk's log to `last`. Says whether the vote is to be in it, and
    /// which snapshot.
    pub(super) fn begin(&mut self, last: Index, now: Time) -> (WriteId, bool, Option<Cut>) {
        let id = self.next;
        self.next = id.next();
        self.handed = last;
        let cut = self.cut.take();
        self.in_flight.push_back(InFlight {
            id,
            claim: last,
            since: now,
            cut: cut.clone(),
        });
        (id, core::mem::take(&mut self.vote_is_new), cut)
    }

    /// Every write up to `id` is durable. Gives the snapshots that are in force by that.
    pub(super) fn reported(&mut self, id: WriteId) -> Vec<Cut> {
        let mut cuts = Vec::new();
        while let Some(write) = self.in_flight.pop_front_if(|write| write.id <= id) {
            self.reported = write.id;
            self.durable = self.durable.max(write.claim.min(self.handed));
            cuts.extend(write.cut);
        }
        cuts
    }
}

/// Whether saying `newer` makes it needless to say `older`.
fn supersedes(newer: &Message, older: &Message) -> bool {
    match (newer, older) {
        (
            Message::Appended { term, matched },
            Message::Appended {
                term: before,
                matched: less,
            },
        ) => term == before && less <= matched,
        _ => false,
    }
}

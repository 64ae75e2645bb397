//! Who sent which write, and what became of it: each happens at most once, never after it was refused,
//! and not after its connection was replaced.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;

use super::marks::{Mark, Place};
use super::{Verdict, broken};
use crate::id::Index;
use crate::sim::chunks::Chunks;
use crate::sim::{ClientId, Invariant};

/// Writes kept of each client: more than one makes in a seed.
const WRITES: u64 = 4_096;

/// A write of the workload.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) tag: u64,
    pub(super) places: Vec<Place>,
    /// Whether it has several operations.
    pub(super) multi: bool,
    /// A state up to here was shown to somebody before this was sent.
    pub(super) after: Index,
    /// Cannot happen after this: a later connection of the session was attached here.
    until: Option<Index>,
    /// Happened here.
    seen: Option<Index>,
    pub(super) refused: bool,
}

impl Sent {
    pub(super) const fn new(tag: u64, after: Index) -> Self {
        Self {
            tag,
            places: Vec::new(),
            multi: false,
            after,
            until: None,
            seen: None,
            refused: false,
        }
    }
}

/// The writes of each client, in ascending order of their tags.
#[derive(Clone, Debug, Default)]
pub(super) struct Authors {
    sent: BTreeMap<ClientId, Chunks<Sent>>,
    /// Writes that are no longer kept.
    pub(super) forgotten: u64,
}

/// What is known of a mark.
pub(super) enum Known<'a> {
    /// It is this write.
    Sent(&'a Sent),
    /// It is older than what is kept.
    Forgotten,
    /// Nobody wrote it.
    Unknown,
}

impl Authors {
    pub(super) fn send(&mut self, client: ClientId, sent: Sent) {
        let all = self.sent.entry(client).or_insert_with(|| Chunks::new(0));
        all.push(sent);
        if WRITES < all.next() - all.first() {
            all.drop_before(all.next() - WRITES);
            self.forgotten += 1;
        }
    }

    pub(super) fn known(&self, (client, tag): Mark) -> Known<'_> {
        let Some(all) = self.sent.get(&client) else {
            return Known::Unknown;
        };
        match find(all, tag).and_then(|at| all.get(at)) {
            Some(sent) => Known::Sent(sent),
            None if all.get(all.first()).is_some_and(|first| tag < first.tag) => {
                if all.first() == 0 {
                    Known::Unknown
                } else {
                    Known::Forgotten
                }
            }
            None => Known::Unknown,
        }
    }

    /// A write that has no answer yet is sent again: it can happen after all.
    pub(super) fn send_again(&mut self, client: ClientId, tag: u64) {
        if let Some(all) = self.sent.get_mut(&client)
            && let Some(at) = find(all, tag)
            && let Some(sent) = all.get_mut(at)
        {
            sent.until = None;
        }
    }

    /// A session was attached to a new connection: what the old one sent cannot happen any more.
    pub(super) fn attached(&mut self, client: ClientId, zxid: Index) {
        let Some(all) = self.sent.get_mut(&client) else {
            return;
        };
        for at in (all.first()..all.next()).rev() {
            match all.get_mut(at) {
                Some(sent) if sent.until.is_none() => sent.until = Some(zxid),
                _ => break,
            }
        }
    }

    pub(super) fn refuse(&mut self, client: ClientId, tag: u64) {
        if let Some(all) = self.sent.get_mut(&client)
            && let Some(at) = find(all, tag)
            && let Some(sent) = all.get_mut(at)
        {
            sent.refused = true;
        }
    }

    /// A write happens at most once, never after it was refused, and not after its connection was
    /// replaced. The first time that it is seen, all places that it wrote to come back.
    pub(super) fn happened(&mut self, mark: Mark, zxid: Index) -> Verdict<Vec<Place>> {
        let nobody = || {
            broken(
                Invariant::ExactlyOnce,
                format!("{mark:?} is there, which nobody wrote"),
            )
        };
        match self.known(mark) {
            Known::Unknown => return nobody(),
            Known::Forgotten => return Ok(Vec::new()),
            Known::Sent(_) => {}
        }
        let (client, tag) = mark;
        let Some(all) = self.sent.get_mut(&client) else {
            return nobody();
        };
        let Some(sent) = find(all, tag).and_then(|at| all.get_mut(at)) else {
            return nobody();
        };
        let text = if sent.refused {
            format!("{mark:?} happened at {zxid} although it was refused")
        } else if zxid <= sent.after {
            format!(
                "{mark:?} happened at {zxid}, not after {}, which was shown before it was sent",
                sent.after
            )
        } else if sent.until.is_some_and(|until| until < zxid) {
            format!("{mark:?} happened at {zxid} although its connection had been replaced")
        } else {
            match sent.seen {
                Some(seen) if seen != zxid && !sent.multi => {
                    format!("{mark:?} happened at {seen} and again at {zxid}")
                }
                Some(seen) if seen != zxid => {
                    let text = format!("{mark:?} happened in part at {seen} and in part at {zxid}");
                    return broken(Invariant::AllOrNothing, text);
                }
                Some(_) => return Ok(Vec::new()),
                None => {
                    sent.seen = Some(zxid);
                    return Ok(sent.places.clone());
                }
            }
        };
        broken(Invariant::ExactlyOnce, text)
    }
}

/// The number of the write with this tag.
fn find(all: &Chunks<Sent>, tag: u64) -> Option<u64> {
    let (mut low, mut high) = (all.first(), all.next());
    while low < high {
        let middle = low + (high - low) / 2;
        let there = all.get(middle)?;
        match there.tag.cmp(&tag) {
            core::cmp::Ordering::Less => low = middle + 1,
            core::cmp::Ordering::Equal => return Some(middle),
            core::cmp::Ordering::Greater => high = middle,
        }
    }
    None
}

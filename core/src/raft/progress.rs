//! What a leader knows of one peer, and how it sends entries to it. Every pause has a release: a probe
//! and a full window are released by answers, and if those were lost, by an answer to a heartbeat.

use alloc::collections::VecDeque;

use super::view::{PeerState, PeerView};
use crate::id::{Index, LogId, NodeId};
use crate::time::{Span, Time};

/// A peer, as its leader sees it.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    pub(super) id: NodeId,
    /// Durable there and equal to the leader's log up to here. Never falls.
    pub(super) matched: Index,
    /// The next entry it will be sent; above `matched`.
    pub(super) next: Index,
    pub(super) stream: Stream,
    /// The commit index it was told and could act on.
    pub(super) told: Index,
    /// The highest round it answered, and when that round was sent.
    pub(super) round: u64,
    pub(super) answered: Time,
    /// When the latest round was sent that it answered with a promise to replace nobody.
    pub(super) promised: Time,
    /// How a learner gets close to the leader.
    chase: Option<Chase>,
    /// Since when it has been no member any more; it is told so for a while.
    pub(super) left: Option<Time>,
}

/// A learner catches up in rounds: in each it gets what the log held when the round began. It may vote
/// when a round took less than the shortest election timeout (dissertation 4.2.1).
#[derive(Clone, Copy, Debug)]
struct Chase {
    round: u32,
    goal: Index,
    begun: Time,
    won: bool,
}

/// How entries go to a peer.
#[derive(Clone, Debug)]
pub(super) enum Stream {
    /// One message at a time, to find where the logs agree. `sent` is when the outstanding one left.
    Probe { sent: Option<Time> },
    /// A stream; `next` runs ahead of what is acknowledged.
    Replicate(Window),
    /// It pulls a snapshot; `since` is when it was offered or last asked for a part.
    Snapshot { last: LogId, since: Time },
}

/// Appends under way, oldest first.
#[derive(Clone, Default, Debug)]
pub(super) struct Window {
    /// Last index and encoded bytes of each.
    appends: VecDeque<(Index, u64)>,
    bytes: u64,
    /// When something about the oldest last happened: it was sent, became the oldest, or was asked for.
    since: Time,
}

impl Window {
    /// How many bytes the next append may have; `None` if it must wait.
    pub(super) fn room(&self, messages: u32, bytes: u64) -> Option<u64> {
        let has_room = self.appends.len() < messages as usize && self.bytes < bytes;
        has_room.then(|| bytes - self.bytes)
    }

    pub(super) fn sent(&mut self, last: Index, bytes: u64, now: Time) {
        if self.appends.is_empty() {
            self.since = now;
        }
        self.appends.push_back((last, bytes));
        self.bytes += bytes;
    }

    fn acknowledged(&mut self, matched: Index, now: Time) {
        while let Some((last, bytes)) = self.appends.front().copied()
            && last <= matched
        {
            self.appends.pop_front();
            self.bytes -= bytes;
            self.since = now;
        }
    }
}

impl Progress {
    /// A peer of a new leader whose log ends before `next`.
    pub(super) fn new(id: NodeId, next: Index, now: Time) -> Self {
        Self {
            id,
            matched: Index(0),
            next,
            stream: Stream::Probe { sent: None },
            told: Index(0),
            round: 0,
            answered: now,
            promised: Time(0),
            chase: None,
            left: None,
        }
    }

    /// It is a learner from now on, or is none any more.
    pub(super) fn learns(&mut self, learner: bool, last: Index, now: Time) {
        if learner != self.chase.is_some() {
            self.chase = learner.then_some(Chase {
                round: 1,
                goal: last,
                begun: now,
                won: false,
            });
        }
    }

    /// Whether it is no learner, or one that is close enough.
    pub(super) fn has_caught_up(&self) -> bool {
        self.chase.is_none_or(|chase| chase.won)
    }

    /// Whether it is a learner that has used up its rounds.
    pub(super) fn is_too_slow(&self, rounds: u32) -> bool {
        self.chase
            .is_some_and(|chase| !chase.won && rounds < chase.round)
    }

    /// It got closer: `last` is where the leader's log ends.
    pub(super) fn chases(&mut self, last: Index, limit: Span, now: Time) {
        let matched = self.matched;
        if let Some(chase) = &mut self.chase
            && !chase.won
            && chase.goal <= matched
        {
            chase.won = now.since(chase.begun) < limit;
            (chase.round, chase.goal, chase.begun) = (chase.round + 1, last, now);
        }
    }

    /// An ack came: the peer's log equals the leader's up to `matched`. `reachable` says whether the
    /// entry after it is still in the leader's log. True if a stream begins by it.
    pub(super) fn acknowledged(&mut self, matched: Index, reachable: bool, now: Time) -> bool {
        if matched < self.matched {
            return false; // An old one.
        }
        self.matched = matched;
        match &mut self.stream {
            Stream::Replicate(window) => {
                window.acknowledged(matched, now);
                self.next = self.next.max(matched.next());
            }
            Stream::Snapshot { .. } if !reachable => {
                self.next = matched.next();
            }
            Stream::Probe { .. } | Stream::Snapshot { .. } => {
                self.next = matched.next();
                self.stream = Stream::Replicate(Window::default());
                return true;
            }
        }
        false
    }

    /// Whether a refusal of an append after `prev` is about what is under way, or an old one.
    pub(super) fn is_current_refusal(&self, prev: Index) -> bool {
        match self.stream {
            Stream::Probe { .. } => prev == self.next.prev() && self.matched < prev,
            Stream::Replicate(_) => self.matched < prev && prev < self.next,
            Stream::Snapshot { .. } => false,
        }
    }

    /// The logs agree at `agreed` at best; look there next.
    pub(super) fn rewind(&mut self, agreed: Index) {
        self.next = self.matched.max(agreed).next();
        self.told = self.told.min(self.matched);
        self.stream = Stream::Probe { sent: None };
    }

    /// Messages may have been lost: go back to what is acknowledged, and wait for a sign of life. True if
    /// a stream ends by it.
    pub(super) fn lost(&mut self) -> bool {
        let streams = matches!(self.stream, Stream::Replicate(_));
        if let Stream::Replicate(_) = self.stream {
            self.next = self.matched.next();
            self.told = self.told.min(self.matched);
            self.stream = Stream::Probe {
                sent: Some(Time(0)),
            };
        }
        streams
    }

    /// The peer answered a heartbeat: whatever waits for an answer for `retry` was lost. True if the
    /// place where the stream stands must be asked for again.
    pub(super) fn is_stuck(&mut self, retry: Span, now: Time) -> bool {
        match &mut self.stream {
            Stream::Probe { sent } => {
                if sent.is_some_and(|sent| sent + retry <= now) {
                    *sent = None;
                }
                false
            }
            Stream::Replicate(window) => {
                let stuck = !window.appends.is_empty() && window.since + retry <= now;
                if stuck {
                    window.since = now;
                }
                stuck
            }
            Stream::Snapshot { since, .. } => {
                let stuck = *since + retry <= now;
                if stuck {
                    *since = now;
                }
                stuck
            }
        }
    }

    pub(super) fn view(&self) -> PeerView {
        let (state, inflight, inflight_bytes) = match &self.stream {
            Stream::Probe { sent } => (PeerState::Probe, u32::from(sent.is_some()), 0),
            Stream::Replicate(window) => {
                let inflight = window.appends.len() as u32;
                (PeerState::Replicate, inflight, window.bytes)
            }
            Stream::Snapshot { .. } => (PeerState::Snapshot, 0, 0),
        };
        PeerView {
            id: self.id,
            state,
            matched: self.matched,
            next: self.next,
            inflight,
            inflight_bytes,
            answered: self.answered,
            promised: (self.promised != Time(0)).then_some(self.promised),
            left: self.left,
            caught_up: self.has_caught_up(),
        }
    }
}

//! Lease reads, off by default: a leader that a quorum has promised not to replace answers reads without
//! asking that quorum again. Both sides of the promise are here: what a follower owes, and for how long a
//! leader may count on it. Stands on clocks that run alike within `clock_drift_per_mille`; whoever does
//! not trust clocks leaves it off (raft.md 2.6.3).

use super::note::VoteRefusal;
use super::{Raft, State};
use crate::config::{Bug, Config};
use crate::id::NodeId;
use crate::time::{Span, Time};

/// Whom this node does not replace, and until when. Unlike loyalty it outlives a broken link, a role and,
/// because what came before a start is not known, a restart.
#[derive(Clone, Copy, Default)]
pub(super) struct Promise {
    /// `None` after a start: it may have been anybody.
    to: Option<NodeId>,
    until: Time,
}

impl Promise {
    /// A leader was heard, or may have been heard just before this start.
    fn given(config: &Config, to: Option<NodeId>, now: Time) -> Self {
        match config.lease_reads {
            true => Self {
                to,
                until: now + config.election_min,
            },
            false => Self::default(),
        }
    }
}

/// How long a leader may count on a promise, from when it asked for it. The follower counted the shortest
/// election timeout from when it heard, by a clock that may run faster.
fn length(config: &Config) -> Span {
    let by_then = 1_000 + u64::from(config.clock_drift_per_mille);
    Span(config.election_min.0.saturating_mul(1_000) / by_then)
}

impl Raft {
    /// Until when this leader may answer reads without asking. `None` if it may not.
    #[must_use]
    pub fn lease(&self) -> Option<Time> {
        let State::Leader(leadership) = &self.state else {
            return None;
        };
        // A member that was told to campaign owes this leader nothing any more, whenever it hears of that.
        if !self.config.lease_reads || self.handover.is_some() || leadership.told_another {
            return None;
        }
        let of = leadership.reached((self.config.id, Time::NEVER), |peer| peer.promised);
        let until = self.quorum().reached(of) + length(&self.config);
        (self.now < until).then_some(until)
    }

    /// What a promise that came now, to a round sent at `sent`, counts from.
    pub(super) fn promised_from(&self, sent: Time) -> Time {
        match self.config.has(Bug::LeaseFromReceipt) {
            false => sent,
            true => self.now,
        }
    }

    /// The leader of this term was heard. Its answer says whether it may count on that.
    pub(super) fn promise(&mut self, leader: NodeId) -> bool {
        self.promise = Promise::given(&self.config, Some(leader), self.now);
        self.config.lease_reads
    }

    /// What was promised before this start nobody knows. Who never had a term has promised nothing, and
    /// who votes alone has nobody to promise it to.
    pub(super) fn promise_at_start(&mut self) {
        let alone = self.audience().is_empty();
        if 0 < self.vote.term.0 && !alone {
            self.promise = Promise::given(&self.config, None, self.now);
        }
    }

    /// When this node may campaign, and vote for anybody.
    pub(super) fn promised_until(&self) -> Time {
        self.promise.until
    }

    /// Why this candidate cannot have a vote yet.
    pub(super) fn owes(&self, candidate: NodeId) -> Option<VoteRefusal> {
        let Promise { to, until } = self.promise;
        let owes = self.now < until && to != Some(candidate);
        owes.then_some(VoteRefusal::Promised { to })
    }
}

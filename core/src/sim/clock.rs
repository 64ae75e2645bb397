//! The clocks of members: each shows its own time, at its own rate, and may jump forward. Simulated time is
//! the true one; a member's node is only ever told what its clock shows.

use crate::time::{Span, Time};

/// No clock runs faster or slower than the true one by more than this, in thousandths.
pub const DRIFT_PER_MILLE: u32 = 40;
/// What one jump may cost a session. A node forgives a call that comes late; it cannot tell a small jump
/// from a short wait, nor the time up to the deadline that it meant to be called at.
const JUMP_COSTS: Span = Span::from_ms(150);
/// A true clock's rate.
const TRUE: u32 = 1_000;

/// What a member takes for the time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    /// At this moment
    since: Time,
    /// it showed this,
    shows: Time,
    /// and so many thousandths of true time pass on it.
    per_mille: u32,
}

impl Clock {
    pub(super) const fn new(now: Time) -> Self {
        Self {
            since: now,
            shows: now,
            per_mille: TRUE,
        }
    }

    /// What it shows at a moment.
    pub(super) fn at(&self, now: Time) -> Time {
        let passed = now.since(self.since).0;
        if self.per_mille == TRUE {
            return self.shows + Span(passed);
        }
        self.shows + Span(passed.saturating_mul(self.per_mille.into()) / u64::from(TRUE))
    }

    /// The first moment at which it shows this.
    pub(super) fn when(&self, shown: Time) -> Time {
        if shown == Time::NEVER {
            return shown;
        }
        let left = shown.since(self.shows).0;
        if self.per_mille == TRUE {
            return self.since + Span(left);
        }
        let left = left.saturating_mul(TRUE.into());
        self.since + Span(left.div_ceil(self.per_mille.into()))
    }

    /// From now on it goes at this rate.
    pub(super) fn go(&mut self, now: Time, per_mille: u32) {
        self.shows = self.at(now);
        self.since = now;
        self.per_mille = per_mille.clamp(TRUE - DRIFT_PER_MILLE, TRUE + DRIFT_PER_MILLE);
    }

    pub(super) fn jump(&mut self, by: Span) {
        self.shows += by;
    }
}

/// By how much the clocks have been wrong, all in all: what those who judge timeouts must allow for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clocks {
    /// The fastest rate that any of them has had.
    fastest: u32,
    /// The slowest.
    slowest: u32,
    /// What all jumps so far may have cost.
    jumps: Span,
    /// All jumps so far together, and since when clocks go: so far apart may they be.
    leapt: Span,
    began: Time,
}

/// A moment from which a timeout counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Since {
    time: Time,
    jumps: Span,
}

impl Clocks {
    pub(super) const fn new(began: Time) -> Self {
        Self {
            fastest: TRUE,
            slowest: TRUE,
            jumps: Span(0),
            leapt: Span(0),
            began,
        }
    }

    pub(super) fn went(&mut self, per_mille: u32) {
        self.fastest = self.fastest.max(per_mille.min(TRUE + DRIFT_PER_MILLE));
        self.slowest = self.slowest.min(per_mille.max(TRUE - DRIFT_PER_MILLE));
    }

    pub(super) fn jumped(&mut self, by: Span) {
        self.jumps = self.jumps + by.min(JUMP_COSTS);
        self.leapt = self.leapt + by;
    }

    /// A moment from which something will be counted.
    pub(super) const fn mark(&self, time: Time) -> Since {
        Since {
            time,
            jumps: self.jumps,
        }
    }

    /// Whether so much time cannot have passed since on any clock, the jumps that a node forgives left out.
    pub(super) fn is_sooner(&self, since: Since, now: Time, span: Span) -> bool {
        let passed = now.since(since.time).0.saturating_mul(self.fastest.into()) / u64::from(TRUE);
        let jumps = self.jumps.0 - since.jumps.0;
        passed + jumps < span.0
    }

    /// The most that one of them can be ahead of another.
    pub(super) fn apart(&self, now: Time) -> Span {
        let rates = u64::from(self.fastest - self.slowest);
        let drifted = now.since(self.began).0.saturating_mul(rates) / u64::from(TRUE);
        self.leapt + Span(drifted)
    }

    /// Whether so much time cannot have passed since, even if one clock showed the beginning and another one
    /// the end.
    pub(super) fn is_before(&self, since: Since, now: Time, span: Span) -> bool {
        let passed = now.since(since.time).0.saturating_mul(self.fastest.into()) / u64::from(TRUE);
        Span(passed) + self.apart(now) < span
    }

    /// The longest that a span can last, measured by any of the clocks.
    pub(super) fn at_most(&self, span: Span) -> Span {
        Span(
            span.0
                .saturating_mul(TRUE.into())
                .div_ceil(self.slowest.into()),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_met_neither_early_nor_late() {
        for per_mille in [960, 993, 1_000, 1_001, 1_040] {
            let mut clock = Clock::new(Time(5_000));
            clock.go(Time(6_000), per_mille);
            clock.jump(Span(777));
            for shown in [Time(7_000), Time(1_234_567), Time(99_999_999)] {
                let when = clock.when(shown);
                assert!(shown <= clock.at(when), "{per_mille} {shown:?}");
                assert!(clock.at(Time(when.0 - 1)) < shown, "{per_mille} {shown:?}");
            }
        }
        assert_eq!(Clock::new(Time(0)).when(Time::NEVER), Time::NEVER);
    }

    #[test]
    fn what_clocks_did_is_allowed_for() {
        let mut clocks = Clocks::new(Time(0));
        let since = clocks.mark(Time(0));
        assert!(clocks.is_sooner(since, Time(999_999), Span(1_000_000)));
        clocks.went(1_040);
        assert!(!clocks.is_sooner(since, Time(999_999), Span(1_000_000)));
        assert!(clocks.is_sooner(since, Time(900_000), Span(1_000_000)));
        clocks.jumped(Span::from_ms(3_000));
        assert!(!clocks.is_sooner(since, Time(900_000), Span(1_000_000)));
        assert_eq!(clocks.at_most(Span(100)), Span(100));
        clocks.went(1);
        assert_eq!(clocks.at_most(Span(96)), Span(100));
    }
}

//! The look at all that clients were told: whether one order explains it. Each invariant of `check` looks at
//! one event; this one needs all calls, of which it keeps what a quiet moment leaves of them.

use alloc::collections::BTreeMap;
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::client::{Client, HISTORY};
use super::linear::{self, Asked, Behind, Judgement};
use super::{ClientId, Invariant, Sim};
use crate::time::Time;

/// Calls that are worth a look for a quiet moment.
const ENOUGH: u64 = 64;
/// Calls of one client that wait for a quiet moment. With more, one is made: calls under way then count as
/// never answered.
const WAIT: u64 = HISTORY / 2;

impl Sim {
    /// Searches for one order that explains every answer so far to the writes and linearizable reads that
    /// `linear` has a model of, and notes it as a broken invariant if there is none.
    pub fn judge(&mut self) -> Judgement {
        let judgement = self.verdict();
        if let Judgement::Broken { why, .. } = &judgement {
            self.broken(Invariant::Linearizable, why.to_string());
        }
        judgement
    }

    /// The judgement; it changes nothing. Only a run that is judged on its way has one after so many calls
    /// that clients no longer keep them all.
    #[must_use]
    pub fn verdict(&self) -> Judgement {
        match self.clients.values().all(Client::has_unjudged) {
            true => self.judge.verdict(&unjudged(&self.clients)),
            false => self.judge.verdict_of_some(),
        }
    }

    /// Judges on the way, for good, what lies before the last quiet moment. To be asked at least every few
    /// hundred events; it is cheap.
    pub fn judge_along(&mut self) {
        let counts = || self.clients.values().map(Client::count_unjudged);
        if counts().sum::<u64>() < self.judge_at {
            return;
        }
        if !self.clients.values().all(Client::has_unjudged) {
            Arc::make_mut(&mut self.judge).lose();
        }
        let longest = self
            .clients
            .values()
            .max_by_key(|client| client.count_unjudged());
        let longest = longest.filter(|client| WAIT <= client.count_unjudged());
        let half = longest.and_then(|client| client.unjudged().nth(WAIT as usize / 2));
        let must = half.map_or(Time::NEVER, |call| call.invoked);
        let calls = unjudged(&self.clients);
        if let Some(quiet) = self.judge.quiet(&calls, self.now, must) {
            Arc::make_mut(&mut self.judge).close(&calls, quiet);
            let clients = self.clients.values_mut();
            clients.for_each(|client| client.judged_before(quiet.0));
        }
        let counts = self.clients.values().map(Client::count_unjudged);
        self.judge_at = counts.sum::<u64>() + ENOUGH;
    }

    /// The plain reads asked from a moment on whose answers were old, which is allowed, and how old.
    #[must_use]
    pub fn behind(&self, since: Time) -> BTreeMap<(ClientId, u64), Behind> {
        let calls = self
            .clients
            .iter()
            .map(|(id, client)| (*id, client.history()));
        linear::behind(calls, since)
    }
}

/// The calls that are not judged for good.
fn unjudged(clients: &BTreeMap<ClientId, Client>) -> Vec<Asked<'_>> {
    let calls = clients
        .iter()
        .flat_map(|(id, client)| client.unjudged().map(|call| (*id, call)));
    calls.collect()
}

//! The last look at a run: whether one order explains what all its clients were told. Each invariant of
//! `check` looks at one event; this one needs all calls at once.

use alloc::collections::BTreeMap;

use super::client::Client;
use super::linear::{self, Behind, Recorded, Verdict};
use super::{ClientId, Invariant, Sim};

impl Sim {
    /// Searches for one order that explains every answer to a write or a linearizable read so far, and
    /// notes it as a broken invariant if there is none.
    pub fn judge(&mut self) -> Verdict {
        let (recorded, verdict) = self.verdict();
        if let Verdict::Broken(contradiction) = &verdict {
            let text = recorded.tell(contradiction);
            self.broken(Invariant::Linearizable, text);
        }
        verdict
    }

    /// What was judged, and the judgement; it changes nothing. A client that no longer keeps all of its
    /// calls leaves that undecided.
    #[must_use]
    pub fn verdict(&self) -> (Recorded, Verdict) {
        let calls = self
            .clients
            .iter()
            .map(|(id, client)| (*id, client.history()));
        let recorded = linear::of_calls(calls);
        let verdict = match self.clients.values().all(Client::has_whole_history) {
            true => recorded.history.check(linear::BUDGET),
            false => Verdict::Undecided,
        };
        (recorded, verdict)
    }

    /// The plain reads whose answers were old, which is allowed, and how old.
    #[must_use]
    pub fn behind(&self) -> BTreeMap<(ClientId, u64), Behind> {
        let calls = self
            .clients
            .iter()
            .map(|(id, client)| (*id, client.history()));
        linear::behind(calls)
    }
}

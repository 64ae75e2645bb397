//! The last look at a run: whether one order explains what all its clients were told. Each invariant of
//! `check` looks at one event; this one needs all calls at once.

use super::client::Client;
use super::linear::{self, Verdict};
use super::{Invariant, Sim};

impl Sim {
    /// Searches for one order that explains every answer to a write or a linearizable read so far. A
    /// client that no longer keeps all of its calls leaves that undecided.
    pub fn judge(&mut self) -> Verdict {
        if !self.clients.values().all(Client::has_whole_history) {
            return Verdict::Undecided;
        }
        let calls = self
            .clients
            .iter()
            .map(|(id, client)| (*id, client.history()));
        let recorded = linear::of_calls(calls);
        let verdict = recorded.history.check(linear::BUDGET);
        if let Verdict::Broken(contradiction) = &verdict {
            let text = recorded.tell(contradiction);
            self.broken(Invariant::Linearizable, text);
        }
        verdict
    }
}

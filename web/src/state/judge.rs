//! What the core makes of all answers that clients got up to this moment: whether one order explains
//! them, and which plain reads were old. Asked again when a call has ended.

use std::collections::BTreeMap;

use otterkeeper_core::sim::ClientId;
use otterkeeper_core::sim::linear::{Behind, Verdict};
use otterkeeper_core::time::Span;

use super::Model;

/// With more calls than this the core is asked again only every so many events while the run plays.
const MANY: usize = 400;
const EVENTS: u64 = 4_000;

/// Whether there is one order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) enum Order {
    /// There is one, of so many calls.
    Found(usize),
    /// There is none; the answer that fits nowhere, and when it came.
    Broken { at: Span, text: String },
    /// Older calls are forgotten, or the search took too long.
    #[default]
    Unknown,
}

/// The judgement of a moment.
#[derive(Default)]
pub(crate) struct Judged {
    pub(crate) order: Order,
    /// The plain reads that were behind, by client and number of the call.
    pub(crate) behind: BTreeMap<(ClientId, u64), Behind>,
    /// The moment: branch, calls, calls that have ended, events.
    of: Option<(usize, usize, usize, u64)>,
}

impl Model {
    /// Has the present moment judged, if it is worth it.
    pub(crate) fn judge(&mut self) {
        let sim = &self.run.sim;
        let (mut all, mut ended) = (0, 0);
        for client in sim.callers() {
            for call in sim.history(client) {
                all += 1;
                ended += usize::from(call.end.is_some());
            }
        }
        let now = (self.run.branch, all, ended, sim.events());
        if let Some(of) = self.judged.of {
            let same = (of.0, of.1, of.2) == (now.0, now.1, now.2);
            let soon = of.0 == now.0 && of.3 <= now.3 && now.3 < of.3 + EVENTS;
            if same || (soon && self.playing && MANY < ended) {
                return;
            }
        }
        let (recorded, verdict) = sim.verdict();
        let order = match verdict {
            Verdict::Linearizable(order) => Order::Found(order.len()),
            Verdict::Undecided => Order::Unknown,
            Verdict::Broken(contradiction) => {
                let operation = recorded.history.operations.get(contradiction.operation);
                let at = operation.map_or(0, |operation| operation.returned);
                Order::Broken {
                    at: Span(at.saturating_sub(sim.config().start.0)),
                    text: recorded.tell(&contradiction),
                }
            }
        };
        self.judged = Judged {
            order,
            behind: sim.behind(),
            of: Some(now),
        };
    }
}

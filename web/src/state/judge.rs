//! What the core makes of all answers that clients got up to this moment: whether one order explains them.

use otterkeeper_core::sim::linear::Judgement;

use super::Model;

/// The judgement of a moment.
pub(crate) struct Judged {
    pub(crate) order: Judgement,
    /// The moment: branch and events.
    of: Option<(usize, u64)>,
}

impl Default for Judged {
    fn default() -> Self {
        Self {
            order: Judgement::Order {
                calls: 0,
                unchecked: 0,
                undecided: Vec::new(),
            },
            of: None,
        }
    }
}

impl Model {
    /// Has the present moment judged. The run has had judged for good what is old.
    pub(crate) fn judge(&mut self) {
        let now = Some((self.run.branch, self.run.sim.events()));
        if self.judged.of != now {
            self.judged = Judged {
                order: self.run.sim.verdict(),
                of: now,
            };
        }
    }
}

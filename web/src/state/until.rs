//! What a run can be run until.

use crate::kind::KINDS;

/// What to run until.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Until {
    Leader,
    Commit,
    StepDown,
    Watch,
    Violation,
    /// A message of this kind, by the key of its name, leaves.
    Sent(&'static str),
}

impl Until {
    /// All that is no message.
    pub(crate) const TURNS: [Self; 5] = [
        Self::Leader,
        Self::Commit,
        Self::StepDown,
        Self::Watch,
        Self::Violation,
    ];

    /// All, messages of each kind included.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let kinds = KINDS.iter().map(|kind| Self::Sent(kind));
        Self::TURNS.into_iter().chain(kinds)
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sent(kind) => kind,
            Self::Leader => "leader",
            Self::Commit => "commit",
            Self::StepDown => "step-down",
            Self::Watch => "watch",
            Self::Violation => "violation",
        }
    }
}

//! The panels, of which one is shown at a time.

/// The tabs of the right side, and on a narrow screen those of the sheet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Tab {
    Lesson,
    Story,
    Inspect,
    Znodes,
    Clients,
    History,
    Logs,
    Runs,
    Network,
}

impl Tab {
    pub(crate) const ALL: [Self; 9] = [
        Self::Lesson,
        Self::Story,
        Self::Inspect,
        Self::Znodes,
        Self::Clients,
        Self::History,
        Self::Logs,
        Self::Runs,
        Self::Network,
    ];

    /// As it stands in the markup.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Lesson => "lesson",
            Self::Story => "story",
            Self::Inspect => "inspect",
            Self::Znodes => "znodes",
            Self::Clients => "clients",
            Self::History => "history",
            Self::Logs => "logs",
            Self::Runs => "runs",
            Self::Network => "network",
        }
    }

    /// The tab of a name.
    pub(crate) fn called(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tab| tab.name() == name)
    }

    /// Whether it is a tab on a narrow screen only; a wide one shows it all the time.
    pub(crate) const fn is_narrow(self) -> bool {
        matches!(
            self,
            Self::Lesson | Self::Story | Self::Logs | Self::Network
        )
    }
}

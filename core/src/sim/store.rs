//! Something outside of the cluster that clients share: what a lock is for. It knows nothing of sessions and
//! watches, only what comes with a write; so it takes the write of a client that does not know yet that it holds
//! the lock no more, unless it looks at the token.

use alloc::string::String;

use super::ClientId;
use crate::id::Index;
use crate::recipe::fence::Fence;

/// What it holds.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Store {
    /// What was last written, by whom.
    pub value: Option<(ClientId, String)>,
    /// Writes that were taken.
    pub writes: u64,
    fence: Fence,
}

impl Store {
    /// The greatest token that it has looked at.
    #[must_use]
    pub const fn greatest(&self) -> Index {
        self.fence.greatest()
    }

    /// A client writes, and shows its token or not.
    pub(super) fn write(
        &mut self,
        client: ClientId,
        value: String,
        token: Option<Index>,
    ) -> Result<(), Index> {
        if let Some(token) = token {
            self.fence.admit(token)?;
        }
        self.value = Some((client, value));
        self.writes += 1;
        Ok(())
    }
}

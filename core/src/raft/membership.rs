//! Who votes. Today that is one list, fixed at the cluster's first start and carried by snapshots; the
//! list that counts once the log can change it is kept by index here too.

use alloc::vec::Vec;

use super::quorum::Quorum;
use crate::id::NodeId;

/// The voters in force.
#[derive(Clone, Debug)]
pub(super) struct Membership {
    /// In ascending order, nobody twice.
    voters: Vec<NodeId>,
}

impl Membership {
    pub(super) fn new(mut voters: Vec<NodeId>) -> Self {
        voters.sort_unstable();
        voters.dedup();
        Self { voters }
    }

    pub(super) fn voters(&self) -> &[NodeId] {
        &self.voters
    }

    pub(super) fn contains(&self, id: NodeId) -> bool {
        self.voters.binary_search(&id).is_ok()
    }

    pub(super) fn quorum(&self) -> Quorum<'_> {
        Quorum::new(&self.voters)
    }
}

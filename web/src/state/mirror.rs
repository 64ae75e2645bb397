//! Remembers the ends of the logs, so that entries that a node throws away can still be shown.

use otterkeeper_core::id::{Index, NodeId, Term};
use otterkeeper_core::time::Span;

use super::{LostEntry, Model};
use crate::command;

/// Entries of one node that are remembered.
const KEPT: u64 = 80;

impl Model {
    /// An entry at the end of a node's log: its term and its label, also while the node is down.
    pub(crate) fn remembered(&self, node: NodeId, index: u64) -> Option<(Term, &str)> {
        let (term, label) = self.mirror.get(&(node, index))?;
        Some((*term, label))
    }

    /// Remembers the ends of the logs, so that what a node throws away can still be shown.
    pub(super) fn mirror_logs(&mut self) {
        let now = self.run.now();
        let mut seen = Vec::new();
        for id in self.run.sim.nodes() {
            let Some(view) = self.run.sim.node(id) else {
                continue;
            };
            let last = view.last().index.0;
            let first = last.saturating_sub(16).max(view.first_index().0);
            for index in first..=last {
                if let Some(entry) = view.entry(Index(index)) {
                    seen.push((id, index, entry.id.term));
                }
            }
            let old = (id, 0)..(id, last.saturating_sub(KEPT));
            while let Some((place, _)) = self.mirror.range(old.clone()).next() {
                let place = *place;
                self.mirror.remove(&place);
            }
            let gone: Vec<u64> = self
                .mirror
                .range((id, last + 1)..=(id, u64::MAX))
                .map(|((_, index), _)| *index)
                .collect();
            for index in gone {
                self.forget_entry(id, index, now);
            }
        }
        for (id, index, term) in seen {
            if self
                .mirror
                .get(&(id, index))
                .is_some_and(|(old, _)| *old == term)
            {
                continue;
            }
            self.forget_entry(id, index, now);
            let label = self
                .run
                .sim
                .node(id)
                .and_then(|view| view.entry(Index(index)).map(command::label))
                .unwrap_or_default();
            self.mirror.insert((id, index), (term, label));
        }
        self.lost_entries
            .retain(|lost| now.0.saturating_sub(lost.at.0) < 400_000);
    }

    fn forget_entry(&mut self, node: NodeId, index: u64, at: Span) {
        if let Some((term, label)) = self.mirror.remove(&(node, index)) {
            self.lost_entries.push(LostEntry {
                node,
                index,
                term,
                label,
                at,
            });
        }
    }
}

//! Which key lies below which, and what an operation touches because of that.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::{History, Start, Step, What, get};

/// Parents and children of keys.
pub(super) struct Kin {
    parents: Vec<Option<usize>>,
    children: Vec<Vec<usize>>,
}

impl Kin {
    pub(super) fn new(history: &History) -> Self {
        let parents = history.parents.clone();
        let count = parents.iter().flatten().max().map_or(0, |most| most + 1);
        let mut children = alloc::vec![Vec::new(); count];
        for (key, parent) in parents.iter().enumerate() {
            if let Some(parent) = *parent {
                children[parent].push(key);
            }
        }
        Self { parents, children }
    }

    /// Nothing if it lies right below the root, which is always there.
    pub(super) fn parent(&self, key: usize) -> Option<usize> {
        get(&self.parents, key)
    }

    /// In order.
    pub(super) fn children(&self, key: usize) -> &[usize] {
        self.children.get(key).map_or(&[], Vec::as_slice)
    }

    /// Whatever the outcome of an operation may depend on, and whatever it may change.
    pub(super) fn touched(&self, what: &What) -> Vec<usize> {
        let mut touched = self.named(what);
        let list = |touched: &mut Vec<usize>, key| touched.extend(self.children(key));
        if let What::Look {
            key,
            children: Some(_),
            ..
        } = what
        {
            list(&mut touched, *key);
        }
        for step in what.steps() {
            if let Step::Delete { key, .. } = step {
                list(&mut touched, *key);
            }
        }
        touched.sort_unstable();
        touched.dedup();
        touched
    }

    /// Its keys, and the parents in which these come and go.
    pub(super) fn named(&self, what: &What) -> Vec<usize> {
        if let What::Read { key, .. } | What::Look { key, .. } = what {
            return alloc::vec![*key];
        }
        let mut named = Vec::new();
        for step in what.steps() {
            let key = step.key();
            named.push(key);
            if let Step::Create { .. } | Step::Delete { .. } = step {
                named.extend(self.parent(key));
            }
        }
        named
    }

    /// The keys that may change. All others stand still, and whoever only looks at the same one of those has
    /// nothing to do with the other.
    pub(super) fn moving(history: &History, start: &Start) -> BTreeSet<usize> {
        let mut moving = start.vague.clone();
        let cells = start.cells.iter().enumerate();
        moving.extend(cells.filter_map(|(key, cell)| cell.filter(|cell| cell.mortal).map(|_| key)));
        for operation in &history.operations {
            if let What::Done(steps) | What::Unknown(steps) = &operation.what {
                let writes = steps
                    .iter()
                    .filter(|step| !matches!(step, Step::Check { .. }));
                moving.extend(writes.map(Step::key));
            }
        }
        moving
    }
}

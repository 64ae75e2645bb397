//! What the search cannot follow: znodes whose names nobody was told, and whole trees that were given up.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;

/// Sequential creates of unknown outcome that are remembered.
const STEMS: usize = 4_096;
/// Digits of the number that a sequential znode gets.
const DIGITS: usize = 10;

/// The tree right below the root that a path lies in, by the path of its own root.
pub(super) fn top(path: &str) -> &str {
    let end = path.get(1..).and_then(|rest| rest.find('/'));
    &path[..end.map_or(path.len(), |end| end + 1)]
}

/// The path of the parent, which is empty for the root.
pub(super) fn parent(path: &str) -> Option<&str> {
    Some(&path[..path.rfind('/')?])
}

/// The path before the number of a sequential znode, if it may be one.
fn stem(path: &str) -> Option<&str> {
    let (stem, number) = path.split_at_checked(path.len().checked_sub(DIGITS)?)?;
    number
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then_some(stem)
}

#[derive(Clone)]
pub(super) struct Hidden {
    /// Paths asked for by sequential creates that may have been done: with some number behind them there may be a
    /// znode.
    stems: BTreeSet<String>,
    tops: BTreeSet<String>,
}

impl Default for Hidden {
    fn default() -> Self {
        Self {
            stems: BTreeSet::new(),
            // The service itself writes there.
            tops: BTreeSet::from(["/zookeeper".into()]),
        }
    }
}

impl Hidden {
    /// A znode of this name and an unknown number may be there.
    pub(super) fn hide(&mut self, stem: &str) {
        if !self.stems.contains(stem) {
            self.stems.insert(stem.into());
        }
    }

    /// Nobody looks at this tree any more.
    pub(super) fn give_up(&mut self, top: &str) {
        self.tops.insert(top.into());
    }

    /// Whether a znode, or one above it, is hidden.
    pub(super) fn hides(&self, path: &str) -> bool {
        let is_stem = |path: &str| stem(path).is_some_and(|stem| self.stems.contains(stem));
        let mut above = path.match_indices('/').skip(1).map(|(at, _)| &path[..at]);
        self.tops.contains(top(path))
            || !self.stems.is_empty() && (is_stem(path) || above.any(is_stem))
    }

    /// Whether a hidden znode may be below this one.
    pub(super) fn is_above(&self, path: &str) -> bool {
        let below = format!("{path}/");
        let first = self.stems.range(below.clone()..).next();
        first.is_some_and(|stem| stem.starts_with(&below))
    }

    /// Gives whole trees up if there is too much to remember. False if even that does not help.
    pub(super) fn fits(&mut self) -> bool {
        while STEMS < self.stems.len() {
            let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
            for stem in &self.stems {
                if parent(stem) != Some("") {
                    *counts.entry(top(stem)).or_default() += 1;
                }
            }
            let most = counts.into_iter().max_by_key(|(_, count)| *count);
            let Some(most) = most.map(|(top, _)| String::from(top)) else {
                return false;
            };
            self.stems
                .retain(|stem| top(stem) != most || parent(stem) == Some(""));
            self.tops.insert(most);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_sequential_create_hides_what_it_may_have_made_and_no_more() {
        let mut hidden = Hidden::default();
        hidden.hide("/q/n-");
        hidden.hide("/m");
        assert!(hidden.hides("/q/n-0000000003"));
        assert!(hidden.hides("/q/n-0000000003/below/it"));
        assert!(hidden.hides("/m0000000000"));
        assert!(hidden.hides("/zookeeper/config"));
        assert!(!hidden.hides("/q/n-"));
        assert!(!hidden.hides("/q/n-000000003"));
        assert!(!hidden.hides("/q/m-0000000003"));
        assert!(!hidden.hides("/m") && !hidden.hides("/m/0000000000"));
        assert!(hidden.is_above("/q"));
        assert!(!hidden.is_above("/q/n-0000000003") && !hidden.is_above("/r"));
    }

    #[test]
    fn the_tree_with_the_most_lost_creates_is_given_up_first() {
        let mut hidden = Hidden::default();
        for number in 0..STEMS {
            hidden.hide(&format!("/q/{number}-"));
        }
        hidden.hide("/p/n-");
        assert!(hidden.fits());
        assert!(hidden.hides("/q/x") && !hidden.hides("/p/x"));
        assert!(hidden.hides("/p/n-0000000000"));
        // Those right below the root are in no tree.
        for number in 0..=STEMS {
            hidden.hide(&format!("/{number}-"));
        }
        assert!(!hidden.fits());
    }
}

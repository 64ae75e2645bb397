//! What a majority is, in one place: elections, commits, confirmation rounds and the leader's own check
//! all ask here. Joint configurations come into this type and nowhere else.

use alloc::vec::Vec;

use crate::id::NodeId;

/// The voters whose majority decides.
#[derive(Clone, Copy)]
pub(super) struct Quorum<'a> {
    voters: &'a [NodeId],
}

/// How a vote stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Outcome {
    Won,
    Lost,
    Open,
}

impl<'a> Quorum<'a> {
    /// `voters` is not empty and holds nobody twice.
    pub(super) const fn new(voters: &'a [NodeId]) -> Self {
        Self { voters }
    }

    /// The largest value that a majority has reached, each voter having reached `of(voter)`.
    pub(super) fn reached<T: Ord + Copy>(self, of: impl Fn(NodeId) -> T) -> T {
        let mut values: Vec<T> = self.voters.iter().map(|voter| of(*voter)).collect();
        values.sort_unstable();
        // In ascending order, a majority stands at or above the place (n - 1) / 2.
        values[(values.len() - 1) / 2]
    }

    /// How a vote stands with these answers; answers of others than voters do not count.
    pub(super) fn outcome(self, granted: &[NodeId], refused: &[NodeId]) -> Outcome {
        let votes = |who: &[NodeId]| self.voters.iter().filter(|v| who.contains(v)).count();
        let majority = self.voters.len() / 2 + 1;
        if votes(granted) >= majority {
            Outcome::Won
        } else if self.voters.len() - votes(refused) < majority {
            Outcome::Lost
        } else {
            Outcome::Open
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    /// Counts instead of sorting.
    fn reached_naively(values: &[u64]) -> u64 {
        let enough = |x: u64| 2 * values.iter().filter(|v| **v >= x).count() > values.len();
        let mut reached: Vec<u64> = values.iter().copied().filter(|v| enough(*v)).collect();
        reached.sort_unstable();
        *reached
            .last()
            .expect("the smallest value is reached by all")
    }

    #[test]
    fn reached_is_what_a_majority_reaches() {
        let mut rng = Rng::new(1);
        for _ in 0..10_000 {
            let count = rng.between(1, 9);
            let voters: Vec<NodeId> = (1..=count).map(NodeId).collect();
            let values: Vec<u64> = voters.iter().map(|_| rng.below(6)).collect();
            let reached = Quorum::new(&voters).reached(|v| values[v.0 as usize - 1]);
            assert_eq!(reached, reached_naively(&values), "{values:?}");
        }
    }

    #[test]
    fn a_vote_is_lost_when_no_answer_can_save_it() {
        let mut rng = Rng::new(2);
        for _ in 0..10_000 {
            let count = rng.between(1, 9);
            let voters: Vec<NodeId> = (1..=count).map(NodeId).collect();
            let (mut granted, mut refused) = (Vec::new(), Vec::new());
            // Two outsiders answer too.
            for id in (1..=count + 2).map(NodeId) {
                match rng.below(3) {
                    0 => granted.push(id),
                    1 => refused.push(id),
                    _ => {}
                }
            }
            let yes = granted.iter().filter(|id| id.0 <= count).count() as u64;
            let no = refused.iter().filter(|id| id.0 <= count).count() as u64;
            let expected = if 2 * yes > count {
                Outcome::Won
            } else if 2 * (count - no) <= count {
                Outcome::Lost
            } else {
                Outcome::Open
            };
            let outcome = Quorum::new(&voters).outcome(&granted, &refused);
            assert_eq!(outcome, expected, "{voters:?} {granted:?} {refused:?}");
        }
    }
}

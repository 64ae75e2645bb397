//! What a majority is, in one place: elections, commits, confirmation rounds and the leader's own check
//! all ask here. In a joint phase both sets must agree, each by its own majority.

use alloc::vec::Vec;

use crate::id::NodeId;

/// The voters whose majorities decide.
#[derive(Clone, Copy)]
pub(super) struct Quorum<'a> {
    voters: &'a [NodeId],
    /// The old set in a joint phase, else empty.
    old_voters: &'a [NodeId],
    /// A planted bug counts this one too.
    intruder: Option<NodeId>,
}

/// This many voters are counted without taking memory: every ack counts them.
const FEW: usize = 9;

/// How a vote stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Outcome {
    Won,
    Lost,
    Open,
}

impl<'a> Quorum<'a> {
    /// `voters` hold nobody twice. Without any, as on a replica that was never told who is a member,
    /// nothing is reached and no vote is won.
    pub(super) const fn new(voters: &'a [NodeId], old_voters: &'a [NodeId]) -> Self {
        Self {
            voters,
            old_voters,
            intruder: None,
        }
    }

    /// Planted: the new set alone decides.
    pub(super) const fn without_old(self) -> Self {
        Self {
            old_voters: &[],
            ..self
        }
    }

    /// Planted: one who is no voter counts.
    pub(super) fn with(self, intruder: NodeId) -> Self {
        let intruder = (!self.voters.contains(&intruder)).then_some(intruder);
        Self { intruder, ..self }
    }

    /// The largest value that a majority of each set has reached, each voter having reached `of(voter)`.
    pub(super) fn reached<T: Ord + Copy + Default>(self, of: impl Fn(NodeId) -> T) -> T {
        let by = |set: &[NodeId], intruder: Option<NodeId>| {
            let voters = set.iter().copied().chain(intruder).map(&of);
            let count = set.len() + usize::from(intruder.is_some());
            let mut few = [T::default(); FEW];
            if let Some(places) = few.get_mut(..count) {
                for (place, value) in places.iter_mut().zip(voters) {
                    *place = value;
                }
                return median(places);
            }
            median(&mut voters.collect::<Vec<T>>())
        };
        let reached = by(self.voters, self.intruder).unwrap_or_default();
        by(self.old_voters, None).map_or(reached, |old| reached.min(old))
    }

    /// How a vote stands with these answers; answers of others than voters do not count.
    pub(super) fn outcome(self, granted: &[NodeId], refused: &[NodeId]) -> Outcome {
        let by = |set: &[NodeId]| {
            let votes = |who: &[NodeId]| set.iter().filter(|v| who.contains(v)).count();
            let majority = set.len() / 2 + 1;
            if votes(granted) >= majority {
                Outcome::Won
            } else if set.len() - votes(refused) < majority {
                Outcome::Lost
            } else {
                Outcome::Open
            }
        };
        match (by(self.voters), self.old_voters) {
            (new, []) => new,
            (new, old) => match (new, by(old)) {
                (Outcome::Lost, _) | (_, Outcome::Lost) => Outcome::Lost,
                (Outcome::Won, Outcome::Won) => Outcome::Won,
                _ => Outcome::Open,
            },
        }
    }
}

/// In ascending order, a majority stands at or above the place (n - 1) / 2.
fn median<T: Ord + Copy>(values: &mut [T]) -> Option<T> {
    values.sort_unstable();
    let place = values.len().checked_sub(1)? / 2;
    values.get(place).copied()
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
            let of = |v: NodeId| values[v.0 as usize - 1];
            let reached = Quorum::new(&voters, &[]).reached(of);
            assert_eq!(reached, reached_naively(&values), "{values:?}");
            let old = &voters[..rng.between(1, count) as usize];
            let both = Quorum::new(&voters, old).reached(of);
            let expected = reached.min(reached_naively(&values[..old.len()]));
            assert_eq!(both, expected, "{values:?} and {old:?}");
        }
    }

    #[test]
    fn without_voters_nothing_is_reached() {
        assert_eq!(Quorum::new(&[], &[]).reached(|_| 7_u64), 0);
        let nobody = Quorum::new(&[], &[]).outcome(&[NodeId(1)], &[]);
        assert_ne!(nobody, Outcome::Won);
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
            let outcome = Quorum::new(&voters, &[]).outcome(&granted, &refused);
            assert_eq!(outcome, expected, "{voters:?} {granted:?} {refused:?}");
            let joint = Quorum::new(&voters, &[NodeId(1)]).outcome(&granted, &refused);
            let one = NodeId(1);
            let expected = match expected {
                Outcome::Lost => Outcome::Lost,
                _ if refused.contains(&one) => Outcome::Lost,
                Outcome::Won if granted.contains(&one) => Outcome::Won,
                _ => Outcome::Open,
            };
            assert_eq!(
                joint, expected,
                "{voters:?} with 1: {granted:?} {refused:?}"
            );
        }
    }
}

//! A queue of shared pieces. Its clone copies one pointer for every `GROUP` pieces, and whoever changes it after that
//! copies the pointers of one group: what a long log costs each of many clones. Knows nothing of what is in a piece.

use alloc::collections::VecDeque;
use alloc::sync::Arc;

/// Pieces of a group. About the square root of the pieces that a long log has.
const GROUP: usize = 32;

type Group<T> = VecDeque<Arc<T>>;

/// Pieces in order, added at the end and taken from both.
#[derive(Debug)]
pub(crate) struct Spine<T> {
    /// None is empty; all are full but the first and the last.
    groups: VecDeque<Arc<Group<T>>>,
}

impl<T> Clone for Spine<T> {
    fn clone(&self) -> Self {
        Self {
            groups: self.groups.clone(),
        }
    }
}

impl<T> Spine<T> {
    /// No pieces.
    pub(crate) const fn new() -> Self {
        Self {
            groups: VecDeque::new(),
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        let (first, last) = (self.groups.front(), self.groups.back());
        match (first, last, self.groups.len()) {
            (Some(first), _, 1) => first.len(),
            (Some(first), Some(last), groups) => first.len() + (groups - 2) * GROUP + last.len(),
            _ => 0,
        }
    }

    /// The piece at a place, counted from the first.
    pub(crate) fn get(&self, place: usize) -> Option<&Arc<T>> {
        let (group, place) = self.place(place)?;
        self.groups.get(group)?.get(place)
    }

    /// The same, to be changed.
    pub(crate) fn get_mut(&mut self, place: usize) -> Option<&mut Arc<T>> {
        let (group, place) = self.place(place)?;
        Arc::make_mut(self.groups.get_mut(group)?).get_mut(place)
    }

    /// The first.
    pub(crate) fn front(&self) -> Option<&Arc<T>> {
        self.groups.front()?.front()
    }

    /// The last.
    pub(crate) fn back(&self) -> Option<&Arc<T>> {
        self.groups.back()?.back()
    }

    /// The last, to be changed.
    pub(crate) fn back_mut(&mut self) -> Option<&mut Arc<T>> {
        Arc::make_mut(self.groups.back_mut()?).back_mut()
    }

    /// Adds one behind the last.
    pub(crate) fn push_back(&mut self, piece: Arc<T>) {
        match self.groups.back_mut() {
            Some(group) if group.len() < GROUP => Arc::make_mut(group).push_back(piece),
            _ => self.groups.push_back(Arc::new(Group::from([piece]))),
        }
    }

    /// Takes the last.
    pub(crate) fn pop_back(&mut self) -> Option<Arc<T>> {
        let group = Arc::make_mut(self.groups.back_mut()?);
        let piece = group.pop_back();
        if group.is_empty() {
            self.groups.pop_back();
        }
        piece
    }

    /// Takes the first.
    pub(crate) fn pop_front(&mut self) -> Option<Arc<T>> {
        let group = Arc::make_mut(self.groups.front_mut()?);
        let piece = group.pop_front();
        if group.is_empty() {
            self.groups.pop_front();
        }
        piece
    }

    /// All, in order.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Arc<T>> {
        self.groups.iter().flat_map(|group| group.iter())
    }

    /// In which group a piece is, and where there.
    fn place(&self, place: usize) -> Option<(usize, usize)> {
        let first = self.groups.front()?.len();
        Some(match place.checked_sub(first) {
            None => (0, place),
            Some(behind) => (1 + behind / GROUP, behind % GROUP),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn behaves_like_a_deque_and_leaves_its_clones_alone() {
        let mut rng = Rng::new(7);
        let mut spine = Spine::new();
        let mut model = VecDeque::new();
        let mut clones = VecDeque::new();
        for item in 0..20_000_u64 {
            match rng.below(20) {
                0..4 => assert_eq!(spine.pop_front(), model.pop_front()),
                4..8 => assert_eq!(spine.pop_back(), model.pop_back()),
                8 => {
                    if let Some(last) = spine.back_mut() {
                        *last = Arc::new(item);
                        *model.back_mut().expect("as long") = Arc::new(item);
                    }
                }
                9 => {
                    let place = rng.below(model.len() as u64 + 1) as usize;
                    if let Some(piece) = spine.get_mut(place) {
                        *piece = Arc::new(item);
                        model[place] = Arc::new(item);
                    }
                }
                10 => clones.push_back((spine.clone(), model.clone())),
                _ => {
                    spine.push_back(Arc::new(item));
                    model.push_back(Arc::new(item));
                }
            }
            assert_eq!(spine.len(), model.len());
            assert_eq!((spine.front(), spine.back()), (model.front(), model.back()));
            let place = rng.below(model.len() as u64 + 2) as usize;
            assert_eq!(spine.get(place), model.get(place));
            if 20 < clones.len()
                && let Some((spine, model)) = clones.pop_front()
            {
                assert!(spine.iter().eq(model.iter()));
            }
        }
        assert!(GROUP * 4 < model.len(), "{} pieces", model.len());
        assert!(spine.iter().rev().eq(model.iter().rev()));
    }
}

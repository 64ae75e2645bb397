//! A numbered sequence that grows at the end and can lose items at both ends, kept in shared chunks:
//! a clone copies few pointers, and a change after it copies one chunk.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::spine::Spine;

/// Chunks of so many items: fewer where the items are large.
#[derive(Clone, Debug)]
pub(super) struct Chunks<T, const CHUNK: u64 = 32> {
    /// Number of the first item of the first chunk.
    origin: u64,
    /// Number of the first item that still counts.
    first: u64,
    /// Number after the last item.
    next: u64,
    /// All full but the last.
    chunks: Spine<Vec<T>>,
}

impl<T: Clone, const CHUNK: u64> Chunks<T, CHUNK> {
    /// An empty sequence whose first item will have this number.
    pub(super) const fn new(first: u64) -> Self {
        Self {
            origin: first,
            first,
            next: first,
            chunks: Spine::new(),
        }
    }

    pub(super) const fn first(&self) -> u64 {
        self.first
    }

    /// The number that the next item will get.
    pub(super) const fn next(&self) -> u64 {
        self.next
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.first == self.next
    }

    pub(super) fn get(&self, number: u64) -> Option<&T> {
        if number < self.first || self.next <= number {
            return None;
        }
        let place = number - self.origin;
        self.chunks
            .get((place / CHUNK) as usize)?
            .get((place % CHUNK) as usize)
    }

    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        if number < self.first || self.next <= number {
            return None;
        }
        let place = number - self.origin;
        let chunk = self.chunks.get_mut((place / CHUNK) as usize)?;
        Arc::make_mut(chunk).get_mut((place % CHUNK) as usize)
    }

    pub(super) fn last(&self) -> Option<&T> {
        self.get(self.next.checked_sub(1)?)
    }

    pub(super) fn push(&mut self, item: T) {
        let place = (self.next - self.origin) % CHUNK;
        self.next += 1;
        match self.chunks.back_mut() {
            Some(chunk) if place != 0 => match Arc::get_mut(chunk) {
                Some(chunk) => chunk.push(item),
                None => {
                    // With room for all that is to come, which a clone of the vector has not.
                    let mut own = Vec::with_capacity(CHUNK as usize);
                    own.extend_from_slice(chunk);
                    own.push(item);
                    *chunk = Arc::new(own);
                }
            },
            _ => {
                let mut chunk = Vec::with_capacity(CHUNK as usize);
                chunk.push(item);
                self.chunks.push_back(Arc::new(chunk));
            }
        }
    }

    /// Removes the items from this number on.
    pub(super) fn truncate(&mut self, from: u64) {
        if self.next <= from {
            return;
        }
        if from <= self.first {
            let first = self.first;
            *self = Self::new(first);
            return;
        }
        let keep = from - self.origin;
        while keep.div_ceil(CHUNK) < self.chunks.len() as u64 {
            self.chunks.pop_back();
        }
        let rest = (keep % CHUNK) as usize;
        if rest != 0
            && let Some(chunk) = self.chunks.back_mut()
        {
            Arc::make_mut(chunk).truncate(rest);
        }
        self.next = from;
    }

    /// Removes the items before this number. If that is all of them, the next one gets this number.
    pub(super) fn drop_before(&mut self, number: u64) {
        if number <= self.first {
            return;
        }
        if self.next <= number {
            *self = Self::new(number);
            return;
        }
        while self.origin + CHUNK <= number {
            self.chunks.pop_front();
            self.origin += CHUNK;
        }
        self.first = number;
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        let skip = (self.first - self.origin) as usize;
        self.chunks.iter().flat_map(|chunk| chunk.iter()).skip(skip)
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::VecDeque;

    use super::*;
    use crate::rng::Rng;

    #[test]
    fn behaves_like_a_deque() {
        let mut rng = Rng::new(1);
        let mut chunks = Chunks::<_, 16>::new(1);
        let mut first = 1;
        let mut model: VecDeque<u64> = VecDeque::new();
        for item in 0..20_000 {
            match rng.below(40) {
                0 => {
                    let from = first + rng.below(model.len() as u64 + 1);
                    chunks.truncate(from);
                    model.truncate((from - first) as usize);
                }
                1 => {
                    let number = first + rng.below(model.len() as u64 + 1);
                    chunks.drop_before(number);
                    model.drain(..(number - first) as usize);
                    first = number;
                }
                _ => {
                    chunks.push(item);
                    model.push_back(item);
                }
            }
            assert_eq!(
                (chunks.first(), chunks.next()),
                (first, first + model.len() as u64)
            );
            assert_eq!(chunks.last(), model.back());
            let at = rng.below(model.len() as u64 + 2);
            assert_eq!(chunks.get(first + at), model.get(at as usize));
        }
        assert!(chunks.iter().eq(model.iter()));
    }
}

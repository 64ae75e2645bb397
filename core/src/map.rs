//! A persistent ordered map: a B+-tree of shared pages, copied on write. A clone costs one reference
//! count; two versions share every page that neither has changed. Knows nothing of what it holds but
//! the key.
//!
//! The items lie behind pointers, so a binary search over them would miss the cache at each step.
//! Therefore a page keeps eight bytes of each key beside each other (`heads`), taken where the keys
//! of this page begin to differ; most searches look at one item.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::mem;
use core::slice;

/// Items of a full page.
const PAGE: usize = 64;
/// A page with fewer looks for a neighbour to join.
const SPARSE: usize = PAGE / 4;
/// Two pages join if they have no more together, so that the next insert does not split them again.
const JOINED: usize = PAGE / 4 * 3;
/// Vectors of a page grow by this many items: they are often full, and there are many of them.
const GROWTH: usize = 8;

/// What items are ordered by: the number, then the bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Key<'a> {
    pub(crate) first: u64,
    pub(crate) rest: &'a [u8],
}

/// Something that carries its own key.
pub(crate) trait Item: Clone {
    fn key(&self) -> Key<'_>;
}

/// The map. At most one item for each key.
#[derive(Clone)]
pub(crate) struct Map<T> {
    root: Arc<Node<T>>,
    len: usize,
}

#[derive(Clone)]
enum Node<T> {
    Leaf(Page<T>),
    Inner(Page<Branch<T>>),
}

/// A child page. Its keys are at least `least`, except that the first child of a page also has what is
/// below.
#[derive(Clone)]
struct Branch<T> {
    least: Least,
    /// Items in it and below.
    count: usize,
    child: Arc<Node<T>>,
}

#[derive(Clone)]
struct Least {
    first: u64,
    rest: Arc<[u8]>,
}

/// Items in order, and a word of each one's key.
#[derive(Clone)]
struct Page<I> {
    lens: Lens,
    heads: Vec<u64>,
    items: Vec<I>,
}

/// Which word of a key is its head. For the keys of the page heads ascend as keys do, though not strictly.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lens {
    /// The number.
    First,
    /// Eight of the bytes; number and bytes before are the same in the whole page.
    Rest { skip: usize },
}

impl<T: Item> Map<T> {
    pub(crate) fn new() -> Self {
        Self {
            root: Arc::new(Node::Leaf(Page::new())),
            len: 0,
        }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn get(&self, key: Key<'_>) -> Option<&T> {
        let mut node = &*self.root;
        loop {
            match node {
                Node::Inner(page) => node = &page.items[page.slot(key)].child,
                Node::Leaf(page) => return page.find(key).map(|at| &page.items[at]),
            }
        }
    }

    /// The item to be changed in place. Its key must stay.
    pub(crate) fn get_mut(&mut self, key: Key<'_>) -> Option<&mut T> {
        let mut node = Arc::make_mut(&mut self.root);
        loop {
            match node {
                Node::Inner(page) => {
                    let slot = page.slot(key);
                    node = Arc::make_mut(&mut page.items[slot].child);
                }
                Node::Leaf(page) => return page.find(key).map(|at| &mut page.items[at]),
            }
        }
    }

    /// Puts an item in its place and gives back the one that had its key.
    pub(crate) fn insert(&mut self, item: T) -> Option<T> {
        let (old, split) = insert(&mut self.root, item);
        if let Some(right) = split {
            let left = Branch::new(self.root.clone());
            let mut page = Page::new();
            page.insert(0, left);
            page.insert(1, right);
            self.root = Arc::new(Node::Inner(page));
        }
        self.len += usize::from(old.is_none());
        old
    }

    pub(crate) fn remove(&mut self, key: Key<'_>) -> Option<T> {
        let old = remove(&mut self.root, key)?;
        self.len -= 1;
        while let Node::Inner(page) = &*self.root {
            match &*page.items {
                [] => self.root = Arc::new(Node::Leaf(Page::new())),
                [only] => self.root = only.child.clone(),
                _ => break,
            }
        }
        Some(old)
    }

    pub(crate) fn retire(self) -> Retired<T> {
        Retired {
            nodes: vec![self.root],
        }
    }

    /// All items in order.
    pub(crate) fn iter(&self) -> Range<'_, T> {
        self.range(Key {
            first: 0,
            rest: &[],
        })
    }

    /// How many items come before `key`. As fast as `get`.
    pub(crate) fn rank(&self, key: Key<'_>) -> usize {
        let (mut node, mut before) = (&*self.root, 0);
        loop {
            match node {
                Node::Inner(page) => {
                    let slot = page.slot(key);
                    before += page.items[..slot]
                        .iter()
                        .map(|branch| branch.count)
                        .sum::<usize>();
                    node = &page.items[slot].child;
                }
                Node::Leaf(page) => return before + page.rank(key, Ordering::is_lt),
            }
        }
    }

    /// The items from `from` on, in order.
    pub(crate) fn range(&self, from: Key<'_>) -> Range<'_, T> {
        let mut later = Vec::new();
        let mut node = &*self.root;
        loop {
            match node {
                Node::Inner(page) => {
                    let slot = page.slot(from);
                    later.push(page.items[slot + 1..].iter());
                    node = &page.items[slot].child;
                }
                Node::Leaf(page) => {
                    let leaf = page.items[page.rank(from, Ordering::is_lt)..].iter();
                    return Range { later, leaf };
                }
            }
        }
    }
}

/// A version that nobody wants any more, to be dropped a few pages at a time: pages that only it has may be
/// many, and their items lie all over the memory.
#[derive(Clone)]
pub(crate) struct Retired<T> {
    nodes: Vec<Arc<Node<T>>>,
}

impl<T: Item> Retired<T> {
    /// Drops up to so many pages, and says whether there are more.
    pub(crate) fn drop_pages(&mut self, pages: usize) -> bool {
        for _ in 0..pages {
            let Some(node) = self.nodes.pop() else {
                return false;
            };
            if let Ok(Node::Inner(page)) = Arc::try_unwrap(node) {
                self.nodes
                    .extend(page.items.into_iter().map(|branch| branch.child));
            }
        }
        !self.nodes.is_empty()
    }
}

/// Items in order, from some key on.
pub(crate) struct Range<'a, T> {
    /// What comes after the leaf, from the root downwards.
    later: Vec<slice::Iter<'a, Branch<T>>>,
    leaf: slice::Iter<'a, T>,
}

impl<'a, T> Iterator for Range<'a, T> {
    type Item = &'a T;

    fn next(&mut self) -> Option<&'a T> {
        loop {
            if let Some(item) = self.leaf.next() {
                return Some(item);
            }
            let Some(branch) = self.later.last_mut()?.next() else {
                self.later.pop();
                continue;
            };
            match &*branch.child {
                Node::Inner(page) => self.later.push(page.items.iter()),
                Node::Leaf(page) => self.leaf = page.items.iter(),
            }
        }
    }
}

/// Recursion goes as deep as the tree of pages is high: the logarithm of its size.
fn insert<T: Item>(node: &mut Arc<Node<T>>, item: T) -> (Option<T>, Option<Branch<T>>) {
    match Arc::make_mut(node) {
        Node::Leaf(page) => {
            let at = page.rank(item.key(), Ordering::is_lt);
            if let Some(there) = page.items.get_mut(at)
                && there.key() == item.key()
            {
                return (Some(mem::replace(there, item)), None);
            }
            page.insert(at, item);
            let split = page
                .split(at)
                .map(|right| Branch::new(Arc::new(Node::Leaf(right))));
            (None, split)
        }
        Node::Inner(page) => {
            let slot = page.slot(item.key());
            let (old, split) = insert(&mut page.items[slot].child, item);
            page.items[slot].count += usize::from(old.is_none());
            let Some(branch) = split else {
                return (old, None);
            };
            page.items[slot].count -= branch.count;
            if slot == 0 {
                // What came below its bound is now divided, so the bound must be true again.
                page.items[0] = Branch::new(page.items[0].child.clone());
                page.focus();
            }
            page.insert(slot + 1, branch);
            let split = page
                .split(slot + 1)
                .map(|right| Branch::new(Arc::new(Node::Inner(right))));
            (old, split)
        }
    }
}

fn remove<T: Item>(node: &mut Arc<Node<T>>, key: Key<'_>) -> Option<T> {
    match Arc::make_mut(node) {
        Node::Leaf(page) => page.find(key).map(|at| page.remove(at)),
        Node::Inner(page) => {
            let slot = page.slot(key);
            let old = remove(&mut page.items[slot].child, key)?;
            page.items[slot].count -= 1;
            page.mend(slot);
            Some(old)
        }
    }
}

impl<T: Item> Node<T> {
    fn len(&self) -> usize {
        match self {
            Self::Leaf(page) => page.items.len(),
            Self::Inner(page) => page.items.len(),
        }
    }

    /// Items in it and below.
    fn count(&self) -> usize {
        match self {
            Self::Leaf(page) => page.items.len(),
            Self::Inner(page) => page.items.iter().map(|branch| branch.count).sum(),
        }
    }
}

impl<T: Item> Branch<T> {
    /// To a page that is not empty.
    fn new(child: Arc<Node<T>>) -> Self {
        let key = match &*child {
            Node::Leaf(page) => page.items[0].key(),
            Node::Inner(page) => page.items[0].key(),
        };
        Self {
            least: Least {
                first: key.first,
                rest: key.rest.into(),
            },
            count: child.count(),
            child,
        }
    }
}

impl<T: Item> Item for Branch<T> {
    fn key(&self) -> Key<'_> {
        Key {
            first: self.least.first,
            rest: &self.least.rest,
        }
    }
}

impl<T: Item> Page<Branch<T>> {
    /// The child that has `key`, if any has it.
    fn slot(&self, key: Key<'_>) -> usize {
        self.rank(key, Ordering::is_le).saturating_sub(1)
    }

    /// Something was removed from the child at `slot`: drops it if it is empty, or joins it with a neighbour.
    fn mend(&mut self, slot: usize) {
        let len = |at: usize| self.items.get(at).map_or(PAGE, |branch| branch.child.len());
        let size = len(slot);
        if SPARSE <= size {
            return;
        }
        if size == 0 {
            self.remove(slot);
        } else if size + len(slot + 1) <= JOINED {
            self.join(slot);
        } else if slot > 0 && len(slot - 1) + size <= JOINED {
            self.join(slot - 1);
        }
    }

    /// Moves what the right neighbour of `slot` has into it.
    fn join(&mut self, slot: usize) {
        let Branch {
            least,
            count,
            child,
        } = self.remove(slot + 1);
        self.items[slot].count += count;
        match (
            Arc::make_mut(&mut self.items[slot].child),
            Arc::unwrap_or_clone(child),
        ) {
            (Node::Leaf(left), Node::Leaf(right)) => left.append(right),
            (Node::Inner(left), Node::Inner(mut right)) => {
                // It was the first of its page and is not any more, so it needs a true bound.
                right.items[0].least = least;
                left.append(right);
            }
            _ => unreachable!("all leaves are at the same height"),
        }
    }
}

impl<I: Item> Page<I> {
    const fn new() -> Self {
        Self {
            lens: Lens::First,
            heads: Vec::new(),
            items: Vec::new(),
        }
    }

    /// How many items come before `key`, where `before` judges an item's key against `key`.
    fn rank(&self, key: Key<'_>, before: fn(Ordering) -> bool) -> usize {
        let Some(sample) = self.items.first() else {
            return 0;
        };
        match self.lens.outside(key, sample.key()) {
            Ordering::Less => return 0,
            Ordering::Greater => return self.items.len(),
            Ordering::Equal => {}
        }
        let head = self.lens.head(key);
        let low = self.heads.partition_point(|&other| other < head);
        let same = self.heads[low..]
            .iter()
            .take_while(|&&other| other == head)
            .count();
        low + self.items[low..low + same].partition_point(|item| before(item.key().cmp(&key)))
    }

    fn find(&self, key: Key<'_>) -> Option<usize> {
        let head = self.lens.head(key);
        let low = self.heads.partition_point(|&other| other < head);
        let same = self.heads[low..]
            .iter()
            .take_while(|&&other| other == head)
            .count();
        (low..low + same).find(|&at| self.items[at].key() == key)
    }

    fn insert(&mut self, at: usize, item: I) {
        let (low, high) = match (self.items.first(), self.items.last()) {
            (Some(first), Some(last)) => (first.key().min(item.key()), last.key().max(item.key())),
            _ => (item.key(), item.key()),
        };
        let sharpest = Lens::between(low, high);
        if self.items.is_empty() || !self.lens.orders(sharpest) {
            self.lens = sharpest;
            for (head, item) in self.heads.iter_mut().zip(&self.items) {
                *head = sharpest.head(item.key());
            }
        }
        if self.items.len() == self.items.capacity() {
            self.heads.reserve_exact(GROWTH);
            self.items.reserve_exact(GROWTH);
        }
        self.heads.insert(at, self.lens.head(item.key()));
        self.items.insert(at, item);
    }

    fn remove(&mut self, at: usize) -> I {
        self.heads.remove(at);
        self.items.remove(at)
    }

    /// Splits the page if it is full, after an insert at `at`: in the middle, or, where items come in
    /// ascending order, at the new item, so that such pages stay full.
    fn split(&mut self, at: usize) -> Option<Self> {
        if self.items.len() < PAGE {
            return None;
        }
        let middle = if at + 1 == self.items.len() {
            at
        } else {
            PAGE / 2
        };
        let mut right = Self::new();
        right.append(Self {
            lens: self.lens,
            heads: self.heads.split_off(middle),
            items: self.items.split_off(middle),
        });
        self.heads.shrink_to_fit();
        self.items.shrink_to_fit();
        self.focus();
        Some(right)
    }

    /// Adds the items of a page that comes after this one.
    fn append(&mut self, other: Self) {
        self.heads.reserve_exact(other.items.len());
        self.items.reserve_exact(other.items.len());
        self.heads.extend(other.heads);
        self.items.extend(other.items);
        self.focus();
    }

    /// Takes the heads anew, where these keys begin to differ.
    fn focus(&mut self) {
        let (Some(first), Some(last)) = (self.items.first(), self.items.last()) else {
            return;
        };
        let lens = Lens::between(first.key(), last.key());
        self.lens = lens;
        for (head, item) in self.heads.iter_mut().zip(&self.items) {
            *head = lens.head(item.key());
        }
    }
}

impl Lens {
    /// The sharpest one for the keys from `low` to `high`.
    fn between(low: Key<'_>, high: Key<'_>) -> Self {
        if low.first != high.first {
            return Self::First;
        }
        let same = low.rest.iter().zip(high.rest).take_while(|(a, b)| a == b);
        Self::Rest { skip: same.count() }
    }

    /// Whether it orders keys for which `sharpest` is the sharpest one.
    fn orders(self, sharpest: Self) -> bool {
        match (self, sharpest) {
            (Self::First, _) => true,
            (Self::Rest { .. }, Self::First) => false,
            (Self::Rest { skip }, Self::Rest { skip: same }) => skip <= same,
        }
    }

    fn head(self, key: Key<'_>) -> u64 {
        match self {
            Self::First => key.first,
            Self::Rest { skip } => word(key.rest.get(skip..).unwrap_or_default()),
        }
    }

    /// Where `key` lies if it does not share what all keys of the page share, of which `sample` is one.
    fn outside(self, key: Key<'_>, sample: Key<'_>) -> Ordering {
        match self {
            Self::First => Ordering::Equal,
            Self::Rest { skip } => {
                let shared = &sample.rest[..skip.min(sample.rest.len())];
                let begin = &key.rest[..skip.min(key.rest.len())];
                key.first.cmp(&sample.first).then_with(|| begin.cmp(shared))
            }
        }
    }
}

/// Up to eight bytes as a number that orders as they do; missing ones are zero.
fn word(bytes: &[u8]) -> u64 {
    if let Some(&whole) = bytes.first_chunk::<8>() {
        return u64::from_be_bytes(whole);
    }
    let mut padded = [0; 8];
    padded[..bytes.len()].copy_from_slice(bytes);
    u64::from_be_bytes(padded)
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;
    use alloc::string::String;

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, PartialEq, Eq, Debug)]
    struct Pair(u64, String, u32);

    impl Item for Pair {
        fn key(&self) -> Key<'_> {
            Key {
                first: self.0,
                rest: self.1.as_bytes(),
            }
        }
    }

    type Model = BTreeMap<(u64, String), u32>;

    /// What must hold in every page, and that the map says what the model says.
    fn check(map: &Map<Pair>, model: &Model) {
        let pairs = |map: &Map<Pair>| map.iter().cloned().collect::<Vec<_>>();
        let expected = model
            .iter()
            .map(|((first, rest), value)| Pair(*first, rest.clone(), *value));
        assert_eq!(pairs(map), expected.collect::<Vec<_>>());
        assert_eq!(map.len(), model.len());
        for (rank, (first, rest)) in model.keys().enumerate() {
            let key = Pair(*first, rest.clone(), 0);
            assert_eq!(map.rank(key.key()), rank);
            let behind = Pair(*first, alloc::format!("{rest}\0"), 0);
            assert_eq!(map.rank(behind.key()), rank + 1);
        }
        check_node(&map.root);
    }

    fn check_node(node: &Node<Pair>) {
        match node {
            Node::Leaf(page) => check_page(page),
            Node::Inner(page) => {
                assert!(!page.items.is_empty());
                check_page(page);
                for branch in &page.items {
                    assert_eq!(branch.count, branch.child.count());
                    check_node(&branch.child);
                }
            }
        }
    }

    fn check_page<I: Item>(page: &Page<I>) {
        assert!(page.items.len() < PAGE);
        assert_eq!(page.items.len(), page.heads.len());
        assert!(
            page.items
                .windows(2)
                .all(|pair| pair[0].key() < pair[1].key())
        );
        for (head, item) in page.heads.iter().zip(&page.items) {
            assert_eq!(*head, page.lens.head(item.key()));
        }
        assert!(page.heads.is_sorted());
    }

    #[derive(Clone, Debug)]
    enum Step {
        Insert(u64, String, u32),
        Remove(u64, String),
        Change(u64, String, u32),
        /// Removes up to so many, from this key on.
        Drain(u64, String, usize),
        /// Inserts so many in ascending order behind this key.
        Fill(u64, String, u32),
        Clone,
    }

    fn step() -> impl Strategy<Value = Step> {
        let key = || (0..3_u64, "[ab]{0,12}");
        prop_oneof![
            6 => (key(), any::<u32>()).prop_map(|((a, b), c)| Step::Insert(a, b, c)),
            4 => key().prop_map(|(a, b)| Step::Remove(a, b)),
            2 => (key(), any::<u32>()).prop_map(|((a, b), c)| Step::Change(a, b, c)),
            1 => (key(), 0..500_usize).prop_map(|((a, b), c)| Step::Drain(a, b, c)),
            2 => (key(), 0..500_u32).prop_map(|((a, b), c)| Step::Fill(a, b, c)),
            1 => Just(Step::Clone),
        ]
    }

    fn run(step: Step, map: &mut Map<Pair>, model: &mut Model) {
        match step {
            Step::Insert(a, b, c) => {
                let old = map.insert(Pair(a, b.clone(), c)).map(|old| old.2);
                assert_eq!(old, model.insert((a, b), c));
            }
            Step::Remove(a, b) => {
                let old = map.remove(Pair(a, b.clone(), 0).key()).map(|old| old.2);
                assert_eq!(old, model.remove(&(a, b)));
            }
            Step::Change(a, b, c) => {
                let there = map.get_mut(Pair(a, b.clone(), 0).key());
                let expected = model.get_mut(&(a, b));
                assert_eq!(
                    there.as_ref().map(|pair| pair.2),
                    expected.as_ref().map(|value| **value)
                );
                if let (Some(there), Some(expected)) = (there, expected) {
                    (there.2, *expected) = (c, c);
                }
            }
            Step::Drain(a, b, count) => {
                let from = Pair(a, b.clone(), 0);
                let pairs: Vec<Pair> = map.range(from.key()).take(count).cloned().collect();
                let keys: Vec<_> = model
                    .range((a, b)..)
                    .take(count)
                    .map(|(k, _)| k.clone())
                    .collect();
                assert_eq!(pairs.len(), keys.len());
                for (pair, key) in pairs.iter().zip(keys) {
                    assert_eq!((pair.0, &pair.1), (key.0, &key.1));
                    assert_eq!(map.get(pair.key()), Some(pair));
                    assert_eq!(map.remove(pair.key()).map(|old| old.2), model.remove(&key));
                }
            }
            Step::Fill(a, b, count) => {
                for number in 0..count {
                    let key = alloc::format!("{b}{number:06}");
                    run(Step::Insert(a, key, number), map, model);
                }
            }
            Step::Clone => {}
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn is_an_ordered_map_whose_clones_stay(steps in prop::collection::vec(step(), 0..60)) {
            let (mut map, mut model) = (Map::new(), Model::new());
            let mut clones = Vec::new();
            for step in steps {
                if let Step::Clone = step {
                    clones.push((map.clone(), model.clone()));
                }
                run(step, &mut map, &mut model);
            }
            check(&map, &model);
            let retired = clones.pop().map(|(map, _)| map.retire());
            if let Some(mut retired) = retired {
                while retired.drop_pages(3) {}
            }
            for (map, model) in &clones {
                check(map, model);
            }
            check(&map, &model);
        }
    }
}

//! The access control lists that znodes have. Most znodes share a list with many others, so each list is
//! kept once, and a znode names it by number. Which list means what is `acl`'s business.
//!
//! Number 0 is world:anyone:ALL, which is never kept. A list whose last znode goes stays until `sweep`, so
//! that a multi can be taken back.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::hash;
use crate::map::{Item, Key, Map};
use crate::request::Acl;

/// The number of world:anyone:ALL.
pub(crate) const OPEN: u32 = 0;

/// Lists by number and numbers by list. A clone shares everything.
#[derive(Clone)]
pub(crate) struct Acls {
    by_number: Map<Kept>,
    by_list: Map<Named>,
    /// Numbers whose last znode went, perhaps for good.
    idle: Vec<u32>,
    /// Sum of the lists' hashes (rule R9).
    digest: u64,
}

#[derive(Clone)]
struct Kept {
    number: u32,
    list: Arc<[Acl]>,
    /// Znodes that name it.
    count: u64,
}

#[derive(Clone)]
struct Named {
    packed: Arc<[u8]>,
    number: u32,
}

impl Acls {
    pub(crate) fn new() -> Self {
        Self {
            by_number: Map::new(),
            by_list: Map::new(),
            idle: Vec::new(),
            digest: 0,
        }
    }

    /// The number of a list. A new one gets the number above the highest, so that replicas agree.
    pub(crate) fn number(&mut self, list: &[Acl]) -> u32 {
        if list == [Acl::open()] {
            return OPEN;
        }
        let packed = pack(list);
        if let Some(named) = self.by_list.get(by_list(&packed)) {
            return named.number;
        }
        let number = self.free_number();
        self.keep(number, list, packed);
        self.idle.push(number);
        number
    }

    /// The list with this number; `None` for the open one, and for those that are not there.
    pub(crate) fn list(&self, number: u32) -> Option<&Arc<[Acl]>> {
        self.by_number.get(by_number(number)).map(|kept| &kept.list)
    }

    /// A list from a snapshot. Whether number and list were free.
    pub(crate) fn restore(&mut self, number: u32, list: &[Acl]) -> bool {
        let packed = pack(list);
        let free = number != OPEN
            && list != [Acl::open()]
            && self.list(number).is_none()
            && self.by_list.get(by_list(&packed)).is_none();
        if free {
            self.keep(number, list, packed);
        }
        free
    }

    /// One more znode names it.
    pub(crate) fn count_in(&mut self, number: u32) {
        if number != OPEN
            && let Some(kept) = self.by_number.get_mut(by_number(number))
        {
            kept.count += 1;
        }
    }

    /// One znode less names it.
    pub(crate) fn count_out(&mut self, number: u32) {
        if number != OPEN
            && let Some(kept) = self.by_number.get_mut(by_number(number))
        {
            kept.count = kept.count.saturating_sub(1);
            if kept.count == 0 {
                self.idle.push(number);
            }
        }
    }

    /// Forgets the lists that no znode names.
    pub(crate) fn sweep(&mut self) {
        while let Some(number) = self.idle.pop() {
            let unused = |kept: &Kept| kept.count == 0;
            if self.by_number.get(by_number(number)).is_some_and(unused)
                && let Some(kept) = self.by_number.remove(by_number(number))
            {
                let packed = pack(&kept.list);
                self.by_list.remove(by_list(&packed));
                self.digest = self.digest.wrapping_sub(digest(number, &packed));
            }
        }
    }

    pub(crate) const fn digest(&self) -> u64 {
        self.digest
    }

    /// Whether the digest is that of the lists, and each of them is named.
    pub(crate) fn is_right(&self) -> bool {
        let add = |sum: u64, kept: &Kept| sum.wrapping_add(digest(kept.number, &pack(&kept.list)));
        self.by_number.iter().fold(0, add) == self.digest && self.are_all_named()
    }

    pub(crate) fn are_all_named(&self) -> bool {
        self.by_number.iter().all(|kept| 0 < kept.count)
    }

    /// The lists from a number on.
    pub(crate) fn from(&self, number: u32) -> impl Iterator<Item = (u32, &[Acl])> {
        self.by_number
            .range(by_number(number))
            .map(|kept| (kept.number, &*kept.list))
    }

    fn keep(&mut self, number: u32, list: &[Acl], packed: Vec<u8>) {
        self.digest = self.digest.wrapping_add(digest(number, &packed));
        self.by_number.insert(Kept {
            number,
            list: list.into(),
            count: 0,
        });
        self.by_list.insert(Named {
            packed: packed.into(),
            number,
        });
    }

    fn free_number(&self) -> u32 {
        let highest = by_number(u32::MAX);
        if self.by_number.get(highest).is_none() {
            return self.above_all();
        }
        // Four billion lists came and went. There is a gap, or the memory would have been full before.
        let mut free = 1;
        for kept in self.by_number.iter() {
            if kept.number != free {
                break;
            }
            free = free.wrapping_add(1);
        }
        free
    }

    /// One above the highest number, found by halving: the map has no last item.
    fn above_all(&self) -> u32 {
        let (mut low, mut high) = (1, u32::MAX);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.by_number.range(by_number(middle)).next().is_some() {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}

/// The same bytes for the same list, and for no other.
fn pack(list: &[Acl]) -> Vec<u8> {
    let mut packed = Vec::new();
    for acl in list {
        packed.extend_from_slice(&acl.perms.to_be_bytes());
        for text in [&acl.scheme, &acl.id] {
            packed.extend_from_slice(&(text.len() as u64).to_be_bytes());
            packed.extend_from_slice(text.as_bytes());
        }
    }
    packed
}

fn digest(number: u32, packed: &[u8]) -> u64 {
    hash::of_words(&[number.into(), hash::of_bytes(packed)])
}

const fn by_number(number: u32) -> Key<'static> {
    Key {
        first: number as u64,
        rest: &[],
    }
}

const fn by_list(packed: &[u8]) -> Key<'_> {
    Key {
        first: 0,
        rest: packed,
    }
}

impl Item for Kept {
    fn key(&self) -> Key<'_> {
        by_number(self.number)
    }
}

impl Item for Named {
    fn key(&self) -> Key<'_> {
        by_list(&self.packed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn list(id: u32) -> [Acl; 1] {
        [Acl {
            perms: 1,
            scheme: "sasl".into(),
            id: id.to_string(),
        }]
    }

    #[test]
    fn lists_are_shared_and_go_with_their_last_znode() {
        let mut acls = Acls::new();
        assert_eq!(acls.number(&[Acl::open()]), OPEN);
        let [one, two, three] = [1, 2, 3].map(|id| acls.number(&list(id)));
        assert_eq!((one, two, three), (1, 2, 3));
        for number in [one, two, two, three] {
            acls.count_in(number);
        }
        acls.sweep();
        assert!(acls.is_right());
        assert_eq!(acls.number(&list(2)), two);
        acls.count_out(two);
        acls.count_out(one);
        assert!(
            acls.list(one).is_some(),
            "it can be taken back until the sweep"
        );
        acls.sweep();
        assert_eq!(acls.list(one), None);
        assert!(acls.list(two).is_some());
        assert_eq!(
            acls.number(&list(1)),
            4,
            "numbers grow, whatever was there before"
        );
        acls.sweep();
        assert_eq!(acls.list(4), None);
        assert!(acls.is_right());
    }

    #[test]
    fn numbers_do_not_run_out() {
        let mut acls = Acls::new();
        for (number, id) in [(1, 1), (2, 2), (u32::MAX, 3)] {
            assert!(acls.restore(number, &list(id)));
            acls.count_in(number);
        }
        assert!(!acls.restore(9, &list(3)));
        assert!(!acls.restore(2, &list(9)));
        assert!(!acls.restore(OPEN, &list(9)));
        assert_eq!(acls.number(&list(4)), 3);
    }
}

//! Access control lists: which are taken. A znode refers to its list by number; number 0 is
//! world:anyone:ALL, and the numbers from 1 on are kept for the lists that will be enforced one day.
//!
//! Until then anything else is refused with `InvalidAcl` (rule R31): a list that is taken but not
//! enforced would be a lie, and of ZooKeeper's codes this is the one that leaves the connection alone
//! and tells the client which argument to change. An empty list gets it from ZooKeeper too.

use crate::request::{Acl, Error};

/// The number of world:anyone:ALL.
pub const OPEN: u32 = 0;

/// The number of a list.
///
/// # Errors
/// `InvalidAcl` unless every entry, and at least one, is world:anyone:ALL.
pub fn number(list: &[Acl]) -> Result<u32, Error> {
    let open = |acl: &Acl| acl.perms == Acl::ALL && acl.scheme == "world" && acl.id == "anyone";
    if !list.is_empty() && list.iter().all(open) {
        Ok(OPEN)
    } else {
        Err(Error::InvalidAcl)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_open_list_is_taken() {
        let acl = |perms, scheme: &str, id: &str| Acl {
            perms,
            scheme: scheme.into(),
            id: id.into(),
        };
        let check = |list: &[Acl], expected| assert_eq!(number(list), expected, "{list:?}");
        check(&[Acl::open()], Ok(OPEN));
        check(&[Acl::open(), Acl::open()], Ok(OPEN));
        check(&[], Err(Error::InvalidAcl));
        check(&[acl(1, "world", "anyone")], Err(Error::InvalidAcl));
        check(&[acl(31, "world", "me")], Err(Error::InvalidAcl));
        check(
            &[Acl::open(), acl(31, "digest", "a:b")],
            Err(Error::InvalidAcl),
        );
        check(&[acl(31, "auth", "")], Err(Error::InvalidAcl));
    }
}

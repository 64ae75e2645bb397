//! The other half of a fencing token: what a resource does with the tokens of those who use it. A lock or an
//! election gives each holder a greater one; a resource that refuses whatever comes with a lesser one than it has
//! seen is safe from a holder that does not know yet that it is none. Knows neither clients nor servers: it belongs
//! beside the resource.

use crate::id::Index;

/// The memory of a resource: the greatest token that it has seen.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Fence {
    greatest: Index,
}

impl Fence {
    /// The greatest token so far; 0 before the first.
    #[must_use]
    pub const fn greatest(&self) -> Index {
        self.greatest
    }

    /// Somebody comes with this token. Whoever is let in with a greater one shuts the door behind itself.
    ///
    /// # Errors
    /// The token that was seen before, if it is greater.
    pub fn admit(&mut self, token: Index) -> Result<(), Index> {
        if token < self.greatest {
            return Err(self.greatest);
        }
        self.greatest = token;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Fence;
    use crate::id::Index;

    #[test]
    fn a_lesser_token_is_refused_once_a_greater_one_was_seen() {
        let mut fence = Fence::default();
        assert_eq!(fence.admit(Index(7)), Ok(()));
        assert_eq!(fence.admit(Index(7)), Ok(()), "its holder comes again");
        assert_eq!(fence.admit(Index(9)), Ok(()));
        assert_eq!(fence.admit(Index(7)), Err(Index(9)));
        assert_eq!(fence.greatest(), Index(9));
    }
}

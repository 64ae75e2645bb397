//! Names of things: plain numbers that cannot be mixed up. Nothing here knows what they name.

use core::fmt;

use serde::{Deserialize, Serialize};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl $name {
            /// The number after this one.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0 + 1)
            }

            /// The number before this one; zero stays zero.
            #[must_use]
            pub const fn prev(self) -> Self {
                Self(self.0.saturating_sub(1))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number! {
    /// A member of the cluster: ZooKeeper's server number, 1 to 255.
    NodeId
}
number! {
    /// Raft's term: how many elections the cluster has seen begin. 0 before the first.
    Term
}
number! {
    /// A position in the log, from 1. 0 means "before the first entry". Also the zxid (rule R18).
    Index
}
number! {
    /// Number of a write handed to the driver: 1, 2, 3, ... within one incarnation of a node.
    WriteId
}
number! {
    /// Number of a snapshot part handed to the driver: 1, 2, 3, ... within one incarnation.
    SaveId
}
number! {
    /// A client's session: the index of the log entry that opened it. 0 means "none".
    SessionId
}
number! {
    /// A client connection on one node. The driver counts them up and never reuses a number.
    ConnId
}

/// A data directory: a random number drawn when it is made and never used again, so that one that was
/// lost cannot be mistaken for one that kept its promises. 0 means "not known".
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct ReplicaId(pub u128);

/// 32 hexadecimal digits.
impl fmt::Display for ReplicaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// Position of an entry in the log. Equality of both fields means "the same entry" (log matching).
/// Ordered as Raft compares logs: by term first, then by index (paper section 5.4.1).
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug, Serialize, Deserialize,
)]
pub struct LogId {
    /// Term in which the entry was made.
    pub term: Term,
    /// Its place in the log.
    pub index: Index,
}

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.index, self.term)
    }
}

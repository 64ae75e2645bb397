//! Leader election as kazoo's `Election` does it: whoever holds the lock at the path leads. The fencing
//! token of the lock is the number of the reign; there are no two reigns with one number, and later ones
//! have greater numbers.

use alloc::string::String;

use bytes::Bytes;

use super::lock::{self, Kind, Lock};
use super::{Out, Recipe, Standing};
use crate::client::Event;
use crate::id::Index;
use crate::request::Error;

/// What a candidate hears.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Told {
    /// It leads.
    Elected {
        /// The number of its reign, to be shown wherever it acts as the leader.
        token: Index,
    },
    /// It leads, but the session may have expired: act no more until `Resumed` or a new reign.
    Paused,
    /// It leads still.
    Resumed,
    /// It does not lead any more, because its session has ended. It is no candidate any more.
    Deposed,
    /// It does not lead and is no candidate, by its own will.
    Withdrawn,
    /// The server does not let it be a candidate.
    Failed(Error),
}

/// A candidate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Election {
    lock: Lock,
}

impl Election {
    /// One that does not stand yet. `unique` is drawn at random by the caller; `name` says who it is.
    #[must_use]
    pub fn new(path: &str, unique: u128, name: String) -> Self {
        let lock = Lock::new(path, Kind::Exclusive, unique, Bytes::from(name));
        Self { lock }
    }

    /// Where.
    #[must_use]
    pub fn path(&self) -> &str {
        self.lock.path()
    }

    /// The number of its reign, as long as it leads.
    #[must_use]
    pub const fn token(&self) -> Option<Index> {
        self.lock.token()
    }

    /// Stands for election, if it does not do so already.
    pub fn stand(&mut self, out: &mut Out<Told>) {
        translated(out, |out| self.lock.acquire(out));
    }

    /// Withdraws.
    pub fn withdraw(&mut self, out: &mut Out<Told>) {
        translated(out, |out| self.lock.release(out));
    }
}

impl Recipe for Election {
    type Told = Told;

    fn standing(&self) -> Standing {
        self.lock.standing()
    }

    fn handle(&mut self, event: &Event, out: &mut Out<Told>) {
        translated(out, |out| self.lock.handle(event, out));
    }
}

fn translated(out: &mut Out<Told>, act: impl FnOnce(&mut Out<lock::Told>)) {
    let mut inner = Out::default();
    act(&mut inner);
    out.requests.append(&mut inner.requests);
    let told = inner.told.into_iter().map(|told| match told {
        lock::Told::Acquired { token } => Told::Elected { token },
        lock::Told::Doubtful => Told::Paused,
        lock::Told::Confirmed => Told::Resumed,
        lock::Told::Lost => Told::Deposed,
        lock::Told::Released => Told::Withdrawn,
        lock::Told::Failed(error) => Told::Failed(error),
    });
    out.told.extend(told);
}

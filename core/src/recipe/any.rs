//! Several recipes on one client, as the simulator and the page run them: which is meant by a wish, whose
//! request an outcome belongs to. Knows no sockets.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::election::{self, Election};
use super::lock::{self, Kind, Lock};
use super::{Out, Recipe};
use crate::client::Event;
use crate::id::Index;
use crate::request::Request;

/// What somebody wants of a recipe. Wishes go into links and traces: variants are only added at the end.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Wish {
    /// The lock at this path, or a share of it.
    Lock {
        /// Where.
        path: String,
        /// Whom it keeps out.
        kind: Kind,
    },
    /// To have it no more.
    Unlock {
        /// Where.
        path: String,
        /// Which.
        kind: Kind,
    },
    /// To lead.
    Stand {
        /// Where.
        path: String,
    },
    /// To lead no more.
    Withdraw {
        /// Where.
        path: String,
    },
}

/// What a recipe says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Told {
    /// A lock.
    Lock {
        /// Where.
        path: String,
        /// What.
        told: lock::Told,
    },
    /// An election.
    Election {
        /// Where.
        path: String,
        /// What.
        told: election::Told,
    },
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum One {
    Lock(Kind, Lock),
    Election(Election),
}

/// The recipes of one client.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Any {
    recipes: Vec<One>,
    /// Whose each call is.
    callers: BTreeMap<u64, usize>,
}

/// What they want and say.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Wanted {
    /// To be sent, each for the recipe with this number; `Any::asked` is told under which number it was.
    pub requests: Vec<(usize, Request)>,
    /// What they say.
    pub told: Vec<Told>,
}

impl Wanted {
    fn take<T>(&mut self, place: usize, out: Out<T>, told: impl FnMut(T) -> Told) {
        let requests = out.requests.into_iter().map(|request| (place, request));
        self.requests.extend(requests);
        self.told.extend(out.told.into_iter().map(told));
    }
}

impl One {
    fn lock(
        place: usize,
        lock: &mut Lock,
        wanted: &mut Wanted,
        act: impl FnOnce(&mut Lock, &mut Out<lock::Told>),
    ) {
        let mut out = Out::default();
        act(lock, &mut out);
        let path = lock.path();
        wanted.take(place, out, |told| Told::Lock {
            path: path.into(),
            told,
        });
    }

    fn election(
        place: usize,
        election: &mut Election,
        wanted: &mut Wanted,
        act: impl FnOnce(&mut Election, &mut Out<election::Told>),
    ) {
        let mut out = Out::default();
        act(election, &mut out);
        let path = election.path();
        wanted.take(place, out, |told| Told::Election {
            path: path.into(),
            told,
        });
    }

    fn handle(&mut self, place: usize, event: &Event, wanted: &mut Wanted) {
        match self {
            Self::Lock(_, lock) => {
                Self::lock(place, lock, wanted, |lock, out| lock.handle(event, out))
            }
            Self::Election(election) => {
                Self::election(place, election, wanted, |election, out| {
                    election.handle(event, out)
                });
            }
        }
    }
}

impl Any {
    /// Carries out a wish. `unique` is drawn at random, and `name` says whose the wish is.
    pub fn wish(&mut self, wish: &Wish, unique: u128, name: &str, wanted: &mut Wanted) {
        match wish {
            Wish::Lock { path, kind } => {
                let new = || {
                    One::Lock(
                        *kind,
                        Lock::new(path, *kind, unique, Bytes::copy_from_slice(name.as_bytes())),
                    )
                };
                let place = self.place(|one| one.is_lock(path, *kind), new);
                if let One::Lock(_, lock) = &mut self.recipes[place] {
                    One::lock(place, lock, wanted, Lock::acquire);
                }
            }
            Wish::Unlock { path, kind } => {
                let found = self.recipes.iter_mut().enumerate();
                for (place, one) in found.filter(|(_, one)| one.is_lock(path, *kind)) {
                    if let One::Lock(_, lock) = one {
                        One::lock(place, lock, wanted, Lock::release);
                    }
                }
            }
            Wish::Stand { path } => {
                let new = || One::Election(Election::new(path, unique, name.into()));
                let place = self.place(|one| one.is_election(path), new);
                if let One::Election(election) = &mut self.recipes[place] {
                    One::election(place, election, wanted, Election::stand);
                }
            }
            Wish::Withdraw { path } => {
                let found = self.recipes.iter_mut().enumerate();
                for (place, one) in found.filter(|(_, one)| one.is_election(path)) {
                    if let One::Election(election) = one {
                        One::election(place, election, wanted, Election::withdraw);
                    }
                }
            }
        }
    }

    /// A request of the recipe with this number is now the call with this id.
    pub fn asked(&mut self, place: usize, id: u64) {
        self.callers.insert(id, place);
    }

    /// The client tells something. What belongs to none of them has no effect.
    pub fn handle(&mut self, event: &Event, wanted: &mut Wanted) {
        if let Event::Done { id, .. } = event {
            if let Some(place) = self.callers.remove(id)
                && let Some(one) = self.recipes.get_mut(place)
            {
                one.handle(place, event, wanted);
            }
            return;
        }
        for (place, one) in self.recipes.iter_mut().enumerate() {
            one.handle(place, event, wanted);
        }
    }

    /// The fencing tokens that are held, with the paths of their locks.
    pub fn tokens(&self) -> impl Iterator<Item = (&str, Index)> {
        self.recipes.iter().filter_map(|one| match one {
            One::Lock(_, lock) => Some((lock.path(), lock.token()?)),
            One::Election(election) => Some((election.path(), election.token()?)),
        })
    }

    fn place(&mut self, is: impl Fn(&One) -> bool, new: impl FnOnce() -> One) -> usize {
        match self.recipes.iter().position(is) {
            Some(place) => place,
            None => {
                self.recipes.push(new());
                self.recipes.len() - 1
            }
        }
    }
}

impl One {
    fn is_lock(&self, path: &str, kind: Kind) -> bool {
        matches!(self, Self::Lock(own, lock) if *own == kind && lock.path() == path)
    }

    fn is_election(&self, path: &str) -> bool {
        matches!(self, Self::Election(election) if election.path() == path)
    }
}

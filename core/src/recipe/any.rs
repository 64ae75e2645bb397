//! Several recipes on one client, as the simulator and the page run them: which is meant by a wish, whose
//! request an outcome belongs to. Knows no sockets.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::barrier::{self, DoubleBarrier};
use super::counter::{self, Counter};
use super::election::{self, Election};
use super::group::{Called, Member, Membership, Roll, Seat};
use super::lock::{self, Kind, Lock};
use super::queue::{Consumer, Producer, Put, Take};
use super::service::{Directory, Seen};
use super::settings::{Reader, Shown, Update, Writer, Written};
use super::{Out, Recipe, Standing};
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
    /// To put something into a queue.
    Put {
        /// Where.
        path: String,
        /// Lower goes first.
        priority: u16,
        /// What.
        value: String,
    },
    /// To take something from a queue.
    Take {
        /// Where.
        path: String,
    },
    /// What was taken is done.
    Finish {
        /// Where.
        path: String,
    },
    /// What was taken is another's.
    GiveBack {
        /// Where.
        path: String,
    },
    /// To be in a group.
    Join {
        /// Where.
        path: String,
    },
    /// To be in it no more.
    Leave {
        /// Where.
        path: String,
    },
    /// To know who is in a group.
    Call {
        /// Where.
        path: String,
    },
    /// To enter a double barrier.
    Enter {
        /// Where.
        path: String,
        /// How many must.
        parties: u32,
    },
    /// To leave it.
    Exit {
        /// Where.
        path: String,
    },
    /// To add to a counter.
    Add {
        /// Where.
        path: String,
        /// What.
        number: i64,
    },
    /// To know what a configuration says.
    Read {
        /// Where.
        path: String,
    },
    /// To change a configuration.
    Change {
        /// Where.
        path: String,
        /// Only if it has this version.
        version: Option<i32>,
        /// Keys, and what they are to say; those without go.
        values: Vec<(String, Option<String>)>,
    },
    /// To know who serves.
    Look {
        /// Where.
        path: String,
    },
}

impl Wish {
    /// Where the recipe's znodes are.
    #[must_use]
    pub fn path(&self) -> &str {
        match self {
            Self::Lock { path, .. }
            | Self::Unlock { path, .. }
            | Self::Stand { path }
            | Self::Withdraw { path }
            | Self::Put { path, .. }
            | Self::Take { path }
            | Self::Finish { path }
            | Self::GiveBack { path }
            | Self::Join { path }
            | Self::Leave { path }
            | Self::Call { path }
            | Self::Enter { path, .. }
            | Self::Exit { path }
            | Self::Add { path, .. }
            | Self::Read { path }
            | Self::Change { path, .. }
            | Self::Look { path } => path,
        }
    }
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
    /// A producer.
    Put {
        /// Where.
        path: String,
        /// What.
        told: Put,
    },
    /// A consumer.
    Take {
        /// Where.
        path: String,
        /// What.
        told: Take,
    },
    /// A member of a group.
    Member {
        /// Where.
        path: String,
        /// What.
        told: Membership,
    },
    /// The roll of a group.
    Roll {
        /// Where.
        path: String,
        /// What.
        told: Called,
    },
    /// A party of a double barrier.
    Barrier {
        /// Where.
        path: String,
        /// What.
        told: barrier::Told,
    },
    /// A counter.
    Counter {
        /// Where.
        path: String,
        /// What.
        told: counter::Told,
    },
    /// A reader of a configuration.
    Read {
        /// Where.
        path: String,
        /// What.
        told: Shown,
    },
    /// A writer of a configuration.
    Changed {
        /// Where.
        path: String,
        /// What.
        told: Written,
    },
    /// A directory of a service.
    Directory {
        /// Where.
        path: String,
        /// What.
        told: Seen,
    },
}

/// What a recipe is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trade {
    /// Mutual exclusion.
    Lock,
    /// One leads.
    Election,
    /// Puts into a queue.
    Producer,
    /// Takes from a queue.
    Consumer,
    /// Is in a group.
    Member,
    /// Watches a group.
    Roll,
    /// Enters and leaves with others.
    Barrier,
    /// Adds up.
    Counter,
    /// Reads a configuration.
    Reader,
    /// Changes a configuration.
    Writer,
    /// Watches who serves.
    Directory,
}

/// A recipe at a path.
#[derive(Clone, PartialEq, Eq, Debug)]
struct One {
    path: String,
    /// Of a lock.
    kind: Option<Kind>,
    what: What,
}

/// What is the same for every trade: its recipe, how to get at it, and what it says.
macro_rules! trades {
    ($($trade:ident($recipe:ty), $get:ident, $told:ident;)*) => {
        #[derive(Clone, PartialEq, Eq, Debug)]
        enum What {
            $($trade($recipe),)*
        }

        impl What {
            $(fn $get(&mut self) -> Option<&mut $recipe> {
                match self {
                    Self::$trade(one) => Some(one),
                    _ => None,
                }
            })*

            fn standing(&self) -> (Trade, Standing) {
                match self {
                    $(Self::$trade(one) => (Trade::$trade, one.standing()),)*
                }
            }
        }

        impl One {
            fn handle(&mut self, place: usize, event: &Event, wanted: &mut Wanted) {
                let path = &self.path;
                match &mut self.what {
                    $(What::$trade(one) => {
                        let told = |told| {
                            let path = path.clone();
                            Told::$told { path, told }
                        };
                        run(wanted, place, one, told, |one, out| one.handle(event, out));
                    })*
                }
            }
        }
    };
}

trades! {
    Lock(Lock), lock, Lock;
    Election(Election), election, Election;
    Producer(Producer), producer, Put;
    Consumer(Consumer), consumer, Take;
    Member(Member), member, Member;
    Roll(Roll), roll, Roll;
    Barrier(DoubleBarrier), barrier, Barrier;
    Counter(Counter), counter, Counter;
    Reader(Reader), reader, Read;
    Writer(Writer), writer, Changed;
    Directory(Directory), directory, Directory;
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

/// Has something done with a recipe, and takes over what it wants and says.
fn run<R: Recipe>(
    wanted: &mut Wanted,
    place: usize,
    recipe: &mut R,
    told: impl FnMut(R::Told) -> Told,
    act: impl FnOnce(&mut R, &mut Out<R::Told>),
) {
    let mut out = Out::default();
    act(recipe, &mut out);
    let requests = out.requests.into_iter().map(|request| (place, request));
    wanted.requests.extend(requests);
    wanted.told.extend(out.told.into_iter().map(told));
}

impl Any {
    /// Carries out a wish. `unique` is drawn at random, and `name` says whose the wish is.
    pub fn wish(&mut self, wish: &Wish, unique: u128, name: &str, wanted: &mut Wanted) {
        let path = wish.path();
        let data = || Bytes::copy_from_slice(name.as_bytes());
        let own = || path.into();
        match *wish {
            Wish::Lock { kind, .. } => {
                let new = What::Lock(Lock::new(path, kind, unique, data()));
                let place = self.place(path, Some(kind), What::lock, new);
                let told = |told| Told::Lock { path: own(), told };
                self.act(place, What::lock, wanted, told, Lock::acquire);
            }
            Wish::Unlock { kind, .. } => {
                let place = self.find(path, Some(kind), What::lock);
                let told = |told| Told::Lock { path: own(), told };
                self.act(place, What::lock, wanted, told, Lock::release);
            }
            Wish::Stand { .. } => {
                let new = What::Election(Election::new(path, unique, name.into()));
                let place = self.place(path, None, What::election, new);
                let told = |told| Told::Election { path: own(), told };
                self.act(place, What::election, wanted, told, Election::stand);
            }
            Wish::Withdraw { .. } => {
                let place = self.find(path, None, What::election);
                let told = |told| Told::Election { path: own(), told };
                self.act(place, What::election, wanted, told, Election::withdraw);
            }
            Wish::Put {
                priority,
                ref value,
                ..
            } => {
                let new = What::Producer(Producer::new(path));
                let place = self.place(path, None, What::producer, new);
                let told = |told| Told::Put { path: own(), told };
                let value = Bytes::copy_from_slice(value.as_bytes());
                self.act(place, What::producer, wanted, told, |one, out| {
                    one.put(priority, value, out);
                });
            }
            Wish::Take { .. } => {
                let new = What::Consumer(Consumer::new(path, name));
                let place = self.place(path, None, What::consumer, new);
                let told = |told| Told::Take { path: own(), told };
                self.act(place, What::consumer, wanted, told, Consumer::take);
            }
            Wish::Finish { .. } => {
                let place = self.find(path, None, What::consumer);
                let told = |told| Told::Take { path: own(), told };
                self.act(place, What::consumer, wanted, told, Consumer::finish);
            }
            Wish::GiveBack { .. } => {
                let place = self.find(path, None, What::consumer);
                let told = |told| Told::Take { path: own(), told };
                self.act(place, What::consumer, wanted, told, Consumer::give_back);
            }
            Wish::Join { .. } => {
                let new = What::Member(Member::new(path, unique, data()));
                let place = self.place(path, None, What::member, new);
                let told = |told| Told::Member { path: own(), told };
                self.act(place, What::member, wanted, told, Member::join);
            }
            Wish::Leave { .. } => {
                let place = self.find(path, None, What::member);
                let told = |told| Told::Member { path: own(), told };
                self.act(place, What::member, wanted, told, Member::leave);
            }
            Wish::Call { .. } => {
                let place = self.place(path, None, What::roll, What::Roll(Roll::new(path)));
                let told = |told| Told::Roll { path: own(), told };
                self.act(place, What::roll, wanted, told, Roll::call);
            }
            Wish::Enter { parties, .. } => {
                let barrier = DoubleBarrier::new(path, parties as usize, unique, data());
                let place = self.place(path, None, What::barrier, What::Barrier(barrier));
                let told = |told| Told::Barrier { path: own(), told };
                self.act(place, What::barrier, wanted, told, DoubleBarrier::enter);
            }
            Wish::Exit { .. } => {
                let place = self.find(path, None, What::barrier);
                let told = |told| Told::Barrier { path: own(), told };
                self.act(place, What::barrier, wanted, told, DoubleBarrier::leave);
            }
            Wish::Read { .. } => {
                let new = What::Reader(Reader::new(path));
                let place = self.place(path, None, What::reader, new);
                let told = |told| Told::Read { path: own(), told };
                self.act(place, What::reader, wanted, told, Reader::read);
            }
            Wish::Change {
                version,
                ref values,
                ..
            } => {
                let new = What::Writer(Writer::new(path, unique));
                let place = self.place(path, None, What::writer, new);
                let told = |told| Told::Changed { path: own(), told };
                let bytes = |value: &String| Bytes::copy_from_slice(value.as_bytes());
                let values = values.iter();
                let values = values.map(|(key, value)| (key.clone(), value.as_ref().map(bytes)));
                let update = Update {
                    version,
                    values: values.collect(),
                };
                self.act(place, What::writer, wanted, told, |one, out| {
                    one.update(update, out);
                });
            }
            Wish::Look { .. } => {
                let new = What::Directory(Directory::new(path));
                let place = self.place(path, None, What::directory, new);
                let told = |told| Told::Directory { path: own(), told };
                self.act(place, What::directory, wanted, told, Directory::look);
            }
            Wish::Add { number, .. } => {
                let new = What::Counter(Counter::new(path));
                let place = self.place(path, None, What::counter, new);
                let told = |told| Told::Counter { path: own(), told };
                self.act(place, What::counter, wanted, told, |one, out| {
                    one.add(number, out);
                });
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

    /// Each recipe that was ever wanted, its path, and how it stands.
    pub fn standings(&self) -> impl Iterator<Item = (Trade, &str, Standing)> {
        self.recipes.iter().map(|one| {
            let (trade, standing) = one.what.standing();
            (trade, &*one.path, standing)
        })
    }

    /// Who is in the group at this path, as its roll or its directory knows.
    pub fn present(&self, path: &str) -> impl Iterator<Item = &Seat> {
        let rolls = self.recipes.iter().filter(move |one| one.path == path);
        rolls.flat_map(|one| {
            let (roll, directory) = match &one.what {
                What::Roll(roll) => (Some(roll.present()), None),
                What::Directory(directory) => (None, Some(directory.present())),
                _ => (None, None),
            };
            let of_roll = roll.into_iter().flatten();
            of_roll.chain(directory.into_iter().flatten())
        })
    }

    /// The fencing tokens that are held, with the paths of their locks.
    pub fn tokens(&self) -> impl Iterator<Item = (&str, Index)> {
        self.recipes.iter().filter_map(|one| {
            let token = match &one.what {
                What::Lock(lock) => lock.token(),
                What::Election(election) => election.token(),
                _ => None,
            };
            Some((&*one.path, token?))
        })
    }

    fn find<R>(
        &mut self,
        path: &str,
        kind: Option<Kind>,
        get: fn(&mut What) -> Option<&mut R>,
    ) -> Option<usize> {
        self.recipes
            .iter_mut()
            .position(|one| one.path == path && one.kind == kind && get(&mut one.what).is_some())
    }

    /// Where it is; it is made if there is none.
    fn place<R>(
        &mut self,
        path: &str,
        kind: Option<Kind>,
        get: fn(&mut What) -> Option<&mut R>,
        new: What,
    ) -> Option<usize> {
        let found = self.find(path, kind, get);
        if found.is_none() {
            let path = path.into();
            self.recipes.push(One {
                path,
                kind,
                what: new,
            });
        }
        found.or(Some(self.recipes.len() - 1))
    }

    fn act<R: Recipe>(
        &mut self,
        place: Option<usize>,
        get: fn(&mut What) -> Option<&mut R>,
        wanted: &mut Wanted,
        told: impl FnMut(R::Told) -> Told,
        act: impl FnOnce(&mut R, &mut Out<R::Told>),
    ) {
        if let Some(place) = place
            && let Some(one) = self.recipes.get_mut(place)
            && let Some(recipe) = get(&mut one.what)
        {
            run(wanted, place, recipe, told, act);
        }
    }
}

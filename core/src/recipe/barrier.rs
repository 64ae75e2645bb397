//! Barriers as kazoo lays them out. A `Barrier` is a znode: whoever waits goes on when it is deleted. A
//! `DoubleBarrier` holds a number of parties until all of them have entered, and again until all have left:
//! each has an ephemeral znode below the path, named by 32 hexadecimal digits, and `ready` beside them says
//! that all are in.
//!
//! kazoo's parties delete `ready` when they begin to leave, and one that was away at that moment never hears
//! of it. Ours leave it until the last of them goes, so that whoever comes back finds it.
//! A party that is slow to leave takes those of the next round for those of its own, so a next round begins
//! when all have left, or at another path.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;

use bytes::Bytes;

use super::{Answer, Ensure, Ensured, Out, Recipe, Standing, answer, create, delete, join, read};
use crate::client::{Event, Outcome};
use crate::id::SessionId;
use crate::request::{CreateMode, Error, ReadKind, Response};

/// What the waiting for a barrier says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Passed {
    /// There is no barrier, or not any more.
    Open,
    /// The server does not let us look.
    Failed(Error),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Looking {
    Idle,
    Asking,
    Waiting,
    Stopped,
}

/// Waits until a barrier is gone. It is raised by making the znode, and lowered by deleting it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Barrier {
    path: String,
    state: Looking,
}

impl Barrier {
    /// At this path.
    #[must_use]
    pub fn new(path: &str) -> Self {
        Self {
            path: path.into(),
            state: Looking::Idle,
        }
    }

    /// Begins to wait.
    pub fn wait(&mut self, out: &mut Out<Passed>) {
        if self.state == Looking::Idle {
            self.ask(out);
        }
    }

    fn ask(&mut self, out: &mut Out<Passed>) {
        out.ask(read(ReadKind::Exists, self.path.clone(), true));
        self.state = Looking::Asking;
    }
}

impl Recipe for Barrier {
    type Told = Passed;

    fn standing(&self) -> Standing {
        match self.state {
            Looking::Idle => Standing::Idle,
            Looking::Waiting => Standing::Waiting,
            Looking::Asking | Looking::Stopped => Standing::Busy,
        }
    }

    fn handle(&mut self, event: &Event, out: &mut Out<Passed>) {
        match event {
            Event::Done { outcome, .. } => match answer(outcome) {
                Answer::Yes(_) => self.state = Looking::Waiting,
                Answer::No(error) => {
                    self.state = Looking::Idle;
                    out.tell(match error {
                        Error::NoNode => Passed::Open,
                        error => Passed::Failed(error),
                    });
                }
                Answer::Unknown => self.ask(out),
                Answer::Not => self.state = Looking::Stopped,
            },
            // Its data may have changed; one look tells.
            Event::Watch(event) if event.path == self.path && self.state == Looking::Waiting => {
                self.ask(out);
            }
            Event::Connected { .. } if self.state == Looking::Stopped => self.ask(out),
            Event::Expired { .. } if self.state == Looking::Waiting => self.ask(out),
            _ => {}
        }
    }
}

/// What a party of a double barrier hears.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Told {
    /// All have entered.
    Entered,
    /// Its session has ended while it was inside: the others may leave without it.
    Lost,
    /// All have left.
    Left,
    /// The server does not let us.
    Failed(Error),
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum State {
    Outside,
    Creating,
    Ensuring(Ensure),
    /// The znode is there after a lost answer, and is asked for its owner.
    Examining,
    /// Whether `ready` is there is asked, and watched, before the others are counted.
    Looking,
    Counting,
    Waiting,
    Readying,
    Inside,
    /// All others have gone; our own znode is deleted next, if it is still there.
    Unreadying {
        inside: bool,
    },
    /// Who is still inside is asked.
    Listing,
    /// Our own znode is being deleted; if another name is given, it is waited for afterwards.
    Leaving(Option<String>),
    /// The znode of this name is looked at and watched.
    Watching(String),
    /// ... and waited for.
    Lingering(String),
    Stopped,
}

/// One party of a double barrier.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DoubleBarrier {
    path: String,
    /// How many must enter.
    parties: usize,
    data: Bytes,
    name: String,
    session: SessionId,
    enters: bool,
    state: State,
}

impl DoubleBarrier {
    /// For so many parties. `unique` is drawn at random by the caller; `data` says who this is.
    #[must_use]
    pub fn new(path: &str, parties: usize, unique: u128, data: Bytes) -> Self {
        Self {
            path: path.into(),
            parties,
            data,
            name: format!("{unique:032x}"),
            session: SessionId(0),
            enters: false,
            state: State::Outside,
        }
    }

    /// Enters, and hears `Entered` when all have.
    pub fn enter(&mut self, out: &mut Out<Told>) {
        if self.state == State::Outside {
            self.enters = true;
            self.create(out);
        }
    }

    /// Leaves, after it has entered, and hears `Left` when all have.
    pub fn leave(&mut self, out: &mut Out<Told>) {
        if self.state == State::Inside {
            self.enters = false;
            self.list(State::Listing, out);
        }
    }

    fn own(&self) -> String {
        join(&self.path, &self.name)
    }

    fn ready(&self) -> String {
        join(&self.path, "ready")
    }

    fn create(&mut self, out: &mut Out<Told>) {
        out.ask(create(self.own(), self.data.clone(), CreateMode::Ephemeral));
        self.state = State::Creating;
    }

    fn look(&mut self, out: &mut Out<Told>) {
        out.ask(read(ReadKind::Exists, self.ready(), true));
        self.state = State::Looking;
    }

    fn make_ready(&mut self, out: &mut Out<Told>) {
        out.ask(create(self.ready(), Bytes::new(), CreateMode::Persistent));
        self.state = State::Readying;
    }

    fn unready(&mut self, inside: bool, out: &mut Out<Told>) {
        out.ask(delete(self.ready()));
        self.state = State::Unreadying { inside };
    }

    fn list(&mut self, next: State, out: &mut Out<Told>) {
        out.ask(read(ReadKind::Children, self.path.clone(), false));
        self.state = next;
    }

    fn delete(&mut self, then: Option<String>, out: &mut Out<Told>) {
        out.ask(delete(self.own()));
        self.state = State::Leaving(then);
    }

    fn watch(&mut self, name: String, out: &mut Out<Told>) {
        out.ask(read(ReadKind::Exists, join(&self.path, &name), true));
        self.state = State::Watching(name);
    }

    fn end(&mut self, state: State, told: Told, out: &mut Out<Told>) {
        self.state = state;
        out.tell(told);
    }

    /// Who is still inside: the lowest name leaves last, and watches the highest; all others leave at once
    /// and watch the lowest. So nobody watches the list.
    fn still_inside(&mut self, names: &[String], out: &mut Out<Told>) {
        let mut names: Vec<&String> = names.iter().filter(|name| *name != "ready").collect();
        names.sort();
        match (names.first(), names.last()) {
            (Some(lowest), Some(highest)) if **lowest == self.name => {
                if names.len() == 1 {
                    self.unready(true, out);
                } else {
                    self.watch((*highest).clone(), out);
                }
            }
            (Some(lowest), _) if names.contains(&&self.name) => {
                self.delete(Some((*lowest).clone()), out);
            }
            (Some(lowest), _) => self.watch((*lowest).clone(), out),
            (None, _) => self.unready(false, out),
        }
    }

    fn answered(&mut self, outcome: &Outcome, out: &mut Out<Told>) {
        match (
            mem::replace(&mut self.state, State::Stopped),
            answer(outcome),
        ) {
            (State::Ensuring(ensure), _) => match ensure.answered(outcome, out) {
                Ensured::Going(ensure) => self.state = State::Ensuring(ensure),
                Ensured::Done => self.create(out),
                Ensured::Failed(error) => self.end(State::Outside, Told::Failed(error), out),
                Ensured::Stopped => {}
            },
            (_, Answer::Not) => {}
            (State::Creating, Answer::Yes(_)) => self.look(out),
            (State::Creating, Answer::No(Error::NoNode)) => {
                self.state = State::Ensuring(Ensure::begin(&self.path, out));
            }
            (State::Creating, Answer::No(Error::NodeExists))
            | (State::Examining, Answer::Unknown) => {
                out.ask(read(ReadKind::Exists, self.own(), false));
                self.state = State::Examining;
            }
            (State::Creating, Answer::Unknown) => self.create(out),
            (State::Examining, Answer::Yes(Response::Stat(stat)))
                if stat.ephemeral_owner == self.session =>
            {
                self.look(out);
            }
            // A ghost: it goes, and then there is room.
            (State::Examining, Answer::Yes(_)) => {
                out.ask(delete(self.own()));
                self.state = State::Ensuring(Ensure::new(&self.path));
            }
            (State::Examining, Answer::No(Error::NoNode)) => self.create(out),
            (State::Looking, Answer::Yes(_)) => self.end(State::Inside, Told::Entered, out),
            (State::Looking, Answer::No(Error::NoNode)) => self.list(State::Counting, out),
            (State::Looking, Answer::Unknown) => self.look(out),
            (State::Counting, Answer::Yes(Response::Children { names, .. })) => {
                if names.iter().any(|name| name == "ready") {
                    self.end(State::Inside, Told::Entered, out);
                } else if self.parties <= names.len() {
                    self.make_ready(out);
                } else {
                    self.state = State::Waiting;
                }
            }
            // The watch on `ready` may have fired meanwhile.
            (State::Counting, Answer::Unknown) => self.look(out),
            (State::Readying, Answer::Yes(_) | Answer::No(Error::NodeExists)) => {
                self.end(State::Inside, Told::Entered, out);
            }
            (State::Readying, Answer::Unknown) => self.make_ready(out),
            (State::Listing, Answer::No(Error::NoNode)) => {
                self.end(State::Outside, Told::Left, out);
            }
            (State::Unreadying { inside }, Answer::Yes(_) | Answer::No(Error::NoNode)) => {
                if inside {
                    self.delete(None, out);
                } else {
                    self.end(State::Outside, Told::Left, out);
                }
            }
            (State::Listing, Answer::Unknown)
            | (State::Watching(_), Answer::No(Error::NoNode) | Answer::Unknown) => {
                self.list(State::Listing, out);
            }
            (State::Unreadying { inside }, Answer::Unknown) => self.unready(inside, out),
            (State::Listing, Answer::Yes(Response::Children { names, .. })) => {
                self.still_inside(names, out);
            }
            (State::Watching(name), Answer::Yes(_)) => self.state = State::Lingering(name),
            (State::Leaving(then), Answer::Yes(_) | Answer::No(Error::NoNode)) => match then {
                Some(name) => self.watch(name, out),
                None => self.end(State::Outside, Told::Left, out),
            },
            (State::Leaving(then), Answer::Unknown) => self.delete(then, out),
            (_, Answer::No(error)) => self.end(State::Outside, Told::Failed(error), out),
            // An answer to something that was not asked.
            (state, _) => self.state = state,
        }
    }
}

impl Recipe for DoubleBarrier {
    type Told = Told;

    fn standing(&self) -> Standing {
        match self.state {
            State::Outside => Standing::Idle,
            State::Waiting | State::Lingering(_) => Standing::Waiting,
            State::Inside => Standing::Holding { token: None },
            _ => Standing::Busy,
        }
    }

    fn handle(&mut self, event: &Event, out: &mut Out<Told>) {
        match event {
            Event::Connected { session, .. } => {
                self.session = *session;
                if self.state == State::Stopped {
                    if self.enters {
                        self.create(out);
                    } else {
                        self.list(State::Listing, out);
                    }
                }
            }
            Event::Done { outcome, .. } => self.answered(outcome, out),
            Event::Watch(event) => match &self.state {
                State::Waiting if event.path == self.ready() => self.look(out),
                State::Lingering(name) if event.path == join(&self.path, name) => {
                    self.list(State::Listing, out);
                }
                _ => {}
            },
            Event::Expired { .. } => match self.state {
                State::Inside => self.end(State::Outside, Told::Lost, out),
                State::Waiting => self.create(out),
                State::Lingering(_) => self.list(State::Listing, out),
                _ => {}
            },
            _ => {}
        }
    }
}

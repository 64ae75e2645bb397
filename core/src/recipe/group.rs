//! Group membership and service discovery, as kazoo's `Party` lays them out: every member has an ephemeral
//! znode below the group's path, named by 32 hexadecimal digits and `__party__`, whose data says who it is
//! or where it serves. A `Member` joins, and joins again when its session has ended; a `Roll` watches the
//! list and reads the data of those that are new.
//!
//! A member that joins again does so under a new name: whoever keeps data by name is not misled, and a znode
//! of the session before is in nobody's way.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;

use bytes::Bytes;

use super::{Answer, Ensure, Ensured, Out, Recipe, Standing, answer, create, delete, join, read};
use crate::client::{Event, Outcome};
use crate::id::{Index, SessionId};
use crate::request::{CreateMode, Error, ReadKind, Response};

/// What every member's name ends with.
pub(super) const MARK: &str = "__party__";

/// What a member hears.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Membership {
    /// It is in the group.
    Joined {
        /// The zxid at which it came: later comers have greater ones.
        token: Index,
    },
    /// By the client's own reckoning the session may have expired, and the others may not see it any more.
    Doubtful,
    /// It is still in the group.
    Confirmed,
    /// Its session has ended; it joins again with the next one.
    Lost,
    /// It has left.
    Left,
    /// The server does not let it in.
    Failed(Error),
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Joining {
    Idle,
    Creating,
    Ensuring(Ensure),
    /// The znode is there after a lost answer, and is asked for its owner.
    Examining,
    Joined,
    Leaving,
    Stopped,
}

/// One member of a group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    path: String,
    data: Bytes,
    unique: u128,
    session: SessionId,
    wanted: bool,
    state: Joining,
}

impl Member {
    /// One that is not in the group yet. `unique` is drawn at random by the caller; `data` is what the
    /// others read.
    #[must_use]
    pub fn new(path: &str, unique: u128, data: Bytes) -> Self {
        Self {
            path: path.into(),
            data,
            unique,
            session: SessionId(0),
            wanted: false,
            state: Joining::Idle,
        }
    }

    /// The path of its znode.
    #[must_use]
    pub fn own_path(&self) -> String {
        join(&self.path, &format!("{:032x}{MARK}", self.unique))
    }

    /// Joins, if that is not done already.
    pub fn join(&mut self, out: &mut Out<Membership>) {
        self.wanted = true;
        if self.state == Joining::Idle {
            self.create(out);
        }
    }

    /// Leaves.
    pub fn leave(&mut self, out: &mut Out<Membership>) {
        self.wanted = false;
        // In any other state it leaves when the answer has come.
        if self.state == Joining::Joined {
            self.delete(out);
        }
    }

    fn create(&mut self, out: &mut Out<Membership>) {
        out.ask(create(
            self.own_path(),
            self.data.clone(),
            CreateMode::Ephemeral,
        ));
        self.state = Joining::Creating;
    }

    fn delete(&mut self, out: &mut Out<Membership>) {
        out.ask(delete(self.own_path()));
        self.state = Joining::Leaving;
    }

    /// Under a name that was never used.
    fn anew(&mut self, out: &mut Out<Membership>) {
        if self.wanted {
            self.unique = self.unique.wrapping_add(1);
            self.create(out);
        } else {
            self.end(Membership::Left, out);
        }
    }

    fn joined(&mut self, token: Index, out: &mut Out<Membership>) {
        if self.wanted {
            self.state = Joining::Joined;
            out.tell(Membership::Joined { token });
        } else {
            self.delete(out);
        }
    }

    fn end(&mut self, told: Membership, out: &mut Out<Membership>) {
        self.wanted = false;
        self.state = Joining::Idle;
        out.tell(told);
    }

    fn answered(&mut self, outcome: &Outcome, out: &mut Out<Membership>) {
        match (
            mem::replace(&mut self.state, Joining::Stopped),
            answer(outcome),
        ) {
            (Joining::Ensuring(ensure), _) => match ensure.answered(outcome, out) {
                Ensured::Going(ensure) => self.state = Joining::Ensuring(ensure),
                Ensured::Done => self.create(out),
                Ensured::Failed(error) => self.end(Membership::Failed(error), out),
                Ensured::Stopped => {}
            },
            (_, Answer::Not) => {}
            (Joining::Creating, Answer::Yes(Response::Created { stat, .. })) => {
                self.joined(stat.map_or(Index(0), |stat| stat.czxid), out);
            }
            (Joining::Creating, Answer::No(Error::NoNode)) => {
                self.state = Joining::Ensuring(Ensure::begin(&self.path, out));
            }
            (Joining::Creating, Answer::No(Error::NodeExists))
            | (Joining::Examining, Answer::Unknown) => {
                out.ask(read(ReadKind::Exists, self.own_path(), false));
                self.state = Joining::Examining;
            }
            (Joining::Creating, Answer::Unknown) => self.create(out),
            (Joining::Examining, Answer::Yes(Response::Stat(stat))) => {
                if stat.ephemeral_owner == self.session {
                    self.joined(stat.czxid, out);
                } else {
                    self.anew(out);
                }
            }
            (Joining::Examining, Answer::No(Error::NoNode)) => self.anew(out),
            (Joining::Leaving, Answer::Yes(_) | Answer::No(Error::NoNode)) => {
                out.tell(Membership::Left);
                self.state = Joining::Idle;
                if self.wanted {
                    self.anew(out);
                }
            }
            (Joining::Leaving, Answer::Unknown) => self.delete(out),
            (_, Answer::No(error)) => self.end(Membership::Failed(error), out),
            // An answer to something that was not asked.
            (state, _) => self.state = state,
        }
    }
}

impl Recipe for Member {
    type Told = Membership;

    fn standing(&self) -> Standing {
        match self.state {
            Joining::Idle => Standing::Idle,
            Joining::Joined => Standing::Holding { token: None },
            _ => Standing::Busy,
        }
    }

    fn handle(&mut self, event: &Event, out: &mut Out<Membership>) {
        let is_in = self.state == Joining::Joined;
        match event {
            Event::Connected { session, .. } => {
                self.session = *session;
                if self.state == Joining::Stopped {
                    // If it is there and ours, that will be found out.
                    self.create(out);
                }
            }
            Event::Done { outcome, .. } => self.answered(outcome, out),
            Event::Unsure { .. } if is_in => out.tell(Membership::Doubtful),
            Event::Sure { .. } if is_in => out.tell(Membership::Confirmed),
            Event::Expired { .. } if self.state != Joining::Idle => {
                if is_in {
                    out.tell(Membership::Lost);
                }
                self.anew(out);
            }
            Event::Closed { .. } if is_in => self.end(Membership::Left, out),
            _ => {}
        }
    }
}

/// A member as the others see it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seat {
    /// Its znode's name.
    pub name: String,
    /// Who it is, or where it serves.
    pub data: Bytes,
    /// The zxid at which it came.
    pub token: Index,
}

/// What the roll says: all members, by name, whenever some have come or gone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Called {
    /// Those who are there.
    Present(Vec<Seat>),
    /// The server does not let us look.
    Failed(Error),
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Calling {
    Idle,
    Listing,
    /// The data of the last of these is being read.
    Reading(Vec<String>),
    /// There is no such group; it is watched for.
    Looking,
    Waiting,
    Stopped,
}

/// The members of a group, kept up to date.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Roll {
    path: String,
    known: BTreeMap<String, Seat>,
    /// What was said last.
    said: Option<Vec<Seat>>,
    is_stale: bool,
    state: Calling,
}

impl Roll {
    /// Of the group at this path.
    #[must_use]
    pub fn new(path: &str) -> Self {
        Self {
            path: path.into(),
            known: BTreeMap::new(),
            said: None,
            is_stale: false,
            state: Calling::Idle,
        }
    }

    /// Those who are there, as far as it knows.
    pub fn present(&self) -> impl Iterator<Item = &Seat> {
        self.said.iter().flatten()
    }

    /// Begins to look.
    pub fn call(&mut self, out: &mut Out<Called>) {
        if self.state == Calling::Idle {
            self.list(out);
        }
    }

    fn list(&mut self, out: &mut Out<Called>) {
        self.is_stale = false;
        out.ask(read(ReadKind::Children, self.path.clone(), true));
        self.state = Calling::Listing;
    }

    fn look(&mut self, out: &mut Out<Called>) {
        self.is_stale = false;
        out.ask(read(ReadKind::Exists, self.path.clone(), true));
        self.state = Calling::Looking;
    }

    /// Reads what is new; when all is read, says so.
    fn read_on(&mut self, names: Vec<String>, out: &mut Out<Called>) {
        match names.last() {
            Some(name) => {
                out.ask(read(ReadKind::Data, join(&self.path, name), false));
                self.state = Calling::Reading(names);
            }
            None if self.is_stale => self.list(out),
            None => self.say(out),
        }
    }

    fn say(&mut self, out: &mut Out<Called>) {
        self.state = Calling::Waiting;
        let present: Vec<Seat> = self.known.values().cloned().collect();
        if self.said.as_ref() != Some(&present) {
            self.said = Some(present.clone());
            out.tell(Called::Present(present));
        }
    }

    fn answered(&mut self, outcome: &Outcome, out: &mut Out<Called>) {
        match (
            mem::replace(&mut self.state, Calling::Stopped),
            answer(outcome),
        ) {
            (_, Answer::Not) => {}
            (Calling::Listing, Answer::Yes(Response::Children { names, .. })) => {
                let mut known = mem::take(&mut self.known);
                let mut fresh = Vec::new();
                for name in names.iter().filter(|name| name.contains(MARK)) {
                    match known.remove(name) {
                        Some(seat) => drop(self.known.insert(name.clone(), seat)),
                        None => fresh.push(name.clone()),
                    }
                }
                self.read_on(fresh, out);
            }
            (Calling::Listing, Answer::No(Error::NoNode)) => {
                self.known.clear();
                self.look(out);
            }
            (Calling::Reading(mut names), Answer::Yes(Response::Data { data, stat })) => {
                if let Some(name) = names.pop() {
                    let (data, token) = (data.clone().unwrap_or_default(), stat.czxid);
                    let seat = Seat {
                        name: name.clone(),
                        data,
                        token,
                    };
                    self.known.insert(name, seat);
                }
                self.read_on(names, out);
            }
            // It has left since.
            (Calling::Reading(mut names), Answer::No(Error::NoNode)) => {
                names.pop();
                self.read_on(names, out);
            }
            (Calling::Reading(names), Answer::Unknown) => self.read_on(names, out),
            (Calling::Looking, Answer::No(Error::NoNode)) if self.is_stale => self.list(out),
            (Calling::Looking, Answer::No(Error::NoNode)) => self.say(out),
            (Calling::Looking, Answer::Yes(_)) | (Calling::Listing, Answer::Unknown) => {
                self.list(out);
            }
            (Calling::Looking, Answer::Unknown) => self.look(out),
            (_, Answer::No(error)) => {
                self.state = Calling::Idle;
                out.tell(Called::Failed(error));
            }
            // An answer to something that was not asked.
            (state, _) => self.state = state,
        }
    }
}

impl Recipe for Roll {
    type Told = Called;

    fn standing(&self) -> Standing {
        match self.state {
            Calling::Idle => Standing::Idle,
            Calling::Waiting => Standing::Waiting,
            _ => Standing::Busy,
        }
    }

    fn handle(&mut self, event: &Event, out: &mut Out<Called>) {
        match event {
            Event::Connected { .. } if self.state == Calling::Stopped => self.list(out),
            Event::Done { outcome, .. } => self.answered(outcome, out),
            Event::Watch(event) if event.path == self.path => {
                self.is_stale = true;
                if self.state == Calling::Waiting {
                    self.list(out);
                }
            }
            // The watch has gone with the session.
            Event::Expired { .. } if self.state == Calling::Waiting => self.list(out),
            _ => {}
        }
    }
}

//! Service discovery: who serves, and where. Whoever serves is a [`Member`](super::group::Member) of the service's
//! group and gives its address as its data, in the layout of kazoo's `Party`; it joins again when its session has
//! ended. A `Directory` knows all of them and says who comes, who goes and whose address has changed.
//!
//! A roll reads the whole list again at each change, which costs n times n when n members come one after the other
//! and n watch. A directory leaves one watch that stays for all that is below the group, hears from it whom a change
//! concerns, and reads that one only. The whole list is read at first, and when nobody knows what was missed.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;

use super::group::{MARK, Seat};
use super::{Answer, Out, Recipe, Standing, answer, join, read};
use crate::client::{Event, Outcome};
use crate::request::{
    Error, EventKind, List, Listed, ReadKind, Request, Response, WatchEvent, WatchMode,
};

/// Members in one page of the list.
const PAGE: u32 = 1_000;

/// What a directory says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Seen {
    /// All who serve, by name. Said once, before all else.
    All(Vec<Seat>),
    /// One more serves.
    Came(Seat),
    /// One serves elsewhere.
    Changed(Seat),
    /// One serves no more.
    Went(Seat),
    /// The server does not let us look.
    Failed(Error),
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum State {
    Idle,
    /// The watch is being left.
    Watching,
    /// A page of the list is being read; those of the pages before are here.
    Listing(BTreeMap<String, Seat>),
    /// This one is being read.
    Reading(String),
    Waiting,
    Stopped,
}

/// Who serves, kept up to date.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Directory {
    path: String,
    known: BTreeMap<String, Seat>,
    /// Whether `All` has been said.
    has_said: bool,
    /// Came or changed, and are to be read.
    unread: BTreeSet<String>,
    /// Nobody knows what was missed.
    is_stale: bool,
    state: State,
}

impl Directory {
    /// Of the service whose group is at this path. It need not be there yet.
    #[must_use]
    pub fn new(path: &str) -> Self {
        Self {
            path: path.into(),
            known: BTreeMap::new(),
            has_said: false,
            unread: BTreeSet::new(),
            is_stale: false,
            state: State::Idle,
        }
    }

    /// Those who serve, as far as it knows.
    pub fn present(&self) -> impl Iterator<Item = &Seat> {
        self.known.values()
    }

    /// Begins to look.
    pub fn look(&mut self, out: &mut Out<Seen>) {
        if self.state == State::Idle {
            self.watch(out);
        }
    }

    /// Before the list is read, so that nothing is missed.
    fn watch(&mut self, out: &mut Out<Seen>) {
        out.ask(Request::AddWatch {
            path: self.path.clone(),
            mode: WatchMode::Recursive,
            since: None,
        });
        self.state = State::Watching;
    }

    fn list(&mut self, out: &mut Out<Seen>) {
        self.is_stale = false;
        self.unread.clear();
        self.page(String::new(), out);
        self.state = State::Listing(BTreeMap::new());
    }

    fn page(&self, after: String, out: &mut Out<Seen>) {
        out.ask(Request::List(List {
            path: self.path.clone(),
            after,
            prefix: String::new(),
            limit: PAGE,
            data: true,
            latest: false,
        }));
    }

    /// Reads what is new, until nothing is.
    fn go_on(&mut self, out: &mut Out<Seen>) {
        if self.is_stale {
            self.list(out);
        } else if let Some(name) = self.unread.pop_first() {
            out.ask(read(ReadKind::Data, join(&self.path, &name), false));
            self.state = State::Reading(name);
        } else {
            self.state = State::Waiting;
        }
    }

    fn listed(&mut self, found: BTreeMap<String, Seat>, out: &mut Out<Seen>) {
        if !mem::replace(&mut self.has_said, true) {
            out.tell(Seen::All(found.values().cloned().collect()));
            self.known = found;
        } else {
            let gone = self.known.keys().filter(|name| !found.contains_key(*name));
            for name in gone.cloned().collect::<Vec<_>>() {
                self.went(&name, out);
            }
            for seat in found.into_values() {
                self.is_there(seat, out);
            }
        }
        self.go_on(out);
    }

    fn is_there(&mut self, seat: Seat, out: &mut Out<Seen>) {
        match self.known.insert(seat.name.clone(), seat.clone()) {
            None => out.tell(Seen::Came(seat)),
            Some(before) if before != seat => out.tell(Seen::Changed(seat)),
            Some(_) => {}
        }
    }

    fn went(&mut self, name: &str, out: &mut Out<Seen>) {
        if let Some(seat) = self.known.remove(name) {
            out.tell(Seen::Went(seat));
        }
    }

    fn answered(&mut self, outcome: &Outcome, out: &mut Out<Seen>) {
        match (
            mem::replace(&mut self.state, State::Stopped),
            answer(outcome),
        ) {
            (_, Answer::Not) => {}
            (State::Watching, Answer::Yes(_)) => self.list(out),
            (State::Watching, Answer::Unknown) => self.watch(out),
            (State::Listing(mut found), Answer::Yes(Response::Page { znodes, more, .. })) => {
                let seats = znodes.iter().filter(|child| child.name.contains(MARK));
                found.extend(seats.map(|child| (child.name.clone(), seat(child))));
                match znodes.last().filter(|_| *more) {
                    Some(last) => {
                        self.page(last.name.clone(), out);
                        self.state = State::Listing(found);
                    }
                    None => self.listed(found, out),
                }
            }
            (State::Listing(_), Answer::No(Error::NoNode)) => self.listed(BTreeMap::new(), out),
            (State::Listing(_), Answer::Unknown) => self.list(out),
            (State::Reading(name), Answer::Yes(Response::Data { data, stat })) => {
                let (data, token) = (data.clone().unwrap_or_default(), stat.czxid);
                self.is_there(Seat { name, data, token }, out);
                self.go_on(out);
            }
            (State::Reading(name), Answer::No(Error::NoNode)) => {
                self.went(&name, out);
                self.go_on(out);
            }
            (State::Reading(name), Answer::Unknown) => {
                self.unread.insert(name);
                self.go_on(out);
            }
            (_, Answer::No(error)) => {
                self.state = State::Idle;
                out.tell(Seen::Failed(error));
            }
            // An answer to something that was not asked.
            (state, _) => self.state = state,
        }
    }

    /// Something happened below the group.
    fn happened(&mut self, event: &WatchEvent, out: &mut Out<Seen>) {
        let below = event.path.strip_prefix(&*self.path);
        let Some(name) = below.and_then(|rest| rest.strip_prefix('/')) else {
            return;
        };
        if name.contains('/') || !name.contains(MARK) {
            return;
        }
        match event.kind {
            EventKind::NodeDeleted => {
                self.unread.remove(name);
                if let State::Listing(found) = &mut self.state {
                    found.remove(name);
                }
                // One of that name may have come since, and this be told a second time.
                if self
                    .known
                    .get(name)
                    .is_some_and(|seat| seat.token < event.zxid)
                {
                    self.went(name, out);
                }
            }
            _ => drop(self.unread.insert(name.into())),
        }
        if self.state == State::Waiting {
            self.go_on(out);
        }
    }
}

fn seat(child: &Listed) -> Seat {
    Seat {
        name: child.name.clone(),
        data: child.data.clone().unwrap_or_default(),
        token: child.stat.czxid,
    }
}

impl Recipe for Directory {
    type Told = Seen;

    fn standing(&self) -> Standing {
        match self.state {
            State::Idle => Standing::Idle,
            State::Waiting => Standing::Waiting,
            _ => Standing::Busy,
        }
    }

    fn handle(&mut self, event: &Event, out: &mut Out<Seen>) {
        match event {
            Event::Connected { .. } if self.state == State::Stopped => self.watch(out),
            Event::Done { outcome, .. } => self.answered(outcome, out),
            Event::Watch(event) => self.happened(event, out),
            Event::Missed { path } if *path == self.path => {
                self.is_stale = true;
                if self.state == State::Waiting {
                    self.go_on(out);
                }
            }
            // The watch has gone with the session.
            Event::Expired { .. } if self.state == State::Waiting => self.watch(out),
            _ => {}
        }
    }
}

//! Mutual exclusion, and locks shared by readers, as kazoo's `Lock`, `ReadLock` and `WriteLock` lay them
//! out: below the lock's path every contender has an ephemeral sequential znode, named by 32 hexadecimal
//! digits of its own, then `__lock__` or `__rlock__`, then the number. The lowest number holds the lock; a
//! contender watches the next lower one that stands in its way.
//!
//! A lock in a distributed system does not exclude by itself: its holder may be paused, lose its session
//! without knowing, and act when another one holds the lock. So each grant has a *token*, the zxid at which
//! the contender's znode was made. Later holders have greater tokens; a resource that refuses a token below
//! the greatest it has seen is safe.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Answer, Ensure, Ensured, Out, Recipe, Standing, answer, create, delete, join, read};
use crate::client::{Event, Outcome};
use crate::id::{Index, SessionId};
use crate::request::{CreateMode, Error, EventKind, ReadKind, Response};

/// Whom a lock keeps out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Kind {
    /// Everybody who asks for the same kind or for `Write` (kazoo's `Lock`).
    Exclusive,
    /// Readers and writers (kazoo's `WriteLock`).
    Write,
    /// Writers (kazoo's `ReadLock`).
    Read,
}

impl Kind {
    /// What stands between the contender's own digits and the number.
    const fn mark(self) -> &'static str {
        match self {
            Self::Exclusive | Self::Write => "__lock__",
            Self::Read => "__rlock__",
        }
    }

    /// The marks of the contenders that come first if their number is lower.
    const fn yields_to(self) -> &'static [&'static str] {
        match self {
            Self::Exclusive | Self::Read => &["__lock__"],
            Self::Write => &["__lock__", "__rlock__"],
        }
    }
}

/// What a lock says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Told {
    /// It is held.
    Acquired {
        /// The fencing token.
        token: Index,
    },
    /// It is held, but by the client's own reckoning the session may have expired: stop, or act only where
    /// the token is checked.
    Doubtful,
    /// It is still held.
    Confirmed,
    /// It was held, and the session has ended. It is not asked for again by itself.
    Lost,
    /// It was given back, or is not asked for any more.
    Released,
    /// The server does not let us.
    Failed(Error),
}

/// Our own znode.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Place {
    name: String,
    token: Index,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum State {
    Idle,
    /// The znode is being made.
    Creating,
    /// The lock's own path is being made.
    Ensuring(Ensure),
    /// Whether the znode was made is not known: the contenders are listed.
    Searching,
    /// These have our name; the first is asked for its owner.
    Examining(Vec<String>),
    /// The contenders are listed to see who comes before us.
    Listing(Place),
    /// The one before us, by its path, is looked at and watched.
    Looking(Place, String),
    Waiting(Place, String),
    Held(Place),
    Deleting(String),
    /// The session has ended, or is about to be said to have.
    Stopped,
}

/// One contender for one lock.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lock {
    path: String,
    kind: Kind,
    data: Bytes,
    /// The name without the number.
    prefix: String,
    session: SessionId,
    wanted: bool,
    state: State,
}

impl Lock {
    /// A contender that does not ask for the lock yet. `unique` is drawn at random by the caller; `data`
    /// says who it is, for people.
    #[must_use]
    pub fn new(path: &str, kind: Kind, unique: u128, data: Bytes) -> Self {
        Self {
            path: path.into(),
            kind,
            data,
            prefix: format!("{unique:032x}{}", kind.mark()),
            session: SessionId(0),
            wanted: false,
            state: State::Idle,
        }
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether it is neither held nor asked for, and nothing of it is under way.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.state == State::Idle
    }

    /// The fencing token, as long as it is held.
    #[must_use]
    pub const fn token(&self) -> Option<Index> {
        match &self.state {
            State::Held(place) => Some(place.token),
            _ => None,
        }
    }

    /// Asks for the lock, if that is not done already.
    pub fn acquire(&mut self, out: &mut Out<Told>) {
        self.wanted = true;
        if self.state == State::Idle {
            self.create(out);
        }
    }

    /// Gives the lock back, or stops asking for it.
    pub fn release(&mut self, out: &mut Out<Told>) {
        self.wanted = false;
        match mem::replace(&mut self.state, State::Idle) {
            State::Held(place) | State::Waiting(place, _) => self.delete(place.name, out),
            State::Idle => {}
            // It goes when the answer has come.
            other => self.state = other,
        }
    }

    fn create(&mut self, out: &mut Out<Told>) {
        self.state = State::Creating;
        let path = join(&self.path, &self.prefix);
        out.ask(create(
            path,
            self.data.clone(),
            CreateMode::EphemeralSequential,
        ));
    }

    fn delete(&mut self, name: String, out: &mut Out<Told>) {
        out.ask(delete(join(&self.path, &name)));
        self.state = State::Deleting(name);
    }

    fn search(&mut self, out: &mut Out<Told>) {
        self.state = State::Searching;
        out.ask(read(ReadKind::Children, self.path.clone(), false));
    }

    /// Asks for the owner of the first that has our name.
    fn examine(&mut self, names: Vec<String>, out: &mut Out<Told>) {
        match names.first() {
            Some(name) => {
                out.ask(read(ReadKind::Exists, join(&self.path, name), false));
                self.state = State::Examining(names);
            }
            None => self.without_place(out),
        }
    }

    /// There is certainly no znode of ours.
    fn without_place(&mut self, out: &mut Out<Told>) {
        if self.wanted {
            self.create(out);
        } else {
            self.end(Told::Released, out);
        }
    }

    /// The znode is there.
    fn list(&mut self, place: Place, out: &mut Out<Told>) {
        if self.wanted {
            // Without a watch: nobody needs to hear of those who come after.
            out.ask(read(ReadKind::Children, self.path.clone(), false));
            self.state = State::Listing(place);
        } else {
            self.delete(place.name, out);
        }
    }

    fn end(&mut self, told: Told, out: &mut Out<Told>) {
        self.wanted = false;
        self.state = State::Idle;
        out.tell(told);
    }

    /// All contenders are known.
    fn listed(&mut self, place: Place, names: &[String], out: &mut Out<Told>) {
        if !self.wanted {
            return self.delete(place.name, out);
        }
        let own = number(&place.name, &[self.kind.mark()]);
        let (Some(own), true) = (own, names.contains(&place.name)) else {
            // Somebody has deleted it.
            return self.create(out);
        };
        let before = names.iter().filter_map(|name| {
            let number = number(name, self.kind.yields_to())?;
            precedes(number, own).then_some((number, name))
        });
        let nearest = before.reduce(|nearest, other| {
            if precedes(nearest.0, other.0) {
                other
            } else {
                nearest
            }
        });
        match nearest {
            Some((_, name)) => {
                let path = join(&self.path, name);
                out.ask(read(ReadKind::Exists, path.clone(), true));
                self.state = State::Looking(place, path);
            }
            None => {
                out.tell(Told::Acquired { token: place.token });
                self.state = State::Held(place);
            }
        }
    }

    fn answered(&mut self, outcome: &Outcome, out: &mut Out<Told>) {
        let answer = answer(outcome);
        if matches!(answer, Answer::Not) {
            self.state = State::Stopped;
            return;
        }
        match (mem::replace(&mut self.state, State::Stopped), answer) {
            (State::Creating, Answer::Yes(Response::Created { path, stat })) => {
                let token = stat.map_or(Index(0), |stat| stat.czxid);
                let name = path.rsplit('/').next().unwrap_or_default().into();
                self.list(Place { name, token }, out);
            }
            (State::Creating, Answer::No(Error::NoNode)) => {
                self.state = State::Ensuring(Ensure::begin(&self.path, out));
            }
            (State::Ensuring(ensure), _) => match ensure.answered(outcome, out) {
                Ensured::Going(ensure) => self.state = State::Ensuring(ensure),
                Ensured::Done => self.without_place(out),
                Ensured::Failed(error) => self.end(Told::Failed(error), out),
                Ensured::Stopped => {}
            },
            (State::Searching, Answer::Yes(Response::Children { names, .. })) => {
                let ours = |name: &&String| name.starts_with(&self.prefix);
                let ours = names.iter().filter(ours).cloned().collect();
                self.examine(ours, out);
            }
            (State::Searching | State::Listing(_), Answer::No(Error::NoNode)) => {
                self.without_place(out);
            }
            (State::Examining(mut names), Answer::Yes(Response::Stat(stat))) => {
                let name = names.swap_remove(0);
                if stat.ephemeral_owner == self.session {
                    let token = stat.czxid;
                    self.list(Place { name, token }, out);
                } else {
                    self.examine(names, out);
                }
            }
            (State::Examining(mut names), Answer::No(Error::NoNode)) => {
                names.swap_remove(0);
                self.examine(names, out);
            }
            (State::Listing(place), Answer::Yes(Response::Children { names, .. })) => {
                self.listed(place, names, out);
            }
            (State::Looking(place, path), Answer::Yes(Response::Stat(_))) => {
                if self.wanted {
                    self.state = State::Waiting(place, path);
                } else {
                    self.delete(place.name, out);
                }
            }
            (State::Looking(place, _), Answer::No(Error::NoNode) | Answer::Unknown) => {
                self.list(place, out);
            }
            (State::Listing(place), Answer::Unknown) => self.list(place, out),
            (State::Deleting(_), Answer::Yes(_) | Answer::No(Error::NoNode)) => {
                self.without_place(out);
            }
            (State::Deleting(name), Answer::Unknown) => self.delete(name, out),
            (State::Creating | State::Searching | State::Examining(_), Answer::Unknown) => {
                self.search(out);
            }
            (_, Answer::No(error)) => self.end(Told::Failed(error), out),
            // An answer to something that was not asked.
            (state, _) => self.state = state,
        }
    }

    fn expired(&mut self, out: &mut Out<Told>) {
        match self.state {
            State::Idle => {}
            State::Held(_) => self.end(Told::Lost, out),
            _ => self.without_place(out),
        }
    }
}

impl Recipe for Lock {
    type Told = Told;

    fn standing(&self) -> Standing {
        match &self.state {
            State::Idle => Standing::Idle,
            State::Waiting(..) => Standing::Waiting,
            State::Held(place) => Standing::Holding {
                token: Some(place.token),
            },
            _ => Standing::Busy,
        }
    }

    fn handle(&mut self, event: &Event, out: &mut Out<Told>) {
        match event {
            Event::Connected { session, .. } => {
                self.session = *session;
                if self.state == State::Stopped {
                    self.search(out);
                }
            }
            Event::Done { outcome, .. } => self.answered(outcome, out),
            Event::Watch(event) => {
                if let State::Waiting(place, path) = &self.state
                    && *path == event.path
                    && event.kind != EventKind::NodeChildrenChanged
                {
                    self.list(place.clone(), out);
                }
            }
            Event::Unsure { .. } if self.token().is_some() => out.tell(Told::Doubtful),
            Event::Sure { .. } if self.token().is_some() => out.tell(Told::Confirmed),
            Event::Expired { .. } => self.expired(out),
            Event::Closed { .. } if self.token().is_some() => self.end(Told::Lost, out),
            Event::Connecting { .. }
            | Event::Missed { .. }
            | Event::Disconnected { .. }
            | Event::Unsure { .. }
            | Event::Sure { .. }
            | Event::Closed { .. } => {}
        }
    }
}

/// The number of a contender that has one of these marks.
fn number(name: &str, marks: &[&str]) -> Option<i32> {
    let digits = marks
        .iter()
        .find_map(|mark| name.rsplit_once(mark))
        .map(|(_, digits)| digits)?;
    (10 <= digits.len()).then(|| digits.parse().ok()).flatten()
}

/// Whether one number was given before another. The parent's counter goes from 2147483647 to -2147483648,
/// and contenders are never that far apart.
const fn precedes(one: i32, other: i32) -> bool {
    0 < other.wrapping_sub(one)
}

#[cfg(test)]
mod tests {
    use super::{Kind, number, precedes};

    #[test]
    fn numbers_are_read_and_compared_beyond_the_overflow_of_the_counter() {
        let name = "0123456789abcdef0123456789abcdef__lock__2147483647";
        let last = number(name, &["__lock__"]).expect("it has a number");
        let next = number("x__lock__-2147483648", &["__lock__"]).expect("it has a number");
        assert_eq!((last, next), (i32::MAX, i32::MIN));
        assert!(precedes(last, next) && !precedes(next, last));
        assert!(precedes(7, 8) && !precedes(8, 7) && !precedes(8, 8));
        assert_eq!(number("x__rlock__0000000001", &["__lock__"]), None);
        assert_eq!(number("lock", &["__lock__"]), None);
        assert_eq!(number("x__lock__7", &["__lock__"]), None);
    }

    #[test]
    fn readers_yield_to_writers_alone() {
        let (reader, writer) = ("a__rlock__0000000001", "b__lock__0000000002");
        assert_eq!(number(reader, Kind::Read.yields_to()), None);
        assert_eq!(number(writer, Kind::Read.yields_to()), Some(2));
        assert_eq!(number(reader, Kind::Write.yields_to()), Some(1));
        assert_eq!(number(reader, Kind::Exclusive.yields_to()), None);
    }
}

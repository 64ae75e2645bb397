//! A queue with priorities, as kazoo's `LockingQueue` lays it out: entries are sequential znodes below
//! `entries`, named after their priority (lower goes first), and whoever works on one holds an ephemeral
//! znode of the same name below `taken`. An entry is deleted, together with that claim, when its work is
//! done; if the worker's session ends before, the claim goes and another worker takes the entry. So nothing
//! is lost, and an entry may be worked on more than once: the claim's zxid is a fencing token.
//!
//! A put whose answer is lost is put again, so an entry may be there twice as well; the layout has no place
//! for a mark by which to know it again.
//!
//! All consumers that wait watch the two listings, as kazoo's do, and so all of them wake when an entry
//! comes: the layout has no turns. A queue with hundreds of waiting consumers is not what this is for.

use alloc::collections::{BTreeSet, VecDeque};
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::mem;

use bytes::Bytes;

use super::{Answer, Ensure, Ensured, Out, Recipe, Standing, answer, create, delete, join, read};
use crate::client::{Event, Outcome};
use crate::id::{Index, SessionId};
use crate::request::{CreateMode, Error, Op, ReadKind, Request, Response};

/// The lowest priority; the highest is 0, and kazoo's default is 100.
pub const LAST_PRIORITY: u16 = 999;

/// What a producer says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Put {
    /// The oldest value that was not stored yet is stored.
    Stored {
        /// The entry's name.
        name: String,
    },
    /// The server does not let us; the value is dropped.
    Failed(Error),
}

/// Puts values into a queue, in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Producer {
    entries: String,
    /// Not stored yet, with their priorities.
    values: VecDeque<(u16, Bytes)>,
    state: Putting,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Putting {
    Idle,
    /// The first value is under way.
    Creating,
    Ensuring(Ensure),
    Stopped,
}

impl Producer {
    /// For the queue at this path.
    #[must_use]
    pub fn new(path: &str) -> Self {
        Self {
            entries: join(path, "entries"),
            values: VecDeque::new(),
            state: Putting::Idle,
        }
    }

    /// Values that are not stored yet.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.values.len()
    }

    /// Puts a value at the end of its priority. It is the caller who bounds how many wait.
    pub fn put(&mut self, priority: u16, value: Bytes, out: &mut Out<Put>) {
        self.values.push_back((priority.min(LAST_PRIORITY), value));
        if self.state == Putting::Idle {
            self.send(out);
        }
    }

    fn send(&mut self, out: &mut Out<Put>) {
        self.state = Putting::Idle;
        if let Some((priority, value)) = self.values.front() {
            let path = join(&self.entries, &format!("entry-{priority:03}-"));
            out.ask(create(
                path,
                value.clone(),
                CreateMode::PersistentSequential,
            ));
            self.state = Putting::Creating;
        }
    }
}

impl Recipe for Producer {
    type Told = Put;

    fn standing(&self) -> Standing {
        match self.state {
            Putting::Idle => Standing::Idle,
            _ => Standing::Busy,
        }
    }

    fn handle(&mut self, event: &Event, out: &mut Out<Put>) {
        let outcome = match event {
            Event::Connected { .. } if self.state == Putting::Stopped => return self.send(out),
            Event::Done { outcome, .. } => outcome,
            _ => return,
        };
        match (
            mem::replace(&mut self.state, Putting::Stopped),
            answer(outcome),
        ) {
            (Putting::Ensuring(ensure), _) => match ensure.answered(outcome, out) {
                Ensured::Going(ensure) => self.state = Putting::Ensuring(ensure),
                Ensured::Done => self.send(out),
                Ensured::Failed(error) => {
                    self.values.pop_front();
                    out.tell(Put::Failed(error));
                    self.send(out);
                }
                Ensured::Stopped => {}
            },
            (_, Answer::Not) => {}
            (_, Answer::Yes(Response::Created { path, .. })) => {
                self.values.pop_front();
                let name = path.rsplit('/').next().unwrap_or_default().into();
                out.tell(Put::Stored { name });
                self.send(out);
            }
            (_, Answer::No(Error::NoNode)) => {
                self.state = Putting::Ensuring(Ensure::begin(&self.entries, out));
            }
            (_, Answer::No(error)) => {
                self.values.pop_front();
                out.tell(Put::Failed(error));
                self.send(out);
            }
            (_, Answer::Unknown | Answer::Yes(_)) => self.send(out),
        }
    }
}

/// What a consumer says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Take {
    /// An entry is ours to work on.
    Taken {
        /// Its name.
        name: String,
        /// What was put.
        value: Bytes,
        /// The fencing token of this claim.
        token: Index,
    },
    /// By the client's own reckoning the session may have expired, and the entry be given to another.
    Doubtful,
    /// It is still ours.
    Confirmed,
    /// It is not ours any more: the session has ended, or somebody has deleted it. If that came while it
    /// was being finished, it may be finished.
    Lost,
    /// It is finished and gone.
    Finished,
    /// It was given back, or nothing is asked for any more.
    GivenBack,
    /// The server does not let us.
    Failed(Error),
}

/// Takes one entry after the other from a queue.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Consumer {
    entries: String,
    taken: String,
    data: Bytes,
    session: SessionId,
    wanted: bool,
    /// Something has changed since the listing under way began.
    is_stale: bool,
    state: Taking,
}

/// An entry that we have claimed.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Claim {
    name: String,
    token: Index,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Taking {
    Idle,
    Ensuring(Ensure),
    ListingEntries,
    ListingTaken(Vec<String>),
    /// The first of these is being claimed.
    Claiming(VecDeque<String>),
    /// Whether it was claimed by us is not known.
    Examining(VecDeque<String>),
    Reading(Claim),
    Held(Claim),
    Finishing(Claim),
    /// Whether it was finished is not known.
    Checking(Claim),
    /// The claim is being deleted; this is said afterwards, if there is anything to say.
    GivingBack(Claim, Option<Take>),
    /// For an entry that comes or is given back.
    Waiting,
    /// A request about the claim was not sent.
    Interrupted {
        claim: Claim,
        finishing: bool,
    },
    Stopped,
}

impl Consumer {
    /// For the queue at this path; `name` says who takes.
    #[must_use]
    pub fn new(path: &str, name: &str) -> Self {
        Self {
            entries: join(path, "entries"),
            taken: join(path, "taken"),
            data: Bytes::copy_from_slice(name.as_bytes()),
            session: SessionId(0),
            wanted: false,
            is_stale: false,
            state: Taking::Idle,
        }
    }

    /// Asks for an entry, if none is held or asked for.
    pub fn take(&mut self, out: &mut Out<Take>) {
        if !matches!(
            self.state,
            Taking::Held(_) | Taking::Finishing(_) | Taking::Checking(_)
        ) {
            self.wanted = true;
        }
        if self.state == Taking::Idle {
            self.list(out);
        }
    }

    /// The work on the entry that is held is done.
    pub fn finish(&mut self, out: &mut Out<Take>) {
        if let Taking::Held(claim) = mem::replace(&mut self.state, Taking::Idle) {
            self.ask_finish(claim, out);
        }
    }

    /// Gives back the entry that is held, or asks for none any more.
    pub fn give_back(&mut self, out: &mut Out<Take>) {
        self.wanted = false;
        match mem::replace(&mut self.state, Taking::Idle) {
            Taking::Held(claim) => self.ask_give_back(claim, Some(Take::GivenBack), out),
            Taking::Waiting => out.tell(Take::GivenBack),
            // It goes when the answer has come.
            other => self.state = other,
        }
    }

    fn list(&mut self, out: &mut Out<Take>) {
        if !self.wanted {
            self.state = Taking::Idle;
            return out.tell(Take::GivenBack);
        }
        self.is_stale = false;
        out.ask(read(ReadKind::Children, self.entries.clone(), true));
        self.state = Taking::ListingEntries;
    }

    fn claim(&mut self, names: VecDeque<String>, out: &mut Out<Take>) {
        match names.front() {
            Some(name) if self.wanted => {
                let path = join(&self.taken, name);
                out.ask(create(path, self.data.clone(), CreateMode::Ephemeral));
                self.state = Taking::Claiming(names);
            }
            None if self.wanted && !self.is_stale => self.state = Taking::Waiting,
            _ => self.list(out),
        }
    }

    fn examine(&mut self, names: VecDeque<String>, out: &mut Out<Take>) {
        match names.front() {
            Some(name) => {
                out.ask(read(ReadKind::Exists, join(&self.taken, name), false));
                self.state = Taking::Examining(names);
            }
            None => self.list(out),
        }
    }

    fn ask_finish(&mut self, claim: Claim, out: &mut Out<Take>) {
        let version = -1;
        let remove = |path| Op::Delete { path, version };
        out.ask(Request::Multi(vec![
            remove(join(&self.entries, &claim.name)),
            remove(join(&self.taken, &claim.name)),
        ]));
        self.state = Taking::Finishing(claim);
    }

    fn ask_give_back(&mut self, claim: Claim, then: Option<Take>, out: &mut Out<Take>) {
        out.ask(delete(join(&self.taken, &claim.name)));
        self.state = Taking::GivingBack(claim, then);
    }

    fn claimed(&mut self, claim: Claim, out: &mut Out<Take>) {
        if self.wanted {
            out.ask(read(
                ReadKind::Data,
                join(&self.entries, &claim.name),
                false,
            ));
            self.state = Taking::Reading(claim);
        } else {
            self.ask_give_back(claim, Some(Take::GivenBack), out);
        }
    }

    fn end(&mut self, told: Take, out: &mut Out<Take>) {
        self.wanted = false;
        self.state = Taking::Idle;
        out.tell(told);
    }

    fn answered(&mut self, outcome: &Outcome, out: &mut Out<Take>) {
        let answer = answer(outcome);
        match (mem::replace(&mut self.state, Taking::Stopped), answer) {
            (Taking::Ensuring(ensure), _) => match ensure.answered(outcome, out) {
                Ensured::Going(ensure) => self.state = Taking::Ensuring(ensure),
                Ensured::Done => self.list(out),
                Ensured::Failed(error) => self.end(Take::Failed(error), out),
                Ensured::Stopped => {}
            },
            // A claim is kept in mind until the session is said to have ended.
            (Taking::Finishing(claim) | Taking::Checking(claim), Answer::Not) => {
                let finishing = true;
                self.state = Taking::Interrupted { claim, finishing };
            }
            (Taking::Reading(claim) | Taking::GivingBack(claim, _), Answer::Not) => {
                let finishing = false;
                self.state = Taking::Interrupted { claim, finishing };
            }
            (_, Answer::Not) => {}
            (Taking::ListingEntries, Answer::Yes(Response::Children { names, .. })) => {
                let mut names = names.clone();
                names.sort();
                out.ask(read(ReadKind::Children, self.taken.clone(), true));
                self.state = Taking::ListingTaken(names);
            }
            (Taking::ListingEntries, Answer::No(Error::NoNode)) => {
                self.ensure(self.entries.clone(), out);
            }
            (Taking::ListingTaken(_), Answer::No(Error::NoNode)) => {
                self.ensure(self.taken.clone(), out);
            }
            (Taking::ListingTaken(entries), Answer::Yes(Response::Children { names, .. })) => {
                let taken: BTreeSet<&String> = names.iter().collect();
                let free = entries.into_iter().filter(|name| !taken.contains(name));
                self.claim(free.collect(), out);
            }
            (Taking::Claiming(mut names), Answer::Yes(Response::Created { stat, .. })) => {
                let token = stat.map_or(Index(0), |stat| stat.czxid);
                if let Some(name) = names.pop_front() {
                    self.claimed(Claim { name, token }, out);
                }
            }
            // Another one was faster.
            (Taking::Claiming(mut names), Answer::No(Error::NodeExists)) => {
                names.pop_front();
                self.claim(names, out);
            }
            (Taking::Claiming(names) | Taking::Examining(names), Answer::Unknown) => {
                self.examine(names, out);
            }
            (Taking::Examining(mut names), Answer::Yes(Response::Stat(stat))) => {
                if stat.ephemeral_owner == self.session
                    && let Some(name) = names.pop_front()
                {
                    let token = stat.czxid;
                    self.claimed(Claim { name, token }, out);
                } else {
                    self.list(out);
                }
            }
            (Taking::Reading(claim), Answer::Yes(Response::Data { data, .. })) => {
                if self.wanted {
                    let (name, token) = (claim.name.clone(), claim.token);
                    let value = data.clone().unwrap_or_default();
                    out.tell(Take::Taken { name, value, token });
                    self.wanted = false;
                    self.state = Taking::Held(claim);
                } else {
                    self.ask_give_back(claim, Some(Take::GivenBack), out);
                }
            }
            // It was finished between the listing and the claim.
            (Taking::Reading(claim), Answer::No(Error::NoNode)) => {
                self.ask_give_back(claim, None, out);
            }
            (Taking::Reading(claim), Answer::Unknown) => self.claimed(claim, out),
            (Taking::Finishing(claim), Answer::Yes(Response::Multi(results))) => {
                if results.iter().all(Result::is_ok) {
                    self.end(Take::Finished, out);
                } else {
                    // Somebody has deleted the entry under our hands.
                    self.ask_give_back(claim, Some(Take::Lost), out);
                }
            }
            (Taking::Finishing(claim) | Taking::Checking(claim), Answer::Unknown) => {
                self.check(claim, out);
            }
            (Taking::Checking(claim), Answer::Yes(Response::Stat(stat))) => {
                if stat.czxid == claim.token {
                    self.ask_finish(claim, out);
                } else {
                    self.end(Take::Lost, out);
                }
            }
            // Our session lives, so nobody but us has deleted the claim.
            (Taking::Checking(_), Answer::No(Error::NoNode)) => self.end(Take::Finished, out),
            (Taking::GivingBack(_, then), Answer::Yes(_) | Answer::No(Error::NoNode)) => {
                if let Some(told) = then {
                    out.tell(told);
                }
                self.state = Taking::Idle;
                if self.wanted {
                    self.list(out);
                }
            }
            (Taking::GivingBack(claim, then), Answer::Unknown) => {
                self.ask_give_back(claim, then, out);
            }
            (Taking::ListingEntries | Taking::ListingTaken(_), Answer::Unknown)
            | (Taking::Claiming(_) | Taking::Examining(_), Answer::No(Error::NoNode)) => {
                self.list(out);
            }
            (_, Answer::No(error)) => self.end(Take::Failed(error), out),
            // An answer to something that was not asked.
            (state, _) => self.state = state,
        }
    }

    fn check(&mut self, claim: Claim, out: &mut Out<Take>) {
        out.ask(read(
            ReadKind::Exists,
            join(&self.taken, &claim.name),
            false,
        ));
        self.state = Taking::Checking(claim);
    }

    fn ensure(&mut self, path: String, out: &mut Out<Take>) {
        self.state = Taking::Ensuring(Ensure::begin(&path, out));
    }

    fn is_held(&self) -> bool {
        matches!(self.state, Taking::Held(_))
    }
}

impl Recipe for Consumer {
    type Told = Take;

    fn standing(&self) -> Standing {
        match &self.state {
            Taking::Idle => Standing::Idle,
            Taking::Waiting => Standing::Waiting,
            Taking::Held(claim) => Standing::Holding {
                token: Some(claim.token),
            },
            _ => Standing::Busy,
        }
    }

    fn handle(&mut self, event: &Event, out: &mut Out<Take>) {
        match event {
            Event::Connected { session, .. } => {
                self.session = *session;
                match mem::replace(&mut self.state, Taking::Idle) {
                    Taking::Stopped => self.list(out),
                    Taking::Interrupted { claim, finishing } => {
                        if finishing {
                            self.check(claim, out);
                        } else {
                            let then = (!self.wanted).then_some(Take::GivenBack);
                            self.ask_give_back(claim, then, out);
                        }
                    }
                    other => self.state = other,
                }
            }
            Event::Done { outcome, .. } => self.answered(outcome, out),
            Event::Watch(event) if event.path == self.entries || event.path == self.taken => {
                self.is_stale = true;
                if self.state == Taking::Waiting {
                    self.list(out);
                }
            }
            Event::Unsure { .. } if self.is_held() => out.tell(Take::Doubtful),
            Event::Sure { .. } if self.is_held() => out.tell(Take::Confirmed),
            Event::Expired { .. } | Event::Closed { .. } => {
                match mem::replace(&mut self.state, Taking::Idle) {
                    Taking::Idle => {}
                    Taking::Held(_)
                    | Taking::Finishing(_)
                    | Taking::Checking(_)
                    | Taking::Interrupted {
                        finishing: true, ..
                    } => {
                        self.end(Take::Lost, out);
                    }
                    Taking::GivingBack(_, Some(told)) => self.end(told, out),
                    _ => self.list(out),
                }
            }
            Event::Connecting { .. }
            | Event::Missed { .. }
            | Event::Disconnected { .. }
            | Event::Unsure { .. }
            | Event::Sure { .. }
            | Event::Watch(_) => {}
        }
    }
}

//! What people build on znodes, each as a small state machine over the client: it is told the client's
//! events and says what to ask. The layouts of the znodes are those of kazoo (rule R22), so that programs
//! which use kazoo and programs which use this meet in the same locks and queues. Knows no sockets and no
//! nodes; whoever runs a recipe carries its requests to the client and the outcomes back.
//!
//! A recipe has at most one request under way, and so needs no numbers: the next `Event::Done` that it is
//! handed belongs to that request. Whoever runs several recipes on one client hands each `Done` to the one
//! that asked, and every other event to all.
//!
//! Three traps are the same everywhere and are avoided everywhere:
//!
//! - *Herd.* Whoever waits for a turn watches the one before it, not all.
//! - *Orphan.* When the answer to a create is lost, the znode may be there. It is looked for by its unique
//!   name, and is ours only if its owner is our present session.
//! - *Ghost.* A znode of a session that we gave up is somebody else's, although its name is ours.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::client::{Event, Outcome};
use crate::id::Index;
use crate::request::{Acl, CreateMode, Error, Op, Read, ReadKind, Request, Response};

mod any;
pub mod barrier;
pub mod counter;
pub mod election;
pub mod fence;
pub mod group;
pub mod lock;
pub mod queue;
pub mod service;
pub mod settings;

pub use self::any::{Any, Told, Trade, Wanted, Wish};

/// What a recipe wants: the request to send, and what it has to say.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Out<T> {
    /// To be sent; there is none while the one before is without an outcome.
    pub requests: Vec<Request>,
    /// What has become of the recipe's purpose, in order.
    pub told: Vec<T>,
}

impl<T> Default for Out<T> {
    fn default() -> Self {
        Self {
            requests: Vec::new(),
            told: Vec::new(),
        }
    }
}

impl<T> Out<T> {
    fn ask(&mut self, request: Request) {
        self.requests.push(request);
    }

    fn tell(&mut self, told: T) {
        self.told.push(told);
    }
}

/// How a recipe stands, as far as its client knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// Nothing is wanted of it.
    Idle,
    /// An answer is awaited.
    Busy,
    /// It has left a watch and waits for its turn.
    Waiting,
    /// It has what it is for.
    Holding {
        /// The zxid that goes with it, where there is one.
        token: Option<Index>,
    },
}

/// A state machine over the client.
pub trait Recipe {
    /// What it says.
    type Told;

    /// How it stands.
    fn standing(&self) -> Standing;

    /// The client tells something.
    fn handle(&mut self, event: &Event, out: &mut Out<Self::Told>);
}

/// The path of a child.
fn join(parent: &str, name: &str) -> String {
    let parent = parent.strip_suffix('/').unwrap_or(parent);
    format!("{parent}/{name}")
}

fn create(path: String, data: Bytes, mode: CreateMode) -> Request {
    Request::Write(Op::Create {
        path,
        data: Some(data),
        acl: vec![Acl::open()],
        mode,
        stat: true,
    })
}

fn delete(path: String) -> Request {
    let version = -1;
    Request::Write(Op::Delete { path, version })
}

fn read(kind: ReadKind, path: String, watch: bool) -> Request {
    Request::Read(Read { kind, path, watch })
}

/// What an outcome means to whoever goes on from it.
enum Answer<'a> {
    Yes(&'a Response),
    No(Error),
    /// Nobody knows; the connection broke.
    Unknown,
    /// Nothing was done, and nothing will be before there is another session.
    Not,
}

fn answer(outcome: &Outcome) -> Answer<'_> {
    match outcome {
        Outcome::Answered(reply) => match &reply.result {
            Ok(response) => Answer::Yes(response),
            Err(Error::SessionExpired | Error::SessionMoved) => Answer::Not,
            Err(Error::OutcomeUnknown) => Answer::Unknown,
            Err(error) => Answer::No(*error),
        },
        Outcome::Unknown => Answer::Unknown,
        Outcome::Unsent => Answer::Not,
    }
}

/// Makes a znode that is to hold others, and those above it, from the top.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Ensure {
    path: String,
    /// How many bytes of the path are there or being made.
    made: usize,
}

/// How far it is.
enum Ensured {
    /// Something is asked; its answer is for this one.
    Going(Ensure),
    Done,
    Failed(Error),
    /// Nothing was done, and nothing will be before there is another session.
    Stopped,
}

impl Ensure {
    /// Begins when the answer to a request before it is there.
    fn new(path: &str) -> Self {
        Self {
            path: path.into(),
            made: 0,
        }
    }

    fn begin<T>(path: &str, out: &mut Out<T>) -> Self {
        let mut ensure = Self::new(path);
        ensure.next(out);
        ensure
    }

    fn next<T>(&mut self, out: &mut Out<T>) {
        let rest = self.path.get(self.made + 1..).unwrap_or_default();
        let length = rest.find('/').unwrap_or(rest.len());
        self.made = (self.made + 1 + length).min(self.path.len());
        self.make(out);
    }

    fn make<T>(&self, out: &mut Out<T>) {
        let path = self.path.get(..self.made).unwrap_or_default();
        let (data, mode) = (Bytes::new(), CreateMode::Persistent);
        out.ask(create(path.into(), data, mode));
    }

    fn answered<T>(mut self, outcome: &Outcome, out: &mut Out<T>) -> Ensured {
        match answer(outcome) {
            Answer::Yes(_) | Answer::No(Error::NodeExists) => {
                if self.path.len() <= self.made {
                    return Ensured::Done;
                }
                self.next(out);
            }
            // Somebody deletes while we make: from the top.
            Answer::No(Error::NoNode) => {
                self.made = 0;
                self.next(out);
            }
            Answer::No(error) => return Ensured::Failed(error),
            Answer::Unknown => self.make(out),
            Answer::Not => return Ensured::Stopped,
        }
        Ensured::Going(self)
    }
}

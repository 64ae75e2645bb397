//! A counter as kazoo's `Counter` lays it out: one znode whose data is the number in decimal digits; an
//! empty one counts as zero. Additions are made one at a time, each on the condition that nobody else has
//! made one meanwhile.
//!
//! When the answer to an addition is lost, the znode is read: if its version is the old one, nothing was
//! changed and the addition is made again; if somebody has changed it, nobody can say who, and neither does
//! this recipe. Where every number matters, sequential znodes count exactly.

use alloc::collections::VecDeque;
use alloc::string::{String, ToString};
use core::mem;

use bytes::Bytes;

use super::{Answer, Ensure, Ensured, Out, Recipe, Standing, answer, read};
use crate::client::{Event, Outcome};
use crate::request::{Error, Op, ReadKind, Request, Response};

/// What a counter says, once for each addition and in their order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Told {
    /// It was made.
    Added {
        /// The number afterwards.
        value: i64,
    },
    /// It may have been made.
    Unknown,
    /// The sum is beyond 64 bits, and was not made.
    Overflow,
    /// The znode holds something else than a number.
    NoNumber,
    /// The server does not let us.
    Failed(Error),
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum State {
    Idle,
    Reading,
    Ensuring(Ensure),
    /// This number, in place of the data with this version.
    Setting(i64, i32),
    /// Whether that was done is not known; the znode is read again.
    Checking(i32),
    Stopped,
}

/// Adds to one number that others add to as well.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Counter {
    path: String,
    additions: VecDeque<i64>,
    state: State,
}

impl Counter {
    /// For the number at this path.
    #[must_use]
    pub fn new(path: &str) -> Self {
        Self {
            path: path.into(),
            additions: VecDeque::new(),
            state: State::Idle,
        }
    }

    /// Adds; 0 reads. It is the caller who bounds how many additions wait.
    pub fn add(&mut self, number: i64, out: &mut Out<Told>) {
        self.additions.push_back(number);
        if self.state == State::Idle {
            self.read(out);
        }
    }

    fn read(&mut self, out: &mut Out<Told>) {
        self.state = State::Idle;
        if !self.additions.is_empty() {
            out.ask(read(ReadKind::Data, self.path.clone(), false));
            self.state = State::Reading;
        }
    }

    fn end(&mut self, told: Told, out: &mut Out<Told>) {
        self.additions.pop_front();
        out.tell(told);
        self.read(out);
    }

    fn set(&mut self, data: &Bytes, version: i32, out: &mut Out<Told>) {
        let Some(before) = number(data) else {
            return self.end(Told::NoNumber, out);
        };
        let addition = self.additions.front().copied().unwrap_or(0);
        let Some(value) = before.checked_add(addition) else {
            return self.end(Told::Overflow, out);
        };
        if addition == 0 {
            return self.end(Told::Added { value }, out);
        }
        out.ask(Request::Write(Op::SetData {
            path: self.path.clone(),
            data: Some(Bytes::from(value.to_string())),
            version,
        }));
        self.state = State::Setting(value, version);
    }

    fn answered(&mut self, outcome: &Outcome, out: &mut Out<Told>) {
        match (
            mem::replace(&mut self.state, State::Stopped),
            answer(outcome),
        ) {
            (State::Ensuring(ensure), _) => match ensure.answered(outcome, out) {
                Ensured::Going(ensure) => self.state = State::Ensuring(ensure),
                Ensured::Done => self.read(out),
                Ensured::Failed(error) => self.end(Told::Failed(error), out),
                Ensured::Stopped => {}
            },
            // An addition that was never sent was not made; one that is being looked for may be.
            (State::Checking(_), Answer::Not) => self.end(Told::Unknown, out),
            (_, Answer::Not) => {}
            (State::Reading, Answer::Yes(Response::Data { data, stat })) => {
                self.set(data.as_ref().unwrap_or(&Bytes::new()), stat.version, out);
            }
            (State::Reading, Answer::No(Error::NoNode)) => {
                self.state = State::Ensuring(Ensure::begin(&self.path, out));
            }
            (State::Setting(value, _), Answer::Yes(_)) => self.end(Told::Added { value }, out),
            (State::Setting(..), Answer::No(Error::BadVersion | Error::NoNode))
            | (State::Reading, Answer::Unknown) => self.read(out),
            (State::Setting(_, version) | State::Checking(version), Answer::Unknown) => {
                out.ask(read(ReadKind::Data, self.path.clone(), false));
                self.state = State::Checking(version);
            }
            (State::Checking(version), Answer::Yes(Response::Data { data, stat }))
                if stat.version == version =>
            {
                self.set(data.as_ref().unwrap_or(&Bytes::new()), version, out);
            }
            (State::Checking(_), _) => self.end(Told::Unknown, out),
            (_, Answer::No(error)) => self.end(Told::Failed(error), out),
            // An answer to something that was not asked.
            (state, _) => self.state = state,
        }
    }
}

impl Recipe for Counter {
    type Told = Told;

    fn standing(&self) -> Standing {
        match self.state {
            State::Idle => Standing::Idle,
            _ => Standing::Busy,
        }
    }

    fn handle(&mut self, event: &Event, out: &mut Out<Told>) {
        match event {
            Event::Connected { .. } if self.state == State::Stopped => self.read(out),
            Event::Done { outcome, .. } => self.answered(outcome, out),
            _ => {}
        }
    }
}

fn number(data: &Bytes) -> Option<i64> {
    if data.is_empty() {
        return Some(0);
    }
    core::str::from_utf8(data).ok()?.trim().parse().ok()
}

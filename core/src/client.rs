//! A client as one state machine without sockets, clock and entropy: it keeps one session alive on
//! whichever server it finds, matches answers with calls, and leaves the watches again that a broken
//! connection took with it. The page, the simulator, the command line and the library drive this one.
//! It knows requests and answers, and neither nodes nor Raft.
//!
//! Its driver keeps four promises:
//!
//! 1. It carries out every output, in order: opens connections, sends on them, closes them, and hands
//!    events to whoever made the calls. What is to be sent on a connection that is not open yet waits for it.
//! 2. It reports what arrives on a connection in the order of arrival, and its end once, under the link's
//!    number. Anything about an older link may come too; it is ignored.
//! 3. It calls `handle(now, Input::Wake, ..)` at `deadline()`, after what has already arrived.
//! 4. Its calls have numbers of its own choice.
//!
//! In return every call has exactly one outcome, and outcomes come in the order of the calls. What was asked on
//! a connection that broke is asked again on the next one, in order; changes carry numbers, so that one whose
//! answer was lost gets its first answer and is not made twice (rule R20). The outcome is unknown if the session
//! ends before that, and at once for what cannot be repeated: a close, a change of the members, and everything
//! if `ClientConfig::repeat` is off. These come before the event that says that the connection ended; those of
//! a session that ended, and of what is asked before its end is told, come before that.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::config::ClientConfig;
use crate::id::{Index, SessionId};
use crate::request::{Password, Request, WatchEvent};
use crate::rng::Rng;
use crate::time::{Span, Time};

mod calls;
mod io;
mod search;
#[cfg(test)]
mod tests;
mod watches;

pub use self::io::{Event, Input, Outcome, Output};
use self::watches::{Key, Watches};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Connects at this time.
    Away(Time),
    /// Waits for the session to be attached.
    Connecting,
    Attached,
    /// Will do nothing any more.
    Gone,
}

/// What a request that was sent is for.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Purpose {
    Attach,
    Ping,
    /// Leaves a watch again.
    Rearm(Key),
    /// ... those that stay.
    Lasting,
    /// Says again who the client is.
    Proof,
    Call(u64),
}

/// A request without an answer.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Pending {
    tag: u64,
    purpose: Purpose,
    request: Request,
    /// Of a change.
    number: Option<u64>,
    /// Whether it was sent on an earlier connection too.
    again: bool,
    sent: Time,
}

/// A call that waits for the session.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Waiting {
    id: u64,
    request: Request,
    /// The number that it was sent with.
    number: Option<u64>,
    /// Whether it was sent before, and may have been carried out.
    was_sent: bool,
}

/// One session and the search for a server that serves it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Client {
    config: ClientConfig,
    rng: Rng,
    /// The servers in the order in which they are tried.
    order: Vec<u32>,
    /// How many of `order` have been tried; modulo their number.
    place: usize,
    /// Losses since the session was last attached.
    attempts: u32,
    state: State,
    /// A session that a server says has ended. It is told with the next input, so that whoever asks anew because
    /// an outcome is unknown is not mistaken for one who knows already.
    ended: Option<SessionId>,
    /// The last link, and the server at its other end.
    link: u64,
    server: u32,
    session: SessionId,
    /// Whether only the server that it is attached to knows this session.
    is_read_only: bool,
    password: Password,
    timeout: Span,
    last_zxid: Index,
    /// All events of the lasting watches up to here have been told.
    told_zxid: Index,
    /// Requests that leave the lasting watches again and have no answer: until they have, answers say nothing of
    /// events.
    rearming: usize,
    /// Whether there were several of them. Each is told what happened since in turn, so that until all are, events
    /// say nothing of those before them.
    in_parts: bool,
    /// When something last arrived, and when something was last sent.
    heard: Time,
    asked: Time,
    /// The timeout after the asking of the last request that was answered.
    sure_until: Time,
    is_unsure: bool,
    last_tag: u64,
    pending: VecDeque<Pending>,
    waiting: VecDeque<Waiting>,
    /// The number of the last change.
    last_number: u64,
    watches: Watches,
    /// What the servers have believed about who the client is. It is said anew on each connection.
    proofs: Vec<Request>,
}

impl Client {
    /// A client that will connect at `now`.
    #[must_use]
    pub fn new(config: ClientConfig, seed: u64, now: Time) -> Self {
        let mut rng = Rng::new(seed);
        let mut order: Vec<u32> = (0..config.servers.max(1)).collect();
        if config.shuffle {
            for place in (1..order.len()).rev() {
                let other = rng.below(place as u64 + 1);
                order.swap(place, usize::try_from(other).unwrap_or(0));
            }
        }
        Self {
            config,
            rng,
            order,
            place: 0,
            attempts: 0,
            state: State::Away(now),
            ended: None,
            link: 0,
            server: 0,
            session: SessionId(0),
            is_read_only: false,
            password: [0; 16],
            timeout: Span(0),
            last_zxid: Index(0),
            told_zxid: Index(0),
            rearming: 0,
            in_parts: false,
            heard: now,
            asked: now,
            sure_until: now,
            is_unsure: false,
            last_tag: 0,
            pending: VecDeque::new(),
            waiting: VecDeque::new(),
            last_number: 0,
            watches: Watches::default(),
            proofs: Vec::new(),
        }
    }

    /// The server it is connected to, or connecting to.
    #[must_use]
    pub fn server(&self) -> Option<u32> {
        matches!(self.state, State::Connecting | State::Attached).then_some(self.server)
    }

    /// Whether its session is attached there.
    #[must_use]
    pub fn is_attached(&self) -> bool {
        self.state == State::Attached
    }

    /// Whether it has closed its session or was stopped.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.state == State::Gone
    }

    /// Its session; 0 before the first and after one has ended.
    #[must_use]
    pub const fn session(&self) -> SessionId {
        self.session
    }

    /// Whether it is attached to a server without a leader, which answers reads only, and with what it has.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.is_read_only && self.is_attached()
    }

    /// The agreed session timeout; 0 without a session.
    #[must_use]
    pub const fn timeout(&self) -> Span {
        self.timeout
    }

    /// When it last heard from a server.
    #[must_use]
    pub const fn heard(&self) -> Time {
        self.heard
    }

    /// The highest zxid it has seen.
    #[must_use]
    pub const fn last_zxid(&self) -> Index {
        self.last_zxid
    }

    /// Calls without an outcome.
    #[must_use]
    pub fn calls(&self) -> usize {
        let is_call = |pending: &&Pending| matches!(pending.purpose, Purpose::Call(_));
        self.pending.iter().filter(is_call).count() + self.waiting.len()
    }

    /// The paths of the watches that have not fired, and whether each is for the children.
    pub fn watches(&self) -> impl Iterator<Item = (&str, bool)> {
        self.watches.paths()
    }

    /// Whether one of its lasting watches hears of this.
    #[must_use]
    pub fn hears(&self, event: &WatchEvent) -> bool {
        self.watches.hears(event)
    }

    /// Something happens.
    pub fn handle(&mut self, now: Time, input: Input, out: &mut Vec<Output>) {
        if !matches!(input, Input::Call { .. })
            && let Some(session) = self.ended.take()
        {
            self.tell(Event::Expired { session }, out);
        }
        match input {
            Input::Call { id, request } => self.call(now, id, request, out),
            Input::Reply { link, tag, reply } if self.is_open(link) => {
                self.heard = now;
                self.returned(now, tag, reply, out);
            }
            Input::Watch { link, event } if self.is_open(link) => {
                self.heard = now;
                self.last_zxid = self.last_zxid.max(event.zxid);
                if !self.in_parts {
                    // Of its own transaction there may be more.
                    let before = Index(event.zxid.0.saturating_sub(1));
                    self.told_zxid = self.told_zxid.max(before);
                }
                // One that nobody waits for was left again after the change had been found.
                if self.watches.fired(&event, self.rearming != 0) {
                    self.tell(Event::Watch(event), out);
                }
            }
            Input::Ended { link, reason } if self.is_open(link) => self.lost(now, reason, out),
            Input::Reply { .. } | Input::Watch { .. } | Input::Ended { .. } => {}
            Input::Wake => self.wake(now, out),
            Input::Move => self.hang_up(now, out),
            Input::Stop => {
                self.hang_up(now, out);
                self.state = State::Gone;
                self.give_up_waiting(out);
            }
        }
    }

    /// When it wants to do something by itself.
    #[must_use]
    pub fn deadline(&self) -> Time {
        if self.ended.is_some() {
            return self.heard;
        }
        let own = match self.state {
            State::Gone => return Time::NEVER,
            State::Away(at) => at,
            State::Connecting => self.gives_up(),
            State::Attached => self.gives_up().min(self.pings()),
        };
        own.min(self.doubts())
    }

    fn tell(&self, event: Event, out: &mut Vec<Output>) {
        out.push(Output::Event(event));
    }
}

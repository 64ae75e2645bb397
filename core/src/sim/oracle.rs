//! What clients may believe: ZooKeeper's promises, checked from their calls and answers alone. It knows
//! that a zxid names a state and that states come in one order; it knows nothing of Raft, of logs or
//! of which member answered.
//!
//! Each promise has a name among the invariants. What is known lies in rooms of its own: who wrote what
//! (`authors`), what became of each znode (`znodes`), sequential znodes (`queue`), sessions with what
//! goes with them (`sessions`), who may do what (`permits`), and znodes that end by themselves (`mortals`).
//! A client keeps the book of its own watches.

mod authors;
mod marks;
mod mortals;
mod permits;
mod queue;
mod sessions;
mod znodes;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

pub(super) use self::marks::{
    GUARDED, MORTALS, QUEUE, REGISTERS, TOGGLES, USERS, audit_reads, is_open_to_all, mark_text,
    user_name,
};

use self::authors::{Authors, Sent};
use self::marks::{Mark, Place, below_queue, parse_item, parse_mark, place};
use self::mortals::Mortals;
use self::permits::Permits;
use self::queue::{Item, Queue};
use self::sessions::Sessions;
use self::znodes::{State, Znodes};
use super::clock::{Clocks, Since};
use super::{ClientId, Invariant};
use crate::id::{Index, SessionId};
use crate::request::{Error, Op, Read, ReadKind, Reply, Request, Response, Stat};
use crate::time::{Span, Time};

/// Why a client may complain: the promise that was broken, and what was seen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Complaint(pub(super) Invariant, pub(super) String);

pub(super) type Verdict<T = ()> = Result<T, Complaint>;

/// A complaint.
pub(super) fn broken<T>(invariant: Invariant, text: String) -> Verdict<T> {
    Err(Complaint(invariant, text))
}

/// An answer to a client of the workload, and what it asked.
pub(super) struct Answered<'a> {
    pub(super) client: ClientId,
    pub(super) tag: u64,
    pub(super) session: SessionId,
    /// Whom the client speaks for, of the workload's users.
    pub(super) who: Option<u64>,
    /// When it asked, and what `newest` was then.
    pub(super) asked: Since,
    pub(super) after: Index,
    pub(super) now: Time,
    pub(super) clocks: Clocks,
    pub(super) request: &'a Request,
    pub(super) reply: &'a Reply,
}

#[derive(Clone, Default)]
pub(super) struct Oracle {
    authors: Authors,
    znodes: Znodes,
    queue: Queue,
    sessions: Sessions,
    permits: Permits,
    mortals: Mortals,
    /// The newest state that an answer has shown to anybody.
    newest: Index,
    /// Changes that were asked for again, and answers to those that had been made before that.
    repeats: u64,
    first_answers: u64,
}

impl Oracle {
    /// The newest state that an answer has shown to anybody; what is sent now must come after it.
    pub(super) const fn newest(&self) -> Index {
        self.newest
    }

    /// Facts that had to go because a limit was reached: contradictions to them are not seen.
    pub(super) const fn forgotten(&self) -> u64 {
        self.authors.forgotten
            + self.znodes.forgotten
            + self.queue.forgotten
            + self.sessions.forgotten
            + self.permits.forgotten
            + self.mortals.forgotten
    }

    /// How many znodes that end by themselves were seen to be gone.
    pub(super) const fn mortals_gone(&self) -> u64 {
        self.mortals.gone
    }

    /// The longest time to live, and the paths of the znodes that must be gone when it has passed.
    pub(super) fn ending(&self) -> (Span, Vec<String>) {
        self.mortals.ending()
    }

    /// A client of the workload sends a write.
    pub(super) fn send(&mut self, client: ClientId, tag: u64, request: &Request) {
        let Some(ops) = changes(request) else {
            return;
        };
        let mut sent = Sent::new(tag, self.newest);
        sent.multi = matches!(request, Request::Multi(_));
        for op in ops {
            self.permits.send(op);
            self.mortals.send(op);
            match op {
                Op::Check { .. } | Op::SetAcl { .. } => {}
                Op::Delete { path, .. } if below_queue(path).is_some() => {
                    let number = below_queue(path).and_then(parse_item);
                    number
                        .into_iter()
                        .for_each(|(_, number)| self.queue.deleting(number));
                }
                Op::Create { path, .. } | Op::Delete { path, .. } | Op::SetData { path, .. } => {
                    if let Some(place) = place(path) {
                        self.znodes.sent(place);
                        if !matches!(op, Op::Delete { .. }) {
                            sent.places.push(place);
                        }
                    }
                }
            }
        }
        self.authors.send(client, sent);
    }

    /// A client of the workload sends a write again, which may have been made already, and must not be made twice.
    pub(super) fn send_again(&mut self, client: ClientId, tag: u64, request: &Request) {
        let Some(ops) = changes(request) else {
            return;
        };
        self.repeats += 1;
        self.authors.send_again(client, tag);
        for op in ops {
            self.permits.send_again(op);
            self.mortals.send(op);
        }
    }

    /// How often a change was asked for again, and how often it was seen that it had been made before that.
    pub(super) const fn repeats(&self) -> (u64, u64) {
        (self.repeats, self.first_answers)
    }

    /// A client that is not of the workload writes: what it touches is no longer judged.
    pub(super) fn stranger(&mut self, request: &Request) {
        for op in changes(request).unwrap_or_default() {
            let path = op.path();
            if let Some(place) = place(path) {
                self.znodes.wild(place);
            }
            self.permits.wild(path);
            self.mortals.wild(path);
            self.queue.wild |= path.starts_with(QUEUE);
        }
    }

    /// A session was attached to a new connection: what the old one sent cannot happen any more.
    pub(super) fn attached(
        &mut self,
        client: ClientId,
        session: SessionId,
        zxid: Index,
    ) -> Verdict {
        self.authors.attached(client, zxid);
        self.permits.attached(client, zxid);
        self.sessions.alive(session, zxid)
    }

    /// A session is over, as known at this zxid; its ephemeral znodes are gone with it.
    pub(super) fn ended(&mut self, session: SessionId, zxid: Index) {
        self.sessions.ended(session, zxid);
    }

    /// An answer to a client of the workload.
    pub(super) fn answer(&mut self, answered: &Answered<'_>) -> Verdict {
        let &Answered {
            client,
            tag,
            session,
            after,
            request,
            reply,
            ..
        } = answered;
        self.newest = self.newest.max(reply.zxid);
        self.permits.answer(answered)?;
        self.mortals.answer(answered)?;
        let mark = (client, tag);
        match (request, &reply.result) {
            (Request::Write(op), Ok(response)) => {
                self.done(mark, after, op, response, reply.zxid)?;
                self.sessions.alive(session, reply.zxid)
            }
            (Request::Multi(ops), Ok(Response::Multi(results))) => {
                all_or_nothing(ops, results)?;
                if results.iter().any(Result::is_err) {
                    self.authors.refuse(client, tag);
                    return Ok(());
                }
                for (op, result) in ops.iter().zip(results) {
                    let Ok(response) = result else { continue };
                    self.done(mark, after, op, response, reply.zxid)?;
                }
                self.sessions.alive(session, reply.zxid)
            }
            (Request::Write(_) | Request::Multi(_), Err(error)) => {
                if matches!(error, Error::SystemError | Error::OutcomeUnknown) {
                    return Ok(());
                }
                self.authors.refuse(client, tag);
                self.refusal(request, *error, after)
            }
            (Request::Read(read), result) => self.read(read, result, reply.zxid),
            (Request::Latest(read), result) => {
                fresh(&read.path, after, reply)?;
                self.read(read, result, reply.zxid)
            }
            (Request::MultiRead(reads), Ok(Response::Multi(results))) => {
                if results.len() != reads.len() {
                    let text = format!("{} reads had {} results", reads.len(), results.len());
                    return broken(Invariant::Answers, text);
                }
                let mut each = reads.iter().zip(results);
                each.try_for_each(|(read, result)| self.read(read, result, reply.zxid))
            }
            (Request::Sync { path }, Ok(_)) => fresh(path, after, reply),
            _ => Ok(()),
        }
    }

    fn done(
        &mut self,
        mark: Mark,
        after: Index,
        op: &Op,
        response: &Response,
        zxid: Index,
    ) -> Verdict {
        match (op, response) {
            (Op::SetData { path, version, .. }, Response::Stat(stat)) => {
                if *version != -1 && stat.version != *version + 1 {
                    let text = format!(
                        "{path}: a set of version {version} gave version {}",
                        stat.version
                    );
                    return broken(Invariant::NoLostWrite, text);
                }
                self.wrote(mark, path, stat, zxid)
            }
            (
                Op::Create { path, mode, .. },
                Response::Created {
                    path: made,
                    stat: Some(stat),
                },
            ) => {
                if mode.is_sequential() {
                    return self.enqueued(mark, path, made, stat);
                }
                if path != made {
                    return broken(
                        Invariant::Answers,
                        format!("a create of {path} made {made}"),
                    );
                }
                self.wrote(mark, path, stat, zxid)
            }
            (Op::Delete { path, .. }, Response::Deleted) => {
                if let Some(place) = place(path) {
                    self.znodes.deleted(place, after, zxid);
                } else if let Some((_, number)) = below_queue(path).and_then(parse_item) {
                    self.queue.deleted(path, number, after, zxid)?;
                }
                Ok(())
            }
            (Op::Check { .. }, Response::Checked) | (Op::SetAcl { .. }, Response::Stat(_)) => {
                Ok(())
            }
            _ => broken(
                Invariant::Answers,
                format!("{op:?} was answered by {response:?}"),
            ),
        }
    }

    fn wrote(&mut self, mark: Mark, path: &str, stat: &Stat, zxid: Index) -> Verdict {
        if zxid < stat.mzxid {
            let text = format!("{path}: changed at {} and answered at {zxid}", stat.mzxid);
            return broken(Invariant::Answers, text);
        }
        let Some(place) = place(path) else {
            return Ok(());
        };
        self.first_answers += u64::from(stat.mzxid < zxid);
        let state = State::There {
            version: Some(stat.version),
            czxid: Some(stat.czxid),
            mark: Some(mark),
        };
        self.observe(place, stat.mzxid, stat.mzxid, state)
    }

    fn enqueued(&mut self, mark: Mark, path: &str, made: &str, stat: &Stat) -> Verdict {
        let named = made.starts_with(path);
        let number = match below_queue(made).and_then(parse_item) {
            Some((by, number)) if named && by == mark => number,
            _ => {
                let text = format!("a sequential create of {path} made {made}");
                return broken(Invariant::SequenceNumbers, text);
            }
        };
        let born = stat.czxid;
        self.happened(mark, born, None)?;
        self.queue.learn(Item {
            number,
            mark,
            born,
            exact: true,
            seen: born,
            gone: None,
            deleting: false,
            owner: stat.ephemeral_owner,
        })
    }

    /// A refusal must have a reason that can be true.
    fn refusal(&self, request: &Request, error: Error, after: Index) -> Verdict {
        let Request::Write(Op::SetData { path, .. }) = request else {
            return Ok(());
        };
        match place(path) {
            Some(place)
                if place.stays()
                    && error == Error::NoNode
                    && self.znodes.was_there(place, after) =>
            {
                let text = format!(
                    "{path} is said not to exist; it was made before, and nobody deletes it"
                );
                broken(Invariant::NoLostWrite, text)
            }
            _ => Ok(()),
        }
    }

    /// What a member holds, read by somebody who may read anything.
    pub(super) fn audit(
        &mut self,
        read: &Read,
        result: &Result<Response, Error>,
        zxid: Index,
    ) -> Verdict {
        self.permits.audit(read, result, zxid)?;
        self.read(read, result, zxid)
    }

    /// A read, answered by somebody who has applied up to `zxid`.
    fn read(&mut self, read: &Read, result: &Result<Response, Error>, zxid: Index) -> Verdict {
        if read.kind == ReadKind::Children {
            return match result {
                Ok(Response::Children { names, .. }) if read.path == QUEUE => {
                    let (authors, sessions) = (&self.authors, &mut self.sessions);
                    self.queue.listed(names, zxid, authors, sessions)
                }
                _ => Ok(()),
            };
        }
        let Some(place) = place(&read.path) else {
            return Ok(());
        };
        let (stat, mark) = match result {
            Ok(Response::Data { data, stat }) => {
                let text = data
                    .as_ref()
                    .and_then(|data| core::str::from_utf8(data).ok());
                let Some(mark) = text.and_then(parse_mark) else {
                    return self.znodes.phantom(place, &format!("{data:?}"));
                };
                (stat, Some(mark))
            }
            Ok(Response::Stat(stat)) => (stat, None),
            Err(Error::NoNode) => return self.znodes.absent(place, zxid),
            _ => return Ok(()),
        };
        if zxid < stat.mzxid {
            let text = format!("{}: a state of {} shown at {zxid}", read.path, stat.mzxid);
            return broken(Invariant::Answers, text);
        }
        self.sessions.over(stat.ephemeral_owner, zxid, &read.path)?;
        let state = State::There {
            version: Some(stat.version),
            czxid: Some(stat.czxid),
            mark,
        };
        self.observe(place, stat.mzxid, zxid, state)
    }

    /// A change at `changed` was still the newest one at `zxid`.
    fn observe(&mut self, place: Place, changed: Index, zxid: Index, state: State) -> Verdict {
        let judged = self.znodes.observe(place, changed, zxid, state)?;
        match state {
            State::There {
                mark: Some(mark), ..
            } if judged => self.happened(mark, changed, Some(place)),
            _ => Ok(()),
        }
    }

    /// A marked write has happened here. Everything else it wrote happened here too.
    fn happened(&mut self, mark: Mark, zxid: Index, seen: Option<Place>) -> Verdict {
        let places = self.authors.happened(mark, zxid)?;
        for place in places.into_iter().filter(|place| Some(*place) != seen) {
            let state = State::There {
                version: None,
                czxid: None,
                mark: Some(mark),
            };
            let other = self.znodes.observe(place, zxid, zxid, state);
            if let Err(Complaint(_, text)) = other {
                let text = format!("{mark:?} happened at {zxid} in part: {text}");
                return broken(Invariant::AllOrNothing, text);
            }
        }
        Ok(())
    }
}

/// The operations of a request that may change something.
fn changes(request: &Request) -> Option<&[Op]> {
    match request {
        Request::Write(op) => Some(core::slice::from_ref(op)),
        Request::Multi(ops) => Some(ops),
        _ => None,
    }
}

/// A multi is done whole, or nothing of it is.
fn all_or_nothing(ops: &[Op], results: &[Result<Response, Error>]) -> Verdict {
    let text = if results.len() != ops.len() {
        format!("a multi of {} gave {} results", ops.len(), results.len())
    } else if results.iter().any(Result::is_err) && results.iter().any(Result::is_ok) {
        "a multi was done in part".into()
    } else {
        return Ok(());
    };
    broken(Invariant::AllOrNothing, text)
}

/// A linearizable read, and a sync, show all that was acknowledged before they were asked for.
fn fresh(path: &str, after: Index, reply: &Reply) -> Verdict {
    if after <= reply.zxid {
        return Ok(());
    }
    let text = format!(
        "{path} was shown at {}, although {after} was acknowledged before it was asked for",
        reply.zxid
    );
    broken(Invariant::FreshReads, text)
}

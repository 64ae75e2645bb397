//! Sessions as the log knows them: replicated facts only. When a session has been silent for too long
//! is the leader's own business, in `Deadlines`.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem;

use serde::{Deserialize, Serialize};

use crate::command::Origin;
use crate::hash;
use crate::id::{Index, SessionId};
use crate::map::{Item, Key, Map};
use crate::request::{Error, Response};

mod answers;
mod deadlines;

pub(crate) use answers::{Answers, Recall};

pub use deadlines::Deadlines;

/// Lives of one node whose tickets are remembered. A late command comes from the last one or two.
const LIVES: usize = 4;

/// The replicated facts of one session.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Session {
    /// The timeout that was agreed, in milliseconds.
    pub timeout_ms: u32,
    /// The index of the entry that attached its present connection.
    pub epoch: Index,
    /// Its present connection.
    pub origin: Origin,
    /// The number of the write that may run next, from 1.
    pub next_number: u64,
}

/// All live sessions, and which attachments have been taken. A clone shares everything.
#[derive(Clone)]
pub(crate) struct Sessions {
    live: Map<Live>,
    /// The last attachment of each life of each node, in the order in which the lives began here. There
    /// are a few for each member, so they are copied as a whole.
    lives: Arc<Vec<Origin>>,
    /// Sum of the sessions' hashes (rule R9).
    digest: u64,
}

#[derive(Clone)]
struct Live {
    id: SessionId,
    session: Session,
    /// Nothing while it has asked for no numbered change.
    answers: Option<Arc<Answers>>,
}

impl Sessions {
    pub(crate) fn new() -> Self {
        Self {
            live: Map::new(),
            lives: Arc::default(),
            digest: 0,
        }
    }

    /// With what a snapshot says of the lives of the nodes.
    pub(crate) fn with_lives(lives: Vec<Origin>) -> Self {
        Self {
            lives: lives.into(),
            ..Self::new()
        }
    }

    pub(crate) fn lives(&self) -> &[Origin] {
        &self.lives
    }

    /// Forgets which attachments have been taken: only for a bug that is planted.
    pub(crate) fn forget_lives(&mut self) {
        self.lives = Arc::default();
    }

    /// The write that may run next has this number: only for a bug that is planted.
    pub(crate) fn expect_number(&mut self, id: SessionId, number: u64) {
        let _ = self.change(id, |session| session.next_number = number);
    }

    /// Whether this attachment is to be carried out: each runs once, and none after a later one of the
    /// same life (see `Origin::ticket`).
    pub(crate) fn take_ticket(&mut self, origin: Origin) -> bool {
        let same =
            |last: &Origin| (last.node, last.incarnation) == (origin.node, origin.incarnation);
        let lives = Arc::make_mut(&mut self.lives);
        if let Some(last) = lives.iter_mut().find(|last| same(last)) {
            let new = last.ticket < origin.ticket;
            last.ticket = last.ticket.max(origin.ticket);
            return new;
        }
        let of_node = |last: &Origin| last.node == origin.node;
        if lives.iter().filter(|last| of_node(last)).count() == LIVES
            && let Some(oldest) = lives.iter().position(of_node)
        {
            lives.remove(oldest);
        }
        lives.push(origin);
        true
    }

    pub(crate) const fn count(&self) -> u64 {
        self.live.len() as u64
    }

    /// Whether the digest is that of the sessions (rule R9). Looks at all of them.
    pub(crate) fn is_digest_right(&self) -> bool {
        let add = |sum: u64, live: &Live| sum.wrapping_add(digest(live));
        let answers = self.live.iter().filter_map(|live| live.answers.as_ref());
        self.live.iter().fold(0, add) == self.digest
            && answers.into_iter().all(|answers| answers.is_digest_right())
    }

    pub(crate) fn digest(&self) -> u64 {
        self.lives.iter().fold(self.digest, |digest, &life| {
            hash::of_words(&words(digest, life))
        })
    }

    pub(crate) fn get(&self, id: SessionId) -> Option<&Session> {
        self.live.get(key(id)).map(|live| &live.session)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (SessionId, &Session)> {
        self.live.iter().map(|live| (live.id, &live.session))
    }

    /// The sessions from this id on, with what they keep.
    pub(crate) fn from(
        &self,
        id: SessionId,
    ) -> impl Iterator<Item = (SessionId, &Session, Option<&Answers>)> {
        self.live
            .range(key(id))
            .map(|live| (live.id, &live.session, live.answers.as_deref()))
    }

    /// A new session, or one from a snapshot; `false` if there is one with its id.
    pub(crate) fn insert(
        &mut self,
        id: SessionId,
        session: Session,
        answers: Option<Answers>,
    ) -> bool {
        if self.get(id).is_some() {
            return false;
        }
        let live = Live {
            id,
            session,
            answers: answers.map(Arc::new),
        };
        self.digest = self.digest.wrapping_add(digest(&live));
        self.live.insert(live);
        true
    }

    /// What is known of a numbered change; the session's answers up to `answered` go.
    pub(crate) fn recall(&mut self, id: SessionId, number: u64, answered: u64) -> Recall {
        let recall = self.change_live(id, |live| {
            Arc::make_mut(live.answers.get_or_insert_default()).recall(number, answered)
        });
        recall.unwrap_or(Recall::Forgotten)
    }

    /// The answer to the numbered change that has just run.
    pub(crate) fn keep(&mut self, id: SessionId, result: &Result<Response, Error>) {
        let _ = self.change_live(id, |live| {
            Arc::make_mut(live.answers.get_or_insert_default()).keep(result);
        });
    }

    /// Forgets what a session keeps: only for a bug that is planted.
    pub(crate) fn forget_answers(&mut self, id: SessionId) {
        let _ = self.change_live(id, |live| live.answers = None);
    }

    /// Gives a session to another connection and says which one had it.
    pub(crate) fn attach(
        &mut self,
        id: SessionId,
        epoch: Index,
        origin: Origin,
        timeout_ms: u32,
    ) -> Option<Origin> {
        self.change(id, |session| {
            let session = mem::replace(
                session,
                Session {
                    timeout_ms,
                    epoch,
                    origin,
                    next_number: 1,
                },
            );
            session.origin
        })
    }

    /// Whether the write with this number may run; if so, the next one has the next number.
    pub(crate) fn begin_write(&mut self, id: SessionId, epoch: Index, number: u64) -> bool {
        let next = |session: &Session| session.epoch == epoch && session.next_number == number;
        self.get(id).is_some_and(next)
            && self
                .change(id, |session| session.next_number += 1)
                .is_some()
    }

    pub(crate) fn close(&mut self, id: SessionId) {
        let Some(live) = self.live.remove(key(id)) else {
            return;
        };
        self.digest = self.digest.wrapping_sub(digest(&live));
    }

    fn change<R>(&mut self, id: SessionId, change: impl FnOnce(&mut Session) -> R) -> Option<R> {
        self.change_live(id, |live| change(&mut live.session))
    }

    fn change_live<R>(&mut self, id: SessionId, change: impl FnOnce(&mut Live) -> R) -> Option<R> {
        let live = self.live.get_mut(key(id))?;
        let before = digest(live);
        let result = change(live);
        let after = digest(live);
        self.digest = self.digest.wrapping_sub(before).wrapping_add(after);
        Some(result)
    }
}

fn digest(live: &Live) -> u64 {
    let session = &live.session;
    let answers = live.answers.as_ref();
    let numbers = [
        live.id.0,
        session.timeout_ms.into(),
        session.epoch.0,
        session.next_number,
        answers.map_or(0, |answers| answers.digest()),
    ];
    hash::of_words(&words(hash::of_words(&numbers), session.origin))
}

const fn words(before: u64, origin: Origin) -> [u64; 4] {
    [before, origin.node.0, origin.incarnation, origin.ticket]
}

const fn key(id: SessionId) -> Key<'static> {
    Key {
        first: id.0,
        rest: &[],
    }
}

impl Item for Live {
    fn key(&self) -> Key<'_> {
        key(self.id)
    }
}

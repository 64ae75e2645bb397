//! Sessions as the log knows them: replicated facts only. When a session has been silent for too long
//! is the leader's own business, in `Deadlines`.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::command::Origin;
use crate::hash;
use crate::id::{Index, SessionId};
use crate::map::{Item, Key, Map};

mod deadlines;

pub use deadlines::Deadlines;

/// Former connections that a session remembers. A repeat comes from a node that has not yet seen its own
/// command applied, so there is seldom more than one.
const FORMER: usize = 4;

/// The replicated facts of one session.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Session {
    /// The timeout that was agreed, in milliseconds.
    pub timeout_ms: u32,
    /// The index of the entry that attached its present connection.
    pub epoch: Index,
    /// Its present connection.
    pub origin: Origin,
    /// The number of the write that may run next, from 1.
    pub next_number: u64,
    /// The connection that opened it. A repeated `Open` of this one opens nothing.
    pub opened_by: Origin,
    /// The connections it had before the present one, the latest last, at most four. A repeated `Attach`
    /// of one of them does not take the session back.
    pub former: Vec<Origin>,
}

impl Session {
    /// Whether this connection has, or had, the session.
    #[must_use]
    pub fn has_had(&self, origin: Origin) -> bool {
        self.origin == origin || self.opened_by == origin || self.former.contains(&origin)
    }

    fn digest(&self, id: SessionId) -> u64 {
        let origin = |origin: Origin| [origin.node.0, origin.incarnation, origin.conn.0];
        let numbers = [id.0, self.timeout_ms.into(), self.epoch.0, self.next_number];
        let [a, b, c] = origin(self.origin);
        let [d, e, f] = origin(self.opened_by);
        let mut digest = hash::of_words(&[
            numbers[0], numbers[1], numbers[2], numbers[3], a, b, c, d, e, f,
        ]);
        for &former in &self.former {
            let [a, b, c] = origin(former);
            digest = hash::of_words(&[digest, a, b, c]);
        }
        digest
    }
}

/// All live sessions. A clone shares everything.
#[derive(Clone)]
pub(crate) struct Sessions {
    live: Map<Live>,
    /// Which session a connection opened, as long as that session lives.
    opened: Map<Opened>,
    /// Sum of the sessions' hashes (rule R9).
    digest: u64,
}

#[derive(Clone)]
struct Live {
    id: SessionId,
    session: Session,
}

#[derive(Clone)]
struct Opened([u8; 24]);

impl Sessions {
    pub(crate) fn new() -> Self {
        Self {
            live: Map::new(),
            opened: Map::new(),
            digest: 0,
        }
    }

    pub(crate) const fn count(&self) -> u64 {
        self.live.len() as u64
    }

    pub(crate) const fn digest(&self) -> u64 {
        self.digest
    }

    pub(crate) fn get(&self, id: SessionId) -> Option<&Session> {
        self.live.get(key(id)).map(|live| &live.session)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (SessionId, &Session)> {
        self.live.iter().map(|live| (live.id, &live.session))
    }

    /// The sessions from this id on.
    pub(crate) fn from(&self, id: SessionId) -> impl Iterator<Item = (SessionId, &Session)> {
        self.live
            .range(key(id))
            .map(|live| (live.id, &live.session))
    }

    /// A new session; `false` if this connection has already opened one.
    pub(crate) fn open(
        &mut self,
        id: SessionId,
        epoch: Index,
        origin: Origin,
        timeout_ms: u32,
    ) -> bool {
        if self.opened.get(Opened::by(origin).key()).is_some() {
            return false;
        }
        let former = Vec::new();
        self.restore(
            id,
            Session {
                timeout_ms,
                epoch,
                origin,
                next_number: 1,
                opened_by: origin,
                former,
            },
        )
    }

    /// A session from a snapshot; `false` if there is one with its id or its opener.
    pub(crate) fn restore(&mut self, id: SessionId, session: Session) -> bool {
        let opened = Opened::by(session.opened_by);
        if self.get(id).is_some() || self.opened.insert(opened).is_some() {
            return false;
        }
        self.digest = self.digest.wrapping_add(session.digest(id));
        self.live.insert(Live { id, session });
        true
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
            let before = core::mem::replace(&mut session.origin, origin);
            if session.former.len() == FORMER {
                session.former.remove(0);
            }
            session.former.push(before);
            session.timeout_ms = timeout_ms;
            session.epoch = epoch;
            session.next_number = 1;
            before
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
        let Some(Live { session, .. }) = self.live.remove(key(id)) else {
            return;
        };
        self.digest = self.digest.wrapping_sub(session.digest(id));
        self.opened.remove(Opened::by(session.opened_by).key());
    }

    fn change<R>(&mut self, id: SessionId, change: impl FnOnce(&mut Session) -> R) -> Option<R> {
        let session = &mut self.live.get_mut(key(id))?.session;
        let before = session.digest(id);
        let result = change(session);
        let after = session.digest(id);
        self.digest = self.digest.wrapping_sub(before).wrapping_add(after);
        Some(result)
    }
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

impl Opened {
    fn by(origin: Origin) -> Self {
        let numbers = [origin.node.0, origin.incarnation, origin.conn.0].map(u64::to_be_bytes);
        let mut bytes = [0; 24];
        bytes.copy_from_slice(numbers.as_flattened());
        Self(bytes)
    }
}

impl Item for Opened {
    fn key(&self) -> Key<'_> {
        Key {
            first: 0,
            rest: &self.0,
        }
    }
}

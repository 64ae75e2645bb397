//! Sessions and what goes with them: an ephemeral znode is there as long as its session lives, and no
//! longer.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::sync::Arc;

use super::{Verdict, broken};
use crate::id::{Index, SessionId};
use crate::sim::Invariant;

/// Ended sessions kept, and those that lost a znode: more than a seed has.
const SESSIONS: usize = 1_024;

type Moments = Arc<BTreeMap<SessionId, Index>>;

#[derive(Clone, Debug, Default)]
pub(super) struct Sessions {
    /// Sessions that are over, and the zxid at which that was known.
    ended: Moments,
    /// Sessions of which an ephemeral znode was seen to be gone, and when.
    doomed: Moments,
    /// Sessions that are no longer kept.
    pub(super) forgotten: u64,
}

impl Sessions {
    /// A session is over, as known at this zxid.
    pub(super) fn ended(&mut self, session: SessionId, zxid: Index) {
        self.forgotten += keep(&mut self.ended, session, zxid);
    }

    /// An ephemeral znode of it was seen to be gone at this zxid, and nobody deletes it.
    pub(super) fn doomed(&mut self, session: SessionId, zxid: Index) {
        self.forgotten += keep(&mut self.doomed, session, zxid);
    }

    /// A session did something at this zxid, so none of its ephemeral znodes can have vanished before.
    pub(super) fn alive(&self, session: SessionId, zxid: Index) -> Verdict {
        match self.doomed.get(&session).filter(|at| **at < zxid) {
            Some(at) => broken(
                Invariant::Ephemerals,
                format!(
                    "an ephemeral znode of session {session} vanished by {at}; the session lives at {zxid}"
                ),
            ),
            None => Ok(()),
        }
    }

    /// A znode of this session was there at this zxid, so the session was not over.
    pub(super) fn over(&self, owner: SessionId, zxid: Index, what: &str) -> Verdict {
        match self.ended.get(&owner).filter(|at| **at <= zxid) {
            Some(at) if owner != SessionId(0) => broken(
                Invariant::Ephemerals,
                format!("{what} is there at {zxid}; its session {owner} ended by {at}"),
            ),
            _ => Ok(()),
        }
    }
}

/// The earliest moment counts. Gives the number of sessions that had to go.
fn keep(moments: &mut Moments, session: SessionId, zxid: Index) -> u64 {
    if moments.get(&session).is_some_and(|known| *known <= zxid) {
        return 0;
    }
    let moments = Arc::make_mut(moments);
    moments.insert(session, zxid);
    if moments.len() <= SESSIONS {
        return 0;
    }
    moments.pop_first();
    1
}

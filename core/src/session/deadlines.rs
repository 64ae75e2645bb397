//! The leader's own deadlines of sessions. They are not replicated: a new leader gives every session its
//! full timeout (rule R15).

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::Session;
use crate::id::SessionId;
use crate::time::{Span, Time};

/// When each session expires, as the leader sees it.
///
/// A touch only moves the session's own deadline; the queue is put right when its entry comes up, so
/// that a touch costs one lookup.
#[derive(Clone, Default, Debug)]
pub struct Deadlines {
    sessions: BTreeMap<SessionId, Deadline>,
    /// One entry for each session that has not been reported, at or before its deadline.
    queue: BTreeSet<(Time, SessionId)>,
}

#[derive(Clone, Copy, Debug)]
struct Deadline {
    timeout: Span,
    at: Time,
    /// Where its entry in the queue stands; `None` once it has been reported as due.
    queued: Option<Time>,
}

impl Deadlines {
    /// No sessions.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            sessions: BTreeMap::new(),
            queue: BTreeSet::new(),
        }
    }

    /// Forgets everything and gives each session its full timeout from `now`: for a new leader.
    pub fn reset_all<'a>(
        &mut self,
        now: Time,
        sessions: impl Iterator<Item = (SessionId, &'a Session)>,
    ) {
        self.sessions.clear();
        self.queue.clear();
        for (id, session) in sessions {
            self.arm(now, id, session.timeout_ms);
        }
    }

    /// A session was opened or attached anew: it has `timeout_ms` from `now`.
    pub fn arm(&mut self, now: Time, session: SessionId, timeout_ms: u32) {
        self.remove(session);
        let timeout = Span::from_ms(timeout_ms.into());
        let at = now + timeout;
        self.sessions.insert(
            session,
            Deadline {
                timeout,
                at,
                queued: Some(at),
            },
        );
        self.queue.insert((at, session));
    }

    /// A sign of life: the session has its full timeout from `now`. Unknown sessions are ignored. One
    /// that was reported as due is watched again.
    pub fn touch(&mut self, now: Time, session: SessionId) {
        let Some(deadline) = self.sessions.get_mut(&session) else {
            return;
        };
        deadline.at = deadline.at.max(now + deadline.timeout);
        if deadline.queued.is_none() {
            deadline.queued = Some(deadline.at);
            self.queue.insert((deadline.at, session));
        }
    }

    /// The session has ended.
    pub fn remove(&mut self, session: SessionId) {
        let Some(deadline) = self.sessions.remove(&session) else {
            return;
        };
        if let Some(queued) = deadline.queued {
            self.queue.remove(&(queued, session));
        }
    }

    /// This node itself was stalled for `span`: every session gets as much more time.
    pub fn extend_all(&mut self, span: Span) {
        for deadline in self.sessions.values_mut() {
            deadline.at += span;
        }
    }

    /// The sessions whose deadline has passed, in the order of their deadlines. Each is given once;
    /// `touch` and `arm` bring it back.
    pub fn due(&mut self, now: Time) -> Vec<SessionId> {
        let mut due = Vec::new();
        while let Some(&(queued, session)) = self.queue.first() {
            if now < queued {
                break;
            }
            self.queue.pop_first();
            let Some(deadline) = self.sessions.get_mut(&session) else {
                continue;
            };
            if now < deadline.at {
                deadline.queued = Some(deadline.at);
                self.queue.insert((deadline.at, session));
            } else {
                deadline.queued = None;
                due.push((deadline.at, session));
            }
        }
        due.sort_unstable();
        due.into_iter().map(|(_, session)| session).collect()
    }

    /// The session's deadline.
    #[must_use]
    pub fn of(&self, session: SessionId) -> Option<Time> {
        self.sessions.get(&session).map(|deadline| deadline.at)
    }

    /// How long nobody has heard of the session, as far as that counts against it.
    #[must_use]
    pub fn silent(&self, now: Time, session: SessionId) -> Option<Span> {
        let deadline = self.sessions.get(&session)?;
        Some((now + deadline.timeout).since(deadline.at))
    }

    /// Whether the session's deadline has passed: to be asked again before it is closed.
    #[must_use]
    pub fn is_overdue(&self, now: Time, session: SessionId) -> bool {
        self.sessions
            .get(&session)
            .is_some_and(|deadline| deadline.at <= now)
    }

    /// The moment at which `due` should be asked next. It may be early, never late.
    #[must_use]
    pub fn next(&self) -> Time {
        self.queue.first().map_or(Time::NEVER, |&(at, _)| at)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    const S: fn(u64) -> SessionId = SessionId;

    fn at(ms: u64) -> Time {
        Time(0) + Span::from_ms(ms)
    }

    #[test]
    fn a_silent_session_is_due_once() {
        let mut deadlines = Deadlines::new();
        assert_eq!(deadlines.next(), Time::NEVER);
        deadlines.arm(at(0), S(1), 100);
        deadlines.arm(at(0), S(2), 50);
        assert_eq!((deadlines.next(), deadlines.due(at(49))), (at(50), vec![]));
        assert_eq!(deadlines.due(at(500)), [S(2), S(1)]);
        assert_eq!(
            (deadlines.next(), deadlines.due(at(501))),
            (Time::NEVER, vec![])
        );
        assert!(deadlines.is_overdue(at(501), S(1)));
        deadlines.touch(at(600), S(1));
        assert!(!deadlines.is_overdue(at(600), S(1)));
        assert_eq!(deadlines.due(at(700)), [S(1)]);
    }

    #[test]
    fn a_sign_of_life_gives_the_whole_timeout_again() {
        let mut deadlines = Deadlines::new();
        deadlines.arm(at(0), S(1), 100);
        deadlines.touch(at(90), S(1));
        deadlines.touch(at(80), S(1));
        deadlines.touch(at(90), S(9));
        assert_eq!(deadlines.of(S(1)), Some(at(190)));
        assert_eq!(
            (deadlines.due(at(100)), deadlines.next()),
            (vec![], at(190))
        );
        deadlines.arm(at(150), S(1), 10);
        assert_eq!(
            (deadlines.next(), deadlines.due(at(160))),
            (at(160), vec![S(1)])
        );
    }

    #[test]
    fn a_stall_is_forgiven_to_all() {
        let mut deadlines = Deadlines::new();
        deadlines.arm(at(0), S(1), 100);
        deadlines.arm(at(0), S(2), 200);
        deadlines.extend_all(Span::from_ms(1_000));
        assert_eq!(deadlines.due(at(1_099)), []);
        deadlines.remove(S(1));
        assert_eq!(deadlines.due(at(1_200)), [S(2)]);
        deadlines.remove(S(2));
        assert_eq!(deadlines.next(), Time::NEVER);
    }
}

//! What arrives at a client of the simulator as an answer, held against what it was told before, and told to the
//! oracle. Of watches others know.

use alloc::format;

use super::{Client, Wire};
use crate::id::SessionId;
use crate::request::{Error, Reply, Request, Response};
use crate::sim::Invariant;
use crate::sim::clock::Since;
use crate::sim::oracle::{Answered, Verdict, broken};
use crate::time::Span;

impl Client {
    /// Checks an answer, and gives the core's number for what it answers.
    pub(super) fn returned(
        &mut self,
        wire: &mut Wire<'_>,
        tag: u64,
        reply: &Reply,
    ) -> Verdict<u64> {
        let Some(pending) = self.pending.pop_front() else {
            let text = format!("an answer to call {tag}, which waits for none");
            return broken(Invariant::Answers, text);
        };
        if pending.tag != tag {
            let text = format!("call {tag} was answered before call {}", pending.tag);
            return broken(Invariant::Answers, text);
        }
        if let Request::Connect(connect) = &pending.request {
            self.connected(wire, connect.session, pending.since, reply)?;
            return Ok(pending.of);
        }
        if reply.zxid < self.last_zxid {
            let text = format!(
                "an answer shows {} after {} was seen",
                reply.zxid, self.last_zxid
            );
            return broken(Invariant::MonotonicClients, text);
        }
        self.last_zxid = reply.zxid;
        if reply.result.is_ok() && matches!(pending.request, Request::Write(_) | Request::Multi(_))
        {
            self.contact = Some(pending.since);
        }
        self.watches.answered(&pending.request, reply)?;
        self.lasting.answered(&pending.request, reply)?;
        if pending.request == Request::Close {
            if reply.result.is_ok() {
                wire.oracle.ended(self.core.session(), reply.zxid);
            }
        } else if let Some(worker) = &self.worker {
            // A change may have been made when it was first asked for; a read is made anew.
            let (asked, after) = match pending.request {
                Request::Write(_) | Request::Multi(_) => pending.first,
                _ => (pending.since, pending.after),
            };
            wire.oracle.answer(&Answered {
                client: self.id,
                tag,
                session: self.core.session(),
                who: worker.who(),
                asked,
                after,
                now: wire.now,
                clocks: wire.clocks,
                request: &pending.request,
                reply,
            })?;
        }
        Ok(pending.of)
    }

    fn connected(
        &mut self,
        wire: &mut Wire<'_>,
        asked: SessionId,
        since: Since,
        reply: &Reply,
    ) -> Verdict {
        match &reply.result {
            Ok(Response::Connected {
                session,
                timeout_ms,
                ..
            }) => {
                if asked != SessionId(0) && asked != *session {
                    let text = format!("asked for session {asked} and got {session}");
                    return broken(Invariant::Answers, text);
                }
                if reply.zxid < self.last_zxid {
                    let text = format!(
                        "attached at {} after {} was seen",
                        reply.zxid, self.last_zxid
                    );
                    return broken(Invariant::MonotonicClients, text);
                }
                self.timeout = Span::from_ms(u64::from(*timeout_ms));
                self.contact = Some(since);
                self.last_zxid = reply.zxid;
                Ok(())
            }
            Ok(Response::Expired) => {
                wire.oracle.ended(asked, reply.zxid);
                let early = self
                    .contact
                    .is_some_and(|contact| wire.clocks.is_sooner(contact, wire.now, self.timeout));
                if early && asked != SessionId(0) {
                    let text = format!("session {asked} expired before its timeout");
                    return broken(Invariant::SessionsKept, text);
                }
                Ok(())
            }
            Err(Error::SessionExpired | Error::SessionMoved) => Ok(()),
            other => broken(
                Invariant::Answers,
                format!("a connect was answered by {other:?}"),
            ),
        }
    }
}

//! Read-only mode (protocol section 17): a server that has had no leader for too long serves what it has to
//! those who said that this will do. Their sessions are known to this node alone, and end when there is a
//! leader again.

use alloc::vec::Vec;

use super::ConnState;
use super::line::What;
use crate::id::{ConnId, SessionId};
use crate::node::Node;
use crate::node::io::Output;
use crate::request::{Connect, Error, Hangup, Reply, Request, Response};

/// Ids of such sessions begin here: those of others are indexes of the log, which never come so far.
const FIRST: u64 = 1 << 62;

impl Node {
    /// Whether this client is served although there is no leader. One with a session is not: whether that
    /// still lives nobody here can know.
    pub(super) fn may_read_only(&self, connect: &Connect) -> bool {
        self.config.read_only_mode && connect.read_only && connect.session == SessionId(0)
    }

    pub(super) fn open_read_only(
        &mut self,
        conn: ConnId,
        tag: u64,
        timeout_ms: u32,
        out: &mut Vec<Output>,
    ) {
        let origin = self.next_origin();
        // Another life of this node begins elsewhere.
        let session = SessionId(FIRST | ((origin.incarnation << 32 | origin.ticket) % FIRST));
        let Some(client) = self.clients.conns.get_mut(&conn) else {
            return;
        };
        client.state = ConnState::ReadOnly { session };
        self.clients.read_only.insert(conn);
        let result = Ok(Response::Connected {
            session,
            password: [0; 16],
            timeout_ms,
            read_only: true,
        });
        let reply = Reply {
            zxid: self.applied.index,
            result,
        };
        out.push(Output::Reply { conn, tag, reply });
    }

    pub(super) fn read_only_request(
        &mut self,
        conn: ConnId,
        tag: u64,
        request: Request,
        out: &mut Vec<Output>,
    ) {
        let Some(client) = self.clients.conns.get(&conn) else {
            return;
        };
        let (enough, ids) = (client.ids.suffice(&self.config), client.ids.clone());
        let zxid = self.applied.index;
        let answered = |result| What::Answered(Reply { zxid, result });
        let what = match request {
            Request::Auth { scheme, proof } => return self.prove(conn, tag, &scheme, &proof, out),
            _ if !enough => {
                return self.part(conn, tag, Error::SessionClosedRequireSaslAuth, out);
            }
            Request::WhoAmI => What::Known(Ok(ids.named())),
            Request::Read(read) => What::Read(ids, read),
            Request::Ping => What::Ping,
            Request::Close => {
                self.wait(conn, tag, answered(Ok(Response::Closed)), out);
                return self.hang_up(conn, Hangup::Closed, out);
            }
            Request::Connect(_) => return self.hang_up(conn, Hangup::Refused, out),
            Request::Write(_)
            | Request::Multi(_)
            | Request::Once(_)
            | Request::Reconfig(_)
            | Request::Sync { .. }
            | Request::Latest(_) => answered(Err(Error::NotReadOnly)),
            Request::List(list) if list.latest => answered(Err(Error::NotReadOnly)),
            local => What::Local(ids, local),
        };
        self.wait(conn, tag, what, out);
    }

    /// Without a leader: all go but those that are served reads only, and those that have not said yet what
    /// they want.
    pub(super) fn keep_read_only(&mut self, out: &mut Vec<Output>) {
        let goes = |state| {
            matches!(
                state,
                ConnState::Attaching { .. } | ConnState::Attached { .. }
            )
        };
        let conns = &self.clients.conns;
        let gone: Vec<ConnId> = conns
            .iter()
            .filter(|(_, client)| goes(client.state))
            .map(|(conn, _)| *conn)
            .collect();
        for conn in gone {
            self.hang_up(conn, Hangup::Leaderless, out);
        }
    }

    /// There is a leader: their clients get a session that counts.
    pub(super) fn end_read_only(&mut self, out: &mut Vec<Output>) {
        while let Some(conn) = self.clients.read_only.first().copied() {
            self.hang_up(conn, Hangup::ReadOnlyOver, out);
        }
    }

    /// Whether it serves reads only, to those who ask for no more.
    pub(in crate::node) fn is_read_only(&self) -> bool {
        self.config.read_only_mode && self.is_leaderless()
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use crate::id::{Index, NodeId, SessionId};
    use crate::node::Hangup;
    use crate::node::tests::{Alone, Heard, hello, op, read, write};
    use crate::request::{Connect, Error, ReadKind, Request, Response};

    /// A node that led for a while, comes back from its disk, and finds no majority.
    fn cut_off(mode: bool) -> Alone {
        let mut alone = Alone::new();
        let (conn, ..) = alone.open();
        alone.ask(conn, write("create /a")).unwrap();
        alone.restart_among(vec![NodeId(1), NodeId(2), NodeId(3)], |config| {
            config.read_only_mode = mode;
        });
        alone.pass(3_000);
        alone
    }

    fn modest() -> Connect {
        Connect {
            read_only: true,
            ..hello()
        }
    }

    /// Conformance: read-only mode, section 17.
    #[test]
    fn section_17_reads_work_and_all_else_is_refused() {
        let mut alone = cut_off(true);
        let conn = alone.dial();
        let Ok(Response::Connected {
            session, read_only, ..
        }) = alone.ask(conn, Request::Connect(modest()))
        else {
            panic!("refused")
        };
        assert!(read_only && session.0 >> 62 == 1);
        assert_eq!(alone.ask(conn, Request::Ping), Ok(Response::Pong));
        let get = read(ReadKind::Data, "/", true);
        assert!(matches!(alone.ask(conn, get), Ok(Response::Data { .. })));
        assert_eq!(alone.node.view().watches().len(), 1);
        for request in [
            write("create /b"),
            Request::Multi(vec![op("delete /a")]),
            Request::Sync { path: "/".into() },
        ] {
            assert_eq!(alone.ask(conn, request), Err(Error::NotReadOnly));
        }
        assert_eq!(alone.ask(conn, Request::Close), Ok(Response::Closed));
        assert_eq!(alone.heard, [Heard::Bye(conn, Hangup::Closed)]);
    }

    #[test]
    fn section_17_only_who_asks_for_it_and_has_no_session() {
        let mut alone = cut_off(true);
        for connect in [
            hello(),
            Connect {
                session: SessionId(9),
                ..modest()
            },
        ] {
            let conn = alone.dial();
            alone.send(conn, Request::Connect(connect));
            assert_eq!(alone.heard, [Heard::Bye(conn, Hangup::Leaderless)]);
            alone.heard.clear();
        }
        let conn = alone.dial();
        let ahead = Connect {
            last_zxid: Index(1 << 40),
            ..modest()
        };
        alone.send(conn, Request::Connect(ahead));
        assert_eq!(alone.heard, [Heard::Bye(conn, Hangup::Behind)]);
    }

    /// Rule R16 and trap 22: who has no leader serves nobody, unless it was told to.
    #[test]
    fn trap_22_without_the_mode_nobody_is_served() {
        let mut alone = cut_off(false);
        let conn = alone.dial();
        assert_eq!(alone.heard, [Heard::Bye(conn, Hangup::Leaderless)]);
    }
}

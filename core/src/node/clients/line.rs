//! The order of answers on a connection: what was asked waits in line until everything before it has been
//! answered. A write waits to be applied, a read that must see the latest state for its confirmation; the
//! rest can be answered as soon as it stands first. What is written, and how it is applied, is not known here.

use alloc::string::String;
use alloc::vec::Vec;

use super::{Clients, ConnState};
use crate::id::{ConnId, Index, SessionId};
use crate::node::Node;
use crate::node::access::Identities;
use crate::node::io::{Note, Output, ReadNow};
use crate::request::{Error, Hangup, List, Read, Reply, Request, Response};

#[derive(Clone)]
pub(super) struct Waiting {
    pub(super) tag: u64,
    pub(super) what: What,
}

#[derive(Clone)]
pub(super) enum What {
    Write(u64),
    Read(Identities, Read),
    /// A read that sees everything acknowledged before it, with the number of its confirmation.
    Latest(u64, Identities, Read),
    Sync(u64, String),
    /// A page that sees everything acknowledged before it.
    LatestList(u64, Identities, List),
    /// What concerns this connection or this state alone.
    Local(Identities, Request),
    Ping,
    /// The answer was known when the request came, and must only wait for its turn.
    Known(Result<Response, Error>),
    /// The same, and the connection goes with it.
    Parting(Error),
    /// Applied, with this answer, while a change of the members before it was pending.
    Answered(Reply),
}

impl What {
    /// Whether it can be answered once it stands first.
    const fn is_ready(&self, passed: u64) -> bool {
        match self {
            Self::Write(_) => false,
            Self::Read(..)
            | Self::Local(..)
            | Self::Ping
            | Self::Known(_)
            | Self::Parting(_)
            | Self::Answered(_) => true,
            Self::Latest(number, ..) | Self::LatestList(number, ..) | Self::Sync(number, _) => {
                *number <= passed
            }
        }
    }
}

impl Clients {
    /// Reads up to this number may be answered once `index` has been applied.
    pub(in crate::node) fn confirmed(&mut self, number: u64, index: Index) {
        self.confirmed.push_back((number, index));
    }

    /// Takes what stands first on a connection if it can be answered now, with the connection's session.
    fn next_ready(&mut self, conn: ConnId) -> Option<(SessionId, Waiting)> {
        let passed = self.passed;
        let client = self.conns.get_mut(&conn)?;
        let session = client.state.session()?;
        let is_ready = |waiting: &mut Waiting| waiting.what.is_ready(passed);
        Some((session, client.waiting.pop_front_if(is_ready)?))
    }
}

impl Node {
    /// Answers a read that nothing stands before, and that leaves nothing behind (rule R1).
    pub(in crate::node) fn read_now(&self, conn: ConnId, request: &Request) -> ReadNow {
        let Some(client) = self.clients.conns.get(&conn) else {
            return ReadNow::Later;
        };
        let (ConnState::Attached { session, .. } | ConnState::ReadOnly { session }) = client.state
        else {
            return ReadNow::Later;
        };
        if !client.waiting.is_empty() || !client.ids.suffice(&self.config) || self.halted {
            return ReadNow::Later;
        }
        let ids = client.ids.all();
        let result = match request {
            Request::Read(read) if !read.watch => self.look(session, read, ids),
            Request::MultiRead(reads) => Ok(self.multi_read(session, reads, ids)),
            Request::List(list) if !list.latest => self.list(list, ids),
            Request::Explain(subject) => self.explain(subject, ids),
            Request::Ping => Ok(Response::Pong),
            _ => return ReadNow::Later,
        };
        ReadNow::Now(Reply {
            zxid: self.applied.index,
            result,
        })
    }

    pub(super) fn wait(&mut self, conn: ConnId, tag: u64, what: What, out: &mut Vec<Output>) {
        let Some(client) = self.clients.conns.get_mut(&conn) else {
            return;
        };
        client.waiting.push_back(Waiting { tag, what });
        self.serve(conn, out);
    }

    /// The number of a confirmation that begins now. All that are asked for in one step share it.
    pub(super) fn barrier(&mut self, conn: ConnId) -> u64 {
        let number = self.raft.begin_read(self.now);
        self.clients.barriers.push_back((number, conn));
        number
    }

    /// Answers the reads whose confirmation this node has caught up with.
    pub(in crate::node) fn serve_confirmed(&mut self, out: &mut Vec<Output>) {
        let applied = self.applied.index;
        let clients = &mut self.clients;
        while let Some((number, _)) = clients
            .confirmed
            .pop_front_if(|(_, index)| *index <= applied)
        {
            clients.passed = number;
        }
        let passed = clients.passed;
        while let Some((_, conn)) = self
            .clients
            .barriers
            .pop_front_if(|(number, _)| *number <= passed)
        {
            self.serve(conn, out);
        }
    }

    /// Answers what stands first on a connection, up to the next write.
    pub(super) fn serve(&mut self, conn: ConnId, out: &mut Vec<Output>) {
        let zxid = self.applied.index;
        while let Some((session, Waiting { tag, what })) = self.clients.next_ready(conn) {
            let result = match what {
                What::Answered(reply) => {
                    out.push(Output::Reply { conn, tag, reply });
                    continue;
                }
                What::Sync(_, path) => Ok(Response::Synced { path }),
                What::Read(ids, read) | What::Latest(_, ids, read) => {
                    let result = self.read_and_watch(conn, session, &read, ids.all());
                    if self.config.notes {
                        out.push(Output::Note(Note::ReadServed { conn, zxid }));
                    }
                    result
                }
                What::Known(result) => result,
                What::Parting(error) => {
                    let result = Err(error);
                    let reply = Reply { zxid, result };
                    out.push(Output::Reply { conn, tag, reply });
                    return self.hang_up(conn, Hangup::AuthFailed, out);
                }
                What::LatestList(_, ids, list) => self.list(&list, ids.all()),
                What::Local(ids, request) => {
                    self.answer_local(conn, session, request, ids.all(), out)
                }
                What::Ping | What::Write(_) => Ok(Response::Pong),
            };
            out.push(Output::Reply {
                conn,
                tag,
                reply: Reply { zxid, result },
            });
        }
    }
}

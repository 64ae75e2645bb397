//! The writes of a connection: each gets the next number of its attachment, becomes a command, and is
//! answered once that has been applied.

use alloc::vec::Vec;

use super::ConnState;
use super::line::{Waiting, What};
use super::pending::PendingOf;
use crate::command::{Command, WriteRequest};
use crate::id::{ConnId, Index, SessionId};
use crate::node::Node;
use crate::node::io::Output;
use crate::request::{Error, Hangup, Reply, Response};
use crate::wire;

/// What a command has beside the request and who asks: some numbers.
const BESIDE_REQUEST: usize = 256;

impl Node {
    pub(super) fn write(
        &mut self,
        conn: ConnId,
        session: SessionId,
        epoch: Index,
        tag: u64,
        request: WriteRequest,
        out: &mut Vec<Output>,
    ) {
        let Some(client) = self.clients.conns.get_mut(&conn) else {
            return;
        };
        let number = client.numbered + 1;
        let closes = matches!(request, WriteRequest::Close);
        let ids = client.ids.all().to_vec();
        let names = ids.iter().map(|id| id.scheme.len() + id.id.len() + 8);
        let beside = names.sum::<usize>() + BESIDE_REQUEST;
        let command = wire::encode_command(&Command::Write {
            session,
            epoch,
            number,
            ids,
            request,
        });
        // ZooKeeper's clients could not read what they cannot write.
        if self.config.request_bytes as usize + beside < command.len() {
            let zxid = self.applied.index;
            let result = Err(Error::MarshallingError);
            return self.wait(conn, tag, What::Answered(Reply { zxid, result }), out);
        }
        // The end of a session frees memory: it is always taken.
        let bytes = self.clients.pending_bytes + command.len() as u64;
        if self.config.pending_bytes < bytes && 0 < self.clients.pending_bytes && !closes {
            let zxid = self.applied.index;
            let result = Err(Error::ThrottledOp);
            return self.wait(conn, tag, What::Answered(Reply { zxid, result }), out);
        }
        client.numbered = number;
        client.waiting.push_back(Waiting {
            tag,
            what: What::Write(number),
        });
        self.clients
            .queue(PendingOf::Write { conn, number }, command);
    }

    /// A write was applied; whoever waits for it on this node is answered.
    pub(in crate::node) fn wrote(
        &mut self,
        session: SessionId,
        epoch: Index,
        number: u64,
        result: Result<Response, Error>,
        out: &mut Vec<Output>,
    ) {
        let Some(&conn) = self.clients.serving.get(&session) else {
            return;
        };
        let Some(client) = self.clients.conns.get_mut(&conn) else {
            return;
        };
        if client.state != (ConnState::Attached { session, epoch })
            && client.state != (ConnState::Parting { session, epoch })
        {
            return;
        }
        let closed = matches!(result, Ok(Response::Closed));
        // Numbers are applied in order and reads wait behind writes, so this write is the first in line;
        // unless a change of the members, which is answered late, is before it.
        let is_it = |waiting: &&mut Waiting| matches!(waiting.what, What::Write(n) if n == number);
        let zxid = self.applied.index;
        if let Some(waiting) = client.waiting.iter_mut().find(is_it) {
            waiting.what = What::Answered(Reply { zxid, result });
        }
        self.serve(conn, out);
        self.clients.settle(
            PendingOf::Write { conn, number },
            self.now,
            self.config.retry,
        );
        if closed {
            self.hang_up(conn, Hangup::Closed, out);
        }
    }
}

//! Auth packets on a connection, and the end of one that could not prove who it is.

use alloc::vec::Vec;

use super::ConnState;
use super::line::What;
use crate::id::{ConnId, Index};
use crate::node::Node;
use crate::node::io::Output;
use crate::request::{Error, Response};

impl Node {
    /// An auth packet. The answer keeps its turn, but what it proves counts from here on.
    pub(super) fn prove(
        &mut self,
        conn: ConnId,
        tag: u64,
        scheme: &str,
        proof: &[u8],
        out: &mut Vec<Output>,
    ) {
        let Some(client) = self.clients.conns.get_mut(&conn) else {
            return;
        };
        match client.ids.prove(scheme, proof, &self.config) {
            Ok(()) => self.wait(conn, tag, What::Known(Ok(Response::Authenticated)), out),
            Err(error) => self.part(conn, tag, error, out),
        }
    }

    /// Takes nothing more from a connection. It goes with the answer to this request.
    pub(super) fn part(&mut self, conn: ConnId, tag: u64, error: Error, out: &mut Vec<Output>) {
        let Some(client) = self.clients.conns.get_mut(&conn) else {
            return;
        };
        let (session, epoch) = match client.state {
            ConnState::Attached { session, epoch } => (session, epoch),
            ConnState::ReadOnly { session } => (session, Index(0)),
            _ => return,
        };
        client.state = ConnState::Parting { session, epoch };
        self.wait(conn, tag, What::Parting(error), out);
    }
}

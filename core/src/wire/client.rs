//! Binary frames of a client's WebSocket: postcard behind the version byte, one frame a message.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{WireError, decoded, encoded};
use crate::request::{Hangup, Reply, Request, WatchEvent};

/// From client to server.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ClientFrame {
    /// The client's mark; it comes back with the answer.
    pub id: u64,
    /// What is asked.
    pub request: Request,
}

/// From server to client.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ServerFrame {
    /// The answer to the request with this mark.
    Reply {
        /// The mark.
        id: u64,
        /// The answer.
        reply: Reply,
    },
    /// A watch fired.
    Event(WatchEvent),
    /// The server closes the connection, and why.
    Bye(Hangup),
}

/// A frame for the server.
#[must_use]
pub fn encode_client(frame: &ClientFrame) -> Bytes {
    encoded(frame)
}

/// The opposite of `encode_client`.
///
/// # Errors
/// If the bytes are no such frame.
pub fn decode_client(bytes: &[u8]) -> Result<ClientFrame, WireError> {
    decoded(bytes)
}

/// A frame for the client.
#[must_use]
pub fn encode_server(frame: &ServerFrame) -> Bytes {
    encoded(frame)
}

/// The opposite of `encode_server`.
///
/// # Errors
/// If the bytes are no such frame.
pub fn decode_server(bytes: &[u8]) -> Result<ServerFrame, WireError> {
    decoded(bytes)
}

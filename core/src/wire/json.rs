//! Text frames of a client's WebSocket: the same requests and answers as JSON (rule R29).

use alloc::string::String;

use super::client::ServerFrame;
use crate::request::{Hangup, Reply, Request, WatchEvent};

/// Why a text is no request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JsonError {
    /// The request's id, if that much could be read.
    pub id: Option<u64>,
    /// What is wrong, for the person who wrote it.
    pub message: String,
}

/// Reads a request and its id.
///
/// # Errors
/// If the text is no request; `encode_refusal` answers it.
pub fn decode_request(text: &str) -> Result<(u64, Request), JsonError> {
    let _ = text;
    todo!()
}

/// A request, as a client sends it.
#[must_use]
pub fn encode_request(id: u64, request: &Request) -> String {
    let _ = (id, request);
    todo!()
}

/// The answer to a request.
#[must_use]
pub fn encode_reply(id: u64, reply: &Reply) -> String {
    let _ = (id, reply);
    todo!()
}

/// The answer to a text that is no request.
#[must_use]
pub fn encode_refusal(error: &JsonError) -> String {
    let _ = error;
    todo!()
}

/// A watch that fired.
#[must_use]
pub fn encode_event(event: &WatchEvent) -> String {
    let _ = event;
    todo!()
}

/// The server closes the connection, and why.
#[must_use]
pub fn encode_bye(reason: Hangup) -> String {
    let _ = reason;
    todo!()
}

/// What a server sent, as a client reads it.
///
/// # Errors
/// If the text is nothing that a server says.
pub fn decode_server(text: &str) -> Result<ServerFrame, JsonError> {
    let _ = text;
    todo!()
}

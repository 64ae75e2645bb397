//! Bytes: the only place in the core where they are made and read. Every decoder is total: any bytes
//! give a value or an error, never a panic, never an allocation larger than the input allows.
//!
//! Everything starts with a version byte (rule R28). Types are frozen per version: fields and variants
//! of version 1 keep their order for ever, which golden bytes in the tests check.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;
use postcard::ser_flavors::{Flavor, Size};
use serde::{Deserialize, Serialize};

use crate::command::Command;
use crate::configuration::Configuration;
use crate::message::Message;
use crate::raft::message::{Entry, SnapshotMeta, Vote};

pub mod client;
pub mod json;
pub mod snapshot;
pub mod trace;

pub use snapshot::Rebuild;

/// The version that is written, and so far the only one that is read.
pub const VERSION: u8 = 1;

/// Why bytes could not be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WireError {
    /// Not the end of anything: there must be at least a version.
    Empty,
    /// Written by another version of the program.
    Version(u8),
    /// The bytes are not what they should be.
    Malformed,
    /// There is something behind the end.
    Trailing,
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("no bytes"),
            Self::Version(version) => {
                write!(
                    f,
                    "format version {version}, this program knows only {VERSION}"
                )
            }
            Self::Malformed => f.write_str("malformed bytes"),
            Self::Trailing => f.write_str("bytes behind the end"),
        }
    }
}

impl core::error::Error for WireError {}

/// A message from node to node.
#[must_use]
pub fn encode_message(message: &Message) -> Bytes {
    encoded(message)
}

/// The opposite of `encode_message`.
///
/// # Errors
/// If the bytes are no message.
pub fn decode_message(bytes: &[u8]) -> Result<Message, WireError> {
    decoded(bytes)
}

/// A command, as it lies in the log.
#[must_use]
pub fn encode_command(command: &Command) -> Bytes {
    encoded(command)
}

/// The opposite of `encode_command`.
///
/// # Errors
/// If the bytes are no command.
pub fn decode_command(bytes: &[u8]) -> Result<Command, WireError> {
    decoded(bytes)
}

/// Appends a log entry, as it lies in the write-ahead log.
pub fn encode_entry(entry: &Entry, out: &mut Vec<u8>) {
    encode(entry, out);
}

/// The opposite of `encode_entry`.
///
/// # Errors
/// If the bytes are no entry.
pub fn decode_entry(bytes: &[u8]) -> Result<Entry, WireError> {
    decoded(bytes)
}

/// Appends the description of a snapshot.
pub fn encode_meta(meta: &SnapshotMeta, out: &mut Vec<u8>) {
    encode(meta, out);
}

/// The opposite of `encode_meta`.
///
/// # Errors
/// If the bytes are no description of a snapshot.
pub fn decode_meta(bytes: &[u8]) -> Result<SnapshotMeta, WireError> {
    decoded(bytes)
}

/// Who is a member, as it lies in the write-ahead log.
#[must_use]
pub fn encode_configuration(configuration: &Configuration) -> Bytes {
    encoded(configuration)
}

/// The opposite of `encode_configuration`.
///
/// # Errors
/// If the bytes are no configuration.
pub fn decode_configuration(bytes: &[u8]) -> Result<Configuration, WireError> {
    decoded(bytes)
}

/// Appends a term and vote.
pub fn encode_vote(vote: &Vote, out: &mut Vec<u8>) {
    encode(vote, out);
}

/// The opposite of `encode_vote`.
///
/// # Errors
/// If the bytes are no vote.
pub fn decode_vote(bytes: &[u8]) -> Result<Vote, WireError> {
    decoded(bytes)
}

/// Bytes as text, as a digest's password is stored.
pub(crate) fn to_text(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// The version byte and then the value.
pub(crate) fn encode<T: Serialize>(value: &T, out: &mut Vec<u8>) {
    out.push(VERSION);
    let end = postcard::serialize_with_flavor(value, Append(out));
    // Fails only if a value refuses to be serialised or a sequence hides its length; ours do neither.
    debug_assert!(end.is_ok());
}

/// In memory of exactly its length: a command stays in the log for long, and a buffer that grew would keep up to
/// as much again.
fn encoded<T: Serialize>(value: &T) -> Bytes {
    let body = postcard::serialize_with_flavor(value, Size::default()).unwrap_or_default();
    let mut out = Vec::with_capacity(1 + body);
    encode(value, &mut out);
    out.into()
}

/// The opposite of `encode`; all bytes must be used.
pub(crate) fn decoded<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, WireError> {
    let (&version, body) = bytes.split_first().ok_or(WireError::Empty)?;
    if version != VERSION {
        return Err(WireError::Version(version));
    }
    let (value, rest) = postcard::take_from_bytes(body).map_err(|_| WireError::Malformed)?;
    if rest.is_empty() {
        Ok(value)
    } else {
        Err(WireError::Trailing)
    }
}

/// Lets postcard append to a vector that is already there.
struct Append<'a>(&'a mut Vec<u8>);

impl Flavor for Append<'_> {
    type Output = ();

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

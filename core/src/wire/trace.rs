//! Bytes of a trace file: the version, then postcard. A file is hostile input: it may come from a
//! stranger, so reading it is total.

use alloc::vec::Vec;

use super::{WireError, decoded, encode};
use crate::trace::Trace;

/// A trace as a file.
#[must_use]
pub fn encode_trace(trace: &Trace) -> Vec<u8> {
    let mut out = Vec::new();
    encode(trace, &mut out);
    out
}

/// A file as a trace.
///
/// # Errors
/// If it is of another version, damaged, or has something behind its end.
pub fn decode_trace(bytes: &[u8]) -> Result<Trace, WireError> {
    decoded(bytes)
}

//! Snapshots: the state of a machine in parts. A snapshot is a clone of the machine; its parts are made
//! when they are asked for. Each can be read alone, and the same state gives the same parts everywhere.

use bytes::Bytes;

use super::WireError;
use crate::machine::Machine;

impl Machine {
    /// The part that begins behind `cursor`, of about `limit_bytes`, and the cursor behind it; `None` after
    /// the last one. An empty cursor begins.
    #[must_use]
    pub fn part(&self, cursor: &[u8], limit_bytes: u64) -> (Bytes, Option<Bytes>) {
        let _ = (cursor, limit_bytes);
        todo!()
    }
}

/// A machine on the way from its parts.
#[derive(Clone)]
pub struct Rebuild {}

impl Rebuild {
    /// Before the first part.
    #[must_use]
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Self {}
    }

    /// Takes the next part.
    ///
    /// # Errors
    /// If it is no part, or not the next one.
    pub fn add(&mut self, part: &[u8]) -> Result<(), WireError> {
        let _ = part;
        todo!()
    }

    /// The machine, if all parts were there.
    ///
    /// # Errors
    /// If something is missing or the digest differs.
    pub fn finish(self) -> Result<Machine, WireError> {
        todo!()
    }
}

//! The coordination service: applies commands to znodes and sessions, and answers reads. Every replica
//! that applies the same commands at the same indexes is in the same state. Knows nothing of Raft.

use alloc::string::String;
use alloc::vec::Vec;

use crate::command::{Applied, Change, Command};
use crate::id::{Index, SessionId};
use crate::request::{Error, Read, Response};
use crate::session::Session;
use crate::time::Time;
use crate::tree::Tree;

/// The replicated state. A clone shares everything and costs next to nothing.
#[derive(Clone)]
pub struct Machine {
    tree: Tree,
}

impl Machine {
    /// The state before the first command: the four znodes of the system.
    #[must_use]
    pub fn new() -> Self {
        todo!()
    }

    /// Runs the command of the entry at `index`, whose stamp is `stamp`. Total: any command gives a
    /// result. The changes of the tree are appended to `changes`.
    pub fn apply(
        &mut self,
        index: Index,
        stamp: Time,
        command: &Command,
        changes: &mut Vec<Change>,
    ) -> Applied {
        let _ = (index, stamp, command, changes);
        todo!()
    }

    /// Whether `Command::Init` has been applied.
    #[must_use]
    pub fn initialised(&self) -> bool {
        todo!()
    }

    /// The feature level of the replicated state; 0 before `Command::Init`.
    #[must_use]
    pub fn features(&self) -> u32 {
        todo!()
    }

    /// Answers a read from this state.
    ///
    /// # Errors
    /// `NoNode`, or `BadArguments` for a path that cannot be one.
    pub fn read(&self, read: &Read) -> Result<Response, Error> {
        let _ = read;
        todo!()
    }

    /// The live sessions, by id.
    pub fn sessions(&self) -> impl Iterator<Item = (SessionId, &Session)> {
        core::iter::empty()
    }

    /// A live session.
    #[must_use]
    pub fn session(&self, id: SessionId) -> Option<&Session> {
        let _ = id;
        todo!()
    }

    /// The paths of a session's ephemeral znodes, in byte order.
    pub fn ephemerals(&self, id: SessionId) -> impl Iterator<Item = &str> {
        let _ = (id, String::new());
        core::iter::empty()
    }

    /// The znodes.
    #[must_use]
    pub const fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Hash of the whole replicated state, kept up to date by `apply`.
    #[must_use]
    pub fn digest(&self) -> u64 {
        todo!()
    }
}

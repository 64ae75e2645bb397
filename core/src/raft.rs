//! Raft: who leads, what is in the log, what is committed. Knows nothing of znodes, sessions or clients.

pub mod message;
pub mod note;

//! Otterkeeper's core: a coordination service on Raft as one deterministic state machine.
//!
//! The driver owns a [`node::Node`], and keeps five promises:
//!
//! 1. It calls `step(now, inputs, &mut out)` whenever something arrives and at the latest at
//!    `deadline()`. `now` does not decrease; writes reported and peer messages that are already there
//!    go into the same call as a due deadline.
//! 2. It carries out every output. Writes are done in the order of their numbers, and `Written(n)` says
//!    that all up to `n` are durable. A failed write is never reported and never retried: the process stops.
//! 3. Messages may be lost, repeated, delayed and reordered, but not altered.
//! 4. On one client connection, replies, events and hang-ups keep their order.
//! 5. After a crash, `Boot` is any state that the written records allow: all synced ones, then any
//!    prefix of the rest.
//!
//! In return the node never says anything to anybody that is not durable yet, and the same configuration,
//! boot image, entropy and inputs give the same outputs and digests on every target.

#![no_std]
#![warn(missing_docs)]

extern crate alloc;

pub mod acl;
pub mod client;
pub mod command;
pub mod config;
pub mod configuration;
pub mod halt;
pub mod hash;
pub mod id;
pub mod machine;
mod map;
pub mod message;
pub mod node;
pub mod path;
pub mod quota;
pub mod raft;
pub mod recipe;
pub mod request;
pub mod rng;
pub mod scenario;
pub mod session;
pub mod sim;
mod spine;
pub mod time;
pub mod trace;
pub mod tree;
pub mod watch;
pub mod wire;

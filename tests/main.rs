//! The one test binary of the workspace.

mod against;
mod busy;
mod cluster;
mod conformance;
mod counting;
mod crash;
mod explore;
mod foreign;
mod fuzzing;
mod golden;
mod kazoo;
mod lesson;
mod limits;
mod linear;
mod members;
mod mutant;
mod pipeline;
mod protocol;
mod recipe;
mod replay;
mod script;
mod swarm;
mod tidy;
mod tree_size;
mod upgrade;
mod wasm;

//! The one test binary of the workspace.

mod crash;
mod replay;
mod swarm;
mod tidy;
mod tree_size;

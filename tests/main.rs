//! The one test binary of the workspace.

mod replay;
mod swarm;
mod tree_size;

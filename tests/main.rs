//! The one test binary of the workspace.

mod replay;
mod swarm;

//! Harnesses that several test modules share.

pub mod fuzz;
pub mod process;

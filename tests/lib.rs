//! Harnesses that several test modules share.

pub mod process;

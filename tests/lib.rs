//! Harnesses that several test modules share.

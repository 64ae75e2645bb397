//! Otterkeeper outside the browser: the server that drives one node of the core on real clocks, disks
//! and sockets, and the command line.
//!
//! `driver` owns the node and knows neither bytes nor sockets; `wal`, `snapshots` and `disk` keep what it
//! writes; `peer` carries its messages; `http`, `zk` and `ws` bring its clients. The package is a library
//! so that tests reach the log, and a thin binary on top of it.

mod bench;
pub mod cli;
pub mod client;
pub mod config;
pub mod disk;
pub mod driver;
pub mod files;
pub mod http;
pub mod identity;
pub mod peer;
pub mod snapshots;
pub mod wal;
pub mod ws;
pub mod zk;

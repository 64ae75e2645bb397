//! `otterkeeper elect`: runs a command on one of several machines, and on another one when that fails. An
//! election is a lock, as kazoo has it.

use std::process::ExitCode;

use otterkeeper_core::recipe::lock::{Kind, Lock};

use crate::client::unique;

use super::lock::{Guarded, name, place};
use super::remote::Remote;

/// Run a command as the leader: on one machine at a time.
///
/// Waits until this candidate leads, and runs the command until it ends or the lead is lost (exit code 125).
/// Run it in a loop, or under a supervisor, to stand again.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    remote: Remote,
    /// The election: a path, or a name below /elections.
    #[arg(value_name = "NAME", value_parser = |text: &str| place("/elections", text))]
    path: String,
    // After the name, as on the command line.
    #[command(flatten)]
    guarded: Guarded,
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args {
        remote,
        guarded,
        path,
    } = args;
    remote.run(async |session| {
        let lock = Lock::new(&path, Kind::Exclusive, unique(), name());
        let mut lock = session.client.run(lock);
        guarded.run(session, &mut lock).await
    })
}

//! `otterkeeper serve`: one node of a cluster.

use std::process::ExitCode;

/// Run one node of a cluster.
#[derive(clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_args: Args) -> anyhow::Result<ExitCode> {
    Ok(ExitCode::SUCCESS)
}

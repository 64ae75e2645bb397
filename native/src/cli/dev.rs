//! `otterkeeper dev`: a throw-away cluster of real node processes on loopback.

use std::process::ExitCode;

/// Run a throw-away cluster of node processes on loopback.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How many nodes.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=9))]
    nodes: u8,
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let _ = args.nodes;
    Ok(ExitCode::SUCCESS)
}

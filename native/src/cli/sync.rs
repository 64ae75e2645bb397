//! `otterkeeper sync`: a barrier.

use std::process::ExitCode;

use otterkeeper_core::request::Request;

use super::remote::{Remote, znode};

/// Wait until the server has everything that was committed before.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    remote: Remote,
    #[arg(value_parser = znode, default_value = "/")]
    path: String,
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args { remote, path } = args;
    remote.run(async |session| {
        session
            .ask(&path, Request::Sync { path: path.clone() })
            .await?;
        Ok(())
    })
}

//! `otterkeeper delete`: removes a znode.

use std::process::ExitCode;

use otterkeeper_core::request::{Op, Request};

use super::remote::{Remote, znode};

/// Remove a znode that has no children.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    remote: Remote,
    /// Only if its data has this version.
    #[arg(short = 'v', value_name = "VERSION", default_value_t = -1, allow_negative_numbers = true)]
    version: i32,
    #[arg(value_parser = znode)]
    path: String,
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args {
        remote,
        version,
        path,
    } = args;
    remote.run(async |session| {
        let delete = Op::Delete {
            path: path.clone(),
            version,
        };
        session.ask(&path, Request::Write(delete)).await?;
        Ok(())
    })
}

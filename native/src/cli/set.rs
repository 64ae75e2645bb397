//! `otterkeeper set`: new data for a znode.

use std::process::ExitCode;

use otterkeeper_core::request::{Op, Request, Response};

use super::remote::{Remote, znode};

/// Replace a znode's data.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    remote: Remote,
    /// Print the Stat afterwards.
    #[arg(short = 's')]
    stat: bool,
    /// Only if the data has this version.
    #[arg(short = 'v', value_name = "VERSION", default_value_t = -1, allow_negative_numbers = true)]
    version: i32,
    #[arg(value_parser = znode)]
    path: String,
    /// The new data.
    data: String,
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args {
        remote,
        stat: with_stat,
        version,
        path,
        data,
    } = args;
    remote.run(async |session| {
        let set = Op::SetData {
            path: path.clone(),
            data: Some(data.into()),
            version,
        };
        match session.ask(&path, Request::Write(set)).await? {
            Response::Stat(stat) if with_stat => session.show_stat(&stat),
            _ => Ok(()),
        }
    })
}

//! `otterkeeper get`: a znode's data.

use std::process::ExitCode;

use otterkeeper_core::request::{ReadKind, Response};

use super::remote::{Remote, znode};

/// Print a znode's data.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    remote: Remote,
    /// Print the Stat behind it.
    #[arg(short = 's')]
    stat: bool,
    /// Wait for the next change of the data, print what happened, and exit.
    #[arg(short = 'w')]
    watch: bool,
    /// The data alone, without a line feed behind it.
    #[arg(long, conflicts_with = "stat")]
    raw: bool,
    #[arg(value_parser = znode)]
    path: String,
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args {
        remote,
        stat: with_stat,
        watch,
        raw,
        path,
    } = args;
    remote.run(async |session| {
        if let Response::Data { data, stat } = session.read(ReadKind::Data, &path, watch).await? {
            session.show(data.as_deref().unwrap_or_default())?;
            if !raw {
                session.say("")?;
            }
            if with_stat {
                session.show_stat(&stat)?;
            }
        }
        if watch {
            session.await_event().await
        } else {
            Ok(())
        }
    })
}

//! `otterkeeper stat`: what is known of a znode.

use std::process::ExitCode;

use otterkeeper_core::request::{ReadKind, Response};

use super::remote::{Remote, znode};

/// Print a znode's Stat.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    remote: Remote,
    /// Wait for the next change, print what happened, and exit. The znode need not exist yet.
    #[arg(short = 'w')]
    watch: bool,
    #[arg(value_parser = znode)]
    path: String,
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args {
        remote,
        watch,
        path,
    } = args;
    remote.run(async |session| {
        match session.read(ReadKind::Exists, &path, watch).await {
            Ok(Response::Stat(stat)) => session.show_stat(&stat)?,
            Ok(_) => {}
            // The watch is left all the same: wait for the znode to be created.
            Err(_) if watch => session.say(format_args!("{path} does not exist"))?,
            Err(failure) => return Err(failure),
        }
        if watch {
            session.await_event().await
        } else {
            Ok(())
        }
    })
}

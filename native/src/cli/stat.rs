//! `stat`: what is known of a znode.

use otterkeeper_core::request::{Error, ReadKind, Response};

use super::remote::{Failure, Session, znode};

/// Print a znode's Stat.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Wait for the next change, print what happened, and exit; in the shell, say when it happens. The znode need
    /// not exist yet.
    #[arg(short = 'w')]
    watch: bool,
    #[arg(value_parser = znode)]
    path: String,
}

pub(crate) async fn run(args: Args, session: &mut Session<'_>) -> Result<(), Failure> {
    let Args { watch, path } = args;
    match session.read(ReadKind::Exists, &path, watch).await {
        Ok(Response::Stat(stat)) => session.show_stat(&stat)?,
        Ok(_) => {}
        // The watch is left all the same: wait for the znode to be created.
        Err(
            Failure::Refused {
                error: Error::NoNode,
                ..
            }
            | Failure::Answered {
                error: Error::NoNode,
            },
        ) if watch => session.say(format_args!("{path} does not exist"))?,
        Err(failure) => return Err(failure),
    }
    session.await_watch(watch).await
}

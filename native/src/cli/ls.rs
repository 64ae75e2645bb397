//! `ls` and `getAllChildrenNumber`: the names below a znode, and how many there are.

use otterkeeper_core::request::{Error, ReadKind, Response};
use serde_json::json;

use super::remote::{Failure, Session, znode};
use crate::client::explain;

/// List a znode's children, one a line.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Print the Stat of the znode behind them.
    #[arg(short = 's')]
    stat: bool,
    /// Wait for the next change of the children, print what happened, and exit. In the shell: say when it happens.
    #[arg(short = 'w')]
    watch: bool,
    /// The whole tree below the znode, with full paths.
    #[arg(short = 'R', conflicts_with_all = ["stat", "watch"])]
    recursive: bool,
    #[arg(value_parser = znode, default_value = "/")]
    path: String,
}

/// Count the znodes below one, at any depth.
#[derive(clap::Args)]
pub(crate) struct CountArgs {
    #[arg(value_parser = znode)]
    path: String,
}

pub(crate) async fn run(args: Args, session: &mut Session<'_>) -> Result<(), Failure> {
    if args.recursive {
        let (found, closed) = session.visible(&args.path).await?;
        for path in found {
            session.say_or(&path, &json!({ "path": path }))?;
        }
        let mut outcome = Ok(());
        for path in closed {
            let why = explain(Error::NoAuth, &path);
            outcome = Err(session.refused(Error::NoAuth, &why));
        }
        return outcome;
    }
    let read = session.read(ReadKind::Children, &args.path, args.watch);
    if let Response::Children { names, stat } = read.await? {
        for name in names {
            session.say(name)?;
        }
        if args.stat {
            session.show_stat(&stat)?;
        }
    }
    session.await_watch(args.watch).await
}

pub(crate) async fn run_count(args: CountArgs, session: &mut Session<'_>) -> Result<(), Failure> {
    let read = session.read(ReadKind::Descendants, &args.path, false);
    if let Response::Count(count) = read.await? {
        session.say(count)?;
    }
    Ok(())
}

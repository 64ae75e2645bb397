//! `otterkeeper ls`: the names below a znode.

use std::process::ExitCode;

use otterkeeper_core::request::{Error, ReadKind, Response};

use super::remote::{Failure, Remote, Session, znode};

/// List a znode's children, one a line.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    remote: Remote,
    /// Print the Stat of the znode behind them.
    #[arg(short = 's')]
    stat: bool,
    /// Wait for the next change of the children, print what happened, and exit.
    #[arg(short = 'w')]
    watch: bool,
    /// The whole tree below the znode, with full paths.
    #[arg(short = 'R', conflicts_with_all = ["stat", "watch"])]
    recursive: bool,
    #[arg(value_parser = znode, default_value = "/")]
    path: String,
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args {
        remote,
        stat: with_stat,
        watch,
        recursive,
        path,
    } = args;
    remote.run(async |session| {
        if recursive {
            return walk(session, path).await;
        }
        let kind = ReadKind::Children;
        if let Response::Children { names, stat } = session.read(kind, &path, watch).await? {
            for name in names {
                session.say(name)?;
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

/// Parents before children, siblings in order. What vanishes meanwhile is left out.
async fn walk(session: &mut Session<'_>, root: String) -> Result<(), Failure> {
    let mut ahead = vec![root.clone()];
    while let Some(path) = ahead.pop() {
        let names = match session.read(ReadKind::Children, &path, false).await {
            Ok(Response::Children { names, .. }) => names,
            Ok(_) => Vec::new(),
            Err(Failure::Refused {
                error: Error::NoNode,
                ..
            }) if path != root => continue,
            Err(failure) => return Err(failure),
        };
        session.say(&path)?;
        let parent = if path == "/" { "" } else { &path };
        ahead.extend(names.iter().rev().map(|name| format!("{parent}/{name}")));
    }
    Ok(())
}

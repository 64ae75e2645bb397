//! `otterkeeper watch`: prints what happens to a znode, or to it and all that is below it, again and again. The
//! watch stays; when the connection breaks, it is left again at the next server and tells what happened meanwhile,
//! or that this is not known.

use std::process::ExitCode;

use otterkeeper_core::id::Index;
use otterkeeper_core::request::{ReadKind, Request, Response, WatchMode};

use crate::client::Event;

use super::remote::{Failure, Remote, Session, stopped, znode};

/// Print the changes of a znode's data and children until Ctrl-C.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    remote: Remote,
    /// The changes of all that is below it too, each by its own path.
    #[arg(short = 'r', long, visible_short_alias = 'R')]
    recursive: bool,
    /// First those that happened behind this zxid, as a watch prints it.
    #[arg(long, value_name = "ZXID", value_parser = zxid)]
    since: Option<Index>,
    /// Exit after so many events.
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// The znode need not exist yet.
    #[arg(value_parser = znode)]
    path: String,
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args {
        remote,
        recursive,
        since,
        count,
        path,
    } = args;
    let mode = match recursive {
        true => WatchMode::Recursive,
        false => WatchMode::Persistent,
    };
    remote.run(async |session| {
        let mut watch = Lasting { path, mode, since };
        tokio::select! {
            () = stopped() => Ok(()),
            outcome = watch.follow(session, count.unwrap_or(u64::MAX)) => outcome,
        }
    })
}

struct Lasting {
    path: String,
    mode: WatchMode,
    /// All events up to here have been told.
    since: Option<Index>,
}

impl Lasting {
    async fn follow(&mut self, session: &mut Session<'_>, count: u64) -> Result<(), Failure> {
        self.leave(session).await?;
        let absent = match session.peek(ReadKind::Exists, &self.path).await {
            Ok(_) => "",
            Err(_) => ", which does not exist yet",
        };
        eprintln!(
            "watching {}{absent} on {}",
            self.path,
            session.client.server()
        );
        let mut left = count;
        loop {
            match session.next().await? {
                Event::Watch(event) => {
                    self.since = Some(event.zxid);
                    session.show_event(&event)?;
                    left -= 1;
                    if left == 0 {
                        return Ok(());
                    }
                }
                Event::Missed { path } => session.show_missed(&path)?,
                // The watch has gone with the session before.
                Event::Connected { resumed: false, .. } => {
                    eprintln!("another session at {}", session.client.server());
                    self.leave(session).await?;
                }
                event => session.mention(&event),
            }
        }
    }

    async fn leave(&self, session: &mut Session<'_>) -> Result<(), Failure> {
        let request = Request::AddWatch {
            path: self.path.clone(),
            mode: self.mode,
            since: self.since,
        };
        let answer = session.quiet(&self.path, request).await?;
        match answer {
            Response::Watching { complete: false } => session.show_missed(&self.path),
            _ => Ok(()),
        }
    }
}

fn zxid(text: &str) -> Result<Index, String> {
    let number = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    number
        .map(Index)
        .map_err(|_| "expected a zxid, as 0x1f or 31".into())
}

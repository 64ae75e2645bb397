//! `otterkeeper watch`: prints what happens to a znode, again and again. Watches fire once, so each is set
//! again when it has fired; when the connection breaks, the client leaves them again at the next server. When
//! the session has ended, what changed meanwhile is told from the Stat.

use std::process::ExitCode;

use otterkeeper_core::request::{EventKind, ReadKind, Response, Stat, WatchEvent};

use crate::client::Event;

use super::remote::{Failure, Remote, Session, stopped, znode};

/// Print the changes of a znode's data and children until Ctrl-C.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    remote: Remote,
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
        count,
        path,
    } = args;
    remote.run(async |session| {
        tokio::select! {
            () = stopped() => Ok(()),
            outcome = follow(session, &path, count.unwrap_or(u64::MAX)) => outcome,
        }
    })
}

async fn follow(session: &mut Session<'_>, path: &str, count: u64) -> Result<(), Failure> {
    let mut seen = arm(session, path).await?;
    let absent = if seen.is_none() {
        ", which does not exist yet"
    } else {
        ""
    };
    eprintln!("watching {path}{absent} on {}", session.client.server());
    let mut left = count;
    loop {
        let events = match session.next().await? {
            Event::Watch(event) => {
                seen = arm(session, path).await?;
                vec![event]
            }
            // The watches have gone with the session before.
            Event::Connected { resumed: false, .. } => {
                eprintln!("another session at {}", session.client.server());
                let before = core::mem::replace(&mut seen, arm(session, path).await?);
                missed(path, before, seen)
            }
            event => {
                session.mention(&event);
                continue;
            }
        };
        for event in events {
            session.show_event(&event)?;
            left -= 1;
            if left == 0 {
                return Ok(());
            }
        }
    }
}

/// Sets both watches, or the one for a znode that is not there. Those that are set already stay.
async fn arm(session: &mut Session<'_>, path: &str) -> Result<Option<Stat>, Failure> {
    let Ok(Response::Stat(stat)) = session.look(ReadKind::Exists, path).await? else {
        return Ok(None);
    };
    // If it is deleted in between, the first watch tells.
    let _ = session.look(ReadKind::Children, path).await?;
    Ok(Some(stat))
}

/// What must have happened for the Stat to become what it is now.
fn missed(path: &str, before: Option<Stat>, now: Option<Stat>) -> Vec<WatchEvent> {
    let event = |kind, zxid| WatchEvent {
        kind,
        path: path.to_owned(),
        zxid,
    };
    match (before, now) {
        (None, None) => Vec::new(),
        (None, Some(now)) => vec![event(EventKind::NodeCreated, now.czxid)],
        // When it was deleted is not known; it was after the last that was seen.
        (Some(before), None) => vec![event(
            EventKind::NodeDeleted,
            before.mzxid.max(before.pzxid),
        )],
        (Some(before), Some(now)) if before.czxid != now.czxid => {
            vec![
                event(EventKind::NodeDeleted, now.czxid),
                event(EventKind::NodeCreated, now.czxid),
            ]
        }
        (Some(before), Some(now)) => {
            let data =
                (before.mzxid != now.mzxid).then(|| event(EventKind::NodeDataChanged, now.mzxid));
            let children = (before.pzxid != now.pzxid)
                .then(|| event(EventKind::NodeChildrenChanged, now.pzxid));
            data.into_iter().chain(children).collect()
        }
    }
}

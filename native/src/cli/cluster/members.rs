//! `otterkeeper cluster add`, `promote` and `remove`: who the members are. Asks the leader, which is the one that
//! stays until the change is done.

use core::time::Duration;
use std::io::{self, Write};
use std::process::ExitCode;

use super::super::remote::{Servers, UNREACHABLE, complain};
use super::{exchange_within, leader_of, survey};

/// A change that cannot be done is given up by the leader after a minute.
const LIMIT: Duration = Duration::from_secs(90);

#[derive(clap::Args)]
pub(super) struct Add {
    #[command(flatten)]
    servers: Servers,
    /// Number of the new member, 1 to 255. It must have been started with --join.
    #[arg(value_name = "MEMBER")]
    id: u64,
    /// Where the others reach it, as ws://HOST:PORT.
    #[arg(value_name = "URL")]
    url: String,
    /// It gets the log and does not vote.
    #[arg(long)]
    learner: bool,
}

#[derive(clap::Args)]
pub(super) struct One {
    #[command(flatten)]
    servers: Servers,
    /// Number of the member.
    #[arg(value_name = "MEMBER")]
    id: u64,
}

pub(super) fn add(args: Add) -> anyhow::Result<ExitCode> {
    let Add {
        servers,
        id,
        url,
        learner,
    } = args;
    // In a query these three end a value or begin another one; no URL of a member has them.
    if url.contains(['&', '#', ' ']) {
        complain(&format!("{url} is not ws://HOST:PORT"));
        return Ok(ExitCode::from(2));
    }
    let path = format!("/api/members/{id}?url={url}&learner={learner}");
    let done = match learner {
        true => format!("member {id} learns"),
        false => format!("member {id} votes"),
    };
    ask(servers, "POST", &path, &done)
}

pub(super) fn promote(One { servers, id }: One) -> anyhow::Result<ExitCode> {
    let path = format!("/api/members/{id}");
    ask(servers, "POST", &path, &format!("member {id} votes"))
}

pub(super) fn remove(One { servers, id }: One) -> anyhow::Result<ExitCode> {
    let path = format!("/api/members/{id}");
    ask(servers, "DELETE", &path, &format!("member {id} is out"))
}

fn ask(servers: Servers, method: &str, path: &str, done: &str) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let answers = survey(servers.server).await;
        let Some(leader) = leader_of(&answers) else {
            complain("no leader can be reached: see `otterkeeper cluster status`");
            return Ok(ExitCode::from(UNREACHABLE));
        };
        match exchange_within(LIMIT, leader, method, path).await {
            Ok((200, _)) => {
                writeln!(io::stdout(), "{done}")?;
                Ok(ExitCode::SUCCESS)
            }
            Ok((_, why)) => {
                complain(why.trim());
                Ok(ExitCode::FAILURE)
            }
            Err(why) => {
                complain(&format!(
                    "{leader}: {why}; whether it was done, `otterkeeper cluster status` says"
                ));
                Ok(ExitCode::from(UNREACHABLE))
            }
        }
    })
}

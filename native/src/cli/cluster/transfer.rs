//! `otterkeeper cluster transfer`: lets another member lead, or keeps the lead where it is. Finds the
//! leader by asking around; the leader itself does the rest.

use std::io::{self, Write};
use std::process::ExitCode;

use super::super::remote::{Servers, UNREACHABLE, complain};
use super::{exchange, leader_of, survey};

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    servers: Servers,
    /// Number of the member that is to lead; without it the leader takes the one that is furthest.
    #[arg(value_name = "MEMBER")]
    to: Option<u64>,
    /// Give up a transfer that is under way.
    #[arg(long, conflicts_with = "to")]
    cancel: bool,
}

pub(super) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(ask(args))
}

async fn ask(args: Args) -> anyhow::Result<ExitCode> {
    let answers = survey(args.servers.server).await;
    let Some(leader) = leader_of(&answers) else {
        complain("no leader can be reached: see `otterkeeper cluster status`");
        return Ok(ExitCode::from(UNREACHABLE));
    };
    let path = match args.to {
        Some(to) => format!("/api/transfer?to={to}"),
        None => "/api/transfer".to_owned(),
    };
    let method = if args.cancel { "DELETE" } else { "POST" };
    match exchange(leader, method, &path).await {
        Ok((200, _)) => {
            writeln!(
                io::stdout(),
                "{}",
                if args.cancel {
                    "cancelled"
                } else {
                    "transferred"
                }
            )?;
            Ok(ExitCode::SUCCESS)
        }
        Ok((_, why)) => {
            complain(why.trim());
            Ok(ExitCode::FAILURE)
        }
        Err(why) => {
            complain(&format!("{leader}: {why}"));
            Ok(ExitCode::from(UNREACHABLE))
        }
    }
}

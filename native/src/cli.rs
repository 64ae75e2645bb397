//! The command line: which commands there are, and what their outcome means for the shell. Each command
//! has a file of its own below `cli/`; nothing here knows what a command does.

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

use crate::bench;

mod acl;
mod cluster;
mod create;
mod delete;
mod dev;
mod elect;
mod get;
mod lock;
mod ls;
mod members;
mod queue;
mod remote;
mod replay;
mod serve;
mod set;
mod sim;
mod stat;
mod sync;
mod watch;
mod whoami;

/// A coordination service with ZooKeeper's data model and protocol, on Raft.
#[derive(Parser)]
#[command(name = "otterkeeper", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Serve(Box<serve::Args>),
    Dev(dev::Args),
    Get(get::Args),
    Set(set::Args),
    Create(create::Args),
    Delete(delete::Args),
    Ls(ls::Args),
    Stat(stat::Args),
    Watch(watch::Args),
    Sync(sync::Args),
    Lock(lock::Args),
    Elect(elect::Args),
    Queue(queue::Args),
    Members(members::Args),
    Acl(acl::Args),
    Whoami(whoami::Args),
    Cluster(cluster::Args),
    Sim(sim::Args),
    Replay(replay::Args),
    Bench(bench::Args),
}

/// Runs the command of this process. Exit codes: 0 done, 1 failed, 2 wrong arguments, 3 no server can
/// be reached.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return misused(&error),
    };
    let outcome = match cli.command {
        Command::Serve(args) => serve::run(*args),
        Command::Dev(args) => dev::run(args),
        Command::Get(args) => get::run(args),
        Command::Set(args) => set::run(args),
        Command::Create(args) => create::run(args),
        Command::Delete(args) => delete::run(args),
        Command::Ls(args) => ls::run(args),
        Command::Stat(args) => stat::run(args),
        Command::Watch(args) => watch::run(args),
        Command::Sync(args) => sync::run(args),
        Command::Acl(args) => acl::run(args),
        Command::Whoami(args) => whoami::run(args),
        Command::Lock(args) => lock::run(args),
        Command::Elect(args) => elect::run(args),
        Command::Queue(args) => queue::run(args),
        Command::Members(args) => members::run(args),
        Command::Cluster(args) => cluster::run(args),
        Command::Sim(args) => sim::run(args),
        Command::Replay(args) => replay::run(args),
        Command::Bench(args) => bench::run(&args),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            remote::complain(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Prints what was asked for (help, version), or says in one line what is wrong with the arguments.
fn misused(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        // Nobody reads it, and nothing else was wanted.
        let _ = error.print();
        return ExitCode::from(u8::from(error.use_stderr()) * 2);
    }
    let text = error.to_string();
    let lines = text
        .lines()
        .take_while(|line| !line.is_empty())
        .map(str::trim);
    let line = lines.collect::<Vec<_>>().join(" ");
    let line = line.strip_prefix("error: ").unwrap_or(&line);
    remote::complain(&format!("{line}; see --help"));
    ExitCode::from(2)
}

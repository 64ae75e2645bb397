//! The command line: which commands there are, and what their outcome means for the shell. Each command
//! has a file of its own below `cli/`; nothing here knows what a command does.

use std::process::ExitCode;

use clap::builder::Resettable;
use clap::error::ErrorKind;
use clap::{Arg, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::bench;

mod acl;
mod cluster;
mod config;
mod create;
mod delete;
mod dev;
mod elect;
mod ephemerals;
mod explain;
mod export;
mod get;
mod get_acl;
mod import;
mod lock;
mod ls;
mod members;
mod multi;
mod queue;
mod quota;
mod reconfig;
mod remote;
mod replay;
mod serve;
mod service;
mod set;
mod set_acl;
mod settings;
mod shell;
mod sim;
mod stat;
mod sync;
mod verb;
mod watch;
mod whoami;
mod words;

use self::verb::{Online, behind_the_command, with_dashes};

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
    #[command(flatten)]
    Verb(Box<Online>),
    Shell(shell::Args),
    Watch(watch::Args),
    Lock(lock::Args),
    Elect(elect::Args),
    Queue(queue::Args),
    Members(members::Args),
    Service(service::Args),
    Settings(settings::Args),
    Acl(acl::Args),
    Cluster(cluster::Args),
    Sim(sim::Args),
    Replay(replay::Args),
    Bench(bench::Args),
}

/// Runs the command of this process. Exit codes: 0 done, 1 failed, 2 wrong arguments, 3 no server can
/// be reached.
pub fn main() -> ExitCode {
    // What is no text cannot be meant; clap says so of the first such word.
    let words = std::env::args_os().map(std::ffi::OsString::into_string);
    let parsed = match words.collect::<Result<Vec<_>, _>>() {
        Ok(words) => {
            let words = behind_the_command(with_dashes(words), &Cli::command());
            let matches = without_empty_variables(Cli::command()).try_get_matches_from(words);
            matches.and_then(|matches| Cli::from_arg_matches(&matches))
        }
        Err(_) => Cli::try_parse(),
    };
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => return misused(&error),
    };
    let outcome = match cli.command {
        Command::Serve(args) => serve::run(*args),
        Command::Dev(args) => dev::run(args),
        Command::Verb(online) => {
            let Online { remote, verb } = *online;
            remote.run(async |session| verb.run(session).await)
        }
        Command::Shell(args) => shell::run(args),
        Command::Watch(args) => watch::run(args),
        Command::Acl(args) => acl::run(args),
        Command::Lock(args) => lock::run(args),
        Command::Elect(args) => elect::run(args),
        Command::Queue(args) => queue::run(args),
        Command::Members(args) => members::run(args),
        Command::Service(args) => service::run(args),
        Command::Settings(args) => settings::run(args),
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

/// A variable that is set to nothing, as a template for containers leaves it, is as one that is not set.
fn without_empty_variables(command: clap::Command) -> clap::Command {
    let names_nothing = |arg: &Arg| {
        let value = arg.get_env().and_then(std::env::var_os);
        value.is_some_and(|value| value.is_empty())
    };
    command
        .mut_args(|arg| match names_nothing(&arg) {
            true => arg.env(Resettable::Reset),
            false => arg,
        })
        .mut_subcommands(without_empty_variables)
}

/// Prints what was asked for (help, version), or says in one line what is wrong with the arguments.
fn misused(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        // Nobody reads it, and nothing else was wanted.
        let _ = error.print();
        return ExitCode::from(u8::from(error.use_stderr()) * 2);
    }
    remote::complain(&words::in_a_line(error, &Cli::command(), "see --help"));
    ExitCode::from(2)
}

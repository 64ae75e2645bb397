//! The command line: which commands there are, and what their outcome means for the shell. Each command
//! has a file of its own below `cli/`; nothing here knows what a command does.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::bench;

mod dev;
mod serve;

/// A coordination service with ZooKeeper's data model and protocol, on Raft.
#[derive(Parser)]
#[command(name = "otterkeeper", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Serve(serve::Args),
    Dev(dev::Args),
    Bench(bench::Args),
}

/// Runs the command of this process. Exit codes: 0 done, 1 failed, 2 wrong arguments (by clap).
pub fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Serve(args) => serve::run(args),
        Command::Dev(args) => dev::run(args),
        Command::Bench(args) => bench::run(&args),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("otterkeeper: {error:#}");
            ExitCode::FAILURE
        }
    }
}

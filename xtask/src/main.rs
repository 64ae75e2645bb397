//! The commands of the README: `cargo xtask play`, `cargo xtask test`, `cargo xtask web`, `cargo xtask versus`.
//! Each works on a fresh machine: what is missing is installed, or named together with the command
//! that installs it. Knows nothing of what the packages do inside.

#[path = "../../web/core_hash.rs"]
mod core_hash;
mod install;
mod play;
mod publish;
mod step;
mod toolchain;
mod versus;
mod web;

mod test;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = step::listen_for_signals().and_then(|()| match arguments.command {
        Command::Play(options) => play::play(&options),
        Command::Test {
            against_zookeeper: true,
            ..
        } => test::against_zookeeper(),
        Command::Test { quick, .. } => test::test(quick),
        Command::Web { measure, publish } => web::web(measure, publish.as_deref()),
        Command::Versus(args) => versus::versus(&args),
    });
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("\nxtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Builds, plays and tests Otterkeeper on a fresh machine.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Builds the page and the server, starts three nodes on loopback and opens the playground
    Play(play::Options),
    /// Runs everything that CI runs
    Test {
        /// The inner loop: no browser, no processes, a short swarm
        #[arg(long)]
        quick: bool,
        /// Only this: the same 100,000 requests to ZooKeeper 3.9.5 and to three nodes, and all answers compared
        #[arg(long, conflicts_with = "quick")]
        against_zookeeper: bool,
    },
    /// Builds the page into target/www and prints its size
    Web {
        /// Measures size, first picture, frames, seeks, speed and memory in headless Chromium; prints one JSON with
        /// each budget, and fails when one is not kept
        #[arg(long)]
        measure: bool,
        /// Puts the page into this folder, the site's, and keeps it there under its core's name too, beside those of
        /// earlier builds, so that their links still open
        #[arg(long, value_name = "FOLDER", conflicts_with = "measure")]
        publish: Option<PathBuf>,
    },
    /// Measures the server beside ZooKeeper 3.9.5, three processes each
    Versus(versus::Args),
}

/// The folder of the workspace.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies in the workspace")
}

/// A path below the build folder.
fn target(path: &str) -> PathBuf {
    root().join("target").join(path)
}

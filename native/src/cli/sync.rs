//! `sync`: a barrier.

use otterkeeper_core::request::Request;

use super::remote::{Failure, Session, znode};

/// Wait until the server has everything that was committed before.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[arg(value_parser = znode, default_value = "/")]
    path: String,
}

pub(crate) async fn run(args: Args, session: &mut Session<'_>) -> Result<(), Failure> {
    let path = args.path.clone();
    session.ask(&args.path, Request::Sync { path }).await?;
    Ok(())
}

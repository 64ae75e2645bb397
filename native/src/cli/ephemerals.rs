//! `getEphemerals`: the ephemeral znodes of this very session, which has some in the shell alone.

use otterkeeper_core::request::{ReadKind, Response};

use super::remote::{Failure, Session};

/// List the ephemeral znodes of this session.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only those whose paths begin so.
    #[arg(default_value = "/")]
    path: String,
}

pub(crate) async fn run(args: Args, session: &mut Session<'_>) -> Result<(), Failure> {
    let read = session.read(ReadKind::Ephemerals, &args.path, false);
    if let Response::Paths(paths) = read.await? {
        for path in paths {
            session.say(path)?;
        }
    }
    Ok(())
}

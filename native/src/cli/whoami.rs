//! `otterkeeper whoami`: for whom the servers take this client.

use std::process::ExitCode;

use otterkeeper_core::request::{Request, Response};

use super::remote::Remote;

/// Show for whom the servers take this client.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    remote: Remote,
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    args.remote.run(async |session| {
        if let Response::Identities(ids) = session.ask("/", Request::WhoAmI).await? {
            for id in ids {
                session.say(format_args!("{}: {}", id.scheme, id.id))?;
            }
        }
        Ok(())
    })
}

//! `whoami`: for whom the servers take this client.

use otterkeeper_core::request::{Request, Response};

use super::remote::{Failure, Session};

/// Show for whom the servers take this client.
#[derive(clap::Args)]
pub(crate) struct Args {}

pub(crate) async fn run(Args {}: Args, session: &mut Session<'_>) -> Result<(), Failure> {
    if let Response::Identities(ids) = session.ask("/", Request::WhoAmI).await? {
        for id in ids {
            session.say(format_args!("{}: {}", id.scheme, id.id))?;
        }
    }
    Ok(())
}

//! `getAcl`: who may do what with a znode. `acl get` is the same.

use otterkeeper_core::acl;
use otterkeeper_core::request::{ReadKind, Response};

use super::remote::{Failure, Session, znode};

/// Show a znode's access control list.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Show the Stat too.
    #[arg(short = 's')]
    stat: bool,
    #[arg(value_parser = znode)]
    path: String,
}

pub(crate) async fn run(args: Args, session: &mut Session<'_>) -> Result<(), Failure> {
    let read = session.read(ReadKind::Acl, &args.path, false);
    if let Response::Acl { acl, stat } = read.await? {
        for entry in acl.chunks(1) {
            session.say(acl::text(entry))?;
        }
        if args.stat {
            session.show_stat(&stat)?;
        }
    }
    Ok(())
}

//! `create`: makes a znode; on the command line it keeps an ephemeral one for as long as it runs.

use otterkeeper_core::request::{Acl, CreateMode, MAX_TTL_MS, Op, Response};

use super::acl::{AclList, list};
use super::remote::{Failure, Session, new_znode, stopped};
use crate::client::ClientError;

/// Make a znode.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Append a number from the parent's counter.
    #[arg(short = 's')]
    sequential: bool,
    /// Ephemeral: it goes when this command ends, so the command stays until Ctrl-C; in the shell, when that ends.
    #[arg(short = 'e')]
    ephemeral: bool,
    /// Container: it goes when it has lost its last child.
    #[arg(short = 'c', conflicts_with_all = ["sequential", "ephemeral"])]
    container: bool,
    /// It goes when it has no children and its data was not set for so many milliseconds.
    #[arg(short = 't', value_name = "MS", conflicts_with_all = ["container", "ephemeral"], value_parser = clap::value_parser!(u64).range(1..=MAX_TTL_MS))]
    ttl: Option<u64>,
    #[arg(value_parser = new_znode)]
    path: String,
    /// Its data.
    data: Option<String>,
    /// Who may do what, as world:anyone:r,auth::cdrwa [default: world:anyone:cdrwa].
    #[arg(value_parser = list)]
    acl: Option<AclList>,
}

impl Args {
    /// The change that is meant, also inside a multi.
    pub(crate) fn op(self) -> Op {
        let mode = match (self.ephemeral, self.sequential, self.ttl) {
            _ if self.container => CreateMode::Container,
            (_, false, Some(ms)) => CreateMode::Ttl { ms },
            (_, true, Some(ms)) => CreateMode::TtlSequential { ms },
            (false, false, None) => CreateMode::Persistent,
            (true, false, None) => CreateMode::Ephemeral,
            (false, true, None) => CreateMode::PersistentSequential,
            (true, true, None) => CreateMode::EphemeralSequential,
        };
        Op::Create {
            path: self.path,
            data: self.data.map(Into::into),
            acl: self
                .acl
                .map_or_else(|| vec![Acl::open()], |AclList(acl)| acl),
            mode,
            stat: false,
        }
    }
}

pub(crate) async fn run(args: Args, session: &mut Session<'_>) -> Result<(), Failure> {
    let ephemeral = args.ephemeral;
    if let Response::Created { path, .. } = session.change(args.op()).await? {
        session.say(format_args!("Created {path}"))?;
    }
    if ephemeral && !session.is_shell() {
        eprintln!("it goes when this command ends: Ctrl-C");
        tokio::select! {
            () = stopped() => {}
            ended = session.expired() => {
                ended?;
                return Err(ClientError::Expired.into());
            }
        }
    }
    Ok(())
}

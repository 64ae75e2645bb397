//! `otterkeeper create`: makes a znode, and keeps an ephemeral one for as long as it runs.

use std::process::ExitCode;

use otterkeeper_core::request::{Acl, CreateMode, MAX_TTL_MS, Op, Request, Response};

use super::acl::{AclList, list};
use crate::client::ClientError;

use super::remote::{Remote, new_znode, stopped};

/// Make a znode.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    remote: Remote,
    /// Append a number from the parent's counter.
    #[arg(short = 's')]
    sequential: bool,
    /// Ephemeral: it goes when this command ends, so the command stays until Ctrl-C.
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

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args {
        remote,
        sequential,
        ephemeral,
        container,
        ttl,
        path,
        data,
        acl,
    } = args;
    let acl = acl.map_or_else(|| vec![Acl::open()], |AclList(acl)| acl);
    let mode = match (ephemeral, sequential, ttl) {
        _ if container => CreateMode::Container,
        (_, false, Some(ms)) => CreateMode::Ttl { ms },
        (_, true, Some(ms)) => CreateMode::TtlSequential { ms },
        (false, false, None) => CreateMode::Persistent,
        (true, false, None) => CreateMode::Ephemeral,
        (false, true, None) => CreateMode::PersistentSequential,
        (true, true, None) => CreateMode::EphemeralSequential,
    };
    remote.run(async |session| {
        let create = Op::Create {
            path: path.clone(),
            data: data.map(Into::into),
            acl,
            mode,
            stat: false,
        };
        if let Response::Created { path, .. } = session.ask(&path, Request::Write(create)).await? {
            session.say(format_args!("Created {path}"))?;
        }
        if ephemeral {
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
    })
}

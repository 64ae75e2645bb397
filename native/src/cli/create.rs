//! `otterkeeper create`: makes a znode, and keeps an ephemeral one for as long as it runs.

use std::process::ExitCode;

use otterkeeper_core::request::{Acl, CreateMode, Op, Request, Response};

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
        path,
        data,
        acl,
    } = args;
    let acl = acl.map_or_else(|| vec![Acl::open()], |AclList(acl)| acl);
    let mode = match (ephemeral, sequential) {
        (false, false) => CreateMode::Persistent,
        (true, false) => CreateMode::Ephemeral,
        (false, true) => CreateMode::PersistentSequential,
        (true, true) => CreateMode::EphemeralSequential,
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

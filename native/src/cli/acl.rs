//! `otterkeeper acl`: shows and sets access control lists, and makes digests. zkCli's getAcl and setAcl.

use std::process::ExitCode;

use otterkeeper_core::acl;
use otterkeeper_core::node::digest_id;
use otterkeeper_core::request::Acl;

use super::remote::Remote;
use super::{get_acl, set_acl};

/// Who may do what with a znode.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Show a znode's access control list.
    Get {
        #[command(flatten)]
        remote: Remote,
        #[command(flatten)]
        get: get_acl::Args,
    },
    /// Replace a znode's access control list.
    Set {
        #[command(flatten)]
        remote: Remote,
        #[command(flatten)]
        set: set_acl::Args,
    },
    /// Print the id that the digest scheme makes of USER:PASSWORD, for lists and for --super-digest.
    Digest {
        #[arg(value_name = "USER:PASSWORD")]
        secret: String,
    },
}

/// A list in one argument.
#[derive(Clone)]
pub(crate) struct AclList(pub(crate) Vec<Acl>);

/// Reads a list as zkCli writes it.
pub(crate) fn list(text: &str) -> Result<AclList, String> {
    let parsed = acl::parse(text).map(AclList);
    parsed.ok_or_else(|| "expected SCHEME:ID:cdrwa, with commas between entries".into())
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Get { remote, get } => {
            remote.run(async |session| get_acl::run(get, session).await)
        }
        Command::Set { remote, set } => {
            remote.run(async |session| set_acl::run(set, session).await)
        }
        Command::Digest { secret } => {
            println!("{}", digest_id(&secret));
            Ok(ExitCode::SUCCESS)
        }
    }
}

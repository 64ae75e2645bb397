//! `otterkeeper acl`: shows and sets access control lists, and makes digests. zkCli's getAcl and setAcl.

use std::process::ExitCode;

use otterkeeper_core::acl;
use otterkeeper_core::node::digest_id;
use otterkeeper_core::request::{Acl, Op, ReadKind, Request, Response};

use super::remote::{Remote, znode};

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
        /// Show the Stat too.
        #[arg(short = 's')]
        stat: bool,
        #[arg(value_parser = znode)]
        path: String,
    },
    /// Replace a znode's access control list.
    Set {
        #[command(flatten)]
        remote: Remote,
        /// Show the Stat.
        #[arg(short = 's')]
        stat: bool,
        /// Only if the list has this version (aclVersion).
        #[arg(short = 'v', default_value_t = -1, allow_negative_numbers = true)]
        version: i32,
        #[arg(value_parser = znode)]
        path: String,
        /// SCHEME:ID:LETTERS with commas between, as world:anyone:r,auth::cdrwa. The letters are create,
        /// delete, read, write, admin; auth stands for whom --auth names.
        #[arg(value_parser = list)]
        acl: AclList,
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
        Command::Get {
            remote,
            stat: with_stat,
            path,
        } => remote.run(async |session| {
            if let Response::Acl { acl, stat } = session.read(ReadKind::Acl, &path, false).await? {
                for entry in acl.chunks(1) {
                    session.say(acl::text(entry))?;
                }
                if with_stat {
                    session.show_stat(&stat)?;
                }
            }
            Ok(())
        }),
        Command::Set {
            remote,
            stat: with_stat,
            version,
            path,
            acl: AclList(acl),
        } => remote.run(async |session| {
            let set = Op::SetAcl {
                path: path.clone(),
                acl,
                version,
            };
            if let Response::Stat(stat) = session.ask(&path, Request::Write(set)).await?
                && with_stat
            {
                session.show_stat(&stat)?;
            }
            Ok(())
        }),
        Command::Digest { secret } => {
            println!("{}", digest_id(&secret));
            Ok(ExitCode::SUCCESS)
        }
    }
}

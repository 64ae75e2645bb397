//! `setAcl`: who may do what with a znode, or with all that is below it too. `acl set` is the same.

use otterkeeper_core::request::{Op, Request, Response};

use super::acl::{AclList, list};
use super::remote::{Failure, Session, znode};

/// Replace a znode's access control list.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Show the Stat.
    #[arg(short = 's')]
    stat: bool,
    /// Only if the list has this version (aclVersion).
    #[arg(short = 'v', value_name = "VERSION", default_value_t = -1, allow_negative_numbers = true)]
    version: i32,
    /// The lists of all that is below it too, one after the other.
    #[arg(short = 'R', conflicts_with_all = ["stat", "version"])]
    recursive: bool,
    #[arg(value_parser = znode)]
    path: String,
    /// SCHEME:ID:LETTERS with commas between, as world:anyone:r,auth::cdrwa. The letters are create, delete, read,
    /// write, admin; auth stands for whom --auth names.
    #[arg(value_parser = list)]
    acl: AclList,
}

impl Args {
    /// The change that is meant, also inside a multi.
    pub(crate) fn op(self) -> Op {
        let AclList(acl) = self.acl;
        Op::SetAcl {
            path: self.path,
            acl,
            version: self.version,
        }
    }
}

pub(crate) async fn run(args: Args, session: &mut Session<'_>) -> Result<(), Failure> {
    if args.recursive {
        let AclList(acl) = args.acl;
        let mut paths = session.subtree(&args.path).await?;
        // Those below come first: the new list of a parent may keep us from them.
        paths.reverse();
        for path in paths {
            let set = Op::SetAcl {
                path: path.clone(),
                acl: acl.clone(),
                version: -1,
            };
            session.ask(&path, Request::Write(set)).await?;
        }
        return Ok(());
    }
    let (path, with_stat) = (args.path.clone(), args.stat);
    match session.ask(&path, Request::Write(args.op())).await? {
        Response::Stat(stat) if with_stat => session.show_stat(&stat),
        _ => Ok(()),
    }
}

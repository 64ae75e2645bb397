//! `delete` and `deleteall`: remove a znode, or one with all that is below it.

use otterkeeper_core::request::{Error, Op, Request, Response};

use super::remote::{Failure, Session, znode};

/// Times that somebody else may change the subtree while it is being removed.
const ATTEMPTS: u32 = 10;

/// Remove a znode that has no children.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only if its data has this version.
    #[arg(short = 'v', value_name = "VERSION", default_value_t = -1, allow_negative_numbers = true)]
    version: i32,
    #[arg(value_parser = znode)]
    path: String,
}

/// Remove a znode and all that is below it.
#[derive(clap::Args)]
pub(crate) struct AllArgs {
    /// How many znodes go in one transaction.
    #[arg(short = 'b', value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    batch: u32,
    #[arg(value_parser = znode)]
    path: String,
}

impl Args {
    /// The change that is meant, also inside a multi.
    pub(crate) fn op(self) -> Op {
        Op::Delete {
            path: self.path,
            version: self.version,
        }
    }
}

pub(crate) async fn run(args: Args, session: &mut Session<'_>) -> Result<(), Failure> {
    session.change(args.op()).await.map(|_| ())
}

pub(crate) async fn run_all(args: AllArgs, session: &mut Session<'_>) -> Result<(), Failure> {
    let AllArgs { batch, path } = args;
    if path == "/" {
        return Err(Failure::Usage(
            "/ itself cannot be deleted: name what is below it".into(),
        ));
    }
    let mut attempts = 0;
    loop {
        let mut paths = session.subtree(&path).await?;
        // Children before their parents.
        paths.reverse();
        let mut disturbed = None;
        for paths in paths.chunks(batch as usize) {
            let delete = |path: &String| Op::Delete {
                path: path.clone(),
                version: -1,
            };
            let request = Request::Multi(paths.iter().map(delete).collect());
            if let Response::Multi(results) = session.ask(&path, request).await?
                && let Some((path, error)) = failed(paths, &results)
            {
                disturbed = Some((path.clone(), error));
                break;
            }
        }
        match disturbed {
            None => return Ok(()),
            // Somebody makes or removes znodes there; what is there now is looked up again.
            Some((_, Error::NotEmpty | Error::NoNode)) if attempts < ATTEMPTS => attempts += 1,
            Some((path, error)) => return Err(Failure::Refused { error, path }),
        }
    }
}

/// Which of these was the reason that a multi failed.
pub(crate) fn failed<'a, T>(
    of: &'a [T],
    results: &[Result<Response, Error>],
) -> Option<(&'a T, Error)> {
    let reason = |(of, result): (&'a T, &Result<Response, Error>)| match result {
        Ok(_) | Err(Error::Ok | Error::RuntimeInconsistency) => None,
        Err(error) => Some((of, *error)),
    };
    of.iter().zip(results).find_map(reason)
}

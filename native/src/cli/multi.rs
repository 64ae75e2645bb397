//! `multi`: several changes, all or nothing. Each is a line as one would type it: `create`, `set`, `delete`,
//! `setAcl`, or `check [-v VERSION] PATH`.

use std::fs;
use std::io::Read;
use std::path::PathBuf;

use clap::{CommandFactory, Parser};
use otterkeeper_core::request::{Op, Request, Response};

use super::delete::failed;
use super::remote::{Failure, Session, znode};
use super::{create, delete, set, set_acl, words};
use crate::client::{culprit, explain};

/// Make several changes, all or nothing.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Read them from this file, one a line; without it and without CHANGE from standard input.
    #[arg(short = 'f', long, value_name = "FILE", conflicts_with = "changes")]
    file: Option<PathBuf>,
    /// A change in quotes, as 'create /a x', 'set -v 3 /b y', 'delete /c', 'check -v 1 /d' or 'setAcl /e world:anyone:r'.
    #[arg(value_name = "CHANGE")]
    changes: Vec<String>,
}

/// A line of a multi.
#[derive(Parser)]
#[command(multicall = true, disable_help_subcommand = true)]
enum Change {
    Create(create::Args),
    Set(set::Args),
    Delete(delete::Args),
    #[command(name = "setAcl", alias = "setacl")]
    SetAcl(set_acl::Args),
    /// Fail unless the znode is there and has this version.
    Check {
        #[arg(short = 'v', value_name = "VERSION", default_value_t = -1, allow_negative_numbers = true)]
        version: i32,
        #[arg(value_parser = znode)]
        path: String,
    },
}

pub(crate) async fn run(args: Args, session: &mut Session<'_>) -> Result<(), Failure> {
    let lines = lines(&args)?;
    if lines.is_empty() {
        return Err(Failure::Usage("a multi needs at least one change".into()));
    }
    let ops = lines.iter().map(|line| op(line));
    let ops = ops.collect::<Result<Vec<_>, _>>()?;
    let request = Request::Multi(ops);
    let Response::Multi(results) = session.ask("the multi", request).await? else {
        return Ok(());
    };
    if let Some((line, error)) = failed(&lines, &results) {
        let number = lines.iter().position(|other| core::ptr::eq(other, line));
        let number = number.map_or(0, |number| number + 1);
        let why = op(line).map(|op| explain(error, culprit(error, &op)));
        let why = why.unwrap_or_default();
        return Err(session.refused(
            error,
            &format!("nothing was changed: {line:?} (change {number}) failed: {why}"),
        ));
    }
    for result in results.into_iter().flatten() {
        match result {
            Response::Created { path, .. } => session.say(format_args!("Created {path}"))?,
            Response::Deleted => session.say("Deleted")?,
            Response::Stat(stat) => session.say(format_args!(
                "dataVersion = {}, aclVersion = {}",
                stat.version, stat.aversion
            ))?,
            Response::Checked => session.say("Checked")?,
            _ => {}
        }
    }
    Ok(())
}

/// What is to be done, without blank lines and those that begin with `#`.
fn lines(args: &Args) -> Result<Vec<String>, Failure> {
    let unreadable = |what: &str, error| Failure::Usage(format!("{what} cannot be read: {error}"));
    let text = match &args.file {
        _ if !args.changes.is_empty() => args.changes.join("\n"),
        Some(file) => fs::read_to_string(file)
            .map_err(|error| unreadable(&file.display().to_string(), error))?,
        None => {
            let mut text = String::new();
            let read = std::io::stdin().read_to_string(&mut text);
            read.map_err(|error| unreadable("standard input", error))?;
            text
        }
    };
    let lines = text.lines().map(str::trim);
    Ok(lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect())
}

fn op(line: &str) -> Result<Op, Failure> {
    let change = Change::try_parse_from(words::split(line).map_err(Failure::Usage)?);
    let change = change.map_err(|error| {
        let why = words::in_a_line(
            &error,
            &Change::command(),
            "it takes create, set, delete, setAcl and check",
        );
        Failure::Usage(format!("{line:?} is no change of a multi: {why}"))
    })?;
    Ok(match change {
        Change::Create(args) => args.op(),
        Change::Set(args) => args.op()?,
        Change::Delete(args) => args.op(),
        Change::SetAcl(args) => args.op(),
        Change::Check { version, path } => Op::Check { path, version },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_as_one_types_them() {
        let create = op("create /a 'two words'").ok();
        let Some(Op::Create { path, data, .. }) = create else {
            panic!("{create:?}")
        };
        assert_eq!((&*path, data.as_deref()), ("/a", Some(&b"two words"[..])));
        let check = Op::Check {
            path: "/a".into(),
            version: 3,
        };
        assert_eq!(op("check -v 3 /a").ok(), Some(check));
        for wrong in ["get /a", "create a", "delete", "set /a 'x", ""] {
            assert!(op(wrong).is_err(), "{wrong}");
        }
    }
}

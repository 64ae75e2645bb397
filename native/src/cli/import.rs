//! `import`: makes the znodes that `export` wrote, in atomic batches, parents first. What exists stays as it is
//! unless `--overwrite` is given. Sequence counters are brought to where they were by making and deleting
//! children, and versions by setting again what is there. It says what cannot be kept: zxids and times of all, and the
//! ephemeral znodes.

mod catch_up;

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use otterkeeper_core::path;
use otterkeeper_core::request::{CreateMode, Error, Op, Read, ReadKind, Request, Response, Stat};
use serde::Serialize;

use self::catch_up::catch_up;
use super::delete::failed;
use super::export::{FORMAT, Head, Kind, Line, progress};
use super::remote::{Failure, Session, znode};
use crate::client::explain;

/// Bytes of one transaction, about; a request may have a mebibyte.
const BATCH_BYTES: usize = 256 << 10;
/// Znodes of one transaction.
const BATCH: usize = 1_000;
/// Znodes that are asked for together.
const TOGETHER: usize = 500;

/// Make the znodes that export wrote.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Below this path instead of where they were.
    #[arg(long, value_name = "PATH", value_parser = znode)]
    to: Option<String>,
    /// Set data and list of znodes that exist already, instead of stopping. A znode keeps its kind.
    #[arg(long)]
    overwrite: bool,
    /// What export wrote.
    file: PathBuf,
}

/// What was done.
#[derive(Default, Serialize)]
struct Tally {
    made: u64,
    overwritten: u64,
    /// Sequence counters that were moved on.
    counters: u64,
    /// Znodes whose versions were.
    versions: u64,
    /// Those that were left out.
    ephemeral: u64,
    /// Counters and versions that are too far ahead, or whose znode does not permit it.
    counters_lost: u64,
    versions_lost: u64,
}

pub(crate) async fn run(args: Args, session: &mut Session<'_>) -> Result<(), Failure> {
    let name = args.file.display().to_string();
    let file = File::open(&args.file)
        .map_err(|error| Failure::Usage(format!("{name} cannot be read: {error}")))?;
    let (head, lines) = read(&name, BufReader::new(file))?;
    let root = args.to.unwrap_or(head.root);
    let znodes = place(&name, &root, &lines)?;
    let mut tally = Tally {
        ephemeral: (lines.len() - znodes.len()) as u64,
        ..Tally::default()
    };
    let there = there_among(session, &root, &znodes).await?;
    if !args.overwrite
        && let Some(znode) = znodes.iter().find(|znode| there.contains_key(&*znode.path))
    {
        let what = format!(
            "{} exists already: nothing was imported; --overwrite replaces what is there, --to imports elsewhere",
            znode.path
        );
        return Err(session.refused(Error::NodeExists, &what));
    }
    let outcome = make(session, &znodes, &there, &mut tally).await;
    let outcome = match outcome {
        Ok(()) => catch_up(session, &znodes, &mut tally).await,
        Err(failure) => Err(failure),
    };
    match outcome {
        Err(Failure::Refused { error, path }) => {
            let done = tally.made + tally.overwritten;
            let rest = match done {
                0 => "nothing was imported".to_owned(),
                _ => format!("{done} znodes were imported before; --overwrite goes on from there"),
            };
            let why = match error {
                Error::NoAuth => format!(
                    "{path} or its parent does not permit this to who imports: name a super user with --auth"
                ),
                Error::NoNode => format!("the parent of {path} does not exist"),
                error => explain(error, &path),
            };
            Err(session.refused(error, &format!("{why}; {rest}")))
        }
        Err(failure) => Err(failure),
        Ok(()) => report(session, &tally),
    }
}

/// What is to be made, and where.
struct Znode<'a> {
    path: String,
    data: Option<Bytes>,
    line: &'a Line,
}

/// All but the ephemeral ones.
fn place<'a>(name: &str, root: &str, lines: &'a [Line]) -> Result<Vec<Znode<'a>>, Failure> {
    let mut znodes = Vec::new();
    for line in lines.iter().filter(|line| line.kind != Kind::Ephemeral) {
        let path = match &*line.path {
            "" => root.to_owned(),
            below => format!("{}{below}", path::prefix(root)),
        };
        if !path::is_valid(&path) {
            return Err(Failure::Usage(format!("{name}: {path:?} is no path")));
        }
        let data = data(name, line)?;
        znodes.push(Znode { path, data, line });
    }
    Ok(znodes)
}

/// Makes the znodes, or sets data and lists of those that are there, and all of it or nothing of each batch.
async fn make(
    session: &Session<'_>,
    znodes: &[Znode<'_>],
    there: &HashMap<&str, Stat>,
    tally: &mut Tally,
) -> Result<(), Failure> {
    let bar = progress(Some(znodes.len() as u64), "znodes imported");
    let mut batch = Batch::default();
    for znode in znodes {
        let (path, data, acl) = (
            znode.path.clone(),
            znode.data.clone(),
            znode.line.acl.clone(),
        );
        // The root of all is always there, and no fault of whoever imports it.
        if path == "/" || there.contains_key(&*path) {
            let version = -1;
            batch.overwrites += 1;
            batch.ops.push(Op::SetData {
                path: path.clone(),
                data,
                version,
            });
            batch.ops.push(Op::SetAcl { path, acl, version });
        } else {
            batch.makes += 1;
            batch.ops.push(Op::Create {
                path,
                data,
                acl,
                mode: mode(znode.line),
                stat: false,
            });
        }
        batch.bytes += weight(znode);
        if batch.is_full() {
            batch.send(session, tally).await?;
        }
        bar.inc(1);
    }
    batch.send(session, tally).await?;
    bar.finish_and_clear();
    Ok(())
}

fn report(session: &Session<'_>, tally: &Tally) -> Result<(), Failure> {
    let json = serde_json::to_value(tally).map_err(|error| Failure::Output(error.into()))?;
    let mut text = format!(
        "{} znodes made, {} overwritten, {} sequence counters and the versions of {} moved on\n\
         not kept: zxids and times, which are those of this import",
        tally.made, tally.overwritten, tally.counters, tally.versions
    );
    let lost = [
        (
            tally.ephemeral,
            "ephemeral znodes, which belong to sessions of the other cluster",
        ),
        (
            tally.counters_lost,
            "sequence counters, which are too far ahead, or whose znode permits no children to who imports",
        ),
        (
            tally.versions_lost,
            "znodes' versions, which are lower than what is there or too far ahead, or whose znode may not be set by who imports",
        ),
    ];
    for (number, what) in lost.into_iter().filter(|(number, _)| *number != 0) {
        text.push_str(&format!("\nnot kept: {number} {what}"));
    }
    session.say_or(text, &json)
}

/// The first line and the others.
fn read(name: &str, lines: impl BufRead) -> Result<(Head, Vec<Line>), Failure> {
    let wrong =
        |number: usize, why: String| Failure::Usage(format!("{name}, line {}: {why}", number + 1));
    let mut head = None;
    let mut znodes = Vec::new();
    for (number, line) in lines.lines().enumerate() {
        let line = line.map_err(|error| wrong(number, error.to_string()))?;
        if number == 0 {
            let first: Head = serde_json::from_str(&line)
                .map_err(|error| wrong(number, format!("not what export writes: {error}")))?;
            if first.otterkeeper_export != FORMAT {
                let why = format!(
                    "format {}, this program knows only {FORMAT}",
                    first.otterkeeper_export
                );
                return Err(wrong(number, why));
            }
            head = Some(first);
        } else {
            let znode = serde_json::from_str(&line);
            znodes.push(znode.map_err(|error| wrong(number, error.to_string()))?);
        }
    }
    let head = head.ok_or_else(|| Failure::Usage(format!("{name} is empty")))?;
    Ok((head, znodes))
}

fn data(name: &str, line: &Line) -> Result<Option<Bytes>, Failure> {
    match (&line.text, &line.base64) {
        (Some(text), _) => Ok(Some(text.clone().into())),
        (None, Some(text)) => {
            let bytes = BASE64.decode(text).map_err(|error| {
                Failure::Usage(format!(
                    "{name}: data of {:?} is no base64: {error}",
                    line.path
                ))
            })?;
            Ok(Some(bytes.into()))
        }
        (None, None) => Ok(None),
    }
}

fn mode(line: &Line) -> CreateMode {
    match (line.kind, line.ttl_ms) {
        (Kind::Container, _) => CreateMode::Container,
        (Kind::Ttl, Some(ms)) => CreateMode::Ttl { ms },
        _ => CreateMode::Persistent,
    }
}

/// Those of these znodes that are there.
async fn there<'a>(
    session: &Session<'_>,
    paths: &[&'a str],
) -> Result<HashMap<&'a str, Stat>, Failure> {
    let read = |path: &&str| Read {
        kind: ReadKind::Exists,
        path: (*path).to_owned(),
        watch: false,
    };
    let mut found = HashMap::new();
    for some in paths.chunks(TOGETHER) {
        let reads = Request::MultiRead(some.iter().map(read).collect());
        let Response::Multi(results) = session.quiet("the import", reads).await? else {
            continue;
        };
        for (path, result) in some.iter().zip(results) {
            if let Ok(Response::Stat(stat)) = result {
                found.insert(*path, stat);
            }
        }
    }
    Ok(found)
}

/// The same before anything is changed, but for the root of all.
async fn there_among<'a>(
    session: &Session<'_>,
    root: &str,
    znodes: &'a [Znode<'_>],
) -> Result<HashMap<&'a str, Stat>, Failure> {
    // We may be served by a member that is behind.
    let sync = Request::Sync { path: root.into() };
    session.quiet(root, sync).await?;
    let paths = znodes.iter().map(|znode| &*znode.path);
    let paths: Vec<&str> = paths.filter(|path| *path != "/").collect();
    // Below what is not there, nothing is.
    if root != "/" && there(session, &[root]).await?.is_empty() {
        return Ok(HashMap::new());
    }
    there(session, &paths).await
}

/// Changes on the way.
#[derive(Default)]
struct Batch {
    ops: Vec<Op>,
    bytes: usize,
    makes: u64,
    overwrites: u64,
}

/// Bytes of what is asked for a znode, about.
fn weight(znode: &Znode<'_>) -> usize {
    let list = znode.line.acl.iter();
    let list = list.map(|acl| acl.scheme.len() + acl.id.len() + 8);
    128 + 2 * znode.path.len() + znode.data.as_ref().map_or(0, Bytes::len) + list.sum::<usize>()
}

impl Batch {
    fn is_full(&self) -> bool {
        BATCH <= self.ops.len() || BATCH_BYTES <= self.bytes
    }

    async fn send(&mut self, session: &Session<'_>, tally: &mut Tally) -> Result<(), Failure> {
        let Self {
            ops,
            makes,
            overwrites,
            ..
        } = core::mem::take(self);
        if ops.is_empty() {
            return Ok(());
        }
        let paths: Vec<String> = ops.iter().map(|op| op.path().to_owned()).collect();
        let first = paths.first().cloned().unwrap_or_default();
        if let Response::Multi(results) = session.quiet(&first, Request::Multi(ops)).await?
            && let Some((path, error)) = failed(&paths, &results)
        {
            let path = path.clone();
            return Err(Failure::Refused { error, path });
        }
        tally.made += makes;
        tally.overwritten += overwrites;
        Ok(())
    }
}

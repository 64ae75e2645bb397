//! `export`: a subtree as lines of JSON, for `import`. The first line says what this is; each of the others is a
//! znode, parents before their children. What a znode is and how its children were counted goes along; zxids, times
//! and versions are told, but nothing can bring them back.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use bytes::Bytes;
use futures_util::future::try_join_all;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use otterkeeper_core::path;
use otterkeeper_core::request::{
    Acl, CreateMode, Error, Explained, Read, ReadKind, Request, Response, Stat, Subject,
};
use serde::{Deserialize, Serialize};

use super::remote::{Failure, Session, znode};

/// The version of these lines.
pub(crate) const FORMAT: u32 = 1;
/// Znodes that are looked at together.
const TOGETHER: usize = 64;

/// Write a subtree as lines of JSON, for import.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Write to this file, which must not exist yet; without it, to standard output.
    #[arg(short = 'o', long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[arg(value_parser = znode, default_value = "/")]
    path: String,
}

/// The first line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Head {
    pub(crate) otterkeeper_export: u32,
    /// The path of the root; those of the znodes are below it.
    pub(crate) root: String,
    /// Everything up to here is in it; later changes may be too.
    pub(crate) zxid: String,
}

/// A znode's line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Line {
    /// Below the root; empty for the root itself.
    pub(crate) path: String,
    /// In base64, if it is no text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) text: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) base64: Option<String>,
    pub(crate) acl: Vec<Acl>,
    pub(crate) kind: Kind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ttl_ms: Option<u64>,
    /// How many children were ever made here: the source of sequence numbers.
    #[serde(default)]
    pub(crate) children_made: u32,
    /// As it was.
    pub(crate) version: i32,
    #[serde(default)]
    pub(crate) acl_version: i32,
    pub(crate) czxid: String,
    pub(crate) mzxid: String,
    pub(crate) ctime_ms: u64,
    pub(crate) mtime_ms: u64,
}

/// What a znode's life depends on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Persistent,
    Ephemeral,
    Container,
    Ttl,
}

pub(crate) async fn run(args: Args, session: &mut Session<'_>) -> Result<(), Failure> {
    let mut out: Box<dyn Write> = match &args.output {
        None => Box::new(std::io::stdout()),
        Some(path) => Box::new(File::create_new(path).map_err(|error| {
            Failure::Usage(format!("{} cannot be written: {error}", path.display()))
        })?),
    };
    let mut out = BufWriter::new(&mut out);
    let root = args.path;
    // Whatever was committed before is in it, wherever we are served.
    let (_, zxid) = session.latest(ReadKind::Exists, &root).await?;
    let head = Head {
        otterkeeper_export: FORMAT,
        root: root.clone(),
        zxid: zxid.0.to_string(),
    };
    write(&mut out, &head)?;
    let bar = progress(None, "znodes exported");
    let (mut gone, mut ephemeral) = (0_u64, 0_u64);
    let mut ahead = vec![root.clone()];
    while !ahead.is_empty() {
        let mut batch = ahead.split_off(ahead.len().saturating_sub(TOGETHER));
        batch.reverse();
        let looks = batch.iter().map(|at| look(session, &root, at));
        let found = try_join_all(looks).await?;
        // The first one's children are to come first.
        let mut below = Vec::new();
        for (at, found) in batch.iter().zip(found) {
            let Some((line, names)) = found else {
                gone += 1;
                continue;
            };
            ephemeral += u64::from(line.kind == Kind::Ephemeral);
            write(&mut out, &line)?;
            bar.inc(1);
            let prefix = path::prefix(at);
            below.extend(names.iter().map(|name| format!("{prefix}{name}")));
        }
        // The znodes of the system belong to each cluster itself.
        below.retain(|path| path != path::ZOOKEEPER);
        ahead.extend(below.into_iter().rev());
    }
    out.flush()?;
    bar.finish_and_clear();
    eprintln!("{} znodes exported", bar.position());
    if ephemeral != 0 {
        eprintln!("{ephemeral} of them are ephemeral: import will leave them out");
    }
    if gone != 0 {
        eprintln!("{gone} more were deleted meanwhile");
    }
    Ok(())
}

/// All about a znode, at one moment, and its children; nothing if it has gone.
async fn look(
    session: &Session<'_>,
    root: &str,
    at: &str,
) -> Result<Option<(Line, Vec<String>)>, Failure> {
    let read = |kind| Read {
        kind,
        path: at.to_owned(),
        watch: false,
    };
    let reads = [ReadKind::Data, ReadKind::Acl, ReadKind::Children].map(read);
    let reads = Request::MultiRead(reads.into());
    let explain = Request::Explain(Subject::Znode(at.to_owned()));
    let (read, explained) = tokio::join!(session.quiet(at, reads), session.quiet(at, explain));
    let Response::Multi(results) = read? else {
        return Ok(None);
    };
    let mut answers = Vec::new();
    for result in results {
        match result {
            Ok(answer) => answers.push(answer),
            Err(Error::NoNode) if at != root => return Ok(None),
            Err(error) => {
                let path = at.to_owned();
                return Err(Failure::Refused { error, path });
            }
        }
    }
    let mode = match explained? {
        Response::Explained(Explained::Znode { mode, .. }) => mode,
        _ => None,
    };
    let (Some(mode), Ok(answers)) = (mode, <[Response; 3]>::try_from(answers)) else {
        return Ok(None);
    };
    let [
        Response::Data { data, stat },
        Response::Acl { acl, .. },
        Response::Children { names, stat: seen },
    ] = answers
    else {
        return Ok(None);
    };
    let below = at.strip_prefix(root).unwrap_or(at).trim_start_matches('/');
    Ok(Some((line(below, data, acl, mode, &stat, &seen), names)))
}

fn line(
    path: &str,
    data: Option<Bytes>,
    acl: Vec<Acl>,
    mode: CreateMode,
    stat: &Stat,
    seen: &Stat,
) -> Line {
    use base64::Engine;
    let text = data.as_ref().map(|data| core::str::from_utf8(data));
    Line {
        path: path.to_owned(),
        text: text.and_then(Result::ok).map(str::to_owned),
        base64: match (&data, text) {
            (Some(data), Some(Err(_))) => {
                Some(base64::engine::general_purpose::STANDARD.encode(data))
            }
            _ => None,
        },
        acl,
        kind: match mode {
            CreateMode::Persistent | CreateMode::PersistentSequential => Kind::Persistent,
            CreateMode::Ephemeral | CreateMode::EphemeralSequential => Kind::Ephemeral,
            CreateMode::Container | CreateMode::ContainerSequential => Kind::Container,
            CreateMode::Ttl { .. } | CreateMode::TtlSequential { .. } => Kind::Ttl,
        },
        ttl_ms: match mode {
            CreateMode::Ttl { ms } | CreateMode::TtlSequential { ms } => Some(ms),
            _ => None,
        },
        children_made: made(seen),
        version: stat.version,
        acl_version: stat.aversion,
        czxid: stat.czxid.0.to_string(),
        mzxid: stat.mzxid.0.to_string(),
        ctime_ms: stat.ctime_ms,
        mtime_ms: stat.mtime_ms,
    }
}

/// How many children were ever made: cversion counts those and the ones that went (protocol section 8).
pub(crate) fn made(stat: &Stat) -> u32 {
    let twice = i64::from(stat.cversion) + i64::from(stat.num_children);
    u32::try_from(twice / 2).unwrap_or(0)
}

fn write(out: &mut impl Write, line: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string(line).map_err(|error| Failure::Output(error.into()))?;
    writeln!(out, "{text}")?;
    Ok(())
}

/// Shows on a terminal how far we are.
pub(crate) fn progress(of: Option<u64>, what: &'static str) -> ProgressBar {
    let target = ProgressDrawTarget::stderr();
    let template = match of {
        Some(_) => "{wide_bar} {pos}/{len} {msg}",
        None => "{spinner} {pos} {msg}",
    };
    let bar = ProgressBar::with_draw_target(of, target).with_message(what);
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

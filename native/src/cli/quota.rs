//! `listquota`, `setquota`, `delquota`: how much a subtree may hold, in ZooKeeper's znodes below
//! `/zookeeper/quota`. What is used the servers count; a hard limit they enforce.

use otterkeeper_core::path;
use otterkeeper_core::quota::{Limits, Usage, limits_path, stats_path};
use otterkeeper_core::request::{Acl, CreateMode, Error, Op, ReadKind, Request, Response};

use serde_json::json;

use super::remote::{Failure, Session, znode};

/// Show the quota of a subtree, and what is used.
#[derive(clap::Args)]
pub(crate) struct ListArgs {
    #[arg(value_parser = znode)]
    path: String,
}

/// Limit what a subtree may hold.
#[derive(clap::Args)]
#[group(id = "limits", required = true, multiple = true)]
pub(crate) struct SetLimits {
    /// Znodes, itself included; more are noted.
    #[arg(short = 'n', value_name = "COUNT", value_parser = clap::value_parser!(i64).range(0..))]
    count: Option<i64>,
    /// Bytes of data; more are noted.
    #[arg(short = 'b', value_name = "BYTES", value_parser = clap::value_parser!(i64).range(0..))]
    bytes: Option<i64>,
    /// Znodes; more are refused.
    #[arg(short = 'N', value_name = "COUNT", value_parser = clap::value_parser!(i64).range(0..))]
    hard_count: Option<i64>,
    /// Bytes of data; more are refused.
    #[arg(short = 'B', value_name = "BYTES", value_parser = clap::value_parser!(i64).range(0..))]
    hard_bytes: Option<i64>,
}

/// Limit what a subtree may hold; limits that are not named stay.
#[derive(clap::Args)]
pub(crate) struct SetArgs {
    #[command(flatten)]
    limits: SetLimits,
    #[arg(value_parser = znode)]
    path: String,
}

/// Take limits of a subtree away; without a flag, all.
#[derive(clap::Args)]
pub(crate) struct DeleteArgs {
    /// The soft limit of znodes.
    #[arg(short = 'n')]
    count: bool,
    /// The soft limit of bytes.
    #[arg(short = 'b')]
    bytes: bool,
    /// The hard limit of znodes.
    #[arg(short = 'N')]
    hard_count: bool,
    /// The hard limit of bytes.
    #[arg(short = 'B')]
    hard_bytes: bool,
    #[arg(value_parser = znode)]
    path: String,
}

pub(crate) async fn list(args: ListArgs, session: &mut Session<'_>) -> Result<(), Failure> {
    let path = args.path;
    let Some((limits, _)) = limits(session, &path).await? else {
        let none = json!({ "path": path, "quota": null });
        return session.say_or(format_args!("quota for {path} does not exist"), &none);
    };
    let mut used = Usage::default();
    if let Response::Data { data, .. } = session.peek(ReadKind::Data, &stats_path(&path)).await? {
        used = Usage::parse(&data.unwrap_or_default());
    }
    let text = text(&limits);
    let json = json!({ "path": path, "quota": text, "used": used.to_string() });
    session.say_or(
        format_args!("quota of {path}: {text}\nused by {path}: {used}"),
        &json,
    )
}

pub(crate) async fn set(args: SetArgs, session: &mut Session<'_>) -> Result<(), Failure> {
    let SetArgs { limits: new, path } = args;
    // The subtree must be there, as with zkCli; the servers would keep a quota of nothing.
    session.peek(ReadKind::Exists, &path).await?;
    let old = limits(session, &path).await?;
    let (mut all, version) = old.unwrap_or((Limits::default(), -1));
    all.soft = (new.count.or(all.soft.0), new.bytes.or(all.soft.1));
    all.hard = (new.hard_count.or(all.hard.0), new.hard_bytes.or(all.hard.1));
    write(session, &path, &all, (0 <= version).then_some(version)).await
}

pub(crate) async fn delete(args: DeleteArgs, session: &mut Session<'_>) -> Result<(), Failure> {
    let path = args.path;
    let Some((mut all, version)) = limits(session, &path).await? else {
        let error = Error::NoNode;
        let path = limits_path(&path);
        return Err(Failure::Refused { error, path });
    };
    let named = args.count || args.bytes || args.hard_count || args.hard_bytes;
    let goes = |flag| flag || !named;
    all.soft = (
        all.soft.0.filter(|_| !goes(args.count)),
        all.soft.1.filter(|_| !goes(args.bytes)),
    );
    all.hard = (
        all.hard.0.filter(|_| !goes(args.hard_count)),
        all.hard.1.filter(|_| !goes(args.hard_bytes)),
    );
    if all != Limits::default() {
        return write(session, &path, &all, Some(version)).await;
    }
    let delete = |path| Op::Delete { path, version: -1 };
    let request = Request::Multi(vec![delete(stats_path(&path)), delete(limits_path(&path))]);
    session.multi(&path, request).await
}

/// What the subtree may hold, and the version of the znode that says so.
async fn limits(session: &mut Session<'_>, path: &str) -> Result<Option<(Limits, i32)>, Failure> {
    match session.peek(ReadKind::Data, &limits_path(path)).await {
        Ok(Response::Data { data, stat }) => Ok(Some((
            Limits::parse(&data.unwrap_or_default()),
            stat.version,
        ))),
        Ok(_) => Ok(None),
        Err(Failure::Refused {
            error: Error::NoNode,
            ..
        }) => Ok(None),
        Err(failure) => Err(failure),
    }
}

async fn write(
    session: &mut Session<'_>,
    path: &str,
    limits: &Limits,
    version: Option<i32>,
) -> Result<(), Failure> {
    let data = Some(text(limits).into());
    let place = limits_path(path);
    if let Some(version) = version {
        let set = Op::SetData {
            path: place,
            data,
            version,
        };
        session.ask(path, Request::Write(set)).await?;
        return Ok(());
    }
    let create = |path: &str, data| Op::Create {
        path: path.to_owned(),
        data,
        acl: vec![Acl::open()],
        mode: CreateMode::Persistent,
        stat: false,
    };
    // Those above it, as far as they are missing.
    let mut above = Vec::new();
    let mut at = path::parent(&place);
    while at != path::QUOTA {
        above.push(at.to_owned());
        at = path::parent(at);
    }
    for path in above.iter().rev() {
        match session
            .quiet(path, Request::Write(create(path, None)))
            .await
        {
            Ok(_)
            | Err(Failure::Refused {
                error: Error::NodeExists,
                ..
            }) => {}
            Err(failure) => return Err(failure),
        }
    }
    let used = Some(Usage::default().to_string().into());
    let ops = vec![create(&place, data), create(&stats_path(path), used)];
    session.multi(path, Request::Multi(ops)).await
}

/// As ZooKeeper writes it; it reads both spellings.
fn text(limits: &Limits) -> String {
    let number = |limit: Option<i64>| limit.unwrap_or(-1);
    let (soft, hard) = (limits.soft, limits.hard);
    let mut text = format!("count={},bytes={}", number(soft.0), number(soft.1));
    if hard != (None, None) {
        text.push_str(&format!(
            "=;byteHardLimit={};countHardLimit={}",
            number(hard.1),
            number(hard.0)
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_the_servers_read() {
        let all = [None, Some(0), Some(7)];
        for soft in all.iter().zip(&all) {
            for hard in all.iter().zip(all.iter().rev()) {
                let limits = Limits {
                    soft: (*soft.0, *soft.1),
                    hard: (*hard.0, *hard.1),
                };
                assert_eq!(Limits::parse(text(&limits).as_bytes()), limits);
            }
        }
    }
}

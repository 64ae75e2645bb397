//! `explain`: who changed a znode last, or what became of a session, as far as the server knows.

use core::time::Duration;
use std::time::UNIX_EPOCH;

use otterkeeper_core::id::{Index, SessionId};
use otterkeeper_core::request::{
    CreateMode, Deed, Done, Explained, Fate, Moment, Request, Response, Subject,
};

use super::remote::{Failure, Session, znode};

/// Say who changed a znode last and when, or why a session ended.
#[derive(clap::Args)]
#[group(id = "subject", required = true, multiple = false, args = ["path", "session"])]
pub(crate) struct Args {
    /// A session, as a number such as 0x1f or 31.
    #[arg(long, value_name = "ID", value_parser = session)]
    session: Option<SessionId>,
    /// A znode, whether it is there or not.
    #[arg(value_parser = znode)]
    path: Option<String>,
}

pub(crate) async fn run(args: Args, session: &mut Session<'_>) -> Result<(), Failure> {
    let (subject, name) = match (args.path, args.session) {
        (Some(path), _) => (Subject::Znode(path.clone()), path),
        (None, id) => {
            let id = id.unwrap_or_default();
            (Subject::Session(id), format!("session {:#x}", id.0))
        }
    };
    let answer = session.ask(&name, Request::Explain(subject)).await?;
    let Response::Explained(explained) = answer else {
        return Ok(());
    };
    match explained {
        Explained::Znode { mode, last, since } => {
            session.say(kind(&name, mode))?;
            match last {
                Some(deed) => session.say(said(&deed)),
                None => session.say(format_args!(
                    "nobody changed it since zxid {:#x}; this server knows no more",
                    since.0
                )),
            }
        }
        Explained::Session { fate, since } => session.say(story(&name, fate, since)),
    }
}

fn kind(path: &str, mode: Option<CreateMode>) -> String {
    let kind = match mode {
        None => return format!("{path} does not exist"),
        Some(CreateMode::Persistent | CreateMode::PersistentSequential) => "persistent".to_owned(),
        Some(CreateMode::Ephemeral | CreateMode::EphemeralSequential) => "ephemeral".to_owned(),
        Some(CreateMode::Container | CreateMode::ContainerSequential) => "a container".to_owned(),
        Some(CreateMode::Ttl { ms } | CreateMode::TtlSequential { ms }) => {
            format!("there for {ms} ms behind its last change")
        }
    };
    format!("{path} is {kind}")
}

fn said(deed: &Deed) -> String {
    let what = match deed.what {
        Done::Created => "created",
        Done::DataSet => "data set",
        Done::AclSet => "access control list set",
        Done::Deleted => "deleted",
        Done::Ended => "deleted, because its session ended",
        Done::Cleaned => {
            "removed by the cluster, because nothing was left in it or its time was over"
        }
    };
    let at = Moment {
        zxid: deed.zxid,
        ms: deed.at_ms,
    };
    let mut text = format!("last change: {what} {}", when(at));
    if deed.session != SessionId(0) {
        text.push_str(&format!(" by session {:#x}", deed.session.0));
    }
    let names = deed.ids.iter().map(|id| format!("{}:{}", id.scheme, id.id));
    let names: Vec<String> = names.collect();
    if !names.is_empty() {
        text.push_str(&format!(" as {}", names.join(", ")));
    }
    text
}

fn story(name: &str, fate: Fate, since: Index) -> String {
    match fate {
        Fate::Alive {
            member,
            timeout_ms,
            ephemerals,
            silent_ms,
        } => {
            let heard = match silent_ms {
                Some(ms) => format!("the leader heard of it {ms} ms ago"),
                None => "only the leader knows when it was heard of".to_owned(),
            };
            format!(
                "{name} is alive: served by member {member}, timeout {timeout_ms} ms, {ephemerals} ephemeral \
                 znodes; {heard}"
            )
        }
        Fate::Closed(at) => format!("{name} was closed by its client {}", when(at)),
        Fate::Replaced(at, by) => format!(
            "{name} was replaced by its client, which opened session {:#x} {}",
            by.0,
            when(at)
        ),
        Fate::Expired {
            at,
            leader,
            silent_ms,
        } => format!(
            "{name} expired {}: member {leader}, which led, had heard nothing of it for {silent_ms} ms",
            when(at)
        ),
        Fate::Unknown => format!(
            "{name} does not live, and did not end since zxid {:#x}; this server knows no more",
            since.0
        ),
    }
}

fn when(Moment { zxid, ms }: Moment) -> String {
    let date = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_millis(ms));
    format!("at {date} (zxid {:#x})", zxid.0)
}

fn session(text: &str) -> Result<SessionId, String> {
    let number = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    number
        .map(SessionId)
        .map_err(|_| "expected a number, as 0x1f or 31".into())
}

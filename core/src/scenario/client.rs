//! What a client does in a line of a script: sessions, znodes, watches, recipes, and what a lock protects.

use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;

use super::parse::{list, node, number, span};
use super::words::client_name;
use crate::id::NodeId;
use crate::recipe::lock::Kind;
use crate::recipe::{Standing, Wish};
use crate::request::{Acl, CreateMode, Op, Read, ReadKind, Request};
use crate::sim::{ClientId, Intervention, Sim};

/// What a queue's producers say who do not care.
const PRIORITY: u16 = 100;

/// What stands in front of the numbers of clients that have no letters.
const NUMBERED: &str = "client-";

/// Whether this word is a client's name.
pub(super) fn is_name(word: &str) -> bool {
    let letter = word.len() == 1 && word.bytes().all(|letter| letter.is_ascii_lowercase());
    letter || numbered(word).is_some()
}

fn numbered(word: &str) -> Option<u32> {
    word.strip_prefix(NUMBERED)?.parse().ok()
}

/// Whether a line says what a client does.
#[must_use]
pub fn is_of_client(line: &str) -> bool {
    let first = line.split_whitespace().next().unwrap_or_default();
    first == "holder" || is_name(first)
}

/// Scripts' clients have letters for names, those of a visitor numbers.
pub(super) fn named(name: &str) -> ClientId {
    let letter = name.bytes().next().unwrap_or_default().into();
    ClientId(numbered(name).unwrap_or(letter))
}

/// The client whose recipe at this path has what it is for.
pub(super) fn holder(sim: &Sim, path: &str) -> Result<String, String> {
    let holds = |client: &ClientId| {
        let mut standings = sim.standings(*client);
        standings
            .any(|(_, at, standing)| at == path && matches!(standing, Standing::Holding { .. }))
    };
    let mut ids = sim.clients().map(|client| client.id);
    let holder = ids.find(holds).ok_or("nobody holds it")?;
    Ok(client_name(holder))
}

/// Sessions: `a at 2`, `a at 4,5 only`, `a at 4 only read-only timeout 4s`, `a at 2 repeat`, `a close`, `a kill`, `a pause`,
/// `a resume`. Znodes: `a create /x v`, `a create-ephemeral /x`, `a create-sequential /x-`, `a set /x v`,
/// `a set-if 0 /x v`, `a get /x`, `a latest /x`, `a delete /x`, `a ls /`, `a sync`. Watches: `a watch /x`,
/// `a get-watch /x`, `a ls-watch /x`. Recipes: `a lock /l`, `a unlock /l`, `a stand /e`, `a withdraw /e`,
/// `a put /q v`, `a take /q`, `a finish /q`, `a give-back /q`, `a join /g`, `a leave /g`, `a roll /g`. Outside:
/// `a store /l v` and, with a look at the token, `a store-fenced /l v`.
pub(super) fn deed(sim: &Sim, name: &str, words: &[&str]) -> Result<Intervention, String> {
    let client = named(name);
    let read = |kind, path: &str, watch| {
        Request::Read(Read {
            kind,
            path: path.into(),
            watch,
        })
    };
    let request = match *words {
        ["at", id] => {
            let node = node(sim, id)?;
            return Ok(Intervention::OpenClient { client, node });
        }
        ["at", ids, ref how @ ..] => return open(sim, client, list(sim, ids)?, how),
        ["close"] => return Ok(Intervention::CloseClient(client)),
        ["kill"] => return Ok(Intervention::KillClient(client)),
        ["pause"] => return Ok(Intervention::PauseClient(client)),
        ["resume"] => return Ok(Intervention::ResumeClient(client)),
        [verb @ ("store" | "store-fenced"), path, value] => {
            return Ok(Intervention::Store {
                client,
                path: path.into(),
                value: value.into(),
                fenced: verb == "store-fenced",
            });
        }
        ["create", path, ref rest @ ..] => create(path, data(rest), CreateMode::Persistent),
        ["create-ephemeral", path, ref rest @ ..] => {
            create(path, data(rest), CreateMode::Ephemeral)
        }
        ["create-sequential", path, ref rest @ ..] => {
            create(path, data(rest), CreateMode::PersistentSequential)
        }
        ["set", path, ref rest @ ..] => set(path, -1, data(rest)),
        ["set-if", version, path, ref rest @ ..] => set(path, version_of(version)?, data(rest)),
        ["delete", path] => Request::Write(Op::Delete {
            path: path.into(),
            version: -1,
        }),
        ["get", path] => read(ReadKind::Data, path, false),
        ["get-watch", path] => read(ReadKind::Data, path, true),
        ["latest", path] => Request::Latest(Read {
            kind: ReadKind::Data,
            path: path.into(),
            watch: false,
        }),
        ["watch", path] => read(ReadKind::Exists, path, true),
        ["ls", path] => read(ReadKind::Children, path, false),
        ["ls-watch", path] => read(ReadKind::Children, path, true),
        ["sync"] => Request::Sync { path: "/".into() },
        _ => {
            let wish = wish(words).ok_or("no such request")?;
            return Ok(Intervention::Recipe { client, wish });
        }
    };
    Ok(Intervention::Client { client, request })
}

fn open(
    sim: &Sim,
    client: ClientId,
    known: Vec<NodeId>,
    how: &[&str],
) -> Result<Intervention, String> {
    let (mut servers, mut timeout_ms) = (known.clone(), 10_000);
    let (mut read_only, mut repeat) = (false, false);
    // Those that were named come first, and then all others.
    servers.extend(sim.nodes().filter(|id| !known.contains(id)));
    let mut how = how.iter();
    while let Some(word) = how.next() {
        match *word {
            "only" => servers.truncate(known.len()),
            "read-only" => read_only = true,
            "repeat" => repeat = true,
            "timeout" => {
                let long = span(how.next().ok_or("timeout SPAN")?)?;
                timeout_ms = u32::try_from(long.as_ms()).map_err(|_| "too long")?;
            }
            other => return Err(alloc::format!("{other} is no way to connect")),
        }
    }
    Ok(Intervention::OpenClientWith {
        client,
        servers,
        timeout_ms,
        read_only,
        repeat,
    })
}

fn wish(words: &[&str]) -> Option<Wish> {
    let kind = Kind::Exclusive;
    let (verb, path, value) = match *words {
        [verb, path] => (verb, path.to_string(), None),
        [verb, path, value] => (verb, path.to_string(), Some(value)),
        _ => return None,
    };
    Some(match (verb, value) {
        ("put", Some(value)) => Wish::Put {
            path,
            priority: PRIORITY,
            value: value.into(),
        },
        ("lock", None) => Wish::Lock { path, kind },
        ("unlock", None) => Wish::Unlock { path, kind },
        ("stand", None) => Wish::Stand { path },
        ("withdraw", None) => Wish::Withdraw { path },
        ("take", None) => Wish::Take { path },
        ("finish", None) => Wish::Finish { path },
        ("give-back", None) => Wish::GiveBack { path },
        ("join", None) => Wish::Join { path },
        ("leave", None) => Wish::Leave { path },
        ("roll", None) => Wish::Call { path },
        _ => return None,
    })
}

fn data(words: &[&str]) -> Option<Bytes> {
    let first = words.first()?;
    Some(first.to_string().into_bytes().into())
}

fn version_of(text: &str) -> Result<i32, String> {
    i32::try_from(number(text)?).map_err(|_| alloc::format!("{text} is no version"))
}

fn create(path: &str, data: Option<Bytes>, mode: CreateMode) -> Request {
    Request::Write(Op::Create {
        path: path.into(),
        data,
        acl: vec![Acl::open()],
        mode,
        stat: false,
    })
}

fn set(path: &str, version: i32, data: Option<Bytes>) -> Request {
    Request::Write(Op::SetData {
        path: path.into(),
        data,
        version,
    })
}

//! A run's settings and what was done to it, in the words in which scripts say them. The scripts themselves are
//! not known here; whoever reads them has the same words.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;

use super::{ClientId, Intervention, SimConfig, Workload};
use crate::id::NodeId;
use crate::recipe::Wish;
use crate::recipe::lock::Kind;
use crate::request::{Acl, CreateMode, Op, Read, ReadKind, Request};
use crate::time::Span;

/// `nodes 3 seed 7 ...`, with what is not as a script has it anyway.
#[must_use]
pub fn settings(config: &SimConfig, seed: u64) -> String {
    let plain = SimConfig::new(config.nodes);
    let mut text = format!("nodes {} seed {seed}", config.nodes);
    let (node, usual) = (&config.node, &plain.node);
    if (node.election_min, node.election_spread) != (usual.election_min, usual.election_spread) {
        let (min, spread) = (node.election_min.0, node.election_spread.0);
        let _ = write!(text, " election {min}us+{spread}us");
    }
    let mut say = |name: &str, value: u64, usual: u64| {
        if value != usual {
            let _ = write!(text, " {name} {value}");
        }
    };
    let voters = config.voters.unwrap_or(config.nodes);
    say("voters", voters.into(), config.nodes.into());
    let (link, calm) = (&config.link, &plain.link);
    for (name, value, usual) in [
        ("loss", link.loss_per_mille, calm.loss_per_mille),
        (
            "duplicate",
            link.duplicate_per_mille,
            calm.duplicate_per_mille,
        ),
        ("reorder", link.reorder_per_mille, calm.reorder_per_mille),
        ("inflight", node.inflight_messages, usual.inflight_messages),
    ] {
        say(name, value.into(), usual.into());
    }
    for (name, value, usual) in [
        ("append-bytes", node.append_bytes, usual.append_bytes),
        ("compact", node.compact_entries, usual.compact_entries),
        ("keep", node.keep_entries, usual.keep_entries),
        ("keep-bytes", node.keep_bytes, usual.keep_bytes),
        (
            "part-bytes",
            node.snapshot_part_bytes,
            usual.snapshot_part_bytes,
        ),
    ] {
        say(name, value, usual);
    }
    if let Some(workload) = config.workload {
        let usual = Workload::default();
        say("clients", workload.clients.into(), usual.clients.into());
        let _ = write!(text, " workload {}", workload.ops_per_second);
        if workload.write_per_mille != usual.write_per_mille {
            let _ = write!(text, " writes {}", workload.write_per_mille);
        }
        if workload.repeat {
            text += " repeat on";
        }
    }
    if (link.delay_min, link.delay_max) != (calm.delay_min, calm.delay_max) {
        let _ = write!(text, " delay {}", range(link.delay_min, link.delay_max));
    }
    if config.disk != plain.disk {
        let _ = write!(text, " disk {}", range(config.disk.min, config.disk.max));
    }
    for (name, value, usual) in [
        (
            "container-check",
            node.container_check,
            usual.container_check,
        ),
        ("stall", node.disk_stall_limit, usual.disk_stall_limit),
    ] {
        if value != usual {
            let _ = write!(text, " {name} {}us", value.0);
        }
    }
    for (name, on) in [
        ("leases", node.lease_reads),
        ("read-only", node.read_only_mode),
    ] {
        if on {
            let _ = write!(text, " {name} on");
        }
    }
    if let Some(bug) = config.planted {
        let _ = write!(text, " planted {bug:?}");
    }
    text
}

/// An intervention as a script says it; none if a script has no words for it.
#[must_use]
pub fn deed(deed: &Intervention) -> Option<String> {
    Some(match deed {
        Intervention::Kill(id) => format!("kill {id}"),
        Intervention::Crash { node, keep } => format!("crash {node} keep {keep}"),
        Intervention::Restart(id) => format!("restart {id}"),
        Intervention::Pause(id) => format!("pause {id}"),
        Intervention::Resume(id) => format!("resume {id}"),
        Intervention::Isolate(id) => format!("isolate {id}"),
        Intervention::Rejoin(id) => format!("rejoin {id}"),
        Intervention::Cut { from, to } => format!("cut {from}->{to}"),
        Intervention::Heal { from, to } => format!("heal {from}->{to}"),
        Intervention::HealAll => "heal".into(),
        Intervention::Clog { from, to } => format!("clog {from}->{to}"),
        Intervention::Unclog { from, to } => format!("unclog {from}->{to}"),
        Intervention::ClockRate { node, per_mille } => format!("clock-rate {node} {per_mille}"),
        Intervention::ClockJump { node, by } => format!("clock-jump {node} {}us", by.0),
        Intervention::Delay { link, min, max } => {
            format!("delay {} {}", on(*link), range(*min, *max))
        }
        Intervention::Loss { link, per_mille } => format!("loss {} {per_mille}", on(*link)),
        Intervention::Duplicate { link, per_mille } => {
            format!("duplicates {} {per_mille}", on(*link))
        }
        Intervention::Reorder { link, per_mille } => format!("reorder {} {per_mille}", on(*link)),
        Intervention::DropFlight(flight) => format!("drop {}", flight.0),
        Intervention::DeliverFlight(flight) => format!("deliver {}", flight.0),
        Intervention::DuplicateFlight(flight) => format!("duplicate {}", flight.0),
        Intervention::DelayFlight { flight, by } => format!("hold {} {}us", flight.0, by.0),
        Intervention::FreezeDisk(id) => format!("freeze-disk {id}"),
        Intervention::ThawDisk(id) => format!("thaw-disk {id}"),
        Intervention::SlowDisk { node, min, max } => {
            format!("slow-disk {node} {}", range(*min, *max))
        }
        Intervention::Campaign(id) => format!("campaign {id}"),
        Intervention::Transfer { from, to: None } => format!("transfer {from}"),
        Intervention::Transfer { from, to: Some(to) } => format!("transfer {from} to {to}"),
        Intervention::Wipe(id) => format!("wipe {id}"),
        Intervention::CopyDisk(id) => format!("copy-disk {id}"),
        Intervention::PutBackDisk(id) => format!("put-back-disk {id}"),
        Intervention::Members {
            node,
            voters,
            learners,
        } => {
            let mut words = format!("members {node} to {}", list(voters));
            if !learners.is_empty() {
                words += &format!(" learners {}", list(learners));
            }
            words
        }
        Intervention::CancelTransfer(id) => format!("cancel-transfer {id}"),
        Intervention::TakeSnapshot(id) => format!("snapshot {id}"),
        Intervention::DropClient(client) => format!("drop-client {}", client.0),
        Intervention::Workload { ops_per_second } => format!("workload {ops_per_second}"),
        other => return of_client(other),
    })
}

/// What a client does, or what is done to it.
fn of_client(deed: &Intervention) -> Option<String> {
    let (client, words) = match deed {
        Intervention::OpenClient { client, node } => (client, format!("at {node}")),
        Intervention::OpenClientWith {
            client,
            servers,
            timeout_ms,
            read_only,
            repeat,
        } => {
            let look = if *read_only { " read-only" } else { "" };
            let again = if *repeat { " repeat" } else { "" };
            let servers = list(servers);
            let words = format!("at {servers} only{look}{again} timeout {timeout_ms}ms");
            (client, words)
        }
        Intervention::CloseClient(client) => (client, "close".into()),
        Intervention::KillClient(client) => (client, "kill".into()),
        Intervention::PauseClient(client) => (client, "pause".into()),
        Intervention::ResumeClient(client) => (client, "resume".into()),
        Intervention::Client { client, request } => (client, asked(request)?),
        Intervention::Recipe { client, wish } => (client, wished(wish)?),
        Intervention::Store {
            client,
            path,
            value,
            fenced,
        } => {
            let verb = if *fenced { "store-fenced" } else { "store" };
            (client, format!("{verb} {path} {value}"))
        }
        _ => return None,
    };
    Some(format!("{} {words}", name(*client)))
}

/// A client's name in scripts: those that scripts open have letters, all others numbers.
fn name(client: ClientId) -> String {
    match u8::try_from(client.0) {
        Ok(letter) if letter.is_ascii_lowercase() => char::from(letter).into(),
        _ => format!("client-{}", client.0),
    }
}

fn asked(request: &Request) -> Option<String> {
    let value = |data: &Option<bytes::Bytes>| match data {
        None => Some(String::new()),
        Some(data) => core::str::from_utf8(data)
            .ok()
            .map(|text| format!(" {text}")),
    };
    Some(match request {
        Request::Write(Op::Create {
            path,
            data,
            acl,
            mode,
            stat: false,
        }) if acl[..] == [Acl::open()] => {
            let verb = match mode {
                CreateMode::Persistent => "create",
                CreateMode::Ephemeral => "create-ephemeral",
                CreateMode::PersistentSequential => "create-sequential",
                _ => return None,
            };
            format!("{verb} {path}{}", value(data)?)
        }
        Request::Write(Op::SetData {
            path,
            data,
            version: -1,
        }) => format!("set {path}{}", value(data)?),
        Request::Write(Op::SetData {
            path,
            data,
            version,
        }) => format!("set-if {version} {path}{}", value(data)?),
        Request::Write(Op::Delete { path, version: -1 }) => format!("delete {path}"),
        Request::Read(Read { kind, path, watch }) => {
            let verb = match (kind, watch) {
                (ReadKind::Data, false) => "get",
                (ReadKind::Data, true) => "get-watch",
                (ReadKind::Exists, true) => "watch",
                (ReadKind::Children, false) => "ls",
                (ReadKind::Children, true) => "ls-watch",
                _ => return None,
            };
            format!("{verb} {path}")
        }
        Request::Latest(Read {
            kind: ReadKind::Data,
            path,
            watch: false,
        }) => format!("latest {path}"),
        Request::Sync { path } if path == "/" => "sync".into(),
        _ => return None,
    })
}

fn wished(wish: &Wish) -> Option<String> {
    let kind = Kind::Exclusive;
    let (verb, path) = match wish {
        Wish::Lock { path, kind: of } if *of == kind => ("lock", path),
        Wish::Unlock { path, kind: of } if *of == kind => ("unlock", path),
        Wish::Stand { path } => ("stand", path),
        Wish::Withdraw { path } => ("withdraw", path),
        Wish::Put { path, value, .. } => return Some(format!("put {path} {value}")),
        Wish::Take { path } => ("take", path),
        Wish::Finish { path } => ("finish", path),
        Wish::GiveBack { path } => ("give-back", path),
        Wish::Join { path } => ("join", path),
        Wish::Leave { path } => ("leave", path),
        Wish::Call { path } => ("roll", path),
        _ => return None,
    };
    Some(format!("{verb} {path}"))
}

/// A direction of a link, or all of them.
fn on(link: Option<(NodeId, NodeId)>) -> String {
    match link {
        Some((from, to)) => format!("{from}->{to}"),
        None => "all".into(),
    }
}

fn list(ids: &[NodeId]) -> String {
    let ids: Vec<String> = ids.iter().map(|id| format!("{id}")).collect();
    ids.join(",")
}

fn range(min: Span, max: Span) -> String {
    format!("{}us..{}us", min.0, max.0)
}

//! From a line of a script to a cluster and to what is done to it.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::Write as _;

use super::client;
use super::parse::{link, list, node, number, span, spans};
use super::words::cargo;
use crate::config::Bug;
use crate::id::NodeId;
use crate::sim::{ClientId, End, Flight, FlightId, Intervention, Sim, SimConfig, Workload, tell};
use crate::wire;

/// Clients that a script may set to work.
const CLIENTS: u64 = 1_000;

/// The cluster that the first line of a script asks for, and its seed:
///
/// ```text
/// nodes 3 voters 2 seed 7 election 200ms+200ms delay 5ms..15ms loss 20 duplicate 5 reorder 5 disk 1ms..3ms
///     clients 5 workload 50 writes 500 repeat on stall 800ms leases on container-check 500ms append-bytes 1 inflight 2
///     compact 10 keep 2 keep-bytes 500 part-bytes 100 read-only on planted CommitsAlone
/// ```
///
/// # Errors
/// What is wrong with the line.
pub fn set_up(words: &[&str]) -> Result<(SimConfig, u64), String> {
    let ["nodes", nodes, settings @ ..] = words else {
        return Err("a script begins with `nodes`".into());
    };
    let mut config = SimConfig::new(number(nodes)? as u8);
    let mut seed = 1;
    for pair in settings.chunks(2) {
        let [key, value] = pair else {
            return Err(format!("{pair:?} lacks a value"));
        };
        match *key {
            "voters" => config.voters = Some(number(value)? as u8),
            "seed" => seed = number(value)?,
            "election" => {
                let (min, spread) = value.split_once('+').ok_or("MIN+SPREAD")?;
                (config.node.election_min, config.node.election_spread) =
                    (span(min)?, span(spread)?);
            }
            "delay" => (config.link.delay_min, config.link.delay_max) = spans(value)?,
            "loss" => config.link.loss_per_mille = number(value)? as u32,
            "duplicate" => config.link.duplicate_per_mille = number(value)? as u32,
            "reorder" => config.link.reorder_per_mille = number(value)? as u32,
            "clients" => {
                let clients = number(value)?;
                if CLIENTS < clients {
                    return Err(format!("{value} are too many clients"));
                }
                workload(&mut config).clients = clients as u32;
            }
            "workload" => workload(&mut config).ops_per_second = number(value)? as u32,
            "repeat" => workload(&mut config).repeat = *value == "on",
            "writes" => workload(&mut config).write_per_mille = number(value)? as u32,
            "disk" => (config.disk.min, config.disk.max) = spans(value)?,
            "stall" => config.node.disk_stall_limit = span(value)?,
            "leases" => config.node.lease_reads = *value == "on",
            "container-check" => config.node.container_check = span(value)?,
            "append-bytes" => config.node.append_bytes = number(value)?,
            "inflight" => config.node.inflight_messages = number(value)? as u32,
            "compact" => config.node.compact_entries = number(value)?,
            "keep" => config.node.keep_entries = number(value)?,
            "keep-bytes" => config.node.keep_bytes = number(value)?,
            "read-only" => config.node.read_only_mode = *value == "on",
            "planted" => {
                let named = |bug: &&Bug| format!("{bug:?}") == *value;
                let bug = Bug::ALL.iter().find(named).copied();
                config.planted = Some(bug.ok_or_else(|| format!("{value} is no bug"))?);
            }
            "part-bytes" => config.node.snapshot_part_bytes = number(value)?,
            other => return Err(format!("{other} is no setting")),
        }
    }
    Ok((config, seed))
}

/// What a line does to a cluster: to members (`kill 1`, `isolate leader`, `pause follower`,
/// `restart all`), to links (`cut 1->2`, `delay 1->2 5ms..15ms`), to messages under way
/// (`drop 1->2 append`, `drop 17`), or by a client with a letter or a number for a name (`a at 2`, `client-7 create
/// /x v`) or by the one whose recipe at a path has what it is for (`holder /l kill`). What has no words is `raw` and
/// bytes.
///
/// # Errors
/// What is wrong with the line, or cannot be done now.
pub fn deeds(sim: &Sim, words: &[&str]) -> Result<Vec<Intervention>, String> {
    let all = |does: fn(&Sim, NodeId) -> bool, deed: fn(NodeId) -> Intervention| {
        let which = sim.nodes().filter(|id| does(sim, *id));
        which.map(deed).collect()
    };
    Ok(match words {
        ["restart", "all"] => all(|sim, id| sim.node(id).is_none(), Intervention::Restart),
        ["resume", "all"] => all(Sim::is_paused, Intervention::Resume),
        ["holder", path, request @ ..] => {
            let holder = client::holder(sim, path)?;
            vec![client::deed(sim, &holder, request)?]
        }
        ["split", halves @ ..] => split(sim, halves)?,
        [name, request @ ..] if client::is_name(name) => {
            vec![client::deed(sim, name, request)?]
        }
        _ => vec![deed(sim, words)?],
    })
}

fn deed(sim: &Sim, words: &[&str]) -> Result<Intervention, String> {
    let node = |text: &str| node(sim, text);
    let link = |text: &str| link(sim, text);
    let list = |text: &str| list(sim, text);
    let find = |on: &str, kind: &str| find(sim, on, kind);
    let links = |text: &str| match text {
        "all" => Ok(None),
        _ => link(text).map(Some),
    };
    let flight = |id: &str| number(id).map(FlightId);
    Ok(match *words {
        ["campaign", id] => Intervention::Campaign(node(id)?),
        ["transfer", from, "to", to] => Intervention::Transfer {
            from: node(from)?,
            to: Some(node(to)?),
        },
        ["transfer", from] => Intervention::Transfer {
            from: node(from)?,
            to: None,
        },
        ["wipe", id] => Intervention::Wipe(node(id)?),
        ["copy-disk", id] => Intervention::CopyDisk(node(id)?),
        ["put-back-disk", id] => Intervention::PutBackDisk(node(id)?),
        ["members", id, "to", "all"] => Intervention::Members {
            node: node(id)?,
            voters: sim.nodes().collect(),
            learners: Vec::new(),
        },
        ["members", id, "to", voters] => Intervention::Members {
            node: node(id)?,
            voters: list(voters)?,
            learners: Vec::new(),
        },
        ["members", id, "to", voters, "learners", learners] => Intervention::Members {
            node: node(id)?,
            voters: list(voters)?,
            learners: list(learners)?,
        },
        ["cancel-transfer", id] => Intervention::CancelTransfer(node(id)?),
        ["kill", id] => Intervention::Kill(node(id)?),
        ["crash", id, "keep", keep] => Intervention::Crash {
            node: node(id)?,
            keep: number(keep)? as u32,
        },
        ["restart", id] => Intervention::Restart(node(id)?),
        ["pause", id] => Intervention::Pause(node(id)?),
        ["resume", id] => Intervention::Resume(node(id)?),
        ["isolate", id] => Intervention::Isolate(node(id)?),
        ["rejoin", id] => Intervention::Rejoin(node(id)?),
        ["heal"] => Intervention::HealAll,
        ["cut", on] => {
            let (from, to) = link(on)?;
            Intervention::Cut { from, to }
        }
        ["heal", on] => {
            let (from, to) = link(on)?;
            Intervention::Heal { from, to }
        }
        ["loss", on, per_mille] => Intervention::Loss {
            link: links(on)?,
            per_mille: number(per_mille)? as u32,
        },
        ["duplicates", on, per_mille] => Intervention::Duplicate {
            link: links(on)?,
            per_mille: number(per_mille)? as u32,
        },
        ["reorder", on, per_mille] => Intervention::Reorder {
            link: links(on)?,
            per_mille: number(per_mille)? as u32,
        },
        ["delay", on, delay] => {
            let (min, max) = spans(delay)?;
            let link = links(on)?;
            Intervention::Delay { link, min, max }
        }
        ["clog", on] => {
            let (from, to) = link(on)?;
            Intervention::Clog { from, to }
        }
        ["unclog", on] => {
            let (from, to) = link(on)?;
            Intervention::Unclog { from, to }
        }
        ["clock-rate", id, per_mille] => Intervention::ClockRate {
            node: node(id)?,
            per_mille: number(per_mille)? as u32,
        },
        ["clock-jump", id, by] => Intervention::ClockJump {
            node: node(id)?,
            by: span(by)?,
        },
        ["freeze-disk", id] => Intervention::FreezeDisk(node(id)?),
        ["thaw-disk", id] => Intervention::ThawDisk(node(id)?),
        ["slow-disk", id, latency] => {
            let (min, max) = spans(latency)?;
            Intervention::SlowDisk {
                node: node(id)?,
                min,
                max,
            }
        }
        ["drop-client", id] => Intervention::DropClient(ClientId(number(id)? as u32)),
        ["snapshot", id] => Intervention::TakeSnapshot(node(id)?),
        ["workload", rate] => Intervention::Workload {
            ops_per_second: number(rate)? as u32,
        },
        ["drop", id] => Intervention::DropFlight(flight(id)?),
        ["deliver", id] => Intervention::DeliverFlight(flight(id)?),
        ["duplicate", id] => Intervention::DuplicateFlight(flight(id)?),
        ["hold", id, by] => Intervention::DelayFlight {
            flight: flight(id)?,
            by: span(by)?,
        },
        ["raw", bytes] => raw(bytes)?,
        ["drop", on, kind] => Intervention::DropFlight(find(on, kind)?),
        ["deliver", on, kind] => Intervention::DeliverFlight(find(on, kind)?),
        ["duplicate", on, kind] => Intervention::DuplicateFlight(find(on, kind)?),
        ["hold", on, kind, by] => Intervention::DelayFlight {
            flight: find(on, kind)?,
            by: span(by)?,
        },
        _ => return Err("no such command".into()),
    })
}

/// The line for an intervention: [`deeds`] reads it as the same one.
pub(super) fn line(sim: &Sim, deed: &Intervention) -> String {
    if let Some(line) = tell::deed(deed) {
        let words: Vec<&str> = line.split_whitespace().collect();
        // A value with a blank in it, say, has no words either. A quote could end the string of an exported test.
        if !line.contains('"') && deeds(sim, &words).is_ok_and(|read| read[..] == [deed.clone()]) {
            return line;
        }
    }
    let mut bytes = Vec::new();
    wire::encode(deed, &mut bytes);
    let mut line = String::from("raw ");
    bytes.iter().for_each(|byte| {
        let _ = write!(line, "{byte:02x}");
    });
    line
}

fn raw(text: &str) -> Result<Intervention, String> {
    let bad = || format!("{text} is no intervention");
    let digits = text.as_bytes().chunks(2);
    let bytes = digits.map(|pair| {
        let pair = core::str::from_utf8(pair).ok()?;
        u8::from_str_radix(pair, 16).ok()
    });
    let bytes: Vec<u8> = bytes.collect::<Option<_>>().ok_or_else(bad)?;
    wire::decoded(&bytes).map_err(|_| bad())
}

/// `split 1,2,3 4,5`: no message passes between the parts, in either direction.
fn split(sim: &Sim, parts: &[&str]) -> Result<Vec<Intervention>, String> {
    let parts = parts.iter().map(|part| list(sim, part));
    let parts: Vec<Vec<NodeId>> = parts.collect::<Result<_, String>>()?;
    let mut cuts = Vec::new();
    for (place, part) in parts.iter().enumerate() {
        let others = parts
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != place);
        for to in others.flat_map(|(_, other)| other.iter().copied()) {
            cuts.extend(
                part.iter()
                    .map(|from| Intervention::Cut { from: *from, to }),
            );
        }
    }
    Ok(cuts)
}

/// The first message of this kind on this way.
pub(super) fn find(sim: &Sim, on: &str, kind: &str) -> Result<FlightId, String> {
    let (from, to) = link(sim, on)?;
    let fits = |flight: &&Flight| {
        (flight.from, flight.to) == (End::Node(from), End::Node(to))
            && cargo(&flight.cargo).split(' ').next() == Some(kind)
    };
    let found = sim.flights().find(fits).map(|flight| flight.id);
    found.ok_or_else(|| format!("no {kind} is under way"))
}

/// The clients that work by themselves, from now on some.
fn workload(config: &mut SimConfig) -> &mut Workload {
    config.workload.get_or_insert_default()
}

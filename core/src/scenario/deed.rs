//! From a line of a script to a cluster and to what is done to it.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use super::parse::{link, list, node, number, span, spans};
use super::words::cargo;
use crate::id::NodeId;
use crate::recipe::Wish;
use crate::recipe::lock::Kind;
use crate::request::{Acl, CreateMode, Op, Read, ReadKind, Request};
use crate::sim::{ClientId, End, Flight, FlightId, Intervention, Sim, SimConfig, Workload};

/// The cluster that the first line of a script asks for, and its seed:
///
/// ```text
/// nodes 3 voters 2 seed 7 election 200ms+200ms delay 5ms..15ms loss 20 duplicate 5 reorder 5 disk 1ms..3ms
///     clients 5 workload 50 stall 800ms append-bytes 1 inflight 2 compact 10 keep 2 part-bytes 100
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
            "clients" => workload(&mut config).clients = number(value)? as u32,
            "workload" => workload(&mut config).ops_per_second = number(value)? as u32,
            "disk" => (config.disk.min, config.disk.max) = spans(value)?,
            "stall" => config.node.disk_stall_limit = span(value)?,
            "leases" => config.node.lease_reads = *value == "on",
            "append-bytes" => config.node.append_bytes = number(value)?,
            "inflight" => config.node.inflight_messages = number(value)? as u32,
            "compact" => config.node.compact_entries = number(value)?,
            "keep" => config.node.keep_entries = number(value)?,
            "part-bytes" => config.node.snapshot_part_bytes = number(value)?,
            other => return Err(format!("{other} is no setting")),
        }
    }
    Ok((config, seed))
}

/// What a line does to a cluster: to members (`kill 1`, `isolate leader`, `pause follower`,
/// `restart all`), to links (`cut 1->2`, `delay 1->2 5ms..15ms`), to messages under way
/// (`drop 1->2 append`), or by a client with a letter for a name (`a at 2`, `a create /x v`).
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
        [client, request @ ..] if client.len() == 1 => {
            vec![by_client(sim, client, request)?]
        }
        _ => vec![deed(sim, words)?],
    })
}

fn deed(sim: &Sim, words: &[&str]) -> Result<Intervention, String> {
    let node = |text: &str| node(sim, text);
    let link = |text: &str| link(sim, text);
    let list = |text: &str| list(sim, text);
    let find = |on: &str, kind: &str| find(sim, on, kind);
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
            link: Some(link(on)?),
            per_mille: number(per_mille)? as u32,
        },
        ["delay", on, delay] => {
            let (min, max) = spans(delay)?;
            Intervention::Delay {
                link: Some(link(on)?),
                min,
                max,
            }
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

/// `a at 2`, `a create /x v`, `a create-ephemeral /x`, `a set /x v`, `a get /x`, `a latest /x`, `a watch /x`,
/// `a delete /x`, `a ls /`, `a sync`, `a close`, `a kill`, `a pause`, `a resume`, `a lock /l`, `a unlock /l`,
/// `a stand /e`, `a withdraw /e`.
fn by_client(sim: &Sim, name: &str, words: &[&str]) -> Result<Intervention, String> {
    let client = client(name);
    let data = |words: &[&str]| {
        words
            .first()
            .map(|text| text.to_string().into_bytes().into())
    };
    let read = |kind, path: &str, watch| {
        Request::Read(Read {
            kind,
            path: path.into(),
            watch,
        })
    };
    let create = |path: &str, data, mode| {
        Request::Write(Op::Create {
            path: path.into(),
            data,
            acl: vec![Acl::open()],
            mode,
            stat: false,
        })
    };
    let request = match *words {
        ["at", id] => {
            let node = node(sim, id)?;
            return Ok(Intervention::OpenClient { client, node });
        }
        ["close"] => return Ok(Intervention::CloseClient(client)),
        ["kill"] => return Ok(Intervention::KillClient(client)),
        ["pause"] => return Ok(Intervention::PauseClient(client)),
        ["resume"] => return Ok(Intervention::ResumeClient(client)),
        [verb @ ("lock" | "unlock" | "stand" | "withdraw"), path] => {
            let path = path.into();
            let kind = Kind::Exclusive;
            let wish = match verb {
                "lock" => Wish::Lock { path, kind },
                "unlock" => Wish::Unlock { path, kind },
                "stand" => Wish::Stand { path },
                _ => Wish::Withdraw { path },
            };
            return Ok(Intervention::Recipe { client, wish });
        }
        ["create", path, ref rest @ ..] => create(path, data(rest), CreateMode::Persistent),
        ["create-ephemeral", path, ref rest @ ..] => {
            create(path, data(rest), CreateMode::Ephemeral)
        }
        ["set", path, ref rest @ ..] => Request::Write(Op::SetData {
            path: path.into(),
            data: data(rest),
            version: -1,
        }),
        ["delete", path] => Request::Write(Op::Delete {
            path: path.into(),
            version: -1,
        }),
        ["get", path] => read(ReadKind::Data, path, false),
        ["latest", path] => Request::Latest(Read {
            kind: ReadKind::Data,
            path: path.into(),
            watch: false,
        }),
        ["watch", path] => read(ReadKind::Exists, path, true),
        ["ls", path] => read(ReadKind::Children, path, false),
        ["sync"] => Request::Sync { path: "/".into() },
        _ => return Err("no such request".into()),
    };
    Ok(Intervention::Client { client, request })
}

/// Scripts' clients have letters for names.
pub(super) fn client(name: &str) -> ClientId {
    ClientId(name.bytes().next().unwrap_or_default().into())
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

//! Plays the commands of a story on a simulated cluster.

use std::collections::BTreeMap;

use otterkeeper_core::config::Bug;
use otterkeeper_core::id::NodeId;
use otterkeeper_core::node::Note;
use otterkeeper_core::raft::note::{Note as RaftNote, Role};
use otterkeeper_core::request::{Acl, CreateMode, Op, Read, ReadKind, Request};
use otterkeeper_core::sim::swarm::recover;
use otterkeeper_core::sim::{
    ClientId, End, Flight, FlightId, Intervention, Sim, SimConfig, What, Workload,
};

use super::condition::PATIENCE;
use super::parse::{list, node, number, span, spans};
use super::words::{cargo, moment, sentence};
use super::{By, Complaint};

pub(super) struct Stage {
    sim: Option<Sim>,
    /// What every member has.
    bug: Option<Bug>,
    pub(super) out: String,
    /// Whether arrivals of messages are told.
    messages: bool,
    /// Broken invariants that were told of.
    broken: usize,
    /// How often each member has refused an append, and asked whether it could win.
    pub(super) refusals: BTreeMap<NodeId, u64>,
    pub(super) campaigns: BTreeMap<NodeId, u64>,
}

pub(super) type Played = Result<(), String>;

/// Why a command of a story fails.
pub(super) enum Miss {
    /// It cannot be carried out.
    Command(String),
    /// It is an `expect`, and that does not hold.
    Expect,
    /// It is an `until`, and that does not come.
    Until(String),
    /// It is `recover`, and the cluster does not.
    Recovery(String),
}

impl From<String> for Miss {
    fn from(text: String) -> Self {
        Self::Command(text)
    }
}

impl Stage {
    pub(super) fn new(bug: Option<Bug>) -> Self {
        Self {
            sim: None,
            bug,
            out: String::new(),
            messages: false,
            broken: 0,
            refusals: BTreeMap::new(),
            campaigns: BTreeMap::new(),
        }
    }

    pub(super) fn play(&mut self, line: &str) -> Result<(), Miss> {
        let words: Vec<&str> = line.split_whitespace().collect();
        if words[0] == "nodes" {
            return Ok(self.set_up(&words)?);
        }
        self.observe();
        match words[..] {
            ["run", time] => {
                let until = self.sim()?.now() + span(time)?;
                self.sim()?.run_until(until, u64::MAX);
            }
            ["at", time] => {
                let until = self.sim()?.config().start + span(time)?;
                self.sim()?.run_until(until, u64::MAX);
            }
            ["recover"] => {
                if let Some(failure) = recover(self.sim()?) {
                    let text = format!("{}: {}", failure.name, failure.text);
                    return Err(Miss::Recovery(text));
                }
            }
            ["until", ref condition @ ..] => {
                if !self.until(condition)? {
                    let text = format!("has not come after {} ms", PATIENCE.as_ms());
                    return Err(Miss::Until(text));
                }
            }
            ["expect", ref condition @ ..] => {
                if !self.holds(condition)? {
                    return Err(Miss::Expect);
                }
                self.line("ok");
            }
            ["messages", on] => self.messages = on == "on",
            ["status"] => self.status()?,
            ["log"] => self.logs()?,
            ["flights"] => self.flights()?,
            [client, ref request @ ..] if client.len() == 1 => self.client(client, request)?,
            _ => {
                let deed = self.deed(&words)?;
                self.sim()?.apply(&deed);
            }
        }
        self.observe();
        Ok(())
    }

    /// `nodes 3 seed 7 election 200ms+200ms delay 5ms..15ms loss 20 append-bytes 1 compact 10 keep 2
    /// disk 1ms..3ms clients 5 workload 50`
    fn set_up(&mut self, words: &[&str]) -> Played {
        let mut config = SimConfig::new(number(words.get(1).copied().unwrap_or(""))? as u8);
        config.planted = self.bug;
        let mut seed = 1;
        for pair in words[2..].chunks(2) {
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
                "append-bytes" => config.node.append_bytes = number(value)?,
                "inflight" => config.node.inflight_messages = number(value)? as u32,
                "compact" => config.node.compact_entries = number(value)?,
                "keep" => config.node.keep_entries = number(value)?,
                "part-bytes" => config.node.snapshot_part_bytes = number(value)?,
                other => return Err(format!("{other} is no setting")),
            }
        }
        self.sim = Some(Sim::new(config, seed));
        Ok(())
    }

    fn deed(&mut self, words: &[&str]) -> Result<Intervention, String> {
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
            ["cut", link] => {
                let (from, to) = self.link(link)?;
                Intervention::Cut { from, to }
            }
            ["heal", link] => {
                let (from, to) = self.link(link)?;
                Intervention::Heal { from, to }
            }
            ["loss", link, per_mille] => Intervention::Loss {
                link: Some(self.link(link)?),
                per_mille: number(per_mille)? as u32,
            },
            ["delay", link, delay] => {
                let (min, max) = spans(delay)?;
                Intervention::Delay {
                    link: Some(self.link(link)?),
                    min,
                    max,
                }
            }
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
            ["drop", link, kind] => Intervention::DropFlight(self.find(link, kind)?),
            ["deliver", link, kind] => Intervention::DeliverFlight(self.find(link, kind)?),
            ["duplicate", link, kind] => Intervention::DuplicateFlight(self.find(link, kind)?),
            ["hold", link, kind, by] => Intervention::DelayFlight {
                flight: self.find(link, kind)?,
                by: span(by)?,
            },
            _ => return Err("no such command".into()),
        })
    }

    /// `a at 2`, `a create /x v`, `a create-ephemeral /x`, `a set /x v`, `a get /x`, `a watch /x`,
    /// `a delete /x`, `a ls /`, `a sync`, `a close`, `a kill`.
    fn client(&mut self, name: &str, words: &[&str]) -> Played {
        let client = ClientId(u32::from(name.as_bytes()[0]));
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
                let node = node(id)?;
                self.sim()?
                    .apply(&Intervention::OpenClient { client, node });
                return Ok(());
            }
            ["close"] => {
                self.sim()?.apply(&Intervention::CloseClient(client));
                return Ok(());
            }
            ["kill"] => {
                self.sim()?.apply(&Intervention::KillClient(client));
                return Ok(());
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
        self.sim()?.apply(&Intervention::Client { client, request });
        Ok(())
    }

    /// The first message of this kind on this way.
    pub(super) fn find(&mut self, link: &str, kind: &str) -> Result<FlightId, String> {
        let (from, to) = self.link(link)?;
        let fits = |flight: &&Flight| {
            (flight.from, flight.to) == (End::Node(from), End::Node(to))
                && cargo(&flight.cargo).split(' ').next() == Some(kind)
        };
        let found = self.sim()?.flights().find(fits).map(|flight| flight.id);
        found.ok_or_else(|| format!("no {kind} is under way"))
    }

    fn link(&self, text: &str) -> Result<(NodeId, NodeId), String> {
        let (from, to) = text.split_once("->").ok_or("FROM->TO")?;
        Ok((node(from)?, node(to)?))
    }

    pub(super) fn sim(&mut self) -> Result<&mut Sim, String> {
        self.sim
            .as_mut()
            .ok_or_else(|| "a script begins with `nodes`".into())
    }

    /// Events that have happened.
    pub(super) fn events(&self) -> u64 {
        self.sim.as_ref().map_or(0, Sim::events)
    }

    /// The invariants that broke since this was asked before.
    pub(super) fn violations(&mut self) -> Vec<Complaint> {
        let Some(sim) = &self.sim else {
            return Vec::new();
        };
        let new = &sim.violations()[self.broken..];
        self.broken += new.len();
        new.iter()
            .map(|violation| Complaint {
                by: By::Invariant(violation.invariant),
                event: violation.event,
                text: format!("{}: {}", violation.invariant.name(), violation.text),
            })
            .collect()
    }

    pub(super) fn line(&mut self, text: &str) {
        self.out += text;
        self.out += "\n";
    }

    /// Writes down what has happened.
    pub(super) fn observe(&mut self) {
        let Some(sim) = &mut self.sim else { return };
        let start = sim.config().start;
        for event in sim.take_log() {
            if let What::Note { node, note } = &event.what {
                let tally = match note {
                    Note::Raft(RaftNote::Refused { .. }) => Some(&mut self.refusals),
                    Note::Raft(RaftNote::Role { role, .. }) if *role == Role::PreCandidate => {
                        Some(&mut self.campaigns)
                    }
                    _ => None,
                };
                if let Some(tally) = tally {
                    *tally.entry(*node).or_default() += 1;
                }
            }
            if let Some(text) = sentence(&event.what, self.messages) {
                let at = moment(start, event.time);
                self.line(&format!("{at} {text}"));
            }
        }
    }
}

/// The clients that work by themselves, from now on some.
fn workload(config: &mut SimConfig) -> &mut Workload {
    config.workload.get_or_insert_default()
}

//! Stories: each file in `scripts/` is a list of commands with everything that came of them written
//! under `----`. A change of behaviour shows as a change of a story.
//! `OTTERKEEPER_REWRITE=1` writes the files anew; what a story insists on with `expect` holds then too.

use core::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use otterkeeper_core::command::{Command, WriteRequest};
use otterkeeper_core::config::Bug;
use otterkeeper_core::id::{Index, NodeId};
use otterkeeper_core::message::Message;
use otterkeeper_core::node::{Note, SnapshotStage, View};
use otterkeeper_core::raft::message::{Entry, Message as Raft, Payload};
use otterkeeper_core::raft::note::{Note as RaftNote, Role, TransferStage};
use otterkeeper_core::request::{Acl, CreateMode, Op, Read, ReadKind, Reply, Request, Response};
use otterkeeper_core::sim::swarm::recover;
use otterkeeper_core::sim::{
    Cargo, ClientEvent, ClientId, End, Flight, Intervention, Invariant, LossReason, Sim, SimConfig,
    What, Workload,
};
use otterkeeper_core::time::{Span, Time};
use otterkeeper_core::wire;

/// No `until` waits longer than this.
const PATIENCE: Span = Span::from_ms(60_000);

#[test]
fn stories() {
    let only = env::var("OTTERKEEPER_SCRIPT").ok();
    let rewrite = env::var_os("OTTERKEEPER_REWRITE").is_some();
    let mut failed = Vec::new();
    for path in scripts() {
        let name = path
            .file_stem()
            .expect("it has a name")
            .to_string_lossy()
            .into_owned();
        if only
            .as_ref()
            .is_some_and(|only| !name.contains(only.as_str()))
        {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a script can be read");
        let story = tell(&text, None);
        if !story.complaints.is_empty() {
            println!("{name}: {}", story.complaints.join("\n  "));
            failed.push(name);
            if rewrite {
                fs::write(&path, story.text).expect("a script can be written");
            }
        } else if story.text != text {
            if rewrite {
                fs::write(&path, story.text).expect("a script can be written");
                continue;
            }
            println!("{name} tells another story now; OTTERKEEPER_REWRITE=1 writes it anew:");
            print_difference(&text, &story.text);
            failed.push(name);
        }
    }
    assert!(failed.is_empty(), "failed: {}", failed.join(", "));
}

/// Plays a script with a bug planted, and says which invariant noticed it and after how many events.
pub(crate) fn play_with_bug(name: &str, bug: Bug) -> Option<(Invariant, u64)> {
    let path = scripts()
        .into_iter()
        .find(|path| path.file_stem().is_some_and(|stem| stem == name));
    let text = fs::read_to_string(path.expect("a script of this name")).expect("it can be read");
    tell(&text, Some(bug)).broken
}

/// What does not hold in a script.
pub(crate) fn complaints(text: &str, bug: Option<Bug>) -> Vec<String> {
    tell(text, bug).complaints
}

fn scripts() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    let files = fs::read_dir(folder).expect("the folder is there");
    let mut paths: Vec<PathBuf> = files
        .map(|file| file.expect("it can be listed").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    paths.sort();
    paths
}

struct Story {
    /// The script with what came of it.
    text: String,
    /// What did not hold.
    complaints: Vec<String>,
    /// The first broken invariant.
    broken: Option<(Invariant, u64)>,
}

/// Plays all commands. The comments stay, everything under `----` is written anew.
fn tell(text: &str, bug: Option<Bug>) -> Story {
    let mut stage = Stage {
        sim: None,
        bug,
        out: String::new(),
        messages: false,
    };
    let mut story = String::new();
    let mut complaints = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        story += line;
        story += "\n";
        if line == "----" {
            while lines.peek().is_some_and(|line| !line.is_empty()) {
                lines.next();
            }
            stage.observe();
            story += &core::mem::take(&mut stage.out);
        } else if !line.is_empty()
            && !line.starts_with('#')
            && let Err(complaint) = stage.play(line)
        {
            complaints.push(format!("{line}: {complaint}"));
        }
    }
    let mut broken = None;
    if let Some(sim) = &stage.sim {
        for violation in sim.violations() {
            complaints.push(format!(
                "{}: {}",
                violation.invariant.name(),
                violation.text
            ));
        }
        broken = sim
            .violations()
            .first()
            .map(|violation| (violation.invariant, violation.event));
    }
    Story {
        text: story,
        complaints,
        broken,
    }
}

struct Stage {
    sim: Option<Sim>,
    bug: Option<Bug>,
    out: String,
    /// Whether arrivals of messages are told.
    messages: bool,
}

type Played = Result<(), String>;

impl Stage {
    fn play(&mut self, line: &str) -> Played {
        let words: Vec<&str> = line.split_whitespace().collect();
        if words[0] == "nodes" {
            return self.set_up(&words);
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
                    return Err(format!("{}: {}", failure.name, failure.text));
                }
            }
            ["until", ref condition @ ..] => self.until(condition)?,
            ["expect", ref condition @ ..] => {
                if !self.holds(condition)? {
                    return Err("does not hold".into());
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

    fn until(&mut self, condition: &[&str]) -> Played {
        let deadline = self.sim()?.now() + PATIENCE;
        while !self.holds(condition)? {
            if deadline < self.sim()?.now() || !self.sim()?.step_event() {
                return Err(format!("has not come after {} ms", PATIENCE.as_ms()));
            }
            self.observe();
        }
        Ok(())
    }

    /// `leader`, `leader 2`, `no leader`, `role 3 follower`, `term 2 < 5`, `commit 3 = 7`, `same`,
    /// `answered`, `flight 1->2 append`, `entry 3 4@2`, `snapshot 3 > 0`.
    fn holds(&mut self, words: &[&str]) -> Result<bool, String> {
        let sim = self.sim()?;
        Ok(match *words {
            ["leader"] => sim.leader().is_some(),
            ["leader", id] => sim.leader() == Some(node(id)?),
            ["no", "leader"] => sim.leader().is_none(),
            ["role", id, role] => role_name(view(sim, id)?.role()) == role,
            ["same"] => {
                let views: Vec<View<'_>> = sim.nodes().filter_map(|id| sim.node(id)).collect();
                let states: Vec<_> = views
                    .iter()
                    .map(|v| (v.last(), v.commit(), v.tree_digest()))
                    .collect();
                states.windows(2).all(|pair| pair[0] == pair[1])
                    && views.iter().all(|view| view.commit() == view.last().index)
            }
            ["answered"] => sim
                .clients()
                .all(|client| client.attached && client.pending == 0),
            ["unanswered", name] => {
                let id = ClientId(u32::from(name.as_bytes()[0]));
                sim.clients()
                    .any(|client| client.id == id && 0 < client.pending)
            }
            ["flight", link, kind] => self.find(link, kind).is_ok(),
            ["no", "flight", link, kind] => self.find(link, kind).is_err(),
            ["entry", id, at] => {
                let (index, term) = at.split_once('@').ok_or("INDEX@TERM")?;
                let entry = view(sim, id)?
                    .entry(Index(number(index)?))
                    .map(|entry| entry.id.term.0);
                entry == Some(number(term)?)
            }
            [what, id, than, value] => {
                let (value, disk) = (number(value)?, sim.disk(node(id)?));
                let found = match what {
                    "synced" => disk.ok_or("no such node")?.last.0,
                    "snapshot" => disk.ok_or("no such node")?.snapshot.0,
                    "term" => view(sim, id)?.term().0,
                    "commit" => view(sim, id)?.commit().0,
                    "applied" => view(sim, id)?.applied().0,
                    "durable" => view(sim, id)?.durable().0,
                    "last" => view(sim, id)?.last().index.0,
                    _ => return Err(format!("{what} is no number of a node")),
                };
                match than {
                    "=" => found == value,
                    "<" => found < value,
                    ">" => value < found,
                    _ => return Err(format!("{than} is not =, < or >")),
                }
            }
            _ => return Err("no such condition".into()),
        })
    }

    fn status(&mut self) -> Played {
        let sim = self.sim()?.clone();
        for id in sim.nodes() {
            let disk = sim.disk(id).ok_or("no such node")?;
            let mut text = match sim.node(id) {
                None => format!("{id} down"),
                Some(view) => {
                    let vote = view.voted_for().map_or("-".into(), |id| id.to_string());
                    format!(
                        "{id} {:<13} term {} vote {vote} log {}..{} commit {} applied {} durable {}",
                        role_name(view.role()),
                        view.term(),
                        view.first_index(),
                        view.last(),
                        view.commit(),
                        view.applied(),
                        view.durable(),
                    )
                }
            };
            let _ = write!(text, " disk {}", disk.last);
            for (is, word) in [
                (disk.frozen, "frozen"),
                (sim.is_paused(id), "paused"),
                (sim.is_isolated(id), "isolated"),
            ] {
                if is {
                    text += " ";
                    text += word;
                }
            }
            self.line(&text);
        }
        Ok(())
    }

    fn logs(&mut self) -> Played {
        let sim = self.sim()?.clone();
        for id in sim.nodes() {
            let Some(view) = sim.node(id) else {
                self.line(&format!("{id} down"));
                continue;
            };
            let mut text = format!("{id}");
            if 1 < view.first_index().0 {
                let _ = write!(text, " (to {})", view.first_index().prev());
            }
            for index in view.first_index().0..=view.last().index.0 {
                if let Some(entry) = view.entry(Index(index)) {
                    let mark = if entry.id.index <= view.commit() {
                        ""
                    } else {
                        "?"
                    };
                    let _ = write!(text, " | {}{mark} {}", entry.id, payload(entry));
                }
            }
            self.line(&text);
        }
        Ok(())
    }

    fn flights(&mut self) -> Played {
        let sim = self.sim()?.clone();
        for flight in sim.flights() {
            self.line(&format!(
                "{} {}",
                ends(flight.from, flight.to),
                cargo(&flight.cargo)
            ));
        }
        Ok(())
    }

    /// The first message of this kind on this way.
    fn find(&mut self, link: &str, kind: &str) -> Result<otterkeeper_core::sim::FlightId, String> {
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

    fn sim(&mut self) -> Result<&mut Sim, String> {
        self.sim
            .as_mut()
            .ok_or_else(|| "a script begins with `nodes`".into())
    }

    fn line(&mut self, text: &str) {
        self.out += text;
        self.out += "\n";
    }

    /// Writes down what has happened.
    fn observe(&mut self) {
        let Some(sim) = &mut self.sim else { return };
        let start = sim.config().start;
        for event in sim.take_log() {
            if let Some(text) = sentence(&event.what, self.messages) {
                let at = moment(start, event.time);
                self.line(&format!("{at} {text}"));
            }
        }
    }
}

/// One line for what happened; none for what the stories leave out.
pub(crate) fn sentence(what: &What, messages: bool) -> Option<String> {
    Some(match what {
        What::Note { node, note } => format!("{node} {}", note_text(note)?),
        What::Delivered {
            from,
            to,
            cargo: carried,
            ..
        } => {
            if !messages || matches!(carried, Cargo::Peer(message) if is_heartbeat(message)) {
                return None;
            }
            format!("{} {}", ends(*from, *to), cargo(carried))
        }
        What::Lost {
            from,
            to,
            cargo: carried,
            why,
            ..
        } => {
            if *why != LossReason::Dropped && !messages {
                return None;
            }
            format!("{} lost ({why:?}): {}", ends(*from, *to), cargo(carried))
        }
        What::Synced { .. } | What::Intervened(_) => return None,
        What::Booted { node } => format!("{node} boots"),
        What::Died { node, lost } => format!("{node} dies, {lost} records lost"),
        What::Halted { node, why } => format!("{node} halts: {why}"),
        What::Client { client, event } => {
            let name = client_name(*client);
            format!("{name} {}", client_text(event)?)
        }
        What::Violated(violation) => {
            format!("BROKEN {}: {}", violation.invariant.name(), violation.text)
        }
    })
}

fn note_text(note: &Note) -> Option<String> {
    Some(match note {
        Note::Raft(RaftNote::Role { role, term, why }) => {
            format!("is {} in term {term} ({why:?})", role_name(*role))
        }
        Note::Raft(RaftNote::Voted {
            candidate,
            term,
            pre,
            refused,
        }) => {
            let vote = if *pre { "pre-vote" } else { "vote" };
            match refused {
                None => format!("gives {candidate} its {vote} for term {term}"),
                Some(why) => format!("refuses {candidate} its {vote} for term {term}: {why:?}"),
            }
        }
        Note::Raft(RaftNote::Truncated { from, to, leader }) => {
            format!("drops {from}..{to} for leader {leader}")
        }
        Note::Raft(RaftNote::Committed { index }) => format!("commits {index}"),
        Note::Raft(RaftNote::Refused { leader, prev, hint }) => {
            format!("refuses an append of {leader} after {prev}, has {hint}")
        }
        Note::Raft(RaftNote::Configured { index, joint }) => {
            let kind = if *joint { "joint" } else { "single" };
            format!("has the {kind} configuration {index}")
        }
        Note::Raft(RaftNote::Rewound { peer, next }) => format!("sends {peer} from {next} again"),
        Note::Raft(RaftNote::ClockBehind { by }) => {
            format!("finds its clock {} s behind the log", by.as_ms() / 1_000)
        }
        Note::Raft(RaftNote::ReadConfirmed { index, .. }) => {
            format!("may read what includes {index}")
        }
        Note::Raft(RaftNote::ReadsLost { count }) => {
            format!("drops {count} reads it cannot confirm")
        }
        Note::Raft(RaftNote::Transfer { to, stage }) => match stage {
            TransferStage::Begun => format!("begins to hand over to {to}"),
            TransferStage::Told => format!("tells {to} to campaign"),
            TransferStage::Ended(end) => format!("has handed over to {to}: {end:?}"),
        },
        Note::SessionOpened { session } => format!("opens session {session}"),
        Note::SessionExpiring { session } => format!("lets session {session} expire"),
        Note::SessionClosed { session, expired } => {
            format!(
                "{} session {session}",
                if *expired { "expires" } else { "closes" }
            )
        }
        Note::StallForgiven { us } => format!("forgives {} ms", us / 1_000),
        Note::Snapshot { last, stage } => match stage {
            SnapshotStage::Taken => format!("takes a snapshot of {last}"),
            SnapshotStage::InForce => format!("has its snapshot of {last} in force"),
            SnapshotStage::Offered => format!("is offered a snapshot of {last}"),
            SnapshotStage::Installed => format!("installs a snapshot of {last}"),
        },
        Note::Applied { .. } | Note::ReadServed { .. } => return None,
        #[allow(unreachable_patterns)]
        other => format!("{other:?}"),
    })
}

fn client_text(event: &ClientEvent) -> Option<String> {
    Some(match event {
        ClientEvent::Connecting { node } => format!("connects to {node}"),
        ClientEvent::Attached { node, session } => format!("has session {session} on {node}"),
        ClientEvent::Disconnected { reason: None } => "loses its connection".into(),
        ClientEvent::Disconnected {
            reason: Some(reason),
        } => format!("is disconnected: {reason:?}"),
        ClientEvent::Expired { session } => format!("is told that session {session} has expired"),
        ClientEvent::Called { request, .. } => format!("asks {}", request_text(request)),
        ClientEvent::Returned { reply, .. } => format!("is told {}", reply_text(reply)),
        ClientEvent::Unknown { .. } => "will not know".into(),
        ClientEvent::Watch(event) => {
            format!("sees {:?} {} at {}", event.kind, event.path, event.zxid)
        }
    })
}

fn request_text(request: &Request) -> String {
    match request {
        Request::Write(op) => op_text(op),
        Request::Read(Read { kind, path, watch }) => {
            format!(
                "{kind:?} {path}{}",
                if *watch { " with a watch" } else { "" }
            )
        }
        Request::Latest(Read { path, .. }) => format!("the latest {path}"),
        Request::Sync { .. } => "sync".into(),
        other => format!("{other:?}"),
    }
}

fn op_text(op: &Op) -> String {
    let value = |data: &Option<bytes::Bytes>| {
        data.as_ref().map_or(String::new(), |data| {
            format!(" {}", String::from_utf8_lossy(data))
        })
    };
    match op {
        Op::Create { path, data, .. } => format!("create {path}{}", value(data)),
        Op::SetData { path, data, .. } => format!("set {path}{}", value(data)),
        Op::Delete { path, .. } => format!("delete {path}"),
        Op::Check { path, .. } => format!("check {path}"),
    }
}

fn reply_text(reply: &Reply) -> String {
    let text = match &reply.result {
        Ok(Response::Created { path, .. }) => format!("created {path}"),
        Ok(Response::Stat(stat)) => format!("version {}", stat.version),
        Ok(Response::Data { data, stat }) => {
            let data = data
                .as_ref()
                .map_or("null".into(), |data| String::from_utf8_lossy(data));
            format!("{data} version {}", stat.version)
        }
        Ok(Response::Children { names, .. }) => format!("[{}]", names.join(" ")),
        other => format!("{other:?}"),
    };
    format!("{text} at {}", reply.zxid)
}

fn payload(entry: &Entry) -> String {
    let Payload::Command(bytes) = &entry.payload else {
        return "blank".into();
    };
    match wire::decode_command(bytes) {
        Ok(Command::Init { .. }) => "init".into(),
        Ok(Command::Open { .. }) => "open".into(),
        Ok(Command::Attach { session, .. }) => format!("attach {session}"),
        Ok(Command::Write { request, .. }) => match request {
            WriteRequest::Op(op) => op_text(&op),
            WriteRequest::Close => "close".into(),
            other => format!("{other:?}"),
        },
        Ok(Command::Expire { .. }) => "expire".into(),
        #[allow(unreachable_patterns)]
        Ok(other) => format!("{other:?}"),
        Err(_) => "?".into(),
    }
}

fn is_heartbeat(message: &Message) -> bool {
    matches!(
        message,
        Message::Raft(Raft::Heartbeat { .. } | Raft::HeartbeatReply { .. })
    )
}

/// A message in a line; its first word is its kind.
fn cargo(cargo: &Cargo) -> String {
    let message = match cargo {
        Cargo::Peer(message) => message,
        Cargo::PeerLost => return "peer-lost".into(),
        Cargo::Open { .. } => return "open".into(),
        Cargo::Request { request, .. } => return format!("request {}", request_text(request)),
        Cargo::Reply { reply, .. } => return format!("reply {}", reply_text(reply)),
        Cargo::Watch { event, .. } => return format!("watch {}", event.path),
        Cargo::End { reason, .. } => return format!("end {reason:?}"),
    };
    let granted = |granted: bool| if granted { "granted" } else { "refused" };
    match &**message {
        Message::Raft(message) => match message {
            Raft::PreVote { term, last, .. } => format!("pre-vote term {term} last {last}"),
            Raft::PreVoteReply {
                term, granted: yes, ..
            } => {
                format!("pre-vote-reply term {term} {}", granted(*yes))
            }
            Raft::Vote { term, last, .. } => format!("vote term {term} last {last}"),
            Raft::VoteReply { term, granted: yes } => {
                format!("vote-reply term {term} {}", granted(*yes))
            }
            Raft::Append {
                term,
                prev,
                entries,
                commit,
            } => {
                let ids: Vec<String> = entries.iter().map(|entry| entry.id.to_string()).collect();
                format!(
                    "append term {term} after {prev} [{}] commit {commit}",
                    ids.join(" ")
                )
            }
            Raft::Appended { term, matched } => format!("appended term {term} to {matched}"),
            Raft::Rejected { term, prev, hint } => {
                format!("rejected term {term} after {prev} has {hint}")
            }
            Raft::Heartbeat { term, commit, .. } => {
                format!("heartbeat term {term} commit {commit}")
            }
            Raft::HeartbeatReply { term, .. } => format!("heartbeat-reply term {term}"),
            Raft::SnapshotOffer { term, meta } => {
                format!("snapshot-offer term {term} of {}", meta.last)
            }
            Raft::SnapshotPull { term, last, .. } => format!("snapshot-pull term {term} of {last}"),
            Raft::SnapshotPart {
                term, last, next, ..
            } => {
                let end = if next.is_none() { " last" } else { "" };
                format!("snapshot-part term {term} of {last}{end}")
            }
            Raft::ReadIndex { term, .. } => format!("read-index term {term}"),
            Raft::ReadIndexReply { term, index, .. } => {
                format!("read-index-reply term {term} at {index}")
            }
            Raft::TimeoutNow { term, last } => format!("timeout-now term {term} last {last}"),
        },
        Message::Forward { commands, .. } => format!("forward {} commands", commands.len()),
        Message::Touch { sessions } => format!("touch {} sessions", sessions.len()),
    }
}

fn ends(from: End, to: End) -> String {
    let end = |end| match end {
        End::Node(id) => id.to_string(),
        End::Client(id) => client_name(id),
    };
    format!("{}->{}", end(from), end(to))
}

/// The scripts' clients have letters, the workload's numbers.
fn client_name(id: ClientId) -> String {
    match u8::try_from(id.0) {
        Ok(letter) if letter.is_ascii_alphabetic() => char::from(letter).to_string(),
        _ => format!("client {}", id.0),
    }
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::Follower => "follower",
        Role::PreCandidate => "pre-candidate",
        Role::Candidate => "candidate",
        Role::Leader => "leader",
    }
}

/// Milliseconds since the start.
pub(crate) fn moment(start: Time, time: Time) -> String {
    let us = time.since(start).0;
    format!("{:>7}.{:03}", us / 1_000, us % 1_000)
}

fn view<'a>(sim: &'a Sim, id: &str) -> Result<View<'a>, String> {
    sim.node(node(id)?).ok_or_else(|| format!("{id} is down"))
}

fn node(text: &str) -> Result<NodeId, String> {
    number(text).map(NodeId)
}

/// Members, with commas between them.
fn list(text: &str) -> Result<Vec<NodeId>, String> {
    text.split(',').map(node).collect()
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text} is no number"))
}

/// The clients that work by themselves, from now on some.
fn workload(config: &mut SimConfig) -> &mut Workload {
    config.workload.get_or_insert_default()
}

/// `1500us`, `20ms`, `3s`.
fn span(text: &str) -> Result<Span, String> {
    if let Some(us) = text.strip_suffix("us") {
        return number(us).map(Span);
    }
    if let Some(ms) = text.strip_suffix("ms") {
        return number(ms).map(Span::from_ms);
    }
    let seconds = text
        .strip_suffix('s')
        .ok_or_else(|| format!("{text} is no time"))?;
    number(seconds).map(|seconds| Span::from_ms(seconds * 1_000))
}

/// `5ms..15ms`.
fn spans(text: &str) -> Result<(Span, Span), String> {
    match text.split_once("..") {
        Some((min, max)) => Ok((span(min)?, span(max)?)),
        None => span(text).map(|both| (both, both)),
    }
}

fn print_difference(old: &str, new: &str) {
    let (old, new): (Vec<_>, Vec<_>) = (old.lines().collect(), new.lines().collect());
    let same = old
        .iter()
        .zip(&new)
        .take_while(|(old, new)| old == new)
        .count();
    for line in old.iter().skip(same.saturating_sub(2)).take(8) {
        println!("  - {line}");
    }
    for line in new.iter().skip(same.saturating_sub(2)).take(8) {
        println!("  + {line}");
    }
}

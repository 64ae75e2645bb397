//! What the visitor does to the cluster: actions become interventions.

use otterkeeper_core::id::NodeId;
use otterkeeper_core::request::{CreateMode, Op, Request};
use otterkeeper_core::scenario;
use otterkeeper_core::sim::{ClientId, ClientView, Intervention};
use otterkeeper_core::time::Span;
use otterkeeper_core::tree::Tree;

use super::{Action, Aside, Deal, Model, Selection};
use crate::command::{self, Line};

/// Znodes that one transaction of `deleteall` deletes, as zkCli does.
const DELETED_AT_ONCE: usize = 1_000;

impl Model {
    pub(super) fn intervene(&mut self, action: Action) {
        let leader = self.leader();
        let deeds = self.deeds(action, leader);
        if deeds.is_empty() {
            return;
        }
        self.redo.clear();
        for deed in deeds {
            self.run.act(deed);
        }
        self.mirror_logs();
        if let Some(Selection::Message(id)) = self.selection
            && self.sim().flight(id).is_none()
        {
            self.selection = None;
        }
    }

    /// What an action means for the cluster as it is now.
    fn deeds(&mut self, action: Action, leader: Option<NodeId>) -> Vec<Intervention> {
        let target = self.target();
        let one = |deed: Option<Intervention>| deed.into_iter().collect();
        let up = |id: NodeId| self.sim().node(id).is_some();
        match action {
            Action::Kill => one(target.filter(|id| up(*id)).map(Intervention::Kill)),
            Action::Restart => one(target.filter(|id| !up(*id)).map(Intervention::Restart)),
            Action::KillOrRestart => one(target.map(|id| {
                if up(id) {
                    Intervention::Kill(id)
                } else {
                    Intervention::Restart(id)
                }
            })),
            Action::Pause => one(target.map(|id| match self.sim().is_paused(id) {
                true => Intervention::Resume(id),
                false => Intervention::Pause(id),
            })),
            Action::Isolate => one(target.map(|id| match self.sim().is_isolated(id) {
                true => Intervention::Rejoin(id),
                false => Intervention::Isolate(id),
            })),
            Action::Campaign => one(target.map(Intervention::Campaign)),
            Action::Wipe => one(target.map(Intervention::Wipe)),
            Action::AddAgain => one(leader.map(|node| Intervention::Members {
                node,
                voters: self.sim().nodes().collect(),
                learners: Vec::new(),
            })),
            Action::HandOver => one(leader
                .filter(|from| target.is_some_and(|to| to != *from))
                .map(|from| Intervention::Transfer { from, to: target })),
            Action::Snapshot => one(target.map(Intervention::TakeSnapshot)),
            Action::FreezeDisk => {
                one(target.map(
                    |id| match self.sim().disk(id).is_some_and(|disk| disk.frozen) {
                        true => Intervention::ThawDisk(id),
                        false => Intervention::FreezeDisk(id),
                    },
                ))
            }
            Action::HealAll => vec![Intervention::HealAll],
            Action::ToggleLink(from, to) => match self.sim().link(from, to).up {
                true => vec![Intervention::Cut { from, to }],
                false => self.heal(from, to),
            },
            Action::Cut(links) => {
                let up = links
                    .into_iter()
                    .filter(|(from, to)| self.sim().link(*from, *to).up);
                up.map(|(from, to)| Intervention::Cut { from, to })
                    .collect()
            }
            Action::Split => {
                // The leader stays with the minority: the interesting side.
                let ids: Vec<NodeId> = self.sim().nodes().collect();
                let small = (ids.len() - 1) / 2;
                let first = leader.unwrap_or(ids[0]);
                let mut minority = vec![first];
                minority.extend(
                    ids.iter()
                        .copied()
                        .filter(|id| *id != first)
                        .take(small.saturating_sub(1)),
                );
                let pairs = ids.iter().flat_map(|a| ids.iter().map(move |b| (*a, *b)));
                pairs
                    .filter(|(a, b)| {
                        minority.contains(a) != minority.contains(b) && self.sim().link(*a, *b).up
                    })
                    .map(|(from, to)| Intervention::Cut { from, to })
                    .collect()
            }
            Action::LeaderAlone => one(leader.map(Intervention::Isolate)),
            Action::Loss(per_mille) => {
                self.sliders.0 = per_mille;
                vec![Intervention::Loss {
                    link: None,
                    per_mille,
                }]
            }
            Action::Delay(ms) => {
                self.sliders.1 = ms;
                let (min, max) = delays(ms);
                vec![Intervention::Delay {
                    link: None,
                    min,
                    max,
                }]
            }
            Action::Load(ops_per_second) => {
                self.sliders.2 = ops_per_second;
                vec![Intervention::Workload { ops_per_second }]
            }
            Action::Message(deal) => one(self.message().map(|flight| {
                let flight = flight.id;
                match deal {
                    Deal::Drop => Intervention::DropFlight(flight),
                    Deal::Delay => Intervention::DelayFlight {
                        flight,
                        by: Span::from_ms(50),
                    },
                    Deal::Duplicate => Intervention::DuplicateFlight(flight),
                    Deal::Now => Intervention::DeliverFlight(flight),
                }
            })),
            Action::Write => self.write(leader),
            Action::DropClient(client) => vec![Intervention::DropClient(client)],
            Action::KillClient(client) => vec![Intervention::KillClient(client)],
            Action::PauseClient(client) => {
                let paused = |view: ClientView| view.id == client && view.paused;
                vec![match self.sim().clients().any(paused) {
                    true => Intervention::ResumeClient(client),
                    false => Intervention::PauseClient(client),
                }]
            }
            _ => Vec::new(),
        }
    }

    /// What brings one direction back: its own cut, and the isolation of its ends.
    fn heal(&self, from: NodeId, to: NodeId) -> Vec<Intervention> {
        let mut deeds = vec![Intervention::Heal { from, to }];
        deeds.extend(
            [from, to]
                .into_iter()
                .filter(|id| self.sim().is_isolated(*id))
                .map(Intervention::Rejoin),
        );
        deeds
    }

    /// A write by a client of the leader.
    fn write(&mut self, leader: Option<NodeId>) -> Vec<Intervention> {
        let Some(leader) = leader else {
            return Vec::new();
        };
        self.at = leader;
        let path = "/otter".to_owned();
        let known = self.sim().node(leader).and_then(|view| {
            view.machine()
                .tree()
                .get(&path)
                .map(|znode| znode.stat().version)
        });
        let op = match known {
            Some(version) => Op::SetData {
                path,
                data: Some(format!("{}", version + 2).into_bytes().into()),
                version: -1,
            },
            None => command::create(path, "1", CreateMode::Persistent),
        };
        let (client, mut deeds) = self.speaker(leader);
        deeds.push(Intervention::Client {
            client,
            request: Request::Write(op),
        });
        deeds
    }

    pub(super) fn command(&mut self, text: &str) {
        let said = text.trim();
        if said.is_empty() {
            return;
        }
        let event = self.sim().events();
        match command::parse(said) {
            Ok(command::Parsed::Request(request)) => {
                let (client, mut deeds) = self.addressed();
                deeds.push(match request {
                    Request::Close => Intervention::CloseClient(client),
                    request => Intervention::Client { client, request },
                });
                self.redo.clear();
                for deed in deeds {
                    self.run.act(deed);
                }
            }
            Ok(command::Parsed::DeleteAll(path)) => {
                let (client, mut deeds) = self.addressed();
                let requests = self.deletes(&path).into_iter();
                deeds.extend(requests.map(|request| Intervention::Client { client, request }));
                self.redo.clear();
                for deed in deeds {
                    self.run.act(deed);
                }
            }
            Ok(command::Parsed::Help) => self.asides.push(Aside {
                event,
                line: Line::help(said),
            }),
            Err(mistake) => {
                let deeds = match mistake {
                    command::Mistake::Unknown(_) => self.scripted(said),
                    _ => Vec::new(),
                };
                let line = match deeds.is_empty() {
                    true => Line::mistake(said, mistake),
                    false => Line::typed(said),
                };
                self.asides.push(Aside { event, line });
                self.redo.clear();
                for deed in deeds {
                    self.run.act(deed);
                }
            }
        }
    }

    /// What deletes a znode and all that its node sees below it, children before their parents. What others make there
    /// meanwhile makes a request fail as a whole, and the client is told.
    fn deletes(&self, path: &str) -> Vec<Request> {
        let tree = self.sim().node(self.at).map(|view| view.machine().tree());
        let prefix = format!("{path}/");
        let found = tree.into_iter().flat_map(Tree::iter);
        let below = found.filter(|znode| znode.path().starts_with(&prefix));
        let mut paths: Vec<String> = below.map(|znode| znode.path().to_owned()).collect();
        // Trees tell their znodes by depth.
        paths.reverse();
        paths.push(path.to_owned());
        let delete = |path: &String| Op::Delete {
            path: path.clone(),
            version: -1,
        };
        let request = |paths: &[String]| match paths {
            [path] => Request::Write(delete(path)),
            paths => Request::Multi(paths.iter().map(delete).collect()),
        };
        paths.chunks(DELETED_AT_ONCE).map(request).collect()
    }

    /// What a script would mean by these words: of the client that is spoken to, or of the cluster.
    fn scripted(&mut self, said: &str) -> Vec<Intervention> {
        let known = self.client;
        let (client, mut deeds) = self.addressed();
        let name = format!("client-{}", client.0);
        let words: Vec<&str> = said.split_whitespace().collect();
        let of_client = [&[name.as_str()], &words[..]].concat();
        match scenario::deeds(self.sim(), &of_client) {
            Ok(more) => deeds.extend(more),
            Err(_) => {
                self.client = known;
                deeds = scenario::deeds(self.sim(), &words).unwrap_or_default();
            }
        }
        let nodes = self.run.nodes;
        deeds.retain(|deed| crate::share::is_sane(deed, nodes));
        deeds
    }

    /// The client that commands go to, with what opens it if need be.
    fn addressed(&mut self) -> (ClientId, Vec<Intervention>) {
        match self.client.filter(|client| self.is_open(*client)) {
            Some(client) => (client, Vec::new()),
            None => self.speaker(self.at),
        }
    }

    /// A client of ours on this node, of the kind that is wanted; if there is none yet, with what opens it.
    fn speaker(&mut self, node: NodeId) -> (ClientId, Vec<Intervention>) {
        if let Some(client) = self.client_at(node) {
            self.client = Some(client);
            return (client, Vec::new());
        }
        // A number is never used twice in a run, also not by a client that has gone.
        let used = |id: u32| {
            self.run.deeds_done().iter().any(|deed| matches!(deed.what, Intervention::OpenClient { client, .. } | Intervention::OpenClientWith { client, .. } if client.0 == id))
        };
        let client = ClientId((1..1_000).find(|id| !used(*id)).unwrap_or(999));
        self.client = Some(client);
        let deed = match self.repeat {
            false => Intervention::OpenClient { client, node },
            true => {
                // As others, it goes round from there.
                let nodes = u64::from(self.run.nodes);
                let after = |place| NodeId((node.0 - 1 + place) % nodes + 1);
                Intervention::OpenClientWith {
                    client,
                    servers: (0..nodes).map(after).collect(),
                    timeout_ms: 10_000,
                    read_only: false,
                    repeat: true,
                }
            }
        };
        (client, vec![deed])
    }

    pub(super) fn client_at(&self, node: NodeId) -> Option<ClientId> {
        self.sim()
            .clients()
            .find(|view| view.id.0 < 1_000 && view.node == Some(node) && view.repeat == self.repeat)
            .map(|view| view.id)
    }

    fn is_open(&self, client: ClientId) -> bool {
        self.sim().clients().any(|view| view.id == client)
    }
}

/// The shortest and the longest delay for the slider's number of milliseconds.
pub(crate) fn delays(ms: u32) -> (Span, Span) {
    let max = u64::from(ms.max(1));
    (Span::from_ms((max / 3).max(1)), Span::from_ms(max))
}

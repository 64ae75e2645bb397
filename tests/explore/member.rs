//! One member of the explored cluster: a node, its disk and its own clock, and what can be done to it.

use std::sync::Arc;

use otterkeeper_core::command::{Command, Reconfigure};
use otterkeeper_core::config::{Bug, Config};
use otterkeeper_core::configuration::{Change, Configuration, Member as Named, Standing};
use otterkeeper_core::id::{Index, LogId, NodeId, ReplicaId, Term};
use otterkeeper_core::message::Message;
use otterkeeper_core::node::{Admin, Boot, Input, Node, Output};
use otterkeeper_core::raft::message::{Entry, Payload, Vote};
use otterkeeper_core::raft::note::Role;
use otterkeeper_core::time::{Span, Time};
use otterkeeper_core::wire;
use otterkeeper_tests::fuzz::model_disk::ModelDisk;

/// Where all clocks begin.
const START: Time = Time(1_000_000_000);
/// The stamp of the first entry: far ahead of every clock, so that all entries carry the same one and no
/// state depends on when something was proposed.
const STAMP: Time = Time(1 << 50);
/// A stranger who hands proposals to the leader.
const CLIENT: NodeId = NodeId(9);

/// What can happen to a member.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Choice {
    /// A message arrives; its number.
    Deliver(u32),
    /// The disk reports everything that was handed to it.
    Sync,
    /// Time passes up to just before the timer: loyalty to a silent leader ends.
    Quiet,
    /// The election timer fires.
    Timeout,
    /// The leader's heartbeat is due.
    Beat,
    /// A leader has heard nobody for long enough.
    Lapse,
    /// Somebody proposes the command of this number.
    Propose(u8),
    /// The operator wants another member.
    Reconfigure,
    /// The process ends; this many records of what was not synced are there when it comes back.
    Crash(u8),
}

#[derive(Clone)]
pub(super) struct Member {
    node: Node,
    disk: ModelDisk,
    now: Time,
    config: Arc<Config>,
}

/// What the checks look at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Summary {
    pub(super) term: Term,
    /// What a crash leaves of its votes.
    pub(super) vote: Vote,
    pub(super) leads: bool,
    pub(super) halted: bool,
    pub(super) loyal: bool,
    pub(super) unsynced: bool,
    pub(super) records: u8,
    /// Terms of the entries, from index 1.
    pub(super) log: Vec<Term>,
    pub(super) payloads: Vec<u64>,
    pub(super) commit: Index,
    pub(super) applied: (Index, u64),
}

impl Member {
    /// Member `id` on a disk that holds one entry.
    pub(super) fn new(id: NodeId, members: &Configuration, bug: Option<Bug>) -> Self {
        let mut config = Config::new(id, Vec::new());
        config.replica = ReplicaId(id.0.into());
        if members.member(id).is_some() {
            config.members = members.clone();
        }
        config.stamp_ahead_limit = Span(u64::MAX);
        let mut config = otterkeeper_core::trace::with_bug(config, bug);
        config.notes = false;
        let boot = Boot {
            vote: Vote {
                term: Term(1),
                voted_for: None,
            },
            log: vec![Entry {
                id: LogId {
                    term: Term(1),
                    index: Index(1),
                },
                stamp: STAMP,
                payload: Payload::Blank,
            }],
            ..Boot::default()
        };
        // A member that joins later comes with nothing.
        let boot = match members.member(id) {
            Some(_) => boot,
            None => Boot::default(),
        };
        let node = Node::boot(config.clone(), boot.clone(), [1; 32], START);
        Self {
            node: node.expect("a sound disk"),
            disk: ModelDisk::holding(boot),
            now: START,
            config: Arc::new(config),
        }
    }

    /// Tells members apart: what differs in nothing but times has the same number.
    pub(super) fn shape(&self) -> (u64, u64) {
        let mut text = format!("{:?}", self.disk.synced());
        for records in self.disk.unsynced() {
            text += &format!("{records:?}");
        }
        (
            self.node.shape(),
            otterkeeper_core::hash::of_bytes(text.as_bytes()),
        )
    }

    pub(super) fn summary(&self) -> Summary {
        let view = self.node.view();
        let entries: Vec<&Entry> = (1..=view.last().index.0)
            .filter_map(|index| view.entry(Index(index)))
            .collect();
        let payload = |entry: &&Entry| match &entry.payload {
            Payload::Blank => 0,
            Payload::Command(bytes) => otterkeeper_core::hash::of_bytes(bytes),
            Payload::Membership(configuration) => configuration.digest(),
        };
        let records = self.disk.unsynced().map(|records| {
            usize::from(records.vote.is_some())
                + records.entries.len()
                + usize::from(records.commit_hint.is_some())
        });
        let mut later = self.clone();
        later.quiet();
        Summary {
            term: view.term(),
            vote: self.disk.synced().vote,
            leads: view.role() == Role::Leader,
            halted: view.is_halted(),
            loyal: later.node.shape() != self.node.shape(),
            unsynced: self.disk.unsynced().next().is_some(),
            records: u8::try_from(records.sum::<usize>()).expect("few records"),
            log: entries.iter().map(|entry| entry.id.term).collect(),
            payloads: entries.iter().map(payload).collect(),
            commit: view.commit(),
            applied: view.tree_digest(),
        }
    }

    /// Does it, and gives what the member says. `message` is the one that a delivery names.
    pub(super) fn act(
        &mut self,
        choice: &Choice,
        message: Option<(NodeId, Message)>,
    ) -> Vec<(NodeId, Message)> {
        let input = match choice {
            Choice::Deliver(_) => {
                let (from, message) = message.expect("a delivery has a message");
                Some(Input::Peer { from, message })
            }
            Choice::Sync => self.disk.sync(usize::MAX).map(Input::Written),
            Choice::Quiet => {
                self.quiet();
                return Vec::new();
            }
            Choice::Timeout | Choice::Beat => {
                self.now = self.now.max(self.deadline());
                None
            }
            Choice::Lapse => {
                self.now += self.config.election_max().times(3);
                None
            }
            Choice::Propose(number) => {
                // Does nothing when it is applied: there is no such change.
                let change = Index(1_000 + u64::from(*number));
                let command = wire::encode_command(&Command::Abandon { change });
                Some(Input::Peer {
                    from: CLIENT,
                    message: Message::Forward {
                        stream: u64::from(*number) + 1,
                        at: 0,
                        commands: vec![command],
                    },
                })
            }
            Choice::Reconfigure => Some(Input::Admin {
                tag: 1,
                wish: Admin::Reconfigure(Reconfigure {
                    version: None,
                    change: Change::Incremental {
                        joining: vec![named(NodeId(3))],
                        leaving: Vec::new(),
                    },
                }),
            }),
            Choice::Crash(records) => {
                let boot = self.disk.crash((*records).into());
                let config = (*self.config).clone();
                let node = Node::boot(config, boot, [1; 32], self.now);
                self.node = node.expect("it boots on its own disk");
                return Vec::new();
            }
        };
        self.step(input)
    }

    /// When its timer fires; some time, if it has none.
    fn deadline(&self) -> Time {
        let far = self.now + self.config.election_max().times(2);
        self.node.deadline().min(far)
    }

    fn quiet(&mut self) {
        let before = self.deadline() - Span(1);
        self.now = self.now.max(before);
        let said = self.step(None);
        debug_assert!(said.is_empty());
    }

    fn step(&mut self, input: Option<Input>) -> Vec<(NodeId, Message)> {
        let mut out = Vec::new();
        self.node.step(self.now, input, &mut out);
        let mut said = Vec::new();
        for output in out {
            match output {
                Output::Write { id, records } => self.disk.write(id, records),
                Output::Send { to, message } => said.push((to, message)),
                Output::Save { .. } => panic!("no snapshot in so short a life"),
                _ => {}
            }
        }
        said
    }
}

/// A member as configurations name it.
pub(super) fn named(id: NodeId) -> Named {
    Named {
        id,
        replica: ReplicaId(id.0.into()),
        address: String::new(),
        clients: String::new(),
        standing: Standing::Voter,
    }
}

//! One member among faulty peers: arbitrary well-typed messages in any order, clients that ask anything,
//! a disk that reports when it likes, and crashes. Whatever comes, the member must not panic, must keep its
//! own rules, and must tell nobody what a crash could take back. It may halt with a sentence.

use std::collections::BTreeMap;

use otterkeeper_core::config::Config;
use otterkeeper_core::configuration::Configuration;
use otterkeeper_core::id::{ConnId, Index, NodeId, SessionId, Term};
use otterkeeper_core::machine::Machine;
use otterkeeper_core::message::Message;
use otterkeeper_core::node::{Admin, Input, Node, Output};
use otterkeeper_core::raft::message::{Message as Raft, Payload, SnapshotMeta, Vote};
use otterkeeper_core::raft::note::Role;
use otterkeeper_core::request::{Connect, Password, Request, Response};
use otterkeeper_core::time::{Span, Time};
use otterkeeper_core::wire::{self, client::decode_client};

use super::Draw;
use super::message::{identity, log_id, message, op, path, read, reconfig, reconfigure};
use super::model_disk::ModelDisk;

const ME: NodeId = NodeId(1);
/// Messages, replies and the like that one call of `step` may give for a few inputs.
const OUTPUTS: usize = 2_000;
/// Steps in a row that a member may want at once: a snapshot is made in slices.
const SLICES: u32 = 200;

/// The body.
pub fn step(bytes: &[u8]) {
    let mut draw = Draw::new(bytes);
    let mut member = Subject::new(&mut draw);
    while !draw.is_empty() {
        member.event(&mut draw);
    }
}

struct Subject {
    config: Config,
    now: Time,
    node: Node,
    disk: ModelDisk,
    life: u8,
    /// What the node showed after the step before, in this life.
    vote: Vote,
    commit: Index,
    applied: Index,
    /// To whom a vote was told, in any life.
    granted: BTreeMap<Term, NodeId>,
    conns: u64,
    session: (SessionId, Password),
    /// The last pull, and from whom.
    pulled: Option<(NodeId, Raft)>,
}

impl Subject {
    fn new(draw: &mut Draw<'_>) -> Self {
        let count = [1, 2, 3, 3, 3, 5][usize::from(draw.below(6))];
        let mut config = Config::new(ME, (1..=count).map(NodeId).collect());
        config.notes = draw.is_one_in(2);
        config.withheld_bytes = 64;
        config.inflight_messages = 4;
        config.append_bytes = 300;
        config.waiting_reads = 8;
        config.compact_entries = u64::from(draw.below(20)) + 2;
        config.keep_entries = u64::from(draw.below(4));
        config.snapshot_part_bytes = 200;
        config.uncommitted_bytes = 4_000;
        config.connections = 4;
        config.requests_per_connection = 8;
        config.max_depth = 8;
        if draw.is_one_in(8) {
            config.members = Configuration::default();
        }
        let now = Time(1_000_000_000);
        let mut disk = ModelDisk::default();
        let node = Node::boot(config.clone(), disk.crash(0), [0; 32], now);
        Self {
            node: node.expect("an empty disk"),
            config,
            now,
            disk,
            life: 0,
            vote: Vote::default(),
            commit: Index(0),
            applied: Index(0),
            granted: BTreeMap::new(),
            conns: 0,
            session: (SessionId(0), [0; 16]),
            pulled: None,
        }
    }

    fn event(&mut self, draw: &mut Draw<'_>) {
        if self.node.view().is_halted() {
            self.reboot(draw);
        }
        let peer = match draw.is_one_in(16) {
            true => NodeId(draw.number()),
            false => NodeId(u64::from(draw.below(4)) + 2),
        };
        let input = match draw.below(24) {
            0 => {
                self.now = self.node.deadline().min(self.now + Span::from_ms(60_000));
                return self.step(None);
            }
            1 => {
                self.now += Span::from_ms(u64::from(draw.byte()) * 4);
                return self.step(None);
            }
            2..=4 => match self.disk.sync(draw.below(8).into()) {
                Some(id) => Input::Written(id),
                None => return,
            },
            5 => match self.disk.keep(draw.below(8).into()) {
                Some(id) => Input::Saved(id),
                None => return,
            },
            6 => return self.reboot(draw),
            7 => Input::PeerLost { peer },
            8 => match wire::decode_message(draw.some()) {
                Ok(message) => Input::Peer {
                    from: peer,
                    message,
                },
                Err(_) => return,
            },
            9 | 10 => self.honest(peer, draw),
            11 => {
                self.conns += 1;
                Input::ClientOpened {
                    conn: ConnId(self.conns),
                    address: String::new(),
                }
            }
            12..=14 => Input::Client {
                conn: self.conn(draw),
                tag: draw.number(),
                request: match self.request(draw) {
                    Some(request) => request,
                    None => return,
                },
            },
            15 => match draw.below(4) {
                3 => Input::ClientIdentified {
                    conn: self.conn(draw),
                    identity: identity(draw),
                },
                0 => Input::ClientGone {
                    conn: self.conn(draw),
                },
                1 => Input::Touched {
                    conns: vec![self.conn(draw)],
                },
                _ => Input::Admin {
                    tag: 1,
                    wish: admin(draw),
                },
            },
            _ => Input::Peer {
                from: peer,
                message: message(draw, self.node.view()),
            },
        };
        self.step(Some(input));
    }

    /// What a peer would say that helps the member on: votes, acks, a leader's next entries, a snapshot.
    fn honest(&mut self, peer: NodeId, draw: &mut Draw<'_>) -> Input {
        let view = self.node.view();
        let (term, last) = (view.term(), view.last());
        let raft = match draw.below(8) {
            0 => Raft::PreVoteReply {
                term: Term(term.0.saturating_add(1)),
                granted: true,
                round: u64::from(draw.below(4)),
            },
            1 => Raft::VoteReply {
                term,
                granted: true,
            },
            2 | 3 => Raft::Appended {
                term,
                matched: last.index,
            },
            4 => Raft::Heartbeat {
                term,
                commit: last.index,
                round: 1,
            },
            5 => {
                let meta = SnapshotMeta {
                    last: log_id(draw, view),
                    stamp: Time(5),
                    configuration: view.configuration().clone(),
                };
                Raft::SnapshotOffer { term, meta }
            }
            _ => match &self.pulled {
                Some((from, Raft::SnapshotPull { last, cursor, .. })) => {
                    let (bytes, next) = Machine::new().part(cursor, 40);
                    let message = Raft::SnapshotPart {
                        term,
                        last: *last,
                        cursor: cursor.clone(),
                        next,
                        bytes,
                    };
                    return Input::Peer {
                        from: *from,
                        message: Message::Raft(message),
                    };
                }
                _ => Raft::Heartbeat {
                    term,
                    commit: view.commit(),
                    round: 1,
                },
            },
        };
        Input::Peer {
            from: peer,
            message: Message::Raft(raft),
        }
    }

    fn conn(&self, draw: &mut Draw<'_>) -> ConnId {
        ConnId(self.conns.saturating_sub(draw.below(3).into()))
    }

    fn request(&self, draw: &mut Draw<'_>) -> Option<Request> {
        Some(match draw.below(15) {
            14 => Request::Reconfig(reconfig(draw)),
            12 => Request::WhoAmI,
            13 => Request::Auth {
                scheme: "digest".into(),
                proof: draw.some().to_vec().into(),
            },
            0 | 1 => Request::Connect(Connect {
                read_only: false,
                replaces: None,
                session: match draw.is_one_in(3) {
                    true => SessionId(draw.number()),
                    false => self.session.0,
                },
                password: self.session.1,
                timeout_ms: draw.number() as u32,
                last_zxid: Index(draw.near(0)),
            }),
            2..=4 => Request::Write(op(draw)),
            5 => Request::Multi((0..draw.below(5)).map(|_| op(draw)).collect()),
            6 => Request::Read(read(draw)),
            7 => Request::Latest(read(draw)),
            8 => Request::Sync { path: path(draw) },
            9 => Request::Ping,
            10 => Request::Close,
            _ => decode_client(draw.some()).ok()?.request,
        })
    }

    /// Takes the input, and then what the member wants to do at once, which must come to an end.
    fn step(&mut self, input: Option<Input>) {
        self.step_once(input);
        let mut slices = 0;
        while self.node.deadline() <= self.now {
            slices += 1;
            assert!(slices <= SLICES, "a deadline that has passed stays due");
            self.step_once(None);
        }
    }

    fn step_once(&mut self, input: Option<Input>) {
        let mut out = Vec::new();
        self.node.step(self.now, input, &mut out);
        assert!(out.len() <= OUTPUTS, "{} outputs at once", out.len());
        for output in out {
            match output {
                Output::Write { id, records } => self.disk.write(id, records),
                Output::Save { id, part } => self.disk.save(id, part),
                Output::Send { to, message } => self.said(to, message),
                Output::Reply { reply, .. } => {
                    if let Ok(Response::Connected {
                        session, password, ..
                    }) = reply.result
                    {
                        self.session = (session, password);
                    }
                }
                _ => {}
            }
        }
        if !self.node.view().is_halted() {
            self.check();
        }
    }

    /// What it told is so after any crash now.
    fn said(&mut self, to: NodeId, message: Message) {
        assert_ne!(to, ME, "it sends to itself");
        let durable = self.disk.synced().vote;
        match message {
            Message::Raft(Raft::VoteReply {
                term,
                granted: true,
            }) => {
                let first = *self.granted.entry(term).or_insert(to);
                assert_eq!(first, to, "two votes in {term}");
                assert!(
                    term < durable.term || durable.voted_for == Some(to) && durable.term == term,
                    "a vote that a crash takes back"
                );
            }
            Message::Raft(Raft::Vote { term, .. }) => {
                let first = *self.granted.entry(term).or_insert(ME);
                assert_eq!(first, ME, "two votes in {term}");
                assert!(
                    term < durable.term || durable.voted_for == Some(ME) && durable.term == term,
                    "a campaign that a crash takes back"
                );
            }
            Message::Raft(Raft::Appended { matched, .. }) => {
                assert!(
                    matched <= self.disk.last(),
                    "an ack of {matched} that a crash takes back"
                );
            }
            Message::Raft(pull @ Raft::SnapshotPull { .. }) => self.pulled = Some((to, pull)),
            _ => {}
        }
    }

    /// The local rules.
    fn check(&mut self) {
        let view = self.node.view();
        let vote = Vote {
            term: view.term(),
            voted_for: view.voted_for(),
        };
        assert!(self.vote.term <= vote.term, "the term fell");
        if self.vote.term == vote.term && self.vote.voted_for.is_some() {
            assert_eq!(self.vote.voted_for, vote.voted_for, "it votes again");
        }
        let (commit, applied, last) = (view.commit(), view.applied(), view.last());
        assert!(self.commit <= commit, "the commit index fell");
        assert!(self.applied <= applied, "the applied index fell");
        assert!(applied <= commit && commit <= last.index);
        assert!(view.durable() <= last.index);
        assert!(applied <= self.disk.last(), "it applied what a crash takes");
        assert!(last.term <= vote.term);
        assert!(view.withheld_bytes() <= self.config.withheld_bytes);
        assert!(view.connections().len() <= self.config.connections as usize);
        if view.role() == Role::Leader {
            assert_eq!(vote.voted_for, Some(ME), "it leads without its own vote");
        }
        for index in view.first_index().0..=last.index.0 {
            let entry = view.entry(Index(index)).expect("no gap in the log");
            assert_eq!(entry.id.index.0, index);
            if let Payload::Membership(_) = entry.payload {
                assert!(index <= view.configuration_index().0);
            }
        }
        (self.vote, self.commit, self.applied) = (vote, commit, applied);
    }

    /// The process ends and comes back on what its disk held.
    fn reboot(&mut self, draw: &mut Draw<'_>) {
        let boot = self.disk.crash(draw.below(12).into());
        // Only a source of other numbers; nobody asks how many lives there were.
        self.life = self.life.wrapping_add(1);
        let config = self.config.clone();
        let node = Node::boot(config, boot, [self.life; 32], self.now);
        self.node = node.unwrap_or_else(|why| panic!("it refuses its own disk: {}", why.0));
        let view = self.node.view();
        self.vote = Vote {
            term: view.term(),
            voted_for: view.voted_for(),
        };
        (self.commit, self.applied) = (view.commit(), view.applied());
        self.conns += 1;
        self.pulled = None;
    }
}

fn admin(draw: &mut Draw<'_>) -> Admin {
    match draw.below(6) {
        0 => Admin::TakeSnapshot,
        1 => Admin::Campaign,
        2 => Admin::Transfer {
            to: draw.is_one_in(2).then(|| NodeId(draw.number())),
        },
        3 => Admin::CancelTransfer,
        _ => Admin::Reconfigure(reconfigure(draw)),
    }
}

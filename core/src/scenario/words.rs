//! What happens, in the words of scripts: one line for an event, a message, a request, an entry. They are for
//! tests and for what lessons wait for; the page has sentences of its own.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use bytes::Bytes;

use crate::command::{Command, WriteRequest};
use crate::configuration::Configuration;
use crate::id::NodeId;
use crate::message::Message;
use crate::node::{Note, SnapshotStage};
use crate::raft::message::{Entry, Message as Raft, Payload};
use crate::raft::note::{Note as RaftNote, Role, TransferStage};
use crate::recipe::Told;
use crate::recipe::group::Called;
use crate::recipe::queue::{Put, Take};
use crate::request::{Change, Once, Op, Read, Reply, Request, Response};
use crate::sim::{Cargo, ClientEvent, ClientId, End, LossReason, What};
use crate::time::Time;
use crate::wire;

/// One line for what happened; none for what the stories leave out.
#[must_use]
pub fn sentence(what: &What, messages: bool) -> Option<String> {
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
            format!("BROKEN {}: {}", violation.invariant.name(), violation.seen)
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
        // Every leader begins one with everybody; what follows from it is told.
        Note::Raft(RaftNote::Stream { .. }) => return None,
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
        ClientEvent::CalledAgain { request, .. } => format!("asks again {}", request_text(request)),
        ClientEvent::Returned { reply, .. } => format!("is told {}", reply_text(reply)),
        ClientEvent::Unknown { .. } => "will not know".into(),
        ClientEvent::Recipe(Told::Lock { path, told }) => format!("lock {path}: {told:?}"),
        ClientEvent::Recipe(Told::Election { path, told }) => format!("election {path}: {told:?}"),
        ClientEvent::Recipe(told) => told_text(told),
        ClientEvent::Stored {
            path,
            value,
            token,
            refused: None,
        } => format!("stores {value} under {path} with token {token}"),
        ClientEvent::Stored {
            path,
            token,
            refused: Some(greatest),
            ..
        } => format!("is refused under {path} with token {token} after {greatest}"),
        ClientEvent::Watch(event) => {
            format!("sees {:?} {} at {}", event.kind, event.path, event.zxid)
        }
    })
}

fn told_text(told: &Told) -> String {
    match told {
        Told::Put {
            path,
            told: Put::Stored { name },
        } => format!("puts {name} into {path}"),
        Told::Take {
            path,
            told: Take::Taken { value, token, .. },
        } => {
            let value = String::from_utf8_lossy(value);
            format!("takes {value} from {path} with token {token}")
        }
        Told::Take { path, told } => format!("queue {path}: {told:?}"),
        Told::Member { path, told } => format!("group {path}: {told:?}"),
        Told::Roll {
            path,
            told: Called::Present(seats),
        } => format!("sees {} in {path}", seats.len()),
        other => format!("{other:?}"),
    }
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
    let value = |data: &Option<Bytes>| {
        data.as_ref().map_or(String::new(), |data| {
            format!(" {}", String::from_utf8_lossy(data))
        })
    };
    match op {
        Op::Create { path, data, .. } => format!("create {path}{}", value(data)),
        Op::SetData { path, data, .. } => format!("set {path}{}", value(data)),
        Op::Delete { path, .. } => format!("delete {path}"),
        Op::SetAcl { path, .. } => format!("set-acl {path}"),
        Op::Check { path, .. } => format!("check {path}"),
    }
}

pub(super) fn reply_text(reply: &Reply) -> String {
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

/// What an entry of the log says.
#[must_use]
pub fn payload(entry: &Entry) -> String {
    let bytes = match &entry.payload {
        Payload::Blank => return "blank".into(),
        Payload::Membership(configuration) => return members(configuration),
        Payload::Command(bytes) => bytes,
    };
    match wire::decode_command(bytes) {
        Ok(Command::Init { .. }) => "init".into(),
        Ok(Command::Open { .. }) => "open".into(),
        Ok(Command::Attach { session, .. }) => format!("attach {session}"),
        Ok(Command::Write { request, .. }) => match request {
            WriteRequest::Op(op) => op_text(&op),
            WriteRequest::Once(Once {
                change: Change::One(op),
                ..
            }) => op_text(&op),
            WriteRequest::Close => "close".into(),
            other => format!("{other:?}"),
        },
        Ok(Command::Expire { .. }) => "expire".into(),
        Ok(Command::Reconfigure { .. }) => "reconfigure".into(),
        Ok(Command::Abandon { change }) => format!("abandon {change}"),
        #[allow(unreachable_patterns)]
        Ok(other) => format!("{other:?}"),
        Err(_) => "?".into(),
    }
}

/// `members 1,2`, `members 1,2 learners 3`, and in a joint phase `members 1,2 from 2,3`.
fn members(configuration: &Configuration) -> String {
    let list = |ids: &mut dyn Iterator<Item = NodeId>| {
        let ids: Vec<String> = ids.map(|id| id.to_string()).collect();
        ids.join(",")
    };
    let mut text = format!("members {}", list(&mut configuration.voters()));
    if configuration.is_joint() {
        text += &format!(" from {}", list(&mut configuration.old_voters()));
    }
    if configuration.learners().next().is_some() {
        text += &format!(" learners {}", list(&mut configuration.learners()));
    }
    text
}

fn is_heartbeat(message: &Message) -> bool {
    matches!(
        message,
        Message::Raft(Raft::Heartbeat { .. } | Raft::HeartbeatReply { .. })
    )
}

/// A message in a line; its first word is its kind.
#[must_use]
pub fn cargo(cargo: &Cargo) -> String {
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
        Message::Digest { index, .. } => format!("digest at {index}"),
        Message::Touch { sessions } => format!("touch {} sessions", sessions.len()),
    }
}

/// From where to where.
#[must_use]
pub fn ends(from: End, to: End) -> String {
    let end = |end| match end {
        End::Node(id) => id.to_string(),
        End::Client(id) => client_name(id),
    };
    format!("{}->{}", end(from), end(to))
}

/// The scripts' clients have letters, the workload's numbers.
#[must_use]
pub fn client_name(id: ClientId) -> String {
    match u8::try_from(id.0) {
        Ok(letter) if letter.is_ascii_alphabetic() => char::from(letter).to_string(),
        _ => format!("client {}", id.0),
    }
}

/// A role in a word.
#[must_use]
pub fn role_name(role: Role) -> &'static str {
    match role {
        Role::Follower => "follower",
        Role::PreCandidate => "pre-candidate",
        Role::Candidate => "candidate",
        Role::Leader => "leader",
    }
}

/// Milliseconds since the start.
#[must_use]
pub fn moment(start: Time, time: Time) -> String {
    let us = time.since(start).0;
    format!("{:>7}.{:03}", us / 1_000, us % 1_000)
}

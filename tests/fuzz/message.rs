//! What a faulty peer says: well typed, and most often close to what could be true of the member that
//! hears it, because what is far from it is refused at the door.

use bytes::Bytes;
use otterkeeper_core::command::{Command, Origin, Silent, WriteRequest};
use otterkeeper_core::configuration::{Configuration, Member, Standing};
use otterkeeper_core::id::{Index, LogId, NodeId, ReplicaId, SessionId, Term};
use otterkeeper_core::message::Message;
use otterkeeper_core::node::View;
use otterkeeper_core::raft::message::{Entry, Message as Raft, Payload, SnapshotMeta};
use otterkeeper_core::request::{
    Acl, Change, CreateMode, Identity, Once, Op, Read, ReadKind, Reconfig,
};
use otterkeeper_core::time::Time;
use otterkeeper_core::wire;

use super::Draw;

pub(super) fn message(draw: &mut Draw<'_>, view: View<'_>) -> Message {
    match draw.below(20) {
        17 => Message::Forward {
            stream: draw.number(),
            at: draw.number(),
            commands: (0..draw.below(4)).map(|_| command(draw)).collect(),
        },
        18 => Message::Touch {
            sessions: (0..draw.below(4))
                .map(|_| SessionId(draw.number()))
                .collect(),
        },
        kind => Message::Raft(raft(kind, draw, view)),
    }
}

fn raft(kind: u8, draw: &mut Draw<'_>, view: View<'_>) -> Raft {
    let term = Term(draw.near(view.term().0));
    match kind {
        0 => Raft::PreVote {
            term,
            last: log_id(draw, view),
            round: draw.number(),
        },
        1 => Raft::PreVoteReply {
            term,
            granted: draw.is_one_in(2),
            round: draw.number(),
        },
        2 => Raft::Vote {
            term,
            last: log_id(draw, view),
            transfer: draw.is_one_in(2),
        },
        3 => Raft::VoteReply {
            term,
            granted: !draw.is_one_in(4),
        },
        4..=8 => append(term, draw, view),
        9 => Raft::Appended {
            term,
            matched: Index(draw.near(view.last().index.0)),
        },
        10 => Raft::Rejected {
            term,
            prev: Index(draw.near(view.last().index.0)),
            hint: log_id(draw, view),
        },
        11 => Raft::Heartbeat {
            term,
            commit: Index(draw.near(view.last().index.0)),
            round: draw.number(),
        },
        12 => Raft::HeartbeatReply {
            term,
            round: draw.number(),
            promised: draw.is_one_in(2),
        },
        13 => Raft::SnapshotOffer {
            term,
            meta: SnapshotMeta {
                last: log_id(draw, view),
                stamp: Time(draw.number()),
                configuration: configuration(draw),
            },
        },
        14 => Raft::SnapshotPull {
            term,
            last: log_id(draw, view),
            cursor: Bytes::copy_from_slice(draw.some()),
        },
        15 => Raft::SnapshotPart {
            term,
            last: log_id(draw, view),
            cursor: Bytes::copy_from_slice(draw.some()),
            next: draw
                .is_one_in(2)
                .then(|| Bytes::copy_from_slice(draw.some())),
            bytes: Bytes::copy_from_slice(draw.some()),
        },
        16 => Raft::TimeoutNow {
            term,
            last: log_id(draw, view),
        },
        19 => match draw.is_one_in(2) {
            true => Raft::ReadIndex {
                term,
                number: draw.number(),
            },
            false => Raft::ReadIndexReply {
                term,
                number: draw.number(),
                index: Index(draw.near(view.commit().0)),
            },
        },
        _ => Raft::VoteReply {
            term,
            granted: true,
        },
    }
}

fn append(term: Term, draw: &mut Draw<'_>, view: View<'_>) -> Raft {
    let prev = log_id(draw, view);
    let mut entries = Vec::new();
    let mut last = prev;
    for _ in 0..draw.below(4) {
        let index = match draw.is_one_in(16) {
            true => draw.number(),
            false => last.index.0.saturating_add(1),
        };
        let of_term = match draw.is_one_in(4) {
            true => draw.near(last.term.0),
            false => term.0,
        };
        let id = LogId {
            term: Term(of_term),
            index: Index(index),
        };
        let payload = payload(draw);
        let stamp = Time(draw.number());
        entries.push(Entry { id, stamp, payload });
        last = id;
    }
    Raft::Append {
        term,
        prev,
        entries,
        commit: Index(draw.near(last.index.0)),
    }
}

/// Most often one of the member's own log.
pub(super) fn log_id(draw: &mut Draw<'_>, view: View<'_>) -> LogId {
    let last = view.last();
    let index = Index(draw.near(last.index.0));
    let own = view.entry(index).map_or(last.term, |entry| entry.id.term);
    let term = match draw.is_one_in(4) {
        true => Term(draw.near(own.0)),
        false => own,
    };
    LogId { term, index }
}

fn payload(draw: &mut Draw<'_>) -> Payload {
    match draw.below(8) {
        0 | 1 => Payload::Blank,
        2 => Payload::Membership(configuration(draw)),
        3 => Payload::Command(Bytes::copy_from_slice(draw.some())),
        _ => Payload::Command(command(draw)),
    }
}

fn command(draw: &mut Draw<'_>) -> Bytes {
    let session = SessionId(draw.number());
    let command = match draw.below(9) {
        0 => Command::Init {
            members: configuration(draw),
            secret: [draw.byte(); 32],
            features: u32::from(draw.below(3)),
            max_depth: draw.number() as u32,
        },
        1 => Command::Open {
            replaces: None,
            origin: origin(draw),
            timeout_ms: draw.number() as u32,
        },
        2 => Command::Attach {
            origin: origin(draw),
            session,
            password: [draw.byte(); 16],
            timeout_ms: draw.number() as u32,
        },
        3 => Command::Expire {
            sessions: vec![Silent {
                session,
                epoch: Index(draw.number()),
                ms: draw.number(),
            }],
            leader: NodeId(draw.below(4).into()),
        },
        4 => Command::Reconfigure {
            origin: origin(draw),
            request: reconfigure(draw),
        },
        5 => Command::Abandon {
            change: Index(draw.number()),
        },
        _ => Command::Write {
            session,
            epoch: Index(draw.near(session.0)),
            number: draw.number(),
            ids: (0..draw.below(3)).map(|_| identity(draw)).collect(),
            request: match draw.below(8) {
                0 => WriteRequest::Close,
                1 => WriteRequest::Multi((0..draw.below(4)).map(|_| op(draw)).collect()),
                2 => WriteRequest::Reconfig(reconfig(draw)),
                3 => WriteRequest::Once(Once {
                    number: draw.below(4).into(),
                    answered: draw.below(4).into(),
                    change: match draw.below(2) {
                        0 => Change::One(op(draw)),
                        _ => Change::All((0..draw.below(4)).map(|_| op(draw)).collect()),
                    },
                }),
                _ => WriteRequest::Op(op(draw)),
            },
        },
    };
    wire::encode_command(&command)
}

pub(super) fn identity(draw: &mut Draw<'_>) -> Identity {
    let scheme = ["world", "digest", "ip", ""][usize::from(draw.below(4))];
    Identity {
        scheme: scheme.into(),
        id: String::from_utf8_lossy(draw.some()).into_owned(),
    }
}

fn acl(draw: &mut Draw<'_>) -> Vec<Acl> {
    let one = |draw: &mut Draw<'_>| {
        let Identity { scheme, id } = identity(draw);
        let perms = u32::from(draw.byte());
        Acl { perms, scheme, id }
    };
    match draw.below(4) {
        0 => (0..draw.below(3)).map(|_| one(draw)).collect(),
        _ => vec![Acl::open()],
    }
}

fn origin(draw: &mut Draw<'_>) -> Origin {
    Origin {
        node: NodeId(draw.number()),
        incarnation: draw.number(),
        ticket: draw.number(),
    }
}

pub(super) fn reconfigure(draw: &mut Draw<'_>) -> otterkeeper_core::command::Reconfigure {
    use otterkeeper_core::configuration::Change;
    let members = (0..draw.below(3)).map(|_| member(draw)).collect();
    let change = match draw.is_one_in(2) {
        true => Change::Replace(members),
        false => Change::Incremental {
            joining: members,
            leaving: (0..draw.below(3)).map(|_| NodeId(draw.number())).collect(),
        },
    };
    let version = draw.is_one_in(4).then(|| Index(draw.number()));
    otterkeeper_core::command::Reconfigure { version, change }
}

/// The same as a client writes it.
pub(super) fn reconfig(draw: &mut Draw<'_>) -> Reconfig {
    let server = |draw: &mut Draw<'_>| match draw.below(4) {
        0 => String::from_utf8_lossy(draw.some()).into_owned(),
        1 => String::new(),
        role => {
            let id = draw.below(5);
            let role = ["participant", "observer"][usize::from(role) - 2];
            format!("server.{id}=h:{}:{id}:{role};h:{id}", draw.byte())
        }
    };
    let text = |draw: &mut Draw<'_>| match draw.below(3) {
        0 => String::new(),
        1 => server(draw),
        _ => server(draw) + "," + &server(draw),
    };
    Reconfig {
        joining: text(draw),
        leaving: match draw.below(3) {
            0 => String::new(),
            1 => format!("{},{}", draw.number(), draw.byte()),
            _ => String::from_utf8_lossy(draw.some()).into_owned(),
        },
        members: text(draw),
        version: draw.is_one_in(4).then(|| Index(draw.number())),
        met: (0..draw.below(3))
            .map(|_| (NodeId(draw.number()), ReplicaId(u128::from(draw.byte()))))
            .collect(),
    }
}

fn member(draw: &mut Draw<'_>) -> Member {
    let id = match draw.is_one_in(16) {
        true => draw.number(),
        false => u64::from(draw.below(5)) + 1,
    };
    let mut address = |text: &str| match draw.is_one_in(8) {
        true => String::from(text),
        false => String::new(),
    };
    let (address, clients) = (address("a:1"), address("a:2"));
    Member {
        id: NodeId(id),
        replica: ReplicaId(u128::from(draw.below(3))),
        address,
        clients,
        standing: match draw.below(8) {
            0 => Standing::Learner,
            1 => Standing::Incoming,
            2 => Standing::Outgoing,
            3 => Standing::Demoted,
            _ => Standing::Voter,
        },
    }
}

/// Now and then one that no member would make: nobody in it, or somebody twice.
fn configuration(draw: &mut Draw<'_>) -> Configuration {
    match draw.below(4) {
        0 => Configuration::of_voters([NodeId(1), NodeId(2), NodeId(3)]),
        1 => Configuration::of_voters((1..=u64::from(draw.below(5))).map(NodeId)),
        _ => Configuration::new((0..draw.below(6)).map(|_| member(draw)).collect()),
    }
}

pub(super) fn path(draw: &mut Draw<'_>) -> String {
    match draw.below(8) {
        0 => String::from_utf8_lossy(draw.some()).into_owned(),
        1 => "/".into(),
        2 => "/zookeeper/config".into(),
        deep => format!("/{}", ["a", "b"][usize::from(deep % 2)]).repeat(usize::from(deep) - 2),
    }
}

pub(super) fn op(draw: &mut Draw<'_>) -> Op {
    let path = path(draw);
    let version = match draw.is_one_in(4) {
        true => draw.number() as i32,
        false => i32::from(draw.below(3)) - 1,
    };
    let data = (!draw.is_one_in(8)).then(|| Bytes::copy_from_slice(draw.some()));
    match draw.below(6) {
        5 => Op::SetAcl {
            path,
            acl: acl(draw),
            version,
        },
        0 => Op::Delete { path, version },
        1 => Op::SetData {
            path,
            data,
            version,
        },
        2 => Op::Check { path, version },
        _ => Op::Create {
            path,
            data,
            acl: acl(draw),
            mode: match draw.below(4) {
                0 => CreateMode::Persistent,
                1 => CreateMode::Ephemeral,
                2 => CreateMode::PersistentSequential,
                _ => CreateMode::EphemeralSequential,
            },
            stat: draw.is_one_in(2),
        },
    }
}

pub(super) fn read(draw: &mut Draw<'_>) -> Read {
    Read {
        kind: match draw.below(4) {
            3 => ReadKind::Acl,
            0 => ReadKind::Exists,
            1 => ReadKind::Data,
            _ => ReadKind::Children,
        },
        path: path(draw),
        watch: draw.is_one_in(2),
    }
}

//! Members on loopback, each with its data directory, linked by the real thing.

use core::time::Duration;
use std::fs;
use std::path::{Path, PathBuf};

use futures_util::StreamExt;
use otterkeeper_core::id::{Index, LogId, Term};
use otterkeeper_core::raft::message::{Entry, Payload};
use otterkeeper_core::time::Time;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::LocalRuntime;
use tokio::task::spawn_local;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::{WebSocketStream, accept_async_with_config};

use super::*;

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("otterkeeper-{name}-{}", std::process::id()));
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Listeners for this many members, and where they are.
async fn listeners(count: u64) -> (Vec<TcpListener>, BTreeMap<NodeId, String>) {
    let mut bound = Vec::new();
    let mut members = BTreeMap::new();
    for id in 1..=count {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        members.insert(NodeId(id), listener.local_addr().unwrap().to_string());
        bound.push(listener);
    }
    (bound, members)
}

fn member(
    path: &Path,
    id: u64,
    listener: TcpListener,
    members: &BTreeMap<NodeId, String>,
) -> Peers {
    let data = DataDir::lock(path).unwrap();
    let identity = data.identity(NodeId(id)).unwrap();
    let peers = Peers::new(identity, data, members, false, String::new());
    let accepting = peers.clone();
    spawn_local(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let peers = accepting.clone();
            spawn_local(async move {
                if let Ok(socket) = accept_async_with_config(stream, Some(frame_limits())).await {
                    peers.accept(socket).await;
                }
            });
        }
    });
    peers.dial();
    peers
}

#[test]
fn empty_members_form_one_cluster_and_refuse_a_stranger() {
    let scratch = Scratch::new("forming");
    LocalRuntime::new().unwrap().block_on(async {
        let (bound, members) = listeners(3).await;
        let mut all = Vec::new();
        for (id, listener) in (1..).zip(bound) {
            all.push(member(
                &scratch.0.join(id.to_string()),
                id,
                listener,
                &members,
            ));
        }
        let clusters = [
            all[0].formed().await,
            all[1].formed().await,
            all[2].formed().await,
        ];
        assert_eq!(clusters[0].as_ref().unwrap().members.len(), 3);
        assert!(clusters.iter().all(|cluster| *cluster == clusters[0]));
        let all_reached = async {
            while all.iter().any(|peers| peers.reached() < 2) {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(Duration::from_secs(10), all_reached).await.unwrap();

        // Member 3 comes back with nothing in hand.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stranger = member(&scratch.0.join("stranger"), 3, listener, &members);
        let refusal = timeout(Duration::from_secs(10), stranger.formed())
            .await
            .unwrap();
        assert!(refusal.unwrap_err().contains("does not know"));
    });
}

#[test]
fn a_member_alone_forms_its_cluster_at_once() {
    let scratch = Scratch::new("alone");
    LocalRuntime::new().unwrap().block_on(async {
        let (mut bound, members) = listeners(1).await;
        let path = scratch.0.join("1");
        let peers = member(&path, 1, bound.remove(0), &members);
        let cluster = peers.formed().await.unwrap();
        let stored = fs::read_to_string(path.join("identity")).unwrap();
        assert!(stored.contains(&cluster.id.to_string()));
    });
}

/// An append of this entry, a megabyte long.
fn append(index: u64) -> Message {
    let term = Term(1);
    let id = |index| LogId {
        term,
        index: Index(index),
    };
    let entry = Entry {
        id: id(index),
        stamp: Time(index),
        payload: Payload::Command(vec![7; 1 << 20].into()),
    };
    Message::Raft(RaftMessage::Append {
        term,
        prev: id(index - 1),
        entries: vec![entry],
        commit: Index(0),
    })
}

fn heartbeat(round: u64) -> Message {
    Message::Raft(RaftMessage::Heartbeat {
        term: Term(1),
        commit: Index(0),
        round,
    })
}

/// The next message on a connection, in so much time; the connection's own signs of life do not count.
async fn next(socket: &mut WebSocketStream<TcpStream>) -> Message {
    let message = async {
        loop {
            match socket.next().await.expect("the link stands").unwrap() {
                Frame::Binary(bytes) => return wire::decode_message(&bytes).unwrap(),
                Frame::Ping(_) => {}
                frame => panic!("{frame:?}"),
            }
        }
    };
    timeout(Duration::from_secs(10), message)
        .await
        .expect("it comes in time")
}

/// A peer takes none of the data that is sent to it, until no more fits into the sockets and the queue. It hears
/// every heartbeat all the same, and at once (raft.md 2.7.2).
#[test]
fn heartbeats_pass_the_data_that_a_slow_peer_does_not_take() {
    let scratch = Scratch::new("slow");
    LocalRuntime::new().unwrap().block_on(async {
        let (mut bound, members) = listeners(2).await;
        let mut leader = member(&scratch.0.join("1"), 1, bound.remove(0), &members);
        // The other one dials by hand.
        let data = DataDir::lock(&scratch.0.join("2")).unwrap();
        let identity = data.identity(NodeId(2)).unwrap();
        let slow = Peers::new(identity, data, &members, false, String::new());
        let dial = |lane| slow.dial_once(NodeId(1), &members[&NodeId(1)], lane);
        let first = dial(LaneKind::Control).await;
        leader.formed().await.unwrap();
        drop(first);
        let (_, mut control) = dial(LaneKind::Control).await.unwrap();
        let (_, mut bulk) = dial(LaneKind::Bulk).await.unwrap();
        while leader.reached() < 1 {
            sleep(Duration::from_millis(5)).await;
        }

        let (mut sent, mut refused) = (0, 0);
        while refused < 5 {
            if leader.send(NodeId(2), &append(sent + 1)) {
                (sent, refused) = (sent + 1, 0);
            } else {
                refused += 1;
            }
            leader.flush();
            sleep(Duration::from_millis(if refused == 0 { 1 } else { 20 })).await;
        }
        let queued = BULK_QUEUE_BYTES as u64 >> 20;
        assert!(queued <= sent, "{sent} MB filled it");
        for round in 1..=50 {
            assert!(leader.send(NodeId(2), &heartbeat(round)), "round {round}");
            leader.flush();
            assert_eq!(next(&mut control).await, heartbeat(round));
        }
        for index in 1..=sent {
            assert_eq!(next(&mut bulk).await, append(index));
        }
    });
}

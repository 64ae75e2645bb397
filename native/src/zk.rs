//! ZooKeeper's TCP protocol, so that its clients work unchanged: frames, the handshake in both lengths,
//! sessions taken up again by id and password, watch events, four-letter words. What an operation does
//! is the core's affair; here are its bytes and the order in which they go.
//!
//! Answered: create, create2, createContainer, createTTL, delete, exists, getData, setData, getACL, setACL,
//! getChildren, getChildren2, sync, multi, multiRead, checkWatches, removeWatches, setWatches, setWatches2,
//! addWatch, getEphemerals, getAllChildrenNumber, auth, sasl (DIGEST-MD5), reconfig, whoAmI, ping,
//! closeSession. Any other operation gets -6 (unimplemented) and the connection is closed behind it.

mod conn;
pub mod decode;
mod encode;
mod jute;
mod sasl;
pub mod words;

use core::cell::{Cell, RefCell};
use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::rc::Rc;
use std::time::Instant;

use bytes::BytesMut;
use otterkeeper_core::id::ConnId;
use otterkeeper_core::node::{ConnView, View};
use otterkeeper_core::raft::note::Role;
use tokio::net::TcpListener;

use crate::driver::Hub;
pub use sasl::Users;

/// How long the listener waits when the process has no more file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A client's address, and what waits to be sent to it.
type Peer = (String, Rc<RefCell<conn::Outbox>>);

/// What the connections of one listener share.
struct Server {
    hub: Hub,
    words: words::Allowed,
    /// Who can prove by DIGEST-MD5 who they are.
    users: Users,
    /// For `conf`.
    conf: words::Conf,
    /// The longest packet that is taken.
    request_bytes: usize,
    started: Instant,
    scratch: conn::Scratch,
    latency: Latency,
    connections: RefCell<BTreeMap<ConnId, Peer>>,
    /// Packets from and to the connections that are gone.
    past: Cell<(u64, u64)>,
    /// What of them `srst` has made forgotten.
    forgotten: Cell<(u64, u64)>,
}

/// Accepts ZooKeeper's clients for as long as it is polled. Its tasks stay on this thread, so it must
/// run inside a `LocalSet`. `request_bytes` is the longest packet that is taken, `conf` what the word of
/// that name says of the settings, `users` who can prove themselves by DIGEST-MD5.
pub async fn serve(
    listener: TcpListener,
    hub: Hub,
    request_bytes: u32,
    words: words::Allowed,
    conf: words::Conf,
    users: Users,
) {
    let server = Rc::new(Server {
        hub,
        words,
        conf,
        users,
        request_bytes: request_bytes as usize,
        started: Instant::now(),
        scratch: RefCell::new(BytesMut::new()),
        latency: Latency::default(),
        connections: RefCell::new(BTreeMap::new()),
        past: Cell::new((0, 0)),
        forgotten: Cell::new((0, 0)),
    });
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                // Answers are written whole, so there is nothing that Nagle's wait could gather.
                let _ = stream.set_nodelay(true);
                tokio::task::spawn_local(conn::run(
                    Rc::clone(&server),
                    stream,
                    address.to_string(),
                ));
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a ZooKeeper client");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

impl Server {
    /// A connection ends: the node and the lists forget it. Once is enough, more do no harm.
    fn forget(&self, id: ConnId) {
        self.hub.gone(id);
        if let Some((_, out)) = self.connections.borrow_mut().remove(&id) {
            let (out, (received, sent)) = (out.borrow(), self.past.get());
            self.past.set((received + out.received, sent + out.sent));
        }
    }

    /// Packets from and to all connections since the start.
    fn packets(&self) -> (u64, u64) {
        let connections = self.connections.borrow();
        let past = self.past.get();
        connections
            .values()
            .fold(past, |(received, sent), (_, out)| {
                let out = out.borrow();
                (received + out.received, sent + out.sent)
            })
    }

    /// What `srst` and `crst` do.
    fn reset(&self, word: &str) {
        match word {
            "srst" => {
                self.forgotten.set(self.packets());
                self.latency.reset();
            }
            "crst" => {
                for (_, out) in self.connections.borrow().values() {
                    out.borrow_mut().reset();
                }
            }
            _ => {}
        }
    }

    /// What a word needs to know. Lists are long, so each is made only for its own words.
    fn facts(&self, word: &str) -> words::Facts {
        let mut facts = self.hub.with_view(|view| {
            let mode = match view.role() {
                _ if view.is_read_only() => Some("read-only"),
                _ if view.leader().is_none() => None,
                _ if view.voters().len() == 1 => Some("standalone"),
                Role::Leader => Some("leader"),
                _ => Some("follower"),
            };
            let peers = view.peers();
            let synced = peers
                .iter()
                .filter(|peer| view.commit() <= peer.matched)
                .count();
            let tree = view.machine().tree();
            words::Facts {
                mode,
                zxid: view.applied().0,
                znodes: tree.count(),
                data_bytes: tree.data_bytes(),
                ephemerals: tree.ephemeral_count(),
                watches: view.watches().len() as u64,
                sessions: view.machine().sessions().count() as u64,
                learners: (view.role() == Role::Leader)
                    .then_some((peers.len() as u64, synced as u64)),
                quorum_size: view.voters().len() as u64,
                digest: view.tree_digest().1,
                membership: match word {
                    "conf" => {
                        let members = view.machine().members();
                        members.settled().text(members.version())
                    }
                    _ => String::new(),
                },
                votes: view.is_voter(),
                listed: match word {
                    "dump" => sessions(view),
                    _ => Vec::new(),
                },
                watched: match word {
                    "wchc" | "wchp" | "wchs" => watched(view),
                    _ => Vec::new(),
                },
                ..words::Facts::default()
            }
        });
        facts.uptime_ms = self.started.elapsed().as_millis() as u64;
        facts.latency_us = self.latency.read();
        let (packets, forgotten) = (self.packets(), self.forgotten.get());
        facts.received = packets.0 - forgotten.0;
        facts.sent = packets.1 - forgotten.1;
        for (address, out) in self.connections.borrow().values() {
            let out = out.borrow();
            facts.outstanding += out.unanswered();
            facts.connections.push(out.shown(address.clone()));
        }
        facts.conf = self.conf.clone();
        if matches!(word, "conf" | "dirs") {
            facts.directory_bytes = directory_bytes(&self.conf.data);
        }
        facts
    }
}

fn sessions(view: View<'_>) -> Vec<words::Session> {
    let now = view.now();
    let machine = view.machine();
    let sessions = machine.sessions().map(|(id, session)| words::Session {
        id: id.0,
        timeout_ms: session.timeout_ms,
        left_ms: view
            .session_deadline(id)
            .map(|deadline| deadline.since(now).as_ms()),
        ephemerals: machine.ephemerals(id).map(str::to_owned).collect(),
    });
    sessions.collect()
}

/// Sessions of this server's connections that watch something, and what.
fn watched(view: View<'_>) -> Vec<(u64, Vec<String>)> {
    let of = |conn: ConnView| {
        let watches = view.watches().of(conn.conn);
        let mut paths: Vec<String> = watches.map(|watch| watch.0.to_owned()).collect();
        paths.sort_unstable();
        paths.dedup();
        (!paths.is_empty()).then_some((conn.session.0, paths))
    };
    view.connections().into_iter().filter_map(of).collect()
}

/// Bytes of the snapshots and of everything else in the data directory; 0 for what cannot be read.
fn directory_bytes(data: &str) -> (u64, u64) {
    let list = |path: &Path| std::fs::read_dir(path).into_iter().flatten().flatten();
    // The log and the snapshots have folders of their own.
    let top = list(Path::new(data));
    let files = top.flat_map(|entry| match entry.path().is_dir() {
        true => list(&entry.path()).collect(),
        false => vec![entry],
    });
    files.fold((0, 0), |(snapshots, log), file| {
        let bytes = file.metadata().map_or(0, |metadata| metadata.len());
        match file.path().extension().is_some_and(|end| end == "snap") {
            true => (snapshots + bytes, log),
            false => (snapshots, log + bytes),
        }
    })
}

/// Microseconds from the read that brought a request to the write that carried its answer.
#[derive(Default)]
struct Latency {
    least: Cell<u64>,
    most: Cell<u64>,
    last: Cell<u64>,
    total: Cell<u64>,
    count: Cell<u64>,
}

impl Latency {
    /// Takes the marks off whose packets are all answered; for the server and for the connection.
    fn measure(&self, own: &Self, marks: &mut VecDeque<(u64, Instant)>, answered: u64) {
        let now = Instant::now();
        while let Some((_, read_at)) = marks.pop_front_if(|(count, _)| *count <= answered) {
            let us = now.duration_since(read_at).as_micros() as u64;
            self.add(us);
            own.add(us);
        }
    }

    fn add(&self, us: u64) {
        let least = if self.count.get() == 0 {
            us
        } else {
            self.least.get().min(us)
        };
        self.least.set(least);
        self.most.set(self.most.get().max(us));
        self.last.set(us);
        self.total.set(self.total.get() + us);
        self.count.set(self.count.get() + 1);
    }

    fn reset(&self) {
        for cell in [
            &self.least,
            &self.most,
            &self.last,
            &self.total,
            &self.count,
        ] {
            cell.set(0);
        }
    }

    /// Least, mean and most.
    fn read(&self) -> (u64, u64, u64) {
        let mean = self.total.get() / self.count.get().max(1);
        (self.least.get(), mean, self.most.get())
    }
}

#[cfg(test)]
mod tests;

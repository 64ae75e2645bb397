//! Links between members: two WebSocket connections a pair, *control* for votes and heartbeats and *bulk*
//! for entries and snapshots, so that a sign of life never waits behind data (rule R25). The member with
//! the higher number dials. It knows who may talk to whom, and how a cluster is formed; what the messages
//! say is the node's business.
//!
//! The first frame each way is a greeting in JSON: who I am, which cluster I belong to, whom I mean. All
//! later frames are messages in the binary form of the core. A queue that is full drops messages and
//! tells the node, which sends again what matters.
//!
//! **Forming a cluster (rule R23).** At the first start no member belongs to a cluster, and no node runs.
//! When the lowest number has been greeted by every member on the list, all empty and with the same list,
//! it draws the cluster's id, notes it down with the replica id of each member, and dials anew. An empty
//! member joins a cluster whose notes name its own replica id, and none else: then it has never voted,
//! so nothing is forgotten. A member that comes back with a new, empty data directory has another
//! replica id and is refused.

use core::cell::{Cell, RefCell};
use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use otterkeeper_core::id::NodeId;
use otterkeeper_core::message::Message;
use otterkeeper_core::raft::message::Message as RaftMessage;
use otterkeeper_core::wire;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::spawn_local;
use tokio::time::{interval, sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use crate::driver::{Hub, Network};
use crate::identity::{Cluster, DataDir, Identity, Member, RandomId};

/// Version of the greeting and of the messages.
const VERSION: u32 = 1;

/// Bytes that wait for one connection; beyond it messages are dropped.
const CONTROL_QUEUE_BYTES: usize = 1 << 20;
const BULK_QUEUE_BYTES: usize = 32 << 20;

/// Bytes of one frame.
const FRAME_BYTES: usize = 32 << 20;

/// What one read can bring. The library fills this much with zeroes before each read, so more costs more
/// than it saves.
const READ_BYTES: usize = 16 << 10;

/// How long a connection and a greeting may take.
const GREETING_TIME: Duration = Duration::from_secs(2);

/// A connection on which nothing came for three of these is given up; one ping is sent in each.
const PING_EVERY: Duration = Duration::from_secs(1);

/// Pause before dialling again: doubles from the first to the last.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));

/// The links of this member. Cheap to clone; they stay on the driver's thread.
#[derive(Clone)]
pub struct Peers(Rc<Shared>);

struct Shared {
    identity: RefCell<Identity>,
    data: DataDir,
    /// All members on this member's list, itself included, in ascending order.
    listed: Vec<NodeId>,
    peers: BTreeMap<NodeId, Peer>,
    /// Where messages go; there is none until the cluster has been formed.
    hub: RefCell<Option<Hub>>,
    /// Set when this member cannot go on; a sentence for the operator.
    refused: RefCell<Option<String>>,
    /// Rung when the identity, `refused`, or who has been greeted changes.
    news: Notify,
}

struct Peer {
    /// HOST:PORT.
    address: String,
    lanes: [Lane; 2],
    /// The replica that greeted while it was empty, on the connection that still stands.
    empty: RefCell<Option<RandomId>>,
}

/// Which of the two connections.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum LaneKind {
    Control,
    Bulk,
}

struct Lane {
    queue: RefCell<VecDeque<Bytes>>,
    queued_bytes: Cell<usize>,
    limit_bytes: usize,
    /// Number of the connection that stands; each new one replaces the one before.
    link: Cell<u64>,
    up: Cell<bool>,
    wake: Notify,
}

/// The first frame of the dialling side, and the answer.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Greeting {
    Hello(Hello),
    /// Not you. If it is final, waiting does not help.
    Refused {
        sentence: String,
        r#final: bool,
    },
}

#[derive(Clone, Serialize, Deserialize)]
struct Hello {
    version: u32,
    lane: LaneKind,
    from: NodeId,
    to: NodeId,
    replica: RandomId,
    cluster: Option<Cluster>,
    /// The members on the sender's list.
    listed: Vec<NodeId>,
}

/// Why a greeting was not accepted.
struct Refusal {
    sentence: String,
    r#final: bool,
}

impl Peers {
    /// The links of the member that `identity` describes. `members` are all members with their
    /// addresses (HOST:PORT), this one included.
    #[must_use]
    pub fn new(identity: Identity, data: DataDir, members: &BTreeMap<NodeId, String>) -> Self {
        let peers = members
            .iter()
            .filter(|(id, _)| **id != identity.node)
            .map(|(id, address)| {
                let lanes = [Lane::new(CONTROL_QUEUE_BYTES), Lane::new(BULK_QUEUE_BYTES)];
                (
                    *id,
                    Peer {
                        address: address.clone(),
                        lanes,
                        empty: RefCell::default(),
                    },
                )
            });
        Self(Rc::new(Shared {
            peers: peers.collect(),
            identity: RefCell::new(identity),
            data,
            listed: members.keys().copied().collect(),
            hub: RefCell::default(),
            refused: RefCell::default(),
            news: Notify::new(),
        }))
    }

    /// The other members and where they serve HTTP, as HOST:PORT.
    pub fn addresses(&self) -> impl Iterator<Item = (NodeId, &str)> {
        self.0
            .peers
            .iter()
            .map(|(id, peer)| (*id, peer.address.as_str()))
    }

    /// Starts dialling; must be called on the driver's thread.
    pub fn dial(&self) {
        let own = self.0.identity.borrow().node;
        for (id, _) in self.0.peers.range(..own) {
            for lane in [LaneKind::Control, LaneKind::Bulk] {
                spawn_local(self.clone().keep_dialling(*id, lane));
            }
        }
    }

    /// Waits until this member belongs to a cluster; forms it if that is this member's part.
    ///
    /// # Errors
    /// A sentence for the operator, if this member is refused.
    pub async fn formed(&self) -> Result<Cluster, String> {
        loop {
            if let Some(sentence) = self.0.refused.borrow_mut().take() {
                return Err(sentence);
            }
            if let Some(cluster) = &self.0.identity.borrow().cluster {
                return Ok(cluster.clone());
            }
            let waiting = async {
                self.0.news.notified().await;
                true
            };
            if let Some(members) = self.all_empty() {
                let id = RandomId::draw().map_err(|error| error.to_string())?;
                self.join(Cluster { id, members })?;
            } else if !timeout(Duration::from_secs(5), waiting)
                .await
                .unwrap_or(false)
            {
                let missing = self
                    .0
                    .peers
                    .iter()
                    .filter(|(_, peer)| peer.empty.borrow().is_none());
                let missing: Vec<_> = missing.map(|(id, _)| id.to_string()).collect();
                tracing::info!(
                    missing = missing.join(","),
                    "waiting for all members, to form the cluster"
                );
            }
        }
    }

    /// Waits until this member is refused, and says why.
    pub async fn refused(&self) -> String {
        loop {
            if let Some(sentence) = self.0.refused.borrow_mut().take() {
                return sentence;
            }
            self.0.news.notified().await;
        }
    }

    /// From now on messages go to this node.
    pub fn attach(&self, hub: Hub) {
        *self.0.hub.borrow_mut() = Some(hub);
    }

    /// How many peers are reached on both connections.
    #[must_use]
    pub fn reached(&self) -> usize {
        self.0
            .peers
            .values()
            .filter(|peer| peer.lanes.iter().all(|lane| lane.up.get()))
            .count()
    }

    /// A connection that another member made.
    pub async fn accept<S: AsyncRead + AsyncWrite + Unpin>(self, mut socket: WebSocketStream<S>) {
        let Ok(Some(Greeting::Hello(hello))) = timeout(GREETING_TIME, hear(&mut socket)).await
        else {
            return;
        };
        let (from, lane) = (hello.from, hello.lane);
        match self.check(&hello) {
            Ok(()) => {
                let answer = self.hello(from, lane);
                let said_empty = answer.cluster.is_none();
                let said = say(&mut socket, &Greeting::Hello(answer)).await;
                // If a cluster was formed meanwhile, the other side must hear of it: it dials again.
                let heard_empty = hello.cluster.is_none();
                let stale = said_empty && heard_empty && self.0.identity.borrow().cluster.is_some();
                if said.is_some() && !stale {
                    self.carry(&hello, socket).await;
                }
            }
            Err(Refusal { sentence, r#final }) => {
                tracing::warn!(peer = %from, "refused: {sentence}");
                // It dials again if it did not hear this.
                let _ = say(&mut socket, &Greeting::Refused { sentence, r#final }).await;
            }
        }
    }

    async fn keep_dialling(self, to: NodeId, lane: LaneKind) {
        let mut pause = BACK_OFF.0;
        loop {
            match timeout(GREETING_TIME, self.dial_once(to, lane)).await {
                Ok(Some((hello, socket))) => {
                    pause = BACK_OFF.0;
                    self.carry(&hello, socket).await;
                }
                _ => pause = (pause * 2).min(BACK_OFF.1),
            }
            sleep(pause).await;
        }
    }

    async fn dial_once(
        &self,
        to: NodeId,
        lane: LaneKind,
    ) -> Option<(Hello, WebSocketStream<TcpStream>)> {
        let address = &self.0.peers.get(&to)?.address;
        let stream = TcpStream::connect(address).await.ok()?;
        stream.set_nodelay(true).ok()?;
        let url = format!("ws://{address}/peer");
        let config = Some(frame_limits());
        let dialled = tokio_tungstenite::client_async_with_config(url, stream, config).await;
        let (mut socket, _) = dialled.ok()?;
        say(&mut socket, &Greeting::Hello(self.hello(to, lane))).await?;
        match hear(&mut socket).await? {
            Greeting::Hello(hello) => match self.check(&hello) {
                Ok(()) => Some((hello, socket)),
                Err(Refusal { sentence, .. }) => {
                    tracing::warn!(peer = %to, "not accepted: {sentence}");
                    None
                }
            },
            Greeting::Refused { sentence, r#final } => {
                tracing::warn!(peer = %to, "refused: {sentence}");
                if r#final {
                    self.give_up(sentence);
                }
                None
            }
        }
    }

    fn hello(&self, to: NodeId, lane: LaneKind) -> Hello {
        let identity = self.0.identity.borrow();
        Hello {
            version: VERSION,
            lane,
            from: identity.node,
            to,
            replica: identity.replica.clone(),
            cluster: identity.cluster.clone(),
            listed: self.0.listed.clone(),
        }
    }

    /// Whether that one may talk to this one. An empty member learns here which cluster is its own.
    fn check(&self, hello: &Hello) -> Result<(), Refusal> {
        let identity = self.0.identity.borrow();
        let own = identity.node;
        let from = hello.from;
        let wait = |sentence: String| {
            Err(Refusal {
                sentence,
                r#final: false,
            })
        };
        if hello.version != VERSION {
            let theirs = hello.version;
            return wait(format!(
                "member {from} speaks version {theirs} of the peer protocol, {own} version {VERSION}"
            ));
        }
        if hello.to != own {
            return wait(format!(
                "member {from} looks for member {}, but this is member {own}: check --peer",
                hello.to
            ));
        }
        let Some(peer) = self.0.peers.get(&from) else {
            return wait(format!(
                "member {from} is not on the list of member {own}: check --peer"
            ));
        };
        match (&identity.cluster, &hello.cluster) {
            (Some(ours), Some(theirs)) if ours.id != theirs.id => wait(format!(
                "member {from} belongs to another cluster than member {own}"
            )),
            (Some(ours), _) if !ours.has(from, &hello.replica) => Err(lost_data(from)),
            (Some(_), _) => Ok(()),
            (None, Some(theirs)) if theirs.has(own, &identity.replica) => {
                let cluster = theirs.clone();
                drop(identity);
                self.join(cluster).map_err(|sentence| Refusal {
                    sentence,
                    r#final: false,
                })
            }
            (None, Some(_)) => {
                drop(identity);
                let refusal = lost_data(own);
                self.give_up(refusal.sentence.clone());
                Err(refusal)
            }
            (None, None) if hello.listed != self.0.listed => wait(format!(
                "members {from} and {own} have different lists of members: check --peer"
            )),
            (None, None) => {
                *peer.empty.borrow_mut() = Some(hello.replica.clone());
                self.0.news.notify_one();
                Ok(())
            }
        }
    }

    /// All members, if this one is the lowest and all others have greeted it with nothing in hand.
    fn all_empty(&self) -> Option<Vec<Member>> {
        let identity = self.0.identity.borrow();
        let own = Member {
            node: identity.node,
            replica: identity.replica.clone(),
        };
        let mut members = vec![own];
        for (id, peer) in &self.0.peers {
            let replica = peer
                .empty
                .borrow()
                .clone()
                .filter(|_| identity.node < *id)?;
            members.push(Member { node: *id, replica });
        }
        Some(members)
    }

    /// Notes the cluster down, then has all links made anew, so that the others hear of it.
    fn join(&self, cluster: Cluster) -> Result<(), String> {
        let mut identity = self.0.identity.borrow().clone();
        tracing::info!(cluster = %cluster.id, "member of a new cluster");
        identity.cluster = Some(cluster);
        self.0
            .data
            .store(&identity)
            .map_err(|error| format!("the identity cannot be stored: {error}"))?;
        *self.0.identity.borrow_mut() = identity;
        for lane in self.0.peers.values().flat_map(|peer| &peer.lanes) {
            lane.replace();
        }
        self.0.news.notify_one();
        Ok(())
    }

    fn give_up(&self, sentence: String) {
        *self.0.refused.borrow_mut() = Some(sentence);
        self.0.news.notify_one();
    }

    /// Carries messages both ways until the connection breaks or another one takes its place.
    async fn carry<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        hello: &Hello,
        socket: WebSocketStream<S>,
    ) {
        let from = hello.from;
        let Some(peer) = self.0.peers.get(&from) else {
            return;
        };
        let lane = peer.lane(hello.lane);
        let link = lane.replace();
        lane.up.set(true);
        let (sink, stream) = socket.split();
        let heard = Cell::new(true);
        tokio::select! {
            biased;
            () = self.read(from, stream, &heard) => {}
            () = lane.write(link, sink, &heard) => {}
        }
        if lane.link.get() == link {
            lane.up.set(false);
            lane.clear();
            *peer.empty.borrow_mut() = None;
        }
        if let Some(hub) = &*self.0.hub.borrow() {
            hub.peer_lost(from);
        }
    }

    async fn read<S>(
        &self,
        from: NodeId,
        mut stream: SplitStream<WebSocketStream<S>>,
        heard: &Cell<bool>,
    ) where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        while let Some(Ok(frame)) = stream.next().await {
            heard.set(true);
            match frame {
                Frame::Binary(bytes) => match wire::decode_message(&bytes) {
                    Ok(message) => {
                        if let Some(hub) = &*self.0.hub.borrow() {
                            hub.received(from, message);
                        }
                    }
                    Err(error) => {
                        return tracing::warn!(peer = %from, "a message makes no sense: {error}");
                    }
                },
                Frame::Ping(_) | Frame::Pong(_) => {}
                Frame::Text(_) | Frame::Close(_) | Frame::Frame(_) => return,
            }
        }
    }
}

impl Network for Peers {
    fn send(&mut self, to: NodeId, message: &Message) -> bool {
        let Some(peer) = self.0.peers.get(&to) else {
            return false;
        };
        let lane = peer.lane(lane_of(message));
        if !lane.up.get() {
            return false;
        }
        let frame = wire::encode_message(message);
        if lane.limit_bytes < lane.queued_bytes.get() + frame.len() {
            if let Some(hub) = &*self.0.hub.borrow() {
                hub.peer_lost(to);
            }
            return false;
        }
        lane.queued_bytes.set(lane.queued_bytes.get() + frame.len());
        lane.queue.borrow_mut().push_back(frame);
        true
    }

    fn flush(&mut self) {
        for lane in self.0.peers.values().flat_map(|peer| &peer.lanes) {
            if lane.queued_bytes.get() != 0 {
                lane.wake.notify_one();
            }
        }
    }
}

impl Peer {
    fn lane(&self, kind: LaneKind) -> &Lane {
        match kind {
            LaneKind::Control => &self.lanes[0],
            LaneKind::Bulk => &self.lanes[1],
        }
    }
}

impl Lane {
    fn new(limit_bytes: usize) -> Self {
        Self {
            queue: RefCell::default(),
            queued_bytes: Cell::new(0),
            limit_bytes,
            link: Cell::new(0),
            up: Cell::new(false),
            wake: Notify::new(),
        }
    }

    /// Ends the connection that stands, and returns the number of the next one.
    fn replace(&self) -> u64 {
        self.link.set(self.link.get() + 1);
        self.up.set(false);
        self.clear();
        self.wake.notify_waiters();
        self.link.get()
    }

    fn clear(&self) {
        self.queue.borrow_mut().clear();
        self.queued_bytes.set(0);
    }

    /// Writes what is queued, everything of one step before one flush.
    async fn write<S>(
        &self,
        link: u64,
        mut sink: SplitSink<WebSocketStream<S>, Frame>,
        heard: &Cell<bool>,
    ) where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut pings = interval(PING_EVERY);
        let mut silent = 0;
        while self.link.get() == link {
            tokio::select! {
                biased;
                () = self.wake.notified() => {}
                _ = pings.tick() => {
                    silent = if heard.replace(false) { 0 } else { silent + 1 };
                    if silent == 3 || sink.feed(Frame::Ping(Bytes::new())).await.is_err() {
                        return;
                    }
                }
            }
            loop {
                let frame = self.queue.borrow_mut().pop_front();
                let Some(frame) = frame else { break };
                self.queued_bytes.set(self.queued_bytes.get() - frame.len());
                if sink.feed(Frame::Binary(frame)).await.is_err() || self.link.get() != link {
                    return;
                }
            }
            if sink.flush().await.is_err() {
                return;
            }
        }
    }
}

impl Cluster {
    fn has(&self, node: NodeId, replica: &RandomId) -> bool {
        self.members
            .iter()
            .any(|member| member.node == node && member.replica == *replica)
    }
}

/// Limits of a connection between members.
#[must_use]
pub fn frame_limits() -> WebSocketConfig {
    WebSocketConfig::default()
        .max_message_size(Some(FRAME_BYTES))
        .max_frame_size(Some(FRAME_BYTES))
        .read_buffer_size(READ_BYTES)
}

fn lane_of(message: &Message) -> LaneKind {
    match message {
        Message::Forward { .. }
        | Message::Raft(
            RaftMessage::Append { .. }
            | RaftMessage::Appended { .. }
            | RaftMessage::Rejected { .. }
            | RaftMessage::SnapshotPart { .. },
        ) => LaneKind::Bulk,
        Message::Raft(_) | Message::Touch { .. } | Message::Digest { .. } => LaneKind::Control,
    }
}

fn lost_data(node: NodeId) -> Refusal {
    let sentence = format!(
        "member {node} comes with a data directory that this cluster does not know. If its data was lost, it may \
         have forgotten votes and entries it had promised: restore its own data directory, or remove the \
         member from the cluster and add it again under a new number"
    );
    Refusal {
        sentence,
        r#final: true,
    }
}

async fn say<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
    greeting: &Greeting,
) -> Option<()> {
    let text = serde_json::to_string(greeting).ok()?;
    socket.send(Frame::text(text)).await.ok()
}

async fn hear<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
) -> Option<Greeting> {
    match socket.next().await?.ok()? {
        Frame::Text(text) => serde_json::from_str(&text).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use tokio::net::TcpListener;
    use tokio::runtime::LocalRuntime;
    use tokio_tungstenite::accept_async_with_config;

    use super::*;

    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let path =
                std::env::temp_dir().join(format!("otterkeeper-{name}-{}", std::process::id()));
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
        let peers = Peers::new(identity, data, members);
        let accepting = peers.clone();
        spawn_local(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let peers = accepting.clone();
                spawn_local(async move {
                    if let Ok(socket) = accept_async_with_config(stream, Some(frame_limits())).await
                    {
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
}

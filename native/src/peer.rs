//! Links between members: two WebSocket connections a pair, *control* for votes and heartbeats and *bulk*
//! for entries and snapshots, so that a sign of life never waits behind data (rule R25). The member with
//! the higher number dials. It knows who may talk to whom, and how a cluster is formed and joined; what the
//! messages say is the node's business.
//!
//! All frames after the greetings are messages in the binary form of the core. A queue that is full drops
//! messages and tells the node, which sends again what matters.
//!
//! **Forming a cluster (rule R23).** At the first start no member belongs to a cluster, and no node runs.
//! When the lowest number has been greeted by every member on the list, all empty and with the same list,
//! it draws the cluster's id, notes it down with the replica id of each member, and dials anew. An empty
//! member joins a cluster whose notes name its own replica id, and none else: then it has never voted,
//! so nothing is forgotten. A member that comes back with a new, empty data directory has another
//! replica id and is refused.
//!
//! **Joining one.** A member started with `--join` waits. Whoever is asked to add it meets it first, learns
//! its replica id, and tells it where the members are; once the members' configuration names that replica,
//! they accept it, and it notes the cluster down. From then on the configuration in the log says who is
//! linked with whom, and the list on the command line says nothing any more.

mod greeting;
mod lane;

use core::cell::{Cell, RefCell};
use core::time::Duration;
use std::collections::BTreeMap;
use std::rc::Rc;

use futures_util::StreamExt;
use futures_util::stream::SplitStream;
use otterkeeper_core::configuration::Configuration;
use otterkeeper_core::id::{Index, NodeId, ReplicaId};
use otterkeeper_core::message::Message;
use otterkeeper_core::raft::message::Message as RaftMessage;
use otterkeeper_core::wire;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::spawn_local;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use self::greeting::{Greeting, Hello, Refusal, VERSION, hear, say};
use self::lane::{Lane, LaneKind};
use crate::driver::{Hub, Network};
use crate::identity::{Cluster, DataDir, Identity, Member, RandomId};

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

/// How often somebody looks whether the node has been started.
const START_POLL: Duration = Duration::from_millis(5);

/// Pause before dialling again: doubles from the first to the last.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));

/// A link to one that is no member any more stays for this long: the node tells it so.
const FAREWELL: Duration = Duration::from_secs(3);

/// The links of this member. Cheap to clone; they stay on the driver's thread.
#[derive(Clone)]
pub struct Peers(Rc<Shared>);

struct Shared {
    identity: RefCell<Identity>,
    data: DataDir,
    /// All members on this member's list, itself included, in ascending order.
    listed: Vec<NodeId>,
    /// It waits to be added to a cluster.
    joins: bool,
    peers: RefCell<BTreeMap<NodeId, Rc<Peer>>>,
    /// The members by the node's log.
    members: RefCell<Configuration>,
    /// Where messages go; there is none until the cluster has been formed.
    hub: RefCell<Option<Hub>>,
    /// Set when this member cannot go on; a sentence for the operator.
    refused: RefCell<Option<String>>,
    /// Rung when the identity, `refused`, or who has been greeted changes.
    news: Notify,
}

struct Peer {
    /// HOST:PORT; empty as long as it is not known.
    address: RefCell<String>,
    lanes: [Lane; 2],
    /// The replica that greeted while it was empty, on the connection that still stands.
    empty: RefCell<Option<RandomId>>,
    /// The replica at the other end of the links.
    replica: RefCell<Option<RandomId>>,
    /// It is linked with no more.
    gone: Cell<bool>,
}

impl Peers {
    /// The links of the member that `identity` describes. `members` are all members with their
    /// addresses (HOST:PORT), this one included; alone if it `joins` a cluster that exists.
    #[must_use]
    pub fn new(
        identity: Identity,
        data: DataDir,
        members: &BTreeMap<NodeId, String>,
        joins: bool,
    ) -> Self {
        let known = identity.contacts.iter().chain(members);
        let peers = known
            .filter(|(id, _)| **id != identity.node)
            .map(|(id, address)| (*id, Peer::new(address)))
            .collect();
        Self(Rc::new(Shared {
            peers: RefCell::new(peers),
            identity: RefCell::new(identity),
            data,
            listed: members.keys().copied().collect(),
            joins,
            members: RefCell::default(),
            hub: RefCell::default(),
            refused: RefCell::default(),
            news: Notify::new(),
        }))
    }

    /// The other members and where they serve HTTP, as HOST:PORT.
    #[must_use]
    pub fn addresses(&self) -> Vec<(NodeId, String)> {
        let peers = self.0.peers.borrow();
        let known = peers
            .iter()
            .map(|(id, peer)| (*id, peer.address.borrow().clone()));
        known.filter(|(_, address)| !address.is_empty()).collect()
    }

    /// Whether it waits to be added to a cluster.
    #[must_use]
    pub fn is_joining(&self) -> bool {
        self.0.joins && self.0.identity.borrow().cluster.is_none()
    }

    /// Starts dialling; must be called on the driver's thread.
    pub fn dial(&self) {
        let peers = self.0.peers.borrow();
        for (id, peer) in &*peers {
            self.dial_peer(*id, peer);
        }
    }

    fn dial_peer(&self, id: NodeId, peer: &Rc<Peer>) {
        if id < self.0.identity.borrow().node {
            for lane in [LaneKind::Control, LaneKind::Bulk] {
                spawn_local(self.clone().keep_dialling(id, Rc::clone(peer), lane));
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
                if self.0.joins {
                    tracing::info!("waiting to be added: otterkeeper cluster add");
                    continue;
                }
                let peers = self.0.peers.borrow();
                let missing = peers
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
        let peers = self.0.peers.borrow();
        let is_up = |peer: &&Rc<Peer>| peer.lanes.iter().all(|lane| lane.up.get());
        peers.values().filter(is_up).count()
    }

    /// Asks the one at this address, which is to become member `id`, which replica it is; and tells it where
    /// the members are.
    ///
    /// # Errors
    /// Why it cannot become one, as a sentence.
    pub async fn meet(&self, id: NodeId, address: &str) -> Result<ReplicaId, String> {
        let greet = async {
            let mut socket = connect(address).await?;
            let hello = self.hello(id, LaneKind::Control);
            say(&mut socket, &Greeting::Meet(hello)).await?;
            hear(&mut socket).await
        };
        let hello = match timeout(GREETING_TIME, greet).await {
            Ok(Some(Greeting::Hello(hello))) => hello,
            Ok(Some(Greeting::Refused { sentence, .. })) => return Err(sentence),
            _ => return Err(format!("no member answers at {address}")),
        };
        if hello.from != id {
            return Err(format!(
                "member {} answers at {address}, not member {id}",
                hello.from
            ));
        }
        let identity = self.0.identity.borrow();
        let cluster =
            |cluster: &Option<Cluster>| cluster.as_ref().map(|cluster| cluster.id.clone());
        if !hello.joins && cluster(&hello.cluster).is_none() {
            return Err(format!(
                "member {id} waits for others, not for a cluster: start it with --join"
            ));
        }
        if hello.cluster.is_some() && cluster(&hello.cluster) != cluster(&identity.cluster) {
            return Err(format!(
                "member {id} belongs to another cluster: start it with --join and an empty data directory"
            ));
        }
        Ok(hello.replica.number())
    }

    /// A connection that another member made.
    pub async fn accept<S: AsyncRead + AsyncWrite + Unpin>(self, mut socket: WebSocketStream<S>) {
        let Ok(Some(greeting)) = timeout(GREETING_TIME, hear(&mut socket)).await else {
            return;
        };
        let hello = match greeting {
            Greeting::Hello(hello) => hello,
            Greeting::Meet(hello) => {
                let answer = self.hello(hello.from, hello.lane);
                if say(&mut socket, &Greeting::Hello(answer)).await.is_some() && self.is_joining() {
                    self.learn(&hello);
                }
                return;
            }
            Greeting::Refused { .. } => return,
        };
        self.started().await;
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

    async fn keep_dialling(self, to: NodeId, peer: Rc<Peer>, lane: LaneKind) {
        let mut pause = BACK_OFF.0;
        while !peer.gone.get() {
            let address = peer.address.borrow().clone();
            self.started().await;
            match timeout(GREETING_TIME, self.dial_once(to, &address, lane)).await {
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
        address: &str,
        lane: LaneKind,
    ) -> Option<(Hello, WebSocketStream<TcpStream>)> {
        let mut socket = connect(address).await?;
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
                if r#final && !self.0.joins {
                    self.give_up(sentence.clone());
                }
                match self.is_joining() {
                    true => tracing::debug!(peer = %to, "refused: {sentence}"),
                    false => tracing::warn!(peer = %to, "refused: {sentence}"),
                }
                None
            }
            Greeting::Meet(_) => None,
        }
    }

    /// A member of a cluster judges by its node's log. Between the start of the process and that of the
    /// node there is none; it does not take long.
    async fn started(&self) {
        let until = tokio::time::Instant::now() + GREETING_TIME / 2;
        let is_waiting =
            || self.0.identity.borrow().cluster.is_some() && self.0.hub.borrow().is_none();
        while is_waiting() && tokio::time::Instant::now() < until {
            sleep(START_POLL).await;
        }
    }

    fn hello(&self, to: NodeId, lane: LaneKind) -> Hello {
        let identity = self.0.identity.borrow();
        let hub = self.0.hub.borrow();
        let since = hub.as_ref().map_or(Index(0), |hub| {
            hub.with_view(|view| view.configuration_index())
        });
        let members = self.0.members.borrow();
        let whom = members
            .member(to)
            .filter(|member| member.replica != ReplicaId(0));
        let addresses = members.members().iter();
        Hello {
            version: VERSION,
            lane,
            from: identity.node,
            to,
            replica: identity.replica.clone(),
            whom: whom.map(|member| RandomId::from(member.replica)),
            cluster: identity.cluster.clone(),
            joins: self.0.joins,
            listed: self.0.listed.clone(),
            since: since.0,
            members: addresses
                .map(|member| (member.id, member.address.clone()))
                .collect(),
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
        match (&identity.cluster, &hello.cluster) {
            (Some(ours), Some(theirs)) if ours.id != theirs.id => wait(format!(
                "member {from} belongs to another cluster than member {own}"
            )),
            (Some(ours), _) => self.admits(ours, hello),
            (None, Some(theirs)) => {
                let cluster = if theirs.has(own, &identity.replica) {
                    theirs.clone()
                } else if !self.0.joins {
                    drop(identity);
                    let Refusal { sentence, .. } = lost_data(own);
                    self.give_up(sentence.clone());
                    // This one goes; the other has done nothing wrong.
                    return wait(sentence);
                } else if hello.whom.as_ref() == Some(&identity.replica) {
                    Cluster {
                        id: theirs.id.clone(),
                        members: Vec::new(),
                    }
                } else {
                    return wait(format!("member {own} waits to be added to the cluster"));
                };
                drop(identity);
                self.learn(hello);
                self.join(cluster).map_err(|sentence| Refusal {
                    sentence,
                    r#final: false,
                })
            }
            (None, None) if hello.listed != self.0.listed => wait(format!(
                "members {from} and {own} have different lists of members: check --peer"
            )),
            (None, None) => {
                let Some(peer) = self.peer(from) else {
                    return wait(format!(
                        "member {from} is not on the list of member {own}: check --peer"
                    ));
                };
                *peer.empty.borrow_mut() = Some(hello.replica.clone());
                self.0.news.notify_one();
                Ok(())
            }
        }
    }

    /// Whether this member of a cluster knows that one as another.
    fn admits(&self, ours: &Cluster, hello: &Hello) -> Result<(), Refusal> {
        let (from, since) = (hello.from, Index(hello.since));
        // One that comes with nothing under a number that is taken has lost its data, and waits in vain.
        let lost = hello.cluster.is_none() && !hello.joins;
        let admitted = match &*self.0.hub.borrow() {
            Some(hub) => hub.with_view(|view| {
                let known = view.configuration().member(from).is_some();
                let admitted = view.admits(from, hello.replica.number(), since);
                admitted.map_err(|sentence| (sentence, known && lost))
            }),
            None if ours.has(from, &hello.replica) => Ok(()),
            None => {
                let sentence = format!("member {} has not started yet", hello.to);
                Err((sentence, lost))
            }
        };
        match admitted {
            Ok(()) => {
                let behind = |hub: &Hub| hub.with_view(|view| view.configuration_index() < since);
                if self.0.hub.borrow().as_ref().is_some_and(behind) {
                    self.learn(hello);
                }
                Ok(())
            }
            Err((_, true)) => Err(lost_data(from)),
            Err((sentence, false)) => Err(Refusal {
                sentence,
                r#final: false,
            }),
        }
    }

    /// All members, if this one is the lowest and all others have greeted it with nothing in hand.
    fn all_empty(&self) -> Option<Vec<Member>> {
        if self.0.joins {
            return None;
        }
        let identity = self.0.identity.borrow();
        let own = Member {
            node: identity.node,
            replica: identity.replica.clone(),
        };
        let mut members = vec![own];
        for (id, peer) in &*self.0.peers.borrow() {
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
        if self.0.joins {
            // Its log says nothing yet of who the members are.
            identity.contacts = self.addresses().into_iter().collect();
        }
        self.0
            .data
            .store(&identity)
            .map_err(|error| format!("the identity cannot be stored: {error}"))?;
        *self.0.identity.borrow_mut() = identity;
        for lane in self.0.peers.borrow().values().flat_map(|peer| &peer.lanes) {
            lane.replace();
        }
        self.0.news.notify_one();
        Ok(())
    }

    /// A member that knows better has said who the members are.
    fn learn(&self, hello: &Hello) {
        let own = self.0.identity.borrow().node;
        for (id, address) in &hello.members {
            if *id != own && !address.is_empty() {
                self.reach(*id, address);
            }
        }
    }

    /// That one is reached there from now on.
    fn reach(&self, id: NodeId, address: &str) {
        let known = self.peer(id);
        let is_new = known.is_none();
        let peer = known.unwrap_or_else(|| {
            let peer = Peer::new(address);
            self.0.peers.borrow_mut().insert(id, Rc::clone(&peer));
            peer
        });
        let had = peer.address.replace(address.to_owned());
        if is_new || had.is_empty() {
            self.dial_peer(id, &peer);
        } else if had != address {
            peer.part();
        }
    }

    /// Whom this one talks to now that these are the members.
    fn follow(&self, configuration: &Configuration) {
        if configuration.members().is_empty() {
            return; // It has not been told yet.
        }
        *self.0.members.borrow_mut() = configuration.clone();
        let own = self.0.identity.borrow().node;
        for member in configuration.members() {
            if member.id != own && !member.address.is_empty() {
                self.reach(member.id, &member.address);
            }
            // The number may have come back with another replica.
            let is_other = |replica: &RandomId| {
                member.replica != ReplicaId(0) && replica.number() != member.replica
            };
            if let Some(peer) = self.peer(member.id)
                && peer.replica.borrow().as_ref().is_some_and(is_other)
            {
                peer.part();
            }
        }
        let left = |id: &NodeId| configuration.member(*id).is_none();
        for id in self.0.peers.borrow().keys().copied().filter(left) {
            let peers = self.clone();
            spawn_local(async move {
                sleep(FAREWELL).await;
                if peers.0.members.borrow().member(id).is_none()
                    && let Some(peer) = peers.0.peers.borrow_mut().remove(&id)
                {
                    peer.gone.set(true);
                    peer.part();
                }
            });
        }
    }

    fn peer(&self, id: NodeId) -> Option<Rc<Peer>> {
        self.0.peers.borrow().get(&id).cloned()
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
        // One that knows more than this member's log may be a member that this one has not heard of.
        let peer = self.peer(from).unwrap_or_else(|| {
            let peer = Peer::new("");
            self.0.peers.borrow_mut().insert(from, Rc::clone(&peer));
            peer
        });
        let lane = peer.lane(hello.lane);
        let link = lane.replace();
        lane.up.set(true);
        *peer.replica.borrow_mut() = Some(hello.replica.clone());
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
        let peers = self.0.peers.borrow();
        let Some(lane) = peers.get(&to).map(|peer| peer.lane(lane_of(message))) else {
            return false;
        };
        if !lane.up.get() {
            return false;
        }
        let queued = lane.push(wire::encode_message(message));
        if !queued && let Some(hub) = &*self.0.hub.borrow() {
            hub.peer_lost(to);
        }
        queued
    }

    fn flush(&mut self) {
        for lane in self.0.peers.borrow().values().flat_map(|peer| &peer.lanes) {
            lane.flush();
        }
    }

    fn configured(&mut self, configuration: &Configuration) {
        self.follow(configuration);
    }
}

impl Peer {
    fn new(address: &str) -> Rc<Self> {
        Rc::new(Self {
            address: RefCell::new(address.to_owned()),
            lanes: [Lane::new(CONTROL_QUEUE_BYTES), Lane::new(BULK_QUEUE_BYTES)],
            empty: RefCell::default(),
            replica: RefCell::default(),
            gone: Cell::new(false),
        })
    }

    /// Ends the links that stand.
    fn part(&self) {
        self.lanes.iter().for_each(|lane| {
            lane.replace();
        });
    }

    fn lane(&self, kind: LaneKind) -> &Lane {
        match kind {
            LaneKind::Control => &self.lanes[0],
            LaneKind::Bulk => &self.lanes[1],
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

async fn connect(address: &str) -> Option<WebSocketStream<TcpStream>> {
    let stream = TcpStream::connect(address).await.ok()?;
    stream.set_nodelay(true).ok()?;
    let url = format!("ws://{address}/peer");
    let config = Some(frame_limits());
    let dialled = tokio_tungstenite::client_async_with_config(url, stream, config).await;
    Some(dialled.ok()?.0)
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
         have forgotten votes and entries it had promised: restore its own data directory; or take it out with \
         `otterkeeper cluster remove {node}`, start it with --join and an empty data directory, and take it in \
         again with `otterkeeper cluster add {node}`"
    );
    Refusal {
        sentence,
        r#final: true,
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
        let peers = Peers::new(identity, data, members, false);
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

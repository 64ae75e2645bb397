//! One connection after the other: dialling, accepting, and carrying messages until it breaks. Who may be at the
//! other end is the business of `admission`.

use core::cell::Cell;
use core::time::Duration;
use std::rc::Rc;

use futures_util::StreamExt;
use futures_util::stream::SplitStream;
use otterkeeper_core::id::NodeId;
use otterkeeper_core::wire;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::spawn_local;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::greeting::{Greeting, Hello, Refusal, hear, say};
use super::lane::LaneKind;
use super::{Peer, Peers};

/// Bytes of one frame.
const FRAME_BYTES: usize = 32 << 20;

/// What one read can bring. The library fills this much with zeroes before each read, so more costs more
/// than it saves.
const READ_BYTES: usize = 16 << 10;

/// How long a connection and a greeting may take.
pub(super) const GREETING_TIME: Duration = Duration::from_secs(2);

/// How often somebody looks whether the node has been started.
const START_POLL: Duration = Duration::from_millis(5);

/// Pause before dialling again: doubles from the first to the last.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));

/// A peer that dials is waited for as long as this.
const FORGOTTEN: Duration = Duration::from_secs(3);

impl Peers {
    /// Starts dialling; must be called on the driver's thread.
    pub fn dial(&self) {
        let peers = self.0.peers.borrow();
        for (id, peer) in &*peers {
            self.dial_peer(*id, peer);
        }
    }

    pub(super) fn dial_peer(&self, id: NodeId, peer: &Rc<Peer>) {
        let is_lower = id < self.0.identity.borrow().node;
        for lane in [LaneKind::Control, LaneKind::Bulk] {
            let (peers, peer) = (self.clone(), Rc::clone(peer));
            match is_lower {
                true => spawn_local(peers.keep_dialling(id, peer, lane)),
                false => spawn_local(peers.dial_if_forgotten(id, peer, lane)),
            };
        }
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

    /// The one with the higher number dials this one, unless it has forgotten it: a member that is taken out while
    /// it is away would never hear of that (raft.md 2.4.4).
    async fn dial_if_forgotten(self, to: NodeId, peer: Rc<Peer>, lane: LaneKind) {
        while !peer.gone.get() {
            let before = peer.lane(lane).link.get();
            sleep(FORGOTTEN).await;
            let now = peer.lane(lane);
            let is_silent = !now.up.get() && now.link.get() == before;
            if !is_silent || self.0.identity.borrow().cluster.is_none() {
                continue;
            }
            let address = peer.address.borrow().clone();
            if let Ok(Some((hello, socket))) =
                timeout(GREETING_TIME, self.dial_once(to, &address, lane)).await
            {
                self.carry(&hello, socket).await;
            }
        }
    }

    pub(super) async fn dial_once(
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

/// Limits of a connection between members.
#[must_use]
pub fn frame_limits() -> WebSocketConfig {
    WebSocketConfig::default()
        .max_message_size(Some(FRAME_BYTES))
        .max_frame_size(Some(FRAME_BYTES))
        .read_buffer_size(READ_BYTES)
}

pub(super) async fn connect(address: &str) -> Option<WebSocketStream<TcpStream>> {
    let stream = TcpStream::connect(address).await.ok()?;
    stream.set_nodelay(true).ok()?;
    let url = format!("ws://{address}/peer");
    let config = Some(frame_limits());
    let dialled = tokio_tungstenite::client_async_with_config(url, stream, config).await;
    Some(dialled.ok()?.0)
}

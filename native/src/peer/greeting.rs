//! The first frame each way on a connection between members, in JSON: who I am, which cluster I belong to,
//! whom I mean. What follows from a greeting is the business of `peer`.

use std::collections::BTreeMap;

use futures_util::{SinkExt, StreamExt};
use otterkeeper_core::id::NodeId;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as Frame;

use super::lane::LaneKind;
use crate::identity::{Cluster, RandomId};

/// Version of the greeting and of the messages.
pub(super) const VERSION: u32 = 1;

/// The first frame of the dialling side, and the answer.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Greeting {
    Hello(Hello),
    /// I am asked to make you a member: who are you? The answer is a `Hello`, and that is all.
    Meet(Hello),
    /// Not you. If it is final, waiting does not help.
    Refused {
        sentence: String,
        r#final: bool,
    },
}

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Hello {
    pub(super) version: u32,
    pub(super) lane: LaneKind,
    pub(super) from: NodeId,
    pub(super) to: NodeId,
    pub(super) replica: RandomId,
    /// Which data directory the sender knows the receiver by, if any.
    pub(super) whom: Option<RandomId>,
    pub(super) cluster: Option<Cluster>,
    /// Where clients of ZooKeeper's protocol reach the sender; empty if they do not.
    #[serde(default)]
    pub(super) clients: String,
    /// The sender waits to be added to a cluster.
    pub(super) joins: bool,
    /// The members on the sender's list.
    pub(super) listed: Vec<NodeId>,
    /// Where the sender's log has the newest configuration, 0 if it has none, and who is in it.
    pub(super) since: u64,
    pub(super) members: BTreeMap<NodeId, String>,
}

/// Why a greeting was not accepted.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) sentence: String,
    pub(super) r#final: bool,
}

pub(super) async fn say<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
    greeting: &Greeting,
) -> Option<()> {
    let text = serde_json::to_string(greeting).ok()?;
    socket.send(Frame::text(text)).await.ok()
}

pub(super) async fn hear<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
) -> Option<Greeting> {
    match socket.next().await?.ok()? {
        Frame::Text(text) => serde_json::from_str(&text).ok(),
        _ => None,
    }
}

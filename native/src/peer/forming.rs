//! How a cluster is formed out of empty members, and how one more is met and taken in (rule R23; the story is
//! told in `peer`).

use core::future::Future;
use core::pin::Pin;
use core::time::Duration;

use otterkeeper_core::id::{NodeId, ReplicaId};
use tokio::time::timeout;

use super::Peers;
use super::greeting::{Greeting, hear, say};
use super::lane::LaneKind;
use super::link::{GREETING_TIME, connect};
use crate::driver::Scout;
use crate::identity::{Cluster, Member, RandomId};

impl Peers {
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

    /// Asks the one at this address, which is to become member `id`, which replica it is and where its clients
    /// reach it; and tells it where the members are.
    ///
    /// # Errors
    /// Why it cannot become one, as a sentence.
    pub async fn meet(&self, id: NodeId, address: &str) -> Result<Member, String> {
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
        Ok(Member {
            node: id,
            replica: hello.replica,
            clients: hello.clients,
        })
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
            clients: self.0.clients.clone(),
        };
        let mut members = vec![own];
        for (id, peer) in &*self.0.peers.borrow() {
            let member = peer
                .empty
                .borrow()
                .clone()
                .filter(|_| identity.node < *id)?;
            members.push(member);
        }
        Some(members)
    }

    /// Notes the cluster down, then has all links made anew, so that the others hear of it.
    pub(super) fn join(&self, cluster: Cluster) -> Result<(), String> {
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
}

impl Scout for Peers {
    fn meet(
        &self,
        id: NodeId,
        address: String,
    ) -> Pin<Box<dyn Future<Output = Option<ReplicaId>>>> {
        let peers = self.clone();
        Box::pin(async move {
            match Self::meet(&peers, id, &address).await {
                Ok(member) => Some(member.replica.number()),
                Err(sentence) => {
                    tracing::warn!(member = %id, "cannot become a member: {sentence}");
                    None
                }
            }
        })
    }
}

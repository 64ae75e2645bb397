//! Who may talk to whom: what a member says of itself in a greeting, and what it makes of another's. Knows
//! replicas and clusters, not connections.

use otterkeeper_core::id::{Index, NodeId, ReplicaId};

use super::Peers;
use super::greeting::{Hello, Refusal, VERSION};
use super::lane::LaneKind;
use crate::driver::Hub;
use crate::identity::{Cluster, Member, RandomId};

impl Peers {
    pub(super) fn hello(&self, to: NodeId, lane: LaneKind) -> Hello {
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
            clients: self.0.clients.clone(),
            joins: self.0.joins,
            listed: self.0.listed.clone(),
            since: since.0,
            members: addresses
                .map(|member| (member.id, member.address.clone()))
                .collect(),
        }
    }

    /// Whether that one may talk to this one. An empty member learns here which cluster is its own.
    pub(super) fn check(&self, hello: &Hello) -> Result<(), Refusal> {
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
                *peer.empty.borrow_mut() = Some(Member {
                    node: from,
                    replica: hello.replica.clone(),
                    clients: hello.clients.clone(),
                });
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
}

impl Cluster {
    fn has(&self, node: NodeId, replica: &RandomId) -> bool {
        self.members
            .iter()
            .any(|member| member.node == node && member.replica == *replica)
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

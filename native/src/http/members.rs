//! The members over HTTP: adding, promoting, removing. Here the operator's words are checked against what this
//! member knows; whether the change can be done, and when it is done, the cluster says.

use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use otterkeeper_core::configuration::{Change, Member, Standing};
use otterkeeper_core::id::{NodeId, ReplicaId};
use otterkeeper_core::node::{Admin, Reconfigure, View};

use super::{Door, Site, on_node};
use crate::config::host_port_of;
use crate::driver::Hub;

/// What is to become of a member.
#[derive(serde::Deserialize)]
pub(super) struct Wish {
    /// Where it is reached; without it, it is a member already.
    url: Option<String>,
    /// Whether it gets the log and counts for nothing.
    #[serde(default)]
    learner: bool,
}

/// `POST /api/members/4?url=ws://HOST:PORT` adds a voter, with `&learner=true` a learner; without `url` a
/// learner is promoted. The answer comes when that is done, which takes as long as the newcomer needs to
/// catch up.
pub(super) async fn set(
    State(door): State<Door>,
    Path(id): Path<u64>,
    Query(wish): Query<Wish>,
    headers: HeaderMap,
) -> Response {
    let id = NodeId(id);
    on_node(door, &headers, move |site, hub| {
        Box::pin(async move {
            let standing = match wish.learner {
                true => Standing::Learner,
                false => Standing::Voter,
            };
            let member = match wish.url {
                Some(url) => newcomer(&site, &hub, id, &url, standing).await?,
                None => hub.with_view(|view| promoted(&view, id, standing))?,
            };
            let (joining, leaving) = (vec![member], Vec::new());
            change(&hub, Change::Incremental { joining, leaving }).await
        })
    })
    .await
}

/// `DELETE /api/members/4` removes a member; the leader too, which leads until it is out.
pub(super) async fn remove(
    State(door): State<Door>,
    Path(id): Path<u64>,
    headers: HeaderMap,
) -> Response {
    let id = NodeId(id);
    on_node(door, &headers, move |_, hub| {
        Box::pin(async move {
            hub.with_view(|view| may_leave(&view, id))?;
            let (joining, leaving) = (Vec::new(), vec![id]);
            change(&hub, Change::Incremental { joining, leaving }).await
        })
    })
    .await
}

async fn change(hub: &Hub, change: Change) -> Result<(), String> {
    // Whatever changed since this member looked, the operator did not know of it.
    let version = Some(hub.with_view(|view| view.machine().members().version()));
    let done = hub.admin(Admin::Reconfigure(Reconfigure { version, change }));
    done.await
}

async fn newcomer(
    site: &Site,
    hub: &Hub,
    id: NodeId,
    url: &str,
    standing: Standing,
) -> Result<Member, String> {
    if !(1..=255).contains(&id.0) {
        return Err(format!("{id} is not between 1 and 255"));
    }
    let address = host_port_of(url).ok_or_else(|| format!("{url} is not ws://HOST:PORT"))?;
    hub.with_view(|view| {
        let members = view.configuration().members();
        if members.iter().any(|member| member.id == id) {
            return Err(format!(
                "{id} is a member already: remove it first, or promote it"
            ));
        }
        match members.iter().find(|member| member.address == address) {
            Some(other) => Err(format!("member {} is reached at {address}", other.id)),
            None => Ok(()),
        }
    })?;
    let met = site.peers.meet(id, &address).await?;
    Ok(Member {
        id,
        replica: met.replica.number(),
        address,
        clients: met.clients,
        standing,
    })
}

fn promoted(view: &View<'_>, id: NodeId, standing: Standing) -> Result<Member, String> {
    match view.configuration().member(id) {
        None => Err(format!(
            "{id} is no member: say where it is reached, to add it"
        )),
        Some(member) if member.standing == standing => Err(match standing {
            Standing::Learner => format!("member {id} is a learner already"),
            _ => format!("member {id} votes already"),
        }),
        // What is not said stays as it is.
        Some(_) => Ok(Member {
            id,
            replica: ReplicaId(0),
            address: String::new(),
            clients: String::new(),
            standing,
        }),
    }
}

fn may_leave(view: &View<'_>, id: NodeId) -> Result<(), String> {
    let configuration = view.configuration();
    if configuration.member(id).is_none() {
        return Err(format!("{id} is no member"));
    }
    match configuration.voters().any(|voter| voter != id) {
        true => Ok(()),
        false => Err(format!("member {id} is the only one that votes")),
    }
}

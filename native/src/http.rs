//! The HTTP port: health, metrics, status, the page, and the two WebSocket doors, `/peer` for members and
//! `/ws` for clients. Browsers are kept from using a server behind its user's back (rule R31): a
//! WebSocket's `Origin` must be this very server, members never send one, and `Host` must be an address
//! or a name that belongs to it.

mod members;
mod page;

use core::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use axum::Json;
use axum::Router;
use axum::extract::{ConnectInfo, Path, Query, Request, State, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use hyper_util::rt::TokioIo;
use otterkeeper_core::configuration::Standing;
use otterkeeper_core::id::NodeId;
use otterkeeper_core::node::{Admin, PeerState, View};
use otterkeeper_core::quota::{Limits, Usage};
use otterkeeper_core::raft::note::Role;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_local;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role as Side;

use crate::driver::Hub;
use crate::peer::{self, Peers};
use crate::ws;

/// What the HTTP port shows. It stays on the driver's thread.
pub struct Site {
    /// Links to the other members.
    pub peers: Peers,
    /// Names that a browser may use for this server.
    pub host_names: Vec<String>,
    /// The longest client request.
    pub request_bytes: u32,
    /// There is none until the cluster has been formed.
    pub hub: core::cell::OnceCell<Hub>,
}

/// Runs closures on the driver's thread: axum wants handlers that could move between threads.
#[derive(Clone)]
struct Door(mpsc::UnboundedSender<Visit>);

type Visit = Box<dyn FnOnce(&Rc<Site>) + Send>;

impl Door {
    fn visit(&self, visit: impl FnOnce(&Rc<Site>) + Send + 'static) {
        // The other end is gone only while the process stops.
        let _ = self.0.send(Box::new(visit));
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Site) -> T + Send + 'static,
    ) -> Result<T, StatusCode> {
        let (sender, answer) = oneshot::channel();
        self.visit(move |site| {
            let _ = sender.send(question(site));
        });
        answer.await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)
    }
}

/// Serves HTTP for as long as it is polled.
pub async fn serve(listener: TcpListener, site: Rc<Site>) {
    let (sender, mut visits) = mpsc::unbounded_channel::<Visit>();
    let router = Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/api/status", get(status))
        .route("/api/transfer", post(transfer).delete(cancel_transfer))
        .route(
            "/api/members/{id}",
            post(members::set).delete(members::remove),
        )
        .route("/peer", get(member))
        .route("/ws", get(client))
        .route(
            "/",
            get(async |headers: HeaderMap| page::file("index.html", &headers)),
        )
        .route(
            "/{*path}",
            get(async |Path(path): Path<String>, headers: HeaderMap| page::file(&path, &headers)),
        )
        .with_state(Door(sender));
    let listener = listener.tap_io(|stream| {
        // What is sent is complete, so there is nothing that Nagle's wait could gather.
        let _ = stream.set_nodelay(true);
    });
    let visits = async {
        while let Some(visit) = visits.recv().await {
            visit(&site);
        }
    };
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let (_, served) = tokio::join!(visits, async { axum::serve(listener, service).await });
    if let Err(error) = served {
        tracing::error!(%error, "HTTP has stopped");
    }
}

async fn ready(State(door): State<Door>) -> Response {
    let ready = door
        .ask(|site| site.hub.get()?.with_view(|view| view.leader()))
        .await;
    match ready {
        Ok(Some(leader)) => format!("ready, member {leader} leads\n").into_response(),
        _ => (
            StatusCode::SERVICE_UNAVAILABLE,
            "not ready: no leader is known\n",
        )
            .into_response(),
    }
}

async fn status(State(door): State<Door>) -> Response {
    match door.ask(status_of).await {
        Ok(status) => Json(status).into_response(),
        Err(code) => code.into_response(),
    }
}

fn status_of(site: &Site) -> Value {
    let members = site
        .peers
        .addresses()
        .into_iter()
        .map(|(id, http)| json!({ "id": id.0, "http": http }));
    let members: Vec<Value> = members.collect();
    let Some(hub) = site.hub.get() else {
        let reached = site.peers.reached();
        let state = match site.peers.is_joining() {
            true => "joining",
            false => "forming",
        };
        return json!({ "state": state, "peers_reached": reached, "other_members": members });
    };
    hub.with_view(|view| {
        let tree = view.machine().tree();
        let peers = view.peers().into_iter().map(|peer| {
            json!({
                "id": peer.id.0,
                "stream": stream_name(peer.state),
                "matched": peer.matched.0.to_string(),
                "next": peer.next.0.to_string(),
                "inflight": peer.inflight,
                "inflight_bytes": peer.inflight_bytes,
                "caught_up": peer.caught_up,
            })
        });
        let configuration = view.configuration();
        // Before its log says who is a member, it cannot say that it is none.
        let is_out = !configuration.members().is_empty() && configuration.member(view.id()).is_none();
        let listed = configuration.members().iter().map(|member| {
            json!({ "id": member.id.0, "address": member.address, "standing": standing_name(member.standing) })
        });
        json!({
            "state": if is_out { "removed" } else { "running" },
            "version": env!("CARGO_PKG_VERSION"),
            "id": view.id().0,
            "role": role_name(view.role()),
            "term": view.term().0.to_string(),
            "leader": view.leader().map(|leader| leader.0),
            "voters": view.voters().iter().map(|voter| voter.0).collect::<Vec<_>>(),
            "members": listed.collect::<Vec<_>>(),
            "configuration": view.configuration_index().0.to_string(),
            "change_pending": view.machine().members().pending().is_some(),
            "lease_reads": view.config().lease_reads,
            "commit": view.commit().0.to_string(),
            "applied": view.applied().0.to_string(),
            "durable": view.durable().0.to_string(),
            "first_index": view.first_index().0.to_string(),
            "last_index": view.last().index.0.to_string(),
            "znodes": tree.count(),
            "data_bytes": tree.data_bytes(),
            "sessions": view.machine().sessions().count(),
            "watches": view.watches().len(),
            "connections": hub.connections(),
            "peers_reached": site.peers.reached(),
            "other_members": members,
            "peers": peers.collect::<Vec<_>>(),
            "digest": format!("{:016x}", view.tree_digest().1),
        })
    })
}

/// `POST /api/transfer?to=2` hands the lead over; without `to` it goes to the member that is furthest. The
/// answer comes when it is over.
async fn transfer(
    State(door): State<Door>,
    Query(Transfer { to }): Query<Transfer>,
    headers: HeaderMap,
) -> Response {
    let to = to.map(NodeId);
    grant(door, &headers, Admin::Transfer { to }).await
}

/// Which member is to lead.
#[derive(serde::Deserialize)]
struct Transfer {
    to: Option<u64>,
}

/// `DELETE /api/transfer` keeps the lead where it is.
async fn cancel_transfer(State(door): State<Door>, headers: HeaderMap) -> Response {
    grant(door, &headers, Admin::CancelTransfer).await
}

/// Passes an operator's wish to the node.
async fn grant(door: Door, headers: &HeaderMap, wish: Admin) -> Response {
    on_node(door, headers, move |_, hub| {
        Box::pin(async move { hub.admin(wish).await })
    })
    .await
}

/// What became of an operator's wish: a sentence if nothing.
type Granted = core::pin::Pin<Box<dyn Future<Output = Result<(), String>>>>;

/// Lets the node's thread answer: 200 if it was done, 409 and a sentence if not.
async fn on_node(
    door: Door,
    headers: &HeaderMap,
    does: impl FnOnce(Rc<Site>, Hub) -> Granted + Send + 'static,
) -> Response {
    let host = text_of(headers, header::HOST);
    let origin = text_of(headers, header::ORIGIN);
    let (sender, answer) = oneshot::channel();
    door.visit(move |site| {
        if let Err(refusal) = may_enter(host.as_deref(), origin.as_deref(), &site.host_names) {
            let _ = sender.send(Err(refusal));
            return;
        }
        let Some(hub) = site.hub.get().cloned() else {
            let why = "this member belongs to no cluster yet";
            let _ = sender.send(Err((StatusCode::SERVICE_UNAVAILABLE, why)));
            return;
        };
        let site = Rc::clone(site);
        spawn_local(async move {
            // Whoever asked may have gone; what was begun goes on.
            let _ = sender.send(Ok(does(site, hub).await));
        });
    });
    match answer.await {
        Ok(Ok(Ok(()))) => "done\n".into_response(),
        Ok(Ok(Err(why))) => (StatusCode::CONFLICT, format!("{why}\n")).into_response(),
        Ok(Err((code, why))) => (code, format!("{why}\n")).into_response(),
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

fn text_of(headers: &HeaderMap, name: header::HeaderName) -> Option<String> {
    let value = headers.get(name)?;
    value.to_str().ok().map(str::to_owned)
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::Follower => "follower",
        Role::PreCandidate => "pre-candidate",
        Role::Candidate => "candidate",
        Role::Leader => "leader",
    }
}

fn standing_name(standing: Standing) -> &'static str {
    match standing {
        Standing::Voter => "voter",
        Standing::Learner => "learner",
        Standing::Incoming => "incoming",
        Standing::Outgoing => "outgoing",
        Standing::Demoted => "demoted",
    }
}

fn stream_name(state: PeerState) -> &'static str {
    match state {
        PeerState::Probe => "probe",
        PeerState::Replicate => "replicate",
        PeerState::Snapshot => "snapshot",
    }
}

async fn metrics(State(door): State<Door>) -> Response {
    match door.ask(metrics_of).await {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response(),
        Err(code) => code.into_response(),
    }
}

/// Prometheus' text form.
fn metrics_of(site: &Site) -> String {
    let mut text = String::new();
    let mut put = |kind: &str, name: &str, value: u64| {
        text.push_str(&format!(
            "# TYPE otterkeeper_{name} {kind}\notterkeeper_{name} {value}\n"
        ));
    };
    put("gauge", "peers_reached", site.peers.reached() as u64);
    let Some(hub) = site.hub.get() else {
        return text;
    };
    let counters = hub.counters();
    for (name, value) in [
        ("steps_total", counters.steps),
        ("requests_total", counters.requests),
        ("local_reads_total", counters.reads),
        ("peer_messages_received_total", counters.received),
        ("peer_messages_sent_total", counters.sent),
        ("peer_messages_dropped_total", counters.dropped),
        ("log_writes_total", counters.writes),
    ] {
        put("counter", name, value);
    }
    put("gauge", "connections", hub.connections() as u64);
    hub.with_view(|view| {
        let tree = view.machine().tree();
        for (name, value) in [
            ("is_leader", u64::from(view.role() == Role::Leader)),
            ("has_leader", u64::from(view.leader().is_some())),
            ("term", view.term().0),
            ("commit_index", view.commit().0),
            ("applied_index", view.applied().0),
            ("durable_index", view.durable().0),
            ("first_index", view.first_index().0),
            ("last_index", view.last().index.0),
            ("stamp_ahead_ms", view.stamp_ahead().as_ms()),
            ("znodes", tree.count()),
            ("data_bytes", tree.data_bytes()),
            ("sessions", view.machine().sessions().count() as u64),
            ("watches", view.watches().len() as u64),
            ("voters", view.voters().len() as u64),
            ("has_lease", u64::from(view.lease().is_some())),
            ("log_bytes", view.log_bytes()),
            ("unapplied_bytes", view.unapplied_bytes()),
            ("uncommitted_bytes", view.uncommitted_bytes()),
            (
                "inflight_bytes",
                view.peers().iter().map(|peer| peer.inflight_bytes).sum(),
            ),
            ("withheld_messages", view.withheld().len() as u64),
            ("withheld_bytes", view.withheld_bytes()),
            ("waiting_reads", view.waiting_reads() as u64),
            ("pending_commands", view.pending_commands() as u64),
            ("pending_bytes", view.pending_bytes()),
        ] {
            put("gauge", name, value);
        }
    });
    hub.with_view(|view| quotas(view, &mut text));
    text
}

/// Quotas beyond this many are not listed.
const QUOTAS_LISTED: usize = 1_000;

/// What each quota's subtree holds, and whether that is more than the quota says: the only sign that a soft
/// one gives.
fn quotas(view: View<'_>, text: &mut String) {
    let tree = view.machine().tree();
    let quotas: Vec<_> = tree.quotas().take(QUOTAS_LISTED).collect();
    if quotas.is_empty() {
        return;
    }
    let mut put = |name: &str, value: &dyn Fn(&(&str, Limits, Usage)) -> i64| {
        text.push_str(&format!("# TYPE otterkeeper_quota_{name} gauge\n"));
        for quota in &quotas {
            let path = quota.0.replace('\\', "\\\\").replace('"', "\\\"");
            let value = value(quota);
            text.push_str(&format!(
                "otterkeeper_quota_{name}{{path=\"{path}\"}} {value}\n"
            ));
        }
    };
    put("znodes", &|(_, _, used)| used.count);
    put("bytes", &|(_, _, used)| used.bytes);
    put("exceeded", &|(_, limits, used)| {
        i64::from(limits.is_exceeded(*used))
    });
}

/// A member's connection. The handshake is done by hand, so that both ends of a link are of one kind.
async fn member(State(door): State<Door>, mut request: Request) -> Response {
    let headers = request.headers();
    if headers.contains_key(header::ORIGIN) {
        return (StatusCode::FORBIDDEN, "members only\n").into_response();
    }
    let says = |name, value: &str| {
        let said = headers
            .get(name)
            .and_then(|said: &header::HeaderValue| said.to_str().ok());
        said.is_some_and(|said| said.eq_ignore_ascii_case(value))
    };
    let key = headers
        .get(header::SEC_WEBSOCKET_KEY)
        .map(|key| derive_accept_key(key.as_bytes()));
    let Some(key) = key.filter(|_| says(header::UPGRADE, "websocket")) else {
        return (
            StatusCode::UPGRADE_REQUIRED,
            "a WebSocket for members of the cluster\n",
        )
            .into_response();
    };
    let upgrade = hyper::upgrade::on(&mut request);
    door.visit(move |site| {
        let peers = site.peers.clone();
        spawn_local(async move {
            let Ok(upgraded) = upgrade.await else { return };
            let stream = TokioIo::new(upgraded);
            let limits = Some(peer::frame_limits());
            let socket = WebSocketStream::from_raw_socket(stream, Side::Server, limits).await;
            peers.accept(socket).await;
        });
    });
    let headers = [
        (header::UPGRADE, "websocket".to_owned()),
        (header::CONNECTION, "Upgrade".to_owned()),
        (header::SEC_WEBSOCKET_ACCEPT, key),
    ];
    (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
}

/// A client's connection.
async fn client(
    State(door): State<Door>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    upgrade: WebSocketUpgrade,
    headers: HeaderMap,
) -> Response {
    let (host, origin) = (
        text_of(&headers, header::HOST),
        text_of(&headers, header::ORIGIN),
    );
    let door_again = door.clone();
    let checked = door.ask(move |site| {
        if site.hub.get().is_none() {
            return Err((
                StatusCode::SERVICE_UNAVAILABLE,
                "the cluster has not been formed yet",
            ));
        }
        may_enter(host.as_deref(), origin.as_deref(), &site.host_names)?;
        // Base64 in JSON takes a third more than the request itself, and what is somewhat too long is refused in
        // words.
        Ok(4 * site.request_bytes as usize)
    });
    match checked.await {
        Err(code) => code.into_response(),
        Ok(Err((code, sentence))) => (code, format!("{sentence}\n")).into_response(),
        Ok(Ok(limit)) => upgrade
            .max_message_size(limit)
            .max_frame_size(limit)
            .on_upgrade(async move |socket| {
                door_again.visit(move |site| {
                    if let Some(hub) = site.hub.get() {
                        spawn_local(ws::serve(socket, hub.clone(), address.to_string()));
                    }
                });
            }),
    }
}

/// Rule R31. A page of another site cannot forge its `Origin`; a name that someone points at this server
/// to get around that is not one of its names.
fn may_enter(
    host: Option<&str>,
    origin: Option<&str>,
    names: &[String],
) -> Result<(), (StatusCode, &'static str)> {
    let Some(host) = host else {
        return Err((StatusCode::BAD_REQUEST, "a Host header is missing"));
    };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    let known = name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok()
        || names.iter().any(|known| known.eq_ignore_ascii_case(name));
    if !known {
        return Err((
            StatusCode::FORBIDDEN,
            "this server does not go by that name: see --host-name",
        ));
    }
    let same = |origin: &str| {
        let authority = origin
            .split_once("://")
            .map_or(origin, |(_, authority)| authority);
        authority.eq_ignore_ascii_case(host)
    };
    if origin.is_some_and(|origin| !same(origin)) {
        return Err((
            StatusCode::FORBIDDEN,
            "a page of another site may not connect",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(host: Option<&str>, origin: Option<&str>, allowed: bool) {
        let outcome = may_enter(host, origin, &["keeper.example".into()]);
        assert_eq!(outcome.is_ok(), allowed, "{host:?} {origin:?}");
    }

    #[test]
    fn other_sites_stay_out() {
        check(Some("127.0.0.1:8080"), None, true);
        check(Some("[::1]:8080"), Some("http://[::1]:8080"), true);
        check(Some("localhost:8080"), Some("http://localhost:8080"), true);
        check(Some("keeper.example"), Some("https://keeper.example"), true);
        check(Some("localhost:8080"), Some("http://localhost:9090"), false);
        check(Some("127.0.0.1:8080"), Some("https://evil.example"), false);
        check(Some("127.0.0.1:8080"), Some("null"), false);
        check(
            Some("rebound.example:8080"),
            Some("http://rebound.example:8080"),
            false,
        );
        check(None, None, false);
    }
}

//! Everything that can be seen of the selected node, message or link. Changed values flash: another
//! value is another element.

use otterkeeper_core::id::NodeId;
use otterkeeper_core::message::Message;
use otterkeeper_core::node::{PeerState, View};
use otterkeeper_core::raft::note::Role;
use otterkeeper_core::sim::{Cargo, DiskView, Flight};
use otterkeeper_core::time::Span;
use yew::prelude::*;

use crate::command;
use crate::desk::Seen;
use crate::frame::seconds;
use crate::i18n::{Word, Words};
use crate::sentence;
use crate::state::{Action, Deal, Model, Selection};
use crate::view::values::values;

#[component]
pub(crate) fn Inspect(seen: &Seen) -> Html {
    let model = seen.desk.read();
    let words = &model.words;
    let inside = match model.selection {
        Some(Selection::Node(id)) => node(seen, &model, id),
        Some(Selection::Message(_)) => match &model.past {
            Some(flight) => message(seen, &model, flight),
            None => html! { <p class="empty">{ words.get("message-gone") }</p> },
        },
        Some(Selection::Link(from, to)) => link(seen, &model, from, to),
        None => values(seen, &model),
    };
    html! { <section class="panel right inspect" role="tabpanel" aria-label={words.get("tab-inspect")}>{ inside }</section> }
}

fn node(seen: &Seen, model: &Model, id: NodeId) -> Html {
    let words = &model.words;
    let sim = model.sim();
    let Some(disk) = sim.disk(id) else {
        return html! {};
    };
    let Some(view) = sim.node(id) else {
        let facts = facts(vec![(words.get("fact-disk"), disk_text(words, &disk))]);
        return html! {
            <>
                { title(words, id, disk.vote.term.0, &words.get("role-down")) }
                <p class="quote">{ words.get("down-hint") }</p>
                { facts }
            </>
        };
    };
    let role = match (view.role(), view.leader()) {
        _ if view.is_halted() => words.get("role-halted"),
        (Role::Follower, Some(leader)) => format!(
            "{}, {}",
            sentence::role(words, Role::Follower),
            words.with("follows", &[("leader", leader.0.into())])
        ),
        (Role::Follower, None) => format!(
            "{}, {}",
            sentence::role(words, Role::Follower),
            words.get("no-leader")
        ),
        (role, _) => sentence::role(words, role),
    };
    let hint = if view.is_halted() {
        Some("halted-hint")
    } else {
        sim.is_paused(id).then_some("paused-hint")
    };
    html! {
        <>
            { title(words, id, view.term().0, &role) }
            { match hint { Some(hint) => html! { <p class="quote">{ words.get(hint) }</p> }, None => html! {} } }
            { facts(node_facts(model, view, &disk)) }
            { withheld(words, view) }
            { peers(words, view) }
            { sessions(model, view) }
            <div class="row">
                <button class="btn" data-testid="freeze" onclick={seen.desk.on(Action::FreezeDisk)}>{ words.get(if disk.frozen { "tool-thaw" } else { "tool-freeze" }) }</button>
                <button class="btn" data-testid="snapshot" onclick={seen.desk.on(Action::Snapshot)}>{ words.get("tool-snapshot") }</button>
                <button class="btn" data-testid="hand-over" disabled={model.leader().is_none_or(|leader| leader == id)} onclick={seen.desk.on(Action::HandOver)}>{ words.get("tool-hand-over") }</button>
                <button class="btn danger" data-testid="wipe" onclick={seen.desk.on(Action::Wipe)}>{ words.get("tool-wipe") }</button>
                <button class="btn" data-testid="add-again" disabled={model.leader().is_none()} onclick={seen.desk.on(Action::AddAgain)}>{ words.get("tool-add-again") }</button>
            </div>
            { more(seen, words, node_damage(model, id, &disk)) }
        </>
    }
}

/// Rarer damage, each in the words of scripts.
fn more(seen: &Seen, words: &Words, lines: Vec<(&'static str, String)>) -> Html {
    let buttons = lines.into_iter().map(|(key, line)| html! { <button {key} class="btn" data-testid={key} onclick={seen.desk.on(Action::Line(line))}>{ words.get(key) }</button> });
    let buttons: Vec<Html> = buttons.collect();
    html! { <><h3>{ words.get("fault-more") }</h3><div class="row">{ buttons }</div></> }
}

fn node_damage(model: &Model, id: NodeId, disk: &DiskView) -> Vec<(&'static str, String)> {
    let sim = model.sim();
    let usual = sim.config().disk;
    let mut lines = vec![match disk.profile == usual {
        true => ("fault-disk-slow", format!("slow-disk {id} 80ms..160ms")),
        false => (
            "fault-disk-usual",
            format!("slow-disk {id} {}us..{}us", usual.min.0, usual.max.0),
        ),
    }];
    lines.extend([
        ("fault-tail", format!("crash {id} keep 0")),
        ("fault-clock-fast", format!("clock-rate {id} 1040")),
        ("fault-clock-slow", format!("clock-rate {id} 960")),
        ("fault-clock-true", format!("clock-rate {id} 1000")),
        ("fault-clock-jump", format!("clock-jump {id} 1s")),
        ("fault-copy", format!("copy-disk {id}")),
        ("fault-put-back", format!("put-back-disk {id}")),
    ]);
    if let Some(view) = model.leader().and_then(|leader| sim.node(leader)) {
        let mut voters: Vec<NodeId> = view.configuration().voters().collect();
        let key = match voters.iter().position(|voter| *voter == id) {
            Some(place) => {
                voters.remove(place);
                "fault-remove"
            }
            None => {
                voters.push(id);
                "fault-add"
            }
        };
        let voters: Vec<String> = voters.iter().map(NodeId::to_string).collect();
        if !voters.is_empty() {
            lines.push((
                key,
                format!("members {} to {}", view.id(), voters.join(",")),
            ));
        }
    }
    lines
}

fn link_damage(model: &Model, from: NodeId, to: NodeId) -> Vec<(&'static str, String)> {
    let on = format!("{from}->{to}");
    let usual = model.sim().config().link;
    let clogged = model.sim().link(from, to).clogged;
    let (min, max) = (usual.delay_min.0, usual.delay_max.0);
    vec![
        ("fault-lossy", format!("loss {on} 300")),
        ("fault-late", format!("delay {on} 60ms..180ms")),
        ("fault-twice", format!("duplicates {on} 300")),
        ("fault-shuffled", format!("reorder {on} 300")),
        match clogged {
            false => ("fault-clog", format!("clog {on}")),
            true => ("fault-unclog", format!("unclog {on}")),
        },
        (
            "fault-usual",
            format!("loss {on} 0;duplicates {on} 0;reorder {on} 0;delay {on} {min}us..{max}us"),
        ),
    ]
}

fn node_facts(model: &Model, view: View<'_>, disk: &DiskView) -> Vec<(String, String)> {
    let words = &model.words;
    let now = model.sim().clock(view.id());
    let (armed, due) = view.election_timer();
    let timer = words.with(
        "fact-timer-value",
        &[
            ("left", (due.since(now).as_ms()).into()),
            ("all", due.since(armed).as_ms().into()),
        ],
    );
    let last = view.last();
    let log = if last.index < view.first_index() {
        words.get("fact-log-empty")
    } else {
        words.with(
            "fact-log-value",
            &[
                ("first", view.first_index().0.into()),
                ("last", last.index.0.into()),
                ("term", last.term.0.into()),
            ],
        )
    };
    let none = || words.get("fact-none");
    let (_, digest) = view.tree_digest();
    vec![
        (
            words.get("fact-voted"),
            view.voted_for()
                .map_or_else(|| words.get("fact-nobody"), |id| id.to_string()),
        ),
        (
            words.get(if view.role() == Role::Leader {
                "fact-quorum-check"
            } else {
                "fact-timer"
            }),
            timer,
        ),
        (words.get("fact-log"), log),
        (words.get("fact-committed"), view.commit().to_string()),
        (words.get("fact-applied"), view.applied().to_string()),
        (words.get("fact-durable"), view.durable().to_string()),
        (
            words.get("fact-snapshot"),
            view.snapshot()
                .map_or_else(none, |meta| meta.last.index.to_string()),
        ),
        (
            words.get("fact-bytes"),
            words.with("fact-bytes-value", &[("n", view.log_bytes().into())]),
        ),
        (words.get("fact-disk"), disk_text(words, disk)),
        (
            words.get("fact-connections"),
            view.connections().len().to_string(),
        ),
        (
            words.get("fact-commands"),
            view.pending_commands().to_string(),
        ),
        (
            words.get("fact-sessions"),
            view.machine().sessions().count().to_string(),
        ),
        (
            words.get("fact-znodes"),
            view.machine().tree().count().to_string(),
        ),
        (words.get("fact-digest"), format!("{digest:016x}")),
        (
            words.get("fact-clock"),
            format!(
                "{:+} ms",
                (now.0 as i64 - model.sim().now().0 as i64) / 1_000
            ),
        ),
    ]
}

fn disk_text(words: &Words, disk: &DiskView) -> String {
    let state = if disk.frozen {
        words.get("fact-disk-frozen")
    } else if disk.waiting > 0 {
        words.with(
            "fact-disk-waiting",
            &[("n", Word::Count(disk.waiting as u64))],
        )
    } else {
        words.get("fact-disk-idle")
    };
    let holds = words.with(
        "fact-disk-holds",
        &[
            ("term", disk.vote.term.0.into()),
            ("last", disk.last.0.into()),
        ],
    );
    format!("{state}; {holds}")
}

fn withheld(words: &Words, view: View<'_>) -> Html {
    let held = view.withheld();
    if held.is_empty() {
        return html! {};
    }
    let lines = held.iter().take(6).enumerate().map(|(key, held)| {
        let to = words.with("withheld-to", &[("node", held.to.0.into())]);
        html! { <p {key} class="quote"><b>{ to }</b>{ ": " }{ sentence::says(words, &held.message) }</p> }
    });
    let lines: Vec<Html> = lines.collect();
    html! { <><h3>{ words.get("withheld") }</h3><div>{ lines }</div></> }
}

fn peers(words: &Words, view: View<'_>) -> Html {
    let peers = view.peers();
    if peers.is_empty() {
        return html! {};
    }
    let rows = peers.iter().map(|peer| {
        let state = words.get(match peer.state {
            PeerState::Probe => "peer-probe",
            PeerState::Replicate => "peer-replicate",
            PeerState::Snapshot => "peer-snapshot",
        });
        html! {
            <tr key={peer.id.0}><td>{ peer.id.0 }</td><td>{ state }</td><td>{ peer.matched.0 }</td><td>{ peer.next.0 }</td><td>{ peer.inflight }</td></tr>
        }
    });
    let rows: Vec<Html> = rows.collect();
    html! {
        <>
            <h3>{ words.get("peers") }</h3>
            <table class="grid">
                <thead><tr><th>{ words.get("peer") }</th><th>{ words.get("peer-state") }</th><th>{ words.get("peer-matched") }</th><th>{ words.get("peer-next") }</th><th>{ words.get("peer-inflight") }</th></tr></thead>
                <tbody>{ rows }</tbody>
            </table>
        </>
    }
}

/// Sessions as the log knows them; on the leader with what is left of their timeouts.
fn sessions(model: &Model, view: View<'_>) -> Html {
    let words = &model.words;
    let now = model.sim().clock(view.id());
    let rows = view.machine().sessions().take(12).map(|(id, session)| {
        let left = view.session_deadline(id).map(|deadline| deadline.since(now).0);
        let left = left.map(|left| words.with("clients-left", &[("left", (left / 1_000_000).into()), ("all", u64::from(session.timeout_ms / 1_000).into())]));
        html! {
            <tr key={id.0}><td>{ words.with("clients-session", &[("session", id.0.into())]) }</td><td>{ words.with("end-node", &[("node", session.origin.node.0.into())]) }</td><td>{ left.unwrap_or_default() }</td></tr>
        }
    });
    let rows: Vec<Html> = rows.collect();
    if rows.is_empty() {
        return html! {};
    }
    html! { <><h3>{ words.get("fact-sessions") }</h3><table class="grid"><tbody>{ rows }</tbody></table></> }
}

/// A message under way, and what can be done with it; or one that has ended, and the way back to it.
fn message(seen: &Seen, model: &Model, flight: &Flight) -> Html {
    let words = &model.words;
    let at = |time| seconds(model.run.since_start(time).0);
    let under_way = model.message().is_some();
    let way = model.way(flight.id);
    // What was lost on its way, or delivered by hand, ended before its time.
    let ended = way.map_or(flight.arrives, |way| way.ended);
    let ends = match way {
        Some(way) if way.lost => "way-lost",
        _ if under_way => "message-arrives",
        _ => "message-arrived",
    };
    let mut list = vec![
        (words.get("message-from"), sentence::end(words, flight.from)),
        (words.get("message-to"), sentence::end(words, flight.to)),
        (words.get("message-sent"), at(flight.sent)),
        (words.get(ends), at(ended)),
    ];
    let mut quote = String::new();
    let mut entries = Vec::new();
    match &flight.cargo {
        Cargo::Peer(message) => {
            if let Message::Raft(raft) = &**message {
                quote = sentence::says(words, raft);
                list.push((words.get("message-term"), raft.term().to_string()));
                if let otterkeeper_core::raft::message::Message::Append {
                    entries: carried, ..
                } = raft
                {
                    entries = carried
                        .iter()
                        .take(12)
                        .map(|entry| (entry.id, command::label(entry)))
                        .collect();
                }
            }
        }
        Cargo::Request { request, .. } => quote = command::typed(request),
        Cargo::Reply { reply, .. } => {
            quote = match &reply.result {
                Ok(_) => format!("zxid {}", reply.zxid),
                Err(error) => command::error_name(*error).to_owned(),
            }
        }
        Cargo::Watch { event, .. } => {
            quote = format!("{} {}", command::event_name(event.kind), event.path)
        }
        Cargo::End { reason, .. } => quote = sentence::hangup(words, *reason),
        Cargo::PeerLost | Cargo::Open { .. } => {}
    }
    let deal = |id: &'static str, key: &'static str, name: &'static str, deal: Deal| {
        html! { <button key={id} class="btn" data-testid={id} onclick={seen.desk.on(Action::Message(deal))}>{ words.get(name) }<kbd aria-hidden="true">{ key }</kbd></button> }
    };
    let boxes = entries.iter().map(|(id, label)| {
        html! { <div key={id.index.0} class={classes!("entry", format!("t{}", id.term.0 % 8))}><b>{ id.term.0 }</b><span>{ format!("{} {label}", id.index) }</span></div> }
    });
    let boxes: Vec<Html> = boxes.collect();
    let took = ended.since(flight.sent).0;
    let middle = Span(model.run.since_start(flight.sent).0 + took / 2);
    html! {
        <>
            <div class="title">{ sentence::kind(words, &flight.cargo) }</div>
            { if quote.is_empty() { html! {} } else { html! { <p class="quote">{ quote }</p> } } }
            { facts(list) }
            <div class="carried">{ boxes }</div>
            { if under_way { html! {
                <div class="row">
                    { deal("drop", "X", "message-drop", Deal::Drop) }
                    { deal("delay-message", "D", "message-delay", Deal::Delay) }
                    { deal("duplicate", "W", "message-duplicate", Deal::Duplicate) }
                    { deal("deliver", "N", "message-now", Deal::Now) }
                </div>
            } } else { html! {
                <div class="row"><button class="btn" data-testid="relive" onclick={seen.desk.on(Action::GoToFlight(flight.id, middle))}>{ words.get("message-relive") }</button></div>
            } } }
        </>
    }
}

fn link(seen: &Seen, model: &Model, from: NodeId, to: NodeId) -> Html {
    let words = &model.words;
    let state = model.sim().link(from, to);
    let way = model.sim().flights().filter(|flight| {
        flight.from == otterkeeper_core::sim::End::Node(from)
            && flight.to == otterkeeper_core::sim::End::Node(to)
    });
    let delay = words.with(
        "delay-value",
        &[
            ("min", state.profile.delay_min.as_ms().into()),
            ("max", state.profile.delay_max.as_ms().into()),
        ],
    );
    let list = vec![
        (
            words.get("peer-state"),
            words.get(if state.clogged {
                "link-clogged"
            } else if state.up {
                "stage-link-up"
            } else {
                "stage-link-cut"
            }),
        ),
        (words.get("link-delay"), delay),
        (
            words.get("link-loss"),
            format!("{} %", sentence::percent(state.profile.loss_per_mille)),
        ),
        (
            words.get("link-twice"),
            format!("{} %", sentence::percent(state.profile.duplicate_per_mille)),
        ),
        (
            words.get("link-overtake"),
            format!("{} %", sentence::percent(state.profile.reorder_per_mille)),
        ),
        (words.get("link-under-way"), way.count().to_string()),
    ];
    html! {
        <>
            <div class="title">{ words.with("link-title", &[("from", from.0.into()), ("to", to.0.into())]) }</div>
            { facts(list) }
            <div class="row"><button class="btn" data-testid="cut" onclick={seen.desk.on(Action::ToggleLink(from, to))}>{ words.get(if state.up { "link-cut" } else { "link-heal" }) }</button></div>
            { more(seen, words, link_damage(model, from, to)) }
        </>
    }
}

fn title(words: &Words, id: NodeId, term: u64, role: &str) -> Html {
    html! {
        <div class="title">
            <span>{ format!("{} {id}", words.get("tool-node")) }</span>
            <span class={classes!("chip", format!("t{}", term % 8))}>{ words.with("term", &[("term", term.into())]) }</span>
            <small>{ role }</small>
        </div>
    }
}

fn facts(list: Vec<(String, String)>) -> Html {
    let rows = list.into_iter().map(|(name, value)| {
        html! { <div key={name.clone()}><dt>{ name }</dt><dd key={value.clone()} class="changed">{ value }</dd></div> }
    });
    let rows: Vec<Html> = rows.collect();
    html! { <dl class="facts">{ rows }</dl> }
}

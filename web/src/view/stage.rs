//! The stage: links, clients and nodes as structure. Messages, bursts and timer arcs are moved by the
//! frame loop inside the two groups that stay empty here.

use core::cell::RefCell;
use std::rc::Rc;

use otterkeeper_core::id::NodeId;
use otterkeeper_core::node::Note;
use otterkeeper_core::raft::note::{Note as RaftNote, Role};
use otterkeeper_core::sim::{self, ClientId, FlightId};
use wasm_bindgen::JsCast;
use yew::prelude::*;

use crate::desk::{Desk, Seen};
use crate::geometry::{Point, Ring, between, cross};
use crate::i18n::{Lang, Word};
use crate::sentence;
use crate::state::{Action, Model, Notice, Selection, Tab};
use crate::view::compare::ghosts;
use crate::view::icon::{self, icon};
use crate::view::node::{Face, NodeView};
use crate::{frame, shape};

#[derive(Clone, PartialEq, Properties)]
struct Wire {
    desk: Desk,
    from: NodeId,
    to: NodeId,
    ring: Ring,
    up: bool,
    lead: bool,
    dead: bool,
    selected: bool,
    lang: Lang,
}

#[derive(Clone, PartialEq, Properties)]
struct Guest {
    desk: Desk,
    id: ClientId,
    at: Point,
    node: Option<Point>,
    attached: bool,
    lang: Lang,
}

#[derive(Clone, PartialEq, Properties)]
struct Spoken {
    desk: Desk,
    lang: Lang,
}

#[component]
pub(crate) fn Stage(seen: &Seen) -> Html {
    // A stroke lasts longer than a drawing of the stage.
    let stroke = use_mut_ref(Vec::new);
    let model = seen.desk.read();
    let words = &model.words;
    let sim = model.sim();
    let ring = Ring::new(model.run.nodes, seen.narrow);
    let top = sim
        .nodes()
        .filter_map(|id| sim.node(id))
        .map(|view| view.commit().0)
        .max()
        .unwrap_or(0);
    let leads = |id| sim.node(id).is_some_and(|view| view.role() == Role::Leader);
    let down = |id| sim.node(id).is_none();
    let ids: Vec<NodeId> = sim.nodes().collect();
    let pairs = ids
        .iter()
        .flat_map(|from| ids.iter().map(move |to| (*from, *to)))
        .filter(|(from, to)| from != to);
    let wires = pairs.map(|(from, to)| {
        let up = sim.link(from, to).up;
        let wire = Wire {
            desk: seen.desk.clone(),
            from,
            to,
            ring,
            up,
            lead: leads(from) || leads(to),
            dead: down(from) || down(to),
            selected: model.selection == Some(Selection::Link(from, to)),
            lang: words.lang,
        };
        html! { <WireView key={format!("{from}-{to}")} ..wire /> }
    });
    let faces = ids.iter().map(|id| {
        let selected = model.selection == Some(Selection::Node(*id));
        let face = Face::of(&seen.desk, &model, ring, *id, top, selected);
        html! { <NodeView key={id.0} ..face /> }
    });
    let guests = frame::guests(sim, ring);
    let more = guests.more.into_iter().enumerate().map(|(key, (at, count))| {
        let name = words.with("stage-more", &[("n", Word::Count(count as u64))]);
        html! { <text {key} class="more" data-testid="more-clients" role="img" aria-label={name.clone()} x={format!("{:.1}", at.x)} y={format!("{:.1}", at.y)} onclick={seen.desk.on(Action::Tab(Tab::Clients))}><title>{ name }</title>{ format!("+{count}") }</text> }
    });
    let more: Vec<Html> = more.collect();
    let guests = guests.seated.into_iter().map(|(client, at)| {
        let guest = Guest {
            desk: seen.desk.clone(),
            id: client.id,
            at,
            node: client.node.map(|node| ring.node(node.0)),
            attached: client.attached,
            lang: words.lang,
        };
        html! { <GuestView key={client.id.0} ..guest /> }
    });
    let middle = ring.centre();
    let (rx, ry) = ring.radii();
    let [down, moved, up] = scissors(&seen.desk, ring, stroke);
    let desk = seen.desk.clone();
    let pick = Callback::from(move |event: MouseEvent| {
        let target = event
            .target()
            .and_then(|target| target.dyn_into::<web_sys::Element>().ok());
        let message = target.and_then(|target| target.closest("g[data-flight]").ok().flatten());
        if let Some(id) =
            message.and_then(|message| message.get_attribute("data-flight")?.parse().ok())
        {
            desk.act(Action::Select(Some(Selection::Message(FlightId(id)))));
        }
    });
    html! {
        <div class={classes!("pond", model.scissors.then_some("scissors"))}>
            <svg class="stage" id="stage" viewBox={format!("0 0 {} {}", ring.width, ring.height)} role="group" aria-label={words.get("stage")}
                onpointerdown={down} onpointermove={moved} onpointerup={up}>
                <g class="ripples">
                    { for [1.0, 0.68, 0.38].into_iter().enumerate().map(|(key, size)| html! {
                        <ellipse {key} class="ripple" cx={middle.x.to_string()} cy={middle.y.to_string()} rx={(rx * size).to_string()} ry={(ry * size).to_string()} />
                    }) }
                </g>
                <g class="links">{ for wires }</g>
                <g class="guests">{ for guests }</g><g class="guests">{ more }</g>
                <g id="messages" class={model.muted.then_some("muted")} tabindex="0" role="group" aria-label={words.get("stage-messages")} aria-keyshortcuts="F" onclick={pick}></g>
                <g class="nodes">{ for faces }</g>
                { ghosts(&model, ring) }
                <g id="bursts"></g>
                <path class="stroke" id="stroke" d="" />
            </svg>
            <div class="over">{ coach(&seen.desk, &model) }</div>
            <Legend desk={seen.desk.clone()} lang={words.lang} />
            <div class="notices" role="status">{ notice(&seen.desk, &model) }</div>
        </div>
    }
}

#[component]
fn WireView(wire: &Wire) -> Html {
    let (a, b) = wire.ring.link(wire.from.0, wire.to.0);
    let d = format!("M{:.1} {:.1}L{:.1} {:.1}", a.x, a.y, b.x, b.y);
    let class = classes!(
        "link",
        wire.lead.then_some("lead"),
        wire.dead.then_some("dead"),
        wire.selected.then_some("sel")
    );
    let model = wire.desk.read();
    let words = &model.words;
    let state = words.get(if wire.up {
        "stage-link-up"
    } else {
        "stage-link-cut"
    });
    let label = words.with(
        "stage-link",
        &[
            ("from", wire.from.0.into()),
            ("to", wire.to.0.into()),
            ("state", state.into()),
        ],
    );
    // A cut is drawn at the receiving end.
    let mark = between(a, b, 0.82);
    let select = wire
        .desk
        .on(Action::Select(Some(Selection::Link(wire.from, wire.to))));
    html! {
        <g {class} data-testid={format!("link-{}-{}", wire.from, wire.to)} data-state={if wire.up { "up" } else { "cut" }}
            role="button" aria-label={label} onclick={select}>
            <path class="wire" d={d.clone()} />
            <path class="hit" {d} />
            { if wire.up { html! {} } else {
                html! { <path class="cutmark" transform={format!("translate({:.1} {:.1})", mark.x, mark.y)} d="M-4-4 4 4M4-4-4 4" /> }
            } }
        </g>
    }
}

#[component]
fn GuestView(guest: &Guest) -> Html {
    let Point { x, y } = guest.at;
    let label = guest.desk.read().words.with(
        "stage-client",
        &[("client", sentence::client_name(guest.id).into())],
    );
    let load = guest.id.0 >= 1_000;
    let click = guest.desk.clone();
    let id = guest.id;
    let onclick = Callback::from(move |_: MouseEvent| {
        if !load {
            click.act(Action::Client(id));
            click.act(Action::Tab(Tab::Clients));
        }
    });
    let tie = guest.node.map(|node| {
        let end = between(
            guest.at,
            node,
            (1.0 - 44.0 / (node.x - x).hypot(node.y - y).max(45.0)).max(0.2),
        );
        format!("M{x:.1} {y:.1}L{:.1} {:.1}", end.x, end.y)
    });
    let size = if load { "scale(.6)" } else { "scale(1)" };
    html! {
        <g class={classes!("guest", load.then_some("load"), (!guest.attached).then_some("away"))} role="img" aria-label={label} {onclick}>
            { if let Some(d) = tie { html! { <path class="tie" {d} /> } } else { html! {} } }
            <g transform={format!("translate({x:.1} {y:.1})")}>
                <path class="diamond" transform={size} d="M0-14 14 0 0 14-14 0Z" />
                { if load { html! {} } else { html! { <text class="initial" y="4">{ sentence::client_name(id) }</text> } } }
            </g>
        </g>
    }
}

/// One line that says what to try now. It follows the cluster, not the clock.
fn coach(desk: &Desk, model: &Model) -> Html {
    use otterkeeper_core::sim::Intervention as Deed;
    if model.coached {
        return html! {};
    }
    let deeds = model.run.deeds_done();
    let elected = |event: &sim::Event| match event.what {
        sim::What::Note {
            node,
            note: Note::Raft(RaftNote::Role {
                role: Role::Leader, ..
            }),
        } => Some((event.number, node)),
        _ => None,
    };
    let elections: Vec<_> = model
        .run
        .journal()
        .iter()
        .filter_map(|event| elected(event))
        .collect();
    let led = |event: u64| {
        elections
            .iter()
            .rev()
            .find(|(number, _)| *number <= event)
            .map(|(_, node)| *node)
    };
    let kill = deeds
        .iter()
        .find(|deed| matches!(deed.what, Deed::Kill(id) if led(deed.event) == Some(id)));
    let key = match kill {
        _ if deeds
            .iter()
            .any(|deed| matches!(deed.what, Deed::Restart(_))) =>
        {
            return html! {};
        }
        Some(kill) if elections.iter().any(|(number, _)| *number > kill.event) => "coach-restart",
        Some(_) => "coach-watch",
        None if model.leader().is_some() => "coach-kill",
        None if !model.playing => "coach-paused",
        None => "coach-wait",
    };
    html! {
        <p class="coach" {key}>
            <svg viewBox="-17 -63 34 22" aria-hidden="true"><path d={icon::CROWN} /></svg>
            <span>{ model.words.get(key) }</span>
            <button aria-label={model.words.get("close")} onclick={desk.on(Action::Coached)}>{ icon(icon::CROSS) }</button>
        </p>
    }
}

#[component]
fn Legend(spoken: &Spoken) -> Html {
    let model = spoken.desk.read();
    let words = &model.words;
    let items = [
        ("msg beat", shape::DOT, words.get("legend-heartbeat")),
        ("msg append", shape::SQUARE, words.get("legend-append")),
        ("msg vote", shape::TRIANGLE, words.get("legend-vote")),
        ("msg client", shape::DIAMOND, words.get("legend-client")),
        ("msg append reply", shape::SQUARE, words.get("legend-reply")),
    ];
    let items = items.into_iter().map(|(class, d, name)| html! { <span key={name.clone()}><svg viewBox="-12 -12 24 24"><g {class}><path {d} /></g></svg>{ name }</span> });
    let items: Vec<Html> = items.collect();
    html! { <div class="legend" aria-hidden="true">{ items }</div> }
}

fn notice(desk: &Desk, model: &Model) -> Html {
    let words = &model.words;
    let Some(notice) = &model.notice else {
        return html! {};
    };
    let hash = |hash: &u64| format!("{hash:016x}");
    let (text, bad) = match notice {
        Notice::Reproduced(ours) => (
            words.with("notice-reproduced", &[("hash", hash(ours).into())]),
            false,
        ),
        Notice::Differs { theirs, ours, core } => {
            let key = if *core {
                "notice-differs"
            } else {
                "notice-differs-core"
            };
            (
                words.with(
                    key,
                    &[("theirs", hash(theirs).into()), ("ours", hash(ours).into())],
                ),
                true,
            )
        }
        Notice::BadLink(key) => (words.get(key), true),
        Notice::Replaying(part) => (
            words.with(
                "notice-replaying",
                &[("percent", (u64::from(*part) / 10).into())],
            ),
            false,
        ),
        Notice::Copied => (words.get("notice-copied"), false),
        Notice::Filed => (words.get("notice-filed"), false),
        Notice::Link(link) => (link.clone(), false),
        Notice::NotReached => (words.get("notice-not-reached"), true),
        Notice::Promise(promise) => (sentence::promise(words, *promise), false),
        Notice::Working(part) => (
            words.with("notice-working", &[("percent", u64::from(*part).into())]),
            false,
        ),
    };
    // What this page cannot tell, the page that made the link still can.
    let foreign = matches!(
        notice,
        Notice::BadLink(_) | Notice::Differs { core: false, .. }
    );
    let elder = match model.elder.clone().filter(|_| foreign) {
        Some(href) => {
            html! { <>{ " " }<a {href} data-testid="elder">{ words.get("link-elder") }</a></> }
        }
        None => html! {},
    };
    html! {
        <div class={classes!("toast", bad.then_some("bad"))} data-testid="notice">
            <span>{ text }{ elder }</span><button aria-label={words.get("close")} onclick={desk.on(Action::Dismiss)}>{ icon(icon::CROSS) }</button>
        </div>
    }
}

/// Listeners that collect a stroke and cut what it crosses.
fn scissors(
    desk: &Desk,
    ring: Ring,
    stroke: Rc<RefCell<Vec<Point>>>,
) -> [Callback<PointerEvent>; 3] {
    let place = move |event: &PointerEvent| -> Option<Point> {
        let stage = frame::element("stage")?;
        let area = stage.get_bounding_client_rect();
        let scale = (area.width() / ring.width)
            .min(area.height() / ring.height)
            .max(0.01);
        let left = area.left() + (area.width() - ring.width * scale) / 2.0;
        let top = area.top() + (area.height() - ring.height * scale) / 2.0;
        Some(Point {
            x: (f64::from(event.client_x()) - left) / scale,
            y: (f64::from(event.client_y()) - top) / scale,
        })
    };
    let draw = |points: &[Point]| {
        let mut d = String::new();
        for (place, point) in points.iter().enumerate() {
            d += &format!(
                "{}{:.1} {:.1}",
                if place == 0 { "M" } else { "L" },
                point.x,
                point.y
            );
        }
        if let Some(path) = frame::element("stroke") {
            let _ = path.set_attribute("d", &d);
        }
    };
    let down = {
        let (stroke, desk) = (stroke.clone(), desk.clone());
        Callback::from(move |event: PointerEvent| {
            if desk.read().scissors {
                stroke.borrow_mut().clear();
                stroke.borrow_mut().extend(place(&event));
                if let Some(stage) = frame::element("stage") {
                    let _ = stage.set_pointer_capture(event.pointer_id());
                }
            }
        })
    };
    let moved = {
        let (stroke, desk) = (stroke.clone(), desk.clone());
        Callback::from(move |event: PointerEvent| {
            if desk.read().scissors && !stroke.borrow().is_empty() && event.buttons() != 0 {
                stroke.borrow_mut().extend(place(&event));
                draw(&stroke.borrow());
            }
        })
    };
    let up = {
        let desk = desk.clone();
        Callback::from(move |event: PointerEvent| {
            let points = core::mem::take(&mut *stroke.borrow_mut());
            draw(&[]);
            if points.len() < 2 {
                return;
            }
            let nodes = 1..=u64::from(ring.nodes);
            let mut cut = Vec::new();
            for from in nodes.clone() {
                for to in nodes.clone().filter(|to| *to != from) {
                    let (a, b) = ring.link(from, to);
                    let crossed = points.windows(2).find(|pair| cross(pair[0], pair[1], a, b));
                    // With Alt, only what goes from the left of the stroke to its right.
                    let wanted = crossed.is_some_and(|pair| {
                        let (p, q) = (pair[0], pair[1]);
                        !event.alt_key()
                            || (q.x - p.x) * (b.y - a.y) - (q.y - p.y) * (b.x - a.x) > 0.0
                    });
                    if wanted {
                        cut.push((NodeId(from), NodeId(to)));
                    }
                }
            }
            desk.act(Action::Cut(cut));
        })
    };
    [down, moved, up]
}

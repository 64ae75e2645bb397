//! The network: loss, delay and load for all, and the matrix of directions, which is the scissors for
//! the keyboard.

use otterkeeper_core::id::NodeId;
use wasm_bindgen::JsCast;
use web_sys::HtmlInputElement;
use yew::prelude::*;

use crate::desk::{Desk, Seen};
use crate::sentence;
use crate::state::{Action, delays};
use crate::view::header;

#[component]
pub(crate) fn Network(seen: &Seen) -> Html {
    let model = seen.desk.read();
    let words = &model.words;
    let sim = model.sim();
    let (loss, delay, load) = model.sliders;
    let (min, max) = delays(delay);
    let ids: Vec<NodeId> = sim.nodes().collect();
    let rows = ids.iter().map(|from| {
        let cells = ids.iter().map(|to| {
            let cell = if from == to {
                html! {}
            } else {
                let up = sim.link(*from, *to).up;
                let state = words.get(if up { "stage-link-up" } else { "stage-link-cut" });
                let label = words.with("stage-link", &[("from", from.0.into()), ("to", to.0.into()), ("state", state.into())]);
                html! {
                    <button id={(from.0 == 1 && to.0 == 2).then_some("matrix")} aria-pressed={(!up).to_string()} aria-label={label.clone()} title={label} onclick={seen.desk.on(Action::ToggleLink(*from, *to))}>
                        { if up { "\u{b7}" } else { "\u{d7}" } }
                    </button>
                }
            };
            html! { <td key={to.0}>{ cell }</td> }
        });
        html! { <tr key={from.0}><th scope="row">{ from.0 }</th>{ for cells }</tr> }
    });
    html! {
        <section class="panel network" aria-label={words.get("network")}>
            <h2 class="wide-only">{ words.get("network") }</h2>
            <div class="narrow-only">{ header::run_controls(seen, model.run.nodes, model.run.seed) }</div>
            <div class="sliders">
                <label for="loss">{ words.get("loss") }</label>
                <input id="loss" data-testid="loss" type="range" min="0" max="500" step="10" value={loss.to_string()} onchange={slid(&seen.desk, Action::Loss)} />
                <output>{ format!("{} %", sentence::percent(loss)) }</output>
                <label for="delay">{ words.get("delay") }</label>
                <input id="delay" data-testid="delay" type="range" min="3" max="300" step="3" value={delay.to_string()} onchange={slid(&seen.desk, Action::Delay)} />
                <output>{ words.with("delay-value", &[("min", min.as_ms().into()), ("max", max.as_ms().into())]) }</output>
                <label for="load">{ words.get("load") }</label>
                <input id="load" data-testid="load" type="range" min="0" max="200" step="5" value={load.to_string()} onchange={slid(&seen.desk, Action::Load)} />
                <output>{ words.with("load-value", &[("n", u64::from(load).into())]) }</output>
            </div>
            <div class="matrix-row">
                <table class="matrix" aria-label={words.get("matrix")} title={words.get("matrix")}>
                    <thead><tr><th></th>{ for ids.iter().map(|id| html! { <th key={id.0} scope="col">{ id.0 }</th> }) }</tr></thead>
                    <tbody>{ for rows }</tbody>
                </table>
                <div class="presets">
                    <button class="btn" data-testid="split" onclick={seen.desk.on(Action::Split)}>{ words.get("preset-split") }</button>
                    <button class="btn" data-testid="leader-alone" onclick={seen.desk.on(Action::LeaderAlone)}>{ words.get("preset-leader") }</button>
                    { for presets(&ids, sim.leader()).into_iter().map(|(key, cuts)| html! {
                        <button {key} class="btn" data-testid={key} onclick={seen.desk.on(Action::Cut(cuts))}>{ words.get(key) }</button>
                    }) }
                    <button class="btn" data-testid="preset-hold" title={words.get("preset-hold-what")} onclick={seen.desk.on(Action::Line(by_hand(&ids)))}>{ words.get("preset-hold") }</button>
                    <button class="btn" onclick={seen.desk.on(Action::HealAll)}>{ words.get("preset-heal") }</button>
                </div>
            </div>
        </section>
    }
}

/// Every direction holds back what it carries: a visitor delivers message by message.
fn by_hand(ids: &[NodeId]) -> String {
    let pairs = ids.iter().flat_map(|a| ids.iter().map(move |b| (a, b)));
    let lines = pairs
        .filter(|(a, b)| a != b)
        .map(|(a, b)| format!("clog {a}->{b}"));
    lines.collect::<Vec<String>>().join(";")
}

/// Partitions with a name, each by the directions that it cuts.
fn presets(ids: &[NodeId], leader: Option<NodeId>) -> [(&'static str, Vec<(NodeId, NodeId)>); 3] {
    let all = ids.len() as u64;
    let middle = all.div_ceil(2);
    let cut = |cuts: &dyn Fn(u64, u64) -> bool| {
        let pairs = ids.iter().flat_map(|a| ids.iter().map(move |b| (*a, *b)));
        pairs.filter(|(a, b)| a != b && cuts(a.0, b.0)).collect()
    };
    [
        // Each hears its two neighbours.
        (
            "preset-ring",
            cut(&|a, b| a.abs_diff(b) != 1 && a.abs_diff(b) != all - 1),
        ),
        // Two sides that only the one in the middle hears both of.
        (
            "preset-bridge",
            cut(&|a, b| a != middle && b != middle && (a < middle) != (b < middle)),
        ),
        // It is heard, and hears nobody.
        (
            "preset-deaf",
            cut(&|_, b| leader.is_some_and(|leader| leader.0 == b)),
        ),
    ]
}

fn slid(desk: &Desk, action: fn(u32) -> Action) -> Callback<Event> {
    let desk = desk.clone();
    Callback::from(move |event: Event| {
        let input = event
            .target()
            .and_then(|target| target.dyn_into::<HtmlInputElement>().ok());
        if let Some(value) = input.and_then(|input| input.value().parse().ok()) {
            desk.act(action(value));
        }
    })
}

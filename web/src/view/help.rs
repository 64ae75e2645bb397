//! Shapes and keys, over the page.

use yew::prelude::*;

use crate::desk::Seen;
use crate::shape;
use crate::state::Action;
use crate::view::icon::{self, icon};

#[component]
pub(crate) fn Help(seen: &Seen) -> Html {
    let model = seen.desk.read();
    if !model.help {
        return html! {};
    }
    let words = &model.words;
    let shapes = [
        ("msg beat", shape::DOT, words.get("legend-heartbeat")),
        ("msg append", shape::SQUARE, words.get("legend-append")),
        ("msg append reply", shape::SQUARE, words.get("legend-reply")),
        ("msg vote", shape::TRIANGLE, words.get("kind-vote")),
        ("msg vote pre", shape::TRIANGLE, words.get("kind-pre-vote")),
        ("msg append", shape::STACK, words.get("legend-snapshot")),
        ("msg client", shape::DIAMOND, words.get("legend-client")),
        ("msg bell", shape::BELL, words.get("legend-watch")),
    ];
    let shapes = shapes.into_iter().map(|(class, d, name)| {
        html! { <span key={name.clone()}><svg viewBox="-12 -12 24 24" aria-hidden="true"><g {class}><path {d} /></g></svg>{ name }</span> }
    });
    let shapes: Vec<Html> = shapes.collect();
    let keys: [(&[&str], String); 26] = [
        (&["Space"], words.get("key-space")),
        (&[".", ","], words.get("key-step")),
        (&["Shift .", ","], words.get("key-turn")),
        (&["[", "]"], words.get("key-speed")),
        (&["U"], words.get("key-until")),
        (&["Home", "End", "G"], words.get("key-ends")),
        (&["1-9"], words.get("key-select")),
        (
            &["\u{2190}", "\u{2191}", "\u{2192}", "\u{2193}"],
            words.get("key-arrows"),
        ),
        (&["K"], words.get("key-kill")),
        (&["P"], words.get("key-pause")),
        (&["I"], words.get("key-isolate")),
        (&["T"], words.get("key-campaign")),
        (&["C"], words.get("key-scissors")),
        (&["Shift C"], words.get("key-matrix")),
        (&["H"], words.get("key-heal")),
        (&["R"], words.get("key-write")),
        (&["J", "Shift J"], words.get("key-messages")),
        (&["X", "D", "W"], words.get("key-message")),
        (&["N"], words.get("key-now")),
        (&["/"], words.get("key-command")),
        (&["V"], words.get("key-diagram")),
        (&["S"], words.get("key-share")),
        (&["B"], words.get("key-bookmark")),
        (&["F"], words.get("key-name")),
        (&["Ctrl Z", "Y"], words.get("key-undo")),
        (&["M"], words.get("key-mute")),
    ];
    let keys = keys.into_iter().chain([(["Esc"].as_slice(), words.get("key-close"))]).map(|(keys, does)| {
        let caps = keys.iter().map(|key| html! { <kbd key={*key}>{ *key }</kbd> });
        html! { <div key={does.clone()}><span class="k">{ for caps }</span><span>{ does }</span></div> }
    });
    let keys: Vec<Html> = keys.collect();
    html! {
        <>
            <button class="scrim" tabindex="-1" aria-hidden="true" onclick={seen.desk.on(Action::Help(false))}></button>
            <dialog open={true} aria-modal="true" aria-label={words.get("help-title")} data-testid="help-dialog">
                <h2>{ words.get("help-shapes") }<span class="grow"></span>
                    <button class="btn icon quiet" id="help-close" aria-label={words.get("close")} onclick={seen.desk.on(Action::Help(false))}>{ icon(icon::CROSS) }</button>
                </h2>
                <div class="shapes">{ shapes }</div>
                <h2>{ words.get("help-keys") }<span class="grow"></span>
                    <label class="check"><input type="checkbox" data-testid="keys-on" checked={!model.keyless} onchange={seen.desk.on(Action::Keys)} />{ words.get("help-keys-on") }</label>
                </h2>
                <div class="keys">{ keys }</div>
            </dialog>
        </>
    }
}

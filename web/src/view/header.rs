//! The head of the page: the run's seed and size, the link to it, the language.

use wasm_bindgen::JsCast;
use web_sys::HtmlInputElement;
use yew::prelude::*;

use crate::app;
use crate::desk::Seen;
use crate::i18n::Lang;
use crate::state::Action;
use crate::view::export::ExportMenu;
use crate::view::icon::{self, icon};

#[component]
pub(crate) fn Header(seen: &Seen) -> Html {
    let model = seen.desk.read();
    let words = &model.words;
    let (nodes, seed) = (model.run.nodes, model.run.seed);
    let share = {
        let desk = seen.desk.clone();
        Callback::from(move |_: MouseEvent| app::share(&desk))
    };
    let mode = |key: &'static str, on: bool, action: Action| {
        html! { <button class="btn" data-testid={key} aria-pressed={on.to_string()} onclick={seen.desk.on(action)}>{ words.get(key) }</button> }
    };
    let (learning, breaking) = (model.learning, model.breaking);
    let language = |lang: Lang, name: &'static str| {
        let on = words.lang == lang;
        html! { <button class="btn" lang={lang.tag()} aria-pressed={on.to_string()} onclick={seen.desk.on(Action::Language(lang))} data-testid={format!("lang-{}", lang.tag())}>{ name }</button> }
    };
    html! {
        <header class="top">
            <h1 class="brand">{ icon::mark() }<span>{ "Otterkeeper" }</span></h1>
            <div class="seg modes" role="group">
                { mode("learn", learning && !breaking, Action::Lessons { rules: false }) }
                { mode("sandbox", !learning, Action::Sandbox) }
                { mode("rules", learning && breaking, Action::Lessons { rules: true }) }
            </div>
            <div class="wide-only">{ run_controls(seen, nodes, seed) }</div>
            <span class="grow"></span>
            { if seen.narrow { html! {} } else { html! { <ExportMenu ..seen.clone() /> } } }
            <button class="btn primary" data-testid="share" onclick={share}>{ words.get("share") }</button>
            <div class="seg" role="group" aria-label={words.get("language")}>
                { language(Lang::En, "EN") }{ language(Lang::Ko, "\u{d55c}") }
            </div>
            <button class="btn icon quiet" aria-label={words.get("help")} title={words.get("help")} data-testid="help" onclick={seen.desk.on(Action::Help(true))}>{ "?" }</button>
        </header>
    }
}

/// Number of nodes, seed, new run: in the head of a wide page, in a tab of a narrow one.
pub(crate) fn run_controls(seen: &Seen, nodes: u8, seed: u64) -> Html {
    let model = seen.desk.read();
    let words = &model.words;
    let changed = {
        let desk = seen.desk.clone();
        Callback::from(move |event: Event| {
            let input = event
                .target()
                .and_then(|target| target.dyn_into::<HtmlInputElement>().ok());
            if let Some(seed) = input.and_then(|input| input.value().trim().parse().ok()) {
                desk.act(Action::New { nodes, seed });
            }
        })
    };
    let fresh = {
        let desk = seen.desk.clone();
        Callback::from(move |_: MouseEvent| {
            let seed = (js_sys::Math::random() * 1_000_000.0) as u64;
            desk.act(Action::New { nodes, seed });
        })
    };
    let sized = |nodes: u8| seen.desk.on(Action::New { nodes, seed });
    html! {
        <div class="run-controls">
            <div class="seg" role="group">
                <button class="btn" disabled={nodes <= 3} aria-label={words.get("nodes-fewer")} title={words.get("nodes-fewer")} data-testid="nodes-fewer" onclick={sized(nodes.saturating_sub(1))}>{ icon(icon::MINUS) }</button>
                <output>{ words.with("nodes", &[("n", u64::from(nodes).into())]) }</output>
                <button class="btn" disabled={nodes >= 9} aria-label={words.get("nodes-more")} title={words.get("nodes-more")} data-testid="nodes-more" onclick={sized(nodes + 1)}>{ icon(icon::PLUS) }</button>
            </div>
            <label class="field"><span>{ words.get("seed") }</span><input inputmode="numeric" data-testid="seed" value={seed.to_string()} onchange={changed} /></label>
            <button class="btn" data-testid="new-run" onclick={fresh}>{ words.get("new-run") }</button>
        </div>
    }
}

//! The promises, checked after every event, and whether there is a majority.

use otterkeeper_core::sim::Invariant;
use yew::prelude::*;

use crate::desk::{Desk, Seen};
use crate::i18n::Lang;
use crate::sentence;
use crate::state::{Action, Model};
use crate::view::icon::{self, icon};
use crate::view::story::broken;

#[component]
pub(crate) fn Verdicts(seen: &Seen) -> Html {
    let model = seen.desk.read();
    let all = Invariant::ALL.iter();
    let broken: Vec<_> = all
        .filter_map(|invariant| Some((*invariant, broken(&model, *invariant)?)))
        .collect();
    let strip = Promises {
        desk: seen.desk.clone(),
        lang: model.words.lang,
        broken,
    };
    html! {
        <div class="verdicts">
            <Strip ..strip />
            <span class="grow"></span>
            { quorum(&model) }
        </div>
    }
}

/// What the strip shows: it is drawn again when one of them changes, which is seldom.
#[derive(Clone, PartialEq, Properties)]
struct Promises {
    desk: Desk,
    lang: Lang,
    /// Each with the way to where it broke, and what was seen.
    broken: Vec<(Invariant, (Action, String))>,
}

#[component]
fn Strip(promises: &Promises) -> Html {
    let model = promises.desk.read();
    let words = &model.words;
    let found = |invariant: &Invariant| {
        let mut broken = promises.broken.iter();
        broken.find(|(one, _)| one == invariant).map(|(_, how)| how)
    };
    // What is broken comes first: not all of them have room.
    let mut all: Vec<_> = Invariant::ALL
        .iter()
        .map(|invariant| (invariant, found(invariant)))
        .collect();
    all.sort_by_key(|(_, broken)| broken.is_none());
    let verdicts = all.into_iter().map(|(invariant, broken)| {
        let state = if broken.is_some() { "broken" } else { "ok" };
        let promise = sentence::promise(words, *invariant);
        let (title, go) = match broken {
            Some((way, text)) => (format!("{promise} {text}"), way.clone()),
            None => (promise, Action::Explain(*invariant)),
        };
        let spoken = words.get(if broken.is_some() { "verdict-broken" } else { "verdict-holds" });
        html! {
            <button key={invariant.name()} class="verdict" data-testid={format!("invariant-{}", invariant.name())} data-state={state} {title} onclick={promises.desk.on(go)}>
                { icon(if broken.is_some() { icon::CROSS } else { icon::TICK }) }{ sentence::invariant(words, *invariant) }<span class="sr">{ spoken }</span>
            </button>
        }
    });
    let verdicts: Vec<Html> = verdicts.collect();
    html! { <div class="all" role="group" aria-label={words.get("verdicts")}>{ verdicts }</div> }
}

fn quorum(model: &Model) -> Html {
    let sim = model.sim();
    let serves = |id| sim.node(id).is_some_and(|view| !view.is_halted()) && !sim.is_paused(id);
    let all = sim.nodes().count() as u64;
    let up = sim.nodes().filter(|id| serves(*id)).count() as u64;
    let need = all / 2 + 1;
    let key = if up < need { "quorum-lost" } else { "quorum" };
    let dots = sim
        .nodes()
        .map(|id| html! { <i key={id.0} class={serves(id).then_some("up")}></i> });
    let dots: Vec<Html> = dots.collect();
    html! {
        <span class={classes!("quorum", (up < need).then_some("lost"))} data-testid="quorum">
            <span class="dots" aria-hidden="true">{ dots }</span>
            { model.words.with(key, &[("up", up.into()), ("all", all.into()), ("need", need.into())]) }
        </span>
    }
}

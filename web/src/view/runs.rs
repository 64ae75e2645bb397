//! The courses of this run, what was done in the present one, and where to go from here. Acting in the
//! past leaves the old course in this list.

use otterkeeper_core::time::Span;
use wasm_bindgen::JsCast;
use web_sys::{HtmlInputElement, HtmlSelectElement};
use yew::prelude::*;

use crate::desk::Seen;
use crate::frame::seconds;
use crate::sentence;
use crate::state::{Action, Model, Until};
use crate::view::export::ExportMenu;
use crate::view::find::Find;
use crate::view::icon::{self, icon};

/// Deeds shown at once.
const SHOWN: usize = 60;

#[component]
pub(crate) fn Runs(seen: &Seen) -> Html {
    let model = seen.desk.read();
    let words = &model.words;
    let until = Until::ALL.into_iter().map(|until| {
        html! { <option key={until.name()} value={until.name()} selected={until == model.until}>{ until_name(&model, until) }</option> }
    });
    let until: Vec<Html> = until.collect();
    let chosen = {
        let desk = seen.desk.clone();
        Callback::from(move |event: Event| {
            let select = event
                .target()
                .and_then(|target| target.dyn_into::<HtmlSelectElement>().ok());
            let found = select.and_then(|select| {
                Until::ALL
                    .into_iter()
                    .find(|until| until.name() == select.value())
            });
            if let Some(until) = found {
                desk.act(Action::Until(until));
            }
        })
    };
    let go = {
        let desk = seen.desk.clone();
        Callback::from(move |event: KeyboardEvent| {
            let input = event
                .target()
                .and_then(|target| target.dyn_into::<HtmlInputElement>().ok());
            if event.key() == "Enter"
                && let Some(at) = input.and_then(|input| input.value().trim().parse::<f64>().ok())
            {
                desk.act(Action::GoTo(Span((at.max(0.0) * 1e6) as u64)));
            }
        })
    };
    html! {
        <section class="panel right runs" role="tabpanel" aria-label={words.get("tab-runs")}>
            <div class="goals">
                <label for="until">{ words.get("run-until") }</label>
                <select id="until" data-testid="until" onchange={chosen}>{ until }</select>
                <button class="btn" data-testid="run-until" onclick={seen.desk.on(Action::RunUntil)}>{ words.get("go") }</button>
                <label for="goto">{ words.get("go-to") }</label>
                <input id="goto" inputmode="decimal" placeholder="1.250" onkeydown={go} /><span class="unit">{ "s" }</span>
            </div>
            { if seen.narrow { html! { <ExportMenu ..seen.clone() /> } } else { html! {} } }
            <Find ..seen.clone() />
            <h3>{ words.get("runs") }</h3>
            <div class="branches">{ branches(seen, &model) }</div>
            <h3>{ words.get("bookmarks") }<span class="grow"></span>
                <button class="tiny" data-testid="bookmark" aria-label={words.get("bookmark")} title={words.get("bookmark")} onclick={seen.desk.on(Action::Bookmark)}>{ icon(icon::FLAG) }</button>
            </h3>
            { bookmarks(seen, &model) }
            <h3>{ words.get("deeds") }<span class="grow"></span>
                <button class="tiny" aria-label={words.get("tool-undo")} title={words.get("tool-undo")} disabled={model.run.deeds_done().is_empty()} onclick={seen.desk.on(Action::Undo)}>{ icon(icon::UNDO) }</button>
                <button class="tiny" data-testid="redo" aria-label={words.get("redo")} title={words.get("redo")} disabled={!model.can_redo()} onclick={seen.desk.on(Action::Redo)}>{ icon(icon::REDO) }</button>
            </h3>
            { deeds(seen, &model) }
            <h3>{ words.get("digest") }</h3>
            <p class="mono" data-testid="digest">{ if model.playing { "\u{2026}".to_owned() } else { format!("{:016x}", model.sim().digest()) } }</p>
        </section>
    }
}

fn branches(seen: &Seen, model: &Model) -> Html {
    let words = &model.words;
    model
        .run
        .branches
        .iter()
        .enumerate()
        .map(|(number, branch)| {
            let name = match branch.parent {
                None => words.get("run-main"),
                Some((parent, event)) => {
                    words.with("run-branch", &[("parent", (parent as u64 + 1).into()), ("event", event.into())])
                }
            };
            let time = format!("{:.3}", branch.end.0 as f64 / 1e6);
            let end = words.with("run-end", &[("events", branch.end_event.into()), ("time", time.into())]);
            let here = number == model.run.branch;
            html! {
                <button key={number} class={classes!("card", "branch", here.then_some("on"))} data-testid={format!("branch-{}", number + 1)} aria-pressed={here.to_string()} onclick={seen.desk.on(Action::Branch(number))}>
                    <b>{ number + 1 }</b><span>{ name }<small>{ end }</small></span>
                    { if here { html! { <span class="tag">{ words.get("run-here") }</span> } } else { html! {} } }
                </button>
            }
        })
        .collect()
}

fn bookmarks(seen: &Seen, model: &Model) -> Html {
    let words = &model.words;
    if model.bookmarks.is_empty() {
        return html! { <p class="empty">{ words.get("bookmarks-none") }</p> };
    }
    let rows = model.bookmarks.iter().enumerate().map(|(place, mark)| {
        let course = (mark.branch as u64 + 1).into();
        let text = words.with("bookmark-at", &[("course", course), ("event", mark.event.into())]);
        html! {
            <li key={place} data-testid="bookmarked">
                <button onclick={seen.desk.on(Action::GoToBookmark(place))}><time>{ seconds(mark.at.0) }</time><span>{ text }</span></button>
            </li>
        }
    });
    let rows: Vec<Html> = rows.collect();
    html! { <ol class="deeds">{ rows }</ol> }
}

fn deeds(seen: &Seen, model: &Model) -> Html {
    let words = &model.words;
    let all = &model.run.current().deeds;
    if all.is_empty() {
        return html! { <p class="empty">{ words.get("deeds-none") }</p> };
    }
    let done = model.run.deeds_done().len();
    let rows = all.iter().enumerate().rev().take(SHOWN).map(|(place, deed)| {
        html! {
            <li key={place} class={classes!((place >= done).then_some("ahead"))}>
                <button onclick={seen.desk.on(Action::GoToEvent(deed.event))}><time>{ seconds(deed.at.0) }</time><span>{ sentence::deed_text(words, &deed.what) }</span></button>
            </li>
        }
    });
    let rows: Vec<Html> = rows.collect();
    html! { <ol class="deeds">{ rows }</ol> }
}

fn until_name(model: &Model, until: Until) -> String {
    model.words.get(match until {
        Until::Leader => "until-leader",
        Until::Commit => "until-commit",
        Until::StepDown => "until-step-down",
        Until::Watch => "until-watch",
        Until::Violation => "until-violation",
    })
}

//! The courses of this run, what was done in the present one, and where to go from here. Acting in the
//! past leaves the old course in this list.

use otterkeeper_core::time::Span;
use wasm_bindgen::JsCast;
use web_sys::{HtmlInputElement, HtmlSelectElement};
use yew::prelude::*;

use crate::desk::Seen;
use crate::frame::seconds;
use crate::sentence;
use crate::state::{Action, Branch, Model, Until};
use crate::view::export::ExportMenu;
use crate::view::find::Find;
use crate::view::icon::{self, icon};
use crate::view::{compare, courses};

/// Deeds shown at once.
const SHOWN: usize = 60;

#[component]
pub(crate) fn Runs(seen: &Seen) -> Html {
    let model = seen.desk.read();
    let words = &model.words;
    let option = |until: Until| {
        html! { <option key={until.name()} value={until.name()} selected={until == model.until}>{ until_name(&model, until) }</option> }
    };
    let (kinds, turns): (Vec<Until>, Vec<Until>) =
        Until::all().partition(|until| matches!(until, Until::Sent(_)));
    let until: Vec<Html> = turns.into_iter().map(option).collect();
    let kinds: Vec<Html> = kinds.into_iter().map(option).collect();
    let chosen = {
        let desk = seen.desk.clone();
        Callback::from(move |event: Event| {
            let select = event
                .target()
                .and_then(|target| target.dyn_into::<HtmlSelectElement>().ok());
            let found =
                select.and_then(|select| Until::all().find(|until| until.name() == select.value()));
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
                <select id="until" data-testid="until" onchange={chosen}>{ until }<optgroup label={words.get("until-sent")}>{ kinds }</optgroup></select>
                <button class="btn" data-testid="run-until" onclick={seen.desk.on(Action::RunUntil)}>{ words.get("go") }</button>
                <label for="goto">{ words.get("go-to") }</label>
                <input id="goto" inputmode="decimal" placeholder="1.250" onkeydown={go} /><span class="unit">{ "s" }</span>
            </div>
            { if seen.narrow { html! { <ExportMenu ..seen.clone() /> } } else { html! {} } }
            <Find ..seen.clone() />
            <h3>{ words.get("runs") }</h3>
            { courses::courses(seen, &model) }
            <div class="branches">{ branches(seen, &model) }</div>
            { compare::compare(seen, &model) }
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
    let all = model.run.branches.iter().enumerate();
    let all = all.filter(|(_, branch)| !branch.gone);
    all.map(|(number, branch)| row(seen, model, number, branch))
        .collect()
}

fn row(seen: &Seen, model: &Model, number: usize, branch: &Branch) -> Html {
    let words = &model.words;
    let name = match (&branch.name, branch.parent) {
        (Some(name), _) => name.clone(),
        (None, None) => words.get("run-main"),
        (None, Some(left)) => words.with(
            "run-branch",
            &[
                ("parent", compare::name(model, left.branch).into()),
                ("event", left.event.into()),
            ],
        ),
    };
    let time = format!("{:.3}", branch.end.0 as f64 / 1e6);
    let end = words.with(
        "run-end",
        &[("events", branch.end_event.into()), ("time", time.into())],
    );
    let here = number == model.run.branch;
    let compared = model.compared() == Some(number);
    let other = (!compared).then_some(number);
    let beside = if here {
        let desk = seen.desk.clone();
        let renamed = Callback::from(move |event: Event| {
            let input = event
                .target()
                .and_then(|target| target.dyn_into::<HtmlInputElement>().ok());
            if let Some(input) = input {
                desk.act(Action::Name(number, input.value()));
            }
        });
        html! { <input id="branch-name" class="name" data-testid="branch-name" maxlength="40" aria-label={words.get("branch-name")} placeholder={words.get("branch-name")} value={branch.name.clone().unwrap_or_default()} onchange={renamed} /> }
    } else {
        html! {
            <>
                <button class="tiny wide" data-testid={format!("compare-{}", number + 1)} aria-pressed={compared.to_string()} onclick={seen.desk.on(Action::Compare(other))}>{ words.get("compare") }</button>
                <button class="tiny" data-testid={format!("delete-{}", number + 1)} aria-label={words.with("branch-delete", &[("name", compare::name(model, number).into())])} title={words.get("branch-delete-hint")} onclick={seen.desk.on(Action::Delete(number))}>{ icon(icon::CROSS) }</button>
            </>
        }
    };
    html! {
        <div key={number} class="branch-row">
            <button class={classes!("card", "branch", here.then_some("on"))} data-testid={format!("branch-{}", number + 1)} aria-pressed={here.to_string()} onclick={seen.desk.on(Action::Branch(number))}>
                <b>{ number + 1 }</b><span>{ name }<small>{ end }</small></span>
                { if here { html! { <span class="tag">{ words.get("run-here") }</span> } } else { html! {} } }
            </button>
            <div class="beside">{ beside }</div>
        </div>
    }
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
        Until::Sent(kind) => kind,
    })
}

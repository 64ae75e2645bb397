//! Find me a run: what can be looked for, how far the search is, and what it found.

use otterkeeper_core::scenario::Wanted;
use yew::prelude::*;

use crate::desk::Seen;
use crate::i18n::Word;
use crate::state::{Action, Job, Model};

#[component]
pub(crate) fn Find(seen: &Seen) -> Html {
    let model = seen.desk.read();
    let words = &model.words;
    let searching = match &model.jobs.now {
        Some(Job::Find(wanted, _)) => Some(*wanted),
        _ => None,
    };
    let one = |wanted: Wanted| {
        let on = searching == Some(wanted);
        html! {
            <button key={wanted.name()} class="btn" data-testid={format!("find-{}", wanted.name())} disabled={searching.is_some()} aria-busy={on.to_string()} onclick={seen.desk.on(Action::Find(wanted))}>{ name(&model, wanted) }</button>
        }
    };
    let all: Vec<Html> = Wanted::ALL.into_iter().map(one).collect();
    html! {
        <div class="find">
            <h3>{ words.get("find") }</h3>
            <p class="sub">{ words.with("find-hint", &[("n", u64::from(model.run.nodes).into())]) }</p>
            <div class="finds">{ all }</div>
            { state(seen, &model) }
        </div>
    }
}

fn state(seen: &Seen, model: &Model) -> Html {
    let words = &model.words;
    if let Some(Job::Find(_, search)) = &model.jobs.now {
        let (done, all) = search.progress();
        let drawn = [("done", Word::Number(done)), ("all", Word::Number(all))];
        let text = match search.lengths().filter(|_| search.outage().is_none()) {
            None => words.with("find-searching", &drawn),
            Some((_, left)) => words.with("find-shortening", &[("left", (left as u64).into())]),
        };
        return html! {
            <div class="working" data-testid="find-state" role="status">
                <progress max={all.to_string()} value={done.to_string()} aria-label={words.get("find")}></progress>
                <span>{ text }</span>
                <button class="btn" data-testid="cancel" onclick={seen.desk.on(Action::Cancel)}>{ words.get("cancel") }</button>
            </div>
        };
    }
    let Some(found) = model.jobs.found else {
        return html! {};
    };
    let text = match (found.lengths, found.outage_ms) {
        (None, _) => words.get("find-nothing"),
        (_, Some(ms)) => words.with("find-outage", &[("ms", ms.into())]),
        (Some((drawn, needed)), None) => words.with(
            "find-found",
            &[
                ("drawn", (drawn as u64).into()),
                ("needed", (needed as u64).into()),
            ],
        ),
    };
    let what = name(model, found.wanted);
    html! { <p class="outcome" data-testid="find-outcome" role="status"><b>{ what }</b>{ " " }{ text }</p> }
}

fn name(model: &Model, wanted: Wanted) -> String {
    model.words.get(match wanted {
        Wanted::TwoLeaders => "find-two-leaders",
        Wanted::SplitVotes => "find-split-votes",
        Wanted::Outage => "find-outage-longest",
    })
}

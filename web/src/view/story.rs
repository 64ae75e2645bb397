//! What happens, and why: the core's reasons as sentences, newest first. A click goes to the moment.

use otterkeeper_core::sim::{Invariant, What};
use yew::prelude::*;

use crate::desk::Seen;
use crate::sentence::{self, Who};
use crate::state::{Action, Model, weight};

/// Sentences shown at once.
const SHOWN: usize = 60;

#[component]
pub(crate) fn Story(seen: &Seen) -> Html {
    let model = seen.desk.read();
    let words = &model.words;
    let least = u8::from(!model.details);
    let journal = model.run.journal();
    let lines: Vec<Html> = journal
        .iter()
        .enumerate()
        .rev()
        .filter(|(_, event)| weight(&event.what) >= least)
        .take(SHOWN)
        .map(|(place, event)| {
            let weight = weight(&event.what);
            let bad = matches!(event.what, What::Violated(_) | What::Halted { .. });
            let (sign, visitor) = match sentence::who(&event.what) {
                Who::Node(id) => (id.to_string(), false),
                Who::Client(id) => (sentence::client_name(id), true),
                Who::Visitor => (words.get("you"), true),
                Who::Check => ("!".to_owned(), false),
            };
            let sign = if visitor && sign.chars().count() > 2 { "\u{2022}".to_owned() } else { sign };
            let class = classes!(term(&model, event), (weight > 1).then_some("big"), bad.then_some("bad"));
            let go = seen.desk.on(Action::GoToEvent(event.number));
            html! {
                <li key={place} {class}>
                    <button onclick={go}>
                        <span class={classes!("who", visitor.then_some("you"))} aria-hidden="true">{ sign }</span>
                        <span class="said">{ sentence::sentence(words, event) }<time>{ crate::frame::seconds(model.run.since_start(event.time).0) }</time></span>
                    </button>
                </li>
            }
        })
        .collect();
    html! {
        <section class="panel story" aria-label={words.get("story")}>
            <h2>{ words.get("story") }<span class="grow"></span>
                <label class="check"><input type="checkbox" checked={model.details} onchange={seen.desk.on(Action::Details)} />{ words.get("story-details") }</label>
            </h2>
            { if lines.is_empty() { html! { <p class="empty">{ words.get("story-empty") }</p> } } else { html! { <ol data-testid="story">{ lines }</ol> } } }
        </section>
    }
}

/// The hue of the term that a sentence is about, if it is about one.
fn term(_model: &Model, event: &otterkeeper_core::sim::Event) -> Option<String> {
    use otterkeeper_core::node::Note;
    use otterkeeper_core::raft::note::Note as Raft;
    match &event.what {
        What::Note {
            note: Note::Raft(Raft::Role { term, .. } | Raft::Voted { term, .. }),
            ..
        } => Some(format!("t{}", term.0 % 8)),
        _ => None,
    }
}

/// The newest turn of events as a sentence, for those who listen. Capped by the caller.
pub(crate) fn spoken(model: &Model) -> Option<(u64, String)> {
    let event = model
        .run
        .journal()
        .iter()
        .rev()
        .find(|event| weight(&event.what) > 1)?;
    Some((event.number, sentence::sentence(&model.words, event)))
}

/// Whether an invariant is broken at this moment, and by which event.
pub(crate) fn broken(model: &Model, invariant: Invariant) -> Option<(u64, String)> {
    let found = model
        .sim()
        .violations()
        .iter()
        .find(|violation| violation.invariant == invariant)?;
    Some((found.event, found.text.clone()))
}

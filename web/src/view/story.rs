//! What happens, and why: the core's reasons as sentences, newest first. A click goes to the moment.

use std::rc::Rc;

use otterkeeper_core::sim::linear::{Judgement, Misfit};
use otterkeeper_core::sim::{ClientEvent, ClientId, Event, Intervention, Invariant, What};
use yew::prelude::*;

use crate::command;
use crate::desk::{Desk, Seen};
use crate::i18n::{Lang, Word};
use crate::lens::Lens;
use crate::sentence::{self, Who};
use crate::state::{Action, Model, Selection, weight};

/// Sentences shown at once.
const SHOWN: usize = 60;

#[component]
pub(crate) fn Story(seen: &Seen) -> Html {
    let model = seen.desk.read();
    let words = &model.words;
    let least = u8::from(!model.details);
    let journal = model.run.journal();
    let lens = Lens::of(&model);
    let mut told: Vec<Told> = Vec::new();
    for (place, event) in journal.iter().enumerate().rev() {
        let hidden = lens.as_ref().is_some_and(|lens| !lens.tells(event));
        if weight(&event.what) < least || hidden {
            continue;
        }
        // A stroke of the scissors is one line, however many directions it cut.
        if let Some(last) = told.last_mut()
            && many(event).is_some_and(|key| many(&last.event) == Some(key))
            && last.event.time == event.time
        {
            (last.times, last.place, last.event) = (last.times + 1, place, event.clone());
            continue;
        }
        // Of a client that looks for a server, the first attempt tells that its connection is gone; the later ones
        // are counted there, unless details are wanted.
        let later = attempt(event)
            .filter(|_| !model.details)
            .and_then(|client| {
                told.iter()
                    .rposition(|one| speaker(&one.event) == Some(client))
            })
            .filter(|last| attempt(&told[*last].event).is_some())
            .map_or(0, |last| told.remove(last).times);
        if told.len() == SHOWN {
            break;
        }
        told.push(Told {
            desk: seen.desk.clone(),
            place,
            event: event.clone(),
            times: later + 1,
            lang: words.lang,
        });
    }
    let lines: Vec<Html> = told
        .into_iter()
        .map(|told| {
            let key = told.place;
            html! { <Line {key} ..told /> }
        })
        .collect();
    html! {
        <section class="panel story" aria-label={words.get("story")}>
            <h2>{ words.get("story") }<span class="grow"></span>
                <label class="check"><input type="checkbox" checked={model.details} onchange={seen.desk.on(Action::Details)} />{ words.get("story-details") }</label>
            </h2>
            { if lens.is_some() { html! { <p class="sub" data-testid="lensed">{ words.get("diagram-lens-what") }</p> } } else { html! {} } }
            { if lines.is_empty() { html! { <p class="empty">{ words.get("story-empty") }</p> } } else { html! { <ol data-testid="story">{ lines }</ol> } } }
        </section>
    }
}

/// A line of the story. It is written once and not again with each drawing of the panel.
#[derive(Clone, Properties)]
struct Told {
    desk: Desk,
    place: usize,
    event: Rc<Event>,
    /// Directions that were cut at once, or attempts to attach in a row.
    times: u64,
    lang: Lang,
}

impl PartialEq for Told {
    fn eq(&self, other: &Self) -> bool {
        (self.place, self.times, self.lang) == (other.place, other.times, other.lang)
            && Rc::ptr_eq(&self.event, &other.event)
    }
}

#[component]
fn Line(told: &Told) -> Html {
    let model = told.desk.read();
    let words = &model.words;
    let event = &told.event;
    let weight = weight(&event.what);
    let bad = matches!(event.what, What::Violated(_) | What::Halted { .. });
    let (sign, visitor) = match sentence::who(&event.what) {
        Who::Node(id) => (id.to_string(), false),
        Who::Client(id) => (sentence::client_name(id), true),
        Who::Visitor => (words.get("you"), true),
        Who::Check => ("!".to_owned(), false),
    };
    let sign = if visitor && sign.chars().count() > 2 {
        "\u{2022}".to_owned()
    } else {
        sign
    };
    let class = classes!(
        term(event),
        (weight > 1).then_some("big"),
        bad.then_some("bad")
    );
    let said = match (told.times, many(event)) {
        (1, _) => sentence::sentence(words, event),
        (times, Some(key)) => words.with(key, &[("n", Word::Count(times))]),
        (times, None) => format!("{} \u{d7}{times}", sentence::sentence(words, event)),
    };
    let (desk, number) = (told.desk.clone(), event.number);
    let lost = match event.what {
        What::Lost { flight, .. } => Some(Selection::Message(flight)),
        _ => None,
    };
    let onclick = Callback::from(move |_| {
        desk.act(Action::GoToEvent(number));
        if lost.is_some() {
            desk.act(Action::Select(lost));
        }
    });
    html! {
        <li {class}>
            <button {onclick}>
                <span class={classes!("who", visitor.then_some("you"))} aria-hidden="true">{ sign }</span>
                <span class="said">{ said }<time>{ crate::frame::seconds(model.run.since_start(event.time).0) }</time></span>
            </button>
        </li>
    }
}

/// The text of many such deeds at once, if there is one.
fn many(event: &Event) -> Option<&'static str> {
    match event.what {
        What::Intervened(Intervention::Cut { .. }) => Some("deed-cuts"),
        What::Intervened(Intervention::Clog { .. }) => Some("deed-clogs"),
        _ => None,
    }
}

/// The client that reports something.
fn speaker(event: &Event) -> Option<ClientId> {
    match event.what {
        What::Client { client, .. } => Some(client),
        _ => None,
    }
}

/// The client that reports that it is not attached any more, or again not.
fn attempt(event: &Event) -> Option<ClientId> {
    match event.what {
        What::Client {
            client,
            event: ClientEvent::Disconnected { .. },
        } => Some(client),
        _ => None,
    }
}

/// The hue of the term that a sentence is about, if it is about one.
fn term(event: &Event) -> Option<String> {
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

/// An answer that no order explains: the call as it was typed, and what it could meet.
pub(crate) fn misfit(model: &Model, why: &Misfit) -> String {
    let (sim, words) = (model.sim(), &model.words);
    let call = sim.history(why.client).find(|call| call.tag == why.tag);
    let asked = call.map(|call| command::typed(&call.request));
    sentence::misfit(words, why, &asked.unwrap_or_default())
}

/// Whether an invariant is broken at this moment: the way to the event that broke it, and what was seen.
pub(crate) fn broken(model: &Model, invariant: Invariant) -> Option<(Action, String)> {
    let violations = model.sim().violations();
    let found = violations
        .iter()
        .find(|violation| violation.invariant == invariant);
    if let Some(found) = found {
        let seen = sentence::finding(&model.words, &found.seen);
        return Some((Action::GoToEvent(found.event), seen));
    }
    // This one is judged from all calls at once, not after each event.
    match &model.judged.order {
        Judgement::Broken { at, why } if invariant == Invariant::Linearizable => {
            Some((Action::GoTo(model.run.since_start(*at)), misfit(model, why)))
        }
        _ => None,
    }
}

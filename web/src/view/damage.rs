//! The shortest damage by which a rule's promise falls: how many interventions there were, how many it takes, and a
//! way to see just those.

use yew::prelude::*;

use crate::desk::Seen;
use crate::sentence;
use crate::state::{Action, Job, Model};

/// Under what fell.
pub(crate) fn damage(seen: &Seen, model: &Model) -> Html {
    let words = &model.words;
    if let Some(Job::Lessen(lessen)) = &model.jobs.now {
        let (before, left) = lessen.lengths();
        let text = words.with(
            "damage-searching",
            &[
                ("before", (before as u64).into()),
                ("left", (left as u64).into()),
                ("runs", u64::from(lessen.runs()).into()),
            ],
        );
        return html! {
            <div class="working" data-testid="damage-state" role="status"><progress aria-label={words.get("damage")}></progress><span>{ text }</span>
                <button class="btn" data-testid="cancel" onclick={seen.desk.on(Action::Cancel)}>{ words.get("cancel") }</button>
            </div>
        };
    }
    let Some(shortest) = &model.jobs.shortest else {
        return html! { <button class="btn" data-testid="damage-find" onclick={seen.desk.on(Action::Lessen)}>{ words.get("damage-find") }</button> };
    };
    let counts = [
        ("before", (shortest.before as u64).into()),
        ("after", (shortest.after as u64).into()),
        ("from", crate::frame::seconds(shortest.spans.0.0).into()),
        ("to", crate::frame::seconds(shortest.spans.1.0).into()),
        ("nodes", u64::from(shortest.record.config.nodes).into()),
    ];
    let start = shortest.record.config.start;
    let rows = shortest.record.deeds.iter().enumerate().map(|(place, deed)| {
        let at = crate::frame::seconds(deed.time.since(start).0);
        html! { <li key={place}><time>{ at }</time><span>{ sentence::deed_text(words, &deed.intervention) }</span></li> }
    });
    let rows: Vec<Html> = rows.collect();
    html! {
        <div class="damage" data-testid="damage" data-before={shortest.before.to_string()} data-after={shortest.after.to_string()}>
            <h3>{ words.get("damage") }</h3>
            <p>{ words.with("damage-counts", &counts) }</p>
            <button class="btn primary" data-testid="damage-play" onclick={seen.desk.on(Action::PlayShortest)}>{ words.get("damage-play") }</button>
            <ol class="deeds">{ rows }</ol>
        </div>
    }
}

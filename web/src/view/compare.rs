//! Two branches beside each other, the first difference marked, and how their members stand at this moment. On the
//! stage, the ghost: what members would be without the last intervention.

use std::rc::Rc;

use otterkeeper_core::node::View;
use otterkeeper_core::sim::{Event, Sim};
use yew::prelude::*;

use crate::desk::Seen;
use crate::frame::seconds;
use crate::geometry::Ring;
use crate::sentence;
use crate::state::{Action, Model};

/// Under the list of branches.
pub(crate) fn compare(seen: &Seen, model: &Model) -> Html {
    let words = &model.words;
    let haunted = model.beside.haunted;
    let ghost = html! {
        <label class="check ghost-switch"><input type="checkbox" data-testid="ghost" checked={haunted} disabled={model.run.deeds_done().is_empty()} onchange={seen.desk.on(Action::Haunt(!haunted))} /><span>{ words.get("ghost") }</span></label>
    };
    let Some(other) = model.compared() else {
        return ghost;
    };
    let Some(parting) = model.run.parting(other) else {
        return ghost;
    };
    let number = |branch: usize| name(model, branch);
    let (ours, theirs) = (number(model.run.branch), number(other));
    html! {
        <>
            { ghost }
            <div class="compare" data-testid="compare">
                <h3>{ words.with("compare-title", &[("a", ours.clone().into()), ("b", theirs.clone().into())]) }</h3>
                <div class="sides">{ side(model, &ours, &parting.ours) }{ side(model, &theirs, &parting.theirs) }</div>
                { states(model, other, [&ours, &theirs]) }
            </div>
        </>
    }
}

/// What a branch is called.
pub(crate) fn name(model: &Model, branch: usize) -> String {
    let named = model
        .run
        .branches
        .get(branch)
        .and_then(|branch| branch.name.clone());
    named.unwrap_or_else(|| (branch + 1).to_string())
}

fn side(model: &Model, name: &str, events: &[Rc<Event>]) -> Html {
    let words = &model.words;
    let rows = events.iter().enumerate().map(|(place, event)| {
        let at = seconds(model.run.since_start(event.time).0);
        let class = (place == 0).then_some("first");
        html! { <li key={place} {class}><time>{ at }</time><span>{ sentence::sentence(words, event) }</span></li> }
    });
    let rows: Vec<Html> = rows.collect();
    let nothing = rows
        .is_empty()
        .then(|| html! { <li class="empty">{ words.get("compare-nothing") }</li> });
    html! { <div><b>{ name }</b><ol>{ rows }{ nothing }</ol></div> }
}

/// How the members stand at this moment here and there.
fn states(model: &Model, other: usize, names: [&str; 2]) -> Html {
    let words = &model.words;
    if model.playing {
        return html! { <p class="empty">{ words.get("compare-pause") }</p> };
    }
    let Some(there) = model.run.look_at(other, model.run.now()) else {
        return html! {};
    };
    let here = model.sim();
    let rows = here.nodes().map(|id| {
        let (a, b) = (stands(model, here, id.0), stands(model, &there, id.0));
        let differs = (a != b).then_some("differs");
        html! { <tr key={id.0} class={differs}><th scope="row">{ id.0 }</th><td>{ a }</td><td>{ b }</td></tr> }
    });
    let rows: Vec<Html> = rows.collect();
    html! {
        <table>
            <thead><tr><th scope="col"><span class="sr">{ words.get("tool-node") }</span></th><th scope="col">{ names[0] }</th><th scope="col">{ names[1] }</th></tr></thead>
            <tbody>{ rows }</tbody>
        </table>
    }
}

fn stands(model: &Model, sim: &Sim, id: u64) -> String {
    let words = &model.words;
    let id = otterkeeper_core::id::NodeId(id);
    let say = |view: View<'_>| {
        let role = sentence::role(words, view.role());
        let (term, commit) = (view.term().0, view.commit().0);
        words.with(
            "compare-node",
            &[
                ("role", role.into()),
                ("term", term.into()),
                ("commit", commit.into()),
            ],
        )
    };
    sim.node(id).map_or_else(|| words.get("role-down"), say)
}

/// What members would be, drawn over those that are something else.
pub(crate) fn ghosts(model: &Model, ring: Ring) -> Html {
    let Some(ghost) = model.ghost() else {
        return html! {};
    };
    let words = &model.words;
    let is = |sim: &Sim, id| {
        let view = sim.node(id);
        view.map(|view| (view.role(), view.term()))
    };
    let differ = ghost
        .nodes()
        .filter(|id| is(ghost, *id) != is(model.sim(), *id));
    let marks = differ.map(|id| {
        let at = ring.node(id.0);
        let would = match is(ghost, id) {
            Some((role, term)) => format!("{} t{}", sentence::role(words, role), term.0),
            None => words.get("role-down"),
        };
        html! {
            <g key={id.0} class="ghost" data-testid={format!("ghost-{id}")} transform={format!("translate({:.1} {:.1})", at.x, at.y)}>
                <circle r="47" /><text y="66">{ would }</text>
            </g>
        }
    });
    let marks: Vec<Html> = marks.collect();
    html! { <g class="ghosts" role="img" aria-label={words.get("ghost")}>{ marks }</g> }
}

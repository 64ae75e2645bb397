//! All nodes side by side: rows are values, and the visitor chooses which. What differs from what most nodes have is
//! marked; a value that has just changed flashes.

use wasm_bindgen::JsCast;
use web_sys::HtmlSelectElement;
use yew::prelude::*;

use crate::desk::Seen;
use crate::state::{Action, Choice, Model, Selection};
use crate::values::{RARE, VALUES, is_clock, is_common, value};

pub(crate) fn values(seen: &Seen, model: &Model) -> Html {
    let words = &model.words;
    let shown = model.choices.values_turned ^ !RARE;
    let heads = model.sim().nodes().map(|id| {
        let name = words.with("end-node", &[("node", id.0.into())]);
        html! { <th key={id.0} scope="col"><button class="pick" aria-label={name} data-testid={format!("column-{id}")} onclick={seen.desk.on(Action::Select(Some(Selection::Node(id))))}>{ id.0 }</button></th> }
    });
    let heads: Vec<Html> = heads.collect();
    let chosen = VALUES.into_iter().enumerate();
    let chosen = chosen.filter(|(place, _)| (shown >> place) & 1 == 1);
    let rows: Vec<Html> = chosen.map(|(_, key)| row(model, key)).collect();
    let boxes = VALUES.into_iter().enumerate().map(|(place, key)| {
        let on = (shown >> place) & 1 == 1;
        html! { <label {key} class="check"><input type="checkbox" data-testid={format!("row-{key}")} checked={on} onchange={seen.desk.on(Action::Choose(Choice::Row(place)))} />{ words.get(key) }</label> }
    });
    let boxes: Vec<Html> = boxes.collect();
    html! {
        <>
            <div class="title">{ words.get("overview") }</div>
            <div class="wide" tabindex="0" role="region" aria-label={words.get("overview")}>
                <table class="grid values">
                    <thead><tr><th scope="col">{ words.get("tool-node") }</th>{ heads }</tr></thead>
                    <tbody>{ rows }</tbody>
                </table>
            </div>
            <details><summary>{ words.get("values-rows") }</summary><div class="boxes">{ boxes }</div></details>
            { on_stage(seen, model) }
            <p class="empty">{ words.get("inspect-none") }</p>
        </>
    }
}

fn row(model: &Model, key: &'static str) -> Html {
    let words = &model.words;
    let texts: Vec<Option<String>> = model
        .sim()
        .nodes()
        .map(|id| value(model, id, key))
        .collect();
    let known: Vec<&String> = texts.iter().flatten().collect();
    let times = |text: &String| known.iter().filter(|one| **one == text).count();
    // What most have; of two that as many have, the first.
    let usual = known.iter().rev().max_by_key(|text| times(text));
    let mut differs = false;
    let cells = texts.iter().zip(model.sim().nodes()).map(|(text, id)| {
        let odd = is_common(key) && text.as_ref().is_some_and(|text| usual != Some(&text));
        differs |= odd;
        // Another value is another element, so that a change flashes; what runs with the clock does not.
        let text = text.clone().unwrap_or_else(|| "\u{2013}".to_owned());
        let element = if is_clock(key) { key.to_owned() } else { text.clone() };
        html! { <td key={id.0} class={odd.then_some("odd")}><span key={element} class="changed">{ text }</span></td> }
    });
    let cells: Vec<Html> = cells.collect();
    let mark = differs.then(|| html! { <b title={words.get("values-differ")}><span aria-hidden="true">{ "\u{2260}" }</span><span class="sr">{ words.get("values-differ") }</span></b> });
    html! { <tr {key} data-testid={format!("value-of-{key}")} data-differs={differs.to_string()}><th scope="row">{ words.get(key) }{ for mark }</th>{ cells }</tr> }
}

/// Which value stands below each node on the stage.
fn on_stage(seen: &Seen, model: &Model) -> Html {
    let words = &model.words;
    let desk = seen.desk.clone();
    let choose = Callback::from(move |event: Event| {
        let target = event
            .target()
            .and_then(|target| target.dyn_into::<HtmlSelectElement>().ok());
        if let Some(select) = target {
            let place = usize::try_from(select.selected_index()).unwrap_or(0);
            desk.act(Action::Choose(Choice::OnStage(place)));
        }
    });
    let options = ["fact-none"].into_iter().chain(VALUES).enumerate();
    let options = options.map(|(place, key)| html! { <option {key} selected={model.choices.on_stage == place}>{ words.get(key) }</option> });
    let options: Vec<Html> = options.collect();
    html! { <label class="goals stage-value">{ words.get("values-stage") }<select data-testid="stage-value" onchange={choose}>{ options }</select></label> }
}

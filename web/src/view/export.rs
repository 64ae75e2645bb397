//! The menu of what the run can be saved as, and the way back: opening a file.

use wasm_bindgen::JsCast;
use yew::prelude::*;

use crate::desk::Seen;
use crate::export::{self, Form};
use crate::state::Action;

#[component]
pub(crate) fn ExportMenu(seen: &Seen) -> Html {
    let model = seen.desk.read();
    let words = &model.words;
    let open = model.menu;
    let toggle = {
        let desk = seen.desk.clone();
        Callback::from(move |_: MouseEvent| {
            desk.act(Action::Menu(!open));
            if !open {
                crate::keys::later("export-first");
            }
        })
    };
    html! {
        <div class="menu" onkeydown={moved(seen)}>
            <button id="export-button" class="btn" data-testid="export" aria-haspopup="menu" aria-expanded={open.to_string()} onclick={toggle}>{ words.get("export") }</button>
            { if open { items(seen) } else { html! {} } }
        </div>
    }
}

fn items(seen: &Seen) -> Html {
    let model = seen.desk.read();
    let words = &model.words;
    let item = |form: Form| {
        let desk = seen.desk.clone();
        let save = Callback::from(move |_: MouseEvent| export::save(&desk, form));
        let (name, hint) = match form {
            Form::Trace => ("export-trace", "export-trace-hint"),
            Form::Scenario => ("export-scenario", "export-scenario-hint"),
            Form::Rust => ("export-rust", "export-rust-hint"),
            Form::Perfetto => ("export-perfetto", "export-perfetto-hint"),
            Form::ShiViz => ("export-shiviz", "export-shiviz-hint"),
            Form::Lanes => ("export-lanes", "export-lanes-hint"),
            Form::Svg => ("export-svg", "export-svg-hint"),
        };
        let id = (form == Form::ALL[0]).then_some("export-first");
        html! {
            <button key={form.name()} {id} role="menuitem" data-testid={format!("export-{}", form.name())} onclick={save}><b>{ words.get(name) }</b><small>{ words.get(hint) }</small></button>
        }
    };
    let all: Vec<Html> = Form::ALL.into_iter().map(item).collect();
    let picked = {
        let desk = seen.desk.clone();
        Callback::from(move |event: Event| export::picked(&desk, &event))
    };
    let pick = Callback::from(|_: MouseEvent| {
        let input = crate::frame::element("import-file");
        if let Some(input) = input.and_then(|input| input.dyn_into::<web_sys::HtmlElement>().ok()) {
            input.click();
        }
    });
    html! {
        <>
            <button class="behind" tabindex="-1" aria-hidden="true" onclick={seen.desk.on(Action::Menu(false))}></button>
            <div class="menu-items" role="menu" aria-label={words.get("export")}>
                { all }
                <button role="menuitem" class="apart" data-testid="import" onclick={pick}><b>{ words.get("import") }</b><small>{ words.get("import-hint") }</small></button>
            </div>
            <input id="import-file" class="sr" type="file" tabindex="-1" aria-label={words.get("import")} data-testid="import-file" onchange={picked} />
        </>
    }
}

/// Up and down go from item to item, Escape closes.
fn moved(seen: &Seen) -> Callback<KeyboardEvent> {
    let desk = seen.desk.clone();
    Callback::from(move |event: KeyboardEvent| {
        let key = event.key();
        let up = match key.as_str() {
            "ArrowDown" => false,
            "ArrowUp" => true,
            "Escape" if desk.read().menu => {
                event.stop_propagation();
                desk.act(Action::Menu(false));
                crate::keys::focus("export-button");
                return;
            }
            _ => return,
        };
        event.prevent_default();
        event.stop_propagation();
        let document = web_sys::window().and_then(|window| window.document());
        let Some(document) = document else { return };
        let Ok(items) = document.query_selector_all(".menu-items [role=menuitem]") else {
            return;
        };
        let count = items.length();
        let focused = document.active_element();
        let here = (0..count).find(|place| {
            let item = items.item(*place);
            item.is_some_and(|item| {
                focused
                    .as_ref()
                    .is_some_and(|focused| item.is_same_node(Some(focused)))
            })
        });
        let next = match (here, up) {
            (Some(here), false) => (here + 1) % count.max(1),
            (Some(here), true) => (here + count - 1) % count.max(1),
            (None, _) => 0,
        };
        let next = items
            .item(next)
            .and_then(|item| item.dyn_into::<web_sys::HtmlElement>().ok());
        if let Some(next) = next {
            let _ = next.focus();
        }
    })
}

//! A field in which something is looked for.

use wasm_bindgen::JsCast;
use web_sys::HtmlInputElement;
use yew::prelude::*;

use crate::desk::Seen;
use crate::state::Action;

/// The field; its key is that of its name too.
pub(crate) fn filter(
    seen: &Seen,
    key: &'static str,
    value: &str,
    act: fn(String) -> Action,
) -> Html {
    let desk = seen.desk.clone();
    let input = Callback::from(move |event: InputEvent| {
        let input = event
            .target()
            .and_then(|target| target.dyn_into::<HtmlInputElement>().ok());
        if let Some(input) = input {
            desk.act(act(input.value()));
        }
    });
    let name = seen.desk.read().words.get(key);
    html! { <span class="field find"><input type="search" data-testid={key} aria-label={name.clone()} placeholder={name} value={value.to_owned()} oninput={input} /></span> }
}

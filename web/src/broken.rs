//! What the page says when it breaks itself: a panic, or no memory left. Then nothing in here runs any more, so
//! the sentence is kept ready in the document, with a link to the run as it was after the visitor's last act;
//! the script of `index.html` shows it.

use wasm_bindgen::JsValue;

use crate::frame::element;
use crate::share::Recipe;
use crate::state::Model;

/// Tells the console why, which a panic in wasm does not do by itself.
pub(crate) fn tell_console() {
    std::panic::set_hook(Box::new(|panic| {
        web_sys::console::error_1(&JsValue::from_str(&panic.to_string()));
    }));
}

/// Keeps the sentence and the link ready.
pub(crate) fn prepare(model: &Model) {
    // Elements and their texts go by one name.
    for name in ["broken-why", "broken-again"] {
        if let Some(element) = element(name) {
            element.set_text_content(Some(&model.words.get(name)));
        }
    }
    if let Some(again) = element("broken-again") {
        // If attributes cannot be set, the page has other troubles.
        let _ = again.set_attribute("href", &Recipe::unsealed(model).fragment());
    }
}

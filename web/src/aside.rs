//! What a browser does beside the page, and not at once: `www/aside.js`, which calls back.

use wasm_bindgen::prelude::*;

#[wasm_bindgen(raw_module = "./aside.js")]
extern "C" {
    /// Calls back with the bytes deflated, or with `undefined` where the browser cannot.
    pub(crate) fn deflate(bytes: &[u8], done: &JsValue);
    /// Calls back with what was deflated: `undefined` if it is damaged, `null` if it is more than `most` bytes.
    pub(crate) fn inflate(bytes: &[u8], most: u32, done: &JsValue);
    /// Calls back with the address of the page of another core, if it is kept beside this one, and then only.
    pub(crate) fn seek(core: &str, done: &JsValue);
    /// Has `load` called with the bytes that the window hands over which opened this one or embeds it.
    pub(crate) fn hear(load: &JsValue);
    /// Writes to the clipboard, and calls back with whether the browser let it.
    pub(crate) fn copy(text: &str, done: &JsValue);
}

/// A function that is called back once.
pub(crate) fn once(done: impl FnOnce(JsValue) + 'static) -> JsValue {
    Closure::once_into_js(done)
}

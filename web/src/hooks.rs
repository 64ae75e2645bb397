//! `window.otterkeeper`: the page's model for tests and for people in the console.

use js_sys::{Object, Reflect, Uint8Array};
use otterkeeper_core::scenario::Record;
use otterkeeper_core::scenario::export::Export;
use otterkeeper_core::time::Span;
use wasm_bindgen::JsValue;
use wasm_bindgen::closure::Closure;

use crate::aside;
use crate::desk::Desk;
use crate::export::{self, Form};
use crate::state::{Action, Until};

pub(crate) fn expose(desk: &Desk) {
    let page = Object::new();
    let set = |name: &str, function: JsValue| {
        let _ = Reflect::set(&page, &name.into(), &function);
    };
    let held = desk.clone();
    set(
        "digest",
        Closure::<dyn Fn() -> String>::new(move || format!("{:016x}", held.read().sim().digest()))
            .into_js_value(),
    );
    let held = desk.clone();
    set(
        "now",
        Closure::<dyn Fn() -> f64>::new(move || held.read().run.now().0 as f64).into_js_value(),
    );
    let held = desk.clone();
    set(
        "events",
        Closure::<dyn Fn() -> f64>::new(move || held.read().sim().events() as f64).into_js_value(),
    );
    let held = desk.clone();
    let seek = move |us: f64| {
        held.act(Action::Play(false));
        held.act(Action::GoTo(Span(us.max(0.0) as u64)));
        held.read().run.now().0 as f64
    };
    set(
        "seek",
        Closure::<dyn Fn(f64) -> f64>::new(seek).into_js_value(),
    );
    let held = desk.clone();
    let run_until = move |condition: String| {
        let until = Until::all().find(|until| until.name() == condition);
        let reached = until.is_some_and(|until| held.write().run_until(until));
        held.act(Action::Told);
        reached
    };
    set(
        "runUntil",
        Closure::<dyn Fn(String) -> bool>::new(run_until).into_js_value(),
    );
    let held = desk.clone();
    let load = move |bytes: Uint8Array| export::load(&held, &bytes).is_none();
    set(
        "load",
        Closure::<dyn Fn(Uint8Array) -> bool>::new(load).into_js_value(),
    );
    let held = desk.clone();
    // The page's own file as bytes, everything else as text; at once, however long the run is.
    let export = move |form: Option<String>| -> JsValue {
        let form = form.and_then(|name| Form::ALL.into_iter().find(|form| form.name() == name));
        let form = form.unwrap_or(Form::Trace);
        let model = held.read();
        let text = match form.kind() {
            Some(kind) => {
                let mut export = Export::new(kind, Record::of(model.sim()));
                while !export.advance(u64::from(u32::MAX)) {}
                export.finish()
            }
            None => {
                let bytes = export::at_once(&model, form);
                if form == Form::Trace {
                    return Uint8Array::from(bytes.as_slice()).into();
                }
                String::from_utf8_lossy(&bytes).into_owned()
            }
        };
        text.into()
    };
    set(
        "export",
        Closure::<dyn Fn(Option<String>) -> JsValue>::new(export).into_js_value(),
    );
    let held = desk.clone();
    set(
        "shown",
        Closure::<dyn Fn() -> bool>::new(move || held.is_shown()).into_js_value(),
    );
    // Bytes of the module's memory, which never becomes smaller.
    let memory = || {
        let memory = wasm_bindgen::memory();
        let buffer = Reflect::get(&memory, &"buffer".into()).ok();
        let length = buffer.and_then(|buffer| Reflect::get(&buffer, &"byteLength".into()).ok());
        length
            .and_then(|length| length.as_f64())
            .unwrap_or_default()
    };
    set(
        "memory",
        Closure::<dyn Fn() -> f64>::new(memory).into_js_value(),
    );
    if let Some(window) = web_sys::window() {
        let _ = Reflect::set(&window, &"otterkeeper".into(), &page);
    }
    let held = desk.clone();
    let load = move |bytes: Uint8Array| {
        let wrong = export::load(&held, &bytes)?;
        Some(held.read().words.get(wrong))
    };
    let load = Closure::<dyn Fn(Uint8Array) -> Option<String>>::new(load);
    aside::hear(&load.into_js_value());
}

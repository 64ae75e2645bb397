//! `window.otterkeeper`: the page's model for tests and for people in the console.

use js_sys::{Object, Reflect, Uint8Array};
use otterkeeper_core::time::Span;
use wasm_bindgen::JsValue;
use wasm_bindgen::closure::Closure;

use crate::desk::Desk;
use crate::share::Recipe;
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
        let until = Until::ALL
            .into_iter()
            .find(|until| until.name() == condition);
        let reached = until.is_some_and(|until| held.write().run_until(until));
        held.act(Action::Told);
        reached
    };
    set(
        "runUntil",
        Closure::<dyn Fn(String) -> bool>::new(run_until).into_js_value(),
    );
    let held = desk.clone();
    let load = move |bytes: Uint8Array| {
        let read = Recipe::from_bytes(&bytes.to_vec());
        let good = read.is_ok();
        match read {
            Ok(recipe) => recipe.play(&mut held.write()),
            Err(key) => held.write().refuse(key),
        }
        held.act(Action::Told);
        good
    };
    set(
        "load",
        Closure::<dyn Fn(Uint8Array) -> bool>::new(load).into_js_value(),
    );
    let held = desk.clone();
    let export = move || Uint8Array::from(Recipe::of(&held.read()).to_bytes().as_slice());
    set(
        "export",
        Closure::<dyn Fn() -> Uint8Array>::new(export).into_js_value(),
    );
    if let Some(window) = web_sys::window() {
        let _ = Reflect::set(&window, &"otterkeeper".into(), &page);
    }
}

//! The Otterkeeper playground: a whole cluster of the real core in a page, with no server behind it.

mod app;
mod aside;
mod broken;
mod command;
mod desk;
mod diagram;
mod export;
mod frame;
mod geometry;
mod hooks;
mod i18n;
mod keys;
mod kind;
mod lens;
mod rows;
mod sentence;
mod shape;
mod share;
mod state;
mod values;
mod view;

fn main() {
    broken::tell_console();
    let root = web_sys::window()
        .and_then(|window| window.document())
        .and_then(|document| document.get_element_by_id("app"));
    if let Some(root) = root {
        yew::Renderer::<app::App>::with_root(root).render();
    }
}

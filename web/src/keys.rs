//! The keyboard. Keys act on the page unless somebody is typing.

use otterkeeper_core::id::NodeId;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{HtmlElement, KeyboardEvent};

use crate::desk::Desk;
use crate::state::{Action, Deal, Model, Selection, Tab};
use crate::{app, frame};

pub(crate) fn listen(desk: &Desk) {
    let desk = desk.clone();
    let closure =
        Closure::<dyn Fn(KeyboardEvent)>::new(move |event: KeyboardEvent| pressed(&desk, &event));
    if let Some(document) = web_sys::window().and_then(|window| window.document()) {
        let _ =
            document.add_event_listener_with_callback("keydown", closure.as_ref().unchecked_ref());
    }
    closure.forget();
}

fn pressed(desk: &Desk, event: &KeyboardEvent) {
    let target = event
        .target()
        .and_then(|target| target.dyn_into::<web_sys::Element>().ok());
    let name = target
        .as_ref()
        .map(|target| target.tag_name().to_ascii_lowercase())
        .unwrap_or_default();
    let key = event.key();
    if matches!(name.as_str(), "input" | "select" | "textarea") {
        let range = target
            .as_ref()
            .and_then(|target| target.get_attribute("type"))
            .is_some_and(|kind| kind == "range" || kind == "checkbox");
        if key == "Escape"
            && let Some(field) = target.and_then(|target| target.dyn_into::<HtmlElement>().ok())
        {
            let _ = field.blur();
        }
        if !range || matches!(key.as_str(), " " | "Home" | "End") || key.starts_with("Arrow") {
            return;
        }
    }
    if event.meta_key() || event.alt_key() {
        return;
    }
    let on_button = matches!(name.as_str(), "button" | "a");
    let action = if event.ctrl_key() {
        match key.as_str() {
            "z" => Some(Action::Undo),
            "y" => Some(Action::Redo),
            _ => None,
        }
    } else {
        plain(
            desk,
            &key,
            event.shift_key(),
            event.code().as_str(),
            on_button,
        )
    };
    let Some(action) = action else { return };
    event.prevent_default();
    let moved = matches!(action, Action::Select(Some(Selection::Node(_))));
    desk.act(action);
    if moved && let Some(id) = desk.read().target() {
        focus(&format!("node-{id}"));
    }
}

fn plain(desk: &Desk, key: &str, shift: bool, code: &str, on_button: bool) -> Option<Action> {
    let model = desk.read();
    // Whoever speaks to the machine, or strikes keys by accident, can do without (WCAG 2.1.4).
    if model.keyless && key.chars().count() == 1 {
        return None;
    }
    Some(match key {
        " " if on_button => return None,
        " " => Action::Toggle,
        "." if shift => Action::Interesting(true),
        ">" => Action::Interesting(true),
        "<" => Action::Interesting(false),
        "." => Action::StepForward,
        "," => Action::StepBack,
        "[" => Action::Speed(model.speed - 1),
        "]" => Action::Speed(model.speed + 1),
        "Home" => Action::Start,
        "End" => Action::Newest,
        "?" => Action::Help(!model.help),
        "/" => {
            drop(model);
            desk.act(Action::Tab(Tab::Clients));
            later("command");
            return Some(Action::Tab(Tab::Clients));
        }
        "Escape" if model.menu => Action::Menu(false),
        "Escape" if model.help => Action::Help(false),
        "Escape" if model.scissors => Action::Scissors,
        "Escape" if model.notice.is_some() => Action::Dismiss,
        "Escape" => Action::Select(None),
        "ArrowLeft" | "ArrowUp" if on_messages(&model) => Action::NextMessage(false),
        "ArrowRight" | "ArrowDown" if on_messages(&model) => Action::NextMessage(true),
        "ArrowLeft" | "ArrowUp" | "ArrowRight" | "ArrowDown" => return neighbour(desk, key),
        digit if digit.len() == 1 && digit.as_bytes()[0].is_ascii_digit() && digit != "0" => {
            let id = u64::from(digit.as_bytes()[0] - b'0');
            if id > u64::from(model.run.nodes) {
                return None;
            }
            Action::Select(Some(Selection::Node(NodeId(id))))
        }
        // Letters by their place on the keyboard too, so that they work while Hangul is being typed.
        _ => match if key.len() == 1 {
            key.to_ascii_lowercase()
        } else {
            code.trim_start_matches("Key").to_ascii_lowercase()
        }
        .as_str()
        {
            "u" => Action::RunUntil,
            "g" => {
                later("goto");
                Action::Tab(Tab::Runs)
            }
            "j" => Action::NextMessage(!shift),
            "f" => {
                later("branch-name");
                Action::Tab(Tab::Runs)
            }
            "k" => Action::KillOrRestart,
            "p" => Action::Pause,
            "i" => Action::Isolate,
            "c" if shift => {
                later("matrix");
                Action::Tab(Tab::Network)
            }
            "c" => Action::Scissors,
            "h" => Action::HealAll,
            "t" => Action::Campaign,
            "r" => Action::Write,
            "x" => Action::Message(Deal::Drop),
            "d" => Action::Message(Deal::Delay),
            "w" => Action::Message(Deal::Duplicate),
            "n" => Action::Message(Deal::Now),
            "m" => Action::Mute,
            "v" => Action::Diagram,
            "b" => Action::Bookmark,
            "s" => {
                drop(model);
                app::share(desk);
                return None;
            }
            _ => return None,
        },
    })
}

/// Whether arrows go from message to message: one is selected, or the Tab key has come to them.
fn on_messages(model: &Model) -> bool {
    let focused = web_sys::window()
        .and_then(|window| window.document())
        .and_then(|document| document.active_element())
        .is_some_and(|element| element.id() == "messages");
    focused || matches!(model.selection, Some(Selection::Message(_)))
}

/// The nearest node in the direction of an arrow.
fn neighbour(desk: &Desk, key: &str) -> Option<Action> {
    let model = desk.read();
    let ring = crate::geometry::Ring::new(model.run.nodes, false);
    let Some(from) = model.target() else {
        return Some(Action::Select(Some(Selection::Node(NodeId(1)))));
    };
    let here = ring.node(from.0);
    let ahead = |id: &u64| {
        let there = ring.node(*id);
        let (dx, dy) = (there.x - here.x, there.y - here.y);
        let (along, aside) = match key {
            "ArrowLeft" => (-dx, dy),
            "ArrowRight" => (dx, dy),
            "ArrowUp" => (-dy, dx),
            _ => (dy, dx),
        };
        (along > 1.0).then_some(along + 2.0 * aside.abs())
    };
    let nearest = (1..=u64::from(model.run.nodes))
        .filter_map(|id| ahead(&id).map(|distance| (distance, id)))
        .min_by(|a, b| a.0.total_cmp(&b.0))?;
    Some(Action::Select(Some(Selection::Node(NodeId(nearest.1)))))
}

/// Focuses an element once the page has been drawn.
pub(crate) fn later(id: impl Into<String>) {
    let id = id.into();
    gloo_timers::callback::Timeout::new(30, move || focus(&id)).forget();
}

pub(crate) fn focus(id: &str) {
    let found = frame::element(id);
    if let Some(element) = found {
        // SVG elements are focusable too, but are no HtmlElement.
        let focus = js_sys::Reflect::get(&element, &"focus".into())
            .ok()
            .and_then(|focus| focus.dyn_into::<js_sys::Function>().ok());
        if let Some(focus) = focus {
            let _ = focus.call0(&element);
        }
    }
}

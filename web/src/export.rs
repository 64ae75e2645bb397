//! What leaves the page as a file, and what is dropped on it. The core writes runs; only the picture of the stage is
//! made here, because only the page has one.

use core::fmt::Write as _;

use js_sys::{Array, Uint8Array};
use otterkeeper_core::scenario::Record;
use otterkeeper_core::scenario::export::{Kind, rust_test};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{
    Blob, BlobPropertyBag, DragEvent, Element, Event, File, HtmlElement, HtmlInputElement, Url,
    XmlSerializer,
};

use crate::desk::Desk;
use crate::share::Recipe;
use crate::state::{Action, Model};

/// What a run, or the picture of it, can be saved as.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Form {
    Trace,
    Scenario,
    Rust,
    Perfetto,
    ShiViz,
    Lanes,
    Svg,
}

impl Form {
    pub(crate) const ALL: [Self; 7] = [
        Self::Trace,
        Self::Scenario,
        Self::Rust,
        Self::Perfetto,
        Self::ShiViz,
        Self::Lanes,
        Self::Svg,
    ];

    /// As tests and the console call it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Scenario => "scenario",
            Self::Rust => "rust",
            Self::Perfetto => "perfetto",
            Self::ShiViz => "shiviz",
            Self::Lanes => "lanes",
            Self::Svg => "svg",
        }
    }

    /// The end of its file's name.
    const fn ending(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Scenario => "scenario",
            Self::Rust => "rs",
            Self::Perfetto => "json",
            Self::ShiViz => "log",
            Self::Lanes | Self::Svg => "svg",
        }
    }

    const fn mime(self) -> &'static str {
        match self {
            Self::Trace => "application/octet-stream",
            Self::Perfetto => "application/json",
            Self::Lanes | Self::Svg => "image/svg+xml",
            Self::Scenario | Self::Rust | Self::ShiViz => "text/plain",
        }
    }

    /// For what the run has to be executed again.
    pub(crate) const fn kind(self) -> Option<Kind> {
        match self {
            Self::Perfetto => Some(Kind::Perfetto),
            Self::ShiViz => Some(Kind::ShiViz),
            Self::Lanes => Some(Kind::Lanes),
            _ => None,
        }
    }
}

/// Saves the run as a file; what takes longer than a frame is begun.
pub(crate) fn save(desk: &Desk, form: Form) {
    if form.kind().is_some() {
        desk.act(Action::Save(form));
        return;
    }
    let bytes = at_once(&desk.read(), form);
    desk.act(Action::Menu(false));
    download(&desk.read(), form, &bytes);
}

/// What needs no run to be executed again.
pub(crate) fn at_once(model: &Model, form: Form) -> Vec<u8> {
    let record = || Record::of(model.sim());
    match form {
        Form::Trace => Recipe::of(model).to_bytes(),
        Form::Scenario => record().script().into_bytes(),
        Form::Rust => rust_test(&record()).into_bytes(),
        Form::Svg => picture().unwrap_or_default().into_bytes(),
        Form::Perfetto | Form::ShiViz | Form::Lanes => Vec::new(),
    }
}

/// Has the browser save bytes.
pub(crate) fn download(model: &Model, form: Form, bytes: &[u8]) {
    let run = &model.run;
    let name = format!(
        "otterkeeper-{}-{}-{}.{}",
        run.nodes,
        run.seed,
        model.sim().events(),
        form.ending()
    );
    let parts = Array::of1(&Uint8Array::from(bytes));
    let bag = BlobPropertyBag::new();
    bag.set_type(form.mime());
    let Ok(blob) = Blob::new_with_u8_array_sequence_and_options(&parts, &bag) else {
        return;
    };
    let Ok(url) = Url::create_object_url_with_blob(&blob) else {
        return;
    };
    let link = web_sys::window()
        .and_then(|window| window.document())
        .and_then(|document| document.create_element("a").ok())
        .and_then(|link| link.dyn_into::<HtmlElement>().ok());
    if let Some(link) = link {
        let _ = link.set_attribute("href", &url);
        let _ = link.set_attribute("download", &name);
        link.click();
    }
    // The browser has read it by then.
    gloo_timers::callback::Timeout::new(10_000, move || {
        let _ = Url::revoke_object_url(&url);
    })
    .forget();
}

/// Files dropped on the page are opened.
pub(crate) fn listen(desk: &Desk) {
    let Some(window) = web_sys::window() else {
        return;
    };
    let over = Closure::<dyn Fn(Event)>::new(|event: Event| event.prevent_default());
    let desk = desk.clone();
    let drop = Closure::<dyn Fn(DragEvent)>::new(move |event: DragEvent| {
        event.prevent_default();
        let files = event.data_transfer().and_then(|data| data.files());
        if let Some(file) = files.and_then(|files| files.get(0)) {
            open(&desk, &file);
        }
    });
    for (name, listener) in [
        ("dragover", over.into_js_value()),
        ("drop", drop.into_js_value()),
    ] {
        let _ = window.add_event_listener_with_callback(name, listener.unchecked_ref());
    }
}

/// Opens the file that was picked.
pub(crate) fn picked(desk: &Desk, event: &Event) {
    let input = event
        .target()
        .and_then(|target| target.dyn_into::<HtmlInputElement>().ok());
    let Some(input) = input else { return };
    if let Some(file) = input.files().and_then(|files| files.get(0)) {
        open(desk, &file);
    }
    // The same file can be picked once more.
    input.set_value("");
}

fn open(desk: &Desk, file: &File) {
    // Nobody reads what would be refused anyway.
    if Recipe::FILE < file.size() as usize {
        desk.write().refuse("link-too-long");
        desk.act(Action::Menu(false));
        return;
    }
    let desk = desk.clone();
    let read = Closure::once_into_js(move |bytes: JsValue| {
        load(&desk, &Uint8Array::new(&bytes));
    });
    let promise: JsValue = file.array_buffer().into();
    let then = js_sys::Reflect::get(&promise, &"then".into())
        .ok()
        .and_then(|then| then.dyn_into::<js_sys::Function>().ok());
    if let Some(then) = then {
        let _ = then.call1(&promise, &read);
    }
}

/// Opens what a file holds, and gives the key of the sentence that says what is wrong with it.
pub(crate) fn load(desk: &Desk, bytes: &Uint8Array) -> Option<&'static str> {
    // Nobody copies what would be refused anyway.
    let read = match Recipe::FILE < bytes.length() as usize {
        true => Err("link-too-long"),
        false => Recipe::from_file(&bytes.to_vec()),
    };
    let wrong = read.as_ref().err().copied();
    desk.write().elder = None;
    match read {
        Ok(recipe) => recipe.play(&mut desk.write()),
        Err(key) => desk.write().refuse(key),
    }
    desk.act(Action::Menu(false));
    wrong
}

/// What each shape of the picture looks like, written into it.
const LOOK: [&str; 15] = [
    "fill",
    "fill-opacity",
    "stroke",
    "stroke-width",
    "stroke-dasharray",
    "stroke-dashoffset",
    "stroke-linecap",
    "stroke-linejoin",
    "stroke-opacity",
    "opacity",
    "font-family",
    "font-size",
    "font-weight",
    "text-anchor",
    "letter-spacing",
];

/// The stage as a picture that needs no style sheet.
fn picture() -> Option<String> {
    let window = web_sys::window()?;
    let stage = window.document()?.query_selector("svg.stage").ok()??;
    let copy = stage.clone_node_with_deep(true).ok()?;
    let copy = copy.dyn_into::<Element>().ok()?;
    let (shown, copies) = (
        stage.query_selector_all("*").ok()?,
        copy.query_selector_all("*").ok()?,
    );
    for place in 0..shown.length() {
        let (Some(from), Some(to)) = (shown.item(place), copies.item(place)) else {
            continue;
        };
        let (Ok(from), Ok(to)) = (from.dyn_into::<Element>(), to.dyn_into::<Element>()) else {
            continue;
        };
        let look = window.get_computed_style(&from).ok()??;
        let value = |name: &str| look.get_property_value(name).unwrap_or_default();
        if value("display") == "none" || value("visibility") == "hidden" {
            to.remove();
            continue;
        }
        let group = from.child_element_count() > 0;
        let mut style = String::new();
        for name in LOOK {
            let value = value(name);
            // Groups pass on what they look like; only how much of them shines through is their own.
            let shown = if name == "opacity" {
                value != "1"
            } else {
                !group
            };
            if shown && !value.is_empty() {
                let _ = write!(style, "{name}:{};", colour(&value));
            }
        }
        for name in ["class", "tabindex", "role", "aria-pressed", "data-testid"] {
            let _ = to.remove_attribute(name);
        }
        if !style.is_empty() {
            let _ = to.set_attribute("style", &style);
        }
    }
    let ground = window
        .get_computed_style(&stage.parent_element()?)
        .ok()??
        .get_property_value("--stage-in")
        .unwrap_or_default();
    let _ = copy.set_attribute("xmlns", "http://www.w3.org/2000/svg");
    let _ = copy.set_attribute("style", &format!("background:{}", colour(ground.trim())));
    let _ = copy.remove_attribute("class");
    XmlSerializer::new().ok()?.serialize_to_string(&copy).ok()
}

/// A colour as every reader of pictures knows it. Browsers give ours back in the space in which the style sheet has
/// them (Ottosson's Oklab).
fn colour(text: &str) -> String {
    let space = ["oklch(", "oklab("]
        .into_iter()
        .find(|space| text.starts_with(space));
    let Some(space) = space else {
        return text.to_owned();
    };
    let inside = text[space.len()..].trim_end_matches(')').replace('/', " ");
    let numbers = inside.split_whitespace().map(|number| {
        let (number, part) = match number.strip_suffix('%') {
            Some(number) => (number, 0.01),
            None => (number, 1.0),
        };
        number.parse::<f64>().unwrap_or_default() * part
    });
    let numbers: Vec<f64> = numbers.collect();
    let [light, mut a, mut b] = [0, 1, 2].map(|place| numbers.get(place).copied().unwrap_or(0.0));
    if space == "oklch(" {
        let (sin, cos) = b.to_radians().sin_cos();
        (a, b) = (a * cos, a * sin);
    }
    let l = (light + 0.396_337_777_4 * a + 0.215_803_757_3 * b).powi(3);
    let m = (light - 0.105_561_345_8 * a - 0.063_854_172_8 * b).powi(3);
    let s = (light - 0.089_484_177_5 * a - 1.291_485_548 * b).powi(3);
    let linear = [
        4.076_741_662_1 * l - 3.307_711_591_3 * m + 0.230_969_929_2 * s,
        -1.268_438_004_6 * l + 2.609_757_401_1 * m - 0.341_319_396_5 * s,
        -0.004_196_086_3 * l - 0.703_418_614_7 * m + 1.707_614_701 * s,
    ];
    let byte = |part: f64| {
        let part = part.clamp(0.0, 1.0);
        let curved = if part <= 0.003_130_8 {
            part * 12.92
        } else {
            1.055 * part.powf(1.0 / 2.4) - 0.055
        };
        (curved * 255.0).round() as u8
    };
    let [red, green, blue] = linear.map(byte);
    match numbers.get(3) {
        Some(alpha) => format!("rgba({red},{green},{blue},{alpha})"),
        None => format!("#{red:02x}{green:02x}{blue:02x}"),
    }
}

#[cfg(test)]
mod tests {
    use super::colour;

    #[test]
    fn colours_are_those_that_every_reader_knows() {
        assert_eq!(colour("oklch(1 0 0)"), "#ffffff");
        assert_eq!(colour("oklch(0.62796 0.25768 29.234)"), "#ff0000");
        assert_eq!(colour("oklch(51.975% .17686 142.5)"), "#008000");
        assert_eq!(colour("oklab(0 0 0 / 0.5)"), "rgba(0,0,0,0.5)");
        assert_eq!(colour("rgb(1, 2, 3)"), "rgb(1, 2, 3)");
        assert_eq!(colour("none"), "none");
    }
}

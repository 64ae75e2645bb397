//! The page: layout, what is drawn how often, and the browser's own events.

use core::cell::RefCell;
use std::rc::Rc;

use gloo_timers::callback::Interval;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use yew::prelude::*;

use crate::desk::{Desk, Part, Seen};
use crate::i18n::Lang;
use crate::share::{self, Recipe};
use crate::state::{Action, Model, Notice, Tab};
use crate::view::clients::Clients;
use crate::view::header::Header;
use crate::view::help::Help;
use crate::view::history::History;
use crate::view::inspect::Inspect;
use crate::view::lesson::Lesson;
use crate::view::logs::Logs;
use crate::view::network::Network;
use crate::view::runs::Runs;
use crate::view::spacetime::SpaceTime;
use crate::view::stage::Stage;
use crate::view::story::{Story, spoken};
use crate::view::time::Time;
use crate::view::tools::Tools;
use crate::view::verdicts::Verdicts;
use crate::view::znodes::Znodes;
use crate::{aside, broken, export, frame, hooks, keys, sentence};

/// The cluster a visitor meets first.
const NODES: u8 = 5;
const SEED: u64 = 42;
/// A sentence is spoken at most this often.
const SPEECH_MS: u32 = 2_000;
/// Width at which the page becomes one sheet; as in the style sheet.
const NARROW: f64 = 860.0;

pub(crate) enum Msg {
    /// The run went on, and it is this part's turn to show it.
    Turn(Part),
    /// Somebody acted: everything.
    Acted,
    Speech,
    Resized,
    Hash,
}

pub(crate) struct App {
    desk: Desk,
    narrow: Rc<RefCell<bool>>,
    /// Which version of the model each part shows.
    drawn: [u64; Part::ALL.len()],
    spoken: Option<(u64, String)>,
    _timer: Interval,
}

impl Component for App {
    type Message = Msg;
    type Properties = ();

    fn create(ctx: &Context<Self>) -> Self {
        let link = ctx.link();
        let lang = preferred_language();
        let mut model = Model::new(NODES, SEED, lang);
        model.playing = !matches("(prefers-reduced-motion: reduce)");
        let desk = Desk::new(model, link.callback(|()| Msg::Acted));
        read_hash(&desk);
        broken::prepare(&desk.read());
        let narrow = Rc::new(RefCell::new(is_narrow()));
        frame::start(desk.clone(), narrow.clone(), link.callback(Msg::Turn));
        listen("resize", link.callback(|_| Msg::Resized));
        listen("hashchange", link.callback(|_| Msg::Hash));
        keys::listen(&desk);
        hooks::expose(&desk);
        export::listen(&desk);
        let speech = link.callback(|()| Msg::Speech);
        Self {
            desk,
            narrow,
            drawn: [0; Part::ALL.len()],
            spoken: None,
            _timer: Interval::new(SPEECH_MS, move || speech.emit(())),
        }
    }

    fn update(&mut self, _ctx: &Context<Self>, msg: Msg) -> bool {
        let version = self.desk.read().version;
        let redraw = match msg {
            Msg::Turn(part) => {
                if part == Part::Story {
                    self.desk.write().judge();
                }
                self.drawn[part as usize] = version;
                true
            }
            Msg::Acted => {
                self.desk.write().judge();
                broken::prepare(&self.desk.read());
                self.drawn.fill(version);
                true
            }
            Msg::Speech => {
                let spoken = spoken(&self.desk.read());
                core::mem::replace(&mut self.spoken, spoken.clone()) != spoken
            }
            Msg::Resized => {
                let narrow = is_narrow();
                let changed = self.narrow.replace(narrow) != narrow;
                if changed {
                    // Tabs that only a narrow screen has make no sense on a wide one.
                    let tab = self.desk.read().tab;
                    if !narrow && tab.is_narrow() {
                        self.desk.write().update(Action::Tab(Tab::Inspect));
                    }
                }
                changed
            }
            Msg::Hash => {
                read_hash(&self.desk);
                let version = self.desk.read().version;
                self.drawn.fill(version);
                true
            }
        };
        self.desk.show(self.drawn.into_iter().min().unwrap_or(0));
        redraw
    }

    fn view(&self, _ctx: &Context<Self>) -> Html {
        let narrow = *self.narrow.borrow();
        let of = |part: Part| Seen {
            desk: self.desk.clone(),
            version: self.drawn[part as usize],
            narrow,
        };
        let model = self.desk.read();
        let tab = model.tab;
        let right = if tab.is_narrow() { model.beside() } else { tab };
        let right = match right {
            Tab::Znodes => html! { <Znodes ..of(Part::Right) /> },
            Tab::Clients => html! { <Clients ..of(Part::Right) /> },
            Tab::History => html! { <History ..of(Part::Right) /> },
            Tab::Runs => html! { <Runs ..of(Part::Right) /> },
            _ => html! { <Inspect ..of(Part::Right) /> },
        };
        if model.embedded {
            return self.embedded(&model, of);
        }
        html! {
            // The two layouts share no element: one takes the place of the other as a whole.
            <div key="page" class="page" lang={model.words.lang.tag()}>
                <Header ..of(Part::Frame) />
                <main class="work" data-tab={tab.name()} data-mode={if model.learning { "learn" } else { "sandbox" }} data-fast={(model.playing && frame::is_fast(&model)).then_some("")}>
                    <div class="left">
                        { if model.learning { html! { <Lesson ..of(Part::Story) /> } } else { html! {} } }
                        <Story ..of(Part::Story) /><Network ..of(Part::Frame) />
                    </div>
                    <div class="centre"><Stage ..of(Part::Stage) /><Tools ..of(Part::Frame) /></div>
                    <Logs ..of(Part::Logs) />
                    { self.tabs(&model, narrow) }
                    <div class="slot">{ right }</div>
                </main>
                <div class="times"><SpaceTime ..of(Part::Diagram) /><Time ..of(Part::Time) /></div>
                <Verdicts ..of(Part::Story) />
                <Help ..of(Part::Frame) />
                <p class="sr" aria-live="polite" data-testid="chosen">{ chosen(&model) }</p>
                <p class="sr" aria-live="polite">{ self.spoken.as_ref().map(|(_, text)| text.clone()).unwrap_or_default() }</p>
            </div>
        }
    }
}

impl App {
    /// The stage and the play bar, as part of another page.
    fn embedded(&self, model: &Model, of: impl Fn(Part) -> Seen) -> Html {
        let whole = match &model.course {
            Some(course) if course.lesson.rule => format!("#/rule/{}", course.lesson.name),
            Some(course) => format!("#/learn/{}/{}", course.lesson.name, course.step + 1),
            None => match hash().strip_prefix("#/embed/run?") {
                Some(run) => format!("#/run?{run}"),
                None => "#/".to_owned(),
            },
        };
        html! {
            <div key="embed" class="page embed" lang={model.words.lang.tag()} data-testid="embed">
                <main class="work"><div class="centre"><Stage ..of(Part::Stage) /></div></main>
                <div class="times"><SpaceTime ..of(Part::Diagram) /><Time ..of(Part::Time) /></div>
                <Help ..of(Part::Frame) />
                <a class="whole" href={whole} target="_blank" rel="noopener" data-testid="whole">{ model.words.get("embed-open") }</a>
                <p class="sr" aria-live="polite">{ self.spoken.as_ref().map(|(_, text)| text.clone()).unwrap_or_default() }</p>
            </div>
        }
    }

    fn tabs(&self, model: &Model, narrow: bool) -> Html {
        let on_wide = (!narrow && model.tab.is_narrow()).then(|| model.beside());
        let chosen = on_wide.unwrap_or(model.tab);
        let shown = |tab: &Tab| model.learning || *tab != Tab::Lesson;
        let tabs = Tab::ALL.into_iter().filter(shown).map(|tab| {
            let name = model.words.get(match tab {
                Tab::Lesson => "tab-lesson",
                Tab::Story => "tab-story",
                Tab::Inspect => "tab-inspect",
                Tab::Znodes => "tab-znodes",
                Tab::Clients => "tab-clients",
                Tab::History => "tab-history",
                Tab::Logs => "tab-logs",
                Tab::Runs => "tab-runs",
                Tab::Network => "tab-network",
            });
            let class = tab.is_narrow().then_some("narrow-only");
            // One stop of the Tab key for all of them; arrows go on from there.
            let stop = if tab == chosen { "0" } else { "-1" };
            html! {
                <button key={tab.name()} id={tab_id(tab)} role="tab" {class} tabindex={stop} aria-selected={(tab == chosen).to_string()} data-testid={tab_id(tab)} onclick={self.desk.on(Action::Tab(tab))}>{ name }</button>
            }
        });
        let there: Vec<Tab> = Tab::ALL
            .into_iter()
            .filter(|tab| shown(tab) && (narrow || !tab.is_narrow()))
            .collect();
        let desk = self.desk.clone();
        let keys = Callback::from(move |event: KeyboardEvent| {
            let here = there.iter().position(|tab| *tab == chosen).unwrap_or(0);
            let next = match event.key().as_str() {
                "ArrowRight" => (here + 1) % there.len(),
                "ArrowLeft" => (here + there.len() - 1) % there.len(),
                "Home" => 0,
                "End" => there.len() - 1,
                _ => return,
            };
            // These keys are not those that go from node to node and through the run.
            event.stop_propagation();
            event.prevent_default();
            desk.act(Action::Tab(there[next]));
            keys::later(tab_id(there[next]));
        });
        html! { <div class="tabs" role="tablist" onkeydown={keys}>{ for tabs }</div> }
    }
}

fn tab_id(tab: Tab) -> String {
    format!("tab-{}", tab.name())
}

/// The selected message, for those who cannot see it.
fn chosen(model: &Model) -> String {
    let label = |flight| sentence::flight(&model.words, flight);
    model.message().map_or_else(String::new, label)
}

/// Bytes of a link; of more a file is made.
const LONGEST: usize = 6_000;

/// Puts a link to this very moment on the clipboard and into the address bar.
pub(crate) fn share(desk: &Desk) {
    let fragment = Recipe::of(&desk.read()).fragment();
    let desk = desk.clone();
    share::pack(fragment, move |fragment| hand_out(&desk, &fragment));
}

fn hand_out(desk: &Desk, fragment: &str) {
    let Some(window) = web_sys::window() else {
        return;
    };
    let location = window.location();
    let base = format!(
        "{}{}",
        location.origin().unwrap_or_default(),
        location.pathname().unwrap_or_default()
    );
    let link = base + fragment;
    if LONGEST < link.len() {
        // Where links are pasted, longer ones are cut off.
        export::save(desk, export::Form::Trace);
        return tell(desk, Notice::Filed);
    }
    if let Ok(history) = window.history() {
        // Replacing the address does not fire `hashchange`, so the run goes on.
        let _ = history.replace_state_with_url(&JsValue::NULL, "", Some(&link));
    }
    let (desk, shown) = (desk.clone(), link.clone());
    let done = move |copied: JsValue| match copied.is_truthy() {
        true => tell(&desk, Notice::Copied),
        false => tell(&desk, Notice::Link(shown)),
    };
    aside::copy(&link, &aside::once(done));
}

fn tell(desk: &Desk, notice: Notice) {
    desk.write().notice = Some(notice);
    desk.act(Action::Told);
}

fn hash() -> String {
    let window = web_sys::window();
    let hash = window.and_then(|window| window.location().hash().ok());
    hash.unwrap_or_default()
}

/// Opens what the address says.
fn read_hash(desk: &Desk) {
    let place = hash();
    desk.write().embedded = place.starts_with("#/embed/");
    desk.write().elder = None;
    let (held, asked) = (desk.clone(), place.clone());
    let unpacked = move |plain: Result<String, _>| {
        // The visitor may have gone elsewhere meanwhile.
        if hash() == asked {
            match plain {
                Ok(plain) => open(&mut held.write(), &plain),
                Err(key) => held.write().refuse(key),
            }
            held.act(Action::Told);
        }
    };
    if !share::unpack(&place, unpacked) {
        open(&mut desk.write(), &place);
    }
    if let Some(core) = share::core_of(&place).filter(|core| *core != share::CORE) {
        let desk = desk.clone();
        let asked = place.clone();
        let found = move |elder: JsValue| {
            if hash() == asked {
                desk.write().elder = elder.as_string();
                desk.act(Action::Told);
            }
        };
        aside::seek(core, &aside::once(found));
    }
}

fn open(model: &mut Model, place: &str) {
    let hash = place.replacen("#/embed/run?", "#/run?", 1);
    if let Some(place) = hash.strip_prefix("#/learn/") {
        let (name, step) = place.split_once('/').unwrap_or((place, ""));
        // People count from one.
        let step = step.parse::<usize>().unwrap_or(1).saturating_sub(1);
        learn(model, name, step);
        return;
    }
    if let Some(place) = hash.strip_prefix("#/embed/") {
        let (name, step) = place.split_once('/').unwrap_or((place, ""));
        model.coached = true;
        // A cluster without a lesson goes by this name.
        if name != "sandbox" {
            learn(
                model,
                name,
                step.parse::<usize>().unwrap_or(1).saturating_sub(1),
            );
        }
        return;
    }
    if let Some(name) = hash.strip_prefix("#/rule/") {
        learn(model, name, 0);
        return;
    }
    match Recipe::read(&hash) {
        None => {}
        Some(Ok(recipe)) => recipe.play(model),
        Some(Err(key)) => model.refuse(key),
    }
}

fn learn(model: &mut Model, name: &str, step: usize) {
    if model.teach(name, step) {
        model.tab = Tab::Lesson;
    } else {
        model.refuse("link-lesson");
    }
}

fn listen(event: &str, callback: Callback<Event>) {
    let closure = Closure::<dyn Fn(Event)>::new(move |event| callback.emit(event));
    if let Some(window) = web_sys::window() {
        let _ = window.add_event_listener_with_callback(event, closure.as_ref().unchecked_ref());
    }
    // The page listens as long as it lives.
    closure.forget();
}

fn preferred_language() -> Lang {
    let language = web_sys::window()
        .and_then(|window| window.navigator().language())
        .unwrap_or_default();
    if language.starts_with("ko") {
        Lang::Ko
    } else {
        Lang::En
    }
}

fn is_narrow() -> bool {
    let width = web_sys::window()
        .and_then(|window| window.inner_width().ok())
        .and_then(|width| width.as_f64());
    width.is_some_and(|width| width <= NARROW)
}

fn matches(query: &str) -> bool {
    let list = web_sys::window().and_then(|window| window.match_media(query).ok().flatten());
    list.is_some_and(|list| list.matches())
}

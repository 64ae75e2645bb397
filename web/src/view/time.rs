//! The play bar: buttons, speed, the timeline with its marks, the clock. The head on the rail and the
//! clock's text are moved by the frame loop.

use otterkeeper_core::sim::What;
use otterkeeper_core::time::Span;
use wasm_bindgen::JsCast;
use web_sys::HtmlInputElement;
use yew::prelude::*;

use crate::desk::Seen;
use crate::frame::{element, seconds};
use crate::state::{Action, Model, SPEEDS, weight};
use crate::view::icon::{self, icon};

/// Width of the rail in its own units.
const WIDTH: f64 = 996.0;
/// Marks on the rail.
const MARKS: usize = 300;

#[component]
pub(crate) fn Time(seen: &Seen) -> Html {
    let model = seen.desk.read();
    let words = &model.words;
    let now = model.run.now().0;
    let end = model.run.current().end.0.max(now).max(1);
    let button = |id: &'static str, path: &'static str, action: Action, class: &'static str| {
        let name = words.get(match id {
            "step" => "step",
            "step-back" => "step-back",
            "start" => "start",
            _ => "newest",
        });
        html! { <button key={id} class={classes!("btn", "icon", class)} data-testid={id} aria-label={name.clone()} title={name} onclick={seen.desk.on(action)}>{ icon(path) }</button> }
    };
    let speed = {
        let desk = seen.desk.clone();
        Callback::from(move |event: InputEvent| {
            let input = event
                .target()
                .and_then(|target| target.dyn_into::<HtmlInputElement>().ok());
            if let Some(speed) = input.and_then(|input| input.value().parse().ok()) {
                desk.act(Action::Speed(speed));
            }
        })
    };
    let seek = {
        let desk = seen.desk.clone();
        Callback::from(move |event: PointerEvent| {
            // The browser's current target is the root of the page, where all events are heard.
            let Some(track) = element("track") else {
                return;
            };
            if event.type_() == "pointerdown" {
                let _ = track.set_pointer_capture(event.pointer_id());
            } else if event.buttons() == 0 {
                return;
            }
            let area = track.get_bounding_client_rect();
            let part = ((f64::from(event.client_x()) - area.left()) / area.width().max(1.0))
                .clamp(0.0, 1.0);
            let end = desk.read().run.current().end.0;
            desk.act(Action::Play(false));
            desk.act(Action::GoTo(Span((end as f64 * part) as u64)));
        })
    };
    let play = words.get(if model.playing { "pause" } else { "play" });
    html! {
        <div class="bar" id="bar">
            <div class="deck">
                { button("start", icon::START, Action::Start, "wide-only") }
                { button("step-back", icon::BACK, Action::StepBack, "") }
                <button class="btn primary play" data-testid="play" aria-pressed={model.playing.to_string()} onclick={seen.desk.on(Action::Toggle)}>
                    { icon(if model.playing { icon::PAUSE } else { icon::PLAY }) }{ play }
                </button>
                { button("step", icon::NEXT, Action::StepForward, "") }
                { button("newest", icon::NEWEST, Action::Newest, "wide-only") }
            </div>
            <label class="speed"><span>{ words.get("speed") }</span>
                <input type="range" data-testid="speed" aria-label={words.get("speed")} min={SPEEDS.start().to_string()} max={SPEEDS.end().to_string()} step="1" value={model.speed.to_string()} oninput={speed} aria-valuetext={speed_name(model.speed)} />
                <output>{ speed_name(model.speed) }</output>
            </label>
            <div class="track" id="track" data-testid="timeline" role="slider" tabindex="0" aria-label={words.get("timeline")} aria-valuemin="0" aria-valuemax={(end / 1_000).to_string()}
                aria-valuenow={(now / 1_000).to_string()} aria-valuetext={seconds(now)} onpointerdown={seek.clone()} onpointermove={seek}>
                <svg viewBox="0 0 1000 34" preserveAspectRatio="none" aria-hidden="true">
                    <path class="rail" d="M2 17H998" /><path class="run" id="rail-run" />
                    { marks(&model, end) }
                    <path class="mk flag" d={flags(&model, end)} />
                </svg>
                <span class="head" id="head"></span>
            </div>
            <button class={classes!("btn", "icon", model.diagram.then_some("on"))} data-testid="diagram" aria-pressed={model.diagram.to_string()} aria-label={words.get("diagram")} title={words.get("diagram")} aria-keyshortcuts="V" onclick={seen.desk.on(Action::Diagram)}>{ icon(icon::LANES) }</button>
            <output class="clock" id="clock" data-testid="clock" aria-live="off"></output>
        </div>
    }
}

/// A speed as a share of real time.
pub(crate) fn speed_name(speed: i32) -> String {
    match speed {
        0.. => format!("{}\u{d7}", 1_u32 << speed.min(30)),
        _ => format!("1/{}\u{d7}", 1_u32 << (-speed).min(30)),
    }
}

/// Marked moments as little flags.
fn flags(model: &Model, end: u64) -> String {
    let here = model.bookmarks.iter();
    let here = here.filter(|mark| mark.branch == model.run.branch);
    here.map(|mark| {
        let x = 2.0 + WIDTH * mark.at.0 as f64 / end as f64;
        format!("M{x:.1} 17V3h7l-2 3 2 3h-7")
    })
    .collect()
}

/// Turns of events as strokes, one path for each kind.
fn marks(model: &Model, end: u64) -> Html {
    let mut paths = [
        ("mk elect", String::new()),
        ("mk fault", String::new()),
        ("mk bad", String::new()),
    ];
    let turns = model
        .run
        .current()
        .journal
        .iter()
        .rev()
        .filter(|event| weight(&event.what) > 1)
        .take(MARKS);
    for event in turns {
        let kind = match event.what {
            What::Violated(_) | What::Halted { .. } => 2,
            What::Intervened(_) | What::Died { .. } => 1,
            _ => 0,
        };
        let x = 2.0 + WIDTH * model.run.since_start(event.time).0 as f64 / end as f64;
        paths[kind].1 += &format!("M{x:.1} 8v18");
    }
    paths
        .into_iter()
        .map(|(class, d)| html! { <path key={class} {class} {d} /> })
        .collect()
}

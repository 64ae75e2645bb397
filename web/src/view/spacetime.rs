//! The space-time diagram: a lane for each node and client, a slanted line for each message, and a table
//! that says the same. It is drawn again whenever this panel is.

use core::cell::RefCell;
use std::rc::Rc;

use otterkeeper_core::raft::note::Role;
use otterkeeper_core::sim::{End, FlightId};
use otterkeeper_core::time::Span;
use wasm_bindgen::JsCast;
use web_sys::{CanvasRenderingContext2d, Element, HtmlCanvasElement};
use yew::prelude::*;

use crate::desk::{Desk, Seen};
use crate::diagram::{Diagram, LEFT, State, name};
use crate::frame::{element, seconds};
use crate::i18n::Word;
use crate::state::{Action, Model, Selection, Stroke};
use crate::view::filter::filter;
use crate::view::icon::{self, icon};

/// Rows of the table.
const ROWS: usize = 30;

#[component]
pub(crate) fn SpaceTime(seen: &Seen) -> Html {
    let desk = seen.desk.clone();
    use_effect(move || {
        let canvas = element("spacetime");
        let canvas = canvas.and_then(|canvas| canvas.dyn_into::<HtmlCanvasElement>().ok());
        if let Some(canvas) = canvas {
            draw(&desk.read(), &canvas);
        }
    });
    let model = seen.desk.read();
    let words = &model.words;
    let dragged = use_mut_ref(|| None);
    let pick = {
        let (desk, dragged) = (seen.desk.clone(), dragged.clone());
        Callback::from(move |event: MouseEvent| {
            // The end of a drag is no click.
            let Some(canvas) = element("spacetime").filter(|_| dragged.take().is_none_or(is_still))
            else {
                return;
            };
            let area = canvas.get_bounding_client_rect();
            let x = f64::from(event.client_x()) - area.left();
            let y = f64::from(event.client_y()) - area.top();
            let action = picked(&desk.read(), (area.width(), area.height()), (x, y));
            desk.act(action);
        })
    };
    let drag = drag(&seen.desk, dragged);
    let wheel = {
        let desk = seen.desk.clone();
        Callback::from(move |event: WheelEvent| {
            let (across, down) = (event.delta_x(), event.delta_y());
            let by = if across.abs() < down.abs() {
                down
            } else {
                across
            };
            desk.act(match event.ctrl_key() {
                true => Action::Zoom(by.signum() as i32),
                false => Action::Pan((by.clamp(-300.0, 300.0) / 2.0) as i64),
            });
        })
    };
    let button = |id: &'static str, path: &'static str, action: Action| {
        html! { <button class="btn icon quiet" data-testid={id} aria-label={words.get(id)} title={words.get(id)} onclick={seen.desk.on(action)}>{ icon(path) }</button> }
    };
    if !model.diagram {
        return grip(&seen.desk, &model);
    }
    html! {
        <section class="spacetime" style={format!("height:{}px", model.tall)} aria-label={words.get("diagram")} data-testid="spacetime">
            { grip(&seen.desk, &model) }
            <div class="plot">
                <div class="zoom">
                    <h2>{ words.get("diagram") }</h2><span class="grow"></span>
                    { filter(seen, "diagram-find", &model.sought, Action::Seek) }
                    <div class="as" role="group" aria-label={words.get("diagram-lanes")}>{ for lanes(seen, &model) }</div>
                    <label class="check" title={words.get("diagram-lens-what")}><input type="checkbox" data-testid="lens" checked={model.lens} onchange={seen.desk.on(Action::Lens)} />{ words.get("diagram-lens") }</label>
                    <label class="check"><input type="checkbox" checked={!model.muted} onchange={seen.desk.on(Action::Mute)} />{ words.get("legend-heartbeat") }</label>
                    { if model.pan.is_some() { button("diagram-now", icon::NEWEST, Action::Pan(i64::from(i32::MAX))) } else { html! {} } }
                    { button("zoom-out", icon::MINUS, Action::Zoom(1)) }{ button("zoom-in", icon::PLUS, Action::Zoom(-1)) }
                    { button("diagram-close", icon::CROSS, Action::Diagram) }
                </div>
                <canvas id="spacetime" role="img" tabindex="0" aria-label={words.get("diagram-hint")} data-testid="lanes" data-from={format!("{:.0}", Diagram::of(&model, 1_000.0, 200.0).time(LEFT))}
                    onclick={pick} onpointerdown={drag.clone()} onpointermove={drag} onwheel={wheel} onkeydown={keys(&seen.desk)}></canvas>
                // How many lanes fit is known when it is drawn.
                <p id="without" class="sub" role="status" data-testid="diagram-without"></p>
            </div>
            { table(seen, &model) }
        </section>
    }
}

/// Buttons that show and hide lanes.
fn lanes(seen: &Seen, model: &Model) -> Vec<Html> {
    let nodes = 1..=u64::from(model.run.nodes);
    let lane = |place: u64| {
        let text = if place == 0 {
            "\u{25c7}".to_owned()
        } else {
            place.to_string()
        };
        let title = match place {
            0 => model.words.get("diagram-clients"),
            _ => model.words.with("end-node", &[("node", place.into())]),
        };
        let on = (model.laneless >> place) & 1 == 0;
        html! { <button key={place} aria-pressed={on.to_string()} aria-label={title.clone()} {title} data-testid={format!("lane-{place}")} onclick={seen.desk.on(Action::Lane(place))}>{ text }</button> }
    };
    nodes.chain([0]).map(lane).collect()
}

/// A drag on the diagram: where it began, and how far it has come.
type Drag = Rc<RefCell<Option<(f64, f64)>>>;

/// Whether a press has not moved.
fn is_still((from, to): (f64, f64)) -> bool {
    (to - from).abs() < 4.0
}

/// What is dragged to the right comes out of the past.
fn drag(desk: &Desk, dragged: Drag) -> Callback<PointerEvent> {
    let desk = desk.clone();
    Callback::from(move |event: PointerEvent| {
        let x = f64::from(event.client_x());
        if event.type_() == "pointerdown" {
            *dragged.borrow_mut() = Some((x, x));
            return;
        }
        let Some((from, last)) = *dragged.borrow() else {
            return;
        };
        let Some(canvas) = element("spacetime").filter(|_| event.buttons() != 0) else {
            return;
        };
        let width = (canvas.get_bounding_client_rect().width() - LEFT).max(1.0);
        let by = (1_000.0 * (last - x) / width) as i64;
        if by != 0 && !is_still((from, x)) {
            let _ = canvas.set_pointer_capture(event.pointer_id());
            *dragged.borrow_mut() = Some((from, x));
            desk.act(Action::Pan(by));
        }
    })
}

fn keys(desk: &Desk) -> Callback<KeyboardEvent> {
    let desk = desk.clone();
    Callback::from(move |event: KeyboardEvent| {
        let action = match event.key().as_str() {
            "ArrowLeft" => Action::Pan(-100),
            "ArrowRight" => Action::Pan(100),
            "Home" => Action::Pan(i64::from(i32::MIN)),
            "End" => Action::Pan(i64::from(i32::MAX)),
            "+" => Action::Zoom(-1),
            "-" => Action::Zoom(1),
            _ => return,
        };
        // These keys are not those that go from node to node and through the run.
        event.stop_propagation();
        event.prevent_default();
        desk.act(action);
    })
}

/// The edge that is dragged up to enlarge the diagram, from nothing if need be.
fn grip(desk: &Desk, model: &Model) -> Html {
    let drag = {
        let desk = desk.clone();
        Callback::from(move |event: PointerEvent| {
            let target = event
                .target()
                .and_then(|target| target.dyn_into::<Element>().ok());
            let Some(target) = target else { return };
            if event.type_() == "pointerdown" {
                let _ = target.set_pointer_capture(event.pointer_id());
                return;
            }
            if event.buttons() == 0 {
                return;
            }
            let Some(bar) = element("bar") else { return };
            let tall = bar.get_bounding_client_rect().top() - f64::from(event.client_y());
            desk.act(Action::Tall(tall.max(0.0) as u32));
        })
    };
    let keys = {
        let desk = desk.clone();
        Callback::from(move |event: KeyboardEvent| {
            let model = desk.read();
            let tall = if model.diagram { model.tall } else { 80 };
            drop(model);
            let tall = match event.key().as_str() {
                "ArrowUp" => tall + 40,
                "ArrowDown" => tall.saturating_sub(40),
                _ => return,
            };
            // These arrows are not those that go from node to node.
            event.stop_propagation();
            event.prevent_default();
            desk.act(Action::Tall(tall));
        })
    };
    let tall = if model.diagram { model.tall } else { 0 };
    html! {
        <div class="grip" role="separator" tabindex="0" aria-orientation="horizontal" aria-label={model.words.get("diagram-grip")} title={model.words.get("diagram-grip")} aria-valuemin="0" aria-valuemax="640" aria-valuenow={tall.to_string()}
            data-testid="grip" onpointerdown={drag.clone()} onpointermove={drag} onkeydown={keys}></div>
    }
}

/// What a click means: a message, a node by its name, or a moment.
fn picked(model: &Model, (width, height): (f64, f64), (x, y): (f64, f64)) -> Action {
    let diagram = Diagram::of(model, width, height);
    if x < LEFT {
        let near = diagram.lanes.iter().find(|lane| {
            let middle = diagram.y(**lane);
            middle.is_some_and(|middle| (middle - y).abs() < 12.0)
        });
        return match near {
            Some(End::Node(id)) => Action::Select(Some(Selection::Node(*id))),
            _ => Action::Told,
        };
    }
    match diagram.near(x, y) {
        // Who looks for causes and effects stays where both can be seen.
        Some(way) if model.lens => Action::Select(Some(Selection::Message(way.flight))),
        Some(way) => go(&diagram, way),
        None => Action::GoTo(Span(diagram.time(x) as u64)),
    }
}

fn go(diagram: &Diagram, way: &Stroke) -> Action {
    match way.event {
        0 => Action::Select(Some(Selection::Message(way.flight))),
        _ => Action::GoToFlight(way.flight, Span(diagram.middle(way))),
    }
}

/// The newest messages of the picture as a table.
fn table(seen: &Seen, model: &Model) -> Html {
    let words = &model.words;
    let diagram = Diagram::of(model, 1_000.0, 200.0);
    let start = model.sim().config().start;
    let bright = diagram.ways.iter().filter(|way| diagram.is_bright(way));
    let rows = bright.take(ROWS).map(|way| {
        let fate = match way.event {
            0 => words.get("way-under-way"),
            _ if way.lost => words.get("way-lost"),
            _ => seconds(way.ended.since(start).0),
        };
        let (key, class) = (way.flight.0, way.lost.then_some("lost"));
        let selected = model.selection == Some(Selection::Message(FlightId(key)));
        html! {
            <tr key={format!("{key}-{}", way.event)} {class} aria-selected={selected.to_string()}>
                <td><button onclick={seen.desk.on(if model.lens { Action::Select(Some(Selection::Message(way.flight))) } else { go(&diagram, way) })}>{ seconds(way.sent.since(start).0) }</button></td>
                <td>{ fate }</td><td>{ name(way.from) }{ " \u{2192} " }{ name(way.to) }</td><td>{ words.get(way.kind) }</td>
            </tr>
        }
    });
    let rows: Vec<Html> = rows.collect();
    html! {
        <div class="ways" tabindex="0" role="region" aria-label={words.get("diagram-table")}>
            <table data-testid="ways">
                <thead><tr><th scope="col">{ words.get("message-sent") }</th><th scope="col">{ words.get("message-arrives") }</th><th scope="col">{ words.get("way") }</th><th scope="col">{ words.get("way-what") }</th></tr></thead>
                <tbody>{ rows }</tbody>
            </table>
        </div>
    }
}

fn draw(model: &Model, canvas: &HtmlCanvasElement) {
    let area = canvas.get_bounding_client_rect();
    let (width, height) = (area.width(), area.height());
    let ratio = web_sys::window().map_or(1.0, |window| window.device_pixel_ratio());
    canvas.set_width((width * ratio) as u32);
    canvas.set_height((height * ratio) as u32);
    let context = canvas.get_context("2d").ok().flatten();
    let Some(context) = context.and_then(|c| c.dyn_into::<CanvasRenderingContext2d>().ok()) else {
        return;
    };
    let _ = context.scale(ratio, ratio);
    let pen = Pen::new(context);
    let diagram = Diagram::of(model, width, height);
    without(model, diagram.without);
    pen.ticks(&diagram, height);
    pen.lanes(&diagram, width);
    pen.veil(&diagram);
    for bright in [false, true] {
        pen.context
            .set_global_alpha(if bright { 1.0 } else { 0.13 });
        let ways = diagram.ways.iter().rev();
        for way in ways.filter(|way| diagram.is_bright(way) == bright) {
            let selected = model.selection == Some(Selection::Message(way.flight));
            pen.way(&diagram, way, selected);
        }
    }
    pen.marks(&diagram, height);
    let now = diagram.x(diagram.now);
    pen.line("--ink", 1.5, &[], [now, 0.0, now, height - 16.0]);
}

/// Says of how many clients there is no lane.
fn without(model: &Model, clients: usize) {
    let arguments = [("n", Word::Count(clients as u64))];
    let text = (0 < clients).then(|| model.words.with("diagram-without", &arguments));
    if let Some(line) = element("without") {
        let text = text.unwrap_or_default();
        // What has not changed is not said again.
        if line.text_content().as_deref() != Some(&text) {
            line.set_text_content(Some(&text));
        }
    }
}

/// A canvas with the page's colours.
struct Pen {
    context: CanvasRenderingContext2d,
    style: Option<web_sys::CssStyleDeclaration>,
}

impl Pen {
    fn new(context: CanvasRenderingContext2d) -> Self {
        let window = web_sys::window();
        let style = window.and_then(|window| {
            let root = window.document()?.document_element()?;
            window.get_computed_style(&root).ok().flatten()
        });
        Self { context, style }
    }

    /// A colour of the page by its name; any other as it is.
    fn colour(&self, name: &str) -> String {
        if !name.starts_with('-') {
            return name.to_owned();
        }
        let style = self.style.as_ref();
        let found = style.and_then(|style| style.get_property_value(name).ok());
        found.unwrap_or_default().trim().to_owned()
    }

    /// The hue of a term, as everywhere on the page.
    fn term(&self, term: u64) -> String {
        let hue = self.colour(&format!("--h{}", term % 8));
        format!(
            "oklch({} {} {hue})",
            self.colour("--tl"),
            self.colour("--tc")
        )
    }

    fn line(&self, colour: &str, width: f64, dash: &[f64], [ax, ay, bx, by]: [f64; 4]) {
        let colour = self.colour(colour);
        self.context.set_stroke_style_str(&colour);
        self.context.set_line_width(width);
        let dash: js_sys::Array = dash
            .iter()
            .map(|part| wasm_bindgen::JsValue::from(*part))
            .collect();
        let _ = self.context.set_line_dash(&dash);
        self.context.begin_path();
        self.context.move_to(ax, ay);
        self.context.line_to(bx, by);
        self.context.stroke();
    }

    fn text(&self, colour: &str, font: &str, text: &str, (x, y): (f64, f64)) {
        let colour = self.colour(colour);
        self.context.set_fill_style_str(&colour);
        self.context.set_font(font);
        let _ = self.context.fill_text(text, x, y);
    }

    fn ticks(&self, diagram: &Diagram, height: f64) {
        for (x, us) in diagram.ticks() {
            if x < LEFT {
                continue;
            }
            self.line("--line", 1.0, &[], [x, 0.0, x, height - 18.0]);
            self.text(
                "--ink-2",
                "11px ui-monospace, monospace",
                &seconds(us),
                (x + 3.0, height - 5.0),
            );
        }
    }

    fn lanes(&self, diagram: &Diagram, width: f64) {
        for lane in &diagram.lanes {
            let Some(y) = diagram.y(*lane) else { continue };
            self.line("--line", 1.0, &[], [LEFT, y, width, y]);
            let colour = match lane {
                End::Node(_) => "--ink",
                End::Client(_) => "--client",
            };
            self.text(
                colour,
                "700 13px system-ui, sans-serif",
                &name(*lane),
                (14.0, y + 4.5),
            );
        }
        for piece in &diagram.pieces {
            let Some(y) = diagram.y(End::Node(piece.node)) else {
                continue;
            };
            let (colour, width, dash): (String, f64, &[f64]) = match piece.state {
                State::Down => (self.colour("--bad"), 1.5, &[2.0, 5.0]),
                State::Paused => (self.colour("--ice"), 5.0, &[5.0, 3.0]),
                State::Up(Role::Leader) => (self.term(piece.term), 7.0, &[]),
                State::Up(Role::Candidate) => (self.term(piece.term), 5.0, &[4.0, 3.0]),
                State::Up(Role::PreCandidate) => (self.term(piece.term), 3.0, &[3.0, 3.0]),
                State::Up(_) => (self.term(piece.term), 2.0, &[]),
            };
            self.line(&colour, width, dash, [piece.from, y, piece.to, y]);
            let led = piece.state == State::Up(Role::Leader) && 46.0 < piece.to - piece.from;
            if led {
                let text = format!("\u{265b} term {}", piece.term);
                self.text(
                    &colour,
                    "600 11px system-ui, sans-serif",
                    &text,
                    (piece.from + 4.0, y - 7.0),
                );
            }
        }
    }

    /// Over the parts of lanes that neither led to what is looked at nor can have come of it.
    fn veil(&self, diagram: &Diagram) {
        let Some(lens) = &diagram.lens else { return };
        self.context.set_global_alpha(0.8);
        for lane in &diagram.lanes {
            let (before, after) = lens.at(*lane);
            let (from, to) = (diagram.x_of(before), diagram.x_of(after));
            if let Some(y) = diagram.y(*lane).filter(|_| from < to) {
                self.line("--panel", 8.0, &[], [from, y, to, y]);
            }
        }
    }

    fn way(&self, diagram: &Diagram, way: &Stroke, selected: bool) {
        let Some([ax, ay, bx, by]) = diagram.way(way) else {
            return;
        };
        let has = |class: &str| way.class.split(' ').any(|one| one == class);
        let colour = if way.lost || has("no") || has("broken") {
            "--bad"
        } else if has("vote") {
            "--warn"
        } else if has("client") || has("bell") {
            "--client"
        } else if has("beat") {
            "--ink-3"
        } else {
            "--brand"
        };
        let width = match selected {
            true => 3.5,
            false if has("beat") || has("small") => 0.9,
            false => 1.6,
        };
        let dash: &[f64] = if has("reply") { &[4.0, 3.0] } else { &[] };
        if way.event == 0 {
            // Up to now it is known; from here on it is only meant.
            let part = ((diagram.x(diagram.now) - ax) / (bx - ax).max(0.1)).clamp(0.0, 1.0);
            let (x, y) = (ax + (bx - ax) * part, ay + (by - ay) * part);
            self.line(colour, width, dash, [ax, ay, x, y]);
            self.line(colour, 0.8, &[1.0, 4.0], [x, y, bx, by]);
            return;
        }
        self.line(colour, width, dash, [ax, ay, bx, by]);
        if way.lost {
            for side in [-4.0, 4.0] {
                self.line(
                    "--bad",
                    2.0,
                    &[],
                    [bx - 4.0, by - side, bx + 4.0, by + side],
                );
            }
        } else if !has("beat") {
            self.context.set_fill_style_str(&self.colour(colour));
            self.context.begin_path();
            let _ = self.context.arc(bx, by, 2.2, 0.0, core::f64::consts::TAU);
            self.context.fill();
        }
    }

    fn marks(&self, diagram: &Diagram, height: f64) {
        for mark in &diagram.marks {
            let lane = mark.node.and_then(|node| diagram.y(End::Node(node)));
            let (top, bottom) = lane.map_or((0.0, height - 18.0), |y| (y - 11.0, y + 11.0));
            let colour = if mark.bad { "--bad" } else { "--client" };
            self.line(colour, 3.0, &[], [mark.x, top, mark.x, bottom]);
        }
    }
}

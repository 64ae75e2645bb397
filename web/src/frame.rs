//! The one frame loop, outside the virtual DOM: it plays the run, moves pooled message elements by
//! `transform`, turns timer arcs and sets the clock. It creates an element only when more messages are
//! under way than ever before.

use core::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use otterkeeper_core::id::NodeId;
use otterkeeper_core::sim::{ClientView, End, FlightId, Sim, What};
use otterkeeper_core::time::Time;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::Element;
use yew::Callback;

use crate::desk::{Desk, Part, Turns};
use crate::export;
use crate::geometry::{Point, Ring, between};
use crate::sentence;
use crate::shape;
use crate::state::{Model, Selection, is_beat};

const SVG: &str = "http://www.w3.org/2000/svg";
/// Messages drawn at once; beyond it those of one link and kind are drawn as one.
const DRAWN: usize = 80;
/// How long a lost message leaves its mark, in ms of wall time.
const BURST_MS: f64 = 2_000.0;
/// From half of real time on (a power of two) a run is fast.
const FAST: i32 = -1;

/// The closure that each frame asks for again.
type Next = Rc<RefCell<Option<Closure<dyn FnMut(f64)>>>>;

/// Starts the loop. `draw` is called when a part of the page needs more than moving.
pub(crate) fn start(desk: Desk, narrow: Rc<RefCell<bool>>, draw: Callback<Part>) {
    let mut painter = Painter::default();
    let mut turns = Turns::default();
    let mut last = None;
    // A frame asks for the next one through this cell, which the closure keeps alive.
    let next = Next::default();
    let again = next.clone();
    *next.borrow_mut() = Some(Closure::new(move |now: f64| {
        let ms = last.map_or(0.0, |last| now - last);
        last = Some(now);
        desk.write().frame(ms);
        let written = desk.write().take_written();
        if let Some((form, text)) = written {
            export::download(&desk.read(), form, text.as_bytes());
        }
        painter.paint(&mut desk.write(), *narrow.borrow(), now);
        let (version, rare) = (desk.read().version, rare(&desk.read()));
        let part = turns.next(version, now, rare);
        if let Some(part) = part {
            draw.emit(part);
        }
        request(&again);
    }));
    request(&next);
}

/// Whether the run is too fast for anybody to follow single values of it.
pub(crate) fn is_fast(model: &Model) -> bool {
    FAST <= model.speed
}

/// What is drawn rarely. At about the pace of real time nobody reads entries of a log, calls or values of nodes, all of
/// which may be others in the next turn; and they cost most.
fn rare(model: &Model) -> &'static [Part] {
    match is_fast(model) {
        true => &[Part::Logs, Part::Right],
        false => &[],
    }
}

fn request(closure: &Next) {
    if let (Some(window), Some(closure)) = (web_sys::window(), &*closure.borrow()) {
        let _ = window.request_animation_frame(closure.as_ref().unchecked_ref());
    }
}

/// An element of the page by its id.
pub(crate) fn element(id: &str) -> Option<Element> {
    web_sys::window()?.document()?.get_element_by_id(id)
}

/// Where the clients stand.
pub(crate) struct Guests {
    /// In ascending order.
    pub(crate) seated: Vec<(ClientView, Point)>,
    /// How many more there are than have room, and a place to say so.
    pub(crate) more: Vec<(Point, usize)>,
}

pub(crate) fn guests(sim: &Sim, ring: Ring) -> Guests {
    let mut places: BTreeMap<Option<NodeId>, usize> = BTreeMap::new();
    let mut found = Vec::new();
    let seats = |node: Option<NodeId>| match node {
        Some(node) => ring.seats(node.0),
        None => ((ring.width - 24.0) / 32.0) as usize,
    };
    let seat = |node: Option<NodeId>, place: usize| match node {
        Some(node) => ring.guest(node.0, place),
        None => Point {
            x: 24.0 + place as f64 * 32.0,
            y: 24.0,
        },
    };
    for client in sim.clients() {
        // Clients of a load that rests are no part of the picture.
        if client.id.0 >= 1_000 && client.node.is_none() {
            continue;
        }
        let place = places.entry(client.node).or_default();
        if *place < seats(client.node) {
            found.push((client, seat(client.node, *place)));
        }
        *place += 1;
    }
    let more = places.into_iter().filter_map(|(node, count)| {
        let seats = seats(node);
        // Over the last column; under the row of those without a node.
        let top = if node.is_some() { -20.0 } else { 30.0 };
        let Point { x, .. } = seat(node, seats - 1);
        let y = seat(node, 0).y + top;
        (seats < count).then_some((Point { x, y }, count - seats))
    });
    Guests {
        seated: found,
        more: more.collect(),
    }
}

#[derive(Default)]
struct Painter {
    layer: Option<Element>,
    /// Elements in use, by the message they show.
    shown: BTreeMap<FlightId, Slot>,
    free: Vec<Slot>,
    bursts: Vec<(Element, f64)>,
    clock: i64,
    painted: (u64, u64, bool),
}

struct Slot {
    group: Element,
    path: Element,
    text: Element,
    class: String,
    shape: shape::Shape,
    seen: u64,
}

impl Painter {
    fn paint(&mut self, model: &mut Model, narrow: bool, now: f64) {
        let layer = element("messages");
        if self.layer != layer {
            self.shown.clear();
            self.free.clear();
            self.bursts.clear();
            self.layer = layer;
        }
        let lost = model.run.take_lost();
        let picture = (model.version, model.run.now().0, narrow);
        self.fade(now);
        if picture == self.painted && lost.is_empty() {
            return;
        }
        self.painted = picture;
        let ring = Ring::new(model.run.nodes, narrow);
        let guests: BTreeMap<_, _> = guests(model.sim(), ring)
            .seated
            .into_iter()
            .map(|(client, at)| (client.id, at))
            .collect();
        let place = |end: End| match end {
            End::Node(id) => Some(ring.node(id.0)),
            End::Client(id) => guests.get(&id).copied(),
        };
        let way = |from: End, to: End| -> Option<(Point, Point)> {
            if let (End::Node(from), End::Node(to)) = (from, to) {
                return Some(ring.link(from.0, to.0));
            }
            let (a, b) = (place(from)?, place(to)?);
            Some(match from {
                End::Client(_) => (a, between(a, b, 0.45)),
                End::Node(_) => (between(b, a, 0.45), b),
            })
        };
        self.messages(model, &way);
        for event in lost {
            if let What::Lost {
                from,
                to,
                at_per_mille,
                ..
            } = event.what
                && let Some((a, b)) = way(from, to)
            {
                self.burst(between(a, b, f64::from(at_per_mille) / 1_000.0), now);
            }
        }
        timers(model);
        self.clock(model);
    }

    fn messages(&mut self, model: &Model, way: &impl Fn(End, End) -> Option<(Point, Point)>) {
        let Some(layer) = self.layer.clone() else {
            return;
        };
        let sim = model.sim();
        let now = sim.now();
        let turn = model.version.wrapping_mul(31).wrapping_add(now.0);
        let crowded = sim.flights().count() > DRAWN;
        let mut bundles: BTreeMap<(End, End, &'static str), usize> = BTreeMap::new();
        if crowded {
            for flight in sim.flights() {
                *bundles
                    .entry((flight.from, flight.to, shape::of(&flight.cargo).class))
                    .or_default() += 1;
            }
        }
        for flight in sim.flights() {
            if model.muted && is_beat(&flight.cargo) {
                continue;
            }
            let Some((a, b)) = way(flight.from, flight.to) else {
                continue;
            };
            let mut shape = shape::of(&flight.cargo);
            if crowded {
                // The first of a bundle stands for all of it.
                match bundles.remove(&(flight.from, flight.to, shape.class)) {
                    None => continue,
                    Some(1) => {}
                    Some(many) => shape.mark = many.to_string(),
                }
            }
            let span = flight.arrives.since(flight.sent).0.max(1);
            let part = (now.since(flight.sent).0 as f64 / span as f64).min(1.0);
            let at = between(a, b, part);
            let free = &mut self.free;
            let slot = self
                .shown
                .entry(flight.id)
                .or_insert_with(|| free.pop().unwrap_or_else(|| Slot::new(&layer)));
            let selected = model.selection == Some(Selection::Message(flight.id));
            if slot.seen == 0 {
                let label = sentence::flight(&model.words, flight);
                slot.name(flight.id, &label);
            }
            slot.show(shape, selected, turn);
            let _ = slot
                .group
                .set_attribute("transform", &format!("translate({:.1} {:.1})", at.x, at.y));
        }
        let gone: Vec<FlightId> = self
            .shown
            .iter()
            .filter(|(_, slot)| slot.seen != turn)
            .map(|(id, _)| *id)
            .collect();
        for id in gone {
            if let Some(mut slot) = self.shown.remove(&id) {
                slot.hide();
                self.free.push(slot);
            }
        }
    }

    fn burst(&mut self, at: Point, now: f64) {
        let Some(layer) = element("bursts") else {
            return;
        };
        if self.bursts.len() > 40 {
            return;
        }
        let Some(mark) = create("path") else { return };
        let _ = mark.set_attribute("class", "burst");
        let _ = mark.set_attribute("d", "M-6-6-3-3M6-6 3-3M-6 6-3 3M6 6 3 3M-2-2 2 2M2-2-2 2");
        let _ = mark.set_attribute("transform", &format!("translate({:.1} {:.1})", at.x, at.y));
        let _ = layer.append_child(&mark);
        self.bursts.push((mark, now));
    }

    fn fade(&mut self, now: f64) {
        self.bursts.retain(|(mark, born)| {
            let young = now - born < BURST_MS;
            if !young {
                mark.remove();
            }
            young
        });
    }

    fn clock(&mut self, model: &Model) {
        let us = model.run.now().0;
        if let Some(clock) = element("clock") {
            let _ = clock.set_attribute("data-us", &us.to_string());
            let tenths = (us / 100) as i64;
            if self.clock != tenths {
                self.clock = tenths;
                clock.set_text_content(Some(&seconds(us)));
            }
        }
        let end = model.run.current().end.0.max(us).max(1);
        if let Some(head) = element("head") {
            let _ = head.set_attribute(
                "style",
                &format!("left:{:.3}%", us as f64 * 100.0 / end as f64),
            );
        }
        if let Some(run) = element("rail-run") {
            let _ = run.set_attribute(
                "d",
                &format!("M2 17H{:.1}", 2.0 + 996.0 * us as f64 / end as f64),
            );
        }
    }
}

impl Slot {
    fn new(layer: &Element) -> Self {
        let [group, aura, path, text] = ["g", "circle", "path", "text"]
            .map(|name| create(name).unwrap_or_else(|| layer.clone()));
        let _ = aura.set_attribute("class", "aura");
        let _ = aura.set_attribute("r", "15");
        let _ = text.set_attribute("y", "1");
        for part in [&aura, &path, &text] {
            let _ = group.append_child(part);
        }
        let _ = group.set_attribute("role", "button");
        let _ = group.set_attribute("tabindex", "-1");
        let _ = layer.append_child(&group);
        Self {
            group,
            path,
            text,
            class: String::new(),
            shape: shape::Shape::default(),
            seen: 0,
        }
    }

    fn name(&self, id: FlightId, label: &str) {
        let _ = self.group.set_attribute("data-flight", &id.0.to_string());
        let _ = self.group.set_attribute("aria-label", label);
    }

    fn show(&mut self, shape: shape::Shape, selected: bool, turn: u64) {
        let class = format!("msg {}{}", shape.class, if selected { " sel" } else { "" });
        if self.class != class {
            let _ = self.group.set_attribute("class", &class);
            self.class = class;
        }
        if self.shape != shape {
            let _ = self.path.set_attribute("d", shape.path);
            self.text.set_text_content(Some(&shape.mark));
            self.shape = shape;
        }
        self.seen = turn;
    }

    fn hide(&mut self) {
        let _ = self.group.set_attribute("class", "gone");
        self.class.clear();
        self.seen = 0;
    }
}

/// Seconds with three digits behind the point.
pub(crate) fn seconds(us: u64) -> String {
    format!("{}.{:03} s", us / 1_000_000, us / 1_000 % 1_000)
}

fn timers(model: &Model) {
    let sim = model.sim();
    for id in sim.nodes() {
        let now = sim.clock(id);
        let Some(arc) = element(&format!("timer-{id}")) else {
            continue;
        };
        let left = sim.node(id).map(|view| {
            let (armed, due) = view.election_timer();
            left_of(now, armed, due)
        });
        // The arc is what is left of the timer: it runs out, and then something happens.
        let dash = format!("{:.2} 100", left.unwrap_or_default());
        let _ = arc.set_attribute(
            "visibility",
            if left.is_some_and(|left| left > 0.0) {
                "visible"
            } else {
                "hidden"
            },
        );
        let _ = arc.set_attribute("stroke-dasharray", &dash);
    }
}

/// How much of a timer is left, in per cent.
fn left_of(now: Time, armed: Time, due: Time) -> f64 {
    if due == Time::NEVER || due <= armed {
        return 0.0;
    }
    due.since(now).0 as f64 * 100.0 / due.since(armed).0 as f64
}

fn create(name: &str) -> Option<Element> {
    let document = web_sys::window()?.document()?;
    document
        .create_element_ns(Some(SVG), name)
        .map_err(|_: JsValue| ())
        .ok()
}

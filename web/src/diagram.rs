//! What the space-time diagram shows, before it is drawn: lanes, ways of messages, roles, marks, and where
//! they lie. Time runs to the right. Knows numbers and the model, nothing of a canvas.

use otterkeeper_core::id::NodeId;
use otterkeeper_core::node::Note;
use otterkeeper_core::raft::note::{Note as RaftNote, Role};
use otterkeeper_core::sim::{ClientId, End, Intervention, What};
use otterkeeper_core::time::{Span, Time};

use crate::kind::KINDS;
use crate::lens::Lens;
use crate::sentence;
use crate::state::{Model, Stroke};

/// Where lanes begin, and the room for the times below them.
pub(crate) const LEFT: f64 = 40.0;
const FOOT: f64 = 20.0;
/// How much of the width lies before this moment; behind it is where messages under way will arrive.
const PAST: f64 = 0.86;
/// Ways drawn at once, the newest.
const WAYS: usize = 1_500;
/// The least height of a lane. All clients of the load share one.
const LANE: f64 = 15.0;
const LOAD: ClientId = ClientId(1_000);

/// How a node was for a while.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    Up(Role),
    Down,
    Paused,
}

/// A piece of a node's lane.
pub(crate) struct Piece {
    pub(crate) node: NodeId,
    pub(crate) from: f64,
    pub(crate) to: f64,
    pub(crate) state: State,
    pub(crate) term: u64,
}

/// A moment on a lane, or on all of them.
pub(crate) struct Mark {
    pub(crate) node: Option<NodeId>,
    pub(crate) x: f64,
    /// A promise was broken or a node stopped itself; otherwise somebody intervened.
    pub(crate) bad: bool,
}

/// The picture.
pub(crate) struct Diagram {
    width: f64,
    height: f64,
    pub(crate) lanes: Vec<End>,
    /// Clients for whose lanes there is no room.
    pub(crate) without: usize,
    /// Microseconds since the start of the run at the left edge, and over the whole width.
    from: f64,
    span: f64,
    start: Time,
    pub(crate) now: f64,
    pub(crate) ways: Vec<Stroke>,
    pub(crate) pieces: Vec<Piece>,
    pub(crate) marks: Vec<Mark>,
    pub(crate) lens: Option<Lens>,
    /// The words that are looked for, each with the kinds of messages whose names have it.
    sought: Vec<(String, Vec<&'static str>)>,
}

impl Diagram {
    pub(crate) fn of(model: &Model, width: f64, height: f64) -> Self {
        let sim = model.sim();
        let now = model.run.now().0 as f64;
        let span = span(model);
        let from = match model.pan {
            Some(left) => left.0 as f64,
            None => follow(now, span),
        };
        let mut diagram = Self {
            width,
            height,
            lanes: sim
                .nodes()
                .map(End::Node)
                .filter(|end| has_lane(model, *end))
                .collect(),
            without: 0,
            from,
            span,
            start: sim.config().start,
            now,
            ways: Vec::new(),
            pieces: Vec::new(),
            marks: Vec::new(),
            lens: Lens::of(model),
            sought: sought(model),
        };
        diagram.take_ways(model);
        let clients = diagram.ways.iter().flat_map(|way| [way.from, way.to]);
        let mut clients: Vec<End> = clients
            .filter(|end| matches!(end, End::Client(_)))
            .map(shared)
            .collect();
        clients.sort_unstable();
        clients.dedup();
        let room = ((height - FOOT) / LANE) as usize;
        let room = room.saturating_sub(diagram.lanes.len()).max(1);
        diagram.without = clients.len().saturating_sub(room);
        clients.truncate(room);
        diagram.lanes.extend(clients);
        diagram.take_journal(model);
        diagram
    }

    fn take_ways(&mut self, model: &Model) {
        let left = self.start.0 + self.from as u64;
        let right = left + self.span as u64;
        let under_way = model.sim().flights().map(|flight| {
            let ends = (flight.from, flight.to);
            Stroke::under_way(
                flight.id,
                ends,
                (flight.sent, flight.arrives),
                &flight.cargo,
            )
        });
        let ended = model.run.strokes().iter().rev();
        let ended = ended.take_while(|way| left <= way.ended.0).copied();
        let shown = |way: &Stroke| {
            let has_lanes = has_lane(model, way.from) && has_lane(model, way.to);
            way.sent.0 <= right && (!model.muted || !way.beat) && has_lanes
        };
        self.ways = under_way.chain(ended).filter(shown).take(WAYS).collect();
    }

    /// Roles and marks, from what the nodes said of themselves.
    fn take_journal(&mut self, model: &Model) {
        let nodes = model.run.nodes;
        // How each node is: since when, how, in which term.
        let boot = (0.0, State::Up(Role::Follower), 0);
        let mut present = vec![boot; usize::from(nodes)];
        let mut change = |diagram: &mut Self, node: NodeId, at: f64, state, term: Option<u64>| {
            let Some(one) = present.get_mut((node.0 as usize).wrapping_sub(1)) else {
                return;
            };
            let (from, old, old_term) = *one;
            diagram.piece(node, (from, at), old, old_term);
            *one = (at, state, term.unwrap_or(old_term));
        };
        for event in model.run.journal() {
            let at = model.run.since_start(event.time).0 as f64;
            let (mark, bad) = match &event.what {
                What::Note {
                    node,
                    note: Note::Raft(RaftNote::Role { role, term, .. }),
                } => {
                    change(self, *node, at, State::Up(*role), Some(term.0));
                    continue;
                }
                What::Died { node, .. } => {
                    change(self, *node, at, State::Down, None);
                    continue;
                }
                What::Halted { node, .. } => {
                    change(self, *node, at, State::Down, None);
                    (Some(*node), true)
                }
                What::Violated(_) => (None, true),
                What::Intervened(deed) => {
                    match deed {
                        Intervention::Restart(node) => {
                            change(self, *node, at, State::Up(Role::Follower), None);
                        }
                        Intervention::Pause(node) => change(self, *node, at, State::Paused, None),
                        Intervention::Resume(node) => {
                            change(self, *node, at, State::Up(Role::Follower), None);
                        }
                        _ => {}
                    }
                    (deed.members().next(), false)
                }
                _ => continue,
            };
            if self.from <= at {
                let x = self.x(at);
                self.marks.push(Mark { node: mark, x, bad });
            }
        }
        for (place, (from, state, term)) in present.into_iter().enumerate() {
            // What is now can be seen, whatever was said before.
            let node = NodeId(place as u64 + 1);
            let state = match model.sim().node(node) {
                None => State::Down,
                Some(_) if model.sim().is_paused(node) => State::Paused,
                Some(view) if state == State::Up(Role::Follower) => State::Up(view.role()),
                Some(_) => state,
            };
            self.piece(node, (from, self.now), state, term);
        }
    }

    fn piece(&mut self, node: NodeId, (from, to): (f64, f64), state: State, term: u64) {
        if self.from <= to {
            let (from, to) = (self.x(from.max(self.from)), self.x(to));
            self.pieces.push(Piece {
                node,
                from,
                to,
                state,
                term,
            });
        }
    }

    /// Whether a message is among those that are looked at and looked for.
    pub(crate) fn is_bright(&self, way: &Stroke) -> bool {
        let found = |(word, kinds): &(String, Vec<&str>)| {
            kinds.contains(&way.kind) || [way.from, way.to].iter().any(|end| name(*end) == *word)
        };
        self.lens.as_ref().is_none_or(|lens| lens.shows(way)) && self.sought.iter().all(found)
    }

    /// The place of a time.
    pub(crate) fn x(&self, us: f64) -> f64 {
        LEFT + (self.width - LEFT) * (us - self.from) / self.span
    }

    /// The same of a moment, within the part that is known.
    pub(crate) fn x_of(&self, time: Time) -> f64 {
        self.x((time.since(self.start).0 as f64).clamp(self.from, self.now.max(self.from)))
    }

    /// The time at a place.
    pub(crate) fn time(&self, x: f64) -> f64 {
        self.from + (x - LEFT).max(0.0) * self.span / (self.width - LEFT).max(1.0)
    }

    /// The middle of a lane.
    pub(crate) fn y(&self, end: End) -> Option<f64> {
        let end = shared(end);
        let lane = self.lanes.iter().position(|lane| *lane == end)?;
        let height = (self.height - FOOT) / self.lanes.len() as f64;
        Some(height * (lane as f64 + 0.5))
    }

    /// The two ends of a way, the second where it has come to.
    pub(crate) fn way(&self, way: &Stroke) -> Option<[f64; 4]> {
        let (from, to) = (self.y(way.from)?, self.y(way.to)?);
        let us = |time: Time| time.since(self.start).0 as f64;
        let (sent, ended) = (us(way.sent), us(way.ended).min(self.from + self.span * 2.0));
        let part = f64::from(way.per_mille) / 1_000.0;
        Some([self.x(sent), from, self.x(ended), from + (to - from) * part])
    }

    /// The way that passes nearest to a place, if one is near.
    pub(crate) fn near(&self, x: f64, y: f64) -> Option<&Stroke> {
        let near = self.ways.iter().filter_map(|way| {
            let [ax, ay, bx, by] = self.way(way)?;
            let (dx, dy) = (bx - ax, by - ay);
            let square = (dx * dx + dy * dy).max(1.0);
            let part = (((x - ax) * dx + (y - ay) * dy) / square).clamp(0.0, 1.0);
            let away = (x - ax - part * dx).hypot(y - ay - part * dy);
            (away < 7.0).then_some((away, way))
        });
        near.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, way)| way)
    }

    /// A moment at which a message was under way.
    pub(crate) fn middle(&self, way: &Stroke) -> u64 {
        let (sent, ended) = (way.sent.since(self.start).0, way.ended.since(self.start).0);
        let now = self.now as u64;
        sent + (ended.min(now).saturating_sub(sent)) / 2
    }

    /// Times to write below the lanes: where, and which.
    pub(crate) fn ticks(&self) -> Vec<(f64, u64)> {
        let mut step = 1_000.0;
        for factor in [2.0, 2.5, 2.0].into_iter().cycle() {
            if self.span / step <= 7.0 {
                break;
            }
            step *= factor;
        }
        let mut at = (self.from / step).ceil() * step;
        let mut ticks = Vec::new();
        while at < self.from + self.span {
            ticks.push((self.x(at), at as u64));
            at += step;
        }
        ticks
    }
}

/// Microseconds over the whole width.
fn span(model: &Model) -> f64 {
    250_000.0 * f64::from(model.zoom).exp2()
}

/// The left edge while the picture follows this moment.
fn follow(now: f64, span: f64) -> f64 {
    (now - span * PAST).max(0.0)
}

impl Model {
    /// Where the left edge stands after a move by so many thousandths of the width; nowhere if that comes to the
    /// present.
    pub(crate) fn panned(&self, by: i64) -> Option<Span> {
        let span = span(self);
        let present = follow(self.run.now().0 as f64, span);
        let here = self.pan.map_or(present, |left| left.0 as f64);
        let there = (here + span * by as f64 / 1_000.0).max(0.0);
        (there < present).then_some(Span(there as u64))
    }
}

/// The name of a lane.
pub(crate) fn name(end: End) -> String {
    match end {
        End::Node(id) => id.to_string(),
        End::Client(client) if client < LOAD => sentence::client_name(client),
        End::Client(_) => "w".to_owned(),
    }
}

fn has_lane(model: &Model, end: End) -> bool {
    let place = match end {
        End::Node(id) => id.0,
        End::Client(_) => 0,
    };
    (model.laneless >> place) & 1 == 0
}

fn sought(model: &Model) -> Vec<(String, Vec<&'static str>)> {
    let words = model.sought.split_whitespace().map(str::to_ascii_lowercase);
    let found = words.map(|word| {
        let has = |kind: &&str| model.words.get(kind).to_ascii_lowercase().contains(&word);
        let kinds = KINDS.into_iter().filter(has).collect();
        (word, kinds)
    });
    found.collect()
}

/// The lane of an end: the clients of the load share theirs.
fn shared(end: End) -> End {
    match end {
        End::Client(client) if LOAD <= client => End::Client(LOAD),
        end => end,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::i18n::Lang;
    use crate::state::{Action, Model};

    fn led() -> Model {
        let mut model = Model::new(5, 42, Lang::En);
        model.seek(Span::from_ms(1_500));
        model
    }

    #[test]
    fn a_message_is_drawn_from_where_it_left_to_where_it_arrived() {
        let model = led();
        let diagram = Diagram::of(&model, 1_000.0, 200.0);
        assert!(10 < diagram.ways.len(), "{}", diagram.ways.len());
        for way in diagram.ways.iter().filter(|way| way.event > 0) {
            let [ax, ay, bx, by] = diagram.way(way).expect("both ends have lanes");
            assert!(ax <= bx && bx <= diagram.x(diagram.now) + 0.01);
            assert!((ay - by).abs() > 1.0, "from one lane to another");
            let found = diagram.near((ax + bx) / 2.0, (ay + by) / 2.0);
            assert!(found.is_some());
        }
    }

    #[test]
    fn a_click_on_a_way_goes_to_a_moment_at_which_it_was_under_way() {
        let mut model = led();
        let (id, at) = {
            let diagram = Diagram::of(&model, 1_000.0, 200.0);
            let way = diagram.ways.iter().find(|way| way.event > 0).expect("some");
            (way.flight, Span(diagram.middle(way)))
        };
        assert!(model.sim().flight(id).is_none(), "it has arrived");
        model.update(Action::GoToFlight(id, at));
        assert_eq!(model.message().map(|flight| flight.id), Some(id));
        assert_eq!(model.run.now(), at);
    }

    #[test]
    fn a_lane_shows_who_led_and_who_was_down() {
        let mut model = led();
        let leader = model.leader().expect("a leader");
        model.update(Action::Select(Some(crate::state::Selection::Node(leader))));
        model.update(Action::Kill);
        model.seek(Span::from_ms(1_600));
        let diagram = Diagram::of(&model, 1_000.0, 200.0);
        let of = |state| {
            let mut pieces = diagram.pieces.iter();
            pieces
                .any(|piece| piece.node == leader && piece.state == state && piece.from < piece.to)
        };
        assert!(of(State::Up(Role::Leader)) && of(State::Down));
        assert!(
            diagram
                .marks
                .iter()
                .any(|mark| mark.node == Some(leader) && !mark.bad)
        );
    }

    #[test]
    fn as_many_clients_have_lanes_as_there_is_room_for() {
        let mut model = led();
        for client in 1..=12 {
            let line = format!("client-{client} at {}", client % 5 + 1);
            model.update(Action::Line(line));
        }
        model.seek(Span(model.run.now().0 + 100_000));
        let clients = |height| {
            let diagram = Diagram::of(&model, 1_000.0, height);
            let is_client = |end: &&End| matches!(end, End::Client(_));
            let lanes = diagram.lanes.iter().filter(is_client).count();
            let ys = diagram.lanes.iter().filter_map(|end| diagram.y(*end));
            let ys: Vec<f64> = ys.collect();
            assert!(ys.windows(2).all(|pair| LANE <= pair[1] - pair[0] + 0.01));
            (lanes, diagram.without)
        };
        assert_eq!(clients(200.0), (7, 5));
        assert_eq!(clients(400.0), (12, 0));
    }

    #[test]
    fn the_picture_is_moved_into_the_past_and_back_to_the_present() {
        let mut model = led();
        let edge = |model: &Model| Diagram::of(model, 1_000.0, 200.0).time(LEFT);
        let present = edge(&model);
        model.update(Action::Pan(-500));
        let past = edge(&model);
        assert!((present - past - 250_000.0).abs() < 1.0, "{present} {past}");
        let diagram = Diagram::of(&model, 1_000.0, 200.0);
        let right = diagram.time(1_000.0);
        assert!(10 < diagram.ways.len());
        let sent = |way: &Stroke| way.sent.since(model.sim().config().start).0 as f64;
        assert!(diagram.ways.iter().all(|way| sent(way) <= right));
        // It stays where it is while time goes on, and never stands before the start.
        model.run.advance(Span::from_ms(1_600), u64::MAX);
        assert_eq!(edge(&model), past);
        model.update(Action::Pan(-100_000));
        assert_eq!(edge(&model), 0.0);
        model.update(Action::Pan(100_000));
        assert_eq!(model.pan, None);
    }

    #[test]
    fn lanes_are_hidden_and_messages_found_by_words() {
        let mut model = led();
        let leader = model.leader().expect("a leader");
        let all = Diagram::of(&model, 1_000.0, 200.0);
        let bright = |model: &Model| {
            let diagram = Diagram::of(model, 1_000.0, 200.0);
            let bright = diagram.ways.iter().filter(|way| diagram.is_bright(way));
            bright.copied().collect::<Vec<Stroke>>()
        };
        assert_eq!(bright(&model), all.ways, "nothing is looked for");
        model.update(Action::Seek(format!("Heartbeat {leader}")));
        let found = bright(&model);
        assert!(!found.is_empty());
        let from_or_to = |way: &Stroke| [way.from, way.to].contains(&End::Node(leader));
        assert!(
            found
                .iter()
                .all(|way| way.kind.starts_with("kind-heartbeat") && from_or_to(way))
        );
        model.update(Action::Seek("vote zzz".to_owned()));
        assert!(bright(&model).is_empty());
        model.update(Action::Seek(String::new()));
        model.update(Action::Lane(leader.0));
        assert!(!bright(&model).iter().any(from_or_to));
        assert_eq!(Diagram::of(&model, 1_000.0, 200.0).lanes.len(), 4);
        model.update(Action::Lane(leader.0));
        assert_eq!(bright(&model), all.ways);
    }

    #[test]
    fn times_are_written_in_round_steps() {
        let mut model = led();
        for zoom in -4..=8 {
            model.zoom = zoom;
            let ticks = Diagram::of(&model, 1_000.0, 200.0).ticks();
            assert!((2..=8).contains(&ticks.len()), "{zoom}: {ticks:?}");
        }
    }
}

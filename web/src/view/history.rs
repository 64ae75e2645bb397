//! What clients asked and were told: a bar for each call from its question to its answer, faults behind
//! them, and what the core makes of it all. Which reads were old, and by how much; which writes nobody
//! knows anything about, and why. The chart is for the eye, the list below it says the same.

mod groups;
mod plot;

use std::collections::BTreeMap;

use otterkeeper_core::id::NodeId;
use otterkeeper_core::node::Note;
use otterkeeper_core::raft::note::{Note as RaftNote, Role};
use otterkeeper_core::request::{Request, Response};
use otterkeeper_core::sim::linear::{Behind, Judgement};
use otterkeeper_core::sim::{Call, CallEnd, ClientEvent, ClientId, Event, Intervention, What};
use otterkeeper_core::time::{Span, Time};
use wasm_bindgen::JsCast;
use yew::prelude::*;

use crate::command;
use crate::desk::Seen;
use crate::frame::seconds;
use crate::i18n::{Word, Words};
use crate::sentence;
use crate::state::{Action, Choice, Model};
use crate::view::icon::{self, icon};
use crate::view::story::misfit;

/// Width of the chart in its own units, and where its bars begin.
const WIDTH: f64 = 312.0;
const LEFT: f64 = 26.0;
/// Height of a bar with its gap, and of a strip that names a fault.
const BAR: f64 = 11.0;
const STRIP: f64 = 14.0;
/// Bars and lines drawn at once, the newest.
const BARS: usize = 150;
const SHOWN: usize = 40;
/// Clients with a lane.
const LANES: usize = 12;
/// Seconds to choose from; 0 is the whole run.
const WINDOWS: [u32; 4] = [1, 5, 30, 0];

/// A call, and what came of it.
#[derive(Clone, Copy)]
struct Bar<'a> {
    client: ClientId,
    call: &'a Call,
    /// `ok`, `failed`, `unknown` or `open`.
    state: &'static str,
    write: bool,
    end: Option<Time>,
    behind: Option<Behind>,
}

/// Something was broken from one moment to another.
struct Band {
    from: Span,
    to: Span,
    text: String,
}

#[component]
pub(crate) fn History(seen: &Seen) -> Html {
    let model = seen.desk.read();
    let words = &model.words;
    let all = asked(&model);
    let bars = newest(&model, &all);
    let windows = WINDOWS.into_iter().map(|seconds| {
        let name = match seconds {
            0 => words.get("history-all"),
            _ => format!("{seconds} s"),
        };
        html! { <button key={seconds} class="btn" aria-pressed={(model.choices.window == seconds).to_string()} onclick={seen.desk.on(Action::Choose(Choice::Window(seconds)))}>{ name }</button> }
    });
    let windows: Vec<Html> = windows.collect();
    html! {
        <section class="panel right history" role="tabpanel" aria-label={words.get("tab-history")}>
            { verdicts(seen, &model, &bars) }
            <div class="seg windows" role="group" aria-label={words.get("history-window")}>{ windows }</div>
            { if bars.is_empty() {
                html! { <p class="empty">{ words.get("history-none") }</p> }
            } else {
                let callers = groups::callers(&model, &all);
                let some = match callers.len() == all.len() { true => bars, false => newest(&model, &callers) };
                let shown = groups::shown(&model, &some);
                html! { <>{ groups::buttons(seen, &model, &all, &some, shown.len()) }{ chart(seen, &model, &shown) }{ list(seen, &model, &shown) }</> }
            } }
        </section>
    }
}

/// All calls of the window, in the order of their questions.
fn asked(model: &Model) -> Vec<Bar<'_>> {
    let sim = model.sim();
    let from = match model.choices.window {
        0 => Time(0),
        seconds => Time(sim.now().0.saturating_sub(u64::from(seconds) * 1_000_000)),
    };
    let calls = sim.callers().flat_map(|client| {
        let calls = sim.history(client);
        calls.map(move |call| (client, call))
    });
    let bars = calls.filter_map(|(client, call)| {
        let (state, end) = match &call.end {
            None => ("open", None),
            Some(CallEnd::Returned { time, reply, .. }) => match reply.result {
                Ok(_) => ("ok", Some(*time)),
                Err(_) => ("failed", Some(*time)),
            },
            Some(CallEnd::Unknown { time }) => ("unknown", Some(*time)),
        };
        let asked = !matches!(call.request, Request::Ping | Request::Connect(_));
        let shown = end.is_none_or(|end| from <= end);
        (asked && shown).then_some(Bar {
            client,
            call,
            state,
            write: matches!(
                call.request,
                Request::Write(_) | Request::Multi(_) | Request::Once(_) | Request::Reconfig(_)
            ),
            end,
            behind: None,
        })
    });
    let mut bars: Vec<Bar<'_>> = bars.collect();
    bars.sort_by_key(|bar| bar.call.invoked);
    bars
}

/// The newest of them, and which of these were old.
fn newest<'a>(model: &Model, bars: &[Bar<'a>]) -> Vec<Bar<'a>> {
    let mut bars = bars[bars.len().saturating_sub(BARS)..].to_vec();
    let since = bars.first().map_or(Time::NEVER, |bar| bar.call.invoked);
    let behind = model.sim().behind(since);
    for bar in &mut bars {
        bar.behind = behind.get(&(bar.client, bar.call.tag)).copied();
    }
    bars
}

/// Both contracts in a sentence each.
fn verdicts(seen: &Seen, model: &Model, bars: &[Bar<'_>]) -> Html {
    let words = &model.words;
    let order = match &model.judged.order {
        Judgement::Order {
            calls: 0,
            unchecked: 0,
            ..
        } => html! {},
        Judgement::Order {
            calls,
            unchecked,
            undecided,
        } => {
            let mut text = words.with("history-order", &[("n", (*calls as u64).into())]);
            if 0 < *unchecked {
                text += " ";
                text += &words.with("history-unchecked", &[("n", (*unchecked as u64).into())]);
            }
            if !undecided.is_empty() {
                text += " ";
                text += &words.with(
                    "history-undecided",
                    &[("paths", undecided.join(", ").into())],
                );
            }
            html! { <p class="judged" data-testid="order" data-state="ok">{ icon(icon::TICK) }<span>{ text }</span></p> }
        }
        Judgement::Undecided => {
            html! { <p class="judged" data-testid="order" data-state="unknown">{ icon(icon::MINUS) }<span>{ words.get("history-unjudged") }</span></p> }
        }
        Judgement::Broken { at, why } => html! {
            <button class="judged" data-testid="order" data-state="broken" onclick={seen.desk.on(Action::GoTo(model.run.since_start(*at)))}>
                { icon(icon::CROSS) }<span><b>{ words.get("history-broken") }</b>{ " " }{ misfit(model, why) }</span>
            </button>
        },
    };
    let plain = |bar: &&Bar<'_>| matches!(bar.call.request, Request::Read(_)) && bar.state == "ok";
    let reads = bars.iter().filter(plain).count() as u64;
    let old: Vec<u64> = bars
        .iter()
        .filter_map(|bar| Some(bar.behind?.by.0))
        .collect();
    let fresh = match old.iter().max() {
        _ if reads == 0 => html! {},
        None => {
            html! { <p class="judged" data-testid="behind" data-n="0" data-state="ok">{ icon(icon::TICK) }<span>{ words.get("history-fresh") }</span></p> }
        }
        Some(most) => {
            let arguments = [
                ("n", (old.len() as u64).into()),
                ("all", reads.into()),
                ("ms", milliseconds(*most).into()),
            ];
            html! { <p class="judged" data-testid="behind" data-n={old.len().to_string()} data-state="allowed">{ icon(icon::CLOCK) }<span>{ words.with("history-behind", &arguments) }</span></p> }
        }
    };
    let answered = bars
        .iter()
        .filter(|bar| matches!(bar.state, "ok" | "failed"));
    let took = answered.filter_map(|bar| Some(bar.end?.since(bar.call.invoked).0));
    let mut took: Vec<u64> = took.collect();
    took.sort_unstable();
    let pace = took.last().map(|most| {
        let middle = took[took.len() / 2];
        let arguments = [("ms", milliseconds(middle).into()), ("most", milliseconds(*most).into())];
        html! { <p class="judged" data-testid="pace">{ icon(icon::CLOCK) }<span>{ words.with("history-pace", &arguments) }</span></p> }
    });
    html! { <>{ order }{ fresh }{ for pace }</> }
}

fn chart(seen: &Seen, model: &Model, bars: &[Bar<'_>]) -> Html {
    let words = &model.words;
    if bars.is_empty() {
        return html! {};
    }
    let start = model.sim().config().start;
    let now = model.run.now();
    let first = bars
        .first()
        .map_or(now, |bar| model.run.since_start(bar.call.invoked));
    let from = match model.choices.window {
        0 => first,
        seconds => Span(now.0.saturating_sub(u64::from(seconds) * 1_000_000)),
    };
    let bands = bands(model, from);
    let turns = bars.iter().flat_map(|bar| {
        let end = bar.end.map_or(now, |end| model.run.since_start(end));
        [model.run.since_start(bar.call.invoked), end]
    });
    let faults = bands.iter().flat_map(|band| [band.from, band.to]);
    let commits = commits(model);
    let axis = Axis::of(from, now, turns.chain(faults));
    let x = |at: Span| LEFT + (WIDTH - LEFT) * axis.part(at);
    let top = STRIP * bands.len().min(5) as f64 + 4.0;
    // A lane for each client; calls that overlap lie under one another.
    let mut lanes: BTreeMap<ClientId, Vec<Time>> = BTreeMap::new();
    let mut placed = Vec::new();
    let mut without: Vec<ClientId> = Vec::new();
    for bar in bars {
        if lanes.len() == LANES && !lanes.contains_key(&bar.client) {
            without.push(bar.client);
            continue;
        }
        let ends = lanes.entry(bar.client).or_default();
        let end = bar.end.unwrap_or(Time::NEVER);
        let row = ends.iter().position(|busy| *busy <= bar.call.invoked);
        let row = match row {
            Some(row) => row,
            None if ends.len() < 3 => {
                ends.push(end);
                ends.len() - 1
            }
            None => 2,
        };
        ends[row] = ends[row].max(end);
        placed.push((bar, row));
    }
    let mut y = top;
    let mut tops = BTreeMap::new();
    let names: Vec<Html> = lanes
        .iter()
        .map(|(client, rows)| {
            let height = rows.len() as f64 * BAR + 7.0;
            tops.insert(*client, y + 3.0);
            let (line, middle) = (y, y + height / 2.0);
            y += height;
            html! {
                <g key={client.0}><path class="lane" d={format!("M0 {line:.1}H{WIDTH}")} /><text class="who" x="10" y={format!("{:.1}", middle + 4.0)}>{ sentence::client_name(*client) }</text></g>
            }
        })
        .collect();
    let bottom = y;
    let bands = bands.iter().take(5).enumerate().map(|(row, band)| {
        let (left, right) = (x(band.from), x(band.to));
        let (left, wide) = (format!("{left:.1}"), format!("{:.1}", (right - left).max(2.0)));
        let y = (row as f64 * STRIP).to_string();
        html! {
            <g key={row}>
                <rect class="band" x={left.clone()} y="0" width={wide.clone()} height={format!("{bottom:.1}")} />
                <svg x={left} {y} width={wide} height={STRIP.to_string()}><rect class="strip" width="100%" height="13" rx="2" /><text x="4" y="10">{ &band.text }</text></svg>
                <title>{ &band.text }</title>
            </g>
        }
    });
    let bands: Vec<Html> = bands.collect();
    let drawn = placed.iter().map(|(bar, row)| {
        let left = x(model.run.since_start(bar.call.invoked));
        let right = x(Span(bar.end.map_or(now.0, |end| end.since(start).0)));
        let y = tops.get(&bar.client).copied().unwrap_or(top) + *row as f64 * BAR;
        let class = classes!(
            "bar",
            bar.state,
            bar.write.then_some("write"),
            bar.behind.is_some().then_some("behind")
        );
        let key = format!("{}-{}", bar.client.0, bar.call.tag);
        let point = committed(bar, &commits).map(|(_, at)| html! { <path class="point" data-testid="point" d={format!("M{:.1} {:.1}v13", x(at), y - 2.0)} /> });
        html! {
            <g {key}><rect {class} x={format!("{left:.1}")} y={format!("{y:.1}")} width={format!("{:.1}", (right - left).max(3.0))} height="9" rx="2" data-at={moment(model, bar).0.to_string()}>
                <title>{ format!("{}: {}", sentence::client_name(bar.client), command::typed(&bar.call.request)) }</title>
            </rect>{ for point }</g>
        }
    });
    let drawn: Vec<Html> = drawn.collect();
    let height = bottom + 16.0;
    without.sort_unstable();
    without.dedup();
    let without = (!without.is_empty()).then(|| {
        let n = Word::Count(without.len() as u64);
        html! { <p class="sub" data-testid="without-lane">{ words.with("history-without", &[("n", n)]) }</p> }
    });
    html! {
        <>
        <svg class="chart" viewBox={format!("0 0 {WIDTH} {height:.0}")} role="img" aria-label={words.with("history-chart", &[("n", (lanes.len() as u64).into())])} data-testid="history" onclick={go(seen)}>
            { bands }{ names }<path class="lane" d={format!("M0 {bottom:.1}H{WIDTH}")} />{ drawn }
            <text class="tick" x={LEFT.to_string()} y={format!("{:.1}", bottom + 12.0)}>{ seconds(from.0) }</text>
            <text class="tick end" x={WIDTH.to_string()} y={format!("{:.1}", bottom + 12.0)}>{ seconds(now.0) }</text>
        </svg>
        { for without }
        { plot::plot(model, bars, x) }
        </>
    }
}

/// When each entry was first known to be committed: the greatest index, and the moment.
fn commits(model: &Model) -> Vec<(u64, Span)> {
    let mut commits: Vec<(u64, Span)> = Vec::new();
    for event in model.run.journal() {
        if let What::Note {
            note: Note::Raft(RaftNote::Committed { index }),
            ..
        } = &event.what
            && commits.last().is_none_or(|(known, _)| *known < index.0)
        {
            commits.push((index.0, model.run.since_start(event.time)));
        }
    }
    commits
}

/// The place of a write in the one order, and the moment from which it stood there.
fn committed(bar: &Bar<'_>, commits: &[(u64, Span)]) -> Option<(u64, Span)> {
    let Some(CallEnd::Returned { zxid, .. }) = &bar.call.end else {
        return None;
    };
    let place = commits.partition_point(|(index, _)| *index < zxid.0);
    let written = bar.write && bar.state == "ok";
    let (_, at) = commits.get(place).filter(|_| written)?;
    Some((zxid.0, *at))
}

/// Time, stretched where much happens: a call takes milliseconds, and the next one may come seconds later.
struct Axis {
    /// Moments, and how far along the axis each is, from 0 to 1.
    stops: Vec<(u64, f64)>,
}

impl Axis {
    fn of(from: Span, to: Span, turns: impl Iterator<Item = Span>) -> Self {
        let within = turns.map(|at| at.0.clamp(from.0, to.0));
        let mut moments: Vec<u64> = within.chain([from.0, to.0]).collect();
        moments.sort_unstable();
        moments.dedup();
        // Half of the width by the clock, half in equal parts from each moment to the next.
        let all = (to.0 - from.0).max(1) as f64;
        let gaps = moments.len().saturating_sub(1).max(1) as f64;
        let stop = |(place, at): (usize, &u64)| {
            let clock = (at - from.0) as f64 / all;
            (*at, (clock + place as f64 / gaps) / 2.0)
        };
        Self {
            stops: moments.iter().enumerate().map(stop).collect(),
        }
    }

    fn part(&self, at: Span) -> f64 {
        let next = self.stops.partition_point(|(stop, _)| *stop < at.0);
        match (self.stops.get(next.wrapping_sub(1)), self.stops.get(next)) {
            (Some((before, low)), Some((after, high))) => {
                let share = (at.0 - before) as f64 / (after - before).max(1) as f64;
                low + (high - low) * share
            }
            (None, Some((_, first))) => *first,
            _ => 1.0,
        }
    }
}

/// The newest calls in words.
fn list(seen: &Seen, model: &Model, bars: &[Bar<'_>]) -> Html {
    let words = &model.words;
    let commits = commits(model);
    let lines = bars.iter().rev().take(SHOWN).map(|bar| {
        let (answer, mark) = answer(words, bar);
        let took = plot::took(bar).map(|us| {
            let arguments = [("ms", milliseconds(us).into())];
            html! { <>{ " + " }{ words.with("history-ms", &arguments) }</> }
        });
        let behind = bar.behind.map(|behind| {
            let (client, tag) = behind.missed;
            let missed = model.sim().history(client).find(|call| call.tag == tag);
            let arguments = [
                ("ms", milliseconds(behind.by.0).into()),
                ("client", sentence::client_name(client).into()),
                ("what", missed.map(|call| command::typed(&call.request)).unwrap_or_default().into()),
            ];
            html! { <small class="allowed">{ words.with("history-allowed", &arguments) }</small> }
        });
        let place = committed(bar, &commits).map(|(index, at)| {
            let arguments = [("n", index.into()), ("at", seconds(at.0).into())];
            html! { <small>{ words.with("history-place", &arguments) }</small> }
        });
        let misfit = matches!(&model.judged.order, Judgement::Broken { at, .. } if bar.end == Some(*at));
        let misfit = misfit.then(|| html! { <small class="misfit">{ words.get("history-misfit") }</small> });
        let state = if misfit.is_some() { "misfit" } else { bar.state };
        html! {
            <li key={format!("{}-{}", bar.client.0, bar.call.tag)} data-state={state} data-testid="call">
                <button data-at={moment(model, bar).0.to_string()}>
                    <b class="who you" aria-hidden="true">{ sentence::client_name(bar.client) }</b>
                    <span><code>{ command::typed(&bar.call.request) }</code>
                        <span class="answer">{ icon(mark) }{ answer }</span>
                        { for place }{ for behind }{ for misfit }{ for fate(model, bar) }
                        <time>{ seconds(model.run.since_start(bar.call.invoked).0) }{ for took }</time>
                    </span>
                </button>
            </li>
        }
    });
    let lines: Vec<Html> = lines.collect();
    html! { <ol class="calls" onclick={go(seen)}>{ lines }</ol> }
}

/// What came back, in a few words.
fn answer(words: &Words, bar: &Bar<'_>) -> (String, &'static str) {
    match &bar.call.end {
        None => (words.get("history-open"), icon::MINUS),
        Some(CallEnd::Unknown { .. }) => (words.get("history-unknown"), icon::MINUS),
        Some(CallEnd::Returned { reply, .. }) => match &reply.result {
            Err(error) => (command::error_name(*error).to_owned(), icon::CROSS),
            Ok(Response::Data { data, .. }) => (command::show(data.as_deref()), icon::TICK),
            Ok(Response::Created { path, .. }) => (path.clone(), icon::TICK),
            Ok(Response::Children { names, .. }) => (format!("[{}]", names.join(", ")), icon::TICK),
            Ok(_) => (words.get("history-ok"), icon::TICK),
        },
    }
}

/// Of a call without an answer: what its client was told, and whether its member lost the lead meanwhile.
fn fate(model: &Model, bar: &Bar<'_>) -> Vec<Html> {
    let words = &model.words;
    if !matches!(bar.state, "unknown" | "open") {
        return Vec::new();
    }
    let until = bar.end.unwrap_or(model.sim().now());
    let mut found = Vec::new();
    let mut led = false;
    for event in model.run.journal() {
        if until < event.time {
            break;
        }
        match &event.what {
            What::Note {
                node,
                note: Note::Raft(RaftNote::Role { role, .. }),
            } if *node == bar.call.node => {
                let deposed = led && *role == Role::Follower && bar.call.invoked <= event.time;
                if deposed {
                    found.push(sentence::sentence(words, event));
                }
                led = *role == Role::Leader;
            }
            What::Client {
                client,
                event: ClientEvent::Disconnected { reason },
            } if *client == bar.client && event.time == until && bar.end.is_some() => {
                let why = sentence::hangup(words, *reason);
                found.push(words.with("history-told", &[("why", why.into())]));
            }
            _ => {}
        }
    }
    found
        .into_iter()
        .map(|text| html! { <small>{ text }</small> })
        .collect()
}

/// Goes to the moment of the call that is clicked. One listener serves all calls, because each drawing would make
/// hundreds of them.
fn go(seen: &Seen) -> Callback<MouseEvent> {
    let desk = seen.desk.clone();
    Callback::from(move |event: MouseEvent| {
        let target = event
            .target()
            .and_then(|target| target.dyn_into::<web_sys::Element>().ok());
        let call = target.and_then(|target| target.closest("[data-at]").ok().flatten());
        if let Some(us) = call.and_then(|call| call.get_attribute("data-at")?.parse().ok()) {
            desk.act(Action::GoTo(Span(us)));
        }
    })
}

/// Where a click on a call leads: to its end, or to its question while it waits.
fn moment(model: &Model, bar: &Bar<'_>) -> Span {
    model.run.since_start(bar.end.unwrap_or(bar.call.invoked))
}

/// What was broken in the window, and for how long.
fn bands(model: &Model, from: Span) -> Vec<Band> {
    let mut open: BTreeMap<(&'static str, Option<NodeId>), Span> = BTreeMap::new();
    let mut cuts = 0_u32;
    let mut bands = Vec::new();
    let words = &model.words;
    let close = |bands: &mut Vec<Band>, key: (&'static str, Option<NodeId>), begun, to| {
        if from <= to {
            let node = key.1.map_or(0, |node| node.0);
            let text = words.with(key.0, &[("node", node.into())]);
            bands.push(Band {
                from: begun,
                to,
                text,
            });
        }
    };
    for event in model.run.journal() {
        let at = model.run.since_start(event.time);
        for (key, begins) in faults(event, &mut cuts) {
            if begins {
                open.entry(key).or_insert(at);
            } else if let Some(begun) = open.remove(&key) {
                close(&mut bands, key, begun, at);
            }
        }
        if matches!(event.what, What::Intervened(Intervention::HealAll)) {
            let healed = |key: &(&'static str, Option<NodeId>)| {
                matches!(key.0, "band-isolated" | "band-cut")
            };
            let keys: Vec<_> = open.keys().copied().filter(healed).collect();
            for key in keys {
                if let Some(begun) = open.remove(&key) {
                    close(&mut bands, key, begun, at);
                }
            }
            cuts = 0;
        }
    }
    for (key, begun) in open {
        close(&mut bands, key, begun, model.run.now());
    }
    bands.sort_by_key(|band| band.from);
    let skip = bands.len().saturating_sub(5);
    bands.drain(..skip);
    bands
}

/// Which faults an event begins or ends.
fn faults(event: &Event, cuts: &mut u32) -> Vec<((&'static str, Option<NodeId>), bool)> {
    let one = |key, node: NodeId, begins| vec![((key, Some(node)), begins)];
    match &event.what {
        What::Died { node, .. } => one("band-down", *node, true),
        What::Booted { node } => one("band-down", *node, false),
        What::Intervened(deed) => match deed {
            Intervention::Kill(node) | Intervention::Crash { node, .. } => {
                one("band-down", *node, true)
            }
            Intervention::Restart(node) => one("band-down", *node, false),
            Intervention::Pause(node) => one("band-paused", *node, true),
            Intervention::Resume(node) => one("band-paused", *node, false),
            Intervention::Isolate(node) => one("band-isolated", *node, true),
            Intervention::Rejoin(node) => one("band-isolated", *node, false),
            Intervention::FreezeDisk(node) => one("band-frozen", *node, true),
            Intervention::ThawDisk(node) => one("band-frozen", *node, false),
            Intervention::Cut { .. } => {
                *cuts += 1;
                vec![(("band-cut", None), true)]
            }
            Intervention::Heal { .. } => {
                *cuts = cuts.saturating_sub(1);
                match cuts {
                    0 => vec![(("band-cut", None), false)],
                    _ => Vec::new(),
                }
            }
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// Milliseconds with one digit behind the point below ten.
fn milliseconds(us: u64) -> String {
    match us {
        0..10_000 => format!("{}.{}", us / 1_000, us % 1_000 / 100),
        _ => format!("{}", us / 1_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_stand_in_the_order_between_question_and_answer() {
        let mut model = Model::new(5, 42, crate::i18n::Lang::En);
        for step in 1..=6 {
            model.seek(Span::from_ms(step * 700));
            model.update(Action::Write);
            model.update(Action::Load(40));
        }
        model.seek(Span::from_ms(5_000));
        let (bars, commits) = (newest(&model, &asked(&model)), commits(&model));
        let since = |time| model.run.since_start(time);
        let placed = bars
            .iter()
            .filter_map(|bar| Some((bar, committed(bar, &commits)?)));
        let mut placed: Vec<_> = placed.collect();
        for (bar, (_, at)) in &placed {
            assert!(since(bar.call.invoked) <= *at && Some(*at) <= bar.end.map(since));
        }
        // Whoever stands earlier in the order stood there first.
        placed.sort_by_key(|(_, (index, _))| *index);
        let times: Vec<Span> = placed.iter().map(|(_, (_, at))| *at).collect();
        assert!(20 < times.len() && times.is_sorted(), "{times:?}");
    }

    #[test]
    fn time_is_stretched_and_never_turned_back() {
        let turns = [2_000, 2_010, 2_020, 900_000].map(Span);
        let axis = Axis::of(Span(1_000), Span(1_001_000), turns.into_iter());
        let parts: Vec<f64> = [
            0, 1_000, 2_000, 2_010, 2_020, 500_000, 900_000, 1_001_000, 9_000_000,
        ]
        .into_iter()
        .map(|at| axis.part(Span(at)))
        .collect();
        assert!(parts.is_sorted(), "{parts:?}");
        assert_eq!((parts[0], parts[8]), (0.0, 1.0));
        assert!(
            0.1 < parts[4] - parts[3],
            "ten microseconds have room: {parts:?}"
        );
    }
}

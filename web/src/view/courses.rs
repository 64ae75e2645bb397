//! The courses of a run as a tree: a lane of virtual time for each, joined to the one that it left. It is drawn of what
//! the model keeps of its branches, and of nothing else.

use core::fmt::Write as _;

use otterkeeper_core::time::Span;
use yew::prelude::*;

use crate::desk::Seen;
use crate::frame::{element, seconds};
use crate::keys;
use crate::state::{Action, Left, Model, Run};
use crate::view::compare;

/// The picture's width in its own units, and where time begins and ends in it.
const WIDTH: f64 = 312.0;
const LEFT: f64 = 28.0;
const RIGHT: f64 = 304.0;
/// How far a lane is from the next: for a pointer, and for a finger.
const HIGH: f64 = 24.0;
const HIGH_NARROW: f64 = 38.0;

/// A course as it is drawn.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Lane {
    branch: usize,
    /// The row of the course that it left, and when.
    left: Option<(usize, Span)>,
    end: Span,
    /// What was done in it, and in no course before it.
    deeds: Vec<Span>,
    /// Up to when it is the past of the present moment.
    past: Option<Span>,
}

impl Lane {
    fn start(&self) -> Span {
        self.left.map_or(Span(0), |(_, at)| at)
    }
}

/// A lane for each course that is there, from the oldest to the newest, and the row on which the present moment lies.
fn lanes(run: &Run) -> (Vec<Lane>, usize) {
    let mut lanes: Vec<Lane> = Vec::new();
    let all = run.branches.iter().enumerate();
    for (number, branch) in all.filter(|(_, branch)| !branch.gone) {
        // What a deleted course had of others is now its children's own.
        let mut left = branch.parent;
        while let Some(parent) = left
            && run.branches[parent.branch].gone
        {
            let above = run.branches[parent.branch].parent;
            left = above.map(|above| Left {
                branch: above.branch,
                ..above.min(parent)
            });
        }
        let own = left.map_or(0, |left| left.deeds);
        let row = |left: &Left| {
            let row = lanes.iter().position(|lane| lane.branch == left.branch)?;
            Some((row, left.at))
        };
        lanes.push(Lane {
            branch: number,
            left: left.as_ref().and_then(row),
            end: branch.end,
            deeds: branch.deeds[own.min(branch.deeds.len())..]
                .iter()
                .map(|deed| deed.at)
                .collect(),
            past: None,
        });
    }
    let mut now = run.now();
    let here = lanes.iter().position(|lane| lane.branch == run.branch);
    let mut row = here.unwrap_or(0);
    let mut head = row;
    // The past of a course is that of the one it left.
    while let Some(lane) = lanes.get_mut(row) {
        if lane.start() <= now {
            lane.past = Some(now);
        }
        let Some((parent, at)) = lane.left else { break };
        if now < at {
            head = parent;
        }
        (row, now) = (parent, now.min(at));
    }
    (lanes, head)
}

/// The tree, if there is more than one course.
pub(super) fn courses(seen: &Seen, model: &Model) -> Html {
    let (lanes, head) = lanes(&model.run);
    if lanes.len() < 2 {
        return html! {};
    }
    let words = &model.words;
    let end = lanes.iter().map(|lane| lane.end.0).max();
    let end = end.unwrap_or(0).max(1);
    let x = |at: Span| LEFT + (RIGHT - LEFT) * at.0 as f64 / end as f64;
    let high = if seen.narrow { HIGH_NARROW } else { HIGH };
    let y = |row: usize| high * (row as f64 + 0.5);
    let at_row: Vec<usize> = lanes.iter().map(|lane| lane.branch).collect();
    let drawn = lanes.iter().enumerate().map(|(row, lane)| {
        let number = lane.branch;
        let (from, y0) = (x(lane.start()), y(row));
        let begin = match lane.left {
            Some((parent, _)) => format!("M{from:.1} {:.1}V{:.1}q0 6 6 6", y(parent), y0 - 6.0),
            None => format!("M{from:.1} {y0:.1}"),
        };
        // The bend is no longer than the lane.
        let line = |to: Span| format!("{begin}H{:.1}", x(to).max(from + 6.0));
        let past = lane.past.map(|past| html! { <path class="past" d={line(past.min(lane.end))} /> });
        let mut marks = String::new();
        let mut last = f64::NEG_INFINITY;
        for deed in &lane.deeds {
            let x = x(*deed);
            if last + 1.0 <= x {
                let _ = write!(marks, "M{x:.1} {:.1}v10", y0 - 5.0);
                last = x;
            }
        }
        let here = number == model.run.branch;
        let name = compare::name(model, number);
        let ends = seconds(lane.end.0);
        let label = match lane.left {
            Some((parent, at)) => words.with(
                "course-left",
                &[
                    ("name", name.into()),
                    ("parent", compare::name(model, at_row[parent]).into()),
                    ("from", seconds(at.0).into()),
                    ("end", ends.into()),
                ],
            ),
            None => words.with("course-first", &[("name", name.into()), ("end", ends.into())]),
        };
        let go = {
            let (desk, start, stop) = (seen.desk.clone(), lane.start(), lane.end);
            Callback::from(move |event: MouseEvent| {
                let Some(area) = element("courses").map(|picture| picture.get_bounding_client_rect()) else {
                    return;
                };
                let x = (f64::from(event.client_x()) - area.left()) * WIDTH / area.width().max(1.0);
                let at = Span(((x - LEFT) / (RIGHT - LEFT) * end as f64).max(0.0) as u64);
                desk.act(Action::Branch(number));
                // Beside the lane, the course is meant and not a moment of it.
                if LEFT - 4.0 <= x && (start..=stop).contains(&at) {
                    desk.act(Action::GoTo(at));
                }
            })
        };
        html! {
            <g key={number} id={lane_id(number)} class={classes!("lane", here.then_some("on"))} role="button" tabindex={if here { "0" } else { "-1" }} aria-pressed={here.to_string()} aria-label={label} data-testid={lane_id(number)} onclick={go} onkeydown={pressed(seen, row, at_row.clone())}>
                <rect x="0" y={(high * row as f64).to_string()} width={WIDTH.to_string()} height={high.to_string()} rx="6" />
                <path class="line" d={line(lane.end)} />{ past }<path class="mk" d={marks} />
                <circle cx={format!("{:.1}", x(lane.end).max(from + 6.0))} cy={y0.to_string()} r="3.5" />
                <text x="12" y={(y0 + 4.0).to_string()}>{ number + 1 }</text>
            </g>
        }
    });
    let drawn: Vec<Html> = drawn.collect();
    let foot = high * lanes.len() as f64 + 12.0;
    let now = format!("M{:.1} {:.1}v16", x(model.run.now()), y(head) - 8.0);
    html! {
        <svg id="courses" class="courses" viewBox={format!("0 0 {WIDTH} {}", foot + 3.0)} role="group" aria-label={words.get("courses")} data-testid="courses">
            { drawn }
            <path class="now" d={now} />
            <text class="axis" x={LEFT.to_string()} y={foot.to_string()}>{ "0" }</text>
            <text class="axis last" x={RIGHT.to_string()} y={foot.to_string()}>{ seconds(end) }</text>
        </svg>
    }
}

fn lane_id(branch: usize) -> String {
    format!("lane-{}", branch + 1)
}

/// Up and down go from lane to lane, Enter to the course.
fn pressed(seen: &Seen, row: usize, branches: Vec<usize>) -> Callback<KeyboardEvent> {
    let desk = seen.desk.clone();
    Callback::from(move |event: KeyboardEvent| {
        let next = match event.key().as_str() {
            "ArrowUp" => row.saturating_sub(1),
            "ArrowDown" => (row + 1).min(branches.len() - 1),
            "Home" => 0,
            "End" => branches.len() - 1,
            "Enter" | " " => {
                desk.act(Action::Branch(branches[row]));
                row
            }
            _ => return,
        };
        event.prevent_default();
        event.stop_propagation();
        keys::focus(&lane_id(branches[next]));
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::i18n::Lang;
    use otterkeeper_core::id::NodeId;

    const fn ms(ms: u64) -> Span {
        Span::from_ms(ms)
    }

    /// 1 runs to 3 s; 2 leaves it at 2 s and runs to 4 s; 3 leaves 2 at 2.5 s; 4 leaves 1 at 1 s.
    fn grown() -> Model {
        let mut model = Model::new(3, 42, Lang::En);
        model.playing = false;
        let cut = |node: u64| Action::ToggleLink(NodeId(node), NodeId(node % 3 + 1));
        model.seek(ms(500));
        model.update(cut(1));
        model.seek(ms(3_000));
        model.seek(ms(2_000));
        model.update(cut(2));
        model.seek(ms(4_000));
        model.seek(ms(2_500));
        model.update(cut(3));
        model.seek(ms(3_500));
        model.update(Action::Branch(0));
        model.seek(ms(1_000));
        model.update(cut(3));
        model.update(cut(2));
        model
    }

    #[test]
    fn each_course_joins_the_one_that_it_left_where_it_left_it() {
        let mut model = grown();
        let (lanes, head) = lanes(&model.run);
        let left: Vec<_> = lanes.iter().map(|lane| lane.left).collect();
        assert_eq!(
            left,
            [
                None,
                Some((0, ms(2_000))),
                Some((1, ms(2_500))),
                Some((0, ms(1_000)))
            ]
        );
        let ends: Vec<_> = lanes.iter().map(|lane| lane.end).collect();
        assert_eq!(ends, [ms(3_000), ms(4_000), ms(3_500), ms(1_000)]);
        let deeds: Vec<_> = lanes.iter().map(|lane| lane.deeds.clone()).collect();
        assert_eq!(
            deeds,
            [
                vec![ms(500)],
                vec![ms(2_000)],
                vec![ms(2_500)],
                vec![ms(1_000); 2]
            ],
            "each deed is drawn once"
        );
        let past: Vec<_> = lanes.iter().map(|lane| lane.past).collect();
        assert_eq!(past, [Some(ms(1_000)), None, None, Some(ms(1_000))]);
        assert_eq!(head, 3);
        // Before it left the other, a course is the other.
        model.update(Action::Branch(2));
        model.seek(ms(2_200));
        let (lanes, head) = super::lanes(&model.run);
        let past: Vec<_> = lanes.iter().map(|lane| lane.past).collect();
        assert_eq!(past, [Some(ms(2_000)), Some(ms(2_200)), None, None]);
        assert_eq!(head, 1);
    }

    #[test]
    fn what_a_deleted_course_had_is_its_childrens() {
        let mut model = grown();
        model.update(Action::Delete(1));
        let (lanes, head) = lanes(&model.run);
        assert_eq!(lanes.len(), 3);
        assert_eq!((lanes[1].branch, lanes[1].left), (2, Some((0, ms(2_000)))));
        assert_eq!(lanes[1].deeds, [ms(2_000), ms(2_500)]);
        assert_eq!(head, 2);
        model.update(Action::Delete(0));
        let (lanes, _) = super::lanes(&model.run);
        assert_eq!(lanes[0].left, None);
        assert_eq!(lanes[0].deeds, [ms(500), ms(2_000), ms(2_500)]);
        assert_eq!(lanes[1].left, None);
    }
}

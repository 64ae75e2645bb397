//! The lesson under way: its steps, the text and the task of the present one, and what of it is done. Without a
//! lesson, the list of them.

use yew::prelude::*;

use crate::desk::Seen;
use crate::i18n::Word;
use crate::state::{Action, Course, Model, key_of, lessons};
use crate::view::damage::damage;
use crate::view::icon::{self, icon};

#[component]
pub(crate) fn Lesson(seen: &Seen) -> Html {
    let model = seen.desk.read();
    let inside = match &model.course {
        Some(course) => under_way(seen, &model, course),
        None => list(seen, &model),
    };
    html! { <section class="panel lesson" aria-label={model.words.get("lesson")}>{ inside }</section> }
}

fn list(seen: &Seen, model: &Model) -> Html {
    let words = &model.words;
    let [mut taught, mut broken] = [Vec::new(), Vec::new()];
    for lesson in lessons() {
        let name = lesson.name.clone();
        let key = key_of(&lesson);
        let title = words.get(&key);
        let list = if lesson.rule {
            &mut broken
        } else {
            &mut taught
        };
        let place = list.len();
        let start = seen.desk.on(Action::Learn(name.clone()));
        list.push(html! {
            <li key={name}>
                <button class="choice" data-testid={key} onclick={start}><b aria-hidden="true">{ place + 1 }</b><span>{ title }</span></button>
            </li>
        });
    }
    let lessons =
        html! { <><h2>{ words.get("lesson-choose") }</h2><ol class="choices">{ taught }</ol></> };
    let rules = html! { <><h2>{ words.get("rules") }</h2><p class="sub">{ words.get("rules-hint") }</p><ol class="choices">{ broken }</ol></> };
    match model.breaking {
        true => html! { <>{ rules }{ lessons }</> },
        false => html! { <>{ lessons }{ rules }</> },
    }
}

fn under_way(seen: &Seen, model: &Model, course: &Course) -> Html {
    let words = &model.words;
    let name = course.key();
    let key = format!("{name}-{}", course.current().name);
    let done = course.done[course.step];
    let steps = course.lesson.steps.len();
    let last = course.step + 1 == steps;
    let place = [
        ("n", Word::Number(course.step as u64 + 1)),
        ("all", Word::Number(steps as u64)),
    ];
    let dots = (0..steps).map(|step| {
        let label = words.with("lesson-step", &[("n", Word::Number(step as u64 + 1)), ("all", Word::Number(steps as u64))]);
        let class = classes!(course.done[step].then_some("done"));
        let here = (step == course.step).then_some("step");
        html! { <button key={step} {class} aria-current={here} aria-label={label.clone()} title={label} onclick={seen.desk.on(Action::Step(step))}></button> }
    });
    html! {
        <>
            <h2><span>{ words.get(&name) }</span><span class="grow"></span>
                <button class="btn quiet" data-testid="lesson-leave" title={words.get("lesson-leave-hint")} onclick={seen.desk.on(Action::Leave)}>{ words.get("lesson-leave") }</button>
            </h2>
            <nav class="steps" aria-label={words.with("lesson-step", &place)}>{ for dots }</nav>
            <div key={key.clone()} class="step" data-testid="lesson-step" data-step={course.current().name.clone()} data-done={done.to_string()}>
                <p>{ words.get(&key) }</p>
                { cells(model, course, &key) }
                <div class={classes!("task", done.then_some("done"))}>
                    <span class="mark" aria-hidden="true">{ if done { icon(icon::TICK) } else { html! {} } }</span>
                    <p><b>{ words.get(if done { "lesson-done" } else { "lesson-task" }) }</b>{ words.get(&format!("{key}-task")) }</p>
                </div>
            </div>
            <div class="row">
                <button class="btn" data-testid="lesson-back" disabled={course.step == 0} onclick={seen.desk.on(Action::Step(course.step.saturating_sub(1)))}>{ words.get("lesson-back") }</button>
                <button class="btn" data-testid="lesson-show" data-busy={course.is_showing().then_some("")} disabled={done || course.is_showing()} onclick={seen.desk.on(Action::Show)}>{ words.get("lesson-show") }</button>
                <span class="grow"></span>
                { if last { html! {} } else { html! {
                    <button class={classes!("btn", done.then_some("primary"))} data-testid="lesson-next" onclick={seen.desk.on(Action::Step(course.step + 1))}>{ words.get("lesson-next") }</button>
                } } }
            </div>
            { if last && done { end(seen, model, course) } else { html! {} } }
        </>
    }
}

/// Where a step's checks have texts of their own: each of them, and whether it holds.
fn cells(model: &Model, course: &Course, key: &str) -> Html {
    let words = &model.words;
    let cells = (0..course.current().checks.len()).filter_map(|place| {
        let text = words.find(&format!("{key}-check-{}", place + 1))?;
        let holds = course.holds.get(place).copied().unwrap_or(false);
        Some(html! {
            <li key={place} data-holds={holds.to_string()}>
                <span class="mark" aria-hidden="true">{ if holds { icon(icon::TICK) } else { html! {} } }</span><span>{ text }</span>
            </li>
        })
    });
    let cells: Vec<Html> = cells.collect();
    if cells.is_empty() {
        return html! {};
    }
    html! { <ul class="cells">{ cells }</ul> }
}

/// After the last step: a question, something to try, and what comes next.
fn end(seen: &Seen, model: &Model, course: &Course) -> Html {
    let words = &model.words;
    let name = course.key();
    let text = |part: &str| words.get(&format!("{name}-{part}"));
    if course.lesson.rule {
        return html! { <div class="afterwards" data-testid="fell"><h3>{ words.get("rule-fell") }</h3><p>{ text("fell") }</p>{ damage(seen, model) }</div> };
    }
    let next = lessons()
        .get(course.number + 1)
        .filter(|lesson| !lesson.rule)
        .map(|lesson| lesson.name.clone());
    html! {
        <div class="afterwards">
            <h3>{ words.get("lesson-question") }</h3>
            <p>{ text("question") }</p>
            <details><summary>{ words.get("lesson-answer") }</summary><p>{ text("answer") }</p></details>
            <h3>{ words.get("lesson-break") }</h3>
            <p>{ text("break") }</p>
            { match next {
                Some(next) => html! { <button class="btn primary" data-testid="lesson-next-lesson" onclick={seen.desk.on(Action::Learn(next))}>{ words.get("lesson-next-lesson") }</button> },
                None => html! {},
            } }
        </div>
    }
}

//! The page's lessons cannot drift from the core: each step's deeds are done here, its checks must not hold
//! before them and must hold after them.

use std::fs;
use std::path::Path;

use otterkeeper_core::scenario::words::{moment, sentence};
use otterkeeper_core::scenario::{self, Lesson, Order, PATIENCE, Progress, Step};
use otterkeeper_core::sim::{Event, Sim, Violation};

#[test]
fn every_step_of_every_lesson_can_be_done_and_is_noticed() {
    let mut wrong = Vec::new();
    let lessons = lessons();
    for lesson in &lessons {
        if let Err(complaint) = teach(lesson) {
            wrong.push(format!("{}: {complaint}", lesson.name));
        }
    }
    let steps: usize = lessons.iter().map(|lesson| lesson.steps.len()).sum();
    println!("* {} lessons, {steps} steps", lessons.len());
    assert!(0 < steps && wrong.is_empty(), "{}", wrong.join("\n"));
}

fn www() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../www")
}

fn lessons() -> Vec<Lesson> {
    let folders = ["lessons", "rules"].map(|folder| www().join(folder));
    let files = folders.map(|folder| fs::read_dir(folder).expect("the folder is there"));
    let mut paths: Vec<_> = files
        .into_iter()
        .flatten()
        .map(|file| file.expect("it can be listed").path())
        .collect();
    paths.sort();
    let read = |path| {
        let text = fs::read_to_string(path).expect("a lesson can be read");
        Lesson::parse(&text).unwrap_or_else(|wrong| panic!("{path:?}: {wrong}"))
    };
    paths.iter().map(read).collect()
}

/// Does what a lesson's visitor does who is shown everything.
fn teach(lesson: &Lesson) -> Result<(), String> {
    let mut sim = scene(lesson, 0)?;
    for (place, step) in lesson.steps.iter().enumerate() {
        if 0 < place && lesson.opens_scene(place) {
            sim = scene(lesson, step.scene)?;
        }
        let mut events = Vec::new();
        let told = |events: &[Event], sim: &Sim| {
            let start = sim.config().start;
            let lines = events.iter().filter_map(|event| {
                let text = sentence(&event.what, true)?;
                Some(format!("    {} {text}\n", moment(start, event.time)))
            });
            lines.collect::<String>()
        };
        sim.take_log();
        if is_done(step, &events, &sim)? {
            return Err(format!("{} is done before anything is", step.name));
        }
        for order in &step.deeds {
            carry_out(&mut sim, order, &mut events).map_err(|wrong| {
                let told = told(&events, &sim);
                format!("{}: {order:?}: {wrong}\n{told}", step.name)
            })?;
        }
        if !is_done(step, &events, &sim)? {
            let each = progress(step, &events)?.each(&sim);
            let open = step.checks.iter().zip(each).filter(|(_, holds)| !holds);
            let open: Vec<&String> = open.map(|(check, _)| check).collect();
            let told = told(&events, &sim);
            return Err(format!("{}: {open:?} does not hold\n{told}", step.name));
        }
        println!("{} {}: {} events", lesson.name, step.name, events.len());
        let expected = |broken: &&Violation| {
            let name = format!("{:?}", broken.invariant);
            lesson.breaks().any(|expected| expected == name)
        };
        let broken = sim.violations().iter().filter(|broken| !expected(broken));
        let broken: Vec<&Violation> = broken.collect();
        if !broken.is_empty() {
            return Err(format!("{}: {broken:?}", step.name));
        }
    }
    Ok(())
}

/// A scene of a lesson, as its first step finds it.
fn scene(lesson: &Lesson, scene: usize) -> Result<Sim, String> {
    let scene = &lesson.scenes[scene];
    let words: Vec<&str> = scene.nodes.split_whitespace().collect();
    let (config, seed) = scenario::set_up(&words)?;
    let mut sim = Sim::new(config, seed);
    for order in &scene.begin {
        carry_out(&mut sim, order, &mut Vec::new())
            .map_err(|wrong| format!("begin {order:?}: {wrong}"))?;
    }
    Ok(sim)
}

fn is_done(step: &Step, events: &[Event], sim: &Sim) -> Result<bool, String> {
    Ok(progress(step, events)?.is_done(sim))
}

fn progress(step: &Step, events: &[Event]) -> Result<Progress, String> {
    seen(step.checks.iter().map(String::as_str), events)
}

fn seen<'a>(
    conditions: impl IntoIterator<Item = &'a str>,
    events: &[Event],
) -> Result<Progress, String> {
    let mut progress = Progress::new(conditions)?;
    events.iter().for_each(|event| progress.observe(event));
    Ok(progress)
}

fn carry_out(sim: &mut Sim, order: &Order, events: &mut Vec<Event>) -> Result<(), String> {
    match order {
        Order::Run(time) => {
            let until = sim.now() + *time;
            sim.run_until(until, u64::MAX);
            events.extend(sim.take_log());
        }
        Order::Until(condition) => {
            let deadline = sim.now() + PATIENCE;
            let mut progress = seen([condition.as_str()], events)?;
            while !progress.is_done(sim) {
                if deadline < sim.now() || !sim.step_event() {
                    return Err("it does not come".into());
                }
                let new = sim.take_log();
                new.iter().for_each(|event| progress.observe(event));
                events.extend(new);
            }
        }
        Order::Do(line) => {
            let words: Vec<&str> = line.split_whitespace().collect();
            for deed in scenario::deeds(sim, &words)? {
                sim.apply(&deed);
            }
            events.extend(sim.take_log());
        }
    }
    Ok(())
}

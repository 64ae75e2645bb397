//! Lessons in the page: which one and which step, what of it is done, and the director, who does a step's
//! deeds for a visitor who wants to be shown. The lessons themselves are the core's scenarios; their checks look at
//! the cluster and never at the clock of the wall.

use std::collections::VecDeque;
use std::rc::Rc;

use otterkeeper_core::scenario::{self, Lesson, Order, PATIENCE, Progress, Step};
use otterkeeper_core::sim::{Event, SimConfig, Workload, tell};
use otterkeeper_core::time::Span;

use super::{Model, Run};

/// In the order in which they are taught, and then the rules to be broken.
const SOURCES: [&str; 18] = [
    include_str!("../../../www/lessons/01-roles.scenario"),
    include_str!("../../../www/lessons/02-majority.scenario"),
    include_str!("../../../www/lessons/03-catching-up.scenario"),
    include_str!("../../../www/lessons/04-votes.scenario"),
    include_str!("../../../www/lessons/05-old-leader.scenario"),
    include_str!("../../../www/lessons/06-split-vote.scenario"),
    include_str!("../../../www/lessons/07-queue.scenario"),
    include_str!("../../../www/lessons/08-configuration.scenario"),
    include_str!("../../../www/lessons/09-membership.scenario"),
    include_str!("../../../www/lessons/10-lock.scenario"),
    include_str!("../../../www/lessons/11-cap.scenario"),
    include_str!("../../../www/rules/1-forget-vote.scenario"),
    include_str!("../../../www/rules/2-no-log-check.scenario"),
    include_str!("../../../www/rules/3-old-term.scenario"),
    include_str!("../../../www/rules/4-own-fsync.scenario"),
    include_str!("../../../www/rules/5-equal-timeouts.scenario"),
    include_str!("../../../www/rules/6-no-pre-vote.scenario"),
    include_str!("../../../www/rules/7-deposed-reads.scenario"),
];

/// Events that an order may wait for when nobody watches.
const ORDER_EVENTS: u64 = 200_000;

/// A lesson under way.
pub(crate) struct Course {
    pub(crate) lesson: Rc<Lesson>,
    /// Its place among all.
    pub(crate) number: usize,
    /// The step that is shown.
    pub(crate) step: usize,
    /// Which steps have been done.
    pub(crate) done: Vec<bool>,
    /// Which checks of the step hold now.
    pub(crate) holds: Vec<bool>,
    /// The event with which the step began: that with which the one before it was done, however long the
    /// visitor went on reading.
    since: u64,
    /// The last event that counted for the step, and that with which it was done.
    counted: u64,
    done_with: Option<u64>,
    /// The branch that was last looked at.
    branch: usize,
    /// The last event that the checks were told of.
    told: u64,
    progress: Progress,
    /// What the director has yet to do.
    orders: VecDeque<Order>,
    /// What the first of these orders waits for.
    wait: Option<Wait>,
}

enum Wait {
    Time(Span),
    Condition(Progress, Span),
}

/// All lessons, those about a rule to be broken last.
pub(crate) fn all() -> Vec<Rc<Lesson>> {
    // A lesson that cannot be read would be missing; the test below lets none through.
    let read = SOURCES.iter().filter_map(|text| Lesson::parse(text).ok());
    read.map(Rc::new).collect()
}

/// What the texts of a lesson, or of a rule to be broken, are called after.
pub(crate) fn key_of(lesson: &Lesson) -> String {
    let kind = if lesson.rule { "rule" } else { "lesson" };
    format!("{kind}-{}", lesson.name)
}

/// What links call a scene of a lesson: `roles` the first, `cap.2` the third.
fn scene_name(lesson: &Lesson, scene: usize) -> String {
    match scene {
        0 => lesson.name.clone(),
        _ => format!("{}.{scene}", lesson.name),
    }
}

/// What stands for the blanks where a cluster of no lesson is called by its settings.
const BLANK: char = '_';
/// What such settings may ask for, so that a stranger's file does not keep the page busy.
const CLIENTS: u32 = 50;
const RATE: u32 = 1_000;
const LONGEST: Span = Span::from_ms(600_000);

/// What links call the cluster of a run that is not an ordinary one: by the lesson that has it, or else by its settings.
pub(crate) fn lesson_of(config: &SimConfig, seed: u64) -> String {
    let named = all().into_iter().find_map(|lesson| {
        let mut scenes = (0..lesson.scenes.len()).map(|scene| scene_name(&lesson, scene));
        scenes.find(|name| {
            set_up(name).is_some_and(|(mut other, of)| {
                other.workload = other.workload.or(config.workload);
                (&other, of) == (config, seed)
            })
        })
    });
    let settings = || tell::settings(config, seed).replace(' ', &BLANK.to_string());
    named.unwrap_or_else(settings)
}

/// The cluster of a scene by its name, or by its settings, and its seed.
pub(crate) fn set_up(name: &str) -> Option<(SimConfig, u64)> {
    if name.starts_with("nodes") {
        let words: Vec<&str> = name.split(BLANK).collect();
        return scenario::set_up(&words)
            .ok()
            .filter(|(config, _)| is_sane(config));
    }
    let (lesson, scene) = name.split_once('.').unwrap_or((name, "0"));
    let lesson = all().into_iter().find(|one| one.name == lesson)?;
    let scene = lesson.scenes.get(scene.parse::<usize>().ok()?)?;
    let words: Vec<&str> = scene.nodes.split_whitespace().collect();
    scenario::set_up(&words).ok()
}

fn is_sane(config: &SimConfig) -> bool {
    let node = &config.node;
    let busy = |workload: Workload| CLIENTS < workload.clients || RATE < workload.ops_per_second;
    let spans = [
        node.election_min,
        node.election_spread,
        config.link.delay_max,
        config.disk.max,
        node.disk_stall_limit,
        node.container_check,
    ];
    let short = spans.iter().all(|span| *span <= LONGEST);
    // What is zero here would have something happen again and again at one moment.
    let moves =
        0 < node.election_min.0 && 0 < config.link.delay_max.0 && 0 < node.container_check.0;
    short && moves && !config.workload.is_some_and(busy)
}

impl Course {
    /// Whether the director is at work.
    pub(crate) fn is_showing(&self) -> bool {
        !self.orders.is_empty()
    }

    /// What its texts are called after.
    pub(crate) fn key(&self) -> String {
        key_of(&self.lesson)
    }

    pub(crate) fn current(&self) -> &Step {
        &self.lesson.steps[self.step]
    }

    /// What clients do in this step, as lines that a visitor can pick.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &str> {
        self.current().deeds.iter().filter_map(|order| match order {
            Order::Do(line) if scenario::is_of_client(line) => Some(&**line),
            _ => None,
        })
    }
}

impl Model {
    /// Begins a lesson at one of its steps; the steps before it are done at once.
    pub(crate) fn teach(&mut self, name: &str, step: usize) -> bool {
        let lessons = all();
        let Some(number) = lessons.iter().position(|lesson| lesson.name == name) else {
            return false;
        };
        let lesson = lessons[number].clone();
        let step = step.min(lesson.steps.len() - 1);
        let scene = lesson.steps[step].scene;
        let rule = lesson.rule;
        self.reset(Run::of_lesson(&scene_name(&lesson, scene)));
        self.playing = step > 0 || !lesson.paused;
        self.do_at_once(&lesson.scenes[scene].begin);
        let before = lesson.steps[..step].iter();
        let before = before.filter(|step| step.scene == scene);
        before.for_each(|step| self.do_at_once(&step.deeds));
        let mut done = vec![false; lesson.steps.len()];
        done[..step].fill(true);
        self.course = Some(Course {
            number,
            done,
            step,
            holds: Vec::new(),
            since: 0,
            counted: 0,
            done_with: None,
            branch: 0,
            told: 0,
            progress: checks(&lesson.steps[step]),
            orders: VecDeque::new(),
            wait: None,
            lesson,
        });
        (self.learning, self.breaking) = (true, rule);
        self.coached = true;
        self.enter_step(self.sim().events());
        self.mirror_logs();
        true
    }

    /// On to the next step, or back: a step whose forerunner was done goes on in this run, any other begins in
    /// a fresh one.
    pub(super) fn go_to_step(&mut self, step: usize) {
        let Some(course) = &mut self.course else {
            return;
        };
        let next = step == course.step + 1 && step < course.done.len();
        if next && course.done[course.step] && !course.lesson.opens_scene(step) {
            course.step = step;
            let since = course.done_with.unwrap_or(self.run.sim.events());
            self.enter_step(since);
        } else {
            let name = course.lesson.name.clone();
            let done = course.done.clone();
            self.teach(&name, step);
            if let Some(course) = &mut self.course {
                course.done = done;
            }
        }
    }

    pub(super) fn enter_step(&mut self, since: u64) {
        let branch = self.run.branch;
        if let Some(course) = &mut self.course {
            course.progress = checks(course.current());
            (course.since, course.told, course.branch) = (since, since, branch);
            course.counted = since;
            course.done_with = None;
            course.orders.clear();
            course.wait = None;
        }
        self.look();
    }

    /// Has the director do the step.
    pub(super) fn show(&mut self) {
        if let Some(course) = &mut self.course {
            course.orders = course.current().deeds.iter().cloned().collect();
            course.wait = None;
            self.playing = true;
        }
    }

    /// Looks at what has happened since this was last called.
    pub(super) fn look(&mut self) {
        let Some(mut course) = self.course.take() else {
            return;
        };
        let events = self.sim().events();
        if events < course.told || course.branch != self.run.branch {
            // Time was turned back, or the run is another one: judge anew from the beginning of the step.
            course.progress = checks(course.current());
            course.told = course.since;
            course.branch = self.run.branch;
        }
        let journal = self.run.journal();
        let new = journal.partition_point(|event| event.number <= course.told);
        for event in &journal[new..] {
            let before = course.progress.clone();
            course.progress.observe(event);
            if course.progress != before {
                course.counted = event.number;
            }
        }
        course.told = course.told.max(events);
        course.holds = course.progress.each(self.sim());
        let done = course.since <= events && course.holds.iter().all(|holds| *holds);
        let fell =
            done && course.lesson.rule && !core::mem::replace(&mut course.done[course.step], true);
        if done {
            course.done[course.step] = true;
            // Whoever comes late to a step finds it done, and the next one begins when it was.
            let late = course.done_with.is_none() && course.since < course.counted;
            let with = if late { course.counted } else { events };
            course.done_with.get_or_insert(with);
        }
        self.course = Some(course);
        if fell && self.jobs.now.is_none() && self.jobs.shortest.is_none() {
            self.lessen();
        }
    }

    /// The director's turn: does what is due, and says until when time may pass; `None` if it is idle.
    /// Time must then pass event by event, with `is_reached` in between.
    pub(super) fn direct(&mut self) -> bool {
        loop {
            let Some(course) = &mut self.course else {
                return false;
            };
            let Some(order) = course.orders.front().cloned() else {
                return false;
            };
            if course.wait.is_some() {
                return true;
            }
            let now = self.run.now();
            match order {
                Order::Run(time) => course.wait = Some(Wait::Time(Span(now.0 + time.0))),
                Order::Until(condition) => {
                    let mut progress = conditions([condition.as_str()]);
                    let since = course.since;
                    let journal = self.run.journal();
                    let new = journal.partition_point(|event| event.number <= since);
                    journal[new..]
                        .iter()
                        .for_each(|event| progress.observe(event));
                    let limit = Span(now.0 + PATIENCE.0);
                    if let Some(course) = &mut self.course {
                        course.wait = Some(Wait::Condition(progress, limit));
                    }
                }
                Order::Do(line) => {
                    course.orders.pop_front();
                    self.carry_out(&line);
                }
            }
        }
    }

    /// Whether what the director waits for is there; then the order is done.
    pub(super) fn is_reached(&mut self, new: &[Rc<Event>]) -> bool {
        let now = self.run.now();
        let Some(course) = &mut self.course else {
            return true;
        };
        let reached = match &mut course.wait {
            None => true,
            Some(Wait::Time(until)) => *until <= now,
            Some(Wait::Condition(progress, limit)) => {
                new.iter().for_each(|event| progress.observe(event));
                *limit <= now || progress.is_done(&self.run.sim)
            }
        };
        if reached {
            course.wait = None;
            course.orders.pop_front();
        }
        reached
    }

    /// Carries orders out with nobody watching.
    fn do_at_once(&mut self, orders: &[Order]) {
        let since = self.run.journal().len();
        for order in orders {
            match order {
                Order::Do(line) => self.carry_out(line),
                Order::Run(time) => {
                    let until = Span(self.run.now().0 + time.0);
                    self.run.advance(until, ORDER_EVENTS);
                }
                Order::Until(condition) => {
                    let mut progress = conditions([condition.as_str()]);
                    let limit = Span(self.run.now().0 + PATIENCE.0);
                    let mut read = since;
                    for _ in 0..ORDER_EVENTS {
                        let journal = self.run.journal();
                        journal[read.min(journal.len())..]
                            .iter()
                            .for_each(|event| progress.observe(event));
                        read = journal.len();
                        let late = limit < self.run.now();
                        if late || progress.is_done(&self.run.sim) || !self.run.step() {
                            break;
                        }
                    }
                }
            }
        }
    }

    /// Does what a script would say, several lines with semicolons between them, for a visitor who picked it.
    pub(super) fn do_line(&mut self, lines: &str) {
        self.redo.clear();
        for line in lines.split(';') {
            self.carry_out(line);
        }
        self.mirror_logs();
    }

    fn carry_out(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        // What cannot be done any more, because the visitor did something else, is left out.
        for deed in scenario::deeds(self.sim(), &words).unwrap_or_default() {
            self.run.act(deed);
        }
    }
}

fn checks(step: &Step) -> Progress {
    conditions(step.checks.iter().map(String::as_str))
}

fn conditions<'a>(lines: impl IntoIterator<Item = &'a str>) -> Progress {
    // Only an empty line is refused, and lessons have none.
    Progress::new(lines).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::i18n::{Lang, Words};
    use otterkeeper_core::scenario::words::sentence;

    #[test]
    fn every_lesson_can_be_read() {
        assert_eq!(all().len(), SOURCES.len());
    }

    #[test]
    fn every_step_can_be_shown_in_the_page() {
        // In fast and in slow frames: the director hits the same events.
        for (lesson, (speed, ms)) in all().into_iter().flat_map(|lesson| {
            [(0, 16.0), (1, 70.0), (1, 100.0)].map(|pace| (lesson.clone(), pace))
        }) {
            let mut model = Model::new(3, 1, Lang::En);
            assert!(model.teach(&lesson.name, 0));
            for step in 0..lesson.steps.len() {
                let is_done = |model: &Model| {
                    let course = model.course.as_ref().expect("a lesson is under way");
                    course.done[step]
                };
                model.show();
                model.speed = speed;
                for _ in 0..4_000 {
                    model.frame(ms);
                    if is_done(&model) {
                        break;
                    }
                }
                let course = model.course.as_ref().expect("a lesson is under way");
                let told = model
                    .run
                    .journal()
                    .iter()
                    .filter(|event| event.number > course.since);
                let told: Vec<_> = told
                    .filter_map(|event| sentence(&event.what, false))
                    .collect();
                assert!(is_done(&model), "{} {step}: {told:#?}", lesson.name);
                // What the director has left is done before the next step begins, and some visitors read on.
                while model.course.as_ref().is_some_and(Course::is_showing) {
                    model.frame(ms);
                }
                if 0 < speed {
                    (0..60).for_each(|_| {
                        model.frame(ms);
                    });
                }
                model.go_to_step(step + 1);
            }
            // What happened can be said in each language, broken promises included.
            let words = Words::new(Lang::Ko);
            for event in model.run.journal() {
                let said = crate::sentence::sentence(&words, event);
                assert!(!is_english(&said), "{}: {said}", lesson.name);
            }
            let expected = |name: &str| lesson.breaks().any(|broken| broken == name);
            let mut broken = model.sim().violations().iter();
            assert!(broken.all(|one| expected(&format!("{:?}", one.invariant))));
        }
    }

    /// Whether three words of Latin letters follow each other, which neither commands nor names have.
    fn is_english(text: &str) -> bool {
        let is_word = |word: &&str| word.len() > 1 && word.bytes().all(|b| b.is_ascii_alphabetic());
        let words: Vec<&str> = text.split(' ').collect();
        words.windows(3).any(|three| three.iter().all(is_word))
    }

    #[test]
    fn a_step_in_the_middle_finds_the_steps_before_it_done() {
        for lesson in all() {
            for step in 1..lesson.steps.len() {
                let mut model = Model::new(3, 1, Lang::En);
                model.teach(&lesson.name, step);
                let course = model.course.as_ref().expect("a lesson is under way");
                assert!(!course.done[step], "{} {step}", lesson.name);
                assert!(course.done[..step].iter().all(|done| *done));
            }
        }
    }

    #[test]
    fn an_unknown_lesson_is_refused() {
        let mut model = Model::new(3, 1, Lang::En);
        assert!(!model.teach("no-such-lesson", 0));
        assert!(model.course.is_none());
    }
}

//! Lessons: a cluster, what has happened before the visitor comes, and steps. A step has deeds, which show how
//! it is done, and checks, which see that it was done, by whoever and however. Texts are not here: the page
//! has them in each language under the names of lesson and step.
//!
//! ```text
//! lesson roles
//! nodes 3 seed 5
//! begin until leader
//!
//! step silence
//! do isolate leader
//! do until seen * is pre-candidate
//! check isolated 1
//! check seen * is pre-candidate
//! ```
//!
//! A check holds now, or has been `seen` since the step began: `*` stands for one word, a number in front for
//! how often, `most` for how often at most, and `never` for not at all. A step with `nodes` of its own, and
//! `begin` after it, begins another scene: a fresh cluster for it and for the steps that follow.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::condition::holds;
use super::parse::{number, span};
use super::words::sentence;
use crate::sim::{Event, Sim};
use crate::time::Span;

/// A lesson.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lesson {
    /// Its name in links and texts.
    pub name: String,
    /// Whether it is about a rule that its members were told to break.
    pub rule: bool,
    /// Its clusters, at least one.
    pub scenes: Vec<Scene>,
    /// Whether time stands still when it begins.
    pub paused: bool,
    /// Which part of the page is looked at, if that matters.
    pub look: Option<String>,
    /// Its steps, at least one.
    pub steps: Vec<Step>,
}

/// A cluster of a lesson.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Scene {
    /// The line that sets it up.
    pub nodes: String,
    /// What happens before its first step.
    pub begin: Vec<Order>,
}

/// A step of a lesson.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// Its name in links and texts.
    pub name: String,
    /// Its place in the lesson's scenes.
    pub scene: usize,
    /// How it is done.
    pub deeds: Vec<Order>,
    /// What must hold at once for it to be done, at least one condition.
    pub checks: Vec<String>,
}

/// A line of what is to be done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Order {
    /// Let this much time pass.
    Run(Span),
    /// Let time pass until a condition holds.
    Until(String),
    /// Do this now, see [`super::deeds`].
    Do(String),
}

impl Lesson {
    /// Reads a lesson.
    ///
    /// # Errors
    /// What is wrong with it, and in which line.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut lesson = Self {
            name: String::new(),
            rule: false,
            scenes: Vec::new(),
            paused: false,
            look: None,
            steps: Vec::new(),
        };
        // Whether the scene that was begun last can still be furnished.
        let mut opened = false;
        let lines = text.lines().map(str::trim).enumerate();
        for (place, line) in lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            let wrong = |what: &str| format!("line {}: {what}: {line}", place + 1);
            let (scenes, step) = (&mut lesson.scenes, lesson.steps.last_mut());
            match (word, step) {
                ("lesson" | "rule", None) => {
                    lesson.name = rest.to_owned();
                    lesson.rule = word == "rule";
                }
                ("paused", None) => {
                    lesson.paused = true;
                    continue;
                }
                ("look", None) => lesson.look = Some(rest.to_owned()),
                ("nodes", step) => {
                    if let Some(step) = step.filter(|step| step.is_new()) {
                        step.scene = scenes.len();
                    } else if !scenes.is_empty() {
                        return Err(wrong("it does not belong here"));
                    }
                    scenes.push(Scene {
                        nodes: line.to_owned(),
                        begin: Vec::new(),
                    });
                    opened = true;
                    continue;
                }
                ("begin", _) if opened => {
                    let scene = scenes
                        .last_mut()
                        .ok_or_else(|| wrong("`nodes` comes first"))?;
                    scene.begin.push(Order::parse(rest)?);
                    continue;
                }
                ("step", _) => lesson.steps.push(Step {
                    name: rest.to_owned(),
                    scene: scenes.len().saturating_sub(1),
                    deeds: Vec::new(),
                    checks: Vec::new(),
                }),
                ("do", Some(step)) => step.deeds.push(Order::parse(rest)?),
                ("check", Some(step)) => step.checks.push(rest.to_owned()),
                _ => return Err(wrong("it does not belong here")),
            }
            opened = false;
        }
        if lesson.name.is_empty() || lesson.scenes.is_empty() || lesson.steps.is_empty() {
            return Err("a lesson has a name, `nodes` and steps".into());
        }
        match lesson.steps.iter().find(|step| step.checks.is_empty()) {
            Some(step) => Err(format!("step {} checks nothing", step.name)),
            None => Ok(lesson),
        }
    }

    /// Whether a step begins with a cluster of its own.
    #[must_use]
    pub fn opens_scene(&self, step: usize) -> bool {
        let scene = |step: usize| self.steps.get(step).map(|step| step.scene);
        step == 0 || scene(step) != scene(step - 1)
    }

    /// The promises that a step is about to break.
    pub fn breaks(&self) -> impl Iterator<Item = &str> {
        let checks = self.steps.iter().flat_map(|step| &step.checks);
        checks.filter_map(|check| check.strip_prefix("broken "))
    }
}

impl Step {
    /// Whether nothing is said of it yet.
    fn is_new(&self) -> bool {
        self.deeds.is_empty() && self.checks.is_empty()
    }
}

impl Order {
    fn parse(line: &str) -> Result<Self, String> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        Ok(match word {
            "run" => Self::Run(span(rest)?),
            "until" => Self::Until(rest.to_owned()),
            _ => Self::Do(line.to_owned()),
        })
    }
}

/// How far some conditions have come since a moment. It is told of every event from then on.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Progress {
    conditions: Vec<Condition>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Condition {
    /// Something that holds now or not.
    Now(Vec<String>),
    /// A sentence that must have come so often.
    Seen { pattern: Vec<String>, missing: u64 },
    /// A sentence that must not come more often than this.
    Most {
        pattern: Vec<String>,
        left: u64,
        late: bool,
    },
}

impl Progress {
    /// Nothing has happened yet.
    ///
    /// # Errors
    /// What is wrong with a condition.
    pub fn new<'a>(conditions: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let conditions = conditions.into_iter().map(|line| {
            let words: Vec<String> = line.split_whitespace().map(ToOwned::to_owned).collect();
            Ok(match words.first().map(String::as_str) {
                Some("seen") => match words.get(1).and_then(|word| number(word).ok()) {
                    Some(times) if 2 < words.len() => Condition::Seen {
                        pattern: words[2..].to_vec(),
                        missing: times,
                    },
                    _ => Condition::Seen {
                        pattern: words[1..].to_vec(),
                        missing: 1,
                    },
                },
                Some("never") => Condition::Most {
                    pattern: words[1..].to_vec(),
                    left: 0,
                    late: false,
                },
                Some("most") => {
                    let [_, times, pattern @ ..] = &words[..] else {
                        return Err(format!("{line}: `most` how often?"));
                    };
                    Condition::Most {
                        pattern: pattern.to_vec(),
                        left: number(times)?,
                        late: false,
                    }
                }
                Some(_) => Condition::Now(words),
                None => return Err("an empty condition".into()),
            })
        });
        Ok(Self {
            conditions: conditions.collect::<Result<_, String>>()?,
        })
    }

    /// Something has happened.
    pub fn observe(&mut self, event: &Event) {
        let Some(text) = sentence(&event.what, true) else {
            return;
        };
        for condition in &mut self.conditions {
            match condition {
                Condition::Seen { pattern, missing } if 0 < *missing && fits(pattern, &text) => {
                    *missing -= 1;
                }
                Condition::Most {
                    pattern,
                    left,
                    late,
                } if fits(pattern, &text) => {
                    *late |= *left == 0;
                    *left = left.saturating_sub(1);
                }
                _ => {}
            }
        }
    }

    /// Whether each condition holds now. One that cannot be judged, as that about a member that is down,
    /// does not.
    #[must_use]
    pub fn each(&self, sim: &Sim) -> Vec<bool> {
        let one = |condition: &Condition| match condition {
            Condition::Seen { missing, .. } => *missing == 0,
            Condition::Most { late, .. } => !late,
            Condition::Now(words) => {
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                holds(sim, &words).unwrap_or(false)
            }
        };
        self.conditions.iter().map(one).collect()
    }

    /// Whether all of them hold now.
    #[must_use]
    pub fn is_done(&self, sim: &Sim) -> bool {
        self.each(sim).into_iter().all(|holds| holds)
    }
}

/// Whether a sentence begins with these words; `*` stands for any one.
fn fits(pattern: &[String], text: &str) -> bool {
    let mut words = text.split_whitespace();
    pattern.iter().all(|wanted| {
        words
            .next()
            .is_some_and(|word| wanted == "*" || wanted == word)
    })
}

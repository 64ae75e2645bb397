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
//! how often, and `never` for the contrary.

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
    /// The line that sets its cluster up.
    pub nodes: String,
    /// Whether time stands still when it begins.
    pub paused: bool,
    /// What happens before the first step.
    pub begin: Vec<Order>,
    /// Its steps, at least one.
    pub steps: Vec<Step>,
}

/// A step of a lesson.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// Its name in links and texts.
    pub name: String,
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
            nodes: String::new(),
            paused: false,
            begin: Vec::new(),
            steps: Vec::new(),
        };
        let lines = text.lines().map(str::trim).enumerate();
        for (place, line) in lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            let wrong = |what: &str| format!("line {}: {what}: {line}", place + 1);
            let step = lesson.steps.last_mut();
            match (word, step) {
                ("lesson", None) => lesson.name = rest.to_owned(),
                ("nodes", None) => lesson.nodes = line.to_owned(),
                ("paused", None) => lesson.paused = true,
                ("begin", None) => lesson.begin.push(Order::parse(rest)?),
                ("step", _) => lesson.steps.push(Step {
                    name: rest.to_owned(),
                    deeds: Vec::new(),
                    checks: Vec::new(),
                }),
                ("do", Some(step)) => step.deeds.push(Order::parse(rest)?),
                ("check", Some(step)) => step.checks.push(rest.to_owned()),
                _ => return Err(wrong("it does not belong here")),
            }
        }
        if lesson.name.is_empty() || lesson.nodes.is_empty() || lesson.steps.is_empty() {
            return Err("a lesson has a name, `nodes` and steps".into());
        }
        match lesson.steps.iter().find(|step| step.checks.is_empty()) {
            Some(step) => Err(format!("step {} checks nothing", step.name)),
            None => Ok(lesson),
        }
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
    /// A sentence that must not come.
    Never { pattern: Vec<String>, came: bool },
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
                Some("never") => Condition::Never {
                    pattern: words[1..].to_vec(),
                    came: false,
                },
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
                Condition::Never { pattern, came } => *came |= fits(pattern, &text),
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
            Condition::Never { came, .. } => !came,
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

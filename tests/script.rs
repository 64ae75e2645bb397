//! Stories: each file in `scripts/` is a list of commands with everything that came of them written
//! under `----`. A change of behaviour shows as a change of a story.
//! `OTTERKEEPER_REWRITE=1` writes the files anew; what a story insists on with `expect` holds then too.
//! `OTTERKEEPER_SCRIPT=late-append OTTERKEEPER_BUG=TruncateMatchingTail` shows how a story goes with a bug.

mod rule;
mod show;
mod stage;

use std::path::{Path, PathBuf};
use std::{env, fs};

use otterkeeper_core::config::Bug;
use otterkeeper_core::scenario::Miss;
use otterkeeper_core::sim::Invariant;

pub(crate) use rule::caught_by_stories;
use stage::Stage;

#[test]
fn stories() {
    let only = env::var("OTTERKEEPER_SCRIPT").ok();
    let rewrite = env::var_os("OTTERKEEPER_REWRITE").is_some();
    let bug = env::var("OTTERKEEPER_BUG").ok();
    let bug = bug.map(|name| rule::bug_of(&name).expect("OTTERKEEPER_BUG is a known bug"));
    let mut failed = Vec::new();
    for (name, path) in scripts() {
        if only
            .as_ref()
            .is_some_and(|only| !name.contains(only.as_str()))
        {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a script can be read");
        let story = tell(&text, bug);
        if bug.is_some() {
            println!("{}", story.text);
            let told = story.complaints.iter().map(Complaint::sentence);
            println!("{name}:\n  {}", told.collect::<Vec<_>>().join("\n  "));
            continue;
        }
        if !story.complaints.is_empty() {
            let texts: Vec<String> = story.complaints.into_iter().map(|c| c.text).collect();
            println!("{name}: {}", texts.join("\n  "));
            failed.push(name);
            if rewrite {
                fs::write(&path, story.text).expect("a script can be written");
            }
        } else if story.text != text {
            if rewrite {
                fs::write(&path, story.text).expect("a script can be written");
                continue;
            }
            println!("{name} tells another story now; OTTERKEEPER_REWRITE=1 writes it anew:");
            print_difference(&text, &story.text);
            failed.push(name);
        }
    }
    assert!(failed.is_empty(), "failed: {}", failed.join(", "));
}

/// What does not hold in a script.
pub(crate) fn complaints(text: &str, bug: Option<Bug>) -> Vec<String> {
    let complaints = tell(text, bug).complaints.into_iter();
    complaints.map(|complaint| complaint.text).collect()
}

/// All stories, by name.
fn scripts() -> Vec<(String, PathBuf)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    let files = fs::read_dir(folder).expect("the folder is there");
    let mut scripts: Vec<(String, PathBuf)> = files
        .map(|file| file.expect("it can be listed").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .map(|path| {
            let name = path.file_stem().expect("it has a name");
            (name.to_string_lossy().into_owned(), path)
        })
        .collect();
    scripts.sort();
    scripts
}

struct Story {
    /// The script with what came of it.
    text: String,
    /// What did not hold, in the order in which it showed.
    complaints: Vec<Complaint>,
}

/// Something that does not hold in a story.
#[derive(Clone)]
pub(crate) struct Complaint {
    pub(crate) by: By,
    /// Events that had happened.
    pub(crate) event: u64,
    pub(crate) text: String,
}

/// Who complains.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// A command of the story could not be carried out.
    Command,
    /// The story insists on something.
    Expect,
    /// What the story waits for does not come.
    Until,
    /// The healed cluster does not work again.
    Recovery,
    /// An invariant is broken.
    Invariant(Invariant),
}

impl Complaint {
    /// Who complains, and of what.
    pub(crate) fn sentence(&self) -> String {
        match self.by {
            By::Invariant(_) => self.text.clone(),
            by => format!("{}: {}", by.name(), self.text),
        }
    }
}

impl By {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Expect => "expect",
            Self::Until => "until",
            Self::Recovery => "liveness",
            Self::Invariant(invariant) => invariant.name(),
        }
    }
}

/// Plays all commands. The comments stay, everything under `----` is written anew.
fn tell(text: &str, bug: Option<Bug>) -> Story {
    let mut stage = Stage::new(bug);
    let mut story = String::new();
    let mut complaints = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        story += line;
        story += "\n";
        if line == "----" {
            while lines.peek().is_some_and(|line| !line.is_empty()) {
                lines.next();
            }
            stage.observe();
            story += &core::mem::take(&mut stage.out);
        } else if !line.is_empty() && !line.starts_with('#') && !rule::is_header(line) {
            let played = stage.play(line);
            complaints.extend(stage.violations());
            let event = stage.events();
            let mut complain = |by, text: String| {
                let text = format!("{line}: {text}");
                complaints.push(Complaint { by, event, text });
            };
            match played {
                Ok(()) => {}
                Err(miss) => {
                    let by = match miss {
                        Miss::Command(_) => By::Command,
                        Miss::Expect | Miss::Digest(_) => By::Expect,
                        Miss::Until(_) => By::Until,
                        Miss::Recovery(_) => By::Recovery,
                    };
                    complain(by, miss.text());
                }
            }
        }
    }
    Story {
        text: story,
        complaints,
    }
}

fn print_difference(old: &str, new: &str) {
    let (old, new): (Vec<_>, Vec<_>) = (old.lines().collect(), new.lines().collect());
    let same = old
        .iter()
        .zip(&new)
        .take_while(|(old, new)| old == new)
        .count();
    for line in old.iter().skip(same.saturating_sub(2)).take(8) {
        println!("  - {line}");
    }
    for line in new.iter().skip(same.saturating_sub(2)).take(8) {
        println!("  + {line}");
    }
}

//! Work that takes longer than a frame: writing a run for another program, making its damage short, looking for a run.
//! It is done in slices between frames and not in a worker: a worker would load the whole module a second time, and
//! what it works on would have to be sent there and back.

use otterkeeper_core::scenario::export::Export;
use otterkeeper_core::scenario::{Goal, Lessen, Record, Search, Wanted};
use otterkeeper_core::time::Span;

use super::{Model, Notice, Run, lesson_of};
use crate::export::Form;
use crate::share::Recipe;

/// Events of a slice, at first, at least and at most.
const SLICE: u64 = 1_000;
const LEAST: u64 = 200;
const MOST: u64 = 20_000;
/// Frames shorter than this leave room for more, and longer ones for less; in ms.
const SHORT: f64 = 20.0;
const LONG: f64 = 34.0;

/// What is under way.
pub(crate) enum Job {
    Write(Form, Box<Export>),
    Lessen(Box<Lessen>),
    Find(Wanted, Box<Search>),
}

/// What is under way, and what has come of it.
#[derive(Default)]
pub(crate) struct Jobs {
    pub(crate) now: Option<Job>,
    slice: u64,
    /// A file that is ready to be saved.
    written: Option<(Form, String)>,
    /// How short the damage is that makes the lesson's promise fall.
    pub(crate) shortest: Option<Shortest>,
    /// What was looked for last, and what was found.
    pub(crate) found: Option<Found>,
}

/// The shortest damage for a rule.
pub(crate) struct Shortest {
    pub(crate) before: usize,
    pub(crate) after: usize,
    /// How long the run was, and is.
    pub(crate) spans: (Span, Span),
    pub(crate) record: Record,
}

/// The outcome of a search.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Found {
    pub(crate) wanted: Wanted,
    /// Interventions that were drawn and that are needed; none if nothing was found.
    pub(crate) lengths: Option<(usize, usize)>,
    pub(crate) outage_ms: Option<u64>,
}

impl Model {
    /// A slice of what is under way, after a frame that took `ms`.
    pub(super) fn work(&mut self, ms: f64) {
        let Some(mut job) = self.jobs.now.take() else {
            return;
        };
        let slice = match self.jobs.slice {
            0 => SLICE,
            slice if ms < SHORT => slice * 2,
            slice if LONG < ms => slice / 2,
            slice => slice,
        };
        self.jobs.slice = slice.clamp(LEAST, MOST);
        let done = match &mut job {
            Job::Write(_, export) => export.advance(self.jobs.slice),
            Job::Lessen(lessen) => lessen.advance(self.jobs.slice),
            Job::Find(_, search) => search.advance(self.jobs.slice),
        };
        if done {
            self.finish(job);
        } else {
            if let Job::Write(_, export) = &job {
                let (done, all) = export.progress();
                self.notice = Some(Notice::Working((done * 100 / all.max(1)) as u32));
            }
            self.jobs.now = Some(job);
        }
        self.changed();
    }

    /// A file that was written meanwhile.
    pub(crate) fn take_written(&mut self) -> Option<(Form, String)> {
        self.jobs.written.take()
    }

    /// Begins to write the run for another program.
    pub(super) fn write_as(&mut self, form: Form) {
        self.menu = false;
        if let Some(kind) = form.kind() {
            let export = Export::new(kind, Record::of(self.sim()));
            self.begin(Job::Write(form, Box::new(export)));
        }
    }

    /// Begins to look for a run.
    pub(super) fn find(&mut self, wanted: Wanted) {
        self.jobs.found = None;
        let search = Search::new(wanted, self.run.nodes, self.run.seed.wrapping_add(1));
        self.begin(Job::Find(wanted, Box::new(search)));
    }

    /// Begins to make the damage short by which the promise of the rule under way fell.
    pub(super) fn lessen(&mut self) {
        let Some(course) = self.course.as_ref().filter(|course| course.lesson.rule) else {
            return;
        };
        let checks = course.current().checks.clone();
        let record = Record::of(self.sim());
        if let Ok(lessen) = Lessen::new(&record, &Goal::Conditions(checks)) {
            self.begin(Job::Lessen(Box::new(lessen.with_fewer_members())));
        }
    }

    fn begin(&mut self, job: Job) {
        self.jobs.slice = 0;
        self.jobs.now = Some(job);
    }

    /// Leaves off. What a search has found so far counts.
    pub(super) fn cancel(&mut self) {
        match self.jobs.now.take() {
            Some(Job::Find(wanted, mut search)) => {
                search.close();
                self.finish(Job::Find(wanted, search));
            }
            Some(Job::Lessen(lessen)) => self.finish(Job::Lessen(lessen)),
            _ => {}
        }
    }

    fn finish(&mut self, job: Job) {
        match job {
            Job::Write(form, export) => {
                self.notice = None;
                self.jobs.written = Some((form, export.finish()));
            }
            Job::Lessen(lessen) => {
                let (before, after) = lessen.lengths();
                let spans = lessen.spans();
                self.jobs.shortest = lessen.best().cloned().map(|record| Shortest {
                    before,
                    after,
                    spans,
                    record,
                });
            }
            Job::Find(wanted, search) => {
                let found = Found {
                    wanted,
                    lengths: search.lengths(),
                    outage_ms: search.outage().map(|outage| outage.as_ms()),
                };
                if let Some(record) = search.found().cloned() {
                    Recipe::of_record(record).play(self);
                }
                self.jobs.found = Some(found);
            }
        }
    }

    /// Plays the shortest damage from the beginning.
    pub(super) fn play_shortest(&mut self) {
        let Some(course) = self.course.take() else {
            return;
        };
        let shortest = self.jobs.shortest.take();
        if let Some(shortest) = &shortest {
            let record = &shortest.record;
            let mut run = Run::of_lesson(&lesson_of(&record.config, record.seed));
            run.foresee(&shortest.record);
            self.reset(run);
            self.playing = true;
            self.coached = true;
        }
        self.course = Some(course);
        self.jobs.shortest = shortest;
        self.enter_step(0);
        self.mirror_logs();
    }
}

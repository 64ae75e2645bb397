//! Two courses of one run beside each other, and the ghost: what would be if the last intervention had not been made.
//! Both are executed again from the nearest kept clone, within a limit; nothing of the run itself is changed.

use std::rc::Rc;

use otterkeeper_core::sim::{Event, Sim};
use otterkeeper_core::time::Span;

use super::run::Kept;
use super::{Model, Run};

/// Events that a look at another course may take.
const LOOK_EVENTS: u64 = 60_000;
/// Characters of a name.
const NAME: usize = 40;
/// Events shown of each course.
const SHOWN: usize = 12;

/// What is compared with the present branch, and the ghost.
#[derive(Default)]
pub(crate) struct Beside {
    /// The branch that is compared.
    pub(crate) other: Option<usize>,
    /// Whether the ghost is wanted.
    pub(crate) haunted: bool,
    ghost: Option<Ghost>,
}

struct Ghost {
    branch: usize,
    deeds: usize,
    sim: Sim,
}

/// Where two courses part: what happened next in each, the first difference first.
pub(crate) struct Parting {
    pub(crate) ours: Vec<Rc<Event>>,
    pub(crate) theirs: Vec<Rc<Event>>,
}

impl Run {
    /// Where another branch leaves this one, as far as both have been executed.
    pub(crate) fn parting(&self, other: usize) -> Option<Parting> {
        let (ours, theirs) = (&self.current().journal, &self.branches.get(other)?.journal);
        // One of them may have forgotten more of its past.
        let first = |journal: &[Rc<Event>]| journal.first().map_or(0, |event| event.number);
        let from = first(ours).max(first(theirs));
        let since = |journal: &[Rc<Event>]| journal.partition_point(|event| event.number < from);
        let (ours, theirs) = (&ours[since(ours)..], &theirs[since(theirs)..]);
        let same = ours.iter().zip(theirs).take_while(|(a, b)| a == b).count();
        let shown = |journal: &[Rc<Event>]| journal[same..].iter().take(SHOWN).cloned().collect();
        Some(Parting {
            ours: shown(ours),
            theirs: shown(theirs),
        })
    }

    /// The cluster as another branch has it at a time; none if that is too far to look.
    pub(crate) fn look_at(&self, branch: usize, at: Span) -> Option<Sim> {
        let branch = self.branches.get(branch)?;
        let at = at.min(branch.end);
        let kept = branch.kept.iter().rev().find(|kept| kept.at <= at)?;
        let due = branch.deeds.iter().filter(|deed| deed.at <= at).count();
        self.look(kept, &branch.deeds[kept.deeds.min(due)..due], at)
    }

    /// The cluster as it would be now without the last intervention.
    fn without_last(&self) -> Option<Sim> {
        let (last, before) = self.deeds_done().split_last()?;
        let kept = &self.current().kept;
        let fits = |kept: &&Kept| kept.deeds <= before.len() && kept.event <= last.event;
        let kept = kept.iter().rev().find(fits)?;
        self.look(kept, &before[kept.deeds..], self.now())
    }

    fn look(&self, kept: &Kept, deeds: &[super::Deed], at: Span) -> Option<Sim> {
        let mut sim = (*kept.sim).clone();
        let start = sim.config().start;
        for deed in deeds {
            sim.run_to(deed.event, start + deed.at);
            sim.apply(&deed.what);
        }
        sim.run_until(start + at, LOOK_EVENTS);
        (start + at <= sim.now()).then_some(sim)
    }
}

impl Model {
    /// Gives a branch a name, or takes it away.
    pub(super) fn name_branch(&mut self, branch: usize, name: &str) {
        if let Some(branch) = self.run.branches.get_mut(branch) {
            let name: String = name.trim().chars().take(NAME).collect();
            branch.name = (!name.is_empty()).then_some(name);
        }
    }

    /// Deletes a branch with its marks. The others keep their numbers, and those that left it keep what they have of it.
    pub(super) fn delete_branch(&mut self, number: usize) {
        if number == self.run.branch {
            return;
        }
        if let Some(branch) = self.run.branches.get_mut(number) {
            branch.gone = true;
            branch.journal = Vec::new();
            branch.kept = Vec::new();
            branch.deeds = Vec::new();
        }
        self.bookmarks.retain(|mark| mark.branch != number);
        self.beside.other = self.beside.other.filter(|other| *other != number);
    }

    /// The branch that the present one is compared with.
    pub(crate) fn compared(&self) -> Option<usize> {
        self.beside.other.filter(|other| *other != self.run.branch)
    }

    /// The cluster without the last intervention, if it is wanted.
    pub(crate) fn ghost(&self) -> Option<&Sim> {
        let ghost = self.beside.ghost.as_ref();
        ghost
            .filter(|_| self.beside.haunted)
            .map(|ghost| &ghost.sim)
    }

    /// Brings the ghost to the present moment.
    pub(super) fn haunt(&mut self) {
        if !self.beside.haunted {
            self.beside.ghost = None;
            return;
        }
        let (branch, deeds) = (self.run.branch, self.run.deeds_done().len());
        let now = self.sim().now();
        let old = self.beside.ghost.take();
        let old = old.filter(|ghost| {
            (ghost.branch, ghost.deeds) == (branch, deeds) && ghost.sim.now() <= now
        });
        self.beside.ghost = match old {
            Some(mut ghost) => {
                ghost.sim.run_until(now, LOOK_EVENTS);
                ghost.sim.take_log();
                Some(ghost)
            }
            None => self
                .run
                .without_last()
                .map(|sim| Ghost { branch, deeds, sim }),
        };
    }
}

#[cfg(test)]
mod tests {
    use otterkeeper_core::id::NodeId;
    use otterkeeper_core::raft::note::Role;
    use otterkeeper_core::time::Span;

    use crate::i18n::Lang;
    use crate::state::{Action, Model, Selection, Until};

    /// A cluster with a leader, which is killed on a branch of its own.
    fn parted() -> (Model, NodeId) {
        let mut model = Model::new(5, 42, Lang::En);
        model.run_until(Until::Leader);
        let leader = model.leader().expect("it was waited for");
        let at = model.run.now();
        model.update(Action::GoTo(Span(at.0 + 2_000_000)));
        model.update(Action::GoTo(Span(at.0 + 500_000)));
        model.update(Action::Select(Some(Selection::Node(leader))));
        model.update(Action::Kill);
        model.update(Action::GoTo(Span(at.0 + 2_000_000)));
        (model, leader)
    }

    #[test]
    fn branches_part_where_something_was_done() {
        let (mut model, leader) = parted();
        model.update(Action::Compare(Some(0)));
        let parting = model.run.parting(0).expect("there is such a branch");
        let first = &parting.ours[0];
        assert!(format!("{:?}", first.what).contains("Kill"), "{first:?}");
        assert!(
            parting
                .theirs
                .iter()
                .all(|event| first.number <= event.number)
        );
        // Over there the leader leads as before.
        let there = model.run.look_at(0, model.run.now()).expect("it is near");
        assert_eq!(there.leader(), Some(leader));
        assert_ne!(model.leader(), Some(leader));
        // It is the very state that the branch has.
        let digest = there.digest();
        model.update(Action::Branch(0));
        assert_eq!(model.sim().digest(), digest);
    }

    #[test]
    fn the_ghost_is_what_would_be_without_the_last_intervention() {
        let (mut model, leader) = parted();
        model.update(Action::Haunt(true));
        let is = |model: &Model| {
            let ghost = model.ghost().expect("it was asked for");
            assert_eq!(ghost.now(), model.sim().now());
            ghost.node(leader).map(|view| view.role())
        };
        assert_eq!(is(&model), Some(Role::Leader));
        model.playing = true;
        (0..10).for_each(|_| {
            model.frame(50.0);
        });
        assert_eq!(is(&model), Some(Role::Leader));
        // Before the intervention there is nothing to leave out.
        model.update(Action::Start);
        assert!(model.ghost().is_none());
        model.update(Action::Haunt(false));
        assert!(model.ghost().is_none());
    }

    #[test]
    fn branches_have_names_and_can_be_deleted() {
        let (mut model, _) = parted();
        model.update(Action::Name(0, "  calm  ".into()));
        assert_eq!(model.run.branches[0].name.as_deref(), Some("calm"));
        let here = model.sim().digest();
        model.update(Action::Delete(model.run.branch));
        assert!(
            !model.run.branches[1].gone,
            "nobody saws off the branch they sit on"
        );
        model.update(Action::Delete(0));
        assert!(model.run.branches[0].gone);
        model.update(Action::Branch(0));
        assert_eq!((model.run.branch, model.sim().digest()), (1, here));
        model.update(Action::Start);
        model.update(Action::Newest);
        assert_eq!(model.sim().digest(), here);
    }
}

//! What the visitor has chosen to see in the panels on the right: which calls, which part of the tree. No part of a run.

use otterkeeper_core::id::NodeId;
use otterkeeper_core::node::Note;
use otterkeeper_core::raft::note::Note as RaftNote;
use otterkeeper_core::sim::{ClientId, What};
use otterkeeper_core::time::Span;
use otterkeeper_core::tree::Tree;

use super::Model;
use crate::rows;

/// One choice.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Choice {
    /// How much time the history shows.
    Window(u32),
    /// Shows the calls of a client, or hides them.
    Caller(ClientId),
    /// The same of calls of a kind.
    Kind(usize),
    /// Shows a value of all nodes side by side, or hides it.
    Row(usize),
    /// Shows a value below each node on the stage, counted from 1; 0 for none.
    OnStage(usize),
    /// This znode's Stat.
    Znode(String),
    /// Looks for paths in the tree.
    SeekPath(String),
    /// Shows the tree from this row on.
    TreeFrom(usize),
    /// Shows the tree as it is now until this comes again.
    Hold,
    /// Asks whether this znode and all below it are to be deleted, or no more.
    Doom(Option<String>),
    /// Shows the tree of this moment, where this znode is, or was.
    Reveal(String),
}

/// The tree of a node as it was at a moment. A clone shares what has not changed.
pub(crate) struct Held {
    pub(crate) tree: Tree,
    pub(crate) node: NodeId,
    pub(crate) applied: u64,
    pub(crate) at: Span,
    branch: usize,
    event: u64,
}

/// All choices.
#[derive(Default)]
pub(crate) struct Choices {
    /// Seconds that the history shows; 0 for all.
    pub(crate) window: u32,
    /// Clients and kinds of calls that it does not; kinds by their bits.
    pub(crate) callers_hidden: Vec<ClientId>,
    pub(crate) kinds_hidden: u8,
    /// Values of nodes, by their bits, that the visitor has turned on or off.
    pub(crate) values_turned: u32,
    pub(crate) on_stage: usize,
    pub(crate) znode: String,
    /// What is looked for among the paths of the tree, and the first row that is shown.
    pub(crate) path_sought: String,
    pub(crate) tree_from: usize,
    pub(crate) held: Option<Held>,
    pub(crate) doomed: Option<String>,
}

impl Choices {
    /// For another run: what was chosen of the old one's tree means nothing there.
    pub(super) fn renew(&mut self) {
        *self = Self {
            window: self.window,
            kinds_hidden: self.kinds_hidden,
            values_turned: self.values_turned,
            on_stage: self.on_stage,
            znode: "/".to_owned(),
            ..Self::default()
        };
    }
}

impl Model {
    pub(super) fn choose(&mut self, choice: Choice) {
        let choices = &mut self.choices;
        match choice {
            Choice::Window(seconds) => choices.window = seconds,
            Choice::Caller(client) => {
                let hidden = &mut choices.callers_hidden;
                let before = hidden.len();
                hidden.retain(|one| *one != client);
                if hidden.len() == before {
                    hidden.push(client);
                }
            }
            Choice::Kind(place) => choices.kinds_hidden ^= 1 << (place & 7),
            Choice::Row(place) => choices.values_turned ^= 1 << (place & 31),
            Choice::OnStage(place) => choices.on_stage = place,
            Choice::Znode(path) => choices.znode = path,
            Choice::SeekPath(text) => (choices.path_sought, choices.tree_from) = (text, 0),
            Choice::TreeFrom(row) => choices.tree_from = row,
            Choice::Hold => {
                let held = self.held().is_none().then(|| self.hold());
                self.choices.held = held.flatten();
            }
            Choice::Doom(path) => self.choices.doomed = path,
            Choice::Reveal(path) => self.reveal(path),
        }
    }

    fn hold(&self) -> Option<Held> {
        let view = self.sim().node(self.at)?;
        Some(Held {
            tree: view.machine().tree().clone(),
            node: self.at,
            applied: view.applied().0,
            at: self.run.now(),
            branch: self.run.branch,
            event: self.sim().events(),
        })
    }

    /// The tree that is held, if this moment comes after that one and the node is the same. Elsewhere in time it rests.
    pub(crate) fn held(&self) -> Option<&Held> {
        let held = self.choices.held.as_ref()?;
        let mut branch = self.run.branch;
        while branch != held.branch {
            let left = self.run.branches[branch].parent?;
            branch = left.branch;
            if left.event < held.event {
                return None;
            }
        }
        (held.node == self.at && held.event <= self.sim().events()).then_some(held)
    }

    /// Up to where a node had committed, as far as it said, so long ago.
    pub(crate) fn committed_before(&self, node: NodeId, ago: Span) -> u64 {
        let edge = self.sim().now().0.saturating_sub(ago.0);
        let events = self.run.journal().iter().rev();
        let mut before = events.skip_while(|event| edge < event.time.0);
        let found = before.find_map(|event| match event.what {
            What::Note {
                node: of,
                note: Note::Raft(RaftNote::Committed { index }),
            } if of == node => Some(index.0),
            _ => None,
        });
        found.unwrap_or(0)
    }

    fn reveal(&mut self, mut path: String) {
        self.choices.held = None;
        let Some(view) = self.sim().node(self.at) else {
            return;
        };
        let tree = view.machine().tree();
        while tree.get(&path).is_none() && path.len() > 1 {
            path.truncate(path.rfind('/').unwrap_or(0).max(1));
        }
        let row = rows::place(tree, &path) / rows::SHOWN * rows::SHOWN;
        let choices = &mut self.choices;
        (choices.path_sought, choices.tree_from) = (String::new(), row);
        choices.znode = path;
    }
}

#[cfg(test)]
mod tests {
    use super::super::Action;
    use super::*;
    use crate::i18n::Lang;

    #[test]
    fn a_held_tree_rests_before_its_moment_and_at_other_nodes() {
        let mut model = Model::new(3, 42, Lang::En);
        model.seek(Span::from_ms(1_500));
        model.at = NodeId(1);
        model.update(Action::Command("create /held 1".to_owned()));
        model.seek(Span::from_ms(2_500));
        model.update(Action::Choose(Choice::Hold));
        let changes = |model: &Model| -> Option<Vec<String>> {
            let view = model.sim().node(NodeId(1))?;
            Some(rows::changed(&model.held()?.tree, view.machine().tree()))
        };
        assert_eq!(changes(&model), Some(Vec::new()));
        model.update(Action::Command("set /held 2".to_owned()));
        model.seek(Span::from_ms(4_500));
        assert_eq!(changes(&model), Some(vec!["/held".to_owned()]));
        assert!(model.committed_before(NodeId(1), Span::from_ms(1_000)) > 0);
        model.seek(Span::from_ms(2_000));
        assert!(model.held().is_none(), "there it is not held yet");
        // The same on a branch that leaves before it, and not on one that leaves behind it.
        model.update(Action::Loss(1));
        model.seek(Span::from_ms(4_500));
        assert!(model.held().is_none());
        model.update(Action::Branch(0));
        model.update(Action::GoTo(Span::from_ms(3_000)));
        assert!(model.held().is_some());
        model.update(Action::Loss(1));
        assert!(model.run.branch > 1 && model.held().is_some());
        model.update(Action::At(NodeId(2)));
        assert!(model.held().is_none());
        model.update(Action::At(NodeId(1)));
        assert!(model.held().is_some());
        // Shown where it is, or where it was.
        model.update(Action::Choose(Choice::Reveal(
            "/held/none/below".to_owned(),
        )));
        assert!(model.held().is_none());
        assert_eq!(model.choices.znode, "/held");
    }
}

//! What the visitor has chosen to see in the panels on the right: which calls, which part of the tree. No part of a run.

use super::Model;

/// One choice.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Choice {
    /// How much time the history shows.
    Window(u32),
    /// This znode's Stat.
    Znode(String),
    /// Looks for paths in the tree.
    SeekPath(String),
    /// Shows the tree from this row on.
    TreeFrom(usize),
}

/// All choices.
#[derive(Default)]
pub(crate) struct Choices {
    /// Seconds that the history shows; 0 for all.
    pub(crate) window: u32,
    pub(crate) znode: String,
    /// What is looked for among the paths of the tree, and the first row that is shown.
    pub(crate) path_sought: String,
    pub(crate) tree_from: usize,
}

impl Choices {
    /// For another run: what was chosen of the old one's tree means nothing there.
    pub(super) fn renew(&mut self) {
        *self = Self {
            window: self.window,
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
            Choice::Znode(path) => choices.znode = path,
            Choice::SeekPath(text) => (choices.path_sought, choices.tree_from) = (text, 0),
            Choice::TreeFrom(row) => choices.tree_from = row,
        }
    }
}

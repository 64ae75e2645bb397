//! What the visitor has chosen to see in the panels on the right: which calls, which part of the tree. No part of a run.

use otterkeeper_core::sim::ClientId;

use super::Model;

/// One choice.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Choice {
    /// How much time the history shows.
    Window(u32),
    /// Shows the calls of a client, or hides them.
    Caller(ClientId),
    /// The same of calls of a kind.
    Kind(usize),
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
    /// Clients and kinds of calls that it does not; kinds by their bits.
    pub(crate) callers_hidden: Vec<ClientId>,
    pub(crate) kinds_hidden: u8,
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
            kinds_hidden: self.kinds_hidden,
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
            Choice::Znode(path) => choices.znode = path,
            Choice::SeekPath(text) => (choices.path_sought, choices.tree_from) = (text, 0),
            Choice::TreeFrom(row) => choices.tree_from = row,
        }
    }
}

//! What the page shows of a run beside its moment: taken for a link, and shown again after one. What a link says of
//! it may be wrong, and what is not there is left out.

use otterkeeper_core::sim::ClientId;

use super::{Model, NodeId, Selection, Tab};

/// What is shown of a run. What is none was not said, and stays as it is.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct Sight {
    pub(crate) tab: Option<Tab>,
    pub(crate) selection: Option<Selection>,
    /// The node whose tree is shown.
    pub(crate) at: Option<NodeId>,
    pub(crate) client: Option<ClientId>,
    /// Whether the space-time diagram is open.
    pub(crate) diagram: Option<bool>,
    /// What the visitor calls the course.
    pub(crate) branch: Option<String>,
}

impl Model {
    /// What is shown now.
    pub(crate) fn sight(&self) -> Sight {
        Sight {
            // A link to a run leaves its lesson, if it had one.
            tab: Some(self.tab).filter(|tab| *tab != Tab::Lesson),
            selection: self.selection,
            at: Some(self.at),
            client: self.client,
            diagram: Some(self.diagram),
            branch: self.run.current().name.clone(),
        }
    }

    /// Shows what was shown elsewhere, as far as it is there.
    pub(super) fn show_as(&mut self, sight: &Sight) {
        let nodes = 1..=u64::from(self.run.nodes);
        let node = |id: &NodeId| nodes.contains(&id.0);
        let there = |selection: &Selection| match selection {
            Selection::Node(id) => node(id),
            // Also one that has arrived: its causes and effects are shown.
            Selection::Message(id) => {
                let ways = self.run.strokes();
                self.sim().flight(*id).is_some() || ways.iter().any(|way| way.flight == *id)
            }
            Selection::Link(from, to) => from != to && node(from) && node(to),
        };
        self.selection = sight.selection.filter(there);
        let client = sight.client;
        let client = client.and_then(|id| self.sim().clients().find(|view| view.id == id));
        if let Some(client) = client {
            (self.client, self.repeat) = (Some(client.id), client.repeat);
        }
        self.at = sight.at.filter(node).unwrap_or(self.at);
        let tab = sight.tab.filter(|tab| *tab != Tab::Lesson);
        self.tab = tab.unwrap_or(self.tab);
        self.diagram = sight.diagram.unwrap_or(self.diagram);
        if let Some(name) = &sight.branch {
            self.name_branch(self.run.branch, name);
        }
    }
}

//! What nodes can be compared by: values that they have, and values that follow from those of several. Knows the
//! cluster's view and words, nothing of markup.

use otterkeeper_core::id::NodeId;
use otterkeeper_core::node::View;
use otterkeeper_core::raft::note::Role;

use crate::sentence;
use crate::state::Model;

/// All values, by the keys of their names.
pub(crate) const VALUES: [&str; 16] = [
    "value-role",
    "message-term",
    "fact-voted",
    "value-last",
    "fact-committed",
    "fact-applied",
    "value-unsynced",
    "value-lag",
    "fact-timer",
    "value-heard",
    "value-kept",
    "peer-matched",
    "peer-next",
    "fact-connections",
    "znodes-watches",
    "fact-clock",
];

/// Those that are not shown until the visitor wants them, by their bits.
pub(crate) const RARE: u32 = 0b1111_1100_0000_0000;

/// Whether nodes that agree have the same: only then a difference says something.
pub(crate) fn is_common(key: &str) -> bool {
    VALUES[1..8].contains(&key)
}

/// Whether it changes by itself, with the clock.
pub(crate) fn is_clock(key: &str) -> bool {
    matches!(key, "fact-timer" | "value-heard")
}

/// A value of a node; `None` if it has none.
pub(crate) fn value(model: &Model, id: NodeId, key: &str) -> Option<String> {
    let (words, sim) = (&model.words, model.sim());
    let Some(view) = sim.node(id) else {
        return (key == VALUES[0]).then(|| words.get("role-down"));
    };
    let now = sim.clock(id);
    let ms = |us: u64| format!("{} ms", us / 1_000);
    let last = view.last().index.0;
    // How the leader sees it.
    let peer = || {
        let leader = sim.node(model.leader()?)?;
        leader.peers().into_iter().find(|peer| peer.id == id)
    };
    let number = match key {
        "value-role" if view.is_halted() => return Some(words.get("role-halted")),
        "value-role" => return Some(sentence::role(words, view.role())),
        "message-term" => view.term().0,
        "fact-voted" => view.voted_for()?.0,
        "value-last" => last,
        "fact-committed" => view.commit().0,
        "fact-applied" => view.applied().0,
        "value-unsynced" => last.saturating_sub(view.durable().0),
        "value-lag" => {
            let commits = sim.nodes().filter_map(|id| sim.node(id));
            let most = commits.map(|view| view.commit().0).max()?;
            most.saturating_sub(view.applied().0)
        }
        // A leader counts a majority instead.
        "fact-timer" if view.role() == Role::Leader => return None,
        "fact-timer" => return Some(ms(view.election_timer().1.since(now).0)),
        "value-heard" => return Some(ms(now.since(view.heard()?).0)),
        "value-kept" => last.saturating_sub(view.snapshot().map_or(0, |meta| meta.last.index.0)),
        "peer-matched" => peer()?.matched.0,
        "peer-next" => peer()?.next.0,
        "fact-connections" => view.connections().len() as u64,
        "znodes-watches" => watches(view),
        "fact-clock" => {
            let ahead = (now.0 as i64 - sim.now().0 as i64) / 1_000;
            return Some(format!("{ahead:+} ms"));
        }
        _ => return None,
    };
    Some(number.to_string())
}

fn watches(view: View<'_>) -> u64 {
    let connections = view.connections().into_iter();
    let armed = connections.map(|connection| view.watches().of(connection.conn).count() as u64);
    armed.sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::i18n::Lang;
    use crate::state::{Action, Selection};
    use otterkeeper_core::time::Span;

    #[test]
    fn a_node_that_is_cut_off_falls_behind_in_its_values() {
        let mut model = Model::new(5, 42, Lang::En);
        model.seek(Span::from_ms(1_500));
        let leader = model.leader().expect("a leader");
        let lonely = NodeId(leader.0 % 5 + 1);
        let other = NodeId(lonely.0 % 5 + 1);
        let number = |model: &Model, id, key| -> u64 {
            let text = value(model, id, key).unwrap_or_default();
            text.trim_end_matches(" ms").parse().unwrap_or(u64::MAX)
        };
        assert_eq!(number(&model, lonely, "value-lag"), 0);
        model.update(Action::Select(Some(Selection::Node(lonely))));
        model.update(Action::Isolate);
        for _ in 0..3 {
            model.update(Action::Write);
            model.seek(Span(model.run.now().0 + 100_000));
        }
        let written = number(&model, leader, "value-last");
        assert_eq!(number(&model, other, "value-lag"), 0);
        assert_eq!(number(&model, other, "peer-matched"), written);
        let lag = number(&model, lonely, "value-lag");
        assert!(3 <= lag && lag <= written, "{lag}");
        assert_eq!(
            number(&model, lonely, "value-last") + lag,
            number(&model, leader, "fact-committed")
        );
        assert!(number(&model, lonely, "peer-matched") < written);
        // It has not heard its leader for as long as it is alone, the others have.
        assert!(250 <= number(&model, lonely, "value-heard"));
        assert!(number(&model, other, "value-heard") < 150);
        assert!(number(&model, other, "fact-timer") <= 5_000);
        // No leader hears a leader, and nobody has a value of a node that is down but its role.
        for key in ["value-heard", "fact-timer", "peer-matched"] {
            assert_eq!(value(&model, leader, key), None);
        }
        model.update(Action::Select(Some(Selection::Node(other))));
        model.update(Action::Kill);
        let known = VALUES
            .into_iter()
            .filter(|key| value(&model, other, key).is_some());
        assert_eq!(known.collect::<Vec<_>>(), ["value-role"]);
    }
}

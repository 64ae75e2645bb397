//! What a story can wait for and insist on.

use otterkeeper_core::id::Index;
use otterkeeper_core::node::View;
use otterkeeper_core::sim::{ClientId, Sim};
use otterkeeper_core::time::Span;

use super::parse::{node, number};
use super::stage::Stage;
use super::words::role_name;

/// No `until` waits longer than this.
pub(super) const PATIENCE: Span = Span::from_ms(60_000);

impl Stage {
    /// Whether it comes.
    pub(super) fn until(&mut self, condition: &[&str]) -> Result<bool, String> {
        let deadline = self.sim()?.now() + PATIENCE;
        while !self.holds(condition)? {
            if deadline < self.sim()?.now() || !self.sim()?.step_event() {
                return Ok(false);
            }
            self.observe();
        }
        Ok(true)
    }

    /// `leader`, `leader 2`, `no leader`, `role 3 follower`, `term 2 < 5`, `commit 3 = 7`, `same`,
    /// `answered`, `flight 1->2 append`, `entry 3 4@2`, `snapshot 3 > 0`, `refusals 3 < 2`,
    /// `campaigns 3 = 0`.
    pub(super) fn holds(&mut self, words: &[&str]) -> Result<bool, String> {
        if let [what @ ("refusals" | "campaigns"), id, than, value] = *words {
            let tally = match what {
                "refusals" => &self.refusals,
                _ => &self.campaigns,
            };
            let found = tally.get(&node(id)?).copied().unwrap_or_default();
            return compare(found, than, number(value)?);
        }
        let sim = self.sim()?;
        Ok(match *words {
            ["leader"] => sim.leader().is_some(),
            ["leader", id] => sim.leader() == Some(node(id)?),
            ["no", "leader"] => sim.leader().is_none(),
            ["role", id, role] => role_name(view(sim, id)?.role()) == role,
            ["same"] => {
                let views: Vec<View<'_>> = sim.nodes().filter_map(|id| sim.node(id)).collect();
                let states: Vec<_> = views
                    .iter()
                    .map(|v| (v.last(), v.commit(), v.tree_digest()))
                    .collect();
                states.windows(2).all(|pair| pair[0] == pair[1])
                    && views.iter().all(|view| view.commit() == view.last().index)
            }
            ["answered"] => sim
                .clients()
                .all(|client| client.attached && client.pending == 0),
            ["unanswered", name] => {
                let id = ClientId(u32::from(name.as_bytes()[0]));
                sim.clients()
                    .any(|client| client.id == id && 0 < client.pending)
            }
            ["flight", link, kind] => self.find(link, kind).is_ok(),
            ["no", "flight", link, kind] => self.find(link, kind).is_err(),
            ["entry", id, at] => {
                let (index, term) = at.split_once('@').ok_or("INDEX@TERM")?;
                let entry = view(sim, id)?
                    .entry(Index(number(index)?))
                    .map(|entry| entry.id.term.0);
                entry == Some(number(term)?)
            }
            [what, id, than, value] => {
                let (value, disk) = (number(value)?, sim.disk(node(id)?));
                let found = match what {
                    "synced" => disk.ok_or("no such node")?.last.0,
                    "snapshot" => disk.ok_or("no such node")?.snapshot.0,
                    "term" => view(sim, id)?.term().0,
                    "commit" => view(sim, id)?.commit().0,
                    "applied" => view(sim, id)?.applied().0,
                    "durable" => view(sim, id)?.durable().0,
                    "last" => view(sim, id)?.last().index.0,
                    _ => return Err(format!("{what} is no number of a node")),
                };
                compare(found, than, value)?
            }
            _ => return Err("no such condition".into()),
        })
    }
}

fn view<'a>(sim: &'a Sim, id: &str) -> Result<View<'a>, String> {
    sim.node(node(id)?).ok_or_else(|| format!("{id} is down"))
}

fn compare(found: u64, than: &str, value: u64) -> Result<bool, String> {
    Ok(match than {
        "=" => found == value,
        "<" => found < value,
        ">" => value < found,
        _ => return Err(format!("{than} is not =, < or >")),
    })
}

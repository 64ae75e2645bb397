//! The members, their logs and what is under way, as the stories show them on demand.

use core::fmt::Write as _;

use otterkeeper_core::id::Index;
use otterkeeper_core::scenario::words::{cargo, ends, payload, role_name};

use super::stage::{Played, Stage};

impl Stage {
    pub(super) fn status(&mut self) -> Played {
        let sim = self.sim()?.clone();
        for id in sim.nodes() {
            let disk = sim.disk(id).ok_or("no such node")?;
            let mut text = match sim.node(id) {
                None => format!("{id} down"),
                Some(view) => {
                    let vote = view.voted_for().map_or("-".into(), |id| id.to_string());
                    format!(
                        "{id} {:<13} term {} vote {vote} log {}..{} commit {} applied {} durable {}",
                        role_name(view.role()),
                        view.term(),
                        view.first_index(),
                        view.last(),
                        view.commit(),
                        view.applied(),
                        view.durable(),
                    )
                }
            };
            let _ = write!(text, " disk {}", disk.last);
            for (is, word) in [
                (disk.frozen, "frozen"),
                (sim.is_paused(id), "paused"),
                (sim.is_isolated(id), "isolated"),
            ] {
                if is {
                    text += " ";
                    text += word;
                }
            }
            self.line(&text);
        }
        Ok(())
    }

    pub(super) fn logs(&mut self) -> Played {
        let sim = self.sim()?.clone();
        for id in sim.nodes() {
            let Some(view) = sim.node(id) else {
                self.line(&format!("{id} down"));
                continue;
            };
            let mut text = format!("{id}");
            if 1 < view.first_index().0 {
                let _ = write!(text, " (to {})", view.first_index().prev());
            }
            for index in view.first_index().0..=view.last().index.0 {
                if let Some(entry) = view.entry(Index(index)) {
                    let mark = if entry.id.index <= view.commit() {
                        ""
                    } else {
                        "?"
                    };
                    let _ = write!(text, " | {}{mark} {}", entry.id, payload(entry));
                }
            }
            self.line(&text);
        }
        Ok(())
    }

    pub(super) fn flights(&mut self) -> Played {
        let sim = self.sim()?.clone();
        for flight in sim.flights() {
            self.line(&format!(
                "{} {}",
                ends(flight.from, flight.to),
                cargo(&flight.cargo)
            ));
        }
        Ok(())
    }
}

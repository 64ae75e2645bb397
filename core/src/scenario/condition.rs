//! What a script can wait for and insist on.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::client::named;
use super::deed::find;
use super::parse::{list, node, number};
use super::words::{reply_text, role_name};
use crate::id::{Index, SessionId};
use crate::node::View;
use crate::raft::note::Role;
use crate::recipe::Standing;
use crate::request::{Read, ReadKind, Response};
use crate::sim::{CallEnd, ClientId, Sim, Violation};
use crate::time::Span;

/// No `until` waits longer than this.
pub const PATIENCE: Span = Span::from_ms(60_000);

/// Whether something holds now: `leader`, `leader 2`, `no leader`, `leaders 2`, `role 3 follower`, `one term`,
/// `term 2 < 5`, `commit 3 = 7`, `same`, `answered`, `unanswered a`, `flight 1->2 append`,
/// `no flight 1->2 append`, `entry 3 4@2`, `snapshot 3 > 0`, `down 1`, `paused 2`, `isolated 0`, `behind 8`,
/// `all vote`, `told a 1 version 0`, `sessions 3 = 2`, `voters 3 = 1,2`, `joint 3`; of clients and recipes:
/// `attached a`, `detached a`, `gone a`,
/// `watching a /x`, `holds a /l`, `waits a /l`, `holders /l = 2`, `present a /g = 3`, `stored /l v`; of a
/// member's tree: `children 1 /q = 2`, `value 1 /x v`; of the checks: `broken StateMachineSafety`.
///
/// # Errors
/// What is wrong with the condition.
pub fn holds(sim: &Sim, words: &[&str]) -> Result<bool, String> {
    let count = |text: &str, is: &dyn Fn(&crate::id::NodeId) -> bool| {
        let found = sim.nodes().filter(is).count();
        number(text).map(|wanted| wanted == found as u64)
    };
    let views = || sim.nodes().filter_map(|id| sim.node(id));
    let clients = |id: ClientId| sim.clients().filter(move |client| client.id == id);
    Ok(match *words {
        ["leader"] => sim.leader().is_some(),
        ["leader", id] => sim.leader() == Some(node(sim, id)?),
        ["no", "leader"] => sim.leader().is_none(),
        ["leaders", wanted] => count(wanted, &|id| {
            sim.node(*id)
                .is_some_and(|view| view.role() == Role::Leader)
        })?,
        ["role", id, role] => role_name(view(sim, id)?.role()) == role,
        ["one", "term"] => {
            let mut terms = views().map(|view| view.term());
            let first = terms.next();
            terms.all(|term| Some(term) == first)
        }
        ["same"] => {
            let views: Vec<View<'_>> = views().collect();
            let states: Vec<_> = views
                .iter()
                .map(|v| (v.last(), v.commit(), v.tree_digest()))
                .collect();
            states.windows(2).all(|pair| pair[0] == pair[1])
                && views.iter().all(|view| view.commit() == view.last().index)
        }
        ["down", wanted] => count(wanted, &|id| sim.node(*id).is_none())?,
        ["paused", wanted] => count(wanted, &|id| sim.is_paused(*id))?,
        ["isolated", wanted] => count(wanted, &|id| sim.is_isolated(*id))?,
        ["behind", entries] => {
            let entries = number(entries)?;
            let lacks = |id| sim.disk(id).map_or(0, |disk| disk.last.0);
            sim.nodes()
                .any(|id| lacks(id).saturating_add(entries) <= sim.committed().0)
        }
        ["all", "vote"] => views().all(|view| {
            let configuration = view.configuration();
            !configuration.is_joint()
                && view.voters().len() == sim.nodes().count()
                && view.is_voter()
        }),
        ["answered"] => sim
            .clients()
            .all(|client| client.attached && client.pending == 0),
        ["unanswered", name] => sim
            .clients()
            .any(|one| one.id == named(name) && 0 < one.pending),
        ["told", name, ref words @ ..] => {
            let last = sim.history(named(name)).filter_map(|call| match &call.end {
                Some(CallEnd::Returned { reply, .. }) => Some(reply_text(reply)),
                _ => None,
            });
            let last = last.last().unwrap_or_default();
            last.starts_with(&format!("{} at ", words.join(" ")))
        }
        ["attached", name] => clients(named(name)).any(|client| client.attached),
        ["gone", name] => clients(named(name)).next().is_none(),
        ["watching", name, path] => sim.watches(named(name)).any(|(at, _)| at == path),
        ["detached", name] => clients(named(name)).any(|client| !client.attached),
        ["holds", name, path] => sim
            .standings(named(name))
            .any(|(_, at, standing)| at == path && matches!(standing, Standing::Holding { .. })),
        ["waits", name, path] => sim
            .standings(named(name))
            .any(|(_, at, standing)| at == path && standing == Standing::Waiting),
        ["holders", path, than, value] => {
            let holds = |client: &ClientId| sim.tokens(*client).any(|(at, _)| at == path);
            let ids = sim.clients().map(|client| client.id);
            compare(ids.filter(holds).count() as u64, than, value)?
        }
        ["present", name, path, than, value] => {
            let found = sim.present(named(name), path).count() as u64;
            compare(found, than, value)?
        }
        ["stored", path, value] => sim.stores().any(|(at, store)| {
            let kept = store.value.as_ref().map(|(_, kept)| &**kept);
            at == path && kept == Some(value)
        }),
        ["children", id, path, than, value] => {
            let found = match look(view(sim, id)?, ReadKind::Children, path) {
                Some(Response::Children { names, .. }) => names.len() as u64,
                _ => return Ok(false),
            };
            compare(found, than, value)?
        }
        ["value", id, path, value] => match look(view(sim, id)?, ReadKind::Data, path) {
            Some(Response::Data { data, .. }) => data.as_deref() == Some(value.as_bytes()),
            _ => false,
        },
        ["broken", name] => {
            let named = |violation: &Violation| format!("{:?}", violation.invariant) == name;
            sim.violations().iter().any(named)
        }
        ["joint", id] => view(sim, id)?.configuration().is_joint(),
        ["voters", id, "=", voters] => {
            let voters = list(sim, voters)?;
            view(sim, id)?.configuration().voters().eq(voters)
        }
        ["flight", link, kind] => find(sim, link, kind).is_ok(),
        ["no", "flight", link, kind] => find(sim, link, kind).is_err(),
        ["entry", id, at] => {
            let (index, term) = at.split_once('@').ok_or("INDEX@TERM")?;
            let entry = view(sim, id)?
                .entry(Index(number(index)?))
                .map(|entry| entry.id.term.0);
            entry == Some(number(term)?)
        }
        [what, id, than, value] => {
            let disk = sim.disk(node(sim, id)?);
            let found = match what {
                "synced" => disk.ok_or("no such node")?.last.0,
                "snapshot" => disk.ok_or("no such node")?.snapshot.0,
                "term" => view(sim, id)?.term().0,
                "commit" => view(sim, id)?.commit().0,
                "applied" => view(sim, id)?.applied().0,
                "durable" => view(sim, id)?.durable().0,
                "sessions" => view(sim, id)?.machine().session_count(),
                "last" => view(sim, id)?.last().index.0,
                _ => return Err(format!("{what} is no number of a node")),
            };
            compare(found, than, value)?
        }
        _ => return Err("no such condition".into()),
    })
}

fn view<'a>(sim: &'a Sim, id: &str) -> Result<View<'a>, String> {
    let id = node(sim, id)?;
    sim.node(id).ok_or_else(|| format!("{id} is down"))
}

/// What a member's tree shows.
fn look(view: View<'_>, kind: ReadKind, path: &str) -> Option<Response> {
    let read = Read {
        kind,
        path: path.into(),
        watch: false,
    };
    view.machine().read(SessionId(0), &read, &[]).ok()
}

/// Whether a number is `=`, `<` or `>` another one.
///
/// # Errors
/// If one of the words is something else.
pub fn compare(found: u64, than: &str, value: &str) -> Result<bool, String> {
    let value = number(value)?;
    Ok(match than {
        "=" => found == value,
        "<" => found < value,
        ">" => value < found,
        _ => return Err(format!("{than} is not =, < or >")),
    })
}

//! Numbers, times and members as scripts write them.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::id::NodeId;
use crate::node::View;
use crate::sim::Sim;
use crate::time::Span;

/// A member by its number, or by what it is now: `leader`; `follower`, the first that runs and can be
/// reached; `isolated`, the first that is; `behind`, the first that runs and lacks a committed entry.
pub(super) fn node(sim: &Sim, text: &str) -> Result<NodeId, String> {
    let leader = sim.leader();
    let found = match text {
        "leader" => leader,
        "follower" => sim.nodes().find(|id| {
            Some(*id) != leader
                && sim.node(*id).is_some()
                && !sim.is_paused(*id)
                && !sim.is_isolated(*id)
        }),
        "behind" => sim.nodes().find(|id| {
            let last = |view: View<'_>| view.last().index;
            sim.node(*id)
                .map(last)
                .is_some_and(|last| last < sim.committed())
        }),
        "isolated" => sim.nodes().find(|id| sim.is_isolated(*id)),
        _ => return number(text).map(NodeId),
    };
    found.ok_or_else(|| format!("there is no {text}"))
}

/// Members, with commas between them.
pub(super) fn list(sim: &Sim, text: &str) -> Result<Vec<NodeId>, String> {
    text.split(',').map(|id| node(sim, id)).collect()
}

/// `1->2`.
pub(super) fn link(sim: &Sim, text: &str) -> Result<(NodeId, NodeId), String> {
    let (from, to) = text.split_once("->").ok_or("FROM->TO")?;
    Ok((node(sim, from)?, node(sim, to)?))
}

pub(super) fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text} is no number"))
}

/// `1500us`, `20ms`, `3s`.
///
/// # Errors
/// What it is not.
pub fn span(text: &str) -> Result<Span, String> {
    if let Some(us) = text.strip_suffix("us") {
        return number(us).map(Span);
    }
    let unit = |text: &str, ms: u64| {
        let ms = number(text)?.checked_mul(ms);
        let fits = |ms: &u64| *ms <= u64::from(u32::MAX);
        ms.filter(fits)
            .map(Span::from_ms)
            .ok_or_else(|| format!("{text} is too long a time"))
    };
    if let Some(ms) = text.strip_suffix("ms") {
        return unit(ms, 1);
    }
    let seconds = text
        .strip_suffix('s')
        .ok_or_else(|| format!("{text} is no time"))?;
    unit(seconds, 1_000)
}

/// `5ms..15ms`.
pub(super) fn spans(text: &str) -> Result<(Span, Span), String> {
    match text.split_once("..") {
        Some((min, max)) => Ok((span(min)?, span(max)?)),
        None => span(text).map(|both| (both, both)),
    }
}

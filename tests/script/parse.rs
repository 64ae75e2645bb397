//! Numbers, times and members as the stories write them.

use otterkeeper_core::id::NodeId;
use otterkeeper_core::time::Span;

pub(super) fn node(text: &str) -> Result<NodeId, String> {
    number(text).map(NodeId)
}

/// Members, with commas between them.
pub(super) fn list(text: &str) -> Result<Vec<NodeId>, String> {
    text.split(',').map(node).collect()
}

pub(super) fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text} is no number"))
}

/// `1500us`, `20ms`, `3s`.
pub(super) fn span(text: &str) -> Result<Span, String> {
    if let Some(us) = text.strip_suffix("us") {
        return number(us).map(Span);
    }
    if let Some(ms) = text.strip_suffix("ms") {
        return number(ms).map(Span::from_ms);
    }
    let seconds = text
        .strip_suffix('s')
        .ok_or_else(|| format!("{text} is no time"))?;
    number(seconds).map(|seconds| Span::from_ms(seconds * 1_000))
}

/// `5ms..15ms`.
pub(super) fn spans(text: &str) -> Result<(Span, Span), String> {
    match text.split_once("..") {
        Some((min, max)) => Ok((span(min)?, span(max)?)),
        None => span(text).map(|both| (both, both)),
    }
}

//! `otterkeeper sim --find`: looks for a run in which something worth seeing happens.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use clap::builder::PossibleValuesParser;
use otterkeeper_core::scenario::{Search, Wanted};
use serde_json::json;

use super::progress;

/// Events between two looks at the bar.
const SLICE: u64 = 20_000;

pub(super) fn names() -> PossibleValuesParser {
    Wanted::ALL.iter().map(|wanted| wanted.name()).into()
}

/// Prints one line of JSON last; fails if nothing is found.
pub(super) fn find(
    wanted: &str,
    nodes: u8,
    from: u64,
    file: Option<&PathBuf>,
) -> anyhow::Result<ExitCode> {
    let wanted: Wanted = wanted.parse().map_err(|wrong: String| anyhow!(wrong))?;
    let mut search = Search::new(wanted, nodes, from);
    let bar = progress(wanted.seeds(), "{bar:40} {pos}/{len} seeds, {elapsed} gone");
    while !search.advance(SLICE) {
        bar.set_position(search.progress().0);
    }
    bar.finish_and_clear();
    let Some(record) = search.found() else {
        println!(
            "{}",
            json!({ "find": wanted.name(), "nodes": nodes, "found": false })
        );
        return Ok(ExitCode::FAILURE);
    };
    if let Some(path) = file {
        std::fs::write(path, record.script())
            .with_context(|| format!("cannot write the script to {}", path.display()))?;
    }
    let (drawn, needed) = search.lengths().unwrap_or_default();
    println!(
        "{}",
        json!({
            "find": wanted.name(),
            "nodes": nodes,
            "found": true,
            "seed": record.seed,
            "drawn": drawn,
            "needed": needed,
            "events": record.event,
            "outage_ms": search.outage().map(|outage| outage.as_ms()),
        })
    );
    Ok(ExitCode::SUCCESS)
}

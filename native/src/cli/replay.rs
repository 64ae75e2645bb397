//! `otterkeeper replay`: runs recorded calls again and compares digests on the way.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use otterkeeper_core::id::NodeId;
use otterkeeper_core::trace::{Divergence, replay};
use otterkeeper_core::wire::trace::decode_trace;
use serde_json::{Map, Value, json};

use super::remote::complain;

/// Run a trace again and compare digests.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only the calls of this member.
    #[arg(long, value_name = "ID")]
    node: Option<u64>,
    file: PathBuf,
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let file = args.file.display();
    let bytes = std::fs::read(&args.file).with_context(|| format!("{file} cannot be read"))?;
    let trace = decode_trace(&bytes).map_err(|error| anyhow!("{file} is not a trace: {error}"))?;
    match replay(&trace, args.node.map(NodeId)) {
        Ok(replayed) => {
            let digest = |(id, digest): (&NodeId, &u64)| (id.to_string(), hex(*digest));
            let nodes: Map<String, Value> = replayed.nodes.iter().map(digest).collect();
            let (calls, digests) = (replayed.calls, replayed.digests);
            println!(
                "{}",
                json!({ "calls": calls, "digests_equal": digests, "nodes": nodes })
            );
            Ok(ExitCode::SUCCESS)
        }
        Err(divergence) => {
            let (step, text) = match divergence {
                Divergence::Boot { step, why } => (step, format!("a node did not boot: {why}")),
                Divergence::NotBooted { step } => {
                    (step, "a node was called that had not booted".to_owned())
                }
                Divergence::Digest {
                    step,
                    recorded,
                    found,
                } => (
                    step,
                    format!("the digest was {recorded:016x} and is now {found:016x}"),
                ),
            };
            complain(&format!("{file}: at step {step}, {text}"));
            println!("{}", json!({ "step": step, "error": text }));
            Ok(ExitCode::FAILURE)
        }
    }
}

fn hex(digest: u64) -> Value {
    format!("{digest:016x}").into()
}

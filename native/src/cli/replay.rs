//! `otterkeeper replay`: runs recorded calls again and compares digests on the way. A script, as the playground
//! exports it and as a failing seed is reduced to, is played; what it comes to can be written for other programs.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use clap::ValueEnum;
use otterkeeper_core::id::NodeId;
use otterkeeper_core::scenario::export::{Export, Kind, rust_test};
use otterkeeper_core::scenario::{Record, play};
use otterkeeper_core::sim::Sim;
use otterkeeper_core::trace::{Divergence, replay};
use otterkeeper_core::wire::trace::{decode_trace, encode_trace};
use serde_json::{Map, Value, json};

use super::remote::complain;

/// Events between two looks at whether an export is done.
const SLICE: u64 = 4_096;

/// Run a trace or a script again and compare digests.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only the calls of this member.
    #[arg(long, value_name = "ID", conflicts_with = "export")]
    node: Option<u64>,
    /// Write the run of a script in this form; to standard output, unless `--output` says where.
    #[arg(long, value_name = "FORM")]
    export: Option<Form>,
    /// Where to write it.
    #[arg(long, value_name = "FILE", requires = "export")]
    output: Option<PathBuf>,
    file: PathBuf,
}

/// What a run can be written as.
#[derive(Clone, Copy, ValueEnum)]
enum Form {
    /// Every moment by its event, with the digest.
    Scenario,
    /// A Rust test for this project's suite.
    Rust,
    /// A timeline for Perfetto and Chrome (JSON).
    Perfetto,
    /// A log with vector clocks.
    Shiviz,
    /// A picture of all messages.
    Svg,
    /// The calls of all nodes, for this command.
    Trace,
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let file = args.file.display();
    let bytes = std::fs::read(&args.file).with_context(|| format!("{file} cannot be read"))?;
    if let Some(script) = script(&bytes) {
        return again(&args, script);
    }
    if args.export.is_some() {
        return Err(anyhow!(
            "{file} is not a script, and only a script can be exported"
        ));
    }
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

/// The text of a script; none if this is something else.
fn script(bytes: &[u8]) -> Option<&str> {
    let text = core::str::from_utf8(bytes).ok()?;
    let is_first = |line: &str| line.trim().starts_with("nodes ");
    text.lines().any(is_first).then_some(text)
}

/// Plays a script.
fn again(args: &Args, script: &str) -> anyhow::Result<ExitCode> {
    let file = args.file.display();
    let sim = match play(script) {
        Ok(sim) => sim,
        Err(wrong) => {
            complain(&format!("{file}: {wrong}"));
            println!("{}", json!({ "error": wrong }));
            return Ok(ExitCode::FAILURE);
        }
    };
    let Some(form) = args.export else {
        let broken = sim.violations().iter();
        let broken: Vec<Value> = broken.map(|one| one.invariant.name().into()).collect();
        let (events, digest) = (sim.events(), hex(sim.digest()));
        println!(
            "{}",
            json!({ "events": events, "digest": digest, "broken": broken })
        );
        return Ok(ExitCode::SUCCESS);
    };
    let bytes = written(form, &sim)?;
    match &args.output {
        Some(path) => std::fs::write(path, bytes)
            .with_context(|| format!("cannot write to {}", path.display()))?,
        None => std::io::Write::write_all(&mut std::io::stdout().lock(), &bytes)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn written(form: Form, sim: &Sim) -> anyhow::Result<Vec<u8>> {
    let mut record = Record::of(sim);
    let kind = match form {
        Form::Scenario => return Ok(record.script().into_bytes()),
        Form::Rust => return Ok(rust_test(&record).into_bytes()),
        Form::Trace => {
            record.config.record = true;
            Kind::ShiViz
        }
        Form::Perfetto => Kind::Perfetto,
        Form::Shiviz => Kind::ShiViz,
        Form::Svg => Kind::Lanes,
    };
    let mut export = Export::new(kind, record);
    while !export.advance(SLICE) {}
    if export.sim().digest() != sim.digest() {
        return Err(anyhow!(
            "the run goes another way when it is executed again"
        ));
    }
    Ok(match form {
        Form::Trace => encode_trace(&export.sim().trace()),
        _ => export.finish().into_bytes(),
    })
}

fn hex(digest: u64) -> Value {
    format!("{digest:016x}").into()
}

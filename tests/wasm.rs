//! The same core in wasm: runs and traces give the same digests there as natively. `cargo xtask test`
//! builds the wasm and says where it is; node.js runs it.

use std::process::Command;
use std::{env, fs};

use otterkeeper_core::sim::digest_of_seed;
use otterkeeper_core::sim::swarm::{Options, Profile, run_seed};
use otterkeeper_core::time::Span;
use otterkeeper_core::trace::{Trace, replay};
use otterkeeper_core::wire::trace::encode_trace;

const SEEDS: [u64; 8] = [1, 2, 3, 5, 8, 13, 21, 1 << 40];
const EVENTS: u64 = 5_000;
/// Recorded runs, of every family of faults in turn.
const TRACES: u64 = 50;
/// Events of each.
const TRACE_EVENTS: u64 = 2_000;

#[test]
#[ignore = "needs the core as wasm: cargo xtask test"]
fn wasm_and_native_agree() {
    let wasm = env::var("OTTERKEEPER_DIGEST_WASM").expect("OTTERKEEPER_DIGEST_WASM is a wasm file");
    let folder = env::temp_dir().join(format!("otterkeeper-traces-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder for the traces");
    let mut expected: Vec<u64> = SEEDS.map(|seed| digest_of_seed(seed, EVENTS)).into();
    let mut files = Vec::new();
    for seed in 1..=TRACES {
        let trace = record(seed);
        let native = replay(&trace, None).expect("the same calls give the same digests");
        let sum = |sum: u64, digest: &u64| sum.wrapping_add(*digest);
        expected.push(native.nodes.values().fold(0, sum));
        let file = folder.join(format!("{seed}.trace"));
        fs::write(&file, encode_trace(&trace)).expect("the trace is written");
        files.push(file);
    }

    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/digest/run.mjs");
    let output = Command::new("node")
        .args([script, &wasm, &EVENTS.to_string()])
        .args(SEEDS.map(|seed| seed.to_string()))
        .arg("--")
        .args(&files)
        .output()
        .expect("node.js runs");
    fs::remove_dir_all(&folder).expect("the traces were there");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the wasm failed: {said}");

    let found = String::from_utf8(output.stdout).expect("digests are digits");
    let found: Vec<u64> = found
        .lines()
        .map(|line| line.parse().expect("a digest"))
        .collect();
    assert_eq!(found, expected, "seeds {SEEDS:?}, then the traces");
}

/// What the nodes of a run were told.
fn record(seed: u64) -> Trace {
    let profiles = Profile::ALL.len() as u64;
    let options = Options {
        profile: Profile::ALL[(seed % profiles) as usize],
        record: true,
        events: TRACE_EVENTS,
        time: Span::from_ms(1_000),
        ..Options::default()
    };
    run_seed(seed, &options).trace.expect("it was asked for")
}

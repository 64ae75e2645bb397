//! The same core in wasm: runs and a trace give the same digests there as natively. `cargo xtask test`
//! builds the wasm and says where it is; node.js runs it.

use std::process::Command;
use std::{env, fs};

use otterkeeper_core::sim::digest_of_seed;
use otterkeeper_core::sim::swarm::{Options, Profile, run_seed};
use otterkeeper_core::time::Span;
use otterkeeper_core::trace::replay;
use otterkeeper_core::wire::trace::encode_trace;

const SEEDS: [u64; 8] = [1, 2, 3, 5, 8, 13, 21, 1 << 40];
const EVENTS: u64 = 5_000;

#[test]
#[ignore = "needs the core as wasm: cargo xtask test"]
fn wasm_and_native_agree() {
    let wasm = env::var("OTTERKEEPER_DIGEST_WASM").expect("OTTERKEEPER_DIGEST_WASM is a wasm file");
    let options = Options {
        profile: Profile::Storm,
        record: true,
        events: EVENTS,
        time: Span::from_ms(1_000),
        ..Options::default()
    };
    let trace = run_seed(11, &options).trace.expect("it was asked for");
    let native = replay(&trace, None).expect("the same calls give the same digests");
    let file = env::temp_dir().join(format!("otterkeeper-trace-{}", std::process::id()));
    fs::write(&file, encode_trace(&trace)).expect("the trace is written");

    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/digest/run.mjs");
    let output = Command::new("node")
        .args([script, &wasm])
        .arg(&file)
        .arg(EVENTS.to_string())
        .args(SEEDS.map(|seed| seed.to_string()))
        .output()
        .expect("node.js runs");
    fs::remove_file(&file).expect("the trace was there");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the wasm failed: {said}");

    let mut expected: Vec<u64> = SEEDS.map(|seed| digest_of_seed(seed, EVENTS)).into();
    expected.push(
        native
            .nodes
            .values()
            .fold(0_u64, |sum, digest| sum.wrapping_add(*digest)),
    );
    let found = String::from_utf8(output.stdout).expect("digests are digits");
    let found: Vec<u64> = found
        .lines()
        .map(|line| line.parse().expect("a digest"))
        .collect();
    assert_eq!(found, expected, "seeds {SEEDS:?}, then the trace");
}

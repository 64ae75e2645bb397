//! A run that was exported from the playground. Executed again, it comes to the digest in its last line.

use otterkeeper_core::scenario::play;

const RUN: &str = r##"
nodes 5 seed 42 workload 0
event 123 at 700000us
client-1 at 2
raw 0118010100062f6f74746572010974776f20776f726473011f05776f726c6406616e796f6e650000
raw 0118010100082f612076616c7565010974776f20776f726473011f05776f726c6406616e796f6e650000
workload 40
event 509 at 900000us
duplicate 410
loss all 100
event 578 at 1000000us
kill 3
cut 1->3
event 1061 at 1900000us
restart 3
heal
event 1331 at 2400000us
digest c358ef002bae2d5d
"##;

#[test]
fn the_run_comes_to_its_digest() {
    let sim = play(RUN).unwrap_or_else(|wrong| panic!("{wrong}"));
    println!("{} events, {:?}", sim.events(), sim.violations());
}

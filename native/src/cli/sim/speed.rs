//! `otterkeeper sim --speed`: how fast the simulator is on one core, in processor time, so that a busy
//! machine does not change the figures. A cluster of five under the usual load (50 operations a second,
//! half of them writes), without and with invariants, and an hour of a cluster that nobody uses.

use otterkeeper_core::sim::{Sim, SimConfig, Workload};
use otterkeeper_core::time::{Span, Time};
use serde_json::{Value, json};

/// Members of the cluster.
const NODES: u8 = 5;
/// Events of a case that has no end of its own.
const EVENTS: u64 = 2_000_000;
/// Virtual time of the idle case.
const HOUR: Span = Span::from_ms(3_600_000);

/// Runs all cases and tells them apart by name.
pub(super) fn measure() -> Value {
    json!({
        "nodes": NODES,
        "load": case(false, true),
        "load_with_invariants": case(true, true),
        "idle_hour": case(false, false),
    })
}

fn case(checks: bool, load: bool) -> Value {
    let mut config = SimConfig::new(NODES);
    config.checks = checks;
    config.log = false;
    config.node.notes = false;
    config.workload = load.then(Workload::default);
    let mut sim = Sim::new(config, 1);
    let start = sim.now();
    let begun = processor_time();
    let events = match load {
        true => sim.run_until(Time::NEVER, EVENTS),
        false => sim.run_until(start + HOUR, u64::MAX),
    };
    let took = (processor_time() - begun).max(1);
    let passed = sim.now().since(start).0;
    json!({
        "events": events,
        "virtual_ms": passed / 1_000,
        "processor_ms": took / 1_000,
        "events_per_second": events.saturating_mul(1_000_000) / took,
        "cluster_hours_per_hour": passed / took,
    })
}

/// Microseconds that this thread has had a processor for.
fn processor_time() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the call writes one timespec, to which the pointer points.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    time.tv_sec.cast_unsigned() * 1_000_000 + time.tv_nsec.cast_unsigned() / 1_000
}

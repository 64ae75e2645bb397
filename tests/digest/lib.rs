//! The core as bare wasm for `tests/wasm.rs`: digests of runs and of a replayed trace, for a host that
//! gives it nothing but numbers. A package of its own, because the tests' other dependencies have no
//! business in wasm.

use core::cell::RefCell;

use otterkeeper_core::sim::digest_of_seed;
use otterkeeper_core::trace::replay;
use otterkeeper_core::wire::trace::decode_trace;

thread_local! {
    /// The trace that has been handed over so far.
    static TRACE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The digest of a simulated cluster after `events` events of the run `seed`.
#[unsafe(no_mangle)]
pub extern "C" fn seed(seed: u64, events: u64) -> u64 {
    digest_of_seed(seed, events)
}

/// Takes the next byte of a trace.
#[unsafe(no_mangle)]
pub extern "C" fn push(byte: u8) {
    TRACE.with_borrow_mut(|trace| trace.push(byte));
}

/// Replays the trace and forgets it. It must meet its recorded digests; gives the sum of the nodes' last
/// ones, or 0 if it cannot be read or meets another digest.
#[unsafe(no_mangle)]
pub extern "C" fn replayed() -> u64 {
    let bytes = TRACE.take();
    let replayed = decode_trace(&bytes)
        .ok()
        .and_then(|trace| replay(&trace, None).ok());
    replayed.map_or(0, |run| {
        run.nodes
            .values()
            .fold(0_u64, |sum, digest| sum.wrapping_add(*digest))
    })
}

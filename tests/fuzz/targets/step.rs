//! One member among faulty peers.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| otterkeeper_tests::fuzz::step::step(bytes));

//! Every decoder of the core.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| otterkeeper_tests::fuzz::decode::decode(bytes));

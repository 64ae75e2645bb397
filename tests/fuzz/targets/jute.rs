//! What the server reads beside the core's formats.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| otterkeeper_tests::fuzz::jute::jute(bytes));

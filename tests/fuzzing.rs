//! The fuzzers' bodies under proptest: some seconds each in every run of the suite. `tests/fuzz` runs the
//! same ones under libFuzzer for as long as one likes. `OTTERKEEPER_CASES` sets the number of cases.

use std::env;

use otterkeeper_tests::fuzz;
use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, any};
use proptest::test_runner::{RngSeed, TestRunner};

use crate::counting::peak_bytes;

/// What a body may hold beside what its input asks for.
const ROOM: usize = 4 << 20;
/// Bytes that one byte of input may take.
const PER_BYTE: usize = 4 << 10;

/// Feeds `body` with bytes, the same ones in every run, each no longer than `longest`.
fn feed(cases: u32, longest: usize, body: fn(&[u8])) {
    let cases = env::var("OTTERKEEPER_CASES").map_or(cases, |n| n.parse().expect("a number"));
    let config = ProptestConfig {
        cases,
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let bytes = vec(any::<u8>(), 0..longest);
    let run = TestRunner::new(config).run(&bytes, |bytes| {
        let ((), peak) = peak_bytes(|| body(&bytes));
        assert!(
            peak <= ROOM + bytes.len() * PER_BYTE,
            "it took {peak} bytes"
        );
        Ok(())
    });
    if let Err(failure) = run {
        panic!("{failure}");
    }
}

#[test]
fn decoders_of_the_core_are_total() {
    feed(400_000, 200, fuzz::decode::decode);
}

#[test]
fn decoders_of_the_server_are_total() {
    feed(100_000, 300, fuzz::jute::jute);
}

#[test]
fn a_member_among_faulty_peers_keeps_its_rules() {
    feed(20_000, 1_500, fuzz::step::step);
}

/// What libFuzzer found once stays mended.
#[test]
fn what_fuzzing_found_stays_mended() {
    let found = include_str!("fuzz/found.txt");
    let lines = found
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    for line in lines {
        let mut words = line.split(' ');
        let (Some(body), Some(hex)) = (words.next(), words.next()) else {
            panic!("`{line}` is not a body and bytes");
        };
        let bytes: Vec<u8> = (0..hex.len() / 2)
            .map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).expect("two hex digits"))
            .collect();
        match body {
            "decode" => fuzz::decode::decode(&bytes),
            "jute" => fuzz::jute::jute(&bytes),
            "step" => fuzz::step::step(&bytes),
            other => panic!("no body is called {other}"),
        }
    }
}

//! Determinism: the same seed gives the same run, a clone goes on like its original, and a recorded
//! trace gives the same digests again, for all nodes and for one alone, also through its file format.

use otterkeeper_core::id::NodeId;
use otterkeeper_core::sim::swarm::{Options, Profile, plan, run_seed};
use otterkeeper_core::sim::{Sim, digest_of_seed};
use otterkeeper_core::time::Span;
use otterkeeper_core::trace::{Divergence, Step, replay};
use otterkeeper_core::wire::trace::{decode_trace, encode_trace};

#[test]
fn two_runs_of_a_seed_are_equal() {
    for seed in 1..=6 {
        let digest = digest_of_seed(seed, 4_000);
        assert_eq!(digest, digest_of_seed(seed, 4_000), "seed {seed}");
        assert_ne!(digest, digest_of_seed(seed + 100, 4_000), "seed {seed}");
    }
}

#[test]
fn a_clone_goes_on_like_its_original() {
    let (config, _) = plan(
        3,
        &Options {
            profile: Profile::Storm,
            ..Options::default()
        },
    );
    let mut sim = Sim::new(config, 3);
    for _ in 0..20 {
        sim.run_until(sim.now() + Span::from_ms(60_000), 300);
        let mut clone = sim.clone();
        clone.run_until(clone.now() + Span::from_ms(60_000), 500);
        let mut other = sim.clone();
        other.run_until(other.now() + Span::from_ms(60_000), 500);
        assert_eq!(clone.digest(), other.digest());
    }
}

#[test]
fn a_trace_replays_to_equal_digests() {
    let options = Options {
        profile: Profile::Storm,
        record: true,
        events: 4_000,
        time: Span::from_ms(1_000),
        ..Options::default()
    };
    let trace = run_seed(11, &options).trace.expect("it was asked for");
    let bytes = encode_trace(&trace);
    let mut read = decode_trace(&bytes).expect("it was just written");
    assert_eq!(read, trace);
    let all = replay(&read, None).expect("the same calls give the same digests");
    assert!(
        30 <= all.digests,
        "{} digests in {} calls",
        all.digests,
        all.calls
    );
    for (node, digest) in &all.nodes {
        let one = replay(&read, Some(*node)).expect("one node's calls replay alone");
        assert_eq!(one.nodes.get(node), Some(digest));
    }

    // A trace that was changed is noticed.
    let dropped = read.steps.iter().position(
        |step| matches!(step, Step::Call { node: NodeId(1), inputs, .. } if !inputs.is_empty()),
    );
    read.steps.remove(dropped.expect("node 1 was called"));
    assert!(matches!(
        replay(&read, Some(NodeId(1))),
        Err(Divergence::Digest { .. })
    ));
    for cut in [0, 1, bytes.len() / 2, bytes.len() - 1] {
        assert!(decode_trace(&bytes[..cut]).is_err());
    }
}

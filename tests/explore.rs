//! Every order in which few things can happen to three members, breadth first, up to a bound: messages
//! arrive in any order or never, disks report when they like, timers fire when they like, one process
//! ends and comes back. The members are the real `Node`; what holds is checked in every state.
//!
//! The search is our own and not stateright's, for three reasons: it asks for `Hash` on the state, which
//! rule R9 forbids; a state here is a few numbers, because equal members and equal messages are kept once
//! and a step that was taken once is looked up the next time; and the shortest path to a violation is
//! run again on members that share nothing, so that what it tells is not an accident of the bookkeeping.
//!
//! `OTTERKEEPER_STATES=2000000` sets where a search ends that has not closed its bound.

mod member;
mod search;

use std::env;
use std::time::Instant;

use otterkeeper_core::config::Bug;

use self::search::{Bound, Search};

/// States of each model in a run of the suite.
const STATES: usize = 120_000;

fn states() -> usize {
    env::var("OTTERKEEPER_STATES").map_or(STATES, |n| n.parse().expect("a number"))
}

/// Explores and tells; the violation, if there is one.
fn explore(name: &str, bug: Option<Bug>, bound: Bound, states: usize) -> Option<String> {
    let begun = Instant::now();
    let mut search = Search::new(bug, bound);
    let found = search.run(states);
    println!(
        "{name}: {} states, {} of them open, depth {}, {} members, {} messages, {:.1} s: {}",
        search.count(),
        search.open(),
        search.depth(),
        search.members(),
        search.messages(),
        begun.elapsed().as_secs_f64(),
        match &found {
            Some(violation) => violation.what.as_str(),
            None if search.open() == 0 => "closed",
            None => "nothing found",
        }
    );
    let found = found?;
    for line in &found.path {
        println!("    {line}");
    }
    assert_eq!(
        found.again.as_ref(),
        Some(&found.what),
        "the path does not lead there on members that share nothing"
    );
    Some(found.what)
}

/// Elections, replication and a crash.
const LIFE: Bound = Bound {
    timeouts: 2,
    beats: 0,
    lapses: 1,
    proposals: 1,
    crashes: 1,
    members: 0,
    flights: 6,
};

/// One member joins, and leadership changes meanwhile.
const JOINING: Bound = Bound {
    timeouts: 1,
    beats: 1,
    lapses: 1,
    proposals: 0,
    crashes: 1,
    members: 1,
    flights: 6,
};

#[test]
fn three_members_keep_their_promises_in_every_state() {
    assert_eq!(explore("three members", None, LIFE, states()), None);
}

#[test]
fn a_change_of_members_keeps_them_too() {
    assert_eq!(explore("a member joins", None, JOINING, states()), None);
}

/// A bound that closes: all that can happen in one election is looked at.
#[test]
fn one_election_is_explored_to_its_end() {
    let bound = Bound {
        timeouts: 1,
        beats: 0,
        lapses: 0,
        proposals: 0,
        crashes: 0,
        members: 0,
        flights: 32,
    };
    let mut search = Search::new(None, bound);
    assert!(search.run(2_000_000).is_none());
    println!(
        "one election: {} states, depth {}",
        search.count(),
        search.depth()
    );
    assert_eq!(search.open(), 0, "it does not close");
    assert_eq!(search.terms_led(), 2, "nobody is elected");
}

#[test]
fn planted_bugs_are_found() {
    let no_crash = Bound {
        crashes: 0,
        lapses: 0,
        timeouts: 1,
        ..LIFE
    };
    let crash = Bound {
        lapses: 0,
        timeouts: 1,
        ..LIFE
    };
    let duel = Bound {
        proposals: 0,
        lapses: 0,
        ..LIFE
    };
    for (bug, bound) in [
        (Bug::NoLogCheck, no_crash),
        (Bug::LeaderCountsBeforeSync, crash),
        (Bug::ForgetVote, duel),
    ] {
        let found = explore(&format!("{bug:?}"), Some(bug), bound, 2_000_000);
        assert!(found.is_some(), "{bug:?} survived");
    }
}

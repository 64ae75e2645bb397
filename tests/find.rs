//! The search finds what it looks for, and what it leaves of the damage is needed: without any one piece of it the run
//! comes to something else.

use otterkeeper_core::raft::note::Role;
use otterkeeper_core::scenario::{Goal, Lessen, Lesson, Record, Search, Wanted, play};
use otterkeeper_core::sim::{Deed, Sim};
use otterkeeper_core::time::Span;

fn search(wanted: Wanted, nodes: u8) -> Search {
    let mut search = Search::new(wanted, nodes, 1);
    while !search.advance(1_000) {}
    search
}

/// Executes a record again, with less.
fn lessened(record: &Record, goal: &Goal) -> Lessen {
    let mut lessen = Lessen::new(record, goal).expect("the goal makes sense");
    while !lessen.advance(1_000) {}
    lessen
}

fn leaders(sim: &Sim) -> usize {
    let views = sim.nodes().filter_map(|id| sim.node(id));
    views.filter(|view| view.role() == Role::Leader).count()
}

#[test]
fn two_leaders_are_found_with_nothing_that_is_not_needed() {
    for nodes in [3, 5] {
        let search = search(Wanted::TwoLeaders, nodes);
        let record = search.found().expect("there is such a run");
        let sim = play(&record.script()).expect("it comes to the same digest");
        assert_eq!(leaders(&sim), 2);
        let (drawn, needed) = search.lengths().expect("it was found");
        println!("* two leaders of {nodes}: {drawn} interventions drawn, {needed} needed");
        assert_eq!(needed, record.deeds.len());
        let goal = Goal::Conditions(vec!["leaders 2".into()]);
        for place in 0..needed {
            let mut less = record.clone();
            let deeds: &mut Vec<Deed> = &mut less.deeds;
            deeds.remove(place);
            assert!(
                lessened(&less, &goal).best().is_none(),
                "{place} is not needed"
            );
        }
    }
}

#[test]
fn split_votes_are_found() {
    let search = search(Wanted::SplitVotes, 4);
    let record = search.found().expect("there is such a run");
    let sim = play(&record.script()).expect("it comes to the same digest");
    let (tried, _) = search.progress();
    println!(
        "* three split votes after {tried} seeds, {:?}",
        search.lengths()
    );
    // Three terms went by without a leader.
    let term = sim
        .nodes()
        .filter_map(|id| sim.node(id))
        .map(|view| view.term().0)
        .max();
    assert!(Some(4) <= term);
}

#[test]
fn the_longest_outage_is_longer_than_that_of_a_usual_crash() {
    let search = search(Wanted::Outage, 5);
    let record = search.found().expect("there is such a run");
    let outage = search.outage().expect("it was measured");
    println!("* longest outage {} ms", outage.as_ms());
    assert_eq!(record.deeds.len(), 1);
    let election = record.config.node.election_max();
    assert!(election < outage && outage < Span(election.0 * 8));
    let sim = play(&record.script()).expect("it comes to the same digest");
    assert!(sim.leader().is_some());
}

/// What was done in a rule's scenario, and more that does not matter, comes down to what the promise falls by.
#[test]
fn damage_that_does_not_matter_is_left_out() {
    let text = include_str!("../www/rules/2-no-log-check.scenario");
    let lesson = Lesson::parse(text).expect("it is a lesson");
    let script = "
        nodes 5 seed 4 planted NoLogCheck
        campaign 1
        until leader 1
        a at 1
        until answered
        until same
        snapshot 2
        loss 3->4 0
        isolate 5
        a create /kept 1
        until told a created /kept
        freeze-disk 5
        thaw-disk 5
        kill leader
        heal
        campaign 5
        until leader 5
        run 1s";
    let sim = play(script).expect("it can be played");
    assert!(!sim.violations().is_empty());
    let goal = Goal::Conditions(lesson.steps[0].checks.clone());
    let mut lessen = Lessen::new(&Record::of(&sim), &goal)
        .expect("the goal makes sense")
        .with_fewer_members();
    while !lessen.advance(1_000) {}
    let (before, after) = lessen.lengths();
    println!(
        "* {before} interventions, {after} needed, {} runs",
        lessen.runs()
    );
    assert!(after < before - 3);
    let (long, short) = lessen.spans();
    println!("* {} ms, {} needed", long.as_ms(), short.as_ms());
    assert!(short.0 < long.0 / 2, "nobody waits without need");
    let best = lessen.best().expect("it was found");
    assert_eq!(best.config.nodes, 3, "two of five do nothing");
    let sim = play(&best.script()).expect("it comes to the same digest");
    assert!(!sim.violations().is_empty());
}

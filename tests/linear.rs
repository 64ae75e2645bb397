//! Our linearizability checker against stateright's, on small random histories: most of them come from a
//! run of a real sequential object, and half of those were changed afterwards in one place. The object is a small
//! tree, whose parents, children and ends the specification here has in full; what may end by itself is there an
//! operation of its own that nobody ever hears of. And runs of the
//! swarm that are judged on their way against the same runs judged at their end.

use std::collections::BTreeMap;

use otterkeeper_core::config::Bug;
use otterkeeper_core::rng::Rng;
use otterkeeper_core::scenario::{Miss, play_line, set_up};
use otterkeeper_core::sim::linear::{
    BUDGET, Cell, History, Judgement, Operation, Reason, Step, Verdict, What,
};
use otterkeeper_core::sim::swarm::{Options, plan};
use otterkeeper_core::sim::{ClientId, Sim};
use otterkeeper_core::time::Span;
use stateright::semantics::register::{Register, RegisterOp, RegisterRet};
use stateright::semantics::{ConsistencyTester, LinearizabilityTester, SequentialSpec};

const HISTORIES: u64 = 6_000;
const THREADS: u64 = 3;

/// The keys: two below the root, and one below each of the first and of that.
const PARENTS: [Option<usize>; 4] = [None, None, Some(0), Some(2)];

/// The specification as stateright takes it, written for this test alone.
#[derive(Clone, Debug, Default)]
struct Keeper {
    /// Value, version, and whether it may end by itself.
    cells: BTreeMap<usize, (u64, u64, bool)>,
    counters: BTreeMap<usize, u64>,
}

#[derive(Clone, PartialEq, Debug)]
enum Ask {
    Read(usize),
    Look(usize),
    Do(Vec<Step>),
    /// Ends a key that may end, if nothing is below it.
    End(usize),
}

#[derive(Clone, PartialEq, Debug)]
enum Told {
    Cell(Option<(u64, u64)>),
    /// The version, and which keys are below it.
    Seen(Option<(u64, Vec<usize>)>),
    /// The version of each set, the number of each sequential create.
    Done(Vec<Option<u64>>),
    Refused(usize, Reason),
    Nothing,
}

impl SequentialSpec for Keeper {
    type Op = Ask;
    type Ret = Told;

    fn invoke(&mut self, ask: &Ask) -> Told {
        let steps = match ask {
            Ask::Read(key) => {
                let cell = self.cells.get(key);
                return Told::Cell(cell.map(|(value, version, _)| (*value, *version)));
            }
            Ask::Look(key) => {
                let cell = self.cells.get(key);
                return Told::Seen(cell.map(|(_, version, _)| (*version, self.children(*key))));
            }
            Ask::End(key) => {
                let ends = self.cells.get(key).is_some_and(|cell| cell.2);
                if ends && self.children(*key).is_empty() {
                    self.remove(*key);
                }
                return Told::Nothing;
            }
            Ask::Do(steps) => steps,
        };
        let mut next = self.clone();
        let mut told = Vec::new();
        for (at, step) in steps.iter().enumerate() {
            match next.step(step) {
                Ok(result) => told.push(result),
                Err(why) => return Told::Refused(at, why),
            }
        }
        *self = next;
        Told::Done(told)
    }

    fn is_valid_step(&mut self, ask: &Ask, told: &Told) -> bool {
        // Any number above those before is right, so it is the answer that says which.
        let mut asked = ask.clone();
        if let (Ask::Do(steps), Told::Done(results)) = (&mut asked, told) {
            for (step, result) in steps.iter_mut().zip(results) {
                if let Step::Next { number, .. } = step {
                    *number = *result;
                }
            }
        }
        self.invoke(&asked) == *told
    }
}

impl Keeper {
    fn children(&self, key: usize) -> Vec<usize> {
        let below = self.cells.keys().copied();
        below.filter(|child| PARENTS[*child] == Some(key)).collect()
    }

    fn remove(&mut self, key: usize) {
        self.cells.remove(&key);
        self.counters.remove(&key);
    }

    fn step(&mut self, step: &Step) -> Result<Option<u64>, Reason> {
        let found = |keeper: &Self, key, wanted: Option<u64>| {
            let (_, version, mortal) = *keeper.cells.get(&key).ok_or(Reason::Absent)?;
            match wanted.is_none_or(|wanted| wanted == version) {
                true => Ok((version, mortal)),
                false => Err(Reason::Version),
            }
        };
        match *step {
            Step::Check { key, version } => {
                found(self, key, version)?;
                Ok(None)
            }
            Step::Create { key, value, mortal } => {
                if PARENTS[key].is_some_and(|parent| !self.cells.contains_key(&parent)) {
                    return Err(Reason::Absent);
                }
                if self.cells.contains_key(&key) {
                    return Err(Reason::There);
                }
                self.cells.insert(key, (value, 0, mortal));
                Ok(None)
            }
            Step::Set {
                key,
                value,
                version,
                ..
            } => {
                let (version, mortal) = found(self, key, version)?;
                self.cells.insert(key, (value, version + 1, mortal));
                Ok(Some(version + 1))
            }
            Step::Delete { key, version } => {
                found(self, key, version)?;
                if !self.children(key).is_empty() {
                    return Err(Reason::Children);
                }
                self.remove(key);
                Ok(None)
            }
            Step::Next { parent, number } => {
                found(self, parent, None)?;
                let before = self.counters.get(&parent).copied();
                let number = match number {
                    // A create that nobody was told of: some number, and there is always one between.
                    None => return Ok(None),
                    Some(number) if before.is_some_and(|before| number <= before) => {
                        // No answer says this, so the step is not valid.
                        return Ok(None);
                    }
                    Some(number) => number,
                };
                self.counters.insert(parent, number);
                Ok(Some(number))
            }
        }
    }
}

/// One operation of one thread: where it was called and returned among the events, and its answer.
#[derive(Clone, Debug)]
struct Done<Op, Ret> {
    thread: u64,
    called: u64,
    returned: Option<u64>,
    asked: Op,
    told: Ret,
}

/// Threads call, an object acts at some moment in between, threads return; some never do.
fn run<Op: Clone, Ret: Clone>(
    rng: &mut Rng,
    count: usize,
    mut ask: impl FnMut(&mut Rng) -> Op,
    mut act: impl FnMut(&mut Rng, &Op) -> Ret,
) -> Vec<Done<Op, Ret>> {
    let mut all: Vec<(Done<Op, Option<Ret>>, bool)> = Vec::new();
    let mut now = 0;
    let mut open: BTreeMap<u64, usize> = BTreeMap::new();
    while all.len() < count || rng.chance(700) && !open.is_empty() {
        now += 1;
        let thread = rng.below(THREADS);
        match open.get(&thread) {
            None if all.len() < count => {
                let asked = ask(rng);
                open.insert(thread, all.len());
                let done = Done {
                    thread,
                    called: now,
                    returned: None,
                    asked,
                    told: None,
                };
                all.push((done, false));
            }
            None => {}
            Some(at) => {
                let (done, acted) = &mut all[*at];
                if !*acted {
                    *acted = true;
                    done.told = Some(act(rng, &done.asked));
                } else {
                    done.returned = Some(now);
                    open.remove(&thread);
                }
            }
        }
    }
    let mut last = Vec::new();
    for (done, _) in all {
        let told = match (done.told, done.returned) {
            (Some(told), _) => told,
            // What it would have been told does not matter: it has not returned.
            (None, _) => act(rng, &done.asked),
        };
        last.push(Done {
            thread: done.thread,
            called: done.called,
            returned: done.returned,
            asked: done.asked,
            told,
        });
    }
    last
}

/// What stateright says.
fn theirs<Spec>(spec: Spec, operations: &[Done<Spec::Op, Spec::Ret>]) -> bool
where
    Spec: SequentialSpec + Clone + core::fmt::Debug,
    Spec::Op: Clone + core::fmt::Debug,
    Spec::Ret: Clone + core::fmt::Debug + PartialEq,
{
    let mut events: BTreeMap<(u64, usize), (usize, bool)> = BTreeMap::new();
    for (at, done) in operations.iter().enumerate() {
        events.insert((done.called, at), (at, true));
        if let Some(returned) = done.returned {
            events.insert((returned, at), (at, false));
        }
    }
    let mut tester = LinearizabilityTester::new(spec);
    for (at, is_call) in events.into_values() {
        let done = &operations[at];
        let taken = match is_call {
            true => tester.on_invoke(done.thread, done.asked.clone()),
            false => tester.on_return(done.thread, done.told.clone()),
        };
        taken.expect("threads do one thing at a time");
    }
    tester.is_consistent()
}

/// What we say; and if there is an order, whether it is one.
fn ours(cells: Vec<Option<Cell>>, operations: Vec<Operation>) -> bool {
    let parents = PARENTS.to_vec();
    let history = History {
        cells,
        parents,
        operations,
    };
    match history.check(BUDGET) {
        Verdict::Linearizable(order) => {
            explains(&history, &order);
            true
        }
        Verdict::Broken(_) => false,
        Verdict::Undecided => panic!("so small a history was too much: {history:?}"),
    }
}

/// The order keeps to real time, and every operation that returned is in it once.
fn explains(history: &History, order: &[usize]) {
    let mut latest_call = 0;
    for number in order {
        let operation = &history.operations[*number];
        let returned = match operation.what {
            What::Unknown(_) => u64::MAX,
            _ => operation.returned,
        };
        assert!(latest_call <= returned, "{order:?} of {history:?}");
        latest_call = latest_call.max(operation.called);
    }
    for (number, operation) in history.operations.iter().enumerate() {
        let count = order.iter().filter(|placed| **placed == number).count();
        let may_be_absent = matches!(operation.what, What::Unknown(_));
        assert!(count == 1 || count == 0 && may_be_absent, "{order:?}");
    }
}

/// Both verdicts of each history, and its text. Where znodes end by themselves ours may find an order that theirs
/// does not, because it looks less closely at what may end when: this often at most.
fn compare(
    name: &str,
    (count, lenient): (u64, u64),
    mut one: impl FnMut(&mut Rng, bool) -> (bool, bool, String),
) {
    let mut rng = Rng::new(1);
    let (mut broken, mut more) = (0, 0);
    for number in 0..count {
        let (ours, theirs, text) = one(&mut rng, number % 2 == 1);
        let is_more = ours && !theirs;
        more += u64::from(is_more);
        assert!(
            ours == theirs || is_more && more <= lenient,
            "history {number}: ours {ours} and theirs {theirs} of {text}"
        );
        broken += u64::from(!ours);
    }
    println!("{name}: {count} histories, {broken} without an order, {more} only by theirs");
    assert!(count / 10 < broken && broken < count * 9 / 10);
}

#[test]
fn registers_are_judged_as_stateright_judges_them() {
    compare("registers", (HISTORIES, 0), |rng, perturbed| {
        let mut value = 0;
        let count = rng.between(2, 8) as usize;
        let ask = |rng: &mut Rng| match rng.chance(500) {
            true => RegisterOp::Write(rng.below(4)),
            false => RegisterOp::Read,
        };
        let act = |_: &mut Rng, asked: &RegisterOp<u64>| match asked {
            RegisterOp::Write(new) => {
                value = *new;
                RegisterRet::WriteOk
            }
            RegisterOp::Read => RegisterRet::ReadOk(value),
        };
        let mut operations = run(rng, count, ask, act);
        if perturbed {
            let at = rng.below(operations.len() as u64) as usize;
            if let RegisterRet::ReadOk(value) = &mut operations[at].told {
                *value = rng.below(4);
            }
            swap_moments(rng, &mut operations);
        }
        let mine = operations.iter().map(|done| {
            let what = match (&done.asked, &done.told, done.returned) {
                // A register forgets how often it was set: made anew each time.
                (RegisterOp::Write(value), _, returned) => {
                    let steps = vec![
                        Step::Delete {
                            key: 0,
                            version: None,
                        },
                        Step::Create {
                            key: 0,
                            value: *value,
                            mortal: false,
                        },
                    ];
                    match returned {
                        Some(_) => What::Done(steps),
                        None => What::Unknown(steps),
                    }
                }
                (RegisterOp::Read, RegisterRet::ReadOk(value), Some(_)) => What::Read {
                    key: 0,
                    seen: Some(Cell {
                        value: *value,
                        version: 0,
                        mortal: false,
                    }),
                },
                // A read that nobody saw.
                _ => What::Unknown(Vec::new()),
            };
            Operation {
                called: done.called,
                returned: done.returned.unwrap_or(u64::MAX),
                what,
            }
        });
        let first = vec![Some(Cell {
            value: 0,
            version: 0,
            mortal: false,
        })];
        let ours = ours(first, mine.collect());
        (
            ours,
            theirs(Register(0), &operations),
            format!("{operations:?}"),
        )
    });
}

#[test]
fn a_tree_with_transactions_and_sequential_creates_is_judged_as_stateright_judges_it() {
    compare("a tree", (2 * HISTORIES, 0), |rng, perturbed| {
        tree(rng, perturbed, false)
    });
}

#[test]
fn a_tree_in_which_znodes_end_by_themselves_is_judged_as_stateright_judges_it() {
    compare(
        "a tree with ends",
        (HISTORIES, HISTORIES / 100),
        |rng, perturbed| tree(rng, perturbed, true),
    );
}

fn tree(rng: &mut Rng, perturbed: bool, ends: bool) -> (bool, bool, String) {
    let mut keeper = Keeper::default();
    let mut given = 0;
    let count = rng.between(2, if ends { 6 } else { 7 }) as usize;
    let act = |rng: &mut Rng, asked: &Ask| {
        let key = rng.below(PARENTS.len() as u64) as usize;
        if rng.chance(400) {
            keeper.invoke(&Ask::End(key));
        }
        let mut asked = asked.clone();
        if let Ask::Do(steps) = &mut asked {
            for step in steps {
                if let Step::Next { number, .. } = step {
                    given += rng.between(1, 3);
                    *number = Some(given);
                }
            }
        }
        keeper.invoke(&asked)
    };
    let mut operations = run(rng, count, |rng| ask(rng, ends), act);
    if perturbed {
        let at = rng.below(operations.len() as u64) as usize;
        disturb(rng, &mut operations[at].told);
        if rng.chance(300) {
            swap_moments(rng, &mut operations);
        }
    }
    let ours = ours(Vec::new(), operations.iter().map(translated).collect());
    // Nobody waits for what ends by itself, so each end is one call that never returns.
    let mut theirs_too = operations.clone();
    for (number, key) in operations.iter().flat_map(mortals).enumerate() {
        theirs_too.push(Done {
            thread: THREADS + number as u64,
            called: 0,
            returned: None,
            asked: Ask::End(key),
            told: Told::Nothing,
        });
    }
    let text = format!("{operations:?}");
    (ours, theirs(Keeper::default(), &theirs_too), text)
}

/// The keys that an operation makes end by themselves.
fn mortals(done: &Done<Ask, Told>) -> Vec<usize> {
    let Ask::Do(steps) = &done.asked else {
        return Vec::new();
    };
    let key = |step: &Step| match *step {
        Step::Create { key, mortal, .. } => mortal.then_some(key),
        _ => None,
    };
    steps.iter().filter_map(key).collect()
}

fn ask(rng: &mut Rng, ends: bool) -> Ask {
    if rng.chance(350) {
        let key = rng.below(PARENTS.len() as u64) as usize;
        return match rng.chance(500) {
            true => Ask::Read(key),
            false => Ask::Look(key),
        };
    }
    let count = [1, 1, 2, 3][rng.below(4) as usize];
    Ask::Do((0..count).map(|_| step(rng, ends)).collect())
}

fn step(rng: &mut Rng, ends: bool) -> Step {
    let key = [0, 0, 1, 2, 2, 3][rng.below(6) as usize];
    let value = rng.below(5);
    let version = rng.chance(300).then(|| rng.below(3));
    match rng.below(10) {
        0 => Step::Check { key, version },
        1..5 => Step::Create {
            key,
            value,
            mortal: ends && rng.chance(600),
        },
        5 => Step::Set {
            key,
            value,
            version,
            then: None,
        },
        6..9 => Step::Delete { key, version },
        _ => Step::Next {
            parent: key,
            number: None,
        },
    }
}

fn translated(done: &Done<Ask, Told>) -> Operation {
    let what = match (&done.asked, &done.told) {
        (Ask::Read(_) | Ask::Look(_), _) if done.returned.is_none() => What::Unknown(Vec::new()),
        (Ask::Look(key), Told::Seen(seen)) => What::Look {
            key: *key,
            version: seen.as_ref().map(|(version, _)| *version),
            children: seen.as_ref().map(|(_, children)| children.clone()),
        },
        (Ask::Read(key), Told::Cell(seen)) => What::Read {
            key: *key,
            seen: seen.map(|(value, version)| Cell {
                value,
                version,
                mortal: false,
            }),
        },
        (Ask::Do(steps), _) if done.returned.is_none() => What::Unknown(steps.clone()),
        (Ask::Do(steps), Told::Done(results)) => {
            let told = |(step, result): (&Step, &Option<u64>)| match *step {
                Step::Set {
                    key,
                    value,
                    version,
                    ..
                } => Step::Set {
                    key,
                    value,
                    version,
                    then: *result,
                },
                Step::Next { parent, .. } => Step::Next {
                    parent,
                    number: *result,
                },
                other => other,
            };
            What::Done(steps.iter().zip(results).map(told).collect())
        }
        (Ask::Do(steps), Told::Refused(at, why)) => What::Refused {
            steps: steps.clone(),
            at: *at,
            why: *why,
        },
        pair => panic!("{pair:?}"),
    };
    Operation {
        called: done.called,
        returned: done.returned.unwrap_or(u64::MAX),
        what,
    }
}

/// Changes an answer.
fn disturb(rng: &mut Rng, told: &mut Told) {
    match told {
        Told::Cell(Some((value, version))) => match rng.below(3) {
            0 => *value = rng.below(5),
            1 => *version = rng.below(3),
            _ => *told = Told::Cell(None),
        },
        Told::Cell(None) => *told = Told::Cell(Some((rng.below(5), rng.below(2)))),
        Told::Done(results) => {
            for result in results.iter_mut().flatten() {
                *result = (*result + rng.between(0, 2)).saturating_sub(1).max(1);
            }
        }
        Told::Seen(Some((version, children))) => match rng.below(3) {
            0 => *version = rng.below(2),
            1 if !children.is_empty() => {
                children.pop();
            }
            _ => *told = Told::Seen(None),
        },
        Told::Seen(None) => *told = Told::Seen(Some((0, Vec::new()))),
        Told::Refused(_, why) => {
            use Reason::{Absent, Children, There, Version};
            *why = [Absent, There, Version, Children][rng.below(4) as usize];
        }
        Told::Nothing => {}
    }
}

/// Lets two threads have done what the other did.
fn swap_moments<Op, Ret>(rng: &mut Rng, operations: &mut [Done<Op, Ret>]) {
    let count = operations.len() as u64;
    let (a, b) = (rng.below(count) as usize, rng.below(count) as usize);
    if a == b {
        return;
    }
    let (left, right) = operations.split_at_mut(a.max(b));
    let (first, second) = (&mut left[a.min(b)], &mut right[0]);
    core::mem::swap(&mut first.thread, &mut second.thread);
    core::mem::swap(&mut first.called, &mut second.called);
    core::mem::swap(&mut first.returned, &mut second.returned);
}

/// Runs of the swarm, with bugs that show in the order and without, and without an end at the first damage.
#[test]
fn a_run_judged_on_its_way_is_judged_as_at_its_end() {
    let mut rng = Rng::new(3);
    let (mut orders, mut broken, mut undecided) = (0, 0, 0);
    let bugs = [None, Some(Bug::WritesRunAgain), Some(Bug::CommitsAlone)];
    for number in 0..12 * bugs.len() as u64 {
        let planted = bugs[number as usize % bugs.len()];
        let options = Options {
            planted,
            checks: false,
            ..Options::default()
        };
        let (config, _) = plan(number + 1, &options);
        let mut sim = Sim::new(config, number + 1);
        let mut along = sim.clone();
        while sim.events() < options.events {
            let count = rng.between(1, 600);
            for sim in [&mut sim, &mut along] {
                let until = sim.now() + Span::from_ms(60_000);
                sim.run_until(until, count);
                sim.take_log();
            }
            along.judge_along();
        }
        assert_eq!(along.digest(), sim.digest());
        match (along.verdict(), sim.verdict()) {
            (Judgement::Order { .. }, Judgement::Order { .. }) => orders += 1,
            (Judgement::Broken { .. }, Judgement::Broken { .. }) => broken += 1,
            (Judgement::Undecided, _) => undecided += 1,
            (windows, whole) => panic!("seed {}, {planted:?}: {windows:?}, {whole:?}", number + 1),
        }
    }
    println!("{orders} orders, {broken} broken, {undecided} undecided");
    assert!(20 < orders && 0 < broken && undecided < 2);
}

/// Seeds of the course below.
const COURSES: u64 = 12;

/// A leader that was deposed answers a read by itself, about a znode below another one.
#[test]
fn an_old_answer_about_a_nested_znode_fits_nowhere() {
    for planted in [None, Some(Bug::ReadUnconfirmed)] {
        let judgements: Vec<Judgement> = (1..=COURSES)
            .filter_map(|seed| deposed(planted, seed))
            .collect();
        let mut broken = 0;
        for judgement in &judgements {
            if let Judgement::Broken { why, .. } = judgement {
                assert_eq!(why.did, "it read /app/x as old in version 0");
                broken += 1;
            }
        }
        println!("{planted:?}: {broken} of {} broken", judgements.len());
        assert!(!judgements.is_empty());
        assert_eq!(0 < broken, planted.is_some(), "{judgements:?}");
    }
}

/// Nothing if the other member does not become the leader.
fn deposed(planted: Option<Bug>, seed: u64) -> Option<Judgement> {
    let course = [
        "campaign 1",
        "until leader 1",
        "a at 1",
        "until answered",
        "a create /app 1",
        "until answered",
        "a create /app/x old",
        "until value 2 /app/x old",
        "b at 2",
        "until answered",
        "until same",
        "isolate 1",
        "run 150ms",
        "campaign 2",
        "until leader 2",
        "b set /app/x new",
        "until told b version 1",
        "run 1ms",
        "a latest /app/x",
        "run 100ms",
    ];
    let seed = seed.to_string();
    let words = ["nodes", "3", "seed", &seed, "election", "200ms+1s"];
    let (mut config, seed) = set_up(&words).expect("those are its words");
    config.planted = planted;
    // Nobody else may notice it first.
    config.checks = false;
    let mut sim = Sim::new(config, seed);
    is_played(&mut sim, &course).then(|| sim.verdict())
}

/// Whether all came about that the lines wait for.
fn is_played(sim: &mut Sim, lines: &[&str]) -> bool {
    lines.iter().all(|line| {
        let words: Vec<&str> = line.split(' ').collect();
        match play_line(sim, &words) {
            Err(Miss::Until(_)) => false,
            played => {
                played.expect(line);
                true
            }
        }
    })
}

/// A client that is gone and comes again has its past: others were shown what it had done.
#[test]
fn what_a_client_did_before_it_came_again_counts() {
    let (config, seed) = set_up(&["nodes", "3", "seed", "1"]).expect("those are its words");
    let mut sim = Sim::new(config, seed);
    let course = [
        "until leader",
        "a at 1",
        "until answered",
        "a create /x 1",
        "until answered",
        "a kill",
        "a at 2",
        "until answered",
        "b at 3",
        "until answered",
        "b latest /x",
        "until answered",
        "a set /x 2",
        "until told a version 1",
    ];
    assert!(is_played(&mut sim, &course));
    match sim.verdict() {
        Judgement::Order {
            calls: 3,
            unchecked: 0,
            ..
        } => {}
        other => panic!("{other:?}"),
    }
    let tags: Vec<u64> = (sim.history(ClientId(97)).map(|call| call.tag)).collect();
    assert!(tags.is_sorted_by(|a, b| a < b), "{tags:?}");
}

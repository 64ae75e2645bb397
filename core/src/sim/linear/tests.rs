//! Small histories by hand. That the verdicts are right in general is shown beside the workspace's other
//! tests, against another checker.

use alloc::vec;
use alloc::vec::Vec;

use super::{BUDGET, Cell, History, Operation, Reason, Step, Verdict, What};

/// Keys of the tree: /a, /a/b, /a/b/c and /d.
const TREE: [Option<usize>; 4] = [None, Some(0), Some(1), None];

const fn cell(value: u64, version: u64) -> Option<Cell> {
    Some(Cell {
        value,
        version,
        mortal: false,
    })
}

const fn set(value: u64, then: u64) -> Step {
    Step::Set {
        key: 0,
        value,
        version: None,
        then: Some(then),
    }
}

const fn read(seen: Option<Cell>) -> What {
    What::Read { key: 0, seen }
}

fn verdict(operations: impl IntoIterator<Item = (u64, u64, What)>) -> Verdict {
    let of = |(called, returned, what)| Operation {
        called,
        returned,
        what,
    };
    let history = History {
        cells: vec![cell(0, 0), cell(0, 0)],
        parents: vec![],
        operations: operations.into_iter().map(of).collect(),
    };
    history.check(BUDGET)
}

fn order(operations: impl IntoIterator<Item = (u64, u64, What)>) -> Vec<usize> {
    match verdict(operations) {
        Verdict::Linearizable(order) => order,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_empty_history_has_an_order() {
    assert!(order([]).is_empty());
}

#[test]
fn a_read_may_fall_on_either_side_of_a_set_that_it_overlaps() {
    let set = What::Done(vec![set(1, 1)]);
    let before = [(0, 10, set.clone()), (5, 6, read(cell(0, 0)))];
    assert_eq!(order(before), [1, 0]);
    let after = [(0, 10, set), (5, 6, read(cell(1, 1)))];
    assert_eq!(order(after), [0, 1]);
}

#[test]
fn what_was_read_once_is_not_unread() {
    let set = What::Done(vec![set(1, 1)]);
    let verdict = verdict([
        (0, 10, set),
        (1, 2, read(cell(1, 1))),
        (3, 4, read(cell(0, 0))),
    ]);
    let Verdict::Broken(why) = verdict else {
        panic!("{verdict:?}")
    };
    assert_eq!(why.operation, 2);
    assert_eq!(why.found, [[(0, cell(1, 1))]]);
}

#[test]
fn an_unknown_write_may_happen_late_or_never() {
    let lost = What::Unknown(vec![set(1, 1)]);
    assert_eq!(order([(0, 1, lost.clone()), (5, 6, read(cell(0, 0)))]), [1]);
    let late = [
        (0, 1, lost.clone()),
        (5, 6, read(cell(0, 0))),
        (7, 8, read(cell(1, 1))),
    ];
    assert_eq!(order(late), [1, 0, 2]);
    let undone = verdict([
        (0, 1, lost),
        (7, 8, read(cell(1, 1))),
        (9, 10, read(cell(0, 0))),
    ]);
    assert!(matches!(undone, Verdict::Broken(why) if why.operation == 2));
}

#[test]
fn a_transaction_is_seen_whole() {
    let both = |key| Step::Set {
        key,
        value: 1,
        version: Some(0),
        then: Some(1),
    };
    let multi = What::Done(vec![both(0), both(1)]);
    let split = verdict([
        (0, 20, multi),
        (1, 2, read(cell(1, 1))),
        (
            3,
            4,
            What::Read {
                key: 1,
                seen: cell(0, 0),
            },
        ),
    ]);
    assert!(matches!(split, Verdict::Broken(why) if why.operation == 2));
}

#[test]
fn a_refusal_needs_its_reason() {
    let check = |version| What::Refused {
        steps: vec![
            set(9, 9),
            Step::Check {
                key: 1,
                version: Some(version),
            },
        ],
        at: 1,
        why: Reason::Version,
    };
    assert_eq!(order([(0, 1, check(3))]), [0]);
    assert!(matches!(verdict([(0, 1, check(0))]), Verdict::Broken(_)));
}

#[test]
fn numbers_under_a_parent_grow() {
    let next = |number| {
        What::Done(vec![Step::Next {
            parent: 0,
            number: Some(number),
        }])
    };
    assert_eq!(order([(0, 5, next(4)), (1, 5, next(2))]), [1, 0]);
    let twice = verdict([(0, 5, next(4)), (1, 5, next(4))]);
    assert!(matches!(twice, Verdict::Broken(_)));
    let Verdict::Broken(why) = verdict([(0, 1, next(4)), (2, 3, next(2))]) else {
        panic!("numbers fall")
    };
    assert_eq!((why.operation, why.highest), (1, vec![(0, Some(4))]));
}

#[test]
fn a_spent_budget_is_no_verdict() {
    let history = History {
        cells: vec![cell(0, 0)],
        parents: vec![],
        operations: vec![Operation {
            called: 0,
            returned: 1,
            what: read(cell(0, 0)),
        }],
    };
    assert_eq!(history.check(0), Verdict::Undecided);
    assert_eq!(history.check(1), Verdict::Linearizable(vec![0]));
}

/// Sets that all overlap, and reads whose order decides among them: without its memory the search would
/// try every order of the sets.
#[test]
fn overlapping_sets_do_not_explode() {
    let blind = |value| {
        What::Done(vec![Step::Set {
            key: 0,
            value,
            version: None,
            then: None,
        }])
    };
    let mut operations: Vec<_> = (1..=12).map(|value| (0, 100, blind(value))).collect();
    operations.push((101, 102, read(cell(3, 12))));
    operations.push((103, 104, read(cell(4, 12))));
    let Verdict::Broken(why) = verdict(operations) else {
        panic!("two last sets")
    };
    assert_eq!(why.operation, 13);
}

#[test]
fn keys_that_no_transaction_joins_are_judged_apart_and_ordered_together() {
    let set = |key, value| {
        What::Done(vec![Step::Set {
            key,
            value,
            version: None,
            then: Some(1),
        }])
    };
    let read = |key, value| What::Read {
        key,
        seen: cell(value, 1),
    };
    let operations = [
        (0, 1, set(1, 5)),
        (2, 3, set(0, 6)),
        (4, 5, read(1, 5)),
        (6, 7, read(0, 6)),
    ];
    assert_eq!(order(operations), [0, 1, 2, 3]);
}

const fn create(key: usize) -> Step {
    Step::Create {
        key,
        value: 5,
        mortal: false,
    }
}

const fn ends(key: usize) -> Step {
    Step::Create {
        key,
        value: 5,
        mortal: true,
    }
}

const fn delete(key: usize) -> Step {
    Step::Delete { key, version: None }
}

const fn next(parent: usize, number: u64) -> Step {
    Step::Next {
        parent,
        number: Some(number),
    }
}

fn did(step: Step) -> What {
    What::Done(vec![step])
}

fn refused(step: Step, why: Reason) -> What {
    What::Refused {
        steps: vec![step],
        at: 0,
        why,
    }
}

const fn absent(key: usize) -> What {
    What::Read { key, seen: None }
}

const fn there(key: usize) -> What {
    What::Look {
        key,
        version: Some(0),
        children: None,
    }
}

fn lists(key: usize, children: &[usize]) -> What {
    What::Look {
        key,
        version: Some(0),
        children: Some(children.to_vec()),
    }
}

/// Operations in a tree that is empty at first, with the moments of their calls and returns; and the one that fits
/// nowhere, if one does not.
#[test]
fn znodes_anywhere_in_the_tree_need_their_parents() {
    use Reason::{Absent, Children, There};
    type Case = (&'static str, Vec<(u64, u64, What)>, Option<usize>);
    let cases: Vec<Case> = vec![
        (
            "a child is made before its parent is asked for",
            vec![(0, 1, did(create(1))), (2, 3, did(create(0)))],
            Some(0),
        ),
        (
            "a child is made while its parent is",
            vec![(0, 9, did(create(1))), (2, 3, did(create(0)))],
            None,
        ),
        (
            "a grandchild needs both",
            vec![
                (0, 9, did(create(2))),
                (0, 9, did(create(1))),
                (2, 3, did(create(0))),
            ],
            None,
        ),
        (
            "a parent is deleted that surely has a child",
            vec![
                (0, 1, did(create(0))),
                (2, 3, did(create(1))),
                (4, 5, did(delete(0))),
            ],
            Some(2),
        ),
        (
            "its child is deleted at the same time",
            vec![
                (0, 1, did(create(0))),
                (2, 3, did(create(1))),
                (4, 5, did(delete(0))),
                (4, 5, did(delete(1))),
            ],
            None,
        ),
        (
            "a child is refused for want of a parent that surely is there",
            vec![(0, 1, did(create(0))), (2, 3, refused(create(1), Absent))],
            Some(1),
        ),
        (
            "a delete is refused for children that surely are not there",
            vec![(0, 1, did(create(0))), (2, 3, refused(delete(0), Children))],
            Some(1),
        ),
        (
            "a delete is refused for a child that is there",
            vec![
                (0, 1, did(create(0))),
                (2, 3, did(create(1))),
                (4, 5, refused(delete(0), Children)),
            ],
            None,
        ),
        (
            "a nested znode that was made is not seen",
            vec![
                (0, 1, did(create(0))),
                (2, 3, did(create(1))),
                (4, 5, absent(1)),
            ],
            Some(2),
        ),
        (
            "a list without a child that surely is there",
            vec![
                (0, 1, did(create(0))),
                (2, 3, did(create(1))),
                (4, 5, lists(0, &[])),
            ],
            Some(2),
        ),
        (
            "a list with a child that nobody made",
            vec![(0, 1, did(create(0))), (2, 3, lists(0, &[1]))],
            Some(1),
        ),
        (
            "a list from before or after",
            vec![
                (0, 1, did(create(0))),
                (2, 9, did(create(1))),
                (3, 4, lists(0, &[])),
                (5, 6, lists(0, &[1])),
            ],
            None,
        ),
        (
            "a list shows that a create of unknown outcome was done, and then it was not",
            vec![
                (0, 1, did(create(0))),
                (2, 3, What::Unknown(vec![create(1)])),
                (5, 6, lists(0, &[1])),
                (7, 8, absent(1)),
            ],
            Some(3),
        ),
        (
            "what may end has ended",
            vec![
                (0, 1, did(create(0))),
                (2, 3, did(ends(1))),
                (4, 5, there(1)),
                (6, 7, did(delete(0))),
                (8, 9, absent(1)),
            ],
            None,
        ),
        (
            "what has ended is there again",
            vec![
                (0, 1, did(create(0))),
                (2, 3, did(ends(1))),
                (4, 5, refused(delete(1), Absent)),
                (6, 7, refused(create(1), There)),
            ],
            Some(3),
        ),
        (
            "a container ends with a child that stays",
            vec![
                (0, 1, did(ends(0))),
                (2, 3, did(create(1))),
                (4, 5, absent(0)),
            ],
            Some(2),
        ),
        (
            "numbers begin anew under a parent that was made anew",
            vec![
                (0, 1, did(create(0))),
                (2, 3, did(next(0, 4))),
                (4, 5, did(delete(0))),
                (6, 7, did(create(0))),
                (8, 9, did(next(0, 0))),
            ],
            None,
        ),
        (
            "numbers begin anew under one that stayed",
            vec![
                (0, 1, did(create(0))),
                (2, 3, did(next(0, 4))),
                (4, 5, did(next(0, 0))),
            ],
            Some(2),
        ),
        (
            "a number under nothing",
            vec![(0, 1, did(next(0, 0)))],
            Some(0),
        ),
        (
            "a transaction makes both",
            vec![
                (0, 1, What::Done(vec![create(0), create(1)])),
                (2, 3, there(1)),
            ],
            None,
        ),
        (
            "a transaction makes them in the wrong order",
            vec![(0, 1, What::Done(vec![create(1), create(0)]))],
            Some(0),
        ),
    ];
    for (name, operations, misfit) in cases {
        let of = |(called, returned, what)| Operation {
            called,
            returned,
            what,
        };
        let history = History {
            cells: vec![],
            parents: TREE.to_vec(),
            operations: operations.into_iter().map(of).collect(),
        };
        match history.check(BUDGET) {
            Verdict::Linearizable(_) => assert_eq!(misfit, None, "{name}"),
            Verdict::Broken(why) => assert_eq!(misfit, Some(why.operation), "{name}"),
            Verdict::Undecided => panic!("{name}"),
        }
    }
}

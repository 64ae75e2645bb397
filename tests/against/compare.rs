//! Whether two servers said the same: part by part, with zxids and session ids taken for the same if they have
//! always stood for each other. Also the list of the differences that are meant.

use std::collections::BTreeMap;

use super::answer::{Answer, Part, Value, op};
use super::deed::Deed;
use super::side::SLOTS;

/// What one connection was told in one step.
#[derive(Clone)]
pub(super) enum Said {
    Answer(Answer),
    Closed,
}

/// Both servers' accounts of one connection and one step.
pub(super) struct Pair<'a> {
    pub(super) deed: &'a Deed,
    pub(super) slot: usize,
    pub(super) zookeeper: &'a [Said],
    pub(super) ours: &'a [Said],
}

/// How they compare.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    Same,
    /// They differ as they are meant to; an index into [`DIFFERENCES`].
    Meant(usize),
    Different(String),
}

/// A difference that is meant.
pub(super) struct Difference {
    pub(super) what: &'static str,
    pub(super) reason: &'static str,
}

/// All of them. Anything else fails.
pub(super) const DIFFERENCES: &[Difference] = &[
    Difference {
        what: "the zxid in a header counts entries that change no znode",
        reason: "a session's move and a new term are entries of our log (rules R14, R18), a request that is refused \
                 before it is proposed is none; the last change at or before it is the same",
    },
    Difference {
        what: "setWatches2 tells persistent watches what happened meanwhile",
        reason: "ZooKeeper registers them and says nothing, so that the changes of a disconnection are lost; \
                 what its own events say comes just the same",
    },
    Difference {
        what: "the empty path, and watches on a path with a NUL",
        reason: "ZooKeeper takes the empty path for the root when it reads and for another when it watches, and keeps \
                 watches that can never fire; ours are bad arguments",
    },
    Difference {
        what: "a multiRead with a write in it",
        reason: "ZooKeeper sends an empty list behind the error, where no client expects a body",
    },
    Difference {
        what: "a reconfig that removes what is no number",
        reason: "ZooKeeper trips over it (-5), ours says that it is a bad argument (-8)",
    },
    Difference {
        what: "a reconfig by who may not",
        reason: "ours asks first whether the client may change the members at all (-102), ZooKeeper last",
    },
    Difference {
        what: "a sync of a path with a character beyond U+FFFF",
        reason: "ZooKeeper gives its halves back one by one, which is no UTF-8; ours gives back what came",
    },
    Difference {
        what: "the order in which the ephemerals of one session go",
        reason: "ZooKeeper's is that of a hash set, ours that of their paths; all have one zxid, and each znode's own \
                 events keep their order",
    },
    Difference {
        what: "the old connection of a session that moves to another member",
        reason: "ZooKeeper's former owner closes it when it next asks the leader for something, and lets it read what is \
                 old until then; ours closes it when it hears of the move",
    },
    Difference {
        what: "a wrong password for the session of a living connection",
        reason: "ZooKeeper closes that connection before it looks at the password, so that whoever knows an id can cut \
                 its client off; ours has nothing to do with it",
    },
];

/// Places in the list.
const APPLIED: usize = 0;
const CAUGHT_UP: usize = 1;
const EMPTY_PATH: usize = 2;
const WRITE_IN_READ: usize = 3;
const NO_NUMBER: usize = 4;
const NOT_ALLOWED: usize = 5;
const HALVES: usize = 6;
const SESSION_END: usize = 7;
const MOVED: usize = 8;
const THIEF: usize = 9;

/// Which zxid and which session of theirs is which of ours.
#[derive(Default)]
pub(super) struct Pairing {
    zxids: Names,
    sessions: Names,
    /// Connections that are closed here and not yet there, because their session has moved.
    moved: [bool; SLOTS],
}

/// Numbers that stand for each other, both ways.
#[derive(Default)]
struct Names {
    ours: BTreeMap<i64, i64>,
    theirs: BTreeMap<i64, i64>,
}

impl Names {
    /// Whether two numbers stand for each other; new ones do from now on.
    fn pair(&mut self, theirs: i64, ours: i64) -> bool {
        match (self.ours.get(&theirs), self.theirs.get(&ours)) {
            (None, None) => {
                self.ours.insert(theirs, ours);
                self.theirs.insert(ours, theirs);
                true
            }
            (Some(&known), _) => known == ours,
            _ => false,
        }
    }

    /// Whether new numbers lie between the same neighbours.
    fn is_in_order(&self, theirs: i64, ours: i64) -> bool {
        let below = self.ours.range(..theirs).next_back();
        let above = self.ours.range(theirs + 1..).next();
        below.is_none_or(|(_, &below)| below < ours) && above.is_none_or(|(_, &above)| ours < above)
    }

    /// Whether the last pairs at or before these are the same.
    fn is_same_floor(&self, theirs: i64, ours: i64) -> bool {
        let below = self.ours.range(..=theirs).next_back();
        let floor = self.theirs.range(..=ours).next_back();
        below.map(|(&theirs, _)| theirs) == floor.map(|(_, &theirs)| theirs)
    }
}

impl Pairing {
    pub(super) fn compare(&mut self, pair: &Pair<'_>) -> Verdict {
        if let Some(verdict) = self.old_connection(pair) {
            return verdict;
        }
        let mut meant = None;
        let ours = match told_more(pair) {
            Some(ours) => {
                meant = Some(CAUGHT_UP);
                ours
            }
            None => pair.ours.to_vec(),
        };
        let mut theirs = pair.zookeeper.to_vec();
        let mut ours = ours;
        if pair.deed.ends_session() && sort_events(&mut theirs) | sort_events(&mut ours) {
            meant = Some(SESSION_END);
        }
        for (theirs, ours) in theirs.iter().zip(&ours) {
            let verdict = match (theirs, ours) {
                (Said::Closed, Said::Closed) => Verdict::Same,
                (Said::Answer(theirs), Said::Answer(ours)) => self.answers(theirs, ours),
                _ => Verdict::Different("one closes, the other speaks".into()),
            };
            match verdict {
                Verdict::Same => {}
                Verdict::Meant(which) => meant = Some(which),
                Verdict::Different(_) if pair.deed.names_no_path() => {
                    return Verdict::Meant(EMPTY_PATH);
                }
                different @ Verdict::Different(_) => return different,
            }
        }
        if pair.zookeeper.len() != ours.len() {
            return Verdict::Different("one says more than the other".into());
        }
        meant.map_or(Verdict::Same, Verdict::Meant)
    }

    /// Whether one side only closes the old connection of a session that another one has taken up, or was refused.
    fn old_connection(&mut self, pair: &Pair<'_>) -> Option<Verdict> {
        let moved = &mut self.moved[pair.slot];
        match (pair.zookeeper, pair.ours) {
            ([], [Said::Closed]) => {
                let (taker, hello) = pair.deed.takes_over()?;
                *moved = taker != pair.slot && !hello.wrong_password;
                moved.then_some(Verdict::Meant(MOVED))
            }
            ([Said::Closed], []) if *moved => {
                *moved = false;
                Some(Verdict::Meant(MOVED))
            }
            ([Said::Closed], []) => {
                let (taker, hello) = pair.deed.takes_over()?;
                let is_thief = taker != pair.slot && hello.wrong_password;
                is_thief.then_some(Verdict::Meant(THIEF))
            }
            _ => None,
        }
    }

    fn answers(&mut self, theirs: &Answer, ours: &Answer) -> Verdict {
        let end = [0xff, 0xff, 0xff, 0xff, 1, 0xff, 0xff, 0xff, 0xff];
        if theirs.op == op::MULTI_READ
            && theirs.error != 0
            && let Some((rest, head)) = theirs.parts.split_last()
            && rest.value == Value::Rest(end.to_vec())
            && head.len() == ours.parts.len()
            && theirs.error == ours.error
        {
            return Verdict::Meant(WRITE_IN_READ);
        }
        let is_long = |part: &Part| match &part.value {
            Value::Bytes(Some(bytes)) => bytes.iter().any(|&byte| 0xf0 <= byte),
            _ => false,
        };
        if theirs.op == op::SYNC && theirs.error == ours.error && ours.parts.iter().any(is_long) {
            return Verdict::Meant(HALVES);
        }
        if theirs.op == op::RECONFIG && ours.error == -102 && theirs.error != 0 {
            return Verdict::Meant(NOT_ALLOWED);
        }
        if theirs.op == op::RECONFIG && (theirs.error, ours.error) == (-5, -8) {
            return Verdict::Meant(NO_NUMBER);
        }
        if theirs.parts.len() != ours.parts.len() {
            return Verdict::Different("another shape".into());
        }
        let mut meant = None;
        // What is certain comes first: the header's zxid is judged by it.
        let (applied, certain): (Vec<_>, Vec<_>) = theirs
            .parts
            .iter()
            .zip(&ours.parts)
            .partition(|(theirs, _)| matches!(theirs.value, Value::Applied(_)));
        for (theirs, ours) in certain.into_iter().chain(applied) {
            match self.parts(theirs, ours) {
                Verdict::Same => {}
                Verdict::Meant(which) => meant = Some(which),
                different @ Verdict::Different(_) => return different,
            }
        }
        meant.map_or(Verdict::Same, Verdict::Meant)
    }

    fn parts(&mut self, theirs: &Part, ours: &Part) -> Verdict {
        let different = || Verdict::Different(format!("{} differs", theirs.name));
        let same = match (&theirs.value, &ours.value) {
            (&Value::Zxid(theirs), &Value::Zxid(ours)) => match (theirs, ours) {
                (0, 0) => true,
                (0, _) | (_, 0) => false,
                _ => {
                    let known = self.zxids.ours.contains_key(&theirs);
                    (known || self.zxids.is_in_order(theirs, ours)) && self.zxids.pair(theirs, ours)
                }
            },
            (&Value::Applied(theirs), &Value::Applied(ours)) => {
                return self.applied(theirs, ours).unwrap_or_else(different);
            }
            (&Value::Session(theirs), &Value::Session(ours)) => match (theirs, ours) {
                (0, 0) => true,
                (0, _) | (_, 0) => false,
                _ => self.sessions.pair(theirs, ours),
            },
            (theirs, ours) => theirs == ours,
        };
        if theirs.name == ours.name && same {
            Verdict::Same
        } else {
            different()
        }
    }

    fn applied(&mut self, theirs: i64, ours: i64) -> Option<Verdict> {
        let known = (self.zxids.ours.get(&theirs), self.zxids.theirs.get(&ours));
        let new = known == (None, None) && self.zxids.is_in_order(theirs, ours);
        if known.0 == Some(&ours) || (new && self.zxids.pair(theirs, ours)) {
            return Some(Verdict::Same);
        }
        let floor = self.zxids.is_same_floor(theirs, ours);
        floor.then_some(Verdict::Meant(APPLIED))
    }
}

/// What we said without the events that ZooKeeper leaves out behind a setWatches2, if there are such.
fn told_more(pair: &Pair<'_>) -> Option<Vec<Said>> {
    let answers_set_watches = |said: &Said| match said {
        Said::Answer(answer) => answer.op == op::SET_WATCHES2 && !answer.is_event(),
        Said::Closed => false,
    };
    if pair.ours.len() <= pair.zookeeper.len() || !pair.ours.iter().any(answers_set_watches) {
        return None;
    }
    let mut theirs = pair.zookeeper.iter().peekable();
    let told = pair.ours.iter().filter(|ours| {
        let extra = match (ours, theirs.peek()) {
            (Said::Answer(ours), Some(Said::Answer(theirs))) => {
                let what = |answer: &Answer| answer.parts.get(3..).map(<[Part]>::to_vec);
                ours.is_event() && (!theirs.is_event() || what(ours) != what(theirs))
            }
            _ => false,
        };
        if !extra {
            theirs.next();
        }
        !extra
    });
    Some(told.cloned().collect())
}

/// Brings the events of one transaction into the order of their paths, as far as different znodes are concerned. Says
/// whether they were in another.
fn sort_events(said: &mut [Said]) -> bool {
    let path = |said: &Said| match said {
        Said::Answer(answer) if answer.is_event() => {
            answer.parts.get(5).map(|part| match &part.value {
                Value::Bytes(Some(path)) => path.clone(),
                _ => Vec::new(),
            })
        }
        _ => None,
    };
    let mut moved = false;
    for run in said.chunk_by_mut(|one, next| path(one).is_some() && path(next).is_some()) {
        moved |= !run.is_sorted_by_key(path);
        run.sort_by_key(path);
    }
    moved
}

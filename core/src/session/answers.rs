//! The answers to a session's numbered changes, kept until its client says that it has them (rule R20). They are
//! part of the replicated state: whichever server is asked again, the answer is the one from before.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::config::{KEPT_ANSWER_BYTES, KEPT_ANSWERS};
use crate::hash;
use crate::request::{Error, Response, Stat};

/// What an answer costs beside its texts, about.
const ANSWER_BYTES: u64 = 64;
/// The same for each result of a multi.
const PART_BYTES: u64 = 16;
/// ... and for each Stat.
const STAT_BYTES: u64 = 80;

/// What becomes of a numbered change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Recall {
    /// It is new, and may run.
    New,
    /// It has run, with this answer.
    Answered(Result<Response, Error>),
    /// It was asked for before, and nobody knows any more what became of it.
    Forgotten,
}

/// The answers of one session.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub(crate) struct Answers {
    /// The greatest number that has been asked for.
    last: u64,
    /// In ascending order of the numbers.
    kept: VecDeque<Kept>,
    /// Their bytes, about.
    #[serde(skip)]
    bytes: u64,
    /// Sum of their hashes (rule R9).
    #[serde(skip)]
    digest: u64,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Kept {
    number: u64,
    answer: Answer,
}

/// What a change can be answered with. Apart from `Response`, so that no bytes of a snapshot can nest.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
enum Answer {
    One(Result<Part, Error>),
    All(Vec<Result<Part, Error>>),
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
enum Part {
    Created { path: String, stat: Option<Stat> },
    Deleted,
    Stat(Stat),
    Checked,
}

impl Answers {
    /// As they come from a snapshot; nothing if they cannot be.
    pub(crate) fn restored(mut self) -> Option<Self> {
        (self.bytes, self.digest) = self.sums();
        let numbers = || self.kept.iter().map(|kept| kept.number);
        let fits = self.kept.len() <= KEPT_ANSWERS
            && self.bytes <= KEPT_ANSWER_BYTES
            && numbers().is_sorted_by(|one, next| one < next)
            && numbers().all(|number| number <= self.last);
        fits.then_some(self)
    }

    /// What is known of this change; answers up to `answered` go.
    pub(crate) fn recall(&mut self, number: u64, answered: u64) -> Recall {
        while let Some(kept) = self.kept.pop_front_if(|kept| kept.number <= answered) {
            self.forget(&kept);
        }
        if self.last < number {
            self.last = number;
            return Recall::New;
        }
        let place = self.kept.binary_search_by_key(&number, |kept| kept.number);
        match place.ok().and_then(|place| self.kept.get(place)) {
            Some(kept) => Recall::Answered(kept.answer.result()),
            None => Recall::Forgotten,
        }
    }

    /// The answer to the change with the greatest number. The oldest ones go where there is no room.
    pub(crate) fn keep(&mut self, result: &Result<Response, Error>) {
        let Some(answer) = Answer::of(result) else {
            return;
        };
        let number = self.last;
        let kept = Kept { number, answer };
        self.bytes += kept.answer.bytes();
        self.digest = self.digest.wrapping_add(kept.digest());
        self.kept.push_back(kept);
        while KEPT_ANSWERS < self.kept.len() || KEPT_ANSWER_BYTES < self.bytes {
            let Some(oldest) = self.kept.pop_front() else {
                return;
            };
            self.forget(&oldest);
        }
    }

    pub(crate) fn digest(&self) -> u64 {
        hash::of_words(&[self.last, self.digest])
    }

    /// Whether the digest is that of what is there. Looks at all of it.
    pub(crate) fn is_digest_right(&self) -> bool {
        self.sums() == (self.bytes, self.digest)
    }

    fn sums(&self) -> (u64, u64) {
        self.kept.iter().fold((0, 0), |(bytes, digest), kept| {
            (
                bytes + kept.answer.bytes(),
                digest.wrapping_add(kept.digest()),
            )
        })
    }

    fn forget(&mut self, kept: &Kept) {
        self.bytes -= kept.answer.bytes();
        self.digest = self.digest.wrapping_sub(kept.digest());
    }
}

impl Kept {
    fn digest(&self) -> u64 {
        let parts = match &self.answer {
            Answer::One(part) => hash::of_words(&[1, digest(part)]),
            Answer::All(parts) => parts
                .iter()
                .fold(2, |sum, part| hash::of_words(&[sum, digest(part)])),
        };
        hash::of_words(&[self.number, parts])
    }
}

impl Answer {
    fn of(result: &Result<Response, Error>) -> Option<Self> {
        match result {
            Ok(Response::Multi(results)) => {
                let parts = results.iter().map(part);
                parts.collect::<Option<_>>().map(Self::All)
            }
            result => part(result).map(Self::One),
        }
    }

    fn result(&self) -> Result<Response, Error> {
        let response = |part: &Result<Part, Error>| match part.clone()? {
            Part::Created { path, stat } => Ok(Response::Created { path, stat }),
            Part::Deleted => Ok(Response::Deleted),
            Part::Stat(stat) => Ok(Response::Stat(stat)),
            Part::Checked => Ok(Response::Checked),
        };
        match self {
            Self::One(part) => response(part),
            Self::All(parts) => Ok(Response::Multi(parts.iter().map(response).collect())),
        }
    }

    fn bytes(&self) -> u64 {
        let of = |part: &Result<Part, Error>| match part {
            Ok(Part::Created { path, stat }) => {
                PART_BYTES + path.len() as u64 + stat.map_or(0, |_| STAT_BYTES)
            }
            Ok(Part::Stat(_)) => PART_BYTES + STAT_BYTES,
            Ok(Part::Deleted | Part::Checked) | Err(_) => PART_BYTES,
        };
        ANSWER_BYTES
            + match self {
                Self::One(part) => of(part),
                Self::All(parts) => parts.iter().map(of).sum(),
            }
    }
}

/// Nothing for what no change is answered with.
fn part(result: &Result<Response, Error>) -> Option<Result<Part, Error>> {
    Some(match result {
        Err(error) => Err(*error),
        Ok(Response::Created { path, stat }) => Ok(Part::Created {
            path: path.clone(),
            stat: *stat,
        }),
        Ok(Response::Deleted) => Ok(Part::Deleted),
        Ok(Response::Stat(stat)) => Ok(Part::Stat(*stat)),
        Ok(Response::Checked) => Ok(Part::Checked),
        Ok(_) => return None,
    })
}

fn digest(part: &Result<Part, Error>) -> u64 {
    match part {
        Err(error) => hash::of_words(&[1, u64::from(error.code().cast_unsigned())]),
        Ok(Part::Created { path, stat }) => hash::of_words(&[
            2,
            hash::of_bytes(path.as_bytes()),
            stat.as_ref().map_or(0, of_stat),
        ]),
        Ok(Part::Deleted) => 3,
        Ok(Part::Stat(stat)) => hash::of_words(&[4, of_stat(stat)]),
        Ok(Part::Checked) => 5,
    }
}

fn of_stat(stat: &Stat) -> u64 {
    let number = |number: i32| u64::from(number.cast_unsigned());
    hash::of_words(&[
        stat.czxid.0,
        stat.mzxid.0,
        stat.pzxid.0,
        stat.ctime_ms,
        stat.mtime_ms,
        stat.ephemeral_owner.0,
        number(stat.version),
        number(stat.cversion),
        number(stat.aversion),
        number(stat.data_length),
        number(stat.num_children),
    ])
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::vec;

    use super::*;

    fn made(path: &str) -> Result<Response, Error> {
        Ok(Response::Created {
            path: path.into(),
            stat: None,
        })
    }

    fn run(answers: &mut Answers, number: u64, result: &Result<Response, Error>) {
        assert_eq!(answers.recall(number, 0), Recall::New);
        answers.keep(result);
        assert!(answers.is_digest_right());
    }

    #[test]
    fn what_is_asked_again_has_its_first_answer() {
        let mut answers = Answers::default();
        let multi = Ok(Response::Multi(vec![
            made("/a"),
            Ok(Response::Stat(Stat::default())),
            Err(Error::NoNode),
        ]));
        let results = [made("/a-1"), Err(Error::NodeExists), multi];
        for (number, result) in (1..).zip(&results) {
            run(&mut answers, number, result);
        }
        for (number, result) in (1..).zip(&results) {
            let again = answers.recall(number, 0);
            assert_eq!(again, Recall::Answered(result.clone()));
        }
        // What the client has got goes, and is not run again either.
        assert_eq!(answers.recall(4, 3), Recall::New);
        assert_eq!(answers.recall(3, 3), Recall::Forgotten);
        assert!(answers.is_digest_right());
    }

    #[test]
    fn only_so_many_and_so_long_ones_are_kept() {
        let mut answers = Answers::default();
        for number in 1..=40 {
            run(&mut answers, number, &made("/a"));
        }
        assert_eq!(answers.recall(8, 0), Recall::Forgotten);
        assert_eq!(answers.recall(9, 0), Recall::Answered(made("/a")));

        let long = made(&format!("/{}", "x".repeat(30 << 10)));
        for number in 41..=43 {
            run(&mut answers, number, &long);
        }
        assert_eq!(answers.recall(41, 0), Recall::Forgotten);
        assert_eq!(answers.recall(42, 0), Recall::Answered(long));
        // One that is too long by itself is not kept.
        let longest = made(&format!("/{}", "x".repeat(65 << 10)));
        run(&mut answers, 44, &longest);
        assert_eq!(answers.recall(44, 0), Recall::Forgotten);
    }

    #[test]
    fn a_snapshot_that_cannot_be_is_refused() {
        let mut answers = Answers::default();
        for number in 1..=3 {
            run(&mut answers, number, &made("/a"));
        }
        let bare = |answers: &Answers| Answers {
            bytes: 0,
            digest: 0,
            ..answers.clone()
        };
        assert_eq!(bare(&answers).restored(), Some(answers.clone()));
        let mut twisted = bare(&answers);
        twisted.kept.swap(0, 1);
        assert_eq!(twisted.restored(), None);
        let mut ahead = bare(&answers);
        ahead.last = 2;
        assert_eq!(ahead.restored(), None);
    }
}

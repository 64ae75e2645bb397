//! From the calls of clients to a history that can be judged: writes, linearizable reads, and reads right
//! behind a sync. Keys are the znodes below the root whose whole story is in the calls; of parents, the
//! numbers of their sequential children count, as long as they stay.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use super::windows::{Asked, Base};
use super::{Cell, Contradiction, History, Operation, Reason, Start, Step, What, put};
use crate::request::{CreateMode, Error, Op, Read, ReadKind, Reply, Request, Response};
use crate::sim::ClientId;
use crate::sim::event::{Call, CallEnd};
use crate::time::Time;

/// Digits of the number that a sequential znode gets.
const DIGITS: usize = 10;

/// A history, and what its numbers stand for.
pub(super) struct Recorded {
    /// What is to be judged.
    pub(super) history: History,
    /// Of each operation: whose, and the number of the call.
    pub(super) calls: Vec<(ClientId, u64)>,
    keys: Names<String>,
    parents: Names<String>,
    values: Names<Option<Bytes>>,
}

impl Recorded {
    /// How things stand in the words of the calls; of what is gone, what is `kept`.
    pub(super) fn base(&self, start: &Start, kept: &[usize]) -> Base {
        let mut base = Base::default();
        for (key, cell) in start.cells.iter().enumerate() {
            if let Some(Cell { value, version }) = *cell {
                let data = self.values.all[value as usize].clone();
                base.cells.push((self.keys.all[key].clone(), data, version));
            }
        }
        for (parent, number) in start.counters.iter().enumerate() {
            if let Some(number) = *number {
                base.counters
                    .push((self.parents.all[parent].clone(), number));
            }
        }
        let gone = kept.iter().filter(|number| start.gone.contains(number));
        base.gone = gone.map(|number| self.calls[*number]).collect();
        base
    }

    /// The contradiction in words.
    pub(super) fn tell(&self, contradiction: &Contradiction) -> String {
        let number = contradiction.operation;
        let (client, tag) = self.calls.get(number).copied().unwrap_or((ClientId(0), 0));
        let what = self
            .history
            .operations
            .get(number)
            .map(|operation| &operation.what);
        let what = what.map(|what| self.what(what)).unwrap_or_default();
        let mut text = format!("call {tag} of client {} fits nowhere: {what}", client.0);
        let mut glue = "; it met";
        for cells in &contradiction.found {
            let cells = cells.iter().map(|(key, cell)| self.cell(*key, *cell));
            text += &format!("{glue} {}", cells.collect::<Vec<_>>().join(" with "));
            glue = ", or";
        }
        for (parent, highest) in &contradiction.highest {
            if let Some(highest) = highest {
                text += &format!(
                    "; under {} number {highest} was given",
                    self.parents.name(*parent)
                );
            }
        }
        text
    }

    fn what(&self, what: &What) -> String {
        match what {
            What::Read { key, seen } => format!("it read {}", self.cell(*key, *seen)),
            What::Done(steps) => format!("it did {}", self.steps(steps)),
            What::Unknown(steps) => format!("it may have done {}", self.steps(steps)),
            What::Refused { steps, at, why } => {
                format!("{why:?} refused step {} of {}", at + 1, self.steps(steps))
            }
        }
    }

    fn steps(&self, steps: &[Step]) -> String {
        let words: Vec<String> = steps.iter().map(|step| self.step(step)).collect();
        words.join(" and ")
    }

    fn step(&self, step: &Step) -> String {
        let any = |version: Option<u64>| version.map_or("any".into(), |v| format!("{v}"));
        match *step {
            Step::Check { key, version } => {
                format!("check {} for version {}", self.keys.name(key), any(version))
            }
            Step::Create { key, value } => {
                format!("create {} as {}", self.keys.name(key), self.value(value))
            }
            Step::Set {
                key,
                value,
                version,
                then,
            } => format!(
                "set {} of version {} to {}, giving version {}",
                self.keys.name(key),
                any(version),
                self.value(value),
                any(then)
            ),
            Step::Delete { key, version } => {
                format!("delete {} of version {}", self.keys.name(key), any(version))
            }
            Step::Next { parent, number } => {
                format!(
                    "create number {} under {}",
                    any(number),
                    self.parents.name(parent)
                )
            }
        }
    }

    fn cell(&self, key: usize, cell: Option<Cell>) -> String {
        let name = self.keys.name(key);
        match cell {
            Some(Cell { value, version }) => {
                format!("{name} as {} in version {version}", self.value(value))
            }
            None => format!("{name} as absent"),
        }
    }

    fn value(&self, value: u64) -> String {
        let value = self.values.all.get(value as usize);
        match value.and_then(Option::as_ref) {
            Some(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            None => "null".into(),
        }
    }
}

/// Things by number, in the order in which they came.
struct Names<T> {
    numbers: BTreeMap<T, usize>,
    all: Vec<T>,
}

impl<T: Ord + Clone> Names<T> {
    const fn new() -> Self {
        Self {
            numbers: BTreeMap::new(),
            all: Vec::new(),
        }
    }

    fn number(&mut self, name: &T) -> usize {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        self.numbers.insert(name.clone(), self.all.len());
        self.all.push(name.clone());
        self.all.len() - 1
    }
}

impl Names<String> {
    fn name(&self, number: usize) -> &str {
        self.all.get(number).map_or("?", String::as_str)
    }
}

fn ops(request: &Request) -> &[Op] {
    match request {
        Request::Write(op) => core::slice::from_ref(op),
        Request::Multi(ops) => ops,
        _ => &[],
    }
}

/// The answer, and when it came, if that was before a moment.
fn answer(call: &Call, until: Time) -> Option<(Time, &Reply)> {
    match &call.end {
        Some(CallEnd::Returned { time, reply, .. }) if *time < until => Some((*time, reply)),
        _ => None,
    }
}

/// Whether it says that nobody knows what became of the question.
const fn is_unknown(reply: &Reply) -> bool {
    matches!(
        reply.result,
        Err(Error::SystemError | Error::OutcomeUnknown)
    )
}

/// Whether a path is right below the root.
fn is_top(path: &str) -> bool {
    path.rfind('/') == Some(0)
}

/// The path before the number of a sequential znode, if it may be one.
fn stem(path: &str) -> Option<&str> {
    let (stem, number) = path.split_at_checked(path.len().checked_sub(DIGITS)?)?;
    number
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then_some(stem)
}

pub(super) struct Recorder {
    /// Paths that change without a call, or in ways that the model does not know: the znodes of sessions, of
    /// a time to live and with a number, containers, and those with children. With a slash behind it, a
    /// parent that has not been there all the time, whose numbers may begin anew.
    pub(super) opaque: BTreeSet<String>,
    pub(super) recorded: Recorded,
}

impl Recorder {
    /// For these calls, after what may have been before them. Answers from a moment on do not count.
    pub(super) fn new(
        opaque: &BTreeSet<String>,
        bases: &[Base],
        calls: &[Asked<'_>],
        until: Time,
    ) -> Self {
        let mut recorder = Self {
            opaque: opaque.clone(),
            recorded: Recorded {
                history: History::default(),
                calls: Vec::new(),
                keys: Names::new(),
                parents: Names::new(),
                values: Names::new(),
            },
        };
        let before = bases.iter().flat_map(|base| &base.counters);
        let mut parents: Vec<&str> = before.map(|(parent, _)| &**parent).collect();
        let old = parents.len();
        for op in calls.iter().flat_map(|(_, call)| ops(&call.request)) {
            if let Op::Create { path, mode, .. } = op
                && mode.is_sequential()
                && let Some(at) = path.rfind('/')
                && !parents.contains(&&path[..at])
            {
                parents.push(&path[..at]);
            }
        }
        for (_, call) in calls {
            let answer = answer(call, until).filter(|(_, reply)| !is_unknown(reply));
            let done = answer.map(|(_, reply)| reply.result.is_ok());
            for op in ops(&call.request) {
                recorder.look(op, done, &parents, old);
            }
        }
        recorder
    }

    /// What an operation hides, if it was `done` or nobody knows. Numbers are given under these parents;
    /// under the first `old` of them before.
    fn look(&mut self, op: &Op, done: Option<bool>, parents: &[&str], old: usize) {
        let mut hide = |path: &str| {
            if is_top(path) && !self.opaque.contains(path) {
                self.opaque.insert(path.into());
            }
        };
        let (path, renews) = match op {
            Op::Create { path, mode, .. } => {
                hide(&path[..path.rfind('/').unwrap_or(0)]);
                let lasts = matches!(mode, CreateMode::Persistent);
                if !lasts {
                    hide(path);
                }
                (path, !lasts || parents[..old].contains(&&**path))
            }
            Op::Delete { path, .. } => (path, true),
            // Whether somebody may is not in the model.
            Op::SetAcl { path, .. } => {
                hide(path);
                return;
            }
            Op::SetData { .. } | Op::Check { .. } => return,
        };
        let may_be = done.is_none() || done == Some(true) && parents.contains(&&**path);
        if renews && may_be {
            self.opaque.insert(format!("{path}/"));
        }
    }

    /// How things stand, in the numbers of this history.
    pub(super) fn start(&mut self, base: &Base) -> Start {
        let mut start = Start::default();
        for (path, data, version) in &base.cells {
            if self.is_key(path) {
                let value = self.value(data);
                let version = *version;
                let key = self.recorded.keys.number(path);
                put(&mut start.cells, key, Some(Cell { value, version }));
            }
        }
        for (path, number) in &base.counters {
            if self.is_counted(path) {
                let parent = self.recorded.parents.number(path);
                put(&mut start.counters, parent, Some(*number));
            }
        }
        let calls = self.recorded.calls.iter().enumerate();
        let gone = calls.filter(|(_, call)| base.gone.contains(call));
        start.gone = gone.map(|(number, _)| number).collect();
        start
    }

    /// Takes a call, which came after that other one of its client.
    pub(super) fn take(
        &mut self,
        client: ClientId,
        call: &Call,
        before: Option<&Call>,
        until: Time,
    ) {
        if let Some(operation) = self.operation(call, before, until) {
            // A number that nobody knows hinders nobody.
            let is_number = |step: &Step| matches!(step, Step::Next { .. });
            if let What::Unknown(steps) = &operation.what
                && steps.iter().all(is_number)
            {
                return;
            }
            self.recorded.calls.push((client, call.tag));
            self.recorded.history.operations.push(operation);
        }
    }

    /// From when on a call counts, or may count; nothing if not, or if nobody will ever know what became of
    /// it. Behind the last sync of a client comes perhaps a read.
    pub(super) fn counts(
        &mut self,
        call: &Call,
        before: Option<&Call>,
        is_last: bool,
    ) -> Option<Time> {
        let sync = before.filter(|before| is_sync(before));
        match (&call.request, &call.end) {
            (Request::Write(_) | Request::Multi(_), None) => Some(call.invoked),
            (Request::Latest(read), None) => self.is_read(read).then_some(call.invoked),
            (Request::Read(read), None) => self.is_read(read).then_some(sync?.invoked),
            (Request::Sync { .. }, end) => {
                let may_be = is_last && (end.is_none() || is_sync(call));
                may_be.then_some(call.invoked)
            }
            (_, end) => {
                let operation = self.operation(call, before, Time::NEVER)?;
                let is_lost = end.is_some() && matches!(operation.what, What::Unknown(_));
                (!is_lost).then_some(Time(operation.called))
            }
        }
    }

    fn operation(&mut self, call: &Call, before: Option<&Call>, until: Time) -> Option<Operation> {
        let answer = answer(call, until);
        let (returned, reply) = (
            answer.map_or(u64::MAX, |(time, _)| time.0),
            answer.map(|(_, reply)| reply),
        );
        let mut called = call.invoked.0;
        let what = match (&call.request, reply) {
            (Request::Latest(read), Some(reply)) => self.read(read, reply),
            (Request::Read(read), Some(reply)) => {
                called = before.filter(|before| is_sync(before))?.invoked.0;
                self.read(read, reply)
            }
            (request @ (Request::Write(_) | Request::Multi(_)), reply) => {
                self.write(ops(request), reply)
            }
            _ => None,
        };
        what.map(|what| Operation {
            called,
            returned,
            what,
        })
    }

    fn is_read(&self, read: &Read) -> bool {
        read.kind == ReadKind::Data && self.is_key(&read.path)
    }

    fn read(&mut self, read: &Read, reply: &Reply) -> Option<What> {
        if !self.is_read(read) {
            return None;
        }
        let seen = match &reply.result {
            Ok(Response::Data { data, stat }) => Some(Cell {
                value: self.value(data),
                version: stat.version.unsigned_abs().into(),
            }),
            Err(Error::NoNode) => None,
            _ => return None,
        };
        let key = self.recorded.keys.number(&read.path);
        Some(What::Read { key, seen })
    }

    fn write(&mut self, ops: &[Op], reply: Option<&Reply>) -> Option<What> {
        let reply = reply.filter(|reply| !is_unknown(reply));
        let results: Option<Vec<Result<&Response, Error>>> = match reply.map(|r| &r.result) {
            None => None,
            Some(Ok(Response::Multi(results))) => {
                Some(results.iter().map(|r| r.as_ref().map_err(|e| *e)).collect())
            }
            Some(Ok(response)) => Some(alloc::vec![Ok(response)]),
            Some(Err(error)) => Some(alloc::vec![Err(*error)]),
        };
        let failed = |result: &Result<_, Error>| matches!(result, Err(error) if !matches!(error, Error::Ok | Error::RuntimeInconsistency));
        let failure = results.as_ref().and_then(|results| {
            let at = results.iter().position(failed)?;
            Some((at, results[at].err()?))
        });
        let mut steps = Vec::new();
        for (number, op) in ops.iter().enumerate() {
            let response = results
                .as_ref()
                .and_then(|results| results.get(number)?.ok());
            match self.step(op, response) {
                Some(step) => steps.push(step),
                // A refusal that may have another reason says nothing.
                None if failure.is_some() => return None,
                None => {}
            }
        }
        Some(match (results, failure) {
            _ if steps.is_empty() => return None,
            (None, _) => What::Unknown(steps),
            (Some(_), None) => What::Done(steps),
            (Some(_), Some((at, error))) => {
                let why = match error {
                    Error::NoNode => Reason::Absent,
                    Error::NodeExists => Reason::There,
                    Error::BadVersion => Reason::Version,
                    _ => return None,
                };
                // Of a parent only the numbers are known, not whether it is there.
                if let Some(Step::Next { .. }) = steps.get(at) {
                    return None;
                }
                What::Refused { steps, at, why }
            }
        })
    }

    fn step(&mut self, op: &Op, response: Option<&Response>) -> Option<Step> {
        let wanted = |version: i32| u64::try_from(version).ok();
        match op {
            Op::Create { path, mode, .. } if mode.is_sequential() => {
                let parent = &path[..path.rfind('/')?];
                if !self.is_counted(parent) {
                    return None;
                }
                let number = match response {
                    Some(Response::Created { path: made, .. }) => {
                        Some(made.get(path.len()..)?.parse().ok()?)
                    }
                    _ => None,
                };
                let parent = self.recorded.parents.number(&parent.into());
                Some(Step::Next { parent, number })
            }
            Op::Create { path, data, .. } if self.is_key(path) => Some(Step::Create {
                key: self.recorded.keys.number(path),
                value: self.value(data),
            }),
            Op::SetData {
                path,
                data,
                version,
            } if self.is_key(path) => Some(Step::Set {
                key: self.recorded.keys.number(path),
                value: self.value(data),
                version: wanted(*version),
                then: match response {
                    Some(Response::Stat(stat)) => Some(stat.version.unsigned_abs().into()),
                    _ => None,
                },
            }),
            Op::Delete { path, version } if self.is_key(path) => Some(Step::Delete {
                key: self.recorded.keys.number(path),
                version: wanted(*version),
            }),
            Op::Check { path, version } if self.is_key(path) => Some(Step::Check {
                key: self.recorded.keys.number(path),
                version: wanted(*version),
            }),
            _ => None,
        }
    }

    fn is_key(&self, path: &str) -> bool {
        let hides = |path: &str| self.opaque.contains(path);
        is_top(path) && !hides(path) && !stem(path).is_some_and(hides)
    }

    fn is_counted(&self, parent: &str) -> bool {
        !self.opaque.contains(&format!("{parent}/"))
    }

    fn value(&mut self, data: &Option<Bytes>) -> u64 {
        self.recorded.values.number(data) as u64
    }
}

/// Whether the call was a sync that came back. What the same client reads next shows no older state.
fn is_sync(call: &Call) -> bool {
    matches!(call.request, Request::Sync { .. })
        && matches!(&call.end, Some(CallEnd::Returned { reply, .. }) if reply.result.is_ok())
}

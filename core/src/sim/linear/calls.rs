//! From the calls of clients to a history that can be judged: writes, linearizable reads, and reads right
//! behind a sync. Keys are the znodes whose names are known (`hidden`); the empty path stands for the root as a
//! parent of sequential znodes. What goes with its session, or is a container, or has a time to live, is mortal.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;

use super::hidden::{Hidden, parent, top};
use super::windows::{Base, Known};
use super::{
    Cell, Contradiction, History, Met, Misfit, Operation, Reason, Start, Step, What, get, put,
};
use crate::request::{CreateMode, Error, Op, Read, ReadKind, Reply, Request, Response};
use crate::sim::ClientId;
use crate::sim::event::{Call, CallEnd};
use crate::time::Time;

/// A history, and what its numbers stand for.
pub(super) struct Recorded {
    /// What is to be judged.
    pub(super) history: History,
    /// Of each operation: whose, and the number of the call.
    pub(super) calls: Vec<(ClientId, u64)>,
    keys: Names<String>,
    values: Names<Option<Bytes>>,
}

impl Recorded {
    /// How things stand in the words of the calls, without some trees; of what is gone, what is `kept`.
    pub(super) fn base(&self, start: &Start, kept: &[usize], without: &BTreeSet<String>) -> Base {
        let mut base = Base::default();
        let counts = |path: &str| !without.contains(top(path));
        for (key, cell) in start.cells.iter().enumerate() {
            let path = self.keys.name(key);
            if let Some(Cell {
                value,
                version,
                mortal,
            }) = *cell
                && counts(path)
                && !path.is_empty()
            {
                base.cells.push(Known {
                    path: path.into(),
                    data: self.values.all[value as usize].clone(),
                    version,
                    mortal,
                });
            }
        }
        for (parent, number) in start.counters.iter().enumerate() {
            let path = self.keys.name(parent);
            if let Some(number) = number.filter(|_| counts(path)) {
                base.counters.push((path.into(), number));
            }
        }
        let gone = kept.iter().filter(|number| start.gone.contains(number));
        base.gone = gone.map(|number| self.calls[*number]).collect();
        base
    }

    /// The trees that an operation touches.
    fn own_tops(&self, number: usize) -> Vec<&str> {
        let what = &self.history.operations[number].what;
        let mut keys: Vec<usize> = what.steps().iter().map(|step| step.key()).collect();
        if let What::Read { key, .. } | What::Look { key, .. } = what {
            keys.push(*key);
        }
        let tops = keys.into_iter().map(|key| top(self.keys.name(key)));
        tops.collect()
    }

    /// The trees that operations touch, with those that others join to them.
    pub(super) fn tops(&self, operations: impl IntoIterator<Item = usize>) -> BTreeSet<String> {
        let tops = operations.into_iter().flat_map(|one| self.own_tops(one));
        self.joined(tops.collect())
    }

    /// The trees in which ways differ, with those that operations join to them.
    pub(super) fn differing(&self, ways: &[Start]) -> BTreeSet<String> {
        let mut tops = BTreeSet::new();
        for (one, other) in ways.iter().zip(&ways[1..]) {
            for (key, path) in self.keys.all.iter().enumerate() {
                let same = get(&one.cells, key) == get(&other.cells, key)
                    && get(&one.counters, key) == get(&other.counters, key)
                    && one.vague.contains(&key) == other.vague.contains(&key);
                if !same {
                    tops.insert(top(path));
                }
            }
            let gone = one.gone.iter().chain(&other.gone);
            let odd =
                gone.filter(|number| one.gone.contains(number) != other.gone.contains(number));
            tops.extend(odd.flat_map(|number| self.own_tops(*number)));
        }
        self.joined(tops)
    }

    fn joined<'a>(&'a self, mut tops: BTreeSet<&'a str>) -> BTreeSet<String> {
        let mut before = 0;
        while before < tops.len() {
            before = tops.len();
            for number in 0..self.calls.len() {
                let own = self.own_tops(number);
                if own.iter().any(|top| tops.contains(top)) {
                    tops.extend(own);
                }
            }
        }
        tops.into_iter().map(String::from).collect()
    }

    /// The contradiction in the words of the calls.
    pub(super) fn tell(&self, contradiction: &Contradiction) -> Misfit {
        let number = contradiction.operation;
        let (client, tag) = self.calls.get(number).copied().unwrap_or((ClientId(0), 0));
        let operation = self.history.operations.get(number);
        let did = operation.map(|operation| self.what(&operation.what));
        let way = |cells: &Vec<(usize, Option<Cell>)>| {
            let met = cells.iter().map(|(key, cell)| self.met(*key, *cell));
            met.collect()
        };
        let given = |(parent, highest): &(usize, Option<u64>)| {
            Some((self.shown(*parent).into(), (*highest)?))
        };
        Misfit {
            client,
            tag,
            did: did.unwrap_or_default(),
            met: contradiction.found.iter().map(way).collect(),
            highest: contradiction.highest.iter().filter_map(given).collect(),
        }
    }

    fn what(&self, what: &What) -> String {
        match what {
            What::Read { key, seen } => format!("it read {}", self.met(*key, *seen)),
            What::Look { key, version, .. } if version.is_none() => {
                format!("it found {}", self.met(*key, None))
            }
            What::Look {
                key,
                version,
                children,
            } => {
                let mut text = format!("it found {}", self.keys.name(*key));
                if let Some(version) = version {
                    text += &format!(" in version {version}");
                }
                if let Some(children) = children {
                    let names = children.iter().map(|child| self.keys.name(*child));
                    text += &format!(" with children [{}]", names.collect::<Vec<_>>().join(", "));
                }
                text
            }
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
            Step::Create { key, value, .. } => {
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
                format!("create number {} under {}", any(number), self.shown(parent))
            }
        }
    }

    /// A path as clients know it.
    fn shown(&self, key: usize) -> &str {
        match self.keys.name(key) {
            "" => "/",
            path => path,
        }
    }

    fn met(&self, key: usize, cell: Option<Cell>) -> Met {
        Met {
            path: self.keys.name(key).into(),
            holds: cell.map(|cell| (self.value(cell.value), cell.version)),
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
        self.add(name.clone())
    }

    fn add(&mut self, name: T) -> usize {
        self.numbers.insert(name.clone(), self.all.len());
        self.all.push(name);
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

pub(super) struct Recorder {
    pub(super) hidden: Hidden,
    /// Trees of which it is not known all that was there before.
    vague: BTreeSet<String>,
    /// Trees whose calls are left out, but for those that may still be done.
    skipped: BTreeSet<String>,
    /// Answers that are left out for that, or because they are about something hidden.
    pub(super) left_out: usize,
    pub(super) recorded: Recorded,
}

impl Recorder {
    pub(super) fn new(
        hidden: &Hidden,
        vague: &BTreeSet<String>,
        skipped: &BTreeSet<String>,
    ) -> Self {
        Self {
            hidden: hidden.clone(),
            vague: vague.union(skipped).cloned().collect(),
            skipped: skipped.clone(),
            left_out: 0,
            recorded: Recorded {
                history: History::default(),
                calls: Vec::new(),
                keys: Names::new(),
                values: Names::new(),
            },
        }
    }

    /// What a call hides, if answers from a moment on do not count. To be asked of all before any is taken.
    pub(super) fn look(&mut self, call: &Call, until: Time) {
        let is_open = answer(call, until).is_none_or(|(_, reply)| is_unknown(reply));
        for op in ops(&call.request) {
            if let Op::Create { path, mode, .. } = op
                && mode.is_sequential()
                && is_open
            {
                self.hidden.hide(path);
            }
        }
    }

    /// How things stand, in the numbers of this history.
    pub(super) fn starts(&mut self, bases: &[Base]) -> Vec<Start> {
        // What one of them does not know has a number too.
        let known = bases.iter().flat_map(|base| &base.cells);
        known.for_each(|known| {
            self.number(&known.path);
        });
        bases.iter().map(|base| self.start(base)).collect()
    }

    fn start(&mut self, base: &Base) -> Start {
        let mut start = Start::default();
        for known in &base.cells {
            if self.is_followed(&known.path) {
                let cell = Cell {
                    value: self.value(&known.data),
                    version: known.version,
                    mortal: known.mortal,
                };
                put(
                    &mut start.cells,
                    self.recorded.keys.numbers[&*known.path],
                    Some(cell),
                );
            }
        }
        for (path, number) in &base.counters {
            if path.is_empty() && !self.skipped.contains(&**path) || self.is_followed(path) {
                let parent = self.number(path);
                put(&mut start.counters, parent, Some(*number));
            }
        }
        for (key, path) in self.recorded.keys.all.iter().enumerate() {
            if path.is_empty() {
                let root = Cell {
                    value: 0,
                    version: 0,
                    mortal: false,
                };
                put(&mut start.cells, key, Some(root));
            } else if self.vague.contains(top(path)) && get(&start.cells, key).is_none() {
                start.vague.insert(key);
            }
        }
        let calls = self.recorded.calls.iter().enumerate();
        // One that was done somewhere in a tree that is left out may be done there as well after it.
        let is_left_out = |number: usize| {
            let mut tops = self.recorded.own_tops(number).into_iter();
            tops.any(|top| self.skipped.contains(top))
        };
        let gone = calls.filter(|(number, call)| base.gone.contains(call) && !is_left_out(*number));
        start.gone = gone.map(|(number, _)| number).collect();
        start
    }

    /// Whether what was known of a znode still counts.
    fn is_followed(&self, path: &str) -> bool {
        self.is_key(path) && !self.skipped.contains(top(path))
    }

    /// Takes a call, which came after that other one of its client.
    pub(super) fn take(
        &mut self,
        client: ClientId,
        call: &Call,
        before: Option<&Call>,
        until: Time,
    ) {
        let Some(operation) = self.operation(call, before, until) else {
            self.left_out += usize::from(self.is_about_hidden(call, before, until));
            return;
        };
        let is_unknown = matches!(operation.what, What::Unknown(_));
        // A number that nobody knows hinders nobody, and a check changes nothing.
        let is_idle = |step: &Step| matches!(step, Step::Next { .. } | Step::Check { .. });
        if is_unknown && operation.what.steps().iter().all(is_idle) {
            return;
        }
        self.recorded.calls.push((client, call.tag));
        self.recorded.history.operations.push(operation);
        let number = self.recorded.calls.len() - 1;
        if !is_unknown && !self.skipped.is_empty() {
            let tops = self.recorded.own_tops(number);
            if tops.iter().any(|top| self.skipped.contains(*top)) {
                self.left_out += 1;
                self.recorded.calls.pop();
                self.recorded.history.operations.pop();
            }
        }
    }

    /// Whether an answer would have counted if its znodes were not hidden.
    fn is_about_hidden(&self, call: &Call, before: Option<&Call>, until: Time) -> bool {
        if answer(call, until).is_none_or(|(_, reply)| is_unknown(reply)) {
            return false;
        }
        let hides = |path: &str| self.hidden.hides(path) && top(path) != "/zookeeper";
        match &call.request {
            Request::Latest(read) => hides(&read.path),
            Request::Read(read) => before.is_some_and(is_sync) && hides(&read.path),
            request => ops(request).iter().any(|op| hides(op.path())),
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
        use ReadKind::{Acl, Children, Data, Exists};
        matches!(read.kind, Data | Exists | Acl | Children) && self.is_key(&read.path)
    }

    fn read(&mut self, read: &Read, reply: &Reply) -> Option<What> {
        if !self.is_read(read) {
            return None;
        }
        let key = self.number(&read.path);
        let version = |version: i32| u64::from(version.unsigned_abs());
        let seen = match (&reply.result, read.kind) {
            (Ok(Response::Data { data, stat }), _) => Some(Cell {
                value: self.value(data),
                version: version(stat.version),
                mortal: false,
            }),
            (Err(Error::NoNode), _) => None,
            (Ok(Response::Stat(stat) | Response::Acl { stat, .. }), _) => {
                return Some(What::Look {
                    key,
                    version: Some(version(stat.version)),
                    children: None,
                });
            }
            (Ok(Response::Children { names, stat }), _) => {
                let paths = names.iter().map(|name| format!("{}/{name}", read.path));
                let paths: Vec<String> = paths.filter(|path| self.is_key(path)).collect();
                let mut children: Vec<usize> = paths.iter().map(|path| self.number(path)).collect();
                children.sort_unstable();
                return Some(What::Look {
                    key,
                    version: Some(version(stat.version)),
                    children: Some(children),
                });
            }
            _ => return None,
        };
        Some(What::Read { key, seen })
    }

    fn write(&mut self, ops: &[Op], reply: Option<&Reply>) -> Option<What> {
        let reply = reply.filter(|reply| !is_unknown(reply));
        let results: Option<Vec<Result<&Response, Error>>> = match reply.map(|r| &r.result) {
            None => None,
            Some(Ok(Response::Multi(results))) => {
                Some(results.iter().map(|r| r.as_ref().map_err(|e| *e)).collect())
            }
            Some(Ok(response)) => Some(vec![Ok(response)]),
            Some(Err(error)) => Some(vec![Err(*error)]),
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
            match self.steps(op, response) {
                Some(more) => steps.extend(more),
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
                // Until the failure each operation is one step.
                let why = match (error, &ops[at]) {
                    (Error::NoNode, _) => Reason::Absent,
                    // Of another list of permissions, or by the number that it would have had.
                    (Error::BadVersion, Op::SetAcl { .. }) => return None,
                    (Error::NodeExists, Op::Create { mode, .. }) if mode.is_sequential() => {
                        return None;
                    }
                    (Error::NodeExists, _) => Reason::There,
                    (Error::BadVersion, _) => Reason::Version,
                    (Error::NotEmpty, Op::Delete { path, .. }) if !self.may_be_above(path) => {
                        Reason::Children
                    }
                    _ => return None,
                };
                What::Refused { steps, at, why }
            }
        })
    }

    /// The steps of an operation. If it is about something hidden, only what its being done says of the parent.
    fn steps(&mut self, op: &Op, response: Option<&Response>) -> Option<Vec<Step>> {
        let path = op.path();
        if let Op::Create { mode, data, .. } = op
            && mode.is_sequential()
        {
            let parent = parent(path)?;
            if !parent.is_empty() && !self.is_key(parent) {
                return None;
            }
            let parent = self.number(parent);
            let Some(Response::Created { path: made, .. }) = response else {
                let number = None;
                return Some(vec![Step::Next { parent, number }]);
            };
            let number = Some(made.get(path.len()..)?.parse().ok()?);
            let mut steps = vec![Step::Next { parent, number }];
            if self.is_key(made) {
                steps.push(self.create(made, data, *mode));
            }
            return Some(steps);
        }
        if !self.is_key(path) {
            let parent = parent(path).filter(|parent| self.is_key(parent))?;
            response?;
            return Some(vec![Step::Check {
                key: self.number(parent),
                version: None,
            }]);
        }
        let key = self.number(path);
        let wanted = |version: i32| u64::try_from(version).ok();
        Some(vec![match op {
            Op::Create { data, mode, .. } => self.create(path, data, *mode),
            Op::SetData { data, version, .. } => Step::Set {
                key,
                value: self.value(data),
                version: wanted(*version),
                then: match response {
                    Some(Response::Stat(stat)) => Some(stat.version.unsigned_abs().into()),
                    _ => None,
                },
            },
            Op::Delete { version, .. } => Step::Delete {
                key,
                version: wanted(*version),
            },
            Op::Check { version, .. } => Step::Check {
                key,
                version: wanted(*version),
            },
            // The version is that of the list.
            Op::SetAcl { .. } => Step::Check { key, version: None },
        }])
    }

    fn create(&mut self, path: &str, data: &Option<Bytes>, mode: CreateMode) -> Step {
        use CreateMode::{Persistent, PersistentSequential};
        Step::Create {
            key: self.number(path),
            value: self.value(data),
            mortal: !matches!(mode, Persistent | PersistentSequential),
        }
    }

    fn is_key(&self, path: &str) -> bool {
        1 < path.len() && path.starts_with('/') && !self.hidden.hides(path)
    }

    /// Whether something that nobody knows of may be below a znode.
    fn may_be_above(&self, path: &str) -> bool {
        self.hidden.is_above(path) || self.vague.contains(top(path))
    }

    /// The number of a path. Those above it have lower ones.
    fn number(&mut self, path: &str) -> usize {
        let keys = &mut self.recorded.keys;
        if let Some(number) = keys.numbers.get(path) {
            return *number;
        }
        let parents = &mut self.recorded.history.parents;
        let mut above = None;
        let ends = path.match_indices('/').skip(1).map(|(at, _)| at);
        for end in ends.chain([path.len()]) {
            let known = keys.numbers.get(&path[..end]).copied();
            above = Some(known.unwrap_or_else(|| {
                parents.push(above);
                keys.add(path[..end].into())
            }));
        }
        above.unwrap_or_default()
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

//! From the calls of clients to a history that can be judged: writes, linearizable reads, and reads right
//! behind a sync. Keys are the znodes below the root whose whole story is in the calls; of parents, the
//! numbers of their sequential children count.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use super::{Cell, Contradiction, History, Operation, Reason, Step, What};
use crate::request::{Error, Op, Read, ReadKind, Reply, Request, Response};
use crate::sim::ClientId;
use crate::sim::event::{Call, CallEnd};

/// A history, and what its numbers stand for.
pub struct Recorded {
    /// What is to be judged.
    pub history: History,
    /// Of each operation: whose, and the number of the call.
    pub calls: Vec<(ClientId, u64)>,
    keys: Names<String>,
    parents: Names<String>,
    values: Names<Option<Bytes>>,
}

impl Recorded {
    /// The contradiction in words.
    #[must_use]
    pub fn tell(&self, contradiction: &Contradiction) -> String {
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

/// The history of all calls of all clients, each client's in order.
#[must_use]
pub fn of_calls<'a, C>(clients: impl IntoIterator<Item = (ClientId, C)>) -> Recorded
where
    C: IntoIterator<Item = &'a Call>,
{
    let calls: Vec<(ClientId, Vec<&Call>)> = clients
        .into_iter()
        .map(|(client, calls)| (client, calls.into_iter().collect()))
        .collect();
    let mut recorder = Recorder {
        opaque: opaque(calls.iter().flat_map(|(_, calls)| calls.iter().copied())),
        recorded: Recorded {
            history: History::default(),
            calls: Vec::new(),
            keys: Names::new(),
            parents: Names::new(),
            values: Names::new(),
        },
    };
    for (client, calls) in &calls {
        let mut before = None;
        for call in calls {
            recorder.take(*client, call, before);
            before = Some(*call);
        }
    }
    recorder.recorded
}

fn ops(request: &Request) -> &[Op] {
    match request {
        Request::Write(op) => core::slice::from_ref(op),
        Request::Multi(ops) => ops,
        _ => &[],
    }
}

/// Paths that change without a call, or in ways that the model does not know: the znodes of sessions, and
/// those with children; and everything that is not right below the root.
fn opaque<'a>(calls: impl Iterator<Item = &'a Call>) -> BTreeSet<String> {
    let mut opaque = BTreeSet::from(["/".into()]);
    for op in calls.flat_map(|call| ops(&call.request)) {
        match op {
            Op::Create { path, mode, .. } => {
                if mode.is_ephemeral() && !mode.is_sequential() {
                    opaque.insert(path.clone());
                }
                let parent = path.rfind('/').map_or("", |at| &path[..at]);
                opaque.insert(parent.into());
            }
            // Whether somebody may is not in the model.
            Op::SetAcl { path, .. } => {
                opaque.insert(path.clone());
            }
            Op::Delete { path, .. } | Op::SetData { path, .. } | Op::Check { path, .. } => {
                if path.rfind('/') != Some(0) {
                    opaque.insert(path.clone());
                }
            }
        }
    }
    opaque
}

struct Recorder {
    opaque: BTreeSet<String>,
    recorded: Recorded,
}

impl Recorder {
    fn take(&mut self, client: ClientId, call: &Call, before: Option<&Call>) {
        let (returned, reply) = match &call.end {
            Some(CallEnd::Returned { time, reply, .. }) => (time.0, Some(reply)),
            _ => (u64::MAX, None),
        };
        let mut called = call.invoked.0;
        let what = match (&call.request, reply) {
            (Request::Latest(read), Some(reply)) => self.read(read, reply),
            (Request::Read(read), Some(reply)) => {
                let Some(sync) = before.filter(|before| is_sync(before)) else {
                    return;
                };
                called = sync.invoked.0;
                self.read(read, reply)
            }
            (request @ (Request::Write(_) | Request::Multi(_)), reply) => {
                self.write(ops(request), reply)
            }
            _ => None,
        };
        if let Some(what) = what {
            self.recorded.calls.push((client, call.tag));
            self.recorded.history.operations.push(Operation {
                called,
                returned,
                what,
            });
        }
    }

    fn read(&mut self, read: &Read, reply: &Reply) -> Option<What> {
        if read.kind != ReadKind::Data || !self.is_key(&read.path) {
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
        let results: Option<Vec<Result<&Response, Error>>> = match reply.map(|r| &r.result) {
            None | Some(Err(Error::SystemError | Error::OutcomeUnknown)) => None,
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
                let at = path.rfind('/')?;
                let number = match response {
                    Some(Response::Created { path: made, .. }) => {
                        Some(made.get(path.len()..)?.parse().ok()?)
                    }
                    _ => None,
                };
                let parent = self.recorded.parents.number(&path[..at].into());
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
        path.rfind('/') == Some(0) && !self.opaque.contains(path)
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

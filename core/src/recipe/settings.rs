//! A configuration of several znodes that changes as a whole: below one root a znode for each key, and in the root
//! the mark of the last update. An update is one transaction that sets the root on the condition that nobody else
//! has, and the keys with it. A `Reader` is told the whole of it as it was at one moment, at first and whenever it has
//! changed; a `Writer` changes it.
//!
//! kazoo has no recipe for this, so the layout is our own; its `DataWatch` on the root hears of every update. Two traps
//! are avoided. *Halves*: whoever reads one znode after the other may see one half of an update; here all
//! of them are read in one request, which one server answers from one state, and read again if they are others
//! than it was asked for. *Who did it*: when the answer to an update is lost, the root says by its mark whether it
//! was made.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::mem;

use bytes::Bytes;

use super::{Answer, Ensure, Ensured, Out, Recipe, Standing, answer, join};
use crate::client::{Event, Outcome};
use crate::id::Index;
use crate::request::{Acl, CreateMode, Error, Op, Read, ReadKind, Request, Response, WatchMode};

/// A configuration as it was at one moment.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Settings {
    /// How often it was changed; 0 before the first time.
    pub version: i32,
    /// The zxid of the last update.
    pub zxid: Index,
    /// What each key says.
    pub values: BTreeMap<String, Bytes>,
    /// Of the last update, as hexadecimal digits.
    mark: Bytes,
    /// Whether the root is there.
    exists: bool,
}

/// Reads all of it at one moment.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Look {
    path: String,
    /// The keys that are asked for: those that were there when somebody last looked.
    keys: Vec<String>,
}

/// How far it is.
enum Looked {
    Ask(Request),
    Done(Settings),
    Failed(Error),
    /// Nothing was done, and nothing will be before there is another session.
    Stopped,
}

impl Look {
    fn new(path: &str) -> Self {
        Self {
            path: path.into(),
            keys: Vec::new(),
        }
    }

    fn ask(&self) -> Request {
        let read = |kind, path| Read {
            kind,
            path,
            watch: false,
        };
        let root = [ReadKind::Data, ReadKind::Children].map(|kind| read(kind, self.path.clone()));
        let keys = self.keys.iter();
        let keys = keys.map(|key| read(ReadKind::Data, join(&self.path, key)));
        Request::MultiRead(root.into_iter().chain(keys).collect())
    }

    fn answered(&mut self, outcome: &Outcome) -> Looked {
        match answer(outcome) {
            Answer::Yes(Response::Multi(results)) => self.found(results),
            Answer::Yes(_) | Answer::Unknown => Looked::Ask(self.ask()),
            Answer::No(error) => Looked::Failed(error),
            Answer::Not => Looked::Stopped,
        }
    }

    fn found(&mut self, results: &[Result<Response, Error>]) -> Looked {
        let (data, stat, names) = match results {
            [Err(Error::NoNode), ..] => return Looked::Done(Settings::default()),
            [
                Ok(Response::Data { data, stat }),
                Ok(Response::Children { names, .. }),
                ..,
            ] => (data, stat, names),
            [Err(error), ..] | [_, Err(error), ..] => return Looked::Failed(*error),
            _ => return Looked::Failed(Error::Unimplemented),
        };
        let mut names = names.clone();
        names.sort_unstable();
        if names != self.keys {
            self.keys = names;
            return Looked::Ask(self.ask());
        }
        let mut values = BTreeMap::new();
        for (key, result) in names.into_iter().zip(&results[2..]) {
            match result {
                Ok(Response::Data { data, .. }) => {
                    values.insert(key, data.clone().unwrap_or_default());
                }
                Ok(_) => return Looked::Failed(Error::Unimplemented),
                Err(error) => return Looked::Failed(*error),
            }
        }
        Looked::Done(Settings {
            version: stat.version,
            zxid: stat.mzxid,
            values,
            mark: data.clone().unwrap_or_default(),
            exists: true,
        })
    }
}

/// What a reader says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Shown {
    /// This is the configuration now.
    Now(Settings),
    /// The server does not let us look.
    Failed(Error),
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Reading {
    Idle,
    /// The watch of the root is being left.
    Watching,
    Looking,
    Waiting,
    Stopped,
}

/// A configuration, kept up to date.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reader {
    look: Look,
    said: Option<Settings>,
    is_stale: bool,
    state: Reading,
}

impl Reader {
    /// Of the configuration at this path. It need not be there yet.
    #[must_use]
    pub fn new(path: &str) -> Self {
        Self {
            look: Look::new(path),
            said: None,
            is_stale: false,
            state: Reading::Idle,
        }
    }

    /// What was last said.
    #[must_use]
    pub const fn settings(&self) -> Option<&Settings> {
        self.said.as_ref()
    }

    /// Begins to look.
    pub fn read(&mut self, out: &mut Out<Shown>) {
        if self.state == Reading::Idle {
            self.watch(out);
        }
    }

    /// The watch stays, also on other servers, and is left before the first look, so that nothing is missed.
    fn watch(&mut self, out: &mut Out<Shown>) {
        out.ask(Request::AddWatch {
            path: self.look.path.clone(),
            mode: WatchMode::Persistent,
            since: None,
        });
        self.state = Reading::Watching;
    }

    fn look(&mut self, out: &mut Out<Shown>) {
        self.is_stale = false;
        out.ask(self.look.ask());
        self.state = Reading::Looking;
    }

    fn say(&mut self, settings: Settings, out: &mut Out<Shown>) {
        self.state = Reading::Waiting;
        // Connected to a server that is behind, we are not told of the past.
        let is_news = match &self.said {
            None => true,
            Some(said) => *said != settings && (said.zxid <= settings.zxid || !settings.exists),
        };
        if is_news {
            self.said = Some(settings.clone());
            out.tell(Shown::Now(settings));
        }
        if self.is_stale {
            self.look(out);
        }
    }

    fn answered(&mut self, outcome: &Outcome, out: &mut Out<Shown>) {
        match mem::replace(&mut self.state, Reading::Stopped) {
            Reading::Watching => match answer(outcome) {
                Answer::Yes(_) => self.look(out),
                Answer::Unknown => self.watch(out),
                Answer::No(error) => self.end(error, out),
                Answer::Not => {}
            },
            Reading::Looking => match self.look.answered(outcome) {
                Looked::Ask(request) => {
                    out.ask(request);
                    self.state = Reading::Looking;
                }
                Looked::Done(settings) => self.say(settings, out),
                Looked::Failed(error) => self.end(error, out),
                Looked::Stopped => {}
            },
            // An answer to something that was not asked.
            state => self.state = state,
        }
    }

    fn end(&mut self, error: Error, out: &mut Out<Shown>) {
        self.state = Reading::Idle;
        out.tell(Shown::Failed(error));
    }
}

impl Recipe for Reader {
    type Told = Shown;

    fn standing(&self) -> Standing {
        match self.state {
            Reading::Idle => Standing::Idle,
            Reading::Waiting => Standing::Waiting,
            _ => Standing::Busy,
        }
    }

    fn handle(&mut self, event: &Event, out: &mut Out<Shown>) {
        match event {
            Event::Connected { .. } if self.state == Reading::Stopped => self.watch(out),
            Event::Done { outcome, .. } => self.answered(outcome, out),
            Event::Watch(event) if event.path == self.look.path => self.changed(out),
            Event::Missed { path } if *path == self.look.path => self.changed(out),
            // The watch has gone with the session.
            Event::Expired { .. } if self.state == Reading::Waiting => self.watch(out),
            _ => {}
        }
    }
}

impl Reader {
    fn changed(&mut self, out: &mut Out<Shown>) {
        self.is_stale = true;
        if self.state == Reading::Waiting {
            self.look(out);
        }
    }
}

/// A change of a configuration: what keys are to say from now on, and `None` for those that are to go.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Update {
    /// Only if the configuration has this version.
    pub version: Option<i32>,
    /// All of these, or none.
    pub values: BTreeMap<String, Option<Bytes>>,
}

/// What a writer says, once for each update and in their order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Written {
    /// It was made.
    Done {
        /// The version of the configuration now.
        version: i32,
    },
    /// The configuration has another version; nothing was changed.
    Outdated {
        /// Which.
        version: i32,
    },
    /// It may have been made: the answer was lost, and others have made updates since.
    Unknown,
    /// The server does not let us; nothing was changed.
    Failed(Error),
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Writing {
    Idle,
    /// The server is being brought up to date.
    Syncing,
    Looking,
    Ensuring(Ensure),
    /// In place of this version.
    Setting(i32),
    /// Whether that was done is not known; all is read again.
    Checking(i32),
    /// With the version that an update without an outcome was to replace.
    Stopped(Option<i32>),
}

/// Changes a configuration, one update at a time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Writer {
    look: Look,
    unique: u128,
    updates: VecDeque<Update>,
    state: Writing,
}

impl Writer {
    /// For the configuration at this path, which is made if it is not there. `unique` is drawn at random by the
    /// caller.
    #[must_use]
    pub fn new(path: &str, unique: u128) -> Self {
        Self {
            look: Look::new(path),
            unique,
            updates: VecDeque::new(),
            state: Writing::Idle,
        }
    }

    /// Makes an update. It is the caller who bounds how many wait.
    pub fn update(&mut self, update: Update, out: &mut Out<Written>) {
        self.updates.push_back(update);
        if self.state == Writing::Idle {
            self.begin(out);
        }
    }

    fn begin(&mut self, out: &mut Out<Written>) {
        self.state = Writing::Idle;
        if !self.updates.is_empty() {
            let path = self.look.path.clone();
            out.ask(Request::Sync { path });
            self.state = Writing::Syncing;
        }
    }

    fn end(&mut self, written: Written, out: &mut Out<Written>) {
        self.updates.pop_front();
        // The next one has another mark.
        self.unique = self.unique.wrapping_add(1);
        out.tell(written);
        self.begin(out);
    }

    fn mark(&self) -> Bytes {
        format!("{:032x}", self.unique).into()
    }

    /// The whole of it is known now.
    fn known(&mut self, settings: &Settings, out: &mut Out<Written>) {
        let Some(update) = self.updates.front() else {
            return self.begin(out);
        };
        if settings.mark == self.mark() {
            // It was made, although the answer was lost.
            let version = settings.version;
            return self.end(Written::Done { version }, out);
        }
        if update
            .version
            .is_some_and(|wanted| wanted != settings.version)
        {
            let version = settings.version;
            return self.end(Written::Outdated { version }, out);
        }
        if !settings.exists {
            self.state = Writing::Ensuring(Ensure::begin(&self.look.path, out));
            return;
        }
        let mut ops = vec![Op::SetData {
            path: self.look.path.clone(),
            data: Some(self.mark()),
            version: settings.version,
        }];
        for (key, value) in &update.values {
            let path = join(&self.look.path, key);
            let version = -1;
            match (settings.values.contains_key(key), value) {
                (true, Some(data)) => ops.push(Op::SetData {
                    path,
                    data: Some(data.clone()),
                    version,
                }),
                (true, None) => ops.push(Op::Delete { path, version }),
                (false, Some(data)) => ops.push(Op::Create {
                    path,
                    data: Some(data.clone()),
                    acl: vec![Acl::open()],
                    mode: CreateMode::Persistent,
                    stat: false,
                }),
                // It has gone already.
                (false, None) => {}
            }
        }
        out.ask(Request::Multi(ops));
        self.state = Writing::Setting(settings.version);
    }

    /// The whole of it is known after the answer to an update of `before` was lost.
    fn looked_after(&mut self, before: i32, settings: &Settings, out: &mut Out<Written>) {
        // If it has the next version, who set it has done so in place of the same one, and all is known.
        if settings.version <= before.wrapping_add(1) || settings.mark == self.mark() {
            self.known(settings, out);
        } else {
            self.end(Written::Unknown, out);
        }
    }

    /// The server has answered an update.
    fn set(&mut self, before: i32, results: &[Result<Response, Error>], out: &mut Out<Written>) {
        let is_reason = |error: &Error| !matches!(error, Error::Ok | Error::RuntimeInconsistency);
        let errors = results.iter().filter_map(|result| result.as_ref().err());
        match errors.copied().find(is_reason) {
            None => {
                let version = before.wrapping_add(1);
                self.end(Written::Done { version }, out);
            }
            // Somebody else was faster, or makes and deletes keys without an update.
            Some(Error::BadVersion | Error::NoNode | Error::NodeExists) => self.begin(out),
            Some(error) => self.end(Written::Failed(error), out),
        }
    }

    fn answered(&mut self, outcome: &Outcome, out: &mut Out<Written>) {
        let stopped = Writing::Stopped(None);
        match (mem::replace(&mut self.state, stopped), answer(outcome)) {
            (Writing::Ensuring(ensure), _) => match ensure.answered(outcome, out) {
                Ensured::Going(ensure) => self.state = Writing::Ensuring(ensure),
                Ensured::Done => self.begin(out),
                Ensured::Failed(error) => self.end(Written::Failed(error), out),
                Ensured::Stopped => {}
            },
            (state @ (Writing::Looking | Writing::Checking(_)), _) => {
                let before = match state {
                    Writing::Checking(before) => Some(before),
                    _ => None,
                };
                match (self.look.answered(outcome), before) {
                    (Looked::Ask(request), _) => {
                        out.ask(request);
                        self.state = state;
                    }
                    (Looked::Done(settings), None) => self.known(&settings, out),
                    (Looked::Done(settings), Some(before)) => {
                        self.looked_after(before, &settings, out);
                    }
                    (Looked::Failed(error), None) => self.end(Written::Failed(error), out),
                    (Looked::Failed(_), Some(_)) => self.end(Written::Unknown, out),
                    (Looked::Stopped, _) => self.state = Writing::Stopped(before),
                }
            }
            (Writing::Syncing, Answer::Unknown) => self.begin(out),
            (Writing::Syncing, Answer::Yes(_)) => {
                out.ask(self.look.ask());
                self.state = Writing::Looking;
            }
            (Writing::Setting(before), Answer::Yes(Response::Multi(results))) => {
                self.set(before, results, out);
            }
            (Writing::Setting(before), Answer::Unknown) => self.check(before, out),
            (_, Answer::Not) => {}
            (_, Answer::No(error)) => self.end(Written::Failed(error), out),
            // An answer to something that was not asked.
            (state, _) => self.state = state,
        }
    }

    fn check(&mut self, before: i32, out: &mut Out<Written>) {
        out.ask(self.look.ask());
        self.state = Writing::Checking(before);
    }
}

impl Recipe for Writer {
    type Told = Written;

    fn standing(&self) -> Standing {
        match self.state {
            Writing::Idle => Standing::Idle,
            _ => Standing::Busy,
        }
    }

    fn handle(&mut self, event: &Event, out: &mut Out<Written>) {
        match event {
            Event::Connected { .. } => match self.state {
                Writing::Stopped(None) => self.begin(out),
                Writing::Stopped(Some(before)) => self.check(before, out),
                _ => {}
            },
            Event::Done { outcome, .. } => self.answered(outcome, out),
            _ => {}
        }
    }
}

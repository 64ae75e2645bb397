//! The book of a client's watch that stays: it tells of each change once, in order, and before the client sees
//! anything newer; and what was read and what was told since make what is read next. After a reconnect the core's
//! client leaves it again by setWatches, and it tells what was missed; at times it is asked for once more by addWatch.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::id::Index;
use crate::request::{
    Error, EventKind, Read, ReadKind, Reply, Request, Response, WatchEvent, WatchMode,
};
use crate::sim::Invariant;
use crate::sim::oracle::{MORTALS, QUEUE, Verdict, broken, is_open_to_all};

/// What is known of a znode that the watch is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Known {
    There {
        mzxid: Index,
        version: Option<i32>,
    },
    /// Since the change at `zxid`, or 0 if only that was seen.
    Gone {
        zxid: Index,
    },
}

impl Known {
    /// The change that it is known by.
    const fn zxid(self) -> Index {
        match self {
            Self::There { mzxid: zxid, .. } | Self::Gone { zxid } => zxid,
        }
    }
}

/// How the server was asked to set the watch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Asked {
    /// For the first time.
    First,
    /// Again, and to tell all that happened since.
    Since,
    /// Again by setWatches, which tells what it can.
    Again,
}

#[derive(Clone, Debug)]
struct Watch {
    path: String,
    mode: WatchMode,
    /// The server has it, on this connection.
    is_set: bool,
    /// The last request that waits for its answer, and how many do.
    asked: Option<Asked>,
    asks: usize,
    /// How many of those have been answered.
    answers: usize,
    /// Whether a setWatches is among them, which tells what the Stat proves if nobody knows more.
    by_stat: bool,
    /// And since when it was asked to tell.
    since: Index,
    /// Events that came while it waits: a one-shot watch may have told some of them, before the server came to
    /// that request.
    early: Vec<WatchEvent>,
    /// The state in which the server set it, on this connection.
    set_at: Index,
    /// What happened up to here was told.
    heard: Index,
    /// The newest state that an event was of, and what was told beyond `heard`: what a connection that breaks has
    /// told is told once more.
    last: Index,
    told: BTreeSet<(Index, EventKind, String)>,
    znodes: BTreeMap<String, Known>,
    /// Names below the queue, and when they last changed.
    names: Option<BTreeSet<String>>,
    listed: Option<Index>,
    /// setWatches told nothing of the znode itself: between these two states it cannot have changed.
    quiet: Option<(Index, Index)>,
    told_itself: bool,
}

/// At most one watch of a client.
#[derive(Clone, Debug, Default)]
pub(super) struct Lasting {
    watch: Option<Watch>,
}

impl Lasting {
    pub(super) fn clear(&mut self) {
        self.watch = None;
    }

    /// The connection is gone, and the server's watch with it.
    pub(super) fn disconnected(&mut self) -> Verdict {
        match &mut self.watch {
            // Whether it was ever set is not known.
            Some(watch) if watch.asked == Some(Asked::First) => self.watch = None,
            Some(watch) => watch.broke_off()?,
            None => {}
        }
        Ok(())
    }

    /// The one that it has, or will have when all that was sent is answered.
    pub(super) fn kept(&self) -> Option<(&str, WatchMode)> {
        let watch = self.watch.as_ref()?;
        Some((&watch.path, watch.mode))
    }

    /// Whether there is one to be set again.
    pub(super) const fn is_kept(&self) -> bool {
        self.watch.is_some()
    }

    /// What asks for it once more on a new connection.
    pub(super) fn again(&self) -> Option<Request> {
        let watch = self.watch.as_ref()?;
        Some(Request::AddWatch {
            path: watch.path.clone(),
            mode: watch.mode,
            since: Some(watch.heard),
        })
    }

    /// A request is sent.
    pub(super) fn sent(&mut self, request: &Request) {
        match (request, &mut self.watch) {
            (Request::AddWatch { path, mode, .. }, None) => {
                self.watch = Some(Watch::new(path.clone(), *mode));
            }
            (Request::AddWatch { .. }, Some(watch)) => watch.ask(Asked::Since),
            (Request::SetWatches(had), Some(watch)) => {
                watch.ask(Asked::Again);
                watch.since = had.zxid;
            }
            _ => {}
        }
    }

    /// An event has come. Says whether it is, or may be, for this watch.
    pub(super) fn told(&mut self, event: &WatchEvent) -> Verdict<bool> {
        match &mut self.watch {
            Some(watch) if watch.asked.is_some() && watch.hears(event) => {
                watch.early.push(event.clone());
                Ok(true)
            }
            Some(watch) if watch.is_set && watch.hears(event) => {
                watch.told(event)?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// An answer has come.
    pub(super) fn answered(&mut self, request: &Request, reply: &Reply) -> Verdict {
        let Some(watch) = &mut self.watch else {
            return Ok(());
        };
        match (request, &reply.result) {
            (Request::AddWatch { .. } | Request::SetWatches(_), result) => match result {
                Ok(Response::Watching { complete }) => watch.answered(reply.zxid, *complete)?,
                Ok(Response::WatchesSet { complete }) => watch.answered(reply.zxid, *complete)?,
                _ => self.watch = None,
            },
            // Asked again on a new connection, it comes before the watch is set again.
            (
                Request::CheckWatches { .. } | Request::RemoveWatches { .. },
                Err(Error::NoWatcher),
            ) if !watch.is_set => {}
            (Request::CheckWatches { .. }, Err(Error::NoWatcher)) => {
                let text = format!("the watch on {} is not there any more", watch.path);
                return broken(Invariant::LastingWatches, text);
            }
            (Request::RemoveWatches { .. }, Ok(_)) => self.watch = None,
            (Request::RemoveWatches { .. }, Err(Error::NoWatcher)) => {
                let text = format!("the watch on {} was not there to be removed", watch.path);
                return broken(Invariant::LastingWatches, text);
            }
            _ if !watch.is_set => {}
            (Request::Read(read) | Request::Latest(read), result) => {
                watch.none_is_missed(read, result)?;
                watch.learn(read, result);
            }
            (Request::MultiRead(reads), Ok(Response::Multi(results))) => {
                for (read, result) in reads.iter().zip(results) {
                    watch.none_is_missed(read, result)?;
                    watch.learn(read, result);
                }
            }
            _ => {}
        }
        if let Some(watch) = &mut self.watch
            && watch.is_set
        {
            watch.hear(reply.zxid);
        }
        Ok(())
    }

    /// What would show whether something was missed.
    pub(super) fn reads(&self) -> Vec<Read> {
        let Some(watch) = self.watch.as_ref().filter(|watch| watch.is_set) else {
            return Vec::new();
        };
        let read = |kind, path: &str| Read {
            kind,
            path: path.into(),
            watch: false,
        };
        let znodes = watch.znodes.keys();
        let mut reads: Vec<Read> = znodes.map(|path| read(ReadKind::Exists, path)).collect();
        reads.push(read(ReadKind::Children, QUEUE));
        reads
    }

    pub(super) fn none_is_missed(&self, read: &Read, result: &Result<Response, Error>) -> Verdict {
        match &self.watch {
            Some(watch) if watch.is_set => watch.none_is_missed(read, result),
            _ => Ok(()),
        }
    }
}

impl Watch {
    const fn new(path: String, mode: WatchMode) -> Self {
        Self {
            path,
            mode,
            is_set: false,
            asked: Some(Asked::First),
            asks: 1,
            answers: 0,
            by_stat: false,
            since: Index(0),
            early: Vec::new(),
            set_at: Index(0),
            heard: Index(0),
            last: Index(0),
            told: BTreeSet::new(),
            znodes: BTreeMap::new(),
            names: None,
            listed: None,
            quiet: None,
            told_itself: false,
        }
    }

    /// All up to here has been told.
    fn hear(&mut self, zxid: Index) {
        if self.heard < zxid {
            self.heard = zxid;
            let first = (zxid.next(), EventKind::NodeCreated, String::new());
            self.told = self.told.split_off(&first);
        }
    }

    fn ask(&mut self, asked: Asked) {
        self.by_stat = asked == Asked::Again || 0 < self.asks && self.by_stat;
        self.asked = Some(asked);
        self.asks += 1;
        self.told_itself = false;
        self.last = self.heard;
    }

    /// The connection broke. What it has told of the past counts: it may not be told again.
    fn broke_off(&mut self) -> Verdict {
        let early = core::mem::take(&mut self.early);
        if !early.is_empty() {
            // Nobody said any more whether that is all.
            self.forget();
        }
        for event in early {
            let what = (event.zxid, event.kind, event.path.clone());
            let is_known = event.zxid <= self.heard || self.told.contains(&what);
            if event.zxid == Index(0) || !is_known {
                self.told(&event)?;
            }
        }
        (self.is_set, self.asked) = (false, None);
        (self.asks, self.answers) = (0, 0);
        Ok(())
    }

    /// The server has set it; `complete` if it told all that happened since.
    fn answered(&mut self, zxid: Index, complete: bool) -> Verdict {
        self.answers += 1;
        if !complete {
            // What it told is only the end of what happened: what was known before says nothing about it.
            self.forget();
        }
        if self.answers < self.asks {
            return Ok(());
        }
        let most = core::mem::take(&mut self.asks);
        self.answers = 0;
        let early = core::mem::take(&mut self.early);
        for (place, event) in early.iter().enumerate() {
            // Told by a one-shot watch first, and then for each request as what was missed.
            let again = early[place + 1..].iter().filter(|later| *later == event);
            match again.count() {
                0 if self.asked != Some(Asked::First) => self.told(event)?,
                _ if event.kind == EventKind::NodeChildrenChanged => {}
                again if again <= most => {}
                again => {
                    let text = format!("{event:?} was told {} times", again + 1);
                    return broken(Invariant::LastingWatches, text);
                }
            }
        }
        let asked = self.asked.take();
        self.is_set = true;
        self.set_at = zxid;
        self.quiet = None;
        if asked == Some(Asked::First) {
            self.forget();
        }
        if asked == Some(Asked::Again) && !self.told_itself {
            self.quiet = Some((self.since, zxid));
        }
        if asked == Some(Asked::First) {
            self.last = zxid;
        }
        Ok(())
    }

    fn forget(&mut self) {
        self.znodes.clear();
        self.names = None;
        self.listed = None;
    }

    fn hears(&self, event: &WatchEvent) -> bool {
        match self.mode {
            WatchMode::Persistent => event.path == self.path,
            WatchMode::Recursive => {
                event.kind != EventKind::NodeChildrenChanged && self.is_below(&event.path)
            }
        }
    }

    /// Whether a path is the watch's own or below it.
    fn is_below(&self, path: &str) -> bool {
        let rest = path.strip_prefix(&*self.path);
        rest.is_some_and(|rest| rest.is_empty() || self.path == "/" || rest.starts_with('/'))
    }

    /// Whether it tells of a znode's own changes.
    fn is_about(&self, path: &str) -> bool {
        match self.mode {
            WatchMode::Persistent => path == self.path,
            WatchMode::Recursive => self.is_below(path),
        }
    }

    fn told(&mut self, event: &WatchEvent) -> Verdict {
        let WatchEvent { kind, path, zxid } = event;
        let wrong = |what: &str| {
            let text = format!("{kind:?} on {path} at {zxid}: {what}");
            broken(Invariant::LastingWatches, text)
        };
        if *path == self.path && *kind != EventKind::NodeChildrenChanged {
            self.told_itself = true;
        }
        if *zxid == Index(0) {
            self.znodes.remove(path);
            self.listed = None;
            return match self.by_stat {
                true => Ok(()),
                false => wrong("no setWatches waits"),
            };
        }
        if *zxid <= self.heard {
            return wrong(&format!("all up to {} was told before", self.heard));
        }
        if *zxid < self.last {
            return wrong(&format!("a change at {} was told before", self.last));
        }
        self.last = *zxid;
        // Several children may go in one transaction, each with an event of its own.
        let once = *kind != EventKind::NodeChildrenChanged;
        if !self.told.insert((*zxid, *kind, path.clone())) && once {
            return match self.asked {
                Some(_) => Ok(()),
                None => wrong("told twice"),
            };
        }
        if *kind == EventKind::NodeChildrenChanged {
            self.listed = Some(*zxid);
            return Ok(());
        }
        if !is_followed(path) && name_in_queue(path).is_none() {
            return Ok(());
        }
        let before = self.znodes.get(path).copied();
        if self.asked.is_some() && before.is_some_and(|known| *zxid < known.zxid()) {
            // What a connection that broke had told the end of is told from the beginning.
            return Ok(());
        }
        let now = match (kind, before) {
            (EventKind::NodeCreated, Some(Known::There { .. })) => return wrong("it was there"),
            (EventKind::NodeDeleted | EventKind::NodeDataChanged, Some(Known::Gone { .. })) => {
                return wrong("it was gone");
            }
            (EventKind::NodeDeleted, _) => Known::Gone { zxid: *zxid },
            (EventKind::NodeDataChanged, before) => Known::There {
                mzxid: *zxid,
                version: match before {
                    Some(Known::There { version, .. }) => version.map(|version| version + 1),
                    _ => None,
                },
            },
            _ => Known::There {
                mzxid: *zxid,
                version: Some(0),
            },
        };
        if let Some(name) = name_in_queue(path) {
            // The names are enough of these.
            if let Some(names) = &mut self.names {
                let news = match now {
                    Known::There { .. } => names.insert(name.into()),
                    Known::Gone { .. } => names.remove(name),
                };
                if !news && *kind != EventKind::NodeDataChanged {
                    return wrong("it was so already");
                }
            }
        } else {
            self.znodes.insert(path.clone(), now);
        }
        Ok(())
    }

    /// What is shown is what was known, with the changes that were told.
    fn none_is_missed(&self, read: &Read, result: &Result<Response, Error>) -> Verdict {
        let path = &read.path;
        let missed = |what: String| {
            let text = format!("the watch on {} missed a change: {what}", self.path);
            broken(Invariant::LastingWatches, text)
        };
        match (read.kind, result) {
            (ReadKind::Children, Ok(Response::Children { names, stat })) if path == QUEUE => {
                if self.mode == WatchMode::Recursive
                    && self.is_about(QUEUE)
                    && let Some(known) = &self.names
                    && !known.iter().eq(names)
                {
                    let odd = names.iter().filter(|name| !known.contains(*name));
                    let lost = known.iter().filter(|name| !names.contains(name));
                    let odd: Vec<&String> = odd.chain(lost).collect();
                    return missed(format!("{path} differs in {odd:?}"));
                }
                match self.listed {
                    Some(listed) if self.counts_children(path) && listed != stat.pzxid => {
                        missed(format!(
                            "the children of {path} changed at {}; it told {listed}",
                            stat.pzxid
                        ))
                    }
                    _ => Ok(()),
                }
            }
            (ReadKind::Data | ReadKind::Exists, result) if self.is_about(path) => {
                let stat = match result {
                    Ok(Response::Data { stat, .. } | Response::Stat(stat)) => Some(stat),
                    Err(Error::NoNode) => None,
                    _ => return Ok(()),
                };
                if let (Some(stat), Some((low, high))) = (stat, self.quiet)
                    && *path == self.path
                    && low < stat.mzxid
                    && stat.mzxid <= high
                {
                    return missed(format!(
                        "{path} changed at {}, which setWatches did not tell",
                        stat.mzxid
                    ));
                }
                let same = match (stat, self.znodes.get(path)) {
                    (Some(stat), None) => stat.mzxid <= self.set_at || !is_followed(path),
                    (None, None | Some(Known::Gone { .. })) => true,
                    (Some(stat), Some(Known::There { mzxid, version })) => {
                        stat.mzxid == *mzxid && version.is_none_or(|known| known == stat.version)
                    }
                    _ => false,
                };
                if same {
                    return Ok(());
                }
                missed(format!(
                    "{path} is {:?}; it told {:?}",
                    stat.map(|stat| (stat.mzxid, stat.version)),
                    self.znodes.get(path)
                ))
            }
            _ => Ok(()),
        }
    }

    fn counts_children(&self, path: &str) -> bool {
        self.mode == WatchMode::Persistent && self.path == path
    }

    /// An answer shows what nobody had told before.
    fn learn(&mut self, read: &Read, result: &Result<Response, Error>) {
        let path = &read.path;
        match (read.kind, result) {
            (ReadKind::Children, Ok(Response::Children { names, stat })) if path == QUEUE => {
                if self.mode == WatchMode::Recursive && self.is_about(QUEUE) {
                    self.names = Some(names.iter().cloned().collect());
                }
                if self.counts_children(path) {
                    self.listed = Some(stat.pzxid);
                }
            }
            (ReadKind::Data | ReadKind::Exists, result)
                if self.is_about(path) && is_followed(path) =>
            {
                let known = match result {
                    Ok(Response::Data { stat, .. } | Response::Stat(stat)) => Known::There {
                        mzxid: stat.mzxid,
                        version: Some(stat.version),
                    },
                    Err(Error::NoNode) => Known::Gone { zxid: Index(0) },
                    _ => return,
                };
                self.znodes.insert(path.clone(), known);
            }
            _ => {}
        }
    }
}

/// Whether a znode's own state is followed: not of those that not everybody may read, nor of those that come
/// and go without end.
fn is_followed(path: &str) -> bool {
    let endless = path.starts_with(MORTALS) && path != MORTALS || name_in_queue(path).is_some();
    is_open_to_all(path) && !endless
}

fn name_in_queue(path: &str) -> Option<&str> {
    path.strip_prefix(QUEUE)?.strip_prefix('/')
}

//! Who did what to the tree lately and how sessions ended, as this node applied it: what an explain is answered
//! from. A ring with a limit in bytes, filled from the log alone, so that it is there again after a restart as far
//! as the log reaches. It decides nothing.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::Node;
use crate::acl;
use crate::command::{Applied, Command, Silent, WriteRequest};
use crate::hash;
use crate::id::{Index, SessionId};
use crate::path;
use crate::request::{
    self, Acl, Deed, Done, Error, EventKind, Explained, Fate, Identity, Moment, Op, Response,
    Subject,
};
use crate::spine::Spine;

/// Deeds in one piece: what a clone shares, and what leaves at once. The first deed after a clone copies the last
/// piece with all its paths, so it is not large.
const PIECE: usize = 32;
/// Bits of what a piece knows of the paths in it without a look at each: with eight for a deed, one piece in nine
/// is looked through in vain.
const BITS: usize = 8 * PIECE;
/// What a deed counts beside its path and whom it was done for.
const OVERHEAD: u64 = 96;

/// The last deeds, oldest first.
#[derive(Clone)]
pub(super) struct Deeds {
    limit: u64,
    bytes: u64,
    /// All deeds behind this index are here.
    start: Index,
    pieces: Spine<Piece>,
}

/// Deeds that came one after the other.
#[derive(Clone)]
struct Piece {
    past: Vec<Past>,
    /// Has the bit of each path, and of each session that ended.
    names: [u64; BITS / 64],
}

#[derive(Clone)]
struct Past {
    at: Moment,
    what: What,
}

#[derive(Clone)]
enum What {
    Znode {
        path: String,
        done: Done,
        session: SessionId,
        ids: Arc<[Identity]>,
    },
    Session(SessionId, Fate),
}

impl Deeds {
    /// Nothing, of what comes behind `start`.
    pub(super) const fn new(start: Index, limit: u64) -> Self {
        Self {
            limit,
            bytes: 0,
            start,
            pieces: Spine::new(),
        }
    }

    /// The state jumped to this index, so nobody knows what happened on the way.
    pub(super) fn jump(&mut self, to: Index) {
        *self = Self::new(to, self.limit);
    }

    fn push(&mut self, past: Past) {
        self.bytes += past.bytes();
        if self
            .pieces
            .back()
            .is_none_or(|last| last.past.len() == PIECE)
        {
            self.pieces.push_back(Arc::new(Piece {
                past: Vec::with_capacity(PIECE),
                names: [0; BITS / 64],
            }));
        }
        if let Some(last) = self.pieces.back_mut() {
            let last = Arc::make_mut(last);
            let (word, bit) = place(past.name());
            last.names[word] |= bit;
            last.past.push(past);
        }
        while self.limit < self.bytes
            && let Some(oldest) = self.pieces.pop_front()
        {
            self.bytes -= oldest.past.iter().map(Past::bytes).sum::<u64>();
            self.start = oldest.past.last().map_or(self.start, |past| past.at.zxid);
        }
    }

    /// Those that may be of this name, the newest first.
    fn last(&self, name: u64) -> impl Iterator<Item = &Past> {
        let (word, bit) = place(name);
        self.pieces
            .iter()
            .rev()
            .filter(move |piece| piece.names[word] & bit != 0)
            .flat_map(|piece| piece.past.iter().rev())
    }
}

/// Where a name has its bit.
fn place(name: u64) -> (usize, u64) {
    let at = usize::try_from(name % BITS as u64).unwrap_or(0);
    (at / 64, 1 << (at % 64))
}

/// What a path is found by.
fn name_of(path: &str) -> u64 {
    hash::of_bytes(path.as_bytes())
}

/// What a session is found by.
fn name_of_session(session: SessionId) -> u64 {
    hash::of_words(&[session.0])
}

impl Past {
    fn name(&self) -> u64 {
        match &self.what {
            What::Znode { path, .. } => name_of(path),
            What::Session(session, _) => name_of_session(*session),
        }
    }

    fn bytes(&self) -> u64 {
        let words = match &self.what {
            What::Znode { path, ids, .. } => {
                path.len()
                    + ids
                        .iter()
                        .map(|id| id.id.len() + id.scheme.len())
                        .sum::<usize>()
            }
            What::Session(..) => 0,
        };
        OVERHEAD + words as u64
    }
}

impl Node {
    /// Remembers what a command did: it was just applied, and these are its changes.
    pub(super) fn remember(&mut self, index: Index, command: &Command, applied: &Applied) {
        let at = Moment {
            zxid: index,
            ms: self.stamp.as_ms(),
        };
        let (session, ids) = match command {
            Command::Write { session, ids, .. } => (*session, ids.as_slice()),
            _ => (SessionId(0), &[][..]),
        };
        let ids: Arc<[Identity]> = ids.iter().map(acl::named).collect();
        let deed = |path: &str, done| What::Znode {
            path: path.into(),
            done,
            session,
            ids: Arc::clone(&ids),
        };
        let mut whats = fates(at, command, applied);
        for change in &self.changes {
            let done = match (change.kind, command) {
                (EventKind::NodeChildrenChanged, _) => continue,
                (EventKind::NodeCreated, _) => Done::Created,
                (EventKind::NodeDataChanged, _) => Done::DataSet,
                (EventKind::NodeDeleted, Command::Clean { .. }) => Done::Cleaned,
                (EventKind::NodeDeleted, _) if !is_change(command) => Done::Ended,
                (EventKind::NodeDeleted, _) => Done::Deleted,
            };
            whats.push(deed(&change.path, done));
        }
        if let Applied::Wrote { result, .. } = applied {
            lists_set(command, result, |path| whats.push(deed(path, Done::AclSet)));
        }
        for what in whats {
            self.deeds.push(Past { at, what });
        }
    }

    /// Answers an explain. A znode is explained to those who may read it, or that which is above it.
    pub(super) fn explain(&self, subject: &Subject, ids: &[Identity]) -> Result<Response, Error> {
        let since = self.deeds.start;
        Ok(Response::Explained(match subject {
            Subject::Znode(path) => {
                if !path::is_valid(path) {
                    return Err(Error::BadArguments);
                }
                self.may_be_told(path, ids)?;
                let znode = self.machine.tree().get(path);
                Explained::Znode {
                    mode: znode.map(|znode| znode.mode()),
                    last: self.last_deed(path),
                    since,
                }
            }
            Subject::Session(id) => Explained::Session {
                fate: self.fate(*id),
                since,
            },
        }))
    }

    fn last_deed(&self, path: &str) -> Option<Deed> {
        let mut last = self.deeds.last(name_of(path));
        last.find_map(|past| past.deed(path))
    }

    fn may_be_told(&self, path: &str, ids: &[Identity]) -> Result<(), Error> {
        let tree = self.machine.tree();
        let mut at = path;
        let znode = loop {
            match tree.get(at) {
                Some(znode) => break znode,
                None if at == "/" => return Ok(()),
                None => at = path::parent(at),
            }
        };
        let list = tree.acl(znode.open().0.acl);
        match list.is_none_or(|list| acl::permits(list, ids, Acl::READ)) {
            true => Ok(()),
            false => Err(Error::NoAuth),
        }
    }

    fn fate(&self, id: SessionId) -> Fate {
        let Some(session) = self.machine.session(id) else {
            let mut last = self.deeds.last(name_of_session(id));
            let fate = last.find_map(|past| match past.what {
                What::Session(session, fate) if session == id => Some(fate),
                _ => None,
            });
            return fate.unwrap_or(Fate::Unknown);
        };
        let silent = self.leads.and_then(|_| self.deadlines.silent(self.now, id));
        Fate::Alive {
            member: session.origin.node,
            timeout_ms: session.timeout_ms,
            ephemerals: u32::try_from(self.machine.ephemerals(id).count()).unwrap_or(u32::MAX),
            silent_ms: silent.map(|silent| silent.as_ms()),
        }
    }

    /// Those of these sessions that live, as the leader knows them.
    pub(super) fn silent(&self, sessions: &[(SessionId, Index)]) -> Command {
        let silent = |&(session, epoch): &(SessionId, Index)| Silent {
            session,
            epoch,
            ms: self
                .deadlines
                .silent(self.now, session)
                .map_or(0, |span| span.as_ms()),
        };
        Command::Expire {
            sessions: sessions.iter().map(silent).collect(),
            leader: self.config.id,
        }
    }
}

/// How sessions ended by a command.
fn fates(at: Moment, command: &Command, applied: &Applied) -> Vec<What> {
    match (command, applied) {
        (Command::Expire { sessions, leader }, Applied::Expired { sessions: ended }) => {
            let really = |silent: &&Silent| ended.contains(&silent.session);
            let fate = |silent: &Silent| {
                let fate = Fate::Expired {
                    at,
                    leader: *leader,
                    silent_ms: silent.ms,
                };
                What::Session(silent.session, fate)
            };
            sessions.iter().filter(really).map(fate).collect()
        }
        (
            _,
            Applied::Wrote {
                session,
                result: Ok(Response::Closed),
                ..
            },
        ) => alloc::vec![What::Session(*session, Fate::Closed(at))],
        (
            _,
            Applied::Attached {
                session,
                replaced: Some(old),
                ..
            },
        ) => alloc::vec![What::Session(*old, Fate::Replaced(at, *session))],
        _ => Vec::new(),
    }
}

impl Past {
    fn deed(&self, of: &str) -> Option<Deed> {
        match &self.what {
            What::Znode {
                path,
                done,
                session,
                ids,
            } if path == of => Some(Deed {
                zxid: self.at.zxid,
                at_ms: self.at.ms,
                what: *done,
                session: *session,
                ids: ids.to_vec(),
            }),
            _ => None,
        }
    }
}

/// Whether it is a change that somebody asked for, and not the end of a session.
fn is_change(command: &Command) -> bool {
    match command {
        Command::Write { request, .. } => !matches!(request, WriteRequest::Close),
        _ => false,
    }
}

/// The paths whose lists a command has set: no event tells of that.
fn lists_set(command: &Command, result: &Result<Response, Error>, mut set: impl FnMut(&str)) {
    let Command::Write { request, .. } = command else {
        return;
    };
    let ops: &[Op] = match request {
        WriteRequest::Op(op) => core::slice::from_ref(op),
        WriteRequest::Multi(ops) => ops,
        WriteRequest::Once(once) => match &once.change {
            request::Change::One(op) => core::slice::from_ref(op),
            request::Change::All(ops) => ops,
        },
        WriteRequest::Close | WriteRequest::Reconfig(_) => return,
    };
    let was_done = match result {
        Ok(Response::Multi(results)) => results.iter().all(Result::is_ok),
        result => result.is_ok(),
    };
    for op in ops.iter().filter(|_| was_done) {
        if let Op::SetAcl { path, .. } = op {
            set(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;
    use crate::id::ConnId;
    use crate::node::tests::{Alone, hello, op, write};
    use crate::request::{Connect, CreateMode, Request};

    fn explain(alone: &mut Alone, conn: ConnId, subject: Subject) -> Explained {
        match alone.ask(conn, Request::Explain(subject)) {
            Ok(Response::Explained(explained)) => explained,
            other => panic!("{other:?}"),
        }
    }

    fn znode(alone: &mut Alone, conn: ConnId, path: &str) -> (Option<CreateMode>, Option<Deed>) {
        match explain(alone, conn, Subject::Znode(path.into())) {
            Explained::Znode { mode, last, .. } => (mode, last),
            other @ Explained::Session { .. } => panic!("{other:?}"),
        }
    }

    fn fate(alone: &mut Alone, conn: ConnId, id: SessionId) -> Fate {
        match explain(alone, conn, Subject::Session(id)) {
            Explained::Session { fate, .. } => fate,
            other @ Explained::Znode { .. } => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_znode_says_who_did_what_last() {
        let mut alone = Alone::new();
        let (conn, session, _) = alone.open();
        let check = |alone: &mut Alone, request: Option<Request>, what: Option<Done>| {
            let is_there = request.is_some();
            if let Some(request) = request {
                alone.ask(conn, request).unwrap();
            }
            let zxid = alone.zxid();
            let (mode, last) = znode(alone, conn, "/a");
            assert_eq!(mode.is_some(), is_there, "{what:?}");
            assert_eq!(last.as_ref().map(|deed| deed.what), what);
            if let Some(deed) = last {
                assert_eq!((deed.zxid, deed.session), (zxid, session));
                assert!(0 < deed.at_ms);
                let digests = deed.ids.iter().filter(|id| id.scheme == "digest");
                let names: Vec<&str> = digests.map(|id| &*id.id).collect();
                assert_eq!(names, ["ann"], "without the hash of the password");
            }
        };
        let auth = Request::Auth {
            scheme: "digest".into(),
            proof: "ann:secret".into(),
        };
        alone.ask(conn, auth).unwrap();
        check(&mut alone, None, None);
        check(&mut alone, Some(write("create /a")), Some(Done::Created));
        check(&mut alone, Some(write("set /a x")), Some(Done::DataSet));
        let list = Op::SetAcl {
            path: "/a".into(),
            acl: alloc::vec![Acl::open()],
            version: -1,
        };
        let multi = Request::Multi(alloc::vec![op("create /b"), list]);
        check(&mut alone, Some(multi), Some(Done::AclSet));
        // What failed is no deed.
        let failed = Request::Multi(alloc::vec![op("set /a y"), op("create /b")]);
        alone.ask(conn, failed).unwrap();
        let (_, last) = znode(&mut alone, conn, "/a");
        assert_eq!(last.map(|deed| deed.what), Some(Done::AclSet));
        alone.ask(conn, write("delete /a")).unwrap();
        let (mode, last) = znode(&mut alone, conn, "/a");
        assert_eq!(
            (mode, last.map(|deed| deed.what)),
            (None, Some(Done::Deleted))
        );
    }

    #[test]
    fn a_session_says_how_it_ended() {
        let mut alone = Alone::new();
        let (conn, mine, _) = alone.open();
        let (other, closed, _) = alone.open();
        alone.ask(other, write("create -e /mortal")).unwrap();
        let Fate::Alive {
            ephemerals: 1,
            silent_ms: Some(_),
            ..
        } = fate(&mut alone, conn, closed)
        else {
            panic!("it lives")
        };
        alone.ask(other, Request::Close).unwrap();
        assert!(matches!(fate(&mut alone, conn, closed), Fate::Closed(_)));
        let (mode, last) = znode(&mut alone, conn, "/mortal");
        assert_eq!(
            (mode, last.map(|deed| deed.what)),
            (None, Some(Done::Ended))
        );

        let (old, replaced, password) = alone.open();
        alone.gone(old);
        let next = alone.dial();
        let connect = Connect {
            replaces: Some((replaced, password)),
            ..hello()
        };
        alone.ask(next, Request::Connect(connect)).unwrap();
        let told = fate(&mut alone, conn, replaced);
        assert!(
            matches!(told, Fate::Replaced(_, by) if replaced < by),
            "{told:?}"
        );

        let (silent, expired, _) = alone.open();
        alone.gone(silent);
        for _ in 0..60 {
            alone.pass(500);
            alone.ask(conn, Request::Ping).unwrap();
        }
        let told = fate(&mut alone, conn, expired);
        let Fate::Expired {
            leader, silent_ms, ..
        } = told
        else {
            panic!("{told:?}")
        };
        assert_eq!(leader.to_string(), "1");
        assert!((4_000..60_000).contains(&silent_ms), "{silent_ms}");
        assert_eq!(fate(&mut alone, conn, SessionId(9_999)), Fate::Unknown);
        assert!(matches!(fate(&mut alone, conn, mine), Fate::Alive { .. }));
    }

    #[test]
    fn only_the_last_deeds_are_kept() {
        let mut alone = Alone::with(|config| config.explain_bytes = 40_000);
        let (conn, ..) = alone.open();
        alone.ask(conn, write("create /a")).unwrap();
        for _ in 0..600 {
            alone.ask(conn, write("set / x")).unwrap();
        }
        let Explained::Znode {
            last: None, since, ..
        } = explain(&mut alone, conn, Subject::Znode("/a".into()))
        else {
            panic!("nobody keeps so much")
        };
        assert!(Index(0) < since && since < alone.zxid());
        let (_, last) = znode(&mut alone, conn, "/");
        assert_eq!(last.map(|deed| deed.zxid), Some(alone.zxid()));
    }
}

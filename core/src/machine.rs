//! The coordination service: applies commands to znodes and sessions, and answers reads. Every replica
//! that applies the same commands at the same indexes is in the same state. Knows nothing of Raft.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::acl;
use crate::command::{Applied, Asker, Change, Command, Origin, Silent, WriteRequest};
use crate::hash;
use crate::id::{Index, SessionId};
use crate::map;
use crate::path;
use crate::request::{
    self, Acl, Error, Identity, List, Listed, Once, Password, Read, ReadKind, Response,
};
use crate::session::{Recall, Session, Sessions};
use crate::time::Time;
use crate::tree::{Facts, Record, Tree, Znode};

mod cleaning;
mod members;
mod transaction;

pub use cleaning::Cursor;
pub use members::{Members, Pending};
use transaction::Transaction;

/// Bytes of a child on a page beside name and data.
const LISTED: u64 = 80;

/// The replicated state. A clone shares everything and costs next to nothing.
#[derive(Clone)]
pub struct Machine {
    pub(crate) constants: Option<Constants>,
    pub(crate) sessions: Sessions,
    pub(crate) tree: Tree,
    pub(crate) members: Arc<Members>,
}

/// A version of the state that nobody wants any more.
#[derive(Clone)]
pub struct Retired(map::Retired<Record>);

impl Retired {
    /// Drops up to so many pages of 64 znodes, and says whether there are more. Some 10 microseconds a page.
    pub fn drop_pages(&mut self, pages: usize) -> bool {
        self.0.drop_pages(pages)
    }
}

/// What `Command::Init` fixed for the whole cluster.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Constants {
    /// Key of the session passwords.
    pub(crate) secret: [u8; 32],
    /// Feature level of the replicated state.
    pub(crate) features: u32,
    /// Elements in one path.
    pub(crate) max_depth: u32,
}

impl Machine {
    /// The state before the first command: the four znodes of the system.
    #[must_use]
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        let mut machine = Self::empty();
        let mut put = |path, facts| {
            machine.tree.put(Record::new(path, &facts, Some(&[])));
        };
        let plain = |num_children| Facts {
            num_children,
            ..Facts::default()
        };
        put("/", plain(1));
        put(path::ZOOKEEPER, plain(2));
        put(path::QUOTA, plain(0));
        let config = Facts {
            acl: machine.tree.acl_number(&acl::read_only()),
            aversion: -1,
            ..Facts::default()
        };
        machine
            .tree
            .put(Record::new(path::CONFIG, &config, Some(&[])));
        machine.tree.sweep_acls();
        machine
    }

    /// Without even a root: for a state that comes in parts.
    pub(crate) fn empty() -> Self {
        Self {
            constants: None,
            sessions: Sessions::new(),
            tree: Tree::new(),
            members: Arc::default(),
        }
    }

    /// Runs the command of the entry at `index`, whose stamp is `stamp`. Total: any command gives a
    /// result. The changes of the tree are appended to `changes`.
    pub fn apply(
        &mut self,
        index: Index,
        stamp: Time,
        command: &Command,
        changes: &mut Vec<Change>,
    ) -> Applied {
        let applied = self.run(index, stamp, command, changes);
        self.tree.sweep_acls();
        applied
    }

    fn run(
        &mut self,
        index: Index,
        stamp: Time,
        command: &Command,
        changes: &mut Vec<Change>,
    ) -> Applied {
        match command {
            &Command::Init {
                secret,
                features,
                max_depth,
                ref members,
            } => {
                if self.constants.is_none() {
                    self.constants = Some(Constants {
                        secret,
                        features,
                        max_depth,
                    });
                    if !members.members().is_empty() {
                        // Nobody waits for the answer.
                        let _ =
                            self.settle_members((index, stamp.as_ms()), members.clone(), changes);
                    }
                }
                Applied::Nothing
            }
            &Command::Open {
                origin,
                timeout_ms,
                ref replaces,
            } => self.open(
                (index, stamp.as_ms()),
                origin,
                timeout_ms,
                replaces,
                changes,
            ),
            &Command::Attach {
                origin,
                session,
                password,
                timeout_ms,
            } => self.attach(index, origin, session, &password, timeout_ms),
            &Command::Write {
                session,
                epoch,
                number,
                ref ids,
                ref request,
            } => {
                if !self.sessions.begin_write(session, epoch, number) {
                    return Applied::Nothing;
                }
                if let WriteRequest::Reconfig(request) = request {
                    let asker = Asker::Client {
                        session,
                        epoch,
                        number,
                    };
                    return self.reconfig(index, asker, ids, request);
                }
                let moment = (index, stamp.as_ms());
                let result = match request {
                    WriteRequest::Once(once) => self.once(moment, session, ids, once, changes),
                    request => self.write(moment, session, ids, request, changes),
                };
                Applied::Wrote {
                    session,
                    epoch,
                    number,
                    result,
                }
            }
            Command::Reconfigure { origin, request } => {
                if !self.initialised() || !self.sessions.take_ticket(*origin) {
                    return Applied::Nothing;
                }
                let asker = Asker::Operator(*origin);
                self.reconfigure(index, asker, request.version, Some(&request.change), true)
            }
            &Command::Abandon { change } => self.abandon(change),
            Command::Clean { znodes } => {
                let mut transaction =
                    self.transaction((index, stamp.as_ms()), SessionId(0), &[], changes);
                znodes.iter().for_each(|worn| transaction.clean(worn));
                Applied::Nothing
            }
            Command::Expire { sessions, .. } => {
                let mut ended = Vec::new();
                for &Silent { session, epoch, .. } in sessions {
                    if self
                        .session(session)
                        .is_some_and(|known| known.epoch == epoch)
                    {
                        self.end((index, stamp.as_ms()), session, changes);
                        ended.push(session);
                    }
                }
                Applied::Expired { sessions: ended }
            }
        }
    }

    /// Whether `Command::Init` has been applied. Before it, nobody can open a session.
    #[must_use]
    pub const fn initialised(&self) -> bool {
        self.constants.is_some()
    }

    /// The feature level of the replicated state; 0 before `Command::Init`.
    #[must_use]
    pub fn features(&self) -> u32 {
        self.constants.map_or(0, |constants| constants.features)
    }

    /// Answers a read of `session`, which speaks for these identities, from this state. Whether a watch is left
    /// is not decided here: it is when the read succeeds, or when it is an exists that fails with `NoNode`.
    ///
    /// # Errors
    /// `NoNode`, `NoAuth`, or `BadArguments` for a path that is empty, or for an exists with a NUL in it.
    pub fn read(
        &self,
        session: SessionId,
        read: &Read,
        ids: &[Identity],
    ) -> Result<Response, Error> {
        let path = &*read.path;
        if read.kind == ReadKind::Ephemerals {
            return Ok(Response::Paths(self.own_ephemerals(session, path)));
        }
        // Of all reads only this one looks at the path before the tree.
        let is_odd = read.kind == ReadKind::Exists && path.contains('\0');
        if path.is_empty() || is_odd {
            return Err(Error::BadArguments);
        }
        let znode = self.tree.get(path).ok_or(Error::NoNode)?;
        let list = self.tree.acl(znode.open().0.acl);
        let may = |wanted| list.is_none_or(|list| acl::permits(list, ids, wanted));
        let wanted = match read.kind {
            ReadKind::Acl => Acl::READ | Acl::ADMIN,
            _ => Acl::READ,
        };
        if !may(wanted) {
            return Err(Error::NoAuth);
        }
        Ok(match read.kind {
            ReadKind::Exists => Response::Stat(znode.stat()),
            ReadKind::Data => {
                let (data, stat) = znode.read();
                Response::Data { data, stat }
            }
            ReadKind::Acl => Response::Acl {
                acl: match list {
                    None => [Acl::open()].into(),
                    Some(list) if may(Acl::ADMIN) => list.to_vec(),
                    Some(list) => acl::masked(list),
                },
                stat: znode.stat(),
            },
            ReadKind::Children => {
                let stat = znode.stat();
                let mut names = Vec::with_capacity(stat.num_children as usize);
                names.extend(self.tree.children(path).map(|child| child.name().into()));
                Response::Children { names, stat }
            }
            ReadKind::Descendants => {
                let count = self.tree.count_below(path);
                Response::Count(u32::try_from(count).unwrap_or(u32::MAX))
            }
            ReadKind::Ephemerals => Response::Paths(Vec::new()),
        })
    }

    /// Answers a list from this state, in an answer of about `most_bytes`. The data of children that these
    /// identities may not read stays away.
    ///
    /// # Errors
    /// `NoNode` if there is no parent, `NoAuth` if it may not be read.
    pub fn list(&self, list: &List, ids: &[Identity], most_bytes: u64) -> Result<Response, Error> {
        let may_read = |znode: &Znode<'_>| {
            let acl = self.tree.acl(znode.open().0.acl);
            acl.is_none_or(|acl| acl::permits(acl, ids, Acl::READ))
        };
        let parent = self.tree.get(&list.path).ok_or(Error::NoNode)?;
        if !may_read(&parent) {
            return Err(Error::NoAuth);
        }
        let stat = parent.stat();
        let from = list.after.as_str().max(&list.prefix);
        let mut children = self
            .tree
            .children_from(&list.path, from)
            .skip_while(|child| child.name() == list.after)
            .take_while(|child| child.name().starts_with(&*list.prefix))
            .peekable();
        let (mut znodes, mut bytes) = (Vec::new(), 0);
        while znodes.len() < list.limit as usize
            && bytes < most_bytes
            && let Some(child) = children.next()
        {
            let (data, stat) = child.read();
            let data = data.filter(|_| list.data && may_read(&child));
            let len = child.name().len() + data.as_ref().map_or(0, Bytes::len);
            bytes += len as u64 + LISTED;
            let name = child.name().into();
            znodes.push(Listed { name, stat, data });
        }
        let more = children.peek().is_some();
        Ok(Response::Page { znodes, stat, more })
    }

    /// By a prefix of the text, not of the path; a blank one is none (section 9).
    fn own_ephemerals(&self, session: SessionId, prefix: &str) -> Vec<String> {
        let prefix = match prefix.trim() {
            "" | "/" => "",
            _ => prefix,
        };
        self.tree
            .ephemerals_from(session, prefix)
            .take_while(|path| path.starts_with(prefix))
            .map(String::from)
            .collect()
    }

    /// The live sessions, by id.
    pub fn sessions(&self) -> impl Iterator<Item = (SessionId, &Session)> {
        self.sessions.iter()
    }

    /// How many sessions live.
    #[must_use]
    pub const fn session_count(&self) -> u64 {
        self.sessions.count()
    }

    /// A live session.
    #[must_use]
    pub fn session(&self, id: SessionId) -> Option<&Session> {
        self.sessions.get(id)
    }

    /// The paths of a session's ephemeral znodes, in byte order.
    pub fn ephemerals(&self, id: SessionId) -> impl Iterator<Item = &str> {
        self.tree.ephemerals(id)
    }

    /// The znodes.
    #[must_use]
    pub const fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Gives up this version of the state. What only it holds goes with `Retired::drop_pages`, so that the end
    /// of a snapshot stalls nobody (rule R10). The rest, little, goes at once.
    #[must_use]
    pub fn retire(self) -> Retired {
        Retired(self.tree.retire())
    }

    /// Whether the digests that are kept up with each change are those of what is there (rule R9). Looks at
    /// everything, so debug builds ask now and then.
    #[must_use]
    pub fn is_digest_right(&self) -> bool {
        self.tree.is_digest_right() && self.sessions.is_digest_right()
    }

    /// Hash of the whole replicated state, kept up to date by `apply` (rule R9).
    #[must_use]
    pub fn digest(&self) -> u64 {
        let constants = self.constants.map_or(0, |constants| {
            let numbers = [constants.features.into(), constants.max_depth.into()];
            hash::of_bytes(&constants.secret) ^ hash::of_words(&numbers)
        });
        let (sessions, tree) = (self.sessions.digest(), self.tree.digest());
        hash::of_words(&[constants, sessions, tree, self.members.digest()])
    }

    fn open(
        &mut self,
        moment: (Index, u64),
        origin: Origin,
        timeout_ms: u32,
        replaces: &Option<(SessionId, Password)>,
        changes: &mut Vec<Change>,
    ) -> Applied {
        let epoch = moment.0;
        let session = SessionId(epoch.0);
        let Some(password) = self.password(session) else {
            return Applied::Nothing;
        };
        if !self.sessions.take_ticket(origin) {
            return Applied::Nothing;
        }
        let own = |(old, password): &(SessionId, Password)| {
            let own = self.session(*old).is_some() && self.is_password(*old, password);
            own.then_some(*old)
        };
        let replaced = replaces.as_ref().and_then(own);
        if let Some(old) = replaced {
            self.end(moment, old, changes);
        }
        self.sessions.insert(
            session,
            Session {
                timeout_ms,
                epoch,
                origin,
                next_number: 1,
            },
            None,
        );
        Applied::Attached {
            origin,
            session,
            epoch,
            timeout_ms,
            password,
            moved_from: None,
            replaced,
        }
    }

    fn attach(
        &mut self,
        epoch: Index,
        origin: Origin,
        session: SessionId,
        password: &Password,
        timeout_ms: u32,
    ) -> Applied {
        if !self.initialised() || !self.sessions.take_ticket(origin) {
            return Applied::Nothing;
        }
        if self.session(session).is_none() || !self.is_password(session, password) {
            return Applied::Refused { origin };
        }
        let moved_from = self.sessions.attach(session, epoch, origin, timeout_ms);
        let password = *password;
        Applied::Attached {
            origin,
            session,
            epoch,
            timeout_ms,
            password,
            moved_from,
            replaced: None,
        }
    }

    fn write(
        &mut self,
        moment: (Index, u64),
        session: SessionId,
        ids: &[Identity],
        request: &WriteRequest,
        changes: &mut Vec<Change>,
    ) -> Result<Response, Error> {
        match request {
            WriteRequest::Op(op) => self.transaction(moment, session, ids, changes).op(op),
            WriteRequest::Multi(ops) => {
                Ok(self.transaction(moment, session, ids, changes).multi(ops))
            }
            // They do not come here.
            WriteRequest::Reconfig(_) | WriteRequest::Once(_) => Err(Error::Unimplemented),
            WriteRequest::Close => {
                self.end(moment, session, changes);
                Ok(Response::Closed)
            }
        }
    }

    /// Runs a numbered change, or says what became of it the first time.
    fn once(
        &mut self,
        moment: (Index, u64),
        session: SessionId,
        ids: &[Identity],
        once: &Once,
        changes: &mut Vec<Change>,
    ) -> Result<Response, Error> {
        match self.sessions.recall(session, once.number, once.answered) {
            Recall::Answered(result) => result,
            Recall::Forgotten => Err(Error::OutcomeUnknown),
            Recall::New => {
                let mut transaction = self.transaction(moment, session, ids, changes);
                let result = match &once.change {
                    request::Change::One(op) => transaction.op(op),
                    request::Change::All(ops) => Ok(transaction.multi(ops)),
                };
                self.sessions.keep(session, &result);
                result
            }
        }
    }

    fn end(&mut self, moment: (Index, u64), session: SessionId, changes: &mut Vec<Change>) {
        self.transaction(moment, session, &[], changes)
            .end_session();
        self.sessions.close(session);
    }

    fn transaction<'a>(
        &'a mut self,
        moment: (Index, u64),
        session: SessionId,
        ids: &'a [Identity],
        changes: &'a mut Vec<Change>,
    ) -> Transaction<'a> {
        let max_depth = self.constants.map_or(0, |constants| constants.max_depth);
        Transaction::new(&mut self.tree, changes, moment, (session, ids), max_depth)
    }

    /// The session's password: a keyed hash of its id, so that every replica can check it and nobody
    /// else can make it. `None` before `Command::Init`.
    fn password(&self, session: SessionId) -> Option<Password> {
        self.keyed(session)?
            .finalize()
            .into_bytes()
            .first_chunk()
            .copied()
    }

    /// Takes the same time whatever the password.
    fn is_password(&self, session: SessionId, password: &Password) -> bool {
        self.keyed(session)
            .is_some_and(|hash| hash.verify_truncated_left(password).is_ok())
    }

    fn keyed(&self, session: SessionId) -> Option<Hmac<Sha256>> {
        let mut hash = Hmac::<Sha256>::new_from_slice(&self.constants?.secret).ok()?;
        hash.update(&session.0.to_be_bytes());
        Some(hash)
    }
}

#[cfg(test)]
mod tests;

//! Snapshots: the state of a machine in parts. A snapshot is a clone of the machine; its parts are made
//! when they are asked for. Each can be read alone, and the same state gives the same parts everywhere.
//!
//! A part is the version byte and then items, each with its kind in front: first the totals, then the
//! sessions by id, then the access control lists by number, then the znodes by depth and path. A cursor names the last item of a part.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem;

use bytes::Bytes;
use serde::{Deserialize, Serialize, Serializer};

use super::{Append, VERSION, WireError};
use crate::command::Origin;
use crate::id::SessionId;
use crate::machine::{Constants, Machine, Members, Retired};
use crate::map::{Item, Key};
use crate::request::Acl;
use crate::session::{Answers, Session, Sessions};
use crate::tree::Record;

const TOTALS: u8 = 0;
const SESSION: u8 = 1;
const ZNODE: u8 = 2;
const ACL: u8 = 3;

/// What the whole snapshot must add up to.
#[derive(Clone, Serialize, Deserialize)]
struct Totals {
    constants: Option<Constants>,
    members: Members,
    lives: Vec<Origin>,
    sessions: u64,
    znodes: u64,
    digest: u64,
}

/// The last item of a part.
enum Cursor<'a> {
    /// Before the totals.
    Begin,
    Session(SessionId),
    Acl(u32),
    Znode(Key<'a>),
}

impl Machine {
    /// The part that begins behind `cursor`, of about `limit_bytes`, and the cursor behind it; `None` after
    /// the last one. An empty cursor begins. What is no cursor gives a part without items.
    #[must_use]
    pub fn part(&self, cursor: &[u8], limit_bytes: u64) -> (Bytes, Option<Bytes>) {
        let limit = usize::try_from(limit_bytes).unwrap_or(usize::MAX);
        let mut out = Vec::with_capacity(limit.min(1 << 20) + 1_024);
        out.push(VERSION);
        let Some(cursor) = Cursor::read(cursor) else {
            return (out.into(), None);
        };

        if matches!(cursor, Cursor::Begin) {
            let totals = Totals {
                constants: self.constants,
                members: self.members().clone(),
                lives: self.sessions.lives().into(),
                sessions: self.session_count(),
                znodes: self.tree.count(),
                digest: self.digest(),
            };
            put(TOTALS, &totals, &mut out);
        }
        let next_session = match cursor {
            Cursor::Begin => Some(SessionId(0)),
            Cursor::Session(last) => Some(SessionId(last.0.saturating_add(1))),
            Cursor::Acl(_) | Cursor::Znode(_) => None,
        };
        for (id, session, answers) in next_session
            .into_iter()
            .flat_map(|id| self.sessions.from(id))
        {
            put(SESSION, &(id, session, answers), &mut out);
            if limit <= out.len() {
                return (out.into(), Some(Cursor::Session(id).write()));
            }
        }
        let next_acl = match cursor {
            Cursor::Begin | Cursor::Session(_) => Some(0),
            Cursor::Acl(last) => last.checked_add(1),
            Cursor::Znode(_) => None,
        };
        for (number, list) in next_acl.into_iter().flat_map(|from| self.tree.acls(from)) {
            put(ACL, &(number, list), &mut out);
            if limit <= out.len() {
                return (out.into(), Some(Cursor::Acl(number).write()));
            }
        }
        let behind = match cursor {
            Cursor::Znode(key) => Some(key),
            _ => None,
        };
        let mut records = self.tree.records(behind).peekable();
        while let Some(record) = records.next() {
            put(ZNODE, &Raw(record.bytes()), &mut out);
            if limit <= out.len() && records.peek().is_some() {
                return (out.into(), Some(Cursor::Znode(record.key()).write()));
            }
        }
        (out.into(), None)
    }
}

/// Bytes in one piece; serde would take a slice for a sequence of numbers.
struct Raw<'a>(&'a [u8]);

impl Serialize for Raw<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(self.0)
    }
}

fn put<T: Serialize>(kind: u8, item: &T, out: &mut Vec<u8>) {
    out.push(kind);
    let end = postcard::serialize_with_flavor(item, Append(out));
    debug_assert!(end.is_ok());
}

impl<'a> Cursor<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let Some((kind, rest)) = bytes.split_first() else {
            return Some(Self::Begin);
        };
        let (&number, rest) = rest.split_first_chunk::<8>()?;
        let first = u64::from_be_bytes(number);
        match (*kind, rest) {
            (SESSION, []) => Some(Self::Session(SessionId(first))),
            (ACL, []) => Some(Self::Acl(first.try_into().ok()?)),
            (ZNODE, rest) => Some(Self::Znode(Key { first, rest })),
            _ => None,
        }
    }

    fn write(&self) -> Bytes {
        let (kind, first, rest): (u8, u64, &[u8]) = match self {
            Self::Begin => return Bytes::new(),
            Self::Session(id) => (SESSION, id.0, &[]),
            Self::Acl(number) => (ACL, u64::from(*number), &[]),
            Self::Znode(key) => (ZNODE, key.first, key.rest),
        };
        [&[kind], &first.to_be_bytes()[..], rest].concat().into()
    }
}

/// A machine on the way from its parts.
#[derive(Clone)]
pub struct Rebuild {
    machine: Machine,
    totals: Option<Totals>,
    last_session: SessionId,
}

impl Rebuild {
    /// Before the first part.
    #[must_use]
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Self {
            machine: Machine::empty(),
            totals: None,
            last_session: SessionId(0),
        }
    }

    /// Takes the next part.
    ///
    /// # Errors
    /// If it is no part, or cannot be the next one.
    pub fn add(&mut self, part: &[u8]) -> Result<(), WireError> {
        let (&version, mut rest) = part.split_first().ok_or(WireError::Empty)?;
        if version != VERSION {
            return Err(WireError::Version(version));
        }
        while let Some((&kind, item)) = rest.split_first() {
            rest = self.item(kind, item)?;
        }
        Ok(())
    }

    /// The machine, if all parts were there.
    ///
    /// # Errors
    /// If something is missing or the digest differs.
    pub fn finish(self) -> Result<Machine, WireError> {
        let Self {
            machine, totals, ..
        } = self;
        let totals = totals.ok_or(WireError::Malformed)?;
        let whole = totals.sessions == machine.session_count()
            && totals.znodes == machine.tree.count()
            && machine.tree.has_no_idle_acl()
            && totals.digest == machine.digest();
        if whole {
            Ok(machine)
        } else {
            Err(WireError::Malformed)
        }
    }

    /// Gives it up. What came so far goes a few pages at a time.
    #[must_use]
    pub fn retire(self) -> Retired {
        self.machine.retire()
    }

    /// Takes one item and gives back what is behind it.
    fn item<'a>(&mut self, kind: u8, bytes: &'a [u8]) -> Result<&'a [u8], WireError> {
        let machine = &mut self.machine;
        match (kind, &self.totals) {
            (TOTALS, None) => {
                let (mut totals, rest) = take::<Totals>(bytes)?;
                machine.constants = totals.constants;
                machine.members = Arc::new(mem::take(&mut totals.members));
                machine.sessions = Sessions::with_lives(mem::take(&mut totals.lives));
                self.totals = Some(totals);
                Ok(rest)
            }
            (SESSION, Some(_)) if machine.tree.count() == 0 => {
                let ((id, session, kept), rest) =
                    take::<(SessionId, Session, Option<Answers>)>(bytes)?;
                let answers = match kept {
                    Some(kept) => Some(kept.restored().ok_or(WireError::Malformed)?),
                    None => None,
                };
                if id <= self.last_session || !machine.sessions.insert(id, session, answers) {
                    return Err(WireError::Malformed);
                }
                self.last_session = id;
                Ok(rest)
            }
            (ACL, Some(_)) if machine.tree.count() == 0 => {
                let ((number, list), rest) = take::<(u32, Vec<Acl>)>(bytes)?;
                match machine.tree.restore_acl(number, &list) {
                    true => Ok(rest),
                    false => Err(WireError::Malformed),
                }
            }
            (ZNODE, Some(_)) => {
                let (bytes, rest) = take::<&[u8]>(bytes)?;
                let record = Record::parse(bytes).ok_or(WireError::Malformed)?;
                match machine.tree.restore(record) {
                    true => Ok(rest),
                    false => Err(WireError::Malformed),
                }
            }
            _ => Err(WireError::Malformed),
        }
    }
}

fn take<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<(T, &'a [u8]), WireError> {
    postcard::take_from_bytes(bytes).map_err(|_| WireError::Malformed)
}

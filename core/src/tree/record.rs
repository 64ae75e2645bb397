//! One znode in one piece of shared memory: its key, its counters and its data, packed. What lies in
//! memory is also what a snapshot carries and what the digest hashes, so its layout is frozen with the
//! format version (rule R28).
//!
//! ```text
//! depth  path length  path  czxid  mzxid-czxid  pzxid-czxid  ctime  mtime-ctime
//! version  counter  children  aversion  owner  acl  data length + 1, or 0 for null  data
//! ```
//!
//! All numbers are LEB128; differences wrap around, 32-bit ones are taken as unsigned.

use alloc::sync::Arc;
use core::iter;
use core::str;

use crate::id::{Index, SessionId};
use crate::map::{Item, Key};
use crate::path;
use crate::request::{MAX_TTL_MS, Stat};

/// Bytes of a number of 64 bits at most.
const NUMBER: usize = 10;
/// Numbers behind the path.
const NUMBERS: usize = 12;

/// A znode. A changed one is a new record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Record(Arc<[u8]>);

/// What a record says beside path and data.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Facts {
    pub(crate) czxid: Index,
    pub(crate) mzxid: Index,
    pub(crate) pzxid: Index,
    pub(crate) ctime_ms: u64,
    pub(crate) mtime_ms: u64,
    pub(crate) version: i32,
    /// How many children were ever made here: the source of sequence numbers (section 8).
    pub(crate) counter: i32,
    pub(crate) num_children: u32,
    pub(crate) aversion: i32,
    /// What its life depends on, as ZooKeeper stores it: 0, the session of an ephemeral znode (which has no
    /// top bit), 2^63 for a container, or 0xFF and behind it the 40 bits of a time to live.
    pub(crate) owner: SessionId,
    /// Number of its access control list; 0 is world:anyone:ALL.
    pub(crate) acl: u32,
}

/// What the life of a znode depends on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Life {
    /// It stays until it is deleted.
    Persistent,
    /// The session that made it.
    Ephemeral(SessionId),
    /// Its children.
    Container,
    /// Its children, and a time in milliseconds.
    Ttl(u64),
}

const CONTAINER: u64 = 1 << 63;
const TTL: u64 = 0xFF << 56;

impl Life {
    pub(crate) const fn owner(self) -> SessionId {
        SessionId(match self {
            Self::Persistent => 0,
            Self::Ephemeral(session) => session.0,
            Self::Container => CONTAINER,
            Self::Ttl(ms) => TTL | ms,
        })
    }

    const fn of(owner: SessionId) -> Self {
        match owner.0 {
            0 => Self::Persistent,
            CONTAINER => Self::Container,
            ttl if ttl >= TTL => Self::Ttl(ttl & MAX_TTL_MS),
            _ => Self::Ephemeral(owner),
        }
    }
}

impl Facts {
    pub(crate) const fn life(&self) -> Life {
        Life::of(self.owner)
    }

    /// As ZooKeeper shows them. The child version counts creates and deletes, though only creates are
    /// stored (section 8).
    pub(crate) fn stat(&self, data: Option<&[u8]>) -> Stat {
        let num_children = self.num_children as i32;
        Stat {
            czxid: self.czxid,
            mzxid: self.mzxid,
            ctime_ms: self.ctime_ms,
            mtime_ms: self.mtime_ms,
            version: self.version,
            cversion: self.counter.wrapping_mul(2).wrapping_sub(num_children),
            aversion: self.aversion,
            ephemeral_owner: match self.life() {
                Life::Ephemeral(session) => session,
                // Not the mark of a container (ClickHouse PR 108908).
                _ => SessionId(0),
            },
            data_length: data.map_or(0, |data| i32::try_from(data.len()).unwrap_or(i32::MAX)),
            num_children,
            pzxid: self.pzxid,
        }
    }
}

impl Record {
    pub(crate) fn new(path: &str, facts: &Facts, data: Option<&[u8]>) -> Self {
        let mut numbers = Numbers::new();
        numbers.put(path::depth(path) as u64);
        numbers.put(path.len() as u64);
        let front = numbers.len;
        numbers.put(facts.czxid.0);
        numbers.put(facts.mzxid.0.wrapping_sub(facts.czxid.0));
        numbers.put(facts.pzxid.0.wrapping_sub(facts.czxid.0));
        numbers.put(facts.ctime_ms);
        numbers.put(facts.mtime_ms.wrapping_sub(facts.ctime_ms));
        numbers.put(u64::from(facts.version.cast_unsigned()));
        numbers.put(u64::from(facts.counter.cast_unsigned()));
        numbers.put(u64::from(facts.num_children));
        numbers.put(u64::from(facts.aversion.cast_unsigned()));
        numbers.put(facts.owner.0);
        numbers.put(u64::from(facts.acl));
        numbers.put(data.map_or(0, |data| data.len() as u64 + 1));
        let data = data.unwrap_or_default();

        let len = numbers.len + path.len() + data.len();
        let mut bytes: Arc<[u8]> = iter::repeat_n(0, len).collect();
        if let Some(mut rest) = Arc::get_mut(&mut bytes) {
            let numbers = &numbers.bytes[..numbers.len];
            for piece in [&numbers[..front], path.as_bytes(), &numbers[front..], data] {
                let (place, behind) = rest.split_at_mut(piece.len());
                place.copy_from_slice(piece);
                rest = behind;
            }
        }
        Self(bytes)
    }

    /// A record from outside: `None` unless it is exactly what `new` makes.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let record = Self(bytes.into());
        let again = Self::new(record.path(), &record.facts(), record.data());
        let path = record.path();
        (record == again && path.starts_with('/')).then_some(record)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn path(&self) -> &str {
        str::from_utf8(self.key().rest).unwrap_or_default()
    }

    pub(crate) fn facts(&self) -> Facts {
        self.open().0
    }

    pub(crate) fn data(&self) -> Option<&[u8]> {
        self.open().1
    }

    /// All that is behind the path.
    pub(crate) fn open(&self) -> (Facts, Option<&[u8]>) {
        let mut reader = Reader(&self.0);
        reader.number();
        let path_len = reader.number();
        reader.bytes(path_len);
        let czxid = reader.number();
        let mzxid = czxid.wrapping_add(reader.number());
        let pzxid = czxid.wrapping_add(reader.number());
        let ctime_ms = reader.number();
        let facts = Facts {
            czxid: Index(czxid),
            mzxid: Index(mzxid),
            pzxid: Index(pzxid),
            ctime_ms,
            mtime_ms: ctime_ms.wrapping_add(reader.number()),
            version: (reader.number() as u32).cast_signed(),
            counter: (reader.number() as u32).cast_signed(),
            num_children: reader.number() as u32,
            aversion: (reader.number() as u32).cast_signed(),
            owner: SessionId(reader.number()),
            acl: reader.number() as u32,
        };
        let data = reader.number().checked_sub(1).map(|len| reader.bytes(len));
        (facts, data)
    }
}

/// Znodes are ordered by depth and then by path, so the children of a znode lie together.
impl Item for Record {
    fn key(&self) -> Key<'_> {
        let mut reader = Reader(&self.0);
        let first = reader.number();
        let len = reader.number();
        Key {
            first,
            rest: reader.bytes(len),
        }
    }
}

/// Where a znode lies in the tree.
pub(crate) fn key(path: &str) -> Key<'_> {
    Key {
        first: path::depth(path) as u64,
        rest: path.as_bytes(),
    }
}

/// A znode in the list of those with the same owner: a session's, the containers, or those with one time to live.
#[derive(Clone, Debug)]
pub(crate) struct Owned {
    owner: SessionId,
    path: Arc<str>,
}

impl Owned {
    pub(crate) fn new(owner: SessionId, path: &str) -> Self {
        Self {
            owner,
            path: path.into(),
        }
    }

    pub(crate) const fn owner(&self) -> SessionId {
        self.owner
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }
}

impl Item for Owned {
    fn key(&self) -> Key<'_> {
        Key {
            first: self.owner.0,
            rest: self.path.as_bytes(),
        }
    }
}

/// Room for all numbers of a record.
struct Numbers {
    bytes: [u8; NUMBER * (NUMBERS + 2)],
    len: usize,
}

impl Numbers {
    const fn new() -> Self {
        Self {
            bytes: [0; NUMBER * (NUMBERS + 2)],
            len: 0,
        }
    }

    fn put(&mut self, mut number: u64) {
        while 0x7F < number {
            self.bytes[self.len] = number as u8 | 0x80;
            self.len += 1;
            number >>= 7;
        }
        self.bytes[self.len] = number as u8;
        self.len += 1;
    }
}

/// Reads what `Numbers` wrote; beyond the end there are zeroes and nothing.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn number(&mut self) -> u64 {
        // Most are below 128.
        if let Some((&byte, rest)) = self.0.split_first()
            && byte < 0x80
        {
            self.0 = rest;
            return u64::from(byte);
        }
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let Some((&byte, rest)) = self.0.split_first() else {
                break;
            };
            self.0 = rest;
            number |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                break;
            }
        }
        number
    }

    fn bytes(&mut self, len: u64) -> &'a [u8] {
        let len = usize::try_from(len).unwrap_or(usize::MAX).min(self.0.len());
        let (bytes, rest) = self.0.split_at(len);
        self.0 = rest;
        bytes
    }
}

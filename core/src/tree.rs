//! Znodes.

use alloc::string::String;

use bytes::Bytes;

use crate::request::Stat;

/// The znodes.
#[derive(Clone)]
pub struct Tree {}

/// A znode, seen in place.
#[derive(Clone, Copy)]
pub struct Znode<'a> {
    record: &'a [u8],
}

impl<'a> Znode<'a> {
    /// Its full path.
    #[must_use]
    pub fn path(&self) -> &'a str {
        let _ = self.record;
        todo!()
    }

    /// Its data; `None` is null.
    #[must_use]
    pub fn data(&self) -> Option<&'a [u8]> {
        todo!()
    }

    /// Its data as owned bytes.
    #[must_use]
    pub fn bytes(&self) -> Option<Bytes> {
        self.data().map(Bytes::copy_from_slice)
    }

    /// Its Stat.
    #[must_use]
    pub fn stat(&self) -> Stat {
        todo!()
    }
}

impl Tree {
    /// The znode at `path`.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<Znode<'_>> {
        let _ = path;
        todo!()
    }

    /// The children of the znode at `path`, in byte order of their names.
    pub fn children<'a>(&'a self, path: &str) -> impl Iterator<Item = Znode<'a>> + use<'a> {
        let _ = path;
        core::iter::empty()
    }

    /// All znodes, by depth and then by path.
    pub fn iter(&self) -> impl Iterator<Item = Znode<'_>> {
        core::iter::empty()
    }

    /// How many znodes there are, the four of the system among them.
    #[must_use]
    pub fn count(&self) -> u64 {
        todo!()
    }

    /// Bytes of all paths and data.
    #[must_use]
    pub fn data_bytes(&self) -> u64 {
        todo!()
    }

    /// How many ephemeral znodes there are.
    #[must_use]
    pub fn ephemeral_count(&self) -> u64 {
        let _ = String::new();
        todo!()
    }
}

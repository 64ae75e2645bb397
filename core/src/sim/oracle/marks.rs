//! The places of the tree that the workload uses, and the marks by which a write is known again: each
//! carries its author and the number of the call, in its data or in its name.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::request::{Read, ReadKind};
use crate::sim::ClientId;

/// The workload's znodes: changed but never deleted.
pub(in crate::sim) const REGISTERS: u64 = 8;
/// The workload's znodes that come and go.
pub(in crate::sim) const TOGGLES: u64 = 4;
/// The workload's znodes that are guarded by lists; made once and never deleted.
pub(in crate::sim) const GUARDED: u64 = 2;
/// Parent of the workload's containers and znodes with a time to live.
pub(in crate::sim) const MORTALS: &str = "/m";
/// The users that the workload's clients may be.
pub(in crate::sim) const USERS: u64 = 2;
/// Parent of the workload's sequential znodes.
pub(in crate::sim) const QUEUE: &str = "/q";

/// A write's mark: who wrote, and the number of the call.
pub(super) type Mark = (ClientId, u64);

/// A place in the tree that the workload uses.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Place {
    Register(u64),
    Toggle(u64),
    Guarded(u64),
}

impl Place {
    /// Whether nobody deletes it.
    pub(super) const fn stays(self) -> bool {
        matches!(self, Self::Register(_) | Self::Guarded(_))
    }
}

/// What a path is to the workload.
pub(super) fn place(path: &str) -> Option<Place> {
    let number = |text: &str| text.parse::<u64>().ok();
    if let Some(rest) = path.strip_prefix("/k") {
        return number(rest).filter(|n| *n < REGISTERS).map(Place::Register);
    }
    if let Some(rest) = path.strip_prefix("/a") {
        return number(rest).filter(|n| *n < GUARDED).map(Place::Guarded);
    }
    path.strip_prefix("/t")
        .and_then(number)
        .filter(|n| *n < TOGGLES)
        .map(Place::Toggle)
}

/// The part of a path below the queue.
pub(super) fn below_queue(path: &str) -> Option<&str> {
    path.strip_prefix(QUEUE)?.strip_prefix('/')
}

/// Reads that show everything the workload made.
pub(in crate::sim) fn audit_reads() -> Vec<Read> {
    let read = |kind, path: String| Read {
        kind,
        path,
        watch: false,
    };
    let registers = (0..REGISTERS).map(|n| read(ReadKind::Data, format!("/k{n}")));
    let toggles = (0..TOGGLES).map(|n| read(ReadKind::Data, format!("/t{n}")));
    let guarded = (0..GUARDED).map(|n| read(ReadKind::Data, format!("/a{n}")));
    let lists = (0..GUARDED).map(|n| read(ReadKind::Acl, format!("/a{n}")));
    let queue = read(ReadKind::Children, QUEUE.into());
    let all = registers.chain(toggles).chain(guarded).chain(lists);
    all.chain([queue]).collect()
}

/// The text that marks a write.
pub(in crate::sim) fn mark_text(client: ClientId, tag: u64) -> String {
    format!("{}.{tag}", client.0)
}

/// Whether everybody may read what is there.
pub(in crate::sim) fn is_open_to_all(path: &str) -> bool {
    !matches!(place(path), Some(Place::Guarded(_)))
}

/// What a user is called.
pub(in crate::sim) fn user_name(user: u64) -> String {
    format!("otter{user}")
}

/// The mark of a znode that ends by itself, and whether it is the znode's child that the path names.
pub(super) fn below_mortals(path: &str) -> Option<(Mark, bool)> {
    let name = path.strip_prefix(MORTALS)?.strip_prefix('/')?;
    match name.split_once('/') {
        None => Some((parse_mark(name)?, false)),
        Some((name, _)) => Some((parse_mark(name)?, true)),
    }
}

pub(super) fn parse_mark(text: &str) -> Option<Mark> {
    let (client, tag) = text.split_once('.')?;
    Some((ClientId(client.parse().ok()?), tag.parse().ok()?))
}

/// `MARK-NUMBER`.
pub(super) fn parse_item(name: &str) -> Option<(Mark, u64)> {
    let (mark, number) = name.rsplit_once('-')?;
    Some((parse_mark(mark)?, number.parse().ok()?))
}

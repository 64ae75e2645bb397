//! Containers and znodes with a time to live: none goes before it may. That all of them go in the end is seen
//! when everything is healed, not here.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::marks::{MORTALS as PARENT, Mark, below_mortals, mark_text};
use super::{Answered, Verdict, broken};
use crate::id::Index;
use crate::map::{Item, Key, Map};
use crate::request::{CreateMode, Error, Op, Read, Request, Response};
use crate::sim::Invariant;
use crate::sim::clock::Since;
use crate::time::Span;

/// Znodes kept: more than a seed has.
const MORTALS: usize = 4_096;

/// A znode that ends by itself. Only its author touches it.
#[derive(Clone, Copy, Debug)]
struct Mortal {
    mark: Mark,
    /// Its time to live; none for a container.
    ttl: Option<Span>,
    /// When the last acknowledged set, or the create, was asked for: it was not later.
    touched: Since,
    /// Whether somebody has asked to delete its last child.
    may_end: bool,
    /// Whether it surely lost its last child.
    is_empty: bool,
    /// It was seen to be gone.
    gone: Option<Index>,
}

impl Item for Mortal {
    fn key(&self) -> Key<'_> {
        key(self.mark)
    }
}

const fn key((client, tag): Mark) -> Key<'static> {
    Key {
        first: (client.0 as u64) << 32 | tag,
        rest: &[],
    }
}

#[derive(Clone)]
pub(super) struct Mortals {
    all: Map<Mortal>,
    /// Those that were seen to be gone.
    pub(super) gone: u64,
    /// Those that are no longer kept.
    pub(super) forgotten: u64,
}

impl Default for Mortals {
    fn default() -> Self {
        Self {
            all: Map::new(),
            gone: 0,
            forgotten: 0,
        }
    }
}

impl Mortals {
    /// A client of the workload sends a write.
    pub(super) fn send(&mut self, op: &Op) {
        let (Op::Delete { path, .. } | Op::Create { path, .. }) = op else {
            return;
        };
        if let Some((mark, true)) = below_mortals(path)
            && let Some(mortal) = self.all.get_mut(key(mark))
        {
            match op {
                Op::Delete { .. } => mortal.may_end = true,
                _ => mortal.is_empty = false,
            }
        }
    }

    /// The longest time to live, and the paths of those that must be gone when it has passed.
    pub(super) fn ending(&self) -> (Span, Vec<String>) {
        let longest = self.all.iter().filter_map(|mortal| mortal.ttl).max();
        let ends = |mortal: &&Mortal| mortal.ttl.is_some() || mortal.is_empty;
        let paths = self.all.iter().filter(ends).map(|mortal| {
            let (client, tag) = mortal.mark;
            format!("{PARENT}/{}", mark_text(client, tag))
        });
        (longest.unwrap_or_default(), paths.collect())
    }

    /// Somebody else changes it: it is no longer judged.
    pub(super) fn wild(&mut self, path: &str) {
        if let Some((mark, _)) = below_mortals(path) {
            self.all.remove(key(mark));
        }
    }

    /// An answer to a client of the workload.
    pub(super) fn answer(&mut self, answered: &Answered<'_>) -> Verdict {
        if let Request::Write(Op::Delete { path, .. }) = answered.request {
            let is_gone = matches!(answered.reply.result, Ok(_) | Err(Error::NoNode));
            if is_gone
                && let Some((mark, true)) = below_mortals(path)
                && let Some(mortal) = self.all.get_mut(key(mark))
            {
                mortal.is_empty = true;
            }
            return Ok(());
        }
        let (Request::Write(Op::Create { path, .. } | Op::SetData { path, .. })
        | Request::Read(Read { path, .. })
        | Request::Latest(Read { path, .. })) = answered.request
        else {
            return Ok(());
        };
        let Some((mark, is_child)) = below_mortals(path) else {
            return Ok(());
        };
        let result = &answered.reply.result;
        if let (Request::Write(Op::Create { mode, .. }), Ok(_), false) =
            (answered.request, result, is_child)
        {
            self.born(answered, mark, *mode);
            return Ok(());
        }
        let Some(mortal) = self.all.get_mut(key(mark)) else {
            return Ok(());
        };
        match result {
            Ok(Response::Stat(_) | Response::Created { .. }) => {
                if let Some(gone) = mortal.gone.filter(|gone| *gone <= answered.reply.zxid) {
                    let text = format!("{path} is there; it was gone by {gone}");
                    return broken(Invariant::Mortals, text);
                }
                match answered.request {
                    Request::Write(_) if is_child => mortal.may_end = false,
                    Request::Write(_) => mortal.touched = answered.asked,
                    _ => {}
                }
                Ok(())
            }
            Err(Error::NoNode) => {
                let ended = *mortal;
                if mortal.gone.is_none() {
                    mortal.gone = Some(answered.reply.zxid);
                    self.gone += 1;
                }
                ended.may_be_gone(answered, path)
            }
            _ => Ok(()),
        }
    }

    fn born(&mut self, answered: &Answered<'_>, mark: Mark, mode: CreateMode) {
        let ttl = match mode {
            CreateMode::Ttl { ms } => Some(Span::from_ms(ms)),
            CreateMode::Container => None,
            _ => return,
        };
        self.all.insert(Mortal {
            mark,
            ttl,
            touched: answered.asked,
            may_end: false,
            is_empty: false,
            gone: None,
        });
        if MORTALS < self.all.len()
            && let Some(first) = self.all.iter().next().map(|mortal| mortal.mark)
        {
            self.all.remove(key(first));
            self.forgotten += 1;
        }
    }
}

impl Mortal {
    /// It is gone; can that be?
    fn may_be_gone(&self, answered: &Answered<'_>, path: &str) -> Verdict {
        let text = match self.ttl {
            None if !self.may_end => {
                format!("the container {path} is gone; it never lost its last child")
            }
            Some(ttl) if answered.clocks.is_before(self.touched, answered.now, ttl) => format!(
                "{path} is gone; its {} ms after the last set cannot have passed",
                ttl.as_ms()
            ),
            _ => return Ok(()),
        };
        broken(Invariant::Mortals, text)
    }
}

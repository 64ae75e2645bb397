//! An answer that fits nowhere in the order of the others, in parts, so that the page can say it in the visitor's
//! language. Printed, it is one sentence.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::sim::ClientId;

/// An answer that no order explains together with those before it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Misfit {
    /// Whose call it was.
    pub client: ClientId,
    /// The number of the call.
    pub tag: u64,
    /// What it did or saw, by its answer.
    pub did: String,
    /// What it could meet, in each order of the others. At most 8.
    pub met: Vec<Vec<Met>>,
    /// The highest numbers given before it, and under which znodes.
    pub highest: Vec<(String, u64)>,
}

/// A znode that a call touches, while it is under way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Met {
    /// Which.
    pub path: String,
    /// Its data and version; nothing if it is not there.
    pub holds: Option<(String, u64)>,
}

impl fmt::Display for Met {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.holds {
            Some((data, version)) => write!(f, "{} as {data} in version {version}", self.path),
            None => write!(f, "{} as absent", self.path),
        }
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (tag, client) = (self.tag, self.client.0);
        write!(
            f,
            "call {tag} of client {client} fits nowhere: {}",
            self.did
        )?;
        for (way, met) in self.met.iter().enumerate() {
            f.write_str(if way == 0 { "; it met " } else { ", or " })?;
            for (place, one) in met.iter().enumerate() {
                f.write_str(if place == 0 { "" } else { " with " })?;
                one.fmt(f)?;
            }
        }
        for (parent, number) in &self.highest {
            write!(f, "; under {parent} number {number} was given")?;
        }
        Ok(())
    }
}

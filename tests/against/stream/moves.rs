//! Sessions with two live connections: one of a stream's connections takes up the session of another that is open.

use super::{Stream, op};
use crate::against::deed::{Deed, Hello};
use crate::against::side::{SLOTS, Side};
use crate::against::wire::Jute;

impl Stream {
    /// This connection ends its session and takes up the one of another. Both servers have only one connection for it
    /// from then on; what the old one does is tried.
    pub(super) fn take_over(&mut self, slot: usize, side: &Side) -> Deed {
        let others = (0..SLOTS).filter(|&other| other != slot && side.is_open(other));
        let others: Vec<usize> = others.collect();
        if others.is_empty() {
            return self.request(slot);
        }
        let from = self.pick(&others);
        let hello = Hello {
            of: Some(from),
            wrong_password: self.rng.chance(200),
            ..self.fresh()
        };
        let server = self.rng.below(3) as usize;
        let connect = Deed::Connect {
            slot,
            server,
            hello,
        };
        self.soon.push_back(connect);
        let old = self.old_connections(slot, from, side);
        self.soon.extend(old);
        self.ask(slot, op::CLOSE, Jute::default())
    }

    /// What is done by the connections that had this slot's session, once another one has it: a write, by which a
    /// former owner finds out, and then they go.
    pub(super) fn old_connections(&mut self, slot: usize, of: usize, side: &Side) -> Vec<Deed> {
        let shares = |other: &usize| *other != slot && side.share(of, *other);
        let old = (0..SLOTS).filter(|other| side.is_open(*other));
        let old: Vec<usize> = old.filter(shares).collect();
        let mut deeds = Vec::new();
        for old in old {
            let path = format!("{}/moved", self.root);
            let write = Jute::default().text(path.as_bytes()).buffer(None).int(-1);
            deeds.push(self.ask(old, op::SET_DATA, write));
            deeds.push(Deed::Drop { slot: old });
        }
        deeds
    }
}

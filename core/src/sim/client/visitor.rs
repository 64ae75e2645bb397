//! What a visitor does to a client of the simulator: asks, wishes something of a recipe, stops its process for a while
//! or for good, and breaks its connection. What a process that stands still was about to do waits here.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;

use super::{Client, Wire};
use crate::client::Input;
use crate::recipe::{Wanted, Wish};
use crate::request::Request;
use crate::sim::Cargo;
use crate::sim::event::ClientEvent;
use crate::sim::oracle::Verdict;

/// What a client is about to do.
#[derive(Clone)]
pub(super) enum Intent {
    Wish(Wish),
    Store {
        path: String,
        value: String,
        fenced: bool,
    },
}

impl Client {
    /// The visitor asks.
    pub(in crate::sim) fn call(&mut self, wire: &mut Wire<'_>, request: Request) -> Verdict {
        if matches!(request, Request::Connect(_)) || self.is_gone() {
            return Ok(());
        }
        wire.oracle.stranger(&request);
        if self.core.is_attached() && self.paused.is_none() {
            return self.ask(wire, request);
        }
        self.waiting.push_back(request);
        Ok(())
    }

    /// The visitor wants something of a recipe.
    pub(in crate::sim) fn wish(&mut self, wire: &mut Wire<'_>, wish: &Wish) -> Verdict {
        if self.is_gone() {
            return Ok(());
        }
        if self.paused.is_some() {
            self.intends.push(Intent::Wish(wish.clone()));
            return Ok(());
        }
        let unique = (u128::from(self.rng.next_u64()) << 64) | u128::from(self.rng.next_u64());
        let name = format!("client {}", self.id.0);
        let mut wanted = Wanted::default();
        self.recipes.wish(wish, unique, &name, &mut wanted);
        let mut inputs = VecDeque::new();
        self.wanted(wire, wanted, &mut inputs);
        self.inputs(wire, inputs)
    }

    /// It writes to what the lock at this path protects, if it believes to hold that.
    pub(in crate::sim) fn store(
        &mut self,
        wire: &mut Wire<'_>,
        path: &str,
        value: &str,
        fenced: bool,
    ) {
        if self.paused.is_some() {
            self.intends.push(Intent::Store {
                path: path.into(),
                value: value.into(),
                fenced,
            });
            return;
        }
        let mut tokens = self.recipes.tokens().filter(|(lock, _)| *lock == path);
        let Some((_, token)) = tokens.next() else {
            return;
        };
        let store = wire.stores.entry(path.into()).or_default();
        let shown = fenced.then_some(token);
        let refused = store.write(self.id, value.into(), shown).err();
        wire.events.push(ClientEvent::Stored {
            path: path.into(),
            value: value.into(),
            token,
            refused,
        });
    }

    /// Its process stands still; its connections stay.
    pub(in crate::sim) fn pause(&mut self) {
        self.paused.get_or_insert_default();
    }

    /// It goes on where it stood, and then finds what has arrived meanwhile.
    pub(in crate::sim) fn resume(&mut self, wire: &mut Wire<'_>) -> Verdict {
        let inbox = self.paused.take();
        for intent in core::mem::take(&mut self.intends) {
            match intent {
                Intent::Wish(wish) => self.wish(wire, &wish)?,
                Intent::Store {
                    path,
                    value,
                    fenced,
                } => self.store(wire, &path, &value, fenced),
            }
        }
        for cargo in inbox.into_iter().flatten() {
            self.arrive(wire, cargo)?;
        }
        if self.core.is_attached() {
            self.ask_waiting(wire)?;
        }
        Ok(())
    }

    /// Its process ends without a word.
    pub(in crate::sim) fn kill(&mut self, wire: &mut Wire<'_>) -> Verdict {
        self.paused = None;
        self.intends.clear();
        self.input(wire, Input::Stop)
    }

    /// Its connection breaks.
    pub(in crate::sim) fn disconnect(&mut self, wire: &mut Wire<'_>) -> Verdict {
        match (&mut self.paused, self.conn) {
            (None, _) => self.input(wire, Input::Move),
            (Some(inbox), Some((conn, ..))) => {
                inbox.push_back(Cargo::End { conn, reason: None });
                self.hang_up(wire);
                Ok(())
            }
            (Some(_), None) => Ok(()),
        }
    }
}

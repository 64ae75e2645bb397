//! What a leader does about containers that lost their last child and about znodes whose time to live is over:
//! it looks through them now and then, a slice at a time, and proposes to remove what it found.

use super::Node;
use crate::command::Command;
use crate::config::Bug;
use crate::machine::Cursor;
use crate::raft::message::Payload;
use crate::time::{Span, Time};
use crate::wire;

/// Znodes looked at in one step, and so the most that one entry removes.
const SLICE: usize = 1_000;
/// Between two slices of which the first had nothing to remove.
const PAUSE: Span = Span::from_ms(10);
/// Between two slices of which the first was proposed: ten a minute, so 10,000 znodes, as in ZooKeeper.
const LONG_PAUSE: Span = Span::from_ms(6_000);

/// How far the walk has come.
#[derive(Clone, Debug)]
pub(super) struct Cleaning {
    due: Time,
    from: Option<Cursor>,
}

impl Cleaning {
    pub(super) const fn new(due: Time) -> Self {
        Self { due, from: None }
    }
}

impl Node {
    /// When a leader wants to look again. One that cannot propose yet does not: it would be called for nothing,
    /// again and again, until it can.
    pub(super) fn cleaning_deadline(&self) -> Time {
        match self.leads {
            Some(_) if self.raft.serving() && self.machine.tree().mortal_count() != 0 => {
                self.cleaning.due
            }
            _ => Time::NEVER,
        }
    }

    /// Looks at the next slice, if it is time.
    pub(super) fn clean(&mut self) {
        if self.now < self.cleaning_deadline() {
            return;
        }
        let from = self.cleaning.from.take();
        // The leader's clock, not the stamps of the log, which may run ahead of it (rule R12).
        let now = match self.config.has(Bug::EndsByAnotherClock) {
            false => self.now,
            true => self.now + Span::from_ms(1_000),
        };
        let (znodes, next) = self.machine.worn_out(from, SLICE, now.as_ms());
        let mut pause = PAUSE;
        if !znodes.is_empty() {
            pause = LONG_PAUSE;
            let command = wire::encode_command(&Command::Clean { znodes });
            // A leader that is busy finds them again next time.
            let _ = self.raft.propose(self.now, Payload::Command(command));
        }
        let cleaned = pause == LONG_PAUSE;
        if next.is_none() {
            pause = self.config.container_check;
        }
        let once = cleaned && self.config.has(Bug::CleansOnce);
        self.cleaning.due = match once {
            false => self.now + pause,
            true => Time::NEVER,
        };
        self.cleaning.from = next;
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use crate::node::tests::{Alone, read, write};
    use crate::request::ReadKind;

    /// Conformance: containers and times to live, by the clock; their end fires watches.
    #[test]
    fn a_leader_cleans_once_a_minute() {
        let mut alone = Alone::new();
        let (conn, ..) = alone.open();
        for line in [
            "create -c /c",
            "create /c/1",
            "delete /c/1",
            "create -t 30000 /t",
            "create -t 90000 /u",
        ] {
            alone.ask(conn, write(line)).unwrap();
        }
        for path in ["/c", "/t", "/u"] {
            alone.ask(conn, read(ReadKind::Data, path, true)).unwrap();
        }
        let mut gone = Vec::new();
        for second in 0..200 {
            alone.pass(1_000);
            alone.ask(conn, crate::request::Request::Ping).unwrap();
            gone.extend(alone.events().into_iter().map(|event| (second / 60, event)));
        }
        let gone: Vec<_> = gone
            .iter()
            .map(|(minute, event)| (*minute, &**event))
            .collect();
        assert_eq!(
            gone,
            [
                (0, "1 NodeDeleted /c"),
                (0, "1 NodeDeleted /t"),
                (1, "1 NodeDeleted /u")
            ]
        );
        assert_eq!(alone.node.view().machine().tree().mortal_count(), 0);
    }
}

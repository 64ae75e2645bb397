//! Changes of the members (rule R19): an operator's wish on its way into the log, and what the leader of the
//! day does about the pending change. The machine remembers what is wanted, Raft knows what is in force;
//! here the one is led to the other, step by step.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::io::Output;
use super::{Effects, Node};
use crate::command::{Asker, Command, Reconfigure};
use crate::configuration::Step;
use crate::halt::Halt;
use crate::id::{Index, NodeId, ReplicaId};
use crate::raft::message::Payload;
use crate::request::{Error, Response};
use crate::time::Time;
use crate::wire;

/// Operators that wait, and the change this leader is at.
#[derive(Clone, Default)]
pub(super) struct Wishes {
    /// The driver's mark of each wish, by its ticket.
    waiting: BTreeMap<u64, u64>,
    /// The pending change, and since when this leader carries it out.
    begun: Option<(Index, Time)>,
    /// When it is to be given up, if it has not got on by then.
    give_up_at: Option<Time>,
}

impl Node {
    /// Whether a link to that replica may be used under that number. `since` is where its own log has the
    /// newest configuration it knows: its `View::configuration_index`, 0 for an empty node. Both ends of a
    /// link ask this before they use it.
    ///
    /// # Errors
    /// Why not, with the remedy.
    pub fn admits(&self, id: NodeId, replica: ReplicaId, since: Index) -> Result<(), String> {
        self.raft.admits(id, replica, since)
    }

    /// An operator wants other members. The answer comes when they are there.
    pub(super) fn wish_for_members(&mut self, tag: u64, request: Reconfigure) {
        let origin = self.next_origin();
        self.wishes.waiting.insert(origin.ticket, tag);
        let command = wire::encode_command(&Command::Reconfigure { origin, request });
        self.queue_wish(origin.ticket, command);
    }

    /// A change is pending: it need not be asked for again.
    pub(super) fn change_pending(&mut self, asker: Asker) {
        match asker {
            Asker::Operator(origin) => self.settle_wish(&origin),
            Asker::Client {
                session, number, ..
            } => self.settle_write(session, number),
        }
    }

    /// A change came to its end.
    pub(super) fn change_ended(
        &mut self,
        asker: Asker,
        result: Result<Response, Error>,
        out: &mut Vec<Output>,
    ) {
        match asker {
            Asker::Operator(origin) => {
                self.settle_wish(&origin);
                if self.is_own(&origin)
                    && let Some(tag) = self.wishes.waiting.remove(&origin.ticket)
                {
                    let result = result.map(|_| ()).map_err(|error| format!("{error}"));
                    out.push(Output::Done { tag, result });
                }
            }
            Asker::Client {
                session,
                epoch,
                number,
            } => self.wrote(session, epoch, number, result, out),
        }
    }

    /// Leads what is in force to what is wanted; one step at a time, each when the one before is
    /// committed. A change that does not get on is given up.
    pub(super) fn steer_members(&mut self, effects: &mut Effects, out: &mut Vec<Output>) {
        // Only a step that cannot be taken is given up; all else has a clock of its own, or none.
        self.wishes.give_up_at = None;
        if self.leads.is_none() || !self.machine.initialised() {
            return;
        }
        let members = self.machine.members();
        let pending = members.pending().map(|pending| pending.at);
        if self.wishes.begun.map(|(at, _)| at) != pending {
            self.wishes.begun = pending.map(|at| (at, self.now));
        }
        let target = members.pending().map_or(members.settled(), |p| &p.target);
        if target.voters().next().is_none() {
            // Nobody could commit anything after that, nor take it back.
            return self.halt(Halt::NobodyVotes, out);
        }
        if self.raft.configuration().is_joint() {
            return; // Raft ends that by itself.
        }
        let step = match self.raft.configuration().towards(target) {
            Some(step) => step,
            // It is in force already, and its end must be after its beginning.
            None if pending.is_some_and(|at| self.raft.configuration_index() < at) => {
                Step::Simple(target.clone())
            }
            None => return,
        };
        let (Err(_), Some((change, since))) =
            (self.raft.reconfigure(step, effects), self.wishes.begun)
        else {
            return;
        };
        let mut due = since + self.config.change_limit;
        if due <= self.now || self.raft.too_slow().is_some() {
            let abandon = Command::Abandon { change };
            let payload = Payload::Command(wire::encode_command(&abandon));
            // Once is enough: it is in this leader's log, or another leader looks at the clock anew.
            if self.raft.propose(self.now, payload).is_ok() {
                self.wishes.begun = Some((change, self.now));
                due = self.now + self.config.change_limit;
            }
        }
        // A leader that is busy tries again in each step, and needs no clock for that.
        self.wishes.give_up_at = Some(due).filter(|due| self.now < *due);
    }

    /// When a change is to be given up.
    pub(super) fn members_deadline(&self) -> Time {
        match self.wishes.give_up_at {
            Some(due) if self.leads.is_some() => due,
            _ => Time::NEVER,
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::config::Config;
    use crate::configuration::Configuration;
    use crate::id::LogId;
    use crate::id::Term;
    use crate::machine::Machine;
    use crate::node::{Boot, Input, SnapshotImage};
    use crate::raft::message::{SnapshotMeta, Vote};

    /// A node whose snapshot was made by such an `Init` in its first entry, and what it halts with.
    fn halts_with(members: Configuration) -> Option<Halt> {
        let mut machine = Machine::new();
        let init = Command::Init {
            members,
            secret: [7; 32],
            features: 1,
            max_depth: 10,
        };
        machine.apply(Index(1), Time(0), &init, &mut Vec::new());
        let (part, _) = machine.part(&[], u64::MAX);
        let term = Term(1);
        let vote = Vote {
            term,
            voted_for: None,
        };
        let meta = SnapshotMeta {
            last: LogId {
                term,
                index: Index(1),
            },
            stamp: Time(0),
            configuration: Configuration::of_voters([NodeId(1)]),
        };
        let boot = Boot {
            vote,
            commit_hint: Index(1),
            snapshot: Some(SnapshotImage {
                meta,
                parts: vec![part],
            }),
            log: Vec::new(),
        };
        let config = Config::new(NodeId(1), vec![NodeId(1)]);
        let mut node = Node::boot(config, boot, [7; 32], Time(0)).unwrap();
        let (mut inputs, mut out) = (Vec::new(), Vec::new());
        for ms in 0..100 {
            node.step(Time(ms * 1_000), inputs.drain(..), &mut out);
            for output in out.drain(..) {
                match output {
                    Output::Write { id, .. } => inputs.push(Input::Written(id)),
                    Output::Halt(why) => return Some(why),
                    _ => {}
                }
            }
        }
        assert!(node.raft.serving());
        None
    }

    #[test]
    fn a_state_without_voters_ends_the_leader_and_does_not_stall_it() {
        assert_eq!(halts_with(Configuration::of_voters([NodeId(1)])), None);
        let nobody = halts_with(Configuration::default());
        assert_eq!(nobody, Some(Halt::NobodyVotes));
    }
}

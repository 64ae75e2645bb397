//! What must hold after every step, one sentence each. A node in which one is broken halts: it cannot
//! know what else is wrong.

use alloc::format;
use alloc::string::String;

use super::{Raft, State};
use crate::config::Bug;
use crate::id::{Index, Term};

/// What must never fall.
#[derive(Clone, Copy, Default)]
pub(super) struct Mark {
    term: Term,
    commit: Index,
}

impl Raft {
    /// Checks this step against the rules and the step before.
    ///
    /// # Errors
    /// With one sentence about the first rule that is broken.
    pub(super) fn check(&mut self) -> Result<(), String> {
        let mark = Mark {
            term: self.vote.term,
            commit: self.commit,
        };
        let (base, last) = (self.log.base(), self.log.last());
        let covered = self
            .snapshot
            .as_ref()
            .map_or(Index(0), |meta| meta.last.index);
        let (durable, handed) = (self.disk.durable(), self.disk.handed());
        let (_, named) = self.disk.waiting();
        let (withheld, counted) = self.disk.withheld_bytes();
        let may_outlive = self.config.has(Bug::WithheldAckSurvivesTruncation);
        let rules = [
            (self.mark.term <= mark.term, "the term fell"),
            (self.mark.commit <= mark.commit, "the commit index fell"),
            (
                base.index <= covered,
                "entries were cut that no snapshot covers",
            ),
            (
                covered <= self.commit,
                "a snapshot covers what is not committed",
            ),
            (
                self.commit <= last.index,
                "the commit index is beyond the log",
            ),
            (
                durable <= handed,
                "something is durable that was never written",
            ),
            (
                handed <= last.index,
                "something was written that is not in the log",
            ),
            (last.term <= mark.term, "an entry is of a term to come"),
            (
                self.log.is_consistent(),
                "the log's running totals are wrong",
            ),
            (
                named <= last.index || may_outlive,
                "an ack waits for an entry that is gone",
            ),
            (
                withheld <= self.config.withheld_bytes,
                "too many messages wait for the disk",
            ),
            (
                counted,
                "the bytes of messages that wait for the disk are counted wrongly",
            ),
        ];
        for (holds, sentence) in rules {
            if !holds {
                return Err(format!(
                    "invariant broken in term {}: {sentence}",
                    mark.term
                ));
            }
        }
        self.check_role()?;
        self.mark = mark;
        Ok(())
    }

    fn check_role(&self) -> Result<(), String> {
        let id = self.config.id;
        let broken = |sentence| {
            Err(format!(
                "invariant broken in term {}: {sentence}",
                self.vote.term
            ))
        };
        match &self.state {
            State::Follower { leader, .. } if *leader == Some(id) => {
                broken("a follower follows itself")
            }
            State::Candidate(_) | State::Leader(_) if self.vote.voted_for != Some(id) => {
                broken("a candidate or leader did not vote for itself")
            }
            State::Leader(leadership) => {
                let last = self.log.last().index;
                for peer in leadership.peers() {
                    if peer.next <= peer.matched || last.next() < peer.next {
                        return broken("a peer is sent entries out of place");
                    }
                    if peer.id == id {
                        return broken("a leader is its own peer");
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

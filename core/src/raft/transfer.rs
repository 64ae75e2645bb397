//! Handing the lead over: the target is brought up to date, then told to campaign at once. Meanwhile
//! nothing new is taken, or the target could never catch up. Does not know who asked for it.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::message::Message;
use super::note::{Note, TransferEnd, TransferStage};
use super::progress::Stream;
use super::{Effect, Raft, State};
use crate::config::Bug;
use crate::id::{LogId, NodeId};
use crate::time::Time;

/// A transfer of the lead. It outlives the leadership, since only the next leader says how it ended.
#[derive(Clone, Copy)]
pub(super) struct Handover {
    to: NodeId,
    /// It is given up then.
    until: Time,
    /// When the target was last told to campaign.
    told: Option<Time>,
}

impl Raft {
    /// Hands the lead over to this voter, or to the one that is furthest. `Transferred` says how it ended,
    /// at the latest after the longest election timeout.
    ///
    /// # Errors
    /// Why it cannot even begin, as a sentence.
    pub fn transfer(
        &mut self,
        now: Time,
        to: Option<NodeId>,
        out: &mut Vec<Effect>,
    ) -> Result<NodeId, String> {
        self.now = self.now.max(now);
        if self.halted || !self.is_leader() {
            return Err(match self.leader() {
                Some(leader) => format!("member {leader} leads: ask it"),
                None => "there is no leader".into(),
            });
        }
        if let Some(handover) = self.handover {
            return Err(format!(
                "the lead is on its way to member {} already",
                handover.to
            ));
        }
        let to = match to {
            Some(id) if id == self.config.id => return Err(format!("member {id} leads already")),
            Some(id) if !self.membership.voters().contains(&id) => {
                return Err(format!("{id} is no voting member"));
            }
            Some(id) => id,
            None => self.successor().ok_or("no other voting member follows")?,
        };
        self.begin_transfer(to, self.now + self.config.election_max(), out);
        Ok(to)
    }

    /// Keeps the lead after all. False if no transfer was under way. A target that was already told may
    /// win nevertheless.
    pub fn cancel_transfer(&mut self, out: &mut Vec<Effect>) -> bool {
        let under_way = self.handover.is_some();
        self.end_transfer(TransferEnd::Cancelled, out);
        under_way
    }

    /// To whom the lead is being handed over, and when that is given up.
    #[must_use]
    pub fn transferring(&self) -> Option<(NodeId, Time)> {
        self.handover.map(|handover| (handover.to, handover.until))
    }

    /// A leader whose disk stands still lets another one lead, if there is one that could (rule R5).
    pub(super) fn yield_lead(&mut self, out: &mut Vec<Effect>) -> bool {
        // Counted from the write that it waits for, and not from when it notices: it may have stood still itself.
        let until = self.stall_due() + self.config.election_max();
        let successor = self.successor().filter(|_| self.now < until);
        if let Some(to) = successor {
            self.begin_transfer(to, until, out);
        }
        successor.is_some()
    }

    pub(super) fn transfer_due(&self) -> Time {
        self.handover.map_or(Time::NEVER, |handover| handover.until)
    }

    pub(super) fn end_transfer(&mut self, end: TransferEnd, out: &mut Vec<Effect>) {
        let Some(Handover { to, .. }) = self.handover.take() else {
            return;
        };
        let stage = TransferStage::Ended(end);
        self.note(|| Note::Transfer { to, stage }, out);
        out.push(Effect::Transferred { to, end });
    }

    /// Somebody leads now; that settles a transfer of an earlier term.
    pub(super) fn settle_transfer(&mut self, leader: NodeId, out: &mut Vec<Effect>) {
        let end = match self.handover {
            Some(handover) if handover.to == leader => TransferEnd::Done,
            _ => TransferEnd::Overtaken(leader),
        };
        self.end_transfer(end, out);
    }

    /// Tells the target to campaign once it has everything, and again as long as it does not.
    pub(super) fn hand_over(&mut self, out: &mut Vec<Effect>) {
        let (term, last, now) = (self.vote.term, self.log.last(), self.now);
        let (State::Leader(leadership), Some(handover)) = (&mut self.state, &mut self.handover)
        else {
            return;
        };
        let Some(peer) = leadership.peer_mut(handover.to) else {
            return;
        };
        let again = handover.told.map(|told| told + self.config.heartbeat);
        let ready = last.index <= peer.matched || self.config.has(Bug::TransferUnready);
        if !ready || again.is_some_and(|again| now < again) {
            return;
        }
        handover.told = Some(now);
        leadership.told_another = true;
        let to = handover.to;
        let message = Message::TimeoutNow { term, last };
        out.push(Effect::Send { to, message });
        let stage = TransferStage::Told;
        self.note(|| Note::Transfer { to, stage }, out);
    }

    /// The leader wants this node to lead. Without all of the leader's log it would only disturb
    /// (openraft#1805).
    pub(super) fn on_timeout_now(&mut self, last: LogId, out: &mut Vec<Effect>) {
        let ready = last <= self.log.last() || self.config.has(Bug::TransferUnready);
        if ready && self.may_campaign() {
            self.campaign_in_next_term(true, out);
        }
    }

    fn begin_transfer(&mut self, to: NodeId, until: Time, out: &mut Vec<Effect>) {
        let told = None;
        self.handover = Some(Handover { to, until, told });
        let stage = TransferStage::Begun;
        self.note(|| Note::Transfer { to, stage }, out);
    }

    /// The voter that has most of the log, of those that answered lately.
    fn successor(&self) -> Option<NodeId> {
        let State::Leader(leadership) = &self.state else {
            return None;
        };
        let lately = self.now - self.config.election_max();
        let voters = self.membership.voters();
        let fit = leadership.peers().iter().filter(|peer| {
            matches!(peer.stream, Stream::Replicate(_))
                && lately <= peer.answered
                && voters.contains(&peer.id)
        });
        fit.max_by_key(|peer| (peer.matched, core::cmp::Reverse(peer.id)))
            .map(|peer| peer.id)
    }
}

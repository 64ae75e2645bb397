//! The log's way from the leader to the others, and the commit index: appends and their answers,
//! heartbeats, confirmation rounds, the quorum check. Does not know how a leader came to lead.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::message::{Entry, Message, Payload};
use super::note::{Note, StreamReason};
use super::progress::{Progress, Stream};
use super::read::Waiting;
use super::view::{PeerState, PeerView};
use super::{Effect, Raft, State};
use crate::config::Bug;
use crate::configuration::{Configuration, Standing};
use crate::halt::Halt;
use crate::id::{Index, LogId, NodeId};
use crate::time::{Span, Time};

/// Send times of rounds are kept this many times a heartbeat interval.
const ROUNDS_PER_HEARTBEAT: u64 = 4;

/// What only a leader knows.
#[derive(Clone)]
pub(super) struct Leadership {
    /// The first entry of its term.
    blank: Index,
    peers: Vec<Progress>,
    /// When the next heartbeat is due.
    beat: Time,
    /// Somebody was told to campaign in this leadership, and may do so at any time.
    pub(super) told_another: bool,
    /// A round goes out at the end of this step.
    round_wanted: bool,
    /// Numbers and send times of recent rounds, in ascending order. Not every round is here.
    rounds: VecDeque<(u64, Time)>,
    /// Questions that wait, in ascending order of round and index.
    pub(super) waiting: VecDeque<Waiting>,
}

impl Leadership {
    pub(super) fn new(blank: Index, now: Time) -> Self {
        Self {
            blank,
            peers: Vec::new(),
            beat: now,
            told_another: false,
            round_wanted: true,
            rounds: VecDeque::new(),
            waiting: VecDeque::new(),
        }
    }

    /// Looks after these peers from now on; a new one is sent what follows `next` first. Who is no
    /// member any more stays for a while, to be told so.
    pub(super) fn serve(
        &mut self,
        audience: &[NodeId],
        configuration: &Configuration,
        next: Index,
        now: Time,
    ) {
        for id in audience {
            let place = self.peers.binary_search_by_key(id, |peer| peer.id);
            let standing = configuration.member(*id).map(|member| member.standing);
            let (Ok(at) | Err(at)) = place;
            match place {
                Err(_) => self.peers.insert(at, Progress::new(*id, next, now)),
                // The number came back; the replica may be another one.
                Ok(_) if standing.is_some() && self.peers[at].left.is_some() => {
                    self.peers[at] = Progress::new(*id, next, now);
                }
                Ok(_) => {}
            }
            let learner = standing == Some(Standing::Learner);
            self.peers[at].learns(learner, next.prev(), now);
        }
        for peer in &mut self.peers {
            let is_member = configuration.member(peer.id).is_some();
            peer.left = if is_member {
                None
            } else {
                peer.left.or(Some(now))
            };
        }
    }

    /// Stops talking to those who left this long ago.
    pub(super) fn part(&mut self, farewell: Span, now: Time) {
        self.peers
            .retain(|peer| peer.left.is_none_or(|left| now < left + farewell));
    }

    pub(super) fn blank(&self) -> Index {
        self.blank
    }

    pub(super) fn beat_due(&self) -> Time {
        match self.peers.is_empty() {
            true => Time::NEVER,
            false => self.beat,
        }
    }

    pub(super) fn views(&self) -> Vec<PeerView> {
        self.peers.iter().map(Progress::view).collect()
    }

    pub(super) fn peers(&self) -> &[Progress] {
        &self.peers
    }

    pub(super) fn peer_mut(&mut self, id: NodeId) -> Option<&mut Progress> {
        self.peers.iter_mut().find(|peer| peer.id == id)
    }

    pub(super) fn digest(&self, into: &mut impl FnMut(u64)) {
        into(self.beat.0);
        into(self.waiting.len() as u64);
        for peer in &self.peers {
            let view = peer.view();
            into(view.id.0);
            into(view.state as u64);
            into(view.matched.0);
            into(view.next.0);
            into(u64::from(view.inflight));
            into(peer.told.0);
            into(peer.round);
            into(peer.answered.0);
            into(peer.promised.0);
        }
    }

    /// What each voter has reached: `own` for `id`, else what its progress says.
    pub(super) fn reached<T: Ord + Copy + Default>(
        &self,
        own: (NodeId, T),
        of: impl Fn(&Progress) -> T,
    ) -> impl Fn(NodeId) -> T {
        move |voter| match self.peers.iter().find(|peer| peer.id == voter) {
            _ if voter == own.0 => own.1,
            Some(peer) => of(peer),
            None => T::default(),
        }
    }

    /// When a round was sent, or a little earlier.
    fn sent_at(&self, round: u64) -> Option<Time> {
        let after = self.rounds.partition_point(|(number, _)| *number <= round);
        let before = after.checked_sub(1)?;
        self.rounds.get(before).map(|(_, sent)| *sent)
    }
}

impl Raft {
    /// Asks for a confirmation round at the end of this step; once `confirmed_round` reaches the number
    /// returned, a quorum followed this leader at some moment after this call. Without leadership, a
    /// number that is never reached.
    pub fn begin_round(&mut self, now: Time) -> u64 {
        self.now = self.now.max(now);
        match &mut self.state {
            State::Leader(leadership) => {
                leadership.round_wanted = true;
                self.round + 1
            }
            _ => u64::MAX,
        }
    }

    /// The highest round that a quorum answered in this leadership; 0 without one.
    #[must_use]
    pub fn confirmed_round(&self) -> u64 {
        let State::Leader(leadership) = &self.state else {
            return 0;
        };
        let own = self.round + u64::from(leadership.round_wanted);
        let of = leadership.reached((self.config.id, own), |peer| peer.round);
        self.quorum().reached(of)
    }

    /// The transport lost or refused something to this peer.
    pub fn peer_lost(&mut self, peer: NodeId, out: &mut Vec<Effect>) {
        match &mut self.state {
            State::Leader(leadership) => {
                let ended = leadership.peer_mut(peer).is_some_and(Progress::lost);
                if ended {
                    self.note_stream(peer, PeerState::Probe, StreamReason::Lost, out);
                }
            }
            State::Follower { leader, .. } if *leader == Some(peer) => self.leader_lost(),
            _ => {}
        }
    }

    /// Adds an entry to the own log.
    pub(super) fn append_own(&mut self, payload: Payload) -> LogId {
        let entry = self.next_own(payload);
        let id = entry.id;
        self.log.push(entry);
        id
    }

    /// The entry that would be added.
    pub(super) fn next_own(&self, payload: Payload) -> Entry {
        let id = LogId {
            term: self.vote.term,
            index: self.log.last().index.next(),
        };
        let stamp = self.now.max(self.log.last_stamp());
        Entry { id, stamp, payload }
    }

    /// Says so once when the log's stamps have run far ahead of this leader's clock: a leader before it had
    /// a wrong one, and clients see its time until the clocks catch up (rule R12).
    pub(super) fn compare_clocks(&mut self, out: &mut Vec<Effect>) {
        let ahead = self.log.last_stamp().since(self.now);
        let alarm = self.is_leader() && self.config.stamp_ahead_limit < ahead;
        if alarm && !self.alarmed {
            out.push(Effect::Note(Note::ClockBehind { by: ahead })); // Whoever listens.
        }
        self.alarmed = alarm;
    }

    /// What this node counts for in a quorum: what is on its disk (etcd-io/etcd#14370).
    pub(super) fn own_match(&self) -> Index {
        if self.config.has(Bug::LeaderCountsBeforeSync) && self.is_leader() {
            return self.log.last().index;
        }
        self.disk.durable()
    }

    /// Commits what a majority holds, if an entry of this term is among it.
    pub(super) fn advance_commit(&mut self, out: &mut Vec<Effect>) {
        let State::Leader(leadership) = &self.state else {
            return;
        };
        let of = leadership.reached((self.config.id, self.own_match()), |peer| peer.matched);
        let mut index = self.quorum().reached(of);
        if self.is_alone() {
            index = self.own_match();
        }
        let is_own = |id: LogId| id.term == self.vote.term || self.config.has(Bug::CommitOldTerm);
        if self.log.id_at(index).is_some_and(is_own) {
            self.commit_to(index, out);
        }
    }

    pub(super) fn commit_to(&mut self, index: Index, out: &mut Vec<Effect>) {
        if self.commit < index {
            self.commit = index;
            let covered = self
                .snapshot
                .as_ref()
                .map_or(Index(0), |meta| meta.last.index);
            self.membership.committed(index, covered);
            self.note(|| Note::Committed { index }, out);
        }
    }

    /// When the last answers of a quorum will be an election timeout old, counted from when the rounds
    /// they answer were sent.
    pub(super) fn quorum_due(&self) -> Time {
        let State::Leader(leadership) = &self.state else {
            return Time::NEVER;
        };
        if self.config.has(Bug::NoQuorumCheck) || self.config.has(Bug::CommitsAlone) {
            return Time::NEVER;
        }
        self.silent_from(leadership)
    }

    fn silent_from(&self, leadership: &Leadership) -> Time {
        let of = leadership.reached((self.config.id, Time::NEVER), |peer| peer.answered);
        self.quorum().reached(of) + self.config.election_max()
    }

    /// Planted: nobody answers, and this leader does without.
    pub(super) fn is_alone(&self) -> bool {
        match &self.state {
            State::Leader(leadership) if self.config.has(Bug::CommitsAlone) => {
                self.silent_from(leadership) <= self.now
            }
            _ => false,
        }
    }

    /// Asks for a round if a heartbeat is due. The next one counts from when this one was due, so that
    /// late steps do not pull the nodes' timers into phase.
    pub(super) fn beat(&mut self) {
        if let State::Leader(leadership) = &mut self.state
            && leadership.beat_due() <= self.now
        {
            leadership.round_wanted = true;
            leadership.part(self.config.farewell, self.now);
        }
    }

    /// Sends what there is to send to each peer. Appends leave before the leader's own disk has the
    /// entries: they state nothing about it.
    pub(super) fn replicate(&mut self, out: &mut Vec<Effect>) {
        let State::Leader(leadership) = &mut self.state else {
            return;
        };
        let (term, commit, last) = (self.vote.term, self.commit, self.log.last().index);
        if core::mem::take(&mut leadership.round_wanted) {
            self.round += 1;
            let (round, now) = (self.round, self.now);
            let interval = self.config.heartbeat;
            let spacing = interval.0 / ROUNDS_PER_HEARTBEAT;
            let newest = leadership.rounds.back().map(|(_, sent)| *sent);
            if newest.is_none_or(|sent| sent.0 + spacing <= now.0) {
                leadership.rounds.push_back((round, now));
                let oldest = now - self.config.election_max();
                while leadership
                    .rounds
                    .front()
                    .is_some_and(|(_, sent)| *sent < oldest)
                {
                    leadership.rounds.pop_front();
                }
            }
            let due = leadership.beat + interval;
            let on_time = leadership.beat <= now && now < due;
            leadership.beat = if on_time { due } else { now + interval };
            for peer in &mut leadership.peers {
                // The peer may not have more than it acknowledged.
                let commit = match self.config.has(Bug::CommitBeyondMatch) {
                    false => commit.min(peer.matched),
                    true => commit,
                };
                peer.told = peer.told.max(commit);
                let message = Message::Heartbeat {
                    term,
                    commit,
                    round,
                };
                let to = peer.id;
                out.push(Effect::Send { to, message });
            }
        }
        for peer in &mut leadership.peers {
            if peer.next <= self.log.base().index {
                if !matches!(peer.stream, Stream::Snapshot { .. })
                    && let Some(meta) = self.snapshot.clone()
                {
                    peer.stream = Stream::Snapshot {
                        last: meta.last,
                        since: self.now,
                    };
                    let (to, message) = (peer.id, Message::SnapshotOffer { term, meta });
                    out.push(Effect::Send { to, message });
                    if self.config.notes {
                        out.push(Effect::Note(Note::Stream {
                            peer: to,
                            state: PeerState::Snapshot,
                            why: StreamReason::Compacted,
                        }));
                    }
                }
                continue;
            }
            let append = |prev: Index, to: Index, limit_bytes: u64| {
                let mut entries = self.log.entries(prev.next(), to, limit_bytes);
                if 2 < entries.len() && self.config.has(Bug::HoleInAppend) {
                    entries.remove(1);
                }
                let prev = self.log.id_at(prev)?;
                Some((prev, entries))
            };
            // One message each time around, and another while there is room under way.
            loop {
                let prev = peer.next.prev();
                let mut limit_bytes = self.config.append_bytes;
                let room = match &peer.stream {
                    Stream::Replicate(window) if prev < last => {
                        window.room(self.config.inflight_messages, self.config.inflight_bytes)
                    }
                    _ => None,
                };
                let upto = match &peer.stream {
                    Stream::Probe { sent: None } if peer.matched < last => last,
                    Stream::Replicate(_) if room.is_some() => {
                        limit_bytes = limit_bytes.min(room.unwrap_or_default());
                        last
                    }
                    // Nothing else goes to it, so the commit index travels alone (rule R4).
                    Stream::Replicate(_) if peer.told < commit.min(prev) => commit.min(prev),
                    _ => break,
                };
                let prev = prev.min(upto);
                let Some((prev, entries)) = append(prev, upto, limit_bytes) else {
                    break; // Cut from the log meanwhile; a snapshot follows when the peer falls silent.
                };
                let end = Index(prev.index.0 + entries.len() as u64);
                peer.told = peer.told.max(commit.min(end));
                match &mut peer.stream {
                    Stream::Probe { sent } => *sent = Some(self.now),
                    Stream::Replicate(window) if prev.index < end => {
                        let bytes = entries.iter().map(Entry::encoded_bytes).sum();
                        window.sent(end, bytes, self.now);
                        peer.next = end.next();
                    }
                    Stream::Replicate(_) | Stream::Snapshot { .. } => {}
                }
                let message = Message::Append {
                    term,
                    prev,
                    entries,
                    commit,
                };
                let to = peer.id;
                out.push(Effect::Send { to, message });
            }
        }
    }

    /// Stores what a leader sent. The leader is of this term, and was taken note of.
    pub(super) fn on_append(
        &mut self,
        from: NodeId,
        prev: LogId,
        entries: Vec<Entry>,
        commit: Index,
        out: &mut Vec<Effect>,
    ) {
        let term = self.vote.term;
        let mut before = prev;
        let follows = |entry: &Entry| {
            let fits = entry.id.index == before.index.next()
                && before.term <= entry.id.term
                && entry.id.term <= term;
            before = entry.id;
            fits
        };
        if self.installing.is_some() || !entries.iter().all(follows) {
            return;
        }
        // What lies below the base is covered by a snapshot, and so equals the leader's.
        let stale = self.config.has(Bug::StaleBelowSnapshot);
        if (self.log.base().index <= prev.index || stale) && !self.log.contains(prev) {
            if prev.index <= self.commit && !stale {
                return self.contradicted(from, prev, out);
            }
            let hint = match self.config.has(Bug::HintBeyondProbe) {
                false => self.log.agreement(prev.index, prev.term),
                true => self.log.last(),
            };
            self.note(
                || Note::Refused {
                    leader: from,
                    prev,
                    hint,
                },
                out,
            );
            let message = Message::Rejected {
                term,
                prev: prev.index,
                hint,
            };
            return self.say(from, message, self.disk.term(), out);
        }
        let end = Index(prev.index.0 + entries.len() as u64);
        let is_repeat = entries.iter().all(|entry| self.log.contains(entry.id));
        if self.config.has(Bug::TruncateMatchingTail) && end < self.log.last().index {
            self.truncate(end.max(self.commit).next(), from, out);
        }
        for entry in entries {
            let index = entry.id.index;
            if index < self.log.base().index || self.log.contains(entry.id) {
                continue; // A late or repeated message shortens nothing.
            }
            if index <= self.commit {
                return self.contradicted(from, entry.id, out);
            }
            if index <= self.log.last().index {
                self.truncate(index, from, out);
            }
            let configuration = match &entry.payload {
                Payload::Membership(configuration) => Some(configuration.clone()),
                Payload::Blank | Payload::Command(_) => None,
            };
            self.log.push(entry);
            if let Some(configuration) = configuration {
                self.adopt(index, &configuration, out);
            }
        }
        // Beyond the end of this message the log may be another leader's.
        let proved = match self.config.has(Bug::CommitBeyondMatch) {
            false => end,
            true => self.log.last().index,
        };
        self.commit_to(commit.min(proved), out);
        let matched = match is_repeat && self.config.has(Bug::RepeatNotAcked) {
            false => end,
            true => self.commit.min(end),
        };
        let facts = match self.config.has(Bug::AckBeforeSync) {
            false => self.disk.log(end),
            true => self.disk.nothing(),
        };
        let message = Message::Appended { term, matched };
        self.say(from, message, facts, out);
    }

    fn contradicted(&mut self, leader: NodeId, entry: LogId, out: &mut Vec<Effect>) {
        self.halt(Halt::CommittedDiffers { leader, entry }, out);
    }

    /// Drops entries that conflict with the leader's, and every claim about them.
    fn truncate(&mut self, from: Index, leader: NodeId, out: &mut Vec<Effect>) {
        let to = self.log.last().index;
        if to < from {
            return;
        }
        self.log.truncate(from);
        let lower_claims = !self.config.has(Bug::ClaimsNotLowered);
        let drop_acks = !self.config.has(Bug::WithheldAckSurvivesTruncation);
        self.disk.truncated(from, lower_claims, drop_acks);
        self.note(|| Note::Truncated { from, to, leader }, out);
        self.roll_back(from, out);
    }

    /// Tells a leader of an older term that it is one.
    pub(super) fn refuse_old_term(&mut self, from: NodeId, out: &mut Vec<Effect>) {
        let message = Message::Rejected {
            term: self.vote.term,
            prev: Index(0),
            hint: LogId::default(),
        };
        self.say(from, message, self.disk.term(), out);
    }

    pub(super) fn on_heartbeat(&mut self, commit: Index, out: &mut Vec<Effect>) {
        if self.installing.is_some() {
            return;
        }
        let last = self.log.last().index;
        let beyond =
            self.config.has(Bug::CommitBeyondMatch) || self.config.has(Bug::LostLogUnnoticed);
        let commit = if beyond { commit.min(last) } else { commit };
        if last < commit {
            // The leader names no more than this node once acknowledged.
            return self.halt(Halt::AcknowledgedLost { commit, last }, out);
        }
        self.commit_to(commit, out);
    }

    pub(super) fn on_appended(&mut self, from: NodeId, matched: Index, out: &mut Vec<Effect>) {
        let reachable = self.log.base().index <= matched;
        let last = self.log.last().index;
        let State::Leader(leadership) = &mut self.state else {
            return;
        };
        let Some(peer) = leadership.peer_mut(from) else {
            return;
        };
        if last < matched {
            return; // No ack of this leader's.
        }
        let begins = peer.acknowledged(matched, reachable, self.now);
        peer.chases(last, self.config.election_min, self.now);
        if begins {
            self.note_stream(from, PeerState::Replicate, StreamReason::Agreed, out);
        }
        if self.commit < matched {
            self.advance_commit(out);
        }
    }

    fn note_stream(
        &self,
        peer: NodeId,
        state: PeerState,
        why: StreamReason,
        out: &mut Vec<Effect>,
    ) {
        self.note(|| Note::Stream { peer, state, why }, out);
    }

    pub(super) fn on_rejected(
        &mut self,
        from: NodeId,
        prev: Index,
        hint: LogId,
        out: &mut Vec<Effect>,
    ) {
        let State::Leader(leadership) = &mut self.state else {
            return;
        };
        let Some(peer) = leadership.peer_mut(from) else {
            return;
        };
        if !peer.is_current_refusal(prev) {
            return;
        }
        // Below the log's base only a snapshot helps; what the terms are there does not matter.
        let limit = match self.config.has(Bug::HintBeyondProbe) {
            false => hint.index.min(prev.prev()),
            true => hint.index,
        };
        let agreed = match limit < self.log.base().index {
            true => limit,
            _ if self.config.has(Bug::BackOffByOne) => prev.prev(),
            false => self.log.agreement(limit, hint.term).index,
        };
        peer.rewind(agreed);
        let (peer, next) = (peer.id, peer.next);
        self.note(|| Note::Rewound { peer, next }, out);
    }

    pub(super) fn on_heartbeat_reply(
        &mut self,
        from: NodeId,
        round: u64,
        promised: bool,
        out: &mut Vec<Effect>,
    ) {
        let State::Leader(leadership) = &self.state else {
            return;
        };
        let sent = leadership.sent_at(round).unwrap_or_default();
        let promised = promised.then(|| self.promised_from(sent));
        let State::Leader(leadership) = &mut self.state else {
            return;
        };
        let last = self.log.last().index;
        let Some(peer) = leadership.peer_mut(from) else {
            return;
        };
        if self.round < round {
            return;
        }
        let confirmed = match self.config.has(Bug::LateAnswersConfirm) {
            false => round,
            true => self.round,
        };
        peer.round = peer.round.max(confirmed);
        peer.answered = peer.answered.max(sent);
        peer.promised = peer.promised.max(promised.unwrap_or_default());
        peer.chases(last, self.config.election_min, self.now);
        let stays_stuck = match peer.stream {
            Stream::Probe { .. } => self.config.has(Bug::ProbeSentOnce),
            Stream::Replicate(_) => self.config.has(Bug::WindowNotAsked),
            Stream::Snapshot { .. } => self.config.has(Bug::SnapshotOfferedOnce),
        };
        if stays_stuck || !peer.is_stuck(self.config.retry, self.now) {
            return;
        }
        let term = self.vote.term;
        let message = match &mut peer.stream {
            Stream::Snapshot { last, .. } => {
                let Some(meta) = self.snapshot.clone() else {
                    return;
                };
                *last = meta.last;
                Message::SnapshotOffer { term, meta }
            }
            // Asks what became of everything that is under way.
            Stream::Replicate(_) => {
                let Some(prev) = self.log.id_at(peer.next.prev()) else {
                    if peer.lost() {
                        self.note_stream(from, PeerState::Probe, StreamReason::Lost, out);
                    }
                    return;
                };
                let (entries, commit) = (Vec::new(), self.commit);
                Message::Append {
                    term,
                    prev,
                    entries,
                    commit,
                }
            }
            Stream::Probe { .. } => return,
        };
        out.push(Effect::Send { to: from, message });
    }
}

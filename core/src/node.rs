//! One member of the cluster: Raft, the coordination service and its clients behind one call.
//! The only place where `raft` and `machine` meet.

mod access;
mod agreement;
mod cleaning;
mod clients;
mod deeds;
mod io;
mod members;
mod snapshots;
mod view;
mod watches;

use alloc::collections::VecDeque;
use alloc::string::ToString;
use alloc::vec::Vec;

pub use self::access::digest_id;
pub use self::io::{
    Admin, Boot, BootError, Input, Note, Output, ReadNow, SavePart, SnapshotImage, SnapshotStage,
};
pub use self::view::{ConnView, View};
pub use crate::command::Reconfigure;
pub use crate::raft::storage::Records;
pub use crate::raft::view::{PeerState, PeerView, WithheldView};
pub use crate::request::Hangup;

use self::agreement::Agreement;
use self::cleaning::Cleaning;
use self::clients::Clients;
use self::deeds::Deeds;
use self::members::Wishes;
use self::snapshots::Snapshots;
use crate::command::{Applied, Change, Command, WriteRequest};
use crate::config::{Bug, Config};
use crate::halt::Halt;
use crate::id::{ConnId, Index, LogId, NodeId, SessionId, Term, WriteId};
use crate::machine::Machine;
use crate::message::Message;
use crate::raft::message::Payload;
use crate::raft::note::TransferEnd;
use crate::raft::{Effect, Raft};
use crate::request::{Request, Response};
use crate::rng::Rng;
use crate::session::Deadlines;
use crate::time::{Span, Time};
use crate::watch::Watches;
use crate::watch::history::History;
use crate::wire::{self, snapshot::Rebuild};

/// A call of `step` this much later than its deadline means that the process stood still (rule R15).
const LATE: Span = Span::from_ms(100);
/// A write that is not reported for this long means that the disk stood still (rule R15).
const SLOW_WRITE: Span = Span::from_ms(500);
/// What commands this version of the state machine knows; goes through the log (rule R28).
const FEATURES: u32 = 1;

type Effects = Vec<Effect>;

/// A node. One value, owned by one task. A clone shares what has not changed since.
#[derive(Clone)]
pub struct Node {
    config: Config,
    /// The latest time the node was told; it never goes back.
    now: Time,
    raft: Raft,
    machine: Machine,
    /// The last entry that was applied, and its stamp.
    applied: LogId,
    stamp: Time,
    watches: Watches,
    history: History,
    deeds: Deeds,
    clients: Clients,
    snapshots: Snapshots,
    /// For when this node leads: when each session ends, unless it gives a sign of life.
    deadlines: Deadlines,
    /// The term whose duties this leader has taken up.
    leads: Option<Term>,
    wishes: Wishes,
    agreement: Agreement,
    cleaning: Cleaning,
    /// Sessions whose deadline has passed, with their epochs, and the round that must confirm that
    /// this node still leads before it may say so (rule R15).
    expiring: Option<(u64, Vec<(SessionId, Index)>)>,
    /// Writes handed to the disk and not reported, with the time of each.
    writes: VecDeque<(WriteId, Time)>,
    /// The operator's wish that the transfer of the lead under way is to answer.
    transfer_asked: Option<u64>,
    /// Becomes the secret of session passwords if this node is the first leader (rule R11).
    secret: [u8; 32],
    halted: bool,
    effects: Effects,
    changes: Vec<Change>,
}

impl Node {
    /// A node on what its disk held. `entropy` is 32 random bytes: the only chance it will ever see.
    ///
    /// # Errors
    /// If the image cannot be the state of any run (a gap, a term above the vote's, a damaged part).
    pub fn boot(
        config: Config,
        boot: Boot,
        entropy: [u8; 32],
        now: Time,
    ) -> Result<Self, BootError> {
        let mut seed = entropy.chunks_exact(8).fold(0, |seed: u64, chunk| {
            let word = chunk
                .iter()
                .fold(0, |word: u64, byte| word << 8 | u64::from(*byte));
            Rng::new(seed ^ word).next_u64()
        });
        let mut rng = Rng::new(seed);
        seed = rng.next_u64();
        let incarnation = rng.next_u64();

        let (mut machine, mut applied, mut stamp) = (Machine::new(), LogId::default(), Time(0));
        let mut bytes = 0;
        let meta = boot.snapshot.as_ref().map(|image| image.meta.clone());
        if let Some(image) = boot.snapshot {
            machine = rebuild(&image)?;
            (applied, stamp) = (image.meta.last, image.meta.stamp);
            bytes = image.parts.iter().map(|part| part.len() as u64).sum();
        }
        let frozen = meta.clone().map(|meta| (meta, machine.clone()));
        let raft = Raft::boot(
            &config,
            boot.vote,
            boot.commit_hint,
            meta,
            boot.log,
            seed,
            now,
        )
        .map_err(BootError)?;
        if config.has(Bug::AppliedFromCommit)
            && let Some(entry) = raft.entry(raft.commit())
        {
            (applied, stamp) = (entry.id, entry.stamp);
        }
        let clients = Clients::new(incarnation, now, config.retry);
        Ok(Self {
            now,
            raft,
            machine,
            applied,
            stamp,
            watches: Watches::new(),
            history: History::new(applied.index, config.watch_history_bytes),
            deeds: Deeds::new(applied.index, config.explain_bytes),
            clients,
            snapshots: Snapshots::new(frozen, bytes),
            deadlines: Deadlines::new(),
            leads: None,
            wishes: Wishes::default(),
            agreement: Agreement::default(),
            cleaning: Cleaning::new(now),
            expiring: None,
            writes: VecDeque::new(),
            transfer_asked: None,
            secret: entropy,
            halted: false,
            effects: Vec::new(),
            changes: Vec::new(),
            config,
        })
    }

    /// The only way in. Inputs are handled in order; then due timers fire; then what is committed is
    /// applied; then appends and one write are formed, so a larger batch means larger messages.
    /// Outputs are appended to `out`.
    pub fn step(
        &mut self,
        now: Time,
        inputs: impl IntoIterator<Item = Input>,
        out: &mut Vec<Output>,
    ) {
        if self.halted {
            return;
        }
        self.forgive_lateness(now, out);
        self.now = self.now.max(now);
        let mut effects = core::mem::take(&mut self.effects);
        for input in inputs {
            self.take(input, &mut effects, out);
            self.carry_out(&mut effects, out);
        }
        self.raft.tick(self.now, &mut effects);
        self.carry_out(&mut effects, out);
        self.apply_committed(out);
        self.lead(out);
        self.steer_members(&mut effects, out);
        self.carry_out(&mut effects, out);
        self.part_when_leaderless(out);
        self.flush_clients(out);
        self.take_snapshot(false, out);
        self.save_next_part(out);
        self.snapshots.drop_old();
        self.pull_snapshot(out);
        self.raft.flush(self.now, &mut effects);
        self.carry_out(&mut effects, out);
        // A single node commits without anybody's answer.
        self.apply_committed(out);
        self.serve_confirmed(out);
        self.effects = effects;
    }

    /// The latest moment by which `step` must be called again, even with no inputs.
    #[must_use]
    pub fn deadline(&self) -> Time {
        if self.halted {
            return Time::NEVER;
        }
        // Who cannot let sessions expire yet is not woken for it: the step in which it can comes by itself.
        let sessions = match self.expiring {
            None if self.leads.is_some() && self.raft.serving() && !self.is_disk_slow() => {
                self.deadlines.next()
            }
            _ => Time::NEVER,
        };
        // A lone leader has no heartbeats to send: without this it could not tell that it stood still.
        let watch = match self.leads.is_some() && 0 < self.machine.session_count() {
            true => self.now + LATE,
            false => Time::NEVER,
        };
        self.raft
            .deadline()
            .min(watch)
            .min(self.clients_deadline())
            .min(self.snapshots_deadline())
            .min(self.members_deadline())
            .min(self.cleaning_deadline())
            .min(sessions)
    }

    /// Answers a read that changes nothing, beside `step` (rule R1).
    #[must_use]
    pub fn read(&self, conn: ConnId, request: &Request) -> ReadNow {
        self.read_now(conn, request)
    }

    /// For the page, metrics and tests; never for the driver's decisions.
    #[must_use]
    pub fn view(&self) -> View<'_> {
        View { node: self }
    }

    /// Hash of all replicated and protocol state, by a fixed algorithm (rule R9).
    #[must_use]
    pub fn digest(&self) -> u64 {
        let mut state = 0;
        let mut into = |word: u64| state = Rng::new(state ^ word).next_u64();
        into(self.config.id.0);
        into(self.applied.index.0);
        into(self.applied.term.0);
        into(self.stamp.0);
        into(self.machine.digest());
        self.raft.digest(&mut into);
        self.clients.digest(&mut into);
        self.snapshots.digest(&mut into);
        into(self.watches.len() as u64);
        into(self.writes.len() as u64);
        into(u64::from(self.halted));
        state
    }

    /// Hash of what decides what Raft does next and of what was applied, without times, chance and numbers
    /// that only name: a node that differs in nothing else does the same, if at another time. For those
    /// who explore states; clients, watches and sessions' deadlines are not in it.
    #[must_use]
    pub fn shape(&self) -> u64 {
        let mut state = 0;
        let mut into = |word: u64| state = Rng::new(state ^ word).next_u64();
        into(self.config.id.0);
        into(self.applied.index.0);
        into(self.machine.digest());
        into(self.leads.map_or(0, |term| term.0));
        self.raft.shape(&mut into);
        into(u64::from(self.halted));
        state
    }

    fn take(&mut self, input: Input, effects: &mut Effects, out: &mut Vec<Output>) {
        let now = self.now;
        match input {
            Input::Peer { from, message } => match message {
                Message::Raft(message) => self.raft.receive(now, from, message, effects),
                Message::Forward {
                    stream,
                    at,
                    commands,
                } => {
                    self.forwarded(from, stream, at, commands);
                }
                Message::Digest { index, digest } => self.told_digest(from, index, digest, out),
                Message::Touch { sessions } => {
                    if self.raft.is_leader() {
                        sessions.into_iter().for_each(|session| self.touch(session));
                    }
                }
            },
            Input::PeerLost { peer } => {
                self.raft.peer_lost(peer, effects);
                if self.raft.leader() == Some(peer) {
                    self.clients.restart_stream();
                }
            }
            Input::ClientOpened { conn, address } => self.client_opened(conn, address, out),
            Input::Client { conn, tag, request } => self.client_request(conn, tag, request, out),
            Input::ClientIdentified { conn, identity } => {
                self.client_identified(conn, identity, out);
            }
            Input::ClientGone { conn } => self.client_gone(conn),
            Input::Touched { conns } => self.clients_touched(&conns),
            Input::Written(id) => {
                self.forgive_slow_writes(id, out);
                self.raft.written(now, id, effects);
            }
            Input::Saved(id) => self.saved(id, effects, out),
            Input::Admin { tag, wish } => {
                let result = match wish {
                    Admin::TakeSnapshot => {
                        self.take_snapshot(true, out);
                        Ok(())
                    }
                    Admin::Campaign => {
                        self.raft.campaign(now, effects);
                        Ok(())
                    }
                    Admin::Transfer { to } => match self.raft.transfer(now, to, effects) {
                        Ok(_) => {
                            // The answer comes when it is over.
                            self.transfer_asked = Some(tag);
                            return;
                        }
                        Err(why) => Err(why),
                    },
                    Admin::Reconfigure(request) => {
                        self.wish_for_members(tag, request);
                        return;
                    }
                    Admin::CancelTransfer => match self.raft.cancel_transfer(effects) {
                        true => Ok(()),
                        false => Err("no transfer is under way".into()),
                    },
                };
                out.push(Output::Done { tag, result });
            }
        }
    }

    fn carry_out(&mut self, effects: &mut Effects, out: &mut Vec<Output>) {
        for effect in effects.drain(..) {
            match effect {
                Effect::Write { id, records } => {
                    self.writes.push_back((id, self.now));
                    out.push(Output::Write { id, records });
                }
                Effect::Send { to, message } => {
                    out.push(Output::Send {
                        to,
                        message: Message::Raft(message),
                    });
                }
                Effect::Note(note) => out.push(Output::Note(Note::Raft(note))),
                Effect::Halt(why) => self.halt(why, out),
                Effect::Offered { from, meta } => self.snapshot_offered(from, meta, out),
                Effect::Pulled { from, last, cursor } => {
                    self.snapshot_pulled(from, last, cursor, out);
                }
                Effect::Part {
                    last,
                    cursor,
                    next,
                    bytes,
                    ..
                } => {
                    self.snapshot_part(last, &cursor, next, bytes, out);
                }
                Effect::Installed { meta } => self.installed(&meta, out),
                Effect::Confirmed { number, index } => self.clients.confirmed(number, index),
                Effect::Transferred { to, end } => self.transferred(to, end, out),
            }
        }
    }

    /// Answers the operator who wanted the lead to move.
    fn transferred(&mut self, to: NodeId, end: TransferEnd, out: &mut Vec<Output>) {
        let Some(tag) = self.transfer_asked.take() else {
            return;
        };
        let result = match end {
            TransferEnd::Done => Ok(()),
            TransferEnd::TimedOut => Err(alloc::format!(
                "member {to} did not take over within {} ms",
                self.config.election_max().as_ms()
            )),
            TransferEnd::Cancelled => Err("the transfer was cancelled".into()),
            TransferEnd::Overtaken(leader) => Err(alloc::format!(
                "member {leader} leads now, and not member {to}"
            )),
        };
        out.push(Output::Done { tag, result });
    }

    fn halt(&mut self, why: Halt, out: &mut Vec<Output>) {
        self.halted = true;
        out.push(Output::Halt(why));
    }

    /// Applies what is committed and durable, one entry after the other; for each entry first its
    /// events and then its answer, so that nobody sees new data before the event of a watch on it.
    fn apply_committed(&mut self, out: &mut Vec<Output>) {
        let mut page = match self.config.has(Bug::PageSkips) {
            false => u64::MAX,
            true => 4,
        };
        while self.applied.index < self.raft.ready() && !self.halted {
            let index = self.applied.index.next();
            let Some(entry) = self.raft.entry(index) else {
                return self.halt(Halt::EntryMissing { index }, out);
            };
            (self.applied, self.stamp) = (entry.id, entry.stamp);
            if let Payload::Membership(configuration) = &entry.payload {
                let mut changes = core::mem::take(&mut self.changes);
                let moment = (index, entry.stamp.as_ms());
                let applied = self.machine.configured(moment, configuration, &mut changes);
                self.changes = changes;
                self.applied(index, applied, out);
            } else if let Payload::Command(bytes) = &entry.payload {
                match wire::decode_command(bytes) {
                    Ok(command) => self.apply(index, &command, out),
                    // A leader of a newer version must not send what the feature level forbids.
                    Err(error) => {
                        let why = error.to_string();
                        return self.halt(Halt::Unreadable { index, why }, out);
                    }
                }
            }
            if self.config.notes {
                out.push(Output::Note(Note::Applied { index }));
            }
            self.mark(index, out);
            page = page.saturating_sub(1);
            if page == 0
                && let Some(entry) = self.raft.entry(self.raft.ready())
            {
                (self.applied, self.stamp) = (entry.id, entry.stamp);
            }
        }
    }

    fn apply(&mut self, index: Index, command: &Command, out: &mut Vec<Output>) {
        if self.config.has(Bug::ReplicaDiverges)
            && self.config.id == NodeId(2)
            && index.0.is_multiple_of(50)
        {
            return;
        }
        if self.config.has(Bug::WritesRunAgain)
            && let Command::Write {
                session, number, ..
            } = command
        {
            self.machine.sessions.expect_number(*session, *number);
        }
        if self.config.has(Bug::RepeatsRunAgain)
            && let Command::Write {
                session,
                request: WriteRequest::Once(_),
                ..
            } = command
        {
            self.machine.sessions.forget_answers(*session);
        }
        let mut changes = core::mem::take(&mut self.changes);
        let applied = self.machine.apply(index, self.stamp, command, &mut changes);
        debug_assert!(
            !self.is_digest_due(index) || self.machine.is_digest_right(),
            "the digest of the state is not that of the state"
        );
        self.changes = changes;
        self.remember(index, command, &applied);
        self.applied(index, applied, out);
    }

    /// Tells of a change of the state: first its events, then its answer.
    fn applied(&mut self, index: Index, applied: Applied, out: &mut Vec<Output>) {
        let mut changes = core::mem::take(&mut self.changes);
        for change in changes.drain(..) {
            let clients = &self.clients;
            self.watches.fire(&change, index, &mut |conn, event| {
                if clients.may_see(conn, &change) {
                    out.push(Output::Notify { conn, event });
                }
            });
            self.history.push(index, &change);
        }
        self.changes = changes;
        match applied {
            Applied::Nothing => {}
            Applied::Attached {
                origin,
                session,
                epoch,
                timeout_ms,
                password,
                replaced,
                ..
            } => {
                if let Some(old) = replaced {
                    self.session_over(old, false, out);
                    self.expired(old, out);
                }
                if self.leads.is_some() {
                    self.deadlines.arm(self.now, session, timeout_ms);
                }
                if self.config.notes && epoch.0 == session.0 {
                    out.push(Output::Note(Note::SessionOpened { session }));
                }
                let response = Response::Connected {
                    session,
                    password,
                    timeout_ms,
                    read_only: false,
                };
                self.attached(&origin, session, epoch, response, out);
            }
            Applied::Refused { origin } => self.attach_refused(&origin, out),
            Applied::Wrote {
                session,
                epoch,
                number,
                result,
            } => {
                // A follower tells of signs of life by messages that may be lost; this cannot be.
                self.touch(session);
                if matches!(result, Ok(Response::Closed)) {
                    self.session_over(session, false, out);
                }
                self.wrote(session, epoch, number, result, out);
            }
            Applied::Pending(asker) => self.change_pending(asker),
            Applied::Reconfigured { asker, result } => self.change_ended(asker, result, out),
            Applied::Expired { sessions } => {
                for session in sessions {
                    self.session_over(session, true, out);
                    self.expired(session, out);
                }
            }
        }
    }

    /// Recomputing a digest takes as long as the state is large, so a debug build does it in proportion.
    fn is_digest_due(&self, index: Index) -> bool {
        let size = self.machine.tree().count().max(256);
        index.0.is_multiple_of(size.next_power_of_two())
    }

    fn session_over(&mut self, session: SessionId, expired: bool, out: &mut Vec<Output>) {
        self.deadlines.remove(session);
        if self.config.notes {
            out.push(Output::Note(Note::SessionClosed { session, expired }));
        }
    }

    /// What a leader owes its clients: the secret, and the end of sessions that fell silent.
    fn lead(&mut self, out: &mut Vec<Output>) {
        let term = self.raft.is_leader().then(|| self.raft.term());
        if self.leads != term {
            self.leads = term;
            self.expiring = None;
            self.clients.forget_inbound();
            if term.is_some() {
                self.take_up_leadership();
            }
        }
        if self.leads.is_some() && self.raft.serving() {
            self.expire_sessions(out);
            self.clean();
        }
    }

    fn take_up_leadership(&mut self) {
        // Nobody expires because of an election (rule R15).
        if !self.config.has(Bug::DeadlinesOutliveLead) {
            self.deadlines.reset_all(self.now, self.machine.sessions());
        }
        self.cleaning = Cleaning::new(self.now + self.config.container_check);
        if !self.machine.initialised() {
            let init = Command::Init {
                secret: self.secret,
                features: FEATURES,
                max_depth: self.config.max_depth,
                members: self.raft.configuration().clone(),
            };
            // A fresh leader has room: its log holds nothing uncommitted of its own but the blank entry.
            let _ = self
                .raft
                .propose(self.now, Payload::Command(wire::encode_command(&init)));
        }
    }

    /// A sign of life of a session, as the leader counts it.
    fn touch(&mut self, session: SessionId) {
        if self.leads.is_some() {
            self.deadlines.touch(self.now, session);
        }
    }

    fn expire_sessions(&mut self, out: &mut Vec<Output>) {
        if self.is_disk_slow() {
            return;
        }
        if let Some((round, sessions)) = &self.expiring {
            if self.raft.confirmed_round() < *round {
                return;
            }
            // A sign of life may have come in while the round was under way.
            let overdue =
                |(session, _): &&(SessionId, Index)| self.deadlines.is_overdue(self.now, *session);
            let sessions: Vec<_> = sessions.iter().filter(overdue).copied().collect();
            if sessions.is_empty() {
                self.expiring = None;
                return;
            }
            let payload = Payload::Command(wire::encode_command(&self.silent(&sessions)));
            // A leader that is busy tries again at the next step.
            if self.raft.propose(self.now, payload).is_ok() {
                self.expiring = None;
            }
            return;
        }
        let due = self.deadlines.due(self.now);
        if due.is_empty() {
            return;
        }
        let sessions: Vec<_> = due
            .into_iter()
            .filter_map(|id| self.machine.session(id).map(|session| (id, session.epoch)))
            .collect();
        if self.config.notes {
            for (session, _) in &sessions {
                out.push(Output::Note(Note::SessionExpiring { session: *session }));
            }
        }
        if self.config.has(Bug::ExpiresBesideTheLog) {
            return self.apply(self.applied.index, &self.silent(&sessions), out);
        }
        self.expiring = Some((self.raft.begin_round(self.now), sessions));
    }

    /// Time in which this process stood still does not count against sessions (rule R15).
    fn forgive_lateness(&mut self, now: Time, out: &mut Vec<Output>) {
        if self.leads.is_none() {
            return;
        }
        let late = now.since(self.deadline().max(self.now));
        if LATE < late {
            self.forgive(late, out);
        }
    }

    /// Time in which the disk stood still does not count against sessions either.
    fn forgive_slow_writes(&mut self, id: WriteId, out: &mut Vec<Output>) {
        let oldest = self.writes.front().map(|(_, since)| *since);
        while self.writes.front().is_some_and(|(write, _)| *write <= id) {
            self.writes.pop_front();
        }
        if let Some(since) = oldest
            && SLOW_WRITE < self.now.since(since)
        {
            self.forgive(self.now.since(since), out);
        }
    }

    fn forgive(&mut self, span: Span, out: &mut Vec<Output>) {
        self.deadlines.extend_all(span);
        if self.config.notes {
            out.push(Output::Note(Note::StallForgiven { us: span.0 }));
        }
    }

    fn is_disk_slow(&self) -> bool {
        self.writes
            .front()
            .is_some_and(|(_, since)| SLOW_WRITE < self.now.since(*since))
    }
}

fn rebuild(image: &SnapshotImage) -> Result<Machine, BootError> {
    let damaged = |error: wire::WireError| {
        BootError(alloc::format!(
            "the snapshot up to {} is damaged ({error}): remove this node's data and add it again under a new number",
            image.meta.last
        ))
    };
    let mut rebuild = Rebuild::new();
    for part in &image.parts {
        rebuild.add(part).map_err(damaged)?;
    }
    rebuild.finish().map_err(damaged)
}

#[cfg(test)]
mod tests;

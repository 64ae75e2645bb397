//! A member as its driver sees it: the node, its disk, its client connections, and the calls of `step`.
//! This is the simulator's driver; it keeps the five promises of `lib.rs` as the server's does.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::clock::Clock;
use super::disk::Disk;
use super::hash::mix;
use super::{
    Cargo, ClientId, DiskProfile, DiskView, End, Finding, Flight, Invariant, LossReason, Sim, What,
};
use crate::config::Config;
use crate::configuration::{self, Configuration, Standing};
use crate::halt::Halt;
use crate::id::{ConnId, Index, NodeId, ReplicaId};
use crate::node::{Input, Node, Output, ReadNow, View};
use crate::time::Time;
use crate::trace::{DIGEST_EVERY, Step, with_bug};

#[derive(Clone)]
pub(super) struct Member {
    node: Option<Node>,
    clock: Clock,
    /// When its clock comes to the node's deadline, as that was after its last step.
    due: Time,
    paused: bool,
    /// What arrived while it was paused.
    waiting: Vec<Input>,
    /// Whose reads were answered beside `step` since the last one.
    touched: Vec<ConnId>,
    conns: BTreeMap<ConnId, ClientId>,
    calls: u64,
    /// Which data directory it has; a wiped member gets another one.
    replica: ReplicaId,
    /// Whether that was put back from an older copy, so that the member has forgotten what it promised.
    forgetful: bool,
    pub(super) disk: Disk,
}

impl Member {
    pub(super) fn new(now: Time, profile: DiskProfile, replica: ReplicaId) -> Self {
        Self {
            replica,
            forgetful: false,
            clock: Clock::new(now),
            node: None,
            due: Time::NEVER,
            paused: false,
            waiting: Vec::new(),
            touched: Vec::new(),
            conns: BTreeMap::new(),
            calls: 0,
            disk: Disk::new(profile),
        }
    }

    pub(super) fn view(&self) -> Option<View<'_>> {
        self.node.as_ref().map(Node::view)
    }

    pub(super) const fn is_up(&self) -> bool {
        self.node.is_some()
    }

    pub(super) const fn is_paused(&self) -> bool {
        self.paused
    }

    /// What its clock shows.
    pub(super) fn clock(&self, now: Time) -> Time {
        self.clock.at(now)
    }

    /// Its clock goes at another rate, or jumps.
    pub(super) fn change_clock(&mut self, change: impl FnOnce(&mut Clock)) {
        change(&mut self.clock);
        if let Some(node) = &self.node {
            self.due = self.clock.when(node.deadline());
        }
    }

    /// When its node must be called.
    pub(super) const fn deadline(&self) -> Time {
        if self.paused || self.node.is_none() {
            Time::NEVER
        } else {
            self.due
        }
    }

    pub(super) fn disk_view(&self) -> DiskView {
        let disk = &self.disk;
        DiskView {
            frozen: disk.is_frozen(),
            waiting: disk.waiting(),
            oldest: disk.oldest(),
            syncing_until: disk.syncing_until(),
            vote: disk.vote(),
            last: disk.last(),
            snapshot: disk.snapshot_last(),
            profile: disk.profile,
        }
    }

    /// Ends a client's connection; false if there was none.
    pub(super) fn hang_up(&mut self, conn: ConnId) -> bool {
        self.conns.remove(&conn).is_some()
    }

    pub(super) fn digest(&self, hash: u64) -> u64 {
        let node = self.node.as_ref().map_or(0, Node::digest);
        let hash = mix(mix(hash, node), u64::from(self.paused));
        self.disk.digest(mix(hash, self.waiting.len() as u64))
    }
}

impl Sim {
    /// Starts a member's process on its disk.
    pub(super) fn boot(&mut self, id: NodeId) {
        let now = self.clock(id);
        let planted = self.config.planted;
        let config = Config {
            id,
            replica: self
                .member(id)
                .map_or(ReplicaId(0), |member| member.replica),
            members: self.first_members(id),
            ..self.config.node.clone()
        };
        let mut entropy = [0; 32];
        for word in entropy.chunks_exact_mut(8) {
            word.copy_from_slice(&self.boot_rng.next_u64().to_le_bytes());
        }
        let Some(member) = self.member_mut(id) else {
            return;
        };
        if member.node.is_some() {
            return;
        }
        let boot = member.disk.image();
        let step = Step::Boot {
            config: Box::new(config.clone()),
            planted,
            boot: boot.clone(),
            entropy,
            now,
        };
        match Node::boot(with_bug(config, planted), boot, entropy, now) {
            Ok(node) => {
                member.due = member.clock.when(node.deadline());
                member.node = Some(node);
                member.calls = 0;
                if self.config.record {
                    self.trace.push(step);
                }
                if let Some(view) = self.members[id.0 as usize - 1].view() {
                    self.checker.booted(id, view);
                }
                self.note(|| What::Booted { node: id });
            }
            Err(why) => self.halted(id, Halt::Disk(why.0)),
        }
    }

    /// The members that the cluster begins with; nobody for one that comes later, or anew.
    fn first_members(&self, id: NodeId) -> Configuration {
        let voters = u64::from(self.config.voters.unwrap_or(self.config.nodes));
        let is_first = |id: NodeId| ReplicaId(id.0.into());
        let own = self.member(id).map(|member| member.replica);
        if voters < id.0 || own != Some(is_first(id)) {
            return Configuration::default();
        }
        let voter = |id| configuration::Member {
            id: NodeId(id),
            replica: is_first(NodeId(id)),
            address: String::new(),
            clients: String::new(),
            standing: Standing::Voter,
        };
        Configuration::new((1..=voters).map(voter).collect())
    }

    /// A member with the disk it has now.
    pub(super) fn as_member(
        &self,
        id: NodeId,
        standing: Standing,
    ) -> Option<configuration::Member> {
        Some(configuration::Member {
            id,
            replica: self.member(id)?.replica,
            address: String::new(),
            clients: String::new(),
            standing,
        })
    }

    /// Who are members, as the latest leader says.
    pub(super) fn newest_members(&self) -> Option<&Configuration> {
        Some(self.node(self.leader()?)?.configuration())
    }

    /// Whether the newest configuration counts on this member as it is, with the disk that it has now.
    pub(super) fn is_counted_on(&self, id: NodeId) -> bool {
        let newest = self.newest_members().and_then(|newest| newest.member(id));
        let own = self.member(id).map(|member| member.replica);
        newest.is_some_and(|newest| Some(newest.replica) == own)
    }

    /// Whether all are up, no change of the members is pending, and no member has lost its disk.
    pub(super) fn all_settled(&self) -> bool {
        let Some(leader) = self.leader().and_then(|leader| self.node(leader)) else {
            return false;
        };
        let newest = leader.configuration_index();
        let quiet = |member: &Member| {
            let view = member.view();
            view.is_some_and(|view| {
                let pending = view.machine().members().pending();
                pending.is_none() && view.configuration_index() <= newest
            })
        };
        let mut members = leader.configuration().members().iter();
        self.members.iter().all(quiet)
            && newest <= leader.commit()
            && !leader.configuration().is_joint()
            && members.all(|member| self.is_counted_on(member.id))
    }

    /// A member loses its disk and comes back on an empty one, as another replica.
    pub(super) fn wipe(&mut self, id: NodeId) {
        let now = self.now;
        self.kill(id, 0);
        // Its connections end with it: what was said to the lost replica, or by it, is not the new one's.
        for other in self.nodes() {
            self.cut_off(id, other);
            self.cut_off(other, id);
        }
        let profile = self.config.disk;
        let Some(member) = self.member_mut(id) else {
            return;
        };
        // Beyond all numbers that replicas began with, and another one each time.
        let replica = ReplicaId(member.replica.0 + 256);
        let clock = member.clock;
        *member = Member::new(now, profile, replica);
        member.clock = clock;
        self.checker.forgot(id, replica);
        self.boot(id);
    }

    /// A member comes back as the same replica on an older copy of its disk.
    pub(super) fn put_back_disk(&mut self, id: NodeId) {
        if !self.member(id).is_some_and(|member| member.disk.has_copy()) {
            return;
        }
        self.kill(id, 0);
        let Some(member) = self.member_mut(id) else {
            return;
        };
        member.forgetful = member.disk.put_back();
        let replica = member.replica;
        self.checker.forgot(id, replica);
        self.boot(id);
    }

    /// Whether both ends of a link let each other in: drivers ask them before they use one.
    fn is_admitted(&self, from: NodeId, to: NodeId) -> bool {
        let admits = |host: NodeId, guest: NodeId| {
            let (Some(host), Some(guest_member)) = (self.member(host), self.member(guest)) else {
                return false;
            };
            let since = guest_member
                .view()
                .map_or(Index(0), |view| view.configuration_index());
            host.view()
                .is_none_or(|view| view.admits(guest, guest_member.replica, since).is_ok())
        };
        admits(to, from) && admits(from, to)
    }

    /// Ends a member's process. Of the records that are not synced, `keep` survive.
    pub(super) fn kill(&mut self, id: NodeId, keep: u32) {
        let now = self.now;
        let Some(member) = self.member_mut(id) else {
            return;
        };
        if member.node.take().is_none() {
            return;
        }
        member.paused = false;
        member.waiting.clear();
        member.touched.clear();
        let conns = core::mem::take(&mut member.conns);
        let lost = member.disk.crash(keep);
        let image = member.disk.image();
        match lost {
            Ok(lost) => self.note(|| What::Died { node: id, lost }),
            Err(text) => self.stopped(id, Halt::Disk(text)),
        }
        if self.config.checks {
            self.checker.crashed(id, &image);
        }
        for (conn, client) in conns {
            let end = Cargo::End { conn, reason: None };
            self.net
                .stream(now, End::Node(id), End::Client(client), conn, end);
        }
        for peer in self.nodes().filter(|peer| *peer != id) {
            self.send(id, peer, Cargo::PeerLost);
        }
    }

    /// How many records a crash of this member keeps, by chance: often none or all.
    pub(super) fn draw_kept(&mut self, id: NodeId) -> u32 {
        let Some(member) = self.member(id) else {
            return 0;
        };
        let unsynced = member.disk.unsynced();
        match self.disk_rng.below(4) {
            0 => 0,
            1 => unsynced,
            _ => self.disk_rng.below(u64::from(unsynced) + 1) as u32,
        }
    }

    pub(super) fn pause(&mut self, id: NodeId) {
        if let Some(member) = self.member_mut(id)
            && member.node.is_some()
        {
            member.paused = true;
        }
    }

    /// All that waited goes in with one call, so that the node hears of its successor before its timers fire.
    pub(super) fn resume(&mut self, id: NodeId) {
        let Some(member) = self.member_mut(id) else {
            return;
        };
        if core::mem::replace(&mut member.paused, false) {
            let inputs = core::mem::take(&mut member.waiting);
            self.call(id, inputs);
        }
    }

    pub(super) fn disk_reports(&mut self, id: NodeId) {
        let now = self.now;
        let place = (id.0 as usize).wrapping_sub(1);
        let Some(member) = self.members.get_mut(place) else {
            return;
        };
        match member.disk.complete(now, &mut self.disk_rng) {
            Ok((written, saved)) => {
                if let Some(write) = written {
                    self.note(|| What::Synced { node: id, write });
                }
                let written = written.map(Input::Written);
                let inputs: Vec<Input> =
                    written.into_iter().chain(saved.map(Input::Saved)).collect();
                if !inputs.is_empty() {
                    self.input(id, inputs);
                }
            }
            Err(text) => {
                self.stopped(id, Halt::Disk(text));
                self.kill(id, 0);
            }
        }
    }

    pub(super) fn arrive_at_node(&mut self, id: NodeId, flight: Flight) {
        let Some(member) = self.member_mut(id) else {
            return;
        };
        let input = match (flight.from, flight.cargo) {
            (End::Node(from), Cargo::Peer(message)) => {
                let message = Arc::try_unwrap(message).unwrap_or_else(|shared| (*shared).clone());
                Input::Peer { from, message }
            }
            (End::Node(peer), Cargo::PeerLost) => Input::PeerLost { peer },
            (End::Client(client), Cargo::Open { conn }) => {
                member.conns.insert(conn, client);
                Input::ClientOpened {
                    conn,
                    address: format!("client {}", client.0),
                }
            }
            (End::Client(client), Cargo::Request { conn, tag, request }) => {
                if !member.conns.contains_key(&conn) {
                    return;
                }
                if !member.paused
                    && let Some(node) = &member.node
                    && let ReadNow::Now(reply) = node.read(conn, &request)
                {
                    if let Err(place) = member.touched.binary_search(&conn) {
                        member.touched.insert(place, conn);
                    }
                    if self.config.checks {
                        let disk = &self.members[id.0 as usize - 1].disk;
                        self.checker.durable_before_shown(id, reply.zxid, disk);
                    }
                    let cargo = Cargo::Reply { conn, tag, reply };
                    self.net
                        .stream(self.now, End::Node(id), End::Client(client), conn, cargo);
                    return;
                }
                Input::Client { conn, tag, request }
            }
            (End::Client(_), Cargo::End { conn, .. }) => {
                self.net.forget(conn);
                let Some(member) = self.member_mut(id) else {
                    return;
                };
                if member.conns.remove(&conn).is_none() {
                    return;
                }
                Input::ClientGone { conn }
            }
            _ => return,
        };
        self.input(id, Vec::from([input]));
    }

    /// Gives a member what has arrived, or keeps it while the member is paused.
    pub(super) fn input(&mut self, id: NodeId, inputs: Vec<Input>) {
        let Some(member) = self.member_mut(id) else {
            return;
        };
        if member.node.is_none() {
            return;
        }
        if member.paused {
            member.waiting.extend(inputs);
        } else {
            self.call(id, inputs);
        }
    }

    /// One call of `step`, and everything that comes of it.
    pub(super) fn call(&mut self, id: NodeId, mut inputs: Vec<Input>) {
        let now = self.now;
        let place = (id.0 as usize).wrapping_sub(1);
        let mut out = core::mem::take(&mut self.out);
        let Some(member) = self.members.get_mut(place) else {
            return;
        };
        let Some(node) = &mut member.node else { return };
        if !member.touched.is_empty() {
            let conns = core::mem::take(&mut member.touched);
            inputs.push(Input::Touched { conns });
        }
        let record = self.config.record.then(|| inputs.clone());
        let shown = member.clock.at(now);
        node.step(shown, inputs, &mut out);
        member.due = member.clock.when(node.deadline());
        member.calls += 1;
        if let Some(inputs) = record {
            let digest = member
                .calls
                .is_multiple_of(DIGEST_EVERY)
                .then(|| node.digest());
            self.trace.push(Step::Call {
                node: id,
                now: shown,
                inputs,
                digest,
            });
        }
        for output in &mut out {
            if let Output::Write { id, records } = output {
                member
                    .disk
                    .write(now, *id, core::mem::take(records), &mut self.disk_rng);
            }
        }
        if self.config.checks
            && let Some(view) = self.members[place].view()
        {
            let disks: Vec<&Disk> = self.members.iter().map(|member| &member.disk).collect();
            let mut stall = self.config.node.disk_stall_limit;
            if view.transfer().is_some() {
                stall = stall + self.config.node.election_max();
            }
            let stall = self.clocks.at_most(stall);
            self.checker.stepped(now, id, view, &disks, stall);
        }
        for output in out.drain(..) {
            self.carry_out_output(id, output);
        }
        self.out = out;
    }

    fn carry_out_output(&mut self, id: NodeId, output: Output) {
        let now = self.now;
        let place = id.0 as usize - 1;
        let client = |sim: &Self, conn: ConnId| sim.members[place].conns.get(&conn).copied();
        match output {
            Output::Write { .. } | Output::Done { .. } => {}
            Output::Save { id: save, part } => {
                self.members[place]
                    .disk
                    .save(now, save, part, &mut self.disk_rng);
            }
            Output::Send { to, message } => {
                if self.config.checks {
                    let disk = &self.members[place].disk;
                    self.checker.durable_before_told(id, to, &message, disk);
                }
                self.send(id, to, Cargo::Peer(Arc::new(message)));
            }
            Output::Reply { conn, tag, reply } => {
                if self.config.checks {
                    self.checker
                        .durable_before_shown(id, reply.zxid, &self.members[place].disk);
                }
                if let Some(client) = client(self, conn) {
                    let cargo = Cargo::Reply { conn, tag, reply };
                    self.net
                        .stream(now, End::Node(id), End::Client(client), conn, cargo);
                }
            }
            Output::Notify { conn, event } => {
                if self.config.checks {
                    self.checker
                        .durable_before_shown(id, event.zxid, &self.members[place].disk);
                }
                if let Some(client) = client(self, conn) {
                    let cargo = Cargo::Watch { conn, event };
                    self.net
                        .stream(now, End::Node(id), End::Client(client), conn, cargo);
                }
            }
            Output::Hangup { conn, reason } => {
                if let Some(client) = self.members[place].conns.remove(&conn) {
                    let cargo = Cargo::End {
                        conn,
                        reason: Some(reason),
                    };
                    self.net
                        .stream(now, End::Node(id), End::Client(client), conn, cargo);
                }
            }
            Output::Note(note) => self.note(|| What::Note { node: id, note }),
            Output::Halt(why) => {
                self.halted(id, why);
                let keep = self.members[place].disk.unsynced();
                self.kill(id, keep);
            }
        }
    }

    /// Sends from member to member; what is lost at once is noted.
    pub(super) fn send(&mut self, from: NodeId, to: NodeId, cargo: Cargo) {
        let admitted = matches!(cargo, Cargo::PeerLost) || self.is_admitted(from, to);
        if let Some(flight) = self.net.send(self.now, (from, to), cargo, admitted) {
            let up = self.net.link(from, to).up;
            let why = match (admitted, up) {
                (false, _) => LossReason::NotAdmitted,
                (true, true) => LossReason::Chance,
                (true, false) => LossReason::Cut,
            };
            self.lost(flight, why);
        }
    }

    /// A member that has forgotten what it promised does well to halt.
    fn halted(&mut self, id: NodeId, why: Halt) {
        if !self.member(id).is_some_and(|member| member.forgetful) {
            self.stopped(id, why.clone());
        }
        self.note(|| What::Halted { node: id, why });
    }

    fn stopped(&mut self, node: NodeId, why: Halt) {
        self.broken(Invariant::NoHalt, Finding::Halted { node, why });
    }
}

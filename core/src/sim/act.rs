//! Carrying out interventions, those of a visitor and those of the fault plan alike.

use super::{
    Cargo, Client, ClientId, Deed, End, FIRST_WORKER, Flight, FlightId, Intervention, LossReason,
    Sim, Start, What,
};
use crate::configuration::{Change, Standing};
use crate::id::{ConnId, NodeId};
use crate::node::{Admin, Input, Reconfigure};
use crate::request::Request;

/// Session timeout that a visitor's client asks for.
const VISITOR_TIMEOUT_MS: u32 = 10_000;

impl Sim {
    /// Changes the course of things at `now()`. What makes no sense (killing a node that is down) does nothing.
    pub fn apply(&mut self, intervention: &Intervention) {
        let deed = Deed {
            event: self.events,
            time: self.now,
            intervention: intervention.clone(),
        };
        self.deeds.push(deed);
        self.events += 1;
        self.carry_out(intervention);
        self.settle();
    }

    pub(super) fn carry_out(&mut self, intervention: &Intervention) {
        let now = self.now;
        self.note(|| What::Intervened(intervention.clone()));
        match *intervention {
            Intervention::Kill(id) => {
                let keep = self.draw_kept(id);
                self.kill(id, keep);
            }
            Intervention::Crash { node, keep } => self.kill(node, keep),
            Intervention::Restart(id) => self.boot(id),
            Intervention::Pause(id) => self.pause(id),
            Intervention::Resume(id) => self.resume(id),
            Intervention::Isolate(id) => {
                self.net.isolate(id, true);
                for other in self.nodes() {
                    self.cut_off(id, other);
                    self.cut_off(other, id);
                }
            }
            Intervention::Rejoin(id) => self.net.isolate(id, false),
            Intervention::Cut { from, to } => {
                self.net.cut(from, to, true);
                self.cut_off(from, to);
            }
            Intervention::Heal { from, to } => self.net.cut(from, to, false),
            Intervention::HealAll => self.net.heal_all(now),
            Intervention::Clog { from, to } => self.net.clog(now, from, to, true),
            Intervention::Unclog { from, to } => self.net.clog(now, from, to, false),
            Intervention::ClockRate { node, per_mille } => {
                if let Some(member) = self.member_mut(node) {
                    member.change_clock(|clock| clock.go(now, per_mille));
                    self.clocks.went(per_mille);
                }
            }
            Intervention::ClockJump { node, by } => {
                if let Some(member) = self.member_mut(node) {
                    member.change_clock(|clock| clock.jump(by));
                    self.clocks.jumped(by);
                }
            }
            Intervention::Loss { link, per_mille } => {
                self.net
                    .tune(link, |profile| profile.loss_per_mille = per_mille);
            }
            Intervention::Delay { link, min, max } => self.net.tune(link, |profile| {
                (profile.delay_min, profile.delay_max) = (min.min(max), max);
            }),
            Intervention::Duplicate { link, per_mille } => {
                self.net
                    .tune(link, |profile| profile.duplicate_per_mille = per_mille);
            }
            Intervention::Reorder { link, per_mille } => {
                self.net
                    .tune(link, |profile| profile.reorder_per_mille = per_mille);
            }
            Intervention::DropFlight(id) => self.drop_flight(id),
            Intervention::DelayFlight { flight, by } => {
                if let Some(arrives) = self.net.flight(flight).map(|flight| flight.arrives) {
                    self.net.reschedule(flight, arrives + by);
                }
            }
            Intervention::DuplicateFlight(id) => self.net.duplicate(now, id),
            Intervention::DeliverFlight(id) => self.deliver_flight(id),
            Intervention::FreezeDisk(id) => {
                if let Some(member) = self.member_mut(id) {
                    member.disk.freeze();
                }
            }
            Intervention::ThawDisk(id) => {
                let place = (id.0 as usize).wrapping_sub(1);
                if let Some(member) = self.members.get_mut(place) {
                    member.disk.thaw(now, &mut self.disk_rng);
                }
            }
            Intervention::SlowDisk { node, min, max } => {
                if let Some(member) = self.member_mut(node) {
                    (member.disk.profile.min, member.disk.profile.max) = (min.min(max), max);
                }
            }
            Intervention::Campaign(id) => self.wish(id, Admin::Campaign),
            Intervention::TakeSnapshot(id) => self.wish(id, Admin::TakeSnapshot),
            Intervention::Transfer { from, to } => self.wish(from, Admin::Transfer { to }),
            Intervention::Members {
                node,
                ref voters,
                ref learners,
            } => {
                let voters = voters.iter().map(|id| (*id, Standing::Voter));
                let learners = learners.iter().map(|id| (*id, Standing::Learner));
                let all = voters.chain(learners);
                let all = all.filter_map(|(id, standing)| self.as_member(id, standing));
                let request = Reconfigure {
                    version: self
                        .node(node)
                        .map(|view| view.machine().members().version()),
                    change: Change::Replace(all.collect()),
                };
                self.wish(node, Admin::Reconfigure(request));
            }
            Intervention::Wipe(id) => self.wipe(id),
            Intervention::CopyDisk(id) => {
                if let Some(member) = self.member_mut(id) {
                    member.disk.copy();
                }
            }
            Intervention::PutBackDisk(id) => self.put_back_disk(id),
            Intervention::CancelTransfer(id) => self.wish(id, Admin::CancelTransfer),
            Intervention::OpenClient { client, node } => {
                if self.member(node).is_some() {
                    let servers = self.all_from(node);
                    self.open_client(self.start(client, servers, VISITOR_TIMEOUT_MS));
                }
            }
            Intervention::OpenClientWith {
                client,
                ref servers,
                timeout_ms,
                read_only,
                repeat,
            } => {
                let known = |id: &NodeId| self.member(*id).is_some();
                if !servers.is_empty() && servers.iter().all(known) {
                    let start = self.start(client, servers.clone(), timeout_ms);
                    self.open_client(Start {
                        read_only,
                        repeat,
                        ..start
                    });
                }
            }
            Intervention::Client {
                client,
                ref request,
            } => {
                let request = request.clone();
                self.with_client(client, |client, wire| client.call(wire, request));
            }
            Intervention::CloseClient(id) => {
                self.with_client(id, |client, wire| client.call(wire, Request::Close))
            }
            Intervention::KillClient(id) => self.with_client(id, Client::kill),
            Intervention::DropClient(id) => self.with_client(id, Client::disconnect),
            Intervention::PauseClient(id) => self.with_client(id, |client, _| {
                client.pause();
                Ok(())
            }),
            Intervention::ResumeClient(id) => self.with_client(id, Client::resume),
            Intervention::Recipe { client, ref wish } => {
                self.with_client(client, |client, wire| client.wish(wire, wish));
            }
            Intervention::Store {
                client,
                ref path,
                ref value,
                fenced,
            } => self.with_client(client, |client, wire| {
                client.store(wire, path, value, fenced);
                Ok(())
            }),
            Intervention::Workload { ops_per_second } => self.pace(ops_per_second),
            Intervention::Faults(on) => {
                if let Some(nemesis) = &mut self.nemesis {
                    nemesis.switch(on, now);
                }
            }
        }
    }

    fn open_client(&mut self, start: Start) {
        let id = start.id;
        if FIRST_WORKER <= id.0 {
            return;
        }
        let client = match self.clients.remove(&id) {
            None => Client::new(start, None),
            Some(gone) if gone.is_gone() => Client::after(gone, start),
            Some(there) => there,
        };
        self.clients.insert(id, client);
    }

    /// What is under way on a direction that went down is lost.
    pub(super) fn cut_off(&mut self, from: NodeId, to: NodeId) {
        for flight in self.net.take_between(from, to) {
            self.lost(flight, LossReason::Cut);
        }
    }

    fn drop_flight(&mut self, id: FlightId) {
        let Some(flight) = self.net.take(id) else {
            return;
        };
        let ends = (flight.from, flight.to);
        let conn = flight.cargo.conn();
        self.lost(flight, LossReason::Dropped);
        let (
            Some(conn),
            (End::Node(node), End::Client(client)) | (End::Client(client), End::Node(node)),
        ) = (conn, ends)
        else {
            return;
        };
        self.break_connection(conn, node, client);
    }

    /// Both ends notice at once.
    fn break_connection(&mut self, conn: ConnId, node: NodeId, client: ClientId) {
        let on_it = |flight: &&Flight| flight.cargo.conn() == Some(conn);
        let ids: alloc::vec::Vec<FlightId> =
            self.net.flights().filter(on_it).map(|f| f.id).collect();
        for id in ids {
            if let Some(flight) = self.net.take(id) {
                self.lost(flight, LossReason::Down);
            }
        }
        self.net.forget(conn);
        if self
            .member_mut(node)
            .is_some_and(|member| member.hang_up(conn))
        {
            self.input(node, alloc::vec![Input::ClientGone { conn }]);
        }
        let end = Cargo::End { conn, reason: None };
        self.with_client(client, |client, wire| client.arrive(wire, end));
    }

    fn deliver_flight(&mut self, id: FlightId) {
        let now = self.now;
        self.net.reschedule(id, now);
        // Those before it on a client connection are due now too, and arrive first.
        while self.net.flight(id).is_some() && self.net.deadline() <= now {
            if let Some(flight) = self.net.arrive() {
                self.deliver(flight);
            }
        }
    }

    fn wish(&mut self, id: NodeId, wish: Admin) {
        self.input(id, alloc::vec![Input::Admin { tag: 0, wish }]);
    }
}

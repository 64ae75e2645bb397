//! A client in the simulator: the core's client, its connections carried by the simulated network. Those
//! of the page wait for their visitor (`visitor`); those of the workload draw their next operation. What arrives is
//! checked against what ZooKeeper promises, before the client sees it, and told to the oracle (`answers`).

mod answers;
mod lasting;
mod visitor;
mod watches;

use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;

use self::lasting::Lasting;
use self::visitor::Intent;
use self::watches::Watches;
use super::chunks::Chunks;
use super::clock::{Clocks, Since};
use super::event::{Call, CallEnd, ClientEvent};
use super::net::Net;
use super::oracle::{Oracle, Verdict};
use super::workload::{Next, Worker};
use super::{Cargo, ClientId, ClientView, End, Store};
use crate::client::{self, Event, Input, Outcome, Output};
use crate::config::ClientConfig;
use crate::id::{ConnId, Index, NodeId, SessionId};
use crate::node::View;
use crate::recipe::group::Seat;
use crate::recipe::{self, Standing, Trade, Wanted};
use crate::request::Request;
use crate::rng::Rng;
use crate::time::{Span, Time};

/// Calls of one client that are kept for its history.
pub(super) const HISTORY: u64 = 1_024;
/// Calls of a client that are kept when they are judged for good: what somebody may still want to see. Each moment
/// that is kept of a long run keeps its own.
const SHOWN: u64 = 160;
/// How long a client waits for its session to be attached.
const PATIENCE: Span = Span::from_ms(1_000);
/// Longest pause before the next attempt to connect.
const PAUSE: Span = Span::from_ms(100);

/// What a client needs from the world around it.
pub(super) struct Wire<'a> {
    pub(super) now: Time,
    pub(super) net: &'a mut Net,
    pub(super) oracle: &'a mut Oracle,
    pub(super) clocks: Clocks,
    /// The last connection number in use.
    pub(super) conns: &'a mut u64,
    pub(super) events: &'a mut Vec<ClientEvent>,
    /// What is outside of the cluster, by the paths of the locks that protect it.
    pub(super) stores: &'a mut BTreeMap<String, Store>,
}

/// What a client starts from.
pub(super) struct Start {
    pub(super) id: ClientId,
    /// The members that it knows, in the order in which it tries them.
    pub(super) servers: Vec<NodeId>,
    pub(super) timeout_ms: u32,
    /// Whether a member without a leader will do, for reads.
    pub(super) read_only: bool,
    /// Whether it asks again what a lost connection left open.
    pub(super) repeat: bool,
    pub(super) now: Time,
    pub(super) rng: Rng,
}

#[derive(Clone)]
struct Pending {
    /// Its number over all sessions of this client.
    tag: u64,
    /// Its number in the core's client.
    of: u64,
    request: Request,
    since: Since,
    /// Shown to anybody before this was asked.
    after: Index,
    /// The same two of the first time that it was asked.
    first: (Since, Index),
}

#[derive(Clone)]
pub(super) struct Client {
    id: ClientId,
    servers: Vec<NodeId>,
    config: ClientConfig,
    core: client::Client,
    /// Seeds of the clients that come after this one has closed its session.
    rng: Rng,
    /// The present connection, the core's number for it, and the member at its other end.
    conn: Option<(ConnId, u64, NodeId)>,
    last_zxid: Index,
    /// When it last asked for something that was acknowledged by a majority: the session cannot have
    /// expired before its timeout has passed since.
    contact: Option<Since>,
    /// The timeout that was agreed for it.
    timeout: Span,
    last_tag: u64,
    /// Sent and not answered, in order.
    pending: VecDeque<Pending>,
    /// What the visitor asked while there was no session.
    waiting: VecDeque<Request>,
    /// Watches of this connection.
    watches: Watches,
    /// The session's watch that stays.
    lasting: Lasting,
    calls: Chunks<Call, 16>,
    /// The first call that is not judged for good.
    judged: u64,
    /// The last call's number in the core, and the places of those without an outcome in `calls`.
    last_call: u64,
    places: BTreeMap<u64, u64>,
    /// When those were first asked, and what had been shown then.
    firsts: BTreeMap<u64, (Since, Index)>,
    worker: Option<Worker>,
    recipes: recipe::Any,
    /// What has arrived while the process stood still; nothing if it runs.
    paused: Option<VecDeque<Cargo>>,
    /// What it was about to do when it stood still.
    intends: Vec<Intent>,
}

impl Client {
    pub(super) fn new(start: Start, worker: Option<Worker>) -> Self {
        let Start {
            id,
            servers,
            timeout_ms,
            read_only,
            repeat,
            now,
            mut rng,
        } = start;
        let config = ClientConfig {
            shuffle: worker.is_some(),
            timeout_ms,
            attach_limit: PATIENCE,
            pause: PAUSE,
            pause_max: PAUSE,
            read_only,
            repeat,
            // There are nine at most.
            ..ClientConfig::new(servers.len() as u32)
        };
        Self {
            id,
            servers,
            config,
            core: client::Client::new(config, rng.next_u64(), now),
            rng,
            conn: None,
            last_zxid: Index(0),
            contact: None,
            timeout: Span(0),
            last_tag: 0,
            pending: VecDeque::new(),
            waiting: VecDeque::new(),
            watches: Watches::default(),
            lasting: Lasting::default(),
            calls: Chunks::new(1),
            judged: 1,
            last_call: 0,
            places: BTreeMap::new(),
            firsts: BTreeMap::new(),
            worker,
            recipes: recipe::Any::default(),
            paused: None,
            intends: Vec::new(),
        }
    }

    /// One more of the name of a client that is gone. What that one asked and was told stays in the history, where the
    /// answers of others may need it, and calls are numbered on.
    pub(super) fn after(gone: Self, start: Start) -> Self {
        Self {
            calls: gone.calls,
            judged: gone.judged,
            last_tag: gone.last_tag,
            ..Self::new(start, None)
        }
    }

    pub(super) fn view(&self) -> ClientView {
        ClientView {
            id: self.id,
            node: self.conn.map(|(_, _, node)| node),
            attached: self.core.is_attached(),
            session: self.core.session(),
            timeout: self.core.timeout(),
            heard: self.core.heard(),
            last_zxid: self.last_zxid,
            pending: self.core.calls() + self.waiting.len(),
            paused: self.paused.is_some(),
            read_only: self.core.is_read_only(),
            repeat: self.config.repeat,
        }
    }

    /// The fencing tokens that its recipes hold, as far as it knows.
    pub(super) fn tokens(&self) -> impl Iterator<Item = (&str, Index)> {
        self.recipes.tokens()
    }

    /// Its recipes: what for, where, and how each stands.
    pub(super) fn standings(&self) -> impl Iterator<Item = (Trade, &str, Standing)> {
        self.recipes.standings()
    }

    /// Who is in a group, as its roll knows.
    pub(super) fn present(&self, path: &str) -> impl Iterator<Item = &Seat> {
        self.recipes.present(path)
    }

    /// The watches it waits for.
    pub(super) fn watches(&self) -> impl Iterator<Item = (&str, bool)> {
        self.core.watches()
    }

    pub(super) fn history(&self) -> impl Iterator<Item = &Call> {
        self.calls.iter()
    }

    pub(super) fn is_gone(&self) -> bool {
        self.core.is_gone()
    }

    /// Its calls that are not judged for good.
    pub(super) fn unjudged(&self) -> impl Iterator<Item = &Call> {
        (self.judged..self.calls.next()).filter_map(|place| self.calls.get(place))
    }

    pub(super) const fn count_unjudged(&self) -> u64 {
        self.calls.next() - self.judged
    }

    /// Whether those are all kept.
    pub(super) const fn has_unjudged(&self) -> bool {
        self.calls.first() <= self.judged
    }

    /// All calls before a moment are judged.
    pub(super) fn judged_before(&mut self, cut: Time) {
        let before = self.unjudged().take_while(|call| call.invoked < cut);
        self.judged += before.count() as u64;
        let shown = self.calls.next().saturating_sub(SHOWN);
        self.calls.drop_before(shown.min(self.judged));
    }

    pub(super) const fn has_history(&self) -> bool {
        !self.calls.is_empty()
    }

    /// When it wants to do something by itself.
    pub(super) fn deadline(&self) -> Time {
        match self.paused {
            Some(_) => Time::NEVER,
            None => self.core.deadline().min(self.works()),
        }
    }

    /// When its next operation of the workload is due.
    fn works(&self) -> Time {
        match &self.worker {
            Some(worker) if self.core.is_attached() && self.pending.is_empty() => worker.next(),
            _ => Time::NEVER,
        }
    }

    /// Its deadline has come.
    pub(super) fn wake(&mut self, wire: &mut Wire<'_>) -> Verdict {
        if self.works() <= wire.now
            && let Some(worker) = &mut self.worker
        {
            match worker.draw(wire.now, self.id, self.last_tag + 1, self.lasting.kept()) {
                Next::Ask(request) => self.ask(wire, request)?,
                Next::Wait => {}
                Next::Move => self.disconnect(wire)?,
                Next::Leave => self.ask(wire, Request::Close)?,
                Next::Abandon => {
                    self.input(wire, Input::Stop)?;
                    self.begin_anew(wire);
                }
            }
        }
        if self.core.deadline() <= wire.now {
            self.input(wire, Input::Wake)?;
        }
        Ok(())
    }

    pub(super) fn pace(&mut self, interval: Span) {
        if let Some(worker) = &mut self.worker {
            worker.pace(interval);
        }
    }

    /// Something arrives on a connection. Connections that were given up are not listened to.
    pub(super) fn arrive(&mut self, wire: &mut Wire<'_>, cargo: Cargo) -> Verdict {
        let Some((conn, link, _)) = self.conn else {
            return Ok(());
        };
        if cargo.conn() != Some(conn) {
            return Ok(());
        }
        if let Some(inbox) = &mut self.paused {
            inbox.push_back(cargo);
            return Ok(());
        }
        match cargo {
            Cargo::Reply { tag, reply, .. } => {
                let tag = self.returned(wire, tag, &reply)?;
                self.input(wire, Input::Reply { link, tag, reply })
            }
            Cargo::Watch { event, .. } => {
                // What recipes have left is in no book.
                let is_recipes = self.worker.is_none() && self.core.hears(&event);
                let stays = self.lasting.told(&event)? || is_recipes;
                self.watches.fired(&event, stays)?;
                self.input(wire, Input::Watch { link, event })
            }
            Cargo::End { reason, .. } => self.input(wire, Input::Ended { link, reason }),
            _ => Ok(()),
        }
    }

    fn ask(&mut self, wire: &mut Wire<'_>, request: Request) -> Verdict {
        let call = self.new_call(request);
        self.input(wire, call)
    }

    fn ask_waiting(&mut self, wire: &mut Wire<'_>) -> Verdict {
        let waiting = core::mem::take(&mut self.waiting);
        let inputs = waiting.into_iter().map(|request| self.new_call(request));
        let inputs = inputs.collect();
        self.inputs(wire, inputs)
    }

    fn new_call(&mut self, request: Request) -> Input {
        self.last_call += 1;
        let id = self.last_call;
        Input::Call { id, request }
    }

    /// A client that knows nothing of the session before.
    fn begin_anew(&mut self, wire: &Wire<'_>) {
        self.core = client::Client::new(self.config, self.rng.next_u64(), wire.now);
        self.lasting.clear();
        if let Some(worker) = &mut self.worker {
            worker.begin_anew();
        }
    }

    fn input(&mut self, wire: &mut Wire<'_>, input: Input) -> Verdict {
        self.inputs(wire, VecDeque::from([input]))
    }

    /// Hands these to the core's client, and what comes of its events after them.
    fn inputs(&mut self, wire: &mut Wire<'_>, mut inputs: VecDeque<Input>) -> Verdict {
        let mut out = Vec::new();
        while let Some(input) = inputs.pop_front() {
            self.core.handle(wire.now, input, &mut out);
            for output in out.drain(..) {
                match output {
                    Output::Open { link, server } => self.open(wire, link, server),
                    Output::Send {
                        tag, request, call, ..
                    } => self.send(wire, tag, request, call),
                    Output::Close { .. } => self.hang_up(wire),
                    Output::Event(event) => {
                        self.told(wire, &event, &mut inputs)?;
                        let mut wanted = Wanted::default();
                        self.recipes.handle(&event, &mut wanted);
                        self.wanted(wire, wanted, &mut inputs);
                    }
                }
            }
        }
        Ok(())
    }

    /// What the recipes want and say.
    fn wanted(&mut self, wire: &mut Wire<'_>, wanted: Wanted, inputs: &mut VecDeque<Input>) {
        for (place, request) in wanted.requests {
            wire.oracle.stranger(&request);
            inputs.push_back(self.new_call(request));
            self.recipes.asked(place, self.last_call);
        }
        let told = wanted.told.into_iter().map(ClientEvent::Recipe);
        wire.events.extend(told);
    }

    fn hang_up(&self, wire: &mut Wire<'_>) {
        if let Some((conn, _, node)) = self.conn {
            let (from, to) = (End::Client(self.id), End::Node(node));
            let end = Cargo::End { conn, reason: None };
            wire.net.stream(wire.now, from, to, conn, end);
        }
    }

    /// The member behind the number of a server.
    fn node(&self, server: u32) -> NodeId {
        let known = self.servers.get(server as usize);
        known.copied().unwrap_or(NodeId(1))
    }

    fn open(&mut self, wire: &mut Wire<'_>, link: u64, server: u32) {
        *wire.conns += 1;
        let conn = ConnId(*wire.conns);
        let node = self.node(server);
        self.conn = Some((conn, link, node));
        let (from, to) = (End::Client(self.id), End::Node(node));
        wire.net
            .stream(wire.now, from, to, conn, Cargo::Open { conn });
    }

    fn send(&mut self, wire: &mut Wire<'_>, of: u64, request: Request, call: Option<u64>) {
        let Some((conn, _, node)) = self.conn else {
            return;
        };
        self.last_tag += 1;
        // Whoever looks on sees the change, and that it is asked for once.
        let plain = match &request {
            Request::Once(once) => once.change.clone().request(),
            request => request.clone(),
        };
        let before = call.and_then(|id| self.places.get(&id).copied());
        let before = before.and_then(|place| self.calls.get(place));
        let tag = before.map_or(self.last_tag, |call| call.tag);
        if self.worker.is_some() {
            match before {
                None => wire.oracle.send(self.id, tag, &plain),
                Some(_) => wire.oracle.send_again(self.id, tag, &plain),
            }
            self.lasting.sent(&plain);
        }
        if let Some(id) = call
            && before.is_none()
        {
            self.places.insert(id, self.calls.next());
            self.calls.push(Call {
                tag,
                node,
                request: plain.clone(),
                invoked: wire.now,
                end: None,
            });
            if HISTORY < self.calls.next() - self.calls.first() {
                self.calls.drop_before(self.calls.next() - HISTORY);
            }
            wire.events.push(ClientEvent::Called {
                tag,
                request: plain.clone(),
            });
        } else if before.is_some() {
            wire.events.push(ClientEvent::CalledAgain {
                tag,
                request: plain.clone(),
            });
        }
        let (since, after) = (wire.clocks.mark(wire.now), wire.oracle.newest());
        let first = match call {
            Some(id) => *self.firsts.entry(id).or_insert((since, after)),
            None => (since, after),
        };
        self.pending.push_back(Pending {
            tag,
            of,
            request: plain,
            since,
            after,
            first,
        });
        let (from, to) = (End::Client(self.id), End::Node(node));
        wire.net.stream(
            wire.now,
            from,
            to,
            conn,
            Cargo::Request { conn, tag, request },
        );
    }

    /// What the core's client tells.
    fn told(
        &mut self,
        wire: &mut Wire<'_>,
        event: &Event,
        inputs: &mut VecDeque<Input>,
    ) -> Verdict {
        match *event {
            Event::Connecting { server } => {
                let node = self.node(server);
                wire.events.push(ClientEvent::Connecting { node });
            }
            Event::Connected {
                server, session, ..
            } => {
                let node = self.node(server);
                wire.events.push(ClientEvent::Attached { node, session });
                wire.oracle.attached(self.id, session, self.last_zxid)?;
                if self.lasting.is_kept() && !self.sets_watches() && self.rng.chance(500) {
                    let again = self.lasting.again();
                    inputs.extend(again.map(|request| self.new_call(request)));
                }
                for request in core::mem::take(&mut self.waiting) {
                    inputs.push_back(self.new_call(request));
                }
            }
            Event::Disconnected { reason } => {
                self.conn = None;
                self.pending.clear();
                self.watches.clear();
                self.lasting.disconnected()?;
                wire.events.push(ClientEvent::Disconnected { reason });
            }
            Event::Expired { session } => {
                wire.events.push(ClientEvent::Expired { session });
                self.forget_session();
            }
            Event::Closed { .. } => {
                self.conn = None;
                self.pending.clear();
                self.watches.clear();
                self.forget_session();
                if self.worker.is_some() {
                    self.begin_anew(wire);
                }
            }
            Event::Done { id, ref outcome } => self.done(wire, id, outcome),
            Event::Watch(ref event) => wire.events.push(ClientEvent::Watch(event.clone())),
            Event::Unsure { .. } | Event::Sure { .. } | Event::Missed { .. } => {}
        }
        Ok(())
    }

    /// Whether a call without an outcome, which is asked again, sets the watch that stays, or takes it away.
    fn sets_watches(&self) -> bool {
        let mut open = self.places.values().filter_map(|at| self.calls.get(*at));
        open.any(|call| {
            matches!(
                call.request,
                Request::AddWatch { .. } | Request::RemoveWatches { .. }
            )
        })
    }

    fn done(&mut self, wire: &mut Wire<'_>, id: u64, outcome: &Outcome) {
        self.firsts.remove(&id);
        // One that was never sent is not in the history.
        let place = self.places.remove(&id);
        let Some(call) = place.and_then(|place| self.calls.get_mut(place)) else {
            return;
        };
        let (tag, time) = (call.tag, wire.now);
        match outcome {
            Outcome::Answered(reply) => {
                if let Some(worker) = &mut self.worker {
                    worker.answer(&call.request, reply);
                }
                call.end = Some(CallEnd::Returned {
                    time,
                    zxid: reply.zxid,
                    reply: reply.clone(),
                });
                let reply = reply.clone();
                wire.events.push(ClientEvent::Returned { tag, reply });
            }
            Outcome::Unknown | Outcome::Unsent => {
                if call.request == Request::Close {
                    // The session may be over, and by its own will.
                    self.contact = None;
                }
                call.end = Some(CallEnd::Unknown { time });
                wire.events.push(ClientEvent::Unknown { tag });
            }
        }
    }

    fn forget_session(&mut self) {
        self.contact = None;
        self.lasting.clear();
        if let Some(worker) = &mut self.worker {
            worker.forget_session();
        }
    }

    /// Whether, now that the member it is attached to has nothing more to say, one of its watches has
    /// missed a change.
    pub(super) fn audit(&self, member: NodeId, view: View<'_>) -> Verdict {
        let listens = self.core.is_attached() && self.paused.is_none();
        if !listens || self.conn.is_none_or(|(_, _, node)| node != member) {
            return Ok(());
        }
        for read in self.watches.reads() {
            let result = view.machine().read(SessionId(0), &read, &[]);
            self.watches
                .none_is_missed(&read, &result, view.applied())?;
        }
        for read in self.lasting.reads() {
            let result = view.machine().read(SessionId(0), &read, &[]);
            self.lasting.none_is_missed(&read, &result)?;
        }
        Ok(())
    }
}

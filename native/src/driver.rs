//! The one task that owns the node. It gathers what happened since the last call (completions of the disk
//! first, then peers, then clients) into one `step`, and carries out what comes back: writes go to the
//! disk thread, messages to the peers' queues, answers to the connections. It knows no bytes and no
//! sockets. `Hub` is the handle that connections hold; it lives on the same thread, so nothing is locked.

use core::cell::{Cell, OnceCell, RefCell};
use core::convert::Infallible;
use core::future::{Future, poll_fn};
use core::pin::Pin;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::task::Poll;
use core::time::Duration;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use otterkeeper_core::configuration::Configuration;
use otterkeeper_core::id::{ConnId, NodeId, ReplicaId, SaveId, Term, WriteId};
use otterkeeper_core::message::Message;
use otterkeeper_core::node::{
    Admin, Hangup, Input, Node, Note, Output, ReadNow, Records, SavePart, View,
};
use otterkeeper_core::raft::note::Note as RaftNote;
use otterkeeper_core::raft::note::Role;
use otterkeeper_core::request::{Identity, Reconfig, Reply, Request, WatchEvent};
use otterkeeper_core::time::{Span, Time};
use tokio::sync::{Notify, oneshot};
use tokio::task::spawn_local;

/// What a connection does with what it is told. It encodes into the connection's out-buffer and wakes
/// its writer; it never blocks and never calls the hub.
pub trait ClientSink {
    /// The answer to the request with this tag.
    fn reply(&mut self, tag: u64, reply: Reply);
    /// A watch fired.
    fn event(&mut self, event: WatchEvent);
    /// Close the connection after what was said before. Nothing is said to this sink afterwards, and
    /// the hub has forgotten the connection.
    fn hangup(&mut self, reason: Hangup);
    /// What was said in one step is complete: a sink that gathers can write now.
    fn flush(&mut self) {}
}

/// There are `Config::connections` client connections already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooMany;

/// Where the node's writes and snapshot parts go. They are reported through `Signals`.
pub trait Storage {
    /// Takes writes in ascending order of their numbers.
    fn write(&mut self, id: WriteId, records: Records);
    /// Takes snapshot parts in ascending order of their numbers.
    fn save(&mut self, id: SaveId, part: SavePart);
    /// Everything of one step has been handed over.
    fn flush(&mut self);
}

/// Where the node's messages to other members go.
pub trait Network {
    /// Queues a message; false if the peer's queue is full or there is no link, and it was dropped.
    fn send(&mut self, to: NodeId, message: &Message) -> bool;
    /// Everything of one step has been queued: wake the writers.
    fn flush(&mut self);
    /// These are the members from now on.
    fn configured(&mut self, configuration: &Configuration);
}

/// Who finds out about those that are to become members.
pub trait Scout {
    /// Which replica the one at `address` is, if it answers and can become member `id`; within seconds.
    fn meet(&self, id: NodeId, address: String)
    -> Pin<Box<dyn Future<Output = Option<ReplicaId>>>>;
}

/// What other threads tell the driver. Each change is followed by `ring`.
#[derive(Default)]
pub struct Signals {
    written: AtomicU64,
    saved: AtomicU64,
    failed: AtomicBool,
    failure: std::sync::Mutex<String>,
    bell: Notify,
}

impl Signals {
    /// All writes up to this one are durable.
    pub fn written(&self, id: WriteId) {
        self.written.store(id.0, Ordering::Release);
        self.bell.notify_one();
    }

    /// All snapshot parts up to this one are durable.
    pub fn saved(&self, id: SaveId) {
        self.saved.store(id.0, Ordering::Release);
        self.bell.notify_one();
    }

    /// The disk failed: the process must stop, with this sentence.
    pub fn fail(&self, sentence: String) {
        if let Ok(mut failure) = self.failure.lock() {
            *failure = sentence;
        }
        self.failed.store(true, Ordering::Release);
        self.bell.notify_one();
    }

    /// Up to where writes are durable.
    #[must_use]
    pub fn last_written(&self) -> WriteId {
        WriteId(self.written.load(Ordering::Acquire))
    }

    /// Why the process must stop, if it must.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        if !self.failed.load(Ordering::Acquire) {
            return None;
        }
        let failure = self.failure.lock();
        Some(failure.map_or_else(|_| String::new(), |text| text.clone()))
    }
}

/// Counters since the start, for `/metrics` and `mntr`.
#[derive(Clone, Copy, Default, Debug)]
pub struct Counters {
    /// Calls of `step`.
    pub steps: u64,
    /// Requests that were passed to `step`.
    pub requests: u64,
    /// Reads that were answered beside `step`.
    pub reads: u64,
    /// Messages from peers.
    pub received: u64,
    /// Messages to peers.
    pub sent: u64,
    /// Messages to peers that were dropped because a queue was full or a link down.
    pub dropped: u64,
    /// Writes handed to the disk.
    pub writes: u64,
}

/// A handle to the node of this process. Cheap to clone; it stays on the thread of the driver.
#[derive(Clone)]
pub struct Hub(Rc<Shared>);

struct Shared {
    /// Borrowed for the length of a call only.
    node: RefCell<Node>,
    clients: RefCell<BTreeMap<ConnId, Client>>,
    queues: RefCell<Queues>,
    counters: Cell<Counters>,
    signals: Arc<Signals>,
    limit: usize,
    scout: OnceCell<Box<dyn Scout>>,
}

/// What waits for the next step.
#[derive(Default)]
struct Queues {
    peers: Vec<Input>,
    clients: Vec<Input>,
    touched: Vec<ConnId>,
    last_conn: ConnId,
    last_wish: u64,
    wishes: BTreeMap<u64, oneshot::Sender<Result<(), String>>>,
}

struct Client {
    sink: Box<dyn ClientSink>,
    /// Inputs of this connection that wait for the next step; what follows must not overtake them.
    queued: usize,
    /// While those are met whom an earlier request wants as members: what waits until then.
    behind: Option<Vec<Input>>,
    /// Named in the next `Touched`.
    touched: bool,
    /// Was told something in the step under way.
    told: bool,
}

impl Hub {
    /// A new client connection. `address` is for people.
    ///
    /// # Errors
    /// If there are too many connections.
    pub fn open(&self, address: String, sink: Box<dyn ClientSink>) -> Result<ConnId, TooMany> {
        let mut clients = self.0.clients.borrow_mut();
        if self.0.limit <= clients.len() {
            return Err(TooMany);
        }
        let mut queues = self.0.queues.borrow_mut();
        queues.last_conn = queues.last_conn.next();
        let conn = queues.last_conn;
        clients.insert(
            conn,
            Client {
                sink,
                queued: 1,
                behind: None,
                touched: false,
                told: false,
            },
        );
        queues.clients.push(Input::ClientOpened { conn, address });
        self.0.signals.bell.notify_one();
        Ok(conn)
    }

    /// Vouches for somebody on that connection, from the next request on.
    pub fn identify(&self, conn: ConnId, identity: Identity) {
        let mut clients = self.0.clients.borrow_mut();
        if let Some(client) = clients.get_mut(&conn) {
            self.queue(client, Input::ClientIdentified { conn, identity });
        }
    }

    /// A request. Its answer comes to the sink with the same tag: before this returns if the node can
    /// answer at once, else after a later step. Requests of a connection that is gone are dropped.
    pub fn request(&self, conn: ConnId, tag: u64, request: Request) {
        let mut clients = self.0.clients.borrow_mut();
        let Some(client) = clients.get_mut(&conn) else {
            return;
        };
        if client.queued == 0 && matches!(request, Request::Read(_)) {
            let answer = self.0.node.borrow().read(conn, &request);
            if let ReadNow::Now(reply) = answer {
                client.sink.reply(tag, reply);
                self.count(|counters| counters.reads += 1);
                if !client.touched {
                    client.touched = true;
                    self.0.queues.borrow_mut().touched.push(conn);
                }
                return;
            }
        }
        self.pass(client, Input::Client { conn, tag, request });
    }

    fn pass(&self, client: &mut Client, input: Input) {
        match input {
            Input::Client {
                conn,
                tag,
                request: Request::Reconfig(request),
            } if client.behind.is_none() => self.reconfig(client, conn, tag, request),
            input => self.queue(client, input),
        }
    }

    /// An input of this connection goes into the next step, or behind a request that waits.
    fn queue(&self, client: &mut Client, input: Input) {
        client.queued += 1;
        match &mut client.behind {
            Some(behind) => behind.push(input),
            None => {
                self.0.queues.borrow_mut().clients.push(input);
                self.0.signals.bell.notify_one();
            }
        }
    }

    /// Has those met who would be new, so that the node knows which replicas they are (rule R23), and then passes
    /// the request on. Whoever cannot be met is for the node to refuse. A client that may not change the members
    /// makes nobody knock at an address that it names; so who it is must have been heard first.
    fn reconfig(&self, client: &mut Client, conn: ConnId, tag: u64, mut request: Reconfig) {
        // Whatever a client says of it.
        request.met.clear();
        client.queued += 1;
        client.behind = Some(Vec::new());
        let hub = self.clone();
        spawn_local(async move {
            while hub.is_late(conn) {
                tokio::task::yield_now().await;
            }
            let mut strangers = hub.with_view(|view| view.strangers(conn, &request));
            strangers.truncate(STRANGERS);
            for (id, address) in strangers {
                if let Some(scout) = hub.0.scout.get() {
                    let replica = scout.meet(id, address).await;
                    request.met.extend(replica.map(|replica| (id, replica)));
                }
            }
            let request = Request::Reconfig(request);
            hub.go_on(conn, Input::Client { conn, tag, request });
        });
    }

    /// Whether the node has not heard yet what this connection said before the request that waits.
    fn is_late(&self, conn: ConnId) -> bool {
        let clients = self.0.clients.borrow();
        clients.get(&conn).is_some_and(|client| {
            let waiting = client.behind.as_ref().map_or(0, |behind| 1 + behind.len());
            waiting < client.queued
        })
    }

    /// A request that waited goes into the next step, and what is behind it.
    fn go_on(&self, conn: ConnId, first: Input) {
        let mut clients = self.0.clients.borrow_mut();
        let Some(client) = clients.get_mut(&conn) else {
            return;
        };
        let behind = client.behind.take().unwrap_or_default();
        client.queued -= 1 + behind.len();
        self.queue(client, first);
        for input in behind {
            self.pass(client, input);
        }
    }

    /// The connection is gone; its sink is dropped at once.
    pub fn gone(&self, conn: ConnId) {
        if self.0.clients.borrow_mut().remove(&conn).is_some() {
            self.0
                .queues
                .borrow_mut()
                .clients
                .push(Input::ClientGone { conn });
            self.0.signals.bell.notify_one();
        }
    }

    /// Looks at the node. `look` must not call the hub.
    pub fn with_view<R>(&self, look: impl FnOnce(View<'_>) -> R) -> R {
        look(self.0.node.borrow().view())
    }

    /// Passes an operator's wish on and waits for the answer.
    ///
    /// # Errors
    /// Why the wish was not granted.
    pub async fn admin(&self, wish: Admin) -> Result<(), String> {
        let answer = {
            let mut queues = self.0.queues.borrow_mut();
            queues.last_wish += 1;
            let tag = queues.last_wish;
            let (sender, answer) = oneshot::channel();
            queues.wishes.insert(tag, sender);
            queues.clients.push(Input::Admin { tag, wish });
            answer
        };
        self.0.signals.bell.notify_one();
        answer
            .await
            .unwrap_or_else(|_| Err("the server is stopping".into()))
    }

    /// Who meets those that are to become members. Nobody does before this, and again nobody else.
    pub fn send_out(&self, scout: Box<dyn Scout>) {
        // The first one stays.
        let _ = self.0.scout.set(scout);
    }

    /// How many client connections there are.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.0.clients.borrow().len()
    }

    /// What was done since the start.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.0.counters.get()
    }

    /// A message from a peer.
    pub fn received(&self, from: NodeId, message: Message) {
        self.0
            .queues
            .borrow_mut()
            .peers
            .push(Input::Peer { from, message });
        self.0.signals.bell.notify_one();
    }

    /// Messages to this peer may have been lost.
    pub fn peer_lost(&self, peer: NodeId) {
        self.0
            .queues
            .borrow_mut()
            .peers
            .push(Input::PeerLost { peer });
        self.0.signals.bell.notify_one();
    }

    fn count(&self, change: impl FnOnce(&mut Counters)) {
        let mut counters = self.0.counters.get();
        change(&mut counters);
        self.0.counters.set(counters);
    }
}

/// Those whom one request can make members at once: what a client asks for waits until all are met.
const STRANGERS: usize = 8;

/// Inputs of one kind that go into one step; the rest waits for the next.
const INPUTS_PER_STEP: usize = 8_192;

/// Signs of life that went past `step` are passed on after this time at the latest.
const TOUCH_EVERY: Span = Span::from_ms(200);

/// The loop around the node.
pub struct Driver<S, N> {
    hub: Hub,
    storage: S,
    network: N,
    clock: Clock,
    inputs: Vec<Input>,
    outputs: Vec<Output>,
    /// Connections that were told something in this step.
    told: Vec<ConnId>,
    written: WriteId,
    saved: SaveId,
    /// The role last seen, for the log.
    standing: Option<(Role, Term, Option<NodeId>)>,
    /// The members last seen.
    members: Configuration,
}

impl<S: Storage, N: Network> Driver<S, N> {
    /// A driver for `node`, and the handle for everybody else. `connections` limits the clients.
    pub fn new(
        node: Node,
        clock: Clock,
        connections: usize,
        signals: Arc<Signals>,
        storage: S,
        network: N,
    ) -> (Self, Hub) {
        let hub = Hub(Rc::new(Shared {
            node: RefCell::new(node),
            clients: RefCell::default(),
            queues: RefCell::default(),
            counters: Cell::default(),
            signals,
            limit: connections,
            scout: OnceCell::new(),
        }));
        let driver = Self {
            hub: hub.clone(),
            storage,
            network,
            clock,
            inputs: Vec::new(),
            outputs: Vec::new(),
            told: Vec::new(),
            written: WriteId(0),
            saved: SaveId(0),
            standing: None,
            members: Configuration::default(),
        };
        (driver, hub)
    }

    /// Drives the node for as long as it is polled. It must be a task of its own: what a runtime
    /// blocks on is woken through the kernel, even by its own thread.
    ///
    /// # Errors
    /// A sentence for the operator, if the node or the disk says that this process must not go on.
    pub async fn run(mut self) -> Result<Infallible, String> {
        let mut alarm = core::pin::pin!(tokio::time::sleep(Duration::ZERO));
        let signals = Arc::clone(&self.hub.0.signals);
        loop {
            let wait = self.wait();
            if wait != Duration::ZERO {
                // An alarm that rings too early does no harm, and most are put off before they ring: so it
                // is set anew only when it would ring too late.
                let due = tokio::time::Instant::now() + wait;
                if due < alarm.deadline() || alarm.is_elapsed() {
                    alarm.as_mut().reset(due);
                }
                tokio::select! {
                    biased;
                    () = signals.bell.notified() => {}
                    () = &mut alarm => {}
                }
            }
            let_ready_tasks_run().await;
            if let Some(sentence) = signals.failure() {
                return Err(sentence);
            }
            self.gather();
            let now = self.clock.now();
            self.hub
                .0
                .node
                .borrow_mut()
                .step(now, self.inputs.drain(..), &mut self.outputs);
            self.carry_out()?;
            self.tell_log();
            self.tell_network();
        }
    }

    /// How long nothing need be done.
    fn wait(&self) -> Duration {
        let queues = self.hub.0.queues.borrow();
        if !queues.peers.is_empty() || !queues.clients.is_empty() {
            return Duration::ZERO;
        }
        let now = self.clock.now();
        let mut deadline = self.hub.0.node.borrow().deadline();
        if !queues.touched.is_empty() {
            deadline = deadline.min(now + TOUCH_EVERY);
        }
        Duration::from_micros(deadline.since(now).0)
    }

    /// What happened since the last step: the disk first, then peers, then clients.
    fn gather(&mut self) {
        let shared = &*self.hub.0;
        let written = shared.signals.last_written();
        if self.written < written {
            self.written = written;
            self.inputs.push(Input::Written(written));
        }
        let saved = SaveId(shared.signals.saved.load(Ordering::Acquire));
        if self.saved < saved {
            self.saved = saved;
            self.inputs.push(Input::Saved(saved));
        }
        let mut queues = shared.queues.borrow_mut();
        let mut clients = shared.clients.borrow_mut();
        let peers = queues.peers.len().min(INPUTS_PER_STEP);
        self.inputs.extend(queues.peers.drain(..peers));
        if !queues.touched.is_empty() {
            let mut conns = core::mem::take(&mut queues.touched);
            conns.sort_unstable();
            for conn in &conns {
                if let Some(client) = clients.get_mut(conn) {
                    client.touched = false;
                }
            }
            self.inputs.push(Input::Touched { conns });
        }
        let requests = queues.clients.len().min(INPUTS_PER_STEP);
        for input in queues.clients.drain(..requests) {
            if let Input::Client { conn, .. }
            | Input::ClientOpened { conn, .. }
            | Input::ClientIdentified { conn, .. } = &input
                && let Some(client) = clients.get_mut(conn)
            {
                client.queued -= 1;
            }
            self.inputs.push(input);
        }
        self.hub.count(|counters| {
            counters.steps += 1;
            counters.received += peers as u64;
            counters.requests += requests as u64;
        });
    }

    fn carry_out(&mut self) -> Result<(), String> {
        let shared = &*self.hub.0;
        let mut counters = shared.counters.get();
        let mut clients = shared.clients.borrow_mut();
        for output in self.outputs.drain(..) {
            match output {
                Output::Write { id, records } => {
                    counters.writes += 1;
                    self.storage.write(id, records);
                }
                Output::Save { id, part } => self.storage.save(id, part),
                Output::Send { to, message } => {
                    counters.sent += 1;
                    if !self.network.send(to, &message) {
                        counters.dropped += 1;
                    }
                }
                Output::Reply { conn, tag, reply } => {
                    if let Some(client) = clients.get_mut(&conn) {
                        client.sink.reply(tag, reply);
                        client.note_told(conn, &mut self.told);
                    }
                }
                Output::Notify { conn, event } => {
                    if let Some(client) = clients.get_mut(&conn) {
                        client.sink.event(event);
                        client.note_told(conn, &mut self.told);
                    }
                }
                Output::Hangup { conn, reason } => {
                    if let Some(mut client) = clients.remove(&conn) {
                        client.sink.hangup(reason);
                    }
                }
                Output::Done { tag, result } => {
                    if let Some(wish) = shared.queues.borrow_mut().wishes.remove(&tag) {
                        // Whoever asked may have gone.
                        let _ = wish.send(result);
                    }
                }
                Output::Note(Note::Raft(RaftNote::ClockBehind { by })) => tracing::warn!(
                    "the clock of this machine is {} s behind the times in the log: set it right",
                    by.as_ms() / 1_000
                ),
                Output::Note(note) => tracing::debug!(?note),
                Output::Halt(why) => return Err(why.to_string()),
            }
        }
        self.storage.flush();
        self.network.flush();
        for conn in self.told.drain(..) {
            if let Some(client) = clients.get_mut(&conn) {
                client.told = false;
                client.sink.flush();
            }
        }
        shared.counters.set(counters);
        Ok(())
    }

    /// Changes of role are rare and worth a line each.
    fn tell_log(&mut self) {
        let node = self.hub.0.node.borrow();
        let view = node.view();
        let standing = (view.role(), view.term(), view.leader());
        if self.standing != Some(standing) {
            self.standing = Some(standing);
            let (role, term, leader) = standing;
            let leader = leader.map_or_else(|| "none".into(), |leader| leader.to_string());
            tracing::info!(?role, %term, %leader, "standing changed");
        }
    }

    /// Changes of the members are rarer still.
    fn tell_network(&mut self) {
        let node = self.hub.0.node.borrow();
        let view = node.view();
        let configuration = view.configuration();
        if self.members == *configuration {
            return;
        }
        let own = view.id();
        let leaves = configuration.member(own).is_none() && self.members.member(own).is_some();
        if leaves {
            tracing::warn!(
                "member {own} is being removed from the cluster: once it is, it serves nobody"
            );
        }
        self.members = configuration.clone();
        drop(node);
        self.network.configured(&self.members);
    }
}

/// Every task that is ready adds its inputs first, so that they share one step. Unlike the runtime's
/// own way to yield, this asks the kernel for nothing.
async fn let_ready_tasks_run() {
    let mut yielded = false;
    poll_fn(|cx| {
        if core::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl Client {
    fn note_told(&mut self, conn: ConnId, told: &mut Vec<ConnId>) {
        if !self.told {
            self.told = true;
            told.push(conn);
        }
    }
}

/// The time of rule R12: the date at the start of the process, carried on by a clock that neither jumps
/// nor stops while the machine sleeps.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// Date minus steady clock, in microseconds.
    offset: u64,
}

impl Clock {
    /// A clock that starts with today's date.
    #[must_use]
    pub fn start() -> Self {
        let date = std::time::SystemTime::UNIX_EPOCH
            .elapsed()
            .unwrap_or_default();
        let date = u64::try_from(date.as_micros()).unwrap_or(0);
        Self {
            offset: date.saturating_sub(steady()),
        }
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> Time {
        Time(self.offset + steady())
    }
}

/// Microseconds of CLOCK_BOOTTIME.
fn steady() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is valid for the call, which writes nothing else. It cannot fail: Linux has had this
    // clock since 2.6.39.
    unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut time) };
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000
        + u64::try_from(time.tv_nsec).unwrap_or(0) / 1_000
}

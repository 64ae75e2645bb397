//! The one task that owns the node. It gathers what happened since the last call (completions of the disk
//! first, then peers, then clients) into one `step`, and carries out what comes back: writes go to the
//! disk thread, messages to the peers' queues, answers to the connections. It knows no bytes and no
//! sockets. `Hub` is the handle that connections hold; it lives on the same thread, so nothing is locked.

use core::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use otterkeeper_core::config::Config;
use otterkeeper_core::id::{ConnId, NodeId, SaveId, WriteId};
use otterkeeper_core::message::Message;
use otterkeeper_core::node::{
    Admin, Hangup, Input, Node, Output, ReadNow, Records, SavePart, View,
};
use otterkeeper_core::request::{Reply, Request, WatchEvent};
use otterkeeper_core::time::{Span, Time};
use tokio::sync::{Notify, oneshot};

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
    node: RefCell<Node>,
    clients: RefCell<BTreeMap<ConnId, Client>>,
    queues: RefCell<Queues>,
    counters: Cell<Counters>,
    signals: Arc<Signals>,
    limit: usize,
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
    /// A request of this connection waits for the next step; what follows must not overtake it.
    queued: bool,
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
                queued: true,
                touched: false,
                told: false,
            },
        );
        queues.clients.push(Input::ClientOpened { conn, address });
        self.0.signals.bell.notify_one();
        Ok(conn)
    }

    /// A request. Its answer comes to the sink with the same tag: before this returns if the node can
    /// answer at once, else after a later step. Requests of a connection that is gone are dropped.
    pub fn request(&self, conn: ConnId, tag: u64, request: Request) {
        let mut clients = self.0.clients.borrow_mut();
        let Some(client) = clients.get_mut(&conn) else {
            return;
        };
        if !client.queued && matches!(request, Request::Read(_)) {
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
        client.queued = true;
        let mut queues = self.0.queues.borrow_mut();
        queues.clients.push(Input::Client { conn, tag, request });
        self.0.signals.bell.notify_one();
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

    fn count(&self, change: impl FnOnce(&mut Counters)) {
        let mut counters = self.0.counters.get();
        change(&mut counters);
        self.0.counters.set(counters);
    }
}

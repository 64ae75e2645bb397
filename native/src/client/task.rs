//! The task that drives one client of the core: its clock, its connection, and who waits for what. Knows
//! no WebSockets; `link` does.

use core::hash::BuildHasher;
use core::time::Duration;
use std::collections::HashMap;
use std::hash::RandomState;
use std::sync::{Arc, Mutex, PoisonError};

use otterkeeper_core::client::{Client, Event, Input, Outcome, Output};
use otterkeeper_core::config::ClientConfig;
use otterkeeper_core::id::SessionId;
use otterkeeper_core::request::Request;
use otterkeeper_core::time::Time;
use otterkeeper_core::wire::client::ServerFrame;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::link::{Came, Link};
use super::{Seen, wait};

/// What a handle wants.
pub(super) enum Order {
    Call(Request, Asker),
    /// To hear all events but the outcomes of others.
    Listen(mpsc::UnboundedSender<Event>),
    /// To end without a word.
    Stop,
}

/// Who waits for an outcome.
pub(super) enum Asker {
    Call(oneshot::Sender<Outcome>),
    Recipe(mpsc::UnboundedSender<Event>),
}

/// How an attempt to connect went: attached, or a server's name and why it was not reached; no reason if
/// it was reached.
pub(super) type Trial = Result<(), (String, Option<String>)>;

pub(super) struct Task {
    core: Client,
    servers: Vec<String>,
    /// The moment at which the core's time was zero.
    zero: Instant,
    orders: mpsc::UnboundedReceiver<Order>,
    seen: Arc<Mutex<Seen>>,
    /// While somebody waits for the first session.
    trials: Option<mpsc::UnboundedSender<Trial>>,
    /// Why the present link could not be opened.
    unreachable: Option<String>,
    link: Option<Link>,
    came: mpsc::UnboundedReceiver<(u64, Came)>,
    /// For the links to come.
    carrier: mpsc::UnboundedSender<(u64, Came)>,
    listeners: Vec<mpsc::UnboundedSender<Event>>,
    last_call: u64,
    askers: HashMap<u64, Asker>,
}

impl Task {
    pub(super) fn new(
        config: ClientConfig,
        servers: Vec<String>,
        orders: mpsc::UnboundedReceiver<Order>,
        seen: Arc<Mutex<Seen>>,
        trials: mpsc::UnboundedSender<Trial>,
    ) -> Self {
        let (carrier, came) = mpsc::unbounded_channel();
        Self {
            core: Client::new(config, seed(), Time(0)),
            servers,
            zero: Instant::now(),
            orders,
            seen,
            trials: Some(trials),
            unreachable: None,
            link: None,
            came,
            carrier,
            listeners: Vec::new(),
            last_call: 0,
            askers: HashMap::new(),
        }
    }

    /// Until the session is closed or all handles are gone.
    pub(super) async fn run(mut self) {
        while !self.core.is_gone() {
            let deadline = match self.core.deadline() {
                Time::NEVER => None,
                Time(micros) => Some(self.zero + Duration::from_micros(micros)),
            };
            tokio::select! {
                biased;
                // What has arrived comes before a deadline that it may put off.
                Some((link, came)) = self.came.recv() => self.arrived(link, came),
                order = self.orders.recv() => self.ordered(order.unwrap_or(Order::Stop)),
                () = wait(deadline) => self.input(Input::Wake),
            }
        }
        // Whoever gave an order that nobody took is told by the closed channels.
    }

    fn now(&self) -> Time {
        Time(u64::try_from(self.zero.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    fn ordered(&mut self, order: Order) {
        match order {
            Order::Call(request, asker) => {
                self.last_call += 1;
                let id = self.last_call;
                self.askers.insert(id, asker);
                self.input(Input::Call { id, request });
            }
            Order::Listen(listener) => {
                if let (session @ SessionId(1..), Some(server)) =
                    (self.core.session(), self.core.server())
                {
                    // Who has gone already is found out with the next event.
                    let _ = listener.send(Event::Connected {
                        server,
                        session,
                        resumed: true,
                    });
                }
                self.listeners.push(listener);
            }
            Order::Stop => self.input(Input::Stop),
        }
    }

    fn arrived(&mut self, link: u64, came: Came) {
        let input = match came {
            Came::Frame(ServerFrame::Reply { id, reply }) => Input::Reply {
                link,
                tag: id,
                reply,
            },
            Came::Frame(ServerFrame::Event(event)) => Input::Watch { link, event },
            Came::Frame(ServerFrame::Bye(reason)) => Input::Ended {
                link,
                reason: Some(reason),
            },
            Came::End => Input::Ended { link, reason: None },
            Came::Unreachable(why) => {
                self.unreachable = Some(why);
                Input::Ended { link, reason: None }
            }
        };
        self.input(input);
    }

    fn input(&mut self, input: Input) {
        let mut out = Vec::new();
        self.core.handle(self.now(), input, &mut out);
        for output in out {
            match output {
                Output::Open { link, server } => {
                    self.unreachable = None;
                    let server = &self.servers[server as usize];
                    self.link = Some(Link::open(link, server, self.carrier.clone()));
                }
                Output::Send { tag, request, .. } => {
                    if let Some(link) = &self.link {
                        link.send(tag, request);
                    }
                }
                // A link that is dropped closes its connection.
                Output::Close { .. } => self.link = None,
                Output::Event(event) => self.tell(event),
            }
        }
    }

    fn tell(&mut self, event: Event) {
        match &event {
            Event::Done { id, .. } => {
                return match (self.askers.remove(id), event) {
                    // They may have lost interest.
                    (Some(Asker::Call(answer)), Event::Done { outcome, .. }) => {
                        drop(answer.send(outcome));
                    }
                    (Some(Asker::Recipe(events)), event) => drop(events.send(event)),
                    (None, _) | (Some(Asker::Call(_)), _) => {}
                };
            }
            Event::Connected {
                server, session, ..
            } => {
                let seen = Seen {
                    server: self.servers[*server as usize].clone(),
                    session: *session,
                };
                *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = seen;
                self.tried(Ok(()));
                self.trials = None;
            }
            Event::Disconnected { .. } => {
                let why = self.unreachable.take();
                if let Some(link) = self.link.take() {
                    self.tried(Err((link.server().to_owned(), why)));
                }
            }
            Event::Expired { .. } | Event::Closed { .. } => {
                let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
                seen.session = self.core.session();
            }
            Event::Connecting { .. }
            | Event::Unsure { .. }
            | Event::Sure { .. }
            | Event::Missed { .. }
            | Event::Watch(_) => {}
        }
        self.listeners
            .retain(|listener| listener.send(event.clone()).is_ok());
    }

    fn tried(&self, trial: Trial) {
        if let Some(trials) = &self.trials {
            // Nobody may wait any more.
            let _ = trials.send(trial);
        }
    }
}

/// 64 bits that differ from process to process and from call to call: the standard library keys its hash
/// tables with the system's entropy.
pub(super) fn seed() -> u64 {
    RandomState::new().hash_one(std::process::id())
}

//! A client for programs, and for the command line: the core's client over WebSockets, with Tokio's clock
//! and a task that drives it. Knows nothing of arguments and terminals.
//!
//! ```no_run
//! use otterkeeper::client::{Client, Options};
//! use otterkeeper_core::request::CreateMode;
//!
//! # async fn example() -> Result<(), otterkeeper::client::ClientError> {
//! let servers = ["127.0.0.1:8080", "127.0.0.1:8081", "127.0.0.1:8082"];
//! let client = Client::connect(Options::new(servers)).await?;
//! client.create("/greeting", "hello", CreateMode::Persistent).await?;
//!
//! let lock = client.lock("/locks/report", "the night job").await?;
//! println!("ours, with fencing token {}", lock.token());
//! lock.release().await?;
//! client.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! A configuration changes as a whole, and readers never see half of it; a service is found by those who look for it
//! wherever it is offered:
//!
//! ```no_run
//! # use otterkeeper::client::{Client, Options, Update, Written};
//! # async fn example(client: Client) -> Result<(), otterkeeper::client::ClientError> {
//! let mut reader = client.settings("/config/mail");
//! let settings = reader.next().await?;
//! let update = Update {
//!     version: Some(settings.version),
//!     values: [("limit", "20"), ("burst", "5")]
//!         .map(|(key, value)| (key.to_owned(), Some(value.into())))
//!         .into(),
//! };
//! if let Written::Outdated { version } = client.update_settings("/config/mail", update).await? {
//!     println!("somebody was faster: it has version {version} by now");
//! }
//! let changed = reader.next().await?;
//! println!("{:?}", changed.values.get("limit"));
//!
//! let registration = client.register("/services/mail", "10.0.0.7:25").await?;
//! let mut service = client.service("/services/mail");
//! println!("{:?}", service.next().await?);
//! registration.withdraw().await?;
//! println!("{:?}", service.next().await?);
//! # Ok(())
//! # }
//! ```
//!
//! A `Client` is a handle to one session; clones share it. The session is kept alive by itself and taken to
//! another server when one fails. What was asked at that moment is asked again there, and a change is made once
//! all the same: it has a number, by which the servers know it. Only when the session ends before that, or no
//! server answers, it is not known whether the change was made; [`ClientError::Unanswered`] says so. Everything else that happens
//! to the session, and every watch, is a [`Event`] of [`Client::events`]; recipes run by [`Client::run`].

use core::fmt;
use core::time::Duration;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use otterkeeper_core::config::ClientConfig;
use otterkeeper_core::id::{Index, SessionId};
use otterkeeper_core::path;
use otterkeeper_core::recipe::{Out, Recipe};
use otterkeeper_core::request::{
    Acl, CreateMode, Error, Hangup, Op, Read, ReadKind, Reply, Request, Response, Stat, WatchMode,
};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

mod link;
mod lock;
mod settings;
mod task;

pub use self::lock::LockGuard;
pub use self::settings::{Registration, ServiceWatch, SettingsReader};
use self::task::{Order, Task};
pub use otterkeeper_core::client::{Event, Outcome};
pub use otterkeeper_core::recipe::service::Seen as ServiceSeen;
pub use otterkeeper_core::recipe::settings::{Settings, Update, Written};

/// How long servers that are there but have no leader are given to find one.
const ELECTION_LIMIT: Duration = Duration::from_secs(8);
/// An answer that takes longer than this does not come: no server has a leader or a disk that works.
const ANSWER_LIMIT: Duration = Duration::from_secs(15);

/// How long the last words may take.
const CLOSE_LIMIT: Duration = Duration::from_secs(3);

/// Why a client cannot go on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ClientError {
    /// No server could be reached. One line for each.
    Unreachable(Vec<(String, String)>),
    /// Servers were reached, but none had a leader in time.
    Leaderless(Vec<String>),
    /// The client is closed.
    Lost(&'static str),
    /// No answer came before the session ended or patience did, so that a change may or may not have been made.
    Unanswered(&'static str),
    /// The session ended before the request could be sent: nothing was changed by it.
    Expired,
    /// The server answered with an error, about this path.
    Refused(Error, String),
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(tried) => {
                f.write_str("no server can be reached (")?;
                for (number, (server, why)) in tried.iter().enumerate() {
                    let comma = if number == 0 { "" } else { "; " };
                    write!(f, "{comma}{server}: {why}")?;
                }
                f.write_str(
                    "): start one with `otterkeeper dev`, or name one with --server HOST:PORT",
                )
            }
            Self::Leaderless(servers) => write!(
                f,
                "{} answers but has no leader: a majority of the members must run and reach each other; \
                 see `otterkeeper cluster status`",
                servers.join(", ")
            ),
            Self::Lost(why) => write!(f, "the connection was lost: {why}"),
            Self::Unanswered(why) => {
                write!(
                    f,
                    "no answer: {why}; whether a change was made is not known, so look before you repeat it"
                )
            }
            Self::Expired => {
                f.write_str("the session has expired, and nothing was changed; try again")
            }
            Self::Refused(error, path) => f.write_str(&explain(*error, path)),
        }
    }
}

impl core::error::Error for ClientError {}

/// Why a server ended a connection, for people.
#[must_use]
pub fn why(reason: Option<Hangup>) -> &'static str {
    match reason {
        None => "the server has gone, or is silent",
        Some(Hangup::Closed) => "the session was closed",
        Some(Hangup::Expired) => "the session has expired",
        Some(Hangup::Moved) => "the session moved to another connection",
        Some(Hangup::Behind) => "the server has not yet seen what this client has seen",
        Some(Hangup::Leaderless) => "the server has had no leader for too long",
        Some(Hangup::SnapshotInstalled) => {
            "the server took over a snapshot, and watches may have missed changes"
        }
        Some(Hangup::AuthFailed) => "the server does not believe who this client says it is",
        Some(Hangup::ReadOnlyOver) => {
            "the server has a leader again, so it does not serve reads only any more"
        }
        Some(Hangup::Refused) => {
            "the server takes no more connections, or a request is beyond a limit"
        }
    }
}

/// Where a client connects, and how.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    servers: Vec<String>,
    timeout_ms: u32,
    shuffle: bool,
}

impl Options {
    /// With these servers, each by its HTTP port as `HOST:PORT`, and a session timeout of ten seconds.
    pub fn new<S: Into<String>>(servers: impl IntoIterator<Item = S>) -> Self {
        Self {
            servers: servers.into_iter().map(Into::into).collect(),
            timeout_ms: 10_000,
            shuffle: true,
        }
    }

    /// With another session timeout; the server bounds it.
    #[must_use]
    pub const fn timeout_ms(mut self, timeout_ms: u32) -> Self {
        self.timeout_ms = timeout_ms;
        self
    }

    /// Tries the servers in their order, instead of one that chance picks.
    #[must_use]
    pub const fn in_order(mut self) -> Self {
        self.shuffle = false;
        self
    }
}

/// What everybody who has a handle can see.
#[derive(Clone, Default)]
struct Seen {
    server: String,
    session: SessionId,
}

/// A handle to an open session.
#[derive(Clone)]
pub struct Client {
    orders: mpsc::UnboundedSender<Order>,
    seen: Arc<Mutex<Seen>>,
}

/// What happens to a session, as a stream. It begins with `Connected` if the session is open.
pub struct Events {
    events: mpsc::UnboundedReceiver<Event>,
}

impl Events {
    /// The next event; `None` when the client is done.
    pub async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }
}

impl Client {
    /// Opens a session.
    ///
    /// # Errors
    /// If no server can be reached, or none has a leader for a while.
    pub async fn connect(options: Options) -> Result<Self, ClientError> {
        let Options {
            servers,
            timeout_ms,
            shuffle,
        } = options;
        let config = ClientConfig {
            shuffle,
            timeout_ms,
            ..ClientConfig::new(u32::try_from(servers.len()).unwrap_or(u32::MAX))
        };
        let (orders, inbox) = mpsc::unbounded_channel();
        let client = Self {
            orders,
            seen: Arc::default(),
        };
        let (trials, mut tried) = mpsc::unbounded_channel();
        let task = Task::new(
            config,
            servers.clone(),
            inbox,
            Arc::clone(&client.seen),
            trials,
        );
        tokio::spawn(task.run());
        let patience = Instant::now() + ELECTION_LIMIT;
        let mut unreachable: Vec<(String, String)> = Vec::new();
        let mut leaderless: Vec<String> = Vec::new();
        loop {
            match timeout_at(patience, tried.recv()).await {
                Ok(Some(Ok(()))) => return Ok(client),
                Ok(Some(Err((server, Some(why))))) => {
                    if !unreachable.iter().any(|(known, _)| *known == server) {
                        unreachable.push((server, why));
                    }
                }
                Ok(Some(Err((server, None)))) => {
                    if !leaderless.contains(&server) {
                        leaderless.push(server);
                    }
                }
                Ok(None) => return Err(CLOSED),
                Err(_) => break,
            }
            if leaderless.is_empty()
                && servers
                    .iter()
                    .all(|server| unreachable.iter().any(|(known, _)| known == server))
            {
                break;
            }
        }
        if leaderless.is_empty() && !unreachable.is_empty() {
            Err(ClientError::Unreachable(unreachable))
        } else if leaderless.is_empty() {
            Err(ClientError::Leaderless(servers))
        } else {
            Err(ClientError::Leaderless(leaderless))
        }
    }

    /// The server that it is or was last connected to.
    #[must_use]
    pub fn server(&self) -> String {
        self.seen().server
    }

    /// The session; 0 after one has expired and before the next is open.
    #[must_use]
    pub fn session(&self) -> SessionId {
        self.seen().session
    }

    fn seen(&self) -> Seen {
        // Nobody panics while holding it.
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// What happens to the session, and every watch.
    #[must_use]
    pub fn events(&self) -> Events {
        let (sender, events) = mpsc::unbounded_channel();
        // A client that is done has no events.
        let _ = self.orders.send(Order::Listen(sender));
        Events { events }
    }

    /// Asks and waits for the answer, which may be an error of the server. When the connection breaks, it is
    /// asked again on the next one; a change is made once.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn call(&self, request: Request) -> Result<Reply, ClientError> {
        let limit = Instant::now() + ANSWER_LIMIT;
        let reads = matches!(
            request,
            Request::Read(_) | Request::Latest(_) | Request::Sync { .. } | Request::Ping
        );
        loop {
            let (answer, outcome) = oneshot::channel();
            let order = Order::Call(request.clone(), task::Asker::Call(answer));
            self.orders.send(order).map_err(|_| CLOSED)?;
            match timeout_at(limit, outcome).await {
                Err(_) => return Err(ClientError::Unanswered("the servers are silent")),
                Ok(Err(_)) => return Err(CLOSED),
                Ok(Ok(Outcome::Answered(reply))) => return Ok(reply),
                Ok(Ok(Outcome::Unsent)) => return Err(ClientError::Expired),
                Ok(Ok(Outcome::Unknown)) if reads => {}
                Ok(Ok(Outcome::Unknown)) => {
                    return Err(ClientError::Unanswered("the session has ended"));
                }
            }
        }
    }

    async fn ask(&self, path: &str, request: Request) -> Result<Response, ClientError> {
        let reply = self.call(request).await?;
        reply
            .result
            .map_err(|error| ClientError::Refused(error, path.into()))
    }

    async fn change(&self, op: Op) -> Result<Response, ClientError> {
        let reply = self.call(Request::Write(op.clone())).await?;
        let refused = |error| ClientError::Refused(error, culprit(error, &op).into());
        reply.result.map_err(refused)
    }

    /// Makes a znode, and gives its path: a sequential one has its number.
    ///
    /// # Errors
    /// If the server refuses, or does not answer.
    pub async fn create(
        &self,
        path: &str,
        data: impl Into<Bytes>,
        mode: CreateMode,
    ) -> Result<String, ClientError> {
        let create = Op::Create {
            path: path.into(),
            data: Some(data.into()),
            acl: vec![Acl::open()],
            mode,
            stat: false,
        };
        match self.change(create).await? {
            Response::Created { path, .. } => Ok(path),
            _ => Err(STRANGE),
        }
    }

    /// A znode's data and Stat. With `watch`, the next change is an event.
    ///
    /// # Errors
    /// If the server refuses, or does not answer.
    pub async fn data(&self, path: &str, watch: Watch) -> Result<(Bytes, Stat), ClientError> {
        match self.read(ReadKind::Data, path, watch).await? {
            Response::Data { data, stat } => Ok((data.unwrap_or_default(), stat)),
            _ => Err(STRANGE),
        }
    }

    /// A znode's Stat, if it exists. With `watch`, the next change, or its creation, is an event.
    ///
    /// # Errors
    /// If the server refuses, or does not answer.
    pub async fn stat(&self, path: &str, watch: Watch) -> Result<Option<Stat>, ClientError> {
        match self.read(ReadKind::Exists, path, watch).await {
            Ok(Response::Stat(stat)) => Ok(Some(stat)),
            Err(ClientError::Refused(Error::NoNode, _)) => Ok(None),
            Ok(_) => Err(STRANGE),
            Err(error) => Err(error),
        }
    }

    /// The names of a znode's children. With `watch`, the next that comes or goes is an event.
    ///
    /// # Errors
    /// If the server refuses, or does not answer.
    pub async fn children(&self, path: &str, watch: Watch) -> Result<Vec<String>, ClientError> {
        match self.read(ReadKind::Children, path, watch).await? {
            Response::Children { names, .. } => Ok(names),
            _ => Err(STRANGE),
        }
    }

    /// Leaves a watch that stays: for a znode and the list of its children, or for all that is below it too. It is
    /// left again by itself on another connection, and tells there what happened meanwhile, or
    /// [`Event::Missed`]. With `since` it tells first what happened behind that zxid; false if the server does not
    /// know that any more.
    ///
    /// # Errors
    /// If the server refuses, or does not answer.
    pub async fn add_watch(
        &self,
        path: &str,
        mode: WatchMode,
        since: Option<Index>,
    ) -> Result<bool, ClientError> {
        let request = Request::AddWatch {
            path: path.into(),
            mode,
            since,
        };
        match self.ask(path, request).await? {
            Response::Watching { complete } => Ok(complete),
            _ => Err(STRANGE),
        }
    }

    async fn read(
        &self,
        kind: ReadKind,
        path: &str,
        watch: Watch,
    ) -> Result<Response, ClientError> {
        let read = Read {
            kind,
            path: path.into(),
            watch: watch == Watch::Once,
        };
        self.ask(path, Request::Read(read)).await
    }

    /// Replaces a znode's data, if it has this version; `None` means any.
    ///
    /// # Errors
    /// If the server refuses, or does not answer.
    pub async fn set(
        &self,
        path: &str,
        data: impl Into<Bytes>,
        version: Option<i32>,
    ) -> Result<Stat, ClientError> {
        let set = Op::SetData {
            path: path.into(),
            data: Some(data.into()),
            version: version.unwrap_or(-1),
        };
        match self.change(set).await? {
            Response::Stat(stat) => Ok(stat),
            _ => Err(STRANGE),
        }
    }

    /// Removes a znode, if it has this version; `None` means any.
    ///
    /// # Errors
    /// If the server refuses, or does not answer.
    pub async fn delete(&self, path: &str, version: Option<i32>) -> Result<(), ClientError> {
        let delete = Op::Delete {
            path: path.into(),
            version: version.unwrap_or(-1),
        };
        self.change(delete).await.map(|_| ())
    }

    /// Starts a recipe on this session.
    #[must_use]
    pub fn run<R: Recipe>(&self, recipe: R) -> Running<R> {
        let (sender, events) = mpsc::unbounded_channel();
        let _ = self.orders.send(Order::Listen(sender.clone()));
        Running {
            recipe,
            orders: self.orders.clone(),
            sender,
            events,
            told: Vec::new(),
        }
    }

    /// Waits for a lock; `name` says who holds it, for people.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn lock(&self, path: &str, name: &str) -> Result<LockGuard, ClientError> {
        LockGuard::acquire(self, path, name).await
    }

    /// A configuration of several keys, read as a whole and kept up to date.
    #[must_use]
    pub fn settings(&self, path: &str) -> SettingsReader {
        SettingsReader::new(self, path)
    }

    /// Changes several keys of a configuration, all or none: what each of them is to say from now on, and `None` for
    /// those that are to go. An update that names a version is refused as outdated if the configuration has another
    /// one.
    ///
    /// # Errors
    /// If the server refuses, or the client is done.
    pub async fn update_settings(
        &self,
        path: &str,
        update: Update,
    ) -> Result<Written, ClientError> {
        settings::update(self, path, update).await
    }

    /// Says that a service is offered at an address, until that is withdrawn or dropped; also in the next session,
    /// if this one ends.
    ///
    /// # Errors
    /// If the server refuses, or the client is done.
    pub async fn register(&self, path: &str, address: &str) -> Result<Registration, ClientError> {
        Registration::new(self, path, address).await
    }

    /// Who offers a service, kept up to date.
    #[must_use]
    pub fn service(&self, path: &str) -> ServiceWatch {
        ServiceWatch::new(self, path)
    }

    /// Ends the session: its ephemeral znodes go at once, and all clones of this handle are done.
    pub async fn close(self) {
        // A server that is gone lets the session expire.
        let _ = timeout(CLOSE_LIMIT, self.call(Request::Close)).await;
        let _ = self.orders.send(Order::Stop);
    }
}

/// Whether a read leaves a watch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Watch {
    /// None.
    No,
    /// One that fires once.
    Once,
}

/// A recipe that runs on a session.
pub struct Running<R: Recipe> {
    recipe: R,
    orders: mpsc::UnboundedSender<Order>,
    /// Where the outcomes of its own requests go: among its events, so that all is in order.
    sender: mpsc::UnboundedSender<Event>,
    events: mpsc::UnboundedReceiver<Event>,
    /// Said and not heard, latest first.
    told: Vec<R::Told>,
}

impl<R: Recipe> Running<R> {
    /// The recipe as it is now.
    pub const fn recipe(&self) -> &R {
        &self.recipe
    }

    /// Tells the recipe what is wanted of it.
    pub fn act(&mut self, act: impl FnOnce(&mut R, &mut Out<R::Told>)) {
        let mut out = Out::default();
        act(&mut self.recipe, &mut out);
        for request in out.requests {
            // If the client is done, `told` says so.
            let asker = task::Asker::Recipe(self.sender.clone());
            let _ = self.orders.send(Order::Call(request, asker));
        }
        self.told.splice(0..0, out.told.into_iter().rev());
    }

    /// What the recipe says next; `None` when the client is done. It runs only while this is awaited.
    pub async fn told(&mut self) -> Option<R::Told> {
        loop {
            if let Some(told) = self.told.pop() {
                return Some(told);
            }
            tokio::select! {
                biased;
                event = self.events.recv() => {
                    let event = event?;
                    self.act(|recipe, out| recipe.handle(&event, out));
                }
                // Its own sender keeps the channel open.
                () = self.orders.closed() => return None,
            }
        }
    }
}

/// 128 bits that nobody else has drawn.
#[must_use]
pub fn unique() -> u128 {
    (u128::from(task::seed()) << 64) | u128::from(task::seed())
}

const CLOSED: ClientError = ClientError::Lost("the client is closed");
const STRANGE: ClientError = ClientError::Lost("the server said what this client cannot read");

/// Waits for a moment of the core's clock that may never come.
async fn wait(until: Option<Instant>) {
    match until {
        Some(until) => sleep_until(until).await,
        None => core::future::pending().await,
    }
}

/// The znode by which a change fails with this error: to make or to delete one is its parent's to allow.
#[must_use]
pub fn culprit(error: Error, op: &Op) -> &str {
    match (op, error) {
        (Op::Create { path, .. }, Error::NoNode | Error::NoAuth)
        | (Op::Delete { path, .. }, Error::NoAuth) => path::parent(path),
        (op, _) => op.path(),
    }
}

/// What an error means, for people: the path of the znode that is in the way, and what can be done.
#[must_use]
pub fn explain(error: Error, path: &str) -> String {
    match error {
        Error::NoNode => format!("{path} does not exist"),
        Error::NodeExists => format!("{path} exists already"),
        Error::BadVersion => format!("{path} has another version; read it again, or leave out -v"),
        Error::NotEmpty => format!("{path} has children; delete them first"),
        Error::NoChildrenForEphemerals => {
            format!("the parent of {path} is ephemeral and cannot have children")
        }
        Error::BadArguments if path::is_system(path) => {
            format!("{path} is the servers' own, and stays")
        }
        Error::BadArguments => format!(
            "{path:?} is not a valid path: it starts with /, does not end with /, and has no empty, . or .. element"
        ),
        Error::InvalidAcl => {
            "the access control list is not valid: write SCHEME:ID:cdrwa, with commas between entries; auth stands for whom --auth names".into()
        }
        Error::NoAuth => format!("{path} does not permit this; see `acl get {path}`, and --auth"),
        Error::SessionExpired => "the session has expired; run the command again".into(),
        Error::OutcomeUnknown => {
            format!("whether {path} was changed is not known any more; look before you repeat it")
        }
        Error::ReconfigDisabled => {
            "clients may not change the members: start the servers with --reconfig, or use `otterkeeper cluster`".into()
        }
        Error::QuotaExceeded => {
            format!("{path} would exceed a hard quota; see `listquota` of what is above it")
        }
        Error::MarshallingError => format!(
            "{path}: the servers take no request that is so long; see --request-bytes of `otterkeeper serve`"
        ),
        Error::NoWatcher => format!("there is no such watch at {path}"),
        other => format!("{path}: {other} ({})", other.name()),
    }
}

//! What the commands that talk to a cluster share: where its servers are, in which form answers are
//! printed, and what an outcome means for the shell.

use core::time::Duration;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::UNIX_EPOCH;

use otterkeeper_core::id::Index;
use otterkeeper_core::path;
use otterkeeper_core::request::{
    Error, EventKind, Op, Read, ReadKind, Reply, Request, Response, Stat, WatchEvent,
};
use otterkeeper_core::wire::json;

use tokio::signal::unix::{SignalKind, signal};

use crate::client::{Client, ClientError, Event, Events, Options, culprit, explain, why};

/// The operation failed, or the connection broke under it.
const FAILED: u8 = 1;
/// What was asked for makes no sense.
pub(crate) const MISUSED: u8 = 2;
/// No server can be reached, or none has a leader.
pub(crate) const UNREACHABLE: u8 = 3;

/// Where the cluster is.
#[derive(clap::Args)]
pub(crate) struct Servers {
    /// Servers to try in turn, each by its HTTP port.
    #[arg(
        long,
        value_name = "HOST:PORT,...",
        env = "OTTERKEEPER_SERVER",
        default_value = "127.0.0.1:8080",
        value_delimiter = ',',
        value_parser = server
    )]
    pub(crate) server: Vec<String>,
}

/// Which cluster, and how to print.
#[derive(clap::Args)]
pub(crate) struct Remote {
    #[command(flatten)]
    servers: Servers,
    /// Print answers as JSON, one a line, as they go over the WebSocket.
    #[arg(long)]
    json: bool,
    /// Session timeout in milliseconds; the server bounds it.
    #[arg(long, value_name = "MS", default_value_t = 10_000)]
    timeout: u32,
    /// Who this client is, as digest:USER:PASSWORD; more than once for more than one.
    #[arg(
        long,
        env = "OTTERKEEPER_AUTH",
        hide_env_values = true,
        value_name = "SCHEME:PROOF",
        value_parser = auth
    )]
    auth: Vec<Auth>,
}

/// A proof of who the client is.
#[derive(Clone)]
struct Auth {
    scheme: String,
    proof: String,
}

/// Why a command stopped short.
pub(crate) enum Failure {
    /// The cluster answered with an error.
    Refused { error: Error, path: String },
    /// The same, and its answer has been printed as JSON.
    Answered { error: Error },
    /// The connection could not be made or did not hold.
    Client(ClientError),
    /// What was asked for makes no sense; nothing was done.
    Usage(String),
    /// Standard output could not be written.
    Output(io::Error),
    /// It has been said what went wrong; this is the exit code.
    Said(u8),
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Refused(error, path) => Self::Refused { error, path },
            error => Self::Client(error),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl Remote {
    /// Opens a session, does the work in it, and closes it. Says in one line what went wrong.
    pub(crate) fn run(
        self,
        work: impl AsyncFnOnce(&mut Session) -> Result<(), Failure>,
    ) -> anyhow::Result<ExitCode> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let outcome = runtime.block_on(async {
            let client = self.connect(&self.servers.server).await?;
            let mut session = Session {
                events: client.events(),
                is_lost: false,
                client,
                remote: &self,
                number: 0,
                is_shell: false,
                is_deaf: false,
            };
            let outcome = work(&mut session).await;
            // A connection that broke is not worth another try.
            if !matches!(outcome, Err(Failure::Client(_))) {
                session.client.close().await;
            }
            outcome
        });
        Ok(match outcome {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => self.report(&failure),
        })
    }

    /// A session, and in it the proofs of who this client is.
    async fn connect(&self, servers: &[String]) -> Result<Client, Failure> {
        let options = Options::new(servers.iter());
        let options = options.timeout_ms(self.timeout).in_order();
        let client = Client::connect(options).await?;
        for Auth { scheme, proof } in &self.auth {
            let request = Request::Auth {
                scheme: scheme.clone(),
                proof: proof.clone().into(),
            };
            if let Err(error) = client.call(request).await?.result {
                let path = format!("--auth {scheme}");
                return Err(Failure::Refused { error, path });
            }
        }
        Ok(client)
    }

    fn report(&self, failure: &Failure) -> ExitCode {
        match failure {
            Failure::Answered { .. } => ExitCode::from(FAILED),
            Failure::Refused { error, path } => {
                self.say_refused(*error, &explain(*error, path));
                ExitCode::from(FAILED)
            }
            Failure::Said(code) => ExitCode::from(*code),
            Failure::Usage(why) => {
                complain(why);
                ExitCode::from(MISUSED)
            }
            Failure::Client(error) => {
                let unreachable = matches!(
                    error,
                    ClientError::Unreachable(_) | ClientError::Leaderless(_)
                );
                if self.json {
                    let name = if unreachable {
                        "UNREACHABLE"
                    } else {
                        "CONNECTION_LOST"
                    };
                    let line = serde_json::json!({ "error": name, "message": error.to_string() });
                    // The exit code says it too.
                    let _ = writeln!(io::stdout(), "{line}");
                } else {
                    complain(&error.to_string());
                }
                ExitCode::from(if unreachable { UNREACHABLE } else { FAILED })
            }
            // The reader has seen enough: `ls -R / | head`.
            Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                ExitCode::SUCCESS
            }
            Failure::Output(error) => {
                complain(&format!("cannot write to standard output: {error}"));
                ExitCode::from(FAILED)
            }
        }
    }

    /// Says why the cluster does not do it: in a line for people, or as JSON.
    fn say_refused(&self, error: Error, why: &str) {
        if self.json {
            let line = serde_json::json!({ "error": error.name(), "message": why });
            // The exit code says it too.
            let _ = writeln!(io::stdout(), "{line}");
        } else {
            complain(why);
        }
    }
}

/// Waits until somebody wants this process to end.
pub(crate) async fn stopped() {
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => terminate.recv().await,
            // Then it ends without ceremony.
            Err(_) => core::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminated => {}
    }
}

/// Whether standard error may be coloured.
pub(crate) fn colours() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|no| no.is_empty())
}

/// A line on standard error, its beginning in red on a terminal.
pub(crate) fn complain(text: &str) {
    let (red, plain) = if colours() {
        ("\x1b[31m", "\x1b[0m")
    } else {
        ("", "")
    };
    eprintln!("{red}otterkeeper:{plain} {text}");
}

/// An open session, and where its answers are printed.
pub(crate) struct Session<'a> {
    pub(crate) client: Client,
    events: Events,
    /// Whether the connection is lost, as somebody was told.
    is_lost: bool,
    remote: &'a Remote,
    number: u64,
    /// Whether more will be asked in it, by somebody who looks on.
    is_shell: bool,
    /// Whether no events come any more.
    is_deaf: bool,
}

impl Session<'_> {
    /// From now on nothing waits that can go on beside the next line.
    pub(crate) const fn be_shell(&mut self) {
        self.is_shell = true;
    }

    /// Whether it is a shell's.
    pub(crate) const fn is_shell(&self) -> bool {
        self.is_shell
    }

    /// There are no events any more.
    pub(crate) const fn be_deaf(&mut self) {
        self.is_deaf = true;
    }

    /// Says what went wrong; what that means for the process is left out.
    pub(crate) fn report(&self, failure: &Failure) {
        let _ = self.remote.report(failure);
    }

    /// The end of the session, but not of the shell.
    pub(crate) async fn close(&self) {
        self.client.clone().close().await;
    }

    /// Another session, on these servers or on the same ones.
    pub(crate) async fn reconnect(&mut self, servers: &[String]) -> Result<(), Failure> {
        let servers = match servers {
            [] => &self.remote.servers.server,
            servers => servers,
        };
        let client = self.remote.connect(servers).await?;
        self.close().await;
        self.events = client.events();
        self.client = client;
        (self.is_lost, self.is_deaf) = (false, false);
        eprintln!("connected to {}", self.client.server());
        Ok(())
    }

    /// Asks, and prints nothing.
    pub(crate) async fn quiet(&self, path: &str, request: Request) -> Result<Response, Failure> {
        let reply = self.client.call(request).await?;
        reply.result.map_err(|error| Failure::Refused {
            error,
            path: path.to_owned(),
        })
    }

    /// Asks about a znode, and prints nothing.
    pub(crate) async fn peek(&self, kind: ReadKind, path: &str) -> Result<Response, Failure> {
        let read = Read {
            kind,
            path: path.to_owned(),
            watch: false,
        };
        self.quiet(path, Request::Read(read)).await
    }

    /// The same, linearizable, with the zxid of the answer.
    pub(crate) async fn latest(
        &self,
        kind: ReadKind,
        path: &str,
    ) -> Result<(Response, Index), Failure> {
        let read = Read {
            kind,
            path: path.to_owned(),
            watch: false,
        };
        let Reply { zxid, result } = self.client.call(Request::Latest(read)).await?;
        let refused = |error| Failure::Refused {
            error,
            path: path.to_owned(),
        };
        Ok((result.map_err(refused)?, zxid))
    }

    /// Several changes that all must be made.
    pub(crate) async fn multi(&self, path: &str, request: Request) -> Result<(), Failure> {
        let Response::Multi(results) = self.quiet(path, request).await? else {
            return Ok(());
        };
        let is_reason = |error: &Error| !matches!(error, Error::Ok | Error::RuntimeInconsistency);
        match results.into_iter().filter_map(Result::err).find(is_reason) {
            None => Ok(()),
            Some(error) => Err(Failure::Refused {
                error,
                path: path.to_owned(),
            }),
        }
    }

    /// The paths of a znode and of all below it, parents before children, siblings in order. What vanishes
    /// meanwhile is left out.
    pub(crate) async fn subtree(&mut self, root: &str) -> Result<Vec<String>, Failure> {
        let (found, closed) = self.visible(root).await?;
        match closed.into_iter().next() {
            None => Ok(found),
            Some(path) => Err(Failure::Refused {
                error: Error::NoAuth,
                path,
            }),
        }
    }

    /// The same, and those of them behind which nobody let this client look.
    pub(crate) async fn visible(
        &mut self,
        root: &str,
    ) -> Result<(Vec<String>, Vec<String>), Failure> {
        let (mut found, mut closed) = (Vec::new(), Vec::new());
        let mut ahead = vec![root.to_owned()];
        while let Some(at) = ahead.pop() {
            let names = match self.peek(ReadKind::Children, &at).await {
                Ok(Response::Children { names, .. }) => names,
                Ok(_) => Vec::new(),
                Err(Failure::Refused {
                    error: Error::NoNode,
                    ..
                }) if at != root => continue,
                Err(Failure::Refused {
                    error: Error::NoAuth,
                    ..
                }) if at != root => {
                    closed.push(at.clone());
                    Vec::new()
                }
                Err(failure) => return Err(failure),
            };
            let prefix = path::prefix(&at).into_owned();
            found.push(at);
            ahead.extend(names.iter().rev().map(|name| format!("{prefix}{name}")));
        }
        Ok((found, closed))
    }

    /// Says why, in words of its own.
    pub(crate) fn refused(&self, error: Error, why: &str) -> Failure {
        self.remote.say_refused(error, why);
        Failure::Said(FAILED)
    }

    /// Waits for the watch that a request has left, unless whoever asked goes on typing.
    pub(crate) async fn await_watch(&mut self, watch: bool) -> Result<(), Failure> {
        match watch && !self.is_shell {
            true => self.await_event().await,
            false => Ok(()),
        }
    }

    /// Asks, and prints the answer if that is to be JSON.
    pub(crate) async fn ask(&mut self, path: &str, request: Request) -> Result<Response, Failure> {
        let reply = self.client.call(request).await?;
        self.number += 1;
        if self.remote.json {
            writeln!(io::stdout(), "{}", json::encode_reply(self.number, &reply))?;
        }
        reply.result.map_err(|error| match self.remote.json {
            true => Failure::Answered { error },
            false => Failure::Refused {
                error,
                path: path.to_owned(),
            },
        })
    }

    /// The same for a change. What is in the way may be the parent.
    pub(crate) async fn change(&mut self, op: Op) -> Result<Response, Failure> {
        let asked = self.ask(op.path(), Request::Write(op.clone())).await;
        asked.map_err(|failure| match failure {
            Failure::Refused { error, .. } => Failure::Refused {
                error,
                path: culprit(error, &op).to_owned(),
            },
            failure => failure,
        })
    }

    /// Asks about a znode.
    pub(crate) async fn read(
        &mut self,
        kind: ReadKind,
        path: &str,
        watch: bool,
    ) -> Result<Response, Failure> {
        self.ask(
            path,
            Request::Read(Read {
                kind,
                path: path.to_owned(),
                watch,
            }),
        )
        .await
    }

    /// What happens next to the session or a watch.
    pub(crate) async fn next(&mut self) -> Result<Event, Failure> {
        if self.is_deaf {
            return core::future::pending().await;
        }
        let closed = ClientError::Lost("the client is closed");
        self.events.next().await.ok_or(Failure::Client(closed))
    }

    /// Waits until the session ends; what happens to the connection before that is said.
    pub(crate) async fn expired(&mut self) -> Result<(), Failure> {
        loop {
            match self.next().await? {
                Event::Expired { .. } => return Ok(()),
                event => self.mention(&event),
            }
        }
    }

    /// Says on standard error what happens to the connection.
    pub(crate) fn mention(&mut self, event: &Event) {
        match event {
            Event::Disconnected { reason } if !core::mem::replace(&mut self.is_lost, true) => {
                eprintln!("the connection was lost: {}; trying to go on", why(*reason));
            }
            Event::Connected { .. } if core::mem::take(&mut self.is_lost) => {
                eprintln!("connected to {}", self.client.server());
            }
            _ => {}
        }
    }

    /// Prints a line for people.
    pub(crate) fn say(&self, line: impl core::fmt::Display) -> Result<(), Failure> {
        self.show(format!("{line}\n").as_bytes())
    }

    /// Prints a line for people, or this for programs.
    pub(crate) fn say_or(
        &self,
        line: impl core::fmt::Display,
        json: &serde_json::Value,
    ) -> Result<(), Failure> {
        match self.remote.json {
            true => writeln!(io::stdout(), "{json}")?,
            false => self.say(line)?,
        }
        Ok(())
    }

    /// Prints bytes as they are, for people.
    pub(crate) fn show(&self, bytes: &[u8]) -> Result<(), Failure> {
        if !self.remote.json {
            let mut out = io::stdout().lock();
            out.write_all(bytes)?;
            out.flush()?;
        }
        Ok(())
    }

    /// Prints a Stat as zkCli does.
    pub(crate) fn show_stat(&self, stat: &Stat) -> Result<(), Failure> {
        self.say(StatLines(stat))
    }

    /// Waits for the watch that a request has left, and prints what happened.
    async fn await_event(&mut self) -> Result<(), Failure> {
        loop {
            match self.next().await? {
                Event::Watch(event) => return self.show_event(&event),
                Event::Expired { .. } => return Err(ClientError::Expired.into()),
                event => self.mention(&event),
            }
        }
    }

    pub(crate) fn show_event(&self, event: &WatchEvent) -> Result<(), Failure> {
        writeln!(io::stdout(), "{}", self.event_text(event))?;
        Ok(())
    }

    /// A watch fired, in a line.
    pub(crate) fn event_text(&self, event: &WatchEvent) -> String {
        match self.remote.json {
            true => json::encode_event(event),
            false => format!(
                "{} {} (zxid {:#x})",
                name(event.kind),
                event.path,
                event.zxid.0
            ),
        }
    }

    pub(crate) fn show_missed(&self, path: &str) -> Result<(), Failure> {
        writeln!(io::stdout(), "{}", self.missed_text(path))?;
        Ok(())
    }

    /// What happened below a path meanwhile is not known, in a line.
    pub(crate) fn missed_text(&self, path: &str) -> String {
        match self.remote.json {
            true => serde_json::json!({ "overflow": true, "path": path }).to_string(),
            false => format!("what happened at {path} meanwhile is not known: read it again"),
        }
    }
}

/// What a watch event is called.
fn name(kind: EventKind) -> &'static str {
    match kind {
        EventKind::NodeCreated => "NodeCreated",
        EventKind::NodeDeleted => "NodeDeleted",
        EventKind::NodeDataChanged => "NodeDataChanged",
        EventKind::NodeChildrenChanged => "NodeChildrenChanged",
    }
}

struct StatLines<'a>(&'a Stat);

impl core::fmt::Display for StatLines<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let stat = self.0;
        let date = |ms| httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_millis(ms));
        writeln!(f, "cZxid = {:#x}", stat.czxid.0)?;
        writeln!(f, "ctime = {}", date(stat.ctime_ms))?;
        writeln!(f, "mZxid = {:#x}", stat.mzxid.0)?;
        writeln!(f, "mtime = {}", date(stat.mtime_ms))?;
        writeln!(f, "pZxid = {:#x}", stat.pzxid.0)?;
        writeln!(f, "cversion = {}", stat.cversion)?;
        writeln!(f, "dataVersion = {}", stat.version)?;
        writeln!(f, "aclVersion = {}", stat.aversion)?;
        writeln!(f, "ephemeralOwner = {:#x}", stat.ephemeral_owner.0)?;
        writeln!(f, "dataLength = {}", stat.data_length)?;
        write!(f, "numChildren = {}", stat.num_children)
    }
}

/// `SCHEME:PROOF`.
fn auth(text: &str) -> Result<Auth, String> {
    let (scheme, proof) = text
        .split_once(':')
        .ok_or("expected SCHEME:PROOF, as digest:user:password")?;
    Ok(Auth {
        scheme: scheme.to_owned(),
        proof: proof.to_owned(),
    })
}

/// `HOST:PORT`.
pub(crate) fn server(text: &str) -> Result<String, String> {
    let text = text.trim();
    let valid = text.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port != 0)
    });
    if valid && !text.contains(['/', ' ', '\t']) {
        Ok(text.to_owned())
    } else {
        Err("expected HOST:PORT, as 127.0.0.1:8080".into())
    }
}

/// A path of a znode that exists or is to be looked for.
pub(crate) fn znode(text: &str) -> Result<String, String> {
    if path::is_valid(text) {
        return Ok(text.to_owned());
    }
    Err("a path starts with /, does not end with /, and has no empty, . or .. element".into())
}

/// A path to create: a sequential one may end with a slash, and then its name is the number alone.
pub(crate) fn new_znode(text: &str) -> Result<String, String> {
    match text.strip_suffix('/') {
        Some(parent) if parent.is_empty() || path::is_valid(parent) => Ok(text.to_owned()),
        _ => znode(text),
    }
}

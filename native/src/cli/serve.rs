//! `otterkeeper serve`: one node of a cluster, put together and run until it is told to stop.

use core::cell::OnceCell;
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use otterkeeper_core::configuration::{Configuration, Member, Standing};
use otterkeeper_core::node::{Boot, Node};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::spawn_local;

use super::remote::{MISUSED, colours, complain};
use crate::config::{Server, Settings};
use crate::disk::Disk;
use crate::driver::{Clock, Driver, Signals};
use crate::files::Dir;
use crate::http::{self, Site};
use crate::identity::{self, DataDir, Identity};
use crate::peer::Peers;
use crate::snapshots::Snapshots;
use crate::wal::{SEGMENT_BYTES, Wal};
use crate::zk;

/// Run one node of a cluster.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A TOML file with the same keys as the flags; flags win.
    #[arg(long, env = "OTTERKEEPER_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    settings: Settings,
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let settings = args.settings.over_file(args.config.as_ref());
    let server = match settings.and_then(Settings::validate) {
        Ok(server) => server,
        Err(error) => {
            complain(&format!("{error:#}; see `otterkeeper serve --help`"));
            return Ok(ExitCode::from(MISUSED));
        }
    };
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(colours())
        .with_target(false)
        .init();
    // One thread owns the node and every connection (rule R26).
    let runtime = tokio::runtime::LocalRuntime::new()?;
    runtime.block_on(serve(server))?;
    Ok(ExitCode::SUCCESS)
}

async fn serve(server: Server) -> anyhow::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let stop = async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    let mut stop = core::pin::pin!(stop);

    let listener = bind("--listen", &server.listen).await?;
    let zk_listener = match &server.zk_listen {
        Some(address) => Some(bind("--zk-listen", address).await?),
        None => None,
    };
    let id = server.node.id;
    let path = server.data.clone();
    let unusable = || format!("the data directory {} cannot be used", path.display());
    let data = DataDir::lock(&server.data).with_context(unusable)?;
    let identity = data.identity(id).with_context(unusable)?;
    let store = Store::open(&server, &identity).with_context(unusable)?;

    let replica = identity.replica.number();
    // A port of 0 is one that the system chose.
    let clients = match (&server.zk_listen, &zk_listener) {
        (Some(address), Some(listener)) => {
            let host = address
                .rsplit_once(':')
                .map_or(&**address, |(host, _)| host);
            format!("{host}:{}", listener.local_addr()?.port())
        }
        _ => String::new(),
    };
    let peers = Peers::new(identity, data, &server.members, server.joins, clients);
    let site = Rc::new(Site {
        peers: peers.clone(),
        host_names: server.host_names.clone(),
        request_bytes: server.node.request_bytes,
        hub: OnceCell::new(),
    });
    spawn_local(http::serve(listener, Rc::clone(&site)));
    peers.dial();
    tracing::info!(member = %id, http = server.listen, zookeeper = server.zk_listen, "started");

    let cluster = tokio::select! {
        biased;
        () = &mut stop => return Ok(()),
        formed = peers.formed() => formed.map_err(|sentence| anyhow!(sentence))?,
    };
    let mut config = server.node.clone();
    config.replica = replica;
    let first = cluster.members.iter().map(|member| Member {
        id: member.node,
        replica: member.replica.number(),
        address: server
            .members
            .get(&member.node)
            .cloned()
            .unwrap_or_default(),
        clients: member.clients.clone(),
        standing: Standing::Voter,
    });
    config.members = Configuration::new(first.collect());

    let clock = Clock::start();
    let request_bytes = config.request_bytes;
    let connections = config.connections as usize;
    let node = Node::boot(config, store.boot, identity::random()?, clock.now());
    let node = node
        .map_err(|error| anyhow!("{}", error.0))
        .with_context(unusable)?;
    let signals = Arc::<Signals>::default();
    let disk = Disk::start(store.wal, store.snapshots, &signals)?;
    let (driver, hub) = Driver::new(node, clock, connections, signals, disk, peers.clone());
    peers.attach(hub.clone());
    hub.send_out(Box::new(peers.clone()));
    // Nobody else sets it.
    let _ = site.hub.set(hub.clone());
    if let Some(listener) = zk_listener {
        let conf = zk::words::Conf {
            client_port: listener.local_addr().map_or(0, |address| address.port()),
            data: server.data.display().to_string(),
            session_min_ms: server.node.session_min.as_ms(),
            session_max_ms: server.node.session_max.as_ms(),
            connections: server.node.connections,
            id: id.0,
            heartbeat_ms: server.node.heartbeat.as_ms(),
            listen: server.listen.clone(),
        };
        let (words, users) = (server.words, server.users);
        spawn_local(zk::serve(listener, hub, request_bytes, words, conf, users));
    }

    let mut driving = spawn_local(driver.run());
    let refused = tokio::select! {
        biased;
        () = stop => None,
        sentence = peers.refused() => Some(sentence),
        ended = &mut driving => {
            let Err(sentence) = ended.context("the driver broke off")?;
            bail!("{sentence}");
        }
    };
    // Dropped, it still writes what is queued for the disk.
    driving.abort();
    let _ = driving.await;
    if let Some(sentence) = refused {
        bail!("{sentence}");
    }
    tracing::info!("stopped");
    Ok(())
}

async fn bind(flag: &str, address: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("{flag} {address} cannot be listened on"))
}

/// What lies in the data directory.
struct Store {
    wal: Wal<Dir>,
    snapshots: Snapshots<Dir>,
    boot: Boot,
}

impl Store {
    fn open(server: &Server, identity: &Identity) -> anyhow::Result<Self> {
        let logs = Dir::new(&server.data.join("log"))?;
        let (wal, found) = Wal::open(logs, identity.replica.salt(), SEGMENT_BYTES)?;
        if found.fresh && identity.cluster.is_some() {
            bail!(
                "its log is gone, and with it what this member promised: restore the directory, or add a new member"
            );
        }
        if found.torn {
            tracing::info!("cut off a torn tail of the log: its last write was never acknowledged");
        }
        let files = Dir::new(&server.data.join("snapshots"))?;
        let last = found.snapshot.as_ref().map(|meta| meta.last);
        let snapshots = Snapshots::open(files, last)?;
        let snapshot = found.snapshot.map(|meta| snapshots.load(&meta));
        let snapshot = snapshot.transpose().map_err(|sentence| anyhow!(sentence))?;
        let boot = Boot {
            vote: found.vote,
            commit_hint: found.commit_hint,
            snapshot,
            log: found.log,
        };
        Ok(Self {
            wal,
            snapshots,
            boot,
        })
    }
}

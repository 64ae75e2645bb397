//! `otterkeeper dev`: a throw-away cluster of real node processes on loopback, for trying things out.

use core::cell::Cell;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Run a throw-away cluster of node processes on loopback.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How many nodes.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=9))]
    nodes: u8,
    /// HTTP address of node 1; node i listens i-1 ports higher.
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    http: SocketAddr,
    /// ZooKeeper address of node 1; node i listens i-1 ports higher.
    #[arg(long, default_value = "127.0.0.1:2181", value_name = "ADDRESS")]
    zk: SocketAddr,
    /// Keep the data here, one directory for each node; without it the data goes when the cluster stops.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// How long a node has to stop after it was asked to.
const STOP_TIME: Duration = Duration::from_secs(5);

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::LocalRuntime::new()?;
    let temporary = env::temp_dir().join(format!("otterkeeper-dev-{}", std::process::id()));
    let data = args.data.clone().unwrap_or_else(|| temporary.clone());
    let outcome = runtime.block_on(cluster(&args, &data));
    if args.data.is_none() && temporary.exists() {
        fs::remove_dir_all(&temporary)
            .with_context(|| format!("{} is left over", temporary.display()))?;
    }
    outcome.map(|()| ExitCode::SUCCESS)
}

async fn cluster(args: &Args, data: &std::path::Path) -> anyhow::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let above = |base: SocketAddr, i: u8| {
        let port = base
            .port()
            .checked_add(u16::from(i))
            .context("the ports go beyond 65535")?;
        anyhow::Ok(SocketAddr::new(base.ip(), port))
    };
    let addresses: Vec<_> = (0..args.nodes)
        .map(|i| Ok((above(args.http, i)?, above(args.zk, i)?)))
        .collect::<anyhow::Result<_>>()?;
    let binary = env::current_exe().context("the path of this program is not known")?;

    let mut nodes = JoinSet::new();
    let (mut processes, mut commands) = (Vec::new(), Vec::new());
    for (i, (http, zk)) in addresses.iter().enumerate() {
        let id = i + 1;
        let mut command = Command::new(&binary);
        command.arg("serve").args(["--id", &id.to_string()]);
        command.arg("--data").arg(data.join(format!("node-{id}")));
        command.args([
            "--listen",
            &http.to_string(),
            "--zk-listen",
            &zk.to_string(),
        ]);
        for (j, (peer, _)) in addresses.iter().enumerate() {
            command.args(["--peer", &format!("{}=ws://{}", j + 1, reachable(*peer))]);
        }
        // Of its own process group, so that Ctrl-C reaches it through this process alone.
        command
            .process_group(0)
            .kill_on_drop(true)
            .stderr(std::process::Stdio::piped());
        // SAFETY: prctl is a system call and allowed between fork and exec.
        unsafe {
            // Nodes go with this process, even if it is killed.
            command.pre_exec(
                || match libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM) {
                    0 => Ok(()),
                    _ => Err(std::io::Error::last_os_error()),
                },
            );
        }
        let mut child = command.spawn().context("a node cannot be started")?;
        if let Some(stderr) = child.stderr.take() {
            tokio::task::spawn_local(async move {
                let mut lines = BufReader::new(stderr).lines();
                while let Ok(Some(line)) = lines.next_line().await {
                    eprintln!("{id} | {line}");
                }
            });
        }
        processes.extend(child.id());
        commands.push(words(&command));
        nodes.spawn_local(wait(id, child));
    }

    let is_ready = Cell::new(false);
    let announce = async {
        while !ready(reachable(addresses[0].0)).await {
            sleep(Duration::from_millis(50)).await;
        }
        is_ready.set(true);
        println!("The cluster is ready. Ctrl-C stops it.");
        for (i, (http, zk)) in addresses.iter().enumerate() {
            println!(
                "  node {}   http://{}   ZooKeeper clients: {}",
                i + 1,
                reachable(*http),
                reachable(*zk)
            );
        }
        core::future::pending::<()>().await;
    };
    let outcome = tokio::select! {
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
        () = announce => Ok(()),
        outcome = watch(&mut nodes, &commands, &is_ready) => outcome,
    };
    for process in processes {
        // SAFETY: a signal to a child that this process started and has not waited for, or that is gone.
        unsafe { libc::kill(process.cast_signed(), libc::SIGTERM) };
    }
    let all = async { while nodes.join_next().await.is_some() {} };
    if timeout(STOP_TIME, all).await.is_err() {
        bail!(
            "a node did not stop in {} s and was killed",
            STOP_TIME.as_secs()
        );
    }
    outcome
}

/// Waits until the last node has stopped. The cluster goes on without the others: that is what it is for.
async fn watch(
    nodes: &mut JoinSet<usize>,
    commands: &[String],
    is_ready: &Cell<bool>,
) -> anyhow::Result<()> {
    while let Some(ended) = nodes.join_next().await {
        let id = ended.unwrap_or(0);
        if !is_ready.get() {
            bail!("node {id} could not start; its last lines above say why");
        }
        eprintln!(
            "node {id} has stopped; its last lines above say why, if it could. To start it again:"
        );
        eprintln!(
            "  {}",
            commands.get(id.wrapping_sub(1)).map_or("", String::as_str)
        );
    }
    bail!("all nodes have stopped")
}

/// A command as it can be typed.
fn words(command: &Command) -> String {
    let command = command.as_std();
    let words = core::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

async fn wait(id: usize, mut child: Child) -> usize {
    // However it ended: it is gone.
    let _ = child.wait().await;
    id
}

/// Where a listening address is reached from this machine.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => {
            SocketAddr::new([127, 0, 0, 1].into(), address.port())
        }
        IpAddr::V6(ip) if ip.is_unspecified() => {
            SocketAddr::new(core::net::Ipv6Addr::LOCALHOST.into(), address.port())
        }
        _ => address,
    }
}

/// Whether the node knows a leader.
async fn ready(address: SocketAddr) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect(address).await?;
        let request =
            format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        std::io::Result::Ok(answer.starts_with("HTTP/1.1 200"))
    };
    matches!(timeout(Duration::from_secs(1), ask).await, Ok(Ok(true)))
}

//! `cargo xtask play`: page and server are built, three nodes start on loopback, a browser opens. Knows
//! of the cluster only what anybody sees from outside: its ports and its command line.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use crate::install;
use crate::step::{self, Step, say, stopped};
use crate::web;

/// How many nodes `otterkeeper dev` starts by itself.
const NODES: u16 = 3;
/// After that long without a leader something is wrong.
const START_LIMIT: Duration = Duration::from_secs(60);
/// The servers get this long to stop by themselves.
const STOP_LIMIT: Duration = Duration::from_secs(15);
/// Where the cluster of `cargo xtask test` listens, apart from one that somebody may be using.
const CHECK_HTTP: u16 = 18_080;
const CHECK_ZK: u16 = 12_181;
const POLL: Duration = Duration::from_millis(100);

/// Where the cluster listens, and what happens when it is up.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Opens no browser
    #[arg(long)]
    no_open: bool,
    /// Where the first node serves the page and WebSocket clients; the others follow on the next ports
    #[arg(long, value_name = "ADDR", default_value_t = loopback(8080))]
    http: SocketAddr,
    /// Where the first node serves ZooKeeper clients; the others follow on the next ports
    #[arg(long, value_name = "ADDR", default_value_t = loopback(2181))]
    zk: SocketAddr,
    /// Writes through each node, reads it back, fetches the page, then stops
    #[arg(long)]
    check: bool,
}

/// `cargo xtask play`.
pub(crate) fn play(options: &Options) -> Result<ExitCode> {
    web::build()?;
    run(options, &build_server()?)?;
    Ok(ExitCode::SUCCESS)
}

/// Starts a cluster, writes through each node, reads it back, fetches the page, and stops it.
pub(crate) fn check_all(server: &Path) -> Result<()> {
    let options = Options {
        no_open: true,
        http: loopback(CHECK_HTTP),
        zk: loopback(CHECK_ZK),
        check: true,
    };
    run(&options, server)
}

fn run(options: &Options, server: &Path) -> Result<()> {
    let mut command = Command::new(server);
    command.arg("dev").stdin(Stdio::null());
    command.args([
        "--http",
        &options.http.to_string(),
        "--zk",
        &options.zk.to_string(),
    ]);
    let mut cluster = step::spawn(&mut command)?;
    let outcome = wait_for_leader(options, &mut cluster).and_then(|()| {
        if options.check {
            check(options, server)
        } else {
            show(options, &mut cluster)
        }
    });
    let end = end(&mut cluster);
    step::reaped(&cluster);
    if stopped() && !options.check {
        return Ok(());
    }
    outcome.and(end)
}

/// Builds the server as people run it, with the page inside.
pub(crate) fn build_server() -> Result<PathBuf> {
    // By its own name and alone, so that no other package's features come in (planted bugs above all).
    Step::cargo(
        "build the server",
        &[
            "build",
            "--release",
            "-p",
            "otterkeeper",
            "--features",
            "page",
        ],
    )
    .run()?;
    Ok(crate::target("release/otterkeeper"))
}

/// Says where everything is, opens the page, and waits until somebody stops the cluster.
fn show(options: &Options, cluster: &mut Child) -> Result<()> {
    let page = format!("http://{}/", options.http);
    say(&format!("\nThe playground and the first node:  {page}"));
    for node in 1..NODES {
        say(&format!(
            "Another node:                       http://{}/",
            after(options.http, node)
        ));
    }
    let doors: Vec<String> = (0..NODES)
        .map(|node| after(options.zk, node).to_string())
        .collect();
    say(&format!(
        "ZooKeeper clients:                  {}",
        doors.join(",")
    ));
    say("Ctrl-C stops all.");
    if !options.no_open {
        open(&page);
    }
    let status = cluster.wait().context("lost the cluster")?;
    ensure!(
        status.success() || stopped(),
        "the cluster stopped by itself ({status})"
    );
    Ok(())
}

/// A write through each node, read back through the next one, and the page.
fn check(options: &Options, server: &Path) -> Result<()> {
    for node in 0..NODES {
        let (writer, reader) = (
            after(options.http, node),
            after(options.http, (node + 1) % NODES),
        );
        let path = format!("/check-{}", node + 1);
        let ask = |address: SocketAddr, words: &[&str]| {
            let what = format!("{} at {address}", words.join(" "));
            Step::new(&what, server)
                .args(words)
                .args(&["--server", &address.to_string()])
                .run()
        };
        ask(writer, &["create", &path, "otter"])?;
        // Reads are local; a sync first makes them see what has been acknowledged.
        ask(reader, &["sync", &path])?;
        let answer = ask(reader, &["get", &path])?;
        ensure!(
            answer.output.contains("otter"),
            "{path} written at {writer} is not at {reader}"
        );
    }
    for node in 0..NODES {
        let address = after(options.http, node);
        let page = fetch(address, "/").with_context(|| format!("no page at {address}"))?;
        ensure!(
            page.contains("<html"),
            "what {address} serves is no page:\n{page}"
        );
    }
    const WASM: &str = "/otterkeeper_bg.wasm";
    let (_, whole) = get(options.http, WASM, "").context("the page has no wasm")?;
    for packing in ["gzip", "br"] {
        let accept = format!("Accept-Encoding: {packing}\r\n");
        let (head, packed) = get(options.http, WASM, &accept)?;
        ensure!(
            head.contains(&format!("content-encoding: {packing}"))
                && packed.len() < whole.len() / 2,
            "the wasm is not sent smaller to who reads {packing}:\n{head}"
        );
        let tag = head.lines().find_map(|line| line.strip_prefix("etag: "));
        let tag = tag.context("the wasm has no tag")?;
        let again = get(
            options.http,
            WASM,
            &format!("{accept}If-None-Match: {tag}\r\n"),
        )?;
        ensure!(
            again.0.contains(" 304") && again.1.is_empty(),
            "what a browser has is sent again:\n{}",
            again.0
        );
    }
    say("ok   every node took a write that another one read back, and serves the page");
    Ok(())
}

fn wait_for_leader(options: &Options, cluster: &mut Child) -> Result<()> {
    let started = Instant::now();
    let is_ready = |node| fetch(after(options.http, node), "/readyz").is_ok();
    while !(0..NODES).all(is_ready) {
        if let Some(status) = cluster.try_wait()? {
            bail!("the cluster stopped at its start ({status}); is another one on these ports?");
        }
        ensure!(!stopped(), "stopped");
        ensure!(
            started.elapsed() < START_LIMIT,
            "no leader after {} s",
            START_LIMIT.as_secs()
        );
        std::thread::sleep(POLL);
    }
    Ok(())
}

/// Asks the cluster to stop, and makes it stop if it does not.
fn end(cluster: &mut Child) -> Result<()> {
    let started = Instant::now();
    if cluster.try_wait()?.is_none() {
        step::stop(cluster, libc::SIGTERM);
    }
    while cluster.try_wait()?.is_none() {
        if STOP_LIMIT < started.elapsed() {
            step::stop(cluster, libc::SIGKILL);
            cluster.wait()?;
            bail!(
                "the cluster did not stop within {} s of SIGTERM",
                STOP_LIMIT.as_secs()
            );
        }
        std::thread::sleep(POLL);
    }
    Ok(())
}

/// The body of a successful answer to `GET path`.
fn fetch(address: SocketAddr, path: &str) -> Result<String> {
    let (head, body) = get(address, path, "")?;
    let status = head.lines().next().unwrap_or_default();
    ensure!(status.contains(" 200"), "{status}");
    Ok(String::from_utf8_lossy(&body).into_owned())
}

/// Head and body of the answer to `GET path` with more lines of headers.
fn get(address: SocketAddr, path: &str, headers: &str) -> Result<(String, Vec<u8>)> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(2))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\n{headers}Connection: close\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let body = answer.split_off(end.context("no HTTP answer")? + 4);
    Ok((String::from_utf8(answer)?, body))
}

/// Opens `page` if there is a screen and something that opens pages.
fn open(page: &str) {
    let has_screen = ["DISPLAY", "WAYLAND_DISPLAY"]
        .iter()
        .any(|name| std::env::var_os(name).is_some());
    let program = if cfg!(target_os = "macos") {
        "open"
    } else {
        "xdg-open"
    };
    if (has_screen || cfg!(target_os = "macos")) && install::has(program) {
        // If it fails, the address is on the screen all the same.
        let _ = Command::new(program)
            .arg(page)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
    }
}

const fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

/// The address of the node that comes `nodes` after the first.
fn after(mut first: SocketAddr, nodes: u16) -> SocketAddr {
    first.set_port(first.port() + nodes);
    first
}

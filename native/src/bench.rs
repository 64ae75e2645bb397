//! `otterkeeper bench`: a load generator for servers that speak ZooKeeper's protocol, ours and
//! others. A closed loop: each connection keeps a window of requests outstanding and sends a new
//! one for each reply. Two more measurements stand beside it: the gap in writes while a server
//! dies, and how often a second the disk makes a write durable.
//!
//! It knows nothing of the server's insides and shares no code with it, so that both cannot be
//! wrong in the same way.

mod failover;
mod link;
mod load;
mod probe;
mod usage;
mod wire;

use core::net::SocketAddr;
use core::ops::RangeInclusive;
use core::time::Duration;
use std::io::{self, IsTerminal};
use std::net::ToSocketAddrs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::builder::TypedValueParser;
use hdrhistogram::Histogram;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use self::link::Link;
use self::load::Stage;
use self::wire::{Session, Template};

/// Limit on the wait for one answer while the znodes are set up.
const SETUP_SILENCE: Duration = Duration::from_secs(10);
/// Creates outstanding while the znodes are set up.
const SETUP_WINDOW: u32 = 100;

/// Measures a server, or several of one ensemble, over ZooKeeper's protocol.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// ZooKeeper ports; connections go round them in this order.
    #[arg(
        long,
        value_name = "HOST:PORT,...",
        value_delimiter = ',',
        default_value = "127.0.0.1:2181"
    )]
    servers: Vec<String>,
    /// Number of connections, each with its own session.
    #[arg(long, short, default_value_t = 16, value_parser = within(1..=20_000))]
    connections: u32,
    /// Requests outstanding on each connection.
    #[arg(long, short, default_value_t = 1, value_parser = within(1..=10_000))]
    window: u32,
    /// Share of reads (getData) among the requests; the others are writes (setData).
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = within(0..=100))]
    reads: u32,
    /// Bytes in each value.
    #[arg(long, default_value_t = 100, value_parser = within(0..=1_000_000))]
    value_bytes: u32,
    /// Number of znodes, drawn at random.
    #[arg(long, default_value_t = 1_000, value_parser = within(1..=wire::KEYS_MAX))]
    keys: u32,
    /// The znode below which the keys lie; it is made if it is missing.
    #[arg(long, default_value = "/bench")]
    root: String,
    /// Seconds of load before the measurement.
    #[arg(long, value_name = "SECONDS", default_value = "0.7", value_parser = seconds)]
    warm_up: Duration,
    /// Seconds measured.
    #[arg(long, value_name = "SECONDS", default_value = "3", value_parser = seconds)]
    seconds: Duration,
    /// Seed for the choice of keys and of reads.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A server process on this machine whose CPU time is to be told; may be repeated.
    #[arg(long, value_name = "PID")]
    server_pid: Vec<u32>,
    /// Measure the longest gap in the writes of one client that begins on a follower.
    #[arg(long, conflicts_with_all = ["fsync_probe", "reads", "connections", "window"])]
    failover: bool,
    /// With --failover: kill this process (kill -9).
    #[arg(long, value_name = "PID", requires = "failover")]
    kill_pid: Option<u32>,
    /// With --kill-pid: after so many seconds.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value = "2.5",
        requires = "kill_pid"
    )]
    #[arg(value_parser = seconds)]
    after: Duration,
    /// Measure how often a second 512 bytes written to a file in this directory can be synced.
    #[arg(long, value_name = "DIRECTORY")]
    fsync_probe: Option<PathBuf>,
    /// Print one line of JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the measurement and prints it.
///
/// # Errors
/// If a server cannot be reached, refuses the znodes, or gives no sessions.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let figures = if let Some(directory) = &args.fsync_probe {
        let (rate, latencies) = probe::run(directory, args.seconds)
            .with_context(|| format!("cannot measure the disk at {}", directory.display()))?;
        json!({
            "kind": "fsync",
            "bytes": 512,
            "per_second": round(rate),
            "latency": percentiles(&latencies),
        })
    } else if args.failover {
        measure_failover(args)?
    } else {
        measure_load(args)?
    };
    if args.json {
        println!("{figures}")
    } else {
        print_plainly(&figures, 0)
    }
    Ok(ExitCode::SUCCESS)
}

/// An empty histogram of latencies in ns, up to a minute, true to three digits.
fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("the bounds are constant and in order")
}

fn measure_load(args: &Args) -> anyhow::Result<Value> {
    let servers = addresses(&args.servers)?;
    let value = value(args.value_bytes);
    set_up(args, &servers, &value)?;
    let plan = load::Plan {
        servers: &servers,
        connections: args.connections as usize,
        window: args.window as usize,
        reads_percent: args.reads,
        keys: args.keys,
        read: Template::get_data(&args.root),
        write: Template::set_data(&args.root, &value),
        warm_up: args.warm_up,
        span: args.seconds,
        pids: &args.server_pid,
        seed: args.seed,
    };
    let bar = progress_bar(args.seconds);
    let figures =
        load::run(&plan, &mut |stage| show(&bar, &stage)).context("the load could not run")?;
    bar.finish_and_clear();

    let operations = figures.reads.len() + figures.writes.len();
    let per_100k = |seconds: f64| round(seconds * 100_000.0 / operations.max(1) as f64);
    let refused: Vec<_> = figures
        .errors
        .iter()
        .map(|(code, count)| json!([code, count]))
        .collect();
    let mut told = json!({
        "kind": "load",
        "servers": servers.len(),
        "connections": args.connections,
        "window": args.window,
        "reads_percent": args.reads,
        "value_bytes": args.value_bytes,
        "keys": args.keys,
        "seconds": round(figures.seconds),
        "operations": operations,
        "per_second": round(operations as f64 / figures.seconds),
        "refused": refused,
        "lost_connections": figures.lost_connections,
        "client_cpu_s": round(figures.client_cpu),
        "client_cpu_s_per_100k": per_100k(figures.client_cpu),
    });
    if !figures.reads.is_empty() {
        told["read"] = percentiles(&figures.reads);
    }
    if !figures.writes.is_empty() {
        told["write"] = percentiles(&figures.writes);
    }
    if !args.server_pid.is_empty() {
        told["server_cpu_s"] = round(figures.server_cpu);
        told["server_cpu_s_per_100k"] = per_100k(figures.server_cpu);
    }
    Ok(told)
}

fn measure_failover(args: &Args) -> anyhow::Result<Value> {
    let servers = addresses(&args.servers)?;
    let value = value(args.value_bytes);
    set_up(args, &servers, &value)?;
    let plan = failover::Plan {
        servers: &servers,
        write: Template::set_data(&args.root, &value),
        keys: args.keys,
        span: args.seconds,
        kill: args.kill_pid.map(|pid| (pid, args.after)),
    };
    let figures = failover::run(&plan).context("the failover could not be measured")?;
    let ms = |span: Duration| round(span.as_secs_f64() * 1_000.0);
    Ok(json!({
        "kind": "failover",
        "longest_gap_ms": ms(figures.longest_gap),
        "gap_began_ms": ms(figures.gap_began),
        "killed_ms": figures.killed.map(ms),
        "writes": figures.writes,
        "refused": figures.errors,
        "lost_connections": figures.lost_connections,
        "lost_sessions": figures.lost_sessions,
    }))
}

/// Makes the root and all keys, then lets every server catch up, so that no read misses one.
fn set_up(args: &Args, servers: &[SocketAddr], value: &[u8]) -> anyhow::Result<()> {
    const NODE_EXISTS: i32 = -110;
    if !args.root.starts_with('/') || args.root.ends_with('/') {
        bail!(
            "--root {} must begin with a slash and must not end with one",
            args.root
        );
    }
    let refused = |path: &str, code: i32| match code {
        0 | NODE_EXISTS => Ok(()),
        _ => bail!("the server refuses to create {path}: error {code}"),
    };
    let mut link = open(servers[0], &args.servers[0])?;
    refused(
        &args.root,
        link.call(&Template::create(&args.root, b""), 0, 0)?,
    )?;
    let mut answered = 0;
    for key in 0..args.keys {
        link.queue(&Template::create(&wire::key(&args.root, key), value), 0, 0);
        if SETUP_WINDOW <= key + 1 - answered || key + 1 == args.keys {
            while answered <= key {
                refused(&wire::key(&args.root, answered), link.answer()?)?;
                answered += 1;
            }
        }
    }
    link.close();
    for (&server, name) in servers.iter().zip(&args.servers) {
        let mut link = open(server, name)?;
        let code = link.call(&Template::sync(&args.root), 0, 0)?;
        link.close();
        if code != 0 {
            bail!("{name} cannot catch up with its leader: error {code}");
        }
    }
    Ok(())
}

fn open(server: SocketAddr, name: &str) -> anyhow::Result<Link> {
    Link::open(server, Session::default(), SETUP_SILENCE).with_context(|| {
        format!("no session at {name}; is a server listening there, and has it a leader?")
    })
}

fn addresses(names: &[String]) -> anyhow::Result<Vec<SocketAddr>> {
    let resolve = |name: &String| -> anyhow::Result<SocketAddr> {
        let mut found = name
            .to_socket_addrs()
            .with_context(|| format!("{name} is no HOST:PORT"))?;
        found
            .next()
            .with_context(|| format!("{name} has no address"))
    };
    names.iter().map(resolve).collect()
}

/// Bytes that do not compress, the same in every run.
fn value(length: u32) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let next = |_| {
        state = state
            .wrapping_mul(0x5851_F42D_4C95_7F2D)
            .wrapping_add(0x1405_7B7E_F767_814F);
        (state >> 56) as u8
    };
    (0..length).map(next).collect()
}

fn within(range: RangeInclusive<u32>) -> impl TypedValueParser<Value = u32> {
    clap::value_parser!(u32).range(i64::from(*range.start())..=i64::from(*range.end()))
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text
        .parse()
        .map_err(|_| format!("{text} is no number of seconds"))?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

fn progress_bar(span: Duration) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {msg}").expect("the template is constant");
    ProgressBar::new(span.as_millis() as u64).with_style(style)
}

fn show(bar: &ProgressBar, stage: &Stage) {
    match stage {
        Stage::Opening => bar.set_message("opening sessions"),
        Stage::WarmUp => bar.set_message("warming up"),
        Stage::Measuring {
            elapsed,
            operations,
        } => {
            bar.set_position(elapsed.as_millis() as u64);
            bar.set_message(format!(
                "{:.0} operations a second",
                *operations as f64 / elapsed.as_secs_f64()
            ));
        }
    }
}

/// Latencies in microseconds.
fn percentiles(latencies: &Histogram<u64>) -> Value {
    let us = |ns: u64| round(ns as f64 / 1_000.0);
    json!({
        "count": latencies.len(),
        "p50_us": us(latencies.value_at_quantile(0.5)),
        "p90_us": us(latencies.value_at_quantile(0.9)),
        "p99_us": us(latencies.value_at_quantile(0.99)),
        "p999_us": us(latencies.value_at_quantile(0.999)),
        "max_us": us(latencies.max()),
    })
}

/// Three digits after the point are enough for people and programs.
fn round(figure: f64) -> Value {
    json!((figure * 1_000.0).round() / 1_000.0)
}

/// One `name value` a line, what belongs together indented.
fn print_plainly(figures: &Value, depth: usize) {
    let Value::Object(fields) = figures else {
        return;
    };
    for (name, value) in fields {
        let name = name.replace('_', " ");
        if value.is_object() {
            println!("{:indent$}{name}", "", indent = depth * 2);
            print_plainly(value, depth + 1);
        } else {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            println!("{:indent$}{name:<24}{text}", "", indent = depth * 2);
        }
    }
}

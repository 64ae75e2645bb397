//! `cargo xtask versus`: Otterkeeper beside ZooKeeper 3.9.5 on this machine. Three processes each, in
//! turn, with the same load from `otterkeeper bench`; the figure of a cell is the median of its rounds,
//! and what counts is the ratio of the two medians, because machines drift. It knows nothing of either
//! server's insides.

mod ensemble;
mod memory;
mod zookeeper;

use core::time::Duration;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;

use anyhow::{Context, Result, bail};
use comfy_table::{CellAlignment, Table, presets};
use serde_json::{Value, json};

use self::ensemble::{Ensemble, Kind};
use crate::step::{Step, say};

/// Seconds of mixed load on a fresh ensemble: a virtual machine compiles its hot code in that time.
const WARM_UP: &str = "10";
/// After the death of a server, before the next one dies.
const SETTLE: Duration = Duration::from_secs(3);

/// How much is measured.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Rounds; each starts both ensembles afresh
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds measured in each cell
    #[arg(long, default_value_t = 3)]
    seconds: u32,
    /// Leaders killed for the gap in writes
    #[arg(long, default_value_t = 5)]
    kills: usize,
    /// Adds cells with 90 reads in 100 requests
    #[arg(long)]
    mix: bool,
    /// Measures one of the two alone
    #[arg(long, value_name = "NAME")]
    only: Option<Kind>,
    /// Instead: memory for sessions, watches and znodes, and the time that one change takes to many
    #[arg(long)]
    memory: bool,
}

/// One row of the table.
struct Cell {
    reads_percent: u32,
    connections: u32,
    window: u32,
    /// Reports of `otterkeeper bench`, a list for each kind.
    runs: [Vec<Value>; 2],
}

/// Measures both and prints the table, the goals, and one line of JSON last.
pub(crate) fn versus(args: &Args) -> Result<ExitCode> {
    build_server()?;
    let kinds = args.only.map_or(Kind::ALL.to_vec(), |kind| vec![kind]);
    if kinds.contains(&Kind::ZooKeeper) {
        zookeeper::install()?;
    }
    if args.memory {
        let held = memory::measure(&kinds)?;
        return Ok(if held {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        });
    }
    let mut cells = cells(args.mix);
    let mut syncs = Vec::new();
    for round in 1..=args.rounds {
        for &kind in &kinds {
            syncs.push(sync_rate()?);
            let ensemble = start(kind)?;
            for cell in &mut cells {
                let report = cell.measure(&ensemble, args.seconds)?;
                let line = format!(
                    "     round {round}, {}, {}: {:.0}/s",
                    kind.name(),
                    cell.name(),
                    number(&report, "per_second")
                );
                say(&line);
                cell.runs[kind as usize].push(report);
            }
            ensemble.stop()?;
        }
    }
    let mut gaps = [Vec::new(), Vec::new()];
    if args.kills > 0 {
        for &kind in &kinds {
            gaps[kind as usize] = kill_leaders(kind, args.kills)?;
        }
    }
    let result = result(&cells, &syncs, &gaps);
    std::fs::write(folder().join("result.json"), format!("{result}\n"))?;
    println!("\n{}\n", table(&cells));
    if args.only.is_none() {
        print_goals(&cells, &syncs, &gaps);
    }
    println!("{result}");
    Ok(ExitCode::SUCCESS)
}

/// Builds the server without the page.
pub(crate) fn build_server() -> Result<PathBuf> {
    let build = ["build", "--release", "-p", "otterkeeper"];
    Step::cargo("build the server", &build).run()?;
    Ok(server())
}

/// Brings ZooKeeper if it is not there yet, and says where its jars are.
pub(crate) fn zookeeper() -> Result<PathBuf> {
    zookeeper::install()
}

/// Where everything of this command lies.
fn folder() -> PathBuf {
    crate::target("versus")
}

fn server() -> PathBuf {
    crate::target("release/otterkeeper")
}

fn cells(mix: bool) -> Vec<Cell> {
    let mut cells = Vec::new();
    for reads_percent in [0, 100, 90] {
        for (connections, window) in [(1, 1), (16, 1), (64, 16)] {
            if reads_percent != 90 || mix {
                let runs = [Vec::new(), Vec::new()];
                cells.push(Cell {
                    reads_percent,
                    connections,
                    window,
                    runs,
                });
            }
        }
    }
    cells
}

impl Cell {
    fn name(&self) -> String {
        let what = match self.reads_percent {
            0 => "write".to_owned(),
            100 => "read".to_owned(),
            percent => format!("{percent} % read"),
        };
        format!("{what} {}x{}", self.connections, self.window)
    }

    fn measure(&self, ensemble: &Ensemble, seconds: u32) -> Result<Value> {
        let report = load(
            ensemble,
            self.reads_percent,
            self.connections,
            self.window,
            seconds,
        )?;
        if report["refused"] != json!([]) || number(&report, "lost_connections") > 0.0 {
            say(&format!("     {} was not clean: {report}", self.name()));
        }
        Ok(report)
    }

    /// The median over the rounds of what `pick` finds in a report.
    fn median(&self, kind: Kind, pick: impl Fn(&Value) -> f64) -> f64 {
        median(self.runs[kind as usize].iter().map(pick).collect())
    }

    fn rate(&self, kind: Kind) -> f64 {
        self.median(kind, |report| number(report, "per_second"))
    }

    fn cpu(&self, kind: Kind) -> f64 {
        self.median(kind, |report| number(report, "server_cpu_s_per_100k"))
    }

    /// A percentile of the writes, or of the reads where there are any.
    fn latency(&self, kind: Kind, percentile: &str) -> f64 {
        let what = if self.reads_percent == 0 {
            "write"
        } else {
            "read"
        };
        self.median(kind, |report| number(&report[what], percentile))
    }
}

/// A fresh ensemble that serves, warm.
fn start(kind: Kind) -> Result<Ensemble> {
    say(&format!(".... three processes of {}", kind.name()));
    let ensemble = Ensemble::start(kind)?;
    ready(&ensemble)?;
    let warm_up = [
        "-c",
        "64",
        "-w",
        "16",
        "--reads",
        "50",
        "--seconds",
        WARM_UP,
    ];
    bench(&ensemble, &warm_up)?;
    Ok(ensemble)
}

/// Waits until every server takes sessions and has caught up.
fn ready(ensemble: &Ensemble) -> Result<()> {
    const ATTEMPTS: u32 = 100;
    let touch = ["-c", "3", "--warm-up", "0", "--seconds", "0.01"];
    let mut last = None;
    for _ in 0..ATTEMPTS {
        match bench(ensemble, &touch) {
            Ok(_) => return Ok(()),
            Err(error) => last = Some(error),
        }
        thread::sleep(Duration::from_millis(200));
    }
    let error = last.unwrap_or_else(|| anyhow::anyhow!("it was never asked"));
    Err(error.context(format!(
        "{} does not serve; see {}",
        ensemble.kind().name(),
        ensemble.logs()
    )))
}

fn load(ensemble: &Ensemble, reads: u32, connections: u32, window: u32, s: u32) -> Result<Value> {
    let numbers = [reads, connections, window, s].map(|number| number.to_string());
    let [reads, connections, window, seconds] = &numbers;
    let mut arguments = vec![
        "--reads",
        reads,
        "-c",
        connections,
        "-w",
        window,
        "--seconds",
        seconds,
    ];
    let pids = ensemble.pids();
    for pid in &pids {
        arguments.extend(["--server-pid", pid]);
    }
    bench(ensemble, &arguments)
}

/// The longest gap in the writes of one client, for each leader killed.
fn kill_leaders(kind: Kind, kills: usize) -> Result<Vec<f64>> {
    let mut ensemble = start(kind)?;
    let mut gaps = Vec::new();
    for kill in 1..=kills {
        let leader = ensemble.leader()?;
        let pids = ensemble.pids();
        let failover = ["--failover", "--seconds", "8", "--kill-pid", &pids[leader]];
        let report = bench(&ensemble, &failover)?;
        let gap = number(&report, "longest_gap_ms");
        say(&format!(
            "     {}, kill {kill}: {gap:.0} ms without a write",
            kind.name()
        ));
        gaps.push(gap);
        ensemble.restart(leader)?;
        ready(&ensemble)?;
        thread::sleep(SETTLE);
    }
    ensemble.stop()?;
    Ok(gaps)
}

/// How often a second the disk makes 512 bytes durable.
fn sync_rate() -> Result<f64> {
    std::fs::create_dir_all(folder())?;
    let folder = folder();
    let folder = folder.to_string_lossy();
    let report = run_bench(&[
        "bench",
        "--json",
        "--seconds",
        "1",
        "--fsync-probe",
        &folder,
    ])?;
    Ok(number(&report, "per_second"))
}

fn bench(ensemble: &Ensemble, arguments: &[&str]) -> Result<Value> {
    let servers = ensemble.servers();
    let mut all = vec!["bench", "--json", "--servers", &servers];
    all.extend(arguments);
    run_bench(&all)
}

fn run_bench(arguments: &[&str]) -> Result<Value> {
    let output = std::process::Command::new(server())
        .args(arguments)
        .output()
        .context("cannot start `otterkeeper bench`")?;
    if !output.status.success() {
        bail!(
            "otterkeeper {}: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().last().unwrap_or_default();
    serde_json::from_str(line).with_context(|| format!("`otterkeeper bench` printed {line:?}"))
}

fn table(cells: &[Cell]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN);
    table.set_header([
        "three nodes, 100 B",
        "ZooKeeper ops/s",
        "Otterkeeper ops/s",
        "ratio",
        "p50 us",
        "ours",
        "p99 us",
        "ours",
        "CPU s/100k",
        "ours",
        "ratio",
    ]);
    for cell in cells {
        let [zk, otter] = Kind::ALL;
        table.add_row([
            cell.name(),
            format!("{:.0}", cell.rate(zk)),
            format!("{:.0}", cell.rate(otter)),
            format!("{:.2}", cell.rate(otter) / cell.rate(zk)),
            format!("{:.0}", cell.latency(zk, "p50_us")),
            format!("{:.0}", cell.latency(otter, "p50_us")),
            format!("{:.0}", cell.latency(zk, "p99_us")),
            format!("{:.0}", cell.latency(otter, "p99_us")),
            format!("{:.2}", cell.cpu(zk)),
            format!("{:.2}", cell.cpu(otter)),
            format!("{:.3}", cell.cpu(otter) / cell.cpu(zk)),
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// The gate and the goals of this stage, each with its figure.
fn print_goals(cells: &[Cell], syncs: &[f64], gaps: &[Vec<f64>; 2]) {
    const GAP_MS: f64 = 424.0;
    let [zk, otter] = Kind::ALL;
    println!(
        "the disk syncs 512 bytes {:.0} times a second",
        median(syncs.to_vec())
    );
    let tell = |what: &str, ratio: f64, met: bool| {
        println!(
            "{} {what}: {ratio:.3}",
            if met { "met   " } else { "MISSED" }
        );
    };
    for cell in cells.iter().filter(|cell| cell.reads_percent != 90) {
        let needed = if cell.connections == 64 { 3.0 } else { 1.0 };
        let ratio = cell.rate(otter) / cell.rate(zk);
        tell(
            &format!("{} at least {needed} times as many", cell.name()),
            ratio,
            needed <= ratio,
        );
        let ratio = cell.cpu(otter) / cell.cpu(zk);
        tell(
            &format!("{} below a third of the CPU", cell.name()),
            ratio,
            ratio < 1.0 / 3.0,
        );
    }
    if let Some(cell) = cells.first() {
        let ratio = cell.latency(otter, "p50_us") / cell.latency(zk, "p50_us");
        tell(
            &format!("{} p50 below ZooKeeper's", cell.name()),
            ratio,
            ratio < 1.0,
        );
    }
    for (kind, gaps) in Kind::ALL
        .iter()
        .zip(gaps)
        .filter(|(_, gaps)| !gaps.is_empty())
    {
        println!(
            "{} gaps over the leader's death, ms: {gaps:.0?}",
            kind.name()
        );
    }
    let gap = median(gaps[otter as usize].clone());
    tell("median gap in ms below 424", gap, gap < GAP_MS);
}

fn result(cells: &[Cell], syncs: &[f64], gaps: &[Vec<f64>; 2]) -> Value {
    let [zk, otter] = Kind::ALL;
    let cell = |cell: &Cell| {
        json!({
            "cell": cell.name(),
            "ratio": cell.rate(otter) / cell.rate(zk),
            "cpu_ratio": cell.cpu(otter) / cell.cpu(zk),
            zk.name(): cell.runs[zk as usize],
            otter.name(): cell.runs[otter as usize],
        })
    };
    json!({
        "kind": "versus",
        "cells": cells.iter().map(cell).collect::<Vec<_>>(),
        "syncs_per_second": syncs,
        "gaps_ms": { zk.name(): gaps[zk as usize], otter.name(): gaps[otter as usize] },
    })
}

fn number(report: &Value, name: &str) -> f64 {
    report[name].as_f64().unwrap_or(f64::NAN)
}

/// Not a number if there is nothing.
fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    let Some(last) = figures.len().checked_sub(1) else {
        return f64::NAN;
    };
    f64::midpoint(figures[last / 2], figures[last.div_ceil(2)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_odd_even_and_none() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0]), 2.5);
        assert!(median(Vec::new()).is_nan());
    }
}

//! `cargo xtask versus --memory`: what idle sessions, watches and znodes cost a server in resident memory, and how
//! long one change takes to thousands of watching sessions. Of both servers, from the same run; ours has bounds, and
//! fails when it misses one.

use core::time::Duration;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use comfy_table::{CellAlignment, Table, presets};
use serde_json::{Value, json};

use super::ensemble::{Ensemble, Kind};
use super::{median, ready};
use crate::step::say;

const SESSIONS: usize = 10_000;
/// Left by one connection in a hundred, as by a client with many znodes.
const WATCHES: usize = 100_000;
const WATCHERS: usize = 100;
const ZNODES: usize = 1_000_000;
/// Sessions that wait for one change, and how often it is made.
const AUDIENCE: usize = 5_000;
const CHANGES: usize = 9;
/// Creates in one multi, and bytes of data in one znode.
const BATCH: usize = 500;
const DATA: &[u8] = &[b'x'; 16];
/// After so many new sessions all give a sign of life.
const GROUP: usize = 500;
/// Handshakes that are on their way at a time.
const ABREAST: usize = 200;
/// What is freed and written behind the load has this long.
const SETTLE: Duration = Duration::from_secs(10);
const TIMEOUT_MS: u32 = 40_000;
const PATIENCE: Duration = Duration::from_secs(30);

/// What was measured of one kind of server.
#[derive(Default)]
struct Figures {
    sessions_mb: f64,
    watches_mb: f64,
    /// Beside path and data.
    bytes_per_znode: f64,
    fan_out_ms: Vec<f64>,
}

/// A figure and how much it may be for ours.
struct Row {
    what: String,
    pick: fn(&Figures) -> f64,
    bound: Option<f64>,
}

fn rows() -> Vec<Row> {
    let row = |what: String, pick, bound| Row { what, pick, bound };
    vec![
        row(
            format!("{SESSIONS} idle sessions, MB"),
            |f| f.sessions_mb,
            Some(50.0),
        ),
        row(
            format!("{WATCHES} watches, MB"),
            |f| f.watches_mb,
            Some(30.0),
        ),
        row(
            format!("{ZNODES} znodes, bytes each beside path and data"),
            |f| f.bytes_per_znode,
            Some(140.0),
        ),
        row(
            format!("one change to {AUDIENCE} sessions, ms (median of {CHANGES})"),
            |f| median(f.fan_out_ms.clone()),
            None,
        ),
    ]
}

/// Measures these kinds and prints a table, and one line of JSON last.
pub(super) fn measure(kinds: &[Kind]) -> Result<bool> {
    let mut measured: Vec<(Kind, Figures)> = Vec::new();
    for &kind in kinds {
        let mut figures = Figures::default();
        say(&format!(".... sessions and watches of {}", kind.name()));
        let ensemble = Ensemble::start(kind)?;
        settled(&ensemble)?;
        connections(&ensemble, &mut figures)?;
        ensemble.stop()?;
        say(&format!(".... znodes of {}", kind.name()));
        let ensemble = Ensemble::start(kind)?;
        settled(&ensemble)?;
        znodes(&ensemble, &mut figures)?;
        ensemble.stop()?;
        measured.push((kind, figures));
    }
    println!("\n{}\n", table(&measured));
    let mut held = true;
    if let Some((_, ours)) = measured.iter().find(|(kind, _)| *kind == Kind::Otterkeeper) {
        for row in rows() {
            let (figure, Some(bound)) = ((row.pick)(ours), row.bound) else {
                continue;
            };
            let met = figure <= bound;
            held &= met;
            let word = if met { "met   " } else { "MISSED" };
            println!("{word} {} at most {bound}: {figure:.1}", row.what);
        }
    }
    println!("{}", result(&measured));
    Ok(held)
}

/// Serves, and is over its first election.
fn settled(ensemble: &Ensemble) -> Result<()> {
    ready(ensemble)?;
    thread::sleep(SETTLE);
    ready(ensemble)
}

/// Idle sessions, then watches, then what one change costs them. All at the first member.
fn connections(ensemble: &Ensemble, figures: &mut Figures) -> Result<()> {
    let pid = &ensemble.pids()[0];
    // The first clients touch what a server has anyway.
    let mut clients = Client::many(&ensemble.addresses()[..1], ABREAST)?;
    thread::sleep(SETTLE / 5);
    let before = resident(pid)?;
    for _ in 0..SESSIONS / GROUP {
        clients.extend(Client::many(&ensemble.addresses()[..1], GROUP)?);
        ping(&mut clients)?;
    }
    thread::sleep(SETTLE / 5);
    figures.sessions_mb = megabytes(before, resident(pid)?);
    say(&format!(
        "     {SESSIONS} sessions: {:.1} MB",
        figures.sessions_mb
    ));

    ping(&mut clients)?;
    let before = resident(pid)?;
    for (at, client) in clients.iter_mut().take(WATCHERS).enumerate() {
        for watch in 0..WATCHES / WATCHERS {
            client.send(EXISTS, &watched(&format!("/absent/{at:03}/{watch:06}")))?;
        }
        for _ in 0..WATCHES / WATCHERS {
            client.answer()?;
        }
    }
    thread::sleep(SETTLE / 5);
    figures.watches_mb = megabytes(before, resident(pid)?);
    say(&format!(
        "     {WATCHES} watches: {:.1} MB",
        figures.watches_mb
    ));

    ping(&mut clients)?;
    clients.drain(..WATCHERS);
    clients.truncate(AUDIENCE);
    let mut writer = Client::many(&ensemble.addresses()[..1], 1)?.remove(0);
    writer.ask(CREATE, &create("/told"))?;
    for _ in 0..CHANGES {
        for client in &mut clients {
            client.send(GET_DATA, &watched("/told"))?;
        }
        for client in &mut clients {
            client.answer()?;
        }
        let started = Instant::now();
        writer.send(SET_DATA, &set("/told"))?;
        for client in &mut clients {
            client.frame().context("a session hears nothing")?;
        }
        figures
            .fan_out_ms
            .push(started.elapsed().as_secs_f64() * 1_000.0);
        writer.answer()?;
    }
    let fan_out = median(figures.fan_out_ms.clone());
    say(&format!("     one change to {AUDIENCE}: {fan_out:.1} ms"));
    Ok(())
}

/// A million znodes, and the mean of what the members have grown by.
fn znodes(ensemble: &Ensemble, figures: &mut Figures) -> Result<()> {
    let mut client = Client::many(&ensemble.addresses()[..1], 1)?.remove(0);
    client.ask(CREATE, &create("/many"))?;
    thread::sleep(SETTLE / 5);
    let pids = ensemble.pids();
    let sizes = |pids: &[String]| {
        pids.iter()
            .map(|pid| resident(pid))
            .collect::<Result<Vec<u64>>>()
    };
    let before = sizes(&pids)?;
    let mut content = 0;
    for batch in 0..ZNODES / BATCH {
        let folder = format!("/many/{batch:05}");
        let mut ops = vec![create(&folder)];
        ops.extend((1..BATCH).map(|at| create(&format!("{folder}/{at:06}"))));
        // Every record begins with the length of its path.
        content += ops
            .iter()
            .map(|op| path_length(op) + DATA.len())
            .sum::<usize>();
        client.ask(MULTI, &multi(&ops))?;
    }
    thread::sleep(SETTLE);
    let after = sizes(&pids)?;
    let grown: Vec<f64> = before
        .iter()
        .zip(&after)
        .map(|(&before, &after)| (after as f64 - before as f64 - content as f64) / ZNODES as f64)
        .collect();
    say(&format!(
        "     {ZNODES} znodes: {grown:.0?} bytes each, member by member"
    ));
    figures.bytes_per_znode = median(grown);
    Ok(())
}

/// Bytes of a process that are in memory.
fn resident(pid: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    Ok(kilobytes.context("the system does not say how large a process is")? << 10)
}

fn megabytes(before: u64, after: u64) -> f64 {
    (after as f64 - before as f64) / 1e6
}

/// So that no session ends in the middle.
fn ping(clients: &mut [Client]) -> Result<()> {
    for client in clients.iter_mut() {
        client.send(PING, &[])?;
    }
    clients.iter_mut().try_for_each(|client| client.answer())
}

const CREATE: i32 = 1;
const EXISTS: i32 = 3;
const GET_DATA: i32 = 4;
const SET_DATA: i32 = 5;
const PING: i32 = 11;
const MULTI: i32 = 14;
/// The xid of events.
const EVENT: [u8; 4] = (-1_i32).to_be_bytes();
/// The xid of pings. ZooKeeper answers with it whatever a ping came with, and counts down only for positive ones: a
/// ping with another xid stays open in its books, and under load it stops reading from that connection for good.
const PING_XID: i32 = -2;

/// A session of ZooKeeper's protocol.
struct Client(TcpStream);

impl Client {
    /// Opens sessions at these servers in turn, a number of them abreast.
    fn many(addresses: &[String], count: usize) -> Result<Vec<Self>> {
        let mut clients = Vec::with_capacity(count);
        while clients.len() < count {
            let from = clients.len();
            for at in from..count.min(from + ABREAST) {
                let stream = TcpStream::connect(&addresses[at % addresses.len()])?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                let mut client = Self(stream);
                let mut hello = vec![0; 12];
                hello.extend(TIMEOUT_MS.to_be_bytes());
                hello.extend([0; 8]);
                put(&mut hello, &[0; 16]);
                let mut framed = Vec::new();
                put(&mut framed, &hello);
                client.0.write_all(&framed)?;
                clients.push(client);
            }
            for client in &mut clients[from..] {
                client.frame().context("no session is opened")?;
            }
        }
        Ok(clients)
    }

    fn send(&mut self, op: i32, body: &[u8]) -> Result<()> {
        let xid = if op == PING { PING_XID } else { 1 };
        let mut packet = xid.to_be_bytes().to_vec();
        packet.extend(op.to_be_bytes());
        packet.extend(body);
        let mut framed = Vec::new();
        put(&mut framed, &packet);
        Ok(self.0.write_all(&framed)?)
    }

    fn ask(&mut self, op: i32, body: &[u8]) -> Result<()> {
        self.send(op, body)?;
        self.answer()
    }

    /// The next answer, which may say that there is no such znode, and no more.
    fn answer(&mut self) -> Result<()> {
        const NO_NODE: i32 = -101;
        loop {
            let frame = self.frame().context("a request is not answered")?;
            if frame.starts_with(&EVENT) {
                continue;
            }
            let error = frame.get(12..16).and_then(|bytes| bytes.try_into().ok());
            return match error.map(i32::from_be_bytes) {
                Some(0 | NO_NODE) => Ok(()),
                other => bail!("the server answers {other:?}"),
            };
        }
    }

    fn frame(&mut self) -> Result<Vec<u8>> {
        let mut length = [0; 4];
        self.0.read_exact(&mut length)?;
        let mut frame = vec![0; u32::from_be_bytes(length) as usize];
        self.0.read_exact(&mut frame)?;
        Ok(frame)
    }
}

/// Length and bytes.
fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    // Paths, values and single requests of this file: far below 4 GiB.
    let length = u32::try_from(bytes.len()).expect("what is sent here is short");
    out.extend(length.to_be_bytes());
    out.extend(bytes);
}

/// Of the path that a record begins with; 0 if it is too short for one.
fn path_length(record: &[u8]) -> usize {
    let length = record.first_chunk().copied().unwrap_or_default();
    u32::from_be_bytes(length) as usize
}

fn create(path: &str) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out, path.as_bytes());
    put(&mut out, DATA);
    out.extend(1_i32.to_be_bytes());
    out.extend(31_i32.to_be_bytes());
    put(&mut out, b"world");
    put(&mut out, b"anyone");
    out.extend(0_i32.to_be_bytes());
    out
}

/// A read that leaves a watch.
fn watched(path: &str) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out, path.as_bytes());
    out.push(1);
    out
}

fn set(path: &str) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out, path.as_bytes());
    put(&mut out, DATA);
    out.extend((-1_i32).to_be_bytes());
    out
}

fn multi(creates: &[Vec<u8>]) -> Vec<u8> {
    let header = |op: i32, done: u8| {
        let mut header = op.to_be_bytes().to_vec();
        header.push(done);
        header.extend((-1_i32).to_be_bytes());
        header
    };
    let mut out = Vec::new();
    for record in creates {
        out.extend(header(CREATE, 0));
        out.extend(record);
    }
    out.extend(header(-1, 1));
    out
}

fn table(measured: &[(Kind, Figures)]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN);
    let names = measured.iter().map(|(kind, _)| kind.name().to_owned());
    table.set_header(["three nodes".to_owned()].into_iter().chain(names));
    for row in rows() {
        let figures = measured
            .iter()
            .map(|(_, figures)| format!("{:.1}", (row.pick)(figures)));
        table.add_row([row.what.clone()].into_iter().chain(figures));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn result(measured: &[(Kind, Figures)]) -> Value {
    let mut result = json!({ "kind": "memory" });
    for (kind, figures) in measured {
        result[kind.name()] = json!({
            "sessions_mb": figures.sessions_mb,
            "watches_mb": figures.watches_mb,
            "bytes_per_znode": figures.bytes_per_znode,
            "fan_out_ms": figures.fan_out_ms,
        });
    }
    result
}

//! `otterkeeper cluster`: operations on the cluster as a whole, asked for over HTTP: what its members say
//! of themselves, who leads, and who is a member.

mod members;
mod transfer;

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{self, Write};
use std::process::ExitCode;

use comfy_table::{Table, presets};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::remote::{Servers, UNREACHABLE, complain};

/// A member that does not answer within this is down.
const LIMIT: Duration = Duration::from_secs(2);
const STRANGE: &str = "it is not an Otterkeeper server";
/// No member says more of itself.
const ANSWER_BYTES: u64 = 1 << 20;

/// Look after the cluster.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Print what each member says of itself.
    Status(Status),
    /// Let another member lead.
    Transfer(transfer::Args),
    /// Add a member that was started with --join; it votes when it has caught up.
    Add(members::Add),
    /// Let a learner vote.
    Promote(members::One),
    /// Take a member out, the leader too.
    Remove(members::One),
}

#[derive(clap::Args)]
struct Status {
    #[command(flatten)]
    servers: Servers,
    /// Print one JSON object, with the members' answers as they are.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let status = match args.command {
        Command::Status(status) => status,
        Command::Transfer(args) => return transfer::run(args),
        Command::Add(args) => return members::add(args),
        Command::Promote(args) => return members::promote(args),
        Command::Remove(args) => return members::remove(args),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let answers = runtime.block_on(survey(status.servers.server));
    let reached = answers
        .values()
        .filter_map(|answer| answer.as_ref().ok())
        .count();
    if status.json {
        let members: Vec<Value> = answers.iter().map(as_json).collect();
        writeln!(io::stdout(), "{}", json!({ "members": members }))?;
    } else if 0 < reached {
        writeln!(io::stdout(), "{}", table(&answers))?;
        if let Some(sentence) = verdict(&answers) {
            complain(sentence);
        }
    } else {
        let reasons: Vec<String> = answers
            .iter()
            .filter_map(|(server, answer)| Some(format!("{server}: {}", answer.as_ref().err()?)))
            .collect();
        complain(&format!(
            "no member can be reached ({}): start one with `otterkeeper dev`, or name one with --server HOST:PORT",
            reasons.join("; ")
        ));
    }
    Ok(match (reached, verdict(&answers)) {
        (0, _) => ExitCode::from(UNREACHABLE),
        (_, Some(_)) => ExitCode::FAILURE,
        (_, None) => ExitCode::SUCCESS,
    })
}

type Answers = BTreeMap<String, Result<Value, String>>;

/// Asks the named servers, and the members that they name. A member under two names counts once.
async fn survey(servers: Vec<String>) -> Answers {
    let mut answers = Answers::new();
    let mut known = BTreeSet::new();
    let mut ahead = VecDeque::from(servers);
    while let Some(server) = ahead.pop_front() {
        if answers.contains_key(&server) {
            continue;
        }
        let answer = ask(&server).await;
        if let Ok(status) = &answer {
            let id = status["id"].as_u64();
            if id.is_some_and(|id| !known.insert(id)) {
                continue;
            }
            let others = status["other_members"].as_array().into_iter().flatten();
            // Those that have answered are known by number, whatever they were called.
            let others =
                others.filter(|other| other["id"].as_u64().is_none_or(|id| !known.contains(&id)));
            ahead.extend(others.filter_map(|other| Some(other["http"].as_str()?.to_owned())));
        }
        answers.insert(server, answer);
    }
    answers
}

/// What one member says of itself.
async fn ask(server: &str) -> Result<Value, String> {
    let (code, body) = exchange(server, "GET", "/api/status").await?;
    if code != 200 {
        return Err(format!("it answers {code}"));
    }
    serde_json::from_str(&body).map_err(|_| STRANGE.to_owned())
}

/// The member that says that it leads.
fn leader_of(answers: &Answers) -> Option<&String> {
    answers.iter().find_map(|(server, answer)| {
        let leads = answer.as_ref().ok()?["role"] == "leader";
        leads.then_some(server)
    })
}

/// One HTTP request on a connection of its own: status code and body of the answer.
async fn exchange(server: &str, method: &str, path: &str) -> Result<(u16, String), String> {
    exchange_within(LIMIT, server, method, path).await
}

async fn exchange_within(
    limit: Duration,
    server: &str,
    method: &str,
    path: &str,
) -> Result<(u16, String), String> {
    let exchange = async {
        let mut stream = TcpStream::connect(server).await?;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {server}\r\nAccept: application/json\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.take(ANSWER_BYTES).read_to_end(&mut answer).await?;
        Ok::<_, io::Error>(answer)
    };
    let answer = timeout(limit, exchange)
        .await
        .map_err(|_| "no answer".to_owned())?
        .map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&answer);
    let (head, body) = text.split_once("\r\n\r\n").ok_or(STRANGE)?;
    let first = head.lines().next().unwrap_or_default();
    let code = first.split(' ').nth(1).and_then(|code| code.parse().ok());
    Ok((code.ok_or(STRANGE)?, body.to_owned()))
}

fn as_json((server, answer): (&String, &Result<Value, String>)) -> Value {
    match answer {
        Ok(status) => json!({ "server": server, "status": status }),
        Err(why) => json!({ "server": server, "error": why }),
    }
}

fn table(answers: &Answers) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_header([
        "ID", "SERVER", "ROLE", "TERM", "COMMIT", "APPLIED", "ZNODES", "SESSIONS",
    ]);
    for (server, answer) in answers {
        let Ok(status) = answer else {
            table.add_row(["?", server, "down", "", "", "", "", ""]);
            continue;
        };
        let text = |key: &str| match &status[key] {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let role = match &status["state"] {
            Value::String(state) if state != "running" => text("state"),
            _ => text("role"),
        };
        table.add_row([
            text("id"),
            server.clone(),
            role,
            text("term"),
            text("commit"),
            text("applied"),
            text("znodes"),
            text("sessions"),
        ]);
    }
    table
}

/// What is wrong with the cluster, if anything.
fn verdict(answers: &Answers) -> Option<&'static str> {
    let statuses = || answers.values().filter_map(|answer| answer.as_ref().ok());
    if statuses().all(|status| status["leader"].is_null()) {
        return Some("there is no leader: a majority of the members must run and reach each other");
    }
    if answers.values().any(Result::is_err) {
        return Some("a member cannot be reached");
    }
    None
}

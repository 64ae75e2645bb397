//! `otterkeeper shell`: all verbs in one session, typed one after the other, with history and completion of verbs
//! and paths. From a pipe it reads lines and shows no prompt. What the terminal needs is in `terminal`.

mod terminal;

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use otterkeeper_core::request::{Request, WatchKind, WatchMode};

use self::terminal::{Terminal, Typed};
use super::remote::{Failure, Remote, Session, server, znode};
use super::verb::{Verb, with_dashes};
use super::words;
use crate::client::{Event, Watch};

/// Lines that `history` shows.
const HISTORY: usize = 1_000;

/// Type commands in one session, with history and completion of paths.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    remote: Remote,
}

/// What can be typed.
#[derive(Parser)]
#[command(
    multicall = true,
    subcommand_required = true,
    override_usage = "VERB [FLAGS] [PATH] ...; `help VERB` says more"
)]
enum Line {
    #[command(flatten)]
    Verb(Verb),
    /// Say who this client is, as `addauth digest user:password`.
    Addauth { scheme: String, auth: String },
    /// Say what happens to a znode from now on; by default to all that is below it too.
    #[command(name = "addWatch", alias = "addwatch")]
    AddWatch {
        #[arg(short = 'm', value_name = "MODE", ignore_case = true, default_value = "PERSISTENT_RECURSIVE", value_parser = ["PERSISTENT", "PERSISTENT_RECURSIVE"])]
        mode: String,
        #[arg(value_parser = znode)]
        path: String,
    },
    /// Take the watches of a znode away: of its children (-c), of its data (-d), or all of them.
    Removewatches {
        #[arg(value_parser = znode)]
        path: String,
        #[arg(short = 'c', conflicts_with_all = ["data", "any"])]
        children: bool,
        #[arg(short = 'd', conflicts_with = "any")]
        data: bool,
        #[arg(short = 'a')]
        any: bool,
    },
    /// Whether to say when a watch fires.
    Printwatches {
        #[arg(value_parser = ["on", "off"])]
        which: Option<String>,
    },
    /// List what was typed.
    History,
    /// Run a line of the history again.
    Redo { number: usize },
    /// Open another session, on these servers or on the same ones.
    Connect {
        #[arg(value_name = "HOST:PORT,...", value_delimiter = ',', value_parser = server)]
        servers: Vec<String>,
    },
    /// End the session; its ephemeral znodes go.
    Close,
    /// End the session and the shell.
    #[command(alias = "exit")]
    Quit,
    /// Print the version of this program.
    Version,
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    args.remote.run(async |session| {
        session.be_shell();
        let mut shell = Shell {
            typed: Vec::new(),
            silent: false,
            failed: false,
            closed: false,
        };
        let verbs = Line::command();
        let verbs = verbs
            .get_subcommands()
            .map(|verb| verb.get_name().to_owned());
        let mut terminal = Terminal::open(verbs.collect());
        if io::stdin().is_terminal() {
            eprintln!(
                "connected to {}; help lists what can be typed",
                session.client.server()
            );
        }
        loop {
            let typed = tokio::select! {
                biased;
                // What a line brought about is told before the next one.
                event = session.next() => {
                    shell.tell(session, &mut terminal, event);
                    continue;
                }
                typed = terminal.typed() => typed,
            };
            match typed {
                None => break,
                Some(Typed::Complete { word, answer }) => {
                    // The terminal may have given up.
                    let _ = answer.send(complete(session, &word).await);
                }
                Some(Typed::Garbled) => {
                    shell.fail(
                        session,
                        &Failure::Usage("a line that is no UTF-8 was left out".into()),
                    );
                    terminal.go_on();
                }
                Some(Typed::Line(line)) => {
                    if shell.line(session, &line).await {
                        break;
                    }
                    terminal.go_on();
                }
            }
        }
        match shell.failed && !io::stdin().is_terminal() {
            true => Err(Failure::Said(1)),
            false => Ok(()),
        }
    })
}

struct Shell {
    typed: Vec<String>,
    /// Whether watches fire unheard.
    silent: bool,
    /// Whether any line failed.
    failed: bool,
    /// Whether the session was closed by a line.
    closed: bool,
}

impl Shell {
    /// Runs a line; true if it was the last one.
    async fn line(&mut self, session: &mut Session<'_>, line: &str) -> bool {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return false;
        }
        if HISTORY <= self.typed.len() {
            self.typed.remove(0);
        }
        self.typed.push(line.to_owned());
        let parsed = match parse(line) {
            Ok(Line::Redo { number }) => match self.typed.get(number) {
                Some(again) if !again.starts_with("redo") => {
                    let again = again.clone();
                    eprintln!("{again}");
                    parse(&again)
                }
                _ => Err(Failure::Usage(format!(
                    "{number} is no line of the history"
                ))),
            },
            parsed => parsed,
        };
        let outcome = match parsed {
            Ok(Line::Quit) => return true,
            Ok(line) => self.run(session, line).await,
            Err(failure) => Err(failure),
        };
        if let Err(failure) = outcome {
            self.fail(session, &failure);
        }
        false
    }

    fn fail(&mut self, session: &Session<'_>, failure: &Failure) {
        self.failed |= !matches!(failure, Failure::Said(0));
        session.report(failure);
    }

    async fn run(&mut self, session: &mut Session<'_>, line: Line) -> Result<(), Failure> {
        match line {
            Line::Verb(_)
            | Line::Addauth { .. }
            | Line::AddWatch { .. }
            | Line::Removewatches { .. }
                if self.closed =>
            {
                let what = "the session is closed; connect opens another";
                Err(Failure::Usage(what.into()))
            }
            Line::Verb(verb) => verb.run(session).await,
            Line::Addauth { scheme, auth } => {
                let request = Request::Auth {
                    scheme: scheme.clone(),
                    proof: auth.into(),
                };
                session.ask(&format!("addauth {scheme}"), request).await?;
                Ok(())
            }
            Line::AddWatch { mode, path } => {
                let mode = match mode.eq_ignore_ascii_case("PERSISTENT") {
                    true => WatchMode::Persistent,
                    false => WatchMode::Recursive,
                };
                let since = None;
                let request = Request::AddWatch {
                    path: path.clone(),
                    mode,
                    since,
                };
                session.ask(&path, request).await?;
                Ok(())
            }
            Line::Removewatches {
                path,
                children,
                data,
                any: _,
            } => {
                let kind = match (children, data) {
                    (true, _) => WatchKind::Children,
                    (_, true) => WatchKind::Data,
                    (false, false) => WatchKind::Any,
                };
                let request = Request::RemoveWatches {
                    path: path.clone(),
                    kind,
                };
                session.ask(&path, request).await?;
                Ok(())
            }
            Line::Printwatches { which } => {
                if let Some(which) = which {
                    self.silent = which == "off";
                }
                session.say(format_args!(
                    "printwatches is {}",
                    if self.silent { "off" } else { "on" }
                ))
            }
            Line::History => {
                for (number, line) in self.typed.iter().enumerate() {
                    session.say(format_args!("{number} - {line}"))?;
                }
                Ok(())
            }
            Line::Connect { servers } => {
                session.reconnect(&servers).await?;
                self.closed = false;
                Ok(())
            }
            Line::Close => {
                session.close().await;
                self.closed = true;
                eprintln!("closed; connect opens another session");
                Ok(())
            }
            Line::Version => session.say(concat!("otterkeeper ", env!("CARGO_PKG_VERSION"))),
            // They have been carried out.
            Line::Redo { .. } | Line::Quit => Ok(()),
        }
    }

    /// What happens meanwhile.
    fn tell(
        &self,
        session: &mut Session<'_>,
        terminal: &mut Terminal,
        event: Result<Event, Failure>,
    ) {
        let text = match event {
            Ok(Event::Watch(event)) if !self.silent => session.event_text(&event),
            Ok(Event::Missed { path }) => session.missed_text(&path),
            Ok(Event::Expired { session }) => {
                format!(
                    "session {:#x} has expired, and its ephemeral znodes are gone",
                    session.0
                )
            }
            Ok(event) => return session.mention(&event),
            // Until the next connect there are no events.
            Err(_) => return session.be_deaf(),
        };
        terminal.print(text);
    }
}

/// What was typed; a mistake has been explained in one line, and help been printed.
fn parse(line: &str) -> Result<Line, Failure> {
    let words = words::split(line).map_err(Failure::Usage)?;
    Line::try_parse_from(with_dashes(words)).map_err(|error| {
        if !error.use_stderr() {
            // Nobody reads it, and nothing else was wanted.
            let _ = error.print();
            return Failure::Said(0);
        }
        Failure::Usage(words::in_a_line(&error, &Line::command(), "see help"))
    })
}

/// The paths that a word can become.
async fn complete(session: &Session<'_>, word: &str) -> Vec<String> {
    let Some((parent, name)) = word.rsplit_once('/') else {
        return Vec::new();
    };
    let at = if parent.is_empty() { "/" } else { parent };
    // Where nothing can be looked up, nothing is offered.
    let names = session
        .client
        .children(at, Watch::No)
        .await
        .unwrap_or_default();
    names
        .into_iter()
        .filter(|child| child.starts_with(name))
        .map(|child| format!("{parent}/{child}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zkclis_lines_are_understood() {
        Line::command().debug_assert();
        for line in [
            "ls -s -w /",
            "ls -R /a",
            "get -s -w /a",
            "get -b /a",
            "create -s -e /a data world:anyone:r",
            "create -c /a",
            "create -t 1000 -s /a",
            "set -s -v 3 /a data",
            "set -v -1 /a data",
            "delete -v 3 /a",
            "deleteall /a -b 10",
            "stat -w /a",
            "getAcl -s /a",
            "setAcl -R /a world:anyone:r",
            "setAcl -s -v 2 /a auth::cdrwa",
            "addauth digest user:password",
            "sync /",
            "config -c -w -s",
            "reconfig -s -v 100000000 -add server.2=a:1:2;3 -remove 1",
            "reconfig -members server.1=a:1:2;3",
            "reconfig -file /etc/members",
            "listquota /a",
            "setquota -n 3 /a",
            "setquota -B 3 -b 2 /a",
            "delquota -n /a",
            "delquota /a",
            "addWatch -m PERSISTENT /a",
            "addWatch /a",
            "removewatches /a -c",
            "removewatches /a -d",
            "removewatches /a",
            "getEphemerals",
            "getEphemerals /a",
            "getAllChildrenNumber /a",
            "whoami",
            "connect 127.0.0.1:8080",
            "close",
            "history",
            "redo 3",
            "printwatches on",
            "printwatches",
            "quit",
            "version",
            "explain /a",
            "explain --session 0x1f",
            "multi 'create /a' 'delete /b'",
        ] {
            let parsed = parse(line);
            let why = match &parsed {
                Err(Failure::Usage(why)) => why,
                _ => "",
            };
            assert!(parsed.is_ok(), "{line}: {why}");
        }
    }

    #[test]
    fn mistakes_are_one_line() {
        for line in [
            "gte /a", "get", "get a", "set /a", "ls -Z /", "get '/a", "explain",
        ] {
            let Err(Failure::Usage(why)) = parse(line) else {
                panic!("{line} is understood")
            };
            assert!(!why.contains('\n') && !why.is_empty(), "{line}: {why}");
        }
    }
}

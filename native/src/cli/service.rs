//! `otterkeeper service`: who serves, and where. In the layout of kazoo's `Party`.

use std::ffi::OsString;
use std::process::ExitCode;

use otterkeeper_core::recipe::group::Seat;
use otterkeeper_core::recipe::service::Seen;
use serde_json::json;
use tokio::process::Command;

use super::lock::{end, exit_code, place};
use super::remote::{Failure, Remote, Session, stopped};
use crate::client::ServiceWatch;

/// The command cannot be run.
const NO_COMMAND: u8 = 127;

/// Say that a service is offered at an address, or find out where it is.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    /// Offer a service at an address while a command runs, or until Ctrl-C.
    ///
    /// If the session ends, for example because this machine stood still, the service is offered again in the next
    /// one. The command's exit code is that of this command; told to end, it tells the command, and waits for it.
    Register {
        #[command(flatten)]
        remote: Remote,
        /// The service: a path, or a name below /services.
        #[arg(value_name = "NAME", value_parser = |text: &str| place("/services", text))]
        path: String,
        /// Where it is offered, for example HOST:PORT.
        address: String,
        /// The command and its arguments.
        #[arg(last = true, value_name = "COMMAND")]
        command: Vec<OsString>,
    },
    /// Print the addresses at which a service is offered.
    List {
        #[command(flatten)]
        remote: Remote,
        /// The service: a path, or a name below /services.
        #[arg(value_name = "NAME", value_parser = |text: &str| place("/services", text))]
        path: String,
    },
    /// Print them, and from then on who comes and goes, until Ctrl-C.
    Watch {
        #[command(flatten)]
        remote: Remote,
        /// The service: a path, or a name below /services.
        #[arg(value_name = "NAME", value_parser = |text: &str| place("/services", text))]
        path: String,
    },
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.command {
        Verb::Register {
            remote,
            path,
            address,
            command,
        } => remote.run(async |session| register(session, &path, &address, &command).await),
        Verb::List { remote, path } => remote.run(async |session| {
            let mut service = session.client.service(&path);
            let seen = service.next().await?;
            show(session, &seen)
        }),
        Verb::Watch { remote, path } => remote.run(async |session| {
            let service = session.client.service(&path);
            tokio::select! {
                () = stopped() => Ok(()),
                outcome = watch(session, service) => outcome,
            }
        }),
    }
}

async fn register(
    session: &mut Session<'_>,
    path: &str,
    address: &str,
    command: &[OsString],
) -> Result<(), Failure> {
    let registration = session.client.register(path, address).await?;
    eprintln!("{path} is offered at {address}");
    let outcome = tokio::select! {
        outcome = work(command) => outcome,
        outcome = listen(session) => outcome,
    };
    registration.withdraw().await?;
    outcome
}

/// Runs the command, or waits until somebody wants this process to end.
async fn work(command: &[OsString]) -> Result<(), Failure> {
    let [program, arguments @ ..] = command else {
        stopped().await;
        return Ok(());
    };
    let child = Command::new(program)
        .args(arguments)
        .kill_on_drop(true)
        .spawn();
    let mut child = child.map_err(|error| {
        super::remote::complain(&format!(
            "cannot run {}: {error}",
            program.to_string_lossy()
        ));
        Failure::Said(NO_COMMAND)
    })?;
    let status = tokio::select! {
        status = child.wait() => status?,
        () = stopped() => end(&mut child).await?,
    };
    match exit_code(status) {
        0 => Ok(()),
        code => Err(Failure::Said(code)),
    }
}

/// Says what happens to the session.
async fn listen(session: &mut Session<'_>) -> Result<(), Failure> {
    loop {
        let event = session.next().await?;
        session.mention(&event);
    }
}

async fn watch(session: &mut Session<'_>, mut service: ServiceWatch) -> Result<(), Failure> {
    loop {
        tokio::select! {
            biased;
            seen = service.next() => show(session, &seen?)?,
            event = session.next() => {
                let event = event?;
                session.mention(&event);
            }
        }
    }
}

fn show(session: &Session<'_>, seen: &Seen) -> Result<(), Failure> {
    let one = |word: &str, sign: &str, seat: &Seat| {
        let address = String::from_utf8_lossy(&seat.data);
        let token = seat.token.to_string();
        let json = json!({ "event": word, "address": address, "name": seat.name, "token": token });
        session.say_or(format_args!("{sign}{address}"), &json)
    };
    match seen {
        Seen::All(seats) => seats.iter().try_for_each(|seat| one("present", "", seat)),
        Seen::Came(seat) => one("came", "+ ", seat),
        Seen::Changed(seat) => one("changed", "= ", seat),
        Seen::Went(seat) => one("went", "- ", seat),
        Seen::Failed(_) => Ok(()),
    }
}

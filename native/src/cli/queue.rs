//! `otterkeeper queue`: puts entries into a queue and takes them out, one by one, in kazoo's layout.

use std::ffi::OsString;
use std::process::{ExitCode, Stdio};

use bytes::Bytes;
use otterkeeper_core::recipe::queue::{Consumer, LAST_PRIORITY, Producer, Put, Take};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::client::{ClientError, Running};

use super::lock::{name, place};
use super::remote::{Failure, Remote, Session, complain, stopped};

/// Put entries into a queue, or take them out.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    /// Put a value at the end of a queue.
    Put {
        #[command(flatten)]
        remote: Remote,
        /// Lower goes first.
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(0..=i64::from(LAST_PRIORITY)))]
        priority: u16,
        /// The queue: a path, or a name below /queues.
        #[arg(value_name = "NAME", value_parser = |text: &str| place("/queues", text))]
        path: String,
        /// What to put.
        value: String,
    },
    /// Take the first entry, waiting for one if there is none, and print it.
    ///
    /// With a command, the entry is its standard input, and it is gone when the command succeeds; if it
    /// fails, or this machine does, the entry goes to the next one who takes.
    Take {
        #[command(flatten)]
        remote: Remote,
        /// The queue: a path, or a name below /queues.
        #[arg(value_name = "NAME", value_parser = |text: &str| place("/queues", text))]
        path: String,
        /// The command that works on the entry. It finds the claim's fencing token in OTTERKEEPER_TOKEN.
        #[arg(last = true, value_name = "COMMAND")]
        command: Vec<OsString>,
    },
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.command {
        Verb::Put {
            remote,
            priority,
            path,
            value,
        } => remote.run(async |session| {
            let mut producer = session.client.run(Producer::new(&path));
            producer.act(|producer, out| producer.put(priority, Bytes::from(value), out));
            match producer.told().await {
                Some(Put::Stored { name }) => session.say(format_args!("Put {name}")),
                Some(Put::Failed(error)) => Err(Failure::Refused { error, path }),
                None => Err(CLOSED.into()),
            }
        }),
        Verb::Take {
            remote,
            path,
            command,
        } => remote.run(async |session| {
            let name = String::from_utf8_lossy(&name()).into_owned();
            let consumer = session.client.run(Consumer::new(&path, &name));
            take(session, consumer, path, &command).await
        }),
    }
}

const CLOSED: ClientError = ClientError::Lost("the client is closed");

async fn take(
    session: &mut Session<'_>,
    mut consumer: Running<Consumer>,
    path: String,
    command: &[OsString],
) -> Result<(), Failure> {
    consumer.act(Consumer::take);
    let (value, token) = loop {
        tokio::select! {
            biased;
            told = consumer.told() => match told {
                Some(Take::Taken { value, token, .. }) => break (value, token),
                Some(Take::Failed(error)) => return Err(Failure::Refused { error, path }),
                Some(_) => {}
                None => return Err(CLOSED.into()),
            },
            event = session.next() => {
                let event = event?;
                session.mention(&event);
            }
            // The claim, if there is one by now, goes with the session.
            () = stopped() => return Ok(()),
        }
    };
    match command {
        [] => {
            session.show(&value)?;
            session.show(b"\n")?;
        }
        [program, arguments @ ..] => {
            let mut command = Command::new(program);
            command
                .args(arguments)
                .env("OTTERKEEPER_TOKEN", token.to_string())
                .stdin(Stdio::piped());
            if let Err(why) = work(command, value).await {
                complain(&format!(
                    "{}: {why}; the entry stays",
                    program.to_string_lossy()
                ));
                consumer.act(Consumer::give_back);
                // Without an answer the claim goes with the session.
                let _ = consumer.told().await;
                return Err(Failure::Said(1));
            }
        }
    }
    consumer.act(Consumer::finish);
    loop {
        match consumer.told().await {
            Some(Take::Finished) => return Ok(()),
            Some(Take::Failed(error)) => return Err(Failure::Refused { error, path }),
            Some(Take::Lost) => {
                complain(
                    "the session ended before the entry was finished; another one may take it again",
                );
                return Err(Failure::Said(1));
            }
            Some(_) => {}
            None => return Err(CLOSED.into()),
        }
    }
}

/// Runs a command on an entry; what went wrong, for people.
async fn work(mut command: Command, value: Bytes) -> Result<(), String> {
    let mut child = command
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| error.to_string())?;
    if let Some(mut input) = child.stdin.take() {
        // A command need not read it.
        let _ = input.write_all(&value).await;
    }
    match child.wait().await {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(status.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

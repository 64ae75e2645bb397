//! `otterkeeper settings`: a configuration of several keys that changes as a whole. Nobody sees half of an update, and
//! one that names the version it was made for is refused when somebody else was faster.

use std::collections::BTreeMap;
use std::process::ExitCode;

use bytes::Bytes;
use otterkeeper_core::path;
use otterkeeper_core::recipe::settings::{Settings, Update, Written};
use otterkeeper_core::request::Error;
use serde_json::{Value, json};

use super::lock::place;
use super::remote::{Failure, Remote, Session, stopped};

/// Read, change or watch a configuration of several keys, all of it at once.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    /// Print a configuration as it was at one moment, or what one key says.
    Get {
        #[command(flatten)]
        remote: Remote,
        /// The configuration: a path, or a name below /config.
        #[arg(value_name = "NAME", value_parser = |text: &str| place("/config", text))]
        path: String,
        /// Print only what this key says.
        #[arg(value_parser = key)]
        key: Option<String>,
    },
    /// Change several keys, all or nothing, and print the version of the configuration then.
    Set {
        #[command(flatten)]
        remote: Remote,
        /// Only if the configuration has this version, as get prints it.
        #[arg(short = 'v', long, value_name = "VERSION")]
        version: Option<i32>,
        /// Take a key away; more than once for more than one.
        #[arg(long, value_name = "KEY", value_parser = key)]
        remove: Vec<String>,
        /// The configuration: a path, or a name below /config.
        #[arg(value_name = "NAME", value_parser = |text: &str| place("/config", text))]
        path: String,
        /// What keys are to say.
        #[arg(value_name = "KEY=VALUE", value_parser = setting, required_unless_present = "remove")]
        values: Vec<(String, String)>,
    },
    /// Print a configuration whenever it has changed, until Ctrl-C.
    Watch {
        #[command(flatten)]
        remote: Remote,
        /// Exit after so many times.
        #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
        count: Option<u64>,
        /// The configuration: a path, or a name below /config.
        #[arg(value_name = "NAME", value_parser = |text: &str| place("/config", text))]
        path: String,
    },
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.command {
        Verb::Get { remote, path, key } => {
            remote.run(async |session| get(session, &path, key).await)
        }
        Verb::Set {
            remote,
            version,
            remove,
            path,
            values,
        } => remote.run(async |session| {
            let removed = remove.into_iter().map(|key| (key, None));
            let set = values.into_iter();
            let set = set.map(|(key, value)| (key, Some(Bytes::from(value))));
            let values = removed.chain(set).collect();
            set_all(session, &path, Update { version, values }).await
        }),
        Verb::Watch {
            remote,
            count,
            path,
        } => remote.run(async |session| {
            tokio::select! {
                () = stopped() => Ok(()),
                outcome = watch(session, &path, count.unwrap_or(u64::MAX)) => outcome,
            }
        }),
    }
}

async fn get(session: &Session<'_>, path: &str, key: Option<String>) -> Result<(), Failure> {
    let settings = session.client.settings(path).next().await?;
    let Some(key) = key else {
        return show(session, &settings);
    };
    match settings.values.get(&key) {
        Some(value) => session.say_or(String::from_utf8_lossy(value), &text(value)),
        None => {
            let what = format!("{path} says nothing of {key}");
            Err(session.refused(Error::NoNode, &what))
        }
    }
}

async fn set_all(session: &Session<'_>, path: &str, update: Update) -> Result<(), Failure> {
    let wanted = update.version;
    match session.client.update_settings(path, update).await? {
        Written::Done { version } => session.say_or(
            format_args!("version {version}"),
            &json!({ "version": version }),
        ),
        Written::Outdated { version } => {
            let wanted = wanted.unwrap_or_default();
            let what = format!(
                "{path} has version {version}, not {wanted}: nothing was changed; read it again, or leave out --version"
            );
            Err(session.refused(Error::BadVersion, &what))
        }
        Written::Unknown | Written::Failed(_) => {
            let what =
                format!("whether {path} was changed is not known; look before you repeat it");
            Err(session.refused(Error::OutcomeUnknown, &what))
        }
    }
}

async fn watch(session: &mut Session<'_>, path: &str, count: u64) -> Result<(), Failure> {
    let mut reader = session.client.settings(path);
    let mut left = count;
    loop {
        tokio::select! {
            biased;
            settings = reader.next() => {
                show(session, &settings?)?;
                left -= 1;
                if left == 0 {
                    return Ok(());
                }
            }
            event = session.next() => {
                let event = event?;
                session.mention(&event);
            }
        }
    }
}

fn show(session: &Session<'_>, settings: &Settings) -> Result<(), Failure> {
    let values = settings.values.iter();
    let values: BTreeMap<&str, Value> = values.map(|(key, value)| (&**key, text(value))).collect();
    let json = json!({
        "version": settings.version,
        "zxid": settings.zxid.to_string(),
        "values": values,
    });
    let mut lines = format!("version {}", settings.version);
    for (key, value) in &settings.values {
        lines.push_str(&format!("\n{key}={}", String::from_utf8_lossy(value)));
    }
    session.say_or(lines, &json)
}

/// Data, as the WebSocket has it.
fn text(data: &[u8]) -> Value {
    use base64::Engine;
    match core::str::from_utf8(data) {
        Ok(text) => json!({ "text": text }),
        Err(_) => json!({ "base64": base64::engine::general_purpose::STANDARD.encode(data) }),
    }
}

fn key(text: &str) -> Result<String, String> {
    if !text.contains('/') && path::is_valid(&format!("/{text}")) && !text.is_empty() {
        return Ok(text.to_owned());
    }
    Err("a key is the name of a znode, without /".into())
}

/// `KEY=VALUE`.
fn setting(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or("expected KEY=VALUE, as limit=20")?;
    Ok((key(name)?, value.to_owned()))
}

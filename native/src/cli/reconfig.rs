//! `reconfig`: changes the members, in ZooKeeper's texts.

use std::fs;
use std::path::PathBuf;

use otterkeeper_core::id::Index;
use otterkeeper_core::request::{Reconfig, Request, Response};

use super::remote::{Failure, Session};

/// Change the members of the cluster. The servers must have been started with --reconfig.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Print the Stat of /zookeeper/config afterwards.
    #[arg(short = 's')]
    stat: bool,
    /// Only if the members have this version, in hexadecimal digits as `config` prints it.
    #[arg(short = 'v', value_name = "VERSION", value_parser = version)]
    version: Option<Index>,
    /// Who joins or changes, as server.3=host:2888:3888:participant;2181, with commas between.
    #[arg(
        long,
        value_name = "SERVERS",
        default_value = "",
        hide_default_value = true
    )]
    add: String,
    /// The numbers of those who leave, with commas between.
    #[arg(
        long,
        value_name = "IDS",
        default_value = "",
        hide_default_value = true
    )]
    remove: String,
    /// These and nobody else.
    #[arg(long, value_name = "SERVERS", conflicts_with_all = ["add", "remove", "file"], default_value = "", hide_default_value = true)]
    members: String,
    /// These and nobody else, one a line in this file.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["add", "remove"])]
    file: Option<PathBuf>,
}

pub(crate) async fn run(args: Args, session: &mut Session<'_>) -> Result<(), Failure> {
    let members = match &args.file {
        None => args.members,
        Some(file) => {
            let text = fs::read_to_string(file).map_err(|error| {
                Failure::Usage(format!("{} cannot be read: {error}", file.display()))
            })?;
            let of_members = text.lines().filter(|line| line.starts_with("server."));
            of_members.collect::<Vec<_>>().join(",")
        }
    };
    if args.add.is_empty() && args.remove.is_empty() && members.is_empty() {
        let what = "say who joins (-add), who leaves (-remove), or who is left (-members, -file)";
        return Err(Failure::Usage(what.into()));
    }
    let request = Request::Reconfig(Reconfig {
        joining: args.add,
        leaving: args.remove,
        members,
        version: args.version,
        met: Vec::new(),
    });
    if let Response::Data { data, stat } = session.ask("/zookeeper/config", request).await? {
        let data = data.unwrap_or_default();
        session.say(format_args!(
            "Committed new configuration:\n{}",
            String::from_utf8_lossy(&data)
        ))?;
        if args.stat {
            session.show_stat(&stat)?;
        }
    }
    Ok(())
}

fn version(text: &str) -> Result<Index, String> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let number = u64::from_str_radix(digits, 16);
    number
        .map(Index)
        .map_err(|_| "expected hexadecimal digits".into())
}

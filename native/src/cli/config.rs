//! `config`: the members, as ZooKeeper writes them.

use otterkeeper_core::path;
use otterkeeper_core::request::{ReadKind, Response};

use super::remote::{Failure, Session};

/// Print the members of the cluster, as /zookeeper/config has them.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The version and the addresses for clients alone.
    #[arg(short = 'c')]
    clients: bool,
    /// Wait for the next change, print what happened, and exit. In the shell: say when it happens.
    #[arg(short = 'w')]
    watch: bool,
    /// Print the Stat behind it.
    #[arg(short = 's')]
    stat: bool,
}

pub(crate) async fn run(args: Args, session: &mut Session<'_>) -> Result<(), Failure> {
    let read = session.read(ReadKind::Data, path::CONFIG, args.watch);
    if let Response::Data { data, stat } = read.await? {
        let data = data.unwrap_or_default();
        let text = String::from_utf8_lossy(&data);
        match args.clients {
            true => session.say(clients(&text))?,
            false => session.say(&text)?,
        }
        if args.stat {
            session.show_stat(&stat)?;
        }
    }
    session.await_watch(args.watch).await
}

/// `100000000 host:2181,other:2181` of lines such as `server.1=host:2888:3888:participant;2181`.
fn clients(text: &str) -> String {
    let mut version = "0";
    let mut addresses = Vec::new();
    for (key, value) in text.lines().filter_map(|line| line.split_once('=')) {
        if key == "version" {
            version = value;
        } else if key.starts_with("server.")
            && let Some((peers, client)) = value.split_once(';')
        {
            let host = peers.split(':').next().unwrap_or_default();
            addresses.push(match client.contains(':') {
                true => client.to_owned(),
                false => format!("{host}:{client}"),
            });
        }
    }
    format!("{version} {}", addresses.join(","))
}

#[cfg(test)]
mod tests {
    use super::clients;

    #[test]
    fn clients_are_told_where_to_connect() {
        let text =
            "server.1=a:1:2:participant;2181\nserver.2=b:1:2:observer;0.0.0.0:2182\nversion=7";
        assert_eq!(clients(text), "7 a:2181,0.0.0.0:2182");
    }
}

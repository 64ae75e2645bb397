//! The server's settings: flags, `OTTERKEEPER_*` in the environment, and a TOML file with the same keys,
//! in that order of precedence. Everything that is wrong is listed at once, before anything is touched.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, bail};
use otterkeeper_core::config::Config;
use otterkeeper_core::id::NodeId;
use otterkeeper_core::time::Span;
use serde::Deserialize;

use crate::zk::{Users, words};

/// What can be set. Every field is a flag, a key of the file and a variable of the environment.
#[derive(clap::Args, Deserialize, Default, Clone, Debug)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Settings {
    /// This member's number, 1 to 255.
    #[arg(long, env = "OTTERKEEPER_ID", value_name = "NUMBER")]
    id: Option<u64>,
    /// Directory for the log, the snapshots and the identity; made if it is absent.
    #[arg(long, env = "OTTERKEEPER_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
    /// HOST:PORT for HTTP, WebSockets and the other members [default: 127.0.0.1:8080].
    #[arg(long, env = "OTTERKEEPER_LISTEN", value_name = "HOST:PORT")]
    listen: Option<String>,
    /// HOST:PORT for ZooKeeper's protocol, or `off` [default: 127.0.0.1:2181].
    #[arg(long, env = "OTTERKEEPER_ZK_LISTEN", value_name = "HOST:PORT")]
    zk_listen: Option<String>,
    /// A member of the cluster, as ID=ws://HOST:PORT; once for each, this one included. Without it the
    /// cluster has this one member.
    #[arg(
        long,
        env = "OTTERKEEPER_PEER",
        value_name = "ID=URL",
        value_delimiter = ','
    )]
    peer: Vec<String>,
    /// Wait to be added to a cluster that exists, with `otterkeeper cluster add`, instead of forming one.
    #[arg(
        long,
        env = "OTTERKEEPER_JOIN",
        num_args = 0..=1,
        default_missing_value = "true",
        require_equals = true
    )]
    join: Option<bool>,
    /// Names besides IP addresses and localhost under which browsers may reach this server.
    #[arg(
        long,
        env = "OTTERKEEPER_HOST_NAME",
        value_name = "NAME",
        value_delimiter = ','
    )]
    host_name: Vec<String>,
    /// Four-letter words that are answered; `*` for all of them [default: the harmless ones].
    #[arg(long, env = "OTTERKEEPER_FOUR_LETTER_WORDS", value_name = "LIST")]
    four_letter_words: Option<String>,
    /// Who may do anything: USER:HASH as `otterkeeper acl digest` prints it.
    #[arg(long, env = "OTTERKEEPER_SUPER_DIGEST", value_name = "USER:HASH")]
    super_digest: Option<String>,
    /// Let ZooKeeper's clients change the members, if the list of /zookeeper/config lets them.
    #[arg(long, env = "OTTERKEEPER_RECONFIG")]
    reconfig: bool,
    /// A user of DIGEST-MD5, the one SASL mechanism there is; once for each.
    #[arg(
        long,
        env = "OTTERKEEPER_SASL_USER",
        hide_env_values = true,
        value_name = "USER:PASSWORD",
        value_delimiter = ','
    )]
    sasl_user: Vec<String>,
    /// Serve only clients that have proved who they are by one of these schemes, as digest or sasl.
    #[arg(
        long,
        env = "OTTERKEEPER_ENFORCE_AUTH",
        value_name = "SCHEME",
        value_delimiter = ','
    )]
    enforce_auth: Vec<String>,
    /// Shortest election timeout in milliseconds [default: 200].
    #[arg(long, env = "OTTERKEEPER_ELECTION_MIN_MS", value_name = "MS")]
    election_min_ms: Option<u64>,
    /// Up to this many milliseconds are added at random [default: 200].
    #[arg(long, env = "OTTERKEEPER_ELECTION_SPREAD_MS", value_name = "MS")]
    election_spread_ms: Option<u64>,
    /// Time between a leader's heartbeats in milliseconds [default: 50].
    #[arg(long, env = "OTTERKEEPER_HEARTBEAT_MS", value_name = "MS")]
    heartbeat_ms: Option<u64>,
    /// Let the leader answer linearizable reads without asking the others, trusting all clocks to run alike.
    /// It takes effect once a majority is told so.
    #[arg(
        long,
        env = "OTTERKEEPER_LEASE_READS",
        num_args = 0..=1,
        default_missing_value = "true",
        require_equals = true
    )]
    lease_reads: Option<bool>,
    /// By how much one clock may run faster than another, for --lease-reads [default: 100].
    #[arg(
        long,
        env = "OTTERKEEPER_CLOCK_DRIFT_PER_MILLE",
        value_name = "PER MILLE"
    )]
    clock_drift_per_mille: Option<u32>,
    /// Shortest session timeout in milliseconds [default: 4000].
    #[arg(long, env = "OTTERKEEPER_SESSION_MIN_MS", value_name = "MS")]
    session_min_ms: Option<u64>,
    /// Longest session timeout in milliseconds [default: 40000].
    #[arg(long, env = "OTTERKEEPER_SESSION_MAX_MS", value_name = "MS")]
    session_max_ms: Option<u64>,
    /// How often the leader looks for containers and znodes with a time to live that are to go, in
    /// milliseconds [default: 60000].
    #[arg(long, env = "OTTERKEEPER_CONTAINER_CHECK_MS", value_name = "MS")]
    container_check_ms: Option<u64>,
    /// Serve reads, to clients that ask for no more, while there is no leader.
    #[arg(long, env = "OTTERKEEPER_READ_ONLY_MODE", num_args = 0..=1, default_missing_value = "true")]
    read_only_mode: Option<bool>,
    /// Client connections at a time [default: 20000].
    #[arg(long, env = "OTTERKEEPER_CONNECTIONS", value_name = "NUMBER")]
    connections: Option<u32>,
    /// Requests of one connection that wait for an answer [default: 10000].
    #[arg(
        long,
        env = "OTTERKEEPER_REQUESTS_PER_CONNECTION",
        value_name = "NUMBER"
    )]
    requests_per_connection: Option<u32>,
    /// Bytes of one request, like ZooKeeper's jute.maxbuffer [default: 1048575].
    #[arg(long, env = "OTTERKEEPER_REQUEST_BYTES", value_name = "BYTES")]
    request_bytes: Option<u32>,
    /// A snapshot is taken when the log exceeds this and the size of the last one [default: 33554432].
    #[arg(long, env = "OTTERKEEPER_COMPACT_BYTES", value_name = "BYTES")]
    compact_bytes: Option<u64>,
    /// ... or this many entries [default: 1000000].
    #[arg(long, env = "OTTERKEEPER_COMPACT_ENTRIES", value_name = "NUMBER")]
    compact_entries: Option<u64>,
    /// Entries kept behind a snapshot for slow followers [default: 10000].
    #[arg(long, env = "OTTERKEEPER_KEEP_ENTRIES", value_name = "NUMBER")]
    keep_entries: Option<u64>,
    /// ... if they have no more bytes than this, else fewer [default: 12582912].
    #[arg(long, env = "OTTERKEEPER_KEEP_BYTES", value_name = "BYTES")]
    keep_bytes: Option<u64>,
}

/// Settings that make sense.
#[derive(Clone, Debug)]
pub struct Server {
    /// The node's own settings.
    pub node: Config,
    /// Where its data is.
    pub data: PathBuf,
    /// HOST:PORT of the HTTP port.
    pub listen: String,
    /// HOST:PORT of ZooKeeper's port, if it is on.
    pub zk_listen: Option<String>,
    /// All members with HOST:PORT, this one included.
    pub members: BTreeMap<NodeId, String>,
    /// Whether it waits to be added to a cluster that exists.
    pub joins: bool,
    /// Names that a browser may use for this server.
    pub host_names: Vec<String>,
    /// Which four-letter words are answered.
    pub words: words::Allowed,
    /// Who can prove by DIGEST-MD5 who they are.
    pub users: Users,
}

impl Settings {
    /// These settings, and where they say nothing those of the file.
    ///
    /// # Errors
    /// If the file cannot be read, or has a key or a value that makes no sense.
    pub fn over_file(self, path: Option<&PathBuf>) -> anyhow::Result<Self> {
        let Some(path) = path else { return Ok(self) };
        let text = fs::read_to_string(path)
            .with_context(|| format!("the settings in {} cannot be read", path.display()))?;
        let file: Self =
            toml::from_str(&text).with_context(|| format!("{} makes no sense", path.display()))?;
        let list = |ours: Vec<String>, theirs| if ours.is_empty() { theirs } else { ours };
        Ok(Self {
            id: self.id.or(file.id),
            data: self.data.or(file.data),
            listen: self.listen.or(file.listen),
            zk_listen: self.zk_listen.or(file.zk_listen),
            peer: list(self.peer, file.peer),
            join: self.join.or(file.join),
            host_name: list(self.host_name, file.host_name),
            four_letter_words: self.four_letter_words.or(file.four_letter_words),
            sasl_user: list(self.sasl_user, file.sasl_user),
            reconfig: self.reconfig || file.reconfig,
            super_digest: self.super_digest.or(file.super_digest),
            enforce_auth: list(self.enforce_auth, file.enforce_auth),
            election_min_ms: self.election_min_ms.or(file.election_min_ms),
            election_spread_ms: self.election_spread_ms.or(file.election_spread_ms),
            heartbeat_ms: self.heartbeat_ms.or(file.heartbeat_ms),
            lease_reads: self.lease_reads.or(file.lease_reads),
            clock_drift_per_mille: self.clock_drift_per_mille.or(file.clock_drift_per_mille),
            session_min_ms: self.session_min_ms.or(file.session_min_ms),
            session_max_ms: self.session_max_ms.or(file.session_max_ms),
            container_check_ms: self.container_check_ms.or(file.container_check_ms),
            read_only_mode: self.read_only_mode.or(file.read_only_mode),
            connections: self.connections.or(file.connections),
            requests_per_connection: self
                .requests_per_connection
                .or(file.requests_per_connection),
            request_bytes: self.request_bytes.or(file.request_bytes),
            compact_bytes: self.compact_bytes.or(file.compact_bytes),
            compact_entries: self.compact_entries.or(file.compact_entries),
            keep_entries: self.keep_entries.or(file.keep_entries),
            keep_bytes: self.keep_bytes.or(file.keep_bytes),
        })
    }

    /// The settings with their defaults.
    ///
    /// # Errors
    /// A list of everything that is wrong.
    pub fn validate(self) -> anyhow::Result<Server> {
        let mut wrong = Vec::new();
        let id = NodeId(self.id.unwrap_or(0));
        match self.id {
            None => wrong.push("--id is missing: which member is this, 1 to 255?".into()),
            Some(1..=255) => {}
            Some(id) => wrong.push(format!("--id {id} is not between 1 and 255")),
        }
        if self.data.is_none() {
            wrong.push("--data is missing: in which directory is this member's data?".into());
        }
        let listen = self.listen.unwrap_or_else(|| "127.0.0.1:8080".into());
        let zk_listen = self.zk_listen.unwrap_or_else(|| "127.0.0.1:2181".into());
        let zk_listen = (zk_listen != "off").then_some(zk_listen);
        for (flag, address) in [
            ("--listen", Some(&listen)),
            ("--zk-listen", zk_listen.as_ref()),
        ] {
            if let Some(address) = address.filter(|address| !is_host_port(address)) {
                wrong.push(format!(
                    "{flag} {address} is not HOST:PORT, as 127.0.0.1:8080"
                ));
            }
        }
        let mut members = BTreeMap::new();
        for peer in &self.peer {
            match parse_peer(peer) {
                Ok((id, address)) => {
                    if members.insert(id, address).is_some() {
                        wrong.push(format!("--peer names member {id} twice"));
                    }
                }
                Err(sentence) => wrong.push(sentence),
            }
        }
        for (id, address) in &members {
            let same = members.range(..id).find(|(_, other)| *other == address);
            if let Some((other, _)) = same {
                wrong.push(format!("--peer has {address} for members {other} and {id}"));
            }
        }
        if self.peer.is_empty() {
            members.insert(id, listen.clone());
        } else if !members.contains_key(&id) && self.id.is_some() {
            wrong.push(format!(
                "--peer must list every member, but member {id}, this one, is not there"
            ));
        }

        let joins = self.join.unwrap_or(false);
        if joins && !self.peer.is_empty() {
            wrong.push(
                "--join and --peer exclude each other: who is a member, the cluster says".into(),
            );
        }

        let mut node = Config::new(id, members.keys().copied().collect());
        let spans = [
            (self.election_min_ms, &mut node.election_min),
            (self.election_spread_ms, &mut node.election_spread),
            (self.heartbeat_ms, &mut node.heartbeat),
            (self.session_min_ms, &mut node.session_min),
            (self.session_max_ms, &mut node.session_max),
            (self.container_check_ms, &mut node.container_check),
        ];
        for (ms, span) in spans {
            match ms {
                Some(0 | 86_400_001..) => wrong.push("a time is not between 1 ms and a day".into()),
                Some(ms) => *span = Span::from_ms(ms),
                None => {}
            }
        }
        node.lease_reads = self.lease_reads.unwrap_or(node.lease_reads);
        node.clock_drift_per_mille = self
            .clock_drift_per_mille
            .unwrap_or(node.clock_drift_per_mille);
        node.read_only_mode = self.read_only_mode.unwrap_or(node.read_only_mode);
        node.connections = self.connections.unwrap_or(node.connections);
        node.requests_per_connection = self
            .requests_per_connection
            .unwrap_or(node.requests_per_connection);
        node.request_bytes = self.request_bytes.unwrap_or(node.request_bytes);
        node.compact_bytes = self.compact_bytes.unwrap_or(node.compact_bytes);
        node.compact_entries = self.compact_entries.unwrap_or(node.compact_entries);
        node.keep_entries = self.keep_entries.unwrap_or(node.keep_entries);
        node.keep_bytes = self.keep_bytes.unwrap_or(node.keep_bytes);
        if let Some(digest) = self.super_digest.as_ref()
            && digest
                .split_once(':')
                .is_none_or(|(_, hash)| hash.len() != 28)
        {
            wrong.push(format!(
                "--super-digest {digest} is not USER:HASH; `otterkeeper acl digest USER:PASSWORD` makes one"
            ));
        }
        let mut users = Users::new();
        for user in &self.sasl_user {
            match user.split_once(':') {
                Some((name, password)) if !name.is_empty() && !name.contains(['"', '\\']) => {
                    users.insert(name.to_owned(), password.to_owned());
                }
                // Without the text: there may be a password in it.
                _ => wrong.push("a --sasl-user is not USER:PASSWORD".into()),
            }
        }
        for scheme in &self.enforce_auth {
            if !["digest", "sasl", "x509", "ip"].contains(&scheme.as_str()) {
                wrong.push(format!(
                    "--enforce-auth {scheme} is not digest, sasl, x509 or ip"
                ));
            }
        }
        node.reconfig = self.reconfig;
        (node.super_digest, node.enforce_auth) = (self.super_digest, self.enforce_auth);
        node.disk_stall_limit = node.election_max().times(2);
        node.leaderless_limit = node.election_max().times(2);
        if node.election_min < node.heartbeat.times(2) {
            wrong.push(
                "--election-min-ms must be at least twice --heartbeat-ms, or followers campaign"
                    .into(),
            );
        }
        if node.session_max < node.session_min {
            wrong.push("--session-max-ms is below --session-min-ms".into());
        }
        if MAX_REQUEST_BYTES < node.request_bytes {
            wrong.push(format!("--request-bytes is above {MAX_REQUEST_BYTES}"));
        }
        let words = self
            .four_letter_words
            .as_deref()
            .map(words::Allowed::parse)
            .unwrap_or_default();
        match self.data {
            Some(data) if wrong.is_empty() => Ok(Server {
                node,
                data,
                listen,
                zk_listen,
                members,
                joins,
                host_names: self.host_name,
                words,
                users,
            }),
            _ => bail!("these settings make no sense:\n  {}", wrong.join("\n  ")),
        }
    }
}

/// An entry must fit into a segment of the log and into a frame between members.
const MAX_REQUEST_BYTES: u32 = 8 << 20;

fn parse_peer(text: &str) -> Result<(NodeId, String), String> {
    let parsed = text.split_once('=').and_then(|(id, url)| {
        let id = id.trim().parse().ok().filter(|id| (1..=255).contains(id))?;
        Some((NodeId(id), host_port_of(url.trim())?))
    });
    parsed.ok_or_else(|| format!("--peer {text} is not ID=ws://HOST:PORT with an ID from 1 to 255"))
}

/// HOST:PORT of a member's URL.
pub(crate) fn host_port_of(url: &str) -> Option<String> {
    let address = url.strip_prefix("ws://")?;
    let address = address
        .strip_suffix("/peer")
        .unwrap_or(address)
        .trim_end_matches('/');
    is_host_port(address).then(|| address.to_owned())
}

fn is_host_port(address: &str) -> bool {
    let split = address.rsplit_once(':');
    split.is_some_and(|(host, port)| {
        !host.is_empty() && !host.contains('/') && port.parse::<u16>().is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(file: &str, expected: &[&str]) {
        let settings: Settings = toml::from_str(file).unwrap();
        match settings.validate() {
            Ok(_) => assert!(expected.is_empty(), "{expected:?}"),
            Err(error) => {
                let text = error.to_string();
                assert_eq!(text.lines().count(), expected.len() + 1, "{text}");
                expected
                    .iter()
                    .for_each(|part| assert!(text.contains(part), "{text}"));
            }
        }
    }

    #[test]
    fn everything_wrong_is_listed() {
        check("id = 1\ndata = 'x'", &[]);
        check(
            "id = 1\ndata = 'x'\npeer = ['1=ws://a:1', '2=ws://b:2/peer']",
            &[],
        );
        check("", &["--id is missing", "--data is missing"]);
        check(
            "id = 300\ndata = 'x'\nlisten = 'nonsense'\npeer = ['2=http://a:1', '3=ws://b:1', '3=ws://c:1']",
            &[
                "--id 300",
                "--listen nonsense",
                "2=http://a:1",
                "member 3 twice",
                "member 300, this one",
            ],
        );
        check(
            "id = 1\ndata = 'x'\npeer = ['1=ws://a:1', '2=ws://a:1/peer']",
            &["a:1 for members 1 and 2"],
        );
        check(
            "id = 1\ndata = 'x'\nheartbeat-ms = 150\nsession-min-ms = 50000",
            &["--election-min-ms", "--session-max-ms"],
        );
        check(
            "id = 1\ndata = 'x'\nsuper-digest = 'super:D/InIHSb7yEEbrWz8b9l71RjZJU='\nenforce-auth = ['sasl']",
            &[],
        );
        check(
            "id = 1\ndata = 'x'\nsuper-digest = 'super:test'\nenforce-auth = ['none']",
            &["--super-digest super:test", "--enforce-auth none"],
        );
        check("id = 4\ndata = 'x'\njoin = true", &[]);
        check(
            "id = 4\ndata = 'x'\njoin = true\npeer = ['4=ws://a:1']",
            &["--join and --peer"],
        );
    }

    #[test]
    fn flags_win_over_the_file() {
        let path =
            std::env::temp_dir().join(format!("otterkeeper-settings-{}", std::process::id()));
        fs::write(&path, "id = 1\ndata = 'file'\nheartbeat-ms = 20").unwrap();
        let flags = Settings {
            data: Some("flag".into()),
            ..Settings::default()
        };
        let server = flags.over_file(Some(&path)).unwrap().validate().unwrap();
        fs::remove_file(&path).unwrap();
        assert_eq!(
            (server.data, server.node.heartbeat),
            ("flag".into(), Span::from_ms(20))
        );
    }
}

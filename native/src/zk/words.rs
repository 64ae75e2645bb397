//! Four-letter words: a connection whose first four bytes are one of them gets a text and is closed.
//! Monitoring agents and probes parse these texts, so they are ZooKeeper's to the letter. Knows
//! nothing of where the facts come from.

use core::fmt::Write;

mod listing;

pub use listing::{Conf, Session};

/// What `srvr`, `mntr` and `envi` say this is: the ZooKeeper whose protocol we speak in front, so
/// that clients find the digits they compare. The date is in the form the Go client wants.
pub const VERSION: &str = concat!(
    "3.9.5-otterkeeper-",
    env!("CARGO_PKG_VERSION"),
    ", built on 07/01/2026 00:00 UTC"
);

/// The words that are answered.
pub const ALL: &[&str] = &[
    "conf", "cons", "crst", "dirs", "dump", "envi", "hash", "isro", "mntr", "ruok", "srst", "srvr",
    "stat", "wchc", "wchp", "wchs",
];

/// Of them those that change nothing, reveal nothing of weight, and cost next to nothing.
const HARMLESS: &[&str] = &["envi", "isro", "mntr", "ruok", "srvr", "stat"];

/// ZooKeeper's other words: known to be words, never answered. There is nothing here that they would trace.
const OTHERS: &[&str] = &["gtmk", "stmk"];

const NOT_SERVING: &str = "This ZooKeeper instance is not currently serving requests";

/// The words an operator allows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Allowed(Vec<String>);

impl Allowed {
    /// From a list as the flag `--four-letter-words` takes it: words with commas between, or `*`.
    #[must_use]
    pub fn parse(list: &str) -> Self {
        let words = |list: &[&str]| Self(list.iter().map(|&word| word.to_owned()).collect());
        match list.trim() {
            "*" => words(ALL),
            list => words(&list.split(',').map(str::trim).collect::<Vec<_>>()),
        }
    }
}

impl Default for Allowed {
    fn default() -> Self {
        Self(HARMLESS.iter().map(|&word| word.to_owned()).collect())
    }
}

/// What the texts are made of.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// `leader`, `follower` or `standalone`; `None` while there is no leader.
    pub mode: Option<&'static str>,
    /// The last index applied here.
    pub zxid: u64,
    /// Znodes, the root among them.
    pub znodes: u64,
    /// Bytes of all paths and data.
    pub data_bytes: u64,
    /// Watches on this server.
    pub watches: u64,
    /// Ephemeral znodes.
    pub ephemerals: u64,
    /// Open sessions of the whole cluster.
    pub sessions: u64,
    /// A leader's peers, and how many of them are not behind.
    pub learners: Option<(u64, u64)>,
    /// Voting members.
    pub quorum_size: u64,
    /// Milliseconds since the process started.
    pub uptime_ms: u64,
    /// Microseconds from a request to its answer: least, mean, most.
    pub latency_us: (u64, u64, u64),
    /// Packets from clients.
    pub received: u64,
    /// Packets to clients, watch events among them.
    pub sent: u64,
    /// Requests without an answer.
    pub outstanding: u64,
    /// Connections that have a session, in the order they came.
    pub connections: Vec<Connection>,
    /// The settings, for `conf`.
    pub conf: Conf,
    /// Bytes of the snapshots and of the log, for `conf` and `dirs`.
    pub directory_bytes: (u64, u64),
    /// The members as in `/zookeeper/config`, for `conf`.
    pub membership: String,
    /// Whether this member votes.
    pub votes: bool,
    /// The live sessions, for `dump`.
    pub listed: Vec<Session>,
    /// Sessions of this server that watch something, and what, for the words that list watches.
    pub watched: Vec<(u64, Vec<String>)>,
    /// Hash of the replicated state, for `hash`.
    pub digest: u64,
}

/// A connection as `stat` and `cons` list it.
#[derive(Clone, Debug, Default)]
pub struct Connection {
    /// `IP:PORT`.
    pub address: String,
    /// Requests without an answer.
    pub queued: u64,
    /// Packets from it.
    pub received: u64,
    /// Packets to it.
    pub sent: u64,
    /// Nothing is read from it at present.
    pub paused: bool,
    /// Its session; 0 while it has none.
    pub session: u64,
    /// The session's timeout.
    pub timeout_ms: u32,
    /// When it came, in milliseconds since 1970.
    pub established_ms: u64,
    /// The last operation that was answered, in ZooKeeper's four letters.
    pub last_op: &'static str,
    /// Its number.
    pub last_xid: Option<i32>,
    /// The last zxid that the client was told.
    pub last_zxid: u64,
    /// When the last answer went, in milliseconds since 1970; 0 for never.
    pub last_ms: u64,
    /// How long that took, in microseconds.
    pub last_us: u64,
    /// Microseconds from a request to its answer: least, mean, most.
    pub latency_us: (u64, u64, u64),
}

/// Whether the first four bytes of a connection are a word. All words are ASCII, so that none is the
/// length of a packet that would be taken.
pub fn recognise(bytes: [u8; 4]) -> Option<&'static str> {
    let mut known = ALL.iter().chain(OTHERS);
    known.find(|word| word.as_bytes() == bytes).copied()
}

impl Allowed {
    /// Whether this word is answered.
    #[must_use]
    pub fn has(&self, word: &str) -> bool {
        ALL.contains(&word) && self.0.iter().any(|one| one == word)
    }
}

/// The text for a word.
pub fn answer(word: &str, allowed: &Allowed, facts: impl FnOnce() -> Facts) -> String {
    if !allowed.has(word) {
        return format!("{word} is not executed because it is not in the whitelist.\n");
    }
    if word == "ruok" {
        return "imok".to_owned();
    }
    let facts = facts();
    let mut text = String::new();
    let written = match word {
        "envi" => environment(&mut text),
        "isro" => text.write_str(match facts.mode {
            Some("read-only") => "ro",
            Some(_) => "rw",
            None => "null",
        }),
        _ if facts.mode.is_none() => writeln!(text, "{NOT_SERVING}"),
        "mntr" => monitor(&mut text, &facts),
        "conf" => listing::conf(&mut text, &facts),
        "cons" => listing::cons(&mut text, &facts),
        "dump" => listing::dump(&mut text, &facts),
        "dirs" => listing::dirs(&mut text, &facts),
        "wchc" => listing::wchc(&mut text, &facts),
        "wchp" => listing::wchp(&mut text, &facts),
        "wchs" => listing::wchs(&mut text, &facts),
        "crst" => writeln!(text, "Connection stats reset."),
        "srst" => writeln!(text, "Server stats reset."),
        "hash" => writeln!(text, "{:x}: {:x}", facts.zxid, facts.digest),
        "stat" => server(&mut text, &facts, clients),
        _ => server(&mut text, &facts, |_, _| Ok(())),
    };
    debug_assert!(written.is_ok(), "a String takes any text");
    text
}

type Written = core::fmt::Result;

fn server(
    text: &mut String,
    facts: &Facts,
    clients: impl Fn(&mut String, &Facts) -> Written,
) -> Written {
    writeln!(text, "Zookeeper version: {VERSION}")?;
    clients(text, facts)?;
    let (least, mean, most) = facts.latency_us;
    writeln!(
        text,
        "Latency min/avg/max: {}/{}/{}",
        least / 1_000,
        Millis(mean),
        most / 1_000
    )?;
    writeln!(text, "Received: {}", facts.received)?;
    writeln!(text, "Sent: {}", facts.sent)?;
    writeln!(text, "Connections: {}", facts.connections.len())?;
    writeln!(text, "Outstanding: {}", facts.outstanding)?;
    writeln!(text, "Zxid: {:#x}", facts.zxid)?;
    writeln!(text, "Mode: {}", facts.mode.unwrap_or("unknown"))?;
    writeln!(text, "Node count: {}", facts.znodes)
}

fn clients(text: &mut String, facts: &Facts) -> Written {
    writeln!(text, "Clients:")?;
    for Connection {
        address,
        queued,
        received,
        sent,
        paused,
        ..
    } in &facts.connections
    {
        let interest = u8::from(!paused);
        writeln!(
            text,
            " /{address}[{interest}](queued={queued},recved={received},sent={sent})"
        )?;
    }
    writeln!(text)
}

fn monitor(text: &mut String, facts: &Facts) -> Written {
    let mut line = |key: &str, value: &dyn core::fmt::Display| writeln!(text, "zk_{key}\t{value}");
    let (least, mean, most) = facts.latency_us;
    line("version", &VERSION)?;
    line("server_state", &facts.mode.unwrap_or("unknown"))?;
    line("avg_latency", &Millis(mean))?;
    line("max_latency", &(most / 1_000))?;
    line("min_latency", &(least / 1_000))?;
    line("packets_received", &facts.received)?;
    line("packets_sent", &facts.sent)?;
    line("num_alive_connections", &facts.connections.len())?;
    line("outstanding_requests", &facts.outstanding)?;
    line("uptime", &facts.uptime_ms)?;
    line("znode_count", &facts.znodes)?;
    line("watch_count", &facts.watches)?;
    line("ephemerals_count", &facts.ephemerals)?;
    line("approximate_data_size", &facts.data_bytes)?;
    line("global_sessions", &facts.sessions)?;
    line("quorum_size", &facts.quorum_size)?;
    if let Some((learners, synced)) = facts.learners {
        line("learners", &learners)?;
        line("synced_followers", &synced)?;
    }
    Ok(())
}

fn environment(text: &mut String) -> Written {
    writeln!(text, "Environment:")?;
    writeln!(text, "zookeeper.version={VERSION}")?;
    writeln!(text, "os.name={}", std::env::consts::OS)?;
    writeln!(text, "os.arch={}", std::env::consts::ARCH)
}

/// Microseconds shown as milliseconds with up to four digits after the point, as ZooKeeper does.
struct Millis(u64);

impl core::fmt::Display for Millis {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> Written {
        let text = format!("{}.{:03}", self.0 / 1_000, self.0 % 1_000);
        let text = text.trim_end_matches('0');
        f.write_str(text)?;
        f.write_str(if text.ends_with('.') { "0" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        let connection = Connection {
            address: "127.0.0.1:5000".into(),
            queued: 0,
            received: 5,
            sent: 6,
            ..Connection::default()
        };
        Facts {
            mode: Some("follower"),
            zxid: 0x1f,
            znodes: 4,
            latency_us: (0, 500, 12_300),
            received: 5,
            sent: 6,
            connections: vec![connection],
            ..Facts::default()
        }
    }

    fn check(word: &str, expected: &str) {
        assert_eq!(answer(word, &Allowed::default(), facts), expected);
    }

    #[test]
    fn texts_are_zookeepers() {
        check("ruok", "imok");
        check("isro", "rw");
        let version = "Zookeeper version: 3.9.5-otterkeeper-0.1.0, built on 07/01/2026 00:00 UTC\n";
        let clients = "Clients:\n /127.0.0.1:5000[1](queued=0,recved=5,sent=6)\n\n";
        let rest = "Latency min/avg/max: 0/0.5/12\nReceived: 5\nSent: 6\nConnections: 1\n\
                    Outstanding: 0\nZxid: 0x1f\nMode: follower\nNode count: 4\n";
        check("srvr", &format!("{version}{rest}"));
        check("stat", &format!("{version}{clients}{rest}"));
        check(
            "conf",
            "conf is not executed because it is not in the whitelist.\n",
        );
        assert!(answer("mntr", &Allowed::default(), facts).contains("zk_server_state\tfollower\n"));
    }

    #[test]
    fn the_whitelist_rules() {
        let only = Allowed::parse("srvr, isro");
        assert_eq!(answer("isro", &only, facts), "rw");
        let refused = "ruok is not executed because it is not in the whitelist.\n";
        assert_eq!(answer("ruok", &only, facts), refused);
        let all = Allowed::parse("*");
        assert_eq!(answer("srst", &all, facts), "Server stats reset.\n");
        assert_eq!(answer("crst", &all, facts), "Connection stats reset.\n");
        assert_eq!(answer("hash", &all, facts), "1f: 0\n");
        assert!(!all.has("gtmk"));
    }

    #[test]
    fn without_a_leader_it_says_so() {
        let idle = Facts::default;
        assert_eq!(answer("isro", &Allowed::default(), idle), "null");
        assert_eq!(
            answer("srvr", &Allowed::default(), idle),
            format!("{NOT_SERVING}\n")
        );
    }

    #[test]
    fn words_are_told_from_lengths() {
        assert_eq!(recognise(*b"ruok"), Some("ruok"));
        assert_eq!(recognise(*b"hash"), Some("hash"));
        assert_eq!(recognise(*b"nope"), None);
        assert_eq!(recognise([0, 0, 0, 44]), None);
    }
}

//! The four-letter words that list things: sessions, ephemeral znodes, watches, connections, settings. Their
//! texts are ZooKeeper's to the letter. Knows nothing of where the facts come from.

use core::fmt::Write;
use core::time::Duration;
use std::time::{SystemTime, UNIX_EPOCH};

use super::{Connection, Facts, Millis, Written};

/// What `conf` says of the settings.
#[derive(Clone, Debug, Default)]
pub struct Conf {
    /// Port of this listener.
    pub client_port: u16,
    /// Where everything is kept.
    pub data: String,
    /// Milliseconds.
    pub session_min_ms: u64,
    /// Milliseconds.
    pub session_max_ms: u64,
    /// Client connections at a time. ZooKeeper counts them for each address, here all count together.
    pub connections: u32,
    /// This member's number.
    pub id: u64,
    /// Milliseconds between heartbeats, which is the nearest we have to a tick.
    pub heartbeat_ms: u64,
    /// HOST:PORT for the other members.
    pub listen: String,
}

/// A session as `dump` lists it.
#[derive(Clone, Debug)]
pub struct Session {
    /// Which.
    pub id: u64,
    /// Its timeout.
    pub timeout_ms: u32,
    /// On the leader: in how many milliseconds it would be closed.
    pub left_ms: Option<u64>,
    /// Its ephemeral znodes.
    pub ephemerals: Vec<String>,
}

pub(super) fn conf(text: &mut String, facts: &Facts) -> Written {
    let Conf {
        client_port,
        data,
        session_min_ms,
        session_max_ms,
        connections,
        id,
        heartbeat_ms,
        listen,
    } = &facts.conf;
    let (snapshots, log) = facts.directory_bytes;
    let port = listen.rsplit_once(':').map_or("0", |(_, port)| port);
    writeln!(text, "clientPort={client_port}")?;
    writeln!(text, "secureClientPort=-1")?;
    writeln!(text, "dataDir={data}")?;
    writeln!(text, "dataDirSize={snapshots}")?;
    writeln!(text, "dataLogDir={data}")?;
    writeln!(text, "dataLogSize={log}")?;
    writeln!(text, "tickTime={heartbeat_ms}")?;
    writeln!(text, "maxClientCnxns={connections}")?;
    writeln!(text, "minSessionTimeout={session_min_ms}")?;
    writeln!(text, "maxSessionTimeout={session_max_ms}")?;
    writeln!(text, "clientPortListenBacklog=-1")?;
    writeln!(text, "serverId={id}")?;
    if facts.mode == Some("standalone") {
        return Ok(());
    }
    // There is one port between members, and no rounds that would be counted.
    writeln!(text, "initLimit=0")?;
    writeln!(text, "syncLimit=0")?;
    writeln!(text, "electionAlg=3")?;
    writeln!(text, "electionPort={port}")?;
    writeln!(text, "quorumPort={port}")?;
    writeln!(text, "peerType={}", u8::from(!facts.votes))?;
    writeln!(text, "membership: ")?;
    writeln!(text, "{}", facts.membership)
}

pub(super) fn cons(text: &mut String, facts: &Facts) -> Written {
    for connection in &facts.connections {
        let Connection {
            address,
            queued,
            received,
            sent,
            paused,
            ..
        } = connection;
        let interest = u8::from(!paused);
        write!(
            text,
            " /{address}[{interest}](queued={queued},recved={received},sent={sent}"
        )?;
        if connection.session != 0 {
            let (least, mean, most) = connection.latency_us;
            write!(
                text,
                ",sid={:#x},lop={},est={},to={}",
                connection.session,
                connection.last_op,
                connection.established_ms,
                connection.timeout_ms
            )?;
            if let Some(xid) = connection.last_xid.filter(|xid| 0 <= *xid) {
                write!(text, ",lcxid={xid:#x}")?;
            }
            write!(
                text,
                ",lzxid={:#x},lresp={},llat={},minlat={},avglat={},maxlat={}",
                connection.last_zxid,
                connection.last_ms,
                connection.last_us / 1_000,
                least / 1_000,
                Millis(mean),
                most / 1_000
            )?;
        }
        writeln!(text, ")")?;
    }
    writeln!(text)
}

pub(super) fn dump(text: &mut String, facts: &Facts) -> Written {
    writeln!(text, "SessionTracker dump:")?;
    let sessions = &facts.listed;
    if facts.mode == Some("follower") {
        writeln!(text, "Global Sessions({}):", sessions.len())?;
        for session in sessions {
            writeln!(text, "{:#x}\t{}ms", session.id, session.timeout_ms)?;
        }
    } else {
        let mut sets: Vec<(u64, Vec<u64>)> = Vec::new();
        let mut by_end: Vec<_> = sessions
            .iter()
            .map(|session| (session.left_ms.unwrap_or(0) / 1_000, session.id))
            .collect();
        by_end.sort_unstable();
        for (end, id) in by_end {
            match sets.last_mut() {
                Some((last, ids)) if *last == end => ids.push(id),
                _ => sets.push((end, vec![id])),
            }
        }
        writeln!(text, "Session Sets ({})/({}):", sets.len(), sessions.len())?;
        for (end, ids) in sets {
            let date = date(SystemTime::now() + Duration::from_secs(end));
            writeln!(text, "{} expire at {date}:", ids.len())?;
            for id in ids {
                writeln!(text, "\t{id:#x}")?;
            }
        }
    }
    let owners = || {
        sessions
            .iter()
            .filter(|session| !session.ephemerals.is_empty())
    };
    writeln!(text, "ephemeral nodes dump:")?;
    writeln!(text, "Sessions with Ephemerals ({}):", owners().count())?;
    for session in owners() {
        writeln!(text, "{:#x}:", session.id)?;
        for path in &session.ephemerals {
            writeln!(text, "\t{path}")?;
        }
    }
    writeln!(text, "Connections dump:")?;
    writeln!(text, "Connections Sets (0)/({}):", facts.connections.len())?;
    for connection in &facts.connections {
        writeln!(
            text,
            "\tip: /{} sessionId: {:#x}",
            connection.address, connection.session
        )?;
    }
    Ok(())
}

/// Watches by session.
pub(super) fn wchc(text: &mut String, facts: &Facts) -> Written {
    for (session, paths) in &facts.watched {
        writeln!(text, "{session:#x}")?;
        for path in paths {
            writeln!(text, "\t{path}")?;
        }
    }
    writeln!(text)
}

/// Watches by path.
pub(super) fn wchp(text: &mut String, facts: &Facts) -> Written {
    let watched = facts.watched.iter();
    let mut pairs: Vec<(&str, u64)> = watched
        .flat_map(|(session, paths)| paths.iter().map(|path| (&**path, *session)))
        .collect();
    pairs.sort_unstable();
    let mut last = None;
    for (path, session) in pairs {
        if last.replace(path) != Some(path) {
            writeln!(text, "{path}")?;
        }
        writeln!(text, "\t{session:#x}")?;
    }
    writeln!(text)
}

/// How many watch how much.
pub(super) fn wchs(text: &mut String, facts: &Facts) -> Written {
    let mut paths: Vec<&str> = facts
        .watched
        .iter()
        .flat_map(|(_, paths)| paths.iter().map(String::as_str))
        .collect();
    let total = paths.len();
    paths.sort_unstable();
    paths.dedup();
    let connections = facts.watched.len();
    writeln!(
        text,
        "{connections} connections watching {} paths",
        paths.len()
    )?;
    writeln!(text, "Total watches:{total}")
}

pub(super) fn dirs(text: &mut String, facts: &Facts) -> Written {
    let (snapshots, log) = facts.directory_bytes;
    writeln!(text, "datadir_size: {snapshots}")?;
    writeln!(text, "logdir_size: {log}")
}

/// As Java shows a date.
fn date(time: SystemTime) -> String {
    let text = httpdate::fmt_http_date(time.max(UNIX_EPOCH));
    match *text
        .split([' ', ','])
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
    {
        [day, date, month, year, clock, _] => format!("{day} {month} {date} {clock} UTC {year}"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        let connection = Connection {
            address: "10.0.0.1:5000".into(),
            queued: 0,
            received: 9,
            sent: 9,
            session: 0x10,
            last_op: "PING",
            established_ms: 5,
            timeout_ms: 30_000,
            last_xid: Some(5),
            last_zxid: 0x12,
            last_ms: 6,
            last_us: 300,
            latency_us: (0, 250, 3_100),
            paused: false,
        };
        let session = |id, ephemerals: &[&str]| Session {
            id,
            timeout_ms: 30_000,
            left_ms: None,
            ephemerals: ephemerals.iter().map(|&path| path.into()).collect(),
        };
        Facts {
            mode: Some("follower"),
            connections: vec![connection],
            listed: vec![session(0x10, &["/a", "/b"]), session(0x20, &[])],
            watched: vec![
                (0x10, vec!["/a".into(), "/b".into()]),
                (0x20, vec!["/a".into()]),
            ],
            directory_bytes: (7, 8),
            ..Facts::default()
        }
    }

    fn check(write: fn(&mut String, &Facts) -> Written, expected: &str) {
        let mut text = String::new();
        write(&mut text, &facts()).unwrap();
        assert_eq!(text, expected);
    }

    #[test]
    fn lists_are_zookeepers() {
        check(
            cons,
            " /10.0.0.1:5000[1](queued=0,recved=9,sent=9,sid=0x10,lop=PING,est=5,to=30000,lcxid=0x5,lzxid=0x12,\
             lresp=6,llat=0,minlat=0,avglat=0.25,maxlat=3)\n\n",
        );
        check(
            dump,
            "SessionTracker dump:\nGlobal Sessions(2):\n0x10\t30000ms\n0x20\t30000ms\nephemeral nodes dump:\n\
             Sessions with Ephemerals (1):\n0x10:\n\t/a\n\t/b\nConnections dump:\nConnections Sets (0)/(1):\n\
             \tip: /10.0.0.1:5000 sessionId: 0x10\n",
        );
        check(wchc, "0x10\n\t/a\n\t/b\n0x20\n\t/a\n\n");
        check(wchp, "/a\n\t0x10\n\t0x20\n/b\n\t0x10\n\n");
        check(wchs, "2 connections watching 2 paths\nTotal watches:3\n");
        check(dirs, "datadir_size: 7\nlogdir_size: 8\n");
    }

    #[test]
    fn a_leader_lists_sessions_by_their_end() {
        let mut facts = facts();
        facts.mode = Some("leader");
        facts.listed[1].left_ms = Some(5_000);
        let mut text = String::new();
        dump(&mut text, &facts).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[1], "Session Sets (2)/(2):");
        assert!(
            lines[2].starts_with("1 expire at ") && lines[2].ends_with(':'),
            "{text}"
        );
        assert_eq!((lines[3], lines[5]), ("\t0x10", "\t0x20"));
        assert_eq!(date(UNIX_EPOCH), "Thu Jan 01 00:00:00 UTC 1970");
    }

    #[test]
    fn settings_are_shown() {
        let mut text = String::new();
        conf(&mut text, &facts()).unwrap();
        assert!(text.starts_with("clientPort=0\nsecureClientPort=-1\ndataDir=\ndataDirSize=7\n"));
        assert!(
            text.contains("\nserverId=0\n") && text.contains("\nmembership: \n"),
            "{text}"
        );
    }
}

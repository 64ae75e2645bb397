//! ZooKeeper's text for members, as `reconfig` takes it (protocol section 18):
//! `server.3=HOST:PORT:PORT:observer;[CLIENTHOST:]CLIENTPORT`. Of the first two ports the first counts here:
//! members reach each other through one.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Change, Member, Standing};
use crate::id::{NodeId, ReplicaId};

/// Where clients reach a member of which the port alone is said, as ZooKeeper writes it.
const ANYWHERE: &str = "0.0.0.0";

/// A change from the three texts of a `reconfig`, each of which may be empty: those who join, the numbers of
/// those who leave, or all members anew, besides which the others do not count. `None` if it cannot be read.
#[must_use]
pub fn parse(joining: &str, leaving: &str, all: &str) -> Option<Change> {
    let members = |text: &str| -> Option<Vec<Member>> {
        let lines = text.split([',', '\n']).map(str::trim);
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with("version="));
        lines.map(member).collect()
    };
    if !all.trim().is_empty() {
        return members(all).map(Change::Replace);
    }
    let numbers = leaving.split(',').map(str::trim);
    let numbers = numbers.filter(|number| !number.is_empty());
    let leaving = numbers.map(|number| Some(NodeId(number.parse().ok()?)));
    Some(Change::Incremental {
        joining: members(joining)?,
        leaving: leaving.collect::<Option<_>>()?,
    })
}

fn member(line: &str) -> Option<Member> {
    let (id, rest) = line.strip_prefix("server.")?.split_once('=')?;
    let (peers, clients) = rest.split_once(';')?;
    let (client_host, client_port) = clients
        .trim()
        .rsplit_once(':')
        .unwrap_or((ANYWHERE, clients.trim()));
    let client_port = client_port.parse::<u16>().ok()?;
    let (standing, peers) = match peers.rsplit_once(':')? {
        (peers, "participant") => (Standing::Voter, peers),
        (peers, "observer") => (Standing::Learner, peers),
        _ => (Standing::Voter, peers),
    };
    let (address, election) = peers.rsplit_once(':')?;
    let (host, port) = address.rsplit_once(':')?;
    let is_host = !host.is_empty() && !host.contains(['|', '/', ' ']);
    let ports = election.parse::<u16>().is_ok() && port.parse::<u16>().is_ok();
    let is_client_host = !client_host.is_empty() && !client_host.contains(['|', '/', ' ', ';']);
    (is_host && is_client_host && ports).then(|| Member {
        id: NodeId(id.trim().parse().unwrap_or(0)),
        replica: ReplicaId(0),
        address: String::from(address),
        clients: format!("{client_host}:{client_port}"),
        standing,
    })
}

#[cfg(test)]
mod tests {
    use super::super::Configuration;
    use super::*;
    use crate::id::Index;
    use alloc::vec;

    fn of(id: u64, address: &str, clients: &str, standing: Standing) -> Member {
        Member {
            id: NodeId(id),
            replica: ReplicaId(0),
            address: address.into(),
            clients: clients.into(),
            standing,
        }
    }

    #[test]
    fn texts_are_read() {
        let joining = "server.3=c:1:2:observer;2181, server.1=[::1]:3:4;b:2182";
        let expected = Change::Incremental {
            joining: vec![
                of(3, "c:1", "0.0.0.0:2181", Standing::Learner),
                of(1, "[::1]:3", "b:2182", Standing::Voter),
            ],
            leaving: vec![NodeId(7), NodeId(2)],
        };
        assert_eq!(parse(joining, "7, 2", ""), Some(expected));
        let all = "server.1=a:1:2:participant;2181\nversion=100";
        let replace = Change::Replace(vec![of(1, "a:1", "0.0.0.0:2181", Standing::Voter)]);
        assert_eq!(parse("", "", all), Some(replace.clone()));
        // It is ZooKeeper's clients that refuse to send both.
        assert_eq!(parse(joining, "1, nonsense", all), Some(replace));
        let nothing = Change::Incremental {
            joining: Vec::new(),
            leaving: Vec::new(),
        };
        assert_eq!(parse("", "", ""), Some(nothing));
    }

    #[test]
    fn what_is_written_is_read() {
        let members = vec![
            of(1, "a:1", "a:2181", Standing::Voter),
            of(2, "b:1", "0.0.0.0:2181", Standing::Learner),
        ];
        let text = Configuration::new(members.clone()).text(Index(0x100));
        let expected =
            "server.1=a:1:1:participant;a:2181\nserver.2=b:1:1:observer;0.0.0.0:2181\nversion=100";
        assert_eq!(text, expected);
        assert_eq!(parse("", "", &text), Some(Change::Replace(members)));
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for joining in [
            "server.3=c:1:2",
            "server.3=c:1;2181",
            "server.3=c:1:2:leader;2181",
            "server.3=:1:2;2181",
            "server.3=c:1:99999;2181",
            "server.3=c|d:1:2;2181",
            "server.3=c:1:2;",
            "server.3=c:1:2;:2181",
            "server.3=c:1:2;d|e:2181",
            "3=c:1:2;2181",
            "nonsense",
        ] {
            assert_eq!(parse(joining, "", ""), None, "{joining}");
        }
        assert_eq!(parse("", "x", ""), None);
    }
}

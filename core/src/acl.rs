//! Access control lists (protocol section 13): which are taken, what they permit, what of them is shown.
//! Knows lists and identities; not who is connected, nor where lists are kept.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::net::IpAddr;

use crate::request::{Acl, Error, Identity};

/// Bypasses every list. The only identity whose scheme no list can name.
pub const SUPER: &str = "super";

/// A list as it is stored: checked, without repeats, and with each `auth` entry replaced by one entry
/// for each identity that its owner has proved.
///
/// # Errors
/// `InvalidAcl` for an empty list, an unknown scheme, or an id that is none in its scheme.
pub fn stored(list: &[Acl], ids: &[Identity]) -> Result<Vec<Acl>, Error> {
    let mut stored = Vec::with_capacity(list.len());
    for (at, entry) in list.iter().enumerate() {
        if list[..at].contains(entry) {
            continue;
        }
        if entry.scheme != "auth" {
            if !is_valid(&entry.scheme, &entry.id) {
                return Err(Error::InvalidAcl);
            }
            stored.push(entry.clone());
            continue;
        }
        let before = stored.len();
        stored.extend(ids.iter().filter(|id| is_proved(id)).map(|id| Acl {
            perms: entry.perms,
            scheme: id.scheme.clone(),
            id: id.id.clone(),
        }));
        if stored.len() == before {
            return Err(Error::InvalidAcl);
        }
    }
    match stored.is_empty() {
        true => Err(Error::InvalidAcl),
        false => Ok(stored),
    }
}

/// Whether somebody with these identities has any of the `wanted` permissions. An empty list permits all.
#[must_use]
pub fn permits(list: &[Acl], ids: &[Identity], wanted: u32) -> bool {
    let is_meant = |entry: &Acl| {
        entry.scheme == "world" && entry.id == "anyone" || ids.iter().any(|id| matches(entry, id))
    };
    list.is_empty()
        || ids.iter().any(|id| id.scheme == SUPER)
        || list
            .iter()
            .any(|entry| entry.perms & wanted != 0 && is_meant(entry))
}

/// The list for somebody who may read the znode but not administer it: without the hashes of passwords.
#[must_use]
pub fn masked(list: &[Acl]) -> Vec<Acl> {
    let mask = |entry: &Acl| match entry.id.split_once(':') {
        Some((user, _)) if entry.scheme == "digest" => Acl {
            id: format!("{user}:x"),
            ..entry.clone()
        },
        _ => entry.clone(),
    };
    list.iter().map(mask).collect()
}

/// The name of an identity for people: of a digest only the user, of the superuser nothing.
#[must_use]
pub fn user(id: &Identity) -> &str {
    match (&*id.scheme, id.id.split_once(':')) {
        ("digest", Some((user, _))) => user,
        _ => &id.id,
    }
}

/// An identity for everybody to see: without the hash of a password.
#[must_use]
pub fn named(id: &Identity) -> Identity {
    Identity {
        scheme: id.scheme.clone(),
        id: user(id).into(),
    }
}

/// As zkCli writes a list: `world:anyone:r,digest:user:hash:cdrwa`.
#[must_use]
pub fn text(list: &[Acl]) -> String {
    let entry = |acl: &Acl| {
        let letters = LETTERS.iter().filter(|(_, bit)| acl.perms & bit != 0);
        let letters: String = letters.map(|(letter, _)| *letter).collect();
        format!("{}:{}:{letters}", acl.scheme, acl.id)
    };
    list.iter().map(entry).collect::<Vec<_>>().join(",")
}

/// The opposite of `text`. The letters may come in any order.
#[must_use]
pub fn parse(text: &str) -> Option<Vec<Acl>> {
    let bit = |letter| LETTERS.iter().find(|(known, _)| *known == letter);
    let entry = |text: &str| {
        let (scheme, rest) = text.split_once(':')?;
        let (id, letters) = rest.rsplit_once(':')?;
        let perms = letters
            .chars()
            .try_fold(0, |perms, letter| Some(perms | bit(letter)?.1))?;
        Some(Acl {
            perms,
            scheme: scheme.into(),
            id: id.into(),
        })
    };
    text.split(',').map(entry).collect()
}

const LETTERS: [(char, u32); 5] = [
    ('c', Acl::CREATE),
    ('d', Acl::DELETE),
    ('r', Acl::READ),
    ('w', Acl::WRITE),
    ('a', Acl::ADMIN),
];

/// The list of the members' znode: everybody reads it, and only the cluster writes it.
#[must_use]
pub fn read_only() -> Vec<Acl> {
    vec![Acl {
        perms: Acl::READ,
        ..Acl::open()
    }]
}

/// Whether the client had to prove it: an address is only what the socket says.
fn is_proved(id: &Identity) -> bool {
    matches!(&*id.scheme, "digest" | "sasl" | "x509")
}

fn matches(entry: &Acl, id: &Identity) -> bool {
    entry.scheme == id.scheme
        && match &*id.scheme {
            "ip" => is_within(&id.id, &entry.id),
            _ => entry.id == id.id,
        }
}

fn is_valid(scheme: &str, id: &str) -> bool {
    match scheme {
        "world" => id == "anyone",
        "digest" => has_two_parts(id),
        "ip" => network(id).is_some(),
        "sasl" => is_principal(id),
        "x509" => is_distinguished_name(id),
        _ => false,
    }
}

/// As Java splits: empty parts at the end do not count.
fn has_two_parts(id: &str) -> bool {
    id.trim_end_matches(':').split(':').count() == 2
}

/// Plain, or as Kerberos has it: user@REALM or service/host@REALM.
fn is_principal(id: &str) -> bool {
    match id.split_once('@') {
        None => true,
        Some((name, realm)) => !realm.contains(['/', '@']) && name.split('/').count() <= 2,
    }
}

/// `CN=otter,O=raft`: keys and values, with commas that stand for themselves escaped.
fn is_distinguished_name(id: &str) -> bool {
    let mut escaped = false;
    let mut parts = vec![String::new()];
    for char in id.chars() {
        match (char, parts.last_mut()) {
            (',', _) if !escaped => parts.push(String::new()),
            (char, Some(part)) => part.push(char),
            (_, None) => {}
        }
        escaped = char == '\\' && !escaped;
    }
    parts
        .iter()
        .all(|part| matches!(part.split_once('='), Some((key, _)) if !key.trim().is_empty()))
}

/// An address and how many of its bits count.
fn network(id: &str) -> Option<(IpAddr, u32)> {
    let (address, bits) = match id.split_once('/') {
        Some((address, bits)) => (address, Some(bits)),
        None => (id, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let all = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.map_or(Some(all), |bits| bits.parse().ok())?;
    (bits <= all).then_some((address, bits))
}

/// Whether an address is in a network of its own family.
fn is_within(address: &str, wanted: &str) -> bool {
    let (Ok(address), Some((wanted, bits))) = (address.parse::<IpAddr>(), network(wanted)) else {
        return false;
    };
    let apart = match (address, wanted) {
        (IpAddr::V4(a), IpAddr::V4(b)) => u128::from(a.to_bits() ^ b.to_bits()) << 96,
        (IpAddr::V6(a), IpAddr::V6(b)) => a.to_bits() ^ b.to_bits(),
        _ => return false,
    };
    bits <= apart.leading_zeros()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acl(perms: u32, scheme: &str, id: &str) -> Acl {
        Acl {
            perms,
            scheme: scheme.into(),
            id: id.into(),
        }
    }

    fn id(scheme: &str, id: &str) -> Identity {
        Identity {
            scheme: scheme.into(),
            id: id.into(),
        }
    }

    #[test]
    fn lists_are_checked_scheme_by_scheme() {
        let check = |scheme: &str, good: bool, ids: &[&str]| {
            for id in ids {
                let list = [acl(1, scheme, id)];
                assert_eq!(stored(&list, &[]).is_ok(), good, "{scheme}:{id}");
            }
        };
        check("world", true, &["anyone"]);
        check("world", false, &["", "me", "anyone:"]);
        check("digest", true, &["a:b", ":b", "a:b:", "a:b::"]);
        check("digest", false, &["", ":", "a", "a:", "a:b:c"]);
        check(
            "ip",
            true,
            &[
                "10.0.0.1",
                "10.0.0.0/8",
                "10.0.0.0/0",
                "::1",
                "fe80::/10",
                "::/128",
            ],
        );
        check(
            "ip",
            false,
            &[
                "",
                "10.0.0",
                "10.0.0.1/33",
                "10.0.0.1/-1",
                "10.0.0.1/",
                "::1/129",
                "host",
            ],
        );
        check(
            "sasl",
            true,
            &["otter", "otter@RAFT", "zookeeper/host@RAFT"],
        );
        check("sasl", true, &[""]);
        check("sasl", false, &["a@b@c", "a/b/c@d", "a@b/c"]);
        check(
            "x509",
            true,
            &["CN=otter", "CN=otter, O=raft", "CN=a\\,b,O=c"],
        );
        check("x509", false, &["", "otter", "CN=a,b", "=a"]);
        check("auth", false, &["", "a:b"]);
        check("super", false, &["", "a:b"]);
        check("", false, &["", "anyone"]);
        assert_eq!(stored(&[], &[]), Err(Error::InvalidAcl));
    }

    #[test]
    fn auth_becomes_the_identities_that_were_proved() {
        let ids = [
            id("ip", "10.0.0.1"),
            id("digest", "a:b"),
            id(SUPER, ""),
            id("sasl", "otter"),
        ];
        let list = [
            acl(3, "auth", ""),
            acl(1, "world", "anyone"),
            acl(3, "auth", ""),
        ];
        let expected = [
            acl(3, "digest", "a:b"),
            acl(3, "sasl", "otter"),
            acl(1, "world", "anyone"),
        ];
        assert_eq!(stored(&list, &ids).as_deref(), Ok(&expected[..]));
        assert_eq!(stored(&list, &ids[..1]), Err(Error::InvalidAcl));
    }

    #[test]
    fn permission_needs_the_bit_and_the_identity() {
        let list = [
            acl(Acl::READ, "world", "anyone"),
            acl(Acl::WRITE | Acl::ADMIN, "digest", "a:b"),
        ];
        let a = [id("digest", "a:b")];
        assert!(permits(&list, &[], Acl::READ));
        assert!(!permits(&list, &[], Acl::WRITE));
        assert!(permits(&list, &a, Acl::WRITE));
        assert!(!permits(&list, &a, Acl::DELETE));
        assert!(
            permits(&list, &a, Acl::DELETE | Acl::ADMIN),
            "any of the bits is enough"
        );
        assert!(!permits(&list, &[id("digest", "a:c")], Acl::WRITE));
        assert!(!permits(&list, &[id("sasl", "a:b")], Acl::WRITE));
        assert!(permits(&list, &[id(SUPER, "")], Acl::DELETE));
        assert!(permits(&[], &[], Acl::ALL));
    }

    #[test]
    fn addresses_match_networks_of_their_family() {
        let check = |wanted: &str, good: bool, addresses: &[&str]| {
            for address in addresses {
                let list = [acl(1, "ip", wanted)];
                assert_eq!(
                    permits(&list, &[id("ip", address)], 1),
                    good,
                    "{address} in {wanted}"
                );
            }
        };
        check("10.1.2.3", true, &["10.1.2.3"]);
        check("10.1.2.3", false, &["10.1.2.4", "::ffff:10.1.2.3"]);
        check("10.1.2.3/15", true, &["10.0.0.0", "10.1.255.255"]);
        check("10.1.2.3/15", false, &["10.2.0.0", "11.1.2.3"]);
        check("0.0.0.0/0", true, &["1.2.3.4"]);
        check("0.0.0.0/0", false, &["::1"]);
        check("fe80::/10", true, &["fe80::1", "febf::"]);
        check("fe80::/10", false, &["fec0::1", "::1"]);
        check("::1", true, &["::1", "0:0:0:0:0:0:0:1"]);
    }

    #[test]
    fn lists_can_be_written_and_read() {
        let list = [
            acl(Acl::READ | Acl::ADMIN, "digest", "a:b="),
            Acl::open(),
            acl(0, "auth", ""),
        ];
        assert_eq!(text(&list), "digest:a:b=:ra,world:anyone:cdrwa,auth::");
        assert_eq!(parse(&text(&list)).as_deref(), Some(&list[..]));
        assert_eq!(parse("ip:fe80::/10:wr").unwrap()[0].id, "fe80::/10");
        for bad in [
            "",
            "world",
            "world:anyone",
            "world:anyone:x",
            "world:anyone:r,",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn hashes_are_masked_and_names_shown() {
        let list = [
            acl(1, "digest", "a:hash"),
            acl(1, "sasl", "b:c"),
            Acl::open(),
        ];
        let shown = [acl(1, "digest", "a:x"), acl(1, "sasl", "b:c"), Acl::open()];
        assert_eq!(masked(&list), shown);
        assert_eq!(user(&id("digest", "a:hash")), "a");
        assert_eq!(user(&id("ip", "::1")), "::1");
        assert_eq!(user(&id(SUPER, "")), "");
    }
}

//! Who a client connection speaks for: what its socket says, what its driver vouches for, and what it
//! proves by auth packets. What an identity may do is `acl`'s business, and is judged where it matters.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use core::net::SocketAddr;

use sha1::{Digest, Sha1};

use crate::acl::{self, SUPER};
use crate::config::Config;
use crate::request::{Error, Identity, Response};
use crate::wire;

/// The identities of one connection, none of them twice. A clone shares them.
#[derive(Clone)]
pub(super) struct Identities(Arc<[Identity]>);

impl Identities {
    /// What is known of a connection that has proved nothing: the address it comes from, if it is one.
    pub(super) fn of_address(address: &str) -> Self {
        let address = address.parse().map(|address: SocketAddr| Identity {
            scheme: "ip".into(),
            id: format!("{}", address.ip()),
        });
        Self(address.into_iter().collect())
    }

    pub(super) fn all(&self) -> &[Identity] {
        &self.0
    }

    /// The answer to whoAmI: digest users without the hash.
    pub(super) fn named(&self) -> Response {
        Response::Identities(self.0.iter().map(acl::named).collect())
    }

    /// Takes an auth packet. A wrong password is no error: it makes another identity.
    ///
    /// # Errors
    /// `AuthFailed` for a scheme that nobody can prove in this way, and beyond the limit.
    pub(super) fn prove(
        &mut self,
        scheme: &str,
        proof: &[u8],
        config: &Config,
    ) -> Result<(), Error> {
        match scheme {
            "digest" => {
                let id = digest_id(&String::from_utf8_lossy(proof));
                if config.super_digest.as_ref() == Some(&id) {
                    self.add(SUPER, String::new(), config)?;
                }
                self.add("digest", id, config)
            }
            // It has it already.
            "ip" => Ok(()),
            _ => Err(Error::AuthFailed),
        }
    }

    /// One more identity.
    ///
    /// # Errors
    /// `AuthFailed` beyond the limit: all of them travel with every write.
    pub(super) fn add(&mut self, scheme: &str, id: String, config: &Config) -> Result<(), Error> {
        let new = Identity {
            scheme: scheme.into(),
            id,
        };
        if self.0.contains(&new) {
            return Ok(());
        }
        let bytes = |id: &Identity| id.scheme.len() + id.id.len();
        let all: usize = self.0.iter().map(bytes).sum();
        if (config.identity_bytes as usize) < all + bytes(&new) {
            return Err(Error::AuthFailed);
        }
        self.0 = self.0.iter().cloned().chain([new]).collect();
        Ok(())
    }

    /// Whether it has proved enough to be served at all.
    pub(super) fn suffice(&self, config: &Config) -> bool {
        let enough = |id: &Identity| config.enforce_auth.contains(&id.scheme);
        config.enforce_auth.is_empty() || self.0.iter().any(enough)
    }
}

/// `user:` and the hash of `user:password`, as access control lists name it.
#[must_use]
pub fn digest_id(user_and_password: &str) -> String {
    let user = user_and_password.split(':').next().unwrap_or_default();
    let hash = wire::to_text(&Sha1::digest(user_and_password.as_bytes()));
    format!("{user}:{hash}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::NodeId;
    use alloc::vec;
    use alloc::vec::Vec;

    fn config() -> Config {
        Config {
            super_digest: Some("super:D/InIHSb7yEEbrWz8b9l71RjZJU=".into()),
            ..Config::new(NodeId(1), vec![NodeId(1)])
        }
    }

    fn shown(ids: &Identities) -> Vec<String> {
        let show = |id: &Identity| format!("{}:{}", id.scheme, id.id);
        ids.all().iter().map(show).collect()
    }

    #[test]
    fn a_socket_has_an_address() {
        let check = |address: &str, expected: &[&str]| {
            assert_eq!(shown(&Identities::of_address(address)), expected);
        };
        check("127.0.0.1:5000", &["ip:127.0.0.1"]);
        check("[::1]:5000", &["ip:::1"]);
        check("client 3", &[]);
    }

    #[test]
    fn proofs_add_up_and_the_superuser_is_a_digest_too() {
        let mut ids = Identities::of_address("");
        let mut prove = |scheme: &str, proof: &str| ids.prove(scheme, proof.as_bytes(), &config());
        assert_eq!(prove("digest", "otter:raft"), Ok(()));
        assert_eq!(prove("digest", "otter:raft"), Ok(()));
        assert_eq!(prove("ip", ""), Ok(()));
        assert_eq!(prove("digest", "super:test"), Ok(()));
        for scheme in ["world", "auth", "super", "x509", "sasl", "no", ""] {
            assert_eq!(prove(scheme, "anyone"), Err(Error::AuthFailed), "{scheme}");
        }
        let digests = ["super:", "digest:super:D/InIHSb7yEEbrWz8b9l71RjZJU="];
        assert_eq!(shown(&ids)[1..], digests);
    }

    #[test]
    fn what_travels_with_every_write_has_a_limit() {
        let mut ids = Identities::of_address("");
        let long = "x".repeat(config().identity_bytes as usize);
        assert_eq!(
            ids.prove("digest", long.as_bytes(), &config()),
            Err(Error::AuthFailed)
        );
        assert!(ids.all().is_empty());
    }

    #[test]
    fn auth_can_be_enforced() {
        let mut config = config();
        let mut ids = Identities::of_address("127.0.0.1:1");
        assert!(ids.suffice(&config));
        config.enforce_auth = vec!["sasl".into(), "digest".into()];
        assert!(!ids.suffice(&config));
        ids.prove("digest", b"a:b", &config).unwrap();
        assert!(ids.suffice(&config));
    }
}

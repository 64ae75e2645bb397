//! DIGEST-MD5 (RFC 2831) as ZooKeeper's clients speak it: service `zookeeper`, host `zk-sasl-md5`, quality
//! of protection `auth`. One conversation for each connection; at its end it is known who the client is.
//! Knows texts and hashes; no sockets and no sessions.

use core::fmt::Write;
use core::mem;
use std::collections::BTreeMap;

use md5::{Digest, Md5};

/// What ZooKeeper's clients expect as realm and as host.
const HOST: &str = "zk-sasl-md5";
/// Bytes of a client's answer. Real ones are some 300.
const TOKEN_LIMIT: usize = 4_096;

/// Names and passwords.
pub type Users = BTreeMap<String, String>;

/// The conversation did not prove anything.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Failed;

/// What the server says next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// A question that only the user can answer.
    Challenge(String),
    /// The proof that the server knows the password too; this is the user.
    Done { token: String, user: String },
}

/// A conversation. As Java's server has it, the first token may be anything, and there is one for each connection.
#[derive(Default)]
pub(super) enum Conversation {
    #[default]
    New,
    /// The client must answer to this nonce.
    Asked(String),
    Over,
}

impl Conversation {
    /// Takes the client's next token. `nonce` is fresh.
    ///
    /// # Errors
    /// If the token proves nothing. The conversation is over then.
    pub(super) fn take(
        &mut self,
        token: &[u8],
        nonce: impl FnOnce() -> Option<String>,
        users: &Users,
    ) -> Result<Step, Failed> {
        // A nonce is good for one try.
        let nonce = match mem::replace(self, Self::Over) {
            Self::New => {
                let nonce = nonce().ok_or(Failed)?;
                let challenge =
                    format!("realm=\"{HOST}\",nonce=\"{nonce}\",charset=utf-8,algorithm=md5-sess");
                *self = Self::Asked(nonce);
                return Ok(Step::Challenge(challenge));
            }
            Self::Asked(nonce) => nonce,
            Self::Over => return Err(Failed),
        };
        let text = core::str::from_utf8(token).map_err(|_| Failed)?;
        let fields = (token.len() <= TOKEN_LIMIT).then(|| fields(text)).flatten();
        let fields = fields.ok_or(Failed)?;
        let field = |name| fields.get(name).map(String::as_str);
        let user = field("username").ok_or(Failed)?;
        let uri = field("digest-uri").ok_or(Failed)?;
        let right = field("nonce") == Some(&nonce)
            && field("realm").unwrap_or_default() == HOST
            && field("qop").unwrap_or("auth") == "auth"
            && field("nc") == Some("00000001")
            && field("authzid").is_none_or(|authzid| authzid == user)
            && uri.split('/').next() == Some("zookeeper");
        let password = users.get(user).ok_or(Failed)?;
        let proof = Proof {
            user,
            password,
            nonce: &nonce,
            cnonce: field("cnonce").ok_or(Failed)?,
            uri,
            authzid: field("authzid"),
        };
        let response = field("response").ok_or(Failed)?;
        if !right || !is_same(&proof.response("AUTHENTICATE"), response) {
            return Err(Failed);
        }
        Ok(Step::Done {
            token: format!("rspauth={}", proof.response("")),
            user: user.to_owned(),
        })
    }
}

/// What both sides hash.
struct Proof<'a> {
    user: &'a str,
    password: &'a str,
    nonce: &'a str,
    cnonce: &'a str,
    uri: &'a str,
    authzid: Option<&'a str>,
}

impl Proof<'_> {
    fn response(&self, method: &str) -> String {
        let Self {
            user,
            password,
            nonce,
            cnonce,
            uri,
            authzid,
        } = self;
        let secret = Md5::digest(format!("{user}:{HOST}:{password}"));
        let mut session = Md5::new();
        session.update(secret);
        session.update(format!(":{nonce}:{cnonce}"));
        if let Some(authzid) = authzid {
            session.update(format!(":{authzid}"));
        }
        let first = hex(&session.finalize());
        let second = hex(&Md5::digest(format!("{method}:{uri}")));
        hex(&Md5::digest(format!(
            "{first}:{nonce}:00000001:{cnonce}:auth:{second}"
        )))
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // A String takes any text.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Takes the same time wherever they differ.
fn is_same(a: &str, b: &str) -> bool {
    let apart = a
        .bytes()
        .zip(b.bytes())
        .fold(0, |apart, (a, b)| apart | (a ^ b));
    a.len() == b.len() && apart == 0
}

/// `key=value,key="value"`, with backslashes before quotes. `None` if it is no such text, or names
/// something twice.
fn fields(text: &str) -> Option<BTreeMap<&str, String>> {
    let mut fields = BTreeMap::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (key, behind) = rest.split_once('=')?;
        let mut value = String::new();
        rest = match behind.strip_prefix('"') {
            None => {
                let (plain, behind) = behind.split_once(',').unwrap_or((behind, ""));
                value.push_str(plain.trim());
                behind
            }
            Some(quoted) => {
                let mut chars = quoted.char_indices();
                let end = loop {
                    match chars.next()? {
                        (at, '"') => break at,
                        (_, '\\') => value.push(chars.next()?.1),
                        (_, char) => value.push(char),
                    }
                };
                let behind = quoted[end + 1..].trim_start();
                behind
                    .strip_prefix(',')
                    .or(behind.is_empty().then_some(""))?
            }
        }
        .trim_start();
        if fields.insert(key.trim(), value).is_some() {
            return None;
        }
    }
    Some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users() -> Users {
        [("otter".to_owned(), "raft".to_owned())].into()
    }

    fn answer(user: &str, password: &str, nonce: &str) -> String {
        let proof = Proof {
            user,
            password,
            nonce,
            cnonce: "c",
            uri: "zookeeper/zk-sasl-md5",
            authzid: None,
        };
        format!(
            "charset=utf-8,username=\"{user}\",realm=\"zk-sasl-md5\",nonce=\"{nonce}\",nc=00000001,cnonce=\"c\",\
             digest-uri=\"zookeeper/zk-sasl-md5\",maxbuf=65536,response={},qop=auth",
            proof.response("AUTHENTICATE")
        )
    }

    fn asked() -> Conversation {
        let mut conversation = Conversation::default();
        let challenge = conversation.take(b"", || Some("n".into()), &users());
        let expected = "realm=\"zk-sasl-md5\",nonce=\"n\",charset=utf-8,algorithm=md5-sess";
        assert_eq!(challenge, Ok(Step::Challenge(expected.into())));
        conversation
    }

    #[test]
    fn the_right_answer_is_taken_once() {
        let mut conversation = asked();
        let token = answer("otter", "raft", "n");
        let done = conversation.take(token.as_bytes(), || None, &users());
        assert!(
            matches!(done, Ok(Step::Done { user, token }) if user == "otter" && token.starts_with("rspauth="))
        );
        let again = conversation.take(token.as_bytes(), || None, &users());
        assert_eq!(again, Err(Failed));
    }

    #[test]
    fn everything_else_is_refused() {
        for token in [
            answer("otter", "wrong", "n"),
            answer("beaver", "raft", "n"),
            answer("otter", "raft", "another"),
            answer("otter", "raft", "n").replace("zk-sasl-md5\",nonce", "elsewhere\",nonce"),
            answer("otter", "raft", "n").replace("nc=00000001", "nc=00000002"),
            answer("otter", "raft", "n") + ",username=\"otter\"",
            answer("otter", "raft", "n") + ",authzid=\"beaver\"",
            "username=\"otter".into(),
            "nonsense".into(),
            String::new(),
            "x".repeat(TOKEN_LIMIT + 1),
        ] {
            let taken = asked().take(token.as_bytes(), || None, &users());
            assert_eq!(taken, Err(Failed), "{token}");
        }
        let unasked = Conversation::default().take(b"x", || Some("n".into()), &users());
        assert!(matches!(unasked, Ok(Step::Challenge(_))), "{unasked:?}");
    }

    /// The example of RFC 2831, section 4, shows the hashes, with another realm; ours is fixed, so the
    /// formula is checked against a value that was computed with Python's hashlib.
    #[test]
    fn hashes_are_those_of_the_rfc() {
        let proof = Proof {
            user: "chris",
            password: "secret",
            nonce: "OA6MG9tEQGm2hh",
            cnonce: "OA6MHXh6VqTrRk",
            uri: "imap/elwood.innosoft.com",
            authzid: None,
        };
        assert_eq!(
            proof.response("AUTHENTICATE"),
            "735619b305f481a0dee42c34fa7e7c6a"
        );
        assert_eq!(proof.response(""), "8da0ad0179febf80a103ab04bcab090c");
    }
}

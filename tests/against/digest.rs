//! A client's half of DIGEST-MD5 (RFC 2831), written apart from the server's. Knows texts and hashes.

use md5::{Digest, Md5};

const REALM: &str = "zk-sasl-md5";
const URI: &str = "zookeeper/zk-sasl-md5";
/// A client draws it; nothing here depends on its being fresh.
const CNONCE: &str = "b3R0ZXI";

/// What a client answers to a challenge with this nonce, and what the server must say to that.
pub(super) fn answer(user: &str, password: &str, nonce: &str) -> (String, String) {
    let secret = Md5::digest(format!("{user}:{REALM}:{password}"));
    let session = Md5::new()
        .chain_update(secret)
        .chain_update(format!(":{nonce}:{CNONCE}"));
    let session = hex(&session.finalize());
    let hash = |method: &str| {
        let what = hex(&Md5::digest(format!("{method}:{URI}")));
        let all = format!("{session}:{nonce}:00000001:{CNONCE}:auth:{what}");
        hex(&Md5::digest(all))
    };
    let response = hash("AUTHENTICATE");
    let token = format!(
        "charset=utf-8,username=\"{user}\",realm=\"{REALM}\",nonce=\"{nonce}\",nc=00000001,cnonce=\"{CNONCE}\",\
         digest-uri=\"{URI}\",maxbuf=65536,response={response},qop=auth"
    );
    (token, hash(""))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

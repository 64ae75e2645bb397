//! What a server said, taken apart so far that zxids, session ids and times can be told from the rest. Every byte
//! of a frame ends up in some part; what is not understood is a part as it stands.

use core::fmt;

use super::wire::Reader;

/// Operations by ZooKeeper's numbers.
pub(crate) mod op {
    pub(crate) const CREATE: i32 = 1;
    pub(crate) const DELETE: i32 = 2;
    pub(crate) const EXISTS: i32 = 3;
    pub(crate) const GET_DATA: i32 = 4;
    pub(crate) const SET_DATA: i32 = 5;
    pub(crate) const GET_ACL: i32 = 6;
    pub(crate) const SET_ACL: i32 = 7;
    pub(crate) const GET_CHILDREN: i32 = 8;
    pub(crate) const SYNC: i32 = 9;
    pub(crate) const PING: i32 = 11;
    pub(crate) const GET_CHILDREN2: i32 = 12;
    pub(crate) const CHECK: i32 = 13;
    pub(crate) const MULTI: i32 = 14;
    pub(crate) const CREATE2: i32 = 15;
    pub(crate) const RECONFIG: i32 = 16;
    pub(crate) const CHECK_WATCHES: i32 = 17;
    pub(crate) const REMOVE_WATCHES: i32 = 18;
    pub(crate) const CREATE_CONTAINER: i32 = 19;
    pub(crate) const CREATE_TTL: i32 = 21;
    pub(crate) const MULTI_READ: i32 = 22;
    pub(crate) const AUTH: i32 = 100;
    pub(crate) const SET_WATCHES: i32 = 101;
    pub(crate) const SASL: i32 = 102;
    pub(crate) const GET_EPHEMERALS: i32 = 103;
    pub(crate) const GET_ALL_CHILDREN_NUMBER: i32 = 104;
    pub(crate) const SET_WATCHES2: i32 = 105;
    pub(crate) const ADD_WATCH: i32 = 106;
    pub(crate) const WHO_AM_I: i32 = 107;
    pub(crate) const CLOSE: i32 = -11;
    /// The answer to the first packet. No client's operation has this number.
    pub(crate) const HELLO: i32 = i32::MIN;

    /// Whether its success is a change with a zxid of its own.
    pub(crate) const fn changes(op: i32) -> bool {
        matches!(
            op,
            CREATE
                | DELETE
                | SET_DATA
                | SET_ACL
                | MULTI
                | CREATE2
                | RECONFIG
                | CREATE_CONTAINER
                | CREATE_TTL
                | CLOSE
        )
    }
}

const UNIMPLEMENTED: i32 = -6;
const AUTH_FAILED: i32 = -115;
/// The name of the version in a configuration's text.
const VERSION: &str = "version in the text";
/// The xid of events.
pub(crate) const EVENT: i32 = -1;

/// One value of an answer, with its name in ZooKeeper's records.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) value: Value,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Value {
    Int(i64),
    /// A buffer or text; null is not empty.
    Bytes(Option<Vec<u8>>),
    /// Of a change that must be the same on both sides.
    Zxid(i64),
    /// The last one that the server has applied.
    Applied(i64),
    Session(i64),
    Time,
    /// Of a text with addresses in it, which are each server's own.
    Length,
    Password,
    /// What was not expected.
    Rest(Vec<u8>),
}

/// A frame of a server.
#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) op: i32,
    pub(crate) xid: i32,
    pub(crate) error: i32,
    pub(crate) parts: Vec<Part>,
}

impl Answer {
    /// Takes apart the answer to an operation, or an event.
    pub(crate) fn read(op: i32, frame: &[u8]) -> Self {
        let mut parts = Parts {
            reader: Reader(frame),
            parts: Vec::new(),
        };
        let header = match op {
            op::HELLO => parts.hello().map(|()| (0, 0)),
            _ => parts.reply(op),
        };
        let rest = parts.reader.0;
        let mut parts = parts.parts;
        if !rest.is_empty() {
            parts.push(Part {
                name: "rest",
                value: Value::Rest(rest.to_vec()),
            });
        }
        let (xid, error) = header.unwrap_or((i32::MAX, i32::MAX));
        Self {
            op,
            xid,
            error,
            parts,
        }
    }

    /// Whether the server closes the connection behind it: an unknown operation, a failed proof, the end of a session.
    pub(crate) fn ends_connection(&self) -> bool {
        let closes = self.op == op::CLOSE && self.error == 0;
        closes || matches!(self.error, UNIMPLEMENTED | AUTH_FAILED)
    }

    pub(crate) fn is_event(&self) -> bool {
        self.xid == EVENT
    }

    /// The version of the configuration, if it is told.
    pub(crate) fn version(&self) -> Option<i64> {
        let version = |part: &Part| match part.value {
            Value::Zxid(version) if part.name == VERSION => Some(version),
            _ => None,
        };
        self.parts.iter().find_map(version)
    }

    /// The zxid in the header; 0 without one.
    pub(crate) fn applied(&self) -> i64 {
        let applied = |part: &Part| match part.value {
            Value::Applied(zxid) | Value::Zxid(zxid) if part.name == "zxid" => Some(zxid),
            _ => None,
        };
        self.parts.iter().find_map(applied).unwrap_or(0)
    }
}

struct Parts<'a> {
    reader: Reader<'a>,
    parts: Vec<Part>,
}

impl Parts<'_> {
    fn add(&mut self, name: &'static str, value: Value) {
        self.parts.push(Part { name, value });
    }

    fn int(&mut self, name: &'static str) -> Option<i32> {
        let value = self.reader.int()?;
        self.add(name, Value::Int(value.into()));
        Some(value)
    }

    fn bool(&mut self, name: &'static str) -> Option<bool> {
        let value = self.reader.bool()?;
        self.add(name, Value::Int(value.into()));
        Some(value)
    }

    fn bytes(&mut self, name: &'static str) -> Option<()> {
        let value = self.reader.buffer()?;
        self.add(name, Value::Bytes(value));
        Some(())
    }

    fn zxid(&mut self, name: &'static str) -> Option<()> {
        let value = self.reader.long()?;
        self.add(name, Value::Zxid(value));
        Some(())
    }

    /// Lists have no order that is promised.
    fn texts(&mut self, name: &'static str) -> Option<()> {
        let count = self.int("count")?;
        let mut texts = Vec::new();
        for _ in 0..count {
            texts.push(self.reader.buffer()?);
        }
        texts.sort();
        texts
            .into_iter()
            .for_each(|text| self.add(name, Value::Bytes(text)));
        Some(())
    }

    fn hello(&mut self) -> Option<()> {
        self.int("protocolVersion")?;
        self.int("timeOut")?;
        let session = self.reader.long()?;
        self.add("sessionId", Value::Session(session));
        let password = self.reader.buffer()??;
        match (session, password.len()) {
            (0, _) => self.add("passwd", Value::Bytes(Some(password))),
            (_, 16) => self.add("passwd", Value::Password),
            _ => self.add("passwd", Value::Rest(password)),
        }
        if !self.reader.0.is_empty() {
            self.bool("readOnly")?;
        }
        Some(())
    }

    fn reply(&mut self, op: i32) -> Option<(i32, i32)> {
        let xid = self.int("xid")?;
        let zxid = self.reader.long()?;
        let error = self.reader.int()?;
        let own = zxid != 0 && error == 0 && (op::changes(op) || xid == EVENT);
        self.add(
            "zxid",
            match (own, zxid) {
                (_, 0 | -1) => Value::Int(zxid),
                (true, _) => Value::Zxid(zxid),
                _ => Value::Applied(zxid),
            },
        );
        self.add("err", Value::Int(error.into()));
        if xid == EVENT {
            self.int("type")?;
            self.int("state")?;
            self.bytes("path")?;
        } else if error == 0 {
            self.body(op)?;
        }
        Some((xid, error))
    }

    fn body(&mut self, op: i32) -> Option<()> {
        match op {
            op::CREATE | op::SYNC => self.bytes("path"),
            op::CREATE2 | op::CREATE_CONTAINER | op::CREATE_TTL => {
                self.bytes("path")?;
                self.stat()
            }
            op::EXISTS | op::SET_DATA | op::SET_ACL => self.stat(),
            op::GET_DATA | op::RECONFIG => self.data(),
            op::GET_ACL => {
                for _ in 0..self.int("count")? {
                    self.int("perms")?;
                    self.bytes("scheme")?;
                    self.bytes("id")?;
                }
                self.stat()
            }
            op::GET_CHILDREN => self.texts("child"),
            op::GET_CHILDREN2 => {
                self.texts("child")?;
                self.stat()
            }
            op::GET_EPHEMERALS => self.texts("ephemeral"),
            op::GET_ALL_CHILDREN_NUMBER => self.int("total").map(drop),
            op::ADD_WATCH => self.int("err").map(drop),
            op::SASL => self.token(),
            op::WHO_AM_I => {
                // ZooKeeper keeps them in a set.
                let mut known = Vec::new();
                for _ in 0..self.int("count")? {
                    known.push((self.reader.buffer()?, self.reader.buffer()?));
                }
                known.sort();
                for (scheme, user) in known {
                    self.add("authScheme", Value::Bytes(scheme));
                    self.add("user", Value::Bytes(user));
                }
                Some(())
            }
            op::MULTI | op::MULTI_READ => self.multi(),
            _ => Some(()),
        }
    }

    /// What a server says in a conversation of DIGEST-MD5; its nonce and its proof are its own.
    fn token(&mut self) -> Option<()> {
        let mut token = self.reader.buffer()?;
        if let Some(text) = &mut token {
            for (name, end) in [(&b"nonce=\""[..], b'"'), (b"rspauth=", b',')] {
                let found = text.windows(name.len()).position(|window| window == name);
                let Some(from) = found.map(|at| at + name.len()) else {
                    continue;
                };
                let length = text[from..].iter().position(|&byte| byte == end);
                let to = length.map_or(text.len(), |length| from + length);
                text.splice(from..to, *b"*");
            }
        }
        self.add("token", Value::Bytes(token));
        Some(())
    }

    /// Data and Stat. Members have addresses of their own.
    fn data(&mut self) -> Option<()> {
        let data = self.reader.buffer()?;
        let members = data.as_deref().and_then(members);
        let Some((lines, version)) = members else {
            self.add("data", Value::Bytes(data));
            return self.stat();
        };
        for line in lines {
            self.add("member", Value::Bytes(Some(line.into_bytes())));
        }
        self.add(VERSION, Value::Zxid(version));
        let from = self.parts.len();
        self.stat()?;
        for part in &mut self.parts[from..] {
            if part.name == "dataLength" {
                part.value = Value::Length;
            }
        }
        Some(())
    }

    fn multi(&mut self) -> Option<()> {
        loop {
            let kind = self.int("type")?;
            let done = self.bool("done")?;
            self.int("err")?;
            if done {
                return Some(());
            }
            match kind {
                -1 => self.int("err").map(drop)?,
                kind => self.body(kind)?,
            }
        }
    }

    fn stat(&mut self) -> Option<()> {
        self.zxid("czxid")?;
        self.zxid("mzxid")?;
        for name in ["ctime", "mtime"] {
            self.reader.long()?;
            self.add(name, Value::Time);
        }
        for name in ["version", "cversion", "aversion"] {
            self.int(name)?;
        }
        match self.reader.long()? {
            0 => self.add("ephemeralOwner", Value::Int(0)),
            owner => self.add("ephemeralOwner", Value::Session(owner)),
        }
        self.int("dataLength")?;
        self.int("numChildren")?;
        self.zxid("pzxid")
    }
}

/// The lines of a configuration without addresses, and its version.
fn members(data: &[u8]) -> Option<(Vec<String>, i64)> {
    let text = core::str::from_utf8(data).ok()?;
    let (lines, version) = text.rsplit_once("\nversion=")?;
    let line = |line: &str| {
        let (server, rest) = line.split_once('=')?;
        let (peers, clients) = rest.split_once(';')?;
        let (address, role) = peers.rsplit_once(':')?;
        let are_addresses = address.split(':').count() == 3 && clients.split(':').count() == 2;
        are_addresses.then(|| format!("{server}=*:{role};*"))
    };
    let lines = lines.lines().map(line).collect::<Option<_>>()?;
    Some((lines, i64::from_str_radix(version, 16).ok()?))
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Part { name, value } in &self.parts {
            match value {
                Value::Int(value) => write!(f, "{name}={value} ")?,
                Value::Zxid(value) | Value::Applied(value) | Value::Session(value) => {
                    write!(f, "{name}={value:#x} ")?;
                }
                Value::Bytes(None) => write!(f, "{name}=null ")?,
                Value::Bytes(Some(bytes)) => write!(f, "{name}=\"{}\" ", bytes.escape_ascii())?,
                Value::Time | Value::Length | Value::Password => write!(f, "{name}=* ")?,
                Value::Rest(bytes) => write!(f, "{name}={bytes:02x?} ")?,
            }
        }
        Ok(())
    }
}

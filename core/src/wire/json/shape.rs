//! The JSON texts as types of their own, apart from the program's (rule R29). Nothing here knows what a
//! request means.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::str;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::request::{Acl, Identity, Stat};

/// A request: which fields belong to it depends on `op`.
#[derive(Clone, PartialEq, Default, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Fields {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) op: Option<Verb>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) number: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) answered: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) data: Option<Data>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mode: Option<Mode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ttl_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) acl: Option<Vec<Acl>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) scheme: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) joining: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) leaving: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) members: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) members_version: Option<Decimal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stat: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) watch: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) read: Option<Consistency>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) session: Option<Decimal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) password: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) replaces: Option<Old>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) read_only: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) timeout_ms: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_zxid: Option<Decimal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ops: Option<Vec<Self>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) after: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) prefix: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) limit: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) with_data: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) recursive: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<Kind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) watches: Option<Had>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) since: Option<Decimal>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// A session that another one replaces.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Old {
    pub(super) session: Decimal,
    pub(super) password: Secret,
}

/// Watches of a connection before.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Had {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) data: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) exists: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) children: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) persistent: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) recursive: Vec<String>,
}

/// A child on a page.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Child {
    pub(super) name: String,
    pub(super) stat: Facts,
    pub(super) data: Option<Data>,
}

/// Kinds of watches.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    Children,
    Data,
    Any,
    Persistent,
    Recursive,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verb {
    Connect,
    Create,
    Delete,
    Set,
    Get,
    Exists,
    GetAcl,
    SetAcl,
    Children,
    Check,
    Multi,
    MultiRead,
    Count,
    Ephemerals,
    List,
    AddWatch,
    SetWatches,
    CheckWatches,
    RemoveWatches,
    Sync,
    Auth,
    Reconfig,
    Explain,
    Whoami,
    Ping,
    Close,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Mode {
    Persistent,
    Ephemeral,
    PersistentSequential,
    EphemeralSequential,
    Container,
    Ttl,
    TtlSequential,
    ContainerSequential,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Consistency {
    Local,
    Linearizable,
}

/// Anything that a server says: an answer, an event, or that it closes the connection.
#[derive(Clone, PartialEq, Default, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Said {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<u64>,
    #[serde(flatten)]
    pub(super) result: Outcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) event: Option<Happened>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) bye: Option<Bye>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) zxid: Option<Decimal>,
}

/// Exactly one of `ok` and `error` in an answer.
#[derive(Clone, PartialEq, Default, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Outcome {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ok: Option<Good>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) message: Option<String>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Good {
    Connected {
        session: Decimal,
        password: Secret,
        timeout_ms: u32,
        #[serde(default, skip_serializing_if = "is_false")]
        read_only: bool,
    },
    Created {
        path: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stat: Option<Facts>,
    },
    Deleted,
    Stat {
        stat: Facts,
    },
    Checked,
    Data {
        data: Option<Data>,
        stat: Facts,
    },
    Acl {
        acl: Vec<Acl>,
        stat: Facts,
    },
    Children {
        names: Vec<String>,
        stat: Facts,
    },
    Multi {
        results: Vec<Outcome>,
    },
    Count {
        count: u32,
    },
    Paths {
        paths: Vec<String>,
    },
    Page {
        znodes: Vec<Child>,
        stat: Facts,
        more: bool,
    },
    Watching {
        #[serde(default, skip_serializing_if = "is_false")]
        overflow: bool,
    },
    WatchesSet {
        #[serde(default, skip_serializing_if = "is_false")]
        overflow: bool,
    },
    WatchesFound,
    WatchesRemoved,
    Synced {
        path: String,
    },
    Authenticated,
    Identities {
        ids: Vec<Identity>,
    },
    Pong,
    Closed,
    ZnodeExplained {
        mode: Option<Mode>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ttl_ms: Option<u64>,
        last: Option<Past>,
        since: Decimal,
    },
    SessionExplained {
        fate: End,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        zxid: Option<Decimal>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at_ms: Option<u64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Decimal>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        member: Option<u64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        leader: Option<u64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timeout_ms: Option<u32>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ephemerals: Option<u32>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        silent_ms: Option<u64>,
        since: Decimal,
    },
}

/// The last change of a znode.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Past {
    pub(super) what: Deeds,
    pub(super) zxid: Decimal,
    pub(super) at_ms: u64,
    pub(super) session: Decimal,
    pub(super) ids: Vec<Identity>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Deeds {
    Created,
    DataSet,
    AclSet,
    Deleted,
    SessionEnded,
    Cleaned,
}

/// What became of a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum End {
    Alive,
    Closed,
    Replaced,
    Expired,
    Unknown,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum Happened {
    #[serde(rename = "node_created")]
    Created,
    #[serde(rename = "node_deleted")]
    Deleted,
    #[serde(rename = "node_data_changed")]
    DataChanged,
    #[serde(rename = "node_children_changed")]
    ChildrenChanged,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Bye {
    Closed,
    Expired,
    Moved,
    Behind,
    Leaderless,
    SnapshotInstalled,
    AuthFailed,
    ReadOnlyOver,
    Refused,
}

/// A Stat.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Facts {
    czxid: Decimal,
    mzxid: Decimal,
    pzxid: Decimal,
    ctime_ms: u64,
    mtime_ms: u64,
    version: i32,
    cversion: i32,
    aversion: i32,
    ephemeral_owner: Decimal,
    data_length: i32,
    num_children: i32,
}

impl From<&Stat> for Facts {
    fn from(stat: &Stat) -> Self {
        Self {
            czxid: Decimal(stat.czxid.0),
            mzxid: Decimal(stat.mzxid.0),
            pzxid: Decimal(stat.pzxid.0),
            ctime_ms: stat.ctime_ms,
            mtime_ms: stat.mtime_ms,
            version: stat.version,
            cversion: stat.cversion,
            aversion: stat.aversion,
            ephemeral_owner: Decimal(stat.ephemeral_owner.0),
            data_length: stat.data_length,
            num_children: stat.num_children,
        }
    }
}

impl From<Facts> for Stat {
    fn from(facts: Facts) -> Self {
        Self {
            czxid: facts.czxid.into(),
            mzxid: facts.mzxid.into(),
            pzxid: facts.pzxid.into(),
            ctime_ms: facts.ctime_ms,
            mtime_ms: facts.mtime_ms,
            version: facts.version,
            cversion: facts.cversion,
            aversion: facts.aversion,
            ephemeral_owner: facts.ephemeral_owner.into(),
            data_length: facts.data_length,
            num_children: facts.num_children,
        }
    }
}

/// A number as a string, because JavaScript's numbers are exact only up to 53 bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Decimal(pub(super) u64);

impl From<Decimal> for crate::id::Index {
    fn from(number: Decimal) -> Self {
        Self(number.0)
    }
}

impl From<Decimal> for crate::id::SessionId {
    fn from(number: Decimal) -> Self {
        Self(number.0)
    }
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let number = text
            .parse()
            .map_err(|_| D::Error::custom("expected a decimal number in quotes"));
        number.map(Self)
    }
}

/// Bytes: as text if they are UTF-8, else in base64. A reader takes either.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Data(pub(super) Bytes);

impl Serialize for Data {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let (key, text) = match str::from_utf8(&self.0) {
            Ok(text) => ("text", text.to_string()),
            Err(_) => ("base64", BASE64.encode(&self.0)),
        };
        to.collect_map([(key, text)])
    }
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut fields = BTreeMap::<String, String>::deserialize(from)?;
        match (fields.len(), fields.pop_first()) {
            (1, Some((key, text))) if key == "text" => Ok(Self(text.into_bytes().into())),
            (1, Some((key, text))) if key == "base64" => {
                let bytes = BASE64
                    .decode(text)
                    .map_err(|_| D::Error::custom("data is no base64"));
                Ok(Self(bytes?.into()))
            }
            _ => Err(D::Error::custom(
                "data is {\"text\": \"..\"}, {\"base64\": \"..\"} or null",
            )),
        }
    }
}

/// Sixteen bytes in base64.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Secret(pub(super) [u8; 16]);

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&BASE64.encode(self.0))
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let bytes = BASE64
            .decode(String::deserialize(from)?)
            .unwrap_or_default();
        let bytes = bytes.try_into();
        bytes
            .map(Self)
            .map_err(|_| D::Error::custom("a password is 16 bytes in base64"))
    }
}

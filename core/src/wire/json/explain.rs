//! What explains a znode or a session, as JSON. The rest of what a server says is in `json`.

use super::shape::{Decimal, Deeds, End, Good, Mode, Past};
use crate::id::NodeId;
use crate::request::{CreateMode, Deed, Done, Explained, Fate, Moment};

/// As it is written.
pub(super) fn good(explained: &Explained) -> Good {
    match explained {
        Explained::Znode { mode, last, since } => Good::ZnodeExplained {
            mode: mode.map(|mode| match mode {
                CreateMode::Persistent => Mode::Persistent,
                CreateMode::PersistentSequential => Mode::PersistentSequential,
                CreateMode::Ephemeral => Mode::Ephemeral,
                CreateMode::EphemeralSequential => Mode::EphemeralSequential,
                CreateMode::Container => Mode::Container,
                CreateMode::ContainerSequential => Mode::ContainerSequential,
                CreateMode::Ttl { .. } => Mode::Ttl,
                CreateMode::TtlSequential { .. } => Mode::TtlSequential,
            }),
            ttl_ms: match *mode {
                Some(CreateMode::Ttl { ms } | CreateMode::TtlSequential { ms }) => Some(ms),
                _ => None,
            },
            last: last.as_ref().map(past),
            since: Decimal(since.0),
        },
        Explained::Session { fate, since } => session(*fate, Decimal(since.0)),
    }
}

fn past(deed: &Deed) -> Past {
    Past {
        what: match deed.what {
            Done::Created => Deeds::Created,
            Done::DataSet => Deeds::DataSet,
            Done::AclSet => Deeds::AclSet,
            Done::Deleted => Deeds::Deleted,
            Done::Ended => Deeds::SessionEnded,
            Done::Cleaned => Deeds::Cleaned,
        },
        zxid: Decimal(deed.zxid.0),
        at_ms: deed.at_ms,
        session: Decimal(deed.session.0),
        ids: deed.ids.clone(),
    }
}

fn session(fate: Fate, since: Decimal) -> Good {
    let mut story = Story::default();
    let mut at =
        |Moment { zxid, ms }| (story.zxid, story.at_ms) = (Some(Decimal(zxid.0)), Some(ms));
    let end = match fate {
        Fate::Alive {
            member,
            timeout_ms,
            ephemerals,
            silent_ms,
        } => {
            story.member = Some(member.0);
            story.timeout_ms = Some(timeout_ms);
            story.ephemerals = Some(ephemerals);
            story.silent_ms = silent_ms;
            End::Alive
        }
        Fate::Closed(moment) => {
            at(moment);
            End::Closed
        }
        Fate::Replaced(moment, by) => {
            at(moment);
            story.by = Some(Decimal(by.0));
            End::Replaced
        }
        Fate::Expired {
            at: moment,
            leader,
            silent_ms,
        } => {
            at(moment);
            story.leader = Some(leader.0);
            story.silent_ms = Some(silent_ms);
            End::Expired
        }
        Fate::Unknown => End::Unknown,
    };
    Good::SessionExplained {
        fate: end,
        zxid: story.zxid,
        at_ms: story.at_ms,
        by: story.by,
        member: story.member,
        leader: story.leader,
        timeout_ms: story.timeout_ms,
        ephemerals: story.ephemerals,
        silent_ms: story.silent_ms,
        since,
    }
}

/// What is said of a session only in some cases.
#[derive(Default)]
struct Story {
    zxid: Option<Decimal>,
    at_ms: Option<u64>,
    by: Option<Decimal>,
    member: Option<u64>,
    leader: Option<u64>,
    timeout_ms: Option<u32>,
    ephemerals: Option<u32>,
    silent_ms: Option<u64>,
}

/// As a client reads it; nothing if something is missing.
pub(super) fn read(good: Good) -> Option<Explained> {
    Some(match good {
        Good::ZnodeExplained {
            mode,
            ttl_ms,
            last,
            since,
        } => Explained::Znode {
            mode: match mode {
                None => None,
                Some(mode) => Some(match mode {
                    Mode::Persistent => CreateMode::Persistent,
                    Mode::PersistentSequential => CreateMode::PersistentSequential,
                    Mode::Ephemeral => CreateMode::Ephemeral,
                    Mode::EphemeralSequential => CreateMode::EphemeralSequential,
                    Mode::Container => CreateMode::Container,
                    Mode::ContainerSequential => CreateMode::ContainerSequential,
                    Mode::Ttl => CreateMode::Ttl { ms: ttl_ms? },
                    Mode::TtlSequential => CreateMode::TtlSequential { ms: ttl_ms? },
                }),
            },
            last: last.map(|past| Deed {
                zxid: past.zxid.into(),
                at_ms: past.at_ms,
                what: match past.what {
                    Deeds::Created => Done::Created,
                    Deeds::DataSet => Done::DataSet,
                    Deeds::AclSet => Done::AclSet,
                    Deeds::Deleted => Done::Deleted,
                    Deeds::SessionEnded => Done::Ended,
                    Deeds::Cleaned => Done::Cleaned,
                },
                session: past.session.into(),
                ids: past.ids,
            }),
            since: since.into(),
        },
        Good::SessionExplained {
            fate,
            zxid,
            at_ms,
            by,
            member,
            leader,
            timeout_ms,
            ephemerals,
            silent_ms,
            since,
        } => {
            let at = || {
                Some(Moment {
                    zxid: zxid?.into(),
                    ms: at_ms?,
                })
            };
            let fate = match fate {
                End::Alive => Fate::Alive {
                    member: NodeId(member?),
                    timeout_ms: timeout_ms?,
                    ephemerals: ephemerals?,
                    silent_ms,
                },
                End::Closed => Fate::Closed(at()?),
                End::Replaced => Fate::Replaced(at()?, by?.into()),
                End::Expired => Fate::Expired {
                    at: at()?,
                    leader: NodeId(leader?),
                    silent_ms: silent_ms?,
                },
                End::Unknown => Fate::Unknown,
            };
            Explained::Session {
                fate,
                since: since.into(),
            }
        }
        _ => return None,
    })
}

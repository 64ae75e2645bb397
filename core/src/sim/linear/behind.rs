//! How far behind was what a plain read showed? ZooKeeper lets a member answer from what it has applied, so
//! an old answer is allowed. It is called old only where the calls prove it: a write to the same znode had
//! been acknowledged to somebody before the read was asked for, and the answer does not show it.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Bound;

use crate::id::Index;
use crate::request::{CreateMode, Error, Op, Read, ReadKind, Request, Response};
use crate::sim::ClientId;
use crate::sim::event::{Call, CallEnd};
use crate::time::{Span, Time};

/// What a plain read did not show.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Behind {
    /// How long the first write that it does not show had been acknowledged when the read was asked for.
    pub by: Span,
    /// That write: whose, and the number of the call.
    pub missed: (ClientId, u64),
}

/// A write to one path.
struct Wrote {
    who: (ClientId, u64),
    kind: Kind,
    asked: Time,
    /// When it was acknowledged; never, of one without a good answer.
    told: Time,
    /// Its own zxid, where the answer says so.
    zxid: Option<Index>,
}

/// Writes by their paths.
type Written<'a> = BTreeMap<&'a str, Vec<Wrote>>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Create,
    /// Of a znode that ends by itself.
    Mortal,
    Set,
    Delete,
}

/// Those of the plain reads from a moment on that came back too old, by client and number of the call.
#[must_use]
pub(in crate::sim) fn behind<'a, C>(
    clients: impl IntoIterator<Item = (ClientId, C)>,
    since: Time,
) -> BTreeMap<(ClientId, u64), Behind>
where
    C: IntoIterator<Item = &'a Call>,
{
    let mut written: Written<'a> = BTreeMap::new();
    let mut reads = Vec::new();
    for (client, calls) in clients {
        for call in calls {
            match &call.request {
                Request::Write(op) => wrote(&mut written, client, call, op, result(call)),
                Request::Multi(ops) => {
                    for (number, op) in ops.iter().enumerate() {
                        let result = match result(call) {
                            Some(Ok(Response::Multi(results))) => {
                                results.get(number).map(Result::as_ref)
                            }
                            Some(Err(error)) => Some(Err(error)),
                            _ => None,
                        };
                        wrote(&mut written, client, call, op, result);
                    }
                }
                Request::Read(read) if since <= call.invoked => reads.push((client, call, read)),
                _ => {}
            }
        }
    }
    let old = reads.into_iter().filter_map(|(client, call, read)| {
        let missed = missed(&written, call, read)?;
        let by = call.invoked.since(missed.told);
        let missed = missed.who;
        Some(((client, call.tag), Behind { by, missed }))
    });
    old.collect()
}

fn result(call: &Call) -> Option<Result<&Response, &Error>> {
    match &call.end {
        Some(CallEnd::Returned { reply, .. }) => Some(reply.result.as_ref()),
        _ => None,
    }
}

fn wrote<'a>(
    written: &mut Written<'a>,
    client: ClientId,
    call: &Call,
    op: &'a Op,
    result: Option<Result<&'a Response, &Error>>,
) {
    let (path, kind) = match op {
        Op::Create { path, mode, .. } => {
            let lasts = matches!(
                mode,
                CreateMode::Persistent | CreateMode::PersistentSequential
            );
            (path, if lasts { Kind::Create } else { Kind::Mortal })
        }
        Op::SetData { path, .. } => (path, Kind::Set),
        Op::Delete { path, .. } => (path, Kind::Delete),
        Op::SetAcl { .. } | Op::Check { .. } => return,
    };
    let told = match (&call.end, result) {
        (Some(CallEnd::Returned { time, .. }), Some(Ok(_))) => *time,
        // It was refused: it changed nothing.
        (_, Some(Err(error))) if *error != Error::SystemError => return,
        _ => Time::NEVER,
    };
    let (path, zxid) = match result {
        Some(Ok(Response::Created { path, stat })) => (path, stat.map(|stat| stat.czxid)),
        Some(Ok(Response::Stat(stat))) => (path, Some(stat.mzxid)),
        _ => (path, None),
    };
    written.entry(path).or_default().push(Wrote {
        who: (client, call.tag),
        kind,
        asked: call.invoked,
        told,
        zxid,
    });
}

/// The first acknowledged write that a read should have shown, had it shown the newest.
fn missed<'a>(written: &'a Written<'_>, call: &Call, read: &Read) -> Option<&'a Wrote> {
    let Some(CallEnd::Returned { reply, .. }) = &call.end else {
        return None;
    };
    let there = match (read.kind, &reply.result) {
        (ReadKind::Exists | ReadKind::Data | ReadKind::Children, Ok(_)) => true,
        (ReadKind::Exists | ReadKind::Data | ReadKind::Children, Err(Error::NoNode)) => false,
        _ => return None,
    };
    let own = written.get(&*read.path);
    // Data is not what a list of children shows.
    let sets = read.kind != ReadKind::Children;
    let own = own.and_then(|all| missed_of(all, call, there, sets));
    let Ok(Response::Children { names, .. }) = &reply.result else {
        return own;
    };
    let prefix: String = match read.path.as_str() {
        "/" => "/".into(),
        path => format!("{path}/"),
    };
    let below = written.range::<str, _>((Bound::Included(&*prefix), Bound::Unbounded));
    let below = below.map_while(|(path, all)| Some((path.strip_prefix(&*prefix)?, all)));
    let children = below.filter(|(name, _)| !name.is_empty() && !name.contains('/'));
    let missed = children.filter_map(|(name, all)| {
        let there = names.iter().any(|shown| shown == name);
        missed_of(all, call, there, false)
    });
    missed.chain(own).min_by_key(|wrote| wrote.told)
}

/// Of the writes to one path: the first acknowledged one that an answer does not show.
fn missed_of<'a>(all: &'a [Wrote], call: &Call, there: bool, sets: bool) -> Option<&'a Wrote> {
    let Some(CallEnd::Returned { time, zxid, .. }) = &call.end else {
        return None;
    };
    // Whether such a write may have come between this one and the state that was shown.
    let undone = |wrote: &Wrote, kinds: &[Kind]| {
        let may = |other: &Wrote| {
            kinds.contains(&other.kind) && other.asked <= *time && wrote.asked <= other.told
        };
        all.iter().any(may)
    };
    let is_missed = |wrote: &&Wrote| {
        wrote.told < call.invoked
            && match wrote.kind {
                Kind::Set => sets && wrote.zxid.is_some_and(|own| *zxid < own),
                Kind::Create => !there && !undone(wrote, &[Kind::Delete]),
                Kind::Delete => there && !undone(wrote, &[Kind::Create, Kind::Mortal]),
                Kind::Mortal => false,
            }
    };
    all.iter().filter(is_missed).min_by_key(|wrote| wrote.told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::NodeId;
    use crate::request::{Reply, Stat};
    use alloc::vec;

    const PATH: &str = "/x";

    fn call(tag: u64, at: (u64, u64), zxid: u64, asked: Request, said: Response) -> Call {
        Call {
            tag,
            node: NodeId(1),
            request: asked,
            invoked: Time(at.0),
            end: Some(CallEnd::Returned {
                time: Time(at.1),
                zxid: Index(zxid),
                reply: Reply {
                    zxid: Index(zxid),
                    result: Ok(said),
                },
            }),
        }
    }

    fn stat(mzxid: u64) -> Stat {
        Stat {
            mzxid: Index(mzxid),
            ..Stat::default()
        }
    }

    fn set(tag: u64, at: (u64, u64), own: u64) -> Call {
        let op = Op::SetData {
            path: PATH.into(),
            data: None,
            version: -1,
        };
        // The member that answered had applied one entry more.
        call(
            tag,
            at,
            own + 1,
            Request::Write(op),
            Response::Stat(stat(own)),
        )
    }

    fn get(tag: u64, at: (u64, u64), zxid: u64) -> Call {
        let read = Read {
            kind: ReadKind::Data,
            path: PATH.into(),
            watch: false,
        };
        let said = Response::Data {
            data: None,
            stat: stat(1),
        };
        call(tag, at, zxid, Request::Read(read), said)
    }

    fn ages(calls: [(u32, Vec<Call>); 2]) -> Vec<(u32, u64, u64)> {
        let calls = calls
            .iter()
            .map(|(id, calls)| (ClientId(*id), calls.iter()));
        let old = behind(calls, Time(0)).into_iter();
        old.map(|((client, tag), old)| (client.0, tag, old.by.0))
            .collect()
    }

    #[test]
    fn a_read_is_behind_by_the_age_of_the_first_write_that_it_misses() {
        let writer = vec![set(1, (10, 20), 5), set(2, (30, 40), 6)];
        let reader = vec![
            // Asked while the first write was under way: nobody had been told of it.
            get(1, (15, 18), 4),
            get(2, (50, 52), 4),
            get(3, (60, 62), 5),
            get(4, (70, 72), 6),
        ];
        let found = ages([(1, writer), (2, reader)]);
        assert_eq!(found, [(2, 2, 30), (2, 3, 20)]);
    }

    #[test]
    fn a_list_without_a_child_that_was_made_is_old_unless_somebody_may_have_deleted_it() {
        let made = || {
            let op = Op::Create {
                path: "/a/b".into(),
                data: None,
                acl: vec![],
                mode: CreateMode::Persistent,
                stat: false,
            };
            let said = Response::Created {
                path: "/a/b".into(),
                stat: None,
            };
            call(1, (10, 20), 5, Request::Write(op), said)
        };
        let deleted = || {
            let op = Op::Delete {
                path: "/a/b".into(),
                version: -1,
            };
            call(2, (30, 90), 6, Request::Write(op), Response::Deleted)
        };
        let list = || {
            let read = Read {
                kind: ReadKind::Children,
                path: "/a".into(),
                watch: false,
            };
            let said = Response::Children {
                names: vec![],
                stat: stat(1),
            };
            call(1, (50, 52), 4, Request::Read(read), said)
        };
        assert_eq!(ages([(1, vec![made()]), (2, vec![list()])]), [(2, 1, 30)]);
        assert_eq!(ages([(1, vec![made(), deleted()]), (2, vec![list()])]), []);
    }
}

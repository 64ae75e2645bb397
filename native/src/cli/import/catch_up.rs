//! Moves sequence counters and versions on to where they were in the other cluster, by changes that leave nothing else
//! behind. What is too far ahead, or not permitted, is counted and left as it is.

use bytes::Bytes;
use otterkeeper_core::path;
use otterkeeper_core::request::{Acl, CreateMode, Error, Op, Request, Stat};

use super::{BATCH_BYTES, TOGETHER, Tally, Znode, there, weight};
use crate::cli::export::{Line, made, progress};
use crate::cli::remote::{Failure, Session};

/// Children made and deleted in one transaction to move a counter.
const STEP: u32 = 1_000;
/// A counter that is further behind is not brought back: it would take ten thousand transactions.
const MOST_MADE: u32 = 10_000_000;
/// And a version neither.
const MOST_SET: i32 = 100_000;

/// Moves counters and versions on to where they were.
pub(super) async fn catch_up(
    session: &Session<'_>,
    znodes: &[Znode<'_>],
    tally: &mut Tally,
) -> Result<(), Failure> {
    let behind = |znode: &&Znode<'_>| {
        let line = znode.line;
        0 < line.children_made || 0 < line.version || 0 < line.acl_version
    };
    let behind: Vec<&Znode<'_>> = znodes.iter().filter(behind).collect();
    let bar = progress(Some(behind.len() as u64), "counters and versions");
    for some in behind.chunks(TOGETHER) {
        let paths: Vec<&str> = some.iter().map(|znode| &*znode.path).collect();
        let stats = there(session, &paths).await?;
        for znode in some {
            bar.inc(1);
            let Some(stat) = stats.get(&*znode.path) else {
                continue;
            };
            let (counted, aged) = (
                count(session, znode, stat).await?,
                age(session, znode, stat).await?,
            );
            let tallies = [
                (counted, &mut tally.counters, &mut tally.counters_lost),
                (aged, &mut tally.versions, &mut tally.versions_lost),
            ];
            for (moved, kept, lost) in tallies {
                match moved {
                    Moved::No => {}
                    Moved::Yes => *kept += 1,
                    Moved::Lost => *lost += 1,
                }
            }
        }
    }
    bar.finish_and_clear();
    Ok(())
}

/// What became of a counter or a version.
enum Moved {
    /// It was where it should be, or further.
    No,
    Yes,
    /// It stays where it is.
    Lost,
}

/// What several changes made of it.
fn moved(outcome: Result<(), Failure>) -> Result<Moved, Failure> {
    match outcome {
        Ok(()) => Ok(Moved::Yes),
        Err(Failure::Refused {
            error: Error::NoAuth | Error::QuotaExceeded,
            ..
        }) => Ok(Moved::Lost),
        Err(failure) => Err(failure),
    }
}

/// Makes and deletes children until as many were made as there should be.
async fn count(session: &Session<'_>, znode: &Znode<'_>, stat: &Stat) -> Result<Moved, Failure> {
    let missing = znode.line.children_made.saturating_sub(made(stat));
    match missing {
        0 => Ok(Moved::No),
        1..=MOST_MADE => moved(make_and_delete(session, &znode.path, missing).await),
        _ => Ok(Moved::Lost),
    }
}

async fn make_and_delete(session: &Session<'_>, at: &str, mut times: u32) -> Result<(), Failure> {
    let child = format!("{}otterkeeper-import", path::prefix(at));
    while times != 0 {
        let step = times.min(STEP);
        let pair = |_| {
            let create = Op::Create {
                path: child.clone(),
                data: None,
                acl: vec![Acl::open()],
                mode: CreateMode::Persistent,
                stat: false,
            };
            let delete = Op::Delete {
                path: child.clone(),
                version: -1,
            };
            [create, delete]
        };
        let ops: Vec<Op> = (0..step).flat_map(pair).collect();
        session.multi(at, Request::Multi(ops)).await?;
        times -= step;
    }
    Ok(())
}

/// Sets list and data again, until their versions are what they were.
async fn age(session: &Session<'_>, znode: &Znode<'_>, stat: &Stat) -> Result<Moved, Failure> {
    let Line {
        version,
        acl_version,
        acl,
        ..
    } = znode.line;
    let (sets, lists) = (
        version.saturating_sub(stat.version),
        acl_version.saturating_sub(stat.aversion),
    );
    if sets == 0 && lists == 0 {
        return Ok(Moved::No);
    }
    let possible = 0..=MOST_SET;
    if !possible.contains(&sets) || !possible.contains(&lists) {
        return Ok(Moved::Lost);
    }
    let path = &znode.path;
    // A request has its limit.
    let most = i32::try_from(BATCH_BYTES / weight(znode)).unwrap_or(1);
    let most = most.clamp(1, 500);
    let set_list = Op::SetAcl {
        path: path.clone(),
        acl: acl.clone(),
        version: -1,
    };
    let set_data = |data: Option<Bytes>| Op::SetData {
        path: path.clone(),
        data,
        version: -1,
    };
    let (mut sets, mut lists) = (sets, lists);
    while 0 < sets || 0 < lists {
        let (of_data, of_list) = (sets.min(500), lists.min(most));
        let mut ops = vec![set_list.clone(); usize::try_from(of_list).unwrap_or(0)];
        // Only the last one counts, and nobody sees those before.
        let empty = usize::try_from(of_data - 1).unwrap_or(0);
        ops.extend((0..empty).map(|_| set_data(None)));
        ops.extend((0 < of_data).then(|| set_data(znode.data.clone())));
        if let Moved::Lost = moved(session.multi(path, Request::Multi(ops)).await)? {
            return Ok(Moved::Lost);
        }
        (sets, lists) = (sets - of_data, lists - of_list);
    }
    Ok(Moved::Yes)
}

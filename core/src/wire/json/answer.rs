//! What requests are answered with, as JSON. Frames and requests are in `json`.

use alloc::string::ToString;
use alloc::vec::Vec;

use super::explain;
use super::shape::{Child, Data, Decimal, Facts, Good, Outcome, Secret};
use crate::request::{Error, Listed, Response, Stat};

/// As it is written.
pub(super) fn outcome(result: &Result<Response, Error>) -> Outcome {
    let good = match result {
        Err(error) => return failed(*error),
        Ok(Response::Expired) => return failed(Error::SessionExpired),
        Ok(Response::Connected {
            session,
            password,
            timeout_ms,
            read_only,
        }) => Good::Connected {
            session: Decimal(session.0),
            password: Secret(*password),
            timeout_ms: *timeout_ms,
            read_only: *read_only,
        },
        Ok(Response::Created { path, stat }) => Good::Created {
            path: path.clone(),
            stat: stat.as_ref().map(Facts::from),
        },
        Ok(Response::Deleted) => Good::Deleted,
        Ok(Response::Stat(stat)) => Good::Stat { stat: stat.into() },
        Ok(Response::Checked) => Good::Checked,
        Ok(Response::Data { data, stat }) => Good::Data {
            data: data.clone().map(Data),
            stat: stat.into(),
        },
        Ok(Response::Acl { acl, stat }) => Good::Acl {
            acl: acl.clone(),
            stat: stat.into(),
        },
        Ok(Response::Children { names, stat }) => Good::Children {
            names: names.clone(),
            stat: stat.into(),
        },
        Ok(Response::Multi(results)) => Good::Multi {
            results: results.iter().map(outcome).collect(),
        },
        Ok(Response::Count(count)) => Good::Count { count: *count },
        Ok(Response::Paths(paths)) => Good::Paths {
            paths: paths.clone(),
        },
        Ok(Response::Page { znodes, stat, more }) => Good::Page {
            znodes: znodes
                .iter()
                .map(|child| Child {
                    name: child.name.clone(),
                    stat: (&child.stat).into(),
                    data: child.data.clone().map(Data),
                })
                .collect(),
            stat: stat.into(),
            more: *more,
        },
        Ok(Response::Watching { complete }) => Good::Watching {
            overflow: !complete,
        },
        Ok(Response::WatchesSet { complete }) => Good::WatchesSet {
            overflow: !complete,
        },
        Ok(Response::WatchesFound) => Good::WatchesFound,
        Ok(Response::WatchesRemoved) => Good::WatchesRemoved,
        Ok(Response::Synced { path }) => Good::Synced { path: path.clone() },
        Ok(Response::Authenticated) => Good::Authenticated,
        Ok(Response::Identities(ids)) => Good::Identities { ids: ids.clone() },
        Ok(Response::Pong) => Good::Pong,
        Ok(Response::Closed) => Good::Closed,
        Ok(Response::Explained(explained)) => explain::good(explained),
    };
    Outcome {
        ok: Some(good),
        ..Outcome::default()
    }
}

fn failed(error: Error) -> Outcome {
    let message = Some(error.to_string());
    Outcome {
        error: Some(error.name().into()),
        message,
        ..Outcome::default()
    }
}

/// As a client reads it; nothing if no server says so.
pub(super) fn read_outcome(outcome: Outcome) -> Option<Result<Response, Error>> {
    let good = match (outcome.ok, outcome.error) {
        (Some(good), None) => good,
        (None, Some(name)) if name == "BAD_REQUEST" => return Some(Err(Error::MarshallingError)),
        (None, Some(name)) => {
            let error = Error::ALL.iter().find(|error| error.name() == name)?;
            return Some(Err(*error));
        }
        _ => return None,
    };
    Some(Ok(match good {
        Good::Connected {
            session,
            password,
            timeout_ms,
            read_only,
        } => Response::Connected {
            session: session.into(),
            password: password.0,
            timeout_ms,
            read_only,
        },
        Good::Created { path, stat } => Response::Created {
            path,
            stat: stat.map(Stat::from),
        },
        Good::Deleted => Response::Deleted,
        Good::Stat { stat } => Response::Stat(stat.into()),
        Good::Checked => Response::Checked,
        Good::Data { data, stat } => Response::Data {
            data: data.map(|data| data.0),
            stat: stat.into(),
        },
        Good::Acl { acl, stat } => Response::Acl {
            acl,
            stat: stat.into(),
        },
        Good::Children { names, stat } => Response::Children {
            names,
            stat: stat.into(),
        },
        Good::Multi { results } => {
            // A multi in a multi is nothing a server says; serde_json bounds how deep it could be.
            let single = |outcome: Outcome| match &outcome.ok {
                Some(Good::Multi { .. }) => None,
                _ => read_outcome(outcome),
            };
            Response::Multi(
                results
                    .into_iter()
                    .map(single)
                    .collect::<Option<Vec<_>>>()?,
            )
        }
        Good::Count { count } => Response::Count(count),
        Good::Paths { paths } => Response::Paths(paths),
        Good::Page { znodes, stat, more } => Response::Page {
            znodes: znodes
                .into_iter()
                .map(|child| Listed {
                    name: child.name,
                    stat: child.stat.into(),
                    data: child.data.map(|data| data.0),
                })
                .collect(),
            stat: stat.into(),
            more,
        },
        Good::Watching { overflow } => Response::Watching {
            complete: !overflow,
        },
        Good::WatchesSet { overflow } => Response::WatchesSet {
            complete: !overflow,
        },
        Good::WatchesFound => Response::WatchesFound,
        Good::WatchesRemoved => Response::WatchesRemoved,
        Good::Synced { path } => Response::Synced { path },
        Good::Authenticated => Response::Authenticated,
        Good::Identities { ids } => Response::Identities(ids),
        Good::Pong => Response::Pong,
        Good::Closed => Response::Closed,
        explained @ (Good::ZnodeExplained { .. } | Good::SessionExplained { .. }) => {
            Response::Explained(explain::read(explained)?)
        }
    }))
}

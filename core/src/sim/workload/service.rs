//! The rest of the service, beside registers, toggles and the queue: a client says who it is and guards
//! znodes by lists, keeps watches that stay, makes znodes that end by themselves, and reads several at once.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;

use super::{create, read, set};
use crate::node::digest_id;
use crate::request::{
    Acl, CreateMode, Error, Op, Read, ReadKind, Reply, Request, WatchKind, WatchMode,
};
use crate::rng::Rng;
use crate::sim::oracle::{GUARDED, MORTALS, QUEUE, REGISTERS, TOGGLES, USERS, user_name};

/// Znodes that end by themselves, of one client at a time.
const AT_A_TIME: usize = 3;
/// A time to live, in milliseconds.
const TTL_MS: (u64, u64) = (300, 2_500);

/// One that ends by itself.
#[derive(Clone)]
struct Mortal {
    path: String,
    is_container: bool,
    /// Whether there is, or may be, a child in the container.
    has_child: bool,
}

impl Mortal {
    fn child(&self) -> String {
        format!("{}/c", self.path)
    }
}

#[derive(Clone)]
pub(super) struct Service {
    user: u64,
    /// Whether the servers believe it, on each connection of this client.
    proved: bool,
    mortals: VecDeque<Mortal>,
}

impl Service {
    pub(super) const fn new(number: u64) -> Self {
        Self {
            user: number % USERS,
            proved: false,
            mortals: VecDeque::new(),
        }
    }

    /// Whom it speaks for.
    pub(super) fn who(&self) -> Option<u64> {
        self.proved.then_some(self.user)
    }

    /// Another client takes its place, who has proved nothing.
    pub(super) const fn begin_anew(&mut self) {
        self.proved = false;
    }

    pub(super) fn draw(
        &mut self,
        rng: &mut Rng,
        mark: String,
        stays: Option<(&str, WatchMode)>,
    ) -> Request {
        let guarded = format!("/a{}", rng.below(GUARDED));
        match rng.below(100) {
            0..14 if !self.proved => Request::Auth {
                scheme: "digest".into(),
                proof: Bytes::from(proof(self.user)),
            },
            0..3 => Request::WhoAmI,
            3..20 => Request::Read(read(ReadKind::Data, guarded)),
            20..24 => Request::Latest(read(ReadKind::Data, guarded)),
            24..38 => Request::Write(set(guarded, mark, -1)),
            38..46 => Request::Write(Op::SetAcl {
                path: guarded,
                acl: guard(rng, &mark),
                version: -1,
            }),
            46..54 => Request::Read(read(ReadKind::Acl, guarded)),
            54..78 => self.mortal(rng, mark),
            78..88 => Request::MultiRead(vec![
                read(ReadKind::Data, format!("/k{}", rng.below(REGISTERS))),
                read(ReadKind::Data, format!("/k{}", rng.below(REGISTERS))),
                read(ReadKind::Exists, format!("/t{}", rng.below(TOGGLES))),
                read(ReadKind::Data, guarded),
                read(ReadKind::Children, QUEUE.into()),
            ]),
            _ => lasting(rng, stays),
        }
    }

    /// Something about znodes that end by themselves.
    fn mortal(&mut self, rng: &mut Rng, mark: String) -> Request {
        if self.mortals.len() < AT_A_TIME && (self.mortals.is_empty() || rng.chance(300)) {
            let ttl = CreateMode::Ttl {
                ms: rng.between(TTL_MS.0, TTL_MS.1),
            };
            let mode = match rng.chance(500) {
                true => CreateMode::Container,
                false => ttl,
            };
            return Request::Write(create(format!("{MORTALS}/{mark}"), mark, mode));
        }
        let pick = rng.below(self.mortals.len() as u64) as usize;
        let mortal = &mut self.mortals[pick];
        let path = mortal.path.clone();
        match rng.below(100) {
            0..35 => Request::Read(read(ReadKind::Exists, path)),
            35..60 if !mortal.is_container => Request::Write(set(path, mark, -1)),
            _ if !mortal.is_container => Request::Latest(read(ReadKind::Exists, path)),
            _ if mortal.has_child => Request::Write(Op::Delete {
                path: mortal.child(),
                version: -1,
            }),
            _ => Request::Write(create(mortal.child(), mark, CreateMode::Persistent)),
        }
    }

    /// What an answer changes in what it will do.
    pub(super) fn answer(&mut self, request: &Request, reply: &Reply) {
        match (request, &reply.result) {
            (Request::Auth { .. }, Ok(_)) => self.proved = true,
            (Request::Write(Op::Create { path, mode, .. }), Ok(_))
                if matches!(mode, CreateMode::Container | CreateMode::Ttl { .. }) =>
            {
                self.mortals.push_back(Mortal {
                    path: path.clone(),
                    is_container: *mode == CreateMode::Container,
                    has_child: false,
                });
            }
            (Request::Write(Op::Create { path, .. }), Ok(_) | Err(Error::NodeExists)) => {
                self.parent(path, true);
            }
            (Request::Write(Op::Delete { path, .. }), Ok(_) | Err(Error::NoNode)) => {
                self.parent(path, false);
            }
            (
                Request::Write(Op::Create { path, .. } | Op::SetData { path, .. })
                | Request::Read(Read { path, .. })
                | Request::Latest(Read { path, .. }),
                Err(Error::NoNode),
            ) => self
                .mortals
                .retain(|mortal| mortal.path != *path && mortal.child() != *path),
            _ => {}
        }
    }

    fn parent(&mut self, child: &str, has_child: bool) {
        let mut mortals = self.mortals.iter_mut();
        if let Some(mortal) = mortals.find(|mortal| mortal.child() == child) {
            mortal.has_child = has_child;
        }
    }
}

/// A watch that stays: one is left, asked for, or taken away.
fn lasting(rng: &mut Rng, stays: Option<(&str, WatchMode)>) -> Request {
    let Some((path, mode)) = stays else {
        let (path, mode) = match rng.below(10) {
            0..3 => ("/".into(), WatchMode::Recursive),
            3..5 => (QUEUE.into(), WatchMode::Recursive),
            5 => (QUEUE.into(), WatchMode::Persistent),
            6..8 => (format!("/k{}", rng.below(REGISTERS)), WatchMode::Persistent),
            _ => (format!("/t{}", rng.below(TOGGLES)), WatchMode::Persistent),
        };
        let since = None;
        return Request::AddWatch { path, mode, since };
    };
    let path = String::from(path);
    let kind = match mode {
        WatchMode::Persistent => WatchKind::Persistent,
        WatchMode::Recursive => WatchKind::Recursive,
    };
    match rng.below(12) {
        0 => Request::RemoveWatches { path, kind },
        1..3 => Request::CheckWatches { path, kind },
        3 => Request::Read(read(ReadKind::Children, QUEUE.into())),
        _ if path == "/" || path == QUEUE => Request::Read(read(ReadKind::Children, QUEUE.into())),
        _ => Request::Read(read(ReadKind::Exists, path)),
    }
}

/// What one says to be a user.
fn proof(user: u64) -> String {
    format!("{}:raft", user_name(user))
}

/// A list with its mark: one user may do everything, and chance says what the others may.
pub(super) fn guard(rng: &mut Rng, mark: &str) -> Vec<Acl> {
    let owner = rng.below(USERS);
    let entry = |perms, scheme: &str, id| Acl {
        perms,
        scheme: scheme.into(),
        id,
    };
    // It permits nothing to anybody, and is seen in the list.
    let mut list = vec![entry(0, "sasl", mark.into())];
    for user in 0..USERS {
        let perms = match user == owner {
            true => Acl::ALL,
            false => rng.below(u64::from(Acl::ALL) + 1) as u32,
        };
        list.push(entry(perms, "digest", digest_id(&proof(user))));
    }
    if rng.chance(600) {
        let perms = rng.below(4) as u32;
        list.push(entry(perms, "world", "anyone".into()));
    }
    list
}

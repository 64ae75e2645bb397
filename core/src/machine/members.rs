//! The members as the state machine knows them: those of the last change that came to its end, and the one
//! that is pending (rule R19). It checks and remembers; the leader of the day carries out. What a
//! majority is, it does not know.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::Machine;
use crate::acl;
use crate::command::{Applied, Asker, Change};
use crate::configuration::{self, BadChange, Configuration, Member};
use crate::hash;
use crate::id::{Index, NodeId, ReplicaId, SessionId};
use crate::path;
use crate::request::{Acl, Error, Identity, Reconfig, Response};

/// Who is a member, and who is to be.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct Members {
    settled: Configuration,
    version: Index,
    pending: Option<Pending>,
}

/// A change that was asked for and has not come to its end.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Pending {
    /// The entry that asked for it.
    pub at: Index,
    /// What it leads to.
    pub target: Configuration,
    asker: Asker,
}

impl Members {
    /// The members of the last change that came to its end.
    #[must_use]
    pub const fn settled(&self) -> &Configuration {
        &self.settled
    }

    /// The index of the entry that ended it: the version in `/zookeeper/config`.
    #[must_use]
    pub const fn version(&self) -> Index {
        self.version
    }

    /// The change under way, if there is one.
    #[must_use]
    pub const fn pending(&self) -> Option<&Pending> {
        self.pending.as_ref()
    }

    /// Those who would join for the first time by this request, and where they are reached. Which replicas
    /// they are is for the driver to find out.
    #[must_use]
    pub fn strangers(&self, request: &Reconfig) -> Vec<(NodeId, String)> {
        let change = configuration::parse(&request.joining, &request.leaving, &request.members);
        let joining = match change {
            None => Vec::new(),
            Some(configuration::Change::Incremental { joining, .. }) => joining,
            Some(configuration::Change::Replace(all)) => all,
        };
        let is_stranger = |member: &Member| self.settled.member(member.id).is_none();
        let strangers = joining.into_iter().filter(is_stranger);
        strangers
            .map(|member| (member.id, member.address))
            .collect()
    }

    pub(super) fn digest(&self) -> u64 {
        let pending = self.pending.as_ref();
        hash::of_words(&[
            self.settled.digest(),
            self.version.0,
            pending.map_or(0, |pending| pending.at.0),
            pending.map_or(0, |pending| pending.target.digest()),
        ])
    }
}

impl Machine {
    /// The members, and what is pending about them.
    #[must_use]
    pub fn members(&self) -> &Members {
        &self.members
    }

    /// The configuration in the entry at `index` is committed. If it is what the pending change leads to,
    /// that change has come to its end.
    pub fn configured(
        &mut self,
        moment: (Index, u64),
        configuration: &Configuration,
        changes: &mut Vec<Change>,
    ) -> Applied {
        let reached = |pending: &mut Pending| pending.target == *configuration;
        let members = Arc::make_mut(&mut self.members);
        match members.pending.take_if(reached) {
            Some(pending) => Applied::Reconfigured {
                asker: pending.asker,
                result: self.settle_members(moment, pending.target, changes),
            },
            None => Applied::Nothing,
        }
    }

    /// Whether clients who are these may change the members.
    #[must_use]
    pub fn may_reconfigure(&self, ids: &[Identity]) -> bool {
        let znode = self.tree.get(path::CONFIG);
        let list = znode.and_then(|znode| self.tree.acl(znode.open().0.acl));
        list.is_none_or(|list| acl::permits(list, ids, Acl::WRITE))
    }

    /// A client's wish, in ZooKeeper's texts.
    pub(super) fn reconfig(
        &mut self,
        index: Index,
        asker: Asker,
        ids: &[Identity],
        request: &Reconfig,
    ) -> Applied {
        let mut change = configuration::parse(&request.joining, &request.leaving, &request.members);
        if let Some(
            configuration::Change::Incremental { joining, .. }
            | configuration::Change::Replace(joining),
        ) = &mut change
        {
            introduce(joining, &request.met);
        }
        let may = self.may_reconfigure(ids);
        self.reconfigure(index, asker, request.version, change.as_ref(), may)
    }

    /// Checks in ZooKeeper's order (protocol section 18), except that whoever may not is told before
    /// anybody waits for a quorum.
    pub(super) fn reconfigure(
        &mut self,
        index: Index,
        asker: Asker,
        version: Option<Index>,
        change: Option<&configuration::Change>,
        may: bool,
    ) -> Applied {
        let refused = |error| Applied::Reconfigured {
            asker,
            result: Err(error),
        };
        if self.members.pending.is_some() {
            return refused(Error::ReconfigInProgress);
        }
        if version.is_some_and(|version| version != self.members.version) {
            return refused(Error::BadVersion);
        }
        let target = change.map(|change| self.members.settled.changed(change));
        let target = match target {
            None | Some(Err(BadChange::Nonsense)) => return refused(Error::BadArguments),
            Some(_) if !may => return refused(Error::NoAuth),
            Some(Err(BadChange::Stranger)) => return refused(Error::NewConfigNoQuorum),
            Some(Ok(target)) => target,
        };
        Arc::make_mut(&mut self.members).pending = Some(Pending {
            at: index,
            target,
            asker,
        });
        Applied::Pending(asker)
    }

    pub(super) fn abandon(&mut self, change: Index) -> Applied {
        let members = Arc::make_mut(&mut self.members);
        match members.pending.take_if(|pending| pending.at == change) {
            Some(pending) => Applied::Reconfigured {
                asker: pending.asker,
                result: Err(Error::NewConfigNoQuorum),
            },
            None => Applied::Nothing,
        }
    }

    pub(super) fn settle_members(
        &mut self,
        moment: (Index, u64),
        members: Configuration,
        changes: &mut Vec<Change>,
    ) -> Result<Response, Error> {
        let version = moment.0;
        let text = members.text(version);
        let own = Arc::make_mut(&mut self.members);
        (own.settled, own.version) = (members, version);
        let mut transaction = self.transaction(moment, SessionId(0), &[], changes);
        let (data, stat) = transaction.configure(&text).ok_or(Error::NoNode)?;
        Ok(Response::Data {
            data: Some(data),
            stat,
        })
    }
}

/// Those of them who were met are those replicas.
fn introduce(joining: &mut [Member], met: &[(NodeId, ReplicaId)]) {
    for member in joining {
        if let Some((_, replica)) = met.iter().find(|(id, _)| *id == member.id) {
            member.replica = *replica;
        }
    }
}

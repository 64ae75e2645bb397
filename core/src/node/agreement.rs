//! Whether the replicas agree (rule R21). Every so many entries each member tells the others the digest of
//! its state; one that differs from a majority halts, so that nobody is served from a state that never was.
//! Without a majority for any digest nobody knows what is right, and all of them halt.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use super::Node;
use super::io::Output;
use crate::halt::Halt;
use crate::id::{Index, NodeId};
use crate::message::Message;

/// Digests of each member that are remembered: one may be behind by so many marks and still be judged.
const MARKS: usize = 16;

type Marks = VecDeque<(Index, u64)>;

/// What the members said of their states.
#[derive(Clone, Default)]
pub(super) struct Agreement {
    own: Marks,
    others: BTreeMap<NodeId, Marks>,
}

impl Node {
    /// An entry has been applied. At a mark, this member tells what it has become.
    pub(super) fn mark(&mut self, index: Index, out: &mut Vec<Output>) {
        if !index.0.is_multiple_of(self.config.digest_every.max(1)) {
            return;
        }
        let digest = self.machine.digest();
        remember(&mut self.agreement.own, index, digest);
        let members = self.raft.configuration().members();
        let own = self.config.id;
        for member in members.iter().filter(|member| member.id != own) {
            let message = Message::Digest { index, digest };
            out.push(Output::Send {
                to: member.id,
                message,
            });
        }
        self.judge(index, out);
    }

    /// Another member tells what it has become.
    pub(super) fn told_digest(
        &mut self,
        from: NodeId,
        index: Index,
        digest: u64,
        out: &mut Vec<Output>,
    ) {
        if self.raft.configuration().member(from).is_none() {
            self.agreement.others.remove(&from);
            return;
        }
        remember(
            self.agreement.others.entry(from).or_default(),
            index,
            digest,
        );
        self.judge(index, out);
    }

    /// Halts if this member is not of the majority's opinion about the state at `index`.
    fn judge(&mut self, index: Index, out: &mut Vec<Output>) {
        let Some(own) = at(&self.agreement.own, index) else {
            return;
        };
        let voters = self.raft.voters();
        let mut said: BTreeMap<u64, usize> = BTreeMap::new();
        for voter in voters {
            let digest = match *voter == self.config.id {
                true => Some(own),
                false => self
                    .agreement
                    .others
                    .get(voter)
                    .and_then(|marks| at(marks, index)),
            };
            if let Some(digest) = digest {
                *said.entry(digest).or_default() += 1;
            }
        }
        let majority = voters.len() / 2 + 1;
        let silent = voters.len() - said.values().sum::<usize>();
        let most = said.values().max().copied().unwrap_or(0);
        let others = |(digest, count): (&u64, &usize)| majority <= *count && *digest != own;
        if said.iter().any(others) {
            self.halt(Halt::StateDiffers { index }, out);
        } else if most + silent < majority {
            self.halt(Halt::NoMajorityAgrees { index }, out);
        }
    }
}

fn remember(marks: &mut Marks, index: Index, digest: u64) {
    marks.retain(|(known, _)| *known != index);
    if marks.len() == MARKS {
        marks.pop_front();
    }
    marks.push_back((index, digest));
}

fn at(marks: &Marks, index: Index) -> Option<u64> {
    let found = marks.iter().find(|(known, _)| *known == index);
    found.map(|(_, digest)| *digest)
}

#[cfg(test)]
mod tests;

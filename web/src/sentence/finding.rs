//! What the checker saw of a broken promise, and why a node stopped itself, as sentences.

use otterkeeper_core::halt::Halt;
use otterkeeper_core::id::{Index, NodeId, Term};
use otterkeeper_core::sim::Finding;
use otterkeeper_core::sim::linear::{Met, Misfit};

use super::client_name;
use crate::i18n::{Word, Words};

impl From<NodeId> for Word {
    fn from(node: NodeId) -> Self {
        Self::Number(node.0)
    }
}

impl From<Term> for Word {
    fn from(term: Term) -> Self {
        Self::Number(term.0)
    }
}

impl From<Index> for Word {
    fn from(index: Index) -> Self {
        Self::Number(index.0)
    }
}

/// What was seen.
pub(crate) fn finding(words: &Words, finding: &Finding) -> String {
    use Finding as F;
    let count = |number: usize| Word::Number(number as u64);
    match *finding {
        F::TwoLeaders { one, other, term } => words.with(
            "saw-two-leaders",
            &[
                ("one", one.into()),
                ("other", other.into()),
                ("term", term.into()),
            ],
        ),
        F::TwoVotes {
            node,
            one,
            other,
            term,
        } => words.with(
            "saw-two-votes",
            &[
                ("node", node.into()),
                ("one", one.into()),
                ("other", other.into()),
                ("term", term.into()),
            ],
        ),
        F::VoteNotOnDisk {
            node,
            candidate,
            term,
            disk,
            voted_for,
        } => {
            let told = [
                ("node", node.into()),
                ("candidate", candidate.into()),
                ("term", term.into()),
                ("disk", disk.into()),
                ("other", voted_for.unwrap_or_default().into()),
            ];
            match voted_for {
                Some(_) => words.with("saw-vote-not-on-disk", &told),
                None => words.with("saw-no-vote-on-disk", &told),
            }
        }
        F::TermNotOnDisk {
            node,
            to,
            term,
            disk,
        } => words.with(
            "saw-term-not-on-disk",
            &[
                ("node", node.into()),
                ("to", to.into()),
                ("term", term.into()),
                ("disk", disk.into()),
            ],
        ),
        F::EntriesNotOnDisk {
            node,
            term,
            matched,
            last,
        } => {
            let told = [
                ("node", node.into()),
                ("term", term.into()),
                ("index", matched.into()),
                ("last", last.unwrap_or_default().into()),
            ];
            match last {
                Some(_) => words.with("saw-entries-not-on-disk", &told),
                None => words.with("saw-entries-unsure", &told),
            }
        }
        F::EntriesTakenBack {
            node,
            term,
            matched,
            last,
        } => words.with(
            "saw-entries-taken-back",
            &[
                ("node", node.into()),
                ("term", term.into()),
                ("index", matched.into()),
                ("last", last.into()),
            ],
        ),
        F::ShownNotOnDisk { node, zxid, last } => words.with(
            "saw-shown-not-on-disk",
            &[
                ("node", node.into()),
                ("index", zxid.into()),
                ("last", last.into()),
            ],
        ),
        F::FewDisks {
            node,
            commit,
            having,
            voters,
        } => words.with(
            "saw-few-disks",
            &[
                ("node", node.into()),
                ("index", commit.into()),
                ("having", count(having)),
                ("voters", count(voters)),
            ],
        ),
        F::LeaderChanged { node, term, index } => {
            words.with("saw-leader-changed", &entry(node, term, index))
        }
        F::LeaderLacks { node, term, index } => {
            words.with("saw-leader-lacks", &entry(node, term, index))
        }
        F::OtherLog { node, index, term } => words.with("saw-other-log", &entry(node, term, index)),
        F::EntryMissing { node, last, index } => words.with(
            "saw-entry-missing",
            &[
                ("node", node.into()),
                ("last", last.into()),
                ("index", index.into()),
            ],
        ),
        F::OtherCommitted { node, index } => words.with(
            "saw-other-committed",
            &[("node", node.into()), ("index", index.into())],
        ),
        F::OtherBefore { node, commit } => words.with(
            "saw-other-before",
            &[("node", node.into()), ("index", commit.into())],
        ),
        F::CommitsMissing { node, commit } => words.with(
            "saw-commits-missing",
            &[("node", node.into()), ("index", commit.into())],
        ),
        F::SnapshotNotCommitted { node, last } => words.with(
            "saw-snapshot-not-committed",
            &[("node", node.into()), ("index", last.into())],
        ),
        F::OtherState { node, index } => words.with(
            "saw-other-state",
            &[("node", node.into()), ("index", index.into())],
        ),
        F::AppliedWrong {
            node,
            from,
            to,
            commit,
        } => words.with(
            "saw-applied-wrong",
            &[
                ("node", node.into()),
                ("from", from.into()),
                ("to", to.into()),
                ("commit", commit.into()),
            ],
        ),
        F::DiskSilent { node, ms } => words.with(
            "saw-disk-silent",
            &[("node", node.into()), ("ms", ms.into())],
        ),
        F::OldMembers { node, at, newest } => words.with(
            "saw-old-members",
            &[
                ("node", node.into()),
                ("at", at.into()),
                ("newest", newest.into()),
            ],
        ),
        F::EarlyChange { node, at, commit } => words.with(
            "saw-early-change",
            &[
                ("node", node.into()),
                ("at", at.into()),
                ("commit", commit.into()),
            ],
        ),
        F::EarlyVote {
            node,
            member,
            at,
            last,
            joined,
        } => words.with(
            "saw-early-vote",
            &[
                ("node", node.into()),
                ("member", member.into()),
                ("at", at.into()),
                ("last", last.into()),
                ("joined", joined.into()),
            ],
        ),
        F::Halted { node, ref why } => {
            let why = halt(words, why);
            words.with("halted", &[("node", node.into()), ("why", why.into())])
        }
        F::Told(ref text) => text.clone(),
    }
}

fn entry(node: NodeId, term: Term, index: Index) -> [(&'static str, Word); 3] {
    [
        ("node", node.into()),
        ("term", term.into()),
        ("index", index.into()),
    ]
}

/// An answer that no order explains, to a call that reads as `asked`.
pub(crate) fn misfit(words: &Words, why: &Misfit, asked: &str) -> String {
    let met = |met: &Met| match &met.holds {
        Some((data, version)) => words.with(
            "misfit-holds",
            &[
                ("path", met.path.as_str().into()),
                ("data", data.as_str().into()),
                ("version", (*version).into()),
            ],
        ),
        None => words.with("misfit-absent", &[("path", met.path.as_str().into())]),
    };
    let ways = why.met.iter().map(|way| {
        let way: Vec<String> = way.iter().map(met).collect();
        way.join(", ")
    });
    let given = why.highest.iter().map(|(path, number)| {
        let path = path.as_str().into();
        words.with(
            "misfit-number",
            &[("path", path), ("number", (*number).into())],
        )
    });
    let ways: Vec<String> = ways.filter(|way| !way.is_empty()).collect();
    let met = given.chain((!ways.is_empty()).then(|| ways.join(&words.get("misfit-or"))));
    let met: Vec<String> = met.collect();
    words.with(
        "misfit",
        &[
            ("client", client_name(why.client).into()),
            ("asked", asked.into()),
            ("met", met.join("; ").into()),
        ],
    )
}

/// Why a node stopped itself.
pub(crate) fn halt(words: &Words, why: &Halt) -> String {
    match *why {
        Halt::TwoLeaders { other, own, term } => words.with(
            "halt-two-leaders",
            &[
                ("other", other.into()),
                ("own", own.into()),
                ("term", term.into()),
            ],
        ),
        Halt::CommittedDiffers { leader, entry } => words.with(
            "halt-committed-differs",
            &[
                ("leader", leader.into()),
                ("index", entry.index.into()),
                ("term", entry.term.into()),
            ],
        ),
        Halt::SnapshotDiffers { last } => words.with(
            "halt-snapshot-differs",
            &[("index", last.index.into()), ("term", last.term.into())],
        ),
        Halt::AcknowledgedLost { commit, last } => words.with(
            "halt-acknowledged-lost",
            &[("index", commit.into()), ("last", last.into())],
        ),
        Halt::EntryMissing { index } => {
            words.with("halt-entry-missing", &[("index", index.into())])
        }
        Halt::Unreadable { index, ref why } => words.with(
            "halt-unreadable",
            &[("index", index.into()), ("why", why.as_str().into())],
        ),
        Halt::StateDiffers { index } => {
            words.with("halt-state-differs", &[("index", index.into())])
        }
        Halt::NoMajorityAgrees { index } => {
            words.with("halt-no-majority-agrees", &[("index", index.into())])
        }
        Halt::NobodyVotes => words.get("halt-nobody-votes"),
        Halt::Disk(ref why) | Halt::Bug(ref why) => why.clone(),
    }
}

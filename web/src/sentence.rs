//! Sentences from the core's reasons. One place for the event list, the live region and the inspector;
//! knows what happened, not where it is shown. Nothing is told that the core did not say.

mod finding;
mod message;

use otterkeeper_core::id::NodeId;
use otterkeeper_core::node::{Hangup, Note, PeerState, SnapshotStage};
use otterkeeper_core::raft::note::{
    Note as RaftNote, Role, RoleReason, TransferEnd, TransferStage, VoteRefusal,
};
use otterkeeper_core::recipe::group::{Called, Membership};
use otterkeeper_core::recipe::queue::{Put, Take};
use otterkeeper_core::recipe::service::Seen;
use otterkeeper_core::recipe::settings::{Shown, Written};
use otterkeeper_core::recipe::{Told, Wish, barrier, counter, election, lock};
use otterkeeper_core::request::Response;
use otterkeeper_core::sim::{ClientEvent, ClientId, End, Event, Intervention, LossReason, What};

pub(crate) use self::finding::{finding, halt, misfit};
pub(crate) use self::message::{end, flight, kind, says};
use crate::command;
use crate::i18n::Words;

/// Whose doing it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Who {
    Node(NodeId),
    Client(ClientId),
    Visitor,
    Check,
}

/// Who did it.
pub(crate) fn who(what: &What) -> Who {
    match what {
        What::Note { node, .. }
        | What::Synced { node, .. }
        | What::Booted { node }
        | What::Halted { node, .. }
        | What::Died { node, .. } => Who::Node(*node),
        What::Client { client, .. } => Who::Client(*client),
        What::Intervened(_) => Who::Visitor,
        What::Violated(_) => Who::Check,
        What::Lost { from, .. } | What::Delivered { from, .. } => match from {
            End::Node(node) => Who::Node(*node),
            End::Client(client) => Who::Client(*client),
        },
    }
}

/// What happened, in the visitor's language.
pub(crate) fn sentence(words: &Words, event: &Event) -> String {
    match &event.what {
        What::Note { node, note } => noted(words, node.0, note),
        What::Delivered { .. } | What::Synced { .. } => String::new(),
        What::Lost {
            from,
            to,
            cargo,
            why,
            ..
        } => {
            let key = match why {
                LossReason::Chance => "lost-chance",
                LossReason::Cut => "lost-cut",
                LossReason::Down => "lost-down",
                LossReason::Dropped => "lost-dropped",
                LossReason::NotAdmitted => "lost-not-admitted",
            };
            let what = kind(words, cargo);
            words.with(
                key,
                &[
                    ("what", what.into()),
                    ("from", end(words, *from).into()),
                    ("to", end(words, *to).into()),
                ],
            )
        }
        What::Booted { node } => words.with("booted", &[("node", node.0.into())]),
        What::Died { node, lost: 0 } => words.with("died", &[("node", node.0.into())]),
        What::Died { node, lost } => words.with(
            "died-lost",
            &[
                ("node", node.0.into()),
                ("lost", crate::i18n::Word::Count(u64::from(*lost))),
            ],
        ),
        What::Halted { node, why } => words.with(
            "halted",
            &[("node", node.0.into()), ("why", halt(words, why).into())],
        ),
        What::Client { client, event } => client_said(words, *client, event),
        What::Intervened(deed) => deed_text(words, deed),
        What::Violated(violation) => {
            let name = invariant(words, violation.invariant);
            words.with(
                "violated",
                &[
                    ("name", name.into()),
                    ("text", finding(words, &violation.seen).into()),
                ],
            )
        }
    }
}

/// A client's letter: a, b, c and so on.
pub(crate) fn client_name(client: ClientId) -> String {
    match client.0 {
        id @ 1..=26 => char::from(b'a' + (id - 1) as u8).to_string(),
        // Those of the lessons, which scripts call by small letters.
        id @ 97..=122 => char::from(b'A' + (id - 97) as u8).to_string(),
        id @ 1_000.. => format!("w{}", id - 999),
        id => format!("c{id}"),
    }
}

/// The short name of an invariant.
pub(crate) fn invariant(words: &Words, invariant: otterkeeper_core::sim::Invariant) -> String {
    use otterkeeper_core::sim::Invariant as I;
    words.get(match invariant {
        I::ElectionSafety => "invariant-election-safety",
        I::LeaderAppendOnly => "invariant-leader-append-only",
        I::LogMatching => "invariant-log-matching",
        I::LeaderCompleteness => "invariant-leader-completeness",
        I::StateMachineSafety => "invariant-state-machine-safety",
        I::DurableBeforeTold => "invariant-durable-before-told",
        I::LeaderWrites => "invariant-leader-writes",
        I::NewestMembers => "invariant-newest-members",
        I::OneChange => "invariant-one-change",
        I::NoHalt => "invariant-no-halt",
        I::Answers => "invariant-answers-in-order",
        I::MonotonicClients => "invariant-monotonic-clients",
        I::FreshReads => "invariant-fresh-reads",
        I::NoLostWrite => "invariant-no-lost-write",
        I::ExactlyOnce => "invariant-exactly-once",
        I::AllOrNothing => "invariant-all-or-nothing",
        I::SequenceNumbers => "invariant-sequence-numbers",
        I::Ephemerals => "invariant-ephemerals",
        I::SessionsKept => "invariant-sessions-kept",
        I::WatchesOnce => "invariant-watches-once",
        I::WatchesFirst => "invariant-watches-first",
        I::LastingWatches => "invariant-lasting-watches",
        I::Permissions => "invariant-permissions",
        I::Mortals => "invariant-mortals",
        I::Linearizable => "invariant-linearizable",
    })
}

/// The promise behind an invariant, in one sentence.
pub(crate) fn promise(words: &Words, invariant: otterkeeper_core::sim::Invariant) -> String {
    use otterkeeper_core::sim::Invariant as I;
    words.get(match invariant {
        I::ElectionSafety => "promise-election-safety",
        I::LeaderAppendOnly => "promise-leader-append-only",
        I::LogMatching => "promise-log-matching",
        I::LeaderCompleteness => "promise-leader-completeness",
        I::StateMachineSafety => "promise-state-machine-safety",
        I::DurableBeforeTold => "promise-durable-before-told",
        I::LeaderWrites => "promise-leader-writes",
        I::NewestMembers => "promise-newest-members",
        I::OneChange => "promise-one-change",
        I::NoHalt => "promise-no-halt",
        I::Answers => "promise-answers-in-order",
        I::MonotonicClients => "promise-monotonic-clients",
        I::FreshReads => "promise-fresh-reads",
        I::NoLostWrite => "promise-no-lost-write",
        I::ExactlyOnce => "promise-exactly-once",
        I::AllOrNothing => "promise-all-or-nothing",
        I::SequenceNumbers => "promise-sequence-numbers",
        I::Ephemerals => "promise-ephemerals",
        I::SessionsKept => "promise-sessions-kept",
        I::WatchesOnce => "promise-watches-once",
        I::WatchesFirst => "promise-watches-first",
        I::LastingWatches => "promise-lasting-watches",
        I::Permissions => "promise-permissions",
        I::Mortals => "promise-mortals",
        I::Linearizable => "promise-linearizable",
    })
}

/// The name of a role.
pub(crate) fn role(words: &Words, role: Role) -> String {
    words.get(match role {
        Role::Follower => "role-follower",
        Role::PreCandidate => "role-pre-candidate",
        Role::Candidate => "role-candidate",
        Role::Leader => "role-leader",
    })
}

/// Why a connection was closed.
pub(crate) fn hangup(words: &Words, reason: Option<Hangup>) -> String {
    words.get(match reason {
        None => "hangup-broken",
        Some(Hangup::Closed) => "hangup-closed",
        Some(Hangup::Expired) => "hangup-expired",
        Some(Hangup::Moved) => "hangup-moved",
        Some(Hangup::Behind) => "hangup-behind",
        Some(Hangup::Leaderless) => "hangup-leaderless",
        Some(Hangup::SnapshotInstalled) => "hangup-snapshot",
        Some(Hangup::AuthFailed) => "hangup-auth-failed",
        Some(Hangup::ReadOnlyOver) => "hangup-read-only-over",
        Some(Hangup::Refused) => "hangup-refused",
    })
}

/// What the visitor did.
pub(crate) fn deed_text(words: &Words, deed: &Intervention) -> String {
    let node = |key: &str, id: &NodeId| words.with(key, &[("node", id.0.into())]);
    let link = |key: &str, from: &NodeId, to: &NodeId| {
        words.with(key, &[("from", from.0.into()), ("to", to.0.into())])
    };
    let client = |key: &str, id: &ClientId| words.with(key, &[("client", client_name(*id).into())]);
    let number = |key: &str, number: u64| words.with(key, &[("n", number.into())]);
    match deed {
        Intervention::Kill(id) | Intervention::Crash { node: id, .. } => node("deed-kill", id),
        Intervention::Restart(id) => node("deed-restart", id),
        Intervention::Pause(id) => node("deed-pause", id),
        Intervention::Resume(id) => node("deed-resume", id),
        Intervention::Isolate(id) => node("deed-isolate", id),
        Intervention::Rejoin(id) => node("deed-rejoin", id),
        Intervention::Cut { from, to } => link("deed-cut", from, to),
        Intervention::Heal { from, to } => link("deed-heal", from, to),
        Intervention::HealAll => words.get("deed-heal-all"),
        Intervention::Clog { from, to } => link("deed-clog", from, to),
        Intervention::Unclog { from, to } => link("deed-unclog", from, to),
        Intervention::ClockRate {
            node: id,
            per_mille,
        } => {
            let (node, rate) = (id.0.into(), percent(*per_mille).into());
            words.with("deed-clock-rate", &[("node", node), ("percent", rate)])
        }
        Intervention::ClockJump { node: id, by } => words.with(
            "deed-clock-jump",
            &[("node", id.0.into()), ("ms", by.as_ms().into())],
        ),
        Intervention::Loss {
            link: Some((from, to)),
            ..
        }
        | Intervention::Delay {
            link: Some((from, to)),
            ..
        }
        | Intervention::Duplicate {
            link: Some((from, to)),
            ..
        }
        | Intervention::Reorder {
            link: Some((from, to)),
            ..
        } => {
            let mut of_all = deed.clone();
            if let Intervention::Loss { link, .. }
            | Intervention::Delay { link, .. }
            | Intervention::Duplicate { link, .. }
            | Intervention::Reorder { link, .. } = &mut of_all
            {
                *link = None;
            }
            let said = deed_text(words, &of_all);
            format!("{said} {}", link("deed-on-link", from, to))
        }
        Intervention::Loss { per_mille, .. } => {
            words.with("deed-loss", &[("percent", percent(*per_mille).into())])
        }
        Intervention::Delay { min, max, .. } => words.with(
            "deed-delay",
            &[("min", min.as_ms().into()), ("max", max.as_ms().into())],
        ),
        Intervention::Duplicate { per_mille, .. } => {
            words.with("deed-duplicate", &[("percent", percent(*per_mille).into())])
        }
        Intervention::Reorder { per_mille, .. } => {
            words.with("deed-reorder", &[("percent", percent(*per_mille).into())])
        }
        Intervention::DropFlight(_) => words.get("deed-drop"),
        Intervention::DelayFlight { by, .. } => number("deed-delay-message", by.as_ms()),
        Intervention::DuplicateFlight(_) => words.get("deed-duplicate-message"),
        Intervention::DeliverFlight(_) => words.get("deed-deliver"),
        Intervention::FreezeDisk(id) => node("deed-freeze", id),
        Intervention::ThawDisk(id) => node("deed-thaw", id),
        Intervention::SlowDisk { node: id, .. } => node("deed-slow", id),
        Intervention::Campaign(id) => node("deed-campaign", id),
        Intervention::TakeSnapshot(id) => node("deed-snapshot", id),
        Intervention::Transfer { from, to: None } => node("deed-transfer", from),
        Intervention::Transfer { from, to: Some(to) } => link("deed-transfer-to", from, to),
        Intervention::Members { node: id, .. } => node("deed-members", id),
        Intervention::Wipe(id) => node("deed-wipe", id),
        Intervention::CopyDisk(id) => node("deed-copy-disk", id),
        Intervention::PutBackDisk(id) => node("deed-put-back-disk", id),
        Intervention::CancelTransfer(id) => node("deed-cancel-transfer", id),
        Intervention::OpenClient { client: id, node } => words.with(
            "deed-open",
            &[("client", client_name(*id).into()), ("node", node.0.into())],
        ),
        Intervention::OpenClientWith {
            client: id,
            servers,
            read_only,
            repeat,
            ..
        } => {
            let known = if *repeat { 1 } else { servers.len() };
            let servers = servers.iter().take(known).map(ToString::to_string);
            let servers: Vec<String> = servers.collect();
            let key = match (read_only, repeat) {
                (true, _) => "deed-open-read-only",
                (false, true) => "deed-open-repeat",
                (false, false) => "deed-open",
            };
            let arguments = [
                ("client", client_name(*id).into()),
                ("node", servers.join(", ").into()),
            ];
            words.with(key, &arguments)
        }
        Intervention::Store {
            client: id,
            path,
            value,
            ..
        } => words.with(
            "deed-store",
            &[
                ("client", client_name(*id).into()),
                ("path", path.as_str().into()),
                ("value", value.as_str().into()),
            ],
        ),
        Intervention::Client {
            client: id,
            request,
        } => words.with(
            "deed-ask",
            &[
                ("client", client_name(*id).into()),
                ("what", command::typed(request).into()),
            ],
        ),
        Intervention::CloseClient(id) => client("deed-close", id),
        Intervention::KillClient(id) => client("deed-kill-client", id),
        Intervention::DropClient(id) => client("deed-drop-client", id),
        Intervention::PauseClient(id) => client("deed-pause-client", id),
        Intervention::ResumeClient(id) => client("deed-resume-client", id),
        Intervention::Recipe { client: id, wish } => {
            let key = match wish {
                Wish::Lock { .. } => "deed-lock",
                Wish::Unlock { .. } => "deed-unlock",
                Wish::Stand { .. } => "deed-stand",
                Wish::Withdraw { .. } => "deed-withdraw",
                Wish::Put { .. } => "deed-put",
                Wish::Take { .. } => "deed-take",
                Wish::Finish { .. } => "deed-finish",
                Wish::GiveBack { .. } => "deed-give-back",
                Wish::Join { .. } => "deed-join",
                Wish::Leave { .. } => "deed-leave",
                Wish::Call { .. } => "deed-call",
                Wish::Enter { .. } => "deed-enter",
                Wish::Exit { .. } => "deed-exit",
                Wish::Add { .. } => "deed-add",
                Wish::Read { .. } => "deed-read-settings",
                Wish::Change { .. } => "deed-change-settings",
                Wish::Look { .. } => "deed-look-up",
            };
            words.with(
                key,
                &[
                    ("client", client_name(*id).into()),
                    ("path", wish.path().into()),
                ],
            )
        }
        Intervention::Workload { ops_per_second } => {
            number("deed-workload", u64::from(*ops_per_second))
        }
        Intervention::Faults(_) => words.get("deed-faults"),
    }
}

/// Thousandths as per cent.
pub(crate) fn percent(per_mille: u32) -> String {
    match per_mille % 10 {
        0 => format!("{}", per_mille / 10),
        tenth => format!("{}.{tenth}", per_mille / 10),
    }
}

fn noted(words: &Words, node: u64, note: &Note) -> String {
    let simple = |key: &str| words.with(key, &[("node", node.into())]);
    match note {
        Note::Raft(note) => raft_note(words, node, note),
        Note::SessionExpiring { session } => words.with(
            "session-expiring",
            &[("node", node.into()), ("session", session.0.into())],
        ),
        Note::SessionOpened { session } => words.with(
            "session-opened",
            &[("node", node.into()), ("session", session.0.into())],
        ),
        Note::SessionClosed { session, expired } => {
            let key = if *expired {
                "session-expired"
            } else {
                "session-closed"
            };
            words.with(key, &[("node", node.into()), ("session", session.0.into())])
        }
        Note::StallForgiven { us } => words.with(
            "stall-forgiven",
            &[("node", node.into()), ("ms", (us / 1_000).into())],
        ),
        Note::Snapshot { last, stage } => {
            let key = match stage {
                SnapshotStage::Taken => "snapshot-taken",
                SnapshotStage::InForce => "snapshot-in-force",
                SnapshotStage::Offered => "snapshot-offered",
                SnapshotStage::Installed => "snapshot-installed",
            };
            words.with(key, &[("node", node.into()), ("index", last.0.into())])
        }
        Note::Applied { .. } | Note::ReadServed { .. } => simple("nothing"),
    }
}

fn raft_note(words: &Words, node: u64, note: &RaftNote) -> String {
    match note {
        RaftNote::Role { role, term, why } => {
            let key = match (role, why) {
                (Role::Leader, _) => "leads",
                (Role::PreCandidate, RoleReason::Asked) => "pre-candidate-asked",
                (Role::PreCandidate, _) => "pre-candidate",
                (Role::Candidate, RoleReason::Asked) => "candidate-asked",
                (Role::Candidate, _) => "candidate",
                (Role::Follower, RoleReason::HigherTerm) => "follower-higher-term",
                (Role::Follower, RoleReason::LeaderFound) => "follower-leader-found",
                (Role::Follower, RoleReason::NoQuorum) => "follower-no-quorum",
                (Role::Follower, RoleReason::HandedOver) => "follower-handed-over",
                (Role::Follower, RoleReason::DiskStalled) => "follower-disk-stalled",
                (Role::Follower, RoleReason::Lost) => "follower-lost",
                (Role::Follower, _) => "follower",
            };
            let next = term.next().0.into();
            words.with(
                key,
                &[
                    ("node", node.into()),
                    ("term", term.0.into()),
                    ("next", next),
                ],
            )
        }
        RaftNote::Voted {
            candidate,
            term,
            pre,
            refused,
        } => {
            let common = [
                ("node", node.into()),
                ("candidate", candidate.0.into()),
                ("term", term.0.into()),
            ];
            match refused {
                None if *pre => words.with("pre-voted", &common),
                None => words.with("voted", &common),
                Some(refusal) => {
                    let why = match refusal {
                        VoteRefusal::OldTerm { own } => {
                            words.with("refusal-old-term", &[("own", own.0.into())])
                        }
                        VoteRefusal::VotedFor { other } => {
                            words.with("refusal-voted", &[("other", other.0.into())])
                        }
                        VoteRefusal::LogBehind { own, theirs } => words.with(
                            "refusal-log",
                            &[
                                ("own", own.index.0.into()),
                                ("ownterm", own.term.0.into()),
                                ("theirs", theirs.index.0.into()),
                                ("theirterm", theirs.term.0.into()),
                            ],
                        ),
                        VoteRefusal::LeaderAlive { leader } => {
                            words.with("refusal-leader", &[("leader", leader.0.into())])
                        }
                        VoteRefusal::Promised { to: Some(leader) } => {
                            words.with("refusal-promised", &[("leader", leader.0.into())])
                        }
                        VoteRefusal::Promised { to: None } => words.get("refusal-restarted"),
                    };
                    let key = if *pre {
                        "pre-vote-refused"
                    } else {
                        "vote-refused"
                    };
                    let [node, candidate, term] = common;
                    words.with(key, &[node, candidate, term, ("why", why.into())])
                }
            }
        }
        RaftNote::Truncated { from, to, leader } if from == to => words.with(
            "truncated-one",
            &[
                ("node", node.into()),
                ("index", from.0.into()),
                ("leader", leader.0.into()),
            ],
        ),
        RaftNote::Truncated { from, to, leader } => words.with(
            "truncated",
            &[
                ("node", node.into()),
                ("from", from.0.into()),
                ("to", to.0.into()),
                ("leader", leader.0.into()),
            ],
        ),
        RaftNote::Committed { index } => words.with(
            "committed",
            &[("node", node.into()), ("index", index.0.into())],
        ),
        RaftNote::Refused { leader, prev, hint } => words.with(
            "append-refused",
            &[
                ("node", node.into()),
                ("leader", leader.0.into()),
                ("prev", prev.index.0.into()),
                ("hint", hint.index.0.into()),
            ],
        ),
        RaftNote::Stream { peer, state, why } => {
            let key = match (state, why) {
                (PeerState::Replicate, _) => "streams",
                (PeerState::Snapshot, _) => "streams-snapshot",
                (PeerState::Probe, _) => "streams-no-more",
            };
            words.with(key, &[("node", node.into()), ("peer", peer.0.into())])
        }
        RaftNote::Rewound { peer, next } => words.with(
            "rewound",
            &[
                ("node", node.into()),
                ("peer", peer.0.into()),
                ("next", next.0.into()),
            ],
        ),
        RaftNote::ClockBehind { by } => words.with(
            "clock-behind",
            &[
                ("node", node.into()),
                ("seconds", (by.as_ms() / 1_000).into()),
            ],
        ),
        RaftNote::ReadConfirmed { index, .. } => words.with(
            "read-confirmed",
            &[("node", node.into()), ("index", index.0.into())],
        ),
        RaftNote::ReadsLost { count } => words.with(
            "reads-lost",
            &[("node", node.into()), ("count", (*count).into())],
        ),
        RaftNote::Configured { index, joint } => {
            let key = if *joint {
                "configured-joint"
            } else {
                "configured"
            };
            words.with(key, &[("node", node.into()), ("index", index.0.into())])
        }
        RaftNote::Transfer { to, stage } => {
            let key = match stage {
                TransferStage::Begun => "transfer-begun",
                TransferStage::Told => "transfer-told",
                TransferStage::Ended(TransferEnd::Done) => "transfer-done",
                TransferStage::Ended(TransferEnd::TimedOut) => "transfer-timed-out",
                TransferStage::Ended(TransferEnd::Cancelled) => "transfer-cancelled",
                TransferStage::Ended(TransferEnd::Overtaken(_)) => "transfer-overtaken",
            };
            words.with(key, &[("node", node.into()), ("to", to.0.into())])
        }
    }
}

/// What happened at a client.
pub(crate) fn client_said(words: &Words, client: ClientId, event: &ClientEvent) -> String {
    let name = client_name(client);
    let said = |key: &str| words.with(key, &[("client", name.as_str().into())]);
    match event {
        ClientEvent::Connecting { node } => words.with(
            "client-connecting",
            &[("client", name.into()), ("node", node.0.into())],
        ),
        ClientEvent::Attached { node, session } => words.with(
            "client-attached",
            &[
                ("client", name.into()),
                ("node", node.0.into()),
                ("session", session.0.into()),
            ],
        ),
        ClientEvent::Disconnected { reason } => words.with(
            "client-disconnected",
            &[
                ("client", name.into()),
                ("why", hangup(words, *reason).into()),
            ],
        ),
        ClientEvent::Expired { session } => words.with(
            "client-expired",
            &[("client", name.into()), ("session", session.0.into())],
        ),
        ClientEvent::Called { request, .. } | ClientEvent::CalledAgain { request, .. } => words
            .with(
                match event {
                    ClientEvent::Called { .. } => "deed-ask",
                    _ => "client-again",
                },
                &[
                    ("client", name.into()),
                    ("what", command::typed(request).into()),
                ],
            ),
        ClientEvent::Returned { reply, .. } => match &reply.result {
            Ok(Response::Created { path, .. }) => words.with(
                "client-created",
                &[
                    ("client", name.into()),
                    ("path", path.as_str().into()),
                    ("zxid", reply.zxid.0.into()),
                ],
            ),
            Ok(_) => words.with(
                "client-returned",
                &[("client", name.into()), ("zxid", reply.zxid.0.into())],
            ),
            Err(error) => words.with(
                "client-failed",
                &[
                    ("client", name.into()),
                    ("error", command::error_name(*error).into()),
                ],
            ),
        },
        ClientEvent::Unknown { .. } => said("client-unknown"),
        ClientEvent::Watch(event) => words.with(
            "client-watch",
            &[
                ("client", name.into()),
                ("event", command::event_name(event.kind).into()),
                ("path", event.path.as_str().into()),
            ],
        ),
        ClientEvent::Recipe(told) => recipe_said(words, name, told),
        ClientEvent::Stored {
            path,
            value,
            token,
            refused,
        } => {
            let key = match refused {
                None => "client-stored",
                Some(_) => "client-store-refused",
            };
            let seen = refused.map_or(0, |seen| seen.0);
            let arguments = [
                ("client", name.into()),
                ("path", path.as_str().into()),
                ("value", value.as_str().into()),
                ("token", token.0.into()),
                ("seen", seen.into()),
            ];
            words.with(key, &arguments)
        }
    }
}

/// What a client's recipe says.
fn recipe_said(words: &Words, client: String, told: &Told) -> String {
    let (path, key, number) = match told {
        Told::Lock { path, told } => match told {
            lock::Told::Acquired { token } => (path, "lock-acquired", token.0.cast_signed()),
            lock::Told::Doubtful => (path, "lock-doubtful", 0),
            lock::Told::Confirmed => (path, "lock-confirmed", 0),
            lock::Told::Lost => (path, "lock-lost", 0),
            lock::Told::Released => (path, "lock-released", 0),
            lock::Told::Failed(_) => (path, "recipe-failed", 0),
        },
        Told::Election { path, told } => match told {
            election::Told::Elected { token } => (path, "election-won", token.0.cast_signed()),
            election::Told::Paused => (path, "election-paused", 0),
            election::Told::Resumed => (path, "election-resumed", 0),
            election::Told::Deposed => (path, "election-deposed", 0),
            election::Told::Withdrawn => (path, "election-withdrawn", 0),
            election::Told::Failed(_) => (path, "recipe-failed", 0),
        },
        Told::Put { path, told } => match told {
            Put::Stored { .. } => (path, "queue-stored", 0),
            Put::Failed(_) => (path, "recipe-failed", 0),
        },
        Told::Take { path, told } => match told {
            Take::Taken { token, .. } => (path, "queue-taken", token.0.cast_signed()),
            Take::Doubtful => (path, "queue-doubtful", 0),
            Take::Confirmed => (path, "queue-confirmed", 0),
            Take::Lost => (path, "queue-lost", 0),
            Take::Finished => (path, "queue-finished", 0),
            Take::GivenBack => (path, "queue-given-back", 0),
            Take::Failed(_) => (path, "recipe-failed", 0),
        },
        Told::Member { path, told } => match told {
            Membership::Joined { token } => (path, "member-joined", token.0.cast_signed()),
            Membership::Doubtful => (path, "member-doubtful", 0),
            Membership::Confirmed => (path, "member-confirmed", 0),
            Membership::Lost => (path, "member-lost", 0),
            Membership::Left => (path, "member-left", 0),
            Membership::Failed(_) => (path, "recipe-failed", 0),
        },
        Told::Roll { path, told } => match told {
            Called::Present(seats) => (path, "roll-present", seats.len() as i64),
            Called::Failed(_) => (path, "recipe-failed", 0),
        },
        Told::Barrier { path, told } => match told {
            barrier::Told::Entered => (path, "barrier-entered", 0),
            barrier::Told::Lost => (path, "barrier-lost", 0),
            barrier::Told::Left => (path, "barrier-left", 0),
            barrier::Told::Failed(_) => (path, "recipe-failed", 0),
        },
        Told::Counter { path, told } => match told {
            counter::Told::Added { value } => (path, "counter-added", *value),
            counter::Told::Unknown => (path, "counter-unknown", 0),
            counter::Told::Overflow | counter::Told::NoNumber => (path, "counter-refused", 0),
            counter::Told::Failed(_) => (path, "recipe-failed", 0),
        },
        Told::Read { path, told } => match told {
            Shown::Now(settings) => (path, "settings-now", settings.version.into()),
            Shown::Failed(_) => (path, "recipe-failed", 0),
        },
        Told::Changed { path, told } => match told {
            Written::Done { version } => (path, "settings-changed", i64::from(*version)),
            Written::Outdated { version } => (path, "settings-outdated", i64::from(*version)),
            Written::Unknown => (path, "settings-unknown", 0),
            Written::Failed(_) => (path, "recipe-failed", 0),
        },
        Told::Directory { path, told } => match told {
            Seen::All(seats) => (path, "roll-present", seats.len() as i64),
            Seen::Came(seat) => (path, "service-came", seat.token.0.cast_signed()),
            Seen::Changed(seat) => (path, "service-changed", seat.token.0.cast_signed()),
            Seen::Went(seat) => (path, "service-went", seat.token.0.cast_signed()),
            Seen::Failed(_) => (path, "recipe-failed", 0),
        },
    };
    words.with(
        key,
        &[
            ("client", client.into()),
            ("path", path.as_str().into()),
            ("token", number.to_string().into()),
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::i18n::Lang;
    use otterkeeper_core::id::Index;

    #[test]
    fn a_change_of_members_is_told() {
        for lang in [Lang::En, Lang::Ko] {
            let words = Words::new(lang);
            let told = |joint| {
                let index = Index(77);
                noted(
                    &words,
                    3,
                    &Note::Raft(RaftNote::Configured { index, joint }),
                )
            };
            assert!(told(false).contains("77"), "{}", told(false));
            assert!(told(true).contains("77"), "{}", told(true));
            assert_ne!(told(false), told(true));
        }
    }
}

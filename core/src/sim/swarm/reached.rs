//! Which situations came up: a run that never reaches what it is for proves nothing.

use super::Gathered;
use crate::node::{Note, SnapshotStage};
use crate::raft::note::{Note as RaftNote, Role, RoleReason, TransferEnd, TransferStage};
use crate::request::{CreateMode, Error, EventKind, Op, Reply, Request, Response};
use crate::sim::{Cargo, ClientEvent, End, Fault, Intervention, LossReason, Sim, What};

macro_rules! situations {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// How often situations came up: a run that never reaches what it is for proves nothing.
        #[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
        pub struct Reached {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Reached {
            /// Names and counts, in order of declaration.
            pub fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> + use<> {
                [$((stringify!($name), self.$name)),*].into_iter()
            }

            /// Adds another run's counts.
            pub fn add(&mut self, other: &Self) {
                $(self.$name += other.$name;)*
            }
        }
    };
}

situations! {
    /// Elections that were won.
    elections,
    /// Leaders that stepped down.
    step_downs,
    /// Reads that the leader confirmed.
    reads_confirmed,
    /// Leads that were handed over as wished.
    transfers,
    /// Members that took over a joint configuration.
    joint_phases,
    /// Members that took over a configuration that a joint phase led to, or that has other learners.
    settled_phases,
    /// Members that lost their disk.
    wipes,
    /// Messages to or from those who are no members, refused.
    not_admitted,
    /// Votes and pre-votes refused.
    votes_refused,
    /// Uncommitted entries dropped for a leader's.
    truncations,
    /// Appends that did not fit.
    refused_appends,
    /// Snapshots that came into force.
    snapshots_taken,
    /// Snapshots received from a leader.
    snapshots_installed,
    /// Processes that ended.
    crashes,
    /// Of those, the ones that lost records that were not synced.
    torn_tails,
    /// Members ended and were back within moments, one after the other.
    bounces,
    /// Processes that were paused.
    pauses,
    /// Disks that froze.
    freezes,
    /// All processes ended at once.
    crashes_of_all,
    /// Disks that became slow.
    slow_disks,
    /// Directions of links that were cut.
    cuts,
    /// Members fell apart into two groups.
    partitions,
    /// The same, and one member saw both groups.
    bridges,
    /// Members that heard nobody, or that nobody heard.
    blind_members,
    /// Members that were cut off and let in again, several times.
    flapping_members,
    /// Leaders that were cut off.
    leaders_cut_off,
    /// Links that held everything back.
    clogs,
    /// Links that became slow.
    detours,
    /// Clocks that went at another rate.
    clock_drifts,
    /// Clocks that jumped.
    clock_jumps,
    /// Time in which a leader stood still, or its clock jumped, that no session lost.
    stalls_forgiven,
    /// Messages lost by chance.
    losses,
    /// Messages repeated by chance.
    repetitions,
    /// Messages that chance let overtake others.
    overtakings,
    /// Clients that lost their connection.
    clients_dropped,
    /// Sessions opened.
    sessions_opened,
    /// Sessions that expired.
    sessions_expired,
    /// Sessions taken up again on a new connection.
    sessions_moved,
    /// Calls that were answered.
    calls_answered,
    /// Calls whose outcome the client never learned.
    calls_unknown,
    /// Changes that were asked for again on another connection.
    changes_repeated,
    /// Of those, the ones that had been made already, and had the answer of the first time.
    first_answers,
    /// Runs of whose calls an order was found that explains them all.
    orders_found,
    /// Reads that had to be linearizable.
    linearizable_reads,
    /// Syncs.
    syncs,
    /// Znodes made.
    creates,
    /// Znodes deleted.
    deletes,
    /// Data set, or existence confirmed.
    stats,
    /// Children listed.
    lists,
    /// Multis done.
    multis,
    /// Multis of which nothing was done.
    multis_refused,
    /// Writes refused for a version that was no longer there.
    versions_refused,
    /// Watches that fired for a create.
    watches_on_create,
    /// Watches that fired for a delete.
    watches_on_delete,
    /// Watches that fired for new data.
    watches_on_data,
    /// Watches that fired for children.
    watches_on_children,
    /// Proofs of who a client is.
    proofs,
    /// Questions who one is, answered.
    identities,
    /// Access control lists set.
    lists_set,
    /// Access control lists shown.
    lists_shown,
    /// Calls refused because a list forbids them.
    calls_forbidden,
    /// Znodes made with a time to live.
    znodes_with_ttl,
    /// Containers made.
    containers,
    /// Containers and znodes with a time to live that were seen to be gone.
    mortals_gone,
    /// Watches left that stay.
    lasting_watches,
    /// The same for a znode and all below it.
    recursive_watches,
    /// Watches that stay, set again by setWatches.
    watches_set_again,
    /// Watches that stay, left again with all that they had missed.
    watches_resumed,
    /// The same, but not all of it was known any more.
    watches_resumed_in_part,
    /// Watches that stay, found or taken away.
    watches_asked_for,
    /// Several reads at once.
    multi_reads,
    /// Looks at a leader that found it with a lease.
    leases_held,
    /// Clusters whose leaders read by lease.
    clusters_with_leases,
    /// Clusters that were mostly read.
    clusters_mostly_read,
    /// Clusters of one member.
    clusters_of_1,
    /// Clusters of two voters.
    clusters_of_2,
    /// Clusters of three voters.
    clusters_of_3,
    /// Clusters of four voters.
    clusters_of_4,
    /// Clusters of five voters.
    clusters_of_5,
    /// Clusters of six voters.
    clusters_of_6,
    /// Clusters of seven voters.
    clusters_of_7,
}

impl Reached {
    /// What a run shows only as a whole.
    pub(super) fn close(&mut self, sim: &Sim) {
        self.mortals_gone += sim.oracle.mortals_gone();
        self.clusters_with_leases += u64::from(sim.config().node.lease_reads);
        let workload = sim.config().workload;
        let reads = workload.is_some_and(|workload| workload.write_per_mille <= 100);
        self.clusters_mostly_read += u64::from(reads);
        let (repeats, first_answers) = sim.oracle.repeats();
        self.changes_repeated += repeats;
        self.first_answers += first_answers;
        self.overtakings += sim.net.overtook;
        self.repetitions += sim.net.repeated;
        for (fault, drawn) in sim.faults_drawn() {
            let situation = match fault {
                Fault::CrashAll => &mut self.crashes_of_all,
                Fault::Bounce => &mut self.bounces,
                Fault::Slow => &mut self.slow_disks,
                Fault::Halves => &mut self.partitions,
                Fault::Bridge => &mut self.bridges,
                Fault::Blind => &mut self.blind_members,
                Fault::Flap => &mut self.flapping_members,
                Fault::IsolateLeader => &mut self.leaders_cut_off,
                Fault::Clog => &mut self.clogs,
                Fault::Detour => &mut self.detours,
                Fault::Drift => &mut self.clock_drifts,
                Fault::Jump => &mut self.clock_jumps,
                Fault::DropClient => &mut self.clients_dropped,
                // These are counted where they show.
                Fault::Crash
                | Fault::Pause
                | Fault::OneWay
                | Fault::Freeze
                | Fault::Snapshot
                | Fault::Campaign
                | Fault::Transfer
                | Fault::Members
                | Fault::Wipe => continue,
            };
            *situation += drawn;
        }
        let size = match sim.config().voters.unwrap_or(sim.config().nodes) {
            1 => &mut self.clusters_of_1,
            2 => &mut self.clusters_of_2,
            3 => &mut self.clusters_of_3,
            4 => &mut self.clusters_of_4,
            5 => &mut self.clusters_of_5,
            6 => &mut self.clusters_of_6,
            _ => &mut self.clusters_of_7,
        };
        *size += 1;
    }

    fn answer(&mut self, reply: &Reply) {
        self.calls_answered += 1;
        let situation = match &reply.result {
            Ok(Response::Created { .. }) => &mut self.creates,
            Ok(Response::Deleted) => &mut self.deletes,
            Ok(Response::Stat(_)) => &mut self.stats,
            Ok(Response::Children { .. }) => &mut self.lists,
            Ok(Response::Synced { .. }) => &mut self.syncs,
            Ok(Response::Authenticated) => &mut self.proofs,
            Ok(Response::Identities(_)) => &mut self.identities,
            Ok(Response::Acl { .. }) => &mut self.lists_shown,
            Ok(Response::WatchesFound | Response::WatchesRemoved) => &mut self.watches_asked_for,
            Err(Error::NoAuth) => &mut self.calls_forbidden,
            Ok(Response::Multi(results)) if results.iter().any(Result::is_err) => {
                &mut self.multis_refused
            }
            Ok(Response::Multi(_)) => &mut self.multis,
            Err(Error::BadVersion) => &mut self.versions_refused,
            _ => return,
        };
        *situation += 1;
    }

    /// A call; what its answer does not tell is counted here.
    fn call(&mut self, request: &Request) {
        let situation = match request {
            Request::Latest(_) => &mut self.linearizable_reads,
            Request::MultiRead(_) => &mut self.multi_reads,
            Request::AddWatch {
                since: None, mode, ..
            } => {
                self.recursive_watches += *mode as u64;
                &mut self.lasting_watches
            }
            Request::Write(Op::SetAcl { .. }) => &mut self.lists_set,
            Request::Write(Op::Create { mode, .. }) => match mode {
                CreateMode::Container => &mut self.containers,
                CreateMode::Ttl { .. } => &mut self.znodes_with_ttl,
                _ => return,
            },
            _ => return,
        };
        *situation += 1;
    }

    fn watch(&mut self, kind: EventKind) {
        *match kind {
            EventKind::NodeCreated => &mut self.watches_on_create,
            EventKind::NodeDeleted => &mut self.watches_on_delete,
            EventKind::NodeDataChanged => &mut self.watches_on_data,
            EventKind::NodeChildrenChanged => &mut self.watches_on_children,
        } += 1;
    }
}

/// Takes over what happened since the last look.
pub(super) fn count(sim: &mut Sim, gathered: &mut Gathered) {
    let reached = &mut gathered.reached;
    let leader = sim.leader().and_then(|leader| sim.node(leader));
    reached.leases_held += u64::from(leader.is_some_and(|leader| leader.lease().is_some()));
    if 2 * gathered.keep < gathered.last.len() {
        gathered.last.drain(..gathered.last.len() - gathered.keep);
    }
    for event in sim.take_log() {
        match &event.what {
            What::Note { note, .. } => count_note(note, reached),
            // The core's client does this by itself.
            What::Delivered {
                cargo: Cargo::Reply { reply, .. },
                ..
            } => {
                let are_set = matches!(reply.result, Ok(Response::WatchesSet { .. }));
                reached.watches_set_again += u64::from(are_set);
            }
            What::Lost {
                why: LossReason::Chance,
                from: End::Node(_),
                ..
            } => reached.losses += 1,
            What::Lost {
                why: LossReason::NotAdmitted,
                ..
            } => reached.not_admitted += 1,
            What::Died { lost, .. } => {
                reached.crashes += 1;
                reached.torn_tails += u64::from(*lost != 0);
            }
            What::Intervened(deed) => {
                gathered.deeds.push((event.time, deed.clone()));
                match deed {
                    Intervention::Pause(_) => reached.pauses += 1,
                    Intervention::FreezeDisk(_) => reached.freezes += 1,
                    Intervention::Cut { .. } => reached.cuts += 1,
                    Intervention::Wipe(_) => reached.wipes += 1,
                    _ => {}
                }
            }
            What::Client { client, event } => match event {
                ClientEvent::Called { request, tag } => {
                    reached.call(request);
                    resumes(request).then(|| gathered.resuming.insert((*client, *tag)));
                    reads(request).then(|| gathered.reading.insert((*client, *tag)));
                }
                ClientEvent::Returned { reply, tag } => {
                    let call = (*client, *tag);
                    match &reply.result {
                        Ok(Response::Multi(_)) if gathered.reading.remove(&call) => {}
                        Ok(Response::Watching { complete }) if gathered.resuming.remove(&call) => {
                            match complete {
                                true => reached.watches_resumed += 1,
                                false => reached.watches_resumed_in_part += 1,
                            }
                        }
                        _ => reached.answer(reply),
                    }
                }
                ClientEvent::Unknown { .. } => reached.calls_unknown += 1,
                ClientEvent::Watch(event) => reached.watch(event.kind),
                ClientEvent::Attached { .. } => reached.sessions_moved += 1,
                _ => {}
            },
            _ => {}
        }
        gathered.last.push(event);
    }
}

fn count_note(note: &Note, reached: &mut Reached) {
    match note {
        Note::Raft(RaftNote::Role { role, why, .. }) => {
            let gave_up = matches!(why, RoleReason::NoQuorum | RoleReason::DiskStalled);
            reached.elections += u64::from(*role == Role::Leader);
            reached.step_downs += u64::from(gave_up);
        }
        Note::Raft(RaftNote::Voted {
            refused: Some(_), ..
        }) => reached.votes_refused += 1,
        Note::Raft(RaftNote::Transfer {
            stage: TransferStage::Ended(TransferEnd::Done),
            ..
        }) => reached.transfers += 1,
        Note::Raft(RaftNote::Configured { joint: true, .. }) => reached.joint_phases += 1,
        Note::Raft(RaftNote::Configured { joint: false, .. }) => reached.settled_phases += 1,
        Note::Raft(RaftNote::ReadConfirmed { .. }) => reached.reads_confirmed += 1,
        Note::Raft(RaftNote::Truncated { .. }) => reached.truncations += 1,
        Note::Raft(RaftNote::Refused { .. }) => reached.refused_appends += 1,
        Note::Snapshot {
            stage: SnapshotStage::InForce,
            ..
        } => reached.snapshots_taken += 1,
        Note::Snapshot {
            stage: SnapshotStage::Installed,
            ..
        } => reached.snapshots_installed += 1,
        Note::StallForgiven { .. } => reached.stalls_forgiven += 1,
        Note::SessionOpened { .. } => reached.sessions_opened += 1,
        Note::SessionClosed { expired: true, .. } => reached.sessions_expired += 1,
        _ => {}
    }
}

/// Whether it asks to tell what a watch has missed.
const fn resumes(request: &Request) -> bool {
    matches!(request, Request::AddWatch { since: Some(_), .. })
}

/// Whether its answer has several results, and is no multi's.
const fn reads(request: &Request) -> bool {
    matches!(request, Request::MultiRead(_))
}

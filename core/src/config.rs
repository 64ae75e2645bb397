//! Everything that can be tuned, in plain integers; every queue and message has its limit here.
//! Byte limits count encoded bytes, so that 32-bit and 64-bit targets behave alike (rule R7).

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::configuration::Configuration;
use crate::id::{NodeId, ReplicaId};
use crate::time::Span;

/// Terms, indices, stamps and rounds stay below this; a message with a higher one comes from a faulty
/// peer and is not listened to. Counting up from below never overflows, and a zxid fits Java's `long`.
pub const NUMBERS: u64 = 1 << 62;

/// Answers that a session keeps for changes that its client may ask for again (rule R20). Every replica must
/// keep the same ones, so that this and the next are no settings.
pub const KEPT_ANSWERS: usize = 32;
/// Bytes of these answers.
pub const KEPT_ANSWER_BYTES: u64 = 64 << 10;

/// A node's settings. `Config::new` gives the defaults of rule R24.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Config {
    /// This member's number.
    pub id: NodeId,
    /// This member's data directory.
    pub replica: ReplicaId,
    /// The members at the cluster's first start, this node among them. Once the log or a snapshot holds a
    /// configuration, that one counts. Empty for a node that will be added to a cluster.
    pub members: Configuration,

    /// Shortest election timeout.
    pub election_min: Span,
    /// A random part in `0..=election_spread` is added to each election timeout.
    pub election_spread: Span,
    /// Time between a leader's heartbeats to a peer.
    pub heartbeat: Span,
    /// A leader whose oldest unreported write is older than this steps down (rule R5).
    pub disk_stall_limit: Span,
    /// Without a leader for this long, a server closes its client connections (rule R16).
    pub leaderless_limit: Span,
    /// A part of a snapshot, a lost probe and a lost forward are asked for again after this.
    pub retry: Span,

    /// Whether a leader answers reads by lease, without a round trip. All members must be told the same; as
    /// long as they are not, it does no harm and brings nothing. Wrong clocks make it read old data.
    pub lease_reads: bool,
    /// By how much one member's clock may run faster than another's; a lease is that much shorter than the
    /// shortest election timeout.
    pub clock_drift_per_mille: u32,

    /// Stamps of entries that are ahead of the leader's clock by more than this raise an alarm (rule R12).
    pub stamp_ahead_limit: Span,

    /// Appends on the way to one peer.
    pub inflight_messages: u32,
    /// Rounds in which a learner may catch up, the last of them shorter than the shortest election
    /// timeout, before the change it is part of is given up (dissertation 4.2.1).
    pub catch_up_rounds: u32,
    /// A change of the members that does not come to its end in this time is given up.
    pub change_limit: Span,
    /// A member that left is told so for this long.
    pub farewell: Span,
    /// Bytes of entries on the way to one peer.
    pub inflight_bytes: u64,
    /// Bytes of entries in one append.
    pub append_bytes: u64,
    /// Bytes of entries a leader holds that are not yet committed; beyond it proposals are refused as busy.
    pub uncommitted_bytes: u64,
    /// Bytes of committed entries that a leader has not applied, its disk being behind; beyond it proposals are
    /// refused as busy.
    pub unapplied_bytes: u64,
    /// Bytes of messages withheld until the disk reports; beyond it the oldest are dropped (they are answers that a peer asks for again).
    pub withheld_bytes: u64,
    /// Bytes of commands of one node's clients that wait to be applied; beyond it writes are answered as busy.
    pub pending_bytes: u64,
    /// Members whose streams of forwarded commands a leader keeps track of; beyond it the one that was silent for
    /// longest starts again.
    pub forward_streams: u32,
    /// Questions about how far a read must see that wait at a leader; beyond it they are asked again.
    pub waiting_reads: u32,
    /// Bytes of one snapshot part.
    pub snapshot_part_bytes: u64,
    /// A snapshot is taken when the log in memory exceeds this and the size of the last snapshot (rule R7).
    pub compact_bytes: u64,
    /// ... or when it holds more entries than this.
    pub compact_entries: u64,
    /// Entries kept behind a snapshot for slow followers.
    pub keep_entries: u64,
    /// ... if they have no more bytes than this, else fewer.
    pub keep_bytes: u64,

    /// Shortest session timeout a client can have.
    pub session_min: Span,
    /// Longest session timeout a client can have.
    pub session_max: Span,
    /// Whether this server serves reads, to clients that ask for no more, while it has no leader.
    pub read_only_mode: bool,
    /// How often a leader looks for containers and znodes with a time to live that are to go.
    pub container_check: Span,
    /// Bytes of past changes kept for watches that are taken up again (rule R20).
    pub watch_history_bytes: u64,
    /// Bytes of what is known of the last changes and ended sessions, to explain them. Each server keeps its own.
    pub explain_bytes: u64,
    /// Requests of one connection that wait for an answer; beyond it the connection is closed.
    pub requests_per_connection: u32,
    /// Client connections of one node.
    pub connections: u32,
    /// Bytes of one client request, and so of one command in the log (ZooKeeper's `jute.maxbuffer`).
    pub request_bytes: u32,
    /// Elements in one path.
    pub max_depth: u32,
    /// Bytes of the identities of one connection: all of them travel with every write.
    pub identity_bytes: u32,

    /// Who may do anything: `user:` and the hash of `user:password`, as in a digest's id.
    pub super_digest: Option<String>,
    /// Whether clients may change the members through this server, if the list of `/zookeeper/config` lets them.
    pub reconfig: bool,
    /// A connection that has none of these schemes proved is not served. Empty for no such rule.
    pub enforce_auth: Vec<String>,

    /// Members compare their states each time so many entries have been applied (rule R21).
    pub digest_every: u64,

    /// Whether `Note`s are made (rule R13).
    pub notes: bool,
    /// The known bug this node has, if any (rule R32). Traces and links carry it beside the settings, so
    /// that both builds read both.
    #[cfg(feature = "planted")]
    #[serde(skip)]
    pub planted: Option<Bug>,
}

impl Config {
    /// The defaults, for member `id` of `members`.
    #[must_use]
    pub fn new(id: NodeId, members: Vec<NodeId>) -> Self {
        Self {
            id,
            replica: ReplicaId(0),
            members: Configuration::of_voters(members),
            election_min: Span::from_ms(200),
            election_spread: Span::from_ms(200),
            heartbeat: Span::from_ms(50),
            disk_stall_limit: Span::from_ms(800),
            leaderless_limit: Span::from_ms(800),
            retry: Span::from_ms(200),
            catch_up_rounds: 10,
            change_limit: Span::from_ms(60_000),
            farewell: Span::from_ms(2_000),
            lease_reads: false,
            clock_drift_per_mille: 100,
            stamp_ahead_limit: Span::from_ms(60_000),
            inflight_messages: 64,
            inflight_bytes: 8 << 20,
            append_bytes: 1 << 20,
            uncommitted_bytes: 64 << 20,
            unapplied_bytes: 64 << 20,
            withheld_bytes: 256 << 10,
            pending_bytes: 64 << 20,
            forward_streams: 1_024,
            waiting_reads: 4_096,
            snapshot_part_bytes: 256 << 10,
            // Half of rule R7's, and a quarter of rule R20's below: with theirs a million small znodes cost 157 bytes
            // each beside path and data, where 140 are the goal (`cargo xtask versus --memory`).
            compact_bytes: 32 << 20,
            compact_entries: 1_000_000,
            keep_entries: 10_000,
            keep_bytes: 12 << 20,
            session_min: Span::from_ms(4_000),
            session_max: Span::from_ms(40_000),
            read_only_mode: false,
            container_check: Span::from_ms(60_000),
            watch_history_bytes: 16 << 20,
            explain_bytes: 8 << 20,
            requests_per_connection: 10_000,
            connections: 20_000,
            request_bytes: 0xF_FFFF,
            max_depth: 1_024,
            identity_bytes: 8 << 10,
            super_digest: None,
            reconfig: false,
            enforce_auth: Vec::new(),
            digest_every: 256,
            notes: false,
            #[cfg(feature = "planted")]
            planted: None,
        }
    }

    /// The longest election timeout.
    #[must_use]
    pub fn election_max(&self) -> Span {
        self.election_min + self.election_spread
    }

    /// Whether this node was told to have this bug. Always false in the server.
    #[must_use]
    pub fn has(&self, bug: Bug) -> bool {
        #[cfg(feature = "planted")]
        return self.planted == Some(bug);
        #[cfg(not(feature = "planted"))]
        {
            let _ = bug;
            false
        }
    }
}

/// A client's settings. `ClientConfig::new` gives the defaults.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClientConfig {
    /// How many servers there are; they are numbered from 0.
    pub servers: u32,
    /// Whether to shuffle them once and go on with the next after each loss, as ZooKeeper's clients do. If
    /// not, each search begins with the first.
    pub shuffle: bool,
    /// The session timeout that it asks for, in milliseconds; the server bounds it.
    pub timeout_ms: u32,
    /// A server that has not attached the session within this is given up.
    pub attach_limit: Span,
    /// Longest pause before the first attempt to connect after a loss; it doubles with each attempt.
    pub pause: Span,
    /// ... up to this.
    pub pause_max: Span,
    /// Calls without an outcome; more are refused.
    pub calls: u32,
    /// Watches without an event; calls that may leave more are refused.
    pub watches: u32,
    /// Proofs of who it is that are said again on each connection.
    pub proofs: u32,
    /// Whether a server that has no leader will do, for reads that may be old (protocol section 17).
    pub read_only: bool,
    /// Whether what was asked on a connection that broke is asked again on the next: changes get numbers, and
    /// are made once. If not, its outcome is unknown at once.
    pub repeat: bool,
}

impl ClientConfig {
    /// The defaults, for so many servers.
    #[must_use]
    pub const fn new(servers: u32) -> Self {
        Self {
            servers,
            shuffle: true,
            timeout_ms: 10_000,
            attach_limit: Span::from_ms(3_000),
            pause: Span::from_ms(100),
            pause_max: Span::from_ms(1_000),
            calls: 1_000,
            watches: 100_000,
            proofs: 16,
            read_only: false,
            repeat: true,
        }
    }
}

/// Known bugs that can be planted in a simulated node (rule R32). Each names where it was met.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum Bug {
    /// An ack that waits for the disk is sent although its entry was truncated meanwhile (rule R2).
    WithheldAckSurvivesTruncation,
    /// A leader whose disk is frozen goes on leading (rule R5; etcd-io/etcd#15247).
    FrozenDiskLeads,
    /// The leader counts itself before its own fsync (etcd-io/etcd#14370).
    LeaderCountsBeforeSync,
    /// The vote is forgotten on restart (hashicorp/raft#661).
    ForgetVote,
    /// An entry of an older term is committed by counting (logcabin#44; paper figure 8).
    CommitOldTerm,
    /// Votes are granted without comparing logs (paper section 5.4.1).
    NoLogCheck,
    /// Claims of writes in flight are not lowered on truncation (ClickHouse/ClickHouse#102629).
    ClaimsNotLowered,
    /// A matching tail is truncated by a late shorter append (openraft 9540c904).
    TruncateMatchingTail,
    /// The follower commits up to its own last index (atomix/copycat#265).
    CommitBeyondMatch,
    /// Vote requests leave before the term and vote are durable.
    VoteRequestBeforeSync,
    /// A configuration is in force only once it is committed (etcd-io/etcd#11284, without its extra rules).
    ConfigurationAtCommit,
    /// In a joint phase the new set decides alone (etcd-io/etcd#12637).
    NewSetDecidesAlone,
    /// A truncated configuration stays in force (jraft#1).
    ConfigurationNotRolledBack,
    /// A learner counts in quorums (RedisLabs/raft#13).
    LearnerCounts,
    /// A learner is promoted although it has not caught up (dissertation 4.2.1).
    PromotedUnready,
    /// A wiped replica is taken for the one it was (ClickHouse/ClickHouse#31150).
    ReplicaReused,
    /// A leader that is being removed counts itself (etcd-io/raft#83).
    RemovedLeaderCounts,
    /// A new leader changes the members before it has committed an entry of its own term (openraft#2051).
    NoOwnTermBarrier,
    /// A leader leaves a joint phase that it inherited before that is committed (camunda/camunda#60086).
    JointLeftEarly,
    /// A leader answers a read without asking whether it still leads (hashicorp/raft#359).
    ReadUnconfirmed,
    /// A fresh leader takes its commit index for all that was acknowledged (etcd-io/etcd#7331).
    ReadBeforeOwnTerm,
    /// One replica leaves committed commands out (ClickHouse/ClickHouse#65198).
    ReplicaDiverges,
    /// An append is acknowledged before it is durable (NodeDB-Lab/nodedb#161).
    AckBeforeSync,
    /// Entries are written before the term that they are of (openraft, note on the order of io).
    EntriesBeforeVote,
    /// An ack of an earlier term counts (openraft f076cf6f).
    AckOfOldTermCounts,
    /// An append that brings nothing new is acknowledged up to the commit index (yugabyte/yugabyte-db#32876).
    RepeatNotAcked,
    /// An append from below the snapshot is refused (scylladb/scylladb#9552).
    StaleBelowSnapshot,
    /// Packing an append leaves an entry out (logcabin#160).
    HoleInAppend,
    /// A refusal names the end of the log, and the leader goes there again (cubefs/cubefs#2376).
    HintBeyondProbe,
    /// After a refusal the leader goes back by one entry (ClickHouse/NuRaft#105).
    BackOffByOne,
    /// What does not fit into a page of committed entries counts as applied (etcd-io/etcd#9982).
    PageSkips,
    /// A write without entries does not ask for a sync (etcd-io/raft 0675f3d).
    VoteNotSynced,
    /// What is committed is applied before it is durable here (tikv/raft-rs#543).
    AppliesUnsynced,
    /// A restart takes the commit index for what was applied (ongardie/raftscope#12).
    AppliedFromCommit,
    /// A node campaigns without asking first (dissertation 9.6).
    NoPreVote,
    /// The votes before an election count in it (canonical/raft#196).
    PreVotesCount,
    /// Messages of an old term are not answered (etcd-io/etcd#8525).
    OldTermIgnored,
    /// A leader that nobody answers goes on leading (Cloudflare, November 2020).
    NoQuorumCheck,
    /// A leader whose log does not fit yet is no sign of life (redpanda-data/redpanda#30817).
    RecoveringHearsNobody,
    /// Who hears a leader votes for another one all the same (logcabin#56).
    NoLoyalty,
    /// The lead is handed to a member that lacks entries (openraft#1805).
    TransferUnready,
    /// Election timeouts have no random part (paper section 9.3).
    EqualTimeouts,
    /// A voter refuses the candidate it has voted for (vesoft-inc/nebula#2419).
    AskedTwiceRefused,
    /// A candidate that steps down in its term forgets its vote (xnnyygn/xraft#29).
    VoteForgottenOnStepDown,
    /// Those who leave are not told of the configuration without them (etcd-io/etcd#11284 has one that campaigns
    /// for ever).
    LeaversNotTold,
    /// A member that takes itself for a learner answers no candidate (etcd's testdata
    /// `campaign_learner_must_vote`).
    LearnersDoNotVote,
    /// An entry that conflicts with a received snapshot's last one survives it, and those behind it
    /// (hashicorp/raft#697).
    KeepTailOnConflict,
    /// A received snapshot replaces a log that holds its last entry and goes on (etcd-io/etcd#1763).
    DropTailOnMatch,
    /// A snapshot carries the newest configuration, and not the one at its index (etcd-io/etcd#10864).
    SnapshotOfNewestMembers,
    /// A lost offer of a snapshot is not made again (cockroachdb/cockroach#39034).
    SnapshotOfferedOnce,
    /// The log is cut when a snapshot is begun, and not when it is durable (tikv/raft-rs#417).
    LogCutBeforeSnapshot,
    /// Clients stay when a received snapshot replaces the state, with calls and watches that nobody will
    /// answer (willemt/raft#130).
    ClientsOutliveInstall,
    /// What a snapshot brings lacks some of the sessions' bookkeeping (logcabin 445f383).
    SnapshotForgetsLives,
    /// An answer to an old round confirms the newest one (etcd-io/raft#397).
    LateAnswersConfirm,
    /// A leader goes on with the session deadlines of its last time as leader (etcd-io/etcd#15247).
    DeadlinesOutliveLead,
    /// A leader lets sessions expire by its own clock alone (etcd-io/etcd#15247).
    ExpiresBesideTheLog,
    /// A lost probe is not sent again (etcd-io/raft#52).
    ProbeSentOnce,
    /// What became of appends under way is not asked, if nothing follows them (etcd-io/etcd#7042).
    WindowNotAsked,
    /// The answer to a heartbeat waits until the log is durable (willemt/raft#75).
    HeartbeatsWaitForData,
    /// A request that travelled twice runs twice (dissertation chapter 6).
    WritesRunAgain,
    /// A change that its client asks for again runs again (dissertation 6.3).
    RepeatsRunAgain,
    /// Entries are applied when they are durable, committed or not (ClickHouse/ClickHouse#107556).
    AppliesUncommitted,
    /// A lease counts from when a quorum's answers came (openraft#1747).
    LeaseFromReceipt,
    /// A leader that no majority answers leads on, and commits what its own disk holds (MySQL's semi-synchronous
    /// replication after its timeout): both sides of a split accept.
    CommitsAlone,
    /// Watches that stay are not set again after a reconnect (ZOOKEEPER-1416, which needed setWatches2 for it).
    LastingWatchesLost,
    /// Anybody may read an access control list (CVE-2019-0201, ZOOKEEPER-1392).
    ListsShownToAll,
    /// The end of a time to live is judged by a clock that is ahead of the one that began it (rule R12).
    EndsByAnotherClock,
    /// A leader that has cleaned once never looks again for what has ended (protocol section 8).
    CleansOnce,
    /// A member that has lost entries which it acknowledged goes on with those that it has (etcd-io/etcd#10166,
    /// without its panic).
    LostLogUnnoticed,
}

impl Bug {
    /// All of them, in the order of declaration.
    pub const ALL: &'static [Self] = &[
        Self::WithheldAckSurvivesTruncation,
        Self::FrozenDiskLeads,
        Self::LeaderCountsBeforeSync,
        Self::ForgetVote,
        Self::CommitOldTerm,
        Self::NoLogCheck,
        Self::ClaimsNotLowered,
        Self::TruncateMatchingTail,
        Self::CommitBeyondMatch,
        Self::VoteRequestBeforeSync,
        Self::ConfigurationAtCommit,
        Self::NewSetDecidesAlone,
        Self::ConfigurationNotRolledBack,
        Self::LearnerCounts,
        Self::PromotedUnready,
        Self::ReplicaReused,
        Self::RemovedLeaderCounts,
        Self::NoOwnTermBarrier,
        Self::JointLeftEarly,
        Self::ReadUnconfirmed,
        Self::ReadBeforeOwnTerm,
        Self::ReplicaDiverges,
        Self::AckBeforeSync,
        Self::EntriesBeforeVote,
        Self::AckOfOldTermCounts,
        Self::RepeatNotAcked,
        Self::StaleBelowSnapshot,
        Self::HoleInAppend,
        Self::HintBeyondProbe,
        Self::BackOffByOne,
        Self::PageSkips,
        Self::VoteNotSynced,
        Self::AppliesUnsynced,
        Self::AppliedFromCommit,
        Self::NoPreVote,
        Self::PreVotesCount,
        Self::OldTermIgnored,
        Self::NoQuorumCheck,
        Self::RecoveringHearsNobody,
        Self::NoLoyalty,
        Self::TransferUnready,
        Self::EqualTimeouts,
        Self::AskedTwiceRefused,
        Self::VoteForgottenOnStepDown,
        Self::LeaversNotTold,
        Self::LearnersDoNotVote,
        Self::KeepTailOnConflict,
        Self::DropTailOnMatch,
        Self::SnapshotOfNewestMembers,
        Self::SnapshotOfferedOnce,
        Self::LogCutBeforeSnapshot,
        Self::ClientsOutliveInstall,
        Self::SnapshotForgetsLives,
        Self::LateAnswersConfirm,
        Self::DeadlinesOutliveLead,
        Self::ExpiresBesideTheLog,
        Self::ProbeSentOnce,
        Self::WindowNotAsked,
        Self::HeartbeatsWaitForData,
        Self::WritesRunAgain,
        Self::RepeatsRunAgain,
        Self::AppliesUncommitted,
        Self::LeaseFromReceipt,
        Self::CommitsAlone,
        Self::LastingWatchesLost,
        Self::ListsShownToAll,
        Self::EndsByAnotherClock,
        Self::CleansOnce,
        Self::LostLogUnnoticed,
    ];
}

//! ZooKeeper's promises, point by point, and the tests that hold us to them: a checklist of the protocol, and traps
//! that other servers of this protocol fell into. A point without a test, or a test that is not there any more,
//! fails. `cargo test -p otterkeeper-tests conformance -- --nocapture` prints the tables.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

const NODE: &str = "core/src/node/tests.rs";
const WATCHES: &str = "core/src/node/watches/tests.rs";
const MACHINE: &str = "core/src/machine/tests.rs";
const ACCESS: &str = "core/src/machine/tests/access.rs";
const QUOTA: &str = "core/src/machine/tests/quota.rs";
const TOTAL: &str = "core/src/machine/tests/total.rs";
const READ_ONLY: &str = "core/src/node/clients/read_only.rs";
const BYTES: &str = "native/src/zk/tests.rs";
const WIRE: &str = "tests/protocol.rs";
const KAZOO: &str = "tests/cluster.rs";

/// A test: the file it is in, and its name.
type Test = (&'static str, &'static str);

/// A point of the checklist, and its tests.
const CHECKLIST: &[(&str, &[Test])] = &[
    (
        "handshake of 44 and 45 bytes",
        &[
            (BYTES, "connect_in_both_lengths"),
            (WIRE, "zookeepers_bytes"),
        ],
    ),
    (
        "timeouts are clamped",
        &[(NODE, "section_3_clamp_and_zxid_ahead")],
    ),
    (
        "an expired session is told so",
        &[(BYTES, "connect_replies"), (WIRE, "zookeepers_bytes")],
    ),
    ("a wrong password", &[(WIRE, "zookeepers_bytes")]),
    (
        "a client that is ahead",
        &[(NODE, "section_3_clamp_and_zxid_ahead")],
    ),
    (
        "two connections with one session",
        &[(
            NODE,
            "traps_2_and_24_a_session_moves_to_the_last_connection",
        )],
    ),
    (
        "ping while writes wait",
        &[(
            "tests/pipeline.rs",
            "pings_wait_for_their_turn_and_no_longer",
        )],
    ),
    (
        "every operation's happy path",
        &[
            (BYTES, "create"),
            (BYTES, "get_data"),
            (BYTES, "multi"),
            (WIRE, "zookeepers_bytes"),
            (KAZOO, "a_zookeeper_client_finds_what_it_expects"),
        ],
    ),
    (
        "the first error in order",
        &[
            (MACHINE, "the_first_error_is_the_one_that_is_told"),
            (ACCESS, "the_first_error_comes_before_the_others"),
        ],
    ),
    (
        "Stat after each change",
        &[(MACHINE, "stat_moves_as_it_must")],
    ),
    ("cversion of the root is -1", &[(MACHINE, "a_fresh_tree")]),
    (
        "sequence numbers across mixed creates, deletes and a new parent",
        &[(MACHINE, "sequence_numbers_come_from_the_parents_counter")],
    ),
    (
        "null data and empty data",
        &[
            ("native/src/zk/jute.rs", "null_is_not_empty"),
            ("tests/pipeline.rs", "trap_20_null_data_stays_null"),
        ],
    ),
    ("a create of 2 MB closes", &[(WIRE, "zookeepers_bytes")]),
    (
        "paths that are refused",
        &[("core/src/path.rs", "valid_paths")],
    ),
    (
        "ACL: world, auth, digest, ip of both families, sasl",
        &[
            ("core/src/acl.rs", "lists_are_checked_scheme_by_scheme"),
            (
                "core/src/acl.rs",
                "auth_becomes_the_identities_that_were_proved",
            ),
            (
                "core/src/acl.rs",
                "addresses_match_networks_of_their_family",
            ),
            (KAZOO, "a_zookeeper_client_is_kept_from_what_is_not_its_own"),
        ],
    ),
    (
        "ACL: the superuser",
        &[(
            "core/src/node/access.rs",
            "proofs_add_up_and_the_superuser_is_a_digest_too",
        )],
    ),
    (
        "ACL: getACL masks hashes",
        &[
            ("core/src/acl.rs", "hashes_are_masked_and_names_shown"),
            (ACCESS, "lists_are_expanded_and_masked"),
        ],
    ),
    (
        "ACL: a delete is the parent's affair",
        &[(ACCESS, "each_operation_needs_its_permission")],
    ),
    (
        "watches: every row of the table",
        &[
            (WATCHES, "table_14_create"),
            (WATCHES, "table_14_delete"),
            (WATCHES, "table_14_set_data"),
        ],
    ),
    (
        "watches: registered twice, fired once",
        &[("core/src/watch.rs", "fire_once_and_by_table")],
    ),
    (
        "watches: persistent and standard on one path",
        &[
            (WATCHES, "persistent_watches_stay_and_one_shot_ones_go"),
            (
                "core/src/watch.rs",
                "a_deleted_znode_is_told_once_to_each_connection",
            ),
        ],
    ),
    (
        "watches: recursive ones name what changed",
        &[(WATCHES, "trap_6_recursive_watches_name_what_changed")],
    ),
    (
        "watches: filtered by ACL",
        &[(ACCESS, "a_change_carries_the_list_of_its_moment")],
    ),
    (
        "watches: in order with replies",
        &[(WATCHES, "trap_7_events_and_answers_keep_their_order")],
    ),
    (
        "watches: in a multi",
        &[(WATCHES, "trap_8_watches_and_multi")],
    ),
    (
        "watches: when a session ends",
        &[(
            WATCHES,
            "a_session_that_ends_fires_for_each_of_its_ephemerals",
        )],
    ),
    (
        "setWatches: all lists, changed and unchanged",
        &[
            (WATCHES, "set_watches_catches_up_with_standard_watches"),
            (
                WATCHES,
                "set_watches_tells_persistent_ones_what_is_provable",
            ),
        ],
    ),
    (
        "checkWatches and removeWatches by type",
        &[(WATCHES, "check_and_remove_watches_by_type")],
    ),
    (
        "multi: success, failure, mixed, empty, an ephemeral parent inside",
        &[
            (MACHINE, "a_multi_is_all_or_nothing"),
            (BYTES, "a_multi_that_worked_names_the_kinds"),
            (BYTES, "a_multi_with_a_read_in_it_is_refused_whole"),
            ("tests/pipeline.rs", "section_10_multis_of_every_kind"),
        ],
    ),
    (
        "containers and TTL with a virtual clock",
        &[
            (MACHINE, "a_container_goes_with_its_last_child"),
            (
                MACHINE,
                "a_time_to_live_counts_from_the_last_set_and_waits_for_the_children",
            ),
            ("core/src/node/cleaning.rs", "a_leader_cleans_once_a_minute"),
        ],
    ),
    (
        "getEphemerals by prefix",
        &[(WATCHES, "ephemerals_by_prefix")],
    ),
    ("getAllChildrenNumber", &[(WATCHES, "all_children_number")]),
    (
        "errors of reconfig",
        &[(ACCESS, "reconfig_checks_in_zookeepers_order")],
    ),
    (
        "quotas, soft and hard",
        &[
            (QUOTA, "hard_quotas_refuse_in_their_turn"),
            (QUOTA, "soft_quotas_only_count"),
        ],
    ),
    (
        "four-letter words to the letter",
        &[
            ("native/src/zk/words.rs", "texts_are_zookeepers"),
            ("native/src/zk/words/listing.rs", "lists_are_zookeepers"),
            ("native/src/zk/words.rs", "the_whitelist_rules"),
        ],
    ),
    (
        "read-only mode",
        &[
            (READ_ONLY, "section_17_reads_work_and_all_else_is_refused"),
            (
                READ_ONLY,
                "section_17_only_who_asks_for_it_and_has_no_session",
            ),
        ],
    ),
    (
        "auth in the middle of a pipeline",
        &[(
            "tests/pipeline.rs",
            "trap_10_auth_counts_for_what_comes_behind_it",
        )],
    ),
    (
        "negative xids",
        &[("tests/pipeline.rs", "trap_12_xids_wrap_around")],
    ),
    (
        "unknown operations",
        &[
            (BYTES, "unknown_operations_are_said_to_be_unknown"),
            (
                "tests/pipeline.rs",
                "trap_13_an_unknown_operation_ends_the_connection_only",
            ),
        ],
    ),
    (
        "the answer to closeSession, then the end",
        &[(WIRE, "zookeepers_bytes"), (BYTES, "close_session")],
    ),
];

/// A trap that others fell into, and its tests. Its place is its number.
const TRAPS: &[(&str, &[Test])] = &[
    (
        "the read-only byte comes back only if it was sent",
        &[
            (BYTES, "connect_in_both_lengths"),
            (
                "tests/pipeline.rs",
                "trap_1_the_read_only_byte_comes_back_only_if_it_was_sent",
            ),
        ],
    ),
    (
        "sessions are taken up again, or truthfully expired",
        &[
            (
                NODE,
                "traps_2_and_24_a_session_moves_to_the_last_connection",
            ),
            (WIRE, "zookeepers_bytes"),
        ],
    ),
    (
        "addWatch has a body; setWatches exists",
        &[
            (BYTES, "trap_3_add_watch"),
            (BYTES, "trap_3_set_watches_in_both_lengths"),
        ],
    ),
    (
        "what a follower hears keeps a session alive",
        &[(
            "tests/pipeline.rs",
            "trap_4_reads_at_a_follower_keep_the_session_alive",
        )],
    ),
    (
        "pzxid, cversion and the source of sequences",
        &[
            (MACHINE, "stat_moves_as_it_must"),
            (
                "tests/pipeline.rs",
                "trap_5_what_children_do_to_their_parents_stat",
            ),
        ],
    ),
    (
        "recursive watches name what changed",
        &[(WATCHES, "trap_6_recursive_watches_name_what_changed")],
    ),
    (
        "events and replies keep their order",
        &[(WATCHES, "trap_7_events_and_answers_keep_their_order")],
    ),
    (
        "a failed multi does nothing, and any multi can be applied",
        &[
            (WATCHES, "trap_8_watches_and_multi"),
            (MACHINE, "a_multi_is_all_or_nothing"),
            (TOTAL, "anything_is_applied_and_replicas_agree"),
        ],
    ),
    (
        "what comes behind a session's close fails everywhere alike",
        &[
            (MACHINE, "each_write_runs_once_and_in_order"),
            (MACHINE, "ephemeral_znodes_go_with_their_session"),
            (
                "tests/pipeline.rs",
                "traps_9_and_25_nothing_runs_behind_the_end_of_a_session",
            ),
        ],
    ),
    (
        "identities travel with the request; auth is expanded",
        &[
            (
                "tests/pipeline.rs",
                "trap_10_auth_counts_for_what_comes_behind_it",
            ),
            (
                "core/src/acl.rs",
                "auth_becomes_the_identities_that_were_proved",
            ),
        ],
    ),
    (
        "containers and TTL znodes have no owner on the wire",
        &[("tests/pipeline.rs", "trap_11_mortal_znodes_show_no_owner")],
    ),
    (
        "xids wrap around",
        &[("tests/pipeline.rs", "trap_12_xids_wrap_around")],
    ),
    (
        "an unknown operation is answered and ends the connection only",
        &[(
            "tests/pipeline.rs",
            "trap_13_an_unknown_operation_ends_the_connection_only",
        )],
    ),
    (
        "watches go with their connection, and are counted",
        &[(WATCHES, "trap_14_watches_go_with_their_connection")],
    ),
    (
        "garbage in the handshake",
        &[
            (BYTES, "connect_with_garbage_in_it_is_still_a_question"),
            (
                "tests/pipeline.rs",
                "trap_15_any_session_id_can_be_asked_for",
            ),
        ],
    ),
    (
        "a snapshot brings everything, and watches are not forgotten over it",
        &[
            ("tests/scripts", "snapshot-is-complete"),
            ("tests/scripts", "catch-up-by-snapshot"),
        ],
    ),
    (
        "the log is continuous at start",
        &[
            ("tests/crash.rs", "trap_17_a_missing_segment_is_noticed"),
            ("tests/scripts", "contiguous-append"),
        ],
    ),
    (
        "closing a session with very many ephemerals",
        &[(
            "tests/pipeline.rs",
            "trap_18_a_session_with_many_ephemerals_can_end",
        )],
    ),
    (
        "ZooKeeper's own znodes stay",
        &[
            (MACHINE, "the_first_error_is_the_one_that_is_told"),
            ("tests/pipeline.rs", "trap_19_zookeepers_own_znodes_stay"),
        ],
    ),
    (
        "null data stays null",
        &[("tests/pipeline.rs", "trap_20_null_data_stays_null")],
    ),
    (
        "replicas compare their digests",
        &[
            (
                "core/src/node/agreement/tests.rs",
                "trap_21_one_that_differs_halts_and_the_others_go_on",
            ),
            (
                "core/src/node/agreement/tests.rs",
                "without_a_majority_for_any_state_all_halt",
            ),
        ],
    ),
    (
        "a server without a quorum does not pretend",
        &[(READ_ONLY, "trap_22_without_the_mode_nobody_is_served")],
    ),
    (
        "times come from the log",
        &[
            (TOTAL, "anything_is_applied_and_replicas_agree"),
            ("tests/replay.rs", "a_trace_replays_to_equal_digests"),
            (
                "tests/pipeline.rs",
                "trap_23_times_are_the_same_on_every_member",
            ),
        ],
    ),
    (
        "the last connection of a session wins",
        &[(
            NODE,
            "traps_2_and_24_a_session_moves_to_the_last_connection",
        )],
    ),
    (
        "nothing runs after expired was said",
        &[
            (MACHINE, "each_write_runs_once_and_in_order"),
            ("tests/scripts", "expiry-waits-for-commit"),
            (
                "tests/pipeline.rs",
                "traps_9_and_25_nothing_runs_behind_the_end_of_a_session",
            ),
        ],
    ),
];

#[test]
fn every_point_of_the_checklist_has_its_test() {
    let mut sources = Sources::default();
    println!("checklist");
    for (point, tests) in CHECKLIST {
        sources.check(point, tests);
    }
    sources.none_is_missing();
}

#[test]
fn every_trap_has_its_test() {
    let mut sources = Sources::default();
    println!("traps");
    for (at, (point, tests)) in TRAPS.iter().enumerate() {
        sources.check(&format!("{:2} {point}", at + 1), tests);
    }
    assert_eq!(TRAPS.len(), 25);
    sources.none_is_missing();
}

/// The files that were looked into, and what was not in them.
#[derive(Default)]
struct Sources {
    files: BTreeMap<&'static str, String>,
    missing: Vec<String>,
}

impl Sources {
    fn check(&mut self, point: &str, tests: &[Test]) {
        if tests.is_empty() {
            self.missing.push(format!("{point}: no test"));
        }
        for &(file, name) in tests {
            println!("| {point} | {file} {name} |");
            if !self.has(file, name) {
                self.missing
                    .push(format!("{point}: {file} has no test {name}"));
            }
        }
    }

    /// A story by its name, or a function behind `#[test]`.
    fn has(&mut self, file: &'static str, name: &str) -> bool {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        if file == "tests/scripts" {
            return root.join(file).join(format!("{name}.txt")).is_file();
        }
        let read = || fs::read_to_string(root.join(file)).unwrap_or_default();
        let text = self.files.entry(file).or_insert_with(read);
        let function = format!("fn {name}(");
        let mut tested = false;
        for line in text.lines().map(str::trim) {
            if line.starts_with("#[test]") {
                tested = true;
            } else if line.starts_with("fn ") {
                if tested && line.starts_with(&function) {
                    return true;
                }
                // Inside proptest's macro the attribute stands there as well.
                tested = false;
            }
        }
        false
    }

    fn none_is_missing(&self) {
        assert!(self.missing.is_empty(), "{}", self.missing.join("\n"));
    }
}

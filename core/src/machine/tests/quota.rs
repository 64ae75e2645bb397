//! Quotas (protocol section 18): soft ones count, hard ones refuse, and the counts are kept without looking.

use super::*;
use crate::quota::Usage;

const LIMITS: &str = "/zookeeper/quota/a/zookeeper_limits";
const STATS: &str = "/zookeeper/quota/a/zookeeper_stats";

/// A machine with some znodes and a quota on /a, as zkCli's setquota makes it.
fn with_quota(limits: &str) -> Log {
    let mut log = Log::new();
    let lines = [
        "create /a 12345",
        "create /a/b 123",
        "create /other 1234567",
        "create /zookeeper/quota/a",
    ];
    for line in lines {
        log.line(line);
    }
    log.line(&format!("create {LIMITS} {limits}"));
    log.line(&format!("create {STATS} count=0,bytes=0"));
    log
}

fn check_quota(limits: &str, lines: &[(&str, &str)]) {
    let mut log = with_quota(limits);
    for (line, expected) in lines {
        assert_eq!(log.line(line), *expected, "{line}");
        let used = Usage::parse(log.machine.tree.get(STATS).unwrap().data().unwrap());
        assert_eq!(used, log.machine.tree.usage("/a"), "after {line}");
    }
    check_state(&log.machine);
    assert!(log.machine.is_digest_right());
}

#[test]
fn hard_quotas_refuse_in_their_turn() {
    check_quota(
        "count=-1,bytes=-1=;byteHardLimit=12;countHardLimit=4",
        &[
            (
                "get /zookeeper/quota/a/zookeeper_stats",
                "b\"count=2,bytes=8\"",
            ),
            ("create /a/c", "/a/c +/a/c ~/a"),
            ("create -s /a/d 12345", "QUOTA_EXCEEDED"),
            ("create -s /a/d 1234", "/a/d0000000002 +/a/d0000000002 ~/a"),
            ("create /a/e", "QUOTA_EXCEEDED"),
            ("create /a/b/e", "QUOTA_EXCEEDED"),
            // It comes last in a create, and before the version in a setData.
            ("create /a/c", "NODE_EXISTS"),
            ("create /a/..", "BAD_ARGUMENTS"),
            ("set /a/b 1234 9", "QUOTA_EXCEEDED"),
            ("set /a/b 123 9", "BAD_VERSION"),
            ("set /a/no 1234", "NO_NODE"),
            ("set /a/b 12", "v1 !/a/b"),
            ("set /a/b 123", "v2 !/a/b"),
            ("delete /a/c", "ok -/a/c ~/a"),
            ("create -e /a/b/e", "/a/b/e +/a/b/e ~/a/b"),
            ("create /other/x 12345678", "/other/x +/other/x ~/other"),
            (
                "multi delete /a/b/e; create /a/f; create /a/g",
                "[OK OK QUOTA_EXCEEDED]",
            ),
            (
                "multi delete /a/b/e; create /a/f",
                "[ok /a/f] -/a/b/e ~/a/b +/a/f ~/a",
            ),
            ("delete /a/f", "ok -/a/f ~/a"),
            ("create -e /a/e", "/a/e +/a/e ~/a"),
            ("close", "ok -/a/e ~/a"),
        ],
    );
}

#[test]
fn soft_quotas_only_count() {
    let mut log = with_quota("count=2,bytes=8");
    let exceeded = |log: &Log| {
        let quotas = log.machine.tree.quotas();
        let said = quotas.map(|(path, limits, used)| (path.to_string(), limits.is_exceeded(used)));
        said.collect::<Vec<_>>()
    };
    assert_eq!(exceeded(&log), [("/a".to_string(), false)]);
    assert_eq!(log.line("create /a/c"), "/a/c +/a/c ~/a");
    assert_eq!(exceeded(&log), [("/a".to_string(), true)]);
}

#[test]
fn the_nearest_quota_counts_and_the_root_can_have_one() {
    let mut log = with_quota("countHardLimit=9");
    let lines = [
        (
            "create /zookeeper/quota/zookeeper_limits countHardLimit=20",
            "/zookeeper/quota/zookeeper_limits",
        ),
        (
            "create /zookeeper/quota/zookeeper_stats x",
            "/zookeeper/quota/zookeeper_stats",
        ),
        ("create /b", "/b"),
        ("create /a/c", "/a/c"),
    ];
    for (line, expected) in lines {
        assert_eq!(log.line(line).split(' ').next(), Some(expected), "{line}");
    }
    let count = |log: &Log, path: &str| {
        Usage::parse(log.machine.tree.get(path).unwrap().data().unwrap()).count
    };
    // /, /a, /a/b, /other, six of the system, and two of the quota itself; /b came later, and /a/c counts
    // only in the nearest.
    assert_eq!(count(&log, "/zookeeper/quota/zookeeper_stats"), 13);
    assert_eq!(count(&log, STATS), 3);
    // Without limits nothing counts, and the limits' end lets the next one above count.
    log.line(&format!("delete {LIMITS}"));
    log.line("create /a/d");
    assert_eq!(count(&log, STATS), 3);
    check_state(&log.machine);
}

/// The counts change the stats' data and nothing else, so that nobody hears of them.
#[test]
fn counting_moves_no_version_and_fires_nothing() {
    let mut log = with_quota("count=2");
    let before = log.machine.tree.get(STATS).unwrap().stat();
    log.line("create /a/c 1");
    let after = log.machine.tree.get(STATS).unwrap().stat();
    assert_eq!(
        after,
        Stat {
            data_length: after.data_length,
            ..before
        }
    );
}

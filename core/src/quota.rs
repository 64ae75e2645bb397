//! Quotas (protocol section 18): where they are kept, how their texts read, and whether a change fits.
//! Knows texts and numbers; not which znodes there are.

use alloc::format;
use alloc::string::String;
use core::fmt;

use crate::request::Error;

/// Holds the quota of the subtree at `/zookeeper/quota` + its path.
const LIMITS: &str = "/zookeeper_limits";
/// Beside it: how much of it is used.
const STATS: &str = "/zookeeper_stats";
/// Above all quotas.
const ROOT: &str = "/zookeeper/quota";

/// What a subtree holds, its own root included.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Usage {
    /// Znodes.
    pub count: i64,
    /// Bytes of their data.
    pub bytes: i64,
}

/// What a subtree may hold; `None` for as much as it likes. A soft limit only makes noise.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Limits {
    /// Soft limits of znodes and bytes.
    pub soft: (Option<i64>, Option<i64>),
    /// Hard limits of znodes and bytes.
    pub hard: (Option<i64>, Option<i64>),
}

/// Where the limits of the subtree at `path` are.
#[must_use]
pub fn limits_path(path: &str) -> String {
    below(path, LIMITS)
}

/// Where the usage of the subtree at `path` is.
#[must_use]
pub fn stats_path(path: &str) -> String {
    below(path, STATS)
}

/// The subtree whose usage is kept at `path`, if that is such a place.
#[must_use]
pub fn of_stats(path: &str) -> Option<&str> {
    of(path, STATS)
}

/// The subtree whose limits are kept at `path`, if that is such a place.
#[must_use]
pub fn of_limits(path: &str) -> Option<&str> {
    of(path, LIMITS)
}

fn of<'a>(path: &'a str, name: &str) -> Option<&'a str> {
    let subtree = path.strip_prefix(ROOT)?.strip_suffix(name)?;
    Some(if subtree.is_empty() { "/" } else { subtree })
}

fn below(path: &str, name: &str) -> String {
    let path = if path == "/" { "" } else { path };
    format!("{ROOT}{path}{name}")
}

impl Usage {
    /// From the text of a usage; what cannot be read counts as nothing.
    #[must_use]
    pub fn parse(text: &[u8]) -> Self {
        let field = |name| field(text, name).unwrap_or(0);
        Self {
            count: field("count"),
            bytes: field("bytes"),
        }
    }

    /// With so much more.
    #[must_use]
    pub const fn plus(self, more: Self) -> Self {
        Self {
            count: self.count.saturating_add(more.count),
            bytes: self.bytes.saturating_add(more.bytes),
        }
    }
}

/// As ZooKeeper writes it.
impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "count={},bytes={}", self.count, self.bytes)
    }
}

impl Limits {
    /// From a text such as `count=10,bytes=1000=;byteHardLimit=2000;countHardLimit=20`. Minus one, and what
    /// cannot be read, is no limit.
    #[must_use]
    pub fn parse(text: &[u8]) -> Self {
        let field = |name| field(text, name).filter(|limit| 0 <= *limit);
        Self {
            soft: (field("count"), field("bytes")),
            hard: (field("countHardLimit"), field("byteHardLimit")),
        }
    }

    /// Whether a change that adds `more` to what is used may be made. As in ZooKeeper, data that is replaced by
    /// less is refused too while that leaves the subtree over its quota; taking znodes out never is.
    ///
    /// # Errors
    /// `QuotaExceeded`.
    pub fn admit(&self, used: Usage, more: Usage) -> Result<(), Error> {
        let after = used.plus(more);
        let beyond =
            |limit: Option<i64>, more, after| more != 0 && limit.is_some_and(|limit| limit < after);
        if beyond(self.hard.0, more.count, after.count)
            || beyond(self.hard.1, more.bytes, after.bytes)
        {
            return Err(Error::QuotaExceeded);
        }
        Ok(())
    }

    /// Whether more is used than the quota says, softly or not.
    #[must_use]
    pub fn is_exceeded(&self, used: Usage) -> bool {
        let beyond = |limit: Option<i64>, used| limit.is_some_and(|limit| limit < used);
        let (soft, hard) = (self.soft, self.hard);
        beyond(hard.0.or(soft.0), used.count) || beyond(hard.1.or(soft.1), used.bytes)
    }
}

/// A number in a text of `key=number` with commas or semicolons between; an odd `=` may stand behind the
/// number, which old clients wrote. The last one with this name counts.
fn field(text: &[u8], name: &str) -> Option<i64> {
    let text = core::str::from_utf8(text).ok()?;
    let mut fields = text.split([',', ';']).rev().filter_map(|field| {
        let (key, rest) = field.split_once('=')?;
        (key.trim() == name).then(|| rest.trim_end_matches('=').trim())
    });
    fields.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_zookeepers() {
        let full = "count=10,bytes=1000=;byteHardLimit=2000;countHardLimit=20";
        let check = |text: &str, soft, hard| {
            assert_eq!(
                Limits::parse(text.as_bytes()),
                Limits { soft, hard },
                "{text}"
            );
        };
        check(full, (Some(10), Some(1000)), (Some(20), Some(2000)));
        check(
            "count=-1,bytes=-1=;countHardLimit=0",
            (None, None),
            (Some(0), None),
        );
        check("bytes=5", (None, Some(5)), (None, None));
        check("", (None, None), (None, None));
        check("count=x;=;bytes", (None, None), (None, None));
        let used = Usage {
            count: 3,
            bytes: 40,
        };
        assert_eq!(format!("{used}"), "count=3,bytes=40");
        assert_eq!(Usage::parse(b"count=3,bytes=40=;countHardLimit=9"), used);
        assert_eq!(Usage::parse(&[0xFF]), Usage::default());
    }

    #[test]
    fn quotas_lie_below_their_own_root() {
        assert_eq!(limits_path("/a/b"), "/zookeeper/quota/a/b/zookeeper_limits");
        assert_eq!(stats_path("/"), "/zookeeper/quota/zookeeper_stats");
        assert_eq!(of_stats(&stats_path("/a/b")), Some("/a/b"));
        assert_eq!(of_stats(&stats_path("/")), Some("/"));
        assert_eq!(of_limits(&limits_path("/a")), Some("/a"));
        assert_eq!(of_stats(&limits_path("/a")), None);
        assert_eq!(of_stats("/a/zookeeper_stats"), None);
    }

    #[test]
    fn what_stays_above_a_hard_limit_is_refused() {
        let limits = Limits::parse(b"count=1;countHardLimit=5;byteHardLimit=100");
        let check = |used: (i64, i64), more: (i64, i64), fits: bool| {
            let usage = |(count, bytes)| Usage { count, bytes };
            assert_eq!(
                limits.admit(usage(used), usage(more)).is_ok(),
                fits,
                "{used:?} {more:?}"
            );
        };
        check((4, 0), (1, 100), true);
        check((5, 0), (1, 0), false);
        check((4, 1), (1, 100), false);
        check((9, 999), (0, -1), false);
        check((9, 101), (0, -1), true);
        check((9, 10), (0, 5), true);
        check((i64::MAX, 0), (1, 0), false);
        assert!(limits.is_exceeded(Usage { count: 6, bytes: 0 }));
        assert!(
            !limits.is_exceeded(Usage {
                count: 2,
                bytes: 100
            }),
            "the hard limit is the limit"
        );
    }
}

//! The rules for paths (protocol section 12). Knows no tree.

use alloc::borrow::Cow;
use alloc::string::String;

/// Holds the znodes of the system.
pub const ZOOKEEPER: &str = "/zookeeper";
/// Holds quotas.
pub const QUOTA: &str = "/zookeeper/quota";
/// Holds the cluster's members. Only the cluster writes it.
pub const CONFIG: &str = "/zookeeper/config";

/// Whether a znode can have this path: begins with a slash, does not end with one (the root excepted),
/// has no empty element, none that is "." or "..", and none of the characters that ZooKeeper forbids.
#[must_use]
pub fn is_valid(path: &str) -> bool {
    let Some(elements) = path.strip_prefix('/') else {
        return false;
    };
    let good = |element: &str| !matches!(element, "" | "." | "..");
    elements.is_empty() || elements.split('/').all(good) && !path.contains(is_forbidden)
}

/// Whether a path is good enough to be looked for in a delete: it has a slash and no NUL.
#[must_use]
pub fn is_plausible(path: &str) -> bool {
    path.contains('/') && !path.contains('\0')
}

/// The znodes that are always there.
#[must_use]
pub fn is_system(path: &str) -> bool {
    matches!(path, "/" | ZOOKEEPER | QUOTA | CONFIG)
}

/// How many elements a path has; 0 for the root.
#[must_use]
pub fn depth(path: &str) -> usize {
    if path == "/" {
        0
    } else {
        path.bytes().filter(|&byte| byte == b'/').count()
    }
}

/// The path of the parent: what is before the last slash, or the root.
#[must_use]
pub fn parent(path: &str) -> &str {
    match path.rsplit_once('/') {
        None | Some(("", _)) => "/",
        Some((parent, _)) => parent,
    }
}

/// What is behind the last slash.
#[must_use]
pub fn name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// What the paths of all children begin with.
#[must_use]
pub fn prefix(path: &str) -> Cow<'_, str> {
    if path == "/" {
        Cow::Borrowed(path)
    } else {
        Cow::Owned(String::from(path) + "/")
    }
}

/// ZooKeeper judges UTF-16 units, so everything beyond the basic plane goes with the surrogates.
fn is_forbidden(char: char) -> bool {
    matches!(
        char,
        '\0'..='\x1F' | '\x7F'..='\u{9F}' | '\u{E000}'..='\u{F8FF}' | '\u{FFF0}'..=char::MAX
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_paths() {
        let check = |expected: bool, paths: &[&str]| {
            for path in paths {
                assert_eq!(is_valid(path), expected, "{path:?}");
            }
        };
        check(
            true,
            &[
                "/",
                "/a",
                "/a/b",
                "/a.b",
                "/...",
                "/ a",
                "/\u{D7FF}",
                "/\u{F900}",
                "/\u{FFEF}",
            ],
        );
        check(
            false,
            &[
                "", "a", "a/b", "//", "/a/", "/a//b", "/.", "/..", "/a/./b", "/a/..",
            ],
        );
        check(
            false,
            &[
                "/\0",
                "/\x01",
                "/\x1F",
                "/\x7F",
                "/\u{9F}",
                "/\u{E000}",
                "/\u{FFF0}",
            ],
        );
        check(false, &["/\u{1F9A6}"]);
    }

    #[test]
    fn parts_of_paths() {
        let check = |path: &str, expected: (usize, &str, &str, &str)| {
            assert_eq!(
                (depth(path), parent(path), name(path), &*prefix(path)),
                expected,
                "{path:?}"
            );
        };
        check("/", (0, "/", "", "/"));
        check("/a", (1, "/", "a", "/a/"));
        check("/a/b", (2, "/a", "b", "/a/b/"));
        check("/a/", (2, "/a", "", "/a//"));
    }
}

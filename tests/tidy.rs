//! The rules of the house that a reader would otherwise have to check by eye: who may import whom,
//! which names the core must not know, what every file begins with. Reads sources, compiles nothing.

use core::fmt::Write as _;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Who may import whom in the core: a room, and what it may name besides itself. A path stands for
/// everything below it. What is not listed is forbidden; where rooms nest, the longest one counts.
const ROOMS: &[(&str, &[&str])] = &[
    ("id", &[]),
    ("time", &[]),
    ("rng", &[]),
    ("hash", &[]),
    ("map", &[]),
    ("spine", &[]),
    ("halt", &["id"]),
    ("configuration", &["id", "hash"]),
    ("config", &["id", "time", "configuration"]),
    ("request", &["id", "time", "config", "configuration"]),
    (
        "raft",
        &[
            "id",
            "halt",
            "time",
            "rng",
            "config",
            "configuration",
            "hash",
            "spine",
        ],
    ),
    ("command", &["id", "time", "request", "configuration"]),
    ("path", &["id", "time", "request", "config"]),
    ("acl", &["id", "time", "request", "config"]),
    ("quota", &["id", "time", "request", "config"]),
    (
        "tree",
        &[
            "id", "time", "request", "config", "path", "acl", "quota", "command", "hash", "map",
        ],
    ),
    (
        "watch",
        &["id", "time", "request", "config", "path", "command", "map"],
    ),
    (
        "session",
        &["id", "time", "request", "config", "command", "hash", "map"],
    ),
    (
        "machine",
        &[
            "id",
            "time",
            "path",
            "tree",
            "session",
            "watch",
            "acl",
            "quota",
            "request",
            "config",
            "configuration",
            "command",
            "hash",
            "map",
        ],
    ),
    ("message", &["id", "raft::message", "raft::storage"]),
    (
        "wire",
        &[
            "id",
            "time",
            "config",
            "configuration",
            "request",
            "command",
            "message",
            "raft::message",
            "raft::storage",
            "machine",
            "tree",
            "session",
            "map",
            "hash",
        ],
    ),
    ("wire::trace", &["id", "time", "trace", "wire"]),
    (
        "node",
        &[
            "id",
            "halt",
            "time",
            "rng",
            "config",
            "configuration",
            "raft",
            "request",
            "command",
            "message",
            "machine",
            "tree",
            "path",
            "acl",
            "quota",
            "session",
            "watch",
            "wire",
            "hash",
            "map",
            "spine",
        ],
    ),
    (
        "client",
        &["id", "time", "rng", "config", "request", "wire"],
    ),
    (
        "recipe",
        &["id", "time", "rng", "config", "request", "wire", "client"],
    ),
    ("trace", &["id", "time", "config", "node", "wire"]),
    // The simulator sees a node through step, read and view, and what goes over the wire.
    (
        "sim",
        &[
            "id",
            "halt",
            "time",
            "rng",
            "config",
            "configuration",
            "hash",
            "map",
            "spine",
            "request",
            "message",
            "raft::message",
            "raft::note",
            "raft::view",
            "node",
            "wire",
            "trace",
            "client",
            "recipe",
        ],
    ),
    (
        "scenario",
        &[
            "id",
            "time",
            "rng",
            "command",
            "config",
            "configuration",
            "hash",
            "request",
            "message",
            "raft::message",
            "raft::note",
            "raft::view",
            "node",
            "wire",
            "trace",
            "client",
            "recipe",
            "sim",
        ],
    ),
];

/// The commands of the server's binary that run the simulator.
const SIMULATING: &[&str] = &[
    "native/src/cli/sim.rs",
    "native/src/cli/sim/find.rs",
    "native/src/cli/sim/speed.rs",
    "native/src/cli/replay.rs",
];

/// A link is the page's own form of a run; nothing but the page reads it.
const LINKS: &[&str] = &["web/src/share.rs"];

/// What would make the core depend on its host or on accident.
const FORBIDDEN_IN_CORE: &[(&str, &str)] = &[
    (
        "HashMap",
        "its order differs from run to run; use BTreeMap or the wrapper in map.rs",
    ),
    ("HashSet", "its order differs from run to run; use BTreeSet"),
    ("Instant", "time comes in by argument"),
    ("SystemTime", "time comes in by argument"),
    ("f32", "floats differ between targets; count in integers"),
    ("f64", "floats differ between targets; count in integers"),
    ("rand", "randomness comes from rng.rs"),
    ("std", "the core is no_std; use core or alloc"),
];

/// No file has more lines than this.
const LONG_LINES: usize = 1_000;

#[test]
fn rooms_of_the_core_import_only_what_they_may() {
    let mut complaints = Complaints::default();
    for file in sources("core/src") {
        let own = module_of(&file.path);
        if own.is_empty() {
            continue;
        }
        let Some((room, allowed)) = room_of(&own) else {
            complaints.add(
                &file,
                0,
                &format!("`{own}` has no entry in ROOMS of tests/tidy.rs"),
            );
            continue;
        };
        for (line, path) in paths(&file.code, &own) {
            let inside = |prefix: &str| is_below(&path, prefix);
            if !inside(room) && !allowed.iter().any(|prefix| inside(prefix)) {
                let text = format!(
                    "`{room}` may not import `{path}`; it may: {}",
                    allowed.join(" ")
                );
                complaints.add(&file, line, &text);
            }
        }
    }
    complaints.none();
}

#[test]
fn server_page_and_core_keep_apart() {
    let mut complaints = Complaints::default();
    let mut forbid = |folder: &str, spared: &[&str], words: &[(&str, &str)]| {
        for file in sources(folder)
            .iter()
            .filter(|file| !spared.contains(&file.path.as_str()))
        {
            for (number, line) in file.lines() {
                for (word, why) in words {
                    if has_path(line, word) {
                        complaints.add(file, number, &format!("`{word}` is forbidden here: {why}"));
                    }
                }
            }
        }
    };
    let simulator = "only the commands `sim` and `replay` simulate";
    forbid(
        "native/src",
        SIMULATING,
        &[("otterkeeper_core::sim", simulator)],
    );
    forbid(
        "native/src",
        SIMULATING,
        &[("otterkeeper_core::scenario", simulator)],
    );
    forbid(
        "native/src",
        &[],
        &[("otterkeeper_web", "the server knows nothing of the page")],
    );
    forbid(
        "web/src",
        &[],
        &[("otterkeeper::", "the page knows nothing of the server")],
    );
    let bytes = "bytes are made and read in core/src/wire";
    forbid("native/src", &[], &[("postcard", bytes)]);
    forbid("web/src", LINKS, &[("postcard", bytes)]);
    let wire: Vec<String> = sources("core/src")
        .iter()
        .filter(|f| is_below(&module_of(&f.path), "wire"))
        .map(|f| f.path.clone())
        .collect();
    let wire: Vec<&str> = wire.iter().map(String::as_str).collect();
    forbid(
        "core/src",
        &wire,
        &[
            ("postcard", bytes),
            ("serde_json", bytes),
            ("base64", bytes),
        ],
    );
    complaints.none();
}

#[test]
fn the_core_knows_no_host_and_no_accident() {
    let mut complaints = Complaints::default();
    for file in sources("core/src") {
        for (number, line) in file.lines() {
            for (word, why) in FORBIDDEN_IN_CORE {
                if has_word(line, word) {
                    complaints.add(&file, number, &format!("`{word}` in the core: {why}"));
                }
            }
        }
    }
    complaints.none();
}

#[test]
fn every_source_opens_with_what_it_is() {
    let mut complaints = Complaints::default();
    for file in all_sources() {
        if !file.text.starts_with("//! ") {
            complaints.add(
                &file,
                1,
                "begins without a `//!` paragraph: what is this, what does it not know?",
            );
        }
    }
    complaints.none();
}

#[test]
fn sources_are_ascii_finished_and_of_a_readable_length() {
    let mut complaints = Complaints::default();
    for file in all_sources() {
        let is_odd = |c: char| c != '\n' && !(' '..='~').contains(&c);
        for (number, line) in file.text.lines().enumerate() {
            if let Some(odd) = line.chars().find(|c| is_odd(*c)) {
                complaints.add(
                    &file,
                    number + 1,
                    &format!("{odd:?} is not plain ASCII; write an escape"),
                );
            }
        }
        for (number, line) in file.lines() {
            for word in ["todo!", "unimplemented!", "dbg!"] {
                if line.contains(word) {
                    complaints.add(&file, number, &format!("`{word}` is unfinished work"));
                }
            }
        }
        let length = file.text.lines().count();
        if LONG_LINES < length {
            complaints.add(
                &file,
                length,
                &format!("{length} lines: split it by subject"),
            );
        }
    }
    complaints.none();
}

/// Hosts of package registries and paths of somebody's machine have no place in the repository.
#[test]
fn no_file_names_a_machine_or_a_registry() {
    let names = [
        concat!("crates", ".io"),
        concat!("rust-lang", ".org"),
        concat!("pypi", ".org"),
        concat!("npmjs", ".org"),
        concat!("debian", ".org"),
        concat!("/wo", "rk/"),
        concat!("/ro", "ot/"),
        concat!("/ho", "me/"),
    ];
    let mut complaints = Complaints::default();
    let endings = [
        "rs", "toml", "md", "txt", "py", "mjs", "js", "css", "html", "ftl", "scenario",
    ];
    let top = [
        "Cargo.toml",
        "README.md",
        "CHANGELOG.md",
        ".ci/run",
        ".cargo/config.toml",
    ];
    let below = ["core", "native", "web", "www", "tests", "xtask"]
        .into_iter()
        .flat_map(files);
    let texts = below.filter(|path| {
        endings
            .iter()
            .any(|ending| path.ends_with(&format!(".{ending}")))
    });
    for path in texts.chain(top.map(str::to_owned)) {
        let Ok(text) = fs::read_to_string(root().join(&path)) else {
            continue;
        };
        let file = Source {
            path,
            code: String::new(),
            text,
        };
        for (number, line) in file.text.lines().enumerate() {
            for name in names.iter().filter(|name| line.contains(**name)) {
                complaints.add(&file, number + 1, &format!("names `{name}`"));
            }
        }
    }
    complaints.none();
}

/// Planted bugs are for the page and for the tests (rule R32). The second look makes sure that the
/// first one would have seen them.
#[test]
fn the_server_is_built_without_planted_bugs() {
    let planted = |package: &str| {
        let tree = Command::new(env!("CARGO"))
            .args([
                "tree",
                "--edges",
                "features,no-dev",
                "--all-features",
                "--package",
                package,
            ])
            .current_dir(root())
            .output()
            .expect("cargo runs");
        let text = String::from_utf8_lossy(&tree.stdout).into_owned();
        let said = String::from_utf8_lossy(&tree.stderr);
        assert!(
            tree.status.success() && text.contains("otterkeeper-core"),
            "cargo tree: {said}"
        );
        text.contains("feature \"planted\"")
    };
    assert!(
        !planted("otterkeeper"),
        "the server must not be able to enable `planted`"
    );
    assert!(
        planted("otterkeeper-tests"),
        "`cargo tree` no longer shows features as expected"
    );
}

#[test]
fn the_reader_of_imports_sees_what_a_compiler_would() {
    let source = r#"
        use crate::{id::NodeId, raft::{self, message::Message}};
        use super::log::Log; // crate::tree is only a remark
        use super::super::machine;
        fn f() { crate::time::now("crate::wire") }
        #[cfg(test)]
        mod tests { use crate::sim; }
    "#;
    let found: Vec<String> = paths(&scrub(source), "raft::election")
        .into_iter()
        .map(|(_, path)| path)
        .collect();
    assert_eq!(
        found,
        [
            "id::NodeId",
            "raft",
            "raft::message::Message",
            "raft::log::Log",
            "machine",
            "time::now",
        ]
    );
}

/// One source file; `code` is the text without comments, strings and unit tests, line by line.
struct Source {
    path: String,
    text: String,
    code: String,
}

impl Source {
    fn read(path: String) -> Self {
        let text = fs::read_to_string(root().join(&path)).expect("sources are readable text");
        // A file of unit tests is all tests.
        let code = if path.ends_with("/tests.rs") {
            String::new()
        } else {
            scrub(&text)
        };
        Self { path, text, code }
    }

    /// The lines of the code with their numbers.
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line))
    }
}

/// Gathers what is wrong, so that one run shows all of it.
#[derive(Default)]
struct Complaints(String);

impl Complaints {
    fn add(&mut self, file: &Source, line: usize, text: &str) {
        writeln!(self.0, "  {}:{line}: {text}", file.path).expect("a string takes all");
    }

    fn none(&self) {
        assert!(self.0.is_empty(), "\n{}", self.0);
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the tests lie in the workspace")
}

fn all_sources() -> Vec<Source> {
    ["core", "native", "web", "tests", "xtask"]
        .into_iter()
        .flat_map(sources)
        .collect()
}

/// The Rust sources below `folder`.
fn sources(folder: &str) -> Vec<Source> {
    let found: Vec<Source> = files(folder)
        .into_iter()
        .filter(|path| path.ends_with(".rs"))
        .map(Source::read)
        .collect();
    assert!(!found.is_empty(), "no sources in {folder}");
    found
}

/// All files below `folder` as paths from the root, in order.
fn files(folder: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders: Vec<PathBuf> = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.expect("a readable folder").path();
            if path.ends_with("tests/fuzz/target") || path.ends_with("tests/fuzz/corpus") {
                continue; // What cargo-fuzz leaves.
            }
            // It would lead out of the repository, or say a thing twice.
            assert!(!path.is_symlink(), "{} is a link", path.display());
            if path.is_dir() {
                folders.push(path);
            } else {
                let path = path.strip_prefix(root()).expect("it was found there");
                found.insert(path.to_str().expect("paths are ASCII").to_owned());
            }
        }
    }
    found
}

/// `core/src/raft/log.rs` is `raft::log`; `lib.rs` is the empty path.
fn module_of(path: &str) -> String {
    let path = path.trim_start_matches("core/src/").trim_end_matches(".rs");
    if path == "lib" {
        String::new()
    } else {
        path.replace('/', "::")
    }
}

/// The room that the module `path` belongs to.
fn room_of(path: &str) -> Option<(&'static str, &'static [&'static str])> {
    let homes = ROOMS.iter().filter(|(room, _)| is_below(path, room));
    homes.max_by_key(|(room, _)| room.len()).copied()
}

fn is_below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Every path from the crate's root that `code` names, with its line; `own` is the module it is in.
fn paths(code: &str, own: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < code.len() {
        let rest = &code[at..];
        let begins = !code[..at]
            .ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':' || c == '$');
        let (start, base) = if begins && rest.starts_with("crate::") {
            (at + "crate::".len(), String::new())
        } else if begins && rest.starts_with("super::") {
            let ups = rest
                .split("super::")
                .take_while(|part| part.is_empty())
                .count();
            let mut base: Vec<&str> = own.split("::").collect();
            base.truncate(base.len().saturating_sub(ups));
            (at + ups * "super::".len(), base.join("::"))
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
            continue;
        };
        let line = code[..at].matches('\n').count() + 1;
        let mut rest = &code[start..];
        for path in tree(&mut rest, &base) {
            found.push((line, path));
        }
        at = code.len() - rest.len();
    }
    found
}

/// Reads one `a::{b, c::d}` below `base` and gives its leaves.
fn tree(rest: &mut &str, base: &str) -> Vec<String> {
    let join = |name: &str| match (base, name) {
        ("", name) => name.to_owned(),
        (base, "" | "self") => base.to_owned(),
        (base, name) => format!("{base}::{name}"),
    };
    *rest = rest.trim_start();
    if let Some(inner) = rest.strip_prefix('{') {
        *rest = inner;
        let mut leaves = Vec::new();
        loop {
            *rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
            if let Some(after) = rest.strip_prefix('}') {
                *rest = after;
                return leaves;
            }
            let before = rest.len();
            leaves.append(&mut tree(rest, base));
            if rest.len() == before {
                return leaves;
            }
        }
    }
    let end = rest
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(rest.len());
    let (name, after) = rest.split_at(end);
    *rest = after;
    if let Some(below) = after.strip_prefix("::")
        && below
            .trim_start()
            .starts_with(|c: char| c.is_alphabetic() || c == '_' || c == '{')
    {
        *rest = below;
        return tree(rest, &join(name));
    }
    vec![join(name)]
}

/// The text without comments, without what is inside strings, and without the unit tests at its end.
fn scrub(text: &str) -> String {
    let mut code = String::new();
    let mut chars = text.chars().peekable();
    let mut last = ' ';
    while let Some(c) = chars.next() {
        match c {
            '/' if chars.peek() == Some(&'/') => while chars.next_if(|c| *c != '\n').is_some() {},
            'r' if !last.is_alphanumeric()
                && last != '_'
                && matches!(chars.peek(), Some('"' | '#')) =>
            {
                let mut hashes = 0;
                while chars.next_if_eq(&'#').is_some() {
                    hashes += 1;
                }
                if chars.next_if_eq(&'"').is_none() {
                    code.push('r');
                } else {
                    let mut closing = None;
                    for c in chars.by_ref() {
                        closing = match (c, closing) {
                            ('"', _) => Some(0),
                            ('#', Some(seen)) => Some(seen + 1),
                            _ => None,
                        };
                        if c == '\n' {
                            code.push('\n');
                        }
                        if closing == Some(hashes) {
                            break;
                        }
                    }
                }
            }
            '"' => {
                code.push('"');
                while let Some(c) = chars.next() {
                    match c {
                        '\\' if chars.next() == Some('\n') => {
                            code.push('\n');
                        }
                        '\n' => code.push('\n'),
                        '"' => break,
                        _ => {}
                    }
                }
                code.push('"');
            }
            '\'' => {
                // A character, or a lifetime, which has no closing quote near.
                let ahead: Vec<char> = chars.clone().take(2).collect();
                if ahead.first() == Some(&'\\') {
                    chars.next();
                    chars.next();
                    while chars.next_if(|c| *c != '\'').is_some() {}
                    chars.next();
                } else if ahead.get(1) == Some(&'\'') {
                    chars.next();
                    chars.next();
                }
            }
            c => code.push(c),
        }
        last = c;
    }
    match code.find("#[cfg(test)]") {
        Some(at)
            if code[at..]
                .lines()
                .nth(1)
                .is_some_and(|line| line.contains("mod tests")) =>
        {
            code.truncate(at);
        }
        _ => {}
    }
    code
}

/// Whether `line` has `word` as a word of its own.
fn has_word(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let is_cut = word.ends_with(is_part) && line[at + word.len()..].starts_with(is_part);
        !line[..at].ends_with(is_part) && !is_cut
    })
}

/// Whether `line` names the path `path`: as it is, or within braces after its first part.
fn has_path(line: &str, path: &str) -> bool {
    let braces = || {
        path.split_once("::").is_some_and(|(head, tail)| {
            line.contains(&format!("{head}::{{")) && has_word(line, tail)
        })
    };
    has_word(line, path) || braces()
}

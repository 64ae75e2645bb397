//! Everything that CI runs, step by step. A step that fails stops only those that need its result; the
//! closing line sums what the test runners and the steps said.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::Result;

use crate::step::{Outcome, Step, say, stopped};
use crate::toolchain::{self, Toolchain};
use crate::{install, play, versus, web};

/// Modules of the test package with steps of their own.
const APART: [&str; 9] = [
    "against::",
    "foreign::",
    "kazoo::",
    "pipeline::",
    "wasm::",
    "protocol::",
    "cluster::",
    "members::",
    "swarm::",
];
/// How many seeds the swarm runs in the inner loop.
const QUICK_SEEDS: &str = "30";
/// How long it runs seeds otherwise (rule R36).
const SWARM_SECONDS: &str = "240";
/// Lines of tests that begin like this are figures for people.
const FIGURE: &str = "* ";

/// `cargo xtask test`: exit code 1 when anything failed.
pub(crate) fn test(quick: bool) -> Result<ExitCode> {
    let started = Instant::now();
    let mut report = Report::default();
    report.step("format", || {
        Step::cargo("format", &["fmt", "--all", "--check"])
            .advice("run `cargo fmt --all`")
            .run()
    });
    report.step("clippy", clippy);
    report.step("clippy of the server as it is shipped", || {
        let what = "clippy of the server as it is shipped";
        let packages = [
            "clippy",
            "--all-targets",
            "-p",
            "otterkeeper",
            "-p",
            "otterkeeper-core",
        ];
        Step::cargo(what, &packages)
            .args(&["--", "-D", "warnings"])
            .run()
    });
    report.tests(Step::cargo(
        "unit tests",
        &[
            "test",
            "--no-fail-fast",
            "-p",
            "otterkeeper-core",
            "-p",
            "otterkeeper",
            "-p",
            "otterkeeper-web",
            "-p",
            "xtask",
        ],
    ));
    report.tests(suite(quick));
    if !quick {
        report.tests(swarm());
    }
    if quick {
        report.skip("documentation, bare-metal build, page, server");
    } else {
        report.step("documentation", || {
            Step::cargo(
                "documentation",
                &[
                    "doc",
                    "--workspace",
                    "--no-deps",
                    "--document-private-items",
                ],
            )
            .env("RUSTDOCFLAGS", "-D warnings")
            .run()
        });
        report.step("the core without a standard library", bare);
        if let Some(wasm) = report.step("the core as wasm", digest) {
            let wasm = wasm.as_os_str();
            report.tests(alone("wasm", "wasm::").env("OTTERKEEPER_DIGEST_WASM", wasm));
        }
        report.step("node", || install::node("for the page and its tests"));
        let page = report.step("page", web::build);
        if let Some(page) = page {
            if let Some(server) = report.step("server", play::build_server) {
                processes(&mut report, &server);
            }
            if let Some(step) = report.step("browser and its driver", || browser(&page)) {
                report.tests(step);
            }
        }
    }
    say(&format!("took {} s", started.elapsed().as_secs()));
    Ok(report.close())
}

/// `cargo xtask test --against-zookeeper`: the real thing beside ours. It takes minutes and needs Java, so it is no
/// part of what CI runs.
pub(crate) fn against_zookeeper() -> Result<ExitCode> {
    let mut report = Report::default();
    let server = report.step("server", versus::build_server);
    let jars = report.step("ZooKeeper", versus::zookeeper);
    if let (Some(server), Some(jars)) = (server, jars) {
        let step = alone("against ZooKeeper", "against::")
            .env("OTTERKEEPER_BIN", server)
            .env("OTTERKEEPER_ZOOKEEPER", jars);
        report.tests(step);
    }
    Ok(report.close())
}

/// Real processes, one cluster after the other: they would disturb each other's clocks.
fn processes(report: &mut Report, server: &Path) {
    report.step("three nodes, each written through", || {
        play::check_all(server)
    });
    report.tests(alone("protocols", "protocol::").env("OTTERKEEPER_BIN", server));
    report.tests(alone("promises of the protocol", "pipeline::").env("OTTERKEEPER_BIN", server));
    report.tests(alone("another client", "foreign::").env("OTTERKEEPER_BIN", server));
    report.tests(alone("members", "members::").env("OTTERKEEPER_BIN", server));
    if let Some(python) = report.step("kazoo", install::python_with_kazoo) {
        report.tests(
            alone("processes", "cluster::")
                .env("OTTERKEEPER_BIN", server)
                .env("OTTERKEEPER_PYTHON", &python),
        );
        report.tests(
            alone("kazoo's recipes", "kazoo::")
                .env("OTTERKEEPER_BIN", server)
                .env("OTTERKEEPER_PYTHON", &python),
        );
    }
}

/// The page in headless Chromium.
fn browser(page: &Path) -> Result<Step> {
    install::chromium()?;
    let playwright = install::playwright()?;
    Ok(Step::new("browser", "node")
        .args(&["--test", "--test-reporter=tap", "tests/browser.mjs"])
        .env("OTTERKEEPER_WWW", page)
        .env("OTTERKEEPER_PLAYWRIGHT", playwright)
        .env("OTTERKEEPER_AXE", install::axe()?))
}

/// Warnings are errors, in the tests too; the page is checked as a native program.
fn clippy() -> Result<Outcome> {
    Step::cargo(
        "clippy",
        &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ],
    )
    .advice("`cargo clippy --workspace --all-targets` shows the same warnings")
    .run()
}

/// The test package and the page's own tests.
fn suite(quick: bool) -> Step {
    let packages = [
        "test",
        "--no-fail-fast",
        "-p",
        "otterkeeper-tests",
        "-p",
        "otterkeeper-web",
    ];
    let step = Step::cargo("stories, swarm, planted bugs and tidiness", &packages);
    if quick {
        return step.env("OTTERKEEPER_SEEDS", QUICK_SEEDS);
    }
    // These have steps of their own.
    APART.iter().fold(step.args(&["--"]), |step, module| {
        step.args(&["--skip", module])
    })
}

/// Random clusters on all cores for as long as they are given: first the seeds that once found
/// something, then fresh ones. The commit says from where on, so each commit runs others, and running it
/// again runs the same.
fn swarm() -> Step {
    let from = seeds_of(&commit().unwrap_or_default());
    say(&format!("     seeds from {from} on"));
    Step::cargo(
        "swarm",
        &[
            "test",
            "-p",
            "otterkeeper-tests",
            "--",
            "--nocapture",
            "swarm::",
        ],
    )
    .env("OTTERKEEPER_SECONDS", SWARM_SECONDS)
    .env("OTTERKEEPER_FROM", from.to_string())
}

/// The commit that is checked out, if there is one and git is here to say so.
fn commit() -> Option<String> {
    let told = Command::new("git")
        .args(["rev-parse", "HEAD"])
        .current_dir(crate::root())
        .output()
        .ok()?;
    String::from_utf8(told.stdout).ok()
}

/// The first of a million seeds that belong to a commit.
fn seeds_of(commit: &str) -> u64 {
    let digits = commit.get(..8).unwrap_or_default();
    u64::from_str_radix(digits, 16).unwrap_or(1) * 1_000_000
}

/// One of the test modules that need more than a compiler, its tests one after the other.
fn alone(what: &str, module: &str) -> Step {
    Step::cargo(
        what,
        &[
            "test",
            "-p",
            "otterkeeper-tests",
            "--",
            "--ignored",
            "--nocapture",
        ],
    )
    .args(&["--test-threads=1", module])
}

/// The core as bare wasm, for comparing digests.
fn digest() -> Result<PathBuf> {
    if !install::has("node") {
        install::debian(&["nodejs"], "to run the core as wasm")?;
    }
    let package = ["--release", "-p", "otterkeeper-digest"];
    Toolchain::find(toolchain::PAGE)?
        .build(
            "the core as wasm",
            toolchain::PAGE,
            "std,panic_abort",
            &package,
        )
        .run()?;
    Ok(toolchain::folder()
        .join(toolchain::PAGE)
        .join("release/otterkeeper_digest.wasm"))
}

/// The core needs `core` and `alloc` and nothing else.
fn bare() -> Result<Outcome> {
    Toolchain::find(toolchain::BARE)?
        .build(
            "bare-metal build",
            toolchain::BARE,
            "core,alloc",
            &["-p", "otterkeeper-core"],
        )
        .run()
}

/// What passed and what did not.
#[derive(Default)]
struct Report {
    passed: u64,
    failed: u64,
    skipped: u64,
    /// The failures in words, to be read again at the end of a long run.
    failures: Vec<String>,
}

impl Report {
    /// Runs a step that counts as one, and gives what it made.
    fn step<T>(&mut self, what: &str, run: impl FnOnce() -> Result<T>) -> Option<T> {
        if stopped() {
            self.skip(what);
            return None;
        }
        match run() {
            Ok(made) => {
                self.passed += 1;
                Some(made)
            }
            Err(error) => {
                self.fail(1, &format!("{error:#}"));
                None
            }
        }
    }

    /// Runs a step that counts its tests by itself.
    fn tests(&mut self, step: Step) {
        if stopped() {
            return self.skip("tests");
        }
        let outcome = match step.attempt() {
            Ok(outcome) => outcome,
            Err(error) => return self.fail(1, &format!("{error:#}")),
        };
        let counts = Counts::read(&outcome.output);
        self.passed += counts.passed;
        self.skipped += counts.ignored;
        for line in outcome
            .output
            .lines()
            .filter(|line| line.starts_with(FIGURE))
        {
            say(&format!("     {line}"));
        }
        if !outcome.status.success() {
            for test in failed(&outcome.output) {
                say(&test);
                let name = test.lines().next().unwrap_or_default();
                self.failures.push(format!("{}: {name}", outcome.what));
            }
            // A runner that failed without a failed test did not compile or was ended.
            self.fail(counts.failed.max(1), &format!("{:#}", outcome.into_error()));
        }
    }

    fn fail(&mut self, count: u64, text: &str) {
        say(text);
        self.failed += count;
        self.failures
            .push(text.lines().next().unwrap_or_default().to_owned());
    }

    fn skip(&mut self, what: &str) {
        say(&format!("skip {what}"));
        self.skipped += 1;
    }

    fn close(self) -> ExitCode {
        for failure in &self.failures {
            say(&format!("FAIL {failure}"));
        }
        say(&format!(
            "{} passed, {} failed, {} skipped",
            self.passed, self.failed, self.skipped
        ));
        if self.failed == 0 && !stopped() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

/// The tests that failed, by name, each with what the runner says of it there: node tells why below the
/// name, Rust's runner at its end.
fn failed(output: &str) -> Vec<String> {
    let mut tests = Vec::new();
    let mut lines = output.lines();
    while let Some(line) = lines.next() {
        if let Some(name) = line
            .strip_prefix("test ")
            .and_then(|rest| rest.strip_suffix(" ... FAILED"))
        {
            tests.push(name.to_owned());
        } else if let Some((number, name)) = line
            .trim_start()
            .strip_prefix("not ok ")
            .and_then(|rest| rest.split_once(" - "))
            && number.bytes().all(|digit| digit.is_ascii_digit())
        {
            let why: Vec<&str> = lines
                .by_ref()
                .take_while(|line| line.trim() != "...")
                .collect();
            // A suite fails with its tests and has nothing of its own to say.
            if !why.iter().any(|line| line.contains("'subtestsFailed'")) {
                tests.push(format!("{name}\n{}", why.join("\n")));
            }
        }
    }
    tests
}

/// The sums of what test runners said: Rust's in its `test result:` lines, node's in its last ones.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Counts {
    fn read(output: &str) -> Self {
        let mut counts = Self::default();
        for line in output.lines() {
            if let Some(result) = line.strip_prefix("test result: ") {
                // "ok. 3 passed; 0 failed; 1 ignored; ..."
                let parts = result.split_once(". ").map_or(result, |(_, parts)| parts);
                for (number, kind) in parts.split("; ").filter_map(|part| part.split_once(' ')) {
                    counts.add(kind, number);
                }
            } else if let Some((kind, number)) =
                line.strip_prefix("# ").and_then(|l| l.split_once(' '))
            {
                counts.add(kind, number);
            }
        }
        counts
    }

    fn add(&mut self, kind: &str, number: &str) {
        let sum = match kind {
            "passed" | "pass" => &mut self.passed,
            "failed" | "fail" | "cancelled" => &mut self.failed,
            "ignored" | "skipped" => &mut self.ignored,
            _ => return,
        };
        *sum += number.parse().unwrap_or(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_has_seeds_of_its_own() {
        assert_eq!(seeds_of("0000002adeadbeef"), 42_000_000);
        assert_eq!(seeds_of(""), 1_000_000);
    }

    #[test]
    fn failed_tests_are_named() {
        let output = "# Subtest: page\n\
            \x20   # Subtest: loads\n\
            \x20   ok 1 - loads\n\
            \x20   # Subtest: heals - and is whole\n\
            \x20   not ok 2 - heals - and is whole\n\
            \x20     ---\n\
            \x20     error: '1 !== 2'\n\
            \x20     ...\n\
            not ok 1 - page\n\
            \x20 ---\n\
            \x20 failureType: 'subtestsFailed'\n\
            \x20 ...\n\
            test upgrade::old_log ... ok\n\
            test upgrade::new_log ... FAILED\n";
        assert_eq!(
            failed(output),
            [
                "heals - and is whole\n      ---\n      error: '1 !== 2'",
                "upgrade::new_log"
            ]
        );
    }

    #[test]
    fn the_runner_s_lines_are_summed() {
        let output = "running 4 tests\n\
            test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0s\n\
            test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out\n";
        assert_eq!(
            Counts::read(output),
            Counts {
                passed: 4,
                failed: 2,
                ignored: 1
            }
        );
    }
}

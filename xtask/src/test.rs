//! Everything that CI runs, step by step. A step that fails does not stop the others; the closing
//! line sums what the test runners and the steps said.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;

use crate::step::{Outcome, Step, say, stopped};
use crate::toolchain::{self, Toolchain};
use crate::web;

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
            "xtask",
        ],
    ));
    report.tests(suite(quick));
    if quick {
        report.skip("documentation, bare-metal build and page");
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
        report.step("page", web::build);
    }
    say(&format!("took {} s", started.elapsed().as_secs()));
    Ok(report.close())
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
        step.env("OTTERKEEPER_QUICK", "1")
    } else {
        step
    }
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
    /// Runs a step that counts as one.
    fn step<T>(&mut self, what: &str, run: impl FnOnce() -> Result<T>) {
        if stopped() {
            return self.skip(what);
        }
        match run() {
            Ok(_) => self.passed += 1,
            Err(error) => self.fail(1, &format!("{error:#}")),
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
        if !outcome.status.success() {
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

/// The sums of all `test result:` lines of Rust's test runner.
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
            let Some(result) = line.strip_prefix("test result: ") else {
                continue;
            };
            // "ok. 3 passed; 0 failed; 1 ignored; ..."
            let parts = result.split_once(". ").map_or(result, |(_, parts)| parts);
            for part in parts.split("; ") {
                match part.split_once(' ') {
                    Some((number, "passed")) => counts.passed += number.parse().unwrap_or(0),
                    Some((number, "failed")) => counts.failed += number.parse().unwrap_or(0),
                    Some((number, "ignored")) => counts.ignored += number.parse().unwrap_or(0),
                    _ => {}
                }
            }
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

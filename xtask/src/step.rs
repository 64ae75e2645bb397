//! Running other programs: what runs and for how long is on the screen, everything they say is in a
//! file, and a failure names the command, the last lines and what to do. Also the signals: whoever
//! stops `xtask` stops the program that it is running.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader, IsTerminal, Write, pipe};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};

/// How often a step that runs without a terminal says that it is still there.
const SIGN_OF_LIFE: Duration = Duration::from_secs(30);
/// A step that takes longer than this hangs.
const LIMIT: Duration = Duration::from_secs(30 * 60);
/// How many lines of a failed step are shown.
const TAIL_LINES: usize = 60;

/// One command with a name for people.
pub(crate) struct Step {
    what: String,
    command: Command,
    advice: String,
    limit: Duration,
    quiet: bool,
}

/// What a step that ran to its end said.
pub(crate) struct Outcome {
    pub(crate) status: ExitStatus,
    pub(crate) output: String,
    pub(crate) what: String,
    typed: String,
    advice: String,
    log: String,
}

impl Step {
    /// A step called `what` that runs `program` in the folder of the workspace.
    pub(crate) fn new(what: &str, program: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(program);
        command.current_dir(crate::root());
        Self {
            what: what.to_owned(),
            command,
            advice: String::new(),
            limit: LIMIT,
            quiet: false,
        }
    }

    /// `cargo` as it was called to run this program. What it builds is looked for below `target`, also where
    /// somebody's settings name another folder.
    pub(crate) fn cargo(what: &str, arguments: &[&str]) -> Self {
        Self::new(
            what,
            std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()),
        )
        .args(arguments)
        .env("CARGO_TARGET_DIR", crate::root().join("target"))
    }

    pub(crate) fn args<S: AsRef<OsStr>>(mut self, arguments: &[S]) -> Self {
        self.command.args(arguments);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn without_env(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// What someone should do when this fails.
    pub(crate) fn advice(mut self, advice: &str) -> Self {
        advice.clone_into(&mut self.advice);
        self
    }

    /// Ends the command when it takes longer.
    pub(crate) fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Shows nothing unless it takes long or fails.
    pub(crate) fn quiet(mut self) -> Self {
        self.quiet = true;
        self
    }

    /// Runs the command; an exit code other than 0 is an error that explains itself.
    pub(crate) fn run(self) -> Result<Outcome> {
        let outcome = self.attempt()?;
        if outcome.status.success() {
            Ok(outcome)
        } else {
            Err(outcome.into_error())
        }
    }

    /// Runs the command to its end, whatever its exit code is.
    pub(crate) fn attempt(mut self) -> Result<Outcome> {
        let typed = typed(&self.command);
        let log = log_name(&self.what);
        let started = Instant::now();
        let (mut child, lines) = self
            .spawn()
            .with_context(|| format!("cannot start `{typed}`{}", hint(&self.advice)))?;
        let mut file = File::create(crate::root().join(&log)).context("cannot write a log file")?;
        let screen = Screen::new(&self.what, self.quiet);
        let mut output = String::new();
        let mut next_sign = SIGN_OF_LIFE;
        let mut late = false;
        loop {
            match lines.recv_timeout(Duration::from_millis(500)) {
                Ok(line) => {
                    screen.line(&line);
                    writeln!(file, "{line}").context("cannot write a log file")?;
                    output.push_str(&line);
                    output.push('\n');
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if started.elapsed() > next_sign {
                screen.sign_of_life(started.elapsed(), output.lines().last().unwrap_or_default());
                next_sign += SIGN_OF_LIFE;
            }
            if started.elapsed() > self.limit && !late {
                late = true;
                stop(&child, libc::SIGKILL);
            }
        }
        let status = child.wait().context("lost a child process")?;
        reaped(&child);
        screen.end(status.success(), started.elapsed());
        if STOPPED.load(Ordering::SeqCst) {
            bail!("stopped while running `{typed}`");
        }
        if late {
            output.push_str(&format!(
                "took longer than {} s and was ended\n",
                self.limit.as_secs()
            ));
        }
        Ok(Outcome {
            status,
            output,
            what: self.what,
            typed,
            advice: self.advice,
            log,
        })
    }

    /// Starts the command and gives its lines, both streams in one.
    fn spawn(&mut self) -> Result<(Child, std::sync::mpsc::Receiver<String>)> {
        std::fs::create_dir_all(crate::target("xtask"))?;
        let (reader, writer) = pipe()?;
        self.command
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer);
        let child = spawn(&mut self.command)?;
        // The command keeps its copy of the pipe's end; as long as it does, the reader sees no end.
        self.command.stdout(Stdio::null()).stderr(Stdio::null());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            let mut reader = BufReader::new(reader);
            let mut line = Vec::new();
            while reader
                .read_until(b'\n', &mut line)
                .is_ok_and(|read| read > 0)
            {
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                line.clear();
                if sender.send(text).is_err() {
                    break;
                }
            }
        });
        Ok((child, lines))
    }
}

impl Outcome {
    /// The failure in words: the command, what it said last, what to do.
    pub(crate) fn into_error(self) -> anyhow::Error {
        let mut tail = VecDeque::new();
        for line in self.output.lines() {
            if tail.len() == TAIL_LINES {
                tail.pop_front();
            }
            tail.push_back(line);
        }
        let shown: String = tail.iter().map(|line| format!("  | {line}\n")).collect();
        anyhow::anyhow!(
            "{} failed ({})\n  command: {}\n{shown}  all it said: {}{}",
            self.what,
            self.status,
            self.typed,
            self.log,
            hint(&self.advice)
        )
    }
}

/// Starts a program in a process group of its own, which a signal to this process then ends.
pub(crate) fn spawn(command: &mut Command) -> Result<Child> {
    let child = command.process_group(0).spawn()?;
    running().push(child.id().cast_signed());
    Ok(child)
}

/// Tells that `child` has been waited for: its number may belong to somebody else from now on.
pub(crate) fn reaped(child: &Child) {
    running().retain(|group| *group != child.id().cast_signed());
}

fn running() -> MutexGuard<'static, Vec<i32>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sends `signal` to the process group that `child` leads.
pub(crate) fn stop(child: &Child, signal: i32) {
    // SAFETY: kill reads two integers; the group is the child's own and the child is not yet reaped.
    unsafe { libc::kill(-child.id().cast_signed(), signal) };
}

/// Whether someone asked this process to stop.
pub(crate) fn stopped() -> bool {
    STOPPED.load(Ordering::SeqCst)
}

/// From now on Ctrl-C and SIGTERM end the running program first; a second one ends this process.
pub(crate) fn listen_for_signals() -> Result<()> {
    ctrlc::set_handler(|| {
        let groups = running();
        if groups.is_empty() || STOPPED.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
        for group in groups.iter() {
            // SAFETY: as in `stop`; a group leaves the list when its child has been reaped.
            unsafe { libc::kill(-group, libc::SIGTERM) };
        }
    })
    .context("cannot listen for Ctrl-C")
}

/// Whether the standard output is for a result alone.
static ASIDE: AtomicBool = AtomicBool::new(false);

/// From now on everything for the screen goes to the standard error, so that a program can read the result.
pub(crate) fn aside() {
    ASIDE.store(true, Ordering::SeqCst);
}

/// A line for the screen about something that is not a command.
pub(crate) fn say(what: &str) {
    if ASIDE.load(Ordering::SeqCst) {
        eprintln!("{what}");
    } else {
        println!("{what}");
    }
}

/// The process groups that a signal ends.
static RUNNING: Mutex<Vec<i32>> = Mutex::new(Vec::new());
static STOPPED: AtomicBool = AtomicBool::new(false);

/// One step's lines: a spinner on a terminal, plain lines elsewhere.
struct Screen {
    what: String,
    quiet: bool,
    bar: Option<ProgressBar>,
}

impl Screen {
    fn new(what: &str, quiet: bool) -> Self {
        let bar = std::io::stdout().is_terminal().then(|| {
            let style =
                ProgressStyle::with_template("{spinner} {prefix} {elapsed} {wide_msg:.dim}")
                    .expect("a fixed template");
            let bar = ProgressBar::new_spinner()
                .with_style(style)
                .with_prefix(what.to_owned());
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        if bar.is_none() && !quiet {
            say(&format!(".... {what}"));
        }
        Self {
            what: what.to_owned(),
            quiet,
            bar,
        }
    }

    fn line(&self, line: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(line.to_owned());
        }
    }

    fn sign_of_life(&self, elapsed: Duration, line: &str) {
        if self.bar.is_none() {
            say(&format!(
                ".... {} ({} s so far) {}",
                self.what,
                elapsed.as_secs(),
                line.trim()
            ));
        }
    }

    fn end(&self, success: bool, elapsed: Duration) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        if !success || !self.quiet {
            let word = if success { "ok  " } else { "FAIL" };
            say(&format!(
                "{word} {} ({:.1} s)",
                self.what,
                elapsed.as_secs_f64()
            ));
        }
    }
}

/// The command as someone would type it.
fn typed(command: &Command) -> String {
    let mut words = Vec::new();
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            words.push(format!("{}={}", name.to_string_lossy(), quoted(value)));
        }
    }
    words.push(quoted(command.get_program()));
    words.extend(command.get_args().map(quoted));
    words.join(" ")
}

fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

fn hint(advice: &str) -> String {
    if advice.is_empty() {
        String::new()
    } else {
        format!("\n  what to do: {advice}")
    }
}

/// Where the output of a step goes, seen from the folder of the workspace.
fn log_name(what: &str) -> String {
    let name: String = what
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    format!("target/xtask/{name}.log")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_the_command_the_last_line_and_the_remedy() {
        let step = Step::new("a test", "sh")
            .args(&["-c", "echo spoken; exit 3"])
            .quiet();
        let Err(error) = step.advice("try again").run() else {
            panic!("exit code 3 is a failure")
        };
        let text = format!("{error}");
        for part in [
            "sh -c 'echo spoken; exit 3'",
            "| spoken",
            "what to do: try again",
        ] {
            assert!(text.contains(part), "{part:?} is missing in {text}");
        }
    }

    #[test]
    fn a_step_that_hangs_is_ended_together_with_its_children() {
        let step = Step::new("a hang", "sh")
            .args(&["-c", "sleep 600 & sleep 600"])
            .quiet();
        let outcome = step
            .limit(Duration::from_millis(10))
            .attempt()
            .expect("it starts");
        assert!(!outcome.status.success());
        assert!(outcome.output.contains("took longer"));
    }
}

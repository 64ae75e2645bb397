//! `otterkeeper lock`: runs a command while a lock is held, and stops it when the lock may be another's.

use core::pin::{Pin, pin};
use core::time::Duration;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitCode, ExitStatus};

use bytes::Bytes;
use otterkeeper_core::id::Index;
use otterkeeper_core::path;
use otterkeeper_core::recipe::lock::{Kind, Lock, Told};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep_until};

use crate::client::{ClientError, Running, unique};

use super::remote::{Failure, Remote, Session, complain, stopped};

/// The lock was not had, or was lost while the command ran; `timeout` and `env` use numbers nearby.
const NOT_HELD: u8 = 125;
/// The command cannot be run.
const NO_COMMAND: u8 = 127;
/// How long a command that is told to end is given to do so.
const GRACE: Duration = Duration::from_secs(5);

/// What a command that runs under a lock is told, and when it is stopped.
#[derive(clap::Args)]
pub(crate) struct Guarded {
    /// Give up when it is not ours after so many seconds.
    #[arg(long, value_name = "SECONDS")]
    wait: Option<u64>,
    /// Let the command run on when the session may have expired, and only warn. It must show its token
    /// wherever it acts.
    #[arg(long)]
    warn: bool,
    /// The command and its arguments. It finds the fencing token in OTTERKEEPER_TOKEN.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Run a command while holding a lock.
///
/// The command's exit code is that of this command; 125 says that the lock was not had or was lost.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    remote: Remote,
    /// Share the lock with others who ask for it with --read.
    #[arg(long, conflicts_with = "write")]
    read: bool,
    /// Keep out those who ask for it with --read as well.
    #[arg(long)]
    write: bool,
    /// The lock: a path, or a name below /locks.
    #[arg(value_name = "NAME", value_parser = |text: &str| place("/locks", text))]
    path: String,
    // After the name, as on the command line.
    #[command(flatten)]
    guarded: Guarded,
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args {
        remote,
        read,
        write,
        guarded,
        path,
    } = args;
    let kind = match (read, write) {
        (true, _) => Kind::Read,
        (_, true) => Kind::Write,
        _ => Kind::Exclusive,
    };
    remote.run(async |session| {
        let mut lock = session.client.run(Lock::new(&path, kind, unique(), name()));
        guarded.run(session, &mut lock).await
    })
}

/// A path, or a name below one.
pub(crate) fn place(parent: &str, text: &str) -> Result<String, String> {
    let path = if text.starts_with('/') {
        text.to_owned()
    } else {
        format!("{parent}/{text}")
    };
    if path::is_valid(&path) && path != "/" {
        return Ok(path);
    }
    Err(format!(
        "expected a path, as /locks/backup, or a name, which is meant below {parent}"
    ))
}

/// Who we are, for people who look at the contenders.
pub(crate) fn name() -> Bytes {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    Bytes::from(format!("{}-{}", host.trim(), std::process::id()))
}

impl Guarded {
    /// Waits for the lock and runs the command under it.
    pub(crate) async fn run(
        &self,
        session: &mut Session<'_>,
        lock: &mut Running<Lock>,
    ) -> Result<(), Failure> {
        // Listened to from here on, so that no signal falls between two waits.
        let mut stop = pin!(stopped());
        let token = self.acquire(session, lock, stop.as_mut()).await?;
        let outcome = self.under(lock, token, stop).await;
        release(lock).await;
        outcome
    }

    async fn acquire(
        &self,
        session: &mut Session<'_>,
        lock: &mut Running<Lock>,
        mut stop: Pin<&mut impl Future<Output = ()>>,
    ) -> Result<Index, Failure> {
        let limit = self
            .wait
            .map(|seconds| Instant::now() + Duration::from_secs(seconds));
        let path = lock.recipe().path().to_owned();
        lock.act(Lock::acquire);
        loop {
            tokio::select! {
                biased;
                told = lock.told() => match told {
                    Some(Told::Acquired { token }) => return Ok(token),
                    Some(Told::Failed(error)) => return Err(Failure::Refused { error, path }),
                    Some(_) => {}
                    None => return Err(ClientError::Lost("the client is closed").into()),
                },
                event = session.next() => {
                    let event = event?;
                    session.mention(&event);
                }
                () = sleep_until(limit.unwrap_or_else(Instant::now)), if limit.is_some() => {
                    release(lock).await;
                    complain(&format!(
                        "{path} is held by another one; `otterkeeper ls {path}` lists who waits, wait longer with --wait"
                    ));
                    return Err(Failure::Said(NOT_HELD));
                }
                () = stop.as_mut() => {
                    release(lock).await;
                    return Err(Failure::Said(NOT_HELD));
                }
            }
        }
    }

    async fn under(
        &self,
        lock: &mut Running<Lock>,
        token: Index,
        mut stop: Pin<&mut impl Future<Output = ()>>,
    ) -> Result<(), Failure> {
        let path = lock.recipe().path().to_owned();
        let [program, arguments @ ..] = &self.command[..] else {
            return Err(Failure::Said(NO_COMMAND));
        };
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env("OTTERKEEPER_TOKEN", token.to_string())
            .env("OTTERKEEPER_LOCK", &path)
            .kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| {
            complain(&format!(
                "cannot run {}: {error}",
                program.to_string_lossy()
            ));
            Failure::Said(NO_COMMAND)
        })?;
        let mut end = None;
        let mut is_lost = false;
        loop {
            tokio::select! {
                biased;
                status = child.wait() => {
                    let code = exit_code(status.map_err(Failure::Output)?);
                    return match code {
                        _ if is_lost => Err(Failure::Said(NOT_HELD)),
                        0 => Ok(()),
                        code => Err(Failure::Said(code)),
                    };
                }
                told = lock.told(), if !is_lost => match told {
                    Some(Told::Doubtful) if self.warn => complain(&format!(
                        "the session may have expired, and {path} may be held by another one by now; \
                         token {token} tells them apart"
                    )),
                    Some(Told::Confirmed) => eprintln!("{path} is still ours"),
                    Some(Told::Lost) if self.warn => {
                        is_lost = true;
                        complain(&format!("{path} is lost; the command runs on"));
                    }
                    Some(Told::Doubtful | Told::Lost) | None => {
                        is_lost = true;
                        complain(&format!("{path} may be held by another one by now; ending the command"));
                        end.get_or_insert_with(|| Instant::now() + GRACE);
                        terminate(&child);
                    }
                    Some(_) => {}
                },
                () = stop.as_mut(), if end.is_none() => {
                    end = Some(Instant::now() + GRACE);
                    terminate(&child);
                }
                () = sleep_until(end.unwrap_or_else(Instant::now)), if end.is_some() => {
                    // It has had its time. `wait` tells when it is gone.
                    let _ = child.start_kill();
                    end = Some(Instant::now() + GRACE);
                }
            }
        }
    }
}

/// Gives the lock back, if it is not lost, and waits for that.
async fn release(lock: &mut Running<Lock>) {
    lock.act(Lock::release);
    while !lock.recipe().is_idle() {
        // Without a server it goes when the session expires.
        let told = tokio::time::timeout(GRACE, lock.told()).await;
        if !matches!(told, Ok(Some(_))) {
            return;
        }
    }
}

/// Asks a command to end.
fn terminate(child: &Child) {
    let Some(id) = child.id().and_then(|id| i32::try_from(id).ok()) else {
        return;
    };
    // SAFETY: a signal to a child of ours that nobody has waited for yet.
    let _ = unsafe { libc::kill(id, libc::SIGTERM) };
}

/// Asks a command to end, waits a while, and then makes it.
pub(super) async fn end(child: &mut Child) -> io::Result<ExitStatus> {
    terminate(child);
    match tokio::time::timeout(GRACE, child.wait()).await {
        Ok(status) => status,
        Err(_) => {
            child.kill().await?;
            child.wait().await
        }
    }
}

/// As shells count: 128 and the signal's number for a command that a signal has ended.
pub(super) fn exit_code(status: ExitStatus) -> u8 {
    let code = status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    u8::try_from(code).unwrap_or(u8::MAX)
}

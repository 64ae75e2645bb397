//! The longest time without a successful write while a server dies. One client writes without
//! pause; a lost connection or too long a silence sends it to the next server, where it takes its
//! session up again.

use core::net::SocketAddr;
use core::time::Duration;
use std::io;
use std::thread;
use std::time::Instant;

use super::link::{self, Link, Mode};
use super::wire::{Session, Template};

/// An answer later than this is given up.
const SILENCE: Duration = Duration::from_millis(500);
/// Between attempts to connect.
const PAUSE: Duration = Duration::from_millis(5);

pub(super) struct Plan<'a> {
    pub(super) servers: &'a [SocketAddr],
    pub(super) write: Template,
    pub(super) keys: u32,
    pub(super) span: Duration,
    /// Which process to kill, and when.
    pub(super) kill: Option<(u32, Duration)>,
}

#[derive(Default)]
pub(super) struct Figures {
    pub(super) writes: u64,
    pub(super) longest_gap: Duration,
    /// When the longest gap began, from the start.
    pub(super) gap_began: Duration,
    /// Refused writes.
    pub(super) errors: u64,
    pub(super) lost_connections: u64,
    pub(super) lost_sessions: u64,
    /// When the process was killed, from the start.
    pub(super) killed: Option<Duration>,
}

pub(super) fn run(plan: &Plan<'_>) -> io::Result<Figures> {
    let mut figures = Figures::default();
    let mut server = first_server(plan.servers);
    let mut session = Session::default();
    let mut link = None;
    let start = Instant::now();
    let killer = plan.kill.map(|(pid, after)| {
        thread::spawn(move || {
            thread::sleep(after);
            kill_now(pid).map(|()| start.elapsed())
        })
    });
    let mut last = None;
    let mut count = 0_u32;
    while start.elapsed() < plan.span {
        let Some(open) = &mut link else {
            match Link::open(plan.servers[server], session, SILENCE) {
                Ok(open) => {
                    session = open.session();
                    link = Some(open);
                }
                Err(error) => {
                    if error.kind() == io::ErrorKind::NotFound {
                        figures.lost_sessions += 1;
                        session = Session::default();
                    }
                    server = (server + 1) % plan.servers.len();
                    thread::sleep(PAUSE);
                }
            }
            continue;
        };
        count = count.wrapping_add(1);
        match open.call(&plan.write, count % plan.keys, u64::from(count)) {
            Ok(0) => {
                let now = start.elapsed();
                let before = last.replace(now).unwrap_or(now);
                if figures.longest_gap < now - before {
                    figures.longest_gap = now - before;
                    figures.gap_began = before;
                }
                figures.writes += 1;
            }
            Ok(_) => figures.errors += 1,
            Err(_) => {
                figures.lost_connections += 1;
                link = None;
                server = (server + 1) % plan.servers.len();
            }
        }
    }
    // A silence that lasts until the end is a gap as well.
    let last = last.ok_or_else(|| io::Error::other("no write succeeded"))?;
    let end = start.elapsed();
    if figures.longest_gap < end - last {
        figures.longest_gap = end - last;
        figures.gap_began = last;
    }
    if let Some(open) = link {
        open.close();
    }
    if let Some(killer) = killer {
        let killed = killer
            .join()
            .map_err(|_| io::Error::other("the killing thread panicked"))?;
        figures.killed = Some(killed?);
    }
    Ok(figures)
}

/// A follower, so that the leader's death is seen as most clients see it.
fn first_server(servers: &[SocketAddr]) -> usize {
    let is_follower =
        |&server: &SocketAddr| link::mode(server).is_ok_and(|mode| mode == Mode::Follower);
    servers.iter().position(is_follower).unwrap_or(0)
}

/// kill -9.
fn kill_now(pid: u32) -> io::Result<()> {
    // SAFETY: a signal touches no memory of this process.
    match unsafe { libc::kill(pid.cast_signed(), libc::SIGKILL) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

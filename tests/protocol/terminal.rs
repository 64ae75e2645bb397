//! The shell on a terminal, as a person has it: keys are pressed in a pseudo-terminal, and what appears there is read.

use core::time::Duration;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use otterkeeper_tests::process::{Cluster, binary, otterkeeper};

/// How long something may take to appear; a loaded machine is slow.
const PATIENCE: Duration = Duration::from_secs(30);
/// What the line editor says when it begins to read keys one by one; the prompt comes with every redraw.
const READY: &str = "\x1b[?2004h";
const ENTER: &str = "\r";
const TAB: &str = "\t";
const UP: &str = "\x1b[A";
const CONTROL_C: &str = "\x03";
const CONTROL_D: &str = "\x04";

/// A shell, and the person before it.
struct Terminal {
    keys: File,
    shown: mpsc::Receiver<Vec<u8>>,
    /// What has appeared and was not looked at yet.
    unread: String,
    shell: Child,
}

impl Terminal {
    /// A shell at this server, whose history is kept below a folder.
    fn open(server: &str, state: &Path) -> Self {
        let (keys, screen) = pair();
        let mut command = Command::new(binary());
        command
            .args(["shell", "--server", server])
            .env("TERM", "xterm")
            .env("XDG_STATE_HOME", state)
            .env_remove("OTTERKEEPER_SERVER")
            .stdin(screen.try_clone().expect("a descriptor"))
            .stdout(screen.try_clone().expect("a descriptor"))
            .stderr(screen);
        // SAFETY: between fork and exec only two system calls that touch no memory of ours are made.
        unsafe {
            command.pre_exec(|| match libc::setsid() {
                -1 => Err(io::Error::last_os_error()),
                _ => match libc::ioctl(0, libc::TIOCSCTTY, 0) {
                    0 => Ok(()),
                    _ => Err(io::Error::last_os_error()),
                },
            });
        }
        let shell = command.spawn().expect("the shell starts");
        // Our copies of the screen go, so that it closes with the shell.
        drop(command);
        let mut from = keys.try_clone().expect("a descriptor");
        let (to, shown) = mpsc::channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = from.read(&mut buffer) {
                if to.send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            keys,
            shown,
            unread: String::new(),
            shell,
        }
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("it reads");
    }

    /// Waits until a text appears, and forgets all up to its end. False if it does not.
    fn appears(&mut self, text: &str, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        loop {
            if let Some(at) = self.unread.find(text) {
                self.unread.drain(..at + text.len());
                return true;
            }
            let left = until.saturating_duration_since(Instant::now());
            match self.shown.recv_timeout(left) {
                // Nothing but ASCII is typed and shown here.
                Ok(bytes) => self.unread.push_str(&String::from_utf8_lossy(&bytes)),
                Err(_) => return false,
            }
        }
    }

    fn shows(&mut self, text: &str) {
        let appeared = self.appears(text, PATIENCE);
        assert!(appeared, "no {text:?} in {:?}", self.unread);
    }

    /// Whether it ends by itself, and how.
    fn ends(mut self) -> Option<i32> {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.shell.try_wait().expect("it is a child") {
                return status.code();
            }
            assert!(Instant::now() < until, "the shell goes on");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

/// Both ends of a pseudo-terminal: the keyboard's, and the program's.
fn pair() -> (File, File) {
    let (mut keys, mut screen) = (-1, -1);
    let size = libc::winsize {
        ws_row: 24,
        ws_col: 80,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    let (name, modes) = (core::ptr::null_mut(), core::ptr::null());
    // SAFETY: two descriptors are written, a size is read, and the others may be null.
    let failed =
        unsafe { libc::openpty(&raw mut keys, &raw mut screen, name, modes, &raw const size) };
    assert_eq!(
        failed,
        0,
        "a pseudo-terminal: {}",
        io::Error::last_os_error()
    );
    // SAFETY: they were opened just now, and nobody else has them.
    let (keys, screen) = unsafe { (File::from_raw_fd(keys), File::from_raw_fd(screen)) };
    // SAFETY: it is open; only a flag of the descriptor changes.
    let failed = unsafe { libc::fcntl(keys.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) };
    assert_eq!(failed, 0, "the shell must not hold its own keyboard");
    (keys, screen)
}

#[test]
#[ignore = "needs a built server: cargo xtask test"]
fn the_shells_keys() {
    let cluster = Cluster::start(1);
    let server: &str = &cluster.member(0).http;
    let name = format!("otterkeeper-shell-{}", std::process::id());
    let state = std::env::temp_dir().join(name);
    let mut terminal = Terminal::open(server, &state);
    terminal.shows(READY);
    terminal.press("create /whiskers 'wet nose'\r");
    terminal.shows("Created /whiskers");
    terminal.shows(READY);

    // A path is completed, and so is a verb. Completion gives up when the server is slow, so one may press again.
    let completes = |terminal: &mut Terminal, line: &str| {
        const TRIES: usize = 10;
        let tries = (0..TRIES).any(|_| {
            terminal.press(TAB);
            terminal.appears(line, PATIENCE / 10)
        });
        assert!(tries, "no {line:?} in {:?}", terminal.unread);
    };
    terminal.press("get /whi");
    completes(&mut terminal, "get /whiskers");
    terminal.press(ENTER);
    terminal.shows("wet nose");
    terminal.shows(READY);
    terminal.press("vers");
    completes(&mut terminal, "version ");
    terminal.press(ENTER);
    terminal.shows(concat!("otterkeeper ", env!("CARGO_PKG_VERSION")));
    terminal.shows(READY);

    // The key up brings back what was typed: once the last line, twice the one before it.
    terminal.press(UP);
    terminal.shows("version");
    terminal.press(UP);
    terminal.shows("get /whiskers");
    terminal.press(ENTER);
    terminal.shows("wet nose");
    terminal.shows(READY);

    // Ctrl-C throws the line away and no more.
    terminal.press("delete /whiskers");
    terminal.shows("delete /whiskers");
    terminal.press(CONTROL_C);
    terminal.shows(READY);
    terminal.press("get /whiskers\r");
    terminal.shows("wet nose");
    terminal.shows(READY);

    // What says who one is, is not kept.
    terminal.press("addauth digest ann:secret\r");
    terminal.shows(READY);
    terminal.press("create -e /mine\r");
    terminal.shows("Created /mine");
    terminal.shows(READY);
    terminal.press(CONTROL_D);
    assert_eq!(terminal.ends(), Some(0));
    let gone = otterkeeper(&["get", "--server", server, "/mine"]);
    assert_eq!(gone.status.code(), Some(1), "the session was closed");

    // The next shell knows what was typed in this one.
    let kept = fs::read_to_string(state.join("otterkeeper/history")).expect("a history");
    assert!(
        kept.contains("get /whiskers") && !kept.contains("secret"),
        "{kept}"
    );
    let mut terminal = Terminal::open(server, &state);
    terminal.shows(READY);
    terminal.press(UP);
    terminal.shows("create -e /mine");
    terminal.press(CONTROL_C);
    terminal.shows(READY);
    terminal.press(CONTROL_D);
    assert_eq!(terminal.ends(), Some(0));
    fs::remove_dir_all(&state).expect("the history is there");
}

/// What a server logs on a terminal has no colours if none are wanted.
#[test]
#[ignore = "needs a built server: cargo xtask test"]
fn colours_only_where_they_are_wanted() {
    let name = format!("otterkeeper-colours-{}", std::process::id());
    let data = std::env::temp_dir().join(name);
    for (no_color, coloured) in [("", true), ("1", false)] {
        let (mut keys, screen) = pair();
        let mut command = Command::new(binary());
        command
            .args(["serve", "--id", "1", "--listen", "127.0.0.1:0"])
            .args(["--zk-listen", "off", "--data"])
            .arg(&data)
            .env("NO_COLOR", no_color)
            .stderr(screen);
        let mut server = command.spawn().expect("the server starts");
        drop(command);
        let (mut log, mut piece) = (String::new(), [0; 4096]);
        while !log.contains("started") {
            let count = keys.read(&mut piece).expect("it says so");
            log.push_str(&String::from_utf8_lossy(&piece[..count]));
        }
        server.kill().expect("it is a child");
        server.wait().expect("it is a child");
        assert_eq!(
            log.contains('\x1b'),
            coloured,
            "NO_COLOR={no_color}: {log:?}"
        );
    }
    let _ = fs::remove_dir_all(&data);
}

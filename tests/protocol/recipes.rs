//! The recipes on the command line against a real server: locks, elections, queues, groups, services and settings.
//! That they keep their promises is tested elsewhere; here it is what a person types and reads.

use core::time::Duration;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use otterkeeper_tests::process::{Cluster, binary, otterkeeper};
use serde_json::Value;

/// How long a command may take to say something; a loaded machine is slow.
const PATIENCE: Duration = Duration::from_secs(30);

/// A command that goes on until it is told to end, and its lines.
struct Background {
    child: Child,
    said: mpsc::Receiver<String>,
}

impl Background {
    fn start(args: &[&str]) -> Self {
        let child = Command::new(binary())
            .args(args)
            .env_remove("OTTERKEEPER_SERVER")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut child = child.expect("the command line starts");
        let stdout = child.stdout.take().expect("it is piped");
        let (to, said) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if to.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, said }
    }

    /// The next line that it prints.
    fn says(&self) -> String {
        self.said.recv_timeout(PATIENCE).expect("it says more")
    }

    /// SIGTERM, and how it ended.
    fn end(mut self) -> Option<i32> {
        // SAFETY: a signal to a child of ours that nobody has waited for yet.
        let sent = unsafe { libc::kill(self.child.id().cast_signed(), libc::SIGTERM) };
        assert_eq!(sent, 0, "the child was running");
        self.child.wait().expect("it is a child").code()
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Exit code and what was printed. The server is named behind the words that choose the command.
fn run(server: &str, words: usize, args: &[&str]) -> (Option<i32>, String) {
    let (words, rest) = args.split_at(words);
    let output = otterkeeper(&[words, &["--server", server], rest].concat());
    let text = String::from_utf8(output.stdout).expect("text");
    (output.status.code(), text.trim().to_owned())
}

/// Until a command says something with this in it.
fn until_said(args: &[&str], part: &str) {
    let until = Instant::now() + PATIENCE;
    loop {
        let output = otterkeeper(args);
        if String::from_utf8_lossy(&output.stdout).contains(part) {
            return;
        }
        assert!(Instant::now() < until, "{args:?} never says {part}");
    }
}

#[test]
#[ignore = "needs a built server: cargo xtask test"]
fn locks_queues_and_groups() {
    let cluster = Cluster::start(1);
    let server: &str = &cluster.member(0).http;
    let run = |args: &[&str]| {
        let words = if args[0] == "queue" { 2 } else { 1 };
        run(server, words, args)
    };

    // The command's exit code is ours, and each grant has a greater token.
    let token = [
        "lock",
        "job",
        "--",
        "sh",
        "-c",
        "echo $OTTERKEEPER_TOKEN; exit 7",
    ];
    let (first, second) = (run(&token), run(&token));
    assert_eq!((first.0, second.0), (Some(7), Some(7)));
    let number = |text: &str| text.parse::<u64>().expect("a token");
    assert!(number(&first.1) < number(&second.1), "{first:?} {second:?}");

    // Who waits in vain says so; a holder that is told to end gives the lock back.
    let holder = Background::start(&["lock", "--server", server, "job", "--", "sleep", "60"]);
    until_said(&["ls", "--server", server, "/locks/job"], "__lock__");
    assert_eq!(
        run(&["lock", "--wait", "1", "job", "--", "true"]).0,
        Some(125)
    );
    assert_eq!(holder.end(), Some(128 + libc::SIGTERM));
    assert_eq!(
        run(&["elect", "--wait", "20", "/locks/job", "--", "true"]).0,
        Some(0)
    );

    // Lower priorities go first; what is not finished stays.
    assert_eq!(run(&["queue", "put", "jobs", "later"]).0, Some(0));
    assert_eq!(
        run(&["queue", "put", "--priority", "1", "jobs", "soon"]).0,
        Some(0)
    );
    assert_eq!(run(&["queue", "take", "jobs"]), (Some(0), "soon".into()));
    assert_eq!(run(&["queue", "take", "jobs", "--", "false"]).0, Some(1));
    let (code, text) = run(&["queue", "take", "jobs", "--", "cat"]);
    assert_eq!((code, &*text), (Some(0), "later"));

    // Those who are in a group are seen for as long as they run.
    let join = [
        "members", "--server", server, "mail", "--follow", "--join", "here",
    ];
    let member = Background::start(&join);
    until_said(&["members", "--server", server, "mail"], "here");
    assert_eq!(member.end(), Some(0));
    assert_eq!(run(&["members", "mail"]), (Some(0), String::new()));
}

#[test]
#[ignore = "needs a built server: cargo xtask test"]
fn services_are_found_while_they_run() {
    let cluster = Cluster::start(1);
    let server: &str = &cluster.member(0).http;
    let run = |args: &[&str]| run(server, 2, args);
    let register = ["service", "register", "--server", server, "mail"];
    assert_eq!(run(&["service", "list", "mail"]), (Some(0), String::new()));

    let first = Background::start(&[&register[..], &["10.0.0.7:25"]].concat());
    until_said(
        &["service", "list", "--server", server, "mail"],
        "10.0.0.7:25",
    );
    let watcher = Background::start(&["service", "watch", "--server", server, "mail"]);
    assert_eq!(watcher.says(), "10.0.0.7:25");

    // Told to end, it lets the command end by itself, and passes on how that went.
    let tidy = "trap 'exit 9' TERM; while :; do sleep 0.1; done";
    let command = ["10.0.0.8:25", "--", "sh", "-c", tidy];
    let second = Background::start(&[&register[..], &command].concat());
    assert_eq!(watcher.says(), "+ 10.0.0.8:25");
    let (_, both) = run(&["service", "list", "mail"]);
    let mut both: Vec<&str> = both.lines().collect();
    both.sort_unstable();
    assert_eq!(both, ["10.0.0.7:25", "10.0.0.8:25"]);
    assert_eq!(second.end(), Some(9));
    assert_eq!(watcher.says(), "- 10.0.0.8:25");

    // Without a command it is offered until somebody ends it, and then gone at once.
    assert_eq!(first.end(), Some(0));
    assert_eq!(watcher.says(), "- 10.0.0.7:25");
    assert_eq!(run(&["service", "list", "mail"]), (Some(0), String::new()));
    assert_eq!(watcher.end(), Some(0));

    // The command's exit code is ours, and one that does not exist has the shells' own.
    let code = |command: &[&str]| {
        let args = [&["service", "register", "mail", "h:1", "--"], command].concat();
        run(&args).0
    };
    assert_eq!(code(&["sh", "-c", "exit 7"]), Some(7));
    assert_eq!(code(&["/no/such/command"]), Some(127));

    // For programs: what a seat is, and the fencing token that it has.
    let json = Background::start(&[&register[..], &["--json", "h:2"]].concat());
    until_said(&["service", "list", "--server", server, "mail"], "h:2");
    let (_, line) = run(&["service", "list", "--json", "mail"]);
    let seat: Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!(
        (&seat["event"], &seat["address"]),
        (&"present".into(), &"h:2".into())
    );
    let token = seat["token"].as_str().expect("a token");
    assert!(0 < token.parse::<u64>().expect("a number"));
    assert_eq!(json.end(), Some(0));
}

#[test]
#[ignore = "needs a built server: cargo xtask test"]
fn settings_change_as_a_whole() {
    let cluster = Cluster::start(1);
    let server: &str = &cluster.member(0).http;
    let run = |args: &[&str]| run(server, 2, args);
    let reads = |text: &str| {
        assert_eq!(
            run(&["settings", "get", "mail"]),
            (Some(0), text.to_owned())
        );
    };
    assert_eq!(
        run(&["settings", "set", "mail", "limit=20", "burst=5"]),
        (Some(0), "version 1".into())
    );
    reads("version 1\nburst=5\nlimit=20");
    assert_eq!(
        run(&["settings", "get", "mail", "limit"]),
        (Some(0), "20".into())
    );
    assert_eq!(run(&["settings", "get", "mail", "none"]).0, Some(1));

    // Whoever watches sees each version, and never half of one.
    let watcher = Background::start(&["settings", "watch", "--server", server, "mail"]);
    let sees = |lines: &[&str]| {
        let seen: Vec<String> = lines.iter().map(|_| watcher.says()).collect();
        assert_eq!(seen, lines);
    };
    sees(&["version 1", "burst=5", "limit=20"]);
    let change = ["--version", "1", "mail", "limit=30"];
    let change = [&["settings", "set", "--remove", "burst"][..], &change].concat();
    assert_eq!(run(&change), (Some(0), "version 2".into()));
    sees(&["version 2", "limit=30"]);
    reads("version 2\nlimit=30");

    // Somebody was faster: nothing is changed, and it is said what to do.
    let late = [&["settings", "set", "--server", server][..], &change[2..]].concat();
    let late = otterkeeper(&late);
    let complaint = String::from_utf8_lossy(&late.stderr);
    assert_eq!(late.status.code(), Some(1), "{complaint}");
    assert!(
        complaint.contains("/config/mail has version 2, not 1: nothing was changed"),
        "{complaint}"
    );
    reads("version 2\nlimit=30");

    // A text of several words, one that is empty, and keys that are none.
    let texts = ["settings", "set", "mail", "greeting=two words", "limit="];
    assert_eq!(run(&texts), (Some(0), "version 3".into()));
    sees(&["version 3", "greeting=two words", "limit="]);
    let (_, line) = run(&["settings", "get", "--json", "mail"]);
    let all: Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!(all["version"], 3, "{line}");
    assert_eq!(all["values"]["greeting"]["text"], "two words", "{line}");
    for wrong in ["a/b=1", "novalue", "=1"] {
        assert_eq!(
            run(&["settings", "set", "mail", wrong]).0,
            Some(2),
            "{wrong}"
        );
    }
    assert_eq!(run(&["settings", "set", "mail"]).0, Some(2));

    // A number of times, and then the watcher ends by itself.
    let once = run(&["settings", "watch", "-n", "1", "/config/mail"]);
    assert_eq!(
        once,
        (Some(0), "version 3\ngreeting=two words\nlimit=".into())
    );
}

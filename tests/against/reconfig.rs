//! Changes of the members of two ensembles: few, because each takes its time, and one after the other. One member
//! becomes an observer and a participant again, goes, and comes back; both ensembles are whole at the end.
//!
//! Not asked: two members at one address, which ZooKeeper takes and ours does not (-8), and a change while another is
//! under way, because one request is under way at a time here.

use core::time::Duration;
use std::thread::sleep;
use std::time::Instant;

use otterkeeper_tests::process::{Cluster, http, word};

use super::Run;
use super::answer::op;
use super::deed::{Deed, Piece};
use super::servers::{Lives, ZooKeeper};
use super::side::Side;
use super::stream::Stream;
use super::wire::Jute;

/// Who asks, and who watches.
const OPERATOR: usize = 0;
const WATCHER: usize = 1;
/// Stands for these deeds where a seed is told.
pub(super) const SEED: u64 = 30_000;
const CONFIG: &[u8] = b"/zookeeper/config";
const ANY: i64 = -1;
/// For what must come about.
const PATIENCE: Duration = Duration::from_secs(30);

/// The three texts of a reconfig; nothing is null.
#[derive(Default)]
struct Change {
    joining: Option<String>,
    leaving: Option<String>,
    all: Option<String>,
}

impl Run {
    /// Fresh ensembles on both sides, and the changes.
    pub(super) fn change_members(&mut self) {
        let options = Lives::Long.ours();
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        let mut ours = Cluster::start_with(3, &options);
        let theirs = ZooKeeper::start(3, Lives::Long);
        self.pairing = super::Pairing::default();
        let zk: Vec<String> = (0..3).map(|at| ours.member(at).zk.clone()).collect();
        let members = (0..3).map(|at| {
            let peers = &ours.member(at).http;
            let port = peers.rsplit(':').next().unwrap_or_default();
            [format!("{peers}:{port}"), zk[at].clone()]
        });
        let mut sides = [
            Side::new(theirs.addresses()).with_members(theirs.members()),
            Side::new(zk.clone()).with_members(members.collect()),
        ];
        let own = follower(&[theirs.addresses(), zk]);
        let number = own + 1;
        let mut history = Vec::new();
        let mut stream = Stream::new(SEED, true, Lives::Long);
        for deed in changes(&mut stream, own) {
            // One that differs does not keep the others from being compared.
            self.step(&mut sides, &deed, SEED, &mut history);
        }
        // It comes back; ours, which knows members by their disks, with a new one.
        come_back(&mut ours, own);
        let back = Change {
            joining: Some(format!("server.{number}=@{number}:participant;%{number}")),
            ..Change::default()
        };
        let back = back.asked(&mut stream, Piece::Version);
        self.step(&mut sides, &back, SEED, &mut history);
        let look = stream.ask(
            OPERATOR,
            op::GET_DATA,
            Jute::default().text(CONFIG).bool(false),
        );
        self.step(&mut sides, &look, SEED, &mut history);
    }
}

impl Change {
    fn asked(self, stream: &mut Stream, version: Piece) -> Deed {
        let text = |text: Option<String>| match text {
            Some(text) => Piece::Members(text),
            None => Piece::Bytes(Jute::default().buffer(None).0),
        };
        let mut deed = stream.ask(OPERATOR, op::RECONFIG, Jute::default());
        if let Deed::Ask { body, .. } = &mut deed {
            *body = vec![
                text(self.joining),
                text(self.leaving),
                text(self.all),
                version,
            ];
        }
        deed
    }
}

/// All that is compared; `own` is who is changed, from 0.
fn changes(stream: &mut Stream, own: usize) -> Vec<Deed> {
    let number = own + 1;
    let [operator, watcher] = [1, 2].map(|step| (own + step) % 3);
    let mut deeds: Vec<Deed> = [(OPERATOR, operator), (WATCHER, watcher)]
        .into_iter()
        .map(|(slot, server)| {
            let hello = super::deed::Hello {
                timeout_ms: 30_000,
                ..Default::default()
            };
            Deed::Connect {
                slot,
                server,
                hello,
            }
        })
        .collect();
    let joins = |text: String| Change {
        joining: Some(text),
        ..Change::default()
    };
    let leaves = |text: String| Change {
        leaving: Some(text),
        ..Change::default()
    };
    let replaces = |text: String| Change {
        all: Some(text),
        ..Change::default()
    };
    let seat = |number: usize, role: &str| format!("server.{number}=@{number}{role};%{number}");
    let long = |version: i64| Piece::Bytes(Jute::default().long(version).0);
    let watched = |stream: &mut Stream| {
        stream.ask(
            WATCHER,
            op::GET_DATA,
            Jute::default().text(CONFIG).bool(true),
        )
    };
    deeds.push(watched(stream));

    // Who may not, and then who may.
    let same = |number| joins(seat(number, ":participant"));
    deeds.push(same(number).asked(stream, long(ANY)));
    let proof = Jute::default().int(0).text(b"digest").text(b"super:test");
    deeds.push(stream.ask(OPERATOR, op::AUTH, proof));
    let look = Jute::default().text(CONFIG).bool(false);
    deeds.push(stream.ask(OPERATOR, op::GET_DATA, look.clone()));

    // What makes no sense, in the order of the checks.
    let everything = seat(1, "") + "," + &seat(2, "") + "," + &seat(3, "");
    let senseless = [
        (joins("nonsense".into()), long(7)),
        (joins("nonsense".into()), Piece::Version),
        (joins(format!("server.{number}=127.0.0.1:1")), long(ANY)),
        (
            joins(format!("server.{number}=@{number}:leader;%{number}")),
            long(ANY),
        ),
        (leaves("1,2,3".into()), Piece::Version),
        (replaces("nonsense".into()), long(ANY)),
        (same(number), long(7)),
    ];
    for (change, version) in senseless {
        deeds.push(change.asked(stream, version));
    }
    let strangers = format!(
        "{},server.8=127.0.0.1:8:9;7,server.9=127.0.0.1:6:5;4",
        seat(operator + 1, "")
    );
    deeds.push(replaces(strangers).asked(stream, long(ANY)));

    // What does: as it is, all of it anew, that and nothing besides, nobody leaves, an observer, and a participant again.
    let both = Change {
        leaving: Some("2".into()),
        ..replaces(everything.clone())
    };
    let changes = [
        (same(number), Piece::Version),
        (replaces(everything), Piece::Version),
        (both, Piece::Version),
        (leaves("77".into()), long(ANY)),
        (joins(seat(number, ":observer")), Piece::Version),
        (same(number), Piece::Version),
        (leaves(number.to_string()), Piece::Version),
    ];
    for (change, version) in changes {
        deeds.push(change.asked(stream, version));
        deeds.push(watched(stream));
        deeds.push(stream.ask(OPERATOR, op::GET_DATA, look.clone()));
    }
    // What was true a moment ago.
    deeds.push(same(operator + 1).asked(stream, long(1)));
    deeds
}

/// A member that leads on neither side, so that none of its clients' connections break.
fn follower(sides: &[Vec<String>; 2]) -> usize {
    let follows = |address: &String| word(address, "srvr").contains("Mode: follower");
    let until = Instant::now() + PATIENCE;
    loop {
        let found = (0..3).find(|&at| sides.iter().all(|side| follows(&side[at])));
        if let Some(found) = found {
            return found;
        }
        assert!(Instant::now() < until, "nobody follows on both sides");
        sleep(Duration::from_millis(100));
    }
}

/// A member of ours that was removed waits to be added again, with a new disk.
fn come_back(ours: &mut Cluster, at: usize) {
    ours.kill(at);
    ours.wipe(at, true);
    ours.run(at);
    let waits = || {
        let status = http(&ours.member(at).http, "GET", "/api/status");
        status.is_some_and(|(_, body)| body.contains("\"joining\""))
    };
    let until = Instant::now() + PATIENCE;
    while !waits() {
        assert!(Instant::now() < until, "it does not wait to be added");
        sleep(Duration::from_millis(20));
    }
}

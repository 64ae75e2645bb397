//! Real processes come and go as members: the commands that an operator types, what the server says to them, and
//! that no acknowledged write is lost on the way.

use core::time::Duration;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::thread::{self, sleep};
use std::time::Instant;

use otterkeeper_tests::process::{Cluster, http, otterkeeper};
use serde_json::Value;

/// How long members may take to agree.
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
#[ignore = "needs a built server: cargo xtask test"]
fn members_come_and_go() {
    let mut cluster = Cluster::start(3);
    let writes = |cluster: &Cluster, path: &str| {
        let server = &cluster.member(0).http;
        let written = otterkeeper(&["create", "--server", server, path, "here"]);
        assert!(written.status.success(), "{written:?}");
    };
    writes(&cluster, "/before");

    // A fourth member, first a learner, then a voter.
    let fourth = cluster.join();
    let url = format!("ws://{}", cluster.member(fourth).http);
    assert_eq!(state(&cluster, fourth), "joining");
    says(&cluster, &["promote", "4"], Err("4 is no member"));
    says(&cluster, &["add", "5", &url], Err("member 4 answers at"));
    says(
        &cluster,
        &["add", "4", "ws://127.0.0.1:1"],
        Err("no member answers at"),
    );
    says(
        &cluster,
        &["add", "4", &url, "--learner"],
        Ok("member 4 learns"),
    );
    same_members(
        &cluster,
        &[0, 1, 2, 3],
        &["voter", "voter", "voter", "learner"],
    );
    says(&cluster, &["add", "4", &url], Err("4 is a member already"));
    says(&cluster, &["promote", "4"], Ok("member 4 votes"));
    says(&cluster, &["promote", "4"], Err("member 4 votes already"));
    same_members(&cluster, &[0, 1, 2, 3], &["voter"; 4]);
    writes(&cluster, "/four");
    has(&cluster, fourth, "/before");
    has(&cluster, fourth, "/four");

    // It finds the others again after a restart, without being told where they are.
    cluster.kill(fourth);
    cluster.run(fourth);
    cluster.wait(fourth);

    // The leader goes too; it serves nobody afterwards, and the others go on.
    let leader = wait_for_leader(&cluster, &[0, 1, 2, 3]);
    let number = (leader + 1).to_string();
    says(
        &cluster,
        &["remove", &number],
        Ok(&format!("member {number} is out")),
    );
    let rest: Vec<usize> = (0..4).filter(|member| *member != leader).collect();
    same_members(&cluster, &rest, &["voter"; 3]);
    wait_for_leader(&cluster, &rest);
    eventually(|| state(&cluster, leader) == "removed");
    says(&cluster, &["remove", &number], Err("is no member"));
    has(&cluster, rest[0], "/four");

    // With a new disk it comes back under its old number.
    cluster.kill(leader);
    cluster.wipe(leader, true);
    cluster.run(leader);
    let url = format!("ws://{}", cluster.member(leader).http);
    says(
        &cluster,
        &["add", &number, &url],
        Ok(&format!("member {number} votes")),
    );
    same_members(&cluster, &[0, 1, 2, 3], &["voter"; 4]);
    cluster.wait(leader);
    has(&cluster, leader, "/before");
    writes(&cluster, "/after");
    has(&cluster, leader, "/after");
}

#[test]
#[ignore = "needs a built server: cargo xtask test"]
fn a_lost_disk_is_refused_until_it_is_added_again() {
    let mut cluster = Cluster::start(3);
    // The lowest number is dialled by the others, the highest dials; both must go, and nobody else.
    cluster.kill(0);
    cluster.wipe(0, false);
    cluster.run(0);
    assert!(!cluster.ends(0), "the others tell it to go, and why");
    wait_for_leader(&cluster, &[1, 2]);
    cluster.wipe(0, true);
    cluster.run(0);
    let url = format!("ws://{}", cluster.member(0).http);
    says(&cluster, &["remove", "1"], Ok("member 1 is out"));
    says(&cluster, &["add", "1", &url], Ok("member 1 votes"));
    same_members(&cluster, &[0, 1, 2], &["voter"; 3]);

    cluster.kill(2);
    cluster.wipe(2, false);
    cluster.run(2);
    assert!(!cluster.ends(2), "it is told to go, and why");
    // Nothing changes by trying again.
    cluster.run(2);
    assert!(!cluster.ends(2), "its new disk is as unknown as before");
    // Waiting to be added, it is none of them as long as its number is that of the lost one.
    cluster.wipe(2, true);
    cluster.run(2);
    let url = format!("ws://{}", cluster.member(2).http);
    says(
        &cluster,
        &["add", "3", &url],
        Err("3 is a member already: remove it first"),
    );
    says(&cluster, &["remove", "3"], Ok("member 3 is out"));
    says(&cluster, &["add", "3", &url], Ok("member 3 votes"));
    same_members(&cluster, &[0, 1, 2], &["voter"; 3]);
    // What it is worth shows when another one goes.
    cluster.kill(0);
    wait_for_leader(&cluster, &[1, 2]);
    cluster.wait(2);
}

/// raft.md 2.4.4: who was away when it was taken out hears of it when it comes back, however late. The one with
/// the highest number dials the others; the one with the lowest is dialled by them, who know it no more.
#[test]
#[ignore = "needs a built server: cargo xtask test"]
fn who_is_taken_out_while_it_is_away_hears_of_it_later() {
    for away in [2, 0] {
        let mut cluster = Cluster::start(3);
        cluster.kill(away);
        let rest: Vec<usize> = (0..3).filter(|member| *member != away).collect();
        wait_for_leader(&cluster, &rest);
        let number = (away + 1).to_string();
        let out = format!("member {number} is out");
        says(&cluster, &["remove", &number], Ok(&out));
        // The time is over in which those who stay would still talk to it.
        sleep(Duration::from_secs(4));
        cluster.run(away);
        eventually(|| state(&cluster, away) == "removed");
    }
}

/// Members leave, come and change by ZooKeeper's `reconfig`, and `/zookeeper/config` says where clients find them.
#[test]
#[ignore = "needs a built server: cargo xtask test"]
fn reconfig_takes_zookeepers_texts() {
    let superuser = ["--super-digest", "super:8lfpZz8caX8X0dHQO/4ZwlfgMEE="];
    let mut cluster = Cluster::start_with(3, &[&["--reconfig"][..], &superuser].concat());
    let server = cluster.member(0).http.clone();
    let run = |words: &[&str], auth: bool| {
        let mut args = vec![words[0], "--server", &server];
        if auth {
            args.extend(["--auth", "digest:super:otter"]);
        }
        args.extend(&words[1..]);
        let output = otterkeeper(&args);
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        (output.status.success(), said)
    };
    let refused = |words: &[&str], auth: bool, why: &str| {
        let (done, said) = run(words, auth);
        assert!(!done && said.contains(why), "{words:?}: {said}");
    };
    let done = |words: &[&str]| {
        let (done, said) = run(words, true);
        assert!(done, "{words:?}: {said}");
        said
    };
    let clients = |cluster: &Cluster, members: &[usize]| {
        let of = |member: &usize| &*cluster.member(*member).zk;
        members.iter().map(of).collect::<Vec<_>>().join(",")
    };
    assert!(done(&["config", "-c"]).ends_with(&format!(" {}\n", clients(&cluster, &[0, 1, 2]))));

    let fourth = cluster.join();
    let line = |cluster: &Cluster, role: &str| {
        let member = cluster.member(fourth);
        let port = member.http.rsplit_once(':').expect("HOST:PORT").1;
        format!("server.4={}:{port}:{role};{}", member.http, member.zk)
    };
    let observer = line(&cluster, "observer");
    refused(&["reconfig", "-add", &observer], false, "does not permit");
    // Nor does anybody knock at a door because a client without rights names it.
    let door = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    let address = door.local_addr().expect("it is bound");
    let behind = format!("server.5={address}:1:participant;2181");
    refused(&["reconfig", "-add", &behind], false, "does not permit");
    door.set_nonblocking(true).expect("a socket can be asked");
    let nobody = door.accept().map_err(|error| error.kind());
    assert_eq!(nobody.err(), Some(ErrorKind::WouldBlock));
    door.set_nonblocking(false).expect("a socket can wait");
    let knocks = thread::spawn(move || door.accept().is_ok());
    refused(&["reconfig", "-add", &behind], true, "do not answer");
    assert!(
        knocks.join().expect("it waits for one"),
        "the right is enough"
    );
    refused(
        &["reconfig", "-add", "server.5=127.0.0.1:1:1;2181"],
        true,
        "do not answer",
    );
    refused(&["reconfig", "-add", &observer, "-v", "1"], true, "version");
    assert!(done(&["reconfig", "-add", &observer]).contains(&observer));
    let voter = line(&cluster, "participant");
    assert!(done(&["reconfig", "-add", &voter]).contains(&voter));
    same_members(&cluster, &[0, 1, 2, 3], &["voter"; 4]);
    assert!(done(&["config", "-c"]).contains(&clients(&cluster, &[0, 1, 2, 3])));

    // The second leaves, and the first moves its clients' door in the same change.
    let first = format!("server.1={server}:1:participant;10.0.0.1:2181");
    let said = done(&["reconfig", "-add", &first, "-remove", "2"]);
    assert!(
        said.contains(";10.0.0.1:2181") && !said.contains("server.2="),
        "{said}"
    );
    same_members(&cluster, &[0, 2, 3], &["voter"; 3]);
    eventually(|| state(&cluster, 1) == "removed");
}

/// `otterkeeper cluster ...`, and what comes of it.
fn says(cluster: &Cluster, words: &[&str], expected: Result<&str, &str>) {
    let servers: Vec<&str> = (0..cluster.count())
        .map(|m| &*cluster.member(m).http)
        .collect();
    let servers = servers.join(",");
    let mut args = vec!["cluster", words[0], "--server", &servers];
    args.extend(&words[1..]);
    let output = otterkeeper(&args);
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    match expected {
        Ok(done) => assert_eq!(
            (output.status.code(), said.trim()),
            (Some(0), done),
            "{complained}"
        ),
        Err(why) => {
            assert_eq!(output.status.code(), Some(1), "{said}{complained}");
            assert!(complained.contains(why), "{words:?}: {complained}");
        }
    }
}

fn status(cluster: &Cluster, member: usize) -> Value {
    let answer = http(&cluster.member(member).http, "GET", "/api/status");
    let text = answer.map_or_else(String::new, |(_, body)| body);
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

fn state(cluster: &Cluster, member: usize) -> String {
    let wait = || status(cluster, member)["state"].as_str().map(str::to_owned);
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(state) = wait() {
            return state;
        }
        assert!(Instant::now() < until, "member {} says nothing", member + 1);
        sleep(Duration::from_millis(20));
    }
}

/// These members come to know the same members, who stand like this.
fn same_members(cluster: &Cluster, members: &[usize], standings: &[&str]) {
    eventually(|| {
        members.iter().all(|member| {
            let status = status(cluster, *member);
            let listed = status["members"].as_array().cloned().unwrap_or_default();
            let stand: Vec<&str> = listed
                .iter()
                .filter_map(|m| m["standing"].as_str())
                .collect();
            stand == standings && status["change_pending"] == false
        })
    });
}

/// A member shows this znode to whoever reads there.
fn has(cluster: &Cluster, member: usize, path: &str) {
    let server = &cluster.member(member).http;
    eventually(|| {
        otterkeeper(&["get", "--server", server, path])
            .status
            .success()
    });
}

fn wait_for_leader(cluster: &Cluster, members: &[usize]) -> usize {
    let mut leader = None;
    eventually(|| {
        let leads = |member: &&usize| status(cluster, **member)["role"] == "leader";
        leader = members.iter().find(leads).copied();
        leader.is_some()
    });
    leader.expect("there is one")
}

fn eventually(mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < until, "it does not come to that");
        sleep(Duration::from_millis(50));
    }
}

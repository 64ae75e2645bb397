//! Three real servers and kazoo, an unmodified ZooKeeper client: its recipes in `recipes.py`, where a leader dies
//! whenever a recipe over there asks for it, and what else deployments do with it in `daily.py`. `cargo xtask test` builds the server, installs kazoo, and says where
//! both are.

use core::time::Duration;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Instant;

use otterkeeper_tests::process::Cluster;

/// A leader must be there after this.
const LEADER_LIMIT: Duration = Duration::from_secs(20);

#[test]
#[ignore = "needs a built server and kazoo: cargo xtask test"]
fn kazoos_recipes_keep_their_promises_while_leaders_die() {
    let mut cluster = Cluster::start(3);
    let hosts: Vec<&str> = (0..3).map(|at| &*cluster.member(at).zk).collect();
    let python = std::env::var("OTTERKEEPER_PYTHON").expect("OTTERKEEPER_PYTHON has kazoo");
    let mut driver = Command::new(python)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/recipes.py"))
        .arg(hosts.join(","))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python starts");
    let mut ears = driver.stdin.take().expect("it was asked for");
    let said = BufReader::new(driver.stdout.take().expect("it was asked for"));
    let mut recipes = 0;
    for line in said.lines() {
        let line = line.expect("the driver speaks UTF-8");
        if line != "kill" {
            recipes += u32::from(line.starts_with("* "));
            println!("{line}");
            continue;
        }
        let leader = leader(&cluster);
        cluster.kill(leader);
        writeln!(ears, "killed").expect("the driver listens");
        self::leader(&cluster);
        cluster.run(leader);
        cluster.wait(leader);
        writeln!(ears, "back").expect("the driver listens");
    }
    let status = driver.wait().expect("it is a child");
    assert!(status.success(), "a recipe broke its promise: see above");
    assert_eq!(recipes, 11, "a recipe was left out");
}

#[test]
#[ignore = "needs a built server and kazoo: cargo xtask test"]
fn what_deployments_do_day_by_day_goes_as_with_zookeeper() {
    let cluster = Cluster::start(3);
    let hosts: Vec<&str> = (0..3).map(|at| &*cluster.member(at).zk).collect();
    let python = std::env::var("OTTERKEEPER_PYTHON").expect("OTTERKEEPER_PYTHON has kazoo");
    let output = Command::new(python)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/daily.py"))
        .arg(hosts.join(","))
        .stderr(Stdio::inherit())
        .output()
        .expect("Python starts");
    let said = String::from_utf8(output.stdout).expect("it speaks UTF-8");
    print!("{said}");
    assert!(output.status.success(), "a task went wrong: see above");
    assert_eq!(said.lines().count(), 9, "a task was left out");
}

/// Waits until there is one.
fn leader(cluster: &Cluster) -> usize {
    let until = Instant::now() + LEADER_LIMIT;
    loop {
        if let Some(leader) = cluster.leader() {
            return leader;
        }
        assert!(Instant::now() < until, "no leader");
        sleep(Duration::from_millis(20));
    }
}

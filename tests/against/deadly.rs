//! What ends ZooKeeper 3.9.5 for good, sent to one that nobody needs afterwards: createTTL with flags of no TTL mode and
//! no time either. It passes its checks, and the thread that applies it dies of it. Ours says that it makes no sense.

use core::time::Duration;
use std::thread::sleep;
use std::time::Instant;

use otterkeeper_tests::process::{Cluster, word};

use super::answer::{Answer, op};
use super::servers::{Lives, ZooKeeper};
use super::wire::{Jute, Wire};

const BAD_ARGUMENTS: i32 = -8;
const PATIENCE: Duration = Duration::from_secs(30);

/// The flags of each mode that takes no time.
const FLAGS: &[i32] = &[0, 1, 2, 3, 4];

/// Says how many requests were sent.
pub(super) fn create_ttl_without_time() -> u64 {
    let ours = Cluster::start(1);
    let zk = &ours.member(0).zk;
    let mut wire = session(zk);
    for &flags in FLAGS {
        wire.send(&create(flags));
        let answer = Answer::read(op::CREATE_TTL, &wire.frame().expect("an answer"));
        assert_eq!(answer.error, BAD_ARGUMENTS, "flags {flags}: {answer}");
    }
    assert_eq!(word(zk, "ruok"), "imok");

    let theirs = ZooKeeper::start(1, Lives::Long);
    let address = &theirs.addresses()[0];
    let mut wire = session(address);
    wire.send(&create(FLAGS[0]));
    let until = Instant::now() + PATIENCE;
    while word(address, "ruok") == "imok" {
        assert!(
            Instant::now() < until,
            "ZooKeeper bears it by now: send it in the streams"
        );
        sleep(Duration::from_millis(100));
    }
    FLAGS.len() as u64 + 1
}

fn session(address: &str) -> Wire {
    let mut wire = Wire::open(address).expect("the server listens");
    let hello = Jute::default().int(0).long(0).int(30_000).long(0);
    wire.send(&hello.buffer(Some(&[0; 16])).framed());
    wire.frame().expect("a session");
    wire
}

fn create(flags: i32) -> Vec<u8> {
    let head = Jute::default()
        .int(1)
        .int(op::CREATE_TTL)
        .text(b"/deadly")
        .buffer(None);
    let list = head.int(1).int(31).text(b"world").text(b"anyone");
    list.int(flags).long(-1).framed()
}

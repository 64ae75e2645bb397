//! What a snapshot leaves of the log.

use alloc::collections::BTreeSet;
use alloc::vec;

use bytes::Bytes;

use crate::id::Index;
use crate::node::tests::Alone;
use crate::request::{Acl, CreateMode, Op, Request};

/// Ten thousand entries of a megabyte would be ten gigabytes, and the next snapshot due at once.
#[test]
fn the_log_behind_a_snapshot_is_bounded_in_bytes() {
    let mut alone = Alone::with(|config| {
        config.compact_bytes = 40_000;
        config.keep_bytes = 10_000;
    });
    let (conn, ..) = alone.open();
    let create = Op::Create {
        path: "/x".into(),
        data: None,
        acl: vec![Acl::open()],
        mode: CreateMode::Persistent,
        stat: false,
    };
    alone.ask(conn, Request::Write(create)).unwrap();
    let mut taken = BTreeSet::new();
    for _ in 0..200 {
        let set = Op::SetData {
            path: "/x".into(),
            data: Some(Bytes::from_static(&[7; 1_000])),
            version: -1,
        };
        alone.ask(conn, Request::Write(set)).unwrap();
        let raft = &alone.node.raft;
        assert!(raft.log_bytes() <= 42_000, "{}", raft.log_bytes());
        taken.extend(raft.snapshot().map(|meta| meta.last.index));
    }
    assert!((4..=8).contains(&taken.len()), "{taken:?}");
    assert!(taken.first() > Some(&Index(30)), "{taken:?}");
}

use alloc::string::ToString;
use alloc::vec;

use super::*;
use crate::id::NodeId;
use crate::request::{Acl, CreateMode, EventKind, Op};

/// A machine with a log: each command gets the next index, and a second more on the clock.
struct Log {
    machine: Machine,
    index: Index,
    changes: Vec<Change>,
}

impl Log {
    fn new() -> Self {
        let mut log = Self {
            machine: Machine::new(),
            index: Index(0),
            changes: Vec::new(),
        };
        log.apply(&Command::Init {
            secret: [7; 32],
            features: 1,
            max_depth: 8,
        });
        log
    }

    fn apply(&mut self, command: &Command) -> Applied {
        self.index = self.index.next();
        self.changes.clear();
        let stamp = Time(self.index.0 * 1_000_000);
        self.machine
            .apply(self.index, stamp, command, &mut self.changes)
    }
}

#[test]
fn smoke() {
    let mut log = Log::new();
    let origin = Origin {
        node: NodeId(1),
        incarnation: 9,
        ticket: 3,
    };
    let Applied::Attached { session, epoch, .. } = log.apply(&Command::Open {
        origin,
        timeout_ms: 4_000,
    }) else {
        panic!()
    };
    let create = |path: &str, mode| Op::Create {
        path: path.to_string(),
        data: Some(vec![1, 2].into()),
        acl: vec![Acl::open()],
        mode,
        stat: false,
    };
    let op = create("/a", CreateMode::Persistent);
    let request = WriteRequest::Op(op);
    let applied = log.apply(&Command::Write {
        session,
        epoch,
        number: 1,
        request,
    });
    let result = Ok(Response::Created {
        path: "/a".into(),
        stat: None,
    });
    assert_eq!(
        applied,
        Applied::Wrote {
            session,
            epoch,
            number: 1,
            result
        }
    );
    assert_eq!(log.changes.len(), 2);
    assert_eq!(log.changes[0].kind, EventKind::NodeCreated);
    let (bytes, next) = log.machine.part(&[], 1 << 20);
    assert_eq!(next, None);
    let mut rebuild = crate::wire::Rebuild::new();
    rebuild.add(&bytes).unwrap();
    assert_eq!(rebuild.finish().unwrap().digest(), log.machine.digest());
}

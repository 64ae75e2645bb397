//! Any mixture of operations against a model that knows only a sorted map and section 8 of the protocol.

use alloc::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Default)]
struct Model {
    znodes: BTreeMap<String, Plain>,
}

#[derive(Clone, Default)]
struct Plain {
    data: Option<Vec<u8>>,
    version: i32,
    made: i32,
    gone: i32,
    owner: u64,
    zxids: [u64; 3],
    /// Milliseconds; `None` if it stays, or goes otherwise.
    ttl: Option<u64>,
    container: bool,
}

impl Model {
    fn new() -> Self {
        let plain = |made, gone| Plain {
            data: Some(vec![]),
            made,
            gone,
            ..Plain::default()
        };
        let znodes = [
            ("/", 0, -1),
            ("/zookeeper", 0, -2),
            (path::QUOTA, 0, 0),
            (path::CONFIG, 0, 0),
        ];
        let znodes = znodes.map(|(path, made, gone)| (path.to_string(), plain(made, gone)));
        Self {
            znodes: znodes.into(),
        }
    }

    fn run(&mut self, zxid: u64, session: u64, op: &Op) -> bool {
        match op {
            Op::Create {
                path, data, mode, ..
            } => {
                let parent = path::parent(path).to_string();
                let Some(above) = self.znodes.get_mut(&parent) else {
                    return false;
                };
                let number = format!("{:010}", above.made);
                let path = path.clone() + if mode.is_sequential() { &*number } else { "" };
                if above.owner != 0 || self.znodes.contains_key(&path) {
                    return false;
                }
                let owner = if mode.is_ephemeral() { session } else { 0 };
                let data = data.as_ref().map(|data| data.to_vec());
                let plain = Plain {
                    data,
                    owner,
                    container: matches!(
                        mode,
                        CreateMode::Container | CreateMode::ContainerSequential
                    ),
                    ttl: match mode {
                        CreateMode::Ttl { ms } | CreateMode::TtlSequential { ms } => Some(*ms),
                        _ => None,
                    },
                    zxids: [zxid; 3],
                    ..Plain::default()
                };
                self.znodes.insert(path, plain);
                let above = self.znodes.get_mut(&parent).unwrap();
                above.made += 1;
                above.zxids[2] = zxid;
                true
            }
            Op::Delete { path, version } => {
                let children = path.clone() + "/";
                let Some(znode) = self.znodes.get(path) else {
                    return false;
                };
                if *version != -1 && *version != znode.version
                    || self.znodes.keys().any(|other| other.starts_with(&children))
                {
                    return false;
                }
                self.remove(zxid, path);
                true
            }
            Op::SetData {
                path,
                data,
                version,
            } => {
                let Some(znode) = self.znodes.get_mut(path) else {
                    return false;
                };
                if *version != -1 && *version != znode.version {
                    return false;
                }
                znode.version += 1;
                znode.zxids[1] = zxid;
                znode.data = data.as_ref().map(|data| data.to_vec());
                true
            }
            // The list changes, and this model knows no lists.
            Op::SetAcl { path, .. } => self.znodes.contains_key(path),
            Op::Check { path, version } => self
                .znodes
                .get(path)
                .is_some_and(|znode| [-1, znode.version].contains(version)),
        }
    }

    fn remove(&mut self, zxid: u64, path: &str) {
        self.znodes.remove(path);
        let above = self.znodes.get_mut(path::parent(path)).unwrap();
        above.gone += 1;
        above.zxids[2] = zxid;
    }

    /// Removes what is worn out at the time that `Log` gives to this index.
    fn clean(&mut self, zxid: u64) {
        let is_worn = |(path, plain): (&String, &Plain)| {
            let below = path.clone() + "/";
            let over = plain
                .ttl
                .is_some_and(|ms| ms < 1_000 * (zxid - plain.zxids[1]));
            let empty = !self.znodes.keys().any(|other| other.starts_with(&below));
            (empty && (over || plain.container && plain.made != 0)).then(|| path.clone())
        };
        for path in self.znodes.iter().filter_map(is_worn).collect::<Vec<_>>() {
            self.remove(zxid, &path);
        }
    }

    fn close(&mut self, zxid: u64, session: u64) {
        let of_session =
            |(path, plain): (&String, &Plain)| (plain.owner == session).then(|| path.clone());
        for path in self
            .znodes
            .iter()
            .filter_map(of_session)
            .collect::<Vec<_>>()
        {
            self.remove(zxid, &path);
        }
    }
}

fn check_model(machine: &Machine, model: &Model) {
    assert_eq!(machine.tree().count(), model.znodes.len() as u64);
    for (path, plain) in &model.znodes {
        let znode = machine.tree().get(path).unwrap();
        let stat = znode.stat();
        assert_eq!(znode.data(), plain.data.as_deref(), "{path}");
        assert_eq!(
            [stat.czxid.0, stat.mzxid.0, stat.pzxid.0],
            plain.zxids,
            "{path}"
        );
        let counts = (stat.version, stat.cversion, stat.ephemeral_owner.0);
        assert_eq!(
            counts,
            (plain.version, plain.made + plain.gone, plain.owner),
            "{path}"
        );
        let prefix = path::prefix(path);
        let names = model
            .znodes
            .keys()
            .filter_map(|other| other.strip_prefix(&*prefix));
        let names = names.filter(|name| !name.is_empty() && !name.contains('/'));
        assert!(
            machine
                .tree()
                .children(path)
                .map(|child| child.name())
                .eq(names),
            "{path}"
        );
        assert_eq!(
            stat.num_children as usize,
            machine.tree().children(path).count()
        );
        let below = |other: &&String| other.len() > path.len() && other.starts_with(&*prefix);
        let below = model.znodes.keys().filter(below).count();
        assert_eq!(machine.tree().count_below(path), below as u64, "{path}");
    }
}

#[derive(Clone, Debug)]
enum Step {
    One(bool, Op),
    Many(bool, Vec<Op>),
    Close(bool),
    Clean,
}

fn any_op() -> impl Strategy<Value = Op> {
    let path =
        || prop::collection::vec("[abc]", 1..4).prop_map(|names| format!("/{}", names.join("/")));
    let data = || prop::option::of("[xy]{0,3}").prop_map(|text| text.map(Bytes::from));
    let version = || prop_oneof![4 => Just(-1), 1 => 0..3_i32];
    let mode = prop_oneof![
        6 => Just(CreateMode::Persistent),
        1 => Just(CreateMode::Ephemeral),
        1 => Just(CreateMode::PersistentSequential),
        1 => Just(CreateMode::EphemeralSequential),
        1 => Just(CreateMode::Container),
        1 => Just(CreateMode::ContainerSequential),
        1 => Just(CreateMode::Ttl { ms: 3_000 }),
        1 => Just(CreateMode::TtlSequential { ms: 5_000 }),
    ];
    prop_oneof![
        4 => (path(), data(), mode).prop_map(|(path, data, mode)| {
            Op::Create { path, data, acl: vec![Acl::open()], mode, stat: false }
        }),
        3 => (path(), version()).prop_map(|(path, version)| Op::Delete { path, version }),
        3 => (path(), data(), version())
            .prop_map(|(path, data, version)| Op::SetData { path, data, version }),
        1 => (path(), version()).prop_map(|(path, version)| Op::Check { path, version }),
    ]
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (any::<bool>(), any_op()).prop_map(|(who, op)| Step::One(who, op)),
        3 => (any::<bool>(), prop::collection::vec(any_op(), 0..5))
            .prop_map(|(who, ops)| Step::Many(who, ops)),
        1 => any::<bool>().prop_map(Step::Close),
        1 => Just(Step::Clean),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]
    #[test]
    fn the_tree_is_what_a_plain_map_says(steps in prop::collection::vec(any_step(), 0..80)) {
        let (mut log, mut model) = (Log::new(), Model::new());
        let mut sessions = [SessionId(2), SessionId(3)];
        for step in steps {
            let zxid = log.index.0 + 1;
            match step {
                Step::One(who, op) => {
                    let session = sessions[usize::from(who)];
                    let expected = model.run(zxid, session.0, &op);
                    let Applied::Wrote { result, .. } = log.write(session, WriteRequest::Op(op)) else {
                        panic!("not applied")
                    };
                    prop_assert_eq!(result.is_ok(), expected);
                }
                Step::Many(who, ops) => {
                    let session = sessions[usize::from(who)];
                    let mut after = model.clone();
                    let expected = ops.iter().all(|op| after.run(zxid, session.0, op));
                    let applied = log.write(session, WriteRequest::Multi(ops));
                    let Applied::Wrote { result: Ok(Response::Multi(results)), .. } = applied else {
                        panic!("not applied")
                    };
                    prop_assert_eq!(results.iter().all(Result::is_ok), expected);
                    if expected {
                        model = after;
                    } else {
                        prop_assert!(log.changes.is_empty());
                    }
                }
                Step::Clean => {
                    let (znodes, _) = log.machine.worn_out(None, 100, 1_000 * zxid);
                    log.apply(&Command::Clean { znodes });
                    model.clean(zxid);
                }
                Step::Close(who) => {
                    model.close(zxid, sessions[usize::from(who)].0);
                    log.write(sessions[usize::from(who)], WriteRequest::Close);
                    sessions[usize::from(who)] = log.open();
                }
            }
        }
        check_model(&log.machine, &model);
        check_state(&log.machine);
    }
}

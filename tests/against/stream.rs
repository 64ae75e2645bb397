//! Draws the deeds of a stream from its seed: every operation of ZooKeeper's clients, on few paths, so that they
//! meet; and now and then what no client should send.
//!
//! Not sent, because ZooKeeper 3.9.5 takes harm or does something else every time: to an ensemble writes that end early
//! or multis that it cannot read (they wedge it; rule R21a), createSession (-10) and deleteContainer (20) (it lets
//! clients do both; ours are unknown operations). createTTL with flags of no TTL mode and no time either ends it for
//! good, and has a server of its own in `deadly`.

mod moves;

use std::collections::VecDeque;

use otterkeeper_core::rng::Rng;

use super::answer::op;
use super::deed::{Deed, Hello, Piece};
use super::servers::Lives;
use super::side::{SLOTS, Side};
use super::wire::Jute;

/// What draws a stream.
pub(super) struct Stream {
    rng: Rng,
    /// All its znodes lie below this one.
    root: String,
    xid: i32,
    /// Whether the servers are clusters on both sides.
    ensemble: bool,
    lives: Lives,
    /// How many znodes that go by themselves were made.
    mortals: u32,
    /// Draws what an ensemble's multi can bear.
    careful: bool,
    /// What follows upon what was drawn last.
    soon: VecDeque<Deed>,
}

const OTTER: &[u8] = b"otter:6+nLZUxJQMd1J/h66uXmTocs6oo=";
const BEAVER: &[u8] = b"beaver:g4RY4gX0bnf7keQACH36X9pb/Hw=";

impl Stream {
    pub(super) fn new(seed: u64, ensemble: bool, lives: Lives) -> Self {
        Self {
            rng: Rng::stream(seed, 1),
            root: format!("/s{seed}"),
            xid: 0,
            ensemble,
            lives,
            mortals: 0,
            careful: false,
            soon: VecDeque::new(),
        }
    }

    /// What every stream begins with.
    pub(super) fn beginning(&mut self) -> Vec<Deed> {
        let mut deeds: Vec<Deed> = (0..SLOTS)
            .map(|slot| Deed::Connect {
                slot,
                server: slot,
                hello: self.fresh(),
            })
            .collect();
        let root = self.root.clone().into_bytes();
        let open = acl(&[(31, b"world", b"anyone")]);
        let body = Jute::default().text(&root).buffer(Some(b"root"));
        let body = Jute([body.0, open].concat()).int(0);
        deeds.push(self.ask(0, op::CREATE2, body));
        deeds
    }

    /// What every stream ends with: no session is left to expire in the middle of the next one.
    pub(super) fn end(&mut self, side: &Side) -> Vec<Deed> {
        let mut deeds = Vec::new();
        for slot in (0..SLOTS).filter(|&slot| side.has_session(slot)) {
            if !side.is_open(slot) {
                let hello = Hello {
                    of: Some(slot),
                    ..self.fresh()
                };
                deeds.push(Deed::Connect {
                    slot,
                    server: slot,
                    hello,
                });
            }
            deeds.push(self.ask(slot, op::CLOSE, Jute::default()));
        }
        deeds
    }

    /// The next deed, for connections in this state.
    pub(super) fn next(&mut self, side: &Side) -> Deed {
        while let Some(deed) = self.soon.pop_front() {
            if side.is_open(deed.slot()) || matches!(deed, Deed::Connect { .. } | Deed::Drop { .. })
            {
                return deed;
            }
        }
        let slot = self.rng.below(SLOTS as u64) as usize;
        if !side.is_open(slot) {
            return self.connect(slot, side);
        }
        match self.rng.below(1_000) {
            0..=5 => Deed::Drop { slot },
            6..=11 => self.connect(slot, side),
            12..=14 => self.raw(slot),
            15..=17 => self.ask(slot, op::CLOSE, Jute::default()),
            18..=20 => {
                let unknown = [0, -1, -2, 10, 13, 23, 99, 108, 500, i32::MAX, -100];
                let op = self.pick(&unknown);
                let body = self.path_alone();
                self.ask(slot, op, body)
            }
            21..=27 => self.sasl(slot),
            28..=36 => self.quota(slot),
            60..=63 => self.take_over(slot, side),
            37..=56 if self.lives == Lives::Short => self.mortal(slot, side),
            _ => self.request(slot),
        }
    }

    /// A conversation of DIGEST-MD5, most often one that succeeds.
    fn sasl(&mut self, slot: usize) -> Deed {
        let (user, password) = match self.rng.below(10) {
            0 => ("otter", "wrong"),
            1 => ("nobody", "raft"),
            2..=5 => ("beaver", "dam"),
            _ => ("otter", "raft"),
        };
        let proof = Piece::Proof { user, password };
        let mut nothing = || self.ask(slot, op::SASL, Jute::default().text(b""));
        let (first, mut second) = (nothing(), nothing());
        if let Deed::Ask { body, .. } = &mut second {
            *body = vec![proof];
        }
        match self.rng.below(12) {
            // Without a question, or without an answer.
            0 => return second,
            1 => second = first.clone(),
            2 => {
                let token = Jute::default().text(b"username=\"otter\"");
                second = self.ask(slot, op::SASL, token);
            }
            3 => self.soon.push_back(second.clone()),
            _ => {}
        }
        self.soon.push_front(second);
        first
    }

    /// A session that expires, a container that is empty again, or a znode whose time is over; somebody watches.
    fn mortal(&mut self, slot: usize, side: &Side) -> Deed {
        let others = (0..SLOTS).filter(|&other| other != slot && side.is_open(other));
        let others: Vec<usize> = others.collect();
        if others.is_empty() {
            return self.request(slot);
        }
        let by = self.pick(&others);
        self.mortals += 1;
        let path = format!("/m{}-{}", &self.root[2..], self.mortals);
        let open = acl(&[(31, b"world", b"anyone")]);
        let create = |path: &str, flags: i32| {
            let head = Jute::default().text(path.as_bytes()).buffer(Some(b"x"));
            Jute([head.0, open.clone()].concat()).int(flags)
        };
        let name = |path: &str| Jute::default().text(path.as_bytes());
        let watch = self.ask(by, op::EXISTS, name(&path).bool(true));
        let again = self.ask(by, op::GET_DATA, name(&path).bool(true));
        let mut deeds = vec![watch];
        let last = match self.rng.below(3) {
            0 => {
                let hello = Hello {
                    timeout_ms: 4_000,
                    ..self.fresh()
                };
                deeds.push(self.ask(slot, op::CLOSE, Jute::default()));
                deeds.push(Deed::Connect {
                    slot,
                    server: slot,
                    hello,
                });
                deeds.push(self.ask(slot, op::CREATE, create(&path, 1)));
                let own = format!("{}/e", self.root);
                deeds.push(self.ask(slot, op::CREATE2, create(&own, 3)));
                Deed::Drop { slot }
            }
            1 => {
                let child = format!("{path}/child");
                deeds.push(self.ask(slot, op::CREATE_CONTAINER, create(&path, 4)));
                deeds.push(self.ask(slot, op::CREATE, create(&child, 0)));
                deeds.push(self.ask(by, op::GET_CHILDREN, name(&path).bool(true)));
                self.ask(slot, op::DELETE, name(&child).int(-1))
            }
            _ => {
                // Long enough to be watched while it lives, so the last deed waits for it and does no more.
                let ttl = 1_500;
                deeds.push(self.ask(slot, op::CREATE_TTL, create(&path, 5).long(ttl)));
                self.ask(slot, op::PING, Jute::default())
            }
        };
        deeds.push(again);
        deeds.push(Deed::Until {
            deed: Box::new(last),
            path: path.into_bytes(),
            by,
        });
        let first = deeds.remove(0);
        self.soon.extend(deeds);
        first
    }

    /// Sets a quota below the stream's root, changes one, or looks at one.
    fn quota(&mut self, slot: usize) -> Deed {
        const LIMITS: &[&[u8]] = &[
            b"count=4,bytes=-1",
            b"count=-1,bytes=-1=;byteHardLimit=6;countHardLimit=-1",
            b"count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=5",
            b"count=2,bytes=3=;byteHardLimit=12;countHardLimit=9",
            b"byteHardLimit=20;countHardLimit=12",
            b"count=-1,bytes=-1",
        ];
        let own = self.root.clone() + self.pick(&["", "", "/a", "/a/b"]);
        let place = format!("/zookeeper/quota{own}");
        let (limits, stats) = (
            format!("{place}/zookeeper_limits"),
            format!("{place}/zookeeper_stats"),
        );
        let text = self.pick(LIMITS);
        let open = acl(&[(31, b"world", b"anyone")]);
        let create = |path: &str, data: &[u8]| {
            let head = Jute::default().text(path.as_bytes()).buffer(Some(data));
            Jute([head.0, open.clone()].concat()).int(0)
        };
        let path = |path: &str| Jute::default().text(path.as_bytes());
        match self.rng.below(8) {
            0 => self.ask(slot, op::GET_DATA, path(&stats).bool(true)),
            1 => self.ask(slot, op::DELETE, path(&limits).int(-1)),
            2 => self.ask(slot, op::DELETE, path(&stats).int(-1)),
            3 => self.ask(slot, op::SET_DATA, path(&limits).buffer(Some(text)).int(-1)),
            4 => self.ask(slot, op::GET_CHILDREN2, path(&place).bool(false)),
            _ => {
                let bodies = [
                    create(&place, b""),
                    create(&limits, text),
                    create(&stats, b"count=0,bytes=0"),
                    path(&stats).bool(false),
                ];
                let ops = [op::CREATE, op::CREATE, op::CREATE2, op::GET_DATA];
                for (op, body) in ops.into_iter().zip(bodies) {
                    let deed = self.ask(slot, op, body);
                    self.soon.push_back(deed);
                }
                let whole = format!("/zookeeper/quota{}", self.root);
                self.ask(slot, op::CREATE, create(&whole, b""))
            }
        }
    }

    fn connect(&mut self, slot: usize, side: &Side) -> Deed {
        let mut hello = self.fresh();
        // No session is left to expire in the middle of something: that would come at another moment on each side.
        hello.of = side.has_session(slot).then_some(slot);
        hello.wrong_password = hello.of.is_some() && self.rng.chance(50);
        hello.ahead = self.rng.chance(30);
        let old = self.old_connections(slot, slot, side);
        if old.is_empty() || self.rng.chance(150) {
            self.soon.extend(old);
        } else {
            // Another connection has taken its session up, and keeps it.
            hello.of = None;
            hello.wrong_password = false;
        }
        let server = self.rng.below(3) as usize;
        Deed::Connect {
            slot,
            server,
            hello,
        }
    }

    fn fresh(&mut self) -> Hello {
        let timeouts: &[i32] = match self.lives {
            Lives::Long => &[30_000, 1, -5, 0, 35_000, 35_001, 1_000_000, i32::MAX],
            // Only what is meant to expire does.
            Lives::Short => &[35_000, 40_000, 1_000_000],
        };
        Hello {
            timeout_ms: self.pick(timeouts),
            long: self.rng.chance(600),
            ..Hello::default()
        }
    }

    /// What is not even a request.
    fn raw(&mut self, slot: usize) -> Deed {
        let bytes: &[&[u8]] = &[
            &[0x7f, 0xff, 0xff, 0xff, 0, 0],
            &[0x80, 0, 0, 0],
            &[0xff, 0xff, 0xff, 0xff],
            &[0, 0, 0, 4, 0, 0, 0, 1],
            &[0, 0, 0, 0],
            &[0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0],
            &[0x00, 0x20, 0x00, 0x00, 1, 2, 3],
        ];
        Deed::Raw {
            slot,
            bytes: self.pick(bytes).to_vec(),
        }
    }

    fn request(&mut self, slot: usize) -> Deed {
        const WEIGHTS: &[(u64, i32)] = &[
            (110, op::CREATE),
            (90, op::CREATE2),
            (15, op::CREATE_CONTAINER),
            (20, op::CREATE_TTL),
            (110, op::DELETE),
            (60, op::EXISTS),
            (60, op::GET_DATA),
            (110, op::SET_DATA),
            (25, op::GET_ACL),
            (30, op::SET_ACL),
            (40, op::GET_CHILDREN),
            (30, op::GET_CHILDREN2),
            (10, op::SYNC),
            (8, op::PING),
            (80, op::MULTI),
            (25, op::MULTI_READ),
            (15, op::CHECK_WATCHES),
            (20, op::REMOVE_WATCHES),
            (25, op::AUTH),
            (15, op::SET_WATCHES),
            (20, op::SET_WATCHES2),
            (40, op::ADD_WATCH),
            (10, op::GET_EPHEMERALS),
            (10, op::GET_ALL_CHILDREN_NUMBER),
            (8, op::WHO_AM_I),
            (4, op::RECONFIG),
        ];
        let sum = WEIGHTS.iter().map(|(weight, _)| weight).sum();
        let mut at = self.rng.below(sum);
        let drawn = WEIGHTS.iter().find(|(weight, _)| {
            let here = at < *weight;
            at = at.saturating_sub(*weight);
            here
        });
        let op = match drawn.expect("a weight below the sum").1 {
            // A server that stands alone has no members to change.
            op::RECONFIG if !self.ensemble => op::WHO_AM_I,
            op::CREATE_CONTAINER | op::CREATE_TTL if self.lives == Lives::Short => op::CREATE2,
            op => op,
        };
        if op == op::SET_WATCHES || op == op::SET_WATCHES2 {
            return self.set_watches(slot, op);
        }
        let body = self.body(op);
        let deed = self.ask(slot, op, body);
        self.maybe_spoilt(deed)
    }

    /// A few requests end early or are longer than they ought to be.
    fn maybe_spoilt(&mut self, deed: Deed) -> Deed {
        let Deed::Ask {
            slot,
            xid,
            op,
            mut body,
            ..
        } = deed
        else {
            return deed;
        };
        let len: usize = body
            .iter()
            .map(|piece| match piece {
                Piece::Bytes(bytes) => bytes.len(),
                _ => 8,
            })
            .sum();
        let mut cut = 0;
        // A write that ends early wedges an ensemble of ZooKeeper's (rule R21a).
        if self.rng.chance(8) && 0 < len && !self.ensemble {
            cut = 1 + self.rng.below(len as u64) as usize;
        } else if self.rng.chance(8) {
            body.push(Piece::Bytes(b"trailing".to_vec()));
        }
        Deed::Ask {
            slot,
            xid,
            op,
            body,
            cut,
        }
    }

    pub(super) fn ask(&mut self, slot: usize, op: i32, body: Jute) -> Deed {
        self.xid = match self.rng.below(100) {
            0 => i32::MIN,
            1 => i32::MAX,
            2 => 0,
            _ => self.xid.wrapping_add(1),
        };
        // These are not for requests.
        if matches!(self.xid, -1) || self.xid == i32::MAX - 0xffff {
            self.xid = 1;
        }
        let usual = match op {
            op::PING => -2,
            op::AUTH => -4,
            op::SET_WATCHES | op::SET_WATCHES2 => -8,
            _ => self.xid,
        };
        let xid = if self.rng.chance(800) {
            usual
        } else {
            self.xid
        };
        Deed::Ask {
            slot,
            xid,
            op,
            body: vec![Piece::Bytes(body.0)],
            cut: 0,
        }
    }

    fn body(&mut self, op: i32) -> Jute {
        match op {
            op::CREATE | op::CREATE2 | op::CREATE_CONTAINER => self.create(op),
            op::CREATE_TTL => self.create_ttl(),
            op::DELETE | op::CHECK => self.path_alone().int(self.version()),
            op::EXISTS | op::GET_DATA | op::GET_CHILDREN | op::GET_CHILDREN2 => {
                self.path_alone().bool(self.rng.chance(500))
            }
            op::SET_DATA => {
                let path = self.path();
                let data = self.data();
                Jute::default()
                    .text(&path)
                    .buffer(data.as_deref())
                    .int(self.version())
            }
            op::SET_ACL => {
                let path = self.own_path();
                let list = self.acl();
                Jute([Jute::default().text(&path).0, list].concat()).int(self.version())
            }
            op::MULTI => self.multi(),
            op::MULTI_READ => self.multi_read(),
            op::CHECK_WATCHES | op::REMOVE_WATCHES => {
                let kind = self.pick(&[1, 2, 3, 3, 3, 4, 5, 0, 6, -1]);
                self.path_alone().int(kind)
            }
            op::AUTH => self.auth(),
            op::ADD_WATCH => {
                let mode = self.pick(&[0, 0, 0, 1, 1, 1, 2, -1]);
                self.path_alone().int(mode)
            }
            op::RECONFIG => self.reconfig(),
            op::GET_EPHEMERALS => {
                let root = self.root.clone();
                let half = root[..root.len() - 1].to_owned();
                let prefixes = [
                    String::new(),
                    "/".into(),
                    root.clone(),
                    format!("{root}/a"),
                    half,
                    " ".into(),
                ];
                let prefix = self.pick(&prefixes);
                match self.rng.chance(100) {
                    true => Jute::default().buffer(None),
                    false => Jute::default().text(prefix.as_bytes()),
                }
            }
            op::PING | op::WHO_AM_I => Jute::default(),
            _ => self.path_alone(),
        }
    }

    fn create(&mut self, op: i32) -> Jute {
        let flags = match op {
            _ if self.lives == Lives::Short => self.pick(&[0, 0, 0, 1, 1, 2, 3]),
            _ if self.careful => self.pick(&[0, 0, 0, 1, 2, 3, 4]),
            op::CREATE_CONTAINER => self.pick(&[4, 4, 4, 4, 0, 1, 2, 3, 5, 7, -1]),
            _ => self.pick(&[0, 0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 4, 5, 6, 7, -1]),
        };
        self.create_with(flags)
    }

    fn create_ttl(&mut self) -> Jute {
        let flags = match self.careful {
            true => self.pick(&[5, 5, 5, 6, 6]),
            false => self.pick(&[5, 5, 5, 5, 5, 5, 6, 6, 6, 6, 0, 1, 2, 3, 4, 7, -1]),
        };
        let ttl = self.pick(&[1_000_000, 0xff_ffff_ffff, 3_600_000, 0, -1, 0x100_0000_0000]);
        // A znode of no TTL mode that has no time either ends ZooKeeper.
        let ttl = if 4 < flags { ttl } else { ttl.max(0) };
        self.create_with(flags).long(ttl)
    }

    fn create_with(&mut self, flags: i32) -> Jute {
        let path = self.path();
        let data = self.data();
        let list = self.acl();
        Jute([Jute::default().text(&path).buffer(data.as_deref()).0, list].concat()).int(flags)
    }

    fn multi(&mut self) -> Jute {
        self.careful = self.ensemble;
        let mut jute = Jute::default();
        for _ in 0..self.rng.below(5) {
            let kinds = [
                op::CREATE,
                op::CREATE,
                op::CREATE2,
                op::CREATE_CONTAINER,
                op::CREATE_TTL,
                op::DELETE,
                op::DELETE,
                op::SET_DATA,
                op::SET_DATA,
                op::CHECK,
                op::CHECK,
            ];
            let kind = match self.rng.below(60) {
                0 if !self.careful => {
                    self.pick(&[op::GET_DATA, op::EXISTS, op::SET_ACL, op::MULTI, 99])
                }
                _ => self.pick(&kinds),
            };
            let kind = match kind {
                op::CREATE_CONTAINER | op::CREATE_TTL if self.lives == Lives::Short => op::CREATE2,
                kind => kind,
            };
            let body = self.body(kind);
            jute = Jute([jute.int(kind).bool(false).int(-1).0, body.0].concat());
        }
        self.careful = false;
        jute.int(-1).bool(true).int(-1)
    }

    fn multi_read(&mut self) -> Jute {
        let mut jute = Jute::default();
        for _ in 0..self.rng.below(5) {
            let kind = match self.rng.below(40) {
                0 => self.pick(&[op::EXISTS, op::GET_CHILDREN2, op::SET_DATA]),
                _ => self.pick(&[op::GET_DATA, op::GET_CHILDREN]),
            };
            let body = self.body(kind);
            jute = Jute([jute.int(kind).bool(false).int(-1).0, body.0].concat());
        }
        jute.int(-1).bool(true).int(-1)
    }

    fn auth(&mut self) -> Jute {
        let (scheme, proof): (&[u8], &[u8]) = match self.rng.below(40) {
            0..=17 => (b"digest", b"otter:raft"),
            18..=28 => (b"digest", b"beaver:dam"),
            29..=34 => (b"digest", b"super:test"),
            35 => (b"digest", b"super:wrong"),
            36 => (b"digest", b"nocolon"),
            37 => (b"ip", b"10.0.0.1"),
            38 => (b"world", b"anyone"),
            _ => (b"nosuchscheme", b"x"),
        };
        Jute::default().int(0).text(scheme).buffer(Some(proof))
    }

    fn reconfig(&mut self) -> Jute {
        let lists: &[Option<&[u8]>] = &[None, Some(b""), Some(b"nonsense"), Some(b"9")];
        let (joining, leaving, members) = (self.pick(lists), self.pick(lists), self.pick(lists));
        Jute::default()
            .buffer(joining)
            .buffer(leaving)
            .buffer(members)
            .long(self.pick(&[-1, 1]))
    }

    fn set_watches(&mut self, slot: usize, op: i32) -> Deed {
        let back = self.rng.below(30) as usize;
        let lists = if op == op::SET_WATCHES { 3 } else { 5 };
        let mut body = Jute::default();
        for _ in 0..lists {
            let count = self.rng.below(3);
            let paths: Vec<Vec<u8>> = (0..count).map(|_| self.own_path()).collect();
            body = body.texts(&paths);
        }
        match self.ask(slot, op, body) {
            Deed::Ask {
                slot,
                xid,
                op,
                mut body,
                cut,
            } => {
                body.insert(0, Piece::Zxid { back });
                Deed::Ask {
                    slot,
                    xid,
                    op,
                    body,
                    cut,
                }
            }
            other => other,
        }
    }

    fn path_alone(&mut self) -> Jute {
        Jute::default().text(&self.path())
    }

    /// A path, now and then one that is none, or belongs to all streams.
    fn path(&mut self) -> Vec<u8> {
        if !self.rng.chance(60) {
            return self.own_path();
        }
        let root = self.root.as_bytes();
        let below = |rest: &[u8]| [root, rest].concat();
        let paths = [
            b"/".to_vec(),
            b"/zookeeper".to_vec(),
            b"/zookeeper/quota".to_vec(),
            b"".to_vec(),
            b"a".to_vec(),
            b"//".to_vec(),
            below(b"/"),
            below(b"//a"),
            below(b"/a/"),
            below(b"/./a"),
            below(b"/a/.."),
            below(b"/.a"),
            below(b"/a\0"),
            below(b"/a\x01"),
            below(b"/a\x1f"),
            below(b"/a\x7f"),
            below(b"/a "),
            below("/\u{80}".as_bytes()),
            below("/\u{9f}".as_bytes()),
            below("/\u{a0}".as_bytes()),
            below("/\u{d7ff}".as_bytes()),
            below("/\u{e000}".as_bytes()),
            below("/\u{f8ff}".as_bytes()),
            below("/\u{f900}".as_bytes()),
            below("/\u{ffef}".as_bytes()),
            below("/\u{fff0}".as_bytes()),
            below("/\u{1f9a6}".as_bytes()),
            below("/\u{c218}\u{b2ec}".as_bytes()),
        ];
        self.pick(&paths)
    }

    /// A good path of this stream.
    fn own_path(&mut self) -> Vec<u8> {
        let names = [
            "", "/a", "/a", "/b", "/b", "/e", "/e", "/a/b", "/a/b", "/a/c", "/b/c", "/e/x",
            "/a/b/c", "/a/b/c", "/q", "/q/n-", "/a/n-", "/n-", "/q/",
        ];
        let mut name = String::from(self.pick(&names));
        if self.rng.chance(80) {
            let number = self.rng.below(12);
            name = format!(
                "{}{number:010}",
                self.pick(&["/q/n-", "/a/n-", "/n-", "/a"])
            );
        }
        format!("{}{name}", self.root).into_bytes()
    }

    fn data(&mut self) -> Option<Vec<u8>> {
        match self.rng.below(8) {
            0 => None,
            1 => Some(Vec::new()),
            2 => Some(vec![0xff; 3]),
            length => Some(vec![b'x'; length as usize]),
        }
    }

    fn version(&mut self) -> i32 {
        self.pick(&[-1, -1, -1, -1, 0, 0, 1, 1, 2, 3, 7, -2, i32::MIN])
    }

    /// A list of permissions, encoded. Most are open, or nothing would happen for long.
    fn acl(&mut self) -> Vec<u8> {
        let perms = self.rng.below(32) as i32;
        match self.rng.below(60) {
            0 if !self.careful => Jute::default().int(-1).0,
            1 => acl(&[]),
            2 => acl(&[(31, b"auth", b"")]),
            3 => acl(&[(31, b"auth", b"whatever"), (1, b"world", b"anyone")]),
            4 => acl(&[(31, b"digest", OTTER)]),
            5 => acl(&[(31, b"digest", OTTER), (1, b"world", b"anyone")]),
            6 => acl(&[(31, b"digest", BEAVER), (perms, b"world", b"anyone")]),
            7 => acl(&[(perms, b"world", b"anyone")]),
            8 => acl(&[(31, b"ip", b"127.0.0.1")]),
            9 => acl(&[(31, b"ip", b"127.0.0.0/8"), (1, b"ip", b"10.0.0.0/8")]),
            10 => acl(&[(31, b"ip", b"10.1.2.3"), (1, b"world", b"anyone")]),
            11 => acl(&[(31, b"ip", self.pick::<&[u8]>(BAD_ADDRESSES))]),
            12 => acl(&[(
                31,
                b"digest",
                self.pick::<&[u8]>(&[b"nocolon", b"a:b:c", b"", b"a:", b":"]),
            )]),
            13 => acl(&[(31, b"nosuchscheme", b"x")]),
            14 => acl(&[(
                31,
                b"world",
                self.pick::<&[u8]>(&[b"everyone", b"", b"Anyone"]),
            )]),
            15 => acl(&[(31, b"world", b"anyone"), (31, b"world", b"anyone")]),
            16 => acl(&[
                (self.pick(&[-1, 0, 32, 64, 99]), b"world", b"anyone"),
                (31, b"digest", OTTER),
            ]),
            17 => acl(&[(31, b"super", b"super"), (31, b"world", b"anyone")]),
            18 => acl(&[(31, b"", b"anyone")]),
            19 => acl(&[(31, b"ip", b"::1"), (31, b"world", b"anyone")]),
            20 => acl(&[(31, b"sasl", b"otter"), (1, b"world", b"anyone")]),
            21 => acl(&[(
                31,
                b"sasl",
                self.pick::<&[u8]>(&[b"beaver", b"", b"a/b@C", b"a@b@c", b"a/b"]),
            )]),
            _ => acl(&[(31, b"world", b"anyone")]),
        }
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.rng.below(from.len() as u64) as usize].clone()
    }
}

const BAD_ADDRESSES: &[&[u8]] = &[
    b"127.0.0",
    b"127.0.0.1/33",
    b"127.0.0.1/",
    b"127.0.0.1/-1",
    b"300.1.1.1",
    b"",
    b"/8",
    b"localhost",
    b"127.0.0.1/8/8",
];

/// A list of permissions as it goes over the wire.
fn acl(list: &[(i32, &[u8], &[u8])]) -> Vec<u8> {
    let count = i32::try_from(list.len()).expect("a short list");
    let jute = list
        .iter()
        .fold(Jute::default().int(count), |jute, (perms, scheme, id)| {
            jute.int(*perms).text(scheme).text(id)
        });
    jute.0
}

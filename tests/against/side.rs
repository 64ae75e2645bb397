//! One of the two servers, or clusters of them, and the connections of a stream to it.

use core::time::Duration;
use std::collections::VecDeque;
use std::thread::sleep;
use std::time::Instant;

use super::answer::{Answer, EVENT, op};
use super::compare::Said;
use super::deed::{Deed, Hello, Piece};
use super::digest;
use super::wire::{Jute, Wire};

/// Connections of one stream.
pub(super) const SLOTS: usize = 4;
/// The number of requests that only wait for what went before.
const BARRIER: i32 = 0x7fff_0000;
/// How many zxids of answers are remembered, for requests that name one.
const REMEMBERED: usize = 64;

pub(super) struct Side {
    addresses: Vec<String>,
    slots: [Slot; SLOTS],
    /// How its members reach each other, and where their clients go, as reconfig has it.
    members: Vec<[String; 2]>,
    /// The zxids of the last answers, the newest first.
    zxids: VecDeque<i64>,
    /// Of the configuration.
    version: i64,
}

#[derive(Default)]
struct Slot {
    wire: Option<Wire>,
    session: Option<Session>,
    talk: Talk,
    said: Vec<Said>,
}

/// A conversation of DIGEST-MD5.
#[derive(Default)]
struct Talk {
    /// What the server wants an answer to.
    nonce: String,
    /// What it must say to prove that it knows the password too.
    proof: String,
}

#[derive(Clone, Copy)]
struct Session {
    id: i64,
    password: [u8; 16],
}

impl Side {
    pub(super) fn new(addresses: Vec<String>) -> Self {
        Self {
            addresses,
            slots: Default::default(),
            members: Vec::new(),
            zxids: VecDeque::from([0]),
            version: -1,
        }
    }

    /// For changes of the members.
    pub(super) fn with_members(self, members: Vec<[String; 2]>) -> Self {
        Self { members, ..self }
    }

    pub(super) fn is_open(&self, slot: usize) -> bool {
        self.slots[slot].wire.is_some()
    }

    pub(super) fn has_session(&self, slot: usize) -> bool {
        self.slots[slot].session.is_some()
    }

    /// Whether two connections had the same session last.
    pub(super) fn share(&self, one: usize, other: usize) -> bool {
        let id = |slot: usize| self.slots[slot].session.map(|session| session.id);
        id(one).is_some() && id(one) == id(other)
    }

    /// Sends what a deed says; the answer is for [`Side::receive`].
    pub(super) fn send(&mut self, deed: &Deed) {
        match deed {
            Deed::Connect {
                slot,
                server,
                hello,
            } => {
                let bytes = self.hello(hello);
                let address = &self.addresses[server % self.addresses.len()];
                let mut wire = Wire::open(address).expect("the server listens");
                wire.send(&bytes.framed());
                self.slots[*slot].wire = Some(wire);
            }
            Deed::Ask {
                slot,
                xid,
                op,
                body,
                cut,
            } => {
                let mut frame = self.fill(*slot, Jute::default().int(*xid).int(*op), body);
                frame.0.truncate(frame.0.len() - cut);
                self.write(*slot, &frame.framed());
            }
            Deed::Raw { slot, bytes } => self.write(*slot, bytes),
            Deed::Drop { slot } => self.slots[*slot].wire = None,
            Deed::Until { deed, .. } => self.send(deed),
        }
    }

    /// Reads until the deed is answered, or the connection closed.
    pub(super) fn receive(&mut self, deed: &Deed) {
        match *deed {
            Deed::Connect {
                slot, ref hello, ..
            } => self.greeted(slot, hello),
            Deed::Until {
                ref deed,
                ref path,
                by,
            } => {
                self.receive(deed);
                self.wait_until_gone(path, by);
            }
            Deed::Ask { slot, op, .. } => self.read_until(slot, op, |_| true),
            Deed::Raw { slot, .. } => self.read_until(slot, op::PING, |_| true),
            Deed::Drop { .. } => {}
        }
    }

    /// Asks again and again for a znode. The answers are told no more than barriers'.
    fn wait_until_gone(&mut self, path: &[u8], by: usize) {
        const NO_NODE: i32 = -101;
        const LIMIT: Duration = Duration::from_secs(60);
        const PAUSE: Duration = Duration::from_millis(50);
        let exists = Jute::default().int(BARRIER).int(op::EXISTS).text(path);
        let until = Instant::now() + LIMIT;
        loop {
            self.write(by, &exists.clone().bool(false).framed());
            self.read_until(by, op::EXISTS, |answer| answer.xid == BARRIER);
            match self.slots[by].said.last() {
                Some(Said::Answer(answer)) if answer.error != NO_NODE => {}
                _ => return,
            }
            let path = path.escape_ascii();
            assert!(Instant::now() < until, "{path} stays for {LIMIT:?}");
            sleep(PAUSE);
        }
    }

    /// Asks all connections for a sign, so that what is on its way arrives before it.
    pub(super) fn send_barrier(&mut self) {
        let sync = Jute::default().int(BARRIER).int(op::SYNC).text(b"/");
        for slot in 0..SLOTS {
            self.write(slot, &sync.framed());
        }
    }

    pub(super) fn receive_barrier(&mut self) {
        for slot in 0..SLOTS {
            if self.is_open(slot) {
                self.read_until(slot, op::SYNC, |answer| answer.xid == BARRIER);
            }
        }
    }

    /// What each connection was told since the last time. Barriers' answers are not told.
    pub(super) fn take_said(&mut self) -> [Vec<Said>; SLOTS] {
        core::array::from_fn(|slot| {
            let mut said = core::mem::take(&mut self.slots[slot].said);
            said.retain(|said| !matches!(said, Said::Answer(answer) if answer.xid == BARRIER));
            said
        })
    }

    fn hello(&self, hello: &Hello) -> Jute {
        const NOBODY: Session = Session {
            id: 0,
            password: [0; 16],
        };
        let mut session = hello
            .of
            .map_or(NOBODY, |slot| self.slots[slot].session.unwrap_or(NOBODY));
        if hello.wrong_password {
            session.password[3] ^= 0x55;
        }
        let zxid = if hello.ahead { i64::MAX >> 1 } else { 0 };
        let jute = Jute::default()
            .int(0)
            .long(zxid)
            .int(hello.timeout_ms)
            .long(session.id)
            .buffer(Some(&session.password));
        match hello.long {
            true => jute.bool(false),
            false => jute,
        }
    }

    fn fill(&mut self, slot: usize, frame: Jute, body: &[Piece]) -> Jute {
        body.iter().fold(frame, |mut frame, piece| match *piece {
            Piece::Bytes(ref bytes) => {
                frame.0.extend(bytes);
                frame
            }
            Piece::Zxid { back } => {
                let at = back.min(self.zxids.len() - 1);
                frame.long(self.zxids[at])
            }
            Piece::Proof { user, password } => {
                let talk = &mut self.slots[slot].talk;
                let (token, proof) = digest::answer(user, password, &talk.nonce);
                talk.proof = proof;
                frame.text(token.as_bytes())
            }
            Piece::Members(ref text) => {
                let mut text = text.clone();
                for (at, [peers, clients]) in self.members.iter().enumerate() {
                    text = text.replace(&format!("@{}", at + 1), peers);
                    text = text.replace(&format!("%{}", at + 1), clients);
                }
                frame.text(text.as_bytes())
            }
            Piece::Version => frame.long(self.version),
        })
    }

    fn write(&mut self, slot: usize, bytes: &[u8]) {
        if let Some(wire) = &mut self.slots[slot].wire {
            wire.send(bytes);
        }
    }

    fn greeted(&mut self, slot: usize, hello: &Hello) {
        let own = &mut self.slots[slot];
        let frame = own.wire.as_mut().and_then(Wire::frame);
        let Some(frame) = frame else {
            own.wire = None;
            return own.said.push(Said::Closed);
        };
        own.said.push(Said::Answer(Answer::read(op::HELLO, &frame)));
        let id = frame.get(8..16).and_then(|id| id.try_into().ok());
        let id = i64::from_be_bytes(id.expect("a session id"));
        let password = frame.get(20..36).and_then(|bytes| bytes.try_into().ok());
        let password = password.expect("a password of 16 bytes");
        if id == 0 {
            // Who was taken for a thief may come again.
            own.session = own.session.filter(|_| hello.wrong_password);
            let more = own.wire.as_mut().and_then(Wire::frame);
            assert!(more.is_none(), "more is said behind the end of a session");
            own.wire = None;
            own.said.push(Said::Closed);
        } else {
            own.session = Some(Session { id, password });
        }
    }

    /// Takes what comes on a connection, up to an answer that is no event and pleases.
    fn read_until(&mut self, slot: usize, op: i32, pleases: impl Fn(&Answer) -> bool) {
        let own = &mut self.slots[slot];
        let Some(wire) = &mut own.wire else {
            return;
        };
        loop {
            let Some(frame) = wire.frame() else {
                own.wire = None;
                return own.said.push(Said::Closed);
            };
            let is_event = frame.starts_with(&EVENT.to_be_bytes());
            let answer = Answer::read(op, &frame);
            if !is_event && answer.op == op::SASL {
                own.talk.hear(&frame);
            }
            let enough = !is_event && pleases(&answer);
            self.version = answer.version().unwrap_or(self.version);
            if !is_event && answer.xid != BARRIER && 0 < answer.applied() {
                self.zxids.push_front(answer.applied());
                self.zxids.truncate(REMEMBERED);
            }
            let last_words = enough && answer.ends_connection();
            own.said.push(Said::Answer(answer));
            // The close comes behind them, sooner or later.
            if enough && !last_words {
                return;
            }
        }
    }
}

impl Talk {
    /// Keeps the nonce of a challenge, and holds the server to its proof.
    fn hear(&mut self, frame: &[u8]) {
        let text = String::from_utf8_lossy(frame);
        if let Some((_, behind)) = text.split_once("nonce=\"") {
            self.nonce = behind.split('"').next().unwrap_or_default().to_owned();
        }
        if let Some((_, proof)) = text.split_once("rspauth=") {
            assert_eq!(proof, self.proof, "the server does not know the password");
        }
    }
}

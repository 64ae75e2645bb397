//! The load itself: a closed loop over many connections, each with a window of requests
//! outstanding. One thread, readiness from mio, and one read of the clock for each batch of
//! replies, so that it costs a small part of what the fastest server does.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Read, Write};
use std::time::Instant;

use hdrhistogram::Histogram;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Registry, Token};

use super::usage;
use super::wire::{self, Session, Template};

/// Free room that a read is given.
const READ_BYTES: usize = 64 << 10;
/// Between attempts to open a connection that was lost.
const REOPEN: Duration = Duration::from_millis(20);
/// All connections must have their sessions after this.
const OPEN_LIMIT: Duration = Duration::from_secs(30);
/// The wait for the last replies and the sessions' ends.
const CLOSE_LIMIT: Duration = Duration::from_secs(3);
/// How often progress is told, and the longest sleep.
const BEAT: Duration = Duration::from_millis(100);

pub(super) struct Plan<'a> {
    pub(super) servers: &'a [SocketAddr],
    pub(super) connections: usize,
    /// Requests outstanding on each connection.
    pub(super) window: usize,
    /// Share of reads, 0 to 100.
    pub(super) reads_percent: u32,
    pub(super) keys: u32,
    pub(super) read: Template,
    pub(super) write: Template,
    pub(super) warm_up: Duration,
    pub(super) span: Duration,
    /// Servers whose CPU time is wanted.
    pub(super) pids: &'a [u32],
    pub(super) seed: u64,
}

pub(super) struct Figures {
    pub(super) seconds: f64,
    /// Latencies in ns; their counts are the operations.
    pub(super) reads: Histogram<u64>,
    pub(super) writes: Histogram<u64>,
    /// Refused requests by ZooKeeper's error number.
    pub(super) errors: BTreeMap<i32, u64>,
    pub(super) lost_connections: u64,
    pub(super) client_cpu: f64,
    pub(super) server_cpu: f64,
}

/// Where a run has got to, for the progress line.
pub(super) enum Stage {
    Opening,
    WarmUp,
    Measuring { elapsed: Duration, operations: u64 },
}

pub(super) fn run(plan: &Plan<'_>, progress: &mut dyn FnMut(Stage)) -> io::Result<Figures> {
    Load::new(plan)?.run(progress)
}

struct Load<'a> {
    plan: &'a Plan<'a>,
    poll: Poll,
    events: Events,
    conns: Vec<Conn>,
    desk: Desk<'a>,
}

/// What all connections share.
struct Desk<'a> {
    plan: &'a Plan<'a>,
    reads: Histogram<u64>,
    writes: Histogram<u64>,
    errors: BTreeMap<i32, u64>,
    lost_connections: u64,
    random: u64,
    count: u64,
    /// Whether a reply makes room for a new request.
    refill: bool,
}

impl<'a> Load<'a> {
    fn new(plan: &'a Plan<'a>) -> io::Result<Self> {
        let poll = Poll::new()?;
        let open = |at| Conn::open(at, plan.servers[at % plan.servers.len()], poll.registry());
        let conns = (0..plan.connections).map(open).collect::<io::Result<_>>()?;
        let desk = Desk {
            plan,
            reads: super::histogram(),
            writes: super::histogram(),
            errors: BTreeMap::new(),
            lost_connections: 0,
            random: plan.seed | 1,
            count: 0,
            refill: true,
        };
        Ok(Self {
            plan,
            poll,
            events: Events::with_capacity(1_024),
            conns,
            desk,
        })
    }

    fn run(mut self, progress: &mut dyn FnMut(Stage)) -> io::Result<Figures> {
        progress(Stage::Opening);
        let limit = Instant::now() + OPEN_LIMIT;
        while !self.conns.iter().all(Conn::is_open) {
            if limit <= Instant::now() {
                let open = self.conns.iter().filter(|conn| conn.is_open()).count();
                let text = format!("{open} of {} connections have a session", self.conns.len());
                return Err(io::Error::new(io::ErrorKind::TimedOut, text));
            }
            self.turn()?;
        }
        progress(Stage::WarmUp);
        let limit = Instant::now() + self.plan.warm_up;
        while Instant::now() < limit {
            self.turn()?;
        }
        let figures = self.measure(progress)?;
        self.close()?;
        Ok(figures)
    }

    fn measure(&mut self, progress: &mut dyn FnMut(Stage)) -> io::Result<Figures> {
        let own = [std::process::id()];
        self.desk.forget();
        let server_cpu = usage::cpu_seconds(self.plan.pids)?;
        let client_cpu = usage::cpu_seconds(&own)?;
        let start = Instant::now();
        let mut told = start;
        let elapsed = loop {
            self.turn()?;
            let now = Instant::now();
            if self.plan.span <= now - start {
                break now - start;
            }
            if BEAT <= now - told {
                told = now;
                progress(Stage::Measuring {
                    elapsed: now - start,
                    operations: self.desk.operations(),
                });
            }
        };
        Ok(Figures {
            seconds: elapsed.as_secs_f64(),
            reads: self.desk.reads.clone(),
            writes: self.desk.writes.clone(),
            errors: self.desk.errors.clone(),
            lost_connections: self.desk.lost_connections,
            client_cpu: usage::cpu_seconds(&own)? - client_cpu,
            server_cpu: usage::cpu_seconds(self.plan.pids)? - server_cpu,
        })
    }

    /// Waits for something to happen and lets each connection concerned go on.
    fn turn(&mut self) -> io::Result<()> {
        match self.poll.poll(&mut self.events, Some(BEAT.min(REOPEN))) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            result => result?,
        }
        for event in &self.events {
            self.conns[event.token().0].go_on(&mut self.desk);
        }
        for (at, conn) in self.conns.iter_mut().enumerate() {
            if conn.reopen_at.is_some_and(|due| due <= Instant::now()) && self.desk.refill {
                // The next server, as a client would.
                conn.hops += 1;
                let server = self.plan.servers[(at + conn.hops) % self.plan.servers.len()];
                *conn = Conn {
                    hops: conn.hops,
                    ..Conn::open(at, server, self.poll.registry())?
                };
            }
        }
        Ok(())
    }

    /// Lets the outstanding replies come in, then ends the sessions.
    fn close(&mut self) -> io::Result<()> {
        self.desk.refill = false;
        let limit = Instant::now() + CLOSE_LIMIT;
        while !self.conns.iter().all(Conn::is_idle) && Instant::now() < limit {
            self.turn()?;
        }
        let close = Template::close();
        for conn in self.conns.iter_mut().filter(|conn| conn.is_open()) {
            conn.ask(&close, false, Instant::now(), &mut self.desk);
            conn.go_on(&mut self.desk);
        }
        while !self.conns.iter().all(Conn::is_idle) && Instant::now() < limit {
            self.turn()?;
        }
        Ok(())
    }
}

impl Desk<'_> {
    fn operations(&self) -> u64 {
        self.reads.len() + self.writes.len()
    }

    /// Begins to count anew.
    fn forget(&mut self) {
        self.reads.reset();
        self.writes.reset();
        self.errors.clear();
        self.lost_connections = 0;
    }

    fn record(&mut self, request: &Outstanding, error: i32, now: Instant) {
        if error == 0 {
            let latencies = if request.is_read {
                &mut self.reads
            } else {
                &mut self.writes
            };
            latencies.saturating_record((now - request.sent).as_nanos() as u64);
        } else {
            *self.errors.entry(error).or_default() += 1;
        }
    }

    /// A number below `bound`, from xorshift64*.
    fn below(&mut self, bound: u32) -> u32 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        let mixed = self.random.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32;
        ((mixed * u64::from(bound)) >> 32) as u32
    }
}

struct Conn {
    stream: TcpStream,
    state: State,
    input: Vec<u8>,
    /// How much of `input` is filled.
    filled: usize,
    output: Vec<u8>,
    /// How much of `output` is sent.
    sent: usize,
    /// In the order of their xids.
    outstanding: VecDeque<Outstanding>,
    xid: i32,
    /// When to try again, once it is lost.
    reopen_at: Option<Instant>,
    /// How often it went to another server.
    hops: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Connecting,
    Handshake,
    Open,
    Lost,
}

struct Outstanding {
    xid: i32,
    sent: Instant,
    is_read: bool,
}

impl Conn {
    fn open(at: usize, server: SocketAddr, registry: &Registry) -> io::Result<Self> {
        let mut stream = TcpStream::connect(server)?;
        registry.register(
            &mut stream,
            Token(at),
            Interest::READABLE | Interest::WRITABLE,
        )?;
        Ok(Self {
            stream,
            state: State::Connecting,
            input: vec![0; READ_BYTES],
            filled: 0,
            output: Vec::new(),
            sent: 0,
            outstanding: VecDeque::new(),
            xid: 1,
            reopen_at: None,
            hops: 0,
        })
    }

    fn is_open(&self) -> bool {
        self.state == State::Open
    }

    fn is_idle(&self) -> bool {
        !self.is_open() || self.outstanding.is_empty()
    }

    /// Reads, answers and writes as far as the socket allows.
    fn go_on(&mut self, desk: &mut Desk<'_>) {
        if self.state == State::Lost {
            return;
        }
        if self.attempt(desk).is_err() {
            if self.is_open() && desk.refill {
                desk.lost_connections += 1;
            }
            self.state = State::Lost;
            self.reopen_at = Some(Instant::now() + REOPEN);
        }
    }

    fn attempt(&mut self, desk: &mut Desk<'_>) -> io::Result<()> {
        if self.state == State::Connecting {
            match self.stream.peer_addr() {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotConnected => {
                    return self.stream.take_error()?.map_or(Ok(()), Err);
                }
                Err(error) => return Err(error),
            }
            self.stream.set_nodelay(true)?;
            self.output = wire::connect(&Session::default(), super::link::SESSION_MS);
            self.state = State::Handshake;
        }
        self.receive(desk)?;
        self.send()
    }

    fn receive(&mut self, desk: &mut Desk<'_>) -> io::Result<()> {
        loop {
            if self.input.len() - self.filled < READ_BYTES / 2 {
                self.input.resize(self.filled + READ_BYTES, 0);
            }
            let room = self.input.len() - self.filled;
            let count = match self.stream.read(&mut self.input[self.filled..]) {
                Ok(0) => return Err(io::ErrorKind::ConnectionAborted.into()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            self.filled += count;
            self.take_frames(desk)?;
            // A read that leaves room has emptied the socket; the next readiness comes as a new
            // event.
            if count < room {
                return Ok(());
            }
        }
    }

    fn take_frames(&mut self, desk: &mut Desk<'_>) -> io::Result<()> {
        let now = Instant::now();
        let mut taken = 0;
        while let Some((body, length)) = wire::frame(&self.input[taken..self.filled])? {
            if self.state == State::Handshake {
                if Session::parse(body)?.is_none() {
                    return Err(io::Error::other("the server has no session for us"));
                }
                self.state = State::Open;
                for _ in 0..desk.plan.window {
                    self.ask_any(now, desk);
                }
            } else {
                let (xid, error) = wire::reply(body)?;
                let request = self
                    .outstanding
                    .pop_front()
                    .filter(|request| request.xid == xid);
                let Some(request) = request else {
                    return Err(io::Error::other("a reply out of turn"));
                };
                desk.record(&request, error, now);
                if desk.refill {
                    self.ask_any(now, desk);
                }
            }
            taken += length;
        }
        self.input.copy_within(taken..self.filled, 0);
        self.filled -= taken;
        Ok(())
    }

    /// Queues the next request of the mix.
    fn ask_any(&mut self, now: Instant, desk: &mut Desk<'_>) {
        let plan = desk.plan;
        let is_read = desk.below(100) < plan.reads_percent;
        self.ask(
            if is_read { &plan.read } else { &plan.write },
            is_read,
            now,
            desk,
        );
    }

    fn ask(&mut self, request: &Template, is_read: bool, now: Instant, desk: &mut Desk<'_>) {
        let key = desk.below(desk.plan.keys);
        desk.count += 1;
        request.put(self.xid, key, desk.count, &mut self.output);
        self.outstanding.push_back(Outstanding {
            xid: self.xid,
            sent: now,
            is_read,
        });
        self.xid = self.xid.wrapping_add(1);
    }

    fn send(&mut self) -> io::Result<()> {
        while self.sent < self.output.len() {
            match self.stream.write(&self.output[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        self.output.clear();
        self.sent = 0;
        Ok(())
    }
}

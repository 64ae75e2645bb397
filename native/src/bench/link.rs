//! One blocking connection with a session, for what needs no speed: setting up the znodes, finding
//! out roles, measuring a failover.

use core::net::SocketAddr;
use core::time::Duration;
use std::io::{self, Read, Write};
use std::net::TcpStream;

use super::wire::{self, Session, Template};

/// The timeout that sessions ask for.
pub(super) const SESSION_MS: u32 = 30_000;

/// A server's role in the ensemble, as its four-letter word `srvr` tells it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mode {
    Leader,
    Follower,
    Other,
}

/// Asks a server for its role.
pub(super) fn mode(server: SocketAddr) -> io::Result<Mode> {
    let wait = Duration::from_secs(2);
    let mut stream = TcpStream::connect_timeout(&server, wait)?;
    stream.set_read_timeout(Some(wait))?;
    stream.write_all(b"srvr")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(
        match text.lines().find_map(|line| line.strip_prefix("Mode: ")) {
            Some("leader") => Mode::Leader,
            Some("follower") => Mode::Follower,
            _ => Mode::Other,
        },
    )
}

pub(super) struct Link {
    stream: TcpStream,
    session: Session,
    /// The xid of the next request.
    xid: i32,
    /// The xid that the next reply must carry.
    expected: i32,
    input: Vec<u8>,
    output: Vec<u8>,
}

impl Link {
    /// Opens a session, or takes `session` up again. `silence` limits the wait for each answer.
    pub(super) fn open(
        server: SocketAddr,
        session: Session,
        silence: Duration,
    ) -> io::Result<Self> {
        let mut stream = TcpStream::connect_timeout(&server, silence)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(silence))?;
        stream.write_all(&wire::connect(&session, SESSION_MS))?;
        let (xid, expected) = (1, 1);
        let mut link = Self {
            stream,
            session,
            xid,
            expected,
            input: Vec::new(),
            output: Vec::new(),
        };
        let body = link.frame()?;
        let Some(session) = Session::parse(&body)? else {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                "the session has expired",
            ));
        };
        link.session = session;
        Ok(link)
    }

    pub(super) fn session(&self) -> Session {
        self.session
    }

    /// Sends one request and waits for its answer: the error in it, 0 if none.
    pub(super) fn call(&mut self, request: &Template, key: u32, count: u64) -> io::Result<i32> {
        self.queue(request, key, count);
        self.answer()
    }

    /// Puts a request behind the others that the next `answer` will send.
    pub(super) fn queue(&mut self, request: &Template, key: u32, count: u64) {
        request.put(self.xid, key, count, &mut self.output);
        self.xid = self.xid.wrapping_add(1);
    }

    /// Sends what is queued and waits for one answer.
    pub(super) fn answer(&mut self) -> io::Result<i32> {
        self.stream.write_all(&self.output)?;
        self.output.clear();
        let (xid, error) = wire::reply(&self.frame()?)?;
        if xid != self.expected {
            return Err(io::Error::other(format!(
                "reply {xid} came for {}",
                self.expected
            )));
        }
        self.expected = self.expected.wrapping_add(1);
        Ok(error)
    }

    /// Ends the session, as far as the server is there to be told.
    pub(super) fn close(mut self) {
        let _gone_anyway = self.call(&Template::close(), 0, 0);
    }

    fn frame(&mut self) -> io::Result<Vec<u8>> {
        loop {
            if let Some((body, length)) = wire::frame(&self.input)? {
                let body = body.to_vec();
                self.input.drain(..length);
                return Ok(body);
            }
            let mut chunk = [0; 4_096];
            let count = self.stream.read(&mut chunk)?;
            if count == 0 {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            self.input.extend_from_slice(&chunk[..count]);
        }
    }
}

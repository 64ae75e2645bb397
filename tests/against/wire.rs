//! ZooKeeper's frames, written and read by hand, so that nothing of our server's own codec stands between the
//! bytes of the two servers. Knows connections and values, not what they mean.

use core::time::Duration;
use std::io::{self, Read, Write};
use std::net::TcpStream;

/// No answer within this is a failure.
const PATIENCE: Duration = Duration::from_secs(30);

/// One connection to one server.
pub(crate) struct Wire {
    stream: TcpStream,
    address: String,
    /// What was sent last, for whoever waits for an answer in vain.
    last: Vec<u8>,
}

impl Wire {
    pub(crate) fn open(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self {
            stream,
            address: address.to_owned(),
            last: Vec::new(),
        })
    }

    /// Bytes as they are. That the server has closed is found out by reading.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        bytes.clone_into(&mut self.last);
        let _ = self.stream.write_all(bytes);
    }

    /// The next frame without its length, or nothing if the server has closed.
    pub(crate) fn frame(&mut self) -> Option<Vec<u8>> {
        let mut length = [0; 4];
        self.fill(&mut length)?;
        let mut bytes = vec![0; u32::from_be_bytes(length) as usize];
        self.fill(&mut bytes)?;
        Some(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Option<()> {
        match self.stream.read_exact(bytes) {
            Ok(()) => Some(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                panic!(
                    "{} neither answers nor closes within {} s after {}",
                    self.address,
                    PATIENCE.as_secs(),
                    self.last.escape_ascii()
                )
            }
            Err(_) => None,
        }
    }
}

/// A frame being written. Texts are bytes, because clients send what is no text.
#[derive(Clone, Default)]
pub(crate) struct Jute(pub(crate) Vec<u8>);

impl Jute {
    pub(crate) fn bool(mut self, value: bool) -> Self {
        self.0.push(u8::from(value));
        self
    }

    pub(crate) fn int(mut self, value: i32) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(crate) fn long(mut self, value: i64) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(crate) fn buffer(self, value: Option<&[u8]>) -> Self {
        let Some(bytes) = value else {
            return self.int(-1);
        };
        let mut jute = self.int(i32::try_from(bytes.len()).expect("a test's value is short"));
        jute.0.extend(bytes);
        jute
    }

    pub(crate) fn text(self, value: &[u8]) -> Self {
        self.buffer(Some(value))
    }

    pub(crate) fn texts(self, values: &[Vec<u8>]) -> Self {
        let count = i32::try_from(values.len()).expect("a test's list is short");
        values
            .iter()
            .fold(self.int(count), |jute, value| jute.text(value))
    }

    /// With its length in front.
    pub(crate) fn framed(&self) -> Vec<u8> {
        Self::default().text(&self.0).0
    }
}

/// Reads values off a frame; nothing once the frame ends early.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl Reader<'_> {
    pub(crate) fn bool(&mut self) -> Option<bool> {
        self.take(1).map(|byte| byte[0] != 0)
    }

    pub(crate) fn int(&mut self) -> Option<i32> {
        let bytes = self.take(4)?.try_into().ok()?;
        Some(i32::from_be_bytes(bytes))
    }

    pub(crate) fn long(&mut self) -> Option<i64> {
        let bytes = self.take(8)?.try_into().ok()?;
        Some(i64::from_be_bytes(bytes))
    }

    /// The inner option is null.
    pub(crate) fn buffer(&mut self) -> Option<Option<Vec<u8>>> {
        match self.int()? {
            -1 => Some(None),
            length => {
                let length = usize::try_from(length).ok()?;
                Some(Some(self.take(length)?.to_vec()))
            }
        }
    }

    fn take(&mut self, length: usize) -> Option<&[u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }
}

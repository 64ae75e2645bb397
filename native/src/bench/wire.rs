//! The few bytes of ZooKeeper's protocol that the load generator speaks, from the client's side.
//! Requests are templates in which only the xid, the key and a counter change, so that making one
//! costs a copy. It knows nothing of sockets.

use std::io;

/// Operations in use.
const CREATE: i32 = 1;
const GET_DATA: i32 = 4;
const SET_DATA: i32 = 5;
const SYNC: i32 = 9;
const CLOSE: i32 = -11;

/// The largest reply that is taken for one.
const LIMIT_BYTES: usize = 16 << 20;

/// Digits of a key in its path.
const KEY_DIGITS: usize = 6;

/// The request that opens a session, or takes it up again.
pub(super) fn connect(session: &Session, timeout_ms: u32) -> Vec<u8> {
    let mut out = vec![0; 4];
    out.extend(0_i32.to_be_bytes());
    out.extend(0_i64.to_be_bytes());
    out.extend(timeout_ms.to_be_bytes());
    out.extend(session.id.to_be_bytes());
    put_bytes(&mut out, &session.password);
    out.push(0);
    sealed(out)
}

/// A session as the server names it; `Session::default()` asks for a new one.
#[derive(Clone, Copy, Default)]
pub(super) struct Session {
    id: i64,
    password: [u8; 16],
}

impl Session {
    /// Reads the answer to `connect`; `None` says that the session has ended.
    pub(super) fn parse(body: &[u8]) -> io::Result<Option<Self>> {
        let (Some(id), Some(password)) = (long(body, 8), body.get(20..36)) else {
            return Err(io::Error::other("the answer to the handshake is too short"));
        };
        let password = password.try_into().map_err(io::Error::other)?;
        Ok((id != 0).then_some(Self { id, password }))
    }
}

/// Cuts the first whole frame off `bytes`: its body and its length with the prefix.
pub(super) fn frame(bytes: &[u8]) -> io::Result<Option<(&[u8], usize)>> {
    let Some(length) = int(bytes, 0) else {
        return Ok(None);
    };
    let Some(length) = usize::try_from(length).ok().filter(|&n| n <= LIMIT_BYTES) else {
        return Err(io::Error::other(format!("a frame of {length} bytes")));
    };
    Ok(bytes.get(4..4 + length).map(|body| (body, 4 + length)))
}

/// The front of every reply: the request's xid and the error, 0 if none.
pub(super) fn reply(body: &[u8]) -> io::Result<(i32, i32)> {
    match (int(body, 0), int(body, 12)) {
        (Some(xid), Some(error)) => Ok((xid, error)),
        _ => Err(io::Error::other("a reply shorter than its header")),
    }
}

/// A request whose xid, key and value can be changed in place.
#[derive(Clone)]
pub(super) struct Template {
    bytes: Vec<u8>,
    key_at: Option<usize>,
    value_at: Option<usize>,
}

impl Template {
    /// Creates a persistent znode with this very path, open to all.
    pub(super) fn create(path: &str, value: &[u8]) -> Self {
        let mut out = header(CREATE);
        put_bytes(&mut out, path.as_bytes());
        put_bytes(&mut out, value);
        out.extend(1_i32.to_be_bytes());
        out.extend(31_i32.to_be_bytes());
        put_bytes(&mut out, b"world");
        put_bytes(&mut out, b"anyone");
        out.extend(0_i32.to_be_bytes());
        Self {
            bytes: sealed(out),
            key_at: None,
            value_at: None,
        }
    }

    /// Overwrites a key below `root`, whatever its version. The value's first 8 bytes count up.
    pub(super) fn set_data(root: &str, value: &[u8]) -> Self {
        let mut out = header(SET_DATA);
        put_bytes(&mut out, key(root, 0).as_bytes());
        let key_at = out.len() - KEY_DIGITS;
        put_bytes(&mut out, value);
        let value_at = (8 <= value.len()).then(|| out.len() - value.len());
        out.extend((-1_i32).to_be_bytes());
        Self {
            bytes: sealed(out),
            key_at: Some(key_at),
            value_at,
        }
    }

    /// Reads a key below `root`, leaving no watch.
    pub(super) fn get_data(root: &str) -> Self {
        let mut out = header(GET_DATA);
        put_bytes(&mut out, key(root, 0).as_bytes());
        let key_at = out.len() - KEY_DIGITS;
        out.push(0);
        Self {
            bytes: sealed(out),
            key_at: Some(key_at),
            value_at: None,
        }
    }

    /// Asks a server to catch up with the leader.
    pub(super) fn sync(path: &str) -> Self {
        let mut out = header(SYNC);
        put_bytes(&mut out, path.as_bytes());
        Self {
            bytes: sealed(out),
            key_at: None,
            value_at: None,
        }
    }

    /// Ends the session.
    pub(super) fn close() -> Self {
        Self {
            bytes: sealed(header(CLOSE)),
            key_at: None,
            value_at: None,
        }
    }

    /// Appends the request to `out`.
    pub(super) fn put(&self, xid: i32, key: u32, count: u64, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&self.bytes);
        let bytes = &mut out[start..];
        bytes[4..8].copy_from_slice(&xid.to_be_bytes());
        if let Some(at) = self.key_at {
            let mut rest = key;
            for digit in bytes[at..at + KEY_DIGITS].iter_mut().rev() {
                *digit = b'0' + (rest % 10) as u8;
                rest /= 10;
            }
        }
        if let Some(at) = self.value_at {
            bytes[at..at + 8].copy_from_slice(&count.to_be_bytes());
        }
    }
}

/// The path of a key.
pub(super) fn key(root: &str, key: u32) -> String {
    format!("{root}/{key:0width$}", width = KEY_DIGITS)
}

/// How many keys the paths can tell apart.
pub(super) const KEYS_MAX: u32 = 10_u32.pow(KEY_DIGITS as u32);

fn header(operation: i32) -> Vec<u8> {
    let mut out = vec![0; 8];
    out.extend(operation.to_be_bytes());
    out
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend((bytes.len() as u32).to_be_bytes());
    out.extend_from_slice(bytes);
}

/// Fills in the length that `out` has left room for.
fn sealed(mut out: Vec<u8>) -> Vec<u8> {
    let length = (out.len() - 4) as u32;
    out[..4].copy_from_slice(&length.to_be_bytes());
    out
}

fn int(bytes: &[u8], at: usize) -> Option<i32> {
    Some(i32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn long(bytes: &[u8], at: usize) -> Option<i64> {
    Some(i64::from_be_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_create_has_the_bytes_of_the_protocol() {
        let mut out = Vec::new();
        Template::create("/a", b"hi").put(1, 0, 0, &mut out);
        let hex: String = out.iter().map(|byte| format!("{byte:02x}")).collect();
        let body = "0000000100000001000000022f6100000002686900000001\
                    0000001f00000005776f726c6400000006616e796f6e6500000000";
        assert_eq!(hex, format!("00000033{body}"));
    }

    #[test]
    fn key_and_counter_are_changed_in_place() {
        let mut out = Vec::new();
        Template::set_data("/bench", &[7; 10]).put(3, 42, 5, &mut out);
        let (body, length) = frame(&out).expect("a frame").expect("a whole one");
        assert_eq!(length, out.len());
        assert_eq!(&body[12..25], b"/bench/000042");
        assert_eq!(&body[29..39], [0, 0, 0, 0, 0, 0, 0, 5, 7, 7]);
    }

    #[test]
    fn a_frame_that_is_not_whole_waits_and_a_mad_one_fails() {
        assert!(frame(&[0, 0, 0, 2, 1]).expect("no error").is_none());
        assert!(frame(&[0x7f, 0, 0, 0]).is_err());
        assert!(frame(&[0xff, 0, 0, 0]).is_err());
    }
}

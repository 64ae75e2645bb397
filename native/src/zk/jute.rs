//! Jute, ZooKeeper's record encoding: big-endian numbers and length-prefixed bytes, no tags. Reading
//! is total: any bytes give a value or `Malformed`, and nothing is allocated beyond what the frame
//! holds. Knows no records.

use bytes::Bytes;
use otterkeeper_core::request::{Acl, Stat};

/// The bytes are not the record that was expected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Malformed;

/// Takes values off the front of a frame.
pub(super) struct Reader<'a> {
    frame: &'a Bytes,
    at: usize,
}

impl<'a> Reader<'a> {
    /// Reads `frame` from its start.
    pub(super) fn new(frame: &'a Bytes) -> Self {
        Self { frame, at: 0 }
    }

    /// Bytes not yet read.
    pub(super) fn left(&self) -> usize {
        self.frame.len() - self.at
    }

    /// One byte, true unless it is 0.
    pub(super) fn bool(&mut self) -> Result<bool, Malformed> {
        Ok(self.take(1)?[0] != 0)
    }

    /// Four bytes.
    pub(super) fn int(&mut self) -> Result<i32, Malformed> {
        let bytes = self.take(4)?.try_into().map_err(|_| Malformed)?;
        Ok(i32::from_be_bytes(bytes))
    }

    /// Eight bytes.
    pub(super) fn long(&mut self) -> Result<i64, Malformed> {
        let bytes = self.take(8)?.try_into().map_err(|_| Malformed)?;
        Ok(i64::from_be_bytes(bytes))
    }

    /// Bytes that share the frame's memory; `None` is null, which is not the same as empty.
    pub(super) fn buffer(&mut self) -> Result<Option<Bytes>, Malformed> {
        let Some(len) = self.length()? else {
            return Ok(None);
        };
        let from = self.at;
        self.take(len)?;
        Ok(Some(self.frame.slice(from..from + len)))
    }

    /// Text; null becomes empty (kazoo writes empty as null). Java writes characters beyond the
    /// basic plane as two surrogates, which is no UTF-8: such bytes become U+FFFD, which the path
    /// rules refuse, so that the client gets an answer rather than a dropped connection.
    pub(super) fn text(&mut self) -> Result<String, Malformed> {
        let Some(len) = self.length()? else {
            return Ok(String::new());
        };
        Ok(String::from_utf8_lossy(self.take(len)?).into_owned())
    }

    /// A list of texts; null becomes empty.
    pub(super) fn texts(&mut self) -> Result<Vec<String>, Malformed> {
        let count = self.count(4)?.unwrap_or(0);
        (0..count).map(|_| self.text()).collect()
    }

    /// Whether a list or buffer that is null comes next.
    pub(super) fn is_null(&self) -> bool {
        self.frame[self.at..].starts_with(&(-1_i32).to_be_bytes())
    }

    /// A list of permissions; null becomes empty.
    pub(super) fn acl(&mut self) -> Result<Vec<Acl>, Malformed> {
        // The shortest entry: permissions and two null texts.
        let Some(count) = self.count(12)? else {
            return Ok(Vec::new());
        };
        let mut list = Vec::with_capacity(count);
        for _ in 0..count {
            let perms = self.int()?.cast_unsigned();
            list.push(Acl {
                perms,
                scheme: self.text()?,
                id: self.text()?,
            });
        }
        Ok(list)
    }

    /// Length of bytes or text.
    fn length(&mut self) -> Result<Option<usize>, Malformed> {
        self.count(1)
    }

    /// Length of a list whose elements take at least `least` bytes each, so that a lying count is
    /// noticed before memory is set aside for it.
    fn count(&mut self, least: usize) -> Result<Option<usize>, Malformed> {
        let count = self.int()?;
        if count == -1 {
            return Ok(None);
        }
        let count = usize::try_from(count).map_err(|_| Malformed)?;
        if self.left() / least < count {
            return Err(Malformed);
        }
        Ok(Some(count))
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let bytes = self.frame[self.at..].get(..len).ok_or(Malformed)?;
        self.at += len;
        Ok(bytes)
    }
}

/// Appends values to bytes.
pub(super) trait Write {
    /// One byte.
    fn bool(&mut self, value: bool);
    /// Four bytes.
    fn int(&mut self, value: i32);
    /// Eight bytes.
    fn long(&mut self, value: i64);
    /// Length and bytes; null is -1.
    fn buffer(&mut self, value: Option<&[u8]>);
    /// Length and bytes; never null, which some clients cannot read.
    fn text(&mut self, value: &str);
    /// A list of permissions.
    fn acl(&mut self, list: &[Acl]);
    /// A list of texts.
    fn texts(&mut self, values: &[String]);
    /// The 68 bytes of a Stat.
    fn stat(&mut self, stat: &Stat);
    /// A length in front of what `body` appends.
    fn frame(&mut self, body: impl FnOnce(&mut Self));
}

impl Write for Vec<u8> {
    fn bool(&mut self, value: bool) {
        self.push(u8::from(value));
    }

    fn int(&mut self, value: i32) {
        self.extend_from_slice(&value.to_be_bytes());
    }

    fn long(&mut self, value: i64) {
        self.extend_from_slice(&value.to_be_bytes());
    }

    fn buffer(&mut self, value: Option<&[u8]>) {
        match value {
            Some(bytes) => {
                self.int(length(bytes.len()));
                self.extend_from_slice(bytes);
            }
            None => self.int(-1),
        }
    }

    fn text(&mut self, value: &str) {
        self.buffer(Some(value.as_bytes()));
    }

    fn acl(&mut self, list: &[Acl]) {
        self.int(length(list.len()));
        for acl in list {
            self.int(acl.perms.cast_signed());
            self.text(&acl.scheme);
            self.text(&acl.id);
        }
    }

    fn texts(&mut self, values: &[String]) {
        self.int(length(values.len()));
        values.iter().for_each(|value| self.text(value));
    }

    fn stat(&mut self, stat: &Stat) {
        self.reserve(68);
        self.long(stat.czxid.0.cast_signed());
        self.long(stat.mzxid.0.cast_signed());
        self.long(stat.ctime_ms.cast_signed());
        self.long(stat.mtime_ms.cast_signed());
        self.int(stat.version);
        self.int(stat.cversion);
        self.int(stat.aversion);
        self.long(stat.ephemeral_owner.0.cast_signed());
        self.int(stat.data_length);
        self.int(stat.num_children);
        self.long(stat.pzxid.0.cast_signed());
    }

    fn frame(&mut self, body: impl FnOnce(&mut Self)) {
        let start = self.len();
        self.int(0);
        body(self);
        let len = length(self.len() - start - 4);
        self[start..start + 4].copy_from_slice(&len.to_be_bytes());
    }
}

/// A length as it goes over the wire. Nothing the server holds comes near 2 GiB.
pub(super) fn length(len: usize) -> i32 {
    i32::try_from(len).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Bytes {
        crate::zk::tests::hex(hex).into()
    }

    #[test]
    fn null_is_not_empty() {
        let frame = bytes("ffffffff 00000000 00000002 6869");
        let mut reader = Reader::new(&frame);
        assert_eq!(reader.buffer(), Ok(None));
        assert_eq!(reader.buffer(), Ok(Some(Bytes::new())));
        assert_eq!(reader.buffer(), Ok(Some(Bytes::from_static(b"hi"))));
        assert_eq!(reader.left(), 0);
    }

    #[test]
    fn a_lying_length_is_refused_before_memory_is_set_aside() {
        for lie in ["7fffffff", "80000000", "fffffffe", "00000001"] {
            assert_eq!(Reader::new(&bytes(lie)).buffer(), Err(Malformed), "{lie}");
            assert_eq!(Reader::new(&bytes(lie)).text(), Err(Malformed), "{lie}");
            assert_eq!(Reader::new(&bytes(lie)).texts(), Err(Malformed), "{lie}");
            assert_eq!(Reader::new(&bytes(lie)).acl(), Err(Malformed), "{lie}");
        }
    }

    #[test]
    fn surrogates_do_not_drop_the_connection() {
        // U+1F9A6 as Java writes it.
        let frame = bytes("00000006 eda0beedb6a6");
        let text = Reader::new(&frame).text();
        assert!(text.is_ok_and(|text| text.contains('\u{fffd}')));
    }
}

//! Every decoder of the core on any bytes: it gives a value or an error, and a value that is written
//! again reads as the same value.

use core::fmt::Debug;

use otterkeeper_core::wire::client::{decode_client, decode_server, encode_client, encode_server};
use otterkeeper_core::wire::trace::{decode_trace, encode_trace};
use otterkeeper_core::wire::{self, Rebuild, WireError, json};

use super::Draw;

/// How many decoders there are: the first byte chooses one.
pub const DECODERS: u8 = 12;

/// The body.
pub fn decode(bytes: &[u8]) {
    let mut draw = Draw::new(bytes);
    let decoder = draw.below(DECODERS);
    let bytes = draw.rest();
    match decoder {
        0 => again(bytes, wire::decode_message, wire::encode_message),
        1 => again(bytes, wire::decode_command, wire::encode_command),
        2 => again(bytes, wire::decode_entry, |entry| {
            let mut out = Vec::new();
            wire::encode_entry(entry, &mut out);
            assert_eq!(
                out.len() as u64,
                entry.encoded_bytes() + 1,
                "the limits count other bytes than are written"
            );
            out
        }),
        3 => again(bytes, wire::decode_meta, |meta| {
            let mut out = Vec::new();
            wire::encode_meta(meta, &mut out);
            out
        }),
        4 => again(
            bytes,
            wire::decode_configuration,
            wire::encode_configuration,
        ),
        5 => again(bytes, wire::decode_vote, |vote| {
            let mut out = Vec::new();
            wire::encode_vote(vote, &mut out);
            out
        }),
        6 => again(bytes, decode_client, encode_client),
        7 => again(bytes, decode_server, encode_server),
        8 => again(bytes, decode_trace, encode_trace),
        9 => snapshot(bytes),
        10 => json_request(bytes),
        _ => json_server(bytes),
    }
}

fn again<T: PartialEq + Debug, B: AsRef<[u8]>>(
    bytes: &[u8],
    decode: impl Fn(&[u8]) -> Result<T, WireError>,
    encode: impl Fn(&T) -> B,
) {
    if let Ok(value) = decode(bytes) {
        assert_eq!(decode(encode(&value).as_ref()).as_ref(), Ok(&value));
    }
}

/// Parts of a snapshot: what fits together gives the same parts again.
fn snapshot(bytes: &[u8]) {
    let mut draw = Draw::new(bytes);
    let mut rebuild = Rebuild::new();
    while !draw.is_empty() {
        let length = usize::from(draw.byte()) << 8 | usize::from(draw.byte());
        if rebuild.add(draw.take(length)).is_err() {
            return;
        }
    }
    let Ok(machine) = rebuild.finish() else {
        return;
    };
    assert!(machine.is_digest_right());
    let mut rebuild = Rebuild::new();
    let mut cursor = Some(bytes::Bytes::new());
    while let Some(behind) = cursor {
        let (part, next) = machine.part(&behind, 64);
        rebuild.add(&part).expect("its own part");
        cursor = next;
    }
    let same = rebuild.finish().expect("its own parts");
    assert_eq!(same.digest(), machine.digest());
}

fn json_request(bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else {
        return;
    };
    if let Ok((id, request)) = json::decode_request(text) {
        let again = json::decode_request(&json::encode_request(id, &request));
        assert_eq!(again, Ok((id, request)));
    }
}

fn json_server(bytes: &[u8]) {
    if let Ok(text) = core::str::from_utf8(bytes) {
        // What a server said is not written again: a text may leave out what a frame has.
        let _ = json::decode_server(text);
    }
}

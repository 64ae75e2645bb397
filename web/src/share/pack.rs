//! Long lists of interventions are deflated: a link then has `z=` in the place of `i=`. The browser does it, and not at
//! once; links that are short anyway do not wait for it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use js_sys::Uint8Array;

use super::LINK;
use crate::aside;

/// Characters of interventions from which on it is worth it.
const WORTH: usize = 200;
/// Bytes that a link may have deflated: written plainly, they still make a link that is read.
const MOST: u32 = (LINK / 2) as u32;

/// Calls back with a shorter fragment, or with this one: at once, if it is short.
pub(crate) fn pack(fragment: String, done: impl FnOnce(String) + 'static) {
    let long = value(&fragment, "i").filter(|deeds| WORTH < deeds.len());
    let Some(bytes) = long.and_then(|deeds| URL_SAFE_NO_PAD.decode(deeds).ok()) else {
        return done(fragment);
    };
    let packed = move |bytes: wasm_bindgen::JsValue| {
        let shorter = (!bytes.is_undefined())
            .then(|| swapped(&fragment, "i", "z", &Uint8Array::new(&bytes).to_vec()))
            .filter(|packed| packed.len() < fragment.len());
        done(shorter.unwrap_or(fragment));
    };
    aside::deflate(&bytes, &aside::once(packed));
}

/// Calls back with the fragment as it was before it was packed, or with the key of the sentence that says what is wrong
/// with it. False, and no call, if it is not packed.
pub(crate) fn unpack(
    fragment: &str,
    done: impl FnOnce(Result<String, &'static str>) + 'static,
) -> bool {
    let Some(packed) = value(fragment, "z") else {
        return false;
    };
    if LINK < fragment.len() {
        done(Err("link-too-long"));
        return true;
    }
    let Ok(bytes) = URL_SAFE_NO_PAD.decode(packed) else {
        done(Err("link-damaged"));
        return true;
    };
    let fragment = fragment.to_owned();
    let unpacked = move |bytes: wasm_bindgen::JsValue| {
        done(match bytes.is_undefined() {
            true => Err("link-damaged"),
            false if bytes.is_null() => Err("link-too-long"),
            false => Ok(swapped(
                &fragment,
                "z",
                "i",
                &Uint8Array::new(&bytes).to_vec(),
            )),
        });
    };
    aside::inflate(&bytes, MOST, &aside::once(unpacked));
    true
}

/// The core that made a link.
pub(crate) fn core_of(fragment: &str) -> Option<&str> {
    value(fragment, "core")
}

/// What a fragment says under a name.
fn value<'a>(fragment: &'a str, name: &str) -> Option<&'a str> {
    let (_, query) = fragment.split_once('?')?;
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// A fragment with bytes under another name.
fn swapped(fragment: &str, from: &str, to: &str, bytes: &[u8]) -> String {
    let old = format!("&{from}={}&", value(fragment, from).unwrap_or_default());
    let new = format!("&{to}={}&", URL_SAFE_NO_PAD.encode(bytes));
    // What follows it may have been cut off.
    let whole = format!("{fragment}&");
    let mut whole = whole.replacen(&old, &new, 1);
    whole.pop();
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_change_their_name_and_nothing_else_changes() {
        let link = "#/run?v=1&i=AQID&t=5&b=i=AQID";
        assert_eq!(value(link, "i"), Some("AQID"));
        assert_eq!(value("#/learn/roles/1", "z"), None);
        let packed = swapped(link, "i", "z", &[9]);
        assert_eq!(packed, "#/run?v=1&z=CQ&t=5&b=i=AQID");
        assert_eq!(swapped(&packed, "z", "i", &[1, 2, 3]), link);
        // Cut off in the middle of it.
        assert_eq!(swapped("#/run?v=1&z=C", "z", "i", &[1]), "#/run?v=1&i=AQ");
    }
}

//! The page, from inside the binary: packed as the browser likes it, and not sent again while it is the
//! same. Knows no cluster.

use axum::http::HeaderMap;
#[cfg(any(feature = "page", test))]
use axum::http::header;
use axum::response::Response;

/// How a file is packed on its way, best first: the name of RFC 9110, section 8.4.1, and what the build
/// adds to the file's name.
#[cfg(any(feature = "page", test))]
const PACKINGS: [(&str, &str); 2] = [("br", ".br"), ("gzip", ".gz")];

#[cfg(feature = "page")]
#[derive(rust_embed::RustEmbed)]
#[folder = "../target/www"]
struct Files;

/// Answers a request for a file of the page.
#[cfg(feature = "page")]
pub(super) fn file(path: &str, headers: &HeaderMap) -> Response {
    use axum::http::{HeaderValue, StatusCode};
    use axum::response::IntoResponse;

    let Some(plain) = Files::get(path) else {
        return (StatusCode::NOT_FOUND, "there is no such page\n").into_response();
    };
    let packed = accepted(headers).find_map(|(name, suffix)| {
        let file = Files::get(&format!("{path}{suffix}"))?;
        Some((name, file))
    });
    let kind = match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("wasm") => "application/wasm",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    };
    let (packing, file) = packed.map_or((None, plain), |(name, file)| (Some(name), file));
    let hash = file.metadata.sha256_hash();
    let hash = u64::from_be_bytes(core::array::from_fn(|place| hash[place]));
    let tag = format!("\"{hash:016x}\"");
    let common = [
        (header::CACHE_CONTROL, "no-cache"),
        (header::VARY, "accept-encoding"),
        (header::ETAG, tag.as_str()),
    ];
    if is_known(headers, &tag) {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    let mut answer = (common, [(header::CONTENT_TYPE, kind)], file.data).into_response();
    if let Some(name) = packing {
        let name = HeaderValue::from_static(name);
        answer.headers_mut().insert(header::CONTENT_ENCODING, name);
    }
    answer
}

/// A binary without the page says how to get it.
#[cfg(not(feature = "page"))]
pub(super) fn file(path: &str, _: &HeaderMap) -> Response {
    use axum::http::StatusCode;
    use axum::response::IntoResponse;

    if path != "index.html" {
        return (StatusCode::NOT_FOUND, "there is no such page\n").into_response();
    }
    "Otterkeeper is running. This binary was built without the page; `cargo xtask play` builds and serves it.\n"
        .into_response()
}

/// The packings that whoever asks can open (RFC 9110, section 12.5.3). Weights only say whether: both are
/// opened so fast that the smaller is the better one for everybody.
#[cfg(any(feature = "page", test))]
fn accepted(headers: &HeaderMap) -> impl Iterator<Item = (&'static str, &'static str)> {
    let offers = |name: &str| {
        texts(headers, &header::ACCEPT_ENCODING).any(|item| {
            let mut parts = item.split(';').map(str::trim);
            let named = parts
                .next()
                .is_some_and(|part| part.eq_ignore_ascii_case(name));
            let refused = parts
                .filter_map(|part| part.strip_prefix("q="))
                .any(|weight| weight.parse() == Ok(0.0));
            named && !refused
        })
    };
    PACKINGS.into_iter().filter(move |(name, _)| offers(name))
}

/// Whether the browser has this very content already (RFC 9110, section 13.1.2).
#[cfg(any(feature = "page", test))]
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    texts(headers, &header::IF_NONE_MATCH)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

/// The items of a header's list; what is no text is none.
#[cfg(any(feature = "page", test))]
fn texts<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).into_iter();
    let lists = values.filter_map(|value| value.to_str().ok());
    lists.flat_map(|list| list.split(',').map(str::trim))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().expect("a header"))])
    }

    #[test]
    fn a_file_is_packed_as_the_browser_can_open_it() {
        let packed = |value| {
            let headers = headers(header::ACCEPT_ENCODING, value);
            accepted(&headers).map(|(name, _)| name).collect::<Vec<_>>()
        };
        assert_eq!(packed("gzip, deflate, br, zstd"), ["br", "gzip"]);
        assert_eq!(packed("gzip, deflate"), ["gzip"]);
        assert_eq!(packed("br;q=0, GZIP;q=0.5"), ["gzip"]);
        assert_eq!(packed("identity"), [""; 0]);
        assert_eq!(packed("gzipped"), [""; 0]);
        assert_eq!(accepted(&HeaderMap::new()).count(), 0);
    }

    #[test]
    fn what_the_browser_has_is_not_sent_again() {
        let known = |value| is_known(&headers(header::IF_NONE_MATCH, value), "\"ab\"");
        assert!(known("\"ab\""));
        assert!(known("\"cd\", W/\"ab\""));
        assert!(known("*"));
        assert!(!known("\"cd\""));
        assert!(!known("ab"));
        assert!(!is_known(&HeaderMap::new(), "\"ab\""));
    }
}

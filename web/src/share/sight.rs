//! What a link says of what the page showed, in words that people can read and change. What makes no sense is left out.

use otterkeeper_core::id::NodeId;
use otterkeeper_core::sim::{ClientId, FlightId};

use crate::state::{Selection, Sight, Tab};

/// The end of a link's fragment.
pub(super) fn write(sight: &Sight) -> String {
    let mut text = String::new();
    if let Some(tab) = sight.tab {
        text += &format!("&tab={}", tab.name());
    }
    text += &match sight.selection {
        Some(Selection::Node(id)) => format!("&sel=n{id}"),
        Some(Selection::Message(id)) => format!("&sel=m{}", id.0),
        Some(Selection::Link(from, to)) => format!("&sel=n{from}-n{to}"),
        None => String::new(),
    };
    if let Some(id) = sight.at {
        text += &format!("&at={id}");
    }
    if let Some(id) = sight.client {
        text += &format!("&client={}", id.0);
    }
    if let Some(open) = sight.diagram {
        text += if open { "&view=diagram" } else { "&view=stage" };
    }
    if let Some(name) = &sight.branch {
        text += "&b=";
        for byte in name.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                    text.push(byte.into());
                }
                _ => text += &format!("%{byte:02X}"),
            }
        }
    }
    text
}

/// Reads what a link says under each name.
pub(super) fn read<'a>(find: impl Fn(&str) -> Option<&'a str>) -> Sight {
    let node = |text: &str| text.parse().ok().map(NodeId);
    let selection = |text: &str| match text.split_once('-') {
        Some((from, to)) => Some(Selection::Link(
            node(from.strip_prefix('n')?)?,
            node(to.strip_prefix('n')?)?,
        )),
        None => match text.strip_prefix('m') {
            Some(id) => Some(Selection::Message(FlightId(id.parse().ok()?))),
            None => Some(Selection::Node(node(text.strip_prefix('n')?)?)),
        },
    };
    Sight {
        tab: find("tab").and_then(Tab::called),
        selection: find("sel").and_then(selection),
        at: find("at").and_then(node),
        client: find("client").and_then(|id| Some(ClientId(id.parse().ok()?))),
        diagram: find("view").and_then(|view| match view {
            "diagram" => Some(true),
            "stage" => Some(false),
            _ => None,
        }),
        branch: find("b").and_then(unescaped),
    }
}

/// The text that was written with percent signs.
fn unescaped(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut plain = Vec::new();
    while let Some(byte) = bytes.next() {
        plain.push(match byte {
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                (digit()? * 16 + digit()?) as u8
            }
            byte => byte,
        });
    }
    String::from_utf8(plain).ok()
}

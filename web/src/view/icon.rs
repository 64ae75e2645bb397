//! Small drawings. Lines take the colour of the text around them.

use yew::prelude::*;

pub(crate) fn icon(path: &'static str) -> Html {
    html! { <svg viewBox="0 0 16 16" aria-hidden="true"><path d={path} /></svg> }
}

pub(crate) const PLAY: &str = "M5 3.2 12.5 8 5 12.8Z";
pub(crate) const PAUSE: &str = "M5 3v10M11 3v10";
pub(crate) const NEXT: &str = "M6 3.5 10.5 8 6 12.5";
pub(crate) const BACK: &str = "M10 3.5 5.5 8 10 12.5";
pub(crate) const START: &str = "M11.5 3.5 7 8l4.5 4.5M4.5 3.5v9";
pub(crate) const NEWEST: &str = "M4.5 3.5 9 8l-4.5 4.5M11.5 3.5v9";
pub(crate) const MINUS: &str = "M4 8h8";
pub(crate) const PLUS: &str = "M4 8h8M8 4v8";
pub(crate) const TICK: &str = "M3 8.5 6.5 12 13 4.5";
pub(crate) const CROSS: &str = "M4 4 12 12M12 4 4 12";
pub(crate) const UNDO: &str = "M5.5 3 2.5 6l3 3M2.5 6H10a3.5 3.5 0 0 1 0 7H7";
pub(crate) const REDO: &str = "M10.5 3l3 3-3 3M13.5 6H6a3.5 3.5 0 0 0 0 7h3";
pub(crate) const CLOCK: &str = "M8 4.5V8l2.5 1.5M8 2.5a5.5 5.5 0 1 0 .01 0Z";
pub(crate) const FLAG: &str = "M4.5 14V2.5h7L9.8 5.5l1.7 3h-7";
pub(crate) const LANES: &str = "M2 3.5h12M2 12.5h12M4 3.5l3.5 9M8.5 12.5l3.5-9";
pub(crate) const BELL: &str = "M3.5 11.5C5 10 4.3 4 8 4s3 6 4.5 7.5ZM7 13.6h2";
pub(crate) const CROWN: &str = "M-14-43-15.5-57-7-50.5 0-61 7-50.5 15.5-57 14-43Z";

/// The mark: three otters holding on to each other on the water.
pub(crate) fn mark() -> Html {
    html! {
        <svg viewBox="0 0 32 32" aria-hidden="true">
            <path d="M3 23c3 0 3-3 6.5-3s3.5 3 6.5 3 3-3 6.5-3 3.5 3 6.5 3" />
            <circle cx="9" cy="13" r="4" /><circle cx="16" cy="8" r="4" /><circle cx="23" cy="13" r="4" />
        </svg>
    }
}

//! One grammar for everything that is done to a simulated cluster in lines of text: the stories of the tests,
//! a failing seed made small, and the lessons of the page. A line names members, links, messages and clients;
//! conditions say what to wait for or to insist on. A run can be written down in it (`record`), played (`play`),
//! written for other programs (`export`), made as short as it can be (`lessen`), and looked for (`search`). Lessons
//! run no cluster: callers own it, and let its time pass as they like.

mod client;
mod condition;
mod deed;
pub mod export;
mod lessen;
mod lesson;
mod parse;
mod play;
mod record;
mod search;
pub mod words;

pub use self::client::is_of_client;
pub use self::condition::{PATIENCE, compare, holds};
pub use self::deed::{deeds, set_up};
pub use self::lessen::{Goal, Lessen};
pub use self::lesson::{Lesson, Order, Progress, Scene, Step};
pub use self::parse::span;
pub use self::play::{Miss, play, play_line};
pub use self::record::Record;
pub use self::search::{Search, Wanted};

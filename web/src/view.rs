//! Components: they draw the model and send it actions, and hold no state of their own.

pub(crate) mod clients;
pub(crate) mod compare;
pub(crate) mod courses;
pub(crate) mod damage;
pub(crate) mod export;
pub(crate) mod filter;
pub(crate) mod find;
pub(crate) mod header;
pub(crate) mod help;
pub(crate) mod history;
pub(crate) mod icon;
pub(crate) mod inspect;
pub(crate) mod lesson;
pub(crate) mod logs;
pub(crate) mod network;
pub(crate) mod node;
pub(crate) mod runs;
pub(crate) mod spacetime;
pub(crate) mod stage;
pub(crate) mod story;
pub(crate) mod time;
pub(crate) mod tools;
pub(crate) mod values;
pub(crate) mod verdicts;
pub(crate) mod znodes;

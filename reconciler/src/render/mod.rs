//! Plans and their outcomes as people and programs read them.
//!
//! Owns: every output format. May not: decide, look anything up, or print; a
//! renderer gives text back. Invariants: the same plan gives the same bytes; no
//! control character of a value reaches a terminal; the JSON keeps its shape.

mod counts;
mod difference;
pub mod json;
mod lines;
pub mod markdown;
pub(crate) mod nodes;
mod outcome;
mod paint;
mod stats;
pub mod status;
pub mod text;

use lyceum_core::plan::{Action, Plan};

pub use counts::Counts;
pub use outcome::outcomes;
pub use paint::Paint;
pub use stats::RunStats;

/// What is shown of a plan.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// What it was made from: a commit's id, or a word for a working tree.
    pub revision: &'a str,
    /// The plan.
    pub plan: &'a Plan,
    /// What making it cost, where that was asked for.
    pub stats: Option<&'a RunStats>,
}

/// The sign of an action, as in the text form.
pub fn symbol(action: Action) -> &'static str {
    match action {
        Action::Create => "+",
        Action::Update => "~",
        Action::Replace => "-/+",
        Action::Delete => "-",
    }
}

/// The word of an action, as in the JSON form.
pub fn word(action: Action) -> &'static str {
    match action {
        Action::Create => "create",
        Action::Update => "update",
        Action::Replace => "replace",
        Action::Delete => "delete",
    }
}

//! The fault proxy: stands between the program and the emulator, lets things
//! go wrong on purpose, and lends the emulator what AWS has and it lacks.
//!
//! It owns no knowledge of Lyceum: everything is said in AWS's words. It logs
//! every attempt. It may not change what a call does, only whether, when and
//! with what answer; the limits of lists are the one exception.

mod action;
mod dependency;
mod fault;
mod log;
mod pages;
mod rule;
mod server;
mod tokens;
mod upstream;
mod visibility;
mod wording;
mod xml;

pub use action::{Call, Protocol};
pub use fault::{Fault, Gate, Hook};
pub use log::{Attempt, Outcome};
pub use rule::Rule;
pub use server::{Lent, Proxy};
pub use visibility::Late;

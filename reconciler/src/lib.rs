//! The program `lyceum`: from a git repository to converged AWS, and back to
//! the person who asked.
//!
//! Owns: reading repositories ([`source`]), the order of the steps ([`road`]),
//! doing what a plan says ([`execute`]), keeping it so ([`controller`]), showing
//! what comes of it ([`render`]) and the commands ([`cli`]). May not: decide
//! what should be (`lyceum-core`) or talk to AWS itself (`lyceum-aws`).

pub mod applied;
pub mod cli;
pub mod controller;
pub mod execute;
pub mod pointers;
pub mod render;
pub mod reports;
pub mod road;
pub mod source;
mod whole;

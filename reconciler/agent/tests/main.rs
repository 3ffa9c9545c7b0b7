//! The agent's clients against a small cloud on loopback, and a node that
//! follows its pointer there.

// The whole crate is a test; clippy only sees that of the test functions.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod clients;
mod cloud;
mod following;
mod host;
mod node;
mod update;

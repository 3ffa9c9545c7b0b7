//! The system's tests: one binary, a module a subject.

// The whole crate is a test; clippy only sees that of the test functions.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod asking;
mod cookbooks;
mod cost;
mod demo;
mod deploy;
mod drift;
mod dying;
mod fidelity;
mod isolation;
mod permissions;
mod planning;
mod protection;
mod proxy;
mod rollout;
mod rooms;
mod secrets;
mod serve;
mod service;
mod stopping;

//! One binary for the tests of the pure half.

// All of this is test code; the lint's own exception knows functions marked as
// tests only.
#![allow(clippy::unwrap_used)]

mod cookbooks;
mod manifest;
mod node;
mod planning;

//! The kinds against the emulator, through the crate's public face alone.

// All of this is test code; the lint's own exception knows functions marked as
// tests only.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod between;
mod ec2;
mod emulator;
mod look;
mod services;
mod world;

//! The kinds against the emulator, through the crate's public face alone.

mod ec2;
mod emulator;
mod services;
mod world;

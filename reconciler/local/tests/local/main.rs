//! Nodes on this machine, for real: containers that boot systemd, with their own
//! Docker. Each test makes a cloud of its own and leaves nothing.

#![allow(clippy::unwrap_used)]

mod daemon;
mod end;
mod images;
mod kit;
mod machine;
mod network;
mod storage;

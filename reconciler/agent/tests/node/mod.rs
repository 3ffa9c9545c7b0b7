//! The agent on a real node: systemd, its own Docker, a swarm, a registry,
//! shared storage.

mod faults;
mod kit;
mod kinds;
mod life;

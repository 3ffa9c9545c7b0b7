//! The agent on a real node: systemd, its own Docker, a swarm, a registry,
//! shared storage.

mod faults;
mod kinds;
mod kit;
mod life;

//! The agent on a node: it reads its group's pointer, makes the node what its
//! roles say, keeps it so, and reports.
//!
//! Owns: small clients (AWS, Docker, systemd), the real machine behind
//! [`lyceum_core::node::host::Host`], what is kept on the node's disk, the
//! order of a node's life. May not: decide what a step or a role means, which
//! is `lyceum_core::node`'s; hold credentials beyond the instance's role; put a
//! secret into a log, a report or a file that a role did not ask for.
//!
//! In order: [`cli`] is what is asked of it, [`life`] the service, [`follow`]
//! how a pointer becomes a wish, [`round`] one run, [`machine`] the node,
//! [`aws`] the cloud, [`keep`] the disk.

pub mod aws;
pub mod cli;
pub mod disk;
pub mod facts;
pub mod follow;
pub mod http;
pub mod keep;
pub mod life;
pub mod local;
pub mod machine;
mod patience;
pub mod replace;
pub mod round;
pub mod settings;

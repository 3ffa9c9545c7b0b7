//! A cloud on one machine: nodes that boot systemd with their own Docker, and
//! around them what AWS has around an instance: metadata, a resolver, a registry,
//! shared file systems.
//!
//! What runs on a node runs there as on AWS and cannot tell the difference by any
//! switch: the differences are in the machine below it. [`Ground`] is what nodes
//! stand on, [`Node`] is one of them, [`Daemon`] the Docker they run on.
//!
//! May not: name AWS's SDK, or know what a cluster is. Calls block; servers run on
//! threads of their own.

mod alive;
mod baked;
mod cloud;
mod command;
mod daemon;
mod docker;
mod driver;
mod emulator;
mod error;
mod forward;
mod ground;
mod identity;
mod image;
mod lock;
mod metadata;
mod node;
mod place;
mod registry;
mod serving;
mod storage;
mod subnet;

pub use alive::Alive;
pub use cloud::{Cloud, Shelf};
pub use command::{Output, wait_until};
pub use daemon::Daemon;
pub use docker::{Docker, LABEL};
pub use driver::{Driver, Instance, Terms};
pub use emulator::Emulator;
pub use error::Error;
pub use forward::Forward;
pub use ground::{Ground, Options, known, remove, sweep};
pub use identity::{Credentials, Identity};
pub use image::Image;
pub use metadata::Metadata;
pub use node::{ENVIRONMENT, Node, Rights, Spec, container_name};
pub use place::Place;
pub use registry::Registry;
pub use storage::{FileSystems, Volumes};
pub use subnet::Subnet;

//! Development only: a stateful cloud in memory, and builders.

mod builders;
mod cloud;
mod drive;

pub use builders::{example, manifests, site};
pub use cloud::{FakeCloud, Fault, When};
pub use drive::{carry_out, look, now, read_pointers, settle};

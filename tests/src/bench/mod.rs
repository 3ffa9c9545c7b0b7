//! What the program costs: clusters made up for it, a process measured, and
//! the figures beside Terraform's and beside what was promised; and what keeping
//! a node costs, beside Ansible.
//!
//! May not: know how the program works. It is measured from outside, as a
//! process and at the proxy that its calls pass.

mod bounds;
mod generate;
mod measure;
mod node;
mod table;
pub mod terraform;

pub use bounds::{Bounds, Verdict, calls_of_a_plan};
pub use generate::{name, repository};
pub use measure::{Cost, Measured, cpu_of, measured};
pub use node::Nodes;
pub use table::{Row, Table};

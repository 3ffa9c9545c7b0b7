//! AWS as Lyceum sees it: one look at everything that is ours, and the calls
//! that create, change and delete one resource.
//!
//! Owns: the SDK (no other crate names it), call rates, retries, the table of
//! error codes, waiting for what a call set in motion. May not: decide anything;
//! whatever a change needs was decided by the plan.
//!
//! Invariants: every call goes through [`calls::Calls`], which bounds its rate,
//! its time and its repetitions and counts it; the SDK itself never repeats a
//! call; a call that is not safe to repeat is sent once.

mod calls;
mod claim;
mod clients;
mod cloud;
mod cloud_map;
mod ec2;
mod efs;
mod error;
mod kind;
mod marker;
mod observe;
mod policy;
mod secret;
mod stored;
mod surroundings;
mod tags;
mod tokens;

pub use calls::{Rates, Stats};
pub use cloud::{Aws, Options};

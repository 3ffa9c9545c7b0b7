//! What a scenario is made of: a repository to apply, the program as a process,
//! and a world to apply it to.
//!
//! A scenario drives the program by its command line alone and judges it by
//! what boto3 sees afterwards.

mod consents;
mod inventory;
mod program;
mod repo;
mod terminal;
mod world;

pub use consents::Consent;
pub use inventory::{Inventory, fidelity, said};
pub use program::{Ended, Lyceum, Running, Victim, terminate};
pub use repo::Repo;
pub use terminal::at_terminal;
pub use world::World;

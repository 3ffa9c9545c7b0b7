//! Development only: a stateful cloud and a stateful machine in memory, and
//! builders.

mod builders;
mod cloud;
mod drive;
mod host;
mod roles;

pub use builders::{example, manifests, site, stamped};
pub use cloud::{FakeCloud, Fault, Looks, When};
pub use drive::{carry_out, look, now, read_pointers, read_reports, settle};
pub use host::{
    Behaviour, FakeDocker, FakeFile, FakeHost, FakeMount, FakePackage, FakeSwarm, FakeUnit,
    Machine, Strike, Watching,
};
pub use roles::{bundle, converged, facts, planned, role, target};

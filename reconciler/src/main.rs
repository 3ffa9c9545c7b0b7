//! x
pub mod execute;
fn main() {}

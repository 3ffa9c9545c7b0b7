//! One binary for the tests of the pure half.

mod manifest;
mod planning;

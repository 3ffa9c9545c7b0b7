//! Tests of the program: one binary, a module per subject. Everything happens
//! in folders that vanish with the test; nothing outside is asked.

mod repository;
mod source;

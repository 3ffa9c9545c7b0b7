//! Tests of the program: one binary, a module per subject. Everything happens
//! in folders that vanish with the test; nothing outside is asked.

// clippy counts only the test functions themselves as tests, not what they share.
#![allow(clippy::unwrap_used)]

mod commands;
mod controller;
mod golden;
mod render;
mod repository;
mod road;
mod rollout;
mod source;

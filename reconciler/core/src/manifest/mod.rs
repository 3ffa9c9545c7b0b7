//! Manifests.
pub mod cluster;
pub mod repository;

//! The pure half of Lyceum: from the files of a commit to the changes that
//! would make AWS match it.
//!
//! Owns: manifests, desired state, observed state, planning, reports.
//! May not: touch a clock, a file, the environment, git, the network or an
//! async runtime. Whatever varies comes in as an argument, so the same input
//! gives the same bytes.
//!
//! Read the modules in this order: [`manifest`], [`desired`], [`kind`],
//! [`observed`], [`plan`], [`cloud`], [`report`].

pub mod address;
pub mod cloud;
pub mod desired;
pub mod kind;
mod lost;
pub mod manifest;
pub mod node;
pub mod observed;
pub mod plan;
pub mod report;
pub mod schedule;
pub mod site;

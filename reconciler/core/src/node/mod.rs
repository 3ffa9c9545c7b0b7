//! What a node is to be, and how it becomes so: the pure half of the agent.
//!
//! Owns: the vocabulary of steps and checks, from role and facts to a node's
//! plan, the order and outcome of its execution, bundles, pointers, reports.
//! May not: touch the machine but through [`host::Host`], or look at a clock.
//!
//! In order: [`bundle`] and [`pointer`] say what reaches a node, [`facts`] what
//! it knows of itself, [`template`] and [`plan`] make steps of roles, [`step`]
//! and [`check`] are the vocabulary, [`converge`] carries it out, [`report`]
//! says what became of it.

pub mod bundle;
pub mod check;
pub mod converge;
pub mod facts;
pub mod host;
pub mod plan;
pub mod pointer;
pub mod report;
pub mod rollout;
pub mod step;
pub mod template;
pub mod texts;

//! The agent's clients against a small cloud on loopback, and a node that
//! follows its pointer there.

mod clients;
mod cloud;
mod following;
mod host;
mod node;
mod update;

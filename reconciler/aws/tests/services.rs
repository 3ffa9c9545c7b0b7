//! The kinds beside the network: each made, observed as desired, changed in
//! every owned attribute, and removed. What they stand in is made by the SDK.

mod backdrop;
mod groups;
mod iam;
mod names;
mod nodes;
mod regional;
mod reports;
mod storage;

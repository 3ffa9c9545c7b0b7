//! What Terraform took for the same resources: recorded, not run.
//!
//! Terraform with the AWS provider 5.100, medians of several runs against the
//! same emulator behind its own server, with 10 ms added to every request, on a
//! machine of the same kind (2 cores), at its default parallelism of 10. Without
//! the delay the provider now and then drops an answer and repeats the call.

/// What one command took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figure {
    /// Wall time in seconds.
    pub seconds: f64,
    /// Requests.
    pub requests: usize,
    /// The most memory of Terraform and its provider, in MB (10⁶ bytes), where
    /// it was recorded.
    pub megabytes: Option<u64>,
}

/// A command of Terraform's and what stands for it here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// `apply` from nothing.
    Apply,
    /// `plan` when nothing has to change.
    Plan,
    /// `destroy` of all.
    Destroy,
}

/// What was recorded for this many clusters, if anything was.
pub fn recorded(deed: Deed, clusters: usize) -> Option<Figure> {
    let figure = |seconds, requests| Figure { seconds, requests, megabytes: None };
    let holding = |seconds, requests, megabytes| Figure {
        megabytes: Some(megabytes),
        ..figure(seconds, requests)
    };
    Some(match (deed, clusters) {
        (Deed::Apply, 1) => figure(59.0, 236),
        (Deed::Apply, 10) => figure(131.0, 2_324),
        (Deed::Apply, 30) => figure(397.0, 6_964),
        (Deed::Plan, 1) => holding(7.3, 115, 600),
        (Deed::Plan, 10) => holding(14.5, 1_123, 630),
        (Deed::Plan, 30) => holding(27.8, 3_363, 770),
        (Deed::Destroy, 1) => figure(38.0, 232),
        (Deed::Destroy, 10) => figure(66.0, 2_275),
        (Deed::Destroy, 30) => figure(202.0, 6_815),
        _ => return None,
    })
}

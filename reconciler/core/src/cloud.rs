//! The seam between deciding and doing: what execution asks of a cloud, and the
//! one vocabulary of its errors. `lyceum-aws` implements it with the SDK, the
//! test kit with a stateful cloud in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;

use crate::desired::Resource;
use crate::observed::{Object, ObservedState};

/// What to look at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// The regions, sorted.
    pub regions: BTreeSet<String>,
    /// Region to the images wanted there (the manifest's `os`, or `ami-…`).
    pub images: BTreeMap<String, BTreeSet<String>>,
    /// Cluster to its public host name; their zones are read.
    pub domains: BTreeMap<String, String>,
    /// Region to the names of the operator's secrets, whose existence alone is
    /// looked up.
    pub secrets: BTreeMap<String, BTreeSet<String>>,
}

/// What an object answers to others once it exists: `id` and the rest.
pub type Outputs = BTreeMap<String, String>;

/// The kinds that lie in the buckets.
pub const STORED: &[&str] = &["object", "pointer", "node-report"];

/// A cloud that can be observed and changed.
///
/// Invariants of every implementation: `create` is safe to repeat after any
/// error (by token, by name, or because the next observation finds what an
/// unanswered call made); `create` returns once the object can be seen;
/// `delete` of what is gone succeeds.
pub trait Cloud: Send + Sync {
    /// One look. What cannot be read becomes a gap; it never fails as a whole.
    fn observe(&self, scope: &Scope) -> impl Future<Output = ObservedState> + Send;

    /// A look at what lies in the buckets alone, [`STORED`]: what nodes are told
    /// and what they report. The rest is as it was `before`.
    fn observe_stored(
        &self,
        scope: &Scope,
        before: ObservedState,
    ) -> impl Future<Output = ObservedState> + Send {
        drop(before);
        self.observe(scope)
    }

    /// An object whole, where a list leaves something of it out; none where it is
    /// gone.
    fn read(
        &self,
        object: &Object,
    ) -> impl Future<Output = Result<Option<Object>, CloudError>> + Send {
        let whole = object.clone();
        async move { Ok(Some(whole)) }
    }

    /// Makes an object whose references are all answered.
    fn create(
        &self,
        resource: &Resource,
    ) -> impl Future<Output = Result<Outputs, CloudError>> + Send;

    /// Changes an object in place; writes only what differs.
    fn update(
        &self,
        before: &Object,
        after: &Resource,
    ) -> impl Future<Output = Result<Outputs, CloudError>> + Send;

    /// Removes an object with its children.
    fn delete(&self, object: &Object) -> impl Future<Output = Result<(), CloudError>> + Send;
}

/// What an error means for the next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Too many calls; the call was not carried out.
    Throttled,
    /// The service failed, or no answer came: it may have been carried out.
    Ambiguous,
    /// Something else has to go or come first.
    NotYet,
    /// It is not there (any more).
    NotFound,
    /// It is there already.
    Exists,
    /// We may not.
    Denied,
    /// The request is wrong; it stays wrong until the input changes.
    Invalid,
    /// The service does not know the call.
    Unsupported,
}

impl Class {
    /// The same request may succeed later without a change of the input.
    pub fn passes(self) -> bool {
        matches!(
            self,
            Self::Throttled | Self::Ambiguous | Self::NotYet | Self::NotFound | Self::Exists
        )
    }

    /// What a person can do about it.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Throttled => "the account is busy; the rate is lowered and the call repeated",
            Self::Ambiguous => "the next pass looks whether it happened, then repeats it",
            Self::NotYet => "the next pass tries again",
            Self::NotFound => "it changed meanwhile; the next pass looks again",
            Self::Exists => "something of this name exists that is not ours, or appeared meanwhile",
            Self::Denied => {
                "grant the call to the reconciler's role; deploy/ has the policy it needs"
            }
            Self::Invalid => "change the manifest",
            Self::Unsupported => "this endpoint does not offer the call; it is left out",
        }
    }
}

/// A call to the cloud that failed.
#[derive(Debug)]
pub struct CloudError {
    /// What it means.
    pub class: Class,
    /// `ec2:CreateVpc`.
    pub operation: String,
    /// The service's error code; empty when there was no answer.
    pub code: String,
    /// The service's words.
    pub message: String,
}

impl CloudError {
    /// An error of our own finding, before or after a call.
    pub fn new(class: Class, operation: &str, message: impl Into<String>) -> Self {
        Self { class, operation: operation.into(), code: String::new(), message: message.into() }
    }
}

impl fmt::Display for CloudError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.operation)?;
        if !self.code.is_empty() {
            write!(f, " answered {}", self.code)?;
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for CloudError {}

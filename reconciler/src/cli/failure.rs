//! How an error reaches a person: the whole chain, and what to do about it.

use std::error::Error;

use lyceum_core::cloud::CloudError;
use lyceum_core::manifest::Invalid;

use crate::controller::ServeError;
use crate::road::RoadError;
use crate::source::SourceError;

/// An error on its way to the person who asked.
pub(super) type Failed = anyhow::Error;

/// A command that was refused, and what to do instead.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub(super) struct Refused {
    pub(super) what: String,
    pub(super) hint: String,
}

impl Refused {
    pub(super) fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what: what.into(), hint: hint.into() }
    }
}

/// Writes an error to standard error.
pub(super) fn report(error: &Failed) {
    eprint!("{}", shown(error));
}

pub(super) fn shown(error: &Failed) -> String {
    let mut text = format!("error: {error}\n");
    for cause in error.chain().skip(1) {
        text.push_str(&format!("  because: {cause}\n"));
    }
    for invalid in error.chain().filter_map(|cause| cause.downcast_ref::<Invalid>()) {
        invalid.diagnostics.iter().for_each(|found| text.push_str(&format!("{found}\n")));
    }
    // The outermost knows what was wanted.
    if let Some(hint) = error.chain().find_map(hint) {
        text.push_str(&format!("hint: {hint}\n"));
    }
    text
}

fn hint(cause: &(dyn Error + 'static)) -> Option<String> {
    if let Some(error) = cause.downcast_ref::<SourceError>() {
        return error.hint().map(String::from);
    }
    if let Some(error) = cause.downcast_ref::<RoadError>() {
        return error.hint().map(String::from);
    }
    if let Some(hint) = cause.downcast_ref::<ServeError>().and_then(ServeError::hint) {
        return Some(hint.into());
    }
    if let Some(error) = cause.downcast_ref::<Refused>() {
        return Some(error.hint.clone());
    }
    if let Some(error) = cause.downcast_ref::<lyceum_local::Error>() {
        return error.hint();
    }
    cause.downcast_ref::<CloudError>().map(|error| error.class.hint().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    #[test]
    fn the_whole_chain_and_a_hint_are_shown() {
        let source = SourceError::NoCommit { path: PathBuf::from("/r") };
        let text = shown(&RoadError::from(source).into());
        assert_eq!(
            text,
            "error: cannot read the repository\n  because: /r has no commit yet\n\
             hint: everything made is tagged with the first commit: commit the manifests once\n"
        );
    }
}

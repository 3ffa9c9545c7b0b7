//! `lyceum validate`: everything that is wrong with the manifests, at once.

use lyceum_core::manifest::{Diagnostic, Manifests, Severity, load};
use serde::Serialize;

use super::args::{Format, ValidateArgs};
use super::failure::Failed;
use super::{Exit, output};
use crate::render::json;
use crate::road::RoadError;
use crate::source::{Git, Ignored, worktree};

pub(super) fn run(args: &ValidateArgs) -> Result<Exit, Failed> {
    let root = worktree::root_of(&args.repo.repo);
    let reading = match &args.rev {
        Some(revision) => Git::open(&root).and_then(|git| git.snapshot(revision)),
        None => worktree::snapshot(&root),
    };
    let reading = reading.map_err(RoadError::from)?;
    let revision = reading.snapshot.revision.clone();
    let loaded = load(&reading.snapshot);
    let diagnostics = match &loaded {
        Ok(manifests) => &manifests.warnings,
        Err(invalid) => &invalid.diagnostics,
    };
    let manifests = loaded.as_ref().ok();
    output::print(&match args.format {
        Format::Text => as_text(diagnostics, &reading.ignored, manifests),
        Format::Json => json::pretty(&Found {
            revision: &revision,
            valid: manifests.is_some(),
            clusters: manifests.map(|manifests| manifests.clusters.len()),
            ignored: reading.ignored.iter().map(ToString::to_string).collect(),
            diagnostics,
        }),
    })?;
    Ok(if manifests.is_some() { Exit::Well } else { Exit::Error })
}

/// The JSON form; keys are added, never renamed or removed.
#[derive(Serialize)]
struct Found<'a> {
    revision: &'a str,
    valid: bool,
    /// Clusters declared; absent when that cannot be said.
    #[serde(skip_serializing_if = "Option::is_none")]
    clusters: Option<usize>,
    diagnostics: &'a [Diagnostic],
    ignored: Vec<String>,
}

fn as_text(found: &[Diagnostic], ignored: &[Ignored], manifests: Option<&Manifests>) -> String {
    let mut text = String::new();
    found.iter().for_each(|diagnostic| text.push_str(&format!("{diagnostic}\n")));
    ignored.iter().for_each(|ignored| text.push_str(&format!("warning: {ignored}\n")));
    let count = |severity| found.iter().filter(|one| one.severity == severity).count();
    let warnings = count(Severity::Warning) + ignored.len();
    let summary = match manifests {
        Some(manifests) => format!(
            "valid: {}, {}, {}",
            counted(manifests.clusters.len(), "cluster"),
            counted(manifests.roles.len(), "role"),
            counted(warnings, "warning")
        ),
        None => format!(
            "not valid: {}, {}",
            counted(count(Severity::Error), "error"),
            counted(warnings, "warning")
        ),
    };
    text + &summary + "\n"
}

fn counted(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}

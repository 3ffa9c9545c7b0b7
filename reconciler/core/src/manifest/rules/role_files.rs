//! A role's files keep within limits.

use super::super::diagnostic::{Mark, Place};
use super::{Diagnostic, Model, Rule};
use crate::node::step::LARGEST_FILE;

pub(super) const RULE: Rule = Rule {
    id: "role-files",
    summary: "A role has at most 1,000 files and 16 MiB of them, each at most 4 MiB.",
    check,
};

/// Most files of a role.
const MOST_FILES: usize = 1_000;
/// Most bytes of a role's files together.
const MOST_BYTES: usize = 16 * 1024 * 1024;

fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    for role in &model.roles {
        let name = &role.manifest.metadata.name;
        let Some(files) = model.role_files.get(name) else { continue };
        for (path, content) in files.iter().filter(|(_, content)| content.len() > LARGEST_FILE) {
            let place = Place { path: format!("cookbooks/{name}/{path}"), mark: Mark::START };
            let message = format!("the file has {} bytes", content.len());
            let error = Diagnostic::error(&place, RULE.id, message);
            found.push(error.expected(format!("at most {LARGEST_FILE} bytes")));
        }
        let bytes: usize = files.values().map(Vec::len).sum();
        if files.len() > MOST_FILES || bytes > MOST_BYTES {
            let message = format!("the role has {} files of together {bytes} bytes", files.len());
            let error = role.error("/metadata/name", &RULE, message);
            found.push(
                error
                    .expected(format!("at most {MOST_FILES} files of together {MOST_BYTES} bytes"))
                    .hint("large files belong into an image or the shared storage"),
            );
        }
    }
}

//! A shared directory does not hide what a notebook server needs.

use super::{Diagnostic, Model, Rule};

pub(super) const RULE: Rule = Rule {
    id: "shared-path",
    summary: "A shared directory's `path` is plain, outside the system's folders, and not a home.",
    check,
};

/// Nothing may be mounted here or below.
const SYSTEM: &[&str] = &[
    "bin", "boot", "dev", "etc", "lib", "lib32", "lib64", "libx32", "proc", "root", "run", "sbin",
    "sys", "tmp", "usr", "var",
];
/// Nothing may be mounted exactly here.
const TAKEN: &[&str] =
    &["/home", "/home/jovyan", "/home/jovyan/work", "/opt", "/opt/conda", "/srv", "/mnt", "/media"];

fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    for cluster in &model.clusters {
        for (index, shared) in cluster.spec().storage.shared.iter().enumerate() {
            let Some(fault) = fault(&shared.path) else { continue };
            let pointer = format!("/spec/storage/shared/{index}/path");
            found.push(
                cluster
                    .error(&pointer, &RULE, format!("`{}` {fault}", shared.path))
                    .expected("a folder of its own, such as /srv/datasets"),
            );
        }
    }
}

fn fault(path: &str) -> Option<&'static str> {
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    if parts.iter().any(|part| matches!(*part, "" | "." | "..")) {
        return Some("is not a plain path");
    }
    if parts.first().is_some_and(|top| SYSTEM.contains(top)) {
        return Some("belongs to the system of the notebook server");
    }
    TAKEN.contains(&path).then_some("would hide what the notebook server has there")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_needs_stays_visible() {
        for good in ["/srv/datasets", "/home/jovyan/shared", "/data", "/library"] {
            assert_eq!(fault(good), None, "{good}");
        }
        for bad in
            ["/", "//", "/a//b", "/a/", "/a/../etc", "/etc", "/usr/local/x", "/home", "/opt/conda"]
        {
            assert!(fault(bad).is_some(), "{bad}");
        }
    }
}

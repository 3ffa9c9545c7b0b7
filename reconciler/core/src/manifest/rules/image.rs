//! The notebook image is the same on every node: it has a tag that is not
//! `latest`, or a digest.

use super::{Diagnostic, Model, Rule};

pub(super) const RULE: Rule = Rule {
    id: "image",
    summary: "`jupyter.image` has a tag other than `latest`, or a digest.",
    check,
};

fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    for cluster in &model.clusters {
        let image = &cluster.spec().jupyter.image;
        if let Some(fault) = fault(image) {
            let message = format!("`{}` {fault}", image.escape_debug());
            found.push(
                cluster
                    .error("/spec/jupyter/image", &RULE, message)
                    .expected("such as quay.io/jupyter/datascience-notebook:2026-10-01")
                    .hint("nodes that start on different days would run different versions"),
            );
        }
    }
}

fn fault(image: &str) -> Option<&'static str> {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/:@".contains(&byte);
    if !image.bytes().all(letter) || image.starts_with(['/', ':', '@', '.', '-']) {
        return Some("is not the name of an image");
    }
    if let Some((_, digest)) = image.split_once('@') {
        return (!is_digest(digest)).then_some("does not end in a SHA-256 digest");
    }
    // A colon before the last slash is a registry's port.
    let name = image.rsplit('/').next().unwrap_or_default();
    match name.split_once(':') {
        None | Some((_, "")) => Some("has no tag"),
        Some((_, "latest")) => Some("has the tag `latest`"),
        Some(_) => None,
    }
}

fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|hex| {
        hex.len() == 64
            && hex.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stays_the_same_is_taken() {
        let digest = format!("quay.io/a/b@sha256:{}", "0".repeat(64));
        for good in ["a:1", "registry.example.edu:5000/a/b:2026-10-01", digest.as_str()] {
            assert_eq!(fault(good), None, "{good}");
        }
        for bad in ["a", "a:latest", "host:5000/a", "a:", "a b:1", "/a:1", "a@sha256:12", ":1"] {
            assert!(fault(bad).is_some(), "{bad}");
        }
    }
}

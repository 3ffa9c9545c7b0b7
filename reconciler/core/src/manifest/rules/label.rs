//! Labels become tags, so they keep to what AWS takes in a tag.

use super::super::source::escape;
use super::{Diagnostic, Model, Rule};

pub(super) const RULE: Rule = Rule {
    id: "label",
    summary: "Labels can be tags: letters, digits, spaces and `+ - = . _ : / @`, keys of 1 to 100 \
              and values of at most 256 characters; a cluster has at most 20, those of its defaults \
              among them.",
    check,
};

/// As many as the schema lets one file have.
const MOST: usize = 20;

fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    for cluster in &model.clusters {
        let count = cluster.manifest.metadata.labels.len();
        if count > MOST {
            let message =
                format!("{} has {count} labels, with those of its defaults", cluster.name());
            let error = cluster.error("/metadata/labels", &RULE, message);
            found.push(
                error.expected(format!("at most {MOST}: AWS takes 50 tags, ours among them")),
            );
        }
        for (key, value) in &cluster.manifest.metadata.labels {
            let fits =
                |text: &str, most: usize| text.chars().count() <= most && text.chars().all(allowed);
            let pointer = format!("/metadata/labels/{}", escape(key));
            if key.is_empty() || !fits(key, 100) {
                let message = "the label's key cannot be part of a tag's key";
                found.push(cluster.error(&pointer, &RULE, message).expected(FORM));
            }
            if !fits(value, 256) {
                let message = "the label's value cannot be a tag's value";
                found.push(cluster.error(&pointer, &RULE, message).expected(FORM));
            }
        }
    }
}

const FORM: &str = "letters, digits, spaces and + - = . _ : / @";

fn allowed(letter: char) -> bool {
    letter.is_alphanumeric() || " +-=._:/@".contains(letter)
}

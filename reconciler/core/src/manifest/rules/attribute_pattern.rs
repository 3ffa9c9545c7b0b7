//! A text given to an attribute matches its pattern as a whole.

use std::collections::BTreeMap;

use jsonschema::Validator;
use serde_json::json;

use super::{Diagnostic, Model, Rule, attribute_values};

pub(super) const RULE: Rule = Rule {
    id: "attribute-pattern",
    summary: "A text given to an attribute matches the attribute's pattern, which is a regular \
              expression of a text.",
    check,
};

fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    // Compiled once for each pattern, however many clusters give it a value.
    let mut compiled: BTreeMap<&str, Option<Validator>> = BTreeMap::new();
    for role in &model.roles {
        for (name, attribute) in &role.manifest.spec.attributes {
            let Some(pattern) = &attribute.pattern else { continue };
            let whole = json!({"type": "string", "pattern": format!("^(?:{pattern})$")});
            let validator = compiled
                .entry(pattern)
                .or_insert_with(|| jsonschema::draft202012::new(&whole).ok());
            if validator.is_none() {
                let pointer = format!("/spec/attributes/{name}/pattern");
                let message = format!("the pattern of `{name}` is no regular expression");
                found.push(role.error(&pointer, &RULE, message));
            }
        }
    }
    attribute_values(model, &mut |given| {
        let Some(pattern) = given.attribute.pattern.as_deref() else { return };
        let Some(Some(validator)) = compiled.get(pattern) else { return };
        if given.value.is_string() && !validator.is_valid(given.value) {
            let message = format!("`{}` does not have its form", given.name);
            let error = given.error(&RULE, message).expected(format!("text matching {pattern}"));
            found.push(error.hint(given.attribute.description.clone()));
        }
    });
}

//! A value of an attribute is among its options.

use super::super::conform::closest;
use super::attribute_type::fits;
use super::{Diagnostic, Model, Rule, attribute_values};

pub(super) const RULE: Rule = Rule {
    id: "attribute-enum",
    summary: "A value of an attribute is among the attribute's options, where it has any.",
    check,
};

fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    attribute_values(model, &mut |given| {
        let options = &given.attribute.options;
        let is_wrong = !options.is_empty() && !options.contains(given.value);
        if !is_wrong || !fits(given.value, given.attribute.attribute_type) {
            return;
        }
        let words: Vec<String> = options
            .iter()
            .map(|option| option.as_str().map_or_else(|| option.to_string(), String::from))
            .collect();
        let message = format!("`{}` is none of its options", given.name);
        let error = given.error(&RULE, message).expected(format!("one of {}", words.join(", ")));
        let meant = given.value.as_str().and_then(|word| closest(word, &words));
        found.push(match meant {
            Some(meant) => error.hint(format!("did you mean `{meant}`?")),
            None => error,
        });
    });
}

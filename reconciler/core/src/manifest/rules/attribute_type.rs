//! A value of an attribute is of its type.

use serde_json::Value;

use super::super::conform::type_of;
use super::super::role::AttributeType;
use super::super::source::escape;
use super::{Diagnostic, Model, Rule, attribute_values};

pub(super) const RULE: Rule = Rule {
    id: "attribute-type",
    summary: "A value of an attribute, its default and its options are of the attribute's type.",
    check,
};

fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    attribute_values(model, &mut |given| {
        let kind = given.attribute.attribute_type;
        if !fits(given.value, kind) {
            let message = format!("`{}` is {}", given.name, type_of(given.value));
            found.push(given.error(&RULE, message).expected(words(kind)));
        }
    });
    for role in &model.roles {
        for (name, attribute) in &role.manifest.spec.attributes {
            if role.is_doubtful(&format!("/spec/attributes/{}/type", escape(name))) {
                continue;
            }
            for (index, option) in attribute.options.iter().enumerate() {
                if !fits(option, attribute.attribute_type) {
                    let pointer = format!("/spec/attributes/{name}/enum/{index}");
                    let message = format!("an option of `{name}` is {}", type_of(option));
                    let error = role.error(&pointer, &RULE, message);
                    found.push(error.expected(words(attribute.attribute_type)));
                }
            }
        }
    }
}

/// Whether a value is of a type.
pub(super) fn fits(value: &Value, kind: AttributeType) -> bool {
    match kind {
        AttributeType::String => value.is_string(),
        AttributeType::Integer => value.is_i64() || value.is_u64(),
        AttributeType::Number => value.is_number(),
        AttributeType::Boolean => value.is_boolean(),
        AttributeType::List => value.is_array(),
        AttributeType::Map => value.is_object(),
    }
}

fn words(kind: AttributeType) -> &'static str {
    match kind {
        AttributeType::String => "text",
        AttributeType::Integer => "a whole number",
        AttributeType::Number => "a number",
        AttributeType::Boolean => "true or false",
        AttributeType::List => "a list",
        AttributeType::Map => "a map",
    }
}

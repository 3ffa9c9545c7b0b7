//! A number given to an attribute is within its range.

use super::{Diagnostic, Model, Rule, attribute_values};

pub(super) const RULE: Rule = Rule {
    id: "attribute-range",
    summary: "A number given to an attribute is within the attribute's range.",
    check,
};

fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    attribute_values(model, &mut |given| {
        let (least, most) = (given.attribute.minimum, given.attribute.maximum);
        let Some(number) = given.value.as_f64() else { return };
        let fault = if least.is_some_and(|least| number < least) {
            "too small"
        } else if most.is_some_and(|most| number > most) {
            "too large"
        } else {
            return;
        };
        let expected = match (least, most) {
            (Some(least), Some(most)) => format!("{least} to {most}"),
            (Some(least), None) => format!("at least {least}"),
            (None, Some(most)) => format!("at most {most}"),
            (None, None) => String::new(),
        };
        let message = format!("`{}` is {number}: {fault}", given.name);
        found.push(given.error(&RULE, message).expected(expected));
    });
}

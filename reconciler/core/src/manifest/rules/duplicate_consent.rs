//! A consent given twice is one too many to take back.

use std::collections::BTreeMap;

use super::{Diagnostic, Model, Rule};

pub(super) const RULE: Rule = Rule {
    id: "duplicate-consent",
    summary: "No two consents are for the same address, id and deed.",
    check,
};

fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    let Some(consents) = &model.consents else { return };
    let mut first = BTreeMap::new();
    for (index, consent) in consents.manifest.consents.iter().enumerate() {
        if consents.is_doubtful(&format!("/consents/{index}")) {
            continue;
        }
        let earlier = *first.entry((&consent.address, &consent.id, consent.to)).or_insert(index);
        if earlier != index {
            let line = consents.place(&format!("/consents/{earlier}/address")).mark.line;
            let message = format!(
                "`{}` with this id stands in line {line} already",
                consent.address.escape_debug()
            );
            let pointer = format!("/consents/{index}/address");
            found.push(consents.error(&pointer, &RULE, message).hint("remove one of them"));
        }
    }
}

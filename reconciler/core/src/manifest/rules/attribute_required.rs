//! What has no default is said by the cluster.

use super::super::source::escape;
use super::{Closures, Diagnostic, Model, Rule};

pub(super) const RULE: Rule = Rule {
    id: "attribute-required",
    summary: "A cluster sets every attribute of its nodes' roles that has no default.",
    check,
};

fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    let mut closures = Closures::new(model);
    for cluster in model.clusters.iter().filter(|cluster| cluster.knows_roles()) {
        for name in closures.of_cluster(cluster.spec()) {
            let Some(role) = closures.role(&name) else { continue };
            let set = cluster.spec().attributes.get(&name);
            let declared = role.manifest.spec.attributes.iter();
            let needed = declared.filter(|(_, attribute)| attribute.default.is_none());
            for (attribute, _) in needed {
                if role.is_doubtful(&format!("/spec/attributes/{}", escape(attribute))) {
                    continue;
                }
                if set.is_some_and(|set| set.contains_key(attribute)) {
                    continue;
                }
                let message = format!("the role `{name}` has to be told `{attribute}`");
                let pointer = format!("/spec/attributes/{}", escape(&name));
                let hint = format!("set spec.attributes: {{{name}: {{{attribute}: …}}}}");
                found.push(cluster.error(&pointer, &RULE, message).hint(hint));
            }
        }
    }
}

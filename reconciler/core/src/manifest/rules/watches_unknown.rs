//! What a step watches is a step.

use super::{Diagnostic, Model, Rule, StepLists, step_names};
use crate::node::step::StepManifest;

pub(super) const RULE: Rule = Rule {
    id: "watches-unknown",
    summary: "A step that another watches exists, in its own role or as `role/name`.",
    check,
};

fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    step_names(model, &RULE, &watches, found);
}

fn watches(step: &StepManifest) -> StepLists<'_> {
    let mut all: StepLists<'_> = Vec::new();
    all.extend(step.service.as_ref().map(|it| ("service/watches", it.watches.as_slice())));
    all.extend(
        step.docker_service.as_ref().map(|it| ("docker_service/watches", it.watches.as_slice())),
    );
    all.extend(
        step.docker_container
            .as_ref()
            .map(|it| ("docker_container/watches", it.watches.as_slice())),
    );
    all
}

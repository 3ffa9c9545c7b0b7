//! A rate for a service nobody calls would silently have no effect.

use super::super::conform::closest;
use super::super::repository::SERVICES;
use super::super::source::escape;
use super::{Diagnostic, Model, Rule};

pub(super) const RULE: Rule =
    Rule { id: "rate-service", summary: "`rates` are for services that are called.", check };

fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    let Some(repository) = &model.repository else { return };
    let known: Vec<String> = SERVICES.iter().map(|name| name.to_string()).collect();
    for service in repository.manifest.spec.rates.keys() {
        if known.contains(service) {
            continue;
        }
        let pointer = format!("/spec/rates/{}", escape(service));
        let message = format!("no service `{}` is called", service.escape_debug());
        let error = repository
            .error(&pointer, &RULE, message)
            .expected(format!("one of {}", known.join(", ")));
        found.push(match closest(service, &known) {
            Some(meant) => error.hint(format!("did you mean `{meant}`?")),
            None => error,
        });
    }
}

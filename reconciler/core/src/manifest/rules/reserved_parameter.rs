//! Nobody but the hub writes the swarm's join token, and no role the other
//! parameters that are the reconciler's: what a group's roles write, all of its
//! nodes may write.

use std::collections::BTreeSet;

use super::super::cluster::Cluster;
use super::super::role::RoleManifest;
use super::super::source::escape;
use super::{Closures, Declaration, Diagnostic, Model, Rule};
use crate::node::step::StepManifest;
use crate::node::step::parameter::ParameterSource;
use crate::node::step::swarm::SwarmPart;
use crate::site::{RESERVED_PARAMETERS, SWARM_TOKEN};

pub(super) const RULE: Rule = Rule {
    id: "reserved-parameter",
    summary: "A role writes no parameter of the reconciler's: `facts`, `applied`, `node-key`, \
              `node-key-private`; `swarm-join-token` is written by a role of the hub that leads \
              the swarm, with the workers' token, and by no role of the workers.",
    check,
};

/// A parameter that a step writes.
struct Written<'a> {
    /// Where its name stands.
    pointer: String,
    name: &'a str,
    is_worker_token: bool,
}

fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    for role in &model.roles {
        for written in written(role) {
            found.extend(fault(role, &written, written.name).map(|message| {
                role.error(&written.pointer, &RULE, message).expected("a name of its own")
            }));
            let default = attribute_of(written.name).and_then(|name| {
                let value = role.manifest.spec.attributes.get(name)?.default.as_ref()?.as_str()?;
                Some((format!("/spec/attributes/{}/default", escape(name)), value))
            });
            found.extend(default.and_then(|(pointer, value)| {
                let message = fault(role, &written, value)?;
                Some(role.error(&pointer, &RULE, message).expected("a name of its own"))
            }));
        }
    }
    let mut closures = Closures::new(model);
    for cluster in &model.clusters {
        of_cluster(cluster, &mut closures, found);
    }
}

/// What a cluster tells its roles to write, and what its workers would.
fn of_cluster(
    cluster: &Declaration<Cluster>,
    closures: &mut Closures<'_>,
    found: &mut Vec<Diagnostic>,
) {
    for name in closures.of_cluster(cluster.spec()) {
        let Some(role) = closures.role(&name) else { continue };
        for written in written(role) {
            let Some((pointer, value)) = told(cluster, role, written.name) else { continue };
            found.extend(fault(role, &written, &value).map(|message| {
                cluster.error(&pointer, &RULE, message).expected("a name of its own")
            }));
        }
    }
    for (index, listed) in cluster.spec().workers.roles.iter().enumerate() {
        let all = closures.of(std::slice::from_ref(listed));
        let writer = all
            .iter()
            .find(|name| closures.role(name).is_some_and(|role| writes_token(role, cluster)));
        let Some(writer) = writer else { continue };
        let pointer = format!("/spec/workers/roles/{index}");
        let message = format!("workers with the role `{writer}` could write `{SWARM_TOKEN}`");
        found.push(
            cluster
                .error(&pointer, &RULE, message)
                .expected("roles of workers that leave the token to the hub")
                .hint("whoever writes it decides which swarm the cluster's workers join"),
        );
    }
}

fn writes_token(role: &Declaration<RoleManifest>, cluster: &Declaration<Cluster>) -> bool {
    written(role).iter().any(|written| {
        let set = told(cluster, role, written.name).map(|(_, value)| value);
        let default = || {
            let attribute = role.manifest.spec.attributes.get(attribute_of(written.name)?)?;
            attribute.default.as_ref()?.as_str().map(String::from)
        };
        set.or_else(default).as_deref().unwrap_or(written.name) == SWARM_TOKEN
    })
}

fn written(role: &Declaration<RoleManifest>) -> Vec<Written<'_>> {
    let steps = role.manifest.spec.steps.iter().enumerate();
    steps.flat_map(|(index, step)| of_step(&format!("/spec/steps/{index}"), step)).collect()
}

fn of_step<'a>(at: &str, step: &'a StepManifest) -> Vec<Written<'a>> {
    let parameter = step.parameter.as_ref().map(|parameter| Written {
        pointer: format!("{at}/parameter/name"),
        name: &parameter.name,
        is_worker_token: parameter.from == ParameterSource::SwarmWorkerToken,
    });
    let published = step.docker_image.as_ref().filter(|image| image.publish);
    let pin = published.and_then(|image| image.pin.as_deref()).map(|name| Written {
        pointer: format!("{at}/docker_image/pin"),
        name,
        is_worker_token: false,
    });
    parameter.into_iter().chain(pin).collect()
}

/// Why a role may not write a parameter of this name.
fn fault(role: &Declaration<RoleManifest>, written: &Written<'_>, name: &str) -> Option<String> {
    if !RESERVED_PARAMETERS.contains(&name) {
        return None;
    }
    if name != SWARM_TOKEN {
        return Some(format!("`{name}` is written by the reconciler alone"));
    }
    let leads = |step: &StepManifest| {
        step.swarm.as_ref().is_some_and(|swarm| swarm.part == SwarmPart::Leader)
    };
    let is_leaders = role.manifest.spec.steps.iter().any(leads);
    // A step that is not known may be the one that leads.
    let is_known = !role.is_doubtful("/spec/steps");
    match (written.is_worker_token, is_leaders) {
        (false, _) => Some(format!("`{name}` holds the workers' token and nothing else")),
        (true, false) if is_known => {
            Some(format!("`{name}` is written by whoever leads the swarm"))
        }
        _ => None,
    }
}

/// The attribute that a name stands for.
fn attribute_of(name: &str) -> Option<&str> {
    inner(name)?.strip_prefix("attributes.")
}

fn inner(name: &str) -> Option<&str> {
    Some(name.trim().strip_prefix("{{")?.strip_suffix("}}")?.trim())
}

/// What a cluster itself says that a name stands for, and where. Of any other
/// template the node alone knows, and has no right to write it.
fn told(
    cluster: &Declaration<Cluster>,
    role: &Declaration<RoleManifest>,
    name: &str,
) -> Option<(String, String)> {
    if let Some(attribute) = attribute_of(name) {
        let role = &role.manifest.metadata.name;
        let value = cluster.spec().attributes.get(role)?.get(attribute)?.as_str()?;
        let pointer = format!("/spec/attributes/{}/{}", escape(role), escape(attribute));
        return Some((pointer, value.into()));
    }
    let path = inner(name)?.strip_prefix("cluster.")?;
    let told = cluster.manifest.told(&BTreeSet::from([path.to_string()]));
    let value = path.split('.').try_fold(&told, |value, part| value.get(part))?;
    let parts: String = path.split('.').map(|part| format!("/{}", escape(part))).collect();
    Some((parts, value.as_str()?.into()))
}

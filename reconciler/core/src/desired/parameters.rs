//! Which parameters the roles of a group name: what their nodes may read and
//! write, and no other.

use std::collections::BTreeSet;

use crate::node::bundle::closure;
use crate::node::step::StepManifest;

use super::Draft;

/// Parameters by what is done with them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parameters {
    /// Read, by name under the cluster's prefix.
    pub(crate) read: BTreeSet<String>,
    /// Written (and read), by name under the cluster's prefix.
    pub(crate) written: BTreeSet<String>,
    /// Read, by absolute name.
    pub(crate) absolute: BTreeSet<String>,
}

/// What these roles and all they include name. A name that is a template is
/// known to the node alone; what it may need, the manifest names.
pub(crate) fn of(draft: &Draft<'_>, roles: &[String]) -> Parameters {
    let known = &draft.manifests.roles;
    let mut found = Parameters::default();
    for name in closure(roles, |name| known.get(name).map(|role| &role.manifest)) {
        let steps = known.get(&name).into_iter().flat_map(|role| &role.manifest.spec.steps);
        steps.for_each(|step| of_step(step, &mut found));
    }
    found
}

fn of_step(step: &StepManifest, found: &mut Parameters) {
    if let Some(parameter) = &step.parameter {
        found.write(&parameter.name);
    }
    if let Some(image) = &step.docker_image {
        match &image.pin {
            Some(pin) if image.publish => found.write(pin),
            pin => found.read(pin.as_deref()),
        }
    }
    found.read(step.docker_service.as_ref().and_then(|service| service.pin.as_deref()));
    found.read(step.docker_container.as_ref().and_then(|container| container.pin.as_deref()));
    found.read(step.swarm.as_ref().and_then(|swarm| swarm.token.as_deref()));
    let values = step.file.iter().flat_map(|file| file.parameters.values());
    values.for_each(|value| found.read(Some(value)));
}

impl Parameters {
    fn read(&mut self, name: Option<&str>) {
        let Some(name) = name.filter(|name| is_plain(name)) else { return };
        match name.strip_prefix("ssm:") {
            Some(absolute) => self.absolute.insert(absolute.into()),
            None => self.read.insert(name.into()),
        };
    }

    fn write(&mut self, name: &str) {
        if is_plain(name) {
            self.written.insert(name.into());
        }
    }
}

/// Neither a template nor something that would widen a policy.
fn is_plain(name: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-/:".contains(&byte);
    !name.is_empty() && name.bytes().all(letter)
}

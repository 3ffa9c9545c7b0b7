//! Which parameters the roles of a group name: what their nodes may read and
//! write, and no other.

use std::collections::BTreeSet;

use crate::manifest::role::RoleManifest;
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

/// What these roles and all they include name. A name may be one attribute or one
/// field of the manifest, `{{ attributes.… }}`, `{{ cluster.… }}`; any other
/// template is known to the node alone, and gives no right.
pub(crate) fn of(draft: &Draft<'_>, roles: &[String]) -> Parameters {
    let known = &draft.manifests.roles;
    let mut found = Parameters::default();
    for name in closure(roles, |name| known.get(name).map(|role| &role.manifest)) {
        let Some(role) = known.get(&name) else { continue };
        let reading = Reading { draft, role: &role.manifest };
        for step in &role.manifest.spec.steps {
            reading.step(step, &mut found);
        }
    }
    found
}

/// The steps of one role for one cluster.
struct Reading<'a> {
    draft: &'a Draft<'a>,
    role: &'a RoleManifest,
}

impl Reading<'_> {
    fn step(&self, step: &StepManifest, found: &mut Parameters) {
        if let Some(parameter) = &step.parameter {
            self.write(&parameter.name, found);
        }
        if let Some(image) = &step.docker_image {
            match &image.pin {
                Some(pin) if image.publish => self.write(pin, found),
                pin => self.read(pin.as_deref(), found),
            }
        }
        let service = step.docker_service.as_ref().and_then(|it| it.pin.as_deref());
        let container = step.docker_container.as_ref().and_then(|it| it.pin.as_deref());
        let token = step.swarm.as_ref().and_then(|swarm| swarm.token.as_deref());
        [service, container, token].into_iter().for_each(|name| self.read(name, found));
        let values = step.file.iter().flat_map(|file| file.parameters.values());
        values.for_each(|value| self.read(Some(value), found));
        self.read(step.file.as_ref().and_then(|file| file.pin.as_deref()), found);
    }

    fn read(&self, name: Option<&str>, found: &mut Parameters) {
        let Some(name) = name.and_then(|name| self.plain(name)) else { return };
        match name.strip_prefix("ssm:") {
            Some(absolute) => found.absolute.insert(absolute.into()),
            None => found.read.insert(name),
        };
    }

    fn write(&self, name: &str, found: &mut Parameters) {
        found.written.extend(self.plain(name));
    }

    /// A name as this cluster's nodes have it; none where the node alone can tell.
    fn plain(&self, name: &str) -> Option<String> {
        let inner = name.trim().strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
        let name = match inner {
            Some(inner) => self.answer(inner.trim())?,
            None => name.to_string(),
        };
        Some(name).filter(|name| is_plain(name))
    }

    fn answer(&self, path: &str) -> Option<String> {
        let (namespace, path) = path.split_once('.')?;
        let value = match namespace {
            "attributes" => {
                let set = self.draft.spec.attributes.get(&self.role.metadata.name);
                let set = set.and_then(|set| set.get(path)).cloned();
                set.or_else(|| self.role.spec.attributes.get(path)?.default.clone())?
            }
            "cluster" => {
                let told = self.draft.cluster.told(&BTreeSet::from([path.to_string()]));
                path.split('.').try_fold(&told, |value, part| value.get(part))?.clone()
            }
            _ => return None,
        };
        value.as_str().map(String::from)
    }
}

/// Neither a template nor something that would widen a policy.
fn is_plain(name: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-/:".contains(&byte);
    !name.is_empty() && name.bytes().all(letter)
}

//! What a step takes from its role's `templates/` and `files/`, put into it: a
//! plan needs no bundle any more.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::super::bundle::Role;
use super::super::step::{Action, File, LARGEST_FILE, Package, Unit};
use super::PlanError;

/// Longest name of anything on a node.
const LONGEST_NAME: usize = 200;

/// Renders a text of this name.
type Render<'a> = dyn Fn(&str, &str) -> Result<String, PlanError> + 'a;

/// The step with its files.
pub(super) fn with_files(
    id: &str,
    role: &Role,
    mut action: Action,
    render: &Render<'_>,
) -> Result<Action, PlanError> {
    let source = Source { id, role, render };
    match &mut action {
        Action::File(file) => source.file(file)?,
        Action::Unit(unit) => source.unit(unit)?,
        Action::Package(package) => source.package(package)?,
        _ => {}
    }
    check_name(id, &action)?;
    Ok(action)
}

/// The schema has held names to their form, but not what a template became.
fn check_name(id: &str, action: &Action) -> Result<(), PlanError> {
    let (field, name) = match action {
        Action::User(step) => ("user.name", &step.name),
        Action::Group(step) => ("group.name", &step.name),
        Action::Service(step) => ("service.unit", &step.unit),
        Action::Unit(step) => ("unit.name", &step.name),
        Action::Timer(step) => ("timer.name", &step.name),
        Action::KernelModule(step) => ("kernel_module.name", &step.name),
        Action::Parameter(step) => ("parameter.name", &step.name),
        Action::DockerNetwork(step) => ("docker_network.name", &step.name),
        Action::DockerService(step) => ("docker_service.name", &step.name),
        Action::DockerContainer(step) => ("docker_container.name", &step.name),
        _ => return Ok(()),
    };
    // A drop-in is named by its unit's folder and its own file.
    let flat = match action {
        Action::Unit(_) => name.replacen(".d/", ".d-", 1),
        _ => name.clone(),
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b":_.@-".contains(&byte);
    if flat.is_empty() || flat.len() > LONGEST_NAME || !flat.bytes().all(plain) {
        return Err(PlanError::new(id, format!("{field}: `{name}` is no name")));
    }
    Ok(())
}

struct Source<'a> {
    id: &'a str,
    role: &'a Role,
    render: &'a Render<'a>,
}

impl Source<'_> {
    fn file(&self, file: &mut File) -> Result<(), PlanError> {
        let said = [file.content.is_some(), file.template.is_some(), file.file.is_some()];
        self.once(
            said.into_iter().filter(|said| *said).count(),
            file.absent,
            "content, template, file",
        )?;
        let content = match (&file.template, &file.file) {
            (Some(name), _) => self.template(name)?.into_bytes(),
            (_, Some(name)) => self.stored(&format!("files/{name}"))?.to_vec(),
            _ => return Ok(()),
        };
        if content.len() > LARGEST_FILE {
            return Err(self.wrong(format!("the content has more than {LARGEST_FILE} bytes")));
        }
        file.resolved = Some(STANDARD.encode(content));
        Ok(())
    }

    fn unit(&self, unit: &mut Unit) -> Result<(), PlanError> {
        let said = usize::from(unit.content.is_some()) + usize::from(unit.template.is_some());
        self.once(said, unit.absent, "content, template")?;
        if let Some(name) = &unit.template {
            unit.content = Some(self.template(name)?);
        }
        Ok(())
    }

    fn package(&self, package: &mut Package) -> Result<(), PlanError> {
        let Some(repository) = &mut package.repository else { return Ok(()) };
        let path = format!("files/{}", repository.key);
        let key = std::str::from_utf8(self.stored(&path)?);
        repository.key_text =
            key.map_err(|_| self.wrong(format!("`{path}` is no ASCII-armoured key")))?.into();
        Ok(())
    }

    /// Exactly one source of content, none where nothing is to be.
    fn once(&self, said: usize, absent: bool, fields: &str) -> Result<(), PlanError> {
        match (absent, said) {
            (false, 1) | (true, 0) => Ok(()),
            (true, _) => Err(self.wrong(format!("what is absent has none of {fields}"))),
            (false, _) => Err(self.wrong(format!("it needs exactly one of {fields}"))),
        }
    }

    fn template(&self, name: &str) -> Result<String, PlanError> {
        let path = format!("templates/{name}");
        let text = std::str::from_utf8(self.stored(&path)?)
            .map_err(|_| self.wrong(format!("`{path}` is not UTF-8")))?;
        (self.render)(&path, text)
    }

    fn stored(&self, path: &str) -> Result<&[u8], PlanError> {
        let found = self.role.files.get(path).map(Vec::as_slice);
        found.ok_or_else(|| self.wrong(format!("its role has no `{path}`")))
    }

    fn wrong(&self, message: String) -> PlanError {
        PlanError::new(self.id, message)
    }
}

//! A user of the system.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Difference, Names, Run, Step, StepError};
use crate::node::host::UserWish;

/// A user, or none of that name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct User {
    /// Its name.
    #[schemars(regex(pattern = r"^[a-z_][a-z0-9_-]{0,31}$|\{\{"))]
    pub name: String,
    /// Its number; the system's choice without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// Its first group; one of its own name without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Other groups it is in; it may be in more.
    #[serde(default, skip_serializing_if = "Names::is_empty")]
    pub groups: Names,
    /// Home directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home: Option<String>,
    /// Login shell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shell: Option<String>,
    /// A user of the system, not a person.
    #[serde(default)]
    pub system: bool,
    /// There is to be no such user; its files stay.
    #[serde(default)]
    pub absent: bool,
}

impl Step for User {
    fn check(&self, run: &mut Run<'_>) -> Result<Vec<Difference>, StepError> {
        let found = run.host.user(&self.name)?;
        let Some(user) = found else {
            let missing = || Difference::new("user", "", "present");
            return Ok((!self.absent).then(missing).into_iter().collect());
        };
        if self.absent {
            return Ok(vec![Difference::new("user", "present", "absent")]);
        }
        let uid = self.uid.map(|uid| uid.to_string());
        let single = [
            ("uid", &uid, user.uid.to_string()),
            ("group", &self.group, user.group.clone()),
            ("home", &self.home, user.home.clone()),
            ("shell", &self.shell, user.shell.clone()),
        ];
        let differs = |(what, wanted, found): (&str, &Option<String>, String)| {
            let wanted = wanted.as_ref().filter(|wanted| **wanted != found)?;
            Some(Difference::new(what, &found, wanted))
        };
        let mut differences: Vec<_> = single.into_iter().filter_map(differs).collect();
        let missing = self.groups.iter().filter(|group| !user.groups.contains(group));
        differences.extend(missing.map(|group| Difference::new("groups", "", group)));
        Ok(differences)
    }

    fn apply(&self, run: &mut Run<'_>) -> Result<(), StepError> {
        if self.absent {
            return Ok(run.host.remove_user(&self.name)?);
        }
        let wish = UserWish {
            name: self.name.clone(),
            uid: self.uid,
            group: self.group.clone(),
            groups: self.groups.iter().cloned().collect(),
            home: self.home.clone(),
            shell: self.shell.clone(),
            system: self.system,
        };
        Ok(run.host.put_user(&wish)?)
    }

    fn provides(&self) -> Vec<String> {
        vec![format!("user {}", self.name)]
    }

    fn wants(&self) -> Vec<String> {
        self.groups.iter().chain(&self.group).map(|group| format!("group {group}")).collect()
    }
}

//! The steps a role may take: a small vocabulary, each looked at before it is
//! applied.
//!
//! A kind of step is one file: what it may say (its schema comes from the
//! type), what differs, and what is done about it. It touches the machine
//! through [`Host`] alone. Invariants: `check` changes nothing; after `apply`
//! `check` finds nothing; both may be interrupted anywhere and repeated.
//!
//! To add a kind: its file here, a line in [`steps!`] below, what it needs in
//! `host.rs`, a test, a section in `cookbooks/README.md`.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::host::{Cause, HostError};

mod content;
mod run;
mod spec;

pub(super) use mount::is_mounted_as;
pub(super) use package::{ABSENT, ANY_VERSION};
pub(super) use run::Memory;
pub use run::Run;

/// A kind of step.
pub trait Step {
    /// What differs from what should be; empty when nothing does.
    fn check(&self, run: &mut Run<'_>) -> Result<Vec<Difference>, StepError>;

    /// Makes it as it should be.
    fn apply(&self, run: &mut Run<'_>) -> Result<(), StepError>;

    /// The paths it owns: no second step may own one, and what lies below one
    /// waits for this step.
    fn owns(&self) -> Vec<String> {
        Vec::new()
    }

    /// The paths it uses without owning them: it waits for their owners.
    fn uses(&self) -> Vec<String> {
        Vec::new()
    }

    /// Steps it is restarted or made anew for, by name in its own role or as
    /// `role/name`.
    fn watches(&self) -> &[String] {
        &[]
    }

    /// What it brings that others may want, `user jovyan`: no second step may
    /// bring the same, but for those in [`SHARED`].
    fn provides(&self) -> Vec<String> {
        Vec::new()
    }

    /// What it wants that another step may bring; it waits for that step.
    fn wants(&self) -> Vec<String> {
        Vec::new()
    }

    /// It works through Docker: it waits for the step that runs Docker.
    fn needs_docker(&self) -> bool {
        false
    }

    /// Nothing after it runs while it is not as it should be.
    fn is_barrier(&self) -> bool {
        false
    }
}

/// What several steps may bring: whoever wants it waits for all of them.
pub const SHARED: &[&str] = &["image", "mount"];

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Difference {
    /// What: `mode`, `content`, `running`.
    pub what: String,
    /// As it is; empty where nothing is there. Never a secret.
    pub before: String,
    /// As it should be. Never a secret. For the content of a text that changes,
    /// a unified diff.
    pub after: String,
}

impl Difference {
    /// A difference.
    pub fn new(
        what: impl Into<String>,
        before: impl Into<String>,
        after: impl Into<String>,
    ) -> Self {
        Self { what: what.into(), before: before.into(), after: after.into() }
    }
}

/// A step that cannot look or act.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct StepError {
    /// What it means.
    pub cause: Cause,
    /// What went wrong, whole.
    pub message: String,
    /// The way out.
    pub hint: String,
}

impl StepError {
    /// An error of a step's own finding.
    pub fn new(cause: Cause, message: impl Into<String>) -> Self {
        Self { cause, message: message.into(), hint: cause.hint().into() }
    }

    /// With a way out of its own.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }
}

impl From<HostError> for StepError {
    fn from(error: HostError) -> Self {
        Self::new(error.cause, error.to_string())
    }
}

macro_rules! steps {
    ($($(#[$doc:meta])* $module:ident: $kind:ident),* $(,)?) => {
        $(pub mod $module;)*
        $(pub use $module::*;)*

        /// One step of a role: a name, and exactly one of the kinds.
        ///
        /// Every text in it is a template: `{{ attributes.… }}`,
        /// `{{ cluster.… }}`, `{{ node.… }}`, and `{{ item }}` with `each`.
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct StepManifest {
            /// What it is called; unique in its role.
            #[schemars(regex(pattern = r"^[a-z][a-z0-9-]{0,62}$"))]
            pub name: String,
            /// An expression over `attributes`, `cluster`, `node`; the step is
            /// left out where it is false.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[schemars(length(min = 1, max = 1000))]
            pub when: Option<String>,
            /// An expression that gives a list: the step is made once for each
            /// entry, which is `item` in its texts.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[schemars(length(min = 1, max = 1000))]
            pub each: Option<String>,
            /// Steps that have to be as they should be before it, by name in
            /// this role or as `role/name`. What owns a path around its own,
            /// its user, its unit or Docker is waited for without saying so.
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            #[schemars(length(max = 50))]
            pub needs: Vec<String>,
            $(
                $(#[$doc])*
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub $module: Option<$kind>,
            )*
        }

        /// What one step is, of whichever kind.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Action {
            $($(#[$doc])* $kind($kind),)*
        }

        /// The kinds, as they stand in a role.
        pub const STEP_KINDS: &[&str] = &[$(stringify!($module)),*];

        impl StepManifest {
            /// The kinds it names; one that is valid names exactly one.
            pub fn kinds(&self) -> Vec<&'static str> {
                let mut named = Vec::new();
                $(if self.$module.is_some() { named.push(stringify!($module)); })*
                named
            }

            /// What it is; none unless exactly one kind is named.
            pub fn action(&self) -> Option<Action> {
                let mut found: Vec<Action> = Vec::new();
                $(found.extend(self.$module.clone().map(Action::$kind));)*
                if found.len() == 1 { found.pop() } else { None }
            }
        }

        impl Action {
            /// The kind, as it stands in a role.
            pub fn kind(&self) -> &'static str {
                match self { $(Self::$kind(_) => stringify!($module),)* }
            }

            /// The step.
            pub fn step(&self) -> &dyn Step {
                match self { $(Self::$kind(step) => step,)* }
            }

            /// The step of a kind from its rendered fields.
            pub fn from_fields(
                kind: &str,
                fields: serde_json::Value,
            ) -> Result<Self, serde_json::Error> {
                $(if kind == stringify!($module) {
                    return serde_json::from_value(fields).map(Action::$kind);
                })*
                Err(serde::de::Error::custom(format!("there is no kind of step `{kind}`")))
            }
        }
    };
}

steps! {
    /// Packages of the distribution.
    package: Package,
    /// A file with this content.
    file: File,
    /// A directory.
    directory: Directory,
    /// A symbolic link.
    symlink: Symlink,
    /// A user.
    user: User,
    /// A group.
    group: Group,
    /// A service of systemd, running or not.
    service: Service,
    /// A unit file of systemd.
    unit: Unit,
    /// A file system, mounted and verified.
    mount: Mount,
    /// Kernel parameters, now and after every boot.
    sysctl: Sysctl,
    /// A kernel module, now and after every boot.
    kernel_module: KernelModule,
    /// The node's part in the swarm.
    swarm: Swarm,
    /// A network of Docker.
    docker_network: DockerNetwork,
    /// An image, pulled by its digest.
    docker_image: DockerImage,
    /// A service of the swarm.
    docker_service: DockerService,
    /// A container.
    docker_container: DockerContainer,
    /// A program, where its guard says it is needed.
    command: Command,
    /// A program at set times.
    timer: Timer,
    /// A value published to an encrypted parameter.
    parameter: Parameter,
}

/// The longest text of a step's file that is read or written, in bytes.
pub const LARGEST_FILE: usize = 4 * 1024 * 1024;

/// Permission bits from octal digits; the schema has held them to their form.
pub(crate) fn mode_of(text: &str) -> Result<u32, StepError> {
    u32::from_str_radix(text, 8)
        .map_err(|_| StepError::new(Cause::Invalid, format!("`{text}` is no mode")))
}

pub(crate) fn root() -> String {
    "root".into()
}

pub(crate) fn yes() -> bool {
    true
}

/// An ordered map that is left out where it is empty.
pub(crate) type Texts = BTreeMap<String, String>;
/// An ordered set.
pub(crate) type Names = BTreeSet<String>;

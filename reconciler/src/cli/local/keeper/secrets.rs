//! What an operator would give a cluster: the secrets that its manifest refers to.

use anyhow::anyhow;
use lyceum_aws::{Aws, Options as AwsOptions};
use lyceum_core::manifest::cluster::AuthType;

use super::{Keeper, cluster};
use crate::cli::failure::Failed;
use crate::cli::local::runtime;
use crate::cli::local::state::Login;
use crate::road::DeclaredManifests;

/// Of a password, in bytes.
const PASSWORD: usize = 9;

impl Keeper {
    /// Everyone's password where there is one, and a word in the place of a
    /// secret that only its owner knows.
    pub(super) fn secrets(&self, read: &DeclaredManifests) -> Result<Login, Failed> {
        let one = cluster(read, &self.cluster)?;
        let spec = &one.cluster.spec;
        let auth = &spec.jupyter.auth;
        let owner = &read.manifests.repository.owner;
        let user = auth.admins.first().cloned();
        match auth.auth_type {
            AuthType::Dummy => {
                let attributes = spec.attributes.get("jupyterhub");
                let name = attributes.and_then(|all| all.get("trialPasswordParameter")?.as_str());
                let name = name.unwrap_or("trial-password");
                let password = password()?;
                let path = format!("/{owner}/{}/{name}", self.cluster);
                self.put(&spec.region, &path, &password)?;
                let note = "any other name gets in as well".to_string();
                let user = user.or_else(|| Some("ada".into()));
                Ok(Login { user, password: Some(password), note: Some(note) })
            }
            AuthType::Native if user.is_some() => Ok(Login { user, ..Login::default() }),
            AuthType::Native => {
                let note = "people sign up, and nobody can admit them: the manifest names no admin";
                Ok(Login { note: Some(note.into()), ..Login::default() })
            }
            AuthType::Github => {
                if let Some(path) = &auth.client_secret_ref {
                    let path = path.strip_prefix("ssm:").unwrap_or(path);
                    self.put(&spec.region, path, "made by lyceum local up")?;
                }
                let note = "through GitHub, which knows nothing of this machine: \
                            `auth: {type: dummy}` lets you in here";
                Ok(Login { note: Some(note.into()), ..Login::default() })
            }
        }
    }

    fn put(&self, region: &str, name: &str, value: &str) -> Result<(), Failed> {
        let emulator = Some(self.cloud.emulator().url());
        let options = AwsOptions { emulator, ..AwsOptions::default() };
        runtime()?.block_on(async {
            let aws = Aws::connect("lyceum", "", options).await?;
            aws.put_secret(region, name, value.into()).await
        })?;
        Ok(())
    }
}

fn password() -> Result<String, Failed> {
    let mut bytes = [0; PASSWORD];
    getrandom::fill(&mut bytes).map_err(|error| anyhow!("no randomness: {error}"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

//! The login of a registry of AWS.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lyceum_core::node::host::{Answer, Cause, Confidential, HostError};
use serde_json::{Value, json};

use super::Aws;

impl Aws {
    /// A password for the registries of a region, good for twelve hours.
    pub async fn registry_password(&self, region: &str) -> Answer<Confidential> {
        let target = "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken";
        let mut call = self.json_call("ecr", target, &json!({}));
        if self.endpoint.is_none() {
            call.url = format!("https://{}/", self.host_in("api.ecr", region));
        }
        call.region = region.into();
        call.operation = "ask for the registry's login".into();
        let answered = self.make(&call).await?;
        let parsed: Value = serde_json::from_slice(&answered.body).unwrap_or_default();
        let token = parsed["authorizationData"][0]["authorizationToken"].as_str();
        let password = token.and_then(password_of);
        password.ok_or_else(|| HostError::new(Cause::Failed, call.operation, "it holds no token"))
    }
}

/// `AWS:password` in base64.
fn password_of(token: &str) -> Option<Confidential> {
    let login = String::from_utf8(STANDARD.decode(token).ok()?).ok()?;
    Some(Confidential::new(login.split_once(':')?.1))
}

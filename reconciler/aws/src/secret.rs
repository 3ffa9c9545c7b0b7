//! Secrets an operator makes: written here, never read and never removed.

use aws_sdk_ssm::types::ParameterType;
use lyceum_core::cloud::CloudError;

use crate::calls::Call;
use crate::cloud::Aws;

impl Aws {
    /// Writes an encrypted parameter, new or not. It carries no tags of ours: it
    /// stays the operator's.
    ///
    /// Errors name the call and the service's words, never the value.
    pub async fn put_secret(
        &self,
        region: &str,
        name: &str,
        value: String,
    ) -> Result<(), CloudError> {
        let clients = self.clients(region);
        clients
            .calls
            .send(Call::repeatable("ssm", "PutParameter"), || {
                let request = clients.ssm.put_parameter().name(name).value(&value);
                request.r#type(ParameterType::SecureString).overwrite(true).send()
            })
            .await
            .map(drop)
    }
}

//! Parameters: what the reconciler and other nodes tell this one.

use lyceum_core::node::host::{Answer, Cause, Confidential};
use serde_json::{Value, json};

use super::Aws;

impl Aws {
    /// A parameter's value, decrypted; none where there is none.
    pub async fn parameter(&self, name: &str) -> Answer<Option<Confidential>> {
        let body = json!({"Name": name, "WithDecryption": true});
        let mut call = self.json_call("ssm", "AmazonSSM.GetParameter", &body);
        call.operation = format!("read parameter {name}");
        let answered = match self.make(&call).await {
            Err(error) if error.cause == Cause::NotFound => return Ok(None),
            other => other?,
        };
        let parsed: Value = serde_json::from_slice(&answered.body).unwrap_or_default();
        Ok(parsed["Parameter"]["Value"].as_str().map(Confidential::new))
    }

    /// Writes the value of a parameter that exists, encrypted.
    pub async fn put_parameter(&self, name: &str, value: &Confidential) -> Answer<()> {
        let body = json!({
            "Name": name, "Value": value.reveal(), "Type": "SecureString", "Overwrite": true,
        });
        let mut call = self.json_call("ssm", "AmazonSSM.PutParameter", &body);
        call.operation = format!("write parameter {name}");
        self.make(&call).await.map(|_| ())
    }
}

//! The SDK's clients for one region.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_credential_types::Credentials;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_types::region::Region;
use aws_types::service_config::ServiceConfigKey;
use lyceum_core::site::Site;

use crate::calls::Calls;

/// SHA-256 (64 hex digits) to the file with that content.
pub(crate) type Artifacts = Arc<BTreeMap<String, PathBuf>>;

/// Everything a kind needs to reach AWS in one region.
#[derive(Clone, Debug)]
pub(crate) struct Clients {
    /// Whose everything is.
    pub(crate) site: Site,
    /// The region.
    pub(crate) region: String,
    /// Where every call passes.
    pub(crate) calls: Calls,
    /// SHA-256 to the file with that content.
    pub(crate) artifacts: Artifacts,
    pub(crate) autoscaling: aws_sdk_autoscaling::Client,
    pub(crate) cloudwatch: aws_sdk_cloudwatch::Client,
    pub(crate) discovery: aws_sdk_servicediscovery::Client,
    pub(crate) ec2: aws_sdk_ec2::Client,
    pub(crate) efs: aws_sdk_efs::Client,
    pub(crate) events: aws_sdk_eventbridge::Client,
    pub(crate) iam: aws_sdk_iam::Client,
    pub(crate) route53: aws_sdk_route53::Client,
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) sqs: aws_sdk_sqs::Client,
    pub(crate) ssm: aws_sdk_ssm::Client,
}

impl Clients {
    /// Clients for `region` that send their calls through `calls`.
    pub(crate) fn new(
        config: &SdkConfig,
        site: &Site,
        region: &str,
        (calls, artifacts): (Calls, Artifacts),
    ) -> Self {
        let config = config.to_builder().region(Region::new(region.to_string())).build();
        Self {
            site: site.clone(),
            region: region.into(),
            calls,
            artifacts,
            autoscaling: aws_sdk_autoscaling::Client::new(&config),
            cloudwatch: aws_sdk_cloudwatch::Client::new(&config),
            discovery: aws_sdk_servicediscovery::Client::new(&config),
            ec2: aws_sdk_ec2::Client::new(&config),
            efs: aws_sdk_efs::Client::new(&config),
            events: aws_sdk_eventbridge::Client::new(&config),
            iam: aws_sdk_iam::Client::new(&config),
            route53: aws_sdk_route53::Client::new(&config),
            s3: s3(&config),
            sqs: aws_sdk_sqs::Client::new(&config),
            ssm: aws_sdk_ssm::Client::new(&config),
        }
    }
}

impl Clients {
    /// The same for what is read of one item of a list.
    pub(crate) fn of_item(&self) -> Self {
        Self { calls: self.calls.of_item(), ..self.clone() }
    }
}

/// The SDK's configuration from its own environment: profile, region, endpoint,
/// credentials; or an emulator's. It never repeats a call by itself; `calls` does
/// where it is safe.
pub(crate) async fn configuration(call_timeout: Duration, emulator: Option<&str>) -> SdkConfig {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(5).min(call_timeout))
        .operation_attempt_timeout(call_timeout)
        .operation_timeout(call_timeout)
        .build();
    let loader = aws_config::defaults(aws_config::BehaviorVersion::latest())
        .http_client(http)
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts);
    match emulator {
        None => loader.load().await,
        Some(url) => {
            let credentials = Credentials::new("emulator", "emulator", None, None, "emulator");
            let region = Region::new("us-east-1");
            loader.endpoint_url(url).credentials_provider(credentials).region(region).load().await
        }
    }
}

/// With an endpoint of one's own (an emulator, a private gateway) buckets are
/// addressed by path: such a host name has no name per bucket.
fn s3(config: &SdkConfig) -> aws_sdk_s3::Client {
    let own_endpoint = config.endpoint_url().is_some() || own_s3(config);
    let config = aws_sdk_s3::config::Builder::from(config).force_path_style(own_endpoint).build();
    aws_sdk_s3::Client::from_conf(config)
}

/// Whether the environment or the profile names an endpoint for S3 alone, as the
/// SDK looks it up.
fn own_s3(config: &SdkConfig) -> bool {
    let key = ServiceConfigKey::builder()
        .service_id("s3")
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build();
    let known = config.service_config().zip(key.ok());
    known.is_some_and(|(known, key)| known.load_config(key).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_types::service_config::LoadServiceConfig;

    #[derive(Debug)]
    struct Environment(&'static str);

    impl LoadServiceConfig for Environment {
        fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
            let name = format!("{}_{}", key.env(), key.service_id().to_uppercase());
            (name == self.0).then(|| "http://127.0.0.1:9".to_string())
        }
    }

    #[test]
    fn an_endpoint_of_s3_alone_is_seen() {
        let of = |name| SdkConfig::builder().service_config(Environment(name)).build();
        assert!(own_s3(&of("AWS_ENDPOINT_URL_S3")));
        assert!(!own_s3(&of("AWS_ENDPOINT_URL_SQS")));
        assert!(!own_s3(&SdkConfig::builder().build()));
    }
}

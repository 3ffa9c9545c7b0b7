//! The metric a worker publishes, by which its group scales.

use lyceum_core::node::host::Answer;
use lyceum_core::site::{SESSIONS, metrics_namespace};
use reqwest::Method;

use super::{Aws, CALL, Call, LARGEST};

const TRIES: u32 = 2;

impl Aws {
    /// Publishes how many notebook servers run on this node, one of a cluster of
    /// this owner.
    pub async fn put_sessions(&self, (owner, cluster): (&str, &str), sessions: u64) -> Answer<()> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("Action", "PutMetricData")
            .append_pair("Version", "2010-08-01")
            .append_pair("Namespace", &metrics_namespace(owner, cluster))
            .append_pair("MetricData.member.1.MetricName", SESSIONS)
            .append_pair("MetricData.member.1.Dimensions.member.1.Name", "Cluster")
            .append_pair("MetricData.member.1.Dimensions.member.1.Value", cluster)
            .append_pair("MetricData.member.1.Unit", "Count")
            .append_pair("MetricData.member.1.Value", &sessions.to_string());
        let url =
            self.endpoint.clone().unwrap_or_else(|| format!("https://{}", self.host("monitoring")));
        let call = Call {
            service: "monitoring",
            region: self.region.clone(),
            operation: format!("publish {SESSIONS}"),
            method: Method::POST,
            url: format!("{url}/"),
            headers: vec![("content-type".into(), "application/x-www-form-urlencoded".into())],
            body: form.finish().into_bytes(),
            timeout: CALL,
            tries: TRIES,
            limit: LARGEST,
        };
        self.make(&call).await.map(|_| ())
    }
}

//! An emulator and a repository's view of it: what the tests of all kinds share.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use lyceum_aws::{Aws, Options, Rates};
use lyceum_core::address::Address;
use lyceum_core::cloud::{Cloud, Outputs, Scope};
use lyceum_core::desired::Resource;
use lyceum_core::kind::Body;
use lyceum_core::manifest::repository::SERVICES;
use lyceum_core::observed::{Object, ObservedState};
use lyceum_core::site::{GLOBAL, TAG_LABEL_PREFIX};

use crate::between::{Between, Fate};
use crate::emulator::Emulator;

/// The region of every test.
pub(crate) const REGION: &str = "us-east-1";
/// The cluster of every test.
pub(crate) const CLUSTER: &str = "geo-101";

/// A fresh emulator, and AWS as our repository sees it.
pub(crate) struct World {
    pub(crate) aws: Aws,
    /// Somebody else with access to the same account.
    pub(crate) others: aws_sdk_ec2::Client,
    /// The same somebody in IAM.
    pub(crate) iam: aws_sdk_iam::Client,
    emulator: Emulator,
}

impl World {
    /// Starts an emulator and connects to it, at any rate.
    pub(crate) async fn new() -> Self {
        let emulator = Emulator::start();
        let aws = connect(emulator.url(), &"a".repeat(40)).await;
        let others = others(emulator.url());
        let iam = aws_sdk_iam::Client::new(&others);
        Self { aws, others: aws_sdk_ec2::Client::new(&others), iam, emulator }
    }

    /// The same account, as another repository sees it.
    pub(crate) async fn elsewhere(&self) -> Aws {
        connect(self.emulator.url(), &"b".repeat(40)).await
    }

    /// As our repository sees it where calls that contain `about` are never
    /// answered, for as long as the proxy is there.
    pub(crate) async fn without(&self, about: &str, patience: Duration) -> (Aws, Between) {
        let about = about.to_string();
        let between = Between::new(self.emulator.url(), move |call| match call.contains(&about) {
            true => Fate::Ignored,
            false => Fate::Passed,
        });
        let options = Options { patience, ..options(&between.url()) };
        (Aws::connect("lyceum", &"a".repeat(40), options).await.unwrap(), between)
    }

    /// A resource of our cluster, with the tags that make it ours.
    pub(crate) fn resource(&self, name: &str, body: impl Into<Body>) -> Resource {
        let body = body.into();
        let address = Address::new(CLUSTER, body.facts().name, name);
        let tags = self.aws.site().identity(&address);
        let region = match address.kind() {
            "role" | "instance-profile" | "record" => GLOBAL,
            _ => REGION,
        };
        Resource { address, region: region.into(), tags, body, along: Default::default() }
    }

    /// Makes a resource and returns its outputs.
    pub(crate) async fn create(&self, resource: &Resource) -> Outputs {
        match self.aws.create(resource).await {
            Ok(outputs) => outputs,
            Err(error) => panic!("{}: {error}", resource.address),
        }
    }

    /// Makes a resource and returns its id.
    pub(crate) async fn id(&self, name: &str, body: impl Into<Body>) -> String {
        self.create(&self.resource(name, body)).await["id"].clone()
    }

    /// Everything that is ours, with nothing unknown.
    pub(crate) async fn look(&self) -> ObservedState {
        let scope = Scope { regions: BTreeSet::from([REGION.into()]), ..Scope::default() };
        let state = self.aws.observe(&scope).await;
        assert_eq!(state.gaps, [], "nothing is unknown");
        state
    }

    /// The one object of an address, if there is one.
    pub(crate) async fn seen(&self, address: &Address) -> Option<Object> {
        let state = self.look().await;
        let mut found: Vec<Object> =
            state.objects.into_iter().filter(|object| object.address == *address).collect();
        assert!(found.len() <= 1, "one object has the address {address}: {found:?}");
        found.pop()
    }

    /// The object of a resource that exists.
    pub(crate) async fn object(&self, resource: &Resource) -> Object {
        self.seen(&resource.address).await.unwrap_or_else(|| panic!("no {}", resource.address))
    }

    /// Changes what is there into `after` and holds that it is then seen so,
    /// tags included.
    pub(crate) async fn turn(&self, after: &Resource) -> Outputs {
        let before = self.object(after).await;
        let outputs = match self.aws.update(&before, after).await {
            Ok(outputs) => outputs,
            Err(error) => panic!("{}: {error}", after.address),
        };
        self.holds(after).await;
        outputs
    }

    /// Holds that a resource is seen exactly as desired, with its tags where the
    /// kind's list brings them.
    pub(crate) async fn holds(&self, resource: &Resource) {
        let object = self.object(resource).await;
        assert_eq!(object.body, resource.body, "{}", resource.address);
        for (key, value) in resource.tags.iter().filter(|_| object.facts().reads_tags) {
            assert_eq!(object.tags.get(key), Some(value), "{} {key}", resource.address);
        }
        let mut labels = object.tags.keys().filter(|key| key.starts_with(TAG_LABEL_PREFIX));
        assert!(labels.all(|key| resource.tags.contains_key(key)), "{:?}", object.tags);
    }

    /// The life of an object: made, each of `turns` in place, and removed. Each
    /// step is observed, and what makes another object of the same address
    /// does not pass.
    pub(crate) async fn life(&self, name: &str, body: impl Into<Body>, turns: &[Body]) {
        let first = self.resource(name, body);
        let made = self.create(&first).await;
        self.holds(&first).await;
        let object = self.object(&first).await;
        assert_eq!(made.get("id"), Some(&object.id));
        for (output, value) in &made {
            assert_eq!(object.output(output).as_ref(), Some(value), "{name} {output}");
        }
        for body in turns {
            let mut after = Resource { body: body.clone(), ..first.clone() };
            after.tags.insert("lyceum:label:term".into(), "2026-fall".into());
            self.turn(&after).await;
            assert_eq!(self.object(&after).await.id, object.id, "changed in place");
            self.turn(&Resource { tags: first.tags.clone(), ..after }).await;
        }
        self.remove(&first).await;
    }

    /// Removes what is there, twice: the second time it is gone already.
    pub(crate) async fn remove(&self, resource: &Resource) {
        let object = self.object(resource).await;
        for _ in 0..2 {
            if let Err(error) = self.aws.delete(&object).await {
                panic!("{}: {error}", resource.address);
            }
        }
        assert_eq!(self.seen(&resource.address).await, None);
    }
}

/// AWS at any rate, as a repository with this root commit sees it.
async fn connect(url: &str, source: &str) -> Aws {
    Aws::connect("lyceum", source, options(url)).await.unwrap()
}

fn options(url: &str) -> Options {
    let unlimited = |service: &&str| (service.to_string(), (10_000.0, 10_000));
    let rates = SERVICES.iter().map(unlimited).collect();
    Options { rates: Rates(rates), emulator: Some(url.into()), ..Options::default() }
}

/// The SDK's own configuration, past everything this crate adds to it.
fn others(url: &str) -> aws_types::SdkConfig {
    let credentials = Credentials::new("emulator", "emulator", None, None, "emulator");
    aws_types::SdkConfig::builder()
        .behavior_version(aws_config::BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(url)
        .region(aws_types::region::Region::new(REGION))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build()
}

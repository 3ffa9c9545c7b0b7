//! An emulator, AWS as our repository sees it, and as anybody else does.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_types::region::Region;
use lyceum_aws::{Aws, Options, Rates};
use lyceum_core::address::Address;
use lyceum_core::cloud::{Cloud, CloudError, Outputs, Scope};
use lyceum_core::desired::Resource;
use lyceum_core::kind::Body;
use lyceum_core::manifest::repository::SERVICES;
use lyceum_core::observed::{Gap, Object, ObservedState};
use lyceum_core::site::Site;

use crate::between::{Between, owner_is_named};
use crate::emulator::Emulator;

pub(crate) const REGION: &str = "us-east-1";
pub(crate) const CLUSTER: &str = "geo-101";
pub(crate) use lyceum_core::site::{GLOBAL, TAG_LABEL_PREFIX};

/// Everything a test of a kind needs.
pub(crate) struct Backdrop {
    pub(crate) aws: Aws,
    /// What anybody in the account can do.
    pub(crate) config: SdkConfig,
    /// What stands before the emulator refuses what names a bucket without its
    /// owner.
    between: Between,
    _emulator: Emulator,
}

impl Backdrop {
    pub(crate) async fn new() -> Self {
        Self::with(BTreeMap::new()).await
    }

    /// With files to put into the artifact bucket, by digest.
    pub(crate) async fn with(artifacts: BTreeMap<String, PathBuf>) -> Self {
        let emulator = Emulator::start();
        let between = Between::new(emulator.url(), owner_is_named);
        let aws = connect(&between, 'a', artifacts).await;
        let credentials = Credentials::new("somebody", "else", None, None, "test");
        let config = SdkConfig::builder()
            .behavior_version(aws_config::BehaviorVersion::latest())
            .endpoint_url(emulator.url())
            .region(Region::new(REGION))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build();
        Self { aws, config, between, _emulator: emulator }
    }

    /// The account as another repository of the same owner sees it.
    pub(crate) async fn other_source(&self) -> Aws {
        connect(&self.between, 'b', BTreeMap::new()).await
    }

    pub(crate) fn site(&self) -> &Site {
        self.aws.site()
    }

    /// A resource of our cluster.
    pub(crate) fn of_cluster(&self, region: &str, name: &str, body: impl Into<Body>) -> Resource {
        resource(self.site(), (CLUSTER, region, name), body)
    }

    /// A resource that serves the region.
    pub(crate) fn of_region(&self, name: &str, body: impl Into<Body>) -> Resource {
        resource(self.site(), (&Site::region_scope(REGION), REGION, name), body)
    }

    pub(crate) async fn create(&self, resource: &Resource) -> Outputs {
        self.try_create(resource)
            .await
            .unwrap_or_else(|error| panic!("create {}: {error}", resource.address))
    }

    pub(crate) async fn try_create(&self, resource: &Resource) -> Result<Outputs, CloudError> {
        self.aws.create(resource).await
    }

    /// The one object of an address.
    pub(crate) async fn seen(&self, address: &Address) -> Option<Object> {
        let state = look(&self.aws).await;
        assert_eq!(state.gaps, [], "nothing is unknown");
        let mut found: Vec<Object> =
            state.objects.into_iter().filter(|object| object.address == *address).collect();
        assert!(found.len() <= 1, "{address} once: {found:#?}");
        found.pop()
    }

    /// Holds that a resource is seen exactly as desired, and returns what is.
    pub(crate) async fn holds(&self, resource: &Resource) -> Object {
        let seen = self.seen(&resource.address).await;
        let seen = seen.unwrap_or_else(|| panic!("no {}", resource.address));
        assert_eq!(seen.body, resource.body, "{}", resource.address);
        assert_eq!(seen.region, resource.region, "{}", resource.address);
        for (key, value) in resource.tags.iter().filter(|_| seen.facts().reads_tags) {
            assert_eq!(seen.tags.get(key), Some(value), "{} {key}", resource.address);
        }
        let mut labels = seen.tags.keys().filter(|key| key.starts_with(TAG_LABEL_PREFIX));
        assert!(labels.all(|key| resource.tags.contains_key(key)), "{:?}", seen.tags);
        seen
    }

    /// Changes what is there into `after` and holds that it is then seen so.
    pub(crate) async fn turn(&self, after: &Resource) {
        let before = self.seen(&after.address).await.unwrap();
        let done = self.aws.update(&before, after).await;
        done.unwrap_or_else(|error| panic!("update {}: {error}", after.address));
        let seen = self.holds(after).await;
        assert_eq!(seen.id, before.id, "changed in place");
    }

    /// Made, seen, changed by each of `turns` and back, each step seen, and
    /// removed twice: what is gone is gone.
    pub(crate) async fn life(&self, first: &Resource, turns: &[Body]) {
        self.appear(first).await;
        for body in turns {
            let mut after = Resource { body: body.clone(), ..first.clone() };
            assert_ne!(after.body, first.body, "{} turns into another", first.address);
            after.tags.insert("lyceum:label:term".into(), "2026-fall".into());
            self.turn(&after).await;
            self.turn(first).await;
        }
        self.remove(first).await;
    }

    /// Made and seen, with the same outputs in both.
    pub(crate) async fn appear(&self, resource: &Resource) -> Outputs {
        let outputs = self.create(resource).await;
        let seen = self.holds(resource).await;
        for (name, value) in &outputs {
            assert!(!value.is_empty(), "{} {name}", resource.address);
            assert_eq!(seen.output(name).as_ref(), Some(value), "{} {name}", resource.address);
        }
        assert_eq!(outputs.len(), seen.outputs.len() + 1, "{}: id and the rest", resource.address);
        outputs
    }

    pub(crate) async fn remove(&self, resource: &Resource) {
        let seen = self.seen(&resource.address).await.unwrap();
        for _ in 0..2 {
            let done = self.aws.delete(&seen).await;
            done.unwrap_or_else(|error| panic!("delete {}: {error}", resource.address));
        }
        assert_eq!(self.seen(&resource.address).await, None);
    }

    /// Holds that to another repository of the same owner the cluster is a gap
    /// and nothing in it its own.
    pub(crate) async fn is_a_gap_to_others(&self, cluster: &str) {
        let state = look(&self.other_source().await).await;
        assert_eq!(state.objects, []);
        let gaps: BTreeSet<Gap> = state.gaps.into_iter().collect();
        assert!(!gaps.is_empty());
        assert!(gaps.iter().all(|gap| gap.scope == cluster && gap.kind.is_empty()), "{gaps:?}");
    }
}

/// A resource with the tags that make it a site's.
pub(crate) fn resource(
    site: &Site,
    (scope, region, name): (&str, &str, &str),
    body: impl Into<Body>,
) -> Resource {
    let body = body.into();
    let address = Address::new(scope, body.facts().name, name);
    let tags = site.identity(&address);
    Resource { address, region: region.into(), tags, body, along: Default::default() }
}

pub(crate) async fn look(aws: &Aws) -> ObservedState {
    let scope = Scope { regions: BTreeSet::from([REGION.into()]), ..Scope::default() };
    aws.observe(&scope).await
}

async fn connect(between: &Between, source: char, artifacts: BTreeMap<String, PathBuf>) -> Aws {
    let unlimited = |service: &&str| (service.to_string(), (10_000.0, 10_000));
    let options = Options {
        rates: Rates(SERVICES.iter().map(unlimited).collect()),
        artifacts,
        emulator: Some(between.url()),
        ..Options::default()
    };
    Aws::connect("lyceum", &source.to_string().repeat(40), options).await.unwrap()
}

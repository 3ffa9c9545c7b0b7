//! [`Aws`]: the cloud that execution and observation talk to.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_config::SdkConfig;
use lyceum_core::cloud::{Class, Cloud, CloudError, Outputs, Scope};
use lyceum_core::desired::Resource;
use lyceum_core::kind::Body;
use lyceum_core::observed::{Object, ObservedState};
use lyceum_core::site::{GLOBAL, Site};

use crate::calls::{Call, Calls, Rates, Stats};
use crate::clients::{Clients, configuration};
use crate::{kind, observe};

/// How to talk to AWS.
#[derive(Clone, Debug)]
pub struct Options {
    /// Calls per second and burst by service.
    pub rates: Rates,
    /// How long one call may take.
    pub call_timeout: Duration,
    /// How long a read of a look may wait for answers, its repetitions included;
    /// what has none by then is a gap of its list or its cluster.
    pub patience: Duration,
    /// SHA-256 (64 hex digits) to the file with that content, for what is put
    /// into the artifact bucket.
    pub artifacts: BTreeMap<String, PathBuf>,
    /// URL of an emulator to talk to instead of AWS. It gets made-up
    /// credentials: those of the environment are never sent there.
    pub emulator: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            rates: Rates::default(),
            call_timeout: Duration::from_secs(30),
            patience: Duration::from_secs(40),
            artifacts: BTreeMap::new(),
            emulator: None,
        }
    }
}

/// AWS, as one account sees it.
#[derive(Clone, Debug)]
pub struct Aws {
    config: SdkConfig,
    site: Site,
    options: Arc<Options>,
    stats: Arc<Mutex<Stats>>,
    regions: Arc<Mutex<BTreeMap<String, Clients>>>,
}

impl Aws {
    /// Connects with the SDK's own environment and asks whose account it is.
    ///
    /// Errors: no credentials, no answer, or an answer without an account.
    pub async fn connect(owner: &str, source: &str, options: Options) -> Result<Self, CloudError> {
        // The SDK takes an empty one for a URL, and breaks down over it.
        let given = std::env::var_os("AWS_ENDPOINT_URL").filter(|_| options.emulator.is_none());
        if given.is_some_and(|url| url.is_empty()) {
            let message = "AWS_ENDPOINT_URL is empty: unset it, or give it a URL";
            return Err(CloudError::new(Class::Invalid, "sts:GetCallerIdentity", message));
        }
        let config = configuration(options.call_timeout, options.emulator.as_deref()).await;
        let stats: Arc<Mutex<Stats>> = Arc::default();
        let rates = Arc::new(options.rates.clone());
        let identity = caller(&config, &Calls::new(rates, stats.clone())).await?;
        let site = Site {
            owner: owner.into(),
            source: source.into(),
            account: identity.account,
            partition: identity.partition,
        };
        Ok(Self { config, site, options: Arc::new(options), stats, regions: Arc::default() })
    }

    /// Whose account and repository this is.
    pub fn site(&self) -> &Site {
        &self.site
    }

    /// What was sent so far.
    pub fn stats(&self) -> Stats {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The clients of a region, for a look.
    pub(crate) fn looking(&self, region: &str) -> Clients {
        let clients = self.clients(region);
        Clients { calls: clients.calls.impatient(self.options.patience), ..clients }
    }

    /// The region of the environment, where nothing else tells one.
    fn home(&self) -> String {
        self.config.region().map_or_else(|| "us-east-1".into(), ToString::to_string)
    }

    /// The clients of a region, made once. What is global is served by
    /// whichever region is there: IAM and Route 53 have one endpoint.
    pub(crate) fn clients(&self, region: &str) -> Clients {
        let mut regions = self.regions.lock().unwrap_or_else(PoisonError::into_inner);
        let region = match region {
            GLOBAL => regions.keys().next().cloned().unwrap_or_else(|| self.home()),
            region => region.to_string(),
        };
        regions
            .entry(region.clone())
            .or_insert_with(|| {
                let rates = Arc::new(self.options.rates.clone());
                let calls = Calls::new(rates, self.stats.clone());
                let artifacts = Arc::new(self.options.artifacts.clone());
                Clients::new(&self.config, &self.site, &region, (calls, artifacts))
            })
            .clone()
    }
}

impl Cloud for Aws {
    async fn observe(&self, scope: &Scope) -> ObservedState {
        observe::observe(self, scope).await
    }

    async fn observe_stored(&self, scope: &Scope, before: ObservedState) -> ObservedState {
        observe::observe_stored(self, scope, before).await
    }

    async fn read(&self, object: &Object) -> Result<Option<Object>, CloudError> {
        match &object.body {
            Body::Pointer(seen) => {
                kind::pointer::read(&self.clients(&object.region), object, seen).await
            }
            Body::NodeReport(seen) => {
                kind::node_report::read(&self.clients(&object.region), object, seen).await
            }
            _ => Ok(Some(object.clone())),
        }
    }

    async fn create(&self, resource: &Resource) -> Result<Outputs, CloudError> {
        kind::create(&self.clients(&resource.region), resource).await
    }

    async fn update(&self, before: &Object, after: &Resource) -> Result<Outputs, CloudError> {
        kind::update(&self.clients(&before.region), before, after).await
    }

    async fn delete(&self, object: &Object) -> Result<(), CloudError> {
        match kind::delete(&self.clients(&object.region), object).await {
            Err(error) if error.class == Class::NotFound => Ok(()),
            other => other,
        }
    }
}

struct Identity {
    account: String,
    partition: String,
}

async fn caller(config: &SdkConfig, calls: &Calls) -> Result<Identity, CloudError> {
    const CALL: (&str, &str) = ("sts", "GetCallerIdentity");
    let region = config.region().cloned().unwrap_or(aws_types::region::Region::new("us-east-1"));
    let client = aws_sdk_sts::Client::new(&config.to_builder().region(region).build());
    let answer =
        calls.send(Call::read(CALL.0, CALL.1), || client.get_caller_identity().send()).await?;
    let partition = answer.arn().and_then(|arn| arn.split(':').nth(1)).unwrap_or("aws");
    match answer.account() {
        Some(account) => Ok(Identity { account: account.into(), partition: partition.into() }),
        None => Err(CloudError::new(Class::Invalid, "sts:GetCallerIdentity", "no account")),
    }
}
